// SPDX-License-Identifier: Apache-2.0
/* Same text, same bits: whatever the batch, its order, the number of threads and the neighbours.
 *
 * 200 random texts, each embedded alone, then in batches of 1, 2, 7 and 32, on 1, 2 and 4 threads,
 * in order and shuffled: no bit may differ. Runs on a random BERT made here, and on the compiled
 * model that MEMO_MODEL_F32 names. MEMO_SEED chooses the texts. */
#include "unit/memo_test.h"

#include <memolith/memolith.h>

#include "unit/bert_source.h"

#define N_TEXTS   200
#define MAX_BYTES 2048

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

static void shuffle(memo_rng *rng, size_t *order)
{
    for (size_t i = N_TEXTS - 1; i > 0; i--) {
        size_t j = memo_rng_below(rng, i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
}

/* Embed all texts in batches, in the given order; vectors land at their texts' places. */
static void embed_batches(memo_model *model, const prop_env *e, const size_t *order, size_t batch,
                          unsigned n_threads, size_t dim, float *vectors)
{
    memo_embed_options o = {.size = sizeof o, .n_threads = n_threads};
    memo_text texts[32];
    float *out = calloc(batch, dim * sizeof *out);
    memo_err err = {0};

    for (size_t first = 0; first < N_TEXTS; first += batch) {
        size_t n = N_TEXTS - first < batch ? N_TEXTS - first : batch;
        for (size_t i = 0; i < n; i++)
            texts[i] = e->texts[order[first + i]];
        assert_memo_ok(memo_model_embed(model, &o, texts, n, out, NULL, &err), err);
        for (size_t i = 0; i < n; i++)
            memcpy(vectors + order[first + i] * dim, out + i * dim, dim * sizeof *out);
    }
    free(out);
}

static void check_model(const prop_env *e, const char *path)
{
    static const size_t batches[] = {1, 2, 7, 32};
    static const unsigned threads[] = {1, 2, 4};
    memo_ctx_options options = {.size = sizeof options, .n_threads = 4};
    memo_ctx *ctx = NULL;
    memo_model *model = NULL;
    memo_model_info info;
    memo_err err = {0};
    size_t order[N_TEXTS], n_runs = 0, n_bits = 0;
    memo_rng rng;

    assert_memo_ok(memo_ctx_new(&options, &ctx, &err), err);
    assert_memo_ok(memo_model_open(ctx, path, NULL, &model, &err), err);
    memo_model_get_info(model, &info);
    float *want = calloc(N_TEXTS, info.dim * sizeof *want);
    float *got = calloc(N_TEXTS, info.dim * sizeof *got);
    for (size_t i = 0; i < N_TEXTS; i++)
        order[i] = i;
    embed_batches(model, e, order, 1, 1, info.dim, want);
    memo_rng_init(&rng, e->seed + 1);
    for (size_t b = 0; b < 4; b++)
        for (size_t t = 0; t < 3; t++)
            for (int shuffled = 0; shuffled <= 1; shuffled++, n_runs++) {
                if (shuffled)
                    shuffle(&rng, order);
                memset(got, 0, N_TEXTS * info.dim * sizeof *got);
                embed_batches(model, e, order, batches[b], threads[t], info.dim, got);
                for (size_t i = 0; i < N_TEXTS * info.dim * sizeof *got; i++)
                    n_bits += (size_t)__builtin_popcount(((unsigned char *)got)[i] ^
                                                         ((unsigned char *)want)[i]);
                if (n_bits)
                    fail_msg("batch %zu, %u threads, %s: %zu bits differ", batches[b], threads[t],
                             shuffled ? "shuffled" : "in order", n_bits);
            }
    printf("%s: %d texts, %zu runs, 0 differing bits\n", info.name, N_TEXTS, n_runs);
    free(got);
    free(want);
    memo_model_close(model);
    memo_ctx_free(ctx);
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

static void prop_embed_bits_on_random_weights(void **state)
{
    memo_compile_options o = {.size = sizeof o, .overwrite = 1};
    memo_ctx *ctx = NULL;
    char dir[256], source[300], path[512];
    memo_err err = {0};

    memo_test_temp_dir(dir);
    snprintf(source, sizeof source, "%.255s/source", dir);
    memo_test_path(path, dir, "model.safetensors");
    mkdir(source, 0700);
    bert_write_model(source, (bert_spec){.hidden = 72, .n_heads = 3, .n_positions = 512});
    assert_memo_ok(memo_ctx_new(NULL, &ctx, &err), err);
    assert_memo_ok(memo_model_compile(ctx, source, path, &o, NULL, &err), err);
    memo_ctx_free(ctx);
    check_model(*state, path);
    memo_test_remove_tree(dir);
}

static void prop_embed_bits_on_default_model(void **state)
{
    const char *path = getenv("MEMO_MODEL_F32");
    if (!path || access(path, R_OK) != 0)
        memo_test_skip("MEMO_MODEL_F32 does not name a compiled model");
    check_model(*state, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prop_embed_bits_on_random_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(prop_embed_bits_on_default_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
