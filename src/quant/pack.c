// SPDX-License-Identifier: Apache-2.0
#include "quant/pack.h"

#include <string.h>

#include "base/checked.h"
#include "kernel/kernels.h"

size_t memo_pack_n_panels(size_t n_out)
{
    return memo_round_up(n_out, MEMO_PANEL) / MEMO_PANEL;
}

size_t memo_pack_panel_values(size_t n_in)
{
    return memo_round_up(n_in, MEMO_PACK_INPUTS) * MEMO_PANEL;
}

/* Where input i of channel r lies in a panel of floats or f16: two rows of 16 halves are one row of
 * 64 bytes. */
static size_t pack_plain_at(size_t r, size_t i)
{
    return i * MEMO_PANEL + r;
}

/* In a panel of bf16. */
static size_t pack_pair_at(size_t r, size_t i)
{
    return (i / 2 * MEMO_PANEL + r) * 2 + i % 2;
}

/* In a panel of bytes. */
static size_t pack_int8_at(size_t r, size_t i)
{
    return (i / 4 * MEMO_PANEL + r) * 4 + i % 4;
}

/* The byte of a 4-bit panel that holds a value, and the value's first bit in it: of two rows of the
 * int8 panel, 64 bytes each, the second is in the high half. */
static size_t pack_code_at(size_t r, size_t i, unsigned *shift)
{
    size_t at = pack_int8_at(r, i);

    *shift = at / 64 % 2 ? 4 : 0;
    return at / 128 * 64 + at % 64;
}

void memo_pack_f32(size_t n_rows, size_t n_in, const float *rows, float *panel)
{
    memset(panel, 0, memo_pack_panel_values(n_in) * sizeof *panel);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            panel[pack_plain_at(r, i)] = rows[r * n_in + i];
}

void memo_unpack_f32(size_t n_rows, size_t n_in, const float *panel, float *rows)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            rows[r * n_in + i] = panel[pack_plain_at(r, i)];
}

void memo_pack_f16(size_t n_rows, size_t n_in, const uint16_t *rows, uint16_t *panel)
{
    memset(panel, 0, memo_pack_panel_values(n_in) * sizeof *panel);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            panel[pack_plain_at(r, i)] = rows[r * n_in + i];
}

void memo_unpack_f16(size_t n_rows, size_t n_in, const uint16_t *panel, uint16_t *rows)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            rows[r * n_in + i] = panel[pack_plain_at(r, i)];
}

void memo_pack_bf16(size_t n_rows, size_t n_in, const uint16_t *rows, uint16_t *panel)
{
    memset(panel, 0, memo_pack_panel_values(n_in) * sizeof *panel);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            panel[pack_pair_at(r, i)] = rows[r * n_in + i];
}

void memo_unpack_bf16(size_t n_rows, size_t n_in, const uint16_t *panel, uint16_t *rows)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            rows[r * n_in + i] = panel[pack_pair_at(r, i)];
}

void memo_pack_int8(size_t n_rows, size_t n_in, const int8_t *rows, int8_t *panel)
{
    memset(panel, 0, memo_pack_panel_values(n_in));
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            panel[pack_int8_at(r, i)] = rows[r * n_in + i];
}

void memo_unpack_int8(size_t n_rows, size_t n_in, const int8_t *panel, int8_t *rows)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            rows[r * n_in + i] = panel[pack_int8_at(r, i)];
}

void memo_pack_codes(size_t n_rows, size_t n_in, const uint8_t *rows, uint8_t *panel)
{
    unsigned shift;

    memset(panel, 0, memo_pack_panel_values(n_in) / 2);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++) {
            uint8_t *byte = &panel[pack_code_at(r, i, &shift)];
            *byte = (uint8_t)(*byte | (rows[r * n_in + i] & 15u) << shift);
        }
}

void memo_unpack_codes(size_t n_rows, size_t n_in, const uint8_t *panel, uint8_t *rows)
{
    unsigned shift;

    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++) {
            uint8_t byte = panel[pack_code_at(r, i, &shift)];
            rows[r * n_in + i] = byte >> shift & 15u;
        }
}
