return {
  model = require "models.stories260K",
  lora = { r = 8 },
  chat = { name = "x", roles = { { name = "assistant" } }, stop = {} },
}
