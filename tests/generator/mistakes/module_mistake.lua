local chat = require "chat.chatml"
return {
  model = require "models.stories260K",
  lora = {},
  chat = chat { sytem = "You are a pirate." },
}
