// SPDX-License-Identifier: Apache-2.0
/* text/shingles.h -- what a text says, as a set: every three words in a row, in any case and without
 * punctuation, as hashes. Two texts that say nearly the same share nearly all of them. In scripts
 * written without spaces a character counts as a word. */
#ifndef MEMO_TEXT_SHINGLES_H
#define MEMO_TEXT_SHINGLES_H

#include <memolith/model.h>

#define MEMO_SHINGLE_WORDS 3

/* Zeroed: empty. */
typedef struct memo_shingles {
    size_t n, cap;
    uint64_t *hashes; /* [n] ascending, distinct */
} memo_shingles;

void memo_shingles_fini(memo_shingles *shingles);

/* memo_shingles_make() -- those of `text`, which is valid UTF-8; what was there before goes, its
 * memory is used again. A text of fewer than three words is one shingle, one without words none. */
memo_status memo_shingles_make(memo_shingles *shingles, memo_text text, memo_err *err);

/* Jaccard similarity: how many of all shingles of both are in both, 0 to 1; 0 when either is empty. */
double memo_shingles_alike(const memo_shingles *a, const memo_shingles *b);

#endif
