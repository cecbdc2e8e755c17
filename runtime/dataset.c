#include "dataset.h"

#include "dataset_encode.h"
#include "dataset_reader.h"
#include "sampler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sample that --max-samples may choose. */
struct located_item {
    struct data_item item;
    int file;
};

/* A load under way. */
struct loading {
    struct dataset *data;
    const struct dataset_request *request;
    struct data_reader *readers;  /* [file_count] */
    enum data_format *formats;    /* [file_count] */
    struct located_item *located; /* [located_count] where max_samples is given */
    size_t located_count, located_capacity;
    size_t token_capacity, sample_capacity;
    struct encoded encoded;
};

static char *place_of(const struct loading *loading, int file, int line)
{
    return format_text("%s:%d", loading->request->files[file], line);
}

static void reserve(struct loading *loading, size_t tokens)
{
    struct dataset *data = loading->data;
    size_t wanted = data->starts[data->samples] + tokens;
    if (wanted > loading->token_capacity) {
        size_t capacity = wanted + wanted / 2;
        data->ids = reallocate(data->ids, capacity * sizeof *data->ids, "the training data");
        data->labels = reallocate(data->labels, capacity * sizeof *data->labels, "the training data");
        loading->token_capacity = capacity;
    }
    if ((size_t)data->samples + 2 > loading->sample_capacity) {
        size_t capacity = 2 * ((size_t)data->samples + 2);
        data->starts = reallocate(data->starts, capacity * sizeof *data->starts, "the training data");
        data->first_labels = reallocate(data->first_labels, capacity * sizeof *data->first_labels, "the training data");
        data->origins = reallocate(data->origins, capacity * sizeof *data->origins, "the training data");
        loading->sample_capacity = capacity;
    }
}

/* Truncates, shifts the labels and keeps the sample, or drops it. */
static void keep_sample(struct loading *loading, int file, int line)
{
    const struct encoded *encoded = &loading->encoded;
    struct dataset *data = loading->data;
    struct dataset_report *report = &data->report;
    int length = encoded->count, trained = 0;
    report->longest = length > report->longest ? length : report->longest;
    report->truncated += length > loading->request->max_length;
    length = length > loading->request->max_length ? loading->request->max_length : length;
    for (int t = 1; t < length; t++)
        trained += encoded->labels[t] != IGNORED_LABEL;
    if (trained == 0) {
        report->dropped++;
        return;
    }
    reserve(loading, (size_t)length);
    size_t start = data->starts[data->samples];
    memcpy(data->ids + start, encoded->ids, (size_t)length * sizeof *data->ids);
    memcpy(data->labels + start, encoded->labels + 1, (size_t)(length - 1) * sizeof *data->labels);
    data->labels[start + (size_t)length - 1] = IGNORED_LABEL;
    data->first_labels[data->samples] = encoded->labels[0];
    data->origins[data->samples] = (struct sample_origin){file, line};
    data->starts[++data->samples] = start + (size_t)length;
    report->samples++;
    report->tokens += length;
    report->trained += trained;
}

static bool take_sample(struct loading *loading, int file, int line, const cJSON *json, struct error *err)
{
    char *where = place_of(loading, file, line);
    bool ok = sample_encode(&loading->encoded, loading->request, loading->formats[file], json, where, err);
    free(where);
    if (ok)
        keep_sample(loading, file, line);
    return ok;
}

static void locate(struct loading *loading, int file, const struct data_item *item)
{
    if (loading->located_count == loading->located_capacity) {
        loading->located_capacity = 2 * loading->located_capacity + 64;
        loading->located =
            reallocate(loading->located, loading->located_capacity * sizeof *loading->located, "the places of samples");
    }
    loading->located[loading->located_count++] = (struct located_item){*item, file};
}

/* The first sample tells the file's form; the others must agree. */
static bool check_format(struct loading *loading, int file, int line, bool first, const cJSON *json, struct error *err)
{
    enum data_format format;
    char *where = place_of(loading, file, line);
    bool ok = data_format_recognise(&format, &loading->request->fields, json, where, err);
    if (ok && !first && format != loading->formats[file])
        ok = error_set(err, "%s: a file holds one data format: expected %s as above, found %s; split the file", where,
                       data_format_name(loading->formats[file]), data_format_name(format));
    if (ok)
        loading->formats[file] = format;
    free(where);
    return ok;
}

static bool load_item(struct loading *loading, int file, const struct data_item *item, bool first, struct error *err)
{
    cJSON *json = data_item_parse(&loading->readers[file], item, err);
    bool ok = json && check_format(loading, file, item->line, first, json, err);
    if (ok && loading->request->max_samples > 0)
        locate(loading, file, item);
    else if (ok)
        ok = take_sample(loading, file, item->line, json, err);
    cJSON_Delete(json);
    return ok;
}

static void describe_file(struct loading *loading, int file, long long samples)
{
    struct dataset *data = loading->data;
    char *formats =
        format_text("%s%s: %s, %lld sample%s\n", data->formats ? data->formats : "", loading->request->files[file],
                    data_format_name(loading->formats[file]), samples, samples == 1 ? "" : "s");
    free(data->formats);
    data->formats = formats;
}

static bool load_file(struct loading *loading, int file, struct error *err)
{
    struct data_reader *reader = &loading->readers[file];
    struct data_item item;
    long long samples = 0;
    if (!data_reader_open(reader, loading->request->files[file], err))
        return false;
    while (data_reader_next(reader, &item, err)) {
        if (!load_item(loading, file, &item, samples++ == 0, err))
            return false;
    }
    if (err->text[0])
        return false;
    if (samples == 0)
        return error_set(err, "%s: the file holds no samples", loading->request->files[file]);
    describe_file(loading, file, samples);
    return true;
}

/* Encodes the samples that the seeded shuffle puts first. */
static bool load_selection(struct loading *loading, struct error *err)
{
    const struct dataset_request *request = loading->request;
    uint32_t count = (uint32_t)loading->located_count;
    uint32_t wanted = (long long)count < request->max_samples ? count : (uint32_t)request->max_samples;
    uint32_t *order = allocate(count * sizeof *order, "the order of samples");
    sampler_order(order, count, request->shuffle, (uint64_t)request->seed, SAMPLER_SELECTION);
    bool ok = true;
    for (uint32_t i = 0; ok && i < wanted; i++) {
        const struct located_item *chosen = &loading->located[order[i]];
        cJSON *json = data_item_parse(&loading->readers[chosen->file], &chosen->item, err);
        ok = json && take_sample(loading, chosen->file, chosen->item.line, json, err);
        cJSON_Delete(json);
    }
    free(order);
    return ok;
}

static bool check_any(const struct dataset *data, const struct dataset_request *request, struct error *err)
{
    if (data->samples > 0)
        return true;
    return error_set(err,
                     "%s%s: no token to train within max_length %d in any of its samples (%lld): are there assistant "
                     "turns, or labels other than -100?",
                     request->files[0], request->file_count > 1 ? " and the other files" : "", request->max_length,
                     data->report.dropped);
}

bool dataset_load(struct dataset *data, const struct dataset_request *request, struct error *err)
{
    size_t files = (size_t)request->file_count;
    struct dataset_request complete = *request;
    struct loading loading = {.data = data, .request = &complete};
    data_fields_complete(&complete.fields);
    *data = (struct dataset){.files = allocate(files * sizeof *data->files, "data files")};
    memcpy(data->files, request->files, files * sizeof *data->files);
    loading.readers = allocate(files * sizeof *loading.readers, "data files");
    loading.formats = allocate(files * sizeof *loading.formats, "data files");
    data->starts = allocate(2 * sizeof *data->starts, "the training data");
    bool ok = true;
    for (int file = 0; ok && file < request->file_count; file++)
        ok = load_file(&loading, file, err);
    if (ok && request->max_samples > 0)
        ok = load_selection(&loading, err);
    ok = ok && check_any(data, request, err);
    for (size_t file = 0; file < files; file++)
        data_reader_close(&loading.readers[file]);
    free(loading.readers);
    free(loading.formats);
    free(loading.located);
    encoded_free(&loading.encoded);
    if (!ok)
        dataset_free(data);
    return ok;
}

void dataset_free(struct dataset *data)
{
    free(data->ids);
    free(data->labels);
    free(data->starts);
    free(data->first_labels);
    free(data->origins);
    free(data->formats);
    free(data->files);
    *data = (struct dataset){0};
}

char *dataset_place(const struct dataset *data, int sample)
{
    struct sample_origin origin = data->origins[sample];
    return format_text("%s:%d", data->files[origin.file], origin.line);
}

char *dataset_report_json(const struct dataset_report *report)
{
    return format_text("{\"samples\":%lld,\"tokens\":%lld,\"trained_tokens\":%lld,\"truncated\":%lld,\"dropped\":%lld,"
                       "\"longest\":%d}",
                       report->samples, report->tokens, report->trained, report->truncated, report->dropped,
                       report->longest);
}

static uint64_t fnv1a(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

uint64_t dataset_fingerprint(const struct dataset *data)
{
    uint64_t hash = 0xcbf29ce484222325u;
    size_t tokens = data->starts[data->samples];
    hash = fnv1a(hash, data->ids, tokens * sizeof *data->ids);
    hash = fnv1a(hash, data->labels, tokens * sizeof *data->labels);
    return fnv1a(hash, data->starts, ((size_t)data->samples + 1) * sizeof *data->starts);
}
