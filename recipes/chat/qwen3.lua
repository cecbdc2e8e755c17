-- Qwen3: ChatML with tools, in which the assistant thinks between <think> and </think>; thoughts of earlier turns are left out.
-- With enable_thinking = false the assistant goes on behind empty thoughts, which then are not trained.
local format = require "chat.format"
local qwen = require "chat.qwen_turns"

return format({ "system", "enable_thinking" }, function(options)
  local no_thoughts = options.enable_thinking == false and "<think>\n\n</think>\n\n" or ""
  return {
    name = "qwen3",
    default_system = options.system,
    roles = qwen.roles,
    think_open = "<think>", think_close = "</think>",
    tools = qwen.tools(true),
    generation_prompt = "<|im_start|>assistant\n" .. no_thoughts,
    stop = qwen.stop,
  }
end)
