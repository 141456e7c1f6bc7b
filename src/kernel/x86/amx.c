// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/amx.c -- level amx: tiles of 16 rows of 64 bytes, multiplied by one instruction.
 *
 * The instructions stand here, as the primitives of template_amx.h. That the operating system saves
 * the tiles, and lends them to this process, is for base/cpu.c to ask before the level is used. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define V(name)   name##_amx
#define INT8_ZERO 0 /* of store_bytes, which is not used here */

/* The number of a tile is part of the instruction. The compiler uses no tile of its own. */
#define TILE_CONFIG(config) __asm__ volatile("ldtilecfg %0" ::"m"(*(config)))
#define TILE_RELEASE()      __asm__ volatile("tilerelease" ::: "memory")
#define TILE_ZERO(t)        __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define TILE_DPBSSD(c, a, b)                                                                       \
    __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::: "memory")
#define TILE_DPBF16PS(c, a, b)                                                                     \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::: "memory")
#define TILE_LOAD(t, p, stride)                                                                    \
    __asm__ volatile("tileloadd (%0,%1), %%tmm" #t ::"r"(p), "r"(stride) : "memory")
#define TILE_STORE(t, p, stride)                                                                   \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1)" ::"r"(p), "r"(stride) : "memory")

#define TILE_BELOW(rows, n_panels, tile) memo_gemm_int8_tile_avx512(rows, n_panels, tile)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,"  \
                                                   "fma,avx2,bmi2,f16c"))),                        \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx2,bmi2,f16c")
#endif

#include "kernel/x86/vec_avx512.h"

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_epilogue.h"
#include "kernel/template_int8.h"
#include "kernel/x86/template_amx.h"
// clang-format on

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels amx_table = {
    .cpu = MEMO_CPU_AMX,
    .gemm = {KERNEL_FLOAT_TILES_BUT_BF16(avx512, MEMO_AVX512_TILE_ROWS, MEMO_AVX512_TILE_PANELS),
             [MEMO_GEMM_BF16] = {AMX_ROWS, AMX_PANELS, V(gemm_bf16_tile)},
             [MEMO_GEMM_INT8] = {AMX_ROWS, AMX_PANELS, V(gemm_int8_tile)}},
    KERNEL_BF16_ENTRIES(avx512bf16),
    .unpack_4bit = memo_unpack_4bit_avx512,
    KERNEL_BYTE_ENTRIES(avx512),
    KERNEL_F32_ENTRIES(avx512),
};

const memo_kernels *const memo_kernels_amx = &amx_table;

#undef V
#undef INT8_ZERO
#undef TILE_CONFIG
#undef TILE_RELEASE
#undef TILE_ZERO
#undef TILE_DPBSSD
#undef TILE_DPBF16PS
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_BELOW

#else

const memo_kernels *const memo_kernels_amx = NULL;

#endif
