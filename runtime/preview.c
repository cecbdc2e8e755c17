/* The command preview: what a run would train on, sample by sample.
 *
 * On a terminal the trained tokens stand out in colour and tokens alternate between two shades; elsewhere trained stretches stand
 * between >>> and <<<. With --json a line a sample: {"input_ids": [...], "labels": [...]}, labels as in pre-tokenized data, not
 * shifted; such lines can be given as --data again.
 */
#define _POSIX_C_SOURCE 200809L
#include "commands.h"
#include "dataset_command.h"
#include "train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether token t of a sample is trained: the label that its predecessor has. */
static bool is_trained(const struct dataset *data, int sample, size_t t)
{
    return t > data->starts[sample] && data->labels[t - 1] != IGNORED_LABEL;
}

static void print_json(const struct dataset *data, int sample)
{
    size_t begin = data->starts[sample], end = data->starts[sample + 1];
    printf("{\"input_ids\":[");
    for (size_t t = begin; t < end; t++)
        printf("%s%d", t > begin ? "," : "", (int)data->ids[t]);
    printf("],\"labels\":[");
    for (size_t t = begin; t < end; t++)
        printf("%s%d", t > begin ? "," : "", (int)(t > begin ? data->labels[t - 1] : data->first_labels[sample]));
    printf("]}\n");
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

static void print_coloured(const struct session *session, const struct dataset *data, int sample)
{
    struct token_stream stream = {.skip_special_tokens = false};
    for (size_t t = data->starts[sample]; t < data->starts[sample + 1]; t++) {
        bool odd = (t - data->starts[sample]) % 2;
        const char *trained = odd ? "\033[30;102m" : "\033[30;42m";
        const char *other = odd ? "\033[90m" : "\033[2;37m";
        fputs(is_trained(data, sample, t) ? trained : other, stdout);
        print_token(session, &stream, data->ids[t]);
        fputs("\033[0m", stdout);
    }
    end_stream(session, &stream);
}

static void print_plain(const struct session *session, const struct dataset *data, int sample)
{
    struct token_stream stream = {.skip_special_tokens = false};
    bool inside = false;
    for (size_t t = data->starts[sample]; t < data->starts[sample + 1]; t++) {
        if (is_trained(data, sample, t) != inside)
            fputs(inside ? "<<<" : ">>>", stdout);
        inside = is_trained(data, sample, t);
        print_token(session, &stream, data->ids[t]);
    }
    end_stream(session, &stream);
    fputs(inside ? "<<<" : "", stdout);
}

static void print_sample(const struct session *session, const struct dataset *data, int sample)
{
    int trained = 0;
    for (size_t t = data->starts[sample]; t < data->starts[sample + 1]; t++)
        trained += is_trained(data, sample, t);
    char *place = dataset_place(data, sample);
    printf("---- %s: %zu tokens, %d trained\n", place, data->starts[sample + 1] - data->starts[sample], trained);
    free(place);
    if (isatty(STDOUT_FILENO))
        print_coloured(session, data, sample);
    else
        print_plain(session, data, sample);
    printf("\n");
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
    for (int sample = 0; ok && sample < data.samples; sample++) {
        if (option_bool(options, "json"))
            print_json(&data, sample);
        else
            print_sample(&session, &data, sample);
    }
    dataset_free(&data);
    session_close(&session);
    return ok ? EXIT_DONE : err->exit_code;
}
