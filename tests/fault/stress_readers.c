// SPDX-License-Identifier: Apache-2.0
/* Readers beside the writers of stress_commits.c: every batch is whole, none that was acknowledged
 * is missing, none is there that nobody began. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "fault.h"
#include "store/store.h"
#include "stress.h"

enum { READER_REOPENS = 500 }; /* reads between two opens */

typedef struct reader_work {
    stress_world *world;
    memo_store *store;
    memo_arena arena; /* of one read */
    memo_rng rng;
    uint64_t least; /* records seen so far; slots are replaced, never emptied */
} reader_work;

/* What a slot may hold. */
typedef struct reader_slot {
    unsigned writer, slot;
    uint64_t least; /* batch; 0: it may be empty */
} reader_slot;

static reader_slot reader_choose(reader_work *r)
{
    reader_slot s = {.writer = (unsigned)memo_rng_below(&r->rng, r->world->n_writers),
                     .slot = (unsigned)memo_rng_below(&r->rng, STRESS_SLOTS)};
    uint64_t acked = atomic_load(&r->world->shared->writers[s.writer].n_acked);
    if (memo_rng_below(&r->rng, 2)) /* the one that is most in danger */
        s.slot = (unsigned)(acked % STRESS_SLOTS);
    s.least = stress_batch_in_slot(acked, s.slot);
    return s;
}

/* A batch that was found is one of those that may be there. */
static int reader_check_batch(reader_work *r, const reader_slot *s, uint64_t batch)
{
    uint64_t begun = atomic_load(&r->world->shared->writers[s->writer].n_begun);
    if (batch >= s->least && batch <= begun && (batch == 0 || batch % STRESS_SLOTS == s->slot))
        return 0;
    return stress_fail(r->world,
                       "writer %u slot %u: found batch %" PRIu64 ", acknowledged %" PRIu64
                       ", begun %" PRIu64,
                       s->writer, s->slot, batch, s->least, begun);
}

static int reader_check_text(reader_work *r, const reader_slot *s, unsigned part, const char *found)
{
    char text[STRESS_TEXT_BYTES];
    stress_text(r->world, s->writer, stress_batch_of(found), part, text);
    if (strcmp(text, found) == 0)
        return 0;
    return stress_fail(r->world, "writer %u slot %u part %u: another text: %.80s", s->writer,
                       s->slot, part, found);
}

/* ---- kinds of reads ------------------------------------------------------------------------ */

/* All parts by key, in one snapshot. */
static int reader_get(reader_work *r, const reader_slot *s)
{
    uint64_t first = 0;
    memo_err err = {0};
    int bad = stress_status(r->world, memo_store_begin_read(r->store, &err), "begin to read", &err);
    for (unsigned part = 0; !bad && part < STRESS_PARTS; part++) {
        char key[48];
        memo_record record;
        snprintf(key, sizeof key, "w%u-s%u-%u", s->writer, s->slot, part);
        memo_status status = memo_store_get(r->store, 1, key, &r->arena, &record, &err);
        uint64_t batch = status == MEMO_OK ? stress_batch_of(record.text.bytes) : 0;
        if (status && status != MEMO_ERR_NOTFOUND)
            bad = stress_status(r->world, status, key, &err);
        else if (status == MEMO_OK)
            bad = reader_check_text(r, s, part, record.text.bytes);
        if (part == 0)
            first = batch;
        if (!bad && batch != first)
            bad = stress_fail(r->world, "%s: batch %" PRIu64 " beside %" PRIu64, key, batch, first);
    }
    memo_store_end_read(r->store);
    return bad ? bad : reader_check_batch(r, s, first);
}

/* By tag: all parts of one batch, or nothing. */
static int reader_list(reader_work *r, const reader_slot *s)
{
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 100};
    memo_records found = {0};
    memo_filter *filter = NULL;
    memo_err err = {0};
    char where[48];
    snprintf(where, sizeof where, "tags = 'w%us%u'", s->writer, s->slot);
    memo_status status = memo_filter_new(where, 0, &filter, &err);
    scope.filter = filter;
    if (status == MEMO_OK)
        status = memo_store_list(r->store, &scope, &options, &r->arena, &found, &err);
    memo_filter_free(filter);
    if (status)
        return stress_status(r->world, status, where, &err);
    if (found.n_damaged || (found.n != 0 && found.n != STRESS_PARTS))
        return stress_fail(r->world, "%s: %zu records, %zu damaged", where, found.n,
                           found.n_damaged);
    uint64_t first = found.n ? stress_batch_of(found.records[0].text.bytes) : 0;
    for (size_t i = 1; i < found.n; i++)
        if (stress_batch_of(found.records[i].text.bytes) != first)
            return stress_fail(r->world, "%s: records of two batches", where);
    return reader_check_batch(r, s, first);
}

/* By the slot's word in the full text. */
static int reader_search(reader_work *r, const reader_slot *s)
{
    memo_store_scope scope = {.ns = 1};
    memo_store_hits hits = {.arena = &r->arena, .limit = 100};
    memo_err err = {0};
    char match[32];
    snprintf(match, sizeof match, "\"w%us%u\"", s->writer, s->slot);
    memo_status status =
        memo_store_fulltext(r->store, &scope, MEMO_STORE_WORDS, match, 1, &hits, &err);
    if (status)
        return stress_status(r->world, status, match, &err);
    if (hits.n == STRESS_PARTS || (hits.n == 0 && s->least == 0))
        return 0;
    return stress_fail(r->world, "%s: %zu hits, acknowledged batch %" PRIu64, match, hits.n,
                       s->least);
}

static int reader_count(reader_work *r)
{
    memo_store_scope scope = {.ns = 1};
    uint64_t n_records = 0, n_chunks = 0, n_acked = 0;
    memo_err err = {0};
    for (unsigned w = 0; w < r->world->n_writers; w++) {
        uint64_t acked = atomic_load(&r->world->shared->writers[w].n_acked);
        n_acked += STRESS_PARTS * (acked < STRESS_SLOTS ? acked : STRESS_SLOTS);
    }
    memo_status status = memo_store_count(r->store, &scope, &n_records, &n_chunks, &err);
    if (status)
        return stress_status(r->world, status, "count", &err);
    if (n_records % STRESS_PARTS || n_chunks != n_records || n_records < n_acked ||
        n_records < r->least)
        return stress_fail(r->world,
                           "%" PRIu64 " records of %" PRIu64 " chunks; %" PRIu64
                           " acknowledged, %" PRIu64 " seen before",
                           n_records, n_chunks, n_acked, r->least);
    r->least = n_records;
    return 0;
}

/* ---- processes ----------------------------------------------------------------------------- */

static int reader_open(reader_work *r)
{
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    memo_err err = {0};
    memo_store_close(r->store);
    r->store = NULL;
    return stress_status(r->world,
                         memo_store_open(r->world->ctx, r->world->path, &options, &r->store, &err),
                         "open to read", &err);
}

static int reader_read(reader_work *r)
{
    uint64_t kind = memo_rng_below(&r->rng, 10);
    double since = fault_seconds();
    reader_slot s = reader_choose(r);
    int bad = kind < 6   ? reader_get(r, &s)
              : kind < 8 ? reader_list(r, &s)
              : kind < 9 ? reader_search(r, &s)
                         : reader_count(r);
    memo_arena_fini(&r->arena);
    stress_time(&r->world->shared->read, since);
    atomic_fetch_add(&r->world->shared->n_reads, 1);
    return bad;
}

int stress_commit_reader(stress_world *world, unsigned reader)
{
    reader_work r = {.world = world};
    int bad = 0;
    memo_rng_init(&r.rng, fault_mix(world->seed, 1000 + reader));
    for (uint64_t i = 0; !bad && !atomic_load(&world->shared->stop); i++) {
        if (i % READER_REOPENS == 0)
            bad = reader_open(&r);
        if (!bad)
            bad = reader_read(&r);
    }
    memo_store_close(r.store);
    return bad != 0;
}

static void reader_finding(void *user, memo_finding_level level, const char *area,
                           const char *message, const char *hint)
{
    (void)hint;
    if (level == MEMO_FINDING_BAD)
        stress_fail(user, "%s: %s", area, message);
}

/* At the end, nobody else is there: every slot, and the check of all pages and rows. */
int stress_commit_check(stress_world *world)
{
    reader_work r = {.world = world};
    memo_err err = {0};
    int bad = reader_open(&r);
    for (unsigned w = 0; !bad && w < world->n_writers; w++) {
        uint64_t acked = atomic_load(&world->shared->writers[w].n_acked);
        for (unsigned slot = 0; !bad && slot < STRESS_SLOTS; slot++) {
            reader_slot s = {w, slot, stress_batch_in_slot(acked, slot)};
            bad = reader_get(&r, &s) || reader_list(&r, &s) || reader_search(&r, &s);
            memo_arena_fini(&r.arena);
        }
    }
    if (!bad)
        bad = reader_count(&r);
    if (!bad)
        bad = stress_status(world, memo_store_check(r.store, reader_finding, world, &err), "check",
                            &err);
    memo_store_close(r.store);
    return bad || atomic_load(&world->shared->n_failures) ? -1 : 0;
}
