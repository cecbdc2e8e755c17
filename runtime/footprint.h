/* What a process needs beside its model: the program with its libraries, the tokenizer (its tables grow with the vocabulary), the
 * data's tokens, and each thread's buffers and stack.
 */
#ifndef LORAC_FOOTPRINT_H
#define LORAC_FOOTPRINT_H

#include <stddef.h>

/* Bytes. Chosen to cover the peaks that `tokenize` reached with the tokenizers of Qwen2.5, Llama 3 and Mistral (9 to 32 MB). */
static inline size_t runtime_footprint(int vocab_size, int threads)
{
    enum { BASE = 4 << 20, PER_TOKEN = 128, PER_THREAD = 2 << 20 };
    return BASE + (size_t)vocab_size * PER_TOKEN + (size_t)threads * PER_THREAD;
}

#endif
