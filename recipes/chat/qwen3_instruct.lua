-- Qwen3-Instruct-2507: Qwen3 without thoughts.
local format = require "chat.format"
local qwen = require "chat.qwen_turns"

return format({ "system" }, function(options)
  return {
    name = "qwen3_instruct",
    default_system = options.system,
    roles = qwen.roles,
    tools = qwen.tools(true),
    stop = qwen.stop,
  }
end)
