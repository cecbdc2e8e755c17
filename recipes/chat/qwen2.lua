-- Qwen2: ChatML with Qwen2's own system prompt.
local chatml = require "chat.chatml"

return function(options)
  options = options or {}
  if options.system == nil then options.system = "You are a helpful assistant." end
  local chat = chatml(options)
  chat.name = "qwen2"
  return chat
end
