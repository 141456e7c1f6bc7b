// SPDX-License-Identifier: Apache-2.0
/* memory/history.c -- versions of records: shown, brought back, and looked up by time. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/db.h"

#define HISTORY_LIMIT     100
#define HISTORY_MAX_LIMIT 1000

/* ---- history ------------------------------------------------------------------------------- */

static memo_status history_read(memo_db *db, const memo_history_options *o, const char *id,
                                memo_records_owner *owner, memo_err *err)
{
    memo_store_ns ns;
    memo_status status = memo_store_find_ns(db->store, memo_db_ns_name(o->ns), &ns, err);

    return status ? status
                  : memo_store_history(db->store, ns.id, id, o->before,
                                       o->limit ? o->limit : HISTORY_LIMIT, &owner->arena,
                                       &owner->records, err);
}

memo_status memo_db_history(memo_db *db, const memo_history_options *options, const char *id,
                            memo_records **versions, memo_err *err)
{
    memo_history_options o;
    memo_records_owner *owner;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_history_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, versions, "memo_db_history", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_history", err);
    if (status)
        return status;
    if (o.limit > HISTORY_MAX_LIMIT)
        return memo_fail(err, MEMO_ERR_LIMIT, "a history of %zu versions: at most %d a call",
                         o.limit, HISTORY_MAX_LIMIT);
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "versions", sizeof *owner);
    status = history_read(db, &o, id, owner, err);
    if (status)
        memo_records_free(&owner->records);
    else
        *versions = &owner->records;
    return status;
}

/* ---- restore ------------------------------------------------------------------------------- */

static int history_same_words(const memo_record *a, const memo_record *b)
{
    return a->text.n_bytes == b->text.n_bytes &&
           memcmp(a->text.bytes, b->text.bytes, a->text.n_bytes) == 0 &&
           strcmp(a->title, b->title) == 0;
}

/* A version as a record to come in. */
static void history_make_in(const memo_record *was, const memo_store_cut *cut, memo_record_in *in)
{
    *in = (memo_record_in){.size = sizeof *in,
                           .text = was->text,
                           .title = was->title,
                           .metadata_json = was->metadata_json,
                           .tags = was->tags,
                           .n_tags = was->n_tags,
                           .expires_ms = was->expires_ms,
                           .source = was->source,
                           .chunking = cut->chunking,
                           .chunk_tokens = cut->chunk_tokens,
                           .chunk_overlap = cut->chunk_overlap,
                           .trust = &was->trust,
                           .pinned = &was->pinned,
                           .tier = &was->tier,
                           .parent = was->parent ? was->parent : ""};
}

typedef struct history_restore {
    memo_write_options options;
    const char *id;
    uint64_t version;
    uint64_t expect; /* the version that the record must have now; 0: any */
    const memo_ingest_also *also;
    memo_db_tries tries;
} history_restore;

/* What came after stays: its writer knew nothing of what is taken back. */
static memo_status history_fail_changed(const memo_record *now, uint64_t expect, memo_err *err)
{
    memo_fail(err, MEMO_ERR_VALUE,
              "record %s was changed since: it has version %llu, not %llu any more", now->id,
              (unsigned long long)now->version, (unsigned long long)expect);
    return memo_hint(err, MEMO_ERR_VALUE,
                     "memolith history %s   and   memolith restore %s --version N", now->id,
                     now->id);
}

/* One try. Where the words are the same the chunks stay, and with them how they were cut. */
static memo_status history_try_restore(memo_db *db, history_restore *job, memo_add_result *result,
                                       memo_err *err)
{
    memo_arena arena = {0};
    memo_store_ns ns;
    memo_record now, was;
    memo_store_cut cut;
    memo_record_in in;
    const memo_rewrite rewrite = {
        .options = &job->options, .old = &now, .in = &in, .also = job->also};
    memo_status status = memo_store_find_ns(db->store, memo_db_ns_name(job->options.ns), &ns, err);

    if (status)
        return status;
    status =
        memo_store_get_version(db->store, ns.id, job->id, job->version, &arena, &was, &cut, err);
    if (status == MEMO_OK)
        status = memo_store_get(db->store, ns.id, job->id, &arena, &now, err);
    if (status == MEMO_OK && job->expect && now.version != job->expect)
        status = history_fail_changed(&now, job->expect, err);
    if (status == MEMO_OK) {
        job->tries.version = now.version;
        if (history_same_words(&now, &was))
            status = memo_store_get_chunking(db->store, ns.id, now.id, &cut.chunking,
                                             &cut.chunk_tokens, &cut.chunk_overlap, err);
    }
    if (status == MEMO_OK) {
        history_make_in(&was, &cut, &in);
        status = memo_db_rewrite(db, &rewrite, result, err);
    }
    memo_arena_fini(&arena);
    return status;
}

static memo_status history_do_restore(memo_db *db, history_restore *job, memo_add_result *result,
                                      memo_err *err)
{
    memo_db_progress progress;
    memo_add_result done = {.size = sizeof done};
    memo_status status;

    memo_db_wrap_progress(&progress, db, &job->options.progress, &job->options.progress_user);
    do
        status = history_try_restore(db, job, &done, err);
    while (memo_db_try_again(&job->tries, status));
    if (status == MEMO_OK)
        memo_result_write(result, &done, sizeof done);
    return status;
}

memo_status memo_db_restore(memo_db *db, const memo_write_options *options, const char *id,
                            uint64_t version, memo_add_result *result, memo_err *err)
{
    history_restore job = {.id = id, .version = version};
    memo_status status =
        memo_options_copy(&job.options, sizeof job.options, options, "memo_write_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, db, "memo_db_restore", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_restore", err);
    if (status == MEMO_OK && version == 0)
        status = memo_fail(err, MEMO_ERR_VALUE, "version 0: versions count from 1");
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_add_result", err);
    return status ? status : history_do_restore(db, &job, result, err);
}

memo_status memo_db_restore_also(memo_db *db, const char *ns, const char *id, uint64_t version,
                                 const memo_ingest_also *also, memo_err *err)
{
    history_restore job = {.options = {.size = sizeof job.options, .ns = ns},
                           .id = id,
                           .version = version - 1,
                           .expect = version,
                           .also = also};

    return history_do_restore(db, &job, NULL, err);
}

/* ---- at a moment --------------------------------------------------------------------------- */

static memo_status history_get_as_of(memo_db *db, const char *ns_name, const char *id,
                                     int64_t as_of_ms, memo_records_owner *owner, memo_err *err)
{
    memo_store_ns ns;
    memo_record *record = memo_arena_alloc(&owner->arena, sizeof *record);
    memo_status status = memo_store_find_ns(db->store, ns_name, &ns, err);

    if (status)
        return status;
    if (!record)
        return memo_fail_nomem(err, "record", sizeof *record);
    status = memo_store_get_as_of(db->store, ns.id, id, as_of_ms, &owner->arena, record, err);
    if (status)
        return status;
    if (record->expires_ms && record->expires_ms <= as_of_ms && !record->pinned)
        return memo_fail(err, MEMO_ERR_NOTFOUND, "record \"%.520s\" had expired by then", id);
    owner->records.n = 1;
    owner->records.records = record;
    return MEMO_OK;
}

memo_status memo_db_get_as_of(memo_db *db, const char *ns, const char *id, int64_t as_of_ms,
                              memo_records **record, memo_err *err)
{
    memo_records_owner *owner;
    memo_status status = memo_db_check_call(db, record, "memo_db_get_as_of", err);

    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_get_as_of", err);
    if (status == MEMO_OK && as_of_ms <= 0)
        status = memo_fail(err, MEMO_ERR_VALUE, "as_of_ms is %lld: give Unix milliseconds above 0",
                           (long long)as_of_ms);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "record", sizeof *owner);
    status = history_get_as_of(db, memo_db_ns_name(ns), id, as_of_ms, owner, err);
    if (status)
        memo_records_free(&owner->records);
    else
        *record = &owner->records;
    return status;
}
