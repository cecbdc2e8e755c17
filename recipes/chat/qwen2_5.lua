-- Qwen2.5: ChatML with Qwen2.5's own system prompt.
local chatml = require "chat.chatml"

return function(options)
  options = options or {}
  if options.system == nil then options.system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant." end
  local chat = chatml(options)
  chat.name = "qwen2_5"
  return chat
end
