// SPDX-License-Identifier: Apache-2.0
/* Bits: Intel SDM volume 2A, CPUID leaves 1 and 7; volume 1, 13.3 for XCR0. A level counts only when
 * the operating system saves its registers, else the first wide instruction would be a SIGILL. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

enum { CPU_LEVELS_KNOWN = 1 << 0 }; /* bit `level` of the mask says the level is there */

static uint64_t cpu_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static unsigned cpu_detect(void)
{
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, bmi2 = 1u << 8;
    const unsigned avx512 =
        1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F DQ CD BW VL */
    const uint64_t ymm_state = 0x06, zmm_state = 0xE6;
    unsigned levels = CPU_LEVELS_KNOWN | 1u << MEMO_CPU_REF;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave))
        return levels;
    unsigned need = fma | avx | f16c;
    uint64_t saved = cpu_xcr0();
    if ((c & need) != need || (saved & ymm_state) != ymm_state)
        return levels;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || !(b & bmi2))
        return levels;
    levels |= 1u << MEMO_CPU_AVX2;
    if ((b & avx512) == avx512 && (saved & zmm_state) == zmm_state)
        levels |= 1u << MEMO_CPU_AVX512;
    return levels;
}

/* CPUID traps in virtual machines and may take tens of microseconds: ask once. */
static unsigned cpu_levels(void)
{
    static atomic_uint cached;
    unsigned levels = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!levels) {
        levels = cpu_detect();
        atomic_store_explicit(&cached, levels, memory_order_relaxed);
    }
    return levels;
}

void memo_cpu_brand(char out[64])
{
    unsigned regs[12];
    for (unsigned i = 0; i < 3; i++) {
        unsigned *r = regs + (size_t)4 * i;
        if (!__get_cpuid(0x80000002u + i, r, r + 1, r + 2, r + 3)) {
            strcpy(out, "unknown");
            return;
        }
    }
    char text[sizeof regs + 1] = {0};
    memcpy(text, regs, sizeof regs);
    size_t start = strspn(text, " "), n = strlen(text + start);
    while (n > 0 && text[start + n - 1] == ' ')
        n--;
    memcpy(out, text + start, n);
    out[n] = '\0';
}

#else

static unsigned cpu_levels(void)
{
    return 1u << MEMO_CPU_REF;
}

void memo_cpu_brand(char out[64])
{
    strcpy(out, "unknown");
}

#endif

static const char *const cpu_names[] = {
#define CPU_NAME(name, spelling) spelling,
    MEMO_CPU_MAP(CPU_NAME)
#undef CPU_NAME
};

#define CPU_COUNT (sizeof cpu_names / sizeof *cpu_names)

int memo_cpu_has(memo_cpu cpu)
{
    return cpu != MEMO_CPU_AUTO && (size_t)cpu < CPU_COUNT && (cpu_levels() >> cpu & 1);
}

memo_cpu memo_cpu_best(void)
{
    memo_cpu best = MEMO_CPU_REF;
    for (size_t cpu = MEMO_CPU_REF; cpu < CPU_COUNT; cpu++)
        if (memo_cpu_has((memo_cpu)cpu))
            best = (memo_cpu)cpu;
    return best;
}

const char *memo_cpu_name(memo_cpu cpu)
{
    return (size_t)cpu < CPU_COUNT ? cpu_names[cpu] : "unknown";
}
