// SPDX-License-Identifier: Apache-2.0
/* Reading recurses on nesting and allocates for each value, so depth, counts and memory are bounded
 * before: the scan below needs no memory but one counter per level. It counts exactly for every
 * prefix that is valid JSON, and the reader stops at the first byte that is not. */
#include "base/json.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/utf8.h"

/* At most 51 MB for 200,000 empty objects, the dearest values. */
const memo_json_limits memo_json_request_limits = {8u << 20, 32, 200000, 10000, 100, 0, 0};
const memo_json_limits memo_json_line_limits = {8u << 20, 32, 200000, 10000, 100, 0, 1};
const memo_json_limits memo_json_loose_limits = {8u << 20, 32, 200000, 10000, 100, 1, 0};
/* 2 M tokens with their ids and 3 M merges; merges written as short pairs come to 26 times their
 * text. */
const memo_json_limits memo_json_vocab_limits = {128u << 20, 32, 8000000, 2000000, 32, 0, 0};
/* 200,000 tensors with their metadata, 14 values each for 8 dimensions; tensors of the shortest
 * names come to 20 times their text, of usual names to 10 times. */
const memo_json_limits memo_json_header_limits = {100000000, 32, 3000000, 200001, 24, 0, 0};

/* Bytes that jansson 2.14 takes on a 64-bit system, with the heap's overhead. They are bounds, read
 * from its sources; test_json holds them against its peak. */
enum {
    JSON_OBJECT_BYTES = 240, /* with 8 buckets */
    JSON_ARRAY_BYTES = 144,  /* with 8 slots */
    JSON_STRING_BYTES = 80,  /* and its length; a key takes as much */
    JSON_NUMBER_BYTES = 32,
    JSON_GROWTH_BYTES =
        48, /* for each item after the 8th: tables double, the old one still there */
    JSON_FREE_BYTES = 1 << 20
};

enum { JSON_MAX_DEPTH = 64 };

typedef struct json_scan {
    const char *text;
    size_t n_bytes;
    const memo_json_limits *limits;
    const char *what;
    memo_err *err;
    size_t depth;
    size_t n_values;
    uint64_t cost_bytes;               /* of the tree that will be built */
    size_t n_keys[JSON_MAX_DEPTH + 1]; /* colons seen in the container open at this depth */
    size_t n_commas[JSON_MAX_DEPTH + 1];
} json_scan;

enum { JSON_PLACE_BYTES = 64 };

/* Line and column (in bytes, from 1) of an offset, in words. */
static const char *json_place(const char *text, size_t at, const memo_json_limits *limits,
                              char out[JSON_PLACE_BYTES])
{
    size_t start = 0, line = 1;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    if (limits->is_line)
        snprintf(out, JSON_PLACE_BYTES, "column %zu", at + 1);
    else
        snprintf(out, JSON_PLACE_BYTES, "line %zu column %zu", line, at - start + 1);
    return out;
}

static memo_status json_scan_fail(const json_scan *scan, size_t at, memo_status status,
                                  const char *what, size_t allowed)
{
    char place[JSON_PLACE_BYTES];
    return memo_fail(scan->err, status, "%s: %s: %s; at most %zu allowed", scan->what,
                     json_place(scan->text, at, scan->limits, place), what, allowed);
}

/* Offset of the quote that ends the string whose first quote is at `at`, or the last byte. */
static size_t json_string_end(const char *text, size_t n_bytes, size_t at)
{
    for (size_t i = at + 1; i < n_bytes; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '"')
            return i;
    }
    return n_bytes - 1;
}

static int json_is_scalar_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

static memo_status json_scan_open(json_scan *scan, size_t at)
{
    size_t max =
        scan->limits->max_depth < JSON_MAX_DEPTH ? scan->limits->max_depth : JSON_MAX_DEPTH;
    if (scan->depth >= max)
        return json_scan_fail(scan, at, MEMO_ERR_FORMAT, "nested too deep", max);
    scan->n_keys[++scan->depth] = 0;
    scan->n_commas[scan->depth] = 0;
    scan->cost_bytes += scan->text[at] == '{' ? JSON_OBJECT_BYTES : JSON_ARRAY_BYTES;
    return MEMO_OK;
}

static memo_status json_scan_key(json_scan *scan, size_t at)
{
    if (++scan->n_keys[scan->depth] > scan->limits->max_keys)
        return json_scan_fail(scan, at, MEMO_ERR_LIMIT, "too many keys in one object",
                              scan->limits->max_keys);
    if (scan->n_values > 0) /* the string before the colon was a key */
        scan->n_values--;
    return MEMO_OK;
}

/* One token at *at, which moves to its last byte. Returns in *is_value whether it begins a value. */
static memo_status json_scan_token(json_scan *scan, size_t *at, int *is_value)
{
    size_t start = *at;
    char c = scan->text[start];
    *is_value = 0;
    if (c == ']' || c == '}') {
        scan->depth -= scan->depth > 0;
    } else if (c == ',') {
        if (++scan->n_commas[scan->depth] >= 8)
            scan->cost_bytes += JSON_GROWTH_BYTES;
    } else if (c == ':') {
        return json_scan_key(scan, start);
    } else if (c == '[' || c == '{') {
        *is_value = 1;
        return json_scan_open(scan, start);
    } else if (c == '"') {
        *at = json_string_end(scan->text, scan->n_bytes, start);
        *is_value = 1;
        scan->cost_bytes += JSON_STRING_BYTES + (*at - start);
    } else if (json_is_scalar_byte(c)) {
        while (*at + 1 < scan->n_bytes && json_is_scalar_byte(scan->text[*at + 1]))
            ++*at;
        *is_value = 1;
        scan->cost_bytes += JSON_NUMBER_BYTES;
    }
    return MEMO_OK;
}

static memo_status json_scan_run(json_scan *scan)
{
    const memo_json_limits *limits = scan->limits;
    const uint64_t max_cost = (uint64_t)scan->n_bytes * limits->max_expansion + JSON_FREE_BYTES;
    for (size_t i = 0; i < scan->n_bytes; i++) {
        size_t start = i;
        int is_value;
        memo_status status = json_scan_token(scan, &i, &is_value);
        if (status != MEMO_OK)
            return status;
        /* One more than the limit, for the key whose colon has not come yet. */
        scan->n_values += (size_t)is_value;
        if (scan->n_values > limits->max_values + 1)
            return json_scan_fail(scan, start, MEMO_ERR_LIMIT, "too many values",
                                  limits->max_values);
        if (scan->cost_bytes > max_cost)
            return json_scan_fail(scan, start, MEMO_ERR_LIMIT, "too many small values, in bytes",
                                  (size_t)max_cost);
    }
    if (scan->n_values > limits->max_values)
        return json_scan_fail(scan, scan->n_bytes, MEMO_ERR_LIMIT, "too many values",
                              limits->max_values);
    return MEMO_OK;
}

/* Name and length of the member whose value is read at `end`, or of the last one before it; "" when
 * there is none. */
static const char *json_last_key(const char *text, size_t end, int *length)
{
    const char *key = "";
    size_t from = 0, to = 0;

    *length = 0;
    for (size_t i = 0; i < end; i++) {
        if (text[i] == '"') {
            from = i + 1;
            i = to = json_string_end(text, end, i);
        } else if (text[i] == ':') {
            key = text + from;
            *length = (int)memo_utf8_floor(key, to - from, 80);
        }
    }
    return key;
}

/* A number that no double or 64-bit integer holds is well-formed JSON: a wrong value, named by its
 * member. */
static memo_status json_refused(const char *text, size_t n_bytes, const memo_json_limits *limits,
                                const char *what, const memo_json_fault *fault, memo_err *err)
{
    char place[JSON_PLACE_BYTES];
    int length = 0, near = 0;
    const char *key = "", *from = text + fault->at;

    if (fault->status == MEMO_ERR_NOMEM)
        return memo_fail_nomem(err, what, n_bytes);
    if (fault->status == MEMO_ERR_VALUE)
        key = json_last_key(text, fault->at, &length);
    while (near < 20 && fault->at + (size_t)near < n_bytes && from[near] > ' ' && from[near] < 0x7F)
        near++;
    return memo_fail(err, fault->status, "%s%s%.*s: %s: %s%s%.*s%s", what, length ? "." : "",
                     length, key, json_place(text, fault->at, limits, place), fault->text,
                     near ? " near '" : "", near, from, near ? "'" : "");
}

memo_status memo_json_parse(const char *text, size_t n_bytes, const memo_json_limits *limits,
                            const char *what, json_t **out, memo_err *err)
{
    if (n_bytes > limits->max_bytes)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %zu bytes of JSON; at most %zu are allowed",
                         what, n_bytes, limits->max_bytes);
    if (n_bytes == 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: empty, where JSON is expected", what);
    const char *nul = memchr(text, '\0', n_bytes);
    if (nul) {
        char place[JSON_PLACE_BYTES];
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: %s: a NUL byte", what,
                         json_place(text, (size_t)(nul - text), limits, place));
    }
    json_scan scan = {.text = text, .n_bytes = n_bytes, .limits = limits, .what = what, .err = err};
    memo_json_fault fault;
    json_t *json;
    memo_status status = json_scan_run(&scan);
    if (status != MEMO_OK)
        return status;
    json = memo_json_read(text, n_bytes, limits->int_as_real, &fault);
    if (!json)
        return json_refused(text, n_bytes, limits, what, &fault, err);
    *out = json;
    return MEMO_OK;
}

memo_status memo_json_dump(const json_t *json, size_t flags, const char *what, char **text,
                           memo_err *err)
{
    size_t n = json ? json_dumpb(json, NULL, 0, flags) : 0;
    char *out = n ? memo_malloc(n + 1) : NULL;
    if (!out || json_dumpb(json, out, n, flags) != n) {
        memo_free(out);
        return memo_fail_nomem(err, what, n);
    }
    out[n] = '\0';
    *text = out;
    return MEMO_OK;
}

static const char *json_type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",     [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",        [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

/* The member, or *value NULL when it is absent or null and that is allowed. */
static memo_status json_member(const json_t *object, const char *what, const char *key,
                               int required, const json_t **value, memo_err *err)
{
    *value = NULL;
    if (!json_is_object(object))
        return memo_fail(err, MEMO_ERR_VALUE, "%s: is %s, not an object", what,
                         object ? json_type_name(object) : "absent");
    const json_t *found = json_object_get(object, key);
    if (found && !json_is_null(found))
        *value = found;
    else if (required)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: has no \"%s\"", what, key);
    return MEMO_OK;
}

static memo_status json_wrong_type(const json_t *value, const char *what, const char *key,
                                   const char *wanted, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_VALUE, "%s.%s: is %s, not %s", what, key, json_type_name(value),
                     wanted);
}

memo_status memo_json_get_size(const json_t *object, const char *what, const char *key,
                               int required, memo_json_sizes allowed, size_t *out, memo_err *err)
{
    const json_t *value;
    memo_status status = json_member(object, what, key, required, &value, err);
    if (status != MEMO_OK || !value)
        return status;
    if (!json_is_integer(value))
        return json_wrong_type(value, what, key, "an integer", err);
    json_int_t x = json_integer_value(value);
    if (x < 0 || (uint64_t)x < allowed.min || (uint64_t)x > allowed.max)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "%s.%s: is %" JSON_INTEGER_FORMAT ", not between %zu and %zu", what, key,
                         x, allowed.min, allowed.max);
    *out = (size_t)x;
    return MEMO_OK;
}

memo_status memo_json_get_double(const json_t *object, const char *what, const char *key,
                                 int required, memo_json_reals allowed, double *out, memo_err *err)
{
    const json_t *value;
    memo_status status = json_member(object, what, key, required, &value, err);
    if (status != MEMO_OK || !value)
        return status;
    if (!json_is_number(value))
        return json_wrong_type(value, what, key, "a number", err);
    double x = json_number_value(value);
    if (!(x >= allowed.min && x <= allowed.max))
        return memo_fail(err, MEMO_ERR_VALUE, "%s.%s: is %g, not between %g and %g", what, key, x,
                         allowed.min, allowed.max);
    *out = x;
    return MEMO_OK;
}

memo_status memo_json_get_string(const json_t *object, const char *what, const char *key,
                                 int required, const char **out, memo_err *err)
{
    const json_t *value;
    memo_status status = json_member(object, what, key, required, &value, err);
    if (status != MEMO_OK || !value)
        return status;
    if (!json_is_string(value))
        return json_wrong_type(value, what, key, "a string", err);
    const char *s = json_string_value(value);
    if (strlen(s) != json_string_length(value))
        return memo_fail(err, MEMO_ERR_VALUE, "%s.%s: holds a NUL character", what, key);
    *out = s;
    return MEMO_OK;
}

memo_status memo_json_get_bool(const json_t *object, const char *what, const char *key,
                               int required, int *out, memo_err *err)
{
    const json_t *value;
    memo_status status = json_member(object, what, key, required, &value, err);
    if (status != MEMO_OK || !value)
        return status;
    if (!json_is_boolean(value))
        return json_wrong_type(value, what, key, "true or false", err);
    *out = json_is_true(value);
    return MEMO_OK;
}

size_t memo_json_write_real(const json_t *real, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t digits = 15; digits <= 17; digits++) {
        json_t *back;
        int same;
        n = json_dumpb(real, out, cap, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        back = n <= cap ? json_loadb(out, n, JSON_DECODE_ANY, NULL) : NULL;
        if (!back)
            return 0;
        same = json_real_value(back) == json_real_value(real);
        json_decref(back);
        if (same)
            break;
    }
    return n;
}
