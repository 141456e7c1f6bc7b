// SPDX-License-Identifier: Apache-2.0
#include "quant/feedback.h"

#include <math.h>

#include "base/checked.h"

#define FEEDBACK_DAMPING 0.03
#define FEEDBACK_STRIP   32 /* rows of the factor that are taken off the rest together */
#define FEEDBACK_LANES   8

size_t memo_feedback_scratch(size_t n)
{
    return 2 * memo_round_up(n, MEMO_PANEL) * MEMO_FEEDBACK_ROWS;
}

/* Both sides of the product are x transposed: inputs are the rows of one and the channels of the other,
 * tokens are what is summed over. */
void memo_feedback_add(const memo_kernels *kernels, size_t n_rows, size_t n, const float *x,
                       size_t ld, float *moments, float *scratch)
{
    float *panels = scratch, *turned = scratch + memo_feedback_scratch(n) / 2;

    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n; i++)
            turned[i * n_rows + r] = x[r * ld + i];
    kernels->pack_panels_f32(n, n_rows, turned, n_rows, panels, n_rows * MEMO_PANEL);
    memo_gemm_run(kernels, &(memo_gemm){
                               .kind = MEMO_GEMM_F32,
                               .m = n,
                               .n = n,
                               .k = n_rows,
                               .a = turned,
                               .lda = n_rows * sizeof *turned,
                               .w = panels,
                               .panel_stride = n_rows * MEMO_PANEL * sizeof *panels,
                               .c = moments,
                               .ldc = n,
                               .epilogue = MEMO_EPILOGUE_ADD,
                               .residual = moments,
                               .ld_residual = n,
                           });
}

/* Inputs by falling moment, equal ones by index: heap sort, n is at most some tens of thousands. */
static int feedback_before(const float *moments, size_t n, uint32_t a, uint32_t b)
{
    float x = moments[a * n + a], y = moments[b * n + b];

    return x != y ? x > y : a < b;
}

static void feedback_sink(const float *moments, size_t n, uint32_t *heap, size_t at, size_t end)
{
    for (size_t child = 2 * at + 1; child < end; at = child, child = 2 * at + 1) {
        if (child + 1 < end && feedback_before(moments, n, heap[child], heap[child + 1]))
            child++;
        if (!feedback_before(moments, n, heap[at], heap[child]))
            break;
        uint32_t swapped = heap[at];
        heap[at] = heap[child];
        heap[child] = swapped;
    }
}

static void feedback_sort(const float *moments, size_t n, uint32_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;)
        feedback_sink(moments, n, order, i, n);
    for (size_t end = n; end-- > 1;) {
        uint32_t last = order[0];
        order[0] = order[end];
        order[end] = last;
        feedback_sink(moments, n, order, 0, end);
    }
}

/* y -= a * x */
static void feedback_take_off(size_t n, float a, const float *x, float *y)
{
    size_t i = 0;

    for (; i + FEEDBACK_LANES <= n; i += FEEDBACK_LANES)
        for (int j = 0; j < FEEDBACK_LANES; j++)
            y[i + (size_t)j] -= a * x[i + (size_t)j];
    for (; i < n; i++)
        y[i] -= a * x[i];
}

/* f, the lower triangle of M, becomes F with M = F' F, from the last row up: row t of F is row t of
 * what is left of M over the root of its pivot, and leaves M less its square. No pivot is below the
 * damping but by rounding. */
static void feedback_decompose(size_t n, float *f, float damping)
{
    for (size_t end = n; end > 0;) {
        size_t begin = end > FEEDBACK_STRIP ? end - FEEDBACK_STRIP : 0;
        for (size_t t = end; t-- > begin;) {
            float *row = f + t * n;
            for (size_t s = t + 1; s < end; s++)
                feedback_take_off(t + 1, f[s * n + t], f + s * n, row);
            float root = sqrtf(row[t] > damping ? row[t] : damping);
            for (size_t u = 0; u < t; u++)
                row[u] /= root;
            row[t] = root;
        }
        for (size_t u = 0; u < begin; u++)
            for (size_t s = begin; s < end; s++)
                feedback_take_off(u + 1, f[s * n + u], f + s * n, f + u * n);
        end = begin;
    }
}

int memo_feedback_factor(memo_feedback *feedback, const float *moments)
{
    const size_t n = feedback->n;
    const uint32_t *order = feedback->order;
    float *f = feedback->factor;
    double trace = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            if (!isfinite(moments[i * n + j]))
                return 0;
    for (size_t i = 0; i < n; i++)
        trace += (double)moments[i * n + i];
    float damping = (float)(trace / (double)n * FEEDBACK_DAMPING);
    if (!(damping > 0) || !isfinite(damping))
        return 0;
    feedback->moments = moments;
    feedback->damping = damping;
    feedback_sort(moments, n, feedback->order);
    for (size_t t = 0; t < n; t++) {
        for (size_t u = 0; u <= t; u++) {
            size_t a = order[t], b = order[u];
            f[t * n + u] = a > b ? moments[a * n + b] : moments[b * n + a];
        }
        f[t * n + t] += damping;
    }
    feedback_decompose(n, f, damping);
    for (size_t t = 0; t < n; t++)
        for (size_t u = 0; u < t; u++)
            f[t * n + u] /= f[t * n + t];
    return 1;
}

static float feedback_dot(size_t n, const float *a, const float *b)
{
    float lanes[FEEDBACK_LANES] = {0}, rest = 0;
    size_t i = 0;

    for (; i + FEEDBACK_LANES <= n; i += FEEDBACK_LANES)
        for (int j = 0; j < FEEDBACK_LANES; j++)
            lanes[j] += a[i + (size_t)j] * b[i + (size_t)j];
    for (; i < n; i++)
        rest += a[i] * b[i];
    for (int j = 0; j < FEEDBACK_LANES; j++)
        rest += lanes[j];
    return rest;
}

void memo_feedback_row(const memo_feedback *feedback, memo_feedback_grid grid, const float *x,
                       uint8_t *codes, float *values, float *errors)
{
    for (size_t t = 0; t < feedback->n; t++) {
        size_t i = feedback->order[t];
        float carried = feedback_dot(t, feedback->factor + t * feedback->n, errors);
        codes[i] = grid.nearest(grid.row, i, x[i] + carried, &values[i]);
        errors[t] = x[i] - values[i];
    }
}
