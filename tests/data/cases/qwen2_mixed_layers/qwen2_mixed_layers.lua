return {
  model = hf_config "model/config.json",
  lora = { r = 4, lora_alpha = 8, target_modules = { "k_proj", "gate_proj", "lm_head" } },
  train = { max_length = 31, per_device_train_batch_size = 2, gradient_accumulation_steps = 2, learning_rate = 0.002, lr_scheduler_type = "polynomial", max_steps = -1, max_grad_norm = 1.0, num_train_epochs = 2, lr_scheduler_kwargs = { power = 2.0, lr_end = 0.0001 } },
}
