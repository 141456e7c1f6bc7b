// SPDX-License-Identifier: Apache-2.0
/* Kill a process at every call that changes a file, and in the middle of every write; fail every
 * call in every way it can fail. Each is a point: (workload, number of the call, mode).
 *
 *   kill_points                    all points, and things broken on purpose: each must be noticed
 *   kill_points --quick            a sample of the points
 *   kill_points --control          only what is broken on purpose
 *   kill_points --workload W --point N --mode M --seed S      one point again */
#include "kill_points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINTS_QUICK_KILLS = 150,
    POINTS_QUICK_FAILS = 100,
    POINTS_LEAST_KILLS =
        10000, /* of a run of all: a sweep that has shrunk proves less than is said */
    POINTS_LEAST_FAILS = 5000,
};

void kill_points_report(const kill_points *points, double seconds, size_t n_failed)
{
    const fault_options *o = points->options;
    for (size_t i = 0; i < points->jobs->n; i++) {
        const kill_job *job = &points->jobs->jobs[i];
        size_t n_of = 0;
        for (size_t p = 0; p < points->n; p++)
            n_of += points->list[p].job == i;
        if (n_of > 0)
            printf("  %-18s %6zu calls %6zu points %4zu failed\n", job->name, job->trace->n, n_of,
                   (size_t)points->shared->n_failed[i]);
    }
    printf("%s: %zu distinct points", points->what, points->n);
    if (points->n_all > points->n)
        printf(" of %zu", points->n_all);
    printf(", %zu failed; seed %llu, %.1f s on %u processes\n", n_failed,
           (unsigned long long)o->seed, seconds, o->n_workers);
}

size_t kill_points_run(kill_points *points, const fault_options *options)
{
    points->options = options;
    points->shared = fault_shared(sizeof *points->shared);
    return fault_pool_run(points->n, options->n_workers, points->run_one, kill_points_name, points);
}

void kill_points_fini(kill_points *points)
{
    if (points->shared)
        fault_unshare(points->shared, sizeof *points->shared);
    free(points->list);
    *points = (kill_points){0};
}

void kill_points_name(void *user, size_t point, char why[FAULT_WHY_BYTES])
{
    const kill_points *points = user;
    const kill_point *p = &points->list[point];
    (void)fault_fail(why, "again: %s --workload %s --point %zu --mode %s --seed %llu",
                     points->options->program, points->jobs->jobs[p->job].name, p->at,
                     points->modes[p->mode],
                     (unsigned long long)points->jobs->jobs[p->job].world->seed);
}

void kill_points_add(kill_points *points, size_t job, size_t at, int mode, size_t part)
{
    if (points->n == points->cap) {
        points->cap = points->cap ? points->cap * 2 : 4096;
        points->list = realloc(points->list, points->cap * sizeof *points->list);
        if (!points->list)
            exit(2);
    }
    points->list[points->n++] = (kill_point){job, at, part, mode};
}

int kill_points_wanted(const fault_options *o, const kill_job *job, size_t at, const char *mode)
{
    if (o->workload && strcmp(o->workload, job->name) != 0)
        return 0;
    if (o->mode && strcmp(o->mode, mode) != 0)
        return 0;
    return o->point < 0 || (size_t)o->point == at;
}

void kill_points_sample(kill_points *points, size_t most)
{
    size_t kept = 0, every = (points->n + most - 1) / most;
    points->n_all = points->n;
    if (every < 2)
        return;
    for (size_t i = 0; i < points->n; i++)
        if (i % every == every / 2)
            points->list[kept++] = points->list[i];
    points->n = kept;
}

/* ---- the program --------------------------------------------------------------------------- */

static size_t points_run_all(kill_points *points, const fault_options *o, size_t most, size_t least,
                             size_t *n)
{
    double begin = fault_seconds();
    size_t n_failed = 0;
    if (o->quick)
        kill_points_sample(points, most);
    if (points->n) {
        n_failed = kill_points_run(points, o);
        kill_points_report(points, fault_seconds() - begin, n_failed);
    }
    if (!o->quick && !o->workload && !o->mode && o->point < 0 && points->n < least) {
        printf("FAILED: fewer than %zu points\n", least);
        n_failed++;
    }
    *n += points->n;
    kill_points_fini(points);
    return n_failed;
}

static size_t points_of_a_seed(fault_world *world, const fault_options *o, size_t *n)
{
    kill_jobs *jobs = malloc(sizeof *jobs);
    kill_points points;
    size_t n_failed;
    if (!jobs)
        exit(2);
    kill_jobs_init(jobs, world);
    kill_kills_init(&points, jobs, o);
    n_failed = points_run_all(&points, o, POINTS_QUICK_KILLS, POINTS_LEAST_KILLS, n);
    kill_jobs_trace(jobs, SEAM_ALL);
    kill_fails_init(&points, jobs, o);
    n_failed += points_run_all(&points, o, POINTS_QUICK_FAILS, POINTS_LEAST_FAILS, n);
    kill_jobs_fini(jobs);
    free(jobs);
    return n_failed;
}

int main(int argc, char **argv)
{
    fault_options options;
    size_t n = 0, n_failed = 0;
    fault_options_parse(&options, argc, argv);
    for (unsigned i = 0; i < options.scale; i++) {
        fault_options now = options;
        fault_world world;
        now.seed += i;
        fault_world_init(&world, now.seed);
        if (!now.control)
            n_failed += points_of_a_seed(&world, &now, &n);
        if (i == 0 && (now.control || (!now.workload && !now.mode)))
            n_failed += kill_controls(&world, &now, &n);
        fault_world_fini(&world);
    }
    printf("%zu passed, %zu failed, 0 skipped\n", n - n_failed, n_failed);
    if (n == 0)
        fprintf(stderr, "no such point\n");
    return n_failed || n == 0;
}
