// SPDX-License-Identifier: Apache-2.0
/* text/chunk.c -- the whole text is tokenized once; every gap between two tokens gets a strength;
 * then chunks are laid from left to right, each ending at the strongest gap within reach.
 *
 *   strength   the gap before a token
 *   HOLD       inside a heading or a fenced block that fits, or right after a heading
 *   WORD       inside a word
 *   MARK       after a punctuation mark, between two ideographs
 *   SPACE      white space
 *   LINE       one line break
 *   SENTENCE   after . ! ? ... and white space, or after an ideographic full stop
 *   LAST_LINE  the end of a sentence and of a line
 *   BLANK      a blank line
 *   HEADING    before a Markdown heading, before a definition in code
 *
 * A line break ranks below the end of a sentence because prose is often wrapped hard; where lines
 * are the unit (lists, logs), there are few sentence ends and lines win by default. */
#include "text/chunk.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/words.h"

typedef enum chunk_strength {
    CHUNK_HOLD,
    CHUNK_WORD,
    CHUNK_MARK,
    CHUNK_SPACE,
    CHUNK_LINE,
    CHUNK_SENTENCE,
    CHUNK_LAST_LINE,
    CHUNK_BLANK,
    CHUNK_HEADING,
} chunk_strength;

typedef struct chunk_work {
    const memo_tokenizer *tokenizer;
    const memo_chunk_options *options;
    const char *text;
    size_t n_bytes;
    memo_token_list tokens;  /* of the whole text, with offsets */
    memo_token_list piece;   /* of one chunk on its own */
    unsigned char *strength; /* [tokens.n + 1], of the gap before token i */
} chunk_work;

void memo_chunk_list_fini(memo_chunk_list *list)
{
    memo_free(list->chunks);
    memset(list, 0, sizeof *list);
}

/* ---- characters ---------------------------------------------------------------------------- */

/* The character that ends before byte `at`; its start goes to *begin. 0 at the start of the text. */
static uint32_t chunk_char_before(const chunk_work *w, size_t at, size_t *begin)
{
    uint32_t c = 0;

    if (at == 0) {
        *begin = 0;
        return 0;
    }
    *begin = memo_utf8_floor(w->text, w->n_bytes, at - 1);
    return memo_utf8_decode(w->text + *begin, at - *begin, &c) ? c : 0;
}

static int chunk_is_closer(uint32_t c)
{
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || c == 0x2019 ||
           c == 0x201D || c == 0xBB || c == 0x300D || c == 0x300F || c == 0xFF09;
}

static int chunk_is_wide_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61;
}

static int chunk_is_stop(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x061F || c == 0x0964 ||
           chunk_is_wide_stop(c);
}

static int chunk_is_mark(uint32_t c)
{
    return (c < 0x80 && c > ' ' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
            !(c >= 'A' && c <= 'Z') && c != '_') ||
           (c >= 0x2010 && c <= 0x205E) || c >= 0x2E80;
}

/* The stop that ends a sentence before byte `end`, looking through closing quotes and brackets. */
static uint32_t chunk_stop_before(const chunk_work *w, size_t end)
{
    for (int i = 0; i < 4; i++) {
        uint32_t c = chunk_char_before(w, end, &end);
        if (chunk_is_stop(c))
            return c;
        if (!chunk_is_closer(c))
            return 0;
    }
    return 0;
}

/* ---- strengths ----------------------------------------------------------------------------- */

static chunk_strength chunk_gap_strength(const chunk_work *w, size_t end, size_t begin)
{
    int n_breaks = 0;
    uint32_t stop;
    size_t unused;

    if (begin < end)
        return CHUNK_HOLD; /* two tokens out of one character */
    for (size_t i = end; i < begin; i++)
        n_breaks += w->text[i] == '\n' || (w->text[i] == '\r' && w->text[i + 1] != '\n');
    if (n_breaks > 1)
        return CHUNK_BLANK;
    stop = chunk_stop_before(w, end);
    if (n_breaks)
        return stop ? CHUNK_LAST_LINE : CHUNK_LINE;
    if (begin > end)
        return stop ? CHUNK_SENTENCE : CHUNK_SPACE;
    if (chunk_is_wide_stop(stop))
        return CHUNK_SENTENCE;
    return chunk_is_mark(chunk_char_before(w, end, &unused)) ? CHUNK_MARK : CHUNK_WORD;
}

/* One line of Markdown: bytes [begin, end) without its break, tokens [t0, t1). */
typedef struct chunk_line {
    size_t begin, end;
    size_t t0, t1;
} chunk_line;

/* First byte after at most three spaces; lines indented further are code, not structure. */
static size_t chunk_indent(const chunk_work *w, const chunk_line *line)
{
    size_t i = line->begin;
    while (i < line->end && i < line->begin + 3 && w->text[i] == ' ')
        i++;
    return i;
}

static size_t chunk_run(const chunk_work *w, size_t at, size_t end, char c)
{
    size_t n = 0;
    while (at + n < end && w->text[at + n] == c)
        n++;
    return n;
}

static int chunk_is_heading(const chunk_work *w, const chunk_line *line)
{
    size_t at = chunk_indent(w, line);
    size_t n = chunk_run(w, at, line->end, '#');

    return n >= 1 && n <= 6 &&
           (at + n == line->end || w->text[at + n] == ' ' || w->text[at + n] == '\t');
}

/* "====" or "----" under a line of text. */
static int chunk_is_underline(const chunk_work *w, const chunk_line *line)
{
    size_t at = chunk_indent(w, line);
    size_t n;

    if (at == line->end || (w->text[at] != '=' && w->text[at] != '-'))
        return 0;
    n = chunk_run(w, at, line->end, w->text[at]);
    at += n;
    at += chunk_run(w, at, line->end, ' ');
    return n >= 2 && at == line->end;
}

/* Length of the fence that starts this line, 0 when there is none. */
static size_t chunk_fence(const chunk_work *w, const chunk_line *line, char *mark)
{
    size_t at = chunk_indent(w, line);
    size_t n;

    if (at == line->end || (w->text[at] != '`' && w->text[at] != '~'))
        return 0;
    *mark = w->text[at];
    n = chunk_run(w, at, line->end, *mark);
    if (n < 3 || (*mark == '`' && memchr(w->text + at + n, '`', line->end - at - n)))
        return 0; /* `code` within a line is no fence */
    return n;
}

static int chunk_closes_fence(const chunk_work *w, const chunk_line *line, char mark, size_t length)
{
    size_t at = chunk_indent(w, line);
    size_t n = chunk_run(w, at, line->end, mark);

    at += n;
    while (at < line->end && (w->text[at] == ' ' || w->text[at] == '\t'))
        at++;
    return n >= length && at == line->end;
}

/* A heading of tokens [t0, t1): a cut before it is welcome, inside and after it is not. */
static void chunk_mark_heading(chunk_work *w, size_t t0, size_t t1)
{
    if (t0 == t1)
        return;
    if (w->strength[t0] != CHUNK_HOLD)
        w->strength[t0] = CHUNK_HEADING;
    for (size_t i = t0 + 1; i <= t1; i++)
        w->strength[i] = CHUNK_HOLD;
}

/* A fenced block of tokens [t0, t1): held together when it fits, else cut at its lines. */
static void chunk_mark_fence(chunk_work *w, size_t t0, size_t t1)
{
    int fits = t1 - t0 <= w->options->max_tokens;

    for (size_t i = t0 + 1; i < t1; i++) {
        if (fits)
            w->strength[i] = CHUNK_HOLD;
        else if (w->strength[i] == CHUNK_SENTENCE)
            w->strength[i] = CHUNK_SPACE;
        else if (w->strength[i] == CHUNK_LAST_LINE)
            w->strength[i] = CHUNK_LINE;
    }
}

/* The line that starts at byte `begin`; tokens from t0 on. */
static chunk_line chunk_line_at(const chunk_work *w, size_t begin, size_t t0)
{
    const char *nl = memchr(w->text + begin, '\n', w->n_bytes - begin);
    chunk_line line = {begin, nl ? (size_t)(nl - w->text) : w->n_bytes, t0, t0};

    while (line.t1 < w->tokens.n && w->tokens.offsets[line.t1][0] < line.end)
        line.t1++;
    if (line.end > begin && w->text[line.end - 1] == '\r')
        line.end--;
    return line;
}

static void chunk_mark_markdown(chunk_work *w)
{
    chunk_line previous = {0};
    size_t next, fence_length = 0, fence_t0 = 0;
    char fence_mark = 0;

    for (size_t at = 0; at < w->n_bytes; at = next) {
        chunk_line line = chunk_line_at(w, at, previous.t1);
        const char *nl = memchr(w->text + line.end, '\n', w->n_bytes - line.end);
        next = nl ? (size_t)(nl - w->text) + 1 : w->n_bytes;
        if (fence_length) {
            if (chunk_closes_fence(w, &line, fence_mark, fence_length)) {
                chunk_mark_fence(w, fence_t0, line.t1);
                fence_length = 0;
            }
        } else if ((fence_length = chunk_fence(w, &line, &fence_mark)) > 0) {
            fence_t0 = line.t0;
        } else if (chunk_is_heading(w, &line)) {
            chunk_mark_heading(w, line.t0, line.t1);
        } else if (previous.t1 > previous.t0 && chunk_is_underline(w, &line)) {
            chunk_mark_heading(w, previous.t0, line.t1);
        }
        previous = line;
    }
    if (fence_length)
        chunk_mark_fence(w, fence_t0, w->tokens.n);
}

/* ---- code ---------------------------------------------------------------------------------- */

/* How far a line is indented, a tab counting as four; *first is its first character. */
static size_t chunk_code_indent(const chunk_work *w, const chunk_line *line, char *first)
{
    size_t n = 0, at = line->begin;

    for (; at < line->end && (w->text[at] == ' ' || w->text[at] == '\t'); at++)
        n += w->text[at] == '\t' ? 4 : 1;
    *first = at < line->end ? w->text[at] : 0;
    return n;
}

static int chunk_closes_bracket(char c)
{
    return c == '}' || c == ')' || c == ']';
}

/* The gap before a line of code, from what the line before it was. */
static chunk_strength chunk_code_strength(size_t indent, char first, size_t before,
                                          char first_before, int after_blank)
{
    if (chunk_closes_bracket(first))
        return CHUNK_SPACE;
    if (indent == 0 && first != '{' &&
        (after_blank || before > 0 || chunk_closes_bracket(first_before)))
        return CHUNK_HEADING;
    if (after_blank)
        return CHUNK_BLANK;
    return indent < before ? CHUNK_SENTENCE : CHUNK_LINE;
}

/* Gaps within a line are the last resort while the line fits a chunk. */
static void chunk_mark_code_line(chunk_work *w, const chunk_line *line)
{
    if (line->t1 - line->t0 > w->options->max_tokens)
        return;
    for (size_t i = line->t0 + 1; i < line->t1; i++)
        if (w->strength[i] > CHUNK_WORD)
            w->strength[i] = CHUNK_WORD;
}

static void chunk_mark_code(chunk_work *w)
{
    chunk_line line = {0};
    size_t next, before = 0;
    char first_before = 0;
    int after_blank = 0;

    for (size_t at = 0; at < w->n_bytes; at = next) {
        const char *nl;
        char first;
        size_t indent;
        line = chunk_line_at(w, at, line.t1);
        nl = memchr(w->text + line.end, '\n', w->n_bytes - line.end);
        next = nl ? (size_t)(nl - w->text) + 1 : w->n_bytes;
        indent = chunk_code_indent(w, &line, &first);
        if (line.t0 == line.t1) {
            after_blank = 1;
            continue;
        }
        chunk_mark_code_line(w, &line);
        if (w->strength[line.t0] != CHUNK_HOLD)
            w->strength[line.t0] = (unsigned char)chunk_code_strength(indent, first, before,
                                                                      first_before, after_blank);
        before = indent;
        first_before = first;
        after_blank = 0;
    }
}

static memo_status chunk_mark_gaps(chunk_work *w, memo_err *err)
{
    w->strength = memo_calloc(w->tokens.n + 1, 1);
    if (!w->strength)
        return memo_fail_nomem(err, "chunk boundaries", w->tokens.n + 1);
    for (size_t i = 1; i < w->tokens.n; i++)
        w->strength[i] = (unsigned char)chunk_gap_strength(w, w->tokens.offsets[i - 1][1],
                                                           w->tokens.offsets[i][0]);
    if (w->options->markdown)
        chunk_mark_markdown(w);
    else if (w->options->code)
        chunk_mark_code(w);
    return MEMO_OK;
}

/* ---- laying chunks ------------------------------------------------------------------------- */

/* The strongest gap in (lo, hi], the last of equals; 0 when the interval is empty. */
static size_t chunk_strongest(const chunk_work *w, size_t lo, size_t hi)
{
    size_t best = 0;

    for (size_t i = lo + 1; i <= hi; i++)
        if (!best || w->strength[i] >= w->strength[best])
            best = i;
    return best;
}

/* Where the chunk that starts at token s ends: at most at `hi`, beyond `floor`, the end of the
 * chunk before. 0: better to start at `floor`, where a unit begins that does not fit otherwise. */
static size_t chunk_select_end(const chunk_work *w, size_t s, size_t floor, size_t hi)
{
    size_t middle = s + (hi - s) / 2;
    size_t best, back;

    if (middle < floor)
        middle = floor;
    best = chunk_strongest(w, middle, hi);
    if (w->options->code && (!best || w->strength[best] < CHUNK_HEADING)) {
        size_t quarter = s + (hi - s) / 4;
        back = chunk_strongest(w, quarter > floor ? quarter : floor, middle);
        if (back && w->strength[back] == CHUNK_HEADING)
            return back;
    }
    if (best && w->strength[best] >= CHUNK_MARK)
        return best;
    back = chunk_strongest(w, floor, middle);
    if (back && w->strength[back] >= CHUNK_MARK)
        return back;
    if (s < floor)
        return 0;
    if (best && w->strength[best] == CHUNK_HOLD)
        return hi;
    return best;
}

/* Where the chunk after a cut at token g starts; s is the start of the one before. */
static size_t chunk_select_start(const chunk_work *w, size_t s, size_t g)
{
    size_t lo = g > w->options->overlap ? g - w->options->overlap : 0;
    size_t best = g;

    if (w->strength[g] == CHUNK_HEADING)
        return g;
    if (lo <= s)
        lo = s + 1;
    for (size_t i = g; i-- > lo;) {
        if (w->strength[i] < CHUNK_SPACE)
            continue;
        if (best == g || w->strength[i] >= w->strength[best])
            best = i;
    }
    return best;
}

static void chunk_span(const chunk_work *w, size_t s, size_t g, memo_text_chunk *chunk)
{
    size_t at;
    uint32_t c = 0;

    chunk->begin = s == 0 ? 0 : memo_utf8_floor(w->text, w->n_bytes, w->tokens.offsets[s][0]);
    chunk->end = g >= w->tokens.n ? w->n_bytes
                                  : memo_utf8_floor(w->text, w->n_bytes, w->tokens.offsets[g][0]);
    while (chunk->begin < chunk->end) {
        size_t n = memo_utf8_decode(w->text + chunk->begin, chunk->end - chunk->begin, &c);
        if (!n || !memo_is_space(c))
            break;
        chunk->begin += n;
    }
    while (chunk->end > chunk->begin && memo_is_space(chunk_char_before(w, chunk->end, &at)))
        chunk->end = at;
}

/* The chunk [s, *g): counts its tokens alone and moves *g back, not below floor + 1, until they
 * are within `limit`. */
static memo_status chunk_fit(chunk_work *w, size_t s, size_t floor, size_t limit, size_t *g,
                             memo_text_chunk *chunk, memo_err *err)
{
    for (;;) {
        memo_status status;
        size_t over, hi, end;

        chunk_span(w, s, *g, chunk);
        w->piece.n = 0;
        status = memo_tokenizer_encode(w->tokenizer, w->text + chunk->begin,
                                       chunk->end - chunk->begin, 0, &w->piece, err);
        if (status)
            return status;
        chunk->n_tokens = w->piece.n;
        if (w->piece.n <= limit || *g <= floor + 1)
            return MEMO_OK;
        over = w->piece.n - limit;
        hi = *g - floor > over ? *g - over : floor + 1;
        end = chunk_select_end(w, s, floor, hi);
        *g = end ? end : hi;
    }
}

static memo_status chunk_push(memo_chunk_list *list, const memo_text_chunk *chunk, memo_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        memo_text_chunk *grown = memo_reallocarray(list->chunks, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "chunks of a text", cap * sizeof *grown);
        list->chunks = grown;
        list->cap = cap;
    }
    list->chunks[list->n++] = *chunk;
    return MEMO_OK;
}

static memo_status chunk_lay(chunk_work *w, memo_chunk_list *out, memo_err *err)
{
    size_t n = w->tokens.n;
    size_t limit = w->options->first_tokens ? w->options->first_tokens : w->options->max_tokens;
    size_t s = 0, floor = 0, g;
    memo_text_chunk chunk;
    memo_status status;

    do {
        g = n;
        if (n - s > limit) {
            g = chunk_select_end(w, s, floor, s + limit);
            if (!g) {
                s = floor;
                continue;
            }
        }
        status = chunk_fit(w, s, floor, limit, &g, &chunk, err);
        if (status)
            return status;
        if (chunk.begin < chunk.end || n == 0) {
            status = chunk_push(out, &chunk, err);
            if (status)
                return status;
        }
        s = g < n ? chunk_select_start(w, s, g) : n;
        floor = g;
        limit = w->options->max_tokens;
    } while (floor < n);
    return MEMO_OK;
}

static memo_status chunk_check_options(const memo_chunk_options *o, memo_err *err)
{
    if (o->max_tokens < MEMO_CHUNK_MIN_TOKENS)
        return memo_fail(err, MEMO_ERR_VALUE, "chunks of %zu tokens: at least %d are needed",
                         o->max_tokens, MEMO_CHUNK_MIN_TOKENS);
    if (o->first_tokens > o->max_tokens)
        return memo_fail(err, MEMO_ERR_VALUE, "first chunk of %zu tokens: chunks have at most %zu",
                         o->first_tokens, o->max_tokens);
    if (o->overlap > o->max_tokens / 2)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "chunks of %zu tokens overlap by %zu: at most half (%zu) is allowed",
                         o->max_tokens, o->overlap, o->max_tokens / 2);
    return MEMO_OK;
}

memo_status memo_chunk_split(const memo_tokenizer *tokenizer, memo_text text,
                             const memo_chunk_options *options, memo_chunk_list *out, memo_err *err)
{
    chunk_work w = {
        .tokenizer = tokenizer, .options = options, .text = text.bytes, .n_bytes = text.n_bytes};
    size_t n_before = out->n;
    memo_text_chunk whole = {0, text.n_bytes, 0};
    memo_status status = chunk_check_options(options, err);

    if (status)
        return status;
    status = memo_tokenizer_encode(tokenizer, text.bytes, text.n_bytes, MEMO_ENCODE_OFFSETS,
                                   &w.tokens, err);
    if (status)
        goto done;
    if (w.tokens.n == 0 || memo_text_is_blank(text.bytes, text.n_bytes)) {
        whole.n_tokens = w.tokens.n;
        status = chunk_push(out, &whole, err);
        goto done;
    }
    status = chunk_mark_gaps(&w, err);
    if (status == MEMO_OK)
        status = chunk_lay(&w, out, err);
done:
    if (status)
        out->n = n_before;
    memo_token_list_fini(&w.tokens);
    memo_token_list_fini(&w.piece);
    memo_free(w.strength);
    return status;
}
