/* "Did you mean ...?": the known name nearest to an unknown one. */
#ifndef LORAC_SUGGEST_H
#define LORAC_SUGGEST_H

/* The one of count names with the smallest edit distance to `name` (insert, delete, replace or swap neighbours, each 1; letters
 * of another case are equal), or NULL where even that is too far to be a slip: more than a third of the name's length, one at
 * least. */
const char *suggest(const char *name, const char *const *names, int count);

#endif
