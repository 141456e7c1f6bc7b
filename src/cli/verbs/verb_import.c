// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ready_vector.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"
#include "cli/watch.h"
#include "cli/zst.h"

#define IMPORT_NAMED_SKIPS 3

static void import_on_bad(void *user, const char *path, uint64_t line, const memo_err *why)
{
    cli_app *app = user;
    cli_progress_clear(&app->progress);
    if (line == 0 && strncmp(why->message, path, strlen(path)) == 0) /* it names the file itself */
        cli_warn("%s", why->message);
    else if (line > 0)
        cli_warn("%s: line %" PRIu64 ": %s", path, line, why->message);
    else
        cli_warn("%s: %s", path, why->message);
}

/* What was left out. In text the first few are named. */
typedef struct import_skips {
    uint64_t n;
    memo_buf text, json; /* elements of an array */
} import_skips;

static void import_on_skipped(void *user, const char *path, const char *why)
{
    import_skips *skips = user;
    if (skips->n < IMPORT_NAMED_SKIPS)
        memo_buf_printf(&skips->text, "%s%s (%s)", skips->n ? ", " : "", path, why);
    if (skips->n++)
        memo_buf_putc(&skips->json, ',');
    cli_json_open(&skips->json, '{');
    cli_json_put_string(&skips->json, "path", path);
    cli_json_put_string(&skips->json, "why", why);
    cli_json_close(&skips->json, '}');
}

static void import_put_skips(memo_buf *out, const import_skips *skips)
{
    if (skips->n == 0)
        return;
    memo_buf_printf(out, "skipped %s", skips->text.data ? skips->text.data : "");
    if (skips->n > IMPORT_NAMED_SKIPS) {
        memo_buf_puts(out, " and ");
        cli_put_grouped(out, skips->n - IMPORT_NAMED_SKIPS);
        memo_buf_puts(out, " more (-o json names all)");
    }
    memo_buf_putc(out, '\n');
}

static void import_put_text(memo_buf *out, const memo_import_report *r)
{
    const struct {
        uint64_t n;
        const char *name;
    } counts[] = {
        {r->n_new, "new"},         {r->n_changed, "changed"}, {r->n_unchanged, "unchanged"},
        {r->n_removed, "removed"}, {r->n_kept, "kept"},       {r->n_skipped, "skipped"},
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
    if (r->n_entities > 0 || r->n_facts > 0) {
        memo_buf_puts(out, "and ");
        cli_put_grouped(out, r->n_entities);
        memo_buf_printf(out, " new entit%s, ", r->n_entities == 1 ? "y" : "ies");
        cli_put_grouped(out, r->n_facts);
        memo_buf_printf(out, " new fact%s\n", r->n_facts == 1 ? "" : "s");
    }
    if (r->n_versions > 0) {
        memo_buf_puts(out, "and ");
        cli_put_grouped(out, r->n_versions);
        memo_buf_printf(out, " earlier version%s\n", r->n_versions == 1 ? "" : "s");
    }
}

static void import_put_json(memo_buf *out, const memo_import_report *r, const import_skips *skips)
{
    cli_json_open(out, '{');
    cli_json_put_u64(out, "files", r->n_files);
    cli_json_put_u64(out, "new", r->n_new);
    cli_json_put_u64(out, "changed", r->n_changed);
    cli_json_put_u64(out, "unchanged", r->n_unchanged);
    cli_json_put_u64(out, "removed", r->n_removed);
    cli_json_put_u64(out, "kept", r->n_kept);
    cli_json_put_u64(out, "skipped", r->n_skipped);
    cli_json_put_u64(out, "failed", r->n_failed);
    cli_json_put_u64(out, "chunks", r->n_chunks);
    cli_json_put_u64(out, "tokens", r->n_tokens);
    cli_json_put_u64(out, "entities", r->n_entities);
    cli_json_put_u64(out, "facts", r->n_facts);
    cli_json_put_u64(out, "versions", r->n_versions);
    cli_json_key(out, "elapsed_ms");
    cli_json_i64(out, r->elapsed_ms);
    if (skips) {
        cli_json_key(out, "skipped_files");
        memo_buf_printf(out, "[%s]", skips->json.data ? skips->json.data : "");
    }
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

/* Also after a failure or a signal: what is counted here is committed. `skips` NULL: watching, they are the same
 * ones in each round. */
static void import_put(cli_app *app, const memo_import_report *report, const import_skips *skips)
{
    cli_progress_clear(&app->progress);
    if (app->out.format != CLI_FORMAT_TEXT) {
        import_put_json(&app->out.buf, report, skips);
        return;
    }
    import_put_text(&app->out.buf, report);
    if (skips)
        import_put_skips(&app->out.buf, skips);
}

/* Why something was kept that a file is missing for. */
static void import_warn_kept(uint64_t n_kept)
{
    if (n_kept > 0)
        cli_warn(
            "kept %" PRIu64 " record%s whose file cannot be found: the folder that is left is "
            "empty or on another disk, or a file could not be read; if they are gone for good, "
            "remove that folder",
            n_kept, n_kept == 1 ? "" : "s");
}

static int import_did_nothing(const memo_import_report *r)
{
    return !(r->n_new || r->n_changed || r->n_removed || r->n_failed || r->n_entities ||
             r->n_facts || r->n_versions);
}

/* One round: what has changed, then, when files are gone, what is to be forgotten. */
static memo_status import_round(cli_app *app, cli_watch *watch, const memo_import_options *options,
                                int *forgets, memo_import_report *report, memo_err *err)
{
    memo_import_options o = *options;
    memo_import_report removed = {.size = sizeof removed};
    const char *const *paths;
    size_t n_paths;
    memo_status status;
    cli_watch_begin(watch, &paths, &n_paths);
    o.prune = 0;
    o.wanted = cli_watch_wanted;
    o.wanted_user = watch;
    status = memo_db_import(app->db, paths, n_paths, &o, report, err);
    if (status)
        return status;
    *forgets |= cli_watch_end(watch) > 0;
    if (!options->prune || !*forgets)
        return MEMO_OK;
    o.prune = 1;
    o.wanted = cli_watch_wants_none;
    status = memo_db_import(app->db, paths, n_paths, &o, &removed, err);
    report->n_removed += removed.n_removed;
    report->n_kept = removed.n_kept;
    report->elapsed_ms += removed.elapsed_ms;
    *forgets = status != MEMO_OK || removed.n_kept > 0 ||
               n_paths < app->args.n_words; /* one may come back */
    return status;
}

/* What another process or an unmounted disk did: the next round may go well. */
static int import_may_pass(memo_status status)
{
    return status == MEMO_ERR_BUSY || status == MEMO_ERR_NOTFOUND;
}

/* Round after round; each that did something is a line (an object) of its counts. What cannot be read is
 * named and left out. Ends well when it is interrupted while it waits. */
static memo_status import_watch(cli_app *app, memo_import_options *options, memo_err *err)
{
    int64_t poll_ms = (int64_t)cli_args_number(&app->args, OPT_WATCH_POLL, 0) * 1000;
    cli_watch *watch = NULL;
    uint64_t n_rounds = 0;
    int forgets = options->prune; /* what went while nobody watched */
    memo_status status = cli_watch_open(&watch, app->args.words, app->args.n_words, poll_ms, err);
    options->skip_bad = 1;
    options->on_bad = import_on_bad;
    while (status == MEMO_OK) {
        memo_import_report report = {.size = sizeof report};
        memo_err why = {0};
        status = import_round(app, watch, options, &forgets, &report, &why);
        if (n_rounds++ == 0 || !import_did_nothing(&report))
            import_put(app, &report, NULL);
        if (status) {
            cli_watch_undo(watch);
            *err = why;
        }
        if (import_may_pass(status)) {
            cli_warn("%s; it is tried again", why.message);
            status = MEMO_OK;
        }
        if (status == MEMO_OK)
            status = cli_out_flush(&app->out, err);
        if (status || !cli_watch_wait(watch))
            break;
    }
    cli_watch_close(watch);
    if (status == MEMO_OK || status == MEMO_ERR_CANCELLED)
        cli_say("stopped watching; everything that was counted is kept");
    return status;
}

static memo_status import_once(cli_app *app, const memo_import_options *options, memo_err *err)
{
    memo_import_report report = {.size = sizeof report};
    import_skips skips = {0};
    memo_import_options o = *options;
    memo_status status;
    o.on_skipped = import_on_skipped;
    o.on_skipped_user = &skips;
    status = memo_db_import(app->db, (const char *const *)app->args.words, app->args.n_words, &o,
                            &report, err);
    if (status == MEMO_OK && (skips.text.failed || skips.json.failed))
        status = memo_fail_nomem(err, "names of skipped files", skips.json.n);
    import_put(app, &report, &skips);
    memo_buf_fini(&skips.text);
    memo_buf_fini(&skips.json);
    import_warn_kept(report.n_kept);
    if (status == MEMO_ERR_CANCELLED && !options->dry_run && !err->hint[0])
        memo_hint(err, status, "what was counted is kept; the same command goes on from there");
    if (report.n_failed > 0 && !options->skip_bad && !err->hint[0])
        memo_hint(err, status, "mend it, or --skip-bad to name and leave out what is bad");
    return status;
}

/* A dry run where there is no store yet: against an empty one in TMPDIR, which goes again. */
static memo_status import_preview(cli_app *app, const memo_import_options *options, memo_err *err)
{
    static const char *const files[] = {"s.memo",     "s.memo-lock", "s.memo-wal",
                                        "s.memo-shm", "s.memo-idx",  "s.memo-journal"};
    const char *tmpdir = getenv("TMPDIR"), *base = tmpdir && tmpdir[0] ? tmpdir : "/tmp";
    char *folder = memo_path_join(base, "memolith-XXXXXX");
    memo_status status = MEMO_OK;
    if (!folder)
        return memo_fail_nomem(err, "a path", 0);
    if (!mkdtemp(folder)) {
        status = memo_fail_errno(err, errno, base, "create a temporary folder");
        memo_free(folder);
        return status;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = memo_path_join(folder, files[i]);
        if (!path && status == MEMO_OK)
            status = memo_fail_nomem(err, "a path", 0);
        if (i == 0 && path)
            status = cli_app_new_store(app, path, err);
        if (i == 0 && path && status == MEMO_OK)
            status = import_once(app, options, err);
        memo_db_close(app->db);
        app->db = NULL;
        if (path)
            unlink(path);
        memo_free(path);
    }
    rmdir(folder);
    memo_free(folder);
    return status;
}

/* Whether there is no store to compare with. */
static int import_has_no_store(cli_app *app)
{
    const char *path;
    return cli_settings_path(&app->settings, OPT_DB, &path, NULL) == MEMO_OK &&
           !memo_path_exists(path);
}

memo_status cli_verb_import(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    cli_chunk_spec chunk = {0};
    int watches = cli_args_has(args, OPT_WATCH) || cli_args_has(args, OPT_WATCH_POLL);
    uint64_t most_unpacked = cli_args_number(args, OPT_MAX_UNPACKED, 0);
    memo_unpacker unpacker;
    cli_zst_unpacker(&unpacker, &most_unpacked);
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
        .no_extra = cli_args_has(args, OPT_NO_EXTRA),
        .created_field = cli_args_text(args, OPT_CREATED_FIELD),
        .vector_field = cli_args_text(args, OPT_VECTOR_FIELD),
        .skip_bad = cli_args_has(args, OPT_SKIP_BAD),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
        .on_bad =
            cli_args_has(args, OPT_SKIP_BAD) ? import_on_bad : NULL, /* else the error says it */
        .on_bad_user = app,
        .format =
            (memo_import_format)cli_args_number(args, OPT_AS, 0), /* the words stand in its order */
        .prune = cli_args_has(args, OPT_PRUNE),
        .dry_run = cli_args_has(args, OPT_DRY_RUN),
        .reembed = cli_args_has(args, OPT_REEMBED),
        .unpacker = &unpacker,
        .links = cli_links_mode(args),
    };
    memo_status status = import_check_paths(args, err);
    if (status == MEMO_OK && !options.vector_field != !cli_args_has(args, OPT_SPACE))
        status =
            memo_fail(err, MEMO_ERR_USAGE,
                      "--vector-field says where the vectors are, --space what made them: both "
                      "are needed");
    if (status == MEMO_OK && watches && options.dry_run)
        status = memo_fail(err, MEMO_ERR_USAGE, "--watch with --dry-run would say the same again");
    if (status == MEMO_OK)
        status = cli_app_embedder(app, err);
    if (status == MEMO_OK && options.dry_run && import_has_no_store(app))
        return import_preview(app, &options, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, options.dry_run ? MEMO_OPEN_EXISTING : MEMO_OPEN_CREATE, err);
    if (status)
        return status;
    return watches ? import_watch(app, &options, err) : import_once(app, &options, err);
}
