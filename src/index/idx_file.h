// SPDX-License-Identifier: Apache-2.0
/* index/idx_file.h -- the vectors of a store, ready to be searched: a cache beside it (`<store>-idx`).
 *
 * Nothing rests on it. It holds what the store held at change sequence S; whoever opens it learns which
 * vectors are in it and proves from the store whether they are still the store's. A file that is
 * missing, stale, torn, foreign or hostile costs time: every byte that is used stands under a checksum,
 * and every count and offset is checked against the size of the file, checksum or not.
 *
 * All numbers are little-endian; sections begin at multiples of 64 and have zeros between them.
 *
 *   header, 128 bytes
 *     0   8  "MEMOIDX1"
 *     8   4  format version: 1
 *    12   4  number of spaces, at most 64
 *    16  32  UUID of the store, as text
 *    48   8  S
 *    56   8  size of the file
 *    64   8  XXH64 of the table of spaces
 *    72  48  zeros
 *   120   8  XXH64 of bytes 0 to 119
 *
 *   table of spaces, at 128: 128 bytes for each, by ascending id
 *     0   8  id of the space in the store
 *     8   4  dimension
 *    12   4  zero
 *    16   8  n: vectors
 *    24   8  sum of the vectors' row checksums, modulo 2^64
 *    32   8  offset of the slots          40   8  XXH64 of the slots
 *    48   8  offset of the codes          56   8  XXH64 of the codes
 *    64   8  offset of the vectors
 *    72  56  zeros
 *
 *   slots: arrays one behind the other, each a section of its own
 *     chunk i64 [n], record i64 [n], namespace i64 [n], row checksum u64 [n];
 *     scale f32 [m], error f32 [m], sum of bytes i32 [m]; m = n rounded up to 16   (blocks.h)
 *   codes: [m / 16] blocks of memo_block_bytes()
 *   vectors: f32 [n, dim], as the store has them; the row checksum of the store guards each
 *
 * Slots are ordered by namespace, then chunk: a namespace is a run of them. */
#ifndef MEMO_INDEX_IDX_FILE_H
#define MEMO_INDEX_IDX_FILE_H

#include "base/file.h"
#include "index/blocks.h"

#define MEMO_IDX_UUID_CHARS 32
#define MEMO_IDX_MAX_SPACES 64
#define MEMO_IDX_MAX_DIM    65536

/* Vectors of one space, in a file or in memory. Arrays as above; borrowed from their owner. */
typedef struct memo_idx_space {
    int64_t id;
    memo_blocks blocks;
    const int64_t *chunks, *records, *ns; /* [n] */
    const uint64_t *sums;                 /* [n] */
    uint64_t set_sum;
    uint64_t vectors_at; /* in the file; 0: it is in memory, without the vectors */
    uint64_t codes_sum;
    int codes_checked;
} memo_idx_space;

typedef struct memo_idx_file {
    memo_file file; /* vectors are read, not mapped: a few here and there would each map a page */
    memo_map map;
    char uuid[MEMO_IDX_UUID_CHARS + 1];
    int64_t seq; /* S */
    size_t n_spaces;
    memo_idx_space *spaces; /* [n_spaces] */
} memo_idx_file;

/* memo_idx_open() -- open and validate all but codes and vectors, which are checked when first used.
 *
 * MEMO_ERR_NOTFOUND: no such file; MEMO_ERR_CORRUPT: not whole, or of another version; MEMO_ERR_IO,
 * MEMO_ERR_NOMEM. Cost: a map, and a checksum over 44 bytes a vector. */
memo_status memo_idx_open(const char *path, memo_idx_file *file, memo_err *err);
void memo_idx_close(memo_idx_file *file); /* a zeroed one is closed */

memo_idx_space *memo_idx_find(const memo_idx_file *file, int64_t id); /* or NULL */

/* Once before a space is searched: MEMO_ERR_CORRUPT when its codes are not what was written. */
memo_status memo_idx_check_codes(const memo_idx_file *file, memo_idx_space *space, memo_err *err);

/* memo_idx_read_vector() -- the floats of one slot; the caller compares them with space->sums[slot].
 *   slot  < space->blocks.n, of a space of the file */
memo_status memo_idx_read_vector(const memo_idx_file *file, const memo_idx_space *space,
                                 size_t slot, float *vector, memo_err *err);

/* ---- for idx_write.c ----------------------------------------------------------------------- */

#define MEMO_IDX_HEADER_BYTES 128
#define MEMO_IDX_ENTRY_BYTES  128
#define MEMO_IDX_ALIGN        64

extern const unsigned char memo_idx_magic[8];

/* Offsets in the slots section, and sizes, of n vectors; zero when they do not fit a size_t. */
typedef struct memo_idx_layout {
    size_t record, ns, sum, scale, error, w_sum; /* chunk is at 0 */
    size_t slots_bytes, codes_bytes, vectors_bytes;
} memo_idx_layout;

int memo_idx_plan(size_t dim, uint64_t n, memo_idx_layout *layout);

#endif
