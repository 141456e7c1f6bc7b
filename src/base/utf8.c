// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <string.h>

/* Which second bytes may follow a lead byte: this one range is where overlongs, surrogates and
 * values above U+10FFFF are refused; all later bytes are 80..BF. */
typedef struct utf8_lead {
    unsigned char length; /* 0: no character begins with this byte */
    unsigned char low, high;
} utf8_lead;

static utf8_lead utf8_lead_of(unsigned char c)
{
    if (c < 0x80)
        return (utf8_lead){1, 0, 0};
    if (c < 0xC2)
        return (utf8_lead){0, 0, 0};
    if (c < 0xE0)
        return (utf8_lead){2, 0x80, 0xBF};
    if (c < 0xF0)
        return (utf8_lead){3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF};
    if (c < 0xF5)
        return (utf8_lead){4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF};
    return (utf8_lead){0, 0, 0};
}

/* Number of bytes at s that fit a character; *need is that character's length (0: bad lead). */
static size_t utf8_fit(const unsigned char *s, size_t n, size_t *need)
{
    utf8_lead lead = utf8_lead_of(s[0]);
    size_t have = 1;

    *need = lead.length;
    if (lead.length < 2)
        return lead.length;
    if (have < n && s[1] >= lead.low && s[1] <= lead.high) {
        have++;
        while (have < lead.length && have < n && (s[have] & 0xC0) == 0x80)
            have++;
    }
    return have;
}

size_t memo_utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t need;

    if (u[0] < 0x80) {
        *cp = u[0];
        return 1;
    }
    if (utf8_fit(u, n, &need) != need || need == 0)
        return 0;
    uint32_t value = u[0] & (0xFFu >> (need + 1));
    for (size_t i = 1; i < need; i++)
        value = value << 6 | (u[i] & 0x3Fu);
    *cp = value;
    return need;
}

size_t memo_utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

/* True when the eight bytes at s are all ASCII. */
static int utf8_is_ascii8(const char *s)
{
    uint64_t word;

    memcpy(&word, s, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

size_t memo_utf8_check(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        if (n - i >= 8 && utf8_is_ascii8(s + i)) {
            i += 8;
            continue;
        }
        size_t need;
        size_t have = utf8_fit((const unsigned char *)s + i, n - i, &need);
        if (have == 0 || have != need)
            return i;
        i += have;
    }
    return n;
}

size_t memo_utf8_bad_length(const char *s, size_t n)
{
    size_t need;
    size_t have = utf8_fit((const unsigned char *)s, n, &need);

    return have ? have : 1;
}

size_t memo_utf8_floor(const char *s, size_t n, size_t at)
{
    if (at >= n)
        return n;
    while (at > 0 && ((unsigned char)s[at] & 0xC0) == 0x80)
        at--;
    return at;
}
