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

/* The recipe's limits (65,536 wide, 2 M rows) keep every product below 2^64. */
static void layout_fill(memo_slot *slot, const memo_recipe *recipe, memo_weight weight,
                        size_t layer)
{
    slot->weight = weight;
    slot->layer = layer;
    slot->packed = layout_extents(recipe, weight, &slot->n_rows, &slot->n_cols);
    slot->n_values = (uint64_t)slot->n_rows * slot->n_cols;
    if (weight >= MEMO_WEIGHT_LAYER_FIRST)
        snprintf(slot->name, sizeof slot->name, "layer.%03zu.%s", layer, layout_names[weight]);
    else
        snprintf(slot->name, sizeof slot->name, "%s", layout_names[weight]);
    if (slot->packed) {
        slot->n_dims = 3;
        slot->shape[0] = memo_pack_n_panels(slot->n_rows);
        slot->shape[1] = memo_pack_panel_f32(slot->n_cols) / MEMO_PANEL;
        slot->shape[2] = MEMO_PANEL;
        slot->n_bytes = slot->shape[0] * slot->shape[1] * MEMO_PANEL * sizeof(float);
    } else {
        slot->n_dims = layout_is_vector(weight) ? 1 : 2;
        slot->shape[0] = slot->n_dims == 1 ? slot->n_cols : slot->n_rows;
        slot->shape[1] = slot->n_cols;
        slot->n_bytes = slot->n_values * sizeof(float);
    }
}

memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_err *err)
{
    size_t per_layer = MEMO_WEIGHT_KINDS - MEMO_WEIGHT_LAYER_FIRST;
    size_t n_slots = MEMO_WEIGHT_LAYER_FIRST + recipe->n_layers * per_layer;
    memo_slot *slots = memo_calloc(n_slots, sizeof *slots);
    uint64_t total = 0;
    size_t n = 0;

    if (!slots)
        return memo_fail_nomem(err, "the list of weights", n_slots * sizeof *slots);
    for (size_t w = 0; w < MEMO_WEIGHT_LAYER_FIRST; w++)
        if (w != MEMO_WEIGHT_TOKEN_TYPE || recipe->n_token_types)
            layout_fill(&slots[n++], recipe, (memo_weight)w, 0);
    for (size_t l = 0; l < recipe->n_layers; l++)
        for (size_t w = MEMO_WEIGHT_LAYER_FIRST; w < MEMO_WEIGHT_KINDS; w++)
            layout_fill(&slots[n++], recipe, (memo_weight)w, l);
    layout->slots = slots;
    layout->n_slots = n;
    layout->n_parameters = 0;
    for (size_t i = 0; i < n; i++) {
        layout->n_parameters += slots[i].n_values;
        if (!memo_add_u64(total, slots[i].n_bytes, &total) || total > SIZE_MAX / 4)
            return memo_fail(err, MEMO_ERR_LIMIT, "the weights do not fit this machine's memory");
    }
    return MEMO_OK;
}

void memo_layout_fini(memo_layout *layout)
{
    memo_free(layout->slots);
    memset(layout, 0, sizeof *layout);
}

static void layout_bind_linear(const memo_slot *slot, const float *data, memo_linear *linear)
{
    linear->n_in = slot->n_cols;
    linear->n_out = slot->n_rows;
    linear->panels = data;
    linear->panel_stride = memo_pack_panel_f32(slot->n_cols);
}

static void layout_bind_layer(const memo_slot *slot, const float *data, memo_layer_weights *layer)
{
    switch (slot->weight) {
    case MEMO_WEIGHT_ATTN_NORM_BIAS:
        layer->attention_norm.bias = data;
        break;
    case MEMO_WEIGHT_ATTN_NORM_GAIN:
        layer->attention_norm.gain = data;
        break;
    case MEMO_WEIGHT_ATTN_OUT_BIAS:
        layer->out.bias = data;
        break;
    case MEMO_WEIGHT_ATTN_OUT:
        layout_bind_linear(slot, data, &layer->out);
        break;
    case MEMO_WEIGHT_QKV_BIAS:
        layer->qkv.bias = data;
        break;
    case MEMO_WEIGHT_QKV:
        layout_bind_linear(slot, data, &layer->qkv);
        break;
    case MEMO_WEIGHT_FFN_DOWN_BIAS:
        layer->down.bias = data;
        break;
    case MEMO_WEIGHT_FFN_DOWN:
        layout_bind_linear(slot, data, &layer->down);
        break;
    case MEMO_WEIGHT_FFN_NORM_BIAS:
        layer->ffn_norm.bias = data;
        break;
    case MEMO_WEIGHT_FFN_NORM_GAIN:
        layer->ffn_norm.gain = data;
        break;
    case MEMO_WEIGHT_FFN_UP_BIAS:
        layer->up.bias = data;
        break;
    case MEMO_WEIGHT_FFN_UP:
        layout_bind_linear(slot, data, &layer->up);
        break;
    default:
        break;
    }
}

void memo_layout_bind(const memo_slot *slot, const float *data, memo_transformer *transformer,
                      memo_layer_weights *layers)
{
    switch (slot->weight) {
    case MEMO_WEIGHT_EMBED_NORM_BIAS:
        transformer->embedding_norm.bias = data;
        break;
    case MEMO_WEIGHT_EMBED_NORM_GAIN:
        transformer->embedding_norm.gain = data;
        break;
    case MEMO_WEIGHT_POSITION:
        transformer->position = data;
        break;
    case MEMO_WEIGHT_TOKEN_TYPE:
        transformer->token_type = data;
        break;
    case MEMO_WEIGHT_WORD:
        transformer->word = data;
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

void memo_fingerprint_rows(memo_sha256 *sha, const float *rows, size_t n_values)
{
    memo_sha256_update(sha, rows, n_values * sizeof *rows);
}

void memo_fingerprint_rest(memo_sha256 *sha, const void *tokenizer, size_t n_bytes,
                           const memo_recipe *recipe)
{
    fingerprint_u64(sha, n_bytes);
    memo_sha256_update(sha, tokenizer, n_bytes);
    memo_recipe_hash(recipe, sha);
}
