// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <string.h>

#include "base/utf8.h"
#include "text/chars.h"

/* Longest form of a token: normalizing makes at most three times its bytes (a syllable of Hangul
 * decomposed). A hostile trie may be deeper; a walk stops here, so that time stays linear. */
#define ADDED_MAX_BYTES ((size_t)3 * MEMO_TOKENIZER_MAX_TOKEN_BYTES)

void memo_added_init(memo_added_set *set, const memo_trie *trie, const memo_tables *tables)
{
    memset(set, 0, sizeof *set);
    set->trie = *trie;
    set->tokens = tables->added;
    for (int c = 0; c < 256 && trie->n_nodes; c++)
        set->first[c] = memo_trie_step(trie, 0, (unsigned char)c) != MEMO_TRIE_NONE;
}

/* Flags of the character that ends at `at`; 0 at the start of the text. */
static unsigned added_flags_before(const memo_added_scan *scan, size_t at, size_t *begin)
{
    uint32_t cp = 0;

    *begin = at;
    if (at == 0)
        return 0;
    *begin = memo_utf8_floor(scan->text, scan->n, at - 1);
    memo_utf8_decode(scan->text + *begin, at - *begin, &cp);
    return memo_char_of(cp)->flags;
}

/* Flags of the character that begins at `at`; 0 at the end of the text. */
static unsigned added_flags_after(const memo_added_scan *scan, size_t at, size_t *end)
{
    uint32_t cp = 0;

    *end = at;
    if (at == scan->n)
        return 0;
    *end = at + memo_utf8_decode(scan->text + at, scan->n - at, &cp);
    return memo_char_of(cp)->flags;
}

/* Leftmost-longest match from scan->at on; moves scan->at behind it. */
static int added_find(const memo_added_set *set, memo_added_scan *scan, size_t *begin,
                      uint32_t *index)
{
    for (size_t i = scan->at; i < scan->n; i++) {
        if (!set->first[(unsigned char)scan->text[i]])
            continue;
        uint32_t node = 0, longest = MEMO_TRIE_NONE;
        size_t reach = scan->n - i > ADDED_MAX_BYTES ? i + ADDED_MAX_BYTES : scan->n;
        for (size_t j = i; j < reach; j++) {
            node = memo_trie_step(&set->trie, node, (unsigned char)scan->text[j]);
            if (node == MEMO_TRIE_NONE)
                break;
            if (memo_trie_ends(&set->trie, node)) {
                longest = node;
                scan->at = j + 1;
            }
        }
        if (longest != MEMO_TRIE_NONE) {
            *begin = i;
            *index = set->trie.values[longest];
            return 1;
        }
    }
    scan->at = scan->n;
    return 0;
}

int memo_added_next(const memo_added_set *set, memo_added_scan *scan, memo_added_match *match)
{
    size_t begin, end, next;
    uint32_t index;

    while (added_find(set, scan, &begin, &index)) {
        const memo_added_token *token = &set->tokens[index];
        end = scan->at;
        if (scan->skip_special && (token->flags & MEMO_ADDED_SPECIAL))
            continue;
        if ((token->flags & MEMO_ADDED_SINGLE_WORD) &&
            ((added_flags_before(scan, begin, &next) | added_flags_after(scan, end, &next)) &
             MEMO_CHAR_WORD))
            continue;
        if (token->flags & MEMO_ADDED_LSTRIP) {
            while (begin > scan->done && (added_flags_before(scan, begin, &next) & MEMO_CHAR_SPACE))
                begin = next;
            if (begin < scan->done)
                begin = scan->done;
        }
        if (token->flags & MEMO_ADDED_RSTRIP)
            while (added_flags_after(scan, end, &next) & MEMO_CHAR_SPACE)
                end = next;
        match->id = token->id;
        match->text_begin = scan->done;
        match->begin = begin;
        match->end = end;
        scan->done = end;
        return 1;
    }
    return 0;
}
