/* One JSON object, its members found and their values checked to be well-formed, but not read: for records of which a few members
 * matter, whose strings should not be copied, and whose numbers must stay as they were written.
 */
#ifndef LORAC_JSON_OBJECT_H
#define LORAC_JSON_OBJECT_H

#include "tokenizer_json.h"

/* The JSON text of a value, within the text that it was found in; `text` NULL: it is not there. */
struct json_value {
    const char *text;
    size_t length;
};

struct json_member {
    size_t name, name_length; /* in `names`, a NUL behind it */
    struct json_value value;
};

/* Zero-initialize, json_object_free; may be read into again and again. */
struct json_object {
    struct json_member *member; /* [count] in the text's order */
    size_t count, capacity;
    struct text_buffer names;
};

/* Reads the object at the cursor in place of what *object held. False where it is no object or its text is broken. */
bool json_object_read(struct json_object *object, struct json_cursor *cursor, struct error *err);
void json_object_free(struct json_object *object);

/* The value of the last member of that name, as in Python, or none. */
struct json_value json_object_find(const struct json_object *object, const char *name);

const char *json_member_name(const struct json_object *object, size_t member);

/* A cursor in front of a value that is there. */
struct json_cursor json_value_cursor(const char *name, struct json_value value);

bool json_value_is_null(struct json_value value); /* null, or not there */
bool json_value_is_string(struct json_value value);
bool json_value_is_array(struct json_value value);

/* Appends the characters of a string. */
void json_value_append_string(struct json_value value, struct text_buffer *out);

/* "nothing", "a string", ... */
const char *json_type_name(struct json_value value);

#endif
