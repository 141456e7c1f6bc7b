// SPDX-License-Identifier: Apache-2.0
#include "cli/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/values.h"

/* A comma is due unless something was just opened or a key waits for its value. Records of an
 * NDJSON stream end in a line break. */
static void json_separate(memo_buf *out)
{
    if (out->n > 0 && strchr("{[:,\n", out->data[out->n - 1]) == NULL)
        memo_buf_putc(out, ',');
}

void cli_json_open(memo_buf *out, char bracket)
{
    json_separate(out);
    memo_buf_putc(out, bracket);
}

void cli_json_close(memo_buf *out, char bracket)
{
    memo_buf_putc(out, bracket);
}

void cli_json_key(memo_buf *out, const char *key)
{
    json_separate(out);
    memo_buf_put_json(out, key, strlen(key));
    memo_buf_putc(out, ':');
}

void cli_json_bytes(memo_buf *out, const char *s, size_t n_bytes)
{
    json_separate(out);
    memo_buf_put_json(out, s, n_bytes);
}

void cli_json_string(memo_buf *out, const char *s)
{
    if (s)
        cli_json_bytes(out, s, strlen(s));
    else
        cli_json_raw(out, NULL);
}

void cli_json_u64(memo_buf *out, uint64_t value)
{
    json_separate(out);
    memo_buf_printf(out, "%" PRIu64, value);
}

void cli_json_i64(memo_buf *out, int64_t value)
{
    json_separate(out);
    memo_buf_printf(out, "%" PRId64, value);
}

void cli_json_bool(memo_buf *out, int value)
{
    json_separate(out);
    memo_buf_puts(out, value ? "true" : "false");
}

void cli_json_double(memo_buf *out, double value, int digits)
{
    json_separate(out);
    if (isfinite(value))
        memo_buf_printf(out, "%.*g", digits, value);
    else
        memo_buf_puts(out, "null");
}

void cli_json_raw(memo_buf *out, const char *json)
{
    json_separate(out);
    memo_buf_puts(out, json ? json : "null");
}

void cli_json_date(memo_buf *out, int64_t unix_ms)
{
    char text[CLI_DATE_BYTES];
    if (unix_ms == 0) {
        cli_json_raw(out, NULL);
        return;
    }
    cli_date_format(unix_ms, 1, text);
    cli_json_string(out, text);
}

void cli_json_strings(memo_buf *out, const char *const *strings, size_t n)
{
    cli_json_open(out, '[');
    for (size_t i = 0; i < n; i++)
        cli_json_string(out, strings[i]);
    cli_json_close(out, ']');
}

void cli_json_put_string(memo_buf *out, const char *key, const char *value)
{
    cli_json_key(out, key);
    cli_json_string(out, value);
}

void cli_json_put_u64(memo_buf *out, const char *key, uint64_t value)
{
    cli_json_key(out, key);
    cli_json_u64(out, value);
}

void cli_json_put_double(memo_buf *out, const char *key, double value)
{
    cli_json_key(out, key);
    cli_json_double(out, value, 9);
}
