/* On which line of a recipe's text each field is set. The table that a recipe returns no longer knows, so the text is read a
 * second time, for its table constructors alone: `key = value` and list items, nested; tables held in a local and named in the
 * one that is returned; assignments such as `lora.r = 8`. What is computed otherwise has the line of the table around it.
 */
#ifndef LORAC_SOURCE_LINES_H
#define LORAC_SOURCE_LINES_H

struct source_lines;

/* Reads a recipe's text (well-formed Lua: it has been compiled before). */
struct source_lines *source_lines_read(const char *text);
void source_lines_free(struct source_lines *lines);

/* The line of "lora.target_modules[2]", of the nearest table around it where that is not known; at last of `return`. */
int source_lines_find(const struct source_lines *lines, const char *field);

/* The field's place in the order of the text; 0 where it is not known. */
int source_lines_order(const struct source_lines *lines, const char *field);

#endif
