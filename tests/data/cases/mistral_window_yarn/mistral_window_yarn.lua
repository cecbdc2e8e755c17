return {
  model = hf_config "model/config.json",
  lora = { r = 5, lora_alpha = 8, target_modules = { "q_proj", "o_proj", "down_proj" }, use_dora = true, layers_to_transform = { 1 } },
  train = { max_length = 47, per_device_train_batch_size = 2, gradient_accumulation_steps = 1, learning_rate = 0.002, lr_scheduler_type = "cosine", max_steps = 6, max_grad_norm = 1.0 },
}
