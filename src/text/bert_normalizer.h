// SPDX-License-Identifier: Apache-2.0
/* text/bert_normalizer.h -- BERT's normalizer as a stream of characters.
 *
 * clean_text, handle_chinese_chars, strip_accents (canonical decomposition, marks dropped) and
 * lowercase, in this order, without a copy of the text: only the characters that may still change
 * places (a base and its marks) are held. Each character comes with the bytes of the original text
 * that the reference aligns it with. */
#ifndef MEMO_TEXT_BERT_NORMALIZER_H
#define MEMO_TEXT_BERT_NORMALIZER_H

#include <stddef.h>
#include <stdint.h>

enum {
    MEMO_BERT_CLEAN = 1,
    MEMO_BERT_CJK = 2,
    MEMO_BERT_STRIP = 4,
    MEMO_BERT_LOWER = 8,
    MEMO_BERT_ALL = 15,
};

typedef struct memo_bert_char {
    uint32_t cp;
    uint8_t flags;           /* MEMO_CHAR_... of cp */
    uint8_t combining_class; /* inside the stream */
    uint8_t first;           /* inside the stream: first of what a character decomposed into */
    uint32_t begin, end;     /* bytes of the original text */
} memo_bert_char;

enum { MEMO_BERT_HELD = 24 }; /* held without allocation; a base rarely has more marks */

typedef struct memo_bert_stream {
    const char *text;
    size_t at, end;
    unsigned flags;
    memo_bert_char next; /* decoded, not yet held, when has_next */
    int has_next;
    memo_bert_char *held; /* [n_held], from `given` on not yet delivered */
    size_t n_held, given, cap;
    unsigned lower_given; /* of held[given], whose lower case may be several characters */
    memo_bert_char small[MEMO_BERT_HELD];
} memo_bert_stream;

/* Normalize text[begin..end), valid UTF-8, end below 2^32. A stream must be closed with
 * memo_bert_end(). Memory grows with the longest run of marks: by about 20 times its bytes, 56 times
 * at most (U+0344, whose two bytes become two marks). */
void memo_bert_begin(memo_bert_stream *stream, unsigned flags, const char *text, size_t begin,
                     size_t end);
/* 1 and *out; 0 at the end; -1 when out of memory. */
int memo_bert_next(memo_bert_stream *stream, memo_bert_char *out);
void memo_bert_end(memo_bert_stream *stream);

#endif
