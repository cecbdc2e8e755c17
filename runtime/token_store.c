#define _POSIX_C_SOURCE 200809L
#include "token_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t DEFAULT_LIMIT = 256 << 20, FIRST = 1 << 16 /* words */, WRITE_BUFFER = 4 << 20;

static const char *directory(void)
{
    const char *named = getenv("TMPDIR");
    return named && named[0] ? named : "/var/tmp";
}

static bool make_file(struct token_store *store, struct error *err)
{
    char *path = format_text("%s/lorac-tokens-XXXXXX", directory());
    int file = mkstemp(path);
    if (file >= 0) {
        unlink(path);
        store->file = file + 1;
    } else {
        error_set(err,
                  "%s: cannot make a temporary file for the data's tokens: %s; set TMPDIR to a directory with room",
                  directory(), strerror(errno));
    }
    free(path);
    return file >= 0;
}

/* Moves what is in memory to the file. */
static bool spill(struct token_store *store, struct error *err)
{
    if (!store->file && !make_file(store, err))
        return false;
    const char *from = (const char *)store->words;
    size_t left = (store->count - store->written) * sizeof *store->words;
    while (left > 0) {
        ssize_t wrote = write(store->file - 1, from, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return error_set(
                err,
                "%s: cannot write the data's tokens to a temporary file (%zu MiB so far): %s; set TMPDIR to a "
                "directory with room",
                directory(), store->written * sizeof *store->words >> 20, strerror(errno));
        from += wrote;
        left -= (size_t)wrote;
    }
    store->written = store->count;
    return true;
}

/* Bytes that may be held in memory: a file that is being written needs no more than a buffer. */
static size_t limit_of(const struct token_store *store)
{
    size_t limit = store->memory_limit ? store->memory_limit : DEFAULT_LIMIT;
    return store->file && limit > WRITE_BUFFER ? WRITE_BUFFER : limit;
}

static void resize(struct token_store *store, size_t capacity)
{
    store->words = reallocate(store->words, capacity * sizeof *store->words, "the training data");
    store->capacity = capacity;
}

bool token_store_append(struct token_store *store, const uint32_t *words, size_t count, struct error *err)
{
    size_t limit = limit_of(store) / sizeof *words, held = store->count - store->written;
    if (held > 0 && held + count > limit) {
        if (!spill(store, err))
            return false;
        held = 0;
        limit = limit_of(store) / sizeof *words;
        if (store->capacity > limit)
            resize(store, limit);
    }
    if (held + count > store->capacity) {
        size_t twice = store->capacity ? 2 * store->capacity : FIRST;
        twice = twice > limit ? limit : twice;
        resize(store, held + count > twice ? held + count : twice);
    }
    memcpy(store->words + held, words, count * sizeof *words);
    store->count += count;
    return true;
}

static bool read_file(const struct token_store *store, size_t first, size_t count, uint32_t *out, struct error *err)
{
    char *to = (char *)out;
    off_t at = (off_t)(first * sizeof *out);
    size_t left = count * sizeof *out;
    while (left > 0) {
        ssize_t got = pread(store->file - 1, to, left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, "%s: cannot read the data's tokens back from their temporary file: %s", directory(),
                             got < 0 ? strerror(errno) : "it is shorter than what was written");
        to += got;
        at += got;
        left -= (size_t)got;
    }
    return true;
}

bool token_store_read(const struct token_store *store, size_t first, size_t count, uint32_t *out, struct error *err)
{
    CHECK(first <= store->count && count <= store->count - first);
    size_t on_disk = first >= store->written ? 0 : store->written - first;
    on_disk = on_disk < count ? on_disk : count;
    if (on_disk > 0 && !read_file(store, first, on_disk, out, err))
        return false;
    if (count > on_disk)
        memcpy(out + on_disk, store->words + (first + on_disk - store->written), (count - on_disk) * sizeof *out);
    return true;
}

void token_store_expect(const struct token_store *store, size_t first, size_t count)
{
    if (first < store->written)
        posix_fadvise(store->file - 1, (off_t)(first * sizeof *store->words), (off_t)(count * sizeof *store->words),
                      POSIX_FADV_WILLNEED);
}

void token_store_free(struct token_store *store)
{
    if (store->file)
        close(store->file - 1);
    free(store->words);
    *store = (struct token_store){.memory_limit = store->memory_limit};
}
