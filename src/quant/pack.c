// SPDX-License-Identifier: Apache-2.0
#include "quant/pack.h"

#include <string.h>

#include "base/checked.h"
#include "kernel/kernels.h"

size_t memo_pack_n_panels(size_t n_out)
{
    return memo_round_up(n_out, MEMO_PANEL) / MEMO_PANEL;
}

size_t memo_pack_panel_f32(size_t n_in)
{
    return memo_round_up(n_in, MEMO_PACK_INPUTS) * MEMO_PANEL;
}

void memo_pack_f32(size_t n_rows, size_t n_in, const float *rows, float *panel)
{
    memset(panel, 0, memo_pack_panel_f32(n_in) * sizeof *panel);
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
