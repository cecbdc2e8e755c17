-- ChatML: <|im_start|>role, newline, content, <|im_end|>, newline. Qwen1.5, Qwen2, Yi, OpenHermes and others; without a system
-- prompt of its own. A tool's answer is a turn like others.
local format = require "chat.format"

return format({ "system" }, function(options)
  local function role(name)
    return { name = name, prefix = "<|im_start|>" .. name .. "\n", end_of_turn = "<|im_end|>", suffix = "\n" }
  end
  return {
    name = "chatml",
    default_system = options.system,
    roles = { role "system", role "user", role "assistant", role "tool" },
    stop = { "<|im_end|>", "<|endoftext|>" },
  }
end)
