/* Writing a reply token by token, and handing its text on as it becomes whole.
 *
 * A generator keeps the context of its last reply in the device's KV cache: a prompt that begins alike computes only what is new.
 */
#ifndef LORAC_GENERATOR_H
#define LORAC_GENERATOR_H

#include "generation_config.h"

struct generator {
    const struct session *session;
    const struct generation_config *config;
    struct token_sampler sampler;
    float *logits;    /* [vocab_size] */
    int32_t *context; /* [max_context] the tokens in the KV cache */
    int length;
};

enum finish_reason { FINISH_STOP, FINISH_LENGTH, FINISH_INTERRUPTED };

struct reply {
    int32_t *ids; /* as drawn, the token that ended it included */
    int count;
    struct text_buffer text;   /* without special tokens and stop texts; empty where there is no tokenizer */
    enum finish_reason finish; /* FINISH_LENGTH: max_new_tokens, or the context is full */
    int prompt_tokens;         /* computed for this reply */
    double prompt_seconds, decode_seconds;
    int decoded; /* tokens that went through the model one by one */
};

/* Receives whole UTF-8 characters. */
typedef void text_sink(void *context, const char *text, size_t length);

/* session, loaded for generation, and config must outlive it. generator_free it. */
void generator_init(struct generator *generator, const struct session *session, const struct generation_config *config);
void generator_free(struct generator *generator);

/* False where a prompt is empty, longer than the context, or holds an id outside the vocabulary. */
bool generator_check(const struct program *program, const int32_t *prompt, int count, struct error *err);

/* Replies to `prompt` [count] token ids. With `continues`, the prompt is text that the reply goes on with (a tokenizer that drops
 * a text's first space then keeps it); else the reply is a text of its own. sink may be NULL. Stops early where interrupt_seen().
 * False where generator_check is. reply_free in every case. */
bool generator_reply(struct generator *generator, const int32_t *prompt, int count, bool continues, text_sink *sink,
                     void *sink_context, struct reply *reply, struct error *err);
void reply_free(struct reply *reply);

/* "stop", "length" or "interrupted". */
const char *finish_name(enum finish_reason finish);

#endif
