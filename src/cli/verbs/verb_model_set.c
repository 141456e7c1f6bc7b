// SPDX-License-Identifier: Apache-2.0
/* model set and rollback: another model for a namespace, and the way back. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static memo_set_model_options model_set_options(cli_app *app)
{
    return (memo_set_model_options){
        .size = sizeof(memo_set_model_options),
        .ns = cli_app_ns(app),
        .all = cli_args_has(&app->args, OPT_ALL),
        .drop_previous = cli_args_has(&app->args, OPT_DROP_PREVIOUS),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
}

static void model_set_put_count(memo_buf *out, uint64_t n, const char *one, const char *many)
{
    cli_put_grouped(out, n);
    memo_buf_printf(out, " %s", n == 1 ? one : many);
}

static void model_set_put(cli_app *app, const memo_set_model_report *r)
{
    memo_buf *out = &app->out.buf;

    if (app->out.format == CLI_FORMAT_TEXT) {
        model_set_put_count(out, r->n_switched, "namespace", "namespaces");
        memo_buf_printf(out, " of %" PRIu64 " switched, ", r->n_namespaces);
        model_set_put_count(out, r->n_embedded, "chunk", "chunks");
        memo_buf_puts(out, " embedded");
        if (r->n_recut) {
            memo_buf_puts(out, ", ");
            model_set_put_count(out, r->n_recut, "record", "records");
            memo_buf_puts(out, " cut anew");
        }
        memo_buf_printf(out, " in %.1f s\n", (double)r->elapsed_ms / 1000);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_u64(out, "namespaces", r->n_namespaces);
    cli_json_put_u64(out, "switched", r->n_switched);
    cli_json_put_u64(out, "embedded", r->n_embedded);
    cli_json_put_u64(out, "recut", r->n_recut);
    cli_json_put_u64(out, "refused", r->n_refused);
    cli_json_put_u64(out, "damaged", r->n_damaged);
    cli_json_key(out, "elapsed_ms");
    cli_json_i64(out, r->elapsed_ms);
    memo_buf_puts(out, "}\n");
}

static memo_status model_set_check(const cli_app *app, memo_err *err)
{
    if (cli_args_has(&app->args, OPT_ALL) && cli_args_has(&app->args, OPT_NS))
        return memo_fail(err, MEMO_ERR_USAGE, "--all and --ns contradict each other");
    return MEMO_OK;
}

/* Without a name it is the model of the settings that is set; one that nobody named is not. */
static memo_status model_set_check_named(const cli_app *app, memo_err *err)
{
    if (app->args.n_words || app->settings.values[OPT_MODEL].origin > CLI_FROM_STORE)
        return MEMO_OK;
    return memo_hint(err,
                     memo_fail(err, MEMO_ERR_USAGE,
                               "model set needs FILE: the model to set, a file or the name of one "
                               "of the cache folder"),
                     "%s   (memolith model list shows those of the cache folder)",
                     app->args.verb->example);
}

/* Say what was done, also by a call that failed: that is committed. */
static memo_status model_set_end(cli_app *app, memo_status status, const memo_set_model_report *r,
                                 memo_err *err)
{
    cli_progress_clear(&app->progress);
    if (r->n_damaged)
        cli_warn("%" PRIu64 " damaged chunks are left out: memolith doctor", r->n_damaged);
    if (r->n_refused)
        cli_warn("%" PRIu64 " chunks get no vector and are found by their words only",
                 r->n_refused);
    if (status == MEMO_OK)
        model_set_put(app, r);
    else if (status == MEMO_ERR_CANCELLED)
        memo_hint(err, status,
                  "the same command goes on with what is left (%" PRIu64
                  " chunks were embedded); searches find by the old model until then",
                  r->n_embedded);
    return status;
}

memo_status cli_verb_model_set(cli_app *app, memo_err *err)
{
    const memo_set_model_options options = model_set_options(app);
    memo_set_model_report report = {.size = sizeof report};
    const char *path;
    memo_status status = model_set_check(app, err);

    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = model_set_check_named(app, err);
    if (status == MEMO_OK)
        status = cli_app_named_model(app, &path, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status)
        return status;
    status = memo_db_set_model(app->db, &options, &report, err);
    return model_set_end(app, status, &report, err);
}

/* A model that is named is the one before, or a mistake. */
static memo_status rollback_check_named(const cli_app *app, const char *path, memo_err *err)
{
    char previous[MEMO_FINGERPRINT_BYTES];
    const char *ns = cli_app_ns(app) ? cli_app_ns(app) : "default";
    memo_model_info info = {.size = sizeof info};
    memo_status status = memo_db_get_model(app->db, ns, 1, previous, err);

    memo_model_get_info(app->model, &info, NULL);
    if (status || !*previous || strcmp(previous, info.fingerprint) == 0)
        return status;
    memo_fail(err, MEMO_ERR_MISMATCH,
              "%s is %s@%.8s, and not the model that namespace \"%s\" had before (%.8s); nothing "
              "was changed",
              path, info.name, info.fingerprint, ns, previous);
    return memo_hint(err, MEMO_ERR_MISMATCH,
                     "memolith model rollback --ns %s   finds it in the cache folder itself", ns);
}

/* The model of the settings may well be the new one: only one that is named here is the old one. */
memo_status cli_verb_model_rollback(cli_app *app, memo_err *err)
{
    const memo_set_model_options options = model_set_options(app);
    memo_set_model_report report = {.size = sizeof report};
    const char *path = NULL;
    int is_named = app->args.n_words || cli_args_has(&app->args, OPT_MODEL);
    memo_status status = model_set_check(app, err);

    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK && is_named)
        status = cli_app_named_model(app, &path, err);
    else if (status == MEMO_OK && !options.all)
        status = cli_app_previous_model(app, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK && is_named && !options.all)
        status = rollback_check_named(app, path, err);
    if (status)
        return status;
    status = memo_db_rollback_model(app->db, &options, &report, err);
    return model_set_end(app, status, &report, err);
}
