// SPDX-License-Identifier: Apache-2.0
#include "memory/db.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/feedback/search_log.h"
#include "memory/ingest/echo.h"
#include "memory/search/past.h"

/* ---- open ---------------------------------------------------------------------------------- */

/* The space of the model's vectors; messages call it "name.class". */
static memo_status db_take_model(memo_db *db, memo_model *model, memo_err *err)
{
    memo_buf name = {0};

    db->model = model;
    db->info.size = sizeof db->info;
    memo_model_get_info(model, &db->info, NULL);
    memo_buf_printf(&name, "%s.%s", db->info.name, memo_class_name(db->info.cls));
    db->space_name = memo_buf_take(&name);
    db->space = (memo_store_space){.fingerprint = db->info.fingerprint,
                                   .name = db->space_name,
                                   .model_path = "",
                                   .dim = db->info.dim,
                                   .kind = MEMO_SPACE_MODEL};
    return db->space_name ? MEMO_OK : memo_fail_nomem(err, "name of the model", name.n);
}

memo_status memo_db_open(memo_ctx *ctx, const char *path, const memo_db_options *options,
                         memo_db **out, memo_err *err)
{
    memo_db_options o;
    memo_store_options store_options;
    memo_db *db;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_db_options", err);

    if (status)
        return status;
    if ((unsigned)o.fulltext > MEMO_FULLTEXT_PLAIN)
        return memo_fail(err, MEMO_ERR_VALUE, "memo_db_open: unknown full-text index %d",
                         (int)o.fulltext);
    if (!ctx || !path || !*path || !out)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_db_open: context, path and db must not be NULL or empty");
    if (o.model && o.external)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_db_open: a model and an external space; the vectors of a store come "
                         "from one of them");
    db = memo_calloc(1, sizeof *db);
    if (!db)
        return memo_fail_nomem(err, "store handle", sizeof *db);
    db->ctx = ctx;
    memo_vector_index_init(&db->index);
    store_options = (memo_store_options){.mode = o.mode,
                                         .busy_timeout_ms = o.busy_timeout_ms,
                                         .allow_network_fs = o.allow_network_fs,
                                         .fulltext = o.fulltext};
    if (o.model)
        status = db_take_model(db, o.model, err);
    else if (o.external)
        status = memo_external_init(db, o.external, err);
    if (status == MEMO_OK)
        status = memo_store_open(ctx, path, &store_options, &db->store, err);
    if (status == MEMO_OK)
        status = memo_search_log_init(db, err);
    db->latency = o.latency;
    db->latency_user = o.latency_user;
    db->slow_ms = o.slow_ms;
    if (status) {
        memo_db_close(db);
        return status;
    }
    *out = db;
    return MEMO_OK;
}

void memo_db_close(memo_db *db)
{
    if (!db)
        return;
    memo_past_drop(db);
    memo_search_log_fini(db);
    memo_vector_index_fini(&db->index);
    memo_match_cache_fini(&db->matches);
    memo_passage_counts_fini(&db->passage_counts);
    memo_echo_free(db->echo);
    memo_store_close(db->store);
    memo_external_fini(db);
    memo_free(db);
}

memo_status memo_db_check_call(const memo_db *db, const void *needed, const char *call,
                               memo_err *err)
{
    if (db && db->in_callback)
        return memo_fail(err, MEMO_ERR_BUSY,
                         "%s: this handle is in a call, whose callback may not use it", call);
    if (db && needed)
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_USAGE, "%s: %s is NULL", call,
                     db ? "a needed argument" : "the store handle");
}

static int db_tell_progress(void *user, const memo_progress *progress)
{
    memo_db_progress *wrapper = user;

    wrapper->db->in_callback = 1;
    int cancel = wrapper->fn(wrapper->user, progress);
    wrapper->db->in_callback = 0;
    return cancel;
}

void memo_db_wrap_progress(memo_db_progress *wrapper, memo_db *db, memo_progress_fn *fn,
                           void **user)
{
    *wrapper = (memo_db_progress){db, *fn, *user};
    *fn = *fn ? db_tell_progress : NULL;
    *user = wrapper;
}

memo_status memo_db_check_id(const char *id, const char *call, memo_err *err)
{
    size_t n, bad;

    if (!id)
        return memo_fail(err, MEMO_ERR_USAGE, "%s: id is NULL", call);
    n = strlen(id);
    bad = memo_utf8_check(id, n);
    if (n == 0)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the id is empty: give the id or the key of a record");
    if (n > MEMO_STORE_MAX_KEY_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "the id has %zu bytes, at most %d are allowed", n,
                         MEMO_STORE_MAX_KEY_BYTES);
    if (bad < n)
        return memo_fail(err, MEMO_ERR_VALUE, "the id is not UTF-8 at byte %zu", bad);
    return MEMO_OK;
}

memo_status memo_db_get_stats(memo_db *db, memo_db_stats *stats, memo_err *err)
{
    memo_db_stats found = {0};
    memo_status status = memo_db_check_call(db, stats, "memo_db_get_stats", err);

    if (status == MEMO_OK)
        status = memo_result_check(stats, "memo_db_stats", err);
    if (status == MEMO_OK)
        status = memo_store_get_stats(db->store, &found, err);
    if (status == MEMO_OK)
        memo_result_write(stats, &found, sizeof found);
    return status;
}

memo_status memo_db_backup(memo_db *db, const char *path, const memo_backup_options *options,
                           memo_backup_report *report, memo_err *err)
{
    memo_backup_options o;
    memo_backup_report made;
    memo_db_progress progress;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_backup_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, path, "memo_db_backup", err);
    if (status == MEMO_OK && !*path)
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_backup: the path is empty");
    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_backup_report", err);
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &o.progress, &o.progress_user);
    status = memo_store_backup(db->store, path, &o, &made, err);
    if (status == MEMO_OK)
        memo_result_write(report, &made, sizeof made);
    return status;
}

/* ---- namespaces and models ----------------------------------------------------------------- */

const char *memo_db_ns_name(const char *ns)
{
    return ns ? ns : MEMO_DB_DEFAULT_NS;
}

int memo_db_can_embed(const memo_db *db)
{
    return db->model || db->external.embed;
}

memo_status memo_db_need_space(const memo_db *db, const char *what, memo_err *err)
{
    if (db->space.kind)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_USAGE, "%s needs a model and this store was opened without one", what);
    return memo_hint(err, MEMO_ERR_USAGE, "memolith ... --model FILE   or   memo_db_options.model");
}

memo_status memo_db_need_embedder(const memo_db *db, const char *what, memo_err *err)
{
    memo_status status = memo_db_need_space(db, what, err);

    if (status || memo_db_can_embed(db))
        return status;
    return memo_fail(err, MEMO_ERR_USAGE,
                     "%s needs a ready vector: nothing here makes those of space %s", what,
                     db->space.name);
}

static const char *db_difference(const memo_db *db, const memo_store_space *space, char out[64])
{
    if (space->dim == db->space.dim)
        snprintf(out, 64, "same %zu dimensions, different weights", space->dim);
    else
        snprintf(out, 64, "%zu and %zu dimensions", space->dim, db->space.dim);
    return out;
}

memo_status memo_db_check_space(memo_db *db, const char *name, const memo_store_ns *ns,
                                const char *outcome, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_space space = {0};
    memo_store_scope scope = {.ns = ns->id};
    uint64_t n_records = 0, n_chunks = 0;
    char difference[64];
    memo_status status;

    if (ns->space == 0 || !db->space.fingerprint)
        return MEMO_OK;
    status = memo_store_get_space(db->store, ns->space, &arena, &space, err);
    /* A store may be hostile: the fingerprint alone does not say how long its vectors are. */
    if (status ||
        (strcmp(space.fingerprint, db->space.fingerprint) == 0 && space.dim == db->space.dim))
        goto done;
    status = memo_store_count(db->store, &scope, &n_records, &n_chunks, err);
    if (status)
        goto done;
    status =
        memo_fail(err, MEMO_ERR_MISMATCH,
                  "namespace \"%s\" holds %llu vectors from %s@%.8s; this model is %s@%.8s "
                  "(%s).\nScores across the two would be meaningless, so %s.",
                  name, (unsigned long long)n_chunks, space.name, space.fingerprint, db->space.name,
                  db->space.fingerprint, db_difference(db, &space, difference), outcome);
    if (space.kind == MEMO_SPACE_EXTERNAL)
        memo_hint(err, status,
                  "memolith ... --space %s with a --vector or --vector-field   or   memolith model "
                  "set FILE --ns %s   (embeds it anew while it is in use)",
                  space.name, name);
    else
        memo_hint(err, status,
                  "memolith model set FILE --ns %s   (embeds it anew while it is in use)   or   "
                  "another namespace: --ns other   or   --model FILE of %s@%.8s",
                  name, space.name, space.fingerprint);
done:
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_capacity(memo_db *db, size_t *n_tokens, memo_err *err)
{
    /* The empty text is special tokens and prompt: what every document carries beside its own. */
    const memo_text nothing = {"", 0};
    const memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    memo_embed_result result = {.size = sizeof result};
    memo_status status;
    float *vector;

    if (db->document_tokens == 0) {
        vector = memo_calloc(db->info.dim, sizeof *vector);
        if (!vector)
            return memo_fail_nomem(err, "vector", db->info.dim * sizeof *vector);
        status = memo_model_embed(db->model, &options, &nothing, 1, vector, &result, err);
        memo_free(vector);
        if (status)
            return status;
        if (result.n_tokens_total >= db->info.max_tokens)
            return memo_fail(err, MEMO_ERR_VALUE,
                             "model %s takes %zu tokens, its special tokens and prompt are %zu: "
                             "nothing is left for a text",
                             db->info.name, db->info.max_tokens, result.n_tokens_total);
        db->document_tokens = db->info.max_tokens - result.n_tokens_total;
    }
    *n_tokens = db->document_tokens;
    return MEMO_OK;
}

memo_status memo_err_prefix(memo_err *err, memo_status status, const char *fmt, ...)
{
    memo_err old;
    char prefix[512];
    va_list args;

    if (!err || status == MEMO_OK)
        return status;
    old = *err;
    va_start(args, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    memo_fail(err, status, "%s: %s", prefix, old.message);
    return old.hint[0] ? memo_hint(err, status, "%s", old.hint) : status;
}

memo_status memo_db_put_object(const json_t *object, memo_arena *arena, const char **out,
                               memo_err *err)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    char small[512]; /* most objects fit: sorting the keys is done once */
    size_t n = json_dumpb(object, small, sizeof small, flags);
    char *bytes = memo_arena_alloc(arena, n + 1);

    if (n == 0 || !bytes || (n > sizeof small && json_dumpb(object, bytes, n, flags) != n))
        return memo_fail_nomem(err, "metadata", n);
    if (n <= sizeof small)
        memcpy(bytes, small, n);
    bytes[n] = '\0';
    *out = bytes;
    return MEMO_OK;
}
