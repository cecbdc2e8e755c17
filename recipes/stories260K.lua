-- stories260K learns other stories: plain text, every token trained, adapters on every linear module.
return {
  model = require "models.stories260K",
  lora = { r = 8, lora_alpha = 16, target_modules = "all-linear" },
  train = {
    per_device_train_batch_size = 8, max_length = 256, learning_rate = 1e-3, lr_scheduler_type = "cosine", num_train_epochs = 1,
    logging_steps = 10,
  },
  inference = { max_context = 512 },
}
