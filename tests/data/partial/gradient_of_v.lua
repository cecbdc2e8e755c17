-- The lowest layer needs dv alone.
return {
  model = require "models.stories260K",
  lora = { r = 3, target_modules = { "v_proj" }, layers_to_transform = { 3, 4 } },
  train = { per_device_train_batch_size = 2, max_length = 32 },
}
