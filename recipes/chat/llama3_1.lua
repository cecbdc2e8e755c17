-- Llama 3.1, 3.2 and 3.3: Llama 3 with a system turn that always is there and tells two dates, tools listed in the first question,
-- at most one call a turn (the content beside it is left out), and answers of tools as JSON from the role ipython.
-- date: "today"; what the templates say where they are not told.
local format = require "chat.format"

return format({ "system", "date" }, function(options)
  local function header(name) return "<|start_header_id|>" .. name .. "<|end_header_id|>\n\n" end
  local function role(name) return { name = name, prefix = header(name), end_of_turn = "<|eot_id|>", trim = true } end
  local function answer(name) return { name = name, prefix = header "ipython", end_of_turn = "<|eot_id|>", json = true } end
  return {
    name = "llama3_1",
    bos = "<|begin_of_text|>",
    default_system = options.system or "",
    system_preamble = "Cutting Knowledge Date: December 2023\nToday Date: " .. (options.date or "26 Jul 2024") .. "\n\n",
    roles = { role "system", role "user", role "assistant", answer "tool", answer "ipython" },
    tools = {
      place = "first_user",
      system_preamble = "Environment: ipython\n",
      open = "Given the following functions, please respond with a JSON for a function call "
        .. "with its proper arguments that best answers the given prompt.\n\n"
        .. 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.'
        .. "Do not use variables.\n\n",
      each = "$tool\n\n",
      indent = 4,
      call_open = header "assistant",
      call = '{"name": "$name", "parameters": $arguments}',
      calls_replace_content = true,
      most_calls = 1,
    },
    stop = { "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>" },
  }
end)
