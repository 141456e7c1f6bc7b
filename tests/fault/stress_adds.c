// SPDX-License-Identifier: Apache-2.0
/* Processes that add through the public interface beside readers that look at all they add.
 *
 * Every fourth add is a batch of ADDS_PARTS records. The records of add N of writer W have the keys
 * "wW-N-PART", and its name "wWbN" as tag and as title. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault.h"
#include "stress.h"

enum { ADDS_PARTS = 5, ADDS_BATCH_EVERY = 4, ADDS_REOPENS = 200 };

typedef struct adds_work {
    stress_world *world;
    memo_model *model;
    memo_db *db;
    memo_rng rng;
    uint64_t n_records, change_seq; /* seen so far */
} adds_work;

static unsigned adds_parts(uint64_t number)
{
    return number % ADDS_BATCH_EVERY == 0 ? ADDS_PARTS : 1;
}

uint64_t stress_add_records(uint64_t n_adds)
{
    return n_adds + n_adds / ADDS_BATCH_EVERY * (ADDS_PARTS - 1);
}

static int adds_open(adds_work *a, memo_open_mode mode)
{
    memo_db_options options = {.size = sizeof options, .mode = mode, .model = a->model};
    memo_err err = {0};
    memo_db_close(a->db);
    a->db = NULL;
    return stress_status(a->world,
                         memo_db_open(a->world->ctx, a->world->path, &options, &a->db, &err),
                         "open", &err);
}

static int adds_begin(adds_work *a, stress_world *world, memo_open_mode mode)
{
    memo_err err = {0};
    *a = (adds_work){.world = world};
    if (stress_status(world, memo_model_open(world->ctx, world->model, NULL, &a->model, &err),
                      "open the model", &err))
        return -1;
    return adds_open(a, mode);
}

static void adds_end(adds_work *a)
{
    memo_db_close(a->db);
    memo_model_close(a->model);
}

/* ---- writers ------------------------------------------------------------------------------- */

static int adds_once(adds_work *a, unsigned writer, uint64_t number)
{
    char keys[ADDS_PARTS][32], texts[ADDS_PARTS][STRESS_TEXT_BYTES], name[24];
    const char *tags[] = {name};
    memo_record_in records[ADDS_PARTS];
    memo_add_result results[ADDS_PARTS] = {{.size = sizeof *results}};
    memo_err err = {0};
    unsigned n = adds_parts(number);
    snprintf(name, sizeof name, "w%ub%" PRIu64, writer, number);
    for (unsigned part = 0; part < n; part++) {
        snprintf(keys[part], sizeof keys[part], "w%u-%" PRIu64 "-%u", writer, number, part);
        stress_text(a->world, writer, number, part, texts[part]);
        records[part] = (memo_record_in){.size = sizeof records[part],
                                         .key = keys[part],
                                         .text = MEMO_STR(texts[part]),
                                         .title = name,
                                         .tags = tags,
                                         .n_tags = 1,
                                         .chunking = MEMO_CHUNK_NONE};
    }
    double since = fault_seconds();
    if (stress_status(a->world, memo_db_add(a->db, NULL, records, n, results, &err), name, &err))
        return -1;
    stress_time(&a->world->shared->commit, since);
    for (unsigned part = 0; part < n; part++)
        if (results[part].outcome != MEMO_OUTCOME_NEW)
            return stress_fail(a->world, "%s was there already", keys[part]);
    return 0;
}

/* Every second writer keeps the store open, the others do as the command does. */
int stress_add(stress_world *world, unsigned writer)
{
    stress_writer *mine = &world->shared->writers[writer];
    adds_work a;
    int bad = adds_begin(&a, world, MEMO_OPEN_EXISTING);
    for (uint64_t number = 1; !bad && number <= world->every; number++) {
        atomic_store(&mine->n_begun, number);
        bad = adds_once(&a, writer, number);
        if (!bad && writer % 2)
            bad = adds_open(&a, MEMO_OPEN_EXISTING);
        if (!bad)
            atomic_store(&mine->n_acked, number);
        if (atomic_load(&world->shared->stop))
            break;
    }
    adds_end(&a);
    return bad != 0;
}

/* ---- readers ------------------------------------------------------------------------------- */

/* One writer's add, and whether it must be there. */
typedef struct adds_choice {
    unsigned writer;
    uint64_t number; /* from 1 */
    int acked;
    char name[24];
} adds_choice;

static adds_choice adds_choose(adds_work *a)
{
    adds_choice c = {.writer = (unsigned)memo_rng_below(&a->rng, a->world->n_writers)};
    uint64_t acked = atomic_load(&a->world->shared->writers[c.writer].n_acked);
    c.number = memo_rng_below(&a->rng, 2) ? acked + memo_rng_below(&a->rng, 3) /* the newest */
                                          : 1 + memo_rng_below(&a->rng, acked + 1);
    c.number += c.number == 0;
    c.acked = c.number <= acked;
    snprintf(c.name, sizeof c.name, "w%ub%" PRIu64, c.writer, c.number);
    return c;
}

/* All or nothing, and all when it was acknowledged. */
static int adds_check_number(adds_work *a, const adds_choice *c, size_t n, const char *how)
{
    if (n == adds_parts(c->number) || (n == 0 && !c->acked))
        return 0;
    return stress_fail(a->world, "%s of %s: %zu of %u records%s", how, c->name, n,
                       adds_parts(c->number), c->acked ? ", acknowledged" : "");
}

static int adds_check_record(adds_work *a, const adds_choice *c, const memo_record *record)
{
    char text[STRESS_TEXT_BYTES];
    const char *part = record->key ? strrchr(record->key, '-') : NULL;
    stress_text(a->world, c->writer, c->number, part ? (unsigned)(part[1] - '0') : 0, text);
    if (part && strcmp(text, record->text.bytes) == 0)
        return 0;
    return stress_fail(a->world, "%s: another text: %.80s", record->key ? record->key : record->id,
                       record->text.bytes);
}

static int adds_get(adds_work *a, const adds_choice *c)
{
    memo_records *found = NULL;
    memo_err err = {0};
    char key[32];
    snprintf(key, sizeof key, "w%u-%" PRIu64 "-%u", c->writer, c->number,
             (unsigned)memo_rng_below(&a->rng, adds_parts(c->number)));
    memo_status status = memo_db_get(a->db, NULL, key, &found, &err);
    if (status == MEMO_ERR_NOTFOUND && !c->acked)
        return 0;
    if (status)
        return stress_status(a->world, status, key, &err);
    int bad = adds_check_record(a, c, &found->records[0]);
    memo_records_free(found);
    return bad;
}

static int adds_list(adds_work *a, const adds_choice *c)
{
    char where[48];
    memo_list_options options = {.size = sizeof options, .where = where, .limit = 100};
    memo_records *found = NULL;
    memo_err err = {0};
    snprintf(where, sizeof where, "tags = '%s'", c->name);
    memo_status status = memo_db_list(a->db, &options, &found, &err);
    if (status == MEMO_ERR_NOTFOUND && !c->acked)
        return 0;
    if (status)
        return stress_status(a->world, status, where, &err);
    int bad = adds_check_number(a, c, found->n, "list");
    for (size_t i = 0; !bad && i < found->n; i++)
        bad = adds_check_record(a, c, &found->records[i]);
    memo_records_free(found);
    return bad;
}

static int adds_search(adds_work *a, const adds_choice *c)
{
    memo_search_options options = {.size = sizeof options, .k = 2 * ADDS_PARTS};
    memo_hits *hits = NULL;
    memo_err err = {0};
    size_t n = 0;
    memo_status status = memo_db_search(a->db, MEMO_STR(c->name), &options, &hits, &err);
    if (status == MEMO_ERR_NOTFOUND && !c->acked)
        return 0;
    if (status)
        return stress_status(a->world, status, "search", &err);
    for (size_t i = 0; i < hits->n; i++)
        n += strcmp(hits->hits[i].title, c->name) == 0;
    memo_hits_free(hits);
    return adds_check_number(a, c, n, "search");
}

static int adds_count(adds_work *a)
{
    memo_db_stats stats = {.size = sizeof stats};
    memo_err err = {0};
    uint64_t n_acked = 0;
    for (unsigned w = 0; w < a->world->n_writers; w++)
        n_acked += stress_add_records(atomic_load(&a->world->shared->writers[w].n_acked));
    memo_status status = memo_db_get_stats(a->db, &stats, &err);
    if (status)
        return stress_status(a->world, status, "statistics", &err);
    if (stats.n_records < n_acked || stats.n_records < a->n_records ||
        stats.change_seq < a->change_seq || stats.n_vectors < stats.n_records)
        return stress_fail(a->world,
                           "%" PRIu64 " records, %" PRIu64 " vectors, change %" PRIu64
                           "; acknowledged %" PRIu64 ", before %" PRIu64 ", change %" PRIu64,
                           stats.n_records, stats.n_vectors, stats.change_seq, n_acked,
                           a->n_records, a->change_seq);
    a->n_records = stats.n_records;
    a->change_seq = stats.change_seq;
    return 0;
}

static int adds_read(adds_work *a)
{
    uint64_t kind = memo_rng_below(&a->rng, 8);
    adds_choice c = adds_choose(a);
    double since = fault_seconds();
    int bad = kind < 3   ? adds_get(a, &c)
              : kind < 5 ? adds_list(a, &c)
              : kind < 7 ? adds_search(a, &c)
                         : adds_count(a);
    stress_time(&a->world->shared->read, since);
    atomic_fetch_add(&a->world->shared->n_reads, 1);
    return bad;
}

int stress_add_reader(stress_world *world, unsigned reader)
{
    adds_work a;
    int bad = adds_begin(&a, world, MEMO_OPEN_READ_ONLY);
    memo_rng_init(&a.rng, fault_mix(world->seed, 2000 + reader));
    for (uint64_t i = 1; !bad && !atomic_load(&world->shared->stop); i++) {
        bad = adds_read(&a);
        if (!bad && i % ADDS_REOPENS == 0)
            bad = adds_open(&a, MEMO_OPEN_READ_ONLY);
    }
    adds_end(&a);
    return bad != 0;
}

/* ---- in the parent ------------------------------------------------------------------------- */

int stress_add_prepare(stress_world *world)
{
    static const char source[] = MEMO_SOURCE_DIR "/tests/cli/tiny-model";
    const memo_compile_options options = {.size = sizeof options, .name = "tiny", .overwrite = 1};
    adds_work a = {.world = world};
    memo_err err = {0};
    memo_status status = memo_model_compile(world->ctx, source, world->model, &options, NULL, &err);
    if (stress_status(world, status, "compile", &err))
        return -1;
    int bad = adds_begin(&a, world, MEMO_OPEN_CREATE);
    adds_end(&a);
    return bad;
}

/* "wW-N-PART" as a choice that must be there. */
static int adds_read_key(adds_work *a, const char *key, adds_choice *c)
{
    char *at;
    *c = (adds_choice){.writer = (unsigned)strtoul(key[0] == 'w' ? key + 1 : key, &at, 10)};
    if (*at == '-')
        c->number = strtoull(at + 1, &at, 10);
    if (*at == '-' && c->writer < a->world->n_writers && c->number && c->number <= a->world->every)
        return 0;
    return stress_fail(a->world, "a record nobody added: %s", key);
}

/* Every record there is, each with its own text. Keys are unique, so their number says the rest. */
static int adds_check_all(adds_work *a)
{
    memo_list_options options = {.size = sizeof options, .limit = 1000};
    memo_records *page = NULL, *before = NULL; /* owns options.after */
    memo_err err = {0};
    uint64_t n = 0, want = a->world->n_writers * stress_add_records(a->world->every);
    int bad = 0;
    do {
        bad = stress_status(a->world, memo_db_list(a->db, &options, &page, &err), "list", &err);
        memo_records_free(before);
        before = page;
        for (size_t i = 0; !bad && i < page->n; i++, n++) {
            adds_choice c;
            bad = adds_read_key(a, page->records[i].key ? page->records[i].key : "", &c) ||
                  adds_check_record(a, &c, &page->records[i]);
        }
        options.after = bad ? NULL : page->next;
        page = NULL;
    } while (options.after);
    memo_records_free(before);
    if (!bad && n != want)
        bad = stress_fail(a->world, "%" PRIu64 " records at the end instead of %" PRIu64, n, want);
    return bad;
}

int stress_add_check(stress_world *world)
{
    adds_work a;
    memo_findings *findings = NULL;
    memo_err err = {0};
    int bad = adds_begin(&a, world, MEMO_OPEN_EXISTING);
    if (!bad)
        bad = adds_count(&a) || adds_check_all(&a);
    if (!bad)
        bad = stress_status(world, memo_db_doctor(a.db, &findings, &err), "doctor", &err);
    for (size_t i = 0; !bad && i < findings->n; i++)
        if (findings->findings[i].level != MEMO_FINDING_OK)
            bad = stress_fail(world, "doctor: %s", findings->findings[i].message);
    memo_findings_free(findings);
    adds_end(&a);
    return bad;
}
