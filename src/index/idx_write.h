// SPDX-License-Identifier: Apache-2.0
/* index/idx_write.h -- make the vectors of a space ready to be searched: in memory, and as a file.
 *
 * Rows come in their final order (namespace, then chunk), as the store gives them. In memory are slots
 * and codes of one space; the vectors go straight to the file. */
#ifndef MEMO_INDEX_IDX_WRITE_H
#define MEMO_INDEX_IDX_WRITE_H

#include "index/idx_file.h"

/* Rows of a space. */
typedef struct memo_idx_rows {
    size_t n;
    const int64_t *chunks, *records, *ns; /* [n] */
    const uint64_t *sums;                 /* [n] row checksums */
    const float *vectors;                 /* [n, dim] */
} memo_idx_rows;

/* Slots and codes of one space, being made or made. */
typedef struct memo_idx_set {
    const memo_kernels *kernels;
    size_t n_max; /* rows that will come */
    unsigned char *slots;
    int8_t *codes;
    memo_idx_layout layout;
    memo_idx_space space; /* space.blocks.n rows so far; the rest of it points into the above */
    float *block;         /* [16, dim] rows of the block being filled */
    int8_t *scratch;
} memo_idx_set;

memo_status memo_idx_set_init(memo_idx_set *set, const memo_kernels *kernels, int64_t id,
                              size_t dim, uint64_t n, memo_err *err);
void memo_idx_set_fini(memo_idx_set *set); /* a zeroed one is fine */
/* MEMO_ERR_USAGE when there are more rows than was said. */
memo_status memo_idx_set_add(memo_idx_set *set, const memo_idx_rows *rows, memo_err *err);
/* After the last row: the set can be searched. MEMO_ERR_USAGE when rows are missing. */
memo_status memo_idx_set_finish(memo_idx_set *set, memo_err *err);

/* What a space will hold. */
typedef struct memo_idx_want {
    int64_t id;
    size_t dim;
    uint64_t n;
} memo_idx_want;

typedef struct memo_idx_writer memo_idx_writer;

/* memo_idx_write_begin() -- become the one that writes the index.
 *
 *   path   of the index; `like` is the store, whose permissions it takes
 *   uuid   [MEMO_IDX_UUID_CHARS]
 *   wants  [n_wants] by ascending id, at most MEMO_IDX_MAX_SPACES
 *
 * MEMO_ERR_BUSY: another process is at it. */
typedef struct memo_idx_write_options {
    const char *path, *like, *uuid;
    int64_t seq;
    const memo_kernels *kernels;
    const memo_idx_want *wants;
    size_t n_wants;
} memo_idx_write_options;

memo_status memo_idx_write_begin(const memo_idx_write_options *options, memo_idx_writer **writer,
                                 memo_err *err);
/* The next rows of the next space that still lacks some. */
memo_status memo_idx_write_rows(memo_idx_writer *writer, const memo_idx_rows *rows, memo_err *err);
/* Give it its name. Not synced: a torn file is found out and costs its making. */
memo_status memo_idx_write_commit(memo_idx_writer *writer, memo_err *err);
void memo_idx_write_free(
    memo_idx_writer *writer); /* NULL is fine; without a commit all is undone */

#endif
