/* A Lua state for text that we did not write: recipes and templates. It has the language, string, table, math and utf8, but no
 * files, no programs, no clock, no chance, nothing that catches errors and no metatables, so that neither an endless loop nor a
 * greedy one can get away. What a chunk computes depends on nothing but its text: pairs visits keys in sorted order, and tables and
 * functions have no text that would tell their address.
 *
 * Instructions are counted, but one call of string.find or table.move may take for ever: a chunk that has taken SANDBOX_SECONDS of
 * processor time ends the process with a message on stderr and exit code 1.
 */
#ifndef LORAC_SANDBOX_H
#define LORAC_SANDBOX_H

#include "messages.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>

enum { SANDBOX_SECONDS = 5 };

struct sandbox_watch; /* sandbox_watch.h */

struct sandbox {
    lua_State *L;
    size_t used, memory_limit; /* bytes */
    int instruction_limit;
    struct string_list chunks; /* names of the loaded texts, for messages */
    int full_chunk, full_line; /* where memory ran out: index into chunks (-1: unknown) and line */
    struct sandbox_watch *watch;
};

/* Opens a state that may hold memory_limit bytes and run instruction_limit instructions altogether. `what` says in messages what
 * the text is and has: "a recipe has ...", for a name that does not exist. */
void sandbox_open(struct sandbox *sandbox, size_t memory_limit, int instruction_limit, const char *what);
void sandbox_close(struct sandbox *sandbox);

/* Compiles `text` and pushes it as a function; `name` stands in messages for its file. On failure *message is the error, with
 * its name:line: (free() it). */
bool sandbox_load(struct sandbox *sandbox, const char *text, size_t length, const char *name, char **message);

/* Calls the function below its arguments, as lua_pcall does. On failure *message is the error (free() it), and the stack is as
 * if neither had been there. */
bool sandbox_call(struct sandbox *sandbox, int arguments, int results, char **message);

/* From within a function called by a chunk: the sandbox that runs it. */
struct sandbox *sandbox_of(lua_State *L);

/* Lua's own text of an error at the top of the stack, popped, with chunk names put in (free() it). */
char *sandbox_message(struct sandbox *sandbox);

#endif
