// SPDX-License-Identifier: Apache-2.0
/* text/wordpiece.h -- WordPiece: a word as the longest tokens that follow one another.
 *
 * From the start of the word the longest vocabulary entry is taken, then the longest one that
 * begins with the continuing prefix ("##"), and so on; when none fits, the whole word is the
 * unknown token. The prefix costs nothing: continuing begins at the trie's node for "##".
 *
 * No token is longer than MEMO_TOKENIZER_MAX_TOKEN_BYTES, so no walk is: a hostile trie as deep as a
 * word of a million characters would take quadratic time otherwise. */
#ifndef MEMO_TEXT_WORDPIECE_H
#define MEMO_TEXT_WORDPIECE_H

#include "text/tokenizer_tables.h"

typedef struct memo_wordpiece {
    memo_trie vocab;
    uint32_t continuing; /* node of the continuing prefix, MEMO_TRIE_NONE: no such tokens */
    uint32_t unk_id;
    size_t max_chars;
} memo_wordpiece;

void memo_wordpiece_init(memo_wordpiece *wordpiece, const memo_tables *tables);

/* Split word[0..n), each byte seen through `map`. ids and ends (offsets in the word) have room for
 * n entries. Returns the number of pieces, 0 when the word is unknown. The limit on characters is
 * for the caller to apply. */
size_t memo_wordpiece_split(const memo_wordpiece *wordpiece, const char *word, size_t n,
                            const unsigned char map[256], uint32_t *ids, uint32_t *ends);

#endif
