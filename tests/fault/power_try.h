// SPDX-License-Identifier: Apache-2.0
/* fault/power_try.h -- many disk states of one recorded workload, over worker processes. */
#ifndef MEMO_TESTS_POWER_TRY_H
#define MEMO_TESTS_POWER_TRY_H

#include "fault.h"
#include "power_check.h"
#include "power_shared.h"

typedef struct power_job {
    const power_run *run;
    const char *folder; /* where each worker makes one of its own */
    uint64_t seed;
    power_shared *shared;
    size_t *points; /* [n_points] of the record that are worth trying */
    size_t n_points;
} power_job;

/* The record's points without those after which nothing more and nothing else can be asked. */
void power_job_init(power_job *job, const power_run *run, const char *folder, uint64_t seed,
                    power_shared *shared);
void power_job_fini(power_job *job);

/* Try states until shared->n_states is at least n_states, or nothing new comes up. Prints what
 * fails; returns how many tasks failed. */
size_t power_job_states(power_job *job, uint64_t n_states, unsigned n_workers);
/* Let the power fail again while states are opened, until shared->n_again is at least n_again. */
size_t power_job_again(power_job *job, uint64_t n_again, unsigned n_workers);

/* A folder of its own and a context, for one process. */
typedef struct power_bench {
    const power_job *job;
    char folder[320];
    memo_ctx *ctx;
} power_bench;

void power_bench_init(power_bench *bench, const power_job *job);
void power_bench_fini(power_bench *bench);
power_promise power_bench_promise(const power_bench *bench, size_t point);
/* Lay the files out and check them. */
power_verdict power_bench_check(const power_bench *bench, const power_promise *promise,
                                const power_files *files, char why[512]);
/* Record what opening and closing a store of these files does. */
void power_bench_record_recovery(const power_bench *bench, const power_files *files,
                                 power_log *log);

#endif
