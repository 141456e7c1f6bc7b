// SPDX-License-Identifier: Apache-2.0
/* text/chars.h -- what is known of every code point, as BERT's reference tokenizer knows it.
 *
 * The reference mixes versions of Unicode: its categories are old, so that newer and unassigned
 * characters are ordinary letters to it, and its lower case is new. Therefore these tables, asked
 * of the reference itself (tools/make_chars.py), and no library of the operating system. */
#ifndef MEMO_TEXT_CHARS_H
#define MEMO_TEXT_CHARS_H

#include <stdint.h>

enum {
    MEMO_CHAR_DROP = 1,    /* removed by clean_text: controls, format characters, U+0000, U+FFFD */
    MEMO_CHAR_SPACE = 2,   /* White_Space */
    MEMO_CHAR_PUNCT = 4,   /* stands alone */
    MEMO_CHAR_CJK = 8,     /* handle_chinese_chars puts spaces around it */
    MEMO_CHAR_WORD = 16,   /* \w: what single_word of an added token looks at */
    MEMO_CHAR_MARK = 32,   /* nonspacing mark, removed by strip_accents */
    MEMO_CHAR_HANGUL = 64, /* syllable, decomposed by arithmetic */
};

typedef struct memo_char {
    uint8_t flags;
    uint8_t combining_class; /* 0 for a starter and for what decomposes */
    uint8_t n_parts;         /* canonical decomposition, complete; 0: the character itself */
    uint8_t n_lower;         /* lower case, one character at a time; 0: the character itself */
    uint16_t parts, lower;   /* places in memo_chars_pool */
} memo_char;

/* Two stages: the block of 128 code points, then the record's number. */
extern const unsigned char memo_chars_block[8704];
extern const uint16_t memo_chars_row[][128];
extern const memo_char memo_chars_record[];
extern const uint32_t memo_chars_pool[];

/* cp must be at most U+10FFFF. */
static inline const memo_char *memo_char_of(uint32_t cp)
{
    return &memo_chars_record[memo_chars_row[memo_chars_block[cp >> 7]][cp & 127]];
}

#endif
