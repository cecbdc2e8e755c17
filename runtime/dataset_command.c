#include "dataset_command.h"

#include <stdio.h>
#include <stdlib.h>

void dataset_tell(const struct dataset *data, const struct train_config *config)
{
    char *report = dataset_report_text(&data->report, config->max_length);
    fputs(data->formats, stderr);
    fputs(report, stderr);
    free(report);
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
