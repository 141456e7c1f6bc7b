// SPDX-License-Identifier: Apache-2.0
/* Bad tokenizer.json files, by number.
 *
 *   77  test_limits_77_model_missing_or_unknown     89  test_limits_89_nested_normalizer
 *   78  test_limits_78_ids_and_tokens_are_unique    90  test_limits_90_two_hundred_mb
 *   79  test_limits_79_ids_out_of_range             91  test_limits_91_not_unicode
 *   82  test_limits_82_no_unknown_token
 *   83  test_limits_83_empty_added_token, test_limits_83_longest_added_token_wins,
 *       test_limits_83_a_hundred_thousand_added_tokens
 *
 * Ids against the embedding's rows (78, 79), the file on disk (90) and the precedence of what
 * contradicts config.json (92) are in test_limits_config.c. 80, 81 and 84 to 88 belong to BPE and
 * Unigram, which are refused by name (77). */
#include "limits_gauge.h"
#include "tokenizer_fixture.h"

typedef struct json_case {
    const char *json;
    memo_status status;
    const char *says;
} json_case;

static memo_status build(const char *json, size_t n, memo_err *err)
{
    memo_buf tables = {0};
    memo_tokenizer_notes notes;
    memo_status status = memo_tokenizer_build_json(json, n, "tokenizer.json", &tables, &notes, err);

    if (status)
        assert_int_equal(tables.n, 0); /* nothing is left half-written */
    memo_buf_fini(&tables);
    return status;
}

static void check_case(const json_case *c)
{
    memo_err err = {0};
    limits_gauge g = limits_begin();
    memo_status status = build(c->json, strlen(c->json), &err);

    limits_end(g, c->json);
    if (status != c->status || (status && !strstr(err.message, c->says)))
        fail_msg("%s\n  gives %s \"%s\"\n  expected %s \"%s\"", c->json, memo_status_name(status),
                 err.message, memo_status_name(c->status), c->says);
    if (status && strncmp(err.message, "tokenizer.json", 14) != 0)
        fail_msg("the message does not name the file: %s", err.message);
}

#define CHECK(cases)                                                                               \
    do {                                                                                           \
        (void)state;                                                                               \
        for (size_t i_ = 0; i_ < sizeof(cases) / sizeof *(cases); i_++)                            \
            check_case(&(cases)[i_]);                                                              \
    } while (0)

#define WITH_VOCAB(vocab) SMALL_WITH_MODEL(FIXTURE_MODEL(vocab))

/* ---- the model ------------------------------------------------------------------------------- */

static void test_limits_77_model_missing_or_unknown(void **state)
{
    static const json_case cases[] = {
        {"{}", MEMO_ERR_FORMAT, "'model' is missing"},
        {"{\"model\":null}", MEMO_ERR_FORMAT, "'model' is missing"},
        {"{\"model\":7}", MEMO_ERR_FORMAT, "'model' must be an object"},
        {"{\"model\":{}}", MEMO_ERR_FORMAT, "no 'type'"},
        {"{\"model\":{\"type\":7}}", MEMO_ERR_FORMAT, "no 'type'"},
        {"{\"model\":{\"type\":\"BPE\"}}", MEMO_ERR_UNSUPPORTED, "model 'BPE'"},
        {"{\"model\":{\"type\":\"Unigram\"}}", MEMO_ERR_UNSUPPORTED, "model 'Unigram'"},
        {"{\"model\":{\"type\":\"WordLevel\"}}", MEMO_ERR_UNSUPPORTED, "model 'WordLevel'"},
    };
    CHECK(cases);
}

static void test_limits_78_ids_and_tokens_are_unique(void **state)
{
    static const json_case cases[] = {
        {WITH_VOCAB("\"[UNK]\":0,\"a\":0"), MEMO_ERR_FORMAT, "'[UNK]' and 'a' both have id 0"},
        {WITH_VOCAB("\"[UNK]\":0,\"a\":1,\"a\":2"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"a\":1,\"\\u0061\":2"), MEMO_ERR_FORMAT, "duplicate"},
        {WITH_VOCAB("\"[UNK]\":5,\"a\":9"), MEMO_OK, ""}, /* gaps: the embedding's rows decide */
        {SMALL_WITH(FIXTURE_ADDED("x", 1, SMALL_PLAIN), "null", "null"), MEMO_ERR_FORMAT,
         "added token 'x' has id 1, its place in the vocabulary is 3"},
        {SMALL_WITH(FIXTURE_ADDED("x", 3, SMALL_PLAIN) "," FIXTURE_ADDED("y", 3, SMALL_PLAIN),
                    "null", "null"),
         MEMO_ERR_FORMAT, "'x' and 'y' both have id 3"},
        {SMALL_WITH(FIXTURE_ADDED("a", 3, SMALL_PLAIN), "null", "null"), MEMO_ERR_FORMAT,
         "added token 'a' has id 3, its place in the vocabulary is 1"},
        {SMALL_WITH(FIXTURE_ADDED("x", 3, SMALL_PLAIN) "," FIXTURE_ADDED("x", 4, SMALL_PLAIN),
                    "null", "null"),
         MEMO_ERR_FORMAT, "added token 'x' is there twice"},
    };
    CHECK(cases);
}

static void test_limits_79_ids_out_of_range(void **state)
{
    static const json_case cases[] = {
        {WITH_VOCAB("\"[UNK]\":-1"), MEMO_ERR_VALUE, "'[UNK]' is -1, allowed 0 to 2147483647"},
        {WITH_VOCAB("\"[UNK]\":1.0"), MEMO_ERR_VALUE, "'[UNK]' is not an integer"},
        {WITH_VOCAB("\"[UNK]\":\"0\""), MEMO_ERR_VALUE, "'[UNK]' is not an integer"},
        {WITH_VOCAB("\"[UNK]\":null"), MEMO_ERR_VALUE, "'[UNK]' is not an integer"},
        {WITH_VOCAB("\"[UNK]\":2147483648"), MEMO_ERR_VALUE, "'[UNK]' is 2147483648"},
        {WITH_VOCAB("\"[UNK]\":0,\"b\":18446744073709551616"), MEMO_ERR_VALUE,
         "tokenizer.json.b: line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"b\":1e400"), MEMO_ERR_VALUE, "tokenizer.json.b: line 1 column"},
        {WITH_VOCAB("\"[UNK]\":2000000"), MEMO_ERR_LIMIT, "id 2000000, allowed below 2000000"},
        {SMALL_WITH(FIXTURE_ADDED("x", -1, SMALL_PLAIN), "null", "null"), MEMO_ERR_VALUE, "-1"},
        {SMALL_WITH(FIXTURE_ADDED("x", 3.0, SMALL_PLAIN), "null", "null"), MEMO_ERR_VALUE, "id"},
        {SMALL_WITH(FIXTURE_ADDED("x", 2147483648, SMALL_PLAIN), "null", "null"), MEMO_ERR_VALUE,
         "2147483648"},
    };
    CHECK(cases);
}

static void test_limits_82_no_unknown_token(void **state)
{
    static const json_case cases[] = {
        {SMALL_WITH_MODEL("{\"type\":\"WordPiece\"}"), MEMO_ERR_VALUE, "no 'unk_token'"},
        {SMALL_WITH_MODEL("{\"type\":\"WordPiece\",\"unk_token\":null}"), MEMO_ERR_VALUE,
         "no 'unk_token'"},
        {SMALL_WITH_MODEL("{\"type\":\"WordPiece\",\"unk_token\":3}"), MEMO_ERR_VALUE,
         "unk_token: is an integer, not a string"},
        {WITH_VOCAB("\"a\":0"), MEMO_ERR_VALUE, "unknown token '[UNK]' is not in the vocabulary"},
        {WITH_VOCAB(""), MEMO_ERR_VALUE, "unknown token '[UNK]' is not in the vocabulary"},
    };
    static const char vocab[] = "[CLS]\n[SEP]\na\n";
    memo_buf tables = {0};
    memo_tokenizer_notes notes;
    memo_err err = {0};

    CHECK(cases);
    assert_memo_status(
        memo_tokenizer_build_vocab(vocab, sizeof vocab - 1, 1, "vocab.txt", &tables, &notes, &err),
        MEMO_ERR_VALUE, err);
    assert_contains(err.message, "vocab.txt: the unknown token '[UNK]' is not in the vocabulary");
    memo_buf_fini(&tables);
}

/* ---- added tokens ---------------------------------------------------------------------------- */

static void test_limits_83_empty_added_token(void **state)
{
    static const json_case cases[] = {
        {SMALL_WITH(FIXTURE_ADDED("", 3, SMALL_PLAIN), "null", "null"), MEMO_ERR_FORMAT,
         "added token 3 is empty"},
        {SMALL_WITH(FIXTURE_ADDED("\\u0001", 3, SMALL_NORMAL), FIXTURE_BERT("true", "null"),
                    "null"),
         MEMO_ERR_FORMAT, "added token 3 is empty"}, /* once normalized */
    };
    CHECK(cases);
}

static void test_limits_83_longest_added_token_wins(void **state)
{
    static const char json[] =
        SMALL_WITH(FIXTURE_ADDED("<x>", 3, SMALL_PLAIN) "," FIXTURE_ADDED(
                       "<x>y", 4, SMALL_PLAIN) "," FIXTURE_ADDED("<x>yz", 5, SMALL_PLAIN),
                   "null", "null");
    fixture f;

    (void)state;
    assert_int_equal(fixture_open(json, &f, NULL), MEMO_OK);
    assert_string_equal(fixture_encode(&f, "<x><x>y<x>yz<x>yw", 17, 0), "3 4 5 4 0");
    fixture_close(&f);
}

/* n added tokens in front of a small vocabulary; milliseconds to build and open. */
static double open_added(int n, fixture *f)
{
    memo_buf json = {0};
    memo_err err = {0};

    memo_buf_puts(&json, "{\"added_tokens\":[");
    for (int i = 0; i < n; i++)
        memo_buf_printf(&json, "%s{\"id\":%d,\"content\":\"<t%d>\"," SMALL_PLAIN "}", i ? "," : "",
                        i + 3, i);
    memo_buf_puts(&json,
                  "],\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":" FIXTURE_MODEL(
                      SMALL_VOCAB) "}");
    double start = limits_cpu_ms();
    assert_memo_ok(fixture_open(json.data, f, &err), err);
    double ms = limits_cpu_ms() - start;
    memo_buf_fini(&json);
    return ms;
}

static void test_limits_83_a_hundred_thousand_added_tokens(void **state)
{
    enum { N = 100000 };
    char text[64], wanted[64];
    fixture f;

    (void)state;
    double small = open_added(N / 10, &f);
    fixture_close(&f);
    double large = open_added(N, &f);
    if (large > 40 * small + 100) /* ten times the tokens; quadratic would be a hundred times */
        fail_msg("10,000 added tokens take %.1f ms, 100,000 take %.1f ms", small, large);
    snprintf(text, sizeof text, "a<t%d><t7>a", N - 1);
    snprintf(wanted, sizeof wanted, "1 %d 10 1", N + 2);
    assert_string_equal(fixture_encode(&f, text, strlen(text), 0), wanted);
    fixture_close(&f);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void check_nested(size_t depth)
{
    memo_buf json = {0};
    memo_err err = {0};

    memo_buf_puts(&json, "{\"normalizer\":");
    for (size_t i = 0; i < depth; i++)
        memo_buf_puts(&json, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (size_t i = 0; i < depth; i++)
        memo_buf_puts(&json, "]}");
    memo_buf_puts(&json, "}");
    limits_gauge g = limits_begin();
    assert_memo_status(build(json.data, json.n, &err), MEMO_ERR_FORMAT, err);
    limits_end(g, "a nested normalizer");
    assert_contains(err.message, "line 1 column ");
    assert_contains(err.message, "nested too deep; at most 32 allowed");
    memo_buf_fini(&json);
}

static void test_limits_89_nested_normalizer(void **state)
{
    (void)state;
    check_nested(16); /* two levels each, in the object: 33 */
    check_nested(1000);
    check_nested(100000);
}

static void test_limits_90_two_hundred_mb(void **state)
{
    const size_t n = (size_t)200 << 20;
    char *large = calloc(1, n); /* its pages are never touched */
    memo_err err = {0};

    (void)state;
    assert_non_null(large);
    limits_gauge g = limits_begin();
    assert_memo_status(build(large, n, &err), MEMO_ERR_LIMIT, err);
    limits_end(g, "200 MB");
    assert_contains(err.message, "209715200 bytes of JSON; at most 134217728 are allowed");
    free(large);
}

static void test_limits_91_not_unicode(void **state)
{
    static const json_case cases[] = {
        {WITH_VOCAB("\"[UNK]\":0,\"\\ud800\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"\\udc00\\ud800\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"\\ud800\\u0041\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"\xFF\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"\xC0\xAF\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {WITH_VOCAB("\"[UNK]\":0,\"\xED\xA0\x80\":1"), MEMO_ERR_FORMAT, "line 1 column"},
        {"\xEF\xBB\xBF" FIXTURE_UNCASED, MEMO_ERR_FORMAT, "line 1 column"},
        {"\xFF\xFE{\0}", MEMO_ERR_FORMAT, "line 1 column"},
    };
    CHECK(cases);
}

/* ---- linear time ----------------------------------------------------------------------------- */

static double linear_json(size_t *n_bytes)
{
    memo_buf json = {0};
    memo_err err = {0};

    memo_buf_puts(&json, "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":"
                         "\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
                         "\"##\",\"max_input_chars_per_word\":100,\"vocab\":{");
    for (size_t i = 1; json.n < *n_bytes; i++)
        memo_buf_printf(&json, "\"%zu-0123456789012345678901234567890123456789\":%zu,", i * 7919,
                        i);
    memo_buf_puts(&json, "\"[UNK]\":0}}}");
    double start = limits_cpu_ms();
    assert_memo_ok(build(json.data, json.n, &err), err);
    double ms = limits_cpu_ms() - start;
    *n_bytes = json.n;
    memo_buf_fini(&json);
    return ms;
}

static double linear_vocab(size_t *n_bytes)
{
    memo_buf text = {0}, tables = {0};
    memo_tokenizer_notes notes;
    memo_err err = {0};

    memo_buf_puts(&text, "[UNK]\n[CLS]\n[SEP]\n");
    for (size_t i = 1; text.n < *n_bytes; i++)
        memo_buf_printf(&text, "%zu-0123456789\n", i * 7919);
    double start = limits_cpu_ms();
    assert_memo_ok(
        memo_tokenizer_build_vocab(text.data, text.n, 1, "vocab.txt", &tables, &notes, &err), err);
    double ms = limits_cpu_ms() - start;
    *n_bytes = text.n;
    memo_buf_fini(&text);
    memo_buf_fini(&tables);
    return ms;
}

/* The largest are what a vocabulary may hold: 16 MiB of tokens. */
static void test_limits_tokenizer_is_linear(void **state)
{
    (void)state;
    limits_check_linear(linear_json, (size_t)16 << 20, "tokenizer.json");
    limits_check_linear(linear_vocab, (size_t)16 << 20, "vocab.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_77_model_missing_or_unknown),
        cmocka_unit_test(test_limits_78_ids_and_tokens_are_unique),
        cmocka_unit_test(test_limits_79_ids_out_of_range),
        cmocka_unit_test(test_limits_82_no_unknown_token),
        cmocka_unit_test(test_limits_83_empty_added_token),
        cmocka_unit_test(test_limits_83_longest_added_token_wins),
        cmocka_unit_test(test_limits_83_a_hundred_thousand_added_tokens),
        cmocka_unit_test(test_limits_89_nested_normalizer),
        cmocka_unit_test(test_limits_90_two_hundred_mb),
        cmocka_unit_test(test_limits_91_not_unicode),
        cmocka_unit_test(test_limits_tokenizer_is_linear),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
