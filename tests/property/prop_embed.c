// SPDX-License-Identifier: Apache-2.0
/* Same text, same bits: whatever the batch, its order, the number of threads and the neighbours.
 *
 * 200 random texts, each embedded alone, then in batches of 1, 2, 7 and 32, on 1, 2 and 4 threads,
 * in order and shuffled: no bit may differ. Then at every lower level of this CPU: again no bit may
 * differ within the level, and none between levels with vector instructions; level ref has
 * approximations of its own and must be near. Runs on a random BERT made here, in every class and a
 * mixture, and on the compiled models that MEMO_MODEL_F32 and MEMO_MODEL_INT8 name; also for a caller
 * that rounds up. MEMO_SEED chooses the texts, MEMO_QUICK takes an eighth of them. */
#include "unit/memo_test.h"

#include <fenv.h>

#include <memolith/memolith.h>

#include "kernel/kernels.h"
#include "unit/bert_source.h"

#define N_TEXTS   200
#define MAX_BYTES 2048

/* Texts at lower levels, which are slower: of the random model and of the default one. */
#define N_TEXTS_BELOW   64
#define N_TEXTS_DEFAULT 16
#define QUICK_OF        8

typedef struct prop_env {
    uint64_t seed;
    memo_text texts[N_TEXTS];
    char bytes[N_TEXTS][MAX_BYTES];
} prop_env;

/* Mostly words of one to a few tokens; some accents, digits, marks and rare long texts. */
static void make_text(memo_rng *rng, char out[MAX_BYTES])
{
    static const char *const some[] = {"the",    "cat",    "river",       "boat",   "said",
                                       "1954",   "stone",  "caf\xc3\xa9", "garden", "night",
                                       "seven,", "(see",   "it.",         "a",      "of",
                                       "unread", "window", "\xe6\x9c\xa8"};
    size_t n_words =
        memo_rng_below(rng, 10) == 0 ? memo_rng_below(rng, 250) : memo_rng_below(rng, 40);
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n_words && n + 16 < MAX_BYTES; i++)
        n += (size_t)snprintf(out + n, MAX_BYTES - n, "%s ",
                              some[memo_rng_below(rng, sizeof some / sizeof *some)]);
}

static size_t prop_n_texts(size_t n)
{
    return getenv("MEMO_QUICK") ? n / QUICK_OF : n;
}

static void shuffle(memo_rng *rng, size_t *order, size_t n)
{
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = memo_rng_below(rng, i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
}

/* One model at one level, and its vectors of the first n_texts texts. */
typedef struct prop_level {
    memo_cpu cpu;
    memo_ctx *ctx;
    memo_model *model;
    memo_model_info info;
    size_t n_texts, n_runs;
    size_t order[N_TEXTS];
    float *want, *got; /* [n_texts, dim]: each text alone on one thread; the run at hand */
} prop_level;

/* Returns 0 when this CPU lacks the level. */
static int open_level(prop_level *l, const char *path, memo_cpu cpu, size_t n_texts, int portable)
{
    memo_model_options o = {.size = sizeof o, .portable = portable};
    memo_ctx_options options = {.size = sizeof options, .n_threads = 4, .cpu = cpu};
    memo_err err = {0};

    *l = (prop_level){.n_texts = n_texts};
    memo_status status = memo_ctx_new(&options, &l->ctx, &err);
    if (status == MEMO_ERR_UNSUPPORTED)
        return 0;
    assert_memo_ok(status, err);
    l->cpu = memo_ctx_cpu(l->ctx);
    assert_memo_ok(memo_model_open(l->ctx, path, &o, &l->model, &err), err);
    l->info.size = sizeof l->info;
    memo_model_get_info(l->model, &l->info, NULL);
    l->want = calloc(n_texts, l->info.dim * sizeof *l->want);
    l->got = calloc(n_texts, l->info.dim * sizeof *l->got);
    for (size_t i = 0; i < n_texts; i++)
        l->order[i] = i;
    return 1;
}

static void close_level(prop_level *l)
{
    free(l->want);
    free(l->got);
    memo_model_close(l->model);
    memo_ctx_free(l->ctx);
}

/* Embed all texts in batches, in the given order; vectors land at their texts' places. */
static void embed_batches(const prop_level *l, const prop_env *e, size_t batch, unsigned n_threads,
                          float *vectors)
{
    memo_embed_options o = {.size = sizeof o, .n_threads = n_threads};
    memo_text texts[32];
    size_t dim = l->info.dim;
    float *out = calloc(batch, dim * sizeof *out);
    memo_err err = {0};

    for (size_t first = 0; first < l->n_texts; first += batch) {
        size_t n = l->n_texts - first < batch ? l->n_texts - first : batch;
        for (size_t i = 0; i < n; i++)
            texts[i] = e->texts[l->order[first + i]];
        assert_memo_ok(memo_model_embed(l->model, &o, texts, n, out, NULL, &err), err);
        for (size_t i = 0; i < n; i++)
            memcpy(vectors + l->order[first + i] * dim, out + i * dim, dim * sizeof *out);
    }
    free(out);
}

static size_t count_bits(const float *a, const float *b, size_t n)
{
    size_t n_bits = 0;
    for (size_t i = 0; i < n * sizeof *a; i++)
        n_bits += (size_t)__builtin_popcount(((const unsigned char *)a)[i] ^
                                             ((const unsigned char *)b)[i]);
    return n_bits;
}

static void check_run(prop_level *l, const prop_env *e, size_t batch, unsigned n_threads,
                      memo_rng *shuffler)
{
    if (shuffler)
        shuffle(shuffler, l->order, l->n_texts);
    memset(l->got, 0, l->n_texts * l->info.dim * sizeof *l->got);
    embed_batches(l, e, batch, n_threads, l->got);
    size_t n_bits = count_bits(l->got, l->want, l->n_texts * l->info.dim);
    if (n_bits)
        fail_msg("level %s: batch %zu, %u threads, %s: %zu bits differ", memo_cpu_name(l->cpu),
                 batch, n_threads, shuffler ? "shuffled" : "in order", n_bits);
    l->n_runs++;
}

/* Of a caller that rounds up: the workers do not know of it, and the vectors are none the worse. */
static void check_rounding_of_caller(prop_level *l, const prop_env *e)
{
    assert_int_equal(fesetround(FE_UPWARD), 0);
    check_run(l, e, 32, 1, NULL);
    check_run(l, e, 32, 4, NULL);
    assert_int_equal(fegetround(), FE_UPWARD); /* as it was */
    fesetround(FE_TONEAREST);
}

/* Do two levels promise the same bits? Where attention is portable; class bf16, where both multiply
 * the same way. */
static int same_arithmetic(const prop_level *best, memo_cpu cpu)
{
    const memo_kernels *kernels = memo_kernels_for(cpu), *of_best = memo_kernels_for(best->cpu);

    return cpu != MEMO_CPU_REF &&
           (best->info.cls != MEMO_CLASS_BF16 || kernels->bf16_inputs == of_best->bf16_inputs);
}

/* Level ref rounds exp, erf and the norms its own way. Where inputs become bytes such a difference moves a value that lies between two of them by a step, 1/254 of its
 * row's range, and from there on both runs have rounding errors of their own: they are as far from
 * each other as each may be from f32. In bf16 a step is 2^-9. */
static double near_enough(memo_class cls)
{
    switch (cls) {
    case MEMO_CLASS_F32:
    case MEMO_CLASS_F16:
        return 0.999999;
    case MEMO_CLASS_BF16:
        return 0.9999;
    default:
        return 0.985;
    }
}

static void check_near(const prop_level *best, const prop_level *l)
{
    double least = 1, wanted = near_enough(best->info.cls);
    size_t dim = l->info.dim;

    for (size_t t = 0; t < l->n_texts; t++) {
        double dot = 0; /* of unit vectors */
        for (size_t i = 0; i < dim; i++)
            dot += (double)l->want[t * dim + i] * (double)best->want[t * dim + i];
        least = dot < least ? dot : least;
    }
    if (!(least >= wanted))
        fail_msg("level %s: cosine %.9f to level %s, at least %g wanted", memo_cpu_name(l->cpu),
                 least, memo_cpu_name(best->cpu), wanted);
    printf("  level %s: %zu texts, least cosine to %s %.9f\n", memo_cpu_name(l->cpu), l->n_texts,
           memo_cpu_name(best->cpu), least);
}

/* A level below the best one: runs of its own, and the best one's vectors. */
static void check_level(const prop_env *e, const prop_level *best, const char *path, memo_cpu cpu,
                        size_t n_texts)
{
    prop_level l;
    memo_rng rng;

    if (!open_level(&l, path, cpu, n_texts, 1))
        return;
    embed_batches(&l, e, 1, 1, l.want);
    memo_rng_init(&rng, e->seed + 2);
    check_run(&l, e, 32, 4, NULL);
    check_run(&l, e, 7, 2, &rng);
    check_rounding_of_caller(&l, e);
    if (!same_arithmetic(best, cpu)) {
        check_near(best, &l);
    } else {
        size_t n_bits = count_bits(l.want, best->want, n_texts * l.info.dim);
        if (n_bits)
            fail_msg("level %s: %zu bits differ from level %s", memo_cpu_name(cpu), n_bits,
                     memo_cpu_name(best->cpu));
        printf("  level %s: %zu texts, %zu runs, 0 bits differ within it or from %s\n",
               memo_cpu_name(cpu), n_texts, l.n_runs, memo_cpu_name(best->cpu));
    }
    close_level(&l);
}

/* n_below: texts at the other levels, where attention is portable. */
static void check_model(const prop_env *e, const char *path, size_t n_below)
{
    static const size_t batches[] = {1, 2, 7, 32};
    static const unsigned threads[] = {1, 2, 4};
    prop_level best;
    memo_rng rng;

    assert_true(open_level(&best, path, MEMO_CPU_AUTO, prop_n_texts(N_TEXTS), 0));
    embed_batches(&best, e, 1, 1, best.want);
    memo_rng_init(&rng, e->seed + 1);
    for (size_t b = 0; b < 4; b++)
        for (size_t t = 0; t < 3; t++) {
            check_run(&best, e, batches[b], threads[t], NULL);
            check_run(&best, e, batches[b], threads[t], &rng);
        }
    printf("%s, class %s, level %s: %zu texts, %zu runs, 0 differing bits\n", best.info.name,
           memo_class_name(best.info.cls), memo_cpu_name(best.cpu), best.n_texts, best.n_runs);
    memo_cpu own = best.cpu;
    close_level(&best);
    assert_true(open_level(&best, path, own, prop_n_texts(n_below), 1));
    embed_batches(&best, e, 1, 1, best.want);
    for (memo_cpu cpu = MEMO_CPU_REF; cpu <= MEMO_CPU_NEON_I8MM; cpu++)
        if (cpu != own)
            check_level(e, &best, path, cpu, prop_n_texts(n_below));
    close_level(&best);
}

static int setup(void **state)
{
    prop_env *e = calloc(1, sizeof *e);
    const char *seed = getenv("MEMO_SEED");
    memo_rng rng;

    e->seed = seed ? strtoull(seed, NULL, 10) : 20261121;
    printf("MEMO_SEED=%llu tests/prop_embed\n", (unsigned long long)e->seed);
    memo_rng_init(&rng, e->seed);
    for (size_t i = 0; i < N_TEXTS; i++) {
        make_text(&rng, e->bytes[i]);
        e->texts[i] = (memo_text){e->bytes[i], strlen(e->bytes[i])};
    }
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* A way to store the weights: a class, or several in one model. */
typedef struct prop_variant {
    const char *name;
    memo_compile_options options;
} prop_variant;

static void check_random_weights(const prop_env *e, const prop_variant *variant, size_t n_below)
{
    memo_compile_options o = variant->options;
    memo_ctx *ctx = NULL;
    char dir[256], source[300], path[512], texts[512];
    memo_err err = {0};

    memo_test_temp_dir(dir);
    snprintf(source, sizeof source, "%.255s/source", dir);
    memo_test_path(path, dir, "model.safetensors");
    memo_test_path(texts, dir, "texts.txt");
    mkdir(source, 0700);
    bert_write_model(source, (bert_spec){.hidden = 72, .n_heads = 3, .n_positions = 512});
    memo_test_write_file(texts, e->texts[0].bytes, e->texts[0].n_bytes);
    o.size = sizeof o;
    o.name = variant->name;
    o.overwrite = 1;
    if (o.activations == MEMO_ACTIVATIONS_STATIC)
        o.calibrate = texts;
    assert_memo_ok(memo_ctx_new(NULL, &ctx, &err), err);
    assert_memo_ok(memo_model_compile(ctx, source, path, &o, NULL, &err), err);
    memo_ctx_free(ctx);
    check_model(e, path, n_below);
    memo_test_remove_tree(dir);
}

static void prop_embed_bits_on_random_weights(void **state)
{
    const prop_variant f32 = {"random f32", {.cls = MEMO_CLASS_F32}};
    const prop_variant int8 = {"random int8", {.cls = MEMO_CLASS_INT8}};

    check_random_weights(*state, &f32, N_TEXTS_BELOW);
    check_random_weights(*state, &int8, N_TEXTS_BELOW);
}

static void prop_embed_bits_of_every_class(void **state)
{
    static const char *const mixed[] = {"layer.*.ffn.down.weight=int8/64:none",
                                        "layer.*.attention.qkv.weight=f16", "layer.000.*=int4/64"};
    static const prop_variant variants[] = {
        {"f16", {.cls = MEMO_CLASS_F16}},
        {"bf16", {.cls = MEMO_CLASS_BF16}},
        {"int8 groups",
         {.cls = MEMO_CLASS_INT8, .granularity = MEMO_GRANULARITY_GROUP, .group = 32}},
        {"int8 none", {.cls = MEMO_CLASS_INT8, .activations = MEMO_ACTIVATIONS_NONE}},
        {"int8 static", {.cls = MEMO_CLASS_INT8, .activations = MEMO_ACTIVATIONS_STATIC}},
        {"int4", {.cls = MEMO_CLASS_INT4}},
        {"int4 none", {.cls = MEMO_CLASS_INT4, .activations = MEMO_ACTIVATIONS_NONE}},
        {"lut4", {.cls = MEMO_CLASS_LUT4, .palette_group = 8}},
        {"mixed", {.cls = MEMO_CLASS_LUT4, .set = mixed, .n_set = 3}},
    };

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        check_random_weights(*state, &variants[i], N_TEXTS_DEFAULT);
}

static void check_named_model(const prop_env *e, const char *variable)
{
    const char *path = getenv(variable);
    if (!path || access(path, R_OK) != 0)
        memo_test_skip("%s does not name a compiled model", variable);
    check_model(e, path, N_TEXTS_DEFAULT);
}

static void prop_embed_bits_on_default_model(void **state)
{
    check_named_model(*state, "MEMO_MODEL_F32");
}

static void prop_embed_bits_on_default_model_int8(void **state)
{
    check_named_model(*state, "MEMO_MODEL_INT8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prop_embed_bits_on_random_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(prop_embed_bits_of_every_class, setup, teardown),
        cmocka_unit_test_setup_teardown(prop_embed_bits_on_default_model, setup, teardown),
        cmocka_unit_test_setup_teardown(prop_embed_bits_on_default_model_int8, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
