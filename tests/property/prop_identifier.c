// SPDX-License-Identifier: Apache-2.0
/* Whoever types an identifier gets the one record that holds it first, whatever else the store says and
 * however the other lanes rank. Random stores whose records share words with the query; in each one
 * record holds the identifier, sometimes deep in a long text, in its title, or as its key. Chunks are
 * more than twice as long as it, so that no border can cut it. Prints its
 * seed; MEMO_SEED repeats a run, MEMO_SCALE multiplies the count. */
#include "../unit/db_util.h"

#include "base/rng.h"

enum { N_STORES = 300, STORES_A_FILE = 20, MAX_RECORDS = 12 };

static memo_rng rng;

static size_t below(size_t n)
{
    return (size_t)memo_rng_below(&rng, n);
}

static const char *const words[] = {"the",  "key",    "error", "boiler", "in",  "garden", "anna",
                                    "note", "flower", "ERR",   "4512",   "src", "pot",    "spare"};
enum { N_WORDS = sizeof words / sizeof *words };

static void put_words(char *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strcat(strcat(out, " "), words[below(N_WORDS)]);
}

static void random_identifier(char out[40])
{
    static const char *const forms[] = {"ERR-%zu", "src/a%zu.c", "v%zu.2", "PN_%zu", "fooBar%zu"};
    snprintf(out, 40, forms[below(5)], 1000 + below(9000));
}

/* Returns the key of the record that holds the identifier. */
static size_t fill(db_env *e, const char *ns, const char *identifier, char keys[][40])
{
    static char texts[MAX_RECORDS][4096], titles[MAX_RECORDS][64];
    memo_record_in in[MAX_RECORDS];
    const memo_write_options options = {.size = sizeof options, .ns = ns};
    size_t n = 2 + below(MAX_RECORDS - 1), holder = below(n), place = below(3);
    for (size_t i = 0; i < n; i++) {
        int mine = i == holder;
        snprintf(keys[i], 40, "k%zu", i);
        strcpy(texts[i], "x");
        strcpy(titles[i], "");
        put_words(texts[i], 1 + below(mine ? 80 : 20));
        if (mine && place == 0)
            snprintf(keys[i], 40, "%s", identifier);
        else if (mine && place == 1)
            snprintf(titles[i], sizeof titles[i], "a %s b", identifier);
        else if (mine)
            strcat(strcat(texts[i], " "), identifier);
        put_words(texts[i], below(10));
        in[i] = (memo_record_in){.size = sizeof *in,
                                 .key = keys[i],
                                 .text = {texts[i], strlen(texts[i])},
                                 .title = titles[i],
                                 .created_ms = DB_NOW - (int64_t)below(1000) * 86400000,
                                 .chunk_tokens = below(2) ? 30 : 0};
    }
    assert_memo_ok(memo_db_add(e->db, &options, in, n, NULL, &e->err), e->err);
    return holder;
}

static void expect_first(db_env *e, const char *ns, const char *identifier, const char *key)
{
    memo_search_options o = {.size = sizeof o,
                             .ns = ns,
                             .mode = below(2) ? MEMO_SEARCH_HYBRID : MEMO_SEARCH_LEXICAL,
                             .chunks = (int)below(2),
                             .recency = below(2) ? 3 : 0};
    char query[200] = "";
    memo_hits *hits = NULL;
    if (below(2))
        put_words(query, below(3));
    strcat(strcat(query, " "), identifier);
    if (below(2))
        put_words(query, below(3));
    assert_memo_ok(memo_db_search(e->db, MEMO_STR(query), &o, &hits, &e->err), e->err);
    if (hits->n == 0 || strcmp(hits->hits[0].key, key) != 0)
        fail_msg("\"%s\" finds %s first, not %s (namespace %s)", query,
                 hits->n ? hits->hits[0].key : "nothing", key, ns);
    memo_hits_free(hits);
}

static void prop_identifier_is_always_first(void **state)
{
    db_env *e = *state;
    const char *scale = getenv("MEMO_SCALE"), *seed_text = getenv("MEMO_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 4512;
    size_t n = N_STORES * (scale ? strtoul(scale, NULL, 10) : 1), n_run = 0;
    memo_rng_init(&rng, seed);
    print_message("seed %llu; again: MEMO_SEED=%llu build/tests/prop_identifier\n",
                  (unsigned long long)seed, (unsigned long long)seed);
    for (size_t i = 0; i < n; i++) {
        char ns[32], identifier[40], keys[MAX_RECORDS][40];
        size_t holder;
        if (i && i % STORES_A_FILE == 0) {
            db_teardown(state);
            db_setup(state);
        }
        snprintf(ns, sizeof ns, "store-%zu", i);
        random_identifier(identifier);
        holder = fill(e, ns, identifier, keys);
        for (int q = 0; q < 5; q++, n_run++)
            expect_first(e, ns, identifier, keys[holder]);
    }
    print_message("%zu searches of %zu stores: 0 with another record first\n", n_run, n);
    assert_int_equal(n_run, 5 * n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {db_test(prop_identifier_is_always_first)};
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
