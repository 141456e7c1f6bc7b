// SPDX-License-Identifier: Apache-2.0
/* store/rows/rows.h -- rows as C structs, their checksums, and record ids.
 *
 * Checksum of a row: XXH64 of the first item with seed 0, then each next item seeded with the hash
 * so far. A number is 8 bytes, little-endian; a text is its length as such a number, then its
 * bytes; an absent text has length 2^64-1. Order of items: as in memo_row_sum() and below. */
#ifndef MEMO_STORE_ROWS_H
#define MEMO_STORE_ROWS_H

#include <stdint.h>

#include "base/arena.h"
#include "store/store_inner.h"

/* Columns of `records` and `versions` in the order of memo_row. */
#define MEMO_ROW_COLUMNS                                                                           \
    "rid, ns, id, key, version, seq, created_ms, updated_ms, expires_ms, trust, pinned, tier, "    \
    "parent, chunking, chunk_tokens, chunk_overlap, n_chunks, content_hash, checksum, source, "    \
    "title, tags, metadata, text"
#define MEMO_ROW_N_COLUMNS 24

typedef struct memo_row {
    int64_t rid, ns;
    memo_text id, key; /* key.bytes NULL: none */
    int64_t version, seq, created_ms, updated_ms, expires_ms, trust, pinned, tier, parent;
    int64_t chunking, chunk_tokens, chunk_overlap, n_chunks, content_hash, checksum;
    memo_text source, title, tags, metadata, text; /* tags: a JSON array of strings */
} memo_row;

typedef struct memo_chunk_row {
    int64_t cid, rid, position, begin, end, n_tokens, checksum;
} memo_chunk_row;
#define MEMO_CHUNK_COLUMNS "cid, rid, position, span_begin, span_end, n_tokens, checksum"

/* From a statement whose columns begin with MEMO_ROW_COLUMNS; borrowed until its next step. */
void memo_row_read(const memo_stmt *st, memo_row *row);
void memo_row_bind(memo_stmt *st, const memo_row *row); /* all columns, in order */
int64_t memo_row_sum(const memo_row *row);
int memo_row_good(const memo_row *row);
/* Copy all texts; zero on lack of memory. */
int memo_row_copy(memo_arena *arena, memo_row *row);

/* One chunk, its checksum not looked at yet; *found 0: there is none. */
memo_status memo_chunk_find(memo_sql *sql, int64_t cid, memo_chunk_row *chunk, int *found,
                            memo_err *err);

void memo_chunk_read(const memo_stmt *st, memo_chunk_row *chunk);
int64_t memo_chunk_sum(const memo_chunk_row *chunk);
/* Its checksum is right and its span lies in the text of `row`. */
int memo_chunk_good(const memo_chunk_row *chunk, const memo_row *row);

int64_t memo_vector_sum(int64_t cid, int64_t space, int64_t ns, int64_t rid, const void *bytes,
                        size_t n_bytes);

/* ---- finding and taking away (forget.c) ------------------------------------------------------ */

/* The record of this id, of this key, or of this id and else of this key; damaged or not. row->rid 0:
 * none. Texts are in the arena. */
memo_status memo_row_find_id(memo_sql *sql, int64_t ns, const char *id, memo_arena *arena,
                             memo_row *row, memo_err *err);
memo_status memo_row_find_key(memo_sql *sql, int64_t ns, const char *key, memo_arena *arena,
                              memo_row *row, memo_err *err);
memo_status memo_row_find(memo_sql *sql, int64_t ns, const char *id_or_key, memo_arena *arena,
                          memo_row *row, memo_err *err);

/* Write: delete chunks, vectors and full-text rows of a record; when its words are not known for
 * sure the whole index is made anew at the commit. */
memo_status memo_row_delete_chunks(memo_store *store, const memo_row *row, memo_err *err);
/* Write: delete all of a record and put its tombstone. */
memo_status memo_row_forget(memo_store *store, const memo_row *row, int shred, memo_err *err);

/* ---- putting back (put.c) -------------------------------------------------------------------- */

/* Write, in a copy of a store: `then`, an earlier version of the record `now`, in its place, with its
 * version and times. `chunks` has its space and chunks, which may lack vectors; NULL: those that are
 * there stay, because the words are the same. */
memo_status memo_row_bring_back(memo_store *store, const memo_row *now, memo_row *then,
                                const memo_store_put *chunks, memo_err *err);

/* ---- what goes with a record (related.c) ----------------------------------------------------- */

/* Write: delete what other tables keep about a record: links, evidence, where it was shown, what was
 * done with it, searches that showed nothing else. Facts that nothing else proves are retracted, and
 * with `shred` deleted. */
memo_status memo_related_forget(memo_store *store, const memo_row *row, int shred, memo_err *err);

/* Write: a record says something else from now on. What it was like, and was compared by, goes; the
 * records that were like it wait to be compared again. */
memo_status memo_related_unlike(memo_store *store, int64_t rid, memo_err *err);

/* Parents that a list has met already, so that the text of one with many parts is not read and hashed
 * for each of them; of two whose numbers fall together the later one stays. Zeroed at first; ids are in
 * the list's arena. */
typedef struct memo_related_parents {
    struct {
        int64_t rid;
        const char *id;
    } met[128];
} memo_related_parents;

/* The id of its parent, also of an earlier version. What fails its checksum on the way is left out and
 * named in `damage` (or NULL) as "links of ID". `parents` NULL: nothing is kept. */
memo_status memo_related_parent(memo_sql *sql, const memo_row *row, memo_arena *arena,
                                memo_related_parents *parents, memo_record *out,
                                memo_store_damage *damage, memo_err *err);
/* The ids of its parent, of what it supersedes and of what supersedes it, of what it is like, and
 * whether it is an echo. */
memo_status memo_related_read(memo_sql *sql, const memo_row *row, memo_arena *arena,
                              memo_related_parents *parents, memo_record *out,
                              memo_store_damage *damage, memo_err *err);

/* ---- tombstones (tables.c) ------------------------------------------------------------------- */

/* Write: the tombstone of a record (ns, rid, id, key) that goes with change `seq`. */
memo_status memo_tombstone_put(memo_sql *sql, const memo_row *row, int64_t seq, int64_t now_ms,
                               memo_err *err);

typedef enum memo_tombstone_state {
    MEMO_TOMBSTONE_FORGOTTEN,
    MEMO_TOMBSTONE_SHREDDING, /* its bytes may be there still */
    MEMO_TOMBSTONE_SHREDDED,
} memo_tombstone_state;
/* Write: the state of tombstone `seq`, which loses its key. A damaged one is left to the repair. */
memo_status memo_tombstone_mark(memo_sql *sql, int64_t seq, memo_tombstone_state state,
                                memo_err *err);

/* ---- what is derived from a row (derive.c) --------------------------------------------------- */

/* Write what is derived from a good row of `records`: its tags. memo_row_underive() removes it. */
memo_status memo_row_derive(memo_sql *sql, const memo_row *row, memo_err *err);
/* The same, where the tags are at hand that the row was made with. */
memo_status memo_row_derive_tags(memo_sql *sql, const memo_row *row, const char *const *tags,
                                 size_t n_tags, memo_err *err);
memo_status memo_row_underive(memo_sql *sql, const memo_row *row, memo_err *err);

/* How many rows of `tags` are of no record, or of its records are missing there. */
memo_status memo_tags_audit(memo_sql *sql, int64_t *n, memo_err *err);

/* Make all of that anew, from the rows that are good. */
memo_status memo_rows_derive_all(memo_sql *sql, memo_err *err);

/* ---- what a source did not say (unsaid.c) ---------------------------------------------------- */

/* Of a put with said_ms: what it leaves out is as it was; whether a record that has another
 * text or other fields was changed since its source was written, and said the same before. */
void memo_row_keep_unsaid(const struct memo_store_put *put, const memo_row *old, memo_row *now);
memo_status memo_row_was_said(memo_sql *sql, const struct memo_store_put *put, const memo_row *old,
                              const memo_row *now, int *was, memo_err *err);

/* ---- names for what is read (lookup.c) ------------------------------------------------------- */

/* The name of a namespace, in the arena. */
memo_status memo_ns_name(memo_sql *sql, int64_t ns, memo_arena *arena, const char **name,
                         memo_err *err);

/* Put the names of a read's damage into what it gives. */
memo_status memo_damage_list(const memo_store_damage *damage, memo_records *out, memo_err *err);

/* ---- a row and its public form (rows.c) ------------------------------------------------------ */

/* A size as a column and back; SIZE_MAX ("none") is -1. */
int64_t memo_size_to_column(size_t n);
size_t memo_size_from_column(int64_t v);

/* Append a JSON array of the tags. */
void memo_tags_write(memo_buf *out, const char *const *tags, size_t n_tags);

/* The public form of a good row; texts are copied to the arena, `text` only when asked. */
memo_status memo_row_publish(const memo_row *row, const char *ns, int with_text, memo_arena *arena,
                             memo_record *out, memo_err *err);

#endif
