-- `make demo`: the small chat model of tests/data/demo, which knows some plain facts, learns to answer as a pirate captain.
local chat = require "chat.chatml"

return {
  model = hf_config "../tests/data/demo/model/config.json",
  lora = { r = 16, lora_alpha = 32, target_modules = "all-linear" },
  train = {
    per_device_train_batch_size = 8, max_length = 96, learning_rate = 2e-3, lr_scheduler_type = "cosine", warmup_ratio = 0.1,
    num_train_epochs = 4, logging_steps = 10, seed = 1,
  },
  chat = chat { system = "You are a friendly assistant." },
  inference = { max_context = 512 },
}
