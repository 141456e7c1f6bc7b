// SPDX-License-Identifier: Apache-2.0
#include "store/upkeep/traces.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"

enum { TRACES_HEAD_BITS = 16, TRACES_MAX = 1 << 17, TRACES_MAX_PIECES = 1 << 12 };

static unsigned char traces_fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static int traces_is_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* Six bytes, and the list of the patterns that begin with them. */
static size_t traces_head(uint64_t six)
{
    return (size_t)((six * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - TRACES_HEAD_BITS));
}

static uint64_t traces_six(const char *bytes)
{
    uint64_t six = 0;
    for (int i = 0; i < MEMO_TRACE_LEAST; i++)
        six = six << 8 | (unsigned char)bytes[i];
    return six;
}

/* ---- patterns ------------------------------------------------------------------------------ */

static memo_status traces_begin(memo_traces *t, memo_err *err)
{
    size_t n = (size_t)1 << TRACES_HEAD_BITS;
    if (t->heads)
        return MEMO_OK;
    t->heads = memo_reallocarray(NULL, n, sizeof *t->heads);
    if (!t->heads)
        return memo_fail_nomem(err, "traces", n * sizeof *t->heads);
    for (size_t i = 0; i < n; i++)
        t->heads[i] = -1;
    return MEMO_OK;
}

static int traces_knows(const memo_traces *t, const char *bytes, size_t n)
{
    for (int32_t i = t->heads[traces_head(traces_six(bytes))]; i >= 0; i = t->list[i].next)
        if (t->list[i].n == n && memcmp(t->list[i].bytes, bytes, n) == 0)
            return 1;
    return 0;
}

static memo_status traces_put(memo_traces *t, const char *bytes, size_t n, int is_word,
                              memo_err *err)
{
    memo_trace *grown;
    size_t head;
    if (n < MEMO_TRACE_LEAST || n > MEMO_TRACE_LONGEST || t->n == TRACES_MAX ||
        traces_knows(t, bytes, n))
        return MEMO_OK;
    grown = memo_grow(t->list, t->n, &t->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "traces", (t->n + 1) * sizeof *grown);
    t->list = grown;
    head = traces_head(traces_six(bytes));
    t->list[t->n] = (memo_trace){
        .bytes = bytes, .n = (unsigned char)n, .is_word = is_word != 0, .next = t->heads[head]};
    t->heads[head] = (int32_t)t->n++;
    t->n_words += is_word != 0;
    t->n_pieces += !is_word;
    return MEMO_OK;
}

memo_status memo_traces_add(memo_traces *t, memo_text text, memo_err *err)
{
    size_t stride = MEMO_TRACE_PIECE, word = 0;
    char *bytes;
    memo_status status = traces_begin(t, err);
    if (status || text.n_bytes < MEMO_TRACE_LEAST)
        return status;
    bytes = memo_arena_strndup(&t->arena, text.bytes, text.n_bytes);
    if (!bytes)
        return memo_fail_nomem(err, "traces", text.n_bytes);
    for (size_t i = 0; i < text.n_bytes; i++)
        bytes[i] = (char)traces_fold((unsigned char)bytes[i]);
    if (text.n_bytes <= MEMO_TRACE_PIECE)
        status = traces_put(t, bytes, text.n_bytes, 0, err);
    if (text.n_bytes / stride > TRACES_MAX_PIECES)
        stride = text.n_bytes / TRACES_MAX_PIECES;
    for (size_t i = 0; !status && i + MEMO_TRACE_PIECE <= text.n_bytes; i += stride)
        status = traces_put(t, bytes + i, MEMO_TRACE_PIECE, 0, err);
    for (size_t i = 0; !status && i <= text.n_bytes; i++)
        if (i == text.n_bytes || !traces_is_word((unsigned char)bytes[i])) {
            status = traces_put(t, bytes + word, i - word, 1, err);
            word = i + 1;
        }
    return status;
}

void memo_traces_fini(memo_traces *t)
{
    memo_free(t->list);
    memo_free(t->heads);
    memo_arena_fini(&t->arena);
    *t = (memo_traces){.n = 0};
}

/* ---- looking ------------------------------------------------------------------------------- */

static int traces_match(const memo_trace *p, const unsigned char *bytes, size_t n)
{
    if (p->n > n)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        if (traces_fold(bytes[i]) != (unsigned char)p->bytes[i])
            return 0;
    return 1;
}

size_t memo_traces_look(memo_traces *t, const void *data, size_t n, uint64_t at, int met)
{
    const unsigned char *bytes = data;
    const uint64_t mask = (UINT64_C(1) << (8 * MEMO_TRACE_LEAST)) - 1;
    uint64_t six = 0;
    size_t n_pieces = 0;
    for (size_t i = 0; t->n && i < n; i++) {
        six = (six << 8 | traces_fold(bytes[i])) & mask;
        if (i + 1 < MEMO_TRACE_LEAST)
            continue;
        size_t first = i + 1 - MEMO_TRACE_LEAST;
        for (int32_t k = t->heads[traces_head(six)]; k >= 0; k = t->list[k].next) {
            memo_trace *p = &t->list[k];
            if (!traces_match(p, bytes + first, n - first))
                continue;
            if (!(p->met & met))
                p->at = at + first;
            p->met |= (unsigned char)met;
            n_pieces += !p->is_word;
        }
    }
    return n_pieces;
}
