// SPDX-License-Identifier: Apache-2.0
/* memory/vector_index.h -- the vectors of a space as a handle keeps them ready: an index of what the
 * store held at some change, and a tail of what came later.
 *
 * The index is `<store>-idx` (index/idx_file.h), shared by all processes, or one in memory where no
 * file can be written. It is made by a search that finds it missing or far behind: the library has no
 * threads of its own that could do it in the background, and making it costs as much as a few searches
 * without it. One process at a time makes it, the others go on without.
 *
 * Before each search it is brought to the moment of the search's snapshot: records written or forgotten
 * since lose their slots, their vectors as they are now go to the tail. Then number and sum of the row
 * checksums of all that is kept must be what the store says of the space (rows/vectors.h). Where they
 * are not, or anything else is odd, there is no view and the search reads the store. So an index of
 * another store, of an older copy, or one that was changed can cost time and nothing else. */
#ifndef MEMO_MEMORY_VECTOR_INDEX_H
#define MEMO_MEMORY_VECTOR_INDEX_H

#include "index/idx_write.h"
#include "store/store.h"

/* Vectors that came after the index. */
typedef struct memo_vector_tail {
    size_t n, cap;
    int64_t *chunks, *records, *ns; /* [n]; chunk 0: gone */
    uint64_t *sums;
    float *vectors; /* [n, dim] */
} memo_vector_tail;

/* A space at the moment of a snapshot. */
typedef struct memo_vector_view {
    const memo_idx_file *file; /* NULL: the vectors are read from the store */
    memo_idx_space *base;
    uint64_t *live; /* a bit a slot of base: still the store's */
    memo_vector_tail tail;
    memo_store_set at; /* what the store says of the space, and what this is */
    int64_t made_seq;  /* the change that base is of */
} memo_vector_view;

struct memo_db;

typedef struct memo_vector_index {
    memo_idx_file file;
    memo_idx_set set;      /* in memory, when set.slots */
    memo_vector_view view; /* of one space; view.base NULL: none */
    int64_t n_commits;     /* of the store when there was none, at the last search */
    unsigned n_plain;      /* searches without a view since then */
    unsigned n_failures;   /* to make it */
    unsigned n_waits;      /* searches until it is tried again */
    size_t min_rows;       /* fewer are read from the store; tests set other figures */
    size_t max_tail;       /* and this many, or a twentieth, are no reason to make it anew */
} memo_vector_index;

void memo_vector_index_init(memo_vector_index *index);
void memo_vector_index_fini(memo_vector_index *index);
/* Forget what was open: something in it was wrong. The next search begins anew. */
void memo_vector_index_drop(memo_vector_index *index);

/* memo_vector_index_get() -- the space as the open snapshot has it.
 *
 *   may_make  the search has time to make the index
 *   view      out: NULL when the store itself must be read
 *
 * MEMO_ERR_NOMEM only. */
memo_status memo_vector_index_get(struct memo_db *db, int64_t space, int may_make,
                                  const memo_vector_view **view, memo_err *err);

/* memo_vector_view_read() -- the vector of one slot of the base, proved by the store's checksum. */
memo_status memo_vector_view_read(struct memo_db *db, const memo_vector_view *view, size_t slot,
                                  float *vector, memo_err *err);

/* memo_vector_index_remove() -- delete the index file of a store, and what was left of one by a process
 * that died in making it; nothing there is fine. For whoever makes vectors be gone (they stand in it as they stood in the store). */
memo_status memo_vector_index_remove(const char *store_path, memo_err *err);

/* ---- vector_make.c ------------------------------------------------------------------------- */

char *memo_vector_index_path(const char *store_path); /* memo_free(); NULL: out of memory */
/* Write the index of all spaces with at least min_rows vectors, of the open snapshot. */
memo_status memo_vector_make_file(struct memo_db *db, const memo_vector_index *index,
                                  memo_err *err);
/* Make that of one space in memory. */
memo_status memo_vector_make_set(struct memo_db *db, int64_t space, const memo_store_set *want,
                                 memo_idx_set *set, memo_err *err);

#endif
