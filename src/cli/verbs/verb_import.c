// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static void import_on_bad(void *user, const char *path, uint64_t line, const memo_err *why)
{
    cli_app *app = user;
    cli_progress_clear(&app->progress);
    if (line > 0)
        cli_warn("%s: line %" PRIu64 ": %s", path, line, why->message);
    else
        cli_warn("%s: %s", path, why->message);
}

static void import_put_text(memo_buf *out, const memo_import_report *r)
{
    const struct {
        uint64_t n;
        const char *name;
    } counts[] = {{r->n_new, "new"},
                  {r->n_changed, "changed"},
                  {r->n_unchanged, "unchanged"},
                  {r->n_skipped, "skipped"},
                  {r->n_failed, "failed"}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i].n > 0 || i == 0) {
            memo_buf_puts(out, i ? ", " : "");
            cli_put_grouped(out, counts[i].n);
            memo_buf_printf(out, " %s", counts[i].name);
        }
    memo_buf_puts(out, " (");
    cli_put_grouped(out, r->n_files);
    memo_buf_printf(out, " file%s, ", r->n_files == 1 ? "" : "s");
    cli_put_grouped(out, r->n_chunks);
    memo_buf_printf(out, " chunk%s, ", r->n_chunks == 1 ? "" : "s");
    cli_put_grouped(out, r->n_tokens);
    memo_buf_printf(out, " tokens) in %.1f s\n", (double)r->elapsed_ms / 1000);
}

static void import_put_json(memo_buf *out, const memo_import_report *r)
{
    cli_json_open(out, '{');
    cli_json_put_u64(out, "files", r->n_files);
    cli_json_put_u64(out, "new", r->n_new);
    cli_json_put_u64(out, "changed", r->n_changed);
    cli_json_put_u64(out, "unchanged", r->n_unchanged);
    cli_json_put_u64(out, "skipped", r->n_skipped);
    cli_json_put_u64(out, "failed", r->n_failed);
    cli_json_put_u64(out, "chunks", r->n_chunks);
    cli_json_put_u64(out, "tokens", r->n_tokens);
    cli_json_key(out, "elapsed_ms");
    cli_json_i64(out, r->elapsed_ms);
    memo_buf_puts(out, "}\n");
}

/* Refuse what cannot be imported before a store is made for it. */
static memo_status import_check_paths(const cli_args *args, memo_err *err)
{
    for (size_t i = 0; i < args->n_words; i++) {
        const char *path = args->words[i];
        struct stat st;
        if (strcmp(path, "-") == 0)
            return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "import reads files, not stdin"),
                             "write the lines to a file.ndjson, or memolith add - for one text");
        if (stat(path, &st) != 0)
            return memo_fail_errno(err, errno, path, "open");
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            return memo_fail(err, MEMO_ERR_IO, "%s: not a regular file or a folder", path);
    }
    return MEMO_OK;
}

memo_status cli_verb_import(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    cli_chunk_spec chunk = {0};
    memo_import_report report = {0};
    if (cli_args_has(args, OPT_CHUNK))
        cli_chunk_read(cli_args_text(args, OPT_CHUNK), &chunk); /* checked with the arguments */
    memo_import_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .chunking = chunk.chunking,
        .chunk_tokens = chunk.tokens,
        .chunk_overlap = chunk.overlap,
        .key_field = cli_args_text(args, OPT_KEY_FIELD),
        .text_field = cli_args_text(args, OPT_TEXT_FIELD),
        .title_field = cli_args_text(args, OPT_TITLE_FIELD),
        .tags_field = cli_args_text(args, OPT_TAGS_FIELD),
        .metadata_field = cli_args_text(args, OPT_METADATA_FIELD),
        .created_field = cli_args_text(args, OPT_CREATED_FIELD),
        .skip_bad = cli_args_has(args, OPT_SKIP_BAD),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
        .on_bad =
            cli_args_has(args, OPT_SKIP_BAD) ? import_on_bad : NULL, /* else the error says it */
        .on_bad_user = app,
    };
    memo_status status = import_check_paths(args, err);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_CREATE, err);
    if (status)
        return status;
    status = memo_db_import(app->db, args->words, args->n_words, &options, &report, err);
    cli_progress_clear(&app->progress);
    /* Also after a failure or a signal: what is counted here is committed. */
    if (app->out.format == CLI_FORMAT_TEXT)
        import_put_text(&app->out.buf, &report);
    else
        import_put_json(&app->out.buf, &report);
    if (report.n_failed > 0 && !options.skip_bad && !err->hint[0])
        memo_hint(err, status, "mend it, or --skip-bad to name and leave out what is bad");
    return status;
}
