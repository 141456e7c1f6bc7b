// SPDX-License-Identifier: Apache-2.0
/* check_peak.h -- what this machine could do at most, measured: operations a second of each kind of
 * instruction that a GEMM stands on, and bytes a second from memory.
 *
 * A GEMM cannot take less time than the slower of the two needs:
 *     max(operations / peak, bytes of its weights / bandwidth)
 * Both are of one thread, in its processor time. */
#ifndef MEMO_TESTS_CHECK_PEAK_H
#define MEMO_TESTS_CHECK_PEAK_H

#include <stddef.h>

#include "kernel/kernels.h"

double bench_clock(void); /* seconds of processor time of this thread */

/* Measure, in about 50 us, operations a second of the instructions that `kernels` has for the kind;
 * a multiply-add is two. Those of tiles are fed from the first two caches and stored, as
 * no multiplication of any size can do without. 0: not known for this level. */
double bench_peak(const memo_kernels *kernels, memo_gemm_kind kind);

/* The instructions, by name: "vpdpbusd zmm". */
const char *bench_peak_name(const memo_kernels *kernels, memo_gemm_kind kind);

/* The lowest level of this CPU that runs the kind by the same code as `kernels`. */
memo_cpu bench_owner(const memo_kernels *kernels, memo_gemm_kind kind);

/* Bytes a second of reading p[n_bytes] (64-byte aligned, whole lines) once, front to back. */
double bench_bandwidth(const void *p, size_t n_bytes);

#endif
