// SPDX-License-Identifier: Apache-2.0
/* Random histories: a search of the past gives what a store gives that was stopped at that moment, hit
 * for hit and bit for bit, in every mode and under filters. The stopped store is a backup made then; what
 * is forgotten later is forgotten in it too, for it is in no past.
 *
 * A failure prints its seed; MEMO_PROP_SEED=N runs that one alone, MEMO_PROP_ROUNDS=N more. */
#include <stdlib.h>

#include "base/rng.h"
#include "unit/db_util.h"

enum { N_KEYS = 60, N_STEPS = 90, N_MOMENTS = 3, N_SEARCHES = 12 };

static uint64_t seed;

static void random_words(memo_rng *rng, char *out)
{
    static const char *const words[] = {"the",  "key",    "under",  "flower", "pot",
                                        "note", "boiler", "ERR-7",  "garden", "the",
                                        "anna", "quiz",   "日本語", "keys",   "."};
    size_t n = 1 + memo_rng_below(rng, 12);
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        strcat(out, i ? " " : "w ");
        strcat(out, words[memo_rng_below(rng, sizeof words / sizeof *words)]);
    }
}

/* A record with everything that a filter or a lane looks at; some expire within the history. */
static void random_put(db_env *e, memo_rng *rng, const char *key)
{
    static const char *const tags[] = {"odd", "red"};
    char text[200], title[200], metadata[32];
    memo_record_in in;
    random_words(rng, text);
    random_words(rng, title);
    sprintf(metadata, "{\"n\":%d}", (int)memo_rng_below(rng, 100));
    in = db_record(key, text);
    in.metadata_json = metadata;
    in.tags = tags;
    in.n_tags = memo_rng_below(rng, 3);
    in.title = memo_rng_below(rng, 3) ? NULL : title;
    if (memo_rng_below(rng, 6) == 0)
        in.expires_ms = e->now_ms + 1 + (int64_t)memo_rng_below(rng, 400);
    db_put(e, in);
}

static void random_edit(db_env *e, memo_rng *rng, const char *key)
{
    static const char *const tags[] = {"red"};
    memo_record_edit edit = {.size = sizeof edit};
    char metadata[32];
    sprintf(metadata, "{\"n\":%d}", (int)memo_rng_below(rng, 100));
    edit.metadata_json = metadata;
    if (memo_rng_below(rng, 2)) {
        edit.tags = tags;
        edit.n_tags = memo_rng_below(rng, 2);
        edit.set_tags = 1;
    }
    (void)memo_db_edit(e->db, NULL, key, &edit, NULL, &e->err); /* or there is none */
}

static void forget(db_env *e, memo_db *db, const char *key)
{
    const memo_forget_options o = {.size = sizeof o, .ids = &key, .n_ids = 1};
    memo_status status = memo_db_forget(db, &o, NULL, NULL, &e->err);
    assert_true(status == MEMO_OK || status == MEMO_ERR_NOTFOUND);
}

/* A step of a history; `frozen` [n] are the stores that were stopped before. */
static void random_step(db_env *e, memo_rng *rng, memo_db *const *frozen, size_t n)
{
    char key[16];
    sprintf(key, "k%d", (int)memo_rng_below(rng, N_KEYS));
    e->now_ms += 1 + (int64_t)memo_rng_below(rng, 20);
    switch (memo_rng_below(rng, 8)) {
    case 0:
        forget(e, e->db, key);
        for (size_t i = 0; i < n; i++)
            forget(e, frozen[i], key);
        break;
    case 1:
    case 2:
        random_edit(e, rng, key);
        break;
    default:
        random_put(e, rng, key);
    }
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* What a search gave twice, and the first thing in which the two differ. */
typedef struct outcome {
    size_t n;
    char why[300];
} outcome;

static void differ_at(outcome *out, const char *what, size_t hit)
{
    if (!out->why[0])
        snprintf(out->why, sizeof out->why, "%s of hit %zu differs", what, hit + 1);
}

static void compare_hit(const memo_hit *a, const memo_hit *b, size_t i, outcome *out)
{
    if (strcmp(a->id, b->id) != 0)
        differ_at(out, "the id", i);
    if (a->version != b->version || a->updated_ms != b->updated_ms ||
        a->created_ms != b->created_ms)
        differ_at(out, "the version", i);
    if (strcmp(a->text, b->text) != 0 || strcmp(a->title, b->title) != 0 ||
        strcmp(a->metadata_json, b->metadata_json) != 0 || a->n_tags != b->n_tags ||
        strcmp(a->terms, b->terms) != 0)
        differ_at(out, "the content", i);
    if (a->score != b->score)
        differ_at(out, "the score", i);
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        if (a->lanes[lane].rank != b->lanes[lane].rank ||
            a->lanes[lane].score != b->lanes[lane].score)
            differ_at(out, memo_lane_name((memo_lane)lane), i);
}

static void compare_hits(const memo_hits *past, const memo_hits *stopped, outcome *out)
{
    out->n = past->n;
    if (past->n != stopped->n || past->n_searched != stopped->n_searched)
        snprintf(out->why, sizeof out->why,
                 "%zu hits of %zu, and %zu of %zu in the store that was stopped", past->n,
                 past->n_searched, stopped->n, stopped->n_searched);
    for (size_t i = 0; i < past->n && !out->why[0]; i++)
        compare_hit(&past->hits[i], &stopped->hits[i], i, out);
    assert_string_equal(past->search_id, "");
}

/* The same search as of `asked_ms` and in the store that was stopped at `stopped_ms`. */
static void compare(db_env *e, memo_rng *rng, memo_db *frozen, int64_t asked_ms, int64_t stopped_ms,
                    outcome *out)
{
    static const char *const filters[] = {NULL,
                                          NULL,
                                          "meta.n < 50",
                                          "tags = 'red' and meta.n >= 20",
                                          "updated >= now-200s",
                                          "not (tags = 'odd') or title exists"};
    memo_search_options o = {.size = sizeof o,
                             .k = 1 + memo_rng_below(rng, 80),
                             .mode = (memo_search_mode)memo_rng_below(rng, 3),
                             .where = filters[memo_rng_below(rng, 6)],
                             .chunks = (int)memo_rng_below(rng, 2),
                             .recency = memo_rng_below(rng, 3) ? 0 : 0.7};
    int64_t now = e->now_ms;
    char query[200], why[300];
    memo_hits *past = NULL, *stopped = NULL;
    memo_status a, b;
    *out = (outcome){.n = 0};
    random_words(rng, query);
    o.as_of_ms = asked_ms;
    a = memo_db_search(e->db, MEMO_STR(query), &o, &past, &e->err);
    e->now_ms = stopped_ms;
    o.as_of_ms = 0;
    b = memo_db_search(frozen, MEMO_STR(query), &o, &stopped, &e->err);
    e->now_ms = now;
    if (a != b)
        snprintf(out->why, sizeof out->why, "%s and %s", memo_status_name(a), memo_status_name(b));
    else if (a == MEMO_OK)
        compare_hits(past, stopped, out);
    if (out->why[0]) {
        snprintf(why, sizeof why, "%.120s", out->why);
        snprintf(out->why, sizeof out->why, "\"%.100s\" where %s, mode %d: %.120s", query,
                 o.where ? o.where : "-", (int)o.mode, why);
    }
    memo_hits_free(past);
    memo_hits_free(stopped);
}

/* Negative control: a store that was stopped at another moment is told from the one asked for. */
static void check_control(db_env *e, memo_rng *rng, memo_db *const *frozen, const int64_t *moments)
{
    size_t n_noticed = 0;
    for (int i = 0; i < N_SEARCHES; i++) {
        outcome out;
        compare(e, rng, frozen[N_MOMENTS - 1], moments[0], moments[N_MOMENTS - 1], &out);
        n_noticed += out.why[0] != 0;
    }
    if (n_noticed == 0)
        fail_msg("seed %llu: another moment is not told from the one asked for",
                 (unsigned long long)seed);
}

static void one_history(db_env *e, uint64_t this_seed)
{
    memo_rng rng;
    memo_db *frozen[N_MOMENTS];
    int64_t moments[N_MOMENTS];
    size_t n_hits = 0;
    memo_rng_init(&rng, this_seed);
    seed = this_seed;
    for (size_t m = 0; m < N_MOMENTS; m++) {
        char path[700];
        db_env stopped = *e;
        snprintf(path, sizeof path, "%.256s/stopped%zu.memo", e->dir, m);
        unlink(path);
        for (int i = 0; i < N_STEPS; i++)
            random_step(e, &rng, frozen, m);
        moments[m] = e->now_ms;
        e->now_ms += 1;
        assert_memo_ok(memo_db_backup(e->db, path, NULL, NULL, &e->err), e->err);
        snprintf(stopped.path, sizeof stopped.path, "%s", path);
        frozen[m] = db_open_mode(&stopped, e->model, MEMO_OPEN_CREATE);
    }
    for (int i = 0; i < N_STEPS; i++)
        random_step(e, &rng, frozen, N_MOMENTS);
    for (int i = 0; i < N_SEARCHES; i++) {
        size_t m = memo_rng_below(&rng, N_MOMENTS);
        outcome out;
        compare(e, &rng, frozen[m], moments[m], moments[m], &out);
        if (out.why[0])
            fail_msg("seed %llu: %s", (unsigned long long)seed, out.why);
        n_hits += out.n;
    }
    assert_true(n_hits > 0);
    check_control(e, &rng, frozen, moments);
    for (size_t m = 0; m < N_MOMENTS; m++)
        memo_db_close(frozen[m]);
}

static void prop_as_of(void **state)
{
    db_env *e = *state;
    const char *chosen = getenv("MEMO_PROP_SEED"), *more = getenv("MEMO_PROP_ROUNDS");
    size_t n = more ? strtoul(more, NULL, 10) : 12;
    if (chosen) {
        one_history(e, strtoull(chosen, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= n; s++) {
        db_teardown(state);
        db_setup(state);
        one_history(e, s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {db_test(prop_as_of)};
    return cmocka_run_group_tests_name("prop_as_of", tests, db_setup_group, db_teardown_group);
}
