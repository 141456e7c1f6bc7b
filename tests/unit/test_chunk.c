// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <time.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/chunk.h"
#include "text/words.h"
#include "tiny_model.h"

static memo_tokenizer *tokenizer;
static memo_buf tables;
static void *aligned;

static int setup(void **state)
{
    char dir[256], path[300];
    char *vocab = NULL;
    size_t n = 0;
    memo_tokenizer_notes notes;
    memo_err err = {0};
    (void)state;
    memo_test_temp_dir(dir);
    tiny_model_vocab(dir);
    snprintf(path, sizeof path, "%s/vocab.txt", dir);
    assert_memo_ok(memo_file_slurp(path, 1 << 20, &vocab, &n, &err), err);
    assert_memo_ok(memo_tokenizer_build_vocab(vocab, n, 1, "vocab.txt", &tables, &notes, &err),
                   err);
    aligned = memo_aligned_alloc(tables.n);
    memcpy(aligned, tables.data, tables.n);
    assert_memo_ok(memo_tokenizer_open(aligned, tables.n, &tokenizer, &err), err);
    memo_free(vocab);
    memo_test_remove_tree(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memo_tokenizer_close(tokenizer);
    memo_aligned_free(aligned);
    memo_buf_fini(&tables);
    return 0;
}

static memo_chunk_list cut(const char *text, size_t n, memo_chunk_options o)
{
    memo_chunk_list list = {0};
    memo_err err = {0};
    assert_memo_ok(memo_chunk_split(tokenizer, (memo_text){text, n}, &o, &list, &err), err);
    return list;
}

/* The chunks of a text, joined by "|". */
static void expect_chunks(const char *text, memo_chunk_options o, const char *wanted)
{
    memo_chunk_list list = cut(text, strlen(text), o);
    char got[4096] = "";
    for (size_t i = 0; i < list.n; i++) {
        if (i)
            strcat(got, "|");
        strncat(got, text + list.chunks[i].begin, list.chunks[i].end - list.chunks[i].begin);
    }
    assert_string_equal(got, wanted);
    memo_chunk_list_fini(&list);
}

static void test_chunk_leaves_a_short_text_whole(void **state)
{
    (void)state;
    expect_chunks("  the key\n", (memo_chunk_options){.max_tokens = 8}, "the key");
    expect_chunks("the the the the the the the the", (memo_chunk_options){.max_tokens = 8},
                  "the the the the the the the the");
}

static void test_chunk_prefers_strong_boundaries(void **state)
{
    const memo_chunk_options o = {.max_tokens = 8};
    (void)state;
    /* the last of the strongest in the upper half */
    expect_chunks("the the the the the. the the the the", o,
                  "the the the the the.|the the the the");
    expect_chunks("the the the the the\nthe the the the", o, "the the the the the|the the the the");
    expect_chunks("the the the the. the\nthe the the the", o,
                  "the the the the.|the\nthe the the the");
    expect_chunks("the the the the the\n\nthe. the the the", o,
                  "the the the the the|the. the the the");
    expect_chunks("the the the the the the the the the", o, "the the the the the the the the|the");
    expect_chunks("the the the the (the.) the the the", o, "the the the the (the.)|the the the");
}

static void test_chunk_overlaps_at_sentences(void **state)
{
    const memo_chunk_options o = {.max_tokens = 12, .overlap = 4};
    (void)state;
    expect_chunks("the the the the the the the. the key. the pot the pot the pot.", o,
                  "the the the the the the the. the key.|the key. the pot the pot the pot.");
    expect_chunks("the the the the the the the the the the the the the the", o,
                  "the the the the the the the the the the the the|the the the the the the");
}

static void test_chunk_reserves_room_in_the_first(void **state)
{
    const memo_chunk_options o = {.max_tokens = 8, .first_tokens = 3};
    (void)state;
    expect_chunks("a a a a a a a a a a a", o, "a a a|a a a a a a a a");
}

static void test_chunk_keeps_headings_with_their_text(void **state)
{
    const memo_chunk_options o = {.markdown = 1, .max_tokens = 10, .overlap = 3};
    memo_chunk_options plain = o;
    const char *text = "the the. the the. the the.\n# key pot\nthe the the the the the.";
    plain.markdown = 0;
    (void)state;
    expect_chunks(text, o, "the the. the the. the the.|# key pot\nthe the the the the the.");
    expect_chunks(
        text, plain,
        "the the. the the. the the.|the the.\n# key pot|# key pot\nthe the the the the the.");
    expect_chunks("the the the the the the the the the the\nkey pot\n=======\nthe the the the the",
                  (memo_chunk_options){.markdown = 1, .max_tokens = 18},
                  "the the the the the the the the the the|key pot\n=======\nthe the the the the");
}

static void test_chunk_keeps_a_fence_whole(void **state)
{
    const memo_chunk_options o = {.markdown = 1, .max_tokens = 20};
    (void)state;
    /* a fence is ` ` ` twice: 6 tokens of its own */
    expect_chunks("the the the the the the the the\n```\na\n\nb. a\n\nb c\n```\nthe the the the",
                  (memo_chunk_options){.markdown = 1, .max_tokens = 18},
                  "the the the the the the the the|```\na\n\nb. a\n\nb c\n```\nthe the the the");
    /* one that cannot fit is cut at its lines */
    expect_chunks("```\na a a a. a a\na a a a a a\na a a a a a\n```", o,
                  "```\na a a a. a a\na a a a a a|a a a a a a\n```");
    /* `#` inside is no heading; an open fence ends with the text */
    expect_chunks("the the the the the the the the the the\n~~~\n# a\n# a\n# a\n# a\n# a", o,
                  "the the the the the the the the the the|~~~\n# a\n# a\n# a\n# a\n# a");
}

/* The overlap would push the fence beyond the limit: it is dropped rather than the fence cut. */
static void test_chunk_cuts_code_at_definitions(void **state)
{
    static const char c[] =
        "int a;\nint b;\nint c;\nint d;\n\n/* about f */\nint f(void)\n{\n    cat(1);\n\n    "
        "sat(2);\n}\n/* about g */\nint g;\n";
    static const char py[] = "@on\ndef cat(a):\n    sat. on\n    if the:\n        mat\n    "
                             "cat\ndef sat(b):\n    mat\n";
    (void)state;
    expect_chunks(
        c, (memo_chunk_options){.max_tokens = 36, .code = 1},
        "int a;\nint b;\nint c;\nint d;|/* about f */\nint f(void)\n{\n    cat(1);\n\n    "
        "sat(2);\n}|/* about g */\nint g;");
    expect_chunks(py, (memo_chunk_options){.max_tokens = 30, .code = 1},
                  "@on\ndef cat(a):\n    sat. on\n    if the:\n        mat\n    cat|def "
                  "sat(b):\n    mat");
    /* no line is cut that fits: the first half's line break wins over blanks in the second */
    expect_chunks("cat sat\nthe cat sat\n", (memo_chunk_options){.max_tokens = 8, .code = 1},
                  "cat sat|the cat sat");
}

static void test_chunk_gives_up_overlap_for_a_fence(void **state)
{
    const memo_chunk_options o = {.markdown = 1, .max_tokens = 20, .overlap = 6};
    (void)state;
    expect_chunks("a a a a a a a a a a. b b b.\n```\na a a a\nb b b b\na a a a\n```", o,
                  "a a a a a a a a a a. b b b.|```\na a a a\nb b b b\na a a a\n```");
}

static void test_chunk_cuts_ideographs_at_full_stops(void **state)
{
    (void)state;
    /* each ideograph is an unknown token of its own */
    expect_chunks("東京東京東京。京都京都京都", (memo_chunk_options){.max_tokens = 9},
                  "東京東京東京。|京都京都京都");
}

static void test_chunk_takes_blank_and_empty_texts(void **state)
{
    const memo_chunk_options o = {.max_tokens = 8};
    memo_chunk_list list = cut("", 0, o);
    (void)state;
    assert_int_equal(list.n, 1);
    assert_int_equal(list.chunks[0].end, 0);
    memo_chunk_list_fini(&list);
    list = cut(" \n\0 ", 4, o);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.chunks[0].end, 4);
    memo_chunk_list_fini(&list);
}

static void test_chunk_refuses_impossible_sizes(void **state)
{
    const memo_chunk_options wrong[] = {
        {.max_tokens = 7}, {.max_tokens = 8, .first_tokens = 9}, {.max_tokens = 8, .overlap = 5}};
    memo_chunk_list list = {0};
    memo_err err = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_memo_status(memo_chunk_split(tokenizer, (memo_text){"a", 1}, &wrong[i], &list, &err),
                           MEMO_ERR_VALUE, err);
    assert_memo_status(memo_chunk_split(tokenizer, (memo_text){"a\xff", 2},
                                        &(memo_chunk_options){.max_tokens = 8}, &list, &err),
                       MEMO_ERR_VALUE, err);
    memo_chunk_list_fini(&list);
}

/* ---- random texts -------------------------------------------------------------------------- */

static size_t random_text(memo_rng *rng, char *out, size_t max)
{
    static const char *const pieces[] = {
        "the ",
        "key ",
        "flower ",
        "a",
        "b",
        "zq",
        ". ",
        "! ",
        "\n",
        "\n\n",
        "# ",
        "\n## ",
        "```\n",
        "\n~~~\n",
        "---\n",
        " ",
        "\t",
        "\r\n",
        "東",
        "京。",
        "é",
        "e\xcc\x81",
        "ﬁ",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        /* "##ing" is one token inside a word, "ing" at the start of a chunk three */
        "qingingingingingingingingingingingingeded",
        "\xe2\x80\x9d ",
        ")",
        "12345 ",
        "\xc2\xa0",
    };
    size_t n = 0;
    for (;;) {
        const char *piece = pieces[memo_rng_below(rng, sizeof pieces / sizeof *pieces)];
        if (n + strlen(piece) >= max)
            break;
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
        if (memo_rng_below(rng, 200) == 0)
            break;
    }
    return n;
}

/* What must hold of any text: order, character boundaries, nothing but white space is left out, and
 * no chunk has more tokens than it may, counted by tokenizing it alone. */
static void check_chunks(const char *text, size_t n, memo_chunk_options o, uint64_t seed)
{
    memo_chunk_list list = cut(text, n, o);
    memo_token_list tokens = {0};
    memo_err err = {0};
    size_t covered = 0;
    for (size_t i = 0; i < list.n; i++) {
        memo_text_chunk c = list.chunks[i];
        size_t limit = i == 0 && o.first_tokens ? o.first_tokens : o.max_tokens;
        tokens.n = 0;
        assert_memo_ok(
            memo_tokenizer_encode(tokenizer, text + c.begin, c.end - c.begin, 0, &tokens, &err),
            err);
        if (tokens.n != c.n_tokens || (tokens.n > limit && limit >= MEMO_CHUNK_MIN_TOKENS))
            fail_msg("seed %llu: chunk %zu has %zu tokens, says %zu, may have %zu",
                     (unsigned long long)seed, i, tokens.n, c.n_tokens, limit);
        if (c.begin >= c.end && n > 0 && !memo_text_is_blank(text, n))
            fail_msg("seed %llu: chunk %zu is empty", (unsigned long long)seed, i);
        if (i > 0 && (c.begin <= list.chunks[i - 1].begin || c.end <= list.chunks[i - 1].end))
            fail_msg("seed %llu: chunk %zu does not advance", (unsigned long long)seed, i);
        if (memo_utf8_check(text + c.begin, c.end - c.begin) != c.end - c.begin)
            fail_msg("seed %llu: chunk %zu cuts a character", (unsigned long long)seed, i);
        if (c.begin > covered && !memo_text_is_blank(text + covered, c.begin - covered))
            fail_msg("seed %llu: text before chunk %zu is lost", (unsigned long long)seed, i);
        covered = c.end;
    }
    if (!memo_text_is_blank(text + covered, n - covered))
        fail_msg("seed %llu: the end is lost", (unsigned long long)seed);
    memo_token_list_fini(&tokens);
    memo_chunk_list_fini(&list);
}

static void test_chunk_holds_for_random_texts(void **state)
{
    char *text = malloc(4096);
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        memo_rng rng;
        memo_chunk_options o = {0};
        size_t n;
        memo_rng_init(&rng, seed);
        n = random_text(&rng, text, 4096);
        o.markdown = (int)memo_rng_below(&rng, 2);
        o.code = !o.markdown;
        o.max_tokens = MEMO_CHUNK_MIN_TOKENS + memo_rng_below(&rng, 60);
        o.overlap = memo_rng_below(&rng, o.max_tokens / 2 + 1);
        o.first_tokens = memo_rng_below(&rng, 3) ? 0 : 1 + memo_rng_below(&rng, o.max_tokens);
        check_chunks(text, n, o, seed);
    }
    free(text);
}

/* Time per byte does not grow: a text eight times as long takes less than 24 times as long. */
static void test_chunk_takes_linear_time(void **state)
{
    static const char *const patterns[] = {"a",     "a ", "the key. ", "# a\n",
                                           "```\n", "\n", "東",        "a\xcc\x81"};
    enum { SMALL = 40000 };
    char *text = malloc(8 * SMALL + 16);
    (void)state;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        double seconds[2];
        for (int big = 0; big < 2; big++) {
            size_t n = 0, wanted = big ? 8 * SMALL : SMALL;
            clock_t begin;
            memo_chunk_list list;
            while (n < wanted) {
                memcpy(text + n, patterns[p], strlen(patterns[p]));
                n += strlen(patterns[p]);
            }
            begin = clock();
            list =
                cut(text, n, (memo_chunk_options){.markdown = 1, .max_tokens = 254, .overlap = 38});
            seconds[big] = (double)(clock() - begin) / CLOCKS_PER_SEC;
            memo_chunk_list_fini(&list);
        }
        if (seconds[1] > 24 * seconds[0] + 0.05)
            fail_msg("\"%s\": %g s, then %g s for eight times as much", patterns[p], seconds[0],
                     seconds[1]);
    }
    free(text);
}

static void test_chunk_survives_lack_of_memory(void **state)
{
    const char *text = "# key\nthe key is under the pot. the boiler was under the garden pot.";
    memo_err err = {0};
    (void)state;
    for (uint64_t at = 1;; at++) {
        memo_chunk_list list = {0};
        const memo_chunk_options o = {.markdown = 1, .max_tokens = 8, .overlap = 2};
        int64_t live = memo_alloc_live();
        memo_status status;
        memo_alloc_fail_at(at, 0);
        status = memo_chunk_split(tokenizer, (memo_text){text, strlen(text)}, &o, &list, &err);
        memo_alloc_fail_at(0, 0);
        memo_chunk_list_fini(&list);
        assert_int_equal(memo_alloc_live(), live);
        if (status == MEMO_OK)
            break;
        assert_int_equal(status, MEMO_ERR_NOMEM);
        assert_true(at < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_leaves_a_short_text_whole),
        cmocka_unit_test(test_chunk_prefers_strong_boundaries),
        cmocka_unit_test(test_chunk_overlaps_at_sentences),
        cmocka_unit_test(test_chunk_reserves_room_in_the_first),
        cmocka_unit_test(test_chunk_keeps_headings_with_their_text),
        cmocka_unit_test(test_chunk_keeps_a_fence_whole),
        cmocka_unit_test(test_chunk_cuts_code_at_definitions),
        cmocka_unit_test(test_chunk_gives_up_overlap_for_a_fence),
        cmocka_unit_test(test_chunk_cuts_ideographs_at_full_stops),
        cmocka_unit_test(test_chunk_takes_blank_and_empty_texts),
        cmocka_unit_test(test_chunk_refuses_impossible_sizes),
        cmocka_unit_test(test_chunk_holds_for_random_texts),
        cmocka_unit_test(test_chunk_takes_linear_time),
        cmocka_unit_test(test_chunk_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
