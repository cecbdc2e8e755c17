#include "fake_backend.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct tensor_spec TENSORS[] = {
    {.name = "q_proj.lora_A.weight", .rows = 3, .cols = 4, .dtype = DTYPE_F32, .offset = 0, .scaling = 1},
    {.name = "q_proj.lora_B.weight",
     .rows = 4,
     .cols = 3,
     .dtype = DTYPE_F32,
     .offset = 48,
     .transposed = true,
     .scaling = 1},
};
static const struct tensor_group GROUPS[] = {
    {.prefix = "base_model.model.model.layers.0.self_attn.",
     .count = 1,
     .stride = 96,
     .tensors = TENSORS,
     .tensor_count = 2},
};

static const struct backend *const BACKENDS[] = {&fake_backend};

const struct program fake_program = {
    .name = "fake",
    .recipe = "recipes/fake.lua",
    .model = {.vocab_size = FAKE_VOCABULARY},
    .lora = {.r = 3, .lora_alpha = 3, .init_lora_weights = "true"},
    .adapter_config = "{\n  \"base_model_name_or_path\": null,\n  \"lora_alpha\": 3,\n  \"peft_type\": \"LORA\",\n"
                      "  \"r\": 3,\n  \"target_modules\": [\n    \"q_proj\"\n  ],\n  \"use_dora\": false,\n"
                      "  \"use_rslora\": false\n}\n",
    .train =
        {
            .per_device_train_batch_size = 4,
            .max_length = 9,
            .gradient_accumulation_steps = 1,
            .learning_rate = 0.05,
            .lr_scheduler_type = "linear",
            .min_lr = -1,
            .min_lr_rate = -1,
            .num_cycles = -1,
            .power = -1,
            .lr_end = -1,
            .timescale = -1,
            .num_train_epochs = 1,
            .max_steps = -1,
            .adam_beta1 = 0.9,
            .adam_beta2 = 0.999,
            .adam_epsilon = 1e-8,
            .max_grad_norm = 1,
            .seed = 42,
            .logging_steps = 1,
            .shuffle = true,
        },
    .max_context = 32,
    .adapters = GROUPS,
    .adapter_groups = 1,
    .backends = BACKENDS,
    .backend_count = 1,
};

void fake_device_init(struct device *device)
{
    *device = (struct device){0};
    for (int i = 0; i < FAKE_PARAMETERS; i++)
        device->w[i] = 0.25f * (float)i - 2;
}

void fake_dataset(struct dataset *data, int samples)
{
    struct error err;
    *data = (struct dataset){.files = allocate(sizeof *data->files, "test data")};
    data->files[0] = "fake.jsonl";
    uint32_t state = 1;
    for (int s = 0; s < samples; s++) {
        struct dataset_sample sample = {.tokens = 2 + s * 5 % 8, .line = s + 1};
        int32_t ids[9], labels[9] = {IGNORED_LABEL};
        for (int t = 0; t < sample.tokens; t++) {
            state = state * 1664525u + 1013904223u;
            ids[t] = (int32_t)(state >> 16) % FAKE_VOCABULARY;
        }
        for (int t = 1; t < sample.tokens; t++)
            labels[t] = t + 1 == sample.tokens || t % 3 != 1 ? ids[t] : IGNORED_LABEL;
        CHECK(dataset_add(data, sample, ids, labels, &err));
    }
}

static bool usable(void)
{
    return true;
}

static struct device *open_device(const struct device_request *request, struct error *err)
{
    (void)request;
    (void)err;
    struct device *device = allocate(sizeof *device, "a fake device");
    fake_device_init(device);
    return device;
}

static void close_device(struct device *device)
{
    free(device);
}

static float *region_of(struct device *device, enum region region)
{
    CHECK(region == REGION_ADAPTERS || region == REGION_MOMENT1 || region == REGION_MOMENT2);
    return region == REGION_ADAPTERS ? device->w : region == REGION_MOMENT1 ? device->moment1 : device->moment2;
}

static void upload(struct device *device, enum region region, size_t offset, const void *from, size_t bytes)
{
    CHECK(offset + bytes <= sizeof device->w);
    memcpy((char *)region_of(device, region) + offset, from, bytes);
}

static void download(const struct device *device, enum region region, size_t offset, void *to, size_t bytes)
{
    struct device copy = *device;
    CHECK(offset + bytes <= sizeof device->w);
    memcpy(to, (char *)region_of(&copy, region) + offset, bytes);
}

static void zero_gradients(struct device *device)
{
    memset(device->gradient, 0, sizeof device->gradient);
}

static double dropout(const struct batch *batch, int segment, int position)
{
    uint64_t hash = batch->seed * 31 + batch->step;
    hash = (hash * 0x9e3779b97f4a7c15u + batch->samples[segment]) * 0x9e3779b97f4a7c15u + (uint64_t)position;
    hash *= 0xbf58476d1ce4e5b9u;
    return hash >> 63 ? 1.25 : 1.0;
}

/* Adds the tokens' gradients times `scale` (0: none) and returns the sum of their losses. */
static double run_batch(struct device *device, const struct batch *batch, double scale)
{
    double sum = 0;
    for (int s = 0; s < batch->segments; s++) {
        for (int t = batch->starts[s]; t < batch->starts[s + 1]; t++) {
            if (batch->labels[t] == IGNORED_LABEL)
                continue;
            int i = batch->ids[t] % FAKE_PARAMETERS;
            double factor = scale > 0 ? dropout(batch, s, t - batch->starts[s]) : 1;
            double difference = device->w[i] - batch->labels[t] / 10.0;
            sum += factor * difference * difference / 2;
            device->gradient[i] += scale * factor * difference;
        }
    }
    return sum;
}

static double accumulate(struct device *device, const struct batch *batch, double scale)
{
    double sum = run_batch(device, batch, scale);
    device->accumulated++;
    if (device->accumulated == device->interrupt_at)
        raise(SIGINT);
    for (int i = 0; i < batch->segments; i++)
        if ((int)batch->samples[i] + 1 == device->nan_sample)
            return NAN;
    return device->accumulated == device->nan_at ? NAN : sum;
}

static double grad_norm(struct device *device)
{
    double sum = 0;
    for (int i = 0; i < FAKE_PARAMETERS; i++)
        sum += device->gradient[i] * device->gradient[i];
    return sqrt(sum);
}

static void update(struct device *device, const struct adamw *a)
{
    device->last_update = *a;
    device->updated++;
    double correction1 = 1 - pow(a->beta1, (double)a->step), correction2 = 1 - pow(a->beta2, (double)a->step);
    for (int i = 0; i < FAKE_PARAMETERS; i++) {
        double g = device->gradient[i] * a->grad_scale;
        double m = a->beta1 * device->moment1[i] + (1 - a->beta1) * g;
        double v = a->beta2 * device->moment2[i] + (1 - a->beta2) * g * g;
        double w = device->w[i] * (1 - a->learning_rate * a->weight_decay);
        device->w[i] = (float)(w - a->learning_rate * (m / correction1) / (sqrt(v / correction2) + a->epsilon));
        device->moment1[i] = (float)m;
        device->moment2[i] = (float)v;
    }
}

static void evaluate(struct device *device, const struct batch *batch, struct evaluation *evaluation)
{
    evaluation->loss_sum += run_batch(device, batch, 0);
    device->evaluated++;
    if (device->evaluated == device->interrupt_evaluation)
        raise(SIGINT);
    for (int t = 0; t < batch->tokens; t++) {
        evaluation->trained += batch->labels[t] != IGNORED_LABEL;
        evaluation->correct += batch->labels[t] == batch->ids[t] + 1;
    }
}

static void extend(struct device *device, const int32_t *ids, int n, float *logits)
{
    CHECK(device->length + n <= (int)(sizeof device->context / sizeof *device->context));
    for (int i = 0; i < n; i++)
        device->context[device->length++] = ids[i];
    for (int i = 0; i < FAKE_VOCABULARY; i++)
        logits[i] = i == (ids[n - 1] + 1) % FAKE_VOCABULARY ? 9 : -0.01f * (float)i;
}

static void rewind_cache(struct device *device, int length)
{
    CHECK(length <= device->length);
    device->length = length;
}

const struct backend fake_backend = {
    .name = "fake",
    .usable = usable,
    .open = open_device,
    .close = close_device,
    .upload = upload,
    .download = download,
    .zero_gradients = zero_gradients,
    .accumulate = accumulate,
    .grad_norm = grad_norm,
    .update = update,
    .evaluate = evaluate,
    .extend = extend,
    .rewind = rewind_cache,
};
