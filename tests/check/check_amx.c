// SPDX-License-Identifier: Apache-2.0
/* check_amx.c -- level amx on any machine: its source compiled a second time, on an emulation of the
 * tile instructions in plain C (Intel SDM volume 2, tdpbssd, tileloadd, ldtilecfg; volume 1, chapter
 * 18). What a processor would refuse with a fault is recorded, and poisons the tiles, so that no
 * result can be right after it. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "kernel/levels.h"

#define TILE_COUNT     8
#define TILE_MAX_ROWS  16
#define TILE_MAX_BYTES 64

static struct {
    int configured;
    size_t rows[TILE_COUNT], row_bytes[TILE_COUNT];
    uint8_t data[TILE_COUNT][TILE_MAX_ROWS][TILE_MAX_BYTES];
    const char *fault; /* the first since it was asked for */
} tiles;

static void tile_fault(const char *what)
{
    if (!tiles.fault)
        tiles.fault = what;
    memset(tiles.data, 0x5a, sizeof tiles.data);
}

/* ldtilecfg: 64 bytes; palette 1 has eight tiles of 16 rows of 64 bytes. */
static void tile_config(const void *operand)
{
    uint8_t c[64];
    memcpy(c, operand, sizeof c);
    memset(&tiles.data, 0, sizeof tiles.data);
    tiles.configured = c[0] != 0;
    if (c[0] > 1)
        tile_fault("ldtilecfg: a palette that is not there");
    for (size_t i = 2; i < 16; i++) {
        if (c[i])
            tile_fault("ldtilecfg: a reserved byte is not zero");
    }
    for (size_t t = 0; t < 16; t++) {
        size_t row_bytes = c[16 + 2 * t] | (size_t)c[17 + 2 * t] << 8, rows = c[48 + t];
        if (t >= TILE_COUNT || !tiles.configured) {
            if (rows || row_bytes)
                tile_fault("ldtilecfg: a shape for a tile that the palette lacks");
            continue;
        }
        if (rows > TILE_MAX_ROWS || row_bytes > TILE_MAX_BYTES)
            tile_fault("ldtilecfg: a tile is too large");
        if (!rows != !row_bytes)
            tile_fault("ldtilecfg: rows without bytes, or bytes without rows");
        tiles.rows[t] = rows <= TILE_MAX_ROWS ? rows : 0;
        tiles.row_bytes[t] = row_bytes <= TILE_MAX_BYTES ? row_bytes : 0;
    }
}

static void tile_release(void)
{
    const char *fault = tiles.fault;
    memset(&tiles, 0, sizeof tiles);
    tiles.fault = fault;
}

static int tile_usable(int t, const char *what)
{
    if (tiles.configured && tiles.rows[t])
        return 1;
    tile_fault(what);
    return 0;
}

static void tile_zero(int t)
{
    if (tile_usable(t, "tilezero: the tile is not configured"))
        memset(tiles.data[t], 0, sizeof tiles.data[t]);
}

static void tile_load(int t, const void *p, size_t stride)
{
    if (!tile_usable(t, "tileloadd: the tile is not configured"))
        return;
    memset(tiles.data[t], 0, sizeof tiles.data[t]);
    for (size_t r = 0; r < tiles.rows[t]; r++)
        memcpy(tiles.data[t][r], (const uint8_t *)p + r * stride, tiles.row_bytes[t]);
}

static void tile_store(int t, void *p, size_t stride)
{
    if (!tile_usable(t, "tilestored: the tile is not configured"))
        return;
    for (size_t r = 0; r < tiles.rows[t]; r++)
        memcpy((uint8_t *)p + r * stride, tiles.data[t][r], tiles.row_bytes[t]);
}

/* Of c [m, n] += a b; 0: they do not go together. */
typedef struct tile_shape {
    size_t m, n, k; /* k: of four bytes */
} tile_shape;

static int tile_product(tile_shape *s, int c, int a, int b)
{
    if (!tile_usable(c, "tdp: the sums are not configured") ||
        !tile_usable(a, "tdp: the first source is not configured") ||
        !tile_usable(b, "tdp: the second source is not configured"))
        return 0;
    *s = (tile_shape){tiles.rows[c], tiles.row_bytes[c] / 4, tiles.row_bytes[a] / 4};
    if (c == a || c == b || a == b || tiles.rows[a] != s->m || tiles.rows[b] != s->k ||
        tiles.row_bytes[b] != tiles.row_bytes[c] || tiles.row_bytes[a] % 4 ||
        tiles.row_bytes[c] % 4) {
        tile_fault("tdp: the shapes do not go together");
        return 0;
    }
    return 1;
}

/* Sums wrap; what is beyond the rows and columns of c becomes zero. */
static void tile_dpbssd(int c, int a, int b)
{
    tile_shape s;
    if (!tile_product(&s, c, a, b))
        return;
    for (size_t i = 0; i < s.m; i++) {
        for (size_t j = 0; j < s.n; j++) {
            uint32_t sum;
            memcpy(&sum, tiles.data[c][i] + 4 * j, 4);
            for (size_t x = 0; x < 4 * s.k; x++)
                sum += (uint32_t)((int8_t)tiles.data[a][i][x] *
                                  (int8_t)tiles.data[b][x / 4][4 * j + x % 4]);
            memcpy(tiles.data[c][i] + 4 * j, &sum, 4);
        }
    }
}

static float tile_flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x;
}

static float tile_bf16(const uint8_t *p)
{
    uint32_t word = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
    float x;
    memcpy(&x, &word, sizeof x);
    return tile_flush(x);
}

/* Even and odd products in sums of their own from 0, both to nearest even; subnormals are zeros. */
static void tile_dpbf16ps(int c, int a, int b)
{
    tile_shape s;
    if (!tile_product(&s, c, a, b))
        return;
    for (size_t i = 0; i < s.m; i++) {
        for (size_t j = 0; j < s.n; j++) {
            float sum, part[2] = {0.0f, 0.0f};
            memcpy(&sum, tiles.data[c][i] + 4 * j, 4);
            for (size_t x = 0; x < 2 * s.k; x++)
                part[x % 2] = tile_flush(fmaf(tile_bf16(tiles.data[a][i] + 2 * x),
                                              tile_bf16(tiles.data[b][x / 2] + 4 * j + x % 2 * 2),
                                              part[x % 2]));
            sum = tile_flush(tile_flush(sum) + tile_flush(part[0] + part[1]));
            memcpy(tiles.data[c][i] + 4 * j, &sum, 4);
        }
    }
}

/* The primitives that template_amx.h asks for. */
#define V(name)       name##_amx_emulated
#define KERNEL_INLINE static inline
#define KERNEL_UNROLL
#define TILE_CONFIG(config)      tile_config(config)
#define TILE_RELEASE()           tile_release()
#define TILE_ZERO(t)             tile_zero(t)
#define TILE_LOAD(t, p, stride)  tile_load(t, p, stride)
#define TILE_STORE(t, p, stride) tile_store(t, p, stride)
#define TILE_DPBSSD(c, a, b)     tile_dpbssd(c, a, b)
#define TILE_DPBF16PS(c, a, b)   tile_dpbf16ps(c, a, b)
#define TILE_BELOW(rows, n, t)   tile_below(rows, n, t)

typedef struct V(f32) {
    float lane[MEMO_PANEL];
} V(f32);

typedef struct V(i32) {
    int32_t lane[MEMO_PANEL];
} V(i32);

static V(f32) V(set1)(float a)
{
    V(f32) v;
    for (size_t i = 0; i < MEMO_PANEL; i++)
        v.lane[i] = a;
    return v;
}

static V(f32) V(load)(const float *p)
{
    V(f32) v;
    memcpy(v.lane, p, sizeof v.lane);
    return v;
}

static void V(store)(float *p, V(f32) a)
{
    memcpy(p, a.lane, sizeof a.lane);
}

static V(f32) V(mul)(V(f32) a, V(f32) b)
{
    for (size_t i = 0; i < MEMO_PANEL; i++)
        a.lane[i] *= b.lane[i];
    return a;
}

static V(f32) V(fma)(V(f32) a, V(f32) b, V(f32) c)
{
    for (size_t i = 0; i < MEMO_PANEL; i++)
        a.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return a;
}

static V(i32) V(load_i32)(const int32_t *p)
{
    V(i32) v;
    memcpy(v.lane, p, sizeof v.lane);
    return v;
}

static V(f32) V(to_f32)(V(i32) a)
{
    V(f32) v;
    for (size_t i = 0; i < MEMO_PANEL; i++)
        v.lane[i] = (float)a.lane[i];
    return v;
}

static V(f32) V(add)(V(f32) a, V(f32) b)
{
    for (size_t i = 0; i < MEMO_PANEL; i++)
        a.lane[i] += b.lane[i];
    return a;
}

static V(f32) V(gelu_erf_lanes)(V(f32) a)
{
    memo_kernels_ref->gelu_erf_f32(MEMO_PANEL, a.lane, a.lane);
    return a;
}

static V(f32) V(gelu_tanh_lanes)(V(f32) a)
{
    memo_kernels_ref->gelu_tanh_f32(MEMO_PANEL, a.lane, a.lane);
    return a;
}

static V(f32) V(gelu_erf_fast_lanes)(V(f32) a)
{
    memo_kernels_ref->gelu_erf_fast_f32(MEMO_PANEL, a.lane, a.lane);
    return a;
}

/* Row by row and panel by panel, which the reference's tile can do. */
static void tile_below(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t p = 0; p < n_panels; p++) {
            size_t col = p * MEMO_PANEL;
            memo_gemm_tile one = *tile;
            one.a = (const uint8_t *)tile->a + r * tile->lda;
            one.a_row += r;
            one.w = (const int8_t *)tile->w + p * tile->panel_stride;
            one.scale += col;
            one.w_sum += col;
            one.bias = tile->bias ? tile->bias + col : NULL;
            one.c += r * tile->ldc + col;
            if (tile->epilogue == MEMO_EPILOGUE_ADD)
                one.residual += r * tile->ld_residual + col;
            memo_kernels_ref->gemm[MEMO_GEMM_INT8].run(1, 1, &one);
        }
    }
}

#include "kernel/template_epilogue.h"
#include "kernel/template_int8.h"
#include "kernel/x86/template_amx.h"

static void tile_gemm(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_int8_tile)(rows, n_panels, tile);
    if (tiles.configured)
        tile_fault("the tiles were not released");
}

static void tile_gemm_bf16(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_bf16_tile)(rows, n_panels, tile);
    if (tiles.configured)
        tile_fault("the tiles were not released");
}

const char *check_amx_fault(void)
{
    const char *fault = tiles.fault;
    tiles.fault = NULL;
    return fault;
}

/* Whatever is not a product of tiles is the reference's. */
const memo_kernels *check_amx_emulated(void)
{
    static memo_kernels table;
    table = *memo_kernels_for(MEMO_CPU_REF);
    table.cpu = MEMO_CPU_AMX;
    table.gemm[MEMO_GEMM_BF16] = (memo_gemm_kernel){AMX_ROWS, AMX_PANELS, tile_gemm_bf16};
    table.bf16_inputs = 1;
    table.gemm[MEMO_GEMM_INT8] = (memo_gemm_kernel){AMX_ROWS, AMX_PANELS, tile_gemm};
    return &table;
}

/* ---- what the emulation must refuse ---- */

static void tile_refuses(check *c, const char *what, V(tile_config) config)
{
    tile_config(&config);
    tile_release();
    if (!check_amx_fault())
        check_fail(c, "the emulation accepts %s", what);
}

static V(tile_config) tile_good_config(void)
{
    V(tile_config) config = {.palette = 1};
    for (int t = 0; t < TILE_COUNT; t++) {
        config.rows[t] = TILE_MAX_ROWS;
        config.row_bytes[t] = TILE_MAX_BYTES;
    }
    return config;
}

void check_amx_emulation(check *c)
{
    static const uint8_t ones[TILE_MAX_ROWS * TILE_MAX_BYTES] = {1, 1};
    V(tile_config) good = tile_good_config(), bad = good;
    int32_t sums[TILE_MAX_ROWS][TILE_MAX_BYTES / 4];
    tile_config(&good);
    tile_zero(0);
    tile_load(1, ones, TILE_MAX_BYTES);
    tile_load(2, ones, TILE_MAX_BYTES);
    tile_dpbssd(0, 1, 2);
    tile_store(0, sums, sizeof sums[0]);
    if (check_amx_fault() || sums[0][0] != 2 || sums[0][1] || sums[1][0])
        check_fail(c, "the emulation refuses or miscounts a plain product");
    tile_dpbssd(0, 1, 1);
    tile_store(0, sums, sizeof sums[0]);
    if (!check_amx_fault() || sums[0][0] != 0x5a5a5a5a)
        check_fail(c, "the emulation accepts one tile as both sources");
    bad.rows[3] = 17;
    tile_refuses(c, "17 rows", bad);
    bad = good, bad.row_bytes[0] = 65;
    tile_refuses(c, "rows of 65 bytes", bad);
    bad = good, bad.palette = 2;
    tile_refuses(c, "palette 2", bad);
    bad = good, bad.reserved[13] = 1;
    tile_refuses(c, "a reserved byte", bad);
    bad = good, bad.rows[5] = 0;
    tile_refuses(c, "bytes without rows", bad);
    bad = good, bad.rows[8] = 1, bad.row_bytes[8] = 4;
    tile_refuses(c, "a ninth tile", bad);
    bad = good, bad.rows[2] = 8;
    tile_config(&bad);
    tile_dpbssd(0, 1, 2);
    if (!check_amx_fault())
        check_fail(c, "the emulation accepts sources that do not go together");
    bad = good, bad.rows[4] = 0, bad.row_bytes[4] = 0;
    tile_config(&bad);
    tile_load(4, ones, TILE_MAX_BYTES);
    if (!check_amx_fault())
        check_fail(c, "the emulation loads a tile without rows");
    tile_release();
    tile_zero(0);
    if (!check_amx_fault())
        check_fail(c, "the emulation uses a tile after the release");
}
