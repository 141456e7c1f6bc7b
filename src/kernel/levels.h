// SPDX-License-Identifier: Apache-2.0
/* kernel/levels.h -- the tables of the levels, for the dispatcher.
 *
 * One file per level defines one pointer; it is NULL where the level is not of the target
 * architecture or the compiler cannot build it. A new level is a file, a line here and a line in
 * dispatch.c. */
#ifndef MEMO_KERNEL_LEVELS_H
#define MEMO_KERNEL_LEVELS_H

#include "kernel/kernels.h"

extern const memo_kernels *const memo_kernels_ref;
extern const memo_kernels *const memo_kernels_avx2;   /* avx2 fma bmi2 f16c */
extern const memo_kernels *const memo_kernels_avx512; /* + avx512 f bw dq vl cd */

#endif
