-- Qwen1.5: ChatML with Qwen1.5's own system prompt (no full stop at its end).
local chatml = require "chat.chatml"

return function(options)
  local chat = chatml(options)
  chat.name = "qwen1_5"
  chat.default_system = chat.default_system or "You are a helpful assistant"
  return chat
end
