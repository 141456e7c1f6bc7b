// SPDX-License-Identifier: Apache-2.0
#include "power_try.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "power_disk.h"

/* ---- one state ----------------------------------------------------------------------------- */

void power_bench_init(power_bench *b, const power_job *job)
{
    *b = (power_bench){.job = job, .ctx = power_ctx_new()};
    snprintf(b->folder, sizeof b->folder, "%s/w%ld", job->folder, (long)getpid());
    if (mkdir(b->folder, 0700) != 0 && errno != EEXIST)
        power_die("cannot make %s: %s", b->folder, strerror(errno));
}

void power_bench_fini(power_bench *b)
{
    memo_ctx_free(b->ctx);
}

power_promise power_bench_promise(const power_bench *b, size_t point)
{
    power_promise p = {.run = b->job->run};
    power_run_promise(b->job->run, point, &p.begun, &p.done);
    return p;
}

/* Shared memory of a store is not durable: mostly it is gone, sometimes something old lies there. */
static void try_lay_rubbish(const power_bench *b, uint64_t hash)
{
    enum { SHM_BYTES = 32768 };
    unsigned char *rubbish = power_alloc(SHM_BYTES);
    char path[512];
    memo_rng rng;
    memo_rng_init(&rng, hash);
    for (size_t i = 0; i < SHM_BYTES; i++)
        rubbish[i] = (unsigned char)memo_rng_u64(&rng);
    snprintf(path, sizeof path, "%s/" POWER_STORE "-shm", b->folder);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(rubbish, 1, SHM_BYTES, f) != SHM_BYTES || fclose(f) != 0)
        power_die("cannot write %s: %s", path, strerror(errno));
    free(rubbish);
}

power_verdict power_bench_check(const power_bench *b, const power_promise *promise,
                                const power_files *files, char why[512])
{
    uint64_t hash = power_files_hash(files);
    power_files_write(files, b->folder);
    if (hash % 4 == 0 && power_files_find(files, POWER_STORE "-wal"))
        try_lay_rubbish(b, hash);
    return power_check_folder(promise, b->folder, b->ctx, hash >> 8, why);
}

void power_bench_record_recovery(const power_bench *b, const power_files *files, power_log *log)
{
    char path[512];
    memo_store_options options = {.mode = MEMO_OPEN_CREATE};
    memo_store *store = NULL;
    snprintf(path, sizeof path, "%s/" POWER_STORE, b->folder);
    power_files_write(files, b->folder);
    power_log_begin(log, b->folder, b->job->seed + 2, POWER_HONEST);
    if (memo_store_open(b->ctx, path, &options, &store, NULL) == MEMO_OK)
        memo_store_close(store);
    power_log_end();
}

/* ---- many states --------------------------------------------------------------------------- */

enum { TRY_STRIDE = 8, TRY_ROUNDS = 400, TRY_PATIENCE = 3 };

typedef struct try_work {
    power_job *job;
    uint64_t quota;
    size_t n_tasks;
    _Atomic unsigned char *strikes; /* [n_points] rounds of a point that gave nothing new */
} try_work;

void power_job_init(power_job *job, const power_run *run, const char *folder, uint64_t seed,
                    power_shared *shared)
{
    const power_event *e = run->log.events;
    *job = (power_job){.run = run, .folder = folder, .seed = seed, .shared = shared};
    job->points = power_alloc((run->log.n + 1) * sizeof *job->points);
    for (size_t i = run->first_point; i <= run->log.n; i++) {
        /* The disk is the same on both sides of a mark. Before a change begins less is allowed than
         * after; when it is done more is promised than before. */
        if (!(i > 0 && e[i - 1].kind == POWER_BEGIN) &&
            !(i < run->log.n && e[i].kind == POWER_DONE))
            job->points[job->n_points++] = i;
    }
}

void power_job_fini(power_job *job)
{
    free(job->points);
}

/* The bench of this process. */
static power_bench *try_bench(const power_job *job)
{
    static power_bench bench;
    static pid_t owner;
    if (owner != getpid() || bench.job != job) {
        owner = getpid();
        power_bench_init(&bench, job);
    }
    return &bench;
}

static int try_report(const power_job *job, const char *where, const power_event *before,
                      const char *what, char why[FAULT_WHY_BYTES])
{
    char event[160] = "the start";
    if (before)
        power_event_print(before, event);
    return fault_fail(why,
                      "workload %s, power lost after %s: %.200s\n"
                      "    again: power_loss --workload %s --seed %" PRIu64 " %s",
                      job->run->work->name, event, what, job->run->work->name, job->seed, where);
}

static int try_state(power_bench *b, const power_disk *disk, size_t state, unsigned *n_new,
                     char why[FAULT_WHY_BYTES])
{
    const power_job *job = b->job;
    power_promise promise = power_bench_promise(b, disk->point);
    power_files files;
    char what[512], where[64];
    int failed = 0;
    power_disk_state(disk, job->seed, state, &files);
    uint64_t hash = power_files_hash(&files);
    if (power_shared_meet(job->shared, POWER_SET_CHECKED, hash + promise.done * 31)) {
        ++*n_new;
        job->shared->n_checked++;
        if (power_shared_meet(job->shared, POWER_SET_STATES, hash))
            job->shared->n_states++;
        if (power_bench_check(b, &promise, &files, what) != POWER_FINE) {
            snprintf(where, sizeof where, "--point %zu --state %zu", disk->point, state);
            failed = try_report(
                job, where, disk->point ? &disk->log->events[disk->point - 1] : NULL, what, why);
        }
    }
    power_files_fini(&files);
    return failed;
}

/* A few states of one point; rounds over all points. */
static int try_states(void *user, size_t task, char why[FAULT_WHY_BYTES])
{
    try_work *w = user;
    power_job *job = w->job;
    size_t at = task % job->n_points, first = task / job->n_points * TRY_STRIDE;
    unsigned n_new = 0;
    int failed = 0;
    power_disk disk;
    if (job->shared->n_states >= w->quota || w->strikes[at] >= TRY_PATIENCE)
        return 0;
    power_disk_init(&disk, &job->run->log, job->points[at]);
    for (size_t i = 0; i < TRY_STRIDE && !failed && (i == 0 || disk.n_pending > 0); i++)
        failed = try_state(try_bench(job), &disk, first + i, &n_new, why);
    power_disk_fini(&disk);
    if (n_new == 0)
        w->strikes[at]++;
    return failed;
}

static void try_name_states(void *user, size_t task, char why[FAULT_WHY_BYTES])
{
    const try_work *w = user;
    const power_job *job = w->job;
    fault_fail(why,
               "power_loss --workload %s --seed %" PRIu64 " --point %zu --state %zu or the %d "
               "after",
               job->run->work->name, job->seed, job->points[task % job->n_points],
               task / job->n_points * TRY_STRIDE, TRY_STRIDE - 1);
}

size_t power_job_states(power_job *job, uint64_t n_states, unsigned n_workers)
{
    try_work w = {.job = job, .quota = n_states, .n_tasks = job->n_points * TRY_ROUNDS};
    w.strikes = fault_shared(job->n_points);
    size_t n_failed = fault_pool_run(w.n_tasks, n_workers, try_states, try_name_states, &w);
    fault_unshare((void *)(uintptr_t)w.strikes, job->n_points);
    return n_failed;
}

/* ---- again, in recovery -------------------------------------------------------------------- */

enum { TRY_AGAIN_TRIES = 24, TRY_AGAIN_EACH = 8, TRY_AGAIN_STATES = 200 };

/* Which state is opened when the power fails again. */
static size_t try_again_first(const power_job *job, size_t task, memo_rng *rng, size_t *state)
{
    memo_rng_init(rng, job->seed * 1000003 + task);
    size_t point = job->points[memo_rng_below(rng, job->n_points)];
    *state = (size_t)memo_rng_below(rng, TRY_AGAIN_STATES);
    return point;
}

static int try_second(power_bench *b, const power_log *log, const power_promise *promise,
                      size_t point, size_t state, char what[512])
{
    const power_job *job = b->job;
    power_disk disk;
    power_files files;
    int verdict = -1;
    power_disk_init(&disk, log, point);
    power_disk_state(&disk, job->seed, state, &files);
    if (power_shared_meet(job->shared, POWER_SET_STATES, power_files_hash(&files))) {
        job->shared->n_again++;
        verdict = (int)power_bench_check(b, promise, &files, what);
    }
    power_files_fini(&files);
    power_disk_fini(&disk);
    return verdict;
}

static int try_again(void *user, size_t task, char why[FAULT_WHY_BYTES])
{
    try_work *w = user;
    power_job *job = w->job;
    power_bench *b = try_bench(job);
    power_disk disk;
    power_files files;
    power_log log = {0};
    memo_rng rng;
    size_t state, point = try_again_first(job, task, &rng, &state), n_new = 0;
    power_promise promise = power_bench_promise(b, point);
    int failed = 0;
    if (job->shared->n_again >= w->quota)
        return 0;
    power_disk_init(&disk, &job->run->log, point);
    power_disk_state(&disk, job->seed, state, &files);
    power_bench_record_recovery(b, &files, &log);
    for (size_t i = 0; log.n && i < TRY_AGAIN_TRIES && n_new < TRY_AGAIN_EACH && !failed; i++) {
        char what[512], where[128];
        size_t then_point = 1 + (size_t)memo_rng_below(&rng, log.n);
        size_t then_state = i < 4 ? i : (size_t)memo_rng_below(&rng, TRY_AGAIN_STATES);
        int verdict = try_second(b, &log, &promise, then_point, then_state, what);
        n_new += verdict >= 0;
        if (verdict <= POWER_FINE)
            continue;
        snprintf(where, sizeof where, "--point %zu --state %zu --then-point %zu --then-state %zu",
                 point, state, then_point, then_state);
        failed = try_report(job, where, &log.events[then_point - 1], what, why);
    }
    power_log_fini(&log);
    power_files_fini(&files);
    power_disk_fini(&disk);
    return failed;
}

static void try_name_again(void *user, size_t task, char why[FAULT_WHY_BYTES])
{
    const power_job *job = ((const try_work *)user)->job;
    memo_rng rng;
    size_t state, point = try_again_first(job, task, &rng, &state);
    fault_fail(why,
               "power_loss --workload %s --seed %" PRIu64 " --point %zu --state %zu, and a "
               "power loss while it is opened",
               job->run->work->name, job->seed, point, state);
}

size_t power_job_again(power_job *job, uint64_t n_again, unsigned n_workers)
{
    try_work w = {.job = job, .quota = n_again, .n_tasks = 100000};
    return fault_pool_run(w.n_tasks, n_workers, try_again, try_name_again, &w);
}
