// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/mime.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/utf8.h"

/* ---- transfer encodings -------------------------------------------------------------------- */

static int mime_base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void memo_mime_base64(memo_text in, memo_buf *out)
{
    uint32_t bits = 0;
    int n_bits = 0;

    for (size_t i = 0; i < in.n_bytes && in.bytes[i] != '='; i++) {
        int value = mime_base64_value(in.bytes[i]);
        if (value < 0)
            continue;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            memo_buf_putc(out, (char)(bits >> n_bits & 0xFF));
        }
    }
}

static int mime_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void memo_mime_quoted(memo_text in, int is_word, memo_buf *out)
{
    const char *s = in.bytes;
    size_t n = in.n_bytes;

    for (size_t i = 0; i < n; i++) {
        size_t end = i + 1;
        if (s[i] != '=') {
            memo_buf_putc(out, is_word && s[i] == '_' ? ' ' : s[i]);
            continue;
        }
        if (i + 2 < n && mime_hex(s[i + 1]) >= 0 && mime_hex(s[i + 2]) >= 0) {
            memo_buf_putc(out, (char)(mime_hex(s[i + 1]) << 4 | mime_hex(s[i + 2])));
            i += 2;
            continue;
        }
        while (end < n && (s[end] == ' ' || s[end] == '\t' || s[end] == '\r'))
            end++;
        if (end == n || s[end] == '\n')
            i = end; /* a line broken softly */
        else
            memo_buf_putc(out, '=');
    }
}

/* ---- charsets ------------------------------------------------------------------------------ */

static int mime_is(memo_text name, const char *other)
{
    return name.n_bytes == strlen(other) && strncasecmp(name.bytes, other, name.n_bytes) == 0;
}

static void mime_put_character(memo_buf *out, uint32_t cp)
{
    char utf8[4];
    size_t n = memo_utf8_encode(cp, utf8);
    memo_buf_append(out, utf8, n);
}

static void mime_put_windows(memo_text in, memo_buf *out)
{
    static const uint16_t upper[32] = {
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
    };
    for (size_t i = 0; i < in.n_bytes; i++) {
        unsigned char c = (unsigned char)in.bytes[i];
        mime_put_character(out, c >= 0x80 && c < 0xA0 ? upper[c - 0x80] : c);
    }
}

static void mime_put_utf8(memo_text in, memo_buf *out)
{
    while (in.n_bytes) {
        size_t good = memo_utf8_check(in.bytes, in.n_bytes), bad;
        memo_buf_append(out, in.bytes, good);
        if (good == in.n_bytes)
            return;
        bad = memo_utf8_bad_length(in.bytes + good, in.n_bytes - good);
        mime_put_character(out, 0xFFFD);
        in.bytes += good + bad;
        in.n_bytes -= good + bad;
    }
}

memo_status memo_mime_to_utf8(memo_text in, memo_text charset, memo_buf *out, memo_err *err)
{
    static const char *const ascii[] = {"", "us-ascii", "ascii", "ansi_x3.4-1968"};
    static const char *const latin[] = {"iso-8859-1", "iso8859-1", "latin1", "windows-1252",
                                        "cp1252"};
    if (mime_is(charset, "utf-8") || mime_is(charset, "utf8")) {
        mime_put_utf8(in, out);
        return MEMO_OK;
    }
    for (size_t i = 0; i < sizeof ascii / sizeof *ascii; i++) {
        if (!mime_is(charset, ascii[i]))
            continue;
        if (memo_utf8_check(in.bytes, in.n_bytes) == in.n_bytes)
            memo_buf_append(out, in.bytes, in.n_bytes);
        else
            mime_put_windows(in, out);
        return MEMO_OK;
    }
    for (size_t i = 0; i < sizeof latin / sizeof *latin; i++)
        if (mime_is(charset, latin[i])) {
            mime_put_windows(in, out); /* of whose characters those of ISO-8859-1 are the same */
            return MEMO_OK;
        }
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "charset \"%.*s\"; UTF-8, US-ASCII, ISO-8859-1 and windows-1252 are read",
                     charset.n_bytes < 64 ? (int)charset.n_bytes : 64, charset.bytes);
}

/* ---- encoded words ------------------------------------------------------------------------- */

/* "=?charset?Q?text?=" at the start of `in`; its length, or 0. */
static size_t mime_word(memo_text in, memo_text *charset, char *encoding, memo_text *text)
{
    const char *s = in.bytes, *end = in.bytes + in.n_bytes, *first, *third;

    if (in.n_bytes < 8 || s[0] != '=' || s[1] != '?')
        return 0;
    first = memchr(s + 2, '?', (size_t)(end - s - 2));
    if (!first || end - first < 5 || first[2] != '?' || !strchr("QqBb", first[1]))
        return 0;
    third = memchr(first + 3, '?', (size_t)(end - first - 3));
    if (!third || third + 1 == end || third[1] != '=' || first - s - 2 > 64 || !first[1])
        return 0;
    *charset = (memo_text){s + 2, (size_t)(first - s - 2)};
    const char *language = memchr(charset->bytes, '*', charset->n_bytes);
    if (language)
        charset->n_bytes = (size_t)(language - charset->bytes);
    *encoding = first[1];
    *text = (memo_text){first + 3, (size_t)(third - first - 3)};
    return (size_t)(third + 2 - s);
}

/* Append the decoded word. 0 when its charset is unknown. */
static int mime_put_word(memo_text charset, char encoding, memo_text text, memo_buf *out)
{
    memo_buf raw = {0};
    memo_status status;

    memo_buf_append(&raw, "", 0);
    if (encoding == 'Q' || encoding == 'q')
        memo_mime_quoted(text, 1, &raw);
    else
        memo_mime_base64(text, &raw);
    out->failed |= raw.failed;
    status =
        out->failed ? MEMO_OK : memo_mime_to_utf8((memo_text){raw.data, raw.n}, charset, out, NULL);
    memo_buf_fini(&raw);
    return status == MEMO_OK;
}

memo_status memo_mime_header(memo_text in, memo_buf *out, memo_err *err)
{
    static const memo_text none = {"", 0};
    size_t at = 0, plain = 0; /* bytes [plain, at) are no word and not yet taken */
    int after_word = 0;
    memo_buf word = {0};

    while (at < in.n_bytes && !out->failed) {
        memo_text charset, text, gap = {in.bytes + plain, at - plain};
        char encoding;
        size_t n =
            mime_word((memo_text){in.bytes + at, in.n_bytes - at}, &charset, &encoding, &text);
        if (!n) {
            at++;
            continue;
        }
        memo_buf_clear(&word);
        memo_buf_append(&word, "", 0);
        if (mime_put_word(charset, encoding, text, &word)) { /* else it is a part of the gap */
            if (!after_word || strspn(gap.bytes, " \t\r\n") < gap.n_bytes)
                memo_mime_to_utf8(gap, none, out, NULL);
            if (!word.failed)
                memo_buf_append(out, word.data, word.n);
            out->failed |= word.failed;
            after_word = 1;
            plain = at + n;
        }
        at += n;
    }
    memo_buf_fini(&word);
    memo_mime_to_utf8((memo_text){in.bytes + plain, in.n_bytes - plain}, none, out, NULL);
    return out->failed ? memo_fail_nomem(err, "header of a message", in.n_bytes) : MEMO_OK;
}

/* ---- HTML ---------------------------------------------------------------------------------- */

/* The character of the entity at s[0..n), which begins with '&'; its length, or 0. */
static size_t mime_entity(const char *s, size_t n, uint32_t *cp)
{
    static const struct {
        const char *name;
        uint32_t cp;
    } names[] = {{"amp;", '&'},      {"lt;", '<'},       {"gt;", '>'},        {"quot;", '"'},
                 {"apos;", '\''},    {"nbsp;", ' '},     {"hellip;", 0x2026}, {"ndash;", 0x2013},
                 {"mdash;", 0x2014}, {"lsquo;", 0x2018}, {"rsquo;", 0x2019},  {"ldquo;", 0x201C},
                 {"rdquo;", 0x201D}, {"euro;", 0x20AC},  {"copy;", 0xA9},     {"auml;", 0xE4},
                 {"ouml;", 0xF6},    {"uuml;", 0xFC},    {"Auml;", 0xC4},     {"Ouml;", 0xD6},
                 {"Uuml;", 0xDC},    {"szlig;", 0xDF},   {"eacute;", 0xE9},   {"egrave;", 0xE8}};
    size_t i = 2;
    int base = 10;

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        size_t m = strlen(names[k].name);
        if (n > m && memcmp(s + 1, names[k].name, m) == 0) {
            *cp = names[k].cp;
            return m + 1;
        }
    }
    if (n < 4 || s[1] != '#')
        return 0;
    if (s[2] == 'x' || s[2] == 'X') {
        base = 16;
        i = 3;
    }
    *cp = 0;
    for (; i < n && i < 12 && mime_hex(s[i]) >= 0 && mime_hex(s[i]) < base; i++)
        *cp = *cp > 0x110000 ? *cp : *cp * (uint32_t)base + (uint32_t)mime_hex(s[i]);
    if (i >= n || s[i] != ';' || *cp == 0 || *cp > 0x10FFFF || (*cp >= 0xD800 && *cp < 0xE000))
        return 0;
    return i + 1;
}

/* A tag's name is `word`: s points behind '<' or "</". */
static int mime_is_tag(const char *s, size_t n, const char *word)
{
    size_t m = strlen(word);
    return n > m && strncasecmp(s, word, m) == 0 && strchr(" \t\r\n/>", s[m]) && s[m];
}

static int mime_is_block(const char *s, size_t n)
{
    static const char *const blocks[] = {"p",  "div", "br",    "tr",  "li", "ul",         "ol",
                                         "h1", "h2",  "h3",    "h4",  "hr", "blockquote", "table",
                                         "td", "th",  "title", "pre", "h5", "h6"};
    if (n && *s == '/') {
        s++;
        n--;
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (mime_is_tag(s, n, blocks[i]))
            return 1;
    return 0;
}

/* Where the text behind the tag at s[at] == '<' goes on: behind its '>', or behind the whole of a
 * comment, style or script. */
static size_t mime_skip_tag(const char *s, size_t n, size_t at)
{
    static const char *const hidden[] = {"style", "script"};
    const char *end;

    if (n - at >= 4 && memcmp(s + at, "<!--", 4) == 0) {
        end = memmem(s + at + 4, n - at - 4, "-->", 3);
        return end ? (size_t)(end - s) + 3 : n;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!mime_is_tag(s + at + 1, n - at - 1, hidden[i]))
            continue;
        for (at++; at < n; at++) {
            const char *next = memchr(s + at, '<', n - at);
            at = next ? (size_t)(next - s) : n;
            if (n - at > 2 && s[at + 1] == '/' && mime_is_tag(s + at + 2, n - at - 2, hidden[i]))
                break;
        }
        if (at >= n)
            return n;
    }
    end = memchr(s + at, '>', n - at);
    return end ? (size_t)(end - s) + 1 : n;
}

/* One space for a run of white space, one line break for a run of blocks. */
static void mime_put_gap(memo_buf *out, char gap)
{
    if (out->n == 0)
        return;
    if (gap == '\n' && out->data[out->n - 1] == ' ')
        out->data[out->n - 1] = '\n';
    else if (out->data[out->n - 1] != ' ' && out->data[out->n - 1] != '\n')
        memo_buf_putc(out, gap);
}

void memo_mime_html_text(memo_text in, memo_buf *out)
{
    const char *s = in.bytes;
    size_t n = in.n_bytes, taken;
    uint32_t cp = 0;

    for (size_t at = 0; at < n && !out->failed;) {
        if (s[at] == '<' && at + 1 < n && strchr(" \t\n=<0123456789", s[at + 1]) == NULL) {
            if (mime_is_block(s + at + 1, n - at - 1))
                mime_put_gap(out, '\n');
            at = mime_skip_tag(s, n, at);
        } else if (s[at] == '&' && (taken = mime_entity(s + at, n - at, &cp)) > 0) {
            if (cp == ' ')
                mime_put_gap(out, ' ');
            else
                mime_put_character(out, cp);
            at += taken;
        } else if (strchr(" \t\r\n", s[at]) && s[at]) {
            mime_put_gap(out, ' ');
            at++;
        } else {
            memo_buf_putc(out, s[at++]);
        }
    }
}
