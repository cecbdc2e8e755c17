-- The lowest layer needs dup alone, and k, q and v above it all of theirs.
return {
  model = require "models.stories260K",
  lora = { r = 3, target_modules = [[.*layers\.3\.mlp\.up_proj|.*layers\.4\..*(q|k)_proj]] },
  train = { per_device_train_batch_size = 2, max_length = 32 },
}
