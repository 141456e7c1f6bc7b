// SPDX-License-Identifier: Apache-2.0
#include "text/bert_normalizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/chars.h"

void memo_bert_begin(memo_bert_stream *stream, unsigned flags, const char *text, size_t begin,
                     size_t end)
{
    stream->text = text;
    stream->at = begin;
    stream->end = end;
    stream->flags = flags;
    stream->has_next = 0;
    stream->held = stream->small;
    stream->n_held = stream->given = 0;
    stream->cap = MEMO_BERT_HELD;
    stream->lower_given = 0;
}

void memo_bert_end(memo_bert_stream *stream)
{
    if (stream->held != stream->small)
        memo_free(stream->held);
    stream->held = stream->small;
}

/* The next character of the text that clean_text keeps, into stream->next. 0 at the end. */
static int bert_read(memo_bert_stream *stream)
{
    memo_bert_char *c = &stream->next;

    while (!stream->has_next && stream->at < stream->end) {
        c->begin = (uint32_t)stream->at;
        size_t n = memo_utf8_decode(stream->text + stream->at, stream->end - stream->at, &c->cp);
        if (n == 0) { /* the text is valid, but damaged tables may have cut it inside a character */
            c->cp = 0xFFFD;
            n = 1;
        }
        stream->at += n;
        c->end = (uint32_t)stream->at;
        c->flags = memo_char_of(c->cp)->flags;
        if (stream->flags & MEMO_BERT_CLEAN) {
            if (c->flags & MEMO_CHAR_DROP)
                continue;
            if (c->flags & MEMO_CHAR_SPACE)
                c->cp = ' ';
        }
        stream->has_next = 1;
    }
    return stream->has_next;
}

/* Append a character with the span of `from`. Returns 0, or -1 when out of memory. */
static int bert_hold(memo_bert_stream *stream, uint32_t cp, int first, const memo_bert_char *from)
{
    if (stream->n_held == stream->cap) {
        size_t cap = stream->cap * 2;
        memo_bert_char *grown = memo_reallocarray(
            stream->held == stream->small ? NULL : stream->held, cap, sizeof *grown);
        if (!grown)
            return -1;
        if (stream->held == stream->small)
            memcpy(grown, stream->small, sizeof stream->small);
        stream->held = grown;
        stream->cap = cap;
    }
    const memo_char *info = memo_char_of(cp);
    stream->held[stream->n_held++] = (memo_bert_char){.cp = cp,
                                                      .flags = info->flags,
                                                      .combining_class = info->combining_class,
                                                      .first = first != 0,
                                                      .begin = from->begin,
                                                      .end = from->end};
    return 0;
}

/* Hold a character's canonical decomposition. */
static int bert_hold_parts(memo_bert_stream *stream, const memo_bert_char *c)
{
    const memo_char *info = memo_char_of(c->cp);
    int failed = 0;

    if (info->flags & MEMO_CHAR_HANGUL) { /* Unicode, section 3.12 */
        uint32_t s = c->cp - 0xAC00;
        failed |= bert_hold(stream, 0x1100 + s / 588, 1, c);
        failed |= bert_hold(stream, 0x1161 + s % 588 / 28, 0, c);
        if (s % 28)
            failed |= bert_hold(stream, 0x11A7 + s % 28, 0, c);
        return failed;
    }
    if (!info->n_parts)
        return bert_hold(stream, c->cp, 1, c);
    for (unsigned i = 0; i < info->n_parts; i++)
        failed |= bert_hold(stream, memo_chars_pool[info->parts + i], i == 0, c);
    return failed;
}

/* Move stream->next among the held. */
static int bert_take(memo_bert_stream *stream)
{
    const memo_bert_char c = stream->next;
    int cjk = (stream->flags & MEMO_BERT_CJK) && (memo_char_of(c.cp)->flags & MEMO_CHAR_CJK);
    int failed = 0;

    stream->has_next = 0;
    if (cjk)
        failed |= bert_hold(stream, ' ', 1, &c);
    if (stream->flags & MEMO_BERT_STRIP)
        failed |= bert_hold_parts(stream, &c);
    else
        failed |= bert_hold(stream, c.cp, 1, &c);
    if (cjk)
        failed |= bert_hold(stream, ' ', 1, &c);
    return failed;
}

/* Does stream->next begin with a mark that may move before those held? */
static int bert_next_is_mark(const memo_bert_stream *stream)
{
    const memo_char *info = memo_char_of(stream->next.cp);

    if (info->n_parts)
        info = memo_char_of(memo_chars_pool[info->parts]);
    return info->combining_class != 0;
}

/* Stable counting sort of marks[0..n) by combining class. */
static int bert_sort_marks(memo_bert_char *marks, size_t n)
{
    size_t place[257] = {0};
    memo_bert_char *copy = memo_reallocarray(NULL, n, sizeof *copy);

    if (!copy)
        return -1;
    memcpy(copy, marks, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        place[copy[i].combining_class + 1]++;
    for (size_t k = 1; k < 256; k++)
        place[k] += place[k - 1];
    for (size_t i = 0; i < n; i++)
        marks[place[copy[i].combining_class]++] = copy[i];
    memo_free(copy);
    return 0;
}

typedef struct bert_span {
    uint32_t begin, end;
} bert_span;

/* Put the held marks in canonical order. The reference aligns by position and not by origin: the
 * i-th first character is aligned with the i-th character of the text, wherever it came from. */
static int bert_reorder(memo_bert_stream *stream)
{
    memo_bert_char *held = stream->held;
    size_t n = stream->n_held, n_spans = 0;
    bert_span *spans = memo_reallocarray(NULL, n, sizeof *spans);

    if (!spans)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (held[i].first)
            spans[n_spans++] = (bert_span){held[i].begin, held[i].end};
    for (size_t i = 0, run; i < n; i = run + 1) {
        for (run = i; run < n && held[run].combining_class;)
            run++;
        if (run > i + 1 && bert_sort_marks(held + i, run - i)) {
            memo_free(spans);
            return -1;
        }
    }
    for (size_t i = 0, seen = 0; i < n; i++) {
        seen += held[i].first;
        const bert_span *span = &spans[seen ? seen - 1 : 0];
        held[i].begin = span->begin;
        held[i].end = span->end;
    }
    memo_free(spans);
    return 0;
}

/* Hold the next character with the marks that belong to it. */
static int bert_fill(memo_bert_stream *stream)
{
    stream->n_held = stream->given = 0;
    if (!bert_read(stream))
        return 0;
    if (bert_take(stream))
        return -1;
    if (!(stream->flags & MEMO_BERT_STRIP))
        return 1;
    while (bert_read(stream) && bert_next_is_mark(stream))
        if (bert_take(stream))
            return -1;
    for (size_t i = 1; i < stream->n_held; i++)
        if (stream->held[i].combining_class &&
            stream->held[i - 1].combining_class > stream->held[i].combining_class)
            return bert_reorder(stream) ? -1 : 1;
    return 1;
}

int memo_bert_next(memo_bert_stream *stream, memo_bert_char *out)
{
    for (;;) {
        if (stream->given == stream->n_held) {
            int status = bert_fill(stream);
            if (status <= 0)
                return status;
        }
        const memo_bert_char *c = &stream->held[stream->given];
        if ((stream->flags & MEMO_BERT_STRIP) && (c->flags & MEMO_CHAR_MARK)) {
            stream->given++;
            continue;
        }
        const memo_char *info = memo_char_of(c->cp);
        *out = *c;
        if (!(stream->flags & MEMO_BERT_LOWER) || info->n_lower == 0) {
            stream->given++;
            return 1;
        }
        out->cp = memo_chars_pool[info->lower + stream->lower_given];
        out->flags = memo_char_of(out->cp)->flags;
        if (++stream->lower_given == info->n_lower) {
            stream->lower_given = 0;
            stream->given++;
        }
        return 1;
    }
}
