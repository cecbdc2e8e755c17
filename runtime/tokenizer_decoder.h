/* The `decoder` of tokenizer.json: from the texts of tokens to text.
 *
 * Known: Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace; none at all joins tokens with blanks, as the library
 * does.
 */
#ifndef LORAC_TOKENIZER_DECODER_H
#define LORAC_TOKENIZER_DECODER_H

#include "tokenizer_pattern.h"
#include "tokenizer_vocabulary.h"

struct decoder_step {
    enum { DECODE_BYTE_LEVEL, DECODE_BYTE_FALLBACK, DECODE_FUSE, DECODE_STRIP, DECODE_REPLACE, DECODE_METASPACE } type;
    struct pattern pattern; /* Replace */
    char *content;          /* Replace, Strip: the character; Metaspace: what stands for a space */
    size_t start, stop;     /* Strip: how many at most */
    bool drop_leading;      /* Metaspace: the first token's are dropped */
};

/* Texts end to end: text i ends at end[i]. */
struct decoder_texts {
    struct text_buffer text;
    size_t *end;
    size_t count, capacity;
};

/* Zero-initialize. */
struct decoder {
    struct decoder_step *step;
    size_t count;
    bool join_with_blanks; /* no decoder at all; one of no steps joins with nothing */
    struct decoder_texts scratch[2];
    struct text_buffer bytes; /* scratch: ByteFallback's, ByteLevel's */
    bool ends_in_bytes;       /* set by decoder_end: the last token was one of ByteFallback's, whose run may go on */
};

bool decoder_load(struct decoder *decoder, const cJSON *section, struct error *err);

/* Token by token: begin, push each token's text, end. While ends_in_bytes, another token may change what the run of bytes before it
 * becomes; otherwise only characters that are still incomplete. */
void decoder_begin(struct decoder *decoder);
void decoder_push(struct decoder *decoder, const char *text, size_t length);
void decoder_end(struct decoder *decoder, struct text_buffer *out);

void decoder_free(struct decoder *decoder);

#endif
