// SPDX-License-Identifier: Apache-2.0
/* index/blocks.h -- vectors as bytes in blocks of sixteen, with a proven bound on what that costs.
 *
 * A vector v is stored as its direction u = v / |v|, and that as bytes c with a scale:
 *
 *     u = scale * c + e          the error's length |e| is measured, not estimated
 *
 * Sixteen vectors are one panel of int8 weights (kernels.h), so the int8 GEMM scores them as it runs
 * a matrix. A query direction w is split into two rows of bytes, the second one for what the first
 * one leaves: the scan is bound by memory, so the second row costs 3 % and its error is a 250th.
 *
 *     w = w' + f,    | w.u - w'.u' | <= |e| + |f| (1 + |e|)        because |w| = |u| = 1
 *
 * and the exact score, computed in floats, differs from w.u by a rounding that grows with the
 * dimension. memo_block_bound() is the sum, so that
 *
 *     estimate - bound <= exact score as the caller computes it <= estimate + bound
 *
 * A vector without a direction in floats (zero, not finite, its length out of range) has no bytes and
 * an infinite error: it stays a candidate of every search and the exact score decides. */
#ifndef MEMO_INDEX_BLOCKS_H
#define MEMO_INDEX_BLOCKS_H

#include "kernel/kernels.h"

#define MEMO_BLOCK 16 /* vectors in a block: MEMO_PANEL */

/* The square of a length is summed in floats where the exact score is computed. Outside of this range
 * it may have overflowed or lost digits to denormals, and a score is computed in double. */
#define MEMO_LEAST_SQUARE 1e-30
#define MEMO_MOST_SQUARE  1e30

/* Blocks of a set of vectors, in one place or mapped; slot i is vector i % 16 of block i / 16. The
 * slots behind the last vector hold zeros. All borrowed. */
typedef struct memo_blocks {
    size_t dim;
    size_t n;             /* vectors */
    const int8_t *codes;  /* [n_blocks] panels of memo_block_bytes(), 64-byte aligned */
    const float *scale;   /* [n_blocks * 16] */
    const int32_t *w_sum; /* [n_blocks * 16] sum of a vector's bytes */
    const float *error;   /* [n_blocks * 16] |e| rounded up; infinite: no bytes */
} memo_blocks;

/* One block as it is made, before it goes where a memo_blocks points. */
typedef struct memo_block_out {
    int8_t *codes; /* [memo_block_bytes()] */
    float *scale, *error;
    int32_t *w_sum; /* [16] each */
} memo_block_out;

size_t memo_block_count(size_t n);    /* blocks of n vectors */
size_t memo_block_inputs(size_t dim); /* k of the GEMM: dim and zeros behind it */
size_t memo_block_bytes(size_t dim);  /* codes of one block */

/* memo_block_encode() -- make one block.
 *
 *   vectors  [n, dim] floats of any value, n in 1..16
 *   scratch  memo_block_bytes(dim), 64-byte aligned */
void memo_block_encode(const memo_kernels *kernels, size_t dim, const float *vectors, size_t n,
                       int8_t *scratch, const memo_block_out *out);

/* A query as the GEMM wants it: two rows of bytes that lie side by side. */
typedef struct memo_block_query {
    uint8_t *bytes; /* [2, memo_block_inputs(dim)], the caller's */
    memo_int8_row rows[2];
    float error; /* |f| rounded up */
} memo_block_query;

/* Zero when the query has no direction in floats: nothing can be estimated then. */
int memo_block_query_encode(const memo_kernels *kernels, size_t dim, const float *query,
                            memo_block_query *out);

/* What rounding adds to every bound: the two estimates and the exact score in floats. */
float memo_block_slack(size_t dim);

static inline float memo_block_bound(float error, const memo_block_query *query, float slack)
{
    return error + query->error * (1 + error) + slack;
}

#endif
