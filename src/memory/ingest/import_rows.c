// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import_rows.c -- exported lines that are no records: versions, entities, facts.
 *
 * They gather, for a transaction of their own costs a sync, and go in when the records before them
 * have. A row is read to its end before anything of it is written, so one that is bad has changed
 * nothing. Entities are known by the ids they were exported with, which they keep where they are new;
 * one that met another here by its name is remembered as that for the facts behind it. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "memory/facts/db_facts.h"
#include "memory/ingest/import.h"

#define ROWS_PAGE        64
#define ROWS_VALUE_BYTES ((size_t)64 << 10)
#define ROWS_TEXT_BYTES  ((size_t)4 << 10) /* a reason */

typedef struct rows_work {
    memo_import_work *w;
    int64_t ns;
    memo_arena arena; /* of a row */
    memo_store_damage damage;
    uint64_t n_versions, n_entities, n_facts; /* counted when they are committed */
} rows_work;

/* ---- versions ------------------------------------------------------------------------------ */

static memo_status rows_version(rows_work *r, json_t *object, memo_err *err)
{
    memo_store *store = r->w->db->store;
    memo_store_put put;
    memo_store_kept kept;
    memo_err why = {0};
    int added = 0;
    memo_status status = memo_exported_version(object, &r->arena, &put, &kept, err);

    if (status)
        return status;
    status = memo_store_put_version(store, r->ns, &put, &added, &why);
    r->n_versions += added != 0;
    if (status ==
        MEMO_ERR_NOTFOUND) /* the record has met another one here, with a past of its own */
        return MEMO_OK;
    if (status && err)
        *err = why;
    return status;
}

/* ---- entities ------------------------------------------------------------------------------ */

/* Where the id stands in its table, or the free slot where it belongs. */
static size_t *rows_slot_of_id(const memo_import_work *w, const char *id)
{
    const size_t mask = 2 * w->cap_met - 1;
    size_t at = (size_t)memo_xxh64(id, strlen(id), 0) & mask;

    while (w->met_slots[at] && strcmp(w->met[w->met_slots[at] - 1].id, id) != 0)
        at = (at + 1) & mask;
    return &w->met_slots[at];
}

static size_t *rows_slot_of_eid(const memo_import_work *w, int64_t eid)
{
    const size_t mask = 2 * w->cap_met - 1;
    size_t *table = w->met_slots + 2 * w->cap_met;
    size_t at = (size_t)memo_xxh64(&eid, sizeof eid, 0) & mask;

    while (table[at] && w->met[table[at] - 1].eid != eid)
        at = (at + 1) & mask;
    return &table[at];
}

/* What an entity of the file is here; 0: not met yet. */
static int64_t rows_met(const memo_import_work *w, const char *id)
{
    const size_t at = w->n_met ? *rows_slot_of_id(w, id) : 0;
    return at ? w->met[at - 1].eid : 0;
}

static int rows_is_claimed(const memo_import_work *w, int64_t eid)
{
    return w->n_met && *rows_slot_of_eid(w, eid);
}

/* Put met[i] into both tables; of two with the same id the first counts. */
static void rows_index(memo_import_work *w, size_t i)
{
    size_t *by_id = rows_slot_of_id(w, w->met[i].id);
    size_t *by_eid = rows_slot_of_eid(w, w->met[i].eid);

    *by_id = *by_id ? *by_id : i + 1;
    *by_eid = *by_eid ? *by_eid : i + 1;
}

/* Room for one more, in tables that are at most half full. */
static memo_status rows_grow(memo_import_work *w, memo_err *err)
{
    size_t cap = w->cap_met ? w->cap_met * 2 : 64;
    memo_import_met *met = memo_reallocarray(w->met, cap, sizeof *met);
    size_t *slots;

    if (!met)
        return memo_fail_nomem(err, "entities of an import", cap * sizeof *met);
    w->met = met;
    slots = memo_calloc(4 * cap, sizeof *slots);
    if (!slots)
        return memo_fail_nomem(err, "entities of an import", 4 * cap * sizeof *slots);
    memo_free(w->met_slots);
    w->met_slots = slots;
    w->cap_met = cap;
    for (size_t i = 0; i < w->n_met; i++)
        rows_index(w, i);
    return MEMO_OK;
}

static memo_status rows_meet(memo_import_work *w, const char *id, int64_t eid, memo_err *err)
{
    const char *own = memo_arena_strdup(&w->paths, id);
    memo_status status = MEMO_OK;

    if (!own)
        return memo_fail_nomem(err, "entities of an import", 0);
    if (w->n_met == w->cap_met)
        status = rows_grow(w, err);
    else if (w->n_met == 0) /* another namespace: the tables are of the one before */
        memset(w->met_slots, 0, 4 * w->cap_met * sizeof *w->met_slots);
    if (status)
        return status;
    w->met[w->n_met] = (memo_import_met){own, eid};
    rows_index(w, w->n_met++);
    return MEMO_OK;
}

/* A page of rows that may lack one must not be added to: what seems new may be there. */
static memo_status rows_check_damage(const rows_work *r, memo_err *err)
{
    if (!r->damage.n)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: its checksum does not match; nothing was changed",
              r->damage.n_ids ? r->damage.ids[0] : "a row");
    return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
}

/* By id; else by name and kind, the oldest that no other of the file has met. row->eid 0: none. */
static memo_status rows_find_entity(rows_work *r, const char *id, const char *folded,
                                    const char *kind, memo_entity_row *row, memo_err *err)
{
    memo_store *store = r->w->db->store;
    memo_entity_scope scope = {.ns = r->ns, .id = id};
    memo_entity_page page = {.arena = &r->arena, .damage = &r->damage, .limit = ROWS_PAGE};
    memo_status status = memo_store_list_entities(store, &scope, &page, err);

    row->eid = 0;
    if (status == MEMO_OK && page.n)
        *row = page.rows[0];
    scope = (memo_entity_scope){.ns = r->ns, .folded = folded, .kind = kind};
    page.more = 1;
    while (status == MEMO_OK && !row->eid && page.more) {
        status = memo_store_list_entities(store, &scope, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK && !row->eid; i++)
            if (!rows_is_claimed(r->w, page.rows[i].eid))
                *row = page.rows[i];
        if (page.n)
            scope.after = page.rows[page.n - 1].eid;
    }
    return status ? status : rows_check_damage(r, err);
}

/* The aliases of a line with the name in front, folded. */
static memo_status rows_read_aliases(rows_work *r, const json_t *object, const char *name,
                                     memo_alias_row **out, size_t *n, memo_err *err)
{
    const json_t *list = json_object_get(object, "aliases");
    size_t n_list = json_array_size(list);
    memo_alias_row *rows = memo_arena_array(&r->arena, n_list + 1, sizeof *rows);
    memo_status status = MEMO_OK;

    if (!rows)
        return memo_fail_nomem(err, "aliases", n_list * sizeof *rows);
    for (size_t i = 0; i <= n_list && status == MEMO_OK; i++) {
        const char *alias = i ? json_string_value(json_array_get(list, i - 1)) : name;
        char *folded = NULL;
        if (!alias)
            return memo_fail(err, MEMO_ERR_VALUE,
                             "field \"aliases\": an array of strings is needed");
        status = memo_facts_check_text("alias", alias, FACTS_NAME_BYTES, err);
        if (status == MEMO_OK)
            status = memo_facts_fold("alias", alias, &r->arena, &folded, err);
        rows[i] = (memo_alias_row){folded, memo_arena_strdup(&r->arena, alias)};
        if (status == MEMO_OK && !rows[i].alias)
            status = memo_fail_nomem(err, "an alias", strlen(alias));
    }
    *out = rows;
    *n = n_list + 1;
    return status;
}

/* Name, kind, metadata and times of a line. */
static memo_status rows_read_entity(rows_work *r, const json_t *object, memo_entity_row *row,
                                    memo_err *err)
{
    const json_t *metadata = json_object_get(object, "metadata");
    memo_status status = memo_exported_need_string(object, "id", &r->arena, &row->id, err);

    row->kind = "";
    row->metadata = "{}";
    if (status == MEMO_OK)
        status = memo_exported_need_string(object, "name", &r->arena, &row->name, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "kind", &r->arena, &row->kind, err);
    if (status == MEMO_OK && *row->kind)
        status = memo_facts_check_text("kind", row->kind, FACTS_KIND_BYTES, err);
    if (status == MEMO_OK && metadata && !json_is_object(metadata))
        status = memo_fail(err, MEMO_ERR_VALUE, "field \"metadata\": an object is needed");
    if (status == MEMO_OK && metadata)
        status = memo_db_put_object(metadata, &r->arena, &row->metadata, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "created", 0, INT64_MAX, &row->created_ms, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "updated", 0, INT64_MAX, &row->updated_ms, err);
    return status;
}

static int rows_has_alias(const memo_alias_row *rows, size_t n, const char *folded)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].folded, folded) == 0)
            return 1;
    return 0;
}

/* Write the aliases that the entity lacks, and the entity when anything is new. */
static memo_status rows_put_entity(rows_work *r, memo_entity_row *row,
                                   const memo_alias_row *aliases, size_t n, int changed,
                                   memo_err *err)
{
    memo_store *store = r->w->db->store;
    memo_alias_row *have = NULL;
    size_t n_have = 0;
    int is_new = !row->eid;
    memo_status status = MEMO_OK;

    if (is_new)
        status = memo_store_put_entity(store, row, &r->arena, err);
    else
        status = memo_store_list_aliases(store, r->ns, row->eid, &r->arena, &r->damage, &have,
                                         &n_have, err);
    if (status == MEMO_OK)
        status = rows_check_damage(r, err);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        if (!rows_has_alias(have, n_have, aliases[i].folded)) {
            status = memo_store_put_alias(store, r->ns, row->eid, &aliases[i], err);
            changed = 1;
        }
    if (status == MEMO_OK && changed && !is_new)
        status = memo_store_put_entity(store, row, &r->arena, err);
    r->n_entities += is_new;
    return status;
}

static memo_status rows_entity(rows_work *r, const json_t *object, memo_err *err)
{
    memo_entity_row said = {.ns = r->ns}, row = {0};
    memo_alias_row *aliases = NULL;
    size_t n = 0;
    int changed = 0;
    memo_status status = rows_read_entity(r, object, &said, err);

    if (status == MEMO_OK)
        status = rows_read_aliases(r, object, said.name, &aliases, &n, err);
    if (status == MEMO_OK)
        status = rows_find_entity(r, said.id, aliases[0].folded, said.kind, &row, err);
    if (status)
        return status;
    if (!row.eid) {
        row = said;
    } else if (strcmp(row.metadata, "{}") == 0 && strcmp(said.metadata, "{}") != 0) {
        row.metadata = said.metadata;
        changed = 1;
    }
    said.id = memo_arena_strdup(&r->arena, said.id); /* the row may get another */
    if (!said.id)
        return memo_fail_nomem(err, "an id", MEMO_ID_BYTES);
    status = rows_put_entity(r, &row, aliases, n, changed, err);
    return status ? status : rows_meet(r->w, said.id, row.eid, err);
}

/* ---- facts --------------------------------------------------------------------------------- */

/* The entity that an id of the file stands for. */
static memo_status rows_resolve(rows_work *r, const char *what, const char *id, int64_t *eid,
                                memo_err *err)
{
    const memo_entity_scope scope = {.ns = r->ns, .id = id};
    memo_entity_page page = {.arena = &r->arena, .damage = &r->damage, .limit = 1};
    memo_status status;

    *eid = rows_met(r->w, id);
    if (*eid)
        return MEMO_OK;
    status = memo_store_list_entities(r->w->db->store, &scope, &page, err);
    if (status == MEMO_OK)
        status = rows_check_damage(r, err);
    *eid = status == MEMO_OK && page.n ? page.rows[0].eid : 0;
    return status || *eid
               ? status
               : memo_fail(err, MEMO_ERR_VALUE, "field \"%s\": no entity \"%.128s\"", what, id);
}

static memo_status rows_read_ends(rows_work *r, const json_t *object, memo_fact_row *row,
                                  memo_err *err)
{
    const char *subject = NULL, *other = NULL, *value = NULL;
    memo_status status = memo_exported_need_string(object, "subject", &r->arena, &subject, err);

    if (status == MEMO_OK)
        status = memo_exported_string(object, "object", &r->arena, &other, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "value", &r->arena, &value, err);
    if (status == MEMO_OK && !other == !value)
        status = memo_fail(err, MEMO_ERR_VALUE, "a fact has an object or a value: this one has %s",
                           other ? "both" : "neither");
    if (status == MEMO_OK && value)
        status = memo_facts_check_text("value", value, ROWS_VALUE_BYTES, err);
    if (status == MEMO_OK)
        status = rows_resolve(r, "subject", subject, &row->subject, err);
    if (status == MEMO_OK && other)
        status = rows_resolve(r, "object", other, &row->object, err);
    row->value = value ? value : "";
    return status;
}

static memo_status rows_read_times(const json_t *object, memo_fact_row *row, memo_err *err)
{
    const struct {
        const char *name;
        int64_t least, *out;
    } times[] = {
        {"valid_from", INT64_MIN, &row->valid_from_ms},
        {"valid_to", INT64_MIN, &row->valid_to_ms},
        {"recorded", 0, &row->recorded_ms},
        {"closed", 0, &row->closed_ms},
        {"retracted", 0, &row->retracted_ms},
    };
    const json_t *confidence = json_object_get(object, "confidence");
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < sizeof times / sizeof *times && status == MEMO_OK; i++)
        status =
            memo_exported_int(object, times[i].name, times[i].least, INT64_MAX, times[i].out, err);
    row->confidence = confidence ? json_number_value(confidence) : 1;
    if (status == MEMO_OK && !(row->confidence > 0 && row->confidence <= 1))
        status = memo_fail(err, MEMO_ERR_VALUE,
                           "field \"confidence\": a number above 0 and at most 1 is needed");
    if (status == MEMO_OK && row->valid_from_ms && row->valid_to_ms &&
        row->valid_to_ms <= row->valid_from_ms)
        status = memo_fail(err, MEMO_ERR_VALUE, "the fact ends before it begins");
    return status;
}

static memo_status rows_read_fact(rows_work *r, const json_t *object, memo_fact_row *row,
                                  memo_err *err)
{
    memo_status status = memo_exported_need_string(object, "id", &r->arena, &row->id, err);

    row->reason = "";
    row->recorded_ms = memo_now_ms(r->w->db->ctx);
    if (status == MEMO_OK)
        status = memo_exported_need_string(object, "relation", &r->arena, &row->relation, err);
    if (status == MEMO_OK)
        status = memo_facts_check_text("relation", row->relation, FACTS_RELATION_BYTES, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "reason", &r->arena, &row->reason, err);
    if (status == MEMO_OK && *row->reason)
        status = memo_facts_check_text("reason", row->reason, ROWS_TEXT_BYTES, err);
    if (status == MEMO_OK)
        status = rows_read_times(object, row, err);
    return status ? status : rows_read_ends(r, object, row, err);
}

/* One piece; row->rid 0 when its record, or the version it is of, is not here. */
static memo_status rows_read_piece(rows_work *r, const json_t *piece, memo_evidence_row *row,
                                   memo_err *err)
{
    memo_evidence_text text = {0};
    const char *record = NULL;
    memo_err why = {0};
    int found = 1;
    memo_status status = memo_exported_need_string(piece, "record", &r->arena, &record, err);

    *row = (memo_evidence_row){.begin = -1, .end = -1};
    if (status == MEMO_OK)
        status = memo_exported_int(piece, "begin", 0, INT32_MAX, &row->begin, err);
    if (status == MEMO_OK)
        status = memo_exported_int(piece, "end", 1, INT32_MAX, &row->end, err);
    if (status == MEMO_OK)
        status = memo_exported_int(piece, "version", 1, INT64_MAX - 1, &row->version, err);
    if (status)
        return status;
    status = memo_store_find_evidence_text(r->w->db->store, r->ns, record, &r->arena, &row->rid,
                                           &text, &why);
    if (status == MEMO_OK && row->version && row->version != text.version)
        status = memo_store_get_evidence_text(r->w->db->store, row->rid, row->version, &r->arena,
                                              &text, &found, &why);
    row->version = text.version;
    if (status == MEMO_ERR_NOTFOUND || (status == MEMO_OK && !found)) {
        row->rid = 0;
        return MEMO_OK;
    }
    if (status && err)
        *err = why;
    if (status == MEMO_OK &&
        (row->begin < 0 || row->end <= row->begin || (size_t)row->end > text.text.n_bytes ||
         memo_utf8_floor(text.text.bytes, text.text.n_bytes, (size_t)row->begin) !=
             (size_t)row->begin ||
         memo_utf8_floor(text.text.bytes, text.text.n_bytes, (size_t)row->end) != (size_t)row->end))
        row->rid = 0; /* the record has another text here */
    return status;
}

static int rows_same_fact(const memo_fact_row *a, const memo_fact_row *b)
{
    int same_fate = (!a->retracted_ms && !b->retracted_ms) ||
                    (a->retracted_ms == b->retracted_ms && a->recorded_ms == b->recorded_ms);

    return a->object == b->object && strcmp(a->value, b->value) == 0 &&
           a->valid_from_ms == b->valid_from_ms && a->valid_to_ms == b->valid_to_ms &&
           a->confidence == b->confidence && same_fate;
}

/* By id; else the one that says the same. row->fid 0: none. */
static memo_status rows_find_fact(rows_work *r, const memo_fact_row *said, memo_fact_row *row,
                                  memo_err *err)
{
    memo_store *store = r->w->db->store;
    memo_fact_scope scope = {.ns = r->ns, .id = said->id, .retracted = 1};
    memo_fact_page page = {.arena = &r->arena, .damage = &r->damage, .limit = ROWS_PAGE};
    memo_status status = memo_store_list_facts(store, &scope, &page, err);

    row->fid = 0;
    if (status == MEMO_OK && page.n)
        *row = page.rows[0];
    scope = (memo_fact_scope){
        .ns = r->ns, .subject = said->subject, .relation = said->relation, .retracted = 1};
    page.more = 1;
    while (status == MEMO_OK && !row->fid && page.more) {
        status = memo_store_list_facts(store, &scope, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK && !row->fid; i++)
            if (rows_same_fact(&page.rows[i], said))
                *row = page.rows[i];
        if (page.n)
            scope.after = page.rows[page.n - 1].fid;
    }
    return status ? status : rows_check_damage(r, err);
}

/* What the file knows of the end of a fact, and the store does not. */
static int rows_complete_fact(memo_fact_row *row, const memo_fact_row *said)
{
    int retracts = said->retracted_ms && !row->retracted_ms;
    int closes = said->closed_ms && !row->closed_ms && !row->valid_to_ms;

    if (retracts) {
        row->retracted_ms = said->retracted_ms;
        row->reason = said->reason;
    }
    if (closes) {
        row->closed_ms = said->closed_ms;
        row->valid_to_ms = said->valid_to_ms;
    }
    return retracts || closes;
}

static memo_status rows_fact(rows_work *r, const json_t *object, memo_err *err)
{
    const json_t *list = json_object_get(object, "evidence");
    size_t n = json_array_size(list);
    memo_evidence_row *evidence = memo_arena_array(&r->arena, n + 1, sizeof *evidence);
    memo_fact_row said = {.ns = r->ns}, row = {0};
    int changed = 0;
    memo_status status = rows_read_fact(r, object, &said, err);

    if (!evidence)
        return memo_fail_nomem(err, "evidence", n * sizeof *evidence);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = rows_read_piece(r, json_array_get(list, i), &evidence[i], err);
    if (status == MEMO_OK)
        status = rows_find_fact(r, &said, &row, err);
    if (status)
        return status;
    if (!row.fid) {
        row = said;
        changed = 1;
    } else {
        changed = rows_complete_fact(&row, &said);
    }
    if (changed)
        status = memo_store_put_fact(r->w->db->store, &row, &r->arena, err);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        int added = 0;
        evidence[i].fid = row.fid;
        if (evidence[i].rid)
            status = memo_store_put_evidence(r->w->db->store, &evidence[i], &added, err);
        changed |= added;
    }
    r->n_facts += status == MEMO_OK && changed;
    return status;
}

/* ---- all of them --------------------------------------------------------------------------- */

static memo_status rows_apply(rows_work *r, json_t *object, memo_err *err)
{
    const char *type = memo_exported_type(object);

    if (strcmp(type, "version") == 0)
        return rows_version(r, object, err);
    if (strcmp(type, "entity") == 0)
        return rows_entity(r, object, err);
    if (strcmp(type, "fact") == 0)
        return rows_fact(r, object, err);
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "a line of type \"%.40s\"; version, entity and fact are known", type);
}

/* *stopped: the row that was bad, when none may be; those before it are to be kept. */
static memo_status rows_apply_all(rows_work *r, size_t *stopped, memo_err *why, memo_err *err)
{
    memo_import_work *w = r->w;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < w->n_rows && status == MEMO_OK && *stopped == w->n_rows; i++) {
        r->damage = (memo_store_damage){.arena = &r->arena};
        *why = (memo_err){0};
        status = rows_apply(r, w->rows[i].object, why);
        memo_arena_fini(&r->arena);
        if (memo_import_is_bad_data(status) && !w->options.skip_bad) {
            *stopped = i;
            return MEMO_OK;
        }
        if (memo_import_is_bad_data(status))
            status = memo_import_bad(w, w->rows_path, w->rows[i].line, why, err);
        else if (status && err)
            *err = *why;
        else
            w->done++;
    }
    return status;
}

memo_status memo_import_flush_rows(memo_import_work *w, memo_err *err)
{
    rows_work r = {.w = w};
    size_t stopped = w->n_rows;
    memo_err why = {0};
    memo_status status = MEMO_OK;

    if (w->n_rows == 0)
        return MEMO_OK;
    if (!w->options.dry_run)
        status = memo_facts_begin(w->db, w->options.ns, 1, &r.ns, err);
    if (status == MEMO_OK && !w->options.dry_run)
        status = memo_facts_end(w->db, rows_apply_all(&r, &stopped, &why, err), err);
    if (status == MEMO_OK) {
        w->report->n_versions += r.n_versions;
        w->report->n_entities += r.n_entities;
        w->report->n_facts += r.n_facts;
        if (stopped < w->n_rows)
            status = memo_import_bad(w, w->rows_path, w->rows[stopped].line, &why, err);
    }
    for (size_t i = 0; i < w->n_rows; i++)
        json_decref(w->rows[i].object);
    w->n_rows = 0;
    return status ? status : memo_import_tell(w, err);
}

memo_status memo_import_take_row(memo_import_work *w, const char *path, uint64_t line,
                                 json_t *object, memo_err *err)
{
    memo_status status = memo_import_flush(w, err); /* the records that it may be about */

    w->rows_path = path;
    w->rows[w->n_rows++] = (memo_import_row){object, line};
    if (status || w->n_rows < MEMO_IMPORT_ROWS)
        return status;
    return memo_import_flush_rows(w, err);
}
