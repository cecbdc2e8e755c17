-- What the formats of Qwen2.5 and Qwen3 share (no format itself): ChatML's turns, answers of tools laid together into one user
-- turn, and tools listed behind the system prompt.
local function role(name)
  return { name = name, prefix = "<|im_start|>" .. name .. "\n", end_of_turn = "<|im_end|>", suffix = "\n" }
end

local tool = {
  name = "tool",
  group_open = "<|im_start|>user", prefix = "\n<tool_response>\n",
  suffix = "\n</tool_response>", group_close = "<|im_end|>\n",
}

-- plain_arguments: arguments given as a string are written as they are (Qwen3), not as a JSON string (Qwen2.5).
local function tools(plain_arguments)
  return {
    place = "system",
    open = "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
      .. "You are provided with function signatures within <tools></tools> XML tags:\n<tools>",
    each = "\n$tool",
    close = "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
      .. "<tool_call></tool_call> XML tags:\n<tool_call>\n"
      .. '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
    after_content = "\n",
    call = '<tool_call>\n{"name": "$name", "arguments": $arguments}\n</tool_call>',
    call_between = "\n",
    plain_arguments = plain_arguments,
  }
end

return {
  roles = { role "system", role "user", role "assistant", tool },
  tools = tools,
  stop = { "<|im_end|>", "<|endoftext|>" },
}
