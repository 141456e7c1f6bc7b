// SPDX-License-Identifier: Apache-2.0
/* fault/flip_picture.h -- everything that can be read of a store, and whether one such reading is
 * honest beside that of the undamaged store.
 *
 * Honest is, for each call: the same result; or MEMO_ERR_CORRUPT; or rows left out that are
 * reported, and all others right. A lane of a search may be missing only when it is reported. And
 * when any call gave less, the check of the whole store must find something. */
#ifndef MEMO_TESTS_FLIP_PICTURE_H
#define MEMO_TESTS_FLIP_PICTURE_H

#include "base/buf.h"
#include "fault.h"

enum { FLIP_MAX_SECTIONS = 160 };

/* What one call gave: lines of `text`. */
typedef struct flip_section {
    char name[48];
    memo_status status;
    size_t begin, end; /* in text */
    int reported;      /* rows or lanes that were reported missing */
    int is_doctor, is_search;
    size_t all; /* of a search: the section that has every chunk of it; undamaged store only */
} flip_section;

typedef struct flip_picture {
    memo_buf text;
    size_t n;
    flip_section sections[FLIP_MAX_SECTIONS];
    int indexed; /* searches used the index beside the store */
    int noticed; /* flip_picture_honest(): something differs from the undamaged store */
} flip_picture;

void flip_picture_fini(flip_picture *picture);

/* flip_picture_take() -- open the store at `path` and read: statistics, settings, spaces, pages of records in several
 * orders and filters, each record by key, searches in each mode, all vectors, the check of the
 * whole, and a backup to `copy` (NULL: none), which is read the same way unless its bytes have the
 * hash `copy_hash`; 0 on the first time, then filled in.
 *   every_chunk  also each search with all of its chunks: of the undamaged store */
void flip_picture_take(fault_world *world, const char *path, memo_open_mode mode, const char *copy,
                       uint64_t *copy_hash, int every_chunk, flip_picture *picture);

/* Zero when `got` is honest beside `want`; else `why`. */
int flip_picture_honest(const flip_picture *want, flip_picture *got, char why[FAULT_WHY_BYTES]);

#endif
