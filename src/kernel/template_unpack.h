// SPDX-License-Identifier: Apache-2.0
/* kernel/template_unpack.h -- 4-bit weights to int8 panels, once for all vector levels; V() and the
 * primitives are these. No guard on purpose.
 *
 *   V(bytes)             a 64-byte row of a panel, four bytes for each of 16 channels
 *   load_quads store_quads
 *   nibbles(a, i)        the low (0) or the high (1) nibbles, 0..15
 *   spread(p)            byte j of the 16 at p in the four of channel j
 *   times(n, m)          the nibbles n, -8..7 in two's complement, times m (1..15)
 *   load_palettes(p)     the 16 bytes at p for channels 0-7, the next 16 for 8-15
 *   look_up(t, n)        byte n of the palette of its channel */

void V(memo_unpack_4bit)(const memo_unpack *unpack, size_t panel, size_t k, const uint8_t *from,
                         int8_t *to)
{
    const size_t row = 4 * MEMO_PANEL, k_pad = (k + 63) / 64 * 64;
    if (unpack->palette) {
        V(bytes) palettes = V(load_palettes)(unpack->palette + panel * 2 * MEMO_PANEL);
        for (size_t i = 0; i < k_pad / 8; i++) {
            V(bytes) both = V(load_quads)(from + i * row);
            V(store_quads)(to + 2 * i * row, V(look_up)(palettes, V(nibbles)(both, 0)));
            V(store_quads)(to + (2 * i + 1) * row, V(look_up)(palettes, V(nibbles)(both, 1)));
        }
    } else {
        size_t n_blocks = (k_pad + unpack->block - 1) / unpack->block;
        const uint8_t *multiplier = unpack->multiplier + panel * n_blocks * MEMO_PANEL;
        for (size_t i = 0; i < k_pad / 8; i++) {
            size_t block = i * 8 / unpack->block;
            V(bytes) times = V(spread)(multiplier + block * MEMO_PANEL);
            V(bytes) both = V(load_quads)(from + i * row);
            V(store_quads)(to + 2 * i * row, V(times)(V(nibbles)(both, 0), times));
            V(store_quads)(to + (2 * i + 1) * row, V(times)(V(nibbles)(both, 1), times));
        }
    }
    for (size_t i = k; i < k_pad; i++) {
        for (size_t j = 0; j < MEMO_PANEL; j++)
            to[i / 4 * row + j * 4 + i % 4] = 0;
    }
}
