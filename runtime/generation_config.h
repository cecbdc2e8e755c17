/* How a reply is drawn and where it ends: the command line's flags over the model directory's generation_config.json.
 *
 * Flags win. Without --temperature, --top-p and --top-k the model's own settings apply if they say do_sample: true (temperature,
 * top_p, top_k, repetition_penalty); otherwise the reply is greedy. --temperature 0 is greedy whatever the model says, and then takes
 * no repetition_penalty from it. Any of the three flags alone asks for sampling: at temperature 1 where neither the flags nor
 * the model name one.
 *
 * A reply ends at any eos_token_id of generation_config.json (a number or a list; config.json's where that file or field is
 * missing), at the tokenizer's eos_token, and at the chat format's stops: as tokens where the tokenizer has them, as text
 * otherwise.
 */
#ifndef LORAC_GENERATION_CONFIG_H
#define LORAC_GENERATION_CONFIG_H

#include "sampling.h"
#include "session.h"

struct generation_config {
    struct sampling sampling;
    int max_new_tokens;
    int32_t *stop_ids;
    int stop_id_count;
    const char *stop_texts[8];
    int stop_text_count;
};

/* `chat`: whether replies are turns of a chat, so that its stops count. generation_config_free it. */
bool generation_config_read(struct generation_config *config, const struct session *session,
                            const struct options *options, bool chat, struct error *err);
void generation_config_free(struct generation_config *config);

bool generation_stops_at(const struct generation_config *config, int32_t id);

#endif
