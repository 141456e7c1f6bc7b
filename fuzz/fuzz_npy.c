// SPDX-License-Identifier: Apache-2.0
/* fuzz_npy.c -- any bytes as a .npy file. What is accepted is a table that fills the file. */
#include <stdint.h>
#include <stdlib.h>

#include "format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_npy npy = {0};
    memo_err err = {0};

    if (memo_npy_parse(data, size, size, "fuzz", &npy, &err)) {
        if (npy.n_rows || !err.message[0])
            abort();
        return 0;
    }
    if (!npy.n_rows || !npy.n_cols || (npy.value_bytes != 4 && npy.value_bytes != 8) ||
        (size - npy.begin) / npy.n_rows != npy.n_cols * npy.value_bytes ||
        (size - npy.begin) % npy.n_rows)
        abort();
    return 0;
}
