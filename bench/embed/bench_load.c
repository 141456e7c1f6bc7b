// SPDX-License-Identifier: Apache-2.0
/* bench_load -- from nothing to the first vector, in processes that have nothing yet.
 *
 *   bench_load MODEL [--cpu LEVEL] [--times N]
 *
 * Starts itself N times over (21) and prints one JSON object with the medians in milliseconds:
 *
 *   exec    from before the fork to main(): the kernel, the dynamic linker
 *   open    context and model
 *   embed   the first text, with the checksums and page faults of all weights it is the first to
 *           touch
 *   total   the sum
 *
 * and peak_kib, the most memory of such a process. The page cache is warm: one start goes ahead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/machine.h"
#include "common/bench.h"

#define TIMES_MAX 1000

enum { STEP_EXEC, STEP_OPEN, STEP_EMBED, STEP_TOTAL, N_STEPS };

/* What the started process sends back: when each step ended. */
typedef struct load_times {
    double main, opened, embedded;
    unsigned long peak_kib;
} load_times;

static int load_child(const char *path, const char *cpu, double main_time)
{
    static const memo_text text = MEMO_TEXT("the first vector");
    load_times times = {.main = main_time};
    memo_err err = {0};
    memo_ctx *ctx = bench_ctx(cpu, 1);
    memo_model *model = bench_model(ctx, path);
    memo_model_info info = {.size = sizeof info};
    memo_model_get_info(model, &info, NULL);
    times.opened = bench_now();
    float *vector = malloc(info.dim * sizeof *vector);
    if (!vector)
        bench_die("no memory for a vector");
    bench_need(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err), &err);
    times.embedded = bench_now();
    times.peak_kib = (unsigned long)(memo_memory_peak() / 1024);
    free(vector);
    return write(STDOUT_FILENO, &times, sizeof times) != sizeof times;
}

static load_times load_once(char *program, char *path, char *cpu, double *start)
{
    int ends[2], status = 0;
    load_times times;
    char child[] = "--child", level[] = "--cpu";
    char *args[] = {program, path, child, cpu ? level : NULL, cpu, NULL};
    if (pipe(ends))
        bench_die("no pipe");
    *start = bench_now();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv("/proc/self/exe", args);
        execv(program, args); /* where there is no /proc */
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &times, sizeof times);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status || n != sizeof times)
        bench_die("the started process failed");
    return times;
}

int main(int argc, char **argv)
{
    static double steps[N_STEPS][TIMES_MAX];
    double main_time = bench_now(), start;
    char *cpu = NULL;
    int child = 0;
    size_t n = 21;
    if (argc < 2)
        bench_die("usage: bench_load MODEL [--cpu LEVEL] [--times N]");
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--child"))
            child = 1;
        else if (!strcmp(argv[i], "--cpu") && i + 1 < argc)
            cpu = argv[++i];
        else if (!strcmp(argv[i], "--times") && i + 1 < argc)
            n = strtoul(argv[++i], NULL, 10);
        else
            bench_die("no option is called %s", argv[i]);
    }
    if (child)
        return load_child(argv[1], cpu, main_time);
    if (n == 0 || n > TIMES_MAX)
        bench_die("--times is 1 to %d", TIMES_MAX);
    load_times times = load_once(argv[0], argv[1], cpu, &start);
    for (size_t i = 0; i < n; i++) {
        times = load_once(argv[0], argv[1], cpu, &start);
        steps[STEP_EXEC][i] = times.main - start;
        steps[STEP_OPEN][i] = times.opened - times.main;
        steps[STEP_EMBED][i] = times.embedded - times.opened;
        steps[STEP_TOTAL][i] = times.embedded - start;
    }
    printf("{\"times\": %zu, \"exec_ms\": %.3f, \"open_ms\": %.3f, \"embed_ms\": %.3f, "
           "\"total_ms\": %.3f, \"peak_kib\": %lu}\n",
           n, 1e3 * bench_quantile(steps[STEP_EXEC], n, 0.5),
           1e3 * bench_quantile(steps[STEP_OPEN], n, 0.5),
           1e3 * bench_quantile(steps[STEP_EMBED], n, 0.5),
           1e3 * bench_quantile(steps[STEP_TOTAL], n, 0.5), times.peak_kib);
    return 0;
}
