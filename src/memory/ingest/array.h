// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/array.h -- the elements of a JSON array that is a whole file, in bounded memory.
 *
 * Only brackets, strings and commas are looked at: an element ends at the comma or bracket that is outside
 * of strings and of what it has opened itself. Whether it is JSON is for who parses it, so that one bad
 * element spoils no other. An element of more than MEMO_LINES_MAX_BYTES is skipped without being kept. */
#ifndef MEMO_MEMORY_ARRAY_H
#define MEMO_MEMORY_ARRAY_H

#include "base/buf.h"
#include "memory/ingest/lines.h"

typedef enum memo_array_state {
    MEMO_ARRAY_BEFORE, /* its bracket */
    MEMO_ARRAY_FIRST,
    MEMO_ARRAY_NEXT, /* behind a comma */
    MEMO_ARRAY_AFTER,
    MEMO_ARRAY_DONE,
} memo_array_state;

typedef struct memo_array {
    memo_lines *lines; /* borrowed; its number is that of the line where the reading is */
    memo_text piece;   /* bytes not looked at yet */
    memo_buf element;  /* the one given last, without white space around it */
    uint64_t number;   /* of it, from 1 */
    uint64_t line;     /* where it begins */
    memo_array_state state;
} memo_array;

void memo_array_fini(memo_array *array);

/* The next element. MEMO_ERR_FORMAT: the file is no array, one is missing between commas, the file ends too
 * early or goes on behind its end; MEMO_ERR_LIMIT: it is too long. The call after goes on, where that can be. */
memo_status memo_array_next(memo_array *array, int *more, memo_err *err);

/* Whether the file begins as an array of objects, or of nothing; one that cannot be read does not. Only
 * MEMO_ERR_NOMEM: without memory nothing is decided. */
memo_status memo_array_looks_like(memo_lines *lines, int *is_array, memo_err *err);

#endif
