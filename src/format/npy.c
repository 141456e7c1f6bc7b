// SPDX-License-Identifier: Apache-2.0
#include "format/npy.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define NPY_HEAD 12 /* bytes before the literal in version 2, the longer one */

/* NumPy pads to a multiple of 64; a table of two dimensions needs less than 128. */
#define NPY_MAX_HEADER 4096

/* The literal, being read. */
typedef struct npy_text {
    const char *at, *end;
} npy_text;

static void npy_skip_spaces(npy_text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

/* Take `token` if it stands next, spaces before it aside. */
static int npy_take(npy_text *t, const char *token)
{
    size_t n = strlen(token);

    npy_skip_spaces(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, token, n) != 0)
        return 0;
    t->at += n;
    return 1;
}

static int npy_take_size(npy_text *t, size_t *out)
{
    size_t n = 0;

    npy_skip_spaces(t);
    const char *first = t->at;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
        if (!memo_mul_size(n, 10, &n) || !memo_add_size(n, (size_t)(*t->at - '0'), &n))
            return 0;
    *out = n;
    return t->at > first;
}

/* The three members, in any order as Python's dictionaries have it; each once. */
static memo_status npy_read_literal(npy_text *t, const char *what, memo_npy *npy, memo_err *err)
{
    int descr = 0, order = 0, shape = 0;

    if (!npy_take(t, "{"))
        goto bad;
    while (!npy_take(t, "}")) {
        if (npy_take(t, "'descr':") && !descr++) {
            if (!npy_take(t, "'<f4'") && !npy_take(t, "'<f8'"))
                return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                                 "%s: values of another type; read are '<f4' and '<f8'", what);
            npy->value_bytes = (size_t)(t->at[-2] - '0');
        } else if (npy_take(t, "'fortran_order':") && !order++) {
            if (!npy_take(t, "False"))
                return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                                 "%s: values in another order; read is 'fortran_order': False",
                                 what);
        } else if (npy_take(t, "'shape':") && !shape++) {
            if (!npy_take(t, "(") || !npy_take_size(t, &npy->n_rows) || !npy_take(t, ",") ||
                !npy_take_size(t, &npy->n_cols) || !(npy_take(t, ",)") || npy_take(t, ")")))
                return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                                 "%s: not a table; read are two dimensions", what);
        } else {
            goto bad;
        }
        npy_take(t, ",");
    }
    npy_skip_spaces(t);
    if (descr && order && shape && t->at == t->end)
        return MEMO_OK;
bad:
    return memo_fail(err, MEMO_ERR_FORMAT,
                     "%s: the header is not {'descr': ..., 'fortran_order': ..., 'shape': ...}",
                     what);
}

memo_status memo_npy_parse(const void *bytes, size_t n_bytes, uint64_t file_bytes, const char *what,
                           memo_npy *npy, memo_err *err)
{
    const unsigned char *b = bytes;
    memo_npy made = {0};
    uint64_t values, wanted;

    if (n_bytes < NPY_HEAD || memcmp(b, "\x93NUMPY", 6) != 0 || b[6] < 1 || b[6] > 2 || b[7])
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: not a .npy file of version 1 or 2", what);
    size_t n_head = b[6] == 1 ? 10 : NPY_HEAD, n_text = b[8] | (size_t)b[9] << 8;
    if (b[6] == 2)
        n_text |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (n_text > NPY_MAX_HEADER || n_text > n_bytes - n_head)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: a header of %zu bytes; the file has %" PRIu64
                         ", and at most %d are allowed",
                         what, n_text, file_bytes, NPY_MAX_HEADER);
    npy_text text = {(const char *)b + n_head, (const char *)b + n_head + n_text};
    memo_status status = npy_read_literal(&text, what, &made, err);
    if (status)
        return status;
    made.begin = n_head + n_text;
    if (!made.n_rows || !made.n_cols || !memo_mul_u64(made.n_rows, made.n_cols, &values) ||
        !memo_mul_u64(values, made.value_bytes, &wanted) || file_bytes < made.begin ||
        wanted != file_bytes - made.begin)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: a shape of (%zu, %zu) does not fit %" PRIu64 " bytes", what,
                         made.n_rows, made.n_cols, file_bytes);
    *npy = made;
    return MEMO_OK;
}

/* Doubles to floats, in place. Both are read as bytes: the buffer has one type after the other. */
static void npy_round(void *values, size_t n)
{
    unsigned char *bytes = values;

    for (size_t i = 0; i < n; i++) {
        double wide;
        memcpy(&wide, bytes + i * sizeof wide, sizeof wide);
        float value = (float)wide;
        memcpy(bytes + i * sizeof value, &value, sizeof value);
    }
}

static memo_status npy_load_values(const memo_file *file, const memo_npy *npy, size_t max_values,
                                   float **values, memo_err *err)
{
    if (npy->n_rows > max_values / npy->n_cols)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %zu rows of %zu values; at most %zu are allowed",
                         file->path, npy->n_rows, npy->n_cols, max_values);
    size_t n = npy->n_rows * npy->n_cols;
    float *made = memo_calloc(n, npy->value_bytes);
    if (!made)
        return memo_fail_nomem(err, "a table of values", n * npy->value_bytes);
    memo_status status = memo_file_read(file, npy->begin, made, n * npy->value_bytes, err);
    if (status) {
        memo_free(made);
        return status;
    }
    if (npy->value_bytes == sizeof(double))
        npy_round(made, n);
    *values = made;
    return MEMO_OK;
}

memo_status memo_npy_load(const char *path, size_t max_values, memo_npy *npy, float **values,
                          memo_err *err)
{
    unsigned char head[NPY_HEAD + NPY_MAX_HEADER];
    memo_file file = {0};
    memo_status status = memo_file_open(&file, path, err);

    if (status)
        return status;
    size_t n = file.n_bytes < sizeof head ? (size_t)file.n_bytes : sizeof head;
    if ((status = memo_file_read(&file, 0, head, n, err)) == MEMO_OK &&
        (status = memo_npy_parse(head, n, file.n_bytes, path, npy, err)) == MEMO_OK)
        status = npy_load_values(&file, npy, max_values, values, err);
    memo_file_close(&file);
    return status;
}
