// SPDX-License-Identifier: Apache-2.0
/* memolith/history.h -- what records were, and what has changed since.
 *
 * A chapter of memory.h, which includes it.
 *
 * Every change of a record makes a version; all of them are kept until the record is forgotten. Every
 * change of the store has a number, its sequence; the clock only dates it. */
#ifndef MEMOLITH_HISTORY_H
#define MEMOLITH_HISTORY_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions ------------------------------------------------------------------------------ */

typedef struct memo_history_options {
    size_t size;
    const char *ns;
    size_t limit;    /* 0: 100; at most 1,000 a call */
    uint64_t before; /* 0: from the newest; else only versions below it */
} memo_history_options;

/* memo_db_history() -- the versions of one record, newest first, the current one included.
 *
 *   id        of the record, or its key; expired ones are found too
 *   versions  out, free with memo_records_free(); `version` tells them apart, `updated_ms` says since
 *             when each was, `source` where it came from. `next` is not set: go on with `before`
 *
 * A version whose checksum fails is left out and named in `damaged` ("ID version N").
 * MEMO_ERR_NOTFOUND: there is none; the message says when it was forgotten, if it was. */
MEMO_API memo_status memo_db_history(memo_db *db, const memo_history_options *options,
                                     const char *id, memo_records **versions, memo_err *err);

/* memo_db_restore() -- make an earlier version the current one, as a new version.
 *
 * Text, title, metadata, tags, expiry, source, marks and chunk sizes become what they were; id, key
 * and creation time stay. Embeds again when text or title differ (then a model is needed).
 * MEMO_OUTCOME_UNCHANGED when the record is like that already. MEMO_ERR_NOTFOUND: no such record or
 * version; of a forgotten record nothing is left to restore. */
MEMO_API memo_status memo_db_restore(memo_db *db, const memo_write_options *options, const char *id,
                                     uint64_t version, memo_add_result *result, memo_err *err);

/* memo_db_get_as_of() -- a record as it was at a moment: the last of its versions written by then.
 *
 *   as_of_ms  Unix ms, above zero
 *
 * MEMO_ERR_NOTFOUND: it was not there yet, or had expired. Forgotten records are in no past. Where
 * the clock went backwards the version that was written later counts. memo_list_options.as_of_ms does
 * the same for lists. Its n_chunks is that of the version. */
MEMO_API memo_status memo_db_get_as_of(memo_db *db, const char *ns, const char *id,
                                       int64_t as_of_ms, memo_records **record, memo_err *err);

/* ---- the change feed ----------------------------------------------------------------------- */

typedef enum memo_change_kind {
    MEMO_CHANGE_RECORD,    /* a record was added or changed */
    MEMO_CHANGE_FORGOTTEN, /* a record, an entity or a fact was forgotten */
    MEMO_CHANGE_ENTITY,    /* an entity or its aliases changed */
    MEMO_CHANGE_FACT,      /* a fact was added, retracted or changed */
    MEMO_CHANGE_SPACE,     /* a namespace went over to other vectors, or back */
    MEMO_CHANGE_REPAIR,    /* the store was repaired: rows may have gone to quarantine */
} memo_change_kind;

MEMO_API const char *memo_change_kind_name(memo_change_kind kind); /* "record" */

typedef struct memo_change {
    memo_change_kind kind;
    uint64_t seq;
    const char *ns;            /* "" of a repair */
    const char *id;            /* of the record, entity or fact; "" when it has none */
    const char *key;           /* of a record, or NULL */
    int64_t at_ms;             /* when */
    const memo_record *record; /* of MEMO_CHANGE_RECORD, as it is now */
    int shredded;              /* of MEMO_CHANGE_FORGOTTEN */
} memo_change;

/* Changes with the memory that holds them; free with memo_changes_free(). */
typedef struct memo_changes {
    size_t n;
    const memo_change *changes; /* [n] in order of seq */
    const char *next;           /* cursor for the next call, never NULL */
    int more;                   /* the limit was reached: there may be more already */
    size_t n_damaged; /* changes of rows whose checksum fails: kind and seq, and nothing else */
} memo_changes;

typedef struct memo_changes_options {
    size_t size;
    const char *since; /* cursor of an earlier call; NULL or "": from the beginning */
    const char *ns;    /* NULL: of all namespaces */
    size_t limit;      /* 0: 100; at most 1,000 a call */
} memo_changes_options;

/* memo_db_changes() -- what has changed since a cursor.
 *
 * Each record, entity, fact and namespace comes once, with its last change: who applies the changes in
 * order, each by its id and version, has what the store has; applying one twice does no harm. A call
 * sees one moment of the store; writers commit one after the other, so nothing is skipped whoever
 * writes meanwhile. Keep the cursor together with what was applied.
 *
 * A cursor is opaque, printable, and of one store: MEMO_ERR_VALUE for a text that is none, or that is
 * of another store; MEMO_ERR_MISMATCH when the store has gone back behind it (an older backup was put
 * in its place): then begin again without a cursor. MEMO_ERR_CORRUPT: a damaged page was met, and
 * nothing would prove that no change is missing; repair the store first. */
MEMO_API memo_status memo_db_changes(memo_db *db, const memo_changes_options *options,
                                     memo_changes **changes, memo_err *err);
MEMO_API void memo_changes_free(memo_changes *changes);

#ifdef __cplusplus
}
#endif

#endif
