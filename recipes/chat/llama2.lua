-- Llama 2: [INST] ... [/INST] answer </s>, with BOS in front of every question and the system prompt inside the first.
local format = require "chat.format"

return format({ "system" }, function(options)
  return {
    name = "llama2",
    default_system = options.system,
    system_open = "<<SYS>>\n", system_close = "\n<</SYS>>\n\n",
    roles = {
      { name = "user", prefix = "<s>[INST] ", suffix = " [/INST]", trim = true },
      { name = "assistant", prefix = " ", end_of_turn = " </s>", trim = true },
    },
    generation_prompt = "",
    alternate = true,
  }
end)
