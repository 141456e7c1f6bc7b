// SPDX-License-Identifier: Apache-2.0
/* The JSON spelling of a filter: the same tests under the same limits, so the same tree.
 *
 *   filter  = {member, ...}                 all of them
 *   member  = "and": [filter, ...] | "or": [filter, ...] | "not": filter
 *           | "FIELD": value                equals
 *           | "FIELD": {"OP": operand, ...} all of them
 *   operand = value | [value, ...] of in | [value, value] of between | true or false of exists
 *   value   = string | number | true | false | null | {"now": "-7d"} */
#include "store/filter/filter_parse.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static const memo_json_limits filter_json_limits = {.max_bytes = MEMO_FILTER_MAX_BYTES,
                                                    .max_depth = 64,
                                                    .max_values = 20000,
                                                    .max_keys = 1000,
                                                    .max_expansion = 64};

/* ---- where the reader stands --------------------------------------------------------------- */

static size_t filter_enter(filter_parser *p, const char *name, const json_t *value)
{
    size_t before = p->path.n;
    if (before && name[0] != '[')
        memo_buf_putc(&p->path, '.');
    memo_buf_puts(&p->path, name);
    p->found = value;
    return before;
}

static void filter_leave(filter_parser *p, size_t before)
{
    if (p->path.failed)
        return;
    p->path.n = before;
    p->path.data[before] = '\0';
}

static size_t filter_enter_item(filter_parser *p, size_t i, const json_t *value)
{
    char name[32];
    snprintf(name, sizeof name, "[%zu]", i);
    return filter_enter(p, name, value);
}

/* ---- values -------------------------------------------------------------------------------- */

/* As a person would have written it in the text. */
static memo_status filter_json_real(filter_parser *p, const json_t *json, filter_value *v)
{
    char text[40];
    size_t n = memo_json_write_real(json, text, sizeof text);
    if (n == 0)
        return memo_filter_fail_memory(p);
    v->kind = VALUE_REAL;
    v->text = (memo_text){memo_arena_strndup(&p->filter->texts, text, n), n};
    return v->text.bytes ? MEMO_OK : memo_filter_fail_memory(p);
}

static memo_status filter_json_now(filter_parser *p, const json_t *json, filter_value *v)
{
    const json_t *span = json_object_get(json, "now");
    v->kind = VALUE_INT;
    if (json_object_size(json) == 1 && json_is_string(span) &&
        memo_filter_parse_now(json_string_value(span), json_string_length(span), p->now_ms,
                              &v->integer))
        return MEMO_OK;
    return memo_filter_fail(p, 0, "a value; a time is {\"now\": \"-7d\"} (units s m h d w)");
}

static memo_status filter_json_value(filter_parser *p, const json_t *json, filter_value *v)
{
    *v = (filter_value){.kind = VALUE_NULL};
    if (++p->n_values > MEMO_FILTER_MAX_VALUES)
        return memo_filter_fail_limit(p, "values", MEMO_FILTER_MAX_VALUES);
    switch (json_typeof(json)) {
    case JSON_STRING:
        v->kind = VALUE_TEXT;
        v->text.n_bytes = json_string_length(json);
        v->text.bytes =
            memo_arena_strndup(&p->filter->texts, json_string_value(json), v->text.n_bytes);
        return v->text.bytes ? MEMO_OK : memo_filter_fail_memory(p);
    case JSON_INTEGER:
        v->kind = VALUE_INT;
        v->integer = json_integer_value(json);
        return MEMO_OK;
    case JSON_REAL:
        return filter_json_real(p, json, v);
    case JSON_TRUE:
        v->kind = VALUE_TRUE;
        return MEMO_OK;
    case JSON_FALSE:
        v->kind = VALUE_FALSE;
        return MEMO_OK;
    case JSON_NULL:
        return MEMO_OK;
    case JSON_OBJECT:
        return filter_json_now(p, json, v);
    default:
        return memo_filter_fail(p, 0, "one value; a list belongs to {\"in\": [...]}");
    }
}

/* ---- one test ------------------------------------------------------------------------------ */

static memo_status filter_json_list(filter_test *t, const json_t *json)
{
    filter_parser *p = t->p;
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && i < json_array_size(json); i++) {
        size_t before = filter_enter_item(p, i, json_array_get(json, i));
        status = filter_json_value(p, json_array_get(json, i), &t->values[t->n_values++]);
        filter_leave(p, before);
    }
    p->found = json;
    return status;
}

static memo_status filter_json_operands(filter_test *t, const json_t *json)
{
    filter_parser *p = t->p;
    size_t n = json_array_size(json);
    if (t->op == FILTER_EXISTS)
        return json_is_boolean(json) ? MEMO_OK : memo_filter_fail(p, 0, "true or false");
    if (t->op == FILTER_IN && (!json_is_array(json) || n == 0))
        return memo_filter_fail(p, 0, "a list of values");
    if (t->op == FILTER_IN && n > MEMO_FILTER_MAX_LIST)
        return memo_filter_fail_limit(p, "values in a list", MEMO_FILTER_MAX_LIST);
    if (t->op == FILTER_BETWEEN && n != 2)
        return memo_filter_fail(p, 0, "a list of two values");
    if (t->op == FILTER_IN || t->op == FILTER_BETWEEN)
        return filter_json_list(t, json);
    t->n_values = 1;
    return filter_json_value(p, json, &t->values[0]);
}

/* field OP operands, as a node. */
static memo_status filter_json_test(filter_test *t, const json_t *json, int *out)
{
    filter_parser *p = t->p;
    size_t start = p->tests.n, n = json_array_size(json) + 1;
    memo_status status = memo_filter_count(p);
    if (status)
        return status;
    t->n_values = 0;
    t->values =
        n <= MEMO_FILTER_MAX_LIST + 1 ? memo_reallocarray(NULL, n, sizeof *t->values) : NULL;
    if (!t->values)
        return n > MEMO_FILTER_MAX_LIST + 1
                   ? memo_filter_fail_limit(p, "values in a list", MEMO_FILTER_MAX_LIST)
                   : memo_filter_fail_memory(p);
    status = filter_json_operands(t, json);
    if (!status)
        status = memo_filter_put_test(t);
    memo_free(t->values);
    if (status)
        return status;
    *out = memo_filter_node_test(p, start);
    if (t->op == FILTER_EXISTS && json_is_false(json)) {
        status = memo_filter_count(p);
        *out = memo_filter_node(p, NODE_NOT, *out);
    }
    return status;
}

/* ---- the tree ------------------------------------------------------------------------------ */

/* Operands of one node as they come: the first stands for itself until there is a second. */
typedef struct filter_chain {
    filter_parser *p;
    filter_node_kind kind;
    int root, last;
} filter_chain;

static memo_status filter_chain_add(filter_chain *c, int operand)
{
    memo_status status = MEMO_OK;
    if (c->root == NODE_NONE) {
        c->root = operand;
    } else {
        status = memo_filter_count(c->p);
        if (status)
            return status;
        if (c->root == c->last)
            c->root = memo_filter_node(c->p, c->kind, c->last);
        c->p->nodes[c->last].next = operand;
    }
    c->last = operand;
    return status;
}

static memo_status filter_json_ops(filter_test *t, json_t *json, int *out)
{
    filter_parser *p = t->p;
    filter_chain chain = {p, NODE_AND, NODE_NONE, NODE_NONE};
    const char *name;
    json_t *operand;
    memo_status status = MEMO_OK;
    json_object_foreach(json, name, operand)
    {
        size_t before = filter_enter(p, name, operand);
        int test = NODE_NONE, op = 0;
        while (op < FILTER_N_OPS && strcmp(memo_filter_ops[op], name) != 0)
            op++;
        t->op = (filter_op)op;
        status = op == FILTER_N_OPS ? memo_filter_fail_op(p, 0, name, strlen(name))
                                    : filter_json_test(t, operand, &test);
        if (!status)
            status = filter_chain_add(&chain, test);
        filter_leave(p, before);
        if (status)
            return status;
    }
    *out = chain.root;
    return *out == NODE_NONE ? memo_filter_fail(p, 0, "an operator and its operand") : status;
}

static memo_status filter_json_field(filter_parser *p, const char *name, json_t *json, int *out)
{
    filter_test t = {.p = p, .op = FILTER_EQ};
    size_t n = strlen(name);
    int is_meta = strncmp(name, "meta.", 5) == 0 && n > 5;
    t.field = memo_filter_find_field(name, is_meta ? 4 : n);
    if (!t.field || (t.field->kind == FILTER_META && !is_meta))
        return memo_filter_fail_field(p, 0, name, n);
    if (is_meta) {
        t.meta = (memo_text){memo_arena_strndup(&p->filter->texts, name + 5, n - 5), n - 5};
        if (!t.meta.bytes)
            return memo_filter_fail_memory(p);
    }
    return json_is_object(json) && !json_object_get(json, "now") ? filter_json_ops(&t, json, out)
                                                                 : filter_json_test(&t, json, out);
}

static memo_status filter_json_object(filter_parser *p, json_t *json, int *out);

static memo_status filter_json_nested(filter_parser *p, json_t *json, int *out)
{
    memo_status status = memo_filter_descend(p);
    if (!status)
        status = filter_json_object(p, json, out);
    p->depth--;
    return status;
}

static memo_status filter_json_chain(filter_parser *p, filter_node_kind kind, json_t *json,
                                     int *out)
{
    filter_chain chain = {p, kind, NODE_NONE, NODE_NONE};
    for (size_t i = 0; i < json_array_size(json); i++) {
        size_t before = filter_enter_item(p, i, json_array_get(json, i));
        int operand = NODE_NONE;
        memo_status status = filter_json_nested(p, json_array_get(json, i), &operand);
        if (!status)
            status = filter_chain_add(&chain, operand);
        filter_leave(p, before);
        if (status)
            return status;
    }
    *out = chain.root;
    return *out == NODE_NONE ? memo_filter_fail(p, 0, "a list of filters") : MEMO_OK;
}

static memo_status filter_json_member(filter_parser *p, const char *name, json_t *json, int *out)
{
    if (strcmp(name, "and") == 0)
        return filter_json_chain(p, NODE_AND, json, out);
    if (strcmp(name, "or") == 0)
        return filter_json_chain(p, NODE_OR, json, out);
    if (strcmp(name, "not") == 0) {
        memo_status status = memo_filter_count(p);
        if (!status)
            status = filter_json_nested(p, json, out);
        if (!status)
            *out = memo_filter_node(p, NODE_NOT, *out);
        return status;
    }
    return filter_json_field(p, name, json, out);
}

static memo_status filter_json_object(filter_parser *p, json_t *json, int *out)
{
    filter_chain chain = {p, NODE_AND, NODE_NONE, NODE_NONE};
    const char *name;
    json_t *member;
    if (!json_is_object(json) || json_object_size(json) == 0)
        return memo_filter_fail(p, 0, "an object such as {\"tags\": \"gift\"}");
    json_object_foreach(json, name, member)
    {
        size_t before = filter_enter(p, name, member);
        int operand = NODE_NONE;
        memo_status status = filter_json_member(p, name, member, &operand);
        if (!status)
            status = filter_chain_add(&chain, operand);
        filter_leave(p, before);
        if (status)
            return status;
    }
    *out = chain.root;
    return MEMO_OK;
}

memo_status memo_filter_read_json(filter_parser *p, int *root)
{
    json_t *json = NULL;
    memo_status status =
        memo_json_parse(p->text, p->n, &filter_json_limits, "filter", &json, p->err);
    if (status)
        return status;
    p->found = json;
    status = filter_json_object(p, json, root);
    if (!status && p->path.failed)
        status = memo_filter_fail_memory(p);
    json_decref(json);
    return status;
}
