// SPDX-License-Identifier: Apache-2.0
/* memolith/memory.h -- keep text and vectors in one file and find them again.
 *
 * A store is one SQLite database file (`*.memo`). A *record* is one document: text, title, tags and
 * metadata under an id. It is split into *chunks* that fit the model; each chunk has a vector and
 * full-text rows. Records live in *namespaces*; the vectors of a namespace all come from one model
 * (another one is MEMO_ERR_MISMATCH).
 *
 * Acknowledged means durable: when memo_db_add() returns MEMO_OK the batch is committed and synced.
 * A batch is all or nothing. Any number of processes may use one file at once: one writes at a
 * time, readers never wait. A changed byte is reported (MEMO_ERR_CORRUPT) and never returned.
 *
 * Beside the file lie SQLite's `-wal` and `-shm` and a `-lock` file; never delete `-lock` or `-wal`
 * while a program has the store open. Look into the file with other SQLite programs read-only
 * (`sqlite3 -readonly`): they do not know the page checksums, and even one that only asks moves the
 * pages of a `-wal` into the file without them; the store is then refused as damaged until
 * memo_db_repair() has checked every row and given the pages fresh ones.
 *
 * Example: remember three things and find one by meaning.
 *
 * @example memory_search
 *   memo_ctx *ctx = NULL;
 *   memo_model *model = NULL;
 *   memo_db *db = NULL;
 *   memo_hits *hits = NULL;
 *   memo_err err = {0};
 *   memo_db_options open = {.size = sizeof open, .model = NULL};
 *   const char *notes[] = {"the spare key is under the third flower pot",
 *                          "Anna is allergic to peanuts",
 *                          "the boiler was serviced on 3 May"};
 *   if (memo_ctx_new(NULL, &ctx, &err) || memo_model_open(ctx, path, NULL, &model, &err))
 *       goto done;
 *   open.model = model;
 *   if (memo_db_open(ctx, store, &open, &db, &err))
 *       goto done;
 *   for (size_t i = 0; i < 3; i++) {
 *       memo_record_in in = {.size = sizeof in, .text = {notes[i], strlen(notes[i])}};
 *       if (memo_db_add(db, NULL, &in, 1, NULL, &err))
 *           goto done;
 *   }
 *   if (memo_db_search(db, MEMO_STR("how do I get into the house"), NULL, &hits, &err) == MEMO_OK)
 *       printf("%s\n", hits->hits[0].text); // prints: the spare key is under the third flower pot
 * done:
 *   if (err.status)
 *       fprintf(stderr, "%s\n", err.message);
 *   memo_hits_free(hits);
 *   memo_db_close(db);
 *   memo_model_close(model);
 *   memo_ctx_free(ctx);
 * @end
 */
#ifndef MEMOLITH_MEMORY_H
#define MEMOLITH_MEMORY_H

#include <stdint.h>

#include <memolith/model.h>
#include <memolith/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMO_STR(s) ((memo_text){(s), strlen(s)}) /* a NUL-terminated string as memo_text */

#define MEMO_ID_BYTES 27 /* a ULID: 26 characters and a NUL */

/* ---- open ---------------------------------------------------------------------------------- */

/* memo_db -- an open store. Threads: one thread at a time per handle; open one handle per thread.
 * A handle must not be carried across fork() (MEMO_ERR_USAGE). A callback may not use the handle
 * whose call it is in: MEMO_ERR_BUSY, and closing it there is as wrong as closing it twice. NULL
 * for a handle or for an out-parameter that is not said to be optional is MEMO_ERR_USAGE. */
typedef struct memo_db memo_db;

typedef enum memo_open_mode {
    MEMO_OPEN_CREATE,    /* read and write; made when it does not exist */
    MEMO_OPEN_EXISTING,  /* read and write; MEMO_ERR_NOTFOUND when it does not exist */
    MEMO_OPEN_READ_ONLY, /* no write, also on read-only media */
} memo_open_mode;

typedef struct memo_db_options {
    size_t size;
    memo_open_mode mode;
    memo_model *model;       /* borrowed until close; NULL: no dense lane and no add */
    int64_t busy_timeout_ms; /* wait for another writer; 0: 5,000; negative: do not wait */
    int allow_network_fs;    /* non-zero: open on NFS, SMB, 9p ... at the caller's risk */
} memo_db_options;

/* memo_db_open() -- open or make a store.
 *
 * MEMO_ERR_CORRUPT: not a memolith store, or its schema holds something foreign;
 * MEMO_ERR_UNSUPPORTED: made by a newer schema, on a network file system, or a file with a second
 * hard link (through which lock and log would not be found); MEMO_ERR_IO: path is not a regular
 * file; MEMO_ERR_BUSY: another writer, or the file was replaced at this moment. An older schema is
 * migrated in one transaction after a backup is written beside the file (`<store>.v<N>.bak`). */
MEMO_API memo_status memo_db_open(memo_ctx *ctx, const char *path, const memo_db_options *options,
                                  memo_db **db, memo_err *err);

/* memo_db_close() -- fold the write-ahead log into the file, when no other writer is busy, and free
 * the handle. NULL is fine. As with free(), the handle is gone: using or closing it once more is the
 * caller's mistake and cannot be noticed. */
MEMO_API void memo_db_close(memo_db *db);

/* ---- write --------------------------------------------------------------------------------- */

/* How a text is cut into chunks, measured in the model's own tokens. */
typedef enum memo_chunking {
    MEMO_CHUNK_AUTO, /* Markdown when the source's name ends in .md or .markdown, else plain */
    MEMO_CHUNK_PLAIN,
    MEMO_CHUNK_MARKDOWN, /* headings and fences are kept whole where they fit */
    MEMO_CHUNK_NONE,     /* one chunk; what exceeds the model is not seen by the vector */
} memo_chunking;

/* A record as it comes in. `size` of the first element is the stride of an array. */
typedef struct memo_record_in {
    size_t size;
    const char *key;           /* the caller's own name; an existing key is replaced (upsert).
                                  NULL: none. 1..512 bytes of UTF-8 */
    memo_text text;            /* at most 64 MiB, at least one character that is neither white space
                                  nor a control character */
    const char *title;         /* NULL: none; searched and embedded with the first chunk */
    const char *metadata_json; /* a JSON object of at most 64 KiB, no U+0000 in it; NULL: {} */
    const char *const *tags;   /* [n_tags]; together at most 64 KiB as a JSON array */
    size_t n_tags;
    int64_t created_ms; /* Unix ms; 0: now (for an existing key: unchanged) */
    int64_t expires_ms; /* hidden from then on; 0: never; not negative */
    const char *source; /* where it came from, e.g. a path; NULL: none */
    memo_chunking chunking;
    size_t chunk_tokens;  /* 0: min(400, what the model takes) */
    size_t chunk_overlap; /* 0: 15 % of chunk_tokens; SIZE_MAX: none */
} memo_record_in;

typedef enum memo_outcome {
    MEMO_OUTCOME_NEW,
    MEMO_OUTCOME_CHANGED,   /* key existed, content differs: a new version */
    MEMO_OUTCOME_UNCHANGED, /* key existed, same content: nothing written */
} memo_outcome;

typedef struct memo_add_result {
    char id[MEMO_ID_BYTES];
    memo_outcome outcome;
    uint64_t version; /* of the record, from 1 */
    size_t n_chunks;
    size_t n_tokens; /* embedded; 0 when unchanged */
} memo_add_result;

typedef struct memo_write_options {
    size_t size;
    const char *ns; /* namespace, 1..128 bytes; NULL: "default" */
    memo_progress_fn progress;
    void *progress_user;
    int64_t deadline_ms; /* from now, 0: none */
} memo_write_options;

/* memo_db_add() -- add or replace records; durable on return.
 *
 *   records  [n] borrowed; any bad one fails the whole call, named by index
 *   results  [n] out, or NULL
 *
 * Embedding happens before the writer lock is taken. MEMO_ERR_BUSY: another writer kept the lock
 * longer than busy_timeout_ms (its pid is in the message); MEMO_ERR_MISMATCH: the namespace holds
 * vectors of another model; MEMO_ERR_VALUE: empty text, bad UTF-8, bad metadata, chunk sizes that
 * do not fit the model; MEMO_ERR_USAGE: opened without a model. Progress has the stage "embed" and
 * counts chunks. */
MEMO_API memo_status memo_db_add(memo_db *db, const memo_write_options *options,
                                 const memo_record_in *records, size_t n, memo_add_result *results,
                                 memo_err *err);

/* Fields to change; NULL or zero keeps what is there. */
typedef struct memo_record_edit {
    size_t size;
    const memo_text *text;
    const char *title;
    const char *metadata_json; /* merged key by key; a null value removes the key */
    const char *const *tags;   /* [n_tags] replaces all, when set_tags is non-zero */
    size_t n_tags;
    int set_tags;
    const int64_t *expires_ms; /* pointer to 0: never */
} memo_record_edit;

/* memo_db_edit() -- change one record; a new version is kept.
 *   id  the record's id or key. MEMO_ERR_NOTFOUND when there is none. One that no record can have is
 *       MEMO_ERR_VALUE (empty, not UTF-8) or MEMO_ERR_LIMIT (more than 512 bytes), here and wherever
 *       an id is given. */
MEMO_API memo_status memo_db_edit(memo_db *db, const memo_write_options *options, const char *id,
                                  const memo_record_edit *edit, memo_add_result *result,
                                  memo_err *err);

typedef struct memo_forget_options {
    size_t size;
    const char *ns;
    const char *const *ids; /* [n_ids] ids or keys */
    size_t n_ids;
    const char *where; /* filter; records that match it */
    int dry_run;       /* count only */
} memo_forget_options;

/* memo_db_forget() -- delete records: text, vectors, versions and full-text rows go, a tombstone
 * (id, time, sequence) stays. An absent id is counted in n_absent. Without ids and filter:
 * MEMO_ERR_USAGE. */
MEMO_API memo_status memo_db_forget(memo_db *db, const memo_forget_options *options,
                                    uint64_t *n_forgotten, uint64_t *n_absent, memo_err *err);

/* ---- import -------------------------------------------------------------------------------- */

typedef struct memo_import_options {
    size_t size;
    const char *ns;
    memo_chunking chunking;
    size_t chunk_tokens;
    size_t chunk_overlap;
    const char *key_field;      /* NDJSON; NULL: "id" or "_id" when present */
    const char *text_field;     /* NULL: "text" */
    const char *title_field;    /* NULL: "title" */
    const char *tags_field;     /* NULL: "tags" */
    const char *metadata_field; /* NULL: "metadata"; other fields are ignored */
    const char *created_field;  /* RFC 3339 or Unix ms; NULL: "created" */
    int skip_bad;               /* count bad lines and files instead of stopping at the first */
    memo_progress_fn progress;  /* non-zero: commit what is done and return MEMO_ERR_CANCELLED */
    void *progress_user;
    void (*on_bad)(void *user, const char *path, uint64_t line, const memo_err *why);
    void *on_bad_user;
} memo_import_options;

typedef struct memo_import_report {
    uint64_t n_files, n_new, n_changed, n_unchanged, n_skipped, n_failed;
    uint64_t n_chunks, n_tokens;
    int64_t elapsed_ms;
} memo_import_report;

/* memo_db_import() -- add files, folders (recursively; dot names, links and binary files are
 * skipped, and stores) and NDJSON files (`.ndjson`, `.jsonl`). A file's title is its name without
 * folder and extension.
 *
 *   paths   [n_paths]
 *   report  out, also filled on failure: what was committed is counted, nothing else
 *
 * Idempotent: a file's key is its path, a line's key its key_field or a hash of its content.
 * Commits in groups; a file is at most 64 MiB, a line 8 MiB (MEMO_ERR_LIMIT). */
MEMO_API memo_status memo_db_import(memo_db *db, const char *const *paths, size_t n_paths,
                                    const memo_import_options *options, memo_import_report *report,
                                    memo_err *err);

/* ---- read ---------------------------------------------------------------------------------- */

typedef struct memo_record {
    const char *id;
    const char *key; /* or NULL */
    const char *ns;
    memo_text text;    /* NUL-terminated as well */
    const char *title; /* "" when none */
    const char *metadata_json;
    const char *const *tags; /* [n_tags] */
    size_t n_tags;
    int64_t created_ms, updated_ms, expires_ms;
    const char *source; /* "" when none */
    uint64_t version;
    size_t n_chunks;
} memo_record;

/* Records with the memory that holds them; free with memo_records_free(). */
typedef struct memo_records {
    size_t n;
    const memo_record *records; /* [n] */
    const char *next;           /* cursor for memo_list_options.after, or NULL at the end */
    size_t n_damaged;           /* rows left out because their checksum failed */
    const char *const *damaged; /* [n_damaged] their ids */
} memo_records;

/* memo_db_get() -- read one record by id or key. MEMO_ERR_NOTFOUND; MEMO_ERR_CORRUPT when its
 * checksum fails. `ns` NULL: "default". */
MEMO_API memo_status memo_db_get(memo_db *db, const char *ns, const char *id, memo_records **record,
                                 memo_err *err);

typedef struct memo_list_options {
    size_t size;
    const char *ns;
    const char *where; /* filter, NULL: all */
    size_t limit;      /* 0: 20; at most 1,000 a call; fewer come where many are damaged */
    const char *after; /* cursor of an earlier call */
    int oldest_first;  /* default: newest first, by creation, then id */
} memo_list_options;

MEMO_API memo_status memo_db_list(memo_db *db, const memo_list_options *options,
                                  memo_records **records, memo_err *err);
MEMO_API void memo_records_free(memo_records *records);

typedef struct memo_db_stats {
    uint64_t n_records, n_chunks, n_vectors, n_tombstones, n_versions, n_namespaces;
    uint64_t file_bytes, wal_bytes;
    uint64_t change_seq; /* grows with every committed change */
    int schema_version;
} memo_db_stats;

MEMO_API memo_status memo_db_get_stats(memo_db *db, memo_db_stats *stats, memo_err *err);

/* ---- search -------------------------------------------------------------------------------- */

/* Filters are text:
 *
 *   tags = 'gift' and created >= '2025-07-01' and not (meta.place = 'Porto' or title exists)
 *
 *   fields     id key title text source tags created updated expires version meta.NAME
 *   operators  = != < <= > >=   in (a, b)   between a and b   exists   prefix 's'   contains 's'
 *   values     'string' "string" 12 -3.5 true false null; dates 'YYYY-MM-DD', RFC 3339, or relative:
 *              now, now-7d (s m h d w)
 *   logic      and, or, not, parentheses; at most 256 nodes, depth 16 (MEMO_ERR_LIMIT)
 *
 * Types are strict: a comparison of a text with a number matches nothing; an unknown field or
 * operator is MEMO_ERR_VALUE naming it and its byte. `tags = 'x'` means one of the tags is x.
 * Strings compare by bytes; integers are exact. Values are bound, never pasted into SQL. */

typedef enum memo_search_mode {
    MEMO_SEARCH_HYBRID,  /* all lanes; without a model it is MEMO_SEARCH_LEXICAL */
    MEMO_SEARCH_DENSE,   /* by meaning; the hit's score is the cosine */
    MEMO_SEARCH_LEXICAL, /* by words and letters; needs no model */
} memo_search_mode;

typedef struct memo_search_options {
    size_t size;
    const char *ns;
    size_t k; /* hits wanted, 0: 10; at most 1,000 (MEMO_ERR_LIMIT) */
    memo_search_mode mode;
    const char *where;   /* filter, NULL: all */
    int chunks;          /* non-zero: every chunk is a hit; default: a record's best chunk */
    int64_t deadline_ms; /* from now, 0: none; what is found by then is returned with `partial` */
} memo_search_options;

typedef enum memo_lane {
    MEMO_LANE_DENSE,   /* cosine similarity */
    MEMO_LANE_LEXICAL, /* BM25, higher is better */
    MEMO_LANE_EXACT,   /* the query, or an identifier in it, stands verbatim in the text */
    MEMO_N_LANES,
} memo_lane;

MEMO_API const char *memo_lane_name(memo_lane lane); /* "dense" */

typedef struct memo_lane_score {
    size_t rank;  /* from 1; 0: the lane did not find it */
    double score; /* in the lane's own unit */
    double share; /* what it added to the hit's score */
} memo_lane_score;

typedef struct memo_hit {
    const char *id;
    const char *key; /* or NULL */
    const char *title;
    const char *text; /* the chunk, NUL-terminated */
    size_t text_bytes;
    size_t begin, end; /* byte span of the chunk in the record's text */
    size_t chunk;      /* its position, from 0 */
    double score;      /* hits are in descending order of it */
    memo_lane_score lanes[MEMO_N_LANES];
    const char *terms; /* matched words, space-separated, "" when none */
    const char *const *tags;
    size_t n_tags;
    const char *metadata_json;
    const char *source;
    int64_t created_ms;
} memo_hit;

typedef struct memo_search_timings {
    double embed_ms, filter_ms, dense_ms, lexical_ms, exact_ms, fuse_ms, fetch_ms, total_ms;
} memo_search_timings;

typedef struct memo_hits {
    size_t n;
    const memo_hit *hits; /* [n], best first; ties by best single rank, then by id */
    memo_search_mode mode;
    size_t n_searched;    /* chunks the filter let through (by the deadline, when partial) */
    size_t n_damaged;     /* rows left out because their checksum failed */
    size_t n_damaged_ids; /* <= n_damaged: at most 64 are named */
    const char *const *damaged_ids;        /* [n_damaged_ids] records, else "chunk N", "page N" */
    const char *lane_failed[MEMO_N_LANES]; /* damage kept this lane from answering: why; or NULL */
    int partial;                           /* the deadline cut it short */
    int query_truncated;                   /* the query has more tokens than the model takes */
    memo_search_timings timings;
    const char *model; /* name of the model that embedded the query, "" in lexical mode */
} memo_hits;

/* memo_db_search() -- find what is near a query.
 *
 *   query  UTF-8, not empty
 *   hits   out, free with memo_hits_free(); n may be 0
 *
 * Lanes are fused by weighted reciprocal rank (k = 60); a record whose key is in the query, or that
 * alone holds an identifier of it (ERR-4512, src/a.c, "quoted"), is not pushed below one that
 * matches neither. Words match by their English stem, accents and case aside; a script without
 * spaces (Chinese, Thai ...) only from the beginning of a run: meaning finds those.
 *
 * Damage costs only what it touches: a row that fails its checksum is left out and named, and in
 * hybrid mode a lane whose pages are damaged is left out (lane_failed says why, and so does the log)
 * while the others answer. MEMO_ERR_CORRUPT: no lane of the mode could answer.
 *
 * Never fewer than min(k, matches of the filter) hits in dense and hybrid mode.
 * MEMO_ERR_NOTFOUND: the namespace is empty; MEMO_ERR_MISMATCH: its vectors come from another model
 * (lexical mode still works). */
MEMO_API memo_status memo_db_search(memo_db *db, memo_text query,
                                    const memo_search_options *options, memo_hits **hits,
                                    memo_err *err);
MEMO_API void memo_hits_free(memo_hits *hits);

/* ---- backup -------------------------------------------------------------------------------- */

typedef struct memo_backup_options {
    size_t size;
    int overwrite;             /* non-zero: replace an existing file at the target */
    memo_progress_fn progress; /* stage "copy", counts pages */
    void *progress_user;
} memo_backup_options;

typedef struct memo_backup_report {
    uint64_t n_records, n_chunks, n_vectors; /* read back from the copy */
    uint64_t change_seq;                     /* the moment that was copied */
    uint64_t n_pages, n_bytes;
    int64_t elapsed_ms;
} memo_backup_report;

/* memo_db_backup() -- write a copy of the store as it is now to another file.
 *
 *   path    of the copy; its folder must exist. An existing file is MEMO_ERR_USAGE, unless
 *           `overwrite`; the store itself, also under another name, always is, and so is a target
 *           beside which a `-wal` holds changes. One that somebody has open is MEMO_ERR_BUSY
 *   report  out, or NULL
 *
 * The copy is one moment of the store: everything committed before the call is in it, nothing of a
 * batch only in part, whatever others write meanwhile; they are not held up. It is written under a
 * temporary name, read back (every page, every row), synced and renamed: on MEMO_OK it is whole and
 * durable, on any failure the target is what it was. MEMO_ERR_CORRUPT: the store is damaged and
 * nothing was written; MEMO_ERR_IO: the disk is full, the folder cannot be written. Works on a store
 * opened for reading.
 *
 * To restore, use the copy: open it where it lies, or move it to the store's name while no program
 * has the store open and after removing the `-wal` and `-shm` of the old one. Copying a store in use
 * by other means may tear it. Source: SQLite's online backup. */
MEMO_API memo_status memo_db_backup(memo_db *db, const char *path,
                                    const memo_backup_options *options, memo_backup_report *report,
                                    memo_err *err);

/* ---- health -------------------------------------------------------------------------------- */

typedef enum memo_finding_level {
    MEMO_FINDING_OK,
    MEMO_FINDING_WARN,
    MEMO_FINDING_BAD
} memo_finding_level;

typedef struct memo_finding {
    memo_finding_level level;
    const char *area; /* "file", "pages", "schema", "records", "vectors", "fulltext", "model" */
    const char *message;
    const char *hint; /* next command, or "" */
} memo_finding;

typedef struct memo_findings {
    size_t n;
    const memo_finding *findings;
    memo_finding_level worst;
} memo_findings;

/* memo_db_doctor() -- check a store and everything in it: page checksums, SQLite's integrity check,
 * schema whitelist, every record, chunk and vector checksum, full-text rows against texts, model
 * against vectors. Reads only. MEMO_OK even when something is wrong: see findings->worst. */
MEMO_API memo_status memo_db_doctor(memo_db *db, memo_findings **findings, memo_err *err);
MEMO_API void memo_findings_free(memo_findings *findings);

/* memo_db_check_pages() -- check the pages of a store that cannot be opened, past SQLite.
 *
 * Names every page whose checksum does not match, and a size that is not whole pages. Reads only;
 * knows nothing of what is in a page. Findings as above. */
MEMO_API memo_status memo_db_check_pages(const char *path, memo_findings **findings, memo_err *err);

/* ---- repair -------------------------------------------------------------------------------- */

typedef enum memo_repair_way {
    MEMO_REPAIR_NOTHING, /* nothing was wrong; nothing was written */
    MEMO_REPAIR_ROWS,    /* pages are right: rows, words, counters or the file's length
                            were put in order */
    MEMO_REPAIR_PAGES,   /* pages had no valid checksum, but what is in them passes every other
                            check (another SQLite program wrote the file): they got fresh ones */
    MEMO_REPAIR_REBUILT, /* a new store of all the rows that can be read */
} memo_repair_way;

typedef struct memo_repair_options {
    size_t size;
    memo_model *model;       /* embeds again the texts whose vectors are lost; NULL: they stay
                                without, found by their words only */
    int64_t busy_timeout_ms; /* as in memo_db_options */
    int dry_run;             /* do it all on a copy that is thrown away: say what would be done */
} memo_repair_options;

typedef struct memo_repair_report {
    memo_repair_way way;
    uint64_t n_kept;        /* records served now */
    uint64_t n_quarantined; /* rows moved there by this repair (records and what belongs to them) */
    uint64_t n_quarantined_records;
    uint64_t n_lost;          /* records that are known to have been there, of which nothing is left
                                 but the id or a part */
    uint64_t n_lost_versions; /* earlier versions of kept records that could not be read */
    uint64_t n_lost_changes;  /* acknowledged changes that neither the file nor its log gives */
    uint64_t n_bad_pages, n_pages;
    uint64_t n_reembedded; /* records whose vectors were made again */
    uint64_t n_unembedded; /* records that lack a vector still */
    const char *original;  /* where the file as it was has been kept; NULL: nothing changed */
    const memo_findings *findings; /* what was found and done, in order */
} memo_repair_report;

/* memo_db_repair() -- make a damaged store whole again, without throwing anything away.
 *
 *   path    of a store that nobody has open, this process included
 *   report  out, free with memo_repair_report_free()
 *
 * Works on a copy, under the writer lock: rows whose checksum fails, and what belongs to them, go
 * to the quarantine with the reason and their bytes (memo_db_quarantine()); the full text is made
 * again from the texts; where pages are damaged beyond that, every row that can still be read goes
 * into a new file. Then the file as it was, byte for byte with its `-wal`, is kept as
 * `<store>.before-repair-<N>`, and the new one takes its name. Interrupted at any moment it leaves
 * the old store or the new one, and never the new one alone. At last `model` embeds again what lost
 * its vectors. A second repair finds nothing to do.
 *
 * MEMO_OK when it was done, also when nothing was wrong: the report says what was lost, and why
 * vectors were not made again. Any failure leaves the store as it was: MEMO_ERR_BUSY (somebody has
 * it open), MEMO_ERR_IO, MEMO_ERR_NOTFOUND, MEMO_ERR_UNSUPPORTED (a newer schema), MEMO_ERR_CORRUPT
 * (it is no store, or not one row is left; a log beside it belongs to another store); only
 * MEMO_ERR_NOMEM may also come when it has been repaired. Disk: twice the file's size.
 */
MEMO_API memo_status memo_db_repair(memo_ctx *ctx, const char *path,
                                    const memo_repair_options *options, memo_repair_report **report,
                                    memo_err *err);
MEMO_API void memo_repair_report_free(memo_repair_report *report);

/* A row that was taken out of service. Strings are borrowed for the call. */
typedef struct memo_quarantined {
    int64_t number;   /* of the entry */
    const char *area; /* "record", "version", "chunk", "vector" ... */
    int64_t row;      /* its row id */
    const char *id;   /* of the record it is or belongs to, "" when that is not known */
    const char *reason;
    int64_t moved_ms;
    const char *content; /* the row as a JSON object of its columns; bytes that are no text are
                            {"hex": "..."} */
} memo_quarantined;

/* memo_db_quarantine() -- give each row in quarantine, oldest first; non-zero from `fn` stops.
 * memo_db_forget() by id deletes a record's rows there, too. `fn` must not use the handle. */
MEMO_API memo_status memo_db_quarantine(memo_db *db,
                                        int (*fn)(void *user, const memo_quarantined *row),
                                        void *user, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
