// SPDX-License-Identifier: Apache-2.0
/* check_unpack.c -- 4-bit panels against a formula of this file's own, byte for byte; then through
 * the driver against the product with the unpacked panels, bit for bit. */
#include "check.h"

#include <math.h>
#include <string.h>

#define UNPACK_CASES      300
#define UNPACK_MOST       700
#define UNPACK_GEMM_CASES 120

/* A matrix of n channels by k inputs in 4 bits, and what its nibbles stand for. */
typedef struct unpack_matrix {
    size_t k, n_panels, stride;
    const uint8_t *w;
    memo_unpack unpack;
} unpack_matrix;

static size_t unpack_pad(size_t k)
{
    return (k + 63) / 64 * 64;
}

/* Every nibble is any, in the padding too. */
static unpack_matrix unpack_random(check *c, size_t n_panels, size_t k, int lut4)
{
    static const size_t blocks[] = {32, 64, 96, 128, 160};
    unpack_matrix m = {.k = k, .n_panels = n_panels, .unpack = {.n_in = k}};
    m.stride = unpack_pad(k) * MEMO_PANEL / 2 + memo_rng_below(&c->rng, 3) * 64;
    size_t bytes = (n_panels - 1) * m.stride + unpack_pad(k) * MEMO_PANEL / 2;
    uint8_t *w = (uint8_t *)check_new_panels(c, bytes / sizeof(float));
    for (size_t i = 0; i < bytes; i++)
        w[i] = (uint8_t)memo_rng_below(&c->rng, 256);
    m.w = w;
    if (lut4) {
        uint8_t *palette = check_new_bytes(c, n_panels * 32);
        for (size_t i = 0; i < n_panels * 32; i++)
            palette[i] = (uint8_t)(int8_t)((int)memo_rng_below(&c->rng, 255) - 127);
        m.unpack.palette = (const int8_t *)palette;
        return m;
    }
    m.unpack.block = blocks[memo_rng_below(&c->rng, sizeof blocks / sizeof *blocks)];
    size_t n_blocks = (unpack_pad(k) + m.unpack.block - 1) / m.unpack.block;
    size_t n = n_panels * n_blocks * MEMO_PANEL;
    uint8_t *multiplier = check_new_bytes(c, n);
    for (size_t i = 0; i < n; i++)
        multiplier[i] = (uint8_t)(1 + memo_rng_below(&c->rng, 15));
    m.unpack.multiplier = multiplier;
    return m;
}

/* What input i of channel j in panel p stands for. */
static int unpack_value(const unpack_matrix *m, size_t p, size_t i, size_t j)
{
    uint8_t byte = m->w[p * m->stride + i / 8 * 64 + 4 * j + i % 4];
    int nibble = i % 8 / 4 ? byte / 16 : byte % 16;
    if (i >= m->k)
        return 0;
    if (m->unpack.palette)
        return m->unpack.palette[p * 32 + (j < 8 ? 0 : 16) + (size_t)nibble];
    size_t n_blocks = (unpack_pad(m->k) + m->unpack.block - 1) / m->unpack.block;
    int times = m->unpack.multiplier[(p * n_blocks + i / m->unpack.block) * MEMO_PANEL + j];
    return (nibble >= 8 ? nibble - 16 : nibble) * times;
}

/* The whole matrix as int8 panels. */
static int8_t *unpack_all(check *c, const unpack_matrix *m)
{
    size_t panel = unpack_pad(m->k) * MEMO_PANEL;
    int8_t *to = (int8_t *)check_new_panels(c, m->n_panels * panel / sizeof(float));
    for (size_t p = 0; p < m->n_panels; p++) {
        for (size_t i = 0; i < unpack_pad(m->k); i++) {
            for (size_t j = 0; j < MEMO_PANEL; j++)
                to[p * panel + i / 4 * 64 + 4 * j + i % 4] = (int8_t)unpack_value(m, p, i, j);
        }
    }
    return to;
}

void check_unpack_4bit(check *c)
{
    for (int round = 0; round < UNPACK_CASES && !c->failed; round++) {
        check_begin(c);
        size_t k = 1 + check_size(c, UNPACK_MOST), panel = unpack_pad(k) * MEMO_PANEL;
        unpack_matrix m = unpack_random(c, 1 + memo_rng_below(&c->rng, 3), k, round % 2);
        const int8_t *want = unpack_all(c, &m);
        int8_t *got = (int8_t *)check_new_panels(c, panel / sizeof(float));
        for (size_t p = 0; p < m.n_panels && !c->failed; p++) {
            memset(got, 0x55, panel);
            c->kernels->unpack_4bit(&m.unpack, p, k, m.w + p * m.stride, got);
            for (size_t i = 0; i < panel && !c->failed; i++) {
                if (got[i] != want[p * panel + i])
                    check_fail(c,
                               "%s, %zu inputs, blocks of %zu, panel %zu: byte %zu (input %zu, "
                               "channel %zu) is %d, must be %d",
                               round % 2 ? "lut4" : "int4", k, m.unpack.block, p, i,
                               i / 64 * 4 + i % 4, i % 64 / 4, got[i], want[p * panel + i]);
            }
        }
        check_outside(c, "unpack_4bit");
    }
}

/* Inputs of either kind; bytes that are in range as signed and with 128 added. */
static void unpack_new_inputs(check *c, memo_gemm *g)
{
    if (g->kind == MEMO_GEMM_INT8) {
        g->lda = g->k + memo_rng_below(&c->rng, 70);
        uint8_t *a = check_new_bytes(c, g->m ? (g->m - 1) * g->lda + g->k : 0);
        for (size_t i = 0; g->m && i < (g->m - 1) * g->lda + g->k; i++)
            a[i] = (uint8_t)(memo_rng_below(&c->rng, 2) * 128 + 1 + memo_rng_below(&c->rng, 127));
        g->a = a;
        g->a_row = (const memo_int8_row *)(void *)check_new_values(c, 2 * g->m, CHECK_NORMAL);
    } else {
        g->lda = g->k * sizeof(float);
        g->a = check_new_values(c, g->m * g->k, CHECK_NORMAL);
    }
}

static int32_t *unpack_new_sums(check *c, const memo_gemm *g, const unpack_matrix *m,
                                size_t n_groups)
{
    int32_t *sums = (int32_t *)(void *)check_new(c, n_groups * g->n);
    memset(sums, 0, n_groups * g->n * sizeof *sums);
    for (size_t i = 0; i < g->k; i++) {
        for (size_t j = 0; j < g->n; j++)
            sums[(g->group ? i / g->group : 0) * g->n + j] +=
                unpack_value(m, j / MEMO_PANEL, i, j % MEMO_PANEL);
    }
    return sums;
}

static void unpack_check_gemm(check *c, memo_gemm_kind kind, int lut4)
{
    memo_gemm g = {.kind = kind, .m = check_size(c, 70), .n = 1 + check_size(c, 100)};
    g.k = MEMO_INT8_INPUTS * (1 + memo_rng_below(&c->rng, 9));
    if (kind == MEMO_GEMM_W8) /* any k */
        g.k -= memo_rng_below(&c->rng, MEMO_INT8_INPUTS);
    check_begin(c);
    size_t n_in = g.k; /* k of bytes may count padding, whose weights must not */
    if (kind == MEMO_GEMM_INT8 && memo_rng_below(&c->rng, 2))
        n_in -= memo_rng_below(&c->rng, MEMO_INT8_INPUTS);
    unpack_matrix m = unpack_random(c, (g.n + MEMO_PANEL - 1) / MEMO_PANEL, n_in, lut4);
    unpack_new_inputs(c, &g);
    size_t n_groups = check_gemm_groups(c, &g), floats = g.m ? (g.m - 1) * g.n + g.n : 0;
    g.scale = check_new_values(c, n_groups * g.n, CHECK_NORMAL);
    g.w_sum = kind == MEMO_GEMM_INT8 ? unpack_new_sums(c, &g, &m, n_groups) : NULL;
    g.bias = memo_rng_below(&c->rng, 4) ? check_new_values(c, g.n, CHECK_NORMAL) : NULL;
    g.ldc = g.n;
    check_gemm_epilogue(c, &g, CHECK_NORMAL);

    memo_gemm plain = g;
    plain.w = unpack_all(c, &m);
    plain.panel_stride = unpack_pad(g.k) * MEMO_PANEL;
    plain.c = check_new(c, floats);
    memo_gemm_run(c->kernels, &plain);
    g.w = m.w;
    g.panel_stride = m.stride;
    g.unpack = &m.unpack;
    g.unpacked = check_new_panels(c, 2 * plain.panel_stride / sizeof(float));
    g.c = check_new(c, floats);
    memo_gemm_run(c->kernels, &g);
    check_bits(c, lut4 ? "lut4 against int8" : "int4 against int8", g.c, plain.c, floats);
    check_gemm_pieces(c, &g);
    check_gemm_residual_in_place(c, &g);
    check_outside(c, "gemm_4bit");
}

void check_gemm_4bit(check *c)
{
    for (int i = 0; i < UNPACK_GEMM_CASES && !c->failed; i++)
        unpack_check_gemm(c, i / 2 % 4 ? MEMO_GEMM_INT8 : MEMO_GEMM_W8, i % 2);
}
