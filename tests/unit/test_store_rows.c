// SPDX-License-Identifier: Apache-2.0
/* Rows, pages and counters of a store that somebody changed behind good checksums of pages: the
 * damage is named, what is sound beside it can be read, and writing over it mends it. */
#include "damage_util.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "store/disk/vfs.h"
#include "store/store_inner.h"

/* ---- rows changed behind good page checksums ----------------------------------------------- */

static void meddle(util_env *env, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void test_damage_of_one_row_leaves_the_others(void **state)
{
    util_env *env = *state;
    static const char *const changes[] = {
        "UPDATE records SET text = text || ' ' WHERE key = 'key-3'",
        "UPDATE records SET metadata = '{}' WHERE key = 'key-3'",
        "UPDATE records SET title = 'x' WHERE key = 'key-3'",
        "UPDATE records SET tags = '[]' WHERE key = 'key-3'",
        "UPDATE records SET source = '' WHERE key = 'key-3'",
        "UPDATE records SET created_ms = created_ms + 1 WHERE key = 'key-3'",
        "UPDATE records SET expires_ms = 9999999999999 WHERE key = 'key-3'",
        "UPDATE records SET version = 9 WHERE key = 'key-3'",
        "UPDATE records SET checksum = checksum + 1 WHERE key = 'key-3'",
    };
    size_t n;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_arena arena = {0};
        memo_record record;
        memo_records page;
        memo_store_scope scope = {.ns = 1};
        memo_store_list_options options = {.limit = 60};
        util_findings findings = {0};
        util_spill(env->path, good, n);
        meddle(env, changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_fails(MEMO_ERR_CORRUPT, "record key-3: its checksum",
                   memo_store_get(store, 1, "key-3", &arena, &record, err));
        util_ok(memo_store_get(store, 1, "key-4", &arena, &record, err));
        util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
        assert_int_equal(page.n, N_RECORDS - 2);
        assert_int_equal(page.n_damaged, 1);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        if (!findings.n_bad || !strstr(findings.text, page.damaged[0]))
            fail_msg("%s is not in\n%s", page.damaged[0], findings.text);
        memo_arena_fini(&arena);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* One bit of one text on a page that holds several records: SQLite would refuse the page; here the
 * row checksums tell which of them is damaged. */
static void test_damage_of_one_page_leaves_its_other_rows(void **state)
{
    util_env *env = *state;
    size_t n, n_good = 0;
    unsigned char *bytes, *at;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_arena arena = {0};
    memo_record record;
    memo_records page;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 60};
    util_findings findings = {0};
    char named[32];
    fill_store(env, store);
    memo_store_close(store);
    bytes = util_slurp(env->path, &n);
    at = memmem(bytes, n, "number15 has", 12);
    assert_non_null(at);
    assert_null(memmem(at + 1, n - (size_t)(at + 1 - bytes), "number15 has", 12));
    *at ^= 1;
    util_spill(env->path, bytes, n);
    snprintf(named, sizeof named, "page %zu", (size_t)(at - bytes) / MEMO_PAGE_BYTES + 1);
    free(bytes);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_fails(MEMO_ERR_CORRUPT, named, memo_store_get(store, 1, "key-15", &arena, &record, err));
    for (unsigned i = 0; i < N_RECORDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%u", i);
        n_good += memo_store_get(store, 1, key, &arena, &record, NULL) == MEMO_OK;
    }
    assert_int_equal(n_good, N_RECORDS - 2);
    util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
    assert_int_equal(page.n, N_RECORDS - 2);
    assert_int_equal(page.n_damaged, 2); /* the record and the page */
    assert_string_equal(page.damaged[1], named);
    util_ok(memo_store_check(store, util_finding, &findings, err));
    assert_true(findings.n_bad > 0);
    assert_non_null(strstr(findings.text, named));
    assert_non_null(strstr(findings.text, page.damaged[0]));
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static int count_block(void *user, const memo_store_block *block)
{
    *(size_t *)user += block->n;
    return 0;
}

static void test_damage_of_one_vector_leaves_the_others(void **state)
{
    util_env *env = *state;
    static const char *const changes[] = {
        "UPDATE vectors SET vector = zeroblob(32) WHERE cid = 21",
        "UPDATE vectors SET vector = zeroblob(31) WHERE cid = 21",
        "UPDATE vectors SET vector = x'' WHERE cid = 21",
        "UPDATE vectors SET vector = zeroblob(40000) WHERE cid = 21",
        "UPDATE vectors SET checksum = 0 WHERE cid = 21",
        "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE cid = 12) WHERE cid = 21",
    };
    size_t n, n_seen;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_arena arena = {0};
        memo_store_damage damage = {.arena = &arena};
        memo_store_scope scope = {.ns = 1};
        util_findings findings = {0};
        int found;
        n_seen = 0;
        util_spill(env->path, good, n);
        meddle(env, changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_scan(store, &scope, 1, count_block, &n_seen, &damage, err));
        assert_int_equal(damage.n, 1);
        assert_int_equal(n_seen, 2 * (N_RECORDS - 1) - 1);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        assert_non_null(strstr(findings.text, "vector of chunk"));
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_forget(store, 1, damage.ids[0], &found, err));
        assert_int_equal(found, 1);
        util_ok(memo_store_commit(store, err));
        util_check_clean(store);
        memo_arena_fini(&arena);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* However many are damaged, each is named on one page or another and the rest is served. */
static void test_damage_of_many_rows_is_listed_in_full(void **state)
{
    enum { MANY = 150 };
    util_env *env = *state;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = MANY};
    memo_records page;
    memo_arena arena = {0};
    size_t n = 0, n_damaged = 0, n_pages = 0;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    for (unsigned i = 0; i < MANY; i++)
        util_add(store, NULL, "a text", i);
    memo_store_close(store);
    meddle(env, "UPDATE records SET title = 'x' WHERE rid % 5 <> 0");
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    do {
        util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
        for (size_t i = 0; i < page.n_damaged; i++)
            assert_int_equal(strlen(page.damaged[i]), MEMO_ID_BYTES - 1);
        n += page.n;
        n_damaged += page.n_damaged;
        options.after = page.next;
        assert_true(++n_pages < MANY);
    } while (page.next);
    assert_int_equal(n, MANY / 5);
    assert_int_equal(n_damaged, MANY - MANY / 5);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* A search scans and then fetches: what the one reports the other must not forget. */
static void test_damage_found_before_a_fetch_is_kept(void **state)
{
    util_env *env = *state;
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_store_chunk_row *rows;
    const int64_t chunks[] = {30, 31};
    size_t n_seen = 0;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    meddle(env, "UPDATE vectors SET checksum = 0 WHERE cid = 21;"
                "UPDATE chunks SET checksum = 0 WHERE cid = 30");
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    util_ok(memo_store_scan(store, &scope, 1, count_block, &n_seen, &damage, err));
    assert_int_equal(damage.n, 1);
    util_ok(memo_store_fetch(store, chunks, 2, &arena, &rows, &damage, err));
    assert_true(rows[0].damaged);
    assert_false(rows[1].damaged);
    assert_int_equal(damage.n, 2);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* A file made on purpose: checksums agree with counters that cannot be counted on. */
static void test_damage_counters_at_their_end_are_refused(void **state)
{
    static const struct {
        const char *sql, *part;
    } changes[] = {
        {"UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'records'", "row id"},
        {"UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'chunks'", "row id"},
        {"UPDATE sqlite_sequence SET seq = -9 WHERE name = 'chunks'", "row id"},
        {"UPDATE tallies SET n = -1 WHERE what = -1", "row id"},
        {"UPDATE tallies SET sum = 5000 WHERE what = -1", "row id"},
        {"UPDATE sqlite_sequence SET seq = 9223372036854775806; DELETE FROM tallies WHERE what = "
         "-1",
         "row id"},
        {"UPDATE records SET seq = 9223372036854775807 WHERE rid = 3;"
         "UPDATE meta SET change_seq = 9223372036854775807",
         "no change sequence"},
    };
    util_env *env = *state;
    unsigned char *good;
    size_t n;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_add_result result = {.size = sizeof result};
        memo_err why = {0};
        memo_status status;
        util_spill(env->path, good, n);
        meddle(env, changes[i].sql);
        store = util_open(env, MEMO_OPEN_EXISTING);
        status = memo_store_begin_write(store, &why);
        if (!status)
            status = util_put(store, 1, "new", "a text", 1, &result, &why);
        memo_store_rollback(store);
        if (status != MEMO_ERR_CORRUPT || !strstr(why.message, changes[i].part))
            fail_msg("%s: %s", changes[i].sql, why.message);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* Forgetting or replacing a record whose words are not known makes the full-text index anew. */
static void test_damage_forget_and_replace_mend(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_arena arena = {0};
    memo_store_scope scope = {.ns = 1};
    memo_store_hit *hits;
    size_t n;
    int found;
    fill_store(env, store);
    memo_store_close(store);
    meddle(env, "UPDATE records SET text = 'short' WHERE key IN ('key-12', 'key-13')");
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "key-12", &found, err));
    put_numbered(store, 13, 1);
    util_ok(memo_store_commit(store, err));
    util_check_clean(store);
    util_ok(util_search(store, &scope, "number12", 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    util_ok(util_search(store, &scope, "number13", 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    util_ok(util_search(store, &scope, "common", 1, 90, &arena, &hits, &n, err));
    assert_int_equal(n, N_RECORDS - 2);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* The check sees rows that do not fit each other. */
static void test_damage_check_compares_tables(void **state)
{
    util_env *env = *state;
    static const char *const changes[][2] = {
        /* what is made from the text can be made again: a warning */
        {"DELETE FROM chunks WHERE cid = 21", "1 records: 1 records with too few or too many"},
        {"DELETE FROM vectors WHERE cid = 21", "1 vectors: 1 chunks without a vector"},
        {"DELETE FROM namespaces", "refer to missing ones"},
        {"UPDATE chunks SET span_end = 100000 WHERE cid = 21", "chunk 21"},
        {"DELETE FROM fts_docsize WHERE id = 21", "full-text index does not know"},
        {"INSERT INTO fts(rowid, body) VALUES(9999, 'x')", "full-text rows without a chunk"},
        {"DELETE FROM fts_data WHERE id > 10", "full"},
        {"UPDATE versions SET text = 'x' WHERE version = 1", "checksum"},
    };
    size_t n;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    util_check_clean(store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        util_findings findings = {0};
        util_spill(env->path, good, n);
        meddle(env, changes[i][0]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        if ((i >= 2 && !findings.n_bad) || !strstr(findings.text, changes[i][1]))
            fail_msg("%s: no \"%s\" in\n%s", changes[i][0], changes[i][1], findings.text);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* A copy taken while the store was written: the newest page of counters with older rows. */
/* Another process overwrites the second half of a page: opening and closing the file in this one
 * would take SQLite's locks away. */
static void tear_page(const util_env *env, int64_t number)
{
    unsigned char bytes[MEMO_PAGE_BYTES / 2];
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(env->path, O_WRONLY);
        memset(bytes, 0x5a, sizeof bytes);
        _exit(pwrite(fd, bytes, sizeof bytes, number * MEMO_PAGE_BYTES - (int64_t)sizeof bytes) !=
              sizeof bytes);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A checkpoint that was killed leaves pages torn that the log holds whole: no damage. */
static void test_damage_of_a_page_in_the_log_is_none(void **state)
{
    util_env *env = *state;
    memo_store *writer = util_open(env, MEMO_OPEN_CREATE), *reader;
    util_findings findings = {0};
    int64_t logged = 0, other = 0;
    util_add(writer, "0", "the text of record 0", 0);
    memo_store_close(writer);
    writer = util_open(env, MEMO_OPEN_EXISTING);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    util_add(writer, "1", "the text of record 1", 1);
    util_ok(memo_sql_int(&reader->sql, "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'",
                         &logged, err));
    util_ok(memo_sql_int(
        &reader->sql, "SELECT rootpage FROM sqlite_schema WHERE name = 'quarantine'", &other, err));
    tear_page(env, logged);
    util_check_clean(reader);
    assert_int_equal(util_count(reader), 2);
    tear_page(env, other);
    util_ok(memo_store_check(reader, util_finding, &findings, err));
    assert_true(findings.n_bad > 0);
    memo_store_close(reader);
    memo_store_close(writer);
}

static void test_damage_torn_copy_is_refused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    unsigned char *before, *after;
    size_t n_before, n_after;
    fill_store(env, store);
    memo_store_close(store);
    before = util_slurp(env->path, &n_before);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    put_numbered(store, 3, 9);
    util_ok(memo_store_commit(store, err));
    memo_store_close(store);
    after = util_slurp(env->path, &n_after);
    assert_int_equal(n_before, n_after);
    memcpy(before, after, 2 * MEMO_PAGE_BYTES);
    util_spill(env->path, before, n_before);
    store = NULL;
    util_fails(MEMO_ERR_CORRUPT, "change counter",
               memo_store_open(env->ctx, env->path, &options, &store, err));
    free(before);
    free(after);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_damage_of_one_row_leaves_the_others),
        CASE(test_damage_of_one_page_leaves_its_other_rows),
        CASE(test_damage_of_one_vector_leaves_the_others),
        CASE(test_damage_of_many_rows_is_listed_in_full),
        CASE(test_damage_found_before_a_fetch_is_kept),
        CASE(test_damage_counters_at_their_end_are_refused),
        CASE(test_damage_forget_and_replace_mend),
        CASE(test_damage_check_compares_tables),
        CASE(test_damage_of_a_page_in_the_log_is_none),
        CASE(test_damage_torn_copy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
