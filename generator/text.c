#include "text.h"
#include "../runtime/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    text->capacity = needed < 256 ? 256 : needed + needed / 2;
    text->bytes = reallocate(text->bytes, text->capacity, "text");
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    reserve(text, (size_t)length);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

void text_add_number(struct text *text, long long number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", number < 0 ? -number : number);
    if (number < 0)
        text_add(text, "-");
    for (int i = 0; i < length; i++)
        text_add(text, "%c%s", digits[i], (length - i) % 3 == 1 && i + 1 < length ? "," : "");
}

void text_trim(struct text *text)
{
    while (text->length > 0 && text->bytes[text->length - 1] == ' ')
        text->bytes[--text->length] = 0;
}

char *text_take(struct text *text)
{
    reserve(text, 0);
    text->bytes[text->length] = 0;
    char *bytes = text->bytes;
    *text = (struct text){0};
    return bytes;
}
