-- ChatML: <|im_start|>role, newline, content, <|im_end|>, newline. Qwen, Yi, Hermes and others; without a system prompt of its own.
-- The results of tools are laid together into one user turn, as Qwen2.5 does.
local format = require "chat.format"

return format({ "system" }, function(options)
  local function role(name)
    return { name = name, prefix = "<|im_start|>" .. name .. "\n", end_of_turn = "<|im_end|>", suffix = "\n" }
  end
  local tool = {
    name = "tool",
    group_open = "<|im_start|>user", prefix = "\n<tool_response>\n",
    suffix = "\n</tool_response>", group_close = "<|im_end|>\n",
  }
  return {
    name = "chatml",
    default_system = options.system,
    roles = { role "system", role "user", role "assistant", tool },
    stop = { "<|im_end|>", "<|endoftext|>" },
  }
end)
