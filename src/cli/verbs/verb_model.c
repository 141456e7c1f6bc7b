// SPDX-License-Identifier: Apache-2.0
/* model show and inspect: look inside. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/fidelity_out.h"
#include "cli/verbs/verbs.h"

/* ---- tensors ------------------------------------------------------------------------------- */

static void model_put_tensors(memo_buf *out, const memo_tensor_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const memo_tensor_info *tensor = &list->tensors[i];
        memo_buf shape = {0};
        for (size_t d = 0; d < tensor->n_dims; d++)
            memo_buf_printf(&shape, "%s%" PRIu64, d ? ", " : "", tensor->shape[d]);
        memo_buf_printf(out, "  %-5s [%s]  ", tensor->dtype, shape.data ? shape.data : "");
        cli_put_grouped(out, tensor->n_bytes);
        memo_buf_printf(out, " bytes at %" PRIu64 "  %s\n", tensor->offset, tensor->name);
        out->failed |= shape.failed;
        memo_buf_fini(&shape);
    }
}

static void model_put_json_tensor(memo_buf *out, const memo_tensor_info *tensor)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", tensor->name);
    cli_json_put_string(out, "dtype", tensor->dtype);
    cli_json_key(out, "shape");
    cli_json_open(out, '[');
    for (size_t d = 0; d < tensor->n_dims; d++)
        cli_json_u64(out, tensor->shape[d]);
    cli_json_close(out, ']');
    cli_json_put_u64(out, "bytes", tensor->n_bytes);
    cli_json_put_u64(out, "offset", tensor->offset);
    cli_json_close(out, '}');
}

/* "format", "metadata" and "tensors" of an object that is open. */
static void model_put_json_list(memo_buf *out, const memo_tensor_list *list)
{
    cli_json_put_string(out, "format", list->format);
    cli_json_key(out, "metadata");
    cli_json_open(out, '{');
    for (size_t i = 0; i < list->n_metadata; i++)
        cli_json_put_string(out, list->metadata[2 * i], list->metadata[2 * i + 1]);
    cli_json_close(out, '}');
    cli_json_key(out, "tensors");
    cli_json_open(out, '[');
    for (size_t i = 0; i < list->n; i++)
        model_put_json_tensor(out, &list->tensors[i]);
    cli_json_close(out, ']');
}

memo_status cli_verb_model_inspect(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    memo_tensor_list *list = NULL;
    memo_status status = cli_app_ctx(app, err);
    if (status == MEMO_OK)
        status = cli_app_model_there(app, app->args.words[0], err);
    if (status == MEMO_OK)
        status = memo_model_inspect(app->ctx, app->args.words[0], &list, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s: %s, %zu tensors\n", app->args.words[0], list->format, list->n);
        for (size_t i = 0; i < list->n_metadata; i++)
            memo_buf_printf(out, "  %s = %s\n", list->metadata[2 * i], list->metadata[2 * i + 1]);
        model_put_tensors(out, list);
    } else {
        cli_json_open(out, '{');
        model_put_json_list(out, list);
        memo_buf_puts(out, "}\n");
    }
    memo_tensor_list_free(list);
    return MEMO_OK;
}

/* ---- show ---------------------------------------------------------------------------------- */

/* One field of the recipe: {"value": ..., "origin": ...}, or a plain value. */
static void model_put_recipe_field(memo_buf *out, const char *name, const json_t *field)
{
    const json_t *value = json_object_get(field, "value");
    const char *origin = json_string_value(json_object_get(field, "origin"));
    char *text =
        json_dumps(value ? value : field, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
    memo_buf_printf(out, "  %-22s %s", name, text ? text : "");
    if (origin)
        memo_buf_printf(out, "  (%s)", origin);
    memo_buf_putc(out, '\n');
    out->failed |= text == NULL;
    free(text);
}

static memo_status model_put_recipe(memo_buf *out, const char *recipe_json, memo_err *err)
{
    json_t *recipe = NULL;
    const char *name;
    json_t *field;
    memo_status status = memo_json_parse(recipe_json, strlen(recipe_json),
                                         &memo_json_request_limits, "the recipe", &recipe, err);
    if (status)
        return status;
    memo_buf_puts(out, "recipe\n");
    json_object_foreach(recipe, name, field) model_put_recipe_field(out, name, field);
    json_decref(recipe);
    return MEMO_OK;
}

/* Warn when the folder is not what the model was compiled from; not an error: the model is whole. */
static memo_status model_compare_source(cli_app *app, memo_err *err)
{
    const char *folder = cli_args_text(&app->args, OPT_SOURCE_FOLDER);
    memo_source_check check = {.size = sizeof check};
    if (!folder)
        return MEMO_OK;
    memo_status status = memo_model_check_source(app->model, folder, &check, err);
    if (status)
        return status;
    if (!check.recorded[0])
        cli_warn("the model does not say what it was compiled from; %s is now %s", folder,
                 check.found);
    else if (!check.matches)
        cli_warn("%s has changed: the model was compiled from %s, the folder is now %s; compile it "
                 "again",
                 folder, check.recorded, check.found);
    return MEMO_OK;
}

/* Matrices and token embeddings: class, grain, activations, extents, bytes with their scales. */
static void model_put_weights(memo_buf *out, const memo_model *model)
{
    memo_weight_info weight = {.size = sizeof weight};

    memo_buf_puts(out, "weights\n");
    for (size_t i = 0; memo_model_get_weight(model, i, &weight, NULL) == MEMO_OK; i++) {
        memo_buf_printf(out, "  %-13s [%zu, %zu]  ", weight.format, weight.n_rows, weight.n_cols);
        cli_put_grouped(out, weight.n_bytes);
        memo_buf_printf(out, " bytes  %s\n", weight.name);
    }
}

static void model_put_json_weights(memo_buf *out, const memo_model *model)
{
    static const char *const activations[] = {"dynamic", "none",
                                              "static"}; /* as the enum has them */
    memo_weight_info weight = {.size = sizeof weight};

    cli_json_key(out, "weights");
    cli_json_open(out, '[');
    for (size_t i = 0; memo_model_get_weight(model, i, &weight, NULL) == MEMO_OK; i++) {
        int integer = weight.cls != MEMO_CLASS_F32 && weight.cls != MEMO_CLASS_F16 &&
                      weight.cls != MEMO_CLASS_BF16;
        cli_json_open(out, '{');
        cli_json_put_string(out, "name", weight.name);
        cli_json_put_string(out, "format", weight.format);
        cli_json_put_string(out, "class", memo_class_name(weight.cls));
        if (integer)
            cli_json_put_string(out, "activations", activations[weight.activations]);
        cli_json_put_u64(out, "rows", weight.n_rows);
        cli_json_put_u64(out, "columns", weight.n_cols);
        cli_json_put_u64(out, "bytes", weight.n_bytes);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

/* What the classes cost, as measured when it was compiled. */
static memo_status model_put_report(memo_buf *out, const memo_model *model, memo_err *err)
{
    memo_fidelity_report *report = NULL;
    memo_status status = memo_model_get_report(model, &report, err);

    if (status)
        return status;
    if (report) {
        memo_buf_printf(out, "report against class %s, %s\n",
                        memo_class_name(report->reference_class), report->reference);
        cli_fidelity_put(out, report);
    } else {
        memo_buf_puts(out, "report: none\n");
    }
    memo_fidelity_free(report);
    return MEMO_OK;
}

static memo_status model_put_text(memo_buf *out, const memo_model *model,
                                  const memo_model_info *info, const memo_tensor_list *list,
                                  memo_err *err)
{
    memo_buf_printf(out, "%s (%s, class %s, made by memolith %s)\n", info->name, info->architecture,
                    memo_class_name(info->cls), info->tool_version);
    memo_buf_printf(out, "  fingerprint            %s\n", info->fingerprint);
    memo_buf_printf(out, "  source                 %s\n",
                    info->source_hash[0] ? info->source_hash : "not recorded");
    memo_buf_printf(out, "  vector                 %zu dimensions\n", info->dim);
    memo_buf_printf(out, "  layers                 %zu of %zu\n", info->n_layers,
                    info->hidden_size);
    memo_buf_puts(out, "  parameters             ");
    cli_put_grouped(out, info->n_parameters);
    memo_buf_puts(out, "\n  file                   ");
    cli_put_grouped(out, info->file_bytes);
    memo_buf_puts(out, " bytes\n");
    memo_status status = model_put_recipe(out, info->recipe_json, err);
    model_put_weights(out, model);
    if (status == MEMO_OK)
        status = model_put_report(out, model, err);
    memo_buf_printf(out, "tensors (%zu)\n", list->n);
    model_put_tensors(out, list);
    return status;
}

static void model_put_json(memo_buf *out, const memo_model *model, const memo_model_info *info,
                           const memo_tensor_list *list)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", info->name);
    cli_json_put_string(out, "architecture", info->architecture);
    cli_json_put_string(out, "class", memo_class_name(info->cls));
    cli_json_put_string(out, "fingerprint", info->fingerprint);
    cli_json_put_string(out, "source", info->source_hash);
    cli_json_put_u64(out, "dim", info->dim);
    cli_json_put_u64(out, "max_tokens", info->max_tokens);
    cli_json_put_u64(out, "special_tokens", info->n_special_tokens);
    cli_json_put_u64(out, "layers", info->n_layers);
    cli_json_put_u64(out, "hidden_size", info->hidden_size);
    cli_json_put_u64(out, "parameters", info->n_parameters);
    cli_json_put_u64(out, "bytes", info->file_bytes);
    cli_json_put_string(out, "made_by", info->tool_version);
    cli_json_key(out, "recipe");
    cli_json_raw(out, info->recipe_json);
    model_put_json_weights(out, model);
    cli_json_key(out, "report");
    cli_json_raw(out, info->report_json);
    model_put_json_list(out, list);
    memo_buf_puts(out, "}\n");
}

memo_status cli_verb_model_show(cli_app *app, memo_err *err)
{
    const char *path;
    memo_model_info info = {.size = sizeof info};
    memo_tensor_list *list = NULL;
    memo_status status = cli_app_named_model(app, &path, err);
    if (status == MEMO_OK)
        status = model_compare_source(app, err);
    if (status == MEMO_OK)
        status = memo_model_inspect(app->ctx, path, &list, err);
    if (status)
        return status;
    memo_model_get_info(app->model, &info, NULL);
    if (app->out.format == CLI_FORMAT_TEXT)
        status = model_put_text(&app->out.buf, app->model, &info, list, err);
    else
        model_put_json(&app->out.buf, app->model, &info, list);
    memo_tensor_list_free(list);
    return status;
}
