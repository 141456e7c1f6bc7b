// SPDX-License-Identifier: Apache-2.0
/* memory/db_records.c -- add, edit, forget, get and list. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "memory/db.h"
#include "memory/feedback/search_log.h"

#define RECORDS_EDIT_TRIES 8 /* against other writers of the same record */
#define RECORDS_MAX_LIST   1000
#define RECORDS_LIST       20

/* ---- add ----------------------------------------------------------------------------------- */

/* The caller's array, whose structs may be of another version, as one of ours. */
static memo_status records_copy_in(const memo_record_in *records, size_t n, memo_record_in **out,
                                   memo_err *err)
{
    memo_record_in *copy;
    size_t stride = records[0].size;

    if (n > PTRDIFF_MAX / sizeof *copy)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu records, more than there can be", n);
    copy = memo_calloc(n, sizeof *copy);
    if (!copy)
        return memo_fail_nomem(err, "records", n * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        const void *from = (const char *)records + i * stride;
        memo_record_in sized;
        memo_status status;
        memcpy(&sized.size, from, sizeof sized.size);
        if (i > 0 && sized.size != stride)
            status = memo_fail(err, MEMO_ERR_USAGE, "size is %zu, of record 0 it is %zu",
                               sized.size, stride);
        else
            status = memo_options_copy(&copy[i], sizeof copy[i], from, "memo_record_in", err);
        if (status == MEMO_OK)
            status = memo_ingest_check_fields(&copy[i], err);
        if (status) {
            memo_free(copy);
            return n > 1 ? memo_err_prefix(err, status, "record %zu", i) : status;
        }
    }
    *out = copy;
    return MEMO_OK;
}

memo_status memo_db_add(memo_db *db, const memo_write_options *options,
                        const memo_record_in *records, size_t n, memo_add_result *results,
                        memo_err *err)
{
    memo_write_options o;
    memo_db_progress progress;
    memo_ingest job;
    memo_record_in *copy = NULL;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_write_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, db, "memo_db_add", err);
    if (status == MEMO_OK && n && !records)
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_add: records is NULL, n is %zu", n);
    if (status == MEMO_OK && n)
        status = memo_result_check(results, "memo_add_result", err);
    if (status || n == 0)
        return status;
    status = memo_db_need_space(db, "adding a record", err);
    if (status == MEMO_OK)
        status = records_copy_in(records, n, &copy, err);
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &o.progress, &o.progress_user);
    job = (memo_ingest){.ns = memo_db_ns_name(o.ns),
                        .records = copy,
                        .n = n,
                        .results = results,
                        .progress = o.progress,
                        .progress_user = o.progress_user,
                        .deadline = memo_deadline_in(o.deadline_ms),
                        .links = o.links,
                        .actor = o.actor};
    status = memo_ingest_run(db, &job, err);
    memo_free(copy);
    return status;
}

/* ---- edit ---------------------------------------------------------------------------------- */

memo_status memo_db_merge_metadata(const char *old, const char *change, memo_arena *arena,
                                   const char **out, memo_err *err)
{
    json_t *base = NULL, *patch = NULL, *value;
    const char *key;
    memo_status status =
        memo_json_parse(old, strlen(old), &memo_json_request_limits, "metadata", &base, err);

    if (status == MEMO_OK)
        status = memo_json_parse(change, strlen(change), &memo_json_request_limits, "metadata",
                                 &patch, err);
    if (status == MEMO_OK && !json_is_object(patch))
        status = memo_fail(err, MEMO_ERR_VALUE, "metadata must be a JSON object like {\"a\": 1}");
    if (status)
        goto done;
    json_object_foreach(patch, key, value)
    {
        if (json_is_null(value))
            json_object_del(base, key); /* absent already: nothing to remove */
        else if (json_object_set(base, key, value))
            status = memo_fail_nomem(err, "metadata", 0);
    }
    if (status == MEMO_OK)
        status = memo_db_put_object(base, arena, out, err);
done:
    json_decref(base);
    json_decref(patch);
    return status;
}

static int records_same_text(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && (a.n_bytes == 0 || memcmp(a.bytes, b.bytes, a.n_bytes) == 0);
}

/* The stored record with the edit's changes, as a record to come in. */
static memo_status records_apply(const memo_record *old, const memo_record_edit *edit,
                                 memo_arena *arena, memo_record_in *in, memo_err *err)
{
    memo_status status;

    in->size = sizeof *in;
    in->text = edit->text ? *edit->text : old->text;
    in->title = edit->title ? edit->title : old->title;
    in->metadata_json = old->metadata_json;
    in->tags = edit->set_tags ? edit->tags : old->tags;
    in->n_tags = edit->set_tags ? edit->n_tags : old->n_tags;
    in->expires_ms = edit->expires_ms ? *edit->expires_ms : old->expires_ms;
    in->source = edit->source ? edit->source : old->source;
    in->trust = edit->trust;
    in->pinned = edit->pinned;
    in->tier = edit->tier;
    in->parent = edit->parent;
    in->supersedes = edit->supersedes;
    in->vectors = edit->vectors;
    in->n_vectors = edit->n_vectors;
    in->spans = edit->spans;
    if (edit->metadata_json) {
        status = memo_db_merge_metadata(old->metadata_json, edit->metadata_json, arena,
                                        &in->metadata_json, err);
        if (status)
            return status;
    }
    return memo_ingest_check(in, err);
}

memo_status memo_db_rewrite(memo_db *db, const memo_rewrite *job, memo_add_result *result,
                            memo_err *err)
{
    const memo_write_options *o = job->options;
    int brought = job->in->n_vectors > 0;
    int keep = !job->chunks_only && !brought && records_same_text(job->in->text, job->old->text) &&
               strcmp(job->in->title, job->old->title) == 0;
    memo_status status = keep      ? MEMO_OK
                         : brought ? memo_db_need_space(db, "changing a vector", err)
                                   : memo_db_need_embedder(db, "changing a text", err);
    const memo_ingest ingest = {.ns = memo_db_ns_name(o->ns),
                                .records = job->in,
                                .n = 1,
                                .results = result,
                                .progress = o->progress,
                                .progress_user = o->progress_user,
                                .deadline = memo_deadline_in(o->deadline_ms),
                                .id = job->old->id,
                                .expect_version = job->old->version,
                                .keep_chunks = keep,
                                .chunks_only = job->chunks_only,
                                .also = job->also,
                                .links = o->links,
                                .actor = o->actor};

    return status ? status : memo_ingest_run(db, &ingest, err);
}

/* Busy with the same version as before is the lock's doing, not another writer's of the record. */
int memo_db_try_again(memo_db_tries *tries, memo_status status)
{
    int again = status == MEMO_ERR_BUSY && tries->version != tries->before &&
                ++tries->n < RECORDS_EDIT_TRIES;

    tries->before = tries->version;
    return again;
}

/* One try: read, merge, write. *version is what it was made from. Without an edit: chunks and
 * vectors are made again. */
static memo_status records_try_edit(memo_db *db, const memo_write_options *o, const char *id,
                                    const memo_record_edit *edit, memo_add_result *result,
                                    uint64_t *version, memo_err *err)
{
    static const memo_record_edit nothing = {.size = sizeof nothing};
    memo_arena arena = {0};
    memo_store_ns ns;
    memo_record old;
    memo_record_in in = {0};
    memo_status status = memo_store_find_ns(db->store, memo_db_ns_name(o->ns), &ns, err);

    if (status)
        return status;
    status = memo_store_get(db->store, ns.id, id, &arena, &old, err);
    if (status == MEMO_OK) {
        *version = old.version;
        status = memo_store_get_chunking(db->store, ns.id, old.id, &in.chunking, &in.chunk_tokens,
                                         &in.chunk_overlap, err);
    }
    if (status == MEMO_OK)
        status = records_apply(&old, edit ? edit : &nothing, &arena, &in, err);
    if (status == MEMO_OK)
        status = memo_db_rewrite(
            db, &(memo_rewrite){.options = o, .old = &old, .in = &in, .chunks_only = !edit}, result,
            err);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_edit(memo_db *db, const memo_write_options *options, const char *id,
                         const memo_record_edit *edit, memo_add_result *result, memo_err *err)
{
    memo_write_options o;
    memo_record_edit e;
    memo_db_progress progress;
    memo_add_result done = {.size = sizeof done};
    memo_db_tries tries = {0};
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_write_options", err);

    if (status == MEMO_OK)
        status = memo_options_copy(&e, sizeof e, edit, "memo_record_edit", err);
    if (status == MEMO_OK)
        status = memo_db_check_call(db, edit, "memo_db_edit", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_edit", err);
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_add_result", err);
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &o.progress, &o.progress_user);
    do
        status = records_try_edit(db, &o, id, &e, &done, &tries.version, err);
    while (memo_db_try_again(&tries, status));
    if (status == MEMO_OK)
        memo_result_write(result, &done, sizeof done);
    return status;
}

memo_status memo_db_embed_again(memo_db *db, const char *ns, const char *id, memo_err *err)
{
    const memo_write_options options = {.size = sizeof options, .ns = ns};
    memo_add_result result = {.size = sizeof result};
    uint64_t version = 0;

    return records_try_edit(db, &options, id, NULL, &result, &version, err);
}

/* ---- forget -------------------------------------------------------------------------------- */

static memo_status records_forget_all(memo_db *db, int64_t ns, const memo_forget_options *o,
                                      const memo_filter *filter, uint64_t *n_forgotten,
                                      uint64_t *n_absent, memo_err *err)
{
    const memo_store_sweep sweep = {.ns = ns,
                                    .filter = filter,
                                    .expired_ms = o->expired ? memo_now_ms(db->ctx) : 0,
                                    .pinned = o->pinned};
    uint64_t n_matching = 0;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < o->n_ids && status == MEMO_OK; i++) {
        int found = 0;
        status = memo_store_forget(db->store, ns, o->ids[i], &found, err);
        *n_forgotten += found != 0;
        *n_absent += !found;
    }
    if (status == MEMO_OK && (filter || o->expired))
        status = memo_store_forget_where(db->store, &sweep, &n_matching, err);
    *n_forgotten += n_matching;
    return status;
}

/* A dry run does it all and rolls back: its counts are those of the real one. */
static memo_status records_forget(memo_db *db, const memo_forget_options *o,
                                  const memo_filter *filter, uint64_t *n_forgotten,
                                  uint64_t *n_absent, memo_err *err)
{
    memo_store_ns ns;
    memo_err absent = {0};
    memo_status status;

    memo_search_log_after_write(db); /* later those that showed them would be dropped */
    status = memo_store_begin_write(db->store, err);
    if (status)
        return status;
    status = memo_store_find_ns(db->store, memo_db_ns_name(o->ns), &ns, &absent);
    if (status == MEMO_OK) {
        status = records_forget_all(db, ns.id, o, filter, n_forgotten, n_absent, err);
    } else if (status == MEMO_ERR_NOTFOUND) {
        *n_absent = o->n_ids;
        status = MEMO_OK;
    } else if (err) {
        *err = absent;
    }
    if (status || o->dry_run) {
        memo_store_rollback(db->store);
        return status;
    }
    return memo_store_commit(db->store, err);
}

memo_status memo_db_forget(memo_db *db, const memo_forget_options *options, uint64_t *n_forgotten,
                           uint64_t *n_absent, memo_err *err)
{
    memo_forget_options o;
    memo_filter *filter = NULL;
    uint64_t forgotten = 0, absent = 0;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_forget_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, db, "memo_db_forget", err);
    if (status)
        return status;
    if (o.n_ids == 0 && !o.where && !o.expired)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "nothing says what to forget: give ids, keys, a filter or `expired`");
    for (size_t i = 0; i < o.n_ids && status == MEMO_OK; i++)
        status = memo_db_check_id(o.ids ? o.ids[i] : NULL, "memo_db_forget", err);
    if (status == MEMO_OK && o.where)
        status = memo_filter_new(o.where, memo_now_ms(db->ctx), &filter, err);
    if (status == MEMO_OK)
        status = records_forget(db, &o, filter, &forgotten, &absent, err);
    memo_filter_free(filter);
    if (status)
        return status;
    if (n_forgotten)
        *n_forgotten = forgotten;
    if (n_absent)
        *n_absent = absent;
    return MEMO_OK;
}

/* ---- get and list -------------------------------------------------------------------------- */

void memo_records_free(memo_records *records)
{
    memo_records_owner *owner = (memo_records_owner *)records;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

static memo_status records_get(memo_db *db, const char *ns_name, const char *id,
                               memo_records_owner *owner, memo_err *err)
{
    memo_store_ns ns;
    const memo_record *record;
    memo_status status = memo_store_find_ns(db->store, ns_name, &ns, err);

    if (status == MEMO_OK)
        status = memo_store_get_told(db->store, ns.id, id, &owner->arena, &owner->records, err);
    if (status)
        return status;
    record = owner->records.records;
    if (record->expires_ms && record->expires_ms <= memo_now_ms(db->ctx) && !record->pinned) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "record \"%s\" has expired", id);
        return memo_hint(err, MEMO_ERR_NOTFOUND,
                         "memolith feedback --list --record ID shows what has hidden it: take that "
                         "back with feedback --undo ACTION; else edit its expires");
    }
    return MEMO_OK;
}

memo_status memo_db_get(memo_db *db, const char *ns, const char *id, memo_records **record,
                        memo_err *err)
{
    memo_records_owner *owner;
    memo_status status;

    status = memo_db_check_call(db, record, "memo_db_get", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_get", err);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "record", sizeof *owner);
    status = records_get(db, memo_db_ns_name(ns), id, owner, err);
    if (status)
        memo_records_free(&owner->records);
    else
        *record = &owner->records;
    return status;
}

static memo_status records_list(memo_db *db, const memo_list_options *o, memo_records_owner *owner,
                                memo_err *err)
{
    const memo_store_list_options options = {.limit = o->limit ? o->limit : RECORDS_LIST,
                                             .after = o->after,
                                             .oldest_first = o->oldest_first};
    memo_store_scope scope = {.now_ms = o->as_of_ms ? o->as_of_ms : memo_now_ms(db->ctx),
                              .as_of = o->as_of_ms != 0};
    memo_filter *filter = NULL;
    memo_store_ns ns;
    memo_err absent = {0};
    memo_status status = MEMO_OK;

    if (o->where)
        status = memo_filter_new(o->where, scope.now_ms, &filter, &absent);
    if (status == MEMO_OK)
        status = memo_store_find_ns(db->store, memo_db_ns_name(o->ns), &ns, &absent);
    if (status == MEMO_ERR_NOTFOUND && strcmp(memo_db_ns_name(o->ns), MEMO_DB_DEFAULT_NS) == 0) {
        status = MEMO_OK; /* a new store: the default namespace comes with its first record */
    } else if (status && err) {
        *err = absent;
    } else if (status == MEMO_OK) {
        scope.ns = ns.id;
        scope.filter = filter;
        status = memo_store_list(db->store, &scope, &options, &owner->arena, &owner->records, err);
    }
    memo_filter_free(filter);
    return status;
}

memo_status memo_db_list(memo_db *db, const memo_list_options *options, memo_records **records,
                         memo_err *err)
{
    memo_list_options o;
    memo_records_owner *owner;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_list_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, records, "memo_db_list", err);
    if (status)
        return status;
    if (o.limit > RECORDS_MAX_LIST)
        return memo_fail(err, MEMO_ERR_LIMIT, "a list of %zu records: at most %d a call", o.limit,
                         RECORDS_MAX_LIST);
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "records", sizeof *owner);
    status = records_list(db, &o, owner, err);
    if (status)
        memo_records_free(&owner->records);
    else
        *records = &owner->records;
    return status;
}
