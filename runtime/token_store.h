/* Words of 32 bits that are appended once and then read anywhere: in memory as long as they are few; then all but the last 4 MiB go to a
 * file.
 *
 * The file has no name, so that nothing is left behind however the program ends. It lies in the directory that TMPDIR names,
 * otherwise in /var/tmp (in /tmp, many machines keep files in memory).
 */
#ifndef LORAC_TOKEN_STORE_H
#define LORAC_TOKEN_STORE_H

#include "error.h"

#include <stdint.h>

/* Zero-initialize; token_store_free. */
struct token_store {
    size_t count;        /* words */
    size_t memory_limit; /* bytes held in memory at most; 0: 256 MiB. Set it before the first word */
    uint32_t *words;     /* those from word `written` on */
    size_t written, capacity;
    int file; /* its descriptor + 1, or 0: all is in memory */
};

/* False where the file cannot be made or is out of room. */
bool token_store_append(struct token_store *store, const uint32_t *words, size_t count, struct error *err);

/* Copies the words `first` to `first + count` - 1, which exist, to `out`. False where the file cannot be read. */
bool token_store_read(const struct token_store *store, size_t first, size_t count, uint32_t *out, struct error *err);

/* Tells that these words will be read soon, so that the file's part of them comes while something else is computed. */
void token_store_expect(const struct token_store *store, size_t first, size_t count);

void token_store_free(struct token_store *store);

#endif
