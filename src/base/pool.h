// SPDX-License-Identifier: Apache-2.0
/* base/pool.h -- the only threads: workers that wait for tasks, asleep but for a moment.
 *
 * memo_pool_run() calls fn(user, task, worker) once for each task 0..n_tasks-1, each claimed from
 * one counter, on at most n_workers threads including the caller (worker 0); it returns when all
 * are done. Which worker runs a task is not fixed, so a task's result must not depend on `worker`
 * (below n_workers, one thread each: that is for scratch), and no task may wait for another. Two
 * threads may use one pool: the second runs its tasks alone on its own thread, as worker 0, rather
 * than wait; so does a run inside a task. Workers block all signals but
 * those of faults, and compute in the default floating-point mode.
 *
 * Cost of a run beside its tasks: about 2 microseconds when the run before was less than 50
 * microseconds ago, else a wake-up, 5 to 50. While a neighbour keeps the workers from their
 * processors the caller runs the tasks alone, so that threads that cannot help do no harm; put many
 * tasks of like cost into a run, the largest first, and none has to wait long for the last. */
#ifndef MEMO_BASE_POOL_H
#define MEMO_BASE_POOL_H

#include <memolith/status.h>

typedef struct memo_pool memo_pool;
typedef void (*memo_task_fn)(void *user, size_t task, unsigned worker);

/* n_workers >= 1 counts the caller: a pool of 1 has no threads. MEMO_ERR_LIMIT when the system gives
 * no more threads. */
memo_status memo_pool_new(unsigned n_workers, memo_pool **pool, memo_err *err);
void memo_pool_free(memo_pool *pool); /* no run may be under way */
unsigned memo_pool_n_workers(const memo_pool *pool);
void memo_pool_run(memo_pool *pool, unsigned n_workers, size_t n_tasks, memo_task_fn fn,
                   void *user);

#endif
