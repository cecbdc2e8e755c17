#include "unicode.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void text_buffer_reserve(struct text_buffer *buffer, size_t extra)
{
    size_t wanted = buffer->length + extra;
    if (wanted <= buffer->capacity) {
        return;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < wanted) {
        capacity *= 2;
    }
    buffer->data = reallocate(buffer->data, capacity, "text");
    buffer->capacity = capacity;
}

void text_buffer_append(struct text_buffer *buffer, const char *text, size_t length)
{
    if (length == 0) {
        return;
    }
    text_buffer_reserve(buffer, length);
    memcpy(buffer->data + buffer->length, text, length);
    buffer->length += length;
}

void text_buffer_append_string(struct text_buffer *buffer, const char *text)
{
    text_buffer_append(buffer, text, strlen(text));
}

void text_buffer_append_code_point(struct text_buffer *buffer, uint32_t code_point)
{
    text_buffer_reserve(buffer, 4);
    buffer->length += utf8_encode(code_point, buffer->data + buffer->length);
}

void text_buffer_free(struct text_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct text_buffer){0};
}

uint32_t utf8_next(const char *text, size_t *position)
{
    const unsigned char *byte = (const unsigned char *)text + *position;
    if (byte[0] < 0x80) {
        *position += 1;
        return byte[0];
    }
    if (byte[0] < 0xE0) {
        *position += 2;
        return (byte[0] & 0x1Fu) << 6 | (byte[1] & 0x3Fu);
    }
    if (byte[0] < 0xF0) {
        *position += 3;
        return (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
    }
    *position += 4;
    return (byte[0] & 0x07u) << 18 | (byte[1] & 0x3Fu) << 12 | (byte[2] & 0x3Fu) << 6 | (byte[3] & 0x3Fu);
}

size_t utf8_previous(const char *text, size_t position)
{
    do {
        position--;
    } while (position > 0 && ((unsigned char)text[position] & 0xC0) == 0x80);
    return position;
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

/* How many bytes at `byte` (at most `left`) belong together: a whole code point (*valid true) or the longest start of one. The
 * range of the second byte excludes overlong forms, surrogates and what lies above U+10FFFF (Unicode, table 3-7). */
static size_t sequence_length(const unsigned char *byte, size_t left, bool *valid)
{
    unsigned char lead = byte[0];
    *valid = lead < 0x80;
    if (lead < 0xC2 || lead > 0xF4) {
        return 1;
    }
    size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < length; i++) {
        if (i == left || byte[i] < low || byte[i] > high) {
            return i;
        }
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return length;
}

size_t utf8_valid_length(const char *text, size_t length)
{
    size_t position = 0;
    while (position < length) {
        if (length - position >= 8) {
            uint64_t word;
            memcpy(&word, text + position, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                position += 8;
                continue;
            }
        }
        bool valid;
        unsigned char lead = (unsigned char)text[position];
        if (lead < 0x80 || (lead >= 0xC2 && lead < 0xE0 && length - position >= 2 &&
                            ((unsigned char)text[position + 1] & 0xC0) == 0x80)) {
            position += lead < 0x80 ? 1 : 2;
            continue;
        }
        size_t n = sequence_length((const unsigned char *)text + position, length - position, &valid);
        if (!valid) {
            return position;
        }
        position += n;
    }
    return position;
}

void utf8_append_lossy(struct text_buffer *out, const char *text, size_t length)
{
    while (length > 0) {
        size_t good = utf8_valid_length(text, length);
        text_buffer_append(out, text, good);
        text += good;
        length -= good;
        if (length > 0) {
            bool valid;
            size_t bad = sequence_length((const unsigned char *)text, length, &valid);
            text_buffer_append_code_point(out, 0xFFFD);
            text += bad;
            length -= bad;
        }
    }
}

bool unicode_is_white_space(uint32_t c)
{
    if (c < 0x80) {
        return c == ' ' || (c >= 0x09 && c <= 0x0D);
    }
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

bool unicode_is_python_space(uint32_t c)
{
    return unicode_is_white_space(c) || (c >= 0x1C && c <= 0x1F);
}

bool code_ranges_have(const struct code_range *ranges, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c > ranges[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && c >= ranges[low].first;
}

/* Numbers of Unicode 16 and 17, which utf8proc (15) does not have. */
static const struct code_range newer_numbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                                  {0x11DE0, 0x11DE9}, {0x16130, 0x16139}, {0x16D70, 0x16D79},
                                                  {0x16FF4, 0x16FF6}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};

bool unicode_is_numeric(uint32_t c)
{
    if (c < 0x80) {
        return c >= '0' && c <= '9';
    }
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    bool is_number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
    return is_number || code_ranges_have(newer_numbers, sizeof newer_numbers / sizeof *newer_numbers, c);
}

/* Punctuation that came, or became punctuation, after Unicode 8. */
static const struct code_range newer_punctuation[] = {
    {0x61D, 0x61D},     {0x9FD, 0x9FD},     {0xA76, 0xA76},     {0xC77, 0xC77},     {0xC84, 0xC84},
    {0x1B7D, 0x1B7E},   {0x2E43, 0x2E4F},   {0x2E52, 0x2E5D},   {0x10EAD, 0x10EAD}, {0x10F55, 0x10F59},
    {0x10F86, 0x10F89}, {0x1144B, 0x1144F}, {0x1145A, 0x1145B}, {0x1145D, 0x1145D}, {0x11660, 0x1166C},
    {0x116B9, 0x116B9}, {0x1183B, 0x1183B}, {0x11944, 0x11946}, {0x119E2, 0x119E2}, {0x11A3F, 0x11A46},
    {0x11A9A, 0x11A9C}, {0x11A9E, 0x11AA2}, {0x11B00, 0x11B09}, {0x11C41, 0x11C45}, {0x11C70, 0x11C71},
    {0x11EF7, 0x11EF8}, {0x11F43, 0x11F4F}, {0x11FFF, 0x11FFF}, {0x12FF1, 0x12FF2}, {0x16E97, 0x16E9A},
    {0x16FE2, 0x16FE2}, {0x1E95E, 0x1E95F}};

bool unicode_is_punctuation(uint32_t c)
{
    if (c < 0x80) {
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    }
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    bool is_punctuation = category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
    if (!is_punctuation) {
        return c == 0x166D || c == 0x111C9; /* so in Unicode 8 */
    }
    return !code_ranges_have(newer_punctuation, sizeof newer_punctuation / sizeof *newer_punctuation, c);
}

bool unicode_is_control(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    bool is_joiner = c == 0x200C || c == 0x200D;
    return category == UTF8PROC_CATEGORY_CC || (category == UTF8PROC_CATEGORY_CF && !is_joiner) ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool unicode_is_word(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) {
        return true; /* letters, marks, decimal digits and letter numbers follow each other in utf8proc's order */
    }
    bool circled_letter = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                          (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    return category == UTF8PROC_CATEGORY_PC || circled_letter || c == 0x200C || c == 0x200D;
}
