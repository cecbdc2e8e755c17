#include "recipe_modules.h"
#include "../runtime/error.h"
#include "lua_json.h"
#include "text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Raises the text as an error of the recipe's line that called us, and frees it. */
static int raise_text(lua_State *L, char *text)
{
    luaL_where(L, 1);
    lua_pushstring(L, text);
    free(text);
    lua_concat(L, 2);
    return lua_error(L);
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static int hf_config(lua_State *L)
{
    const struct recipe_places *places = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1), *end = NULL;
    char *path = path_from(places->directory, name);
    size_t length;
    char *text = text_file_read(path, &length);
    if (!text) {
        char *message = format_text("hf_config: cannot read '%s': %s", path, strerror(errno));
        free(path);
        return raise_text(L, message);
    }
    cJSON *json = cJSON_ParseWithOpts(text, &end, true);
    int line = json ? 0 : line_of(text, end);
    free(text);
    if (!cJSON_IsObject(json)) {
        char *message = json ? format_text("hf_config: '%s' must hold a JSON object", path)
                             : format_text("hf_config: '%s' is broken JSON at its line %d", path, line);
        cJSON_Delete(json);
        free(path);
        return raise_text(L, message);
    }
    json_to_lua(L, json);
    cJSON_Delete(json);
    lua_pushstring(L, path);
    lua_setfield(L, -2, "#file");
    free(path);
    return 1;
}

static bool well_formed(const char *name)
{
    static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return *name && *name != '.' && name[strlen(name) - 1] != '.' && !strstr(name, "..") &&
           !name[strspn(name, allowed)];
}

/* "a.b.c" -> "a/b/c.lua", or with only the first dot turned. */
static char *module_file(const char *name, bool all_dots)
{
    char *file = format_text("%s.lua", name);
    size_t end = strlen(name);
    for (size_t i = 0; i < end; i++) {
        if (file[i] != '.')
            continue;
        file[i] = '/';
        if (!all_dots)
            break;
    }
    return file;
}

/* Reads the module's text; *shown is its name for messages, and both are to be freed. */
static char *find_module(const struct recipe_places *places, const char *name, size_t *length, char **shown)
{
    for (int all_dots = 1; all_dots >= 0; all_dots--) {
        char *file = module_file(name, all_dots != 0);
        const char *const directories[] = {places->directory, places->library};
        for (int i = 0; i < 2; i++) {
            char *path = path_from(directories[i], file);
            char *text = text_file_read(path, length);
            if (text) {
                *shown = i == 0 ? path : format_text("recipes/%s", file);
                if (i == 1)
                    free(path);
                free(file);
                return text;
            }
            free(path);
        }
        free(file);
    }
    return NULL;
}

/* Loads and runs a module found on the stack's place 1; its value is left on the stack. */
static void run_module(lua_State *L, const struct recipe_places *places, const char *name)
{
    size_t length;
    char *shown = NULL, *message = NULL;
    char *text = find_module(places, name, &length, &shown);
    if (!text) {
        char *file = module_file(name, true);
        message = format_text("require: there is no module '%s': no %s beside the recipe and none in lorac's recipes/",
                              name, file);
        free(file);
        raise_text(L, message);
        return;
    }
    bool loaded = sandbox_load(sandbox_of(L), text, length, shown, &message);
    free(text);
    free(shown);
    if (!loaded) {
        lua_pushstring(L, message);
        free(message);
        lua_error(L);
    }
    lua_call(L, 0, 1);
}

static int require(lua_State *L)
{
    const struct recipe_places *places = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    if (!well_formed(name))
        return luaL_error(L, "require: '%s' is no module's name, such as \"chat.chatml\"", name);
    int kind = lua_getfield(L, lua_upvalueindex(2), name);
    if (kind == LUA_TBOOLEAN)
        return luaL_error(L, "require: module '%s' requires itself", name);
    if (kind != LUA_TNIL)
        return 1;
    lua_pushboolean(L, true);
    lua_setfield(L, lua_upvalueindex(2), name);
    run_module(L, places, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, lua_upvalueindex(2), name);
    return 1;
}

void recipe_modules_open(struct sandbox *sandbox, const struct recipe_places *places)
{
    lua_State *L = sandbox->L;
    void *context = (void *)places;
    lua_pushlightuserdata(L, context);
    lua_pushcclosure(L, hf_config, 1);
    lua_setglobal(L, "hf_config");
    lua_pushlightuserdata(L, context);
    lua_newtable(L);
    lua_pushcclosure(L, require, 2);
    lua_setglobal(L, "require");
}
