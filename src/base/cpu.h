// SPDX-License-Identifier: Apache-2.0
/* base/cpu.h -- which instruction-set levels this CPU and operating system offer (CPUID bits and
 * XCR0, never a model name). Detection lives in base because a context must refuse a level when it
 * is made; the code that uses the levels is the kernel room alone. */
#ifndef MEMO_BASE_CPU_H
#define MEMO_BASE_CPU_H

#include <memolith/status.h>

int memo_cpu_has(memo_cpu cpu); /* MEMO_CPU_REF is always there */
memo_cpu memo_cpu_best(void);
/* Marketing name from CPUID ("AMD EPYC ..."), or "unknown"; out has 64 bytes. */
void memo_cpu_brand(char out[64]);

#endif
