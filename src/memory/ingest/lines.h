// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/lines.h -- NDJSON: one JSON object a line, read in bounded memory.
 *
 * The bytes come from a file, or out of a packed one through the caller's memo_unpacker: a packed file
 * is known by its first four bytes. Once a source has failed there are no more lines.
 * A line ends with LF or CR LF; the last one may end with the file. Lines of white space are not
 * lines of data. A line of more than MEMO_LINES_MAX_BYTES is MEMO_ERR_LIMIT; it is skipped without
 * being kept, so that reading can go on. */
#ifndef MEMO_MEMORY_LINES_H
#define MEMO_MEMORY_LINES_H

#include <memolith/memory.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "memory/ingest/exported.h"

#define MEMO_LINES_MAX_BYTES ((size_t)8 << 20)

typedef struct memo_lines {
    memo_file *file; /* borrowed, open; not used with a stream */
    const memo_unpacker *unpacker;
    void *stream;    /* of a packed file, ours; or NULL */
    uint64_t offset; /* of the byte after the buffer's last */
    int broken;      /* the source has failed */
    char *buffer;
    size_t begin, end, cap; /* unread bytes are buffer[begin, end) */
    uint64_t number;        /* of the line given last, from 1, blank lines counted */
    int is_odd; /* of a line too long to be given: an odd number of quotes stands in it */
} memo_lines;

/* memo_lines_open() -- read a file, packed or not.
 *
 *   file      zeroed; the caller closes it
 *   unpacker  NULL: a packed file is MEMO_ERR_UNSUPPORTED
 *
 * MEMO_ERR_FORMAT: it is called .zst and is none. */
memo_status memo_lines_open(memo_lines *lines, memo_file *file, const char *path,
                            const memo_unpacker *unpacker, memo_err *err);
void memo_lines_fini(memo_lines *lines); /* does not close the file */

/* The source has failed, with such a status: what lines there were before it were right. */
int memo_lines_is_broken(const memo_lines *lines, memo_status status);

/* Whether bytes begin a packed file; n_bytes of it are there. */
int memo_lines_is_packed(const char *bytes, size_t n_bytes);
/* How long a path is without ".zst" at its end. */
size_t memo_lines_name_bytes(const char *path);

/* The next line of data without its end; borrowed until the next call. *more 0 at the end of the
 * file. MEMO_ERR_LIMIT: the line is too long, the call after gives the next one. */
memo_status memo_lines_next(memo_lines *lines, memo_text *line, int *more, memo_err *err);

/* The next line, blank or not, with a CR that it ends with; a byte order mark in front is left out. */
memo_status memo_lines_raw(memo_lines *lines, memo_text *line, int *more, memo_err *err);

/* What bytes come next, at least one, for who finds its own items in them; borrowed until the next call. A
 * byte order mark in front is left out; lines->number is 1 from then on, and the caller's to count. */
memo_status memo_lines_piece(memo_lines *lines, memo_text *piece, int *more, memo_err *err);

/* memo_lines_record() -- read a line as a record; strings go to the arena.
 *
 *   options   names of the fields, chunking; missing key: a hash of the line. Other fields are metadata,
 *             unless no_extra
 *   source    becomes the record's source
 *   exported  out: what more a line of an export says
 *
 * An exported line that is no record gives exported->row alone, which the caller takes.
 *
 * MEMO_ERR_FORMAT: not a JSON object or without text; MEMO_ERR_VALUE: a field of another type. */
memo_status memo_lines_record(memo_text line, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_exported *exported, memo_err *err);

/* The same from an object that was made of `bytes`, whose hash is the key where it has none. */
memo_status memo_lines_object(json_t *object, memo_text bytes, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_err *err);

/* A key for what has none: a hash of its bytes, in the arena. */
memo_status memo_lines_hash_key(memo_text bytes, memo_arena *arena, const char **key,
                                memo_err *err);

#endif
