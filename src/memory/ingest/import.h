// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import.h -- what the parts of an import share: records gather in a group, a group goes
 * into the store as one transaction, what is bad is reported. */
#ifndef MEMO_MEMORY_IMPORT_H
#define MEMO_MEMORY_IMPORT_H

#include "base/buf.h"
#include "memory/db.h"
#include "memory/ingest/exported.h"
#include "memory/ingest/walk.h"

#define MEMO_IMPORT_GROUP ((size_t)1024) /* records, at most */
#define MEMO_IMPORT_ROWS  ((size_t)256)  /* other rows of exports */

/* A row of an export that is no record. */
typedef struct memo_import_row {
    json_t *object;
    uint64_t line;
} memo_import_row;

/* What an entity of an export is here. */
typedef struct memo_import_met {
    const char *id; /* it was exported with; in `paths` */
    int64_t eid;
} memo_import_met;

/* Where a record stands: line 0 is the file as a whole. */
typedef struct memo_import_origin {
    const char *path;
    uint64_t line;
} memo_import_origin;

typedef struct memo_import_work {
    memo_db *db;
    memo_import_options options;
    const char *wanted_ns; /* the caller's; of a store: NULL is all of its namespaces */
    memo_import_report *report;
    memo_arena paths; /* of the whole import */
    memo_walk walk;
    uint64_t total, done; /* steps of progress: texts, lines, rows, messages */
    memo_arena arena;     /* of the group */
    memo_record_in group[MEMO_IMPORT_GROUP];
    memo_add_result results[MEMO_IMPORT_GROUP];
    memo_store_kept kept[MEMO_IMPORT_GROUP];
    memo_import_origin origins[MEMO_IMPORT_GROUP];
    int64_t said_ms[MEMO_IMPORT_GROUP];
    int64_t born_ms[MEMO_IMPORT_GROUP]; /* of a file's record: when it was written; 0: now */
    size_t n_group, group_bytes;
    size_t bad_bytes;              /* of what was read into the arena and left out of the group */
    size_t max_records, max_bytes; /* of a group, at this speed */
    const char *item;              /* being read */
    int64_t item_ms;               /* when it was written, at least 1 */
    int64_t item_born_ms;          /* the same; 0: not known */
    int is_unread;                 /* a file that was found could not be read */
    size_t n_links, cap_links;
    struct memo_import_link
        *links; /* [n_links] of exported lines, made when all records are there */
    size_t n_rows;
    const char *rows_path; /* the file they are of */
    memo_import_row rows[MEMO_IMPORT_ROWS];
    size_t n_met, cap_met;
    memo_import_met *met; /* [n_met] */
    size_t
        *met_slots; /* [4 * cap_met]: two hash tables of places in `met`, from 1; by id, by eid */
} memo_import_work;

/* What an exported record says of others; strings in `paths`. */
typedef struct memo_import_link {
    const char *key, *parent, *supersedes;
} memo_import_link;

/* Keep the links of a record for later; make them all. (import_links.c) */
memo_status memo_import_keep_links(memo_import_work *w, const char *key,
                                   const memo_exported *exported, memo_err *err);
memo_status memo_import_make_links(memo_import_work *w, memo_err *err);

/* A record for the group; its strings lie in the group's arena. A full group is committed. `kept` NULL:
 * it was in no store before. */
memo_status memo_import_take(memo_import_work *w, const memo_record_in *record,
                             const memo_store_kept *kept, memo_import_origin origin, memo_err *err);

/* Another row of an export, which is ours from here on; those that have gathered are committed when
 * there are many, and by memo_import_flush_rows(). (import_rows.c) */
memo_status memo_import_take_row(memo_import_work *w, const char *path, uint64_t line,
                                 json_t *object, memo_err *err);
memo_status memo_import_flush_rows(memo_import_work *w, memo_err *err);

/* Commit the group and count it. A record that is refused only there is reported as bad, the others go
 * in. */
memo_status memo_import_flush(memo_import_work *w, memo_err *err);

/* Report a bad file (line 0) or line. Not MEMO_OK when the import must end here. */
memo_status memo_import_bad(memo_import_work *w, const char *path, uint64_t line,
                            const memo_err *why, memo_err *err);

/* What is wrong with the data, as against with the machine. */
int memo_import_is_bad_data(memo_status status);

/* Tell progress. */
memo_status memo_import_tell(memo_import_work *w, memo_err *err);

/* Another store: whether it may be imported, before anything is written; import it. (import_store.c) */
memo_status memo_import_check_store(memo_import_work *w, const char *path, memo_err *err);
memo_status memo_import_store(memo_import_work *w, const char *path, memo_err *err);

/* A text of a filter: quoted. (import_prune.c) */
void memo_import_put_quoted(memo_buf *out, const char *text);

/* Forget what prune is asked to. (import_prune.c) */
memo_status memo_import_prune(memo_import_work *w, const char *const *paths, size_t n_paths,
                              memo_err *err);

#endif
