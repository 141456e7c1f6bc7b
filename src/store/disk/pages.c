// SPDX-License-Identifier: Apache-2.0
#include "store/disk/pages.h"

#include <inttypes.h>
#include <time.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"

enum {
    PAGES_WAIT_MS = 40, /* a checkpoint writes a page in far less */
    PAGES_ROUNDS = 2,   /* and the second look may have met it as well */
};

void memo_pages_fini(memo_pages *pages)
{
    memo_free(pages->bits);
    *pages = (memo_pages){0};
}

int memo_pages_has(const memo_pages *pages, uint32_t number)
{
    return number <= pages->n_pages && (pages->bits[number / 8] >> (number % 8) & 1);
}

void memo_pages_add(memo_pages *pages, uint32_t number)
{
    if (number > pages->n_pages || memo_pages_has(pages, number))
        return;
    pages->bits[number / 8] |= (unsigned char)(1u << (number % 8));
    pages->n++;
}

void memo_pages_remove(memo_pages *pages, uint32_t number)
{
    if (!memo_pages_has(pages, number))
        return;
    pages->bits[number / 8] &= (unsigned char)~(1u << (number % 8));
    pages->n--;
}

/* *good: the page is there and its checksum matches. */
static memo_status pages_look(memo_sql *sql, uint32_t number, unsigned char *page, int *good,
                              memo_err *err)
{
    int64_t offset = (int64_t)(number - 1) * MEMO_PAGE_BYTES;
    int n_read = 0;
    memo_status status = memo_vfs_raw_read(sql->db, offset, page, MEMO_PAGE_BYTES, &n_read, err);
    *good = !status && n_read && memo_vfs_page_good(page, number);
    return status;
}

static memo_status pages_look_at_all(memo_sql *sql, memo_pages *bad, unsigned char *page,
                                     memo_err *err)
{
    memo_status status = MEMO_OK;
    for (uint32_t i = 1; !status && i <= bad->n_pages; i++) {
        int good = 1;
        if (i != MEMO_PAGES_LOCK)
            status = pages_look(sql, i, page, &good, err);
        if (!status && !good)
            memo_pages_add(bad, i);
    }
    return status;
}

/* Look once more at those found bad, all of them after each nap: the time does not grow with their
 * number. */
static memo_status pages_look_again(memo_sql *sql, memo_pages *bad, unsigned char *page,
                                    memo_err *err)
{
    const struct timespec nap = {0, 1000000};
    double until = memo_monotonic_ms() + PAGES_WAIT_MS;
    memo_status status = MEMO_OK;
    for (int round = 0; !status && bad->n; round++) {
        if (round >= PAGES_ROUNDS && memo_monotonic_ms() >= until)
            break;
        (void)nanosleep(&nap, NULL);
        for (uint32_t i = 1; !status && i <= bad->n_pages; i++) {
            int good = 0;
            if (memo_pages_has(bad, i))
                status = pages_look(sql, i, page, &good, err);
            if (!status && good)
                memo_pages_remove(bad, i);
        }
    }
    return status;
}

static memo_status pages_check(memo_sql *sql, memo_pages *bad, int again, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(sql->db);
    unsigned char *page = NULL;
    memo_status status;
    *bad = (memo_pages){0};
    if (n_bytes < 0)
        return memo_fail(err, MEMO_ERR_IO, "%s: its size cannot be told", sql->path);
    if (n_bytes / MEMO_PAGE_BYTES > UINT32_MAX - 1)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %" PRId64 " bytes are too many", sql->path,
                         n_bytes);
    bad->n_pages = (uint32_t)(n_bytes / MEMO_PAGE_BYTES);
    bad->bits = memo_calloc(bad->n_pages / 8 + 1, 1);
    page = memo_malloc(MEMO_PAGE_BYTES);
    if (page && bad->bits)
        status = pages_look_at_all(sql, bad, page, err);
    else
        status = memo_fail_nomem(err, "a list of pages", bad->n_pages / 8 + 1);
    if (!status && again)
        status = pages_look_again(sql, bad, page, err);
    memo_free(page);
    if (status)
        memo_pages_fini(bad);
    return status;
}

memo_status memo_pages_check(memo_sql *sql, memo_pages *bad, memo_err *err)
{
    return pages_check(sql, bad, 1, err);
}

memo_status memo_pages_check_still(memo_sql *sql, memo_pages *bad, memo_err *err)
{
    return pages_check(sql, bad, 0, err);
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
