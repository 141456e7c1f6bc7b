// SPDX-License-Identifier: Apache-2.0
#include "db_util.h"

#include <math.h>
#include <sqlite3.h>

#include "memory/db.h"
#include "store/disk/vfs.h"
#include "store/rows/rows.h"
#include "store/store.h"

static memo_hits *search(db_env *e, const char *query, memo_search_options o)
{
    memo_hits *hits = NULL;
    o.size = sizeof o;
    assert_memo_ok(memo_db_search(e->db, (memo_text){query, strlen(query)}, &o, &hits, &e->err),
                   e->err);
    return hits;
}

/* The keys of the hits in order, joined by spaces. */
static void expect_keys(db_env *e, const char *query, memo_search_options o, const char *wanted)
{
    memo_hits *hits = search(e, query, o);
    char got[1024] = "";
    for (size_t i = 0; i < hits->n; i++)
        sprintf(got + strlen(got), "%s%s", i ? " " : "", hits->hits[i].key);
    if (strcmp(got, wanted))
        fail_msg("\"%s\" finds \"%s\", not \"%s\"", query, got, wanted);
    memo_hits_free(hits);
}

static const memo_search_options lexical = {.mode = MEMO_SEARCH_LEXICAL};

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < TINY_HIDDEN; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* ---- dense --------------------------------------------------------------------------------- */

static void test_search_dense_is_the_cosine(void **state)
{
    static const char *const texts[] = {"the spare key",  "under the flower pot", "boiler",
                                        "a note of anna", "the garden",           "zebra quiz 7"};
    enum { N = sizeof texts / sizeof *texts };
    db_env *e = *state;
    float query[TINY_HIDDEN], v[TINY_HIDDEN];
    memo_hits *hits;
    for (int i = 0; i < N; i++) {
        char key[4] = {(char)('a' + i), 0};
        db_add(e, key, texts[i]);
    }
    hits = search(e, "where is the key", (memo_search_options){.mode = MEMO_SEARCH_DENSE, .k = 4});
    db_embed(e, MEMO_ROLE_QUERY, "where is the key", 16, query);
    assert_int_equal(hits->n, 4);
    assert_int_equal(hits->n_searched, N);
    assert_string_equal(hits->model, "tiny");
    assert_int_equal(hits->mode, MEMO_SEARCH_DENSE);
    for (size_t i = 0; i < hits->n; i++) {
        const memo_hit *h = &hits->hits[i];
        int better = 0;
        db_embed(e, MEMO_ROLE_DOCUMENT, h->text, h->text_bytes, v);
        assert_true(fabs(h->score - dot(query, v)) < 1e-6);
        assert_true(h->score == h->lanes[MEMO_LANE_DENSE].score);
        assert_true(h->score == h->lanes[MEMO_LANE_DENSE].share);
        assert_int_equal(h->lanes[MEMO_LANE_DENSE].rank, i + 1);
        assert_int_equal(h->lanes[MEMO_LANE_LEXICAL].rank, 0);
        for (int j = 0; j < N; j++) {
            db_embed(e, MEMO_ROLE_DOCUMENT, texts[j], strlen(texts[j]), v);
            better += dot(query, v) > h->score + 1e-7;
        }
        assert_int_equal(better, i);
    }
    memo_hits_free(hits);
}

/* ---- a store made on purpose --------------------------------------------------------------- */

/* Change the file behind the library's back, with page checksums that fit. */
static void meddle_search(db_env *e, const char *sql, const void *blob, int n_bytes, int64_t sum)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    memo_db_close(e->db);
    e->db = NULL;
    assert_int_equal(sqlite3_open_v2(e->path, &db, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, blob, n_bytes, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, sum);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
    db_reopen(e, e->model);
}

/* Vectors whose checksums fit and that are none: left out and counted, never sorted. */
static void test_search_leaves_out_vectors_that_are_not_finite(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
    db_env *e = *state;
    const char *update = "UPDATE vectors SET vector = ?1, checksum = ?2 WHERE cid = 2";
    db_add(e, "a", "the spare key");
    db_add(e, "b", "under the flower pot");
    db_add(e, "c", "boiler");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        float v[TINY_HIDDEN];
        memo_hits *hits;
        for (int j = 0; j < TINY_HIDDEN; j++)
            v[j] = bad[i];
        meddle_search(e, update, v, sizeof v, memo_vector_sum(2, 1, 1, 2, v, sizeof v));
        hits = search(e, "spare key", (memo_search_options){.mode = MEMO_SEARCH_DENSE});
        for (size_t j = 0; j < hits->n; j++)
            assert_true(isfinite(hits->hits[j].score));
        if (i < 3) { /* the last one may have a score, if not a good one */
            assert_int_equal(hits->n, 2);
            assert_int_equal(hits->n_damaged, 1);
        }
        memo_hits_free(hits);
    }
}

/* The fingerprint of the model, but vectors of another length: refused before one is touched. */
static void test_limits_120_vectors_of_another_length(void **state)
{
    static const float one = 1;
    db_env *e = *state;
    memo_hits *hits = NULL;
    memo_record_in in = db_record("b", "another text");
    const memo_search_options dense = {.size = sizeof dense, .mode = MEMO_SEARCH_DENSE};
    db_add(e, "a", "the spare key");
    meddle_search(e, "UPDATE vectors SET vector = ?1, checksum = ?2", &one, sizeof one,
                  memo_vector_sum(1, 1, 1, 1, &one, sizeof one));
    meddle_search(e, "UPDATE spaces SET dim = 1 + 0 * (?1 IS ?2)", NULL, 0, 0);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &dense, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    meddle_search(e, "UPDATE spaces SET dim = 65536 + 0 * (?1 IS ?2)", NULL, 0, 0);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
}

static void test_search_orders_ties_by_id(void **state)
{
    db_env *e = *state;
    memo_hits *hits;
    for (int i = 0; i < 30; i++) {
        e->now_ms = DB_NOW + (i * 7 % 30) * 1000; /* ids in another order than rows */
        db_add(e, NULL, "the very same note");
    }
    hits = search(e, "same note", (memo_search_options){.k = 10});
    assert_int_equal(hits->n, 10);
    for (size_t i = 0; i < hits->n; i++) {
        assert_true(hits->hits[i].score == hits->hits[0].score);
        assert_int_equal(hits->hits[i].lanes[MEMO_LANE_DENSE].rank, 1);
        assert_int_equal(hits->hits[i].lanes[MEMO_LANE_LEXICAL].rank, 1);
        if (i > 0)
            assert_true(strcmp(hits->hits[i - 1].id, hits->hits[i].id) < 0);
    }
    memo_hits_free(hits);
}

/* ---- chunks -------------------------------------------------------------------------------- */

static void test_search_shows_the_best_chunk_of_a_record(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("long", "the garden was in flower. a a a a a a a a a a a a. "
                                          "zebra quiz zebra quiz. b b b b b b b b b b b b.");
    memo_hits *hits;
    in.chunk_tokens = 16;
    in.title = "about";
    assert_true(db_put(e, in).n_chunks >= 3);
    db_add(e, "other", "the boiler");
    hits = search(e, "zebra quiz", (memo_search_options){.k = 5});
    assert_int_equal(hits->n, 2);
    assert_string_equal(hits->hits[0].key, "long");
    assert_contains(hits->hits[0].text, "zebra");
    assert_int_equal(hits->hits[0].end - hits->hits[0].begin, hits->hits[0].text_bytes);
    assert_memory_equal(in.text.bytes + hits->hits[0].begin, hits->hits[0].text,
                        hits->hits[0].text_bytes);
    assert_true(hits->hits[0].chunk > 0);
    memo_hits_free(hits);
    hits = search(e, "zebra quiz", (memo_search_options){.k = 100, .chunks = 1});
    assert_int_equal(hits->n, hits->n_searched);
    assert_true(hits->n >= 4);
    memo_hits_free(hits);
}

/* What is embedded: title, space, first chunk. */
static void test_search_embeds_the_title_with_the_first_chunk(void **state)
{
    const memo_chunking ways[] = {MEMO_CHUNK_PLAIN, MEMO_CHUNK_NONE};
    db_env *e = *state;
    for (int i = 0; i < 2; i++) {
        memo_record_in in = db_record("k", "the key is here");
        float a[TINY_HIDDEN], q[TINY_HIDDEN];
        memo_hits *hits;
        in.title = "spare";
        in.chunking = ways[i];
        db_put(e, in);
        hits = search(e, "pot", (memo_search_options){.mode = MEMO_SEARCH_DENSE});
        db_embed(e, MEMO_ROLE_QUERY, "pot", 3, q);
        db_embed(e, MEMO_ROLE_DOCUMENT, "spare the key is here", 21, a);
        assert_true(fabs(hits->hits[0].score - dot(q, a)) < 1e-6);
        assert_string_equal(hits->hits[0].title, "spare");
        memo_hits_free(hits);
    }
}

/* The first chunk leaves room for its title: the model sees all of both. */
static void test_search_first_chunk_and_title_fit_the_model(void **state)
{
    db_env *e = *state;
    char text[1000] = "";
    memo_record_in in;
    memo_hits *hits;
    for (int i = 0; i < 100; i++)
        strcat(text, i % 10 == 9 ? "key. " : "the ");
    in = db_record("k", text);
    in.title = "a note about the garden and the boiler";
    in.chunk_tokens = 62;
    db_put(e, in);
    hits = search(e, "key", (memo_search_options){.chunks = 1});
    for (size_t i = 0; i < hits->n; i++) {
        memo_tokens *tokens = NULL;
        char input[1200];
        sprintf(input, "%s %s", hits->hits[i].chunk ? "" : in.title, hits->hits[i].text);
        assert_memo_ok(memo_model_tokenize(e->model, MEMO_STR(input), NULL, &tokens, &e->err),
                       e->err);
        assert_true(tokens->n <= 64);
        memo_tokens_free(tokens);
    }
    assert_true(hits->n >= 2);
    memo_hits_free(hits);
}

/* ---- lexical ------------------------------------------------------------------------------- */

static void test_search_lexical_finds_words(void **state)
{
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "a", "Cafés were serviced by the engineers");
    db_add(e, "b", "the boiler");
    db_add(e, "c", "nothing of the kind");
    expect_keys(e, "cafe engineer", lexical, "a");
    expect_keys(e, "servicing the boilers", lexical, "b a");
    expect_keys(e, "absent words", lexical, "");
    hits = search(e, "engineer of Cafés", lexical);
    assert_string_equal(hits->hits[0].terms, "engineer cafés");
    assert_string_equal(hits->model, "");
    assert_true(hits->hits[0].lanes[MEMO_LANE_LEXICAL].score > 0);
    assert_int_equal(hits->hits[0].lanes[MEMO_LANE_DENSE].rank, 0);
    memo_hits_free(hits);
    hits = search(e, "engineer of Cafés",
                  (memo_search_options){.mode = MEMO_SEARCH_LEXICAL, .no_terms = 1});
    assert_string_equal(hits->hits[0].terms, "");
    memo_hits_free(hits);
}

/* A record with hundreds of better chunks does not hide the others. */
static void test_search_lexical_finds_scripts_without_spaces(void **state)
{
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "zh", "备用钥匙放在花园里第三个花盆下面");
    db_add(e, "th", "กุญแจสำรองอยู่ใต้กระถางดอกไม้");
    db_add(e, "mix", "the iPhone手机 of anna");
    db_add(e, "en", "the spare key");
    expect_keys(e, "花园", lexical, "zh");
    expect_keys(e, "钥匙在花园里吗", lexical, "zh"); /* parts of it are there */
    expect_keys(e, "盆", lexical, "zh");
    expect_keys(e, "ดอกไม้", lexical, "th");
    expect_keys(e, "手机", lexical, "mix");
    expect_keys(e, "anna 手机", lexical, "mix");
    expect_keys(e, "汽车", lexical, "");
    hits = search(e, "spare 花园", lexical);
    assert_int_equal(hits->n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(hits->hits[i].terms, hits->hits[i].key[0] == 'z' ? "花园" : "spare");
    memo_hits_free(hits);
}

static void test_search_lexical_ranks_records_not_chunks(void **state)
{
    db_env *e = *state;
    char text[16000] = "";
    memo_record_in in;
    for (int i = 0; i < 300; i++)
        strcat(text, "quiz quiz. ");
    in = db_record("many", text);
    in.chunk_tokens = 9;
    in.chunk_overlap = SIZE_MAX;
    assert_true(db_put(e, in).n_chunks >= 250);
    db_add(e, "one", "a quiz about the boiler and the garden and the pot and the key");
    expect_keys(e, "quiz zebra", lexical, "many one");
}

/* No query text is an operator or an error. */
static void test_search_takes_any_query(void **state)
{
    static const char *const queries[] = {
        "\"",   "\"\"", "a\"b",      "AND", "OR NOT",  "NEAR(a b)", "title:key",
        "key*", "^key", "-key",      "(",   "{a b}:c", "a + b",     "'; DROP TABLE records; --",
        "%s%n", "?1",   ":a",        "\\",  "`",       "``",        "\xf0\x9f\x98\x80",
        "東京", "ก",    "a\xcc\x81", ".",   "e.g.",    "\x01 key",
    };
    db_env *e = *state;
    db_add(e, "k", "the key");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        for (int mode = MEMO_SEARCH_HYBRID; mode <= MEMO_SEARCH_LEXICAL; mode++) {
            memo_hits *hits = search(e, queries[i], (memo_search_options){.mode = mode});
            assert_true(hits->n == 1 || mode == MEMO_SEARCH_LEXICAL);
            memo_hits_free(hits);
        }
    {
        memo_hits *hits = NULL;
        assert_memo_ok(memo_db_search(e->db, (memo_text){"pot\0key", 7}, NULL, &hits, &e->err),
                       e->err);
        assert_string_equal(hits->hits[0].terms, "key");
        memo_hits_free(hits);
    }
}

/* ---- exact --------------------------------------------------------------------------------- */

static void test_search_finds_the_only_bearer_of_a_name(void **state)
{
    db_env *e = *state;
    char text[200];
    for (int i = 0; i < 40; i++) {
        char key[16];
        sprintf(key, "k%d", i);
        sprintf(text, "the boiler failed with error code ERR %d in the garden, number %d", i,
                4000 + i);
        db_add(e, key, text);
    }
    db_add(e, "it", "zzz qqq ERR-4512 xxx yyy www vvv uuu");
    for (int mode = MEMO_SEARCH_HYBRID; mode <= MEMO_SEARCH_LEXICAL; mode += 2) {
        memo_hits *hits = search(
            e, "why has the boiler failed with error code ERR-4512 in the garden in this winter",
            (memo_search_options){.mode = mode});
        double sum = 0;
        assert_string_equal(hits->hits[0].key, "it");
        assert_int_equal(hits->hits[0].lanes[MEMO_LANE_EXACT].rank, 1);
        for (int lane = 0; lane < MEMO_N_LANES; lane++)
            sum += hits->hits[0].lanes[lane].share;
        assert_true(fabs(sum - hits->hits[0].score) < 1e-12);
        for (size_t i = 1; i < hits->n; i++)
            assert_true(hits->hits[i - 1].score >= hits->hits[i].score);
        memo_hits_free(hits);
    }
}

static void test_search_finds_a_key(void **state)
{
    db_env *e = *state;
    db_add(e, "doc-77a", "the boiler");
    db_add(e, "x", "doc-77a is mentioned here");
    expect_keys(e, "doc-77a", (memo_search_options){.k = 1}, "doc-77a");
}

/* ---- filters and sizes --------------------------------------------------------------------- */

static void test_search_fills_k_whatever_the_filter(void **state)
{
    db_env *e = *state;
    for (int i = 0; i < 60; i++) {
        char key[16], text[64], metadata[32];
        memo_record_in in;
        sprintf(key, "k%d", i);
        sprintf(text, "note %d about the garden", i);
        sprintf(metadata, "{\"n\":%d}", i);
        in = db_record(key, text);
        in.metadata_json = metadata;
        in.expires_ms = i == 59 ? DB_NOW : 0;
        db_put(e, in);
    }
    for (size_t k = 1; k <= 30; k += 7)
        for (int limit = 0; limit <= 60; limit += 6) {
            char where[32];
            size_t matches = (size_t)(limit > 59 ? 59 : limit);
            memo_hits *hits;
            sprintf(where, "meta.n < %d", limit);
            hits = search(e, "the zebra", (memo_search_options){.k = k, .where = where});
            assert_int_equal(hits->n, k < matches ? k : matches);
            assert_int_equal(hits->n_searched, matches);
            for (size_t i = 0; i < hits->n; i++)
                assert_true(atoi(hits->hits[i].key + 1) < limit);
            memo_hits_free(hits);
        }
}

static void test_search_refuses_what_it_cannot_do(void **state)
{
    db_env *e = *state;
    memo_hits *hits = NULL;
    memo_search_options o = {.size = sizeof o, .k = 1001};
    assert_memo_status(memo_db_search(e->db, MEMO_STR("a"), NULL, &hits, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "namespace \"default\" is empty");
    assert_contains(e->err.hint, "memolith add");
    assert_contains(e->err.hint, "memolith import");
    db_add(e, "k", "the key");
    assert_memo_status(memo_db_search(e->db, MEMO_STR("a"), &o, &hits, &e->err), MEMO_ERR_LIMIT,
                       e->err);
    assert_memo_status(memo_db_search(e->db, MEMO_STR(""), NULL, &hits, &e->err), MEMO_ERR_VALUE,
                       e->err);
    assert_memo_status(memo_db_search(e->db, MEMO_STR(" \n"), NULL, &hits, &e->err), MEMO_ERR_VALUE,
                       e->err);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("a\xff"), NULL, &hits, &e->err),
                       MEMO_ERR_VALUE, e->err);
    o = (memo_search_options){.size = sizeof o, .where = "meta.n <"};
    assert_memo_status(memo_db_search(e->db, MEMO_STR("a"), &o, &hits, &e->err), MEMO_ERR_VALUE,
                       e->err);
    o = (memo_search_options){.size = sizeof o, .ns = "other"};
    assert_memo_status(memo_db_search(e->db, MEMO_STR("a"), &o, &hits, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    o = (memo_search_options){.size = sizeof o, .where = "key = 'nobody'"};
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("a"), &o, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 0);
    memo_hits_free(hits);
}

static void test_search_without_model_is_lexical(void **state)
{
    db_env *e = *state;
    memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE};
    memo_hits *hits = NULL;
    db_add(e, "a", "the spare key");
    db_add(e, "b", "the boiler");
    db_reopen(e, NULL);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), NULL, &hits, &e->err), e->err);
    assert_int_equal(hits->mode, MEMO_SEARCH_LEXICAL);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), MEMO_ERR_USAGE,
                       e->err);
}

static void test_search_says_when_the_query_is_cut(void **state)
{
    db_env *e = *state;
    char query[1000] = "";
    memo_hits *hits;
    db_add(e, "a", "the spare key");
    for (int i = 0; i < 70; i++)
        strcat(query, "the key ");
    hits = search(e, query, (memo_search_options){0});
    assert_true(hits->query_truncated);
    memo_hits_free(hits);
    hits = search(e, "the key", (memo_search_options){0});
    assert_false(hits->query_truncated);
    memo_hits_free(hits);
}

static void test_search_returns_what_the_deadline_allows(void **state)
{
    db_env *e = *state;
    memo_hits *hits;
    db_add(e, "a", "the spare key");
    hits = search(e, "key", (memo_search_options){.deadline_ms = -1});
    assert_true(hits->partial);
    assert_int_equal(hits->n, 0);
    memo_hits_free(hits);
    hits = search(e, "key", (memo_search_options){.deadline_ms = 600000});
    assert_false(hits->partial);
    assert_int_equal(hits->n, 1);
    assert_true(hits->timings.total_ms >= hits->timings.embed_ms + hits->timings.dense_ms);
    memo_hits_free(hits);
}

/* ---- order --------------------------------------------------------------------------------- */

static void test_search_gives_the_same_hits_twice(void **state)
{
    db_env *e = *state;
    for (int i = 0; i < 50; i++) {
        char text[64];
        sprintf(text, "note %d of the %s", i % 7, i % 3 ? "garden" : "boiler");
        db_add(e, NULL, text);
    }
    for (int mode = 0; mode <= MEMO_SEARCH_LEXICAL; mode++) {
        memo_hits *a = search(e, "garden note 3", (memo_search_options){.mode = mode});
        memo_hits *b = search(e, "garden note 3", (memo_search_options){.mode = mode});
        assert_int_equal(a->n, b->n);
        for (size_t i = 0; i < a->n; i++) {
            assert_string_equal(a->hits[i].id, b->hits[i].id);
            assert_true(a->hits[i].score == b->hits[i].score);
        }
        memo_hits_free(a);
        memo_hits_free(b);
    }
}

static void test_search_explains_how_it_went(void **state)
{
    static const char *const house[] = {"house"};
    db_env *e = *state;
    memo_search_options o = {.where = "tags = 'house'"};
    memo_record_in in = db_record("a", "the spare key");
    memo_hits *hits;
    in.tags = house;
    in.n_tags = 1;
    db_put(e, in);
    db_add(e, "b", "the boiler");
    hits = search(e, "the key", o);
    assert_null(hits->plan);
    memo_hits_free(hits);
    o.explain = 1;
    hits = search(e, "the key", o);
    assert_contains(hits->plan->filter, "(ns=? AND tag=?)");
    assert_int_equal(hits->plan->n_scored, 1);
    assert_int_equal(hits->plan->n_indexed, 0);
    assert_int_equal(hits->plan->n_found[MEMO_LANE_DENSE], 1);
    assert_true(hits->plan->weights[MEMO_LANE_DENSE] == 1 && hits->plan->weighed);
    memo_hits_free(hits);
    e->db->index.min_rows = 1;
    memo_hits_free(search(e, "the key", o)); /* makes the index */
    db_add(e, "c", "a garden");
    o.where = NULL;
    o.mode = MEMO_SEARCH_DENSE;
    hits = search(e, "the key", o);
    assert_string_equal(hits->plan->filter, "");
    assert_int_equal(hits->plan->n_indexed, 2);
    assert_int_equal(hits->plan->n_later, 1);
    assert_int_equal(hits->plan->index_seq, 2);
    assert_int_equal(hits->plan->store_seq, 3);
    assert_true(hits->plan->weights[MEMO_LANE_LEXICAL] == 0 && !hits->plan->weighed);
    memo_hits_free(hits);
}

static void test_search_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    const memo_search_options o = {.size = sizeof o, .where = "created > 5", .k = 3, .explain = 1};
    int done = 0;
    db_add(e, "a", "the spare key ERR-12");
    db_add(e, "b", "the boiler");
    memo_hits_free(search(e, "key ERR-12", o));
    for (uint64_t at = 1; !done; at++) {
        int64_t live = memo_alloc_live();
        memo_hits *hits = NULL;
        memo_err err = {0};
        memo_status status;
        memo_alloc_fail_at(at, 0);
        status = memo_db_search(e->db, MEMO_STR("key ERR-12"), &o, &hits, &err);
        done = memo_alloc_count() < at;
        memo_alloc_fail_at(0, 0);
        if (status == MEMO_OK) /* a word that found no memory must not go missing */
            assert_string_equal(hits->hits[0].terms, "key err 12");
        memo_hits_free(hits);
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        if (status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        assert_true(at < 2000);
    }
}

/* ---- doctor -------------------------------------------------------------------------------- */

static int has_finding(const memo_findings *f, memo_finding_level level, const char *part)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->findings[i].level == level && strstr(f->findings[i].message, part))
            return 1;
    return 0;
}

static void test_db_doctor_compares_model_and_vectors(void **state)
{
    db_env *e = *state;
    memo_model *other = tiny_model_open(e->ctx, e->dir, 2, &e->err);
    memo_record_in in = db_record("k", "the spare key");
    memo_findings *f = NULL;
    in.title = "about";
    db_put(e, in);
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    assert_int_equal(f->worst, MEMO_FINDING_OK);
    assert_true(has_finding(f, MEMO_FINDING_OK, "namespace \"default\" come from this model"));
    assert_true(has_finding(f, MEMO_FINDING_OK, "differs by at most 0.0e+00"));
    memo_findings_free(f);
    db_reopen(e, other);
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    assert_int_equal(f->worst, MEMO_FINDING_WARN);
    assert_true(has_finding(f, MEMO_FINDING_WARN, "holds 1 vectors from tiny.f32@"));
    memo_findings_free(f);
    db_reopen(e, NULL);
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    assert_int_equal(f->worst, MEMO_FINDING_OK);
    assert_true(has_finding(f, MEMO_FINDING_OK, "no model was given"));
    memo_findings_free(f);
    memo_model_close(other);
}

/* The keys of the hits for "key", first letters in order. */
static const char *pinned_found(db_env *e, memo_search_options o)
{
    static char out[32];
    memo_hits *hits = NULL;
    size_t n = 0;
    o.size = sizeof o;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err), e->err);
    for (char c = 'a'; c <= 'z'; c++)
        for (size_t i = 0; i < hits->n; i++)
            if (hits->hits[i].key[0] == c)
                out[n++] = c;
    out[n] = 0;
    memo_hits_free(hits);
    return out;
}

/* A pinned record does not expire: every lane, filter and moment finds it as long as it is pinned. */
static void test_search_finds_a_pinned_record_that_has_expired(void **state)
{
    static const memo_search_mode modes[] = {MEMO_SEARCH_HYBRID, MEMO_SEARCH_DENSE,
                                             MEMO_SEARCH_LEXICAL};
    static const int yes = 1, no = 0;
    static const char *const tags[] = {"t"};
    db_env *e = *state;
    memo_record_in in = db_record("pinned", "the spare key");
    const memo_record_edit unpin = {.size = sizeof unpin, .pinned = &no};
    in.tags = tags;
    in.n_tags = 1;
    in.expires_ms = DB_NOW + 1000;
    in.pinned = &yes;
    db_put(e, in);
    in.key = "gone";
    in.pinned = &no;
    db_put(e, in);
    db_add(e, "stays", "a key of the garden");
    e->now_ms += 1000; /* hidden from this very moment on */
    for (size_t i = 0; i < 6; i++) {
        memo_search_options o = {.mode = modes[i % 3]};
        if (i == 3)
            e->db->index.min_rows = 1; /* by the index of the vectors, too */
        assert_string_equal(pinned_found(e, o), "ps");
        o.chunks = 1;
        assert_string_equal(pinned_found(e, o), "ps");
        o.where = "pinned = true and expires <= now";
        assert_string_equal(pinned_found(e, o), "p");
        o.where = "expires <= now";
        assert_string_equal(pinned_found(e, o), "p");
        o.where = "tags = 't'"; /* found by the index of the tags */
        assert_string_equal(pinned_found(e, o), "p");
        o.where = NULL;
        o.as_of_ms = DB_NOW + 999;
        assert_string_equal(pinned_found(e, o), "gps");
        o.as_of_ms = DB_NOW + 1000;
        assert_string_equal(pinned_found(e, o), "ps");
    }
    e->now_ms += 1000;
    assert_memo_ok(memo_db_edit(e->db, NULL, "pinned", &unpin, NULL, &e->err), e->err);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(pinned_found(e, (memo_search_options){.mode = modes[i]}), "s");
        assert_string_equal(
            pinned_found(e, (memo_search_options){.mode = modes[i], .as_of_ms = DB_NOW + 1500}),
            "ps"); /* it was pinned then */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_search_dense_is_the_cosine),
        db_test(test_search_orders_ties_by_id),
        db_test(test_search_leaves_out_vectors_that_are_not_finite),
        db_test(test_limits_120_vectors_of_another_length),
        db_test(test_search_shows_the_best_chunk_of_a_record),
        db_test(test_search_embeds_the_title_with_the_first_chunk),
        db_test(test_search_first_chunk_and_title_fit_the_model),
        db_test(test_search_lexical_finds_words),
        db_test(test_search_lexical_finds_scripts_without_spaces),
        db_test(test_search_lexical_ranks_records_not_chunks),
        db_test(test_search_takes_any_query),
        db_test(test_search_finds_the_only_bearer_of_a_name),
        db_test(test_search_finds_a_key),
        db_test(test_search_fills_k_whatever_the_filter),
        db_test(test_search_refuses_what_it_cannot_do),
        db_test(test_search_without_model_is_lexical),
        db_test(test_search_says_when_the_query_is_cut),
        db_test(test_search_returns_what_the_deadline_allows),
        db_test(test_search_gives_the_same_hits_twice),
        db_test(test_search_explains_how_it_went),
        db_test(test_search_survives_lack_of_memory),
        db_test(test_db_doctor_compares_model_and_vectors),
        db_test(test_search_finds_a_pinned_record_that_has_expired),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
