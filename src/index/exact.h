// SPDX-License-Identifier: Apache-2.0
/* index/exact.h -- the score of a vector: its cosine to the query, the same wherever it is asked for.
 *
 * Dot product and lengths are computed in floats, in a fixed order for each CPU level, so a vector's
 * score does not depend on what is scored beside it. Where floats cannot hold a length (blocks.h), it is
 * computed in double: every finite vector has a square there, 65,536 components of 3e38 make 6e81. */
#ifndef MEMO_INDEX_EXACT_H
#define MEMO_INDEX_EXACT_H

#include "kernel/kernels.h"

/* A query, ready to be compared. Borrows the vector. */
typedef struct memo_exact {
    const memo_kernels *kernels;
    size_t dim;
    const float *query; /* [dim] */
    double length;      /* of the query */
    int in_double;      /* which floats cannot hold */
} memo_exact;

void memo_exact_init(memo_exact *exact, const memo_kernels *kernels, size_t dim,
                     const float *query);

/* memo_exact_scores() -- cosines of the query to n rows of dim floats that lie side by side.
 *
 * 0 where one of both has length 0. A vector that holds NaN or infinity has a score that is not
 * finite. Cost: two dot products a row. */
void memo_exact_scores(const memo_exact *exact, const float *rows, size_t n, double *scores);

#endif
