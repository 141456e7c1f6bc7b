// SPDX-License-Identifier: Apache-2.0
/* Entities, facts and evidence through the public calls, and the facts that a query is about. */
#include "fact_util.h"

#include "memory/facts/db_facts.h"
#include "store/store_inner.h"
#include "text/fold.h"

/* ---- folding ------------------------------------------------------------------------------- */

static void test_fold_makes_one_spelling_of_many(void **state)
{
    static const char *const same[][2] = {
        {"ANNA  Schmidt", "anna schmidt"},
        {"  Anna\tSchmidt\n", "anna schmidt"},
        {"STRASSE", "stra\xc3\x9f"
                    "e"},
        {"\xef\xbc\xa1\xef\xbc\xa2", "ab"},  /* full width */
        {"Ame\xcc\x81lie", "am\xc3\xa9lie"}, /* combining acute */
        {"\xe2\x84\xab", "\xc3\xa5"},        /* Angstrom sign */
        {"a\xc2\xad"
         "b",
         "ab"},                                   /* soft hyphen */
        {"\xce\xa3\xce\xa3", "\xcf\x82\xcf\x83"}, /* final sigma */
        {"a\xe3\x80\x80"
         "b",
         "a b"}, /* ideographic space */
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        memo_arena arena = {0};
        memo_err err = {0};
        char *a, *b;
        assert_memo_ok(memo_fold_name(&arena, same[i][0], strlen(same[i][0]), &a, &err), err);
        assert_memo_ok(memo_fold_name(&arena, same[i][1], strlen(same[i][1]), &b, &err), err);
        assert_string_equal(a, b);
        memo_arena_fini(&arena);
    }
}

/* ---- entities ------------------------------------------------------------------------------ */

static void test_entity_is_found_by_id_name_and_alias_in_any_spelling(void **state)
{
    db_env *e = *state;
    memo_entity_result anna = entity(e, "Anna Schmidt", "person", "Anni");
    const char *const names[] = {anna.id, "Anna Schmidt", "ANNA  schmidt", "anni"};
    assert_int_equal(anna.outcome, MEMO_OUTCOME_NEW);
    for (size_t i = 0; i < 4; i++) {
        memo_entities *found = NULL;
        assert_memo_ok(memo_db_entity_get(e->db, NULL, names[i], &found, &e->err), e->err);
        assert_int_equal(found->n, 1);
        assert_string_equal(found->entities[0].id, anna.id);
        assert_string_equal(found->entities[0].kind, "person");
        assert_int_equal(found->entities[0].n_aliases, 1);
        assert_string_equal(found->entities[0].aliases[0], "Anni");
        memo_entities_free(found);
    }
    memo_entities *none = NULL;
    assert_memo_status(memo_db_entity_get(e->db, NULL, "Bertha", &none, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
}

static void test_entity_added_again_is_completed(void **state)
{
    db_env *e = *state;
    memo_entity_result first = entity(e, "Anna", "person", NULL);
    assert_int_equal(entity(e, "ANNA", NULL, NULL).outcome, MEMO_OUTCOME_UNCHANGED);
    memo_entity_result second = entity(e, "anna", "person", "Anni");
    assert_int_equal(second.outcome, MEMO_OUTCOME_CHANGED);
    assert_string_equal(second.id, first.id);
    assert_int_equal(entity(e, "Anna", "person", "anni").outcome, MEMO_OUTCOME_UNCHANGED);
    assert_int_equal(entity(e, "Anna", "cat", NULL).outcome, MEMO_OUTCOME_NEW);
    /* an alias of one is no name of another */
    assert_int_equal(entity(e, "Anni", NULL, NULL).outcome, MEMO_OUTCOME_NEW);
    /* nor does it make a name that both have one of several */
    assert_int_equal(entity(e, "Anni", NULL, NULL).outcome, MEMO_OUTCOME_UNCHANGED);
}

static void test_entity_name_of_several_asks_for_an_id(void **state)
{
    db_env *e = *state;
    memo_entities *found = NULL;
    memo_entity_result person = entity(e, "Jordan", "person", NULL);
    memo_entity_result place = entity(e, "Jordan", "place", NULL);
    assert_memo_status(memo_db_entity_get(e->db, NULL, "jordan", &found, &e->err), MEMO_ERR_VALUE,
                       e->err);
    assert_contains(e->err.message, person.id);
    assert_contains(e->err.message, place.id);
    assert_memo_ok(memo_db_entity_get(e->db, NULL, place.id, &found, &e->err), e->err);
    assert_string_equal(found->entities[0].kind, "place");
    memo_entities_free(found);
}

static void test_entity_aliases_come_and_go(void **state)
{
    db_env *e = *state;
    const char *add[] = {"Anni", "Annchen"}, *gone[] = {"ANNI"}, *name[] = {"anna"};
    memo_entity_result result = {.size = sizeof result};
    memo_entities *found = NULL;
    memo_alias_change change = {.size = sizeof change, .entity = "Anna", .add = add, .n_add = 2};
    entity(e, "Anna", NULL, NULL);
    assert_memo_ok(memo_db_entity_alias(e->db, NULL, &change, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    assert_memo_ok(memo_db_entity_alias(e->db, NULL, &change, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    change = (memo_alias_change){
        .size = sizeof change, .entity = "annchen", .remove = gone, .n_remove = 1};
    assert_memo_ok(memo_db_entity_alias(e->db, NULL, &change, &result, &e->err), e->err);
    assert_memo_status(memo_db_entity_get(e->db, NULL, "Anni", &found, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    assert_memo_status(memo_db_entity_alias(e->db, NULL, &change, &result, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    change.remove = name;
    assert_memo_status(memo_db_entity_alias(e->db, NULL, &change, &result, &e->err), MEMO_ERR_VALUE,
                       e->err);
}

static void test_entity_merge_moves_facts_names_and_metadata(void **state)
{
    db_env *e = *state;
    uint64_t n = 0;
    memo_entities *found = NULL;
    const memo_entity_in a = {.size = sizeof a, .name = "Anna", .metadata_json = "{\"x\":1}"};
    const memo_entity_in b = {
        .size = sizeof b, .name = "A. Schmidt", .metadata_json = "{\"x\":2,\"y\":3}"};
    assert_memo_ok(memo_db_entity_add(e->db, NULL, &a, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_entity_add(e->db, NULL, &b, NULL, &e->err), e->err);
    fact(e, triple("A. Schmidt", "works_at", "Initech"));
    fact(e, triple("Bert", "knows", "A. Schmidt"));
    assert_memo_ok(memo_db_entity_merge(e->db, NULL, "Anna", "A. Schmidt", &n, &e->err), e->err);
    assert_int_equal(n, 2);
    assert_facts(e, (memo_fact_query){.about = "a. schmidt"},
                 "Anna works_at Initech; Bert knows Anna");
    assert_memo_ok(memo_db_entity_get(e->db, NULL, "Anna", &found, &e->err), e->err);
    assert_string_equal(found->entities[0].metadata_json, "{\"x\":1,\"y\":3}");
    assert_string_equal(found->entities[0].aliases[0], "A. Schmidt");
    memo_entities_free(found);
    assert_memo_status(memo_db_entity_merge(e->db, NULL, "Anna", "anna", &n, &e->err),
                       MEMO_ERR_VALUE, e->err);
}

static void test_entity_forget_takes_its_facts(void **state)
{
    db_env *e = *state;
    uint64_t n = 0;
    fact(e, triple("Anna", "knows", "Bert"));
    fact(e, valued("Anna", "likes", "tea"));
    fact(e, triple("Bert", "knows", "Carl"));
    assert_memo_ok(memo_db_entity_forget(e->db, NULL, "Anna", &n, &e->err), e->err);
    assert_int_equal(n, 2);
    assert_facts(e, (memo_fact_query){.any_time = 1}, "Bert knows Carl");
    assert_memo_status(memo_db_entity_forget(e->db, NULL, "Anna", &n, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
}

static void test_entity_list_pages(void **state)
{
    db_env *e = *state;
    memo_entities *page = NULL;
    char after[32];
    memo_entity_list_options o = {.size = sizeof o, .limit = 2};
    assert_memo_ok(memo_db_entity_list(e->db, &o, &page, &e->err), e->err);
    assert_int_equal(page->n, 0);
    memo_entities_free(page);
    entity(e, "a", NULL, NULL);
    entity(e, "b", "k", NULL);
    entity(e, "c", "k", NULL);
    assert_memo_ok(memo_db_entity_list(e->db, &o, &page, &e->err), e->err);
    assert_int_equal(page->n, 2);
    snprintf(after, sizeof after, "%s", page->next);
    memo_entities_free(page);
    o.after = after;
    assert_memo_ok(memo_db_entity_list(e->db, &o, &page, &e->err), e->err);
    assert_int_equal(page->n, 1);
    assert_string_equal(page->entities[0].name, "c");
    assert_null(page->next);
    memo_entities_free(page);
    o = (memo_entity_list_options){.size = sizeof o, .kind = "k"};
    assert_memo_ok(memo_db_entity_list(e->db, &o, &page, &e->err), e->err);
    assert_int_equal(page->n, 2);
    memo_entities_free(page);
    o = (memo_entity_list_options){.size = sizeof o, .after = "x"};
    assert_memo_status(memo_db_entity_list(e->db, &o, &page, &e->err), MEMO_ERR_VALUE, e->err);
}

/* ---- facts --------------------------------------------------------------------------------- */

static void test_fact_makes_the_entities_it_names(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    in.no_new_entities = 1;
    assert_memo_status(add_fact(e, in), MEMO_ERR_NOTFOUND, e->err);
    in.no_new_entities = 0;
    memo_fact_result result = fact(e, in);
    assert_true(result.made_subject && result.made_object);
    assert_int_equal(result.outcome, MEMO_OUTCOME_NEW);
    memo_fact_result again = fact(e, triple("ANNA", "works_at", "initech"));
    assert_false(again.made_subject || again.made_object);
    assert_int_equal(again.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_string_equal(again.id, result.id);
}

static void test_fact_is_queried_by_each_part(void **state)
{
    db_env *e = *state;
    fact(e, triple("Anna", "knows", "Bert"));
    fact(e, valued("Anna", "likes", "tea"));
    fact(e, triple("Bert", "knows", "Anna"));
    assert_facts(e, (memo_fact_query){.subject = "anna"}, "Anna knows Bert; Anna likes tea");
    assert_facts(e, (memo_fact_query){.relation = "knows"}, "Anna knows Bert; Bert knows Anna");
    assert_facts(e, (memo_fact_query){.object = "anna"}, "Bert knows Anna");
    assert_facts(e, (memo_fact_query){.value = "tea"}, "Anna likes tea");
    assert_facts(e, (memo_fact_query){.about = "bert"}, "Anna knows Bert; Bert knows Anna");
    assert_facts(e, (memo_fact_query){.subject = "anna", .relation = "knows"}, "Anna knows Bert");
    memo_facts *facts = NULL;
    const memo_fact_query unknown = {.size = sizeof unknown, .subject = "Zoe"};
    assert_memo_status(memo_db_fact_query(e->db, &unknown, &facts, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
}

static void test_fact_holds_from_its_beginning_to_before_its_end(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    in.valid_from_ms = DB_NOW - 10 * DAY;
    in.valid_to_ms = DB_NOW - 5 * DAY;
    fact(e, in);
    assert_facts(e, (memo_fact_query){0}, "");
    assert_facts(e, (memo_fact_query){.valid_at_ms = DB_NOW - 10 * DAY - 1}, "");
    assert_facts(e, (memo_fact_query){.valid_at_ms = DB_NOW - 10 * DAY}, "Anna works_at Initech");
    assert_facts(e, (memo_fact_query){.valid_at_ms = DB_NOW - 5 * DAY - 1},
                 "Anna works_at Initech");
    assert_facts(e, (memo_fact_query){.valid_at_ms = DB_NOW - 5 * DAY}, "");
    assert_facts(e, (memo_fact_query){.any_time = 1}, "Anna works_at Initech");
}

static void test_fact_bad_parts_are_refused_by_name(void **state)
{
    db_env *e = *state;
    memo_fact_in in = triple("Anna", "knows", "Bert");
    const char *const bad_utf8 = "\xff";
    in.value = "x";
    assert_memo_status(add_fact(e, in), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "both");
    assert_memo_status(add_fact(e, triple("Anna", "knows", NULL)), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_fact(e, triple("", "knows", "Bert")), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_fact(e, triple("Anna", "", "Bert")), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_fact(e, triple("Anna", "knows", " \t")), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_fact(e, triple(bad_utf8, "knows", "Bert")), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_fact(e, triple(NULL, "knows", "Bert")), MEMO_ERR_USAGE, e->err);
    in = triple("Anna", "knows", "Bert");
    in.confidence = 1.5;
    assert_memo_status(add_fact(e, in), MEMO_ERR_VALUE, e->err);
    in.confidence = -0.1;
    assert_memo_status(add_fact(e, in), MEMO_ERR_VALUE, e->err);
    in.confidence = 0;
    in.valid_from_ms = 5;
    in.valid_to_ms = 5;
    assert_memo_status(add_fact(e, in), MEMO_ERR_VALUE, e->err);
    /* nothing of it was left behind */
    memo_entities *found = NULL;
    const memo_entity_list_options all = {.size = sizeof all};
    assert_memo_ok(memo_db_entity_list(e->db, &all, &found, &e->err), e->err);
    assert_int_equal(found->n, 0);
    memo_entities_free(found);
}

/* ---- evidence ------------------------------------------------------------------------------ */

static memo_status add_with_evidence(db_env *e, const char *record, size_t begin, size_t end)
{
    const memo_evidence_in evidence = {record, begin, end};
    memo_fact_in in = valued("Anna", "likes", "tea");
    in.evidence = &evidence;
    in.n_evidence = 1;
    return add_fact(e, in);
}

static void test_evidence_must_lie_in_the_text(void **state)
{
    db_env *e = *state;
    db_add(e, "note", "caf\xc3\xa9 and tea"); /* 13 bytes */
    assert_memo_status(add_with_evidence(e, "none", 0, 0), MEMO_ERR_NOTFOUND, e->err);
    assert_memo_status(add_with_evidence(e, "note", 0, 14), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_with_evidence(e, "note", 3, 3), MEMO_ERR_VALUE, e->err);
    assert_memo_status(add_with_evidence(e, "note", 4, 9), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "cut a character");
    assert_memo_status(add_with_evidence(e, "note", 0, 4), MEMO_ERR_VALUE, e->err);
    assert_memo_ok(add_with_evidence(e, "note", 3, 5), e->err);
    assert_memo_ok(add_with_evidence(e, "note", 0, 0), e->err);
    memo_facts *facts = query(e, (memo_fact_query){.record = "note"});
    assert_int_equal(facts->n, 1);
    assert_int_equal(facts->facts[0].n_evidence, 2);
    assert_int_equal(facts->facts[0].evidence[0].end, 13);
    assert_string_equal(facts->facts[0].evidence[1].excerpt, "\xc3\xa9");
    memo_facts_free(facts);
}

static void test_evidence_quotes_the_version_it_was_given_for(void **state)
{
    db_env *e = *state;
    db_add(e, "note", "Anna likes tea");
    assert_memo_ok(add_with_evidence(e, "note", 11, 14), e->err);
    db_add(e, "note", "Anna likes milk");
    memo_facts *facts = query(e, (memo_fact_query){0});
    assert_int_equal(facts->facts[0].evidence[0].version, 1);
    assert_int_equal(facts->facts[0].evidence[0].outdated, 1);
    assert_string_equal(facts->facts[0].evidence[0].excerpt, "tea");
    memo_facts_free(facts);
}

static void forget_evidence(db_env *e, const char *id, int shred)
{
    memo_evidence_text text;
    memo_arena arena = {0};
    int64_t rid = 0;
    assert_memo_ok(memo_store_find_evidence_text(e->db->store, 1, id, &arena, &rid, &text, &e->err),
                   e->err);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_facts_forget_record(e->db->store, rid, text.id, shred, &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    memo_arena_fini(&arena);
}

static void test_fact_without_evidence_left_is_retracted(void **state)
{
    db_env *e = *state;
    db_add(e, "one", "Anna likes tea");
    db_add(e, "two", "she had tea again");
    fact(e, valued("Anna", "likes", "milk")); /* never had any */
    assert_memo_ok(add_with_evidence(e, "one", 0, 0), e->err);
    assert_memo_ok(add_with_evidence(e, "two", 0, 0), e->err);
    forget_evidence(e, "one", 0);
    assert_facts(e, (memo_fact_query){0}, "Anna likes milk; Anna likes tea");
    forget_evidence(e, "two", 0);
    assert_facts(e, (memo_fact_query){0}, "Anna likes milk");
    memo_facts *facts = query(e, (memo_fact_query){.retracted = 1, .value = "tea"});
    assert_int_equal(facts->n, 1);
    assert_contains(facts->facts[0].reason, "its evidence was forgotten (01");
    assert_int_equal(facts->facts[0].n_evidence, 0);
    memo_facts_free(facts);
}

static void test_fact_without_evidence_left_is_shredded(void **state)
{
    db_env *e = *state;
    db_add(e, "one", "Anna likes tea");
    fact(e, valued("Anna", "likes", "milk"));
    assert_memo_ok(add_with_evidence(e, "one", 0, 0), e->err);
    forget_evidence(e, "one", 1);
    assert_facts(e, (memo_fact_query){.retracted = 1, .any_time = 1}, "Anna likes milk");
}

/* ---- the facts lane ------------------------------------------------------------------------ */

static size_t match(db_env *e, const char *text, memo_fact_match *first)
{
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_fact_matches matches = {.arena = &arena, .damage = &damage};
    assert_memo_ok(memo_facts_match(e->db, 1, MEMO_STR(text), e->now_ms, &matches, &e->err),
                   e->err);
    if (matches.n)
        *first = matches.items[0];
    memo_arena_fini(&arena);
    return matches.n;
}

static void test_match_finds_the_evidence_of_who_is_named(void **state)
{
    db_env *e = *state;
    memo_fact_match first = {0};
    const memo_evidence_in one = {.record = "one"}, two = {.record = "two"};
    memo_fact_in in;
    db_add(e, "one", "she moved to the lake house");
    db_add(e, "two", "the new firm is Initech");
    assert_int_equal(match(e, "where does Anna Schmidt live", &first), 0);
    entity(e, "Anna Schmidt", "person", "Anni");
    entity(e, "\xe6\x9d\xb1\xe4\xba\xac", "place", NULL); /* Tokyo */
    entity(e, "C++", "language", NULL);
    in = valued("Anna Schmidt", "lives_in", "the lake house");
    in.evidence = &one;
    in.n_evidence = 1;
    in.confidence = 0.6;
    fact(e, in);
    in = triple("Anna Schmidt", "works_at", "Initech");
    in.evidence = &two;
    in.n_evidence = 1;
    in.confidence = 0.5;
    fact(e, in);
    in = valued("\xe6\x9d\xb1\xe4\xba\xac", "is", "big");
    in.evidence = &two;
    in.n_evidence = 1;
    fact(e, in);
    in = valued("C++", "is", "fast");
    in.evidence = &one;
    in.n_evidence = 1;
    fact(e, in);
    assert_int_equal(match(e, "where does ANNA  schmidt, live?", &first), 2);
    assert_int_equal(first.record, 1);
    assert_true(first.score == 0.6);
    assert_int_equal(match(e, "does anni's firm, Initech, pay", &first), 2);
    assert_int_equal(first.record, 2); /* both ends named: 2 * 0.5 */
    assert_true(first.score == 1.0);
    assert_int_equal(match(e, "annika schmidt", &first), 0);
    assert_int_equal(match(e, "Annis", &first), 0);
    assert_int_equal(match(e, "\xe5\xa4\xa7\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd", &first), 1);
    assert_int_equal(match(e, "is c++, fast", &first), 1);
    assert_int_equal(match(e, "is C++.", &first), 1);
}

static void test_match_leaves_out_what_does_not_hold(void **state)
{
    db_env *e = *state;
    memo_fact_match first;
    const memo_evidence_in one = {.record = "one"};
    memo_fact_in in = triple("Anna", "works_at", "Initech");
    db_add(e, "one", "Anna at Initech");
    in.evidence = &one;
    in.n_evidence = 1;
    in.valid_to_ms = DB_NOW + DAY;
    memo_fact_result result = fact(e, in);
    assert_int_equal(match(e, "Anna", &first), 1);
    e->now_ms = DB_NOW + DAY;
    assert_int_equal(match(e, "Anna", &first), 0);
    e->now_ms = DB_NOW;
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, NULL, NULL, &e->err), e->err);
    assert_int_equal(match(e, "Anna", &first), 0);
}

/* ---- damage, the counter, memory ----------------------------------------------------------- */

static void damage_row(db_env *e, const char *sql)
{
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_sql_exec(&e->db->store->sql, sql, "damage a row", &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
}

static void test_damaged_rows_are_left_out_and_named(void **state)
{
    db_env *e = *state;
    fact(e, valued("Anna", "likes", "tea"));
    memo_fact_result bad = fact(e, valued("Anna", "likes", "milk"));
    entity(e, "Bert", NULL, "Bertie");
    damage_row(e, "UPDATE facts SET value = 'mead' WHERE value = 'milk'");
    memo_facts *facts = query(e, (memo_fact_query){0});
    assert_int_equal(facts->n, 1);
    assert_string_equal(facts->facts[0].value, "tea");
    assert_int_equal(facts->n_damaged, 1);
    assert_contains(facts->damaged[0], bad.id);
    memo_facts_free(facts);
    assert_memo_status(memo_db_fact_retract(e->db, NULL, bad.id, NULL, NULL, &e->err),
                       MEMO_ERR_CORRUPT, e->err);
    memo_fact_in in = valued("Anna", "likes", "rum");
    in.functional = 1; /* would have to know all of them */
    assert_memo_status(add_fact(e, in), MEMO_ERR_CORRUPT, e->err);
    damage_row(e, "UPDATE entities SET kind = 'x' WHERE name = 'Bert'");
    memo_entities *found = NULL;
    assert_memo_status(memo_db_entity_get(e->db, NULL, "bertie", &found, &e->err), MEMO_ERR_CORRUPT,
                       e->err);
}

/* An alias that leads to an entity of another namespace, whole as both rows are, tells nothing of it. */
static void test_alias_into_another_namespace_is_damage(void **state)
{
    db_env *e = *state;
    const memo_entity_in in = {.size = sizeof in, .name = "Bert"};
    memo_entities *found = NULL;
    memo_store_ns here;
    int64_t eid = 0;
    entity(e, "Anna", NULL, NULL);
    assert_memo_ok(memo_db_entity_add(e->db, "other", &in, NULL, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(e->db->store, "default", &here, &e->err), e->err);
    assert_memo_ok(memo_sql_int(&e->db->store->sql, "SELECT eid FROM entities WHERE name = 'Bert'",
                                &eid, &e->err),
                   e->err);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_store_put_alias(e->db->store, here.id, eid,
                                        &(memo_alias_row){"bert", "Bert"}, &e->err),
                   e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    assert_memo_status(memo_db_entity_get(e->db, NULL, "bert", &found, &e->err), MEMO_ERR_CORRUPT,
                       e->err);
}

/* Every change has its number, so the store passes its check when it is opened again. */
static void test_counter_counts_entities_and_facts(void **state)
{
    db_env *e = *state;
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    uint64_t n;
    memo_fact_result result = {.size = sizeof result};
    assert_memo_ok(memo_db_get_stats(e->db, &before, &e->err), e->err);
    result = fact(e, triple("Anna", "knows", "Bert"));
    assert_memo_ok(memo_db_get_stats(e->db, &after, &e->err), e->err);
    assert_int_equal(after.change_seq - before.change_seq, 3); /* two entities and a fact */
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, NULL, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_entity_forget(e->db, NULL, "Bert", &n, &e->err), e->err);
    db_reopen(e, e->model);
    memo_findings *findings = NULL;
    assert_memo_ok(memo_db_doctor(e->db, &findings, &e->err), e->err);
    assert_int_not_equal(findings->worst, MEMO_FINDING_BAD);
    memo_findings_free(findings);
}

static memo_status sweep_facts(void *user, memo_err *err)
{
    db_env *e = user;
    const char *alias = "Annie";
    const memo_evidence_in evidence = {.record = "note"};
    const memo_entity_in who = {
        .size = sizeof who, .name = "Anna", .aliases = &alias, .n_aliases = 1};
    const memo_fact_query all = {.size = sizeof all, .subject = "anna"};
    memo_fact_in in = valued("Anna", "likes", "tea");
    memo_fact_result result = {.size = sizeof result};
    memo_facts *facts = NULL;
    memo_entities *found = NULL;
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_fact_matches matches = {.arena = &arena, .damage = &damage};
    in.evidence = &evidence;
    in.n_evidence = 1;
    in.functional = 1;
    in.confidence = 0.5;
    memo_status status = memo_db_entity_forget(e->db, NULL, "Anna", NULL, err);
    if (!status || status == MEMO_ERR_NOTFOUND)
        status = memo_db_entity_add(e->db, NULL, &who, NULL, err);
    if (!status)
        status = memo_db_fact_add(e->db, NULL, &in, &result, err);
    in.value = "milk";
    if (!status)
        status = memo_db_fact_add(e->db, NULL, &in, &result, err);
    if (!status)
        status = memo_db_fact_query(e->db, &all, &facts, err);
    if (!status)
        status = memo_db_entity_get(e->db, NULL, "annie", &found, err);
    if (!status)
        status =
            memo_facts_match(e->db, 1, MEMO_STR("what does Anna like"), e->now_ms, &matches, err);
    if (!status)
        status = memo_db_entity_forget(e->db, NULL, "Anna", NULL, err);
    memo_arena_fini(&arena);
    memo_entities_free(found);
    memo_facts_free(facts);
    return status;
}

static void test_every_failing_allocation_is_told(void **state)
{
    db_env *e = *state;
    db_add(e, "note", "Anna likes tea");
    sweep_facts(e, NULL); /* statements are made once and kept */
    assert_true(memo_test_alloc_sweep(sweep_facts, e) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold_makes_one_spelling_of_many),
        db_test(test_entity_is_found_by_id_name_and_alias_in_any_spelling),
        db_test(test_entity_added_again_is_completed),
        db_test(test_entity_name_of_several_asks_for_an_id),
        db_test(test_entity_aliases_come_and_go),
        db_test(test_entity_merge_moves_facts_names_and_metadata),
        db_test(test_entity_forget_takes_its_facts),
        db_test(test_entity_list_pages),
        db_test(test_fact_makes_the_entities_it_names),
        db_test(test_fact_is_queried_by_each_part),
        db_test(test_fact_holds_from_its_beginning_to_before_its_end),
        db_test(test_fact_bad_parts_are_refused_by_name),
        db_test(test_evidence_must_lie_in_the_text),
        db_test(test_evidence_quotes_the_version_it_was_given_for),
        db_test(test_fact_without_evidence_left_is_retracted),
        db_test(test_fact_without_evidence_left_is_shredded),
        db_test(test_match_finds_the_evidence_of_who_is_named),
        db_test(test_match_leaves_out_what_does_not_hold),
        db_test(test_damaged_rows_are_left_out_and_named),
        db_test(test_alias_into_another_namespace_is_damage),
        db_test(test_counter_counts_entities_and_facts),
        db_test(test_every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
