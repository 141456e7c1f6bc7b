// SPDX-License-Identifier: Apache-2.0
/* One pass over the text, or over the JSON value, makes a tree of and, or, not and tests; each test is
 * written as SQL at once. A second pass joins the tests.
 *
 * Two things SQLite would do otherwise are kept out:
 *   - Its logic has three values. Every test ends in IS TRUE or EXISTS, so it is 0 or 1.
 *   - Its parser has a stack of 100 symbols before 3.46. An operand that nests deepest is written
 *     first, where the stack holds only an open parenthesis for each level above it. */
#include "store/filter/filter.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "store/filter/filter_parse.h"

/* ---- logic --------------------------------------------------------------------------------- */

static memo_status filter_read_or(filter_parser *p, int *out);

memo_status memo_filter_count(filter_parser *p)
{
    return ++p->n_counted > MEMO_FILTER_MAX_NODES
               ? memo_filter_fail_limit(p, "tests and operators", MEMO_FILTER_MAX_NODES)
               : MEMO_OK;
}

/* Each node is an operand that was counted or joins at least two of them: the array holds all. */
int memo_filter_node(filter_parser *p, filter_node_kind kind, int first)
{
    p->nodes[p->n_nodes] = (filter_node){.kind = kind, .first = first, .next = NODE_NONE};
    return p->n_nodes++;
}

int memo_filter_node_test(filter_parser *p, size_t sql_at)
{
    int node = memo_filter_node(p, NODE_TEST, NODE_NONE);
    p->nodes[node].sql_at = sql_at;
    p->nodes[node].sql_n = p->tests.n - sql_at;
    return node;
}

memo_status memo_filter_descend(filter_parser *p)
{
    return ++p->depth > MEMO_FILTER_MAX_DEPTH
               ? memo_filter_fail_limit(p, "nested levels", MEMO_FILTER_MAX_DEPTH)
               : MEMO_OK;
}

static memo_status filter_read_nested(filter_parser *p, int *out)
{
    memo_status status = memo_filter_descend(p);
    if (status)
        return status;
    status = filter_read_or(p, out);
    p->depth--;
    if (!status && !memo_filter_take_char(p, ')'))
        status = memo_filter_fail(p, p->at, "\")\", \"and\" or \"or\"");
    return status;
}

static memo_status filter_read_not(filter_parser *p, int *out)
{
    size_t start;
    memo_status status;
    if (memo_filter_take_word(p, "not")) {
        int operand;
        status = memo_filter_count(p);
        if (!status)
            status = memo_filter_descend(p);
        if (!status)
            status = filter_read_not(p, &operand);
        p->depth--;
        if (!status)
            *out = memo_filter_node(p, NODE_NOT, operand);
        return status;
    }
    if (memo_filter_take_char(p, '('))
        return filter_read_nested(p, out);
    start = p->tests.n;
    status = memo_filter_count(p);
    if (!status)
        status = memo_filter_read_test(p);
    if (status)
        return status;
    *out = memo_filter_node_test(p, start);
    return MEMO_OK;
}

/* operand { word operand } */
static memo_status filter_read_chain(filter_parser *p, filter_node_kind kind, const char *word,
                                     memo_status (*read)(filter_parser *, int *), int *out)
{
    int last;
    memo_status status = read(p, out);
    if (status || !memo_filter_take_word(p, word))
        return status;
    last = *out;
    *out = memo_filter_node(p, kind, *out);
    do {
        int operand;
        status = memo_filter_count(p);
        if (!status)
            status = read(p, &operand);
        if (status)
            return status;
        p->nodes[last].next = operand;
        last = operand;
    } while (memo_filter_take_word(p, word));
    return MEMO_OK;
}

static memo_status filter_read_and(filter_parser *p, int *out)
{
    return filter_read_chain(p, NODE_AND, "and", filter_read_not, out);
}

static memo_status filter_read_or(filter_parser *p, int *out)
{
    return filter_read_chain(p, NODE_OR, "or", filter_read_and, out);
}

/* ---- writing the whole --------------------------------------------------------------------- */

/* Put the operands of a node in order of need and set its own: the first has one symbol before it,
 * a later one has "( expr AND". */
static void filter_order(filter_parser *p, int at)
{
    filter_node *node = &p->nodes[at];
    int sorted = NODE_NONE, next;
    node->symbols = 1;
    for (int i = node->first; i != NODE_NONE; i = next) {
        int *link = &sorted;
        next = p->nodes[i].next;
        filter_order(p, i);
        while (*link != NODE_NONE && p->nodes[*link].symbols >= p->nodes[i].symbols)
            link = &p->nodes[*link].next;
        p->nodes[i].next = *link;
        *link = i;
    }
    node->first = sorted;
    for (int i = sorted; i != NODE_NONE; i = p->nodes[i].next) {
        int need = p->nodes[i].symbols + (i == sorted ? 1 : 3);
        if (need > node->symbols)
            node->symbols = need;
    }
}

static void filter_write(filter_parser *p, int at, memo_buf *out)
{
    const filter_node *node = &p->nodes[at];
    if (node->kind == NODE_TEST) {
        memo_buf_append(out, p->tests.data + node->sql_at, node->sql_n);
        return;
    }
    memo_buf_puts(out, node->kind == NODE_NOT ? "(NOT " : "(");
    for (int i = node->first; i != NODE_NONE; i = p->nodes[i].next) {
        filter_write(p, i, out);
        if (p->nodes[i].next != NODE_NONE)
            memo_buf_puts(out, node->kind == NODE_AND ? " AND " : " OR ");
    }
    memo_buf_putc(out, ')');
}

static memo_status filter_read_text(filter_parser *p, int *root)
{
    memo_status status = filter_read_or(p, root);
    memo_filter_skip_space(p);
    if (!status && p->at != p->n)
        status = memo_filter_fail_end(p);
    return status;
}

static memo_status filter_compile(filter_parser *p)
{
    int root;
    size_t bad = memo_utf8_check(p->text, p->n);
    memo_status status;
    if (p->n > MEMO_FILTER_MAX_BYTES)
        return memo_filter_fail_limit(p, "bytes", MEMO_FILTER_MAX_BYTES);
    if (bad != p->n)
        return memo_fail(p->err, MEMO_ERR_VALUE, "filter, byte %zu: not UTF-8", bad);
    memo_filter_skip_space(p);
    p->is_json = p->at < p->n && p->text[p->at] == '{';
    status = p->is_json ? memo_filter_read_json(p, &root) : filter_read_text(p, &root);
    if (status)
        return status;
    if (p->tests.failed)
        return memo_filter_fail_memory(p);
    filter_order(p, root);
    memo_buf_putc(&p->filter->sql, '(');
    filter_write(p, root, &p->filter->sql);
    memo_buf_putc(&p->filter->sql, ')');
    if (p->nodes[root].kind == NODE_TEST && p->select_n)
        memo_buf_append(&p->filter->rids, p->tests.data + p->select_at, p->select_n);
    return p->filter->sql.failed || p->filter->rids.failed ? memo_filter_fail_memory(p) : MEMO_OK;
}

memo_status memo_filter_new(const char *text, int64_t now_ms, memo_filter **filter, memo_err *err)
{
    filter_parser *p;
    memo_status status;
    if (!text)
        return memo_fail(err, MEMO_ERR_USAGE, "no filter given");
    p = memo_calloc(1, sizeof *p);
    if (!p)
        return memo_fail_nomem(err, "a filter", sizeof *p);
    p->filter = memo_calloc(1, sizeof *p->filter);
    p->text = text;
    p->n = strlen(text);
    p->now_ms = now_ms;
    p->err = err;
    status = p->filter ? filter_compile(p) : memo_filter_fail_memory(p);
    if (status)
        memo_filter_free(p->filter);
    else
        *filter = p->filter;
    memo_buf_fini(&p->tests);
    memo_buf_fini(&p->path);
    memo_free(p);
    return status;
}

void memo_filter_free(memo_filter *filter)
{
    if (!filter)
        return;
    memo_buf_fini(&filter->sql);
    memo_buf_fini(&filter->rids);
    memo_free(filter->params);
    memo_arena_fini(&filter->texts);
    memo_free(filter);
}

const char *memo_filter_sql(const memo_filter *filter)
{
    return filter->sql.data;
}

const char *memo_filter_rids_sql(const memo_filter *filter)
{
    return filter->rids.data;
}

const memo_filter_param *memo_filter_params(const memo_filter *filter, size_t *n)
{
    *n = filter->n_params;
    return filter->params;
}
