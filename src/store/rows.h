// SPDX-License-Identifier: Apache-2.0
/* store/rows.h -- rows as C structs, their checksums, and record ids.
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

/* A size as a column and back; SIZE_MAX ("none") is -1. */
int64_t memo_size_to_column(size_t n);
size_t memo_size_from_column(int64_t v);

/* Append a JSON array of the tags. */
void memo_tags_write(memo_buf *out, const char *const *tags, size_t n_tags);

/* The public form of a good row; texts are copied to the arena, `text` only when asked. */
memo_status memo_row_publish(const memo_row *row, const char *ns, int with_text, memo_arena *arena,
                             memo_record *out, memo_err *err);

/* A ULID: 48 bits of time, 80 random bits, in Crockford's base 32. Ids made by one handle within
 * one millisecond ascend. */
memo_status memo_ulid_make(memo_store *store, int64_t now_ms, char out[MEMO_ID_BYTES],
                           memo_err *err);

#endif
