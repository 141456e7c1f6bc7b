// SPDX-License-Identifier: Apache-2.0
/* Rows of `calibrations`: what a cosine of a space says about a match. */
#include <math.h>

#include "base/error.h"
#include "store/rows/cells.h"

enum { CALIBRATION_COLUMNS = 8 };

typedef struct calibration_args {
    int64_t space;
    memo_store_calibration *out;
    int *found;
} calibration_args;

static memo_status calibration_read(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    calibration_args *a = user;
    memo_cell c[CALIBRATION_COLUMNS];
    int row = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT space, slope, offset, error, n_pairs, made_ms, checksum,"
                                  " origin FROM calibrations WHERE space = ?",
                                  "read a calibration");
    (void)store;
    *a->found = 0;
    memo_stmt_int(&st, a->space);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        memo_cells_take(&st, c, CALIBRATION_COLUMNS);
        if (memo_table_good(&memo_table_calibrations, c) && isfinite(c[1].real) &&
            isfinite(c[2].real)) {
            *a->out = (memo_store_calibration){c[1].real, c[2].real, c[3].real,
                                               (uint64_t)c[4].integer, c[5].integer};
            *a->found = 1;
        } else {
            status = memo_fail(err, MEMO_ERR_CORRUPT,
                               "the calibration of a space: its checksum does not match");
            memo_hint(err, status, "memolith calibrate   makes it again");
        }
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_get_calibration(memo_store *store, int64_t space,
                                       memo_store_calibration *out, int *found, memo_err *err)
{
    calibration_args args = {space, out, found};
    return memo_store_read(store, calibration_read, &args, NULL, err);
}

memo_status memo_store_put_calibration(memo_store *store, int64_t space,
                                       const memo_store_calibration *in, const char *origin,
                                       memo_err *err)
{
    memo_cell cells[CALIBRATION_COLUMNS] = {memo_cell_int(space),
                                            memo_cell_real(in->slope),
                                            memo_cell_real(in->offset),
                                            memo_cell_real(in->error),
                                            memo_cell_int((int64_t)in->n_pairs),
                                            memo_cell_int(in->made_ms),
                                            memo_cell_int(0),
                                            memo_cell_str(origin)};
    memo_status status = memo_store_check_write(store, err);
    return status ? status : memo_table_put(&store->sql, &memo_table_calibrations, cells, err);
}
