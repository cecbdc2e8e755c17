/* Lua's lexical elements, as far as reading table constructors needs them: comments are skipped, numbers and operators are
 * symbols.
 */
#ifndef LORAC_LUA_TOKENS_H
#define LORAC_LUA_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_SYMBOL };

struct lua_token {
    enum token_kind kind;
    const char *start; /* into the text; of a string what stands between its quotes, escapes as written */
    size_t length;
    int line;
};

/* A position in a text, which must outlive it; freely copied. */
struct lua_tokens {
    const char *next;
    int line;
};

void lua_tokens_open(struct lua_tokens *tokens, const char *text);
struct lua_token lua_tokens_next(struct lua_tokens *tokens);
void lua_tokens_skip(struct lua_tokens *tokens, int count);

/* The token `ahead` places further (0: what lua_tokens_next gives), without reading it. */
struct lua_token lua_tokens_peek(const struct lua_tokens *tokens, int ahead);

/* Whether it is this symbol or keyword. */
bool lua_token_is(const struct lua_token *token, const char *text);

/* Its text (free() it). */
char *lua_token_text(const struct lua_token *token);

#endif
