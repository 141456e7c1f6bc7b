// SPDX-License-Identifier: Apache-2.0
/* forget: records deleted, or gone for good; and doctor --prove-gone. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/verbs/doctor.h"
#include "cli/verbs/verbs.h"

static void forget_put_result(cli_app *app, int dry_run, uint64_t n_forgotten, uint64_t n_absent)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s%" PRIu64 " record%s", dry_run ? "would forget " : "forgot ",
                        n_forgotten, n_forgotten == 1 ? "" : "s");
        if (n_absent > 0)
            memo_buf_printf(out, ", %" PRIu64 " not there", n_absent);
        memo_buf_putc(out, '\n');
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_u64(out, "forgotten", n_forgotten);
    cli_json_put_u64(out, "absent", n_absent);
    cli_json_key(out, "dry_run");
    cli_json_bool(out, dry_run);
    memo_buf_puts(out, "}\n");
}

/* A filter can match more than was meant, so it needs --yes. Nothing is asked: a script and a
 * person get the same answer, the count and the two ways on. */
static memo_status forget_without_yes(uint64_t n, memo_err *err)
{
    memo_fail(err, MEMO_ERR_USAGE, "the filter matches %" PRIu64 " record%s; nothing was forgotten",
              n, n == 1 ? "" : "s");
    return memo_hint(err, MEMO_ERR_USAGE,
                     "--yes to forget them   (memolith list --where ... shows them)");
}

/* ---- gone for good ------------------------------------------------------------------------- */

static void shred_put_json(cli_out *out, const memo_shred_report *r)
{
    cli_json_open(&out->buf, '{');
    cli_json_put_u64(&out->buf, "forgotten", r->n_forgotten);
    cli_json_put_u64(&out->buf, "finished", r->n_finished);
    cli_json_put_u64(&out->buf, "absent", r->n_absent);
    cli_json_put_u64(&out->buf, "bytes", r->n_bytes);
    cli_json_put_u64(&out->buf, "words", r->n_words);
    cli_json_put_u64(&out->buf, "stretches", r->n_pieces);
    cli_json_put_u64(&out->buf, "shared", r->n_shared);
    cli_json_put_u64(&out->buf, "found", r->n_found);
    cli_json_key(&out->buf, "findings");
    cli_json_open(&out->buf, '[');
    for (size_t i = 0; i < r->findings->n; i++)
        cli_doctor_put_finding(out, &r->findings->findings[i]);
    cli_json_close(&out->buf, ']');
    memo_buf_puts(&out->buf, "}\n");
}

static void shred_put_text(cli_out *out, const memo_shred_report *r)
{
    for (size_t i = 0; i < r->findings->n; i++)
        cli_doctor_put_finding(out, &r->findings->findings[i]);
}

/* What was found makes the command end badly: nobody should take it for gone. */
static memo_status shred_put(cli_app *app, const memo_shred_report *r, memo_err *err)
{
    if (app->out.format == CLI_FORMAT_TEXT)
        shred_put_text(&app->out, r);
    else
        shred_put_json(&app->out, r);
    if (r->n_found == 0)
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_VERIFY, "%" PRIu64 " trace%s left", r->n_found,
                     r->n_found == 1 ? " is" : "s are");
}

static memo_status forget_shred(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const memo_shred_options options = {.size = sizeof options,
                                        .ns = cli_app_ns(app),
                                        .ids = args->words,
                                        .n_ids = args->n_words,
                                        .backups = cli_args_has(args, OPT_BACKUPS)};
    memo_shred_report *report = NULL;
    memo_status status;
    if (cli_args_has(args, OPT_WHERE) || cli_args_has(args, OPT_EXPIRED) ||
        cli_args_has(args, OPT_DRY_RUN))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--shred takes ids and keys; not --where, --expired or --dry-run");
    status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_shred(app->db, &options, &report, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        uint64_t n = report->n_forgotten + report->n_finished;
        memo_buf_printf(&app->out.buf, n ? "shredded %" PRIu64 " record%s" : "nothing to shred", n,
                        n == 1 ? "" : "s");
        if (report->n_finished)
            memo_buf_printf(&app->out.buf, ", %" PRIu64 " of them forgotten before",
                            report->n_finished);
        memo_buf_puts(&app->out.buf, "\n");
    }
    status = shred_put(app, report, err);
    if (status == MEMO_OK && args->n_words && !report->n_forgotten && !report->n_finished)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no record has %s",
                           args->n_words == 1 ? "this id or key" : "one of these ids or keys");
    memo_shred_report_free(report);
    return status;
}

/* The files' bytes, each as a text. */
static memo_status prove_read_texts(const char *const *paths, size_t n, memo_text *texts,
                                    memo_err *err)
{
    enum { PROVE_FILE_BYTES = 64 << 20 };
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        char *bytes = NULL;
        status = memo_file_slurp(paths[i], PROVE_FILE_BYTES, &bytes, &texts[i].n_bytes, err);
        texts[i].bytes = bytes;
    }
    return status;
}

static void prove_free_texts(memo_text *texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        memo_free((void *)(uintptr_t)texts[i].bytes);
    memo_free(texts);
}

memo_status cli_doctor_prove(cli_app *app, memo_err *err)
{
    memo_prove_options options = {.size = sizeof options, .ns = cli_app_ns(app)};
    memo_shred_report *report = NULL;
    const char **ids = NULL, **paths = NULL;
    memo_text *texts = NULL;
    memo_status status = cli_args_list(&app->args, OPT_PROVE_GONE, &ids, &options.n_ids, err);
    if (status == MEMO_OK)
        status = cli_args_list(&app->args, OPT_TEXT_FILE, &paths, &options.n_texts, err);
    if (status == MEMO_OK && options.n_texts) {
        texts = memo_calloc(options.n_texts, sizeof *texts);
        status = texts ? prove_read_texts(paths, options.n_texts, texts, err)
                       : memo_fail_nomem(err, "texts", options.n_texts * sizeof *texts);
    }
    options.ids = ids;
    options.texts = texts;
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_prove_gone(app->db, &options, &report, err);
    if (status == MEMO_OK)
        status = shred_put(app, report, err);
    memo_shred_report_free(report);
    prove_free_texts(texts, options.n_texts);
    memo_free(ids);
    memo_free(paths);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------ */

memo_status cli_verb_forget(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    uint64_t n_forgotten = 0, n_absent = 0;
    int asked_dry = cli_args_has(args, OPT_DRY_RUN);
    memo_forget_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .ids = args->words,
        .n_ids = args->n_words,
        .where = cli_args_text(args, OPT_WHERE),
        .dry_run = asked_dry,
        .expired = cli_args_has(args, OPT_EXPIRED),
        .pinned = cli_args_has(args, OPT_PINNED),
    };
    int picks = options.where || options.expired;
    if (cli_args_has(args, OPT_SHRED))
        return forget_shred(app, err);
    if (cli_args_has(args, OPT_BACKUPS))
        return memo_fail(err, MEMO_ERR_USAGE, "--backups goes with --shred");
    int needs_yes = options.where && !cli_args_has(args, OPT_YES) && !asked_dry;
    if (args->n_words == 0 && !picks)
        return memo_hint(
            err, memo_fail(err, MEMO_ERR_USAGE, "forget needs an ID, --where FILTER or --expired"),
            "%s", args->verb->example);
    if (args->n_words > 0 && picks)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "forget takes ids or --where and --expired, not both");
    options.dry_run |= needs_yes;
    memo_status status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_forget(app->db, &options, &n_forgotten, &n_absent, err);
    if (status == MEMO_OK && needs_yes && n_forgotten > 0)
        return forget_without_yes(n_forgotten, err);
    if (status)
        return status;
    forget_put_result(app, options.dry_run, n_forgotten, n_absent);
    if (args->n_words > 0 && n_forgotten == 0)
        return memo_fail(err, MEMO_ERR_NOTFOUND, "no record has %s",
                         args->n_words == 1 ? "this id or key" : "one of these ids or keys");
    return MEMO_OK;
}
