// SPDX-License-Identifier: Apache-2.0
#include "quant/refine.h"

#include <float.h>

#define REFINE_ROUNDS 3 /* of codes and scale; a fourth gains a thousandth */
#define REFINE_SWEEPS 2 /* over the codes in a round */

/* A row at work, in the caller's room. */
typedef struct refine_state {
    float *values; /* [n] v, what the codes stand for */
    float *wanted; /* [n] H x */
    float *pull;   /* [n] H e */
} refine_state;

size_t memo_refine_room(size_t n)
{
    return 3 * n;
}

/* y += a * row i of H */
static void refine_add_row(const memo_feedback *f, size_t i, float a, float *y)
{
    const float *moments = f->moments + i * f->n;

    for (size_t j = 0; j < f->n; j++)
        y[j] += a * moments[j];
    y[i] += a * f->damping;
}

static void refine_begin(const memo_feedback *f, const float *x, const refine_state *at)
{
    for (size_t i = 0; i < f->n; i++)
        at->wanted[i] = at->pull[i] = 0;
    for (size_t i = 0; i < f->n; i++) {
        refine_add_row(f, i, x[i], at->wanted);
        refine_add_row(f, i, x[i] - at->values[i], at->pull);
    }
}

/* Once through all inputs, the most important first; returns how many codes changed. */
static size_t refine_sweep(const memo_refine_job *job, const refine_state *at, uint8_t *codes)
{
    const memo_feedback *f = job->feedback;
    size_t n_changed = 0;

    for (size_t t = 0; t < f->n; t++) {
        size_t i = f->order[t];
        float curvature = f->moments[i * f->n + i] + f->damping, value;
        float best = at->values[i] + at->pull[i] / curvature;
        uint8_t code = job->grid.nearest(job->grid.row, i, best, &value);
        if (code == codes[i])
            continue;
        refine_add_row(f, i, at->values[i] - value, at->pull);
        at->values[i] = value;
        codes[i] = code;
        n_changed++;
    }
    return n_changed;
}

/* The scale of least error for the codes is v' H x / v' H v times what it was. */
static void refine_scale(const memo_refine_job *job, const refine_state *at)
{
    const size_t n = job->feedback->n;
    double xv = 0, vv = 0;

    for (size_t i = 0; i < n; i++) {
        double value = (double)at->values[i];
        xv += value * (double)at->wanted[i];
        vv += value * ((double)at->wanted[i] - (double)at->pull[i]);
    }
    double factor = vv > 0 ? xv / vv : 0, best = factor * (double)*job->scale;
    if (!(best >= (double)FLT_MIN && best <= (double)FLT_MAX))
        return;
    *job->scale = (float)best;
    for (size_t i = 0; i < n; i++) {
        double reached = (double)at->wanted[i] - (double)at->pull[i];
        at->values[i] = (float)(factor * (double)at->values[i]);
        at->pull[i] = (float)((double)at->wanted[i] - factor * reached);
    }
}

void memo_refine_row(const memo_refine_job *job, const float *x, uint8_t *codes)
{
    const size_t n = job->feedback->n;
    const refine_state at = {job->room, job->room + n, job->room + 2 * n};

    memo_feedback_row(job->feedback, job->grid, x, codes, at.values, at.pull);
    refine_begin(job->feedback, x, &at);
    for (int round = 0; round < REFINE_ROUNDS; round++) {
        for (int sweep = 0; sweep < REFINE_SWEEPS && refine_sweep(job, &at, codes); sweep++)
            continue;
        if (!job->keep_scale)
            refine_scale(job, &at);
    }
}
