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
-- All fields are those of struct chat_format (runtime/chat_format.h); what is not given:
--   bos "", generation_prompt the assistant's prefix, stop the assistant's end_of_turn without white space around it.

local strings = { "bos", "generation_prompt" }
local optional_strings = { "default_system", "system_open", "system_close", "think_open", "think_close" }
local flags = { "trim", "alternate" }
local role_strings = { "group_open", "prefix", "end_of_turn", "suffix", "group_close" }

local function set_of(...)
  local set = {}
  for _, list in ipairs { ... } do
    for _, name in ipairs(list) do set[name] = true end
  end
  return set
end

local format_fields = set_of(strings, optional_strings, flags, { "name", "roles", "stop" })
local role_fields = set_of(role_strings, { "name" })

local function check_fields(table, known, what)
  for name in pairs(table) do
    if not known[name] then error(what .. ": unknown field '" .. tostring(name) .. "'", 0) end
  end
end

local function string_or(value, otherwise, what)
  if value == nil then return otherwise end
  if type(value) ~= "string" then error(what .. ": expected a string, found a " .. type(value), 0) end
  return value
end

local function complete_role(role, where)
  if type(role) ~= "table" or type(role.name) ~= "string" then error(where .. ": a role needs a name", 0) end
  local what = where .. ": role '" .. role.name .. "'"
  check_fields(role, role_fields, what)
  local complete = { name = role.name, trained = role.name == "assistant" }
  for _, field in ipairs(role_strings) do complete[field] = string_or(role[field], "", what .. ": " .. field) end
  return complete
end

local function complete_roles(format, where)
  local roles, assistant, has_system = {}, nil, false
  if type(format.roles) ~= "table" then error(where .. ": roles is missing", 0) end
  for i, role in ipairs(format.roles) do
    roles[i] = complete_role(role, where)
    if roles[i].trained then assistant = roles[i] end
    has_system = has_system or role.name == "system"
  end
  if #roles > 8 then error(where .. ": at most 8 roles are supported", 0) end
  if not assistant then error(where .. ": the role 'assistant' is missing", 0) end
  if format.default_system and not has_system and not format.system_open then
    error(where .. ": a system prompt is given, but the format has no role 'system'", 0)
  end
  return roles, assistant
end

local function complete(format)
  local where = "chat format '" .. string_or(format.name, "?", "chat format: name") .. "'"
  check_fields(format, format_fields, where)
  local roles, assistant = complete_roles(format, where)
  local out = { name = format.name or "?", roles = roles, stop = format.stop or { assistant.end_of_turn:match("^%s*(.-)%s*$") } }
  for _, field in ipairs(strings) do out[field] = string_or(format[field], "", where .. ": " .. field) end
  for _, field in ipairs(optional_strings) do out[field] = string_or(format[field], false, where .. ": " .. field) end
  for _, field in ipairs(flags) do out[field] = format[field] == true end
  if not format.generation_prompt then out.generation_prompt = assistant.prefix end
  if (out.system_open and 1 or 0) ~= (out.system_close and 1 or 0) then error(where .. ": system_open and system_close go together", 0) end
  if (out.think_open and 1 or 0) ~= (out.think_close and 1 or 0) then error(where .. ": think_open and think_close go together", 0) end
  if #out.stop > 8 then error(where .. ": at most 8 stop texts are supported", 0) end
  return out
end

return function(known_options, make)
  local known = set_of(known_options)
  return function(options)
    if options ~= nil and type(options) ~= "table" then error("a chat format takes a table of options, such as {}", 0) end
    check_fields(options or {}, known, "chat format options")
    return complete(make(options or {}))
  end
end
