// SPDX-License-Identifier: Apache-2.0
/* The stress harness: see stress.h for what the processes do.
 *
 *   stress adds    [--rounds N]   8 writers x 200 adds beside 4 readers
 *   stress mixed   [--rounds N]   3 writers that add, with facts and actions, and shred, beside readers
 *                                 of the present, the past and exports
 *   stress commits [--seconds N]  4 writers that commit and checkpoint beside 2 readers
 *   stress race                   one commit in the middle of a checkpoint, where SQLite loses it
 *
 * Options of all: --seed N, --folder PATH (default: in memory where there is a place for it), --every
 * N (adds of a process, 200; its rounds in `mixed`, 60; commits between checkpoints, 50). Of `commits`: --kills (a writer is
 * killed now and then and started again), --widen (sleep where SQLite's race is open). Negative
 * controls, which pass when their damage is noticed: --ack-early (acknowledge before the commit),
 * --unlocked (the caller has made flock() do nothing, see interpose.c). */
#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum {
    ADD_WRITERS = 8,
    ADD_READERS = 4,
    ADDS = 200,
    MIXED_WRITERS = 3,
    MIXED_READERS = 3,
    MIXED_ROUNDS = 60,
    COMMIT_WRITERS = 4,
    COMMIT_READERS = 2,
    COMMITS_BETWEEN_CHECKPOINTS = 50,
    END_SECONDS = 60, /* for processes that were told to stop */
};

typedef struct stress_options {
    int adds, unlocked;
    unsigned rounds;
    const char *folder;
} stress_options;

typedef int (*stress_body)(stress_world *world, unsigned number);

/* ---- processes ----------------------------------------------------------------------------- */

static pid_t main_fork(stress_world *world, stress_body body, unsigned number)
{
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0)
        _exit(body(world, number));
    return pid;
}

static void main_nap(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&t, NULL);
}

/* Whether a process has ended; one that ended badly without a word is a failure. */
static int main_reap(stress_world *world, pid_t *pid, const char *what, unsigned number)
{
    int status = 0;
    if (*pid == 0 || waitpid(*pid, &status, WNOHANG) != *pid)
        return *pid == 0;
    if (status != 0)
        stress_fail(world, "%s %u ended with %s %d", what, number,
                    WIFSIGNALED(status) ? "signal" : "status",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    *pid = 0;
    return 1;
}

typedef struct main_crew {
    pid_t writers[STRESS_MAX_WRITERS], readers[STRESS_MAX_READERS];
} main_crew;

static unsigned main_reap_all(stress_world *world, main_crew *crew, unsigned *n_writers)
{
    unsigned n_readers = 0;
    *n_writers = 0;
    for (unsigned i = 0; i < world->n_writers; i++)
        *n_writers += !main_reap(world, &crew->writers[i], "writer", i);
    for (unsigned i = 0; i < world->n_readers; i++)
        n_readers += !main_reap(world, &crew->readers[i], "reader", i);
    return *n_writers + n_readers;
}

/* Tell all to stop and wait; a process that hangs is a failure and is killed. */
static void main_end(stress_world *world, main_crew *crew)
{
    double until = fault_seconds() + END_SECONDS;
    unsigned n_writers;
    atomic_store(&world->shared->stop, 1);
    while (main_reap_all(world, crew, &n_writers) && fault_seconds() < until)
        main_nap(0.005);
    for (unsigned i = 0; i < STRESS_MAX_WRITERS + STRESS_MAX_READERS; i++) {
        pid_t pid =
            i < STRESS_MAX_WRITERS ? crew->writers[i] : crew->readers[i - STRESS_MAX_WRITERS];
        if (pid == 0)
            continue;
        stress_fail(world, "process %ld does not end", (long)pid);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static void main_kill_one(stress_world *world, main_crew *crew, memo_rng *rng)
{
    unsigned i = (unsigned)memo_rng_below(rng, world->n_writers);
    pid_t pid = crew->writers[i];
    if (pid == 0)
        return;
    atomic_store(&world->shared->writers[i].doomed, pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid_t holder = pid; /* it says so for ever when nobody came after it */
    (void)atomic_compare_exchange_strong(&world->shared->holder, &holder, 0);
    crew->writers[i] = main_fork(world, stress_commit, i);
}

/* ---- work ---------------------------------------------------------------------------------- */

static unsigned main_run_commits(stress_world *world, main_crew *crew)
{
    double until = fault_seconds() + world->seconds;
    memo_rng rng;
    unsigned n_killed = 0, n_writers;
    memo_rng_init(&rng, world->seed);
    for (unsigned i = 0; i < world->n_writers; i++)
        crew->writers[i] = main_fork(world, stress_commit, i);
    for (unsigned i = 0; i < world->n_readers; i++)
        crew->readers[i] = main_fork(world, stress_commit_reader, i);
    while (!atomic_load(&world->shared->stop) && fault_seconds() < until) {
        main_nap(world->kills ? 0.01 + memo_rng_unit(&rng) * 0.2 : 0.02);
        if (world->kills) {
            main_kill_one(world, crew, &rng);
            n_killed++;
        }
        (void)main_reap_all(world, crew, &n_writers);
    }
    main_end(world, crew);
    return n_killed;
}

static void main_run_adds(stress_world *world, main_crew *crew)
{
    unsigned n_writers;
    for (unsigned i = 0; i < world->n_writers; i++)
        crew->writers[i] = main_fork(world, world->mixed ? stress_mixed : stress_add, i);
    for (unsigned i = 0; i < world->n_readers; i++)
        crew->readers[i] =
            main_fork(world, world->mixed ? stress_mixed_reader : stress_add_reader, i);
    do
        main_nap(0.005);
    while (main_reap_all(world, crew, &n_writers) && n_writers &&
           !atomic_load(&world->shared->stop));
    main_end(world, crew);
}

static void main_report(const stress_world *world, double seconds)
{
    const stress_shared *shared = world->shared;
    char times[80];
    uint64_t n = 0, least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < world->n_writers; i++) {
        uint64_t acked = atomic_load(&shared->writers[i].n_acked);
        n += acked;
        least = acked < least ? acked : least;
        most = acked > most ? acked : most;
    }
    printf("  %.1f s: %" PRIu64 " commits acknowledged (%.0f a second; a writer %" PRIu64
           " to %" PRIu64 "), %" PRIu64 " checkpoints, %" PRIu64 " reads, %" PRIu64 " BUSY\n",
           seconds, n, (double)n / seconds, least, most, atomic_load(&shared->n_checkpoints),
           atomic_load(&shared->n_reads), atomic_load(&shared->n_busy));
    const struct {
        const char *what;
        const stress_times *times;
    } all[] = {{"wait for the lock", &shared->wait},
               {world->model[0] ? "add" : "commit", &shared->commit},
               {"checkpoint", &shared->checkpoint},
               {"read", &shared->read}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        stress_times_format(all[i].times, times);
        if (atomic_load(&all[i].times->longest_us))
            printf("  %-17s %s\n", all[i].what, times);
    }
    printf("  two holders of the lock at once: %" PRIu64 " times\n",
           atomic_load(&shared->n_two_holders));
}

/* ---- results ------------------------------------------------------------------------------- */

/* The race is in SQLite 3.7.0 to 3.51.2, without the mended 3.44.6 and 3.50.7 and what follows. */
static int main_has_race(void)
{
    int version = sqlite3_libversion_number(), patch = version % 1000;
    return version < 3051003 && !(version / 1000 == 3044 && patch >= 6) &&
           !(version / 1000 == 3050 && patch >= 7);
}

/* Non-zero: not noticed. */
static int main_judge_control(const stress_world *world)
{
    const stress_shared *shared = world->shared;
    int damage = atomic_load(&shared->n_failures) > 0;
    printf("  noticed: two holders of the lock %" PRIu64 " times; %s\n",
           atomic_load(&shared->n_two_holders), damage ? shared->why : "no damage this time");
    if (world->ack_early)
        return !damage;
    if (!world->races || !main_has_race())
        return atomic_load(&shared->n_two_holders) == 0;
    return !damage;
}

static int main_judge(stress_world *world, const stress_options *options)
{
    stress_shared *shared = world->shared;
    if (world->ack_early || options->unlocked) {
        int missed = main_judge_control(world);
        printf("%s\n", missed ? "FAILED: the negative control was not noticed" : "  as it must be");
        return missed;
    }
    if (atomic_load(&shared->n_failures) == 0 && atomic_load(&shared->n_two_holders))
        stress_fail(world, "two processes held the writer lock at once");
    if (atomic_load(&shared->n_failures) == 0) {
        printf("  0 lost, 0 torn; all pages and rows are right\n");
        return 0;
    }
    printf("FAILED: %s\n", shared->why);
    return 1;
}

static int main_round(stress_world *world, const stress_options *options, unsigned round)
{
    main_crew crew = {{0}, {0}};
    memset(world->shared, 0, sizeof *world->shared);
    snprintf(world->path, sizeof world->path, "%s/s%u.memo", world->dir, round);
    double since = fault_seconds();
    unsigned n_killed = 0;
    if (options->adds) {
        if (stress_add_prepare(world) == 0)
            main_run_adds(world, &crew);
    } else if (stress_commit_prepare(world) == 0) {
        if (world->races)
            (void)stress_race(world);
        else
            n_killed = main_run_commits(world, &crew);
    }
    double seconds = fault_seconds() - since;
    if (atomic_load(&world->shared->n_failures) == 0)
        (void)(world->mixed    ? stress_mixed_check(world)
               : options->adds ? stress_add_check(world)
                               : stress_commit_check(world));
    main_report(world, seconds);
    if (world->kills)
        printf("  %u kills\n", n_killed);
    return main_judge(world, options);
}

/* ---- options ------------------------------------------------------------------------------- */

static int main_usage(const char *program)
{
    fprintf(
        stderr,
        "usage: %s adds|mixed|commits|race [--rounds N] [--seconds N] [--seed N] [--folder PATH]\n"
        "       [--every N] [--kills] [--widen] [--ack-early] [--unlocked]\n",
        program);
    return 2;
}

static int main_options(stress_world *world, stress_options *options, int argc, char **argv)
{
    const struct {
        const char *name;
        int *flag;
    } flags[] = {{"--kills", &world->kills},
                 {"--widen", &world->widen},
                 {"--ack-early", &world->ack_early},
                 {"--unlocked", &options->unlocked}};
    for (int i = 2; i < argc; i++) {
        int found = 0;
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
            if (strcmp(argv[i], flags[f].name) == 0)
                *flags[f].flag = found = 1;
        if (found)
            continue;
        if (i + 1 == argc)
            return -1;
        const char *name = argv[i++];
        if (strcmp(name, "--folder") == 0)
            options->folder = argv[i];
        else if (strcmp(name, "--rounds") == 0)
            options->rounds = (unsigned)strtoul(argv[i], NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            world->seconds = strtod(argv[i], NULL);
        else if (strcmp(name, "--every") == 0)
            world->every = (unsigned)strtoul(argv[i], NULL, 10);
        else if (strcmp(name, "--seed") == 0)
            world->seed = strtoull(argv[i], NULL, 10);
        else
            return -1;
    }
    return 0;
}

static void main_make_folder(stress_world *world, const char *folder)
{
    if (!folder) {
        fault_folder_make(world->dir);
        return;
    }
    snprintf(world->dir, sizeof world->dir, "%s/memo_stress.XXXXXX", folder);
    if (!mkdtemp(world->dir)) {
        perror(world->dir);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    stress_options options = {.rounds = 1};
    stress_world world = {.seed = 20250607, .seconds = 10};
    memo_ctx_options ctx = {.size = sizeof ctx, .n_threads = 1};
    unsigned n_failed = 0;
    world.mixed = argc > 1 && strcmp(argv[1], "mixed") == 0;
    options.adds = world.mixed || (argc > 1 && strcmp(argv[1], "adds") == 0);
    world.races = argc > 1 && strcmp(argv[1], "race") == 0;
    if (argc < 2 || (!options.adds && !world.races && strcmp(argv[1], "commits") != 0) ||
        main_options(&world, &options, argc, argv))
        return main_usage(argv[0]);
    if (!world.every)
        world.every = world.mixed    ? MIXED_ROUNDS
                      : options.adds ? ADDS
                                     : COMMITS_BETWEEN_CHECKPOINTS;
    if (world.mixed && world.every >= STRESS_STAMPS)
        return main_usage(argv[0]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("again:");
    for (int i = 0; i < argc; i++)
        printf(" %s", argv[i]);
    printf(" --seed %" PRIu64 "\n", world.seed); /* the last of two holds */
    if (memo_ctx_new(&ctx, &world.ctx, NULL))
        return 2;
    world.shared = fault_shared(sizeof *world.shared);
    main_make_folder(&world, options.folder);
    world.n_writers = world.mixed ? MIXED_WRITERS : options.adds ? ADD_WRITERS : COMMIT_WRITERS;
    world.n_readers = world.mixed ? MIXED_READERS : options.adds ? ADD_READERS : COMMIT_READERS;
    if (options.adds) {
        snprintf(world.model, sizeof world.model, "%s/tiny.safetensors", world.dir);
    }
    for (unsigned round = 0; round < options.rounds; round++)
        n_failed += main_round(&world, &options, round) != 0;
    fault_folder_remove(world.dir);
    memo_ctx_free(world.ctx);
    printf("%u passed, %u failed, 0 skipped\n", options.rounds - n_failed, n_failed);
    return n_failed != 0;
}
