// SPDX-License-Identifier: Apache-2.0
/* check_bench.c -- the same kernels against the clock.
 *
 * Time is processor time of this thread, so that other processes cost less noise; each figure is
 * the median of several repeats. The peak is measured by a loop of FMAs on registers right before
 * every repeat and the share is the median of the ratios: a change of frequency cancels. Weights
 * of the GEMM rotate through more memory than a third-level cache holds, as in a pass through a
 * whole model. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

#define BENCH_REPEATS      15
#define BENCH_SECONDS      0.002 /* one repeat */
#define BENCH_WEIGHT_BYTES (48u << 20)
#define BENCH_PEAK_STEPS   10000

static double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What one call does; `turn` counts the calls. */
typedef struct bench_work {
    void (*call)(const struct bench_work *work, size_t turn);
    const memo_kernels *kernels;
    const char *kernel;
    double flop, bytes; /* of a call; flop 0: only time and bytes are shown */
    size_t n, n_rows;
    memo_gemm gemm;
    size_t n_weights; /* copies to rotate through */
    float *x, *y, *z;
} bench_work;

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
        double start = bench_now();                                                                \
        for (int step = 0; step < BENCH_PEAK_STEPS; step++)                                        \
            __asm__ volatile(PEAK_TWELVE(one)::                                                    \
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");            \
        return 12.0 * (ops)*BENCH_PEAK_STEPS / (bench_now() - start);                              \
    }

#define PEAK_FMA_YMM(r) "vfmadd231ps %%ymm0, %%ymm0, %%ymm" r "\n\t"
#define PEAK_FMA_ZMM(r) "vfmadd231ps %%zmm0, %%zmm0, %%zmm" r "\n\t"
#define PEAK_DOT_ZMM(r) "vpdpbusd %%zmm0, %%zmm0, %%zmm" r "\n\t"
/* Without that instruction: products and sums of two, of four, and the addition to the rest. */
#define PEAK_MADD_YMM(r)                                                                           \
    "vpmaddubsw %%ymm0, %%ymm0, %%ymm13\n\tvpmaddwd %%ymm13, %%ymm0, %%ymm13\n\t"                  \
    "vpaddd %%ymm13, %%ymm" r ", %%ymm" r "\n\t"
#define PEAK_MADD_ZMM(r)                                                                           \
    "vpmaddubsw %%zmm0, %%zmm0, %%zmm13\n\tvpmaddwd %%zmm13, %%zmm0, %%zmm13\n\t"                  \
    "vpaddd %%zmm13, %%zmm" r ", %%zmm" r "\n\t"

// clang-format off
PEAK_LOOP(bench_peak_fma_ymm, PEAK_FMA_YMM, 2 * 8)
PEAK_LOOP(bench_peak_fma_zmm, PEAK_FMA_ZMM, 2 * 16)
PEAK_LOOP(bench_peak_madd_ymm, PEAK_MADD_YMM, 2 * 32)
PEAK_LOOP(bench_peak_madd_zmm, PEAK_MADD_ZMM, 2 * 64)
PEAK_LOOP(bench_peak_dot_zmm, PEAK_DOT_ZMM, 2 * 64)
// clang-format on

/* Of the instructions that the level has for the work; that of tiles is not measured. */
static double bench_peak(const bench_work *work)
{
    int int8 = work->gemm.kind == MEMO_GEMM_INT8;
    switch (work->kernels->cpu) {
    case MEMO_CPU_AVX2:
        return int8 ? bench_peak_madd_ymm() : bench_peak_fma_ymm();
    case MEMO_CPU_AVX512:
        return int8 ? bench_peak_madd_zmm() : bench_peak_fma_zmm();
    case MEMO_CPU_AVX512VNNI:
    case MEMO_CPU_AVX512BF16:
        return int8 ? bench_peak_dot_zmm() : bench_peak_fma_zmm();
    case MEMO_CPU_AMX:
        return int8 ? 0.0 : bench_peak_fma_zmm();
    default:
        return 0.0;
    }
}

#else

static double bench_peak(const bench_work *work)
{
    (void)work;
    return 0.0;
}

#endif

static int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, bench_by_value);
    return values[n / 2];
}

static void bench_run(const bench_work *work, const char *shape)
{
    double seconds[BENCH_REPEATS], share[BENCH_REPEATS];
    size_t calls = 1, turn = 0;
    for (double spent = 0.0; spent < BENCH_SECONDS && calls < (1u << 24); calls *= 2) {
        double start = bench_now();
        for (size_t i = 0; i < calls; i++)
            work->call(work, turn++);
        spent = bench_now() - start;
    }
    for (size_t r = 0; r < BENCH_REPEATS; r++) {
        double peak = work->flop > 0.0 ? bench_peak(work) : 0.0;
        double start = bench_now();
        for (size_t i = 0; i < calls; i++)
            work->call(work, turn++);
        seconds[r] = (bench_now() - start) / (double)calls;
        share[r] = peak > 0.0 ? work->flop / seconds[r] / peak : 0.0;
    }
    double s = bench_median(seconds, BENCH_REPEATS);
    printf("%-10s %-17s %-22s %10.3f us %8.2f GB/s", memo_cpu_name(work->kernels->cpu),
           work->kernel, shape, s * 1e6, work->bytes / s * 1e-9);
    if (work->flop > 0.0)
        printf(" %8.2f %s", work->flop / s * 1e-9,
               work->gemm.kind == MEMO_GEMM_INT8 ? "Gop/s" : "GFLOP/s");
    if (share[0] > 0.0)
        printf(" %5.1f %% of peak", 100.0 * bench_median(share, BENCH_REPEATS));
    printf("\n");
    fflush(stdout);
}

static float *bench_array(size_t n)
{
    float *p = memo_aligned_alloc(n * sizeof *p);
    if (!p) {
        fprintf(stderr, "memo_check: no memory for %zu floats\n", n);
        exit(2);
    }
    memo_rng rng;
    memo_rng_init(&rng, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)memo_rng_unit(&rng) - 0.5f;
    return p;
}

static void bench_call_gemm(const bench_work *work, size_t turn)
{
    memo_gemm g = work->gemm;
    g.w = (const char *)g.w + turn % work->n_weights * (g.n / MEMO_PANEL * g.panel_stride);
    memo_gemm_run(work->kernels, &g);
}

void bench_gemm_f32(const memo_kernels *kernels)
{
    static const size_t ms[] = {1, 4, 16, 96, 256};
    static const struct {
        size_t n, k;
        memo_epilogue epilogue;
    } shapes[] = {
        {384, 384, MEMO_EPILOGUE_NONE},  {1152, 384, MEMO_EPILOGUE_NONE},
        {1536, 384, MEMO_EPILOGUE_NONE}, {1536, 384, MEMO_EPILOGUE_GELU_ERF},
        {384, 1536, MEMO_EPILOGUE_NONE}, {384, 1536, MEMO_EPILOGUE_ADD},
    };
    static const char *const epilogues[] = {"", " gelu", " gelu", " +res"};
    float *w = bench_array(BENCH_WEIGHT_BYTES / sizeof(float));
    float *a = bench_array(256 * 1536), *c = bench_array(256 * 1536), *bias = bench_array(1536);
    /* The reference takes seconds where the others take milliseconds. */
    size_t n_ms = kernels->cpu == MEMO_CPU_REF ? 2 : sizeof ms / sizeof *ms;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t i = 0; i < n_ms; i++) {
            size_t m = ms[i], n = shapes[s].n, k = shapes[s].k;
            bench_work work = {
                .call = bench_call_gemm,
                .kernels = kernels,
                .kernel = "gemm_f32",
                .flop = 2.0 * (double)m * (double)n * (double)k,
                .bytes = 4.0 * (double)(m * k + n * k + m * n),
                .gemm = {.m = m,
                         .n = n,
                         .k = k,
                         .a = a,
                         .lda = k * sizeof *a,
                         .w = w,
                         .panel_stride = k * MEMO_PANEL * sizeof *w,
                         .bias = bias,
                         .c = c,
                         .ldc = n,
                         .epilogue = shapes[s].epilogue,
                         .residual = c,
                         .ld_residual = n},
                .n_weights = BENCH_WEIGHT_BYTES / sizeof(float) / (n * k),
            };
            char shape[40];
            snprintf(shape, sizeof shape, "%zux%zux%zu%s", m, n, k, epilogues[shapes[s].epilogue]);
            bench_run(&work, shape);
        }
    }
    memo_aligned_free(w);
    memo_aligned_free(a);
    memo_aligned_free(c);
    memo_aligned_free(bias);
}

/* The weights are any bytes and their sums do not belong to them: it costs the same. */
void bench_gemm_int8(const memo_kernels *kernels)
{
    static const size_t ms[] = {1, 4, 16, 96, 256};
    static const struct {
        size_t n, k;
        memo_epilogue epilogue;
    } shapes[] = {
        {384, 384, MEMO_EPILOGUE_NONE},
        {1152, 384, MEMO_EPILOGUE_NONE},
        {1536, 384, MEMO_EPILOGUE_GELU_ERF},
        {384, 1536, MEMO_EPILOGUE_ADD},
    };
    static const char *const epilogues[] = {"", " gelu", " gelu", " +res"};
    float *w = bench_array(BENCH_WEIGHT_BYTES / sizeof(float));
    float *a = bench_array(256 * 1536 / sizeof(float)), *c = bench_array(256 * 1536);
    float *side = bench_array(1536);
    size_t n_ms = kernels->cpu == MEMO_CPU_REF ? 2 : sizeof ms / sizeof *ms;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t i = 0; i < n_ms; i++) {
            size_t m = ms[i], n = shapes[s].n, k = shapes[s].k;
            bench_work work = {
                .call = bench_call_gemm,
                .kernels = kernels,
                .kernel = "gemm_int8",
                .flop = 2.0 * (double)m * (double)n * (double)k,
                .bytes = (double)(m * k + n * k) + 4.0 * (double)(m * n),
                .gemm = {.kind = MEMO_GEMM_INT8,
                         .m = m,
                         .n = n,
                         .k = k,
                         .a = a,
                         .lda = k,
                         .a_row = (const memo_int8_row *)(const void *)side,
                         .w = w,
                         .panel_stride = k * MEMO_PANEL,
                         .scale = side,
                         .w_sum = (const int32_t *)(const void *)side,
                         .bias = side,
                         .c = c,
                         .ldc = n,
                         .epilogue = shapes[s].epilogue,
                         .residual = c,
                         .ld_residual = n},
                .n_weights = BENCH_WEIGHT_BYTES / (n * k),
            };
            char shape[40];
            snprintf(shape, sizeof shape, "%zux%zux%zu%s", m, n, k, epilogues[shapes[s].epilogue]);
            bench_run(&work, shape);
        }
    }
    memo_aligned_free(w);
    memo_aligned_free(a);
    memo_aligned_free(c);
    memo_aligned_free(side);
}

static void bench_call_map(const bench_work *work, size_t turn)
{
    const memo_kernels *kernels = work->kernels;
    const char *name = work->kernel;
    (void)turn;
    if (!strcmp(name, "add_f32"))
        kernels->add_f32(work->n, work->x, work->z, work->y);
    else if (!strcmp(name, "scale_f32"))
        kernels->scale_f32(work->n, 1.25f, work->x, work->y);
    else if (!strcmp(name, "exp_f32"))
        kernels->exp_f32(work->n, work->x, work->y);
    else if (!strcmp(name, "erf_f32"))
        kernels->erf_f32(work->n, work->x, work->y);
    else if (!strcmp(name, "tanh_f32"))
        kernels->tanh_f32(work->n, work->x, work->y);
    else if (!strcmp(name, "gelu_erf_f32"))
        kernels->gelu_erf_f32(work->n, work->x, work->y);
    else
        kernels->gelu_tanh_f32(work->n, work->x, work->y);
}

void bench_map(const memo_kernels *kernels, const char *kernel)
{
    bench_work work = {.call = bench_call_map, .kernels = kernels, .kernel = kernel, .n = 1536};
    work.x = bench_array(work.n);
    work.y = bench_array(work.n);
    work.z = bench_array(work.n);
    work.bytes = (strcmp(kernel, "add_f32") ? 8.0 : 12.0) * (double)work.n;
    bench_run(&work, "1536");
    memo_aligned_free(work.x);
    memo_aligned_free(work.y);
    memo_aligned_free(work.z);
}

static void bench_call_rows(const bench_work *work, size_t turn)
{
    const memo_kernels *kernels = work->kernels;
    const char *name = work->kernel;
    (void)turn;
    if (!strcmp(name, "softmax_f32"))
        kernels->softmax_f32(work->n, 0.125f, work->x);
    else if (!strcmp(name, "layer_norm_f32"))
        kernels->layer_norm_f32(work->n, work->x, work->z, work->z, 1e-12f, work->y);
    else if (!strcmp(name, "dot_f32"))
        work->y[0] = kernels->dot_f32(work->n, work->x, work->z);
    else if (!strcmp(name, "dot_rows_f32"))
        kernels->dot_rows_f32(work->n, work->z, work->x, work->n, work->n_rows, work->y);
    else if (!strcmp(name, "quantize_row_int8"))
        kernels->quantize_row_int8(work->n, work->n, work->x, (uint8_t *)work->y,
                                   (memo_int8_row *)(void *)work->z);
    else
        kernels->pack_panels_f32(work->n_rows, work->n, work->x, work->n, work->y,
                                 work->n * MEMO_PANEL);
}

void bench_rows(const memo_kernels *kernels, const char *kernel)
{
    bench_work work = {.call = bench_call_rows, .kernels = kernels, .kernel = kernel};
    char shape[40];
    double floats;
    work.n = 384;
    work.n_rows = 1;
    if (!strcmp(kernel, "softmax_f32"))
        work.n = 128;
    else if (!strcmp(kernel, "dot_rows_f32"))
        work.n_rows = 20000; /* 31 MB: streamed from memory */
    else if (!strcmp(kernel, "pack_panels_f32"))
        work.n_rows = 128, work.n = 32; /* keys of one head */
    floats = (double)(work.n * work.n_rows);
    work.x = bench_array(work.n * work.n_rows);
    work.y = bench_array(work.n * work.n_rows);
    work.z = bench_array(work.n);
    int reads_only = !strncmp(kernel, "dot", 3);
    work.bytes = (reads_only ? 4.0 : 8.0) * floats;
    work.flop = reads_only ? 2.0 * floats : 0.0;
    snprintf(shape, sizeof shape, work.n_rows > 1 ? "%zux%zu" : "%zu%.0zu",
             work.n_rows > 1 ? work.n_rows : work.n, work.n_rows > 1 ? work.n : 0);
    bench_run(&work, shape);
    memo_aligned_free(work.x);
    memo_aligned_free(work.y);
    memo_aligned_free(work.z);
}
