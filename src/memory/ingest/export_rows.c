// SPDX-License-Identifier: Apache-2.0
/* Lines of an export that are no records: versions, entities, facts.
 *
 *   {"memolith":1,"type":"version", as a record's line, "version":N,"chunks":N}
 *   {"memolith":1,"type":"entity","id":,"name":,"kind":,"metadata":{},"aliases":[],"created":,"updated":}
 *   {"memolith":1,"type":"fact","id":,"subject":,"relation":,"object": or "value":,"valid_from":,
 *    "valid_to":,"confidence":,"recorded":,"closed":,"retracted":,"reason":,
 *    "evidence":[{"record":,"begin":,"end":,"version":}]}
 *
 * Subject and object are ids of entities, which stand before the facts. Evidence names a record by its
 * key, or by its id when it has none. A span of a text that the record no longer has goes with its
 * version, or not at all when versions are not exported. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "memory/ingest/export.h"
#include "memory/ingest/exported.h"
#include "store/facts/fact_rows.h"

#define EXPORT_ROWS 200 /* a page */

static void export_begin_row(memo_buf *out, const char *type, const char *id)
{
    memo_buf_printf(out, "{\"memolith\":%d,\"type\":\"%s\",\"id\":\"%s\"", MEMO_EXPORTED_VERSION,
                    type, id);
}

/* Where the next page begins; `more` is zero after the last. */
typedef struct export_cursor {
    int64_t after;
    int more;
} export_cursor;

/* Write the page after the cursor, and move it; what it reads is in w->arena. */
typedef memo_status (*export_page_fn)(memo_export_work *w, export_cursor *cursor,
                                      memo_store_damage *damage, memo_err *err);

static memo_status export_pages(memo_export_work *w, export_page_fn write, memo_err *err)
{
    export_cursor cursor = {0, 1};
    memo_status status = MEMO_OK;

    while (cursor.more && status == MEMO_OK) {
        memo_store_damage damage = {.arena = &w->arena};
        status = write(w, &cursor, &damage, err);
        w->report->n_damaged += damage.n;
        if (status == MEMO_OK)
            status = memo_progress_call(w->options.progress, w->options.progress_user, "export",
                                        w->done, w->total, NULL, err);
        memo_arena_fini(&w->arena);
    }
    return status;
}

/* ---- versions ------------------------------------------------------------------------------ */

static memo_status export_version(memo_export_work *w, const char *id, uint64_t version,
                                  memo_err *err)
{
    memo_arena arena = {0};
    memo_record record;
    memo_store_cut cut = {0};
    memo_err why = {0};
    const char *parent = NULL;
    memo_status status =
        memo_store_get_version(w->db->store, w->ns.id, id, version, &arena, &record, &cut, &why);

    if (status == MEMO_OK && record.parent)
        status = memo_export_name(w, record.parent, &arena, &parent, &why);
    if (status == MEMO_OK) {
        memo_export_put_record(w, "version", &record);
        memo_buf_printf(&w->out, ",\"version\":%" PRIu64 ",\"chunks\":%zu", version,
                        record.n_chunks);
        memo_export_put_string(&w->out, "parent", parent);
        memo_export_put_cut(&w->out, &cut);
        memo_buf_puts(&w->out, "}\n");
        w->report->n_versions++;
    }
    memo_arena_fini(&arena);
    if (status == MEMO_OK)
        return memo_export_end_line(w, err);
    w->report->n_damaged += status == MEMO_ERR_CORRUPT;
    if (status == MEMO_ERR_CORRUPT || status == MEMO_ERR_NOTFOUND) /* in quarantine */
        return MEMO_OK;
    if (err)
        *err = why;
    return status;
}

static memo_status export_versions_of(memo_export_work *w, const memo_record *record, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (uint64_t version = record->version - 1; version > 0 && status == MEMO_OK; version--)
        status = export_version(w, record->id, version, err);
    return status;
}

memo_status memo_export_versions(memo_export_work *w, memo_err *err)
{
    return memo_export_each(w, export_versions_of, err);
}

/* ---- entities ------------------------------------------------------------------------------ */

static memo_status export_entity(memo_export_work *w, const memo_entity_row *row,
                                 memo_store_damage *damage, memo_err *err)
{
    memo_buf *out = &w->out;
    memo_alias_row *aliases = NULL;
    size_t n = 0, n_put = 0;
    memo_status status = memo_store_list_aliases(w->db->store, w->ns.id, row->eid, &w->arena,
                                                 damage, &aliases, &n, err);

    if (status)
        return status;
    export_begin_row(out, "entity", row->id);
    memo_export_put_string(out, "name", row->name);
    memo_export_put_string(out, "kind", row->kind);
    if (strcmp(row->metadata, "{}") != 0) {
        memo_buf_puts(out, ",\"metadata\":");
        memo_buf_puts(out, row->metadata);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(aliases[i].alias, row->name) == 0)
            continue; /* the name is one of them */
        memo_buf_puts(out, n_put++ ? "," : ",\"aliases\":[");
        memo_buf_put_json(out, aliases[i].alias, strlen(aliases[i].alias));
    }
    memo_buf_puts(out, n_put ? "]" : "");
    memo_export_put_int(out, "created", row->created_ms, INT64_MIN);
    memo_export_put_int(out, "updated", row->updated_ms, INT64_MIN);
    memo_buf_puts(out, "}\n");
    w->report->n_entities++;
    return memo_export_end_line(w, err);
}

static memo_status export_entity_page(memo_export_work *w, export_cursor *cursor,
                                      memo_store_damage *damage, memo_err *err)
{
    const memo_entity_scope scope = {.ns = w->ns.id, .after = cursor->after};
    memo_entity_page page = {.arena = &w->arena, .damage = damage, .limit = EXPORT_ROWS};
    memo_status status = memo_store_list_entities(w->db->store, &scope, &page, err);

    for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
        status = export_entity(w, &page.rows[i], damage, err);
    cursor->after = page.n ? page.rows[page.n - 1].eid : 0;
    cursor->more = page.more;
    return status;
}

/* ---- facts --------------------------------------------------------------------------------- */

/* The id of an entity; *id NULL: it is damaged. */
static memo_status export_entity_id(memo_export_work *w, int64_t eid, memo_store_damage *damage,
                                    const char **id, memo_err *err)
{
    const memo_entity_scope scope = {.ns = w->ns.id, .eid = eid};
    memo_entity_page page = {.arena = &w->arena, .damage = damage, .limit = 1};
    memo_status status = memo_store_list_entities(w->db->store, &scope, &page, err);

    *id = status == MEMO_OK && page.n ? page.rows[0].id : NULL;
    return status;
}

/* One piece; *n_put grows when it was written. */
static memo_status export_evidence(memo_export_work *w, const memo_evidence_row *row, size_t *n_put,
                                   memo_err *err)
{
    memo_arena texts = {0};
    memo_evidence_text then = {0}, now = {0};
    const char *name = NULL;
    int had = 0, has = 0;
    memo_status status = memo_store_get_evidence_text(w->db->store, row->rid, row->version, &texts,
                                                      &then, &had, err);

    if (status == MEMO_OK)
        status = memo_store_get_evidence_text(w->db->store, row->rid, 0, &texts, &now, &has, err);
    if (status == MEMO_OK && had && has &&
        (w->options.versions || (then.text.n_bytes == now.text.n_bytes &&
                                 memcmp(then.text.bytes, now.text.bytes, now.text.n_bytes) == 0)))
        status = memo_export_name(w, now.id, &texts, &name, err);
    if (status == MEMO_OK && name) {
        memo_buf_puts(&w->out, (*n_put)++ ? ",{\"record\":" : ",\"evidence\":[{\"record\":");
        memo_buf_put_json(&w->out, name, strlen(name));
        memo_buf_printf(&w->out, ",\"begin\":%" PRId64 ",\"end\":%" PRId64, row->begin, row->end);
        if (w->options.versions)
            memo_buf_printf(&w->out, ",\"version\":%" PRId64, row->version);
        memo_buf_putc(&w->out, '}');
    }
    memo_arena_fini(&texts);
    return status;
}

static void export_put_fact(memo_export_work *w, const memo_fact_row *row, const char *subject,
                            const char *object)
{
    memo_buf *out = &w->out;

    export_begin_row(out, "fact", row->id);
    memo_export_put_string(out, "subject", subject);
    memo_export_put_string(out, "relation", row->relation);
    memo_export_put_string(out, "object", object);
    if (!object)
        memo_export_put_string(out, "value", row->value);
    memo_export_put_int(out, "valid_from", row->valid_from_ms, 0);
    memo_export_put_int(out, "valid_to", row->valid_to_ms, 0);
    if (row->confidence < 1) {
        memo_buf_puts(out, ",\"confidence\":");
        memo_buf_put_real(out, row->confidence, 17);
    }
    memo_export_put_int(out, "recorded", row->recorded_ms, INT64_MIN);
    memo_export_put_int(out, "closed", row->closed_ms, 0);
    memo_export_put_int(out, "retracted", row->retracted_ms, 0);
    memo_export_put_string(out, "reason", row->reason);
}

static memo_status export_fact(memo_export_work *w, const memo_fact_row *row,
                               memo_store_damage *damage, memo_err *err)
{
    const char *subject = NULL, *object = NULL;
    memo_evidence_row *evidence = NULL;
    size_t n = 0, n_put = 0;
    memo_status status = export_entity_id(w, row->subject, damage, &subject, err);

    if (status == MEMO_OK && row->object)
        status = export_entity_id(w, row->object, damage, &object, err);
    if (status == MEMO_OK)
        status =
            memo_store_list_evidence(w->db->store, row->fid, &w->arena, damage, &evidence, &n, err);
    if (status || !subject || (row->object && !object))
        return status;
    export_put_fact(w, row, subject, object);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = export_evidence(w, &evidence[i], &n_put, err);
    memo_buf_puts(&w->out, n_put ? "]}\n" : "}\n");
    w->report->n_facts++;
    return status ? status : memo_export_end_line(w, err);
}

static memo_status export_fact_page(memo_export_work *w, export_cursor *cursor,
                                    memo_store_damage *damage, memo_err *err)
{
    const memo_fact_scope scope = {.ns = w->ns.id, .after = cursor->after, .retracted = 1};
    memo_fact_page page = {.arena = &w->arena, .damage = damage, .limit = EXPORT_ROWS};
    memo_status status = memo_store_list_facts(w->db->store, &scope, &page, err);

    for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
        status = export_fact(w, &page.rows[i], damage, err);
    cursor->after = page.n ? page.rows[page.n - 1].fid : 0;
    cursor->more = page.more;
    return status;
}

memo_status memo_export_facts(memo_export_work *w, memo_err *err)
{
    memo_status status = export_pages(w, export_entity_page, err);
    return status ? status : export_pages(w, export_fact_page, err);
}
