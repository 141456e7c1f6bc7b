// SPDX-License-Identifier: Apache-2.0
/* Encoding: ids and offsets of awkward texts, added tokens, bad UTF-8, linear time. The expected
 * ids of the fixture's vocabulary were given by the reference (the Python package tokenizers). */
#include "tokenizer_fixture.h"

#include "base/ctx.h"

static fixture uncased, cased;

typedef struct text_case {
    const char *text, *ids;
} text_case;

static void check_cases(const fixture *f, const text_case *cases, size_t n, unsigned flags)
{
    for (size_t i = 0; i < n; i++) {
        const char *ids = fixture_encode(f, cases[i].text, strlen(cases[i].text), flags);
        if (strcmp(ids, cases[i].ids) != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", cases[i].text, ids, cases[i].ids);
    }
}
#define CHECK_CASES(f, cases, flags) check_cases(f, cases, sizeof cases / sizeof *cases, flags)

static void test_tokenizer_words_and_offsets(void **state)
{
    static const text_case cases[] = {
        {"", ""},
        {" \t\r\n ", ""},
        {"\x01\x02\xE2\x80\x8B", ""}, /* only controls and a format character */
        {"Hello, WORLD.", "5:0-5 13:5-6 6:7-12 12:12-13"},
        {"unwanted", "7:0-2 8:2-6 9:6-8"},
        {"unwantedx hello", "1:0-9 5:10-15"},
        {"caf\xC3\xA9 x", "14:0-5 1:6-7"},  /* precomposed */
        {"cafe\xCC\x81 x", "14:0-4 1:7-8"}, /* decomposed: the mark is aligned with nothing */
        {"hello\xE4\xB8\xADhello", "5:0-5 15:5-8 5:8-13"},
        {"he\x01llo", "5:0-6"},                     /* a control inside a word is not there */
        {"hello\xC2\xA0world", "5:0-5 6:7-12"},     /* no-break space */
        {"hello\xE2\x80\xA8world", "5:0-5 6:8-13"}, /* U+2028 */
        {"hello\r\nworld", "5:0-5 6:7-12"},
        {"\xEF\xBB\xBFhello", "5:3-8"},    /* byte order mark */
        {"\xEF\xBF\xBDhello", "5:3-8"},    /* U+FFFD is dropped */
        {"\xEF\xBF\xBE", "1:0-3"},         /* U+FFFE is not */
        {"\xC4\xB0", "18:0-2"},            /* Turkish dotted I */
        {"\xC3\x9F", "17:0-2"},            /* sharp s stays */
        {"\xEF\xBC\x91", "1:0-3"},         /* full-width digit: no compatibility forms */
        {"\xEA\xB0\x80", "26:0-3 27:0-3"}, /* Hangul syllable becomes two jamo */
        {"\xCD\xB8", "1:0-2"},             /* unassigned: kept */
        {"\xF0\x9F\x98\x80", "1:0-4"},
        {"##ed", "1:0-1 1:1-2 1:2-4"}, /* typed '#' never continues a word */
    };

    (void)state;
    CHECK_CASES(&uncased, cases, MEMO_ENCODE_OFFSETS);
}

static void test_tokenizer_cased(void **state)
{
    static const text_case cases[] = {{"hello Hello", "5 1"},
                                      {"caf\xC3\xA9", "28"},
                                      {"cafe\xCC\x81", "1"}, /* no normal form without stripping */
                                      {"MASK", "29"}};

    (void)state;
    CHECK_CASES(&cased, cases, 0);
}

static void test_tokenizer_nul_is_kept_in_the_text(void **state)
{
    (void)state;
    assert_string_equal(fixture_encode(&uncased, "hello\0world hello", 17, MEMO_ENCODE_OFFSETS),
                        "1:0-11 5:12-17"); /* clean_text drops the NUL: one word */
}

static void test_tokenizer_specials_in_text(void **state)
{
    static const text_case by_default[] = {
        {"[CLS]", "2:0-5"},
        {"hello[SEP]world", "5:0-5 3:5-10 6:10-15"},
        {"[PAD][PAD]", "0:0-5 0:5-10"},
        {"[cls]", "21:0-1 23:1-3 24:3-4 22:4-5"},
        {"[CLS", "21:0-1 23:1-3 24:3-4"},
    };
    static const text_case safely[] = {
        {"[CLS]", "21:0-1 23:1-3 24:3-4 22:4-5"},
        {"hello[MASK]", "5:0-5 21:5-6 25:6-10 22:10-11"},
        {"zzz", "1:0-3"}, /* the unknown token is still there */
    };

    (void)state;
    CHECK_CASES(&uncased, by_default, MEMO_ENCODE_OFFSETS);
    CHECK_CASES(&uncased, safely, MEMO_ENCODE_OFFSETS | MEMO_ENCODE_SAFE);
}

/* A special token that is an ordinary word of the vocabulary too. */
static void test_tokenizer_safe_mode_masks_vocabulary(void **state)
{
    static const char json[] =
        FIXTURE_JSON(FIXTURE_ADDED("MASK", 29, FIXTURE_SPECIAL), FIXTURE_BERT("false", "null"),
                     "null", FIXTURE_MODEL(FIXTURE_VOCAB));
    fixture f;

    (void)state;
    assert_int_equal(fixture_open(json, &f, NULL), MEMO_OK);
    assert_string_equal(fixture_encode(&f, "MASK a", 6, 0), "29 10");
    assert_string_equal(fixture_encode(&f, "MASK a", 6, MEMO_ENCODE_SAFE), "1 10");
    fixture_close(&f);
}

static void test_tokenizer_added_token_flags(void **state)
{
    static const char json[] = FIXTURE_JSON(
        FIXTURE_ADDED("one", 30, FIXTURE_FLAGS(true, false, false, false, false)) "," FIXTURE_ADDED("<l>", 31, FIXTURE_FLAGS(false, true, false, false, false)) "," FIXTURE_ADDED(
            "<r>", 32,
            FIXTURE_FLAGS(
                false, false, true, false,
                false)) "," FIXTURE_ADDED("\xC3\x89t\xC3\xA9", 33,
                                          FIXTURE_FLAGS(
                                              false, false, false, true,
                                              false)) "," FIXTURE_ADDED("<rest>", 34,
                                                                        FIXTURE_FLAGS(
                                                                            false, false, false,
                                                                            false,
                                                                            false)) "," FIXTURE_ADDED("a b",
                                                                                                      35,
                                                                                                      FIXTURE_FLAGS(
                                                                                                          true,
                                                                                                          true,
                                                                                                          true,
                                                                                                          true,
                                                                                                          false)),
        FIXTURE_BERT("true", "null"), "null", FIXTURE_MODEL(FIXTURE_VOCAB));
    static const text_case cases[] = {
        {"one", "30:0-3"},
        {"one hello one", "30:0-3 5:4-9 30:10-13"},
        {"oneone", "1:0-6"}, /* the first is discarded and its text consumed; so is the second */
        {"one_", "1:0-3 1:3-4"}, /* '_' is a word character */
        {"one.", "30:0-3 12:3-4"},
        {"\xC3\xA9one", "1:0-5"},
        {"hello  <l>  hello", "5:0-5 31:5-10 5:12-17"},
        {"hello  <r>  hello", "5:0-5 32:7-12 5:12-17"},
        {"hello <r> <l> hello", "5:0-5 32:6-10 31:10-13 5:14-19"},
        {"<rest><r>", "34:0-6 32:6-9"}, /* longest first */
        {"un\xC3\xA9t\xC3\x89"
         "ed",
         "7:0-2 33:2-7 1:7-9"}, /* found in any spelling */
        {"ETE ete", "33:0-3 33:4-7"},
        {"hello A  B", "5:0-5 10:6-7 1:9-10"},
        {"hello A B hello", "5:0-5 35:5-10 5:10-15"},
        {"xA B", "1:0-2 1:3-4"},
    };
    fixture f;
    memo_err err = {0};

    (void)state;
    if (fixture_open(json, &f, &err))
        fail_msg("%s", err.message);
    CHECK_CASES(&f, cases, MEMO_ENCODE_OFFSETS);
    fixture_close(&f);
}

static void test_tokenizer_invalid_utf8(void **state)
{
    static const struct {
        const char *text, *says, *replaced;
    } cases[] = {
        {"hello \x80", "byte 6 (0x80)", "5:0-5"},
        {"hello \xC0\xAFworld", "byte 6 (0xC0)",
         "5:0-5 6:8-13"}, /* U+FFFD is dropped by clean_text */
        {"hello\xED\xA0\x80 world", "byte 5", "5:0-5 6:9-14"},
        {"\xF4\x90\x80\x80 a", "byte 0", "10:5-6"},
        {"a \xE2\x82", "byte 2", "10:0-1"},
        {"hel\xFFlo world", "byte 3", "5:0-6 6:7-12"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].text);
        memo_token_list list = {0};
        memo_err err = {0};
        assert_int_equal(memo_tokenizer_encode(uncased.tokenizer, cases[i].text, n, 0, &list, &err),
                         MEMO_ERR_VALUE);
        assert_int_equal(list.n, 0);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
        assert_string_equal(fixture_encode(&uncased, cases[i].text, n,
                                           MEMO_ENCODE_REPLACE_INVALID | MEMO_ENCODE_OFFSETS),
                            cases[i].replaced);
    }
}

static void test_tokenizer_list_grows_and_keeps_offsets(void **state)
{
    memo_token_list list = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            memo_tokenizer_encode(uncased.tokenizer, "hello world", 11, 0, &list, NULL), MEMO_OK);
    assert_int_equal(list.n, 200);
    assert_null(list.offsets);
    assert_int_equal(
        memo_tokenizer_encode(uncased.tokenizer, " a", 2, MEMO_ENCODE_OFFSETS, &list, NULL),
        MEMO_OK);
    assert_int_equal(list.n, 201);
    assert_int_equal(list.ids[0], 5);
    assert_int_equal(list.ids[200], 10);
    assert_int_equal(list.offsets[200][0], 1);
    assert_int_equal(list.offsets[200][1], 2);
    memo_token_list_fini(&list);
}

static void test_tokenizer_accessors(void **state)
{
    const uint32_t *ids;
    size_t n = 0;

    (void)state;
    assert_int_equal(memo_tokenizer_vocab_size(uncased.tokenizer), 30);
    assert_int_equal(memo_tokenizer_prefix(uncased.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 2);
    assert_int_equal(memo_tokenizer_suffix(uncased.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 3);
    assert_memory_equal(memo_tokenizer_token(uncased.tokenizer, 8, &n), "##want", 6);
    assert_int_equal(n, 6);
    assert_null(memo_tokenizer_token(uncased.tokenizer, 30, &n));
    memo_tokenizer_close(NULL);
}

/* -- linear time ------------------------------------------------------------------------------ */

static double encode_ms(const fixture *f, const char *text, size_t n, size_t *n_tokens)
{
    memo_token_list list = {0};
    double start = memo_monotonic_ms();

    assert_int_equal(memo_tokenizer_encode(f->tokenizer, text, n, MEMO_ENCODE_OFFSETS, &list, NULL),
                     MEMO_OK);
    double ms = memo_monotonic_ms() - start;
    *n_tokens = list.n;
    memo_token_list_fini(&list);
    return ms;
}

/* `piece` over and over, n bytes at most. */
static char *repeated(const char *piece, size_t n, size_t *n_bytes)
{
    size_t step = strlen(piece);
    char *text = malloc(n + 1);

    assert_non_null(text);
    for (*n_bytes = 0; *n_bytes + step <= n; *n_bytes += step)
        memcpy(text + *n_bytes, piece, step);
    return text;
}

static void test_tokenizer_long_texts_are_linear(void **state)
{
    static const struct {
        const char *piece;
        size_t n_tokens; /* of 1 MiB */
    } cases[] = {
        {"a", 1},        /* one word of a million letters */
        {"\xC3\xA9", 1}, /* the same, not ASCII */
        {" ", 0},
        {"a ", 524288},
        {".", 1048576},
        {"\xE4\xB8\xAD", 349525},
        {"\xF0\x9F\x98\x80", 1}, /* emoji run together as one word */
        {"\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 ", 55188},
        {"\xCC\x81\xCC\xA3", 0},             /* marks of two classes that all change places */
        {"\xE1\xAD\x84\xCC\x81\xCC\xB4", 1}, /* among them one that is kept */
        {"[", 1048576},
        {"[CLS", 786432}, /* nearly a special token */
        {"[CLS]", 209715},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n, n_tokens;
        char *text = repeated(cases[i].piece, 1 << 20, &n);
        double ms = encode_ms(&uncased, text, n, &n_tokens);
        if (n_tokens != cases[i].n_tokens || ms > 1000)
            fail_msg("\"%s\" repeated: %zu tokens, expected %zu; %.0f ms", cases[i].piece, n_tokens,
                     cases[i].n_tokens, ms);
        free(text);
    }
}

static void test_tokenizer_marks_on_one_base(void **state)
{
    size_t n, n_tokens;
    char *text = repeated("\xCC\x81\xCC\xA3\xCC\xB4", 20002, &n); /* 10,000 marks */

    (void)state;
    text[0] = 'a';
    text[1] = ' ';
    assert_true(encode_ms(&uncased, text, n, &n_tokens) < 1000);
    assert_int_equal(n_tokens, 1);
    free(text);
}

static void test_tokenizer_every_allocation_can_fail(void **state)
{
    /* Marks that reorder, a long word, many tokens, bad bytes: each path that allocates. */
    char text[2000] = "hello \xE1\xAD\x84\xCC\x81\xCC\xB4 \xFF ";
    int64_t live = memo_alloc_live();

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(text, i % 3 ? "a.\xCC\x81" : "\xC3\xA9z ");
    for (int k = 0; k < 40; k++)
        strcat(text, "\xCC\x81\xCC\xA3");
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        for (uint64_t n = 1; status; n++) {
            memo_token_list list = {0};
            memo_alloc_fail_at(n, sticky);
            status = memo_tokenizer_encode(uncased.tokenizer, text, strlen(text),
                                           MEMO_ENCODE_OFFSETS | MEMO_ENCODE_REPLACE_INVALID, &list,
                                           NULL);
            memo_alloc_fail_at(0, 0);
            assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
            assert_true(status == MEMO_OK ? list.n > 100 : list.n == 0);
            assert_true(n < 100);
            memo_token_list_fini(&list);
            assert_int_equal(memo_alloc_live(), live);
        }
    }
}

static int open_fixtures(void **state)
{
    static const char cased_json[] = FIXTURE_JSON(FIXTURE_SPECIALS, FIXTURE_BERT("false", "null"),
                                                  FIXTURE_TEMPLATE, FIXTURE_MODEL(FIXTURE_VOCAB));

    (void)state;
    return fixture_open(FIXTURE_UNCASED, &uncased, NULL) || fixture_open(cased_json, &cased, NULL);
}

static int close_fixtures(void **state)
{
    (void)state;
    fixture_close(&uncased);
    fixture_close(&cased);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_words_and_offsets),
        cmocka_unit_test(test_tokenizer_cased),
        cmocka_unit_test(test_tokenizer_nul_is_kept_in_the_text),
        cmocka_unit_test(test_tokenizer_specials_in_text),
        cmocka_unit_test(test_tokenizer_safe_mode_masks_vocabulary),
        cmocka_unit_test(test_tokenizer_added_token_flags),
        cmocka_unit_test(test_tokenizer_invalid_utf8),
        cmocka_unit_test(test_tokenizer_list_grows_and_keeps_offsets),
        cmocka_unit_test(test_tokenizer_accessors),
        cmocka_unit_test(test_tokenizer_long_texts_are_linear),
        cmocka_unit_test(test_tokenizer_marks_on_one_base),
        cmocka_unit_test(test_tokenizer_every_allocation_can_fail),
    };
    return cmocka_run_group_tests(tests, open_fixtures, close_fixtures);
}
