#include "eval.h"

#include "batch.h"
#include "interrupt.h"

#include <math.h>

bool evaluate_dataset(struct evaluation *evaluation, const struct backend *backend, struct device *device,
                      const struct dataset *data, const struct train_config *config, struct error *err)
{
    struct train_config in_order = *config;
    in_order.shuffle = false;
    struct epoch_plan plan;
    struct batch_buffer buffer;
    epoch_plan_init(&plan, data, &in_order, 0);
    batch_buffer_init(&buffer, config->per_device_train_batch_size * config->max_length);
    *evaluation = (struct evaluation){0};
    bool ok = true;
    const uint32_t samples = (uint32_t)data->samples;
    for (uint32_t first = 0, end; ok && first < samples && !interrupt_seen(); first = end) {
        struct batch batch;
        end = pass_end(&plan, data, config, first, samples);
        ok = batch_fill(&batch, &buffer, data, plan.order + first, (int)(end - first), first, err);
        if (ok)
            backend->evaluate(device, &batch, evaluation);
    }
    batch_buffer_free(&buffer);
    epoch_plan_free(&plan);
    return ok;
}

double evaluation_loss(const struct evaluation *evaluation)
{
    return evaluation->loss_sum / (double)evaluation->trained;
}

double evaluation_perplexity(const struct evaluation *evaluation)
{
    return exp(evaluation_loss(evaluation));
}

double evaluation_accuracy(const struct evaluation *evaluation)
{
    return (double)evaluation->correct / (double)evaluation->trained;
}
