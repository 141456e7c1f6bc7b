// SPDX-License-Identifier: Apache-2.0
/* The checksum of a page of the store file is computed when the page is written to that file: at a
 * checkpoint, when a new store is made (still with a rollback journal), and in a backup copy. It is
 * not computed on the way into the write-ahead log: SQLite has already hashed the frame there and
 * a changed byte would break its chain. So the reserved bytes of a page in the log are stale, and
 * the frame's own checksum is what is verified:
 *
 *   log header  32 bytes: magic, version, page size, sequence, salt-1, salt-2, sum-1, sum-2
 *   frame       24 bytes: page number, size after commit, salt-1, salt-2, sum-1, sum-2; then a page
 *
 * sum(frame) continues sum(frame before), or of the log header, over the first 8 bytes of the frame
 * header and the page. All fields are big-endian; the lowest bit of the magic says in which byte
 * order the 32-bit words are summed. Without this check a checkpoint would copy a damaged frame
 * into the file and give it a good checksum.
 *
 * Frames of an unfinished transaction may be overwritten in place and are summed at its commit
 * only. SQLite does that when its page cache spills, which sql.c turns off, so every frame that is
 * read has its final sum.
 *
 * A commit appends its frames to the log in two writes each, then syncs: here they are gathered and
 * written as one run (an add of one record: 43 writes become 2). Nobody looks for frames before the
 * commit that synced them has been published, and this connection's own reads, truncations, sizes
 * and syncs of the log write the run first.
 *
 * Memory mapping is not offered (it would read around the check), nor atomic batch writes and reads
 * of part of a page. */
#include "store/disk/vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

enum {
    WAL_HEADER_BYTES = 32,
    WAL_FRAME_BYTES = 24,
    WAL_STRIDE = WAL_FRAME_BYTES + MEMO_PAGE_BYTES,
    SMALLEST_PAGE = 512, /* SQLite reads less than this only from the file header */
    PAGE_1_TRIES = 40,
    RUN_BYTES = 15 * WAL_STRIDE, /* in one write: SQLite passes on 0x1ffff bytes at most */
    FCNTL_TAKE_FAULTS = 0x4d454d31,
    FCNTL_SET_LENIENT = 0x4d454d32,
    FCNTL_SET_UNSYNCED = 0x4d454d33,
};

/* Not in the headers of SQLite before 3.48; a newer library may ask. */
#define VFS_IOCAP_SUBPAGE_READ 0x00008000

typedef enum vfs_kind { VFS_MAIN, VFS_WAL, VFS_OTHER } vfs_kind;

typedef struct vfs_file {
    sqlite3_file base;
    vfs_kind kind;
    int lenient;           /* main file only */
    int unsynced;          /* main file only: commits do not sync */
    const char *path;      /* SQLite's, lives as long as the file; may be NULL */
    struct vfs_file *main; /* the store file: itself, or the one this log belongs to, or NULL */
    unsigned char *page;   /* [MEMO_PAGE_BYTES], main file only */
    unsigned char *run;    /* [RUN_BYTES], log only */
    int run_bytes;         /* gathered, not written yet */
    int64_t run_at;        /* where they belong */
    memo_vfs_faults faults;
} vfs_file;

static memo_vfs_hook_fn vfs_hook;
static void *vfs_hook_user;
static memo_vfs_after_fn vfs_after_hook;
static void *vfs_after_user;

static vfs_file *vfs_of(sqlite3_file *file)
{
    return (vfs_file *)(void *)file;
}

static sqlite3_file *vfs_under(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)(vfs_of(file) + 1);
}

void memo_vfs_set_hook(memo_vfs_hook_fn fn, void *user)
{
    vfs_hook = fn;
    vfs_hook_user = user;
}

void memo_vfs_set_after_hook(memo_vfs_after_fn fn, void *user)
{
    vfs_after_hook = fn;
    vfs_after_user = user;
}

static int vfs_before(memo_vfs_op op, const char *path, int64_t offset, int amount, int *n_bytes)
{
    *n_bytes = 0;
    return vfs_hook ? vfs_hook(vfs_hook_user, op, path, offset, amount, n_bytes) : SQLITE_OK;
}

/* What the caller is told of an operation that the hook did not let happen. */
static int vfs_told(int rc)
{
    return rc == MEMO_VFS_SWALLOW ? SQLITE_OK : rc;
}

static int vfs_after(memo_vfs_op op, const char *path, int64_t offset, const void *bytes,
                     int amount, int rc)
{
    if (vfs_after_hook)
        vfs_after_hook(vfs_after_user, op, path, offset, bytes, amount, rc);
    return rc;
}

/* An operation without bytes. */
static int vfs_simple_before(memo_vfs_op op, sqlite3_file *file, int64_t offset, int amount)
{
    int n_bytes;
    return vfs_before(op, vfs_of(file)->path, offset, amount, &n_bytes);
}

static int vfs_simple_after(memo_vfs_op op, sqlite3_file *file, int64_t offset, int amount, int rc)
{
    return vfs_after(op, vfs_of(file)->path, offset, NULL, amount, rc);
}

/* ---- checksums ----------------------------------------------------------------------------- */

uint64_t memo_vfs_page_sum(const void *page, uint32_t number)
{
    return memo_xxh64(page, MEMO_PAGE_BYTES - MEMO_PAGE_SUM, number);
}

static void vfs_put_le64(unsigned char *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t vfs_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t vfs_le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

int memo_vfs_page_good(const void *page, uint32_t number)
{
    unsigned char sum[MEMO_PAGE_SUM];
    vfs_put_le64(sum, memo_vfs_page_sum(page, number));
    return memcmp(sum, (const unsigned char *)page + MEMO_PAGE_BYTES - MEMO_PAGE_SUM, sizeof sum) ==
           0;
}

void memo_vfs_wal_sum(const unsigned char *p, size_t n, int big_endian, uint32_t sum[2])
{
    uint32_t s1 = sum[0], s2 = sum[1];
    for (size_t i = 0; i < n; i += 8) {
        s1 += (big_endian ? vfs_be32(p + i) : vfs_le32(p + i)) + s2;
        s2 += (big_endian ? vfs_be32(p + i + 4) : vfs_le32(p + i + 4)) + s1;
    }
    sum[0] = s1;
    sum[1] = s2;
}

static void vfs_note_page(vfs_file *main, uint32_t number)
{
    memo_vfs_faults *faults = &main->faults;
    size_t n = faults->n_pages < MEMO_VFS_N_PAGES ? (size_t)faults->n_pages : MEMO_VFS_N_PAGES;
    for (size_t i = 0; i < n; i++)
        if (faults->pages[i] == number)
            return;
    if (n < MEMO_VFS_N_PAGES)
        faults->pages[n] = number;
    faults->n_pages++;
}

/* ---- reading and writing ------------------------------------------------------------------- */

/* SQLite would speak of a device that gives EIO as of a damaged store; nothing is known of what is
 * on it. */
static int vfs_read_under(sqlite3_file *under, void *out, int amount, int64_t offset)
{
    int rc = under->pMethods->xRead(under, out, amount, offset);
    return rc == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : rc;
}

/* Read a whole page and check it. Before a new connection knows that there is a log it reads page 1
 * without a lock that keeps a checkpoint from writing it, and may see half of each version. SQLite
 * then reads it again in safety; here such a read is repeated until it fits. */
static int vfs_read_whole(sqlite3_file *under, unsigned char *page, uint32_t number, int *good)
{
    struct timespec nap = {0, 1000000};
    int64_t offset = (int64_t)(number - 1) * MEMO_PAGE_BYTES;
    for (int tries = number == 1 ? PAGE_1_TRIES : 1;; tries--) {
        int rc = vfs_read_under(under, page, MEMO_PAGE_BYTES, offset);
        *good = rc == SQLITE_OK && memo_vfs_page_good(page, number);
        if (*good || tries == 1 || (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ))
            return rc;
        (void)nanosleep(&nap, NULL);
    }
}

/* A read of a page of the store file, or of its first `amount` bytes. */
static int vfs_read_page(vfs_file *f, sqlite3_file *under, void *out, int amount, int64_t offset)
{
    int64_t start = offset - offset % MEMO_PAGE_BYTES;
    uint32_t number = (uint32_t)(start / MEMO_PAGE_BYTES) + 1;
    int whole = amount == MEMO_PAGE_BYTES && offset == start;
    unsigned char *page = whole ? out : f->page;
    int rc, good;
    if (offset - start + amount > MEMO_PAGE_BYTES) {
        vfs_note_page(f, number); /* another page size: not our file any more */
        return SQLITE_IOERR_DATA;
    }
    rc = vfs_read_whole(under, page, number, &good);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        return rc;
    if (!good) { /* short too: SQLite never reads past the end of a whole file */
        vfs_note_page(f, number);
        if (!f->lenient)
            return SQLITE_IOERR_DATA;
    }
    if (!whole)
        memcpy(out, page + (offset - start), (size_t)amount);
    return rc;
}

/* A page of the log, just read to `page` from `offset`: does it fit its frame? */
static int vfs_check_frame(vfs_file *f, sqlite3_file *under, const unsigned char *page,
                           int64_t offset)
{
    unsigned char magic[4], frame[WAL_FRAME_BYTES], before[8];
    int64_t at = offset - WAL_FRAME_BYTES;
    int64_t before_at = at == WAL_HEADER_BYTES ? WAL_HEADER_BYTES - 8 : at - WAL_STRIDE + 16;
    uint32_t sum[2];
    int rc = vfs_read_under(under, magic, sizeof magic, 0);
    if (rc == SQLITE_OK)
        rc = vfs_read_under(under, frame, sizeof frame, at);
    if (rc == SQLITE_OK)
        rc = vfs_read_under(under, before, sizeof before, before_at);
    if (rc != SQLITE_OK)
        return rc;
    sum[0] = vfs_be32(before);
    sum[1] = vfs_be32(before + 4);
    memo_vfs_wal_sum(frame, 8, magic[3] & 1, sum);
    memo_vfs_wal_sum(page, MEMO_PAGE_BYTES, magic[3] & 1, sum);
    if (sum[0] == vfs_be32(frame + 16) && sum[1] == vfs_be32(frame + 20))
        return SQLITE_OK;
    if (!f->main)
        return SQLITE_IOERR_DATA;
    vfs_note_page(f->main, vfs_be32(frame));
    return f->main->lenient ? SQLITE_OK : SQLITE_IOERR_DATA;
}

/* Write what was gathered. After a failure it is gone: so is the commit that it was part of. */
static int vfs_flush(sqlite3_file *file)
{
    vfs_file *f = vfs_of(file);
    int rc, n_bytes = f->run_bytes;
    if (n_bytes == 0)
        return SQLITE_OK;
    f->run_bytes = 0;
    rc = vfs_under(file)->pMethods->xWrite(vfs_under(file), f->run, n_bytes, f->run_at);
    if (rc == SQLITE_IOERR_WRITE && f->main)
        f->main->faults.write_errno = errno;
    return rc;
}

/* Write, or gather: log only. A gathered run is written by the sync of its commit, before others are
 * told of the commit's pages. Where no sync comes they would look for them in vain. */
static int vfs_write_under(sqlite3_file *file, const void *bytes, int amount, int64_t offset)
{
    vfs_file *f = vfs_of(file);
    int rc;
    if (f->run_bytes && (offset != f->run_at + f->run_bytes || amount > RUN_BYTES - f->run_bytes) &&
        (rc = vfs_flush(file)) != SQLITE_OK)
        return rc;
    if (f->run && amount <= RUN_BYTES && !(f->main && f->main->unsynced)) {
        if (f->run_bytes == 0)
            f->run_at = offset;
        memcpy(f->run + f->run_bytes, bytes, (size_t)amount);
        f->run_bytes += amount;
        return SQLITE_OK;
    }
    rc = vfs_under(file)->pMethods->xWrite(vfs_under(file), bytes, amount, offset);
    if (rc == SQLITE_IOERR_WRITE && f->main)
        f->main->faults.write_errno = errno;
    return rc;
}

static int vfs_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    vfs_file *f = vfs_of(file);
    sqlite3_file *under = vfs_under(file);
    int n_bytes, rc = vfs_flush(file);
    if (rc != SQLITE_OK)
        return rc;
    rc = vfs_before(MEMO_VFS_READ, f->path, offset, amount, &n_bytes);
    if (rc != SQLITE_OK) {
        memset(out, 0, (size_t)amount);
        if (n_bytes > 0)
            (void)under->pMethods->xRead(under, out, n_bytes, offset);
        return vfs_told(rc);
    }
    if (f->kind == VFS_MAIN && amount >= SMALLEST_PAGE)
        return vfs_after(MEMO_VFS_READ, f->path, offset, NULL, amount,
                         vfs_read_page(f, under, out, amount, offset));
    rc = vfs_read_under(under, out, amount, offset);
    if (rc == SQLITE_OK && f->kind == VFS_WAL && amount == MEMO_PAGE_BYTES &&
        offset >= WAL_HEADER_BYTES && (offset - WAL_HEADER_BYTES) % WAL_STRIDE == WAL_FRAME_BYTES)
        rc = vfs_check_frame(f, under, out, offset);
    return vfs_after(MEMO_VFS_READ, f->path, offset, NULL, amount, rc);
}

static int vfs_write(sqlite3_file *file, const void *in, int amount, sqlite3_int64 offset)
{
    vfs_file *f = vfs_of(file);
    sqlite3_file *under = vfs_under(file);
    const void *bytes = in;
    int n_bytes, rc = vfs_before(MEMO_VFS_WRITE, f->path, offset, amount, &n_bytes);
    if (f->kind == VFS_MAIN && amount == MEMO_PAGE_BYTES && offset % MEMO_PAGE_BYTES == 0) {
        uint32_t number = (uint32_t)(offset / MEMO_PAGE_BYTES) + 1;
        memcpy(f->page, in, MEMO_PAGE_BYTES);
        vfs_put_le64(f->page + MEMO_PAGE_BYTES - MEMO_PAGE_SUM, memo_vfs_page_sum(f->page, number));
        bytes = f->page;
    }
    if (rc != SQLITE_OK) {
        if (n_bytes > 0) {
            (void)vfs_flush(file);
            (void)under->pMethods->xWrite(under, bytes, n_bytes, offset);
            (void)vfs_after(MEMO_VFS_WRITE, f->path, offset, bytes, n_bytes, rc);
        }
        return vfs_told(rc);
    }
    rc = vfs_write_under(file, bytes, amount, offset);
    return vfs_after(MEMO_VFS_WRITE, f->path, offset, bytes, amount, rc);
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = vfs_flush(file);
    if (rc != SQLITE_OK)
        return rc;
    rc = vfs_simple_before(MEMO_VFS_TRUNCATE, file, size, 0);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xTruncate(vfs_under(file), size);
    return vfs_simple_after(MEMO_VFS_TRUNCATE, file, size, 0, rc);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    vfs_file *f = vfs_of(file);
    int rc = vfs_flush(file);
    if (rc != SQLITE_OK) /* a write failed, as it might have at once: no sync has */
        return rc;
    rc = vfs_simple_before(MEMO_VFS_SYNC, file, 0, 0);
    if (rc == SQLITE_OK)
        rc = vfs_simple_after(MEMO_VFS_SYNC, file, 0, 0,
                              vfs_under(file)->pMethods->xSync(vfs_under(file), flags));
    rc = vfs_told(rc);
    if (rc != SQLITE_OK && f->main)
        f->main->faults.sync_failed = 1;
    return rc;
}

/* ---- the other methods of a file ----------------------------------------------------------- */

static int vfs_close(sqlite3_file *file)
{
    memo_free(vfs_of(file)->run); /* what no sync has written is of no commit */
    memo_free(vfs_of(file)->page);
    return vfs_under(file)->pMethods->xClose(vfs_under(file));
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *size)
{
    int rc = vfs_flush(file);
    return rc == SQLITE_OK ? vfs_under(file)->pMethods->xFileSize(vfs_under(file), size) : rc;
}

static int vfs_lock(sqlite3_file *file, int level)
{
    int rc = vfs_simple_before(MEMO_VFS_LOCK, file, 0, level);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xLock(vfs_under(file), level);
    return vfs_simple_after(MEMO_VFS_LOCK, file, 0, level, rc);
}

static int vfs_unlock(sqlite3_file *file, int level)
{
    int rc = vfs_simple_before(MEMO_VFS_UNLOCK, file, 0, level);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xUnlock(vfs_under(file), level);
    return vfs_simple_after(MEMO_VFS_UNLOCK, file, 0, level, rc);
}

static int vfs_check_reserved(sqlite3_file *file, int *out)
{
    return vfs_under(file)->pMethods->xCheckReservedLock(vfs_under(file), out);
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    vfs_file *f = vfs_of(file);
    if (op == FCNTL_TAKE_FAULTS) {
        memcpy(arg, &f->faults, sizeof f->faults);
        memset(&f->faults, 0, sizeof f->faults);
        return SQLITE_OK;
    }
    if (op == FCNTL_SET_UNSYNCED) {
        f->unsynced = *(const int *)arg;
        return SQLITE_OK;
    }
    if (op == FCNTL_SET_LENIENT) {
        f->lenient = 1;
        return SQLITE_OK;
    }
    return vfs_under(file)->pMethods->xFileControl(vfs_under(file), op, arg);
}

static int vfs_sector(sqlite3_file *file)
{
    return vfs_under(file)->pMethods->xSectorSize(vfs_under(file));
}

static int vfs_device(sqlite3_file *file)
{
    int device = vfs_under(file)->pMethods->xDeviceCharacteristics(vfs_under(file));
    return device & ~(SQLITE_IOCAP_BATCH_ATOMIC | VFS_IOCAP_SUBPAGE_READ);
}

static int vfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    int rc = vfs_simple_before(MEMO_VFS_SHM_MAP, file, region, size);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xShmMap(vfs_under(file), region, size, extend, out);
    if (rc == SQLITE_IOERR_SHMSIZE && vfs_of(file)->main)
        vfs_of(file)->main->faults.write_errno = errno;
    return vfs_simple_after(MEMO_VFS_SHM_MAP, file, region, size, rc);
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    int amount = flags & SQLITE_SHM_UNLOCK ? -n : n;
    int rc = vfs_simple_before(MEMO_VFS_SHM_LOCK, file, offset, amount);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xShmLock(vfs_under(file), offset, n, flags);
    return vfs_simple_after(MEMO_VFS_SHM_LOCK, file, offset, amount, rc);
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    vfs_under(file)->pMethods->xShmBarrier(vfs_under(file));
}

static int vfs_shm_unmap(sqlite3_file *file, int delete_it)
{
    int rc = vfs_simple_before(MEMO_VFS_SHM_UNMAP, file, 0, delete_it);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_under(file)->pMethods->xShmUnmap(vfs_under(file), delete_it);
    return vfs_simple_after(MEMO_VFS_SHM_UNMAP, file, 0, delete_it, rc);
}

static const sqlite3_io_methods vfs_methods = {
    .iVersion = 2, /* without xFetch: no memory mapping */
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_device,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

/* ---- the file system ----------------------------------------------------------------------- */

static sqlite3_vfs *vfs_default(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    vfs_file *f = vfs_of(file);
    int n_bytes, rc = vfs_before(MEMO_VFS_OPEN, path, 0, 0, &n_bytes);
    memset(f, 0, sizeof *f);
    if (rc != SQLITE_OK)
        return rc;
    f->path = path;
    f->kind = flags & SQLITE_OPEN_MAIN_DB ? VFS_MAIN
              : flags & SQLITE_OPEN_WAL   ? VFS_WAL
                                          : VFS_OTHER;
    if (f->kind == VFS_MAIN && !(f->page = memo_malloc(MEMO_PAGE_BYTES)))
        return SQLITE_NOMEM;
    if (f->kind == VFS_WAL && !(f->run = memo_malloc(RUN_BYTES)))
        return SQLITE_NOMEM;
    if (f->kind == VFS_MAIN) {
        f->main = f;
    } else if (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) {
        f->main = vfs_of(sqlite3_database_file_object(path));
    }
    rc = vfs_default(vfs)->xOpen(vfs_default(vfs), path, vfs_under(file), flags, out);
    (void)vfs_after(MEMO_VFS_OPEN, path, 0, NULL, 0, rc);
    if (rc != SQLITE_OK) {
        memo_free(f->run);
        memo_free(f->page);
        f->run = f->page = NULL;
        return rc;
    }
    f->base.pMethods = &vfs_methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    int n_bytes, rc = vfs_before(MEMO_VFS_DELETE, path, 0, 0, &n_bytes);
    if (rc != SQLITE_OK)
        return vfs_told(rc);
    rc = vfs_default(vfs)->xDelete(vfs_default(vfs), path, sync_folder);
    return vfs_after(MEMO_VFS_DELETE, path, 0, NULL, 0, rc);
}

static sqlite3_vfs vfs_registered;

/* All that is not overridden (access, time, randomness ...) is the default's own function: none of
 * those looks at pAppData of the structure it is called with. */
static int vfs_register_now(void)
{
    sqlite3_vfs *under;
    int rc = sqlite3_initialize();
    if (rc != SQLITE_OK)
        return rc;
    if (!(under = sqlite3_vfs_find(NULL)))
        return SQLITE_ERROR;
    vfs_registered = *under;
    vfs_registered.szOsFile = (int)sizeof(vfs_file) + under->szOsFile;
    vfs_registered.pNext = NULL;
    vfs_registered.zName = MEMO_VFS_NAME;
    vfs_registered.pAppData = under;
    vfs_registered.xOpen = vfs_open;
    vfs_registered.xDelete = vfs_delete;
    return sqlite3_vfs_register(&vfs_registered, 0);
}

/* What failed for want of memory is tried again at the next open. */
memo_status memo_vfs_register(memo_err *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static int registered;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&mutex);
    if (!registered)
        rc = vfs_register_now();
    registered |= rc == SQLITE_OK;
    pthread_mutex_unlock(&mutex);
    if (rc == SQLITE_OK)
        return MEMO_OK;
    if (rc == SQLITE_NOMEM)
        return memo_fail_nomem(err, "SQLite", 0);
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "SQLite %s offers no file system to build on (code %d)", sqlite3_libversion(),
                     rc);
}

void memo_vfs_take_faults(sqlite3 *db, memo_vfs_faults *faults)
{
    memset(faults, 0, sizeof *faults);
    (void)sqlite3_file_control(db, "main", FCNTL_TAKE_FAULTS, faults);
}

void memo_vfs_set_unsynced(sqlite3 *db, int unsynced)
{
    (void)sqlite3_file_control(db, "main", FCNTL_SET_UNSYNCED, &unsynced);
}

void memo_vfs_set_lenient(sqlite3 *db)
{
    (void)sqlite3_file_control(db, "main", FCNTL_SET_LENIENT, NULL);
}

static sqlite3_file *vfs_find_file(sqlite3 *db, int which)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || !file || !file->pMethods)
        return NULL;
    return file;
}

memo_status memo_vfs_raw_read(sqlite3 *db, int64_t offset, void *out, int n_bytes, int *n_read,
                              memo_err *err)
{
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_FILE_POINTER);
    int rc = SQLITE_MISUSE;
    if (file)
        rc = vfs_under(file)->pMethods->xRead(vfs_under(file), out, n_bytes, offset);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        return memo_fail(err, MEMO_ERR_IO, "cannot read the store file: %s", sqlite3_errstr(rc));
    *n_read = rc == SQLITE_OK ? n_bytes : 0;
    return MEMO_OK;
}

memo_status memo_vfs_raw_write(sqlite3 *db, uint32_t number, const void *page, memo_err *err)
{
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_FILE_POINTER);
    int rc = file ? vfs_write(file, page, MEMO_PAGE_BYTES, (int64_t)(number - 1) * MEMO_PAGE_BYTES)
                  : SQLITE_MISUSE;
    if (rc == SQLITE_OK)
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_IO, "cannot write a page: %s",
                     rc == SQLITE_FULL ? "the disk is full" : sqlite3_errstr(rc));
}

memo_status memo_vfs_raw_sync(sqlite3 *db, memo_err *err)
{
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_FILE_POINTER);
    int rc = file ? vfs_sync(file, SQLITE_SYNC_NORMAL) : SQLITE_MISUSE;
    return rc == SQLITE_OK
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_IO, "cannot sync the file: %s", sqlite3_errstr(rc));
}

static int64_t vfs_bytes_of(sqlite3_file *file)
{
    sqlite3_int64 size;
    if (!file || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
        return -1;
    return size;
}

int64_t memo_vfs_file_bytes(sqlite3 *db)
{
    return vfs_bytes_of(vfs_find_file(db, SQLITE_FCNTL_FILE_POINTER));
}

void memo_vfs_drop_gathered(sqlite3 *db)
{
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_JOURNAL_POINTER);
    if (file && vfs_of(file)->kind == VFS_WAL)
        vfs_of(file)->run_bytes = 0;
}

int64_t memo_vfs_wal_bytes(sqlite3 *db)
{
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_JOURNAL_POINTER);
    return file && vfs_of(file)->kind == VFS_WAL ? vfs_bytes_of(file) : 0;
}

int memo_vfs_has_moved(sqlite3 *db)
{
    int moved = 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK)
        return 0;
    return moved;
}

int memo_vfs_lock_exclusive(sqlite3 *db)
{
    static const int levels[] = {SQLITE_LOCK_SHARED, SQLITE_LOCK_RESERVED, SQLITE_LOCK_EXCLUSIVE};
    sqlite3_file *file = vfs_find_file(db, SQLITE_FCNTL_FILE_POINTER);
    int rc = file ? SQLITE_OK : SQLITE_MISUSE;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof levels / sizeof *levels; i++)
        rc = vfs_lock(file, levels[i]);
    if (rc != SQLITE_OK && file)
        (void)vfs_unlock(file, SQLITE_LOCK_NONE);
    return rc;
}
