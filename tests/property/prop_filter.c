// SPDX-License-Identifier: Apache-2.0
/* Random filters over random records: the store's SQL, from the text and from the JSON spelling of a
 * tree, against a second implementation that walks the tree in C. Prints its seed; MEMO_SEED repeats a run, MEMO_SCALE multiplies the count. */
#include "../unit/store_util.h"

#include "base/rng.h"

enum { N_RECORDS = 60, N_FILTERS = 1500, MAX_CHILDREN = 4 };

#define NOW INT64_C(1750000000000)

static memo_rng rng;

static size_t below(size_t n)
{
    return (size_t)memo_rng_below(&rng, n);
}

/* ---- values -------------------------------------------------------------------------------- */

typedef enum kind { ABSENT, TEXT, NUMBER, TRUTH } kind;

typedef struct value {
    kind kind;
    char text[16];
    long double number; /* holds every int64_t and every double used here exactly */
    int truth;
    char written[32]; /* in JSON and, apart from quotes, in a filter */
    const char *word; /* how it is written instead, or NULL */
} value;

static const char *const words[] = {"a", "ab", "b", "B", "", "a'b", "x%", "\xc3\xa9", "-", "a b"};
enum { N_WORDS = sizeof words / sizeof *words };

/* Close together, at the edges of double and int64_t, and equal across types. */
static const char *const numbers[] = {"0",
                                      "1",
                                      "-1",
                                      "2",
                                      "1.0",
                                      "1.5",
                                      "-0.25",
                                      "9007199254740992",
                                      "9007199254740993",
                                      "9007199254740992.0",
                                      "9223372036854775807",
                                      "-9223372036854775808"};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static value random_value(int with_absent)
{
    value v = {0};
    switch (below(with_absent ? 4 : 3)) {
    case 0:
        v.kind = TEXT;
        snprintf(v.text, sizeof v.text, "%s", words[below(N_WORDS)]);
        break;
    case 1:
        v.kind = NUMBER;
        snprintf(v.written, sizeof v.written, "%s", numbers[below(N_NUMBERS)]);
        v.number = strtold(v.written, NULL);
        break;
    case 2:
        v.kind = TRUTH;
        v.truth = (int)below(2);
        snprintf(v.written, sizeof v.written, "%s", v.truth ? "true" : "false");
        break;
    default:
        v.kind = ABSENT;
        snprintf(v.written, sizeof v.written, "null");
    }
    return v;
}

/* ---- records ------------------------------------------------------------------------------- */

enum {
    F_KEY,
    F_TITLE,
    F_CREATED,
    F_EXPIRES,
    F_VERSION,
    F_TRUST,
    F_TIER,
    F_PINNED,
    F_TAGS,
    F_META_X,
    F_META_Y,
    N_FIELDS
};
static const char *const field_names[] = {"key",     "title",  "created", "expires",
                                          "version", "trust",  "tier",    "pinned",
                                          "tags",    "meta.x", "meta.y"};
static const char *const trusts[] = {"untrusted", "unknown", "trusted"};
static const char *const tiers[] = {"goals", "hot", "rest"};

typedef struct record {
    value fields[N_FIELDS]; /* not F_TAGS */
    char tags[3][16];
    size_t n_tags;
} record;

static record records[N_RECORDS];

static value text_value(const char *s)
{
    value v = {.kind = TEXT};
    snprintf(v.text, sizeof v.text, "%s", s);
    return v;
}

static value number_value(int64_t n)
{
    return (value){.kind = NUMBER, .number = (long double)n};
}

static void put_random(memo_store *store, size_t i)
{
    record *r = &records[i];
    const char *tags[3];
    char key[16], metadata[128];
    size_t at = 1;
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {0, 1, 1, vector};
    memo_store_put put = {.text = {"t", 1}, .space = 1, .chunks = &chunk, .n_chunks = 1};
    memo_add_result result = {.size = sizeof result};
    int trust = (int)below(3) - 1, tier = (int)below(3), pinned = (int)below(2);
    memset(r, 0, sizeof *r);
    snprintf(key, sizeof key, "k%02zu", i);
    r->fields[F_KEY] = text_value(key);
    put.key = key;
    r->fields[F_TITLE] = text_value(words[below(N_WORDS)]);
    put.title = r->fields[F_TITLE].text;
    put.created_ms = NOW + (int64_t)below(5) - 2;
    r->fields[F_CREATED] = number_value(put.created_ms);
    put.expires_ms = below(2) ? 0 : NOW + (int64_t)below(5);
    r->fields[F_EXPIRES] = number_value(put.expires_ms);
    r->fields[F_EXPIRES].kind = put.expires_ms ? NUMBER : ABSENT;
    r->fields[F_VERSION] = number_value(1);
    put.trust = &trust;
    put.tier = &tier;
    put.pinned = &pinned;
    r->fields[F_TRUST] = number_value(trust);
    r->fields[F_TIER] = number_value(tier);
    r->fields[F_PINNED] = (value){.kind = TRUTH, .truth = pinned};
    if (!*put.title)
        r->fields[F_TITLE].kind = ABSENT;
    r->n_tags = below(4);
    for (size_t t = 0; t < r->n_tags; t++) {
        snprintf(r->tags[t], sizeof r->tags[t], "%s", words[below(N_WORDS)]);
        tags[t] = r->tags[t];
    }
    put.tags = tags;
    put.n_tags = r->n_tags;
    metadata[0] = '{';
    for (int f = F_META_X; f <= F_META_Y; f++) {
        value v = r->fields[f] = random_value(1);
        if (v.kind == ABSENT && below(2))
            continue;
        at += (size_t)sprintf(metadata + at, v.kind == TEXT ? "%s\"%c\":\"%s\"" : "%s\"%c\":%s",
                              at > 1 ? "," : "", field_names[f][5],
                              v.kind == TEXT ? v.text : v.written);
    }
    strcpy(metadata + at, "}");
    put.metadata = metadata;
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
}

/* ---- trees --------------------------------------------------------------------------------- */

typedef enum form { AND, OR, NOT, COMPARE, IN, BETWEEN, EXISTS, PREFIX, CONTAINS } form;

typedef struct tree {
    form form;
    int field, op;
    value values[MAX_CHILDREN];
    size_t n;
    struct tree *children[MAX_CHILDREN];
} tree;

static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};

static value written_number(int64_t n)
{
    value v = number_value(n);
    snprintf(v.written, sizeof v.written, "%lld", (long long)n);
    return v;
}

/* A number, or its name of three that begin with `least`. */
static value named_number(int least, const char *const *names)
{
    int i = (int)below(3);
    value v = written_number(least + i);
    v.word = below(2) ? names[i] : NULL;
    return v;
}

static value random_truth(void)
{
    static const char *const names[2][2] = {{"no", "false"}, {"yes", "true"}};
    value v = {.kind = TRUTH, .truth = (int)below(2)};
    snprintf(v.written, sizeof v.written, "%s", v.truth ? "true" : "false");
    v.word = below(2) ? names[v.truth][below(2)] : NULL;
    return v;
}

/* A value of the field's type, any for metadata; what other types are refused for, and dates as
 * texts, are tested one by one in test_filter.c. */
static value random_operand(int field)
{
    value v;
    switch (field) {
    case F_CREATED:
    case F_EXPIRES:
        return written_number(NOW + (int64_t)below(5) - 2);
    case F_TRUST:
        return named_number(-1, trusts);
    case F_TIER:
        return named_number(0, tiers);
    case F_PINNED:
        return random_truth();
    case F_META_X:
    case F_META_Y:
        return random_value(0);
    default:
        do
            v = random_value(0);
        while (v.kind != (field == F_VERSION ? NUMBER : TEXT));
        return v;
    }
}

static tree *random_tree(int depth)
{
    tree *t = calloc(1, sizeof *t);
    int is_text;
    t->form = (form)(depth > 0 && below(3) ? below(3) : COMPARE + below(6));
    if (t->form <= NOT) {
        t->n = t->form == NOT ? 1 : 2 + below(MAX_CHILDREN - 1);
        for (size_t i = 0; i < t->n; i++)
            t->children[i] = random_tree(depth - 1);
        return t;
    }
    t->field = (int)below(N_FIELDS);
    is_text = t->field < F_CREATED || t->field > F_PINNED;
    if ((t->form == PREFIX || t->form == CONTAINS) && !is_text)
        t->form = EXISTS;
    t->n = t->form == IN ? 1 + below(MAX_CHILDREN) : t->form == BETWEEN ? 2 : 1;
    for (size_t i = 0; i < t->n; i++)
        t->values[i] = t->form == PREFIX || t->form == CONTAINS ? text_value(words[below(N_WORDS)])
                                                                : random_operand(t->field);
    t->op = (int)below(6);
    if (t->form == COMPARE && t->values[0].kind == TRUTH)
        t->op = (int)below(2);
    if (t->form == BETWEEN && (t->values[0].kind == TRUTH || t->values[1].kind == TRUTH))
        t->form = IN;
    return t;
}

static void free_tree(tree *t)
{
    for (size_t i = 0; t->form <= NOT && i < t->n; i++)
        free_tree(t->children[i]);
    free(t);
}

static char *write_value(char *p, const value *v)
{
    if (v->kind != TEXT)
        return p + sprintf(p, v->word ? "'%s'" : "%s", v->word ? v->word : v->written);
    *p++ = '\'';
    for (const char *s = v->text; *s; s++) {
        if (*s == '\'')
            *p++ = '\'';
        *p++ = *s;
    }
    *p++ = '\'';
    return p;
}

static char *write_tree(char *p, const tree *t)
{
    static const char *const names[] = {"and", "or", "not"};
    if (t->form <= NOT) {
        p += sprintf(p, t->form == NOT ? "not (" : "(");
        for (size_t i = 0; i < t->n; i++) {
            if (i)
                p += sprintf(p, " %s ", names[t->form]);
            p = write_tree(p, t->children[i]);
        }
        return p + sprintf(p, ")");
    }
    p += sprintf(p, "%s ", field_names[t->field]);
    switch (t->form) {
    case EXISTS:
        return p + sprintf(p, "exists");
    case IN:
        p += sprintf(p, "in (");
        for (size_t i = 0; i < t->n; i++) {
            p += sprintf(p, i ? ", " : "");
            p = write_value(p, &t->values[i]);
        }
        return p + sprintf(p, ")");
    case BETWEEN:
        p = write_value(p + sprintf(p, "between "), &t->values[0]);
        return write_value(p + sprintf(p, " and "), &t->values[1]);
    default:
        p += sprintf(p, "%s ",
                     t->form == PREFIX     ? "prefix"
                     : t->form == CONTAINS ? "contains"
                                           : ops[t->op]);
        return write_value(p, &t->values[0]);
    }
}

static char *write_json_value(char *p, const value *v)
{
    if (v->kind != TEXT)
        return p + sprintf(p, v->word ? "\"%s\"" : "%s", v->word ? v->word : v->written);
    return p + sprintf(p, "\"%s\"", v->text); /* none of the words needs an escape */
}

static char *write_json_list(char *p, const tree *t)
{
    *p++ = '[';
    for (size_t i = 0; i < t->n; i++) {
        p += sprintf(p, i ? "," : "");
        p = write_json_value(p, &t->values[i]);
    }
    *p++ = ']';
    return p;
}

static const char *form_name(const tree *t)
{
    static const char *const names[] = {"in", "between", "exists", "prefix", "contains"};
    return t->form == COMPARE ? ops[t->op] : names[t->form - IN];
}

static char *write_json(char *p, const tree *t)
{
    static const char *const names[] = {"and", "or", "not"};
    if (t->form == NOT) {
        p = write_json(p + sprintf(p, "{\"not\":"), t->children[0]);
    } else if (t->form < NOT) {
        p += sprintf(p, "{\"%s\":[", names[t->form]);
        for (size_t i = 0; i < t->n; i++) {
            p += sprintf(p, i ? "," : "");
            p = write_json(p, t->children[i]);
        }
        *p++ = ']';
    } else {
        p += sprintf(p, "{\"%s\":", field_names[t->field]);
        if (t->form == COMPARE && t->op == 0 && below(2)) {
            p = write_json_value(p, &t->values[0]);
        } else {
            p += sprintf(p, "{\"%s\":", form_name(t));
            p = t->form == EXISTS                     ? p + sprintf(p, "true")
                : t->form == IN || t->form == BETWEEN ? write_json_list(p, t)
                                                      : write_json_value(p, &t->values[0]);
            *p++ = '}';
        }
    }
    *p++ = '}';
    return p;
}

/* ---- the second implementation ------------------------------------------------------------- */

static int compare(const value *a, const value *b)
{
    if (a->kind == TEXT)
        return strcmp(a->text, b->text);
    return a->number < b->number ? -1 : a->number > b->number;
}

static int test_one(const tree *t, const value *x)
{
    const value *v = t->values;
    int order;
    switch (t->form) {
    case EXISTS:
        return x->kind != ABSENT;
    case PREFIX:
        return x->kind == TEXT && strncmp(x->text, v->text, strlen(v->text)) == 0;
    case CONTAINS:
        return x->kind == TEXT && strstr(x->text, v->text) != NULL;
    case BETWEEN:
        return x->kind == v[0].kind && x->kind == v[1].kind && compare(x, &v[0]) >= 0 &&
               compare(x, &v[1]) <= 0;
    case IN:
        for (size_t i = 0; i < t->n; i++)
            if (x->kind == v[i].kind &&
                (x->kind == TRUTH ? x->truth == v[i].truth : compare(x, &v[i]) == 0))
                return 1;
        return 0;
    default:
        if (x->kind != v->kind || x->kind == ABSENT)
            return 0;
        order = x->kind == TRUTH ? x->truth != v->truth : compare(x, v);
        return t->op == 0   ? order == 0
               : t->op == 1 ? order != 0
               : t->op == 2 ? order < 0
               : t->op == 3 ? order <= 0
               : t->op == 4 ? order > 0
                            : order >= 0;
    }
}

static int test_tags(const tree *t, const record *r)
{
    tree equal = *t;
    int negate = t->form == COMPARE && t->op == 1, any = 0;
    if (negate)
        equal.op = 0;
    for (size_t i = 0; i < r->n_tags; i++) {
        value tag = text_value(r->tags[i]);
        any |= test_one(&equal, &tag);
    }
    return any != negate;
}

static int matches(const tree *t, const record *r)
{
    switch (t->form) {
    case NOT:
        return !matches(t->children[0], r);
    case AND:
        for (size_t i = 0; i < t->n; i++)
            if (!matches(t->children[i], r))
                return 0;
        return 1;
    case OR:
        for (size_t i = 0; i < t->n; i++)
            if (matches(t->children[i], r))
                return 1;
        return 0;
    default:
        return t->field == F_TAGS ? test_tags(t, r) : test_one(t, &r->fields[t->field]);
    }
}

static void check_filter(memo_store *store, const tree *t, const char *text)
{
    memo_filter *filter;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = N_RECORDS};
    memo_arena arena = {0};
    memo_records page;
    char got[N_RECORDS] = {0};
    util_ok(memo_filter_new(text, NOW, &filter, err));
    scope.filter = filter;
    util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
    for (size_t i = 0; i < page.n; i++)
        got[atoi(page.records[i].key + 1)] = 1;
    for (size_t i = 0; i < N_RECORDS; i++)
        if (got[i] != matches(t, &records[i]))
            fail_msg("record %zu: %d by SQL: %s\n%s", i, got[i], text, memo_filter_sql(filter));
    memo_arena_fini(&arena);
    memo_filter_free(filter);
}

static void prop_filter_equals_naive_evaluation(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    const char *scale = getenv("MEMO_SCALE"), *seed_text = getenv("MEMO_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 20250615;
    size_t n = N_FILTERS * (scale ? strtoul(scale, NULL, 10) : 1), n_run = 0;
    memo_store_ns ns;
    memo_rng_init(&rng, seed);
    print_message("seed %llu; again: MEMO_SEED=%llu build/tests/prop_filter\n",
                  (unsigned long long)seed, (unsigned long long)seed);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    for (size_t i = 0; i < N_RECORDS; i++)
        put_random(store, i);
    util_ok(memo_store_commit(store, err));
    for (size_t i = 0; i < n; i++) {
        static char text[1 << 16];
        tree *t = random_tree((int)below(4));
        *write_tree(text, t) = '\0';
        check_filter(store, t, text);
        *write_json(text, t) = '\0';
        check_filter(store, t, text);
        free_tree(t);
        n_run++;
    }
    assert_int_equal(n_run, n);
    memo_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prop_filter_equals_naive_evaluation, util_setup,
                                        util_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
