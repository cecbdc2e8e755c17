-- Qwen3: ChatML in which the assistant thinks between <think> and </think>; thoughts of earlier turns are left out. With
-- enable_thinking = false the assistant goes on behind empty thoughts, which then are not trained.
local format = require "chat.format"

return format({ "system", "enable_thinking" }, function(options)
  local function role(name)
    return { name = name, prefix = "<|im_start|>" .. name .. "\n", end_of_turn = "<|im_end|>", suffix = "\n" }
  end
  local tool = {
    name = "tool",
    group_open = "<|im_start|>user", prefix = "\n<tool_response>\n",
    suffix = "\n</tool_response>", group_close = "<|im_end|>\n",
  }
  local no_thoughts = options.enable_thinking == false and "<think>\n\n</think>\n\n" or ""
  return {
    name = "qwen3",
    default_system = options.system,
    roles = { role "system", role "user", role "assistant", tool },
    think_open = "<think>", think_close = "</think>",
    generation_prompt = "<|im_start|>assistant\n" .. no_thoughts,
    stop = { "<|im_end|>", "<|endoftext|>" },
  }
end)
