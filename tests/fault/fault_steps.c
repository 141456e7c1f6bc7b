// SPDX-License-Identifier: Apache-2.0
/* Workloads: what they do, and what they must leave after each transaction. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memory/db.h"
#include "store/store_inner.h"

enum { STEP_IMPORT_GROUP = 64, STEP_MAX_KEYS = FAULT_N_KEYS };

/* ---- the list ------------------------------------------------------------------------------ */

static const fault_step steps_few[] = {{FAULT_PUT, 0, 0, 20, 1}, {FAULT_PUT, 1, 0, 5, 1}};
static const fault_step steps_many[] = {{FAULT_PUT, 0, 0, 60, 1}, {FAULT_PUT, 2, 0, 20, 1}};

static const fault_step steps_create[] = {
    {FAULT_PUT, 0, 0, 1, 1}, {FAULT_PUT, 0, 1, 1, 1},    {FAULT_REOPEN, 0, 0, 0, 0},
    {FAULT_PUT, 0, 2, 4, 1}, {FAULT_SEARCH, 0, 2, 0, 1},
};
static const fault_step steps_adds[] = {
    {FAULT_PUT, 0, 30, 1, 1}, {FAULT_PUT, 0, 31, 1, 1}, {FAULT_PUT, 0, 32, 1, 1},
    {FAULT_PUT, 0, 33, 1, 1}, {FAULT_PUT, 0, 34, 1, 1}, {FAULT_PUT, 0, 35, 1, 1},
};
static const fault_step steps_batches[] = {
    {FAULT_PUT, 0, 40, 20, 1},
    {FAULT_PUT, 0, 60, 20, 1},
    {FAULT_PUT, 0, 80, 20, 1},
    {FAULT_PUT, 0, 100, 20, 1},
};
static const fault_step steps_upserts[] = {
    {FAULT_PUT, 0, 0, 10, 2}, {FAULT_PUT, 0, 5, 10, 3}, {FAULT_EDIT, 0, 7, 1, 4},
    {FAULT_PUT, 0, 7, 1, 4},  {FAULT_PUT, 2, 0, 20, 2}, {FAULT_EDIT, 2, 3, 1, 5},
};
static const fault_step steps_forgets[] = {
    {FAULT_FORGET, 0, 3, 1, 0},  {FAULT_FORGET, 0, 10, 15, 0}, {FAULT_PUT, 0, 12, 6, 2},
    {FAULT_FORGET, 2, 0, 20, 0}, {FAULT_PUT, 2, 0, 3, 3},      {FAULT_FORGET, 0, 14, 2, 0},
};
static const fault_step steps_namespaces[] = {
    {FAULT_PUT, 1, 10, 5, 1},   {FAULT_PUT, 2, 0, 5, 1}, {FAULT_PUT, 0, 2, 5, 2},
    {FAULT_FORGET, 1, 0, 3, 0}, {FAULT_PUT, 1, 0, 2, 2}, {FAULT_FORGET, 2, 0, 5, 0},
    {FAULT_PUT, 2, 3, 2, 2},
};
static const fault_step steps_import[] = {
    {FAULT_IMPORT, 0, 30, 140, 1},
    {FAULT_IMPORT, 0, 10, 80, 2},
    {FAULT_IMPORT, 0, 10, 80, 2},
};
static const fault_step steps_close[] = {
    {FAULT_PUT, 0, 30, 5, 1},    {FAULT_REOPEN, 0, 0, 0, 0}, {FAULT_PUT, 0, 0, 3, 2},
    {FAULT_REOPEN, 0, 0, 0, 0},  {FAULT_FORGET, 0, 5, 5, 0}, {FAULT_REOPEN, 0, 0, 0, 0},
    {FAULT_SEARCH, 0, 31, 0, 1},
};
static const fault_step steps_log_full[] = {
    {FAULT_CHECKPOINT, 0, 0, 20, 0}, {FAULT_PUT, 0, 30, 8, 1},    {FAULT_PUT, 0, 38, 8, 1},
    {FAULT_PUT, 0, 0, 8, 2},         {FAULT_FORGET, 0, 30, 6, 0}, {FAULT_PUT, 0, 50, 8, 1},
};
static const fault_step steps_two_handles[] = {
    {FAULT_READER, 0, 0, 0, 0},   {FAULT_PUT, 0, 30, 4, 1},     {FAULT_READER, 0, 0, 0, 0},
    {FAULT_SNAPSHOT, 0, 0, 0, 0}, {FAULT_PUT, 0, 34, 4, 1},     {FAULT_CHECKPOINT, 0, 0, 1, 0},
    {FAULT_FORGET, 0, 0, 4, 0},   {FAULT_SNAPSHOT, 0, 0, 0, 0}, {FAULT_PUT, 0, 2, 4, 2},
    {FAULT_READER, 0, 0, 0, 0},   {FAULT_REOPEN, 0, 0, 0, 0},   {FAULT_PUT, 0, 40, 2, 1},
};

#define STEPS(a) a, sizeof(a) / sizeof *(a)

const fault_workload fault_workloads[] = {
    {"create", NULL, 0, STEPS(steps_create)},
    {"adds", STEPS(steps_few), STEPS(steps_adds)},
    {"batches", STEPS(steps_few), STEPS(steps_batches)},
    {"upserts", STEPS(steps_many), STEPS(steps_upserts)},
    {"forgets", STEPS(steps_many), STEPS(steps_forgets)},
    {"namespaces", STEPS(steps_few), STEPS(steps_namespaces)},
    {"import", STEPS(steps_few), STEPS(steps_import)},
    {"close", STEPS(steps_few), STEPS(steps_close)},
    {"log-full", STEPS(steps_few), STEPS(steps_log_full)},
    {"two-handles", STEPS(steps_few), STEPS(steps_two_handles)},
    {NULL, NULL, 0, NULL, 0},
};

static void steps_die(const char *what, const memo_err *err)
{
    fprintf(stderr, "fault: %s: %s\n", what, err ? err->message : "");
    exit(2);
}

/* ---- plans --------------------------------------------------------------------------------- */

static void steps_import_path(const fault_world *world, const fault_step *step, char out[400])
{
    snprintf(out, 400, "%s/%d-%d-%d-%d.ndjson", world->dir, step->ns, step->first, step->n,
             step->version);
}

static void steps_write_import(const fault_world *world, const fault_step *step)
{
    char path[400], key[16], title[64], metadata[64], text[FAULT_TEXT_BYTES];
    FILE *f;
    steps_import_path(world, step, path);
    f = fopen(path, "wbe");
    if (!f)
        steps_die(path, NULL);
    for (int k = step->first; k < step->first + step->n; k++) {
        fault_key(k, key);
        fault_title(step->ns, k, step->version, title);
        fault_metadata(step->ns, k, step->version, metadata);
        fault_text(world->seed, step->ns, k, step->version, text);
        fprintf(f, "{\"id\":\"%s\",\"title\":\"%s\",\"metadata\":%s,\"text\":\"%s\"}\n", key, title,
                metadata, text);
    }
    if (fclose(f) != 0)
        steps_die(path, NULL);
}

/* What the next transaction of a step, from its key number `done`, does to the state. */
static int steps_apply(fault_world *world, const fault_step *step, int done, fault_state *state)
{
    int group = step->kind == FAULT_IMPORT ? STEP_IMPORT_GROUP : step->n;
    int end = done + group < step->n ? done + group : step->n;
    for (int i = done; i < end; i++) {
        int key = step->first + i, version = step->kind == FAULT_FORGET ? 0 : step->version;
        if (version)
            (void)fault_vector(world, step->ns, key, version);
        state->version[step->ns][key] = (unsigned char)version;
    }
    return end;
}

static int steps_changes(const fault_step *step)
{
    return step->kind == FAULT_PUT || step->kind == FAULT_EDIT || step->kind == FAULT_FORGET ||
           step->kind == FAULT_IMPORT;
}

void fault_plan_init(fault_plan *plan, fault_world *world, const fault_workload *workload)
{
    fault_state start = {0};
    for (size_t i = 0; i < workload->n_before; i++)
        (void)steps_apply(world, &workload->before[i], 0, &start);
    fault_plan_init_from(plan, world, workload, &start);
}

void fault_plan_init_from(fault_plan *plan, fault_world *world, const fault_workload *workload,
                          const fault_state *start)
{
    size_t cap = 1;
    for (size_t i = 0; i < workload->n_steps; i++)
        cap += (size_t)workload->steps[i].n / STEP_IMPORT_GROUP + 1;
    *plan = (fault_plan){.workload = workload, .n_states = 1};
    plan->states = calloc(cap, sizeof *plan->states);
    plan->after = calloc(workload->n_steps + 1, sizeof *plan->after);
    if (!plan->states || !plan->after)
        steps_die("memory", NULL);
    plan->states[0] = *start;
    for (size_t i = 0; i < workload->n_steps; i++) {
        const fault_step *step = &workload->steps[i];
        for (int done = 0; steps_changes(step) && done < step->n;) {
            plan->states[plan->n_states] = plan->states[plan->n_states - 1];
            done = steps_apply(world, step, done, &plan->states[plan->n_states++]);
        }
        plan->after[i] = plan->n_states - 1;
        if (step->kind == FAULT_IMPORT)
            steps_write_import(world, step);
    }
}

void fault_plan_fini(fault_plan *plan)
{
    free(plan->states);
    free(plan->after);
    *plan = (fault_plan){0};
}

fault_allowed fault_plan_allowed(const fault_plan *plan, const fault_progress *progress)
{
    size_t acked = atomic_load(&progress->n_acked), begun = atomic_load(&progress->n_begun);
    return (fault_allowed){.states = plan->states,
                           .first = acked ? plan->after[acked - 1] : 0,
                           .last = begun ? plan->after[begun - 1] : 0};
}

/* ---- sessions ------------------------------------------------------------------------------ */

void fault_session_init(fault_session *session, fault_world *world, const char *folder)
{
    *session = (fault_session){.world = world};
    snprintf(session->path, sizeof session->path, "%s/s.memo", folder);
}

static memo_status steps_open(fault_session *s, memo_open_mode mode, memo_db **db, memo_err *err)
{
    const memo_db_options options = {.size = sizeof options,
                                     .mode = mode,
                                     .model = s->world->model,
                                     .busy_timeout_ms = s->busy_ms ? s->busy_ms : -1};
    return memo_db_open(s->world->ctx, s->path, &options, db, err);
}

memo_status fault_session_open(fault_session *session, memo_err *err)
{
    return session->db ? MEMO_OK : steps_open(session, MEMO_OPEN_CREATE, &session->db, err);
}

void fault_session_close(fault_session *session)
{
    memo_db_close(session->reader);
    memo_db_close(session->db);
    session->reader = session->db = NULL;
    session->in_snapshot = 0;
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The strings of one record. */
typedef struct step_record {
    char key[16], title[64], metadata[64], text[FAULT_TEXT_BYTES];
} step_record;

static void step_fill(const fault_world *world, const fault_step *step, int key, step_record *r)
{
    fault_key(key, r->key);
    fault_title(step->ns, key, step->version, r->title);
    fault_metadata(step->ns, key, step->version, r->metadata);
    fault_text(world->seed, step->ns, key, step->version, r->text);
}

static memo_status step_put(fault_session *s, const fault_step *step, memo_err *err)
{
    const memo_write_options options = {.size = sizeof options, .ns = fault_ns(step->ns)};
    memo_record_in in[STEP_MAX_KEYS];
    step_record *records = calloc((size_t)step->n, sizeof *records);
    memo_status status;
    if (!records)
        steps_die("memory", NULL);
    for (int i = 0; i < step->n; i++) {
        step_fill(s->world, step, step->first + i, &records[i]);
        in[i] = (memo_record_in){.size = sizeof in[i],
                                 .key = records[i].key,
                                 .title = records[i].title,
                                 .metadata_json = records[i].metadata,
                                 .text = {records[i].text, strlen(records[i].text)}};
    }
    status = memo_db_add(s->db, &options, in, (size_t)step->n, NULL, err);
    free(records);
    return status;
}

static memo_status step_edit(fault_session *s, const fault_step *step, memo_err *err)
{
    const memo_write_options options = {.size = sizeof options, .ns = fault_ns(step->ns)};
    step_record r;
    memo_text text;
    memo_record_edit edit = {.size = sizeof edit};
    step_fill(s->world, step, step->first, &r);
    text = (memo_text){r.text, strlen(r.text)};
    edit.text = &text;
    edit.title = r.title;
    edit.metadata_json = r.metadata;
    return memo_db_edit(s->db, &options, r.key, &edit, NULL, err);
}

static memo_status step_forget(fault_session *s, const fault_step *step, memo_err *err)
{
    char keys[STEP_MAX_KEYS][16];
    const char *ids[STEP_MAX_KEYS];
    memo_forget_options options = {
        .size = sizeof options, .ns = fault_ns(step->ns), .ids = ids, .n_ids = (size_t)step->n};
    uint64_t n_forgotten, n_absent;
    for (int i = 0; i < step->n; i++) {
        fault_key(step->first + i, keys[i]);
        ids[i] = keys[i];
    }
    return memo_db_forget(s->db, &options, &n_forgotten, &n_absent, err);
}

static memo_status step_import(fault_session *s, const fault_step *step, memo_err *err)
{
    const memo_import_options options = {.size = sizeof options, .ns = fault_ns(step->ns)};
    memo_import_report report = {.size = sizeof report};
    char path[400];
    const char *paths[1] = {path};
    steps_import_path(s->world, step, path);
    return memo_db_import(s->db, paths, 1, &options, &report, err);
}

static memo_status step_search(fault_session *s, const fault_step *step, memo_err *err)
{
    const memo_search_options options = {.size = sizeof options, .ns = fault_ns(step->ns), .k = 3};
    memo_hits *hits = NULL;
    char text[FAULT_TEXT_BYTES];
    memo_status status;
    fault_text(s->world->seed, step->ns, step->first, step->version, text);
    status = memo_db_search(s->db, (memo_text){text, strlen(text)}, &options, &hits, err);
    memo_hits_free(hits);
    return status;
}

static memo_status step_reader(fault_session *s, memo_err *err)
{
    memo_db_stats stats = {.size = sizeof stats};
    memo_status status = MEMO_OK;
    if (!s->reader)
        status = steps_open(s, MEMO_OPEN_READ_ONLY, &s->reader, err);
    return status ? status : memo_db_get_stats(s->reader, &stats, err);
}

static memo_status step_snapshot(fault_session *s, memo_err *err)
{
    memo_status status = step_reader(s, err);
    if (status)
        return status;
    if (s->in_snapshot)
        memo_store_end_read(s->reader->store);
    else
        status = memo_store_begin_read(s->reader->store, err);
    s->in_snapshot = !s->in_snapshot && status == MEMO_OK;
    return status;
}

static memo_status step_backup(fault_session *s, memo_err *err)
{
    const memo_backup_options options = {.size = sizeof options, .overwrite = 1};
    char path[300];
    snprintf(path, sizeof path, "%.*s/backup.memo", (int)(strrchr(s->path, '/') - s->path),
             s->path);
    return memo_db_backup(s->db, path, &options, NULL, err);
}

memo_status fault_step_run(fault_session *session, const fault_step *step, memo_err *err)
{
    memo_status status = MEMO_OK;
    if (step->kind == FAULT_REOPEN)
        fault_session_close(session);
    status = fault_session_open(session, err);
    if (status)
        return status;
    switch (step->kind) {
    case FAULT_PUT:
        return step_put(session, step, err);
    case FAULT_EDIT:
        return step_edit(session, step, err);
    case FAULT_FORGET:
        return step_forget(session, step, err);
    case FAULT_IMPORT:
        return step_import(session, step, err);
    case FAULT_SEARCH:
        return step_search(session, step, err);
    case FAULT_READER:
        return step_reader(session, err);
    case FAULT_SNAPSHOT:
        return step_snapshot(session, err);
    case FAULT_BACKUP:
        return step_backup(session, err);
    case FAULT_CHECKPOINT:
        session->db->store->max_log_frames = step->n ? step->n : MEMO_STORE_LOG_FRAMES;
        break;
    case FAULT_REOPEN:
        break;
    }
    return MEMO_OK;
}

void fault_progress_told(void *user, size_t number, int done)
{
    fault_progress *progress = user;
    atomic_store(done ? &progress->n_acked : &progress->n_begun, number);
}

memo_status fault_workload_run(fault_session *session, const fault_workload *workload,
                               fault_step_fn step, fault_told_fn told, void *user, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < workload->n_steps && status == MEMO_OK; i++) {
        session->world->now_ms += 1000;
        told(user, i + 1, 0);
        status = step(session, &workload->steps[i], err);
        if (status == MEMO_OK)
            told(user, i + 1, 1);
    }
    fault_session_close(session);
    return status;
}

void fault_workload_prepare(fault_world *world, const fault_workload *workload, const char *folder)
{
    fault_session session;
    memo_err err = {0};
    (void)mkdir(folder, 0700);
    fault_session_init(&session, world, folder);
    for (size_t i = 0; i < workload->n_before; i++) {
        world->now_ms += 1000;
        if (fault_step_run(&session, &workload->before[i], &err))
            steps_die(workload->name, &err);
    }
    fault_session_close(&session);
}
