/* The command generate: one reply to a prompt.
 *
 * The prompt is one of: --prompt, one user's message in the recipe's chat format (where the recipe has none, plain text as with
 * --raw); --messages, a JSON file with an array of messages, or an object that has one under "messages" and perhaps a list of
 * tools (chat_format_messages.h); --raw, text as the tokenizer encodes it, post-processor included; --prompt-ids, token ids with
 * commas between them.
 * The text appears on stdout as it is made, with a newline behind it on a terminal only. --json prints one object instead: text,
 * tokens (how many were made, the one that ended the reply included), ids, finish_reason ("stop", "length"), prompt_tokens,
 * prompt_tokens_per_second, decode_tokens_per_second.
 */
#define _POSIX_C_SOURCE 200809L
#include "chat_format_messages.h"
#include "commands.h"
#include "generator.h"
#include "json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the user asks for. */
struct request {
    struct ids prompt;
    bool continues; /* the reply goes on with the prompt's text */
    bool chat;      /* the prompt is in the chat format */
};

static const char *const SOURCES[] = {"prompt", "messages", "raw", "prompt-ids"};
enum { SOURCE_COUNT = sizeof SOURCES / sizeof *SOURCES };

static bool is_given(const struct options *options, const char *name)
{
    return option_declared(options, name) && option_given(options, name);
}

static bool check_one_source(const struct options *options, struct error *err)
{
    int given = 0;
    for (int i = 0; i < SOURCE_COUNT; i++)
        given += is_given(options, SOURCES[i]);
    return given == 1 || error_usage(err, "expected one of --prompt, --messages, --raw and --prompt-ids, found %s",
                                     given ? "several" : "none");
}

static bool has_chat_format(const struct session *session)
{
    return session->program->chat && session->program->chat->name;
}

static bool encode_conversation(struct request *request, const struct session *session,
                                const struct chat_conversation *conversation, struct error *err)
{
    request->chat = true;
    return chat_format_encode(session->program->chat, session->tokenizer, conversation, true, &request->prompt, NULL,
                              err);
}

/* The file's conversation, rendered. */
static bool encode_file(struct request *request, const struct session *session, const char *path,
                        struct chat_messages *messages, struct error *err)
{
    size_t length;
    char *text = read_whole_file(path, &length, err);
    struct json_cursor cursor = json_cursor_begin(path, text, text ? length : 0);
    bool ok = text && chat_messages_read(&cursor, messages, err) && json_cursor_end(&cursor, err);
    free(text);
    if (!ok)
        return false;
    const struct chat_conversation conversation = chat_messages_conversation(messages);
    struct error cause = {.exit_code = EXIT_FAILED};
    return encode_conversation(request, session, &conversation, &cause) || error_set(err, "%s: %s", path, cause.text);
}

static bool read_messages(struct request *request, const struct session *session, const char *path, struct error *err)
{
    if (!has_chat_format(session))
        return error_set(err, "--messages needs a chat format, and the recipe has none: give it one (chat = ...), or "
                              "use --raw");
    struct chat_messages messages = {0};
    bool ok = encode_file(request, session, path, &messages, err);
    chat_messages_free(&messages);
    return ok;
}

static bool encode_prompt(struct request *request, const struct session *session, const char *text, struct error *err)
{
    const struct chat_message message = {.role = "user", .content = text, .length = strlen(text)};
    const struct chat_conversation conversation = {.messages = &message, .count = 1};
    if (!has_chat_format(session)) {
        fprintf(stderr, "the recipe has no chat format: the prompt is taken as plain text, as with --raw\n");
        request->continues = true;
        return tokenizer_encode(session->tokenizer, text, strlen(text), true, &request->prompt, err);
    }
    return encode_conversation(request, session, &conversation, err);
}

/* "1, 2,3" */
static bool read_ids(struct request *request, const char *text, struct error *err)
{
    request->continues = true;
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        long id = strtol(at, &end, 10);
        if (end == at || errno || id < 0 || id > INT32_MAX || (*end && *end != ','))
            return error_usage(err, "--prompt-ids: expected token ids with commas between them, found '%.40s'", at);
        ids_push(&request->prompt, (int32_t)id, 0);
        if (!*end)
            return true;
        at = end;
    }
}

static bool read_request(struct request *request, const struct session *session, const struct options *options,
                         struct error *err)
{
    if (is_given(options, "prompt-ids"))
        return read_ids(request, option_text(options, "prompt-ids"), err);
    if (!session->tokenizer)
        return error_set(err, "%s has no tokenizer.json: text cannot be read; use --prompt-ids", session->model);
    if (option_given(options, "messages"))
        return read_messages(request, session, option_text(options, "messages"), err);
    if (option_given(options, "prompt"))
        return encode_prompt(request, session, option_text(options, "prompt"), err);
    const char *raw = option_text(options, "raw");
    request->continues = true;
    return tokenizer_encode(session->tokenizer, raw, strlen(raw), true, &request->prompt, err);
}

static void write_text(void *context, const char *text, size_t length)
{
    (void)context;
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

static double per_second(int count, double seconds)
{
    return seconds > 0 ? count / seconds : 0;
}

static void print_json(const struct reply *reply)
{
    cJSON *json = cJSON_CreateObject();
    char *text = format_text("%.*s", (int)reply->text.length, reply->text.data ? reply->text.data : "");
    cJSON_AddStringToObject(json, "text", text);
    cJSON_AddNumberToObject(json, "tokens", reply->count);
    cJSON_AddItemToObject(json, "ids", cJSON_CreateIntArray(reply->ids, reply->count));
    cJSON_AddStringToObject(json, "finish_reason", finish_name(reply->finish));
    cJSON_AddNumberToObject(json, "prompt_tokens", reply->prompt_tokens);
    cJSON_AddNumberToObject(json, "prompt_tokens_per_second", per_second(reply->prompt_tokens, reply->prompt_seconds));
    cJSON_AddNumberToObject(json, "decode_tokens_per_second", per_second(reply->decoded, reply->decode_seconds));
    char *line = cJSON_PrintUnformatted(json);
    CHECK(line);
    printf("%s\n", line);
    cJSON_free(line);
    free(text);
    cJSON_Delete(json);
}

/* Without a tokenizer the reply is its ids. */
static void print_plain_end(const struct session *session, const struct reply *reply)
{
    for (int i = 0; !session->tokenizer && i < reply->count; i++)
        printf("%s%d", i ? "," : "", (int)reply->ids[i]);
    if (!session->tokenizer || isatty(STDOUT_FILENO))
        printf("\n");
}

static bool generate(struct session *session, const struct request *request, const struct options *options,
                     struct error *err)
{
    struct generation_config config;
    struct generator generator;
    struct reply reply;
    bool json = option_bool(options, "json");
    if (!generation_config_read(&config, session, options, request->chat, err))
        return false;
    generator_init(&generator, session, &config);
    bool ok = generator_reply(&generator, request->prompt.id, (int)request->prompt.count, request->continues,
                              json ? NULL : write_text, NULL, &reply, err);
    if (ok && json)
        print_json(&reply);
    else if (ok)
        print_plain_end(session, &reply);
    reply_free(&reply);
    generator_free(&generator);
    generation_config_free(&config);
    return ok;
}

int command_generate(const struct options *options, struct error *err)
{
    struct session session = {0};
    struct request request = {0};
    err->exit_code = EXIT_FAILED;
    bool ok = check_one_source(options, err) && session_begin(&session, options, err) &&
              read_request(&request, &session, options, err) &&
              generator_check(session.program, request.prompt.id, (int)request.prompt.count, err) &&
              session_load_adapter(&session, options, USE_GENERATE, err) && generate(&session, &request, options, err);
    ids_free(&request.prompt);
    session_close(&session);
    return ok ? EXIT_DONE : err->exit_code;
}
