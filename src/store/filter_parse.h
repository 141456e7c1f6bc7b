// SPDX-License-Identifier: Apache-2.0
/* store/filter_parse.h -- inside the filter compiler: its state, the values it reads (filter_lex.c)
 * and the SQL of one test (filter_terms.c). filter.c joins the tests. */
#ifndef MEMO_STORE_FILTER_PARSE_H
#define MEMO_STORE_FILTER_PARSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/filter.h"

struct memo_filter {
    memo_buf sql;
    memo_filter_param *params; /* [cap_params] */
    size_t n_params, cap_params;
    memo_arena texts;
};

typedef enum filter_value_kind {
    VALUE_TEXT,
    VALUE_INT,
    VALUE_REAL,
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_NULL,
} filter_value_kind;

typedef struct filter_value {
    filter_value_kind kind;
    memo_text text; /* of a text or a real; in the filter's arena */
    int64_t integer;
    size_t at; /* where it stands, for messages */
} filter_value;

/* ---- tree ---------------------------------------------------------------------------------- */

typedef enum filter_node_kind { NODE_TEST, NODE_NOT, NODE_AND, NODE_OR } filter_node_kind;

enum { NODE_NONE = -1 };

typedef struct filter_node {
    filter_node_kind kind;
    int first, next; /* first operand; next operand of the parent; ordered, most symbols first */
    int symbols;     /* of SQLite's parser stack that it needs, roughly */
    size_t sql_at, sql_n; /* of a test, in filter_parser.tests */
} filter_node;

typedef struct filter_parser {
    const char *text;
    size_t n, at;
    int64_t now_ms;
    memo_filter *filter;
    memo_buf tests;
    filter_node nodes[2 * MEMO_FILTER_MAX_NODES];
    int n_nodes;
    size_t n_counted; /* tests and operators, as the limit counts them */
    size_t n_values;
    int depth;
    memo_err *err;
} filter_parser;

/* ---- filter_lex.c -------------------------------------------------------------------------- */

/* MEMO_ERR_VALUE "filter, byte N: found X, expected Y". */
memo_status memo_filter_fail(filter_parser *p, size_t at, const char *expected);
memo_status memo_filter_fail_limit(filter_parser *p, const char *what, size_t limit);
memo_status memo_filter_fail_memory(filter_parser *p);

void memo_filter_skip_space(filter_parser *p);
int memo_filter_is_word(char c);
/* Length of the word that stands here. */
size_t memo_filter_word_length(const filter_parser *p);
/* Whether this word (in any case) or character stands after white space; then it is taken. */
int memo_filter_take_word(filter_parser *p, const char *word);
int memo_filter_take_char(filter_parser *p, char c);
/* The quoted string that begins here. */
memo_status memo_filter_read_string(filter_parser *p, memo_text *out);
memo_status memo_filter_read_value(filter_parser *p, filter_value *v);

/* ---- filter_terms.c ------------------------------------------------------------------------- */

/* Read one test and append its SQL to p->tests. */
memo_status memo_filter_read_test(filter_parser *p);

#endif
