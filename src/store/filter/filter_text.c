// SPDX-License-Identifier: Apache-2.0
/* The text spelling of one test: field, operator, values. */
#include "store/filter/filter_parse.h"

#include <string.h>

#include "base/alloc.h"

/* The name after "meta.". */
static memo_status filter_read_meta(filter_test *t)
{
    filter_parser *p = t->p;
    size_t start;
    if (p->at >= p->n || p->text[p->at] != '.')
        return memo_filter_fail(p, p->at, "\".\" and the name of a metadata value");
    start = ++p->at;
    if (p->at < p->n && (p->text[p->at] == '"' || p->text[p->at] == '\''))
        return memo_filter_read_string(p, &t->meta);
    while (p->at < p->n &&
           (memo_filter_is_word(p->text[p->at]) || p->text[p->at] == '-' || p->text[p->at] & 0x80))
        p->at++;
    if (p->at == start)
        return memo_filter_fail(p, start, "the name of a metadata value");
    t->meta.n_bytes = p->at - start;
    t->meta.bytes = memo_arena_strndup(&p->filter->texts, p->text + start, p->at - start);
    return t->meta.bytes ? MEMO_OK : memo_filter_fail_memory(p);
}

static memo_status filter_read_field(filter_test *t)
{
    filter_parser *p = t->p;
    size_t start, n;
    memo_filter_skip_space(p);
    start = p->at;
    n = memo_filter_word_length(p);
    t->field = memo_filter_find_field(p->text + start, n);
    if (!t->field)
        return memo_filter_fail_field(p, start, p->text + start, n);
    p->at += n;
    return t->field->kind == FILTER_META ? filter_read_meta(t) : MEMO_OK;
}

static int filter_take_op(filter_parser *p, filter_op *op)
{
    memo_filter_skip_space(p);
    for (int i = 0; i < FILTER_N_OPS; i++) {
        size_t n = strlen(memo_filter_ops[i]);
        *op = (filter_op)i;
        if (i >= FILTER_IN) {
            if (memo_filter_take_word(p, memo_filter_ops[i]))
                return 1;
        } else if (p->n - p->at >= n && memcmp(p->text + p->at, memo_filter_ops[i], n) == 0) {
            p->at += n;
            return 1;
        }
    }
    return 0;
}

static memo_status filter_read_list(filter_test *t)
{
    filter_parser *p = t->p;
    memo_status status;
    if (!memo_filter_take_char(p, '('))
        return memo_filter_fail(p, p->at, "\"(\" and a list of values");
    do {
        status = t->n_values < MEMO_FILTER_MAX_LIST
                     ? memo_filter_read_value(p, &t->values[t->n_values++])
                     : memo_filter_fail_limit(p, "values in a list", MEMO_FILTER_MAX_LIST);
    } while (!status && memo_filter_take_char(p, ','));
    if (!status && !memo_filter_take_char(p, ')'))
        status = memo_filter_fail(p, p->at, "\",\" or \")\"");
    return status;
}

static memo_status filter_read_between(filter_test *t)
{
    filter_parser *p = t->p;
    memo_status status = memo_filter_read_value(p, &t->values[0]);
    if (!status && !memo_filter_take_word(p, "and"))
        status = memo_filter_fail(p, p->at, "\"and\" and the upper bound");
    if (!status)
        status = memo_filter_read_value(p, &t->values[1]);
    t->n_values = 2;
    return status;
}

static memo_status filter_read_values(filter_test *t)
{
    filter_value two[2];
    memo_status status = MEMO_OK;
    t->values =
        t->op == FILTER_IN ? memo_reallocarray(NULL, MEMO_FILTER_MAX_LIST, sizeof *t->values) : two;
    if (!t->values)
        return memo_filter_fail_memory(t->p);
    if (t->op == FILTER_IN) {
        status = filter_read_list(t);
    } else if (t->op == FILTER_BETWEEN) {
        status = filter_read_between(t);
    } else if (t->op != FILTER_EXISTS) {
        t->n_values = 1;
        status = memo_filter_read_value(t->p, &t->values[0]);
    }
    if (!status)
        status = memo_filter_put_test(t);
    if (t->op == FILTER_IN)
        memo_free(t->values);
    return status;
}

memo_status memo_filter_read_test(filter_parser *p)
{
    filter_test t = {.p = p};
    memo_status status = filter_read_field(&t);
    if (status)
        return status;
    if (!filter_take_op(p, &t.op))
        return memo_filter_fail_op(p, p->at, p->text + p->at, memo_filter_word_length(p));
    memo_filter_skip_space(p);
    t.op_at = p->at;
    return filter_read_values(&t);
}
