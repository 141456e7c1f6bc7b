// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "memory/search/query.h"

typedef struct parsed {
    memo_arena arena;
    memo_query query;
} parsed;

static parsed parse_bytes(const char *text, size_t n)
{
    parsed p;
    memo_err err = {0};
    memset(&p, 0, sizeof p);
    assert_memo_ok(memo_query_parse((memo_text){text, n}, &p.arena, &p.query, &err), err);
    return p;
}

static parsed parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void expect_match(const char *text, const char *match)
{
    parsed p = parse(text);
    if (!match)
        assert_null(p.query.match);
    else
        assert_string_equal(p.query.match, match);
    memo_arena_fini(&p.arena);
}

static void test_query_searches_words_of_meaning(void **state)
{
    (void)state;
    expect_match("What is the boundary layer?", "\"boundary\" OR \"layer\"");
    expect_match("layer LAYER Layer", "\"layer\"");
    expect_match("to be or not to be", "\"to\" OR \"be\" OR \"or\" OR \"not\"");
    expect_match("Grüße aus Köln", "\"Grüße\" OR \"aus\" OR \"Köln\"");
    expect_match("東京 spare", "\"東京\" * OR \"spare\"");
    expect_match("?! -- ...", NULL);
}

static void test_query_reads_operators_as_text(void **state)
{
    parsed p;
    (void)state;
    expect_match("a* OR title:key AND \"x NEAR(y",
                 "\"title\" OR \"key\" OR \"x\" OR \"NEAR\" OR \"y\"");
    p = parse_bytes("pot\0key\"", 8);
    assert_string_equal(p.query.match, "\"pot\" OR \"key\"");
    memo_arena_fini(&p.arena);
}

static void test_query_limits_words(void **state)
{
    char *text = malloc(8 * 1000 + 1), *at = text;
    parsed p;
    (void)state;
    for (int i = 0; i < 1000; i++)
        at += sprintf(at, "w%06d ", i);
    p = parse(text);
    assert_int_equal(p.query.n_words, MEMO_QUERY_MAX_WORDS);
    memo_arena_fini(&p.arena);
    free(text);
}

/* Needles that are names, joined by "|". */
static void expect_names(const char *text, const char *names, memo_query_class cls)
{
    parsed p = parse(text);
    char got[512] = "";
    for (size_t i = 0; i < p.query.n_needles; i++) {
        if (!p.query.needles[i].is_name)
            continue;
        if (got[0])
            strcat(got, "|");
        strncat(got, p.query.needles[i].text, p.query.needles[i].n_bytes);
    }
    assert_string_equal(got, names);
    if (p.query.cls != cls)
        fail_msg("\"%s\" is of class %d", text, (int)p.query.cls);
    memo_arena_fini(&p.arena);
}

static void test_query_finds_identifiers(void **state)
{
    (void)state;
    expect_names("where is ERR-4512 documented?", "ERR-4512", MEMO_QUERY_IDENTIFIER);
    expect_names("memo_db_open", "memo_db_open", MEMO_QUERY_IDENTIFIER);
    expect_names("src/base/file.h.", "src/base/file.h", MEMO_QUERY_IDENTIFIER);
    expect_names("mail (anna@example.org), today", "anna@example.org", MEMO_QUERY_IDENTIFIER);
    expect_names("std::vector getValue v2.1", "std::vector|getValue|v2.1", MEMO_QUERY_IDENTIFIER);
    expect_names("order 904417", "904417", MEMO_QUERY_IDENTIFIER);
    expect_names("\"spare key\"", "spare key", MEMO_QUERY_IDENTIFIER);
    expect_names("call `rm` now", "rm", MEMO_QUERY_IDENTIFIER);
}

static void test_query_leaves_prose_alone(void **state)
{
    (void)state;
    expect_names("state-of-the-art wings at mach 2.5 in 1958?", "", MEMO_QUERY_NATURAL);
    expect_names("What did Anna say about e.g. NASA...", "", MEMO_QUERY_NATURAL);
    expect_names("why does the pump of unit P-101 fail when winter storms begin", "P-101",
                 MEMO_QUERY_NATURAL);
    expect_names("it's 5 o'clock", "", MEMO_QUERY_NATURAL);
}

static void test_query_looks_for_itself_when_short(void **state)
{
    parsed p = parse("  the spare key?\n");
    (void)state;
    assert_int_equal(p.query.n_needles, 1);
    assert_int_equal(p.query.needles[0].n_bytes, 13);
    assert_memory_equal(p.query.needles[0].text, "the spare key", 13);
    assert_false(p.query.needles[0].is_name);
    memo_arena_fini(&p.arena);
    p = parse("one two three four five six seven eight nine ten eleven twelve thirteen");
    assert_int_equal(p.query.n_needles, 0);
    memo_arena_fini(&p.arena);
}

static void test_query_survives_lack_of_memory(void **state)
{
    memo_err err = {0};
    (void)state;
    for (uint64_t at = 1;; at++) {
        memo_arena arena = {0};
        memo_query query;
        int64_t live = memo_alloc_live();
        memo_status status;
        memo_alloc_fail_at(at, 0);
        status = memo_query_parse((memo_text){"where is \"ERR-4512\" in v2.1", 27}, &arena, &query,
                                  &err);
        memo_alloc_fail_at(0, 0);
        memo_arena_fini(&arena);
        assert_int_equal(memo_alloc_live(), live);
        if (status == MEMO_OK)
            break;
        assert_int_equal(status, MEMO_ERR_NOMEM);
        assert_true(at < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_searches_words_of_meaning),
        cmocka_unit_test(test_query_reads_operators_as_text),
        cmocka_unit_test(test_query_limits_words),
        cmocka_unit_test(test_query_finds_identifiers),
        cmocka_unit_test(test_query_leaves_prose_alone),
        cmocka_unit_test(test_query_looks_for_itself_when_short),
        cmocka_unit_test(test_query_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
