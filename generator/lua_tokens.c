#include "lua_tokens.h"
#include "../runtime/error.h"

#include <ctype.h>
#include <string.h>

void lua_tokens_open(struct lua_tokens *tokens, const char *text)
{
    *tokens = (struct lua_tokens){text, 1};
}

static void advance(struct lua_tokens *t, const char *to)
{
    for (; t->next < to && *t->next; t->next++)
        t->line += *t->next == '\n';
}

/* At a '[': the number of '=' of a long bracket that opens here, or -1. */
static int long_bracket(const char *text)
{
    int level = (int)strspn(text + 1, "=");
    return text[1 + level] == '[' ? level : -1;
}

/* The closing bracket of that level at or after `text`, or the text's end. */
static const char *long_bracket_end(const char *text, int level)
{
    for (; *text; text++) {
        if (*text == ']' && (int)strspn(text + 1, "=") == level && text[1 + level] == ']')
            return text;
    }
    return text;
}

static void skip_blanks_and_comments(struct lua_tokens *t)
{
    for (;;) {
        advance(t, t->next + strspn(t->next, " \t\r\n\f\v"));
        if (strncmp(t->next, "--", 2) != 0)
            return;
        const char *text = t->next + 2;
        int level = *text == '[' ? long_bracket(text) : -1;
        if (level < 0)
            advance(t, text + strcspn(text, "\n"));
        else
            advance(t, long_bracket_end(text + level + 2, level) + level + 2);
    }
}

static struct lua_token quoted(struct lua_tokens *t)
{
    struct lua_token token = {TOKEN_STRING, t->next + 1, 0, t->line};
    const char *end = t->next + 1;
    while (*end && *end != *t->next)
        end += *end == '\\' && end[1] ? 2 : 1;
    token.length = (size_t)(end - token.start);
    advance(t, end + (*end != 0));
    return token;
}

static struct lua_token long_string(struct lua_tokens *t, int level)
{
    struct lua_token token = {TOKEN_STRING, t->next + level + 2, 0, t->line};
    const char *end = long_bracket_end(token.start, level);
    token.length = (size_t)(end - token.start);
    advance(t, *end ? end + level + 2 : end);
    return token;
}

static struct lua_token run(struct lua_tokens *t, enum token_kind kind, size_t length)
{
    struct lua_token token = {kind, t->next, length, t->line};
    t->next += length;
    return token;
}

static size_t word_length(const char *text, const char *also)
{
    size_t length = 0;
    while (text[length] && (isalnum((unsigned char)text[length]) || strchr(also, text[length])))
        length++;
    return length;
}

struct lua_token lua_tokens_next(struct lua_tokens *t)
{
    static const char *const wide[] = {"...", "..", "==", "~=", "<=", ">=", "::", "//", "<<", ">>"};
    skip_blanks_and_comments(t);
    const char *c = t->next;
    if (*c == 0)
        return run(t, TOKEN_END, 0);
    if (*c == '"' || *c == '\'')
        return quoted(t);
    if (*c == '[' && long_bracket(c) >= 0)
        return long_string(t, long_bracket(c));
    if (isalpha((unsigned char)*c) || *c == '_')
        return run(t, TOKEN_NAME, word_length(c, "_"));
    if (isdigit((unsigned char)*c))
        return run(t, TOKEN_SYMBOL, word_length(c, "."));
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        if (strncmp(c, wide[i], strlen(wide[i])) == 0)
            return run(t, TOKEN_SYMBOL, strlen(wide[i]));
    }
    return run(t, TOKEN_SYMBOL, 1);
}

void lua_tokens_skip(struct lua_tokens *tokens, int count)
{
    while (count-- > 0)
        lua_tokens_next(tokens);
}

struct lua_token lua_tokens_peek(const struct lua_tokens *tokens, int ahead)
{
    struct lua_tokens copy = *tokens;
    lua_tokens_skip(&copy, ahead);
    return lua_tokens_next(&copy);
}

bool lua_token_is(const struct lua_token *token, const char *text)
{
    return (token->kind == TOKEN_NAME || token->kind == TOKEN_SYMBOL) && token->length == strlen(text) &&
           memcmp(token->start, text, token->length) == 0;
}

char *lua_token_text(const struct lua_token *token)
{
    return format_text("%.*s", (int)token->length, token->start);
}
