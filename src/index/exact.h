// SPDX-License-Identifier: Apache-2.0
/* index/exact.h -- scores of an exact scan: every vector is looked at. */
#ifndef MEMO_INDEX_EXACT_H
#define MEMO_INDEX_EXACT_H

#include "kernel/kernels.h"

/* Dot products of the query [dim] with n_rows rows of dim floats that lie side by side. A row or a
 * query that holds NaN, infinity or huge values may give a score that is not finite. */
static inline void memo_exact_scores(const memo_kernels *kernels, const float *query, size_t dim,
                                     const float *rows, size_t n_rows, float *scores)
{
    kernels->dot_rows_f32(dim, query, rows, dim, n_rows, scores);
}

#endif
