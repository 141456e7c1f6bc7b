// SPDX-License-Identifier: Apache-2.0
/* model/slot_rows.h -- the rows of a weight, in and out of the panels in which it is stored.
 *
 * A logical row is what a format stores before packing, n_cols values: f32 floats, f16 and bf16 two
 * bytes, int8 a byte, int4 and lut4 a code of 4 bits in a byte of its own. */
#ifndef MEMO_MODEL_SLOT_ROWS_H
#define MEMO_MODEL_SLOT_ROWS_H

#include "model/layout.h"

/* Bytes of one logical row of a slot's values. */
size_t memo_slot_row_bytes(const memo_slot *slot);
/* Bytes of 16 rows as they are stored: one panel, or 16 rows one after the other. */
size_t memo_slot_strip_bytes(const memo_slot *slot);

/* Pack n_rows <= 16 logical rows of a matrix into one panel. */
void memo_slot_pack(const memo_slot *slot, const void *rows, size_t n_rows, void *panel);
/* The n_rows <= 16 rows of a stored strip, unpacked into rows [n_rows, memo_slot_row_bytes()].
 * Returns where they lie: `rows`, or the strip itself when there is nothing to unpack. */
const void *memo_slot_unpack(const memo_slot *slot, const void *strip, size_t n_rows, void *rows);

/* memo_slot_expand() -- the bytes that 16 rows of an integer class stand for.
 *
 *   data    [MEMO_STORED_KINDS] the slot's tensors
 *   row     a multiple of 16; n_rows <= 16
 *   rows    [n_rows, n_cols] as memo_slot_unpack() gives them
 *   bytes   [n_rows, n_cols] out, int4 and lut4
 *
 * Returns `bytes`, or `rows` in class int8. */
const int8_t *memo_slot_expand(const memo_slot *slot, const void *const *data, size_t row,
                               size_t n_rows, const void *rows, int8_t *bytes);

/* memo_slot_read() -- rows row .. row + n_rows of a stored weight as floats.
 *
 *   row, n_rows  as above
 *   room         [MEMO_SLOT_ROOM(n_cols)] bytes
 *   values       [n_rows, n_cols] out
 *
 * Exact, but for one rounding of scale * byte. Returns where they lie: `values`, `room`, or the file. */
const float *memo_slot_read(const memo_slot *slot, const void *const *data, size_t row,
                            size_t n_rows, void *room, float *values);
#define MEMO_SLOT_ROOM(n_cols) (16 * (n_cols) * sizeof(float))

#endif
