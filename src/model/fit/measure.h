// SPDX-License-Identifier: Apache-2.0
/* model/fit/measure.h -- many texts through a network whose weights may lie in several files: what
 * calibration and class auto look at. */
#ifndef MEMO_MODEL_MEASURE_H
#define MEMO_MODEL_MEASURE_H

#include "base/buf.h"
#include "model/model_handle.h"

/* Ids of texts, packed; zeroed is empty. */
typedef struct memo_measure_texts {
    size_t n, longest; /* texts; tokens of the longest */
    memo_buf ids;      /* uint32_t values */
    memo_buf starts;   /* size_t values, [n + 1] */
} memo_measure_texts;

#define MEMO_MEASURE_TOKENS 256 /* a longer text is cut */

/* `out` is zeroed by the caller and must be released also on failure. */
memo_status memo_measure_encode(memo_measure_texts *out, const memo_model *model,
                                const memo_text *texts, size_t n, memo_err *err);
/* The same for all our own texts. */
memo_status memo_measure_own(memo_measure_texts *out, const memo_model *model, memo_err *err);
void memo_measure_fini(memo_measure_texts *texts);

/* memo_measure_run() -- every step-th text through a network, over the threads of a context.
 *
 *   tap      sees states and inputs of matrices; with one a single thread runs
 *   vectors  [ceil(n / step), dim] out; zeros for a text that gives no finite vector
 *
 * Memory: scratch for one text a thread. */
memo_status memo_measure_run(memo_ctx *ctx, const memo_transformer *transformer,
                             const memo_measure_texts *texts, size_t step, memo_tap tap,
                             float *vectors, memo_err *err);

#endif
