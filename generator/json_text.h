/* JSON as Python's json.dumps(indent=2) lays it out. */
#ifndef LORAC_JSON_TEXT_H
#define LORAC_JSON_TEXT_H

#include <cjson/cJSON.h>

/* Two spaces a level, an item a line, numbers as short as they can be; no newline at the end (free() it). */
char *json_text(const cJSON *json);

#endif
