// SPDX-License-Identifier: Apache-2.0
/* memory/db.h -- what the files of this room share: the handle, the way in of every record, errors
 * that name it. */
#ifndef MEMO_MEMORY_DB_H
#define MEMO_MEMORY_DB_H

#include <memolith/memory.h>

#include "base/ctx.h"
#include "base/json.h"
#include "memory/context/passage_counts.h"
#include "memory/search/match_cache.h"
#include "memory/vector_index.h"
#include "store/store.h"

#define MEMO_DB_TEXT_BYTES     ((size_t)64 << 20) /* of one record */
#define MEMO_DB_METADATA_BYTES ((size_t)64 << 10)
#define MEMO_DB_DEFAULT_NS     "default"

struct memo_db {
    memo_ctx *ctx;
    memo_store *store;
    memo_model *model;            /* borrowed, or NULL */
    memo_model_info info;         /* of the model */
    memo_external_space external; /* name NULL: none; its strings are ours */
    int embedder_proved;          /* the external embedder has been compared with its probes */
    float *probes;          /* [probes, dim] what it made of them, when none were stored; or NULL */
    memo_store_space space; /* whose vectors this handle makes or takes; kind 0: none, dim 0: not
                               known yet */
    char *space_name;       /* space.name: "all-MiniLM-L6-v2.f32"; of an external one its name */
    char *space_print;      /* fingerprint of an external space */
    size_t document_tokens; /* a document may have; 0: not asked yet, see memo_db_capacity() */
    memo_vector_index index;             /* of the vectors, for searches */
    memo_match_cache matches;            /* of the last filters */
    memo_passage_counts passage_counts;  /* of the last contexts */
    struct memo_search_buffer *searches; /* not written yet; NULL when read-only */
    struct memo_echo *echo; /* what was shown lately, for writes; NULL: not asked yet */
    memo_latency_fn latency;
    void *latency_user;
    double slow_ms;
    struct memo_past *past; /* of the last search of the past, or NULL (search/past.h) */
    int64_t as_of_ms;       /* the moment of which this is a past; 0: the present */
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

/* ---- namespaces and models (db.c) ------------------------------------------------------------ */

const char *memo_db_ns_name(const char *ns); /* NULL: the default's */

/* An id or key as a caller gives it: NULL is MEMO_ERR_USAGE, one that no record can have
 * MEMO_ERR_VALUE (empty, not UTF-8) or MEMO_ERR_LIMIT. */
memo_status memo_db_check_id(const char *id, const char *call, memo_err *err);

/* MEMO_ERR_USAGE when the store was opened without a model and external space, or with one that only
 * takes ready vectors; `what` is "adding", ... */
memo_status memo_db_need_embedder(const memo_db *db, const char *what, memo_err *err);
/* The same where ready vectors will do. */
memo_status memo_db_need_space(const memo_db *db, const char *what, memo_err *err);
int memo_db_can_embed(const memo_db *db);

/* MEMO_ERR_MISMATCH when the namespace holds vectors of another space than the handle's; `outcome`
 * ends the message ("nothing was written"). A namespace without vectors fits every space. */
memo_status memo_db_check_space(memo_db *db, const char *name, const memo_store_ns *ns,
                                const char *outcome, memo_err *err);

/* How many tokens of a document the model sees: its maximum less special tokens and prompt. */
memo_status memo_db_capacity(memo_db *db, size_t *n_tokens, memo_err *err);

/* ---- vectors from elsewhere (external.c) ----------------------------------------------------- */

/* Copy the caller's description of an external space into the handle. */
memo_status memo_external_init(memo_db *db, const memo_external_space *external, memo_err *err);
void memo_external_fini(memo_db *db);
/* A ready vector of dimension `dim` has come: MEMO_ERR_MISMATCH when the handle's space has another;
 * of an external space whose dimension was not known it is this one from now on. */
memo_status memo_external_take_dim(memo_db *db, size_t dim, memo_err *err);

/* Finite, not all zero, 1..65,536 components. */
memo_status memo_vector_check(const memo_vector *vector, memo_err *err);
/* Its components as floats: its own when it has them, else written to `room` [dim]. */
const float *memo_vector_floats(const memo_vector *vector, float *room);

/* memo_db_embed() -- memo_model_embed() of the handle's model, or the external embedder's work, held to
 * the same promise: finite, with a norm. Results of an embedder count no tokens. An embedder is
 * compared with its probes first, in what the store is at the moment. */
memo_status memo_db_embed(memo_db *db, const memo_embed_options *options, const memo_text *texts,
                          size_t n, float *vectors, memo_embed_result *results, memo_err *err);
/* Write: in a new space, what the embedder has made of the probe texts. */
memo_status memo_external_keep_probes(memo_db *db, int64_t space, memo_err *err);

/* ---- messages and objects (db.c) ------------------------------------------------------------- */

/* Put words before a failure's message: "record 3: text is empty". Returns the status. */
memo_status memo_err_prefix(memo_err *err, memo_status status, const char *fmt, ...)
    MEMO_PRINTF(3, 4);

/* A JSON object in one spelling, keys sorted and no spaces, in the arena: equal objects are then
 * equal bytes. */
memo_status memo_db_put_object(const json_t *object, memo_arena *arena, const char **out,
                               memo_err *err);

/* The object `old` with the members of `change`, in the arena: a null removes. (db_records.c) */
memo_status memo_db_merge_metadata(const char *old, const char *change, memo_arena *arena,
                                   const char **out, memo_err *err);

/* ---- lists of rows (listing.c) --------------------------------------------------------------- */

/* A namespace to read: *ns_id 0 when it is the default one and does not exist yet. */
memo_status memo_db_find_ns(memo_db *db, const char *ns, int64_t *ns_id, memo_err *err);

/* A cursor is the number of the last row shown. */
memo_status memo_db_read_cursor(const char *after, int64_t *row, memo_err *err);
memo_status memo_db_put_cursor(memo_arena *arena, int64_t row, const char **next, memo_err *err);

/* The names of `damage` as a result carries them. */
memo_status memo_db_name_damage(const memo_store_damage *damage, memo_arena *arena,
                                size_t *n_damaged, const char *const **names, size_t *n_names,
                                memo_err *err);

/* ---- the way in (ingest.c) ------------------------------------------------------------------- */

/* Check one record's fields without looking at the store; what memo_db_add() would refuse. */
memo_status memo_ingest_check(const memo_record_in *in, memo_err *err);
/* The same but for its metadata, which memo_ingest_run() reads in any case. */
memo_status memo_ingest_check_fields(const memo_record_in *in, memo_err *err);

/* What is written in the same transaction as records, after them; a failure undoes both. */
typedef struct memo_ingest_also {
    memo_status (*fn)(void *user, memo_err *err);
    void *user;
} memo_ingest_also;

typedef struct memo_ingest {
    const char *ns;                /* namespace's name */
    const memo_record_in *records; /* [n], whole structs of this version, their fields checked */
    size_t n;
    memo_add_result *results; /* [n] or NULL */
    memo_progress_fn progress;
    void *progress_user;
    memo_deadline deadline;
    /* Of an edit: the one record is this one in this version; NULL and 0 otherwise. */
    const char *id;
    uint64_t expect_version;
    int keep_chunks;  /* its text and title are unchanged */
    int chunks_only;  /* so is all of it: no new version, only its chunks are made again */
    int compare_only; /* nothing is written: the outcomes say what would be */
    int take_vectors; /* vectors that records bring are the model's own */
    int key_or_id;    /* as in memo_store_put */
    const memo_ingest_also *also; /* NULL: none; not called when the comparison alone finds
                                     all records unchanged */
    const memo_store_kept *kept;  /* [n] or NULL; an id of NULL: nothing is kept */
    memo_links_mode links;
    const char *actor;                /* who writes, or NULL */
    const int64_t *said_ms, *born_ms; /* [n] as in memo_store_put, or NULL */
} memo_ingest;

/* Compare, cut, embed, then write all in one transaction. On failure nothing is written. */
memo_status memo_ingest_run(memo_db *db, const memo_ingest *job, memo_err *err);

/* Records with the arena that holds them. */
typedef struct memo_records_owner {
    memo_records records; /* first: this is what the caller sees */
    memo_arena arena;
} memo_records_owner;

/* A record, complete, over another one. Its chunks stay when text and title are those of `old`, unless
 * chunks_only: then they alone are made again, and no version. */
typedef struct memo_rewrite {
    const memo_write_options *options;
    const memo_record *old;
    const memo_record_in *in;
    int chunks_only;
    const memo_ingest_also *also;
} memo_rewrite;

/* MEMO_ERR_BUSY: another writer has changed the record since it was read: try again with what it is
 * now, as long as memo_db_try_again() says so. (db_records.c) */
memo_status memo_db_rewrite(memo_db *db, const memo_rewrite *job, memo_add_result *result,
                            memo_err *err);

/* The tries of a rewrite; zeroed at first. */
typedef struct memo_db_tries {
    int n;
    uint64_t version, before; /* what this try and the one before it began with */
} memo_db_tries;
/* (db_records.c) */
int memo_db_try_again(memo_db_tries *tries, memo_status status);

/* memo_db_restore() of the version before `version`, and `also` with it. MEMO_ERR_VALUE: the record has
 * another version than `version` by now, and keeps it. (history.c) */
memo_status memo_db_restore_also(memo_db *db, const char *ns, const char *id, uint64_t version,
                                 const memo_ingest_also *also, memo_err *err);

/* Cut and embed a record's text again; its version and its times stay. For one that
 * has lost chunks or vectors. Errors as of memo_db_edit(). (db_records.c) */
memo_status memo_db_embed_again(memo_db *db, const char *ns, const char *id, memo_err *err);

/* ---- one document's pieces (document.c) ------------------------------------------------------ */

/* A text cut into spans, with what the model is given for each. */
typedef struct memo_document {
    size_t n;
    size_t (*spans)[2]; /* [n] byte spans of the text */
    memo_text *inputs;  /* [n] what is embedded: the span, the first one after the title */
} memo_document;

/* Whether a record is Markdown: asked for, or by the name of its source. */
int memo_document_is_markdown(const memo_record_in *in);

/* memo_document_cut() -- apply the chunking of a record.
 *
 *   in        its text, title, source (for MEMO_CHUNK_AUTO) and chunk sizes
 *   document  out, in `arena`; inputs borrow from `in` and the arena
 *
 * MEMO_ERR_VALUE when the chunk sizes do not fit the model. */
memo_status memo_document_cut(memo_db *db, const memo_record_in *in, memo_arena *arena,
                              memo_document *document, memo_err *err);

/* What is embedded for a span: the same as when it was cut; `title` of a record's first, else NULL. */
memo_status memo_document_input(memo_db *db, const char *title, memo_text span, memo_arena *arena,
                                memo_text *input, memo_err *err);

#endif
