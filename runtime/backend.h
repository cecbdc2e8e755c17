/* What the trainer and the commands need from generated compute code: one backend per instruction set, and later per device.
 *
 * A backend owns the memory of a run: the frozen weights, the adapters (every trained parameter, one flat block of floats laid
 * out as the generated struct adapters), their gradients and AdamW moments, the arena for activations, the KV cache. The
 * runtime fills and reads these blocks by byte offset; where tensors lie in them is told by program.h.
 */
#ifndef LORAC_BACKEND_H
#define LORAC_BACKEND_H

#include "error.h"
#include "tuning.h"

#include <stdint.h>

enum device_use {
    USE_TRAIN,    /* weights, adapters, gradients, moments, arena */
    USE_EVAL,     /* weights, adapters, arena */
    USE_GENERATE, /* weights, adapters, KV cache, small arena */
};

enum region { REGION_WEIGHTS, REGION_ADAPTERS, REGION_GRADIENTS, REGION_MOMENT1, REGION_MOMENT2 };

struct device_request {
    enum device_use use;
    bool with_adapters; /* false: the base model alone, lora_B and everything trained is left out of the computation */
    int threads;        /* OpenMP threads, at least 1 */
    /* [tunable_count], ours: read as the device computes and, where watched, measured. NULL: first variants. */
    struct tuned *tuned;
};

/* One pass: segments (samples) laid end to end, no padding. */
struct batch {
    int tokens;         /* T <= program.train.per_device_train_batch_size * program.train.max_length */
    const int32_t *ids; /* [T] */
    const int32_t
        *labels;  /* [T] already shifted: what position t has to predict, or -100 (each segment's last is -100) */
    int segments; /* S */
    const int32_t *starts;   /* [S + 1] first token of each segment; starts[S] == T. Positions restart at each */
    const uint32_t *samples; /* [S] dropout key of each segment: its sample's place in the run */
    uint64_t seed;           /* dropout key */
    uint32_t step;           /* dropout key: optimizer step, counted from 0 */
};

struct evaluation {
    double loss_sum; /* sum of token cross entropies, natural log */
    int64_t trained; /* number of labels that are not -100 */
    int64_t correct; /* how many of those the largest logit predicts */
};

/* One AdamW update (Loshchilov and Hutter 2019, as PyTorch does it). */
struct adamw {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    int64_t step;      /* counted from 1, for the bias correction */
    double grad_scale; /* gradients are multiplied by this first: clipping */
};

struct device; /* a backend's state */

/* Receives one line per checked kernel from selftest: worst error over its limit. */
struct selftest_line {
    const char *kernel; /* "rmsnorm_fwd" */
    const char *shape;  /* "T=37 dim=64" */
    double error;       /* worst error found, in units of the limit: passes when !(error > 1) and not NaN */
    double limit;       /* the limit itself, relative */
};
typedef void selftest_report(void *context, const struct selftest_line *line);

struct backend {
    const char *name; /* "amx", "avx512", "avx2", "portable" */
    bool (*usable)(void);
    struct device *(*open)(const struct device_request *request, struct error *err);
    void (*close)(struct device *device);

    /* upload may be called by several threads at once, never for bytes that overlap. */
    void (*upload)(struct device *device, enum region region, size_t offset, const void *from, size_t bytes);
    void (*download)(const struct device *device, enum region region, size_t offset, void *to, size_t bytes);

    /* Training. accumulate adds the gradient of scale * (sum of token cross entropies) and returns that sum, unscaled. */
    void (*zero_gradients)(struct device *device);
    double (*accumulate)(struct device *device, const struct batch *batch, double scale);
    double (*grad_norm)(struct device *device); /* global L2 norm of the gradients */
    void (*update)(struct device *device, const struct adamw *adamw);

    /* Loss without dropout or gradients; adds to *evaluation. */
    void (*evaluate)(struct device *device, const struct batch *batch, struct evaluation *evaluation);

    /* Generation. extend appends n tokens to the KV cache and writes the logits [vocab_size] after the last of them; the caller
     * keeps length + n <= max_context. rewind cuts the cache back to `length` tokens. */
    void (*extend)(struct device *device, const int32_t *ids, int n, float *logits);
    void (*rewind)(struct device *device, int length);

    /* Checks every kernel against naive double precision, and its backward pass against finite differences; returns the number
     * of lines that failed. */
    int (*selftest)(int threads, selftest_report *report, void *context);

    /* Tuning (tuning.h). describe names the device, its caches included; free() it. measure computes every operation that is watched
     * on random numbers until it is measured; one that this program never computes for so many rows stays unmeasured. */
    char *(*describe)(void);
    const struct tunable *tunables;
    int tunable_count;
    void (*measure)(struct tuned *tuned, int threads);
};

/* One that this build left out: it has a name, is never usable, and does nothing else. */
static inline bool backend_absent(const struct backend *backend)
{
    return !backend->open;
}

#endif
