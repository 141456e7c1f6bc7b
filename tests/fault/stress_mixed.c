// SPDX-License-Identifier: Apache-2.0
/* Processes that do all that a memory does, beside readers that look at the present, at the past and at
 * exports.
 *
 * Round N of writer W adds the record "wW-N" with its name "wWbN" as title, a fact with that name as its
 * value and the record as its evidence, and an action on the record. The first writer shreds: a record
 * whose number leaves 2 when divided by MIXED_SHRED_EVERY goes MIXED_SHRED_AFTER rounds later, with its
 * fact and its action. Two that shred would find each other's bytes, where their texts are alike.
 *
 * What readers ask: a record that is to be there is there, one that was shredded is not, today, at a
 * moment when it was, and in an export; an export is one moment: no fact without its record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "fault.h"
#include "stress.h"

enum {
    MIXED_SHRED_EVERY = 3,
    MIXED_SHRED_AFTER = 3,
    MIXED_BUSY_TRIES = 200,
    MIXED_REOPENS = 20,
    MIXED_HITS = 10,
};

typedef struct mixed_work {
    stress_world *world;
    int logs; /* its searches are kept in the store */
    memo_model *model;
    memo_db *db;
    memo_rng rng;
} mixed_work;

static int mixed_open(mixed_work *m, memo_open_mode mode)
{
    memo_db_options options = {.size = sizeof options, .mode = mode, .model = m->model};
    memo_err err = {0};
    memo_db_close(m->db);
    m->db = NULL;
    return stress_status(m->world,
                         memo_db_open(m->world->ctx, m->world->path, &options, &m->db, &err),
                         "open", &err);
}

static int mixed_begin(mixed_work *m, stress_world *world, memo_open_mode mode)
{
    memo_err err = {0};
    *m = (mixed_work){.world = world};
    if (stress_status(world, memo_model_open(world->ctx, world->model, NULL, &m->model, &err),
                      "open the model", &err))
        return -1;
    return mixed_open(m, mode);
}

static void mixed_end(mixed_work *m)
{
    memo_db_close(m->db);
    memo_model_close(m->model);
}

/* Of readers: a shred waits for a moment at which nobody reads. */
static void mixed_nap(void)
{
    const struct timespec nap = {0, 10 * 1000000};
    (void)nanosleep(&nap, NULL);
}

/* ---- what must be there -------------------------------------------------------------------- */

static int mixed_is_doomed(unsigned writer, uint64_t number)
{
    return writer == 0 && number % MIXED_SHRED_EVERY == 2;
}

/* What was known of a writer before a read, and what it has begun after it. */
typedef struct mixed_known {
    unsigned writer;
    uint64_t acked, shredded, begun;
} mixed_known;

static mixed_known mixed_know(const mixed_work *m, unsigned writer)
{
    stress_writer *w = &m->world->shared->writers[writer];
    mixed_known known = {.writer = writer, .acked = atomic_load(&w->n_acked)};
    known.shredded = atomic_load(&w->n_shredded);
    return known;
}

static void mixed_know_after(const mixed_work *m, mixed_known *known)
{
    known->begun = atomic_load(&m->world->shared->writers[known->writer].n_begun);
}

/* 1: it must be there, 0: it must not, -1: it is on its way in or out. */
static int mixed_must_be(const mixed_known *known, uint64_t number)
{
    if (number > known->begun ||
        (mixed_is_doomed(known->writer, number) && number <= known->shredded))
        return 0;
    if (number > known->acked ||
        (mixed_is_doomed(known->writer, number) && number + MIXED_SHRED_AFTER <= known->begun))
        return -1;
    return 1;
}

static int mixed_check(const mixed_work *m, const mixed_known *known, uint64_t number, int found,
                       const char *how)
{
    int must = mixed_must_be(known, number);
    if (must < 0 || must == found)
        return 0;
    return stress_fail(m->world,
                       "%s of w%u-%" PRIu64 ": %s (acknowledged %" PRIu64 ", shredded %" PRIu64
                       ", begun %" PRIu64 ")",
                       how, known->writer, number, found ? "it is there" : "it is not there",
                       known->acked, known->shredded, known->begun);
}

/* ---- writers ------------------------------------------------------------------------------- */

static int mixed_add(mixed_work *m, const char *key, const char *name, const char *text)
{
    const memo_record_in in = {.size = sizeof in,
                               .key = key,
                               .text = MEMO_STR(text),
                               .title = name,
                               .tags = &name,
                               .n_tags = 1,
                               .chunking = MEMO_CHUNK_NONE};
    const memo_evidence_in evidence = {key, 0, 0};
    const memo_fact_in fact = {.size = sizeof fact,
                               .subject = "the writer",
                               .relation = "wrote",
                               .value = name,
                               .evidence = &evidence,
                               .n_evidence = 1};
    const memo_action_in action = {.size = sizeof action, .kind = MEMO_ACTION_ACCEPT, .id = key};
    memo_err err = {0};
    if (stress_status(m->world, memo_db_add(m->db, NULL, &in, 1, NULL, &err), "add", &err) ||
        stress_status(m->world, memo_db_fact_add(m->db, NULL, &fact, NULL, &err), "fact", &err))
        return -1;
    return stress_status(m->world, memo_db_feedback(m->db, &action, NULL, &err), "feedback", &err);
}

/* A reader may keep the log from being emptied: what is deleted stays so, and the next call goes on. */
static int mixed_shred(mixed_work *m, unsigned writer, uint64_t number)
{
    char key[32];
    const char *id = key;
    memo_shred_options options = {.size = sizeof options, .ids = &id, .n_ids = 1};
    memo_err err = {0};
    memo_status status = MEMO_ERR_BUSY;
    char trace[200] = "";
    snprintf(key, sizeof key, "w%u-%" PRIu64, writer, number);
    for (int i = 0; status == MEMO_ERR_BUSY && i < MIXED_BUSY_TRIES; i++) {
        memo_shred_report *report = NULL;
        if (i == 1)
            options = (memo_shred_options){.size = sizeof options};
        status = memo_db_shred(m->db, &options, &report, &err);
        for (size_t f = 0; report && report->n_found && f < report->findings->n; f++)
            if (report->findings->findings[f].level == MEMO_FINDING_BAD)
                snprintf(trace, sizeof trace, "%s", report->findings->findings[f].message);
        memo_shred_report_free(report);
    }
    if (trace[0])
        return stress_fail(m->world, "shred of %s: %s", key, trace);
    if (status == MEMO_OK || status == MEMO_ERR_BUSY) {
        atomic_store(&m->world->shared->writers[writer].n_shredded, number);
        return 0;
    }
    return stress_status(m->world, status, "shred", &err);
}

static int64_t mixed_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int mixed_round(mixed_work *m, unsigned writer, uint64_t number)
{
    stress_writer *mine = &m->world->shared->writers[writer];
    char key[32], name[32], text[STRESS_TEXT_BYTES];
    double since = fault_seconds();
    snprintf(key, sizeof key, "w%u-%" PRIu64, writer, number);
    snprintf(name, sizeof name, "w%ub%" PRIu64, writer, number);
    stress_text(m->world, writer, number, 0, text);
    atomic_store(&mine->n_begun, number);
    if (m->world->ack_early) {
        atomic_store(&mine->n_acked, number);
        mixed_nap();
    }
    if (mixed_add(m, key, name, text))
        return -1;
    stress_time(&m->world->shared->commit, since);
    atomic_store(&mine->when_ms[number % STRESS_STAMPS], mixed_now_ms());
    if (number > MIXED_SHRED_AFTER && mixed_is_doomed(writer, number - MIXED_SHRED_AFTER) &&
        mixed_shred(m, writer, number - MIXED_SHRED_AFTER))
        return -1;
    atomic_store(&mine->n_acked, number);
    return 0;
}

int stress_mixed(stress_world *world, unsigned writer)
{
    mixed_work m;
    int bad = mixed_begin(&m, world, MEMO_OPEN_EXISTING);
    for (uint64_t number = 1; !bad && number <= world->every && !atomic_load(&world->shared->stop);
         number++) {
        bad = mixed_round(&m, writer, number);
        if (!bad && writer % 2) /* as the command does */
            bad = mixed_open(&m, MEMO_OPEN_EXISTING);
    }
    mixed_end(&m);
    return bad != 0;
}

/* ---- readers ------------------------------------------------------------------------------- */

static int mixed_get(mixed_work *m, unsigned writer, uint64_t number)
{
    mixed_known known = mixed_know(m, writer);
    memo_records *found = NULL;
    memo_err err = {0};
    char key[32], text[STRESS_TEXT_BYTES];
    int same = 1;
    snprintf(key, sizeof key, "w%u-%" PRIu64, writer, number);
    memo_status status = memo_db_get(m->db, NULL, key, &found, &err);
    if (status && status != MEMO_ERR_NOTFOUND)
        return stress_status(m->world, status, key, &err);
    if (found) {
        stress_text(m->world, writer, number, 0, text);
        same = strcmp(text, found->records[0].text.bytes) == 0;
    }
    memo_records_free(found);
    if (!same)
        return stress_fail(m->world, "%s: another text", key);
    mixed_know_after(m, &known);
    return mixed_check(m, &known, number, status == MEMO_OK, "get");
}

/* as_of_ms 0: today. */
static int mixed_search(mixed_work *m, unsigned writer, uint64_t number, int64_t as_of_ms)
{
    mixed_known known = mixed_know(m, writer);
    const memo_search_options options = {
        .size = sizeof options, .k = MIXED_HITS, .as_of_ms = as_of_ms};
    memo_hits *hits = NULL;
    memo_err err = {0};
    char name[32];
    int n = 0;
    snprintf(name, sizeof name, "w%ub%" PRIu64, writer, number);
    memo_status status = memo_db_search(m->db, MEMO_STR(name), &options, &hits, &err);
    if (status && status != MEMO_ERR_NOTFOUND)
        return stress_status(m->world, status, as_of_ms ? "search of the past" : "search", &err);
    for (size_t i = 0; hits && i < hits->n; i++)
        n += strcmp(hits->hits[i].title, name) == 0;
    memo_hits_free(hits);
    if (n > 1)
        return stress_fail(m->world, "search: %s is there %d times", name, n);
    mixed_know_after(m, &known);
    return mixed_check(m, &known, number, n, as_of_ms ? "search of the past" : "search");
}

static int mixed_search_past(mixed_work *m, unsigned writer, uint64_t number)
{
    stress_writer *w = &m->world->shared->writers[writer];
    int64_t when = atomic_load(&w->when_ms[number % STRESS_STAMPS]);
    if (number == 0 || number > atomic_load(&w->n_acked))
        return 0;
    return mixed_search(m, writer, number, when);
}

/* ---- exports ------------------------------------------------------------------------------- */

static int mixed_take(void *user, const char *bytes, size_t n_bytes)
{
    memo_buf *all = user;
    memo_buf_append(all, bytes, n_bytes);
    return all->failed;
}

/* "wWbN" behind `member` in a line; zero when there is none. */
static int mixed_read_name(const char *line, const char *member, unsigned *writer, uint64_t *number)
{
    const char *at = strstr(line, member);
    char *end;
    if (!at)
        return 0;
    *writer = (unsigned)strtoul(at + strlen(member), &end, 10);
    if (*end != 'b' || *writer >= STRESS_MAX_WRITERS)
        return 0;
    *number = strtoull(end + 1, NULL, 10);
    return *number > 0 && *number < STRESS_STAMPS;
}

typedef struct mixed_export {
    unsigned char has_record[STRESS_MAX_WRITERS][STRESS_STAMPS];
    unsigned char has_fact[STRESS_MAX_WRITERS][STRESS_STAMPS];
} mixed_export;

static int mixed_read_export(const mixed_work *m, char *lines, mixed_export *out)
{
    memset(out, 0, sizeof *out);
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned writer = 0;
        uint64_t number = 0;
        int is_fact = strstr(line, "\"type\":\"fact\"") != NULL;
        if (strstr(line, "\"type\":\"entity\""))
            continue;
        if (!mixed_read_name(line, is_fact ? "\"value\":\"w" : "\"title\":\"w", &writer, &number))
            return stress_fail(m->world, "export: a line that nobody wrote: %.100s", line);
        unsigned char *has =
            is_fact ? &out->has_fact[writer][number] : &out->has_record[writer][number];
        if (++*has > 1)
            return stress_fail(m->world, "export: twice: %.100s", line);
    }
    return 0;
}

/* A fact is added after its record and goes with it: in one moment there is none without. */
static int mixed_check_export(const mixed_work *m, const mixed_export *e, const mixed_known *known)
{
    unsigned writer = known->writer;
    for (uint64_t n = 1; n <= m->world->every; n++) {
        int record = e->has_record[writer][n], fact = e->has_fact[writer][n];
        if (fact && !record)
            return stress_fail(m->world, "export: the fact of w%u-%" PRIu64 " without its record",
                               writer, n);
        if (record && !fact && n <= known->acked)
            return stress_fail(m->world, "export: w%u-%" PRIu64 " without its fact", writer, n);
        if (mixed_check(m, known, n, record, "export"))
            return -1;
    }
    return 0;
}

static int mixed_export_all(mixed_work *m)
{
    static mixed_export found;
    mixed_known known[STRESS_MAX_WRITERS];
    memo_buf lines = {0};
    memo_err err = {0};
    int bad;
    for (unsigned w = 0; w < m->world->n_writers; w++)
        known[w] = mixed_know(m, w);
    bad = stress_status(m->world, memo_db_export(m->db, NULL, mixed_take, &lines, NULL, &err),
                        "export", &err);
    for (unsigned w = 0; w < m->world->n_writers; w++)
        mixed_know_after(m, &known[w]);
    if (!bad && lines.data)
        bad = mixed_read_export(m, lines.data, &found);
    for (unsigned w = 0; !bad && lines.data && w < m->world->n_writers; w++)
        bad = mixed_check_export(m, &found, &known[w]);
    memo_buf_fini(&lines);
    return bad;
}

static int mixed_read(mixed_work *m)
{
    uint64_t kind = memo_rng_below(&m->rng, 10);
    unsigned writer = (unsigned)memo_rng_below(&m->rng, m->world->n_writers);
    uint64_t acked = atomic_load(&m->world->shared->writers[writer].n_acked);
    uint64_t number = 1 + memo_rng_below(&m->rng, acked + 1);
    double since = fault_seconds();
    int bad;
    if (memo_rng_below(&m->rng, 2)) /* the newest, or one that is being shredded */
        number = acked > 4 ? acked - memo_rng_below(&m->rng, 5) : 1;
    if (m->logs &&
        mixed_is_doomed(writer, number)) /* or its name stays in the store as a question */
        number++;
    bad = kind < 4   ? mixed_get(m, writer, number)
          : kind < 6 ? mixed_search(m, writer, number, 0)
          : kind < 9 ? mixed_search_past(m, writer, number)
                     : mixed_export_all(m);
    stress_time(&m->world->shared->read, since);
    atomic_fetch_add(&m->world->shared->n_reads, 1);
    return bad;
}

/* The first reader has opened to write, as a search does that is logged. */
int stress_mixed_reader(stress_world *world, unsigned reader)
{
    memo_open_mode mode = reader ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING;
    mixed_work m;
    int bad = mixed_begin(&m, world, mode);
    m.logs = reader == 0;
    memo_rng_init(&m.rng, fault_mix(world->seed, 3000 + reader));
    for (uint64_t i = 1; !bad && !atomic_load(&world->shared->stop); i++) {
        bad = mixed_read(&m);
        if (!bad && i % MIXED_REOPENS == 0)
            bad = mixed_open(&m, mode);
        mixed_nap();
    }
    mixed_end(&m);
    return bad != 0;
}

/* ---- in the parent ------------------------------------------------------------------------- */

/* An action for each record that is there: those on shredded ones went with them. */
static int mixed_check_actions(mixed_work *m)
{
    memo_action_query query = {.size = sizeof query, .limit = 1000};
    memo_actions *actions = NULL;
    memo_err err = {0};
    size_t want = 0, n;
    for (unsigned w = 0; w < m->world->n_writers; w++)
        for (uint64_t i = 1; i <= m->world->every; i++)
            want += !mixed_is_doomed(w, i) || i + MIXED_SHRED_AFTER > m->world->every;
    if (stress_status(m->world, memo_db_actions(m->db, &query, &actions, &err), "actions", &err))
        return -1;
    n = actions->n;
    memo_actions_free(actions);
    return n == want ? 0 : stress_fail(m->world, "%zu actions instead of %zu", n, want);
}

int stress_mixed_check(stress_world *world)
{
    const memo_shred_options rest = {.size = sizeof rest};
    mixed_work m;
    memo_shred_report *report = NULL;
    memo_findings *findings = NULL;
    memo_err err = {0};
    int bad = mixed_begin(&m, world, MEMO_OPEN_EXISTING);
    if (!bad) /* what readers have kept from its end */
        bad = stress_status(world, memo_db_shred(m.db, &rest, &report, &err), "shred", &err);
    memo_shred_report_free(report);
    for (unsigned w = 0; !bad && w < world->n_writers; w++)
        for (uint64_t n = 1; !bad && n <= world->every; n++)
            bad = mixed_get(&m, w, n) || mixed_search(&m, w, n, 0);
    if (!bad)
        bad = mixed_export_all(&m) || mixed_check_actions(&m);
    if (!bad)
        bad = stress_status(world, memo_db_doctor(m.db, &findings, &err), "doctor", &err);
    for (size_t i = 0; !bad && i < findings->n; i++)
        if (findings->findings[i].level != MEMO_FINDING_OK)
            bad = stress_fail(world, "doctor: %s", findings->findings[i].message);
    memo_findings_free(findings);
    mixed_end(&m);
    return bad;
}
