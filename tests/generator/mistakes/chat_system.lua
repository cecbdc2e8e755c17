--set chat.system=Be kind.
local format = require "chat.format"
local mine = format({}, function() return { name = "mine", roles = { { name = "user" }, { name = "assistant" } } } end)
return {
  model = require "models.stories260K",
  lora = { r = 8 },
  chat = mine {},
}
