/* Tables of Lua and JSON, into each other. JSON's null is the light userdata NULL in Lua. */
#ifndef LORAC_LUA_JSON_H
#define LORAC_LUA_JSON_H

#include "messages.h"

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <lua.h>

/* The value at `index` as JSON (cJSON_Delete it), members of objects sorted by name; an empty table is an empty array. For every
 * value that JSON cannot hold (a function, a table with both items and names, a number that is not finite, tables nested deeper
 * than 64) its path is added to *paths ("lora.target_modules[2]"; "" for the value itself), why to *reasons, and JSON's null
 * stands in its place. */
cJSON *lua_to_json(lua_State *L, int index, struct string_list *paths, struct string_list *reasons);

/* Pushes the value; numbers without a fraction become Lua integers. */
void json_to_lua(lua_State *L, const cJSON *json);

/* Pushes a JSON number as json_to_lua does. */
void json_number_to_lua(lua_State *L, double number);

#endif
