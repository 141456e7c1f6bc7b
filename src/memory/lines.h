// SPDX-License-Identifier: Apache-2.0
/* memory/lines.h -- NDJSON: one JSON object a line, read in bounded memory.
 *
 * A line ends with LF or CR LF; the last one may end with the file. Lines of white space are not
 * lines of data. A line of more than MEMO_LINES_MAX_BYTES is MEMO_ERR_LIMIT; it is skipped without
 * being kept, so that reading can go on. */
#ifndef MEMO_MEMORY_LINES_H
#define MEMO_MEMORY_LINES_H

#include <memolith/memory.h>

#include "base/arena.h"
#include "base/file.h"

#define MEMO_LINES_MAX_BYTES ((size_t)8 << 20)

typedef struct memo_lines {
    memo_file *file; /* borrowed, open */
    uint64_t offset; /* of the byte after the buffer's last */
    char *buffer;
    size_t begin, end, cap; /* unread bytes are buffer[begin, end) */
    uint64_t number;        /* of the line given last, from 1, blank lines counted */
} memo_lines;

void memo_lines_fini(memo_lines *lines); /* does not close the file */

/* The next line of data without its end; borrowed until the next call. *more 0 at the end of the
 * file. MEMO_ERR_LIMIT: the line is too long, the call after gives the next one. */
memo_status memo_lines_next(memo_lines *lines, memo_text *line, int *more, memo_err *err);

/* How many lines of data the rest of the file holds. */
memo_status memo_lines_count(memo_lines *lines, uint64_t *n, memo_err *err);

/* memo_lines_record() -- read a line as a record; strings go to the arena.
 *
 *   options  names of the fields, chunking; missing key: a hash of the line
 *   source   becomes the record's source
 *
 * MEMO_ERR_FORMAT: not a JSON object or without text; MEMO_ERR_VALUE: a field of another type. */
memo_status memo_lines_record(memo_text line, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_err *err);

#endif
