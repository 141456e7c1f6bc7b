// SPDX-License-Identifier: Apache-2.0
/* fault/kill_work.h -- the workloads of the kill harness: the common ones on a store; recovery from
 * what an earlier kill left; a second process that has the store open meanwhile; files that are
 * replaced as a whole; another model for a store in use; and the deeds of fault_deeds.h. */
#ifndef MEMO_TESTS_KILL_WORK_H
#define MEMO_TESTS_KILL_WORK_H

#include "fault.h"
#include "fault_deeds.h"
#include "kill_seam.h"

typedef struct kill_job kill_job;

/* Make or replace a file whose bytes are of this version. */
typedef memo_status (*kill_writer)(const char *path, int version, int overwrite, memo_err *err);

typedef struct kill_kind {
    /* Do the work in `folder`, a copy of the job's image; MEMO_OK when all of it is done. */
    memo_status (*run)(const kill_job *job, const char *folder, fault_progress *progress,
                       memo_err *err);
    /* What is there now? */
    int (*check)(const kill_job *job, const char *folder, const fault_progress *progress,
                 char why[FAULT_WHY_BYTES]);
    fault_step_fn step; /* of a job with a workload, as is the next */
    fault_told_fn told;
    kill_writer write; /* of kill_file_run() */
    int as_a_whole;    /* where calls fail run() is done, too, not step by step; so for files */
    int is_wrong;      /* a control: what it leaves without harm is not right either */
} kill_kind;

/* A store that follows a workload of fault.h. */
extern const kill_kind kill_store_kind;
memo_status kill_store_run(const kill_job *job, const char *folder, fault_progress *progress,
                           memo_err *err);
int kill_store_check(const kill_job *job, const char *folder, const fault_progress *progress,
                     char why[FAULT_WHY_BYTES]);

/* A workload, ready to be run many times. */
struct kill_job {
    char name[32];
    const kill_kind *kind;
    fault_world *world;
    fault_workload workload; /* of a store */
    fault_plan plan;
    fault_deed_plan deeds; /* or this, with deeds.deeds */
    int survivor;          /* another process has the store open while it happens */
    char image[300];       /* what each run starts from */
    seam_trace *trace;     /* shared: the calls of a run in which nothing happens */
};

enum { KILL_MAX_JOBS = 32 };

typedef struct kill_jobs {
    size_t n;
    kill_job jobs[KILL_MAX_JOBS];
} kill_jobs;

/* All of them, images made, and traced with SEAM_CHANGES. Exits when something fails without a fault
 * or when a store is changed without its writer lock. */
void kill_jobs_init(kill_jobs *jobs, fault_world *world);
void kill_jobs_fini(kill_jobs *jobs);
/* Count the calls of runs without harm anew. */
void kill_jobs_trace(kill_jobs *jobs, uint64_t mask);

/* One more, with an empty image; and one that runs a workload on a store, prepared. */
kill_job *kill_jobs_add(kill_jobs *jobs, fault_world *world, const char *name,
                        const kill_kind *kind);
kill_job *kill_jobs_add_store(kill_jobs *jobs, fault_world *world, const char *name,
                              const fault_workload *workload, const kill_kind *kind);

enum { KILL_UNLOCKED = 3 }; /* exit status: the store was changed without its lock */

/* Run the job in a child process with a plan; *status is waitpid()'s. Non-zero when the process
 * beside it, if it has one, found something wrong afterwards: `why` (kill_beside.c). */
int kill_job_run(const kill_job *job, const char *folder, seam_plan *plan, fault_progress *progress,
                 int *status, char why[FAULT_WHY_BYTES]);

/* First thing in a child: it ends with its parent, and when it takes too long. */
void kill_child_begin(void);

/* A folder of this process for one point after another. */
void kill_point_folder(const fault_world *world, char out[300]);

/* ---- another model for a store in use (kill_reembed.c) ---------------------------------------- */

void kill_reembed_add_all(kill_jobs *jobs, fault_world *world);
/* One, with another kind than its own; `name` ends in "cut" for a model that takes few tokens. */
kill_job *kill_reembed_add(kill_jobs *jobs, fault_world *world, const char *name,
                           const kill_kind *kind);
memo_status kill_reembed_run(const kill_job *job, const char *folder, fault_progress *progress,
                             memo_err *err);
int kill_reembed_check(const kill_job *job, const char *folder, const fault_progress *progress,
                       char why[FAULT_WHY_BYTES]);

/* ---- deeds (kill_deeds.c) --------------------------------------------------------------------- */

void kill_deeds_add_all(kill_jobs *jobs, fault_world *world);
/* One list by its name, with another kind than its own. */
kill_job *kill_deeds_add(kill_jobs *jobs, fault_world *world, const char *name,
                         const kill_kind *kind);
int kill_deeds_check(const kill_job *job, const char *folder, const fault_progress *progress,
                     char why[FAULT_WHY_BYTES]);

/* ---- files that are replaced as a whole (kill_files.c) -------------------------------------- */

void kill_files_add(kill_jobs *jobs, fault_world *world);

/* File "a" is replaced twice and "b" made, with these bytes. */
enum { KILL_FILE_BYTES = 40000, KILL_FILE_PIECE = 8000 };
void kill_file_fill(char bytes[KILL_FILE_BYTES], int version);
memo_status kill_file_run(const kill_job *job, const char *folder, fault_progress *progress,
                          memo_err *err);
int kill_file_check(const kill_job *job, const char *folder, const fault_progress *progress,
                    char why[FAULT_WHY_BYTES]);
kill_job *kill_file_add(kill_jobs *jobs, fault_world *world, const char *name,
                        const kill_kind *kind);

#endif
