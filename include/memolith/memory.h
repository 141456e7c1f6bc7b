// SPDX-License-Identifier: Apache-2.0
/* memolith/memory.h -- keep text and vectors in one file and find them again.
 *
 * Its chapters, included at the end: search.h finds, context.h packs for a prompt, facts.h knows who is
 * meant and what is known, links.h which records say the same, feedback.h what was done with what was
 * found, spaces.h changes the model,
 * transfer.h takes in files and folders, history.h tells what was and what changed, upkeep.h backs up,
 * checks, repairs and shreds.
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
 * while a program has the store open. Searches of more than 1,024 vectors keep an `-idx` there, ready to
 * be searched: about as large again as the vectors, made anew when it is missing or old, and safe to
 * delete at any time; no promise rests on it. Look into the file with other SQLite programs read-only
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

/* memo_embedder_fn -- turn texts into vectors, with a model that is not here: a service, a program.
 *
 *   texts  [n] borrowed, UTF-8, not empty
 *   out    [n, dim] in the order of the texts; not to be written beyond
 *   err    to be filled when it fails; what it returns is then returned by the call it is in
 *
 * Called on the calling thread, outside every lock but at the end of memo_db_set_model(), where what was
 * added meanwhile is embedded under the writer's lock. It must not use the handle. */
typedef memo_status (*memo_embedder_fn)(void *user, const memo_text *texts, size_t n,
                                        memo_role role, float *out, memo_err *err);

/* A vector space whose model is not here. Records and queries bring ready vectors, or the embedder
 * makes them. It is one thing with its dimension: "ada" of 256 and "ada" of 1,536 are two spaces.
 *
 * An embedder must prove itself: what it makes of a few fixed texts is stored when the first
 * record is added with it, and compared whenever another handle first uses one. A cosine below 0.99
 * is MEMO_ERR_MISMATCH: another model answers under this name, and nothing is written or searched. */
typedef struct memo_external_space {
    size_t size;
    const char *name; /* 1..64 printable ASCII characters without spaces: "openai/ada-3:small" */
    size_t dim;       /* 1..65,536; 0: that of the first vector (not with an embedder) */
    memo_embedder_fn embed; /* NULL: all vectors are brought */
    void *embed_user;
} memo_external_space;

/* How words are indexed: decided when a store is made, and kept with it. */
typedef enum memo_fulltext {
    MEMO_FULLTEXT_STEMMED, /* by their English stem: "boiling" finds "boiled" */
    MEMO_FULLTEXT_PLAIN,   /* as they are written, accents and case aside */
} memo_fulltext;

/* memo_latency_fn -- is given one JSON object, without a line end, for a search: time (Unix ms),
 * total_ms and the stages of memo_search_timings, hits, searched, k, mode, dim, model, level,
 * threads, cache (where the index of the vectors was: "file", "memory", "none"), partial, memory (most
 * bytes that the process had resident so far), store, ns, search_id; never the query. It must not use
 * the handle. */
typedef void (*memo_latency_fn)(void *user, const char *line);

typedef struct memo_db_options {
    size_t size;
    memo_open_mode mode;
    memo_model *model;       /* borrowed until close; NULL: no dense lane and no add */
    int64_t busy_timeout_ms; /* wait for another writer; 0: 5,000; negative: do not wait */
    int allow_network_fs;    /* non-zero: open on NFS, SMB, 9p ... at the caller's risk */
    const memo_external_space *external; /* instead of a model; copied */
    memo_fulltext fulltext;  /* of a store that is made now; one that exists keeps its own */
    memo_latency_fn latency; /* is told how long searches took; NULL: nobody is */
    void *latency_user;
    double slow_ms; /* of searches that took at least this long; 0: of all */
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
    MEMO_CHUNK_AUTO, /* by the end of the source's name: Markdown for .md and .markdown, code for .c
                        .h .cc .cpp .hpp .cs .go .java .js .jsx .kt .lua .php .pl .py .rb .rs .scala
                        .sh .sql .swift .ts .tsx .zig, else plain */
    MEMO_CHUNK_PLAIN,
    MEMO_CHUNK_MARKDOWN, /* headings and fences are kept whole where they fit */
    MEMO_CHUNK_NONE,     /* one chunk; what exceeds the model is not seen by the vector */
    MEMO_CHUNK_CODE,     /* cut where definitions begin, at blank lines, between lines */
} memo_chunking;

/* A ready vector: floats, or int8 with their scale. Finite and not all zero, else MEMO_ERR_VALUE naming
 * the component. It is kept as it comes (int8 as i8[i] * scale, in f32); scores are cosines, lengths
 * are computed in double where floats cannot hold them. */
typedef struct memo_vector {
    const float *f32; /* [dim] */
    const int8_t *i8; /* [dim]; used when f32 is NULL */
    float scale;      /* of i8: finite, above 0 */
    size_t dim;       /* another than the space's is MEMO_ERR_MISMATCH naming both */
} memo_vector;

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
    /* Marks. NULL: what the record of this key has, 0, 0 and 2 for a new one. */
    const int *trust;  /* -1 untrusted, 0 unknown, 1 trusted */
    const int *pinned; /* 1: does not expire, and a filter does not forget it; else 0 */
    const int *tier;   /* 0 goals, 1 hot, 2 the rest */
    /* Other records of the namespace, by id or key; NULL: none, or what there is already. Neither
     * can be the record itself. */
    const char *parent;     /* it is a part of */
    const char *supersedes; /* takes the place of; both stay, linked, and the other one is marked */
    /* Only in an external space, which has no tokenizer: its texts are one chunk, n_tokens is 0. */
    const memo_vector *vectors; /* [n_vectors] ready vectors, one a chunk */
    size_t n_vectors;           /* 0: the embedder makes one */
    const size_t (*spans)[2];   /* [n_vectors] begin and end of each chunk: bytes of the text, at
                                   characters, by begin. NULL with one vector: all of the text */
} memo_record_in;

typedef enum memo_outcome {
    MEMO_OUTCOME_NEW,
    MEMO_OUTCOME_CHANGED,   /* key existed, content differs: a new version */
    MEMO_OUTCOME_UNCHANGED, /* key existed, same content: nothing written */
} memo_outcome;

/* What became of a record. `size` of the first element is the stride of an array. */
typedef struct memo_add_result {
    size_t size;
    char id[MEMO_ID_BYTES];
    memo_outcome outcome;
    uint64_t version; /* of the record, from 1 */
    size_t n_chunks;
    size_t n_tokens; /* embedded; 0 when unchanged */
} memo_add_result;

/* Which records are compared with others when they are written (links.h). */
typedef enum memo_links_mode {
    MEMO_LINKS_AS_STORED, /* what memo_db_set_links() has set; MEMO_LINKS_NEAR when nothing was */
    MEMO_LINKS_OFF,       /* none now; memo_db_link() can do it later. No echo is noticed */
    MEMO_LINKS_EXACT,     /* the same text */
    MEMO_LINKS_NEAR,      /* and nearly the same */
} memo_links_mode;

typedef struct memo_write_options {
    size_t size;
    const char *ns; /* namespace, 1..128 bytes; NULL: "default" */
    memo_progress_fn progress;
    void *progress_user;
    int64_t deadline_ms;   /* from now, 0: none */
    memo_links_mode links; /* 0: as the store says, see links.h */
    const char *actor;     /* who writes, for the echo guard; NULL: nobody in particular */
} memo_write_options;

/* memo_db_add() -- add or replace records; durable on return.
 *
 *   records  [n] borrowed; any bad one fails the whole call, named by index
 *   results  [n] out, or NULL; the first one's `size` is the caller's
 *
 * Embedding happens before the writer lock is taken. MEMO_ERR_BUSY: another writer kept the lock
 * longer than busy_timeout_ms (its pid is in the message); MEMO_ERR_MISMATCH: the namespace holds
 * vectors of another model; MEMO_ERR_VALUE: empty text, bad UTF-8, bad metadata, chunk sizes that
 * do not fit the model, a bad vector; MEMO_ERR_USAGE: opened without a model or external space, a record
 * without a vector where nothing can make one. Progress has the stage "embed" and
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
    const int *trust, *pinned, *tier;
    const char *source;
    const char *parent; /* "": none any more */
    const char *supersedes;
    /* As in memo_record_in, of the text that it has after the edit. In an external space without an embedder
     * another text or title needs them; given alone they take the place of those it has. */
    const memo_vector *vectors; /* [n_vectors] */
    size_t n_vectors;
    const size_t (*spans)[2];
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
    int expired; /* non-zero: of the records that `where` matches (NULL: all) the expired ones; not
                    those that an action of feedback.h has hidden and can show again */
    int pinned;  /* non-zero: `where` and `expired` forget pinned records, too */
} memo_forget_options;

/* memo_db_forget() -- delete records: text, vectors, versions and full-text rows go, and with them
 * what the store kept about the record: links, evidence, where it was shown, searches that showed
 * nothing else, what was done with it (what merge has hidden in its place is shown again: feedback.h).
 * A fact that nothing else proves is retracted, and its reason names the record. A tombstone (id,
 * time, sequence) stays. An absent id is counted in n_absent. Without ids,
 * filter and `expired`: MEMO_ERR_USAGE. What was deleted is overwritten in the file's pages; a copy
 * may be left in the log, in freed blocks of the disk and in backups: memo_db_shred() of upkeep.h
 * goes after those and proves it. */
MEMO_API memo_status memo_db_forget(memo_db *db, const memo_forget_options *options,
                                    uint64_t *n_forgotten, uint64_t *n_absent, memo_err *err);

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
    int trust, pinned, tier;   /* as in memo_record_in */
    const char *parent;        /* id of the record it is a part of, or NULL */
    const char *supersedes;    /* id of the one it took the place of, or NULL */
    const char *superseded_by; /* id of the one that took its place, or NULL */
    int echo;                  /* 1: it repeats what this store had just shown (links.h) */
    const char *duplicate_of;  /* id of an older record that says the same or nearly so, or NULL */
} memo_record;

/* Records with the memory that holds them; free with memo_records_free(). */
typedef struct memo_records {
    size_t n;
    const memo_record *records; /* [n] */
    const char *next;           /* cursor for memo_list_options.after, or NULL at the end */
    size_t n_damaged;           /* rows left out because their checksum failed */
    const char *const
        *damaged; /* [n_damaged] their ids; "links of ID": what a record has of parent,
                                   supersedes and superseded_by may be missing */
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
    int oldest_first;  /* default: newest first, by creation, then as they were added */
    int64_t as_of_ms;  /* 0: now; else the records as they were at that moment (history.h) */
} memo_list_options;

MEMO_API memo_status memo_db_list(memo_db *db, const memo_list_options *options,
                                  memo_records **records, memo_err *err);
MEMO_API void memo_records_free(memo_records *records);

typedef struct memo_db_stats {
    size_t size;
    uint64_t n_records, n_chunks, n_vectors, n_tombstones, n_versions, n_namespaces;
    uint64_t file_bytes, wal_bytes;
    uint64_t change_seq; /* grows with every committed change */
    int schema_version;
} memo_db_stats;

MEMO_API memo_status memo_db_get_stats(memo_db *db, memo_db_stats *stats, memo_err *err);

/* ---- what chapters share ------------------------------------------------------------------- */

/* How to look for records: search.h, context.h. */
typedef enum memo_search_mode {
    MEMO_SEARCH_HYBRID,  /* all lanes; without a model it is MEMO_SEARCH_LEXICAL */
    MEMO_SEARCH_DENSE,   /* by meaning; the hit's score is the cosine */
    MEMO_SEARCH_LEXICAL, /* by words and letters; needs no model */
} memo_search_mode;

typedef enum memo_lane {
    MEMO_LANE_DENSE,   /* cosine similarity */
    MEMO_LANE_LEXICAL, /* BM25, higher is better */
    MEMO_LANE_EXACT,   /* the query, or an identifier in it, stands verbatim in the text */
    MEMO_LANE_FACTS,   /* it is the evidence of facts about what the query names (facts.h) */
    MEMO_LANE_RECENCY, /* how new it is, 1 to 0: halved every half_life_days; ranks only what the
                          others have found */
    MEMO_N_LANES,
} memo_lane;

MEMO_API const char *memo_lane_name(memo_lane lane); /* "dense" */

typedef struct memo_lane_score {
    size_t rank;  /* from 1; 0: the lane did not find it */
    double score; /* in the lane's own unit */
    double share; /* what it added to the hit's score */
} memo_lane_score;

#ifdef __cplusplus
}
#endif

#include <memolith/context.h>  /* IWYU pragma: export */
#include <memolith/facts.h>    /* IWYU pragma: export */
#include <memolith/feedback.h> /* IWYU pragma: export */
#include <memolith/history.h>  /* IWYU pragma: export */
#include <memolith/links.h>    /* IWYU pragma: export */
#include <memolith/search.h>   /* IWYU pragma: export */
#include <memolith/spaces.h>   /* IWYU pragma: export */
#include <memolith/transfer.h> /* IWYU pragma: export */
#include <memolith/upkeep.h>   /* IWYU pragma: export */

#endif
