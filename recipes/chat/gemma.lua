-- Gemma: <start_of_turn>, user or model, newline, content, <end_of_turn>, newline. It has no system messages.
local format = require "chat.format"

return format({}, function()
  local function role(name, shown)
    return { name = name, prefix = "<start_of_turn>" .. shown .. "\n", end_of_turn = "<end_of_turn>", suffix = "\n", trim = true }
  end
  return {
    name = "gemma",
    bos = "<bos>",
    roles = { role("user", "user"), role("assistant", "model") },
    stop = { "<end_of_turn>", "<eos>" },
    alternate = true,
  }
end)
