// SPDX-License-Identifier: Apache-2.0
/* nn/attention.h -- scaled dot-product self-attention over packed sequences.
 *
 * For each sequence and head, keys and values are packed as GEMM panels once; then for each block
 * of query rows
 *
 *     S = Q K'           [rows, n_tokens]
 *     P = softmax(S / sqrt(head_dim))
 *     O = P V            [rows, head_dim]
 *
 * on the same GEMM tile as the linear layers. A block of S stays in the second-level cache, so
 * scratch grows with the length of the longest sequence and not with its square. No mask is ever
 * materialized: a sequence sees its own tokens because only those are packed.
 *
 * Bits of a row depend on its own sequence only: not on the block it falls in, not on neighbours.
 * Source: Vaswani et al., 2017, section 3.2.1. */
#ifndef MEMO_NN_ATTENTION_H
#define MEMO_NN_ATTENTION_H

#include "nn/linear.h"

/* One sequence. Row t of `qkv` holds q, k and v of token t, each [n_heads * head_dim]. */
typedef struct memo_attention {
    size_t n_tokens, n_heads, head_dim;
    memo_rows qkv; /* [n_tokens, 3 * n_heads * head_dim] */
    memo_rows out; /* [n_tokens, n_heads * head_dim]; must not overlap qkv */
} memo_attention;

/* Floats of scratch for sequences of at most n_tokens; 0 when the size overflows. */
size_t memo_attention_scratch(size_t n_tokens, size_t head_dim);

/* scratch: [memo_attention_scratch()] floats, 64-byte aligned. Allocates nothing. */
void memo_attention_run(const memo_kernels *kernels, const memo_attention *attention,
                        float *scratch);

#endif
