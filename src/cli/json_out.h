// SPDX-License-Identifier: Apache-2.0
/* cli/json_out.h -- write JSON piece by piece into a buffer; commas come by themselves.
 *
 *   cli_json_open(out, '{');
 *   cli_json_key(out, "n");  cli_json_u64(out, 3);
 *   cli_json_close(out, '}');
 *
 * Numbers never depend on a locale (the command does not call setlocale()). Bytes that are not
 * UTF-8 (a path in a message) become U+FFFD, so what is written is always valid JSON. */
#ifndef MEMO_CLI_JSON_OUT_H
#define MEMO_CLI_JSON_OUT_H

#include <stdint.h>

#include "base/buf.h"

void cli_json_open(memo_buf *out, char bracket);
void cli_json_close(memo_buf *out, char bracket);
void cli_json_key(memo_buf *out, const char *key);
void cli_json_string(memo_buf *out, const char *s); /* NULL: null */
void cli_json_bytes(memo_buf *out, const char *s, size_t n_bytes);
void cli_json_u64(memo_buf *out, uint64_t value);
void cli_json_i64(memo_buf *out, int64_t value);
void cli_json_bool(memo_buf *out, int value);
void cli_json_double(memo_buf *out, double value, int digits); /* null when not finite */
void cli_json_raw(memo_buf *out, const char *json);            /* a complete value; NULL: null */
void cli_json_date(memo_buf *out, int64_t unix_ms);            /* RFC 3339, UTC; 0: null */
void cli_json_strings(memo_buf *out, const char *const *strings, size_t n); /* an array */

/* "key": value in one call */
void cli_json_put_string(memo_buf *out, const char *key, const char *value);
void cli_json_put_u64(memo_buf *out, const char *key, uint64_t value);
void cli_json_put_double(memo_buf *out, const char *key, double value); /* 9 digits */

#endif
