// SPDX-License-Identifier: Apache-2.0
#include "model/compile/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "quant/half.h"

void memo_weight_map_fini(memo_weight_map *map)
{
    memo_free(map->slots);
    memo_free(map->unused);
    memset(map, 0, sizeof *map);
}

/* ---- matching ------------------------------------------------------------------------------ */

/* The prefix in use: the family's, when the word embeddings carry it. */
static const char *weights_prefix(const memo_source *source)
{
    char name[128], full[192];

    memo_architecture_name(source->architecture, MEMO_WEIGHT_WORD, 0, 0, name);
    snprintf(full, sizeof full, "%s%s", source->architecture->prefix, name);
    return memo_safetensors_find(source->weights, full) ? source->architecture->prefix : "";
}

static int weights_is_float(memo_dtype dtype)
{
    return dtype == MEMO_DTYPE_F32 || dtype == MEMO_DTYPE_F16 || dtype == MEMO_DTYPE_BF16 ||
           dtype == MEMO_DTYPE_F64;
}

static memo_status weights_check_part(const memo_slot *slot, size_t n_parts,
                                      const memo_st_tensor *tensor, memo_err *err)
{
    uint64_t n_rows = slot->n_rows, n_cols = slot->n_cols;
    int vector = slot->n_dims == 1;

    if (!weights_is_float(tensor->dtype))
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "model.safetensors: tensor \"%.128s\" is %s; supported are F32, F16, BF16 "
                         "and F64",
                         tensor->name, memo_dtype_name(tensor->dtype));
    if (vector)
        n_cols /= n_parts;
    else
        n_rows /= n_parts;
    if (vector && tensor->n_dims == 1 && tensor->shape[0] == n_cols)
        return MEMO_OK;
    if (!vector && tensor->n_dims == 2 && tensor->shape[0] == n_rows && tensor->shape[1] == n_cols)
        return MEMO_OK;
    char wanted[64];
    if (vector)
        snprintf(wanted, sizeof wanted, "[%" PRIu64 "]", n_cols);
    else
        snprintf(wanted, sizeof wanted, "[%" PRIu64 ", %" PRIu64 "]", n_rows, n_cols);
    return memo_fail(err, MEMO_ERR_VALUE,
                     "model.safetensors: tensor \"%.128s\" has %zu dimensions and %" PRIu64
                     " values; config.json asks for %s",
                     tensor->name, tensor->n_dims, tensor->n_values, wanted);
}

/* Fill one slot's parts, marking the tensors as used. */
static memo_status weights_match(const memo_source *source, const char *prefix,
                                 const memo_slot *slot, memo_weight_source *weight,
                                 unsigned char *used, memo_err *err)
{
    char name[128], full[192];

    while (memo_architecture_name(source->architecture, slot->weight, slot->layer, weight->n_parts,
                                  name)) {
        snprintf(full, sizeof full, "%s%s", prefix, name);
        const memo_st_tensor *tensor = memo_safetensors_find(source->weights, full);
        if (!tensor)
            return memo_fail(
                err, MEMO_ERR_FORMAT,
                "model.safetensors: tensor \"%s\" is missing; config.json asks for %zu "
                "layers",
                full, source->recipe.n_layers);
        used[tensor - source->weights->tensors] = 1;
        weight->parts[weight->n_parts++] = tensor;
    }
    for (size_t p = 0; p < weight->n_parts; p++) {
        memo_status status = weights_check_part(slot, weight->n_parts, weight->parts[p], err);
        if (status)
            return status;
    }
    return MEMO_OK;
}

static int weights_starts_with(const char *name, const char *prefix)
{
    return !strncmp(name, prefix, strlen(prefix));
}

/* What is left over: unused outside the encoder, an error inside. */
static memo_status weights_collect_unused(memo_weight_map *map, const memo_source *source,
                                          const char *prefix, const unsigned char *used,
                                          memo_err *err)
{
    const memo_architecture *a = source->architecture;

    for (size_t i = 0; i < source->weights->n_tensors; i++) {
        const char *name = source->weights->tensors[i].name;
        if (used[i] || weights_starts_with(name, MEMO_SAFETENSORS_PAD_PREFIX))
            continue;
        map->unused[map->n_unused++] = name;
        if (!weights_starts_with(name, prefix))
            continue;
        const char *rest = name + strlen(prefix);
        for (size_t r = 0; a->roots[r]; r++)
            if (weights_starts_with(rest, a->roots[r]) && strcmp(rest, a->ignored))
                return memo_fail(err, MEMO_ERR_FORMAT,
                                 "model.safetensors: tensor \"%.128s\" has no place in a %s of %zu "
                                 "layers, as config.json describes it",
                                 name, a->model_type, source->recipe.n_layers);
    }
    return MEMO_OK;
}

memo_status memo_weight_map_init(memo_weight_map *map, const memo_source *source,
                                 const memo_layout *layout, memo_err *err)
{
    const char *prefix = weights_prefix(source);
    size_t n = source->weights->n_tensors;
    unsigned char *used = memo_calloc(n + 1, 1);
    memo_status status = MEMO_OK;

    map->slots = memo_calloc(layout->n_slots, sizeof *map->slots);
    map->unused = memo_calloc(n + 1, sizeof *map->unused);
    if (!used || !map->slots || !map->unused) {
        status = memo_fail_nomem(err, "the list of tensors", n * sizeof *map->unused);
        goto done;
    }
    for (size_t i = 0; i < layout->n_slots && status == MEMO_OK; i++)
        status = weights_match(source, prefix, &layout->slots[i], &map->slots[i], used, err);
    if (status == MEMO_OK)
        status = weights_collect_unused(map, source, prefix, used, err);
done:
    memo_free(used);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void weights_convert(memo_dtype dtype, const void *raw, size_t n, float *out)
{
    if (dtype == MEMO_DTYPE_F32) {
        memcpy(out, raw, n * sizeof *out);
    } else if (dtype == MEMO_DTYPE_F64) {
        const double *values = raw;
        for (size_t i = 0; i < n; i++)
            out[i] = (float)values[i];
    } else {
        const uint16_t *values = raw;
        for (size_t i = 0; i < n; i++)
            out[i] =
                dtype == MEMO_DTYPE_F16 ? memo_f16_to_f32(values[i]) : memo_bf16_to_f32(values[i]);
    }
}

/* `first` is the index in the tensor of out[0]. */
static memo_status weights_check_values(const memo_st_tensor *tensor, uint64_t first,
                                        const void *raw, size_t n, int strict, const float *out,
                                        memo_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (isfinite(out[i]))
            continue;
        if (tensor->dtype == MEMO_DTYPE_F64 && isfinite(((const double *)raw)[i]))
            return memo_fail(err, MEMO_ERR_VALUE,
                             "model.safetensors: tensor \"%.128s\" holds %g at index %" PRIu64
                             ", which does not fit a float",
                             tensor->name, ((const double *)raw)[i], first + i);
        if (!strict)
            continue;
        memo_fail(err, MEMO_ERR_VALUE,
                  "model.safetensors: tensor \"%.128s\" holds %s at index %" PRIu64, tensor->name,
                  isnan(out[i]) ? "NaN" : "an infinity", first + i);
        return memo_hint(
            err, MEMO_ERR_VALUE,
            "the file is damaged or was saved during training; --allow-nonfinite keeps "
            "such weights");
    }
    return MEMO_OK;
}

memo_status memo_weight_read(const memo_source *source, const memo_weight_source *weight,
                             uint64_t first, size_t n_values, int strict, memo_strip strip,
                             memo_err *err)
{
    memo_status status = MEMO_OK;
    float *out = strip.rows;

    for (size_t p = 0; p < weight->n_parts && n_values && status == MEMO_OK; p++) {
        const memo_st_tensor *tensor = weight->parts[p];
        if (first >= tensor->n_values) {
            first -= tensor->n_values;
            continue;
        }
        uint64_t left = tensor->n_values - first;
        size_t n = n_values < left ? n_values : (size_t)left;
        size_t value_bytes = memo_dtype_bits(tensor->dtype) / 8;
        status = memo_file_read(&source->file, tensor->begin + first * value_bytes, strip.raw,
                                n * value_bytes, err);
        if (status)
            return status;
        weights_convert(tensor->dtype, strip.raw, n, out);
        status = weights_check_values(tensor, first, strip.raw, n, strict, out, err);
        out += n;
        n_values -= n;
        first = 0;
    }
    return status;
}
