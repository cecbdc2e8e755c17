-- Mistral-7B-Instruct v0.1 and v0.2: one BOS, then [INST] question [/INST]answer</s>. It has neither system messages nor tools.
local format = require "chat.format"

return format({}, function()
  return {
    name = "mistral",
    bos = "<s>",
    roles = {
      { name = "user", prefix = "[INST] ", suffix = " [/INST]" },
      { name = "assistant", end_of_turn = "</s>" },
    },
    alternate = true,
  }
end)
