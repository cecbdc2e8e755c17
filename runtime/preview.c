/* The command preview: what a run would train on, sample by sample, in the order of its first epoch.
 *
 * On a terminal the trained tokens stand out in colour, tokens alternate between two shades, and special ones are underlined.
 * Elsewhere a sample is a line of JSON:
 *
 *     {"place":"train.jsonl:17","text":"...","tokens":[{"id":9707,"text":"Hello","class":"trained","trained":true}, ...]}
 *
 * A token's class is "special" (an added token marked so), else "trained" or "not trained"; special ones are trained or not as
 * well. The texts of the tokens make up the sample's; of a character that several make up, it is all at the last. Where the token
 * to predict is not the next one (pre-tokenized data with labels of its own), "label" tells which. Without a tokenizer there are no
 * texts.
 *
 * With --json a sample is {"input_ids": [...], "labels": [...]}, in the files' order, labels as in pre-tokenized data, not shifted:
 * such lines given as --data train what the files train, in the same order.
 */
#define _POSIX_C_SOURCE 200809L
#include "commands.h"
#include "dataset_command.h"
#include "sampler.h"
#include "tokenizer_json.h"
#include "train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A sample's tokens, and what each is worth itself. */
struct shown {
    char *place;
    int32_t *ids, *labels; /* [tokens] */
    int tokens, trained;
};

/* How a sample is shown. */
typedef void print_function(const struct session *session, const struct shown *shown);

/* The first token's label is one that nothing predicts. */
static bool is_trained(const struct shown *shown, int t)
{
    return t > 0 && shown->labels[t] != IGNORED_LABEL;
}

static bool is_special(const struct session *session, int32_t id)
{
    return session->tokenizer && tokenizer_is_special(session->tokenizer, id);
}

static void print_array(const char *key, const int32_t *values, int count)
{
    printf("\"%s\":[", key);
    for (int i = 0; i < count; i++)
        printf("%s%d", i > 0 ? "," : "", (int)values[i]);
    printf("]");
}

static void print_ids(const struct session *session, const struct shown *shown)
{
    (void)session;
    printf("{");
    print_array("input_ids", shown->ids, shown->tokens);
    printf(",");
    print_array("labels", shown->labels, shown->tokens);
    printf("}\n");
}

/* Appends the text that token t settles; the last one settles all. */
static void decode_token(const struct session *session, struct token_stream *stream, const struct shown *shown, int t,
                         struct text_buffer *text)
{
    tokenizer_stream_push(session->tokenizer, stream, shown->ids[t], text);
    if (t + 1 == shown->tokens)
        tokenizer_stream_end(session->tokenizer, stream, text);
}

static void print_buffer(const struct text_buffer *text)
{
    fwrite(text->data ? text->data : "", 1, text->length, stdout);
}

/* ---- a line of JSON ---- */

static void print_string(const char *key, const char *text, size_t length)
{
    struct text_buffer quoted = {0};
    json_append_string(&quoted, text ? text : "", length);
    printf("\"%s\":", key);
    print_buffer(&quoted);
    text_buffer_free(&quoted);
}

static void print_token(const struct session *session, const struct shown *shown, int t, const struct text_buffer *text,
                        size_t begin)
{
    bool trained = is_trained(shown, t);
    printf("%s{\"id\":%d,", t > 0 ? "," : "", (int)shown->ids[t]);
    if (session->tokenizer) {
        print_string("text", text->data ? text->data + begin : "", text->length - begin);
        printf(",");
    }
    printf("\"class\":\"%s\",\"trained\":%s",
           is_special(session, shown->ids[t]) ? "special"
           : trained                          ? "trained"
                                              : "not trained",
           trained ? "true" : "false");
    if (trained && shown->labels[t] != shown->ids[t])
        printf(",\"label\":%d", (int)shown->labels[t]);
    printf("}");
}

static void print_line(const struct session *session, const struct shown *shown)
{
    struct token_stream stream = {.skip_special_tokens = false};
    struct text_buffer text = {0};
    printf("{");
    print_string("place", shown->place, strlen(shown->place));
    printf(",");
    if (session->tokenizer) {
        tokenizer_decode(session->tokenizer, shown->ids, (size_t)shown->tokens, false, &text);
        print_string("text", text.data, text.length);
        printf(",");
        text.length = 0;
    }
    printf("\"tokens\":[");
    for (int t = 0; t < shown->tokens; t++) {
        size_t begin = text.length;
        if (session->tokenizer)
            decode_token(session, &stream, shown, t, &text);
        print_token(session, shown, t, &text, begin);
    }
    printf("]}\n");
    tokenizer_stream_free(&stream);
    text_buffer_free(&text);
}

/* ---- in colour ---- */

static void print_coloured(const struct session *session, const struct shown *shown)
{
    struct token_stream stream = {.skip_special_tokens = false};
    struct text_buffer text = {0};
    printf("---- %s: %d tokens, %d trained\n", shown->place, shown->tokens, shown->trained);
    for (int t = 0; t < shown->tokens; t++) {
        const char *trained = t % 2 ? "\033[30;102m" : "\033[30;42m";
        const char *other = t % 2 ? "\033[90m" : "\033[2;37m";
        fputs(is_trained(shown, t) ? trained : other, stdout);
        fputs(is_special(session, shown->ids[t]) ? "\033[4m" : "", stdout);
        text.length = 0;
        if (session->tokenizer)
            decode_token(session, &stream, shown, t, &text);
        else
            printf("%d ", (int)shown->ids[t]);
        print_buffer(&text);
        fputs("\033[0m", stdout);
    }
    printf("\n");
    tokenizer_stream_free(&stream);
    text_buffer_free(&text);
}

/* ---- all samples ---- */

static bool show_sample(const struct session *session, const struct dataset *data, int sample, print_function *print,
                        struct shown *shown, struct error *err)
{
    if (!dataset_read(data, sample, shown->ids, shown->labels, err))
        return false;
    shown->tokens = data->sample[sample].tokens;
    shown->trained = (int)data->sample[sample].trained;
    shown->place = dataset_place(data, sample);
    print(session, shown);
    free(shown->place);
    return true;
}

static bool show_samples(const struct session *session, const struct dataset *data, const struct train_config *config,
                         bool json, struct error *err)
{
    size_t size = (size_t)config->max_length * sizeof(int32_t);
    struct shown shown = {.ids = allocate(size, "a sample"), .labels = allocate(size, "a sample")};
    uint32_t samples = (uint32_t)data->samples, *order = allocate(samples * sizeof *order, "the order of samples");
    print_function *print = json ? print_ids : isatty(STDOUT_FILENO) ? print_coloured : print_line;
    sampler_order(order, samples, config->shuffle && !json, (uint64_t)config->seed, 0);
    bool ok = true;
    for (uint32_t i = 0; ok && i < samples; i++)
        ok = show_sample(session, data, (int)order[i], print, &shown, err);
    free(order);
    free(shown.ids);
    free(shown.labels);
    return ok;
}

int command_preview(const struct options *options, struct error *err)
{
    struct session session = {0};
    struct train_config config;
    struct dataset data = {0};
    err->exit_code = EXIT_FAILED;
    bool ok = train_config_from_options(&config, options, err) && session_begin(&session, options, err) &&
              dataset_from_options(&data, &session, options, "data", &config, err);
    if (ok)
        dataset_tell(&data, &config);
    ok = ok && show_samples(&session, &data, &config, option_bool(options, "json"), err);
    dataset_free(&data);
    session_close(&session);
    return ok ? EXIT_DONE : err->exit_code;
}
