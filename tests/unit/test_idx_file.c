// SPDX-License-Identifier: Apache-2.0
/* The index file: what is written is read; every changed bit and every cut is found before what it
 * touches is used; counts and offsets that lie are refused with right checksums. */
#include "memo_test.h"

#include <sys/file.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "index/idx_write.h"

enum { IDX_DIM = 20, IDX_N = 40, IDX_N2 = 17, IDX_DIM2 = 3 };

static const char idx_uuid[] = "0123456789abcdef0123456789abcdef";

typedef struct idx_rows {
    int64_t chunks[IDX_N], records[IDX_N], ns[IDX_N];
    uint64_t sums[IDX_N];
    float vectors[IDX_N * IDX_DIM];
} idx_rows;

static void rows_make(idx_rows *r, size_t n, size_t dim, uint64_t seed)
{
    memo_rng rng;
    memo_rng_init(&rng, seed);
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < n; i++) {
        r->ns[i] = i < n / 3 ? 1 : 2;
        r->chunks[i] = (int64_t)(100 + 2 * i);
        r->records[i] = (int64_t)(7 + i / 2);
        for (size_t j = 0; j < dim; j++)
            r->vectors[i * dim + j] = (float)memo_rng_normal(&rng);
        r->sums[i] = memo_xxh64(r->vectors + i * dim, dim * sizeof(float), 0);
    }
}

static memo_idx_rows rows_part(const idx_rows *r, size_t from, size_t n, size_t dim)
{
    return (memo_idx_rows){n,
                           r->chunks + from,
                           r->records + from,
                           r->ns + from,
                           r->sums + from,
                           r->vectors + from * dim};
}

typedef struct idx_place {
    char path[512], like[512];
} idx_place;

static idx_place place_in(const char *folder)
{
    idx_place p;
    memo_test_path(p.path, folder, "a.memo-idx");
    memo_test_path(p.like, folder, "a.memo");
    memo_test_write_file(p.like, "x", 1);
    return p;
}

static const memo_idx_want idx_wants[] = {{3, IDX_DIM, IDX_N}, {9, IDX_DIM2, IDX_N2}};

static memo_idx_write_options idx_options(const idx_place *p)
{
    return (memo_idx_write_options){.path = p->path,
                                    .like = p->like,
                                    .uuid = idx_uuid,
                                    .seq = 77,
                                    .kernels = memo_kernels_for(MEMO_CPU_AUTO),
                                    .wants = idx_wants,
                                    .n_wants = 2};
}

static memo_status idx_write(const idx_place *p, memo_err *err)
{
    static idx_rows rows[2];
    const memo_idx_write_options options = idx_options(p);
    memo_idx_writer *w = NULL;
    memo_idx_rows part;
    memo_status status = memo_idx_write_begin(&options, &w, err);
    rows_make(&rows[0], IDX_N, IDX_DIM, 1);
    rows_make(&rows[1], IDX_N2, IDX_DIM2, 2);
    for (size_t at = 0; at < IDX_N && !status; at += 9) {
        part = rows_part(&rows[0], at, IDX_N - at < 9 ? IDX_N - at : 9, IDX_DIM);
        status = memo_idx_write_rows(w, &part, err);
    }
    part = rows_part(&rows[1], 0, IDX_N2, IDX_DIM2);
    if (!status)
        status = memo_idx_write_rows(w, &part, err);
    if (!status)
        status = memo_idx_write_commit(w, err);
    memo_idx_write_free(w);
    return status;
}

static void test_idx_gives_back_what_was_written(void **state)
{
    idx_place p = place_in(*state);
    memo_idx_file file;
    memo_err err = {0};
    static idx_rows want;
    assert_memo_ok(idx_write(&p, &err), err);
    assert_memo_ok(memo_idx_open(p.path, &file, &err), err);
    assert_string_equal(file.uuid, idx_uuid);
    assert_int_equal(file.seq, 77);
    assert_int_equal(file.n_spaces, 2);
    assert_null(memo_idx_find(&file, 4));
    for (size_t s = 0; s < 2; s++) {
        memo_idx_space *space = memo_idx_find(&file, idx_wants[s].id);
        size_t dim = idx_wants[s].dim, n = (size_t)idx_wants[s].n;
        float vector[IDX_DIM];
        uint64_t sum = 0;
        rows_make(&want, n, dim, s + 1);
        assert_int_equal(space->blocks.n, n);
        assert_int_equal(space->blocks.dim, dim);
        assert_memo_ok(memo_idx_check_codes(&file, space, &err), err);
        assert_memory_equal(space->chunks, want.chunks, n * 8);
        assert_memory_equal(space->records, want.records, n * 8);
        assert_memory_equal(space->ns, want.ns, n * 8);
        assert_memory_equal(space->sums, want.sums, n * 8);
        for (size_t i = 0; i < n; i++) {
            assert_memo_ok(memo_idx_read_vector(&file, space, i, vector, &err), err);
            assert_memory_equal(vector, want.vectors + i * dim, dim * sizeof *vector);
            assert_true(space->blocks.error[i] > 0 && space->blocks.error[i] < 0.1f);
            sum += want.sums[i];
        }
        assert_true(space->set_sum == sum);
    }
    memo_idx_close(&file);
}

/* Whether any use of the file would have shown that it is not what was written. */
static int is_found_out(const char *path)
{
    memo_idx_file file;
    memo_err err = {0};
    int found = memo_idx_open(path, &file, &err) != MEMO_OK;
    if (found)
        return 1;
    for (size_t s = 0; s < file.n_spaces; s++) {
        memo_idx_space *space = &file.spaces[s];
        float vector[IDX_DIM];
        found |= memo_idx_check_codes(&file, space, &err) != MEMO_OK;
        for (size_t i = 0; i < space->blocks.n; i++)
            found |= memo_idx_read_vector(&file, space, i, vector, &err) != MEMO_OK ||
                     memo_xxh64(vector, space->blocks.dim * sizeof *vector, 0) != space->sums[i];
    }
    found |= file.n_spaces != 2 || file.seq != 77 || strcmp(file.uuid, idx_uuid) != 0;
    memo_idx_close(&file);
    return found;
}

/* Behind the vectors of a space lie zeros up to the next multiple of 64: nobody reads them. */
static int is_padding(const memo_idx_file *file, size_t at)
{
    for (size_t s = 0; s < file->n_spaces; s++) {
        const memo_idx_space *space = &file->spaces[s];
        size_t end =
            (size_t)space->vectors_at + space->blocks.n * space->blocks.dim * sizeof(float);
        if (at >= end && at < (end + 63) / 64 * 64)
            return 1;
    }
    return 0;
}

static void test_idx_every_bit_and_every_cut(void **state)
{
    idx_place p = place_in(*state);
    memo_idx_file file;
    memo_err err = {0};
    char *bytes = NULL;
    size_t n, n_bits = 0;
    assert_memo_ok(idx_write(&p, &err), err);
    assert_memo_ok(memo_idx_open(p.path, &file, &err), err);
    assert_memo_ok(memo_file_slurp(p.path, 1 << 20, &bytes, &n, &err), err);
    assert_false(is_found_out(p.path));
    for (size_t at = 0; at < n; at++) {
        if (is_padding(&file, at))
            continue;
        bytes[at] ^= (char)(1 << at % 8);
        unlink(p.path);
        memo_test_write_file(p.path, bytes, n);
        if (!is_found_out(p.path))
            fail_msg("byte %zu changed, and nothing shows it", at);
        bytes[at] ^= (char)(1 << at % 8);
        n_bits++;
    }
    for (size_t cut = 0; cut < n; cut += 1 + cut / 64) {
        unlink(p.path);
        memo_test_write_file(p.path, bytes, cut);
        assert_true(is_found_out(p.path));
    }
    assert_true(n_bits > 8000);
    memo_idx_close(&file);
    memo_free(bytes);
}

static void put_u64(char *bytes, size_t at, uint64_t v)
{
    memcpy(bytes + at, &v, sizeof v);
}

static void fix_sums(char *bytes, size_t n_spaces)
{
    put_u64(bytes, 64, memo_xxh64(bytes + 128, n_spaces * 128, 0));
    put_u64(bytes, 120, memo_xxh64(bytes, 120, 0));
}

/* A field of the table or header at `at` becomes v, all checksums right. */
static void test_idx_lies_with_right_checksums(void **state)
{
    static const struct {
        size_t at;
        uint64_t v;
    } lies[] = {
        {128 + 16, UINT64_MAX}, /* vectors */
        {128 + 16, UINT64_C(1) << 60},
        {128 + 16, UINT64_C(1) << 32},
        {128 + 16, IDX_N + 1},
        {128 + 8, 0}, /* dimension */
        {128 + 8, 65537},
        {128 + 8, UINT32_MAX},
        {128 + 8, IDX_DIM * 40},
        {128 + 32, 1}, /* slots */
        {128 + 32, 0},
        {128 + 32, UINT64_MAX - 63},
        {128 + 32, UINT64_C(1) << 40},
        {128 + 48, UINT64_MAX - 63}, /* codes */
        {128 + 48, UINT64_C(1) << 40},
        {128 + 48, 129},
        {128 + 64, UINT64_MAX - 63}, /* vectors */
        {128 + 64, UINT64_C(1) << 40},
        {128 + 64, 0},
        {128 + 24, 5}, /* sum of the set */
        {8, 2},        /* version, spaces */
        {8, 1 | UINT64_C(65) << 32},
        {8, 1 | (uint64_t)UINT32_MAX << 32},
        {56, 100}, /* size */
        {56, UINT64_MAX},
    };
    idx_place p = place_in(*state);
    memo_err err = {0};
    char *bytes = NULL;
    size_t n;
    assert_memo_ok(idx_write(&p, &err), err);
    assert_memo_ok(memo_file_slurp(p.path, 1 << 20, &bytes, &n, &err), err);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memo_idx_file file;
        char old[8];
        memcpy(old, bytes + lies[i].at, 8);
        put_u64(bytes, lies[i].at, lies[i].v);
        fix_sums(bytes, 2);
        unlink(p.path);
        memo_test_write_file(p.path, bytes, n);
        memo_status status = memo_idx_open(p.path, &file, &err);
        if (status != MEMO_ERR_CORRUPT)
            fail_msg("lie %zu: %s", i, memo_status_name(status));
        memcpy(bytes + lies[i].at, old, 8);
    }
    memo_free(bytes);
}

static void test_idx_one_writer_at_a_time(void **state)
{
    idx_place p = place_in(*state);
    const memo_idx_write_options options = idx_options(&p);
    memo_idx_writer *one = NULL, *two = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_idx_write_begin(&options, &one, &err), err);
    assert_memo_status(memo_idx_write_begin(&options, &two, &err), MEMO_ERR_BUSY, err);
    assert_contains(err.message, "another process is making it");
    assert_memo_status(memo_idx_write_commit(one, &err), MEMO_ERR_USAGE,
                       err); /* rows are missing */
    memo_idx_write_free(one);
    assert_memo_ok(idx_write(&p, &err), err);
    assert_false(is_found_out(p.path));
}

/* A link under the name is left alone, and so is what it leads to. */
static void test_idx_writes_through_no_link(void **state)
{
    idx_place p = place_in(*state);
    char victim[512], *bytes = NULL;
    size_t n;
    memo_err err = {0};
    memo_test_path(victim, *state, "victim");
    memo_test_write_file(victim, "precious", 8);
    assert_int_equal(symlink(victim, p.path), 0);
    assert_memo_status(idx_write(&p, &err), MEMO_ERR_IO, err);
    unlink(p.path);
    assert_int_equal(link(victim, p.path), 0);
    assert_memo_status(idx_write(&p, &err), MEMO_ERR_BUSY, err);
    assert_memo_ok(memo_file_slurp(victim, 100, &bytes, &n, &err), err);
    assert_string_equal(bytes, "precious");
    memo_free(bytes);
}

static void test_idx_refuses_too_many_and_too_few_rows(void **state)
{
    static idx_rows rows;
    const memo_idx_rows part = {IDX_N, rows.chunks, rows.records, rows.ns, rows.sums, rows.vectors};
    memo_idx_set set;
    memo_err err = {0};
    (void)state;
    rows_make(&rows, IDX_N, IDX_DIM, 1);
    assert_memo_ok(
        memo_idx_set_init(&set, memo_kernels_for(MEMO_CPU_AUTO), 1, IDX_DIM, IDX_N + 1, &err), err);
    assert_memo_ok(memo_idx_set_add(&set, &part, &err), err);
    assert_memo_status(memo_idx_set_finish(&set, &err), MEMO_ERR_USAGE, err);
    assert_memo_status(memo_idx_set_add(&set, &part, &err), MEMO_ERR_USAGE, err);
    memo_idx_set_fini(&set);
    assert_memo_status(
        memo_idx_set_init(&set, memo_kernels_for(MEMO_CPU_AUTO), 1, IDX_DIM, UINT64_MAX, &err),
        MEMO_ERR_LIMIT, err);
}

static memo_status sweep_write_and_open(void *user, memo_err *err)
{
    const idx_place *p = user;
    memo_idx_file file = {.n_spaces = 0};
    memo_status status = idx_write(p, err);
    if (!status)
        status = memo_idx_open(p->path, &file, err);
    memo_idx_close(&file);
    return status;
}

static void test_idx_without_memory(void **state)
{
    idx_place p = place_in(*state);
    assert_true(memo_test_alloc_sweep(sweep_write_and_open, &p) > 10);
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, memo_test_setup_dir, memo_test_teardown_dir)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_idx_gives_back_what_was_written),
        IN_DIR(test_idx_every_bit_and_every_cut),
        IN_DIR(test_idx_lies_with_right_checksums),
        IN_DIR(test_idx_one_writer_at_a_time),
        IN_DIR(test_idx_writes_through_no_link),
        cmocka_unit_test(test_idx_refuses_too_many_and_too_few_rows),
        IN_DIR(test_idx_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
