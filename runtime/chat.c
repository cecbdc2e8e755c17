/* The command chat: a conversation in the terminal.
 *
 * A line is a message; /reset begins anew, /help tells the commands, /exit or the end of the input leaves. Ctrl-C stops a reply, and
 * leaves where none is being written. The conversation so far stays in the KV cache: each turn computes what is new.
 */
#define _POSIX_C_SOURCE 200809L
#include "chat_format_messages.h"
#include "commands.h"
#include "generator.h"
#include "interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A conversation; contents are owned. */
struct conversation {
    const struct session *session;
    struct generator *generator;
    struct chat_messages messages;
    size_t kept; /* turns that /reset keeps: the system message */
    bool terminal;
};

static void add_turn(struct conversation *conversation, const char *role, const char *text, size_t length)
{
    struct chat_messages *messages = &conversation->messages;
    chat_messages_add(messages, role, chat_messages_own(messages, format_text("%.*s", (int)length, text)), length);
}

static void cut_turns(struct conversation *conversation, size_t count)
{
    struct chat_messages *messages = &conversation->messages;
    while (messages->count > count) {
        messages->count--;
        free(messages->owned[--messages->owned_count]);
    }
}

static void write_text(void *context, const char *text, size_t length)
{
    (void)context;
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

/* Whether the conversation leaves room for a reply. */
static bool check_room(const struct conversation *conversation, size_t tokens, struct error *err)
{
    int context = conversation->session->program->max_context;
    if (tokens < (size_t)context)
        return true;
    return error_set(err,
                     "the conversation has %zu tokens and fills the context of %d: the last message was not taken; "
                     "/reset begins anew",
                     tokens, context);
}

/* Replies to the conversation's last message; on failure that message is taken back. */
static bool reply_to(struct conversation *conversation, struct error *err)
{
    const struct session *session = conversation->session;
    const struct chat_conversation messages = chat_messages_conversation(&conversation->messages);
    struct ids prompt = {0};
    struct reply reply = {0};
    interrupt_clear();
    bool ok =
        chat_format_encode(session->program->chat, session->tokenizer, &messages, true, &prompt, NULL, err) &&
        check_room(conversation, prompt.count, err) &&
        generator_reply(conversation->generator, prompt.id, (int)prompt.count, false, write_text, NULL, &reply, err);
    if (ok) {
        const char *note = reply.finish == FINISH_INTERRUPTED ? " [stopped]"
                           : reply.finish == FINISH_LENGTH    ? " [cut: --max-new-tokens or the context is reached]"
                                                              : "";
        printf("%s\n", conversation->terminal ? note : "");
        add_turn(conversation, "assistant", reply.text.data ? reply.text.data : "", reply.text.length);
    } else {
        cut_turns(conversation, conversation->messages.count - 1);
    }
    fflush(stdout);
    interrupt_clear();
    reply_free(&reply);
    ids_free(&prompt);
    return ok;
}

static void say_help(void)
{
    fputs("a line is a message to the model\n"
          "/reset  forgets the conversation\n"
          "/help   these lines\n"
          "/exit   leaves, as the end of the input does\n"
          "Ctrl-C stops a reply\n",
          stderr);
}

/* One line of input; false where it asks to leave. */
static bool take_line(struct conversation *conversation, const char *line)
{
    struct error err = {0};
    if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0)
        return false;
    if (strcmp(line, "/help") == 0) {
        say_help();
    } else if (strcmp(line, "/reset") == 0) {
        cut_turns(conversation, conversation->kept);
        fputs("the conversation begins anew\n", stderr);
    } else if (line[0] == '/' && !strchr(line, ' ')) {
        fprintf(stderr, "unknown command %s; /help lists them\n", line);
    } else if (line[strspn(line, " \t")]) {
        add_turn(conversation, "user", line, strlen(line));
        if (!reply_to(conversation, &err))
            fprintf(stderr, "%s\n", err.text);
    }
    return true;
}

static int converse(struct conversation *conversation)
{
    char *line = NULL;
    size_t capacity = 0;
    bool going = true;
    while (going) {
        if (conversation->terminal) {
            fputs("> ", stderr);
            fflush(stderr);
        }
        ssize_t length = getline(&line, &capacity, stdin);
        if (length < 0)
            break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        going = take_line(conversation, line);
    }
    free(line);
    if (!interrupt_seen())
        return EXIT_DONE;
    fputc('\n', stderr);
    return EXIT_INTERRUPTED;
}

static bool check_chat(const struct session *session, struct error *err)
{
    if (!session->program->chat || !session->program->chat->name)
        return error_set(err, "the recipe has no chat format: give it one (chat = ...), or use generate --raw");
    return session->tokenizer ||
           error_set(err, "%s has no tokenizer.json, without which there is no text", session->model);
}

static bool chat(struct session *session, const struct options *options, int *code, struct error *err)
{
    struct generation_config config;
    struct generator generator;
    struct conversation conversation = {.session = session, .generator = &generator};
    const char *system = option_text(options, "system");
    if (!generation_config_read(&config, session, options, true, err))
        return false;
    generator_init(&generator, session, &config);
    conversation.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (system)
        add_turn(&conversation, "system", system, strlen(system));
    conversation.kept = conversation.messages.count;
    session_check_template(session);
    if (conversation.terminal)
        say_help();
    interrupt_watch();
    *code = converse(&conversation);
    interrupt_unwatch();
    chat_messages_free(&conversation.messages);
    generator_free(&generator);
    generation_config_free(&config);
    return true;
}

int command_chat(const struct options *options, struct error *err)
{
    struct session session = {0};
    int code = EXIT_FAILED;
    err->exit_code = EXIT_FAILED;
    bool ok = session_begin(&session, options, err) && check_chat(&session, err) &&
              session_load_adapter(&session, options, USE_GENERATE, err) && chat(&session, options, &code, err);
    session_close(&session);
    return ok ? code : err->exit_code;
}
