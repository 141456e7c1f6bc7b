// SPDX-License-Identifier: Apache-2.0
/* nn/transformer.h -- the one executor: token ids to vectors.
 *
 * A plain struct says what the network is; weights are views into a compiled model. Planning gives
 * the exact scratch; running allocates nothing and cannot fail.
 *
 * Token embeddings become floats as they are gathered; each matrix has a class of its own
 * (nn/linear.h). States between the layers, norms and GELU are float in all classes.
 *
 * After attention nothing looks at another token, so the rest of a layer and the projections of the
 * next run in blocks of rows whose states stay in the second-level cache:
 *
 *   attention of all sequences; then for each block: its output, norm, up, GELU, down, norm, qkv
 *
 * Sequences come packed: ids one after the other, cu_seqlens[s] .. cu_seqlens[s + 1] the tokens of
 * sequence s, no padding. One call takes its tokens through all layers on the calling thread, so
 * activations stay in the caches and weights are streamed once per call; threads run calls of their
 * own with scratch of their own. Several threads may share a call, which is for few tokens: they
 * divide heads and blocks of rows. Every element of every state is one fixed chain of operations on
 * its own sequence: batch, order and threads change no bit.
 *
 * It knows nothing of files, tokenizers and options. */
#ifndef MEMO_NN_TRANSFORMER_H
#define MEMO_NN_TRANSFORMER_H

#include <memolith/model.h>

#include "base/pool.h"
#include "nn/attention.h"

typedef enum memo_activation {
    MEMO_ACTIVATION_GELU_ERF,
    MEMO_ACTIVATION_GELU_TANH,
} memo_activation;

/* A BERT encoder: learned positions, full attention, x = norm(x + f(x)) with
 * norm(x) = (x - mean) / sqrt(var + eps) * gain + bias. */
typedef struct memo_transformer_config {
    size_t n_layers, hidden_size;
    size_t n_heads; /* divides hidden_size */
    size_t intermediate_size;
    size_t vocab_size, n_positions;
    size_t n_token_types; /* 0: no such embedding; else type 0 is added to every token */
    memo_activation activation;
    float norm_eps;
    memo_pooling pooling;     /* not MEMO_POOLING_AUTO */
    int normalize;            /* vectors get unit length */
    memo_precision precision; /* of attention */
    memo_class word_cls;      /* of the token embeddings: f32, f16, bf16, int8 */
    size_t layers_average;    /* pool the mean of the last so many layers; 0 and 1: the last */
    size_t dims;              /* vectors are the first so many values, 0: hidden_size */
} memo_transformer_config;

/* Length of a vector. */
static inline size_t memo_transformer_dim(const memo_transformer_config *config)
{
    return config->dims ? config->dims : config->hidden_size;
}

typedef struct memo_norm_weights {
    const float *gain, *bias; /* [hidden_size] */
} memo_norm_weights;

typedef struct memo_layer_weights {
    memo_linear qkv;  /* hidden -> 3 * hidden: q, k, v, each [n_heads * head_dim] */
    memo_linear out;  /* hidden -> hidden */
    memo_linear up;   /* hidden -> intermediate */
    memo_linear down; /* intermediate -> hidden */
    memo_norm_weights attention_norm, ffn_norm;
} memo_layer_weights;

/* The embeddings of the tokens. */
typedef struct memo_word_table {
    const void *rows;   /* [vocab_size, hidden_size] as config.word_cls says */
    const float *scale; /* [vocab_size], int8 only */
} memo_word_table;

typedef struct memo_transformer {
    memo_transformer_config config;
    const memo_kernels *kernels;
    memo_word_table word;
    const float *position;   /* [n_positions, hidden_size] */
    const float *token_type; /* [n_token_types, hidden_size] or NULL */
    memo_norm_weights embedding_norm;
    const memo_layer_weights *layers; /* [n_layers] */
} memo_transformer;

/* Packed sequences; ids < vocab_size, every sequence has 1 .. n_positions tokens. */
typedef struct memo_batch {
    size_t n_seqs;
    const uint32_t *ids;      /* [cu_seqlens[n_seqs]] */
    const size_t *cu_seqlens; /* [n_seqs + 1], from 0 */
} memo_batch;

/* Sees the states after the embeddings (stage 0) and after layer n (stage n + 1): [n_tokens, dim]
 * with the stride of `states`. For comparing a run layer by layer. */
typedef void (*memo_tap_fn)(void *user, size_t stage, memo_rows states, size_t n_tokens);

/* Sees what a linear layer is about to read, as floats: x [n_rows, linear->n_in]. Several times for
 * each layer: rows come in blocks. */
typedef void (*memo_tap_input_fn)(void *user, const memo_linear *linear, memo_rows x,
                                  size_t n_rows);

typedef struct memo_tap {
    memo_tap_fn fn; /* NULL: none */
    void *user;
    memo_tap_input_fn input; /* NULL: none */
} memo_tap;

/* Where everything lies in scratch; offsets and strides in floats. */
typedef struct memo_transformer_plan {
    size_t max_tokens; /* of all sequences of a call */
    size_t max_seq;    /* of one sequence */
    size_t block_rows; /* of a block after attention */
    size_t ld_hidden, ld_qkv, ld_ffn;
    size_t context, qkv, ffn, attention, pooled; /* x lies at 0 */
    size_t input, input_rows, unpacked;          /* of memo_linear_room */
    size_t scratch_bytes;
} memo_transformer_plan;

/* MEMO_ERR_VALUE: a size is 0, n_heads does not divide hidden_size, or the scratch overflows. */
memo_status memo_transformer_plan_run(const memo_transformer_config *config, size_t max_tokens,
                                      size_t max_seq, memo_transformer_plan *plan, memo_err *err);

/* Where a call works: scratch [plan->scratch_bytes], 64-byte aligned. With a pool, for each of
 * n_workers such a piece, `stride` bytes apart; without, the calling thread works alone. */
typedef struct memo_workspace {
    void *scratch;
    size_t stride;
    memo_pool *pool;
    unsigned n_workers;
    /* Asked before each layer, on the thread of the call: 0 ends it, and vectors and ok are not
     * written. NULL: nobody asks. */
    int (*go_on)(void *user);
    void *go_on_user;
} memo_workspace;

/* Workers who can share a call of n_tokens; 1 when it is too small to divide. */
unsigned memo_transformer_workers(size_t n_tokens, unsigned most);

/* memo_transformer_run() -- vectors of a batch that fits the plan.
 *
 *   vectors  [n_seqs, memo_transformer_dim()] out
 *   ok       [n_seqs] out: 0 where the vector is not finite or has no length; it is then of no use */
void memo_transformer_run(const memo_transformer *transformer, const memo_transformer_plan *plan,
                          const memo_batch *batch, memo_workspace work, memo_tap tap,
                          float *vectors, unsigned char *ok);

#endif
