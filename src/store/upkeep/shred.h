// SPDX-License-Identifier: Apache-2.0
/* store/upkeep/shred.h -- records gone for good: deleted, written over, looked for.
 *
 *   memo_shred_rows()    write: delete them, remembering what must be gone, and say so in a tombstone
 *   memo_shred_file()    merge the full-text indexes, write the file anew, empty the log
 *   memo_prove_bytes()   look for it in every byte of the file (prove.c)
 *   memo_prove_row()     look for rows of a record in every table (prove.c)
 *   memo_shred_done()    write: the tombstones say that it is done
 *
 * Killed between any two, the tombstones say that it is not done, and doing it all again does it. */
#ifndef MEMO_STORE_SHRED_H
#define MEMO_STORE_SHRED_H

#include "store/store.h"
#include "store/upkeep/traces.h"

/* *forgotten: a record went; *tombstone: one was forgotten before, and is shredded with the others. */
memo_status memo_shred_rows(memo_store *store, int64_t ns, const char *id, memo_traces *traces,
                            int *forgotten, int *tombstone, memo_err *err);

/* What was only forgotten is to be shredded with the others: its tombstones say that it has begun. */
memo_status memo_shred_forgotten(memo_store *store, memo_err *err);

/* How many tombstones say that shredding has begun. */
memo_status memo_shred_count(memo_store *store, uint64_t *n, memo_err *err);

/* The tombstones that a pass through the file finishes. */
typedef struct memo_shred_pass {
    memo_arena *arena;
    size_t n;
    int64_t *seqs; /* [n] */
} memo_shred_pass;

/* memo_shred_file()
 *   pass  out: the tombstones whose shredding had begun before the file was written anew. Another
 *         program may begin to shred right behind it: bytes of those are there still
 *
 * MEMO_ERR_BUSY: a reader keeps the log from being emptied. */
memo_status memo_shred_file(memo_store *store, memo_shred_pass *pass, memo_err *err);

memo_status memo_shred_done(memo_store *store, const memo_shred_pass *pass, memo_err *err);

/* What memo_prove_bytes() looked through, and what it met. */
typedef struct memo_prove_result {
    uint64_t n_bytes, n_shared, n_found;
} memo_prove_result;

/* memo_prove_bytes() -- mark what the rows of all tables hold as shared (a copy of a stretch is told
 * as a warning), then look through the file and its log, and ask the full text for each word. What is
 * found is told as bad. */
memo_status memo_prove_bytes(memo_store *store, memo_traces *traces, const memo_store_sink *sink,
                             memo_prove_result *result, memo_err *err);

/* memo_prove_row() -- that nothing of a forgotten record is in any table.
 *   id       as its tombstone has it; MEMO_ERR_NOTFOUND: there is no tombstone of that id, or there is
 *            a record of it
 *   n_found  grows by the tables that have rows of it still; each is told as bad */
memo_status memo_prove_row(memo_store *store, int64_t ns, const char *id,
                           const memo_store_sink *sink, uint64_t *n_found, memo_err *err);

/* The same of every record whose shredding has begun. */
memo_status memo_prove_begun(memo_store *store, const memo_store_sink *sink, uint64_t *n_found,
                             memo_err *err);

#endif
