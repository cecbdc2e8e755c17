return {
  model = require "models.stories260K",
  lora = { r = 8 },
  chat = {
    name = "x",
    rols = {},
    stop = 5,
    foo = 1,
  },
}
