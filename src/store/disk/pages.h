// SPDX-License-Identifier: Apache-2.0
/* store/disk/pages.h -- the pages of a store file as they lie on the disk, checked past SQLite.
 *
 * SQLite stops at the first page that fails and never reads the ones that no table refers to. Here
 * every page of the file is read once, so that all bad ones can be named. Knows nothing of what is
 * in a page. */
#ifndef MEMO_STORE_PAGES_H
#define MEMO_STORE_PAGES_H

#include <stdint.h>

#include "base/buf.h"
#include "store/disk/vfs.h"
#include "store/sql.h"

/* SQLite keeps the page at byte 2^30 for its locks and never writes it. */
#define MEMO_PAGES_LOCK ((uint32_t)(0x40000000 / MEMO_PAGE_BYTES) + 1)

/* A set of page numbers. Zeroed: empty, and no page is in it. */
typedef struct memo_pages {
    unsigned char *bits; /* [n_pages / 8 + 1] */
    uint32_t n_pages;    /* whole ones of the file */
    uint32_t n;          /* in the set */
} memo_pages;

void memo_pages_fini(memo_pages *pages);
int memo_pages_has(const memo_pages *pages, uint32_t number);
void memo_pages_add(memo_pages *pages, uint32_t number); /* beyond n_pages: nothing */
void memo_pages_remove(memo_pages *pages, uint32_t number);

/* memo_pages_check() -- find all pages of the file whose checksum does not match.
 *
 * Reads each page through the connection's own descriptor. One that another process is just writing
 * (a checkpoint) looks bad: what does is read again for a moment. The caller frees `bad`. */
memo_status memo_pages_check(memo_sql *sql, memo_pages *bad, memo_err *err);
/* The same for a file that nobody writes: nothing is read again. */
memo_status memo_pages_check_still(memo_sql *sql, memo_pages *bad, memo_err *err);

/* Append "page 3" or "pages 3, 7-9": at most `max` numbers or ranges, then how many more. */
void memo_pages_put(memo_buf *out, const memo_pages *pages, size_t max);

#endif
