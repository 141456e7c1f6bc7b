// SPDX-License-Identifier: Apache-2.0
/* memory/db.h -- what the files of this room share: the handle, the way in of every record, errors
 * that name it. */
#ifndef MEMO_MEMORY_DB_H
#define MEMO_MEMORY_DB_H

#include <memolith/memory.h>

#include "base/ctx.h"
#include "base/json.h"
#include "store/store.h"

#define MEMO_DB_TEXT_BYTES ((size_t)64 << 20) /* of one record */
#define MEMO_DB_DEFAULT_NS "default"

struct memo_db {
    memo_ctx *ctx;
    memo_store *store;
    memo_model *model;      /* borrowed, or NULL */
    memo_model_info info;   /* of the model */
    char *space_name;       /* "all-MiniLM-L6-v2.f32"; NULL without a model */
    size_t document_tokens; /* a document may have; 0: not asked yet, see memo_db_capacity() */
    int in_callback;        /* a function of the caller runs, within a call on this handle */
};

/* A progress function of the caller's, wrapped for the length of a call. */
typedef struct memo_db_progress {
    memo_db *db;
    memo_progress_fn fn;
    void *user;
} memo_db_progress;

/* Put a wrapper in the place of *fn and *user: while it runs, calls on this handle are refused. */
void memo_db_wrap_progress(memo_db_progress *wrapper, memo_db *db, memo_progress_fn *fn,
                           void **user);

/* MEMO_ERR_USAGE when the handle, or what the caller must give along with it, is NULL;
 * MEMO_ERR_BUSY from within a callback of the same handle. */
memo_status memo_db_check_call(const memo_db *db, const void *needed, const char *call,
                               memo_err *err);

/* ---- namespaces and models (db.c) ---------------------------------------------------------- */

const char *memo_db_ns_name(const char *ns); /* NULL: the default's */

/* An id or key as a caller gives it: NULL is MEMO_ERR_USAGE, one that no record can have
 * MEMO_ERR_VALUE (empty, not UTF-8) or MEMO_ERR_LIMIT. */
memo_status memo_db_check_id(const char *id, const char *call, memo_err *err);

/* MEMO_ERR_USAGE when the store was opened without a model; `what` is "adding", ... */
memo_status memo_db_need_model(const memo_db *db, const char *what, memo_err *err);

/* MEMO_ERR_MISMATCH when the namespace holds vectors of another model than the handle's; `outcome`
 * ends the message ("nothing was written"). A namespace without vectors fits every model. */
memo_status memo_db_check_space(memo_db *db, const char *name, const memo_store_ns *ns,
                                const char *outcome, memo_err *err);

/* How many tokens of a document the model sees: its maximum less special tokens and prompt. */
memo_status memo_db_capacity(memo_db *db, size_t *n_tokens, memo_err *err);

/* Put words before a failure's message: "record 3: text is empty". Returns the status. */
memo_status memo_err_prefix(memo_err *err, memo_status status, const char *fmt, ...)
    MEMO_PRINTF(3, 4);

/* A JSON object in one spelling, keys sorted and no spaces, in the arena: equal objects are then
 * equal bytes. */
memo_status memo_db_put_object(const json_t *object, memo_arena *arena, const char **out,
                               memo_err *err);

/* ---- the way in (ingest.c) ----------------------------------------------------------------- */

/* Check one record's fields without looking at the store; what memo_db_add() would refuse. */
memo_status memo_ingest_check(const memo_record_in *in, memo_err *err);

typedef struct memo_ingest {
    const char *ns;                /* namespace's name */
    const memo_record_in *records; /* [n], whole structs of this version, checked */
    size_t n;
    memo_add_result *results; /* [n] or NULL */
    memo_progress_fn progress;
    void *progress_user;
    memo_deadline deadline;
    /* Of an edit: the one record is this one in this version; NULL and 0 otherwise. */
    const char *id;
    uint64_t expect_version;
    int keep_chunks; /* its text and title are unchanged */
    int chunks_only; /* so is all of it: no new version, only its chunks are made again */
} memo_ingest;

/* Compare, cut, embed, then write all in one transaction. On failure nothing is written. */
memo_status memo_ingest_run(memo_db *db, const memo_ingest *job, memo_err *err);

/* Cut and embed a record's text again; its version and its times stay. For one that
 * has lost chunks or vectors. Errors as of memo_db_edit(). (db_records.c) */
memo_status memo_db_embed_again(memo_db *db, const char *ns, const char *id, memo_err *err);

/* ---- one document's pieces (document.c) ---------------------------------------------------- */

/* A text cut into spans, with what the model is given for each. */
typedef struct memo_document {
    size_t n;
    size_t (*spans)[2]; /* [n] byte spans of the text */
    memo_text *inputs;  /* [n] what is embedded: the span, the first one after the title */
} memo_document;

/* memo_document_cut() -- apply the chunking of a record.
 *
 *   in        its text, title, source (for MEMO_CHUNK_AUTO) and chunk sizes
 *   document  out, in `arena`; inputs borrow from `in` and the arena
 *
 * MEMO_ERR_VALUE when the chunk sizes do not fit the model. */
memo_status memo_document_cut(memo_db *db, const memo_record_in *in, memo_arena *arena,
                              memo_document *document, memo_err *err);

#endif
