// SPDX-License-Identifier: Apache-2.0
/* A run of a workload in a child process, with another process beside it where the job says so. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "kill_work.h"

/* A child of a worker must not outlive it. */
void kill_child_begin(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    alarm(FAULT_POINT_SECONDS / 2);
}

static int child_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* Another process that has the store open while the first one is killed. It must find what was
 * acknowledged through the handle that it has. */
typedef struct kill_beside {
    pid_t pid;
    int go[2], ready[2];
    struct kill_verdict {
        int bad;
        char why[FAULT_WHY_BYTES];
    } * verdict; /* shared */
} kill_beside;

static void beside_work(const kill_job *job, const char *folder, const fault_progress *progress,
                        kill_beside *b)
{
    fault_session session;
    fault_allowed allowed;
    memo_err err = {0};
    char byte;
    kill_child_begin();
    fault_session_init(&session, job->world, folder);
    session.busy_ms = 2000;
    if (fault_session_open(&session, &err))
        b->verdict->bad = fault_fail(b->verdict->why, "the process beside: %s", err.message);
    (void)!write(b->ready[1], "r", 1);
    if (read(b->go[0], &byte, 1) != 1)
        _exit(1);
    if (!b->verdict->bad) {
        const memo_record_in in = {
            .size = sizeof in, .key = "added-after", .text = MEMO_TEXT("from the one beside")};
        char why[FAULT_WHY_BYTES - 40];
        allowed = fault_plan_allowed(&job->plan, progress);
        b->verdict->bad = fault_check_db(job->world, session.db, &allowed, NULL, b->verdict->why);
        if (!b->verdict->bad && memo_db_add(session.db, NULL, &in, 1, NULL, &err))
            b->verdict->bad = fault_fail(b->verdict->why, "cannot add: %s", err.message);
        snprintf(why, sizeof why, "%.500s", b->verdict->why);
        if (b->verdict->bad)
            (void)fault_fail(b->verdict->why, "in the process beside: %s", why);
    }
    fault_session_close(&session);
    _exit(0);
}

static void beside_start(const kill_job *job, const char *folder, const fault_progress *progress,
                         kill_beside *b)
{
    char byte;
    b->verdict = fault_shared(sizeof *b->verdict);
    if (pipe(b->go) != 0 || pipe(b->ready) != 0 || (b->pid = fork()) < 0)
        exit(2);
    if (b->pid == 0)
        beside_work(job, folder, progress, b);
    (void)!read(b->ready[0], &byte, 1);
}

static int beside_end(kill_beside *b, char why[FAULT_WHY_BYTES])
{
    int status, bad;
    (void)!write(b->go[1], "g", 1);
    status = child_wait(b->pid);
    for (int i = 0; i < 2; i++) {
        close(b->go[i]);
        close(b->ready[i]);
    }
    bad = status ? fault_fail(why, "the process beside died (%d)", status) : b->verdict->bad;
    if (bad && !status)
        memcpy(why, b->verdict->why, FAULT_WHY_BYTES);
    fault_unshare(b->verdict, sizeof *b->verdict);
    return bad;
}

static int child_run(const kill_job *job, const char *folder, seam_plan *plan,
                     fault_progress *progress)
{
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        exit(2);
    if (pid == 0) {
        memo_err err = {0};
        memo_status failed;
        kill_child_begin();
        seam_set(plan);
        failed = job->kind->run(job, folder, progress, &err);
        seam_set(NULL);
        if (failed)
            fprintf(stderr, "%s: %s: %s\n", job->name, memo_status_name(failed), err.message);
        if (!failed && plan->n_unlocked)
            _exit(KILL_UNLOCKED);
        _exit(failed != MEMO_OK);
    }
    return child_wait(pid);
}

int kill_job_run(const kill_job *job, const char *folder, seam_plan *plan, fault_progress *progress,
                 int *status, char why[FAULT_WHY_BYTES])
{
    kill_beside beside;
    if (job->survivor)
        beside_start(job, folder, progress, &beside);
    *status = child_run(job, folder, plan, progress);
    return job->survivor ? beside_end(&beside, why) : 0;
}
