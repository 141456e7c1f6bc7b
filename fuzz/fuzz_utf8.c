// SPDX-License-Identifier: Apache-2.0
/* fuzz_utf8.c -- any bytes as UTF-8, against Unicode's table of well-formed sequences written down
 * a second time, as a table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unicode, table 3-7: ranges of each byte of a sequence; later bytes beyond the second are 80..BF. */
static const struct {
    uint8_t first[2], second[2];
    size_t n;
} rows[] = {
    {{0x00, 0x7F}, {0, 0}, 1},       {{0xC2, 0xDF}, {0x80, 0xBF}, 2},
    {{0xE0, 0xE0}, {0xA0, 0xBF}, 3}, {{0xE1, 0xEC}, {0x80, 0xBF}, 3},
    {{0xED, 0xED}, {0x80, 0x9F}, 3}, {{0xEE, 0xEF}, {0x80, 0xBF}, 3},
    {{0xF0, 0xF0}, {0x90, 0xBF}, 4}, {{0xF1, 0xF3}, {0x80, 0xBF}, 4},
    {{0xF4, 0xF4}, {0x80, 0x8F}, 4},
};

/* Bytes at s that begin a well-formed sequence, and how many it needs; 0 when none begins so. */
static size_t fuzz_fit(const uint8_t *s, size_t n, size_t *need)
{
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        size_t have = 1;
        if (s[0] < rows[r].first[0] || s[0] > rows[r].first[1])
            continue;
        *need = rows[r].n;
        for (; have < rows[r].n && have < n; have++)
            if (have == 1 ? s[1] < rows[r].second[0] || s[1] > rows[r].second[1]
                          : (s[have] & 0xC0) != 0x80)
                break;
        return have;
    }
    *need = 0;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    size_t at = 0, need = 0;

    for (; at < size; at += need) {
        uint32_t cp = 0;
        char back[4];
        size_t have = fuzz_fit(data + at, size - at, &need);
        size_t length = memo_utf8_decode(s + at, size - at, &cp);
        if (have == 0 || have < need) {
            if (length || memo_utf8_bad_length(s + at, size - at) != (have ? have : 1))
                abort();
            break;
        }
        if (length != need || memo_utf8_encode(cp, back) != need || memcmp(back, s + at, need) != 0)
            abort();
        for (size_t i = 0; i < need; i++) /* a cut inside goes back to the character's start */
            if (memo_utf8_floor(s, size, at + i) != at)
                abort();
    }
    if (memo_utf8_check(s, size) != at)
        abort();
    return 0;
}
