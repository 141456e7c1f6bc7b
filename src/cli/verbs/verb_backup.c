// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static void backup_put_text(memo_buf *out, const memo_backup_report *r)
{
    cli_put_grouped(out, r->n_records);
    memo_buf_printf(out, " record%s, ", r->n_records == 1 ? "" : "s");
    cli_put_grouped(out, r->n_vectors);
    memo_buf_printf(out, " vector%s, ", r->n_vectors == 1 ? "" : "s");
    cli_put_bytes(out, r->n_bytes);
    memo_buf_printf(out, ", every page and row checked, in %.1f s\n", (double)r->elapsed_ms / 1000);
}

static void backup_put_json(memo_buf *out, const char *path, const memo_backup_report *r)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "path", path);
    cli_json_put_u64(out, "records", r->n_records);
    cli_json_put_u64(out, "chunks", r->n_chunks);
    cli_json_put_u64(out, "vectors", r->n_vectors);
    cli_json_put_u64(out, "change_seq", r->change_seq);
    cli_json_put_u64(out, "pages", r->n_pages);
    cli_json_put_u64(out, "bytes", r->n_bytes);
    cli_json_key(out, "elapsed_ms");
    cli_json_i64(out, r->elapsed_ms);
    memo_buf_puts(out, "}\n");
}

/* Before the store is opened: with a second name it is not, which would hide what is wrong. */
static memo_status backup_check_names(cli_app *app, const char *path, memo_err *err)
{
    const char *store;
    memo_status status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = cli_settings_path(&app->settings, OPT_DB, &store, err);
    if (status == MEMO_OK && memo_same_file(store, path))
        status = memo_fail(err, MEMO_ERR_USAGE, "%s: a store cannot be its own backup", path);
    return status;
}

memo_status cli_verb_backup(cli_app *app, memo_err *err)
{
    const char *path = app->args.words[0];
    memo_backup_report report = {.size = sizeof report};
    memo_backup_options options = {.size = sizeof options,
                                   .overwrite = cli_args_has(&app->args, OPT_FORCE),
                                   .progress = cli_progress_call,
                                   .progress_user = &app->progress};
    memo_status status = backup_check_names(app, path, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status)
        return status;
    status = memo_db_backup(app->db, path, &options, &report, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_ERR_CANCELLED)
        return memo_fail(err, status, "interrupted: %s was not written", path);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT)
        backup_put_text(&app->out.buf, &report);
    else
        backup_put_json(&app->out.buf, path, &report);
    return MEMO_OK;
}
