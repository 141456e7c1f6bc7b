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

void memo_pack_f32(size_t n_rows, size_t n_in, const float *rows, float *panel)
{
    memset(panel, 0, memo_pack_panel_values(n_in) * sizeof *panel);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            panel[i * MEMO_PANEL + r] = rows[r * n_in + i];
}

void memo_unpack_f32(size_t n_rows, size_t n_in, const float *panel, float *rows)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < n_in; i++)
            rows[r * n_in + i] = panel[i * MEMO_PANEL + r];
}

/* Where input i of channel r lies in a panel of bytes. */
static size_t pack_int8_at(size_t r, size_t i)
{
    return (i / 4 * MEMO_PANEL + r) * 4 + i % 4;
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
