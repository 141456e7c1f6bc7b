// SPDX-License-Identifier: Apache-2.0
#include "text/wordpiece.h"

void memo_wordpiece_init(memo_wordpiece *wordpiece, const memo_tables *tables)
{
    uint32_t node = 0;

    for (size_t i = 0; i < tables->n_continuing && node != MEMO_TRIE_NONE; i++)
        node = memo_trie_step(&tables->vocab, node, (unsigned char)tables->continuing[i]);
    wordpiece->vocab = tables->vocab;
    wordpiece->continuing = node;
    wordpiece->unk_id = tables->header->unk_id;
    wordpiece->max_chars = tables->header->max_word_chars;
}

size_t memo_wordpiece_split(const memo_wordpiece *wordpiece, const char *word, size_t n,
                            const unsigned char map[256], uint32_t *ids, uint32_t *ends)
{
    const memo_trie trie = wordpiece->vocab;
    uint32_t node = 0;
    size_t start = 0, n_pieces = 0;

    while (start < n) {
        uint32_t longest = MEMO_TRIE_NONE;
        size_t end = start, reach = n;
        if (n - start > MEMO_TOKENIZER_MAX_TOKEN_BYTES)
            reach = start + MEMO_TOKENIZER_MAX_TOKEN_BYTES;
        for (size_t i = start; i < reach && node != MEMO_TRIE_NONE; i++) {
            node = memo_trie_step(&trie, node, map[(unsigned char)word[i]]);
            if (node != MEMO_TRIE_NONE && memo_trie_ends(&trie, node)) {
                longest = node;
                end = i + 1;
            }
        }
        if (longest == MEMO_TRIE_NONE)
            return 0;
        ids[n_pieces] = trie.values[longest];
        ends[n_pieces++] = (uint32_t)end;
        start = end;
        node = wordpiece->continuing;
    }
    return n_pieces;
}
