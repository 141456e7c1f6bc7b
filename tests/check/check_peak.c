// SPDX-License-Identifier: Apache-2.0
#include "check_peak.h"

#include <string.h>
#include <time.h>

#include "base/cpu.h"

#define PEAK_STEPS      10000
#define PEAK_TILE_STEPS 200 /* blocks of PEAK_TILE_K */
#define PEAK_TILE_K     6   /* times 64 bytes: the 384 inputs of a small encoder */

double bench_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

memo_cpu bench_owner(const memo_kernels *kernels, memo_gemm_kind kind)
{
    for (int cpu = MEMO_CPU_REF; cpu < (int)kernels->cpu; cpu++) {
        const memo_kernels *other = memo_kernels_for((memo_cpu)cpu);
        if (other && other->gemm[kind].run == kernels->gemm[kind].run)
            return (memo_cpu)cpu;
    }
    return kernels->cpu;
}

#if defined(__x86_64__)

/* One instruction on twelve chains: more than latency times throughput of any unit so far. Assembly,
 * so that no compiler moves a register to memory; the values stay zero. */
#define PEAK_TWELVE(one)                                                                           \
    one("1") one("2") one("3") one("4") one("5") one("6") one("7") one("8") one("9") one("10")     \
        one("11") one("12")
#define PEAK_LOOP(name, one, ops)                                                                  \
    static double name(void)                                                                       \
    {                                                                                              \
        __asm__ volatile("vzeroall" ::: "memory");                                                 \
        double start = bench_clock();                                                              \
        for (int step = 0; step < PEAK_STEPS; step++)                                              \
            __asm__ volatile(PEAK_TWELVE(one)::                                                    \
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");            \
        return 12.0 * (ops)*PEAK_STEPS / (bench_clock() - start);                                  \
    }

#define PEAK_FMA_YMM(r)  "vfmadd231ps %%ymm0, %%ymm0, %%ymm" r "\n\t"
#define PEAK_FMA_ZMM(r)  "vfmadd231ps %%zmm0, %%zmm0, %%zmm" r "\n\t"
#define PEAK_DOT_ZMM(r)  "vpdpbusd %%zmm0, %%zmm0, %%zmm" r "\n\t"
#define PEAK_BF16_ZMM(r) "vdpbf16ps %%zmm0, %%zmm0, %%zmm" r "\n\t"
/* Without vpdpbusd: products and sums of two, of four, and the addition to the rest. */
#define PEAK_MADD_YMM(r)                                                                           \
    "vpmaddubsw %%ymm0, %%ymm0, %%ymm13\n\tvpmaddwd %%ymm13, %%ymm0, %%ymm13\n\t"                  \
    "vpaddd %%ymm13, %%ymm" r ", %%ymm" r "\n\t"
#define PEAK_MADD_ZMM(r)                                                                           \
    "vpmaddubsw %%zmm0, %%zmm0, %%zmm13\n\tvpmaddwd %%zmm13, %%zmm0, %%zmm13\n\t"                  \
    "vpaddd %%zmm13, %%zmm" r ", %%zmm" r "\n\t"

// clang-format off
PEAK_LOOP(peak_fma_ymm, PEAK_FMA_YMM, 2 * 8)
PEAK_LOOP(peak_fma_zmm, PEAK_FMA_ZMM, 2 * 16)
PEAK_LOOP(peak_madd_ymm, PEAK_MADD_YMM, 2 * 32)
PEAK_LOOP(peak_madd_zmm, PEAK_MADD_ZMM, 2 * 64)
PEAK_LOOP(peak_dot_zmm, PEAK_DOT_ZMM, 2 * 64)
PEAK_LOOP(peak_bf16_zmm, PEAK_BF16_ZMM, 2 * 32)
// clang-format on

/* A block of 2 x 2 tiles over PEAK_TILE_K steps: four loads and four products a step, the sums
 * stored at the end. A is two times 16 rows of 384 bytes, B lies in whole tiles. */
#define PEAK_TILES(name, product)                                                                  \
    static void name(const char *a, const char *b, char *c)                                        \
    {                                                                                              \
        const size_t row = 64 * PEAK_TILE_K, line = 64;                                            \
        __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero "      \
                         "%%tmm3" ::                                                               \
                             : "memory");                                                          \
        for (size_t k = 0; k < PEAK_TILE_K; k++, a += 64, b += 2048)                               \
            __asm__ volatile("tileloadd (%0, %3, 1), %%tmm4\n\t"                                   \
                             "tileloadd (%1, %3, 1), %%tmm5\n\t"                                   \
                             "tileloadd (%2, %4, 1), %%tmm6\n\t"                                   \
                             "tileloadd 1024(%2, %4, 1), %%tmm7\n\t" product                       \
                             " %%tmm6, %%tmm4, %%tmm0\n\t" product                                 \
                             " %%tmm7, %%tmm4, %%tmm1\n\t" product                                 \
                             " %%tmm6, %%tmm5, %%tmm2\n\t" product " %%tmm7, %%tmm5, %%tmm3"       \
                             :                                                                     \
                             : "r"(a), "r"(a + 16 * row), "r"(b), "r"(row), "r"(line)              \
                             : "memory");                                                          \
        __asm__ volatile("tilestored %%tmm0, (%0, %1, 1)\n\t"                                      \
                         "tilestored %%tmm1, 1024(%0, %1, 1)\n\t"                                  \
                         "tilestored %%tmm2, 2048(%0, %1, 1)\n\t"                                  \
                         "tilestored %%tmm3, 3072(%0, %1, 1)"                                      \
                         :                                                                         \
                         : "r"(c), "r"(line)                                                       \
                         : "memory");                                                              \
    }

// clang-format off
PEAK_TILES(peak_tiles_int8, "tdpbssd")
PEAK_TILES(peak_tiles_bf16, "tdpbf16ps")
// clang-format on

/* `ops` of one product of two tiles. */
static double peak_tiles(void (*block)(const char *, const char *, char *), double ops)
{
    static char a[32 * 64 * PEAK_TILE_K], b[2048 * PEAK_TILE_K], c[4096];
    struct {
        unsigned char palette, start_row, reserved[14];
        unsigned short row_bytes[16];
        unsigned char rows[16];
    } config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        config.row_bytes[tile] = 64;
        config.rows[tile] = 16;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
    block(a, b, c);
    double start = bench_clock();
    for (int step = 0; step < PEAK_TILE_STEPS; step++)
        block(a, b, c);
    double seconds = bench_clock() - start;
    __asm__ volatile("tilerelease");
    return 4.0 * ops * PEAK_TILE_K * PEAK_TILE_STEPS / seconds;
}

typedef enum peak_unit {
    PEAK_UNKNOWN,
    PEAK_IS_FMA_YMM,
    PEAK_IS_FMA_ZMM,
    PEAK_IS_MADD_YMM,
    PEAK_IS_MADD_ZMM,
    PEAK_IS_DOT_ZMM,
    PEAK_IS_BF16_ZMM,
    PEAK_IS_TILES_INT8,
    PEAK_IS_TILES_BF16,
} peak_unit;

static peak_unit peak_unit_of(const memo_kernels *kernels, memo_gemm_kind kind)
{
    memo_cpu owner = bench_owner(kernels, kind);
    if (owner == MEMO_CPU_REF)
        return PEAK_UNKNOWN;
    if (kind == MEMO_GEMM_BF16 && kernels->bf16_inputs)
        return owner == MEMO_CPU_AMX ? PEAK_IS_TILES_BF16 : PEAK_IS_BF16_ZMM;
    if (kind != MEMO_GEMM_INT8)
        return owner == MEMO_CPU_AVX2 ? PEAK_IS_FMA_YMM : PEAK_IS_FMA_ZMM;
    switch (owner) {
    case MEMO_CPU_AVX2:
        return PEAK_IS_MADD_YMM;
    case MEMO_CPU_AVX512:
        return PEAK_IS_MADD_ZMM;
    case MEMO_CPU_AMX:
        return PEAK_IS_TILES_INT8;
    default:
        return PEAK_IS_DOT_ZMM;
    }
}

double bench_peak(const memo_kernels *kernels, memo_gemm_kind kind)
{
    switch (peak_unit_of(kernels, kind)) {
    case PEAK_IS_FMA_YMM:
        return peak_fma_ymm();
    case PEAK_IS_FMA_ZMM:
        return peak_fma_zmm();
    case PEAK_IS_MADD_YMM:
        return peak_madd_ymm();
    case PEAK_IS_MADD_ZMM:
        return peak_madd_zmm();
    case PEAK_IS_DOT_ZMM:
        return peak_dot_zmm();
    case PEAK_IS_BF16_ZMM:
        return peak_bf16_zmm();
    case PEAK_IS_TILES_INT8:
        return peak_tiles(peak_tiles_int8, 2.0 * 16 * 16 * 64);
    case PEAK_IS_TILES_BF16:
        return peak_tiles(peak_tiles_bf16, 2.0 * 16 * 16 * 32);
    default:
        return 0.0;
    }
}

const char *bench_peak_name(const memo_kernels *kernels, memo_gemm_kind kind)
{
    static const char *const names[] = {
        [PEAK_UNKNOWN] = "",
        [PEAK_IS_FMA_YMM] = "vfmadd231ps ymm",
        [PEAK_IS_FMA_ZMM] = "vfmadd231ps zmm",
        [PEAK_IS_MADD_YMM] = "vpmaddubsw, vpmaddwd, vpaddd ymm",
        [PEAK_IS_MADD_ZMM] = "vpmaddubsw, vpmaddwd, vpaddd zmm",
        [PEAK_IS_DOT_ZMM] = "vpdpbusd zmm",
        [PEAK_IS_BF16_ZMM] = "vdpbf16ps zmm",
        [PEAK_IS_TILES_INT8] = "tdpbssd with tile loads and stores",
        [PEAK_IS_TILES_BF16] = "tdpbf16ps with tile loads and stores",
    };
    return names[peak_unit_of(kernels, kind)];
}

#else

double bench_peak(const memo_kernels *kernels, memo_gemm_kind kind)
{
    (void)kernels;
    (void)kind;
    return 0.0;
}

const char *bench_peak_name(const memo_kernels *kernels, memo_gemm_kind kind)
{
    (void)kernels;
    (void)kind;
    return "";
}

#endif

double bench_bandwidth(const void *p, size_t n_bytes)
{
    typedef uint64_t peak_words __attribute__((vector_size(16), may_alias));
    const peak_words *v = p;
    peak_words a = {0}, b = a, c = a, d = a;
    double start = bench_clock();
    for (size_t i = 0; i < n_bytes / sizeof *v; i += 4) {
        a ^= v[i];
        b ^= v[i + 1];
        c ^= v[i + 2];
        d ^= v[i + 3];
    }
    a ^= b ^ c ^ d;
    __asm__ volatile("" ::"m"(a)); /* the sum is used */
    return (double)n_bytes / (bench_clock() - start);
}
