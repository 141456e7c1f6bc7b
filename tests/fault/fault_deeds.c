// SPDX-License-Identifier: Apache-2.0
/* What is done to a store besides putting records, and the lists of it. */
#include "fault_deeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

enum { DEED_MAX_IDS = 16, DEED_FILES = 140, DEED_GONE_FILES = 6 };

static void deeds_die(const char *what, const memo_err *err)
{
    fprintf(stderr, "fault: %s: %s\n", what, err ? err->message : "");
    exit(2);
}

/* ---- records ------------------------------------------------------------------------------- */

/* The keys of a step. */
typedef struct deed_keys {
    char keys[DEED_MAX_IDS][16];
    const char *ids[DEED_MAX_IDS];
} deed_keys;

static void deed_fill_keys(const fault_step *step, deed_keys *out)
{
    for (int i = 0; i < step->n; i++) {
        fault_key(step->first + i, out->keys[i]);
        out->ids[i] = out->keys[i];
    }
}

memo_status fault_deed_shred(fault_session *session, const fault_deed *deed, memo_err *err)
{
    deed_keys keys;
    const memo_shred_options o = {.size = sizeof o, .ids = keys.ids, .n_ids = (size_t)deed->step.n};
    memo_shred_report *report = NULL;
    memo_status status;
    deed_fill_keys(&deed->step, &keys);
    status = memo_db_shred(session->db, &o, &report, err);
    if (!status && report->n_found)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%zu traces are left: %s",
                           (size_t)report->n_found, report->findings->findings[0].message);
    memo_shred_report_free(report);
    return status;
}

memo_status fault_deed_forget(fault_session *session, const fault_deed *deed, memo_err *err)
{
    const fault_step step = {FAULT_FORGET, 0, deed->step.first, deed->step.n, 0};
    return fault_step_run(session, &step, err);
}

/* To the version of the store that the step names. */
static memo_status deed_restore(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char key[16];
    fault_key(deed->step.first, key);
    return memo_db_restore(s->db, NULL, key, (uint64_t)deed->step.version, NULL, err);
}

/* They expire half a second later: before the next deed. */
static memo_status deed_expire(fault_session *s, const fault_deed *deed, memo_err *err)
{
    int64_t expires_ms = s->world->now_ms + 500;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &expires_ms};
    char key[16];
    fault_key(deed->step.first, key);
    return memo_db_edit(s->db, NULL, key, &edit, NULL, err);
}

static memo_status deed_forget_expired(fault_session *s, const fault_deed *deed, memo_err *err)
{
    const memo_forget_options o = {.size = sizeof o, .expired = 1};
    (void)deed;
    return memo_db_forget(s->db, &o, NULL, NULL, err);
}

static memo_status deed_forget_where(fault_session *s, const fault_deed *deed, memo_err *err)
{
    const memo_forget_options o = {.size = sizeof o, .where = "meta.k >= 8 and meta.k < 10"};
    (void)deed;
    return memo_db_forget(s->db, &o, NULL, NULL, err);
}

/* A part of the next record, in the place of the one after it. */
static memo_status deed_link(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char keys[3][16];
    const memo_record_edit edit = {.size = sizeof edit, .parent = keys[1], .supersedes = keys[2]};
    for (int i = 0; i < 3; i++)
        fault_key(deed->step.first + i, keys[i]);
    return memo_db_edit(s->db, NULL, keys[0], &edit, NULL, err);
}

/* ---- facts --------------------------------------------------------------------------------- */

static memo_status deed_entity(fault_session *s, const fault_deed *deed, memo_err *err)
{
    static const char *const aliases[] = {"the heating", "Boiler 7"};
    const memo_entity_in in = {.size = sizeof in,
                               .name = "the boiler",
                               .kind = "thing",
                               .metadata_json = "{\"room\":\"cellar\"}",
                               .aliases = aliases,
                               .n_aliases = 2};
    (void)deed;
    return memo_db_entity_add(s->db, NULL, &in, NULL, err);
}

/* Facts by number, with evidence in the record of the step. */
static const struct {
    const char *subject, *relation, *object, *value;
    int functional;
} deed_facts[] = {
    {"the boiler", "serviced", NULL, "in May", 0},  {"Anna", "works_at", "Initech", NULL, 1},
    {"Anna", "works_at", "Initrode", NULL, 1},      {"A. Smith", "lives_in", "Porto", NULL, 0},
    {"the boiler", "serviced", NULL, "in June", 0},
};

static memo_status deed_fact(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char key[16];
    const memo_evidence_in evidence[] = {{key, 0, 0}, {key, 0, 3}};
    int i = deed->step.version;
    const memo_fact_in in = {.size = sizeof in,
                             .subject = deed_facts[i].subject,
                             .relation = deed_facts[i].relation,
                             .object = deed_facts[i].object,
                             .value = deed_facts[i].value,
                             .functional = deed_facts[i].functional,
                             .valid_from_ms = FAULT_DEEDS_MS + i,
                             .evidence = evidence,
                             .n_evidence = 2};
    fault_key(deed->step.first, key);
    return memo_db_fact_add(s->db, NULL, &in, NULL, err);
}

/* The id of the last fact of the subject and relation of number `i`. */
static memo_status deed_find_fact(fault_session *s, int i, char id[MEMO_ID_BYTES], memo_err *err)
{
    const memo_fact_query q = {.size = sizeof q,
                               .subject = deed_facts[i].subject,
                               .relation = deed_facts[i].relation,
                               .any_time = 1};
    memo_facts *facts = NULL;
    memo_status status = memo_db_fact_query(s->db, &q, &facts, err);
    if (!status && facts->n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "there is no fact %d", i);
    if (!status)
        snprintf(id, MEMO_ID_BYTES, "%s", facts->facts[facts->n - 1].id);
    memo_facts_free(facts);
    return status;
}

static memo_status deed_retract(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char id[MEMO_ID_BYTES];
    memo_status status = deed_find_fact(s, deed->step.version, id, err);
    return status ? status : memo_db_fact_retract(s->db, NULL, id, "not so", NULL, err);
}

/* By what is true at the moment of the deed. */
static void deed_fill_replacement(fault_session *s, const fault_deed *deed, char value[32],
                                  memo_fact_in *in)
{
    snprintf(value, 32, "in second %d", (int)((s->world->now_ms - FAULT_DEEDS_MS) / 1000));
    *in = (memo_fact_in){.size = sizeof *in,
                         .subject = deed_facts[deed->step.version].subject,
                         .relation = deed_facts[deed->step.version].relation,
                         .value = value,
                         .confidence = 0.5};
}

memo_status fault_deed_replace(fault_session *session, const fault_deed *deed, memo_err *err)
{
    char id[MEMO_ID_BYTES], value[32];
    memo_fact_in in;
    memo_status status = deed_find_fact(session, deed->step.version, id, err);
    deed_fill_replacement(session, deed, value, &in);
    return status ? status
                  : memo_db_fact_replace(session->db, NULL, id, &in, "a mistake", NULL, err);
}

memo_status fault_deed_replace_in_two(fault_session *session, const fault_deed *deed, memo_err *err)
{
    char id[MEMO_ID_BYTES], value[32];
    memo_fact_in in;
    memo_status status = deed_find_fact(session, deed->step.version, id, err);
    deed_fill_replacement(session, deed, value, &in);
    if (!status)
        status = memo_db_fact_retract(session->db, NULL, id, "a mistake", NULL, err);
    return status ? status : memo_db_fact_add(session->db, NULL, &in, NULL, err);
}

static memo_status deed_merge(fault_session *s, const fault_deed *deed, memo_err *err)
{
    (void)deed;
    return memo_db_entity_merge(s->db, NULL, "Anna", "A. Smith", NULL, err);
}

static memo_status deed_alias(fault_session *s, const fault_deed *deed, memo_err *err)
{
    const char *const add[] = {"Annie"}, *const remove[] = {"A. Smith"};
    const memo_alias_change change = {.size = sizeof change,
                                      .entity = "Anna",
                                      .add = add,
                                      .n_add = 1,
                                      .remove = remove,
                                      .n_remove = 1};
    (void)deed;
    return memo_db_entity_alias(s->db, NULL, &change, NULL, err);
}

static memo_status deed_entity_forget(fault_session *s, const fault_deed *deed, memo_err *err)
{
    (void)deed;
    return memo_db_entity_forget(s->db, NULL, "Initech", NULL, err);
}

/* ---- what was done with results ------------------------------------------------------------ */

/* The version is the action; of the actions on two the next record is the other one. */
static memo_status deed_act(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char keys[2][16], id[MEMO_ID_BYTES];
    int pair = deed->step.version == MEMO_ACTION_MERGE;
    const memo_action_in in = {.size = sizeof in,
                               .kind = (memo_action_kind)deed->step.version,
                               .id = keys[0],
                               .other = pair ? keys[1] : NULL,
                               .actor = "anna",
                               .detail = "as it was"};
    fault_key(deed->step.first, keys[0]);
    fault_key(deed->step.first + 1, keys[1]);
    return memo_db_feedback(s->db, &in, id, err);
}

/* A search, and that its first result was accepted. */
static memo_status deed_act_on_search(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char id[MEMO_ID_BYTES];
    memo_hits *hits = NULL;
    memo_status status = memo_db_search(s->db, MEMO_STR("the boiler"), NULL, &hits, err);
    (void)deed;
    if (!status && hits->n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "nothing was found");
    if (!status && !*hits->search_id) /* it answers all the same */
        status = memo_fail(err, MEMO_ERR_IO, "the search is not kept");
    if (!status) {
        const memo_action_in in = {.size = sizeof in,
                                   .search_id = hits->search_id,
                                   .kind = MEMO_ACTION_ACCEPT,
                                   .id = hits->hits[0].id};
        status = memo_db_feedback(s->db, &in, id, err);
    }
    memo_hits_free(hits);
    return status;
}

/* The last one that stands. */
static memo_status deed_undo(fault_session *s, const fault_deed *deed, memo_err *err)
{
    const memo_action_query q = {.size = sizeof q};
    memo_actions *actions = NULL;
    size_t i = 0;
    memo_status status = memo_db_actions(s->db, &q, &actions, err);
    (void)deed;
    while (!status && i < actions->n && actions->actions[i].undone_ms)
        i++;
    if (!status && i == actions->n)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no action stands");
    if (!status)
        status = memo_db_undo(s->db, actions->actions[i].id, err);
    memo_actions_free(actions);
    return status;
}

static memo_status deed_setting(fault_session *s, const fault_deed *deed, memo_err *err)
{
    const memo_search_log log = {
        .size = sizeof log, .max_searches = (uint64_t)deed->step.version, .max_days = 30};
    return memo_db_set_search_log(s->db, &log, err);
}

/* ---- files --------------------------------------------------------------------------------- */

static void deed_files_path(const fault_world *world, char out[300])
{
    snprintf(out, 300, "%s/files", world->dir);
}

static memo_status deed_import(fault_session *s, const fault_deed *deed, memo_err *err)
{
    char path[300];
    const char *const paths[] = {path};
    const memo_import_options o = {
        .size = sizeof o, .prune = deed->step.version, .key_field = "id"};
    memo_import_report report = {.size = sizeof report};
    deed_files_path(s->world, path);
    return memo_db_import(s->db, paths, 1, &o, &report, err);
}

static void deed_write(const char *folder, const char *name, const char *text)
{
    char path[400];
    FILE *f;
    snprintf(path, sizeof path, "%.300s/%.60s", folder, name);
    f = fopen(path, "wbe");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        deeds_die(path, NULL);
}

static void deed_write_note(fault_world *world, const char *folder, const char *prefix, int i)
{
    char name[32], text[FAULT_TEXT_BYTES];
    snprintf(name, sizeof name, "%s%03d.txt", prefix, i);
    fault_text(world->seed, 2, i, 1, text);
    deed_write(folder, name, text);
}

/* An export that ends in what a record was before: nothing behind it takes a change number. */
static const char deed_archive[] =
    "{\"memolith\":1,\"id\":\"01M818YST1PT611R9CYTPAS0CD\",\"key\":\"archived\",\"text\":"
    "\"newest\","
    "\"created\":1795339282241,\"updated\":1795339282349,\"version\":3}\n"
    "{\"memolith\":1,\"type\":\"version\",\"id\":\"01M818YST1PT611R9CYTPAS0CD\",\"key\":"
    "\"archived\","
    "\"text\":\"newer\",\"created\":1795339282241,\"updated\":1795339282300,\"version\":2,"
    "\"chunks\":1}\n"
    "{\"memolith\":1,\"type\":\"version\",\"id\":\"01M818YST1PT611R9CYTPAS0CD\",\"key\":"
    "\"archived\","
    "\"text\":\"old\",\"created\":1795339282241,\"updated\":1795339282241,\"version\":1,\"chunks\":"
    "1}\n";

/* More notes than a group has, mail, a table, memories of another program and an archive; and notes that are
 * imported before and gone when the folder is imported again. */
static void deed_make_files(fault_world *world)
{
    char folder[300];
    deed_files_path(world, folder);
    if (mkdir(folder, 0700) != 0)
        deeds_die(folder, NULL);
    for (int i = 0; i < DEED_FILES; i++)
        deed_write_note(world, folder, "note", i);
    deed_write(folder, "table.csv",
               "id,text,tags\nrow-1,the ladder is in the shed,\"tool,shed\"\n"
               "row-2,the saw is beside it,tool\n");
    deed_write(
        folder, "memory.jsonl",
        "{\"type\":\"entity\",\"name\":\"Rex\",\"entityType\":\"dog\",\"observations\":"
        "[\"Rex may eat fish\",\"Rex sleeps in the garden\"]}\n"
        "{\"type\":\"entity\",\"name\":\"Anna\",\"entityType\":\"person\",\"observations\":"
        "[]}\n"
        "{\"type\":\"relation\",\"from\":\"Rex\",\"to\":\"Anna\",\"relationType\":\"of\"}\n");
    deed_write(folder, "mail.mbox",
               "From a@b Thu Jan  1 00:00:00 2026\nFrom: Anna <a@b.c>\nTo: d@e.f\nSubject: boiler\n"
               "Message-ID: <1@b.c>\nDate: Thu, 1 Jan 2026 10:00:00 +0000\n\nIt was serviced.\n\n");
    deed_write(folder, "zz-archive.ndjson", deed_archive);
}

/* ---- the lists ----------------------------------------------------------------------------- */

#define DEED(run, first, n, version)                                                               \
    {                                                                                              \
        (run), {FAULT_PUT, 0, (first), (n), (version)}, 0, 0, 0, 0                                 \
    }
#define DEED_STEP(kind, first, n, version)                                                         \
    {                                                                                              \
        NULL, {(kind), 0, (first), (n), (version)}, 0, 0, 0, 0                                     \
    }
#define DEED_SHRED(first, n)                                                                       \
    {                                                                                              \
        fault_deed_shred, {FAULT_PUT, 0, (first), (n), 0}, 2, 1, 0, 1                              \
    }
#define DEED_ACT(kind, first) DEED(deed_act, first, 1, MEMO_ACTION_##kind)
#define DEEDS(a)              a, sizeof(a) / sizeof *(a)

static const fault_step deeds_notes[] = {{FAULT_PUT, 0, 0, 12, 1}, {FAULT_PUT, 0, 0, 5, 2}};
static const fault_workload deeds_before = {"deeds", deeds_notes, 2, NULL, 0};

/* Around records 1 to 6: what must go with them. */
static const fault_deed deeds_around[] = {
    DEED(deed_entity, 0, 0, 0), DEED(deed_fact, 1, 1, 0),
    DEED(deed_fact, 2, 1, 1),   DEED(deed_link, 2, 1, 0),
    DEED_ACT(ACCEPT, 1),        DEED_ACT(MERGE, 5),
    DEED(deed_undo, 0, 0, 0),   DEED(deed_act_on_search, 0, 0, 0),
};
static const fault_deed deeds_shred[] = {
    DEED_SHRED(1, 2), DEED_STEP(FAULT_PUT, 14, 2, 1),
    DEED_SHRED(5, 1), DEED_STEP(FAULT_FORGET, 4, 1, 0),
    DEED_SHRED(4, 1), DEED_ACT(MERGE, 7),
    DEED_SHRED(7, 1),
};
static const fault_deed deeds_restore[] = {
    DEED(deed_restore, 0, 1, 1), DEED(deed_restore, 3, 1, 1),    DEED_STEP(FAULT_PUT, 0, 1, 3),
    DEED(deed_restore, 0, 1, 2), DEED_STEP(FAULT_EDIT, 9, 1, 2), DEED(deed_restore, 9, 1, 1),
};
static const fault_deed deeds_facts[] = {
    DEED(deed_entity, 0, 0, 0), DEED(deed_fact, 1, 1, 0),          DEED(deed_fact, 2, 1, 1),
    DEED(deed_fact, 3, 1, 2),   DEED(deed_fact, 4, 1, 3),          DEED(deed_retract, 0, 0, 0),
    DEED(deed_fact, 1, 1, 4),   DEED(fault_deed_replace, 0, 0, 4), DEED(deed_merge, 0, 0, 0),
    DEED(deed_alias, 0, 0, 0),  DEED(deed_entity_forget, 0, 0, 0),
};
static const fault_deed deeds_replace_before[] = {DEED(deed_fact, 1, 1, 4)};
static const fault_deed deeds_replace[] = {
    DEED(fault_deed_replace, 0, 0, 4),
    DEED(fault_deed_replace, 0, 0, 4),
    DEED(fault_deed_replace, 0, 0, 4),
    DEED(fault_deed_replace, 0, 0, 4),
};
static const fault_deed deeds_feedback[] = {
    DEED_ACT(ACCEPT, 1),      DEED(deed_act_on_search, 0, 0, 0),
    DEED_ACT(DELETE, 2),      DEED(deed_undo, 0, 0, 0),
    DEED_ACT(MERGE, 3),       DEED_STEP(FAULT_EDIT, 6, 1, 2),
    DEED_ACT(EDIT, 6),        DEED(deed_undo, 0, 0, 0),
    DEED(deed_undo, 0, 0, 0), DEED(deed_setting, 0, 0, 500),
};
static const fault_deed deeds_expired[] = {
    DEED(deed_expire, 1, 1, 0),         DEED(deed_expire, 7, 1, 0),
    DEED(deed_forget_expired, 0, 0, 0), DEED(deed_link, 3, 1, 0),
    DEED(deed_forget_where, 0, 0, 0),   DEED(deed_expire, 4, 1, 0),
    DEED(deed_forget_expired, 0, 0, 0), DEED_ACT(MERGE, 10),
    DEED_STEP(FAULT_FORGET, 10, 1, 0),
};
static const fault_deed deeds_files[] = {
    {deed_import, {FAULT_PUT, 0, 0, 0, 1}, 12, 1, 1, 0},
};

const fault_deeds fault_deeds_all[] = {
    {"shred", &deeds_before, DEEDS(deeds_around), DEEDS(deeds_shred), 0},
    {"restore", &deeds_before, NULL, 0, DEEDS(deeds_restore), 0},
    {"facts", &deeds_before, NULL, 0, DEEDS(deeds_facts), 0},
    {"replace-facts", &deeds_before, DEEDS(deeds_replace_before), DEEDS(deeds_replace), 0},
    {"feedback", &deeds_before, NULL, 0, DEEDS(deeds_feedback), 0},
    {"expired", &deeds_before, NULL, 0, DEEDS(deeds_expired), 0},
    {"import-files", &deeds_before, NULL, 0, DEEDS(deeds_files), 1},
    {NULL, NULL, NULL, 0, NULL, 0, 0},
};

const fault_deeds *fault_deeds_find(const char *name)
{
    const fault_deeds *d = fault_deeds_all;
    while (d->name && strcmp(d->name, name) != 0)
        d++;
    return d->name ? d : NULL;
}

/* ---- the prepared store -------------------------------------------------------------------- */

/* A folder with a few notes only; what is imported from it is gone when the rest has come. */
static void deeds_prepare_files(fault_world *world, fault_session *s)
{
    char folder[300];
    const fault_deed import = DEED(deed_import, 0, 0, 0);
    memo_err err = {0};
    deed_files_path(world, folder);
    fault_folder_remove(folder);
    if (mkdir(folder, 0700) != 0)
        deeds_die(folder, NULL);
    for (int i = 0; i < DEED_GONE_FILES; i++)
        deed_write_note(world, folder, "gone", 200 + i);
    deed_write_note(world, folder, "note", 0);
    if (deed_import(s, &import, &err))
        deeds_die("import", &err);
    fault_folder_remove(folder);
    deed_make_files(world);
}

void fault_deeds_prepare(fault_world *world, const fault_deeds *deeds, const char *folder)
{
    fault_session session;
    memo_err err = {0};
    world->now_ms = FAULT_DEEDS_MS - 3600000;
    fault_workload_prepare(world, deeds->before, folder);
    fault_session_init(&session, world, folder);
    if (fault_session_open(&session, &err))
        deeds_die(deeds->name, &err);
    if (deeds->has_files)
        deeds_prepare_files(world, &session);
    for (size_t i = 0; i < deeds->n_made; i++) {
        world->now_ms += 1000;
        if (deeds->made[i].run(&session, &deeds->made[i], &err))
            deeds_die(deeds->name, &err);
    }
    fault_session_close(&session);
}
