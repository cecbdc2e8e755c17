#include "template.h"
#include "sandbox.h"
#include "template_values.h"
#include "text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 256 << 20, INSTRUCTIONS = 200 * 1000 * 1000 };

/* ---- from a template to a Lua chunk ---- */

/* The ')' that closes an expression beginning at `at`, or NULL; brackets in its strings do not count. */
static const char *expression_end(const char *at, const char *line_end)
{
    int depth = 1;
    for (char quote = 0; at < line_end; at++) {
        if (quote) {
            if (*at == '\\' && at + 1 < line_end)
                at++;
            else if (*at == quote)
                quote = 0;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '(') {
            depth++;
        } else if (*at == ')' && --depth == 0) {
            return at;
        }
    }
    return NULL;
}

/* As a Lua string that stays on its line. */
static void add_quoted(struct text *chunk, const char *s, size_t length)
{
    text_add(chunk, "\"");
    for (size_t i = 0; i < length; i++) {
        if (s[i] == '"' || s[i] == '\\')
            text_add(chunk, "\\%c", s[i]);
        else if ((unsigned char)s[i] < ' ')
            text_add(chunk, "\\%03d", s[i]);
        else
            text_add_bytes(chunk, s + i, 1);
    }
    text_add(chunk, "\"");
}

static void add_literal(struct text *chunk, const char *s, size_t length)
{
    if (length == 0)
        return;
    text_add(chunk, "_text(");
    add_quoted(chunk, s, length);
    text_add(chunk, ");");
}

static void add_expression(struct text *chunk, const char *s, size_t length)
{
    text_add(chunk, "_value((");
    text_add_bytes(chunk, s, length);
    text_add(chunk, "),");
    add_quoted(chunk, s, length);
    text_add(chunk, ");");
}

/* One line of text, whose newline (if it has one) lies before `next`. */
static bool compile_text(struct text *chunk, const char *line, const char *line_end, const char *next)
{
    const char *from = line;
    for (const char *at = line; at < line_end; at++) {
        if (at[0] != '$' || at + 1 >= line_end ||
            (at[1] != '(' && !(at[1] == '$' && at + 2 < line_end && at[2] == '(')))
            continue;
        add_literal(chunk, from, (size_t)(at - from));
        if (at[1] == '$') {
            from = ++at; /* $$( is written as $( */
            continue;
        }
        const char *end = expression_end(at + 2, line_end);
        if (!end)
            return false;
        add_expression(chunk, at + 2, (size_t)(end - at - 2));
        at = end;
        from = end + 1;
    }
    add_literal(chunk, from, (size_t)(next - from));
    return true;
}

/* The Lua behind a line's //@, or NULL. */
static const char *lua_line(const char *line, const char *line_end)
{
    while (line < line_end && (*line == ' ' || *line == '\t'))
        line++;
    return line_end - line >= 3 && memcmp(line, "//@", 3) == 0 ? line + 3 : NULL;
}

/* Returns 0, or the number of the line that has an expression without its end. */
static int compile(struct text *chunk, const char *source, size_t length)
{
    const char *end = source + length;
    int number = 1;
    for (const char *line = source, *next; line < end; line = next, number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line)), *line_end = newline ? newline : end;
        next = newline ? newline + 1 : end;
        const char *lua = lua_line(line, line_end);
        if (lua)
            text_add_bytes(chunk, lua, (size_t)(line_end - lua));
        else if (!compile_text(chunk, line, line_end, next))
            return number;
        text_add(chunk, "\n");
    }
    return 0;
}

/* ---- running it ---- */

/* What a protected call has to do. */
struct rendering {
    const cJSON *globals;
    struct text *out;
};

static int emit_text(lua_State *L)
{
    struct rendering *rendering = lua_touserdata(L, lua_upvalueindex(1));
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    text_add_bytes(rendering->out, text, length);
    return 0;
}

static int emit_value(lua_State *L)
{
    struct rendering *rendering = lua_touserdata(L, lua_upvalueindex(1));
    template_add_value(L, 1, lua_tostring(L, 2), rendering->out);
    return 0;
}

static void set_function(lua_State *L, const char *name, lua_CFunction function, void *context)
{
    lua_pushstring(L, name);
    lua_pushlightuserdata(L, context);
    lua_pushcclosure(L, function, 1);
    lua_rawset(L, -3);
}

/* Runs the compiled chunk (argument 1) for the rendering (argument 2). */
static int render(lua_State *L)
{
    struct rendering *rendering = lua_touserdata(L, 2);
    template_push_globals(L, rendering->globals);
    set_function(L, "_text", emit_text, rendering);
    set_function(L, "_value", emit_value, rendering);
    lua_setupvalue(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 0);
    return 0;
}

static bool run(struct sandbox *sandbox, const struct text *chunk, const char *name, struct rendering *rendering,
                char **message)
{
    lua_pushcfunction(sandbox->L, render);
    if (!sandbox_load(sandbox, chunk->bytes ? chunk->bytes : "", chunk->length, name, message))
        return false;
    lua_pushlightuserdata(sandbox->L, rendering);
    return sandbox_call(sandbox, 2, 0, message);
}

bool template_render_text(const char *source, size_t length, const char *name, const cJSON *globals, char **text,
                          struct messages *messages)
{
    struct text chunk = {0}, out = {0};
    struct sandbox sandbox;
    struct rendering rendering = {globals, &out};
    char *message = NULL;
    *text = NULL;
    int open_line = compile(&chunk, source, length);
    if (open_line) {
        message_add(messages, "%s:%d: '$(' without its ')' on the same line", name, open_line);
        free(chunk.bytes);
        return false;
    }
    sandbox_open(&sandbox, MEMORY, INSTRUCTIONS, "a template has the plan, string, table, math and utf8");
    bool rendered = run(&sandbox, &chunk, name, &rendering, &message);
    sandbox_close(&sandbox);
    free(chunk.bytes);
    if (!rendered) {
        message_add(messages, "%s", message);
        free(message);
        free(out.bytes);
        return false;
    }
    *text = text_take(&out);
    return true;
}

/* From its folder "templates" on, wherever that lies. */
static const char *shown_name(const char *path)
{
    const char *name = path;
    for (const char *at = strstr(path, "/templates/"); at; at = strstr(at + 1, "/templates/"))
        name = at + 1;
    return name;
}

bool template_render(const char *template_path, const cJSON *plan, char **text, struct messages *messages)
{
    size_t length;
    char *source = text_file_read(template_path, &length);
    *text = NULL;
    if (!source) {
        message_add(messages, "%s: cannot read the template: %s", shown_name(template_path), strerror(errno));
        return false;
    }
    cJSON *globals = cJSON_CreateObject();
    cJSON_AddItemReferenceToObject(globals, "plan", (cJSON *)(size_t)plan);
    bool rendered = template_render_text(source, length, shown_name(template_path), globals, text, messages);
    cJSON_Delete(globals);
    free(source);
    return rendered;
}
