// SPDX-License-Identifier: Apache-2.0
#include "model/compile/architecture.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

static const memo_architecture *const architecture_list[] = {
    &memo_architecture_bert,
    &memo_architecture_distilbert,
};

#define ARCHITECTURE_COUNT (sizeof architecture_list / sizeof *architecture_list)

memo_status memo_architecture_find(const char *model_type, const memo_architecture **architecture,
                                   memo_err *err)
{
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++)
        if (!strcmp(architecture_list[i]->model_type, model_type)) {
            *architecture = architecture_list[i];
            return MEMO_OK;
        }
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "config.json: model_type \"%.64s\" is not supported; supported are bert and "
                     "distilbert",
                     model_type);
}

const char *memo_architecture_name(const memo_architecture *a, memo_weight weight, size_t layer,
                                   size_t part, char *out)
{
    const char *name = part < MEMO_ARCHITECTURE_PARTS ? a->names[weight][part] : NULL;

    if (!name)
        return NULL;
    if (weight >= MEMO_WEIGHT_LAYER_FIRST)
        snprintf(out, 128, "%s%zu.%s", a->layer_prefix, layer, name);
    else
        snprintf(out, 128, "%s", name);
    return out;
}

/* json null counts as absent, as the reference's configs write it. */
static int config_has(const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    return value && !json_is_null(value);
}

memo_status memo_config_size(const json_t *config, const char *key, size_t max, size_t *out,
                             memo_recipe *recipe, memo_recipe_field field, memo_err *err)
{
    int required = *out == 0; /* no default was set */

    recipe->origin[field] = config_has(config, key) ? "config.json" : "default";
    return memo_json_get_size(config, "config.json", key, required, (memo_json_sizes){1, max}, out,
                              err);
}

memo_status memo_config_activation(const json_t *config, const char *key, memo_recipe *recipe,
                                   memo_err *err)
{
    static const struct {
        const char *name;
        memo_activation activation;
    } known[] = {
        {"gelu", MEMO_ACTIVATION_GELU_ERF}, /* BERT means the erf form */
        {"gelu_python", MEMO_ACTIVATION_GELU_ERF},
        {"gelu_new", MEMO_ACTIVATION_GELU_TANH},
        {"gelu_pytorch_tanh", MEMO_ACTIVATION_GELU_TANH},
    };
    const char *name = "gelu";

    recipe->origin[MEMO_RECIPE_activation] = config_has(config, key) ? "config.json" : "default";
    memo_status status = memo_json_get_string(config, "config.json", key, 0, &name, err);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) {
            recipe->activation = known[i].activation;
            return MEMO_OK;
        }
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "config.json: %s \"%.64s\" is not supported; supported are gelu, gelu_new and "
                     "gelu_pytorch_tanh",
                     key, name);
}
