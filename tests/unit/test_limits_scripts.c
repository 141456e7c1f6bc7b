// SPDX-License-Identifier: Apache-2.0
/* Tokens of awkward texts, by number.
 *
 *   171  test_limits_171_time_is_linear
 *   173  test_limits_173_scripts
 *   176  test_limits_176_spellings
 *   177  test_limits_177_outside_the_vocabulary
 *   178  test_limits_178_marks_and_line_ends
 *
 * The ids were given by the reference (the Python package tokenizers 0.23.3) for the vocabulary
 * below; golden_tokenizer.c compares whole files of such texts over published vocabularies. What the
 * model and the store make of these texts is in test_limits_text.c. */
#include "limits_gauge.h"
#include "repeat_text.h"
#include "tokenizer_fixture.h"

/* ---- ids of the reference -------------------------------------------------------------------- */

/* In the order of their ids: special tokens, Latin, Hebrew, Arabic, Thai, ideographs, Hangul jamo,
 * Cyrillic, Greek, Devanagari, and characters with a compatibility form. */
static const char *const scripts_vocab[] = {
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "abc",
    "a",
    "##b",
    "##c",
    "b",
    "c",
    "e",
    "##e",
    "1",
    "##2",
    "i",
    "##i",
    "s",
    "##s",
    "##t",
    "##r",
    "##a",
    "\xc3\x9f",
    "##\xc3\x9f",
    "fi",
    "##\xcc\x87",
    "\xd7\xa9",
    "##\xd7\x9c",
    "##\xd7\x95",
    "##\xd7\x9d",
    "\xd9\x85",
    "##\xd8\xb1",
    "##\xd8\xad",
    "##\xd8\xa8",
    "##\xd8\xa7",
    "\xe0\xb8\xaa",
    "##\xe0\xb8\xa7",
    "##\xe0\xb8\xaa",
    "##\xe0\xb8\x94",
    "\xe6\x9d\xb1",
    "\xe4\xba\xac",
    "\xe1\x84\x80",
    "##\xe1\x85\xa1",
    "##\xe1\x86\xa8",
    "##\xe1\x84\x80",
    "\xd0\xbc",
    "##\xd0\xb8",
    "##\xd1\x80",
    "\xce\xbb",
    "##\xce\xbf",
    "##\xce\xb3",
    "\xe0\xa4\xa8",
    "##\xe0\xa4\xae",
    "##\xe0\xa4\xb8",
    "##\xe0\xa4\xa4",
    "##\xe0\xa4\xbe",
    "\xcf\x89",
    "\xef\xbc\x91",
    "##\xef\xbc\x92",
    "\xc4\xb1",
    ".",
};

typedef struct id_case {
    const char *text, *ids;
} id_case;

static fixture scripts;

static int open_scripts(void **state)
{
    char vocab[4096], json[8192];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof scripts_vocab / sizeof *scripts_vocab; i++)
        n += (size_t)snprintf(vocab + n, sizeof vocab - n, "%s\"%s\":%zu", i ? "," : "",
                              scripts_vocab[i], i);
    snprintf(
        json, sizeof json,
        FIXTURE_JSON(FIXTURE_SPECIALS, FIXTURE_BERT("true", "null"), "null", FIXTURE_MODEL("%s")),
        vocab);
    return fixture_open(json, &scripts, NULL) != MEMO_OK;
}

static int close_scripts(void **state)
{
    (void)state;
    fixture_close(&scripts);
    return 0;
}

static void check_ids(const id_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *ids = fixture_encode(&scripts, cases[i].text, strlen(cases[i].text), 0);
        if (strcmp(ids, cases[i].ids) != 0)
            fail_msg("\"%s\" gives \"%s\", the reference \"%s\"", cases[i].text, ids, cases[i].ids);
    }
}
#define CHECK_IDS(cases) check_ids(cases, sizeof(cases) / sizeof *(cases))

/* Right to left, bidi controls, Thai, ideographs, Hangul in both spellings, mixed scripts. */
static void test_limits_173_scripts(void **state)
{
    static const id_case cases[] = {
        {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "26 27 28 29"},
        {"\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", "30 31 32 33 34"},
        {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d abc \xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7",
         "26 27 28 29 5 30 31 32 33 34"},
        {"\xe2\x80\xae"
         "abc\xe2\x80\xac",
         "5"},
        {"\xe2\x81\xa7"
         "abc\xe2\x81\xa9",
         "5"},
        {"ab\xe2\x80\x8f"
         "c",
         "5"},
        {"\xe0\xb8\xaa\xe0\xb8\xa7\xe0\xb8\xb1\xe0\xb8\xaa\xe0\xb8\x94\xe0\xb8\xb5", "35 36 37 38"},
        {"\xe6\x9d\xb1\xe4\xba\xac", "39 40"},
        {"\xe6\x9d\xb1"
         "abc\xe4\xba\xac",
         "39 5 40"},
        {"\xea\xb0\x80\xea\xb0\x81", "41 42 44 42 43"},
        {"\xe1\x84\x80\xe1\x85\xa1\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "41 42 44 42 43"},
        {"abc\xd0\xbc\xd0\xb8\xd1\x80", "1"},
        {"abc \xd0\xbc\xd0\xb8\xd1\x80 \xce\xbb\xce\xbf\xce\xb3", "5 45 46 47 48 49 50"},
        {"\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87", "51 52 53 54"},
        {"\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 abc",
         "51 52 53 54 5"},
        {"\xd7\xa9\xd6\xb8\xd7\x9c\xd7\x95\xd7\x9d", "26 27 28 29"},
    };
    (void)state;
    CHECK_IDS(cases);
}

/* Composed and decomposed, full width, dotted and dotless i, sharp s, compatibility forms. */
static void test_limits_176_spellings(void **state)
{
    static const id_case cases[] = {
        {"\xc3\xa9", "11"},
        {"e\xcc\x81", "11"},
        {"\xc3\xa9\xc3\xa9", "11 12"},
        {"e\xcc\x81"
         "e\xcc\x81",
         "11 12"},
        {"\xef\xbc\x91\xef\xbc\x92", "57 58"},
        {"12", "13 14"},
        {"\xc4\xb0", "15"},
        {"i\xcc\x87", "15"},
        {"\xc4\xb1", "59"},
        {"I", "15"},
        {"\xc3\x9f", "22"},
        {"\xe1\xba\x9e", "22"},
        {"stra\xc3\x9f"
         "e",
         "17 19 20 21 23 12"},
        {"STRASSE", "17 19 20 21 18 18 12"},
        {"\xef\xac\x81", "1"},
        {"\xe2\x84\xab", "6"},
        {"\xc3\x85", "6"},
        {"\xe2\x84\xa6", "56"},
        {"\xcf\x89", "56"},
        {"a\xcc\x8a\xcc\xa3", "6"},
        {"a\xcc\xa3\xcc\x8a", "6"},
    };
    (void)state;
    CHECK_IDS(cases);
}

static void test_limits_177_outside_the_vocabulary(void **state)
{
    static const id_case cases[] = {
        {"\xea\x99\xae\xea\x99\xae", "1"},
        {"\xf0\x93\x80\x80\xf0\x93\x80\x81 \xf0\x9f\x98\x80", "1 1"},
        {"\xe1\x9a\xa0 \xe1\x9a\xa1", "1 1"},
        {"\xf3\xb0\x80\x80", ""},
        {"\xe2\x98\x83 \xe2\x98\x83", "1 1"},
        {"zzz", "1"},
        {"zzz. zzz", "1 60 1"},
    };
    (void)state;
    CHECK_IDS(cases);
}

/* Byte order marks, line ends of every kind, non-characters, private use. */
static void test_limits_178_marks_and_line_ends(void **state)
{
    static const id_case cases[] = {
        {"\xef\xbb\xbf"
         "abc",
         "5"},
        {"abc\xef\xbb\xbf", "5"},
        {"abc\x0d\x0a"
         "abc",
         "5 5"},
        {"abc\x0d"
         "abc",
         "5 5"},
        {"abc\xe2\x80\xa8"
         "abc",
         "5 5"},
        {"abc\xe2\x80\xa9"
         "abc",
         "5 5"},
        {"abc\xc2\x85"
         "abc",
         "5 21 7 8"},
        {"abc\xe2\x80\x8b"
         "abc",
         "5 21 7 8"},
        {"ab\xc2\xad"
         "c",
         "5"},
        {"\xef\xb7\x90", "1"},
        {"abc\xef\xbf\xbe", "1"},
        {"\xf4\x8f\xbf\xbf abc", "1 5"},
        {"\xee\x80\x80", ""},
        {"abc \xee\x80\x80", "5"},
        {"\xef\xbf\xbd", ""},
        {"\x7f", ""},
        {"abc\x1b"
         "abc",
         "5 21 7 8"},
        {"\xc2\xa0"
         "abc\xe3\x80\x80"
         "abc",
         "5 5"},
    };
    (void)state;
    CHECK_IDS(cases);
}

/* ---- linear time ----------------------------------------------------------------------------- */

static double tokenize_ms(const char *piece, size_t *n_bytes)
{
    size_t n;
    char *text = repeat_text(piece, *n_bytes, &n);
    memo_token_list list = {0};
    double start = limits_cpu_ms();
    assert_int_equal(memo_tokenizer_encode(scripts.tokenizer, text, n, 0, &list, NULL), MEMO_OK);
    double ms = limits_cpu_ms() - start;
    memo_token_list_fini(&list);
    free(text);
    *n_bytes = n;
    return ms;
}

static double one_word_ms(size_t *n_bytes)
{
    return tokenize_ms("a", n_bytes);
}

static double ideographs_ms(size_t *n_bytes)
{
    return tokenize_ms("\xe6\x9d\xb1", n_bytes);
}

static double marks_ms(size_t *n_bytes)
{
    return tokenize_ms("\xcc\x81\xcc\xa3", n_bytes);
}

static void test_limits_171_time_is_linear(void **state)
{
    (void)state;
    limits_check_linear(one_word_ms, 8 << 20, "one word");
    limits_check_linear(ideographs_ms, 8 << 20, "ideographs");
    limits_check_linear(marks_ms, 8 << 20, "marks on one base");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_171_time_is_linear),
        cmocka_unit_test(test_limits_173_scripts),
        cmocka_unit_test(test_limits_176_spellings),
        cmocka_unit_test(test_limits_177_outside_the_vocabulary),
        cmocka_unit_test(test_limits_178_marks_and_line_ends),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, open_scripts, close_scripts);
}
