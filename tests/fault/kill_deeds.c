// SPDX-License-Identifier: Apache-2.0
/* The lists of fault_deeds.h as workloads: killed or failing anywhere, every acknowledged deed is there,
 * the one that had begun wholly or not at all, and what was shredded stands in no file. */
#include "kill_work.h"

#include <stdio.h>
#include <stdlib.h>

static memo_status deeds_run(const kill_job *job, const char *folder, fault_progress *progress,
                             memo_err *err)
{
    memo_status status =
        fault_deeds_run(job->world, job->deeds.deeds, folder, fault_progress_told, progress, err);
    atomic_store(&progress->refused, status != MEMO_OK);
    return status;
}

int kill_deeds_check(const kill_job *job, const char *folder, const fault_progress *progress,
                     char why[FAULT_WHY_BYTES])
{
    return fault_deeds_check(&job->deeds, folder, progress, why) != FAULT_FINE;
}

kill_job *kill_deeds_add(kill_jobs *jobs, fault_world *world, const char *name,
                         const kill_kind *kind)
{
    kill_job *job = kill_jobs_add(jobs, world, name, kind);
    const fault_deeds *deeds = fault_deeds_find(name);
    if (!deeds) {
        fprintf(stderr, "kill_points: no deeds \"%s\"\n", name);
        exit(2);
    }
    fault_deeds_prepare(world, deeds, job->image);
    fault_deed_plan_init(&job->deeds, world, deeds, job->image);
    return job;
}

void kill_deeds_add_all(kill_jobs *jobs, fault_world *world)
{
    static const kill_kind kind = {.run = deeds_run, .check = kill_deeds_check, .as_a_whole = 1};
    for (const fault_deeds *deeds = fault_deeds_all; deeds->name; deeds++)
        (void)kill_deeds_add(jobs, world, deeds->name, &kind);
}
