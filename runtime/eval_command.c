/* The command eval: the loss of a model, with or without an adapter, on data. */
#include "commands.h"
#include "dataset_command.h"
#include "eval.h"
#include "train_options.h"

#include <math.h>
#include <stdio.h>

static void print_evaluation(const struct evaluation *evaluation, bool json)
{
    if (json)
        printf("{\"eval_loss\":%.17g,\"perplexity\":%.17g,\"token_accuracy\":%.17g,\"tokens\":%lld}\n",
               evaluation_loss(evaluation), evaluation_perplexity(evaluation), evaluation_accuracy(evaluation),
               (long long)evaluation->trained);
    else
        printf("eval_loss %.6f\nperplexity %.6g\ntoken_accuracy %.2f%%\ntokens %lld\n", evaluation_loss(evaluation),
               evaluation_perplexity(evaluation), 100 * evaluation_accuracy(evaluation),
               (long long)evaluation->trained);
}

int command_eval(const struct options *options, struct error *err)
{
    struct session session = {0};
    struct train_config config;
    struct dataset data = {0};
    struct evaluation evaluation;
    err->exit_code = EXIT_FAILED;
    bool ok = train_config_from_options(&config, options, err) && session_begin(&session, options, err) &&
              dataset_from_options(&data, &session, options, "data", &config, err) &&
              session_load_adapter(&session, options, USE_EVAL, err);
    if (ok) {
        dataset_tell(&data, &config);
        ok = evaluate_dataset(&evaluation, session.backend, session.device, &data, &config, err);
    }
    if (ok) {
        ok = isfinite(evaluation_loss(&evaluation)) ||
             error_set(err, "the loss over the data is not a finite number; are the model's weights damaged?");
    }
    if (ok)
        print_evaluation(&evaluation, option_bool(options, "json"));
    dataset_free(&data);
    session_close(&session);
    return ok ? EXIT_DONE : err->exit_code;
}
