// SPDX-License-Identifier: Apache-2.0
/* fuzz_filter.c -- any bytes as a filter. What is accepted must be SQL that SQLite prepares, with as
 * many parameters as the filter says, and must mean what the language promises of every filter: over
 * a table of records of all kinds, `not (F)` is the complement of F, `(F) and (F)` and `(F) or (F)`
 * are F, and `(F) or not (F)` is everything. What is refused must have a message. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/filter/filter.h"
#include "store/is_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_NOW INT64_C(1750000000000)

/* Every field absent, empty, present and odd; numbers at the edges of double and 64 bits. */
static const char fuzz_rows[] =
    "INSERT INTO records(id, key, title, text, source, tags, created_ms, updated_ms, expires_ms, "
    "version,"
    " metadata) VALUES"
    "('01A', NULL, '', 'a text', '', '[]', 0, 0, 0, 1, '{}'),"
    "('01B', 'k', 'T', 'b', 's', '[\"gift\",\"house\"]', 1750000000000, 1, 1750000000001, 2,"
    " '{\"n\":1,\"s\":\"x\",\"t\":true,\"z\":null}'),"
    "('01C', 'x''y', 'x%', 'c', '/a', '[\"\"]', -1, 2, 0, 9007199254740993,"
    " '{\"n\":1.0,\"s\":\"\",\"t\":false}'),"
    "('01D', 'K', '_', 'd', 'S', '[\"a\",\"b\",\"a\"]', 1750000000000, 3, 5, 3,"
    " '{\"n\":9007199254740993,\"s\":[1],\"place\":\"Porto\"}'),"
    "('01E', '', 't', 'e', '', '[\"1\"]', 9223372036854775807, 4, 0, 4,"
    " '{\"n\":-0.5,\"s\":{\"a\":1},\"a b\":2}'),"
    "('01F', '\xc3\xa9', '\xc3\xa9', 'f', '', '[]', 5, 5, 0, 5, '{\"n\":\"1\",\"t\":1}')";
static const char fuzz_derived[] =
    "UPDATE records SET trust = rid % 3 - 1, pinned = rid % 2, tier = rid % 3, parent = nullif(rid "
    "% 4, 0);"
    "INSERT INTO tags SELECT DISTINCT 1, value, rid FROM records, json_each(tags)";
enum { N_ROWS = 6, ALL_ROWS = (1 << N_ROWS) - 1 };

static sqlite3 *fuzz_database(void)
{
    static sqlite3 *db;
    if (!db && (sqlite3_open(":memory:", &db) != SQLITE_OK || memo_is_json_add(db) != SQLITE_OK ||
                sqlite3_exec(db,
                             "CREATE TABLE records(rid INTEGER PRIMARY KEY, ns INTEGER DEFAULT 1,"
                             " id TEXT, key TEXT, title TEXT, text TEXT,"
                             " source TEXT, tags TEXT, created_ms INTEGER, updated_ms INTEGER,"
                             " expires_ms INTEGER, version INTEGER, metadata TEXT,"
                             " trust INTEGER DEFAULT 0, pinned INTEGER DEFAULT 0,"
                             " tier INTEGER DEFAULT 2, parent INTEGER) STRICT;"
                             "CREATE TABLE tags(ns INTEGER, tag TEXT, rid INTEGER) STRICT",
                             NULL, NULL, NULL) != SQLITE_OK ||
                sqlite3_exec(db, fuzz_rows, NULL, NULL, NULL) != SQLITE_OK ||
                sqlite3_exec(db, fuzz_derived, NULL, NULL, NULL) != SQLITE_OK))
        abort();
    return db;
}

/* The rows that pass, a bit each. */
static unsigned fuzz_prepare(const memo_filter *filter)
{
    unsigned passed = 0;
    int rc;
    sqlite3_stmt *stmt = NULL;
    size_t n;
    char *sql = sqlite3_mprintf("SELECT rowid FROM records r WHERE %s", memo_filter_sql(filter));
    const memo_filter_param *params = memo_filter_params(filter, &n);
    if (!sql || sqlite3_prepare_v2(fuzz_database(), sql, -1, &stmt, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n%s\n", sqlite3_errmsg(fuzz_database()), memo_filter_sql(filter));
        abort();
    }
    if (n && sqlite3_bind_parameter_count(stmt) != (int)n + MEMO_FILTER_FIRST_PARAM - 1)
        abort();
    for (size_t i = 0; i < n; i++) {
        int at = (int)i + MEMO_FILTER_FIRST_PARAM;
        if (params[i].kind != MEMO_FILTER_PARAM_TEXT)
            sqlite3_bind_int64(stmt, at, params[i].integer);
        else if (!params[i].text.bytes)
            abort();
        else
            sqlite3_bind_text(stmt, at, params[i].text.bytes, (int)params[i].text.n_bytes,
                              SQLITE_STATIC);
    }
    sqlite3_bind_int64(stmt, 1, 1); /* the namespace */
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        passed |= 1u << (sqlite3_column_int(stmt, 0) - 1);
    if (rc != SQLITE_DONE) {
        fprintf(stderr, "%s\n%s\n", sqlite3_errmsg(fuzz_database()), memo_filter_sql(filter));
        abort();
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return passed;
}

/* A filter made of an accepted one is accepted, unless it is too large, and passes these rows. */
static void fuzz_expect(const char *format, const char *text, unsigned wanted)
{
    char *made = sqlite3_mprintf(format, text, text);
    memo_filter *filter = NULL;
    memo_err err = {0};
    memo_status status = memo_filter_new(made, FUZZ_NOW, &filter, &err);
    if (status ? status != MEMO_ERR_LIMIT : fuzz_prepare(filter) != wanted) {
        fprintf(stderr, "%s: %s\n", made, err.message);
        abort();
    }
    memo_filter_free(filter);
    sqlite3_free(made);
}

/* Text, or the other spelling: the laws are the same. */
static void fuzz_laws(const memo_filter *filter, const char *text)
{
    static const char *const laws[][5] = {
        {"not (%s)", "(%s) and (%s)", "(%s) or (%s)", "(%s) or not (%s)", "(%s) and not (%s)"},
        {"{\"not\":%s}", "{\"and\":[%s,%s]}", "{\"or\":[%s,%s]}", "{\"or\":[%s,{\"not\":%s}]}",
         "{\"and\":[%s,{\"not\":%s}]}"},
    };
    unsigned passed = fuzz_prepare(filter);
    const char *const *law = laws[text[strspn(text, " \t\r\n")] == '{'];
    fuzz_expect(law[0], text, ALL_ROWS & ~passed);
    fuzz_expect(law[1], text, passed);
    fuzz_expect(law[2], text, passed);
    fuzz_expect(law[3], text, ALL_ROWS);
    fuzz_expect(law[4], text, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_filter *filter = NULL;
    memo_err err = {0};
    char *text = memo_strndup((const char *)data, size);
    if (!text)
        return 0;
    if (memo_filter_new(text, FUZZ_NOW, &filter, &err) == MEMO_OK)
        fuzz_laws(filter, text);
    else if (!err.message[0] || filter)
        abort();
    memo_filter_free(filter);
    memo_free(text);
    return 0;
}
