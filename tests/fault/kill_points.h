// SPDX-License-Identifier: Apache-2.0
/* fault/kill_points.h -- the points of the harness and its three parts. */
#ifndef MEMO_TESTS_KILL_POINTS_H
#define MEMO_TESTS_KILL_POINTS_H

#include "kill_work.h"

typedef struct kill_point {
    size_t job;  /* of the list */
    size_t at;   /* number of the call */
    size_t part; /* bytes of a write that take place */
    int mode;
} kill_point;

typedef struct kill_points {
    const char *what; /* "kill" */
    kill_jobs *jobs;
    const char *const *modes; /* their names */
    fault_point_fn run_one;   /* user: this */
    const fault_options *options;
    size_t n, cap, n_all; /* n_all: before a sample was taken */
    kill_point *list;
    struct kill_shared {
        _Atomic size_t n_failed[KILL_MAX_JOBS];
    } * shared;
} kill_points;

/* All points that the options ask for (kill_kills.c, kill_fails.c); jobs are traced with
 * SEAM_CHANGES for the first and SEAM_ALL for the second. */
void kill_kills_init(kill_points *points, kill_jobs *jobs, const fault_options *options);
void kill_fails_init(kill_points *points, kill_jobs *jobs, const fault_options *options);
void kill_points_fini(kill_points *points);

void kill_points_add(kill_points *points, size_t job, size_t at, int mode, size_t part);
int kill_points_wanted(const fault_options *options, const kill_job *job, size_t at,
                       const char *mode);
/* Keep about `most`, evenly. */
void kill_points_sample(kill_points *points, size_t most);
/* Run them all; returns how many failed. */
size_t kill_points_run(kill_points *points, const fault_options *options);
void kill_points_report(const kill_points *points, double seconds, size_t n_failed);
void kill_points_name(void *user, size_t point, char why[FAULT_WHY_BYTES]); /* "again: ..." */

/* What is broken on purpose and must be noticed (kill_control.c). Adds how many there are to *n;
 * returns how many were not noticed. */
size_t kill_controls(fault_world *world, const fault_options *options, size_t *n);

#endif
