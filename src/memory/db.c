// SPDX-License-Identifier: Apache-2.0
#include "memory/db.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"

/* ---- open ---------------------------------------------------------------------------------- */

/* "name.class", by which messages call the model. */
static memo_status db_name_space(memo_db *db, memo_err *err)
{
    memo_buf name = {0};

    memo_buf_printf(&name, "%s.%s", db->info.name, memo_class_name(db->info.cls));
    db->space_name = memo_buf_take(&name);
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
    if (!ctx || !path || !*path || !out)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_db_open: context, path and db must not be NULL or empty");
    db = memo_calloc(1, sizeof *db);
    if (!db)
        return memo_fail_nomem(err, "store handle", sizeof *db);
    db->ctx = ctx;
    db->model = o.model;
    store_options = (memo_store_options){.mode = o.mode,
                                         .busy_timeout_ms = o.busy_timeout_ms,
                                         .allow_network_fs = o.allow_network_fs};
    if (db->model) {
        memo_model_get_info(db->model, &db->info);
        status = db_name_space(db, err);
    }
    if (status == MEMO_OK)
        status = memo_store_open(ctx, path, &store_options, &db->store, err);
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
    memo_store_close(db->store);
    memo_free(db->space_name);
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
    memo_status status = memo_db_check_call(db, stats, "memo_db_get_stats", err);

    return status ? status : memo_store_get_stats(db->store, stats, err);
}

memo_status memo_db_backup(memo_db *db, const char *path, const memo_backup_options *options,
                           memo_backup_report *report, memo_err *err)
{
    memo_backup_options o;
    memo_db_progress progress;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_backup_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, path, "memo_db_backup", err);
    if (status == MEMO_OK && !*path)
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_backup: the path is empty");
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &o.progress, &o.progress_user);
    return memo_store_backup(db->store, path, &o, report, err);
}

/* ---- namespaces and models ----------------------------------------------------------------- */

const char *memo_db_ns_name(const char *ns)
{
    return ns ? ns : MEMO_DB_DEFAULT_NS;
}

memo_status memo_db_need_model(const memo_db *db, const char *what, memo_err *err)
{
    if (db->model)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_USAGE, "%s needs a model and this store was opened without one", what);
    return memo_hint(err, MEMO_ERR_USAGE, "memolith ... --model FILE   or   memo_db_options.model");
}

static const char *db_difference(const memo_db *db, const memo_store_space *space, char out[64])
{
    if (space->dim == db->info.dim)
        snprintf(out, 64, "same %zu dimensions, different weights", space->dim);
    else
        snprintf(out, 64, "%zu and %zu dimensions", space->dim, db->info.dim);
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

    if (ns->space == 0)
        return MEMO_OK;
    status = memo_store_get_space(db->store, ns->space, &arena, &space, err);
    /* A store may be hostile: the fingerprint alone does not say how long its vectors are. */
    if (status ||
        (strcmp(space.fingerprint, db->info.fingerprint) == 0 && space.dim == db->info.dim))
        goto done;
    status = memo_store_count(db->store, &scope, &n_records, &n_chunks, err);
    if (status)
        goto done;
    status =
        memo_fail(err, MEMO_ERR_MISMATCH,
                  "namespace \"%s\" holds %llu vectors from %s@%.8s; this model is %s@%.8s "
                  "(%s).\nScores across the two would be meaningless, so %s.",
                  name, (unsigned long long)n_chunks, space.name, space.fingerprint, db->space_name,
                  db->info.fingerprint, db_difference(db, &space, difference), outcome);
    memo_hint(err, status,
              "use the model that made them (--model FILE of %s@%.8s), or another namespace: --ns "
              "other",
              space.name, space.fingerprint);
done:
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_capacity(memo_db *db, size_t *n_tokens, memo_err *err)
{
    /* The empty text is special tokens and prompt: what every document carries beside its own. */
    const memo_text nothing = {"", 0};
    const memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    memo_embed_result result;
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
    size_t n = json_dumpb(object, NULL, 0, flags);
    char *bytes = memo_arena_alloc(arena, n + 1);

    if (n == 0 || !bytes || json_dumpb(object, bytes, n, flags) != n)
        return memo_fail_nomem(err, "metadata", n);
    bytes[n] = '\0';
    *out = bytes;
    return MEMO_OK;
}
