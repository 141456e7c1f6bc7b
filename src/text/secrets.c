// SPDX-License-Identifier: Apache-2.0
#include "text/secrets.h"

#include <math.h>
#include <string.h>

/* What a character may be a part of. */
enum {
    SECRET_DIGIT = 1,
    SECRET_UPPER = 2,
    SECRET_LOWER = 4,
    SECRET_DASH = 8, /* - and _ */
    SECRET_DOT = 16,
    SECRET_ALNUM = SECRET_DIGIT | SECRET_UPPER | SECRET_LOWER,
};

typedef struct secret_kind {
    const char *prefix, *name;
    int alphabet;
    size_t least, most; /* characters behind the prefix; more than `most`: something else */
    double entropy;     /* least bits a character of them */
} secret_kind;

enum { SECRET_LONG = 4096, SECRET_URL = 512 };

/* Entropies of the shortest random ones are about a bit higher; words and fillers are below. */
static const secret_kind secret_kinds[] = {
    {"AKIA", "AWS access key", SECRET_DIGIT | SECRET_UPPER, 16, 16, 2.8},
    {"ASIA", "AWS access key", SECRET_DIGIT | SECRET_UPPER, 16, 16, 2.8},
    {"ghp_", "GitHub token", SECRET_ALNUM, 36, 255, 3.5},
    {"gho_", "GitHub token", SECRET_ALNUM, 36, 255, 3.5},
    {"ghu_", "GitHub token", SECRET_ALNUM, 36, 255, 3.5},
    {"ghs_", "GitHub token", SECRET_ALNUM, 36, 255, 3.5},
    {"ghr_", "GitHub token", SECRET_ALNUM, 36, 255, 3.5},
    {"github_pat_", "GitHub token", SECRET_ALNUM | SECRET_DASH, 22, 255, 3.5},
    {"sk-", "API key (OpenAI, Anthropic)", SECRET_ALNUM | SECRET_DASH, 20, 255, 3.5},
    {"xoxa-", "Slack token", SECRET_ALNUM | SECRET_DASH, 10, 255, 2.8},
    {"xoxb-", "Slack token", SECRET_ALNUM | SECRET_DASH, 10, 255, 2.8},
    {"xoxp-", "Slack token", SECRET_ALNUM | SECRET_DASH, 10, 255, 2.8},
    {"xoxr-", "Slack token", SECRET_ALNUM | SECRET_DASH, 10, 255, 2.8},
    {"xoxs-", "Slack token", SECRET_ALNUM | SECRET_DASH, 10, 255, 2.8},
    {"AIza", "Google API key", SECRET_ALNUM | SECRET_DASH, 35, 35, 3.5},
    {"eyJ", "JSON web token", SECRET_ALNUM | SECRET_DASH | SECRET_DOT, 30, SECRET_LONG, 3.5},
};

static int secret_class(char c)
{
    if (c >= '0' && c <= '9')
        return SECRET_DIGIT;
    if (c >= 'A' && c <= 'Z')
        return SECRET_UPPER;
    if (c >= 'a' && c <= 'z')
        return SECRET_LOWER;
    return c == '-' || c == '_' ? SECRET_DASH : c == '.' ? SECRET_DOT : 0;
}

static double secret_entropy(const char *s, size_t n)
{
    size_t counts[256] = {0};
    double bits = 0;
    for (size_t i = 0; i < n; i++)
        counts[(unsigned char)s[i]]++;
    for (size_t i = 0; i < 256; i++)
        if (counts[i])
            bits -= (double)counts[i] / (double)n * log2((double)counts[i] / (double)n);
    return bits;
}

static int secret_starts(memo_text text, size_t at, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.n_bytes - at >= n && memcmp(text.bytes + at, prefix, n) == 0;
}

/* Words and names of things, joined by dashes, may have as much entropy; hardly ever all three of these.
 * Kinds of capitals and digits alone are not asked. */
static int secret_is_mixed(const secret_kind *kind, const char *s, size_t n)
{
    int seen = 0;
    if (!(kind->alphabet & SECRET_LOWER))
        return 1;
    for (size_t i = 0; i < n; i++)
        seen |= secret_class(s[i]);
    return (seen & SECRET_ALNUM) == SECRET_ALNUM;
}

/* Three parts with dots between, the second of which is an object as well. */
static int secret_is_jwt(const char *s, size_t n)
{
    const char *dot = memchr(s, '.', n), *second;
    size_t rest;
    if (!dot)
        return 0;
    rest = n - (size_t)(dot + 1 - s);
    if (rest < 3 || memcmp(dot + 1, "eyJ", 3) != 0)
        return 0;
    second = memchr(dot + 1, '.', rest);
    return second && memchr(second + 1, '.', n - (size_t)(second + 1 - s)) == NULL;
}

static int secret_token(memo_text text, size_t at, memo_secret *out)
{
    if (at > 0 && secret_class(text.bytes[at - 1]) & SECRET_ALNUM)
        return 0;
    for (size_t k = 0; k < sizeof secret_kinds / sizeof *secret_kinds; k++) {
        const secret_kind *kind = &secret_kinds[k];
        size_t begin = at + strlen(kind->prefix), end = begin;
        double entropy;
        if (!secret_starts(text, at, kind->prefix))
            continue;
        while (end < text.n_bytes && end - begin <= kind->most &&
               secret_class(text.bytes[end]) & kind->alphabet)
            end++;
        if (end - begin < kind->least || end - begin > kind->most)
            continue;
        entropy = secret_entropy(text.bytes + begin, end - begin);
        if (entropy < kind->entropy || !secret_is_mixed(kind, text.bytes + begin, end - begin) ||
            (kind->alphabet & SECRET_DOT && !secret_is_jwt(text.bytes + at, end - at)))
            continue;
        *out = (memo_secret){kind->name, at, end, entropy};
        return 1;
    }
    return 0;
}

static int secret_private_key(memo_text text, size_t at, memo_secret *out)
{
    static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY";
    size_t from = at + sizeof begin - 1, most = from + 24;
    if (!secret_starts(text, at, begin))
        return 0;
    for (size_t i = from; i < most && i < text.n_bytes; i++) {
        if (secret_starts(text, i, end)) {
            *out = (memo_secret){"private key", at, i + sizeof end - 1, 0};
            return 1;
        }
        if (!(secret_class(text.bytes[i]) & SECRET_UPPER) && text.bytes[i] != ' ')
            return 0;
    }
    return 0;
}

/* A place holder of a manual: ${NAME}, <password>, ****, xxxx, "password". */
static int secret_is_filler(const char *s, size_t n)
{
    static const char *const words[] = {"password", "passwd", "pass",   "secret",
                                        "pwd",      "token",  "example"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (n == strlen(words[i]) && memcmp(s, words[i], n) == 0)
            return 1;
    return memchr(s, '<', n) || memchr(s, '{', n) || *s == '$' || *s == '%' ||
           secret_entropy(s, n) < 1;
}

/* scheme://user:password@host; `at` is where "://" stands. */
static int secret_url(memo_text text, size_t at, memo_secret *out)
{
    size_t begin = at, i = at + 3, colon = 0, most = at + SECRET_URL;
    if (!secret_starts(text, at, "://"))
        return 0;
    while (begin > 0 && at - begin < 16 && secret_class(text.bytes[begin - 1]) & SECRET_ALNUM)
        begin--;
    for (; begin < at && i < text.n_bytes && i < most && text.bytes[i] != '@'; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '\'')
            return 0;
        if (c == ':' && !colon)
            colon = i;
    }
    if (begin == at || i == text.n_bytes || i == most || !colon || i - colon < 4 ||
        secret_is_filler(text.bytes + colon + 1, i - colon - 1))
        return 0;
    *out = (memo_secret){"password in a URL", begin, i, 0};
    return 1;
}

/* Digits in groups, as cards are written: one blank or dash between two. */
static int secret_card(memo_text text, size_t at, memo_secret *out)
{
    char digits[20];
    size_t n = 0, end = at;
    int sum = 0;
    if (at > 0 && secret_class(text.bytes[at - 1]) & (SECRET_ALNUM | SECRET_DASH | SECRET_DOT))
        return 0;
    for (size_t i = at; i < text.n_bytes && n < sizeof digits; i++) {
        if (secret_class(text.bytes[i]) & SECRET_DIGIT) {
            digits[n++] = text.bytes[i];
            end = i + 1;
        } else if ((text.bytes[i] != ' ' && text.bytes[i] != '-') || end != i) {
            break;
        }
    }
    if (n < 13 || n > 19 || digits[0] < '3' || digits[0] > '6' ||
        (end < text.n_bytes && secret_class(text.bytes[end]) & SECRET_ALNUM) ||
        secret_entropy(digits, n) == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digits[n - 1 - i] - '0';
        digit *= i % 2 ? 2 : 1;
        sum += digit > 9 ? digit - 9 : digit;
    }
    if (sum % 10)
        return 0;
    *out = (memo_secret){"card number", at, end, 0};
    return 1;
}

int memo_secret_next(memo_text text, size_t at, memo_secret *secret)
{
    for (size_t i = at; i < text.n_bytes; i++) {
        char c = text.bytes[i];
        int found = 0;
        if (c == '-')
            found = secret_private_key(text, i, secret);
        else if (c == ':')
            found = secret_url(text, i, secret);
        else if (c >= '3' && c <= '6')
            found = secret_card(text, i, secret);
        else if (strchr("AageEsx", c) && c)
            found = secret_token(text, i, secret);
        if (found && secret->begin >= at)
            return 1;
    }
    return 0;
}
