// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/exported.h -- lines of memo_db_export(), taken back.
 *
 * A line is known by its member "memolith", the version of its form: {"memolith":1,"id":...}. */
#ifndef MEMO_MEMORY_EXPORTED_H
#define MEMO_MEMORY_EXPORTED_H

#include "base/json.h"
#include "memory/db.h"

#define MEMO_EXPORTED_VERSION 1

/* What the line says beyond a record that can be added at once. */
typedef struct memo_exported {
    int is;               /* the line is one of ours */
    json_t *row;          /* it is no record but another row; ours until it is taken, or NULL */
    memo_store_kept kept; /* of a record; id NULL: none */
    const char *parent, *supersedes; /* NULL: none; the records may come later in the file */
    const char *space, *print;       /* name and fingerprint of what made its vectors; NULL: none */
} memo_exported;

/* The type of a line that is one of ours and no record, "entity"; else NULL. Borrowed. */
const char *memo_exported_type(const json_t *object);

/* MEMO_ERR_UNSUPPORTED: a newer form. */
memo_status memo_exported_check_form(const json_t *object, memo_err *err);

/* A version of a record: what it was, and what is kept of it. */
memo_status memo_exported_version(json_t *object, memo_arena *arena, memo_store_put *put,
                                  memo_store_kept *kept, memo_err *err);

/* The type of a member that must be there: MEMO_ERR_FORMAT, MEMO_ERR_VALUE. */
memo_status memo_exported_need_string(const json_t *object, const char *name, memo_arena *arena,
                                      const char **out, memo_err *err);
/* One that may be absent, then *out stays as it is. */
memo_status memo_exported_string(const json_t *object, const char *name, memo_arena *arena,
                                 const char **out, memo_err *err);
memo_status memo_exported_int(const json_t *object, const char *name, int64_t min, int64_t max,
                              int64_t *out, memo_err *err);

/* memo_exported_read() -- complete a record that has text, title, tags, metadata and created already.
 *
 * MEMO_ERR_UNSUPPORTED: a newer form; MEMO_ERR_FORMAT, MEMO_ERR_VALUE: a member that is not as it
 * was written. Strings and vectors lie in the arena. */
memo_status memo_exported_read(const json_t *object, memo_arena *arena, memo_record_in *record,
                               memo_exported *out, memo_err *err);

/* Leave the vectors out with `reembed`; MEMO_ERR_MISMATCH when the handle's space is another one. */
memo_status memo_exported_check_space(const memo_db *db, const memo_exported *exported, int reembed,
                                      memo_record_in *record, memo_err *err);

#endif
