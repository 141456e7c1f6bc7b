// SPDX-License-Identifier: Apache-2.0
/* bench.h -- what the measured programs share: clocks, texts, and the way out.
 *
 * A benchmark that cannot go on has nothing to say: bench_die() ends the process. */
#ifndef MEMO_BENCH_COMMON_H
#define MEMO_BENCH_COMMON_H

#include <memolith/model.h>

#define BENCH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

void bench_die(const char *fmt, ...) BENCH_PRINTF(1, 2) __attribute__((noreturn));
/* Die with the error's message unless status is MEMO_OK. */
void bench_need(memo_status status, const memo_err *err);

double bench_now(void);      /* seconds, monotonic, of all processes alike */
double bench_cpu_time(void); /* seconds of processor that all threads of this process have used */

/* The p-quantile (0..1) of values[n], which are sorted by it: the nearest rank, n >= 1. */
double bench_quantile(double *values, size_t n, double p);

/* The lines of a file, without their breaks; the last may lack one. */
typedef struct bench_lines {
    char *bytes;      /* of all */
    memo_text *texts; /* [n] */
    size_t n, n_bytes;
} bench_lines;

void bench_lines_read(const char *path, bench_lines *lines);
void bench_lines_free(bench_lines *lines);

/* A context at level `cpu` ("" or NULL: the best), or die. */
memo_ctx *bench_ctx(const char *cpu, unsigned n_threads);
memo_model *bench_model(memo_ctx *ctx, const char *path);

#endif
