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

/* What lies as far behind as two panels is fetched meanwhile: those are next. */
KERNEL_INLINE V(bytes) V(load_nibbles)(const uint8_t *from, size_t k_pad)
{
    __builtin_prefetch(from + k_pad * MEMO_PANEL, 0, 2);
    return V(load_quads)(from);
}

KERNEL_INLINE void V(unpack_int4)(const memo_unpack *unpack, const uint8_t *multiplier, size_t k,
                                  const uint8_t *from, int8_t *to)
{
    const size_t row = 4 * MEMO_PANEL, k_pad = (k + 63) / 64 * 64;
    for (size_t at = 0; at < k; at += unpack->block, multiplier += MEMO_PANEL) {
        V(bytes) times = V(spread)(multiplier);
        size_t end = k - at < unpack->block ? k : at + unpack->block;
        for (size_t i = at / 8; i < (end + 7) / 8; i++) {
            V(bytes) both = V(load_nibbles)(from + i * row, k_pad);
            V(store_quads)(to + 2 * i * row, V(times)(V(nibbles)(both, 0), times));
            V(store_quads)(to + (2 * i + 1) * row, V(times)(V(nibbles)(both, 1), times));
        }
    }
}

KERNEL_INLINE void V(unpack_lut4)(const int8_t *palette, size_t k, const uint8_t *from, int8_t *to)
{
    const size_t row = 4 * MEMO_PANEL, k_pad = (k + 63) / 64 * 64;
    V(bytes) palettes = V(load_palettes)(palette);
    for (size_t i = 0; i < (k + 7) / 8; i++) {
        V(bytes) both = V(load_nibbles)(from + i * row, k_pad);
        V(store_quads)(to + 2 * i * row, V(look_up)(palettes, V(nibbles)(both, 0)));
        V(store_quads)(to + (2 * i + 1) * row, V(look_up)(palettes, V(nibbles)(both, 1)));
    }
}

void V(memo_unpack_4bit)(const memo_unpack *unpack, size_t panel, size_t k, const uint8_t *from,
                         int8_t *to)
{
    const size_t row = 4 * MEMO_PANEL, k_pad = (k + 63) / 64 * 64;
    if (unpack->palette) {
        V(unpack_lut4)(unpack->palette + panel * 2 * MEMO_PANEL, k, from, to);
    } else {
        size_t n_blocks = (k_pad + unpack->block - 1) / unpack->block;
        V(unpack_int4)(unpack, unpack->multiplier + panel * n_blocks * MEMO_PANEL, k, from, to);
    }
    for (size_t i = k; i < k_pad; i++) {
        for (size_t j = 0; j < MEMO_PANEL; j++)
            to[i / 4 * row + j * 4 + i % 4] = 0;
    }
}
