// SPDX-License-Identifier: Apache-2.0
/* model/embed_plan.h -- what embedding a batch takes, computed before anything is allocated. */
#ifndef MEMO_MODEL_EMBED_PLAN_H
#define MEMO_MODEL_EMBED_PLAN_H

#include "model/model_handle.h"

/* Tokens of a shard. Class f32 is bound by arithmetic: on Zen 4 the speed is the same within 3 %
 * from 128 to 512 tokens (MiniLM, 64 texts of 32 and 32 of 128 tokens) and 3-5 % lower at 64 and at
 * 1,024, where weights are streamed often or activations leave the second-level cache. */
#define MEMO_EMBED_SHARD_TOKENS ((size_t)320)
/* ... and when a window is too small to give every thread such a shard. */
#define MEMO_EMBED_MIN_SHARD_TOKENS ((size_t)64)

/* One packed sequence: a text, or a chunk of one. */
typedef struct memo_embed_seq {
    size_t text;
    size_t weight; /* the text's own tokens in it, at least 1 */
    int first, last;
} memo_embed_seq;

typedef struct memo_embed_shard {
    size_t first_seq, n_seqs;
} memo_embed_shard;

/* What a batch needs; offsets in bytes into one block. */
typedef struct memo_embed_sizes {
    size_t n_workers;
    size_t max_seq; /* tokens */
    size_t window_tokens, window_seqs, shard_tokens;
    memo_transformer_plan plan;
    size_t staging, results, ids, seqs, cu, shards, ok, vectors, sum, starts, scratch;
    size_t block_bytes; /* of the one block */
    size_t total_bytes; /* and what tokenizing takes */
} memo_embed_sizes;

/* memo_embed_plan() -- sizes for n_texts texts of up to longest_bytes.
 *
 *   n_threads  0: the context's; more than it has is MEMO_ERR_VALUE
 *   chunk      long texts become several sequences
 *   sizes      zeroed by the caller
 *
 * MEMO_ERR_LIMIT when there are not so many addresses. */
memo_status memo_embed_plan(const memo_model *model, size_t longest_bytes, size_t n_texts,
                            unsigned n_threads, int chunk, memo_embed_sizes *sizes, memo_err *err);

#endif
