// SPDX-License-Identifier: Apache-2.0
/* fault/flip_store.h -- the stores whose bits are flipped, and which bits.
 *
 * Two images of one store: `closed` (file and lock file) and `killed`, a moment later with commits
 * that are in the write-ahead log only (file, log, shared memory, lock file). The store has every
 * kind of page that SQLite makes of our schema; flip_store_points() fails when one is missing. */
#ifndef MEMO_TESTS_FLIP_STORE_H
#define MEMO_TESTS_FLIP_STORE_H

#include "fault.h"

typedef enum flip_file {
    FLIP_MAIN,
    FLIP_LOG,
    FLIP_SHM,
    FLIP_LOCK,
    FLIP_INDEX,
    FLIP_N_FILES
} flip_file;

typedef enum flip_kind {
    FLIP_FILE_HEADER, /* the first 100 bytes */
    FLIP_SCHEMA,      /* pages of sqlite_schema */
    FLIP_TABLE_INNER,
    FLIP_TABLE_LEAF,
    FLIP_INDEX_INNER,
    FLIP_INDEX_LEAF,
    FLIP_VECTORS,  /* pages of the table of vectors */
    FLIP_FULLTEXT, /* pages of the full-text index */
    FLIP_OVERFLOW,
    FLIP_FREE_TRUNK,
    FLIP_FREE_LEAF,
    FLIP_PAGE_SUM, /* the checksum that ends each page */
    FLIP_LOG_HEADER,
    FLIP_FRAME_HEADER,
    FLIP_FRAME_PAGE,
    FLIP_SHARED_MEMORY,
    FLIP_LOCK_FILE,
    FLIP_INDEX_FILE, /* the index beside the store: it may change no answer at all */
    FLIP_N_KINDS,
} flip_kind;

extern const char *const flip_kind_names[FLIP_N_KINDS];
extern const char *const flip_suffixes[FLIP_N_FILES];

typedef struct flip_image {
    const char *name;
    unsigned char *bytes[FLIP_N_FILES]; /* NULL: no such file */
    size_t n_bytes[FLIP_N_FILES];
} flip_image;

enum { FLIP_CLOSED, FLIP_KILLED, FLIP_N_IMAGES };

/* A record with a key that each image has, for the comparison. */
#define FLIP_LONG_KEY_BYTES 420
void flip_long_key(int i, char out[FLIP_LONG_KEY_BYTES + 1]);
enum { FLIP_N_LONG_KEYS = 24, FLIP_N_PLAIN = 30, FLIP_WIDE_DIM = 2304 };

/* Make both images with the store at FOLDER/s.memo. Exits when it cannot. */
void flip_store_make(fault_world *world, const char *folder, flip_image images[FLIP_N_IMAGES]);
void flip_store_free(flip_image images[FLIP_N_IMAGES]);
/* Put an image in place, all of its files and no other; the index only when it is asked for, for with it
 * searches read fewer pages. */
void flip_store_put(const flip_image *image, const char *path, int with_index);
/* The smallest index that a search makes or uses, of stores as small as these. */
enum { FLIP_INDEX_ROWS = 8 };

/* One bit of one file of one image. */
typedef struct flip_point {
    uint32_t byte;
    unsigned char bit, image, file, kind;
} flip_point;

/* The points of all images: every bit of the headers of file, pages, log and shared memory and of the
 * lock file, one in 2 of the bits of page checksums, one in 5 of frame headers, `n_inside` random ones of each
 * page's inside; of the killed image's file a sixth of that, for it is nearly the same. In a
 * quick run one in `one_in` of all. Distinct. Exits when a kind of page is missing. The caller frees
 * *points. */
size_t flip_store_points(const flip_image images[FLIP_N_IMAGES], const char *path, uint64_t seed,
                         unsigned n_inside, unsigned one_in, flip_point **points);

#endif
