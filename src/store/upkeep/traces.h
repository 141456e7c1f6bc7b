// SPDX-License-Identifier: Apache-2.0
/* store/upkeep/traces.h -- what must be gone, and looking for it in bytes.
 *
 * A text that was deleted may be left anywhere: in a free page, behind the end of a row, cut in two by
 * a page's end. So it is not looked for as a whole, but as
 *   - its words of 6 to 64 bytes (letters, digits and all bytes above 127)
 *   - its stretches of 32 bytes, one after the other; of a shorter text all of it, from 6 bytes on
 * in any case of the letters a to z. What is shorter stands in every file by chance.
 *
 * Cost: a table look-up a byte. Memory: at most TRACES_MAX patterns; of a text that has more of them
 * fewer stretches are taken, evenly. */
#ifndef MEMO_STORE_TRACES_H
#define MEMO_STORE_TRACES_H

#include <stdint.h>

#include <memolith/model.h>
#include <memolith/status.h>

#include "base/arena.h"

enum { MEMO_TRACE_LEAST = 6, MEMO_TRACE_PIECE = 32, MEMO_TRACE_LONGEST = 64 };

/* Where a pattern has been met. */
enum {
    MEMO_TRACE_SHARED = 1, /* in what is meant to be there: it proves nothing */
    MEMO_TRACE_FOUND = 2,
};

typedef struct memo_trace {
    const char *bytes; /* [n], lower case */
    unsigned char n, is_word, met;
    uint64_t at; /* where MEMO_TRACE_FOUND was met first, in what was looked through */
    int32_t next;
} memo_trace;

typedef struct memo_traces {
    memo_arena arena; /* zeroed at first, as all of it */
    memo_trace *list; /* [n] */
    size_t n, cap, n_words, n_pieces;
    int32_t
        *heads; /* [MEMO_TRACE_HEADS] by hash of the first six bytes, -1: none; NULL: not built */
} memo_traces;

/* Add the words and stretches of a text, each once. */
memo_status memo_traces_add(memo_traces *traces, memo_text text, memo_err *err);

/* memo_traces_look() -- mark every pattern that stands in these bytes with `met`.
 *   at  of the first byte, for memo_trace.at. A pattern that two calls cut is not met: let them
 *       overlap by MEMO_TRACE_LONGEST where that matters
 * Returns how many stretches (no words) it met, again or not. */
size_t memo_traces_look(memo_traces *traces, const void *bytes, size_t n, uint64_t at, int met);

void memo_traces_fini(memo_traces *traces);

#endif
