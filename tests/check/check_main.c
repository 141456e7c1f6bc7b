// SPDX-License-Identifier: Apache-2.0
/* memo_check -- check every kernel of every level this CPU has; see check.h.
 *
 *   memo_check [--level L] [--kernel NAME] [--seed S] [--exhaustive]
 *   memo_check --bench [--json] [--level L] [--kernel NAME] [--class C]
 *
 * Each pair of level and kernel is one test, seeded on its own, so a failure is replayed by the
 * line printed with it. A table of the levels ends the run; one the CPU lacks is SKIPPED by name
 * there and counts as one. Level amx-emulated is the source of amx over an emulation of its
 * instructions. --bench times the kernels in place of checking them. --exhaustive puts all 2^32 floats through the functions of one variable,
 * tens of minutes. Exit status 0: nothing failed. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernel/levels.h"

typedef enum check_group {
    GROUP_F32,
    GROUP_INT8,
    GROUP_BF16,     /* rows and panels of bf16, where the level has them */
    GROUP_BF16_DOT, /* their products */
    GROUP_BF16_F32, /* products of bf16 with floats, at the other levels */
    GROUP_EMULATION,
} check_group;

typedef struct check_test {
    const char *kernel;
    void (*run)(check *c);
    void (*bench)(const memo_kernels *kernels, const char *kernel, const bench_options *options);
    check_group group;
    int of_one_variable;
} check_test;

static const check_test tests[] = {
    {"gemm_f32_tile", check_gemm_f32_tile, NULL, GROUP_F32, 0}, /* timed through the driver */
    {"gemm_f32", check_gemm_f32, bench_gemm, GROUP_F32, 0},
    {"gemm_f16_tile", check_gemm_f16_tile, NULL, GROUP_F32, 0},
    {"gemm_f16", check_gemm_f16, NULL, GROUP_F32, 0},
    {"gemm_bf16_f32_tile", check_gemm_bf16_f32_tile, NULL, GROUP_BF16_F32, 0},
    {"gemm_bf16_f32", check_gemm_bf16_f32, NULL, GROUP_BF16_F32, 0},
    {"gemm_w8_tile", check_gemm_w8_tile, NULL, GROUP_F32, 0},
    {"gemm_w8", check_gemm_w8, NULL, GROUP_F32, 0},
    {"exp_f32", check_exp_f32, bench_map, GROUP_F32, 1},
    {"erf_f32", check_erf_f32, bench_map, GROUP_F32, 1},
    {"tanh_f32", check_tanh_f32, bench_map, GROUP_F32, 1},
    {"gelu_erf_f32", check_gelu_erf_f32, bench_map, GROUP_F32, 1},
    {"gelu_tanh_f32", check_gelu_tanh_f32, bench_map, GROUP_F32, 1},
    {"gelu_erf_fast_f32", check_gelu_erf_fast_f32, bench_map, GROUP_F32, 1},
    {"add_f32", check_add_f32, bench_map, GROUP_F32, 0},
    {"scale_rows_f32", check_scale_rows_f32, bench_map, GROUP_F32, 0},
    {"softmax_tile_f32", check_softmax_tile_f32, bench_softmax, GROUP_F32, 0},
    {"softmax_tile_bf16", check_softmax_tile_bf16, bench_softmax, GROUP_BF16, 0},
    {"rows_to_bf16", check_rows_to_bf16, NULL, GROUP_BF16, 0},
    {"pack_panels_bf16", check_pack_panels_bf16, NULL, GROUP_BF16, 0},
    {"pack_inputs_bf16", check_pack_inputs_bf16, NULL, GROUP_BF16, 0},
    {"gemm_bf16_dot", check_gemm_bf16_dot, NULL, GROUP_BF16_DOT, 0},
    {"layer_norm_f32", check_layer_norm_f32, bench_rows, GROUP_F32, 0},
    {"dot_f32", check_dot_f32, bench_rows, GROUP_F32, 0},
    {"dot_rows_f32", check_dot_rows_f32, bench_rows, GROUP_F32, 0},
    {"pack_panels_f32", check_pack_panels_f32, bench_rows, GROUP_F32, 0},
    {"f16_to_f32", check_f16_to_f32, NULL, GROUP_F32, 0},
    {"quantize_row_int8", check_quantize_row_int8, bench_rows, GROUP_INT8, 0},
    {"quantize_static_int8", check_quantize_static_int8, NULL, GROUP_INT8, 0},
    {"gemm_int8_tile", check_gemm_int8_tile, NULL, GROUP_INT8, 0},
    {"gemm_int8", check_gemm_int8, bench_gemm, GROUP_INT8, 0},
    {"gemm_int8_levels", check_gemm_int8_levels, NULL, GROUP_INT8, 0},
    {"unpack_4bit", check_unpack_4bit, NULL, GROUP_INT8, 0},
    {"gemm_4bit", check_gemm_4bit, NULL, GROUP_INT8, 0},
    {"tile_emulation", check_amx_emulation, NULL, GROUP_EMULATION, 0},
};
#define N_TESTS (sizeof tests / sizeof *tests)

/* Levels that are no entries of the list: AMX in emulation, and the table of avx512bf16 that
 * memo_kernels_for() leaves to CPUs of another family. */
enum { EMULATED = MEMO_CPU_COUNT, UNFAVOURED, LEVELS };

typedef struct options {
    const char *level, *kernel; /* NULL: all */
    uint64_t seed;
    int bench, exhaustive;
    bench_options bench_options;
} options;

typedef struct tally {
    unsigned passed, failed, skipped;
} tally;

static const char *level_name(int level)
{
    return level == EMULATED     ? "amx-emulated"
           : level == UNFAVOURED ? "avx512bf16-unfavoured"
                                 : memo_cpu_name((memo_cpu)level);
}

static const memo_kernels *level_kernels(int level)
{
    if (level < EMULATED)
        return memo_kernels_for((memo_cpu)level);
    if (level == EMULATED)
        return check_amx_emulated();
    const memo_kernels *favoured = memo_kernels_for(MEMO_CPU_AVX512BF16);
    return !favoured                             ? NULL
           : favoured == memo_kernels_avx512bf16 ? memo_kernels_avx512bf16_on_floats
                                                 : memo_kernels_avx512bf16;
}

/* The emulated level has products of its own and nothing else. */
static int level_has(int level, check_group group)
{
    if (level == EMULATED)
        return group != GROUP_F32 && group != GROUP_BF16 && group != GROUP_BF16_F32;
    if (group == GROUP_BF16)
        return level_kernels(level)->rows_to_bf16 != NULL;
    if (group == GROUP_BF16_DOT)
        return level_kernels(level)->bf16_inputs;
    if (group == GROUP_BF16_F32)
        return !level_kernels(level)->bf16_inputs;
    return group != GROUP_EMULATION;
}

static int chosen(const char *filter, const char *name)
{
    return !filter || !strcmp(filter, name);
}

/* Another vector level of this CPU: their templates promise the same bits. */
static const memo_kernels *peer_of(int level)
{
    for (int i = MEMO_CPU_REF + 1; level != MEMO_CPU_REF && i < EMULATED; i++) {
        if (i != level && memo_kernels_for((memo_cpu)i))
            return memo_kernels_for((memo_cpu)i);
    }
    return NULL;
}

static void run_test(const options *o, int level, size_t test, tally *t)
{
    const char *kernel = tests[test].kernel;
    static check c;
    memset(&c, 0, sizeof c);
    c.kernels = level_kernels(level);
    c.peer = peer_of(level);
    memo_rng_init(&c.rng, o->seed + test);
    check_guarded(&c, tests[test].run);
    const char *fault = check_amx_fault();
    if (fault)
        check_fail(&c, "the processor would have faulted: %s", fault);
    if (!c.failed) {
        t->passed++;
        return;
    }
    t->failed++;
    printf("FAILED %s %s: %s\n  replay: memo_check --level %s --kernel %s --seed %" PRIu64 "\n",
           level_name(level), kernel, c.message, level_name(level), kernel, o->seed);
}

/* A level names entries of one below it; timing them once is enough. */
static int is_new(const options *o, int level, check_group group)
{
    const memo_kernels *kernels = level_kernels(level);
    for (int below = MEMO_CPU_REF; !o->level && below < level; below++) {
        const memo_kernels *other = level_kernels(below);
        if (other && (group == GROUP_INT8
                          ? other->gemm[MEMO_GEMM_INT8].run == kernels->gemm[MEMO_GEMM_INT8].run
                      : group == GROUP_BF16 ? other->rows_to_bf16 == kernels->rows_to_bf16
                                            : other->exp_f32 == kernels->exp_f32))
            return 0;
    }
    return level < EMULATED;
}

static tally run_level(const options *o, int level)
{
    tally t = {0};
    if (!level_kernels(level)) {
        t.skipped = 1;
        return t;
    }
    for (size_t i = 0; i < N_TESTS; i++) {
        if (!chosen(o->kernel, tests[i].kernel) || !level_has(level, tests[i].group))
            continue;
        if (!o->bench)
            run_test(o, level, i, &t);
        else if (tests[i].bench == bench_gemm ? level < EMULATED
                                              : tests[i].bench && is_new(o, level, tests[i].group))
            tests[i].bench(level_kernels(level), tests[i].kernel, &o->bench_options);
    }
    return t;
}

static void print_level(int level, const tally *t)
{
    printf("%-21s ", level_name(level));
    if (t->skipped)
        printf("SKIPPED: this %s lacks the level\n",
               level < EMULATED && memo_cpu_has((memo_cpu)level) ? "build" : "CPU");
    else
        printf("%u passed, %u failed\n", t->passed, t->failed);
}

static int run_levels(const options *o)
{
    tally each[LEVELS], t = {0};
    if (!o->bench)
        printf("seed %" PRIu64 "\n", o->seed);
    for (int i = MEMO_CPU_REF; i < LEVELS; i++) {
        if (!chosen(o->level, level_name(i)))
            continue;
        each[i] = run_level(o, i);
        t.passed += each[i].passed;
        t.failed += each[i].failed;
        t.skipped += each[i].skipped;
    }
    for (int i = MEMO_CPU_REF; !o->bench && i < LEVELS; i++) {
        if (chosen(o->level, level_name(i)))
            print_level(i, &each[i]);
    }
    if (!o->bench)
        printf("%u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    return t.failed != 0;
}

/* Of levels that share their functions, the lowest. */
static int run_exhaustive(const options *o)
{
    const memo_kernels *present[MEMO_CPU_COUNT];
    size_t n = 0;
    int excess = 0;
    for (int i = MEMO_CPU_REF + 1; i < EMULATED; i++) {
        if (chosen(o->level, level_name(i)) && level_kernels(i) && is_new(o, i, GROUP_F32))
            present[n++] = level_kernels(i);
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
    for (int i = MEMO_CPU_REF; i < LEVELS; i++)
        level |= o->level && !strcmp(o->level, level_name(i));
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
        else if (!strcmp(argv[i], "--json"))
            o->bench_options.json = 1;
        else if (!strcmp(argv[i], "--class") && value)
            o->bench_options.classes = argv[++i];
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
    o->bench_options.every = o->level != NULL;
    return known(o);
}

int main(int argc, char **argv)
{
    options o = {0};
    if (memo_random_bytes(&o.seed, 4, NULL) != MEMO_OK || !parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: memo_check [--level L] [--kernel NAME] [--seed S] [--exhaustive]\n"
                "       memo_check --bench [--json] [--level L] [--kernel NAME] [--class C]\n");
        return 2;
    }
    return o.exhaustive ? run_exhaustive(&o) : run_levels(&o);
}
