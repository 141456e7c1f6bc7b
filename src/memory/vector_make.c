// SPDX-License-Identifier: Apache-2.0
/* Making the index of a store's vectors, as a file or in memory. */
#include "memory/vector_index.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/db.h"
#include "store/store.h"

char *memo_vector_index_path(const char *store_path)
{
    memo_buf path = {0};
    memo_buf_printf(&path, "%s-idx", store_path);
    return memo_buf_take(&path);
}

memo_status memo_vector_index_remove(const char *store_path, memo_err *err)
{
    char *path = memo_vector_index_path(store_path);
    memo_status status = MEMO_OK;
    if (!path)
        return memo_fail_nomem(err, "a file name", strlen(store_path));
    if (memo_sys_get()->unlink(path) != 0 && errno != ENOENT)
        status = memo_fail_errno(err, errno, path, "remove the index");
    memo_replace_clear(path);
    memo_free(path);
    return status;
}

typedef struct make_job {
    memo_idx_writer *writer;
    memo_idx_set *set; /* or this */
    memo_status status;
    memo_err *err;
} make_job;

static int make_take(void *user, const memo_store_space_block *block)
{
    make_job *job = user;
    const memo_idx_rows rows = {block->n,  block->chunks, block->records,
                                block->ns, block->sums,   block->vectors};
    job->status = job->writer ? memo_idx_write_rows(job->writer, &rows, job->err)
                              : memo_idx_set_add(job->set, &rows, job->err);
    return job->status != MEMO_OK;
}

typedef struct make_wants {
    memo_idx_want wants[MEMO_IDX_MAX_SPACES];
    size_t n, min_rows;
} make_wants;

static int make_want(void *user, int64_t space, int64_t dim, uint64_t n)
{
    make_wants *w = user;
    if (n < w->min_rows || dim <= 0 || w->n == MEMO_IDX_MAX_SPACES)
        return 0;
    w->wants[w->n++] = (memo_idx_want){space, (size_t)dim, n};
    return 0;
}

memo_status memo_vector_make_file(memo_db *db, const memo_vector_index *index, memo_err *err)
{
    make_wants wants = {.min_rows = index->min_rows};
    memo_idx_write_options options = {.like = memo_store_path(db->store),
                                      .uuid = memo_store_uuid(db->store),
                                      .kernels = memo_kernels_for(memo_ctx_cpu(db->ctx)),
                                      .wants = wants.wants};
    make_job job = {.err = err};
    memo_store_set set;
    char *path = memo_vector_index_path(options.like);
    memo_status status = path ? memo_store_each_set(db->store, make_want, &wants, err)
                              : memo_fail_nomem(err, "a file name", strlen(options.like));
    options.path = path;
    options.n_wants = wants.n;
    if (!status && wants.n)
        status = memo_store_get_set(db->store, wants.wants[0].id, &set, err);
    if (!status && wants.n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no space with enough vectors");
    if (!status) {
        options.seq = set.seq;
        status = memo_idx_write_begin(&options, &job.writer, err);
    }
    for (size_t i = 0; i < wants.n && !status; i++) {
        status = memo_store_scan_space(db->store, wants.wants[i].id, 0, make_take, &job, err);
        status = status ? status : job.status;
    }
    if (!status)
        status = memo_idx_write_commit(job.writer, err);
    memo_idx_write_free(job.writer);
    memo_free(path);
    return status;
}

memo_status memo_vector_make_set(memo_db *db, int64_t space, const memo_store_set *want,
                                 memo_idx_set *set, memo_err *err)
{
    make_wants wants = {.min_rows = 1};
    make_job job = {.set = set, .err = err};
    size_t at = 0;
    memo_status status = memo_store_each_set(db->store, make_want, &wants, err);
    if (status)
        return status;
    while (at < wants.n && wants.wants[at].id != space)
        at++;
    if (at == wants.n)
        return memo_fail(err, MEMO_ERR_NOTFOUND, "no vectors of that space");
    status = memo_idx_set_init(set, memo_kernels_for(memo_ctx_cpu(db->ctx)), space,
                               wants.wants[at].dim, want->n, err);
    if (!status)
        status = memo_store_scan_space(db->store, space, 0, make_take, &job, err);
    status = status ? status : job.status;
    if (!status)
        status = memo_idx_set_finish(set, err);
    if (status)
        memo_idx_set_fini(set);
    return status;
}
