// SPDX-License-Identifier: Apache-2.0
/* Probability of a match, recency, variety, repetitions and thresholds of a search. */
#include "db_util.h"

#include <math.h>

#include "memory/db.h"
#include "memory/relevance/known_curves.h"

/* ---- logistic ------------------------------------------------------------------------------ */

static void test_logistic_finds_the_curve_of_a_sample(void **state)
{
    enum { N = 40000 };
    static double x[N];
    static unsigned char y[N];
    const memo_logistic truth = {8, -3};
    memo_logistic f;
    memo_rng rng;
    (void)state;
    memo_rng_init(&rng, 5);
    for (size_t i = 0; i < N; i++) {
        x[i] = (double)memo_rng_below(&rng, 1000) / 1000;
        y[i] = (double)memo_rng_below(&rng, 100000) / 100000 < memo_logistic_value(truth, x[i]);
    }
    f = memo_logistic_fit(x, y, N);
    /* standard errors of the fit at this size are about 0.06 and 0.03 */
    assert_true(fabs(f.slope - 8) < 0.3 && fabs(f.offset + 3) < 0.15);
    assert_true(memo_logistic_error(f, x, y, N) < 0.01);
    f.offset += 2; /* a curve that is too sure must show */
    assert_true(memo_logistic_error(f, x, y, N) > 0.1);
}

static void test_logistic_stays_finite_where_scores_divide(void **state)
{
    double x[40];
    unsigned char y[40];
    memo_logistic f;
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        y[i] = i >= 20;
        x[i] = y[i] ? 0.9 : 0.1;
    }
    f = memo_logistic_fit(x, y, 40);
    assert_true(isfinite(f.slope) && isfinite(f.offset) && f.slope > 0);
    /* Platt's targets: 21/22 and 1/22 */
    assert_true(fabs(memo_logistic_value(f, 0.9) - 21.0 / 22) < 1e-3);
    assert_true(fabs(memo_logistic_value(f, 0.1) - 1.0 / 22) < 1e-3);
}

/* ---- calibration of a store ---------------------------------------------------------------- */

static memo_hits *search(db_env *e, const char *query, memo_search_options o)
{
    memo_hits *hits = NULL;
    o.size = sizeof o;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR(query), &o, &hits, &e->err), e->err);
    return hits;
}

enum { N_PAIRS = 60 };

/* Equal texts match, others do not: any model tells them apart. */
static void make_pairs(memo_pair *pairs, char texts[N_PAIRS][64])
{
    for (int i = 0; i < N_PAIRS; i++)
        snprintf(texts[i], 64, "note %d about the %s of %c%c", i, i % 3 ? "garden" : "boiler",
                 'a' + i % 26, 'a' + i / 3 % 26);
    for (int i = 0; i < N_PAIRS; i++)
        pairs[i] = (memo_pair){MEMO_STR(texts[i]), MEMO_STR(texts[i % 2 ? (i + 7) % N_PAIRS : i]),
                               i % 2 == 0};
}

static memo_status calibrate(db_env *e, const memo_pair *pairs, size_t n, memo_calibration *c)
{
    const memo_calibrate_options o = {.size = sizeof o, .pairs = pairs, .n_pairs = n};
    return memo_db_calibrate(e->db, &o, c, &e->err);
}

static void test_calibrate_gives_probabilities(void **state)
{
    static char texts[N_PAIRS][64];
    memo_pair pairs[N_PAIRS];
    memo_calibration c = {.size = sizeof c};
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "key", "the spare key is under the flower pot");
    db_add(e, "zebra", "zzzz qqqq 77");
    hits = search(e, "spare key", (memo_search_options){0});
    assert_int_equal(hits->relevant, -1); /* not known yet */
    assert_true(hits->best_probability == -1 && hits->hits[0].probability == -1);
    memo_hits_free(hits);
    make_pairs(pairs, texts);
    assert_memo_ok(calibrate(e, pairs, N_PAIRS, &c), e->err);
    assert_int_equal(c.n_pairs, N_PAIRS);
    assert_int_equal(c.n_held_out, N_PAIRS / 2);
    assert_true(c.slope > 0 && c.error >= 0 && c.error < 0.2);
    db_reopen(e, e->model); /* it is kept */
    hits = search(e, "the spare key is under the flower pot", (memo_search_options){0});
    assert_string_equal(hits->hits[0].key, "key");
    for (size_t i = 0; i < hits->n; i++) {
        double x = hits->hits[i].lanes[MEMO_LANE_DENSE].score;
        assert_true(fabs(hits->hits[i].probability - 1 / (1 + exp(-(c.slope * x + c.offset)))) <
                    1e-12);
    }
    assert_true(hits->best_probability == hits->hits[0].probability);
    assert_int_equal(hits->relevant, 1);
    memo_hits_free(hits);
}

/* Nothing is near: hits are listed still, and said to be no answer. */
static void test_search_says_that_nothing_is_relevant(void **state)
{
    static char texts[N_PAIRS][64];
    memo_pair pairs[N_PAIRS];
    memo_calibration c = {.size = sizeof c};
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "zebra", "zzzz qqqq 77");
    make_pairs(pairs, texts);
    assert_memo_ok(calibrate(e, pairs, N_PAIRS, &c), e->err);
    hits = search(e, "the key is under the flower pot", (memo_search_options){0});
    assert_int_equal(hits->n, 1);
    if (c.slope * hits->hits[0].lanes[MEMO_LANE_DENSE].score + c.offset < 0) {
        assert_int_equal(hits->relevant, 0);
        assert_true(hits->best_probability < 0.5);
    } else {
        fail_msg("the tiny model takes %s for an answer", hits->hits[0].text);
    }
    memo_hits_free(hits);
    hits = search(e, "the qqqq", (memo_search_options){0}); /* all its words but a common one */
    assert_int_equal(hits->relevant, 1);
    memo_hits_free(hits);
    hits = search(e, "qqqq flower", (memo_search_options){0}); /* not all */
    assert_int_equal(hits->relevant, hits->best_probability >= 0.5);
    assert_true(hits->best_probability < 0.5);
    memo_hits_free(hits);
    hits = search(e, "qqqq",
                  (memo_search_options){.mode = MEMO_SEARCH_DENSE}); /* words are not asked */
    assert_int_equal(hits->relevant, hits->best_probability >= 0.5);
    memo_hits_free(hits);
    hits = search(e, "zebra", (memo_search_options){0}); /* its key */
    assert_int_equal(hits->relevant, 1);
    memo_hits_free(hits);
}

/* A handle that takes its model for a published one knows what its cosines say; the store's own word
 * counts more. */
static void test_search_knows_a_published_model(void **state)
{
    static const char hash[] = "88c8dc22a05765761c6dfcfe67155e406ac6c453d2c7a7a5f0b4b16e71d9500c";
    db_env *e = *state;
    const memo_search_options o = {.size = sizeof o};
    memo_logistic curve;
    memo_hits *hits = NULL;
    db_add(e, "a", "the spare key");
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("the key"), &o, &hits, &e->err), e->err);
    assert_string_equal(hits->calibration, "");
    assert_true(hits->relevant == -1 && hits->hits[0].probability == -1);
    memo_hits_free(hits);
    assert_int_equal(sizeof hash, sizeof e->db->info.source_hash);
    memcpy(e->db->info.source_hash, hash, sizeof hash);
    assert_true(memo_known_curve(hash, &curve));
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("the key"), &o, &hits, &e->err), e->err);
    assert_string_equal(hits->calibration, "model");
    assert_true(hits->hits[0].probability ==
                memo_logistic_value(curve, hits->hits[0].lanes[MEMO_LANE_DENSE].score));
    assert_int_equal(hits->relevant, 1); /* it holds the word */
    memo_hits_free(hits);
    assert_false(memo_known_curve("", &curve));
}

static void test_calibrate_with_the_stores_own_texts(void **state)
{
    db_env *e = *state;
    memo_calibration c = {.size = sizeof c};
    char text[200], title[64];
    memo_db_stats stats = {.size = sizeof stats};
    for (int i = 0; i < 30; i++) {
        memo_record_in in;
        snprintf(title, sizeof title, "garden %c%c%c note %d", 'a' + i % 26, 'a' + i % 7,
                 'a' + i % 5, i * 37);
        snprintf(text, sizeof text, "%s. %s", title, title);
        in = db_record(NULL, text);
        if (i % 2)
            in.title = title;
        db_put(e, in);
    }
    assert_memo_ok(calibrate(e, NULL, 0, &c), e->err);
    assert_int_equal(c.n_pairs, 60);
    assert_true(c.slope > 0);
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 30);
}

static void test_calibrate_refuses_what_says_nothing(void **state)
{
    static char texts[N_PAIRS][64];
    memo_pair pairs[N_PAIRS];
    memo_calibration c = {.size = sizeof c, .slope = 7};
    db_env *e = *state;
    make_pairs(pairs, texts);
    assert_memo_status(calibrate(e, pairs, N_PAIRS, &c), MEMO_ERR_NOTFOUND, e->err);
    db_add(e, "a", "note");
    assert_memo_status(calibrate(e, pairs, 30, &c), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "15 pairs that match and 15 that do not");
    assert_memo_status(calibrate(e, NULL, 0, &c), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.hint, "--pairs");
    for (int i = 0; i < N_PAIRS; i++)
        pairs[i].match = !pairs[i].match;
    assert_memo_status(calibrate(e, pairs, N_PAIRS, &c), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "not nearer");
    pairs[5].b = (memo_text){" ", 1};
    assert_memo_status(calibrate(e, pairs, N_PAIRS, &c), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "pair 5");
    pairs[5].b = (memo_text){NULL, 1};
    assert_memo_status(calibrate(e, pairs, N_PAIRS, &c), MEMO_ERR_USAGE, e->err);
    assert_true(c.slope == 7);
    db_reopen(e, NULL);
    assert_memo_status(calibrate(e, pairs, N_PAIRS, &c), MEMO_ERR_USAGE, e->err);
}

/* ---- order and what is hidden -------------------------------------------------------------- */

static void add_at(db_env *e, const char *key, const char *text, int64_t days_old)
{
    memo_record_in in = db_record(key, text);
    in.created_ms = DB_NOW - days_old * 86400000;
    db_put(e, in);
}

static void expect_first(db_env *e, const char *query, memo_search_options o, const char *key)
{
    memo_hits *hits = search(e, query, o);
    assert_true(hits->n > 0);
    assert_string_equal(hits->hits[0].key, key);
    memo_hits_free(hits);
}

static void test_recency_counts_when_it_is_asked_for(void **state)
{
    db_env *e = *state;
    const memo_search_options lexical = {.mode = MEMO_SEARCH_LEXICAL};
    memo_search_options o = lexical;
    memo_hits *hits;
    add_at(e, "old", "boiler note boiler", 300);
    add_at(e, "new", "boiler note of anna and of the garden", 1);
    expect_first(e, "boiler", lexical, "old"); /* it has the word twice */
    expect_first(e, "latest boiler", lexical, "new");
    o.recency = 1;
    expect_first(e, "boiler", o, "new");
    o.recency = -1;
    expect_first(e, "latest boiler", o, "old");
    hits = search(e, "latest boiler", lexical);
    assert_int_equal(hits->hits[0].lanes[MEMO_LANE_RECENCY].rank, 1);
    /* 0.5 / 61 halved every 30 days */
    assert_true(fabs(hits->hits[1].lanes[MEMO_LANE_RECENCY].share - 0.5 / 61 * exp2(-10)) < 1e-12);
    assert_true(fabs(hits->hits[1].lanes[MEMO_LANE_RECENCY].score - exp2(-10)) < 1e-12);
    memo_hits_free(hits);
}

/* The record that proves a fact about Anna is found by her name, though it does not say it. */
static void test_facts_lane_finds_the_evidence(void **state)
{
    static const char text[] = "she cannot eat peanuts";
    db_env *e = *state;
    const memo_evidence_in evidence = {.record = "proof", .begin = 0, .end = sizeof text - 1};
    const memo_fact_in fact = {.size = sizeof fact,
                               .subject = "Anna Berg",
                               .relation = "allergic to",
                               .value = "peanuts",
                               .evidence = &evidence,
                               .n_evidence = 1};
    memo_hits *hits;
    db_add(e, "proof", text);
    db_add(e, "other", "the boiler of the garden");
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &fact, NULL, &e->err), e->err);
    hits = search(e, "what about Anna Berg", (memo_search_options){.mode = MEMO_SEARCH_LEXICAL});
    assert_int_equal(hits->n, 1);
    assert_string_equal(hits->hits[0].key, "proof");
    assert_int_equal(hits->hits[0].lanes[MEMO_LANE_FACTS].rank, 1);
    assert_int_equal(hits->hits[0].lanes[MEMO_LANE_LEXICAL].rank, 0);
    memo_hits_free(hits);
    hits = search(e, "what about Anna Berg",
                  (memo_search_options){.mode = MEMO_SEARCH_LEXICAL, .where = "key = 'other'"});
    assert_int_equal(hits->n, 0); /* the lane sees the filter */
    memo_hits_free(hits);
}

static void test_min_score_hides_and_says_so(void **state)
{
    db_env *e = *state;
    memo_hits *all, *some;
    for (char key[] = "a"; *key < 'f'; ++*key) {
        char text[64];
        snprintf(text, sizeof text, "the key %.*s", 2 * (*key - 'a'), "of anna in a pot");
        db_add(e, key, text);
    }
    all = search(e, "the key", (memo_search_options){.mode = MEMO_SEARCH_DENSE});
    assert_int_equal(all->n, 5);
    assert_int_equal(all->n_hidden, 0);
    some =
        search(e, "the key",
               (memo_search_options){.mode = MEMO_SEARCH_DENSE, .min_score = all->hits[1].score});
    assert_int_equal(some->n, 2);
    assert_int_equal(some->n_hidden, 3);
    assert_true(some->best_hidden == all->hits[2].score);
    memo_hits_free(all);
    memo_hits_free(some);
}

static void test_drop_duplicates_hides_repetitions(void **state)
{
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "a", "the spare key is under the third flower pot in the garden");
    db_add(e, "b", "The spare key is under the third flower pot in the garden!");
    db_add(e, "c", "anna is allergic to peanuts and keys");
    hits = search(e, "spare key", (memo_search_options){.k = 2, .drop_duplicates = 1});
    assert_int_equal(hits->n, 2);
    assert_int_equal(hits->n_duplicates, 1);
    assert_true(hits->hits[0].key[0] != 'c' && hits->hits[1].key[0] == 'c');
    memo_hits_free(hits);
}

static void test_diversity_prefers_the_unlike(void **state)
{
    db_env *e = *state;
    memo_hits *plain, *varied;
    db_add(e, "a", "the spare key");
    db_add(e, "b", "the spare key ."); /* nearly the same vector */
    db_add(e, "c", "key of zzz 99 qq");
    plain = search(e, "the spare key", (memo_search_options){.mode = MEMO_SEARCH_DENSE, .k = 2});
    varied = search(e, "the spare key",
                    (memo_search_options){.mode = MEMO_SEARCH_DENSE, .k = 2, .diversity = 0.9});
    assert_string_equal(plain->hits[1].key, "b");
    assert_int_equal(varied->n, 2);
    assert_string_equal(varied->hits[0].key, "a"); /* the best stays the best */
    assert_string_equal(varied->hits[1].key, "c");
    memo_hits_free(plain);
    memo_hits_free(varied);
}

static void test_search_refuses_options_that_are_no_numbers(void **state)
{
    static const memo_search_options bad[] = {
        {.size = sizeof *bad, .diversity = -0.1}, {.size = sizeof *bad, .diversity = 1.5},
        {.size = sizeof *bad, .diversity = NAN},  {.size = sizeof *bad, .min_score = INFINITY},
        {.size = sizeof *bad, .recency = NAN},    {.size = sizeof *bad, .half_life_days = -1},
    };
    db_env *e = *state;
    memo_hits *hits = NULL;
    db_add(e, "a", "the key");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &bad[i], &hits, &e->err),
                           MEMO_ERR_VALUE, e->err);
        assert_null(hits);
    }
}

/* ---- memory -------------------------------------------------------------------------------- */

static void test_relevance_survives_lack_of_memory(void **state)
{
    static char texts[N_PAIRS][64];
    memo_pair pairs[N_PAIRS];
    const memo_search_options o = {
        .size = sizeof o, .diversity = 0.5, .drop_duplicates = 1, .recency = 1, .min_score = 1e-9};
    db_env *e = *state;
    db_add(e, "a", "the spare key is under the flower pot");
    db_add(e, "b", "anna is in the garden");
    make_pairs(pairs, texts);
    { /* what a handle keeps from its first context on is there */
        const memo_context_options pack = {.size = sizeof pack, .budget_tokens = 60};
        memo_context *context = NULL;
        assert_memo_ok(memo_db_context(e->db, MEMO_STR("spare key"), &pack, &context, &e->err),
                       e->err);
        memo_context_free(context);
    }
    for (int what = 0; what < 3; what++) {
        memo_status status = MEMO_ERR_NOMEM;
        int64_t live = memo_alloc_live();
        for (uint64_t n = 1; status; n++) {
            memo_hits *hits = NULL;
            memo_context *context = NULL;
            memo_calibration c = {.size = sizeof c};
            memo_context_options pack = {.size = sizeof pack, .budget_tokens = 60};
            memo_alloc_fail_at(n, 0);
            status = what == 0 ? calibrate(e, pairs, N_PAIRS, &c)
                     : what == 1
                         ? memo_db_search(e->db, MEMO_STR("spare key"), &o, &hits, &e->err)
                         : memo_db_context(e->db, MEMO_STR("spare key"), &pack, &context, &e->err);
            memo_alloc_fail_at(0, 0);
            if (status)
                assert_memo_status(status, MEMO_ERR_NOMEM, e->err);
            memo_hits_free(hits);
            memo_context_free(context);
            if (status)
                assert_int_equal(memo_alloc_live(), live);
            assert_true(n < 20000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logistic_finds_the_curve_of_a_sample),
        cmocka_unit_test(test_logistic_stays_finite_where_scores_divide),
        db_test(test_calibrate_gives_probabilities),
        db_test(test_search_says_that_nothing_is_relevant),
        db_test(test_search_knows_a_published_model),
        db_test(test_calibrate_with_the_stores_own_texts),
        db_test(test_calibrate_refuses_what_says_nothing),
        db_test(test_recency_counts_when_it_is_asked_for),
        db_test(test_facts_lane_finds_the_evidence),
        db_test(test_min_score_hides_and_says_so),
        db_test(test_drop_duplicates_hides_repetitions),
        db_test(test_diversity_prefers_the_unlike),
        db_test(test_search_refuses_options_that_are_no_numbers),
        db_test(test_relevance_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
