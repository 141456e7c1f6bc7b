// SPDX-License-Identifier: Apache-2.0
/* model compress: from one compiled model to a smaller one. */
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/verbs/compile_options.h"
#include "cli/verbs/verbs.h"

/* The output holds each weight in its class's size; all that is not a weight stays. */
static memo_status compress_announce(cli_app *app, const char *from, const char *out,
                                     const memo_compile_options *options, memo_err *err)
{
    enum { MARGIN = 128 << 10, BUFFERS = 32 << 20 };
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_weight_info weight = {.size = sizeof weight};
    cli_compile_values values = {0};
    uint64_t stored = 0;
    memo_status status = memo_model_open(app->ctx, from, NULL, &model, err);

    if (status)
        return status;
    memo_model_get_info(model, &info, NULL);
    for (size_t i = 0; memo_model_get_weight(model, i, &weight, NULL) == MEMO_OK; i++) {
        uint64_t n = (uint64_t)weight.n_rows * weight.n_cols;
        stored += weight.n_bytes;
        if (strcmp(weight.name, "embeddings.word") == 0)
            values.n_word += n;
        else
            cli_compile_count_matrix(&values, weight.n_rows, weight.n_cols);
    }
    memo_model_close(model);
    cli_compile_needs measuring = cli_compile_measuring(options, &values, 1);
    uint64_t disk =
        info.file_bytes - stored + cli_compile_bytes(options, &values) + measuring.disk + MARGIN;

    return cli_compile_announce(app, "compressing", from, out, disk, measuring.memory + BUFFERS,
                                err);
}

static memo_status compress_check(cli_app *app, const char *out, memo_err *err)
{
    struct stat st;

    if (!out)
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "model compress needs -o FILE"), "%s",
                         app->args.verb->example);
    if (!cli_args_has(&app->args, OPT_CLASS) && !cli_args_has(&app->args, OPT_SET))
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "model compress needs --class or --set"),
                         "%s", app->args.verb->example);
    if (memo_same_file(app->args.words[0], out))
        return memo_fail(err, MEMO_ERR_USAGE, "%s is the model that is to be compressed", out);
    if (stat(out, &st) == 0 && !cli_args_has(&app->args, OPT_FORCE))
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "%s exists", out),
                         "--force to replace it");
    memo_status status = cli_app_ctx(app, err);
    return status ? status : cli_app_model_there(app, app->args.words[0], err);
}

memo_status cli_verb_model_compress(cli_app *app, memo_err *err)
{
    const char *from = app->args.words[0], *out = cli_args_text(&app->args, OPT_OUT);
    memo_compile_report *report = NULL;
    memo_compile_options options;
    const char **set = NULL;
    memo_status status = cli_compile_options(app, &options, &set, err);

    if (status == MEMO_OK)
        status = compress_check(app, out, err);
    if (status == MEMO_OK)
        status = compress_announce(app, from, out, &options, err);
    if (status == MEMO_OK)
        status = memo_model_compress(app->ctx, from, out, &options, &report, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_ERR_CANCELLED)
        memo_fail(err, status, "interrupted: %s was not written", out);
    if (status == MEMO_OK)
        cli_compile_put_report(app, out, report);
    memo_compile_report_free(report);
    memo_free(set);
    return status;
}
