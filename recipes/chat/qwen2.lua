-- Qwen2: ChatML with Qwen2's own system prompt.
local chatml = require "chat.chatml"

return function(options)
  local chat = chatml(options)
  chat.name = "qwen2"
  chat.default_system = chat.default_system or "You are a helpful assistant."
  return chat
end
