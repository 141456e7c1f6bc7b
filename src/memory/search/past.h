// SPDX-License-Identifier: Apache-2.0
/* memory/search/past.h -- searching a namespace as it was at a moment.
 *
 * A copy of the store in memory is taken back to that moment (store/rows/past_copy.c) and searched like any
 * store. Texts that have changed since are cut and embedded anew. The copy serves the searches of the
 * same moment that follow, until the store changes or the present is searched. */
#ifndef MEMO_MEMORY_PAST_H
#define MEMO_MEMORY_PAST_H

#include "memory/db.h"

typedef struct memo_past_ask {
    const char *ns; /* name */
    int64_t as_of_ms;
    int with_vectors; /* dense search needs those of texts that have changed since */
    memo_deadline deadline;
} memo_past_ask;

/* memo_past_get() -- a handle on the past of db, its until the next call of either function.
 *
 *   partial  out: the deadline passed; texts that have changed since are found by words only
 *   damage   grows by records whose version of then is damaged
 *
 * MEMO_ERR_NOTFOUND: no such namespace; MEMO_ERR_DEADLINE: it passed before the store was copied, and
 * nothing is kept. */
memo_status memo_past_get(memo_db *db, const memo_past_ask *ask, memo_db **past, int *partial,
                          memo_store_damage *damage, memo_err *err);

/* Free what is kept; nothing there is fine. */
void memo_past_drop(memo_db *db);

#endif
