// SPDX-License-Identifier: Apache-2.0
/* base/cpu.h -- which instruction-set levels this CPU and operating system offer (CPUID bits and
 * XCR0, never a model name), and which of two ways to compute is the fast one on its family. Detection lives in base because a context must refuse a level when it
 * is made; the code that uses the levels is the kernel room alone. */
#ifndef MEMO_BASE_CPU_H
#define MEMO_BASE_CPU_H

#include <stdint.h>

#include <memolith/status.h>

/* Entries of the list, MEMO_CPU_AUTO among them: a loop over the levels is
 * for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++). */
#define MEMO_CPU_ONE(name, spelling) +1
#define MEMO_CPU_COUNT               (0 MEMO_CPU_MAP(MEMO_CPU_ONE))

/* What CPUID and XGETBV of an x86 say; zero for a leaf that is not there. */
typedef struct memo_cpu_leaves {
    unsigned leaf1_c;
    unsigned leaf7_b, leaf7_c, leaf7_d;
    unsigned leaf7_1_a; /* leaf 7, sub-leaf 1 */
    uint64_t xcr0;      /* which registers the operating system saves */
} memo_cpu_leaves;

/* Bit `level` is set for every level that these words offer: one is there only with those before
 * it. Pure; the permission for tiles is asked elsewhere. */
unsigned memo_cpu_levels_x86(const memo_cpu_leaves *leaves);

/* Of vdpbf16ps and the FMA of floats, which multiplies more in the same time? It goes by the family,
 * so that bits are those of the machine and not of a measurement. `vendor`: the 12 letters of leaf 0.
 * AMD (from Zen 4): twice as much. Intel's server cores: half as much; bf16 is for their tiles. */
int memo_cpu_favours_bf16_x86(const char vendor[12]);
int memo_cpu_favours_bf16(void);

int memo_cpu_has(memo_cpu cpu); /* MEMO_CPU_REF is always there */
memo_cpu memo_cpu_best(void);
/* The best level here that is not above `level`: `level` itself where it is there. One of another
 * architecture, which says nothing about this one, comes back as it is, and so does AUTO. */
memo_cpu memo_cpu_cap(memo_cpu level);
/* Marketing name from CPUID ("AMD EPYC ..."), or "unknown"; out has 64 bytes. */
void memo_cpu_brand(char out[64]);

#endif
