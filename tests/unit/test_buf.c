// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/rng.h"

static void test_buf_appends_and_stays_terminated(void **state)
{
    (void)state;
    memo_buf buf = {0};
    memo_buf_puts(&buf, "ab");
    memo_buf_putc(&buf, 'c');
    memo_buf_append(&buf, "d\0e", 3);
    assert_int_equal(buf.n, 6);
    assert_memory_equal(buf.data, "abcd\0e", 7);
    memo_buf_clear(&buf);
    assert_string_equal(buf.data, "");
    assert_int_equal(buf.n, 0);
    memo_buf_fini(&buf);
    assert_null(buf.data);
}

/* Lengths around the buffer on the stack and around each growth. */
static void test_buf_printf_of_every_length(void **state)
{
    (void)state;
    char expected[600];
    for (int width = 1; width < 520; width++) {
        memo_buf buf = {0};
        memo_buf_puts(&buf, "<");
        memo_buf_printf(&buf, "%*d", width, 7);
        snprintf(expected, sizeof expected, "<%*d", width, 7);
        assert_string_equal(buf.data, expected);
        assert_int_equal(buf.n, width + 1);
        memo_buf_fini(&buf);
    }
}

static void test_buf_json_escapes(void **state)
{
    (void)state;
    memo_buf buf = {0};
    const char text[] = "a\"\\/\b\t\n\v\f\r\x01\x7F\0\xC3\xA9\xFF\xE2\x82";
    memo_buf_put_json(&buf, text, sizeof text - 1);
    assert_string_equal(buf.data, "\"a\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0001\\u007f\\u0000\xC3\xA9"
                                  "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    memo_buf_fini(&buf);
}

/* jansson is the judge: every byte string gives valid JSON, and valid UTF-8 comes back unchanged. */
static void test_buf_json_of_random_bytes_parses(void **state)
{
    (void)state;
    memo_rng rng;
    memo_rng_init(&rng, 1);
    for (int round = 0; round < 5000; round++) {
        char bytes[24];
        size_t n = memo_rng_below(&rng, sizeof bytes);
        unsigned mask = round & 1 ? 0xFF : 0x7F; /* half of them plain ASCII */
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(memo_rng_u64(&rng) & mask);
        memo_buf buf = {0};
        memo_buf_put_json(&buf, bytes, n);
        json_t *json = json_loadb(buf.data, buf.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        if (mask == 0x7F) {
            assert_int_equal(json_string_length(json), n);
            assert_memory_equal(json_string_value(json), bytes, n);
        }
        json_decref(json);
        memo_buf_fini(&buf);
    }
}

static void test_buf_take_gives_the_string_away(void **state)
{
    (void)state;
    memo_buf buf = {0};
    char *empty = memo_buf_take(&buf);
    assert_string_equal(empty, "");
    memo_free(empty);
    memo_buf_puts(&buf, "text");
    char *text = memo_buf_take(&buf);
    assert_string_equal(text, "text");
    assert_null(buf.data);
    memo_free(text);
}

static void test_buf_impossible_growth_fails_and_stays_failed(void **state)
{
    (void)state;
    memo_buf buf = {0};
    memo_buf_puts(&buf, "x");
    assert_null(memo_buf_reserve(&buf, SIZE_MAX));
    assert_null(memo_buf_reserve(&buf, SIZE_MAX - 1));
    memo_buf_puts(&buf, "y");
    assert_int_equal(buf.n, 1);
    assert_null(memo_buf_take(&buf));
    assert_int_equal(buf.failed, 0);
}

static memo_status sweep_buf(void *user, memo_err *err)
{
    (void)user;
    memo_buf buf = {0};
    for (int i = 0; i < 50; i++)
        memo_buf_printf(&buf, "%0200d", i);
    char *text = memo_buf_take(&buf);
    if (!text)
        return memo_fail_nomem(err, "a text", 0);
    assert_int_equal(strlen(text), 50 * 200);
    memo_free(text);
    return MEMO_OK;
}

static void test_buf_survives_allocation_failures(void **state)
{
    (void)state;
    assert_true(memo_test_alloc_sweep(sweep_buf, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_appends_and_stays_terminated),
        cmocka_unit_test(test_buf_printf_of_every_length),
        cmocka_unit_test(test_buf_json_escapes),
        cmocka_unit_test(test_buf_json_of_random_bytes_parses),
        cmocka_unit_test(test_buf_take_gives_the_string_away),
        cmocka_unit_test(test_buf_impossible_growth_fails_and_stays_failed),
        cmocka_unit_test(test_buf_survives_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
