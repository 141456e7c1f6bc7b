// SPDX-License-Identifier: Apache-2.0
/* text/tokenizer.h -- text to token ids, exactly as the publisher's fast tokenizer does it.
 *
 * Two steps. *Build* reads tokenizer.json (or vocab.txt) once and makes flat tables: one block of
 * bytes without pointers, stored in a compiled model. *Open* validates such a block (it may come
 * from a hostile file) and runs on it as it lies; no JSON at load.
 *
 * Ids equal the Hugging Face fast tokenizer's on every text. Time is linear in the text's length.
 * A tokenizer is immutable: any thread. */
#ifndef MEMO_TEXT_TOKENIZER_H
#define MEMO_TEXT_TOKENIZER_H

#include <memolith/model.h>

#include "base/buf.h"

#define MEMO_TOKENIZER_LAYOUT 1 /* version of the flat tables */

/* What a build noticed and did not execute, for the recipe and its warnings. */
typedef struct memo_tokenizer_notes {
    size_t truncation_max_length; /* of tokenizer.json's truncation block, 0: none */
    int has_padding;
    size_t vocab_size; /* highest id + 1 */
} memo_tokenizer_notes;

/* Appends the tables to `tables`. `what` names the source in messages. Everything the json asks
 * for and that is not supported is MEMO_ERR_UNSUPPORTED by name; nothing is skipped in silence. */
memo_status memo_tokenizer_build_json(const char *json, size_t n_bytes, const char *what,
                                      memo_buf *tables, memo_tokenizer_notes *notes, memo_err *err);
/* vocab.txt, one token a line, with BERT's normalizer and [CLS] A [SEP]. */
memo_status memo_tokenizer_build_vocab(const char *text, size_t n_bytes, int lower_case,
                                       const char *what, memo_buf *tables,
                                       memo_tokenizer_notes *notes, memo_err *err);

typedef struct memo_tokenizer memo_tokenizer;

/* `tables` is borrowed until close and 64-byte aligned. Hostile content: MEMO_ERR_FORMAT. */
memo_status memo_tokenizer_open(const void *tables, size_t n_bytes, memo_tokenizer **tokenizer,
                                memo_err *err);
void memo_tokenizer_close(memo_tokenizer *tokenizer);

size_t memo_tokenizer_vocab_size(const memo_tokenizer *tokenizer); /* highest id + 1 */
/* Special tokens the post-processor puts before and after a single text. */
size_t memo_tokenizer_prefix(const memo_tokenizer *tokenizer, const uint32_t **ids);
size_t memo_tokenizer_suffix(const memo_tokenizer *tokenizer, const uint32_t **ids);
/* The token's bytes as in the vocabulary; NULL for an id without a token. Not NUL-terminated. */
const char *memo_tokenizer_token(const memo_tokenizer *tokenizer, uint32_t id, size_t *n_bytes);

/* A growable list of tokens; reuse it over many texts. Zeroed is empty. */
typedef struct memo_token_list {
    size_t n, cap;
    uint32_t *ids;
    size_t (*offsets)[2]; /* byte span in the original text; NULL unless asked for */
} memo_token_list;

void memo_token_list_fini(memo_token_list *list);

enum {
    MEMO_ENCODE_OFFSETS = 1,         /* fill offsets */
    MEMO_ENCODE_REPLACE_INVALID = 2, /* bad UTF-8 becomes U+FFFD instead of MEMO_ERR_VALUE */
    MEMO_ENCODE_SAFE = 4, /* special tokens in the text are plain text; none but the unknown token
                             comes out, even where the vocabulary holds one as a word */
};

/* Append the text's own tokens (no prefix, no suffix, no truncation) to `out`, which is unchanged
 * on failure. MEMO_ERR_VALUE names the first byte that is not UTF-8; MEMO_ERR_LIMIT: 2 GiB. An empty
 * text, or one of white space and controls alone, has no tokens. */
memo_status memo_tokenizer_encode(const memo_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                  unsigned flags, memo_token_list *out, memo_err *err);

#endif
