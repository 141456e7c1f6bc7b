// SPDX-License-Identifier: Apache-2.0
/* Bits: Intel SDM volume 2A, CPUID leaves 1 and 7; volume 1, 13.3 for XCR0. A level counts only when
 * the operating system saves its registers, else the first wide instruction would be a SIGILL. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <string.h>

static int cpu_has_all(uint64_t bits, uint64_t need)
{
    return (bits & need) == need;
}

unsigned memo_cpu_levels_x86(const memo_cpu_leaves *l)
{
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, bmi2 = 1u << 8;
    const unsigned avx512 =
        1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F DQ CD BW VL */
    const unsigned vnni = 1u << 11, bf16 = 1u << 5;
    const unsigned amx = 1u << 22 | 1u << 24 | 1u << 25;                /* BF16 TILE INT8 */
    const uint64_t ymm = 0x06, zmm = ymm | 0xE0, tiles = zmm | 0x60000; /* of XCR0 */
    unsigned levels = 1u << MEMO_CPU_REF;
    if (!cpu_has_all(l->leaf1_c, fma | osxsave | avx | f16c) || !cpu_has_all(l->xcr0, ymm) ||
        !cpu_has_all(l->leaf7_b, avx2 | bmi2))
        return levels;
    levels |= 1u << MEMO_CPU_AVX2;
    if (!cpu_has_all(l->leaf7_b, avx512) || !cpu_has_all(l->xcr0, zmm))
        return levels;
    levels |= 1u << MEMO_CPU_AVX512;
    if (!cpu_has_all(l->leaf7_c, vnni))
        return levels;
    levels |= 1u << MEMO_CPU_AVX512VNNI;
    if (!cpu_has_all(l->leaf7_1_a, bf16))
        return levels;
    levels |= 1u << MEMO_CPU_AVX512BF16;
    if (cpu_has_all(l->leaf7_d, amx) && cpu_has_all(l->xcr0, tiles))
        levels |= 1u << MEMO_CPU_AMX;
    return levels;
}

int memo_cpu_favours_bf16_x86(const char vendor[12])
{
    return !memcmp(vendor, "AuthenticAMD", 12) || !memcmp(vendor, "HygonGenuine", 12);
}

#if defined(__x86_64__)
#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* Linux lends the tiles only to a process that has asked (8 KiB more to save at a task switch):
 * Documentation/arch/x86/xstate.rst. Asked here, so that a refusal means that the level is not
 * there. The permission holds for all threads and asking twice does no harm. */
static int cpu_tiles_permitted(void)
{
    const long arch_req_xcomp_perm = 0x1023, xtile_data = 18;
    return syscall(SYS_arch_prctl, arch_req_xcomp_perm, xtile_data) == 0;
}
#else
static int cpu_tiles_permitted(void)
{
    return 0; /* no other system is known to lend them */
}
#endif

static uint64_t cpu_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static unsigned cpu_detect(void)
{
    const unsigned osxsave = 1u << 27;
    memo_cpu_leaves l = {0};
    unsigned a, b, c, d, n_leaves = 0;
    if (__get_cpuid(1, &a, &b, &c, &d))
        l.leaf1_c = c;
    if (__get_cpuid_count(7, 0, &n_leaves, &l.leaf7_b, &l.leaf7_c, &l.leaf7_d) && n_leaves >= 1)
        __get_cpuid_count(7, 1, &l.leaf7_1_a, &b, &c, &d);
    if (l.leaf1_c & osxsave) /* without it xgetbv is no instruction */
        l.xcr0 = cpu_xcr0();
    unsigned levels = memo_cpu_levels_x86(&l);
    if (levels >> MEMO_CPU_AMX & 1 && !cpu_tiles_permitted())
        levels &= ~(1u << MEMO_CPU_AMX);
    return levels;
}

static int cpu_detect_favours_bf16(void)
{
    unsigned a, r[3] = {0}; /* the letters are in ebx, edx, ecx */
    return __get_cpuid(0, &a, &r[0], &r[2], &r[1]) && memo_cpu_favours_bf16_x86((const char *)r);
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

#elif defined(__aarch64__)

#if defined(__linux__)
#include <sys/auxv.h>

/* Documentation/arch/arm64/elf_hwcaps.rst */
static unsigned cpu_detect(void)
{
    const unsigned long asimddp = 1ul << 20, i8mm = 1ul << 13;
    unsigned levels = 1u << MEMO_CPU_REF | 1u << MEMO_CPU_NEON;
    if (!(getauxval(AT_HWCAP) & asimddp))
        return levels;
    levels |= 1u << MEMO_CPU_NEON_DOT;
    if (getauxval(AT_HWCAP2) & i8mm)
        levels |= 1u << MEMO_CPU_NEON_I8MM;
    return levels;
}
#elif defined(__APPLE__)
#include <sys/sysctl.h>

static int cpu_feature(const char *name)
{
    int value = 0;
    size_t n = sizeof value;
    return sysctlbyname(name, &value, &n, NULL, 0) == 0 && value != 0;
}

static unsigned cpu_detect(void)
{
    unsigned levels = 1u << MEMO_CPU_REF | 1u << MEMO_CPU_NEON;
    if (!cpu_feature("hw.optional.arm.FEAT_DotProd"))
        return levels;
    levels |= 1u << MEMO_CPU_NEON_DOT;
    if (cpu_feature("hw.optional.arm.FEAT_I8MM"))
        levels |= 1u << MEMO_CPU_NEON_I8MM;
    return levels;
}
#else
static unsigned cpu_detect(void)
{
    return 1u << MEMO_CPU_REF | 1u << MEMO_CPU_NEON;
}
#endif

#else

static unsigned cpu_detect(void)
{
    return 1u << MEMO_CPU_REF;
}

#endif

#if !defined(__x86_64__)
static int cpu_detect_favours_bf16(void)
{
    return 0; /* no level has these products */
}

void memo_cpu_brand(char out[64])
{
    strcpy(out, "unknown");
}
#endif

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

int memo_cpu_favours_bf16(void)
{
    static atomic_uint cached; /* 0: not asked yet */
    unsigned answer = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!answer) {
        answer = cpu_detect_favours_bf16() ? 2 : 1;
        atomic_store_explicit(&cached, answer, memory_order_relaxed);
    }
    return answer == 2;
}

static const char *const cpu_names[] = {
#define CPU_NAME(name, spelling) spelling,
    MEMO_CPU_MAP(CPU_NAME)
#undef CPU_NAME
};

int memo_cpu_has(memo_cpu cpu)
{
    return cpu != MEMO_CPU_AUTO && (size_t)cpu < MEMO_CPU_COUNT && (cpu_levels() >> cpu & 1);
}

memo_cpu memo_cpu_best(void)
{
    memo_cpu best = MEMO_CPU_REF;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++)
        if (memo_cpu_has(cpu))
            best = cpu;
    return best;
}

#if defined(__x86_64__)
enum { CPU_FIRST = MEMO_CPU_AVX2, CPU_LAST = MEMO_CPU_AMX };
#elif defined(__aarch64__)
enum { CPU_FIRST = MEMO_CPU_NEON, CPU_LAST = MEMO_CPU_NEON_I8MM };
#else
enum { CPU_FIRST = MEMO_CPU_REF, CPU_LAST = MEMO_CPU_REF };
#endif

memo_cpu memo_cpu_cap(memo_cpu level)
{
    if ((int)level < CPU_FIRST || (int)level > CPU_LAST)
        return level;
    while ((int)level >= CPU_FIRST && !memo_cpu_has(level))
        level--;
    return (int)level >= CPU_FIRST ? level : MEMO_CPU_REF;
}

const char *memo_cpu_name(memo_cpu cpu)
{
    return (size_t)cpu < MEMO_CPU_COUNT ? cpu_names[cpu] : "unknown";
}
