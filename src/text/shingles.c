// SPDX-License-Identifier: Apache-2.0
#include "text/shingles.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/words.h"

/* What one shingle is. */
typedef struct shingle_kind {
    size_t n_words;
    int of_runs;  /* a run without spaces is one word, else each character of it is one */
    int repeated; /* a shingle counts as often as it stands */
} shingle_kind;

static const shingle_kind shingles_of_text = {3, 0, 0}, shingles_of_passage = {4, 1, 1};

enum { SHINGLE_MAX_WORDS = 4 };

/* The last words that were read, and where shingles of them go. */
typedef struct shingle_window {
    const shingle_kind *kind;
    memo_shingles *out;
    uint64_t words[SHINGLE_MAX_WORDS]; /* [kind->n_words] */
    size_t n_words;                    /* read so far */
    int failed;
} shingle_window;

void memo_shingles_fini(memo_shingles *shingles)
{
    memo_free(shingles->hashes);
    *shingles = (memo_shingles){0};
}

static void shingle_push(shingle_window *w)
{
    memo_shingles *out = w->out;
    size_t n_words = w->kind->n_words;
    uint64_t *grown = memo_grow(out->hashes, out->n, &out->cap, sizeof *grown);
    if (!grown) {
        w->failed = 1;
        return;
    }
    out->hashes = grown;
    out->hashes[out->n++] = memo_xxh64(w->words, n_words * sizeof *w->words, n_words);
}

static void shingle_word(shingle_window *w, uint64_t hash)
{
    size_t n = w->kind->n_words;
    for (size_t i = 1; i < n; i++)
        w->words[i - 1] = w->words[i];
    w->words[n - 1] = hash;
    if (++w->n_words >= n)
        shingle_push(w);
}

/* The character at text[i..end), folded by case, and its length; 0: not UTF-8. */
static size_t shingle_char(memo_text text, size_t i, size_t end, uint32_t *c)
{
    unsigned char byte = (unsigned char)text.bytes[i];
    size_t step = 1;
    if (byte < 0x80) { /* mostly */
        *c = byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte;
    } else {
        step = memo_utf8_decode(text.bytes + i, end - i, c);
        *c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)*c);
    }
    return step;
}

/* FNV-1a by code points: xxh64 then mixes several of them. */
static void shingle_run(shingle_window *w, memo_text text, const memo_word *word)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    int by_chars = word->unspaced && !w->kind->of_runs;
    uint32_t c = 0;
    size_t step;
    for (size_t i = word->begin; i < word->end && !w->failed; i += step) {
        step = shingle_char(text, i, word->end, &c);
        if (!step)
            return;
        if (by_chars)
            shingle_word(w, c);
        else
            hash = (hash ^ c) * UINT64_C(0x100000001b3);
    }
    if (!by_chars && !w->failed)
        shingle_word(w, hash);
}

static int shingle_compare(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

static void shingle_unique(memo_shingles *shingles)
{
    size_t n = 0;
    for (size_t i = 0; i < shingles->n; i++)
        if (n == 0 || shingles->hashes[i] != shingles->hashes[n - 1])
            shingles->hashes[n++] = shingles->hashes[i];
    shingles->n = n;
}

static memo_status shingle_read(const shingle_kind *kind, memo_shingles *shingles, memo_text text,
                                memo_err *err)
{
    shingle_window w = {.kind = kind, .out = shingles};
    memo_word word = {0};

    shingles->n = 0;
    while (!w.failed && memo_word_next(text, word.end, &word))
        shingle_run(&w, text, &word);
    if (w.n_words > 0 && w.n_words < kind->n_words) /* the words stand at the window's end */
        shingle_push(&w);
    if (w.failed)
        return memo_fail_nomem(err, "words of a text", shingles->n * sizeof *shingles->hashes);
    if (shingles->n)
        qsort(shingles->hashes, shingles->n, sizeof *shingles->hashes, shingle_compare);
    if (!kind->repeated)
        shingle_unique(shingles);
    return MEMO_OK;
}

memo_status memo_shingles_make(memo_shingles *shingles, memo_text text, memo_err *err)
{
    return shingle_read(&shingles_of_text, shingles, text, err);
}

memo_status memo_shingles_make_passage(memo_shingles *shingles, memo_text text, memo_err *err)
{
    return shingle_read(&shingles_of_passage, shingles, text, err);
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* How many stand in both. Counting ends when more than n_may_lack of a's are missing in b: texts mostly
 * have nothing in common. */
static size_t shingle_common(const memo_shingles *a, const memo_shingles *b, size_t n_may_lack)
{
    size_t i = 0, j = 0, n_common = 0;
    while (i < a->n && j < b->n && i - n_common <= n_may_lack) {
        int is_common = a->hashes[i] == b->hashes[j];
        int is_less = a->hashes[i] < b->hashes[j];
        n_common += (size_t)is_common;
        i += (size_t)(is_common | is_less);
        j += (size_t)!is_less;
    }
    return n_common;
}

double memo_shingles_alike(const memo_shingles *a, const memo_shingles *b)
{
    size_t n_both = shingle_common(a, b, a->n);
    return a->n && b->n ? (double)n_both / (double)(a->n + b->n - n_both) : 0;
}

int memo_shingles_repeat(const memo_shingles *a, const memo_shingles *b, unsigned percent)
{
    return shingle_common(a, b, a->n * (100 - percent) / 100) * 100 >= a->n * percent;
}

/* 47 bits: stores keep row ids that are small and positive. What equal ones lead to is compared. */
static int64_t shingle_order(uint64_t hash, uint64_t seed)
{
    return (int64_t)((hash ^ seed) * UINT64_C(0x9e3779b97f4a7c15) >> 17);
}

size_t memo_shingles_least(const memo_shingles *shingles, uint64_t seed, int64_t *least, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < shingles->n; i++) {
        int64_t place = shingle_order(shingles->hashes[i], seed);
        size_t at = n;
        if (n < cap)
            n++;
        else if (place >= least[--at])
            continue;
        for (; at > 0 && least[at - 1] > place; at--)
            least[at] = least[at - 1];
        least[at] = place;
    }
    return n;
}
