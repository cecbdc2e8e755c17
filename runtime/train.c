/* The command train: a base model and data in, an adapter out.
 *
 * OUTPUT/ holds, when the run is done: adapter_config.json and adapter_model.safetensors, trainer_state.json, metrics.jsonl,
 * report.html and the checkpoint-N/. Before the first step one JSON line about the data goes to stdout (dataset_report_json).
 * SIGINT or SIGTERM ends the run with a checkpoint and exit code 130; --resume goes on from there. When the last step and its
 * evaluation are done, results are written whatever signals come; where that fails, a checkpoint keeps what was trained.
 */
#define _POSIX_C_SOURCE 200809L
#include "adapter.h"
#include "checkpoint.h"
#include "commands.h"
#include "dataset.h"
#include "dataset_command.h"
#include "interrupt.h"
#include "json_file.h"
#include "lr_schedule.h"
#include "output_file.h"
#include "progress.h"
#include "report.h"
#include "session.h"
#include "train_options.h"
#include "trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that a training run holds. */
struct training {
    const struct options *options;
    struct session session;
    struct train_config config;
    struct dataset data, eval_data;
    struct trainer_state state;
    const char *output;
    bool resume;
    double began; /* seconds_now() before the first step */
};

static bool check_length_of_run(const struct train_config *config, struct error *err)
{
    if (config->max_steps == 0)
        return error_usage(err, "--max-steps: at least 1 is expected, or -1 for as many as the epochs have; found 0");
    if (config->max_steps > 0 || config->num_train_epochs > 0)
        return true;
    return error_usage(err, "nothing to train: expected max_steps or num_train_epochs above 0, found %d and %g",
                       config->max_steps, config->num_train_epochs);
}

/* What the settings alone can tell, before anything is read. */
static bool check_settings(const struct training *training, struct error *err)
{
    struct lr_schedule schedule;
    if (!check_length_of_run(&training->config, err) || !lr_schedule_init(&schedule, &training->config, 1, err))
        return false;
    if (!training->resume)
        return true;
    if (option_given(training->options, "init-adapter"))
        return error_usage(err, "--init-adapter and --resume exclude each other: a resumed run goes on with its "
                                "checkpoint's adapter");
    char *newest = checkpoint_newest(training->output, err);
    free(newest);
    return newest;
}

static bool load_data(struct training *training, struct error *err)
{
    struct train_config whole = training->config;
    whole.max_samples = 0; /* counts the training data only */
    if (!dataset_from_options(&training->data, &training->session, training->options, "data", &training->config, err))
        return false;
    if (option_count(training->options, "eval-data") > 0 &&
        !dataset_from_options(&training->eval_data, &training->session, training->options, "eval-data", &whole, err))
        return false;
    return true;
}

static void tell_data(const struct training *training)
{
    char *json = dataset_report_json(&training->data.report);
    printf("%s\n", json);
    fflush(stdout);
    free(json);
    dataset_tell(&training->data, &training->config);
    if (training->eval_data.samples > 0)
        dataset_tell(&training->eval_data, &training->config);
    session_check_template(&training->session);
}

/* The weights, and the adapter that training starts from; a resumed run brings its own. */
static bool load_model(struct training *training, struct error *err)
{
    struct session *session = &training->session;
    const char *initial = option_text(training->options, "init-adapter");
    if (!session_load(session, USE_TRAIN, true, err))
        return false;
    if (training->resume)
        return true;
    if (initial)
        return adapter_check_copies(session->program, initial, session->model, err) &&
               adapter_load(session->program, session->backend, session->device, initial, err);
    return adapter_init(session->program, session->backend, session->device, session->model,
                        (uint64_t)training->config.seed, err);
}

/* What the Trainer's log history ends with. */
static void add_summary(struct trainer_state *state, double seconds)
{
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddNumberToObject(entry, "epoch", state->epochs_done);
    cJSON_AddNumberToObject(entry, "step", (double)state->step);
    cJSON_AddNumberToObject(entry, "train_loss", state->step > 0 ? state->total_loss / (double)state->step : 0);
    cJSON_AddNumberToObject(entry, "train_runtime", seconds);
    cJSON_AddItemToArray(state->log_history, entry);
}

static bool write_state(const struct training *training, struct error *err)
{
    char *path = path_join(training->output, "trainer_state.json");
    cJSON *json = trainer_state_to_json(&training->state, &training->config);
    bool ok = json_write(path, json, err);
    cJSON_Delete(json);
    free(path);
    return ok;
}

static bool write_results(struct training *training, struct error *err)
{
    const struct session *session = &training->session;
    double seconds = seconds_now() - training->began;
    add_summary(&training->state, seconds);
    if (!adapter_save(session->program, session->backend, session->device, training->output, session->model, err) ||
        !write_state(training, err) ||
        !report_write(training->output, session->program, &training->config, &training->state, &training->data, seconds,
                      err))
        return false;
    fprintf(stderr, "trained %lld steps, mean loss %.4f; the adapter is in %s\n", training->state.step,
            training->state.step > 0 ? training->state.total_loss / (double)training->state.step : 0, training->output);
    return true;
}

/* What the run came to, saved in another place than the one that failed: *err gains a word about it. */
static void rescue(struct training *training, const struct trainer *trainer, struct error *err)
{
    struct error ignored;
    cJSON *log = training->state.log_history;
    cJSON_DeleteItemFromArray(log, cJSON_GetArraySize(log) - 1); /* the summary: the resumed run writes its own */
    if (!trainer_save(trainer, &training->state, &ignored))
        return;
    char *told = format_text("%s; what was trained is in %s/checkpoint-%lld: --resume writes the results again",
                             err->text, training->output, training->state.step);
    error_set(err, "%s", told);
    free(told);
}

static int end_interrupted(const struct training *training, struct error *err)
{
    if (!report_write(training->output, training->session.program, &training->config, &training->state, &training->data,
                      seconds_now() - training->began, err))
        return err->exit_code;
    fprintf(stderr, "interrupted after step %lld; the checkpoint is in %s/checkpoint-%lld, --resume goes on from it\n",
            training->state.step, training->output, training->state.step);
    err->text[0] = '\0';
    return EXIT_INTERRUPTED;
}

/* A run that failed before it logged or saved anything leaves nothing, so that the next may have the directory. */
static void discard_empty_output(const struct training *training)
{
    if (training->resume)
        return;
    char *metrics = path_join(training->output, "metrics.jsonl");
    struct stat status;
    if (stat(metrics, &status) == 0 && status.st_size == 0)
        unlink(metrics);
    rmdir(training->output); /* only where it is empty */
    free(metrics);
}

#define INTERRUPTING "interrupting: what was trained is saved first; again to stop at once\n"

static int run(struct training *training, struct error *err)
{
    const struct session *session = &training->session;
    struct trainer trainer = {
        .program = session->program,
        .backend = session->backend,
        .device = session->device,
        .config = training->config,
        .data = &training->data,
        .eval_data = training->eval_data.samples > 0 ? &training->eval_data : NULL,
        .output = training->output,
        .model = session->model,
        .tuning = session->tuning,
        .resume = training->resume,
    };
    enum train_end end = TRAIN_FAILED;
    if (trainer_begin(&trainer, &training->state, err)) {
        tell_data(training);
        training->began = seconds_now();
        interrupt_watch_once(isatty(STDERR_FILENO) ? "\r\033[K" INTERRUPTING : INTERRUPTING);
        end = trainer_run(&trainer, &training->state, err);
        session_keep_tuning(session);
    }
    if (end == TRAIN_INTERRUPTED)
        return end_interrupted(training, err);
    if (end == TRAIN_DONE) {
        if (write_results(training, err))
            return EXIT_DONE;
        rescue(training, &trainer, err);
    }
    discard_empty_output(training);
    return err->exit_code;
}

int command_train(const struct options *options, struct error *err)
{
    struct training training = {
        .options = options,
        .output = option_text(options, "output"),
        .resume = option_bool(options, "resume"),
    };
    int code = EXIT_FAILED;
    err->exit_code = EXIT_FAILED;
    bool ready = train_config_from_options(&training.config, options, err) && check_settings(&training, err) &&
                 session_begin(&training.session, options, err) && load_data(&training, err) &&
                 output_directory(training.output, training.resume, err);
    if (ready && !load_model(&training, err)) {
        discard_empty_output(&training);
        ready = false;
    }
    code = ready ? run(&training, err) : err->exit_code;
    interrupt_unwatch();
    trainer_state_free(&training.state);
    dataset_free(&training.data);
    dataset_free(&training.eval_data);
    session_close(&training.session);
    return code;
}
