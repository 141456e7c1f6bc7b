// SPDX-License-Identifier: Apache-2.0
/* fuzz_encode.c -- any text, valid or not. The first byte chooses the flags. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static memo_tokenizer *tokenizer;
    static unsigned char *tables;
    size_t n;

    if (!tokenizer) {
        tables = fuzz_tables(&n);
        if (memo_tokenizer_open(tables, n, &tokenizer, NULL))
            abort();
    }
    if (size)
        fuzz_encode(tokenizer, (const char *)data + 1, size - 1, data[0] & 7u, 1);
    return 0;
}
