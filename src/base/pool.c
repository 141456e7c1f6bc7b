// SPDX-License-Identifier: Apache-2.0
/* One job at a time. The caller publishes it, takes tasks itself, closes the job when the counter is
 * used up and waits only for the workers that joined before that. So a worker that wakes late costs
 * nothing.
 *
 * A job is published, joined, left and closed by one word, the gate:
 *
 *     63 ............ 32  31 ............ 16  15 ............. 0
 *     number of the job   places still free   workers inside it
 *
 * `job` is written while nobody is inside and no place is free, and read only by those who got
 * inside. The mutex is for sleeping alone: who wants to sleep says so first (n_asleep,
 * caller_waits) and then looks at the gate; who changes the gate looks afterwards whether somebody
 * sleeps. So one of the two sees the other.
 *
 * Waking a thread costs 5 to 50 microseconds. A worker therefore stays awake for a moment after a
 * job: a short one as a rule, because a processor that spins is one that others lack; a longer one
 * while jobs follow each other closely, as the layers of one text do.
 *
 * A neighbour may take a processor at any time. Then a worker stands still in the middle of a task,
 * or shares the caller's processor, and a short job takes longer than without it. The caller notices
 * both and goes *alone* for a while, long enough that what such waits cost together stays small;
 * what is then left of a long job it shares again. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/fpmode.h"

enum { POOL_STACK_BYTES = 1 << 20, POOL_MAX_PLACES = 0xFFFF };

/* Milliseconds. Jobs follow each other closely when the next comes before a worker that had gone to
 * sleep could be at work again; staying awake for longer than that cannot pay. */
#define POOL_SPIN_SHORT_MS 0.005
#define POOL_SPIN_LONG_MS  0.060
#define POOL_CLOSE_MS      0.150

/* A caller that waited longer than twice its own work waited for a worker that stood still: it goes
 * alone for 16 times as long, so that such waits take at most a seventeenth of its time. Two threads
 * on one processor are parted by the scheduler in some ticks. */
#define POOL_HELD_FACTOR  2
#define POOL_ALONE_FACTOR 16
#define POOL_ALONE_MAX_MS 50.0
#define POOL_CROWDED_MS   5.0

#define POOL_ACTIVE     ((uint64_t)1)
#define POOL_PLACE      ((uint64_t)1 << 16)
#define POOL_GENERATION ((uint64_t)1 << 32)

typedef struct pool_job {
    memo_task_fn fn;
    void *user;
    size_t n_tasks;
    unsigned n_places; /* for workers, the caller not included */
} pool_job;

struct memo_pool {
    _Atomic uint64_t gate;
    atomic_size_t next_task;
    pool_job job;
    atomic_int busy;         /* a run is under way */
    atomic_int caller_cpu;   /* processor of the last caller; -1: not known */
    atomic_int crowded;      /* a worker joined on the caller's processor */
    atomic_int caller_waits; /* asleep until nobody is inside */
    atomic_uint n_asleep;    /* workers; written under the mutex */
    atomic_int stop;
    double alone_until_ms; /* of who holds `busy` */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* to workers: another job, or stop */
    pthread_cond_t idle; /* to the caller: nobody is inside */
    unsigned n_threads;
    pthread_t threads[];
};

static uint32_t pool_generation(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

static unsigned pool_places(uint64_t gate)
{
    return (unsigned)(gate >> 16 & POOL_MAX_PLACES);
}

static unsigned pool_active(uint64_t gate)
{
    return (unsigned)(gate & POOL_MAX_PLACES);
}

/* ---- waiting awake ------------------------------------------------------------------------- */

static void pool_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int pool_cpu(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Whether the calling worker is on the caller's processor, where it only takes time from it. */
static int pool_is_crowded(memo_pool *pool)
{
    int cpu = pool_cpu();
    return cpu >= 0 && cpu == atomic_load(&pool->caller_cpu);
}

/* Whether the gate has come to be what is waited for; `seen`: the last job the thread saw. */
typedef int (*pool_ready_fn)(uint64_t gate, uint32_t seen);

static int pool_has_job(uint64_t gate, uint32_t seen)
{
    return pool_generation(gate) != seen;
}

static int pool_has_ended(uint64_t gate, uint32_t seen)
{
    (void)seen;
    return pool_active(gate) == 0;
}

/* Wait awake, for some turns at least; non-zero once the gate is ready. */
static int pool_spin(memo_pool *pool, pool_ready_fn ready, uint32_t seen, double until_ms)
{
    do {
        for (int i = 0; i < 16; i++) {
            if (ready(atomic_load(&pool->gate), seen))
                return 1;
            pool_pause();
        }
    } while (memo_monotonic_ms() < until_ms);
    return 0;
}

/* ---- a worker ------------------------------------------------------------------------------ */

static void pool_take_tasks(memo_pool *pool, const pool_job *job, unsigned worker)
{
    size_t task;
    while ((task = atomic_fetch_add_explicit(&pool->next_task, 1, memory_order_relaxed)) <
           job->n_tasks)
        job->fn(job->user, task, worker);
}

/* Work on the job at the gate, if it has a place free. Returns its number. */
static uint32_t pool_join_job(memo_pool *pool)
{
    uint64_t gate = atomic_load(&pool->gate);
    do {
        if (!pool_places(gate))
            return pool_generation(gate);
    } while (!atomic_compare_exchange_weak(&pool->gate, &gate, gate - POOL_PLACE + POOL_ACTIVE));
    pool_job job = pool->job;
    if (pool_is_crowded(pool))
        atomic_store(&pool->crowded, 1);
    pool_take_tasks(pool, &job, job.n_places + 1 - pool_places(gate));
    uint32_t generation = pool_generation(gate);
    gate = atomic_fetch_sub(&pool->gate, POOL_ACTIVE);
    if (pool_active(gate) == 1 && atomic_load(&pool->caller_waits)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
        pthread_cond_signal(&pool->idle);
    }
    return generation;
}

static void pool_sleep(memo_pool *pool, uint32_t seen)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (pool_generation(atomic_load(&pool->gate)) == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *pool_worker_main(void *arg)
{
    memo_pool *pool = arg;
    uint32_t seen = 0;
    double spin_ms = POOL_SPIN_SHORT_MS;
    fesetenv(FE_DFL_ENV); /* it came with the mode of who made the pool */
    while (!atomic_load(&pool->stop)) {
        double since_ms = memo_monotonic_ms();
        if (pool_is_crowded(pool) || !pool_spin(pool, pool_has_job, seen, since_ms + spin_ms))
            pool_sleep(pool, seen);
        spin_ms =
            memo_monotonic_ms() - since_ms < POOL_CLOSE_MS ? POOL_SPIN_LONG_MS : POOL_SPIN_SHORT_MS;
        seen = pool_join_job(pool);
    }
    return NULL;
}

/* ---- threads ------------------------------------------------------------------------------- */

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
    atomic_init(&pool->caller_cpu, -1);
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
    atomic_store(&pool->stop, 1);
    atomic_fetch_add(&pool->gate, POOL_GENERATION); /* ends a spin */
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
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

/* ---- a run --------------------------------------------------------------------------------- */

static void pool_publish(memo_pool *pool, const pool_job *job, size_t first)
{
    uint64_t gate = atomic_load(&pool->gate) + POOL_GENERATION;

    pool->job = *job;
    atomic_store(&pool->crowded, 0);
    atomic_store(&pool->caller_cpu, pool_cpu());
    atomic_store_explicit(&pool->next_task, first, memory_order_relaxed);
    atomic_store(&pool->gate, gate + job->n_places * POOL_PLACE);
    unsigned n_asleep = atomic_load(&pool->n_asleep), n_awake = pool->n_threads - n_asleep;
    if (job->n_places <= n_awake)
        return;
    pthread_mutex_lock(&pool->mutex); /* who said so may not sleep yet */
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = n_awake; i < job->n_places; i++)
        pthread_cond_signal(&pool->wake);
}

static void pool_close(memo_pool *pool, double now_ms)
{
    atomic_fetch_and(&pool->gate, ~(POOL_MAX_PLACES * POOL_PLACE));
    if (pool_has_ended(atomic_load(&pool->gate), 0) ||
        (!atomic_load(&pool->crowded) &&
         pool_spin(pool, pool_has_ended, 0, now_ms + POOL_SPIN_LONG_MS)))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_waits, 1);
    while (!pool_has_ended(atomic_load(&pool->gate), 0))
        pthread_cond_wait(&pool->idle, &pool->mutex);
    atomic_store(&pool->caller_waits, 0);
    pthread_mutex_unlock(&pool->mutex);
}

/* The tasks from `first` on, on several threads. */
static void pool_share(memo_pool *pool, const pool_job *job, size_t first, double begin_ms)
{
    pool_publish(pool, job, first);
    pool_take_tasks(pool, job, 0);
    double worked_ms = memo_monotonic_ms() - begin_ms;
    pool_close(pool, begin_ms + worked_ms);
    double end_ms = memo_monotonic_ms(), waited_ms = end_ms - begin_ms - worked_ms;
    if (waited_ms > POOL_SPIN_LONG_MS && waited_ms > POOL_HELD_FACTOR * worked_ms) {
        double alone_ms = POOL_ALONE_FACTOR * waited_ms;
        pool->alone_until_ms =
            end_ms + (alone_ms < POOL_ALONE_MAX_MS ? alone_ms : POOL_ALONE_MAX_MS);
    } else if (end_ms - begin_ms < POOL_CROWDED_MS && atomic_load(&pool->crowded)) {
        pool->alone_until_ms = end_ms + POOL_CROWDED_MS;
    }
}

void memo_pool_run(memo_pool *pool, unsigned n_workers, size_t n_tasks, memo_task_fn fn, void *user)
{
    size_t first = 0;

    if (n_workers > pool->n_threads + 1)
        n_workers = pool->n_threads + 1;
    if (n_workers <= 1 || n_tasks <= 1 || atomic_exchange(&pool->busy, 1)) {
        for (size_t task = 0; task < n_tasks; task++)
            fn(user, task, 0);
        return;
    }
    double now_ms = memo_monotonic_ms();
    while (now_ms < pool->alone_until_ms && first < n_tasks) {
        fn(user, first++, 0);
        now_ms = memo_monotonic_ms();
    }
    size_t n_places = n_workers - 1;
    if (n_places > n_tasks - first)
        n_places = n_tasks - first;
    if (n_places > POOL_MAX_PLACES)
        n_places = POOL_MAX_PLACES;
    pool_job job = {fn, user, n_tasks, (unsigned)n_places};
    if (first < n_tasks)
        pool_share(pool, &job, first, now_ms);
    atomic_store(&pool->busy, 0);
}
