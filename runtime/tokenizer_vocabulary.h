/* A table of token texts: id to text and text to id. Texts lie end to end in one arena; the hash is open addressing.
 *
 * Byte-level tokenizers write every byte of a token as one printable character (GPT-2's alphabet). Such a vocabulary is kept
 * twice: as its file spells it, and as the bytes that the spelling stands for, which is what text is compared with.
 */
#ifndef LORAC_TOKENIZER_VOCABULARY_H
#define LORAC_TOKENIZER_VOCABULARY_H

#include "error.h"
#include "unicode.h"

enum { LARGEST_TOKEN_ID = (1 << 24) - 1 };

struct vocabulary_slot {
    uint32_t hash;
    int32_t id; /* + 1; 0: free */
};

/* Zero-initialize. */
struct vocabulary {
    struct text_buffer arena;
    uint32_t *offset; /* [size] into the arena */
    uint32_t *length; /* [size] bytes; UINT32_MAX: no token has this id */
    int32_t size;     /* largest id + 1 */
    int32_t count;    /* tokens */
    int32_t capacity;
    struct vocabulary_slot *slots;
    uint32_t slot_mask; /* slots - 1 */
};

/* A fast hash of a few bytes (multiply and fold, 8 bytes at a time). */
uint64_t hash_bytes(const char *text, size_t length);

/* Adds a token. An id or a text that is already there is an error, and so is an id above LARGEST_TOKEN_ID. */
bool vocabulary_add(struct vocabulary *vocabulary, int64_t id, const char *text, size_t length, struct error *err);

/* The id of a text, or -1. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t length);

/* The text of an id (not NUL-terminated), or NULL. */
const char *vocabulary_text(const struct vocabulary *vocabulary, int32_t id, size_t *length);

/* Adds to `raw` the bytes of every token that is spelled in the byte-level alphabet throughout, under the same ids. */
void vocabulary_decode_bytes(struct vocabulary *raw, const struct vocabulary *spelled);

/* The bytes that a text in the byte-level alphabet spells, in place of what `out` held; false if a character is not of it. */
bool byte_level_decode(struct text_buffer *out, const char *text, size_t length);

/* The character that spells a byte: U+0100 + n for the n-th byte that is not printable, the byte's own code point otherwise. */
uint32_t byte_level_character(unsigned char byte);

void vocabulary_free(struct vocabulary *vocabulary);

#endif
