// SPDX-License-Identifier: Apache-2.0
#include "store/repair/carve.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/disk/vfs.h"

enum {
    CARVE_USABLE = MEMO_PAGE_BYTES - MEMO_PAGE_SUM,
    CARVE_INDEX_INTERIOR = 0x02,
    CARVE_INDEX_LEAF = 0x0a,
    CARVE_TABLE_LEAF = 0x0d,
    CARVE_CHAIN = CARVE_USABLE - 4, /* bytes of a value on an overflow page */
    /* Cells of a sound page do not overlap, and no two rows share an overflow page; old copies of a
     * page lead to those of the page in use. Thousands of cells that all are one, on a chain that is
     * a ring, are nobody's accident. */
    CARVE_PAGE_BYTES = 4 * CARVE_USABLE,
    CARVE_CHAINS = 64,
};

typedef struct carve {
    memo_sql *sql;
    const memo_pages *bad;
    memo_carve_fn fn;
    void *user;
    unsigned char page[MEMO_PAGE_BYTES], chain[MEMO_PAGE_BYTES];
    size_t n_page_left;    /* bytes of cells that this page may still give */
    uint64_t n_chain_left; /* overflow pages that may still be followed */
    memo_buf payload;
    memo_cell cells[MEMO_CELLS_MAX];
} carve;

static unsigned carve_be16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t carve_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static memo_status carve_read(carve *c, uint32_t number, unsigned char *page, memo_err *err)
{
    int n_read = 0;
    memo_status status = memo_vfs_raw_read(c->sql->db, (int64_t)(number - 1) * MEMO_PAGE_BYTES,
                                           page, MEMO_PAGE_BYTES, &n_read, err);
    if (!status && !n_read)
        memset(page, 0, MEMO_PAGE_BYTES);
    return status;
}

/* How much of a payload of n bytes lies on the page itself. */
static size_t carve_local(size_t n, int is_index)
{
    size_t most = is_index ? (CARVE_USABLE - 12) * 64 / 255 - 23 : CARVE_USABLE - 35;
    size_t least = (CARVE_USABLE - 12) * 32 / 255 - 23, k;
    if (n <= most)
        return n;
    k = least + (n - least) % CARVE_CHAIN;
    return k <= most ? k : least;
}

/* Append what lies on overflow pages; the chain may be cut or lead astray: then what is missing is
 * zeros, which the row's checksum will not fit. */
static memo_status carve_follow(carve *c, uint32_t number, size_t left, int *good, memo_err *err)
{
    while (left) {
        size_t n = left < CARVE_CHAIN ? left : CARVE_CHAIN;
        memo_status status = MEMO_OK;
        c->n_chain_left--; /* carve_cell() has seen that there are so many */
        if (number == 0 || number > c->bad->n_pages)
            memset(c->chain, 0, sizeof c->chain);
        else
            status = carve_read(c, number, c->chain, err);
        if (status)
            return status;
        *good &= number && number <= c->bad->n_pages && !memo_pages_has(c->bad, number);
        memo_buf_append(&c->payload, c->chain + 4, n);
        number = carve_be32(c->chain);
        left -= n;
    }
    return c->payload.failed ? memo_fail_nomem(err, "a row", c->payload.n) : MEMO_OK;
}

/* The cell that begins at `at`: payload length, row id (of a table), payload, overflow page. */
static memo_status carve_cell(carve *c, uint32_t number, unsigned type, size_t at, memo_err *err)
{
    memo_carved row = {.page = number,
                       .page_good = !memo_pages_has(c->bad, number),
                       .is_index = type != CARVE_TABLE_LEAF,
                       .cells = c->cells};
    uint64_t n_payload, rowid = 0, most = (uint64_t)c->bad->n_pages * MEMO_PAGE_BYTES;
    size_t used, local;
    memo_status status = MEMO_OK;
    if (type == CARVE_INDEX_INTERIOR)
        at += 4;
    used = at < CARVE_USABLE ? memo_cells_varint(c->page + at, CARVE_USABLE - at, &n_payload) : 0;
    if (!used || n_payload > most)
        return MEMO_OK;
    at += used;
    if (!row.is_index) {
        used = memo_cells_varint(c->page + at, CARVE_USABLE - at, &rowid);
        if (!used)
            return MEMO_OK;
        at += used;
    }
    local = carve_local((size_t)n_payload, row.is_index);
    if (at + local + (local < n_payload ? 4 : 0) > CARVE_USABLE || local > c->n_page_left ||
        (n_payload - local + CARVE_CHAIN - 1) / CARVE_CHAIN > c->n_chain_left ||
        !memo_cells_fit(c->page + at, local, n_payload))
        return MEMO_OK;
    c->n_page_left -= local;
    memo_buf_clear(&c->payload);
    memo_buf_append(&c->payload, c->page + at, local);
    if (local < n_payload)
        status = carve_follow(c, carve_be32(c->page + at + local), (size_t)n_payload - local,
                              &row.page_good, err);
    if (status || c->payload.failed)
        return status ? status : memo_fail_nomem(err, "a row", (size_t)n_payload);
    row.rowid = (int64_t)rowid;
    row.n_cells = memo_cells_decode((const unsigned char *)c->payload.data, c->payload.n, c->cells,
                                    MEMO_CELLS_MAX);
    return row.n_cells ? c->fn(c->user, &row, err) : MEMO_OK;
}

static memo_status carve_page(carve *c, uint32_t number, memo_err *err)
{
    size_t head = number == 1 ? 100 : 0, pointers;
    unsigned type, n_cells;
    memo_status status = carve_read(c, number, c->page, err);
    type = c->page[head];
    if (status ||
        (type != CARVE_TABLE_LEAF && type != CARVE_INDEX_LEAF && type != CARVE_INDEX_INTERIOR))
        return status;
    c->n_page_left = CARVE_PAGE_BYTES;
    n_cells = carve_be16(c->page + head + 3);
    pointers = head + (type == CARVE_INDEX_INTERIOR ? 12 : 8);
    for (unsigned i = 0; !status && i < n_cells && pointers + 2 * i + 2 <= CARVE_USABLE; i++)
        status = carve_cell(c, number, type, carve_be16(c->page + pointers + 2 * i), err);
    return status;
}

memo_status memo_carve(memo_sql *sql, const memo_pages *bad, memo_carve_fn fn, void *user,
                       memo_err *err)
{
    memo_status status = MEMO_OK;
    carve *c = memo_calloc(1, sizeof *c);
    if (!c)
        return memo_fail_nomem(err, "two pages", sizeof *c);
    c->sql = sql;
    c->bad = bad;
    c->fn = fn;
    c->user = user;
    c->n_chain_left = (uint64_t)bad->n_pages * CARVE_CHAINS;
    for (int want_bad = 0; want_bad <= 1; want_bad++)
        for (uint32_t i = 1; !status && i <= bad->n_pages; i++)
            if (i != MEMO_PAGES_LOCK && memo_pages_has(bad, i) == want_bad)
                status = carve_page(c, i, err);
    memo_buf_fini(&c->payload);
    memo_free(c);
    return status;
}
