// SPDX-License-Identifier: Apache-2.0
/* Every allocation of every scenario fails in turn: alone, from there on, and together with a later
 * one. The sequence runs over memolith, SQLite and jansson (alloc_seam.h). Each point must end in
 * MEMO_ERR_NOMEM or in exactly the result of the run without a failure; leave no block, no
 * descriptor and no file behind; leave a handle that gives the right result when the call is made
 * again; and a store that holds what it held before the call or what the call was to write, with
 * nothing for its doctor to find.
 *
 *   alloc_points                            all points, on two processors
 *   alloc_points --stride 20 --seed 7       every 20th of them from a random first one on, and all of
 *                                           the scenarios that have few
 *   alloc_points --scale 4                  also pairs of failures 1, 2, 3 apart
 *   alloc_points --point "search hybrid" 117 once    one of them, with the place of the allocation
 *
 * Workers are processes: what ends one by a signal is charged to the point that stands in shared
 * memory, and the next point is taken up by a new worker. */
#include "alloc_model.h"
#include "alloc_store.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "store/store.h"

enum {
    POINTS_MAX_JOBS = 16,
    POINTS_OUT_BYTES = 1 << 17,
    POINTS_MAX_PRINTED = 40,
    POINTS_HANG_SECONDS = 60,
    POINTS_SLOW = 8, /* times the stride: of scenarios that wait */
    POINTS_FEW = 64, /* allocations of a scenario of which none is left out */
};

#define POINTS_N_MODEL (sizeof alloc_model_scenarios / sizeof *alloc_model_scenarios)
#define POINTS_N_STORE (sizeof alloc_store_scenarios / sizeof *alloc_store_scenarios)
#define POINTS_N       (POINTS_N_MODEL + POINTS_N_STORE)

/* What a scenario gives without a failure. */
typedef struct points_truth {
    memo_status status;
    uint64_t n_allocations;
    char out[POINTS_OUT_BYTES], before[POINTS_OUT_BYTES], after[POINTS_OUT_BYTES];
} points_truth;

typedef struct points_verdict {
    int reached;  /* the allocation was made, so it failed */
    int refused;  /* the call ended in MEMO_ERR_NOMEM */
    int poisoned; /* the store had to be opened again */
    char why[1024];
} points_verdict;

/* In shared memory; each worker writes its own. */
typedef struct points_worker {
    size_t turn; /* all scenarios of a fresh process come before the others */
    size_t scenario;
    int mode;
    uint64_t stride; /* of this scenario */
    uint64_t n;
    uint64_t n_points[3]; /* once, sticky, pairs */
    uint64_t n_refused, n_survived, n_poisoned, n_failed;
    uint64_t n_found[POINTS_N]; /* by scenario: what was wrong, also in controls */
    points_verdict verdict;
    points_truth truth;
} points_worker;

typedef struct points_plan {
    const char *program, *only;
    size_t n_jobs;
    uint64_t stride, seed;
    int max_gap;
    points_worker *workers; /* [n_jobs], shared */
    alloc_env env;
} points_plan;

static const alloc_scenario *points_scenario(size_t i)
{
    return i < POINTS_N_MODEL ? &alloc_model_scenarios[i]
                              : &alloc_store_scenarios[i - POINTS_N_MODEL];
}

static const char *points_mode(int mode, char out[16])
{
    snprintf(out, 16, mode == SEAM_ONCE ? "once" : mode == SEAM_STICKY ? "sticky" : "+%d", mode);
    return out;
}

/* ---- one point ----------------------------------------------------------------------------- */

static void points_wrong(points_verdict *v, const char *fmt, ...) MEMO_PRINTF(2, 3);

/* The first thing that is wrong is kept. */
static void points_wrong(points_verdict *v, const char *fmt, ...)
{
    va_list args;
    if (v->why[0])
        return;
    va_start(args, fmt);
    vsnprintf(v->why, sizeof v->why, fmt, args);
    va_end(args);
}

/* Where two texts part, for the message. */
static void points_differ(points_verdict *v, const char *what, const char *found,
                          const char *wanted)
{
    size_t at = 0, from;
    while (found[at] && found[at] == wanted[at])
        at++;
    from = at > 20 ? at - 20 : 0;
    points_wrong(v, "%s: ...%.60s... instead of ...%.60s...", what, found + from, wanted + from);
}

static int points_count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 64; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void points_restore_store(const alloc_env *e, unsigned flags)
{
    static const char *const side[] = {"", "-wal", "-shm", "-lock", "-journal"};
    char from[512], to[512];
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        snprintf(to, sizeof to, "%s%s", e->store, side[i]);
        unlink(to);
        snprintf(from, sizeof from, "%s/%s%s", e->base,
                 flags & ALLOC_LOG       ? "killed.memo"
                 : flags & ALLOC_DAMAGED ? "damaged.memo"
                                         : "store.memo",
                 side[i]);
        if (!(flags & ALLOC_NO_STORE) && i < 2)
            alloc_copy(from, to);
    }
}

static memo_status points_open(alloc_env *e, unsigned flags, memo_err *err)
{
    const memo_db_options o = {.size = sizeof o,
                               .mode = flags & ALLOC_READ_ONLY ? MEMO_OPEN_READ_ONLY
                                                               : MEMO_OPEN_EXISTING,
                               .model = flags & ALLOC_NO_MODEL ? NULL : e->model,
                               .busy_timeout_ms = 200};
    return memo_db_open(e->ctx, e->store, &o, &e->db, err);
}

/* Run `print` into text of the caller. */
static memo_status points_print_db(memo_db *db, char out[POINTS_OUT_BYTES], memo_err *err)
{
    memo_status status;
    FILE *f = fmemopen(out, POINTS_OUT_BYTES, "w");
    if (!f)
        fail_msg("fmemopen: %s", strerror(errno));
    status = alloc_print_store(f, db, err);
    fputc('\0', f);
    fclose(f);
    return status;
}

static memo_status points_run(alloc_env *e, const alloc_scenario *s, char out[POINTS_OUT_BYTES],
                              memo_err *err)
{
    memo_status status;
    memset(err, 0, sizeof *err);
    e->out = fmemopen(out, POINTS_OUT_BYTES, "w");
    if (!e->out)
        fail_msg("fmemopen: %s", strerror(errno));
    status = s->run(e, s, err);
    seam_stop();
    fputc('\0', e->out);
    fclose(e->out);
    e->out = NULL;
    return status;
}

/* What lies on the disk, read by a handle of its own, and what doctor finds. */
static void points_look_at_disk(alloc_env *e, const char *wanted, char *out, points_verdict *v)
{
    memo_findings *findings = NULL;
    memo_err err = {0};
    memo_db *mine = e->db;
    memo_status status = points_open(e, ALLOC_NO_MODEL, &err);
    if (!status)
        status = points_print_db(e->db, out, &err);
    if (!status)
        status = memo_db_doctor(e->db, &findings, &err);
    for (size_t i = 0; !status && i < findings->n; i++)
        if (findings->findings[i].level != MEMO_FINDING_OK)
            points_wrong(v, "doctor: %s", findings->findings[i].message);
    memo_findings_free(findings);
    memo_db_close(e->db);
    e->db = mine;
    if (status)
        points_wrong(v, "the store afterwards: %s: %s", memo_status_name(status), err.message);
    else if (wanted && strcmp(out, wanted) != 0)
        points_differ(v, "the store afterwards", out, wanted);
}

/* After a refusal the handle must show the store as it was, and the call must succeed. A failed
 * commit may leave a handle that reads only, and says so. */
static void points_try_again(alloc_env *e, const alloc_scenario *s, const points_truth *t,
                             char *out, points_verdict *v)
{
    memo_err err = {0};
    memo_status status = MEMO_OK;
    int same = !(s->flags & ALLOC_PREPARES), sound = !(s->flags & ALLOC_DAMAGED);
    if (e->db && sound && (status = points_print_db(e->db, out, &err)) != MEMO_OK)
        points_wrong(v, "the handle afterwards: %s: %s", memo_status_name(status), err.message);
    else if (e->db && sound && same && strcmp(out, t->before) != 0)
        points_differ(v, "the handle afterwards", out, t->before);
    status = points_run(e, s, out, &err);
    if (status == MEMO_ERR_IO && e->db && (s->flags & ALLOC_CHANGES) &&
        strstr(err.hint, "open it again")) {
        v->poisoned = 1;
        memo_db_close(e->db);
        e->db = NULL;
        status = points_open(e, s->flags, &err);
        if (!status)
            status = points_run(e, s, out, &err);
    }
    if (status != t->status)
        points_wrong(v, "the same call again: %s: %s", memo_status_name(status), err.message);
    else if (strcmp(out, t->out) != 0)
        points_differ(v, "the same call again", out, t->out);
}

static void points_check_leaks(const int64_t live[SEAM_N_OWNERS], int n_fds, points_verdict *v)
{
    for (int i = 0; i < SEAM_N_OWNERS; i++)
        if (atomic_load(&seam_live[i]) != live[i])
            points_wrong(v, "%lld blocks of %s leaked", (long long)(seam_live[i] - live[i]),
                         seam_names[i]);
    if (points_count_fds() != n_fds)
        points_wrong(v, "%d descriptors leaked", points_count_fds() - n_fds);
}

static void points_try(alloc_env *e, const alloc_scenario *s, const points_truth *t, uint64_t n,
                       int mode, points_verdict *v)
{
    static char out[POINTS_OUT_BYTES];
    int64_t live[SEAM_N_OWNERS];
    int n_fds = points_count_fds(), has_store = (s->flags & (ALLOC_DB | ALLOC_STORE)) != 0;
    memo_err err = {0};
    memo_status status;
    memset(v, 0, sizeof *v);
    for (int i = 0; i < SEAM_N_OWNERS; i++)
        live[i] = atomic_load(&seam_live[i]);
    if (has_store || (s->flags & ALLOC_NO_STORE))
        points_restore_store(e, s->flags);
    if ((s->flags & ALLOC_DB) && points_open(e, s->flags, &err))
        fail_msg("%s: cannot open: %s", s->name, err.message);
    seam_arm(n, mode);
    status = points_run(e, s, out, &err);
    v->reached = seam_count() >= n;
    v->refused = status == MEMO_ERR_NOMEM;
    if (status == t->status) {
        if (strcmp(out, t->out) != 0)
            points_differ(v, "another result", out, t->out);
    } else if (!v->refused) {
        points_wrong(v, "%s: %s", memo_status_name(status), err.message);
    } else if (!err.message[0]) {
        points_wrong(v, "no message");
    }
    if (status != t->status)
        points_try_again(e, s, t, out, v);
    memo_db_close(e->db);
    e->db = NULL;
    points_check_leaks(live, n_fds, v);
    if ((has_store || (s->flags & ALLOC_CHANGES)) && !(s->flags & ALLOC_DAMAGED))
        points_look_at_disk(e, t->after, out, v);
}

/* ---- the truth ----------------------------------------------------------------------------- */

static void points_learn_once(alloc_env *e, const alloc_scenario *s, points_truth *t)
{
    points_verdict v = {0};
    memo_err err = {0};
    int has_store = (s->flags & (ALLOC_DB | ALLOC_STORE)) != 0;
    t->before[0] = t->after[0] = '\0';
    if (has_store || (s->flags & ALLOC_NO_STORE))
        points_restore_store(e, s->flags);
    if (has_store && !(s->flags & ALLOC_DAMAGED)) {
        points_look_at_disk(e, NULL, t->before, &v);
        points_restore_store(e, s->flags);
    }
    if ((s->flags & ALLOC_DB) && points_open(e, s->flags, &err))
        fail_msg("%s: cannot open: %s", s->name, err.message);
    seam_arm(0, 0);
    t->status = points_run(e, s, t->out, &err);
    t->n_allocations = seam_count();
    memo_db_close(e->db);
    e->db = NULL;
    if ((has_store || (s->flags & ALLOC_CHANGES)) && !(s->flags & ALLOC_DAMAGED))
        points_look_at_disk(e, NULL, t->after, &v);
    if (v.why[0])
        fail_msg("%s, without a failure: %s", s->name, v.why);
    if (t->status && !err.message[0])
        fail_msg("%s, without a failure: %s", s->name, memo_status_name(t->status));
}

/* Twice: a result that does not repeat is no measure. */
static void points_learn(alloc_env *e, const alloc_scenario *s, points_truth *t)
{
    static points_truth again;
    points_learn_once(e, s, t);
    points_learn_once(e, s, &again);
    if (t->status != again.status || strcmp(t->out, again.out) != 0 ||
        strcmp(t->after, again.after) != 0)
        fail_msg("%s: two runs without a failure differ: %s\n%s", s->name, t->out, again.out);
    if (s->flags & ALLOC_CHANGES && strcmp(t->before, t->after) == 0)
        fail_msg("%s: changes nothing", s->name);
}

/* ---- a worker ------------------------------------------------------------------------------ */

static void points_use_ctx(alloc_env *e)
{
    const memo_ctx_options one = {
        .size = sizeof one, .n_threads = 1, .clock_ms = alloc_clock, .clock_user = e};
    memo_err err = {0};
    e->now_ms = ALLOC_NOW_MS;
    if (!e->ctx)
        assert_memo_ok(memo_ctx_new(&one, &e->ctx, &err), err);
}

static void points_use_models(alloc_env *e)
{
    const memo_ctx_options three = {
        .size = sizeof three, .n_threads = 3, .clock_ms = alloc_clock, .clock_user = e};
    char path[512];
    memo_err err = {0};
    points_use_ctx(e);
    if (!e->threads)
        assert_memo_ok(memo_ctx_new(&three, &e->threads, &err), err);
    alloc_path(path, e->base, "tiny.model");
    if (!e->model)
        assert_memo_ok(memo_model_open(e->ctx, path, NULL, &e->model, &err), err);
}

static void points_make_dir(alloc_env *e, size_t job)
{
    char out[512];
    snprintf(e->dir, sizeof e->dir, "%s/%zu", e->base, job);
    snprintf(e->store, sizeof e->store, "%s/a.memo", e->dir);
    mkdir(e->dir, 0700);
    alloc_path(out, e->dir, "out");
    mkdir(out, 0700);
}

/* Do something in a process that has used neither SQLite nor jansson; returns its wait status. */
static int points_in_child(alloc_env *e, const alloc_scenario *s, points_worker *w, uint64_t n,
                           int mode)
{
    int how = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(POINTS_HANG_SECONDS);
        points_use_ctx(e);
        if (n)
            points_try(e, s, &w->truth, n, mode, &w->verdict);
        else
            points_learn_once(e, s, &w->truth);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &how, 0) != pid)
        fail_msg("fork: %s", strerror(errno));
    return how;
}

static void points_report(points_plan *p, points_worker *w, const char *why)
{
    const alloc_scenario *s = points_scenario(w->scenario);
    char mode[16];
    uint64_t before = 0;
    w->n_found[w->scenario]++;
    if (s->flags & ALLOC_CONTROL)
        return;
    for (size_t i = 0; i < p->n_jobs; i++)
        before += p->workers[i].n_failed;
    w->n_failed++;
    if (before < POINTS_MAX_PRINTED)
        dprintf(1, "FAIL %s, allocation %llu %s: %s\n  replay: %s --point \"%s\" %llu %s\n",
                s->name, (unsigned long long)w->n, points_mode(w->mode, mode), why, p->program,
                s->name, (unsigned long long)w->n, mode);
}

static int points_one(points_plan *p, points_worker *w, const alloc_scenario *s)
{
    points_verdict *v = &w->verdict;
    int how = 0;
    (void)alarm(POINTS_HANG_SECONDS);
    if (s->flags & ALLOC_FRESH) {
        memset(v, 0, sizeof *v);
        how = points_in_child(&p->env, s, w, w->n, w->mode);
        if (WIFSIGNALED(how)) {
            v->reached = 1;
            points_wrong(v, "ended by signal %d", WTERMSIG(how));
        }
    } else {
        points_try(&p->env, s, &w->truth, w->n, w->mode, v);
    }
    if (v->why[0])
        points_report(p, w, v->why);
    if (v->reached && !(s->flags & ALLOC_CONTROL)) {
        w->n_points[w->mode == SEAM_ONCE ? 0 : w->mode == SEAM_STICKY ? 1 : 2]++;
        w->n_refused += (uint64_t)v->refused;
        w->n_survived += (uint64_t)(!v->refused && !v->why[0]);
        w->n_poisoned += (uint64_t)v->poisoned;
    }
    return v->reached;
}

/* All points of a scenario that are this worker's, from w->mode and w->n on. */
static void points_sweep(points_plan *p, size_t job, const alloc_scenario *s)
{
    points_worker *w = &p->workers[job];
    w->stride = w->truth.n_allocations <= POINTS_FEW ? 1 : p->stride;
    if (w->stride > 1 && (s->flags & ALLOC_SLOW))
        w->stride *= POINTS_SLOW;
    for (; w->mode <= p->max_gap; w->mode++, w->n = 0) {
        if (w->n == 0)
            w->n =
                1 + memo_xxh64(&p->seed, sizeof p->seed, w->scenario) % w->stride + job * w->stride;
        while (points_one(p, w, s))
            w->n += p->n_jobs * w->stride;
    }
    w->mode = SEAM_STICKY;
    w->n = 0;
}

static int points_wanted(const points_plan *p, const alloc_scenario *s)
{
    return !p->only || strcmp(p->only, s->name) == 0;
}

/* Scenarios of a fresh process first: until then this one is fresh itself. */
static void points_work(points_plan *p, size_t job)
{
    points_worker *w = &p->workers[job];
    points_make_dir(&p->env, job);
    for (; w->turn < 2 * POINTS_N; w->turn++) {
        w->scenario = w->turn % POINTS_N;
        const alloc_scenario *s = points_scenario(w->scenario);
        int fresh = (s->flags & ALLOC_FRESH) != 0;
        if (fresh != (w->turn < POINTS_N) || !points_wanted(p, s))
            continue;
        if (!fresh)
            points_use_models(&p->env);
        if (fresh && points_in_child(&p->env, s, w, 0, 0))
            fail_msg("%s: fails without a failure", s->name);
        if (!fresh)
            points_learn(&p->env, s, &w->truth);
        points_sweep(p, job, s);
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

static pid_t points_start(points_plan *p, size_t job)
{
    pid_t pid = fork();
    if (pid == 0) {
        points_work(p, job);
        _exit(0);
    }
    if (pid < 0)
        fail_msg("fork: %s", strerror(errno));
    return pid;
}

/* A worker that ended by a signal is charged to its point; returns 0 when it must not go on. */
static int points_after(points_plan *p, size_t job, int how)
{
    points_worker *w = &p->workers[job];
    char why[64];
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return 0;
    if (WIFEXITED(how) || w->n == 0) {
        w->n_failed++;
        dprintf(1, "FAIL worker %zu ended at \"%s\" (%d)\n", job,
                points_scenario(w->scenario)->name, how);
        return 0;
    }
    snprintf(why, sizeof why, "ended by signal %d", WTERMSIG(how));
    points_report(p, w, why);
    w->n += p->n_jobs * w->stride;
    return 1;
}

static void points_run_all(points_plan *p)
{
    pid_t pids[POINTS_MAX_JOBS];
    size_t left = p->n_jobs;
    for (size_t i = 0; i < p->n_jobs; i++) {
        p->workers[i].mode = SEAM_STICKY;
        pids[i] = points_start(p, i);
    }
    while (left) {
        int how = 0;
        pid_t pid = wait(&how);
        for (size_t i = 0; i < p->n_jobs; i++) {
            if (pids[i] != pid)
                continue;
            if (points_after(p, i, how))
                pids[i] = points_start(p, i);
            else
                left--;
        }
    }
}

static void points_make_templates(points_plan *p)
{
    alloc_env *e = &p->env;
    char path[512];
    memo_err err = {0};
    int how = 0;
    pid_t pid;
    snprintf(e->base, sizeof e->base, "%s/memo-alloc-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(e->base))
        fail_msg("cannot make %s", e->base);
    pid = fork();
    if (pid == 0) {
        static char damaged[] = "damaged";
        int fd;
        alloc_make_sources(e);
        points_use_ctx(e);
        e->now_ms = ALLOC_TEMPLATE_MS;
        assert_memo_ok(alloc_compile(e->ctx, e, "tiny", "tiny.model", &err), err);
        assert_memo_ok(alloc_compile(e->ctx, e, "prompts", "prompts.model", &err), err);
        assert_memo_ok(alloc_compile(e->ctx, e, "tiny", "damaged.model", &err), err);
        alloc_path(path, e->base, "damaged.model");
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || pwrite(fd, damaged, sizeof damaged, 70000) != sizeof damaged)
            fail_msg("cannot damage %s", path);
        close(fd);
        alloc_path(path, e->base, "tiny.model");
        assert_memo_ok(memo_model_open(e->ctx, path, NULL, &e->model, &err), err);
        alloc_make_imports(e);
        alloc_make_stores(e);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &how, 0) != pid || how != 0)
        fail_msg("the templates cannot be made");
}

static uint64_t points_sum(const points_plan *p, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->n_jobs; i++)
        sum += *(const uint64_t *)(const void *)((const char *)&p->workers[i] + offset);
    return sum;
}

/* Every control must have been caught at some point; returns how many were not. */
static int points_check_controls(const points_plan *p, size_t *n_controls)
{
    int n_missed = 0;
    for (size_t i = 0; i < POINTS_N; i++) {
        const alloc_scenario *s = points_scenario(i);
        uint64_t n = 0;
        if (!(s->flags & ALLOC_CONTROL) || !points_wanted(p, s))
            continue;
        for (size_t w = 0; w < p->n_jobs; w++)
            n += p->workers[w].n_found[i];
        printf("%s: %s (%llu points)\n", s->name, n ? "detected" : "NOT DETECTED",
               (unsigned long long)n);
        n_missed += n == 0;
        ++*n_controls;
    }
    return n_missed;
}

static int points_summary(const points_plan *p)
{
    uint64_t once = points_sum(p, offsetof(points_worker, n_points[0]));
    uint64_t sticky = points_sum(p, offsetof(points_worker, n_points[1]));
    uint64_t pairs = points_sum(p, offsetof(points_worker, n_points[2]));
    uint64_t n_failed = points_sum(p, offsetof(points_worker, n_failed));
    size_t n_scenarios = 0, n_bad = 0, n_controls = 0;
    int n_missed = points_check_controls(p, &n_controls);
    for (size_t i = 0; i < POINTS_N; i++) {
        const alloc_scenario *s = points_scenario(i);
        uint64_t n = 0;
        for (size_t w = 0; w < p->n_jobs; w++)
            n += p->workers[w].n_found[i];
        if (s->flags & ALLOC_CONTROL || !points_wanted(p, s))
            continue;
        n_scenarios++;
        n_bad += n > 0;
    }
    if (n_failed && !n_bad)
        n_bad = 1;
    printf("allocation failures: %zu scenarios, %llu distinct points (%llu once, %llu from there "
           "on, %llu pairs); of scenarios with more than %d allocations one in %llu, seed %llu\n",
           n_scenarios, (unsigned long long)(once + sticky + pairs), (unsigned long long)once,
           (unsigned long long)sticky, (unsigned long long)pairs, POINTS_FEW,
           (unsigned long long)p->stride, (unsigned long long)p->seed);
    printf("refused with NOMEM %llu, same result all the same %llu, handle to be reopened %llu, "
           "failed %llu\n",
           (unsigned long long)points_sum(p, offsetof(points_worker, n_refused)),
           (unsigned long long)points_sum(p, offsetof(points_worker, n_survived)),
           (unsigned long long)points_sum(p, offsetof(points_worker, n_poisoned)),
           (unsigned long long)n_failed);
    printf("%zu passed, %zu failed, 0 skipped\n",
           n_scenarios - n_bad + n_controls - (size_t)n_missed, n_bad + (size_t)n_missed);
    return n_failed || n_missed;
}

/* ---- one of them, to look at --------------------------------------------------------------- */

static int points_replay(points_plan *p, const char *name, uint64_t n, const char *mode)
{
    points_worker *w = &p->workers[0];
    for (w->scenario = 0; w->scenario < POINTS_N; w->scenario++) {
        const alloc_scenario *s = points_scenario(w->scenario);
        if (strcmp(s->name, name) != 0)
            continue;
        w->n = n;
        w->mode = strcmp(mode, "once") == 0     ? SEAM_ONCE
                  : strcmp(mode, "sticky") == 0 ? SEAM_STICKY
                                                : atoi(mode);
        points_make_dir(&p->env, 0);
        if (!(s->flags & ALLOC_FRESH)) {
            points_use_models(&p->env);
            points_learn(&p->env, s, &w->truth);
        } else if (points_in_child(&p->env, s, w, 0, 0)) {
            return 1;
        }
        atomic_store(&seam_trace, 1);
        (void)points_one(p, w, s);
        printf("%s: %s, %llu allocations in all; %s\n", s->name, memo_status_name(w->truth.status),
               (unsigned long long)w->truth.n_allocations,
               !w->verdict.reached  ? "this one is not reached"
               : w->verdict.why[0]  ? w->verdict.why
               : w->verdict.refused ? "refused, and all is well"
                                    : "the same result");
        return w->verdict.why[0] != '\0';
    }
    printf("no scenario \"%s\"\n", name);
    return 2;
}

static int points_list(void)
{
    for (size_t i = 0; i < POINTS_N; i++)
        printf("%s\n", points_scenario(i)->name);
    return 0;
}

int main(int argc, char **argv)
{
    points_plan p = {.program = argv[0], .n_jobs = 2, .stride = 1, .seed = 1};
    const char *point[3] = {NULL, NULL, NULL};
    int failed;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0)
            return points_list();
        if (strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
            p.stride = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            p.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--scale") == 0 && i + 1 < argc)
            p.max_gap = atoi(argv[++i]) - 1;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            p.n_jobs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            p.only = argv[++i];
        else if (strcmp(argv[i], "--point") == 0 && i + 3 < argc)
            for (int k = 0; k < 3; k++)
                point[k] = argv[++i];
        else
            p.stride = 0;
    }
    if (p.n_jobs > POINTS_MAX_JOBS)
        p.n_jobs = POINTS_MAX_JOBS;
    if (p.stride < 1 || p.n_jobs < 1 || p.max_gap < 0) {
        fprintf(
            stderr,
            "alloc_points [--stride N] [--seed S] [--scale N] [--jobs N] [--only NAME] [--list]\n"
            "             [--point NAME N once|sticky|+GAP]\n");
        return 2;
    }
    p.workers = mmap(NULL, p.n_jobs * sizeof *p.workers, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p.workers == MAP_FAILED || !seam_install())
        fail_msg("cannot begin");
    points_make_templates(&p);
    if (point[0]) {
        failed = points_replay(&p, point[0], strtoull(point[1], NULL, 10), point[2]);
    } else {
        points_run_all(&p);
        failed = points_summary(&p);
    }
    memo_test_remove_tree(p.env.base);
    return failed;
}
