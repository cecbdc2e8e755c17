#include "tokenizer_command.h"

#include "chat_format_messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tokenize {
    const struct chat_format *format;
    struct tokenizer *tokenizer;
    struct text_buffer line, text, answer;
    struct chat_messages messages;
    struct ids ids;
};

/* Reads up to the next newline, however long; false at the end of the input. */
static bool read_line(FILE *in, struct text_buffer *line)
{
    line->length = 0;
    int c;
    while ((c = getc(in)) != EOF && c != '\n') {
        text_buffer_append(line, &(char){(char)c}, 1);
    }
    return line->length > 0 || c == '\n';
}

static void write_ids(const struct ids *ids, struct text_buffer *answer)
{
    text_buffer_append_string(answer, "[");
    for (size_t i = 0; i < ids->count; i++) {
        char number[16];
        snprintf(number, sizeof number, i ? ", %d" : "%d", (int)ids->id[i]);
        text_buffer_append_string(answer, number);
    }
    text_buffer_append_string(answer, "]");
}

static bool encode_conversation(struct tokenize *t, struct json_cursor *cursor, struct error *err)
{
    if (!t->format || !t->format->name) {
        return error_set(err,
                         "%s: messages need a chat format, and the recipe has none: give it one (chat = ...), or send "
                         "texts as JSON strings",
                         cursor->name);
    }
    if (!chat_messages_read(cursor, &t->messages, err) || !json_cursor_end(cursor, err)) {
        return false;
    }
    struct chat_conversation conversation = chat_messages_conversation(&t->messages);
    size_t count = conversation.count;
    bool answered = count > 0 && strcmp(conversation.messages[count - 1].role, "assistant") == 0;
    struct error cause;
    return chat_format_encode(t->format, t->tokenizer, &conversation, !answered, &t->ids, NULL, &cause) ||
           error_set(err, "%s: %s", cursor->name, cause.text);
}

static bool encode_line(struct tokenize *t, struct json_cursor *cursor, struct error *err)
{
    t->ids.count = 0;
    t->text.length = 0;
    char first = json_cursor_peek(cursor);
    if (first == '[' || first == '{') {
        if (!encode_conversation(t, cursor, err)) {
            return false;
        }
    } else if (first == '"') {
        struct error cause;
        if (!json_cursor_string(cursor, &t->text, err) || !json_cursor_end(cursor, err)) {
            return false;
        }
        if (!tokenizer_encode(t->tokenizer, t->text.data ? t->text.data : "", t->text.length, true, &t->ids, &cause)) {
            return error_set(err, "%s: %s", cursor->name, cause.text);
        }
    } else {
        return error_set(err, "%s: expected a JSON string, an array of messages, or an object with messages",
                         cursor->name);
    }
    write_ids(&t->ids, &t->answer);
    return true;
}

static bool decode_line(struct tokenize *t, struct json_cursor *cursor, struct error *err)
{
    t->ids.count = 0;
    t->text.length = 0;
    bool more, first = true, ok = json_cursor_take(cursor, '[', err);
    while (ok && (ok = json_cursor_more(cursor, ']', first, &more, err)) && more) {
        int64_t id;
        size_t length;
        first = false;
        ok = json_cursor_integer(cursor, &id, err);
        if (ok && (id < 0 || id > INT32_MAX || !tokenizer_token(t->tokenizer, (int32_t)id, &length))) {
            ok = error_set(err, "%s: no token has id %lld; ids go up to %d", cursor->name, (long long)id,
                           (int)tokenizer_vocabulary_size(t->tokenizer) - 1);
        }
        if (ok) {
            ids_push(&t->ids, (int32_t)id, 0);
        }
    }
    if (!ok || !json_cursor_end(cursor, err)) {
        return false;
    }
    tokenizer_decode(t->tokenizer, t->ids.id, t->ids.count, false, &t->text);
    json_append_string(&t->answer, t->text.data ? t->text.data : "", t->text.length);
    return true;
}

static bool run(struct tokenize *t, bool decode, FILE *in, FILE *out, struct error *err)
{
    for (size_t number = 1; read_line(in, &t->line); number++) {
        char name[48];
        snprintf(name, sizeof name, "line %zu of the input", number);
        struct json_cursor cursor = json_cursor_begin(name, t->line.data ? t->line.data : "", t->line.length);
        if (json_cursor_peek(&cursor) == '\0' && cursor.position == cursor.length) {
            return error_set(err, "%s is empty: expected %s; remove it, or write %s for nothing", name,
                             decode ? "a JSON array of ids" : "a JSON string, or messages", decode ? "[]" : "\"\"");
        }
        t->answer.length = 0;
        if (!(decode ? decode_line(t, &cursor, err) : encode_line(t, &cursor, err))) {
            return false;
        }
        text_buffer_append_string(&t->answer, "\n");
        if (fwrite(t->answer.data, 1, t->answer.length, out) != t->answer.length || fflush(out) != 0) {
            return error_set(err, "the output cannot be written: %s", strerror(errno));
        }
    }
    return !ferror(in) || error_set(err, "the input cannot be read: %s", strerror(errno));
}

bool command_tokenize(const struct chat_format *format, const char *model_dir, bool decode, FILE *in, FILE *out,
                      struct error *err)
{
    struct tokenize t = {.format = format, .tokenizer = tokenizer_load(model_dir, err)};
    bool ok = t.tokenizer && run(&t, decode, in, out, err);
    tokenizer_free(t.tokenizer);
    chat_messages_free(&t.messages);
    ids_free(&t.ids);
    text_buffer_free(&t.line);
    text_buffer_free(&t.text);
    text_buffer_free(&t.answer);
    return ok;
}
