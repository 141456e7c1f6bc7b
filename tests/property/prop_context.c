// SPDX-License-Identifier: Apache-2.0
/* Random stores, queries and budgets: a context never has more tokens than its budget, by a count of
 * its own text, is the same bytes when asked for again, and accounts for every chunk that was found.
 * Prints its seed; MEMO_SEED repeats a run, MEMO_SCALE multiplies the count. Each random store is a
 * namespace of its own in a file that is made afresh now and then. */
#include "../unit/db_util.h"

#include "base/rng.h"

enum { N_STORES = 2500, N_BUDGETS = 4, STORES_A_FILE = 20, MAX_RECORDS = 7 };

static memo_rng rng;

static size_t below(size_t n)
{
    return (size_t)memo_rng_below(&rng, n);
}

static const char *const words[] = {
    "the",     "key",          "is",        "under",
    "a",       "flower",       "pot",       "spare",
    "note",    "anna",         "ERR-4512",  "\xc3\xa9t\xc3\xa9",
    "a\nb",    "[9]",          "> quote",   "x.y",
    "\r\n",    "\xe2\x80\xa8", "{\"n\":1}", "\xe8\x8a\xb1\xe5\x9b\xad",
    "boiler,", "# head\n",     "-",         "garden",
};
enum { N_WORDS = sizeof words / sizeof *words, TEXT_BYTES = 8192 };

static void random_text(char *out, size_t max_words)
{
    size_t n = 1 + below(max_words);
    strcpy(out, "key");
    for (size_t i = 0; i < n && strlen(out) < TEXT_BYTES - 32; i++)
        strcat(strcat(out, " "), words[below(N_WORDS)]);
}

static void fill(db_env *e, const char *ns)
{
    static const int trusts[] = {-1, 0, 1};
    static char texts[MAX_RECORDS][TEXT_BYTES], titles[MAX_RECORDS][64];
    memo_record_in in[MAX_RECORDS];
    const memo_write_options options = {.size = sizeof options, .ns = ns};
    size_t n = 1 + below(MAX_RECORDS);
    for (size_t i = 0; i < n; i++) {
        if (i && below(4) == 0)
            strcpy(texts[i], texts[below(i)]); /* a duplicate */
        else
            random_text(texts[i], below(4) ? 12 : 160);
        titles[i][0] = 0;
        if (below(2))
            snprintf(titles[i], sizeof titles[i], "%s\n%s", words[below(N_WORDS)],
                     words[below(N_WORDS)]);
        in[i] = (memo_record_in){.size = sizeof *in,
                                 .text = {texts[i], strlen(texts[i])},
                                 .title = titles[i],
                                 .trust = &trusts[below(3)],
                                 .source = below(2) ? "notes/a.md" : NULL,
                                 .chunk_tokens = below(2) ? 12 : 0};
    }
    assert_memo_ok(memo_db_add(e->db, &options, in, n, NULL, &e->err), e->err);
}

/* ---- one context --------------------------------------------------------------------------- */

static size_t count_tokens(db_env *e, memo_text text)
{
    memo_tokenize_options options = {.size = sizeof options, .no_special_tokens = 1};
    memo_tokens *tokens = NULL;
    size_t n;
    assert_memo_ok(memo_model_tokenize(e->model, text, &options, &tokens, &e->err), e->err);
    n = tokens->n;
    memo_tokens_free(tokens);
    return n;
}

/* Every line is a heading with the number and id of its passage, a quote or empty. */
static void check_markdown(const memo_context *c)
{
    size_t number = 0;
    for (const char *line = c->text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end); /* the last one ends, too */
        if (*line == '[') {
            char wanted[32];
            snprintf(wanted, sizeof wanted, "[%zu] ", ++number);
            assert_memory_equal(line, wanted, strlen(wanted));
            assert_true(number <= c->n_passages);
            assert_non_null(memmem(line, (size_t)(end - line), c->passages[number - 1].id, 26));
        } else {
            assert_true(line == end || strncmp(line, "> ", 2) == 0);
        }
    }
    assert_int_equal(number, c->n_passages);
}

static void check_context(db_env *e, const memo_context *c, const memo_context_options *o)
{
    size_t n_chunks = 0;
    if (c->n_tokens > o->budget_tokens)
        fail_msg("%zu tokens in a budget of %zu", c->n_tokens, o->budget_tokens);
    assert_int_equal(c->n_tokens, count_tokens(e, (memo_text){c->text, c->n_bytes}));
    assert_int_equal(c->n_bytes, strlen(c->text));
    for (size_t i = 0; i < c->n_passages; i++) {
        n_chunks += c->passages[i].n_chunks;
        assert_non_null(strstr(c->text, c->passages[i].id));
        assert_true(i == 0 || c->passages[i].rank > c->passages[i - 1].rank);
    }
    if (o->format == MEMO_CONTEXT_MD)
        check_markdown(c);
    {
        const memo_search_options s = {
            .size = sizeof s, .ns = o->ns, .k = 64, .chunks = 1, .mode = o->mode};
        memo_hits *hits = NULL;
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("the spare key"), &s, &hits, &e->err),
                       e->err);
        assert_int_equal(n_chunks + c->n_left_out, hits->n);
        memo_hits_free(hits);
    }
}

static size_t random_budget(void)
{
    static const size_t most[] = {30, 120, 600, 4000};
    return 1 + below(most[below(4)]);
}

static void one_context(db_env *e, const char *ns, size_t *n_empty, size_t *n_left)
{
    memo_context_options o = {.size = sizeof o,
                              .ns = ns,
                              .budget_tokens = random_budget(),
                              .format = (memo_context_format)below(2),
                              .mode = (memo_search_mode)below(3)};
    memo_context *first = NULL, *again = NULL;
    memo_status status = memo_db_context(e->db, MEMO_STR("the spare key"), &o, &first, &e->err);
    if (status == MEMO_ERR_VALUE && o.format == MEMO_CONTEXT_JSON && o.budget_tokens < 20) {
        ++*n_empty;
        return;
    }
    assert_memo_ok(status, e->err);
    check_context(e, first, &o);
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("the spare key"), &o, &again, &e->err), e->err);
    assert_int_equal(first->n_bytes, again->n_bytes);
    assert_memory_equal(first->text, again->text, first->n_bytes);
    assert_int_equal(first->n_left_out, again->n_left_out);
    for (size_t i = 0; i < first->n_left_out; i++)
        assert_int_equal(first->left_out[i].n_tokens, again->left_out[i].n_tokens);
    *n_empty += first->n_passages == 0;
    *n_left += first->n_left_out > 0;
    memo_context_free(first);
    memo_context_free(again);
}

static void prop_context_keeps_its_budget(void **state)
{
    db_env *e = *state;
    const char *scale = getenv("MEMO_SCALE"), *seed_text = getenv("MEMO_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 20261122;
    size_t n = getenv("MEMO_QUICK") ? 100 : N_STORES, n_run = 0, n_empty = 0, n_left = 0;
    n *= scale ? strtoul(scale, NULL, 10) : 1;
    memo_rng_init(&rng, seed);
    print_message("seed %llu; again: MEMO_SEED=%llu build/tests/prop_context\n",
                  (unsigned long long)seed, (unsigned long long)seed);
    for (size_t i = 0; i < n; i++) {
        char ns[32];
        if (i && i % STORES_A_FILE == 0) {
            db_teardown(state);
            db_setup(state);
        }
        snprintf(ns, sizeof ns, "store-%zu", i);
        fill(e, ns);
        for (size_t b = 0; b < N_BUDGETS; b++, n_run++)
            one_context(e, ns, &n_empty, &n_left);
    }
    print_message("%zu contexts of %zu stores, %zu empty, %zu left something out: 0 over budget\n",
                  n_run, n, n_empty, n_left);
    assert_true(n_left > n_run / 10 && n_empty < n_run / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {db_test(prop_context_keeps_its_budget)};
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
