// SPDX-License-Identifier: Apache-2.0
/* memory/context/passage_counts.h -- how many tokens a passage has, remembered from one context to the
 * next.
 *
 * A program asks many questions of one store, and the same chunks are found again and again. What a
 * chunk costs by itself is a price: it decides the order in which chunks are tried. What is handed out
 * is always counted, so nothing here can make a context too long. The text is known by its hash: a
 * store that changes needs no notice. */
#ifndef MEMO_MEMORY_CONTEXT_PASSAGE_COUNTS_H
#define MEMO_MEMORY_CONTEXT_PASSAGE_COUNTS_H

#include <memolith/model.h>

#define MEMO_PASSAGE_COUNTS                                                                        \
    ((size_t)4096) /* slots, 96 KiB; a newer passage takes an older's slot */

typedef struct memo_passage_key {
    uint64_t hash, n_bytes; /* of a passage as it is written down, for a tokenizer */
} memo_passage_key;

typedef struct memo_passage_counts {
    struct memo_passage_count {
        memo_passage_key key;
        uint64_t n_tokens;
    } * slots; /* [MEMO_PASSAGE_COUNTS] made at the first use; NULL: empty */
} memo_passage_counts;

void memo_passage_counts_fini(memo_passage_counts *counts); /* a zeroed one is empty */

/* `tokenizer`: a number that tells tokenizers apart. */
memo_passage_key memo_passage_key_of(memo_text passage, uint64_t tokenizer);

/* 0: not known. */
int memo_passage_counts_get(const memo_passage_counts *counts, memo_passage_key key,
                            size_t *n_tokens);
/* Only MEMO_ERR_NOMEM, at the first. */
memo_status memo_passage_counts_put(memo_passage_counts *counts, memo_passage_key key,
                                    size_t n_tokens, memo_err *err);

#endif
