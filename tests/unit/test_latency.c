// SPDX-License-Identifier: Apache-2.0
/* What is told of how long searches take. */
#include "db_util.h"

#include "memory/db.h"

static void search(db_env *e, const char *query, char *id)
{
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(e->db, (memo_text){query, strlen(query)}, NULL, &hits, &e->err),
                   e->err);
    memcpy(id, hits->search_id, MEMO_ID_BYTES);
    memo_hits_free(hits);
}

typedef struct told {
    memo_db *db;
    int n;
    char line[2048];
} told;

static void tell(void *user, const char *line)
{
    told *t = user;
    memo_err err = {0};
    t->n++;
    snprintf(t->line, sizeof t->line, "%s", line);
    if (t->db)
        assert_memo_status(memo_db_flush(t->db, &err), MEMO_ERR_BUSY, err);
}

static void test_latency_is_told_of_slow_searches(void **state)
{
    db_env *e = *state;
    told t = {0};
    memo_db_options o = {
        .size = sizeof o, .model = e->model, .latency = tell, .latency_user = &t, .slow_ms = 0};
    json_t *json = NULL;
    char id[MEMO_ID_BYTES];
    db_add(e, "tea", "tea leaves in the blue tin");
    db_add(e, "milk", "milk is in the fridge");
    db_add(e, "cup", "a cup of tea with milk");
    memo_db_close(e->db);
    assert_memo_ok(memo_db_open(e->ctx, e->path, &o, &e->db, &e->err), e->err);
    t.db = e->db;
    search(e, "secret words of a query", id);
    assert_int_equal(t.n, 1);
    assert_null(strstr(t.line, "secret"));
    assert_null(strchr(t.line, '\n'));
    assert_memo_ok(
        memo_json_parse(t.line, strlen(t.line), &memo_json_request_limits, "line", &json, &e->err),
        e->err);
    static const char *const numbers[] = {"time",     "total_ms",   "embed_ms", "filter_ms",
                                          "dense_ms", "lexical_ms", "exact_ms", "facts_ms",
                                          "fuse_ms",  "fetch_ms",   "hits",     "searched",
                                          "k",        "dim",        "threads",  "memory"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!json_is_number(json_object_get(json, numbers[i])))
            fail_msg("%s is no number in %s", numbers[i], t.line);
    assert_string_equal(json_string_value(json_object_get(json, "search_id")), id);
    assert_string_equal(json_string_value(json_object_get(json, "mode")), "hybrid");
    assert_int_equal(json_integer_value(json_object_get(json, "hits")), 3);
    assert_int_equal(json_integer_value(json_object_get(json, "k")), 10);
    assert_true(json_integer_value(json_object_get(json, "dim")) > 0);
    json_decref(json);
    memo_db_close(e->db);
    o.slow_ms = 60000;
    t = (told){0};
    assert_memo_ok(memo_db_open(e->ctx, e->path, &o, &e->db, &e->err), e->err);
    search(e, "tea", id);
    assert_int_equal(t.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_latency_is_told_of_slow_searches),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
