// SPDX-License-Identifier: Apache-2.0
#include "store/filter_parse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/dates.h"
#include "base/error.h"

/* ---- words --------------------------------------------------------------------------------- */

typedef enum filter_field_kind {
    FILTER_TEXT,
    FILTER_NUMBER,
    FILTER_DATE,
    FILTER_TAGS,
    FILTER_META,
} filter_field_kind;

typedef struct filter_field {
    const char *name;
    filter_field_kind kind;
    const char *column;
    const char *present; /* SQL: the field has a value */
} filter_field;

static const filter_field filter_fields[] = {
    {"id", FILTER_TEXT, "r.id", "1"},
    {"key", FILTER_TEXT, "r.key", "r.key IS NOT NULL"},
    {"title", FILTER_TEXT, "r.title", "r.title <> ''"},
    {"text", FILTER_TEXT, "r.text", "1"},
    {"source", FILTER_TEXT, "r.source", "r.source <> ''"},
    {"tags", FILTER_TAGS, "r.tags", "r.tags <> '[]'"},
    {"created", FILTER_DATE, "r.created_ms", "1"},
    {"updated", FILTER_DATE, "r.updated_ms", "1"},
    {"expires", FILTER_DATE, "r.expires_ms", "r.expires_ms <> 0"},
    {"version", FILTER_NUMBER, "r.version", "1"},
    {"meta", FILTER_META, "r.metadata", NULL},
};

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

/* The first six are also SQL; a longer one stands before its own beginning. */
static const char *const filter_ops[FILTER_N_OPS] = {
    "=", "!=", "<=", "<", ">=", ">", "in", "between", "exists", "prefix", "contains",
};

/* ---- messages ------------------------------------------------------------------------------ */

/* Edit distance of two short words. */
static size_t filter_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t row[33];
    if (n_a > 32 || n_b > 32)
        return 32;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n_b];
}

/* ---- SQL of one test ----------------------------------------------------------------------- */

typedef struct filter_test {
    filter_parser *p;
    const filter_field *field;
    memo_text meta; /* key of a metadata field */
} filter_test;

/* Bind a value; returns its parameter number, 0 on lack of memory (which `sql.failed` keeps). */
static size_t filter_bind(filter_parser *p, memo_filter_param param)
{
    memo_filter *f = p->filter;
    if (f->n_params == f->cap_params) {
        size_t cap = f->cap_params ? 2 * f->cap_params : 16;
        memo_filter_param *more = memo_reallocarray(f->params, cap, sizeof *more);
        if (!more) {
            p->tests.failed = 1;
            return 0;
        }
        f->params = more;
        f->cap_params = cap;
    }
    f->params[f->n_params++] = param;
    return MEMO_FILTER_FIRST_PARAM + f->n_params - 1;
}

static size_t filter_bind_text(filter_parser *p, memo_text text)
{
    return filter_bind(p, (memo_filter_param){.kind = MEMO_FILTER_PARAM_TEXT, .text = text});
}

/* Write a value that is a text or a number. */
static void filter_put_value(filter_parser *p, const filter_value *v)
{
    if (v->kind == VALUE_INT)
        memo_buf_printf(&p->tests, "?%zu",
                        filter_bind(p, (memo_filter_param){.kind = MEMO_FILTER_PARAM_INT,
                                                           .integer = v->integer}));
    else
        memo_buf_printf(&p->tests, v->kind == VALUE_REAL ? "CAST(?%zu AS REAL)" : "?%zu",
                        filter_bind_text(p, v->text));
}

/* Open a test on one value of the field, `x` in what follows; returns the SQL name of x. `type` is
 * the JSON type that a metadata value must have. */
static const char *filter_open(filter_test *t, const char *type)
{
    filter_parser *p = t->p;
    if (t->field->kind == FILTER_TAGS) {
        memo_buf_puts(&p->tests, "EXISTS (SELECT 1 FROM json_each(r.tags) j WHERE (");
        return "j.value";
    }
    if (t->field->kind == FILTER_META) {
        memo_buf_printf(&p->tests,
                        "EXISTS (SELECT 1 FROM json_each(r.metadata) j WHERE j.key = ?%zu"
                        " AND j.type IN (%s) AND (",
                        filter_bind_text(p, t->meta), type);
        return "j.value";
    }
    memo_buf_printf(&p->tests, "((%s AND (", t->field->present);
    return t->field->column;
}

static void filter_close(filter_test *t)
{
    int nested = t->field->kind == FILTER_TAGS || t->field->kind == FILTER_META;
    memo_buf_puts(&t->p->tests, nested ? "))" : ")) IS TRUE)");
}

static const char *filter_type_of(const filter_value *v)
{
    switch (v->kind) {
    case VALUE_TEXT:
        return "'text'";
    case VALUE_TRUE:
        return "'true'";
    case VALUE_FALSE:
        return "'false'";
    default:
        return "'integer','real'";
    }
}

/* Whether a value of this kind can equal a value of the field at all. */
static int filter_can_match(const filter_field *field, const filter_value *v)
{
    switch (field->kind) {
    case FILTER_TEXT:
    case FILTER_TAGS:
        return v->kind == VALUE_TEXT;
    case FILTER_NUMBER:
    case FILTER_DATE:
        return v->kind == VALUE_INT || v->kind == VALUE_REAL;
    default:
        return v->kind != VALUE_NULL;
    }
}

static void filter_put_present(filter_test *t)
{
    if (t->field->kind == FILTER_META)
        memo_buf_printf(&t->p->tests,
                        "EXISTS (SELECT 1 FROM json_each(r.metadata) j WHERE j.key = ?%zu"
                        " AND j.type <> 'null')",
                        filter_bind_text(t->p, t->meta));
    else
        memo_buf_printf(&t->p->tests, "(%s)", t->field->present);
}

/* x OP value, or the constant that it always is. */
static void filter_put_compare(filter_test *t, filter_op op, const filter_value *v)
{
    memo_buf *out = &t->p->tests;
    int negate = t->field->kind == FILTER_TAGS && op == FILTER_NE;
    int truth = v->kind == VALUE_TRUE || v->kind == VALUE_FALSE;
    const char *x;
    if (v->kind == VALUE_NULL) {
        memo_buf_puts(out, op == FILTER_EQ ? "(NOT " : "(");
        filter_put_present(t);
        memo_buf_putc(out, ')');
        return;
    }
    if (!filter_can_match(t->field, v)) {
        memo_buf_putc(out, negate ? '1' : '0');
        return;
    }
    if (truth) { /* the type says it all; "not true" is false */
        filter_open(t, (v->kind == VALUE_TRUE) == (op == FILTER_EQ) ? "'true'" : "'false'");
        memo_buf_putc(out, '1');
        filter_close(t);
        return;
    }
    if (negate)
        memo_buf_puts(out, "(NOT ");
    x = filter_open(t, filter_type_of(v));
    memo_buf_printf(out, "%s %s ", x, negate ? "=" : filter_ops[op]);
    filter_put_value(t->p, v);
    filter_close(t);
    if (negate)
        memo_buf_putc(out, ')');
}

/* ---- reading one test ---------------------------------------------------------------------- */

/* A date given as a text becomes Unix ms. */
static memo_status filter_read_field_value(filter_test *t, filter_value *v)
{
    memo_status status = memo_filter_read_value(t->p, v);
    if (status || t->field->kind != FILTER_DATE || v->kind != VALUE_TEXT)
        return status;
    if (!memo_date_parse(v->text.bytes, v->text.n_bytes, &v->integer))
        return memo_filter_fail(t->p, v->at,
                                "a date such as '2025-07-01' or '2025-07-01T12:00:00Z'");
    v->kind = VALUE_INT;
    return MEMO_OK;
}

static memo_status filter_read_compare(filter_test *t, filter_op op)
{
    filter_value v;
    memo_status status = filter_read_field_value(t, &v);
    if (status)
        return status;
    if (v.kind >= VALUE_TRUE && op != FILTER_EQ && op != FILTER_NE)
        return memo_filter_fail(t->p, v.at,
                                "a text or a number (true, false and null only know = != in)");
    filter_put_compare(t, op, &v);
    return MEMO_OK;
}

/* " OR x IN (...)" over the values of one JSON type. One IN, not many comparisons: SQLite allows an
 * expression a depth of 1,000. */
static void filter_put_in(filter_test *t, const filter_value *values, size_t n, const char *type)
{
    memo_buf *out = &t->p->tests;
    size_t n_put = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i].kind >= VALUE_TRUE || !filter_can_match(t->field, &values[i]) ||
            strcmp(filter_type_of(&values[i]), type) != 0)
            continue;
        if (n_put++) {
            memo_buf_putc(out, ',');
        } else {
            memo_buf_puts(out, " OR ");
            memo_buf_printf(out, "%s IN (", filter_open(t, type));
        }
        filter_put_value(t->p, &values[i]);
    }
    if (n_put) {
        memo_buf_putc(out, ')');
        filter_close(t);
    }
}

static void filter_put_list(filter_test *t, const filter_value *values, size_t n)
{
    int seen[VALUE_NULL + 1] = {0};
    memo_buf_puts(&t->p->tests, "(0");
    filter_put_in(t, values, n, "'text'");
    filter_put_in(t, values, n, "'integer','real'");
    for (size_t i = 0; i < n; i++) {
        if (values[i].kind >= VALUE_TRUE && !seen[values[i].kind]++) {
            memo_buf_puts(&t->p->tests, " OR ");
            filter_put_compare(t, FILTER_EQ, &values[i]);
        }
    }
    memo_buf_putc(&t->p->tests, ')');
}

static memo_status filter_read_in(filter_test *t)
{
    filter_value *values = NULL;
    size_t n = 0;
    memo_status status = MEMO_OK;
    if (!memo_filter_take_char(t->p, '('))
        return memo_filter_fail(t->p, t->p->at, "\"(\" and a list of values");
    values = memo_reallocarray(NULL, MEMO_FILTER_MAX_LIST, sizeof *values);
    if (!values)
        return memo_filter_fail_memory(t->p);
    do {
        status = n < MEMO_FILTER_MAX_LIST
                     ? filter_read_field_value(t, &values[n++])
                     : memo_filter_fail_limit(t->p, "values in a list", MEMO_FILTER_MAX_LIST);
    } while (!status && memo_filter_take_char(t->p, ','));
    if (!status && !memo_filter_take_char(t->p, ')'))
        status = memo_filter_fail(t->p, t->p->at, "\",\" or \")\"");
    if (!status)
        filter_put_list(t, values, n);
    memo_free(values);
    return status;
}

static memo_status filter_read_between(filter_test *t)
{
    filter_value low, high;
    const char *x;
    memo_status status = filter_read_field_value(t, &low);
    if (!status && !memo_filter_take_word(t->p, "and"))
        status = memo_filter_fail(t->p, t->p->at, "\"and\" and the upper bound");
    if (!status)
        status = filter_read_field_value(t, &high);
    if (status)
        return status;
    if (low.kind >= VALUE_TRUE || high.kind >= VALUE_TRUE)
        return memo_filter_fail(t->p, low.kind >= VALUE_TRUE ? low.at : high.at,
                                "a text or a number");
    if (!filter_can_match(t->field, &low) || !filter_can_match(t->field, &high) ||
        (low.kind == VALUE_TEXT) != (high.kind == VALUE_TEXT)) {
        memo_buf_putc(&t->p->tests, '0');
        return MEMO_OK;
    }
    x = filter_open(t, filter_type_of(&low));
    memo_buf_printf(&t->p->tests, "%s >= ", x);
    filter_put_value(t->p, &low);
    memo_buf_printf(&t->p->tests, " AND %s <= ", x);
    filter_put_value(t->p, &high);
    filter_close(t);
    return MEMO_OK;
}

static memo_status filter_read_part(filter_test *t, filter_op op)
{
    filter_parser *p = t->p;
    filter_value v;
    const char *x;
    memo_status status;
    memo_filter_skip_space(p);
    if (t->field->kind == FILTER_NUMBER || t->field->kind == FILTER_DATE)
        return memo_filter_fail(p, p->at, "a comparison (prefix and contains are for texts)");
    status = memo_filter_read_value(p, &v);
    if (!status && v.kind != VALUE_TEXT)
        status = memo_filter_fail(p, v.at, "a string");
    if (status)
        return status;
    x = filter_open(t, "'text'");
    if (op == FILTER_CONTAINS)
        memo_buf_printf(&p->tests, "instr(%s, ?%zu) > 0", x, filter_bind_text(p, v.text));
    else if (v.text.n_bytes == 0) /* substr() of an empty blob is null */
        memo_buf_putc(&p->tests, '1');
    else /* as bytes: a NUL in the text ends nothing, and no case is folded */
        memo_buf_printf(&p->tests, "substr(CAST(%s AS BLOB), 1, %zu) = CAST(?%zu AS BLOB)", x,
                        v.text.n_bytes, filter_bind_text(p, v.text));
    filter_close(t);
    return MEMO_OK;
}

static memo_status filter_fail_field(filter_parser *p, size_t at, size_t n)
{
    const char *best = NULL;
    size_t least = 3;
    memo_status status = memo_filter_fail(p, at,
                                          "a field: id key title text source tags created updated "
                                          "expires version meta.NAME");
    for (size_t i = 0; i < sizeof filter_fields / sizeof *filter_fields; i++) {
        const char *name = filter_fields[i].name;
        size_t distance = filter_distance(p->text + at, n, name, strlen(name));
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    if (n == 0) /* no word, so none is near */
        return status;
    if (best)
        return memo_hint(p->err, status, "did you mean \"%s\"?", best);
    return memo_hint(p->err, status, "metadata is written meta.%.*s", n > 64 ? 64 : (int)n,
                     p->text + at);
}

static memo_status filter_fail_op(filter_parser *p)
{
    const char *best = NULL;
    size_t least = 3, n = memo_filter_word_length(p);
    memo_status status = memo_filter_fail(p, p->at,
                                          "an operator: = != < <= > >= in between exists prefix "
                                          "contains");
    for (int op = FILTER_IN; op < FILTER_N_OPS; op++) {
        size_t distance =
            filter_distance(p->text + p->at, n, filter_ops[op], strlen(filter_ops[op]));
        if (distance < least) {
            least = distance;
            best = filter_ops[op];
        }
    }
    return n && best ? memo_hint(p->err, status, "did you mean \"%s\"?", best) : status;
}

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
    for (size_t i = 0; i < sizeof filter_fields / sizeof *filter_fields; i++) {
        const filter_field *field = &filter_fields[i];
        if (strlen(field->name) == n && memcmp(field->name, p->text + start, n) == 0) {
            t->field = field;
            p->at += n;
            return field->kind == FILTER_META ? filter_read_meta(t) : MEMO_OK;
        }
    }
    return filter_fail_field(p, start, n);
}

static int filter_take_op(filter_parser *p, filter_op *op)
{
    memo_filter_skip_space(p);
    for (int i = 0; i < FILTER_IN; i++) {
        size_t n = strlen(filter_ops[i]);
        if (p->n - p->at >= n && memcmp(p->text + p->at, filter_ops[i], n) == 0) {
            p->at += n;
            *op = (filter_op)i;
            return 1;
        }
    }
    for (int i = FILTER_IN; i < FILTER_N_OPS; i++) {
        if (memo_filter_take_word(p, filter_ops[i])) {
            *op = (filter_op)i;
            return 1;
        }
    }
    return 0;
}

memo_status memo_filter_read_test(filter_parser *p)
{
    filter_test t = {.p = p};
    filter_op op;
    memo_status status = filter_read_field(&t);
    if (status)
        return status;
    if (!filter_take_op(p, &op))
        return filter_fail_op(p);
    switch (op) {
    case FILTER_IN:
        return filter_read_in(&t);
    case FILTER_BETWEEN:
        return filter_read_between(&t);
    case FILTER_EXISTS:
        filter_put_present(&t);
        return MEMO_OK;
    case FILTER_PREFIX:
    case FILTER_CONTAINS:
        return filter_read_part(&t, op);
    default:
        return filter_read_compare(&t, op);
    }
}
