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
 *   - Reads outside a transaction each see the newest commit; memo_store_begin_read() .. end_read()
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
#include "store/filter.h"

#define MEMO_STORE_SCHEMA_VERSION 1
#define MEMO_STORE_MAX_DIM        65536
#define MEMO_STORE_MAX_KEY_BYTES  512
#define MEMO_STORE_MAX_NS_BYTES   128

/* memo_store -- an open store file. */
typedef struct memo_store memo_store;

typedef struct memo_store_options {
    memo_open_mode mode;
    int64_t busy_timeout_ms; /* as in memo_db_options */
    int allow_network_fs;
    int repairing; /* open also when its counters do not fit its rows: for repair only */
} memo_store_options;

/* ---- open (store.c) ------------------------------------------------------------------------ */

/* memo_store_open() -- open or make a store; errors as documented at memo_db_open(). `ctx` must
 * outlive the store (its clock and log are used). */
memo_status memo_store_open(memo_ctx *ctx, const char *path, const memo_store_options *options,
                            memo_store **store, memo_err *err);

/* Roll back what is open, fold the write-ahead log into the file (when the writer lock can be had)
 * and close. NULL and half-opened stores are fine. */
void memo_store_close(memo_store *store);

const char *memo_store_path(const memo_store *store); /* absolute, links resolved */
int memo_store_read_only(const memo_store *store);    /* also after a failed sync */

/* ---- transactions (store.c) ---------------------------------------------------------------- */

/* memo_store_begin_write() -- take the writer lock and begin.
 *
 * Waits up to busy_timeout_ms, then MEMO_ERR_BUSY naming the holder's pid. MEMO_ERR_IO on a
 * read-only store and after a failed sync; MEMO_ERR_USAGE inside another transaction. */
memo_status memo_store_begin_write(memo_store *store, memo_err *err);

/* memo_store_commit() -- make it durable; MEMO_OK means written and synced. On failure everything
 * is rolled back; when the commit itself could not be written or synced the handle turns read-only,
 * because what reached the disk is then unknown until the file is opened again. */
memo_status memo_store_commit(memo_store *store, memo_err *err);
void memo_store_rollback(memo_store *store); /* nothing open: nothing happens */

memo_status memo_store_begin_read(memo_store *store, memo_err *err);
void memo_store_end_read(memo_store *store);

/* ---- namespaces and spaces (spaces.c) ------------------------------------------------------ */

typedef struct memo_store_ns {
    int64_t id;
    int64_t space; /* whose vectors are searched; 0: none yet */
} memo_store_ns;

typedef enum memo_space_kind {
    MEMO_SPACE_MODEL = 1, /* vectors of one compiled model */
} memo_space_kind;

/* The space of the vectors of one model. Strings: arena when read. */
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

/* Each namespace once, in order of id; a non-zero return stops. It must not call the store. */
typedef int (*memo_store_ns_fn)(void *user, const char *name, const memo_store_ns *ns,
                                uint64_t n_records);
memo_status memo_store_each_ns(memo_store *store, memo_store_ns_fn fn, void *user, memo_err *err);

/* ---- writing records (put.c) ------------------------------------------------------------- */

typedef struct memo_store_chunk {
    size_t begin, end;   /* byte span in the record's text, begin < end, at character boundaries */
    size_t n_tokens;     /* as the model counts */
    const float *vector; /* [dim of the space]; finite and not zero, else MEMO_ERR_VALUE */
} memo_store_chunk;

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
} memo_store_put;

/* memo_store_compare() -- would this put change anything? Reads only: ask before embedding.
 *
 * Compares all fields by bytes (created_ms 0 and id, chunks, expect_version do not count) and
 * whether every chunk has a vector in `space`. On MEMO_OUTCOME_UNCHANGED the rest of *result
 * describes the record as it is; else only `outcome` is set. */
memo_status memo_store_compare(memo_store *store, int64_t ns, const memo_store_put *put,
                               memo_add_result *result, memo_err *err);

/* memo_store_put_record() -- write: add a record, or a new version of the one with this id or key.
 *
 * The old version goes to the history, its chunks, vectors and full-text rows are replaced. The
 * change sequence grows by one. With nothing to change: MEMO_OUTCOME_UNCHANGED, nothing written.
 * MEMO_ERR_NOTFOUND: no record `id`; MEMO_ERR_BUSY: it has another version by now (read, merge and
 * try again); MEMO_ERR_VALUE, MEMO_ERR_LIMIT: bad field. result->n_tokens is the chunks' sum. */
memo_status memo_store_put_record(memo_store *store, int64_t ns, const memo_store_put *put,
                                  memo_add_result *result, memo_err *err);

/* memo_store_forget() -- write: delete one record by id or key, with its versions, chunks, vectors
 * and full-text rows; a tombstone stays. *found 0 when there is none. Works on damaged records. */
memo_status memo_store_forget(memo_store *store, int64_t ns, const char *id, int *found,
                              memo_err *err);

/* Write. Forget all records that pass the filter (NULL is MEMO_ERR_USAGE), expired ones too. */
memo_status memo_store_forget_where(memo_store *store, int64_t ns, const memo_filter *filter,
                                    uint64_t *n_forgotten, memo_err *err);

/* ---- reading records (lookup.c) -------------------------------------------------------------- */

/* Rows left out because a checksum failed. Zero it with an arena set; ids beyond the first
 * MEMO_STORE_MAX_DAMAGED are counted, not named. A bad page adds one entry "page N". */
#define MEMO_STORE_MAX_DAMAGED 64
typedef struct memo_store_damage {
    memo_arena *arena; /* holds the names */
    size_t n;
    size_t n_ids;
    const char *ids[MEMO_STORE_MAX_DAMAGED];
} memo_store_damage;

/* Add one, unless it is named already; the name is copied. `damage` may be NULL. */
void memo_damage_add(memo_store_damage *damage, const char *id);

/* What a read may see: live (not expired) records of a namespace that pass a filter. */
typedef struct memo_store_scope {
    int64_t ns;
    int64_t now_ms;            /* hides what expired at or before; 0: hides nothing */
    const memo_filter *filter; /* NULL: all */
} memo_store_scope;

/* By id or key (the id wins). Expired records are found too. */
memo_status memo_store_get(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                           memo_record *record, memo_err *err);

typedef struct memo_store_list_options {
    size_t limit;      /* >= 1 */
    const char *after; /* cursor or NULL; one that is not ours is MEMO_ERR_VALUE */
    int oldest_first;  /* default newest first, by creation, then id */
} memo_store_list_options;

/* How a record's text was asked to be cut. */
memo_status memo_store_get_chunking(memo_store *store, int64_t ns, const char *id,
                                    memo_chunking *chunking, size_t *chunk_tokens,
                                    size_t *chunk_overlap, memo_err *err);

/* A page of records; *out with everything it points to lies in the arena. Where many records are
 * damaged the page is shorter than the limit, so that all of them can be named. */
memo_status memo_store_list(memo_store *store, const memo_store_scope *scope,
                            const memo_store_list_options *options, memo_arena *arena,
                            memo_records *out, memo_err *err);

memo_status memo_store_count(memo_store *store, const memo_store_scope *scope, uint64_t *n_records,
                             uint64_t *n_chunks, memo_err *err);

memo_status memo_store_get_stats(memo_store *store, memo_db_stats *stats, memo_err *err);

/* ---- searching (scan.c, fulltext.c) -------------------------------------------------------- */

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

typedef struct memo_store_hit {
    int64_t chunk;
    int64_t record;
    double score; /* higher is better */
} memo_store_hit;

/* What a ranked search found. The caller sets the first three. */
typedef struct memo_store_hits {
    memo_arena *arena;
    size_t limit;              /* most hits wanted */
    memo_store_damage *damage; /* grows by the rows that were to be looked into; or NULL */
    size_t n;                  /* <= limit */
    memo_store_hit *hits;      /* [n], best first, ties by chunk; in the arena */
} memo_store_hits;

/* memo_store_fulltext() -- BM25 over chunks.
 *
 *   match         an FTS5 expression; columns `title` and `body`. One that FTS5 refuses is
 *                 MEMO_ERR_VALUE. Build it from memo_store_quote_term()s
 *   title_weight  of a word in the title (the first chunk has it) against 1 in the body
 *   out           score is minus FTS5's bm25() */
memo_status memo_store_fulltext(memo_store *store, const memo_store_scope *scope, const char *match,
                                double title_weight, memo_store_hits *out, memo_err *err);

/* Which of some chunks an FTS5 expression matches: found [n] 0 or 1. */
memo_status memo_store_match_chunks(memo_store *store, const char *match, const int64_t *chunks,
                                    size_t n, unsigned char *found, memo_err *err);

/* memo_store_exact() -- chunks that hold `needle` verbatim (same bytes, at word boundaries of the
 * full-text tokenizer), in text or title, and the first chunk of a record whose key or id it is.
 * Score: occurrences, plus 1,000 for a key or id. Best first, ties by chunk. A needle without a
 * letter or digit only looks at keys. */
memo_status memo_store_exact(memo_store *store, const memo_store_scope *scope, memo_text needle,
                             memo_store_hits *out, memo_err *err);

/* Append `"term"` (a quoted FTS5 string: phrase of the words in it) to an expression. */
void memo_store_quote_term(memo_buf *match, const char *term, size_t n_bytes);

/* One chunk with what a hit shows of its record. */
typedef struct memo_store_chunk_row {
    int64_t chunk, record;
    int damaged; /* checksum failed or gone: only `chunk` is set */
    size_t position, begin, end, n_tokens;
    memo_text text;          /* text[begin, end), NUL-terminated as well */
    memo_record record_info; /* without text ({NULL, 0}) */
} memo_store_chunk_row;

/* Fetch chunks by id, in the order asked; everything in the arena. `damage` (or NULL) grows. */
memo_status memo_store_fetch(memo_store *store, const int64_t *chunks, size_t n, memo_arena *arena,
                             memo_store_chunk_row **rows, memo_store_damage *damage, memo_err *err);

/* ---- backup (backup.c) ----------------------------------------------------------------------- */

/* memo_store_backup() -- as memo_db_backup() says; options whole, report may be NULL. */
memo_status memo_store_backup(memo_store *store, const char *path,
                              const memo_backup_options *options, memo_backup_report *report,
                              memo_err *err);

/* ---- health (audit.c) ---------------------------------------------------------------------- */

typedef void (*memo_store_finding_fn)(void *user, memo_finding_level level, const char *area,
                                      const char *message, const char *hint);

/* memo_store_check() -- check pages, schema, every row checksum, full-text rows, references and
 * counters, changing nothing. Each area gives at least one finding. MEMO_OK unless the check itself
 * could not run (MEMO_ERR_NOMEM, MEMO_ERR_IO, MEMO_ERR_BUSY). */
memo_status memo_store_check(memo_store *store, memo_store_finding_fn fn, void *user,
                             memo_err *err);

/* memo_store_check_pages() -- as memo_db_check_pages() says. */
memo_status memo_store_check_pages(const char *path, memo_store_finding_fn fn, void *user,
                                   memo_err *err);

/* ---- repair (repair.c) --------------------------------------------------------------------- */

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
 * given namespace and id, borrowed; it must not call the store. */
typedef int (*memo_store_id_fn)(void *user, const char *ns, const char *id);
memo_status memo_store_each_unembedded(memo_store *store, memo_store_id_fn fn, void *user,
                                       memo_err *err);

memo_status memo_store_each_quarantined(memo_store *store,
                                        int (*fn)(void *user, const memo_quarantined *row),
                                        void *user, memo_err *err);

#endif
