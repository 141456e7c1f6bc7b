// SPDX-License-Identifier: Apache-2.0
/* base/pool.h -- the only threads: workers that sleep until there are tasks.
 *
 * memo_pool_run() calls fn(user, task, worker) once for each task 0..n_tasks-1, each claimed from
 * one counter, on at most n_workers threads including the caller (worker 0); it returns when all
 * are done. fn must not call memo_pool_run() on the same pool. Which worker runs a task is not
 * fixed, so a task's result must not depend on `worker` (that is for scratch). Two threads may use
 * one pool: the second runs its tasks alone on its own thread rather than wait. */
#ifndef MEMO_BASE_POOL_H
#define MEMO_BASE_POOL_H

#include <memolith/status.h>

typedef struct memo_pool memo_pool;
typedef void (*memo_task_fn)(void *user, size_t task, unsigned worker);

memo_status memo_pool_new(unsigned n_workers, memo_pool **pool, memo_err *err); /* >= 1 */
void memo_pool_free(memo_pool *pool);
unsigned memo_pool_n_workers(const memo_pool *pool);
void memo_pool_run(memo_pool *pool, unsigned n_workers, size_t n_tasks, memo_task_fn fn,
                   void *user);

/* Processors this process may use: affinity mask and cgroup quota, at least 1. */
unsigned memo_cpu_count(void);

#endif
