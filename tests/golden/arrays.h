// SPDX-License-Identifier: Apache-2.0
/* golden/arrays.h -- arrays of float from safetensors files, ONNX TensorProto files and JSON lists;
 * the caller free()s their data. Tests only; shares nothing with the library's own readers. */
#ifndef MEMO_GOLDEN_ARRAYS_H
#define MEMO_GOLDEN_ARRAYS_H

#include <stdint.h>

#include <jansson.h>

#include "golden/golden_util.h"
#include "golden/npy.h"

/* The whole of a file, free(); NULL when it is not there. */
static inline unsigned char *read_whole(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = NULL;

    if (!f)
        return NULL;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        bytes = need(malloc((size_t)size + 1));
        *n = fread(bytes, 1, (size_t)size, f);
        if (*n != (size_t)size) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(f);
    return bytes;
}

/* Little-endian values as floats: integers must be small enough to be exact. */
static inline int array_fill(npy *a, const unsigned char *bytes, size_t n_bytes, int is_float)
{
    a->n_values = 1;
    for (size_t i = 0; i < a->n_dims; i++)
        a->n_values *= a->shape[i];
    if (n_bytes != a->n_values * sizeof *a->data)
        return 0;
    a->data = need(malloc(n_bytes + 1));
    memcpy(a->data, bytes, n_bytes);
    for (size_t i = 0; !is_float && i < a->n_values; i++) {
        int32_t value;
        memcpy(&value, a->data + i, sizeof value);
        a->data[i] = (float)value;
    }
    return 1;
}

static inline int array_shape(npy *a, const json_t *list)
{
    size_t n = json_array_size(list);

    memset(a, 0, sizeof *a);
    for (; a->n_dims < n && n <= 4; a->n_dims++)
        a->shape[a->n_dims] = (size_t)json_integer_value(json_array_get(list, a->n_dims));
    return n > 0 && n <= 4;
}

/* Lists "KEY" and "KEY_shape" of an object. */
static inline int array_from_json(npy *a, const json_t *object, const char *key, const char *shape)
{
    const json_t *list = json_object_get(object, key);

    if (!array_shape(a, json_object_get(object, shape)))
        return 0;
    a->n_values = json_array_size(list);
    a->data = need(calloc(a->n_values + 1, sizeof *a->data));
    for (size_t i = 0; i < a->n_values; i++)
        a->data[i] = (float)json_number_value(json_array_get(list, i));
    return a->n_values > 0;
}

/* ---- safetensors --------------------------------------------------------------------------- */

typedef struct tensor_file {
    unsigned char *bytes;
    size_t n_bytes, begin; /* of the data */
    json_t *header;
} tensor_file;

static inline int tensor_file_read(tensor_file *f, const char *path)
{
    uint64_t n = 0;

    memset(f, 0, sizeof *f);
    f->bytes = read_whole(path, &f->n_bytes);
    if (!f->bytes || f->n_bytes < sizeof n)
        return 0;
    memcpy(&n, f->bytes, sizeof n);
    if (n > f->n_bytes - sizeof n)
        return 0;
    f->begin = sizeof n + (size_t)n;
    f->header = json_loadb((const char *)f->bytes + sizeof n, (size_t)n, 0, NULL);
    return f->header != NULL;
}

static inline void tensor_file_free(tensor_file *f)
{
    free(f->bytes);
    json_decref(f->header);
}

/* A tensor of F32 or I32; returns 0 when there is none of that name. */
static inline int tensor_file_array(const tensor_file *f, const char *name, npy *out)
{
    const json_t *t = json_object_get(f->header, name), *at = json_object_get(t, "data_offsets");
    const char *type = json_string_value(json_object_get(t, "dtype"));
    size_t from = (size_t)json_integer_value(json_array_get(at, 0));
    size_t to = (size_t)json_integer_value(json_array_get(at, 1));

    return array_shape(out, json_object_get(t, "shape")) && from <= to &&
           to <= f->n_bytes - f->begin && type && (!strcmp(type, "F32") || !strcmp(type, "I32")) &&
           array_fill(out, f->bytes + f->begin + from, to - from, !strcmp(type, "F32"));
}

/* ---- TensorProto --------------------------------------------------------------------------- */

enum { PROTO_VARINT = 0, PROTO_BYTES = 2 };
enum { PROTO_DIMS = 1, PROTO_TYPE = 2, PROTO_RAW = 9, PROTO_FLOAT = 1 };

/* A base-128 number at *p; stops at the end. */
static inline uint64_t proto_number(const unsigned char **p, const unsigned char *end)
{
    uint64_t n = 0;

    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        unsigned char byte = *(*p)++;
        n |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    return n;
}

/* Dimensions, type and raw data of a tensor of float; returns 0 for anything else. */
static inline int proto_read(const char *path, npy *out)
{
    size_t n = 0, n_raw = 0;
    unsigned char *bytes = read_whole(path, &n);
    const unsigned char *p = bytes, *end = bytes + n, *raw = NULL;
    uint64_t type = 0;

    memset(out, 0, sizeof *out);
    while (p && p < end) {
        uint64_t tag = proto_number(&p, end), value = proto_number(&p, end);
        int is_bytes = (tag & 7) == PROTO_BYTES;
        if ((!is_bytes && (tag & 7) != PROTO_VARINT) || (is_bytes && value > (uint64_t)(end - p)) ||
            (tag >> 3 == PROTO_DIMS && is_bytes))
            break;
        if (tag >> 3 == PROTO_DIMS && out->n_dims < 4)
            out->shape[out->n_dims++] = (size_t)value;
        else if (tag >> 3 == PROTO_TYPE)
            type = value;
        else if (tag >> 3 == PROTO_RAW && is_bytes)
            raw = p, n_raw = (size_t)value;
        p += is_bytes ? value : 0;
    }
    int ok = p && p == end && type == PROTO_FLOAT && raw && array_fill(out, raw, n_raw, 1);
    free(bytes);
    return ok;
}

#endif
