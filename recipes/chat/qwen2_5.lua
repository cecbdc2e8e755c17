-- Qwen2.5: ChatML with tools and Qwen2.5's own system prompt.
local format = require "chat.format"
local qwen = require "chat.qwen_turns"

return format({ "system" }, function(options)
  return {
    name = "qwen2_5",
    default_system = options.system or "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    roles = qwen.roles,
    tools = qwen.tools(false),
    stop = qwen.stop,
  }
end)
