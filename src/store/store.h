// SPDX-License-Identifier: Apache-2.0
/* store/store.h -- one SQLite file that holds records, chunks, vectors and full-text rows.
 *
 * This room is the only one that knows SQLite. It keeps promises about bytes: what is committed is
 * on the disk, what changed by itself is reported and never returned. It knows no model, no
 * chunking and no ranking; those are the memory room's policy.
 *
 * Rules of use
 *   - One thread at a time per handle. A handle in a forked child is MEMO_ERR_USAGE everywhere;
 *     memo_store_close() is safe there.
 *   - Everything that changes rows ("write") needs memo_store_begin_write() .. commit(). Only then
 *     the writer lock is held; embed before, not inside.
 *     After a failed write call roll back; what it had done so far is not undone by itself.
 *   - Reads outside a transaction each see the newest commit; memo_store_begin_read() .. memo_store_end_read()
 *     gives several reads one snapshot. Inside a write transaction reads see its own changes.
 *   - Results lie in the caller's arena or in structs by value, and stay valid when the store
 *     changes or closes. Pointers in callbacks are borrowed for the call.
 *   - `ns` and `space` are row ids from the functions below, > 0. `chunk` and `record` ids are
 *     AUTOINCREMENT row ids: never reused.
 *
 * Damage: every record, chunk and vector row carries a 64-bit checksum, every page another. A row
 * that fails is left out and named in memo_store_damage; a single read of it is MEMO_ERR_CORRUPT.
 * A bad page is read once more through a second connection that lets it pass, and the row checksums
 * decide what can still be served; where nothing proves the answer (counts, full text, "not
 * found"), the call is MEMO_ERR_CORRUPT naming the page. */
#ifndef MEMO_STORE_STORE_H
#define MEMO_STORE_STORE_H

#include <stdint.h>

#include <memolith/memory.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "store/filter/filter.h"

#define MEMO_STORE_SCHEMA_VERSION 2
#define MEMO_STORE_MAX_DIM        65536
#define MEMO_STORE_MAX_KEY_BYTES  512
#define MEMO_STORE_MAX_NS_BYTES   128

/* memo_store -- an open store file. */
typedef struct memo_store memo_store;

typedef struct memo_store_options {
    memo_open_mode mode;
    int64_t busy_timeout_ms; /* as in memo_db_options */
    int allow_network_fs;
    memo_fulltext fulltext; /* of a store that is made */
    int repairing;          /* open also when its counters do not fit its rows: for repair only */
} memo_store_options;

/* ---- open (store.c) -------------------------------------------------------------------------- */

/* memo_store_open() -- open or make a store; errors as documented at memo_db_open(). `ctx` must
 * outlive the store (its clock and log are used). */
memo_status memo_store_open(memo_ctx *ctx, const char *path, const memo_store_options *options,
                            memo_store **store, memo_err *err);

/* Roll back what is open, fold the write-ahead log into the file (when the writer lock can be had)
 * and close. NULL and half-opened stores are fine. */
void memo_store_close(memo_store *store);

const char *memo_store_path(const memo_store *store); /* absolute, links resolved */
int memo_store_read_only(const memo_store *store);    /* also after a failed sync */

/* ---- transactions (transaction.c) ------------------------------------------------------------ */

/* memo_store_begin_write() -- take the writer lock and begin.
 *
 * Waits up to busy_timeout_ms, then MEMO_ERR_BUSY naming the holder's pid. MEMO_ERR_IO on a
 * read-only store and after a failed sync; MEMO_ERR_USAGE inside another transaction. */
memo_status memo_store_begin_write(memo_store *store, memo_err *err);

/* memo_store_begin_relaxed() -- the same for what may be lost: its commit reaches the log without a sync,
 * and the disk with the next ordinary one. What was committed before or is committed after is as safe
 * as ever: a log is read in order. Waits for the lock at most wait_ms. The log may grow to four times
 * its size before such a commit folds it into the file. */
memo_status memo_store_begin_relaxed(memo_store *store, int64_t wait_ms, memo_err *err);

/* memo_store_commit() -- make it durable; MEMO_OK means written and synced. On failure everything
 * is rolled back; when the commit itself could not be written or synced the handle turns read-only,
 * because what reached the disk is then unknown until the file is opened again. */
memo_status memo_store_commit(memo_store *store, memo_err *err);
void memo_store_rollback(memo_store *store); /* nothing open: nothing happens */
/* The end of what began with memo_store_begin_write(): commit when all went well, else roll back and
 * return the `status` that says why. */
memo_status memo_store_end_write(memo_store *store, memo_status status, memo_err *err);

memo_status memo_store_begin_read(memo_store *store, memo_err *err);
void memo_store_end_read(memo_store *store);

/* A ULID: 48 bits of time, 80 random bits, in Crockford's base 32. Ids made by one handle within
 * one millisecond ascend. (rows.c) */
memo_status memo_ulid_make(memo_store *store, int64_t now_ms, char out[MEMO_ID_BYTES],
                           memo_err *err);

/* ---- namespaces and spaces (spaces.c) -------------------------------------------------------- */

typedef struct memo_store_ns {
    int64_t id;
    int64_t space; /* whose vectors are searched; 0: none yet */
} memo_store_ns;

typedef enum memo_space_kind {
    MEMO_SPACE_MODEL = 1,    /* vectors of one compiled model */
    MEMO_SPACE_EXTERNAL = 2, /* vectors that come from elsewhere, or from the caller's embedder */
} memo_space_kind;

/* The space of the vectors of one model, or of one that is not here. Strings: arena when read. */
typedef struct memo_store_space {
    int64_t id;              /* ignored by make */
    const char *fingerprint; /* identity, 1..128 bytes */
    const char *name;        /* for messages: "all-MiniLM-L6-v2.f32" */
    const char *model_path;  /* where the model was last seen, or "" */
    size_t dim;              /* 1..MEMO_STORE_MAX_DIM */
    memo_space_kind kind;
} memo_store_space;

/* MEMO_ERR_NOTFOUND when there is no such namespace. */
memo_status memo_store_find_ns(memo_store *store, const char *name, memo_store_ns *ns,
                               memo_err *err);
/* Write. Find or make; MEMO_ERR_VALUE / MEMO_ERR_LIMIT for a name that is empty, not UTF-8 or too
 * long. */
memo_status memo_store_make_ns(memo_store *store, const char *name, memo_store_ns *ns,
                               memo_err *err);
/* Write. Make `space` the namespace's current one. */
memo_status memo_store_set_ns_space(memo_store *store, int64_t ns, int64_t space, memo_err *err);

memo_status memo_store_get_space(memo_store *store, int64_t id, memo_arena *arena,
                                 memo_store_space *space, memo_err *err);
/* Write. Find by fingerprint (a new model_path or name is kept; another dim is MEMO_ERR_MISMATCH)
 * or make. */
memo_status memo_store_make_space(memo_store *store, const memo_store_space *space, int64_t *id,
                                  memo_err *err);

/* *id 0: no space has this fingerprint. */
memo_status memo_store_find_space(memo_store *store, const char *fingerprint, int64_t *id,
                                  memo_err *err);

/* Fixed texts and what the embedder of an external space made of them. */
typedef struct memo_store_probes {
    size_t n;
    const memo_text *texts; /* [n] NUL-terminated as well */
    const float *vectors;   /* [n, dim of the space] */
} memo_store_probes;

/* Those of a space, in the arena. One that fails its checksum, or has another dimension, is left out:
 * the others prove as much. */
memo_status memo_store_get_probes(memo_store *store, int64_t space, size_t dim, memo_arena *arena,
                                  memo_store_probes *probes, memo_err *err);
/* Write. */
memo_status memo_store_put_probe(memo_store *store, int64_t space, size_t position,
                                 const char *text, const float *vector, size_t dim, memo_err *err);

/* Each namespace once, in order of id; a non-zero return stops. It must not call the store. */
typedef int (*memo_store_ns_fn)(void *user, const char *name, const memo_store_ns *ns,
                                uint64_t n_records);
memo_status memo_store_each_ns(memo_store *store, memo_store_ns_fn fn, void *user, memo_err *err);

/* ---- writing records (put.c) ----------------------------------------------------------------- */

typedef struct memo_store_chunk {
    size_t begin, end;   /* byte span in the record's text, begin < end, at character boundaries */
    size_t n_tokens;     /* as the model counts */
    const float *vector; /* [dim of the space]; finite and not zero, else MEMO_ERR_VALUE */
} memo_store_chunk;

/* What a record brings that was in another store before. When it is new here it keeps its id, unless
 * that is taken or none, and with the id the version. A parent or
 * superseded record that is not there is left out. */
typedef struct memo_store_kept {
    const char *id;
    uint64_t version;   /* 0: 1 */
    int64_t updated_ms; /* 0: now */
    int no_key;         /* the put's key is this id: a record that keeps its id has no key */
    size_t n_chunks;    /* of memo_store_put_version() */
} memo_store_kept;

/* A record with everything derived from it, ready to be written. All borrowed. */
typedef struct memo_store_put {
    const char *id;          /* NULL: by key, or a new record; else the record to change */
    uint64_t expect_version; /* with id: another version is MEMO_ERR_BUSY; 0: any */
    const char *key;         /* or NULL; with id: must be the record's own or NULL */
    memo_text text;          /* valid UTF-8 */
    const char *title;       /* NULL: "" */
    const char *metadata;    /* a JSON object in one canonical spelling; NULL: "{}" */
    const char *const *tags; /* [n_tags]; as a JSON array at most 64 KiB */
    size_t n_tags;
    int64_t created_ms; /* 0: now, or what the record has */
    int64_t expires_ms; /* 0: never */
    const char *source; /* NULL: "" */
    memo_chunking chunking;
    size_t chunk_tokens, chunk_overlap; /* what was asked for: part of "unchanged" */
    int64_t space;                      /* of the vectors; 0 only with keep_chunks */
    const memo_store_chunk *chunks;     /* [n_chunks], in order of begin */
    size_t n_chunks;
    int keep_chunks; /* with id, when text and title are unchanged: chunks stay as they are */
    int chunks_only; /* with id, when nothing is changed: version and times stay as they are */
    const int *trust, *pinned, *tier; /* NULL: what the record has, else 0, 0, 2 */
    const char *parent;               /* id or key; NULL: what the record has; "": none */
    const char *supersedes;           /* id or key; NULL: nothing new */
    int own_vectors;       /* the caller's: other spans or vectors than those stored are a change */
    int key_or_id;         /* a record whose id is `key` is meant when none has this key */
    const int64_t *sketch; /* [n_sketch] of the text, distinct; NULL: it will have to be compared */
    size_t n_sketch;
    struct memo_store_written *written; /* out, or NULL */
    const memo_store_kept *kept;        /* or NULL */
    /* When the source that says all this was written, or 0. Tags and metadata of NULL and expires_ms
     * of 0 then are what the record has, and a record changed later than that is unchanged by what
     * one of its earlier versions said already. */
    int64_t said_ms;
    int64_t born_ms; /* created, of a new record with created_ms 0; 0: now */
} memo_store_put;

/* What a put wrote, for who goes on with it. */
typedef struct memo_store_written {
    int64_t rid;
    int trust;    /* of the record now */
    int new_text; /* the record is new, or its text is another than before */
} memo_store_written;

/* memo_store_compare() -- would this put change anything? Reads only: ask before embedding.
 *
 * Compares all fields by bytes (created_ms 0, id and expect_version do not count, chunks only with
 * own_vectors) and whether every chunk has a vector in `space`. On MEMO_OUTCOME_UNCHANGED the rest of *result
 * describes the record as it is; else only `outcome` is set. */
memo_status memo_store_compare(memo_store *store, int64_t ns, const memo_store_put *put,
                               memo_add_result *result, memo_err *err);

/* memo_store_put_record() -- write: add a record, or a new version of the one with this id or key.
 *
 * The old version goes to the history, its chunks, vectors and full-text rows are replaced. The
 * change sequence grows by one. With nothing to change: MEMO_OUTCOME_UNCHANGED, nothing written.
 * MEMO_ERR_NOTFOUND: no record `id`; MEMO_ERR_BUSY: it has another version by now (read, merge and
 * try again); MEMO_ERR_VALUE, MEMO_ERR_LIMIT: bad field. result->n_tokens is the chunks' sum.
 * A parent or a superseded record that is not there is MEMO_ERR_NOTFOUND. */
memo_status memo_store_put_record(memo_store *store, int64_t ns, const memo_store_put *put,
                                  memo_add_result *result, memo_err *err);

/* The tags of one record: MEMO_ERR_LIMIT when they are too long together. */
memo_status memo_store_check_tags(const char *const *tags, size_t n_tags, memo_err *err);

/* memo_store_put_version() -- write: an earlier version of record put->id, as put->kept says.
 *
 * *added 0: the record has this version already, or is not newer. A parent that is not there is left
 * out. MEMO_ERR_NOTFOUND: no such record; MEMO_ERR_CORRUPT: it is damaged. */
memo_status memo_store_put_version(memo_store *store, int64_t ns, const memo_store_put *put,
                                   int *added, memo_err *err);

/* ---- forgetting (forget.c) ------------------------------------------------------------------- */

/* memo_store_forget() -- write: delete one record by id or key, with its versions, chunks, vectors
 * and full-text rows, and with what other tables keep about it (related.c); a tombstone stays. *found
 * 0 when there is none. Works on damaged records. */
memo_status memo_store_forget(memo_store *store, int64_t ns, const char *id, int *found,
                              memo_err *err);

/* Which records go. */
typedef struct memo_store_sweep {
    int64_t ns;
    const memo_filter *filter; /* NULL: all, with expired_ms only (else MEMO_ERR_USAGE) */
    int64_t expired_ms;        /* only what had expired by then; 0: expired or not */
    int pinned;                /* pinned ones, too */
} memo_store_sweep;

/* Write. Forget all of them. */
memo_status memo_store_forget_where(memo_store *store, const memo_store_sweep *sweep,
                                    uint64_t *n_forgotten, memo_err *err);

/* ---- what records say of each other (related.c) ---------------------------------------------- */

/* Write. Record `rid` is linked to record `other`; once more replaces it. */
memo_status memo_store_link(memo_store *store, int64_t rid, int64_t other, memo_link_kind kind,
                            double score, memo_err *err);

/* The links of a record in both directions, newest first; out->links and strings in the arena. */
memo_status memo_store_links(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                             memo_links *out, memo_err *err);

/* ---- who may say the same (sketches.c) ------------------------------------------------------- */

/* A record's sketch is a few hashes of what it says; the caller knows how they are made. Records with
 * one in common may say the same. A record without a sketch waits to be compared with the others. */
#define MEMO_STORE_SKETCH 4

typedef struct memo_store_alike {
    int64_t rid;
    size_t n_common; /* hashes that both have */
    int rare;        /* few records have one of them */
} memo_store_alike;
#define MEMO_STORE_ALIKE 3

/* The records that have most in common with a sketch, at most MEMO_STORE_ALIKE, of equals the older
 * first; `self` is left out. Those that share one hash only, and with many others, are not told. */
memo_status memo_store_find_alike(memo_store *store, const int64_t *sketch, size_t n_sketch,
                                  int64_t self, memo_store_alike out[MEMO_STORE_ALIKE], size_t *n,
                                  memo_err *err);

/* The text of record `rid`, in the arena; found 0 when it is gone or damaged. */
typedef struct memo_store_text {
    int found;
    const char *ns; /* name of its namespace */
    memo_text text;
} memo_store_text;
memo_status memo_store_text_of(memo_store *store, int64_t rid, memo_arena *arena,
                               memo_store_text *out, memo_err *err);

/* The next record after `rid` that waits to be compared, 0: none; how many do. */
memo_status memo_store_next_unlinked(memo_store *store, int64_t *rid, memo_err *err);
memo_status memo_store_count_unlinked(memo_store *store, uint64_t *n, memo_err *err);
/* Write. The sketch of a record that has waited. */
memo_status memo_store_settle_sketch(memo_store *store, int64_t rid, const int64_t *sketch,
                                     size_t n_sketch, memo_err *err);

/* ---- reading records (lookup.c) -------------------------------------------------------------- */

/* Rows left out because a checksum failed. Zero it with an arena set; ids beyond the first
 * MEMO_STORE_MAX_DAMAGED are counted, not named. A bad page adds one entry "page N". */
#define MEMO_STORE_MAX_DAMAGED 64
typedef struct memo_store_damage {
    memo_arena *arena; /* holds the names */
    size_t n;
    size_t n_ids;
    int no_memory; /* for a name: what is read fails with NOMEM */
    const char *ids[MEMO_STORE_MAX_DAMAGED];
} memo_store_damage;

/* Add one, unless it is named already; the name is copied. `damage` may be NULL. (store.c) */
void memo_damage_add(memo_store_damage *damage, const char *id);

/* What a read may see: live (not expired) records of a namespace that pass a filter. */
typedef struct memo_store_scope {
    int64_t ns;
    int64_t now_ms;            /* hides what expired at or before; 0: hides nothing */
    const memo_filter *filter; /* NULL: all */
    int as_of;                 /* non-zero: the records as they were at now_ms. Only for
                                  memo_store_list() */
    int64_t first_chunk,
        last_chunk; /* its chunks lie between, see memo_store_narrow(); 0: not known */
} memo_store_scope;

/* memo_store_narrow() -- find where the chunks of a small namespace lie among those of others, so that
 * words and vectors are looked for there alone. True for the open snapshot; nothing is found out about a
 * namespace that is alone, or has more than some hundred chunks. (lookup_chunks.c) */
memo_status memo_store_narrow(memo_store *store, memo_store_scope *scope, memo_err *err);

/* By id or key (the id wins). Expired records are found too. */
memo_status memo_store_get(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                           memo_record *record, memo_err *err);

/* The same as a list of one, with what of its links was damaged and left out. */
memo_status memo_store_get_told(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                                memo_records *records, memo_err *err);

typedef struct memo_store_list_options {
    size_t limit;      /* >= 1 */
    const char *after; /* cursor or NULL; one that is not ours is MEMO_ERR_VALUE */
    int oldest_first;  /* default newest first, by creation, then in the order they were added */
} memo_store_list_options;

/* How a record's text was asked to be cut. */
memo_status memo_store_get_chunking(memo_store *store, int64_t ns, const char *id,
                                    memo_chunking *chunking, size_t *chunk_tokens,
                                    size_t *chunk_overlap, memo_err *err);

/* The versions of one record, newest first: at most `limit` of those below `before` (0: all);
 * MEMO_ERR_NOTFOUND says whether it was forgotten. (history_rows.c) */
memo_status memo_store_history(memo_store *store, int64_t ns, const char *id, uint64_t before,
                               size_t limit, memo_arena *arena, memo_records *out, memo_err *err);

/* One version of a record, the current one too, and how its text was asked to be cut.
 * (history_rows.c) */
typedef struct memo_store_cut {
    memo_chunking chunking;
    size_t chunk_tokens, chunk_overlap;
} memo_store_cut;
memo_status memo_store_get_version(memo_store *store, int64_t ns, const char *id, uint64_t version,
                                   memo_arena *arena, memo_record *record, memo_store_cut *cut,
                                   memo_err *err);

/* A record as it was at as_of_ms, expired or not: see memo_db_get_as_of(). (history_rows.c) */
memo_status memo_store_get_as_of(memo_store *store, int64_t ns, const char *id, int64_t as_of_ms,
                                 memo_arena *arena, memo_record *record, memo_err *err);

/* When the first version was written that a namespace still has; 0: it has none. (history_rows.c) */
memo_status memo_store_first_ms(memo_store *store, int64_t ns, int64_t *ms, memo_err *err);

/* A page of records; *out with everything it points to lies in the arena. Where many records are
 * damaged the page is shorter than the limit, so that all of them can be named. */
memo_status memo_store_list(memo_store *store, const memo_store_scope *scope,
                            const memo_store_list_options *options, memo_arena *arena,
                            memo_records *out, memo_err *err);

/* ---- the past (past_copy.c) ------------------------------------------------------------------ */

/* The chunks of a version, cut as `cut` says: fills chunks, n_chunks and space of `put`, in the arena. A
 * chunk without a vector is found by its words only. It must not call the store. */
typedef memo_status (*memo_store_cut_fn)(void *user, const memo_record *record,
                                         const memo_store_cut *cut, memo_arena *arena,
                                         memo_store_put *put, memo_err *err);

typedef struct memo_store_past {
    int64_t ns, as_of_ms;
    memo_store_cut_fn cut; /* asked for versions whose words have changed since */
    void *user;
    memo_store_damage *damage; /* grows by records whose version of then is damaged; or NULL */
    memo_deadline deadline;    /* of copying */
} memo_store_past;

/* memo_store_open_past() -- a copy of the store in memory, only to be read, in which a namespace is as it
 * was at a moment. What was forgotten since is in no past; facts are asked for as they were by their own
 * times.
 *
 * MEMO_ERR_CORRUPT at a damaged page, MEMO_ERR_LIMIT when the file is larger than the context's memory
 * limit, MEMO_ERR_DEADLINE when it passes with pages still to be copied: they are looked at in groups of
 * 4 MiB. Cost: all pages are copied; then as much as writing each record
 * that has changed since, and `cut` of those whose words have. */
memo_status memo_store_open_past(memo_store *store, const memo_store_past *ask, memo_store **past,
                                 memo_err *err);

/* ---- the change feed (change_rows.c) --------------------------------------------------------- */

typedef struct memo_store_changes_options {
    const char *since; /* cursor; NULL or "": from the beginning */
    int64_t ns;        /* 0: all */
    size_t limit;      /* >= 1 */
} memo_store_changes_options;

/* As memo_db_changes() says; everything in the arena. */
memo_status memo_store_changes(memo_store *store, const memo_store_changes_options *options,
                               memo_arena *arena, memo_changes *out, memo_err *err);

/* ---- counts (lookup.c) ----------------------------------------------------------------------- */

memo_status memo_store_count(memo_store *store, const memo_store_scope *scope, uint64_t *n_records,
                             uint64_t *n_chunks, memo_err *err);

memo_status memo_store_get_stats(memo_store *store, memo_db_stats *stats, memo_err *err);

/* ---- the vectors of a scope (scan.c) --------------------------------------------------------- */

/* Vectors of a scan, contiguous and 64-byte aligned; in ascending order of chunk id. */
typedef struct memo_store_block {
    size_t n;
    const int64_t *chunks;  /* [n] */
    const int64_t *records; /* [n] row id of the record of each */
    const float *vectors;   /* [n, dim], checksums verified */
} memo_store_block;

/* A non-zero return ends the scan early with MEMO_OK. It must not call the store. */
typedef int (*memo_store_block_fn)(void *user, const memo_store_block *block);

/* memo_store_scan() -- give every vector of a space within the scope to `fn`, in blocks.
 * `damage` may be NULL. Cost: one b-tree step and one hash a vector; a filter is evaluated once a
 * record. */
memo_status memo_store_scan(memo_store *store, const memo_store_scope *scope, int64_t space,
                            memo_store_block_fn fn, void *user, memo_store_damage *damage,
                            memo_err *err);

/* ---- the vectors of a space (vectors.c) ------------------------------------------------------ */

/* A vector's row, whatever its namespace. */
typedef struct memo_store_space_block {
    size_t n;
    const int64_t *chunks, *records, *ns; /* [n] */
    const uint64_t *sums;                 /* [n] row checksums */
    const float *vectors;                 /* [n, dim], checksums verified */
} memo_store_space_block;
typedef int (*memo_store_space_block_fn)(void *user, const memo_store_space_block *block);

/* memo_store_read_chunks() -- the chunks of a record with their vectors in `space`, in the arena. Those
 * without one are left out; MEMO_ERR_CORRUPT when a checksum fails. */
memo_status memo_store_read_chunks(memo_store *store, int64_t ns, const char *id, int64_t space,
                                   memo_arena *arena, memo_store_chunk **chunks, size_t *n,
                                   memo_err *err);

/* memo_store_scan_space() -- every vector of a space, by namespace, then chunk; those of one record
 * when `record` is not 0. MEMO_ERR_CORRUPT at the first row that fails its checksum: what is made of
 * them would lack it in silence. */
memo_status memo_store_scan_space(memo_store *store, int64_t space, int64_t record,
                                  memo_store_space_block_fn fn, void *user, memo_err *err);
/* One vector [dim of the space]; MEMO_ERR_CORRUPT when it is gone or fails its checksum. */
memo_status memo_store_get_vector(memo_store *store, int64_t space, int64_t chunk, float *vector,
                                  size_t dim, memo_err *err);

/* The vectors of a space at a moment: two with the same number and sum are the same. */
typedef struct memo_store_set {
    int64_t seq;       /* change sequence */
    int64_t n_commits; /* of the store: nothing at all has changed while it is the same */
    uint64_t n, sum;   /* vectors, and the sum of their row checksums modulo 2^64 */
} memo_store_set;
memo_status memo_store_get_set(memo_store *store, int64_t space, memo_store_set *set,
                               memo_err *err);
/* Each space that has vectors, by id. */
typedef int (*memo_store_set_fn)(void *user, int64_t space, int64_t dim, uint64_t n);
memo_status memo_store_each_set(memo_store *store, memo_store_set_fn fn, void *user, memo_err *err);

/* Row ids of records; a non-zero return stops. It must not call the store. */
typedef int (*memo_store_rid_fn)(void *user, int64_t record);
/* Those written or forgotten after change `since`. */
memo_status memo_store_each_changed(memo_store *store, int64_t since, memo_store_rid_fn fn,
                                    void *user, memo_err *err);
/* Those that its filter lets through (expired ones may be among them: a filter on an index does not
 * look at records); those of its namespace that it hides because they have expired. */
memo_status memo_store_each_match(memo_store *store, const memo_store_scope *scope,
                                  memo_store_rid_fn fn, void *user, memo_err *err);
memo_status memo_store_each_expired(memo_store *store, const memo_store_scope *scope,
                                    memo_store_rid_fn fn, void *user, memo_err *err);
/* How SQLite goes about memo_store_each_match(): its steps, joined by "; ", in the arena. */
memo_status memo_store_explain_match(memo_store *store, const memo_store_scope *scope,
                                     memo_arena *arena, const char **out, memo_err *err);
/* Row checksum of a vector, as it stands in the store. */
uint64_t memo_store_vector_sum(int64_t chunk, int64_t space, int64_t ns, int64_t record,
                               const float *vector, size_t dim);
const char *memo_store_uuid(const memo_store *store); /* 32 characters */

/* ---- words (fulltext.c, parts.c) ------------------------------------------------------------- */

typedef struct memo_store_hit {
    int64_t chunk;
    int64_t record;
    double score; /* higher is better */
    double
        cover; /* 0..1 of what is asked, rare words counting more (rows/cover.h); 1 unless asked for */
} memo_store_hit;

/* What a ranked search found. The caller sets the first four. */
typedef struct memo_store_hits {
    memo_arena *arena;
    size_t limit;              /* most hits wanted */
    int with_cover;            /* of memo_store_fulltext(): the hits' cover is wanted */
    memo_store_damage *damage; /* grows by the rows that were to be looked into; or NULL */
    size_t n;                  /* <= limit */
    memo_store_hit *hits;      /* [n], best first, ties by chunk; in the arena */
} memo_store_hits;

/* Which full-text index: words between spaces, or parts of scripts that are written without. */
typedef enum memo_store_words {
    MEMO_STORE_WORDS,
    MEMO_STORE_PARTS,
} memo_store_words;

/* memo_store_fulltext() -- BM25 over chunks.
 *
 *   match         an FTS5 expression. One that FTS5 refuses is MEMO_ERR_VALUE. Build it from
 *                 memo_store_quote_term()s for words, by memo_store_parts_...() for parts
 *   title_weight  of a word in the title (the first chunk has it) against 1 in the body
 *   out           score is minus FTS5's bm25() */
memo_status memo_store_fulltext(memo_store *store, const memo_store_scope *scope,
                                memo_store_words words, const char *match, double title_weight,
                                memo_store_hits *out, memo_err *err);

/* Which of some chunks an FTS5 expression matches: found [n] is set to 1, or left as it is. */
memo_status memo_store_match_chunks(memo_store *store, memo_store_words words, const char *match,
                                    const int64_t *chunks, size_t n, unsigned char *found,
                                    memo_err *err);

/* Append an expression for MEMO_STORE_PARTS: all runs of unspaced scripts in `text`, each as a whole
 * (phrase), or any part of any of them. 0, and nothing appended, when there is no such run. */
int memo_store_parts_phrase(memo_buf *match, memo_text text);
int memo_store_parts_any(memo_buf *match, memo_text text);

/* memo_store_exact() -- chunks that hold `needle` verbatim (same bytes, at word boundaries of the
 * full-text tokenizer, anywhere in scripts without spaces), in text or title, and the first chunk of a record whose key or id it is.
 * Score: occurrences, plus 1,000 for a key or id. Best first, ties by chunk. A needle without a
 * letter or digit only looks at keys. */
memo_status memo_store_exact(memo_store *store, const memo_store_scope *scope, memo_text needle,
                             memo_store_hits *out, memo_err *err);

/* Append `"term"` (a quoted FTS5 string: phrase of the words in it) to an expression. */
void memo_store_quote_term(memo_buf *match, const char *term, size_t n_bytes);

/* ---- what a score means (calibration_rows.c) ------------------------------------------------- */

/* What a cosine of a space says: P(match) = 1 / (1 + exp(-(slope x + offset))). */
typedef struct memo_store_calibration {
    double slope, offset;
    double error; /* expected calibration error on pairs that were held out of the fit */
    uint64_t n_pairs;
    int64_t made_ms;
} memo_store_calibration;

/* *found 0: the space has none. MEMO_ERR_CORRUPT: its checksum fails. */
memo_status memo_store_get_calibration(memo_store *store, int64_t space,
                                       memo_store_calibration *out, int *found, memo_err *err);
/* Write; `origin` says what it was fitted to. */
memo_status memo_store_put_calibration(memo_store *store, int64_t space,
                                       const memo_store_calibration *in, const char *origin,
                                       memo_err *err);

/* ---- chunks that were found (lookup_chunks.c) ------------------------------------------------ */

/* The chunk of a record in which byte `at` of its text lies, if the scope lets the record through;
 * *chunk 0: it does not. */
memo_status memo_store_chunk_at(memo_store *store, const memo_store_scope *scope, int64_t record,
                                int64_t at, int64_t *chunk, memo_err *err);
/* When the records of some chunks were created; 0 for one that is gone. */
memo_status memo_store_created(memo_store *store, const int64_t *chunks, size_t n,
                               int64_t *created_ms, memo_err *err);
/* The vectors of some chunks in a space, [n, dim]; found [n] 0 where there is none or its checksum
 * fails. */
memo_status memo_store_vectors_of(memo_store *store, int64_t space, const int64_t *chunks, size_t n,
                                  size_t dim, float *vectors, unsigned char *found, memo_err *err);

/* One chunk with what a hit shows of its record. */
typedef struct memo_store_chunk_row {
    int64_t chunk, record;
    int damaged; /* checksum failed or gone: only `chunk` is set */
    size_t position, begin, end, n_tokens;
    memo_text text;          /* text[begin, end), NUL-terminated as well */
    memo_record record_info; /* without text ({NULL, 0}) */
} memo_store_chunk_row;

/* Fetch chunks by id, in the order asked; everything in the arena. `damage` (or NULL) grows.
 * (lookup.c) */
memo_status memo_store_fetch(memo_store *store, const int64_t *chunks, size_t n, memo_arena *arena,
                             memo_store_chunk_row **rows, memo_store_damage *damage, memo_err *err);

/* ---- backup (backup.c) ----------------------------------------------------------------------- */

/* memo_store_backup() -- as memo_db_backup() says; options whole, report may be NULL. */
memo_status memo_store_backup(memo_store *store, const char *path,
                              const memo_backup_options *options, memo_backup_report *report,
                              memo_err *err);

/* ---- health (audit.c) ------------------------------------------------------------------------ */

typedef void (*memo_store_finding_fn)(void *user, memo_finding_level level, const char *area,
                                      const char *message, const char *hint);

/* memo_store_check() -- check pages, schema, every row checksum, full-text rows, references and
 * counters, changing nothing. Each area gives at least one finding. MEMO_OK unless the check itself
 * could not run (MEMO_ERR_NOMEM, MEMO_ERR_IO, MEMO_ERR_BUSY). */
memo_status memo_store_check(memo_store *store, memo_store_finding_fn fn, void *user,
                             memo_err *err);

/* memo_store_check_place() -- what the store stands on: file system and room on it, log, lock, SQLite.
 * (place.c) */
memo_status memo_store_check_place(memo_store *store, memo_store_finding_fn fn, void *user,
                                   memo_err *err);

/* memo_store_check_pages() -- as memo_db_check_pages() says. */
memo_status memo_store_check_pages(const char *path, memo_store_finding_fn fn, void *user,
                                   memo_err *err);

/* ---- repair (repair.c) ----------------------------------------------------------------------- */

/* Where findings go. */
typedef struct memo_store_sink {
    memo_store_finding_fn fn;
    void *user;
    memo_arena *arena; /* holds what a report points to */
} memo_store_sink;

/* memo_store_repair() -- as memo_db_repair() says, but for the model: options whole, *report zeroed
 * by the caller. `findings` of the report and what needs a model are the caller's. */
memo_status memo_store_repair(memo_ctx *ctx, const char *path, const memo_repair_options *options,
                              const memo_store_sink *sink, memo_repair_report *report,
                              memo_err *err);

/* memo_store_each_unembedded() -- the records that lack a vector in their namespace's space. `fn` is
 * given namespace and id, borrowed; it must not call the store. (repair_rows.c) */
typedef int (*memo_store_id_fn)(void *user, const char *ns, const char *id);
memo_status memo_store_each_unembedded(memo_store *store, memo_store_id_fn fn, void *user,
                                       memo_err *err);

/* What doctor --quarantine lists; a non-zero return stops. (quarantine.c) */
memo_status memo_store_each_quarantined(memo_store *store,
                                        int (*fn)(void *user, const memo_quarantined *row),
                                        void *user, memo_err *err);

#endif
