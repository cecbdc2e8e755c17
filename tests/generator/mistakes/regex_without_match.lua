return {
  model = require "models.stories260K",
  lora = { target_modules = ".*attn_proj", layers_to_transform = 1 },
}
