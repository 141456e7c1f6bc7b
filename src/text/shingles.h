// SPDX-License-Identifier: Apache-2.0
/* text/shingles.h -- what a text says, as hashes of some words in a row, in any case and without
 * punctuation; and how much two texts say of the same. Two that say nearly the same share nearly all of
 * their shingles. */
#ifndef MEMO_TEXT_SHINGLES_H
#define MEMO_TEXT_SHINGLES_H

#include <memolith/model.h>

/* Jaccard similarity from which two texts are called nearly the same. */
#define MEMO_SHINGLES_NEAR 0.8

/* Zeroed: empty. */
typedef struct memo_shingles {
    size_t n, cap;
    uint64_t *hashes; /* [n] ascending */
} memo_shingles;

void memo_shingles_fini(memo_shingles *shingles);

/* memo_shingles_make() -- every three words in a row, each once: a text as a set. In scripts written
 * without spaces a character counts as a word.
 *
 *   text  valid UTF-8. One of fewer words is one shingle, one without words none
 *
 * What was there before goes, its memory is used again. The hashes stand in stores (links). */
memo_status memo_shingles_make(memo_shingles *shingles, memo_text text, memo_err *err);

/* Likewise, for a passage that is to be left out when another holds it: every four words in a row, as
 * often as they stand. A run without spaces counts as a word. */
memo_status memo_shingles_make_passage(memo_shingles *shingles, memo_text text, memo_err *err);

/* Jaccard similarity of two sets: how many of all shingles of both are in both, 0 to 1; 0 when either
 * is empty. */
double memo_shingles_alike(const memo_shingles *a, const memo_shingles *b);

/* Whether at least `percent` of a's shingles stand in b, too; an empty a is in every b. */
int memo_shingles_repeat(const memo_shingles *a, const memo_shingles *b, unsigned percent);

/* memo_shingles_least() -- a sketch: those that come first in an order of all shingles, which is
 * another for each seed. Two texts of Jaccard similarity J have each place in common with
 * probability J, about.
 *
 *   least  [cap] out, none negative, ascending; cap >= 1
 *
 * Returns how many there are: all, when there are fewer than cap. */
size_t memo_shingles_least(const memo_shingles *shingles, uint64_t seed, int64_t *least,
                           size_t cap);

#endif
