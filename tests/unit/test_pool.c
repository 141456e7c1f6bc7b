// SPDX-License-Identifier: Apache-2.0
/* The pool under every count of workers; the thread sanitizer is its second reader. */
#include "memo_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/ctx.h"
#include "base/poison.h"
#include "base/pool.h"

static memo_pool *new_pool(unsigned n_workers)
{
    memo_pool *pool = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_pool_new(n_workers, &pool, &err), err);
    assert_int_equal(memo_pool_n_workers(pool), n_workers);
    return pool;
}

enum { MAX_TASKS = 1000, MAX_WORKERS = 8 };

typedef struct count_job {
    int runs[MAX_TASKS]; /* plain: two workers on one task would be a race */
    atomic_int inside[MAX_WORKERS];
    unsigned n_workers;
    atomic_int n_wrong;
} count_job;

static void count_task(void *user, size_t task, unsigned worker)
{
    count_job *job = user;
    if (worker >= job->n_workers || atomic_exchange(&job->inside[worker], 1))
        atomic_fetch_add(&job->n_wrong, 1);
    job->runs[task]++;
    atomic_store(&job->inside[worker], 0);
}

static void check_run(memo_pool *pool, unsigned n_workers, size_t n_tasks)
{
    count_job job = {.n_workers = n_workers ? n_workers : 1};
    memo_pool_run(pool, n_workers, n_tasks, count_task, &job);
    for (size_t i = 0; i < MAX_TASKS; i++)
        assert_int_equal(job.runs[i], i < n_tasks);
    assert_int_equal(job.n_wrong, 0);
}

static void test_pool_runs_each_task_once(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= MAX_WORKERS; n++) {
        memo_pool *pool = new_pool(n);
        for (unsigned limit = 0; limit <= n; limit++)
            for (size_t n_tasks = 0; n_tasks <= MAX_TASKS; n_tasks = n_tasks * 3 + 1)
                check_run(pool, limit, n_tasks);
        memo_pool_free(pool);
    }
}

/* More workers than the pool has are not an error. */
static void test_pool_clamps_the_number_of_workers(void **state)
{
    (void)state;
    memo_pool *pool = new_pool(2);
    count_job job = {.n_workers = 2};
    memo_pool_run(pool, 100, 50, count_task, &job);
    assert_int_equal(job.n_wrong, 0);
    memo_pool_free(pool);
}

static void add_task(void *user, size_t task, unsigned worker)
{
    (void)worker;
    ((size_t *)user)[task] += task;
}

/* Short runs back to back: workers join late, miss runs, sleep and spin in every order. */
static void test_pool_many_short_runs(void **state)
{
    (void)state;
    enum { RUNS = 20000, TASKS = 5 };
    size_t sums[TASKS] = {0};
    memo_pool *pool = new_pool(4);
    for (int i = 0; i < RUNS; i++)
        memo_pool_run(pool, 4, TASKS, add_task, sums);
    for (size_t t = 0; t < TASKS; t++)
        assert_int_equal(sums[t], t * RUNS);
    memo_pool_free(pool);
}

typedef struct meeting {
    atomic_int n_arrived;
    int n_wanted;
    atomic_int n_alone;
} meeting;

static void meet_task(void *user, size_t task, unsigned worker)
{
    meeting *m = user;
    (void)task, (void)worker;
    atomic_fetch_add(&m->n_arrived, 1);
    for (int i = 0; i < 1000 && atomic_load(&m->n_arrived) < m->n_wanted; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    if (atomic_load(&m->n_arrived) < m->n_wanted)
        atomic_fetch_add(&m->n_alone, 1);
}

/* Tasks that wait for each other end only if they run at the same time; the pause puts the workers
 * to sleep before the next run. A caller whose workers had no processor goes alone for some runs, so
 * that on a crowded machine a meeting may fail, but not one after the other. */
static void test_pool_workers_run_at_the_same_time(void **state)
{
    (void)state;
    enum { ROUNDS = 2, ATTEMPTS = 10 };
    memo_pool *pool = new_pool(4);
    for (int round = 0; round < ROUNDS; round++) {
        int met = 0;
        for (int i = 0; i < ATTEMPTS && !met; i++) {
            meeting m = {.n_wanted = 4};
            memo_pool_run(pool, 4, 4, meet_task, &m);
            met = m.n_alone == 0;
            nanosleep(&(struct timespec){0, 100000000}, NULL);
        }
        assert_true(met);
    }
    memo_pool_free(pool);
}

typedef struct held_job {
    meeting both;
    atomic_int by_worker; /* tasks that a worker ran */
    long worker_ms, caller_ms;
    double caller_end_ms, worker_end_ms; /* when each ended its last task */
} held_job;

static void held_task(void *user, size_t task, unsigned worker)
{
    held_job *job = user;
    if (job->both.n_wanted)
        meet_task(&job->both, task, worker);
    if (worker)
        atomic_fetch_add(&job->by_worker, 1);
    nanosleep(&(struct timespec){0, (worker ? job->worker_ms : job->caller_ms) * 1000000}, NULL);
    *(worker ? &job->worker_end_ms : &job->caller_end_ms) = memo_monotonic_ms();
}

/* Two tasks, of which a worker's lasts 200 ms. Returns when it ended, or 0 when this machine was so
 * busy that the caller's lasted too long as well. */
static double hold_a_run(memo_pool *pool)
{
    held_job held = {.both = {.n_wanted = 2}, .worker_ms = 200};
    double begin_ms = memo_monotonic_ms();
    memo_pool_run(pool, 2, 2, held_task, &held);
    assert_int_equal(held.both.n_alone, 0);
    assert_int_equal(held.by_worker, 1);
    return held.caller_end_ms - begin_ms < 50 ? held.worker_end_ms : 0;
}

/* A worker that stands still in the middle of a task, as when a neighbour has its processor: the
 * runs in the 50 ms after it do without it. */
static void test_pool_goes_alone_after_a_wait(void **state)
{
    (void)state;
    memo_pool *pool = new_pool(2);
    int n_checked = 0;
    for (int i = 0; i < 20 && n_checked < 10; i++) {
        double end_ms = hold_a_run(pool);
        held_job brief = {0};
        for (int k = 0; end_ms > 0 && k < 10; k++) {
            memo_pool_run(pool, 2, 2, held_task, &brief);
            if (memo_monotonic_ms() - end_ms > 45)
                break;
            assert_int_equal(brief.by_worker, 0);
            n_checked++;
        }
    }
    if (n_checked == 0)
        memo_test_skip("this machine is too busy to tell");
    memo_pool_free(pool);
}

/* But a long run shares what is left after a while. */
static void test_pool_goes_alone_for_a_while_only(void **state)
{
    (void)state;
    memo_pool *pool = new_pool(2);
    (void)hold_a_run(pool);
    held_job lengthy = {.worker_ms = 5, .caller_ms = 5};
    memo_pool_run(pool, 2, 100, held_task, &lengthy);
    assert_in_range(lengthy.by_worker, 10, 90);
    memo_pool_free(pool);
}

typedef struct thread_job {
    pthread_t caller;
    atomic_int n_foreign;
} thread_job;

static void thread_task(void *user, size_t task, unsigned worker)
{
    thread_job *job = user;
    (void)task, (void)worker;
    if (!pthread_equal(pthread_self(), job->caller))
        atomic_fetch_add(&job->n_foreign, 1);
}

static void test_pool_of_one_has_no_thread(void **state)
{
    (void)state;
    thread_job job = {.caller = pthread_self()};
    memo_pool *pool = new_pool(1);
    memo_pool_run(pool, 1, 1000, thread_task, &job);
    assert_int_equal(job.n_foreign, 0);
    memo_pool_free(pool);
    pool = new_pool(4);
    memo_pool_run(pool, 1, 1000, thread_task, &job); /* asked for one worker */
    assert_int_equal(job.n_foreign, 0);
    memo_pool_free(pool);
}

typedef struct nested_job {
    memo_pool *pool;
    size_t sums[16][16];
} nested_job;

static void nested_task(void *user, size_t task, unsigned worker)
{
    nested_job *job = user;
    (void)worker;
    memo_pool_run(job->pool, 4, 16, add_task, job->sums[task]);
}

static void test_pool_run_inside_a_task(void **state)
{
    (void)state;
    nested_job job = {.pool = new_pool(4)};
    memo_pool_run(job.pool, 4, 16, nested_task, &job);
    for (size_t i = 0; i < 16; i++)
        for (size_t k = 0; k < 16; k++)
            assert_int_equal(job.sums[i][k], k);
    memo_pool_free(job.pool);
}

static void *run_many(void *pool)
{
    size_t *sums = calloc(10, sizeof *sums);
    for (int i = 0; sums && i < 2000; i++)
        memo_pool_run(pool, 3, 10, add_task, sums);
    return sums;
}

static void test_pool_used_by_two_threads(void **state)
{
    (void)state;
    memo_pool *pool = new_pool(3);
    pthread_t other;
    void *theirs = NULL;
    assert_int_equal(pthread_create(&other, NULL, run_many, pool), 0);
    size_t *ours = run_many(pool);
    assert_int_equal(pthread_join(other, &theirs), 0);
    for (size_t t = 0; t < 10; t++) {
        assert_int_equal(ours[t], t * 2000);
        assert_int_equal(((size_t *)theirs)[t], t * 2000);
    }
    free(ours);
    free(theirs);
    memo_pool_free(pool);
}

static void signal_task(void *user, size_t task, unsigned worker)
{
    sigset_t blocked;
    meet_task(user, task, worker);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    /* but a fault comes to the thread that runs into it */
    if (sigismember(&blocked, SIGINT) != (worker != 0) || sigismember(&blocked, SIGBUS) ||
        sigismember(&blocked, SIGSEGV))
        atomic_fetch_add(&((meeting *)user)->n_alone, 1);
}

static void test_pool_workers_leave_signals_to_the_caller(void **state)
{
    (void)state;
    memo_pool *pool = new_pool(2);
    meeting m = {.n_wanted = 2};
    memo_pool_run(pool, 2, 2, signal_task, &m);
    assert_int_equal(m.n_alone, 0);
    memo_pool_free(pool);
}

static void test_pool_needs_a_worker(void **state)
{
    (void)state;
    memo_pool *pool = NULL;
    memo_err err = {0};
    assert_memo_status(memo_pool_new(0, &pool, &err), MEMO_ERR_USAGE, err);
    assert_null(pool);
    memo_pool_free(NULL);
}

/* 1,000 stacks of 1 MiB in 300 MiB of address space: some threads start, the rest cannot. */
static int refused_pool_leaves_nothing(void)
{
    const struct rlimit limit = {300 << 20, 300 << 20};
    memo_pool *pool = NULL;
    memo_err err = {0};
    int64_t live = memo_alloc_live();
    return setrlimit(RLIMIT_AS, &limit) == 0 &&
           memo_pool_new(1000, &pool, &err) == MEMO_ERR_LIMIT && !pool &&
           strstr(err.message, "of 1000 threads") && strstr(err.hint, "ask for at most") &&
           memo_alloc_live() == live;
}

static void test_pool_says_when_there_are_no_more_threads(void **state)
{
    (void)state;
    if (MEMO_TEST_SANITIZED)
        memo_test_skip("sanitizers need more address space than the test allows");
    pid_t child = fork();
    if (child == 0)
        _exit(refused_pool_leaves_nothing() ? 0 : 1);
    int wait_status = -1;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
}

static memo_status sweep_pool(void *user, memo_err *err)
{
    (void)user;
    memo_pool *pool = NULL;
    memo_status status = memo_pool_new(3, &pool, err);
    memo_pool_free(pool);
    return status;
}

static void test_pool_survives_allocation_failures(void **state)
{
    (void)state;
    assert_int_equal(memo_test_alloc_sweep(sweep_pool, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_runs_each_task_once),
        cmocka_unit_test(test_pool_clamps_the_number_of_workers),
        cmocka_unit_test(test_pool_many_short_runs),
        cmocka_unit_test(test_pool_workers_run_at_the_same_time),
        cmocka_unit_test(test_pool_goes_alone_after_a_wait),
        cmocka_unit_test(test_pool_goes_alone_for_a_while_only),
        cmocka_unit_test(test_pool_of_one_has_no_thread),
        cmocka_unit_test(test_pool_run_inside_a_task),
        cmocka_unit_test(test_pool_used_by_two_threads),
        cmocka_unit_test(test_pool_workers_leave_signals_to_the_caller),
        cmocka_unit_test(test_pool_needs_a_worker),
        cmocka_unit_test(test_pool_says_when_there_are_no_more_threads),
        cmocka_unit_test(test_pool_survives_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
