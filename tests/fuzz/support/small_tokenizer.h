/* Small tokenizers of each kind, out of tests/data/text. */
#ifndef LORAC_SMALL_TOKENIZER_H
#define LORAC_SMALL_TOKENIZER_H

#include "tokenizer.h"

/* The one that a number stands for; loaded once, and kept. */
struct tokenizer *small_tokenizer(uint8_t number);

#endif
