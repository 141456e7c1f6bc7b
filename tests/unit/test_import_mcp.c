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
        db_test(test_import_mcp_names_bad_lines),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
