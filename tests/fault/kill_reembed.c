// SPDX-License-Identifier: Apache-2.0
/* Another model for a store in use. A process sets it while the old model searches and adds a record;
 * killed anywhere,
 *   - no acknowledged record is lost, and the store is found by the old model or by the new one, by
 *     the new one when that was acknowledged;
 *   - the same call goes on, embeds not once more what was committed, and ends with a vector for each
 *     chunk;
 *   - after the way back the store is, byte for byte of every vector, what the old model makes.
 * The way back itself is a workload, too: of a store that got records with the new model, which must be
 * embedded by the old one on the way. */
#include "kill_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    REEMBED_KEYS = 140,
    REEMBED_BACK_KEYS = 40,
    REEMBED_LATER = 100, /* with the next model */
    REEMBED_CUT_KEYS = 30,
    REEMBED_ADDED = 200,
    REEMBED_GROUP_CHUNKS = 128,
    REEMBED_BUSY_MS = 5000
};

static const fault_step reembed_before[] = {{FAULT_PUT, 0, 0, REEMBED_KEYS, 1}};
static const fault_step reembed_before_cut[] = {{FAULT_PUT, 0, 0, REEMBED_CUT_KEYS, 1}};
/* What happens to records: the one that is added meanwhile. The second step stands for the switch. */
static const fault_step reembed_steps[] = {{FAULT_PUT, 0, REEMBED_ADDED, 1, 1},
                                           {FAULT_SEARCH, 0, 0, 0, 1}};
static const fault_workload reembed_workload = {"set-model", reembed_before, 1, reembed_steps, 2};
static const fault_workload reembed_workload_cut = {"set-model-cut", reembed_before_cut, 1,
                                                    reembed_steps, 2};

static void reembed_die(const memo_err *err)
{
    fprintf(stderr, "kill_points: set-model: %s\n", err->message);
    exit(2);
}

/* Jobs whose name ends in "cut" get a model that takes few tokens. */
static int reembed_cuts(const kill_job *job)
{
    size_t n = strlen(job->name);
    return n > 3 && strcmp(job->name + n - 3, "cut") == 0;
}

static void reembed_model_path(const kill_job *job, char out[400])
{
    snprintf(out, 400, "%s/next%s.safetensors", job->world->dir, reembed_cuts(job) ? "-cut" : "");
}

/* A handle on the store with the next model. */
typedef struct reembed_next {
    memo_model *model;
    memo_db *db;
} reembed_next;

static void reembed_close(reembed_next *next)
{
    memo_db_close(next->db);
    memo_model_close(next->model);
}

static memo_status reembed_open(const kill_job *job, const char *folder, reembed_next *next,
                                memo_err *err)
{
    memo_db_options options = {.size = sizeof options, .mode = MEMO_OPEN_EXISTING};
    char path[400];
    memo_status status;
    *next = (reembed_next){0};
    reembed_model_path(job, path);
    status = memo_model_open(job->world->ctx, path, NULL, &next->model, err);
    options.model = next->model;
    snprintf(path, sizeof path, "%s/s.memo", folder);
    return status ? status : memo_db_open(job->world->ctx, path, &options, &next->db, err);
}

/* ---- the work ------------------------------------------------------------------------------ */

typedef struct reembed_beside {
    fault_session old;
    fault_progress *progress;
    uint64_t at; /* chunks embedded */
    int done, failed;
    memo_err err;
} reembed_beside;

/* Once, between two groups: the old model still searches and adds. */
static int reembed_meanwhile(void *user, const memo_progress *p)
{
    reembed_beside *b = user;
    if (b->done || p->done < b->at)
        return 0;
    b->done = 1;
    b->failed = fault_step_run(&b->old, &reembed_steps[1], &b->err) != MEMO_OK;
    atomic_store(&b->progress->n_begun, 1);
    b->failed = b->failed || fault_step_run(&b->old, &reembed_steps[0], &b->err) != MEMO_OK;
    if (!b->failed)
        atomic_store(&b->progress->n_acked, 1);
    return b->failed;
}

memo_status kill_reembed_run(const kill_job *job, const char *folder, fault_progress *progress,
                             memo_err *err)
{
    reembed_beside beside = {.progress = progress,
                             .at = reembed_cuts(job) ? 1 : REEMBED_GROUP_CHUNKS};
    memo_set_model_options o = {
        .size = sizeof o, .progress = reembed_meanwhile, .progress_user = &beside};
    reembed_next next;
    memo_status status;
    fault_session_init(&beside.old, job->world, folder);
    beside.old.busy_ms = REEMBED_BUSY_MS;
    status = fault_session_open(&beside.old, err);
    if (status == MEMO_OK)
        status = reembed_open(job, folder, &next, err);
    else
        next = (reembed_next){0};
    if (status == MEMO_OK)
        status = memo_db_set_model(next.db, &o, NULL, err);
    if (beside.failed) {
        status = beside.err.status;
        *err = beside.err;
    }
    if (status == MEMO_OK) {
        atomic_store(&progress->n_begun, 2);
        atomic_store(&progress->n_acked, 2);
    }
    reembed_close(&next);
    fault_session_close(&beside.old);
    return status;
}

/* ---- what is there ------------------------------------------------------------------------- */

typedef struct reembed_found {
    int switched;
    uint64_t n_chunks, n_next;
} reembed_found;

/* Which space is the current one? All chunks must be in it. */
static int reembed_look(memo_db *db, reembed_found *found, char why[FAULT_WHY_BYTES])
{
    memo_spaces *spaces = NULL;
    memo_ns_info ns;
    memo_err err = {0};
    if (memo_db_get_spaces(db, &spaces, &err))
        return fault_fail(why, "its spaces: %s", err.message);
    ns = spaces->namespaces[0];
    *found = (reembed_found){spaces->spaces[ns.current].is_open, ns.n_chunks, ns.n_next};
    memo_spaces_free(spaces);
    if (ns.n_current == ns.n_chunks)
        return 0;
    return fault_fail(why, "%" PRIu64 " of %" PRIu64 " chunks have a vector", ns.n_current,
                      ns.n_chunks);
}

/* Each record is the first hit of a search for its own text, in the space that is current. */
static int reembed_search(const kill_job *job, memo_db *db, char why[FAULT_WHY_BYTES])
{
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = 1};
    for (int key = 0; key < REEMBED_KEYS; key += 23) {
        char text[FAULT_TEXT_BYTES], title[64], query[FAULT_TEXT_BYTES + 80], wanted[16];
        memo_hits *hits = NULL;
        memo_err err = {0};
        int bad;
        if (!fault_vector(job->world, 0, key, 1))
            continue; /* several chunks */
        fault_text(job->world->seed, 0, key, 1, text);
        fault_title(0, key, 1, title);
        fault_key(key, wanted);
        snprintf(query, sizeof query, "%s%s%s", title, title[0] ? " " : "", text);
        if (memo_db_search(db, MEMO_STR(query), &o, &hits, &err))
            return fault_fail(why, "search: %s", err.message);
        bad = hits->n != 1 || strcmp(hits->hits[0].key, wanted) != 0;
        memo_hits_free(hits);
        if (bad)
            return fault_fail(why, "%s is not found by its own text", wanted);
    }
    return 0;
}

/* Go on where the killed process was. */
static int reembed_go_on(const kill_job *job, const char *folder, int must_be_switched,
                         char why[FAULT_WHY_BYTES])
{
    const memo_set_model_options o = {.size = sizeof o};
    memo_set_model_report report = {.size = sizeof report};
    reembed_found found = {0}, end = {0};
    reembed_next next;
    memo_err err = {0};
    int bad = 0;
    if (reembed_open(job, folder, &next, &err))
        bad = fault_fail(why, "the store does not open: %s", err.message);
    bad = bad || reembed_look(next.db, &found, why);
    if (!bad && must_be_switched && !found.switched)
        bad = fault_fail(why, "the acknowledged switch is lost");
    if (!bad && memo_db_set_model(next.db, &o, &report, &err))
        bad = fault_fail(why, "setting it again: %s", err.message);
    if (!bad && report.n_embedded != (found.switched ? 0 : found.n_chunks - found.n_next))
        bad = fault_fail(why, "%" PRIu64 " chunks embedded, %" PRIu64 " of %" PRIu64 " were there",
                         report.n_embedded, found.n_next, found.n_chunks);
    bad = bad || reembed_look(next.db, &end, why);
    if (!bad && !end.switched)
        bad = fault_fail(why, "it was set again and is not the current one");
    if (!bad && !reembed_cuts(job))
        bad = reembed_search(job, next.db, why);
    reembed_close(&next);
    return bad;
}

/* With the old model: all it must hold, and what can be searched when nothing is switched yet. */
static int reembed_with_old(const kill_job *job, const char *folder, const fault_allowed *allowed,
                            char why[FAULT_WHY_BYTES])
{
    fault_session old;
    reembed_found found;
    memo_err err = {0};
    int bad;
    fault_session_init(&old, job->world, folder);
    if (fault_session_open(&old, &err))
        return fault_fail(why, "the store does not open: %s", err.message);
    bad = reembed_look(old.db, &found, why);
    if (!bad && found.switched)
        bad = fault_check_db(job->world, old.db, allowed, NULL, why);
    else if (!bad)
        bad = fault_check_seen(job->world, old.db, allowed, why);
    fault_session_close(&old);
    return bad;
}

/* The way back; the store is whole again with the old model. */
static int reembed_back(const kill_job *job, const char *folder, const fault_allowed *allowed,
                        char why[FAULT_WHY_BYTES])
{
    const memo_set_model_options o = {.size = sizeof o, .drop_previous = 1};
    fault_session old;
    reembed_found found = {0};
    memo_err err = {0};
    int bad = 0;
    fault_session_init(&old, job->world, folder);
    if (fault_session_open(&old, &err) || memo_db_rollback_model(old.db, &o, NULL, &err))
        bad = fault_fail(why, "the way back: %s", err.message);
    bad = bad || reembed_look(old.db, &found, why) ||
          fault_check_seen(job->world, old.db, allowed, why);
    if (!bad && !found.switched)
        bad = fault_fail(why, "the way back leads elsewhere");
    fault_session_close(&old);
    /* Cut anew, its chunks are not those that the old model makes. */
    return bad || (!reembed_cuts(job) && fault_check(job->world, folder, allowed, NULL, why));
}

int kill_reembed_check(const kill_job *job, const char *folder, const fault_progress *progress,
                       char why[FAULT_WHY_BYTES])
{
    const fault_allowed allowed = fault_plan_allowed(&job->plan, progress);
    return reembed_with_old(job, folder, &allowed, why) ||
           reembed_go_on(job, folder, progress->n_acked == 2, why) ||
           reembed_back(job, folder, &allowed, why);
}

/* ---- the way back --------------------------------------------------------------------------- */

static const fault_step rollback_before[] = {{FAULT_PUT, 0, 0, REEMBED_BACK_KEYS, 1},
                                             {FAULT_PUT, 0, REEMBED_LATER, 5, 1}};
/* The first step stands for the way back. */
static const fault_step rollback_steps[] = {{FAULT_SEARCH, 0, 0, 0, 1},
                                            {FAULT_PUT, 0, REEMBED_ADDED, 1, 1}};
static const fault_workload rollback_workload = {"rollback-model", rollback_before, 2,
                                                 rollback_steps, 2};

static memo_status rollback_run(const kill_job *job, const char *folder, fault_progress *progress,
                                memo_err *err)
{
    const memo_set_model_options o = {.size = sizeof o};
    fault_session old;
    memo_status status;
    fault_session_init(&old, job->world, folder);
    atomic_store(&progress->n_begun, 1);
    status = fault_session_open(&old, err);
    if (!status)
        status = memo_db_rollback_model(old.db, &o, NULL, err);
    if (!status) {
        atomic_store(&progress->n_acked, 1);
        atomic_store(&progress->n_begun, 2);
        status = fault_step_run(&old, &rollback_steps[1], err);
    }
    if (!status)
        atomic_store(&progress->n_acked, 2);
    fault_session_close(&old);
    return status;
}

static int rollback_check(const kill_job *job, const char *folder, const fault_progress *progress,
                          char why[FAULT_WHY_BYTES])
{
    const fault_allowed allowed = fault_plan_allowed(&job->plan, progress);
    const memo_set_model_options o = {.size = sizeof o};
    fault_session old;
    reembed_found found = {0};
    memo_err err = {0};
    int bad;
    fault_session_init(&old, job->world, folder);
    if (fault_session_open(&old, &err))
        return fault_fail(why, "the store does not open: %s", err.message);
    bad = reembed_look(old.db, &found, why) || fault_check_seen(job->world, old.db, &allowed, why);
    if (!bad && progress->n_acked && !found.switched)
        bad = fault_fail(why, "the acknowledged way back is lost");
    if (!bad && !found.switched && memo_db_rollback_model(old.db, &o, NULL, &err))
        bad = fault_fail(why, "the way back once more: %s", err.message);
    bad = bad || reembed_look(old.db, &found, why);
    if (!bad && !found.switched)
        bad = fault_fail(why, "the way back leads elsewhere");
    fault_session_close(&old);
    return bad || fault_check(job->world, folder, &allowed, NULL, why);
}

/* A store that went over to the next model and got records with it. */
static void rollback_prepare(const kill_job *job)
{
    fault_workload first = rollback_workload;
    fault_session later;
    reembed_next next;
    memo_err err = {0};
    first.n_before = 1;
    fault_workload_prepare(job->world, &first, job->image);
    if (reembed_open(job, job->image, &next, &err) || memo_db_set_model(next.db, NULL, NULL, &err))
        reembed_die(&err);
    fault_session_init(&later, job->world, job->image);
    later.db = next.db;
    if (fault_step_run(&later, &rollback_before[1], &err))
        reembed_die(&err);
    reembed_close(&next);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

kill_job *kill_reembed_add(kill_jobs *jobs, fault_world *world, const char *name,
                           const kill_kind *kind)
{
    const fault_workload *workload =
        strcmp(name, reembed_workload_cut.name) == 0 ? &reembed_workload_cut : &reembed_workload;
    kill_job *job = kill_jobs_add_store(jobs, world, name, workload, kind);
    const memo_compile_options options = {.size = sizeof options,
                                          .cls = MEMO_CLASS_INT8,
                                          .name = "next",
                                          /* only the longest chunks are cut anew */
                                          .max_tokens = reembed_cuts(job) ? 56 : 0,
                                          .overwrite = 1};
    char path[400];
    memo_err err = {0};
    reembed_model_path(job, path);
    if (memo_model_compile(world->ctx, world->source, path, &options, NULL, &err))
        reembed_die(&err);
    return job;
}

void kill_reembed_add_all(kill_jobs *jobs, fault_world *world)
{
    static const kill_kind kind = {
        .run = kill_reembed_run, .check = kill_reembed_check, .as_a_whole = 1};
    static const kill_kind back = {.run = rollback_run, .check = rollback_check, .as_a_whole = 1};
    kill_job *job;
    (void)kill_reembed_add(jobs, world, "set-model", &kind);
    (void)kill_reembed_add(jobs, world, "set-model-cut", &kind);
    job = kill_jobs_add(jobs, world, rollback_workload.name, &back);
    job->workload = rollback_workload;
    fault_plan_init(&job->plan, world, &rollback_workload);
    rollback_prepare(job); /* with the next model of "set-model" */
}
