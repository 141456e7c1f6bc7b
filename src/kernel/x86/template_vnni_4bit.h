// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/template_vnni_4bit.h -- the GEMM tile on 4-bit weights that become int8 in registers, for
 * few rows; part of avx512vnni.c, whose macros and ends of a tile it uses. No guard on purpose.
 *
 * A panel of int8 pays where many tiles read it again. With one tile it is written for a single use
 * (through the second-level cache, where k is large); here its rows live in registers, and shifts and
 * shuffles run on the ports that vpdpbusd leaves free; only the multiplications of int4 compete with
 * it. Time as a share of int8's on an AMD EPYC (Zen 4), least of 41, weights in the cache or from
 * memory, 1152 x 384; in parentheses by way of panels:
 *
 *   lut4, 8 rows    1.01 (1.25), 0.88 (1.05)     16 rows   1.01 (1.09)     32 rows   1.05 (1.06)
 *   int4, 8 rows    1.16 (1.32), 0.91 (1.06)     16 rows   1.12 (1.16)     32 rows   1.19 (1.08)
 *
 * Eight inputs a turn: a 64-byte row of nibbles is two rows of int8 of its panel, in zmm27 and zmm29 of
 * the first and in zmm28 and zmm30 of the second. */

/* The nibbles of eight inputs, those of a later tile prefetched; the high ones are still in place. */
#define VNNI4_LOAD                                                                                 \
    "vmovdqu64 (%[w]), %%zmm27\n\t"                                                                \
    "vmovdqu64 (%[w1]), %%zmm28\n\t"                                                               \
    "prefetcht1 (%[w],%[ahead])\n\t"                                                               \
    "prefetcht1 (%[w1],%[ahead])\n\t"                                                              \
    "vpsrlw $4, %%zmm27, %%zmm29\n\t"                                                              \
    "vpsrlw $4, %%zmm28, %%zmm30\n\t"

/* lut4: the nibbles' bytes in a palette. zmm21: bytes of 15. */
#define VNNI4_LOOK_UP(z, palette)                                                                  \
    "vpandd %%zmm21, %%" z ", %%" z "\n\t"                                                         \
    "vpshufb %%" z ", %%" palette ", %%" z "\n\t"

/* int4: (n + 8) * m is below 256, so the two products in a word do not meet; then 8 * m off each.
 * 0x6A is (z & 15) ^ 8, which is n + 8; zmm22: bytes of 8. */
#define VNNI4_TIMES(z, times, eights)                                                              \
    "vpternlogd $0x6A, %%zmm22, %%zmm21, %%" z "\n\t"                                              \
    "vpmullw %%" times ", %%" z ", %%" z "\n\t"                                                    \
    "vpsubb %%" eights ", %%" z ", %%" z "\n\t"

/* The multipliers of a block's 16 channels: m in every word, 8 * m in every byte. */
#define VNNI4_MULTIPLIERS(times, eights)                                                           \
    "vpmovzxbd (%[m]), %%" times "\n\t"                                                            \
    "vpslld $16, %%" times ", %%" eights "\n\t"                                                    \
    "vpord %%" eights ", %%" times ", %%" times "\n\t"                                             \
    "vpsllw $3, %%" times ", %%zmm31\n\t"                                                          \
    "vpsllw $11, %%" times ", %%" eights "\n\t"                                                    \
    "vpord %%zmm31, %%" eights ", %%" eights "\n\t"

#define VNNI4_DOT(rows)                                                                            \
    VNNI_ROWS_##rows("0", "zmm27", "zmm28") VNNI_ROWS_##rows("4", "zmm29", "zmm30")

/* On to the next eight inputs; `count` of such turns are left. */
#define VNNI4_NEXT(count)                                                                          \
    "addq $8, %[a]\n\t"                                                                            \
    "addq $8, %[a5]\n\t"                                                                           \
    "addq $64, %[w]\n\t"                                                                           \
    "addq $64, %[w1]\n\t"                                                                          \
    "decq %[" count "]\n\t"                                                                        \
    "jnz 1b\n\t"

/* What the loops run over, in the order that VNNI4_BEGIN and the loops know: gcc has room for 30
 * operands of a block of assembly, and the sums are 16. */
typedef struct vnni4_walk {
    const uint8_t *a, *a5;     /*  0: rows 0 and 5 */
    size_t lda, lda3;          /* 16 */
    const uint8_t *w, *w1;     /* 32: nibbles of both panels */
    size_t ahead;              /* 48: from them to those of a later tile */
    size_t n_turns;            /* 56: of eight inputs */
    const uint8_t *multiplier; /* 64: int4; of the first panel's first block */
    size_t second;             /* 72: bytes from there to those of the second panel */
    size_t block_turns;        /* 80 */
    uint32_t low, eight;       /* 88: bytes of 15, of 8 */
    int8_t palettes[2][64];    /* 96: lut4; as vpshufb wants them */
} vnni4_walk;

_Static_assert(offsetof(vnni4_walk, w) == 32 && offsetof(vnni4_walk, multiplier) == 64 &&
                   offsetof(vnni4_walk, low) == 88 && offsetof(vnni4_walk, palettes) == 96,
               "the assembly has these numbers");

#define VNNI4_BEGIN                                                                                \
    "movq 0(%[t]), %[a]\n\t"                                                                       \
    "movq 8(%[t]), %[a5]\n\t"                                                                      \
    "movq 16(%[t]), %[lda]\n\t"                                                                    \
    "movq 24(%[t]), %[lda3]\n\t"                                                                   \
    "movq 32(%[t]), %[w]\n\t"                                                                      \
    "movq 40(%[t]), %[w1]\n\t"                                                                     \
    "movq 48(%[t]), %[ahead]\n\t"                                                                  \
    "movq 56(%[t]), %[left]\n\t"                                                                   \
    "vpbroadcastd 88(%[t]), %%zmm21\n\t" VNNI_ZERO(0) VNNI_ZERO(1) VNNI_ZERO(2) VNNI_ZERO(3)       \
        VNNI_ZERO(4) VNNI_ZERO(5) VNNI_ZERO(6) VNNI_ZERO(7)

#define VNNI4_OUT                                                                                  \
    VNNI_SUM(0), VNNI_SUM(1), VNNI_SUM(2), VNNI_SUM(3), VNNI_SUM(4), VNNI_SUM(5), VNNI_SUM(6),     \
        VNNI_SUM(7), [a] "=&r"(a), [a5] "=&r"(a5), [lda] "=&r"(lda), [lda3] "=&r"(lda3),           \
        [w] "=&r"(w), [w1] "=&r"(w1), [ahead] "=&r"(ahead), [left] "=&r"(left)

/* The palettes of a panel, for channels 0-7 and 8-15, into the lanes of these: in one store, as they
 * are loaded. */
KERNEL_INLINE void vnni4_palettes(const int8_t *from, int8_t *to)
{
    __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)from);
    __m512i lanes = _mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi64(lanes, _mm512_castsi256_si512(both)));
}

KERNEL_INLINE vnni4_walk vnni4_begin(const size_t rows, size_t n_panels, const memo_gemm_tile *t)
{
    const memo_unpack *unpack = t->unpack;
    const uint8_t *a = t->a, *w = t->w, *next = t->w_next;
    size_t second = n_panels == INT8_PANELS ? 1 : 0;
    vnni4_walk walk = {
        .a = a,
        .a5 = rows > 5 ? a + 5 * t->lda : a,
        .lda = t->lda,
        .lda3 = 3 * t->lda,
        .w = w,
        .w1 = w + second * t->panel_stride,
        .ahead = next ? (size_t)(next - w) : 0,
        .n_turns = t->k / 8,
        .low = 0x0F0F0F0F,
        .eight = 0x08080808,
    };
    if (unpack->palette) {
        const int8_t *palette = unpack->palette + t->panel * 2 * MEMO_PANEL;
        vnni4_palettes(palette, walk.palettes[0]);
        vnni4_palettes(palette + second * 2 * MEMO_PANEL, walk.palettes[1]);
    } else {
        size_t n_blocks = ((t->k + 63) / 64 * 64 + unpack->block - 1) / unpack->block;
        walk.multiplier = unpack->multiplier + t->panel * n_blocks * MEMO_PANEL;
        walk.second = second * n_blocks * MEMO_PANEL;
        walk.block_turns = unpack->block / 8;
    }
    return walk;
}

// clang-format off
#define VNNI4_TILE(rows)                                                                           \
    KERNEL_INLINE void vnni4_lut4_##rows(const vnni4_walk *t, __m512i (*sum)[INT8_PANELS])         \
    {                                                                                              \
        size_t a, a5, lda, lda3, w, w1, ahead, left;                                               \
        __asm__ volatile(                                                                          \
            VNNI4_BEGIN                                                                            \
            "vmovdqu64 96(%[t]), %%zmm25\n\t"                                                      \
            "vmovdqu64 160(%[t]), %%zmm26\n\t"                                                     \
            ".p2align 4\n"                                                                         \
            "1:\n\t"                                                                               \
            VNNI4_LOAD                                                                             \
            VNNI4_LOOK_UP("zmm27", "zmm25") VNNI4_LOOK_UP("zmm28", "zmm26")                        \
            VNNI4_LOOK_UP("zmm29", "zmm25") VNNI4_LOOK_UP("zmm30", "zmm26")                        \
            VNNI4_DOT(rows)                                                                        \
            VNNI4_NEXT("left")                                                                     \
            : VNNI4_OUT                                                                            \
            : [t] "r"(t)                                                                           \
            : "memory", "cc", "xmm21", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",       \
              "xmm31");                                                                            \
    }                                                                                              \
                                                                                                   \
    KERNEL_INLINE void vnni4_int4_##rows(const vnni4_walk *t, __m512i (*sum)[INT8_PANELS])         \
    {                                                                                              \
        size_t a, a5, lda, lda3, w, w1, ahead, left, turns, m;                                     \
        __asm__ volatile(                                                                          \
            VNNI4_BEGIN                                                                            \
            "vpbroadcastd 92(%[t]), %%zmm22\n\t"                                                   \
            "movq 64(%[t]), %[m]\n"                                                                \
            "2:\n\t"                                                                               \
            VNNI4_MULTIPLIERS("zmm23", "zmm24")                                                    \
            "movq 72(%[t]), %[turns]\n\t"                                                          \
            "addq %[turns], %[m]\n\t"                                                              \
            VNNI4_MULTIPLIERS("zmm25", "zmm26")                                                    \
            "subq %[turns], %[m]\n\t"                                                              \
            "addq $16, %[m]\n\t"                                                                   \
            "movq 80(%[t]), %[turns]\n\t"                                                          \
            "cmpq %[turns], %[left]\n\t"                                                           \
            "cmovb %[left], %[turns]\n\t"                                                          \
            "subq %[turns], %[left]\n\t"                                                           \
            ".p2align 4\n"                                                                         \
            "1:\n\t"                                                                               \
            VNNI4_LOAD                                                                             \
            VNNI4_TIMES("zmm27", "zmm23", "zmm24") VNNI4_TIMES("zmm28", "zmm25", "zmm26")          \
            VNNI4_TIMES("zmm29", "zmm23", "zmm24") VNNI4_TIMES("zmm30", "zmm25", "zmm26")          \
            VNNI4_DOT(rows)                                                                        \
            VNNI4_NEXT("turns")                                                                    \
            "testq %[left], %[left]\n\t"                                                           \
            "jnz 2b"                                                                               \
            : VNNI4_OUT, [turns] "=&r"(turns), [m] "=&r"(m)                                        \
            : [t] "r"(t)                                                                           \
            : "memory", "cc", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",       \
              "xmm28", "xmm29", "xmm30", "xmm31");                                                 \
    }                                                                                              \
                                                                                                   \
    static void vnni4_tile_##rows(size_t n_panels, const memo_gemm_tile *t)                        \
    {                                                                                              \
        __m512i sum[INT8_ROWS][INT8_PANELS];                                                       \
        vnni4_walk walk = vnni4_begin(rows, n_panels, t);                                          \
        if (t->unpack->palette)                                                                    \
            vnni4_lut4_##rows(&walk, sum);                                                         \
        else                                                                                       \
            vnni4_int4_##rows(&walk, sum);                                                         \
        vnni_finish(rows, 0, sum, t);                                                              \
        if (n_panels == INT8_PANELS)                                                               \
            vnni_finish(rows, 1, sum, t);                                                          \
    }

VNNI4_TILE(1) VNNI4_TILE(2) VNNI4_TILE(3) VNNI4_TILE(4)
VNNI4_TILE(5) VNNI4_TILE(6) VNNI4_TILE(7) VNNI4_TILE(8)

static void (*const vnni4_tiles[INT8_ROWS])(size_t, const memo_gemm_tile *) = {
    vnni4_tile_1, vnni4_tile_2, vnni4_tile_3, vnni4_tile_4,
    vnni4_tile_5, vnni4_tile_6, vnni4_tile_7, vnni4_tile_8,
};
// clang-format on

void V(memo_gemm_4bit_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    vnni_run_tiles(vnni4_tiles, rows, n_panels, tile);
}
