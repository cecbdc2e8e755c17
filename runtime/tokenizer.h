/* Tokenizers as the files of a Hugging Face model directory define them: text to token ids and back, equal to the `tokenizers`
 * library's results.
 *
 * tokenizer.json is read whole: added tokens, normalizer, pre-tokenizer, BPE model, post-processor, decoder. Whatever of it is not
 * understood is an error that names the field. Its `truncation` and `padding` are left aside, as Transformers sets both
 * anew at each call. From tokenizer_config.json, if
 * there, come the names of the BOS and EOS tokens, and for the class LlamaTokenizer what Transformers makes of it
 * (tokenizer_internal.h).
 *
 * Text is UTF-8 with a length in bytes and may hold NULs; up to 2 GiB. A tokenizer keeps scratch memory and a cache of words, so
 * one thread may use it at a time; load one per thread otherwise.
 */
#ifndef LORAC_TOKENIZER_H
#define LORAC_TOKENIZER_H

#include "error.h"
#include "unicode.h"

struct tokenizer;

/* Token ids, and where in the text each begins: start[i] is the offset of the first byte that id[i] stands for. What a normalizer
 * or a pre-tokenizer puts in front of a character starts with it, and what replaces several with the last of them; tokens of the
 * post-processor start at 0 or at the text's end. Starts never decrease, so token i ends where token i + 1 starts. Zero-initialize, ids_free. */
struct ids {
    int32_t *id;
    uint32_t *start;
    size_t count, capacity;
};

void ids_push(struct ids *ids, int32_t id, uint32_t start);
void ids_free(struct ids *ids);

/* Loads the tokenizer of a model directory, or NULL with *err: file, field, what is wrong. */
struct tokenizer *tokenizer_load(const char *model_dir, struct error *err);
void tokenizer_free(struct tokenizer *tokenizer);

/* Appends the ids of `text` to `ids`; add_special_tokens wraps them as the post-processor says (BOS and the like). Added tokens
 * that occur in the text are recognised, special ones included. Fails on invalid UTF-8 and on texts over 2 GiB. */
bool tokenizer_encode(struct tokenizer *tokenizer, const char *text, size_t length, bool add_special_tokens,
                      struct ids *ids, struct error *err);

/* Appends the text of `count` ids to `out`. Ids that no token has give nothing; so do special tokens with skip_special_tokens.
 * Bytes that form no character become U+FFFD. */
void tokenizer_decode(struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
                      struct text_buffer *out);

/* tokenizer_decode with the special tokens, and where in `out` the text of ids[i] ends: end[i]. What several tokens make up, a
 * character for one, is the last one's, the one that completes it. */
void tokenizer_decode_each(struct tokenizer *tokenizer, const int32_t *ids, size_t count, struct text_buffer *out,
                           size_t *end);

/* Decoding while ids arrive one by one. Zero-initialize with the flag set; tokenizer_stream_free. */
struct token_stream {
    bool skip_special_tokens;
    struct ids ids;       /* the last ids whose text the next one may still change */
    size_t settled_ids;   /* how many of them have been written out */
    size_t settled_bytes; /* bytes of their text */
};

/* Takes the next id and appends to `out` the text that is now settled, whole characters: nothing while the text ends within a
 * character, or with a run of <0xXX> tokens, which is valid or not as a whole. All that a stream gives, tokenizer_stream_end
 * included, is what tokenizer_decode gives for all ids at once. */
void tokenizer_stream_push(struct tokenizer *tokenizer, struct token_stream *stream, int32_t id,
                           struct text_buffer *out);

/* Appends what was held back, incomplete characters as U+FFFD, and starts over. */
void tokenizer_stream_end(struct tokenizer *tokenizer, struct token_stream *stream, struct text_buffer *out);
void tokenizer_stream_free(struct token_stream *stream);

/* The id of a token by its text as tokenizer.json spells it, or -1. */
int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token);

/* A token's text as tokenizer.json spells it (not NUL-terminated), or NULL if no token has this id. */
const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id, size_t *length);

/* bos_token and eos_token of tokenizer_config.json, or -1 if it names none. */
int32_t tokenizer_bos(const struct tokenizer *tokenizer);
int32_t tokenizer_eos(const struct tokenizer *tokenizer);

/* Largest id + 1, added tokens included. Embeddings are often padded to more rows. */
int32_t tokenizer_vocabulary_size(const struct tokenizer *tokenizer);

/* Is this an added token marked special? */
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);

#endif
