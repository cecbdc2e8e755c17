#define _POSIX_C_SOURCE 200809L
#include "metrics.h"

#include "json_file.h"
#include "output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the line is a whole record of what the checkpoint has seen. */
static bool line_is_kept(const char *line, size_t length, const struct trainer_state *state)
{
    cJSON *record = cJSON_ParseWithLength(line, length);
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(record, "step");
    bool kept = cJSON_IsNumber(at) && at->valuedouble <= (double)state->step;
    if (kept && state->evaluation_due && at->valuedouble == (double)state->step)
        kept = !cJSON_HasObjectItem(record, "eval_loss");
    cJSON_Delete(record);
    return kept;
}

static bool keep_lines(const char *path, const struct trainer_state *state, struct error *err)
{
    size_t size = 0;
    char *text = read_whole_file(path, &size, err);
    if (!text)
        return false;
    size_t kept = 0;
    for (size_t begin = 0; begin < size;) {
        char *newline = memchr(text + begin, '\n', size - begin);
        size_t length = newline ? (size_t)(newline - text) + 1 - begin : size - begin;
        if (newline && line_is_kept(text + begin, length, state)) {
            memmove(text + kept, text + begin, length);
            kept += length;
        }
        begin += length;
    }
    bool ok = output_write_file(path, text, kept, err);
    free(text);
    return ok;
}

static bool open_as(struct metrics *metrics, const char *mode, struct error *err)
{
    metrics->file = fopen(metrics->path, mode);
    return metrics->file || error_set(err, "%s: cannot write: %s", metrics->path, strerror(errno));
}

bool metrics_open(struct metrics *metrics, const char *directory, struct error *err)
{
    *metrics = (struct metrics){.path = path_join(directory, "metrics.jsonl")};
    return open_as(metrics, "w", err);
}

bool metrics_reopen(struct metrics *metrics, const char *directory, const struct trainer_state *state,
                    struct error *err)
{
    *metrics = (struct metrics){.path = path_join(directory, "metrics.jsonl")};
    if (access(metrics->path, F_OK) == 0 && !keep_lines(metrics->path, state, err))
        return false;
    return open_as(metrics, "a", err);
}

bool metrics_write(struct metrics *metrics, const cJSON *record, struct error *err)
{
    char *line = cJSON_PrintUnformatted(record);
    CHECK(line);
    bool ok = fprintf(metrics->file, "%s\n", line) >= 0 && fflush(metrics->file) == 0;
    cJSON_free(line);
    return ok || error_set(err, "%s: cannot write: %s", metrics->path, strerror(errno));
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->file)
        fclose(metrics->file);
    free(metrics->path);
    *metrics = (struct metrics){0};
}
