// SPDX-License-Identifier: Apache-2.0
/* text/chunk.h -- cut a text into pieces that a model can take, measured in the model's own tokens.
 *
 * A chunk is a byte span of the text: nothing is rewritten, prepended or lost; white space at its
 * ends is left out. The cut falls on the strongest boundary in the upper half of the allowed size
 * (heading, blank line, end of a sentence, line, space), the last of equals. In Markdown a heading
 * line stays with what follows it, and a fenced block or a heading is not cut while it fits a chunk
 * of its own.
 *
 * In code the strongest boundary is where something begins in the first column, behind a blank line,
 * an indented line or a closing bracket: a definition with the comment before it; it is looked for from a quarter of the allowed size on.
 * Then come blank
 * lines, lines that are indented less than the one before, other lines, lines that begin with a closing
 * bracket. A line that fits a chunk is not cut while there is any other boundary within reach.
 *
 * The next chunk starts up to `overlap` tokens before the cut, at a sentence or line where there is
 * one; never inside a fenced block that fits, and not at all when the cut is at a heading.
 *
 * Every chunk is tokenized again on its own, because a piece of a word may need more tokens than it
 * had inside the word: no chunk has more than its allowance. Deterministic, linear time. */
#ifndef MEMO_TEXT_CHUNK_H
#define MEMO_TEXT_CHUNK_H

#include <memolith/model.h>

#include "text/tokenizer.h"

#define MEMO_CHUNK_MIN_TOKENS 8

typedef struct memo_chunk_options {
    int markdown;
    int code;            /* not with markdown */
    size_t max_tokens;   /* of one chunk, special tokens not counted; >= MEMO_CHUNK_MIN_TOKENS */
    size_t first_tokens; /* of the first chunk, 0: max_tokens; 1..max_tokens */
    size_t overlap;      /* tokens, at most max_tokens / 2 */
} memo_chunk_options;

typedef struct memo_text_chunk {
    size_t begin, end; /* byte span of the text */
    size_t n_tokens;   /* of the span on its own */
} memo_text_chunk;

typedef struct memo_chunk_list {
    size_t n, cap;
    memo_text_chunk *chunks; /* [n] in order; begin and end both ascend */
} memo_chunk_list;

void memo_chunk_list_fini(memo_chunk_list *list); /* a zeroed list is an empty one */

/* Append the chunks of `text` (valid UTF-8, else MEMO_ERR_VALUE) to `out`. A text without any token
 * or without any visible character is one chunk that spans it whole. */
memo_status memo_chunk_split(const memo_tokenizer *tokenizer, memo_text text,
                             const memo_chunk_options *options, memo_chunk_list *out,
                             memo_err *err);

#endif
