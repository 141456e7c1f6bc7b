// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/avx512bf16.c -- level avx512bf16: products of pairs of bf16, for the class bf16 and for
 * attention.
 *
 * vdpbf16ps adds two products to a float: first the odd inputs' one, then the even inputs', each as
 * if by an FMA that rounds to nearest even, that takes subnormals for zeros and makes zeros of them
 * (Intel SDM volume 2). On AMD it does twice the work of vfmadd231ps in the same time, on Intel's
 * server cores half of it; there the level is what it is without (memo_cpu_favours_bf16).
 *
 * All else on floats and bytes is of the levels below. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define V(name)     name##_avx512bf16
#define TILE_ROWS   MEMO_BF16_TILE_ROWS /* as many accumulators as for floats */
#define TILE_PANELS MEMO_BF16_TILE_PANELS
#define INT8_ZERO   0 /* of store_bytes, which is not used here */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,"  \
                                                   "avx512bf16,fma,avx2,bmi2,f16c"))),             \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,fma,avx2,bmi2,f16c")
#endif

#include "kernel/x86/vec_avx512.h"

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_epilogue.h"
// clang-format on

/* ---- GEMM ---- */

/* acc += a * w in pairs, in place: from intrinsics gcc 12 copies the sums in every turn. */
#define BF16_DOT(acc, a, w) __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(w))

/* One row of both panels for all rows of the tile; every third row of A has a pointer, the other two
 * are one index away. */
KERNEL_INLINE void bf16_step(const size_t rows, const size_t n_panels, const char *const *a,
                             size_t lda, const char *w, size_t stride, __m512 (*acc)[TILE_PANELS])
{
    __m512i row_w[TILE_PANELS];
    KERNEL_UNROLL
    for (size_t p = 0; p < n_panels; p++)
        row_w[p] = _mm512_loadu_si512(w + p * stride);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        int32_t pair;
        memcpy(&pair, a[r / 3] + r % 3 * lda, sizeof pair);
        __m512i x = _mm512_set1_epi32(pair);
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            BF16_DOT(acc[r][p], x, row_w[p]);
    }
}

KERNEL_INLINE __m512 bf16_base(const memo_gemm_tile *t, size_t r, size_t p)
{
    if (t->accumulate)
        return _mm512_loadu_ps(t->c + r * t->ldc + p * MEMO_PANEL);
    return t->bias ? _mm512_loadu_ps(t->bias + p * MEMO_PANEL) : _mm512_setzero_ps();
}

KERNEL_INLINE void bf16_tile(const size_t rows, const size_t n_panels, const memo_gemm_tile *t)
{
    const size_t lda = t->lda, stride = t->panel_stride;
    const char *w = t->w, *next = t->w_next;
    const char *a[(TILE_ROWS + 2) / 3];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r += 3) {
        a[r / 3] = (const char *)t->a + r * lda;
        KERNEL_OPAQUE(a[r / 3]);
    }
    /* Without a next tile the line just read is prefetched, which costs less than a branch. */
    const size_t ahead = next ? (size_t)(next - w) : 0;
    __m512 acc[TILE_ROWS][TILE_PANELS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            acc[r][p] = bf16_base(t, r, p);
    }
    for (size_t left = (t->k + 1) / 2; left; left--) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            __builtin_prefetch(w + p * stride + ahead, 0, 2);
        bf16_step(rows, n_panels, a, lda, w, stride, acc);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r += 3)
            a[r / 3] += sizeof(int32_t);
        w += 64;
    }
    KERNEL_UNROLL
    for (size_t p = 0; p < n_panels; p++) {
        __m512 c[TILE_ROWS];
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            c[r] = acc[r][p];
        V(tile_store)(rows, p, c, t);
    }
}

#define BF16_ROWS_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (n_panels == TILE_PANELS)                                                               \
            bf16_tile(rows, TILE_PANELS, tile);                                                    \
        else                                                                                       \
            bf16_tile(rows, 1, tile);                                                              \
        break;

void V(memo_gemm_bf16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    switch (rows) {
        BF16_ROWS_CASE(1)
        BF16_ROWS_CASE(2)
        BF16_ROWS_CASE(3)
        BF16_ROWS_CASE(4)
        BF16_ROWS_CASE(5)
        BF16_ROWS_CASE(6)
        BF16_ROWS_CASE(7)
        BF16_ROWS_CASE(8)
        BF16_ROWS_CASE(9)
        BF16_ROWS_CASE(10)
        BF16_ROWS_CASE(11)
        BF16_ROWS_CASE(12)
    }
}

/* ---- rows and panels of bf16 ---- */

/* The first n <= 16 floats, zeros behind. */
KERNEL_INLINE __m512 bf16_load(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << (n < 16 ? n : 16)) - 1), p);
}

/* 32 floats, of which n are there. */
KERNEL_INLINE __m512i bf16_convert(const float *x, size_t n)
{
    if (n >= 32)
        return (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(x));
    __m512 low = bf16_load(x, n);
    __m512 high = n > 16 ? bf16_load(x + 16, n - 16) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

void V(memo_to_bf16)(size_t n, size_t n_pad, const float *x, uint16_t *y)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        _mm512_storeu_si512(y + i, bf16_convert(x + i, 32));
    for (; i < n_pad; i += 32) {
        size_t left = n_pad - i;
        __mmask32 mask = left < 32 ? (1u << left) - 1 : 0xFFFFFFFF;
        __m512i some = i < n ? bf16_convert(x + i, n - i) : _mm512_setzero_si512();
        _mm512_mask_storeu_epi16(y + i, mask, some);
    }
}

/* to[j] lane i = from[i] lane j, of 32 bits: pairs of rows, fours of rows, then whole quarters. */
KERNEL_INLINE void bf16_transpose(__m512i *from, __m512i *to)
{
    __m512i half[16];
    KERNEL_UNROLL
    for (size_t i = 0; i < 16; i += 2) {
        half[i] = _mm512_unpacklo_epi32(from[i], from[i + 1]);
        half[i + 1] = _mm512_unpackhi_epi32(from[i], from[i + 1]);
    }
    /* from[i + j]: column 4 q + j of the rows i .. i + 3, for each quarter q */
    KERNEL_UNROLL
    for (size_t i = 0; i < 16; i += 4) {
        from[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
        from[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
        from[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
        from[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
    }
    KERNEL_UNROLL
    for (size_t j = 0; j < 4; j++) {
        __m512i even = _mm512_shuffle_i32x4(from[j], from[4 + j], 0x88);
        __m512i odd = _mm512_shuffle_i32x4(from[j], from[4 + j], 0xDD);
        __m512i even2 = _mm512_shuffle_i32x4(from[8 + j], from[12 + j], 0x88);
        __m512i odd2 = _mm512_shuffle_i32x4(from[8 + j], from[12 + j], 0xDD);
        to[j] = _mm512_shuffle_i32x4(even, even2, 0x88);
        to[4 + j] = _mm512_shuffle_i32x4(odd, odd2, 0x88);
        to[8 + j] = _mm512_shuffle_i32x4(even, even2, 0xDD);
        to[12 + j] = _mm512_shuffle_i32x4(odd, odd2, 0xDD);
    }
}

/* 16 rows of 32 columns at a time. */
void V(memo_pack_panels_bf16)(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                              uint16_t *dst, size_t panel_stride)
{
    for (size_t row = 0; row < n_rows; row += MEMO_PANEL, dst += panel_stride) {
        for (size_t col = 0; col < n_cols; col += 32) {
            __m512i rows[16], columns[16];
            for (size_t r = 0; r < 16; r++)
                rows[r] = row + r < n_rows ? bf16_convert(src + (row + r) * lds + col, n_cols - col)
                                           : _mm512_setzero_si512();
            bf16_transpose(rows, columns);
            for (size_t r = 0; r < 16; r++)
                _mm512_storeu_si512(dst + (col / 2 + r) * 32, columns[r]);
        }
    }
}

/* Two rows side by side, then their elements in turn. */
void V(memo_pack_inputs_bf16)(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                              uint16_t *dst, size_t panel_stride)
{
    static const uint16_t in_turn[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                         21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                         11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i order = _mm512_loadu_si512(in_turn);
    for (size_t col = 0; col < n_cols; col += MEMO_PANEL, dst += panel_stride) {
        size_t left = n_cols - col;
        for (size_t row = 0; row < (n_rows + 31) / 32 * 32; row += 2) {
            const float *at = src + row * lds + col;
            __m512 first = _mm512_setzero_ps(), second = first;
            if (row < n_rows)
                first = bf16_load(at, left);
            if (row + 1 < n_rows)
                second = bf16_load(at + lds, left);
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
            _mm512_storeu_si512(dst + row * MEMO_PANEL, _mm512_permutexvar_epi16(order, both));
        }
    }
}

/* ---- weights of attention ---- */

/* 2^x for x <= 0: n = floor(x), 2^(x - n) by a polynomial of degree 4 (error 2^-18.5). */
KERNEL_INLINE __m512 bf16_exp2(__m512 x)
{
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_set1_ps(0x1.bb7cd4p-7f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.aa13f0p-5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.ee798ap-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.62d166p-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.00002cp+0f));
    return _mm512_scalef_ps(p, x);
}

/* The greatest of x[from .. to - 1]; in the registers that hold these, all other lanes become
 * -infinity. */
KERNEL_INLINE __m512 bf16_largest(float *x, size_t from, size_t to)
{
    __m512 none = _mm512_set1_ps(-INFINITY), some, lanes = none;
    size_t i = from / 16 * 16;
    if (i < from) {
        unsigned seen = 0xFFFFu << (from - i);
        seen &= to - i < 16 ? (1u << (to - i)) - 1 : 0xFFFFu;
        lanes = _mm512_mask_loadu_ps(none, (__mmask16)seen, x + i);
        _mm512_storeu_ps(x + i, lanes);
        i += 16;
    }
    for (; i + 16 <= to; i += 16)
        lanes = _mm512_max_ps(_mm512_loadu_ps(x + i), lanes);
    if (i < to) {
        some = _mm512_mask_loadu_ps(none, (__mmask16)((1u << (to - i)) - 1), x + i);
        _mm512_storeu_ps(x + i, some);
        lanes = _mm512_max_ps(some, lanes);
    }
    return lanes;
}

/* Weights to the start of the row that the scores come from: they are half as long, so no score is
 * overwritten before it is read. */
KERNEL_INLINE void bf16_softmax_row(const memo_softmax_tile *t, size_t r, size_t from, size_t to)
{
    const float scale = t->scale * 0x1.715476p+0f; /* 1 / ln 2 */
    float *x = t->x + r * t->ld;
    uint16_t *y = (uint16_t *)(void *)x;
    size_t i = from / 16 * 16, end = (to + 15) / 16 * 16, pad = (t->n_keys + 31) / 32 * 32;
    float before = t->first ? -INFINITY : t->largest[r];
    float largest = _mm512_reduce_max_ps(bf16_largest(x, from, to));
    largest = largest > before ? largest : before;

    const __m512 factor = _mm512_set1_ps(scale), shift = _mm512_set1_ps(-(scale * largest));
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    for (size_t j = 0; j < i; j += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + j), _mm256_setzero_si256());
    for (; i + 32 <= end; i += 32) {
        __m512 e0 = bf16_exp2(_mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i), shift));
        __m512 e1 = bf16_exp2(_mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i + 16), shift));
        _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(e1, e0));
        sum0 = _mm512_add_ps(sum0, e0);
        sum1 = _mm512_add_ps(sum1, e1);
    }
    if (i < end) {
        __m512 e = bf16_exp2(_mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i), shift));
        _mm256_storeu_si256((__m256i *)(void *)(y + i), (__m256i)_mm512_cvtneps_pbh(e));
        sum0 = _mm512_add_ps(sum0, e);
        i += 16;
    }
    for (; i < pad; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm256_setzero_si256());
    float sum = V(sum)(_mm512_add_ps(sum0, sum1));
    t->largest[r] = largest;
    t->rescale[r] = 1.0f;
    if (!t->first && before != largest)
        t->rescale[r] =
            _mm512_cvtss_f32(bf16_exp2(_mm512_add_ps(_mm512_set1_ps(scale * before), shift)));
    t->sum[r] = t->first ? sum : t->sum[r] * t->rescale[r] + sum;
}

/* A row that sees no key of the block. */
KERNEL_INLINE void bf16_softmax_nothing(const memo_softmax_tile *t, size_t r)
{
    memset(t->x + r * t->ld, 0, (t->n_keys + 31) / 32 * 32 * sizeof(uint16_t));
    if (t->first) {
        t->largest[r] = -INFINITY;
        t->sum[r] = 0.0f;
    }
    t->rescale[r] = 1.0f;
}

void V(memo_softmax_tile_bf16)(const memo_softmax_tile *t)
{
    ptrdiff_t n = (ptrdiff_t)t->n_keys;
    for (size_t r = 0; r < t->n_rows; r++) {
        ptrdiff_t from = t->from + (ptrdiff_t)r, to = t->to + (ptrdiff_t)r;
        from = from > 0 ? from : 0;
        to = to < n ? to : n;
        if (from < to)
            bf16_softmax_row(t, r, (size_t)from, (size_t)to);
        else
            bf16_softmax_nothing(t, r);
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels avx512bf16_table = {
    .cpu = MEMO_CPU_AVX512BF16,
    .gemm = {KERNEL_FLOAT_TILES_BUT_BF16(avx512, MEMO_AVX512_TILE_ROWS, MEMO_AVX512_TILE_PANELS),
             [MEMO_GEMM_BF16] = {TILE_ROWS, TILE_PANELS, V(memo_gemm_bf16_tile)},
             [MEMO_GEMM_INT8] = {MEMO_VNNI_TILE_ROWS, MEMO_VNNI_TILE_PANELS,
                                 memo_gemm_int8_tile_avx512vnni}},
    KERNEL_BF16_ENTRIES(avx512bf16),
    .unpack_4bit = memo_unpack_4bit_avx512,
    .quantize_row_int8 = memo_quantize_row_int8_avx512vnni,
    KERNEL_F32_ENTRIES(avx512),
};

/* Where its products are slower than FMAs. */
static const memo_kernels avx512bf16_on_floats = {
    .cpu = MEMO_CPU_AVX512BF16,
    .gemm = {KERNEL_FLOAT_TILES(avx512, MEMO_AVX512_TILE_ROWS, MEMO_AVX512_TILE_PANELS),
             [MEMO_GEMM_INT8] = {MEMO_VNNI_TILE_ROWS, MEMO_VNNI_TILE_PANELS,
                                 memo_gemm_int8_tile_avx512vnni}},
    .unpack_4bit = memo_unpack_4bit_avx512,
    .quantize_row_int8 = memo_quantize_row_int8_avx512vnni,
    .quantize_static_int8 = memo_quantize_static_int8_avx512vnni,
    KERNEL_F32_ENTRIES(avx512),
};

const memo_kernels *const memo_kernels_avx512bf16 = &avx512bf16_table;
const memo_kernels *const memo_kernels_avx512bf16_on_floats = &avx512bf16_on_floats;

#undef V
#undef TILE_ROWS
#undef TILE_PANELS
#undef INT8_ZERO

#else

const memo_kernels *const memo_kernels_avx512bf16 = NULL;
const memo_kernels *const memo_kernels_avx512bf16_on_floats = NULL;

#endif
