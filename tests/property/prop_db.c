// SPDX-License-Identifier: Apache-2.0
/* Random stores against a plain list in memory: after any series of adds, upserts, edits and
 * forgets, the store lists the same records, a search never returns fewer than min(k, matches of
 * the filter), and dense mode gives exactly what comparing the query with every text gives.
 *
 * A failure prints its seed; MEMO_PROP_SEED=N runs that one alone, MEMO_PROP_ROUNDS=N more. */
#include <math.h>

#include "unit/db_util.h"

enum { MAX_MODEL = 400 };

typedef struct shadow {
    char key[16], text[120];
    int n;      /* meta.n */
    int tagged; /* has the tag "odd" */
    float v[TINY_HIDDEN];
} shadow;

static shadow shadows[MAX_MODEL];
static size_t n_shadows;
static uint64_t seed;

static shadow *find(const char *key)
{
    for (size_t i = 0; i < n_shadows; i++)
        if (strcmp(shadows[i].key, key) == 0)
            return &shadows[i];
    return NULL;
}

static void random_words(memo_rng *rng, char *out)
{
    static const char *const words[] = {"the",  "key",  "under", "flower", "pot", "boiler", "was",
                                        "note", "anna", "x1",    "garden", "zq",  "quiz",   "."};
    size_t n = 1 + memo_rng_below(rng, 12);
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        strcat(out, i ? " " : "w");
        strcat(out, words[memo_rng_below(rng, sizeof words / sizeof *words)]);
    }
}

static void random_add(db_env *e, memo_rng *rng)
{
    static const char *const odd[] = {"odd"};
    char key[16], metadata[32];
    shadow *s;
    memo_record_in in;
    sprintf(key, "k%d", (int)memo_rng_below(rng, MAX_MODEL));
    s = find(key);
    if (!s)
        s = &shadows[n_shadows++];
    strcpy(s->key, key);
    random_words(rng, s->text);
    s->n = (int)memo_rng_below(rng, 100);
    s->tagged = s->n % 2;
    sprintf(metadata, "{\"n\":%d}", s->n);
    in = db_record(key, s->text);
    in.metadata_json = metadata;
    in.tags = odd;
    in.n_tags = (size_t)s->tagged;
    db_put(e, in);
    db_embed(e, MEMO_ROLE_DOCUMENT, s->text, strlen(s->text), s->v);
}

static void random_forget(db_env *e, memo_rng *rng)
{
    size_t i = memo_rng_below(rng, n_shadows);
    const char *const ids[] = {shadows[i].key};
    const memo_forget_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    uint64_t n = 0;
    assert_memo_ok(memo_db_forget(e->db, &o, &n, NULL, &e->err), e->err);
    assert_int_equal(n, 1);
    shadows[i] = shadows[--n_shadows];
}

static void random_edit(db_env *e, memo_rng *rng)
{
    shadow *s = &shadows[memo_rng_below(rng, n_shadows)];
    memo_record_edit edit = {.size = sizeof edit};
    memo_text text;
    char metadata[32];
    if (memo_rng_below(rng, 2)) {
        random_words(rng, s->text);
        text = (memo_text){s->text, strlen(s->text)};
        edit.text = &text;
        db_embed(e, MEMO_ROLE_DOCUMENT, s->text, strlen(s->text), s->v);
    }
    s->n = (int)memo_rng_below(rng, 100);
    sprintf(metadata, "{\"n\":%d}", s->n);
    edit.metadata_json = metadata;
    assert_memo_ok(memo_db_edit(e->db, NULL, s->key, &edit, NULL, &e->err), e->err);
}

/* ---- the checks ---------------------------------------------------------------------------- */

typedef struct condition {
    char text[64];
    int below;     /* meta.n < below */
    int needs_tag; /* tags = 'odd' */
} condition;

static condition random_condition(memo_rng *rng)
{
    condition c = {.below = (int)memo_rng_below(rng, 110),
                   .needs_tag = (int)memo_rng_below(rng, 2)};
    sprintf(c.text, "meta.n < %d%s", c.below, c.needs_tag ? " and tags = 'odd'" : "");
    return c;
}

static int passes(const shadow *s, const condition *c)
{
    return s->n < c->below && (!c->needs_tag || s->tagged);
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < TINY_HIDDEN; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void check_search(db_env *e, memo_rng *rng, memo_search_mode mode)
{
    const condition c = random_condition(rng);
    memo_search_options o = {
        .size = sizeof o, .mode = mode, .where = c.text, .k = 1 + memo_rng_below(rng, 300)};
    float q[TINY_HIDDEN];
    char query[120];
    size_t matches = 0, wanted;
    memo_hits *hits = NULL;
    random_words(rng, query);
    db_embed(e, MEMO_ROLE_QUERY, query, strlen(query), q);
    for (size_t i = 0; i < n_shadows; i++)
        matches += (size_t)passes(&shadows[i], &c);
    wanted = matches < o.k ? matches : o.k;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR(query), &o, &hits, &e->err), e->err);
    if (hits->n != wanted)
        fail_msg("seed %llu: %zu hits of %zu for %s", (unsigned long long)seed, hits->n, wanted,
                 c.text);
    for (size_t i = 0; i < hits->n; i++) {
        const shadow *s = find(hits->hits[i].key);
        size_t better = 0;
        assert_non_null(s);
        assert_true(passes(s, &c));
        assert_string_equal(hits->hits[i].text, s->text);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hits->hits[i].id, hits->hits[j].id);
        if (i > 0)
            assert_true(hits->hits[i].score <= hits->hits[i - 1].score);
        if (mode != MEMO_SEARCH_DENSE)
            continue;
        assert_true(fabs(hits->hits[i].score - cosine(q, s->v)) < 1e-6);
        for (size_t j = 0; j < n_shadows; j++)
            better += passes(&shadows[j], &c) && cosine(q, shadows[j].v) > cosine(q, s->v) + 1e-6;
        if (better > i)
            fail_msg("seed %llu: hit %zu has %zu better ones", (unsigned long long)seed, i, better);
    }
    memo_hits_free(hits);
}

static void check_list(db_env *e)
{
    const memo_list_options o = {.size = sizeof o, .limit = 1000};
    memo_records *r = NULL;
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n, n_shadows);
    for (size_t i = 0; i < r->n; i++) {
        const shadow *s = find(r->records[i].key);
        char metadata[32];
        assert_non_null(s);
        sprintf(metadata, "{\"n\":%d}", s->n);
        assert_string_equal(r->records[i].text.bytes, s->text);
        assert_string_equal(r->records[i].metadata_json, metadata);
    }
    memo_records_free(r);
}

static void run(db_env *e, uint64_t this_seed)
{
    memo_rng rng;
    seed = this_seed;
    n_shadows = 0;
    memo_rng_init(&rng, seed);
    printf("seed %llu (MEMO_PROP_SEED=%llu build/tests/prop_db)\n", (unsigned long long)seed,
           (unsigned long long)seed);
    for (int step = 0; step < 300; step++) {
        size_t what = memo_rng_below(&rng, 10);
        if (what < 7 || n_shadows < 2)
            random_add(e, &rng);
        else if (what < 8)
            random_forget(e, &rng);
        else
            random_edit(e, &rng);
        if (step % 20 == 19) {
            check_search(e, &rng, MEMO_SEARCH_DENSE);
            check_search(e, &rng, MEMO_SEARCH_HYBRID);
        }
    }
    check_list(e);
}

static void prop_db_equals_a_list(void **state)
{
    const char *one = getenv("MEMO_PROP_SEED"), *rounds = getenv("MEMO_PROP_ROUNDS");
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 3;
    if (one) {
        run(*state, strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= n; i++) {
        run(*state, i);
        db_teardown(state);
        db_setup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(prop_db_equals_a_list),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
