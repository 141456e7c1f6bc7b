// SPDX-License-Identifier: Apache-2.0
/* model/layout.h -- which weights a recipe asks for, how each is stored, and where the executor
 * wants it.
 *
 * One list serves compiling (what to write), opening (what a file must hold, to the last
 * dimension), the fingerprint and verify. It is in the order of the names' bytes, which is the
 * order in the file and in the fingerprint.
 *
 *   embeddings.norm.bias ...   layer.000.attention.norm.bias ... layer.005.ffn.up.weight
 *
 * Vectors and tables are stored as they are, [n] or [n_rows, n_cols]; matrices as panels
 * [n_panels, n_in_pad, 16] (quant/pack.h). */
#ifndef MEMO_MODEL_LAYOUT_H
#define MEMO_MODEL_LAYOUT_H

#include "model/recipe.h"

/* What a weight is. Per model, then per layer; each group in the order of the names. */
typedef enum memo_weight {
    MEMO_WEIGHT_EMBED_NORM_BIAS,
    MEMO_WEIGHT_EMBED_NORM_GAIN,
    MEMO_WEIGHT_POSITION,
    MEMO_WEIGHT_TOKEN_TYPE,
    MEMO_WEIGHT_WORD,
    MEMO_WEIGHT_LAYER_FIRST,
    MEMO_WEIGHT_ATTN_NORM_BIAS = MEMO_WEIGHT_LAYER_FIRST,
    MEMO_WEIGHT_ATTN_NORM_GAIN,
    MEMO_WEIGHT_ATTN_OUT_BIAS,
    MEMO_WEIGHT_ATTN_OUT,
    MEMO_WEIGHT_QKV_BIAS,
    MEMO_WEIGHT_QKV,
    MEMO_WEIGHT_FFN_DOWN_BIAS,
    MEMO_WEIGHT_FFN_DOWN,
    MEMO_WEIGHT_FFN_NORM_BIAS,
    MEMO_WEIGHT_FFN_NORM_GAIN,
    MEMO_WEIGHT_FFN_UP_BIAS,
    MEMO_WEIGHT_FFN_UP,
    MEMO_WEIGHT_KINDS
} memo_weight;

typedef struct memo_slot {
    char name[48];
    memo_weight weight;
    size_t layer;          /* 0 for weights of the model */
    size_t n_rows, n_cols; /* logical extents; a vector has one row */
    int packed;            /* stored as panels, else row by row */
    size_t n_dims;         /* of what is stored */
    uint64_t shape[3];
    uint64_t n_values; /* logical */
    uint64_t n_bytes;  /* stored */
} memo_slot;

typedef struct memo_layout {
    size_t n_slots;
    memo_slot *slots; /* owned */
    uint64_t n_parameters;
} memo_layout;

/* MEMO_ERR_LIMIT when sizes overflow. */
memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_err *err);
void memo_layout_fini(memo_layout *layout); /* a zeroed layout is an empty one */

/* Point the executor at one weight: `data` is where the slot's first value lies, 64-byte aligned.
 * `layers` is [n_layers], what transformer->layers will be. */
void memo_layout_bind(const memo_slot *slot, const float *data, memo_transformer *transformer,
                      memo_layer_weights *layers);

/* The fingerprint, fed in the order of the layout; it sees logical values only, never packing.
 * Begin with the class, then for each slot its head and all its rows, then the rest. */
void memo_fingerprint_begin(memo_sha256 *sha, memo_class cls);
void memo_fingerprint_slot(memo_sha256 *sha, const memo_slot *slot);
void memo_fingerprint_rows(memo_sha256 *sha, const float *rows, size_t n_values);
void memo_fingerprint_rest(memo_sha256 *sha, const void *tokenizer, size_t n_bytes,
                           const memo_recipe *recipe);

#endif
