#include "generator.h"

#include "interrupt.h"
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A reply's text on its way out. */
struct writer {
    struct tokenizer *tokenizer; /* NULL: no text */
    struct token_stream stream;
    const struct generation_config *config;
    struct text_buffer *text; /* the reply's */
    size_t shown;             /* bytes that the sink has */
    bool stopped;             /* at a stop text */
    text_sink *sink;
    void *sink_context;
};

void generator_init(struct generator *generator, const struct session *session, const struct generation_config *config)
{
    const struct program *program = session->program;
    *generator = (struct generator){.session = session, .config = config};
    generator->logits = allocate((size_t)program->model.vocab_size * sizeof *generator->logits, "logits");
    generator->context = allocate((size_t)program->max_context * sizeof *generator->context, "the context");
    token_sampler_init(&generator->sampler, &config->sampling, program->model.vocab_size);
}

void generator_free(struct generator *generator)
{
    token_sampler_free(&generator->sampler);
    free(generator->logits);
    free(generator->context);
    *generator = (struct generator){0};
}

void reply_free(struct reply *reply)
{
    free(reply->ids);
    text_buffer_free(&reply->text);
    *reply = (struct reply){0};
}

const char *finish_name(enum finish_reason finish)
{
    return finish == FINISH_STOP ? "stop" : finish == FINISH_LENGTH ? "length" : "interrupted";
}

/* Cuts the text at a stop text, if one has come. */
static void cut_at_stop(struct writer *writer)
{
    struct text_buffer *text = writer->text;
    for (int i = 0; i < writer->config->stop_text_count; i++) {
        const char *stop = writer->config->stop_texts[i];
        size_t length = strlen(stop);
        for (size_t at = writer->shown; at + length <= text->length; at++) {
            if (memcmp(text->data + at, stop, length) == 0) {
                text->length = at;
                writer->stopped = true;
            }
        }
    }
}

/* Bytes at the end of the text that may be the beginning of a stop text. */
static size_t held_back(const struct writer *writer)
{
    const struct text_buffer *text = writer->text;
    size_t held = 0;
    for (int i = 0; i < writer->config->stop_text_count; i++) {
        const char *stop = writer->config->stop_texts[i];
        size_t longest = strlen(stop) - 1, unseen = text->length - writer->shown;
        for (size_t length = longest < unseen ? longest : unseen; length > held; length--) {
            if (memcmp(text->data + text->length - length, stop, length) == 0)
                held = length;
        }
    }
    return held;
}

static void show(struct writer *writer, bool last)
{
    cut_at_stop(writer);
    size_t until = writer->text->length - (last || writer->stopped ? 0 : held_back(writer));
    if (until > writer->shown && writer->sink)
        writer->sink(writer->sink_context, writer->text->data + writer->shown, until - writer->shown);
    if (until > writer->shown)
        writer->shown = until;
}

/* What the prompt says is known already; the stream only has to know what the reply follows. */
static void pass_prompt(struct writer *writer, const int32_t *prompt, int count)
{
    struct text_buffer ignored = {0};
    for (int i = 0; writer->tokenizer && i < count; i++)
        tokenizer_stream_push(writer->tokenizer, &writer->stream, prompt[i], &ignored);
    text_buffer_free(&ignored);
}

static void write_token(struct writer *writer, int32_t id)
{
    if (!writer->tokenizer)
        return;
    tokenizer_stream_push(writer->tokenizer, &writer->stream, id, writer->text);
    show(writer, false);
}

static void end_text(struct writer *writer)
{
    if (writer->tokenizer && !writer->stopped)
        tokenizer_stream_end(writer->tokenizer, &writer->stream, writer->text);
    show(writer, true);
    tokenizer_stream_free(&writer->stream);
}

bool generator_check(const struct program *program, const int32_t *prompt, int count, struct error *err)
{
    if (count == 0)
        return error_set(err, "the prompt has no tokens; give it some text");
    if (count > program->max_context)
        return error_set(err,
                         "the prompt has %d tokens, more than the context of %d that this program was compiled for; "
                         "shorten it, or raise inference.max_context in %s",
                         count, program->max_context, program->recipe);
    for (int i = 0; i < count; i++) {
        if (prompt[i] < 0 || prompt[i] >= program->model.vocab_size)
            return error_set(err, "the prompt's token %d is %d; expected 0 to %d", i + 1, (int)prompt[i],
                             program->model.vocab_size - 1);
    }
    return true;
}

static void extend(struct generator *generator, const int32_t *ids, int count)
{
    const struct session *session = generator->session;
    session->backend->extend(session->device, ids, count, generator->logits);
    memcpy(generator->context + generator->length, ids, (size_t)count * sizeof *ids);
    generator->length += count;
}

/* Brings the cache from the context it holds to the prompt; the last token is always computed, for its logits. */
static void take_prompt(struct generator *generator, const int32_t *prompt, int count, struct reply *reply)
{
    int same = 0;
    while (same < generator->length && same < count - 1 && generator->context[same] == prompt[same])
        same++;
    double began = seconds_now();
    if (same < generator->length)
        generator->session->backend->rewind(generator->session->device, same);
    generator->length = same;
    extend(generator, prompt + same, count - same);
    reply->prompt_tokens = count - same;
    reply->prompt_seconds = seconds_now() - began;
}

/* Damaged weights show here first: nothing can be drawn from such logits. */
static bool check_logits(const struct generator *generator, struct error *err)
{
    const struct session *session = generator->session;
    for (int i = 0; i < session->program->model.vocab_size; i++)
        if (!isfinite(generator->logits[i]))
            return error_set(err,
                             "the logits after %d tokens are not finite numbers: are the weights of %s damaged, or the "
                             "adapter's?",
                             generator->length, session->model);
    return true;
}

/* Draws and writes the next token; true where the reply ends with it. */
static bool next_token(struct generator *generator, struct writer *writer, struct reply *reply)
{
    const struct generation_config *config = generator->config;
    int32_t id = token_sampler_draw(&generator->sampler, generator->logits, generator->length);
    reply->ids[reply->count++] = id;
    if (generation_stops_at(config, id)) {
        reply->finish = FINISH_STOP;
        return true;
    }
    token_sampler_note(&generator->sampler, &id, 1);
    write_token(writer, id);
    reply->finish = writer->stopped ? FINISH_STOP : FINISH_LENGTH;
    if (writer->stopped || reply->count == config->max_new_tokens ||
        generator->length == generator->session->program->max_context)
        return true;
    reply->finish = FINISH_INTERRUPTED;
    if (interrupt_seen())
        return true;
    double began = seconds_now();
    extend(generator, &id, 1);
    reply->decode_seconds += seconds_now() - began;
    reply->decoded++;
    return false;
}

bool generator_reply(struct generator *generator, const int32_t *prompt, int count, bool continues, text_sink *sink,
                     void *sink_context, struct reply *reply, struct error *err)
{
    const struct program *program = generator->session->program;
    *reply = (struct reply){0};
    if (!generator_check(program, prompt, count, err))
        return false;
    struct writer writer = {
        .tokenizer = generator->session->tokenizer,
        .stream = {.skip_special_tokens = true},
        .config = generator->config,
        .text = &reply->text,
        .sink = sink,
        .sink_context = sink_context,
    };
    int room = program->max_context - count + 1;
    int most = generator->config->max_new_tokens < room ? generator->config->max_new_tokens : room;
    reply->ids = allocate((size_t)most * sizeof *reply->ids, "a reply");
    take_prompt(generator, prompt, count, reply);
    token_sampler_forget(&generator->sampler);
    token_sampler_note(&generator->sampler, prompt, count);
    pass_prompt(&writer, prompt, continues ? count : 0);
    bool finite;
    while ((finite = check_logits(generator, err)) && !next_token(generator, &writer, reply))
        ;
    end_text(&writer);
    return finite;
}
