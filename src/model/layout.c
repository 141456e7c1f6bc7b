// SPDX-License-Identifier: Apache-2.0
#include "model/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/int4.h"
#include "quant/pack.h"
#include "quant/palette.h"

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

static void layout_fill(memo_slot *slot, const memo_recipe *recipe, memo_weight weight,
                        size_t layer)
{
    slot->weight = weight;
    slot->layer = layer;
    slot->packed = layout_extents(recipe, weight, &slot->n_rows, &slot->n_cols);
    slot->n_dims = slot->packed || !layout_is_vector(weight) ? 2 : 1;
    slot->n_values = (uint64_t)slot->n_rows * slot->n_cols;
    if (weight >= MEMO_WEIGHT_LAYER_FIRST)
        snprintf(slot->name, sizeof slot->name, "layer.%03zu.%s", layer, layout_names[weight]);
    else
        snprintf(slot->name, sizeof slot->name, "%s", layout_names[weight]);
}

memo_status memo_layout_init(memo_layout *layout, const memo_recipe *recipe, memo_err *err)
{
    size_t per_layer = MEMO_WEIGHT_KINDS - MEMO_WEIGHT_LAYER_FIRST;
    size_t most = MEMO_WEIGHT_LAYER_FIRST + recipe->n_layers * per_layer, n = 0;

    layout->slots = memo_calloc(most, sizeof *layout->slots);
    if (!layout->slots)
        return memo_fail_nomem(err, "the list of weights", most * sizeof *layout->slots);
    for (size_t w = 0; w < MEMO_WEIGHT_LAYER_FIRST; w++)
        if (w != MEMO_WEIGHT_TOKEN_TYPE || recipe->n_token_types)
            layout_fill(&layout->slots[n++], recipe, (memo_weight)w, 0);
    for (size_t l = 0; l < recipe->n_layers; l++)
        for (size_t w = MEMO_WEIGHT_LAYER_FIRST; w < MEMO_WEIGHT_KINDS; w++)
            layout_fill(&layout->slots[n++], recipe, (memo_weight)w, l);
    layout->n_slots = n;
    for (size_t i = 0; i < n; i++)
        layout->n_parameters += layout->slots[i].n_values;
    return MEMO_OK;
}

void memo_layout_fini(memo_layout *layout)
{
    memo_free(layout->slots);
    memo_free(layout->stored);
    memset(layout, 0, sizeof *layout);
}

/* ---- formats ------------------------------------------------------------------------------- */

int memo_slot_has_format(const memo_slot *slot)
{
    return slot->packed || slot->weight == MEMO_WEIGHT_WORD;
}

/* Of the token embeddings in a model of some format. */
static memo_weight_format layout_word_format(const memo_weight_format *format)
{
    memo_class cls = memo_class_is_integer(format->cls) ? MEMO_CLASS_INT8 : format->cls;
    return (memo_weight_format){.cls = cls};
}

memo_weight_format memo_slot_format_of(const memo_slot *slot, const memo_weight_format *format)
{
    if (slot->packed)
        return *format;
    return slot->weight == MEMO_WEIGHT_WORD ? layout_word_format(format) : (memo_weight_format){0};
}

int memo_slot_takes(const memo_slot *slot, const memo_weight_format *format)
{
    if (slot->packed)
        return 1;
    memo_weight_format only = memo_slot_format_of(slot, format);
    return only.cls == format->cls && only.grain == format->grain &&
           only.activations == format->activations;
}

void memo_layout_set_class(memo_layout *layout, const memo_weight_format *format)
{
    for (size_t i = 0; i < layout->n_slots; i++)
        layout->slots[i].format = memo_slot_format_of(&layout->slots[i], format);
}

const memo_slot *memo_layout_word(const memo_layout *layout)
{
    const memo_slot *slot = layout->slots; /* among the first five in every layout */

    while (slot->weight != MEMO_WEIGHT_WORD)
        slot++;
    return slot;
}

void memo_layout_stage(const memo_layout *layout, size_t stage, size_t *first, size_t *end)
{
    size_t i = 0;

    while (i < layout->n_slots && layout->slots[i].weight < MEMO_WEIGHT_LAYER_FIRST)
        i++;
    size_t begin = stage ? i : 0;
    while (stage && begin < layout->n_slots && layout->slots[begin].layer != stage - 1)
        begin++;
    for (i = stage ? begin : i; stage && i < layout->n_slots; i++)
        if (layout->slots[i].layer != stage - 1)
            break;
    *first = begin;
    *end = i;
}

int memo_layout_is_plain(const memo_layout *layout, memo_class cls)
{
    const memo_weight_format plain = {.cls = cls};

    if (cls != MEMO_CLASS_F32 && cls != MEMO_CLASS_INT8)
        return 0;
    for (size_t i = 0; i < layout->n_slots; i++) {
        const memo_slot *slot = &layout->slots[i];
        memo_weight_format wanted = memo_slot_format_of(slot, &plain);
        if (slot->format.cls != wanted.cls || slot->format.grain != wanted.grain ||
            slot->format.activations != wanted.activations)
            return 0;
    }
    return 1;
}

size_t memo_slot_n_blocks(const memo_slot *slot)
{
    return memo_int4_n_blocks(slot->n_cols, slot->format.grain);
}

size_t memo_slot_n_groups(const memo_slot *slot)
{
    size_t grain = slot->format.grain;
    int grouped = slot->format.cls == MEMO_CLASS_INT8 && grain && grain != MEMO_GRAIN_TENSOR;

    return grouped ? memo_slot_n_blocks(slot) : 1;
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Which tensors a slot has, in the order of their names. */
static void layout_list_kinds(memo_slot *slot)
{
    const memo_weight_format *f = &slot->format;
    size_t n = 0;

    slot->kinds[n++] = MEMO_STORED_VALUES;
    if (f->activations == MEMO_ACTIVATIONS_STATIC)
        slot->kinds[n++] = MEMO_STORED_INPUT;
    if (f->cls == MEMO_CLASS_INT4)
        slot->kinds[n++] = MEMO_STORED_MULTIPLIER;
    if (f->cls == MEMO_CLASS_LUT4)
        slot->kinds[n++] = MEMO_STORED_PALETTE;
    if (memo_class_is_integer(f->cls))
        slot->kinds[n++] = MEMO_STORED_SCALE;
    if (memo_class_is_integer(f->cls) && slot->packed)
        slot->kinds[n++] = MEMO_STORED_SUM;
    slot->n_stored = n;
}

/* Type and shape of a slot's values; `inputs` of a 64-byte row of a panel. */
static void layout_shape_values(const memo_slot *slot, memo_stored *out)
{
    static const struct {
        memo_dtype dtype;
        size_t inputs, lanes;
    } rows[MEMO_CLASSES] = {
        [MEMO_CLASS_F32] = {MEMO_DTYPE_F32, 1, MEMO_PANEL},
        [MEMO_CLASS_F16] = {MEMO_DTYPE_F16, 2, 2 * MEMO_PANEL},
        [MEMO_CLASS_BF16] = {MEMO_DTYPE_BF16, 2, 2 * MEMO_PANEL},
        [MEMO_CLASS_INT8] = {MEMO_DTYPE_I8, 4, 4 * MEMO_PANEL},
        [MEMO_CLASS_INT4] = {MEMO_DTYPE_U8, 8, 4 * MEMO_PANEL},
        [MEMO_CLASS_LUT4] = {MEMO_DTYPE_U8, 8, 4 * MEMO_PANEL},
    };
    memo_class cls = slot->format.cls;

    out->dtype = rows[cls].dtype;
    if (slot->packed) {
        out->n_dims = 3;
        out->shape[0] = memo_pack_n_panels(slot->n_rows);
        out->shape[1] = memo_pack_panel_values(slot->n_cols) / MEMO_PANEL / rows[cls].inputs;
        out->shape[2] = rows[cls].lanes;
    } else {
        out->n_dims = slot->n_dims;
        out->shape[0] = out->n_dims == 1 ? slot->n_cols : slot->n_rows;
        out->shape[1] = slot->n_cols;
    }
}

static memo_stored layout_shape(const memo_slot *slot, memo_stored_kind kind)
{
    memo_stored out = {.n_dims = 1};
    size_t n_groups = memo_slot_n_groups(slot);

    switch (kind) {
    case MEMO_STORED_VALUES:
    case MEMO_STORED_KINDS:
        layout_shape_values(slot, &out);
        break;
    case MEMO_STORED_INPUT:
        out.dtype = MEMO_DTYPE_F32;
        out.shape[0] = 2;
        break;
    case MEMO_STORED_MULTIPLIER:
    case MEMO_STORED_PALETTE:
        out.dtype = kind == MEMO_STORED_PALETTE ? MEMO_DTYPE_I8 : MEMO_DTYPE_U8;
        out.n_dims = 3;
        out.shape[0] = memo_pack_n_panels(slot->n_rows);
        out.shape[1] = kind == MEMO_STORED_PALETTE ? 2 : memo_slot_n_blocks(slot);
        out.shape[2] = kind == MEMO_STORED_PALETTE ? MEMO_PALETTE_SIZE : MEMO_PANEL;
        break;
    case MEMO_STORED_SCALE:
    case MEMO_STORED_SUM:
        out.dtype = kind == MEMO_STORED_SCALE ? MEMO_DTYPE_F32 : MEMO_DTYPE_I32;
        out.n_dims = n_groups > 1 ? 2 : 1;
        out.shape[0] = n_groups > 1 ? n_groups : slot->n_rows;
        out.shape[1] = slot->n_rows;
        break;
    }
    return out;
}

/* The recipe's limits (65,536 wide, 2 M rows) keep every product below 2^64. */
static void layout_fill_stored(const memo_slot *slot, memo_stored *stored)
{
    static const char *const suffixes[MEMO_STORED_KINDS] = {"",         ".input", ".multiplier",
                                                            ".palette", ".scale", ".sum"};

    for (size_t i = 0; i < slot->n_stored; i++) {
        memo_stored *s = &stored[i];
        *s = layout_shape(slot, (memo_stored_kind)slot->kinds[i]);
        snprintf(s->name, sizeof s->name, "%s%s", slot->name, suffixes[slot->kinds[i]]);
        s->n_bytes = memo_dtype_bits(s->dtype) / 8;
        for (size_t d = 0; d < s->n_dims; d++)
            s->n_bytes *= s->shape[d];
    }
}

memo_status memo_layout_store(memo_layout *layout, memo_err *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < layout->n_slots; i++) {
        layout_list_kinds(&layout->slots[i]);
        layout->slots[i].first = layout->n_stored;
        layout->n_stored += layout->slots[i].n_stored;
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

/* ---- binding ------------------------------------------------------------------------------- */

memo_transformer_config memo_layout_config(const memo_layout *layout, const memo_recipe *recipe)
{
    memo_transformer_config config = memo_recipe_config(recipe);

    config.word_cls = memo_layout_word(layout)->format.cls;
    config.precision = MEMO_PRECISION_F32;
    for (size_t i = 0; i < layout->n_slots; i++) {
        memo_class cls = layout->slots[i].format.cls;
        if (layout->slots[i].packed && cls != MEMO_CLASS_F32 && cls != MEMO_CLASS_F16)
            config.precision = MEMO_PRECISION_BF16;
    }
    return config;
}

static void layout_bind_linear(const memo_slot *slot, const void *const *data, memo_linear *linear)
{
    const memo_weight_format *f = &slot->format;
    const float *bias = linear->bias; /* bound on its own, before or after */

    *linear = (memo_linear){
        .cls = f->cls,
        .activations = f->activations,
        .n_in = slot->n_cols,
        .n_out = slot->n_rows,
        .panels = data[MEMO_STORED_VALUES],
        .panel_stride = memo_slot_strip_bytes(slot),
        .bias = bias,
    };
    if (memo_class_is_integer(f->cls)) {
        linear->scale = data[MEMO_STORED_SCALE];
        linear->sum = data[MEMO_STORED_SUM];
        linear->group = memo_slot_n_groups(slot) > 1 ? f->grain : 0;
    }
    if (f->cls == MEMO_CLASS_INT4) {
        linear->block = f->grain;
        linear->multiplier = data[MEMO_STORED_MULTIPLIER];
    }
    if (f->cls == MEMO_CLASS_LUT4)
        linear->palette = data[MEMO_STORED_PALETTE];
    if (f->activations == MEMO_ACTIVATIONS_STATIC)
        linear->input = data[MEMO_STORED_INPUT];
}

memo_linear *memo_layout_linear(const memo_slot *slot, memo_layer_weights *layers)
{
    memo_layer_weights *layer = &layers[slot->layer];

    switch (slot->weight) {
    case MEMO_WEIGHT_ATTN_OUT:
        return &layer->out;
    case MEMO_WEIGHT_QKV:
        return &layer->qkv;
    case MEMO_WEIGHT_FFN_DOWN:
        return &layer->down;
    case MEMO_WEIGHT_FFN_UP:
        return &layer->up;
    default:
        return NULL;
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
    case MEMO_WEIGHT_QKV_BIAS:
        layer->qkv.bias = values;
        break;
    case MEMO_WEIGHT_FFN_DOWN_BIAS:
        layer->down.bias = values;
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
        if (slot->format.cls == MEMO_CLASS_INT8)
            transformer->word.scale = data[MEMO_STORED_SCALE];
        break;
    default:
        if (slot->packed)
            layout_bind_linear(slot, data, memo_layout_linear(slot, layers));
        else
            layout_bind_layer(slot, data, &layers[slot->layer]);
        break;
    }
}
