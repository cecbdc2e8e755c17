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

/* Parses the small value at the cursor into object[key]. Text that cJSON's strings cannot hold, or would pass on unseen, is an error:
 * NULs, ill-formed UTF-8. */
bool tokenizer_gather(cJSON *object, const char *key, struct json_cursor *cursor, struct error *err);

/* The model's "merges" at the cursor, once its vocabulary is there. The cursor's name is the file's and the field's. */
bool tokenizer_load_merges(struct tokenizer *tokenizer, struct json_cursor *cursor, struct error *err);

/* "post_processor". Known: TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing, Sequence. */
bool post_processor_load(struct tokenizer *tokenizer, const cJSON *section, struct error *err);

/* What stands beside tokenizer.json and changes what Transformers (5) makes of it. */
struct tokenizer_config {
    cJSON *json;   /* tokenizer_config.json, an object, if an empty one; see tokenizer_config_read */
    char *path;    /* its path, for messages */
    bool is_llama; /* its class is LlamaTokenizer, and no other takes its place */
};

/* Reads tokenizer_config.json, lays special_tokens_map.json over it where it has no added_tokens_decoder, and looks into config.json
 * for a model_type to which Transformers gives tokenizer.json as it is ("mistral"), whatever the class. What is not there is empty.
 * add_bos_token and add_eos_token mean nothing beside a tokenizer.json, for Transformers either. split_special_tokens, which would
 * have texts never become special tokens, is an error where it is true. */
bool tokenizer_config_read(struct tokenizer_config *config, const char *model_dir, struct error *err);
void tokenizer_config_free(struct tokenizer_config *config);

/* Transformers builds a LlamaTokenizer anew from the vocabulary and merges unless the file is byte-level: with Metaspace in place of
 * the normalizer that its tokenizer.json spells it with, with byte fallback, and without a normalizer. It prepends in front of every
 * piece between added tokens with `legacy`, else only at the text's start, and nowhere with add_prefix_space false; a text that
 * starts with a space gets no second one. Added tokens are those of added_tokens_decoder, if
 * there is one. Changes the file's sections and the model's flags accordingly, before they are loaded. */
void tokenizer_config_apply_class(const struct tokenizer_config *config, struct tokenizer *tokenizer, cJSON *sections);

/* Transformers adds the tokens of added_tokens.json where there is no added_tokens_decoder. Nothing is to do where they are added
 * tokens already, under the same ids, as in directories that it saved; else an error that names the token. */
bool tokenizer_config_check_added(const struct tokenizer_config *config, const struct tokenizer *tokenizer,
                                  const char *model_dir, struct error *err);

/* Sets bos and eos. */
bool tokenizer_config_find_tokens(const struct tokenizer_config *config, struct tokenizer *tokenizer,
                                  struct error *err);

/* Added tokens, in three steps: "added_tokens", after the model; what the configuration makes of them (added_tokens_decoder sets flags
 * anew and adds tokens; bos_token and the like, and extra or additional special tokens, are special, and are added too); and, once
 * the normalizer is there, what they match. */
bool tokenizer_load_added(struct tokenizer *tokenizer, const cJSON *section, struct error *err);
bool tokenizer_complete_added(struct tokenizer *tokenizer, const struct tokenizer_config *config, struct error *err);
bool tokenizer_settle_added(struct tokenizer *tokenizer, struct error *err);

/* Reads a whole file, at most 256 MiB; false with *err, and *missing tells whether it is not there at all. */
bool tokenizer_read_file(const char *path, struct text_buffer *out, bool *missing, struct error *err);

#endif
