// SPDX-License-Identifier: Apache-2.0
/* memo_check -- check every kernel of every level this CPU has; see check.h.
 *
 *   memo_check [--level L] [--kernel NAME] [--seed S] [--bench] [--exhaustive]
 *
 * Each pair of level and kernel is one test, seeded on its own, so a failure is replayed by the
 * line printed with it. A level the CPU lacks is SKIPPED by name. --bench times the kernels in
 * place of checking them. --exhaustive puts all 2^32 floats through the functions of one variable,
 * tens of minutes. Exit status 0: nothing failed. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

typedef struct check_test {
    const char *kernel;
    void (*run)(check *c);
    void (*bench)(const memo_kernels *kernels, const char *kernel);
    int of_one_variable;
} check_test;

static void bench_gemm(const memo_kernels *kernels, const char *kernel)
{
    (void)kernel;
    bench_gemm_f32(kernels);
}

static const check_test tests[] = {
    {"gemm_f32_tile", check_gemm_f32_tile, NULL, 0}, /* timed through the driver */
    {"gemm_f32", check_gemm_f32, bench_gemm, 0},
    {"quantize_row_int8", check_quantize_row_int8, NULL, 0},
    {"gemm_int8_tile", check_gemm_int8_tile, NULL, 0},
    {"gemm_int8", check_gemm_int8, NULL, 0},
    {"exp_f32", check_exp_f32, bench_map, 1},
    {"erf_f32", check_erf_f32, bench_map, 1},
    {"tanh_f32", check_tanh_f32, bench_map, 1},
    {"gelu_erf_f32", check_gelu_erf_f32, bench_map, 1},
    {"gelu_tanh_f32", check_gelu_tanh_f32, bench_map, 1},
    {"add_f32", check_add_f32, bench_map, 0},
    {"scale_f32", check_scale_f32, bench_map, 0},
    {"softmax_f32", check_softmax_f32, bench_rows, 0},
    {"layer_norm_f32", check_layer_norm_f32, bench_rows, 0},
    {"dot_f32", check_dot_f32, bench_rows, 0},
    {"dot_rows_f32", check_dot_rows_f32, bench_rows, 0},
    {"pack_panels_f32", check_pack_panels_f32, bench_rows, 0},
};
#define N_TESTS (sizeof tests / sizeof *tests)

static const memo_cpu levels[] = {MEMO_CPU_REF, MEMO_CPU_AVX2, MEMO_CPU_AVX512};
#define N_LEVELS (sizeof levels / sizeof *levels)

typedef struct options {
    const char *level, *kernel; /* NULL: all */
    uint64_t seed;
    int bench, exhaustive;
} options;

typedef struct tally {
    unsigned passed, failed, skipped;
} tally;

static int chosen(const char *filter, const char *name)
{
    return !filter || !strcmp(filter, name);
}

/* Another vector level of this CPU: their templates promise the same bits. */
static const memo_kernels *peer_of(memo_cpu cpu)
{
    for (size_t i = 0; cpu != MEMO_CPU_REF && i < N_LEVELS; i++) {
        if (levels[i] != MEMO_CPU_REF && levels[i] != cpu && memo_kernels_for(levels[i]))
            return memo_kernels_for(levels[i]);
    }
    return NULL;
}

static void run_test(const options *o, const memo_kernels *kernels, size_t test, tally *t)
{
    const char *level = memo_cpu_name(kernels->cpu), *kernel = tests[test].kernel;
    static check c;
    memset(&c, 0, sizeof c);
    c.kernels = kernels;
    c.peer = peer_of(kernels->cpu);
    memo_rng_init(&c.rng, o->seed + test);
    check_guarded(&c, tests[test].run);
    if (!c.failed) {
        t->passed++;
        return;
    }
    t->failed++;
    printf("FAILED %s %s: %s\n  replay: memo_check --level %s --kernel %s --seed %" PRIu64 "\n",
           level, kernel, c.message, level, kernel, o->seed);
}

static void run_level(const options *o, memo_cpu cpu, tally *t)
{
    const memo_kernels *kernels = memo_kernels_for(cpu);
    const char *lacking = memo_cpu_has(cpu) ? "this build" : "this CPU";
    for (size_t i = 0; i < N_TESTS; i++) {
        if (!chosen(o->kernel, tests[i].kernel))
            continue;
        if (!kernels) {
            t->skipped++;
            printf("SKIPPED %s %s: %s lacks the level\n", memo_cpu_name(cpu), tests[i].kernel,
                   lacking);
        } else if (!o->bench) {
            run_test(o, kernels, i, t);
        } else if (tests[i].bench) {
            tests[i].bench(kernels, tests[i].kernel);
        }
    }
}

static int run_exhaustive(const options *o)
{
    const memo_kernels *present[N_LEVELS];
    size_t n = 0;
    int excess = 0;
    for (size_t i = 0; i < N_LEVELS; i++) {
        if (levels[i] != MEMO_CPU_REF && chosen(o->level, memo_cpu_name(levels[i])) &&
            memo_kernels_for(levels[i]))
            present[n++] = memo_kernels_for(levels[i]);
    }
    for (size_t i = 0; i < N_TESTS; i++) {
        if (tests[i].of_one_variable && chosen(o->kernel, tests[i].kernel))
            excess |= check_exhaustive(tests[i].kernel, present, n);
    }
    return excess;
}

static int known(const options *o)
{
    int level = !o->level, kernel = !o->kernel;
    for (size_t i = 0; i < N_LEVELS; i++)
        level |= o->level && !strcmp(o->level, memo_cpu_name(levels[i]));
    for (size_t i = 0; i < N_TESTS; i++)
        kernel |= o->kernel && !strcmp(o->kernel, tests[i].kernel);
    if (!level)
        fprintf(stderr, "memo_check: unknown level %s\n", o->level);
    if (!kernel)
        fprintf(stderr, "memo_check: unknown kernel %s\n", o->kernel);
    return level && kernel;
}

static int parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--bench"))
            o->bench = 1;
        else if (!strcmp(argv[i], "--exhaustive"))
            o->exhaustive = 1;
        else if (!strcmp(argv[i], "--level") && value)
            o->level = argv[++i];
        else if (!strcmp(argv[i], "--kernel") && value)
            o->kernel = argv[++i];
        else if (!strcmp(argv[i], "--seed") && value)
            o->seed = strtoull(argv[++i], NULL, 10);
        else
            return 0;
    }
    return known(o);
}

int main(int argc, char **argv)
{
    options o = {0};
    tally t = {0};
    if (memo_random_bytes(&o.seed, 4, NULL) != MEMO_OK || !parse(argc, argv, &o)) {
        fprintf(stderr, "usage: memo_check [--level L] [--kernel NAME] [--seed S] [--bench] "
                        "[--exhaustive]\n");
        return 2;
    }
    if (o.exhaustive)
        return run_exhaustive(&o);
    if (!o.bench)
        printf("seed %" PRIu64 "\n", o.seed);
    for (size_t i = 0; i < N_LEVELS; i++) {
        if (chosen(o.level, memo_cpu_name(levels[i])))
            run_level(&o, levels[i], &t);
    }
    if (!o.bench)
        printf("%u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    return t.failed != 0;
}
