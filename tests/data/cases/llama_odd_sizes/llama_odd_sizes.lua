return {
  model = hf_config "model/config.json",
  lora = { r = 3, lora_alpha = 6, target_modules = { "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj" }, use_rslora = true, rank_pattern = { q_proj = 5, down_proj = 1 }, alpha_pattern = { up_proj = 11 } },
  train = { max_length = 34, per_device_train_batch_size = 3, gradient_accumulation_steps = 1, learning_rate = 0.002, lr_scheduler_type = "linear", max_steps = 6, max_grad_norm = 0.5, warmup_steps = 2, weight_decay = 0.1 },
}
