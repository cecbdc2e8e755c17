/* JSON as Python writes it: json.dumps(json.loads(text), ensure_ascii=False), which is what Transformers' chat templates put into a
 * prompt (their filter `tojson`). Spaces behind ',' and ':', members in their order, whole numbers digit by digit, other numbers as
 * Python's repr() of the double, only what must be escaped escaped.
 */
#ifndef LORAC_JSON_PYTHON_H
#define LORAC_JSON_PYTHON_H

#include "tokenizer_json.h"

/* Appends the value at the cursor. `indent` spaces a level, each element on a line of its own; 0: everything in one line. Fails on
 * text that is no JSON, a number beyond double's range, and an object that has a member twice, of which Python would drop one. */
bool json_append_python(struct text_buffer *out, struct json_cursor *cursor, int indent, struct error *err);

#endif
