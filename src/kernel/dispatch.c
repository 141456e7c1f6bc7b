// SPDX-License-Identifier: Apache-2.0
/* kernel/dispatch.c -- from a level to its table. */
#include "kernel/kernels.h"

#include "base/cpu.h"
#include "kernel/levels.h"

/* Best first; memo_kernels_for() relies on the order and on the reference being last. */
static const memo_kernels *const *const dispatch_levels[] = {
    &memo_kernels_amx,      &memo_kernels_avx512bf16, &memo_kernels_avx512vnni,
    &memo_kernels_avx512,   &memo_kernels_avx2,       &memo_kernels_neon_i8mm,
    &memo_kernels_neon_dot, &memo_kernels_neon,       &memo_kernels_ref,
};

const memo_kernels *memo_kernels_for(memo_cpu cpu)
{
    for (size_t i = 0; i < sizeof dispatch_levels / sizeof *dispatch_levels; i++) {
        const memo_kernels *kernels = *dispatch_levels[i];
        if (kernels && (cpu == MEMO_CPU_AUTO || cpu == kernels->cpu) && memo_cpu_has(kernels->cpu))
            return kernels;
    }
    return NULL;
}
