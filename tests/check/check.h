// SPDX-License-Identifier: Apache-2.0
/* check.h -- the check program: every kernel of every level against the mathematics.
 *
 * One circle per kernel: a function that checks it, and one that times it on the same kind of
 * input. Results are compared with a reference in double under a bound derived from the length of
 * the sum and the size of its terms, or bit for bit where kernels.h promises bits.
 *
 * Arrays come from check_new(): they lie flush against an inaccessible page, before or after them
 * by the case, so a read or write outside faults; the fault fails the case. The other side holds a
 * pattern that check_outside() compares. No array is aligned to more than its element type, except
 * where check_new_panels() is asked to. */
#ifndef MEMO_TESTS_CHECK_H
#define MEMO_TESTS_CHECK_H

#include <memolith/status.h>

#include "base/rng.h"
#include "kernel/kernels.h"

#define CHECK_UNIT_ROUNDOFF 0x1p-24 /* relative error of one rounding to float */

typedef struct check {
    const memo_kernels *kernels; /* the level under test */
    const memo_kernels *peer;    /* another vector level of this CPU, or NULL */
    memo_rng rng;
    int at_end;        /* arrays end at their guard page; else they begin there */
    unsigned n_arrays; /* handed out in this case */
    int failed;
    char message[400];
} check;

/* What the values of an input are. */
typedef enum check_values {
    CHECK_NORMAL,  /* Gaussian */
    CHECK_WIDE,    /* exponents spread over 2^-40 .. 2^40 */
    CHECK_AWKWARD, /* NaN, infinities, signed zeros, subnormals, extremes among Gaussians */
    CHECK_N_VALUES
} check_values;

/* check_memory.c. A case begins with check_begin(); the arrays of the case before are gone. */
void check_begin(check *c);
float *check_new(check *c, size_t n);        /* [n], filled with the pattern */
float *check_new_panels(check *c, size_t n); /* n a multiple of 16: aligned to 64 bytes */
uint8_t *check_new_bytes(check *c, size_t n);
float *check_new_values(check *c, size_t n, check_values values);
float *check_new_copy(check *c, const float *from, size_t n);
void check_outside(check *c, const char *what); /* fails when a pattern beside an array changed */
int check_is_untouched(float a);
size_t check_size(check *c, size_t most); /* 0..most: small, odd, prime, tile edges, any */

void check_fail(check *c, const char *fmt, ...) MEMO_PRINTF(2, 3); /* the first message stays */
int check_same_bits(float a, float b);                             /* all NaN are the same */
/* got[i] against want[i] bit for bit. */
void check_bits(check *c, const char *what, const float *got, const float *want, size_t n);

/* Catch a fault: run(c) under a handler that turns it into a failure. */
void check_guarded(check *c, void (*run)(check *c));

/* check_math.c */
void check_exp_f32(check *c);
void check_erf_f32(check *c);
void check_tanh_f32(check *c);
void check_gelu_erf_f32(check *c);
void check_gelu_tanh_f32(check *c);
void check_gelu_erf_fast_f32(check *c);
void check_add_f32(check *c);
void check_scale_rows_f32(check *c);
/* All 2^32 floats through one function; prints the largest error. Returns its excess: 0 or 1. */
int check_exhaustive(const char *kernel, const memo_kernels *const *levels, size_t n_levels);

/* check_rows.c */
void check_layer_norm_f32(check *c);
void check_dot_f32(check *c);
void check_dot_rows_f32(check *c);
void check_pack_panels_f32(check *c);
void check_f16_to_f32(check *c);

/* check_attention.c */
void check_softmax_tile_f32(check *c);
void check_softmax_tile_bf16(check *c);

/* check_bf16.c */
float check_of_bf16(uint16_t bits);
void check_rows_to_bf16(check *c);
void check_pack_panels_bf16(check *c);
void check_pack_inputs_bf16(check *c);
void check_gemm_bf16_dot(check *c);

/* check_gemm.c: kinds with float inputs */
void check_gemm_f32_tile(check *c);
void check_gemm_f32(check *c);
void check_gemm_f16_tile(check *c);
void check_gemm_f16(check *c);
void check_gemm_bf16_f32_tile(check *c); /* levels whose tiles of bf16 have float inputs */
void check_gemm_bf16_f32(check *c);
void check_gemm_w8_tile(check *c);
void check_gemm_w8(check *c);
/* ... and what all kinds share. A group of inputs with scales of its own for g, or none; returns
 * their number. A random epilogue for g. */
size_t check_gemm_groups(check *c, memo_gemm *g);
void check_gemm_epilogue(check *c, memo_gemm *g, check_values values);
void check_gemm_run_tile(check *c, const memo_gemm *g, int accumulate); /* all of g is one tile */
/* Row `row` of g->c against `line` [n], the sums of that row, which get the epilogue here. */
void check_gemm_row(check *c, const char *what, const memo_gemm *g, size_t row, float *line,
                    const float *residual);
void check_gemm_pieces(check *c, const memo_gemm *g);
void check_gemm_residual_in_place(check *c, const memo_gemm *g);

/* check_int8.c */
void check_quantize_row_int8(check *c);
void check_quantize_static_int8(check *c);
void check_gemm_int8_tile(check *c);
void check_gemm_int8(check *c);
void check_gemm_int8_levels(check *c);

/* check_unpack.c */
void check_unpack_4bit(check *c);
void check_gemm_4bit(check *c);

/* check_amx.c: the level amx over emulated tiles, which fit any machine. */
const memo_kernels *check_amx_emulated(void);
const char *check_amx_fault(void); /* the first fault since the last call, or NULL */
void check_amx_emulation(check *c);

/* check_bench.c: each prints a line for every figure. */
typedef struct bench_options {
    int json;            /* lines are objects, else for reading */
    int every;           /* also what a lower level runs by the same code */
    const char *classes; /* only GEMMs of this class of weights ("int8"); NULL: of all */
} bench_options;

/* kernel "gemm_int8": the classes that end in products of bytes; "gemm_f32": the others */
void bench_gemm(const memo_kernels *kernels, const char *kernel, const bench_options *options);
void bench_map(const memo_kernels *kernels, const char *kernel, const bench_options *options);
void bench_rows(const memo_kernels *kernels, const char *kernel, const bench_options *options);
void bench_softmax(const memo_kernels *kernels, const char *kernel, const bench_options *options);

#endif
