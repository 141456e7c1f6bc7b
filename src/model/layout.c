// SPDX-License-Identifier: Apache-2.0
#include "model/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "quant/pack.h"

static const char *const layout_names[MEMO_WEIGHT_KINDS] = {
    "embeddings.norm.bias",  "embeddings.norm.weight", "embeddings.position",
    "embeddings.token_type", "embeddings.word",        "attention.norm.bias",
    "attention.norm.weight", "attention.out.bias",     "attention.out.weight",
    "attention.qkv.bias",    "attention.qkv.weight",   "ffn.down.bias",
    "ffn.down.weight",       "ffn.norm.bias",          "ffn.norm.weight",
    "ffn.up.bias",           "ffn.up.weight",
};

/* Logical extents; returns whether it is a matrix for a linear layer. */
static int layout_extents(const memo_recipe *r, memo_weight weight, size_t *n_rows, size_t *n_cols)
{
    size_t hidden = r->hidden_size;

    *n_rows = 1;
    *n_cols = hidden;
    switch (weight) {
    case MEMO_WEIGHT_POSITION:
        *n_rows = r->n_positions;
        return 0;
    case MEMO_WEIGHT_TOKEN_TYPE:
        *n_rows = r->n_token_types;
        return 0;
    case MEMO_WEIGHT_WORD:
        *n_rows = r->vocab_size;
        return 0;
    case MEMO_WEIGHT_QKV_BIAS:
        *n_cols = 3 * hidden;
        return 0;
    case MEMO_WEIGHT_FFN_UP_BIAS:
        *n_cols = r->intermediate_size;
        return 0;
    case MEMO_WEIGHT_ATTN_OUT:
        *n_rows = hidden;
        return 1;
    case MEMO_WEIGHT_QKV:
        *n_rows = 3 * hidden;
        return 1;
    case MEMO_WEIGHT_FFN_DOWN:
        *n_rows = hidden;
        *n_cols = r->intermediate_size;
        return 1;
    case MEMO_WEIGHT_FFN_UP:
        *n_rows = r->intermediate_size;
        return 1;
    default:
        return 0;
    }
}

static int layout_is_vector(memo_weight weight)
{
    return weight != MEMO_WEIGHT_POSITION && weight != MEMO_WEIGHT_TOKEN_TYPE &&
           weight != MEMO_WEIGHT_WORD;
}

/* The recipe's limits keep k of the int8 kernels in their range. */
_Static_assert(MEMO_RECIPE_MAX_WIDTH <= MEMO_INT8_MAX_K, "a sum of products may leave an int32");

/* Class int8 stores what is large: matrices and token embeddings. */
static memo_class layout_class(memo_class cls, memo_weight weight, int packed)
{
    return packed || weight == MEMO_WEIGHT_WORD ? cls : MEMO_CLASS_F32;
}

static void layout_fill(memo_slot *slot, const memo_recipe *recipe, memo_class cls,
                        memo_weight weight, size_t layer)
{
    slot->weight = weight;
    slot->layer = layer;
    slot->packed = layout_extents(recipe, weight, &slot->n_rows, &slot->n_cols);
    slot->n_dims = slot->packed || !layout_is_vector(weight) ? 2 : 1;
    slot->cls = layout_class(cls, weight, slot->packed);
    slot->n_values = (uint64_t)slot->n_rows * slot->n_cols;
    slot->n_stored = slot->cls != MEMO_CLASS_INT8 ? 1 : slot->packed ? 3 : 2;
    if (weight >= MEMO_WEIGHT_LAYER_FIRST)
        snprintf(slot->name, sizeof slot->name, "layer.%03zu.%s", layer, layout_names[weight]);
    else
        snprintf(slot->name, sizeof slot->name, "%s", layout_names[weight]);
}

/* Type and shape of a slot's values. */
static void layout_shape_values(const memo_slot *slot, memo_stored *out)
{
    int int8 = slot->cls == MEMO_CLASS_INT8;

    out->dtype = int8 ? MEMO_DTYPE_I8 : MEMO_DTYPE_F32;
    if (slot->packed) {
        size_t lanes = int8 ? 4 * MEMO_PANEL : MEMO_PANEL; /* values of a 64-byte row */
        out->n_dims = 3;
        out->shape[0] = memo_pack_n_panels(slot->n_rows);
        out->shape[1] = memo_pack_panel_values(slot->n_cols) / lanes;
        out->shape[2] = lanes;
    } else {
        out->n_dims = slot->n_dims;
        out->shape[0] = out->n_dims == 1 ? slot->n_cols : slot->n_rows;
        out->shape[1] = slot->n_cols;
    }
}

/* The recipe's limits (65,536 wide, 2 M rows) keep every product below 2^64. */
static void layout_fill_stored(const memo_slot *slot, memo_stored *stored)
{
    static const char *const suffixes[MEMO_STORED_KINDS] = {"", ".scale", ".sum"};

    layout_shape_values(slot, &stored[MEMO_STORED_VALUES]);
    for (size_t kind = MEMO_STORED_SCALE; kind < slot->n_stored; kind++)
        stored[kind] = (memo_stored){
            .dtype = kind == MEMO_STORED_SCALE ? MEMO_DTYPE_F32 : MEMO_DTYPE_I32,
            .n_dims = 1,
            .shape = {slot->n_rows},
        };
    for (size_t kind = 0; kind < slot->n_stored; kind++) {
        memo_stored *s = &stored[kind];
        snprintf(s->name, sizeof s->name, "%s%s", slot->name, suffixes[kind]);
        s->n_bytes = memo_dtype_bits(s->dtype) / 8;
        for (size_t d = 0; d < s->n_dims; d++)
            s->n_bytes *= s->shape[d];
    }
}

static memo_status layout_list_stored(memo_layout *layout, memo_err *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < layout->n_slots; i++) {
        layout->slots[i].first = layout->n_stored;
        layout->n_stored += layout->slots[i].n_stored;
        layout->n_parameters += layout->slots[i].n_values;
    }
    layout->stored = memo_calloc(layout->n_stored, sizeof *layout->stored);
    if (!layout->stored)
        return memo_fail_nomem(err, "the list of tensors",
                               layout->n_stored * sizeof *layout->stored);
    for (size_t i = 0; i < layout->n_slots; i++)
        layout_fill_stored(&layout->slots[i], &layout->stored[layout->slots[i].first]);
    for (size_t i = 0; i < layout->n_stored; i++)
        if (!memo_add_u64(total, layout->stored[i].n_bytes, &total) || total > SIZE_MAX / 4)
            return memo_fail(err, MEMO_ERR_LIMIT, "the weights do not fit this machine's memory");
    return MEMO_OK;
}

memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_class cls,
                             memo_err *err)
{
    size_t per_layer = MEMO_WEIGHT_KINDS - MEMO_WEIGHT_LAYER_FIRST;
    size_t most = MEMO_WEIGHT_LAYER_FIRST + recipe->n_layers * per_layer, n = 0;

    layout->slots = memo_calloc(most, sizeof *layout->slots);
    if (!layout->slots)
        return memo_fail_nomem(err, "the list of weights", most * sizeof *layout->slots);
    for (size_t w = 0; w < MEMO_WEIGHT_LAYER_FIRST; w++)
        if (w != MEMO_WEIGHT_TOKEN_TYPE || recipe->n_token_types)
            layout_fill(&layout->slots[n++], recipe, cls, (memo_weight)w, 0);
    for (size_t l = 0; l < recipe->n_layers; l++)
        for (size_t w = MEMO_WEIGHT_LAYER_FIRST; w < MEMO_WEIGHT_KINDS; w++)
            layout_fill(&layout->slots[n++], recipe, cls, (memo_weight)w, l);
    layout->n_slots = n;
    return layout_list_stored(layout, err);
}

void memo_layout_fini(memo_layout *layout)
{
    memo_free(layout->slots);
    memo_free(layout->stored);
    memset(layout, 0, sizeof *layout);
}

/* ---- rows ---------------------------------------------------------------------------------- */

size_t memo_slot_row_bytes(const memo_slot *slot)
{
    return slot->n_cols * (slot->cls == MEMO_CLASS_INT8 ? 1 : sizeof(float));
}

size_t memo_slot_strip_bytes(const memo_slot *slot)
{
    if (!slot->packed)
        return MEMO_PANEL * memo_slot_row_bytes(slot);
    return memo_pack_panel_values(slot->n_cols) *
           (slot->cls == MEMO_CLASS_INT8 ? 1 : sizeof(float));
}

void memo_slot_pack(const memo_slot *slot, const void *rows, size_t n_rows, void *panel)
{
    if (slot->cls == MEMO_CLASS_INT8)
        memo_pack_int8(n_rows, slot->n_cols, rows, panel);
    else
        memo_pack_f32(n_rows, slot->n_cols, rows, panel);
}

const void *memo_slot_unpack(const memo_slot *slot, const void *strip, size_t n_rows, void *rows)
{
    if (!slot->packed)
        return strip;
    if (slot->cls == MEMO_CLASS_INT8)
        memo_unpack_int8(n_rows, slot->n_cols, strip, rows);
    else
        memo_unpack_f32(n_rows, slot->n_cols, strip, rows);
    return rows;
}

/* ---- binding ------------------------------------------------------------------------------- */

static void layout_bind_linear(const memo_slot *slot, const void *const *data, memo_linear *linear)
{
    linear->cls = slot->cls;
    linear->n_in = slot->n_cols;
    linear->n_out = slot->n_rows;
    linear->panels = data[MEMO_STORED_VALUES];
    linear->panel_stride = memo_slot_strip_bytes(slot);
    if (slot->cls == MEMO_CLASS_INT8) {
        linear->scale = data[MEMO_STORED_SCALE];
        linear->sum = data[MEMO_STORED_SUM];
    }
}

static void layout_bind_layer(const memo_slot *slot, const void *const *data,
                              memo_layer_weights *layer)
{
    const float *values = data[MEMO_STORED_VALUES];

    switch (slot->weight) {
    case MEMO_WEIGHT_ATTN_NORM_BIAS:
        layer->attention_norm.bias = values;
        break;
    case MEMO_WEIGHT_ATTN_NORM_GAIN:
        layer->attention_norm.gain = values;
        break;
    case MEMO_WEIGHT_ATTN_OUT_BIAS:
        layer->out.bias = values;
        break;
    case MEMO_WEIGHT_ATTN_OUT:
        layout_bind_linear(slot, data, &layer->out);
        break;
    case MEMO_WEIGHT_QKV_BIAS:
        layer->qkv.bias = values;
        break;
    case MEMO_WEIGHT_QKV:
        layout_bind_linear(slot, data, &layer->qkv);
        break;
    case MEMO_WEIGHT_FFN_DOWN_BIAS:
        layer->down.bias = values;
        break;
    case MEMO_WEIGHT_FFN_DOWN:
        layout_bind_linear(slot, data, &layer->down);
        break;
    case MEMO_WEIGHT_FFN_NORM_BIAS:
        layer->ffn_norm.bias = values;
        break;
    case MEMO_WEIGHT_FFN_NORM_GAIN:
        layer->ffn_norm.gain = values;
        break;
    case MEMO_WEIGHT_FFN_UP_BIAS:
        layer->up.bias = values;
        break;
    case MEMO_WEIGHT_FFN_UP:
        layout_bind_linear(slot, data, &layer->up);
        break;
    default:
        break;
    }
}

void memo_layout_bind(const memo_slot *slot, const void *const *data, memo_transformer *transformer,
                      memo_layer_weights *layers)
{
    const float *values = data[MEMO_STORED_VALUES];

    switch (slot->weight) {
    case MEMO_WEIGHT_EMBED_NORM_BIAS:
        transformer->embedding_norm.bias = values;
        break;
    case MEMO_WEIGHT_EMBED_NORM_GAIN:
        transformer->embedding_norm.gain = values;
        break;
    case MEMO_WEIGHT_POSITION:
        transformer->position = values;
        break;
    case MEMO_WEIGHT_TOKEN_TYPE:
        transformer->token_type = values;
        break;
    case MEMO_WEIGHT_WORD:
        transformer->word.rows = values;
        if (slot->cls == MEMO_CLASS_INT8)
            transformer->word.scale = data[MEMO_STORED_SCALE];
        break;
    default:
        layout_bind_layer(slot, data, &layers[slot->layer]);
        break;
    }
}

/* ---- fingerprint --------------------------------------------------------------------------- */

static void fingerprint_u64(memo_sha256 *sha, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    memo_sha256_update(sha, bytes, sizeof bytes);
}

void memo_fingerprint_begin(memo_sha256 *sha, memo_class cls)
{
    static const char head[] = "memolith fingerprint 1";

    memo_sha256_update(sha, head, sizeof head);
    memo_sha256_update(sha, memo_class_name(cls), strlen(memo_class_name(cls)) + 1);
}

void memo_fingerprint_slot(memo_sha256 *sha, const memo_slot *slot)
{
    memo_sha256_update(sha, slot->name, strlen(slot->name) + 1);
    fingerprint_u64(sha, slot->n_rows);
    fingerprint_u64(sha, slot->n_cols);
}

void memo_fingerprint_rows(memo_sha256 *sha, const memo_slot *slot, const void *rows, size_t n_rows)
{
    memo_sha256_update(sha, rows, n_rows * memo_slot_row_bytes(slot));
}

void memo_fingerprint_scales(memo_sha256 *sha, const memo_slot *slot, const float *scales)
{
    static const char head[] = ".scale";

    memo_sha256_update(sha, head, sizeof head);
    memo_sha256_update(sha, scales, slot->n_rows * sizeof *scales);
}

void memo_fingerprint_rest(memo_sha256 *sha, const void *tokenizer, size_t n_bytes,
                           const memo_recipe *recipe)
{
    fingerprint_u64(sha, n_bytes);
    memo_sha256_update(sha, tokenizer, n_bytes);
    memo_recipe_hash(recipe, sha);
}
