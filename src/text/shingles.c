// SPDX-License-Identifier: Apache-2.0
#include "text/shingles.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/words.h"

/* The last words that were read, and where shingles of them go. */
typedef struct shingle_window {
    memo_shingles *out;
    uint64_t words[MEMO_SHINGLE_WORDS];
    size_t n_words; /* read so far */
    int failed;
} shingle_window;

void memo_shingles_fini(memo_shingles *shingles)
{
    memo_free(shingles->hashes);
    *shingles = (memo_shingles){0};
}

static void shingle_push(shingle_window *w, size_t n_words)
{
    memo_shingles *out = w->out;
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 256;
        uint64_t *grown = memo_reallocarray(out->hashes, cap, sizeof *grown);
        if (!grown) {
            w->failed = 1;
            return;
        }
        out->hashes = grown;
        out->cap = cap;
    }
    out->hashes[out->n++] = memo_xxh64(w->words, n_words * sizeof *w->words, n_words);
}

static void shingle_word(shingle_window *w, uint64_t hash)
{
    for (size_t i = 1; i < MEMO_SHINGLE_WORDS; i++)
        w->words[i - 1] = w->words[i];
    w->words[MEMO_SHINGLE_WORDS - 1] = hash;
    if (++w->n_words >= MEMO_SHINGLE_WORDS)
        shingle_push(w, MEMO_SHINGLE_WORDS);
}

/* The code points of a run, folded by case; of an unspaced one each is a word. FNV-1a by code points:
 * xxh64 then mixes three of them. */
static void shingle_run(shingle_window *w, memo_text text, const memo_word *word)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    uint32_t c = 0;
    size_t step;
    for (size_t i = word->begin; i < word->end && !w->failed; i += step) {
        step = memo_utf8_decode(text.bytes + i, word->end - i, &c);
        if (!step)
            return;
        c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        if (word->unspaced)
            shingle_word(w, c);
        else
            hash = (hash ^ c) * UINT64_C(0x100000001b3);
    }
    if (!word->unspaced && !w->failed)
        shingle_word(w, hash);
}

static int shingle_compare(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

memo_status memo_shingles_make(memo_shingles *shingles, memo_text text, memo_err *err)
{
    shingle_window w = {.out = shingles};
    memo_word word = {0};
    size_t n = 0;

    shingles->n = 0;
    while (!w.failed && memo_word_next(text, word.end, &word))
        shingle_run(&w, text, &word);
    if (w.n_words > 0 && w.n_words < MEMO_SHINGLE_WORDS) /* the words stand at the window's end */
        shingle_push(&w, MEMO_SHINGLE_WORDS);
    if (w.failed)
        return memo_fail_nomem(err, "words of a text", shingles->n * sizeof *shingles->hashes);
    if (shingles->n)
        qsort(shingles->hashes, shingles->n, sizeof *shingles->hashes, shingle_compare);
    for (size_t i = 0; i < shingles->n; i++)
        if (n == 0 || shingles->hashes[i] != shingles->hashes[n - 1])
            shingles->hashes[n++] = shingles->hashes[i];
    shingles->n = n;
    return MEMO_OK;
}

double memo_shingles_alike(const memo_shingles *a, const memo_shingles *b)
{
    size_t i = 0, j = 0, n_both = 0;
    while (i < a->n && j < b->n) {
        uint64_t x = a->hashes[i], y = b->hashes[j];
        n_both += x == y;
        i += x <= y;
        j += y <= x;
    }
    return a->n && b->n ? (double)n_both / (double)(a->n + b->n - n_both) : 0;
}
