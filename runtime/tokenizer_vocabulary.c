#include "tokenizer_vocabulary.h"

#include <stdlib.h>
#include <string.h>

enum { INSERTED_AT_ONCE = 64 };

static uint64_t load_bytes(const char *text, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, text, length); /* of constant length, once inlined */
    return word;
}

/* The last 1 to 8 bytes as a number; equal bytes of equal length give equal numbers, and nothing else does. */
static uint64_t load_tail(const char *text, size_t length)
{
    if (length == 8) {
        return load_bytes(text, 8);
    }
    if (length >= 4) {
        return load_bytes(text, 4) << 32 | load_bytes(text + length - 4, 4);
    }
    return (uint64_t)(unsigned char)text[0] << 16 | (uint64_t)(unsigned char)text[length / 2] << 8 |
           (unsigned char)text[length - 1];
}

uint64_t hash_bytes(const char *text, size_t length)
{
    const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = length * multiplier;
    for (; length > 8; text += 8, length -= 8) {
        hash = (hash ^ load_bytes(text, 8)) * multiplier;
        hash ^= hash >> 32;
    }
    if (length > 0) {
        hash = (hash ^ load_tail(text, length)) * multiplier;
        hash ^= hash >> 32;
    }
    return hash * multiplier >> 16;
}

bool vocabulary_is(const struct vocabulary *v, int32_t id, const char *text, size_t length)
{
    if (id < 0 || id >= v->size || v->entry[id].length != length) {
        return false;
    }
    return length == 0 || memcmp(v->arena.data + v->entry[id].offset, text, length) == 0;
}

/* The slot of a text, or the free one where it belongs. */
static struct vocabulary_slot *find_slot(const struct vocabulary *v, uint32_t hash, const char *text, size_t length)
{
    uint32_t i = hash & v->slot_mask;
    while (v->slots[i].id != 0 && !(v->slots[i].hash == hash && vocabulary_is(v, v->slots[i].id - 1, text, length))) {
        i = (i + 1) & v->slot_mask;
    }
    return &v->slots[i];
}

static bool insert_slot(struct vocabulary *v, uint32_t hash, int32_t id, struct error *err)
{
    const char *text = v->arena.data + v->entry[id].offset;
    size_t length = v->entry[id].length;
    struct vocabulary_slot *slot = find_slot(v, hash, text, length);
    if (slot->id != 0) {
        return error_set(err, "token '%.*s' stands twice, with ids %d and %d", length < 80 ? (int)length : 80, text,
                         slot->id - 1, id);
    }
    *slot = (struct vocabulary_slot){.hash = hash, .id = id + 1};
    return true;
}

/* Inserts ids [begin, end), announcing all their slots before the first is touched. */
static bool insert_range(struct vocabulary *v, int32_t begin, int32_t end, struct error *err)
{
    uint32_t hash[INSERTED_AT_ONCE];
    CHECK(end - begin <= INSERTED_AT_ONCE);
    for (int32_t id = begin; id < end; id++) {
        size_t length;
        const char *text = vocabulary_text(v, id, &length);
        hash[id - begin] = text ? (uint32_t)hash_bytes(text, length) : 0;
        __builtin_prefetch(&v->slots[hash[id - begin] & v->slot_mask], 1);
    }
    for (int32_t id = begin; id < end; id++) {
        if (v->entry[id].length != UINT32_MAX && !insert_slot(v, hash[id - begin], id, err)) {
            return false;
        }
    }
    return true;
}

bool vocabulary_index(struct vocabulary *v, struct error *err)
{
    size_t slots = 1024;
    while ((size_t)v->count > slots / 10 * 6) { /* room for some that are added later */
        slots *= 2;
    }
    free(v->slots);
    v->slots = allocate(slots * sizeof *v->slots, "the vocabulary's hash table");
    v->slot_mask = (uint32_t)(slots - 1);
    for (int32_t id = 0; id < v->size; id += INSERTED_AT_ONCE) {
        int32_t end = v->size - id < INSERTED_AT_ONCE ? v->size : id + INSERTED_AT_ONCE;
        if (!insert_range(v, id, end, err)) {
            return false;
        }
    }
    return true;
}

static void grow_ids(struct vocabulary *v, int32_t size)
{
    if (size > v->capacity) {
        int32_t capacity = v->capacity ? v->capacity : 512;
        while (capacity < size) {
            capacity *= 2;
        }
        v->entry = reallocate(v->entry, (size_t)capacity * sizeof *v->entry, "the vocabulary");
        v->capacity = capacity;
    }
    while (v->size < size) {
        v->entry[v->size++] = (struct vocabulary_entry){.length = UINT32_MAX};
    }
}

bool vocabulary_append(struct vocabulary *v, int64_t id, const char *text, size_t length, struct error *err)
{
    int shown = length < 80 ? (int)length : 80;
    if (id < 0 || id > LARGEST_TOKEN_ID) {
        return error_set(err, "token '%.*s' has id %lld; ids go from 0 to %d", shown, text, (long long)id,
                         LARGEST_TOKEN_ID);
    }
    if (v->arena.length + length > UINT32_MAX) {
        return error_set(err, "the vocabulary's texts are longer than 4 GiB together");
    }
    if (id < v->size && v->entry[id].length != UINT32_MAX) {
        return error_set(err, "id %lld is given to two tokens: '%.*s' and '%.*s'", (long long)id,
                         (int)v->entry[id].length, v->arena.data + v->entry[id].offset, shown, text);
    }
    grow_ids(v, (int32_t)id + 1);
    v->entry[id] = (struct vocabulary_entry){.offset = (uint32_t)v->arena.length, .length = (uint32_t)length};
    text_buffer_reserve(&v->arena, length + 1);
    text_buffer_append(&v->arena, text, length);
    v->count++;
    return true;
}

bool vocabulary_add(struct vocabulary *v, int64_t id, const char *text, size_t length, struct error *err)
{
    if (!vocabulary_append(v, id, text, length, err)) {
        return false;
    }
    bool full = !v->slots || (uint32_t)v->count > v->slot_mask / 10 * 7;
    return full ? vocabulary_index(v, err) : insert_slot(v, (uint32_t)hash_bytes(text, length), (int32_t)id, err);
}

int32_t vocabulary_find(const struct vocabulary *v, const char *text, size_t length)
{
    return v->slots ? find_slot(v, (uint32_t)hash_bytes(text, length), text, length)->id - 1 : -1;
}

void vocabulary_find_many(const struct vocabulary *v, struct vocabulary_search *search, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        search[i].hash = (uint32_t)hash_bytes(search[i].text, search[i].length);
        search[i].id = -1;
        if (v->slots) {
            __builtin_prefetch(&v->slots[search[i].hash & v->slot_mask]);
        }
    }
    if (!v->slots) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int32_t likely = v->slots[search[i].hash & v->slot_mask].id;
        search[i].id = likely > 0 ? likely - 1 : 0;
        __builtin_prefetch(&v->entry[search[i].id]);
    }
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(v->arena.data + v->entry[search[i].id].offset);
    }
    for (size_t i = 0; i < count; i++) {
        search[i].id = find_slot(v, search[i].hash, search[i].text, search[i].length)->id - 1;
    }
}

const char *vocabulary_text(const struct vocabulary *v, int32_t id, size_t *length)
{
    if (id < 0 || id >= v->size || v->entry[id].length == UINT32_MAX) {
        return NULL;
    }
    *length = v->entry[id].length;
    return v->arena.data ? v->arena.data + v->entry[id].offset : "";
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
    text_buffer_reserve(out, length);
    size_t count = 0;
    for (size_t i = 0; i < length;) {
        uint32_t c = utf8_next(text, &i);
        int byte = byte_of_character(c);
        if (byte < 0) {
            return false;
        }
        out->data[out->length + count++] = (char)byte;
    }
    out->length += count;
    return true;
}

void byte_level_encode(struct text_buffer *out, const char *bytes, size_t length)
{
    text_buffer_reserve(out, 2 * length); /* no character of the alphabet is longer */
    for (size_t i = 0; i < length; i++) {
        uint32_t c = byte_level_character((unsigned char)bytes[i]);
        if (c < 0x80) {
            out->data[out->length++] = (char)c;
        } else {
            out->data[out->length++] = (char)(0xC0 | c >> 6);
            out->data[out->length++] = (char)(0x80 | (c & 0x3F));
        }
    }
}

void vocabulary_free(struct vocabulary *v)
{
    text_buffer_free(&v->arena);
    free(v->entry);
    free(v->slots);
    *v = (struct vocabulary){0};
}
