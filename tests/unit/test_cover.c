// SPDX-License-Identifier: Apache-2.0
/* How much of a query a hit's words are, and what that does to what is found. */
#include "db_util.h"

#include <math.h>

#include "memory/db.h"

/* N rows, n of them with the word. */
static double weight(double n_rows, double n)
{
    return log(1 + (n_rows - n + 0.5) / (n + 0.5));
}

static void test_cover_counts_rare_words_more(void **state)
{
    static const char *const texts[] = {"alpha beta", "alpha gamma", "alpha alpha", "delta"};
    db_env *e = *state;
    memo_arena arena = {0};
    memo_store_hits hits = {.arena = &arena, .limit = 10, .with_cover = 1};
    memo_store_scope scope = {0};
    memo_store_ns ns;
    double alpha = weight(4, 3), beta = weight(4, 1), none = weight(4, 0);
    for (size_t i = 0; i < 4; i++)
        db_add(e, NULL, texts[i]);
    assert_memo_ok(memo_store_find_ns(e->db->store, "default", &ns, &e->err), e->err);
    scope.ns = ns.id;
    assert_memo_ok(memo_store_fulltext(e->db->store, &scope, MEMO_STORE_WORDS,
                                       "\"alpha\" OR \"beta\" OR \"nowhere\"", 2, &hits, &e->err),
                   e->err);
    assert_int_equal(hits.n, 3);
    for (size_t i = 0; i < hits.n; i++) {
        double wanted = (hits.hits[i].chunk == 1 ? alpha + beta : alpha) / (alpha + beta + none);
        assert_true(fabs(hits.hits[i].cover - wanted) < 1e-12);
    }
    hits.with_cover = 0;
    assert_memo_ok(
        memo_store_fulltext(e->db->store, &scope, MEMO_STORE_WORDS, "\"delta\"", 2, &hits, &e->err),
        e->err);
    assert_true(hits.n == 1 && hits.hits[0].cover == 1);
    memo_arena_fini(&arena);
}

static void test_cover_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    memo_store_scope scope = {.ns = 1};
    memo_status status = MEMO_ERR_NOMEM;
    db_add(e, NULL, "alpha beta");
    for (uint64_t n = 1; status; n++) {
        memo_arena arena = {0};
        memo_store_hits hits = {.arena = &arena, .limit = 10, .with_cover = 1};
        int64_t live = memo_alloc_live();
        memo_alloc_fail_at(n, 0);
        status = memo_store_fulltext(e->db->store, &scope, MEMO_STORE_WORDS, "\"alpha\"", 2, &hits,
                                     &e->err);
        memo_alloc_fail_at(0, 0);
        if (status)
            assert_memo_status(status, MEMO_ERR_NOMEM, e->err);
        else
            assert_int_equal(hits.n, 1);
        memo_arena_fini(&arena);
        if (status)
            assert_int_equal(memo_alloc_live(), live);
        assert_true(n < 1000);
    }
}

/* ---- questions in other words -------------------------------------------------------------- */

/* Each note that answers a question has a neighbour that shares a weak word with it. */
static const char *const notes[][2] = {
    {"key", "The spare key is hidden under the flower pot by the front door"},
    {"get", "Get milk, eggs and bread on the way back from work"},
    {"peanut", "Anna has a severe allergy to peanuts and cashews"},
    {"eat", "We want to eat at the new place near the station on Saturday"},
    {"boiler", "The boiler was serviced in May and the pressure set to 1.5 bar"},
    {"last", "The last train leaves at eleven, take the bus if we miss it"},
    {"wifi", "The wireless network is called Larch and its passphrase is blue-tulip-42"},
    {"connect", "Connect the hose to the tap before you use the sprinkler"},
    {"dentist", "Dr. Weber, tooth cleaning, 3 June at nine in the morning"},
    {"appointment", "My appointment with the tax adviser next week was cancelled"},
    {"dog", "Rex is fed twice a day, half a cup of kibble each time"},
    {"give", "Give the neighbours their ladder back"},
    {"rent", "The landlord receives 950 euro on the first of each month"},
    {"pay", "Pay attention to the second stage of the exam"},
    {"movie", "The film starts at a quarter past eight"},
    {"begin", "Begin the essay with a short summary of the book"},
};
static const char *const questions[][2] = {
    {"how do I get into the house when locked out", "key"},
    {"what must Anna not eat", "peanut"},
    {"when was the heating last checked", "boiler"},
    {"how do guests connect to the internet", "wifi"},
    {"when is my appointment for my teeth", "dentist"},
    {"how much food do I give the puppy", "dog"},
    {"how much do I pay for the flat", "rent"},
    {"what time does the movie begin", "movie"},
    {"the tax adviser", "appointment"}, /* and words still find what they name */
    {"blue tulip", "wifi"},
};

static void test_cover_lets_a_paraphrase_win(void **state)
{
    db_env *e = *state;
    const char *path = getenv("MEMO_MODEL_INT8");
    const memo_search_options o = {.size = sizeof o};
    memo_model *model = NULL;
    if (!path || access(path, R_OK) != 0)
        memo_test_skip("%s does not name a compiled model", "MEMO_MODEL_INT8");
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &model, &e->err), e->err);
    db_reopen(e, model);
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        db_add(e, notes[i][0], notes[i][1]);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        memo_hits *hits = NULL;
        memo_text query = {questions[i][0], strlen(questions[i][0])};
        assert_memo_ok(memo_db_search(e->db, query, &o, &hits, &e->err), e->err);
        if (strcmp(hits->hits[0].key, questions[i][1]) != 0)
            fail_msg("\"%s\" finds %s before %s", questions[i][0], hits->hits[0].key,
                     questions[i][1]);
        memo_hits_free(hits);
    }
    db_reopen(e, e->model);
    memo_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_cover_counts_rare_words_more),
        db_test(test_cover_survives_lack_of_memory),
        db_test(test_cover_lets_a_paraphrase_win),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
