-- What a chat format is: a plain table, checked and completed here. Every module beside this one returns format(options, make),
-- a function of the recipe's options:
--
--   local format = require "chat.format"
--   return format({ "system" }, function(options)
--     return {
--       name = "mine",                            -- in messages
--       default_system = options.system,          -- for conversations that have no system message; none by default
--       roles = {                                 -- in any order; "assistant" is what is trained
--         { name = "system", prefix = "System: ", suffix = "\n" },
--         { name = "user", prefix = "User: ", suffix = "\n" },
--         { name = "assistant", prefix = "Bot: ", end_of_turn = "</s>", suffix = "\n" },
--       },
--     }
--   end)
--
-- and a recipe says `chat = require "chat.mine" {}`, the file mine.lua lying in a folder chat/ beside the recipe.
-- Every format also takes other_template = true: the model's own template is another one, on purpose.
-- All fields are those of struct chat_format (runtime/chat_format.h); what is not given is no text, no, or none, but for
--   generation_prompt the assistant's prefix, stop the assistant's end_of_turn without white space around it.

local function set_of(...)
  local set = {}
  for _, list in ipairs { ... } do
    for _, name in ipairs(list) do set[name] = true end
  end
  return set
end

-- What a table may hold: fields of each type.
local format_types = {
  string = { "name", "bos", "default_system", "system_preamble", "system_open", "system_close", "generation_prompt", "think_open", "think_close" },
  boolean = { "system_in_last", "alternate" },
  table = { "roles", "tools", "stop" },
}
local role_types = {
  string = { "name", "group_open", "prefix", "end_of_turn", "suffix", "group_close" },
  boolean = { "trim", "json" },
}
local tools_types = {
  string = { "place", "system_preamble", "open", "each", "between", "close", "after_content", "call_open", "call", "call_between", "call_close" },
  boolean = { "calls_replace_content", "plain_arguments" },
  number = { "indent", "most_calls" },
}
local places = set_of { "system", "first_user", "before_last_user" }
local slots = { each = set_of { "tool", "members" }, call = set_of { "name", "arguments", "function", "id" } }

local function check_names(table, known, what)
  for name in pairs(table) do
    if not known[name] then error(what .. ": unknown field '" .. tostring(name) .. "'", 0) end
  end
end

-- A copy that has every field: what is not given is false, 0 or nothing.
local function complete(given, types, what)
  local known, copy = {}, {}
  if type(given) ~= "table" then error(what .. ": expected a table, found a " .. type(given), 0) end
  for kind, names in pairs(types) do
    for _, name in ipairs(names) do
      local value = given[name]
      known[name] = true
      if value ~= nil and type(value) ~= kind then
        error(what .. ": " .. name .. ": expected a " .. kind .. ", found a " .. type(value), 0)
      end
      if value == nil and kind == "number" then value = 0 end
      copy[name] = value or false
    end
  end
  check_names(given, known, what)
  return copy
end

local function complete_roles(roles, where)
  local list, by_name = {}, {}
  if not roles then error(where .. ": roles is missing", 0) end
  for i, role in ipairs(roles) do
    if type(role) ~= "table" or type(role.name) ~= "string" then error(where .. ": a role needs a name", 0) end
    list[i] = complete(role, role_types, where .. ": role '" .. role.name .. "'")
    list[i].trained = role.name == "assistant"
    by_name[role.name] = list[i]
  end
  if #list > 8 then error(where .. ": at most 8 roles are supported", 0) end
  if not by_name.assistant then error(where .. ": the role 'assistant' is missing", 0) end
  return list, by_name
end

local function complete_tools(tools, where)
  local out = complete(tools, tools_types, where .. ": tools")
  if not places[out.place] then
    error(where .. ": tools: place must be \"system\", \"first_user\" or \"before_last_user\"", 0)
  end
  for field, known in pairs(slots) do
    if not out[field] then error(where .. ": tools: " .. field .. " is missing", 0) end
    for name in out[field]:gmatch("%$(%a+)") do
      if not known[name] then error(where .. ": tools: " .. field .. ": there is no $" .. name, 0) end
    end
  end
  return out
end

local function check_pair(out, open, close, where)
  if (out[open] and 1 or 0) ~= (out[close] and 1 or 0) then error(where .. ": " .. open .. " and " .. close .. " go together", 0) end
end

local function complete_format(format)
  local where = "chat format '" .. tostring(format.name or "?") .. "'"
  local out, roles = complete(format, format_types, where), nil
  out.name = out.name or "?"
  out.roles, roles = complete_roles(format.roles, where)
  out.tools = format.tools and complete_tools(format.tools, where) or false
  out.generation_prompt = out.generation_prompt or roles.assistant.prefix
  local ending = (roles.assistant.end_of_turn or ""):match("^%s*(.-)%s*$")
  out.stop = format.stop or (ending ~= "" and { ending } or {})
  check_pair(out, "system_open", "system_close", where)
  check_pair(out, "think_open", "think_close", where)
  local lists_in_system = out.tools and out.tools.place == "system"
  if (out.default_system and not out.system_open or lists_in_system) and not roles.system then
    error(where .. ": a system prompt or a list of tools is given, but the format has no role 'system'", 0)
  end
  if #out.stop > 8 then error(where .. ": at most 8 stop texts are supported", 0) end
  return out
end

return function(known_options, make)
  local known = set_of(known_options, { "other_template" })
  return function(options)
    if options ~= nil and type(options) ~= "table" then error("a chat format takes a table of options, such as {}", 0) end
    check_names(options or {}, known, "chat format options")
    local format = complete_format(make(options or {}))
    format.other_template = (options or {}).other_template == true
    format.own_system = (options or {}).system ~= nil
    return format
  end
end
