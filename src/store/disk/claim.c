// SPDX-License-Identifier: Apache-2.0
#include "store/disk/claim.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/error.h"
#include "store/disk/vfs.h"

memo_status memo_claim_take(memo_claim *claim, const char *path, int64_t busy_ms, memo_err *err)
{
    const struct timespec nap = {0, 5000000};
    double until = memo_monotonic_ms() + (double)busy_ms;
    memo_status status = memo_sql_open(&claim->sql, path, MEMO_SQL_WRITE, 0, 0, err);
    int rc;
    if (status)
        return status;
    while ((rc = memo_vfs_lock_exclusive(claim->sql.db)) == SQLITE_BUSY &&
           memo_monotonic_ms() < until)
        (void)nanosleep(&nap, NULL);
    if (rc == SQLITE_OK)
        return MEMO_OK;
    if (rc == SQLITE_BUSY) {
        memo_fail(err, MEMO_ERR_BUSY, "%s is open in another program (or by another handle)", path);
        status = memo_hint(err, MEMO_ERR_BUSY, "close what has it open, then try again");
    } else {
        status = memo_sql_fail(&claim->sql, rc, "lock it for itself", err);
    }
    memo_claim_drop(claim);
    return status;
}

void memo_claim_drop(memo_claim *claim)
{
    memo_sql_close(&claim->sql, 1);
}

/* The name of a side file in `name`; its size, or -1 when it is not there. */
static int64_t claim_side(const char *path, const char *suffix, memo_buf *name)
{
    struct stat st;
    memo_buf_clear(name);
    memo_buf_printf(name, "%s%s", path, suffix);
    return name->failed || lstat(name->data, &st) != 0 ? -1 : (int64_t)st.st_size;
}

/* Take away what lies beside a store's name. */
static memo_status claim_clear_sides(const char *path, memo_err *err)
{
    static const char *const sides[] = {"-wal", "-journal", "-shm"};
    memo_buf name = {0};
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && i < sizeof sides / sizeof *sides; i++) {
        int64_t n_bytes = claim_side(path, sides[i], &name);
        if (n_bytes > 0 && strcmp(sides[i], "-shm") != 0) {
            memo_fail(err, MEMO_ERR_USAGE,
                      "%s holds changes of the file it belongs to; they would be taken for those "
                      "of the new one",
                      name.data);
            status = memo_hint(err, MEMO_ERR_USAGE,
                               "open that store once for writing and close it, or choose another "
                               "name");
        } else if (n_bytes >= 0 && memo_sys_get()->unlink(name.data) != 0 && errno != ENOENT) {
            status = memo_fail_errno(err, errno, name.data, "remove");
        }
        if (name.failed)
            status = memo_fail_nomem(err, "a file name", strlen(path));
    }
    memo_buf_fini(&name);
    return status;
}

memo_status memo_claim_replace(const memo_claim *claim, memo_replace *out, memo_err *err)
{
    char *folder = memo_path_folder(out->path);
    memo_status status = folder ? claim_clear_sides(claim ? claim->sql.path : out->path, err)
                                : memo_fail_nomem(err, "a file name", strlen(out->path));
    if (!status)
        status = memo_sync_folder(folder, err);
    memo_free(folder);
    return status ? status : memo_replace_commit(out, err);
}
