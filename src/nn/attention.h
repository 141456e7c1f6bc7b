// SPDX-License-Identifier: Apache-2.0
/* nn/attention.h -- scaled dot-product self-attention over packed sequences: full, causal, in a
 * window, with grouped heads.
 *
 * For each sequence and head
 *
 *     S = scale Q K'        where row i sees key j, -infinity elsewhere
 *     O = softmax(S) V
 *
 * K and V of a head are packed as GEMM panels once, for all query heads that share them. Then a tile
 * of query rows at a time: scores of up to 512 keys, their exponentials, and those times V, all in
 * a near cache. More keys are more such blocks, each of which rescales what the rows have
 * gathered so far to the greatest score met (Milakov and Gimelshein, 2018; Dao et al., 2022); the
 * row is divided by the sum of its weights once, at the end. So scratch grows with the longest
 * sequence, for K and V, and never with its square.
 *
 * No mask is ever materialized: a sequence sees its own tokens because only those are packed, and
 * causal and window are arithmetic on positions; keys that no row of a tile sees are not touched.
 *
 * Bits of a row depend on its own sequence and the level only: not on the batch or its order. A NaN
 * or an infinity in k or v may reach every row of its sequence, also those that do not see it, and
 * no row of another. */
#ifndef MEMO_NN_ATTENTION_H
#define MEMO_NN_ATTENTION_H

#include "nn/linear.h"

typedef enum memo_precision {
    MEMO_PRECISION_F32, /* products and sums in float */
    /* q, k, v and the weights rounded to bf16 (2^-8 relative), sums in float, where the level is
     * faster so (memo_kernels.bf16_inputs); else as above. */
    MEMO_PRECISION_BF16,
} memo_precision;

/* A packed batch. Row t of q, k, v and out is token t; its heads lie side by side, so views of one
 * matrix will do for q, k and v. */
typedef struct memo_attention {
    size_t n_seqs;
    const size_t *cu_seqlens;   /* [n_seqs + 1] rows; a sequence may be empty */
    size_t n_heads, n_kv_heads; /* query head h uses k and v of head h / (n_heads / n_kv_heads) */
    size_t head_dim;
    float scale;   /* > 0, or 0: 1 / sqrt(head_dim) */
    int causal;    /* row i sees no key j > i */
    size_t window; /* nor any with |i - j| > window; 0: all */
    memo_precision precision;
    memo_rows q;    /* [n_tokens, n_heads * head_dim] */
    memo_rows k, v; /* [n_tokens, n_kv_heads * head_dim] */
    memo_rows out;  /* [n_tokens, n_heads * head_dim]; overlaps none of them */
} memo_attention;

/* Floats of scratch for sequences of at most n_tokens; 0 when the size overflows. */
size_t memo_attention_scratch(size_t n_tokens, size_t head_dim);

/* scratch: [memo_attention_scratch()] floats, 64-byte aligned. Allocates nothing. Heads are
 * independent: views of some of them give their columns of out, with the same bits. */
void memo_attention_run(const memo_kernels *kernels, const memo_attention *attention,
                        float *scratch);

#endif
