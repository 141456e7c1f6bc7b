// SPDX-License-Identifier: Apache-2.0
/* fuzz_chunk.c -- any text cut into chunks. The first three bytes choose Markdown, size and overlap.
 *
 * Chunks rise, hold no more tokens than allowed and exactly those that they say, and lose nothing:
 * what lies between two of them, before the first and behind the last is white space. */
#include "fuzz_tokenizer.h"

#include "text/chunk.h"
#include "text/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t fuzz_count(const memo_tokenizer *tokenizer, const char *text, size_t n)
{
    memo_token_list list = {0};
    if (memo_tokenizer_encode(tokenizer, text, n, 0, &list, NULL))
        abort();
    n = list.n;
    memo_token_list_fini(&list);
    return n;
}

static void fuzz_check(const memo_tokenizer *tokenizer, memo_text text, const memo_chunk_options *o,
                       const memo_chunk_list *list)
{
    size_t end = 0;

    if (list->n == 0)
        abort();
    /* A text without tokens is one chunk that spans it. */
    if (list->n == 1 && list->chunks[0].begin == 0 && list->chunks[0].end == text.n_bytes &&
        fuzz_count(tokenizer, text.bytes, text.n_bytes) == 0)
        return;
    for (size_t i = 0; i < list->n; i++) {
        const memo_text_chunk *c = &list->chunks[i];
        size_t allowed = i == 0 && o->first_tokens ? o->first_tokens : o->max_tokens;
        if (c->begin >= c->end || c->end > text.n_bytes || (i && c->end <= end) ||
            (i && c->begin <= list->chunks[i - 1].begin))
            abort();
        if (c->begin > end && !memo_text_is_blank(text.bytes + end, c->begin - end))
            abort();
        if (memo_utf8_check(text.bytes + c->begin, c->end - c->begin) != c->end - c->begin)
            abort();
        if (c->n_tokens > allowed ||
            c->n_tokens != fuzz_count(tokenizer, text.bytes + c->begin, c->end - c->begin))
            abort();
        end = c->end;
    }
    if (end < text.n_bytes && !memo_text_is_blank(text.bytes + end, text.n_bytes - end))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static memo_tokenizer *tokenizer;
    memo_chunk_list list = {0};
    memo_err err = {0};
    size_t n;

    if (!tokenizer) {
        unsigned char *tables = fuzz_tables(&n);
        if (memo_tokenizer_open(tables, n, &tokenizer, NULL))
            abort();
    }
    if (size < 3)
        return 0;
    memo_chunk_options o = {.markdown = data[0] & 1,
                            .code = !(data[0] & 1) && data[2] >> 7,
                            .max_tokens = MEMO_CHUNK_MIN_TOKENS + data[1] % 40};
    o.first_tokens = data[0] & 2 ? 1 + data[2] % o.max_tokens : 0;
    o.overlap = (size_t)(data[0] >> 2) % (o.max_tokens / 2 + 1);
    memo_text text = {(const char *)data + 3, size - 3};
    memo_status status = memo_chunk_split(tokenizer, text, &o, &list, &err);
    int valid = memo_utf8_check(text.bytes, text.n_bytes) == text.n_bytes;
    if (status != (valid ? MEMO_OK : MEMO_ERR_VALUE) || (status && (!err.message[0] || list.n)))
        abort();
    if (!status)
        fuzz_check(tokenizer, text, &o, &list);
    memo_chunk_list_fini(&list);
    return 0;
}
