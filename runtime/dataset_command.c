#include "dataset_command.h"

#include <stdio.h>
#include <stdlib.h>

void dataset_tell(const struct dataset *data, const struct train_config *config)
{
    const struct dataset_report *report = &data->report;
    fputs(data->formats, stderr);
    fprintf(stderr, "kept %lld of %lld samples: %lld tokens, %lld of them trained\n", report->samples,
            report->samples + report->dropped, report->tokens, report->trained);
    if (report->truncated > 0)
        fprintf(stderr, "cut at max_length %d: %lld; the longest sample has %d tokens\n", config->max_length,
                report->truncated, report->longest);
    if (report->dropped > 0)
        fprintf(stderr, "dropped, without a token to train within max_length %d: %lld\n", config->max_length,
                report->dropped);
}

bool dataset_from_options(struct dataset *data, const struct session *session, const struct options *options,
                          const char *name, const struct train_config *config, struct error *err)
{
    int count = option_count(options, name);
    const char **files = allocate((size_t)count * sizeof *files, "the names of data files");
    for (int i = 0; i < count; i++)
        files[i] = option_at(options, name, i);
    struct dataset_request request = {
        .files = files,
        .file_count = count,
        .tokenizer = session->tokenizer,
        .chat = session->program->chat,
        .vocab_size = session->program->model.vocab_size,
        .max_length = config->max_length,
        .assistant_only_loss = config->assistant_only_loss,
        .fields = config->data_fields,
        .max_samples = config->max_samples,
        .shuffle = config->shuffle,
        .seed = config->seed,
    };
    bool ok = dataset_load(data, &request, err);
    free(files);
    return ok;
}
