/* A training run on the fake backend in a directory of its own, for the tests of the trainer. */
#ifndef LORAC_TRAINER_FIXTURE_H
#define LORAC_TRAINER_FIXTURE_H

#include "fake_backend.h"
#include "trainer.h"

struct trainer_fixture {
    struct device device;
    struct dataset data;
    struct trainer trainer;
    struct trainer_state state;
    struct error err;
    char output[64];
};

/* A run over `samples` samples of fake_dataset that has not begun; trainer_fixture_end it. */
void trainer_fixture_begin(struct trainer_fixture *f, int samples);
void trainer_fixture_end(struct trainer_fixture *f);

/* trainer_begin and trainer_run; and the same for a run that must reach its end. */
enum train_end run(struct trainer_fixture *f);
void run_to_end(struct trainer_fixture *f);

/* The log's record number `index`, and a number in a record; the test fails where there is none. */
const cJSON *logged(const struct trainer_fixture *f, int index);
double number(const cJSON *record, const char *field);

/* Within tolerance * max(1, |expected|). */
void assert_near(double found, double expected, double tolerance);

/* Whether output/name is there; and how many lines output/metrics.jsonl has. */
bool exists(const struct trainer_fixture *f, const char *name);
int lines_of_metrics(const struct trainer_fixture *f);

#endif
