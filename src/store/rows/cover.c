// SPDX-License-Identifier: Apache-2.0
#include "store/rows/cover.h"

#include <math.h>

/* Of one running query; FTS5 keeps it with the cursor. */
typedef struct cover_phrases {
    int n;
    double total;
    double weights[]; /* [n] */
} cover_phrases;

static int cover_count(const Fts5ExtensionApi *fts, Fts5Context *row, void *user)
{
    (void)fts;
    (void)row;
    ++*(sqlite3_int64 *)user;
    return SQLITE_OK;
}

static int cover_weigh(const Fts5ExtensionApi *fts, Fts5Context *at, cover_phrases **out)
{
    int n = fts->xPhraseCount(at), rc;
    sqlite3_int64 n_rows = 0;
    cover_phrases *p = sqlite3_malloc64(sizeof *p + (sqlite3_uint64)n * sizeof p->weights[0]);
    if (!p)
        return SQLITE_NOMEM;
    p->n = n;
    p->total = 0;
    rc = fts->xRowCount(at, &n_rows);
    for (int i = 0; i < n && rc == SQLITE_OK; i++) {
        sqlite3_int64 n_has = 0;
        rc = fts->xQueryPhrase(at, i, &n_has, cover_count);
        p->weights[i] =
            log(1 + ((double)(n_rows > n_has ? n_rows - n_has : 0) + 0.5) / ((double)n_has + 0.5));
        p->total += p->weights[i];
    }
    if (rc == SQLITE_OK)
        rc = fts->xSetAuxdata(at, p, sqlite3_free); /* frees it when it fails */
    else
        sqlite3_free(p);
    *out = p;
    return rc;
}

static void cover_value(const Fts5ExtensionApi *fts, Fts5Context *at, sqlite3_context *result,
                        int n_args, sqlite3_value **args)
{
    cover_phrases *p = fts->xGetAuxdata(at, 0);
    double held = 0;
    int rc = p ? SQLITE_OK : cover_weigh(fts, at, &p);
    (void)n_args;
    (void)args;
    for (int i = 0; rc == SQLITE_OK && i < p->n; i++) {
        Fts5PhraseIter iter;
        int column, offset;
        rc = fts->xPhraseFirst(at, i, &iter, &column, &offset);
        if (rc == SQLITE_OK && column >= 0)
            held += p->weights[i];
    }
    if (rc != SQLITE_OK)
        sqlite3_result_error_code(result, rc);
    else
        sqlite3_result_double(result, p->total > 0 ? held / p->total : 1);
}

memo_status memo_cover_add(memo_sql *sql, memo_err *err)
{
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;
    int rc;
    if (sql->has_cover)
        return MEMO_OK;
    rc = sqlite3_prepare_v2(sql->db, "SELECT fts5(?1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_pointer(st, 1, (void *)&api, "fts5_api_ptr", NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) != SQLITE_ROW)
        rc = SQLITE_ERROR;
    (void)sqlite3_finalize(st);
    if (rc == SQLITE_OK)
        rc = api ? api->xCreateFunction(api, "memo_cover", NULL, cover_value, NULL) : SQLITE_ERROR;
    if (rc != SQLITE_OK)
        return memo_sql_fail(sql, rc, "search the full text", err);
    sql->has_cover = 1;
    return MEMO_OK;
}
