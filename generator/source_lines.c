#include "source_lines.h"
#include "../runtime/error.h"
#include "lua_tokens.h"

#include <stdlib.h>
#include <string.h>

/* Fields of the returned table have their path; those of a local `name` have "$name" before it. */
struct entry {
    char *path;
    int line;
    char *alias; /* the value is this name alone: "$name", or NULL */
};

struct source_lines {
    struct entry *entries; /* in the order of the text */
    int count;
    int return_line;
};

enum frame_kind { FRAME_TABLE, FRAME_PAREN, FRAME_BLOCK };

/* One open bracket, or a block up to its `end`. */
struct frame {
    enum frame_kind kind;
    char *path;  /* of a table; NULL: not part of the recipe */
    char *value; /* path of the value that is being read, or NULL */
    int items;
    bool item_start;
};

enum { DEEPEST = 200, MOST_ALIASES = 8 };

struct scan {
    struct lua_tokens tokens;
    struct source_lines *lines;
    struct frame frames[DEEPEST];
    int depth; /* index of the innermost frame; frames[0] is the whole text */
};

static char *joined(const char *a, const char *b)
{
    return a && b ? format_text("%s%s", a, b) : NULL;
}

static void record(struct source_lines *lines, const char *path, int line, const char *alias)
{
    lines->entries =
        reallocate(lines->entries, (size_t)(lines->count + 1) * sizeof *lines->entries, "lines of a recipe");
    lines->entries[lines->count++] = (struct entry){joined(path, ""), line, joined(alias ? "$" : NULL, alias)};
}

static struct frame *top(struct scan *s)
{
    return &s->frames[s->depth];
}

static void set_value(struct scan *s, char *path)
{
    free(top(s)->value);
    top(s)->value = path;
}

static void open_frame(struct scan *s, enum frame_kind kind)
{
    const char *value = kind == FRAME_BLOCK ? NULL : top(s)->value;
    CHECK(s->depth + 1 < DEEPEST);
    s->depth++;
    *top(s) = (struct frame){.kind = kind, .path = joined(value, ""), .value = joined(value, ""), .item_start = true};
}

static void close_frame(struct scan *s)
{
    if (s->depth == 0)
        return;
    free(top(s)->path);
    free(top(s)->value);
    s->depth--;
}

/* The name that is all of the value after the `=` just read, or NULL. */
static char *lone_name(struct scan *s)
{
    struct lua_token name = lua_tokens_peek(&s->tokens, 0), after = lua_tokens_peek(&s->tokens, 1);
    if (name.kind != TOKEN_NAME)
        return NULL;
    bool ends =
        after.kind == TOKEN_END || lua_token_is(&after, ",") || lua_token_is(&after, ";") || lua_token_is(&after, "}");
    return ends ? lua_token_text(&name) : NULL;
}

static void record_value(struct scan *s, char *path, int line)
{
    char *alias = lone_name(s);
    if (path)
        record(s->lines, path, line, alias);
    free(alias);
    set_value(s, path);
}

/* At the start of an item of a table: `name =`, `["name"] =`, or a value in the list. */
static void read_item_start(struct scan *s)
{
    struct frame *table = top(s);
    struct lua_token first = lua_tokens_peek(&s->tokens, 0), second = lua_tokens_peek(&s->tokens, 1);
    struct lua_token fourth = lua_tokens_peek(&s->tokens, 3);
    bool named = first.kind == TOKEN_NAME && lua_token_is(&second, "=");
    bool quoted = lua_token_is(&first, "[") && second.kind == TOKEN_STRING && lua_token_is(&fourth, "=");
    char *path = NULL;
    table->item_start = false;
    if (named || quoted) {
        char *name = lua_token_text(named ? &first : &second);
        path = table->path ? format_text("%s%s%s", table->path, *table->path ? "." : "", name) : NULL;
        free(name);
        lua_tokens_skip(&s->tokens, named ? 2 : 4);
    } else {
        table->items++;
        path = table->path ? format_text("%s[%d]", table->path, table->items) : NULL;
    }
    record_value(s, path, first.line);
}

/* A statement outside all tables: `name = `, `name.field =`, or what is returned. */
static void read_statement(struct scan *s, const struct lua_token *token)
{
    if (lua_token_is(token, "return")) {
        s->lines->return_line = token->line;
        record_value(s, joined("", ""), token->line);
        return;
    }
    if (token->kind != TOKEN_NAME)
        return;
    char *name = lua_token_text(token), *path = joined("$", name);
    free(name);
    struct lua_token dot = lua_tokens_peek(&s->tokens, 0), field = lua_tokens_peek(&s->tokens, 1);
    while (lua_token_is(&dot, ".") && field.kind == TOKEN_NAME) {
        name = lua_token_text(&field);
        char *longer = format_text("%s.%s", path, name);
        free(name);
        free(path);
        path = longer;
        lua_tokens_skip(&s->tokens, 2);
        dot = lua_tokens_peek(&s->tokens, 0);
        field = lua_tokens_peek(&s->tokens, 1);
    }
    if (lua_token_is(&dot, "=")) {
        lua_tokens_skip(&s->tokens, 1);
        record_value(s, path, token->line);
    } else {
        free(path);
    }
}

static bool opens_block(const struct lua_token *token)
{
    return lua_token_is(token, "function") || lua_token_is(token, "do") || lua_token_is(token, "if") ||
           lua_token_is(token, "repeat");
}

static void read_token(struct scan *s)
{
    if (top(s)->kind == FRAME_TABLE && top(s)->item_start) {
        struct lua_token first = lua_tokens_peek(&s->tokens, 0);
        if (!lua_token_is(&first, "}"))
            read_item_start(s);
    }
    struct lua_token token = lua_tokens_next(&s->tokens);
    if (lua_token_is(&token, "{"))
        open_frame(s, FRAME_TABLE);
    else if (lua_token_is(&token, "(") || lua_token_is(&token, "["))
        open_frame(s, FRAME_PAREN);
    else if (opens_block(&token))
        open_frame(s, FRAME_BLOCK);
    else if (lua_token_is(&token, "}") || lua_token_is(&token, ")") || lua_token_is(&token, "]") ||
             lua_token_is(&token, "end") || lua_token_is(&token, "until"))
        close_frame(s);
    else if (top(s)->kind == FRAME_TABLE && (lua_token_is(&token, ",") || lua_token_is(&token, ";")))
        top(s)->item_start = true;
    else if (s->depth == 0)
        read_statement(s, &token);
}

struct source_lines *source_lines_read(const char *text)
{
    struct scan *s = allocate(sizeof *s, "a recipe's text");
    s->lines = allocate(sizeof *s->lines, "lines of a recipe");
    s->lines->return_line = 1;
    lua_tokens_open(&s->tokens, text);
    s->frames[0].kind = FRAME_BLOCK;
    while (lua_tokens_peek(&s->tokens, 0).kind != TOKEN_END && s->depth < DEEPEST - 1)
        read_token(s);
    while (s->depth > 0)
        close_frame(s);
    free(s->frames[0].value);
    struct source_lines *lines = s->lines;
    free(s);
    return lines;
}

void source_lines_free(struct source_lines *lines)
{
    if (!lines)
        return;
    for (int i = 0; i < lines->count; i++) {
        free(lines->entries[i].path);
        free(lines->entries[i].alias);
    }
    free(lines->entries);
    free(lines);
}

/* Index of the last entry whose path is the first `length` characters of `path` followed by `rest`, or -1. A later assignment
 * wins over an earlier one. */
static int exact(const struct source_lines *lines, const char *path, size_t length, const char *rest)
{
    for (int i = lines->count - 1; i >= 0; i--) {
        const char *found = lines->entries[i].path;
        if (strncmp(found, path, length) == 0 && strlen(found) >= length && strcmp(found + length, rest) == 0)
            return i;
    }
    return -1;
}

/* Index of the entry of `field`, or of the nearest table around it; -1: none. *whole says which. `aliases` may be followed. */
static int nearest(const struct source_lines *lines, const char *field, int aliases, bool *whole)
{
    for (size_t length = strlen(field);; length--) {
        bool boundary = length == 0 || field[length] == 0 || field[length] == '.' || field[length] == '[';
        int found = boundary ? exact(lines, field, length, "") : -1;
        if (found >= 0) {
            const char *rest = field + length, *alias = lines->entries[found].alias;
            *whole = *rest == 0;
            int aliased = -1;
            if (alias && *rest && aliases > 0) {
                char *path = format_text("%s%s%s", alias, length == 0 && *rest != '[' ? "." : "", rest);
                bool inner;
                aliased = nearest(lines, path, aliases - 1, &inner);
                *whole = aliased >= 0 && inner;
                free(path);
            }
            return aliased >= 0 ? aliased : found;
        }
        if (length == 0)
            return -1;
    }
}

int source_lines_find(const struct source_lines *lines, const char *field)
{
    bool whole;
    int found = lines ? nearest(lines, field, MOST_ALIASES, &whole) : -1;
    return found >= 0 ? lines->entries[found].line : lines ? lines->return_line : 1;
}

int source_lines_order(const struct source_lines *lines, const char *field)
{
    bool whole = false;
    int found = lines ? nearest(lines, field, MOST_ALIASES, &whole) : -1;
    return found >= 0 && whole ? found + 1 : 0;
}
