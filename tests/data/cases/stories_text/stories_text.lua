return {
  model = hf_config "../../stories260K/config.json",
  lora = { r = 8, lora_alpha = 16, target_modules = "all-linear" },
  train = { max_length = 110, per_device_train_batch_size = 2, gradient_accumulation_steps = 2, learning_rate = 0.003, lr_scheduler_type = "cosine", num_train_epochs = 3, warmup_steps = 0, weight_decay = 0.0, max_grad_norm = 1.0 },
}
