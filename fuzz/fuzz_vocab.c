// SPDX-License-Identifier: Apache-2.0
/* fuzz_vocab.c -- any bytes as vocab.txt. What builds has one id a line, in order, and each token is
 * its line without the white space at the end. The length decides the case. */
#include "fuzz_tokenizer.h"

#include "text/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check_lines(const memo_tokenizer *tokenizer, const char *text, size_t size)
{
    uint32_t id = 0;

    for (size_t at = 0; at < size; id++) {
        const char *nl = memchr(text + at, '\n', size - at);
        size_t end = nl ? (size_t)(nl - text) : size, length, kept = at;
        const char *token = memo_tokenizer_token(tokenizer, id, &length);
        for (size_t i = at; i < end;) {
            uint32_t cp = 0;
            i += memo_utf8_decode(text + i, end - i, &cp);
            kept = memo_is_space(cp) ? kept : i;
        }
        if (!token || length != kept - at || memcmp(token, text + at, length) != 0)
            abort();
        at = end + 1;
    }
    if (memo_tokenizer_vocab_size(tokenizer) != id)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sample[] = "Hello a.b [CLS] \xC3\xA9\xCC\x81 \xE4\xB8\xAD";
    memo_tokenizer *tokenizer = NULL;
    memo_tokenizer_notes notes = {0};
    memo_buf buf = {0};
    memo_err err = {0};

    if (memo_tokenizer_build_vocab((const char *)data, size, (int)(size & 1), "fuzz", &buf, &notes,
                                   &err)) {
        if (!err.message[0] || buf.n)
            abort();
    } else {
        unsigned char *tables = memo_aligned_alloc(buf.n);
        if (!tables)
            abort();
        memcpy(tables, buf.data, buf.n);
        if (memo_tokenizer_open(tables, buf.n, &tokenizer, &err))
            abort();
        fuzz_check_lines(tokenizer, (const char *)data, size);
        fuzz_encode(tokenizer, sample, sizeof sample - 1, 0, 0);
        memo_tokenizer_close(tokenizer);
        memo_aligned_free(tables);
    }
    memo_buf_fini(&buf);
    return 0;
}
