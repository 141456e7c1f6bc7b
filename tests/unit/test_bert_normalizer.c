// SPDX-License-Identifier: Apache-2.0
/* The stream of normalized characters: code points and what they are aligned with, as given by the
 * reference (tools/compare_tokenizer.py compares all of Unicode; these are the knots). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "text/bert_normalizer.h"

/* "61:0-1 1B44:1-3"; spaces of the text are left out. NULL when out of memory. */
static const char *normalized(const char *text, size_t n, unsigned flags)
{
    static char out[4096];
    memo_bert_stream stream;
    memo_bert_char c;
    size_t at = 0;
    int more;

    out[0] = '\0';
    memo_bert_begin(&stream, flags, text, 0, n);
    while ((more = memo_bert_next(&stream, &c)) > 0) {
        if (c.cp != ' ' && at < sizeof out - 60)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%X:%u-%u", at ? " " : "",
                                   (unsigned)c.cp, c.begin, c.end);
    }
    memo_bert_end(&stream);
    return more < 0 ? NULL : out;
}

static void check(const char *text, unsigned flags, const char *expected)
{
    const char *got = normalized(text, strlen(text), flags);

    if (!got || strcmp(got, expected) != 0)
        fail_msg("\"%s\": \"%s\", expected \"%s\"", text, got ? got : "(no memory)", expected);
}

static void test_bert_normalizer_aligns_as_the_reference(void **state)
{
    (void)state;
    /* U+1B44 is a mark that stays (spacing, class 9): it moves before the acute accent and takes
     * that place's alignment. */
    check("a\xCC\x81\xE1\xAD\x84", MEMO_BERT_ALL, "61:0-1 1B44:1-3");
    check("\xC3\xA9\xE1\xAD\x84\xCC\xA3", MEMO_BERT_ALL, "65:0-2 1B44:2-5");
    check("\xE1\xAD\x84\xCC\x81\xCC\xB4x", MEMO_BERT_ALL, "1B44:3-5 78:7-8");
    check("\xCD\x84\xE1\xAD\x84", MEMO_BERT_ALL, "1B44:0-2");
    check("a\xE2\x80\x8B\xCC\x81\xE1\xAD\x84"
          "b",
          MEMO_BERT_ALL, "61:0-1 1B44:4-6 62:9-10");
    check("\xEA\xB0\x81\xE3\x80\xAE", MEMO_BERT_ALL, "1100:0-3 1161:0-3 11A8:0-3 302E:3-6");
    check("\xC4\xB0I\xCC\x87", MEMO_BERT_ALL, "69:0-2 69:2-3");
    check("\xEF\xA4\x80"
          "a",
          MEMO_BERT_ALL, "8C48:0-3 61:3-4");
    check("\xE2\x84\xA6\xE2\x84\xAB", MEMO_BERT_ALL, "3C9:0-3 61:3-6");
    check("\xE1\xBA\x9E\xC3\x9F", MEMO_BERT_ALL, "DF:0-3 DF:3-5");
}

static void test_bert_normalizer_each_flag_alone(void **state)
{
    (void)state;
    check("\xC4\xB0", MEMO_BERT_LOWER, "69:0-2 307:0-2"); /* two characters of one */
    check("\xC3\x89\xCC\x81", MEMO_BERT_LOWER, "E9:0-2 301:2-4");
    check("\xC3\x89\xCC\x81", MEMO_BERT_STRIP, "45:0-2");
    check("A\x01\xE2\x80\x8B\xEF\xBF\xBD", MEMO_BERT_CLEAN, "41:0-1");
    check("A\x01\xE2\x80\x8B", 0, "41:0-1 1:1-2 200B:2-5");
    check("\t\xC2\xA0\xE2\x80\xA8", MEMO_BERT_CLEAN, ""); /* all become spaces */
    check("\t", 0, "9:0-1");
}

static void test_bert_normalizer_spaces_around_cjk(void **state)
{
    memo_bert_stream stream;
    memo_bert_char c;
    uint32_t got[8] = {0};
    size_t n = 0;

    (void)state;
    memo_bert_begin(&stream, MEMO_BERT_CJK, "a\xE4\xB8\xAD", 0, 4);
    while (n < 8 && memo_bert_next(&stream, &c) > 0) {
        got[n++] = c.cp;
        assert_int_equal(c.begin, c.cp == 'a' ? 0 : 1);
        assert_int_equal(c.end, c.cp == 'a' ? 1 : 4);
    }
    memo_bert_end(&stream);
    assert_int_equal(n, 4);
    assert_int_equal(got[1], ' ');
    assert_int_equal(got[2], 0x4E2D);
    assert_int_equal(got[3], ' ');
}

static void test_bert_normalizer_every_allocation_can_fail(void **state)
{
    char text[500] = "a";
    int64_t live = memo_alloc_live();
    const char *got = NULL;

    (void)state;
    for (int i = 0; i < 40; i++) /* more marks than are held without memory, to be reordered */
        strcat(text, "\xCC\x81\xCC\xB4\xE1\xAD\x84");
    for (uint64_t n = 1; !got; n++) {
        memo_alloc_fail_at(n, 0);
        got = normalized(text, strlen(text), MEMO_BERT_ALL);
        memo_alloc_fail_at(0, 0);
        assert_true(n < 20);
        assert_int_equal(memo_alloc_live(), live);
    }
    /* The i-th of 40 spacing marks follows the i overlays before it: classes 1, 9, then 230. */
    assert_memory_equal(got, "61:0-1 1B44:", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert_normalizer_aligns_as_the_reference),
        cmocka_unit_test(test_bert_normalizer_each_flag_alone),
        cmocka_unit_test(test_bert_normalizer_spaces_around_cjk),
        cmocka_unit_test(test_bert_normalizer_every_allocation_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
