// SPDX-License-Identifier: Apache-2.0
#include "model/compile/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

#define SOURCE_VOCAB_BYTES ((size_t)64 << 20)  /* largest vocab.txt */
#define SOURCE_JSON_BYTES  ((size_t)128 << 20) /* largest tokenizer.json */

memo_status memo_source_warn(memo_source *source, memo_err *err, const char *fmt, ...)
{
    char line[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (source->n_warnings == source->cap_warnings) {
        size_t cap = source->cap_warnings ? 2 * source->cap_warnings : 8;
        const char **grown = memo_reallocarray(source->warnings, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "warnings", cap * sizeof *grown);
        source->warnings = grown;
        source->cap_warnings = cap;
    }
    const char *copy = memo_arena_strdup(&source->arena, line);
    if (!copy)
        return memo_fail_nomem(err, "a warning", strlen(line));
    source->warnings[source->n_warnings++] = copy;
    return MEMO_OK;
}

void memo_source_close(memo_source *source)
{
    memo_recipe_fini(&source->recipe);
    memo_buf_fini(&source->tokenizer);
    memo_safetensors_free(source->weights);
    memo_sha256_final(source->sha, NULL);
    memo_file_close(&source->file);
    memo_arena_fini(&source->arena);
    memo_free(source->warnings);
    memset(source, 0, sizeof *source);
}

/* ---- small files --------------------------------------------------------------------------- */

static memo_status source_has(const memo_source *source, const char *name, int *there,
                              memo_err *err)
{
    char *path = memo_path_join(source->folder, name);

    if (!path)
        return memo_fail_nomem(err, "a path", strlen(name));
    *there = memo_path_exists(path);
    memo_free(path);
    return MEMO_OK;
}

/* Load a JSON object or array; without `required` an absent file leaves *json NULL. */
static memo_status source_json(memo_source *source, const char *name, int required, json_t **json,
                               memo_err *err)
{
    const memo_json_limits *limits =
        strcmp(name, "tokenizer_config.json") ? &memo_json_request_limits : &memo_json_loose_limits;
    char *path = memo_path_join(source->folder, name), *text = NULL;
    size_t n_bytes = 0;
    memo_status status = MEMO_OK;

    if (!path)
        return memo_fail_nomem(err, "a path", strlen(name));
    if (required || memo_path_exists(path)) {
        status = memo_file_slurp(path, limits->max_bytes, &text, &n_bytes, err);
        if (status == MEMO_OK) {
            memo_source_hash_file(source, name, text, n_bytes);
            status = memo_json_parse(text, n_bytes, limits, path, json, err);
        }
    }
    memo_free(text);
    memo_free(path);
    return status;
}

/* Fields that ask the reference to run the publisher's code: named, and never followed. */
static memo_status source_warn_of_code(memo_source *source, const char *file, const json_t *json,
                                       memo_err *err)
{
    static const char *const fields[] = {"auto_map", "custom_pipelines"};
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < sizeof fields / sizeof *fields && status == MEMO_OK; i++)
        if (json_object_get(json, fields[i]))
            status = memo_source_warn(source, err,
                                      "%s: %s names code of the publisher; it is ignored, nothing "
                                      "is executed",
                                      file, fields[i]);
    return status;
}

static memo_status source_read_config(memo_source *source, memo_err *err)
{
    json_t *config = NULL;
    const char *model_type = NULL;
    memo_status status;

    if ((status = source_json(source, "config.json", 1, &config, err)))
        return memo_hint(err, status,
                         "a model folder holds config.json, tokenizer.json or vocab.txt, and "
                         "model.safetensors");
    if (!(status =
              memo_json_get_string(config, "config.json", "model_type", 1, &model_type, err)) &&
        !(status = memo_architecture_find(model_type, &source->architecture, err)) &&
        !(status = memo_recipe_set_text(&source->recipe.architecture, model_type, err)) &&
        !(status = source->architecture->read_config(config, &source->recipe, err)))
        status = source_warn_of_code(source, "config.json", config, err);
    source->recipe.origin[MEMO_RECIPE_architecture] = "config.json";
    json_decref(config);
    return status;
}

/* ---- modules and pooling ------------------------------------------------------------------- */

/* "sentence_transformers.models.Pooling" -> "Pooling" */
static const char *source_last_word(const char *dotted)
{
    const char *dot = strrchr(dotted, '.');
    return dot ? dot + 1 : dotted;
}

/* Only a plain name inside the folder: no separator, no "..". */
static int source_plain_name(const char *name)
{
    return *name && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

/* Transformer, Pooling and an optional Normalize, in this order. Copies the pooling's path. */
static memo_status source_module(memo_source *source, const json_t *module, size_t index,
                                 char pooling[256], memo_err *err)
{
    const char *type = NULL, *path = NULL;
    memo_status status;

    if ((status = memo_json_get_string(module, "modules.json", "type", 1, &type, err)) ||
        (status = memo_json_get_string(module, "modules.json", "path", 1, &path, err)))
        return status;
    const char *word = source_last_word(type);
    if (strncmp(type, "sentence_transformers.", 22) != 0 &&
        (status = memo_source_warn(source, err,
                                   "modules.json: module %zu is \"%.80s\", code of the publisher; "
                                   "it is taken for the %.80s of sentence_transformers, nothing is "
                                   "executed",
                                   index, type, word)))
        return status;
    if (index == 0 && !strcmp(word, "Transformer") && !*path)
        return MEMO_OK;
    if (index == 2 && !strcmp(word, "Normalize")) {
        source->recipe.normalize = 1;
        return MEMO_OK;
    }
    if (index != 1 || strcmp(word, "Pooling"))
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "modules.json: module %zu is \"%.80s\" in \"%.80s\"; supported is "
                         "Transformer in the folder itself, then Pooling, then Normalize",
                         index, type, path);
    if (!source_plain_name(path) || strlen(path) > 200)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "modules.json: path \"%.80s\" is not a plain name inside the folder",
                         path);
    snprintf(pooling, 256, "%s/config.json", path);
    return MEMO_OK;
}

static memo_status source_read_modules(memo_source *source, char pooling[256], memo_err *err)
{
    json_t *modules = NULL;
    memo_status status = source_json(source, "modules.json", 0, &modules, err);

    snprintf(pooling, 256, "1_Pooling/config.json");
    if (status || !modules) {
        source->recipe.normalize = 1;
        source->recipe.origin[MEMO_RECIPE_normalize] = "default";
        return status;
    }
    source->recipe.origin[MEMO_RECIPE_normalize] = "modules.json";
    if (!json_is_array(modules) || json_array_size(modules) < 2)
        status = memo_fail(err, MEMO_ERR_VALUE,
                           "modules.json: a list of Transformer, Pooling and an optional Normalize "
                           "is expected");
    for (size_t i = 0; status == MEMO_OK && i < json_array_size(modules); i++)
        status = source_module(source, json_array_get(modules, i), i, pooling, err);
    json_decref(modules);
    return status;
}

/* The one mode that a pooling file sets. */
static memo_status source_pooling_mode(const json_t *json, const char *name, size_t *pooling,
                                       memo_err *err)
{
    static const struct {
        const char *key;
        memo_pooling pooling; /* AUTO: not supported */
    } modes[] = {
        {"pooling_mode_cls_token", MEMO_POOLING_CLS},
        {"pooling_mode_mean_tokens", MEMO_POOLING_MEAN},
        {"pooling_mode_lasttoken", MEMO_POOLING_LAST},
        {"pooling_mode_max_tokens", MEMO_POOLING_AUTO},
        {"pooling_mode_mean_sqrt_len_tokens", MEMO_POOLING_AUTO},
        {"pooling_mode_weightedmean_tokens", MEMO_POOLING_AUTO},
    };
    const char *key = NULL;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int on = 0;
        memo_status status = memo_json_get_bool(json, name, modes[i].key, 0, &on, err);
        if (status)
            return status;
        if (on && key)
            return memo_fail(err, MEMO_ERR_VALUE, "%s: both %s and %s are set; one is allowed",
                             name, key, modes[i].key);
        if (on) {
            key = modes[i].key;
            *pooling = modes[i].pooling;
        }
    }
    if (!key)
        return memo_fail(err, MEMO_ERR_VALUE, "%s: no pooling mode is set; one must be", name);
    if (*pooling == MEMO_POOLING_AUTO)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "%s: %s is not supported; supported are mean, cls and last token", name,
                         key);
    return MEMO_OK;
}

static memo_status source_check_pooling(const memo_source *source, const json_t *json,
                                        const char *name, int *include_prompt, memo_err *err)
{
    size_t dim = source->recipe.hidden_size;
    memo_status status = memo_json_get_size(json, name, "word_embedding_dimension", 0,
                                            (memo_json_sizes){1, MEMO_RECIPE_MAX_WIDTH}, &dim, err);

    if (status)
        return status;
    if (dim != source->recipe.hidden_size)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "%s: word_embedding_dimension is %zu, but hidden_size of config.json is "
                         "%zu",
                         name, dim, source->recipe.hidden_size);
    return memo_json_get_bool(json, name, "include_prompt", 0, include_prompt, err);
}

static memo_status source_read_pooling(memo_source *source, memo_pooling override,
                                       int *include_prompt, memo_err *err)
{
    memo_recipe *recipe = &source->recipe;
    json_t *json = NULL;
    char name[256];
    memo_status status;

    if ((status = source_read_modules(source, name, err)) ||
        (status = source_json(source, name, 0, &json, err)))
        return status;
    recipe->pooling = MEMO_POOLING_MEAN;
    recipe->origin[MEMO_RECIPE_pooling] = json ? "1_Pooling/config.json" : "default";
    if (json)
        status = source_check_pooling(source, json, name, include_prompt, err);
    if (override != MEMO_POOLING_AUTO) {
        recipe->pooling = override;
        recipe->origin[MEMO_RECIPE_pooling] = MEMO_RECIPE_OPTION;
    } else if (json && status == MEMO_OK) {
        status = source_pooling_mode(json, name, &recipe->pooling, err);
    }
    json_decref(json);
    return status;
}

/* ---- length and prompts -------------------------------------------------------------------- */

/* The first that speaks: option, sentence_bert_config.json, the smaller of tokenizer_config.json's
 * model_max_length and the positions. (A model_max_length beyond the positions is the publisher's
 * way of writing "none".) */
static memo_status source_read_length(memo_source *source, size_t override, memo_err *err)
{
    memo_recipe *recipe = &source->recipe;
    json_t *bert = NULL, *tokenizer = NULL;
    double from_tokenizer = 0;
    int lower_case = 0;
    memo_status status;

    recipe->max_tokens = recipe->n_positions;
    recipe->origin[MEMO_RECIPE_max_tokens] = recipe->origin[MEMO_RECIPE_n_positions];
    if ((status = source_json(source, "tokenizer_config.json", 0, &tokenizer, err)) ||
        (status = source_json(source, "sentence_bert_config.json", 0, &bert, err)))
        goto done;
    if (tokenizer &&
        ((status = memo_json_get_double(tokenizer, "tokenizer_config.json", "model_max_length", 0,
                                        (memo_json_reals){1, 1e40}, &from_tokenizer, err)) ||
         (status = source_warn_of_code(source, "tokenizer_config.json", tokenizer, err))))
        goto done;
    if (from_tokenizer >= 1 && from_tokenizer < (double)recipe->n_positions) {
        recipe->max_tokens = (size_t)from_tokenizer;
        recipe->origin[MEMO_RECIPE_max_tokens] = "tokenizer_config.json";
    }
    if (bert) {
        size_t length = 0;
        if ((status =
                 memo_json_get_size(bert, "sentence_bert_config.json", "max_seq_length", 0,
                                    (memo_json_sizes){1, MEMO_RECIPE_MAX_TOKENS}, &length, err)) ||
            (status = memo_json_get_bool(bert, "sentence_bert_config.json", "do_lower_case", 0,
                                         &lower_case, err)))
            goto done;
        if (length) {
            recipe->max_tokens = length;
            recipe->origin[MEMO_RECIPE_max_tokens] = "sentence_bert_config.json";
        }
    }
    if (lower_case)
        status = memo_fail(err, MEMO_ERR_UNSUPPORTED,
                           "sentence_bert_config.json: do_lower_case is true; lower-casing before "
                           "the tokenizer is not supported");
    if (override) {
        recipe->max_tokens = override;
        recipe->origin[MEMO_RECIPE_max_tokens] = MEMO_RECIPE_OPTION;
    }
done:
    json_decref(bert);
    json_decref(tokenizer);
    return status;
}

/* What only an option can say: no file of a publisher names these. */
static void source_take_options(memo_source *source, const memo_compile_options *options)
{
    memo_recipe *recipe = &source->recipe;

    recipe->layers_average = options->layers_average;
    recipe->dims = options->dims;
    recipe->origin[MEMO_RECIPE_layers_average] = MEMO_RECIPE_OPTION;
    recipe->origin[MEMO_RECIPE_dims] = MEMO_RECIPE_OPTION;
}

/* The first of `names` that the prompts have, else the default prompt, else "". */
static memo_status source_prompt(const json_t *json, const char *const *names, char **out,
                                 const char **origin, memo_err *err)
{
    const char *file = "config_sentence_transformers.json";
    const json_t *prompts = json_object_get(json, "prompts");
    const char *fallback = NULL, *prompt = NULL;
    memo_status status = MEMO_OK;

    if (json)
        status = memo_json_get_string(json, file, "default_prompt_name", 0, &fallback, err);
    if (json_is_null(prompts))
        prompts = NULL;
    if (prompts && !json_is_object(prompts))
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: prompts is not an object", file);
    if (status)
        return status;
    for (; *names && !prompt && prompts; names++)
        if ((status = memo_json_get_string(prompts, file, *names, 0, &prompt, err)))
            return status;
    if (!prompt && fallback && prompts &&
        (status = memo_json_get_string(prompts, file, fallback, 1, &prompt, err)))
        return status;
    *origin = prompt ? file : "default";
    return memo_recipe_set_text(out, prompt ? prompt : "", err);
}

static memo_status source_read_prompts(memo_source *source, int include_prompt, memo_err *err)
{
    static const char *const query[] = {"query", NULL};
    static const char *const document[] = {"document", "passage", "corpus", NULL};
    memo_recipe *recipe = &source->recipe;
    json_t *json = NULL;
    memo_status status = source_json(source, "config_sentence_transformers.json", 0, &json, err);

    if (status ||
        (status = source_prompt(json, query, &recipe->prompt_query,
                                &recipe->origin[MEMO_RECIPE_prompt_query], err)) ||
        (status = source_prompt(json, document, &recipe->prompt_document,
                                &recipe->origin[MEMO_RECIPE_prompt_document], err)))
        goto done;
    if (!include_prompt && recipe->pooling == MEMO_POOLING_MEAN &&
        (*recipe->prompt_query || *recipe->prompt_document))
        status = memo_fail(err, MEMO_ERR_UNSUPPORTED,
                           "1_Pooling/config.json: include_prompt is false; a mean that leaves out "
                           "the prompt's tokens is not supported");
done:
    json_decref(json);
    return status;
}

/* ---- tokenizer and weights ----------------------------------------------------------------- */

static memo_status source_slurp(memo_source *source, const char *name, size_t max_bytes,
                                char **bytes, size_t *n_bytes, memo_err *err)
{
    char *path = memo_path_join(source->folder, name);
    if (!path)
        return memo_fail_nomem(err, "a path", strlen(name));
    memo_status status = memo_file_slurp(path, max_bytes, bytes, n_bytes, err);
    if (status == MEMO_OK)
        memo_source_hash_file(source, name, *bytes, *n_bytes);
    memo_free(path);
    return status;
}

static memo_status source_build_vocab(memo_source *source, memo_tokenizer_notes *notes,
                                      memo_err *err)
{
    json_t *json = NULL;
    char *text = NULL;
    size_t n_bytes = 0;
    int lower_case = 1;
    memo_status status;

    if ((status = source_json(source, "tokenizer_config.json", 0, &json, err)) ||
        (json && (status = memo_json_get_bool(json, "tokenizer_config.json", "do_lower_case", 0,
                                              &lower_case, err))) ||
        (status = source_slurp(source, "vocab.txt", SOURCE_VOCAB_BYTES, &text, &n_bytes, err)) ||
        (status = memo_tokenizer_build_vocab(text, n_bytes, lower_case, "vocab.txt",
                                             &source->tokenizer, notes, err)))
        goto done;
    status = memo_source_warn(source, err,
                              "there is no tokenizer.json: the tokenizer is made from vocab.txt, "
                              "%s (%s)",
                              lower_case ? "lower case" : "cased",
                              json_object_get(json, "do_lower_case") ? "tokenizer_config.json"
                                                                     : "default");
done:
    memo_free(text);
    json_decref(json);
    return status;
}

static memo_status source_build_tokenizer(memo_source *source, memo_tokenizer_notes *notes,
                                          memo_err *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    int has_json = 0, has_vocab = 0;
    memo_status status;

    if ((status = source_has(source, "tokenizer.json", &has_json, err)) ||
        (status = source_has(source, "vocab.txt", &has_vocab, err)))
        return status;
    if (!has_json && !has_vocab)
        return memo_fail(err, MEMO_ERR_NOTFOUND,
                         "%s: neither tokenizer.json nor vocab.txt is there", source->folder);
    if (!has_json)
        return source_build_vocab(source, notes, err);
    if (!(status = source_slurp(source, "tokenizer.json", SOURCE_JSON_BYTES, &text, &n_bytes, err)))
        status = memo_tokenizer_build_json(text, n_bytes, "tokenizer.json", &source->tokenizer,
                                           notes, err);
    memo_free(text);
    return status;
}

static memo_status source_check_tokenizer(memo_source *source, const memo_tokenizer_notes *notes,
                                          memo_err *err)
{
    const memo_recipe *recipe = &source->recipe;
    memo_status status = MEMO_OK;

    if (source->tokenizer.failed)
        return memo_fail_nomem(err, "the tokenizer's tables", source->tokenizer.cap);
    if (notes->vocab_size > recipe->vocab_size)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the tokenizer has ids up to %zu, but vocab_size of config.json is %zu",
                         notes->vocab_size - 1, recipe->vocab_size);
    if (notes->truncation_max_length && notes->truncation_max_length != recipe->max_tokens)
        status = memo_source_warn(source, err,
                                  "tokenizer.json truncates at %zu tokens; %zu are used (%s)",
                                  notes->truncation_max_length, recipe->max_tokens,
                                  recipe->origin[MEMO_RECIPE_max_tokens]);
    if (status == MEMO_OK && notes->has_padding)
        status = memo_source_warn(source, err,
                                  "tokenizer.json asks for padding; texts are run without any");
    return status;
}

static memo_status source_open_weights(memo_source *source, memo_err *err)
{
    int whole = 0, split = 0;
    memo_status status;

    if ((status = source_has(source, "model.safetensors", &whole, err)) ||
        (status = source_has(source, "model.safetensors.index.json", &split, err)))
        return status;
    if (!whole && split)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "%s: the weights are split over several files; one model.safetensors is "
                         "needed",
                         source->folder);
    char *path = memo_path_join(source->folder, "model.safetensors");
    if (!path)
        return memo_fail_nomem(err, "a path", 0);
    status = memo_file_open(&source->file, path, err);
    memo_free(path);
    return status ? status : memo_safetensors_read(&source->file, &source->weights, err);
}

memo_status memo_source_open(memo_source *source, const char *folder,
                             const memo_compile_options *options, memo_err *err)
{
    memo_tokenizer_notes notes = {0};
    int include_prompt = 1;
    memo_status status;

    source->folder = folder;
    source->sha = memo_sha256_new();
    if (!source->sha)
        return memo_fail_nomem(err, "the hash of the source", 0);
    if ((status = source_read_config(source, err)) ||
        (status = source_read_pooling(source, options->pooling, &include_prompt, err)) ||
        (status = source_read_length(source, options->max_tokens, err)) ||
        (status = source_read_prompts(source, include_prompt, err)))
        return status;
    source_take_options(source, options);
    if ((status = memo_recipe_check(&source->recipe, err)) ||
        (status = source_build_tokenizer(source, &notes, err)) ||
        (status = source_check_tokenizer(source, &notes, err)))
        return status;
    return source_open_weights(source, err);
}
