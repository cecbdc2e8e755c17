#include "batch.h"

#include "sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint32_t pass_end(const struct epoch_plan *plan, const struct dataset *data, const struct train_config *config,
                  uint32_t begin, uint32_t limit)
{
    uint32_t end = begin + 1;
    long long capacity = (long long)config->per_device_train_batch_size * config->max_length;
    long long filled = data->sample[plan->order[begin]].tokens;
    while (end < limit && filled + data->sample[plan->order[end]].tokens <= capacity)
        filled += data->sample[plan->order[end++]].tokens;
    return end;
}

/* The end of the micro-batch that begins at order[begin]. */
static uint32_t micro_batch_end(const struct epoch_plan *plan, const struct dataset *data,
                                const struct train_config *config, uint32_t begin)
{
    uint32_t limit = (uint32_t)data->samples, wanted = (uint32_t)config->per_device_train_batch_size;
    if (config->packing)
        return pass_end(plan, data, config, begin, limit);
    return limit - begin < wanted ? limit : begin + wanted;
}

void epoch_plan_init(struct epoch_plan *plan, const struct dataset *data, const struct train_config *config, int epoch)
{
    uint32_t samples = (uint32_t)data->samples;
    plan->order = allocate(samples * sizeof *plan->order, "the order of samples");
    plan->starts = allocate((samples + 1) * sizeof *plan->starts, "the micro-batches of an epoch");
    plan->micro_batches = 0;
    sampler_order(plan->order, samples, config->shuffle, (uint64_t)config->seed, epoch);
    for (uint32_t begin = 0; begin < samples;) {
        begin = micro_batch_end(plan, data, config, begin);
        plan->starts[++plan->micro_batches] = begin;
    }
}

void epoch_plan_free(struct epoch_plan *plan)
{
    free(plan->order);
    free(plan->starts);
    *plan = (struct epoch_plan){0};
}

int epoch_steps(const struct epoch_plan *plan, const struct train_config *config)
{
    int window = config->gradient_accumulation_steps;
    return plan->micro_batches / window + (plan->micro_batches % window > 0);
}

static int steps_of_epoch(const struct dataset *data, const struct train_config *config, int epoch)
{
    struct epoch_plan plan;
    epoch_plan_init(&plan, data, config, epoch);
    int steps = epoch_steps(&plan, config);
    epoch_plan_free(&plan);
    return steps;
}

long long run_steps(const struct dataset *data, const struct train_config *config)
{
    if (config->max_steps > 0)
        return config->max_steps;
    if (!config->packing)
        return (long long)ceil(config->num_train_epochs * steps_of_epoch(data, config, 0));
    long long steps = 0;
    int whole = (int)config->num_train_epochs;
    for (int epoch = 0; epoch < whole; epoch++)
        steps += steps_of_epoch(data, config, epoch);
    double part = config->num_train_epochs - whole;
    return part > 0 ? steps + (long long)ceil(part * steps_of_epoch(data, config, whole)) : steps;
}

void batch_buffer_init(struct batch_buffer *buffer, int tokens)
{
    size_t count = (size_t)tokens + 1;
    buffer->ids = allocate(count * sizeof *buffer->ids, "a pass");
    buffer->labels = allocate(count * sizeof *buffer->labels, "a pass");
    buffer->starts = allocate(count * sizeof *buffer->starts, "a pass");
    buffer->samples = allocate(count * sizeof *buffer->samples, "a pass");
    buffer->tokens = tokens;
}

void batch_buffer_free(struct batch_buffer *buffer)
{
    free(buffer->ids);
    free(buffer->labels);
    free(buffer->starts);
    free(buffer->samples);
    *buffer = (struct batch_buffer){0};
}

bool batch_fill(struct batch *batch, struct batch_buffer *buffer, const struct dataset *data, const uint32_t *places,
                int count, uint32_t first_key, struct error *err)
{
    int tokens = 0;
    for (int i = 0; i < count; i++) {
        int length = data->sample[places[i]].tokens;
        int32_t *labels = buffer->labels + tokens;
        CHECK(length <= buffer->tokens - tokens);
        if (!dataset_read(data, (int)places[i], buffer->ids + tokens, labels, err))
            return false;
        memmove(labels, labels + 1, (size_t)(length - 1) * sizeof *labels);
        labels[length - 1] = IGNORED_LABEL;
        buffer->starts[i] = tokens;
        buffer->samples[i] = first_key + (uint32_t)i;
        tokens += length;
    }
    buffer->starts[count] = tokens;
    *batch = (struct batch){
        .tokens = tokens,
        .ids = buffer->ids,
        .labels = buffer->labels,
        .segments = count,
        .starts = buffer->starts,
        .samples = buffer->samples,
    };
    return true;
}
