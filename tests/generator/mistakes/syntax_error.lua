return {
  model = require "models.stories260K"
  lora = {},
}
