#include "dataset.h"
#include "dataset_encode.h"
#include "dataset_reader.h"
#include "sampler.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t NOT_CHOSEN = UINT32_MAX;

/* A load under way. */
struct loading {
    struct dataset *data;
    const struct dataset_request *request;
    enum data_format *formats; /* [file_count] */
    bool counting;             /* samples are checked and counted, not encoded */
    long long seen;            /* samples of all files, in this pass */
    long long counted;         /* the same in the pass before */
    uint32_t *ranks; /* [of all samples] the place of each in the order that max_samples takes, or NOT_CHOSEN; NULL: all
                                  are taken, in the files' order */
    uint32_t *kept_ranks;      /* [of the samples kept] */
    struct json_object sample; /* the one that is being read */
    struct encoded encoded;
};

/* ---- one sample ---- */

static int trained_labels(const struct encoded *encoded, int from, int to)
{
    int trained = 0;
    for (int t = from; t < to; t++)
        trained += encoded->labels[t] != IGNORED_LABEL;
    return trained;
}

/* Truncates and keeps the sample, or drops it. */
static bool keep_sample(struct loading *loading, struct dataset_sample sample, uint32_t rank, struct error *err)
{
    const struct encoded *encoded = &loading->encoded;
    struct dataset_report *report = &loading->data->report;
    int max_length = loading->request->max_length;
    bool cut = encoded->count > max_length;
    sample.tokens = cut ? max_length : encoded->count;
    dataset_report_length(report, encoded->count);
    report->truncated += cut;
    if (trained_labels(encoded, 1, sample.tokens) == 0) {
        report->dropped++;
        report->cut_off += trained_labels(encoded, sample.tokens, encoded->count) > 0;
        return true;
    }
    if (loading->kept_ranks)
        loading->kept_ranks[loading->data->samples] = rank;
    return dataset_add(loading->data, sample, encoded->ids, encoded->labels, err);
}

/* The first sample tells the file's form; the others must agree. */
static bool check_format(struct loading *loading, int file, bool first, const char *where, struct error *err)
{
    enum data_format format;
    if (!data_format_recognise(&format, &loading->request->fields, &loading->sample, where, err))
        return false;
    if (!first && format != loading->formats[file])
        return error_set(err, "%s: a file holds one data format: expected %s as above, found %s; split the file", where,
                         data_format_name(loading->formats[file]), data_format_name(format));
    loading->formats[file] = format;
    return true;
}

static bool load_item(struct loading *loading, const struct data_reader *reader, int file, bool first,
                      const struct data_item *item, struct error *err)
{
    if (loading->ranks && loading->seen >= loading->counted)
        return error_set(err, "%s: the file changed while it was read", reader->path);
    uint32_t rank = loading->ranks ? loading->ranks[loading->seen] : 0;
    if (rank == NOT_CHOSEN)
        return true;
    if (!data_item_read(reader, item, &loading->sample, err))
        return false;
    char *where = format_text("%s:%d", reader->path, item->line);
    struct dataset_sample sample = {.line = item->line, .file = (unsigned)file};
    bool ok = check_format(loading, file, first, where, err);
    if (ok && !loading->counting)
        ok = sample_encode(&loading->encoded, loading->request, loading->formats[file], &loading->sample, where, err) &&
             keep_sample(loading, sample, rank, err);
    free(where);
    return ok;
}

/* ---- files ---- */

static void describe_file(struct loading *loading, int file, long long samples)
{
    struct dataset *data = loading->data;
    char *formats =
        format_text("%s%s: %s, %lld sample%s\n", data->formats ? data->formats : "", loading->request->files[file],
                    data_format_name(loading->formats[file]), samples, samples == 1 ? "" : "s");
    free(data->formats);
    data->formats = formats;
}

/* In the second of two passes formats are known. */
static bool load_items(struct loading *loading, struct data_reader *reader, int file, long long *samples,
                       struct error *err)
{
    struct data_item item;
    while (data_reader_next(reader, &item, err)) {
        if (!load_item(loading, reader, file, *samples == 0 && !loading->ranks, &item, err))
            return false;
        loading->seen++;
        ++*samples;
    }
    return !err->text[0];
}

static bool load_file(struct loading *loading, int file, struct error *err)
{
    struct data_reader reader;
    long long samples = 0;
    if (!data_reader_open(&reader, loading->request->files[file], err))
        return false;
    bool ok = load_items(loading, &reader, file, &samples, err);
    data_reader_close(&reader);
    if (ok && samples == 0)
        ok = error_set(err, "%s: the file holds no samples", loading->request->files[file]);
    if (ok && !loading->ranks)
        describe_file(loading, file, samples);
    return ok;
}

static bool load_files(struct loading *loading, struct error *err)
{
    loading->seen = 0;
    for (int file = 0; file < loading->request->file_count; file++) {
        if (!load_file(loading, file, err))
            return false;
    }
    return true;
}

/* ---- --max-samples ---- */

/* The samples that the seeded shuffle puts first get their rank in it. */
static void choose(struct loading *loading, uint32_t count, uint32_t wanted)
{
    const struct dataset_request *request = loading->request;
    uint32_t *order = allocate(count * sizeof *order, "the order of samples");
    loading->ranks = allocate(count * sizeof *loading->ranks, "the order of samples");
    loading->kept_ranks = allocate(wanted * sizeof *loading->kept_ranks, "the order of samples");
    sampler_order(order, count, request->shuffle, (uint64_t)request->seed, SAMPLER_SELECTION);
    for (uint32_t i = 0; i < count; i++)
        loading->ranks[order[i]] = i < wanted ? i : NOT_CHOSEN;
    free(order);
}

/* Brings the samples kept, which came in the files' order, into that of their ranks. */
static void sort_by_rank(struct loading *loading, uint32_t wanted)
{
    struct dataset *data = loading->data;
    struct dataset_sample *of_rank = allocate(wanted * sizeof *of_rank, "the order of samples");
    for (int s = 0; s < data->samples; s++)
        of_rank[loading->kept_ranks[s]] = data->sample[s];
    int kept = 0;
    for (uint32_t rank = 0; rank < wanted; rank++) {
        if (of_rank[rank].tokens > 0)
            data->sample[kept++] = of_rank[rank];
    }
    CHECK(kept == data->samples);
    free(of_rank);
}

static bool load_selection(struct loading *loading, struct error *err)
{
    loading->counting = true;
    if (!load_files(loading, err))
        return false;
    long long count = loading->seen, wanted = loading->request->max_samples;
    if (count >= NOT_CHOSEN)
        return error_set(err, "%s: more than 2^32 samples; max_samples cannot choose from so many",
                         loading->request->files[0]);
    wanted = count < wanted ? count : wanted;
    loading->counted = count;
    choose(loading, (uint32_t)count, (uint32_t)wanted);
    loading->counting = false;
    if (!load_files(loading, err))
        return false;
    sort_by_rank(loading, (uint32_t)wanted);
    return true;
}

/* ---- all ---- */

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
    data->store.memory_limit = request->memory_limit;
    memcpy(data->files, request->files, files * sizeof *data->files);
    loading.formats = allocate(files * sizeof *loading.formats, "data files");
    bool ok = request->max_samples > 0 ? load_selection(&loading, err) : load_files(&loading, err);
    ok = ok && check_any(data, request, err);
    free(loading.formats);
    free(loading.ranks);
    free(loading.kept_ranks);
    json_object_free(&loading.sample);
    encoded_free(&loading.encoded);
    if (!ok)
        dataset_free(data);
    return ok;
}
