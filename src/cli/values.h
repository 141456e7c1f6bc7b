// SPDX-License-Identifier: Apache-2.0
/* cli/values.h -- values as people write them: counts, sizes, dates, pairs; and how they are shown.
 *
 * Reading is strict: a number is digits and nothing else, so "1e3", "0x10", " 5" and "5 " are
 * refused with the allowed range. Nothing here knows a locale. */
#ifndef MEMO_CLI_VALUES_H
#define MEMO_CLI_VALUES_H

#include <stdint.h>

#include <memolith/memory.h>
#include <memolith/status.h>

#include "base/buf.h"
#include "base/dates.h"
#include "cli/args.h"
#include "cli/options.h"

/* Check `text` against the option and read its number (CLI_COUNT, CLI_SIZE, CLI_DATE as Unix ms,
 * CLI_CHOICE as index of the word; else 0).
 *   name  how the user spelled it: "--limit", "MEMOLITH_THREADS", "QUERY"
 * MEMO_ERR_USAGE with what is allowed; MEMO_ERR_VALUE for a text that is not UTF-8. */
memo_status cli_value_read(const cli_option *option, const char *name, const char *text,
                           uint64_t *number, memo_err *err);

typedef struct cli_chunk_spec {
    memo_chunking chunking;
    size_t tokens, overlap; /* 0: the library's default; overlap SIZE_MAX: none */
} cli_chunk_spec;

/* Read a CLI_CHUNK value; 0 when it is malformed. */
int cli_chunk_read(const char *text, cli_chunk_spec *spec);

/* Digits of [text, end) as a number in 0..UINT64_MAX; 0 when it is anything else. */
int cli_digits_read(const char *text, const char *end, uint64_t *number);

#define CLI_DATE_BYTES MEMO_DATE_BYTES
/* "2025-07-01" or, with_time, "2025-07-01T09:30:00.000Z". */
void cli_date_format(int64_t unix_ms, int with_time, char out[CLI_DATE_BYTES]);

/* What the user wrote, for a message: whole, or its first bytes and "...", so that what is allowed
 * still finds room behind it. Returns `out`. */
#define CLI_SHORT_BYTES 84
const char *cli_shorten(const char *text, char out[CLI_SHORT_BYTES]);

/* "1,234,567" */
void cli_put_grouped(memo_buf *out, uint64_t number);
/* "90.9 MB" (powers of 1,000, as file managers show) */
void cli_put_bytes(memo_buf *out, uint64_t n_bytes);

/* A JSON object from NAME=VALUE pairs. A value that reads as a JSON number, true, false, null,
 * array or object is that; anything else is a string. A name given twice is MEMO_ERR_USAGE. */
memo_status cli_meta_object(memo_buf *out, const char *const *pairs, size_t n, memo_err *err);

/* --links; as the store says when it is not there. */
memo_links_mode cli_links_mode(const cli_args *args);

#endif
