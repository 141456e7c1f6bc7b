// SPDX-License-Identifier: Apache-2.0
/* fuzz_tokenizer_json.c -- any bytes as tokenizer.json. What builds must open and encode. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The tables of a build that went well must be ones that open. */
static void use_tables(memo_status status, memo_buf *buf, const memo_tokenizer_notes *notes)
{
    static const char text[] = "Hello a.b [CLS] \xC3\xA9\xCC\x81 \xE4\xB8\xAD";
    memo_tokenizer *tokenizer = NULL;

    if (!status) {
        unsigned char *tables = memo_aligned_alloc(buf->n);
        if (!tables)
            abort();
        memcpy(tables, buf->data, buf->n);
        if (memo_tokenizer_open(tables, buf->n, &tokenizer, NULL) ||
            memo_tokenizer_vocab_size(tokenizer) != notes->vocab_size)
            abort();
        fuzz_encode(tokenizer, text, sizeof text - 1, 0, 0);
        memo_tokenizer_close(tokenizer);
        memo_aligned_free(tables);
    }
    memo_buf_fini(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_buf buf = {0};
    memo_tokenizer_notes notes = {0};
    memo_status status =
        memo_tokenizer_build_json((const char *)data, size, "fuzz", &buf, &notes, NULL);

    use_tables(status, &buf, &notes);
    return 0;
}
