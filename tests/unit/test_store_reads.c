// SPDX-License-Identifier: Apache-2.0
/* Every way to read a row looks at its checksum. A row is changed through SQLite and our own file
 * layer, so pages and structure are right and only the row's checksum can tell; then each read must
 * leave the row out, name it or fail: never give its data. */
#include "store_util.h"

#include <sqlite3.h>

#include "store/sql.h"
#include "store/store_inner.h"

static char ids[3][MEMO_ID_BYTES];

static void make_store(util_env *env)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    static const char *const texts[] = {"one has ITEM-1 and common", "two has ITEM-2 and common",
                                        "three has ITEM-3 and common"};
    static const char *const keys[] = {"k1", "k2", "k3"};
    for (unsigned i = 0; i < 3; i++) {
        memo_add_result result = util_add(store, keys[i], texts[i], i);
        memcpy(ids[i], result.id, sizeof ids[i]);
    }
    memo_store_close(store);
}

static void doctor_row(util_env *env, const char *change)
{
    memo_sql sql;
    util_ok(memo_sql_open(&sql, env->path, MEMO_SQL_WRITE, 0, 0, err));
    util_ok(memo_sql_exec(&sql, change, "doctor a row", err));
    assert_int_equal(sqlite3_changes(sql.db), 1);
    memo_sql_close(&sql, 0);
}

static memo_filter *filter_of(const char *text)
{
    memo_filter *filter = NULL;
    util_ok(memo_filter_new(text, 1, &filter, err));
    return filter;
}

/* ---- records ------------------------------------------------------------------------------- */

static const char *const record_changes[] = {
    "UPDATE records SET text = 'two has ITEM-2 and commoN' WHERE key = 'k2'",
    "UPDATE records SET title = 'planted' WHERE key = 'k2'",
    "UPDATE records SET metadata = '{\"a\":1}' WHERE key = 'k2'",
    "UPDATE records SET tags = '[\"x\"]' WHERE key = 'k2'",
    "UPDATE records SET source = 'elsewhere' WHERE key = 'k2'",
    "UPDATE records SET created_ms = created_ms + 1 WHERE key = 'k2'",
    "UPDATE records SET updated_ms = updated_ms + 1 WHERE key = 'k2'",
    "UPDATE records SET version = 7 WHERE key = 'k2'",
    "UPDATE records SET chunk_tokens = 9 WHERE key = 'k2'",
    "UPDATE records SET chunk_overlap = 9 WHERE key = 'k2'",
    "UPDATE records SET chunking = 3 WHERE key = 'k2'",
    "UPDATE records SET n_chunks = 2 WHERE key = 'k2'",
    "UPDATE records SET trust = 1 WHERE key = 'k2'",
    "UPDATE records SET checksum = checksum + 1 WHERE key = 'k2'",
};

static void read_one(memo_store *store, const char *id)
{
    memo_arena arena = {0};
    memo_record record;
    memo_chunking chunking;
    size_t tokens, overlap;
    util_fails(MEMO_ERR_CORRUPT, id, memo_store_get(store, 1, id, &arena, &record, err));
    util_fails(MEMO_ERR_CORRUPT, id,
               memo_store_get_chunking(store, 1, id, &chunking, &tokens, &overlap, err));
    memo_arena_fini(&arena);
}

static void read_many(memo_store *store)
{
    const memo_store_scope scope = {.ns = 1};
    const memo_store_list_options options = {.limit = 10};
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_store_chunk_row *rows = NULL;
    memo_store_hits hits = {.arena = &arena, .limit = 10, .damage = &damage};
    const int64_t chunks[] = {1, 2, 3};
    memo_records page;
    util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
    assert_int_equal(page.n, 2);
    assert_int_equal(page.n_damaged, 1);
    assert_string_equal(page.damaged[0], ids[1]);
    util_ok(memo_store_fetch(store, chunks, 3, &arena, &rows, &damage, err));
    assert_false(rows[0].damaged || rows[2].damaged);
    assert_true(rows[1].damaged);
    assert_int_equal(damage.n, 1);
    assert_string_equal(damage.ids[0], ids[1]);
    damage.n = damage.n_ids = 0;
    util_ok(memo_store_exact(store, &scope, (memo_text){"common", 6}, &hits, err));
    assert_int_equal(hits.n, 2);
    assert_int_equal(damage.n, 1);
    assert_string_equal(damage.ids[0], ids[1]);
    memo_arena_fini(&arena);
}

/* Writes read, too: what is compared, merged or deleted must be what was written. */
static void write_over(memo_store *store)
{
    float vector[UTIL_DIM];
    static const char text[] = "two has ITEM-2 and common";
    memo_store_chunk chunk = {.end = sizeof text - 1, .n_tokens = 3, .vector = vector};
    memo_store_put put = {
        .key = "k2", .text = {text, sizeof text - 1}, .space = 1, .chunks = &chunk, .n_chunks = 1};
    memo_filter *filter = filter_of("text contains 'two'");
    memo_add_result result = {.size = sizeof result};
    uint64_t n;
    util_vector(1, UTIL_DIM, vector);
    util_ok(memo_store_compare(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    util_ok(memo_store_begin_write(store, err));
    put.id = ids[1];
    util_fails(MEMO_ERR_CORRUPT, ids[1], memo_store_put_record(store, 1, &put, &result, err));
    util_fails(
        MEMO_ERR_CORRUPT, "nothing was forgotten",
        memo_store_forget_where(store, &(memo_store_sweep){.ns = 1, .filter = filter}, &n, err));
    put.id = NULL;
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    assert_int_not_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    util_ok(memo_store_commit(store, err));
    util_check_clean(store);
    memo_filter_free(filter);
}

static void test_reads_of_a_changed_record(void **state)
{
    util_env *env = *state;
    for (size_t i = 0; i < sizeof record_changes / sizeof *record_changes; i++) {
        memo_store *store;
        unlink(env->path);
        make_store(env);
        doctor_row(env, record_changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        read_one(store, ids[1]);
        read_one(store, "k2");
        read_many(store);
        write_over(store);
        memo_store_close(store);
    }
}

static void test_reads_of_a_forgotten_damaged_record(void **state)
{
    util_env *env = *state;
    memo_store *store;
    int found = 0;
    make_store(env);
    doctor_row(env, record_changes[0]);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "k2", &found, err));
    util_ok(memo_store_commit(store, err));
    assert_true(found);
    util_check_clean(store);
    memo_store_close(store);
}

/* Rows that are whole, and an index that leads from one to the other: never the other record. */
static void test_reads_by_an_index_that_lies(void **state)
{
    util_env *env = *state;
    memo_sql sql;
    memo_store *store;
    memo_arena arena = {0};
    memo_record record;
    char change[400];
    make_store(env);
    /* Swap two row ids in the table alone: the rows' own ids then differ from what led to them. */
    util_ok(memo_sql_open(&sql, env->path, MEMO_SQL_WRITE, 0, 0, err));
    (void)sqlite3_db_config(sql.db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    snprintf(change, sizeof change,
             "PRAGMA writable_schema = ON;"
             "CREATE TABLE twin(id TEXT, UNIQUE(id)) STRICT;"
             "INSERT INTO twin(rowid, id) SELECT 3 - rid, id FROM records WHERE rid < 3;"
             "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema"
             " WHERE name = 'sqlite_autoindex_twin_1') WHERE name = 'sqlite_autoindex_records_1';"
             "DELETE FROM sqlite_schema WHERE tbl_name = 'twin';");
    util_ok(memo_sql_exec(&sql, change, "swap", err));
    memo_sql_close(&sql, 0);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_fails(MEMO_ERR_CORRUPT, ids[0], memo_store_get(store, 1, ids[0], &arena, &record, err));
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* ---- chunks and vectors -------------------------------------------------------------------- */

static int count_block(void *user, const memo_store_block *block)
{
    *(size_t *)user += block->n;
    return 0;
}

static const char *const vector_changes[] = {
    "UPDATE vectors SET vector = zeroblob(32) WHERE cid = 2",
    "UPDATE vectors SET vector = zeroblob(31) WHERE cid = 2",
    "UPDATE vectors SET vector = zeroblob(0) WHERE cid = 2",
    "UPDATE vectors SET vector = zeroblob(64) WHERE cid = 2",
    "UPDATE vectors SET checksum = checksum + 1 WHERE cid = 2",
    "UPDATE vectors SET rid = 3 WHERE cid = 2",
};

static memo_add_result add_again(memo_store *store)
{
    memo_add_result result = {.size = sizeof result};
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "k2", "two has ITEM-2 and common", 1, &result, err));
    util_ok(memo_store_commit(store, err));
    return result;
}

static void test_reads_of_a_changed_vector(void **state)
{
    util_env *env = *state;
    const memo_store_scope scope = {.ns = 1};
    for (size_t i = 0; i < sizeof vector_changes / sizeof *vector_changes; i++) {
        memo_arena arena = {0};
        memo_store_damage damage = {.arena = &arena};
        memo_store *store;
        size_t n = 0;
        unlink(env->path);
        make_store(env);
        doctor_row(env, vector_changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_scan(store, &scope, 1, count_block, &n, &damage, err));
        assert_int_equal(n, 2);
        assert_int_equal(damage.n, 1);
        /* The same text again is not "unchanged": that would leave the bad vector where it is. */
        assert_int_equal(add_again(store).outcome, MEMO_OUTCOME_CHANGED);
        util_check_clean(store);
        memo_arena_fini(&arena);
        memo_store_close(store);
    }
}

static const char *const chunk_changes[] = {
    "UPDATE chunks SET span_end = span_end - 1 WHERE cid = 2",
    "UPDATE chunks SET span_begin = 1 WHERE cid = 2",
    "UPDATE chunks SET n_tokens = 99 WHERE cid = 2",
    "UPDATE chunks SET position = 1 WHERE cid = 2",
    "UPDATE chunks SET rid = 3, position = 5 WHERE cid = 2",
    "UPDATE chunks SET checksum = 0 WHERE cid = 2",
};

static void test_reads_of_a_changed_chunk(void **state)
{
    util_env *env = *state;
    const memo_store_scope scope = {.ns = 1};
    const int64_t chunks[] = {1, 2, 3};
    for (size_t i = 0; i < sizeof chunk_changes / sizeof *chunk_changes; i++) {
        memo_arena arena = {0};
        memo_store_damage damage = {.arena = &arena};
        memo_store_hits hits = {.arena = &arena, .limit = 10, .damage = &damage};
        memo_store_chunk_row *rows;
        memo_store *store;
        unlink(env->path);
        make_store(env);
        doctor_row(env, chunk_changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_fetch(store, chunks, 3, &arena, &rows, &damage, err));
        assert_true(rows[1].damaged);
        assert_int_equal(damage.n, 1);
        damage.n = damage.n_ids = 0;
        util_ok(memo_store_exact(store, &scope, (memo_text){"common", 6}, &hits, err));
        assert_int_equal(hits.n, 2);
        assert_int_equal(damage.n, 1);
        assert_int_equal(add_again(store).outcome, MEMO_OUTCOME_CHANGED);
        memo_arena_fini(&arena);
        memo_store_close(store);
    }
}

/* Words are made anew from whole rows only. */
static void test_reads_of_a_rebuilt_index(void **state)
{
    util_env *env = *state;
    const memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hit *hits;
    size_t n = 0;
    int found;
    memo_store *store;
    make_store(env);
    doctor_row(env, "UPDATE records SET text = 'planted words' WHERE key = 'k2'");
    store = util_open(env, MEMO_OPEN_EXISTING);
    { /* a damaged row that goes takes unknown words along: the index is made anew */
        doctor_row(env, "UPDATE records SET title = 'x' WHERE key = 'k3'");
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_forget(store, 1, "k3", &found, err));
        util_ok(memo_store_commit(store, err));
    }
    util_ok(util_search(store, &scope, "planted", 1, 10, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    util_ok(util_search(store, &scope, "common", 1, 10, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* ---- what a read costs ----------------------------------------------------------------------- */

enum { LONG_CHUNKS = 1000, LONG_CHUNK_BYTES = 2000 };

/* One record of 2 MB in a thousand chunks, each with the same identifier. */
static void put_long_text(memo_store *store)
{
    static float vector[UTIL_DIM] = {1};
    static memo_store_chunk chunks[LONG_CHUNKS];
    size_t n = (size_t)LONG_CHUNKS * LONG_CHUNK_BYTES;
    char *text = malloc(n);
    memo_store_put put = {
        .key = "long", .text = {text, n}, .space = 1, .chunks = chunks, .n_chunks = LONG_CHUNKS};
    memo_add_result result = {.size = sizeof result};
    memo_store_ns ns;
    assert_non_null(text);
    memset(text, ' ', n);
    for (size_t i = 0; i < LONG_CHUNKS; i++) {
        size_t begin = i * LONG_CHUNK_BYTES;
        memcpy(text + begin, "ITEM-7", 6);
        chunks[i] = (memo_store_chunk){begin, begin + LONG_CHUNK_BYTES, 3, vector};
    }
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    util_ok(memo_store_put_record(store, ns.id, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    free(text);
}

/* Pages that SQLite has looked at since the last call, from the disk or not. */
static int pages_looked_at(memo_store *store)
{
    int hits = 0, misses = 0, most;
    assert_int_equal(sqlite3_db_status(store->sql.db, SQLITE_DBSTATUS_CACHE_HIT, &hits, &most, 1),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_db_status(store->sql.db, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 1), SQLITE_OK);
    return hits + misses;
}

/* A long text is read once, not once for each of its chunks: that would be a quarter of a million
 * pages here, and minutes for the longest text allowed. */
static void test_reads_of_a_long_text_are_linear(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hit *hits;
    size_t n;
    put_long_text(store);
    (void)pages_looked_at(store);
    util_ok(
        util_exact(store, &scope, (memo_text){"ITEM-7", 6}, LONG_CHUNKS, &arena, &hits, &n, err));
    assert_int_equal(n, LONG_CHUNKS);
    assert_true(pages_looked_at(store) < 10 * LONG_CHUNKS);
    util_check_clean(store);
    assert_true(pages_looked_at(store) < 10 * LONG_CHUNKS);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_reads_of_a_changed_record),       CASE(test_reads_of_a_forgotten_damaged_record),
        CASE(test_reads_by_an_index_that_lies),     CASE(test_reads_of_a_changed_vector),
        CASE(test_reads_of_a_changed_chunk),        CASE(test_reads_of_a_rebuilt_index),
        CASE(test_reads_of_a_long_text_are_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
