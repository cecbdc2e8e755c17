#include "lua_json.h"
#include "../runtime/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

struct conversion {
    lua_State *L;
    struct string_list *paths, *reasons;
    int depth;
};

static cJSON *convert(struct conversion *c, int index, const char *path);

static cJSON *impossible(struct conversion *c, const char *path, const char *reason)
{
    string_list_add(c->paths, path);
    string_list_add(c->reasons, reason);
    return cJSON_CreateNull();
}

/* How many keys are 1, 2, ... without a gap, and how many are strings; all keys. */
static void count_keys(lua_State *L, int table, lua_Integer *items, int *names, int *all)
{
    *items = (lua_Integer)lua_rawlen(L, table);
    *names = *all = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        *names += lua_type(L, -1) == LUA_TSTRING;
        ++*all;
    }
}

static cJSON *convert_items(struct conversion *c, int table, lua_Integer count, const char *path)
{
    cJSON *array = cJSON_CreateArray();
    for (lua_Integer i = 1; i <= count; i++) {
        char *item_path = format_text("%s[%lld]", path, (long long)i);
        lua_rawgeti(c->L, table, i);
        cJSON_AddItemToArray(array, convert(c, lua_gettop(c->L), item_path));
        lua_pop(c->L, 1);
        free(item_path);
    }
    return array;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static cJSON *convert_names(struct conversion *c, int table, int count, const char *path)
{
    const char **names = allocate((size_t)count * sizeof *names, "a table's names");
    lua_pushnil(c->L);
    for (int i = 0; lua_next(c->L, table); i++) {
        lua_pop(c->L, 1);
        names[i] = lua_tostring(c->L, -1);
    }
    qsort(names, (size_t)count, sizeof *names, by_name);
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < count; i++) {
        char *name_path = format_text("%s%s%s", path, *path ? "." : "", names[i]);
        lua_pushstring(c->L, names[i]);
        lua_rawget(c->L, table);
        cJSON_AddItemToObject(object, names[i], convert(c, lua_gettop(c->L), name_path));
        lua_pop(c->L, 1);
        free(name_path);
    }
    free(names);
    return object;
}

static cJSON *convert_table(struct conversion *c, int table, const char *path)
{
    lua_Integer items;
    int names, all;
    if (c->depth >= DEEPEST || !lua_checkstack(c->L, 8))
        return impossible(c, path, "tables are nested too deep (or a table holds itself)");
    count_keys(c->L, table, &items, &names, &all);
    c->depth++;
    cJSON *json;
    if (all == items)
        json = convert_items(c, table, items, path);
    else if (all == names)
        json = convert_names(c, table, names, path);
    else
        json = impossible(c, path, "a table is either a list or a set of named fields; this one is neither");
    c->depth--;
    return json;
}

static cJSON *convert(struct conversion *c, int index, const char *path)
{
    switch (lua_type(c->L, index)) {
    case LUA_TBOOLEAN:
        return cJSON_CreateBool(lua_toboolean(c->L, index));
    case LUA_TNUMBER:
        if (!isfinite(lua_tonumber(c->L, index)))
            return impossible(c, path, "must be a finite number");
        return cJSON_CreateNumber(lua_tonumber(c->L, index));
    case LUA_TSTRING:
        return cJSON_CreateString(lua_tostring(c->L, index));
    case LUA_TTABLE:
        return convert_table(c, index, path);
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA:
        return cJSON_CreateNull();
    default:
        return impossible(c, path, "must be a number, a string, true, false or a table; this is a function");
    }
}

cJSON *lua_to_json(lua_State *L, int index, struct string_list *paths, struct string_list *reasons)
{
    struct conversion conversion = {.L = L, .paths = paths, .reasons = reasons};
    return convert(&conversion, lua_absindex(L, index), "");
}

void json_number_to_lua(lua_State *L, double number)
{
    if (number == floor(number) && fabs(number) < 0x1p53)
        lua_pushinteger(L, (lua_Integer)number);
    else
        lua_pushnumber(L, number);
}

void json_to_lua(lua_State *L, const cJSON *json)
{
    luaL_checkstack(L, 8, "JSON is nested too deep");
    if (cJSON_IsBool(json)) {
        lua_pushboolean(L, cJSON_IsTrue(json));
    } else if (cJSON_IsNumber(json)) {
        json_number_to_lua(L, json->valuedouble);
    } else if (cJSON_IsString(json)) {
        lua_pushstring(L, json->valuestring);
    } else if (cJSON_IsArray(json) || cJSON_IsObject(json)) {
        lua_newtable(L);
        lua_Integer i = 0;
        for (const cJSON *item = json->child; item; item = item->next) {
            json_to_lua(L, item);
            if (cJSON_IsObject(json))
                lua_setfield(L, -2, item->string);
            else
                lua_rawseti(L, -2, ++i);
        }
    } else {
        lua_pushlightuserdata(L, NULL);
    }
}
