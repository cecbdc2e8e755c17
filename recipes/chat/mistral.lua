-- Mistral-7B-Instruct v0.2: one BOS, then [INST] question [/INST]answer</s>. It has no system messages.
local format = require "chat.format"

return format({}, function()
  return {
    name = "mistral",
    bos = "<s>",
    roles = {
      { name = "user", prefix = "[INST] ", suffix = " [/INST]" },
      { name = "assistant", prefix = "", end_of_turn = "</s>" },
    },
    alternate = true,
  }
end)
