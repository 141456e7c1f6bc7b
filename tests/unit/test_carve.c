// SPDX-License-Identifier: Apache-2.0
/* Pages and logs that no SQLite wrote: rows are carved in bounded time, a log gives no page that is
 * none of the store's. */
#include "repair_util.h"

#include "base/rng.h"
#include "store/repair/carve.h"
#include "store/repair/walfile.h"

enum { HOSTILE_PAGES = 48, HOSTILE_CELLS = 1900, HOSTILE_CELL_AT = 3900 };

static size_t put_varint(unsigned char *p, uint64_t v)
{
    size_t n = 1;
    for (uint64_t rest = v; rest >>= 7;)
        n++;
    for (size_t i = n; i-- > 0; v >>= 7)
        p[i] = (unsigned char)((v & 0x7f) | (i + 1 < n ? 0x80 : 0));
    return n;
}

static void put_be(unsigned char *p, size_t n, uint64_t v)
{
    for (size_t i = n; i-- > 0; v >>= 8)
        p[i] = (unsigned char)v;
}

/* A leaf of a table whose cells are all the same one, with a blob of n_blob bytes; what does not fit
 * lies on the next page, which is no end of a chain but this page again. */
static void put_hostile_page(unsigned char *page, uint32_t number, size_t n_blob, size_t cell_at)
{
    size_t head = number == 1 ? 100 : 0, n_header, at = cell_at;
    unsigned char header[16];
    n_header = 1 + put_varint(header + 1, 12 + 2 * (uint64_t)n_blob);
    header[0] = (unsigned char)n_header;
    memset(page, 0, MEMO_PAGE_BYTES);
    page[head] = 0x0d;
    put_be(page + head + 3, 2, HOSTILE_CELLS);
    for (size_t i = 0; i < HOSTILE_CELLS; i++)
        put_be(page + head + 8 + 2 * i, 2, cell_at);
    at += put_varint(page + at, n_header + n_blob);
    at += put_varint(page + at, 1);
    memcpy(page + at, header, n_header);
    put_be(page, head ? 0 : 4, number % HOSTILE_PAGES + 1); /* read as part of a chain */
    page[head] = 0x0d;
}

typedef struct seen_rows {
    uint64_t n, n_bytes;
} seen_rows;

static memo_status see_row(void *user, const memo_carved *row, memo_err *err)
{
    seen_rows *seen = user;
    (void)err;
    seen->n++;
    for (size_t i = 0; i < row->n_cells; i++)
        seen->n_bytes += row->cells[i].bytes.n_bytes;
    return MEMO_OK;
}

static seen_rows carve_hostile(util_env *env, size_t n_blob, size_t cell_at)
{
    unsigned char *bytes = malloc((size_t)HOSTILE_PAGES * MEMO_PAGE_BYTES);
    memo_pages bad = {.bits = calloc(HOSTILE_PAGES / 8 + 1, 1), .n_pages = HOSTILE_PAGES};
    seen_rows seen = {0, 0};
    memo_sql sql;
    for (uint32_t i = 0; i < HOSTILE_PAGES; i++)
        put_hostile_page(bytes + i * (size_t)MEMO_PAGE_BYTES, i + 1, n_blob, cell_at);
    util_spill(env->path, bytes, (size_t)HOSTILE_PAGES * MEMO_PAGE_BYTES);
    util_ok(memo_sql_open(&sql, env->path, MEMO_SQL_WRITE, 0, 0, err));
    util_ok(memo_carve(&sql, &bad, see_row, &seen, err));
    memo_sql_close(&sql, 1);
    free(bad.bits);
    free(bytes);
    return seen;
}

/* Without a bound the first would give 91,200 rows, each of 388 KB: 35 GB of 48 pages. */
static void test_carve_is_bounded(void **state)
{
    uint64_t file = (uint64_t)HOSTILE_PAGES * MEMO_PAGE_BYTES;
    seen_rows chains = carve_hostile(*state, file - 5000, HOSTILE_CELL_AT);
    seen_rows cells = carve_hostile(*state, 100, HOSTILE_CELL_AT);
    assert_true(chains.n > 0 && chains.n_bytes <= 65 * file);
    assert_true(cells.n > HOSTILE_PAGES && cells.n_bytes <= 4 * file);
}

/* What decodes has a header that fits, whatever part of it is at hand. */
static void test_carve_headers_that_fit(void **state)
{
    memo_rng rng;
    size_t n_decoded = 0, n_refused = 0;
    (void)state;
    memo_rng_init(&rng, 11);
    for (int i = 0; i < 200000; i++) {
        unsigned char payload[80];
        memo_cell cells[MEMO_CELLS_MAX];
        size_t n_types = memo_rng_below(&rng, 5), n_header, n = 1;
        for (size_t k = 0; k < n_types; k++)
            n += put_varint(payload + n, memo_rng_below(&rng, k ? 10 : 40));
        payload[0] = (unsigned char)n;
        n_header = n;
        for (; n < sizeof payload; n++)
            payload[n] = (unsigned char)memo_rng_below(&rng, 256);
        n = n_header + memo_rng_below(&rng, 24);
        if (memo_cells_decode(payload, n, cells, MEMO_CELLS_MAX)) {
            n_decoded++;
            for (size_t here = 1; here <= n; here++)
                if (!memo_cells_fit(payload, here, n))
                    fail_msg("round %d: %zu of %zu bytes at hand", i, here, n);
        } else {
            n_refused += !memo_cells_fit(payload, n, n);
        }
    }
    assert_true(n_decoded > 5000 && n_refused > 100000);
}

/* ---- logs ---------------------------------------------------------------------------------- */

/* A frame behind those that are there; n_pages 0: no commit. */
static void put_frame(unsigned char *log, size_t *n, uint32_t number, uint32_t n_pages,
                      uint32_t sum[2])
{
    unsigned char *frame = log + *n;
    memset(frame, 0, 24 + MEMO_PAGE_BYTES);
    put_be(frame, 4, number);
    put_be(frame + 4, 4, n_pages);
    memcpy(frame + 8, log + 16, 8);
    memo_vfs_wal_sum(frame, 8, 0, sum);
    memo_vfs_wal_sum(frame + 24, MEMO_PAGE_BYTES, 0, sum);
    put_be(frame + 16, 4, sum[0]);
    put_be(frame + 20, 4, sum[1]);
    *n += 24 + MEMO_PAGE_BYTES;
}

typedef struct seen_pages {
    uint32_t numbers[8];
    size_t n;
} seen_pages;

static memo_status see_page(void *user, uint32_t number, const unsigned char *page, memo_err *err)
{
    seen_pages *seen = user;
    (void)page, (void)err;
    assert_true(seen->n < 8);
    seen->numbers[seen->n++] = number;
    return MEMO_OK;
}

/* As SQLite's checkpoint has it: a page behind the end of the last commit is not written. */
static void test_walfile_ends_with_its_store(void **state)
{
    util_env *env = *state;
    unsigned char *log = calloc(8, 24 + MEMO_PAGE_BYTES);
    uint32_t sum[2] = {0, 0};
    size_t n = 32;
    memo_wal_info info;
    seen_pages seen = {.n = 0};
    put_be(log, 4, 0x377f0682);
    put_be(log + 4, 4, 3007000);
    put_be(log + 8, 4, MEMO_PAGE_BYTES);
    put_be(log + 16, 8, UINT64_C(0x1122334455667788));
    memo_vfs_wal_sum(log, 24, 0, sum);
    put_be(log + 24, 4, sum[0]);
    put_be(log + 28, 4, sum[1]);
    put_frame(log, &n, 4000000000u, 0, sum);
    put_frame(log, &n, 3, 9, sum);
    put_frame(log, &n, 2, 0, sum);
    put_frame(log, &n, 1, 2, sum);
    put_frame(log, &n, 1, 0, sum); /* of a commit that did not end */
    util_spill(env->path, log, n);
    util_ok(memo_wal_read(env->path, &info, see_page, &seen, err));
    assert_int_equal(info.n_frames, 4);
    assert_int_equal(info.n_commits, 2);
    assert_int_equal(info.n_pages, 2);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.numbers[0], 2);
    assert_int_equal(seen.numbers[1], 1);
    free(log);
}

int main(void)
{
#define IN_ENV(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        IN_ENV(test_carve_is_bounded),
        IN_ENV(test_carve_headers_that_fit),
        IN_ENV(test_walfile_ends_with_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
