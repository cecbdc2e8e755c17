#define _POSIX_C_SOURCE 200809L

#include "weights.h"

#include "adapter.h"
#include "dtype_convert.h"
#include "json_file.h"
#include "output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the tables of program.h ---- */

size_t tensor_elements(const struct tensor_spec *spec)
{
    return (size_t)spec->rows * (size_t)(spec->cols ? spec->cols : 1);
}

/* "model.layers.%d." and 3 -> "model.layers.3." */
static char *full_name(const char *prefix, int layer, const char *name)
{
    const char *place = strstr(prefix, "%d");
    if (!place)
        return format_text("%s%s", prefix, name);
    return format_text("%.*s%d%s%s", (int)(place - prefix), prefix, layer, place + 2, name);
}

struct placed_tensor *placed_tensors(const struct tensor_group *groups, int group_count, int *count)
{
    *count = 0;
    for (int g = 0; g < group_count; g++)
        *count += groups[g].count * groups[g].tensor_count;
    struct placed_tensor *tensors = allocate((size_t)*count * sizeof *tensors, "the list of tensors"), *next = tensors;
    for (int g = 0; g < group_count; g++)
        for (int i = 0; i < groups[g].count; i++)
            for (int t = 0; t < groups[g].tensor_count; t++) {
                const struct tensor_group *group = &groups[g];
                const struct tensor_spec *spec = &group->tensors[t];
                *next++ = (struct placed_tensor){
                    .name = full_name(group->prefix, group->layers ? group->layers[i] : 0, spec->name),
                    .spec = spec,
                    .offset = group->offset + (size_t)i * group->stride + spec->offset,
                };
            }
    return tensors;
}

void placed_tensors_free(struct placed_tensor *tensors, int count)
{
    for (int i = 0; i < count; i++)
        free(tensors[i].name);
    free(tensors);
}

const struct placed_tensor *placed_find(const struct placed_tensor *tensors, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(tensors[i].name, name))
            return &tensors[i];
    return NULL;
}

bool model_check(const struct program *program, const char *directory, struct error *err)
{
    struct model_config found;
    char *path = path_join(directory, "config.json");
    if (access(path, F_OK)) {
        free(path);
        return error_set(err, "%s: no model here: config.json cannot be read: %s", directory, strerror(errno));
    }
    cJSON *json = json_read(path, err);
    bool right =
        json && model_config_parse(&found, json, path, err) && model_config_check(&program->model, &found, path, err);
    cJSON_Delete(json);
    free(path);
    return right;
}

/* ---- moving one tensor, piece by piece ---- */

enum { PIECE_ELEMENTS = 1 << 18 }; /* a thread's two buffers then fit into a core's second-level cache or nearly so */

struct move {
    const struct weight_files *files;
    const struct backend *backend;
    struct device *device;
    enum region region;
    bool exact; /* no number may change */
};

/* One tensor's way, cut into pieces: of elements, or of columns where it is turned around. */
struct job {
    const struct safetensor *from;
    const struct tensor_spec *spec;
    size_t offset;
    size_t piece; /* elements, or columns */
    size_t pieces;
};

static struct job job_of(const struct safetensor *from, const struct placed_tensor *to)
{
    const struct tensor_spec *spec = to->spec;
    size_t rows = (size_t)spec->rows, whole = spec->transposed ? (size_t)spec->cols : tensor_elements(spec);
    size_t piece = spec->transposed ? PIECE_ELEMENTS / rows : PIECE_ELEMENTS;
    piece = piece ? piece : 1;
    return (struct job){from, spec, to->offset, piece, (whole + piece - 1) / piece};
}

/* Bytes of each of the two buffers that the job's pieces need. */
static size_t buffer_size(const struct job *job)
{
    size_t rows = (size_t)job->spec->rows;
    return 4 * (job->spec->transposed && rows > PIECE_ELEMENTS ? rows : PIECE_ELEMENTS);
}

/* to [cols][rows] = from [rows][cols], elements of `size` bytes (2 or 4). */
static void transpose(void *to, const void *from, size_t rows, size_t cols, size_t size)
{
    const uint16_t *from2 = from;
    const uint32_t *from4 = from;
    uint16_t *to2 = to;
    uint32_t *to4 = to;
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < rows; r++)
            if (size == 2)
                to2[c * rows + r] = from2[r * cols + c];
            else
                to4[c * rows + r] = from4[r * cols + c];
}

/* Reads columns [first, first + count) of all rows, side by side. */
static bool read_columns(const struct weight_files *files, const struct job *job, size_t first, size_t count, char *to,
                         struct error *err)
{
    size_t size = dtype_size(job->from->dtype), rows = (size_t)job->spec->rows, cols = (size_t)job->spec->cols;
    if (count == cols)
        return weight_files_read(files, job->from, 0, to, rows * cols * size, err);
    for (size_t row = 0; row < rows; row++)
        if (!weight_files_read(files, job->from, (row * cols + first) * size, to + row * count * size, count * size,
                               err))
            return false;
    return true;
}

/* What a weight of this size would do is known: infinities, and then no numbers at all. */
static bool refuse_overflow(const struct move *move, const struct job *job, float value, struct error *err)
{
    const char *wider = job->spec->dtype == DTYPE_F16 ? "train.fp16=false train.bf16=true" : "train.bf16=false";
    return error_set(
        err,
        "%s: tensor '%s' has the value %g, which is too large for %s, in which this program keeps weights: "
        "make the program again with set=\"%s\"",
        weight_files_path(move->files, job->from), job->from->name, value, dtype_name(job->spec->dtype), wider);
}

/* The recipe said that the checkpoint has fewer bits than it has; in fp32 none is dropped. */
static bool refuse_rounding(const struct move *move, const struct job *job, float value, struct error *err)
{
    return error_set(
        err,
        "%s: tensor '%s' has the value %.9g, which %s cannot hold exactly: the recipe's torch_dtype says that "
        "weights are stored so, and this program keeps them so: make it again with "
        "set=\"model.torch_dtype=float32\"",
        weight_files_path(move->files, job->from), job->from->name, value, dtype_name(job->spec->dtype));
}

static bool move_piece(const struct move *move, const struct job *job, size_t index, char *in, char *out,
                       struct error *err)
{
    const struct tensor_spec *spec = job->spec;
    enum dtype from_dtype = job->from->dtype;
    size_t whole = spec->transposed ? (size_t)spec->cols : tensor_elements(spec);
    size_t first = index * job->piece, count = whole - first < job->piece ? whole - first : job->piece;
    size_t rows = spec->transposed ? (size_t)spec->rows : 1; /* elements that one step of `first` stands for */
    size_t from_size = dtype_size(from_dtype), size = dtype_size(spec->dtype);
    bool read = spec->transposed
                    ? read_columns(move->files, job, first, count, in, err)
                    : weight_files_read(move->files, job->from, first * from_size, in, count * from_size, err);
    if (!read)
        return false;
    if (from_dtype != spec->dtype) {
        float lost;
        convert_elements(out, spec->dtype, in, from_dtype, rows * count);
        if (move->exact && conversion_rounded(&lost, out, spec->dtype, in, from_dtype, rows * count))
            return refuse_rounding(move, job, lost, err);
        if (conversion_overflowed(&lost, out, spec->dtype, in, from_dtype, rows * count))
            return refuse_overflow(move, job, lost, err);
        char *swap = in;
        in = out;
        out = swap;
    }
    if (spec->transposed) {
        transpose(out, in, rows, count, size);
        in = out;
    }
    move->backend->upload(move->device, move->region, job->offset + first * rows * size, in, rows * count * size);
    return true;
}

/* Moves all pieces of all jobs; threads take pieces as they come. The first error counts. */
static bool move_all(const struct move *move, const struct job *jobs, int count, struct error *err)
{
    size_t total = 0, buffer = 0;
    size_t *starts = allocate((size_t)(count + 1) * sizeof *starts, "the list of pieces");
    for (int i = 0; i < count; i++) {
        starts[i + 1] = total += jobs[i].pieces;
        buffer = buffer_size(&jobs[i]) > buffer ? buffer_size(&jobs[i]) : buffer;
    }
    bool failed = false;
#pragma omp parallel if (total > 1)
    {
        char *in = allocate(2 * buffer, "loading weights");
        int job = 0; /* a thread's pieces come in rising order */
#pragma omp for schedule(monotonic : dynamic)
        for (size_t piece = 0; piece < total; piece++) {
            struct error own;
            bool skip;
#pragma omp atomic read
            skip = failed;
            while (piece >= starts[job + 1])
                job++;
            if (skip || move_piece(move, &jobs[job], piece - starts[job], in, in + buffer, &own))
                continue;
#pragma omp critical(loading)
            {
                if (!failed)
                    *err = own;
#pragma omp atomic write
                failed = true;
            }
        }
        free(in);
    }
    free(starts);
    return !failed;
}

bool tensor_load(const struct weight_files *files, const struct safetensor *from, const struct placed_tensor *to,
                 const struct backend *backend, struct device *device, enum region region, struct error *err)
{
    struct move move = {files, backend, device, region, false};
    struct job job = job_of(from, to);
    return move_all(&move, &job, 1, err);
}

/* ---- a whole model ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* Tensors that old checkpoints carry along but that are computed, or copies of others; and what an adapter replaces whole. */
static bool harmless(const struct program *program, const char *name)
{
    if (ends_with(name, "rotary_emb.inv_freq") ||
        (program->model.tie_word_embeddings && !strcmp(name, "lm_head.weight")))
        return true;
    int count;
    struct placed_tensor *trained = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool replaced = false;
    for (int i = 0; i < count && !replaced; i++) {
        char *base = adapter_base_tensor(trained[i].name);
        replaced = adapter_kind(trained[i].name) == ADAPTER_FULL && !strcmp(base, name);
        free(base);
    }
    placed_tensors_free(trained, count);
    return replaced;
}

/* Pairs what the program needs with what the files have. */
static bool pair_up(const struct program *program, const struct weight_files *files, const char *directory,
                    const struct placed_tensor *wanted, int count, struct job *jobs, struct error *err)
{
    bool *used = allocate((size_t)files->tensor_count, "the list of tensors"), right = true;
    for (int i = 0; i < count && right; i++) {
        const struct tensor_spec *spec = wanted[i].spec;
        const struct safetensor *tensor = weight_files_find(files, wanted[i].name);
        int64_t shape[2] = {spec->rows, spec->cols};
        char text[64];
        shape_text(text, sizeof text, shape, spec->cols ? 2 : 1);
        if (!tensor)
            right = error_set(err, "%s: tensor '%s' of shape %s is missing",
                              files->file_count == 1 ? files->paths[0] : directory, wanted[i].name, text);
        else if ((right = safetensor_expect(files, tensor, spec->rows, spec->cols, err)))
            used[tensor - files->tensors] = true;
        if (right)
            jobs[i] = job_of(tensor, &wanted[i]);
    }
    for (int i = 0; i < files->tensor_count && right; i++)
        if (!used[i] && !harmless(program, files->tensors[i].name))
            right = error_set(err, "%s: tensor '%.120s' is not part of the model that this program is compiled for",
                              weight_files_path(files, &files->tensors[i]), files->tensors[i].name);
    free(used);
    return right;
}

bool model_check_tensors(const struct program *program, const struct weight_files *files, const char *directory,
                         struct error *err)
{
    int count;
    struct placed_tensor *wanted = placed_tensors(program->weights, program->weight_groups, &count);
    struct job *jobs = allocate((size_t)count * sizeof *jobs, "the list of tensors");
    bool right = pair_up(program, files, directory, wanted, count, jobs, err);
    free(jobs);
    placed_tensors_free(wanted, count);
    return right;
}

bool model_load(const struct program *program, const struct backend *backend, struct device *device,
                const char *directory, struct error *err)
{
    if (!model_check(program, directory, err))
        return false;
    struct weight_files *files = weight_files_open(directory, err);
    if (!files)
        return false;
    int count;
    struct placed_tensor *wanted = placed_tensors(program->weights, program->weight_groups, &count);
    struct job *jobs = allocate((size_t)count * sizeof *jobs, "the list of tensors");
    struct move move = {files, backend, device, REGION_WEIGHTS, program->train.dtype == DTYPE_F32};
    bool loaded = pair_up(program, files, directory, wanted, count, jobs, err) && move_all(&move, jobs, count, err);
    free(jobs);
    placed_tensors_free(wanted, count);
    weight_files_close(files);
    return loaded;
}
