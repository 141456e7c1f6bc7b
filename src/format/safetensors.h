// SPDX-License-Identifier: Apache-2.0
/* format/safetensors.h -- read and write safetensors files, trusting nothing in them.
 *
 * A file is
 *
 *     8 bytes             length N of the header, little-endian
 *     N bytes             JSON: {"name": {"dtype": "F32", "shape": [2, 3],
 *                         "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "value"}}
 *     the rest            the data; the extents of the tensors tile it without gap or overlap
 *
 * Accepted exactly when the format's own text allows it: duplicate names (however escaped), extra
 * or missing fields, numbers that are not plain non-negative integers, gaps, overlaps and bytes
 * after the last tensor are MEMO_ERR_FORMAT; a dtype that is not in the list below is
 * MEMO_ERR_UNSUPPORTED by name. Values of tensors are never looked at.
 *
 * Parsing is linear in the header's length (but for the sort of the names) and takes less than 16
 * times its bytes of memory. Nothing in the object points into the caller's bytes. */
#ifndef MEMO_FORMAT_SAFETENSORS_H
#define MEMO_FORMAT_SAFETENSORS_H

#include "base/file.h"

#define MEMO_SAFETENSORS_MAX_HEADER  100000000u
#define MEMO_SAFETENSORS_MAX_TENSORS 200000u
#define MEMO_SAFETENSORS_MAX_DIMS    64u

/* X(name in the file, bits of one value). */
#define MEMO_DTYPE_MAP(X)                                                                          \
    X(BOOL, 8)                                                                                     \
    X(F4, 4)                                                                                       \
    X(F6_E2M3, 6)                                                                                  \
    X(F6_E3M2, 6)                                                                                  \
    X(U8, 8)                                                                                       \
    X(I8, 8)                                                                                       \
    X(F8_E5M2, 8)                                                                                  \
    X(F8_E4M3, 8)                                                                                  \
    X(F8_E5M2FNUZ, 8)                                                                              \
    X(F8_E4M3FNUZ, 8)                                                                              \
    X(F8_E8M0, 8)                                                                                  \
    X(I16, 16)                                                                                     \
    X(U16, 16)                                                                                     \
    X(F16, 16)                                                                                     \
    X(BF16, 16)                                                                                    \
    X(I32, 32)                                                                                     \
    X(U32, 32)                                                                                     \
    X(F32, 32)                                                                                     \
    X(C64, 64)                                                                                     \
    X(F64, 64)                                                                                     \
    X(I64, 64)                                                                                     \
    X(U64, 64)

typedef enum memo_dtype {
#define MEMO_DTYPE_ENUM(name, bits) MEMO_DTYPE_##name,
    MEMO_DTYPE_MAP(MEMO_DTYPE_ENUM)
#undef MEMO_DTYPE_ENUM
        MEMO_DTYPE_COUNT
} memo_dtype;

const char *memo_dtype_name(memo_dtype dtype); /* as a file spells it; "?" outside the list */
unsigned memo_dtype_bits(memo_dtype dtype);

/* -- reading ---------------------------------------------------------------------------------- */

/* One tensor. Row-major, little-endian. */
typedef struct memo_st_tensor {
    const char *name;
    memo_dtype dtype;
    size_t n_dims;         /* 0: a scalar */
    const uint64_t *shape; /* [n_dims]; a dimension may be 0 */
    uint64_t n_values;     /* product of shape */
    uint64_t begin, end;   /* bytes from the start of the file, end - begin fits dtype and shape */
} memo_st_tensor;

typedef struct memo_st_metadata {
    const char *key, *value; /* UTF-8 without NUL */
} memo_st_metadata;

typedef struct memo_safetensors {
    size_t n_tensors;
    const memo_st_tensor *tensors; /* [n_tensors] in the order of their data */
    size_t n_metadata;
    const memo_st_metadata *metadata; /* [n_metadata] in the order of the file */
    uint64_t data_begin;              /* 8 + N: offset of the data section */
    uint64_t n_bytes;                 /* of the whole file */
} memo_safetensors;

/* Read the header of a file; tensor data is for the caller to read, by `begin` and `end`, as and
 * when it is needed. The file is borrowed for the call. Release with memo_safetensors_free(). */
memo_status memo_safetensors_read(const memo_file *file, memo_safetensors **out, memo_err *err);
/* The same for a whole file in memory (mapped or the caller's). `what` names it in messages. */
memo_status memo_safetensors_parse(const void *bytes, size_t n_bytes, const char *what,
                                   memo_safetensors **out, memo_err *err);
void memo_safetensors_free(memo_safetensors *st);

/* By name, in logarithmic time; NULL when absent. */
const memo_st_tensor *memo_safetensors_find(const memo_safetensors *st, const char *name);
const char *memo_safetensors_metadata(const memo_safetensors *st, const char *key);

/* -- writing ---------------------------------------------------------------------------------- */

/* Every tensor begins on a multiple of this, counted from the start of the file. Gaps are filled
 * with zero bytes in tensors named "memolith.pad.N" (U8), as the format allows no gap. */
#define MEMO_SAFETENSORS_ALIGN      64u
#define MEMO_SAFETENSORS_PAD_PREFIX "memolith.pad."

typedef struct memo_st_spec {
    const char *name;
    memo_dtype dtype;
    size_t n_dims;
    const uint64_t *shape;
} memo_st_spec;

typedef struct memo_st_writer memo_st_writer;

/* Begin a file in `out`, a memo_replace to which nothing was appended yet and which is borrowed
 * until memo_st_writer_free(). The specs are copied. `metadata_bytes` is the room to keep in the
 * header for memo_st_writer_set(): the bytes of all keys and values, and 6 for each pair (more for
 * what JSON must escape). The header is written last; the data section starts aligned. */
memo_status memo_st_writer_new(memo_replace *out, const memo_st_spec *specs, size_t n_specs,
                               size_t metadata_bytes, memo_st_writer **writer, memo_err *err);
/* The next bytes of the data: of spec 0 from its start, then of spec 1, ... The call must not
 * cross from `spec` into another one; a wrong order or more bytes than the shape allows is
 * MEMO_ERR_USAGE. Padding is inserted by the writer. */
memo_status memo_st_writer_append(memo_st_writer *writer, size_t spec, const void *bytes,
                                  size_t n_bytes, memo_err *err);
/* Put everything appended so far into the file, where it can be read back. */
memo_status memo_st_writer_flush(memo_st_writer *writer, memo_err *err);
/* Set or replace one metadata value, any time before finish. */
memo_status memo_st_writer_set(memo_st_writer *writer, const char *key, const char *value,
                               memo_err *err);
/* Write the header. MEMO_ERR_USAGE when data is missing, MEMO_ERR_LIMIT when the metadata does not
 * fit the room kept. Committing the file is for the caller. */
memo_status memo_st_writer_finish(memo_st_writer *writer, memo_err *err);
void memo_st_writer_free(memo_st_writer *writer);

/* Offset from the start of the file at which the data of a spec begins. */
uint64_t memo_st_writer_offset(const memo_st_writer *writer, size_t spec);

#endif
