// SPDX-License-Identifier: Apache-2.0
/* Compare a store with what it must hold. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "memory/db.h"

typedef struct check_work {
    fault_world *world;
    memo_db *db;
    fault_state state; /* as found */
    size_t n_records;
    char *why;
} check_work;

static int check_status(check_work *c, const char *what, memo_status status, const memo_err *err)
{
    if (status == MEMO_OK)
        return 0;
    return fault_fail(c->why, "%s: %s: %s", what, memo_status_name(status), err->message);
}

/* ---- records ------------------------------------------------------------------------------- */

static int check_one_record(check_work *c, int ns, const memo_record *r)
{
    char want[FAULT_TEXT_BYTES];
    int key, n, number, version;
    if (r->key && strcmp(r->key, "added-after") == 0)
        return 0;
    if (!r->key || sscanf(r->key, "k%3d", &key) != 1 || key < 0 || key >= FAULT_N_KEYS)
        return fault_fail(c->why, "a record nobody added: %s", r->key ? r->key : r->id);
    if (sscanf(r->metadata_json, "{\"k\":%d,\"n\":%d,\"v\":%d}", &number, &n, &version) != 3 ||
        number != key || n != ns || version < 1 || version >= FAULT_N_VERSIONS)
        return fault_fail(c->why, "record %s: metadata %.80s", r->key, r->metadata_json);
    fault_text(c->world->seed, ns, key, version, want);
    if (r->text.n_bytes != strlen(want) || memcmp(r->text.bytes, want, r->text.n_bytes) != 0)
        return fault_fail(c->why, "record %s, version %d: not its text: %.80s", r->key, version,
                          r->text.bytes);
    fault_title(ns, key, version, want);
    if (strcmp(r->title, want) != 0)
        return fault_fail(c->why, "record %s, version %d: title %.60s", r->key, version, r->title);
    fault_metadata(ns, key, version, want);
    if (strcmp(r->metadata_json, want) != 0)
        return fault_fail(c->why, "record %s: metadata %.80s", r->key, r->metadata_json);
    if (c->state.version[ns][key])
        return fault_fail(c->why, "record %s is there twice", r->key);
    c->state.version[ns][key] = (unsigned char)version;
    c->n_records++;
    return 0;
}

static int check_records(check_work *c)
{
    for (int ns = 0; ns < FAULT_N_NS; ns++) {
        const memo_list_options options = {
            .size = sizeof options, .ns = fault_ns(ns), .limit = 1000};
        memo_records *list = NULL;
        memo_err err = {0};
        int bad;
        memo_status status = memo_db_list(c->db, &options, &list, &err);
        if (status == MEMO_ERR_NOTFOUND)
            continue;
        if (check_status(c, "list", status, &err))
            return 1;
        bad = list->n_damaged ? fault_fail(c->why, "damaged record %s", list->damaged[0]) : 0;
        for (size_t i = 0; i < list->n && !bad; i++)
            bad = check_one_record(c, ns, &list->records[i]);
        memo_records_free(list);
        if (bad)
            return bad;
    }
    return 0;
}

/* The first difference from a state. */
static int check_state(check_work *c, const fault_allowed *allowed)
{
    const fault_state *want = &allowed->states[allowed->first];
    size_t n = 0;
    int at_ns = 0, at_key = 0;
    for (size_t i = allowed->first; i <= allowed->last; i++)
        if (memcmp(&allowed->states[i], &c->state, sizeof c->state) == 0)
            return 0;
    for (int ns = 0; ns < FAULT_N_NS; ns++)
        for (int key = 0; key < FAULT_N_KEYS; key++)
            if (want->version[ns][key] != c->state.version[ns][key] && n++ == 0) {
                at_ns = ns;
                at_key = key;
            }
    return fault_fail(
        c->why,
        "%zu records differ from what was acknowledged, and not as the calls that had "
        "begun allow (states %zu to %zu): first k%03d of namespace %d has version %d "
        "instead of %d",
        n, allowed->first, allowed->last, at_key, at_ns, c->state.version[at_ns][at_key],
        want->version[at_ns][at_key]);
}

/* ---- vectors ------------------------------------------------------------------------------- */

typedef struct check_vectors {
    size_t n, cap, dim;
    int64_t *chunks;
    float *vectors;
} check_vectors;

static int check_keep_block(void *user, const memo_store_block *block)
{
    check_vectors *v = user;
    if (v->n + block->n > v->cap) {
        v->cap = (v->n + block->n) * 2;
        v->chunks = realloc(v->chunks, v->cap * sizeof *v->chunks);
        v->vectors = realloc(v->vectors, v->cap * v->dim * sizeof *v->vectors);
        if (!v->chunks || !v->vectors)
            exit(2);
    }
    memcpy(v->chunks + v->n, block->chunks, block->n * sizeof *block->chunks);
    memcpy(v->vectors + v->n * v->dim, block->vectors, block->n * v->dim * sizeof *block->vectors);
    v->n += block->n;
    return 0;
}

static int check_row(check_work *c, int ns, const memo_store_chunk_row *row, const float *vector)
{
    int key, version;
    const float *want;
    if (row->damaged)
        return fault_fail(c->why, "a damaged chunk");
    if (!row->record_info.key || sscanf(row->record_info.key, "k%3d", &key) != 1)
        return 0; /* the one added after */
    version = c->state.version[ns][key];
    if (!version)
        return fault_fail(c->why, "a vector of k%03d, which is gone", key);
    want = fault_vector(c->world, ns, key, version);
    if (want && memcmp(want, vector, c->world->dim * sizeof *want) != 0)
        return fault_fail(c->why, "k%03d, version %d: not its vector", key, version);
    return 0;
}

static int check_vectors_of(check_work *c, int ns)
{
    const char *name = memo_db_ns_name(fault_ns(ns));
    memo_store_ns id;
    memo_store_scope scope = {0};
    check_vectors v = {.dim = c->world->dim};
    memo_arena arena = {0};
    memo_store_chunk_row *rows = NULL;
    uint64_t n_records, n_chunks = 0;
    memo_err err = {0};
    int bad;
    memo_status status = memo_store_find_ns(c->db->store, name, &id, &err);
    if (status == MEMO_ERR_NOTFOUND || (status == MEMO_OK && id.space == 0))
        return 0;
    scope.ns = id.id;
    if (!status)
        status = memo_store_count(c->db->store, &scope, &n_records, &n_chunks, &err);
    if (!status)
        status = memo_store_scan(c->db->store, &scope, id.space, check_keep_block, &v, NULL, &err);
    if (!status)
        status = memo_store_fetch(c->db->store, v.chunks, v.n, &arena, &rows, NULL, &err);
    bad = check_status(c, "read vectors", status, &err);
    if (!bad && v.n != n_chunks)
        bad = fault_fail(c->why, "%zu vectors for %d chunks", v.n, (int)n_chunks);
    for (size_t i = 0; i < v.n && !bad; i++)
        bad = check_row(c, ns, &rows[i], v.vectors + i * v.dim);
    memo_arena_fini(&arena);
    free(v.chunks);
    free(v.vectors);
    return bad;
}

/* ---- search -------------------------------------------------------------------------------- */

static int check_find(check_work *c, int ns, int key, int version, memo_search_mode mode)
{
    const memo_search_options options = {
        .size = sizeof options, .ns = fault_ns(ns), .k = 5, .mode = mode};
    char query[64 + FAULT_TEXT_BYTES] = "", want[16];
    memo_hits *hits = NULL;
    memo_err err = {0};
    size_t at = 0;
    memo_status status;
    fault_key(key, want);
    if (mode == MEMO_SEARCH_LEXICAL) {
        fault_word(ns, key, version, query);
    } else { /* as it was embedded: the nearest vector is its own */
        fault_title(ns, key, version, query);
        at = strlen(query);
        query[at++] = ' ';
        fault_text(c->world->seed, ns, key, version, query + at);
    }
    status = memo_db_search(c->db, (memo_text){query, strlen(query)}, &options, &hits, &err);
    if (check_status(c, "search", status, &err))
        return 1;
    if (hits->n == 0 || !hits->hits[0].key || strcmp(hits->hits[0].key, want) != 0)
        (void)fault_fail(c->why, "%s of version %d is not found by %s: first hit of %zu is %s",
                         want, version, mode == MEMO_SEARCH_LEXICAL ? "its word" : "its meaning",
                         hits->n, hits->n && hits->hits[0].key ? hits->hits[0].key : "none");
    memo_hits_free(hits);
    return c->why[0] != '\0';
}

static int check_absent(check_work *c, int ns, int key, int version)
{
    const memo_search_options options = {
        .size = sizeof options, .ns = fault_ns(ns), .mode = MEMO_SEARCH_LEXICAL};
    char word[32];
    memo_hits *hits = NULL;
    memo_err err = {0};
    memo_status status;
    fault_word(ns, key, version, word);
    status = memo_db_search(c->db, MEMO_STR(word), &options, &hits, &err);
    if (status == MEMO_ERR_NOTFOUND)
        return 0;
    if (check_status(c, "search", status, &err))
        return 1;
    for (size_t i = 0; i < hits->n; i++)
        if (strstr(hits->hits[i].text, word))
            (void)fault_fail(c->why, "the word of k%03d, version %d, is found and should be gone",
                             key, version);
    memo_hits_free(hits);
    return c->why[0] != '\0';
}

/* All keys that the allowed states differ in, up to a few, and some that they do not. */
static int check_searches(check_work *c, const fault_allowed *allowed)
{
    enum { MOST = 2 };
    int n_live = 0, n_gone = 0, bad = 0;
    uint64_t start = fault_mix(c->world->seed, c->n_records);
    const fault_state *last = &allowed->states[allowed->last];
    for (int i = 0; i < FAULT_N_NS * FAULT_N_KEYS && !bad; i++) {
        int slot = (int)((start + (uint64_t)i) % (FAULT_N_NS * FAULT_N_KEYS));
        int ns = slot / FAULT_N_KEYS, key = slot % FAULT_N_KEYS;
        int version = c->state.version[ns][key], other = last->version[ns][key];
        if (version && n_live < MOST) {
            n_live++;
            bad = check_find(c, ns, key, version, MEMO_SEARCH_LEXICAL) ||
                  (n_live == 1 && check_find(c, ns, key, version, MEMO_SEARCH_DENSE));
        }
        if (other == version)
            other = version ? version - 1 : 1;
        if (!bad && other && other != version && n_gone < MOST) {
            n_gone++;
            bad = check_absent(c, ns, key, other);
        }
    }
    return bad;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int check_doctor(check_work *c)
{
    memo_findings *findings = NULL;
    memo_err err = {0};
    if (check_status(c, "doctor", memo_db_doctor(c->db, &findings, &err), &err))
        return 1;
    for (size_t i = 0; i < findings->n && !c->why[0]; i++)
        if (findings->findings[i].level == MEMO_FINDING_BAD)
            (void)fault_fail(c->why, "doctor: %s: %.400s", findings->findings[i].area,
                             findings->findings[i].message);
    memo_findings_free(findings);
    return c->why[0] != '\0';
}

int fault_check_db(fault_world *world, memo_db *db, const fault_allowed *allowed,
                   fault_state *found, char why[FAULT_WHY_BYTES])
{
    check_work c = {.world = world, .db = db, .why = why};
    int bad;
    why[0] = '\0';
    bad = check_records(&c) || check_state(&c, allowed);
    for (int ns = 0; ns < FAULT_N_NS && !bad; ns++)
        bad = check_vectors_of(&c, ns);
    bad = bad || check_searches(&c, allowed) || check_doctor(&c);
    if (found)
        *found = c.state;
    return bad;
}

int fault_check_seen(fault_world *world, memo_db *db, const fault_allowed *allowed,
                     char why[FAULT_WHY_BYTES])
{
    check_work c = {.world = world, .db = db, .why = why};
    return check_records(&c) || check_state(&c, allowed);
}

static int check_add(memo_db *db, char *why)
{
    const memo_record_in in = {
        .size = sizeof in, .key = "added-after", .text = MEMO_TEXT("the note of the key")};
    memo_err err = {0};
    memo_status status = memo_db_add(db, NULL, &in, 1, NULL, &err);
    if (status == MEMO_OK)
        return 0;
    return fault_fail(why, "a new record: %s: %s", memo_status_name(status), err.message);
}

static int check_added(memo_db *db, char *why)
{
    memo_records *record = NULL;
    memo_err err = {0};
    memo_status status = memo_db_get(db, NULL, "added-after", &record, &err);
    memo_records_free(record);
    if (status == MEMO_OK)
        return 0;
    return fault_fail(why, "the record added after: %s: %s", memo_status_name(status), err.message);
}

int fault_check(fault_world *world, const char *folder, const fault_allowed *allowed,
                fault_state *found, char why[FAULT_WHY_BYTES])
{
    fault_session session;
    fault_state now;
    memo_err err = {0};
    int bad;
    why[0] = '\0';
    fault_session_init(&session, world, folder);
    if (fault_session_open(&session, &err))
        return fault_fail(why, "the store does not open: %s: %s", memo_status_name(err.status),
                          err.message);
    bad = fault_check_db(world, session.db, allowed, &now, why) || check_add(session.db, why);
    fault_session_close(&session);
    if (bad)
        return bad;
    if (fault_session_open(&session, &err))
        return fault_fail(why, "the store does not open again: %s: %s",
                          memo_status_name(err.status), err.message);
    bad = fault_check_seen(world, session.db, &(fault_allowed){.states = &now}, why) ||
          check_added(session.db, why);
    fault_session_close(&session);
    if (found)
        *found = now;
    return bad;
}
