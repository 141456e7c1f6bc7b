// SPDX-License-Identifier: Apache-2.0
/* memo_db_audit(): what it finds, in which order, and what it must never say. */
#include "db_util.h"

#include "memory/db.h"
#include "store/events/event_rows.h"
#include "store/rows/rows.h"

#define DAY INT64_C(86400000)

static const char long_text[] =
    "the spare key lies under the third flower pot on the left side of the garden door and the "
    "alarm must be switched off within thirty seconds";

static memo_audit *review_of(db_env *e, memo_audit_options options)
{
    memo_audit *audit = NULL;

    options.size = sizeof options;
    assert_memo_ok(memo_db_audit(e->db, &options, &audit, &e->err), e->err);
    return audit;
}

/* The store's own handle of the row ids of a record. */
static int64_t review_rid(db_env *e, const char *id)
{
    memo_arena arena = {0};
    memo_row row = {0};
    memo_store_ns ns;

    assert_memo_ok(memo_store_find_ns(e->db->store, "default", &ns, &e->err), e->err);
    assert_memo_ok(memo_row_find_id(&e->db->store->sql, ns.id, id, &arena, &row, &e->err), e->err);
    memo_arena_fini(&arena);
    return row.rid;
}

/* A search that showed one record, `id` NULL: none. */
static void review_show(db_env *e, const char *search, const char *id, int64_t at_ms)
{
    const memo_text none = {"", 0};
    memo_store_ns ns;
    int64_t sid = 0;
    memo_shown_row shown = {.rid = id ? review_rid(e, id) : 0,
                            .features = (const unsigned char *)""};

    assert_memo_ok(memo_store_find_ns(e->db->store, "default", &ns, &e->err), e->err);
    memo_search_row row = {.ns = ns.id,
                           .id = search,
                           .at_ms = at_ms,
                           .actor = none,
                           .surface = none,
                           .filter = none,
                           .query = MEMO_STR("key")};
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_store_put_search(e->db->store, &row, &sid, &e->err), e->err);
    assert_memo_ok(memo_store_put_shown(e->db->store, sid, 1, &shown, id != NULL, &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
}

static void test_audit_says_nothing_of_a_good_store(void **state)
{
    db_env *e = *state;
    db_add(e, "a", "tea is a drink");
    db_add(e, "b", "the boiler was serviced on 3 May");
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 0);
    assert_int_equal(audit->n_records, 2);
    assert_int_equal(audit->searches_from_ms, 0);
    memo_audit_free(audit);
    memo_audit_free(NULL);
}

static void test_audit_never_shows_a_secret(void **state)
{
    static const char token[] = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    db_env *e = *state;
    char text[128];
    snprintf(text, sizeof text, "the token is %s.", token);
    memo_record_in in = db_record("a", text);
    in.title = "AKIA2E0A8F3B244C9986";
    in.metadata_json = "{\"card\": \"4111 1111 1111 1111\"}";
    db_put(e, in);
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 3);
    for (size_t i = 0; i < audit->n; i++) {
        assert_int_equal(audit->findings[i].kind, MEMO_AUDIT_SECRET);
        assert_null(strstr(audit->findings[i].why, "ghp_1"));
        assert_null(strstr(audit->findings[i].why, "AKIA2"));
        assert_null(strstr(audit->findings[i].why, "4111 "));
    }
    assert_contains(audit->findings[0].why, "GitHub token ghp_... at byte 13 of the text");
    assert_contains(audit->findings[1].why, "AWS access key AKIA... at byte 0 of the title");
    assert_contains(audit->findings[2].why, "card number 4111... at byte 9 of the metadata");
    assert_contains(audit->findings[0].hint, "memolith forget --shred ");
    memo_audit_free(audit);
}

static void test_audit_finds_the_same_and_nearly_the_same(void **state)
{
    db_env *e = *state;
    char near[256];
    snprintf(near, sizeof near, "%s!", long_text);
    near[0] = 'T'; /* case and punctuation are no difference, one word more is a small one */
    memo_add_result first = db_add(e, "first", long_text), same = db_add(e, "same", long_text);
    memo_add_result like = db_add(e, "like", near);
    db_add(e, "other", "the boiler was serviced on 3 May by the man who had put it in");
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 2);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_DUPLICATE);
    assert_string_equal(audit->findings[0].id, same.id);
    assert_string_equal(audit->findings[0].key, "same");
    assert_string_equal(audit->findings[0].other, first.id);
    assert_true(audit->findings[0].score == 1);
    assert_int_equal(audit->findings[1].kind, MEMO_AUDIT_NEAR);
    assert_string_equal(audit->findings[1].id, like.id);
    assert_string_equal(audit->findings[1].other, first.id);
    memo_audit_free(audit);
}

/* 24 triples here and one less of them there: 21 of 27 are 78 %, 22 of 26 are 85 %. */
static void test_audit_draws_the_line_at_four_fifths(void **state)
{
    db_env *e = *state;
    char text[256];
    db_add(e, "first", long_text);
    snprintf(text, sizeof text, "%s", long_text);
    memcpy(strstr(text, "garden"), "kitche", 6); /* one word in the middle: three triples */
    db_add(e, "middle", text);
    snprintf(text, sizeof text, "%s", long_text);
    memcpy(strstr(text, "seconds"), "minutes", 7); /* the last word: one triple */
    db_add(e, "last", text);
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->counts[MEMO_AUDIT_NEAR], 1);
    assert_string_equal(audit->findings[0].key, "last");
    memo_audit_free(audit);
}

static void test_audit_calls_it_an_echo_when_the_other_had_been_shown(void **state)
{
    db_env *e = *state;
    memo_add_result first = db_add(e, "first", long_text);
    e->now_ms += 1000;
    review_show(e, "s1", first.id, e->now_ms);
    e->now_ms += 1000;
    memo_add_result echo = db_add(e, "echo", long_text);
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 1);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_ECHO);
    assert_string_equal(audit->findings[0].id, echo.id);
    assert_string_equal(audit->findings[0].other, first.id);
    memo_audit_free(audit);
}

static void test_audit_calls_it_no_echo_when_that_was_long_ago(void **state)
{
    db_env *e = *state;
    memo_add_result first = db_add(e, "first", long_text);
    review_show(e, "s1", first.id, e->now_ms);
    e->now_ms += 3600000;
    db_add(e, "later", long_text);
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 1);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_DUPLICATE);
    memo_audit_free(audit);
}

static void test_audit_believes_a_link_that_says_echo(void **state)
{
    db_env *e = *state;
    memo_add_result a = db_add(e, "a", "tea is a drink"), b = db_add(e, "b", "some milk goes in");
    int64_t rid_a = review_rid(e, a.id), rid_b = review_rid(e, b.id);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_store_link(e->db->store, rid_b, rid_a, MEMO_LINK_ECHO, 0.91, &e->err),
                   e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    memo_audit *audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 1);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_ECHO);
    assert_string_equal(audit->findings[0].id, b.id);
    assert_string_equal(audit->findings[0].other, a.id);
    assert_true(audit->findings[0].score == 0.91);
    memo_audit_free(audit);
}

static void test_audit_knows_what_is_stale_and_what_is_unused(void **state)
{
    db_env *e = *state;
    const int pinned = 1;
    memo_record_in kept = db_record("pinned", "never forget the milk");
    kept.pinned = &pinned;
    db_put(e, kept);
    memo_add_result shown = db_add(e, "shown", "tea is a drink");
    db_add(e, "unused", "the boiler was serviced on 3 May");
    e->now_ms += 5 * DAY;
    review_show(e, "s1", shown.id, e->now_ms);
    e->now_ms += 5 * DAY;
    db_add(e, "young", "coffee grows on trees");
    memo_audit *audit = review_of(e, (memo_audit_options){.stale_days = 10, .unused_days = 5});
    assert_int_equal(audit->searches_from_ms, DB_NOW + 5 * DAY);
    assert_int_equal(audit->n, 2);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_STALE);
    assert_string_equal(audit->findings[0].key, "unused");
    assert_true(audit->findings[0].score == 10);
    assert_int_equal(audit->findings[1].kind, MEMO_AUDIT_UNUSED);
    assert_string_equal(audit->findings[1].key, "unused");
    memo_audit_free(audit);

    audit = review_of(e, (memo_audit_options){.stale_days = 11});
    assert_int_equal(audit->counts[MEMO_AUDIT_STALE], 0);
    memo_audit_free(audit);

    /* Searches of five days say nothing of six, nor of a record that is younger. */
    audit = review_of(e, (memo_audit_options){.unused_days = 6});
    assert_int_equal(audit->counts[MEMO_AUDIT_UNUSED], 0);
    memo_audit_free(audit);
    e->now_ms += 4 * DAY;
    audit = review_of(e, (memo_audit_options){.unused_days = 5});
    assert_int_equal(audit->counts[MEMO_AUDIT_UNUSED], 1);
    memo_audit_free(audit);
}

static void test_audit_looks_at_marks_size_and_source(void **state)
{
    db_env *e = *state;
    const int untrusted = -1;
    memo_record_in in = db_record("a", "tea is a drink");
    in.trust = &untrusted;
    in.source = "/nowhere/at/all.md";
    db_put(e, in);
    in = db_record("here", "it has a source");
    in.source = e->path;
    db_put(e, in);
    in = db_record("web", "it came from afar");
    in.source = "https://example.org/x";
    db_put(e, in);
    memo_audit *audit = review_of(e, (memo_audit_options){.sources = 1, .oversized_bytes = 16});
    assert_int_equal(audit->n, 3);
    assert_int_equal(audit->findings[0].kind, MEMO_AUDIT_UNTRUSTED);
    assert_int_equal(audit->findings[1].kind, MEMO_AUDIT_DANGLING);
    assert_string_equal(audit->findings[1].key, "a");
    assert_int_equal(audit->findings[2].kind, MEMO_AUDIT_OVERSIZED);
    assert_string_equal(audit->findings[2].key, "web");
    memo_audit_free(audit);

    audit = review_of(e, (memo_audit_options){0});
    assert_int_equal(audit->n, 1); /* sources are looked at only when asked */
    memo_audit_free(audit);
}

static void test_audit_limits_what_it_gives_and_counts_all(void **state)
{
    db_env *e = *state;
    for (int i = 0; i < 70; i++) { /* more than a page */
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        db_add(e, key, long_text);
    }
    memo_audit *audit = review_of(e, (memo_audit_options){.limit = 5});
    assert_int_equal(audit->n_records, 70);
    assert_int_equal(audit->n, 5);
    assert_int_equal(audit->counts[MEMO_AUDIT_DUPLICATE], 69);
    assert_string_equal(audit->findings[0].key, "k1");
    memo_audit_free(audit);
}

static void test_audit_refuses_what_makes_no_sense(void **state)
{
    db_env *e = *state;
    memo_audit *audit = NULL;
    memo_audit_options o = {.size = sizeof o, .ns = "nobody"};
    db_add(e, "a", "tea");
    assert_memo_status(memo_db_audit(e->db, &o, &audit, &e->err), MEMO_ERR_NOTFOUND, e->err);
    o = (memo_audit_options){.size = sizeof o, .stale_days = -1};
    assert_memo_status(memo_db_audit(e->db, &o, &audit, &e->err), MEMO_ERR_VALUE, e->err);
    assert_memo_status(memo_db_audit(e->db, NULL, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    assert_null(audit);
    assert_string_equal(memo_audit_kind_name(MEMO_AUDIT_UNUSED), "unused");
    assert_string_equal(memo_audit_kind_name(MEMO_AUDIT_N_KINDS), "unknown");
}

static int review_stop(void *user, const memo_progress *at)
{
    (void)user, (void)at;
    return 1;
}

static void test_audit_can_be_cancelled(void **state)
{
    db_env *e = *state;
    memo_audit *audit = NULL;
    const memo_audit_options o = {.size = sizeof o, .progress = review_stop};
    db_add(e, "a", "tea");
    assert_memo_status(memo_db_audit(e->db, &o, &audit, &e->err), MEMO_ERR_CANCELLED, e->err);
    db_add(e, "b", "the handle works on");
}

static memo_status review_sweep(void *user, memo_err *err)
{
    db_env *e = user;
    memo_audit *audit = NULL;
    memo_status status = memo_db_audit(e->db, NULL, &audit, err);
    if (status == MEMO_OK)
        assert_int_equal(audit->n, 3);
    memo_audit_free(audit);
    return status;
}

static void test_audit_survives_want_of_memory(void **state)
{
    db_env *e = *state;
    char near[256];
    memo_add_result first = db_add(e, "a", long_text);
    memo_audit *warm = NULL;
    snprintf(near, sizeof near, "%s now", long_text);
    db_add(e, "b", near);
    db_add(e, "c", long_text);
    db_add(e, "d", "the key is AKIA2E0A8F3B244C9986");
    review_show(e, "s1", first.id, e->now_ms);
    assert_memo_ok(memo_db_audit(e->db, NULL, &warm, &e->err), e->err); /* statements are kept */
    memo_audit_free(warm);
    assert_true(memo_test_alloc_sweep(review_sweep, e) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_audit_says_nothing_of_a_good_store),
        db_test(test_audit_never_shows_a_secret),
        db_test(test_audit_finds_the_same_and_nearly_the_same),
        db_test(test_audit_draws_the_line_at_four_fifths),
        db_test(test_audit_calls_it_an_echo_when_the_other_had_been_shown),
        db_test(test_audit_calls_it_no_echo_when_that_was_long_ago),
        db_test(test_audit_believes_a_link_that_says_echo),
        db_test(test_audit_knows_what_is_stale_and_what_is_unused),
        db_test(test_audit_looks_at_marks_size_and_source),
        db_test(test_audit_limits_what_it_gives_and_counts_all),
        db_test(test_audit_refuses_what_makes_no_sense),
        db_test(test_audit_can_be_cancelled),
        db_test(test_audit_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
