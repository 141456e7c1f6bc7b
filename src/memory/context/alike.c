// SPDX-License-Identifier: Apache-2.0
/* Which pieces say what another has said, and which go on where another ends. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "memory/context/context_pack.h"
#include "text/words.h"

enum {
    ALIKE_GROUP = 4,    /* words hashed together */
    ALIKE_PERCENT = 80, /* of a text's groups that the other has, too */
    ALIKE_SHORT = 32,   /* bytes of a word that is folded in place */
};

static int alike_compare(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

/* The hash of a word folded by case; 0: out of memory. */
static int alike_hash_word(const char *word, size_t n, memo_arena *arena, uint64_t *hash)
{
    char short_word[ALIKE_SHORT];
    const char *lower;
    size_t i = 0;
    for (; i < n && i < ALIKE_SHORT && (unsigned char)word[i] < 0x80; i++)
        short_word[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] - 'A' + 'a' : word[i]);
    if (i == n) {
        *hash = memo_xxh64(short_word, n, 0);
        return 1;
    }
    lower = memo_word_lower(arena, word, n);
    if (lower)
        *hash = memo_xxh64(lower, strlen(lower), 0);
    return lower != NULL;
}

/* One hash a word. */
static memo_status alike_words(memo_text text, memo_arena *arena, uint64_t **hashes, size_t *n,
                               memo_err *err)
{
    memo_word word = {0};
    size_t n_words = 0;
    while (memo_word_next(text, word.end, &word))
        n_words++;
    *hashes = memo_arena_array(arena, n_words + 1, sizeof **hashes);
    if (!*hashes)
        return memo_fail_nomem(err, "words of a passage", n_words * sizeof **hashes);
    *n = 0;
    word.end = 0;
    while (*n < n_words && memo_word_next(text, word.end, &word))
        if (!alike_hash_word(text.bytes + word.begin, word.end - word.begin, arena,
                             *hashes + (*n)++))
            return memo_fail_nomem(err, "words of a passage", word.end - word.begin);
    return MEMO_OK;
}

/* A text of fewer words than a group is one group. */
memo_status memo_piece_sketch(memo_piece *piece, memo_arena *arena, memo_err *err)
{
    uint64_t *words;
    size_t n = 0, group, n_groups;
    memo_status status =
        alike_words((memo_text){piece->hit->text, piece->hit->text_bytes}, arena, &words, &n, err);
    if (status)
        return status;
    group = n < ALIKE_GROUP ? n : ALIKE_GROUP;
    n_groups = n - group + 1;
    piece->sketch = memo_arena_array(arena, n_groups, sizeof *piece->sketch);
    if (!piece->sketch)
        return memo_fail_nomem(err, "words of a passage", n_groups * sizeof *piece->sketch);
    if (n == 0)
        piece->sketch[0] = memo_xxh64(piece->hit->text, piece->hit->text_bytes, 0);
    for (size_t i = 0; i < n_groups && n; i++)
        piece->sketch[i] = memo_xxh64(words + i, group * sizeof *words, group);
    qsort(piece->sketch, n_groups, sizeof *piece->sketch, alike_compare);
    piece->n_sketch = n_groups;
    return MEMO_OK;
}

/* Texts mostly have nothing in common, which is known when too many groups of `a` are missing. */
int memo_piece_repeats(const memo_piece *a, const memo_piece *b)
{
    size_t n_may_lack = a->n_sketch * (100 - ALIKE_PERCENT) / 100;
    size_t i = 0, j = 0, n_common = 0;
    while (i < a->n_sketch && j < b->n_sketch && i - n_common <= n_may_lack) {
        int is_common = a->sketch[i] == b->sketch[j];
        int is_less = a->sketch[i] < b->sketch[j];
        n_common += (size_t)is_common;
        i += (size_t)(is_common | is_less);
        j += (size_t)!is_less;
    }
    return n_common * 100 >= a->n_sketch * ALIKE_PERCENT;
}

int memo_piece_follows(const memo_piece *a, const memo_piece *b)
{
    return strcmp(a->hit->id, b->hit->id) == 0 && b->hit->chunk == a->hit->chunk + 1;
}
