// SPDX-License-Identifier: Apache-2.0
/* text/words.h -- words in the sense of FTS5's unicode61 tokenizer: runs of letters, digits, marks
 * and private-use characters. Made for reading queries; texts are cut by FTS5 itself. */
#ifndef MEMO_TEXT_WORDS_H
#define MEMO_TEXT_WORDS_H

#include <memolith/model.h>

#include "base/arena.h"

/* One word; `unspaced` when it holds a script written without spaces between words (Thai, Lao,
 * Myanmar, Khmer, kana, ideographs), where a run is more than a word. */
typedef struct memo_word {
    size_t begin, end;
    int unspaced;
} memo_word;

/* The next word that begins at byte `at` or later; 0 when there is none. `text` is valid UTF-8. */
int memo_word_next(memo_text text, size_t at, memo_word *word);

/* Lower case, character by character, NUL-terminated; NULL: out of memory. */
char *memo_word_lower(memo_arena *arena, const char *text, size_t n_bytes);

/* Non-zero when the text holds nothing but white space and control characters. */
int memo_text_is_blank(const char *text, size_t n_bytes);
int memo_is_space(uint32_t cp); /* Unicode's White_Space */

#endif
