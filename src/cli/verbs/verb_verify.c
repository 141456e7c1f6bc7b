// SPDX-License-Identifier: Apache-2.0
/* model verify: whether a compiled model is whole, and how near it is to a reference. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/fidelity_out.h"
#include "cli/verbs/verbs.h"

/* One --gate. */
typedef struct verify_gate {
    char name[16];
    double least, found;
    int failed;
} verify_gate;

typedef struct verify_run {
    const char *path; /* of the model */
    const char *against_path, *golden_path;
    memo_model *against;
    memo_verify_report whole;
    memo_fidelity_report *fidelity; /* NULL: not asked for */
    verify_gate *gates;             /* [n_gates] */
    size_t n_gates;
} verify_run;

/* ---- gates --------------------------------------------------------------------------------- */

static memo_status verify_read_gate(const char *text, verify_gate *gate, memo_err *err)
{
    const char *equals = strchr(text, '='); /* the parser saw to it */
    size_t n = (size_t)(equals - text);
    char *end;

    if (n < sizeof gate->name)
        memcpy(gate->name, text, n);
    gate->least = strtod(equals + 1, &end);
    /* strtod() takes spaces, hexadecimal digits and words too. */
    if (n >= sizeof gate->name || end == equals + 1 || *end || !isfinite(gate->least) ||
        strspn(equals + 1, "0123456789.-") != strlen(equals + 1))
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_USAGE, "--gate is \"%.60s\"; allowed is FIGURE=LEAST", text),
            "--gate cos=0.997");
    return MEMO_OK;
}

static memo_status verify_read_gates(cli_app *app, verify_run *run, memo_err *err)
{
    const char **texts = NULL;
    memo_status status = cli_args_list(&app->args, OPT_GATE, &texts, &run->n_gates, err);

    if (status == MEMO_OK && run->n_gates && !run->against_path && !run->golden_path)
        status = memo_fail(err, MEMO_ERR_USAGE, "--gate needs --against or --golden");
    if (status == MEMO_OK && run->n_gates) {
        run->gates = memo_calloc(run->n_gates, sizeof *run->gates);
        if (!run->gates)
            status = memo_fail_nomem(err, "the gates", run->n_gates * sizeof *run->gates);
    }
    /* A name that is wrong is found before the minutes that measuring takes. */
    const memo_layer_fidelity layer = {0};
    const memo_fidelity_report any = {.n_layers = run->against_path != NULL, .layers = &layer};
    for (size_t i = 0; i < run->n_gates && status == MEMO_OK; i++) {
        status = verify_read_gate(texts[i], &run->gates[i], err);
        if (status == MEMO_OK)
            status = memo_fidelity_gate(&any, run->gates[i].name, -INFINITY, NULL, err);
        /* All figures but the decibels of "snr" are cosines and the like. */
        if (status == MEMO_OK && run->gates[i].least > 1 && strcmp(run->gates[i].name, "snr") != 0)
            status = memo_hint(err,
                               memo_fail(err, MEMO_ERR_USAGE, "--gate %.60s: %s is never above 1",
                                         texts[i], run->gates[i].name),
                               "--gate %s=0.99, or any other from -1 to 1", run->gates[i].name);
    }
    memo_free(texts);
    return status;
}

static memo_status verify_hold_gates(verify_run *run, memo_err *err)
{
    size_t n_failed = 0;
    memo_buf line = {0};
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < run->n_gates; i++) {
        verify_gate *gate = &run->gates[i];
        memo_err why = {0};
        gate->failed = memo_fidelity_gate(run->fidelity, gate->name, gate->least, &gate->found,
                                          &why) != MEMO_OK;
        if (gate->failed)
            memo_buf_printf(&line, "%s%s", n_failed++ ? "; " : "", why.message);
    }
    if (line.failed)
        status = memo_fail_nomem(err, "a message", line.n);
    else if (n_failed)
        status = memo_fail(err, MEMO_ERR_VERIFY, "%zu of %zu gates: %s", n_failed, run->n_gates,
                           line.data);
    memo_buf_fini(&line);
    return status;
}

/* ---- the reference ------------------------------------------------------------------------- */

/* The model's own pooling, so that only the class differs: its place in the list of the options. */
static memo_pooling verify_pooling(const memo_model_info *info)
{
    static const char *const names[] = {"auto", "mean", "cls",
                                        "last"}; /* as memo_pooling has them */
    json_t *recipe = NULL;
    memo_pooling found = MEMO_POOLING_AUTO;

    if (memo_json_parse(info->recipe_json, strlen(info->recipe_json), &memo_json_request_limits,
                        "the recipe", &recipe, NULL))
        return found;
    const char *name =
        json_string_value(json_object_get(json_object_get(recipe, "pooling"), "value"));
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            found = (memo_pooling)i;
    json_decref(recipe);
    return found;
}

static memo_status verify_compile(cli_app *app, const char *folder, const char *path, memo_err *err)
{
    memo_model_info info = {.size = sizeof info};

    memo_model_get_info(app->model, &info, NULL);
    memo_compile_options options = {
        .size = sizeof options,
        .cls = MEMO_CLASS_F32,
        .max_tokens = info.max_tokens,
        .pooling = verify_pooling(&info),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
    return memo_model_compile(app->ctx, folder, path, &options, NULL, err);
}

/* Compile a published folder to a file that has no name any more once it is mapped. */
static memo_status verify_open_folder(cli_app *app, verify_run *run, memo_err *err)
{
    const char *tmpdir = getenv("TMPDIR"), *base = tmpdir && tmpdir[0] ? tmpdir : "/tmp";
    char *folder = memo_path_join(base, "memolith-XXXXXX"), *path = NULL;
    memo_source_check check = {.size = sizeof check};
    memo_status status = MEMO_OK;

    if (!folder) {
        status = memo_fail_nomem(err, "a path", 0);
    } else if (!mkdtemp(folder)) {
        status = memo_fail_errno(err, errno, base, "create a temporary folder");
    } else {
        path = memo_path_join(folder, "f32.safetensors");
        status = path ? verify_compile(app, run->against_path, path, err)
                      : memo_fail_nomem(err, "a path", 0);
        if (status == MEMO_OK)
            status = memo_model_open(app->ctx, path, NULL, &run->against, err);
        if (path)
            unlink(path);
        rmdir(folder);
    }
    memo_free(path);
    memo_free(folder);
    if (status == MEMO_OK)
        status = memo_model_check_source(app->model, run->against_path, &check, err);
    if (status == MEMO_OK && check.recorded[0] && !check.matches)
        cli_warn("%s is not what the model was compiled from, or has changed since",
                 run->against_path);
    return status;
}

static memo_status verify_open_against(cli_app *app, verify_run *run, memo_err *err)
{
    const memo_model_options options = cli_app_model_options(app);
    struct stat st;

    if (!run->against_path)
        return MEMO_OK;
    if (stat(run->against_path, &st) == 0 && S_ISDIR(st.st_mode))
        return verify_open_folder(app, run, err);
    memo_status status = cli_app_model_there(app, run->against_path, err);
    return status ? status
                  : memo_model_open(app->ctx, run->against_path, &options, &run->against, err);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void verify_put_whole(memo_buf *out, const verify_run *run)
{
    const memo_verify_report *r = &run->whole;

    memo_buf_printf(out, "%s\n  checksums    ", run->path);
    cli_put_grouped(out, r->n_blocks_checked);
    memo_buf_printf(out, " blocks\n  fingerprint  %s\n",
                    r->fingerprint_matches ? "matches" : "differs");
    memo_buf_printf(out,
                    "  self-test    %zu texts, %zu with other ids, largest difference %.2g, "
                    "least cosine %.9g\n",
                    r->n_probes, r->n_probe_ids_differ, r->probe_max_abs_diff, r->probe_min_cosine);
}

static void verify_put_text(memo_buf *out, const verify_run *run)
{
    const memo_fidelity_report *r = run->fidelity;

    verify_put_whole(out, run);
    if (r && r->n_layers) {
        memo_buf_printf(out, "against %s\n", run->against_path);
        cli_fidelity_put(out, r);
    }
    if (r && r->golden.n_texts) {
        memo_buf_printf(out, "golden %s\n", run->golden_path);
        cli_fidelity_put_texts(out, &r->golden);
    }
    for (size_t i = 0; r && i < run->n_gates; i++)
        memo_buf_printf(out, "gate %-9s %.9g, at least %.9g: %s\n", run->gates[i].name,
                        run->gates[i].found, run->gates[i].least,
                        run->gates[i].failed ? "FAILED" : "ok");
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void verify_json_whole(memo_buf *out, const memo_verify_report *r)
{
    cli_json_put_u64(out, "blocks_checked", r->n_blocks_checked);
    cli_json_key(out, "fingerprint_matches");
    cli_json_bool(out, r->fingerprint_matches);
    cli_json_put_u64(out, "probes", r->n_probes);
    cli_json_put_u64(out, "probe_ids_differ", r->n_probe_ids_differ);
    cli_json_put_double(out, "probe_max_abs_diff", r->probe_max_abs_diff);
    cli_json_key(out, "probe_min_cosine");
    cli_json_double(out, r->probe_min_cosine, 12);
}

static void verify_json_gates(memo_buf *out, const verify_run *run)
{
    cli_json_key(out, "gates");
    cli_json_open(out, '[');
    for (size_t i = 0; i < run->n_gates; i++) {
        cli_json_open(out, '{');
        cli_json_put_string(out, "figure", run->gates[i].name);
        cli_json_put_double(out, "found", run->gates[i].found);
        cli_json_put_double(out, "least", run->gates[i].least);
        cli_json_key(out, "passed");
        cli_json_bool(out, !run->gates[i].failed);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

static void verify_put_json(memo_buf *out, const verify_run *run)
{
    const memo_fidelity_report *r = run->fidelity;

    cli_json_open(out, '{');
    verify_json_whole(out, &run->whole);
    if (r && r->n_layers) {
        cli_fidelity_json(out, r);
        cli_fidelity_json_texts(out, "against", run->against_path, &r->against);
    }
    if (r && r->golden.n_texts)
        cli_fidelity_json_texts(out, "golden", run->golden_path, &r->golden);
    if (r)
        verify_json_gates(out, run);
    memo_buf_puts(out, "}\n");
}

/* ---- the verb ------------------------------------------------------------------------------ */

static memo_status verify_measure(cli_app *app, verify_run *run, memo_err *err)
{
    memo_fidelity_options options = {
        .size = sizeof options,
        .golden = run->golden_path,
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
    if (!run->against_path && !run->golden_path)
        return MEMO_OK;
    memo_status status = verify_open_against(app, run, err);
    options.against = run->against;
    if (status == MEMO_OK)
        status = memo_model_fidelity(app->model, &options, &run->fidelity, err);
    cli_progress_clear(&app->progress);
    return status == MEMO_OK ? verify_hold_gates(run, err) : status;
}

memo_status cli_verb_model_verify(cli_app *app, memo_err *err)
{
    verify_run run = {
        .against_path = cli_args_text(&app->args, OPT_AGAINST),
        .golden_path = cli_args_text(&app->args, OPT_GOLDEN),
        .whole = {.size = sizeof run.whole},
    };
    memo_status status = verify_read_gates(app, &run, err);

    if (status == MEMO_OK)
        status = cli_app_named_model(app, &run.path, err);
    if (status == MEMO_OK) {
        status = memo_model_verify(app->model, &run.whole, err);
        if (status == MEMO_OK)
            status = verify_measure(app, &run, err);
    }
    /* A report is written also when it ends in a refusal; not when it ended before its first figure. */
    if (run.whole.n_blocks_checked && app->out.format == CLI_FORMAT_TEXT)
        verify_put_text(&app->out.buf, &run);
    else if (run.whole.n_blocks_checked)
        verify_put_json(&app->out.buf, &run);
    memo_fidelity_free(run.fidelity);
    memo_model_close(run.against);
    memo_free(run.gates);
    return status;
}
