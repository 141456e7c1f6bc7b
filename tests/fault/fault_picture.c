// SPDX-License-Identifier: Apache-2.0
/* Everything that can be read of a store, as text that two runs of the same deeds have in common. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fault_deeds.h"

enum { PICTURE_KEYS = 24, PICTURE_LATER_MS = 3600 * 1000 };

typedef struct picture_look {
    fault_world *world;
    memo_db *db;
    memo_buf *out;
} picture_look;

/* Non-zero when the call went well; else it is in the picture. */
static int look_good(picture_look *l, const char *what, memo_status status, const memo_err *err)
{
    if (status == MEMO_ERR_NOTFOUND)
        memo_buf_printf(l->out, "%s: none\n", what);
    else if (status)
        memo_buf_printf(l->out, "%s: %s: %s\n", what, memo_status_name(status), err->message);
    return status == MEMO_OK;
}

static uint64_t look_hash(const char *bytes, size_t n)
{
    return memo_xxh64(bytes, n, n);
}

static void look_stats(picture_look *l)
{
    memo_db_stats s = {.size = sizeof s};
    memo_err err = {0};
    if (look_good(l, "statistics", memo_db_get_stats(l->db, &s, &err), &err))
        memo_buf_printf(l->out,
                        "%" PRIu64 " records, %" PRIu64 " chunks, %" PRIu64 " vectors, %" PRIu64
                        " tombstones, %" PRIu64 " versions, %" PRIu64 " namespaces\n",
                        s.n_records, s.n_chunks, s.n_vectors, s.n_tombstones, s.n_versions,
                        s.n_namespaces);
}

/* ---- records ------------------------------------------------------------------------------- */

static void look_put_record(picture_look *l, const memo_record *r)
{
    memo_buf_printf(l->out,
                    "  %s v%" PRIu64 " %s %s %s %016" PRIx64 " %" PRId64 " %" PRId64 " %" PRId64
                    " %zu chunks, %d %d %d%s%s%s",
                    r->key ? r->key : "-", r->version, r->title, r->metadata_json, r->source,
                    look_hash(r->text.bytes, r->text.n_bytes), r->created_ms, r->updated_ms,
                    r->expires_ms, r->n_chunks, r->trust, r->pinned, r->tier,
                    r->parent ? ", a part" : "", r->supersedes ? ", supersedes" : "",
                    r->superseded_by ? ", superseded" : "");
    for (size_t i = 0; i < r->n_tags; i++)
        memo_buf_printf(l->out, " #%s", r->tags[i]);
    memo_buf_putc(l->out, '\n');
}

static void look_records(picture_look *l, const char *what, memo_records *r)
{
    memo_buf_printf(l->out, "%s: %zu, damaged %zu\n", what, r->n, r->n_damaged);
    for (size_t i = 0; i < r->n; i++)
        look_put_record(l, &r->records[i]);
    memo_records_free(r);
}

static void look_list(picture_look *l, const char *ns)
{
    const memo_list_options o = {.size = sizeof o, .ns = ns, .limit = 1000};
    memo_records *r = NULL;
    memo_err err = {0};
    if (look_good(l, "list", memo_db_list(l->db, &o, &r, &err), &err))
        look_records(l, "list", r);
}

/* The versions of a record, of one that has expired, too. */
static void look_history(picture_look *l, int key)
{
    char name[16];
    memo_records *r = NULL;
    memo_err err = {0};
    fault_key(key, name);
    if (look_good(l, name, memo_db_history(l->db, NULL, name, &r, &err), &err))
        look_records(l, name, r);
}

static void look_changes(picture_look *l)
{
    const memo_changes_options o = {.size = sizeof o, .limit = 1000};
    memo_changes *c = NULL;
    memo_err err = {0};
    if (!look_good(l, "changes", memo_db_changes(l->db, &o, &c, &err), &err))
        return;
    for (size_t i = 0; i < c->n; i++)
        memo_buf_printf(l->out, "  %s of %s %s%s\n", memo_change_kind_name(c->changes[i].kind),
                        c->changes[i].ns, c->changes[i].key ? c->changes[i].key : "-",
                        c->changes[i].shredded ? ", shredded" : "");
    memo_changes_free(c);
}

/* With the bits of each score: vectors and words are what they were. */
static void look_search(picture_look *l, const char *query, memo_search_mode mode)
{
    const memo_search_options o = {
        .size = sizeof o, .mode = mode, .k = 1000, .chunks = 1, .no_log = 1};
    memo_hits *h = NULL;
    memo_err err = {0};
    if (!look_good(l, query, memo_db_search(l->db, MEMO_STR(query), &o, &h, &err), &err))
        return;
    memo_buf_printf(l->out, "%s: %zu hits, damaged %zu\n", query, h->n, h->n_damaged);
    for (size_t i = 0; i < h->n; i++) {
        const memo_hit *hit = &h->hits[i];
        memo_buf_printf(l->out, "  %s %zu-%zu %016" PRIx64, hit->key ? hit->key : "-", hit->begin,
                        hit->end, look_hash(hit->text, hit->text_bytes));
        for (int lane = 0; lane < MEMO_N_LANES; lane++)
            memo_buf_printf(l->out, " %zu:%a", hit->lanes[lane].rank, hit->lanes[lane].score);
        memo_buf_putc(l->out, '\n');
    }
    memo_hits_free(h);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void look_entities(picture_look *l)
{
    const memo_entity_list_options o = {.size = sizeof o, .limit = 1000};
    memo_entities *e = NULL;
    memo_err err = {0};
    if (!look_good(l, "entities", memo_db_entity_list(l->db, &o, &e, &err), &err))
        return;
    memo_buf_printf(l->out, "entities: %zu, damaged %zu\n", e->n, e->n_damaged);
    for (size_t i = 0; i < e->n; i++) {
        const memo_entity *x = &e->entities[i];
        memo_buf_printf(l->out, "  %s (%s) %s %" PRId64 " %" PRId64, x->name, x->kind,
                        x->metadata_json, x->created_ms, x->updated_ms);
        for (size_t j = 0; j < x->n_aliases; j++)
            memo_buf_printf(l->out, " alias %s", x->aliases[j]);
        memo_buf_putc(l->out, '\n');
    }
    memo_entities_free(e);
}

static void look_facts(picture_look *l)
{
    const memo_fact_query q = {.size = sizeof q, .any_time = 1, .retracted = 1, .limit = 1000};
    memo_facts *f = NULL;
    memo_err err = {0};
    if (!look_good(l, "facts", memo_db_fact_query(l->db, &q, &f, &err), &err))
        return;
    memo_buf_printf(l->out, "facts: %zu, damaged %zu\n", f->n, f->n_damaged);
    for (size_t i = 0; i < f->n; i++) {
        const memo_fact *x = &f->facts[i];
        memo_buf_printf(l->out, "  %s %s %s%s", x->subject_name, x->relation,
                        x->object_name ? x->object_name : "", x->value ? x->value : "");
        memo_buf_printf(l->out,
                        " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %a %s",
                        x->valid_from_ms, x->valid_to_ms, x->recorded_ms, x->closed_ms,
                        x->retracted_ms, x->confidence, x->reason);
        for (size_t j = 0; j < x->n_evidence; j++)
            memo_buf_printf(l->out, " by v%" PRIu64 " %zu-%zu %016" PRIx64 " %d",
                            x->evidence[j].version, x->evidence[j].begin, x->evidence[j].end,
                            look_hash(x->evidence[j].excerpt, strlen(x->evidence[j].excerpt)),
                            x->evidence[j].outdated);
        memo_buf_putc(l->out, '\n');
    }
    memo_facts_free(f);
}

/* Their records are of the prepared store: an id is the same in each run. */
static void look_actions(picture_look *l)
{
    const memo_action_query q = {.size = sizeof q, .limit = 1000};
    memo_actions *a = NULL;
    memo_err err = {0};
    if (!look_good(l, "actions", memo_db_actions(l->db, &q, &a, &err), &err))
        return;
    memo_buf_printf(l->out, "actions: %zu, damaged %zu\n", a->n, a->n_damaged);
    for (size_t i = 0; i < a->n; i++) {
        const memo_action *x = &a->actions[i];
        memo_buf_printf(l->out, "  %s %s %s v%" PRIu64 " %" PRId64 " %" PRId64 " %s %s%s\n",
                        memo_action_name(x->kind), x->record, x->other, x->version, x->at_ms,
                        x->undone_ms, x->actor, x->detail, *x->search_id ? ", of a search" : "");
    }
    memo_actions_free(a);
}

static void look_settings(picture_look *l)
{
    memo_search_log log = {.size = sizeof log};
    memo_spaces *s = NULL;
    memo_err err = {0};
    if (look_good(l, "search log", memo_db_get_search_log(l->db, &log, &err), &err))
        memo_buf_printf(l->out, "search log: %d %" PRIu64 " %" PRId64 "\n", log.off,
                        log.max_searches, log.max_days);
    if (!look_good(l, "spaces", memo_db_get_spaces(l->db, &s, &err), &err))
        return;
    for (size_t i = 0; i < s->n; i++)
        memo_buf_printf(l->out, "space %s %zu %" PRIu64 "\n", s->spaces[i].name, s->spaces[i].dim,
                        s->spaces[i].n_vectors);
    for (size_t i = 0; i < s->n_namespaces; i++)
        memo_buf_printf(l->out, "namespace %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %d\n",
                        s->namespaces[i].name, s->namespaces[i].n_records,
                        s->namespaces[i].n_chunks, s->namespaces[i].n_current,
                        s->namespaces[i].previous != MEMO_NO_SPACE,
                        s->namespaces[i].next != MEMO_NO_SPACE);
    memo_spaces_free(s);
}

/* Of what is no damage it may say more or less: a log, tombstones. */
static void look_doctor(picture_look *l)
{
    memo_findings *f = NULL;
    memo_err err = {0};
    if (!look_good(l, "doctor", memo_db_doctor(l->db, &f, &err), &err))
        return;
    for (size_t i = 0; i < f->n; i++)
        if (f->findings[i].level == MEMO_FINDING_BAD)
            memo_buf_printf(l->out, "doctor: %s: %s\n", f->findings[i].area,
                            f->findings[i].message);
    memo_findings_free(f);
}

void fault_picture(fault_world *world, memo_db *db, memo_buf *out)
{
    picture_look l = {world, db, out};
    int64_t now_ms = world->now_ms;
    memo_buf_clear(out);
    world->now_ms = FAULT_DEEDS_MS + PICTURE_LATER_MS;
    look_stats(&l);
    look_list(&l, NULL);
    look_list(&l, fault_ns(1));
    for (int key = 0; key < PICTURE_KEYS; key++)
        look_history(&l, key);
    look_changes(&l);
    look_search(&l, "the spare key of the garden", MEMO_SEARCH_HYBRID);
    look_search(&l, "anna about the boiler", MEMO_SEARCH_DENSE);
    look_entities(&l);
    look_facts(&l);
    look_actions(&l);
    look_settings(&l);
    look_doctor(&l);
    world->now_ms = now_ms;
    if (out->failed) {
        fprintf(stderr, "fault: no memory for a picture\n");
        exit(2);
    }
}
