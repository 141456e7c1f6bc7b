// SPDX-License-Identifier: Apache-2.0
#include "store/rows/stored_settings.h"

#include "base/error.h"
#include "store/rows/cells.h"
#include "store/store_inner.h"

typedef struct setting_args {
    const char *name;
    memo_arena *arena;
    const char *value;
} setting_args;

static memo_status setting_read(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    setting_args *a = user;
    memo_cell cells[3];
    int found = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT name, value, checksum FROM settings WHERE name = ?",
                                  "read a setting");
    a->value = NULL;
    memo_stmt_str(&st, a->name);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_cells_take(&st, cells, 3);
        if (!memo_table_good(&memo_table_settings, cells) || !memo_cell_is(&cells[0], a->name)) {
            status = memo_fail(err, MEMO_ERR_CORRUPT, "setting %s: its checksum does not match",
                               a->name);
            memo_hint(err, status, "%s", MEMO_SQL_FIX);
        } else if (!(a->value = memo_cell_strdup(a->arena, &cells[1]))) {
            status = memo_fail_nomem(err, "a setting", cells[1].bytes.n_bytes);
        }
    } else if (!status && sql == &store->salvage) { /* nothing proves that there is none */
        status = memo_fail(err, MEMO_ERR_CORRUPT, "setting %s: its page is damaged", a->name);
        memo_hint(err, status, "%s", MEMO_SQL_FIX);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_get_setting(memo_store *store, const char *name, memo_arena *arena,
                                   const char **value, memo_err *err)
{
    setting_args args = {.name = name, .arena = arena};
    memo_status status = memo_store_read(store, setting_read, &args, NULL, err);
    if (!status)
        *value = args.value;
    return status;
}

memo_status memo_store_put_setting(memo_store *store, const char *name, const char *value,
                                   memo_err *err)
{
    memo_cell cells[3] = {memo_cell_str(name), memo_cell_str(value), memo_cell_int(0)};
    memo_status status = memo_store_check_write(store, err);
    return status ? status : memo_table_put(&store->sql, &memo_table_settings, cells, err);
}
