// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/csv.h -- RFC 4180: rows of fields, quoted where they hold separators or line breaks.
 *
 * The first row names the fields. A row becomes a JSON object, and from there on a record as a line
 * of NDJSON does: one meaning for both. */
#ifndef MEMO_MEMORY_CSV_H
#define MEMO_MEMORY_CSV_H

#include "base/buf.h"
#include "memory/ingest/lines.h"

#define MEMO_CSV_MAX_FIELDS 1000

typedef struct memo_csv {
    memo_lines *lines; /* borrowed */
    char separator;
    size_t n;        /* fields of the header */
    char **names;    /* [n] */
    uint64_t number; /* of the line where the row begins */
    memo_buf row;    /* bytes of the row given last, line breaks included */
} memo_csv;

/* Read the header. MEMO_ERR_FORMAT: none, a name twice, none for the text. */
memo_status memo_csv_open(memo_csv *csv, memo_lines *lines, const memo_import_options *options,
                          memo_err *err);
void memo_csv_fini(memo_csv *csv);

/* The next row into csv->row; blank lines are none. MEMO_ERR_FORMAT: its quote does not end;
 * MEMO_ERR_LIMIT: more than MEMO_LINES_MAX_BYTES. The call after goes on behind it. */
memo_status memo_csv_next(memo_csv *csv, int *more, memo_err *err);

/* The row as an object; json_decref() it. MEMO_ERR_FORMAT: more or fewer fields than the header, a
 * stray quote, no UTF-8. */
memo_status memo_csv_object(const memo_csv *csv, const memo_import_options *options, json_t **out,
                            memo_err *err);

#endif
