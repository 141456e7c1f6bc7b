// SPDX-License-Identifier: Apache-2.0
#include "common/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"

void bench_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void bench_need(memo_status status, const memo_err *err)
{
    if (status)
        bench_die("%s: %s", memo_status_name(status), err->message);
}

static double bench_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

double bench_cpu_time(void)
{
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_quantile(double *values, size_t n, double p)
{
    qsort(values, n, sizeof *values, bench_by_value);
    size_t rank = (size_t)(p * (double)n);
    return values[rank < n ? rank : n - 1];
}

void bench_lines_read(const char *path, bench_lines *lines)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    lines->bytes = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!lines->bytes)
        bench_die("cannot read %s", path);
    rewind(file);
    lines->n_bytes = fread(lines->bytes, 1, (size_t)size, file);
    fclose(file);
    size_t most = 1;
    for (size_t i = 0; i < lines->n_bytes; i++)
        most += lines->bytes[i] == '\n';
    lines->texts = malloc(most * sizeof *lines->texts);
    if (!lines->texts)
        bench_die("no memory for %zu lines of %s", most, path);
    lines->n = 0;
    for (size_t begin = 0; begin < lines->n_bytes;) {
        const char *text = lines->bytes + begin;
        const char *end = memchr(text, '\n', lines->n_bytes - begin);
        size_t n = end ? (size_t)(end - text) : lines->n_bytes - begin;
        lines->texts[lines->n++] = (memo_text){text, n};
        begin += n + 1;
    }
}

void bench_lines_free(bench_lines *lines)
{
    free(lines->texts);
    free(lines->bytes);
}

static memo_cpu bench_cpu(const char *name)
{
    for (memo_cpu cpu = MEMO_CPU_AUTO; name && *name && cpu < MEMO_CPU_COUNT; cpu++)
        if (!strcmp(memo_cpu_name(cpu), name))
            return cpu;
    if (name && *name)
        bench_die("no level is called %s", name);
    return MEMO_CPU_AUTO;
}

memo_ctx *bench_ctx(const char *cpu, unsigned n_threads)
{
    memo_ctx_options options = {.size = sizeof options, .n_threads = n_threads};
    memo_err err = {0};
    memo_ctx *ctx = NULL;
    options.cpu = bench_cpu(cpu);
    bench_need(memo_ctx_new(&options, &ctx, &err), &err);
    return ctx;
}

memo_model *bench_model(memo_ctx *ctx, const char *path)
{
    memo_err err = {0};
    memo_model *model = NULL;
    bench_need(memo_model_open(ctx, path, NULL, &model, &err), &err);
    return model;
}
