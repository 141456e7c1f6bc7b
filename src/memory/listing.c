// SPDX-License-Identifier: Apache-2.0
/* What every list of rows needs: its namespace, a cursor, the names of what was left out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "memory/db.h"

memo_status memo_db_find_ns(memo_db *db, const char *ns, int64_t *ns_id, memo_err *err)
{
    const char *name = memo_db_ns_name(ns);
    memo_store_ns found = {0};
    memo_err absent = {0};
    memo_status status = memo_store_find_ns(db->store, name, &found, &absent);

    *ns_id = found.id;
    if (status == MEMO_ERR_NOTFOUND && strcmp(name, MEMO_DB_DEFAULT_NS) == 0) {
        *ns_id = 0; /* a new store: the default namespace comes with what is first written */
        return MEMO_OK;
    }
    if (status && err)
        *err = absent;
    return status;
}

memo_status memo_db_read_cursor(const char *after, int64_t *row, memo_err *err)
{
    int64_t n = 0;

    for (const char *p = after; p && *p; p++) {
        if (*p < '0' || *p > '9' || n > (INT64_MAX - 9) / 10)
            return memo_fail(err, MEMO_ERR_VALUE, "\"%.40s\" is no cursor of an earlier call",
                             after);
        n = n * 10 + (*p - '0');
    }
    if (after && n == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "\"%.40s\" is no cursor of an earlier call", after);
    *row = n;
    return MEMO_OK;
}

memo_status memo_db_put_cursor(memo_arena *arena, int64_t row, const char **next, memo_err *err)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, row);
    *next = memo_arena_strdup(arena, text);
    return *next ? MEMO_OK : memo_fail_nomem(err, "a cursor", sizeof text);
}

memo_status memo_db_name_damage(const memo_store_damage *damage, memo_arena *arena,
                                size_t *n_damaged, const char *const **names, size_t *n_names,
                                memo_err *err)
{
    const char **copy = memo_arena_array(arena, damage->n_ids + 1, sizeof *copy);

    if (!copy)
        return memo_fail_nomem(err, "a list of ids", damage->n_ids * sizeof *copy);
    memcpy(copy, damage->ids, damage->n_ids * sizeof *copy);
    *n_damaged = damage->n;
    *names = copy;
    *n_names = damage->n_ids;
    return MEMO_OK;
}
