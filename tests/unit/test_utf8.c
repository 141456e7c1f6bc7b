// SPDX-License-Identifier: Apache-2.0
/* Strict UTF-8: every code point, every malformed shape, and the cuts that messages and chunks use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void test_utf8_every_code_point_round_trips(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char bytes[8] = {0};
        uint32_t back = 0xFFFFFFFF;
        size_t n = memo_utf8_encode(cp, bytes);
        size_t expected = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

        assert_int_equal(n, expected);
        if (cp >= 0xD800 && cp <= 0xDFFF) { /* a surrogate is no character */
            assert_int_equal(memo_utf8_decode(bytes, n, &back), 0);
            assert_int_equal(memo_utf8_check(bytes, n), 0);
            continue;
        }
        assert_int_equal(memo_utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, cp);
        assert_int_equal(memo_utf8_check(bytes, n), n);
        for (size_t cut = 1; cut < n; cut++) {
            assert_int_equal(memo_utf8_decode(bytes, cut, &back), 0);
            assert_int_equal(memo_utf8_bad_length(bytes, cut), cut);
        }
    }
}

static void test_utf8_check_names_first_bad_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t n, bad, bad_length;
    } cases[] = {
        {"abc\x80", 4, 3, 1},            /* lone continuation */
        {"abcdefgh\xC0\xAF", 10, 8, 1},  /* overlong slash */
        {"\xE0\x80\xAF", 3, 0, 1},       /* overlong in three */
        {"\xF0\x80\x80\xAF", 4, 0, 1},   /* overlong in four */
        {"a\xED\xA0\x80", 4, 1, 1},      /* surrogate */
        {"ab\xF4\x90\x80\x80", 6, 2, 1}, /* above U+10FFFF */
        {"ab\xF5\x80\x80\x80", 6, 2, 1}, /* never a lead */
        {"\xFF", 1, 0, 1},               /* never a lead */
        {"x\xE2\x82", 3, 1, 2},          /* cut at the end */
        {"x\xF0\x9F\x98", 4, 1, 3},      /* cut at the end */
        {"x\xE2\x82x", 4, 1, 2},         /* maximal subpart, then ASCII */
        {"0123456789abcde\xF0\x9F\x98\x80\xFE", 20, 19, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(memo_utf8_check(cases[i].bytes, cases[i].n), cases[i].bad);
        assert_int_equal(
            memo_utf8_bad_length(cases[i].bytes + cases[i].bad, cases[i].n - cases[i].bad),
            cases[i].bad_length);
    }
    assert_int_equal(memo_utf8_check("", 0), 0);
    assert_int_equal(memo_utf8_check("a\0b", 3), 3); /* NUL is a character like any other */
}

/* Every pair of bytes: decode accepts exactly what the definition (by value) accepts. */
static void test_utf8_every_two_bytes(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            char bytes[2] = {(char)a, (char)b};
            uint32_t cp = 0;
            size_t n = memo_utf8_decode(bytes, 2, &cp);
            int two = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
            assert_int_equal(n, a < 0x80 ? 1 : two ? 2 : 0);
            if (two)
                assert_int_equal(cp, (a & 0x1F) * 64 + (b & 0x3F));
        }
    }
}

static void test_utf8_floor_never_splits(void **state)
{
    const char *s = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"; /* lengths 1 2 3 4 1 */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)state;
    for (size_t at = 0; at < sizeof expected / sizeof *expected; at++)
        assert_int_equal(memo_utf8_floor(s, 11, at), expected[at]);
    assert_int_equal(memo_utf8_floor("", 0, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_every_code_point_round_trips),
        cmocka_unit_test(test_utf8_check_names_first_bad_byte),
        cmocka_unit_test(test_utf8_every_two_bytes),
        cmocka_unit_test(test_utf8_floor_never_splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
