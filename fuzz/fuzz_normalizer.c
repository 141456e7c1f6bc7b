// SPDX-License-Identifier: Apache-2.0
/* fuzz_normalizer.c -- any text through BERT's normalizer, as a stream, against the same four steps
 * done one after the other on whole arrays. The first byte chooses the steps. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/bert_normalizer.h"
#include "text/chars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_text {
    uint32_t *cps;
    size_t n;
} fuzz_text;

static void fuzz_push(fuzz_text *t, uint32_t cp)
{
    t->cps[t->n++] = cp;
}

/* Room for what a step may make of n characters: a character becomes at most 16. */
static fuzz_text fuzz_room(size_t n)
{
    fuzz_text t = {malloc((16 * n + 1) * sizeof *t.cps), 0};
    if (!t.cps)
        abort();
    return t;
}

static fuzz_text fuzz_clean(const char *s, size_t n, int clean)
{
    fuzz_text out = fuzz_room(n);
    for (size_t at = 0; at < n;) {
        uint32_t cp = 0;
        at += memo_utf8_decode(s + at, n - at, &cp);
        unsigned flags = memo_char_of(cp)->flags;
        if (!clean || !(flags & MEMO_CHAR_DROP))
            fuzz_push(&out, clean && (flags & MEMO_CHAR_SPACE) ? ' ' : cp);
    }
    return out;
}

static fuzz_text fuzz_space_cjk(fuzz_text in)
{
    fuzz_text out = fuzz_room(in.n);
    for (size_t i = 0; i < in.n; i++) {
        int cjk = memo_char_of(in.cps[i])->flags & MEMO_CHAR_CJK;
        if (cjk)
            fuzz_push(&out, ' ');
        fuzz_push(&out, in.cps[i]);
        if (cjk)
            fuzz_push(&out, ' ');
    }
    free(in.cps);
    return out;
}

static void fuzz_decompose(fuzz_text *out, uint32_t cp)
{
    const memo_char *info = memo_char_of(cp);
    if (info->flags & MEMO_CHAR_HANGUL) {
        uint32_t s = cp - 0xAC00;
        fuzz_push(out, 0x1100 + s / (21 * 28));
        fuzz_push(out, 0x1161 + s / 28 % 21);
        if (s % 28)
            fuzz_push(out, 0x11A7 + s % 28);
    } else if (info->n_parts) {
        for (unsigned i = 0; i < info->n_parts; i++)
            fuzz_push(out, memo_chars_pool[info->parts + i]);
    } else {
        fuzz_push(out, cp);
    }
}

/* Decompose, put marks in canonical order by exchanging neighbours, drop nonspacing marks. */
static fuzz_text fuzz_strip(fuzz_text in)
{
    fuzz_text all = fuzz_room(in.n), out = fuzz_room(16 * in.n);
    for (size_t i = 0; i < in.n; i++)
        fuzz_decompose(&all, in.cps[i]);
    for (int again = 1; again;) {
        again = 0;
        for (size_t i = 1; i < all.n; i++) {
            unsigned a = memo_char_of(all.cps[i - 1])->combining_class;
            unsigned b = memo_char_of(all.cps[i])->combining_class;
            if (b == 0 || a <= b)
                continue;
            uint32_t cp = all.cps[i];
            all.cps[i] = all.cps[i - 1];
            all.cps[i - 1] = cp;
            again = 1;
        }
    }
    for (size_t i = 0; i < all.n; i++)
        if (!(memo_char_of(all.cps[i])->flags & MEMO_CHAR_MARK))
            fuzz_push(&out, all.cps[i]);
    free(in.cps);
    free(all.cps);
    return out;
}

static fuzz_text fuzz_lower(fuzz_text in)
{
    fuzz_text out = fuzz_room(in.n);
    for (size_t i = 0; i < in.n; i++) {
        const memo_char *info = memo_char_of(in.cps[i]);
        if (!info->n_lower)
            fuzz_push(&out, in.cps[i]);
        for (unsigned k = 0; k < info->n_lower; k++)
            fuzz_push(&out, memo_chars_pool[info->lower + k]);
    }
    free(in.cps);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2048)
        return 0;
    unsigned flags = data[0] & MEMO_BERT_ALL;
    const char *s = (const char *)data + 1;
    size_t n = memo_utf8_check(s, size - 1), i = 0, begin = 0; /* the valid part */
    fuzz_text wanted = fuzz_clean(s, n, flags & MEMO_BERT_CLEAN);
    memo_bert_stream stream;
    memo_bert_char c;

    if (flags & MEMO_BERT_CJK)
        wanted = fuzz_space_cjk(wanted);
    if (flags & MEMO_BERT_STRIP)
        wanted = fuzz_strip(wanted);
    if (flags & MEMO_BERT_LOWER)
        wanted = fuzz_lower(wanted);
    memo_bert_begin(&stream, flags, s, 0, n);
    for (; memo_bert_next(&stream, &c) > 0; i++) {
        if (i >= wanted.n || c.cp != wanted.cps[i] || c.flags != memo_char_of(c.cp)->flags)
            abort();
        if (c.begin < begin || c.begin >= c.end || c.end > n) /* spans rise and lie in the text */
            abort();
        begin = c.begin;
    }
    memo_bert_end(&stream);
    if (i != wanted.n)
        abort();
    free(wanted.cps);
    return 0;
}
