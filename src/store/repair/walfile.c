// SPDX-License-Identifier: Apache-2.0
#include "store/repair/walfile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "store/disk/vfs.h"

enum {
    WALFILE_HEADER = 32,
    WALFILE_FRAME = 24,
    WALFILE_STRIDE = WALFILE_FRAME + MEMO_PAGE_BYTES,
    WALFILE_MAGIC = 0x377f0682, /* lowest bit: sums are of big-endian words */
    WALFILE_VERSION = 3007000,
};

typedef struct walfile {
    memo_file file;
    unsigned char header[WALFILE_HEADER];
    unsigned char *frame; /* [WALFILE_STRIDE] */
    uint32_t sum[2];
} walfile;

static uint32_t walfile_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Whether the header begins a log of our pages; sets the running sum. */
static int walfile_begins(walfile *w)
{
    const unsigned char *h = w->header;
    w->sum[0] = w->sum[1] = 0;
    if ((walfile_be32(h) & ~1u) != WALFILE_MAGIC || walfile_be32(h + 4) != WALFILE_VERSION ||
        walfile_be32(h + 8) != MEMO_PAGE_BYTES)
        return 0;
    memo_vfs_wal_sum(h, 24, h[3] & 1, w->sum);
    return w->sum[0] == walfile_be32(h + 24) && w->sum[1] == walfile_be32(h + 28);
}

static int walfile_has_our_salts(const walfile *w)
{
    return memcmp(w->frame + 8, w->header + 16, 8) == 0;
}

/* Read frame i (from 0); *fits: it continues the log. */
static memo_status walfile_step(walfile *w, uint64_t i, int *fits, memo_err *err)
{
    memo_status status = memo_file_read(&w->file, WALFILE_HEADER + i * WALFILE_STRIDE, w->frame,
                                        WALFILE_STRIDE, err);
    *fits = 0;
    if (status || !walfile_has_our_salts(w) || walfile_be32(w->frame) == 0)
        return status;
    memo_vfs_wal_sum(w->frame, 8, w->header[3] & 1, w->sum);
    memo_vfs_wal_sum(w->frame + WALFILE_FRAME, MEMO_PAGE_BYTES, w->header[3] & 1, w->sum);
    *fits = w->sum[0] == walfile_be32(w->frame + 16) && w->sum[1] == walfile_be32(w->frame + 20);
    return MEMO_OK;
}

static memo_status walfile_count(walfile *w, uint64_t n_whole, memo_wal_info *info, memo_err *err)
{
    int fits = walfile_begins(w);
    for (uint64_t i = 0; i < n_whole && fits; i++) {
        memo_status status = walfile_step(w, i, &fits, err);
        if (status)
            return status;
        if (fits && walfile_be32(w->frame + 4) != 0) {
            info->n_frames = i + 1;
            info->n_commits++;
            info->n_pages = walfile_be32(w->frame + 4);
        }
    }
    return MEMO_OK;
}

/* A page beyond the last commit's end has been cut off since: the file must not grow by it. */
static memo_status walfile_give(walfile *w, const memo_wal_info *info, memo_wal_page_fn fn,
                                void *user, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (uint64_t i = 0; i < info->n_frames && !status; i++) {
        status = memo_file_read(&w->file, WALFILE_HEADER + i * WALFILE_STRIDE, w->frame,
                                WALFILE_STRIDE, err);
        if (!status && walfile_be32(w->frame) <= info->n_pages)
            status = fn(user, walfile_be32(w->frame), w->frame + WALFILE_FRAME, err);
    }
    return status;
}

memo_status memo_wal_read(const char *path, memo_wal_info *info, memo_wal_page_fn fn, void *user,
                          memo_err *err)
{
    walfile w = {.frame = NULL};
    memo_status status;
    *info = (memo_wal_info){0};
    if (!memo_path_exists(path))
        return MEMO_OK;
    status = memo_file_open(&w.file, path, err);
    if (status)
        return status;
    info->n_bytes = w.file.n_bytes;
    if (w.file.n_bytes < WALFILE_HEADER)
        goto done;
    w.frame = memo_malloc(WALFILE_STRIDE);
    status = w.frame ? memo_file_read(&w.file, 0, w.header, WALFILE_HEADER, err)
                     : memo_fail_nomem(err, "a page of the log", WALFILE_STRIDE);
    if (!status)
        status = walfile_count(&w, (w.file.n_bytes - WALFILE_HEADER) / WALFILE_STRIDE, info, err);
    if (!status && fn)
        status = walfile_give(&w, info, fn, user, err);
done:
    memo_free(w.frame);
    memo_file_close(&w.file);
    return status;
}
