// SPDX-License-Identifier: Apache-2.0
/* model compile: say what it will need, refuse what cannot end well, then compile. */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

/* What lies in the source folder. */
typedef struct compile_source {
    memo_ctx *ctx;         /* borrowed */
    const char *out;       /* the output's path */
    int holds_out;         /* one of the files is the output */
    uint64_t weight_bytes; /* of *.safetensors */
    uint64_t n_values;     /* in them */
    uint64_t tokenizer_bytes;
    char licence[64]; /* name of a licence file, or "" */
} compile_source;

static int compile_ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* How many weights are in a file, whatever their type; a file that cannot be read is left for the
 * compiler to report. */
static uint64_t compile_count_values(memo_ctx *ctx, const char *path)
{
    memo_tensor_list *list = NULL;
    uint64_t n = 0;
    if (memo_model_inspect(ctx, path, &list, NULL) != MEMO_OK)
        return 0;
    for (size_t i = 0; i < list->n; i++) {
        uint64_t n_values = 1;
        for (size_t k = 0; k < list->tensors[i].n_dims; k++)
            n_values *= list->tensors[i].shape[k];
        n += n_values;
    }
    memo_tensor_list_free(list);
    return n;
}

static void compile_note_file(compile_source *source, const char *path, const char *name,
                              uint64_t n_bytes)
{
    if (compile_ends_with(name, ".safetensors")) {
        source->weight_bytes += n_bytes;
        source->n_values += compile_count_values(source->ctx, path);
    } else if (strcmp(name, "tokenizer.json") == 0)
        source->tokenizer_bytes = n_bytes;
    else if (strncmp(name, "LICENSE", 7) == 0 && strlen(name) < sizeof source->licence)
        strcpy(source->licence, name);
}

/* Walk the folder and, `depth` levels down, its folders (1_Pooling). A folder that cannot be read
 * is left for the compiler to report. */
static memo_status compile_scan(compile_source *source, const char *folder, int depth,
                                memo_err *err)
{
    memo_status status = MEMO_OK;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && status == MEMO_OK && (entry = readdir(dir));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = memo_path_join(folder, entry->d_name);
        if (!path) {
            status = memo_fail_nomem(err, "a path", 0);
        } else if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            source->holds_out |= memo_same_file(path, source->out);
            compile_note_file(source, path, entry->d_name, (uint64_t)st.st_size);
        } else if (depth > 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            status = compile_scan(source, path, depth - 1, err);
        }
        memo_free(path);
    }
    if (dir)
        closedir(dir);
    return status;
}

/* Free bytes where `path` is to be written; UINT64_MAX when that cannot be told. */
static uint64_t compile_free_bytes(const char *path)
{
    struct statvfs fs;
    char *folder = memo_path_folder(path);
    uint64_t n = UINT64_MAX;
    if (folder && statvfs(folder, &fs) == 0)
        n = (uint64_t)fs.f_bavail * fs.f_frsize;
    memo_free(folder);
    return n;
}

/* Say what will be needed and refuse when this machine lacks it. The output holds each weight
 * in the class's size (int8: some stay floats, a sixteenth more), and the tokenizer and the self-test
 * beside; the memory is the parsed tokenizer (about 12 times its file) and buffers that do not grow with the
 * model. */
static memo_status compile_announce(cli_app *app, const compile_source *source, memo_err *err)
{
    enum { MARGIN = 512 << 10, BUFFERS = 48 << 20 };
    int int8 = cli_args_number(&app->args, OPT_CLASS, MEMO_CLASS_F32) == MEMO_CLASS_INT8;
    uint64_t weights = int8 ? source->n_values + source->n_values / 16 : 4 * source->n_values;
    uint64_t disk = weights + 2 * source->tokenizer_bytes + MARGIN,
             memory = 12 * source->tokenizer_bytes + BUFFERS;
    uint64_t free_disk = compile_free_bytes(source->out), free_memory = memo_memory_available();
    memo_buf line = {0};
    memo_status status = MEMO_OK;
    memo_buf_puts(&line, "needs about ");
    cli_put_bytes(&line, disk);
    memo_buf_puts(&line, " of disk and ");
    cli_put_bytes(&line, memory);
    memo_buf_puts(&line, " of memory");
    if (line.failed)
        status = memo_fail_nomem(err, "a message", line.n);
    else if (disk > free_disk)
        status = memo_fail(err, MEMO_ERR_IO, "compiling %s, and the disk of %s has %" PRIu64 " MB",
                           line.data, source->out, free_disk / 1000000);
    else if (memory > free_memory)
        status = memo_fail(err, MEMO_ERR_NOMEM, "compiling %s, and %" PRIu64 " MB are free",
                           line.data, free_memory / 1000000);
    else if (app->out.format != CLI_FORMAT_QUIET)
        cli_say("compiling %s %s", app->args.words[0], line.data);
    memo_buf_fini(&line);
    return status;
}

static void compile_remind_of_licence(const cli_app *app, const compile_source *source)
{
    if (app->out.format == CLI_FORMAT_QUIET)
        return;
    if (source->licence[0])
        cli_say("licence: the compiled file falls under %s of %s; keep it with the file",
                source->licence, app->args.words[0]);
    else
        cli_say("licence: there is no LICENSE file in %s; the publisher's terms hold for the "
                "compiled file too",
                app->args.words[0]);
}

static void compile_put_report(cli_app *app, const char *path, const memo_compile_report *report)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format != CLI_FORMAT_TEXT) {
        cli_json_open(out, '{');
        cli_json_put_string(out, "path", path);
        cli_json_put_string(out, "fingerprint", report->fingerprint);
        cli_json_put_u64(out, "bytes", report->file_bytes);
        cli_json_put_u64(out, "tensors", report->n_tensors);
        cli_json_put_u64(out, "parameters", report->n_parameters);
        cli_json_key(out, "unused");
        cli_json_strings(out, report->unused, report->n_unused);
        cli_json_key(out, "warnings");
        cli_json_strings(out, report->warnings, report->n_warnings);
        memo_buf_puts(out, "}\n");
        return;
    }
    memo_buf_printf(out, "%s\n  fingerprint  %s\n  size         ", path, report->fingerprint);
    cli_put_bytes(out, report->file_bytes);
    memo_buf_puts(out, ", ");
    cli_put_grouped(out, report->n_tensors);
    memo_buf_puts(out, " tensors, ");
    cli_put_grouped(out, report->n_parameters);
    memo_buf_puts(out, " parameters\n");
    for (size_t i = 0; i < report->n_unused; i++)
        memo_buf_printf(out, "  %-12s %s\n", i ? "" : "not used", report->unused[i]);
    for (size_t i = 0; i < report->n_warnings; i++)
        memo_buf_printf(out, "  %-12s %s\n", i ? "" : "note", report->warnings[i]);
}

/* Refusals that need no look into the model. */
static memo_status compile_check(cli_app *app, compile_source *source, memo_err *err)
{
    const char *folder = app->args.words[0];
    struct stat st;
    if (!source->out)
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "model compile needs -o FILE"), "%s",
                         app->args.verb->example);
    memo_status status = cli_app_ctx(app, err);
    source->ctx = app->ctx;
    if (status == MEMO_OK)
        status = compile_scan(source, folder, 2, err);
    if (status)
        return status;
    if (source->holds_out || memo_same_file(folder, source->out))
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "%s is a file of the source folder %s",
                                   source->out, folder),
                         "-o with a name outside the folder");
    if (stat(source->out, &st) == 0 && !cli_args_has(&app->args, OPT_FORCE))
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "%s exists", source->out),
                         "--force to replace it");
    return MEMO_OK;
}

memo_status cli_verb_model_compile(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    compile_source source = {.out = cli_args_text(args, OPT_OUT)};
    memo_compile_report *report = NULL;
    memo_compile_options options = {
        .size = sizeof options,
        /* the words of both options stand in the order of their enums */
        .cls = (memo_class)cli_args_number(args, OPT_CLASS, MEMO_CLASS_F32),
        .name = cli_args_text(args, OPT_NAME),
        .max_tokens = (size_t)cli_args_number(args, OPT_MAX_TOKENS, 0),
        .pooling = (memo_pooling)cli_args_number(args, OPT_POOLING, MEMO_POOLING_AUTO),
        .allow_nonfinite = cli_args_has(args, OPT_ALLOW_NONFINITE),
        .overwrite = cli_args_has(args, OPT_FORCE),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
    memo_status status = compile_check(app, &source, err);
    if (status == MEMO_OK && source.weight_bytes > 0)
        status = compile_announce(app, &source, err);
    if (status == MEMO_OK)
        status = memo_model_compile(app->ctx, args->words[0], source.out, &options, &report, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_ERR_CANCELLED)
        memo_fail(err, status, "interrupted: %s was not written", source.out);
    if (status == MEMO_OK) {
        compile_remind_of_licence(app, &source);
        compile_put_report(app, source.out, report);
    }
    memo_compile_report_free(report);
    return status;
}
