-- The sample whose program is kept in generated/tiny: small enough to read, and with layers of both kinds, since only the upper
-- two of five carry adapters.
return {
  model = require "models.stories260K",
  lora = { r = 8, lora_alpha = 16, target_modules = { "q_proj", "v_proj" }, layers_to_transform = { 3, 4 } },
  train = { per_device_train_batch_size = 4, max_length = 128, learning_rate = 1e-3, logging_steps = 10 },
  inference = { max_context = 256 },
}
