#include "dataset.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A stored word is a token's id, and in its highest bit whether the token is trained. */
static const uint32_t TRAINED = 1u << 31;

void dataset_free(struct dataset *data)
{
    token_store_free(&data->store);
    free(data->sample);
    free(data->formats);
    free(data->files);
    *data = (struct dataset){0};
}

static void reserve(struct dataset *data)
{
    if (data->samples < data->capacity)
        return;
    data->capacity = data->capacity > INT_MAX / 2 ? INT_MAX : 2 * data->capacity + 64;
    data->sample = reallocate(data->sample, (size_t)data->capacity * sizeof *data->sample, "the training data");
}

static uint64_t fnv1a(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ words[i]) * 0x100000001b3u;
    return hash;
}

/* Whether the words alone tell the labels. */
static bool labels_are_ids(const int32_t *ids, const int32_t *labels, int tokens)
{
    for (int t = 0; t < tokens; t++) {
        if (labels[t] != ids[t] && labels[t] != IGNORED_LABEL)
            return false;
    }
    return true;
}

static bool append(struct dataset *data, const uint32_t *words, int count, struct error *err)
{
    data->fingerprint = fnv1a(data->fingerprint, words, (size_t)count);
    return token_store_append(&data->store, words, (size_t)count, err);
}

bool dataset_add(struct dataset *data, struct dataset_sample sample, const int32_t *ids, const int32_t *labels,
                 struct error *err)
{
    if (data->samples == INT_MAX)
        return error_set(err, "%s: more than %d samples", data->files[sample.file], INT_MAX);
    uint32_t *words = allocate((size_t)sample.tokens * sizeof *words, "a sample's tokens"),
             length = (uint32_t)sample.tokens;
    sample.start = data->store.count;
    sample.labels_stored = !labels_are_ids(ids, labels, sample.tokens);
    sample.trained = 0;
    for (int t = 0; t < sample.tokens; t++) {
        bool trained = labels[t] != IGNORED_LABEL;
        words[t] = (uint32_t)ids[t] | (trained ? TRAINED : 0);
        sample.trained += t > 0 && trained;
    }
    data->fingerprint = fnv1a(data->fingerprint ? data->fingerprint : 0xcbf29ce484222325u, &length, 1);
    bool ok = append(data, words, sample.tokens, err) &&
              (!sample.labels_stored || append(data, (const uint32_t *)labels, sample.tokens, err));
    free(words);
    if (!ok)
        return false;
    reserve(data);
    data->sample[data->samples++] = sample;
    data->report.samples++;
    data->report.tokens += sample.tokens;
    data->report.trained += sample.trained;
    return true;
}

bool dataset_read(const struct dataset *data, int sample, int32_t *ids, int32_t *labels, struct error *err)
{
    const struct dataset_sample *from = &data->sample[sample];
    size_t tokens = (size_t)from->tokens;
    if (!token_store_read(&data->store, from->start, tokens, (uint32_t *)ids, err) ||
        (from->labels_stored && !token_store_read(&data->store, from->start + tokens, tokens, (uint32_t *)labels, err)))
        return false;
    for (size_t t = 0; t < tokens; t++) {
        uint32_t word = (uint32_t)ids[t];
        ids[t] = (int32_t)(word & ~TRAINED);
        if (!from->labels_stored)
            labels[t] = word & TRAINED ? ids[t] : IGNORED_LABEL;
    }
    return true;
}

void dataset_expect(const struct dataset *data, int sample)
{
    const struct dataset_sample *from = &data->sample[sample];
    token_store_expect(&data->store, from->start, (size_t)from->tokens * (from->labels_stored ? 2 : 1));
}

char *dataset_place(const struct dataset *data, int sample)
{
    return format_text("%s:%d", data->files[data->sample[sample].file], (int)data->sample[sample].line);
}
