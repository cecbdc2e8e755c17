#include "golden_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void require(bool ok, const struct error *err)
{
    if (!ok) {
        fail_msg("%s", err->text);
    }
}

static void read_ids(struct json_cursor *cursor, struct ids *ids)
{
    struct error err;
    bool more, first = true;
    ids->count = 0;
    require(json_cursor_take(cursor, '[', &err), &err);
    for (;; first = false) {
        int64_t id;
        require(json_cursor_more(cursor, ']', first, &more, &err), &err);
        if (!more) {
            return;
        }
        require(json_cursor_integer(cursor, &id, &err), &err);
        ids_push(ids, (int32_t)id, 0);
    }
}

static void read_field(struct golden_row *row, const char *key, struct json_cursor *cursor)
{
    struct error err;
    struct text_buffer *text = strcmp(key, "text") == 0      ? &row->text
                               : strcmp(key, "decoded") == 0 ? &row->decoded
                               : strcmp(key, "plain") == 0   ? &row->plain
                                                             : NULL;
    if (text) {
        text->length = 0;
        require(json_cursor_string(cursor, text, &err), &err);
    } else if (strcmp(key, "messages") == 0) {
        struct json_cursor whole = json_cursor_begin(cursor->name, cursor->text, cursor->length);
        require(chat_messages_read(&whole, &row->messages, &err) && json_cursor_skip(cursor, &err), &err);
    } else if (strcmp(key, "tools") == 0) { /* read with the messages */
        require(json_cursor_skip(cursor, &err), &err);
    } else if (strcmp(key, "ids") == 0 || strcmp(key, "bare") == 0) {
        read_ids(cursor, key[0] == 'i' ? &row->ids : &row->bare);
    } else {
        row->add_generation_prompt = json_cursor_peek(cursor) == 't';
        require(json_cursor_skip(cursor, &err), &err);
    }
}

bool golden_row_read(FILE *file, struct golden_row *row)
{
    struct error err;
    row->line.length = 0;
    int c;
    while ((c = getc(file)) != EOF && c != '\n') {
        text_buffer_append(&row->line, &(char){(char)c}, 1);
    }
    if (row->line.length == 0) {
        return false;
    }
    struct json_cursor cursor = json_cursor_begin("golden", row->line.data, row->line.length);
    bool more, first = true;
    require(json_cursor_take(&cursor, '{', &err), &err);
    for (;; first = false) {
        require(json_cursor_more(&cursor, '}', first, &more, &err), &err);
        if (!more) {
            return true;
        }
        row->key.length = 0;
        require(json_cursor_string(&cursor, &row->key, &err), &err);
        text_buffer_append(&row->key, "", 1);
        require(json_cursor_take(&cursor, ':', &err), &err);
        read_field(row, row->key.data, &cursor);
    }
}

void golden_row_free(struct golden_row *row)
{
    text_buffer_free(&row->line);
    text_buffer_free(&row->key);
    text_buffer_free(&row->text);
    text_buffer_free(&row->decoded);
    text_buffer_free(&row->plain);
    ids_free(&row->ids);
    ids_free(&row->bare);
    chat_messages_free(&row->messages);
}

void assert_same_ids(const struct ids *found, const struct ids *wanted, const struct text_buffer *text)
{
    size_t i = 0;
    while (i < found->count && i < wanted->count && found->id[i] == wanted->id[i]) {
        i++;
    }
    if (i < found->count || i < wanted->count) {
        fail_msg("'%.*s': %zu ids, wanted %zu; the first difference is at %zu: %d, wanted %d", (int)text->length,
                 text->data, found->count, wanted->count, i, i < found->count ? (int)found->id[i] : -1,
                 i < wanted->count ? (int)wanted->id[i] : -1);
    }
}

void assert_same_text(const struct text_buffer *found, const struct text_buffer *wanted)
{
    if (found->length != wanted->length || (found->length && memcmp(found->data, wanted->data, found->length) != 0)) {
        fail_msg("'%.*s', wanted '%.*s'", (int)found->length, found->data, (int)wanted->length, wanted->data);
    }
}
