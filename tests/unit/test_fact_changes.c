// SPDX-License-Identifier: Apache-2.0
/* Facts that end, are taken back, or give way to others. */
#include "fact_util.h"

static void test_fact_retracted_is_still_known_as_of_before(void **state)
{
    db_env *e = *state;
    memo_outcome outcome;
    memo_fact_result result = fact(e, valued("Anna", "likes", "tea"));
    e->now_ms += DAY;
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, "she does not", &outcome, &e->err),
                   e->err);
    assert_int_equal(outcome, MEMO_OUTCOME_CHANGED);
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, "again", &outcome, &e->err),
                   e->err);
    assert_int_equal(outcome, MEMO_OUTCOME_UNCHANGED);
    assert_facts(e, (memo_fact_query){0}, "");
    assert_facts(e, (memo_fact_query){.as_of_ms = DB_NOW + DAY - 1}, "Anna likes tea");
    assert_facts(e, (memo_fact_query){.as_of_ms = DB_NOW + DAY}, "");
    assert_facts(e, (memo_fact_query){.as_of_ms = DB_NOW - 1}, "");
    memo_facts *facts = query(e, (memo_fact_query){.retracted = 1});
    assert_string_equal(facts->facts[0].reason, "she does not");
    assert_int_equal(facts->facts[0].retracted_ms, DB_NOW + DAY);
    memo_facts_free(facts);
    assert_memo_status(memo_db_fact_retract(e->db, NULL, "nothing", NULL, NULL, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
}

static void test_fact_functional_closes_the_open_one(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    in.functional = 1;
    fact(e, in);
    e->now_ms += DAY;
    in.object = "Globex";
    memo_fact_result result = fact(e, in);
    assert_int_equal(result.n_closed, 1);
    assert_facts(e, (memo_fact_query){.subject = "Anna"}, "Anna works_at Globex");
    /* what the store believed before is not overwritten */
    memo_facts *facts = query(e, (memo_fact_query){.as_of_ms = DB_NOW});
    assert_int_equal(facts->n, 1);
    assert_string_equal(facts->facts[0].object_name, "Initech");
    assert_int_equal(facts->facts[0].valid_to_ms, 0);
    assert_int_equal(facts->facts[0].closed_ms, 0);
    memo_facts_free(facts);
    facts = query(e, (memo_fact_query){.any_time = 1});
    assert_int_equal(facts->n, 2);
    assert_int_equal(facts->facts[0].valid_to_ms, DB_NOW + DAY);
    assert_int_equal(facts->facts[0].closed_ms, DB_NOW + DAY);
    memo_facts_free(facts);
}

/* What is learned late takes its place between what is known. */
static void test_fact_functional_fits_into_the_past(void **state)
{
    db_env *e = *state;
    static const struct {
        const char *object;
        int from;
    } in_order[] = {{"A", 10}, {"C", 30}, {"B", 20}, {"B2", 20}};
    for (size_t i = 0; i < 4; i++) {
        memo_fact_in in = triple("Anna", "lives_in", in_order[i].object);
        in.valid_from_ms = in_order[i].from * DAY;
        in.functional = 1;
        e->now_ms++;
        fact(e, in);
    }
    assert_facts(e, (memo_fact_query){.valid_at_ms = 15 * DAY}, "Anna lives_in A");
    assert_facts(e, (memo_fact_query){.valid_at_ms = 25 * DAY}, "Anna lives_in B2");
    assert_facts(e, (memo_fact_query){.valid_at_ms = 35 * DAY}, "Anna lives_in C");
    /* before B was known A had held until C */
    assert_facts(e, (memo_fact_query){.valid_at_ms = 25 * DAY, .as_of_ms = DB_NOW + 2},
                 "Anna lives_in A");
    assert_facts(e, (memo_fact_query){.valid_at_ms = 25 * DAY, .as_of_ms = DB_NOW + 3},
                 "Anna lives_in B");
    /* before C was known A had no end */
    assert_facts(e, (memo_fact_query){.valid_at_ms = 35 * DAY, .as_of_ms = DB_NOW + 1},
                 "Anna lives_in A");
}

/* More than a page of what was is looked through. */
static void test_fact_functional_with_a_long_past(void **state)
{
    db_env *e = *state;
    memo_fact_in in = valued("probe", "reads", NULL);
    char value[16];
    in.value = value;
    in.functional = 1;
    for (int i = 0; i < 150; i++) {
        snprintf(value, sizeof value, "%d", i);
        e->now_ms++;
        assert_int_equal(fact(e, in).n_closed, i > 0);
    }
    assert_facts(e, (memo_fact_query){0}, "probe reads 149");
    assert_facts(e, (memo_fact_query){.as_of_ms = DB_NOW + 100}, "probe reads 99");
}

static void test_fact_replaced_keeps_the_old_one_in_history(void **state)
{
    db_env *e = *state;
    memo_fact_result old = fact(e, valued("Anna", "birthday", "3 May")),
                     result = {.size = sizeof result};
    memo_fact_in in = {.size = sizeof in, .value = "4 May"};
    memo_facts *facts = NULL;
    e->now_ms++;
    assert_memo_ok(memo_db_fact_replace(e->db, NULL, old.id, &in, "a slip", &result, &e->err),
                   e->err);
    assert_string_not_equal(result.id, old.id);
    assert_facts(e, (memo_fact_query){0}, "Anna birthday 4 May");
    assert_memo_ok(memo_db_fact_history(e->db, NULL, result.id, &facts, &e->err), e->err);
    assert_int_equal(facts->n, 2);
    assert_string_equal(facts->facts[0].value, "3 May");
    assert_string_equal(facts->facts[0].reason, "a slip");
    memo_facts_free(facts);
    assert_memo_status(memo_db_fact_replace(e->db, NULL, old.id, &in, NULL, &result, &e->err),
                       MEMO_ERR_VALUE, e->err);
    in.value = "";
    assert_memo_status(memo_db_fact_replace(e->db, NULL, result.id, &in, NULL, &result, &e->err),
                       MEMO_ERR_VALUE, e->err);
    assert_facts(e, (memo_fact_query){0}, "Anna birthday 4 May");
}

/* What is not named stays. */
static void test_fact_replaced_stays_as_it_was_but_for_what_is_named(void **state)
{
    db_env *e = *state;
    const memo_evidence_in evidence = {.record = "note"};
    memo_fact_in in = triple("Anna", "works_at", "Initech"),
                 change = {.size = sizeof change, .object = "Globex"};
    memo_fact_result result = {.size = sizeof result};
    memo_facts *facts;
    db_add(e, "note", "Anna works at Initech");
    in.valid_from_ms = 10 * DAY;
    in.valid_to_ms = 20 * DAY;
    in.confidence = 0.5;
    in.evidence = &evidence;
    in.n_evidence = 1;
    result = fact(e, in);
    e->now_ms++;
    assert_memo_ok(memo_db_fact_replace(e->db, NULL, result.id, &change, NULL, &result, &e->err),
                   e->err);
    facts = query(e, (memo_fact_query){.any_time = 1});
    assert_int_equal(facts->n, 1);
    assert_string_equal(facts->facts[0].object_name, "Globex");
    assert_int_equal(facts->facts[0].valid_from_ms, 10 * DAY);
    assert_int_equal(facts->facts[0].valid_to_ms, 20 * DAY);
    assert_true(facts->facts[0].confidence == 0.5);
    assert_int_equal(facts->facts[0].n_evidence, 1);
    memo_facts_free(facts);
    change = (memo_fact_in){.size = sizeof change, .valid_from_ms = 12 * DAY, .confidence = 0.7};
    assert_memo_ok(memo_db_fact_replace(e->db, NULL, result.id, &change, NULL, &result, &e->err),
                   e->err);
    facts = query(e, (memo_fact_query){.any_time = 1});
    assert_int_equal(facts->n, 1);
    assert_string_equal(facts->facts[0].object_name, "Globex");
    assert_int_equal(facts->facts[0].valid_from_ms, 12 * DAY);
    assert_int_equal(facts->facts[0].valid_to_ms, 20 * DAY);
    assert_true(facts->facts[0].confidence == 0.7);
    memo_facts_free(facts);
}

static void test_fact_history_comes_in_pages(void **state)
{
    db_env *e = *state;
    memo_fact_history_options o = {.size = sizeof o, .limit = 3};
    memo_facts *facts = NULL;
    char cursor[32], value[16];
    char id[MEMO_ID_BYTES] = "";
    int n = 0, n_pages = 0;
    for (int i = 0; i < 7; i++) {
        snprintf(value, sizeof value, "%d", i);
        memo_fact_result made = fact(e, valued("probe", "reads", value));
        snprintf(id, sizeof id, "%s", made.id);
        fact(e, valued("probe", "weighs", value)); /* in between, and not asked for */
    }
    do {
        assert_memo_ok(memo_db_fact_history(e->db, &o, id, &facts, &e->err), e->err);
        assert_int_equal(facts->n, n_pages < 2 ? 3 : 1);
        for (size_t i = 0; i < facts->n; i++, n++)
            assert_int_equal(atoi(facts->facts[i].value), n);
        n_pages++;
        o.after = facts->next ? strcpy(cursor, facts->next) : NULL;
        memo_facts_free(facts);
    } while (o.after && n_pages < 9);
    assert_int_equal(n, 7);
    assert_int_equal(n_pages, 3);
    o.limit = 1001;
    assert_memo_status(memo_db_fact_history(e->db, &o, id, &facts, &e->err), MEMO_ERR_LIMIT,
                       e->err);
    o = (memo_fact_history_options){.size = sizeof o, .after = "nothing"};
    assert_memo_status(memo_db_fact_history(e->db, &o, id, &facts, &e->err), MEMO_ERR_VALUE,
                       e->err);
    o.size = 0;
    assert_memo_status(memo_db_fact_history(e->db, &o, id, &facts, &e->err), MEMO_ERR_USAGE,
                       e->err);
}

static void test_fact_replaced_loses_a_time_when_asked_to(void **state)
{
    static const struct {
        memo_fact_in change;
        int64_t from, to; /* days */
    } cases[] = {{{.clear_from = 1}, 0, 20},
                 {{.clear_to = 1}, 10, 0},
                 {{.clear_from = 1, .clear_to = 1}, 0, 0},
                 {{.clear_from = 1, .valid_to_ms = 15 * DAY}, 0, 15},
                 {{.clear_to = 1, .valid_from_ms = 30 * DAY}, 30, 0}};
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    memo_fact_result result = {.size = sizeof result};
    in.valid_from_ms = 10 * DAY;
    in.valid_to_ms = 20 * DAY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_fact_in change = cases[i].change;
        change.size = sizeof change;
        result = fact(e, in);
        assert_memo_ok(
            memo_db_fact_replace(e->db, NULL, result.id, &change, NULL, &result, &e->err), e->err);
        memo_facts *facts = query(e, (memo_fact_query){.any_time = 1});
        assert_int_equal(facts->n, 1);
        assert_string_equal(facts->facts[0].object_name, "Initech");
        assert_int_equal(facts->facts[0].valid_from_ms, cases[i].from * DAY);
        assert_int_equal(facts->facts[0].valid_to_ms, cases[i].to * DAY);
        memo_facts_free(facts);
        assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, NULL, NULL, &e->err), e->err);
    }
    result = fact(e, in);
    in = (memo_fact_in){.size = sizeof in, .clear_from = 1, .valid_from_ms = DAY};
    assert_memo_status(memo_db_fact_replace(e->db, NULL, result.id, &in, NULL, NULL, &e->err),
                       MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "clear_from");
    in = (memo_fact_in){.size = sizeof in, .clear_to = 1, .valid_to_ms = 30 * DAY};
    assert_memo_status(memo_db_fact_replace(e->db, NULL, result.id, &in, NULL, NULL, &e->err),
                       MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "clear_to");
}

/* A beginning that nobody names is where the one before ends, as far as is known: now. */
static void test_fact_functional_without_a_beginning_overlaps_nothing(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    in.functional = 1;
    in.valid_from_ms = 10 * DAY;
    fact(e, in);
    in = triple("Anna", "works_at", "Globex");
    in.functional = 1;
    assert_int_equal(fact(e, in).n_closed, 1);
    assert_facts(e, (memo_fact_query){.valid_at_ms = 15 * DAY}, "Anna works_at Initech");
    assert_facts(e, (memo_fact_query){0}, "Anna works_at Globex");
    e->now_ms += DAY; /* the same again is no news */
    assert_int_equal(fact(e, in).outcome, MEMO_OUTCOME_UNCHANGED);
    in = triple("Ben", "works_at", "Initech"); /* one that has ended is in nobody's way */
    in.functional = 1;
    in.valid_from_ms = 10 * DAY;
    in.valid_to_ms = 20 * DAY;
    fact(e, in);
    in = triple("Ben", "works_at", "Globex");
    in.functional = 1;
    assert_int_equal(fact(e, in).n_closed, 0);
    assert_facts(e, (memo_fact_query){.subject = "Ben", .valid_at_ms = 15 * DAY},
                 "Ben works_at Initech");
}

/* What has ended and began nobody knows when: it fits in between, or has to be told apart. */
static void test_fact_functional_with_a_past_end_overlaps_nothing(void **state)
{
    static const struct {
        const char *object;
        int64_t from, to; /* days; where it must come to lie */
    } whole[] = {{"Acme", 0, 10}, {"Initech", 10, 20}, {"Umbrella", 20, 30}, {"Globex", 30, 0}};
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    memo_facts *facts;
    in.valid_from_ms = 10 * DAY;
    in.valid_to_ms = 20 * DAY;
    fact(e, in);
    in = triple("Anna", "works_at", "Globex");
    in.valid_from_ms = 30 * DAY;
    fact(e, in);
    in = triple("Anna", "works_at", "Umbrella");
    in.functional = 1;
    for (int day = 15; day <= 35; day += 5) { /* somebody else holds at each of these ends */
        in.valid_to_ms = day * DAY;
        if (day == 25 || day == 30)
            continue;
        assert_memo_status(memo_db_fact_add(e->db, NULL, &in, NULL, &e->err), MEMO_ERR_VALUE,
                           e->err);
        assert_contains(e->err.message, "one at a time");
        if (day == 15)
            assert_contains(e->err.message, "ends at 1970-01-16T00:00:00.000Z and");
        assert_contains(e->err.hint, "--from");
    }
    in.valid_to_ms = 30 * DAY;
    assert_int_equal(fact(e, in).n_closed, 0);
    assert_int_equal(fact(e, in).outcome, MEMO_OUTCOME_UNCHANGED);
    in.object = "Acme";
    in.valid_to_ms = 10 * DAY;
    assert_int_equal(fact(e, in).outcome, MEMO_OUTCOME_NEW);
    for (size_t i = 0; i < 4; i++) {
        facts = query(
            e, (memo_fact_query){.subject = "Anna", .object = whole[i].object, .any_time = 1});
        assert_int_equal(facts->n, 1);
        assert_int_equal(facts->facts[0].valid_from_ms, whole[i].from * DAY);
        assert_int_equal(facts->facts[0].valid_to_ms, whole[i].to * DAY);
        assert_int_equal(facts->facts[0].closed_ms, 0);
        memo_facts_free(facts);
    }
    fact(e, triple("Ben", "works_at", "Initech")); /* since ever, and still */
    in.subject = "Ben";
    assert_memo_status(memo_db_fact_add(e->db, NULL, &in, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    in.subject = "Carl"; /* alone it may have begun at any time */
    assert_int_equal(fact(e, in).n_closed, 0);
    assert_facts(e, (memo_fact_query){.subject = "Carl", .valid_at_ms = DAY}, "Carl works_at Acme");
}

/* Times before 1970 are below zero, and none is 0: what began nobody knows when is no later one. */
static void test_fact_functional_before_1970(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Ada", "works_at", "Initech");
    fact(e, in);
    in.object = "Globex";
    in.functional = 1;
    in.valid_from_ms = -100 * DAY;
    in.valid_to_ms = -50 * DAY;
    assert_int_equal(fact(e, in).n_closed, 1);
    assert_facts(e, (memo_fact_query){.valid_at_ms = -120 * DAY}, "Ada works_at Initech");
    assert_facts(e, (memo_fact_query){.valid_at_ms = -80 * DAY}, "Ada works_at Globex");
    assert_facts(e, (memo_fact_query){0}, "");
}

static void test_fact_with_another_confidence_takes_the_evidence_along(void **state)
{
    db_env *e = *state;
    const memo_evidence_in evidence = {.record = "note"};
    memo_fact_in in = valued("Anna", "likes", "tea");
    db_add(e, "note", "Anna likes tea");
    in.confidence = 0.5;
    in.evidence = &evidence;
    in.n_evidence = 1;
    fact(e, in);
    in.n_evidence = 0;
    in.confidence = 0.9;
    assert_int_equal(fact(e, in).outcome, MEMO_OUTCOME_CHANGED);
    memo_facts *facts = query(e, (memo_fact_query){.min_confidence = 0.8});
    assert_int_equal(facts->n, 1);
    assert_true(facts->facts[0].confidence == 0.9);
    assert_int_equal(facts->facts[0].n_evidence, 1);
    memo_facts_free(facts);
    assert_facts(e, (memo_fact_query){.min_confidence = 0.95}, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_fact_retracted_is_still_known_as_of_before),
        db_test(test_fact_functional_closes_the_open_one),
        db_test(test_fact_functional_fits_into_the_past),
        db_test(test_fact_functional_with_a_long_past),
        db_test(test_fact_replaced_keeps_the_old_one_in_history),
        db_test(test_fact_replaced_stays_as_it_was_but_for_what_is_named),
        db_test(test_fact_history_comes_in_pages),
        db_test(test_fact_replaced_loses_a_time_when_asked_to),
        db_test(test_fact_functional_without_a_beginning_overlaps_nothing),
        db_test(test_fact_functional_with_a_past_end_overlaps_nothing),
        db_test(test_fact_functional_before_1970),
        db_test(test_fact_with_another_confidence_takes_the_evidence_along),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
