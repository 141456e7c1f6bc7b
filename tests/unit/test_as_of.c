// SPDX-License-Identifier: Apache-2.0
/* Searches of the past; that they equal those of a store that was stopped there is
 * property/prop_as_of.c's. */
#include "db_util.h"

#include "base/alloc.h"
#include "base/ctx.h"
#include "memory/db.h"
#include "store/store_inner.h"

/* The keys of the hits with their versions, in the order of their keys: "a1 b2". */
static const char *found(db_env *e, const char *query, memo_search_options o)
{
    static char out[512];
    memo_hits *hits = NULL;
    out[0] = 0;
    o.size = sizeof o;
    assert_memo_ok(memo_db_search(e->db, (memo_text){query, strlen(query)}, &o, &hits, &e->err),
                   e->err);
    for (char c = 'a'; c <= 'z'; c++)
        for (size_t i = 0; i < hits->n; i++)
            if (hits->hits[i].key[0] == c)
                sprintf(out + strlen(out), "%s%c%d", out[0] ? " " : "", c,
                        (int)hits->hits[i].version);
    memo_hits_free(hits);
    return out;
}

static memo_search_options at(int64_t ms)
{
    return (memo_search_options){.as_of_ms = DB_NOW + ms};
}

/* a: v1 at 0, v2 at 1000; b: at 1000; c: at 0, forgotten at 2000. */
static void three(db_env *e)
{
    const char *c = "c";
    const memo_forget_options forget = {.size = sizeof forget, .ids = &c, .n_ids = 1};
    db_add(e, "a", "the spare key");
    db_add(e, "c", "a key of anna");
    e->now_ms += 1000;
    db_add(e, "a", "the boiler");
    db_add(e, "b", "the key of the garden");
    e->now_ms += 1000;
    assert_memo_ok(memo_db_forget(e->db, &forget, NULL, NULL, &e->err), e->err);
}

static void test_as_of_search_finds_what_was(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    three(e);
    assert_string_equal(found(e, "key", at(0)), "a1");
    assert_string_equal(found(e, "key", at(999)), "a1");
    assert_string_equal(found(e, "key", at(1000)), "a2 b1");
    o.mode = MEMO_SEARCH_LEXICAL;
    assert_string_equal(found(e, "boiler", o), "");
    assert_string_equal(found(e, "spare", o), "a1");
    o.where = "text contains 'boiler'";
    assert_string_equal(found(e, "key", o), "");
    assert_string_equal(found(e, "key", (memo_search_options){0}), "a2 b1");
}

static void test_as_of_search_is_kept_until_something_changes(void **state)
{
    db_env *e = *state;
    struct memo_past *past;
    three(e);
    found(e, "key", at(500));
    past = e->db->past;
    assert_non_null(past);
    found(e, "boiler", at(500));
    assert_ptr_equal(e->db->past, past);
    e->now_ms = DB_NOW + 400; /* a clock that went back: the change is in that past */
    db_add(e, "d", "the key of the door");
    assert_string_equal(found(e, "key", at(500)), "a1 d1");
    found(e, "key", (memo_search_options){0});
    assert_null(e->db->past);
}

/* Whether words are enough is known: a past that was made for them alone is made again. */
static void test_as_of_search_by_words_needs_no_vectors(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    three(e);
    o.mode = MEMO_SEARCH_LEXICAL;
    assert_string_equal(found(e, "spare", o), "a1");
    o.mode = MEMO_SEARCH_DENSE;
    assert_string_equal(found(e, "spare", o), "a1");
    db_reopen(e, NULL);
    o.mode = MEMO_SEARCH_HYBRID;
    assert_string_equal(found(e, "spare", o), "a1");
}

static void test_as_of_search_says_when_nothing_was_there(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(-1);
    memo_hits *hits = NULL;
    o.size = sizeof o;
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    three(e);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "at 2025-06-15T15:06:39.999Z");
    assert_contains(e->err.message,
                    "first record it still has was written at 2025-06-15T15:06:40.000Z");
    o.as_of_ms = -5;
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), MEMO_ERR_VALUE,
                       e->err);
    assert_null(hits);
}

/* Facts count from when they were recorded, and their evidence is of the version of then. */
static void test_as_of_search_knows_the_facts_of_then(void **state)
{
    db_env *e = *state;
    const memo_evidence_in evidence = {.record = "b"};
    memo_fact_in fact = {.size = sizeof fact,
                         .subject = "Anna",
                         .relation = "likes",
                         .value = "gardens",
                         .evidence = &evidence,
                         .n_evidence = 1};
    memo_search_options o = at(1500);
    memo_hits *hits = NULL;
    three(e); /* now 2000 */
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &fact, NULL, &e->err), e->err);
    o.size = sizeof o;
    for (int later = 0; later <= 1; later++) {
        o.as_of_ms = DB_NOW + (later ? 2000 : 1500);
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("Anna"), &o, &hits, &e->err), e->err);
        for (size_t i = 0; i < hits->n; i++)
            if (strcmp(hits->hits[i].key, "b") == 0)
                assert_int_equal(hits->hits[i].lanes[MEMO_LANE_FACTS].rank, later);
        memo_hits_free(hits);
    }
}

static void test_as_of_search_names_damaged_versions(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    memo_hits *hits = NULL;
    three(e);
    assert_int_equal(
        sqlite3_exec(e->db->store->sql.db, "UPDATE versions SET text = 'a key'", NULL, NULL, NULL),
        SQLITE_OK);
    o.size = sizeof o;
    db_add(e, "d", "door");
    o.as_of_ms = DB_NOW + 1500;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), e->err);
    assert_int_equal(hits->n_damaged, 0);
    memo_hits_free(hits);
    e->now_ms = DB_NOW + 100;
    db_add(e, "d", "door key");
    o.as_of_ms = DB_NOW + 500;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 1);
    assert_string_equal(hits->hits[0].key, "d");
    assert_int_equal(hits->n_damaged, 1);
    memo_hits_free(hits);
}

static void test_as_of_search_keeps_its_deadline(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    memo_hits *hits = NULL;
    three(e);
    o.size = sizeof o;
    o.deadline_ms = -1;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), e->err);
    assert_true(hits->partial);
    memo_hits_free(hits);
    assert_string_equal(found(e, "key", at(500)), "a1"); /* what was cut short is not kept */
}

/* Of a store that is copied in several groups of pages not all is copied when it is too late already. */
static void test_as_of_search_is_not_copied_beyond_its_deadline(void **state)
{
    enum { BYTES = 6 << 20 };
    db_env *e = *state;
    memo_search_options o = at(500);
    memo_hits *hits = NULL;
    char *text = malloc(BYTES);
    memo_record_in in = {
        .size = sizeof in, .key = "z", .text = {text, BYTES}, .chunking = MEMO_CHUNK_NONE};
    assert_non_null(text);
    three(e);
    for (size_t i = 0; i < BYTES; i++)
        text[i] = i % 7 == 6 ? ' ' : "abcdefgh"[i / 7 % 8];
    db_put(e, in);
    free(text);
    o.size = sizeof o;
    o.deadline_ms = -1;
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err),
                       MEMO_ERR_DEADLINE, e->err);
    assert_contains(e->err.message, "deadline");
    assert_null(hits);
    assert_null(e->db->past);
    assert_string_equal(found(e, "key", at(500)), "a1");
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), e->err);
    memo_hits_free(hits); /* the copy is there by now: nothing is late */
}

static void test_as_of_context_cites_what_was(void **state)
{
    db_env *e = *state;
    const memo_context_options o = {
        .size = sizeof o, .budget_tokens = 400, .as_of_ms = DB_NOW + 500};
    memo_context *context = NULL;
    three(e);
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("key"), &o, &context, &e->err), e->err);
    assert_contains(context->text, "the spare key");
    assert_null(strstr(context->text, "boiler"));
    memo_context_free(context);
}

/* Search within a search: of the present, which would free the past that is being searched. */
static void search_again(void *user, const char *line)
{
    db_env *e = user;
    memo_hits *hits = NULL;
    memo_status status = memo_db_search(e->db, MEMO_STR("key"), NULL, &hits, &e->err);
    (void)line;
    memo_hits_free(hits);
    assert_memo_status(status, MEMO_ERR_BUSY, e->err);
    e->now_ms++; /* it was called */
}

static void test_as_of_search_is_not_freed_by_its_own_callback(void **state)
{
    db_env *e = *state;
    const memo_db_options o = {
        .size = sizeof o, .model = e->model, .latency = search_again, .latency_user = e};
    int64_t before;
    three(e);
    memo_db_close(e->db);
    assert_memo_ok(memo_db_open(e->ctx, e->path, &o, &e->db, &e->err), e->err);
    before = e->now_ms;
    assert_string_equal(found(e, "key", at(500)), "a1");
    assert_int_equal(e->now_ms, before + 1);
    assert_string_equal(found(e, "key", at(500)), "a1");
}

/* The dimension of a space is learned by the handle, not by its copy. */
static void test_as_of_search_learns_a_dimension_once(void **state)
{
    static const float values[4] = {0, 2, 0, 0};
    db_env *e = *state;
    const memo_external_space any = {.size = sizeof any, .name = "ada"};
    const memo_db_options o = {
        .size = sizeof o, .external = &any, .mode = MEMO_OPEN_CREATE, .busy_timeout_ms = -1};
    const memo_vector vector = {.f32 = values, .dim = 4};
    memo_search_options as_of = at(0);
    memo_record_in in = db_record("a", "the spare key");
    int64_t live;
    memo_db_close(e->db);
    assert_memo_ok(memo_db_open(e->ctx, e->path, &o, &e->db, &e->err), e->err);
    in.vectors = &vector;
    in.n_vectors = 1;
    db_put(e, in);
    memo_db_close(e->db);
    live = memo_alloc_live();
    assert_memo_ok(memo_db_open(e->ctx, e->path, &o, &e->db, &e->err), e->err);
    as_of.vector = &vector;
    for (int i = 0; i < 3; i++)
        assert_string_equal(found(e, "key", as_of), "a1");
    memo_db_close(e->db);
    assert_int_equal(memo_alloc_live(), live);
    e->db = db_open_mode(e, NULL, MEMO_OPEN_EXISTING);
}

static void test_as_of_search_keeps_its_memory(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    const uint64_t limit = e->ctx->mem_limit_bytes;
    memo_hits *hits = NULL;
    memo_status status;
    three(e);
    o.size = sizeof o;
    o.mode = MEMO_SEARCH_LEXICAL;
    e->ctx->mem_limit_bytes = 8192;
    status = memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err);
    e->ctx->mem_limit_bytes = limit;
    assert_memo_status(status, MEMO_ERR_LIMIT, e->err);
    assert_contains(e->err.message, "a copy");
    assert_string_equal(found(e, "key", at(500)), "a1");
}

static void test_as_of_search_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    memo_search_options o = at(500);
    int done = 0;
    o.size = sizeof o;
    three(e);
    found(e, "key", at(500));
    for (uint64_t n = 1; !done; n++) {
        memo_hits *hits = NULL;
        memo_err err = {0};
        memo_status status;
        int64_t live;
        found(e, "key", (memo_search_options){0}); /* nothing is kept */
        live = memo_alloc_live();
        memo_alloc_fail_at(n, 0);
        status = memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &err);
        done = memo_alloc_count() < n;
        memo_alloc_fail_at(0, 0);
        if (status == MEMO_OK)
            assert_int_equal(hits->n, 1);
        memo_hits_free(hits);
        found(e, "key", (memo_search_options){0});
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)n, (int)(memo_alloc_live() - live));
        if (status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)n, memo_status_name(status), err.message);
        assert_true(n < 5000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_as_of_search_finds_what_was),
        db_test(test_as_of_search_is_kept_until_something_changes),
        db_test(test_as_of_search_by_words_needs_no_vectors),
        db_test(test_as_of_search_says_when_nothing_was_there),
        db_test(test_as_of_search_knows_the_facts_of_then),
        db_test(test_as_of_search_names_damaged_versions),
        db_test(test_as_of_search_keeps_its_deadline),
        db_test(test_as_of_search_is_not_copied_beyond_its_deadline),
        db_test(test_as_of_context_cites_what_was),
        db_test(test_as_of_search_is_not_freed_by_its_own_callback),
        db_test(test_as_of_search_learns_a_dimension_once),
        db_test(test_as_of_search_keeps_its_memory),
        db_test(test_as_of_search_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
