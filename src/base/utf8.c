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
size_t memo_utf8_check(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        if (n - i >= 8 && memo_utf8_is_ascii8(s + i)) {
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

int memo_utf8_is_unspaced(uint32_t cp)
{
    static const uint32_t ranges[][2] = {
        {0x0E01, 0x0E3A}, {0x0E40, 0x0E4E},   {0x0E50, 0x0E59},   {0x0E80, 0x0EFF}, /* Thai, Lao */
        {0x1000, 0x1049}, {0x1050, 0x109D},   {0x1780, 0x17D3},   {0x17D7, 0x17D7},
        {0x17DC, 0x17FF}, /* Myanmar, Khmer */
        {0x2E80, 0x2FDF}, {0x3005, 0x3007},   {0x3021, 0x302F},   {0x3031, 0x3035},
        {0x3038, 0x303C}, {0x3041, 0x3096},   {0x3099, 0x309A},   {0x309D, 0x309F},
        {0x30A1, 0x30FA}, {0x30FC, 0x312F},   {0x31A0, 0x31BF},   {0x31F0, 0x31FF},
        {0x3400, 0x4DBF}, {0x4E00, 0xA48C},   {0xAA60, 0xAA7F},   {0xF900, 0xFAFF},
        {0xFF66, 0xFF9F}, {0x1B000, 0x1B2FF}, {0x20000, 0x3FFFD},
    };
    if (cp < ranges[0][0])
        return 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (cp <= ranges[i][1])
            return cp >= ranges[i][0];
    return 0;
}
