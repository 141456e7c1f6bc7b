// SPDX-License-Identifier: Apache-2.0
#include "memory/search/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"
#include "text/words.h"

#define QUERY_NEEDLE_BYTES 256 /* a longer quote is no name */
#define QUERY_OTHER_WORDS  2   /* beside names, in the identifier class */

/* Words that stand in most English texts, sorted; leaving them out raises nDCG@10 on Cranfield from
 * 0.370 to 0.378 and on ADI from 0.486 to 0.488, and spares reading their long posting lists. */
static const char *const query_common[] = {
    "a",    "am",    "an",    "and",   "are",  "as",   "at",    "be",    "been", "but",  "by",
    "can",  "could", "did",   "do",    "does", "for",  "from",  "had",   "has",  "have", "he",
    "her",  "his",   "how",   "i",     "if",   "in",   "into",  "is",    "it",   "its",  "me",
    "my",   "no",    "not",   "of",    "on",   "or",   "our",   "s",     "she",  "so",   "t",
    "than", "that",  "the",   "their", "them", "then", "there", "these", "they", "this", "to",
    "us",   "was",   "we",    "were",  "what", "when", "where", "which", "who",  "whom", "why",
    "will", "with",  "would", "you",   "your",
};

/* ---- characters ---------------------------------------------------------------------------- */

static int query_is_ascii_space(char c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0;
}

static int query_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int query_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int query_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int query_is_letter(char c)
{
    return query_is_upper(c) || query_is_lower(c) || (unsigned char)c >= 0x80;
}

static char query_fold(char c)
{
    return query_is_upper(c) ? (char)(c + 32) : c;
}

/* ---- words --------------------------------------------------------------------------------- */

/* The full-text expression of one word: quoted, and the beginning of a run where runs are more. */
static const char *query_word_match(memo_arena *arena, const char *text, size_t n_bytes,
                                    int unspaced)
{
    memo_buf buf = {0};
    const char *match;

    memo_store_quote_term(&buf, text, n_bytes);
    memo_buf_puts(&buf, unspaced ? " *" : "");
    match = buf.failed ? NULL : memo_arena_strndup(arena, buf.data, buf.n);
    memo_buf_fini(&buf);
    return match;
}

/* The expression over parts: of one word, or of all of a text. NULL in *out: it has none. */
static memo_status query_parts(memo_arena *arena, memo_text text,
                               int (*put)(memo_buf *match, memo_text text), const char **out,
                               memo_err *err)
{
    memo_buf buf = {0};

    *out = NULL;
    if (put(&buf, text))
        *out = buf.failed ? NULL : memo_arena_strndup(arena, buf.data, buf.n);
    int failed = buf.failed || (buf.n && !*out);
    memo_buf_fini(&buf);
    return failed ? memo_fail_nomem(err, "words of a query", text.n_bytes) : MEMO_OK;
}

static int query_compare_word(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

static int query_is_common(const char *word)
{
    return bsearch(word, query_common, sizeof query_common / sizeof *query_common,
                   sizeof *query_common, query_compare_word) != NULL;
}

static int query_has_word(const memo_query *query, const char *word)
{
    for (size_t i = 0; i < query->n_words; i++)
        if (strcmp(query->words[i], word) == 0)
            return 1;
    return 0;
}

/* Collect words; with `common` zero, those of the list of common words are left out. */
static memo_status query_collect_words(memo_text text, int common, memo_arena *arena,
                                       memo_query *query, memo_err *err)
{
    memo_word span = {0};

    query->n_words = 0;
    while (query->n_words < MEMO_QUERY_MAX_WORDS && memo_word_next(text, span.end, &span)) {
        const char *bytes = text.bytes + span.begin;
        size_t n_bytes = span.end - span.begin;
        const char *match = query_word_match(arena, bytes, n_bytes, span.unspaced);
        const char *word = memo_word_lower(arena, bytes, n_bytes);
        if (!word || !match)
            return memo_fail_nomem(err, "words of a query", n_bytes);
        if ((common || !query_is_common(word)) && !query_has_word(query, word)) {
            memo_status status =
                query_parts(arena, (memo_text){bytes, n_bytes}, memo_store_parts_phrase,
                            &query->word_parts[query->n_words], err);
            if (status)
                return status;
            query->words[query->n_words] = word;
            query->word_matches[query->n_words++] = match;
        }
    }
    return MEMO_OK;
}

static int query_wants_recent(const memo_query *query)
{
    static const char *const recent[] = {"lately",   "latest", "newest",   "recent",
                                         "recently", "today",  "yesterday"};
    for (size_t i = 0; i < query->n_words; i++)
        if (bsearch(query->words[i], recent, sizeof recent / sizeof *recent, sizeof *recent,
                    query_compare_word))
            return 1;
    return 0;
}

static memo_status query_join_words(memo_arena *arena, memo_query *query, memo_err *err)
{
    memo_buf buf = {0};

    if (query->n_words == 0)
        return MEMO_OK;
    for (size_t i = 0; i < query->n_words; i++) {
        memo_buf_puts(&buf, i ? " OR " : "");
        memo_buf_puts(&buf, query->word_matches[i]);
    }
    if (!buf.failed)
        query->match = memo_arena_strndup(arena, buf.data, buf.n);
    memo_buf_fini(&buf);
    return query->match ? MEMO_OK : memo_fail_nomem(err, "words of a query", 0);
}

/* ---- needles ------------------------------------------------------------------------------- */

/* "file.h" and "a.bc", but not "e.g": letters on both sides, two of them on one. */
static int query_joins_names(const char *s, size_t n, size_t dot)
{
    return query_is_letter(s[dot - 1]) && query_is_letter(s[dot + 1]) &&
           ((dot > 1 && query_is_letter(s[dot - 2])) ||
            (dot + 2 < n && query_is_letter(s[dot + 2])));
}

static int query_is_identifier(const char *s, size_t n)
{
    int digit = 0, letter = 0, only_digits = 1, joint = 0, hump = 0;

    for (size_t i = 0; i < n; i++) {
        int inner = i > 0 && i + 1 < n;
        digit |= query_is_digit(s[i]);
        letter |= query_is_letter(s[i]);
        only_digits &= query_is_digit(s[i]);
        hump |= i > 0 && query_is_upper(s[i]) && query_is_lower(s[i - 1]);
        joint |= inner && s[i] && strchr("_/\\@#", s[i]) != NULL;
        joint |= inner && s[i] == ':' && s[i + 1] == ':';
        joint |= inner && s[i] == '.' && query_joins_names(s, n, i);
    }
    return (digit && letter) || (only_digits && n >= 5) || joint || hump;
}

static memo_status query_add_needle(memo_text piece, int is_name, memo_arena *arena,
                                    memo_query *query, memo_err *err)
{
    memo_needle *needle = &query->needles[query->n_needles];
    memo_word word;

    if (query->n_needles == MEMO_QUERY_MAX_NEEDLES || piece.n_bytes > QUERY_NEEDLE_BYTES ||
        !memo_word_next(piece, 0, &word))
        return MEMO_OK;
    for (size_t i = 0; i < query->n_needles; i++)
        if (query->needles[i].n_bytes == piece.n_bytes &&
            memcmp(query->needles[i].text, piece.bytes, piece.n_bytes) == 0)
            return MEMO_OK;
    needle->text = memo_arena_strndup(arena, piece.bytes, piece.n_bytes);
    needle->n_bytes = piece.n_bytes;
    needle->is_name = is_name;
    if (!needle->text)
        return memo_fail_nomem(err, "names in a query", piece.n_bytes);
    query->n_needles++;
    return MEMO_OK;
}

static memo_status query_collect_quotes(memo_text text, memo_arena *arena, memo_query *query,
                                        memo_err *err)
{
    for (size_t i = 0; i < text.n_bytes; i++) {
        const char *close;
        if (text.bytes[i] != '"' && text.bytes[i] != '`')
            continue;
        close = memchr(text.bytes + i + 1, text.bytes[i], text.n_bytes - i - 1);
        if (close) {
            size_t end = (size_t)(close - text.bytes);
            memo_status status = query_add_needle((memo_text){text.bytes + i + 1, end - i - 1}, 1,
                                                  arena, query, err);
            if (status)
                return status;
            i = end;
        }
    }
    return MEMO_OK;
}

/* [*begin, *end) without brackets, quotes and sentence marks around it. */
static void query_strip(const char *s, size_t *begin, size_t *end)
{
    while (*begin < *end && s[*begin] && strchr("\"'`([{<,;", s[*begin]))
        ++*begin;
    while (*end > *begin && s[*end - 1] && strchr("\"'`)]}>.,;:!?", s[*end - 1]))
        --*end;
}

static memo_status query_collect_identifiers(memo_text text, memo_arena *arena, memo_query *query,
                                             memo_err *err)
{
    size_t end;

    for (size_t i = 0; i < text.n_bytes; i = end) {
        size_t begin = i, stop;
        while (begin < text.n_bytes && query_is_ascii_space(text.bytes[begin]))
            begin++;
        end = begin;
        while (end < text.n_bytes && !query_is_ascii_space(text.bytes[end]))
            end++;
        stop = end;
        query_strip(text.bytes, &begin, &stop);
        if (begin < stop && query_is_identifier(text.bytes + begin, stop - begin)) {
            memo_status status = query_add_needle((memo_text){text.bytes + begin, stop - begin}, 1,
                                                  arena, query, err);
            if (status)
                return status;
        }
    }
    return MEMO_OK;
}

/* The whole query, without white space and sentence marks around it, when it is short. */
static memo_status query_collect_whole(memo_text text, memo_arena *arena, memo_query *query,
                                       memo_err *err)
{
    size_t begin = 0, end = text.n_bytes, n_words = 0;
    memo_word word = {0};

    while (memo_word_next(text, word.end, &word))
        if (++n_words > MEMO_QUERY_PHRASE_WORDS)
            return MEMO_OK;
    while (begin < end && query_is_ascii_space(text.bytes[begin]))
        begin++;
    while (end > begin && query_is_ascii_space(text.bytes[end - 1]))
        end--;
    query_strip(text.bytes, &begin, &end);
    return query_add_needle((memo_text){text.bytes + begin, end - begin}, 0, arena, query, err);
}

/* Non-zero when `word`, in lower case, is part of the needle. */
static int query_stands_in(const memo_needle *needle, const char *word)
{
    size_t n = strlen(word);

    for (size_t at = 0; at + n <= needle->n_bytes; at++) {
        size_t i = 0;
        while (i < n && query_fold(needle->text[at + i]) == word[i])
            i++;
        if (i == n)
            return 1;
    }
    return 0;
}

static memo_query_class query_classify(const memo_query *query)
{
    size_t n_names = 0, n_other = 0;

    for (size_t i = 0; i < query->n_needles; i++)
        n_names += query->needles[i].is_name != 0;
    if (n_names == 0)
        return MEMO_QUERY_NATURAL;
    for (size_t i = 0; i < query->n_words; i++) {
        int inside = 0;
        for (size_t j = 0; j < query->n_needles && !inside; j++)
            inside =
                query->needles[j].is_name && query_stands_in(&query->needles[j], query->words[i]);
        n_other += !inside;
    }
    return n_other <= QUERY_OTHER_WORDS ? MEMO_QUERY_IDENTIFIER : MEMO_QUERY_NATURAL;
}

memo_status memo_query_parse(memo_text text, memo_arena *arena, memo_query *query, memo_err *err)
{
    memo_status status;

    memset(query, 0, sizeof *query);
    query->words = memo_arena_array(arena, MEMO_QUERY_MAX_WORDS, sizeof *query->words);
    query->word_matches = memo_arena_array(arena, MEMO_QUERY_MAX_WORDS, sizeof *query->words);
    query->word_parts = memo_arena_array(arena, MEMO_QUERY_MAX_WORDS, sizeof *query->words);
    if (!query->words || !query->word_matches || !query->word_parts)
        return memo_fail_nomem(err, "words of a query", MEMO_QUERY_MAX_WORDS);
    status = query_collect_words(text, 0, arena, query, err);
    if (status == MEMO_OK && query->n_words == 0)
        status = query_collect_words(text, 1, arena, query, err);
    if (status == MEMO_OK)
        status = query_join_words(arena, query, err);
    if (status == MEMO_OK)
        status = query_parts(arena, text, memo_store_parts_any, &query->parts, err);
    if (status == MEMO_OK)
        status = query_collect_quotes(text, arena, query, err);
    if (status == MEMO_OK)
        status = query_collect_identifiers(text, arena, query, err);
    if (status == MEMO_OK)
        status = query_collect_whole(text, arena, query, err);
    if (status == MEMO_OK)
        query->cls = query_classify(query);
    query->wants_recent = query_wants_recent(query);
    return status;
}
