#include "sandbox.h"
#include "../runtime/error.h"
#include "sandbox_watch.h"

#include <stdlib.h>
#include <string.h>

/* Lua shortens chunk names in messages to 60 characters, so ours are CHUNK_MARK and a number, replaced in sandbox_message. */
enum { CHUNK_MARK = 1, HOOK_STEP = 1000 };

/* Where the innermost Lua function stands. Only reads the state, so it may be called while an allocation fails. */
static void note_place(struct sandbox *sandbox)
{
    lua_Debug ar;
    for (int level = 0; sandbox->L && lua_getstack(sandbox->L, level, &ar); level++) {
        lua_getinfo(sandbox->L, "Sl", &ar);
        if (ar.currentline > 0 && ar.short_src[0] == CHUNK_MARK) {
            sandbox->full_chunk = atoi(ar.short_src + 1);
            sandbox->full_line = ar.currentline;
            return;
        }
    }
}

static void *limited_allocate(void *context, void *old, size_t old_size, size_t size)
{
    struct sandbox *sandbox = context;
    size_t before = old ? old_size : 0;
    if (size > before && sandbox->used + (size - before) > sandbox->memory_limit) {
        note_place(sandbox);
        return NULL;
    }
    if (size == 0) {
        free(old);
        sandbox->used -= before;
        return NULL;
    }
    void *memory = realloc(old, size);
    if (memory)
        sandbox->used += size - before;
    return memory;
}

static void count_instructions(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct sandbox *sandbox = sandbox_of(L);
    sandbox->instruction_limit -= HOOK_STEP;
    if (sandbox->instruction_limit > 0)
        return;
    luaL_where(L, 0);
    lua_pushstring(L, "still running after all the instructions that it may take: does it loop forever?");
    lua_concat(L, 2);
    lua_error(L);
}

static bool has_address(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD;
}

/* Numbers before strings, each in ascending order; keys of other types stay as they are. */
static int key_before(lua_State *L)
{
    int a = lua_type(L, 1), b = lua_type(L, 2);
    bool before = a == b && (a == LUA_TNUMBER || a == LUA_TSTRING) ? lua_compare(L, 1, 2, LUA_OPLT) : a < b;
    lua_pushboolean(L, before);
    return 1;
}

static int next_sorted(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)) + 1;
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    if (lua_rawgeti(L, lua_upvalueindex(2), i) == LUA_TNIL)
        return 1;
    lua_pushvalue(L, -1);
    lua_rawget(L, lua_upvalueindex(1));
    return 2;
}

/* pairs(t), in the order of the keys: Lua's own order differs from run to run. Upvalue: table.sort. */
static int sorted_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_pushnil(L);
    for (lua_Integer i = 1; lua_next(L, 1); i++) {
        lua_pop(L, 1);
        if (has_address(L, -1))
            return luaL_error(L, "pairs: a key is a %s, and such keys have no order", luaL_typename(L, -1));
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, i);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 2);
    lua_pushcfunction(L, key_before);
    lua_call(L, 2, 0);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_sorted, 3);
    return 1;
}

/* The library's function, upvalue 1, in this very call, so that its errors name what the chunk called; its place is told should it
 * never return. */
static int watched(lua_State *L)
{
    struct sandbox *sandbox = sandbox_of(L);
    note_place(sandbox);
    if (sandbox->full_chunk >= 0)
        sandbox_watch_place(sandbox->watch, sandbox->chunks.items[sandbox->full_chunk], sandbox->full_line);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void watch_functions(lua_State *L, const char *table, const char *const *names)
{
    lua_getglobal(L, table);
    for (; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_pushcclosure(L, watched, 1);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

/* tostring, but what has an address, another at each run, is its type's name alone. */
static int text_of(lua_State *L)
{
    luaL_checkany(L, 1);
    if (has_address(L, 1))
        lua_pushstring(L, luaL_typename(L, 1));
    else
        luaL_tolstring(L, 1, NULL);
    return 1;
}

/* string.format (upvalue 1) without addresses. */
static int format(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    for (const char *at = strchr(text, '%'); at; at = strchr(at + 1, '%')) {
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == 'p')
            return luaL_error(L, "format: '%%p' would tell an address, which differs from run to run");
        if (*at == 0)
            break;
    }
    for (int i = 2; i <= lua_gettop(L); i++)
        if (has_address(L, i)) {
            lua_pushstring(L, luaL_typename(L, i));
            lua_replace(L, i);
        }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int unknown_global(lua_State *L)
{
    const char *name = has_address(L, 2) ? luaL_typename(L, 2) : luaL_tolstring(L, 2, NULL);
    return luaL_error(L, "'%s' is unknown: %s", name, lua_tostring(L, lua_upvalueindex(1)));
}

static void remove_names(lua_State *L, const char *table, const char *const *names)
{
    lua_getglobal(L, table);
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    static const char *const unsafe[] = {"collectgarbage", "dofile", "getmetatable", "load",   "loadfile", "next",
                                         "pcall",          "print",  "rawequal",     "rawget", "rawlen",   "rawset",
                                         "setmetatable",   "warn",   "xpcall",       NULL};
    static const char *const chance[] = {"random", "randomseed", NULL};
    static const char *const dump[] = {"dump", NULL};
    static const char *const slow_strings[] = {"find", "match", "gmatch", "gsub", "rep", NULL};
    static const char *const slow_tables[] = {"concat", "insert", "move", "remove", "sort", "unpack", NULL};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    remove_names(L, LUA_GNAME, unsafe);
    remove_names(L, LUA_MATHLIBNAME, chance);
    remove_names(L, LUA_STRLIBNAME, dump);
    lua_getglobal(L, LUA_TABLIBNAME);
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, sorted_pairs, 1);
    lua_setglobal(L, "pairs");
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, format, 1);
    lua_setfield(L, -2, "format");
    lua_pop(L, 2);
    lua_pushcfunction(L, text_of);
    lua_setglobal(L, "tostring");
    watch_functions(L, LUA_STRLIBNAME, slow_strings);
    watch_functions(L, LUA_TABLIBNAME, slow_tables);
}

void sandbox_open(struct sandbox *sandbox, size_t memory_limit, int instruction_limit, const char *what)
{
    *sandbox = (struct sandbox){.memory_limit = memory_limit, .instruction_limit = instruction_limit, .full_chunk = -1};
    lua_State *L = lua_newstate(limited_allocate, sandbox);
    CHECK(L);
    sandbox->L = L;
    sandbox->watch = sandbox_watch_open(SANDBOX_SECONDS);
    open_libraries(L);
    lua_pushglobaltable(L);
    lua_newtable(L);
    lua_pushstring(L, what);
    lua_pushcclosure(L, unknown_global, 1);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_sethook(L, count_instructions, LUA_MASKCOUNT, HOOK_STEP);
}

void sandbox_close(struct sandbox *sandbox)
{
    lua_State *L = sandbox->L;
    sandbox->L = NULL;
    if (L)
        lua_close(L);
    sandbox_watch_close(sandbox->watch);
    sandbox->watch = NULL;
    string_list_free(&sandbox->chunks);
}

struct sandbox *sandbox_of(lua_State *L)
{
    void *context;
    lua_getallocf(L, &context);
    return context;
}

bool sandbox_load(struct sandbox *sandbox, const char *text, size_t length, const char *name, char **message)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf"; /* editors on Windows add it */
    char mark[32];
    if (length >= 3 && !memcmp(text, byte_order_mark, 3)) {
        text += 3;
        length -= 3;
    }
    if (length && *text == LUA_SIGNATURE[0]) {
        *message = format_text("%s: Lua's text is expected, found compiled Lua", name);
        return false;
    }
    snprintf(mark, sizeof mark, "=%c%d", CHUNK_MARK, sandbox->chunks.count);
    string_list_add(&sandbox->chunks, name);
    if (luaL_loadbufferx(sandbox->L, text, length, mark, "t") == LUA_OK)
        return true;
    *message = sandbox_message(sandbox);
    return false;
}

/* Gives an error that was raised without a place, such as error(text, 0) in a module, the line of the first chunk that led to it:
 * that is the text which the user wrote. */
static int place_error(lua_State *L)
{
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "error() was called without a text";
    lua_Debug ar;
    if (*text == CHUNK_MARK)
        return 1;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && ar.short_src[0] == CHUNK_MARK && strcmp(ar.short_src + 1, "0") == 0) {
            lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, text);
            return 1;
        }
    }
    lua_pushstring(L, text);
    return 1;
}

bool sandbox_call(struct sandbox *sandbox, int arguments, int results, char **message)
{
    int handler = lua_gettop(sandbox->L) - arguments;
    lua_pushcfunction(sandbox->L, place_error);
    lua_insert(sandbox->L, handler);
    int status = lua_pcall(sandbox->L, arguments, results, handler);
    lua_remove(sandbox->L, handler);
    if (status == LUA_OK)
        return true;
    if (status != LUA_ERRMEM) {
        *message = sandbox_message(sandbox);
        return false;
    }
    lua_pop(sandbox->L, 1);
    const char *name = sandbox->full_chunk >= 0 ? sandbox->chunks.items[sandbox->full_chunk] : "lorac";
    *message = format_text("%s:%d: needs more than the %zu MiB of memory that it may take", name, sandbox->full_line,
                           sandbox->memory_limit >> 20);
    return false;
}

/* Copies `text` to `out` with the marks replaced (out NULL: only counts); the length without the final 0. */
static size_t expand(const struct sandbox *sandbox, const char *text, char *out)
{
    size_t length = 0;
    while (*text) {
        char *end;
        long chunk = *text == CHUNK_MARK ? strtol(text + 1, &end, 10) : -1;
        if (chunk < 0 || chunk >= sandbox->chunks.count) {
            if (out)
                out[length] = *text;
            length++;
            text++;
            continue;
        }
        const char *name = sandbox->chunks.items[chunk];
        if (out)
            memcpy(out + length, name, strlen(name));
        length += strlen(name);
        text = end;
    }
    if (out)
        out[length] = 0;
    return length;
}

char *sandbox_message(struct sandbox *sandbox)
{
    lua_State *L = sandbox->L;
    const char *text = lua_tostring(L, -1);
    CHECK(text);
    char *message = allocate(expand(sandbox, text, NULL) + 1, "a message");
    expand(sandbox, text, message);
    lua_pop(L, 1);
    return message;
}
