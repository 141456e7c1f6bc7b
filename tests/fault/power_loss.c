// SPDX-License-Identifier: Apache-2.0
/* Power loss at every point of a workload, with every kind of disk that it may leave.
 *
 *   power_loss [--quick] [--scale N] [--workers N] [--seed N] [--workload NAME]
 *   power_loss --workload NAME --seed N --point I --state K [--then-point J --then-state L]
 *
 * A workload is run once and every state-changing system call recorded (power_log.h). From the
 * record disk states are made (power_disk.h), written to a folder in memory, and opened as a program
 * would after the restart (power_check.h). A state is counted once however often it comes up. For a
 * sample the power fails once more while the state is opened: --then-point and --then-state.
 *
 * Negative controls break durability on purpose and must be caught.
 *
 * A state is a function of workload, seed, point and number, given the same build and the same
 * SQLite: so the second form repeats one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "power_disk.h"
#include "power_try.h"

enum { LOSS_STATES = 52000, LOSS_LEAST = 50000, LOSS_AGAIN = 2500, LOSS_QUICK_OF = 40 };

/* ---- workloads ----------------------------------------------------------------------------- */

static const char loss_small_store[] = "open +0-11 +40 close";

/* Those with few states first: what is missing in one is made up for by the next. */
static const power_work loss_works[] = {
    {.name = "replace", .before = "", .script = "model! model model", .no_store = 1, .share = 2},
    {.name = "create", .before = "", .script = "open +0 +1 +1 -0 +2-4 close", .share = 16},
    {.name = "batch",
     .before = loss_small_store,
     .script = "open +12-20 [ +0 +1 -2 +21 ] -3 +0 -12 [ -13 -14 +13 ] +41 -40 close",
     .share = 20},
    {.name = "checkpoint",
     .before = loss_small_store,
     .script = "open +12 passive +13 -0 full +14 +1 restart +15 +16 passive +17 truncate +18 -1 "
               "passive +2",
     .share = 20},
    {.name = "reopen",
     .before = loss_small_store,
     .script = "open +12 close open +13 -0 close open close open [ +14 -1 ] close",
     .share = 12},
    {.name = "reader",
     .before = loss_small_store,
     .script = "open +12 read +13 passive +14 close open +15 unread +16 close",
     .share = 8},
    {.name = "recovery", /* the process died with a log that was partly copied */
     .before = "open +0-11 close open +12 -0 passive +13 +40 -1",
     .script = "open +14 close",
     .share = 12},
    {.name = "backup", /* the copy is used as a store and then replaced by a newer one */
     .before = loss_small_store,
     .script = "open +12 backup! copy+5 copy-3 [ -40 +41 +42 +12-20 ] backup +14 copy+6 close",
     .share = 10},
    {.name = "shred", .deeds = "shred", .share = 3},
    {.name = "restore", .deeds = "restore", .share = 1},
    {.name = "facts", .deeds = "facts", .share = 1},
    {.name = "feedback", .deeds = "feedback", .share = 1},
    {.name = "expired", .deeds = "expired", .share = 1},
    {.name = "files", .deeds = "import-files", .share = 1},
    {.name = "growth", /* a log beyond 8 MiB, which a commit then folds into the file */
     .before = "open +0 +48-59 close",
     .script = "open +48-59 +48-59 -50 points +48-59 +1 +2 close",
     .share = 1},
};

enum { LOSS_N_WORKS = sizeof loss_works / sizeof *loss_works };

/* What is broken, and the verdict that must come up. */
typedef struct loss_control {
    power_work work;
    power_verdict wanted;
} loss_control;

static const loss_control loss_controls[] = {
    {{.name = "synchronous-normal",
      .before = loss_small_store,
      .script = "open +12 +0 passive +13 -1 close",
      .normal_sync = 1},
     POWER_LOST},
    {{.name = "no-sync",
      .before = loss_small_store,
      .script = "open +12 +0 passive +13 -1 close",
      .lies = POWER_NO_SYNC},
     POWER_BROKEN},
    {{.name = "no-folder-sync",
      .before = loss_small_store,
      .script = "open +12 close",
      .lies = POWER_NO_FOLDER_SYNC},
     POWER_LOST},
    {{.name = "no-sync-replace",
      .before = "",
      .script = "model! model",
      .no_store = 1,
      .lies = POWER_NO_SYNC},
     POWER_BROKEN},
    {{.name = "no-folder-sync-replace",
      .before = "",
      .script = "model! model",
      .no_store = 1,
      .lies = POWER_NO_FOLDER_SYNC},
     POWER_LOST},
    {{.name = "checkpoint-before-log-sync",
      .before = loss_small_store,
      .script = "open [ +12-20 +0-4 -5 ] passive [ +0-9 -13 ] passive close",
      .normal_sync = 1,
      .lies = POWER_NO_WAL_SYNC},
     POWER_BROKEN},
    {{.name = "shred-no-log-sync", .deeds = "shred", .lies = POWER_NO_WAL_SYNC}, POWER_BROKEN},
    {{.name = "shred-only-forget", .deeds = "shred", .only_forget = 1}, POWER_BROKEN},
    {{.name = "facts-no-sync", .deeds = "facts", .lies = POWER_NO_SYNC}, POWER_LOST},
};

enum { LOSS_N_CONTROLS = sizeof loss_controls / sizeof *loss_controls };

/* ---- what was asked for -------------------------------------------------------------------- */

typedef struct loss_options {
    fault_options common;
    int64_t state, then_point, then_state; /* -1: not asked for */
    char folder[200];
} loss_options;

/* Take our own numbers out of the arguments; the rest is common to all harnesses. */
static void loss_parse(loss_options *o, int argc, char **argv)
{
    struct {
        const char *name;
        int64_t *value;
    } own[] = {
        {"--state", &o->state}, {"--then-point", &o->then_point}, {"--then-state", &o->then_state}};
    int n = 1;
    o->state = o->then_point = o->then_state = -1;
    for (int i = 1; i < argc; i++) {
        int taken = 0;
        for (size_t j = 0; j < sizeof own / sizeof *own && i + 1 < argc && !taken; j++)
            taken = strcmp(argv[i], own[j].name) == 0 &&
                    sscanf(argv[i + 1], "%" SCNd64, own[j].value) == 1;
        if (taken)
            i++;
        else
            argv[n++] = argv[i];
    }
    fault_options_parse(&o->common, n, argv);
    if ((o->common.point >= 0) != (o->state >= 0) || (o->then_point >= 0) != (o->then_state >= 0) ||
        (o->state >= 0 && !o->common.workload))
        power_die("one state needs --workload, --point and --state; --then-point and --then-state "
                  "belong together");
}

static void loss_make_folder(loss_options *o, const char *name, char out[320])
{
    snprintf(out, 320, "%.200s/%s", o->folder, name);
    if (mkdir(out, 0700) != 0)
        power_die("cannot make %s", out);
}

/* ---- a workload ---------------------------------------------------------------------------- */

/* How many of `sum` the workloads up to number `last` have together. */
static uint64_t loss_quota(uint64_t sum, size_t last)
{
    uint64_t all = 0, upto = 0;
    for (size_t i = 0; i < LOSS_N_WORKS; i++) {
        all += loss_works[i].share;
        upto += i <= last ? loss_works[i].share : 0;
    }
    return (sum * upto + all - 1) / all;
}

/* Returns 1 when nothing failed. */
static int loss_run_work(const loss_options *o, size_t number, const char *rec,
                         power_shared *shared)
{
    const power_work *work = &loss_works[number];
    uint64_t n_states = (uint64_t)LOSS_STATES * o->common.scale;
    uint64_t n_again = (uint64_t)LOSS_AGAIN * o->common.scale;
    uint64_t states = shared->n_states, again = shared->n_again;
    unsigned of = o->common.quick ? LOSS_QUICK_OF : 1;
    double started = fault_seconds();
    power_run run;
    power_job job;
    power_run_record(&run, work, rec, o->common.seed);
    power_job_init(&job, &run, o->folder, o->common.seed, shared);
    /* One workload alone gets what it would have in the row. */
    uint64_t base = o->common.workload && number ? loss_quota(n_states / of, number - 1) : 0;
    uint64_t base_again = o->common.workload && number ? loss_quota(n_again / of, number - 1) : 0;
    size_t n_failed =
        power_job_states(&job, loss_quota(n_states / of, number) - base, o->common.n_workers);
    if (!work->no_store)
        n_failed += power_job_again(&job, loss_quota(n_again / of, number) - base_again,
                                    o->common.n_workers);
    printf("%-11s %5zu calls, %4zu points: %6" PRIu64 " states, %4" PRIu64
           " in recovery, %zu failed, %.1f s\n",
           work->name, run.log.n, job.n_points, shared->n_states - states, shared->n_again - again,
           n_failed, fault_seconds() - started);
    power_job_fini(&job);
    power_run_fini(&run);
    return n_failed == 0;
}

/* ---- negative controls --------------------------------------------------------------------- */

enum { LOSS_CONTROL_STATES = 64 };

/* The verdict on one state of a point. */
static power_verdict loss_verdict(const power_bench *b, size_t point, size_t state, char why[512])
{
    power_promise promise = power_bench_promise(b, point);
    power_disk disk;
    power_files files;
    power_disk_init(&disk, &b->job->run->log, point);
    power_disk_state(&disk, b->job->seed, state, &files);
    power_verdict verdict = power_bench_check(b, &promise, &files, why);
    power_files_fini(&files);
    power_disk_fini(&disk);
    return verdict;
}

/* Returns 1 when it was caught. */
static int loss_run_control(const loss_options *o, const loss_control *control, const char *rec,
                            power_shared *shared)
{
    char why[512], event[160] = "the start";
    power_run run;
    power_job job;
    power_bench bench;
    size_t n_tried = 0, point = 0, state = 0;
    int caught = 0;
    power_run_record(&run, &control->work, rec, o->common.seed);
    power_job_init(&job, &run, o->folder, o->common.seed, shared);
    power_bench_init(&bench, &job);
    for (; n_tried < job.n_points * LOSS_CONTROL_STATES && !caught; n_tried++) {
        state = n_tried / job.n_points;
        point = job.points[n_tried % job.n_points];
        caught = loss_verdict(&bench, point, state, why) == control->wanted;
    }
    if (point > 0)
        power_event_print(&run.log.events[point - 1], event);
    if (caught)
        printf("control %s: %s, after %zu states: point %zu (%s) state %zu: %s\n",
               control->work.name, control->wanted == POWER_LOST ? "loss caught" : "damage caught",
               n_tried, point, event, state, why);
    else
        printf("FAILED control %s: not caught in %zu states\n", control->work.name, n_tried);
    power_bench_fini(&bench);
    power_job_fini(&job);
    power_run_fini(&run);
    return caught;
}

/* ---- one state again ----------------------------------------------------------------------- */

static void loss_print_state(const power_disk *disk, const power_files *files)
{
    char line[160];
    for (size_t i = 0; i < disk->n_pending; i++) {
        power_event_print(&disk->log->events[disk->pending[i]], line);
        printf("  not durable: %zu %s\n", disk->pending[i], line);
    }
    for (size_t i = 0; i < files->n; i++)
        printf("  left: %s, %zu bytes, %08x\n", files->at[i].name, files->at[i].n_bytes,
               (unsigned)memo_xxh64(files->at[i].bytes, files->at[i].n_bytes, 0));
}

/* Returns 1 when it fails. */
static int loss_replay(const loss_options *o, const power_work *work, const char *rec)
{
    char why[512];
    power_run run;
    power_job job;
    power_bench bench;
    power_disk disk;
    power_files files;
    power_log then = {0};
    uint64_t seed = o->common.seed;
    size_t point = (size_t)o->common.point;
    power_run_record(&run, work, rec, seed);
    printf("record %016" PRIx64 ", %zu calls\n", power_log_hash(&run.log), run.log.n);
    if (point > run.log.n)
        power_die("the record has %zu calls", run.log.n);
    power_job_init(&job, &run, o->folder, seed, NULL);
    power_bench_init(&bench, &job);
    power_disk_init(&disk, &run.log, point);
    power_disk_state(&disk, seed, (size_t)o->state, &files);
    loss_print_state(&disk, &files);
    if (o->then_point >= 0) {
        power_bench_record_recovery(&bench, &files, &then);
        if ((size_t)o->then_point > then.n)
            power_die("the recovery has %zu calls", then.n);
        power_files_fini(&files);
        power_disk_fini(&disk);
        power_disk_init(&disk, &then, (size_t)o->then_point);
        power_disk_state(&disk, seed, (size_t)o->then_state, &files);
        printf("then, in recovery:\n");
        loss_print_state(&disk, &files);
    }
    power_promise promise = power_bench_promise(&bench, point);
    power_verdict verdict = power_bench_check(&bench, &promise, &files, why);
    printf("change %zu acknowledged, %zu begun: %s%s\n", promise.done, promise.begun,
           verdict == POWER_FINE ? "fine" : "FAILED ", why);
    power_files_fini(&files);
    power_disk_fini(&disk);
    power_log_fini(&then);
    power_bench_fini(&bench);
    power_job_fini(&job);
    power_run_fini(&run);
    return verdict != POWER_FINE;
}

/* ---- the program --------------------------------------------------------------------------- */

static int loss_wanted(const loss_options *o, const power_work *work)
{
    if (!o->common.workload) /* a log of 8 MiB is too slow for a sample */
        return !o->common.quick || strcmp(work->name, "growth") != 0;
    return strcmp(o->common.workload, work->name) == 0;
}

static int loss_replay_named(const loss_options *o, const char *rec)
{
    for (size_t i = 0; i < LOSS_N_WORKS; i++)
        if (loss_wanted(o, &loss_works[i]))
            return loss_replay(o, &loss_works[i], rec);
    for (size_t i = 0; i < LOSS_N_CONTROLS; i++)
        if (loss_wanted(o, &loss_controls[i].work))
            return loss_replay(o, &loss_controls[i].work, rec);
    power_die("no workload '%s'", o->common.workload);
}

/* All that is wanted; returns 1 when something failed. */
static int loss_run_all(const loss_options *o, const char *rec)
{
    unsigned n_passed = 0, n_failed = 0;
    power_shared *shared = power_shared_new((uint64_t)(LOSS_STATES + LOSS_AGAIN) * o->common.scale);
    printf("seed %" PRIu64 "\n", o->common.seed);
    for (size_t i = 0; i < LOSS_N_WORKS; i++)
        if (loss_wanted(o, &loss_works[i]))
            ++*(loss_run_work(o, i, rec, shared) ? &n_passed : &n_failed);
    for (size_t i = 0; i < LOSS_N_CONTROLS; i++)
        if (loss_wanted(o, &loss_controls[i].work))
            ++*(loss_run_control(o, &loss_controls[i], rec, shared) ? &n_passed : &n_failed);
    if (n_passed + n_failed == 0)
        power_die("no workload '%s'", o->common.workload);
    printf("power loss: %" PRIu64 " distinct disk states, %" PRIu64
           " more where the power fails again in recovery; seed %" PRIu64 "\n",
           (uint64_t)shared->n_states, (uint64_t)shared->n_again, o->common.seed);
    if (!o->common.quick && !o->common.workload && shared->n_states < LOSS_LEAST) {
        printf("FAILED: fewer than %d states\n", LOSS_LEAST);
        n_failed++;
    }
    printf("%u passed, %u failed, 0 skipped\n", n_passed, n_failed);
    return n_failed != 0;
}

int main(int argc, char **argv)
{
    loss_options o = {0};
    char rec[320];
    loss_parse(&o, argc, argv);
    fault_folder_make(o.folder);
    loss_make_folder(&o, "rec", rec);
    int failed = o.state >= 0 ? loss_replay_named(&o, rec) : loss_run_all(&o, rec);
    fault_folder_remove(o.folder);
    return failed;
}
