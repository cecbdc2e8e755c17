/* Templates: text with Lua between.
 *
 *     //@ for _, layer in ipairs(plan.layers) do      a line of Lua; it leaves no line in the output
 *         matmul_$(layer.name)(s, $(layer.K));        $(expression) becomes its value
 *     //@ end                                         $$( stands for $( itself
 *
 * A template becomes one Lua chunk with a line for each of its own, so that every error has the template's line. The plan is the
 * global table `plan`; beside Lua's string, table, math and utf8 there are
 *
 *     c_string(s)   a C string literal            "say \"hi\"\n"
 *     c_text(s, c)  the same; a long one as several, each on a line of its own from column c on
 *     c_float(x)    the shortest float constant that reads back as (float)x: 0.1f
 *     c_double(x)   the same for a double: 1e-06
 *     comma(n)      a whole number with commas    1,234
 *     wrap(s)       a call or declaration, broken at its commas before column 120 and aligned behind its parenthesis
 *     load_as(t, x), store_as(t, x)   an element x of C type t ("float", "bfloat16_t") read as a float; a float x to be stored as one
 *     operand_of(t), result_of(t)     the function of product.h that makes an operand or a result of an array of t
 *     bytes_of(t)                     bytes of one
 *
 * A value may be a string, a number, true or false. Anything that is nil ends the template: "rope.h:12: 'plan.rope.theta' is
 * nil". To ask for a field that a plan's table does not have is an error as well, even in an `if`; only where the plan holds
 * null the answer is nil. New globals cannot be made.
 */
#ifndef LORAC_TEMPLATE_H
#define LORAC_TEMPLATE_H

#include "messages.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Renders the template in a file. On success *text is the output (free() it); otherwise a mistake is added and *text is NULL.
 * Messages name the file from its folder "templates" on. */
bool template_render(const char *template_path, const cJSON *plan, char **text, struct messages *messages);

/* Renders a template of `length` characters; `name` stands for it in messages. Every member of `globals` (NULL: none) is a global
 * of its name. */
bool template_render_text(const char *source, size_t length, const char *name, const cJSON *globals, char **text,
                          struct messages *messages);

#endif
