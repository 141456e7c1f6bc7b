// SPDX-License-Identifier: Apache-2.0
/* fuzz_tokenizer_tables.c -- hostile tables. Random bytes die at the magic, so the input is a list of
 * patches to good tables: six bytes each, a place (in 32-bit words) and a value. Tables that open
 * must encode in bounds, whatever they then say. */
#include "fuzz_tokenizer.h"

static volatile char fuzz_sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "abca [CLS] a b [MASK] \xC3\xA9\xCC\x81 \xE4\xB8\xAD.zz ##a";
    static unsigned char *good, *tables;
    static size_t n;
    memo_tokenizer *tokenizer = NULL;
    size_t length;

    if (!good) {
        good = fuzz_tables(&n);
        tables = fuzz_tables(&n);
    }
    memcpy(tables, good, n);
    for (; size >= 6; size -= 6, data += 6) {
        size_t place = ((size_t)data[0] | (size_t)data[1] << 8) * 4;
        if (place + 4 <= n)
            memcpy(tables + place, data + 2, 4);
    }
    if (memo_tokenizer_open(tables, n, &tokenizer, NULL))
        return 0;
    for (unsigned flags = 0; flags < 8; flags++)
        fuzz_encode(tokenizer, text, sizeof text - 1, flags, 0);
    for (uint32_t id = 0; id < memo_tokenizer_vocab_size(tokenizer); id++) {
        const char *token = memo_tokenizer_token(tokenizer, id, &length);
        for (size_t i = 0; token && i < length; i++)
            fuzz_sink = token[i]; /* every byte of every token is read */
    }
    memo_tokenizer_close(tokenizer);
    return 0;
}
