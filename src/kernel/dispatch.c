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

/* Which of a level's tables is fast on the family of this CPU. */
static const memo_kernels *dispatch_favoured(const memo_kernels *kernels)
{
    if (kernels->cpu == MEMO_CPU_AVX512BF16 && !memo_cpu_favours_bf16())
        return memo_kernels_avx512bf16_on_floats;
    return kernels;
}

const memo_kernels *memo_kernels_for(memo_cpu cpu)
{
    for (size_t i = 0; i < sizeof dispatch_levels / sizeof *dispatch_levels; i++) {
        const memo_kernels *kernels = *dispatch_levels[i];
        if (kernels && (cpu == MEMO_CPU_AUTO || cpu == kernels->cpu) && memo_cpu_has(kernels->cpu))
            return dispatch_favoured(kernels);
    }
    return NULL;
}
