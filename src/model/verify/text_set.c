// SPDX-License-Identifier: Apache-2.0
/* The texts that figures are measured on: a golden folder's with their vectors, or our own. */
#include "model/verify/fidelity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "format/npy.h"

#define TEXT_SET_MAX_BYTES ((size_t)64 << 20) /* of a file with texts */

/* ---- golden folders ------------------------------------------------------------------------ */

/* One JSON object a line. */
typedef struct golden_lines {
    char *path, *text;
    size_t n;
    char **lines; /* [n] in text, each NUL-terminated */
} golden_lines;

static void golden_lines_fini(golden_lines *lines)
{
    memo_free(lines->path);
    memo_free(lines->text);
    memo_free(lines->lines);
}

static memo_status golden_lines_read(golden_lines *lines, const char *folder, const char *name,
                                     memo_err *err)
{
    size_t n_bytes = 0, most = 1;
    memo_status status;

    lines->path = memo_path_join(folder, name);
    if (!lines->path)
        return memo_fail_nomem(err, "a path", 0);
    if ((status = memo_file_slurp(lines->path, TEXT_SET_MAX_BYTES, &lines->text, &n_bytes, err)))
        return status;
    for (size_t i = 0; i < n_bytes; i++)
        most += lines->text[i] == '\n';
    lines->lines = memo_calloc(most, sizeof *lines->lines);
    if (!lines->lines)
        return memo_fail_nomem(err, "the list of lines", most * sizeof *lines->lines);
    for (char *line = lines->text; line < lines->text + n_bytes;) {
        char *end = memchr(line, '\n', (size_t)(lines->text + n_bytes - line));
        if (end)
            *end = '\0';
        lines->lines[lines->n++] = line;
        line = end ? end + 1 : lines->text + n_bytes;
    }
    return MEMO_OK;
}

/* Line `at` as an object; the caller releases it. */
static memo_status golden_parse(const golden_lines *lines, size_t at, json_t **object,
                                memo_err *err)
{
    char what[300];

    if (at >= lines->n)
        return memo_fail(err, MEMO_ERR_VALUE, "%s: line %zu is named, and there are %zu",
                         lines->path, at + 1, lines->n);
    snprintf(what, sizeof what, "%.250s, line %zu", lines->path, at + 1);
    const char *line = lines->lines[at];
    memo_status status =
        memo_json_parse(line, strlen(line), &memo_json_line_limits, what, object, err);
    if (status == MEMO_OK && !json_is_object(*object)) {
        json_decref(*object);
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: not an object", what);
    }
    return status;
}

/* Prefix and text, which may hold NULs, as one text in the arena. */
static memo_status golden_put(memo_text_set *set, const golden_lines *texts, size_t at,
                              const char *prefix, memo_text *out, memo_err *err)
{
    json_t *object = NULL;
    memo_status status = golden_parse(texts, at, &object, err);

    if (status)
        return status;
    const json_t *text = json_object_get(object, "text");
    const char *own = NULL;
    status = memo_json_get_string(object, texts->path, "prefix", 0, &own, err);
    prefix = prefix ? prefix : own ? own : "";
    if (status == MEMO_OK && !json_is_string(text))
        status = memo_fail(err, MEMO_ERR_FORMAT, "%s, line %zu: \"text\" is missing, or no string",
                           texts->path, at + 1);
    if (status == MEMO_OK) {
        size_t n_prefix = strlen(prefix), n_text = json_string_length(text);
        char *bytes = memo_arena_alloc(&set->arena, n_prefix + n_text + 1);
        if (bytes) {
            memcpy(bytes, prefix, n_prefix);
            memcpy(bytes + n_prefix, json_string_value(text), n_text);
            *out = (memo_text){bytes, n_prefix + n_text};
        } else {
            status = memo_fail_nomem(err, "a golden text", n_prefix + n_text);
        }
    }
    json_decref(object);
    return status;
}

/* Through tokens.jsonl: which line of the folder above, with which prefix. */
static memo_status golden_put_indexed(memo_text_set *set, const golden_lines *index,
                                      const golden_lines *texts, size_t at, memo_text *out,
                                      memo_err *err)
{
    const memo_json_sizes lines = {0, MEMO_TEXT_SET_MAX - 1};
    json_t *object = NULL;
    size_t line = 0;
    const char *prefix = "";
    memo_status status = golden_parse(index, at, &object, err);

    if (status)
        return status;
    if ((status = memo_json_get_size(object, index->path, "i", 1, lines, &line, err)) == MEMO_OK &&
        (status = memo_json_get_string(object, index->path, "prefix", 0, &prefix, err)) == MEMO_OK)
        status = golden_put(set, texts, line, prefix, out, err);
    json_decref(object);
    return status;
}

static memo_status golden_fill(memo_text_set *set, const golden_lines *index,
                               const golden_lines *texts, memo_err *err)
{
    size_t n = index->path ? index->n : texts->n;
    memo_text *list = memo_arena_array(&set->arena, n + 1, sizeof *list);
    memo_status status = MEMO_OK;

    if (!list)
        return memo_fail_nomem(err, "the golden texts", n * sizeof *list);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = index->path ? golden_put_indexed(set, index, texts, i, &list[i], err)
                             : golden_put(set, texts, i, NULL, &list[i], err);
    set->n = n;
    set->texts = list;
    return status;
}

static memo_status golden_texts(memo_text_set *set, const char *folder, memo_err *err)
{
    golden_lines index = {0}, texts = {0};
    memo_status status = MEMO_OK;
    char *path = memo_path_join(folder, "tokens.jsonl"), *above = memo_path_join(folder, "..");

    if (!path || !above)
        status = memo_fail_nomem(err, "a path", 0);
    else if (memo_path_exists(path) &&
             (status = golden_lines_read(&index, folder, "tokens.jsonl", err)) == MEMO_OK)
        status = golden_lines_read(&texts, above, "texts.jsonl", err);
    else if (status == MEMO_OK)
        status = golden_lines_read(&texts, folder, "texts.jsonl", err);
    size_t n = index.path ? index.n : texts.n;
    if (status == MEMO_OK && (n < MEMO_TEXT_SET_MIN || n > MEMO_TEXT_SET_MAX))
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: %zu texts; %d to %d are allowed", folder, n,
                           MEMO_TEXT_SET_MIN, MEMO_TEXT_SET_MAX);
    if (status == MEMO_OK)
        status = golden_fill(set, &index, &texts, err);
    golden_lines_fini(&index);
    golden_lines_fini(&texts);
    memo_free(path);
    memo_free(above);
    return status;
}

/* A cosine with a golden vector must be a number. */
static memo_status golden_check(const char *path, const float *vectors, size_t n, size_t dim,
                                memo_err *err)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t d = 0; d < dim; d++)
            sum += (double)vectors[i * dim + d] * (double)vectors[i * dim + d];
        if (!isfinite(sum) || sum == 0)
            return memo_fail(err, MEMO_ERR_VALUE, "%s: row %zu is not finite or has no length",
                             path, i);
    }
    return MEMO_OK;
}

static memo_status golden_vectors(memo_text_set *set, const char *folder, size_t dim, memo_err *err)
{
    memo_npy npy;
    char *path = memo_path_join(folder, "emb_f64.npy");
    memo_status status;

    if (path && !memo_path_exists(path)) {
        memo_free(path);
        path = memo_path_join(folder, "emb_f32.npy");
    }
    if (!path)
        return memo_fail_nomem(err, "a path", 0);
    status = memo_npy_load(path, MEMO_TEXT_SET_MAX * (size_t)MEMO_RECIPE_MAX_WIDTH, &npy,
                           &set->vectors, err);
    if (status == MEMO_OK && npy.n_rows != set->n)
        status =
            memo_fail(err, MEMO_ERR_VALUE, "%s: %zu rows for %zu texts", path, npy.n_rows, set->n);
    else if (status == MEMO_OK && npy.n_cols != dim)
        status =
            memo_fail(err, MEMO_ERR_MISMATCH, "%s: vectors of %zu dimensions; the model's have %zu",
                      path, npy.n_cols, dim);
    else if (status == MEMO_OK)
        status = golden_check(path, set->vectors, set->n, dim, err);
    memo_free(path);
    return status;
}

memo_status memo_text_set_load(memo_text_set *set, const char *folder, size_t dim, memo_err *err)
{
    memo_status status = golden_texts(set, folder, err);

    return status ? status : golden_vectors(set, folder, dim, err);
}

void memo_text_set_fini(memo_text_set *set)
{
    memo_free(set->vectors);
    memo_arena_fini(&set->arena);
    memset(set, 0, sizeof *set);
}

/* ---- our own ------------------------------------------------------------------------------- */

void memo_text_set_own(memo_text_set *set)
{
    *set = (memo_text_set){.n = MEMO_OWN_TEXTS, .texts = memo_own_texts};
}
