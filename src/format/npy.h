// SPDX-License-Identifier: Apache-2.0
/* format/npy.h -- arrays as NumPy saves them: a table of floats from a file that is not trusted.
 *
 *   0   "\x93NUMPY", version 1 or 2 (one byte), 0
 *   8   length of the header: two bytes (version 1) or four (version 2), little-endian
 *       a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (300, 384), } and spaces
 *       the values, row by row
 *
 * Read are '<f4' and '<f8' in C order with two dimensions. */
#ifndef MEMO_FORMAT_NPY_H
#define MEMO_FORMAT_NPY_H

#include "base/file.h"

typedef struct memo_npy {
    size_t n_rows, n_cols; /* both at least 1 */
    size_t value_bytes;    /* 4 or 8 */
    uint64_t begin;        /* of the values in the file */
} memo_npy;

/* Read the header from the first n_bytes of a file of file_bytes bytes, and hold its extents against
 * them. MEMO_ERR_FORMAT: not such a file, or its length is not what the header asks for;
 * MEMO_ERR_UNSUPPORTED: another type, order or number of dimensions. */
memo_status memo_npy_parse(const void *bytes, size_t n_bytes, uint64_t file_bytes, const char *what,
                           memo_npy *npy, memo_err *err);

/* memo_npy_load() -- a whole table as float.
 *
 *   values  out: [n_rows, n_cols], memo_free(); doubles are rounded to float
 *
 * MEMO_ERR_LIMIT beyond max_values, before anything is allocated. */
memo_status memo_npy_load(const char *path, size_t max_values, memo_npy *npy, float **values,
                          memo_err *err);

#endif
