// SPDX-License-Identifier: Apache-2.0
#include "cli/ready_vector.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

enum { VECTORS_FILE_BYTES = 4 << 20, VECTORS_NPY_HEAD = 10 };

void cli_vector_fini(cli_vector *vector)
{
    memo_free(vector->values);
    *vector = (cli_vector){.values = NULL};
}

static memo_status vectors_allocate(cli_vector *vector, size_t dim, memo_err *err)
{
    vector->values = memo_reallocarray(NULL, dim, sizeof *vector->values);
    vector->vector = (memo_vector){.f32 = vector->values, .dim = dim};
    return vector->values ? MEMO_OK : memo_fail_nomem(err, "a vector", dim * sizeof(float));
}

/* ---- JSON ---------------------------------------------------------------------------------- */

memo_status cli_vector_from_json(const json_t *value, const char *what, cli_vector *vector,
                                 memo_err *err)
{
    size_t n = json_array_size(value); /* 0 for what is no array */
    memo_status status;

    if (n == 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: an array of numbers like [0.1, -2] is needed",
                         what);
    status = vectors_allocate(vector, n, err);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        const json_t *number = json_array_get(value, i);
        if (json_is_number(number))
            vector->values[i] = (float)json_number_value(number);
        else
            status = memo_fail(err, MEMO_ERR_FORMAT, "%s: component %zu is no number", what, i);
    }
    return status;
}

/* ---- npy ----------------------------------------------------------------------------------- */

static uint64_t vectors_little(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

/* The number of components when the header's shape is (n,) or (1, n); else 0. */
static uint64_t vectors_npy_shape(const char *header)
{
    static const char key[] = "'shape': (";
    const char *at = strstr(header, key);
    uint64_t shape[2] = {0};
    size_t n_dims = 0;

    for (at = at ? at + sizeof key - 1 : ""; *at && *at != ')' && n_dims < 2;) {
        if (*at < '0' || *at > '9')
            return 0;
        while (*at >= '0' && *at <= '9' && shape[n_dims] < UINT32_MAX)
            shape[n_dims] = shape[n_dims] * 10 + (uint64_t)(*at++ - '0');
        n_dims++;
        at += strspn(at, ", ");
    }
    if (*at != ')' || n_dims == 0)
        return 0;
    return n_dims == 1 ? shape[0] : shape[0] == 1 ? shape[1] : 0;
}

static void vectors_npy_values(const unsigned char *p, size_t value_bytes, cli_vector *vector)
{
    for (size_t i = 0; i < vector->vector.dim; i++, p += value_bytes) {
        uint64_t bits = vectors_little(p, value_bytes);
        uint32_t half = (uint32_t)bits;
        double wide;
        memcpy(&wide, &bits, sizeof wide);
        if (value_bytes == 4)
            memcpy(&vector->values[i], &half, sizeof half);
        else
            vector->values[i] = (float)wide;
    }
}

static memo_status vectors_from_npy(const char *path, const char *bytes, size_t n_bytes,
                                    cli_vector *vector, memo_err *err)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t header, n_values, value_bytes = 0;
    uint64_t dim = 0;
    char text[256] = "";
    memo_status status;

    if (n_bytes < VECTORS_NPY_HEAD || memcmp(bytes, "\x93NUMPY\x01\x00", 8) != 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: not a NumPy array of version 1", path);
    header = (size_t)vectors_little(p + 8, 2);
    if (header > n_bytes - VECTORS_NPY_HEAD)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: cut off within its header", path);
    memcpy(text, bytes + VECTORS_NPY_HEAD, header < sizeof text ? header : sizeof text - 1);
    if (strstr(text, "'descr': '<f4'"))
        value_bytes = 4;
    else if (strstr(text, "'descr': '<f8'"))
        value_bytes = 8;
    dim = vectors_npy_shape(text);
    if (value_bytes == 0 || dim == 0)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "%s: an array of '<f4' or '<f8' with the shape (n,) or (1, n) is needed",
                         path);
    n_values = (n_bytes - VECTORS_NPY_HEAD - header) / value_bytes;
    if (n_values != dim || (n_bytes - VECTORS_NPY_HEAD - header) % value_bytes)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: %zu bytes of values; its header says %llu values of %zu bytes", path,
                         n_bytes - VECTORS_NPY_HEAD - header, (unsigned long long)dim, value_bytes);
    status = vectors_allocate(vector, (size_t)dim, err);
    if (status == MEMO_OK)
        vectors_npy_values(p + VECTORS_NPY_HEAD + header, value_bytes, vector);
    return status;
}

/* ---- either -------------------------------------------------------------------------------- */

memo_status cli_vector_read(const char *text, cli_vector *vector, memo_err *err)
{
    const char *what = text[strspn(text, " \n\t")] == '[' ? "the vector" : text;
    char *bytes = NULL;
    size_t n_bytes = strlen(text);
    json_t *value = NULL;
    memo_status status = MEMO_OK;

    if (what == text) {
        status = memo_file_slurp(text, VECTORS_FILE_BYTES, &bytes, &n_bytes, err);
        if (status)
            return status;
    }
    if (bytes && n_bytes && bytes[0] == '\x93') {
        status = vectors_from_npy(text, bytes, n_bytes, vector, err);
    } else {
        status = memo_json_parse(bytes ? bytes : text, n_bytes, &memo_json_loose_limits, what,
                                 &value, err);
        if (status == MEMO_OK)
            status = cli_vector_from_json(value, what, vector, err);
        json_decref(value);
    }
    memo_free(bytes);
    return status;
}

memo_status cli_app_embedder(cli_app *app, memo_err *err)
{
    if (!cli_args_has(&app->args, OPT_SPACE))
        return cli_app_model(app, NULL, err);
    if (cli_args_has(&app->args, OPT_MODEL))
        return memo_fail(
            err, MEMO_ERR_USAGE,
            "--model and --space contradict each other: vectors are made by a model or "
            "brought");
    return cli_app_ctx(app, err);
}
