/* What tokenizer.h promises of any text and any tokenizer. */
#ifndef LORAC_ENCODE_CHECK_H
#define LORAC_ENCODE_CHECK_H

#include "tokenizer.h"

/* CHECKs that a text is refused, or gives ids of the vocabulary whose starts never decrease, and that these decode
 * (decode_check). */
void encode_check(struct tokenizer *tokenizer, const char *text, size_t length);

/* CHECKs that a stream of these ids gives whole characters at a time, and together what decoding at once gives. Any id may be there. */
void decode_check(struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens);

#endif
