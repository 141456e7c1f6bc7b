// SPDX-License-Identifier: Apache-2.0
/* quant/pack.h -- matrices in and out of the packed layouts that the kernels read in place.
 *
 * W [n_out, n_in] lies as panels of 16 output channels. Inputs are padded to n_in_pad, n_in rounded
 * up to 64; missing channels and inputs are zero.
 *
 *   f32    [n_in_pad][16] floats: one 64-byte row per input
 *   int8   [n_in_pad / 4][16][4] bytes: one 64-byte row per four inputs
 *
 * Packing moves values and changes none, so unpacking gives back exactly what was packed. */
#ifndef MEMO_QUANT_PACK_H
#define MEMO_QUANT_PACK_H

#include <stddef.h>
#include <stdint.h>

#define MEMO_PACK_INPUTS 64 /* inputs are padded to a multiple of this */

/* Panels of a matrix, and values in one of them, whatever the class; n_out and n_in at most
 * SIZE_MAX / 4096. */
size_t memo_pack_n_panels(size_t n_out);
size_t memo_pack_panel_values(size_t n_in);

/* memo_pack_f32(), memo_pack_int8() -- write one panel.
 *
 *   rows   [n_rows, n_in], n_rows in 1..16: the next output channels
 *   panel  [memo_pack_panel_values(n_in)] out, every element is written */
void memo_pack_f32(size_t n_rows, size_t n_in, const float *rows, float *panel);
void memo_pack_int8(size_t n_rows, size_t n_in, const int8_t *rows, int8_t *panel);

/* The inverse: the first n_rows channels of a panel as rows. */
void memo_unpack_f32(size_t n_rows, size_t n_in, const float *panel, float *rows);
void memo_unpack_int8(size_t n_rows, size_t n_in, const int8_t *panel, int8_t *rows);

#endif
