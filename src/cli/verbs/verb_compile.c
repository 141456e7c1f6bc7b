// SPDX-License-Identifier: Apache-2.0
/* model compile: say what it will need, refuse what cannot end well, then compile. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/verbs/compile_options.h"
#include "cli/verbs/verbs.h"

/* What lies in the source folder. */
typedef struct compile_source {
    memo_ctx *ctx;             /* borrowed */
    const char *out;           /* the output's path */
    int holds_out;             /* one of the files is the output */
    uint64_t weight_bytes;     /* of *.safetensors */
    cli_compile_values values; /* in them */
    uint64_t tokenizer_bytes;
    char licence[64]; /* name of a licence file, or "" */
} compile_source;

static int compile_ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Count the weights of a file by what becomes of them, whatever their type; a file that cannot be
 * read is left for the compiler to report. */
static void compile_count_values(memo_ctx *ctx, const char *path, cli_compile_values *values)
{
    memo_tensor_list *list = NULL;
    if (memo_model_inspect(ctx, path, &list, NULL) != MEMO_OK)
        return;
    for (size_t i = 0; i < list->n; i++) {
        const memo_tensor_info *tensor = &list->tensors[i];
        uint64_t n_values = 1;
        for (size_t k = 0; k < tensor->n_dims; k++)
            n_values *= tensor->shape[k];
        if (strstr(tensor->name, "word_embeddings"))
            values->n_word += n_values;
        else if (tensor->n_dims == 2 && !strstr(tensor->name, "embeddings"))
            cli_compile_count_matrix(values, tensor->shape[0], tensor->shape[1]);
        else
            values->n_other += n_values;
    }
    memo_tensor_list_free(list);
}

static void compile_note_file(compile_source *source, const char *path, const char *name,
                              uint64_t n_bytes)
{
    if (compile_ends_with(name, ".safetensors")) {
        source->weight_bytes += n_bytes;
        compile_count_values(source->ctx, path, &source->values);
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

/* Say what will be needed. The output holds each weight in its class's size, the tokenizer and the
 * self-test beside; the memory is the parsed tokenizer (about 12 times its file) and buffers that do
 * not grow with the model. */
static memo_status compile_announce(cli_app *app, const compile_source *source,
                                    const memo_compile_options *options, memo_err *err)
{
    enum { MARGIN = 512 << 10, BUFFERS = 48 << 20 };
    cli_compile_needs measuring = cli_compile_measuring(options, &source->values, 0);
    uint64_t disk = cli_compile_bytes(options, &source->values) + measuring.disk +
                    2 * source->tokenizer_bytes + MARGIN;
    uint64_t memory = 12 * source->tokenizer_bytes + measuring.memory + BUFFERS;

    return cli_compile_announce(app, "compiling", app->args.words[0], source->out, disk, memory,
                                err);
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
    if (status == MEMO_OK && (status = cli_app_there(folder, "folder", err)))
        memo_hint(err, status,
                  "the published folder with config.json and model.safetensors; ./dev model CLASS "
                  "fetches and compiles the default one");
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
    memo_compile_options options;
    const char **set = NULL;
    memo_status status = cli_compile_options(app, &options, &set, err);
    if (status == MEMO_OK)
        status = compile_check(app, &source, err);
    if (status == MEMO_OK && source.weight_bytes > 0)
        status = compile_announce(app, &source, &options, err);
    if (status == MEMO_OK)
        status = memo_model_compile(app->ctx, args->words[0], source.out, &options, &report, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_ERR_CANCELLED)
        memo_fail(err, status, "interrupted: %s was not written", source.out);
    if (status == MEMO_OK) {
        compile_remind_of_licence(app, &source);
        cli_compile_put_report(app, source.out, report);
    }
    memo_compile_report_free(report);
    memo_free(set);
    return status;
}
