// SPDX-License-Identifier: Apache-2.0
/* Options, worker processes and folders of the fault harnesses. */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memo_test.h"

static void pool_die(const char *what)
{
    fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- options ------------------------------------------------------------------------------- */

static unsigned pool_cpus(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
#endif
    return 2;
}

static int64_t pool_number(const char *name, const char *text)
{
    char *end;
    long long n = text ? strtoll(text, &end, 10) : -1;
    if (!text || !*text || *end || n < 0) {
        fprintf(stderr, "%s needs a number, not \"%s\"\n", name, text ? text : "");
        exit(2);
    }
    return n;
}

void fault_options_parse(fault_options *o, int argc, char **argv)
{
    *o = (fault_options){
        .program = argv[0], .seed = 20250607, .scale = 1, .n_workers = pool_cpus(), .point = -1};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(name, "--quick") == 0 || strcmp(name, "--control") == 0) {
            *(name[2] == 'q' ? &o->quick : &o->control) = 1;
            continue;
        }
        i++;
        if (strcmp(name, "--workload") == 0 && value)
            o->workload = value;
        else if (strcmp(name, "--mode") == 0 && value)
            o->mode = value;
        else if (strcmp(name, "--point") == 0)
            o->point = pool_number(name, value);
        else if (strcmp(name, "--seed") == 0)
            o->seed = (uint64_t)pool_number(name, value);
        else if (strcmp(name, "--scale") == 0)
            o->scale = (unsigned)pool_number(name, value);
        else if (strcmp(name, "--workers") == 0)
            o->n_workers = (unsigned)pool_number(name, value);
        else {
            fprintf(stderr,
                    "usage: %s [--quick] [--control] [--scale N] [--seed S] [--workers N]\n"
                    "       [--workload W] [--point N] [--mode M]\n",
                    argv[0]);
            exit(2);
        }
    }
    if (o->n_workers == 0)
        o->n_workers = 1;
    if (o->scale == 0)
        o->scale = 1;
}

/* ---- small things -------------------------------------------------------------------------- */

void *fault_shared(size_t n_bytes)
{
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        pool_die("shared memory");
    return p;
}

void fault_unshare(void *p, size_t n_bytes)
{
    munmap(p, n_bytes);
}

int fault_fail(char why[FAULT_WHY_BYTES], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, FAULT_WHY_BYTES, fmt, args);
    va_end(args);
    return 1;
}

double fault_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* splitmix64 of the pair. */
uint64_t fault_mix(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t fault_open_fds(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* ---- workers ------------------------------------------------------------------------------- */

typedef struct pool_shared {
    _Atomic size_t next, n_failed, n_printed;
    _Atomic size_t current[]; /* [n_workers] point being run, or SIZE_MAX */
} pool_shared;

typedef struct pool_job {
    size_t n;
    fault_point_fn fn;
    fault_name_fn name_point;
    void *user;
    pool_shared *shared;
} pool_job;

enum { POOL_MAX_PRINTED = 20 };

static void pool_report(const pool_job *job, const char *why)
{
    atomic_fetch_add(&job->shared->n_failed, 1);
    if (atomic_fetch_add(&job->shared->n_printed, 1) < POOL_MAX_PRINTED) {
        printf("FAILED %s\n", why);
        fflush(stdout);
    }
}

static void pool_work(const pool_job *job, unsigned worker)
{
    char why[FAULT_WHY_BYTES];
    size_t i;
    while ((i = atomic_fetch_add(&job->shared->next, 1)) < job->n) {
        atomic_store(&job->shared->current[worker], i);
        alarm(FAULT_POINT_SECONDS);
        why[0] = '\0';
        if (job->fn(job->user, i, why))
            pool_report(job, why);
        alarm(0);
        atomic_store(&job->shared->current[worker], SIZE_MAX);
    }
}

static pid_t pool_fork(const pool_job *job, unsigned worker)
{
    pid_t pid;
    atomic_store(&job->shared->current[worker], SIZE_MAX);
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        pool_die("fork");
    if (pid == 0) {
        pool_work(job, worker);
        fflush(NULL);
        _exit(0);
    }
    return pid;
}

/* A worker ended: normally, or in the middle of a point. Returns whether to start another. */
static int pool_ended(const pool_job *job, unsigned worker, int status)
{
    size_t point = atomic_load(&job->shared->current[worker]);
    char name[FAULT_WHY_BYTES] = "", why[FAULT_WHY_BYTES + 100];
    if (point == SIZE_MAX && status == 0)
        return 0;
    if (point == SIZE_MAX)
        snprintf(name, sizeof name, "between two points");
    else if (job->name_point)
        job->name_point(job->user, point, name);
    else
        snprintf(name, sizeof name, "point %zu", point);
    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "signal %d (%s)%s: %s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGALRM ? ": took too long" : "",
                 name);
    else
        snprintf(why, sizeof why, "exit %d: %s", WEXITSTATUS(status), name);
    pool_report(job, why);
    return 1;
}

size_t fault_pool_run(size_t n, unsigned n_workers, fault_point_fn fn, fault_name_fn name_point,
                      void *user)
{
    size_t n_bytes = sizeof(pool_shared) + n_workers * sizeof(_Atomic size_t);
    pool_job job = {n, fn, name_point, user, fault_shared(n_bytes)};
    pid_t *pids = calloc(n_workers, sizeof *pids);
    unsigned n_alive = n_workers;
    size_t n_failed;
    if (!pids)
        pool_die("workers");
    for (unsigned i = 0; i < n_workers; i++)
        pids[i] = pool_fork(&job, i);
    while (n_alive > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            pool_die("wait");
        for (unsigned i = 0; i < n_workers; i++) {
            if (pids[i] != pid)
                continue;
            pids[i] = 0;
            n_alive--;
            if (pool_ended(&job, i, status)) {
                pids[i] = pool_fork(&job, i);
                n_alive++;
            }
        }
    }
    n_failed = atomic_load(&job.shared->n_failed);
    if (n_failed > POOL_MAX_PRINTED)
        printf("... and %zu more\n", n_failed - POOL_MAX_PRINTED);
    fault_unshare(job.shared, n_bytes);
    free(pids);
    return n_failed;
}

/* ---- folders ------------------------------------------------------------------------------- */

void fault_folder_make(char out[200])
{
    const char *base = getenv("TMPDIR");
    if (access("/dev/shm", W_OK) == 0)
        base = "/dev/shm";
    snprintf(out, 200, "%s/memo_fault.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(out))
        pool_die(out);
}

void fault_folder_remove(const char *path)
{
    memo_test_remove_tree(path);
}

static void pool_copy_file(const char *from, const char *to)
{
    char block[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        pool_die(to);
    while ((n = read(in, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            pool_die(to);
    if (n < 0)
        pool_die(from);
    close(in);
    close(out);
}

void fault_folder_each(const char *folder,
                       void (*fn)(const char *folder, const char *name, void *user), void *user)
{
    DIR *dir = opendir(folder);
    if (!dir)
        pool_die(folder);
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            fn(folder, e->d_name, user);
    closedir(dir);
}

static void pool_remove_entry(const char *folder, const char *name, void *user)
{
    char path[600];
    (void)user;
    snprintf(path, sizeof path, "%.300s/%.255s", folder, name);
    unlink(path);
}

static void pool_copy_entry(const char *folder, const char *name, void *to)
{
    char source[600], target[600];
    snprintf(source, sizeof source, "%.300s/%.255s", folder, name);
    snprintf(target, sizeof target, "%.300s/%.255s", (const char *)to, name);
    pool_copy_file(source, target);
}

void fault_folder_copy(const char *from, const char *to)
{
    char name[301];
    if (mkdir(to, 0700) != 0 && errno != EEXIST)
        pool_die(to);
    fault_folder_each(to, pool_remove_entry, NULL);
    snprintf(name, sizeof name, "%.300s", to);
    fault_folder_each(from, pool_copy_entry, name);
}

typedef struct pool_count {
    const char *suffix;
    size_t n;
} pool_count;

static void pool_count_entry(const char *folder, const char *name, void *user)
{
    pool_count *count = user;
    size_t n = strlen(name), n_suffix = strlen(count->suffix);
    (void)folder;
    count->n += n >= n_suffix && strcmp(name + n - n_suffix, count->suffix) == 0;
}

size_t fault_folder_count(const char *path, const char *suffix)
{
    pool_count count = {suffix, 0};
    fault_folder_each(path, pool_count_entry, &count);
    return count.n;
}
