// SPDX-License-Identifier: Apache-2.0
/* Building from tokenizer.json and vocab.txt: what is accepted, and how they can be wrong beside the
 * numbered cases of test_limits_tokenizer.c. */
#include "tokenizer_fixture.h"

#include "text/tokenizer_tables.h"

static memo_status build(const char *json, size_t n, memo_tokenizer_notes *notes, memo_err *err)
{
    memo_buf tables = {0};
    memo_status status = memo_tokenizer_build_json(json, n, "tokenizer.json", &tables, notes, err);

    memo_buf_fini(&tables);
    return status;
}

typedef struct wrong_json {
    const char *json;
    memo_status status;
    const char *says;
} wrong_json;

static const wrong_json wrong_models[] = {
    {"", MEMO_ERR_FORMAT, ""},
    {"[]", MEMO_ERR_FORMAT, "not a JSON object"},
    {"{\"version\":\"2.0\",\"model\":{}}", MEMO_ERR_UNSUPPORTED, "version '2.0'"},
    {"{\"modle\":{}}", MEMO_ERR_UNSUPPORTED, "member 'modle'"},
    {SMALL_WITH_MODEL(
         "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
         "\"##\",\"max_input_chars_per_word\":100}"),
     MEMO_ERR_FORMAT, "no 'vocab'"},
    {SMALL_WITH_MODEL(
         "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
         "\"##\",\"max_input_chars_per_word\":-1,\"vocab\":{}}"),
     MEMO_ERR_VALUE, "max_input_chars_per_word"},
    {SMALL_WITH_MODEL(
         "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
         "\"##\",\"max_input_chars_per_word\":9,\"vocab\":{},\"dropout\":1}"),
     MEMO_ERR_UNSUPPORTED, "member 'dropout'"},
    {FIXTURE_UNCASED "x", MEMO_ERR_FORMAT, ""},
};

static const wrong_json wrong_stages[] = {
    {SMALL_WITH("", "{\"type\":\"NFKC\"}", "null"), MEMO_ERR_UNSUPPORTED, "normalizer 'NFKC'"},
    {SMALL_WITH("", "{\"type\":\"Sequence\",\"normalizers\":[]}", "null"), MEMO_ERR_UNSUPPORTED,
     "normalizer 'Sequence'"},
    {SMALL_WITH("", "{}", "null"), MEMO_ERR_FORMAT, "no 'type'"},
    {SMALL_WITH("", "\"NFC\"", "null"), MEMO_ERR_FORMAT, "'normalizer' must be an object"},
    {SMALL_WITH("", "{\"type\":\"BertNormalizer\",\"clean_text\":true}", "null"), MEMO_ERR_FORMAT,
     "handle_chinese_chars"},
    {SMALL_WITH("", FIXTURE_BERT("1", "null"), "null"), MEMO_ERR_VALUE, "lowercase"},
    {SMALL_WITH("", FIXTURE_BERT("true", "\"yes\""), "null"), MEMO_ERR_VALUE, "strip_accents"},
    {"{\"pre_tokenizer\":null,\"model\":" FIXTURE_MODEL(SMALL_VOCAB) "}", MEMO_ERR_UNSUPPORTED,
     "pre_tokenizer 'null'"},
    {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":" FIXTURE_MODEL(SMALL_VOCAB) "}",
     MEMO_ERR_UNSUPPORTED, "pre_tokenizer 'ByteLevel'"},
    {"{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"BPEDecoder\"},"
     "\"model\":" FIXTURE_MODEL(SMALL_VOCAB) "}",
     MEMO_ERR_UNSUPPORTED, "decoder 'BPEDecoder'"},
    {SMALL_WITH("", "null", "{\"type\":\"RobertaProcessing\"}"), MEMO_ERR_UNSUPPORTED,
     "post_processor 'RobertaProcessing'"},
    {SMALL_WITH("", "null", "{\"type\":\"BertProcessing\",\"cls\":[\"a\",1]}"), MEMO_ERR_FORMAT,
     "'sep'"},
    {SMALL_WITH("", "null", "{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"a\",3]}"),
     MEMO_ERR_VALUE, "id 3"},
    {SMALL_TEMPLATE(SMALL_SPECIAL("a")), MEMO_ERR_FORMAT, "lacks the sequence A"},
    {SMALL_TEMPLATE(""), MEMO_ERR_FORMAT, "lacks the sequence A"},
    {SMALL_TEMPLATE(SMALL_SEQUENCE "," SMALL_SEQUENCE), MEMO_ERR_UNSUPPORTED, "sequence A once"},
    {SMALL_TEMPLATE("{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}"), MEMO_ERR_FORMAT,
     "sequence A once"},
    {SMALL_TEMPLATE(SMALL_SPECIAL("b") "," SMALL_SEQUENCE), MEMO_ERR_FORMAT, "unknown token 'b'"},
    {SMALL_TEMPLATE(SMALL_SPECIAL("far") "," SMALL_SEQUENCE), MEMO_ERR_VALUE, "id 3"},
    {SMALL_TEMPLATE("{\"Sequence\":{\"id\":\"A\",\"type_id\":1}}"), MEMO_ERR_UNSUPPORTED,
     "type_id 1"},
    {SMALL_TEMPLATE("{\"Piece\":{}}"), MEMO_ERR_FORMAT, "a Sequence or a SpecialToken"},
    {SMALL_TEMPLATE("7"), MEMO_ERR_FORMAT, "a Sequence or a SpecialToken"},
    {SMALL_WITH(FIXTURE_ADDED("x", 3, SMALL_PLAIN) "," FIXTURE_ADDED("x", 4, SMALL_PLAIN), "null",
                "null"),
     MEMO_ERR_FORMAT, "'x' is there twice"},
    {SMALL_WITH(FIXTURE_ADDED("X", 3, SMALL_NORMAL) "," FIXTURE_ADDED("x", 4, SMALL_NORMAL),
                FIXTURE_BERT("true", "null"), "null"),
     MEMO_ERR_FORMAT, "'x' is there twice"},
    {SMALL_WITH(FIXTURE_ADDED("x", 3, SMALL_PLAIN) "," FIXTURE_ADDED("y", 3, SMALL_PLAIN), "null",
                "null"),
     MEMO_ERR_FORMAT, "both have id 3"},
    {SMALL_WITH(FIXTURE_ADDED("a", 3, SMALL_PLAIN), "null", "null"), MEMO_ERR_FORMAT,
     "'a' has id 3, its place in the vocabulary is 1"},
    {SMALL_WITH(FIXTURE_ADDED("x", 7, SMALL_PLAIN), "null", "null"), MEMO_ERR_FORMAT,
     "'x' has id 7, its place in the vocabulary is 3"},
    {SMALL_WITH("{\"id\":3,\"content\":\"x\"}", "null", "null"), MEMO_ERR_FORMAT, "single_word"},
    {SMALL_WITH("7", "null", "null"), MEMO_ERR_FORMAT, "must be an object"},
};

static void check_wrong(const wrong_json *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memo_tokenizer_notes notes;
        memo_err err = {0};
        memo_status status = build(cases[i].json, strlen(cases[i].json), &notes, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("%s\n  gives %s \"%s\"\n  expected %s \"%s\"", cases[i].json,
                     memo_status_name(status), err.message, memo_status_name(cases[i].status),
                     cases[i].says);
    }
}

static void test_tokenizer_json_refuses_wrong_models(void **state)
{
    (void)state;
    check_wrong(wrong_models, sizeof wrong_models / sizeof *wrong_models);
}

static void test_tokenizer_json_refuses_wrong_stages(void **state)
{
    (void)state;
    check_wrong(wrong_stages, sizeof wrong_stages / sizeof *wrong_stages);
}

static void test_tokenizer_json_notes_what_is_overridden(void **state)
{
    static const char json[] =
        "{\"truncation\":{\"direction\":\"Right\",\"max_length\":128,\"strategy\":"
        "\"LongestFirst\",\"stride\":0},\"padding\":{\"strategy\":{\"Fixed\":128}},"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":" FIXTURE_MODEL(
            SMALL_VOCAB) "}";
    memo_tokenizer_notes notes;

    (void)state;
    assert_int_equal(build(json, strlen(json), &notes, NULL), MEMO_OK);
    assert_int_equal(notes.truncation_max_length, 128);
    assert_int_equal(notes.has_padding, 1);
    assert_int_equal(notes.vocab_size, 3);
    assert_int_equal(build(FIXTURE_UNCASED, strlen(FIXTURE_UNCASED), &notes, NULL), MEMO_OK);
    assert_int_equal(notes.truncation_max_length, 0);
    assert_int_equal(notes.has_padding, 0);
    assert_int_equal(notes.vocab_size, 30);
}

/* Gaps are allowed (the embedding table decides), a type may be missing, prefix may be empty. */
static void test_tokenizer_json_accepts_odd_vocabularies(void **state)
{
    static const char gap[] = SMALL_WITH_MODEL(FIXTURE_MODEL("\"[UNK]\":5,\"a\":9"));
    static const char untyped[] = SMALL_WITH_MODEL(
        "{\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"\","
        "\"max_input_chars_per_word\":3,\"vocab\":{\"[UNK]\":0,\"a\":1,\"ab\":2}}");
    fixture f;
    size_t n;

    (void)state;
    assert_int_equal(fixture_open(gap, &f, NULL), MEMO_OK);
    assert_int_equal(memo_tokenizer_vocab_size(f.tokenizer), 10);
    assert_null(memo_tokenizer_token(f.tokenizer, 6, &n));
    assert_string_equal(fixture_encode(&f, "a b", 3, 0), "9 5");
    fixture_close(&f);
    assert_int_equal(fixture_open(untyped, &f, NULL), MEMO_OK);
    assert_string_equal(fixture_encode(&f, "aab abaa abx", 12, 0), "1 2 0 0");
    fixture_close(&f);
}

static void test_tokenizer_json_bert_processing(void **state)
{
    static const char json[] = SMALL_WITH(
        "", "null", "{\"type\":\"BertProcessing\",\"sep\":[\"##b\",2],\"cls\":[\"a\",1]}");
    fixture f;
    const uint32_t *ids;

    (void)state;
    assert_int_equal(fixture_open(json, &f, NULL), MEMO_OK);
    assert_int_equal(memo_tokenizer_prefix(f.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 1);
    assert_int_equal(memo_tokenizer_suffix(f.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 2);
    fixture_close(&f);
}

static void test_tokenizer_json_long_token(void **state)
{
    memo_tokenizer_notes notes;
    memo_err err = {0};

    (void)state;
    for (size_t n = 4096; n <= 4097; n++) {
        memo_buf json = {0};
        memo_buf_puts(&json,
                      "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":"
                      "\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
                      "\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"");
        for (size_t i = 0; i < n; i++)
            memo_buf_putc(&json, 'x');
        memo_buf_puts(&json, "\":1}}}");
        assert_int_equal(build(json.data, json.n, &notes, &err),
                         n == 4096 ? MEMO_OK : MEMO_ERR_LIMIT);
        memo_buf_fini(&json);
    }
    assert_non_null(strstr(err.message, "4097 bytes, allowed 4096"));
}

static void test_tokenizer_json_every_allocation_can_fail(void **state)
{
    int64_t live = memo_alloc_live();

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        for (uint64_t n = 1; status; n++) {
            fixture f;
            memo_alloc_fail_at(n, sticky);
            memo_err err = {0};
            status = fixture_open(FIXTURE_UNCASED, &f, &err);
            memo_alloc_fail_at(0, 0);
            if (status != MEMO_OK && status != MEMO_ERR_NOMEM)
                fail_msg("allocation %d: %s", (int)n, err.message);
            assert_true(n < 3000);
            fixture_close(&f);
            assert_int_equal(memo_alloc_live(), live);
        }
    }
}

/* -- vocab.txt -------------------------------------------------------------------------------- */

static memo_status open_vocab(const char *text, size_t n, int lower, fixture *f, memo_err *err)
{
    memo_buf buf = {0};
    memo_tokenizer_notes notes;
    memo_status status = memo_tokenizer_build_vocab(text, n, lower, "vocab.txt", &buf, &notes, err);

    memset(f, 0, sizeof *f);
    if (!status) {
        f->tables = memo_aligned_alloc(buf.n);
        memcpy(f->tables, buf.data, buf.n);
        status = memo_tokenizer_open(f->tables, buf.n, &f->tokenizer, err);
    }
    memo_buf_fini(&buf);
    return status;
}

static void test_tokenizer_vocab_is_bert(void **state)
{
    static const char text[] = "[PAD]\r\n[UNK]\n[CLS]\n[SEP]\ncafe\n##s\xE3\x80\x80\nCafe";
    fixture f;
    const uint32_t *ids;

    (void)state;
    assert_int_equal(open_vocab(text, strlen(text), 1, &f, NULL), MEMO_OK);
    assert_string_equal(fixture_encode(&f, "Caf\xC3\xA9s [SEP]", 12, 0), "4 5 3");
    assert_int_equal(memo_tokenizer_prefix(f.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 2);
    assert_int_equal(memo_tokenizer_suffix(f.tokenizer, &ids), 1);
    assert_int_equal(ids[0], 3);
    assert_int_equal(memo_tokenizer_vocab_size(f.tokenizer), 7);
    fixture_close(&f);
    assert_int_equal(open_vocab(text, strlen(text), 0, &f, NULL), MEMO_OK);
    assert_string_equal(fixture_encode(&f, "Cafe cafe CAFE", 14, 0), "6 4 1");
    fixture_close(&f);
}

static void test_tokenizer_vocab_refuses(void **state)
{
    static const struct {
        const char *text;
        memo_status status;
        const char *says;
    } cases[] = {
        {"", MEMO_ERR_VALUE, "no [CLS]"},
        {"[UNK]\n[CLS]\n", MEMO_ERR_VALUE, "no [SEP]"},
        {"[CLS]\n[SEP]\n", MEMO_ERR_VALUE, "[UNK]"},
        {"[UNK]\n[CLS]\n[SEP]\na\na\n", MEMO_ERR_FORMAT, "'a' is there twice"},
        {"[UNK]\n[CLS]\n[SEP]\n\xC0\xAF\n", MEMO_ERR_FORMAT, "not UTF-8 at byte 18"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        memo_err err = {0};
        memo_status status = open_vocab(cases[i].text, strlen(cases[i].text), 1, &f, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s \"%s\"", i, memo_status_name(status), err.message);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_json_refuses_wrong_models),
        cmocka_unit_test(test_tokenizer_json_refuses_wrong_stages),
        cmocka_unit_test(test_tokenizer_json_notes_what_is_overridden),
        cmocka_unit_test(test_tokenizer_json_accepts_odd_vocabularies),
        cmocka_unit_test(test_tokenizer_json_bert_processing),
        cmocka_unit_test(test_tokenizer_json_long_token),
        cmocka_unit_test(test_tokenizer_json_every_allocation_can_fail),
        cmocka_unit_test(test_tokenizer_vocab_is_bert),
        cmocka_unit_test(test_tokenizer_vocab_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
