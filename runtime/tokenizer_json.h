/* A cursor over JSON text, for what is too large or too delicate for a tree of nodes: a vocabulary of 10 MB, strings that hold
 * NULs, offsets of mistakes.
 *
 * Every function leaves the cursor behind what it read. A mistake fills *err with the name given to json_cursor_begin and the
 * offset (in bytes; for data of one line a record the caller gives "file:line" as the name). Strings come out as UTF-8; a lone
 * surrogate escape and ill-formed UTF-8 are mistakes.
 */
#ifndef LORAC_TOKENIZER_JSON_H
#define LORAC_TOKENIZER_JSON_H

#include "error.h"
#include "unicode.h"

struct json_cursor {
    const char *name; /* of the input, for messages; borrowed */
    const char *text; /* borrowed */
    size_t length, position;
};

struct json_cursor json_cursor_begin(const char *name, const char *text, size_t length);

/* The first character of the next value or token, white space skipped; '\0' at the end. */
char json_cursor_peek(struct json_cursor *cursor);

/* Takes one character such as '[' or ':'. */
bool json_cursor_take(struct json_cursor *cursor, char wanted, struct error *err);

/* For arrays and objects, after the opening bracket: *more tells whether an element follows (its comma is taken), or the closing
 * bracket was taken. `first` is true at the first call. */
bool json_cursor_more(struct json_cursor *cursor, char closing, bool first, bool *more, struct error *err);

/* The same for objects: *more tells whether a member follows, and then its name is in *name (in place of what that held), a NUL
 * behind it that does not count, and the cursor stands before its value. */
bool json_cursor_member(struct json_cursor *cursor, bool first, struct text_buffer *name, bool *more,
                        struct error *err);

/* Appends the string's characters to `out`; NULL: the string is only checked. */
bool json_cursor_string(struct json_cursor *cursor, struct text_buffer *out, struct error *err);

/* A whole number within int64_t. */
bool json_cursor_integer(struct json_cursor *cursor, int64_t *value, struct error *err);

/* Any value, unread but checked to be well-formed, its strings too; nested at most 512 deep. */
bool json_cursor_skip(struct json_cursor *cursor, struct error *err);

/* Nothing but white space may follow. */
bool json_cursor_end(struct json_cursor *cursor, struct error *err);

/* Appends `text` (valid UTF-8) as a JSON string with its quotes; only what must be escaped is. */
void json_append_string(struct text_buffer *out, const char *text, size_t length);

#endif
