/* The command preview: what a run would train on, sample by sample.
 *
 * On a terminal the trained tokens stand out in colour, tokens alternate between two shades, and special ones are underlined;
 * elsewhere trained stretches stand between >>> and <<<. With --json a line a sample: {"input_ids": [...], "labels": [...]}, labels
 * as in pre-tokenized data, not shifted; such lines can be given as --data again.
 */
#define _POSIX_C_SOURCE 200809L
#include "commands.h"
#include "dataset_command.h"
#include "train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A sample's tokens, and what each is worth itself. */
struct shown {
    int32_t *ids, *labels; /* [tokens] */
    int tokens;
};

/* The first token's label is one that nothing predicts. */
static bool is_trained(const struct shown *shown, int t)
{
    return t > 0 && shown->labels[t] != IGNORED_LABEL;
}

static void print_array(const char *key, const int32_t *values, int count)
{
    printf("\"%s\":[", key);
    for (int i = 0; i < count; i++)
        printf("%s%d", i > 0 ? "," : "", (int)values[i]);
    printf("]");
}

static void print_json(const struct shown *shown)
{
    printf("{");
    print_array("input_ids", shown->ids, shown->tokens);
    printf(",");
    print_array("labels", shown->labels, shown->tokens);
    printf("}\n");
}

static void print_text(struct text_buffer *text)
{
    fwrite(text->data ? text->data : "", 1, text->length, stdout);
    text_buffer_free(text);
}

/* A token's text (of a character that several tokens make up, all at its last), or its number where there is no tokenizer. */
static void print_token(const struct session *session, struct token_stream *stream, int32_t id)
{
    struct text_buffer text = {0};
    if (session->tokenizer)
        tokenizer_stream_push(session->tokenizer, stream, id, &text);
    else
        printf("%d ", (int)id);
    print_text(&text);
}

static void end_stream(const struct session *session, struct token_stream *stream)
{
    struct text_buffer text = {0};
    if (session->tokenizer)
        tokenizer_stream_end(session->tokenizer, stream, &text);
    print_text(&text);
    tokenizer_stream_free(stream);
}

static void print_coloured(const struct session *session, const struct shown *shown)
{
    struct token_stream stream = {.skip_special_tokens = false};
    for (int t = 0; t < shown->tokens; t++) {
        const char *trained = t % 2 ? "\033[30;102m" : "\033[30;42m";
        const char *other = t % 2 ? "\033[90m" : "\033[2;37m";
        fputs(is_trained(shown, t) ? trained : other, stdout);
        if (session->tokenizer && tokenizer_is_special(session->tokenizer, shown->ids[t]))
            fputs("\033[4m", stdout);
        print_token(session, &stream, shown->ids[t]);
        fputs("\033[0m", stdout);
    }
    end_stream(session, &stream);
}

static void print_plain(const struct session *session, const struct shown *shown)
{
    struct token_stream stream = {.skip_special_tokens = false};
    bool inside = false;
    for (int t = 0; t < shown->tokens; t++) {
        if (is_trained(shown, t) != inside)
            fputs(inside ? "<<<" : ">>>", stdout);
        inside = is_trained(shown, t);
        print_token(session, &stream, shown->ids[t]);
    }
    end_stream(session, &stream);
    fputs(inside ? "<<<" : "", stdout);
}

static void print_sample(const struct session *session, const struct dataset *data, int sample,
                         const struct shown *shown)
{
    char *place = dataset_place(data, sample);
    printf("---- %s: %d tokens, %d trained\n", place, shown->tokens, (int)data->sample[sample].trained);
    free(place);
    if (isatty(STDOUT_FILENO))
        print_coloured(session, shown);
    else
        print_plain(session, shown);
    printf("\n");
}

static bool show_samples(const struct session *session, const struct dataset *data, const struct train_config *config,
                         bool json, struct error *err)
{
    size_t size = (size_t)config->max_length * sizeof(int32_t);
    struct shown shown = {.ids = allocate(size, "a sample"), .labels = allocate(size, "a sample")};
    bool ok = true;
    for (int sample = 0; ok && sample < data->samples; sample++) {
        shown.tokens = data->sample[sample].tokens;
        ok = dataset_read(data, sample, shown.ids, shown.labels, err);
        if (ok && json)
            print_json(&shown);
        else if (ok)
            print_sample(session, data, sample, &shown);
    }
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
