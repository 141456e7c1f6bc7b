// SPDX-License-Identifier: Apache-2.0
/* quant/pack.h -- matrices in and out of the packed layouts that the kernels read in place.
 *
 * W [n_out, n_in] lies as panels of 16 output channels. Inputs are padded to n_in_pad, n_in rounded
 * up to 64; missing channels and inputs are zero.
 *
 *   f32    [n_in_pad][16] floats: one 64-byte row per input
 *   f16    [n_in_pad / 2][2][16]: one 64-byte row per two inputs, 16 channels of each
 *   bf16   [n_in_pad / 2][16][2]: one 64-byte row per two inputs, side by side for each channel
 *   int8   [n_in_pad / 4][16][4] bytes: one 64-byte row per four inputs
 *   4-bit  [n_in_pad / 8][64] bytes: byte b of row i holds byte b of int8 row 2i in its low four
 *          bits and byte b of int8 row 2i + 1 in its high ones
 *
 * Code 0 of a palette is not the value 0: whoever expands a panel of class lut4 sets inputs from n_in
 * on and channels from n_out on to zero.
 *
 * Packing moves values and changes none, so unpacking gives back exactly what was packed. */
#ifndef MEMO_QUANT_PACK_H
#define MEMO_QUANT_PACK_H

#include <stddef.h>
#include <stdint.h>

#define MEMO_PACK_INPUTS 64 /* inputs are padded to a multiple of this */

/* Panels of a matrix, and values in one of them, whatever the class (two to a byte in the 4-bit
 * classes); n_out and n_in at most SIZE_MAX / 4096. */
size_t memo_pack_n_panels(size_t n_out);
size_t memo_pack_panel_values(size_t n_in);

/* memo_pack_f32() and its like -- write one panel.
 *
 *   rows   [n_rows, n_in], n_rows in 1..16: the next output channels
 *   panel  [memo_pack_panel_values(n_in)] out, every element is written */
void memo_pack_f32(size_t n_rows, size_t n_in, const float *rows, float *panel);
void memo_pack_f16(size_t n_rows, size_t n_in, const uint16_t *rows, uint16_t *panel);
void memo_pack_bf16(size_t n_rows, size_t n_in, const uint16_t *rows, uint16_t *panel);
void memo_pack_int8(size_t n_rows, size_t n_in, const int8_t *rows, int8_t *panel);

/* Codes 0..15, one to a byte in rows; panel [memo_pack_panel_values(n_in) / 2]. */
void memo_pack_codes(size_t n_rows, size_t n_in, const uint8_t *rows, uint8_t *panel);

/* The inverse: the first n_rows channels of a panel as rows. */
void memo_unpack_f32(size_t n_rows, size_t n_in, const float *panel, float *rows);
void memo_unpack_f16(size_t n_rows, size_t n_in, const uint16_t *panel, uint16_t *rows);
void memo_unpack_bf16(size_t n_rows, size_t n_in, const uint16_t *panel, uint16_t *rows);
void memo_unpack_int8(size_t n_rows, size_t n_in, const int8_t *panel, int8_t *rows);
void memo_unpack_codes(size_t n_rows, size_t n_in, const uint8_t *panel, uint8_t *rows);

#endif
