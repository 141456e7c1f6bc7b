// SPDX-License-Identifier: Apache-2.0
#include "kill_work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void work_die(const char *name, const char *why)
{
    fprintf(stderr, "kill_points: %s: %s\n", name, why);
    exit(2);
}

void kill_point_folder(const fault_world *world, char out[300])
{
    snprintf(out, 300, "%s/run-%ld", world->dir, (long)getpid());
}

/* ---- stores -------------------------------------------------------------------------------- */

memo_status kill_store_run(const kill_job *job, const char *folder, fault_progress *progress,
                           memo_err *err)
{
    fault_session session;
    fault_session_init(&session, job->world, folder);
    return fault_workload_run(&session, &job->workload, job->kind->step, job->kind->told, progress,
                              err);
}

int kill_store_check(const kill_job *job, const char *folder, const fault_progress *progress,
                     char why[FAULT_WHY_BYTES])
{
    const fault_allowed allowed = fault_plan_allowed(&job->plan, progress);
    return fault_check(job->world, folder, &allowed, NULL, why);
}

const kill_kind kill_store_kind = {.run = kill_store_run,
                                   .check = kill_store_check,
                                   .step = fault_step_run,
                                   .told = fault_progress_told};

/* ---- traces --------------------------------------------------------------------------------- */

static void work_trace(kill_job *job, uint64_t mask)
{
    seam_plan plan = {.mask = mask, .trace = job->trace, .watch_lock = 1};
    fault_progress *progress = fault_shared(sizeof *progress);
    char folder[300], why[FAULT_WHY_BYTES];
    int status;
    kill_point_folder(job->world, folder);
    fault_folder_copy(job->image, folder);
    job->trace->n = 0;
    if (kill_job_run(job, folder, &plan, progress, &status, why))
        work_die(job->name, why);
    if (WIFEXITED(status) && WEXITSTATUS(status) == KILL_UNLOCKED)
        work_die(job->name, "the store is changed without its writer lock");
    if (status != 0)
        work_die(job->name, "it fails without a fault");
    if (job->trace->n == sizeof job->trace->calls / sizeof *job->trace->calls)
        work_die(job->name, "too many calls");
    if (!job->kind->is_wrong && job->kind->check(job, folder, progress, why))
        work_die(job->name, why);
    fault_folder_remove(folder);
    fault_unshare(progress, sizeof *progress);
}

void kill_jobs_trace(kill_jobs *jobs, uint64_t mask)
{
    for (size_t i = 0; i < jobs->n; i++)
        work_trace(&jobs->jobs[i], mask);
}

/* ---- recovery ------------------------------------------------------------------------------ */

/* What is left of `of` when it is killed in the middle of the last (or n-th last) call of a kind is
 * what the workload `name` starts from. */
typedef struct work_recovery {
    const char *name, *of;
    seam_call call;
    size_t nth_last;
} work_recovery;

static const work_recovery work_recoveries[] = {
    {"after-journal", "create", SEAM_DELETE, 1},    /* the rollback journal of a new store is hot */
    {"after-commit", "batches", SEAM_WRITE, 90},    /* a log of three commits and part of one */
    {"after-checkpoint", "close", SEAM_WRITE, 4},   /* log partly folded into the file */
    {"after-log-full", "log-full", SEAM_WRITE, 12}, /* a log that has begun from the front */
};

static const fault_step work_after[] = {
    {FAULT_PUT, 0, 200, 6, 1},  {FAULT_FORGET, 0, 200, 3, 0}, {FAULT_PUT, 1, 200, 3, 1},
    {FAULT_REOPEN, 0, 0, 0, 0}, {FAULT_PUT, 0, 200, 2, 2},
};

static kill_job *work_find(kill_jobs *jobs, const char *name)
{
    for (size_t i = 0; i < jobs->n; i++)
        if (strcmp(jobs->jobs[i].name, name) == 0)
            return &jobs->jobs[i];
    work_die(name, "no such workload");
    return NULL;
}

/* Number of that call in the trace, from 1; another seed takes a neighbour. */
static size_t work_find_call(const kill_job *of, const work_recovery *recovery, uint64_t seed)
{
    size_t left = recovery->nth_last;
    if (left > 8)
        left += fault_mix(seed, left) % 20;
    for (size_t i = of->trace->n; i > 0; i--)
        if (of->trace->calls[i - 1].call == recovery->call && --left == 0)
            return i;
    work_die(recovery->name, "the workload has no such call");
    return 0;
}

static void work_add_recovery(kill_jobs *jobs, fault_world *world, const work_recovery *recovery)
{
    const kill_job *of = work_find(jobs, recovery->of);
    kill_job *job = kill_jobs_add(jobs, world, recovery->name, &kill_store_kind);
    fault_progress *progress = fault_shared(sizeof *progress);
    seam_plan plan = {.mask = SEAM_CHANGES,
                      .at = work_find_call(of, recovery, world->seed),
                      .action = recovery->call == SEAM_WRITE ? SEAM_KILL_PART : SEAM_KILL_BEFORE,
                      .part = 7};
    fault_allowed allowed;
    fault_state found;
    char copy[300], why[FAULT_WHY_BYTES];
    int status;
    fault_folder_copy(of->image, job->image);
    (void)kill_job_run(of, job->image, &plan, progress, &status, why);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        work_die(job->name, "it was not killed");
    kill_point_folder(world, copy);
    fault_folder_copy(job->image, copy);
    allowed = fault_plan_allowed(&of->plan, progress);
    if (fault_check(world, copy, &allowed, &found, why))
        work_die(job->name, why);
    fault_folder_remove(copy);
    fault_unshare(progress, sizeof *progress);
    job->workload = (fault_workload){
        .name = job->name, .steps = work_after, .n_steps = sizeof work_after / sizeof *work_after};
    fault_plan_init_from(&job->plan, world, &job->workload, &found);
}

/* ---- all of them --------------------------------------------------------------------------- */

kill_job *kill_jobs_add(kill_jobs *jobs, fault_world *world, const char *name,
                        const kill_kind *kind)
{
    kill_job *job;
    if (jobs->n == KILL_MAX_JOBS)
        work_die(name, "too many workloads");
    job = &jobs->jobs[jobs->n++];
    *job = (kill_job){.kind = kind, .world = world};
    snprintf(job->name, sizeof job->name, "%s", name);
    snprintf(job->image, sizeof job->image, "%s/image-%s", world->dir, name);
    mkdir(job->image, 0700);
    job->trace = fault_shared(sizeof *job->trace);
    return job;
}

kill_job *kill_jobs_add_store(kill_jobs *jobs, fault_world *world, const char *name,
                              const fault_workload *workload, const kill_kind *kind)
{
    kill_job *job = kill_jobs_add(jobs, world, name, kind);
    job->workload = *workload;
    fault_plan_init(&job->plan, world, workload);
    fault_workload_prepare(world, workload, job->image);
    return job;
}

void kill_jobs_init(kill_jobs *jobs, fault_world *world)
{
    const size_t n_recoveries = sizeof work_recoveries / sizeof *work_recoveries;
    size_t n;
    *jobs = (kill_jobs){0};
    for (const fault_workload *w = fault_workloads; w->name; w++)
        (void)kill_jobs_add_store(jobs, world, w->name, w, &kill_store_kind);
    for (const fault_workload *w = fault_workloads; w->name; w++)
        if (strcmp(w->name, "close") == 0 || strcmp(w->name, "log-full") == 0) {
            char name[32];
            snprintf(name, sizeof name, "%s-beside", w->name);
            kill_jobs_add_store(jobs, world, name, w, &kill_store_kind)->survivor = 1;
        }
    kill_jobs_trace(jobs, SEAM_CHANGES);
    n = jobs->n;
    for (size_t i = 0; i < n_recoveries; i++)
        work_add_recovery(jobs, world, &work_recoveries[i]);
    kill_files_add(jobs, world);
    kill_reembed_add_all(jobs, world);
    kill_deeds_add_all(jobs, world);
    for (; n < jobs->n; n++)
        work_trace(&jobs->jobs[n], SEAM_CHANGES);
}

void kill_jobs_fini(kill_jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++) {
        fault_plan_fini(&jobs->jobs[i].plan);
        fault_deed_plan_fini(&jobs->jobs[i].deeds);
        fault_unshare(jobs->jobs[i].trace, sizeof *jobs->jobs[i].trace);
    }
}
