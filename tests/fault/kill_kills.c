// SPDX-License-Identifier: Apache-2.0
/* Kill the process at each call that changes a file: before it, after a part of a write (whole
 * sectors, an odd number of bytes, all but the last byte), after it. */
#include "kill_points.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILL_SECTOR = 512, KILL_MANY = 100 };

typedef enum kill_mode { KILL_BEFORE, KILL_SECTORS, KILL_ODD, KILL_LAST, KILL_AFTER } kill_mode;

static const char *const kill_modes[] = {"before", "sectors", "odd", "last", "after"};

/* ---- one point ----------------------------------------------------------------------------- */

static int kill_was_not(int status, char why[FAULT_WHY_BYTES])
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 0;
    if (WIFSIGNALED(status))
        return fault_fail(why, "signal %d instead of the kill", WTERMSIG(status));
    return fault_fail(why, "the call was not reached (exit %d)", WEXITSTATUS(status));
}

static int kill_one(void *user, size_t point, char why[FAULT_WHY_BYTES])
{
    kill_points *points = user;
    const kill_point *p = &points->list[point];
    const kill_job *job = &points->jobs->jobs[p->job];
    static const seam_action actions[] = {SEAM_KILL_BEFORE, SEAM_KILL_PART, SEAM_KILL_PART,
                                          SEAM_KILL_PART, SEAM_KILL_AFTER};
    seam_plan plan = {
        .mask = SEAM_CHANGES, .at = p->at, .action = actions[p->mode], .part = p->part};
    fault_progress *progress = fault_shared(sizeof *progress);
    char folder[300], found[FAULT_WHY_BYTES] = "", again[FAULT_WHY_BYTES];
    int status, bad;
    kill_point_folder(job->world, folder);
    fault_folder_copy(job->image, folder);
    bad = kill_job_run(job, folder, &plan, progress, &status, found);
    bad = kill_was_not(status, bad ? again : found) || bad ||
          job->kind->check(job, folder, progress, found);
    fault_unshare(progress, sizeof *progress);
    if (!bad)
        return 0;
    atomic_fetch_add(&points->shared->n_failed[p->job], 1);
    kill_points_name(points, point, again);
    return fault_fail(why, "%s, killed at %s number %zu (%s): %.300s\n  %.250s", job->name,
                      seam_call_name(job->trace->calls[p->at - 1].call), p->at, kill_modes[p->mode],
                      found, again);
}

/* ---- all of them --------------------------------------------------------------------------- */

static void kill_add(kill_points *points, const fault_options *o, size_t job, size_t at,
                     kill_mode mode, size_t part)
{
    if (kill_points_wanted(o, &points->jobs->jobs[job], at, kill_modes[mode]))
        kill_points_add(points, job, at, (int)mode, part);
}

/* After a write comes the next call's "before": the same bytes on the disk. A write of several
 * sectors is cut in two of the three ways, one of deeds in one, and of deeds with very many calls every
 * other is taken; another seed takes others. */
static void kill_add_call(kill_points *points, const fault_options *o, size_t job, size_t at)
{
    const struct seam_record *r = &points->jobs->jobs[job].trace->calls[at - 1];
    int writes = r->call == SEAM_WRITE || r->call == SEAM_SYS_PWRITE;
    uint64_t x = fault_mix(o->seed, job << 20 | at);
    size_t n = r->amount;
    int is_deed = points->jobs->jobs[job].deeds.deeds != NULL;
    unsigned pick = 1u << (x >> 40) % 3, all = 7;
    unsigned ways = n <= KILL_SECTOR ? all : is_deed ? pick : all & ~pick;
    if (is_deed && points->jobs->jobs[job].trace->n > KILL_MANY && o->point < 0 && (x >> 8) % 2)
        return;
    kill_add(points, o, job, at, KILL_BEFORE, 0);
    if (!writes)
        kill_add(points, o, job, at, KILL_AFTER, 0);
    if (!writes || n < 3)
        return;
    if (ways & 1)
        kill_add(points, o, job, at, KILL_ODD, (x >> 20) % ((n - 1) / 2) * 2 + 1);
    if (n > KILL_SECTOR && ways & 2)
        kill_add(points, o, job, at, KILL_SECTORS, (1 + x % ((n - 1) / KILL_SECTOR)) * KILL_SECTOR);
    if (n > KILL_SECTOR && ways & 4 && (n - 1) % KILL_SECTOR != 0)
        kill_add(points, o, job, at, KILL_LAST, n - 1);
}

void kill_kills_init(kill_points *points, kill_jobs *jobs, const fault_options *options)
{
    *points = (kill_points){.what = "kill", .jobs = jobs, .modes = kill_modes, .run_one = kill_one};
    for (size_t job = 0; job < jobs->n; job++)
        for (size_t at = 1; at <= jobs->jobs[job].trace->n; at++)
            kill_add_call(points, options, job, at);
}
