// SPDX-License-Identifier: Apache-2.0
/* check_bench.c -- the same kernels against the clock, and against what the machine could do.
 *
 * Time is processor time of this thread, so that other processes cost less noise; each figure is
 * the median of several repeats. Peak and bandwidth are measured right before every repeat and a
 * share is the median of the ratios: a change of frequency, or of what neighbours leave of the
 * memory, cancels. Weights of the GEMM rotate through more memory than a third-level cache holds,
 * as in a pass through a whole model, and the bandwidth is that of the same memory. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check_peak.h"

#define BENCH_REPEATS      11
#define BENCH_SECONDS      0.002 /* one repeat */
#define BENCH_WEIGHT_BYTES ((size_t)48 << 20)
#define BENCH_MAX_M        256
#define BENCH_MAX_K        3072
#define BENCH_ROW_GAP      64 /* bytes between rows, as in the model: see nn/transformer.c */
#define BENCH_MAX_N        4096

typedef void (*bench_map_fn)(size_t n, const float *x, float *y);

/* What one call does; `turn` counts the calls. */
typedef struct bench_work {
    void (*call)(const struct bench_work *work, size_t turn);
    const memo_kernels *kernels;
    const char *kernel;
    double ops, bytes; /* of a call; ops 0: only time and bytes are shown */
    size_t n, n_rows;
    memo_gemm gemm;       /* m 0: another kernel */
    size_t n_weights;     /* copies to rotate through */
    size_t weight_bytes;  /* of one of them */
    const char *epilogue; /* "", "gelu" */
    float *x, *y, *z;
    bench_map_fn map; /* y = map(x) of n values */
} bench_work;

/* Medians. */
typedef struct bench_figures {
    double seconds, peak, bandwidth;
    double of_peak, of_limit; /* shares; 0: no peak is known */
} bench_figures;

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

static bench_figures bench_measure(const bench_work *work)
{
    double seconds[BENCH_REPEATS], peaks[BENCH_REPEATS], rates[BENCH_REPEATS];
    double of_peak[BENCH_REPEATS], of_limit[BENCH_REPEATS];
    size_t calls = 1, turn = 0;
    for (double spent = 0.0; spent < BENCH_SECONDS && calls < (1u << 24); calls *= 2) {
        double start = bench_clock();
        for (size_t i = 0; i < calls; i++)
            work->call(work, turn++);
        spent = bench_clock() - start;
    }
    for (size_t r = 0; r < BENCH_REPEATS; r++) {
        int is_gemm = work->gemm.m > 0;
        double peak = is_gemm ? bench_peak(work->kernels, work->gemm.kind) : 0.0;
        double rate = is_gemm ? bench_bandwidth(work->gemm.w, BENCH_WEIGHT_BYTES) : 0.0;
        double start = bench_clock();
        for (size_t i = 0; i < calls; i++)
            work->call(work, turn++);
        seconds[r] = (bench_clock() - start) / (double)calls;
        double computing = peak > 0.0 ? work->ops / peak : 0.0;
        double reading = rate > 0.0 ? (double)work->weight_bytes / rate : 0.0;
        peaks[r] = peak;
        rates[r] = rate;
        of_peak[r] = computing / seconds[r];
        of_limit[r] = (computing > reading ? computing : reading) / seconds[r];
    }
    return (bench_figures){bench_median(seconds, BENCH_REPEATS), bench_median(peaks, BENCH_REPEATS),
                           bench_median(rates, BENCH_REPEATS), bench_median(of_peak, BENCH_REPEATS),
                           bench_median(of_limit, BENCH_REPEATS)};
}

static void bench_print_json(const bench_work *work, const char *shape, const bench_figures *f)
{
    const memo_gemm *g = &work->gemm;
    printf("{\"level\": \"%s\", \"kernel\": \"%s\", \"shape\": \"%s\", \"us\": %.4f, "
           "\"gb_s\": %.3f",
           memo_cpu_name(work->kernels->cpu), work->kernel, shape, f->seconds * 1e6,
           work->bytes / f->seconds * 1e-9);
    if (g->m > 0)
        printf(", \"m\": %zu, \"n\": %zu, \"k\": %zu, \"epilogue\": \"%s\", \"gop_s\": %.3f, "
               "\"instructions\": \"%s\", \"peak_gop_s\": %.3f, \"bandwidth_gb_s\": %.3f, "
               "\"of_peak\": %.4f, \"of_limit\": %.4f",
               g->m, g->n, g->k, work->epilogue, work->ops / f->seconds * 1e-9,
               bench_peak_name(work->kernels, g->kind), f->peak * 1e-9, f->bandwidth * 1e-9,
               f->of_peak, f->of_limit);
    printf("}\n");
}

static void bench_print_text(const bench_work *work, const char *shape, const bench_figures *f)
{
    printf("%-10s %-17s %-22s %10.3f us %8.2f GB/s", memo_cpu_name(work->kernels->cpu),
           work->kernel, shape, f->seconds * 1e6, work->bytes / f->seconds * 1e-9);
    if (work->ops > 0.0)
        printf(" %8.2f Gop/s", work->ops / f->seconds * 1e-9);
    if (f->peak > 0.0)
        printf(" %5.1f %% of peak %5.1f %% of the limit", 100.0 * f->of_peak, 100.0 * f->of_limit);
    printf("\n");
}

static void bench_run(const bench_work *work, const char *shape, const bench_options *options)
{
    bench_figures figures = bench_measure(work);
    if (options->json)
        bench_print_json(work, shape, &figures);
    else
        bench_print_text(work, shape, &figures);
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

/* A class of weights: the kind that runs it, and bits of one weight. */
typedef struct bench_class {
    const char *name;
    memo_gemm_kind kind;
    unsigned bits;
    int multiplier, palette; /* 4-bit weights, unpacked to int8 */
} bench_class;

static const bench_class bench_classes[] = {
    {"gemm_f32", MEMO_GEMM_F32, 32, 0, 0},   {"gemm_f16", MEMO_GEMM_F16, 16, 0, 0},
    {"gemm_bf16", MEMO_GEMM_BF16, 16, 0, 0}, {"gemm_w8", MEMO_GEMM_W8, 8, 0, 0},
    {"gemm_int8", MEMO_GEMM_INT8, 8, 0, 0},  {"gemm_int4", MEMO_GEMM_INT8, 4, 1, 0},
    {"gemm_lut4", MEMO_GEMM_INT8, 4, 0, 1},
};

/* N and K of an encoder 384 wide (MiniLM) and of a decoder 1024 wide, with 16 heads of queries and 8
 * of keys and values of 128, and what follows each product in the model. */
static const struct {
    size_t n, k;
    memo_epilogue epilogue;
} bench_shapes[] = {
    {1152, 384, MEMO_EPILOGUE_NONE}, {384, 384, MEMO_EPILOGUE_ADD},
    {1536, 384, MEMO_EPILOGUE_NONE}, {1536, 384, MEMO_EPILOGUE_GELU_ERF}, /* fast before bytes */
    {384, 1536, MEMO_EPILOGUE_ADD},  {4096, 1024, MEMO_EPILOGUE_NONE},
    {1024, 2048, MEMO_EPILOGUE_ADD}, {3072, 1024, MEMO_EPILOGUE_NONE},
    {1024, 3072, MEMO_EPILOGUE_ADD},
};

/* What all GEMMs of a run share. The values do not matter, but that none is subnormal, infinite or
 * NaN: weights are any bytes, their sums do not belong to them. */
typedef struct bench_arrays {
    float *w, *a, *c, *side;
    uint8_t *unpacked;
    uint8_t multiplier[BENCH_MAX_N / MEMO_PANEL * BENCH_MAX_K / 32 *
                       16];          /* of one block of inputs, 1 */
    int8_t palette[BENCH_MAX_N * 2]; /* [n / 16][2][16] */
} bench_arrays;

static bench_arrays *bench_arrays_new(void)
{
    bench_arrays *arrays = memo_calloc(1, sizeof *arrays);
    if (!arrays) {
        fprintf(stderr, "memo_check: no memory\n");
        exit(2);
    }
    arrays->w = bench_array(BENCH_WEIGHT_BYTES / sizeof(float));
    uint16_t *halves = (uint16_t *)(void *)arrays->w; /* normal as f16, as bf16 and as f32 */
    for (size_t i = 0; i < BENCH_WEIGHT_BYTES / sizeof *halves; i++)
        halves[i] = (uint16_t)((halves[i] & 0x81FF) | 0x3C00);
    arrays->a = bench_array(BENCH_MAX_M * (BENCH_MAX_K + BENCH_ROW_GAP / sizeof(float)));
    arrays->c = bench_array(BENCH_MAX_M * (BENCH_MAX_N + BENCH_ROW_GAP / sizeof(float)));
    arrays->side = bench_array(BENCH_MAX_N);
    arrays->unpacked = (uint8_t *)bench_array(MEMO_TILE_COLS * BENCH_MAX_K / sizeof(float));
    memset(arrays->multiplier, 3, sizeof arrays->multiplier);
    memset(arrays->palette, 17, sizeof arrays->palette);
    return arrays;
}

static void bench_arrays_free(bench_arrays *arrays)
{
    memo_aligned_free(arrays->w);
    memo_aligned_free(arrays->a);
    memo_aligned_free(arrays->c);
    memo_aligned_free(arrays->side);
    memo_aligned_free((float *)(void *)arrays->unpacked);
    memo_free(arrays);
}

static void bench_call_gemm(const bench_work *work, size_t turn)
{
    memo_gemm g = work->gemm;
    g.w = (const char *)g.w + turn % work->n_weights * work->weight_bytes;
    memo_gemm_run(work->kernels, &g);
}

/* As the model runs it: what goes on to bytes needs no more than the fast form. */
static memo_epilogue bench_epilogue(const bench_class *cls, memo_epilogue epilogue)
{
    return cls->kind == MEMO_GEMM_INT8 && epilogue == MEMO_EPILOGUE_GELU_ERF
               ? MEMO_EPILOGUE_GELU_ERF_FAST
               : epilogue;
}

static void bench_one_gemm(const bench_class *cls, size_t shape, bench_work *work,
                           bench_arrays *arrays, const bench_options *options)
{
    static const char *const epilogues[MEMO_EPILOGUES] = {
        [MEMO_EPILOGUE_NONE] = "",
        [MEMO_EPILOGUE_GELU_ERF] = "gelu",
        [MEMO_EPILOGUE_GELU_TANH] = "gelu",
        [MEMO_EPILOGUE_ADD] = "residual",
        [MEMO_EPILOGUE_GELU_ERF_FAST] = "gelu",
    };
    size_t m = work->gemm.m, n = bench_shapes[shape].n, k = bench_shapes[shape].k;
    memo_unpack unpack = {.multiplier = cls->multiplier ? arrays->multiplier : NULL,
                          .block = 32,
                          .palette = cls->palette ? arrays->palette : NULL,
                          .n_in = k};
    size_t a_size = cls->kind == MEMO_GEMM_INT8                                 ? 1
                    : cls->kind == MEMO_GEMM_BF16 && work->kernels->bf16_inputs ? 2
                                                                                : 4;
    work->gemm = (memo_gemm){
        .kind = cls->kind,
        .m = m,
        .n = n,
        .k = k,
        .a = arrays->a,
        .lda = k * a_size + BENCH_ROW_GAP,
        .a_row = (const memo_int8_row *)(const void *)arrays->side,
        .w = arrays->w,
        .panel_stride = k * MEMO_PANEL * cls->bits / 8,
        .unpack = cls->bits == 4 ? &unpack : NULL,
        .unpacked = arrays->unpacked,
        .scale = arrays->side,
        .w_sum = (const int32_t *)(const void *)arrays->side,
        .bias = arrays->side,
        .c = arrays->c,
        .ldc = n + BENCH_ROW_GAP / sizeof(float),
        .epilogue = bench_epilogue(cls, bench_shapes[shape].epilogue),
        .residual = arrays->c,
        .ld_residual = n + BENCH_ROW_GAP / sizeof(float),
    };
    work->epilogue = epilogues[bench_shapes[shape].epilogue];
    work->ops = 2.0 * (double)m * (double)n * (double)k;
    work->weight_bytes = n * k * cls->bits / 8;
    work->n_weights = BENCH_WEIGHT_BYTES / work->weight_bytes;
    work->bytes = (double)(work->weight_bytes + m * k * a_size + m * n * sizeof(float));
    char name[48];
    snprintf(name, sizeof name, "%zux%zux%zu%s%s", m, n, k, *work->epilogue ? " " : "",
             work->epilogue);
    bench_run(work, name, options);
}

/* Is the class run by code that no lower level of this CPU has? */
static int bench_is_new(const memo_kernels *kernels, const bench_class *cls)
{
    for (int cpu = MEMO_CPU_REF; cpu < (int)kernels->cpu; cpu++) {
        const memo_kernels *other = memo_kernels_for((memo_cpu)cpu);
        if (other && other->gemm[cls->kind].run == kernels->gemm[cls->kind].run &&
            (cls->bits > 4 || other->unpack_4bit == kernels->unpack_4bit))
            return 0;
    }
    return 1;
}

void bench_gemm(const memo_kernels *kernels, const char *kernel, const bench_options *options)
{
    static const size_t ms[] = {1, 8, 32, 96, 256};
    bench_arrays *arrays = bench_arrays_new();
    /* The reference takes seconds where the others take milliseconds. */
    size_t n_ms = kernels->cpu == MEMO_CPU_REF ? 1 : sizeof ms / sizeof *ms;
    for (size_t i = 0; i < sizeof bench_classes / sizeof *bench_classes; i++) {
        const bench_class *cls = &bench_classes[i];
        if ((cls->kind == MEMO_GEMM_INT8) != !strcmp(kernel, "gemm_int8") ||
            (options->classes && strcmp(options->classes, cls->name + strlen("gemm_"))) ||
            (!options->every && !bench_is_new(kernels, cls)))
            continue;
        for (size_t shape = 0; shape < sizeof bench_shapes / sizeof *bench_shapes; shape++) {
            for (size_t r = 0; r < n_ms; r++) {
                bench_work work = {.call = bench_call_gemm,
                                   .kernels = kernels,
                                   .kernel = cls->name,
                                   .gemm = {.m = ms[r]}};
                bench_one_gemm(cls, shape, &work, arrays, options);
            }
        }
    }
    bench_arrays_free(arrays);
}

static void bench_call_add(const bench_work *work, size_t turn)
{
    (void)turn;
    work->kernels->add_f32(work->n, work->x, work->z, work->y);
}

static void bench_call_scale(const bench_work *work, size_t turn)
{
    (void)turn;
    work->kernels->scale_rows_f32(1, work->n, work->z, work->x, work->n, work->y, work->n);
}

static void bench_call_map(const bench_work *work, size_t turn)
{
    (void)turn;
    work->map(work->n, work->x, work->y);
}

/* The function of one variable that has this name, or NULL. */
static bench_map_fn bench_map_named(const memo_kernels *kernels, const char *name)
{
    const struct {
        const char *name;
        bench_map_fn fn;
    } maps[] = {
        {"exp_f32", kernels->exp_f32},
        {"erf_f32", kernels->erf_f32},
        {"tanh_f32", kernels->tanh_f32},
        {"gelu_erf_f32", kernels->gelu_erf_f32},
        {"gelu_tanh_f32", kernels->gelu_tanh_f32},
        {"gelu_erf_fast_f32", kernels->gelu_erf_fast_f32},
    };
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        if (!strcmp(maps[i].name, name))
            return maps[i].fn;
    }
    return NULL;
}

void bench_map(const memo_kernels *kernels, const char *kernel, const bench_options *options)
{
    bench_work work = {.call = bench_call_map, .kernels = kernels, .kernel = kernel, .n = 1536};
    work.map = bench_map_named(kernels, kernel);
    if (!strcmp(kernel, "add_f32"))
        work.call = bench_call_add;
    else if (!strcmp(kernel, "scale_rows_f32"))
        work.call = bench_call_scale;
    else if (!work.map) {
        fprintf(stderr, "memo_check: no benchmark of %s\n", kernel);
        exit(2);
    }
    work.x = bench_array(work.n);
    work.y = bench_array(work.n);
    work.z = bench_array(work.n);
    work.bytes = (strcmp(kernel, "add_f32") ? 8.0 : 12.0) * (double)work.n;
    bench_run(&work, "1536", options);
    memo_aligned_free(work.x);
    memo_aligned_free(work.y);
    memo_aligned_free(work.z);
}

static void bench_call_rows(const bench_work *work, size_t turn)
{
    const memo_kernels *kernels = work->kernels;
    const char *name = work->kernel;
    (void)turn;
    if (!strcmp(name, "layer_norm_f32"))
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

void bench_rows(const memo_kernels *kernels, const char *kernel, const bench_options *options)
{
    bench_work work = {.call = bench_call_rows, .kernels = kernels, .kernel = kernel};
    char shape[40];
    double floats;
    work.n = 384;
    work.n_rows = 1;
    if (!strcmp(kernel, "dot_rows_f32"))
        work.n_rows = 20000; /* 31 MB: streamed from memory */
    else if (!strcmp(kernel, "pack_panels_f32"))
        work.n_rows = 128, work.n = 32; /* keys of one head */
    floats = (double)(work.n * work.n_rows);
    work.x = bench_array(work.n * work.n_rows);
    work.y = bench_array(work.n * work.n_rows);
    work.z = bench_array(work.n);
    int reads_only = !strncmp(kernel, "dot", 3);
    work.bytes = (reads_only ? 4.0 : 8.0) * floats;
    work.ops = reads_only ? 2.0 * floats : 0.0;
    snprintf(shape, sizeof shape, work.n_rows > 1 ? "%zux%zu" : "%zu%.0zu",
             work.n_rows > 1 ? work.n_rows : work.n, work.n_rows > 1 ? work.n : 0);
    bench_run(&work, shape, options);
    memo_aligned_free(work.x);
    memo_aligned_free(work.y);
    memo_aligned_free(work.z);
}

static void bench_call_softmax(const bench_work *work, size_t turn)
{
    const memo_kernels *kernels = work->kernels;
    memo_softmax_tile tile = {
        .n_rows = work->n_rows,
        .n_keys = work->n,
        .x = work->x,
        .ld = work->n,
        .from = -(ptrdiff_t)work->n,
        .to = (ptrdiff_t)work->n,
        .scale = 0.125f,
        .first = 1,
        .largest = work->z,
        .sum = work->z + 16,
        .rescale = work->z + 32,
    };
    (void)turn;
    if (strcmp(work->kernel, "softmax_tile_bf16") != 0)
        kernels->softmax_tile_f32(&tile);
    else
        kernels->softmax_tile_bf16(&tile);
}

void bench_softmax(const memo_kernels *kernels, const char *kernel, const bench_options *options)
{
    bench_work work = {.call = bench_call_softmax, .kernels = kernels, .kernel = kernel};
    work.n = 128;
    work.n_rows = 12;
    work.bytes = 8.0 * (double)(work.n * work.n_rows);
    work.x = bench_array(work.n * work.n_rows);
    work.z = bench_array(48);
    bench_run(&work, "12x128", options);
    memo_aligned_free(work.x);
    memo_aligned_free(work.z);
}
