// SPDX-License-Identifier: Apache-2.0
/* store/schema.h -- the tables of a store, how they came to be, and proof that nothing else is
 * there.
 *
 * A schema version is the list of steps that leads to it. Step i brings version i to i + 1; its
 * CREATE statements are at the same time the whitelist: what stands in sqlite_schema must be these
 * texts, and all of them but for the tables that a later step drops. Anything else (a trigger, a view, a changed table) is MEMO_ERR_CORRUPT
 * before any statement touches a table. */
#ifndef MEMO_STORE_SCHEMA_H
#define MEMO_STORE_SCHEMA_H

#include <memolith/memory.h>
#include <memolith/status.h>

#include "store/sql.h"

#define MEMO_SCHEMA_APPLICATION_ID 0x4d454d4f /* "MEMO" */

typedef struct memo_schema_step {
    const char *const *create; /* [n_create] statements, each makes one object */
    size_t n_create;
    const char *const *implied; /* [n_implied] what SQLite makes by itself along with them */
    size_t n_implied;
    const char *const *drop; /* [n_drop] "TABLE name", "INDEX name" of earlier steps */
    size_t n_drop;
    /* Moves data, after the CREATEs and before the drops; NULL: nothing to move. */
    memo_status (*fill)(memo_sql *sql, memo_err *err);
} memo_schema_step;

extern const memo_schema_step memo_schema_steps[];
extern const size_t memo_schema_n_steps; /* the version this library writes */

/* The 100-byte header of the file, read before SQLite interprets anything: is this a store, with
 * our page size, checksums and a version of at most n_steps? *version is 0 for an empty file. */
memo_status memo_schema_check_header(memo_sql *sql, size_t n_steps, int64_t *version,
                                     memo_err *err);

/* MEMO_ERR_UNSUPPORTED: the file is newer than this library. */
memo_status memo_schema_fail_version(const char *path, int64_t version, size_t n_steps,
                                     memo_err *err);

/* Compare sqlite_schema with the whitelist of `version`. */
memo_status memo_schema_check(memo_sql *sql, const memo_schema_step *steps, int64_t version,
                              memo_err *err);

/* Make the newest version in an empty file, with a fresh identity. Under the writer lock. */
memo_status memo_schema_create(memo_sql *sql, int64_t now_ms, memo_fulltext fulltext,
                               memo_err *err);

/* Make the full-text tables of a file that was just made, and whose words are not written yet, what
 * its settings say. */
memo_status memo_schema_settle_fulltext(memo_sql *sql, memo_err *err);

/* Bring an older store to version n_steps in one transaction, after writing a copy of it to
 * `<path>.v<N>.bak` (an existing copy is replaced). Under the writer lock. */
memo_status memo_schema_upgrade(memo_sql *sql, const memo_schema_step *steps, size_t n_steps,
                                int64_t version, memo_err *err);

#endif
