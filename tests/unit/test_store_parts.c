// SPDX-License-Identifier: Apache-2.0
/* Full text of scripts without spaces (store/rows/parts.h), and of words with and without stems. */
#include "store_util.h"

#include "store/rows/parts.h"
#include "store/store_inner.h"

/* ---- expressions --------------------------------------------------------------------------- */

static void expect_expression(int (*put)(memo_buf *, memo_text), const char *text, const char *want)
{
    memo_buf got = {0};
    int any = put(&got, (memo_text){text, strlen(text)});
    assert_int_equal(any, want != NULL);
    if (want)
        assert_string_equal(got.data, want);
    memo_buf_fini(&got);
}

static void test_parts_expressions(void **state)
{
    (void)state;
    expect_expression(memo_store_parts_phrase, "spare key", NULL);
    expect_expression(memo_store_parts_phrase, "\xe3\x80\x82", NULL); /* a full stop */
    expect_expression(memo_store_parts_phrase, "花", "\"花\" *");
    expect_expression(memo_store_parts_phrase, "花园", "\"花园\" *");
    expect_expression(memo_store_parts_phrase, "花园里", "\"花园里\"");
    expect_expression(memo_store_parts_phrase, "花园里的", "\"花园里 园里的\"");
    expect_expression(memo_store_parts_phrase, "a花b园", "\"花\" * AND \"园\" *");
    expect_expression(memo_store_parts_any, "iPhone", NULL);
    expect_expression(memo_store_parts_any, "花园里的。钥", "\"花园里\" OR \"园里的\" OR \"钥\" *");
}

static void test_parts_expressions_are_bounded(void **state)
{
    static char text[3 * 5000 + 1];
    memo_buf got = {0};
    size_t n_or = 0;
    (void)state;
    for (size_t i = 0; i < 5000; i++)
        memcpy(text + 3 * i, "花", 3);
    assert_true(memo_store_parts_any(&got, (memo_text){text, 15000}));
    for (const char *at = got.data; (at = strstr(at, " OR ")) != NULL; at++)
        n_or++;
    assert_int_equal(n_or, 255);
    memo_buf_fini(&got);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *const samples[][2] = {
    {"zh", "备用钥匙放在花园里第三个花盆下面。"},
    {"ja", "予備の鍵は庭の三番目の植木鉢の下にあります。"},
    {"th", "กุญแจสำรองอยู่ใต้กระถางดอกไม้ใบที่สาม"},
    {"lo", "ກະແຈສຳຮອງຢູ່ກ້ອງກະຖາງດອກໄມ້"},
    {"km", "កូនសោបម្រុងនៅក្រោមផើងផ្កា"},
    {"my", "အပိုသော့သည် ပန်းအိုးအောက်တွင် ရှိသည်"},
    {"mix", "Das neue iPhone手机 liegt hier"},
    {"en", "the spare key is under the third flower pot"},
};
enum { N_SAMPLES = sizeof samples / sizeof *samples };

static void add_samples(memo_store *store)
{
    for (unsigned i = 0; i < N_SAMPLES; i++)
        util_add(store, samples[i][0], samples[i][1], i);
}

/* The words index a record that the keys name, by position in `samples`. */
static void expect_found(memo_store *store, const char *needle, const char *keys)
{
    memo_arena arena = {0};
    memo_store_scope scope = {.ns = 1};
    memo_store_hits hits = {.arena = &arena, .limit = 10};
    memo_buf match = {0};
    char got[64] = "";
    assert_true(memo_store_parts_phrase(&match, (memo_text){needle, strlen(needle)}));
    util_ok(memo_store_fulltext(store, &scope, MEMO_STORE_PARTS, match.data, 1, &hits, err));
    for (size_t s = 0; s < N_SAMPLES; s++)
        for (size_t i = 0; i < hits.n; i++)
            if (hits.hits[i].record == (int64_t)s + 1)
                strcat(strcat(got, samples[s][0]), " ");
    if (strcmp(got, keys) != 0)
        fail_msg("%s finds \"%s\", not \"%s\"", needle, got, keys);
    memo_buf_fini(&match);
    memo_arena_fini(&arena);
}

/* Every run of one to five characters of every text leads to it: the proof is the text itself. */
static void expect_every_run(memo_store *store)
{
    for (unsigned s = 0; s < N_SAMPLES - 2; s++) {
        const char *text = samples[s][1];
        for (size_t at = 0; text[at]; at++) {
            size_t end = at;
            if (((unsigned char)text[at] & 0xC0) == 0x80)
                continue;
            for (int n = 0; n < 5 && text[end]; n++) {
                char needle[32] = "";
                memo_buf match = {0};
                end++;
                while (((unsigned char)text[end] & 0xC0) == 0x80)
                    end++;
                memcpy(needle, text + at, end - at);
                if (memo_store_parts_phrase(&match, (memo_text){needle, end - at})) {
                    memo_arena arena = {0};
                    memo_store_scope scope = {.ns = 1};
                    memo_store_hits hits = {.arena = &arena, .limit = 10};
                    int found = 0;
                    util_ok(memo_store_fulltext(store, &scope, MEMO_STORE_PARTS, match.data, 1,
                                                &hits, err));
                    for (size_t i = 0; i < hits.n; i++)
                        found |= hits.hits[i].record == (int64_t)s + 1;
                    if (!found)
                        fail_msg("\"%s\" does not find \"%s\": %s", needle, text, match.data);
                    memo_arena_fini(&arena);
                }
                memo_buf_fini(&match);
            }
        }
    }
}

static int64_t n_rows(memo_store *store)
{
    int64_t n = -1;
    util_ok(memo_sql_int(&store->sql, "SELECT count(*) FROM fts_parts_docsize", &n, err));
    return n;
}

static void test_parts_find_runs_anywhere(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    add_samples(store);
    assert_int_equal(n_rows(store), N_SAMPLES - 1); /* the English one has no row */
    expect_found(store, "花园", "zh ");
    expect_found(store, "第三个花盆", "zh ");
    expect_found(store, "第三花盆", "");
    expect_found(store, "面", "zh ");
    expect_found(store, "下面", "zh ");
    expect_found(store, "下", "zh ja ");
    expect_found(store, "植木鉢", "ja ");
    expect_found(store, "ดอกไม้", "th ");
    expect_found(store, "手机", "mix ");
    expect_every_run(store);
    memo_store_close(store);
}

static void test_parts_follow_changes(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int64_t n_wrong = -1;
    int found = 0;
    add_samples(store);
    util_add(store, "zh", "the key", 1);
    expect_found(store, "花园", "");
    assert_int_equal(n_rows(store), N_SAMPLES - 2);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "ja", &found, err));
    util_ok(memo_store_commit(store, err));
    expect_found(store, "植木鉢", "");
    assert_int_equal(n_rows(store), N_SAMPLES - 3);
    util_ok(memo_parts_audit(&store->sql, &n_wrong, err));
    assert_int_equal(n_wrong, 0);
    util_ok(memo_sql_exec(&store->sql, "INSERT INTO fts_parts(fts_parts) VALUES('integrity-check')",
                          "check", err));
    memo_store_close(store);
}

static void count_bad(void *user, memo_finding_level level, const char *area, const char *message,
                      const char *hint)
{
    (void)area, (void)message, (void)hint;
    *(int *)user += level == MEMO_FINDING_BAD;
}

static void test_parts_are_audited_and_made_again(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int n_bad = 0;
    add_samples(store);
    util_ok(memo_store_check(store, count_bad, &n_bad, err));
    assert_int_equal(n_bad, 0);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_sql_exec(&store->sql, "INSERT INTO fts_parts(fts_parts) VALUES('delete-all')",
                          "spoil", err));
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_check(store, count_bad, &n_bad, err));
    assert_int_equal(n_bad, 1);
    util_ok(memo_store_begin_write(store, err));
    store->rebuild_derived = 1;
    util_ok(memo_store_commit(store, err));
    n_bad = 0;
    util_ok(memo_store_check(store, count_bad, &n_bad, err));
    assert_int_equal(n_bad, 0);
    expect_every_run(store);
    memo_store_close(store);
}

static void test_exact_finds_runs_anywhere(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hits hits = {.arena = &arena, .limit = 10};
    add_samples(store);
    util_ok(memo_store_exact(store, &scope, (memo_text){"第三个", 9}, &hits, err));
    assert_int_equal(hits.n, 1);
    assert_int_equal(hits.hits[0].record, 1);
    util_ok(memo_store_exact(store, &scope, (memo_text){"第个三", 9}, &hits, err));
    assert_int_equal(hits.n, 0);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* ---- stems --------------------------------------------------------------------------------- */

static size_t n_words(memo_store *store, const char *word)
{
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hits hits = {.arena = &arena, .limit = 10};
    util_ok(memo_store_fulltext(store, &scope, MEMO_STORE_WORDS, word, 1, &hits, err));
    memo_arena_fini(&arena);
    return hits.n;
}

static memo_store *open_as(util_env *env, memo_fulltext fulltext)
{
    memo_store_options options = {.mode = MEMO_OPEN_CREATE, .fulltext = fulltext};
    memo_store *store = NULL;
    util_ok(memo_store_open(env->ctx, env->path, &options, &store, err));
    return store;
}

static void test_fulltext_is_what_the_store_was_made_with(void **state)
{
    util_env *env = *state;
    for (int plain = 0; plain < 2; plain++) {
        memo_store *store = open_as(env, plain ? MEMO_FULLTEXT_PLAIN : MEMO_FULLTEXT_STEMMED);
        int n_bad = 0;
        util_add(store, "a", "the boiler was boiling", 1);
        memo_store_close(store);
        store = open_as(env, plain ? MEMO_FULLTEXT_STEMMED : MEMO_FULLTEXT_PLAIN);
        assert_int_equal(n_words(store, "boiled"), !plain);
        assert_int_equal(n_words(store, "boiling"), 1);
        util_ok(memo_store_begin_write(store, err));
        store->rebuild_derived = 1;
        util_ok(memo_store_commit(store, err));
        assert_int_equal(n_words(store, "boiled"), !plain);
        util_ok(memo_store_check(store, count_bad, &n_bad, err));
        assert_int_equal(n_bad, 0);
        memo_store_close(store);
        unlink(env->path);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_expressions),
        cmocka_unit_test(test_parts_expressions_are_bounded),
        CASE(test_parts_find_runs_anywhere),
        CASE(test_parts_follow_changes),
        CASE(test_parts_are_audited_and_made_again),
        CASE(test_exact_finds_runs_anywhere),
        CASE(test_fulltext_is_what_the_store_was_made_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
