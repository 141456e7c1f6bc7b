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
 * (quant/pack.h). Matrices and token embeddings have a format (model/weight_format.h), everything
 * else is f32. Side tensors follow the values:
 *
 *   f32    ....weight             F32 [n_panels, n_in_pad, 16]
 *   f16    ....weight             F16 [n_panels, n_in_pad / 2, 32], bf16 the same as BF16
 *   int8   ....weight             I8  [n_panels, n_in_pad / 4, 64]
 *          ....weight.scale       F32 [n_out], with groups [n_groups, n_out]
 *          ....weight.sum         I32 likewise: sum of the bytes, for the kernels
 *   int4   ....weight             U8  [n_panels, n_in_pad / 8, 64]
 *          ....weight.multiplier  U8  [n_panels, n_blocks, 16]
 *          ....weight.scale, .sum     [n_out], the sum of the bytes that it unpacks to
 *   lut4   ....weight             U8  [n_panels, n_in_pad / 8, 64]
 *          ....weight.palette     I8  [n_panels, 2, 16], a palette for each 8 channels
 *          ....weight.scale, .sum     [n_out], as int4
 *   :static  ....weight.input     F32 [2], scale and offset of the input's bytes
 *
 *   embeddings.word          F32, F16, BF16 or I8 [vocab_size, hidden_size]
 *   embeddings.word.scale    F32 [vocab_size], int8 only
 *
 * Groups and blocks count the padding of n_in: ceil(n_in_pad / group). */
#ifndef MEMO_MODEL_LAYOUT_H
#define MEMO_MODEL_LAYOUT_H

#include "format/safetensors.h"
#include "model/recipe.h"
#include "model/weight_format.h"

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

/* The tensors in which a weight may be stored, in the order of the names. */
typedef enum memo_stored_kind {
    MEMO_STORED_VALUES,
    MEMO_STORED_INPUT,
    MEMO_STORED_MULTIPLIER,
    MEMO_STORED_PALETTE,
    MEMO_STORED_SCALE,
    MEMO_STORED_SUM,
    MEMO_STORED_KINDS
} memo_stored_kind;

/* One tensor of the file. */
typedef struct memo_stored {
    char name[60];
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
    memo_weight_format format;
    int packed;   /* a matrix: stored as panels, else row by row */
    int kept;     /* while compiling: the source stores the same codes, which are copied */
    size_t first; /* index in layout->stored of its values; the side tensors follow */
    size_t n_stored;
    unsigned char kinds[MEMO_STORED_KINDS]; /* [n_stored] memo_stored_kind of each */
} memo_slot;

typedef struct memo_layout {
    size_t n_slots;
    memo_slot *slots; /* owned */
    size_t n_stored;
    memo_stored *stored; /* owned; in the order of the file */
    uint64_t n_parameters;
} memo_layout;

/* memo_layout_init() -- the slots of a recipe, all in format f32 and nothing stored yet.
 *
 * Then memo_layout_set_class() or formats one by one, then memo_layout_store(). */
memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_err *err);
void memo_layout_fini(memo_layout *layout); /* a zeroed layout is an empty one */

/* Whether a slot has a choice of formats: matrices and token embeddings. */
int memo_slot_has_format(const memo_slot *slot);
/* Whether it may have this one: token embeddings are f32, f16, bf16 or int8 by the row. */
int memo_slot_takes(const memo_slot *slot, const memo_weight_format *format);
/* The format of a slot when a model has `format`: token embeddings become int8 in the integer
 * classes, and the rest keeps f32. */
memo_weight_format memo_slot_format_of(const memo_slot *slot, const memo_weight_format *format);
void memo_layout_set_class(memo_layout *layout, const memo_weight_format *format);

/* The slot of the token embeddings. */
const memo_slot *memo_layout_word(const memo_layout *layout);

/* The slots that are done with after a stage of the executor (nn/transformer.h, memo_tap_fn): [*first,
 * *end), the embeddings' after stage 0, then a layer's. */
void memo_layout_stage(const memo_layout *layout, size_t stage, size_t *first, size_t *end);

/* Every weight is as the first version of the layout stored a whole model of class `cls`: f32, or
 * int8 by channel with dynamic activations. */
int memo_layout_is_plain(const memo_layout *layout, memo_class cls);

/* List the tensors of the file. MEMO_ERR_LIMIT when sizes overflow. */
memo_status memo_layout_store(memo_layout *layout, memo_err *err);

/* Scales of a row: groups of a matrix of class int8, else 1. */
size_t memo_slot_n_groups(const memo_slot *slot);
/* Multipliers of a row of class int4. */
size_t memo_slot_n_blocks(const memo_slot *slot);

/* The executor's configuration of a recipe whose weights are stored so. Attention is exact where all
 * matrices are f32 or f16. */
memo_transformer_config memo_layout_config(const memo_layout *layout, const memo_recipe *recipe);

/* The linear layer of a matrix among those of the executor; NULL for another weight. */
memo_linear *memo_layout_linear(const memo_slot *slot, memo_layer_weights *layers);

/* memo_layout_bind() -- point the executor at one weight.
 *
 *   data    [MEMO_STORED_KINDS] where the slot's tensors lie, 64-byte aligned; those it lacks are
 *           not read
 *   layers  [n_layers], what transformer->layers will be */
void memo_layout_bind(const memo_slot *slot, const void *const *data, memo_transformer *transformer,
                      memo_layer_weights *layers);

#endif
