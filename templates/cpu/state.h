/* The memory of a run: what is kept between passes, the batch at hand, the caches of generation. */
#ifndef LORAC_STATE_H
#define LORAC_STATE_H

#include "attention.h"
#include "backend.h"
//@ if plan.dropout then
#include "dropout.h"
//@ end
#include "tensors.h"

//@ if plan.dora then
/* DoRA: the row norms of W + scaling B A, which no gradient passes through; computed once per optimizer step. */
//@   for _, set in ipairs(plan.sets) do
struct $(set.name)_norms {
//@     for _, m in ipairs(set.slots) do
    float $(m.slot)[$(m.out_name)];
//@     end
};
//@   end

struct norms {
//@   for _, set in ipairs(plan.sets) do
    struct $(set.name)_norms $(set.name)[$(set.count)];
//@   end
//@   if plan.head.lora then
    float lm_head[VOCAB];
//@   end
    char end;
};

//@ end
//@ for _, kind in ipairs(plan.kinds) do
//@   if #kind.saved > 0 then
/* What $(kind.count == 1 and "the " .. kind.name .. " layer" or "each of " .. kind.count .. " " .. kind.name .. " layers") keeps from its forward to its backward pass: $(comma(kind.saved_bytes)) bytes per token. */
struct $(kind.name)_saved {
//@     for _, v in ipairs(kind.saved) do
    $(v.type) $(v.name)[$(v.size)];
//@     end
};

//@   end
//@ end
/* Where the values that live within one layer, or one block of the head, lie in s->scratch: counted in columns, each as tall as there
 * are rows. Those that share columns are never needed at the same time. */
//@ for _, kind in ipairs(plan.kinds) do
enum {
//@   for _, v in ipairs(kind.columns) do
    $(v.constant) = $(v.column),
//@   end
    $(kind.name:upper())_COLUMNS = $(kind.scratch_columns),
};

//@ end
enum {
//@ for _, v in ipairs(plan.head.columns) do
    $(v.constant) = $(v.column),
//@ end
    HEAD_COLUMNS = $(plan.head.scratch_columns),
};

//@ local extend_columns = 0
/* The same in generation: PROMPT_ROWS tall. */
//@ for _, e in ipairs(plan.extends) do
enum {
//@   for _, v in ipairs(e.columns) do
    $(v.constant) = $(v.column),
//@   end
//@   if e.scratch_columns > extend_columns then extend_columns = e.scratch_columns end
};

//@ end
enum { EXTEND_COLUMNS = $(extend_columns) };

struct device {
    enum device_use use;
    int threads;
    bool with_adapters;
    struct tuned *tuned; /* not ours; NULL: first variants */

    struct weights *weights;
    struct adapters *adapters, *gradients, *moment1, *moment2;
    double *block_sums;
//@ if plan.dora then
    struct norms *norms;
    bool norms_stale;
    void *layer_norms[LAYERS];
//@ end
    /* Each layer's struct ..._adapters (NULL: it has none), the same of the gradients, and its struct ..._saved. */
    void *layer_adapters[LAYERS], *layer_gradients[LAYERS], *layer_saved[LAYERS];

    float *arena;
    size_t arena_bytes;
    /* input[l] [T][HIDDEN] is layer l's input; input[LAYERS] what leaves the last one. Layers that keep nothing share one. */
    float *input[LAYERS + 1];
    float *dx;
    float *scratch;
    float *rope_cos, *rope_sin;

    /* The batch at hand. */
    int T;
    const int32_t *ids, *position;
    int32_t *positions;
    struct segments segments;
    int rows;
    int32_t *row, *row_label, *row_best;
    double *row_loss;
    float scale;
//@ if plan.dropout then
    uint32_t *sample;
    struct dropout dropout[LAYERS + 1][MODULES];
//@ end

    /* Generation: `length` tokens lie in the caches. */
    int length;
    size_t cache_bytes;
    $(plan.x_type) *caches, *k_cache[LAYERS], *v_cache[LAYERS];
};

//@ if plan.train_head then
/* The output head [VOCAB][HIDDEN]: trained. */
static inline const float *head_weight(const struct device *s)
{
    return s->adapters->lm_head;
}
//@ elseif plan.model.tie_word_embeddings then
/* The output head [VOCAB][HIDDEN]: the embedding's table. */
static inline const weight_t *head_weight(const struct device *s)
{
    return s->weights->embed_tokens;
}
//@ else
static inline const weight_t *head_weight(const struct device *s)
{
    return s->weights->lm_head;
}
//@ end

#endif
