// SPDX-License-Identifier: Apache-2.0
/* Negative controls: programs that break a rule on purpose, and faults that nothing can stand. The
 * harness must say so, or it proves nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "kill_points.h"

enum { CONTROL_POINTS = 48, CONTROL_QUICK_POINTS = 20 };

/* ---- programs that break a rule ------------------------------------------------------------ */

/* Acknowledges what has only begun. */
static void control_tell_early(void *user, size_t number, int done)
{
    fault_progress_told(user, number, 0);
    fault_progress_told(user, number, 1);
    (void)done;
}

/* Two commits for what is one change. */
static memo_status control_half_step(fault_session *session, const fault_step *step, memo_err *err)
{
    fault_step half = *step;
    memo_status status;
    if (step->kind != FAULT_PUT || step->n < 2)
        return fault_step_run(session, step, err);
    half.n = step->n / 2;
    status = fault_step_run(session, &half, err);
    half.first += half.n;
    half.n = step->n - half.n;
    return status ? status : fault_step_run(session, &half, err);
}

/* Tidies up: takes the log for something left over. */
static int control_check_without_log(const kill_job *job, const char *folder,
                                     const fault_progress *progress, char why[FAULT_WHY_BYTES])
{
    char path[400];
    snprintf(path, sizeof path, "%s/s.memo-wal", folder);
    unlink(path);
    return kill_store_check(job, folder, progress, why);
}

/* Writes where the old file is. */
static memo_status control_write_in_place(const char *path, int version, int overwrite,
                                          memo_err *err)
{
    const memo_sys *sys = memo_sys_get();
    char bytes[KILL_FILE_BYTES];
    int fd = sys->open(path, O_WRONLY | O_CREAT | (overwrite ? 0 : O_EXCL), 0600);
    int good = fd >= 0;
    kill_file_fill(bytes, version);
    for (size_t at = 0; good && at < sizeof bytes; at += KILL_FILE_PIECE)
        good = sys->pwrite(fd, bytes + at, KILL_FILE_PIECE, (off_t)at) == KILL_FILE_PIECE;
    good = good && sys->fsync(fd) == 0;
    if (fd >= 0)
        sys->close(fd);
    return good ? MEMO_OK : memo_fail(err, MEMO_ERR_IO, "%s: cannot be written", path);
}

/* Does not look at what memo_replace_append() says. */
static memo_status control_write_unseeing(const char *path, int version, int overwrite,
                                          memo_err *err)
{
    char bytes[KILL_FILE_BYTES];
    memo_replace out;
    memo_status status = memo_replace_begin(&out, path, overwrite, err);
    kill_file_fill(bytes, version);
    for (size_t at = 0; at < sizeof bytes && !status; at += KILL_FILE_PIECE)
        (void)memo_replace_append(&out, bytes + at, KILL_FILE_PIECE, err);
    if (!status)
        status = memo_replace_commit(&out, err);
    memo_replace_fini(&out);
    return status;
}

/* Gives back nothing when it fails. */
static memo_status control_write_leaking(const char *path, int version, int overwrite,
                                         memo_err *err)
{
    char bytes[KILL_FILE_BYTES];
    memo_replace out;
    memo_status status = memo_replace_begin(&out, path, overwrite, err);
    kill_file_fill(bytes, version);
    if (!status)
        status = memo_replace_append(&out, bytes, sizeof bytes, err);
    if (!status)
        status = memo_replace_commit(&out, err);
    if (!status)
        memo_replace_fini(&out);
    return status;
}

/* A switch is acknowledged before it is made. */
static memo_status control_run_switch_early(const kill_job *job, const char *folder,
                                            fault_progress *progress, memo_err *err)
{
    atomic_store(&progress->n_begun, 2);
    atomic_store(&progress->n_acked, 2);
    return kill_reembed_run(job, folder, progress, err);
}

static memo_status control_run_forget(const kill_job *job, const char *folder,
                                      fault_progress *progress, memo_err *err)
{
    return fault_deeds_run_instead(job->world, job->deeds.deeds, folder, fault_deed_shred,
                                   fault_deed_forget, fault_progress_told, progress, err);
}

static memo_status control_run_replace_in_two(const kill_job *job, const char *folder,
                                              fault_progress *progress, memo_err *err)
{
    return fault_deeds_run_instead(job->world, job->deeds.deeds, folder, fault_deed_replace,
                                   fault_deed_replace_in_two, fault_progress_told, progress, err);
}

static memo_status control_run_deeds_early(const kill_job *job, const char *folder,
                                           fault_progress *progress, memo_err *err)
{
    return fault_deeds_run(job->world, job->deeds.deeds, folder, control_tell_early, progress, err);
}

/* ---- the list ------------------------------------------------------------------------------ */

typedef struct control {
    const char *name;
    const char *workload; /* of a store, or NULL: files */
    int fails;            /* calls fail, else the process is killed */
    const char *mode;     /* only this one, or NULL */
    const char *expected; /* in what the harness says */
    kill_kind kind;
} control;

static const control controls[] = {
    {"acknowledged before the commit",
     "adds",
     0,
     NULL,
     "acknowledged",
     {.run = kill_store_run,
      .check = kill_store_check,
      .step = fault_step_run,
      .told = control_tell_early}},
    {"one change in two commits",
     "batches",
     0,
     NULL,
     "acknowledged",
     {.run = kill_store_run,
      .check = kill_store_check,
      .step = control_half_step,
      .told = fault_progress_told}},
    {"the log is removed before opening",
     "batches",
     0,
     NULL,
     "acknowledged",
     {.run = kill_store_run,
      .check = control_check_without_log,
      .step = fault_step_run,
      .told = fault_progress_told}},
    {"a model's switch is acknowledged before it is made",
     "set-model",
     0,
     NULL,
     "acknowledged",
     {.run = control_run_switch_early, .check = kill_reembed_check, .as_a_whole = 1}},
    {"records are forgotten where they should be shredded",
     "shred",
     0,
     NULL,
     "stands in",
     {.run = control_run_forget, .check = kill_deeds_check, .as_a_whole = 1, .is_wrong = 1}},
    {"a fact is replaced in two commits",
     "replace-facts",
     0,
     NULL,
     "differs",
     {.run = control_run_replace_in_two,
      .check = kill_deeds_check,
      .as_a_whole = 1,
      .is_wrong = 1}},
    {"what is done with results is acknowledged before its commit",
     "feedback",
     0,
     NULL,
     "acknowledged",
     {.run = control_run_deeds_early, .check = kill_deeds_check, .as_a_whole = 1, .is_wrong = 1}},
    {"an import is acknowledged before its last group",
     "import-files",
     0,
     NULL,
     "acknowledged",
     {.run = control_run_deeds_early, .check = kill_deeds_check, .as_a_whole = 1, .is_wrong = 1}},
    {"a file is written in place",
     NULL,
     0,
     NULL,
     "file",
     {.run = kill_file_run, .check = kill_file_check, .write = control_write_in_place}},
    {"one change in two commits, calls fail",
     "batches",
     1,
     "enospc",
     "seen after",
     {.run = kill_store_run,
      .check = kill_store_check,
      .step = control_half_step,
      .told = fault_progress_told}},
    {"writes that never happen are reported as done",
     "batches",
     1,
     "lost-write",
     "does not open",
     {.run = kill_store_run,
      .check = kill_store_check,
      .step = fault_step_run,
      .told = fault_progress_told}},
    {"failed syncs are ignored",
     "adds",
     1,
     "ignored-sync",
     "unnoticed",
     {.run = kill_store_run,
      .check = kill_store_check,
      .step = fault_step_run,
      .told = fault_progress_told}},
    {"failed writes of a file are ignored",
     NULL,
     1,
     "enospc",
     "file",
     {.run = kill_file_run, .check = kill_file_check, .write = control_write_unseeing}},
    {"a failed writer gives nothing back",
     NULL,
     1,
     "enospc",
     "left",
     {.run = kill_file_run, .check = kill_file_check, .write = control_write_leaking}},
};

/* ---- running them -------------------------------------------------------------------------- */

typedef struct control_run {
    const control *control;
    kill_points points;
    struct control_caught {
        _Atomic size_t n;
        _Atomic int has_why;
        char why[FAULT_WHY_BYTES];
    } * caught; /* shared */
} control_run;

/* Notes what the harness says of a point; the point itself has then passed. */
static int control_one(void *user, size_t point, char why[FAULT_WHY_BYTES])
{
    control_run *run = user;
    if (!run->points.run_one(&run->points, point, why) || !strstr(why, run->control->expected))
        return 0;
    atomic_fetch_add(&run->caught->n, 1);
    if (!atomic_exchange(&run->caught->has_why, 1))
        memcpy(run->caught->why, why, FAULT_WHY_BYTES);
    return 0;
}

static const fault_workload *control_find_workload(const char *name)
{
    const fault_workload *w = fault_workloads;
    while (w->name && strcmp(w->name, name) != 0)
        w++;
    return w;
}

static void control_say(const control_run *run)
{
    char *end = strchr(run->caught->why, '\n');
    if (end)
        *end = '\0';
    printf("%s %s: noticed at %zu of %zu points%s%s\n",
           run->caught->n ? "control:" : "FAILED control:", run->control->name,
           (size_t)run->caught->n, run->points.n, run->caught->n ? ": " : "", run->caught->why);
}

/* Returns whether it was noticed. */
static int control_try(fault_world *world, const control *c, const fault_options *options)
{
    kill_jobs *jobs = calloc(1, sizeof *jobs);
    fault_options o = *options;
    control_run run = {.control = c, .caught = fault_shared(sizeof *run.caught)};
    int noticed;
    if (!jobs)
        exit(2);
    o.mode = c->mode;
    if (c->workload && strcmp(c->workload, "set-model") == 0)
        (void)kill_reembed_add(jobs, world, "control-switch", &c->kind);
    else if (c->workload && fault_deeds_find(c->workload))
        (void)kill_deeds_add(jobs, world, c->workload, &c->kind);
    else if (c->workload)
        (void)kill_jobs_add_store(jobs, world, "control", control_find_workload(c->workload),
                                  &c->kind);
    else
        (void)kill_file_add(jobs, world, "control", &c->kind);
    kill_jobs_trace(jobs, c->fails ? SEAM_ALL : SEAM_CHANGES);
    (c->fails ? kill_fails_init : kill_kills_init)(&run.points, jobs, &o);
    kill_points_sample(&run.points, o.quick ? CONTROL_QUICK_POINTS : CONTROL_POINTS);
    run.points.options = &o;
    run.points.shared = fault_shared(sizeof *run.points.shared);
    (void)fault_pool_run(run.points.n, o.n_workers, control_one, NULL, &run);
    control_say(&run);
    noticed = run.caught->n > 0;
    fault_unshare(run.caught, sizeof *run.caught);
    kill_points_fini(&run.points);
    kill_jobs_fini(jobs);
    free(jobs);
    return noticed;
}

/* The lock rule: flock() says yes and locks nothing. */
static int control_try_unlocked(fault_world *world)
{
    kill_jobs *jobs = calloc(1, sizeof *jobs);
    seam_plan plan = {.mask = SEAM_BIT(SYS_FLOCK),
                      .at = 1,
                      .action = SEAM_SWALLOW,
                      .sticky = SEAM_BIT(SYS_FLOCK),
                      .watch_lock = 1};
    fault_progress *progress = fault_shared(sizeof *progress);
    char why[FAULT_WHY_BYTES];
    kill_job *job;
    int status, noticed;
    if (!jobs)
        exit(2);
    job = kill_jobs_add_store(jobs, world, "control", control_find_workload("adds"),
                              &kill_store_kind);
    (void)kill_job_run(job, job->image, &plan, progress, &status, why);
    noticed = WIFEXITED(status) && WEXITSTATUS(status) == KILL_UNLOCKED;
    printf("%s without the writer lock: %s\n", noticed ? "control:" : "FAILED control:",
           noticed ? "noticed: the store is changed while nobody holds it" : "not noticed");
    fault_unshare(progress, sizeof *progress);
    kill_jobs_fini(jobs);
    free(jobs);
    return noticed;
}

size_t kill_controls(fault_world *world, const fault_options *options, size_t *n)
{
    size_t n_missed = 0, n_controls = sizeof controls / sizeof *controls;
    fault_options o = *options;
    o.workload = NULL;
    o.point = -1;
    for (size_t i = 0; i < n_controls; i++)
        n_missed += !control_try(world, &controls[i], &o);
    n_missed += !control_try_unlocked(world);
    *n += n_controls + 1;
    return n_missed;
}
