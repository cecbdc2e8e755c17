#include "unicode_mapped.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

uint32_t text_view_origin(const struct text_view *view, size_t position)
{
    return view->origin ? view->origin[position] : view->first_origin + (uint32_t)position;
}

struct text_view text_view_slice(const struct text_view *view, size_t begin, size_t end)
{
    return (struct text_view){
        .text = view->text + begin,
        .length = end - begin,
        .origin = view->origin ? view->origin + begin : NULL,
        .first_origin = view->first_origin + (uint32_t)begin,
    };
}

struct text_view mapped_text_view(const struct mapped_text *text)
{
    return (struct text_view){.text = text->text.data, .length = text->text.length, .origin = text->origin};
}

void mapped_text_clear(struct mapped_text *text)
{
    text->text.length = 0;
}

static uint32_t *extend(struct mapped_text *out, size_t extra)
{
    text_buffer_reserve(&out->text, extra + 1);
    if (out->origin_capacity < out->text.capacity) {
        out->origin_capacity = out->text.capacity;
        out->origin = reallocate(out->origin, out->origin_capacity * sizeof *out->origin, "text origins");
    }
    return out->origin + out->text.length;
}

void mapped_text_copy(struct mapped_text *out, const struct text_view *from, size_t begin, size_t end)
{
    size_t length = end - begin;
    uint32_t *origin = extend(out, length);
    if (from->origin) {
        memcpy(origin, from->origin + begin, length * sizeof *origin);
    } else {
        for (size_t i = 0; i < length; i++) {
            origin[i] = from->first_origin + (uint32_t)(begin + i);
        }
    }
    text_buffer_append(&out->text, from->text + begin, length);
}

void mapped_text_insert(struct mapped_text *out, const char *text, size_t length, uint32_t origin)
{
    uint32_t *to = extend(out, length);
    for (size_t i = 0; i < length; i++) {
        to[i] = origin;
    }
    text_buffer_append(&out->text, text, length);
}

void mapped_text_free(struct mapped_text *text)
{
    text_buffer_free(&text->text);
    free(text->origin);
    *text = (struct mapped_text){0};
}
