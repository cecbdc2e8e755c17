#define _POSIX_C_SOURCE 200809L
#include "checkpoint.h"

#include "adapter.h"
#include "json_file.h"
#include "output_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Removes the files of a checkpoint and the directory itself; there are no directories within. */
static bool remove_checkpoint(const char *directory, struct error *err)
{
    DIR *listing = opendir(directory);
    if (!listing)
        return errno == ENOENT || error_set(err, "%s: cannot remove: %s", directory, strerror(errno));
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = path_join(directory, entry->d_name);
        if (unlink(path) != 0)
            ok = error_set(err, "%s: cannot remove: %s", path, strerror(errno));
        free(path);
    }
    closedir(listing);
    if (ok && rmdir(directory) != 0)
        ok = error_set(err, "%s: cannot remove: %s", directory, strerror(errno));
    return ok;
}

static bool write_json(const char *directory, const char *name, cJSON *json, struct error *err)
{
    char *path = path_join(directory, name);
    bool ok = json_write(path, json, err);
    free(path);
    cJSON_Delete(json);
    return ok;
}

static bool save_optimizer(const struct checkpoint_source *source, const char *directory, struct error *err)
{
    char *path = path_join(directory, "optimizer.safetensors");
    bool ok = optimizer_save(source->program, source->backend, source->device, path, err);
    free(path);
    return ok;
}

static bool write_all(const struct checkpoint_source *source, const struct trainer_state *state, const char *directory,
                      struct error *err)
{
    return make_directory(directory, err) &&
           adapter_save(source->program, source->backend, source->device, directory, source->model, err) &&
           save_optimizer(source, directory, err) &&
           write_json(directory, "trainer_state.json", trainer_state_to_json(state, source->config), err) &&
           write_json(directory, "lorac_state.json",
                      trainer_position_to_json(state, source->config, source->fingerprint), err);
}

/* The N of a directory entry "checkpoint-N" that holds a whole checkpoint, or -1. */
static long long checkpoint_step(const char *output, const char *name)
{
    long long step = -1;
    int length = 0;
    if (sscanf(name, "checkpoint-%lld%n", &step, &length) != 1 || name[length] || step < 0)
        return -1;
    char *path = format_text("%s/%s/lorac_state.json", output, name);
    bool whole = access(path, F_OK) == 0;
    free(path);
    return whole ? step : -1;
}

static int by_step(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

/* The steps of all whole checkpoints in ascending order; free() them. */
static long long *list_checkpoints(const char *output, int *count)
{
    long long *steps = NULL;
    *count = 0;
    DIR *listing = opendir(output);
    const struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        long long step = checkpoint_step(output, entry->d_name);
        if (step < 0)
            continue;
        steps = reallocate(steps, (size_t)(*count + 1) * sizeof *steps, "a list of checkpoints");
        steps[(*count)++] = step;
    }
    if (listing)
        closedir(listing);
    if (steps)
        qsort(steps, (size_t)*count, sizeof *steps, by_step);
    return steps;
}

/* The newest is never removed: it is the one to resume from. */
static bool rotate(const struct checkpoint_source *source, struct error *err)
{
    int limit = source->config->save_total_limit;
    int count = 0;
    long long *steps = limit > 0 ? list_checkpoints(source->output, &count) : NULL;
    bool ok = true;
    for (int i = 0; ok && steps && i < count - limit; i++) {
        char *path = format_text("%s/checkpoint-%lld", source->output, steps[i]);
        ok = remove_checkpoint(path, err);
        free(path);
    }
    free(steps);
    return ok;
}

bool checkpoint_save(const struct checkpoint_source *source, const struct trainer_state *state, struct error *err)
{
    char *whole = format_text("%s/checkpoint-%lld", source->output, state->step);
    char *partial = format_text("%s.partial", whole);
    struct error ignored;
    bool ok = remove_checkpoint(partial, err) && write_all(source, state, partial, err);
    if (!ok)
        remove_checkpoint(partial, &ignored);
    ok = ok && remove_checkpoint(whole, err);
    if (ok && rename(partial, whole) != 0)
        ok = error_set(err, "%s: cannot rename to %s: %s", partial, whole, strerror(errno));
    if (ok)
        sync_directory_of(whole);
    free(partial);
    free(whole);
    return ok && rotate(source, err);
}

char *checkpoint_newest(const char *output, struct error *err)
{
    int count;
    long long *steps = list_checkpoints(output, &count);
    char *path = steps ? format_text("%s/checkpoint-%lld", output, steps[count - 1]) : NULL;
    if (!path)
        error_set(err, "%s: no checkpoint-N to resume from; leave --resume out to start anew", output);
    free(steps);
    return path;
}

static bool load_state(const struct checkpoint_source *source, const char *checkpoint, struct trainer_state *state,
                       struct error *err)
{
    char *position_path = path_join(checkpoint, "lorac_state.json");
    char *history_path = path_join(checkpoint, "trainer_state.json");
    cJSON *position = json_read(position_path, err);
    cJSON *hf = position ? json_read(history_path, err) : NULL;
    bool ok = hf && trainer_position_read(state, source->config, source->fingerprint, position, position_path, err);
    cJSON *history = ok ? cJSON_DetachItemFromObjectCaseSensitive(hf, "log_history") : NULL;
    if (ok && !cJSON_IsArray(history))
        ok = error_set(err, "%s: log_history: expected an array", history_path);
    if (ok) {
        cJSON_Delete(state->log_history);
        state->log_history = history;
    } else {
        cJSON_Delete(history);
    }
    cJSON_Delete(position);
    cJSON_Delete(hf);
    free(position_path);
    free(history_path);
    return ok;
}

bool checkpoint_load(const struct checkpoint_source *source, const char *checkpoint, struct trainer_state *state,
                     struct error *err)
{
    if (!load_state(source, checkpoint, state, err) ||
        !adapter_load(source->program, source->backend, source->device, checkpoint, err))
        return false;
    char *path = path_join(checkpoint, "optimizer.safetensors");
    bool ok = optimizer_load(source->program, source->backend, source->device, path, err);
    free(path);
    return ok;
}
