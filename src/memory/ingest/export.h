// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/export.h -- what the parts of an export share. All of it is read in one read
 * transaction: one moment. */
#ifndef MEMO_MEMORY_EXPORT_H
#define MEMO_MEMORY_EXPORT_H

#include "base/buf.h"
#include "memory/db.h"

typedef struct memo_export_work {
    memo_db *db;
    memo_export_options options;
    memo_write_fn write;
    void *user;
    memo_export_report *report;
    memo_filter *filter;
    int expired; /* non-zero: expired and hidden records too, as the import of a store brings them */
    memo_store_ns ns;
    memo_store_space space;
    uint64_t total, done; /* steps of progress */
    memo_arena arena;     /* of a page */
    memo_arena space_arena;
    memo_buf out;
} memo_export_work;

/* Members of a line; nothing is written for what is NULL, empty or as `otherwise`. */
void memo_export_put_string(memo_buf *out, const char *name, const char *value);
void memo_export_put_int(memo_buf *out, const char *name, int64_t value, int64_t otherwise);

void memo_export_put_cut(memo_buf *out, const memo_store_cut *cut);

/* What a record will be found by where the lines are imported: its key, or its id when it has none. In the
 * arena; *name NULL: it is gone or damaged. */
memo_status memo_export_name(memo_export_work *w, const char *id, memo_arena *arena,
                             const char **name, memo_err *err);

/* A record's fields up to its marks, without the end of the line; `type` NULL: a record. */
void memo_export_put_record(memo_export_work *w, const char *type, const memo_record *record);

/* The line is complete: hand on what has gathered when it is much. */
memo_status memo_export_end_line(memo_export_work *w, memo_err *err);

memo_status memo_export_flush(memo_export_work *w, memo_err *err);

/* The records of the scope, oldest first, a page at a time. */
typedef memo_status (*memo_export_fn)(memo_export_work *w, const memo_record *record,
                                      memo_err *err);
memo_status memo_export_each(memo_export_work *w, memo_export_fn fn, memo_err *err);

/* Lines of what is no record: earlier versions when they are asked for; entities, then facts. (export_rows.c) */
memo_status memo_export_versions(memo_export_work *w, memo_err *err);
memo_status memo_export_facts(memo_export_work *w, memo_err *err);

#endif
