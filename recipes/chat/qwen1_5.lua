-- Qwen1.5: ChatML with Qwen1.5's own system prompt (no full stop at its end).
local chatml = require "chat.chatml"

return function(options)
  options = options or {}
  if options.system == nil then options.system = "You are a helpful assistant" end
  local chat = chatml(options)
  chat.name = "qwen1_5"
  return chat
end
