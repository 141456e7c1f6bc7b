// SPDX-License-Identifier: Apache-2.0
/* audit: what a namespace would be better without, one finding a line. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { AUDIT_WHY_COLUMNS = 200 };

static void audit_put_text(memo_buf *out, const memo_audit_finding *f)
{
    memo_buf_printf(out, "%-9s  %s  ", memo_audit_kind_name(f->kind), f->id);
    cli_put_line(out, f->why, strlen(f->why), AUDIT_WHY_COLUMNS);
    memo_buf_puts(out, "\n      next: ");
    cli_put_line(out, f->hint, strlen(f->hint), AUDIT_WHY_COLUMNS);
    memo_buf_putc(out, '\n');
}

static void audit_put_json(memo_buf *out, const memo_audit_finding *f)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "kind", memo_audit_kind_name(f->kind));
    cli_json_put_string(out, "id", f->id);
    cli_json_put_string(out, "key", f->key);
    cli_json_put_string(out, "other", f->other);
    cli_json_key(out, "value");
    cli_json_double(out, f->score, 6);
    cli_json_put_string(out, "why", f->why);
    cli_json_put_string(out, "next", f->hint);
    cli_json_close(out, '}');
}

static void audit_put_counts(memo_buf *out, const memo_audit *audit)
{
    cli_json_put_u64(out, "records", audit->n_records);
    cli_json_put_u64(out, "damaged", audit->n_damaged);
    cli_json_key(out, "searches_from");
    cli_json_date(out, audit->searches_from_ms);
    cli_json_key(out, "counts");
    cli_json_open(out, '{');
    for (int kind = 0; kind < MEMO_AUDIT_N_KINDS; kind++)
        cli_json_put_u64(out, memo_audit_kind_name((memo_audit_kind)kind), audit->counts[kind]);
    cli_json_close(out, '}');
}

/* "1,204 records: 2 secret, 31 near; no search is kept: nothing is known of use" */
static void audit_put_summary(memo_buf *out, const memo_audit *audit)
{
    const char *between = ": ";
    cli_put_grouped(out, audit->n_records);
    memo_buf_puts(out, audit->n_records == 1 ? " record" : " records");
    for (int kind = 0; kind < MEMO_AUDIT_N_KINDS; kind++) {
        if (!audit->counts[kind])
            continue;
        memo_buf_puts(out, between);
        cli_put_grouped(out, audit->counts[kind]);
        memo_buf_printf(out, " %s", memo_audit_kind_name((memo_audit_kind)kind));
        between = ", ";
    }
    if (between[0] == ':')
        memo_buf_puts(out, ": nothing found");
    if (audit->searches_from_ms == 0)
        memo_buf_puts(out, "; no search is kept, so nothing is known of use");
    memo_buf_putc(out, '\n');
}

static memo_status audit_put(cli_app *app, const memo_audit *audit, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    memo_status status = MEMO_OK;
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "findings");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < audit->n && status == MEMO_OK; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            audit_put_text(out, &audit->findings[i]);
        else
            audit_put_json(out, &audit->findings[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(out, '\n');
        if (app->out.format != CLI_FORMAT_JSON)
            status = cli_out_drain(&app->out, err);
    }
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_close(out, ']');
        audit_put_counts(out, audit);
        memo_buf_puts(out, "}\n");
    } else if (app->out.format == CLI_FORMAT_TEXT) {
        audit_put_summary(out, audit);
    }
    return status;
}

/* The words of --fail-on stand in the order of memo_audit_kind. */
static memo_status audit_judge(const cli_app *app, const memo_audit *audit, memo_err *err)
{
    for (size_t i = 0; i < app->args.n_given; i++) {
        const cli_given *given = &app->args.given[i];
        if (given->id != OPT_FAIL_ON || audit->counts[given->number] == 0)
            continue;
        return memo_fail(err, MEMO_ERR_VERIFY, "%" PRIu64 " finding%s of kind %s",
                         audit->counts[given->number], audit->counts[given->number] == 1 ? "" : "s",
                         memo_audit_kind_name((memo_audit_kind)given->number));
    }
    return MEMO_OK;
}

/* --link, before the store is looked through. */
static memo_status audit_link(cli_app *app, memo_err *err)
{
    const memo_link_options options = {
        .size = sizeof options, .progress = cli_progress_call, .progress_user = &app->progress};
    memo_link_report report = {.size = sizeof report};
    memo_status status = memo_db_link(app->db, &options, &report, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_OK)
        cli_say("%" PRIu64 " compared, %" PRIu64 " linked", report.n_compared, report.n_linked);
    return status;
}

memo_status cli_verb_audit(cli_app *app, memo_err *err)
{
    int link = cli_args_has(&app->args, OPT_LINK);
    const memo_audit_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .stale_days = (int64_t)cli_args_number(&app->args, OPT_STALE_DAYS, 0),
        .unused_days = (int64_t)cli_args_number(&app->args, OPT_UNUSED_DAYS, 0),
        .oversized_bytes = (size_t)cli_args_number(&app->args, OPT_OVERSIZED, 0),
        .sources = cli_args_has(&app->args, OPT_SOURCES),
        .limit = (size_t)cli_args_number(&app->args, OPT_FINDINGS_LIMIT, 0),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
    memo_audit *audit = NULL;
    memo_status status = cli_app_store(app, link ? MEMO_OPEN_EXISTING : MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK && link)
        status = audit_link(app, err);
    if (status == MEMO_OK)
        status = memo_db_audit(app->db, &options, &audit, err);
    cli_progress_clear(&app->progress);
    if (status)
        return status;
    if (audit->n_damaged)
        cli_warn("%" PRIu64 " records were left out because their checksum failed: memolith doctor "
                 "names them",
                 audit->n_damaged);
    status = audit_put(app, audit, err);
    if (status == MEMO_OK)
        status = audit_judge(app, audit, err);
    memo_audit_free(audit);
    return status;
}
