// SPDX-License-Identifier: Apache-2.0
/* unit/safetensors_sample.h -- safetensors files in memory, made from the text of a header. */
#ifndef MEMO_SAFETENSORS_SAMPLE_H
#define MEMO_SAFETENSORS_SAMPLE_H

#include "format/safetensors.h"
#include "memo_test.h"

/* A file in memory: the header's text and `data` zero bytes after it. Freed by the caller. */
typedef struct st_sample {
    unsigned char *bytes;
    size_t n;
} st_sample;

static inline st_sample st_sample_make(const char *header, size_t header_bytes, size_t data_bytes)
{
    st_sample s = {NULL, 8 + header_bytes + data_bytes};

    s.bytes = calloc(1, s.n);
    assert_non_null(s.bytes);
    for (int i = 0; i < 8; i++)
        s.bytes[i] = (unsigned char)((uint64_t)header_bytes >> 8 * i);
    memcpy(s.bytes + 8, header, header_bytes);
    return s;
}

static inline memo_status st_sample_parse(const char *header, size_t data_bytes,
                                          memo_safetensors **st, memo_err *err)
{
    st_sample s = st_sample_make(header, strlen(header), data_bytes);
    memo_status status = memo_safetensors_parse(s.bytes, s.n, "sample", st, err);

    free(s.bytes);
    return status;
}

/* The oracle of acceptance: extents tile the data, sizes agree, names can be found. */
static inline void st_sample_check(const memo_safetensors *st, size_t n_bytes)
{
    uint64_t next = st->data_begin;

    for (size_t i = 0; i < st->n_tensors; i++) {
        const memo_st_tensor *t = &st->tensors[i];
        uint64_t values = 1;
        assert_int_equal(t->begin, next);
        for (size_t d = 0; d < t->n_dims; d++)
            values *= t->shape[d];
        assert_int_equal(values, t->n_values);
        assert_int_equal(values * memo_dtype_bits(t->dtype), (t->end - t->begin) * 8);
        assert_ptr_equal(memo_safetensors_find(st, t->name), t);
        next = t->end;
    }
    assert_int_equal(next, n_bytes);
}

/* n tensors of one byte each. */
static inline st_sample st_sample_many(size_t n)
{
    char *header = malloc(n * 90 + 10);
    size_t at = 0;

    assert_non_null(header);
    header[at++] = '{';
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(
            header + at, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
            i ? "," : "", i, i, i + 1);
    header[at++] = '}';
    st_sample s = st_sample_make(header, at, n);
    free(header);
    return s;
}

#endif
