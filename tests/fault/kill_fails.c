// SPDX-License-Identifier: Apache-2.0
/* Fail each call that the library makes, in each way that call can fail. The process goes on: the
 * call of the library that was hit returns a defined error or has done its work all the same; then
 * it is repeated on the same handle, which must either work or, after a failed write or sync, refuse
 * every write until it is opened again. At the end everything is there and nothing has leaked. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "kill_points.h"
#include "memory/db.h"

enum { FAIL_PER_CLASS = 11, FAIL_PER_CLASS_OF_DEEDS = 4 };

#define FAIL_WRITES                                                                                \
    (SEAM_BIT(WRITE) | SEAM_BIT(TRUNCATE) | SEAM_BIT(SYNC) | SEAM_BIT(SYS_PWRITE) |                \
     SEAM_BIT(SYS_FSYNC) | SEAM_BIT(SYS_FTRUNCATE) | SEAM_BIT(SYS_RENAME))

typedef struct fail_mode {
    const char *name;
    uint64_t calls; /* that can fail so */
    seam_action action;
    int error;
    uint64_t sticky;
    int unseen;  /* nobody may notice */
    int control; /* a fault that no library can stand: only asked for by name */
} fail_mode;

#define FAIL_OPENS   (SEAM_BIT(SYS_OPEN) | SEAM_BIT(OS_OPEN))
#define FAIL_PWRITES (SEAM_BIT(SYS_PWRITE) | SEAM_BIT(OS_PWRITE))
#define FAIL_PREADS  (SEAM_BIT(SYS_PREAD) | SEAM_BIT(OS_PREAD))
#define FAIL_MMAPS   (SEAM_BIT(SYS_MMAP) | SEAM_BIT(OS_MMAP))
#define FAIL_LOCKS   (SEAM_BIT(SYS_FLOCK) | SEAM_BIT(OS_FCNTL))

static const fail_mode fail_modes[] = {
    {"eio", SEAM_ALL & ~SEAM_BIT(SHM_UNMAP), SEAM_FAIL, EIO, 0, 0, 0}, /* unmapping does not fail */
    {"enospc", SEAM_BIT(WRITE) | FAIL_PWRITES | SEAM_BIT(SYS_OPEN), SEAM_FAIL, ENOSPC, 0, 0, 0},
    {"edquot", FAIL_PWRITES | SEAM_BIT(SYS_OPEN), SEAM_FAIL, EDQUOT, 0, 0, 0},
    {"emfile", FAIL_OPENS, SEAM_FAIL, EMFILE, 0, 0, 0},
    {"eacces", FAIL_OPENS, SEAM_FAIL, EACCES, 0, 0, 0},
    {"enomem", FAIL_MMAPS, SEAM_FAIL, ENOMEM, 0, 0, 0},
    {"enolck", FAIL_LOCKS, SEAM_FAIL, ENOLCK, 0, 0, 0},
    {"eintr",
     FAIL_OPENS | FAIL_PREADS | FAIL_PWRITES | SEAM_BIT(SYS_FSYNC) | SEAM_BIT(SYS_FLOCK) |
         SEAM_BIT(OS_FTRUNCATE),
     SEAM_RETRY, EINTR, 0, 1, 0},
    {"short", FAIL_PREADS | FAIL_PWRITES, SEAM_SHORT, 0, 0, 1, 0},
    {"dead-disk", FAIL_WRITES, SEAM_FAIL, EIO, FAIL_WRITES, 0, 0},
    {"full-disk", SEAM_BIT(WRITE) | SEAM_BIT(SYS_PWRITE), SEAM_FAIL, ENOSPC,
     SEAM_BIT(WRITE) | SEAM_BIT(SYS_PWRITE), 0, 0},
    {"lost-write", SEAM_BIT(WRITE), SEAM_SWALLOW, 0, 0, 0, 1},
    {"ignored-sync", SEAM_BIT(SYNC), SEAM_SWALLOW, 0, 0, 0, 1},
};

enum { FAIL_N_MODES = sizeof fail_modes / sizeof *fail_modes };

/* ---- one run, in a process of its own ------------------------------------------------------ */

typedef struct fail_run {
    const kill_job *job;
    const fail_mode *mode;
    seam_call call;
    seam_plan plan;
    fault_session session;
    fault_progress *progress;
    char *why;
} fail_run;

static memo_status fail_run_step(fail_run *r, const fault_step *step, memo_err *err)
{
    return r->job->kind->step(&r->session, step, err);
}

static int fail_is_defined(const fail_run *r, memo_status status, const memo_err *err)
{
    const uint64_t locks =
        SEAM_BIT(LOCK) | SEAM_BIT(SHM_LOCK) | SEAM_BIT(SYS_FLOCK) | SEAM_BIT(OS_FCNTL);
    if (err->status != status || !err->message[0])
        return 0;
    return status == MEMO_ERR_IO || (status == MEMO_ERR_NOMEM && r->mode->error == ENOMEM) ||
           (status == MEMO_ERR_BUSY && locks >> r->call & 1);
}

/* What a reader finds between a call that failed and the next one: all of the change or nothing. */
static int fail_check_seen(fail_run *r, const memo_err *first)
{
    const fault_allowed allowed = fault_plan_allowed(&r->job->plan, r->progress);
    char found[FAULT_WHY_BYTES];
    memo_err err = {0};
    if (fault_session_open(&r->session, &err))
        return fault_fail(r->why, "after \"%.150s\" it does not open: %s", first->message,
                          err.message);
    if (!fault_check_seen(r->job->world, r->session.db, &allowed, found))
        return 0;
    return fault_fail(r->why, "seen after \"%.150s\": %.400s", first->message, found);
}

/* A handle that has failed: reads go on; a write is repeated, after opening again where it must. */
static int fail_go_on(fail_run *r, const fault_step *step, const memo_err *first)
{
    fault_session *s = &r->session;
    memo_err err = {0};
    memo_status status;
    if (fail_check_seen(r, first))
        return 1;
    if (memo_store_read_only(s->db->store)) {
        status = memo_store_begin_write(s->db->store, &err);
        if (status != MEMO_ERR_IO)
            return fault_fail(r->why, "a write after \"%.150s\" is %s instead of ERR_IO",
                              first->message, memo_status_name(status));
        fault_session_close(s);
        if (fail_check_seen(r, first))
            return 1;
    }
    memset(&err, 0, sizeof err);
    status = fail_run_step(r, step, &err);
    if (status)
        return fault_fail(r->why, "after \"%.150s\" once more: %s: %s", first->message,
                          memo_status_name(status), err.message);
    return 0;
}

static int fail_check_error(const fail_run *r, memo_status status, const memo_err *err)
{
    if (r->plan.n_hit == 0)
        return fault_fail(r->why, "nothing failed yet: %s: %.300s", memo_status_name(status),
                          err->message);
    if (r->mode->unseen)
        return fault_fail(r->why, "noticed: %s: %.300s", memo_status_name(status), err->message);
    if (!fail_is_defined(r, status, err))
        return fault_fail(r->why, "not defined: %s: %.300s", memo_status_name(status),
                          err->message);
    return 0;
}

static int fail_step(fail_run *r, const fault_step *step)
{
    fault_session *s = &r->session;
    const memo_db *before = s->db;
    size_t n_hit = r->plan.n_hit;
    memo_err err = {0}, again = {0};
    memo_status status = fail_run_step(r, step, &err);
    if (status == MEMO_OK) {
        /* A sync that failed: nothing more may be acknowledged through this handle. */
        if (r->plan.n_hit > n_hit && r->call == SEAM_SYNC && s->db == before && before &&
            step->kind != FAULT_REOPEN && step->kind != FAULT_BACKUP &&
            !memo_store_read_only(s->db->store))
            return fault_fail(r->why, "a failed sync went unnoticed");
        if (before && s->db && memo_store_read_only(s->db->store))
            fault_session_close(s); /* a checkpoint after the commit failed: open again */
        return 0;
    }
    if (fail_check_error(r, status, &err))
        return 1;
    if (r->mode->sticky) { /* once more on the disk that stays as it is */
        status = fail_run_step(r, step, &again);
        if (status == MEMO_OK)
            return 0;
        if (fail_check_error(r, status, &again))
            return 1;
    }
    r->plan.at = 0; /* the disk works again */
    return fail_go_on(r, step, &err);
}

static int fail_run_store(fail_run *r, const char *folder)
{
    const fault_workload *w = &r->job->workload;
    int bad = 0;
    fault_session_init(&r->session, r->job->world, folder);
    for (size_t i = 0; i < w->n_steps && !bad; i++) {
        r->job->world->now_ms += 1000;
        atomic_store(&r->progress->n_begun, i + 1);
        bad = fail_step(r, &w->steps[i]);
        atomic_store(&r->progress->n_acked, i + 1);
    }
    fault_session_close(&r->session);
    return bad;
}

static int fail_run_files(fail_run *r, const char *folder)
{
    memo_err err = {0};
    memo_status status = r->job->kind->run(r->job, folder, r->progress, &err);
    size_t n_left = fault_folder_count(folder, ".tmp");
    if (status && (r->mode->unseen || !fail_is_defined(r, status, &err)))
        return fault_fail(r->why, "%s: %.300s", memo_status_name(status), err.message);
    if (n_left && r->call != SEAM_SYS_UNLINK)
        return fault_fail(r->why, "%zu temporary files are left", n_left);
    return 0;
}

static int fail_work(fail_run *r, const char *folder)
{
    size_t n_fds = fault_open_fds();
    int64_t n_blocks = memo_alloc_live();
    int bad;
    seam_set(&r->plan);
    bad = r->job->workload.steps && !r->job->kind->as_a_whole ? fail_run_store(r, folder)
                                                              : fail_run_files(r, folder);
    seam_set(NULL);
    if (bad)
        return bad;
    if (r->plan.n_hit == 0)
        return fault_fail(r->why, "the call was not reached");
    if (fault_open_fds() != n_fds)
        return fault_fail(r->why, "%d descriptors leak", (int)(fault_open_fds() - n_fds));
    if (memo_alloc_live() != n_blocks)
        return fault_fail(r->why, "%d blocks leak", (int)(memo_alloc_live() - n_blocks));
    return r->job->kind->check(r->job, folder, r->progress, r->why);
}

/* ---- one point ----------------------------------------------------------------------------- */

static void fail_prepare(const kill_points *points, const kill_point *p, fail_run *r)
{
    const kill_job *job = &points->jobs->jobs[p->job];
    const fail_mode *mode = &fail_modes[p->mode];
    *r = (fail_run){.job = job,
                    .mode = mode,
                    .call = job->trace->calls[p->at - 1].call,
                    .plan = {.mask = SEAM_ALL,
                             .at = p->at,
                             .action = mode->action,
                             .part = p->part,
                             .error = mode->error,
                             .sticky = mode->sticky}};
}

/* What the child says; exit 0: passed. */
typedef struct fail_verdict {
    fault_progress progress;
    char why[FAULT_WHY_BYTES];
} fail_verdict;

static int fail_run_child(fail_run *r, const char *folder, fail_verdict *verdict)
{
    int status = 0;
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        exit(2);
    if (pid == 0) {
        kill_child_begin();
        r->progress = &verdict->progress;
        r->why = verdict->why;
        _exit(fail_work(r, folder));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        return fault_fail(verdict->why, "signal %d (%s)", WTERMSIG(status),
                          strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status);
}

static int fail_one(void *user, size_t point, char why[FAULT_WHY_BYTES])
{
    kill_points *points = user;
    const kill_point *p = &points->list[point];
    fail_verdict *verdict = fault_shared(sizeof *verdict);
    char folder[300], again[FAULT_WHY_BYTES];
    fail_run r;
    int bad;
    fail_prepare(points, p, &r);
    kill_point_folder(r.job->world, folder);
    fault_folder_copy(r.job->image, folder);
    bad = fail_run_child(&r, folder, verdict);
    if (bad) {
        atomic_fetch_add(&points->shared->n_failed[p->job], 1);
        kill_points_name(points, point, again);
        (void)fault_fail(why, "%s, %s number %zu fails (%s): %.320s\n  %.200s", r.job->name,
                         seam_call_name(r.call), p->at, r.mode->name, verdict->why, again);
    }
    fault_unshare(verdict, sizeof *verdict);
    return bad;
}

/* ---- all of them --------------------------------------------------------------------------- */

/* Of the calls of one kind in one workload at most `most`, evenly and with the first and the last; those
 * of another seed lie between. */
static int fail_is_taken(size_t number, size_t n, size_t most, uint64_t seed)
{
    size_t every = (n + most - 1) / most;
    return every <= 1 || number % every == seed % every;
}

static void fail_add_mode(kill_points *points, const fault_options *o, size_t job, int mode)
{
    const kill_job *j = &points->jobs->jobs[job];
    const fail_mode *m = &fail_modes[mode];
    size_t n[SEAM_N_CALLS] = {0}, seen[SEAM_N_CALLS] = {0};
    size_t most = j->deeds.deeds ? FAIL_PER_CLASS_OF_DEEDS : FAIL_PER_CLASS;
    for (size_t i = 0; i < j->trace->n; i++)
        n[j->trace->calls[i].call]++;
    for (size_t at = 1; at <= j->trace->n; at++) {
        const struct seam_record *r = &j->trace->calls[at - 1];
        uint64_t x = fault_mix(o->seed, (job << 4 | (size_t)mode) << 20 | at);
        if (m->control && (!o->mode || strcmp(o->mode, m->name) != 0))
            continue;
        if (!(m->calls >> r->call & 1) || !kill_points_wanted(o, j, at, m->name))
            continue;
        if (m->action == SEAM_SHORT && r->amount < 2)
            continue;
        if (o->point >= 0 || fail_is_taken(seen[r->call]++, n[r->call], most, o->seed))
            kill_points_add(points, job, at, mode, r->amount > 1 ? 1 + x % (r->amount - 1) : 0);
    }
}

void kill_fails_init(kill_points *points, kill_jobs *jobs, const fault_options *options)
{
    static const char *names[FAIL_N_MODES];
    for (int mode = 0; mode < FAIL_N_MODES; mode++)
        names[mode] = fail_modes[mode].name;
    *points = (kill_points){.what = "fail", .jobs = jobs, .modes = names, .run_one = fail_one};
    for (size_t job = 0; job < jobs->n; job++)
        for (int mode = 0; mode < FAIL_N_MODES && !jobs->jobs[job].survivor; mode++)
            fail_add_mode(points, options, job, mode);
}
