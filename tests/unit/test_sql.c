// SPDX-License-Identifier: Apache-2.0
/* The settings of a connection are in force, and errors are in our words. */
#include "store_util.h"

#include "store/disk/vfs.h"
#include "store/sql.h"
#include "store/store_inner.h"

static int64_t setting(memo_sql *sql, const char *pragma)
{
    int64_t v = -1;
    util_ok(memo_sql_int(sql, pragma, &v, err));
    return v;
}

static void test_sql_settings_are_in_force(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_sql *sql = &store->sql;
    static const struct {
        const char *pragma;
        int64_t value;
    } wanted[] = {
        {"PRAGMA page_size", 8192},
        {"PRAGMA synchronous", 2},
        {"PRAGMA foreign_keys", 1},
        {"PRAGMA trusted_schema", 0},
        {"PRAGMA cell_size_check", 1},
        {"PRAGMA mmap_size", 0},
        {"PRAGMA wal_autocheckpoint", 0},
        {"PRAGMA cache_spill", 0},
        {"PRAGMA secure_delete", 1},
        {"PRAGMA temp_store", 2},
        {"PRAGMA application_id", 0x4d454d4f},
        {"PRAGMA user_version", MEMO_STORE_SCHEMA_VERSION},
        {"PRAGMA auto_vacuum", 0},
        {"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
    };
    int on = -1;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int64_t got = setting(sql, wanted[i].pragma);
        /* a size of 0 gives no row where the layer offers no mapping */
        if (got != wanted[i].value && !(got == -1 && wanted[i].value == 0))
            fail_msg("%s: %lld", wanted[i].pragma, (long long)got);
    }
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, -1, &on);
    assert_int_equal(on, 1);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1, &on);
    assert_int_equal(on, 0);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &on);
    assert_int_equal(on, 0);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_VIEW, -1, &on);
    assert_int_equal(on, 0);
    util_fails(MEMO_ERR_IO, "too many attached",
               memo_sql_exec(sql, "ATTACH ':memory:' AS other", "attach", err));
    util_fails(MEMO_ERR_IO, "not authorized",
               memo_sql_exec(sql, "SELECT load_extension('x')", "load", err));
    util_fails(MEMO_ERR_IO, "may not be modified",
               memo_sql_exec(sql, "DELETE FROM fts_data", "meddle", err));
    util_fails(MEMO_ERR_IO, "no such column",
               memo_sql_exec(sql, "SELECT \"a word\" FROM records", "read", err));
    memo_store_close(store);
}

static void test_sql_reader_cannot_write_and_keeps_the_log(void **state)
{
    util_env *env = *state;
    memo_store *writer = util_open(env, MEMO_OPEN_CREATE), *reader;
    int on = -1;
    util_add(writer, "a", "one", 1);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    sqlite3_db_config(reader->sql.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &on);
    assert_int_equal(on, 1);
    util_fails(MEMO_ERR_IO, "only be read",
               memo_sql_exec(&reader->sql, "DELETE FROM records", "delete", err));
    memo_store_close(reader);
    assert_true(memo_vfs_wal_bytes(writer->sql.db) > 0);
    memo_store_close(writer);
}

/* Another program's lock is named as such and never as damage. */
static void test_sql_foreign_lock_is_busy(void **state)
{
    util_env *env = *state;
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = 50};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    sqlite3 *other = NULL;
    memo_store_close(store);
    assert_int_equal(sqlite3_open_v2(env->path, &other, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME),
                     SQLITE_OK);
    util_ok(memo_store_open(env->ctx, env->path, &options, &store, err));
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    util_fails(MEMO_ERR_BUSY, "another program", memo_store_begin_write(store, err));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    util_ok(memo_store_begin_write(store, err)); /* the writer lock was given back */
    memo_store_rollback(store);
    sqlite3_close(other);
    memo_store_close(store);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_sql_settings_are_in_force),
        CASE(test_sql_reader_cannot_write_and_keeps_the_log),
        CASE(test_sql_foreign_lock_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
