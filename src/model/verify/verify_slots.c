// SPDX-License-Identifier: Apache-2.0
#include "model/verify/verify_slots.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/int4.h"
#include "quant/int8.h"
#include "quant/pack.h"
#include "quant/palette.h"

memo_status memo_verify_strip_init(memo_verify_strip *strip, const memo_layout *layout,
                                   memo_err *err)
{
    size_t widest = 0;

    for (size_t i = 0; i < layout->n_slots; i++)
        if (layout->slots[i].n_cols > widest)
            widest = layout->slots[i].n_cols;
    size_t n_values = memo_pack_panel_values(widest), n_bytes = n_values * sizeof(float);
    char *block = memo_aligned_alloc(2 * n_bytes + n_values);
    if (!block)
        return memo_fail_nomem(err, "a strip of weights", 2 * n_bytes + n_values);
    *strip = (memo_verify_strip){block, block + n_bytes, (int8_t *)block + 2 * n_bytes};
    return MEMO_OK;
}

void memo_verify_strip_fini(memo_verify_strip *strip)
{
    memo_aligned_free(strip->rows);
    *strip = (memo_verify_strip){0};
}

static memo_status verify_refuse(const memo_slot *slot, size_t row, const char *what, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_CORRUPT, "%s: row %zu %s", slot->name, row, what);
}

/* A strip packed again must be the stored one: then its padding is zero. */
static memo_status verify_padding(const memo_slot *slot, const void *stored, size_t row,
                                  size_t n_rows, const memo_verify_strip *strip, const void *rows,
                                  memo_err *err)
{
    if (!slot->packed)
        return MEMO_OK;
    memo_slot_pack(slot, rows, n_rows, strip->again);
    if (memcmp(strip->again, stored, memo_slot_strip_bytes(slot)) != 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: the padding of rows %zu to %zu is not zero",
                         slot->name, row, row + n_rows - 1);
    return MEMO_OK;
}

/* Bytes of one row: what they sum up to, group by group, and whether a scale fits them. */
static memo_status verify_row_scales(const memo_slot *slot, const void *const *data, size_t row,
                                     const int8_t *bytes, memo_err *err)
{
    const float *scale = data[MEMO_STORED_SCALE];
    const int32_t *sum = data[MEMO_STORED_SUM];
    size_t n_groups = memo_slot_n_groups(slot), n = slot->n_cols;
    size_t group = n_groups > 1 ? slot->format.grain : n;
    /* Rows that share a scale or a palette may be zero under a scale that is not, and the other way
     * round. */
    int own = slot->format.cls == MEMO_CLASS_INT8 && slot->format.grain != MEMO_GRAIN_TENSOR;

    for (size_t g = 0; g < n_groups; g++) {
        size_t begin = g * group, at = g * slot->n_rows + row;
        size_t some = begin >= n ? 0 : n - begin < group ? n - begin : group;
        int lowest = 0, any = 0;
        for (size_t i = 0; i < some; i++) {
            lowest = bytes[begin + i] < lowest ? bytes[begin + i] : lowest;
            any |= bytes[begin + i];
        }
        if (lowest < -MEMO_INT8_LARGEST)
            return verify_refuse(slot, row, "holds -128", err);
        if (sum && sum[at] != memo_int8_sum_row(some, bytes + begin))
            return verify_refuse(slot, row, "has a sum that is not that of its bytes", err);
        int normal = scale[at] >= FLT_MIN && scale[at] <= FLT_MAX;
        if (!normal && (scale[at] != 0 || (own && any)))
            return verify_refuse(slot, row, "has a scale that is no normal number", err);
        if (own && !any && scale[at] != 0)
            return verify_refuse(slot, row, "holds zeros and has a scale", err);
    }
    return MEMO_OK;
}

/* The multipliers of a strip: 1 to 15, and 1 for channels that are missing. */
static memo_status verify_multipliers(const memo_slot *slot, const uint8_t *stored, size_t row,
                                      size_t n_rows, memo_err *err)
{
    size_t n_blocks = memo_slot_n_blocks(slot);
    const uint8_t *panel = stored + row / MEMO_PANEL * n_blocks * MEMO_PANEL;

    for (size_t i = 0; i < n_blocks * MEMO_PANEL; i++) {
        size_t r = i % MEMO_PANEL;
        if (r < n_rows ? panel[i] < 1 || panel[i] > MEMO_INT4_MAX_MULTIPLIER : panel[i] != 1)
            return verify_refuse(slot, row + r, "has a multiplier outside 1 to 15", err);
    }
    return MEMO_OK;
}

/* The two palettes of a strip: ascending, without -128; one without rows repeats the other. */
static memo_status verify_palettes(const memo_slot *slot, const int8_t *stored, size_t row,
                                   memo_err *err)
{
    for (size_t half = 0; half < 2; half++) {
        const int8_t *palette = stored + (row / MEMO_PANEL * 2 + half) * MEMO_PALETTE_SIZE;
        int good = palette[0] >= -MEMO_INT8_LARGEST;
        for (size_t i = 1; i < MEMO_PALETTE_SIZE; i++)
            good = good && palette[i] > palette[i - 1];
        if (half && row + 8 >= slot->n_rows)
            good = good && !memcmp(palette, palette - MEMO_PALETTE_SIZE, MEMO_PALETTE_SIZE);
        if (!good)
            return verify_refuse(slot, row + 8 * half, "has a palette that is none", err);
    }
    return MEMO_OK;
}

static memo_status verify_integers(const memo_slot *slot, const void *const *data, size_t row,
                                   size_t n_rows, const memo_verify_strip *strip, const void *rows,
                                   memo_err *err)
{
    memo_status status = MEMO_OK;

    if (slot->format.cls == MEMO_CLASS_INT4)
        status = verify_multipliers(slot, data[MEMO_STORED_MULTIPLIER], row, n_rows, err);
    else if (slot->format.cls == MEMO_CLASS_LUT4)
        status = verify_palettes(slot, data[MEMO_STORED_PALETTE], row, err);
    if (status)
        return status;
    const int8_t *bytes = memo_slot_expand(slot, data, row, n_rows, rows, strip->bytes);
    for (size_t r = 0; r < n_rows && status == MEMO_OK; r++)
        status = verify_row_scales(slot, data, row + r, bytes + r * slot->n_cols, err);
    return status;
}

static memo_status verify_input(const memo_slot *slot, const float *input, memo_err *err)
{
    if (!input || (input[0] >= FLT_MIN && input[0] <= FLT_MAX && isfinite(input[1])))
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_CORRUPT, "%s: the range of its input is %g, %g", slot->name,
                     (double)input[0], (double)input[1]);
}

memo_status memo_verify_slot(const memo_compiled *file, const memo_slot *slot,
                             const memo_verify_strip *strip, const memo_fingerprint *fingerprint,
                             memo_err *err)
{
    size_t strip_bytes = memo_slot_strip_bytes(slot);
    const void *data[MEMO_STORED_KINDS];
    memo_status status = MEMO_OK;

    memo_compiled_slot(file, slot, data);
    memo_fingerprint_slot(fingerprint, slot);
    for (size_t row = 0; row < slot->n_rows && status == MEMO_OK; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row;
        size_t n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        const char *stored =
            (const char *)data[MEMO_STORED_VALUES] + row / MEMO_PANEL * strip_bytes;
        const void *rows = memo_slot_unpack(slot, stored, n_rows, strip->rows);
        memo_fingerprint_rows(fingerprint, slot, rows, n_rows);
        if (slot->format.cls == MEMO_CLASS_F32)
            continue; /* as it always was: NaN may be kept on purpose */
        status = verify_padding(slot, stored, row, n_rows, strip, rows, err);
        if (status == MEMO_OK && memo_class_is_integer(slot->format.cls))
            status = verify_integers(slot, data, row, n_rows, strip, rows, err);
    }
    if (status == MEMO_OK)
        status = verify_input(slot, data[MEMO_STORED_INPUT], err);
    memo_fingerprint_side(fingerprint, slot, data);
    return status;
}
