// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import_store.c -- another store, a backup for instance, merged into this one.
 *
 * It is opened for reading and checked to its last row before anything is written: whether it is damaged,
 * of a newer program, or holds vectors of another model shows then. Records go straight into the
 * groups of the import, with their vectors; versions, entities and facts as the lines that an export
 * would write, so that both ways mean the same. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/ingest/export.h"
#include "memory/ingest/import.h"

#define STORE_PAGE 64 /* records whose vectors are held at a time */

/* A version may hold a text of 64 MiB, which JSON may spell six times as long. */
static const memo_json_limits import_store_limits = {
    (size_t)512 << 20, 32, 200000, 10000, 100, 0, 1};

typedef struct store_work {
    memo_import_work *w;
    const char *path;
    memo_db *from;
    memo_arena names;
    size_t n, cap; /* namespaces */
    struct store_ns {
        const char *name;
        memo_store_ns ns;
        uint64_t n_records;
    } * spaces;    /* [n] */
    int no_memory; /* while they were listed */
    memo_err why;  /* of a line that was not taken */
} store_work;

static void store_fini(store_work *s)
{
    memo_db_close(s->from);
    memo_free(s->spaces);
    memo_arena_fini(&s->names);
}

/* ---- opening and checking ------------------------------------------------------------------ */

static int store_keep_ns(void *user, const char *name, const memo_store_ns *ns, uint64_t n_records)
{
    store_work *s = user;

    if (s->w->wanted_ns && strcmp(s->w->wanted_ns, name) != 0)
        return 0;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct store_ns *grown = memo_reallocarray(s->spaces, cap, sizeof *grown);
        s->no_memory = !grown;
        if (!grown)
            return 1;
        s->spaces = grown;
        s->cap = cap;
    }
    s->spaces[s->n] = (struct store_ns){memo_arena_strdup(&s->names, name), *ns, n_records};
    s->no_memory = !s->spaces[s->n++].name;
    return s->no_memory;
}

static memo_status store_open(store_work *s, memo_err *err)
{
    const memo_db_options options = {.size = sizeof options, .mode = MEMO_OPEN_READ_ONLY};
    memo_status status = memo_db_open(s->w->db->ctx, s->path, &options, &s->from, err);

    if (status == MEMO_OK)
        status = memo_store_each_ns(s->from->store, store_keep_ns, s, err);
    if (status == MEMO_OK && s->no_memory)
        status = memo_fail_nomem(err, "namespaces", s->n * sizeof *s->spaces);
    if (status == MEMO_OK && s->n == 0 && s->w->wanted_ns)
        status =
            memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no namespace \"%s\"", s->path, s->w->wanted_ns);
    return status;
}

static void store_take_finding(void *user, memo_finding_level level, const char *area,
                               const char *message, const char *hint)
{
    store_work *s = user;

    (void)area, (void)hint;
    if (level == MEMO_FINDING_BAD && s->why.status == MEMO_OK)
        memo_fail(&s->why, MEMO_ERR_CORRUPT, "%s", message);
}

/* Its vectors are of the handle's model, and the namespace here has no others. */
static memo_status store_check_ns(store_work *s, const struct store_ns *ns, memo_err *err)
{
    memo_db *db = s->w->db;
    memo_store_space space = {0};
    memo_exported said = {0};
    memo_record_in none = {0};
    memo_store_ns here = {0};
    memo_err absent = {0};
    memo_status status = MEMO_OK;

    if (ns->ns.space)
        status = memo_store_get_space(s->from->store, ns->ns.space, &s->names, &space, err);
    said.space = space.name;
    said.print = space.fingerprint;
    if (status == MEMO_OK)
        status = memo_exported_check_space(db, &said, s->w->options.reembed, &none, err);
    if (status)
        return ns->ns.space
                   ? memo_err_prefix(err, status, "%s: namespace \"%s\"", s->path, ns->name)
                   : status;
    status = memo_store_find_ns(db->store, ns->name, &here, &absent);
    if (status == MEMO_OK)
        return memo_db_check_space(db, ns->name, &here, "nothing was imported", err);
    if (status != MEMO_ERR_NOTFOUND && err)
        *err = absent;
    return status == MEMO_ERR_NOTFOUND ? MEMO_OK : status;
}

memo_status memo_import_check_store(memo_import_work *w, const char *path, memo_err *err)
{
    store_work s = {.w = w, .path = path};
    memo_status status = store_open(&s, err);

    if (status == MEMO_OK)
        status = memo_store_check(s.from->store, store_take_finding, &s, err);
    if (status == MEMO_OK && s.why.status) {
        memo_fail(err, MEMO_ERR_CORRUPT, "%s: %s; nothing was imported", path, s.why.message);
        status =
            memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair -f %s, then again", path);
    }
    for (size_t i = 0; i < s.n && status == MEMO_OK; i++) {
        status = store_check_ns(&s, &s.spaces[i], err);
        w->total += s.spaces[i].n_records;
    }
    store_fini(&s);
    return status;
}

/* ---- records ------------------------------------------------------------------------------- */

/* Vectors as they are, when every chunk has one; else they are made. */
static memo_status store_take_vectors(store_work *s, const struct store_ns *ns, memo_arena *arena,
                                      const memo_record *record, memo_record_in *in, memo_err *err)
{
    memo_store_chunk *chunks = NULL;
    size_t n = 0;
    memo_vector *vectors;
    size_t(*spans)[2];
    memo_status status;

    if (!ns->ns.space || s->w->options.reembed)
        return MEMO_OK;
    status = memo_store_read_chunks(s->from->store, ns->ns.id, record->id, ns->ns.space, arena,
                                    &chunks, &n, err);
    if (status || n == 0 || n != record->n_chunks)
        return status;
    vectors = memo_arena_array(arena, n, sizeof *vectors);
    spans = memo_arena_array(arena, n, sizeof *spans);
    if (!vectors || !spans)
        return memo_fail_nomem(err, "vectors of a record", n * sizeof *vectors);
    for (size_t i = 0; i < n; i++) {
        vectors[i] = (memo_vector){.f32 = chunks[i].vector, .dim = s->w->db->space.dim};
        spans[i][0] = chunks[i].begin;
        spans[i][1] = chunks[i].end;
    }
    in->vectors = vectors;
    in->spans = (const size_t(*)[2])spans;
    in->n_vectors = n;
    return MEMO_OK;
}

/* What another record will be found by: its key, or its id; NULL when it is gone. */
static memo_status store_name(store_work *s, const struct store_ns *ns, const char *id,
                              memo_arena *arena, const char **name, memo_err *err)
{
    memo_export_work source = {.db = s->from, .ns = ns->ns};

    *name = NULL;
    return id ? memo_export_name(&source, id, arena, name, err) : MEMO_OK;
}

static memo_status store_record(store_work *s, const struct store_ns *ns, memo_arena *arena,
                                const memo_record *record, memo_err *err)
{
    memo_exported said = {.is = 1,
                          .kept = {.id = record->id,
                                   .version = record->version,
                                   .updated_ms = record->updated_ms,
                                   .no_key = !record->key}};
    memo_record_in in = {.size = sizeof in,
                         .key = record->key ? record->key : record->id,
                         .text = record->text,
                         .title = record->title,
                         .metadata_json = record->metadata_json,
                         .tags = record->tags,
                         .n_tags = record->n_tags,
                         .created_ms = record->created_ms,
                         .expires_ms = record->expires_ms,
                         .source = record->source,
                         .trust = &record->trust,
                         .pinned = &record->pinned,
                         .tier = &record->tier};
    memo_status status =
        memo_store_get_chunking(s->from->store, ns->ns.id, record->id, &in.chunking,
                                &in.chunk_tokens, &in.chunk_overlap, err);

    if (status == MEMO_OK)
        status = store_take_vectors(s, ns, arena, record, &in, err);
    if (status == MEMO_OK)
        status = store_name(s, ns, record->parent, arena, &said.parent, err);
    if (status == MEMO_OK)
        status = store_name(s, ns, record->supersedes, arena, &said.supersedes, err);
    in.parent = said.parent;
    in.supersedes = said.supersedes;
    if (status == MEMO_OK)
        status = memo_import_keep_links(s->w, in.key, &said, err);
    return status
               ? status
               : memo_import_take(s->w, &in, &said.kept, (memo_import_origin){s->w->item, 0}, err);
}

/* A page's strings and vectors are borrowed by the group, which goes in before the page does. */
static memo_status store_records(store_work *s, const struct store_ns *ns, memo_err *err)
{
    const memo_store_scope scope = {.ns = ns->ns.id};
    memo_store_list_options page = {.limit = STORE_PAGE, .oldest_first = 1};
    memo_status status = MEMO_OK;
    char cursor[64] = "";

    while (status == MEMO_OK) {
        memo_arena arena = {0};
        memo_records records = {0};
        status = memo_store_list(s->from->store, &scope, &page, &arena, &records, err);
        for (size_t i = 0; i < records.n && status == MEMO_OK; i++)
            status = store_record(s, ns, &arena, &records.records[i], err);
        if (status == MEMO_OK)
            status = memo_import_flush(s->w, err);
        s->w->n_group = 0;
        page.after = NULL;
        if (records.next && strlen(records.next) < sizeof cursor)
            page.after = strcpy(cursor, records.next);
        memo_arena_fini(&arena);
        if (!page.after)
            break;
    }
    return status;
}

/* ---- the other rows ------------------------------------------------------------------------ */

static int store_take_lines(void *user, const char *bytes, size_t n_bytes)
{
    store_work *s = user;
    const char *end = bytes + n_bytes;

    while (bytes < end) {
        const char *nl = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t n = (size_t)((nl ? nl : end) - bytes);
        json_t *object = NULL;
        if (memo_json_parse(bytes, n, &import_store_limits, "row", &object, &s->why))
            return 1;
        s->w->total++;
        if (memo_import_take_row(s->w, s->path, 0, object, &s->why))
            return 1;
        bytes += n + (nl != NULL);
    }
    return 0;
}

static memo_status store_rows(store_work *s, const struct store_ns *ns, memo_err *err)
{
    memo_export_report report = {0};
    memo_export_work source = {.db = s->from,
                               .options = {.size = sizeof source.options, .versions = 1},
                               .write = store_take_lines,
                               .user = s,
                               .report = &report,
                               .expired = 1,
                               .ns = ns->ns};
    memo_status status = memo_export_versions(&source, err);

    if (status == MEMO_OK)
        status = memo_export_facts(&source, err);
    if (status == MEMO_OK)
        status = memo_export_flush(&source, err);
    if (status == MEMO_ERR_IO && s->why.status) {
        status = s->why.status;
        if (err)
            *err = s->why;
    }
    memo_arena_fini(&source.arena);
    memo_buf_fini(&source.out);
    return status ? status : memo_import_flush_rows(s->w, err);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status store_namespace(store_work *s, const struct store_ns *ns, memo_err *err)
{
    memo_import_work *w = s->w;
    memo_status status;

    w->options.ns = ns->name;
    w->n_links = w->n_met = 0;
    status = store_records(s, ns, err);
    if (status == MEMO_OK)
        status = memo_import_make_links(w, err);
    if (status == MEMO_OK)
        status = store_rows(s, ns, err);
    if (w->n_rows) /* after a failure: they are not looked at again */
        (void)memo_import_flush_rows(w, NULL);
    w->options.ns = w->wanted_ns;
    w->n_links = w->n_met = 0;
    return status;
}

memo_status memo_import_store(memo_import_work *w, const char *path, memo_err *err)
{
    store_work s = {.w = w, .path = path};
    memo_status status = memo_import_flush(w, err);

    if (status == MEMO_OK)
        status = memo_import_make_links(w, err); /* of the files before it */
    if (status == MEMO_OK)
        status = store_open(&s, err);
    if (status == MEMO_OK)
        status = memo_store_begin_read(s.from->store, err);
    for (size_t i = 0; i < s.n && status == MEMO_OK; i++)
        status = store_namespace(&s, &s.spaces[i], err);
    if (s.from)
        memo_store_end_read(s.from->store);
    store_fini(&s);
    return status;
}
