return {
  model = require "models.stories260K",
  lora = { target_modules = "q_proj" },
}
