// SPDX-License-Identifier: Apache-2.0
/* Bad index files and places where none can be written: a search answers all the same, and the index
 * comes back when it can. */
#include "db_util.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "memory/db.h"
#include "memory/vector_index.h"

enum { N_NOTES = 30 };

static char limits_idx[720];

static void fill_notes(db_env *e)
{
    snprintf(limits_idx, sizeof limits_idx, "%s-idx", e->path);
    e->db->index.min_rows = 8;
    for (int i = 0; i < N_NOTES; i++) {
        char text[64], key[16];
        sprintf(text, "note %d of the boiler %d", i, i * i);
        sprintf(key, "n%d", i);
        db_add(e, key, text);
    }
}

static void reopen_notes(db_env *e, memo_open_mode mode, size_t min_rows)
{
    memo_db_close(e->db);
    e->db = db_open_mode(e, e->model, mode);
    e->db->index.min_rows = min_rows;
}

static memo_hits *ask(db_env *e)
{
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = 7};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("boiler 4"), &o, &hits, &e->err), e->err);
    return hits;
}

/* The same as without an index; and whether one was used. */
static int check_ask(db_env *e)
{
    memo_hits *a = ask(e), *b;
    memo_db *db = e->db;
    int used = e->db->index.view.base != NULL;
    e->db = db_open_mode(e, e->model, MEMO_OPEN_READ_ONLY);
    e->db->index.min_rows = SIZE_MAX;
    b = ask(e);
    memo_db_close(e->db);
    e->db = db;
    assert_int_equal(a->n, 7);
    assert_int_equal(a->n_searched, b->n_searched);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(a->hits[i].id, b->hits[i].id);
        assert_true(a->hits[i].score == b->hits[i].score);
    }
    memo_hits_free(a);
    memo_hits_free(b);
    return used;
}

static char *read_idx(size_t *n)
{
    char *bytes = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_file_slurp(limits_idx, 1 << 24, &bytes, n, &err), err);
    return bytes;
}

static void place_idx(const void *bytes, size_t n)
{
    unlink(limits_idx);
    memo_test_write_file(limits_idx, bytes, n);
}

static void put64(char *bytes, size_t at, uint64_t v)
{
    memcpy(bytes + at, &v, sizeof v);
}

static void test_limits_122_index_missing_stale_torn_foreign_hostile(void **state)
{
    db_env *e = *state;
    char *good, *old;
    size_t n, n_old;
    fill_notes(e);
    assert_true(check_ask(e));
    old = read_idx(&n_old);
    for (int i = 0; i < 20; i++)
        db_add(e, NULL, "one more note");
    unlink(limits_idx);
    reopen_notes(e, MEMO_OPEN_EXISTING, 8);
    assert_true(check_ask(e));
    good = read_idx(&n);
    for (int kind = 0; kind < 8; kind++) {
        char *bad = malloc(n);
        memcpy(bad, good, n);
        switch (kind) {
        case 0: /* older generation */
            place_idx(old, n_old);
            break;
        case 1: /* torn */
            place_idx(bad, n / 2);
            break;
        case 2: /* not written back before the power went */
            memset(bad + 4096, 0, n - 4096);
            place_idx(bad, n);
            break;
        case 3: /* foreign */
            memset(bad + 16, 'f', 32);
            put64(bad, 120, memo_xxh64(bad, 120, 0));
            place_idx(bad, n);
            break;
        case 4: /* from the future of this store */
            put64(bad, 48, 1000000);
            put64(bad, 120, memo_xxh64(bad, 120, 0));
            place_idx(bad, n);
            break;
        case 5: /* count mismatch */
            put64(bad, 128 + 16, 49);
            put64(bad, 64, memo_xxh64(bad + 128, 128, 0));
            put64(bad, 120, memo_xxh64(bad, 120, 0));
            place_idx(bad, n);
            break;
        case 6:
            place_idx("", 0);
            break;
        default:
            unlink(limits_idx);
        }
        reopen_notes(e, MEMO_OPEN_READ_ONLY, 8);
        int used = check_ask(e);
        if (kind && used)
            fail_msg("bad index %d is used", kind);
        reopen_notes(e, MEMO_OPEN_EXISTING, 8);
        if (!check_ask(e))
            fail_msg("bad index %d is not made anew", kind);
        free(bad);
    }
    memo_free(good);
    memo_free(old);
    unlink(limits_idx);
}

/* ---- places -------------------------------------------------------------------------------- */

static memo_sys limits_sys;
static int limits_full;

static ssize_t pwrite_full(int fd, const void *buf, size_t n, off_t offset)
{
    if (limits_full && n > 64) { /* the lines of the -lock are short */
        errno = ENOSPC;
        return -1;
    }
    return pwrite(fd, buf, n, offset);
}

static void test_limits_123_disk_full_on_the_index(void **state)
{
    db_env *e = *state;
    fill_notes(e);
    limits_sys = *memo_sys_get();
    limits_sys.pwrite = pwrite_full;
    limits_full = 1;
    memo_sys_set(&limits_sys);
    assert_false(check_ask(e));
    for (int i = 0; i < 12; i++) /* then it is kept in memory */
        (void)check_ask(e);
    assert_true(check_ask(e));
    assert_null(e->db->index.view.file);
    limits_full = 0;
    reopen_notes(e, MEMO_OPEN_EXISTING, 8);
    assert_true(check_ask(e));
    assert_non_null(e->db->index.view.file);
    memo_sys_set(NULL);
    unlink(limits_idx);
}

/* Opened for reading nothing is written; what others wrote is used. */
static void test_limits_125_index_of_a_store_opened_for_reading(void **state)
{
    db_env *e = *state;
    fill_notes(e);
    reopen_notes(e, MEMO_OPEN_READ_ONLY, 8);
    assert_false(check_ask(e));
    for (int i = 0; i < 12; i++)
        (void)check_ask(e);
    assert_true(check_ask(e));
    assert_null(e->db->index.view.file);
    assert_false(memo_path_exists(limits_idx));
    reopen_notes(e, MEMO_OPEN_EXISTING, 8);
    assert_true(check_ask(e));
    reopen_notes(e, MEMO_OPEN_READ_ONLY, 8);
    assert_true(check_ask(e));
    assert_non_null(e->db->index.view.file);
    unlink(limits_idx);
}

/* Not under a deadline, which making it could break. */
static void test_index_is_not_made_under_a_deadline(void **state)
{
    db_env *e = *state;
    const memo_search_options o = {
        .size = sizeof o, .mode = MEMO_SEARCH_DENSE, .deadline_ms = 60000};
    memo_hits *hits = NULL;
    fill_notes(e);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("boiler"), &o, &hits, &e->err), e->err);
    memo_hits_free(hits);
    assert_false(memo_path_exists(limits_idx));
    assert_true(check_ask(e));
    assert_true(memo_path_exists(limits_idx));
    assert_memo_ok(memo_vector_index_remove(e->path, &e->err), e->err);
    assert_false(memo_path_exists(limits_idx));
    assert_memo_ok(memo_vector_index_remove(e->path, &e->err), e->err);
}

/* Its bytes are those of the vectors: who may not read the store may not read them. */
static void test_index_has_the_permissions_of_the_store(void **state)
{
    db_env *e = *state;
    struct stat st;
    fill_notes(e);
    assert_int_equal(chmod(e->path, 0600), 0);
    assert_true(check_ask(e));
    assert_int_equal(stat(limits_idx, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(limits_idx);
}

static memo_status sweep_search(void *user, memo_err *err)
{
    db_env *e = user;
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = 7};
    memo_hits *hits = NULL;
    memo_status status;
    memo_vector_index_drop(&e->db->index);
    unlink(limits_idx);
    status = memo_db_search(e->db, MEMO_STR("boiler"), &o, &hits, err);
    memo_hits_free(hits);
    memo_vector_index_drop(&e->db->index);
    return status;
}

static void test_index_without_memory(void **state)
{
    db_env *e = *state;
    fill_notes(e);
    e->err.status = sweep_search(e, &e->err); /* statements are prepared and kept */
    assert_int_equal(e->err.status, MEMO_OK);
    assert_true(memo_test_alloc_sweep(sweep_search, e) > 40);
    assert_true(check_ask(e));
    unlink(limits_idx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_limits_122_index_missing_stale_torn_foreign_hostile),
        db_test(test_limits_123_disk_full_on_the_index),
        db_test(test_limits_125_index_of_a_store_opened_for_reading),
        db_test(test_index_is_not_made_under_a_deadline),
        db_test(test_index_has_the_permissions_of_the_store),
        db_test(test_index_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
