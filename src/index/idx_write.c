// SPDX-License-Identifier: Apache-2.0
#include "index/idx_write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

enum { WRITE_VERSION = 1 };

/* ---- one space in memory ------------------------------------------------------------------- */

memo_status memo_idx_set_init(memo_idx_set *set, const memo_kernels *kernels, int64_t id,
                              size_t dim, uint64_t n, memo_err *err)
{
    *set = (memo_idx_set){.kernels = kernels, .n_max = (size_t)n};
    if (!memo_idx_plan(dim, n, &set->layout))
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu vectors of %zu dimensions are too many",
                         (size_t)n, dim);
    set->slots = memo_aligned_alloc(set->layout.slots_bytes + MEMO_IDX_ALIGN);
    set->codes = memo_aligned_alloc(set->layout.codes_bytes + MEMO_IDX_ALIGN);
    set->block = memo_aligned_alloc(MEMO_BLOCK * dim * sizeof *set->block);
    set->scratch = memo_aligned_alloc(memo_block_bytes(dim));
    if (!set->slots || !set->codes || !set->block || !set->scratch) {
        memo_status status = memo_fail_nomem(err, "an index of vectors",
                                             set->layout.codes_bytes + set->layout.slots_bytes);
        memo_idx_set_fini(set);
        return status;
    }
    memset(set->slots, 0, set->layout.slots_bytes);
    set->space.id = id;
    set->space.blocks.dim = dim;
    return MEMO_OK;
}

void memo_idx_set_fini(memo_idx_set *set)
{
    memo_aligned_free(set->slots);
    memo_aligned_free(set->codes);
    memo_aligned_free(set->block);
    memo_aligned_free(set->scratch);
    memset(set, 0, sizeof *set);
}

static void *write_array(const memo_idx_set *set, size_t at)
{
    return set->slots + at;
}

/* Encode the block that the last slot is in. */
static void write_block(memo_idx_set *set)
{
    size_t n = set->space.blocks.n, dim = set->space.blocks.dim;
    size_t block = (n - 1) / MEMO_BLOCK, slot = block * MEMO_BLOCK;
    memo_block_out out = {.codes = set->codes + block * memo_block_bytes(dim),
                          .scale = (float *)write_array(set, set->layout.scale) + slot,
                          .error = (float *)write_array(set, set->layout.error) + slot,
                          .w_sum = (int32_t *)write_array(set, set->layout.w_sum) + slot};
    memo_block_encode(set->kernels, dim, set->block, n - slot, set->scratch, &out);
}

memo_status memo_idx_set_add(memo_idx_set *set, const memo_idx_rows *rows, memo_err *err)
{
    size_t dim = set->space.blocks.dim;

    if (rows->n > set->n_max - set->space.blocks.n)
        return memo_fail(err, MEMO_ERR_USAGE, "more vectors than the %zu of the space", set->n_max);
    for (size_t i = 0; i < rows->n; i++) {
        size_t slot = set->space.blocks.n++;
        ((int64_t *)write_array(set, 0))[slot] = rows->chunks[i];
        ((int64_t *)write_array(set, set->layout.record))[slot] = rows->records[i];
        ((int64_t *)write_array(set, set->layout.ns))[slot] = rows->ns[i];
        ((uint64_t *)write_array(set, set->layout.sum))[slot] = rows->sums[i];
        set->space.set_sum += rows->sums[i];
        memcpy(set->block + slot % MEMO_BLOCK * dim, rows->vectors + i * dim,
               dim * sizeof *set->block);
        if (slot % MEMO_BLOCK == MEMO_BLOCK - 1)
            write_block(set);
    }
    return MEMO_OK;
}

memo_status memo_idx_set_finish(memo_idx_set *set, memo_err *err)
{
    memo_idx_space *space = &set->space;

    if (space->blocks.n != set->n_max)
        return memo_fail(err, MEMO_ERR_USAGE, "%zu vectors instead of the %zu of the space",
                         space->blocks.n, set->n_max);
    if (space->blocks.n % MEMO_BLOCK)
        write_block(set);
    space->chunks = write_array(set, 0);
    space->records = write_array(set, set->layout.record);
    space->ns = write_array(set, set->layout.ns);
    space->sums = write_array(set, set->layout.sum);
    space->blocks.scale = write_array(set, set->layout.scale);
    space->blocks.error = write_array(set, set->layout.error);
    space->blocks.w_sum = write_array(set, set->layout.w_sum);
    space->blocks.codes = set->codes;
    space->codes_checked = 1;
    return MEMO_OK;
}

/* ---- the file ------------------------------------------------------------------------------ */

struct memo_idx_writer {
    memo_idx_write_options options;
    int lock; /* descriptor of the old index, under whose lock the new one is made */
    memo_replace out;
    size_t at;        /* space under way */
    memo_idx_set set; /* of it; set.slots NULL: not begun */
    uint64_t end;     /* of what has a place in the file */
    uint64_t slots_at, codes_at, vectors_at;
    unsigned char head[MEMO_IDX_HEADER_BYTES + MEMO_IDX_MAX_SPACES * MEMO_IDX_ENTRY_BYTES];
};

static void write_u64(unsigned char *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

static void write_u32(unsigned char *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Whether the lock is on the file that others find under the name. */
static int write_lock_is_current(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && S_ISREG(ours.st_mode) &&
           ours.st_nlink == 1 && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* The index is its own lock: whoever holds it may put a new one in its place. Where there is none, an
 * empty file is made, which is no index. */
static memo_status write_lock(memo_idx_writer *w, memo_err *err)
{
    const memo_idx_write_options *o = &w->options;
    struct stat like;
    int rc;

    if (stat(o->like, &like) != 0)
        return memo_fail_errno(err, errno, o->like, "stat");
    w->lock = memo_sys_open(o->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                            (int)(like.st_mode & 0777));
    if (w->lock < 0)
        return memo_fail_errno(err, errno, o->path, "make the index");
    do
        rc = memo_sys_get()->flock(w->lock, LOCK_EX | LOCK_NB);
    while (rc != 0 && errno == EINTR);
    if (rc == 0 && write_lock_is_current(w->lock, o->path))
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_BUSY, "%s: another process is making it", o->path);
}

static void write_head(memo_idx_writer *w)
{
    const memo_idx_write_options *o = &w->options;
    memcpy(w->head, memo_idx_magic, 8);
    write_u32(w->head + 8, WRITE_VERSION);
    write_u32(w->head + 12, (uint32_t)o->n_wants);
    memcpy(w->head + 16, o->uuid, MEMO_IDX_UUID_CHARS);
    write_u64(w->head + 48, (uint64_t)o->seq);
    w->end = MEMO_IDX_HEADER_BYTES + o->n_wants * MEMO_IDX_ENTRY_BYTES;
}

memo_status memo_idx_write_begin(const memo_idx_write_options *options, memo_idx_writer **writer,
                                 memo_err *err)
{
    memo_idx_writer *w;
    memo_status status;

    if (options->n_wants > MEMO_IDX_MAX_SPACES)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu spaces; an index holds %d", options->n_wants,
                         MEMO_IDX_MAX_SPACES);
    w = memo_calloc(1, sizeof *w);
    if (!w)
        return memo_fail_nomem(err, "an index", sizeof *w);
    w->options = *options;
    w->lock = w->out.fd = -1;
    status = write_lock(w, err);
    if (!status)
        status = memo_replace_begin_like(&w->out, options->path, options->like, 1, err);
    if (status) {
        memo_idx_write_free(w);
        return status;
    }
    w->out.disposable = 1;
    write_head(w);
    *writer = w;
    return MEMO_OK;
}

static uint64_t write_place(memo_idx_writer *w, size_t n_bytes)
{
    uint64_t at = w->end;
    w->end += n_bytes; /* of a plan: multiples of 64 that fit a size_t */
    return at;
}

static memo_status write_begin_space(memo_idx_writer *w, memo_err *err)
{
    const memo_idx_want *want = &w->options.wants[w->at];
    memo_status status =
        memo_idx_set_init(&w->set, w->options.kernels, want->id, want->dim, want->n, err);
    if (status)
        return status;
    w->slots_at = write_place(w, w->set.layout.slots_bytes);
    w->codes_at = write_place(w, w->set.layout.codes_bytes);
    w->vectors_at = write_place(w, w->set.layout.vectors_bytes);
    return MEMO_OK;
}

static memo_status write_end_space(memo_idx_writer *w, memo_err *err)
{
    unsigned char *entry = w->head + MEMO_IDX_HEADER_BYTES + w->at * MEMO_IDX_ENTRY_BYTES;
    const memo_idx_layout *layout = &w->set.layout;
    const memo_idx_space *space = &w->set.space;
    memo_status status = memo_idx_set_finish(&w->set, err);

    if (!status)
        status =
            memo_replace_write_at(&w->out, w->slots_at, w->set.slots, layout->slots_bytes, err);
    if (!status)
        status =
            memo_replace_write_at(&w->out, w->codes_at, w->set.codes, layout->codes_bytes, err);
    if (status)
        return status;
    write_u64(entry, (uint64_t)space->id);
    write_u32(entry + 8, (uint32_t)space->blocks.dim);
    write_u64(entry + 16, space->blocks.n);
    write_u64(entry + 24, space->set_sum);
    write_u64(entry + 32, w->slots_at);
    write_u64(entry + 40, memo_xxh64(w->set.slots, layout->slots_bytes, 0));
    write_u64(entry + 48, w->codes_at);
    write_u64(entry + 56, memo_xxh64(w->set.codes, layout->codes_bytes, 0));
    write_u64(entry + 64, w->vectors_at);
    memo_idx_set_fini(&w->set);
    w->at++;
    return MEMO_OK;
}

memo_status memo_idx_write_rows(memo_idx_writer *w, const memo_idx_rows *rows, memo_err *err)
{
    size_t row_bytes;
    memo_status status = MEMO_OK;

    if (w->at == w->options.n_wants)
        return memo_fail(err, MEMO_ERR_USAGE, "more vectors than were announced");
    if (!w->set.slots)
        status = write_begin_space(w, err);
    row_bytes = w->set.space.blocks.dim * sizeof(float);
    if (!status)
        status = memo_replace_write_at(&w->out, w->vectors_at + w->set.space.blocks.n * row_bytes,
                                       rows->vectors, rows->n * row_bytes, err);
    if (!status)
        status = memo_idx_set_add(&w->set, rows, err);
    if (!status && w->set.space.blocks.n == w->set.n_max)
        status = write_end_space(w, err);
    return status;
}

memo_status memo_idx_write_commit(memo_idx_writer *w, memo_err *err)
{
    static const unsigned char zeros[MEMO_IDX_ALIGN];
    size_t table_bytes = w->options.n_wants * MEMO_IDX_ENTRY_BYTES;
    memo_status status = MEMO_OK;

    if (w->at != w->options.n_wants)
        return memo_fail(err, MEMO_ERR_USAGE, "fewer vectors than were announced");
    if (w->out.n_bytes < w->end) /* what is behind the last vector */
        status = memo_replace_write_at(&w->out, w->out.n_bytes, zeros,
                                       (size_t)(w->end - w->out.n_bytes), err);
    write_u64(w->head + 56, w->end);
    write_u64(w->head + 64, memo_xxh64(w->head + MEMO_IDX_HEADER_BYTES, table_bytes, 0));
    write_u64(w->head + 120, memo_xxh64(w->head, MEMO_IDX_HEADER_BYTES - 8, 0));
    if (!status)
        status =
            memo_replace_write_at(&w->out, 0, w->head, MEMO_IDX_HEADER_BYTES + table_bytes, err);
    return status ? status : memo_replace_commit(&w->out, err);
}

void memo_idx_write_free(memo_idx_writer *w)
{
    if (!w)
        return;
    memo_idx_set_fini(&w->set);
    memo_replace_fini(&w->out);
    if (w->lock >= 0)
        memo_sys_get()->close(w->lock);
    memo_free(w);
}
