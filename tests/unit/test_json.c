// SPDX-License-Identifier: Apache-2.0
/* JSON access: the limits, what strictness refuses, typed members, and nst/JSONTestSuite. */
#include "memo_test.h"

#include <dirent.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"

static const memo_json_limits small_limits = {
    .max_bytes = 1000, .max_depth = 4, .max_values = 6, .max_keys = 3, .max_expansion = 100};

static memo_status parse_n(const char *text, size_t n, const memo_json_limits *limits,
                           memo_err *err)
{
    json_t *json = NULL;
    memo_status status = memo_json_parse(text, n, limits, "t", &json, err);
    assert_int_equal(status == MEMO_OK, json != NULL);
    json_decref(json);
    return status;
}

static memo_status parse_small(const char *text, memo_err *err)
{
    return parse_n(text, strlen(text), &small_limits, err);
}

static memo_status parse_request(const char *text, memo_err *err)
{
    return parse_n(text, strlen(text), &memo_json_request_limits, err);
}

static void test_json_limit_of_bytes(void **state)
{
    (void)state;
    char text[1001];
    memo_err err = {0};
    memset(text, ' ', sizeof text);
    text[0] = '1';
    assert_memo_ok(parse_n(text, 1000, &small_limits, &err), err);
    assert_memo_status(parse_n(text, 1001, &small_limits, &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "1001 bytes of JSON; at most 1000");
}

static void test_json_limit_of_depth(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_ok(parse_small("[[[[]]]]", &err), err);
    assert_memo_ok(parse_small("[[],[],[],[]]", &err), err);
    assert_memo_ok(parse_small("\"[[[[[[[\"", &err), err);
    assert_memo_ok(parse_small("[\"\\\"[[[[[\\\\\"]", &err), err);
    assert_memo_status(parse_small("[[[\n{\"a\":[]}]]]", &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "t: line 2 column 6: nested too deep; at most 4");
}

/* 32 deep is the limit of requests, and 100,000 deep must not cost stack. */
static void test_json_hostile_depth(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    memo_err err = {0};
    char *text = malloc(DEEP);
    assert_non_null(text);
    memset(text, '[', DEEP);
    memset(text + 32, ']', 32);
    assert_memo_ok(parse_n(text, 64, &memo_json_request_limits, &err), err);
    memset(text, '[', DEEP);
    memset(text + 33, ']', 33);
    assert_memo_status(parse_n(text, 66, &memo_json_request_limits, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "column 33");
    memset(text, '[', DEEP);
    assert_memo_status(parse_n(text, DEEP, &memo_json_vocab_limits, &err), MEMO_ERR_FORMAT, err);
    for (size_t i = 0; i + 5 <= DEEP; i += 5)
        memcpy(text + i, "{\"\":", 4), text[i + 4] = ' ';
    assert_memo_status(parse_n(text, DEEP, &memo_json_header_limits, &err), MEMO_ERR_FORMAT, err);
    free(text);
}

/* Limits of the caller beyond 64 levels are cut to 64. */
static void test_json_depth_has_a_ceiling(void **state)
{
    (void)state;
    memo_json_limits limits = small_limits;
    char text[200];
    memo_err err = {0};
    limits.max_depth = limits.max_values = SIZE_MAX - 1;
    memset(text, '[', 65);
    memset(text + 64, ']', 64);
    assert_memo_ok(parse_n(text, 128, &limits, &err), err);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_memo_status(parse_n(text, 130, &limits, &err), MEMO_ERR_FORMAT, err);
}

static void test_json_limit_of_values(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_ok(parse_small("[1,\"b\",null,true,-2.5e+3]", &err), err);
    assert_memo_ok(parse_small("{\"a\":1,\"b\":[2,3],\"c\":{}}", &err), err); /* keys are free */
    assert_memo_ok(parse_small("{\"a\":{\"b\":1,\"c\":2,\"d\":3},\"e\":4}", &err), err);
    assert_memo_status(parse_small("[1,\"b\",null,true,-2.5e+3,{}]", &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "too many values; at most 6");
    assert_memo_status(parse_small("{\"a\":{\"b\":1,\"c\":2,\"d\":3},\"e\":[4]}", &err),
                       MEMO_ERR_LIMIT, err);
}

static void test_json_limit_of_keys_is_per_object(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_ok(parse_small("{\"a\":{\"a\":1,\"b\":1},\"b\":1,\"c\":1}", &err), err);
    memo_json_limits one_key = small_limits;
    one_key.max_keys = 1;
    assert_memo_ok(parse_n("[{\"a\":1},{\"a\":1}]", 17, &one_key, &err), err);
    assert_memo_ok(parse_small("{\"a\":\":::::\"}", &err), err);
    assert_memo_status(parse_small("{\"a\":1,\"b\":1,\"c\":1,\"d\":1}", &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "too many keys in one object; at most 3");
}

static void test_json_refuses_what_is_not_strict_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}", /* one name in two spellings */
        "[NaN]",
        "[Infinity]",
        "[1]x",
        "[1] [2]",
        "\xEF\xBB\xBF[1]",
        "[\"\xFF\"]",
        "[\"\xC0\x80\"]",
        "[\"\xED\xA0\x80\"]",
        "[\"\\uD800\"]",
        "[\"\\uDC00\"]",
        "[\"\\uD800\\u0041\"]",
        "[1,]",
        "[1, // one\n 2]",
        "{'a':1}",
        "[01]",
        "[\"a\nb\"]",
        "{\"a\\u0000\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memo_err err = {0};
        if (parse_request(bad[i], &err) != MEMO_ERR_FORMAT)
            fail_msg("%s: %s %s", bad[i], memo_status_name(err.status), err.message);
        assert_true(memcmp(err.message, "t: ", 3) == 0);
    }
    memo_err err = {0};
    assert_memo_status(parse_n("[1]\0", 4, &memo_json_request_limits, &err), MEMO_ERR_FORMAT, err);
    assert_memo_status(parse_n("[1\0,2]", 6, &memo_json_request_limits, &err), MEMO_ERR_FORMAT,
                       err);
    assert_contains(err.message, "line 1 column 3: a NUL byte");
}

static void test_json_numbers_out_of_range_name_their_member(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_status(parse_request("[1e400]", &err), MEMO_ERR_VALUE, err);
    assert_contains(err.message, "t: line 1 column ");
    assert_memo_status(
        parse_request("{\"a\":\"x:\",\n \"big\" : 99999999999999999999, \"c\":1}", &err),
        MEMO_ERR_VALUE, err);
    assert_contains(err.message, "t.big: line 2 column ");
    assert_memo_status(parse_request("{\"a\":{\"b\":1},\"c\":[2,-1e309]}", &err), MEMO_ERR_VALUE,
                       err);
    assert_contains(err.message, "t.c: line 1 column ");
}

static void test_json_errors_have_line_and_column(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_status(parse_request("{\n  \"a\": 1,\n  }", &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "t: line 3 column 3: ");
}

static json_t *parse_object(const char *text)
{
    json_t *json = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_json_parse(text, strlen(text), &memo_json_request_limits, "t", &json, &err),
                   err);
    return json;
}

static void test_json_size_members(void **state)
{
    (void)state;
    memo_err err = {0};
    size_t n = 77;
    json_t *o = parse_object("{\"n\":12,\"neg\":-1,\"real\":12.0,\"s\":\"12\",\"null\":null,"
                             "\"big\":9223372036854775807}");
    assert_memo_ok(memo_json_get_size(o, "c", "absent", 0, (memo_json_sizes){1, 9}, &n, &err), err);
    assert_memo_ok(memo_json_get_size(o, "c", "null", 0, (memo_json_sizes){1, 9}, &n, &err), err);
    assert_int_equal(n, 77);
    assert_memo_status(memo_json_get_size(o, "c", "absent", 1, (memo_json_sizes){1, 9}, &n, &err),
                       MEMO_ERR_FORMAT, err);
    assert_string_equal(err.message, "c: has no \"absent\"");
    assert_memo_status(memo_json_get_size(o, "c", "null", 1, (memo_json_sizes){1, 9}, &n, &err),
                       MEMO_ERR_FORMAT, err);
    assert_memo_status(memo_json_get_size(o, "c", "n", 1, (memo_json_sizes){13, 20}, &n, &err),
                       MEMO_ERR_VALUE, err);
    assert_memo_status(memo_json_get_size(o, "c", "n", 1, (memo_json_sizes){1, 11}, &n, &err),
                       MEMO_ERR_VALUE, err);
    assert_string_equal(err.message, "c.n: is 12, not between 1 and 11");
    assert_memo_status(
        memo_json_get_size(o, "c", "neg", 1, (memo_json_sizes){0, SIZE_MAX}, &n, &err),
        MEMO_ERR_VALUE, err);
    assert_memo_status(memo_json_get_size(o, "c", "real", 1, (memo_json_sizes){0, 99}, &n, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "c.real: is a real number, not an integer");
    assert_memo_status(memo_json_get_size(o, "c", "s", 1, (memo_json_sizes){0, 99}, &n, &err),
                       MEMO_ERR_VALUE, err);
    assert_int_equal(n, 77); /* untouched by every failure */
    assert_memo_ok(memo_json_get_size(o, "c", "n", 1, (memo_json_sizes){12, 12}, &n, &err), err);
    assert_int_equal(n, 12);
    assert_memo_ok(memo_json_get_size(o, "c", "big", 1, (memo_json_sizes){0, SIZE_MAX}, &n, &err),
                   err);
    assert_int_equal(n, INT64_MAX);
    json_decref(o);
}

static void test_json_double_members(void **state)
{
    (void)state;
    memo_err err = {0};
    double x = 7;
    json_t *o = parse_object("{\"x\":-0.25,\"i\":3,\"s\":\"3\"}");
    assert_memo_ok(memo_json_get_double(o, "c", "absent", 0, (memo_json_reals){0, 1}, &x, &err),
                   err);
    assert_true(x == 7);
    assert_memo_ok(memo_json_get_double(o, "c", "x", 1, (memo_json_reals){-1, 1}, &x, &err), err);
    assert_true(x == -0.25);
    assert_memo_ok(memo_json_get_double(o, "c", "i", 1, (memo_json_reals){0, 3}, &x, &err), err);
    assert_true(x == 3);
    assert_memo_status(memo_json_get_double(o, "c", "x", 1, (memo_json_reals){0, 1}, &x, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "c.x: is -0.25, not between 0 and 1");
    assert_memo_status(memo_json_get_double(o, "c", "s", 1, (memo_json_reals){0, 9}, &x, &err),
                       MEMO_ERR_VALUE, err);
    json_decref(o);
}

static void test_json_string_and_bool_members(void **state)
{
    (void)state;
    memo_err err = {0};
    const char *s = "default";
    int flag = 5;
    json_t *o = parse_object("{\"s\":\"caf\\u00e9\",\"nul\":\"a\\u0000b\",\"t\":true,\"f\":false}");
    assert_memo_ok(memo_json_get_string(o, "c", "absent", 0, &s, &err), err);
    assert_string_equal(s, "default");
    assert_memo_status(memo_json_get_string(o, "c", "nul", 1, &s, &err), MEMO_ERR_VALUE, err);
    assert_contains(err.message, "c.nul: holds a NUL");
    assert_memo_status(memo_json_get_string(o, "c", "t", 1, &s, &err), MEMO_ERR_VALUE, err);
    assert_contains(err.message, "c.t: is true, not a string");
    assert_memo_ok(memo_json_get_string(o, "c", "s", 1, &s, &err), err);
    assert_string_equal(s, "caf\xC3\xA9");
    assert_memo_ok(memo_json_get_bool(o, "c", "absent", 0, &flag, &err), err);
    assert_int_equal(flag, 5);
    assert_memo_ok(memo_json_get_bool(o, "c", "t", 1, &flag, &err), err);
    assert_int_equal(flag, 1);
    assert_memo_ok(memo_json_get_bool(o, "c", "f", 1, &flag, &err), err);
    assert_int_equal(flag, 0);
    assert_memo_status(memo_json_get_bool(o, "c", "s", 1, &flag, &err), MEMO_ERR_VALUE, err);
    json_decref(o);
    o = parse_object("[1]");
    assert_memo_status(memo_json_get_bool(o, "c", "t", 0, &flag, &err), MEMO_ERR_VALUE, err);
    assert_contains(err.message, "c: is an array, not an object");
    assert_memo_status(memo_json_get_bool(NULL, "c", "t", 0, &flag, &err), MEMO_ERR_VALUE, err);
    json_decref(o);
}

static void test_json_fault_names_text_and_place(void **state)
{
    memo_err err = {0};
    json_t *json = NULL;
    (void)state;
    assert_memo_status(
        memo_json_parse("{\"a\":,}", 7, &memo_json_request_limits, "config.json", &json, &err),
        MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "config.json: line 1 column 6");
}

static memo_status sweep_json(void *text, memo_err *err)
{
    json_t *json = NULL;
    memo_status status =
        memo_json_parse(text, strlen(text), &memo_json_request_limits, "text", &json, err);
    json_decref(json);
    return status;
}

static memo_status sweep_dump(void *json, memo_err *err)
{
    char *text = NULL;
    memo_status status = memo_json_dump(json, JSON_COMPACT, "a text", &text, err);
    if (status == MEMO_OK)
        assert_string_equal(text, "{\"a\":[1,2]}");
    else
        assert_null(text);
    memo_free(text);
    return status;
}

static void test_json_dump_gives_the_text_or_nothing(void **state)
{
    memo_err err = {0};
    char *text = NULL;
    json_t *json = parse_object("{\"a\": [1, 2]}");
    (void)state;
    assert_true(memo_test_alloc_sweep(sweep_dump, json) >= 1);
    json_decref(json);
    assert_memo_status(memo_json_dump(NULL, 0, "a text", &text, &err), MEMO_ERR_NOMEM, err);
    assert_contains(err.message, "a text");
    assert_null(text);
}

static void test_json_survives_allocation_failures(void **state)
{
    char text[] = "[1]";
    (void)state;
    assert_true(memo_test_alloc_sweep(sweep_json, text) >= 2); /* the array, the number */
}

/* "[UNIT,UNIT,...]"; a '#' in the unit becomes the item's number. */
static void put_repeated(memo_buf *buf, const char *open, const char *unit, size_t n)
{
    memo_buf_puts(buf, open);
    for (size_t i = 0; i < n; i++) {
        if (i)
            memo_buf_putc(buf, ',');
        for (const char *c = unit; *c; c++) {
            if (*c == '#')
                memo_buf_printf(buf, "%zu", i);
            else
                memo_buf_putc(buf, *c);
        }
    }
    memo_buf_putc(buf, *open == '[' ? ']' : '}');
    assert_int_equal(buf->failed, 0);
}

static size_t jansson_live, jansson_peak;

static void *jansson_malloc(size_t n)
{
    size_t *p = malloc(n + 16);
    if (!p)
        return NULL;
    *p = n;
    jansson_live += (n + 8 + 15) / 16 * 16; /* as glibc rounds */
    if (jansson_live > jansson_peak)
        jansson_peak = jansson_live;
    return p + 2;
}

static void jansson_free(void *p)
{
    if (!p)
        return;
    size_t *block = (size_t *)p - 2;
    jansson_live -= (*block + 8 + 15) / 16 * 16;
    free(block);
}

/* Parses under an expansion limit that just passes and checks jansson's peak against it. */
static void check_memory(const char *open, const char *unit)
{
    memo_buf buf = {0};
    memo_err err = {0};
    memo_json_limits limits = memo_json_vocab_limits;
    put_repeated(&buf, open, unit, 20000);
    limits.max_expansion = 0;
    while (parse_n(buf.data, buf.n, &limits, &err) == MEMO_ERR_LIMIT)
        limits.max_expansion++;
    jansson_live = jansson_peak = 0;
    json_set_alloc_funcs(jansson_malloc, jansson_free);
    assert_memo_ok(parse_n(buf.data, buf.n, &limits, &err), err);
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(jansson_live, 0);
    if (jansson_peak > buf.n * limits.max_expansion + (1 << 20))
        fail_msg("%s%s: jansson takes %.1f times the text, the estimate is %zu", open, unit,
                 (double)jansson_peak / (double)buf.n, limits.max_expansion);
    memo_buf_fini(&buf);
}

static void test_json_memory_stays_below_the_estimate(void **state)
{
    (void)state;
    static const char *const units[] = {"[]",       "{}",          "1",          "\"\"",
                                        "\"#\"",    "{\"\":1}",    "{\"a\":{}}", "[\"a\",\"b\"]",
                                        "[[[[]]]]", "{\"#\":[#]}", "-1.5e3",     "true"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        check_memory("[", units[i]);
    check_memory("{", "\"#\":0");
    check_memory("{", "\"#\":{}");
    check_memory("{", "\"layer.#\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[#,#]}");
}

static void check_expansion(const char *open, const char *unit, const memo_json_limits *limits,
                            memo_status wanted)
{
    memo_buf buf = {0};
    memo_err err = {0};
    put_repeated(&buf, open, unit, 20000);
    assert_memo_status(parse_n(buf.data, buf.n, limits, &err), wanted, err);
    if (wanted != MEMO_OK)
        assert_contains(err.message, "too many small values");
    memo_buf_fini(&buf);
}

static void test_json_limit_of_memory(void **state)
{
    (void)state;
    check_expansion("[", "{}", &memo_json_header_limits, MEMO_ERR_LIMIT);
    check_expansion("[", "{}", &memo_json_vocab_limits, MEMO_ERR_LIMIT);
    check_expansion("[", "[]", &memo_json_header_limits, MEMO_ERR_LIMIT);
    check_expansion("[", "[\"ab\",\"cd\"]", &memo_json_vocab_limits, MEMO_OK);
    check_expansion("{", "\"t#\":#", &memo_json_vocab_limits, MEMO_OK);
    check_expansion("{", "\"t#\":{\"dtype\":\"F32\",\"shape\":[#],\"data_offsets\":[#,#]}",
                    &memo_json_header_limits, MEMO_OK);
}

/* Time per byte must not grow with the text: 8 times the text in at most 24 times the time. */
static double seconds_to_parse(size_t n_items)
{
    memo_buf buf = {0};
    memo_err err = {0};
    struct timespec a, b;
    put_repeated(&buf, "{", "\"key#\":\"value\"", n_items);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_memo_ok(parse_n(buf.data, buf.n, &memo_json_vocab_limits, &err), err);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    memo_buf_fini(&buf);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static void test_json_parses_in_linear_time(void **state)
{
    (void)state;
    double small = seconds_to_parse(20000), large = seconds_to_parse(120000);
    if (large > 24 * small + 0.05)
        fail_msg("8 times the text takes %.1f times as long", large / small);
}

/* ---- against jansson's own reader ---------------------------------------------------------- */

/* One text through both: both refuse it, or both give the same value. */
static void compare_with_jansson(const char *text, size_t n, size_t *n_accepted)
{
    memo_json_limits limits = memo_json_request_limits;
    json_t *ours = NULL, *theirs;
    json_error_t e;
    memo_err err = {0};
    memo_status status;
    limits.max_expansion = 100000;
    status = memo_json_parse(text, n, &limits, "t", &ours, &err);
    if (memchr(text, '\0', n)) /* jansson overlooks one that ends a number */
        theirs = NULL;
    else
        theirs = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if ((status == MEMO_OK) != (theirs != NULL) || (theirs && !json_equal(ours, theirs)))
        fail_msg("%.*s: %s %s; jansson: %s", (int)n, text, memo_status_name(status), err.message,
                 theirs ? "reads something else" : e.text);
    *n_accepted += theirs != NULL;
    json_decref(ours);
    json_decref(theirs);
}

/* Texts with bytes changed, left out and doubled, mostly to others that mean something. */
static void test_json_reads_what_jansson_reads(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"a\":[1,-2.5e+3,0.1,true,false,null],\"b\":{\"c\":\"d\"}}",
        "[\"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\\/\",\"caf\xC3\xA9 \xF0\x9F\x98\x80\",\"\\u0000\"]",
        "[0,-0,10,1e5,1E-5,9223372036854775807,-9223372036854775808,1.7976931348623157e308]",
        " { \"x\" : [ ] , \"y\" : { } ,\t\"z\":\r\n\"\" } ",
        "\"alone\"",
        "-12.75",
    };
    static const char bytes[] =
        "{}[]:,\"\\/ubfnrt0123456789abcdefDE+-. \t\n\x01\x7F\x80\xC3\xE2\xED\xF4";
    enum { TRIES = 60000 };
    size_t n_accepted = 0;
    memo_rng rng;
    memo_rng_init(&rng, 1);
    for (size_t i = 0; i < TRIES; i++) {
        char text[256];
        const char *seed = seeds[i % (sizeof seeds / sizeof *seeds)];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        for (uint64_t k = memo_rng_below(&rng, 4); k > 0 && n > 1; k--) {
            size_t at = (size_t)(memo_rng_below(&rng, n)), move = n - at - 1;
            char c = bytes[memo_rng_below(&rng, sizeof bytes - 1)];
            switch (memo_rng_below(&rng, 3)) {
            case 0:
                text[at] = c;
                break;
            case 1:
                memmove(text + at, text + at + 1, move);
                n--;
                break;
            default:
                memmove(text + at + 1, text + at, n - at);
                text[at] = c;
                n++;
            }
        }
        compare_with_jansson(text, n, &n_accepted);
    }
    assert_true(n_accepted > TRIES / 10 && n_accepted < TRIES);
}

/* ---- without memory ------------------------------------------------------------------------ */

static uint64_t jansson_fuse;

static void *fused_malloc(size_t n)
{
    if (jansson_fuse && --jansson_fuse == 0)
        return NULL;
    return malloc(n);
}

/* jansson's share of the allocations: each failure is noticed, none shortens a token. */
static void test_json_without_memory_for_values(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a key of more than sixteen bytes\":[\"a string of more than "
        "sixteen bytes\",0.30000000000000004,{\"x\":{}},[],1,2,3,4,5,6,7,8]}";
    json_t *wanted = parse_object(text), *json;
    memo_err err = {0};
    int done = 0;
    json_set_alloc_funcs(fused_malloc, free);
    for (uint64_t at = 1; !done; at++) {
        json = NULL;
        jansson_fuse = at;
        memo_status status =
            memo_json_parse(text, strlen(text), &memo_json_request_limits, "t", &json, &err);
        done = jansson_fuse > 0;
        jansson_fuse = 0;
        assert_int_equal(status, done ? MEMO_OK : MEMO_ERR_NOMEM);
        assert_true(!json || json_equal(json, wanted));
        json_decref(json);
    }
    json_decref(wanted);
    json_set_alloc_funcs(malloc, free);
}

/* Against the letter of the suite: a name twice is refused, and so is NUL in a name. */
static int suite_exception(const char *name)
{
    static const char *const names[] = {"y_object_duplicated_key.json",
                                        "y_object_duplicated_key_and_value.json",
                                        "y_object_escaped_null_in_key.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

static int unpack(const char *archive, const char *folder)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("tar", "tar", "-xJf", archive, "-C", folder, (char *)NULL);
        _exit(127);
    }
    int wait_status = -1;
    return child > 0 && waitpid(child, &wait_status, 0) == child && wait_status == 0;
}

/* Returns the number of files; *n_wrong counts those with the wrong answer. */
static size_t replay_suite(const char *folder, size_t *n_wrong)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[1024];
        size_t n_bytes = 0;
        char *text = NULL;
        memo_err err = {0};
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_memo_ok(memo_file_slurp(path, 1 << 20, &text, &n_bytes, &err), err);
        memo_status status = parse_n(text, n_bytes, &memo_json_request_limits, &err);
        memo_free(text);
        int is_y = memcmp(e->d_name, "y_", 2) == 0, is_n = memcmp(e->d_name, "n_", 2) == 0;
        int refused = status == MEMO_ERR_FORMAT || status == MEMO_ERR_VALUE; /* a number too big */
        if (suite_exception(e->d_name))
            is_y = !(is_n = 1);
        if ((status != MEMO_OK && !refused) || (is_y && refused) || (is_n && !refused)) {
            printf("%s: %s %s\n", e->d_name, memo_status_name(status), err.message);
            ++*n_wrong;
        }
        n++;
    }
    closedir(dir);
    return n;
}

static void test_json_suite(void **state)
{
    char archive[512], folder[512];
    size_t n_wrong = 0;
    if (!memo_test_shared(archive, "data/malformed/json_test_suite.tar.xz"))
        memo_test_skip("%s is absent", archive);
    if (!unpack(archive, *state))
        memo_test_skip("tar cannot unpack %s", archive);
    size_t n = replay_suite(memo_test_path(folder, *state, "test_parsing"), &n_wrong);
    assert_int_equal(n, 318);
    n = replay_suite(memo_test_path(folder, *state, "test_transform"), &n_wrong);
    assert_int_equal(n, 22);
    assert_int_equal(n_wrong, 0);
}

static void test_json_of_a_line_names_the_column_alone(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": oops}", deep[] = "[1, \"\xff\"]";
    memo_err err = {0};
    json_t *json = NULL;
    assert_memo_status(
        memo_json_parse(text, sizeof text - 1, &memo_json_line_limits, "x: line 7", &json, &err),
        MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "x: line 7: column 7: ");
    assert_memo_status(
        memo_json_parse(deep, sizeof deep - 1, &memo_json_line_limits, "x: line 8", &json, &err),
        MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "x: line 8: column ");
    assert_memo_status(memo_json_parse("[\0]", 3, &memo_json_line_limits, "x: line 9", &json, &err),
                       MEMO_ERR_FORMAT, err);
    assert_string_equal(err.message, "x: line 9: column 2: a NUL byte");
}

int main(void)
{
#define JSON_TEST_DIR(name)                                                                        \
    cmocka_unit_test_setup_teardown(name, memo_test_setup_dir, memo_test_teardown_dir)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_limit_of_bytes),
        cmocka_unit_test(test_json_limit_of_depth),
        cmocka_unit_test(test_json_hostile_depth),
        cmocka_unit_test(test_json_depth_has_a_ceiling),
        cmocka_unit_test(test_json_limit_of_values),
        cmocka_unit_test(test_json_limit_of_keys_is_per_object),
        cmocka_unit_test(test_json_refuses_what_is_not_strict_json),
        cmocka_unit_test(test_json_numbers_out_of_range_name_their_member),
        cmocka_unit_test(test_json_errors_have_line_and_column),
        cmocka_unit_test(test_json_size_members),
        cmocka_unit_test(test_json_double_members),
        cmocka_unit_test(test_json_string_and_bool_members),
        JSON_TEST_DIR(test_json_fault_names_text_and_place),
        JSON_TEST_DIR(test_json_dump_gives_the_text_or_nothing),
        JSON_TEST_DIR(test_json_survives_allocation_failures),
        cmocka_unit_test(test_json_memory_stays_below_the_estimate),
        cmocka_unit_test(test_json_limit_of_memory),
        cmocka_unit_test(test_json_parses_in_linear_time),
        cmocka_unit_test(test_json_reads_what_jansson_reads),
        cmocka_unit_test(test_json_without_memory_for_values),
        cmocka_unit_test(test_json_of_a_line_names_the_column_alone),
        JSON_TEST_DIR(test_json_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
