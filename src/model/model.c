// SPDX-License-Identifier: Apache-2.0
#include <memolith/model.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "model/model_handle.h"
#include "model/slot_rows.h"
#include "quant/int4.h"

/* ---- open ---------------------------------------------------------------------------------- */

/* Point the executor at the weights. */
static memo_status model_bind(memo_model *model, memo_err *err)
{
    const memo_compiled *file = &model->file;
    size_t n_layers = file->recipe.n_layers;

    model->layers = memo_calloc(n_layers, sizeof *model->layers);
    if (!model->layers)
        return memo_fail_nomem(err, "the layers", n_layers * sizeof *model->layers);
    model->transformer.config = memo_layout_config(&file->layout, &file->recipe);
    model->transformer.layers = model->layers;
    model->transformer.kernels = memo_kernels_for(memo_ctx_cpu(model->ctx));
    if (!model->transformer.kernels)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED, "this build has no kernels for level %s",
                         memo_cpu_name(memo_ctx_cpu(model->ctx)));
    for (size_t i = 0; i < file->layout.n_slots; i++) {
        const void *data[MEMO_STORED_KINDS];
        memo_compiled_slot(file, &file->layout.slots[i], data);
        memo_layout_bind(&file->layout.slots[i], data, &model->transformer, model->layers);
    }
    return MEMO_OK;
}

/* The tokenizer's ids index the word embeddings, and a text must fit beside its special tokens. */
static memo_status model_open_tokenizer(memo_model *model, memo_err *err)
{
    const memo_st_tensor *tables = model->file.extra[MEMO_EXTRA_TOKENIZER];
    const memo_recipe *recipe = &model->file.recipe;
    memo_status status =
        memo_tokenizer_open(memo_compiled_data(&model->file, tables),
                            (size_t)(tables->end - tables->begin), &model->tokenizer, err);

    if (status)
        return status;
    if (memo_tokenizer_vocab_size(model->tokenizer) > recipe->vocab_size)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "the tokenizer has %zu ids, the model has rows for %zu",
                         memo_tokenizer_vocab_size(model->tokenizer), recipe->vocab_size);
    if (memo_model_n_special(model) >= recipe->max_tokens)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "a maximum of %zu tokens leaves no room beside %zu special tokens",
                         recipe->max_tokens, memo_model_n_special(model));
    return MEMO_OK;
}

static memo_status model_open_bytes(memo_model *model, const void *bytes, size_t n_bytes,
                                    const char *what, const memo_model_options *o, memo_err *err)
{
    memo_status status;

    if ((status = memo_compiled_open(&model->file, bytes, n_bytes, what, err)) ||
        (status = model_open_tokenizer(model, err)) || (status = model_bind(model, err)))
        return status;
    if (o->portable)
        model->transformer.config.precision = MEMO_PRECISION_F32;
    if (!o->verify_all)
        return MEMO_OK;
    return memo_compiled_check_all(&model->file, model->file.st->data_begin,
                                   model->file.extra[MEMO_EXTRA_CHECKSUMS]->begin, model->ctx->pool,
                                   1, err);
}

static memo_status model_check_call(int all_given, const char *call, memo_err *err)
{
    return all_given ? MEMO_OK
                     : memo_fail(err, MEMO_ERR_USAGE, "%s: a needed argument is NULL", call);
}

static memo_status model_new(memo_ctx *ctx, const memo_model_options *options,
                             memo_model_options *copy, memo_model **model, memo_err *err)
{
    memo_status status = memo_options_copy(copy, sizeof *copy, options, "memo_model_options", err);
    if (status)
        return status;
    *model = memo_calloc(1, sizeof **model);
    if (!*model)
        return memo_fail_nomem(err, "a model", sizeof **model);
    (*model)->ctx = ctx;
    return MEMO_OK;
}

memo_status memo_model_open(memo_ctx *ctx, const char *path, const memo_model_options *options,
                            memo_model **out, memo_err *err)
{
    memo_model_options o;
    memo_model *model = NULL;
    memo_status status = model_check_call(ctx && path && out, "memo_model_open", err);

    if (status || (status = model_new(ctx, options, &o, &model, err)))
        return status;
    if ((status = memo_map_open(&model->map, path, err)) ||
        (status = model_open_bytes(model, model->map.data, model->map.n_bytes, path, &o, err))) {
        memo_model_close(model);
        return status;
    }
    *out = model;
    return MEMO_OK;
}

memo_status memo_model_open_memory(memo_ctx *ctx, const void *bytes, size_t n_bytes,
                                   const memo_model_options *options, memo_model **out,
                                   memo_err *err)
{
    memo_model_options o;
    memo_model *model = NULL;
    memo_status status = model_check_call(ctx && bytes && out, "memo_model_open_memory", err);

    if (status)
        return status;
    if ((uintptr_t)bytes % MEMO_SAFETENSORS_ALIGN)
        return memo_fail(
            err, MEMO_ERR_VALUE,
            "the model's bytes begin %zu past a multiple of 64; they must begin at one",
            (size_t)((uintptr_t)bytes % MEMO_SAFETENSORS_ALIGN));
    if ((status = model_new(ctx, options, &o, &model, err)))
        return status;
    if ((status = model_open_bytes(model, bytes, n_bytes, "the model in memory", &o, err))) {
        memo_model_close(model);
        return status;
    }
    *out = model;
    return MEMO_OK;
}

void memo_model_close(memo_model *model)
{
    if (!model)
        return;
    memo_tokenizer_close(model->tokenizer);
    memo_free(model->layers);
    memo_compiled_close(&model->file);
    memo_map_close(&model->map);
    memo_free(model);
}

/* ---- facts --------------------------------------------------------------------------------- */

size_t memo_model_n_special(const memo_model *model)
{
    const uint32_t *ids;
    return memo_tokenizer_prefix(model->tokenizer, &ids) +
           memo_tokenizer_suffix(model->tokenizer, &ids);
}

memo_status memo_model_get_info(const memo_model *model, memo_model_info *info, memo_err *err)
{
    const memo_compiled *file;
    memo_model_info found;
    memo_status status;

    if (!model || !info)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_get_info: a needed argument is NULL");
    if ((status = memo_result_check(info, "memo_model_info", err)))
        return status;
    file = &model->file;
    found = (memo_model_info){
        .name = file->metadata_name,
        .architecture = file->recipe.architecture,
        .cls = file->cls,
        .dim = memo_recipe_dim(&file->recipe),
        .max_tokens = file->recipe.max_tokens,
        .n_special_tokens = memo_model_n_special(model),
        .n_layers = file->recipe.n_layers,
        .hidden_size = file->recipe.hidden_size,
        .n_parameters = file->layout.n_parameters,
        .file_bytes = file->n_bytes,
        .recipe_json = file->recipe_json,
        .report_json = file->report_json,
        .tool_version = file->tool,
    };
    memcpy(found.fingerprint, file->fingerprint, sizeof found.fingerprint);
    if (file->source)
        memcpy(found.source_hash, file->source, sizeof found.source_hash);
    memo_result_write(info, &found, sizeof found);
    return MEMO_OK;
}

memo_status memo_model_get_weight(const memo_model *model, size_t index, memo_weight_info *info,
                                  memo_err *err)
{
    const memo_layout *layout;
    size_t left = index;
    memo_status status;

    if (!model || !info)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_get_weight: a needed argument is NULL");
    if ((status = memo_result_check(info, "memo_weight_info", err)))
        return status;
    layout = &model->file.layout;
    for (size_t i = 0; i < layout->n_slots; i++) {
        const memo_slot *slot = &layout->slots[i];
        if (!memo_slot_has_format(slot) || left--)
            continue;
        memo_weight_info found = {
            .name = slot->name,
            .cls = slot->format.cls,
            .activations = slot->format.activations,
            .n_rows = slot->n_rows,
            .n_cols = slot->n_cols,
        };
        memo_weight_format_put(&slot->format, found.format);
        for (size_t k = 0; k < slot->n_stored; k++)
            found.n_bytes += layout->stored[slot->first + k].n_bytes;
        memo_result_write(info, &found, sizeof found);
        return MEMO_OK;
    }
    return memo_fail(err, MEMO_ERR_NOTFOUND, "there is no weight %zu, they are counted from 0",
                     index);
}

const memo_tokenizer *memo_model_tokenizer(const memo_model *model)
{
    return model->tokenizer;
}

const char *memo_model_token(const memo_model *model, uint32_t id, size_t *n_bytes)
{
    size_t n = 0;
    const char *token = model ? memo_tokenizer_token(model->tokenizer, id, &n) : NULL;

    if (n_bytes)
        *n_bytes = token ? n : 0;
    return token;
}

/* ---- first use of weights ------------------------------------------------------------------ */

/* Whether the multipliers of an int4 weight are what the format allows: beyond, the levels differ. */
static memo_status model_check_multipliers(const memo_compiled *file, const memo_slot *slot,
                                           memo_err *err)
{
    const void *data[MEMO_STORED_KINDS];
    size_t n = memo_round_up(slot->n_rows, MEMO_PANEL) * memo_slot_n_blocks(slot);
    int odd = 0;

    memo_compiled_slot(file, slot, data);
    const uint8_t *multipliers = data[MEMO_STORED_MULTIPLIER];
    for (size_t i = 0; i < n; i++)
        odd |= multipliers[i] < 1 || multipliers[i] > MEMO_INT4_MAX_MULTIPLIER;
    return odd ? memo_fail(err, MEMO_ERR_FORMAT, "%s has a multiplier outside 1 to %d", slot->name,
                           MEMO_INT4_MAX_MULTIPLIER)
               : MEMO_OK;
}

void memo_model_release(const memo_model *model, size_t stage)
{
    const memo_compiled *file = &model->file;
    size_t first, end;

    memo_layout_stage(&file->layout, stage, &first, &end);
    for (size_t i = first; model->map.data && i < end; i++) {
        const memo_st_tensor *values = file->tensors[file->layout.slots[i].first];
        memo_map_release(&model->map, values->begin, values->end);
    }
}

/* Tensors that follow one another in the file are checked as one range, so that the threads share
 * much work a few times rather than little many times: half of the time to the first vector is spent
 * here. */
memo_status memo_model_check_weights(memo_model *model, memo_err *err)
{
    memo_compiled *file = &model->file;
    uint64_t begin = 0, end = 0; /* of the range at hand */
    memo_status status = MEMO_OK;

    if (atomic_load_explicit(&model->weights_checked, memory_order_acquire))
        return MEMO_OK;
    for (size_t i = 0; i < file->layout.n_slots && status == MEMO_OK; i++) {
        const memo_slot *slot = &file->layout.slots[i];
        if (slot->weight == MEMO_WEIGHT_WORD)
            continue;
        for (size_t kind = 0; kind < slot->n_stored && status == MEMO_OK; kind++) {
            const memo_st_tensor *t = file->tensors[slot->first + kind];
            if (t->begin < end || t->begin - end >= MEMO_SAFETENSORS_ALIGN) {
                status = memo_compiled_check_all(file, begin, end, model->ctx->pool, 0, err);
                begin = t->begin;
            }
            end = t->end;
        }
    }
    if (status == MEMO_OK)
        status = memo_compiled_check_all(file, begin, end, model->ctx->pool, 0, err);
    for (size_t i = 0; i < file->layout.n_slots && status == MEMO_OK; i++) {
        if (file->layout.slots[i].format.cls == MEMO_CLASS_INT4)
            status = model_check_multipliers(file, &file->layout.slots[i], err);
    }
    if (status == MEMO_OK)
        atomic_store_explicit(&model->weights_checked, 1, memory_order_release);
    return status;
}

/* The n_bytes of a table of which each id has as many. */
static memo_status model_check_row(memo_model *model, const void *table, uint32_t id,
                                   uint64_t n_bytes, memo_err *err)
{
    uint64_t begin = (uint64_t)((const unsigned char *)table - model->file.bytes) + id * n_bytes;
    return memo_compiled_check(&model->file, begin, begin + n_bytes, err);
}

memo_status memo_model_check_words(memo_model *model, const uint32_t *ids, size_t n_ids,
                                   memo_err *err)
{
    const memo_word_table *word = &model->transformer.word;
    uint64_t row_bytes = memo_slot_row_bytes(memo_layout_word(&model->file.layout));
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < n_ids && status == MEMO_OK; i++) {
        if (ids[i] >= model->transformer.config.vocab_size)
            return memo_fail(err, MEMO_ERR_FORMAT, "the tokenizer gives id %u, the model has %zu",
                             ids[i], model->transformer.config.vocab_size);
        status = model_check_row(model, word->rows, ids[i], row_bytes, err);
        if (status == MEMO_OK && word->scale)
            status = model_check_row(model, word->scale, ids[i], sizeof *word->scale, err);
    }
    return status;
}

/* ---- tokenize ------------------------------------------------------------------------------ */

/* Copy part of the result; spans of special tokens are {0, 0}. */
static void model_put_tokens(uint32_t *ids, size_t (*offsets)[2], size_t *at, const uint32_t *from,
                             const size_t (*spans)[2], size_t n)
{
    for (size_t i = 0; i < n; i++, (*at)++) {
        ids[*at] = from[i];
        offsets[*at][0] = spans ? spans[i][0] : 0;
        offsets[*at][1] = spans ? spans[i][1] : 0;
    }
}

/* One block: the struct, the offsets, the ids. */
static memo_status model_make_tokens(const memo_model *model, const memo_token_list *list,
                                     int specials, memo_tokens **out, memo_err *err)
{
    const uint32_t *prefix = NULL, *suffix = NULL;
    size_t n_prefix = specials ? memo_tokenizer_prefix(model->tokenizer, &prefix) : 0;
    size_t n_suffix = specials ? memo_tokenizer_suffix(model->tokenizer, &suffix) : 0;
    size_t n = n_prefix + list->n + n_suffix, at = 0;
    size_t n_bytes = sizeof(memo_tokens) + n * (sizeof(size_t[2]) + sizeof(uint32_t));
    memo_tokens *tokens = memo_malloc(n_bytes);

    if (!tokens)
        return memo_fail_nomem(err, "tokens", n_bytes);
    size_t(*offsets)[2] = (size_t(*)[2])(void *)(tokens + 1);
    uint32_t *ids = (uint32_t *)(void *)(offsets + n);
    model_put_tokens(ids, offsets, &at, prefix, NULL, n_prefix);
    model_put_tokens(ids, offsets, &at, list->ids, (const size_t(*)[2])list->offsets, list->n);
    model_put_tokens(ids, offsets, &at, suffix, NULL, n_suffix);
    *tokens = (memo_tokens){n, ids, (const size_t(*)[2])offsets};
    *out = tokens;
    return MEMO_OK;
}

memo_status memo_model_tokenize(const memo_model *model, memo_text text,
                                const memo_tokenize_options *options, memo_tokens **tokens,
                                memo_err *err)
{
    memo_tokenize_options o;
    memo_token_list list = {0};
    unsigned flags = MEMO_ENCODE_OFFSETS;
    memo_status status = model_check_call(model && tokens && (text.bytes || !text.n_bytes),
                                          "memo_model_tokenize", err);

    if (status || (status = memo_options_copy(&o, sizeof o, options, "memo_tokenize_options", err)))
        return status;
    if (text.n_bytes > PTRDIFF_MAX)
        return memo_fail(err, MEMO_ERR_LIMIT, "a text of %zu bytes, more than there can be",
                         text.n_bytes);
    if (o.replace_invalid_utf8)
        flags |= MEMO_ENCODE_REPLACE_INVALID;
    if (o.safe_specials)
        flags |= MEMO_ENCODE_SAFE;
    status = memo_tokenizer_encode(model->tokenizer, text.bytes, text.n_bytes, flags, &list, err);
    if (status == MEMO_OK)
        status = model_make_tokens(model, &list, !o.no_special_tokens, tokens, err);
    memo_token_list_fini(&list);
    return status;
}

void memo_tokens_free(memo_tokens *tokens)
{
    memo_free(tokens);
}
