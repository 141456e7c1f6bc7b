// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"
#include "cli/zst.h"

/* Where the lines go: a file under a temporary name until it is whole, or stdout. */
typedef struct export_sink {
    cli_app *app;
    memo_replace file;
    int to_file;
    cli_zst_packer *packer; /* between the lines and the file; or NULL */
    uint64_t n_packed;      /* bytes that came out of it */
    memo_err err;           /* of the write that failed */
} export_sink;

static int export_write(void *user, const char *bytes, size_t n_bytes)
{
    export_sink *sink = user;

    if (sink->to_file)
        return memo_replace_append(&sink->file, bytes, n_bytes, &sink->err) != MEMO_OK;
    memo_buf_append(&sink->app->out.buf, bytes, n_bytes);
    return cli_out_flush(&sink->app->out, &sink->err) != MEMO_OK;
}

static int export_pack(void *user, const char *bytes, size_t n_bytes)
{
    export_sink *sink = user;
    memo_err err = {0};

    if (cli_zst_pack(sink->packer, bytes, n_bytes, &err) == MEMO_OK)
        return 0;
    if (!sink->err.status) /* else the file says why */
        sink->err = err;
    return 1;
}

static void export_put_count(memo_buf *out, uint64_t n, const char *one, const char *many)
{
    if (!n)
        return;
    cli_put_grouped(out, n);
    memo_buf_printf(out, " %s, ", n == 1 ? one : many);
}

static void export_put_text(memo_buf *out, const memo_export_report *r, uint64_t n_packed)
{
    cli_put_grouped(out, r->n_records);
    memo_buf_printf(out, " record%s, ", r->n_records == 1 ? "" : "s");
    export_put_count(out, r->n_vectors, "vector", "vectors");
    export_put_count(out, r->n_versions, "earlier version", "earlier versions");
    export_put_count(out, r->n_entities, "entity", "entities");
    export_put_count(out, r->n_facts, "fact", "facts");
    cli_put_bytes(out, r->n_bytes);
    if (n_packed) {
        memo_buf_puts(out, " packed to ");
        cli_put_bytes(out, n_packed);
    }
    memo_buf_printf(out, " in %.1f s\n", (double)r->elapsed_ms / 1000);
}

static void export_put_json(memo_buf *out, const char *path, const memo_export_report *r,
                            uint64_t n_packed)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "path", path);
    cli_json_put_u64(out, "records", r->n_records);
    cli_json_put_u64(out, "vectors", r->n_vectors);
    cli_json_put_u64(out, "versions", r->n_versions);
    cli_json_put_u64(out, "entities", r->n_entities);
    cli_json_put_u64(out, "facts", r->n_facts);
    cli_json_put_u64(out, "bytes", r->n_bytes);
    if (n_packed)
        cli_json_put_u64(out, "packed_bytes", n_packed);
    cli_json_put_u64(out, "damaged", r->n_damaged);
    cli_json_key(out, "elapsed_ms");
    cli_json_i64(out, r->elapsed_ms);
    memo_buf_puts(out, "}\n");
}

static void export_put(cli_app *app, const char *path, const memo_export_report *r,
                       uint64_t n_packed)
{
    if (app->out.format == CLI_FORMAT_TEXT)
        export_put_text(&app->out.buf, r, n_packed);
    else
        export_put_json(&app->out.buf, path, r, n_packed);
}

/* Before the store is opened: with a second name it is not, which would hide what is wrong. */
static memo_status export_check_names(cli_app *app, const char *path, memo_err *err)
{
    const char *store;
    memo_status status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = cli_settings_path(&app->settings, OPT_DB, &store, err);
    if (status == MEMO_OK && memo_same_file(store, path))
        status = memo_fail(err, MEMO_ERR_USAGE, "%s: this is the store itself", path);
    return status;
}

/* Damaged records are told, but what could be written is kept. */
static memo_status export_finish(export_sink *sink, memo_status status, memo_err *err)
{
    int whole = status == MEMO_OK || status == MEMO_ERR_CORRUPT;
    memo_status finished = MEMO_OK;

    if (status == MEMO_ERR_IO && sink->err.status && err)
        *err = sink->err;
    if (status == MEMO_ERR_IO && sink->err.status)
        return sink->err.status;
    if (whole && sink->packer) {
        memo_err why = {0};
        finished = cli_zst_pack_end(sink->packer, &sink->n_packed, &why);
        if (finished && !sink->err.status)
            sink->err = why;
    }
    if (whole && sink->to_file && finished == MEMO_OK)
        finished = memo_replace_commit(&sink->file, &sink->err);
    if (finished && err)
        *err = sink->err;
    return finished ? sink->err.status : status;
}

/* Whether the lines are packed; --level says how hard, and is for nothing else. */
static memo_status export_open_packer(export_sink *sink, const char *path, memo_err *err)
{
    const cli_args *args = &sink->app->args;
    size_t n = strlen(path);
    int level = (int)cli_args_number(args, OPT_LEVEL, CLI_ZST_LEVEL);

    if (cli_args_has(args, OPT_ZSTD) || (n > 4 && strcasecmp(path + n - 4, ".zst") == 0))
        return cli_zst_pack_open(&sink->packer, level, export_write, sink, err);
    if (cli_args_has(args, OPT_LEVEL))
        return memo_fail(err, MEMO_ERR_USAGE, "--level is for --zstd, or a FILE that ends in .zst");
    return MEMO_OK;
}

memo_status cli_verb_export(cli_app *app, memo_err *err)
{
    const char *path = app->args.words[0];
    export_sink sink = {.app = app, .to_file = strcmp(path, "-") != 0};
    memo_export_report report = {.size = sizeof report};
    memo_export_options options = {.size = sizeof options,
                                   .ns = cli_app_ns(app),
                                   .where = cli_args_text(&app->args, OPT_WHERE),
                                   .vectors = cli_args_has(&app->args, OPT_VECTORS),
                                   .versions = cli_args_has(&app->args, OPT_ALL_VERSIONS),
                                   .progress = cli_progress_call,
                                   .progress_user = &app->progress};
    memo_status status = export_check_names(app, path, err);
    if (status == MEMO_OK)
        status = export_open_packer(&sink, path, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK && sink.to_file)
        status = memo_replace_begin(&sink.file, path, cli_args_has(&app->args, OPT_FORCE), err);
    if (status == MEMO_OK) {
        status = memo_db_export(app->db, &options, sink.packer ? export_pack : export_write, &sink,
                                &report, err);
        cli_progress_clear(&app->progress);
        status = export_finish(&sink, status, err);
        if (status == MEMO_ERR_CANCELLED && sink.to_file)
            memo_fail(err, status, "interrupted: %s was not written", path);
        if (sink.to_file && (status == MEMO_OK || status == MEMO_ERR_CORRUPT))
            export_put(app, path, &report, sink.n_packed);
    }
    memo_replace_fini(&sink.file);
    cli_zst_pack_close(sink.packer);
    return status;
}
