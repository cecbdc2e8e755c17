/* Tools in a tree of JSON, with their numbers as they were written.
 *
 * cJSON holds every number as a double, so that 20 and 20.0 become the same and long numbers lose digits; a prompt has to show them
 * as the file does. Here the lists that go into a prompt word by word stay text.
 */
#ifndef LORAC_JSON_KEEP_TEXT_H
#define LORAC_JSON_KEEP_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Replaces each list under "tools" or "tool_calls", at any depth of *root, by a string that holds its JSON text. `text` is what the
 * tree was parsed from. False where its text is no JSON after all (cJSON is lenient). */
bool json_keep_text(cJSON *root, const char *text, size_t length);

#endif
