// SPDX-License-Identifier: Apache-2.0
/* fuzz_json.c -- any bytes as JSON. What is accepted must keep the limits, be strict UTF-8 without a
 * duplicate name, and come back equal from its own dump. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const memo_json_limits fuzz_limits = {
    .max_bytes = 1 << 16, .max_depth = 8, .max_values = 1000, .max_keys = 50, .max_expansion = 100};

/* Values in the tree; aborts where a limit does not hold. */
static size_t fuzz_count(const json_t *json, size_t depth)
{
    size_t n = 1, i;
    const char *key;
    json_t *value;
    if (json_is_string(json)) {
        size_t length = json_string_length(json);
        if (memo_utf8_check(json_string_value(json), length) != length)
            abort();
    } else if (json_is_array(json)) {
        if (depth >= fuzz_limits.max_depth)
            abort();
        json_array_foreach(json, i, value) n += fuzz_count(value, depth + 1);
    } else if (json_is_object(json)) {
        if (depth >= fuzz_limits.max_depth || json_object_size(json) > fuzz_limits.max_keys)
            abort();
        json_object_foreach((json_t *)(uintptr_t)json, key, value) n +=
            fuzz_count(value, depth + 1);
    }
    return n;
}

static void fuzz_members(const json_t *json)
{
    memo_err err = {0};
    const char *s = NULL;
    size_t n = 0;
    double x = 0;
    int flag = 0;
    memo_json_get_size(json, "t", "a", 1, (memo_json_sizes){1, 10}, &n, &err);
    memo_json_get_double(json, "t", "a", 0, (memo_json_reals){-1, 1}, &x, &err);
    memo_json_get_string(json, "t", "a", 0, &s, &err);
    memo_json_get_bool(json, "t", "a", 1, &flag, &err);
    if (n > 10 || x < -1 || x > 1 || (flag != 0 && flag != 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = NULL, *again = NULL;
    memo_err err = {0};
    memo_status status =
        memo_json_parse((const char *)data, size, &fuzz_limits, "fuzz", &json, &err);
    if (status != MEMO_OK) {
        if ((status != MEMO_ERR_FORMAT && status != MEMO_ERR_LIMIT && status != MEMO_ERR_VALUE) ||
            json || !err.message[0] ||
            memo_utf8_check(err.message, strlen(err.message)) != strlen(err.message))
            abort();
        return 0;
    }
    if (fuzz_count(json, 0) > fuzz_limits.max_values)
        abort();
    fuzz_members(json);
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text ||
        memo_json_parse(text, strlen(text), &memo_json_request_limits, "dump", &again, &err) !=
            MEMO_OK ||
        !json_equal(json, again))
        abort();
    free(text);
    json_decref(again);
    json_decref(json);
    return 0;
}
