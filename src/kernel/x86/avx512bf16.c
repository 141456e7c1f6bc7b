// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/avx512bf16.c -- level avx512bf16: to the classes f32 and int8 it adds nothing, so that
 * it names the entries of the levels below. */
#include "kernel/levels.h"

#if defined(__x86_64__)

static const memo_kernels avx512bf16_table = {
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

#else

const memo_kernels *const memo_kernels_avx512bf16 = NULL;

#endif
