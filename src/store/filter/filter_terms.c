// SPDX-License-Identifier: Apache-2.0
/* The SQL of one test, whichever spelling it came from.
 *
 * Tags are looked up in their own table, where an index leads to the records that have one: a record's
 * JSON is never opened for them. */
#include "store/filter/filter_parse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/dates.h"
#include "base/error.h"

/* ---- words --------------------------------------------------------------------------------- */

static const filter_name filter_trusts[] = {
    {"untrusted", -1}, {"unknown", 0}, {"trusted", 1}, {NULL, 0}};
static const filter_name filter_tiers[] = {{"goals", 0}, {"hot", 1}, {"rest", 2}, {NULL, 0}};
static const filter_name filter_truths[] = {
    {"no", 0}, {"false", 0}, {"yes", 1}, {"true", 1}, {NULL, 0}};

/* Nothing has proved the rows yet that a filter is asked about: a text that is no JSON has no values, or
 * the whole query would fail. */
#define FILTER_METADATA                                                                            \
    "json_each(CASE WHEN memo_is_json(r.metadata) THEN r.metadata ELSE '{}' END) j"

static const filter_field filter_fields[] = {
    {"id", FILTER_TEXT, "r.id", "1", NULL, NULL},
    {"key", FILTER_TEXT, "r.key", "r.key IS NOT NULL", NULL, NULL},
    {"title", FILTER_TEXT, "r.title", "r.title <> ''", NULL, NULL},
    {"text", FILTER_TEXT, "r.text", "1", NULL, NULL},
    {"source", FILTER_TEXT, "r.source", "r.source <> ''", NULL, NULL},
    {"tags", FILTER_TAGS, "g.tag", "r.tags <> '[]'", NULL, NULL},
    {"created", FILTER_DATE, "r.created_ms", "1", NULL, NULL},
    {"updated", FILTER_DATE, "r.updated_ms", "1", NULL, NULL},
    {"expires", FILTER_DATE, "r.expires_ms", "r.expires_ms <> 0", NULL, NULL},
    {"version", FILTER_NUMBER, "r.version", "1", NULL, NULL},
    {"trust", FILTER_NUMBER, "r.trust", "1", filter_trusts,
     "'trusted', 'untrusted', 'unknown', or their numbers 1, -1, 0"},
    {"tier", FILTER_NUMBER, "r.tier", "1", filter_tiers,
     "'goals', 'hot', 'rest', or their numbers 0, 1, 2"},
    {"pinned", FILTER_FLAG, "r.pinned", "1", filter_truths, NULL},
    {"echo", FILTER_FLAG, "(EXISTS (SELECT 1 FROM links l WHERE l.rid = r.rid AND l.kind = 2))",
     "1", filter_truths, NULL},
    {"parent", FILTER_TEXT, "(SELECT p.id FROM records p WHERE p.rid = r.parent)",
     "coalesce(r.parent, 0) <> 0", NULL, NULL},
    {"meta", FILTER_META, "r.metadata", NULL, NULL, NULL},
};
enum { FILTER_N_FIELDS = sizeof filter_fields / sizeof *filter_fields };

/* The first six are also SQL; a longer one stands before its own beginning. */
const char *const memo_filter_ops[FILTER_N_OPS] = {
    "=", "!=", "<=", "<", ">=", ">", "in", "between", "exists", "prefix", "contains",
};

const filter_field *memo_filter_find_field(const char *name, size_t n)
{
    for (size_t i = 0; i < FILTER_N_FIELDS; i++)
        if (strlen(filter_fields[i].name) == n && memcmp(filter_fields[i].name, name, n) == 0)
            return &filter_fields[i];
    return NULL;
}

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

memo_status memo_filter_fail_field(filter_parser *p, size_t at, const char *name, size_t n)
{
    const char *best = NULL;
    size_t least = 3;
    memo_status status =
        memo_filter_fail(p, at,
                         "a field: id key title text source tags created updated "
                         "expires version trust tier pinned echo parent meta.NAME");
    for (size_t i = 0; i < FILTER_N_FIELDS; i++) {
        size_t distance =
            filter_distance(name, n, filter_fields[i].name, strlen(filter_fields[i].name));
        if (distance < least) {
            least = distance;
            best = filter_fields[i].name;
        }
    }
    if (n == 0) /* no word, so none is near */
        return status;
    if (best)
        return memo_hint(p->err, status, "did you mean \"%s\"?", best);
    return memo_hint(p->err, status, "metadata is written meta.%.*s", n > 64 ? 64 : (int)n, name);
}

memo_status memo_filter_fail_op(filter_parser *p, size_t at, const char *name, size_t n)
{
    const char *best = NULL;
    size_t least = 3;
    memo_status status = memo_filter_fail(p, at,
                                          "an operator: = != < <= > >= in between exists prefix "
                                          "contains");
    for (int op = FILTER_IN; op < FILTER_N_OPS; op++) {
        size_t distance =
            filter_distance(name, n, memo_filter_ops[op], strlen(memo_filter_ops[op]));
        if (distance < least) {
            least = distance;
            best = memo_filter_ops[op];
        }
    }
    return n && best ? memo_hint(p->err, status, "did you mean \"%s\"?", best) : status;
}

/* ---- SQL ----------------------------------------------------------------------------------- */

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
        memo_buf_puts(&p->tests, "(r.rid IN (");
        p->select_at = p->tests.n;
        memo_buf_puts(&p->tests, "SELECT g.rid FROM tags g WHERE g.ns = ?1 AND (");
    } else if (t->field->kind == FILTER_META) {
        memo_buf_printf(&p->tests,
                        "EXISTS (SELECT 1 FROM " FILTER_METADATA " WHERE j.key = ?%zu"
                        " AND j.type IN (%s) AND (",
                        filter_bind_text(p, t->meta), type);
        return "j.value";
    } else {
        memo_buf_printf(&p->tests, "((%s AND (", t->field->present);
    }
    return t->field->column;
}

static void filter_close(filter_test *t)
{
    filter_parser *p = t->p;
    if (t->field->kind == FILTER_TAGS) {
        memo_buf_putc(&p->tests, ')');
        p->select_n = p->tests.n - p->select_at;
        memo_buf_puts(&p->tests, "))");
    } else {
        memo_buf_puts(&p->tests, t->field->kind == FILTER_META ? "))" : ")) IS TRUE)");
    }
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

/* Whether a value of this kind can equal a value of the field at all. One that cannot is refused,
 * but for null: the complement of a test that never holds is every record. */
static int filter_can_match(const filter_field *field, const filter_value *v)
{
    switch (field->kind) {
    case FILTER_TEXT:
    case FILTER_TAGS:
        return v->kind == VALUE_TEXT;
    case FILTER_NUMBER:
    case FILTER_DATE:
        return v->kind == VALUE_INT || v->kind == VALUE_REAL;
    case FILTER_FLAG:
        return v->kind == VALUE_TRUE || v->kind == VALUE_FALSE;
    default:
        return v->kind != VALUE_NULL;
    }
}

static void filter_put_present(filter_test *t)
{
    if (t->field->kind == FILTER_META)
        memo_buf_printf(&t->p->tests,
                        "EXISTS (SELECT 1 FROM " FILTER_METADATA " WHERE j.key = ?%zu"
                        " AND j.type <> 'null')",
                        filter_bind_text(t->p, t->meta));
    else
        memo_buf_printf(&t->p->tests, "(%s)", t->field->present);
}

/* x is the truth that `v` is, or with `equal` zero is not; a metadata value of another type is
 * neither. */
static void filter_put_truth(filter_test *t, const filter_value *v, int equal)
{
    memo_buf *out = &t->p->tests;
    int wanted = (v->kind == VALUE_TRUE) == equal;
    if (t->field->kind == FILTER_FLAG) {
        memo_buf_printf(out, wanted ? "(%s <> 0)" : "(%s = 0)", t->field->column);
        return;
    }
    filter_open(t, wanted ? "'true'" : "'false'"); /* the type says it all */
    memo_buf_putc(out, '1');
    filter_close(t);
}

/* x OP value, or the constant that it always is. */
static void filter_put_compare(filter_test *t, filter_op op, const filter_value *v)
{
    memo_buf *out = &t->p->tests;
    int negate = t->field->kind == FILTER_TAGS && op == FILTER_NE;
    const char *x;
    if (v->kind == VALUE_NULL) {
        memo_buf_puts(out, op == FILTER_EQ ? "(NOT " : "(");
        filter_put_present(t);
        memo_buf_putc(out, ')');
        return;
    }
    if (v->kind == VALUE_TRUE || v->kind == VALUE_FALSE) {
        filter_put_truth(t, v, op == FILTER_EQ);
        return;
    }
    if (negate)
        memo_buf_puts(out, "(NOT ");
    x = filter_open(t, filter_type_of(v));
    memo_buf_printf(out, "%s %s ", x, negate ? "=" : memo_filter_ops[op]);
    filter_put_value(t->p, v);
    filter_close(t);
    if (negate)
        memo_buf_putc(out, ')');
}

/* x IN (...) over the values of one JSON type, after `before`; nothing when there are none. One IN,
 * not many comparisons: SQLite allows an expression a depth of 1,000. */
static void filter_put_in(filter_test *t, const char *before, const char *type)
{
    memo_buf *out = &t->p->tests;
    size_t n_put = 0;
    for (size_t i = 0; i < t->n_values; i++) {
        const filter_value *v = &t->values[i];
        if (v->kind >= VALUE_TRUE || strcmp(filter_type_of(v), type) != 0)
            continue;
        if (n_put++) {
            memo_buf_putc(out, ',');
        } else {
            memo_buf_puts(out, before);
            memo_buf_printf(out, "%s IN (", filter_open(t, type));
        }
        filter_put_value(t->p, v);
    }
    if (n_put) {
        memo_buf_putc(out, ')');
        filter_close(t);
    }
}

static void filter_put_list(filter_test *t)
{
    int seen[VALUE_NULL + 1] = {0};
    for (size_t i = 0; i < t->n_values; i++)
        seen[t->values[i].kind] = 1;
    if (t->field->kind == FILTER_TAGS && !seen[VALUE_NULL]) { /* a set, with nothing around it */
        filter_put_in(t, "", "'text'");
        return;
    }
    memo_buf_puts(&t->p->tests, "(0");
    filter_put_in(t, " OR ", "'text'");
    filter_put_in(t, " OR ", "'integer','real'");
    for (filter_value_kind kind = VALUE_TRUE; kind <= VALUE_NULL; kind++) {
        if (seen[kind]) {
            memo_buf_puts(&t->p->tests, " OR ");
            filter_put_compare(t, FILTER_EQ, &(filter_value){.kind = kind});
        }
    }
    memo_buf_putc(&t->p->tests, ')');
}

static void filter_put_between(filter_test *t, const filter_value *low, const filter_value *high)
{
    const char *x;
    if ((low->kind == VALUE_TEXT) != (high->kind == VALUE_TEXT)) {
        memo_buf_putc(&t->p->tests, '0');
        return;
    }
    x = filter_open(t, filter_type_of(low));
    memo_buf_printf(&t->p->tests, "%s >= ", x);
    filter_put_value(t->p, low);
    memo_buf_printf(&t->p->tests, " AND %s <= ", x);
    filter_put_value(t->p, high);
    filter_close(t);
}

static void filter_put_part(filter_test *t, memo_text part)
{
    filter_parser *p = t->p;
    const char *x = filter_open(t, "'text'");
    if (t->op == FILTER_CONTAINS)
        memo_buf_printf(&p->tests, "instr(%s, ?%zu) > 0", x, filter_bind_text(p, part));
    else if (part.n_bytes == 0) /* substr() of an empty blob is null */
        memo_buf_putc(&p->tests, '1');
    else /* as bytes: a NUL in the text ends nothing, and no case is folded */
        memo_buf_printf(&p->tests, "substr(CAST(%s AS BLOB), 1, %zu) = CAST(?%zu AS BLOB)", x,
                        part.n_bytes, filter_bind_text(p, part));
    filter_close(t);
}

/* ---- checking ------------------------------------------------------------------------------ */

/* A date given as a text becomes Unix ms; so does 'now-7d'. */
static memo_status filter_check_date(filter_test *t, filter_value *v)
{
    if (t->field->kind != FILTER_DATE || v->kind != VALUE_TEXT)
        return MEMO_OK;
    if (!memo_date_parse(v->text.bytes, v->text.n_bytes, &v->integer) &&
        !(v->text.n_bytes >= 3 && memcmp(v->text.bytes, "now", 3) == 0 &&
          memo_filter_parse_now(v->text.bytes + 3, v->text.n_bytes - 3, t->p->now_ms, &v->integer)))
        return memo_filter_fail(t->p, v->at,
                                "a date such as '2025-07-01', '2025-07-01T12:00:00Z' or 'now-7d'");
    v->kind = VALUE_INT;
    return MEMO_OK;
}

/* A word of the field becomes what it stands for; any other text stays one. */
static void filter_read_name(const filter_field *field, filter_value *v)
{
    if (v->kind != VALUE_TEXT)
        return;
    for (const filter_name *name = field->names; name && name->word; name++) {
        if (strlen(name->word) != v->text.n_bytes ||
            memcmp(name->word, v->text.bytes, v->text.n_bytes) != 0)
            continue;
        v->kind = field->kind != FILTER_FLAG ? VALUE_INT : name->number ? VALUE_TRUE : VALUE_FALSE;
        v->integer = name->number;
        return;
    }
}

static memo_status filter_check_type(filter_test *t, const filter_value *v)
{
    static const char *const allowed[] = {
        [FILTER_TEXT] = "a string",
        [FILTER_NUMBER] = "a number",
        [FILTER_DATE] = "a date such as '2025-07-01', Unix ms or now",
        [FILTER_FLAG] = "true or false, 'yes' or 'no'",
        [FILTER_TAGS] = "a string",
    };
    if (v->kind == VALUE_NULL || filter_can_match(t->field, v))
        return MEMO_OK;
    return memo_filter_fail(t->p, v->at,
                            t->field->allowed ? t->field->allowed : allowed[t->field->kind]);
}

static memo_status filter_check_value(filter_test *t, filter_value *v)
{
    memo_status status = filter_check_date(t, v);
    if (status)
        return status;
    filter_read_name(t->field, v);
    if (t->op == FILTER_PREFIX || t->op == FILTER_CONTAINS)
        return v->kind == VALUE_TEXT ? MEMO_OK : memo_filter_fail(t->p, v->at, "a string");
    status = filter_check_type(t, v);
    if (status)
        return status;
    if (v->kind < VALUE_TRUE || t->op <= FILTER_NE || t->op == FILTER_IN)
        return MEMO_OK;
    return memo_filter_fail(t->p, v->at,
                            "a text or a number (true, false and null only know = != in)");
}

memo_status memo_filter_put_test(filter_test *t)
{
    size_t start = t->p->tests.n;
    t->p->select_n = 0;
    if ((t->op == FILTER_PREFIX || t->op == FILTER_CONTAINS) && t->field->kind >= FILTER_NUMBER &&
        t->field->kind <= FILTER_FLAG)
        return memo_filter_fail(t->p, t->op_at, "a comparison (prefix and contains are for texts)");
    for (size_t i = 0; i < t->n_values; i++) {
        memo_status status = filter_check_value(t, &t->values[i]);
        if (status)
            return status;
    }
    if (t->op == FILTER_IN)
        filter_put_list(t);
    else if (t->op == FILTER_BETWEEN)
        filter_put_between(t, &t->values[0], &t->values[1]);
    else if (t->op == FILTER_EXISTS)
        filter_put_present(t);
    else if (t->op == FILTER_PREFIX || t->op == FILTER_CONTAINS)
        filter_put_part(t, t->values[0].text);
    else
        filter_put_compare(t, t->op, &t->values[0]);
    /* The test is the set that it selects when there is nothing else in it. */
    if (t->p->select_at != start + strlen("(r.rid IN (") || t->op == FILTER_NE)
        t->p->select_n = 0;
    return MEMO_OK;
}
