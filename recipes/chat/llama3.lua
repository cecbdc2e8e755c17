-- Llama 3: a header with the role, an empty line, the content without white space around it, <|eot_id|>.
local format = require "chat.format"

return format({ "system" }, function(options)
  local function role(name)
    return { name = name, prefix = "<|start_header_id|>" .. name .. "<|end_header_id|>\n\n", end_of_turn = "<|eot_id|>", trim = true }
  end
  return {
    name = "llama3",
    default_system = options.system,
    bos = "<|begin_of_text|>",
    roles = { role "system", role "user", role "assistant" },
    stop = { "<|eot_id|>", "<|end_of_text|>" },
  }
end)
