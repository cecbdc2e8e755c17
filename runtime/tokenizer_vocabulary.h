/* A table of token texts: id to text and text to id. Texts lie end to end in one arena; the hash is open addressing.
 *
 * Byte-level tokenizers write every byte of a token as one printable character (GPT-2's alphabet): byte_level_encode and
 * byte_level_decode.
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

struct vocabulary_entry {
    uint32_t offset; /* into the arena */
    uint32_t length; /* bytes; UINT32_MAX: no token has this id */
};

/* Zero-initialize. */
struct vocabulary {
    struct text_buffer arena;
    struct vocabulary_entry *entry; /* [size] */
    int32_t size;                   /* largest id + 1 */
    int32_t count;                  /* tokens */
    int32_t capacity;
    struct vocabulary_slot *slots;
    uint32_t slot_mask; /* slots - 1 */
};

/* A fast hash of a few bytes (multiply and fold, 8 bytes at a time; the last ones overlap those before). */
uint64_t hash_bytes(const char *text, size_t length);

/* Adds a token. An id or a text that is already there is an error, and so is an id above LARGEST_TOKEN_ID. */
bool vocabulary_add(struct vocabulary *vocabulary, int64_t id, const char *text, size_t length, struct error *err);

/* The same in two steps, for many tokens: all are appended, then indexed, which is when their texts are compared. Nothing can be
 * looked for before. */
bool vocabulary_append(struct vocabulary *vocabulary, int64_t id, const char *text, size_t length, struct error *err);
bool vocabulary_index(struct vocabulary *vocabulary, struct error *err);

/* The id of a text, or -1. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t length);

/* vocabulary_find for many texts at once, in steps over all of them, so that they wait for memory together and not one by
 * one. A hundred or so are as good as more. */
struct vocabulary_search {
    const char *text;
    size_t length;
    uint32_t hash; /* scratch */
    int32_t id;    /* found, or -1 */
};
void vocabulary_find_many(const struct vocabulary *vocabulary, struct vocabulary_search *search, size_t count);

/* True if this is the text of this id; any id may be asked for. */
bool vocabulary_is(const struct vocabulary *vocabulary, int32_t id, const char *text, size_t length);

/* The text of an id (not NUL-terminated), or NULL. */
const char *vocabulary_text(const struct vocabulary *vocabulary, int32_t id, size_t *length);

/* Appends the bytes that a text in the byte-level alphabet spells; false, and nothing appended, if a character is not of it. */
bool byte_level_decode(struct text_buffer *out, const char *text, size_t length);

/* Appends the spelling of bytes in that alphabet. */
void byte_level_encode(struct text_buffer *out, const char *bytes, size_t length);

/* The character that spells a byte: U+0100 + n for the n-th byte that is not printable, the byte's own code point otherwise. */
uint32_t byte_level_character(unsigned char byte);

void vocabulary_free(struct vocabulary *vocabulary);

#endif
