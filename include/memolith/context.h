// SPDX-License-Identifier: Apache-2.0
/* memolith/context.h -- what a store knows about a question, packed for a prompt of limited size.
 *
 * A chapter of memory.h, which includes it.
 *
 * A context is made of whole chunks. Each has a value (by its rank among the hits) and a cost (its
 * tokens with its heading); chunks are taken by value per token while they fit. Neighbouring chunks of
 * a record become one passage without the overlap, near-duplicates of better passages are left out.
 * The same store, time, query and options give the same bytes.
 *
 * What stands in a store was written by somebody: texts are quoted, line by line, under a heading that
 * says where they come from, so that a text cannot pass itself off as a heading, and a record that is
 * not trusted is marked. Tell the reader of a prompt that quoted lines are data. */
#ifndef MEMOLITH_CONTEXT_H
#define MEMOLITH_CONTEXT_H

#include <memolith/search.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum memo_context_format {
    MEMO_CONTEXT_MD,   /* Markdown: a heading for each passage, its text in quotes */
    MEMO_CONTEXT_JSON, /* {"passages":[{"n":1,"id":...,"text":...}]} */
} memo_context_format;

typedef struct memo_context_options {
    size_t size;
    const char *ns;
    size_t budget_tokens; /* most tokens of the text; at least 1 */
    /* Whose tokens are counted, special tokens aside; NULL: the model of the store. A store without
     * one needs it given (MEMO_ERR_USAGE). */
    const memo_model *tokenizer;
    memo_context_format format;
    memo_search_mode mode;
    const char *where;         /* filter, NULL: all */
    size_t candidates;         /* chunks to choose from, 0: 64; at most 1,000 */
    int64_t deadline_ms;       /* of the search, from now, 0: none */
    const memo_vector *vector; /* as in memo_search_options */
    int64_t as_of_ms;          /* likewise */
    const char *actor, *surface;
    int no_log; /* the history of searches has the chunks that the context shows, and no others */
} memo_context_options;

typedef struct memo_passage {
    const char *id;
    const char *key;   /* or NULL */
    size_t begin, end; /* byte span in the record's text */
    size_t n_chunks;   /* neighbours that it was merged from */
    size_t rank;       /* of its best chunk among the hits, from 1 */
    double score;      /* of that chunk */
} memo_passage;

typedef enum memo_left_why {
    MEMO_LEFT_BUDGET,    /* it did not fit */
    MEMO_LEFT_DUPLICATE, /* a better passage says the same */
} memo_left_why;

typedef struct memo_left_out {
    const char *id;
    size_t chunk, rank, n_tokens;
    memo_left_why why;
} memo_left_out;

typedef struct memo_context {
    const char *text; /* NUL-terminated; "" when nothing was found, or nothing fits */
    size_t n_bytes;
    size_t n_tokens; /* of the text, <= budget_tokens */
    size_t n_passages;
    const memo_passage *passages; /* [n_passages] in the order of the text, best first */
    size_t n_left_out;
    const memo_left_out *left_out; /* [n_left_out] by rank */
    int partial;                   /* the deadline cut the search short */
    size_t n_damaged;              /* rows left out because their checksum failed */
    double search_ms, total_ms;
    char search_id[MEMO_ID_BYTES]; /* as in memo_hits */
} memo_context;

/* memo_db_context() -- pack what is relevant to a query into at most budget_tokens tokens.
 *
 *   context  out, free with memo_context_free()
 *
 * The count is of the very text that is returned, by the named tokenizer: never more than the budget.
 * Errors as of memo_db_search(); MEMO_ERR_VALUE: a budget of 0, or less than an empty answer takes.
 * Cost: a search and some passes of the tokenizer over the budget. */
MEMO_API memo_status memo_db_context(memo_db *db, memo_text query,
                                     const memo_context_options *options, memo_context **context,
                                     memo_err *err);
MEMO_API void memo_context_free(memo_context *context);

#ifdef __cplusplus
}
#endif

#endif
