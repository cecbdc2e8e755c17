--set chat.foo=1
--set chat.sytem=Hello
--set chat.alternate=maybe
return {
  model = require "models.stories260K",
  lora = { r = 8 },
  chat = require "chat.chatml" {},
}
