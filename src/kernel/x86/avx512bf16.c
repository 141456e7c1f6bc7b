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

void V(memo_rows_to_bf16)(size_t n_rows, size_t n, size_t n_pad, const float *x, size_t ldx,
                          uint16_t *y, size_t ldy)
{
    for (size_t r = 0; r < n_rows; r++, x += ldx, y += ldy) {
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
            const float *at = src + row * lds + col;
            if (row + 16 <= n_rows && col + 32 <= n_cols) {
                KERNEL_UNROLL
                for (size_t r = 0; r < 16; r++)
                    rows[r] = bf16_convert(at + r * lds, 32);
            } else {
                for (size_t r = 0; r < 16; r++)
                    rows[r] = row + r < n_rows ? bf16_convert(at + r * lds, n_cols - col)
                                               : _mm512_setzero_si512();
            }
            bf16_transpose(rows, columns);
            KERNEL_UNROLL
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

#define BF16_SOFTMAX_ROWS 4 /* at once */

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

/* What of a row a call looks at: from .. to - 1, from a multiple of 32. */
typedef struct bf16_span {
    size_t from, to;
} bf16_span;

/* The first n lanes. */
KERNEL_INLINE __mmask16 bf16_mask(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xFFFFu);
}

/* -infinity for x[from .. to - 1]. Whole registers are stored, because a load that follows part of one
 * would wait for the cache. */
KERNEL_INLINE void bf16_hide(float *x, size_t from, size_t to)
{
    for (size_t i = from / 16 * 16; i < to; i += 16) {
        unsigned hidden = i < from ? 0xFFFFu << (from - i) : 0xFFFFu;
        hidden &= bf16_mask(to - i);
        __m512 some = _mm512_loadu_ps(x + i);
        some = _mm512_mask_blend_ps((__mmask16)hidden, some, _mm512_set1_ps(-INFINITY));
        _mm512_storeu_ps(x + i, some);
    }
}

KERNEL_INLINE void bf16_clear(uint16_t *y, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm256_setzero_si256());
}

/* The state of row r with the greatest score of this block; what its scores are shifted by. */
KERNEL_INLINE float bf16_shift(const memo_softmax_tile *t, size_t r, float scale, float largest)
{
    float before = t->first ? -INFINITY : t->largest[r];
    largest = largest > before ? largest : before;
    float shift = -(scale * largest);
    t->largest[r] = largest;
    t->rescale[r] = 1.0f;
    if (!t->first && before != largest)
        t->rescale[r] = _mm512_cvtss_f32(bf16_exp2(_mm512_set1_ps(scale * before + shift)));
    return shift;
}

/* Weights of the rows r .. r + rows - 1, to the start of the row that the scores come from: they are
 * half as long, so no score is overwritten before it is read. Several rows hide the latency of each
 * other's reductions. Registers of a row are summed in turn in two chains, so that what it has on
 * either side of the keys that it sees, all zeros, changes no bit. */
KERNEL_INLINE void bf16_softmax_rows(const size_t rows, const memo_softmax_tile *t, size_t r,
                                     bf16_span span)
{
    const float scale = t->scale * 0x1.715476p+0f; /* 1 / ln 2 */
    const __m512 factor = _mm512_set1_ps(scale);
    float *x = t->x + r * t->ld;
    __m512 lanes[BF16_SOFTMAX_ROWS], shift[BF16_SOFTMAX_ROWS];
    __m512 sum0[BF16_SOFTMAX_ROWS], sum1[BF16_SOFTMAX_ROWS];
    const __m512 none = _mm512_set1_ps(-INFINITY);
    size_t i = span.from;
    KERNEL_UNROLL
    for (size_t j = 0; j < rows; j++)
        sum0[j] = sum1[j] = _mm512_setzero_ps(), lanes[j] = none;
    for (; i + 16 <= span.to; i += 16) {
        KERNEL_UNROLL
        for (size_t j = 0; j < rows; j++)
            lanes[j] = _mm512_max_ps(_mm512_loadu_ps(x + j * t->ld + i), lanes[j]);
    }
    __mmask16 mask = bf16_mask(span.to - i);
    KERNEL_UNROLL
    for (size_t j = 0; j < rows; j++) {
        __m512 last = _mm512_mask_loadu_ps(none, mask, x + j * t->ld + i);
        float largest = _mm512_reduce_max_ps(_mm512_max_ps(last, lanes[j]));
        shift[j] = _mm512_set1_ps(bf16_shift(t, r + j, scale, largest));
    }
    for (i = span.from; i + 32 <= span.to; i += 32) {
        KERNEL_UNROLL
        for (size_t j = 0; j < rows; j++) {
            float *at = x + j * t->ld;
            __m512 e0 = bf16_exp2(_mm512_fmadd_ps(factor, _mm512_loadu_ps(at + i), shift[j]));
            __m512 e1 = bf16_exp2(_mm512_fmadd_ps(factor, _mm512_loadu_ps(at + i + 16), shift[j]));
            _mm512_storeu_si512((uint16_t *)(void *)at + i, (__m512i)_mm512_cvtne2ps_pbh(e1, e0));
            sum0[j] = _mm512_add_ps(sum0[j], e0);
            sum1[j] = _mm512_add_ps(sum1[j], e1);
        }
    }
    size_t left = span.to - i;
    mask = bf16_mask(left);
    __mmask16 mask1 = bf16_mask(left > 16 ? left - 16 : 0);
    KERNEL_UNROLL
    for (size_t j = 0; left && j < rows; j++) {
        float *at = x + j * t->ld;
        __m512 e0 = _mm512_mask_loadu_ps(none, mask, at + i), e1 = _mm512_setzero_ps();
        e0 = bf16_exp2(_mm512_fmadd_ps(factor, e0, shift[j]));
        if (left > 16) {
            e1 = _mm512_mask_loadu_ps(none, mask1, at + i + 16);
            e1 = bf16_exp2(_mm512_fmadd_ps(factor, e1, shift[j]));
        }
        _mm512_storeu_si512((uint16_t *)(void *)at + i, (__m512i)_mm512_cvtne2ps_pbh(e1, e0));
        sum0[j] = _mm512_add_ps(sum0[j], e0);
        sum1[j] = _mm512_add_ps(sum1[j], e1);
    }
    KERNEL_UNROLL
    for (size_t j = 0; j < rows; j++) {
        float sum = V(sum)(_mm512_add_ps(sum0[j], sum1[j]));
        t->sum[r + j] = t->first ? sum : t->sum[r + j] * t->rescale[r + j] + sum;
    }
}

/* Rows r .. r + n_rows - 1: the keys that none of them sees become zeros, those that one does not see
 * -infinity. Returns 0, with nothing done, where a row sees none at all. */
KERNEL_INLINE int bf16_prepare(const memo_softmax_tile *t, size_t r, size_t n_rows, bf16_span *span)
{
    ptrdiff_t n = (ptrdiff_t)t->n_keys, first = t->from + (ptrdiff_t)r, last = t->to + (ptrdiff_t)r;
    ptrdiff_t more = (ptrdiff_t)n_rows - 1;
    if (first + more >= n || last <= 0 || first >= last)
        return 0;
    span->from = first > 0 ? (size_t)first / 32 * 32 : 0;
    span->to = last + more < n ? (size_t)(last + more) : (size_t)n;
    for (size_t j = 0; j < n_rows; j++, first++, last++) {
        float *x = t->x + (r + j) * t->ld;
        if (first > (ptrdiff_t)span->from)
            bf16_hide(x, span->from, (size_t)first);
        if (last < (ptrdiff_t)span->to)
            bf16_hide(x, (size_t)last, span->to);
    }
    return 1;
}

KERNEL_INLINE void bf16_clear_outside(const memo_softmax_tile *t, size_t r, bf16_span span)
{
    uint16_t *y = (uint16_t *)(void *)(t->x + r * t->ld);
    bf16_clear(y, 0, span.from);
    bf16_clear(y, (span.to + 31) / 32 * 32, (t->n_keys + 31) / 32 * 32);
}

/* A row that sees no key of the block. */
KERNEL_INLINE void bf16_softmax_nothing(const memo_softmax_tile *t, size_t r)
{
    bf16_clear_outside(t, r, (bf16_span){0, 0});
    if (t->first) {
        t->largest[r] = -INFINITY;
        t->sum[r] = 0.0f;
    }
    t->rescale[r] = 1.0f;
}

void V(memo_softmax_tile_bf16)(const memo_softmax_tile *t)
{
    size_t r = 0;
    bf16_span span;
    while (r < t->n_rows) {
        size_t rows = BF16_SOFTMAX_ROWS;
        if (r + rows <= t->n_rows && bf16_prepare(t, r, rows, &span)) {
            bf16_softmax_rows(BF16_SOFTMAX_ROWS, t, r, span);
        } else {
            rows = 1;
            if (bf16_prepare(t, r, 1, &span)) {
                bf16_softmax_rows(1, t, r, span);
            } else {
                bf16_softmax_nothing(t, r);
                span = (bf16_span){0, t->n_keys};
            }
        }
        for (size_t j = 0; j < rows; j++)
            bf16_clear_outside(t, r + j, span);
        r += rows;
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
             [MEMO_GEMM_INT8] = {MEMO_VNNI_CALL_ROWS, MEMO_VNNI_TILE_PANELS,
                                 memo_gemm_int8_tile_avx512vnni}},
    .gemm_4bit = {MEMO_VNNI_4BIT_ROWS, MEMO_VNNI_TILE_PANELS, memo_gemm_4bit_tile_avx512vnni},
    KERNEL_BF16_ENTRIES(avx512bf16),
    .unpack_4bit = memo_unpack_4bit_avx512,
    KERNEL_BYTE_ENTRIES(avx512vnni),
    KERNEL_F32_ENTRIES(avx512),
};

/* Where its products are slower than FMAs. */
static const memo_kernels avx512bf16_on_floats = {
    .cpu = MEMO_CPU_AVX512BF16,
    .gemm = {KERNEL_FLOAT_TILES(avx512, MEMO_AVX512_TILE_ROWS, MEMO_AVX512_TILE_PANELS),
             [MEMO_GEMM_INT8] = {MEMO_VNNI_CALL_ROWS, MEMO_VNNI_TILE_PANELS,
                                 memo_gemm_int8_tile_avx512vnni}},
    .gemm_4bit = {MEMO_VNNI_4BIT_ROWS, MEMO_VNNI_TILE_PANELS, memo_gemm_4bit_tile_avx512vnni},
    .unpack_4bit = memo_unpack_4bit_avx512,
    KERNEL_BYTE_ENTRIES(avx512vnni),
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
