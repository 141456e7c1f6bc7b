// SPDX-License-Identifier: Apache-2.0
/* fuzz_tokenizer.h -- what the three targets of the tokenizer share: a small tokenizer.json and the
 * oracle of encoding. */
#ifndef MEMO_FUZZ_TOKENIZER_H
#define MEMO_FUZZ_TOKENIZER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

/* Two special tokens, one that widens over spaces, one found in the normalized text. */
static const char fuzz_json[] =
    "{\"added_tokens\":["
    "{\"id\":1,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
    "\"normalized\":false,\"special\":true},"
    "{\"id\":2,\"content\":\"[MASK]\",\"single_word\":true,\"lstrip\":true,\"rstrip\":true,"
    "\"normalized\":false,\"special\":true},"
    "{\"id\":12,\"content\":\"A b\",\"single_word\":false,\"lstrip\":false,\"rstrip\":true,"
    "\"normalized\":true,\"special\":false}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",1],\"sep\":[\"[CLS]\",1]},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##"
    "\","
    "\"max_input_chars_per_word\":20,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[MASK]\":2,\"a\":3,"
    "\"##a\":4,\"ab\":5,\"##bc\":6,\".\":7,\"\\u00e9\":8,\"e\":9,\"##\\u4e2d\":10,\"\\u4e2d\":11}}"
    "}";

/* Encode and check what must hold for any tables: ids below the vocabulary's size, spans in the
 * text, in rising order of their begin; and in safe mode no special token (but the unknown one). */
static inline void fuzz_encode(const memo_tokenizer *tokenizer, const char *text, size_t n,
                               unsigned flags, int sound_tables)
{
    memo_token_list list = {0};
    memo_status status =
        memo_tokenizer_encode(tokenizer, text, n, flags | MEMO_ENCODE_OFFSETS, &list, NULL);
    int valid = memo_utf8_check(text, n) == n;

    if (status != (valid || flags & MEMO_ENCODE_REPLACE_INVALID ? MEMO_OK : MEMO_ERR_VALUE))
        abort();
    for (size_t i = 0; i < list.n; i++) {
        const size_t *span = list.offsets[i];
        if (list.ids[i] >= memo_tokenizer_vocab_size(tokenizer) || span[0] > span[1] || span[1] > n)
            abort();
        if (i && span[0] < list.offsets[i - 1][0])
            abort();
        if (sound_tables && (flags & MEMO_ENCODE_SAFE) && list.ids[i] >= 1 && list.ids[i] <= 2)
            abort();
    }
    memo_token_list_fini(&list);
}

/* fuzz_json's tables, aligned; never freed. */
static inline unsigned char *fuzz_tables(size_t *n_bytes)
{
    memo_buf buf = {0};
    memo_tokenizer_notes notes;

    if (memo_tokenizer_build_json(fuzz_json, strlen(fuzz_json), "fuzz", &buf, &notes, NULL))
        abort();
    unsigned char *tables = memo_aligned_alloc(buf.n);
    if (!tables)
        abort();
    memcpy(tables, buf.data, buf.n);
    *n_bytes = buf.n;
    memo_buf_fini(&buf);
    return tables;
}

#endif
