// SPDX-License-Identifier: Apache-2.0
/* doctor --repair and --quarantine. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/doctor.h"

/* ---- repair -------------------------------------------------------------------------------- */

static const char *const repair_ways[] = {"nothing", "rows", "pages", "rebuilt"};

static void repair_put_text(memo_buf *out, const memo_repair_report *r, int dry_run)
{
    if (r->way == MEMO_REPAIR_NOTHING) {
        memo_buf_puts(out, r->findings->n ? "nothing else to repair\n" : "nothing to repair\n");
        return;
    }
    memo_buf_puts(out, dry_run ? "would be " : "");
    memo_buf_puts(out, r->way == MEMO_REPAIR_REBUILT ? "rebuilt: " : "repaired: ");
    cli_put_grouped(out, r->n_kept);
    memo_buf_printf(out, " record%s kept, ", r->n_kept == 1 ? "" : "s");
    cli_put_grouped(out, r->n_quarantined);
    memo_buf_printf(out, " row%s to quarantine (", r->n_quarantined == 1 ? "" : "s");
    cli_put_grouped(out, r->n_quarantined_records);
    memo_buf_printf(out, " record%s), ", r->n_quarantined_records == 1 ? "" : "s");
    cli_put_grouped(out, r->n_lost);
    memo_buf_printf(out, " record%s lost", r->n_lost == 1 ? "" : "s");
    if (r->n_lost_changes) {
        memo_buf_puts(out, "; of the log ");
        cli_put_grouped(out, r->n_lost_changes);
        memo_buf_printf(out, " acknowledged change%s lost", r->n_lost_changes == 1 ? "" : "s");
    }
    memo_buf_putc(out, '\n');
    if (r->original)
        memo_buf_printf(out, "the file as it was: %s\n", r->original);
}

static void repair_put_json(cli_out *out, const memo_repair_report *r, int dry_run)
{
    memo_buf *buf = &out->buf;
    cli_json_open(buf, '{');
    cli_json_put_string(buf, "way", repair_ways[r->way]);
    cli_json_key(buf, "dry_run");
    cli_json_bool(buf, dry_run);
    cli_json_put_u64(buf, "kept", r->n_kept);
    cli_json_put_u64(buf, "quarantined", r->n_quarantined);
    cli_json_put_u64(buf, "quarantined_records", r->n_quarantined_records);
    cli_json_put_u64(buf, "lost", r->n_lost);
    cli_json_put_u64(buf, "lost_versions", r->n_lost_versions);
    cli_json_put_u64(buf, "lost_changes", r->n_lost_changes);
    cli_json_put_u64(buf, "bad_pages", r->n_bad_pages);
    cli_json_put_u64(buf, "pages", r->n_pages);
    cli_json_put_u64(buf, "reembedded", r->n_reembedded);
    cli_json_put_u64(buf, "unembedded", r->n_unembedded);
    cli_json_put_string(buf, "original", r->original);
    cli_json_key(buf, "findings");
    cli_json_open(buf, '[');
    for (size_t i = 0; i < r->findings->n; i++)
        cli_doctor_put_finding(out, &r->findings->findings[i]);
    cli_json_close(buf, ']');
    memo_buf_puts(buf, "}\n");
}

/* A model that is missing or damaged holds nothing up: what needs it is left to the next repair. */
static void repair_load_model(cli_app *app)
{
    memo_err why = {0};
    if (cli_app_model(app, NULL, &why) == MEMO_OK)
        return;
    cli_warn("%s", why.message);
    memo_model_close(app->model);
    app->model = NULL;
}

memo_status cli_doctor_repair(cli_app *app, memo_err *err)
{
    const char *path;
    memo_repair_options options = {.size = sizeof options,
                                   .dry_run = cli_args_has(&app->args, OPT_DRY_RUN)};
    memo_repair_report *report = NULL;
    memo_status status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = cli_settings_path(&app->settings, OPT_DB, &path, err);
    if (status == MEMO_OK)
        status = cli_app_ctx(app, err);
    if (status)
        return status;
    if (!options.dry_run)
        repair_load_model(app);
    options.model = app->model;
    status = memo_db_repair(app->ctx, path, &options, &report, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        for (size_t i = 0; i < report->findings->n; i++)
            cli_doctor_put_finding(&app->out, &report->findings->findings[i]);
        repair_put_text(&app->out.buf, report, options.dry_run);
    } else {
        repair_put_json(&app->out, report, options.dry_run);
    }
    memo_repair_report_free(report);
    return MEMO_OK;
}

/* ---- quarantine ---------------------------------------------------------------------------- */

/* For eyes: the row without the digits of a vector. In JSON no text holds an unescaped quote, so
 * what looks like the beginning of bytes is one. */
static void quarantine_put_content(memo_buf *buf, const char *content)
{
    enum { SHOWN = 16, SHORT = 64 }; /* digits */
    static const char begins[] = "{\"hex\":\"";
    const char *found;
    while ((found = strstr(content, begins)) != NULL) {
        const char *digits = found + sizeof begins - 1;
        size_t n = strspn(digits, "0123456789abcdef");
        memo_buf_printf(buf, "%.*s", (int)(digits - content), content);
        content = digits + n;
        if (n <= SHORT)
            memo_buf_printf(buf, "%.*s", (int)n, digits);
        else
            memo_buf_printf(buf, "%.*s... (%zu bytes)", SHOWN, digits, n / 2);
    }
    memo_buf_printf(buf, "%s", content);
}

static int quarantine_put(void *user, const memo_quarantined *row)
{
    cli_out *out = user;
    if (out->format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&out->buf, "%s %" PRId64 " %s%s: %s\n  ", row->area, row->row, row->id,
                        row->id[0] ? "" : "without an id", row->reason);
        quarantine_put_content(&out->buf, row->content);
        memo_buf_puts(&out->buf, "\n");
        return out->buf.failed;
    }
    cli_json_open(&out->buf, '{');
    cli_json_put_string(&out->buf, "area", row->area);
    cli_json_key(&out->buf, "row");
    cli_json_i64(&out->buf, row->row);
    cli_json_put_string(&out->buf, "id", row->id[0] ? row->id : NULL);
    cli_json_put_string(&out->buf, "reason", row->reason);
    cli_json_key(&out->buf, "moved");
    cli_json_date(&out->buf, row->moved_ms);
    cli_json_key(&out->buf, "content");
    cli_json_raw(&out->buf, row->content);
    cli_json_close(&out->buf, '}');
    if (out->format == CLI_FORMAT_NDJSON)
        memo_buf_putc(&out->buf, '\n');
    return out->buf.failed;
}

memo_status cli_doctor_quarantine(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    int one_object = app->out.format == CLI_FORMAT_JSON;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status)
        return status;
    if (one_object) {
        cli_json_open(out, '{');
        cli_json_key(out, "rows");
        cli_json_open(out, '[');
    }
    status = memo_db_quarantine(app->db, quarantine_put, &app->out, err);
    if (one_object) {
        cli_json_close(out, ']');
        memo_buf_puts(out, "}\n");
    }
    return status;
}
