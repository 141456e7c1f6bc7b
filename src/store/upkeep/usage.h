// SPDX-License-Identifier: Apache-2.0
/* store/upkeep/usage.h -- what searches showed, and what records are linked, all of a namespace at once. */
#ifndef MEMO_STORE_USAGE_H
#define MEMO_STORE_USAGE_H

#include "store/store.h"

/* How often searches that are kept have shown a record. */
typedef struct memo_store_usage {
    const char *id; /* of the record, borrowed */
    uint64_t n_shown;
    int64_t first_ms, last_ms;
} memo_store_usage;

/* Each record that was shown, in the order in which they were added; non-zero stops. It must not call
 * the store. Rows that fail their checksum do not count: the store's own check names them; where a
 * page is damaged some may come twice. */
typedef int (*memo_store_usage_fn)(void *user, const memo_store_usage *usage);
memo_status memo_store_each_usage(memo_store *store, int64_t ns, memo_store_usage_fn fn, void *user,
                                  memo_err *err);

/* When the oldest search that is kept was made; 0: none is. */
memo_status memo_store_oldest_search(memo_store *store, int64_t ns, int64_t *at_ms, memo_err *err);

/* Each link of one kind of a record that is there, by record, then the other, "" when that has been
 * forgotten. As above. */
typedef int (*memo_store_link_fn)(void *user, const char *id, const char *other, double score);
memo_status memo_store_each_link(memo_store *store, int64_t ns, memo_link_kind kind,
                                 memo_store_link_fn fn, void *user, memo_err *err);

#endif
