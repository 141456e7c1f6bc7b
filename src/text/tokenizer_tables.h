// SPDX-License-Identifier: Apache-2.0
/* text/tokenizer_tables.h -- the flat tables of a tokenizer: one block without pointers.
 *
 *     memo_tables_header   names the layout, the stages and where each section lies
 *     sections             each 64-byte aligned, in the order of memo_tables_section
 *
 * All numbers are little-endian, as in the rest of a compiled model. memo_tables_view() trusts
 * nothing: every offset, id, node and span is proved to be in bounds once, so that encoding checks
 * nothing again. Checksums are the container's business and nothing here relies on them. */
#ifndef MEMO_TEXT_TOKENIZER_TABLES_H
#define MEMO_TEXT_TOKENIZER_TABLES_H

#include "text/tokenizer.h"
#include "text/trie.h"

#define MEMO_TOKENIZER_MAX_VOCAB       2000000u
#define MEMO_TOKENIZER_MAX_TOKEN_BYTES 4096u
#define MEMO_TOKENIZER_MAX_VOCAB_BYTES (16u << 20) /* the largest published ones have 3 MB */
#define MEMO_TOKENIZER_MAX_WORD_CHARS  1000000u
#define MEMO_TOKENIZER_MAX_TEMPLATE    64u /* special tokens before or after a text */

typedef enum memo_tables_section {
    MEMO_TABLES_TOKENS,      /* memo_token_span [n_ids] */
    MEMO_TABLES_TOKEN_BYTES, /* the tokens' text */
    MEMO_TABLES_VOCAB_NODES, /* trie of the model's vocabulary; value: id */
    MEMO_TABLES_VOCAB_VALUES,
    MEMO_TABLES_ADDED,     /* memo_added_token, by id */
    MEMO_TABLES_RAW_NODES, /* trie of added tokens matched in the raw text; value: index */
    MEMO_TABLES_RAW_VALUES,
    MEMO_TABLES_NORMAL_NODES, /* the same, matched in the normalized text */
    MEMO_TABLES_NORMAL_VALUES,
    MEMO_TABLES_CONTINUING, /* continuing_subword_prefix, bytes */
    MEMO_TABLES_TEMPLATE,   /* uint32_t ids: n_prefix, then n_suffix of them */
    MEMO_TABLES_SECTIONS
} memo_tables_section;

typedef struct memo_tables_header {
    char magic[8]; /* "MEMOTOK" */
    uint32_t layout;
    uint32_t model;      /* 1: WordPiece; the only one so far */
    uint32_t normalizer; /* MEMO_BERT_... flags */
    uint32_t n_ids;      /* highest id + 1 */
    uint32_t unk_id;
    uint32_t max_word_chars;
    uint32_t n_prefix, n_suffix;
    struct {
        uint32_t begin, n; /* byte offset; number of items */
    } sections[MEMO_TABLES_SECTIONS];
} memo_tables_header;

typedef struct memo_token_span {
    uint32_t begin, n; /* in TOKEN_BYTES; begin MEMO_NO_TOKEN: the id has no token */
} memo_token_span;

#define MEMO_NO_TOKEN 0xFFFFFFFFu

enum {
    MEMO_ADDED_SINGLE_WORD = 1,
    MEMO_ADDED_LSTRIP = 2,
    MEMO_ADDED_RSTRIP = 4,
    MEMO_ADDED_NORMALIZED = 8,
    MEMO_ADDED_SPECIAL = 16,
};

typedef struct memo_added_token {
    uint32_t id, flags;
} memo_added_token;

/* Sections as arrays inside a validated block. */
typedef struct memo_tables {
    const memo_tables_header *header;
    const memo_token_span *tokens;
    const char *token_bytes;
    memo_trie vocab;
    const memo_added_token *added;
    size_t n_added;
    memo_trie raw, normal; /* n_nodes 0: there are none */
    const char *continuing;
    size_t n_continuing;
    const uint32_t *prefix_ids; /* [header->n_prefix], then [header->n_suffix] */
} memo_tables;

/* MEMO_ERR_FORMAT naming what is wrong, MEMO_ERR_UNSUPPORTED for another layout. */
memo_status memo_tables_view(const void *bytes, size_t n_bytes, memo_tables *tables, memo_err *err);

/* -- what a builder says, before it is packed -------------------------------------------------- */

typedef struct memo_spec_token {
    const char *bytes; /* borrowed */
    size_t n;
    uint32_t id;
    uint32_t flags; /* of an added token */
} memo_spec_token;

typedef struct memo_tokenizer_spec {
    const char *what;    /* the source's name for messages */
    unsigned normalizer; /* MEMO_BERT_... flags */
    const char *unk_token, *continuing;
    size_t max_word_chars;
    memo_spec_token *vocab; /* [n_vocab]; reordered by packing */
    size_t n_vocab;
    memo_spec_token *added; /* [n_added]; likewise */
    size_t n_added;
    uint32_t template_ids[2 * MEMO_TOKENIZER_MAX_TEMPLATE]; /* prefix, then suffix */
    size_t n_prefix, n_suffix;
} memo_tokenizer_spec;

/* Check a spec as the reference would (ids, duplicates, the unknown token) and append the tables.
 * *vocab_size receives the highest id + 1. */
memo_status memo_tables_pack(memo_tokenizer_spec *spec, memo_buf *out, size_t *vocab_size,
                             memo_err *err);

#endif
