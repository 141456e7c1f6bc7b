// SPDX-License-Identifier: Apache-2.0
#include "flip_picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "flip_store.h"
#include "memory/db.h"

enum { PICTURE_MAX_COPY = 1 << 26 };

typedef struct picture_work {
    fault_world *world;
    memo_db *db;
    flip_picture *p;
    size_t first_search; /* section */
} picture_work;

void flip_picture_fini(flip_picture *picture)
{
    memo_buf_fini(&picture->text);
}

/* ---- sections ------------------------------------------------------------------------------ */

static flip_section *picture_begin(picture_work *w, const char *name)
{
    flip_picture *p = w->p;
    if (p->n == FLIP_MAX_SECTIONS) {
        fprintf(stderr, "flips: too many sections\n");
        exit(2);
    }
    flip_section *s = &p->sections[p->n++];
    *s = (flip_section){.begin = p->text.n, .end = p->text.n};
    snprintf(s->name, sizeof s->name, "%.47s", name);
    return s;
}

static void picture_end(picture_work *w, flip_section *s, memo_status status)
{
    s->status = status;
    s->end = w->p->text.n;
}

static uint64_t picture_hash(const char *bytes, size_t n)
{
    return bytes ? memo_xxh64(bytes, n, n) : 0;
}

static void picture_put_tags(memo_buf *b, const char *const *tags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memo_buf_printf(b, " #%s", tags[i]);
}

static void picture_put_record(memo_buf *b, const memo_record *r)
{
    memo_buf_printf(b, "%s key=%s ns=%s title=%s meta=%s source=%s", r->id, r->key ? r->key : "-",
                    r->ns, r->title, r->metadata_json, r->source);
    picture_put_tags(b, r->tags, r->n_tags);
    memo_buf_printf(b,
                    " %" PRId64 " %" PRId64 " %" PRId64 " v%" PRIu64 " c%zu %zu:%016" PRIx64 "\n",
                    r->created_ms, r->updated_ms, r->expires_ms, r->version, r->n_chunks,
                    r->text.n_bytes, picture_hash(r->text.bytes, r->text.n_bytes));
}

/* What belongs to it is in rows of their own. */
static void picture_put_links(memo_buf *b, const memo_record *r)
{
    if (r->parent)
        memo_buf_printf(b, "%s a part of %s\n", r->id, r->parent);
    if (r->supersedes)
        memo_buf_printf(b, "%s in the place of %s\n", r->id, r->supersedes);
    if (r->superseded_by)
        memo_buf_printf(b, "%s replaced by %s\n", r->id, r->superseded_by);
}

/* ---- reads --------------------------------------------------------------------------------- */

static void picture_stats(picture_work *w)
{
    memo_db_stats s = {.size = sizeof s};
    flip_section *section = picture_begin(w, "statistics");
    memo_status status = memo_db_get_stats(w->db, &s, NULL);
    if (!status)
        memo_buf_printf(&w->p->text,
                        "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                        " %" PRIu64 " %d\n",
                        s.n_records, s.n_chunks, s.n_vectors, s.n_tombstones, s.n_versions,
                        s.n_namespaces, s.change_seq, s.schema_version);
    picture_end(w, section, status);
}

static void picture_settings(picture_work *w)
{
    memo_search_log log = {.size = sizeof log};
    memo_spaces *s = NULL;
    memo_buf *b = &w->p->text;
    flip_section *section = picture_begin(w, "search log");
    memo_status status = memo_db_get_search_log(w->db, &log, NULL);
    if (!status)
        memo_buf_printf(b, "%d %" PRIu64 " %" PRId64 "\n", log.off, log.max_searches, log.max_days);
    picture_end(w, section, status);
    section = picture_begin(w, "spaces");
    status = memo_db_get_spaces(w->db, &s, NULL);
    for (size_t i = 0; !status && i < s->n; i++)
        memo_buf_printf(b, "%s %s %zu %" PRIu64 "\n", s->spaces[i].name, s->spaces[i].fingerprint,
                        s->spaces[i].dim, s->spaces[i].n_vectors);
    for (size_t i = 0; !status && i < s->n_namespaces; i++)
        memo_buf_printf(b, "%s %" PRIu64 " %" PRIu64 " %zu %" PRIu64 "\n", s->namespaces[i].name,
                        s->namespaces[i].n_records, s->namespaces[i].n_chunks,
                        s->namespaces[i].current, s->namespaces[i].n_current);
    memo_spaces_free(s);
    picture_end(w, section, status);
}

static void picture_list(picture_work *w, const char *ns, const char *where, int oldest_first)
{
    const memo_list_options o = {
        .size = sizeof o, .ns = ns, .where = where, .limit = 1000, .oldest_first = oldest_first};
    memo_records *r = NULL;
    flip_section *s = picture_begin(w, where ? where : "list");
    memo_status status = memo_db_list(w->db, &o, &r, NULL);
    for (size_t i = 0; !status && i < r->n; i++)
        picture_put_record(&w->p->text, &r->records[i]);
    if (!status)
        s->reported = r->n_damaged > 0;
    memo_records_free(r);
    picture_end(w, s, status);
}

static void picture_get(picture_work *w, const char *ns, const char *key)
{
    memo_records *r = NULL;
    flip_section *s = picture_begin(w, key);
    memo_status status = memo_db_get(w->db, ns, key, &r, NULL);
    if (!status)
        picture_put_record(&w->p->text, &r->records[0]);
    if (!status)
        picture_put_links(&w->p->text, &r->records[0]);
    if (!status)
        s->reported = r->n_damaged > 0;
    memo_records_free(r);
    picture_end(w, s, status);
}

/* As they are now: no change has been made after that moment. */
static void picture_past(picture_work *w)
{
    const memo_list_options o = {.size = sizeof o,
                                 .where = "tags = 'long' or meta.k < 9",
                                 .limit = 1000,
                                 .as_of_ms = INT64_MAX};
    memo_records *r = NULL;
    flip_section *s = picture_begin(w, "as of");
    memo_status status = memo_db_list(w->db, &o, &r, NULL);
    for (size_t i = 0; !status && i < r->n; i++)
        picture_put_record(&w->p->text, &r->records[i]);
    if (!status)
        s->reported = r->n_damaged > 0;
    memo_records_free(r);
    picture_end(w, s, status);
}

static void picture_history(picture_work *w, const char *key)
{
    memo_records *r = NULL;
    flip_section *s = picture_begin(w, "history");
    memo_status status = memo_db_history(w->db, NULL, key, &r, NULL);
    for (size_t i = 0; !status && i < r->n; i++)
        picture_put_record(&w->p->text, &r->records[i]);
    if (!status)
        s->reported = r->n_damaged > 0;
    memo_records_free(r);
    picture_end(w, s, status);
}

static void picture_changes(picture_work *w)
{
    const memo_changes_options o = {.size = sizeof o, .limit = 1000};
    memo_changes *c = NULL;
    flip_section *s = picture_begin(w, "changes");
    memo_status status = memo_db_changes(w->db, &o, &c, NULL);
    for (size_t i = 0; !status && i < c->n; i++) {
        const memo_change *change = &c->changes[i];
        if (!change->id[0])
            continue; /* counted as damaged */
        memo_buf_printf(&w->p->text, "%s %" PRIu64 " %s %s ", memo_change_kind_name(change->kind),
                        change->seq, change->ns, change->id);
        if (change->record)
            picture_put_record(&w->p->text, change->record);
        else
            memo_buf_printf(&w->p->text, "%s\n", change->key ? change->key : "-");
    }
    if (!status)
        s->reported = c->n_damaged > 0;
    memo_changes_free(c);
    picture_end(w, s, status);
}

static void picture_gets(picture_work *w)
{
    char key[FLIP_LONG_KEY_BYTES + 1];
    for (int i = 0; i < FLIP_N_PLAIN; i++) {
        fault_key(i, key);
        picture_get(w, NULL, key);
    }
    for (int i = 0; i < 7; i++) {
        fault_key(i, key);
        picture_get(w, fault_ns(1), key);
    }
    for (int i = 0; i < FLIP_N_LONG_KEYS; i++) {
        flip_long_key(i, key);
        picture_get(w, NULL, key);
    }
    picture_get(w, NULL, "cut");
    picture_get(w, NULL, "uncut");
    picture_get(w, NULL, "gone");
    picture_get(w, "wide", "wide-2");
    picture_get(w, "nowhere", "k001");
}

/* "content TAB dense TAB words TAB verbatim TAB order": a lane is its score, or "-". */
static void picture_put_hit(memo_buf *b, const memo_hit *h)
{
    memo_buf_printf(b, "%s %zu-%zu #%zu key=%s title=%s meta=%s source=%s %" PRId64, h->id,
                    h->begin, h->end, h->chunk, h->key ? h->key : "-", h->title, h->metadata_json,
                    h->source, h->created_ms);
    picture_put_tags(b, h->tags, h->n_tags);
    memo_buf_printf(b, " %016" PRIx64, picture_hash(h->text, h->text_bytes));
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        if (h->lanes[lane].rank)
            memo_buf_printf(b, "\t%a", h->lanes[lane].score);
        else
            memo_buf_puts(b, "\t-");
    memo_buf_printf(b, "\t%a %s", h->score, h->terms);
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        memo_buf_printf(b, " %zu %a", h->lanes[lane].rank, h->lanes[lane].share);
    memo_buf_putc(b, '\n');
}

typedef struct picture_query {
    const char *text, *ns, *where;
    memo_search_mode mode;
    int chunks;
} picture_query;

static void picture_search_once(picture_work *w, const picture_query *q, int chunks)
{
    const memo_search_options o = {.size = sizeof o,
                                   .ns = q->ns,
                                   .k = 1000,
                                   .mode = q->mode,
                                   .where = q->where,
                                   .chunks = chunks,
                                   .no_log = 1}; /* reading changes nothing */
    memo_hits *h = NULL;
    flip_section *s = picture_begin(w, q->text);
    memo_status status = memo_db_search(w->db, MEMO_STR(q->text), &o, &h, NULL);
    for (size_t i = 0; !status && i < h->n; i++) {
        picture_put_hit(&w->p->text, &h->hits[i]);
        if (i && h->hits[i].score > h->hits[i - 1].score)
            memo_buf_puts(&w->p->text, "not in order of score\n");
    }
    if (!status)
        s->reported = h->n_damaged > 0;
    for (int lane = 0; !status && lane < MEMO_N_LANES; lane++)
        s->reported |= h->lane_failed[lane] != NULL;
    s->is_search = 1;
    memo_hits_free(h);
    picture_end(w, s, status);
}

/* How likely each hit is a match; "not known" is what a damaged calibration gives. */
static void picture_chances(picture_work *w)
{
    const memo_search_options o = {
        .size = sizeof o, .k = 1000, .mode = MEMO_SEARCH_DENSE, .chunks = 1, .no_log = 1};
    memo_hits *h = NULL;
    flip_section *s = picture_begin(w, "chances");
    memo_status status = memo_db_search(w->db, MEMO_STR("the boiler"), &o, &h, NULL);
    for (size_t i = 0; !status && h->relevant >= 0 && i < h->n; i++)
        memo_buf_printf(&w->p->text, "%s %zu %a\n", h->hits[i].id, h->hits[i].chunk,
                        h->hits[i].probability);
    if (!status)
        s->reported = h->n_damaged > 0 || h->relevant < 0;
    memo_hits_free(h);
    picture_end(w, s, status);
}

static const picture_query picture_queries[] = {
    {"the spare key of the garden", NULL, NULL, MEMO_SEARCH_HYBRID, 0},
    {"what about ITEM-7", NULL, NULL, MEMO_SEARCH_HYBRID, 0},
    {"boiler", NULL, "meta.v >= 2 and title exists", MEMO_SEARCH_HYBRID, 0},
    {"a note in the garden", NULL, NULL, MEMO_SEARCH_DENSE, 0},
    {"flower pot", NULL, NULL, MEMO_SEARCH_LEXICAL, 0},
    {"Anna", NULL, NULL, MEMO_SEARCH_LEXICAL, 1},
    {"k003", "second", NULL, MEMO_SEARCH_HYBRID, 0},
    {"wide", "wide", NULL, MEMO_SEARCH_LEXICAL, 0},
};
enum { PICTURE_N_QUERIES = sizeof picture_queries / sizeof *picture_queries };

static int picture_take_block(void *user, const memo_store_block *block)
{
    picture_work *w = user;
    flip_section *s = &w->p->sections[w->p->n - 1];
    size_t dim = s->all; /* borrowed for the time of the scan */
    for (size_t i = 0; i < block->n; i++)
        memo_buf_printf(&w->p->text, "%" PRId64 " %" PRId64 " %016" PRIx64 "\n", block->chunks[i],
                        block->records[i],
                        memo_xxh64(block->vectors + i * dim, dim * sizeof(float), 0));
    return 0;
}

static void picture_scan(picture_work *w, const char *name, size_t dim)
{
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_store_scope scope = {0};
    memo_store_ns ns;
    flip_section *s = picture_begin(w, "vectors");
    memo_status status = memo_store_find_ns(w->db->store, name, &ns, NULL);
    s->all = dim;
    scope.ns = ns.id;
    if (!status)
        status =
            memo_store_scan(w->db->store, &scope, ns.space, picture_take_block, w, &damage, NULL);
    s->all = 0;
    s->reported = damage.n > 0;
    memo_arena_fini(&arena);
    picture_end(w, s, status);
}

/* What is read from rows of its own has a line of its own: it can be missing alone. */
static void picture_entities(picture_work *w)
{
    const memo_entity_list_options o = {.size = sizeof o, .limit = 1000};
    memo_entities *e = NULL;
    memo_buf *b = &w->p->text;
    flip_section *s = picture_begin(w, "entities");
    memo_status status = memo_db_entity_list(w->db, &o, &e, NULL);
    for (size_t i = 0; !status && i < e->n; i++) {
        const memo_entity *x = &e->entities[i];
        memo_buf_printf(b, "%s %s (%s) %s %" PRId64 " %" PRId64 "\n", x->id, x->name, x->kind,
                        x->metadata_json, x->created_ms, x->updated_ms);
        for (size_t j = 0; j < x->n_aliases; j++)
            memo_buf_printf(b, "%s alias %s\n", x->id, x->aliases[j]);
    }
    if (!status)
        s->reported = e->n_damaged > 0;
    memo_entities_free(e);
    picture_end(w, s, status);
}

static void picture_put_fact(memo_buf *b, const memo_fact *x)
{
    memo_buf_printf(b, "%s %s %s", x->id, x->relation, x->value ? x->value : "");
    memo_buf_printf(b, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %a %s\n",
                    x->valid_from_ms, x->valid_to_ms, x->recorded_ms, x->closed_ms, x->retracted_ms,
                    x->confidence, x->reason);
    if (*x->subject)
        memo_buf_printf(b, "%s of %s %s\n", x->id, x->subject, x->subject_name);
    if (x->object && *x->object)
        memo_buf_printf(b, "%s to %s %s\n", x->id, x->object, x->object_name);
    for (size_t j = 0; j < x->n_evidence; j++)
        memo_buf_printf(b, "%s by %s v%" PRIu64 " \"%s\" %d\n", x->id, x->evidence[j].record,
                        x->evidence[j].version, x->evidence[j].excerpt, x->evidence[j].outdated);
}

static void picture_facts(picture_work *w, const char *about)
{
    const memo_fact_query q = {
        .size = sizeof q, .about = about, .any_time = 1, .retracted = 1, .limit = 1000};
    memo_facts *f = NULL;
    flip_section *s = picture_begin(w, about ? about : "facts");
    memo_status status = memo_db_fact_query(w->db, &q, &f, NULL);
    for (size_t i = 0; !status && i < f->n; i++)
        picture_put_fact(&w->p->text, &f->facts[i]);
    if (!status)
        s->reported = f->n_damaged > 0;
    memo_facts_free(f);
    picture_end(w, s, status);
}

static void picture_actions(picture_work *w)
{
    const memo_action_query q = {.size = sizeof q, .limit = 1000};
    memo_actions *a = NULL;
    memo_buf *b = &w->p->text;
    flip_section *s = picture_begin(w, "actions");
    memo_status status = memo_db_actions(w->db, &q, &a, NULL);
    for (size_t i = 0; !status && i < a->n; i++) {
        const memo_action *x = &a->actions[i];
        memo_buf_printf(b, "%s %s v%" PRIu64 " %" PRId64 " %" PRId64 " %s %s\n", x->id,
                        memo_action_name(x->kind), x->version, x->at_ms, x->undone_ms, x->actor,
                        x->detail);
        if (*x->record)
            memo_buf_printf(b, "%s on %s\n", x->id, x->record);
        if (*x->other)
            memo_buf_printf(b, "%s and %s\n", x->id, x->other);
        if (*x->search_id)
            memo_buf_printf(b, "%s in %s\n", x->id, x->search_id);
    }
    if (!status)
        s->reported = a->n_damaged > 0;
    memo_actions_free(a);
    picture_end(w, s, status);
}

static void picture_searches(picture_work *w)
{
    const memo_searches_query q = {.size = sizeof q, .limit = 1000};
    memo_searches *a = NULL;
    memo_buf *b = &w->p->text;
    flip_section *s = picture_begin(w, "searches");
    memo_status status = memo_db_searches(w->db, &q, &a, NULL);
    for (size_t i = 0; !status && i < a->n; i++) {
        const memo_search_event *x = &a->searches[i];
        memo_buf_printf(b, "%s %" PRId64 " %d %s %s %s %s %s\n", x->id, x->at_ms, (int)x->mode,
                        x->query_class, x->actor, x->surface, x->where, x->query);
        for (size_t k = 0; k < x->n_shown; k++) {
            memo_buf_printf(b, "%s %zu %.9g\n", x->id, x->shown[k].position, x->shown[k].score);
            if (*x->shown[k].id)
                memo_buf_printf(b, "%s %zu is %s\n", x->id, x->shown[k].position, x->shown[k].id);
        }
        for (size_t k = 0; k < x->n_actions; k++)
            memo_buf_printf(b, "%s led to %s\n", x->id, x->actions[k].id);
    }
    if (!status)
        s->reported = a->n_damaged > 0;
    memo_searches_free(a);
    picture_end(w, s, status);
}

static void picture_links(picture_work *w, const char *key)
{
    memo_links *a = NULL;
    flip_section *s = picture_begin(w, "links");
    memo_status status = memo_db_links(w->db, NULL, key, &a, NULL);
    for (size_t i = 0; !status && i < a->n; i++) {
        const memo_link *x = &a->links[i];
        memo_buf_printf(&w->p->text, "%s %d %.9g %" PRId64 "\n", memo_link_kind_name(x->kind),
                        x->incoming, x->score, x->made_ms);
        if (*x->id)
            memo_buf_printf(&w->p->text, "%s %s\n", memo_link_kind_name(x->kind), x->id);
    }
    if (!status)
        s->reported = a->n_damaged > 0;
    memo_links_free(a);
    picture_end(w, s, status);
}

static void picture_doctor(picture_work *w)
{
    memo_findings *f = NULL;
    flip_section *s = picture_begin(w, "doctor");
    memo_status status = memo_db_doctor(w->db, &f, NULL);
    for (size_t i = 0; !status && i < f->n; i++)
        memo_buf_printf(&w->p->text, "%d %s: %s\n", (int)f->findings[i].level, f->findings[i].area,
                        f->findings[i].message);
    s->is_doctor = 1;
    if (!status)
        s->reported = f->worst == MEMO_FINDING_BAD;
    memo_findings_free(f);
    picture_end(w, s, status);
}

static void picture_read(picture_work *w)
{
    picture_stats(w);
    picture_settings(w);
    picture_list(w, NULL, NULL, 0);
    picture_list(w, NULL, "meta.k < 9 or tags = 'long'", 1);
    picture_list(w, NULL, "text contains 'garden' and created < now", 0);
    picture_list(w, "second", NULL, 0);
    picture_list(w, "wide", NULL, 1);
    picture_past(w);
    picture_history(w, "k003");
    picture_changes(w);
    picture_gets(w);
    w->first_search = w->p->n;
    for (size_t i = 0; i < PICTURE_N_QUERIES; i++)
        picture_search_once(w, &picture_queries[i], picture_queries[i].chunks);
    picture_chances(w);
    picture_entities(w);
    picture_facts(w, NULL);
    picture_facts(w, "the boiler");
    picture_actions(w);
    picture_searches(w);
    picture_links(w, "k002");
    picture_links(w, "cut");
    picture_scan(w, "default", w->world->dim);
    picture_scan(w, "wide", FLIP_WIDE_DIM);
    picture_doctor(w);
}

/* ---- backup -------------------------------------------------------------------------------- */

static uint64_t picture_file_hash(const char *path)
{
    char *bytes = NULL;
    size_t n = 0;
    uint64_t hash = 0;
    if (memo_file_slurp(path, PICTURE_MAX_COPY, &bytes, &n, NULL) == MEMO_OK)
        hash = memo_xxh64(bytes, n, 0) | 1;
    memo_free(bytes);
    return hash;
}

/* The copy must be the one of the undamaged store, or say the same in every call. */
static void picture_backup(picture_work *w, const char *copy, uint64_t *copy_hash)
{
    const memo_backup_options o = {.size = sizeof o, .overwrite = 1};
    flip_section *s = picture_begin(w, "backup");
    memo_status status = memo_db_backup(w->db, copy, &o, NULL, NULL);
    uint64_t hash = status ? 0 : picture_file_hash(copy);
    picture_end(w, s, status);
    if (!status && *copy_hash == 0)
        *copy_hash = hash;
    if (!status && hash != *copy_hash) {
        flip_picture *inner = calloc(1, sizeof *inner);
        if (!inner)
            exit(2);
        flip_picture_take(w->world, copy, MEMO_OPEN_READ_ONLY, NULL, NULL, 0, inner);
        memo_buf_printf(&w->p->text, "another copy %016" PRIx64 "\n",
                        picture_hash(inner->text.data, inner->text.n));
        flip_picture_fini(inner);
        free(inner);
        picture_end(w, s, status);
    }
    unlink(copy);
}

static int picture_has_index(const char *path)
{
    char index[320];
    snprintf(index, sizeof index, "%s%s", path, flip_suffixes[FLIP_INDEX]);
    return access(index, F_OK) == 0;
}

void flip_picture_take(fault_world *world, const char *path, memo_open_mode mode, const char *copy,
                       uint64_t *copy_hash, int every_chunk, flip_picture *picture)
{
    const memo_db_options options = {
        .size = sizeof options, .mode = mode, .model = world->model, .busy_timeout_ms = -1};
    picture_work w = {.world = world, .p = picture};
    memo_err err = {0};
    memo_buf_clear(&picture->text);
    picture->n = 0;
    picture->noticed = picture->indexed = 0;
    flip_section *s = picture_begin(&w, "open");
    memo_status status = memo_db_open(world->ctx, path, &options, &w.db, &err);
    picture_end(&w, s, status);
    if (status) {
        memo_buf_printf(&picture->text, "%s\n", err.message);
        picture_end(&w, s, status);
        return;
    }
    if (picture_has_index(path))
        w.db->index.min_rows = FLIP_INDEX_ROWS;
    picture_read(&w);
    picture->indexed = w.db->index.view.file != NULL;
    if (copy)
        picture_backup(&w, copy, copy_hash);
    for (size_t i = 0; every_chunk && i < PICTURE_N_QUERIES; i++) {
        picture->sections[w.first_search + i].all = picture->n;
        picture_search_once(&w, &picture_queries[i], 1);
    }
    memo_db_close(w.db);
    if (picture->text.failed) {
        fprintf(stderr, "flips: no memory\n");
        exit(2);
    }
}

/* ---- comparison ---------------------------------------------------------------------------- */

/* A part of a picture's text that is looked through line by line. */
typedef struct picture_lines {
    const char *at, *end;
} picture_lines;

static picture_lines picture_lines_of(const flip_picture *p, const flip_section *s)
{
    return (picture_lines){p->text.data + s->begin, p->text.data + s->end};
}

/* The next line without its end; 0 when there is none. */
static int picture_next(picture_lines *lines, const char **line, size_t *n)
{
    const char *end;
    if (lines->at == lines->end)
        return 0;
    end = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    *line = lines->at;
    *n = (size_t)(end - lines->at);
    lines->at = end + 1;
    return 1;
}

static int picture_same(const flip_picture *want, const flip_section *a, const flip_picture *got,
                        const flip_section *b)
{
    size_t n = a->end - a->begin;
    return a->status == b->status && n == b->end - b->begin &&
           memcmp(want->text.data + a->begin, got->text.data + b->begin, n) == 0;
}

/* Field number i between tabs. */
static memo_text picture_field(const char *line, size_t n, int i)
{
    const char *end = line + n, *tab;
    while (i-- > 0 && (tab = memchr(line, '\t', (size_t)(end - line))) != NULL)
        line = tab + 1;
    tab = memchr(line, '\t', (size_t)(end - line));
    return (memo_text){line, (size_t)((tab ? tab : end) - line)};
}

static int picture_text_equal(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

/* A line of the undamaged store with the same field i; of the same record. */
static int picture_has_field(picture_lines want, const char *line, size_t n, int i)
{
    enum { ID_CHARS = 26 };
    const char *other;
    size_t n_other;
    memo_text field = picture_field(line, n, i);
    while (picture_next(&want, &other, &n_other))
        if (n_other >= ID_CHARS && memcmp(other, line, ID_CHARS) == 0 &&
            picture_text_equal(picture_field(other, n_other, i), field))
            return 1;
    return 0;
}

/* Each hit is a chunk as it was written, and the score of each lane that found it is right. */
static int picture_hit_right(picture_lines want, const char *line, size_t n)
{
    if (n < 26 || !picture_has_field(want, line, n, 0))
        return 0;
    for (int lane = 1; lane <= MEMO_N_LANES; lane++) {
        memo_text score = picture_field(line, n, lane);
        if ((score.n_bytes != 1 || score.bytes[0] != '-') &&
            !picture_has_field(want, line, n, lane))
            return 0;
    }
    return 1;
}

/* Lines of `got` are lines of `want`, in its order. */
static int picture_part_of(picture_lines want, picture_lines got, const char **line, size_t *n)
{
    while (picture_next(&got, line, n)) {
        const char *other;
        size_t n_other;
        do
            if (!picture_next(&want, &other, &n_other))
                return 0;
        while (n_other != *n || memcmp(other, *line, *n) != 0);
    }
    return 1;
}

static int picture_section_honest(const flip_picture *want, const flip_section *a,
                                  const flip_picture *got, const flip_section *b,
                                  char why[FAULT_WHY_BYTES])
{
    picture_lines lines = picture_lines_of(got, b);
    const char *line = "";
    size_t n = 0;
    if (b->status != MEMO_OK)
        return b->status == MEMO_ERR_CORRUPT
                   ? 0
                   : fault_fail(why, "%s: %s instead of %s", b->name, memo_status_name(b->status),
                                memo_status_name(a->status));
    if (!b->reported)
        return fault_fail(why, "%s: another result, and nothing is reported: %.300s", b->name,
                          got->text.data + b->begin);
    if (b->is_doctor)
        return 0;
    if (a->status != MEMO_OK)
        return fault_fail(why, "%s: OK instead of %s", b->name, memo_status_name(a->status));
    if (!b->is_search)
        return picture_part_of(picture_lines_of(want, a), lines, &line, &n)
                   ? 0
                   : fault_fail(why, "%s: a row that was never there: %.*s", b->name, (int)n, line);
    while (picture_next(&lines, &line, &n))
        if (!picture_hit_right(picture_lines_of(want, &want->sections[a->all]), line, n))
            return fault_fail(why, "%s: a hit that is not right: %.*s", b->name, (int)n, line);
    return 0;
}

static int picture_open_honest(const flip_picture *got, char why[FAULT_WHY_BYTES])
{
    memo_status status = got->sections[0].status;
    if (status == MEMO_ERR_CORRUPT || status == MEMO_ERR_UNSUPPORTED)
        return 0;
    return fault_fail(why, "open: %s: %.400s", memo_status_name(status), got->text.data);
}

int flip_picture_honest(const flip_picture *want, flip_picture *got, char why[FAULT_WHY_BYTES])
{
    const flip_section *doctor = NULL;
    const char *differs = NULL;
    if (got->sections[0].status) {
        got->noticed = 1;
        return picture_open_honest(got, why);
    }
    for (size_t i = 0; i < got->n; i++) {
        const flip_section *a = &want->sections[i], *b = &got->sections[i];
        if (b->is_doctor)
            doctor = b;
        if (picture_same(want, a, got, b))
            continue;
        got->noticed = 1;
        differs = b->name;
        if (picture_section_honest(want, a, got, b, why))
            return 1;
    }
    if (differs && !doctor->reported && doctor->status == MEMO_OK)
        return fault_fail(why, "%s: gives less, and the doctor finds nothing", differs);
    return 0;
}
