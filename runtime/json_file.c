#define _POSIX_C_SOURCE 200809L

#include "json_file.h"

#include "output_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *read_whole_file(const char *path, size_t *size, struct error *err)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &status)) {
        error_set(err, "%s: cannot be read: %s", path, strerror(errno));
        if (file)
            fclose(file);
        return NULL;
    }
    size_t length = 0, room = (S_ISREG(status.st_mode) ? (size_t)status.st_size : 0) + 4096;
    char *text = allocate(room, "a file");
    for (size_t got; (got = fread(text + length, 1, room - length - 1, file)) > 0;) {
        length += got;
        if (length + 1 == room)
            text = reallocate(text, room *= 2, "a file");
    }
    if (ferror(file)) {
        error_set(err, "%s: cannot be read: %s", path, strerror(errno));
        free(text);
        text = NULL;
    } else {
        text[length] = '\0';
        if (size)
            *size = length;
    }
    fclose(file);
    return text;
}

cJSON *json_read(const char *path, struct error *err)
{
    size_t size;
    char *text = read_whole_file(path, &size, err);
    if (!text)
        return NULL;
    const char *end = text;
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    while (json && end < text + size && strchr(" \t\r\n", *end) && *end)
        end++;
    if (!json || end != text + size) {
        int line = 1;
        for (const char *c = text; c < end && c < text + size; c++)
            line += *c == '\n';
        error_set(err, "%s:%d: %s", path, line,
                  size == 0 ? "JSON is expected, the file is empty" : "not valid JSON from here on");
        cJSON_Delete(json);
        json = NULL;
    }
    free(text);
    return json;
}

struct text {
    char *start;
    size_t length, room;
};

static void append(struct text *text, const char *piece)
{
    size_t length = strlen(piece);
    if (text->length + length + 1 > text->room)
        text->start = reallocate(text->start, text->room = 2 * (text->length + length + 1), "JSON text");
    memcpy(text->start + text->length, piece, length + 1);
    text->length += length;
}

static void append_line(struct text *text, int depth)
{
    append(text, "\n");
    for (int i = 0; i < depth; i++)
        append(text, "  ");
}

static void append_scalar(struct text *text, const cJSON *json)
{
    char *piece = cJSON_PrintUnformatted(json);
    CHECK(piece);
    append(text, piece);
    cJSON_free(piece);
}

static void append_key(struct text *text, const char *key)
{
    cJSON *name = cJSON_CreateString(key);
    append_scalar(text, name);
    append(text, ": ");
    cJSON_Delete(name);
}

static void append_json(struct text *text, const cJSON *json, int depth)
{
    bool object = cJSON_IsObject(json);
    if (!object && !cJSON_IsArray(json)) {
        append_scalar(text, json);
        return;
    }
    append(text, object ? "{" : "[");
    for (const cJSON *child = json->child; child; child = child->next) {
        append_line(text, depth + 1);
        if (object)
            append_key(text, child->string);
        append_json(text, child, depth + 1);
        if (child->next)
            append(text, ",");
    }
    if (json->child)
        append_line(text, depth);
    append(text, object ? "}" : "]");
}

char *json_print(const cJSON *json)
{
    struct text text = {0};
    append_json(&text, json, 0);
    append(&text, "\n");
    return text.start;
}

bool json_write(const char *path, const cJSON *json, struct error *err)
{
    char *text = json_print(json);
    bool written = output_write_file(path, text, strlen(text), err);
    free(text);
    return written;
}
