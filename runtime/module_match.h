/* Which module names a name or a regular expression of PEFT's LoraConfig means (peft/tuners/tuners_utils.py,
 * check_target_module_exists; peft/utils/other.py, get_pattern_key). Python's expressions are read by PCRE2.
 */
#ifndef LORAC_MODULE_MATCH_H
#define LORAC_MODULE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* A list's entry: the module's whole name, or its end behind a dot. */
bool name_matches(const char *entry, const char *module);

struct regex;

/* Compiles `pattern` so that it must match a whole module name; with `as_key`, as PEFT takes the keys of rank_pattern: behind
 * anything that ends in a dot. NULL with what is wrong in `why` where it is no regular expression. regex_free it. */
struct regex *regex_compile(const char *pattern, bool as_key, char *why, size_t why_size);
void regex_free(struct regex *regex);
bool regex_matches(const struct regex *regex, const char *module);

#endif
