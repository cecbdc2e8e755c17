/* The CPU backend: this file, with the headers that it includes, is compiled once per instruction set (-DBACKEND=name with the
 * compiler's flags for it), and the program picks the best that the machine runs.
 *
 * Read on from here: accumulate() is a training pass over a batch; forward.h and backward.h hold the layers, head.h the loss.
 */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "cpu_description.h"
#include "cpu_features.h"
#include "large_memory.h"
#include "model_config.h"
#include "program.h"

#include "adamw.h"
#include "attention.h"
#include "cross_entropy.h"
#include "embedding.h"
#include "lora.h"
#include "matmul.h"
#include "rmsnorm.h"
#include "rope.h"
#include "rows.h"
#include "swiglu.h"

#include "backward.h"
#include "forward.h"
#include "generate.h"
#include "head.h"

#include "measure.h"
#include "selftest.h"

extern const struct program program;

/* ---- memory ---- */

static void close_device(struct device *s)
{
    large_free(s->weights, sizeof *s->weights);
    large_free(s->adapters, sizeof *s->adapters);
    large_free(s->gradients, sizeof *s->gradients);
    large_free(s->moment1, sizeof *s->moment1);
    large_free(s->moment2, sizeof *s->moment2);
    free(s->block_sums);
//@ if plan.dora then
    free(s->norms);
//@ end
    large_free(s->arena, s->arena_bytes);
    free(s->rope_cos);
    free(s->rope_sin);
    free(s->positions);
    free(s->row);
    free(s->row_label);
    free(s->row_best);
    free(s->row_loss);
//@ if plan.dropout then
    free(s->sample);
//@ end
    large_free(s->caches, s->cache_bytes);
    free(s);
}

/* cos and sin of position * frequency, rounded to float where Transformers rounds. */
static void fill_rope_tables(struct device *s)
{
    enum { HALF = HEAD_DIM / 2 };
    double inverse[HALF];
    rope_inverse_frequencies(inverse, &program.model.rope, HEAD_DIM);
    const double factor = program.model.rope.attention_factor > 0 ? program.model.rope.attention_factor : 1;
    s->rope_cos = allocate(sizeof(float) * POSITIONS * HALF, "rotary tables");
    s->rope_sin = allocate(sizeof(float) * POSITIONS * HALF, "rotary tables");
    for (int position = 0; position < POSITIONS; position++)
        for (int i = 0; i < HALF; i++) {
            float angle = (float)position * (float)inverse[i];
            s->rope_cos[(size_t)position * HALF + i] = (float)(cos((double)angle) * factor);
            s->rope_sin[(size_t)position * HALF + i] = (float)(sin((double)angle) * factor);
        }
}

//@ for _, set in ipairs(plan.sets) do
/* The layer whose place is i among those of struct $(set.name)_adapters. */
static void point_to_$(set.name)(struct device *s, int layer, int i)
{
    s->layer_adapters[layer] = &s->adapters->$(set.name)[i];
    if (s->gradients)
        s->layer_gradients[layer] = &s->gradients->$(set.name)[i];
//@   if plan.dora then
    s->layer_norms[layer] = &s->norms->$(set.name)[i];
//@   end
}

//@ end
/* Each layer's part of the trained parameters. */
static void point_to_adapters(struct device *s)
{
//@ for _, set in ipairs(plan.sets) do
//@   for _, run in ipairs(set.stretches) do
//@     if run.first == run.last then
    point_to_$(set.name)(s, $(run.first), $(run.at));
//@     else
    for (int layer = $(run.first); layer <= $(run.last); layer++)
        point_to_$(set.name)(s, layer, $(run.place));
//@     end
//@   end
//@ end
//@ if #plan.sets == 0 then
    (void)s; /* only the head is trained */
//@ end
}

//@ local kept = {}
//@ for _, kind in ipairs(plan.kinds) do
//@   if #kind.saved > 0 then kept[#kept + 1] = kind end
//@ end
/* The arena of training and evaluation: scratch, the layers' inputs, and what they keep. Evaluation keeps nothing, so all
 * layers share one place. */
static void lay_out_arena(struct device *s)
{
    const size_t stream = (size_t)MAX_TOKENS * HIDDEN;
    const bool training = s->use == USE_TRAIN;
    const size_t scratch = (size_t)$(plan.scratch.rows) * $(plan.scratch.columns);
    size_t floats = scratch + stream;
    if (training)
//@ if plan.final_gradient then
        floats += stream * (LAYERS - FIRST_TRAINING_LAYER) + stream; /* the layers' inputs, dx */
//@ else
        floats += stream * (LAYERS - FIRST_TRAINING_LAYER);
//@ end
//@ for _, kind in ipairs(kept) do
    const size_t $(kind.name)_floats = sizeof(struct $(kind.name)_saved) / sizeof(float);
//@   if kind.count == 1 then
    floats += $(kind.name)_floats;
//@   else
    floats += $(kind.name)_floats * (training ? $(kind.count) : 1);
//@   end
//@ end
    s->arena_bytes = sizeof(float) * floats;
    s->arena = large_allocate(s->arena_bytes, "activations");
    float *next = s->arena;
    s->scratch = next;
    next += scratch;
    float *shared = next;
    next += stream;
    for (int layer = 0; layer <= LAYERS; layer++) {
        const bool own = training && layer >= FIRST_TRAINING_LAYER && layer < LAYERS;
        s->input[layer] = own ? next : shared;
        next += own ? stream : 0;
    }
//@ if plan.final_gradient then
    s->dx = next;
    next += training ? stream : 0;
//@ end
//@ for _, kind in ipairs(kept) do
//@   if kind.count == 1 then
    s->layer_saved[$(kind.layers[1])] = next;
    next += $(kind.name)_floats;
//@   else
//@     for _, run in ipairs(kind.stretches) do
//@       if run.first == run.last then
    s->layer_saved[$(run.first)] = next$(run.at > 0 and " + (training ? " .. run.at .. " * " .. kind.name .. "_floats : 0)" or "");
//@       else
    for (int layer = $(run.first); layer <= $(run.last); layer++)
        s->layer_saved[layer] = next + (training ? (size_t)$(run.place == "layer" and "layer" or "(" .. run.place .. ")") * $(kind.name)_floats : 0);
//@       end
//@     end
    next += $(kind.name)_floats * (training ? $(kind.count) : 1);
//@   end
//@ end
    CHECK(next == s->arena + floats);
}

static void lay_out_batch(struct device *s)
{
    s->positions = allocate(sizeof(int32_t) * MAX_TOKENS, "a batch");
    s->row = allocate(sizeof(int32_t) * MAX_TOKENS, "a batch");
    s->row_label = allocate(sizeof(int32_t) * MAX_TOKENS, "a batch");
    s->row_best = allocate(sizeof(int32_t) * MAX_TOKENS, "a batch");
    s->row_loss = allocate(sizeof(double) * MAX_TOKENS, "a batch");
//@ if plan.dropout then
    s->sample = allocate(sizeof(uint32_t) * MAX_TOKENS, "a batch");
//@ end
}

/* Generation: one residual stream in place, the layers' scratch, the caches. */
static void lay_out_generation(struct device *s)
{
    const size_t stream = (size_t)PROMPT_ROWS * HIDDEN, cache = (size_t)MAX_CONTEXT * KV_WIDTH;
    s->arena_bytes = sizeof(float) * PROMPT_ROWS * (EXTEND_COLUMNS + 2 * HIDDEN);
    s->arena = large_allocate(s->arena_bytes, "activations");
    for (int layer = 0; layer <= LAYERS; layer++)
        s->input[layer] = s->arena;
    s->scratch = s->arena + 2 * stream;
    s->positions = allocate(sizeof(int32_t) * PROMPT_ROWS, "positions");
    s->cache_bytes = sizeof *s->caches * 2 * LAYERS * cache;
    s->caches = large_allocate(s->cache_bytes, "the KV cache");
    for (int layer = 0; layer < LAYERS; layer++) {
        s->k_cache[layer] = s->caches + cache * (2 * (size_t)layer);
        s->v_cache[layer] = s->caches + cache * (2 * (size_t)layer + 1);
    }
}

static struct device *open_device(const struct device_request *request, struct error *err)
{
    (void)err;
    struct device *s = allocate(sizeof *s, "the device");
    s->use = request->use;
    s->threads = request->threads;
    s->with_adapters = request->with_adapters;
    s->tuned = request->tuned;
    s->weights = large_allocate(sizeof *s->weights, "weights");
    s->adapters = large_allocate(sizeof *s->adapters, "adapters");
    if (request->use == USE_TRAIN) {
        s->gradients = large_allocate(sizeof *s->gradients, "gradients");
        s->moment1 = large_allocate(sizeof *s->moment1, "AdamW's first moments");
        s->moment2 = large_allocate(sizeof *s->moment2, "AdamW's second moments");
        s->block_sums = allocate((sizeof *s->adapters / sizeof(float) / PARAMETER_BLOCK + 1) * sizeof(double), "sums");
    }
//@ if plan.dora then
    s->norms = allocate(sizeof *s->norms, "norms");
    s->norms_stale = true;
//@ end
    point_to_adapters(s);
    fill_rope_tables(s);
    if (request->use == USE_GENERATE) {
        lay_out_generation(s);
    } else {
        lay_out_arena(s);
        lay_out_batch(s);
    }
    return s;
}

static char *region_address(const struct device *s, enum region region)
{
    void *const addresses[] = {[REGION_WEIGHTS] = s->weights,
                               [REGION_ADAPTERS] = s->adapters,
                               [REGION_GRADIENTS] = s->gradients,
                               [REGION_MOMENT1] = s->moment1,
                               [REGION_MOMENT2] = s->moment2};
    CHECK(addresses[region]);
    return addresses[region];
}

static void upload(struct device *s, enum region region, size_t offset, const void *from, size_t bytes)
{
    memcpy(region_address(s, region) + offset, from, bytes);
//@ if plan.dora then
    if (region == REGION_ADAPTERS && !s->norms_stale)
        s->norms_stale = true;
//@ end
}

static void download(const struct device *s, enum region region, size_t offset, void *to, size_t bytes)
{
    memcpy(to, region_address(s, region) + offset, bytes);
}

//@ if plan.dora then
/* Called by all threads before a pass: the norms of weights that have changed since. */
static void refresh_norms(struct device *s)
{
    if (!s->norms_stale || !s->with_adapters)
        return;
//@   for _, set in ipairs(plan.sets) do
    for (int layer = 0; layer < LAYERS; layer++) {
        const struct layer_weights *w = &s->weights->layers[layer];
        const struct $(set.name)_adapters *a = s->layer_adapters[layer];
        struct $(set.name)_norms *norms = s->layer_norms[layer];
        if (a < s->adapters->$(set.name) || a >= s->adapters->$(set.name) + $(set.count))
            continue;
//@     for _, m in ipairs(set.slots) do
//@       local stacked = { k_proj = "qkv_proj + (size_t)K_OFFSET * HIDDEN", v_proj = "qkv_proj + (size_t)V_OFFSET * HIDDEN", q_proj = "qkv_proj", gate_proj = "gate_up_proj", up_proj = "gate_up_proj + (size_t)INTERMEDIATE * HIDDEN" }
$(wrap("        dora_" .. m.kernel .. "_norm(norms->" .. m.slot .. ", w->" .. (stacked[m.slot] or m.slot) .. ", a->" .. m.slot .. "_A, a->" .. m.slot .. "_B);"))
//@     end
    }
//@   end
//@   if plan.head.lora then
    dora_$(plan.head.lora.kernel)_norm(s->norms->lm_head, head_weight(s), s->adapters->lm_head_A, s->adapters->lm_head_B);
//@   end
#pragma omp single
    s->norms_stale = false;
}

//@ end
/* ---- training ---- */

static void stage_tokens(struct device *s, const struct batch *batch)
{
    CHECK(batch->tokens <= MAX_TOKENS && batch->segments <= MAX_SEGMENTS);
    s->T = batch->tokens;
    s->ids = batch->ids;
    s->position = s->positions;
    s->segments = (struct segments){.count = batch->segments, .starts = batch->starts};
    s->rows = 0;
    for (int i = 0; i < batch->segments; i++)
        for (int t = batch->starts[i]; t < batch->starts[i + 1]; t++) {
            s->positions[t] = t - batch->starts[i];
            if (batch->labels[t] < 0)
                continue;
            s->row[s->rows] = t;
            s->row_label[s->rows++] = batch->labels[t];
        }
}

//@ if plan.dropout then
static void stage_dropout(struct device *s, const struct batch *batch, bool active)
{
    for (int i = 0; active && i < batch->segments; i++)
        for (int t = batch->starts[i]; t < batch->starts[i + 1]; t++)
            s->sample[t] = batch->samples[i];
    for (int layer = 0; layer <= LAYERS; layer++)
        for (int module = 0; module < MODULES; module++)
            s->dropout[layer][module] = (struct dropout){.active = active,
                                                         .seed = batch->seed,
                                                         .step = batch->step,
                                                         .module = (uint32_t)(layer * 16 + module),
                                                         .sample = s->sample,
                                                         .position = s->positions};
}

//@ end
static double sum_rows(const struct device *s)
{
    double sum = 0;
    for (int i = 0; i < s->rows; i++)
        sum += s->row_loss[i];
    return sum;
}

static void zero_gradients(struct device *s)
{
    memset(s->gradients, 0, sizeof *s->gradients);
}

static double accumulate(struct device *s, const struct batch *batch, double scale)
{
    stage_tokens(s, batch);
    if (s->rows == 0)
        return 0;
    s->scale = (float)scale;
//@ if plan.dropout then
    stage_dropout(s, batch, true);
//@ end
#pragma omp parallel num_threads(s->threads)
    {
//@ if plan.dora then
        refresh_norms(s);
//@ end
        forward(s);
        head_train(s);
//@ if plan.final_gradient then
        backward(s);
//@ end
    }
    return sum_rows(s);
}

static double grad_norm(struct device *s)
{
    double norm = 0;
#pragma omp parallel num_threads(s->threads)
    {
        double found = gradient_norm((const float *)s->gradients, sizeof *s->gradients / sizeof(float), s->block_sums);
#pragma omp master
        norm = found;
    }
    return norm;
}

static void update(struct device *s, const struct adamw *adamw)
{
#pragma omp parallel num_threads(s->threads)
    adamw_update((float *)s->adapters, (const float *)s->gradients, (float *)s->moment1, (float *)s->moment2,
                 sizeof *s->adapters / sizeof(float), adamw);
//@ if plan.dora then
    s->norms_stale = true;
//@ end
}

static void evaluate(struct device *s, const struct batch *batch, struct evaluation *evaluation)
{
    stage_tokens(s, batch);
    if (s->rows == 0)
        return;
//@ if plan.dropout then
    stage_dropout(s, batch, false);
//@ end
#pragma omp parallel num_threads(s->threads)
    {
//@ if plan.dora then
        refresh_norms(s);
//@ end
        forward(s);
        head_evaluate(s);
    }
    evaluation->loss_sum += sum_rows(s);
    evaluation->trained += s->rows;
    for (int i = 0; i < s->rows; i++)
        evaluation->correct += s->row_best[i] == s->row_label[i];
}

/* ---- generation ---- */

static void extend(struct device *s, const int32_t *ids, int n, float *logits)
{
    CHECK(n > 0 && s->length + n <= MAX_CONTEXT);
    while (n > 0) {
        s->T = n < PROMPT_ROWS ? n : PROMPT_ROWS;
        s->ids = ids;
        s->position = s->positions;
        for (int t = 0; t < s->T; t++)
            s->positions[t] = s->length + t;
        float *wanted = s->T == n ? logits : NULL;
#pragma omp parallel num_threads(s->threads)
        {
//@ if plan.dora then
            refresh_norms(s);
//@ end
            extend_rows(s, wanted);
        }
        s->length += s->T;
        ids += s->T;
        n -= s->T;
    }
}

static void rewind_cache(struct device *s, int length)
{
    CHECK(length >= 0 && length <= s->length);
    s->length = length;
}

//@ if plan.amx then
#if defined(__AMX_BF16__)
#    define BACKEND_NAME "amx"
#    define BACKEND_USABLE cpu_runs_amx
#elif defined(AMX_EMULATED)
#    define BACKEND_NAME "amx"
#    define BACKEND_USABLE cpu_runs_avx512
#elif defined(__AVX512F__)
//@ else
#if defined(__AVX512F__)
//@ end
#    define BACKEND_NAME "avx512"
#    define BACKEND_USABLE cpu_runs_avx512
#elif defined(__AVX2__)
#    define BACKEND_NAME "avx2"
#    define BACKEND_USABLE cpu_runs_avx2
#else
#    define BACKEND_NAME "portable"
#    define BACKEND_USABLE cpu_runs_portable
#endif

extern const struct backend BACKEND;

const struct backend BACKEND = {
    .name = BACKEND_NAME,
    .usable = BACKEND_USABLE,
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
    .selftest = selftest,
    .describe = cpu_description,
    .tunables = tunables,
    .tunable_count = sizeof tunables / sizeof *tunables,
    .measure = measure,
};
