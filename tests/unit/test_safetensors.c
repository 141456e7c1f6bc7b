// SPDX-License-Identifier: Apache-2.0
/* The safetensors reader: what it accepts, each way a header can be wrong, hostile sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "format/safetensors.h"

/* A file in memory: the header's text and `data` zero bytes after it. Freed by the caller. */
typedef struct sample {
    unsigned char *bytes;
    size_t n;
} sample;

static sample make_sample(const char *header, size_t header_bytes, size_t data_bytes)
{
    sample s = {NULL, 8 + header_bytes + data_bytes};

    s.bytes = calloc(1, s.n);
    assert_non_null(s.bytes);
    for (int i = 0; i < 8; i++)
        s.bytes[i] = (unsigned char)((uint64_t)header_bytes >> 8 * i);
    memcpy(s.bytes + 8, header, header_bytes);
    return s;
}

static memo_status parse_text(const char *header, size_t data_bytes, memo_safetensors **st,
                              memo_err *err)
{
    sample s = make_sample(header, strlen(header), data_bytes);
    memo_status status = memo_safetensors_parse(s.bytes, s.n, "sample", st, err);

    free(s.bytes);
    return status;
}

/* The oracle of acceptance: extents tile the data, sizes agree, names can be found. */
static void check_accepted(const memo_safetensors *st, size_t n_bytes)
{
    uint64_t next = st->data_begin;

    for (size_t i = 0; i < st->n_tensors; i++) {
        const memo_st_tensor *t = &st->tensors[i];
        uint64_t values = 1;
        assert_int_equal(t->begin, next);
        for (size_t d = 0; d < t->n_dims; d++)
            values *= t->shape[d];
        assert_int_equal(values, t->n_values);
        assert_int_equal(values * memo_dtype_bits(t->dtype), (t->end - t->begin) * 8);
        assert_ptr_equal(memo_safetensors_find(st, t->name), t);
        next = t->end;
    }
    assert_int_equal(next, n_bytes);
}

static const char two_tensors[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"k\\u00e9y\":\"v\\n\"},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[2,26]},"
    "\"a\":{\"data_offsets\":[0,2],\"shape\":[],\"dtype\":\"BF16\"}}";

static void test_safetensors_reads_tensors_and_metadata(void **state)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    assert_int_equal(parse_text(two_tensors, 26, &st, &err), MEMO_OK);
    check_accepted(st, 8 + strlen(two_tensors) + 26);
    assert_int_equal(st->n_tensors, 2);
    assert_string_equal(st->tensors[0].name, "a"); /* order of the data, not of the header */
    assert_int_equal(st->tensors[0].dtype, MEMO_DTYPE_BF16);
    assert_int_equal(st->tensors[0].n_dims, 0);
    assert_int_equal(st->tensors[0].n_values, 1);
    assert_int_equal(st->tensors[1].shape[0], 2);
    assert_int_equal(st->tensors[1].shape[1], 3);
    assert_string_equal(memo_safetensors_metadata(st, "format"), "pt");
    assert_string_equal(memo_safetensors_metadata(st, "k\xC3\xA9y"), "v\n");
    assert_null(memo_safetensors_metadata(st, "absent"));
    assert_null(memo_safetensors_find(st, "absent"));
    memo_safetensors_free(st);
    memo_safetensors_free(NULL);
}

static void test_safetensors_every_dtype(void **state)
{
    (void)state;
    for (int d = 0; d < MEMO_DTYPE_COUNT; d++) {
        unsigned bits = memo_dtype_bits((memo_dtype)d);
        char header[200];
        memo_safetensors *st = NULL;
        /* 4 values of any dtype are whole bytes; 1 value of a sub-byte dtype is not. */
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%u]}}",
                 memo_dtype_name((memo_dtype)d), bits / 2);
        assert_int_equal(parse_text(header, bits / 2, &st, NULL), MEMO_OK);
        assert_int_equal(st->tensors[0].dtype, d);
        memo_safetensors_free(st);
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%u]}}",
                 memo_dtype_name((memo_dtype)d), (bits + 7) / 8);
        if (bits < 8) {
            assert_int_equal(parse_text(header, 1, &st, NULL), MEMO_ERR_FORMAT);
        } else {
            assert_int_equal(parse_text(header, bits / 8, &st, NULL), MEMO_OK);
            memo_safetensors_free(st);
        }
    }
}

static void test_safetensors_accepts_what_the_format_allows(void **state)
{
    static const struct {
        const char *header;
        size_t data;
    } cases[] = {
        {"{}", 0},
        {" {\n} \t\r\n", 0},
        {"{\"__metadata__\":{}}", 0},
        {"  {\"a\" : { \"dtype\" : \"U8\" , \"shape\" : [ 1 ] , \"data_offsets\" : [ 0 , 1 ] } }  ",
         1},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1},
        /* zero-size tensors sharing an offset with each other and with a real one */
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"y\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3},
        {"{\"\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\":"
         "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_safetensors *st = NULL;
        memo_err err = {0};
        memo_status status = parse_text(cases[i].header, cases[i].data, &st, &err);
        if (status)
            fail_msg("%s: %s", cases[i].header, err.message);
        check_accepted(st, 8 + strlen(cases[i].header) + cases[i].data);
        memo_safetensors_free(st);
    }
}

#define U8_1            "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}"
#define WITH_SHAPE(s)   "{\"t\":{\"dtype\":\"U8\",\"shape\":" s ",\"data_offsets\":[0,1]}}"
#define WITH_OFFSETS(s) "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":" s "}}"

static const struct {
    const char *header;
    size_t data;
    memo_status status;
    const char *says; /* a part of the message */
} wrong_headers[] = {
    {"", 0, MEMO_ERR_FORMAT, "header length 0"},
    {"x", 0, MEMO_ERR_FORMAT, "expected a JSON object, at byte 8"},
    {"[]", 0, MEMO_ERR_FORMAT, "expected a JSON object"},
    {"null", 0, MEMO_ERR_FORMAT, "expected a JSON object"},
    {"{", 0, MEMO_ERR_FORMAT, "at byte 9"},
    {"{}x", 0, MEMO_ERR_FORMAT, "bytes after the JSON object, at byte 10"},
    {"{}{}", 0, MEMO_ERR_FORMAT, "bytes after"},
    {"{,}", 0, MEMO_ERR_FORMAT, "tensor's name"},
    {"{\"t\":" U8_1 ",}", 1, MEMO_ERR_FORMAT, "tensor's name"},
    {"{\"t\":" U8_1 "", 1, MEMO_ERR_FORMAT, "expected ',' or '}'"},
    {"{\"t\xFF\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "not UTF-8, at byte 11"},
    {"{\"t\xC0\xAF\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "not UTF-8, at byte 11"},
    {"\xEF\xBB\xBF{}", 0, MEMO_ERR_FORMAT, "expected a JSON object"},
    {"{\"t\n\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "control character"},
    {"{\"t\\x\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "bad escape"},
    {"{\"t\\u12g4\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "bad escape"},
    {"{\"\\u0000\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "NUL"},
    {"{\"\\ud800\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
    {"{\"\\udc00\\ud800\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
    {"{\"\\ud800\\u0041\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "surrogate"},
    {"{\"t", 0, MEMO_ERR_FORMAT, "string without an end"},
    {"{'t':" U8_1 "}", 1, MEMO_ERR_FORMAT, "tensor's name"},
    {"{\"t\" " U8_1 "}", 1, MEMO_ERR_FORMAT, "expected ':'"},
    {"{\"t\":" U8_1 ",\"t\":" U8_1 "}", 1, MEMO_ERR_FORMAT, "begins at data byte 0, inside"},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"\\u0074\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, MEMO_ERR_FORMAT, "two tensors are named 't'"},
    {"{\"t\":1}", 1, MEMO_ERR_FORMAT, "'t': expected an object"},
    {"{\"t\":{}}", 1, MEMO_ERR_FORMAT, "expected 'dtype', 'shape' and 'data_offsets'"},
    {"{\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MEMO_ERR_FORMAT, "'dtype' is missing"},
    {"{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, MEMO_ERR_FORMAT, "'shape' is missing"},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, MEMO_ERR_FORMAT, "'data_offsets' is missing"},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, MEMO_ERR_FORMAT,
     "unknown field"},
    {"{\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     MEMO_ERR_FORMAT, "twice"},
    {"{\"t\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MEMO_ERR_FORMAT,
     "'dtype' must be a string"},
    {"{\"t\":{\"dtype\":\"u8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MEMO_ERR_UNSUPPORTED,
     "'t': unknown dtype 'u8'"},
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
    {WITH_SHAPE("[4294967296,4294967296]"), 1, MEMO_ERR_FORMAT, "overflows"},
    {WITH_SHAPE("[18446744073709551615]"), 1, MEMO_ERR_FORMAT, "overflows"},
    {WITH_SHAPE("[2]"), 1, MEMO_ERR_FORMAT, "need 2 bytes, data_offsets give 1"},
    {WITH_SHAPE("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
     1, MEMO_ERR_LIMIT, "more than 64 dimensions"},
    {WITH_OFFSETS("[0]"), 1, MEMO_ERR_FORMAT, "list of two"},
    {WITH_OFFSETS("[0,1,2]"), 1, MEMO_ERR_FORMAT, "list of two"},
    {WITH_OFFSETS("[-1,1]"), 1, MEMO_ERR_FORMAT, "non-negative"},
    {WITH_OFFSETS("[1,0]"), 1, MEMO_ERR_FORMAT, "[1, 0] do not lie in the 1 bytes"},
    {WITH_OFFSETS("[0,2]"), 1, MEMO_ERR_FORMAT, "[0, 2] do not lie in the 1 bytes"},
    {WITH_OFFSETS("[1,2]"), 2, MEMO_ERR_FORMAT, "leaving a gap"},
    {WITH_OFFSETS("[0,1]"), 2, MEMO_ERR_FORMAT, "tensors end at data byte 1"},
    {WITH_OFFSETS("[18446744073709551615,0]"), 1, MEMO_ERR_FORMAT, "do not lie"},
    {"{}", 1, MEMO_ERR_FORMAT, "tensors end at data byte 0"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
     3, MEMO_ERR_FORMAT, "'b' begins at data byte 1, inside the tensor that ends at 2"},
    {"{\"__metadata__\":[]}", 0, MEMO_ERR_FORMAT, "object of strings"},
    {"{\"__metadata__\":{\"a\":1}}", 0, MEMO_ERR_FORMAT, "not a string"},
    {"{\"__metadata__\":{\"a\":null}}", 0, MEMO_ERR_FORMAT, "not a string"},
    {"{\"__metadata__\":{\"a\":\"x\",\"\\u0061\":\"y\"}}", 0, MEMO_ERR_FORMAT, "the key 'a' twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, MEMO_ERR_FORMAT, "there twice"},
};

static void test_safetensors_refuses_each_wrong_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_headers / sizeof *wrong_headers; i++) {
        memo_safetensors *st = NULL;
        memo_err err = {0};
        memo_status status = parse_text(wrong_headers[i].header, wrong_headers[i].data, &st, &err);
        if (status != wrong_headers[i].status || !strstr(err.message, wrong_headers[i].says))
            fail_msg("%s\n  gives %s \"%s\"\n  expected %s \"%s\"", wrong_headers[i].header,
                     memo_status_name(status), err.message,
                     memo_status_name(wrong_headers[i].status), wrong_headers[i].says);
        assert_null(st);
    }
}

static void test_safetensors_length_comes_first(void **state)
{
    static const struct {
        uint64_t length;
        memo_status status;
    } cases[] = {{0, MEMO_ERR_FORMAT},
                 {3, MEMO_ERR_FORMAT},
                 {UINT64_C(1) << 63, MEMO_ERR_FORMAT},
                 {UINT64_MAX, MEMO_ERR_FORMAT}};
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    for (size_t n = 0; n < 8; n++) {
        assert_int_equal(memo_safetensors_parse("12345678", n, "sample", &st, &err),
                         MEMO_ERR_FORMAT);
        assert_non_null(strstr(err.message, "shorter than 8"));
    }
    memo_alloc_fail_at(0, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[10] = {0};
        for (int b = 0; b < 8; b++)
            bytes[b] = (unsigned char)(cases[i].length >> 8 * b);
        assert_int_equal(memo_safetensors_parse(bytes, sizeof bytes, "sample", &st, &err),
                         cases[i].status);
    }
    /* A header of 100,000,001 bytes that is really there. */
    size_t n = (size_t)MEMO_SAFETENSORS_MAX_HEADER + 1;
    sample s = make_sample("{}", 2, n - 2);
    for (int b = 0; b < 8; b++)
        s.bytes[b] = (unsigned char)((uint64_t)n >> 8 * b);
    assert_int_equal(memo_safetensors_parse(s.bytes, s.n, "sample", &st, &err), MEMO_ERR_LIMIT);
    assert_non_null(strstr(err.message, "100000001"));
    assert_non_null(strstr(err.message, "100000000"));
    free(s.bytes);
    assert_int_equal(memo_alloc_count(), 0); /* none of these allocated anything */
}

/* Every truncation of a sample is refused; every single changed bit is refused or still tiles. */
static void test_safetensors_truncations_and_bit_flips(void **state)
{
    sample s = make_sample(two_tensors, strlen(two_tensors), 26);
    memo_safetensors *st = NULL;
    int64_t live = memo_alloc_live();

    (void)state;
    for (size_t n = 0; n < s.n; n++) {
        unsigned char *cut = malloc(n ? n : 1); /* its own block: a read beyond it is seen */
        assert_non_null(cut);
        memcpy(cut, s.bytes, n);
        assert_int_equal(memo_safetensors_parse(cut, n, "cut", &st, NULL), MEMO_ERR_FORMAT);
        free(cut);
    }
    for (size_t bit = 0; bit < s.n * 8; bit++) {
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (memo_safetensors_parse(s.bytes, s.n, "flip", &st, NULL) == MEMO_OK) {
            check_accepted(st, s.n);
            memo_safetensors_free(st);
        }
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(s.bytes);
    assert_int_equal(memo_alloc_live(), live);
}

static void test_safetensors_deep_nesting(void **state)
{
    const size_t depth = 100000;
    char *header = malloc(depth * 2 + 100);
    size_t n = (size_t)sprintf(header, "{\"__metadata__\":{\"a\":");
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    memset(header + n, '[', depth);
    memset(header + n + depth, ']', depth);
    strcpy(header + n + 2 * depth, "}}");
    assert_int_equal(parse_text(header, 0, &st, &err), MEMO_ERR_FORMAT);
    assert_non_null(strstr(err.message, "not a string"));
    free(header);
}

/* n tensors of one byte each. */
static sample many_tensors(size_t n)
{
    char *header = malloc(n * 90 + 10);
    size_t at = 0;

    assert_non_null(header);
    header[at++] = '{';
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(
            header + at, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
            i ? "," : "", i, i, i + 1);
    header[at++] = '}';
    sample s = make_sample(header, at, n);
    free(header);
    return s;
}

static double parse_seconds(size_t n_tensors, memo_status expected)
{
    sample s = many_tensors(n_tensors);
    memo_safetensors *st = NULL;
    double start = memo_monotonic_ms();
    memo_status status = memo_safetensors_parse(s.bytes, s.n, "many", &st, NULL);
    double seconds = (memo_monotonic_ms() - start) / 1000;

    assert_int_equal(status, expected);
    if (status == MEMO_OK) {
        check_accepted(st, s.n);
        memo_safetensors_free(st);
    }
    free(s.bytes);
    return seconds;
}

static void test_safetensors_many_tensors(void **state)
{
    (void)state;
    double small = parse_seconds(20000, MEMO_OK), large = parse_seconds(200000, MEMO_OK);

    if (large > 50 * small + 1) /* ten times the tensors; quadratic would be a hundred times */
        fail_msg("20,000 tensors take %.3f s, 200,000 take %.3f s", small, large);
    parse_seconds(200001, MEMO_ERR_LIMIT);
    parse_seconds(1000000, MEMO_ERR_LIMIT);
}

/* -- bounded memory --------------------------------------------------------------------------- */

static size_t counted_bytes;

static void *counting_malloc(void *user, size_t n)
{
    (void)user;
    counted_bytes += n;
    return malloc(n);
}

static void *counting_realloc(void *user, void *p, size_t n)
{
    (void)user;
    counted_bytes += n;
    return realloc(p, n);
}

static void counting_free(void *user, void *p)
{
    (void)user;
    free(p);
}

/* The three forms of header that need most memory for their bytes. */
static void test_safetensors_memory_is_bounded(void **state)
{
    enum { N = 60000 };
    char *headers[3] = {NULL, malloc(N * 90), malloc(N * 10)};
    sample many = many_tensors(N);
    memo_safetensors *st = NULL;
    size_t at = 0;

    (void)state;
    at = (size_t)sprintf(headers[2], "{\"__metadata__\":{");
    for (int i = 0; i < N; i++)
        at += (size_t)sprintf(headers[2] + at, "%s\"%x\":\"\"", i ? "," : "", (unsigned)i);
    sprintf(headers[2] + at, "}}");
    at = (size_t)sprintf(headers[1], "{");
    for (int i = 0; i < N / 40; i++) {
        at += (size_t)sprintf(headers[1] + at, "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[0",
                              i ? "," : "", (unsigned)i);
        for (unsigned d = 1; d < MEMO_SAFETENSORS_MAX_DIMS; d++)
            at += (size_t)sprintf(headers[1] + at, ",1");
        at += (size_t)sprintf(headers[1] + at, "],\"data_offsets\":[0,0]}");
    }
    sprintf(headers[1] + at, "}");
    for (int i = 0; i < 3; i++) {
        sample s = i ? make_sample(headers[i], strlen(headers[i]), 0) : many;
        size_t header_bytes = i ? strlen(headers[i]) : s.n - 8 - N;
        counted_bytes = 0;
        assert_int_equal(memo_safetensors_parse(s.bytes, s.n, "memory", &st, NULL), MEMO_OK);
        if (counted_bytes > 16 * header_bytes + (1u << 20))
            fail_msg("header %d of %zu bytes: %zu bytes allocated", i, header_bytes, counted_bytes);
        memo_safetensors_free(st);
        free(s.bytes);
        free(headers[i]);
    }
}

static void test_safetensors_every_allocation_can_fail(void **state)
{
    int64_t live = memo_alloc_live();

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        for (uint64_t n = 1; status; n++) {
            memo_safetensors *st = NULL;
            memo_alloc_fail_at(n, sticky);
            status = parse_text(two_tensors, 26, &st, NULL);
            memo_alloc_fail_at(0, 0);
            assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
            assert_true(n < 100);
            if (status)
                assert_null(st);
            memo_safetensors_free(st);
            assert_int_equal(memo_alloc_live(), live);
        }
    }
}

/* -- files ------------------------------------------------------------------------------------ */

static void test_safetensors_reads_a_file(void **state)
{
    char path[] = "/tmp/memo-st-XXXXXX";
    int fd = mkstemp(path);
    sample s = make_sample(two_tensors, strlen(two_tensors), 26);
    memo_file file = {0};
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    assert_true(fd >= 0);
    for (size_t n = 0; n <= s.n; n += n < 12 || n + 12 > s.n ? 1 : 7) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, s.bytes, n, 0), n);
        assert_int_equal(memo_file_open(&file, path, &err), MEMO_OK);
        memo_status status = memo_safetensors_read(&file, &st, &err);
        memo_file_close(&file);
        assert_int_equal(status, n == s.n ? MEMO_OK : MEMO_ERR_FORMAT);
        if (n < s.n)
            assert_non_null(strstr(err.message, path));
    }
    check_accepted(st, s.n);
    memo_safetensors_free(st);
    close(fd);
    unlink(path);
    free(s.bytes);
}

/* The collection of valid and broken files that lies beside the source tree, where it is there. */
static void test_safetensors_malformed_collection(void **state)
{
    const char *shared = getenv("MEMO_SHARED");
    char path[1024], line[1024], command[2048];
    int n = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/data/malformed/MANIFEST.tsv",
             shared ? shared : MEMO_SOURCE_DIR "/../shared");
    FILE *manifest = fopen(path, "r");
    if (!manifest) {
        print_message("SKIPPED: %s is not there\n", path);
        skip();
    }
    while (fgets(line, sizeof line, manifest)) {
        char name[200], expectation[40];
        if (sscanf(line, "safetensors/%199s %39s", name, expectation) != 2)
            continue;
        static unsigned char bytes[1 << 20];
        snprintf(command, sizeof command, "tar -xJOf '%.*s/model_files.tar.xz' 'safetensors/%s'",
                 (int)(strrchr(path, '/') - path), path, name);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        size_t n_bytes = fread(bytes, 1, sizeof bytes, pipe);
        assert_int_equal(pclose(pipe), 0);
        memo_safetensors *st = NULL;
        memo_err err = {0};
        memo_status status = memo_safetensors_parse(bytes, n_bytes, name, &st, &err);
        if ((status == MEMO_OK) != (strcmp(expectation, "accept") == 0))
            fail_msg("%s: expected %s, got %s %s", name, expectation, memo_status_name(status),
                     err.message);
        if (status == MEMO_OK)
            check_accepted(st, n_bytes);
        memo_safetensors_free(st);
        n++;
    }
    fclose(manifest);
    assert_int_equal(n, 21);
}

/* One file of JSONTestSuite: as a whole header, and, where it is a list of one string, that string
 * as a metadata value. Returns 1 when the second was tried. */
static int try_json_file(const char *name, const char *json, size_t n)
{
    memo_safetensors *st = NULL;
    sample whole = make_sample(json, n, 0);
    memo_status status = memo_safetensors_parse(whole.bytes, whole.n, name, &st, NULL);

    free(whole.bytes);
    if (name[0] == 'n')
        assert_int_not_equal(status, MEMO_OK);
    if (status == MEMO_OK)
        memo_safetensors_free(st);
    if (strncmp(name + 1, "_string_", 8) != 0 || n < 2 || json[0] != '[' || json[n - 1] != ']')
        return 0;
    static const char before[] = "{\"__metadata__\":{\"a\":", after[] = "}}";
    char *header = malloc(n + sizeof before + sizeof after);
    size_t at = sizeof before - 1;
    memcpy(header, before, at);
    memcpy(header + at, json + 1, n - 2);
    memcpy(header + at + n - 2, after, 2);
    sample wrapped = make_sample(header, at + n, 0);
    memo_err err = {0};
    status = memo_safetensors_parse(wrapped.bytes, wrapped.n, name, &st, &err);
    free(header);
    free(wrapped.bytes);
    if (name[0] == 'n' && status == MEMO_OK)
        fail_msg("%s is accepted", name);
    /* A NUL is the one thing that valid JSON may hold and a header of ours may not. */
    if (name[0] == 'y' && status && !strstr(err.message, "NUL"))
        fail_msg("%s is refused: %s", name, err.message);
    if (status == MEMO_OK)
        memo_safetensors_free(st);
    return 1;
}

static void test_safetensors_json_test_suite(void **state)
{
    static char json[1 << 20];
    const char *shared = getenv("MEMO_SHARED");
    char archive[1024], command[4096], folder[] = "/tmp/memo-json-XXXXXX";
    int n_files = 0, n_strings = 0;

    (void)state;
    snprintf(archive, sizeof archive, "%s/data/malformed/json_test_suite.tar.xz",
             shared ? shared : MEMO_SOURCE_DIR "/../shared");
    if (access(archive, R_OK) != 0) {
        print_message("SKIPPED: %s is not there\n", archive);
        skip();
    }
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "tar -xJf '%s' -C %s && ls %s/test_parsing", archive, folder,
             folder);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    for (char name[256]; fgets(name, sizeof name, list); n_files++) {
        char path[512];
        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof path, "%s/test_parsing/%s", folder, name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t n = fread(json, 1, sizeof json, file);
        fclose(file);
        n_strings += try_json_file(name, json, n);
    }
    assert_int_equal(pclose(list), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(n_files, 318);
    assert_true(n_strings > 60);
}

int main(void)
{
    const memo_allocator counting = {counting_malloc, counting_realloc, counting_free, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_reads_tensors_and_metadata),
        cmocka_unit_test(test_safetensors_every_dtype),
        cmocka_unit_test(test_safetensors_accepts_what_the_format_allows),
        cmocka_unit_test(test_safetensors_refuses_each_wrong_header),
        cmocka_unit_test(test_safetensors_length_comes_first),
        cmocka_unit_test(test_safetensors_truncations_and_bit_flips),
        cmocka_unit_test(test_safetensors_deep_nesting),
        cmocka_unit_test(test_safetensors_many_tensors),
        cmocka_unit_test(test_safetensors_memory_is_bounded),
        cmocka_unit_test(test_safetensors_every_allocation_can_fail),
        cmocka_unit_test(test_safetensors_reads_a_file),
        cmocka_unit_test(test_safetensors_malformed_collection),
        cmocka_unit_test(test_safetensors_json_test_suite),
    };

    if (memo_set_allocator(&counting, NULL))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
