// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/reader.h -- records out of a file that holds many: NDJSON, CSV, mail, a JSON array. */
#ifndef MEMO_MEMORY_READER_H
#define MEMO_MEMORY_READER_H

#include "memory/ingest/array.h"
#include "memory/ingest/csv.h"
#include "memory/ingest/lines.h"
#include "memory/ingest/mail.h"
#include "memory/ingest/walk.h"

typedef struct memo_reader {
    memo_import_format format; /* NDJSON, CSV, MBOX, EML or JSON */
    const char *path;          /* borrowed, as are the options */
    const char *source;        /* of the records: `path`, until another is set */
    const memo_import_options *options;
    memo_file file;
    memo_lines lines;
    memo_csv csv;
    memo_mbox mbox;
    memo_array array;
    memo_text item; /* the line, row, message or element given last; borrowed until the next call */
    uint64_t number;        /* of the line where it begins */
    memo_exported exported; /* of the record given last; its strings lie in that one's arena */
} memo_reader;

/* What a file is to be read as: the format asked for, or by its name and its first line. */
memo_status memo_reader_format(const memo_walk_file *file, const memo_import_options *options,
                               memo_import_format *format, memo_err *err);

/* Bad data in a header: reader->number is its line. Close it also after a failure. */
memo_status memo_reader_open(memo_reader *reader, const char *path, memo_import_format format,
                             const memo_import_options *options, memo_err *err);
void memo_reader_close(memo_reader *reader);

/* The next item. MEMO_ERR_FORMAT and MEMO_ERR_LIMIT: this one is bad, the call after goes on. */
memo_status memo_reader_next(memo_reader *reader, int *more, memo_err *err);

/* The item as a record that is checked; strings go to the arena. */
memo_status memo_reader_record(memo_reader *reader, memo_arena *arena, memo_record_in *record,
                               memo_err *err);

/* How many items a file holds, bad ones included. A file that cannot be unpacked to its end is an
 * error that names the line. */
memo_status memo_reader_count(const char *path, memo_import_format format,
                              const memo_import_options *options, uint64_t *n, memo_err *err);

#endif
