// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <errno.h>

static void test_error_status_table_is_complete(void **state)
{
    (void)state;
    assert_string_equal(memo_status_name(MEMO_OK), "OK");
    assert_string_equal(memo_status_name(MEMO_ERR_BUSY), "ERR_BUSY");
    assert_string_equal(memo_status_text(MEMO_ERR_NOMEM), "out of memory");
    assert_int_equal(memo_status_exit_code(MEMO_OK), 0);
    assert_int_equal(memo_status_exit_code(MEMO_ERR_MISMATCH), 4);
    assert_int_equal(memo_status_http(MEMO_ERR_LIMIT), 413);
    assert_int_equal(memo_status_http(MEMO_ERR_DEADLINE), 504);
    for (int s = MEMO_ERR_USAGE; s <= MEMO_ERR_DEADLINE; s++) {
        assert_int_not_equal(memo_status_exit_code((memo_status)s), 0);
        assert_true(memo_status_http((memo_status)s) >= 400);
    }
}

static void test_error_unknown_status_is_a_failure(void **state)
{
    (void)state;
    const memo_status unknown[] = {(memo_status)(MEMO_ERR_DEADLINE + 1), (memo_status)-1};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(memo_status_name(unknown[i]), "unknown");
        assert_int_equal(memo_status_exit_code(unknown[i]), 1);
        assert_int_equal(memo_status_http(unknown[i]), 500);
    }
}

static void test_error_fail_fills_status_and_message(void **state)
{
    (void)state;
    memo_err err = {.hint = "old"};
    assert_int_equal(memo_fail(&err, MEMO_ERR_FORMAT, "%s: has %d", "a", 7), MEMO_ERR_FORMAT);
    assert_int_equal(err.status, MEMO_ERR_FORMAT);
    assert_string_equal(err.message, "a: has 7");
    assert_string_equal(err.hint, "");
    assert_int_equal(memo_hint(&err, MEMO_ERR_FORMAT, "run %s", "it"), MEMO_ERR_FORMAT);
    assert_string_equal(err.hint, "run it");
    assert_string_equal(err.message, "a: has 7");
    assert_int_equal(memo_fail(NULL, MEMO_ERR_IO, "x"), MEMO_ERR_IO);
    assert_int_equal(memo_hint(NULL, MEMO_ERR_IO, "x"), MEMO_ERR_IO);
}

static void test_error_message_may_contain_itself(void **state)
{
    (void)state;
    memo_err err = {0};
    memo_fail(&err, MEMO_ERR_IO, "inner");
    memo_fail(&err, err.status, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

/* A three-byte character at every place around the end of the field: whole or absent. */
static void test_error_long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    const size_t cap = sizeof((memo_err){0}.message);
    for (size_t lead = cap - 8; lead < cap + 4; lead++) {
        char text[600];
        memo_err err = {0};
        memset(text, 'x', lead);
        strcpy(text + lead, "\xE2\x82\xAC and more");
        memo_fail(&err, MEMO_ERR_IO, "%s", text);
        size_t n = strlen(err.message), whole = lead + 3 <= cap - 1 ? cap - 1 : lead;
        assert_int_equal(n, whole < cap - 1 ? whole : cap - 1);
        assert_memory_equal(err.message, text, n);
    }
}

static void test_error_message_is_printable(void **state)
{
    (void)state;
    memo_err err = {0};
    memo_fail(&err, MEMO_ERR_IO, "a\x1B[2J\xFF\xC3(b)\n\tc\x7F\xC2\x9B \xC3\xA9 \xED\xA0\x80");
    assert_string_equal(err.message, "a?[2J?"
                                     "?(b)\n\tc?? \xC3\xA9 ???");
}

static void test_error_errno_names_path_action_and_reason(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_int_equal(memo_fail_errno(&err, ENOENT, "x/y", "open"), MEMO_ERR_IO);
    assert_string_equal(err.message, "x/y: cannot open: No such file or directory");
    assert_int_equal(memo_fail_errno(&err, ENOMEM, "x/y", "map"), MEMO_ERR_NOMEM);
    assert_int_equal(memo_fail_nomem(&err, "a table", 1234), MEMO_ERR_NOMEM);
    assert_contains(err.message, "a table needs 1234 bytes");
}

typedef struct sample_options {
    size_t size;
    int a;
    int b;
} sample_options;

typedef struct newer_options {
    sample_options known;
    int64_t c;
} newer_options;

static void test_error_options_default_to_zero(void **state)
{
    (void)state;
    memo_err err = {0};
    sample_options o = {1, 2, 3};
    assert_memo_ok(memo_options_copy(&o, sizeof o, NULL, "o", &err), err);
    assert_int_equal(o.size, sizeof o);
    assert_int_equal(o.a, 0);
    assert_int_equal(o.b, 0);
}

static void test_error_options_of_other_versions(void **state)
{
    (void)state;
    memo_err err = {0};
    sample_options o;
    newer_options newer = {.known = {sizeof newer, 5, 6}};
    assert_memo_ok(memo_options_copy(&o, sizeof o, &newer, "o", &err), err);
    assert_int_equal(o.size, sizeof o);
    assert_int_equal(o.b, 6);
    newer.c = (int64_t)1 << 56; /* only the last byte, whatever the byte order, is set or is not */
    assert_memo_status(memo_options_copy(&o, sizeof o, &newer, "o", &err), MEMO_ERR_UNSUPPORTED,
                       err);
    sample_options older = {offsetof(sample_options, b), 5, 6}; /* b is not its own */
    assert_memo_ok(memo_options_copy(&o, sizeof o, &older, "o", &err), err);
    assert_int_equal(o.a, 5);
    assert_int_equal(o.b, 0);
}

static void test_error_options_without_size(void **state)
{
    (void)state;
    memo_err err = {0};
    sample_options o, unset = {0, 1, 2};
    assert_memo_status(memo_options_copy(&o, sizeof o, &unset, "sample_options", &err),
                       MEMO_ERR_USAGE, err);
    assert_contains(err.message, "sizeof(sample_options)");
    unset.size = SIZE_MAX; /* storage that was never set */
    assert_memo_status(memo_options_copy(&o, sizeof o, &unset, "sample_options", &err),
                       MEMO_ERR_USAGE, err);
}

static void test_error_version_is_that_of_the_header(void **state)
{
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", MEMO_VERSION_MAJOR, MEMO_VERSION_MINOR,
             MEMO_VERSION_PATCH);
    assert_string_equal(memo_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_status_table_is_complete),
        cmocka_unit_test(test_error_unknown_status_is_a_failure),
        cmocka_unit_test(test_error_fail_fills_status_and_message),
        cmocka_unit_test(test_error_message_may_contain_itself),
        cmocka_unit_test(test_error_long_message_is_cut_at_a_character),
        cmocka_unit_test(test_error_message_is_printable),
        cmocka_unit_test(test_error_errno_names_path_action_and_reason),
        cmocka_unit_test(test_error_options_default_to_zero),
        cmocka_unit_test(test_error_options_of_other_versions),
        cmocka_unit_test(test_error_options_without_size),
        cmocka_unit_test(test_error_version_is_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
