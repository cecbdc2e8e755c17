#include "messages.h"
#include "../runtime/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
    return strcpy(allocate(strlen(text) + 1, "a string"), text);
}

static void append(char ***items, int *count, char *text)
{
    *items = reallocate(*items, (size_t)(*count + 1) * sizeof **items, "a list of strings");
    (*items)[(*count)++] = text;
}

void string_list_add(struct string_list *list, const char *text)
{
    append(&list->items, &list->count, copy_text(text));
}

void string_list_free(struct string_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

void message_add(struct messages *messages, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    char *text = allocate((size_t)length + 1, "a message");
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    for (int i = 0; i < messages->count; i++) {
        if (strcmp(messages->lines[i], text) == 0) {
            free(text);
            return;
        }
    }
    append(&messages->lines, &messages->count, text);
}

/* The number in "path:7: ..."; 0 where a message has none. */
static long line_number(const char *message)
{
    for (const char *colon = strchr(message, ':'); colon; colon = strchr(colon + 1, ':')) {
        char *end;
        long line = strtol(colon + 1, &end, 10);
        if (end > colon + 1 && *end == ':')
            return line;
    }
    return 0;
}

/* By insertion, so that messages of one line keep the order in which they were found. */
static void sort_by_line(struct messages *messages)
{
    for (int i = 1; i < messages->count; i++) {
        char *message = messages->lines[i];
        int j = i;
        for (; j > 0 && line_number(messages->lines[j - 1]) > line_number(message); j--)
            messages->lines[j] = messages->lines[j - 1];
        messages->lines[j] = message;
    }
}

void messages_print(struct messages *messages, FILE *out)
{
    sort_by_line(messages);
    for (int i = 0; i < messages->count; i++)
        fprintf(out, "%s\n", messages->lines[i]);
    fprintf(out, "lorac: %d mistake%s, nothing written\n", messages->count, messages->count == 1 ? "" : "s");
}

void messages_free(struct messages *messages)
{
    for (int i = 0; i < messages->count; i++)
        free(messages->lines[i]);
    free(messages->lines);
    *messages = (struct messages){0};
}
