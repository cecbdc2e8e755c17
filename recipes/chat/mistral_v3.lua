-- Mistral-7B-Instruct v0.3: tools stand in front of the last question; calls and answers carry ids of nine letters or digits. The
-- system message goes into the last message where that is the user's: a conversation that ends with an answer has it nowhere.
local format = require "chat.format"

return format({}, function()
  return {
    name = "mistral_v3",
    bos = "<s>",
    system_open = "", system_close = "\n\n", system_in_last = true,
    roles = {
      { name = "user", prefix = "[INST] ", suffix = "[/INST]" },
      { name = "assistant", prefix = " ", end_of_turn = "</s>", trim = true },
      { name = "tool", prefix = '[TOOL_RESULTS] {"content": ', suffix = ', "call_id": "$tool_call_id"}[/TOOL_RESULTS]' },
    },
    tools = {
      place = "before_last_user",
      open = "[AVAILABLE_TOOLS] [", between = ", ", close = "][/AVAILABLE_TOOLS]",
      each = '{"type": "function", "function": {$members}}',
      call_open = "[TOOL_CALLS] [", call_between = ", ", call_close = "]",
      call = '$function, "id": "$id"}',
      calls_replace_content = true,
    },
    generation_prompt = "",
    alternate = true,
  }
end)
