// SPDX-License-Identifier: Apache-2.0
/* memolith/spaces.h -- give a store another model, while it is in use, and go back.
 *
 * A chapter of memory.h, which includes it. The vectors of a namespace belong to one space: a model, by
 * its fingerprint, or an external space. To change it every text is embedded again. */
#ifndef MEMOLITH_SPACES_H
#define MEMOLITH_SPACES_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct memo_set_model_options {
    size_t size;
    const char *ns;    /* NULL: "default" */
    int all;           /* every namespace; `ns` is not looked at */
    int drop_previous; /* do not keep the vectors of the space that is left: no way back */
    /* Stage "embed" counts chunks, then "cut" records; the item is the namespace. Non-zero:
     * MEMO_ERR_CANCELLED, what is embedded stays, and the same call later goes on with the rest. */
    memo_progress_fn progress;
    void *progress_user;
} memo_set_model_options;

typedef struct memo_set_model_report {
    size_t size;
    uint64_t n_namespaces; /* looked at */
    uint64_t n_switched;   /* of them; the others had the space already */
    uint64_t n_embedded;   /* chunks, by this call */
    uint64_t n_recut;      /* records cut into smaller chunks, by this call */
    uint64_t n_refused;    /* chunks that the model does not take (the log says why) */
    uint64_t n_damaged;    /* chunks left out because they or their record fail their checksum */
    int64_t elapsed_ms;
} memo_set_model_report;

/* memo_db_set_model() -- embed a namespace anew with the handle's model (or external embedder) and
 * make its space the namespace's current one.
 *
 *   report  out, or NULL; filled on failure, too
 *
 * It works beside everybody else: chunks are embedded in groups, outside the writer lock, each group
 * committed. Searches find by the old space and others add with the old model, until the end, when
 * what has come in meanwhile is embedded under the lock and the namespace is switched in one
 * transaction. Killed, cancelled or failed at any moment it leaves the namespace as it was, with the
 * work so far: the same call goes on where that ended, another model begins afresh. After the switch
 * handles with the old model are MEMO_ERR_MISMATCH, and search by words.
 *
 * Chunks are a property of the record and stay. Only records with a chunk longer than what the new
 * model takes are cut and embedded once more, one by one, after the switch; until that is done such a
 * chunk has a vector of its beginning. Their version and times stay.
 *
 * The old vectors are kept for memo_db_rollback_model(), one step back; an earlier space's are dropped.
 * With the model that is set already: embeds what lacks a vector and drops a half-made other space.
 *
 * MEMO_ERR_NOTFOUND: no such namespace; MEMO_ERR_USAGE: nothing here makes vectors; MEMO_ERR_BUSY:
 * somebody sets another model at the same time. */
MEMO_API memo_status memo_db_set_model(memo_db *db, const memo_set_model_options *options,
                                       memo_set_model_report *report, memo_err *err);

/* memo_db_rollback_model() -- make the previous space the current one again. Called twice it is back
 * where it began.
 *
 * At once and without a model when every chunk still has its old vector. Else (records were written or
 * cut anew since the switch) the handle needs the old model, to embed those: without it
 * MEMO_ERR_MISMATCH names it. MEMO_ERR_NOTFOUND: there is no previous space; with `all` only when no
 * namespace has one. */
MEMO_API memo_status memo_db_rollback_model(memo_db *db, const memo_set_model_options *options,
                                            memo_set_model_report *report, memo_err *err);

/* A vector space of the store. */
typedef struct memo_space_info {
    const char *name;        /* "all-MiniLM-L6-v2.f32", or of an external space its name */
    const char *fingerprint; /* of the model, or "external:NAME:DIM" */
    size_t dim;
    int external;
    uint64_t n_vectors; /* in all namespaces */
    int is_open;        /* it is that of this handle */
} memo_space_info;

#define MEMO_NO_SPACE SIZE_MAX

/* A namespace and its spaces, by their place in the list; MEMO_NO_SPACE: none. */
typedef struct memo_ns_info {
    const char *name;
    uint64_t n_records, n_chunks;
    size_t current;
    size_t previous;    /* it can be rolled back to */
    size_t next;        /* it is being set */
    uint64_t n_current; /* chunks with a vector of the current space */
    uint64_t n_next;    /* of the next one: the progress of a memo_db_set_model() */
} memo_ns_info;

typedef struct memo_spaces {
    size_t n;
    const memo_space_info *spaces; /* [n] */
    size_t n_namespaces;
    const memo_ns_info *namespaces; /* [n_namespaces] */
} memo_spaces;

/* memo_db_get_spaces() -- the spaces and namespaces of a store; free with memo_spaces_free(). */
MEMO_API memo_status memo_db_get_spaces(memo_db *db, memo_spaces **spaces, memo_err *err);
MEMO_API void memo_spaces_free(memo_spaces *spaces);

#define MEMO_FINGERPRINT_BYTES 65 /* 64 hex digits and their NUL */
/* memo_db_get_model() -- which compiled model the vectors of a namespace are of, without counting any.
 *
 *   previous     non-zero: not the current ones, but those that it can be rolled back to
 *   fingerprint  out; "" when there are none, or no compiled model makes them
 *
 * MEMO_ERR_NOTFOUND: no such namespace. */
MEMO_API memo_status memo_db_get_model(memo_db *db, const char *ns, int previous,
                                       char fingerprint[MEMO_FINGERPRINT_BYTES], memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
