// SPDX-License-Identifier: Apache-2.0
/* golden/npy.h -- read a .npy file of version 1.0, little-endian float32, C order. Tests only. */
#ifndef MEMO_GOLDEN_NPY_H
#define MEMO_GOLDEN_NPY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct npy {
    size_t n_dims, shape[4];
    size_t n_values;
    float *data; /* free() */
} npy;

/* Shape "(300, 384), }" from the header; returns 0 when it is none of up to four dimensions. */
static inline int npy_read_shape(const char *text, npy *out)
{
    out->n_dims = 0;
    out->n_values = 1;
    while (*text && *text != ')') {
        char *end;
        unsigned long n = strtoul(text, &end, 10);
        if (end == text) {
            text++;
            continue;
        }
        if (out->n_dims == 4)
            return 0;
        out->shape[out->n_dims++] = n;
        out->n_values *= n;
        text = end;
    }
    return out->n_dims > 0;
}

/* Returns 0 when the file is not there or not of this kind. */
static inline int npy_read(const char *path, npy *out)
{
    unsigned char head[10];
    char header[65536];
    FILE *f = fopen(path, "rb");

    memset(out, 0, sizeof *out);
    if (!f)
        return 0;
    int ok = fread(head, 1, 10, f) == 10 && !memcmp(head, "\x93NUMPY\x01\x00", 8);
    size_t n = ok ? head[8] | (size_t)head[9] << 8 : 0;
    ok = ok && n < sizeof header && fread(header, 1, n, f) == n;
    header[ok ? n : 0] = '\0';
    const char *shape = strstr(header, "'shape': (");
    ok = ok && shape && strstr(header, "'<f4'") && strstr(header, "'fortran_order': False") &&
         npy_read_shape(shape + strlen("'shape': ("), out);
    if (ok) {
        out->data = malloc(out->n_values * sizeof *out->data + 1);
        ok = out->data && fread(out->data, sizeof *out->data, out->n_values, f) == out->n_values;
    }
    fclose(f);
    if (!ok) {
        free(out->data);
        out->data = NULL;
    }
    return ok;
}

#endif
