/* merge: the base model with the adapter in it, streamed tensor by tensor.
 *
 * W' = W + scaling * B * A, in fp32, then cast to the base file's dtype; files and their sizes stay as the base has them. Where
 * the base's head is its embedding (tie_word_embeddings) and the adapter changes one of the two, they part: lm_head.weight is
 * written as a tensor of its own, and config.json says tie_word_embeddings false. A trained embedding then leaves the head with
 * the old one, and a trained head the embedding, as in PEFT's model during training.
 */
#include "adapter.h"
#include "commands.h"
#include "json_file.h"
#include "merge_write.h"
#include "model_dir.h"
#include "output_file.h"
#include "threads.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

static const char head_name[] = "lm_head.weight", embedding_name[] = "model.embed_tokens.weight";

struct merge {
    const struct program *program;
    const struct weight_files *base, *adapter;
    const char *output;
    bool untie;
    struct merge_target *targets; /* sorted by file, then as safetensors wants it */
    int count;
};

/* ---- what becomes of each tensor ---- */

static struct tensor_entry entry_like(const char *name, const struct safetensor *tensor)
{
    struct tensor_entry entry = {
        .name = format_text("%s", name), .dtype = tensor->dtype_text, .dimensions = tensor->dimensions};
    int64_t elements = safetensor_elements(tensor);
    entry.element = elements ? (size_t)(tensor->bytes / (uint64_t)elements) : 1;
    memcpy(entry.shape, tensor->shape, sizeof entry.shape);
    return entry;
}

/* Finds what the adapter has for the base tensor `name`. */
static void find_adapter(struct merge_target *target, const char *name, const struct weight_files *adapter,
                         const struct placed_tensor *trained, int count)
{
    for (int i = 0; i < count; i++) {
        char *changed = adapter_base_tensor(trained[i].name);
        bool mine = !strcmp(changed, name);
        free(changed);
        if (!mine)
            continue;
        const struct safetensor *tensor = weight_files_find(adapter, trained[i].name);
        switch (adapter_kind(trained[i].name)) {
        case ADAPTER_A:
            target->A = tensor;
            target->scaling = trained[i].spec->scaling;
            break;
        case ADAPTER_B:
            target->B = tensor;
            break;
        case ADAPTER_MAGNITUDE:
            target->magnitude = tensor;
            break;
        case ADAPTER_FULL:
            target->full = tensor;
            break;
        }
    }
}

static bool changed(const struct merge_target *target)
{
    return target->full || target->A;
}

static void add_target(struct merge *merge, const char *name, const struct safetensor *source,
                       const struct placed_tensor *trained, int count)
{
    struct merge_target *target = &merge->targets[merge->count++];
    *target = (struct merge_target){.entry = entry_like(name, source), .source = source, .file = source->file};
    find_adapter(target, name, merge->adapter, trained, count);
}

/* Whether two whole tensors of the adapter hold the same bytes: a head and an embedding that were trained as one. */
static bool same_bytes(const struct weight_files *adapter, const struct safetensor *a, const struct safetensor *b,
                       bool *same, struct error *err)
{
    enum { CHUNK = 1 << 20 };
    *same = a && b && a->dtype == b->dtype && a->bytes == b->bytes;
    char *left = allocate(2 * CHUNK, "merging"), *right = left + CHUNK;
    bool read = true;
    for (uint64_t done = 0; *same && read && done < a->bytes; done += CHUNK) {
        size_t n = a->bytes - done < CHUNK ? (size_t)(a->bytes - done) : CHUNK;
        read = weight_files_read(adapter, a, done, left, n, err) && weight_files_read(adapter, b, done, right, n, err);
        *same = read && !memcmp(left, right, n);
    }
    free(left);
    return read;
}

static int compare_targets(const void *left, const void *right)
{
    const struct merge_target *a = left, *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->entry.element != b->entry.element)
        return a->entry.element < b->entry.element ? 1 : -1;
    return strcmp(a->entry.name, b->entry.name);
}

/* Every tensor of the base becomes a target; of a tied model's head there is one exactly where it parts from the embedding. */
static bool plan_targets(struct merge *merge, struct error *err)
{
    const struct program *program = merge->program;
    bool tied = program->model.tie_word_embeddings;
    int count;
    struct placed_tensor *trained = placed_tensors(program->adapters, program->adapter_groups, &count);
    const struct safetensor *embedding = weight_files_find(merge->base, embedding_name);
    merge->targets = allocate((size_t)(merge->base->tensor_count + 1) * sizeof *merge->targets, "the list of tensors");
    for (int i = 0; i < merge->base->tensor_count; i++) {
        const struct safetensor *tensor = &merge->base->tensors[i];
        if (!tied || strcmp(tensor->name, head_name))
            add_target(merge, tensor->name, tensor, trained, count);
    }
    bool planned = true;
    if (tied && embedding) {
        struct merge_target embedded = {.full = NULL};
        bool same;
        find_adapter(&embedded, embedding_name, merge->adapter, trained, count);
        add_target(merge, head_name, embedding, trained, count);
        struct merge_target *head = &merge->targets[merge->count - 1];
        planned = same_bytes(merge->adapter, head->full, embedded.full, &same, err);
        merge->untie = (changed(head) || changed(&embedded)) && !same;
        if (!merge->untie)
            free(merge->targets[--merge->count].entry.name);
    }
    placed_tensors_free(trained, count);
    qsort(merge->targets, (size_t)merge->count, sizeof *merge->targets, compare_targets);
    return planned;
}

/* Everything that the adapter trains must have found its tensor, in the shape it was trained on. */
static bool check_target(const struct merge *merge, const struct placed_tensor *trained, const char *name,
                         struct error *err)
{
    const struct merge_target *target = NULL;
    for (int i = 0; i < merge->count && !target; i++)
        if (!strcmp(merge->targets[i].entry.name, name))
            target = &merge->targets[i];
    if (!target && !strcmp(name, head_name) && merge->program->model.tie_word_embeddings)
        return true; /* trained as one with the embedding */
    if (!target)
        return error_set(err, "%s: tensor '%s' is missing", merge->base->paths[0], name);
    const struct safetensor *source = target->source;
    switch (adapter_kind(trained->name)) {
    case ADAPTER_A:
        return safetensor_expect(merge->base, source, (int)target->B->shape[0], trained->spec->cols, err);
    case ADAPTER_FULL:
        return safetensor_expect(merge->base, source, trained->spec->rows, trained->spec->cols, err);
    default:
        return true;
    }
}

static bool check_targets(const struct merge *merge, struct error *err)
{
    int count;
    struct placed_tensor *trained = placed_tensors(merge->program->adapters, merge->program->adapter_groups, &count);
    bool right = true;
    for (int i = 0; i < count && right; i++) {
        char *name = adapter_base_tensor(trained[i].name);
        right = check_target(merge, &trained[i], name, err);
        free(name);
    }
    placed_tensors_free(trained, count);
    return right;
}

/* ---- writing ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Writes targets [first, first + count), which share a file. */
static bool write_file(const struct merge *merge, int first, int count, struct error *err)
{
    const struct merge_target *targets = merge->targets + first;
    struct tensor_entry *entries = allocate((size_t)count * sizeof *entries, "the list of tensors");
    for (int i = 0; i < count; i++)
        entries[i] = targets[i].entry;
    char *path = path_join(merge->output, file_name(merge->base->paths[targets->file]));
    struct safetensors_writer *writer = safetensors_create(path, entries, count, err);
    bool written = writer;
    for (int i = 0; i < count && written; i++)
        written = merge_write(writer, &targets[i], merge->base, merge->adapter, err);
    if (written)
        written = safetensors_finish(writer, err);
    else
        safetensors_abort(writer);
    free(entries);
    free(path);
    return written;
}

static bool write_index(const struct merge *merge, struct error *err)
{
    double total = 0;
    cJSON *index = cJSON_CreateObject(), *metadata = cJSON_AddObjectToObject(index, "metadata");
    cJSON *map = cJSON_AddObjectToObject(index, "weight_map");
    for (int i = 0; i < merge->count; i++) {
        const struct merge_target *target = &merge->targets[i];
        cJSON_AddStringToObject(map, target->entry.name, file_name(merge->base->paths[target->file]));
        total += (double)tensor_entry_bytes(&target->entry);
    }
    cJSON_AddNumberToObject(metadata, "total_size", total);
    char *path = path_join(merge->output, "model.safetensors.index.json");
    bool written = json_write(path, index, err);
    free(path);
    cJSON_Delete(index);
    return written;
}

static bool write_model(const struct merge *merge, const char *model, struct error *err)
{
    bool written = true;
    for (int first = 0, count; first < merge->count && written; first += count) {
        for (count = 1;
             first + count < merge->count && merge->targets[first + count].file == merge->targets[first].file;)
            count++;
        written = write_file(merge, first, count, err);
    }
    bool sharded = strcmp(file_name(merge->base->paths[0]), "model.safetensors");
    return written && (!sharded || write_index(merge, err)) && copy_other_files(model, merge->output, err) &&
           (!merge->untie || untie_config(merge->output, err));
}

static bool merge_into(struct merge *merge, const char *model, struct error *err)
{
    if (!plan_targets(merge, err) || !check_targets(merge, err) || !output_directory(merge->output, false, err))
        return false;
    if (write_model(merge, model, err))
        return true;
    discard_directory(merge->output);
    return false;
}

int command_merge(const struct options *options, struct error *err)
{
    const char *model = option_text(options, "model");
    struct merge merge = {.program = options_program(options), .output = option_text(options, "output")};
    threads_use(options);
    if (!model_check(merge.program, model, err))
        return err->exit_code;
    struct weight_files *base = weight_files_open(model, err), *adapter = NULL;
    if (base && model_check_tensors(merge.program, base, model, err) &&
        adapter_check_copies(merge.program, option_text(options, "adapter"), model, err))
        adapter = adapter_open(merge.program, option_text(options, "adapter"), err);
    merge.base = base;
    merge.adapter = adapter;
    bool merged = adapter && merge_into(&merge, model, err);
    if (merged)
        fprintf(stderr, "merged: %s (%d tensors%s)\n", merge.output, merge.count,
                merge.untie ? "; head and embedding differ now: tie_word_embeddings is false" : "");
    for (int i = 0; i < merge.count; i++)
        free(merge.targets[i].entry.name);
    free(merge.targets);
    weight_files_close(adapter);
    weight_files_close(base);
    return merged ? EXIT_DONE : err->exit_code;
}
