#include "reference_matmul.h"

#include "error.h"
#include "philox.h"

#include <math.h>
#include <stdlib.h>

void reference_dropout_mask(double *mask, const struct reference_dropout *dropout, int T, int in)
{
    const double threshold = floor(dropout->p * 65536 + 0.5), kept = 65536 / (65536 - threshold);
    for (int t = 0; t < T; t++)
        for (int k = 0; k < in; k++) {
            uint32_t block = (uint32_t)(k / 128 * 16 + k % 16), out[4];
            uint32_t counter[4] = {(uint32_t)dropout->position[t] << 14 | block, dropout->module, dropout->sample[t],
                                   dropout->step};
            philox(out, dropout->seed, counter);
            uint32_t word = out[k / 32 % 4], bits = k / 16 % 2 ? word >> 16 : word & 0xffff;
            mask[(size_t)t * in + k] = bits >= threshold ? kept : 0;
        }
}

/* seen [in] = mask .* x of token t. */
static void seen_row(double *seen, const double *x, const struct reference_lora *lora, int t)
{
    for (int k = 0; k < lora->in; k++) {
        size_t at = (size_t)t * lora->in + k;
        seen[k] = x[at] * (lora->mask ? lora->mask[at] : 1);
    }
}

/* inner [r] = A seen. */
static void inner_row(double *inner, const double *seen, const struct reference_lora *lora)
{
    for (int j = 0; j < lora->r; j++) {
        inner[j] = 0;
        for (int k = 0; k < lora->in; k++)
            inner[j] += lora->a[(size_t)j * lora->in + k] * seen[k];
    }
}

/* What W and what B A (times scaling) make of a token, for output n. */
static void output_parts(double *base, double *update, const double *seen, const double *inner,
                         const struct reference_lora *lora, int n)
{
    *base = *update = 0;
    for (int k = 0; lora->w && k < lora->in; k++)
        *base += lora->w[(size_t)n * lora->in + k] * seen[k];
    for (int j = 0; j < lora->r; j++)
        *update += lora->scaling * lora->b[(size_t)n * lora->r + j] * inner[j];
}

void reference_lora_forward(double *y, const double *x, const struct reference_lora *lora, int T)
{
    double *seen = allocate((size_t)lora->in * sizeof *seen, "a reference's row");
    double *inner = allocate((size_t)lora->r * sizeof *inner, "a reference's row");
    for (int t = 0; t < T; t++) {
        seen_row(seen, x, lora, t);
        inner_row(inner, seen, lora);
        for (int n = 0; n < lora->out; n++) {
            double base, update, g = lora->w ? lora->magnitude[n] / lora->norm[n] : 1;
            output_parts(&base, &update, seen, inner, lora, n);
            y[(size_t)t * lora->out + n] += (g - 1) * base + g * update;
        }
    }
    free(seen);
    free(inner);
}

/* Gradients through output n of one token, whose gradient is d; dseen [in] and dinner [r] are added to. */
static void output_backward(double *dseen, double *dinner, double *db, double *dmagnitude, double d, const double *seen,
                            const double *inner, const struct reference_lora *lora, int n)
{
    double base, update, g = lora->w ? lora->magnitude[n] / lora->norm[n] : 1;
    output_parts(&base, &update, seen, inner, lora, n);
    if (dmagnitude)
        dmagnitude[n] += d * (base + update) / lora->norm[n];
    for (int k = 0; lora->w && k < lora->in; k++)
        dseen[k] += (g - 1) * d * lora->w[(size_t)n * lora->in + k];
    for (int j = 0; j < lora->r; j++) {
        db[(size_t)n * lora->r + j] += lora->scaling * g * d * inner[j];
        dinner[j] += lora->scaling * g * d * lora->b[(size_t)n * lora->r + j];
    }
}

static void token_backward(double *dseen, double *dinner, double *da, const double *seen,
                           const struct reference_lora *lora)
{
    for (int j = 0; j < lora->r; j++)
        for (int k = 0; k < lora->in; k++) {
            da[(size_t)j * lora->in + k] += dinner[j] * seen[k];
            dseen[k] += dinner[j] * lora->a[(size_t)j * lora->in + k];
        }
}

void reference_lora_backward(double *dx, double *da, double *db, double *dmagnitude, const double *dy, const double *x,
                             const struct reference_lora *lora, int T)
{
    double *rows = allocate(2 * ((size_t)lora->in + lora->r) * sizeof *rows, "a reference's rows");
    double *seen = rows, *inner = seen + lora->in, *dseen = inner + lora->r, *dinner = dseen + lora->in;
    for (int t = 0; t < T; t++) {
        seen_row(seen, x, lora, t);
        inner_row(inner, seen, lora);
        for (int k = 0; k < lora->in + lora->r; k++)
            dseen[k] = 0;
        for (int n = 0; n < lora->out; n++)
            output_backward(dseen, dinner, db, dmagnitude, dy[(size_t)t * lora->out + n], seen, inner, lora, n);
        token_backward(dseen, dinner, da, seen, lora);
        for (int k = 0; dx && k < lora->in; k++) {
            size_t at = (size_t)t * lora->in + k;
            dx[at] += dseen[k] * (lora->mask ? lora->mask[at] : 1);
        }
    }
    free(rows);
}

void reference_dora_norm(double *norm, const double *w, const struct reference_lora *lora)
{
    for (int n = 0; n < lora->out; n++) {
        double squares = 0;
        for (int k = 0; k < lora->in; k++) {
            double value = w[(size_t)n * lora->in + k];
            for (int j = 0; j < lora->r; j++)
                value += lora->scaling * lora->b[(size_t)n * lora->r + j] * lora->a[(size_t)j * lora->in + k];
            squares += value * value;
        }
        norm[n] = sqrt(squares);
    }
}
