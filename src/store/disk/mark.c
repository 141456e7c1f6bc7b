// SPDX-License-Identifier: Apache-2.0
#include "store/disk/mark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "store/store_inner.h"

#define MARK_WORD "acknowledged "

enum {
    MARK_WORD_BYTES = sizeof MARK_WORD - 1,
    MARK_SUMMED_BYTES = MARK_WORD_BYTES + 16 + 1 + MEMO_MARK_UUID_CHARS + 1,
    MARK_BYTES = MARK_SUMMED_BYTES + 16 + 1,
};

static void mark_format(const memo_mark *mark, char text[MARK_BYTES + 1])
{
    int n = snprintf(text, MARK_BYTES + 1, MARK_WORD "%016" PRIx64 " %.32s ",
                     (uint64_t)mark->change, mark->uuid);
    if (n == MARK_SUMMED_BYTES)
        snprintf(text + n, 18, "%016" PRIx64 "\n", memo_xxh64(text, MARK_SUMMED_BYTES, 0));
}

/* What was read must be what would be written. */
static int mark_parse(const char text[MARK_BYTES + 1], memo_mark *mark)
{
    char again[MARK_BYTES + 1];
    if (memcmp(text, MARK_WORD, MARK_WORD_BYTES) != 0)
        return 0;
    uint64_t change = strtoull(text + MARK_WORD_BYTES, NULL, 16);
    if (change > INT64_MAX)
        return 0;
    mark->change = (int64_t)change;
    memcpy(mark->uuid, text + MARK_WORD_BYTES + 17, MEMO_MARK_UUID_CHARS);
    mark->uuid[MEMO_MARK_UUID_CHARS] = '\0';
    mark_format(mark, again);
    return memcmp(text, again, MARK_BYTES) == 0;
}

void memo_mark_read(const char *lock_path, memo_mark *mark)
{
    const memo_sys *sys = memo_sys_get();
    char text[MARK_BYTES + 1] = "";
    int fd = memo_sys_open(lock_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int good = fd >= 0 && sys->pread(fd, text, MARK_BYTES, MEMO_MARK_OFFSET) == MARK_BYTES &&
               mark_parse(text, mark);
    if (fd >= 0)
        sys->close(fd);
    if (!good)
        *mark = (memo_mark){0};
}

void memo_mark_write(const memo_lock *lock, const memo_mark *mark, int sync)
{
    char text[MARK_BYTES + 1];
    mark_format(mark, text);
    if (memo_sys_get()->pwrite(lock->fd, text, MARK_BYTES, MEMO_MARK_OFFSET) == MARK_BYTES && sync)
        (void)memo_sys_fsync(lock->fd);
}

memo_status memo_store_check_mark(memo_store *store, memo_err *err)
{
    memo_mark *mark = &store->mark;
    int64_t change = INT64_MAX; /* a page that cannot be read proves nothing here */
    if (!mark->change || strcmp(mark->uuid, store->uuid) != 0)
        return MEMO_OK;
    (void)memo_sql_int(&store->sql, "SELECT change_seq FROM meta", &change, NULL);
    if (change >= mark->change)
        return MEMO_OK;
    if (!store->had_log) {
        store->mark_ahead = 1;
        return MEMO_OK;
    }
    memo_mark_read(store->lock.path, mark); /* unless somebody just set it back */
    if (change >= mark->change)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT,
              "%s-wal is damaged: change %" PRId64
              " was acknowledged, it gives none after %" PRId64,
              store->path, mark->change, change);
    return memo_hint(
        err, MEMO_ERR_CORRUPT,
        "restore a backup; or memolith doctor --repair   (keeps a copy of the file and "
        "its log) to go on without the lost changes");
}

/* The mark must be back before the log has a first page: a kill would look like a damaged log. */
memo_status memo_store_settle_mark(memo_store *store, memo_err *err)
{
    memo_mark mark;
    int64_t change = 0;
    memo_status status = memo_sql_int(&store->sql, "SELECT change_seq FROM meta", &change, err);
    if (status)
        return status;
    memo_mark_read(store->lock.path, &mark); /* another writer may have set it back */
    if (mark.change > change && strcmp(mark.uuid, store->uuid) == 0) {
        memo_log(store->ctx, MEMO_LOG_WARN, "%s: " MEMO_MARK_AHEAD "; it goes on from there",
                 store->path, mark.change, change);
        mark.change = change;
        memo_mark_write(&store->lock, &mark, 1);
    }
    store->mark_ahead = 0;
    return MEMO_OK;
}
