/* The command preview: what a run would train on, sample by sample, in the order of its first epoch.
 *
 * On a terminal the trained tokens stand out in colour, tokens alternate between two shades, special ones are underlined, and a
 * newline is preceded by its sign. Elsewhere, and where colours are not wanted (NO_COLOR in the environment, TERM=dumb), a sample is a
 * line of JSON:
 *
 *     {"place":"train.jsonl:17","text":"...","tokens":[{"id":9707,"text":"Hello","class":"trained","trained":true}, ...]}
 *
 * A token's class is "special" (an added token marked so), else "trained" or "not trained"; special ones are trained or not as
 * well. The texts of the tokens make up the sample's; of a character that several make up, it is all at the last. Where the token
 * to predict is not the next one (pre-tokenized data with labels of its own), "label" tells which. Without a tokenizer there are no
 * texts. Control characters and invisible signs are escaped, as \u001b for one, so that data cannot speak to the terminal.
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
    struct text_buffer text; /* of all tokens, empty without a tokenizer */
    size_t *end;             /* [tokens] where in it each one's ends */
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

struct view {
    const char *text;
    size_t length;
};

static struct view text_of(const struct shown *shown, int t)
{
    size_t begin = t > 0 ? shown->end[t - 1] : 0;
    return (struct view){shown->text.data ? shown->text.data + begin : "", shown->end[t] - begin};
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

static void print_buffer(const struct text_buffer *text)
{
    fwrite(text->data ? text->data : "", 1, text->length, stdout);
}

/* ---- a line of JSON ---- */

/* Appends valid UTF-8, with \uXXXX, as in JSON, for what a terminal would obey or hide; but not for newlines and tabs. */
static void append_visibly(struct text_buffer *out, const char *text, size_t length)
{
    for (size_t begin = 0, at = 0; at < length; begin = at) {
        uint32_t c = utf8_next(text, &at);
        char code[16];
        if (!unicode_is_control(c) || c == '\n' || c == '\t') {
            text_buffer_append(out, text + begin, at - begin);
            continue;
        }
        if (c < 0x10000)
            snprintf(code, sizeof code, "\\u%04x", (unsigned)c);
        else
            snprintf(code, sizeof code, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (c >> 10)),
                     (unsigned)(0xDC00 + (c & 0x3FF)));
        text_buffer_append_string(out, code);
    }
}

static void print_string(const char *key, const char *text, size_t length)
{
    struct text_buffer quoted = {0}, visible = {0};
    json_append_string(&quoted, text ? text : "", length);
    append_visibly(&visible, quoted.data, quoted.length);
    printf("\"%s\":", key);
    print_buffer(&visible);
    text_buffer_free(&quoted);
    text_buffer_free(&visible);
}

static void print_token(const struct session *session, const struct shown *shown, int t)
{
    bool trained = is_trained(shown, t);
    printf("%s{\"id\":%d,", t > 0 ? "," : "", (int)shown->ids[t]);
    if (session->tokenizer) {
        struct view view = text_of(shown, t);
        print_string("text", view.text, view.length);
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
    printf("{");
    print_string("place", shown->place, strlen(shown->place));
    printf(",");
    if (session->tokenizer) {
        print_string("text", shown->text.data, shown->text.length);
        printf(",");
    }
    printf("\"tokens\":[");
    for (int t = 0; t < shown->tokens; t++)
        print_token(session, shown, t);
    printf("]}\n");
}

/* ---- in colour ---- */

static bool colours_are_wanted(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

/* A newline is seen as its sign; the colour ends with the line, which some terminals would fill with it. */
static void print_in_style(const char *style, const struct text_buffer *text)
{
    for (size_t begin = 0, end; begin < text->length; begin = end) {
        const char *newline = memchr(text->data + begin, '\n', text->length - begin);
        end = newline ? (size_t)(newline - text->data) + 1 : text->length;
        printf("%s%.*s%s\033[0m%s", style, (int)(end - begin - (newline != NULL)), text->data + begin,
               newline ? "\xE2\x86\xB5" : "", newline ? "\n" : "");
    }
}

static void print_coloured(const struct session *session, const struct shown *shown)
{
    struct text_buffer text = {0};
    append_visibly(&text, shown->place, strlen(shown->place));
    printf("---- %.*s: %d tokens, %d trained\n", (int)text.length, text.data, shown->tokens, shown->trained);
    for (int t = 0; t < shown->tokens; t++) {
        const char *trained = t % 2 ? "\033[30;102m" : "\033[30;42m";
        const char *other = t % 2 ? "\033[90m" : "\033[2;37m";
        char style[32];
        snprintf(style, sizeof style, "%s%s", is_trained(shown, t) ? trained : other,
                 is_special(session, shown->ids[t]) ? "\033[4m" : "");
        text.length = 0;
        if (session->tokenizer) {
            struct view view = text_of(shown, t);
            append_visibly(&text, view.text, view.length);
        } else {
            char id[16];
            snprintf(id, sizeof id, "%d ", (int)shown->ids[t]);
            text_buffer_append_string(&text, id);
        }
        print_in_style(style, &text);
    }
    printf("\n");
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
    shown->text.length = 0;
    if (session->tokenizer && print != print_ids) /* which shows no text */
        tokenizer_decode_each(session->tokenizer, shown->ids, (size_t)shown->tokens, &shown->text, shown->end);
    print(session, shown);
    free(shown->place);
    return true;
}

static bool show_samples(const struct session *session, const struct dataset *data, const struct train_config *config,
                         bool json, struct error *err)
{
    size_t length = (size_t)config->max_length, size = length * sizeof(int32_t);
    struct shown shown = {.ids = allocate(size, "a sample"),
                          .labels = allocate(size, "a sample"),
                          .end = allocate(length * sizeof *shown.end, "a sample")};
    uint32_t samples = (uint32_t)data->samples, *order = allocate(samples * sizeof *order, "the order of samples");
    print_function *print = json ? print_ids : colours_are_wanted() ? print_coloured : print_line;
    sampler_order(order, samples, config->shuffle && !json, (uint64_t)config->seed, 0);
    bool ok = true;
    for (uint32_t i = 0; ok && i < samples; i++)
        ok = show_sample(session, data, (int)order[i], print, &shown, err);
    free(order);
    free(shown.ids);
    free(shown.labels);
    free(shown.end);
    text_buffer_free(&shown.text);
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
