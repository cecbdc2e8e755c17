-- TinyLlama's chat models, in the format of Zephyr: <|role|>, newline, content, </s>, newline. Under a tokenizer that does not know
-- these marks, Qwen's for one, they are ordinary text.
local format = require "chat.format"

return format({ "system" }, function(options)
  local function role(name)
    return { name = name, prefix = "<|" .. name .. "|>\n", end_of_turn = "</s>", suffix = "\n" }
  end
  return {
    name = "tinyllama",
    default_system = options.system,
    roles = { role "system", role "user", role "assistant" },
  }
end)
