// SPDX-License-Identifier: Apache-2.0
/* kernel/vec.h -- what the templates expect of a vector level, and what its file shares.
 *
 * The templates (template_*.h) are the bodies of kernels, written once on 16 lanes of f32. A level
 * file opens its target region, defines V(name), which makes a name the level's own, its constants
 * and primitives, includes the templates and ends with its table:
 *
 *   V(f32)              16 floats: one register, or several
 *   load store          16 floats, any alignment
 *   load_part           the first n < 16, zero in the other lanes, which are not touched
 *   store_part          the first n < 16 only
 *   set1 add sub mul div abs
 *   fma(a, b, c)        a * b + c, rounded once
 *   min(a, b) max(a, b) b when either is NaN
 *   round               to the nearest integer, ties to even
 *   scale2(a, n)        a * 2^n, n integral; rounded once, also into the subnormals
 *   copysign(a, b)      magnitude of a, sign of b
 *   select_lt(a, b, x, y)  a < b ? x : y in each lane
 *   sum, max_lane       lane i + (i + 8), then + 4, + 2, + 1; the greatest lane
 *   transpose4          dst[j][i] = src[i][j], 4 x 4, rows lds and ldd floats apart
 *
 *   load_f16 load_bf16 load_int8  packed weights as floats: template_gemm.h
 *
 *   TILE_ROWS TILE_PANELS  the GEMM tile; DOT_ROWS  rows that share the loads of a query
 *
 * All levels that include the templates run the same operations in the same order, so they give
 * the same bits. */
#ifndef MEMO_KERNEL_VEC_H
#define MEMO_KERNEL_VEC_H

#include <stddef.h>

#define VEC_LANES     16
#define KERNEL_INLINE static inline __attribute__((always_inline))

/* A loop over registers: they exist only when it is unrolled whole, whatever the -O level thinks.
 * clang reads the pragma of gcc without obeying it. */
#if defined(__clang__)
#define KERNEL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KERNEL_UNROLL _Pragma("GCC unroll 16")
#endif

/* The compiler may no longer derive the pointer p from another one. */
#define KERNEL_OPAQUE(p) __asm__("" : "+r"(p))

#if defined(__x86_64__)
#include <immintrin.h>

/* acc += x in 32-bit lanes, in place: from intrinsics gcc 12 copies every sum of an int8 tile in
 * every turn, and keeps some in memory. */
#define VEC_ADD_I32(acc, x) __asm__("vpaddd %1, %0, %0" : "+v"(acc) : "v"(x))

/* transpose4 of every x86 level: four registers of SSE. */
KERNEL_INLINE void vec_transpose4_x86(const float *src, size_t lds, float *dst, size_t ldd)
{
    __m128 r0 = _mm_loadu_ps(src), r1 = _mm_loadu_ps(src + lds);
    __m128 r2 = _mm_loadu_ps(src + 2 * lds), r3 = _mm_loadu_ps(src + 3 * lds);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(dst, r0);
    _mm_storeu_ps(dst + ldd, r1);
    _mm_storeu_ps(dst + 2 * ldd, r2);
    _mm_storeu_ps(dst + 3 * ldd, r3);
}
#endif

#endif
