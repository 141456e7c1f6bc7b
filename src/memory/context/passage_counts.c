// SPDX-License-Identifier: Apache-2.0
#include "memory/context/passage_counts.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

void memo_passage_counts_fini(memo_passage_counts *counts)
{
    memo_free(counts->slots);
    counts->slots = NULL;
}

memo_passage_key memo_passage_key_of(memo_text passage, uint64_t tokenizer)
{
    return (memo_passage_key){memo_xxh64(passage.bytes, passage.n_bytes, tokenizer),
                              passage.n_bytes};
}

int memo_passage_counts_get(const memo_passage_counts *counts, memo_passage_key key,
                            size_t *n_tokens)
{
    const struct memo_passage_count *slot;
    if (!counts->slots)
        return 0;
    slot = &counts->slots[key.hash % MEMO_PASSAGE_COUNTS];
    if (slot->key.hash != key.hash || slot->key.n_bytes != key.n_bytes)
        return 0;
    *n_tokens = (size_t)slot->n_tokens;
    return 1;
}

memo_status memo_passage_counts_put(memo_passage_counts *counts, memo_passage_key key,
                                    size_t n_tokens, memo_err *err)
{
    if (!counts->slots)
        counts->slots = memo_calloc(MEMO_PASSAGE_COUNTS, sizeof *counts->slots);
    if (!counts->slots)
        return memo_fail_nomem(err, "counts of passages",
                               MEMO_PASSAGE_COUNTS * sizeof *counts->slots);
    counts->slots[key.hash % MEMO_PASSAGE_COUNTS] =
        (struct memo_passage_count){key, (uint64_t)n_tokens};
    return MEMO_OK;
}
