// SPDX-License-Identifier: Apache-2.0
/* text/added_tokens.h -- finding added tokens in a text before it is split into words.
 *
 * Leftmost, then longest, never overlapping; a token that single_word or safe mode turns down still
 * consumes its text, as in the reference. lstrip and rstrip widen a token over white space. */
#ifndef MEMO_TEXT_ADDED_TOKENS_H
#define MEMO_TEXT_ADDED_TOKENS_H

#include "text/tokenizer_tables.h"

typedef struct memo_added_set {
    memo_trie trie; /* value: index into tokens */
    const memo_added_token *tokens;
    unsigned char first[256]; /* non-zero for bytes that a token begins with */
} memo_added_set;

void memo_added_init(memo_added_set *set, const memo_trie *trie, const memo_tables *tables);

typedef struct memo_added_scan {
    const char *text; /* valid UTF-8 */
    size_t n;
    int skip_special; /* safe mode */
    size_t at;        /* searched up to here */
    size_t done;      /* end of the last token delivered */
} memo_added_scan;

typedef struct memo_added_match {
    uint32_t id;
    size_t text_begin, begin, end; /* plain text [text_begin, begin), then the token */
} memo_added_match;

/* 1 and the next token; 0 when there are none: plain text is then [scan->done, n). */
int memo_added_next(const memo_added_set *set, memo_added_scan *scan, memo_added_match *match);

#endif
