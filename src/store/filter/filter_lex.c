// SPDX-License-Identifier: Apache-2.0
#include "store/filter/filter_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

/* ---- messages ------------------------------------------------------------------------------ */

/* What stands at `at`, for a message: a word, a few characters, or the end. */
static void filter_describe(const filter_parser *p, size_t at, char out[48])
{
    size_t end = at, n;
    while (end < p->n && end - at < 24 && p->text[end] != ' ' && p->text[end] != ')')
        end++;
    if (end == at && at < p->n)
        end++;
    n = memo_utf8_floor(p->text, p->n, end) - at;
    if (at >= p->n)
        snprintf(out, 48, "the end");
    else
        snprintf(out, 48, "\"%.*s\"", (int)n, p->text + at);
}

/* The JSON value on which the reader stands, in a few characters. */
static void filter_describe_json(const filter_parser *p, char out[48])
{
    char text[64] = "";
    size_t n = p->found ? json_dumpb(p->found, text, 40, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
    if (n > 40)
        snprintf(text, sizeof text, "a longer value");
    else
        text[n] = '\0';
    snprintf(out, 48, "%s", text);
}

memo_status memo_filter_fail(filter_parser *p, size_t at, const char *expected)
{
    char found[48];
    if (p->is_json) {
        filter_describe_json(p, found);
        return memo_fail(p->err, MEMO_ERR_VALUE, "filter, at \"%.200s\": found %s, expected %s",
                         p->path.data ? p->path.data : "", found, expected);
    }
    filter_describe(p, at, found);
    return memo_fail(p->err, MEMO_ERR_VALUE, "filter, byte %zu: found %s, expected %s", at, found,
                     expected);
}

/* The bytes of the word around `at`. */
static memo_text filter_word_at(const filter_parser *p, size_t at)
{
    size_t begin = at, end = at;
    while (begin > 0 && !strchr(" (,=<>", p->text[begin - 1]))
        begin--;
    while (end < p->n && end - begin < 64 && !strchr(" ),", p->text[end]))
        end++;
    return (memo_text){p->text + begin, memo_utf8_floor(p->text, p->n, end) - begin};
}

memo_status memo_filter_fail_value(filter_parser *p)
{
    memo_status status =
        memo_filter_fail(p, p->at, "a value: 'text', a number, true, false, null or now");
    memo_text word = filter_word_at(p, p->at);
    if (p->at >= p->n || word.n_bytes == 0 ||
        !(isalnum((unsigned char)*word.bytes) || (unsigned char)*word.bytes >= 0x80))
        return status;
    return memo_hint(p->err, status, "a text stands in quotes: '%.*s'", (int)word.n_bytes,
                     word.bytes);
}

memo_status memo_filter_fail_end(filter_parser *p)
{
    memo_status status = memo_filter_fail(p, p->at, "\"and\", \"or\" or the end");
    memo_text word = filter_word_at(p, p->at);
    if (p->text[p->at] != '-' || *word.bytes < '0' || *word.bytes > '9') /* 2025-07-01 */
        return status;
    return memo_hint(p->err, status, "a date stands in quotes: '%.*s'", (int)word.n_bytes,
                     word.bytes);
}

memo_status memo_filter_fail_limit(filter_parser *p, const char *what, size_t limit)
{
    if (p->is_json)
        return memo_fail(p->err, MEMO_ERR_LIMIT, "filter, at \"%.200s\": more than %zu %s",
                         p->path.data ? p->path.data : "", limit, what);
    return memo_fail(p->err, MEMO_ERR_LIMIT, "filter, byte %zu: more than %zu %s", p->at, limit,
                     what);
}

memo_status memo_filter_fail_memory(filter_parser *p)
{
    return memo_fail_nomem(p->err, "a filter", p->n);
}

/* ---- characters ---------------------------------------------------------------------------- */

void memo_filter_skip_space(filter_parser *p)
{
    while (p->at < p->n && strchr(" \t\r\n", p->text[p->at]))
        p->at++;
}

int memo_filter_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static int filter_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t memo_filter_word_length(const filter_parser *p)
{
    size_t end = p->at;
    while (end < p->n && memo_filter_is_word(p->text[end]))
        end++;
    return end - p->at;
}

/* Whether this word, in any case, stands here; then it is taken. */
int memo_filter_take_word(filter_parser *p, const char *word)
{
    size_t n = strlen(word);
    memo_filter_skip_space(p);
    if (memo_filter_word_length(p) != n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char c = p->text[p->at + i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i])
            return 0;
    }
    p->at += n;
    return 1;
}

int memo_filter_take_char(filter_parser *p, char c)
{
    memo_filter_skip_space(p);
    if (p->at >= p->n || p->text[p->at] != c)
        return 0;
    p->at++;
    return 1;
}

/* ---- values -------------------------------------------------------------------------------- */

memo_status memo_filter_read_string(filter_parser *p, memo_text *out)
{
    size_t start = p->at, n = 0;
    char quote = p->text[p->at++];
    char *copy = memo_arena_alloc(&p->filter->texts, p->n - start + 1);
    if (!copy)
        return memo_filter_fail_memory(p);
    for (; p->at < p->n; p->at++) {
        if (p->text[p->at] == quote) {
            if (p->at + 1 >= p->n || p->text[p->at + 1] != quote)
                break;
            p->at++;
        }
        copy[n++] = p->text[p->at];
    }
    if (p->at >= p->n)
        return memo_fail(p->err, MEMO_ERR_VALUE,
                         "filter, byte %zu: the string that begins here has no closing %c", start,
                         quote);
    p->at++;
    *out = (memo_text){copy, n};
    return MEMO_OK;
}

static size_t filter_skip_digits(filter_parser *p)
{
    size_t first = p->at;
    while (p->at < p->n && filter_is_digit(p->text[p->at]))
        p->at++;
    return p->at - first;
}

/* -?digits as a 64-bit integer; zero when it does not fit. */
static int filter_to_int(const char *s, size_t n, int64_t *out)
{
    uint64_t v = 0, limit = *s == '-' ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    for (size_t i = *s == '-'; i < n; i++) {
        uint64_t digit = (uint64_t)(s[i] - '0');
        if (v > (limit - digit) / 10)
            return 0;
        v = v * 10 + digit;
    }
    *out = *s != '-' ? (int64_t)v : v > INT64_MAX ? INT64_MIN : -(int64_t)v;
    return 1;
}

static memo_status filter_read_number(filter_parser *p, filter_value *v)
{
    size_t start = p->at;
    int real = 0;
    if (p->text[p->at] == '-')
        p->at++;
    if (!filter_skip_digits(p))
        return memo_filter_fail(p, start, "a number");
    if (p->at < p->n && p->text[p->at] == '.') {
        real = 1;
        p->at++;
        if (!filter_skip_digits(p))
            return memo_filter_fail(p, start, "a digit after the point");
    }
    if (p->at < p->n && (p->text[p->at] == 'e' || p->text[p->at] == 'E')) {
        real = 1;
        p->at++;
        if (p->at < p->n && (p->text[p->at] == '+' || p->text[p->at] == '-'))
            p->at++;
        if (!filter_skip_digits(p))
            return memo_filter_fail(p, start, "digits of an exponent");
    }
    if (p->at < p->n && memo_filter_is_word(p->text[p->at]))
        return memo_filter_fail(p, start, "a number");
    v->kind = real ? VALUE_REAL : VALUE_INT;
    if (!real)
        return filter_to_int(p->text + start, p->at - start, &v->integer)
                   ? MEMO_OK
                   : memo_filter_fail(p, start, "an integer of at most 64 bits");
    v->text.n_bytes = p->at - start;
    v->text.bytes = memo_arena_strndup(&p->filter->texts, p->text + start, p->at - start);
    return v->text.bytes ? MEMO_OK : memo_filter_fail_memory(p);
}

/* What may follow `now`, "- 7d", at s: how many bytes of it are a span, SIZE_MAX for one that goes
 * wrong at *bad. Nothing is a span of zero. */
static size_t filter_read_span(const char *s, size_t n, int64_t *span_ms, size_t *bad)
{
    static const char units[] = "smhdw";
    static const int64_t unit_ms[] = {1000, 60000, 3600000, 86400000, 604800000};
    const char *unit;
    size_t at = 0, digits;
    int64_t count = 0;
    int sign;
    *span_ms = 0;
    while (at < n && s[at] && strchr(" \t\r\n", s[at]))
        at++;
    if (at >= n || (s[at] != '-' && s[at] != '+'))
        return 0;
    sign = s[at++] == '-' ? -1 : 1;
    while (at < n && s[at] && strchr(" \t\r\n", s[at]))
        at++;
    *bad = digits = at;
    while (at < n && filter_is_digit(s[at]) && at - digits <= 9)
        count = count * 10 + (s[at++] - '0');
    if (at == digits || at - digits > 9 || at >= n || !s[at] || !(unit = strchr(units, s[at])) ||
        (at + 1 < n && memo_filter_is_word(s[at + 1])))
        return SIZE_MAX;
    *span_ms = sign * count * unit_ms[unit - units];
    return at + 1;
}

int memo_filter_parse_now(const char *s, size_t n, int64_t now_ms, int64_t *out)
{
    size_t bad;
    int64_t span_ms;
    if (filter_read_span(s, n, &span_ms, &bad) != n)
        return 0;
    *out = now_ms + span_ms;
    return 1;
}

static memo_status filter_read_offset(filter_parser *p, filter_value *v)
{
    size_t bad = 0, n;
    int64_t span_ms;
    n = filter_read_span(p->text + p->at, p->n - p->at, &span_ms, &bad);
    if (n == SIZE_MAX)
        return memo_filter_fail(p, p->at + bad,
                                "a span such as 7d (units s m h d w, at most 9 digits)");
    v->kind = VALUE_INT;
    v->integer = p->now_ms + span_ms;
    p->at += n;
    return MEMO_OK;
}

memo_status memo_filter_read_value(filter_parser *p, filter_value *v)
{
    memo_filter_skip_space(p);
    *v = (filter_value){.at = p->at};
    if (++p->n_values > MEMO_FILTER_MAX_VALUES)
        return memo_filter_fail_limit(p, "values", MEMO_FILTER_MAX_VALUES);
    if (p->at < p->n && (p->text[p->at] == '\'' || p->text[p->at] == '"'))
        return memo_filter_read_string(p, &v->text);
    if (p->at < p->n && (p->text[p->at] == '-' || filter_is_digit(p->text[p->at])))
        return filter_read_number(p, v);
    if (memo_filter_take_word(p, "now"))
        return filter_read_offset(p, v);
    if (memo_filter_take_word(p, "true"))
        v->kind = VALUE_TRUE;
    else if (memo_filter_take_word(p, "false"))
        v->kind = VALUE_FALSE;
    else if (memo_filter_take_word(p, "null"))
        v->kind = VALUE_NULL;
    else
        return memo_filter_fail_value(p);
    return MEMO_OK;
}
