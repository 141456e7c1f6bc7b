// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a filter. What is accepted must be SQL that SQLite prepares, with as many parameters
 * as the filter says; what is refused must have a message. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sqlite3 *fuzz_database(void)
{
    static sqlite3 *db;
    if (!db && (sqlite3_open(":memory:", &db) != SQLITE_OK ||
                sqlite3_exec(db,
                             "CREATE TABLE records(id TEXT, key TEXT, title TEXT, text TEXT,"
                             " source TEXT, tags TEXT, created_ms INTEGER, updated_ms INTEGER,"
                             " expires_ms INTEGER, version INTEGER, metadata TEXT) STRICT",
                             NULL, NULL, NULL) != SQLITE_OK))
        abort();
    return db;
}

static void fuzz_prepare(const memo_filter *filter)
{
    sqlite3_stmt *stmt = NULL;
    size_t n;
    char *sql = sqlite3_mprintf("SELECT 1 FROM records r WHERE %s", memo_filter_sql(filter));
    const memo_filter_param *params = memo_filter_params(filter, &n);
    if (!sql || sqlite3_prepare_v2(fuzz_database(), sql, -1, &stmt, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n%s\n", sqlite3_errmsg(fuzz_database()), memo_filter_sql(filter));
        abort();
    }
    if (n && sqlite3_bind_parameter_count(stmt) != (int)n + MEMO_FILTER_FIRST_PARAM - 1)
        abort();
    for (size_t i = 0; i < n; i++)
        if (params[i].kind == MEMO_FILTER_PARAM_TEXT && !params[i].text.bytes)
            abort();
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_filter *filter = NULL;
    memo_err err = {0};
    char *text = memo_strndup((const char *)data, size);
    if (!text)
        return 0;
    if (memo_filter_new(text, 1750000000000, &filter, &err) == MEMO_OK)
        fuzz_prepare(filter);
    else if (!err.message[0] || filter)
        abort();
    memo_filter_free(filter);
    memo_free(text);
    return 0;
}
