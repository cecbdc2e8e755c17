/* What tokenizer.h promises of any text and any tokenizer. */
#ifndef LORAC_ENCODE_CHECK_H
#define LORAC_ENCODE_CHECK_H

#include "tokenizer.h"

/* CHECKs that a text is refused, or gives ids of the vocabulary whose starts never decrease, and that these decode. */
void encode_check(struct tokenizer *tokenizer, const char *text, size_t length);

#endif
