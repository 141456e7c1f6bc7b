// SPDX-License-Identifier: Apache-2.0
/* The screen against an exact scan of the same vectors: the candidates hold every slot that is among
 * the k best keys, and the bound of every estimate holds. Sets are random, clustered, made of
 * near-duplicates, of equal vectors, of vectors that floats cannot hold. Every CPU level; any number of
 * workers finds the same.
 *
 * A failure prints its seed; MEMO_PROP_SEED=N runs that one alone, MEMO_PROP_ROUNDS=N more. */
#include "memo_test.h"

#include <math.h>
#include <stdatomic.h>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/rng.h"
#include "index/exact.h"
#include "index/screen.h"
#include "index/top_keys.h"

typedef struct screen_set {
    const memo_kernels *kernels;
    size_t dim, n, n_blocks, k, n_queries;
    float *vectors; /* [n, dim] */
    float *queries; /* [n_queries, dim] */
    int64_t *keys;
    uint64_t *allowed;
    int8_t *codes;
    float *scale, *error;
    int32_t *w_sum;
    memo_blocks blocks;
} screen_set;

typedef enum set_kind { SET_NORMAL, SET_CLUSTERED, SET_TWINS, SET_EQUAL, SET_ODD, N_SETS } set_kind;

static void set_free(screen_set *s)
{
    free(s->vectors);
    free(s->queries);
    free(s->keys);
    free(s->allowed);
    memo_aligned_free(s->codes);
    free(s->scale);
    free(s->error);
    free(s->w_sum);
    memset(s, 0, sizeof *s);
}

static void fill_vector(memo_rng *rng, set_kind kind, const float *centre, size_t dim, float *v)
{
    static const float odd[] = {0, 1e-20f, 1e20f, 3e38f, INFINITY, NAN, 1e-40f};
    double spread = kind == SET_TWINS ? 1e-6 : kind == SET_EQUAL ? 0 : 0.3;
    float factor = 1;
    if (kind == SET_ODD && memo_rng_below(rng, 4) == 0)
        factor = odd[memo_rng_below(rng, sizeof odd / sizeof *odd)];
    else if (memo_rng_below(rng, 3) == 0)
        factor = (float)(0.01 + 10 * memo_rng_unit(rng)); /* rows need not have length 1 */
    for (size_t i = 0; i < dim; i++) {
        double x = memo_rng_normal(rng) * (kind == SET_NORMAL || kind == SET_ODD ? 1 : spread);
        v[i] =
            (float)(x + (kind == SET_NORMAL || kind == SET_ODD ? 0 : (double)centre[i])) * factor;
    }
}

static void set_encode(screen_set *s)
{
    int8_t *scratch = memo_aligned_alloc(memo_block_bytes(s->dim));
    for (size_t b = 0; b < s->n_blocks; b++) {
        size_t n = s->n - b * MEMO_BLOCK < MEMO_BLOCK ? s->n - b * MEMO_BLOCK : MEMO_BLOCK;
        memo_block_out out = {s->codes + b * memo_block_bytes(s->dim), s->scale + b * MEMO_BLOCK,
                              s->error + b * MEMO_BLOCK, s->w_sum + b * MEMO_BLOCK};
        memo_block_encode(s->kernels, s->dim, s->vectors + b * MEMO_BLOCK * s->dim, n, scratch,
                          &out);
    }
    memo_aligned_free(scratch);
    s->blocks = (memo_blocks){s->dim, s->n, s->codes, s->scale, s->w_sum, s->error};
}

/* kernels, dim and n are set. */
static void set_alloc(screen_set *s)
{
    s->n_blocks = memo_block_count(s->n);
    s->vectors = calloc(s->n * s->dim, sizeof *s->vectors);
    s->keys = calloc(s->n, sizeof *s->keys);
    s->allowed = calloc((s->n + 63) / 64, sizeof *s->allowed);
    s->codes = memo_aligned_alloc(s->n_blocks * memo_block_bytes(s->dim));
    s->scale = calloc(s->n_blocks * MEMO_BLOCK, sizeof *s->scale);
    s->error = calloc(s->n_blocks * MEMO_BLOCK, sizeof *s->error);
    s->w_sum = calloc(s->n_blocks * MEMO_BLOCK, sizeof *s->w_sum);
}

/* All slots allowed, each a key of its own. */
static void set_make_plain(screen_set *s, size_t dim, size_t n, size_t k)
{
    memo_rng rng;
    *s = (screen_set){.kernels = memo_kernels_for(MEMO_CPU_AUTO), .dim = dim, .n = n, .k = k};
    memo_rng_init(&rng, 5);
    set_alloc(s);
    for (size_t i = 0; i < n * dim; i++)
        s->vectors[i] = (float)memo_rng_normal(&rng);
    for (size_t i = 0; i < n; i++) {
        s->keys[i] = (int64_t)i;
        s->allowed[i / 64] |= UINT64_C(1) << (i % 64);
    }
    set_encode(s);
}

static memo_screen set_screen(const screen_set *s)
{
    return (memo_screen){.kernels = s->kernels,
                         .blocks = &s->blocks,
                         .keys = s->keys,
                         .allowed = s->allowed,
                         .k = s->k};
}

static void set_make(screen_set *s, memo_rng *rng, const memo_kernels *kernels)
{
    static const size_t dims[] = {1, 2, 8, 31, 64, 65, 128, 384, 1024};
    set_kind kind = (set_kind)memo_rng_below(rng, N_SETS);
    float *centre;
    size_t n_keys;
    s->kernels = kernels;
    s->dim = dims[memo_rng_below(rng, sizeof dims / sizeof *dims)];
    s->n = 1 + memo_rng_below(rng, 1 + (s->dim > 128 ? 300 : 3000));
    s->n_queries = 1 + memo_rng_below(rng, 20);
    s->k = 1 + memo_rng_below(rng, memo_rng_below(rng, 2) ? 12 : 250);
    s->queries = calloc(s->n_queries * s->dim, sizeof *s->queries);
    set_alloc(s);
    centre = calloc(s->dim, sizeof *centre);
    for (size_t i = 0; i < s->dim; i++)
        centre[i] = (float)memo_rng_normal(rng);
    for (size_t i = 0; i < s->n; i++)
        fill_vector(rng, kind, centre, s->dim, s->vectors + i * s->dim);
    for (size_t i = 0; i < s->n_queries; i++)
        fill_vector(rng,
                    kind == SET_EQUAL ? SET_TWINS
                    : kind == SET_ODD ? SET_NORMAL
                                      : kind,
                    centre, s->dim, s->queries + i * s->dim);
    n_keys = memo_rng_below(rng, 2) ? s->n : 1 + s->n / (2 + memo_rng_below(rng, 9));
    for (size_t i = 0; i < s->n; i++)
        s->keys[i] = (int64_t)(n_keys == s->n ? i : memo_rng_below(rng, n_keys));
    size_t share = memo_rng_below(rng, 3); /* all, half, few */
    for (size_t i = 0; i < s->n; i++)
        if (share == 0 || memo_rng_below(rng, share == 1 ? 2 : 40) == 0)
            s->allowed[i / 64] |= UINT64_C(1) << (i % 64);
    free(centre);
    set_encode(s);
}

static int is_allowed(const screen_set *s, size_t slot)
{
    return (int)(s->allowed[slot / 64] >> (slot % 64) & 1);
}

static double exact_score(const screen_set *s, const memo_exact *exact, size_t slot)
{
    double score;
    memo_exact_scores(exact, s->vectors + slot * s->dim, 1, &score);
    return score;
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Score of the k-th best key; minus infinity when there are fewer. Keys are below n. */
static double kth_best(const screen_set *s, const memo_exact *exact)
{
    double *best = calloc(s->n, sizeof *best), kth = -INFINITY;
    for (size_t i = 0; i < s->n; i++)
        best[i] = -INFINITY;
    for (size_t i = 0; i < s->n; i++) {
        double score = is_allowed(s, i) ? exact_score(s, exact, i) : -INFINITY;
        if (isfinite(score) && score > best[s->keys[i]])
            best[s->keys[i]] = score;
    }
    qsort(best, s->n, sizeof *best, falling);
    if (s->k <= s->n)
        kth = best[s->k - 1];
    free(best);
    return kth;
}

static void check_query(const screen_set *s, const float *query, const memo_candidates *found,
                        uint64_t seed)
{
    unsigned char *in = calloc(s->n, 1);
    memo_exact exact;
    double kth;

    memo_exact_init(&exact, s->kernels, s->dim, query);
    kth = kth_best(s, &exact);
    for (size_t i = 0; i < found->n; i++) {
        size_t slot = found->items[i].slot;
        double score = exact_score(s, &exact, slot);
        assert_true(slot < s->n && !in[slot] && is_allowed(s, slot));
        in[slot] = 1;
        if (i && found->items[i].most > found->items[i - 1].most)
            fail_msg("seed %llu: candidates out of order", (unsigned long long)seed);
        if (isfinite(score) && score > (double)found->items[i].most)
            fail_msg("seed %llu: slot %zu has %.9g, at most %.9g was promised",
                     (unsigned long long)seed, slot, score, (double)found->items[i].most);
    }
    if (found->floor > kth)
        fail_msg("seed %llu: floor %.9g above the k-th best %.9g", (unsigned long long)seed,
                 found->floor, kth);
    for (size_t i = 0; i < s->n; i++)
        if (is_allowed(s, i) && !in[i] && exact_score(s, &exact, i) >= kth)
            fail_msg("seed %llu: slot %zu with %.9g is missing, the k-th best has %.9g",
                     (unsigned long long)seed, i, exact_score(s, &exact, i), kth);
    free(in);
}

static void check_set(const screen_set *s, uint64_t seed)
{
    const memo_screen screen = set_screen(s);
    memo_candidates *found = calloc(s->n_queries, sizeof *found);
    const float **queries = calloc(s->n_queries, sizeof *queries);
    size_t n_screened = 0, n_allowed = 0;
    memo_err err = {0};

    for (size_t q = 0; q < s->n_queries; q++)
        queries[q] = s->queries + q * s->dim;
    assert_memo_ok(memo_screen_run(&screen, queries, s->n_queries, found, &n_screened, &err), err);
    for (size_t i = 0; i < s->n; i++)
        n_allowed += (size_t)is_allowed(s, i);
    assert_int_equal(n_screened, n_allowed);
    for (size_t q = 0; q < s->n_queries; q++) {
        check_query(s, queries[q], &found[q], seed);
        memo_candidates_fini(&found[q]);
    }
    free(found);
    free(queries);
}

static uint64_t env_or(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_screen_holds_the_best(void **state)
{
    uint64_t rounds = env_or("MEMO_PROP_ROUNDS", 60), one = env_or("MEMO_PROP_SEED", 0);
    (void)state;
    for (uint64_t seed = one ? one : 1; seed <= (one ? one : rounds); seed++) {
        memo_cpu cpu = MEMO_CPU_REF + (memo_cpu)(seed % MEMO_CPU_COUNT);
        const memo_kernels *kernels = memo_kernels_for(
            cpu > MEMO_CPU_AUTO && cpu < MEMO_CPU_COUNT && memo_cpu_has(cpu) ? cpu : MEMO_CPU_AUTO);
        screen_set s = {0};
        memo_rng rng;
        memo_rng_init(&rng, seed);
        set_make(&s, &rng, kernels);
        check_set(&s, seed);
        set_free(&s);
    }
}

/* What the whole plan rests on: few are left of many, or it is no screen. */
static void test_screen_leaves_few(void **state)
{
    screen_set s;
    memo_candidates found = {0};
    memo_err err = {0};
    size_t n_screened;
    (void)state;
    set_make_plain(&s, 384, 4000, 10);
    const float *query = s.vectors + 77 * s.dim;
    const memo_screen screen = {
        .kernels = s.kernels, .blocks = &s.blocks, .keys = s.keys, .allowed = s.allowed, .k = s.k};
    assert_memo_ok(memo_screen_run(&screen, &query, 1, &found, &n_screened, &err), err);
    assert_int_equal(found.items[0].slot, 77);
    if (found.n < s.k || found.n > s.n / 40)
        fail_msg("%zu candidates of %zu", found.n, s.n);
    memo_candidates_fini(&found);
    set_free(&s);
}

static size_t screen_all(const memo_kernels *kernels, uint64_t seed, memo_candidates *found)
{
    screen_set s = {0};
    const float *queries[20];
    size_t n_screened, n_queries;
    memo_screen screen;
    memo_err err = {0};
    memo_rng rng;

    memo_rng_init(&rng, seed);
    set_make(&s, &rng, kernels);
    screen = set_screen(&s);
    n_queries = s.n_queries;
    for (size_t q = 0; q < n_queries; q++)
        queries[q] = s.queries + q * s.dim;
    assert_memo_ok(memo_screen_run(&screen, queries, n_queries, found, &n_screened, &err), err);
    set_free(&s);
    return n_queries;
}

/* The same estimates on every level, so the same candidates. */
static void test_screen_levels_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 105; seed++) {
        memo_candidates first[20] = {{0}};
        size_t n = screen_all(memo_kernels_for(MEMO_CPU_REF), seed, first);
        for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
            memo_candidates found[20] = {{0}};
            if (!memo_cpu_has(cpu) || !memo_kernels_for(cpu))
                continue;
            assert_int_equal(screen_all(memo_kernels_for(cpu), seed, found), n);
            for (size_t q = 0; q < n; q++) {
                assert_int_equal(found[q].n, first[q].n);
                for (size_t i = 0; i < found[q].n; i++) {
                    assert_int_equal(found[q].items[i].slot, first[q].items[i].slot);
                    assert_true(found[q].items[i].most == first[q].items[i].most);
                }
                memo_candidates_fini(&found[q]);
            }
        }
        for (size_t q = 0; q < n; q++)
            memo_candidates_fini(&first[q]);
    }
}

static int stop_at_once(void *user)
{
    ++*(int *)user;
    return 1;
}

static void test_screen_stops(void **state)
{
    screen_set s;
    memo_candidates found = {0};
    memo_err err = {0};
    size_t n_screened = 0;
    int asked = 0;
    (void)state;
    set_make_plain(&s, 8, 9000, 3);
    const float *query = s.vectors;
    memo_screen screen = set_screen(&s);
    screen.stop = stop_at_once;
    screen.user = &asked;
    assert_memo_ok(memo_screen_run(&screen, &query, 1, &found, &n_screened, &err), err);
    assert_int_equal(asked, 1);
    assert_true(n_screened > 0 && n_screened < s.n);
    assert_true(found.n >= s.k); /* what was found by then */
    memo_candidates_fini(&found);
    set_free(&s);
}

/* Twenty thousand slots, three to a key, one in four not allowed. */
static void set_make_large(screen_set *s)
{
    set_make_plain(s, 64, 20000, 25);
    for (size_t i = 0; i < s->n; i++) {
        s->keys[i] = (int64_t)(i % (s->n / 3));
        if (i % 4 == 1)
            s->allowed[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
}

static void check_same_candidates(const memo_candidates *a, const memo_candidates *b)
{
    assert_int_equal(a->n, b->n);
    assert_true(a->floor == b->floor);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->items[i].slot, b->items[i].slot);
        assert_true(a->items[i].most == b->items[i].most);
    }
}

static void test_screen_workers_agree(void **state)
{
    enum { N = 18 }; /* more than one pass takes */
    screen_set s;
    const float *queries[N];
    memo_candidates alone[N] = {{0}};
    memo_err err = {0};
    size_t n_alone;
    (void)state;
    set_make_large(&s);
    for (size_t q = 0; q < N; q++)
        queries[q] = s.vectors + q * 1000 * s.dim;
    memo_screen screen = set_screen(&s);
    assert_memo_ok(memo_screen_run(&screen, queries, N, alone, &n_alone, &err), err);
    assert_int_equal(n_alone, s.n * 3 / 4);
    for (unsigned n_workers = 1; n_workers <= 5; n_workers++) {
        assert_memo_ok(memo_pool_new(n_workers, &screen.pool, &err), err);
        for (int round = 0; round < 8; round++) {
            memo_candidates found[N] = {{0}};
            size_t n_screened = 0;
            assert_memo_ok(memo_screen_run(&screen, queries, N, found, &n_screened, &err), err);
            assert_int_equal(n_screened, n_alone);
            for (size_t q = 0; q < N; q++) {
                check_same_candidates(&found[q], &alone[q]);
                memo_candidates_fini(&found[q]);
            }
        }
        memo_pool_free(screen.pool);
    }
    for (size_t q = 0; q < N; q++)
        memo_candidates_fini(&alone[q]);
    set_free(&s);
}

static int stop_after_three(void *user)
{
    return atomic_fetch_add((atomic_int *)user, 1) >= 3;
}

static void test_screen_stops_every_worker(void **state)
{
    screen_set s;
    memo_candidates found = {0};
    memo_err err = {0};
    size_t n_screened = 0;
    atomic_int asked = 0;
    (void)state;
    set_make_large(&s);
    const float *query = s.vectors;
    memo_screen screen = set_screen(&s);
    screen.stop = stop_after_three;
    screen.user = &asked;
    assert_memo_ok(memo_pool_new(3, &screen.pool, &err), err);
    assert_memo_ok(memo_screen_run(&screen, &query, 1, &found, &n_screened, &err), err);
    assert_true(n_screened > 0 && n_screened < s.n * 3 / 4);
    assert_true(found.n >= s.k);
    memo_candidates_fini(&found);
    memo_pool_free(screen.pool);
    set_free(&s);
}

static memo_status sweep_screen(void *user, memo_err *err)
{
    const screen_set *s = user;
    const memo_screen screen = set_screen(s);
    memo_candidates found[20] = {{0}};
    const float *queries[20];
    size_t n_screened;
    memo_status status;
    for (size_t q = 0; q < s->n_queries; q++)
        queries[q] = s->queries + q * s->dim;
    status = memo_screen_run(&screen, queries, s->n_queries, found, &n_screened, err);
    for (size_t q = 0; q < s->n_queries; q++)
        memo_candidates_fini(&found[q]);
    return status;
}

static void test_screen_without_memory(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        screen_set s = {0};
        memo_rng rng;
        memo_rng_init(&rng, seed);
        set_make(&s, &rng, memo_kernels_for(MEMO_CPU_AUTO));
        assert_true(memo_test_alloc_sweep(sweep_screen, &s) > 4);
        set_free(&s);
    }
}

static void test_top_keys_counts_a_key_once(void **state)
{
    memo_top_keys top;
    memo_err err = {0};
    (void)state;
    assert_memo_ok(memo_top_keys_init(&top, 2, &err), err);
    memo_top_keys_offer(&top, 1, 0.9);
    memo_top_keys_offer(&top, 1, 0.8);
    memo_top_keys_offer(&top, 1, NAN);
    assert_true(memo_top_keys_floor(&top) == -INFINITY);
    memo_top_keys_offer(&top, 2, 0.1);
    assert_true(memo_top_keys_floor(&top) == 0.1);
    memo_top_keys_offer(&top, 2, 0.95);
    assert_true(memo_top_keys_floor(&top) == 0.9);
    memo_top_keys_offer(&top, 3, 0.5);
    assert_true(memo_top_keys_floor(&top) == 0.9);
    memo_top_keys_offer(&top, 3, 0.92);
    assert_true(memo_top_keys_floor(&top) == 0.92);
    memo_top_keys_fini(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screen_holds_the_best),
        cmocka_unit_test(test_screen_leaves_few),
        cmocka_unit_test(test_screen_levels_agree),
        cmocka_unit_test(test_screen_stops),
        cmocka_unit_test(test_screen_workers_agree),
        cmocka_unit_test(test_screen_stops_every_worker),
        cmocka_unit_test(test_screen_without_memory),
        cmocka_unit_test(test_top_keys_counts_a_key_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
