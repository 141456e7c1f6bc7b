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
 * Vectors and tables are stored row by row, [n] or [n_rows, n_cols]; matrices as panels
 * (quant/pack.h). Class int8 stores matrices and token embeddings as bytes with a scale per row
 * (quant/int8.h), everything else as f32; their side tensors follow the values:
 *
 *   class f32    ....weight        F32 [n_panels, n_in_pad, 16]
 *   class int8   ....weight        I8  [n_panels, n_in_pad / 4, 64]
 *                ....weight.scale  F32 [n_out]
 *                ....weight.sum    I32 [n_out]  sum of each channel's bytes, for the kernels
 *                embeddings.word        I8  [vocab_size, hidden_size]
 *                embeddings.word.scale  F32 [vocab_size] */
#ifndef MEMO_MODEL_LAYOUT_H
#define MEMO_MODEL_LAYOUT_H

#include "format/safetensors.h"
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

/* The tensors in which a weight is stored, in the order of the names. */
typedef enum memo_stored_kind {
    MEMO_STORED_VALUES,
    MEMO_STORED_SCALE, /* class int8 */
    MEMO_STORED_SUM,   /* class int8, matrices */
    MEMO_STORED_KINDS
} memo_stored_kind;

/* One tensor of the file. */
typedef struct memo_stored {
    char name[56];
    memo_dtype dtype;
    size_t n_dims;
    uint64_t shape[3];
    uint64_t n_bytes;
} memo_stored;

/* One weight. */
typedef struct memo_slot {
    char name[48];
    memo_weight weight;
    size_t layer;          /* 0 for weights of the model */
    size_t n_dims;         /* logical: 1 for a vector, else 2 */
    size_t n_rows, n_cols; /* logical extents; a vector has one row */
    uint64_t n_values;     /* logical */
    memo_class cls;        /* how its values are stored */
    int packed;            /* stored as panels, else row by row */
    size_t first;          /* index in layout->stored of its values; the side tensors follow */
    size_t n_stored;
} memo_slot;

typedef struct memo_layout {
    size_t n_slots;
    memo_slot *slots; /* owned */
    size_t n_stored;
    memo_stored *stored; /* owned; in the order of the file */
    uint64_t n_parameters;
} memo_layout;

/* MEMO_ERR_LIMIT when sizes overflow. */
memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_class cls,
                             memo_err *err);
void memo_layout_fini(memo_layout *layout); /* a zeroed layout is an empty one */

/* Bytes of one logical row of a slot's values, unpacked. */
size_t memo_slot_row_bytes(const memo_slot *slot);
/* Bytes of 16 rows as they are stored: one panel, or 16 rows one after the other. */
size_t memo_slot_strip_bytes(const memo_slot *slot);
/* Pack n_rows <= 16 logical rows of a matrix into one panel. */
void memo_slot_pack(const memo_slot *slot, const void *rows, size_t n_rows, void *panel);
/* The n_rows <= 16 rows of a stored strip, unpacked into rows [n_rows, memo_slot_row_bytes()].
 * Returns where they lie: `rows`, or the strip itself when there is nothing to unpack. */
const void *memo_slot_unpack(const memo_slot *slot, const void *strip, size_t n_rows, void *rows);

/* memo_layout_bind() -- point the executor at one weight.
 *
 *   data    [MEMO_STORED_KINDS] where the slot's tensors lie, 64-byte aligned; those it lacks are
 *           not read
 *   layers  [n_layers], what transformer->layers will be */
void memo_layout_bind(const memo_slot *slot, const void *const *data, memo_transformer *transformer,
                      memo_layer_weights *layers);

/* The fingerprint, fed in the order of the layout; it sees logical values and scales only, never
 * packing or what follows from them. Begin with the class; then for each slot its head, all its
 * rows and, in class int8, its scales; then the rest. */
void memo_fingerprint_begin(memo_sha256 *sha, memo_class cls);
void memo_fingerprint_slot(memo_sha256 *sha, const memo_slot *slot);
void memo_fingerprint_rows(memo_sha256 *sha, const memo_slot *slot, const void *rows,
                           size_t n_rows);
void memo_fingerprint_scales(memo_sha256 *sha, const memo_slot *slot, const float *scales);
void memo_fingerprint_rest(memo_sha256 *sha, const void *tokenizer, size_t n_bytes,
                           const memo_recipe *recipe);

#endif
