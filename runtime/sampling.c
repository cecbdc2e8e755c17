#include "sampling.h"

#include "error.h"
#include "philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void token_sampler_init(struct token_sampler *sampler, const struct sampling *settings, int vocab_size)
{
    size_t size = (size_t)vocab_size;
    *sampler = (struct token_sampler){.settings = *settings, .vocab_size = vocab_size};
    sampler->occurred = allocate(size * sizeof *sampler->occurred, "sampling");
    sampler->candidates = allocate(size * sizeof *sampler->candidates, "sampling");
    sampler->weights = allocate(size * sizeof *sampler->weights, "sampling");
}

void token_sampler_free(struct token_sampler *sampler)
{
    free(sampler->occurred);
    free(sampler->candidates);
    free(sampler->weights);
    *sampler = (struct token_sampler){0};
}

void token_sampler_note(struct token_sampler *sampler, const int32_t *ids, int count)
{
    for (int i = 0; i < count; i++) {
        if (ids[i] >= 0 && ids[i] < sampler->vocab_size)
            sampler->occurred[ids[i]] = true;
    }
}

void token_sampler_forget(struct token_sampler *sampler)
{
    memset(sampler->occurred, 0, (size_t)sampler->vocab_size * sizeof *sampler->occurred);
}

static void penalize(const struct token_sampler *sampler, float *logits)
{
    float penalty = (float)sampler->settings.repetition_penalty;
    if (penalty == 1.0f)
        return;
    for (int i = 0; i < sampler->vocab_size; i++) {
        if (sampler->occurred[i])
            logits[i] = logits[i] < 0 ? logits[i] * penalty : logits[i] / penalty;
    }
}

static int32_t largest(const float *logits, int count)
{
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++) {
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

/* Of equal logits the later id comes first: torch's ascending stable sort, read backwards. */
static bool comes_before(const float *logits, int32_t a, int32_t b)
{
    return logits[a] > logits[b] || (logits[a] == logits[b] && a > b);
}

static void sift_down(int32_t *heap, int count, int at, const float *logits)
{
    for (int child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && comes_before(logits, heap[child + 1], heap[child]))
            child++;
        if (!comes_before(logits, heap[child], heap[at]))
            return;
        int32_t moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
    }
}

/* Takes the best candidate off the heap and puts it behind the heap's new end: the i-th taken lies at vocab_size - 1 - i. */
static int32_t take_best(int32_t *heap, int *count, const float *logits)
{
    int32_t token = heap[0];
    heap[0] = heap[--*count];
    heap[*count] = token;
    sift_down(heap, *count, 0, logits);
    return token;
}

static double weight(const float *logits, int32_t token, double best)
{
    return exp((double)logits[token] - best);
}

/* Takes the k best and those equal to the k-th; their weights, and how many. */
static int take_top_k(struct token_sampler *sampler, const float *logits)
{
    int32_t *heap = sampler->candidates;
    int left = sampler->vocab_size, taken = 0;
    double best = logits[heap[0]];
    float kth = logits[heap[0]];
    while (left > 0 && (taken < sampler->settings.top_k || logits[heap[0]] == kth)) {
        int32_t token = take_best(heap, &left, logits);
        kth = logits[token];
        sampler->weights[taken++] = weight(logits, token, best);
    }
    return taken;
}

/* Takes the best until their weights reach top_p of all: a heap, so that a vocabulary of 150,000 is not sorted for the few dozen
 * tokens that count. */
static int take_top_p(struct token_sampler *sampler, const float *logits)
{
    int32_t *heap = sampler->candidates;
    int left = sampler->vocab_size, taken = 0;
    double best = logits[heap[0]], total = 0, reached = 0;
    for (int i = 0; i < sampler->vocab_size; i++)
        total += weight(logits, i, best);
    while (left > 0 && (taken == 0 || reached < sampler->settings.top_p * total)) {
        sampler->weights[taken] = weight(logits, take_best(heap, &left, logits), best);
        reached += sampler->weights[taken++];
    }
    return taken;
}

/* How many of the weights, largest first, it takes to reach top_p of their sum. */
static int cut_top_p(const double *weights, int count, double top_p)
{
    double total = 0, reached = 0;
    for (int i = 0; i < count; i++)
        total += weights[i];
    int kept = 0;
    while (kept < count && (kept == 0 || reached < top_p * total))
        reached += weights[kept++];
    return top_p < 1 ? kept : count;
}

/* The counter's last word, so that these numbers are no dropout mask's. */
enum { SAMPLING_DOMAIN = 0x746f6b65 };

/* 53 random bits as a fraction in [0, 1). */
static double uniform(uint64_t seed, int position)
{
    uint32_t words[4];
    philox(words, seed, (uint32_t[4]){(uint32_t)position, 0, 0, SAMPLING_DOMAIN});
    return (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) * 0x1p-53;
}

/* The candidate that `fraction` (0 to 1) of the weights' sum falls on. */
static int choose(const double *weights, int count, double fraction)
{
    double sum = 0, reached = 0;
    for (int i = 0; i < count; i++)
        sum += weights[i];
    for (int i = 0; i < count - 1; i++) {
        reached += weights[i];
        if (fraction * sum < reached)
            return i;
    }
    return count - 1;
}

static void heapify(struct token_sampler *sampler, const float *logits)
{
    for (int i = 0; i < sampler->vocab_size; i++)
        sampler->candidates[i] = i;
    for (int i = sampler->vocab_size / 2 - 1; i >= 0; i--)
        sift_down(sampler->candidates, sampler->vocab_size, i, logits);
}

static int32_t draw_from_all(struct token_sampler *sampler, const float *logits, double fraction)
{
    double best = logits[largest(logits, sampler->vocab_size)];
    for (int i = 0; i < sampler->vocab_size; i++)
        sampler->weights[i] = weight(logits, i, best);
    return choose(sampler->weights, sampler->vocab_size, fraction);
}

int32_t token_sampler_draw(struct token_sampler *sampler, float *logits, int position)
{
    const struct sampling *settings = &sampler->settings;
    int vocabulary = sampler->vocab_size, kept;
    penalize(sampler, logits);
    if (settings->temperature <= 0)
        return largest(logits, vocabulary);
    for (int i = 0; i < vocabulary; i++)
        logits[i] = (float)((double)logits[i] / settings->temperature);
    double fraction = uniform(settings->seed, position);
    bool by_k = settings->top_k > 0 && settings->top_k < vocabulary;
    if (!by_k && settings->top_p >= 1)
        return draw_from_all(sampler, logits, fraction);
    heapify(sampler, logits);
    if (by_k)
        kept = cut_top_p(sampler->weights, take_top_k(sampler, logits), settings->top_p);
    else
        kept = take_top_p(sampler, logits);
    return sampler->candidates[vocabulary - 1 - choose(sampler->weights, kept, fraction)];
}
