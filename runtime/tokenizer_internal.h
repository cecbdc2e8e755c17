/* What a tokenizer consists of; shared by the files that load it and that use it.
 */
#ifndef LORAC_TOKENIZER_INTERNAL_H
#define LORAC_TOKENIZER_INTERNAL_H

#include "tokenizer_added.h"
#include "tokenizer_bpe.h"
#include "tokenizer_decoder.h"
#include "tokenizer_normalizer.h"
#include "tokenizer_pretokenizer.h"

/* What the post-processor puts around a single text when special tokens are asked for. */
struct post_processor {
    struct ids before, after; /* starts unused */
};

struct tokenizer {
    struct vocabulary vocabulary; /* the model's tokens and the added ones */
    bool *in_model;               /* [vocabulary.size] */
    bool *special;                /* [vocabulary.size] */
    struct added_tokens added;
    bool has_renamed; /* some added token has `decoded` set */
    struct normalizer normalizer;
    struct pre_tokenizer pre_tokenizer;
    struct bpe bpe;
    struct post_processor post_processor;
    struct decoder decoder;
    int32_t bos, eos; /* -1: not named */
};

/* The "model" object at the cursor: fills vocabulary and the BPE's merges and flags. The cursor's name is the file's. */
struct json_cursor;
bool tokenizer_load_model(struct tokenizer *tokenizer, struct json_cursor *cursor, struct error *err);

/* The model's "merges" at the cursor, once its vocabulary is there. */
bool tokenizer_load_merges(struct tokenizer *tokenizer, struct json_cursor *cursor, struct error *err);

/* "post_processor". Known: TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing, Sequence. */
bool post_processor_load(struct tokenizer *tokenizer, const cJSON *section, struct error *err);

/* "added_tokens", after the model and the normalizer. */
bool tokenizer_load_added(struct tokenizer *tokenizer, const cJSON *section, struct error *err);

/* Reads a whole file, at most 256 MiB; false with *err, and *missing tells whether it is not there at all. */
bool tokenizer_read_file(const char *path, struct text_buffer *out, bool *missing, struct error *err);

/* tokenizer_config.json as a tree (cJSON_Delete it), or *config NULL if there is no such file. */
bool tokenizer_config_read(const char *path, cJSON **config, struct error *err);

/* Transformers 5 builds a LlamaTokenizer anew from the vocabulary and merges: with Metaspace in place of the normalizer that its
 * tokenizer.json spells it with. It prepends in front of every piece between added tokens with `legacy`, else only at the text's
 * start, and nowhere with add_prefix_space false; a text that starts with a space gets no second one. Called between loading the
 * pre-tokenizer and the added tokens. */
void tokenizer_config_apply_class(struct tokenizer *tokenizer, const cJSON *config);

/* Sets bos and eos. */
bool tokenizer_config_find_tokens(struct tokenizer *tokenizer, const cJSON *config, const char *path,
                                  struct error *err);

#endif
