// SPDX-License-Identifier: Apache-2.0
/* fuzz_safetensors.c -- any bytes as a safetensors file. What is accepted must tile the data, agree
 * with its shapes, and be found by every name and key it lists. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};

    if (memo_safetensors_parse(data, size, "fuzz", &st, &err)) {
        if (st || !err.message[0])
            abort();
        return 0;
    }
    uint64_t next = st->data_begin;
    for (size_t i = 0; i < st->n_tensors; i++) {
        const memo_st_tensor *t = &st->tensors[i];
        uint64_t values = 1;
        for (size_t d = 0; d < t->n_dims; d++)
            values *= t->shape[d];
        if (t->begin != next || t->end < t->begin || values != t->n_values ||
            values * memo_dtype_bits(t->dtype) != (t->end - t->begin) * 8 ||
            memo_safetensors_find(st, t->name) != t)
            abort();
        next = t->end;
    }
    for (size_t i = 0; i < st->n_metadata; i++)
        if (memo_safetensors_metadata(st, st->metadata[i].key) != st->metadata[i].value)
            abort();
    if (next != size)
        abort();
    memo_safetensors_free(st);
    return 0;
}
