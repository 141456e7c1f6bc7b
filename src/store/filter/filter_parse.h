// SPDX-License-Identifier: Apache-2.0
/* store/filter/filter_parse.h -- inside the filter compiler: its state, the values it reads
 * (filter_lex.c), one test of either spelling (filter_text.c, filter_json.c) and its SQL
 * (filter_terms.c). filter.c joins the tests. */
#ifndef MEMO_STORE_FILTER_PARSE_H
#define MEMO_STORE_FILTER_PARSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "store/filter/filter.h"

struct memo_filter {
    memo_buf sql;
    memo_buf rids; /* SELECT of what it lets through, where no look at the records is needed */
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
    memo_buf path;       /* JSON: where the reader stands, "and[1].tags" */
    const json_t *found; /* JSON: the value there */
    int is_json;
    int64_t now_ms;
    memo_filter *filter;
    memo_buf tests;
    size_t select_at, select_n; /* in `tests`: the SELECT that the last test is, or 0 */
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
/* Where a value, or the end, should stand: a text or a date without its quotes is shown with them. */
memo_status memo_filter_fail_value(filter_parser *p);
memo_status memo_filter_fail_end(filter_parser *p);
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
/* What may follow `now` in a text of its own, "-7d" or nothing: 0 when it is something else. */
int memo_filter_parse_now(const char *s, size_t n, int64_t now_ms, int64_t *out);

/* ---- filter_terms.c ------------------------------------------------------------------------- */

typedef enum filter_field_kind {
    FILTER_TEXT,
    FILTER_NUMBER,
    FILTER_DATE,
    FILTER_FLAG, /* true or false */
    FILTER_TAGS,
    FILTER_META,
} filter_field_kind;

/* A word that stands for a number or a truth. */
typedef struct filter_name {
    const char *word;
    int number;
} filter_name;

typedef struct filter_field {
    const char *name;
    filter_field_kind kind;
    const char *column;
    const char *present;      /* SQL: the field has a value */
    const filter_name *names; /* words for its values, the last one NULL; NULL: it has none */
    const char *allowed;      /* its values, for messages; NULL: what its kind says */
} filter_field;

typedef enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LE,
    FILTER_LT,
    FILTER_GE,
    FILTER_GT,
    FILTER_IN,
    FILTER_BETWEEN,
    FILTER_EXISTS,
    FILTER_PREFIX,
    FILTER_CONTAINS,
    FILTER_N_OPS,
} filter_op;

extern const char *const memo_filter_ops[FILTER_N_OPS];

/* One test as it is read. */
typedef struct filter_test {
    filter_parser *p;
    const filter_field *field;
    memo_text meta; /* key of a metadata field */
    filter_op op;
    size_t op_at;         /* of the text: what follows the operator, for messages */
    filter_value *values; /* [n_values] */
    size_t n_values;
} filter_test;

/* The field of this name, or NULL. */
const filter_field *memo_filter_find_field(const char *name, size_t n);
memo_status memo_filter_fail_field(filter_parser *p, size_t at, const char *name, size_t n);
memo_status memo_filter_fail_op(filter_parser *p, size_t at, const char *name, size_t n);

/* Check the values against field and operator and append the test's SQL to p->tests. */
memo_status memo_filter_put_test(filter_test *t);

/* ---- filter.c ------------------------------------------------------------------------------- */

/* Count a test or an operator against MEMO_FILTER_MAX_NODES. */
memo_status memo_filter_count(filter_parser *p);
/* One level deeper; the caller subtracts it again. */
memo_status memo_filter_descend(filter_parser *p);
/* A node; `first` its first operand. For NODE_TEST the SQL since `sql_at`. */
int memo_filter_node(filter_parser *p, filter_node_kind kind, int first);
int memo_filter_node_test(filter_parser *p, size_t sql_at);

/* ---- the two spellings ---------------------------------------------------------------------- */

/* Read one test of the text and append its SQL. (filter_text.c) */
memo_status memo_filter_read_test(filter_parser *p);
/* Read the whole JSON spelling; *root is the tree's. (filter_json.c) */
memo_status memo_filter_read_json(filter_parser *p, int *root);

#endif
