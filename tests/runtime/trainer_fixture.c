#define _POSIX_C_SOURCE 200809L
#include "trainer_fixture.h"

#include "json_file.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void trainer_fixture_begin(struct trainer_fixture *f, int samples)
{
    *f = (struct trainer_fixture){0};
    strcpy(f->output, "/tmp/lorac-trainer-XXXXXX");
    assert_non_null(mkdtemp(f->output));
    fake_device_init(&f->device);
    fake_dataset(&f->data, samples);
    f->trainer = (struct trainer){
        .program = &fake_program,
        .backend = &fake_backend,
        .device = &f->device,
        .config = fake_program.train,
        .data = &f->data,
        .output = f->output,
        .model = "models/fake",
    };
}

static void remove_tree(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = format_text("%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_tree(inner);
        free(inner);
    }
    if (listing)
        closedir(listing);
    rmdir(path);
}

void trainer_fixture_end(struct trainer_fixture *f)
{
    trainer_state_free(&f->state);
    dataset_free(&f->data);
    remove_tree(f->output);
}

enum train_end run(struct trainer_fixture *f)
{
    return trainer_begin(&f->trainer, &f->state, &f->err) ? trainer_run(&f->trainer, &f->state, &f->err) : TRAIN_FAILED;
}

void run_to_end(struct trainer_fixture *f)
{
    if (run(f) != TRAIN_DONE)
        fail_msg("%s", f->err.text);
}

const cJSON *logged(const struct trainer_fixture *f, int index)
{
    const cJSON *record = cJSON_GetArrayItem(f->state.log_history, index);
    assert_non_null(record);
    return record;
}

double number(const cJSON *record, const char *field)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, field);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

bool exists(const struct trainer_fixture *f, const char *name)
{
    char *path = format_text("%s/%s", f->output, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

int lines_of_metrics(const struct trainer_fixture *f)
{
    char *path = format_text("%s/metrics.jsonl", f->output);
    char *text = read_whole_file(path, NULL, &(struct error){0});
    assert_non_null(text);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    free(text);
    free(path);
    return lines;
}
