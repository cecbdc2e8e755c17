/* "Did you mean ...?": the known name nearest to an unknown one. */
#ifndef LORAC_SUGGEST_H
#define LORAC_SUGGEST_H

/* The one of count names that `name` is a slip of: the one with the smallest edit distance (insert, delete, replace or swap
 * neighbours, each 1; letters of another case are equal), up to a third of the name's length and one at least; failing that, the
 * shortest one that ends in '_' and the name ("alpha": "lora_alpha"); or NULL. */
const char *suggest(const char *name, const char *const *names, int count);

#endif
