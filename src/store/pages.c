// SPDX-License-Identifier: Apache-2.0
#include "store/pages.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

enum { PAGES_TRIES = 40 }; /* a checkpoint writes a page in far less than as many ms */

void memo_pages_fini(memo_pages *pages)
{
    memo_free(pages->bits);
    *pages = (memo_pages){0};
}

int memo_pages_has(const memo_pages *pages, uint32_t number)
{
    return number <= pages->n_pages && (pages->bits[number / 8] >> (number % 8) & 1);
}

static void pages_add(memo_pages *pages, uint32_t number)
{
    pages->bits[number / 8] |= (unsigned char)(1u << (number % 8));
    pages->n++;
}

static int pages_sum_fits(const unsigned char *page, uint32_t number)
{
    uint64_t sum = memo_vfs_page_sum(page, number);
    const unsigned char *at = page + MEMO_PAGE_BYTES - MEMO_PAGE_SUM;
    for (int i = 0; i < MEMO_PAGE_SUM; i++)
        if (at[i] != (unsigned char)(sum >> (8 * i)))
            return 0;
    return 1;
}

static memo_status pages_look(memo_sql *sql, uint32_t number, unsigned char *page, int *good,
                              memo_err *err)
{
    const struct timespec nap = {0, 1000000};
    int64_t offset = (int64_t)(number - 1) * MEMO_PAGE_BYTES;
    for (int tries = PAGES_TRIES;; tries--) {
        int n_read = 0;
        memo_status status =
            memo_vfs_raw_read(sql->db, offset, page, MEMO_PAGE_BYTES, &n_read, err);
        if (status)
            return status;
        *good = n_read && pages_sum_fits(page, number);
        if (*good || tries == 1)
            return MEMO_OK;
        (void)nanosleep(&nap, NULL);
    }
}

memo_status memo_pages_check(memo_sql *sql, memo_pages *bad, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(sql->db);
    unsigned char *page = memo_malloc(MEMO_PAGE_BYTES);
    memo_status status = MEMO_OK;
    *bad = (memo_pages){0};
    if (n_bytes < 0)
        status = memo_fail(err, MEMO_ERR_IO, "%s: its size cannot be told", sql->path);
    else if (n_bytes / MEMO_PAGE_BYTES > UINT32_MAX - 1)
        status = memo_fail(err, MEMO_ERR_LIMIT, "%s: %" PRId64 " bytes are too many", sql->path,
                           n_bytes);
    if (status)
        goto done;
    bad->n_pages = (uint32_t)(n_bytes / MEMO_PAGE_BYTES);
    bad->bits = memo_calloc(bad->n_pages / 8 + 1, 1);
    if (!page || !bad->bits)
        status = memo_fail_nomem(err, "a list of pages", bad->n_pages / 8 + 1);
    for (uint32_t i = 1; !status && i <= bad->n_pages; i++) {
        int good = 1;
        if (i != MEMO_PAGES_LOCK)
            status = pages_look(sql, i, page, &good, err);
        if (!status && !good)
            pages_add(bad, i);
    }
done:
    memo_free(page);
    if (status)
        memo_pages_fini(bad);
    return status;
}

void memo_pages_put(memo_buf *out, const memo_pages *pages, size_t max)
{
    size_t n_put = 0;
    uint32_t named = 0, i = 1;
    memo_buf_puts(out, pages->n == 1 ? "page " : "pages ");
    while (i <= pages->n_pages && n_put < max) {
        uint32_t first = i;
        while (i <= pages->n_pages && memo_pages_has(pages, i))
            i++;
        if (i == first) {
            i++;
            continue;
        }
        memo_buf_printf(out, "%s%" PRIu32, n_put++ ? ", " : "", first);
        if (i - first > 1)
            memo_buf_printf(out, "%s%" PRIu32, i - first == 2 ? ", " : "-", i - 1);
        named += i - first;
    }
    if (named < pages->n)
        memo_buf_printf(out, " and %" PRIu32 " more", pages->n - named);
}
