// SPDX-License-Identifier: Apache-2.0
/* bench_embed -- memolith as one of the processes that run.py measures in turn.
 *
 *   bench_embed MODEL TEXTS [--threads N] [--cpu LEVEL] [--seconds S]
 *
 * Opens the model, says READY, then reads the name of a workload a line from stdin and answers each
 * with one JSON object and DONE; an empty line or the end of stdin ends it. Workloads:
 *
 *   BxL     calls with B texts of L tokens each, from TEXTS/tL.txt
 *   mixed   TEXTS/mixed.txt in one call
 *
 * A call takes texts, so its time includes tokenization; the peers are handed token ids in BxL. The
 * process is the library and nothing else, so that its peak memory is the library's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "common/bench.h"

#define SAMPLES_MAX 20000

typedef struct embed_bench {
    memo_model *model;
    const char *texts; /* folder */
    double seconds;    /* of one workload, about */
    size_t dim;
    double wall[SAMPLES_MAX], cpu[SAMPLES_MAX]; /* of each call */
} embed_bench;

static void run_call(embed_bench *b, const memo_text *texts, size_t n, float *vectors,
                     memo_embed_result *results)
{
    memo_err err = {0};
    bench_need(memo_model_embed(b->model, NULL, texts, n, vectors, results, &err), &err);
}

/* Call with `batch` texts, another part of the lines each time, until the time is used up; returns
 * the number of calls. The first call is not counted unless it alone takes longer than all may. */
static size_t run_calls(embed_bench *b, const bench_lines *lines, size_t batch, float *vectors)
{
    size_t n = 0, n_parts = lines->n / batch;
    double first = bench_now();
    if (b->seconds > 0.0)
        run_call(b, lines->texts, batch, vectors, NULL);
    double begin = bench_now();
    if (begin - first > b->seconds)
        begin = first;
    do {
        double wall = bench_now(), cpu = bench_cpu_time();
        run_call(b, lines->texts + n % n_parts * batch, batch, vectors, NULL);
        b->cpu[n] = bench_cpu_time() - cpu;
        b->wall[n++] = bench_now() - wall;
    } while (bench_now() - begin < b->seconds && n < SAMPLES_MAX);
    return n;
}

/* Tokens that the model sees of the first `n` lines. */
static size_t count_tokens(embed_bench *b, const bench_lines *lines, size_t n, float *vectors)
{
    memo_embed_result *results = calloc(n, sizeof *results);
    size_t tokens = 0;
    if (!results)
        bench_die("no memory for %zu results", n);
    results->size = sizeof *results;
    run_call(b, lines->texts, n, vectors, results);
    for (size_t i = 0; i < n; i++)
        tokens += results[i].n_tokens_seen;
    free(results);
    return tokens;
}

static void run_workload(embed_bench *b, const char *name)
{
    char path[4096];
    char *end;
    bench_lines lines;
    int mixed = !strcmp(name, "mixed");
    unsigned long batch = strtoul(name, &end, 10);
    if (!mixed && (batch == 0 || *end != 'x'))
        bench_die("no workload is called %s", name);
    snprintf(path, sizeof path, "%s/%s%s.txt", b->texts, mixed ? "" : "t", mixed ? name : end + 1);
    bench_lines_read(path, &lines);
    if (mixed)
        batch = lines.n;
    if (batch == 0 || batch > lines.n)
        bench_die("%s holds %zu texts; %s needs %lu", path, lines.n, name, batch);
    float *vectors = malloc(batch * b->dim * sizeof *vectors);
    if (!vectors)
        bench_die("no memory for %lu vectors", batch);
    double seconds = b->seconds;
    size_t tokens;
    if (mixed) /* one cold call is the workload; the peers' tokens are counted by their tokenizer */
        b->seconds = 0.0, tokens = 0;
    else
        tokens = count_tokens(b, &lines, batch, vectors);
    size_t n = run_calls(b, &lines, batch, vectors);
    b->seconds = seconds;
    printf("{\"workload\": \"%s\", \"texts\": %lu, \"tokens\": %zu, \"calls\": %zu, "
           "\"ms\": %.5f, \"cpu_ms\": %.5f, \"p90_ms\": %.5f, \"p99_ms\": %.5f, "
           "\"peak_kib\": %lu}\nDONE\n",
           name, batch, tokens, n, 1e3 * bench_quantile(b->wall, n, 0.5),
           1e3 * bench_quantile(b->cpu, n, 0.5), 1e3 * bench_quantile(b->wall, n, 0.9),
           1e3 * bench_quantile(b->wall, n, 0.99), (unsigned long)(memo_memory_peak() / 1024));
    fflush(stdout);
    free(vectors);
    bench_lines_free(&lines);
}

int main(int argc, char **argv)
{
    static embed_bench b = {.seconds = 0.3};
    const char *cpu = NULL;
    unsigned threads = 1;
    char line[64];
    if (argc < 3 || argc % 2 == 0)
        bench_die("usage: bench_embed MODEL TEXTS [--threads N] [--cpu LEVEL] [--seconds S]");
    for (int i = 3; i < argc; i += 2) {
        if (!strcmp(argv[i], "--threads"))
            threads = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--cpu"))
            cpu = argv[i + 1];
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = strtod(argv[i + 1], NULL);
        else
            bench_die("no option is called %s", argv[i]);
    }
    memo_ctx *ctx = bench_ctx(cpu, threads);
    memo_model_info info = {.size = sizeof info};
    b.model = bench_model(ctx, argv[1]);
    b.texts = argv[2];
    memo_model_get_info(b.model, &info, NULL);
    b.dim = info.dim;
    printf("READY\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && line[0] != '\n') {
        line[strcspn(line, "\n")] = '\0';
        run_workload(&b, line);
    }
    memo_model_close(b.model);
    memo_ctx_free(ctx);
    return 0;
}
