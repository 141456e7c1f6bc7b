// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/export.c -- the records of a namespace as lines that exported.c takes back.
 *
 * All pages of the list, the cuts and the vectors are read in one read transaction: one moment. A
 * reference to another record is written as its key, or its id when it has none, which is what it will
 * be found by where the lines are imported. */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "memory/ingest/export.h"
#include "memory/ingest/exported.h"

#define EXPORT_PAGE  200               /* records */
#define EXPORT_WRITE ((size_t)1 << 20) /* bytes gathered for the callback */

/* ---- one line ------------------------------------------------------------------------------ */

void memo_export_put_string(memo_buf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    memo_buf_printf(out, ",\"%s\":", name);
    memo_buf_put_json(out, value, strlen(value));
}

void memo_export_put_int(memo_buf *out, const char *name, int64_t value, int64_t otherwise)
{
    if (value != otherwise)
        memo_buf_printf(out, ",\"%s\":%" PRId64, name, value);
}

memo_status memo_export_name(memo_export_work *w, const char *id, memo_arena *arena,
                             const char **name, memo_err *err)
{
    memo_record other;
    memo_err why = {0};
    memo_status status = memo_store_get(w->db->store, w->ns.id, id, arena, &other, &why);

    *name = status ? NULL : other.key ? other.key : other.id;
    if (status == MEMO_OK || status == MEMO_ERR_NOTFOUND || status == MEMO_ERR_CORRUPT)
        return MEMO_OK;
    if (err)
        *err = why;
    return status;
}

/* Another record. One that is gone is left out. */
static memo_status export_put_other(memo_export_work *w, const char *name, const char *id,
                                    memo_err *err)
{
    memo_arena arena = {0};
    const char *other = NULL;
    memo_status status = id ? memo_export_name(w, id, &arena, &other, err) : MEMO_OK;

    memo_export_put_string(&w->out, name, other);
    memo_arena_fini(&arena);
    return status;
}

void memo_export_put_cut(memo_buf *out, const memo_store_cut *cut)
{
    if (cut->chunking != MEMO_CHUNK_AUTO || cut->chunk_tokens || cut->chunk_overlap)
        memo_buf_printf(out, ",\"cut\":{\"how\":%d,\"tokens\":%zu,\"overlap\":%" PRId64 "}",
                        (int)cut->chunking, cut->chunk_tokens,
                        cut->chunk_overlap == SIZE_MAX ? -1 : (int64_t)cut->chunk_overlap);
}

static memo_status export_put_cut(memo_export_work *w, const memo_record *record, memo_err *err)
{
    memo_store_cut cut = {0};
    memo_status status = memo_store_get_chunking(w->db->store, w->ns.id, record->id, &cut.chunking,
                                                 &cut.chunk_tokens, &cut.chunk_overlap, err);

    if (status == MEMO_OK)
        memo_export_put_cut(&w->out, &cut);
    return status;
}

static memo_status export_put_vectors(memo_export_work *w, const memo_record *record, memo_err *err)
{
    memo_store_chunk *chunks;
    size_t n = 0;
    memo_status status;

    if (!w->options.vectors || !w->ns.space)
        return MEMO_OK;
    status = memo_store_read_chunks(w->db->store, w->ns.id, record->id, w->ns.space, &w->arena,
                                    &chunks, &n, err);
    if (status || n == 0 || n != record->n_chunks)
        return status;
    memo_buf_puts(&w->out, ",\"vectors\":{\"space\":");
    memo_buf_put_json(&w->out, w->space.name, strlen(w->space.name));
    memo_buf_puts(&w->out, ",\"fingerprint\":");
    memo_buf_put_json(&w->out, w->space.fingerprint, strlen(w->space.fingerprint));
    memo_buf_puts(&w->out, ",\"chunks\":[");
    for (size_t i = 0; i < n; i++) {
        memo_buf_printf(&w->out, "%s{\"begin\":%zu,\"end\":%zu,\"vector\":[", i ? "," : "",
                        chunks[i].begin, chunks[i].end);
        for (size_t j = 0; j < w->space.dim; j++) {
            memo_buf_puts(&w->out, j ? "," : "");
            memo_buf_put_real(&w->out, (double)chunks[i].vector[j], 9);
        }
        memo_buf_puts(&w->out, "]}");
    }
    memo_buf_puts(&w->out, "]}");
    w->report->n_vectors += n;
    return MEMO_OK;
}

void memo_export_put_record(memo_export_work *w, const char *type, const memo_record *r)
{
    memo_buf *out = &w->out;

    memo_buf_printf(out, "{\"memolith\":%d", MEMO_EXPORTED_VERSION);
    memo_export_put_string(out, "type", type);
    memo_export_put_string(out, "id", r->id);
    memo_export_put_string(out, "key", r->key);
    memo_buf_puts(out, ",\"text\":");
    memo_buf_put_json(out, r->text.bytes, r->text.n_bytes);
    memo_export_put_string(out, "title", r->title);
    for (size_t i = 0; i < r->n_tags; i++) {
        memo_buf_puts(out, i ? "," : ",\"tags\":[");
        memo_buf_put_json(out, r->tags[i], strlen(r->tags[i]));
    }
    if (r->n_tags)
        memo_buf_putc(out, ']');
    if (strcmp(r->metadata_json, "{}") != 0) {
        memo_buf_puts(out, ",\"metadata\":");
        memo_buf_puts(out, r->metadata_json);
    }
    memo_export_put_int(out, "created", r->created_ms, INT64_MIN);
    memo_export_put_int(out, "updated", r->updated_ms, INT64_MIN);
    memo_export_put_int(out, "expires", r->expires_ms, 0);
    memo_export_put_string(out, "source", r->source);
    memo_export_put_int(out, "trust", r->trust, 0);
    memo_export_put_int(out, "pinned", r->pinned, 0);
    memo_export_put_int(out, "tier", r->tier, 2);
}

/* ---- all lines ----------------------------------------------------------------------------- */

memo_status memo_export_flush(memo_export_work *w, memo_err *err)
{
    int refused;

    if (w->out.failed)
        return memo_fail_nomem(err, "exported lines", w->out.n);
    if (w->out.n == 0)
        return MEMO_OK;
    w->db->in_callback = 1;
    refused = w->write(w->user, w->out.data, w->out.n);
    w->db->in_callback = 0;
    if (refused)
        return memo_fail(err, MEMO_ERR_IO, "the export was stopped by what takes its lines");
    w->report->n_bytes += w->out.n;
    memo_buf_clear(&w->out);
    return MEMO_OK;
}

memo_status memo_export_end_line(memo_export_work *w, memo_err *err)
{
    return w->out.n < EXPORT_WRITE && !w->out.failed ? MEMO_OK : memo_export_flush(w, err);
}

/* Append a record's line. One whose chunks are damaged is counted and left out. */
static memo_status export_line(memo_export_work *w, const memo_record *record, memo_err *err)
{
    size_t before = w->out.n;
    memo_err why = {0};
    memo_status status;

    memo_export_put_record(w, NULL, record);
    if (w->options.versions && record->version > 1)
        memo_buf_printf(&w->out, ",\"version\":%" PRIu64, record->version);
    status = export_put_other(w, "parent", record->parent, &why);
    if (status == MEMO_OK)
        status = export_put_other(w, "supersedes", record->supersedes, &why);
    if (status == MEMO_OK)
        status = export_put_cut(w, record, &why);
    if (status == MEMO_OK)
        status = export_put_vectors(w, record, &why);
    if (status == MEMO_ERR_CORRUPT && !w->out.failed) {
        w->out.n = before;
        w->report->n_damaged++;
        return MEMO_OK;
    }
    if (status) {
        if (err)
            *err = why;
        return status;
    }
    memo_buf_puts(&w->out, "}\n");
    w->report->n_records++;
    w->done++;
    return memo_export_end_line(w, err);
}

memo_status memo_export_each(memo_export_work *w, memo_export_fn fn, memo_err *err)
{
    const memo_store_scope scope = {
        .ns = w->ns.id, .now_ms = w->expired ? 0 : memo_now_ms(w->db->ctx), .filter = w->filter};
    memo_store_list_options page = {.limit = EXPORT_PAGE, .oldest_first = 1};
    memo_status status = MEMO_OK;
    char cursor[64] = "";

    while (status == MEMO_OK) {
        memo_records records = {0};
        status = memo_store_list(w->db->store, &scope, &page, &w->arena, &records, err);
        for (size_t i = 0; i < records.n && status == MEMO_OK; i++)
            status = fn(w, &records.records[i], err);
        w->report->n_damaged += fn == export_line ? records.n_damaged : 0;
        if (status == MEMO_OK)
            status = memo_progress_call(w->options.progress, w->options.progress_user, "export",
                                        w->done, w->total, NULL, err);
        if (status || !records.next || strlen(records.next) >= sizeof cursor)
            break;
        strcpy(cursor, records.next);
        page.after = cursor;
        memo_arena_fini(&w->arena);
    }
    memo_arena_fini(&w->arena);
    return status;
}

static memo_status export_all(memo_export_work *w, memo_err *err)
{
    const memo_store_scope scope = {
        .ns = w->ns.id, .now_ms = memo_now_ms(w->db->ctx), .filter = w->filter};
    uint64_t n_chunks;
    memo_status status = memo_store_count(w->db->store, &scope, &w->total, &n_chunks, err);

    if (status == MEMO_OK)
        status = memo_export_each(w, export_line, err);
    if (status == MEMO_OK && w->options.versions)
        status = memo_export_versions(w, err);
    if (status == MEMO_OK && !w->filter)
        status = memo_export_facts(w, err);
    return status ? status : memo_export_flush(w, err);
}

static memo_status export_run(memo_export_work *w, memo_err *err)
{
    memo_err absent = {0};
    memo_status status = MEMO_OK;

    if (w->options.where)
        status = memo_filter_new(w->options.where, memo_now_ms(w->db->ctx), &w->filter, err);
    if (status == MEMO_OK)
        status = memo_store_begin_read(w->db->store, err);
    if (status)
        return status;
    status = memo_store_find_ns(w->db->store, memo_db_ns_name(w->options.ns), &w->ns, &absent);
    if (status == MEMO_ERR_NOTFOUND && !w->options.ns) {
        memo_store_end_read(w->db->store); /* a new store: nothing to write */
        return MEMO_OK;
    }
    if (status && err)
        *err = absent;
    if (status == MEMO_OK && w->ns.space)
        status = memo_store_get_space(w->db->store, w->ns.space, &w->space_arena, &w->space, err);
    if (status == MEMO_OK)
        status = export_all(w, err);
    memo_store_end_read(w->db->store);
    if (status == MEMO_OK && w->report->n_damaged) {
        memo_fail(err, MEMO_ERR_CORRUPT, "%" PRIu64 " damaged records were left out",
                  w->report->n_damaged);
        status = memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor names them");
    }
    return status;
}

memo_status memo_db_export(memo_db *db, const memo_export_options *options, memo_write_fn write,
                           void *user, memo_export_report *report, memo_err *err)
{
    memo_export_report done = {0};
    memo_db_progress progress;
    double started = memo_monotonic_ms();
    memo_export_work w = {.db = db, .write = write, .user = user, .report = &done};
    memo_status status = memo_db_check_call(db, db, "memo_db_export", err);

    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_export_report", err);
    if (status == MEMO_OK && !write)
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_export: write is NULL");
    if (status == MEMO_OK)
        status =
            memo_options_copy(&w.options, sizeof w.options, options, "memo_export_options", err);
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &w.options.progress, &w.options.progress_user);
    status = export_run(&w, err);
    done.elapsed_ms = (int64_t)(memo_monotonic_ms() - started);
    memo_result_write(report, &done, sizeof done);
    memo_filter_free(w.filter);
    memo_arena_fini(&w.arena);
    memo_arena_fini(&w.space_arena);
    memo_buf_fini(&w.out);
    return status;
}
