// SPDX-License-Identifier: Apache-2.0
#include "model/slot_rows.h"

#include "quant/half.h"
#include "quant/int4.h"
#include "quant/int8.h"
#include "quant/lut4.h"
#include "quant/pack.h"

size_t memo_slot_row_bytes(const memo_slot *slot)
{
    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        return slot->n_cols * sizeof(float);
    case MEMO_CLASS_F16:
    case MEMO_CLASS_BF16:
        return slot->n_cols * sizeof(uint16_t);
    case MEMO_CLASS_INT8:
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        break;
    }
    return slot->n_cols;
}

size_t memo_slot_strip_bytes(const memo_slot *slot)
{
    if (!slot->packed)
        return MEMO_PANEL * memo_slot_row_bytes(slot);
    size_t n_values = memo_pack_panel_values(slot->n_cols);
    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        return n_values * sizeof(float);
    case MEMO_CLASS_F16:
    case MEMO_CLASS_BF16:
        return n_values * sizeof(uint16_t);
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        return n_values / 2;
    case MEMO_CLASS_INT8:
        break;
    }
    return n_values;
}

void memo_slot_pack(const memo_slot *slot, const void *rows, size_t n_rows, void *panel)
{
    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        memo_pack_f32(n_rows, slot->n_cols, rows, panel);
        break;
    case MEMO_CLASS_F16:
        memo_pack_f16(n_rows, slot->n_cols, rows, panel);
        break;
    case MEMO_CLASS_BF16:
        memo_pack_bf16(n_rows, slot->n_cols, rows, panel);
        break;
    case MEMO_CLASS_INT8:
        memo_pack_int8(n_rows, slot->n_cols, rows, panel);
        break;
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        memo_pack_codes(n_rows, slot->n_cols, rows, panel);
        break;
    }
}

const void *memo_slot_unpack(const memo_slot *slot, const void *strip, size_t n_rows, void *rows)
{
    if (!slot->packed)
        return strip;
    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        memo_unpack_f32(n_rows, slot->n_cols, strip, rows);
        break;
    case MEMO_CLASS_F16:
        memo_unpack_f16(n_rows, slot->n_cols, strip, rows);
        break;
    case MEMO_CLASS_BF16:
        memo_unpack_bf16(n_rows, slot->n_cols, strip, rows);
        break;
    case MEMO_CLASS_INT8:
        memo_unpack_int8(n_rows, slot->n_cols, strip, rows);
        break;
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        memo_unpack_codes(n_rows, slot->n_cols, strip, rows);
        break;
    }
    return rows;
}

/* ---- values -------------------------------------------------------------------------------- */

/* One row of class int4: its multipliers lie 16 channels apart. */
static void slot_expand_int4(const memo_slot *slot, const uint8_t *multipliers,
                             const uint8_t *codes, int8_t *bytes)
{
    size_t block = slot->format.grain;

    for (size_t i = 0; i < slot->n_cols; i += block) {
        size_t n = slot->n_cols - i < block ? slot->n_cols - i : block;
        memo_int4_expand_row(n, block, codes + i, &multipliers[i / block * MEMO_PANEL], bytes + i);
    }
}

const int8_t *memo_slot_expand(const memo_slot *slot, const void *const *data, size_t row,
                               size_t n_rows, const void *rows, int8_t *bytes)
{
    size_t panel = row / MEMO_PANEL, n = slot->n_cols;
    const uint8_t *codes = rows;
    const uint8_t *multipliers = data[MEMO_STORED_MULTIPLIER];
    const int8_t *palettes = data[MEMO_STORED_PALETTE];

    if (slot->format.cls == MEMO_CLASS_INT8)
        return rows;
    for (size_t r = 0; r < n_rows; r++)
        if (slot->format.cls == MEMO_CLASS_INT4)
            slot_expand_int4(slot, multipliers + panel * memo_slot_n_blocks(slot) * MEMO_PANEL + r,
                             codes + r * n, bytes + r * n);
        else
            memo_lut4_expand_row(n, codes + r * n,
                                 palettes + (panel * 2 + r / 8) * MEMO_PALETTE_SIZE, bytes + r * n);
    return bytes;
}

/* Bytes to floats: each group of a row has a scale of its own. */
static void slot_scale(const memo_slot *slot, const float *scale, size_t row, size_t n_rows,
                       const int8_t *bytes, float *values)
{
    size_t n_groups = memo_slot_n_groups(slot), n = slot->n_cols;
    size_t group = n_groups > 1 ? slot->format.grain : n;

    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n; i += group) {
            size_t some = n - i < group ? n - i : group;
            memo_int8_dequantize_row(some, bytes + r * n + i,
                                     scale[i / group * slot->n_rows + row + r], values + r * n + i);
        }
}

const float *memo_slot_read(const memo_slot *slot, const void *const *data, size_t row,
                            size_t n_rows, void *room, float *values)
{
    const char *strip =
        (const char *)data[MEMO_STORED_VALUES] + row / MEMO_PANEL * memo_slot_strip_bytes(slot);
    size_t n = n_rows * slot->n_cols;
    const void *rows = memo_slot_unpack(slot, strip, n_rows, room);

    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        return rows;
    case MEMO_CLASS_F16:
        memo_f16_to_row(n, rows, values);
        break;
    case MEMO_CLASS_BF16:
        memo_bf16_to_row(n, rows, values);
        break;
    case MEMO_CLASS_INT8:
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        /* the codes take the first quarter of the room, the bytes the next */
        slot_scale(slot, data[MEMO_STORED_SCALE], row, n_rows,
                   memo_slot_expand(slot, data, row, n_rows, rows, (int8_t *)room + n), values);
        break;
    }
    return values;
}
