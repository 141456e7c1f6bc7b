// SPDX-License-Identifier: Apache-2.0
/* memo_is_json() says what SQLite's json_valid() says. */
#include "memo_test.h"

#include <sqlite3.h>

#include "base/rng.h"
#include "store/is_json.h"

typedef struct is_json_env {
    sqlite3 *db;
    sqlite3_stmt *valid, *ours;
} is_json_env;

static int is_json_setup(void **state)
{
    static is_json_env env;
    assert_int_equal(sqlite3_open(":memory:", &env.db), SQLITE_OK);
    assert_int_equal(memo_is_json_add(env.db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(env.db, "SELECT coalesce(json_valid(?), 0)", -1, &env.valid, NULL),
        SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(env.db, "SELECT coalesce(memo_is_json(?), 0)", -1, &env.ours, NULL),
        SQLITE_OK);
    *state = &env;
    return 0;
}

static int is_json_teardown(void **state)
{
    is_json_env *env = *state;
    sqlite3_finalize(env->valid);
    sqlite3_finalize(env->ours);
    return sqlite3_close(env->db) != SQLITE_OK;
}

static int is_json_ask(sqlite3_stmt *st, const char *text, int n)
{
    int result;
    assert_int_equal(sqlite3_bind_text(st, 1, text, n, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    result = sqlite3_column_int(st, 0);
    sqlite3_reset(st);
    return result;
}

/* Both agree; returns what they say. */
static int is_json_both(const is_json_env *env, const char *text, size_t n)
{
    int wanted = is_json_ask(env->valid, text, (int)n), found = memo_is_json(text, n);
    if (found != wanted || is_json_ask(env->ours, text, (int)n) != wanted)
        fail_msg("\"%.*s\": %d, SQLite says %d", (int)n, text, found, wanted);
    return found;
}

static void test_is_json_says_what_sqlite_says(void **state)
{
    static const struct {
        const char *text;
        int is;
    } cases[] = {
        {"[]", 1},
        {"{}", 1},
        {" [ 1 , -2.5e+10 , 0 , 0.5E-3 ] ", 1},
        {"{\"a\":{\"b\":[true,false,null,\"\\u00e9\\n\\\"\"]}}\n", 1},
        {"\"a text\"", 1},
        {"12", 1},
        {"{\"\":[]}", 1},
        {"[[],{},[{}]]", 1},
        {"", 0},
        {" ", 0},
        {"[", 0},
        {"]", 0},
        {"[}", 0},
        {"{]", 0},
        {"[1,]", 0},
        {"[,1]", 0},
        {"{\"a\"}", 0},
        {"{\"a\":}", 0},
        {"{\"a\":1,}", 0},
        {"{a:1}", 0},
        {"{1:1}", 0},
        {"[1 2]", 0},
        {"[1]x", 0},
        {"[1][2]", 0},
        {"01", 0},
        {"-", 0},
        {"-01", 0},
        {"1.", 0},
        {".5", 0},
        {"1e", 0},
        {"1e+", 0},
        {"+1", 0},
        {"0x1", 0},
        {"tru", 0},
        {"truely", 0},
        {"\"", 0},
        {"\"\\", 0},
        {"\"\\x41\"", 0},
        {"\"\\u12g4\"", 0},
        {"\"a\nb\"", 0},
        {"'a'", 0},
        {"[1 /* one */]", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (is_json_both(*state, cases[i].text, strlen(cases[i].text)) != cases[i].is)
            fail_msg("%s: not %d", cases[i].text, cases[i].is);
}

/* Every text of up to six of these pieces is short of or beyond JSON in some way, many are JSON. */
static void test_is_json_agrees_on_random_texts(void **state)
{
    static const char *const pieces[] = {"{",    "}",    "[",     "]",  ",",  ":",   "\"a\"",  "\"",
                                         "\\",   "u00",  "1",     "0",  "-",  ".",   "e",      "E5",
                                         "true", "null", "false", " ",  "\n", "+",   "\"b\":", "[]",
                                         "{}",   "2.5",  "\\\"",  "\t", "x",  "\x01"};
    memo_rng rng;
    size_t n_valid = 0;
    memo_rng_init(&rng, 20250607);
    for (int i = 0; i < 300000; i++) {
        char text[64] = "";
        size_t n = 0, n_pieces = 1 + memo_rng_below(&rng, 9);
        for (size_t k = 0; k < n_pieces; k++) {
            const char *piece = pieces[memo_rng_below(&rng, sizeof pieces / sizeof *pieces)];
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", piece);
        }
        n_valid += (size_t)is_json_both(*state, text, n);
    }
    assert_true(n_valid > 1000);
}

/* Real JSON with one byte replaced, lost or doubled. */
static void test_is_json_agrees_on_changed_texts(void **state)
{
    static const char text[] = "{\"n\": 12.5e-1, \"list\": [1, {\"x\": null}, true, \"a\\u00e9\"],"
                               " \"deep\": [[[]]], \"s\": \"\\\"q\\\"\"}";
    static const char bytes[] = "{}[],:\"\\0123456789.eE+-truefalsn \n\tx\x01\x7f\xc3";
    char changed[sizeof text + 1];
    size_t n = sizeof text - 1;
    assert_int_equal(is_json_both(*state, text, n), 1);
    for (size_t at = 0; at < n; at++) {
        for (size_t b = 0; b < sizeof bytes - 1; b++) {
            memcpy(changed, text, n);
            changed[at] = bytes[b];
            is_json_both(*state, changed, n);
            memcpy(changed + at + 1, text + at, n - at);
            is_json_both(*state, changed, n + 1);
        }
        memcpy(changed, text, at);
        memcpy(changed + at, text + at + 1, n - at - 1);
        is_json_both(*state, changed, n - 1);
        is_json_both(*state, text, at);
    }
}

/* Without a limit of SQLite's that a query could fail over. */
static void test_is_json_ends_at_64_levels(void **state)
{
    char text[140];
    memset(text, '[', 70);
    memset(text + 70, ']', 70);
    assert_int_equal(is_json_both(*state, text + 6, 128), 1);
    assert_int_equal(memo_is_json(text + 5, 130), 0);
    assert_int_equal(is_json_both(*state, text, 70), 0);
}

static int is_json_left; /* allocations until the one that fails; 0: none does */
static sqlite3_mem_methods is_json_plain;

static int is_json_fails(void)
{
    return is_json_left && --is_json_left == 0;
}

static void *is_json_malloc(int n_bytes)
{
    return is_json_fails() ? NULL : is_json_plain.xMalloc(n_bytes);
}

static void *is_json_realloc(void *p, int n_bytes)
{
    return is_json_fails() ? NULL : is_json_plain.xRealloc(p, n_bytes);
}

/* What json_valid() gets wrong: a text does not cease to be JSON where one allocation fails. */
static void test_is_json_is_right_without_memory(void **state)
{
    const is_json_env *env = *state;
    static const char text[] = "{\"a\": [1, 2, 3, 4, 5, 6, 7, 8], \"b\": \"c\"}";
    for (int n = 1; n < 20; n++) {
        int row, is;
        assert_int_equal(sqlite3_bind_text(env->ours, 1, text, -1, SQLITE_TRANSIENT), SQLITE_OK);
        is_json_left = n;
        row = sqlite3_step(env->ours);
        is_json_left = 0;
        is = row == SQLITE_ROW ? sqlite3_column_int(env->ours, 0) : -1;
        sqlite3_reset(env->ours);
        if (row != SQLITE_NOMEM && is != 1)
            fail_msg("allocation %d fails, and this is no JSON: %s", n, text);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, is_json_setup, is_json_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_is_json_says_what_sqlite_says),   CASE(test_is_json_agrees_on_random_texts),
        CASE(test_is_json_agrees_on_changed_texts), CASE(test_is_json_ends_at_64_levels),
        CASE(test_is_json_is_right_without_memory),
    };
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &is_json_plain);
    sqlite3_mem_methods failing = is_json_plain;
    failing.xMalloc = is_json_malloc;
    failing.xRealloc = is_json_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
