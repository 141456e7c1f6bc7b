// SPDX-License-Identifier: Apache-2.0
/* One job at a time. The caller publishes it, takes tasks itself, closes the job when the counter
 * is used up and waits only for the workers that joined before that. So a worker that wakes late
 * costs nothing, and a short job is never slower than the caller alone plus a wake-up call.
 *
 *   mutex guards: job, job_open, n_joined, n_active, n_asleep, stop
 *   generation    written under the mutex, read without it by spinning workers */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/error.h"

/* Turns of waiting before sleep: 2 to 10 microseconds, about what a futex wake-up costs. */
enum { POOL_SPIN = 200, POOL_STACK_BYTES = 1 << 20 };

typedef struct pool_job {
    memo_task_fn fn;
    void *user;
    size_t n_tasks;
    unsigned n_workers; /* most threads, the caller included */
} pool_job;

struct memo_pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* to workers: a new generation, or stop */
    pthread_cond_t idle; /* to the caller: n_active is 0 */
    atomic_int busy;     /* a run is under way */
    atomic_uint generation;
    atomic_size_t next_task;
    atomic_uint n_active; /* workers inside the job; written under the mutex */
    pool_job job;
    unsigned n_joined;
    unsigned n_asleep;
    int job_open;
    int stop;
    unsigned n_threads;
    pthread_t threads[];
};

static void pool_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void pool_take_tasks(memo_pool *pool, const pool_job *job, unsigned worker)
{
    size_t task;
    while ((task = atomic_fetch_add_explicit(&pool->next_task, 1, memory_order_relaxed)) <
           job->n_tasks)
        job->fn(job->user, task, worker);
}

/* With the mutex held: work on the open job, if it still wants workers. */
static void pool_join_job(memo_pool *pool)
{
    if (!pool->job_open || pool->n_joined >= pool->job.n_workers)
        return;
    pool_job job = pool->job;
    unsigned worker = pool->n_joined++;
    atomic_fetch_add(&pool->n_active, 1);
    pthread_mutex_unlock(&pool->mutex);
    pool_take_tasks(pool, &job, worker);
    pthread_mutex_lock(&pool->mutex);
    if (atomic_fetch_sub(&pool->n_active, 1) == 1 && !pool->job_open)
        pthread_cond_signal(&pool->idle);
}

static void *pool_worker_main(void *arg)
{
    memo_pool *pool = arg;
    unsigned seen = 0;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->stop) {
        if (seen == atomic_load(&pool->generation)) {
            pthread_mutex_unlock(&pool->mutex);
            for (int i = 0; i < POOL_SPIN && seen == atomic_load(&pool->generation); i++)
                pool_pause();
            pthread_mutex_lock(&pool->mutex);
        }
        while (seen == atomic_load(&pool->generation) && !pool->stop) {
            pool->n_asleep++;
            pthread_cond_wait(&pool->wake, &pool->mutex);
            pool->n_asleep--;
        }
        seen = atomic_load(&pool->generation);
        if (!pool->stop)
            pool_join_job(pool);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Signals are for the application's own threads; but a fault happens in the thread that runs into
 * it, and blocked there it ends the process without asking the application's handler. */
static void pool_block_signals(sigset_t *old)
{
    static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, old);
}

static int pool_start_thread(memo_pool *pool)
{
    pthread_attr_t attr;
    sigset_t old;
    int e = pthread_attr_init(&attr);
    if (e)
        return e;
    pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
    pool_block_signals(&old);
    e = pthread_create(&pool->threads[pool->n_threads], &attr, pool_worker_main, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (!e)
        pool->n_threads++;
    return e;
}

memo_status memo_pool_new(unsigned n_workers, memo_pool **out, memo_err *err)
{
    if (n_workers == 0)
        return memo_fail(err, MEMO_ERR_USAGE, "a thread pool needs at least one worker");
    size_t n_bytes = sizeof(memo_pool) + (n_workers - 1) * sizeof(pthread_t);
    memo_pool *pool = memo_calloc(1, n_bytes);
    if (!pool)
        return memo_fail_nomem(err, "a thread pool", n_bytes);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    while (pool->n_threads < n_workers - 1) {
        int e = pool_start_thread(pool);
        if (e) {
            unsigned got = pool->n_threads + 1;
            memo_pool_free(pool);
            memo_fail(err, MEMO_ERR_LIMIT, "the system gave %u of %u threads (error %d%s)", got,
                      n_workers, e, e == EAGAIN ? ", a limit on threads or memory" : "");
            return memo_hint(err, MEMO_ERR_LIMIT, "ask for at most %u threads", got);
        }
    }
    *out = pool;
    return MEMO_OK;
}

void memo_pool_free(memo_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = 1;
    atomic_fetch_add(&pool->generation, 1); /* ends a spin */
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    memo_free(pool);
}

unsigned memo_pool_n_workers(const memo_pool *pool)
{
    return pool->n_threads + 1;
}

static void pool_publish(memo_pool *pool, const pool_job *job)
{
    size_t n_wanted = job->n_workers - 1;
    if (n_wanted > job->n_tasks - 1)
        n_wanted = job->n_tasks - 1;
    pthread_mutex_lock(&pool->mutex);
    pool->job = *job;
    pool->job_open = 1;
    pool->n_joined = 1; /* the caller */
    atomic_store(&pool->next_task, 0);
    atomic_fetch_add(&pool->generation, 1);
    if (n_wanted >= pool->n_asleep)
        pthread_cond_broadcast(&pool->wake);
    else
        for (size_t i = 0; i < n_wanted; i++)
            pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void pool_close_job(memo_pool *pool)
{
    for (int i = 0; i < POOL_SPIN && atomic_load(&pool->n_active) > 0; i++)
        pool_pause();
    pthread_mutex_lock(&pool->mutex);
    pool->job_open = 0;
    while (atomic_load(&pool->n_active) > 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void memo_pool_run(memo_pool *pool, unsigned n_workers, size_t n_tasks, memo_task_fn fn, void *user)
{
    if (n_workers > pool->n_threads + 1)
        n_workers = pool->n_threads + 1;
    if (n_workers <= 1 || n_tasks <= 1 || atomic_exchange(&pool->busy, 1)) {
        for (size_t task = 0; task < n_tasks; task++)
            fn(user, task, 0);
        return;
    }
    pool_job job = {fn, user, n_tasks, n_workers};
    pool_publish(pool, &job);
    pool_take_tasks(pool, &job, 0);
    pool_close_job(pool);
    atomic_store(&pool->busy, 0);
}
