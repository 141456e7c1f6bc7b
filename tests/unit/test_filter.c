// SPDX-License-Identifier: Apache-2.0
/* The filter language: what is refused and how it is said, and what each form matches on a handful
 * of records. prop_filter.c compares random filters with a second implementation. */
#include "filter_text.h"
#include "store_util.h"

#define NOW INT64_C(1750000000000) /* 2025-06-15T15:06:40Z */

/* ---- refusals ------------------------------------------------------------------------------ */

static void check_refused(const char *text, memo_status status, const char *message,
                          const char *hint)
{
    memo_err err = {0};
    memo_filter *filter = NULL;
    memo_status got = memo_filter_new(text, NOW, &filter, &err);
    if (got != status || !strstr(err.message, message) || !strstr(err.hint, hint))
        fail_msg("%s\n  gives %s: %s (%s)\n  instead of ...%s... (...%s...)", text,
                 memo_status_name(got), err.message, err.hint, message, hint);
    assert_null(filter);
}

static void test_filter_says_where_and_what(void **state)
{
    static const struct {
        const char *text, *message, *hint;
    } bad[] = {
        {"", "byte 0: found the end, expected a field", ""},
        {"titel = 'x'", "byte 0: found \"titel\", expected a field", "\"title\""},
        {"color = 'x'", "byte 0: found \"color\"", "meta.color"},
        {"title like 'x'", "byte 6: found \"like\", expected an operator", ""},
        {"title contain 'x'", "byte 6: found \"contain\"", "\"contains\""},
        {"title = ", "byte 8: found the end, expected a value", ""},
        {"title = x", "byte 8: found \"x\", expected a value", "quotes: 'x'"},
        {"tags in (a-b, c)", "byte 9: found \"a-b,\", expected a value", "quotes: 'a-b'"},
        {"created>2025-07-01", "byte 12: found \"-07-01\"", "quotes: '2025-07-01'"},
        {"title == 'x'", "byte 7: found", ""},
        {"title = 'x", "byte 8: the string that begins here", ""},
        {"title = 'x' title = 'y'", "byte 12: found \"title\", expected \"and\"", ""},
        {"(title = 'x'", "byte 12: found the end, expected \")\"", ""},
        {"title = 'x')", "byte 11: found \")\"", ""},
        {"version = 99999999999999999999", "byte 10", ""},
        {"version = 1.", "a digit after the point", ""},
        {"version = 1e", "an exponent", ""},
        {"version = 12ab", "a number", ""},
        {"version = -", "a number", ""},
        {"created >= 'yesterday'", "byte 11: found \"'yesterday'\", expected a date", ""},
        {"created >= '2025-02-29'", "expected a date", ""},
        {"created > now-7x", "a span such as 7d", ""},
        {"created > now-9999999999d", "a span such as 7d", ""},
        {"created prefix '2025'", "byte 15", ""},
        {"version contains '2'", "for texts", ""},
        {"title prefix 5", "byte 13: found \"5\", expected a string", ""},
        {"meta.x < true", "byte 9", ""},
        {"meta.x between null and 3", "byte 15", ""},
        {"meta.x between 3 or 4", "byte 17: found \"or\", expected \"and\"", ""},
        {"meta = 3", "byte 4: found \" \"", ""},
        {"meta. = 3", "byte 5", ""},
        {"tags in 'x'", "byte 8", ""},
        {"tags in ()", "byte 9", ""},
        {"tags in ('x' 'y')", "byte 13", ""},
        {"not", "byte 3: found the end", ""},
        {"title = 'x' and", "byte 15: found the end", ""},
        {"Title = 'x'", "byte 0", "\"title\""},
        {"title = 'x'; drop table records", "byte 11", ""},
        {"title = '\xff'", "byte 9: not UTF-8", ""},
        {"not trust = 'trustd'", "byte 12: found \"'trustd'\", expected 'trusted', 'untrusted'",
         ""},
        {"tier in ('hot', 'cold')", "byte 16: found \"'cold'\", expected 'goals', 'hot'", ""},
        {"trust = true", "byte 8: found \"true\", expected 'trusted'", ""},
        {"not pinned = 1", "byte 13: found \"1\", expected true or false", ""},
        {"pinned = 'oui'", "byte 9: found \"'oui'\", expected true or false", ""},
        {"version = '1'", "byte 10: found \"'1'\", expected a number", ""},
        {"created = true", "byte 10: found \"true\", expected a date", ""},
        {"title > 5", "byte 8: found \"5\", expected a string", ""},
        {"key in ('a', 5)", "byte 13: found \"5\", expected a string", ""},
        {"not tags = 2024", "byte 11: found \"2024\", expected a string", ""},
        {"title between 'a' and 5", "byte 22: found \"5\", expected a string", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(bad[i].text, MEMO_ERR_VALUE, bad[i].message, bad[i].hint);
}

static void test_filter_json_says_where_and_what(void **state)
{
    static const struct {
        const char *text, *message, *hint;
    } bad[] = {
        {"{}", "found {}, expected an object such as", ""},
        {"{\"tags\":", "filter", ""},
        {"{\"tags\":\"a\",\"tags\":\"b\"}", "duplicate", ""},
        {"{\"titel\":\"x\"}", "at \"titel\": found \"x\", expected a field", "\"title\""},
        {"{\"color\":\"x\"}", "at \"color\"", "meta.color"},
        {"{\"and\":[{\"tags\":\"a\"},{\"title\":{\"like\":\"x\"}}]}",
         "at \"and[1].title.like\": found \"x\", expected an operator", ""},
        {"{\"title\":{\"contain\":\"x\"}}", "at \"title.contain\"", "\"contains\""},
        {"{\"title\":[\"a\"]}", "at \"title\": found [\"a\"], expected one value", ""},
        {"{\"title\":{}}", "an operator and its operand", ""},
        {"{\"and\":[]}", "at \"and\": found [], expected a list of filters", ""},
        {"{\"and\":{\"tags\":\"a\"}}", "a list of filters", ""},
        {"{\"or\":[\"x\"]}", "at \"or[0]\": found \"x\", expected an object", ""},
        {"{\"not\":[]}", "at \"not\"", ""},
        {"{\"tags\":{\"in\":\"a\"}}", "a list of values", ""},
        {"{\"tags\":{\"in\":[]}}", "a list of values", ""},
        {"{\"tags\":{\"in\":[[1]]}}", "at \"tags.in[0]\"", ""},
        {"{\"version\":{\"between\":[1]}}", "a list of two values", ""},
        {"{\"key\":{\"exists\":1}}", "true or false", ""},
        {"{\"created\":{\">=\":\"yesterday\"}}", "at \"created.>=\": found \"yesterday\"", ""},
        {"{\"created\":{\">=\":{\"now\":\"-7x\"}}}", "a time is", ""},
        {"{\"created\":{\"now\":7}}", "a time is", ""},
        {"{\"version\":{\"prefix\":\"1\"}}", "for texts", ""},
        {"{\"title\":{\"prefix\":5}}", "found 5, expected a string", ""},
        {"{\"meta.x\":{\"<\":true}}", "found true", ""},
        {"{\"meta\":{\"x\":1}}", "at \"meta\"", ""},
        {"{\"meta.\":1}", "at \"meta.\"", ""},
        {"{\"version\":99999999999999999999}", "version", ""},
        {"{\"version\":1e999}", "version", ""},
        {"{\"not\":{\"trust\":\"trustd\"}}",
         "at \"not.trust\": found \"trustd\", expected 'trusted'", ""},
        {"{\"pinned\":1}", "at \"pinned\": found 1, expected true or false", ""},
        {"{\"tags\":{\"in\":[\"a\",5]}}", "at \"tags.in\": found [\"a\",5], expected a string", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memo_err err = {0};
        memo_filter *filter = NULL;
        memo_status status = memo_filter_new(bad[i].text, NOW, &filter, &err);
        if (status == MEMO_OK || !strstr(err.message, bad[i].message) ||
            !strstr(err.hint, bad[i].hint))
            fail_msg("%s\n  gives %s: %s (%s)", bad[i].text, memo_status_name(status), err.message,
                     err.hint);
        assert_null(filter);
    }
}

static void check_limit(char *fits, char *exceeds, const char *message)
{
    memo_filter *filter;
    util_ok(memo_filter_new(fits, NOW, &filter, err));
    memo_filter_free(filter);
    check_refused(exceeds, MEMO_ERR_LIMIT, message, "");
    free(fits);
    free(exceeds);
}

static void test_filter_limits(void **state)
{
    char *huge;
    (void)state;
    check_limit(filter_chain(128), filter_chain(129), "256 tests"); /* 128 + 127, 129 + 128 */
    check_limit(filter_nested("(", 16, ")"), filter_nested("(", 17, ")"), "16 nested");
    check_limit(json_chain(128), json_chain(129), "256 tests");
    check_limit(json_list(1000), json_list(1001), "1000 values");
    check_limit(json_nested(16), json_nested(17), "16 nested");
    check_limit(filter_nested("not ", 16, ""), filter_nested("not ", 17, ""), "16 nested");
    check_limit(filter_list(1000), filter_list(1001), "1000 values");
    huge = filter_list(100000);
    check_refused(huge, MEMO_ERR_LIMIT, "more than", "");
    free(huge);
    huge = filter_nested("(", 20000, "");
    check_refused(huge, MEMO_ERR_LIMIT, "16 nested", "");
    free(huge);
}

/* ---- matches ------------------------------------------------------------------------------- */

static const char *const first_tags[] = {"gift", "50% off", "under_score"};

static void add_rich(memo_store *store, const char *key, const char *title, const char *metadata,
                     size_t n_tags, int64_t created_ms, int64_t expires_ms)
{
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {0, 7, 1, vector};
    memo_store_put put = {.key = key,
                          .title = title,
                          .text = {"content", 7},
                          .metadata = metadata,
                          .tags = first_tags,
                          .n_tags = n_tags,
                          .created_ms = created_ms,
                          .expires_ms = expires_ms,
                          .chunks = &chunk,
                          .n_chunks = 1,
                          .space = 1};
    memo_add_result result = {.size = sizeof result};
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
}

static memo_store *open_rich(util_env *env)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_ns ns;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    /* a: 2025-07-01 in ms is 1751328000000 */
    add_rich(store, "a", "Porto it's \"fine\"",
             "{\"n\":9007199254740993,\"r\":0.1,\"s\":\"1\",\"t\":true,\"z\":null,\"odd key.x\":1,"
             "\"\\\"q\":2,\"arr\":[1],\"\xc3\xa9\":3}",
             3, INT64_C(1751328000000), 0);
    add_rich(store, "b", "porto", "{\"n\":9007199254740992,\"r\":1,\"s\":1,\"t\":false}", 1,
             INT64_C(1751328000001), NOW + 5);
    add_rich(store, "c", NULL, NULL, 0, NOW - INT64_C(7) * 86400000, 0);
    util_ok(memo_store_commit(store, err));
    return store;
}

static const char *const json_cases[][2] = {
    {"{\"key\":\"a\"}", "a"},
    {" {\"key\":null}", ""},
    {"{\"title\":null}", "c"},
    {"{\"title\":{\"!=\":null}}", "ab"},
    {"{\"title\":\"Porto it's \\\"fine\\\"\"}", "a"},
    {"{\"tags\":\"gift\"}", "ab"},
    {"{\"tags\":{\"in\":[\"under_score\",\"x\"]}}", "a"},
    {"{\"tags\":{\"!=\":\"under_score\"}}", "bc"},
    {"{\"tags\":{\"exists\":false}}", "c"},
    {"{\"key\":\"a\",\"tags\":\"gift\"}", "a"},
    {"{\"not\":{\"key\":\"a\",\"tags\":\"gift\"}}", "bc"},
    {"{\"or\":[{\"key\":\"a\"},{\"key\":\"c\"}]}", "ac"},
    {"{\"and\":[{\"tags\":\"gift\"},{\"created\":{\">\":\"2025-07-01\"}}]}", "b"},
    {"{\"created\":{\">=\":\"2025-07-01\",\"<=\":\"2025-07-01T00:00:00Z\"}}", "a"},
    {"{\"created\":{\">\":{\"now\":\"-7d\"}}}", "ab"},
    {"{\"created\":{\">\":\"now - 7d\"}}", "ab"},
    {"{\"updated\":{\"now\":\"\"}}", "abc"},
    {"{\"meta.r\":0.1}", "a"},
    {"{\"meta.r\":{\"between\":[0,0.5]}}", "a"},
    {"{\"meta.n\":9007199254740993}", "a"},
    {"{\"meta.odd key.x\":1}", "a"},
    {"{\"meta.\\\"q\":2}", "a"},
    {"{\"meta.t\":true}", "a"},
    {"{\"meta.t\":{\"!=\":true}}", "b"},
    {"{\"meta.n\":{\"in\":[9007199254740993,4.5,\"x\",true,null]}}", "ac"},
    {"{\"key\":{\"prefix\":\"a\"}}", "a"},
    {"{\"trust\":\"unknown\"}", "abc"},
    {"{\"not\":{\"trust\":{\"in\":[\"trusted\",-1]}}}", "abc"},
    {"{\"tier\":{\"<\":\"rest\"}}", ""},
    {"{\"pinned\":\"yes\"}", ""},
    {"{\"pinned\":{\"!=\":\"yes\"}}", "abc"},
};

static void check_matches(memo_store *store, const char *text, const char *keys)
{
    memo_filter *filter = NULL;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 10, .oldest_first = 1};
    memo_arena arena = {0};
    memo_records page;
    char got[4] = "";
    size_t n = 0;
    util_ok(memo_filter_new(text, NOW, &filter, err));
    scope.filter = filter;
    util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
    for (const char *key = "abc"; *key; key++)
        for (size_t i = 0; i < page.n; i++)
            if (page.records[i].key[0] == *key)
                got[n++] = *key;
    if (strcmp(got, keys) != 0)
        fail_msg("%s\n  matches \"%s\" instead of \"%s\"\n  %s", text, got, keys,
                 memo_filter_sql(filter));
    memo_arena_fini(&arena);
    memo_filter_free(filter);
}

/* A filter and the keys of the records that it matches. */
static const char *const match_cases[][2] = {
    {"id exists", "abc"},
    {"key = 'a'", "a"},
    {"key in ('a', 'c', null)", "ac"},
    {"key between 'b' and 'c'", "bc"},
    {"not key = 'a'", "bc"},
    {"NOT (key = 'a' OR key = 'b')", "c"},
    {"key = 'a' or key = 'b' and title = 'nope'", "a"},
    {"(key = 'a' or key = 'b') and title = 'nope'", ""},
    {"title exists", "ab"},
    {"title = null", "c"},
    {"title != null", "ab"},
    {"title != 'porto'", "a"},
    {"title = 'Porto it''s \"fine\"'", "a"},
    {"title = \"Porto it's \"\"fine\"\"\"", "a"},
    {"title prefix 'Porto'", "a"},
    {"title prefix ''", "ab"},
    {"title contains 'orto'", "ab"},
    {"title contains '%'", ""},
    {"title contains '''; DROP TABLE records; --'", ""},
    {"title < 'a'", "a"},
    {"text = 'content'", "abc"},
    {"source exists", ""},
    {"tags = 'gift'", "ab"},
    {"tags = 'gif_'", ""},
    {"tags = '50% off'", "a"},
    {"tags != 'under_score'", "bc"},
    {"tags contains '%'", "a"},
    {"tags prefix 'under'", "a"},
    {"tags in ('under_score', 'x')", "a"},
    {"tags exists", "ab"},
    {"tags = null", "c"},
    {"tags > 'h'", "a"},
    {"created = '2025-07-01'", "a"},
    {"created > '2025-07-01'", "b"},
    {"created >= '2025-07-01T02:00:00+02:00'", "ab"},
    {"created between '2025-07-01' and '2025-07-01T00:00:00.001Z'", "ab"},
    {"created = 1751328000000", "a"},
    {"created > 1751328000000.5", "b"},
    {"created >= now-7d", "abc"},
    {"created > now - 7d", "ab"},
    {"created in ('2025-07-01', 5)", "a"},
    {"updated = now", "abc"},
    {"expires exists", "b"},
    {"expires < now+1s", "b"},
    {"expires = 0", ""},
    {"expires = null", "ac"},
    {"version = 1", "abc"},
    {"version != 1", ""},
    {"version < 1.5", "abc"},
    {"version in (0, 1, 2)", "abc"},
    {"meta.n = 9007199254740993", "a"},
    {"meta.n = 9007199254740992", "b"},
    {"meta.n > 9007199254740992", "a"},
    {"meta.n = '9007199254740993'", ""},
    {"meta.n < 9223372036854775807", "ab"},
    {"meta.n > -9223372036854775808", "ab"},
    {"meta.r = 0.1", "a"},
    {"meta.r = 1e-1", "a"},
    {"meta.r = 1.0", "b"},
    {"meta.r between 0 and 0.5", "a"},
    {"meta.s = '1'", "a"},
    {"meta.s = 1", "b"},
    {"meta.s != 2", "b"},
    {"meta.s in (1, '1')", "ab"},
    {"meta.s prefix ''", "a"},
    {"meta.t = true", "a"},
    {"meta.t != true", "b"},
    {"meta.t in (false, true)", "ab"},
    {"meta.t = 1", ""},
    {"meta.z exists", ""},
    {"meta.z = null", "abc"},
    {"meta.t = null", "c"},
    {"meta.arr exists", "a"},
    {"meta.arr = 1", ""},
    {"meta.\"odd key.x\" = 1", "a"},
    {"meta.'\"q' = 2", "a"},
    {"meta.\xc3\xa9 = 3", "a"},
    {"meta.nothing < 5", ""},
    {"not meta.nothing < 5", "abc"},
    {"meta.nothing != 5", ""},
    {"meta.n in (9007199254740993, 4.5, 'x', true, null)", "ac"},
    {"created > 'now-7d'", "ab"},
    {"tags in ('gift')", "ab"},
    {"tags in ('under_score', null)", "ac"},
    {"tags between 'g' and 'h'", "ab"},
    {"trust = 0", "abc"},
    {"tier = 2", "abc"},
    {"tier < 2", ""},
    {"pinned = true", ""},
    {"pinned = false", "abc"},
    {"pinned != true", "abc"},
    {"pinned in (true, false)", "abc"},
    {"pinned = 'no'", "abc"},
    {"pinned = 'yes'", ""},
    {"pinned != 'true'", "abc"},
    {"not pinned = 'false'", ""},
    {"trust = 'unknown'", "abc"},
    {"trust = 'trusted'", ""},
    {"not trust = 'untrusted'", "abc"},
    {"trust in ('trusted', 'unknown')", "abc"},
    {"trust < 'trusted'", "abc"},
    {"trust between 'untrusted' and -1", ""},
    {"trust = null", ""},
    {"tier = 'rest'", "abc"},
    {"tier in ('goals', 'hot')", ""},
    {"parent exists", ""},
    {"parent = null", "abc"},
};

static void test_filter_matches(void **state)
{
    util_env *env = *state;
    memo_store *store = open_rich(env);
    for (size_t i = 0; i < sizeof match_cases / sizeof *match_cases; i++)
        check_matches(store, match_cases[i][0], match_cases[i][1]);
    for (size_t i = 0; i < sizeof json_cases / sizeof *json_cases; i++)
        check_matches(store, json_cases[i][0], json_cases[i][1]);
    memo_store_close(store);
}

/* SQLite's parser has a small stack: the deepest filters of every shape must still run. */
static void test_filter_deepest_shapes_run(void **state)
{
    util_env *env = *state;
    memo_store *store = open_rich(env);
    static const struct {
        const char *open, *close, *keys;
        size_t depth;
    } shapes[] = {
        {"(", ")", "abc", 16},
        {"not ", "", "abc", 16},
        {"meta.s = 1 or meta.s = '1' and (", ")", "ab", 16},
        {"key in ('x','y') or meta.s = '1' and not (", ")", "a", 8},
        {"(", " and meta.s = 1 or tags = 'gift')", "ab", 16},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *text = filter_nested(shapes[i].open, shapes[i].depth, shapes[i].close);
        check_matches(store, text, shapes[i].keys);
        free(text);
    }
    {
        const char *open = "{\"meta.s\":\"1\",\"not\":";
        char *odd = filter_nested(open, 15, "}"), *even = filter_nested(open, 16, "}");
        memcpy(strstr(odd, "id exists"), "{\"id\":\"\"}", 9); /* never true */
        memcpy(strstr(even, "id exists"), "{\"id\":\"\"}", 9);
        check_matches(store, odd, "a");
        check_matches(store, even, "");
        free(odd);
        free(even);
    }
    {
        char *chain = filter_chain(128), *list = filter_list(1000);
        check_matches(store, chain, "abc");
        check_matches(store, list, "");
        free(chain);
        free(list);
    }
    memo_store_close(store);
}

/* A balanced tree keeps both operands of every level deep. */
static char *make_balanced(char *p, int depth)
{
    if (depth == 0)
        return p + sprintf(p, "meta.s = '1'");
    p += sprintf(p, "(");
    p = make_balanced(p, depth - 1);
    p += sprintf(p, depth % 2 ? " and " : " or ");
    p = make_balanced(p, depth - 1);
    return p + sprintf(p, ")");
}

static void test_filter_balanced_tree_runs(void **state)
{
    util_env *env = *state;
    memo_store *store = open_rich(env);
    char *text = malloc(1 << 16);
    *make_balanced(text, 7) = '\0'; /* 128 tests, 127 operators */
    check_matches(store, text, "a");
    free(text);
    memo_store_close(store);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void check_lack_of_memory(const char *text)
{
    int64_t live = memo_alloc_live();
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        uint64_t n = 0;
        while (status) {
            memo_err err = {0};
            memo_filter *filter = NULL;
            memo_alloc_fail_at(++n, sticky);
            status = memo_filter_new(text, NOW, &filter, &err);
            memo_alloc_fail_at(0, 0);
            assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
            assert_int_equal(err.status, status);
            memo_filter_free(filter);
            assert_int_equal(memo_alloc_live(), live);
        }
        assert_true(n > 10);
    }
}

static void test_filter_survives_lack_of_memory(void **state)
{
    (void)state;
    check_lack_of_memory("tags = 'gift' and created >= '2025-07-01' and not "
                         "(meta.\"place\" in ('Porto', 5, 0.5, true, null) or "
                         "title exists) or title contains 'x'");
    check_lack_of_memory("{\"and\":[{\"tags\":\"gift\"},{\"created\":{\">=\":\"2025-07-01\"}},"
                         "{\"not\":{\"or\":[{\"meta.place\":{\"in\":[\"Porto\",5,0.5,true,null]}},"
                         "{\"title\":{\"exists\":true}}]}}]}");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_says_where_and_what),
        cmocka_unit_test(test_filter_json_says_where_and_what),
        cmocka_unit_test(test_filter_limits),
        CASE(test_filter_matches),
        CASE(test_filter_deepest_shapes_run),
        CASE(test_filter_balanced_tree_runs),
        cmocka_unit_test(test_filter_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
