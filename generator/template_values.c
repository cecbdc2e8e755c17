#include "template_values.h"
#include "lua_json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

/* __index of a plan's table. Upvalues: the table's path, and the names whose value is null. */
static int missing_field(lua_State *L)
{
    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0; /* past the end of a list */
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 0;
    return luaL_error(L, "'%s.%s' is nil", lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, 2));
}

static void push_strict(lua_State *L, const cJSON *json, const char *path);

/* Fills the table at the top of the stack; the names of null members go into the table below it. */
static void set_members(lua_State *L, const cJSON *json, const char *path)
{
    lua_Integer i = 0;
    for (const cJSON *item = json->child; item; item = item->next) {
        i++;
        if (cJSON_IsNull(item) && item->string) {
            lua_pushboolean(L, true);
            lua_setfield(L, -3, item->string);
        } else if (item->string) {
            push_strict(L, item, lua_pushfstring(L, "%s.%s", path, item->string));
            lua_remove(L, -2);
            lua_setfield(L, -2, item->string);
        } else {
            push_strict(L, item, lua_pushfstring(L, "%s[%d]", path, (int)i));
            lua_remove(L, -2);
            lua_rawseti(L, -2, i);
        }
    }
}

static void push_strict(lua_State *L, const cJSON *json, const char *path)
{
    if (!cJSON_IsArray(json) && !cJSON_IsObject(json)) {
        json_to_lua(L, json);
        return;
    }
    luaL_checkstack(L, 8, "the plan is nested too deep");
    lua_newtable(L); /* names of null members */
    lua_newtable(L);
    set_members(L, json, path);
    lua_newtable(L);
    lua_pushstring(L, path);
    lua_pushvalue(L, -4);
    lua_pushcclosure(L, missing_field, 2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* ---- functions ---- */

static void add_escaped(luaL_Buffer *buffer, const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)s[i];
        char octal[8];
        if (c == '\n') {
            luaL_addstring(buffer, "\\n");
        } else if (c == '\t') {
            luaL_addstring(buffer, "\\t");
        } else if (c < ' ' || c == 127) {
            snprintf(octal, sizeof octal, "\\%03o", c);
            luaL_addstring(buffer, octal);
        } else {
            if (c == '"' || c == '\\' || (c == '?' && i > 0 && s[i - 1] == '?')) /* ??= would be a trigraph */
                luaL_addchar(buffer, '\\');
            luaL_addchar(buffer, (char)c);
        }
    }
}

static int c_string(lua_State *L)
{
    size_t length;
    luaL_checktype(L, 1, LUA_TSTRING);
    const char *s = lua_tolstring(L, 1, &length);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    luaL_addchar(&buffer, '"');
    add_escaped(&buffer, s, length);
    luaL_addchar(&buffer, '"');
    luaL_pushresult(&buffer);
    return 1;
}

/* Where the literal that begins at s[0] best ends, so that lines stay short: behind newlines, or behind a space. */
static size_t literal_length(const char *s, size_t length)
{
    enum { USUAL = 72 };
    size_t best = 0, i = 0;
    for (; i < length && (i < USUAL || best == 0); i++) {
        if (s[i] == '\n' && (i + 1 == length || s[i + 1] != '\n'))
            return i + 1;
        if (s[i] == ' ')
            best = i + 1;
    }
    return i == length ? length : best;
}

static int c_text(lua_State *L)
{
    enum { SHORT = 80 };
    size_t length;
    luaL_checktype(L, 1, LUA_TSTRING);
    const char *s = lua_tolstring(L, 1, &length);
    lua_Integer column = luaL_checkinteger(L, 2);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (size_t at = 0, piece; at == 0 || at < length; at += piece) {
        piece = length <= SHORT ? length : literal_length(s + at, length - at);
        for (lua_Integer i = -1; at > 0 && i < column; i++)
            luaL_addchar(&buffer, i < 0 ? '\n' : ' ');
        luaL_addchar(&buffer, '"');
        add_escaped(&buffer, s + at, piece);
        luaL_addchar(&buffer, '"');
        if (piece == 0)
            break;
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* The shortest decimal that reads back the same, with a point or an exponent so that C takes it for a floating constant. */
static void shortest(char *text, size_t size, double x, int digits, bool single)
{
    for (int precision = 1; precision <= digits; precision++) {
        snprintf(text, size, "%.*g", precision, x);
        if (single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x)
            break;
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
}

static double checked_number(lua_State *L)
{
    double x = luaL_checknumber(L, 1);
    if (!isfinite(x))
        luaL_error(L, "a number that is not finite has no constant in C");
    return x;
}

static int c_float(lua_State *L)
{
    char text[48];
    double x = checked_number(L);
    if (!isfinite((float)x))
        return luaL_error(L, "%f is too large for a float", x);
    shortest(text, sizeof text, (double)(float)x, 9, true);
    lua_pushfstring(L, "%sf", text);
    return 1;
}

static int c_double(lua_State *L)
{
    char text[48];
    shortest(text, sizeof text, checked_number(L), 17, false);
    lua_pushstring(L, text);
    return 1;
}

static int comma(lua_State *L)
{
    struct text text = {0};
    lua_Integer number = luaL_checkinteger(L, 1);
    text_add_number(&text, number);
    lua_pushstring(L, text.bytes);
    free(text.bytes);
    return 1;
}

enum { LINE_WIDTH = 120 };

/* The end of the argument that begins at `at`: behind its comma, or behind the text's last character. */
static const char *argument_end(const char *at)
{
    int depth = 0;
    for (; *at; at++) {
        depth += *at == '(' || *at == '[' || *at == '{';
        depth -= *at == ')' || *at == ']' || *at == '}';
        if (*at == ',' && depth == 0)
            return at + 1;
    }
    return at;
}

/* A call or declaration on one line, broken behind commas so that it keeps to LINE_WIDTH, aligned behind its parenthesis. */
static int wrap(lua_State *L)
{
    const char *whole = luaL_checkstring(L, 1), *open = strchr(whole, '(');
    luaL_Buffer buffer;
    if (!open || strlen(whole) <= LINE_WIDTH) {
        lua_pushvalue(L, 1);
        return 1;
    }
    luaL_buffinit(L, &buffer);
    size_t margin = (size_t)(open + 1 - whole), column = margin;
    luaL_addlstring(&buffer, whole, margin);
    for (const char *at = open + 1; *at;) {
        const char *end = argument_end(at);
        size_t length = (size_t)(end - at);
        if (column > margin && column + 1 + length > LINE_WIDTH) {
            luaL_addchar(&buffer, '\n');
            for (column = 0; column < margin; column++)
                luaL_addchar(&buffer, ' ');
        } else if (column > margin) {
            luaL_addchar(&buffer, ' ');
            column++;
        }
        luaL_addlstring(&buffer, at, length);
        column += length;
        at = end + strspn(end, " ");
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* ---- what C types of numbers mean to kernels ---- */

/* How an element is read as a float and a float stored as one; what product.h makes an operand or a result of an array of them. */
static const struct number_type {
    const char *name, *load, *store, *operand, *result;
    int bytes;
} number_types[] = {
    {"float", "%s", "%s", "floats", "to_floats", 4},
    {"bfloat16_t", "bfloat16_to_float(%s)", "float_to_bfloat16(%s)", "stored", "to_bfloat16s", 2},
};

static const struct number_type *checked_type(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    for (size_t i = 0; i < sizeof number_types / sizeof *number_types; i++)
        if (!strcmp(number_types[i].name, name))
            return &number_types[i];
    luaL_error(L, "'%s' is no type of numbers; known: float, bfloat16_t", name);
    return NULL;
}

static int load_as(lua_State *L)
{
    lua_pushfstring(L, checked_type(L)->load, luaL_checkstring(L, 2));
    return 1;
}

static int store_as(lua_State *L)
{
    lua_pushfstring(L, checked_type(L)->store, luaL_checkstring(L, 2));
    return 1;
}

static int operand_of(lua_State *L)
{
    lua_pushstring(L, checked_type(L)->operand);
    return 1;
}

static int result_of(lua_State *L)
{
    lua_pushstring(L, checked_type(L)->result);
    return 1;
}

static int bytes_of(lua_State *L)
{
    lua_pushinteger(L, checked_type(L)->bytes);
    return 1;
}

/* ---- globals ---- */

static int missing_global(lua_State *L)
{
    return luaL_error(L, "'%s' is nil", luaL_tolstring(L, 2, NULL));
}

static int new_global(lua_State *L)
{
    return luaL_error(L, "'%s' is not declared; write local %s", luaL_tolstring(L, 2, NULL),
                      luaL_tolstring(L, 2, NULL));
}

void template_push_globals(lua_State *L, const cJSON *globals)
{
    static const luaL_Reg functions[] = {{"c_string", c_string},   {"c_text", c_text},     {"c_float", c_float},
                                         {"c_double", c_double},   {"comma", comma},       {"wrap", wrap},
                                         {"load_as", load_as},     {"store_as", store_as}, {"operand_of", operand_of},
                                         {"result_of", result_of}, {"bytes_of", bytes_of}, {NULL, NULL}};
    static const char *const kept[] = {"assert",   "error", "ipairs", "pairs", "select", "tonumber",
                                       "tostring", "type",  "string", "table", "math",   "utf8"};
    luaL_newlib(L, functions);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        lua_getglobal(L, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    for (const cJSON *item = globals ? globals->child : NULL; item; item = item->next) {
        push_strict(L, item, item->string);
        lua_setfield(L, -2, item->string);
    }
    lua_newtable(L);
    lua_pushcfunction(L, missing_global);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, new_global);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

void template_add_value(lua_State *L, int index, const char *expression, struct text *out)
{
    char number[48];
    if (lua_isnil(L, index) || lua_islightuserdata(L, index))
        luaL_error(L, "'%s' is nil", expression);
    else if (lua_type(L, index) == LUA_TSTRING)
        text_add_bytes(out, lua_tostring(L, index), lua_rawlen(L, index));
    else if (lua_isinteger(L, index))
        text_add(out, "%lld", (long long)lua_tointeger(L, index));
    else if (lua_isboolean(L, index))
        text_add(out, "%s", lua_toboolean(L, index) ? "true" : "false");
    else if (lua_type(L, index) != LUA_TNUMBER)
        luaL_error(L, "'%s' is a %s, which has no text", expression, luaL_typename(L, index));
    else if (!isfinite(lua_tonumber(L, index)))
        luaL_error(L, "'%s' is not a finite number", expression);
    else {
        shortest(number, sizeof number, lua_tonumber(L, index), 17, false);
        text_add(out, "%s", number);
    }
}
