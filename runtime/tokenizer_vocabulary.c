#include "tokenizer_vocabulary.h"

#include <stdlib.h>
#include <string.h>

uint64_t hash_bytes(const char *text, size_t length)
{
    const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = length * multiplier;
    while (length > 0) {
        uint64_t word = 0;
        size_t n = length < 8 ? length : 8;
        memcpy(&word, text, n);
        hash = (hash ^ word) * multiplier;
        hash ^= hash >> 32;
        text += n;
        length -= n;
    }
    return hash * multiplier >> 16;
}

static void insert_slot(struct vocabulary *v, uint32_t hash, int32_t id)
{
    uint32_t i = hash & v->slot_mask;
    while (v->slots[i].id != 0) {
        i = (i + 1) & v->slot_mask;
    }
    v->slots[i] = (struct vocabulary_slot){.hash = hash, .id = id + 1};
}

static void grow_slots(struct vocabulary *v)
{
    struct vocabulary_slot *old = v->slots;
    size_t old_count = old ? (size_t)v->slot_mask + 1 : 0;
    size_t count = old_count ? 2 * old_count : 1024;
    v->slots = allocate(count * sizeof *v->slots, "the vocabulary's hash table");
    v->slot_mask = (uint32_t)(count - 1);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].id != 0) {
            insert_slot(v, old[i].hash, old[i].id - 1);
        }
    }
    free(old);
}

static void grow_ids(struct vocabulary *v, int32_t size)
{
    if (size > v->capacity) {
        int32_t capacity = v->capacity ? v->capacity : 512;
        while (capacity < size) {
            capacity *= 2;
        }
        v->offset = reallocate(v->offset, (size_t)capacity * sizeof *v->offset, "the vocabulary");
        v->length = reallocate(v->length, (size_t)capacity * sizeof *v->length, "the vocabulary");
        v->capacity = capacity;
    }
    while (v->size < size) {
        v->length[v->size] = UINT32_MAX;
        v->offset[v->size++] = 0;
    }
}

bool vocabulary_add(struct vocabulary *v, int64_t id, const char *text, size_t length, struct error *err)
{
    int shown = length < 80 ? (int)length : 80;
    if (id < 0 || id > LARGEST_TOKEN_ID) {
        return error_set(err, "token '%.*s' has id %lld; ids go from 0 to %d", shown, text, (long long)id,
                         LARGEST_TOKEN_ID);
    }
    if (v->arena.length + length > UINT32_MAX) {
        return error_set(err, "the vocabulary's texts are longer than 4 GiB together");
    }
    if (id < v->size && v->length[id] != UINT32_MAX) {
        return error_set(err, "id %lld is given to two tokens: '%.*s' and '%.*s'", (long long)id, (int)v->length[id],
                         v->arena.data + v->offset[id], shown, text);
    }
    if (vocabulary_find(v, text, length) >= 0) {
        return error_set(err, "token '%.*s' stands twice, with ids %d and %lld", shown, text,
                         vocabulary_find(v, text, length), (long long)id);
    }
    grow_ids(v, (int32_t)id + 1);
    v->offset[id] = (uint32_t)v->arena.length;
    v->length[id] = (uint32_t)length;
    text_buffer_append(&v->arena, text, length);
    if (!v->slots || (uint32_t)v->count + 1 > v->slot_mask / 10 * 7) {
        grow_slots(v);
    }
    insert_slot(v, (uint32_t)hash_bytes(text, length), (int32_t)id);
    v->count++;
    return true;
}

int32_t vocabulary_find(const struct vocabulary *v, const char *text, size_t length)
{
    if (!v->slots) {
        return -1;
    }
    uint32_t hash = (uint32_t)hash_bytes(text, length);
    for (uint32_t i = hash & v->slot_mask; v->slots[i].id != 0; i = (i + 1) & v->slot_mask) {
        int32_t id = v->slots[i].id - 1;
        if (v->slots[i].hash == hash && v->length[id] == length &&
            (length == 0 || memcmp(v->arena.data + v->offset[id], text, length) == 0)) {
            return id;
        }
    }
    return -1;
}

const char *vocabulary_text(const struct vocabulary *v, int32_t id, size_t *length)
{
    if (id < 0 || id >= v->size || v->length[id] == UINT32_MAX) {
        return NULL;
    }
    *length = v->length[id];
    return v->arena.data ? v->arena.data + v->offset[id] : "";
}

static bool is_printable_byte(unsigned char byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

uint32_t byte_level_character(unsigned char byte)
{
    if (is_printable_byte(byte)) {
        return byte;
    }
    return byte <= 0x20 ? 0x100u + byte : byte <= 0xA0 ? 0x100u + 33 + (byte - 0x7Fu) : 0x100u + 67;
}

/* The byte behind a character of the alphabet, or -1. */
static int byte_of_character(uint32_t c)
{
    if (c < 0x100) {
        return is_printable_byte((unsigned char)c) ? (int)c : -1;
    }
    c -= 0x100;
    return c <= 0x20 ? (int)c : c < 67 ? (int)(c - 33 + 0x7F) : c == 67 ? 0xAD : -1;
}

bool byte_level_decode(struct text_buffer *out, const char *text, size_t length)
{
    out->length = 0;
    for (size_t i = 0; i < length;) {
        int byte = byte_of_character(utf8_next(text, &i));
        if (byte < 0) {
            return false;
        }
        text_buffer_append(out, &(char){(char)byte}, 1);
    }
    return true;
}

void vocabulary_decode_bytes(struct vocabulary *raw, const struct vocabulary *spelled)
{
    struct text_buffer bytes = {0};
    for (int32_t id = 0; id < spelled->size; id++) {
        size_t length;
        const char *text = vocabulary_text(spelled, id, &length);
        struct error err;
        if (text && byte_level_decode(&bytes, text, length)) {
            CHECK(vocabulary_add(raw, id, bytes.data ? bytes.data : "", bytes.length, &err));
        }
    }
    text_buffer_free(&bytes);
}

void vocabulary_free(struct vocabulary *v)
{
    text_buffer_free(&v->arena);
    free(v->offset);
    free(v->length);
    free(v->slots);
    *v = (struct vocabulary){0};
}
