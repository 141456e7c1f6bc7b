// SPDX-License-Identifier: Apache-2.0
/* The memory files of MCP servers as files to import. */
#include "import_util.h"

static void test_import_mcp_memory(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_facts *facts = NULL;
    memo_fact_query query = {.size = sizeof query, .subject = "Anna"};
    formats_folder(e);
    formats_put("memory.jsonl", mcp_lines);
    assert_memo_ok(formats_import(e, "memory.jsonl", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 2, 0, 0, 0, 0);
    assert_int_equal(f.report.n_entities, 2);
    assert_int_equal(f.report.n_facts, 3);
    assert_memo_ok(memo_db_fact_query(e->db, &query, &facts, &e->err), e->err);
    assert_int_equal(facts->n, 3);
    assert_string_equal(facts->facts[0].relation, "observation");
    assert_string_equal(facts->facts[0].value, "likes tea");
    assert_string_equal(facts->facts[0].evidence[0].excerpt, "likes tea");
    assert_string_equal(facts->facts[2].object_name, "Initech");
    memo_facts_free(facts);
    assert_memo_ok(formats_import(e, "memory.jsonl", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 2, 0, 0);
    assert_int_equal(f.report.n_entities + f.report.n_facts, 0);
}

static void mcp_put(const char *observations)
{
    char line[400];
    snprintf(line, sizeof line,
             "{\"type\":\"entity\",\"name\":\"Zoe\",\"entityType\":\"x\",\"observations\":[%s]}\n",
             observations);
    formats_put("zoe.jsonl", line);
}

static void mcp_expect_facts(db_env *e, int wanted)
{
    memo_facts *facts = NULL;
    memo_fact_query query = {.size = sizeof query, .subject = "Zoe"};
    assert_memo_ok(memo_db_fact_query(e->db, &query, &facts, &e->err), e->err);
    assert_int_equal(facts->n, wanted);
    memo_facts_free(facts);
}

/* What the file says no more is forgotten, with its fact; what somebody has pinned or edited stays, and so
 * does all of it where the file cannot be believed. */
static void test_import_mcp_forgets_what_is_gone(void **state)
{
    static const memo_text other = {"seven, edited", 13};
    static const int pinned = 1;
    const memo_record_edit pin = {.size = sizeof pin, .pinned = &pinned};
    const memo_record_edit edit = {.size = sizeof edit, .text = &other};
    const memo_import_options none = {0}, dry = {.dry_run = 1}, skip = {.skip_bad = 1};
    memo_list_options list = {.size = sizeof list, .where = "text = 'six'"};
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    mcp_put("\"one\",\"two\",\"six\",\"seven\"");
    assert_memo_ok(formats_import(e, "zoe.jsonl", dry, &f), e->err);
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    formats_expect(&f, 4, 0, 0, 0, 0);
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_memo_ok(memo_db_edit(e->db, NULL, r->records->id, &pin, NULL, &e->err), e->err);
    memo_records_free(r);
    list.where = "text = 'seven'";
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_memo_ok(memo_db_edit(e->db, NULL, r->records->id, &edit, NULL, &e->err), e->err);
    memo_records_free(r);
    mcp_put("\"one\",\"three\"");
    assert_memo_ok(formats_import(e, "zoe.jsonl", dry, &f), e->err);
    formats_expect(&f, 1, 0, 1, 1, 0);
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    formats_expect(&f, 1, 0, 1, 1, 0); /* not "six", not "seven, edited" */
    mcp_expect_facts(e, 4);
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    formats_expect(&f, 0, 0, 2, 0, 0);
    mcp_put("7");
    assert_memo_ok(formats_import(e, "zoe.jsonl", skip, &f), e->err);
    formats_expect(&f, 0, 0, 0, 0, 1);
    formats_put("zoe.jsonl", "{\"type\":\"relation\",\"from\":\"Zoe\",\"to\":\"Bob\","
                             "\"relationType\":\"knows\"}\n");
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    formats_expect(&f, 0, 0, 0, 0, 0);
    mcp_put("");
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    formats_expect(&f, 0, 0, 0, 2, 0);
    mcp_expect_facts(e, 3); /* of what stayed, and the relation */
}

/* Tags count as an edit as well, and so does a second file that said it: when one forgets it the other has
 * not. */
static void test_import_mcp_keeps_what_has_changed(void **state)
{
    static const char *const tags[] = {"mine"};
    const memo_record_edit tag = {.size = sizeof tag, .tags = tags, .n_tags = 1, .set_tags = 1};
    const memo_import_options none = {0};
    memo_list_options list = {.size = sizeof list, .where = "text = 'two'"};
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    mcp_put("\"one\",\"two\",\"six\"");
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_memo_ok(memo_db_edit(e->db, NULL, r->records->id, &tag, NULL, &e->err), e->err);
    memo_records_free(r);
    formats_put("other.jsonl", "{\"type\":\"entity\",\"name\":\"Zoe\",\"entityType\":\"x\","
                               "\"observations\":[\"six\"]}\n");
    assert_memo_ok(formats_import(e, "other.jsonl", none, &f), e->err);
    formats_expect(&f, 0, 1, 0, 0, 0);
    formats_put("other.jsonl", "{\"type\":\"entity\",\"name\":\"Zoe\",\"entityType\":\"x\","
                               "\"observations\":[]}\n");
    assert_memo_ok(formats_import(e, "other.jsonl", none, &f), e->err);
    formats_expect(&f, 0, 0, 0, 0, 0);
    mcp_put("\"six\"");
    assert_memo_ok(formats_import(e, "zoe.jsonl", none, &f), e->err);
    assert_int_equal(f.report.n_removed, 1); /* "one" alone */
    mcp_expect_facts(e, 2);
}

/* ---- entities that are there already ------------------------------------------------------- */

static void mcp_add_entity(db_env *e, const char *name, const char *kind, const char *alias)
{
    const memo_entity_in in = {.size = sizeof in,
                               .name = name,
                               .kind = kind,
                               .aliases = &alias,
                               .n_aliases = alias != NULL,
                               .distinct = 1};
    assert_memo_ok(memo_db_entity_add(e->db, NULL, &in, NULL, &e->err), e->err);
}

/* The entities with that name, oldest first, as "Anna/person:2 Anna/:0": kind and number of facts. */
static void mcp_expect_entities(db_env *e, const char *name, const char *wanted)
{
    const memo_entity_list_options list = {.size = sizeof list, .name = name};
    memo_entities *r = NULL;
    char got[200] = "";
    assert_memo_ok(memo_db_entity_list(e->db, &list, &r, &e->err), e->err);
    for (size_t i = 0; i < r->n; i++) {
        memo_fact_query query = {.size = sizeof query, .subject = r->entities[i].id};
        memo_facts *facts = NULL;
        assert_memo_ok(memo_db_fact_query(e->db, &query, &facts, &e->err), e->err);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s/%s:%d", i ? " " : "",
                 r->entities[i].name, r->entities[i].kind, (int)facts->n);
        memo_facts_free(facts);
    }
    memo_entities_free(r);
    assert_string_equal(got, wanted);
}

static void mcp_put_anna(const char *kind)
{
    char lines[400];
    snprintf(
        lines, sizeof lines,
        "{\"type\":\"entity\",\"name\":\"Anna\",\"entityType\":\"%s\",\"observations\":"
        "[\"likes tea\"]}\n"
        "{\"type\":\"relation\",\"from\":\"Anna\",\"to\":\"Bob\",\"relationType\":\"knows\"}\n",
        kind);
    formats_put("m.jsonl", lines);
}

/* Import the file; then again, which changes nothing, not even a number. */
static void mcp_import_twice(db_env *e, int n_new, int n_entities, int n_facts)
{
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    formats_env f;
    assert_memo_ok(formats_import(e, "m.jsonl", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, n_new, 0, 1 - n_new, 0, 0);
    assert_int_equal(f.report.n_entities, n_entities);
    assert_int_equal(f.report.n_facts, n_facts);
    assert_memo_ok(memo_db_get_stats(e->db, &before, &e->err), e->err);
    assert_memo_ok(formats_import(e, "m.jsonl", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 1, 0, 0);
    assert_int_equal(f.report.n_entities + f.report.n_facts, 0);
    assert_memo_ok(memo_db_get_stats(e->db, &after, &e->err), e->err);
    assert_int_equal(before.change_seq, after.change_seq);
}

/* One that a fact has made has no kind: it gets the file's. Where the file says another one later it stays
 * as it is. */
static void test_import_mcp_meets_an_entity_of_another_kind(void **state)
{
    const memo_fact_in works = {
        .size = sizeof works, .subject = "Anna", .relation = "works_at", .object = "X"};
    db_env *e = *state;
    formats_folder(e);
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &works, NULL, &e->err), e->err);
    mcp_put_anna("person");
    mcp_import_twice(e, 1, 1, 2); /* Bob is new */
    mcp_expect_entities(e, "Anna", "Anna/person:3");
    mcp_put_anna("human");
    mcp_import_twice(e, 0, 0, 0);
    mcp_expect_entities(e, "Anna", "Anna/person:3");
    mcp_put_anna("");
    mcp_import_twice(e, 0, 0, 0);
    mcp_expect_entities(e, "Anna", "Anna/person:3");
}

static void test_import_mcp_meets_an_alias(void **state)
{
    db_env *e = *state;
    formats_folder(e);
    mcp_add_entity(e, "Johanna", "boat", "Anna");
    mcp_put_anna("person");
    mcp_import_twice(e, 1, 1, 2);
    mcp_expect_entities(e, "Anna", "Johanna/boat:2");
}

/* Of several the one of the file's kind is meant, with its observations and its relations. */
static void test_import_mcp_chooses_among_several_by_kind(void **state)
{
    db_env *e = *state;
    formats_env f;
    formats_folder(e);
    mcp_add_entity(e, "Anna", NULL, NULL);
    mcp_add_entity(e, "Anna", "person", NULL);
    mcp_put_anna("person");
    mcp_import_twice(e, 1, 1, 2);
    mcp_expect_entities(e, "Anna", "Anna/:0 Anna/person:2");
    mcp_put_anna("boat");
    assert_memo_status(formats_import(e, "m.jsonl", (memo_import_options){0}, &f), MEMO_ERR_VALUE,
                       e->err);
    assert_contains(e->err.message, "several entities are called \"Anna\"");
    assert_contains(e->err.message, "(person)");
    mcp_expect_entities(e, "Anna", "Anna/:0 Anna/person:2"); /* and no third */
    mcp_put_anna("");
    mcp_import_twice(e, 0, 0, 2);
    mcp_expect_entities(e, "Anna", "Anna/:2 Anna/person:2");
    mcp_add_entity(e, "Anna", "person", NULL);
    mcp_put_anna("person");
    assert_memo_status(formats_import(e, "m.jsonl", (memo_import_options){0}, &f), MEMO_ERR_VALUE,
                       e->err);
}

/* An import that memory has stopped leaves no other entity, and the next one completes it. The ids that an
 * error would name are the one thing an import does without: it is not told then. */
static void test_import_mcp_without_memory(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_status status;
    int reached = 1, n_failed = 0;
    formats_folder(e);
    mcp_add_entity(e, "Anna", NULL, NULL);
    mcp_add_entity(e, "Anna", "person", NULL);
    formats_put("other.jsonl", mcp_lines); /* so that statements and scratch are there */
    mcp_put_anna("person");
    assert_memo_ok(formats_import(e, "other.jsonl", (memo_import_options){0}, &f), e->err);
    for (uint64_t n = 1; reached; n++) {
        int64_t live = memo_alloc_live();
        memo_alloc_fail_at(n, 0);
        status = formats_import(e, "m.jsonl", (memo_import_options){0}, &f);
        reached = memo_alloc_count() >= n;
        memo_alloc_fail_at(0, 0);
        assert_int_equal(memo_alloc_live(), live);
        if (status)
            assert_memo_status(status, MEMO_ERR_NOMEM, e->err);
        n_failed += status != MEMO_OK;
    }
    assert_int_equal(status, MEMO_OK);
    assert_true(n_failed > 20);
    mcp_import_twice(e, 0, 0, 0);
    mcp_expect_entities(e, "Anna", "Anna/:0 Anna/person:4"); /* two by the other file alone */
}

static void test_import_mcp_names_bad_lines(void **state)
{
    db_env *e = *state;
    formats_env f;
    formats_folder(e);
    formats_put("m.json", "{\"type\":\"entity\",\"name\":\"Bob\",\"entityType\":\"\"}\n"
                          "{\"type\":\"thing\"}\n"
                          "not json\n"
                          "{\"type\":\"entity\",\"name\":\" \",\"entityType\":\"x\"}\n"
                          "{\"type\":\"entity\",\"name\":\"Eve\",\"entityType\":\"x\","
                          "\"observations\":[\"one\",2]}\n"
                          "{\"type\":\"relation\",\"from\":\"Bob\",\"to\":\"Carl\","
                          "\"relationType\":\"knows\"}\n"
                          "{\"type\":\"relation\",\"from\":\"Bob\",\"relationType\":\"knows\"}\n");
    assert_memo_ok(formats_import(e, "m.json",
                                  (memo_import_options){.skip_bad = 1, .format = MEMO_IMPORT_MCP},
                                  &f),
                   e->err);
    assert_string_equal(f.bad, "m.json:2 FORMAT m.json:3 FORMAT m.json:4 VALUE m.json:5 FORMAT "
                               "m.json:7 FORMAT");
    assert_int_equal(f.report.n_entities, 2);
    assert_int_equal(f.report.n_facts, 1);
    assert_int_equal(f.report.n_failed, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_import_mcp_memory),
        db_test(test_import_mcp_forgets_what_is_gone),
        db_test(test_import_mcp_keeps_what_has_changed),
        db_test(test_import_mcp_meets_an_entity_of_another_kind),
        db_test(test_import_mcp_meets_an_alias),
        db_test(test_import_mcp_chooses_among_several_by_kind),
        db_test(test_import_mcp_without_memory),
        db_test(test_import_mcp_names_bad_lines),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
