// SPDX-License-Identifier: Apache-2.0
#include "model/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"

typedef enum recipe_kind {
    RECIPE_TEXT,
    RECIPE_SIZE,
    RECIPE_REAL,
    RECIPE_BOOL,
    RECIPE_NAME
} recipe_kind;

static const char *const recipe_activations[] = {"gelu_erf", "gelu_tanh", NULL};
static const char *const recipe_poolings[] = {"auto", "mean", "cls", "last", NULL};

/* One row per field, in the order of memo_recipe_field. */
static const struct recipe_row {
    const char *name;
    recipe_kind kind;
    size_t offset; /* in memo_recipe */
    size_t min, max;
    const char *const *names; /* RECIPE_NAME: the words, index is the value */
} recipe_rows[MEMO_RECIPE_FIELDS] = {
#define TEXT(field)                                                                                \
    {                                                                                              \
#field, RECIPE_TEXT, offsetof(memo_recipe, field), 0, 0, NULL                              \
    }
#define SIZE(field, min, max)                                                                      \
    {                                                                                              \
#field, RECIPE_SIZE, offsetof(memo_recipe, field), min, max, NULL                          \
    }
    TEXT(architecture),
    SIZE(n_layers, 1, MEMO_RECIPE_MAX_LAYERS),
    SIZE(hidden_size, 1, MEMO_RECIPE_MAX_WIDTH),
    SIZE(n_heads, 1, MEMO_RECIPE_MAX_WIDTH),
    SIZE(intermediate_size, 1, MEMO_RECIPE_MAX_WIDTH),
    SIZE(vocab_size, 1, MEMO_RECIPE_MAX_VOCAB),
    SIZE(n_positions, 1, MEMO_RECIPE_MAX_TOKENS),
    SIZE(n_token_types, 0, 1024),
    {"activation", RECIPE_NAME, offsetof(memo_recipe, activation), 0, 1, recipe_activations},
    {"norm_eps", RECIPE_REAL, offsetof(memo_recipe, norm_eps), 0, 0, NULL},
    SIZE(max_tokens, 1, MEMO_RECIPE_MAX_TOKENS),
    {"pooling", RECIPE_NAME, offsetof(memo_recipe, pooling), 1, 3, recipe_poolings},
    {"normalize", RECIPE_BOOL, offsetof(memo_recipe, normalize), 0, 1, NULL},
    TEXT(prompt_query),
    TEXT(prompt_document),
    SIZE(layers_average, 0, MEMO_RECIPE_MAX_LAYERS),
    SIZE(dims, 0, MEMO_RECIPE_MAX_WIDTH),
#undef TEXT
#undef SIZE
};

static char **recipe_text(const memo_recipe *recipe, size_t field)
{
    return (char **)(void *)((uintptr_t)recipe + recipe_rows[field].offset);
}

static size_t *recipe_size(const memo_recipe *recipe, size_t field)
{
    return (size_t *)(void *)((uintptr_t)recipe + recipe_rows[field].offset);
}

void memo_recipe_fini(memo_recipe *recipe)
{
    memo_free(recipe->architecture);
    memo_free(recipe->prompt_query);
    memo_free(recipe->prompt_document);
    memset(recipe, 0, sizeof *recipe);
}

memo_status memo_recipe_set_text(char **field, const char *value, memo_err *err)
{
    size_t n = strlen(value);
    if (n > MEMO_RECIPE_MAX_PROMPT)
        return memo_fail(err, MEMO_ERR_LIMIT, "a text of the recipe has %zu bytes, at most %d", n,
                         MEMO_RECIPE_MAX_PROMPT);
    char *copy = memo_strdup(value);
    if (!copy)
        return memo_fail_nomem(err, "the recipe", n);
    memo_free(*field);
    *field = copy;
    return MEMO_OK;
}

memo_status memo_recipe_check(const memo_recipe *r, memo_err *err)
{
    if (r->hidden_size % r->n_heads)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "recipe: %zu attention heads do not divide the hidden size %zu",
                         r->n_heads, r->hidden_size);
    if (r->max_tokens > r->n_positions)
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_VALUE,
                      "recipe: a maximum of %zu tokens, but the model has %zu positions",
                      r->max_tokens, r->n_positions),
            "--max-tokens from 3 to %zu", r->n_positions);
    if (r->layers_average > r->n_layers)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_VALUE,
                                   "recipe: a mean of the last %zu layers, but the model has %zu",
                                   r->layers_average, r->n_layers),
                         "--layers-average from 1 to %zu", r->n_layers);
    if (r->dims > r->hidden_size)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_VALUE,
                                   "recipe: %zu dimensions, but the model's vectors have %zu",
                                   r->dims, r->hidden_size),
                         "--dims from 1 to %zu", r->hidden_size);
    if (!(r->norm_eps > 0 && r->norm_eps < 1))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "recipe: norm_eps is %g, it must be above 0 and below 1", r->norm_eps);
    return MEMO_OK;
}

memo_transformer_config memo_recipe_config(const memo_recipe *r)
{
    return (memo_transformer_config){
        .n_layers = r->n_layers,
        .hidden_size = r->hidden_size,
        .n_heads = r->n_heads,
        .intermediate_size = r->intermediate_size,
        .vocab_size = r->vocab_size,
        .n_positions = r->n_positions,
        .n_token_types = r->n_token_types,
        .activation = (memo_activation)r->activation,
        .norm_eps = (float)r->norm_eps,
        .pooling = (memo_pooling)r->pooling,
        .normalize = (int)r->normalize,
        .layers_average = r->layers_average,
        .dims = r->dims,
    };
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static json_t *recipe_value(const memo_recipe *recipe, size_t field)
{
    switch (recipe_rows[field].kind) {
    case RECIPE_TEXT:
        return json_string(*recipe_text(recipe, field));
    case RECIPE_SIZE:
        return json_integer((json_int_t)*recipe_size(recipe, field));
    case RECIPE_REAL:
        return json_real(recipe->norm_eps);
    case RECIPE_BOOL:
        return json_boolean(*recipe_size(recipe, field));
    case RECIPE_NAME:
        return json_string(recipe_rows[field].names[*recipe_size(recipe, field)]);
    }
    return NULL;
}

/* The fewest digits that give the number back: 1e-12, not 9.9999999999999998e-13. */
static size_t recipe_digits(double value)
{
    for (int digits = 1; digits < 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) /* one locale on both sides */
            return (size_t)digits;
    }
    return 17;
}

memo_status memo_recipe_write(const memo_recipe *recipe, char **json, memo_err *err)
{
    memo_status status = MEMO_OK;
    const size_t flags =
        JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(recipe_digits(recipe->norm_eps));
    json_t *root = json_object();

    /* A NULL from jansson fails the calls that use it, so one check per field is enough. */
    for (size_t f = 0; f < MEMO_RECIPE_FIELDS && status == MEMO_OK; f++) {
        if (f >= MEMO_RECIPE_FIRST_LATER && !*recipe_size(recipe, f))
            continue; /* as an earlier version would have written it */
        json_t *pair = json_object();
        const char *origin = recipe->origin[f] ? recipe->origin[f] : "default";
        if (json_object_set_new(pair, "value", recipe_value(recipe, f)) ||
            json_object_set_new(pair, "origin", json_string(origin))) {
            json_decref(pair);
            status = MEMO_ERR_NOMEM;
        } else if (json_object_set_new(root, recipe_rows[f].name, pair)) {
            status = MEMO_ERR_NOMEM;
        }
    }
    status = memo_json_dump(status ? NULL : root, flags, "the recipe", json, err);
    json_decref(root);
    return status;
}

static memo_status recipe_read_name(const json_t *pair, size_t field, memo_recipe *recipe,
                                    memo_err *err)
{
    const struct recipe_row *row = &recipe_rows[field];
    const char *word = NULL;

    memo_status status = memo_json_get_string(pair, row->name, "value", 1, &word, err);
    if (status)
        return status;
    for (size_t i = row->min; i <= row->max; i++)
        if (!strcmp(word, row->names[i])) {
            *recipe_size(recipe, field) = i;
            return MEMO_OK;
        }
    return memo_fail(err, MEMO_ERR_UNSUPPORTED, "recipe: %s \"%s\" is not known", row->name, word);
}

static memo_status recipe_read_field(const json_t *pair, size_t field, memo_recipe *recipe,
                                     memo_err *err)
{
    const struct recipe_row *row = &recipe_rows[field];
    memo_status status = MEMO_OK;
    const char *text = NULL;
    int flag = 0;

    switch (row->kind) {
    case RECIPE_TEXT:
        status = memo_json_get_string(pair, row->name, "value", 1, &text, err);
        return status ? status : memo_recipe_set_text(recipe_text(recipe, field), text, err);
    case RECIPE_SIZE:
        return memo_json_get_size(pair, row->name, "value", 1,
                                  (memo_json_sizes){row->min, row->max}, recipe_size(recipe, field),
                                  err);
    case RECIPE_REAL:
        return memo_json_get_double(pair, row->name, "value", 1, (memo_json_reals){0, 1},
                                    &recipe->norm_eps, err);
    case RECIPE_BOOL:
        status = memo_json_get_bool(pair, row->name, "value", 1, &flag, err);
        *recipe_size(recipe, field) = flag != 0;
        return status;
    case RECIPE_NAME:
        return recipe_read_name(pair, field, recipe, err);
    }
    return status;
}

memo_status memo_recipe_read(const char *json, memo_recipe *recipe, memo_err *err)
{
    json_t *root = NULL;
    memo_status status =
        memo_json_parse(json, strlen(json), &memo_json_request_limits, "recipe", &root, err);

    for (size_t f = 0; f < MEMO_RECIPE_FIELDS && status == MEMO_OK; f++) {
        const json_t *pair = json_object_get(root, recipe_rows[f].name);
        if (!pair && f >= MEMO_RECIPE_FIRST_LATER)
            continue;
        status = json_is_object(pair)
                     ? recipe_read_field(pair, f, recipe, err)
                     : memo_fail(err, MEMO_ERR_FORMAT, "recipe: field \"%s\" is missing",
                                 recipe_rows[f].name);
        const char *origin = json_string_value(json_object_get(pair, "origin"));
        if (origin && !strcmp(origin, MEMO_RECIPE_OPTION))
            recipe->origin[f] = MEMO_RECIPE_OPTION;
    }
    json_decref(root);
    return status ? status : memo_recipe_check(recipe, err);
}

/* ---- identity ------------------------------------------------------------------------------ */

static void recipe_hash_u64(memo_sha256 *sha, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    memo_sha256_update(sha, bytes, sizeof bytes);
}

void memo_recipe_hash(const memo_recipe *recipe, memo_sha256 *sha)
{
    for (size_t f = 0; f < MEMO_RECIPE_FIELDS; f++) {
        const struct recipe_row *row = &recipe_rows[f];
        if (f >= MEMO_RECIPE_FIRST_LATER && !*recipe_size(recipe, f))
            continue;
        memo_sha256_update(sha, row->name, strlen(row->name) + 1);
        if (row->kind == RECIPE_TEXT) {
            const char *text = *recipe_text(recipe, f);
            recipe_hash_u64(sha, strlen(text));
            memo_sha256_update(sha, text, strlen(text));
        } else if (row->kind == RECIPE_NAME) {
            const char *word = row->names[*recipe_size(recipe, f)];
            recipe_hash_u64(sha, strlen(word));
            memo_sha256_update(sha, word, strlen(word));
        } else if (row->kind == RECIPE_REAL) {
            uint64_t bits;
            memcpy(&bits, &recipe->norm_eps, sizeof bits);
            recipe_hash_u64(sha, bits);
        } else {
            recipe_hash_u64(sha, *recipe_size(recipe, f));
        }
    }
}
