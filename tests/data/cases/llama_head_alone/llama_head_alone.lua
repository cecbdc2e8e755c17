return {
  model = hf_config "model/config.json",
  lora = { r = 5, lora_alpha = 10, target_modules = { "lm_head" } },
  train = { max_length = 23, per_device_train_batch_size = 2, gradient_accumulation_steps = 2, learning_rate = 0.002, lr_scheduler_type = "linear", max_steps = 6, warmup_steps = 2, weight_decay = 0.01, max_grad_norm = 1.0 },
}
