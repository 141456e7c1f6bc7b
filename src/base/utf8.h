// SPDX-License-Identifier: Apache-2.0
/* base/utf8.h -- strict UTF-8 (no overlongs, no surrogates, at most U+10FFFF). In base because
 * file readers, which stand on base alone, need it as much as the tokenizers. */
#ifndef MEMO_BASE_UTF8_H
#define MEMO_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether the 8 bytes at s are ASCII. */
static inline int memo_utf8_is_ascii8(const char *s)
{
    uint64_t word;
    memcpy(&word, s, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Decode the character at s[0..n): its length 1..4 and *cp, or 0 when malformed; n >= 1. */
size_t memo_utf8_decode(const char *s, size_t n, uint32_t *cp);
size_t memo_utf8_encode(uint32_t cp, char out[4]);
/* Offset of the first malformed byte, or n when all is well. */
size_t memo_utf8_check(const char *s, size_t n);
/* Bytes of the maximal malformed piece at s (Unicode's "maximal subpart"), >= 1; for U+FFFD. */
size_t memo_utf8_bad_length(const char *s, size_t n);
/* Largest cut <= at that does not split a character; s is valid UTF-8. */
size_t memo_utf8_floor(const char *s, size_t n, size_t at);

/* A letter or mark of a script written without spaces between words: Thai, Lao, Myanmar, Khmer, kana,
 * ideographs and their like. Their punctuation is none. */
int memo_utf8_is_unspaced(uint32_t cp);

#endif
