// SPDX-License-Identifier: Apache-2.0
/* Bad safetensors files, by number: each is refused with its class, a message that says what was
 * found and where, in bounded time and memory.
 *
 *   19  test_limits_19_shorter_than_8          28  test_limits_28_scalars_and_zero_dimensions
 *   20  test_limits_20_header_length_0             (needed weights: test_limits_config.c)
 *   21  test_limits_21_impossible_length       29  test_limits_29_offsets_outside
 *   22  test_limits_22_not_json                30  test_limits_30_overlap_gap_and_tail
 *   23  test_limits_23_padding_is_accepted     31  test_limits_31_empty_tensors_share_an_offset
 *   24  test_limits_24_duplicate_names         32  test_limits_32_shape_against_extent
 *   25  test_limits_25_missing_and_extra_keys  33  test_limits_33_metadata_of_other_types
 *   26  test_limits_26_dtypes                  34  test_limits_34_a_million_tensors
 *   27  test_limits_27_shapes                  35  test_limits_35_nested_metadata
 *   36, 37, 38  test_limits_config.c */
#include <pthread.h>

#include "limits_gauge.h"
#include "safetensors_sample.h"

typedef struct header_case {
    const char *header;
    size_t data;
    memo_status status;
    const char *says; /* a part of the message */
} header_case;

static void check_case(const header_case *c)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};
    limits_gauge g = limits_begin();
    memo_status status = st_sample_parse(c->header, c->data, &st, &err);

    if (status != c->status || (status && (!strstr(err.message, c->says) || st)))
        fail_msg("%s\n  gives %s \"%s\"\n  expected %s \"%s\"", c->header, memo_status_name(status),
                 err.message, memo_status_name(c->status), c->says);
    if (status == MEMO_OK)
        st_sample_check(st, 8 + strlen(c->header) + c->data);
    else if (strncmp(err.message, "sample: ", 8) != 0)
        fail_msg("the message does not name the file: %s", err.message);
    memo_safetensors_free(st);
    limits_end(g, c->header);
}

#define CHECK(cases)                                                                               \
    do {                                                                                           \
        (void)state;                                                                               \
        for (size_t i_ = 0; i_ < sizeof(cases) / sizeof *(cases); i_++)                            \
            check_case(&(cases)[i_]);                                                              \
    } while (0)

#define U8_1            "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}"
#define U8_0            "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
#define WITH_SHAPE(s)   "{\"t\":{\"dtype\":\"U8\",\"shape\":" s ",\"data_offsets\":[0,1]}}"
#define WITH_OFFSETS(s) "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":" s "}}"
#define WITH_DTYPE(s)   "{\"t\":{\"dtype\":" s ",\"shape\":[1],\"data_offsets\":[0,1]}}"

/* ---- length ---------------------------------------------------------------------------------- */

static void test_limits_19_shorter_than_8(void **state)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    for (size_t n = 0; n < 8; n++) {
        limits_gauge g = limits_begin();
        char *bytes = malloc(n ? n : 1); /* its own block: a read beyond it is seen */
        memset(bytes, 1, n ? n : 1);
        assert_memo_status(memo_safetensors_parse(bytes, n, "sample", &st, &err), MEMO_ERR_FORMAT,
                           err);
        assert_contains(err.message, "shorter than 8");
        assert_int_equal(err.message[strlen("sample: ")], '0' + (char)n);
        free(bytes);
        limits_end(g, "0 to 7 bytes");
    }
}

/* Bytes of the length, then `n_bytes` of file in all, without any allocation by the parser. */
static void check_length(uint64_t length, size_t n_bytes, memo_status wanted, const char *says)
{
    unsigned char *bytes = calloc(1, n_bytes);
    memo_safetensors *st = NULL;
    memo_err err = {0};

    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    limits_gauge g = limits_begin();
    memo_alloc_fail_at(0, 0);
    assert_memo_status(memo_safetensors_parse(bytes, n_bytes, "sample", &st, &err), wanted, err);
    assert_int_equal(memo_alloc_count(), 0);
    assert_contains(err.message, says);
    limits_end(g, "a length");
    free(bytes);
}

static void test_limits_20_header_length_0(void **state)
{
    (void)state;
    check_length(0, 8, MEMO_ERR_FORMAT, "header length 0 at byte 0");
    check_length(0, 100, MEMO_ERR_FORMAT, "header length 0 at byte 0");
}

static void test_limits_21_impossible_length(void **state)
{
    (void)state;
    check_length(3, 10, MEMO_ERR_FORMAT, "header length 3 at byte 0, but the file has 2 bytes");
    check_length(UINT64_C(1) << 63, 10, MEMO_ERR_FORMAT, "9223372036854775808");
    check_length(UINT64_MAX, 10, MEMO_ERR_FORMAT, "18446744073709551615");
    check_length(100000001, 10, MEMO_ERR_FORMAT, "100000001");
    /* A header of 100,000,001 bytes that is really there. */
    check_length(100000001, 100000009, MEMO_ERR_LIMIT, "100000001 bytes, allowed 100000000");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void test_limits_22_not_json(void **state)
{
    static const header_case cases[] = {
        {"x", 0, MEMO_ERR_FORMAT, "expected a JSON object, at byte 8"},
        {"[]", 0, MEMO_ERR_FORMAT, "expected a JSON object, at byte 8"},
        {"null", 0, MEMO_ERR_FORMAT, "expected a JSON object, at byte 8"},
        {"{", 0, MEMO_ERR_FORMAT, "at byte 9"},
        {"{}x", 0, MEMO_ERR_FORMAT, "bytes after the JSON object, at byte 10"},
        {"{}{}", 0, MEMO_ERR_FORMAT, "bytes after the JSON object, at byte 10"},
        {"{,}", 0, MEMO_ERR_FORMAT, "tensor's name, at byte 9"},
        {"{\"t\":" U8_1 ",}", 1, MEMO_ERR_FORMAT, "tensor's name, at byte 6"},
        {"{\"t\":" U8_1 "", 1, MEMO_ERR_FORMAT, "expected ',' or '}', at byte"},
        {"{\"t\xFF\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "not UTF-8, at byte 11"},
        {"{\"t\xC0\xAF\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "not UTF-8, at byte 11"},
        {"\xEF\xBB\xBF{}", 0, MEMO_ERR_FORMAT, "expected a JSON object, at byte 8"},
        {"{\"t\n\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "control character in a string, at byte 11"},
        {"{\"t\\x\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "bad escape in a string, at byte"},
        {"{\"t\\u12g4\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "bad escape"},
        {"{\"\\u0000\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "NUL"},
        {"{\"\\ud800\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
        {"{\"\\udc00\\ud800\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
        {"{\"\\ud800\\u0041\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
        {"{\"t", 0, MEMO_ERR_FORMAT, "string without an end, at byte 11"},
        {"{'t':" U8_1 "}", 1, MEMO_ERR_FORMAT, "tensor's name, at byte 9"},
        {"{\"t\" " U8_1 "}", 1, MEMO_ERR_FORMAT, "expected ':', at byte 13"},
    };
    CHECK(cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_safetensors *st = NULL;
        memo_err err = {0};
        st_sample_parse(cases[i].header, cases[i].data, &st, &err);
        assert_contains(err.message, ", at byte "); /* each has its offset */
    }
}

static void test_limits_23_padding_is_accepted(void **state)
{
    static const header_case cases[] = {
        {" {\n} \t\r\n", 0, MEMO_OK, ""},
        {"{\"t\":" U8_1 "}                ", 1, MEMO_OK, ""},
        {"  {\"a\" : { \"dtype\" : \"U8\" , \"shape\" : [ 1 ] , \"data_offsets\" : [ 0 , 1 ] } }  ",
         1, MEMO_OK, ""},
    };
    CHECK(cases);
}

static void test_limits_24_duplicate_names(void **state)
{
    static const header_case cases[] = {
        {"{\"t\":" U8_1 ",\"t\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "two tensors are named 't'"},
        {"{\"t\":" U8_0 ",\"t\":" U8_0 "}", 0, MEMO_ERR_FORMAT, "two tensors are named 't'"},
        {"{\"t\":" U8_0 ",\"\\u0074\":" U8_0 "}", 0, MEMO_ERR_FORMAT, "two tensors are named 't'"},
        {"{\"/\":" U8_0 ",\"\\/\":" U8_0 "}", 0, MEMO_ERR_FORMAT, "two tensors are named '/'"},
        {"{\"\xF0\x9F\x98\x80\":" U8_0 ",\"\\ud83d\\ude00\":" U8_0 "}", 0, MEMO_ERR_FORMAT,
         "two tensors are named '\xF0\x9F\x98\x80'"},
        {"{\"__metadata__\":{},\"\\u005f_metadata__\":{}}", 0, MEMO_ERR_FORMAT, "there twice"},
        {"{\"__metadata__\":{\"a\":\"x\",\"\\u0061\":\"y\"}}", 0, MEMO_ERR_FORMAT,
         "the key 'a' twice"},
        {"{\"t\":{\"dtype\":\"U8\",\"\\u0064type\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         1, MEMO_ERR_FORMAT, "twice"},
    };
    CHECK(cases);
}

static void test_limits_25_missing_and_extra_keys(void **state)
{
    static const header_case cases[] = {
        {"{\"t\":1}", 1, MEMO_ERR_FORMAT, "'t': expected an object"},
        {"{\"t\":{}}", 1, MEMO_ERR_FORMAT, "expected 'dtype', 'shape' and 'data_offsets'"},
        {"{\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MEMO_ERR_FORMAT,
         "'t': field 'dtype' is missing"},
        {"{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, MEMO_ERR_FORMAT,
         "'t': field 'shape' is missing"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, MEMO_ERR_FORMAT,
         "'t': field 'data_offsets' is missing"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1,
         MEMO_ERR_FORMAT, "'t': unknown field (allowed: dtype, shape, data_offsets)"},
    };
    CHECK(cases);
}

/* ---- types and shapes ------------------------------------------------------------------------ */

static void test_limits_26_dtypes(void **state)
{
    static const header_case cases[] = {
        {WITH_DTYPE("8"), 1, MEMO_ERR_FORMAT, "'t': 'dtype' must be a string"},
        {WITH_DTYPE("\"u8\""), 1, MEMO_ERR_UNSUPPORTED, "'t': unknown dtype 'u8'"},
        {WITH_DTYPE("\"F128\""), 1, MEMO_ERR_UNSUPPORTED, "'t': unknown dtype 'F128'"},
        {WITH_DTYPE("\"\""), 1, MEMO_ERR_UNSUPPORTED, "'t': unknown dtype ''"},
        {WITH_DTYPE("\"F4\""), 1, MEMO_ERR_FORMAT, "'t': 1 values of F4 are no whole bytes"},
        {"{\"t\":{\"dtype\":\"F6_E2M3\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, MEMO_ERR_FORMAT,
         "'t': 3 values of F6_E2M3 are no whole bytes"},
        {"{\"t\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, MEMO_OK, ""},
    };
    CHECK(cases);
}

#define ONES_16 "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"

static void test_limits_27_shapes(void **state)
{
    static const header_case cases[] = {
        {WITH_SHAPE("1"), 1, MEMO_ERR_FORMAT, "'shape' must be a list"},
        {WITH_SHAPE("null"), 1, MEMO_ERR_FORMAT, "'shape' must be a list"},
        {WITH_SHAPE("[-1]"), 1, MEMO_ERR_FORMAT, "non-negative integer"},
        {WITH_SHAPE("[1.0]"), 1, MEMO_ERR_FORMAT, "fraction or exponent"},
        {WITH_SHAPE("[1e0]"), 1, MEMO_ERR_FORMAT, "fraction or exponent"},
        {WITH_SHAPE("[01]"), 1, MEMO_ERR_FORMAT, "leading zero"},
        {WITH_SHAPE("[\"1\"]"), 1, MEMO_ERR_FORMAT, "non-negative integer"},
        {WITH_SHAPE("[1,]"), 1, MEMO_ERR_FORMAT, "non-negative integer"},
        {WITH_SHAPE("[18446744073709551616]"), 1, MEMO_ERR_FORMAT, "above 2^64"},
        {WITH_SHAPE("[99999999999999999999]"), 1, MEMO_ERR_FORMAT, "above 2^64"},
        {WITH_SHAPE("[4294967296,4294967296]"), 1, MEMO_ERR_FORMAT, "'t': the product"},
        {WITH_SHAPE("[18446744073709551615]"), 1, MEMO_ERR_FORMAT, "'t': the product"},
        {WITH_SHAPE("[" ONES_16 "," ONES_16 "," ONES_16 "," ONES_16 "]"), 1, MEMO_OK, ""},
        {WITH_SHAPE("[" ONES_16 "," ONES_16 "," ONES_16 "," ONES_16 ",1]"), 1, MEMO_ERR_LIMIT,
         "more than 64 dimensions"},
    };
    CHECK(cases);
}

static void test_limits_28_scalars_and_zero_dimensions(void **state)
{
    static const header_case cases[] = {
        {WITH_SHAPE("[]"), 1, MEMO_OK, ""},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0, MEMO_OK, ""},
        /* a zero makes the product zero only when what came before it fits */
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,18446744073709551615],\"data_offsets\":[0,0]}}", 0,
         MEMO_OK, ""},
    };
    CHECK(cases);
}

/* ---- extents --------------------------------------------------------------------------------- */

static void test_limits_29_offsets_outside(void **state)
{
    static const header_case cases[] = {
        {WITH_OFFSETS("[0]"), 1, MEMO_ERR_FORMAT, "list of two"},
        {WITH_OFFSETS("[0,1,2]"), 1, MEMO_ERR_FORMAT, "list of two"},
        {WITH_OFFSETS("[-1,1]"), 1, MEMO_ERR_FORMAT, "non-negative"},
        {WITH_OFFSETS("[1,0]"), 1, MEMO_ERR_FORMAT, "'t': data_offsets [1, 0] do not lie in the 1"},
        {WITH_OFFSETS("[0,2]"), 1, MEMO_ERR_FORMAT, "'t': data_offsets [0, 2] do not lie in the 1"},
        {WITH_OFFSETS("[18446744073709551615,0]"), 1, MEMO_ERR_FORMAT, "do not lie"},
        {WITH_OFFSETS("[0,18446744073709551615]"), 1, MEMO_ERR_FORMAT, "do not lie"},
    };
    CHECK(cases);
}

static void test_limits_30_overlap_gap_and_tail(void **state)
{
    static const header_case cases[] = {
        {WITH_OFFSETS("[1,2]"), 2, MEMO_ERR_FORMAT,
         "'t' begins at data byte 1, leaving a gap after byte 0"},
        {"{\"a\":" U8_1 ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", 3,
         MEMO_ERR_FORMAT, "'b' begins at data byte 2, leaving a gap after byte 1"},
        {WITH_OFFSETS("[0,1]"), 2, MEMO_ERR_FORMAT,
         "tensors end at data byte 1, the file has 2 bytes"},
        {"{}", 1, MEMO_ERR_FORMAT, "tensors end at data byte 0, the file has 1 bytes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, MEMO_ERR_FORMAT, "'b' begins at data byte 1, inside the tensor that ends at 2"},
        /* an empty tensor inside another overlaps nothing, but the order cannot be kept */
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}",
         2, MEMO_ERR_FORMAT, "'b' begins at data byte 1, inside"},
    };
    CHECK(cases);
}

static void test_limits_31_empty_tensors_share_an_offset(void **state)
{
    static const header_case cases[] = {
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"y\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[1,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, MEMO_OK, ""},
        {"{\"x\":" U8_0 ",\"y\":" U8_0 "}", 0, MEMO_OK, ""},
    };
    CHECK(cases);
}

static void test_limits_32_shape_against_extent(void **state)
{
    static const header_case cases[] = {
        {WITH_SHAPE("[2]"), 1, MEMO_ERR_FORMAT,
         "'t': dtype and shape need 2 bytes, data_offsets give 1"},
        {WITH_SHAPE("[0]"), 1, MEMO_ERR_FORMAT,
         "'t': dtype and shape need 0 bytes, data_offsets give 1"},
        {WITH_DTYPE("\"F64\""), 1, MEMO_ERR_FORMAT, "need 8 bytes, data_offsets give 1"},
    };
    CHECK(cases);
}

static void test_limits_33_metadata_of_other_types(void **state)
{
    static const header_case cases[] = {
        {"{\"__metadata__\":[]}", 0, MEMO_ERR_FORMAT, "object of strings, at byte"},
        {"{\"__metadata__\":{\"a\":1}}", 0, MEMO_ERR_FORMAT, "'__metadata__' is not a string"},
        {"{\"__metadata__\":{\"a\":null}}", 0, MEMO_ERR_FORMAT, "'__metadata__' is not a string"},
        {"{\"__metadata__\":{\"a\":{}}}", 0, MEMO_ERR_FORMAT, "'__metadata__' is not a string"},
        {"{\"__metadata__\":{\"a\":[\"b\"]}}", 0, MEMO_ERR_FORMAT, "is not a string, at byte 29"},
    };
    CHECK(cases);
}

/* ---- size ------------------------------------------------------------------------------------ */

static double parse_many(size_t n_tensors, memo_status expected, size_t *n_bytes)
{
    st_sample s = st_sample_many(n_tensors);
    memo_safetensors *st = NULL;
    memo_err err = {0};
    limits_gauge g = limits_begin();

    assert_memo_status(memo_safetensors_parse(s.bytes, s.n, "many", &st, &err), expected, err);
    double ms = limits_cpu_ms() - g.ms;
    if (expected)
        assert_contains(err.message, "more than 200000 tensors");
    else
        st_sample_check(st, s.n);
    memo_safetensors_free(st);
    limits_end_within(g, "many tensors", 1e3, 16 * (s.n - n_tensors - 8) + (1 << 20));
    *n_bytes = s.n;
    free(s.bytes);
    return ms;
}

static void test_limits_34_a_million_tensors(void **state)
{
    size_t n_bytes;

    (void)state;
    double small = parse_many(20000, MEMO_OK, &n_bytes);
    double large = parse_many(200000, MEMO_OK, &n_bytes);
    if (large > 50 * small + 100) /* ten times the tensors; quadratic would be a hundred times */
        fail_msg("20,000 tensors take %.1f ms, 200,000 take %.1f ms", small, large);
    parse_many(200001, MEMO_ERR_LIMIT, &n_bytes);
    double million = parse_many(1000000, MEMO_ERR_LIMIT, &n_bytes);
    if (million > 3 * large + 100) /* it stops at the 200,001st */
        fail_msg("200,000 tensors take %.1f ms, 1,000,000 are refused in %.1f", large, million);
}

/* A value nested `depth` deep, closed again, between two pieces of a header. */
static char *nested_header(const char *before, const char *open, char close, const char *after)
{
    const size_t depth = 100000, n_open = strlen(open);
    char *header = malloc(depth * (n_open + 1) + strlen(before) + strlen(after) + 1), *at = header;

    assert_non_null(header);
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < depth; i++, at += n_open)
        memcpy(at, open, n_open);
    memset(at, close, depth);
    strcpy(at + depth, after);
    return header;
}

typedef struct nested_parse {
    char *header;
    memo_status status;
    memo_err err;
} nested_parse;

static void *parse_nested(void *user)
{
    nested_parse *p = user;
    memo_safetensors *st = NULL;
    p->status = st_sample_parse(p->header, 0, &st, &p->err);
    return st;
}

/* On a stack that 100,000 calls of any function would leave. */
static void check_nested(nested_parse *p)
{
    pthread_attr_t attr;
    pthread_t thread;
    void *st = NULL;

    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)256 << 10), 0);
    limits_gauge g = limits_begin();
    assert_int_equal(pthread_create(&thread, &attr, parse_nested, p), 0);
    assert_int_equal(pthread_join(thread, &st), 0);
    limits_end(g, "nested");
    assert_null(st);
    pthread_attr_destroy(&attr);
}

/* Nothing in a header is deeper than a list in an object in the object: refused at the first byte
 * that is, wherever it stands. */
static void test_limits_35_nested_metadata(void **state)
{
    static const struct {
        const char *before, *open;
        char close;
        const char *after, *says;
    } cases[] = {
        {"{\"__metadata__\":{\"a\":", "[", ']', "}}", "'__metadata__' is not a string, at byte 29"},
        {"{\"__metadata__\":{\"a\":", "{\"a\":", '}', "}}",
         "'__metadata__' is not a string, at byte 29"},
        {"{\"__metadata__\":", "[", ']', "}", "at byte 24"},
        {"{\"t\":", "[", ']', "}", "'t': expected an object"},
        {"{\"t\":", "{\"t\":", '}', "}", "'t'"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":", "[", ']', "}}", "'t'"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":", "[", ']', "}}", "'t'"},
        {"", "[", ']', "", "expected a JSON object, at byte 8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nested_parse p = {0};
        p.header = nested_header(cases[i].before, cases[i].open, cases[i].close, cases[i].after);
        check_nested(&p);
        if (p.status != MEMO_ERR_FORMAT || !strstr(p.err.message, cases[i].says))
            fail_msg("%s%s...: gives %s \"%s\", expected \"%s\"", cases[i].before, cases[i].open,
                     memo_status_name(p.status), p.err.message, cases[i].says);
        free(p.header);
    }
}

/* Names of 300 bytes, so that 200,000 tensors make 64 MiB of header. */
static double linear_header(size_t *n_bytes)
{
    size_t n_tensors = *n_bytes / 360 + 1, at = 0;
    char *header = malloc(n_tensors * 420 + 10), pad[300];
    memo_safetensors *st = NULL;
    memo_err err = {0};

    memset(pad, 'x', sizeof pad);
    header[at++] = '{';
    for (size_t i = 0; i < n_tensors; i++)
        at += (size_t)sprintf(
            header + at, "%s\"%zu.%.*s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
            i ? "," : "", i, (int)sizeof pad, pad);
    header[at++] = '}';
    st_sample s = st_sample_make(header, at, 0);
    free(header);
    double start = limits_cpu_ms();
    assert_memo_ok(memo_safetensors_parse(s.bytes, s.n, "linear", &st, &err), err);
    double ms = limits_cpu_ms() - start;
    memo_safetensors_free(st);
    *n_bytes = s.n;
    free(s.bytes);
    return ms;
}

static void test_limits_safetensors_is_linear(void **state)
{
    (void)state;
    limits_check_linear(linear_header, (size_t)64 << 20, "safetensors header");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_19_shorter_than_8),
        cmocka_unit_test(test_limits_20_header_length_0),
        cmocka_unit_test(test_limits_21_impossible_length),
        cmocka_unit_test(test_limits_22_not_json),
        cmocka_unit_test(test_limits_23_padding_is_accepted),
        cmocka_unit_test(test_limits_24_duplicate_names),
        cmocka_unit_test(test_limits_25_missing_and_extra_keys),
        cmocka_unit_test(test_limits_26_dtypes),
        cmocka_unit_test(test_limits_27_shapes),
        cmocka_unit_test(test_limits_28_scalars_and_zero_dimensions),
        cmocka_unit_test(test_limits_29_offsets_outside),
        cmocka_unit_test(test_limits_30_overlap_gap_and_tail),
        cmocka_unit_test(test_limits_31_empty_tensors_share_an_offset),
        cmocka_unit_test(test_limits_32_shape_against_extent),
        cmocka_unit_test(test_limits_33_metadata_of_other_types),
        cmocka_unit_test(test_limits_34_a_million_tensors),
        cmocka_unit_test(test_limits_35_nested_metadata),
        cmocka_unit_test(test_limits_safetensors_is_linear),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
