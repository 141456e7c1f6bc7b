// SPDX-License-Identifier: Apache-2.0
/* The store as its users see it: records in and out, search, transactions. */
#include "store_util.h"

#include "store/store_inner.h"

static void test_store_record_comes_back_as_it_went_in(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    const char *tags[] = {"gift", "a \"quoted\" tag", ""};
    static const char text[] = "first line\0after a NUL, and \xc3\xa9";
    float vector[2 * UTIL_DIM] = {[0] = 0.5f, [UTIL_DIM] = 0.25f};
    memo_store_chunk chunks[2] = {{0, 10, 4, vector}, {8, sizeof text - 1, 9, vector + UTIL_DIM}};
    memo_store_put put = {.key = "notes/1",
                          .text = {text, sizeof text - 1},
                          .title = "A title",
                          .metadata = "{\"n\":1}",
                          .tags = tags,
                          .n_tags = 3,
                          .created_ms = 12345,
                          .expires_ms = 99999999999999,
                          .source = "/tmp/x.md",
                          .chunking = MEMO_CHUNK_MARKDOWN,
                          .chunk_tokens = 100,
                          .chunk_overlap = SIZE_MAX,
                          .chunks = chunks,
                          .n_chunks = 2};
    memo_store_ns ns;
    memo_add_result result = {.size = sizeof result};
    memo_arena arena = {0};
    memo_record r;
    memo_chunking chunking;
    size_t tokens, overlap;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "work", &ns, err));
    put.space = util_space(store, UTIL_DIM);
    util_ok(memo_store_put_record(store, ns.id, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_NEW);
    assert_int_equal(result.n_tokens, 13);
    memo_store_close(store);

    store = util_open(env, MEMO_OPEN_READ_ONLY);
    for (int by_key = 0; by_key < 2; by_key++) {
        util_ok(memo_store_get(store, ns.id, by_key ? "notes/1" : result.id, &arena, &r, err));
        assert_string_equal(r.id, result.id);
        assert_string_equal(r.key, "notes/1");
        assert_string_equal(r.ns, "work");
        assert_int_equal(r.text.n_bytes, sizeof text - 1);
        assert_memory_equal(r.text.bytes, text, sizeof text);
        assert_string_equal(r.title, "A title");
        assert_string_equal(r.metadata_json, "{\"n\":1}");
        assert_int_equal(r.n_tags, 3);
        for (size_t i = 0; i < 3; i++)
            assert_string_equal(r.tags[i], tags[i]);
        assert_int_equal(r.created_ms, 12345);
        assert_int_equal(r.updated_ms, env->now_ms);
        assert_int_equal(r.expires_ms, 99999999999999);
        assert_string_equal(r.source, "/tmp/x.md");
        assert_int_equal(r.version, 1);
        assert_int_equal(r.n_chunks, 2);
    }
    util_ok(memo_store_get_chunking(store, ns.id, "notes/1", &chunking, &tokens, &overlap, err));
    assert_int_equal(chunking, MEMO_CHUNK_MARKDOWN);
    assert_int_equal(tokens, 100);
    assert_true(overlap == SIZE_MAX);
    util_fails(MEMO_ERR_NOTFOUND, "\"nope\"",
               memo_store_get(store, ns.id, "nope", &arena, &r, err));
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_upsert_keeps_history_and_counts(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result first = util_add(store, "k", "alpha one", 1), again, changed;
    memo_db_stats stats = {.size = sizeof stats};
    memo_store_hit *hits;
    memo_arena arena = {0};
    memo_store_scope scope = {.ns = 1};
    size_t n;
    int64_t before;
    env->now_ms += 1000;
    util_ok(memo_store_get_stats(store, &stats, err));
    before = (int64_t)stats.change_seq;
    again = util_add(store, "k", "alpha one", 1);
    assert_int_equal(again.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_string_equal(again.id, first.id);
    assert_int_equal(again.n_tokens, 0);
    util_ok(memo_store_get_stats(store, &stats, err));
    assert_int_equal(stats.change_seq, before);
    changed = util_add(store, "k", "beta two", 2);
    assert_int_equal(changed.outcome, MEMO_OUTCOME_CHANGED);
    assert_string_equal(changed.id, first.id);
    assert_int_equal(changed.version, 2);
    util_ok(memo_store_get_stats(store, &stats, err));
    assert_int_equal(stats.change_seq, before + 1);
    assert_int_equal(stats.n_records, 1);
    assert_int_equal(stats.n_chunks, 1);
    assert_int_equal(stats.n_vectors, 1);
    assert_int_equal(stats.n_versions, 1);
    util_ok(util_search(store, &scope, "alpha", 1, 10, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    util_ok(util_search(store, &scope, "beta", 1, 10, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    util_check_clean(store);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_edit_checks_version_and_keeps_chunks(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result r = util_add(store, "k", "some text", 1), result;
    memo_store_put put = {.id = r.id,
                          .expect_version = 1,
                          .text = {"some text", 9},
                          .metadata = "{\"a\":2}",
                          .keep_chunks = 1};
    memo_db_stats stats = {.size = sizeof stats};
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    assert_int_equal(result.version, 2);
    assert_int_equal(result.n_chunks, 1);
    util_ok(memo_store_get_stats(store, &stats, err));
    assert_int_equal(stats.n_chunks, 1);
    util_ok(memo_store_begin_write(store, err));
    put.metadata = "{\"a\":3}";
    util_fails(MEMO_ERR_BUSY, "has version 2", memo_store_put_record(store, 1, &put, &result, err));
    put.expect_version = 0;
    put.text = (memo_text){"other text", 10};
    util_fails(MEMO_ERR_USAGE, "text changed", memo_store_put_record(store, 1, &put, &result, err));
    put.text = (memo_text){"some text", 9};
    put.key = "other";
    util_fails(MEMO_ERR_VALUE, "key cannot", memo_store_put_record(store, 1, &put, &result, err));
    put.id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    util_fails(MEMO_ERR_NOTFOUND, "01ARZ3", memo_store_put_record(store, 1, &put, &result, err));
    memo_store_rollback(store);
    util_check_clean(store);
    memo_store_close(store);
}

static void test_store_forget_leaves_a_tombstone_only(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result r = util_add(store, "k", "secret gardenia", 1);
    memo_db_stats stats = {.size = sizeof stats};
    memo_arena arena = {0};
    memo_store_hit *hits;
    memo_store_scope scope = {.ns = 1};
    memo_filter *filter;
    uint64_t n_forgotten;
    size_t n;
    int found;
    util_add(store, "k", "secret gardenia two", 2);
    util_add(store, "k2", "third gardenia", 3);
    util_add(store, "other", "fourth gardenia", 3);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, r.id, &found, err));
    assert_int_equal(found, 1);
    util_ok(memo_store_forget(store, 1, r.id, &found, err));
    assert_int_equal(found, 0);
    util_ok(memo_filter_new("key prefix 'k'", env->now_ms, &filter, err));
    util_ok(memo_store_forget_where(store, &(memo_store_sweep){.ns = 1, .filter = filter},
                                    &n_forgotten, err));
    assert_int_equal(n_forgotten, 1);
    util_fails(MEMO_ERR_USAGE, "filter",
               memo_store_forget_where(store, &(memo_store_sweep){.ns = 1}, &n_forgotten, err));
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_get_stats(store, &stats, err));
    assert_int_equal(stats.n_records, 1);
    assert_int_equal(stats.n_vectors, 1);
    assert_int_equal(stats.n_versions, 0);
    assert_int_equal(stats.n_tombstones, 2);
    util_ok(util_search(store, &scope, "gardenia", 1, 10, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    util_check_clean(store);
    memo_filter_free(filter);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_row_ids_are_never_reused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_arena arena = {0};
    memo_store_hit *hits;
    memo_store_scope scope = {.ns = 1};
    size_t n;
    int found;
    int64_t chunk, record;
    util_add(store, "a", "walnut", 1);
    util_ok(util_search(store, &scope, "walnut", 1, 10, &arena, &hits, &n, err));
    chunk = hits[0].chunk;
    record = hits[0].record;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "a", &found, err));
    util_ok(memo_store_commit(store, err));
    util_add(store, "a", "walnut", 1);
    util_ok(util_search(store, &scope, "walnut", 1, 10, &arena, &hits, &n, err));
    assert_true(hits[0].chunk > chunk);
    assert_true(hits[0].record > record);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

typedef struct scan_seen {
    size_t n, dim, n_blocks;
    int64_t chunks[2000];
    float first[2000];
    int stop_after;
} scan_seen;

static int scan_take(void *user, const memo_store_block *block)
{
    scan_seen *seen = user;
    assert_int_equal((uintptr_t)block->vectors % 64, 0);
    for (size_t i = 0; i < block->n && seen->n < 2000; i++) {
        seen->chunks[seen->n] = block->chunks[i];
        seen->first[seen->n++] = block->vectors[i * seen->dim];
    }
    seen->n_blocks++;
    return seen->stop_after && (int)seen->n_blocks >= seen->stop_after;
}

static void test_store_scan_gives_every_vector_once(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    enum { N = 1500 };
    static scan_seen seen;
    memo_store_ns ns;
    memo_add_result result = {.size = sizeof result};
    memo_store_scope scope = {0};
    memo_filter *filter;
    float want[UTIL_DIM];
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    for (unsigned i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof key, "%04u", i);
        util_ok(util_put(store, ns.id, key, "text of it", i, &result, err));
    }
    util_ok(memo_store_commit(store, err));
    scope.ns = ns.id;
    seen = (scan_seen){.dim = UTIL_DIM};
    util_ok(memo_store_scan(store, &scope, 1, scan_take, &seen, NULL, err));
    assert_int_equal(seen.n, N);
    for (unsigned i = 0; i < N; i++) {
        util_vector(i, UTIL_DIM, want);
        assert_true(seen.first[i] == want[0]);
        assert_true(i == 0 || seen.chunks[i] > seen.chunks[i - 1]);
    }
    seen = (scan_seen){.dim = UTIL_DIM, .stop_after = 1};
    util_ok(memo_store_scan(store, &scope, 1, scan_take, &seen, NULL, err));
    assert_true(seen.n < N);
    util_ok(memo_filter_new("key between '0010' and '0019'", 0, &filter, err));
    scope.filter = filter;
    seen = (scan_seen){.dim = UTIL_DIM};
    util_ok(memo_store_scan(store, &scope, 1, scan_take, &seen, NULL, err));
    assert_int_equal(seen.n, 10);
    memo_filter_free(filter);
    util_fails(MEMO_ERR_NOTFOUND, "no vector space",
               memo_store_scan(store, &scope, 7, scan_take, &seen, NULL, err));
    memo_store_close(store);
}

static void test_store_expired_records_are_hidden(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {0, 5, 1, vector};
    memo_store_put put = {.key = "x",
                          .text = {"pears", 5},
                          .expires_ms = env->now_ms + 10,
                          .chunks = &chunk,
                          .n_chunks = 1,
                          .space = 1};
    memo_store_scope scope = {.ns = 1, .now_ms = env->now_ms};
    static scan_seen seen;
    memo_arena arena = {0};
    memo_add_result result = {.size = sizeof result};
    memo_store_hit *hits;
    memo_record record;
    uint64_t n_records, n_chunks;
    size_t n;
    util_add(store, "y", "pears too", 1);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    for (int after = 0; after < 2; after++) {
        scope.now_ms = env->now_ms + (after ? 10 : 9);
        util_ok(memo_store_count(store, &scope, &n_records, &n_chunks, err));
        assert_int_equal(n_records, after ? 1 : 2);
        util_ok(util_search(store, &scope, "pears", 1, 9, &arena, &hits, &n, err));
        assert_int_equal(n, after ? 1 : 2);
        seen = (scan_seen){.dim = UTIL_DIM};
        util_ok(memo_store_scan(store, &scope, 1, scan_take, &seen, NULL, err));
        assert_int_equal(seen.n, after ? 1 : 2);
    }
    util_ok(memo_store_get(store, 1, "x", &arena, &record, err));
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_list_pages_through_all(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    for (int oldest = 0; oldest < 2; oldest++) {
        memo_arena arena = {0};
        memo_store_scope scope = {.ns = 1};
        memo_store_list_options options = {.limit = 3, .oldest_first = oldest};
        memo_records page;
        char last[16] = "";
        size_t n = 0;
        for (unsigned i = 0; !oldest && i < 10; i++) {
            char key[16];
            snprintf(key, sizeof key, "%02u", i);
            env->now_ms += i % 2; /* pairs share a time: the id decides */
            util_add(store, key, "listed", i);
        }
        do {
            util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
            for (size_t i = 0; i < page.n; i++) {
                int order = strcmp(page.records[i].key, last);
                assert_true(n == 0 || (oldest ? order > 0 : order < 0));
                snprintf(last, sizeof last, "%s", page.records[i].key);
                n++;
            }
            options.after = page.next;
        } while (page.next);
        assert_int_equal(n, 10);
        options.after = "rubbish";
        util_fails(MEMO_ERR_VALUE, "cursor",
                   memo_store_list(store, &scope, &options, &arena, &page, err));
        memo_arena_fini(&arena);
    }
    memo_store_close(store);
}

/* Any time a caller may give: the cursor of a page leads to the next. */
static void test_store_list_pages_over_any_time(void **state)
{
    static const int64_t times[] = {INT64_MIN, -1, INT64_C(2000000000000000000), INT64_MAX};
    enum { N = sizeof times / sizeof *times };
    util_env *env = *state;
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {.end = 1, .n_tokens = 1, .vector = vector};
    memo_store_put put = {.text = {"x", 1}, .space = 1, .chunks = &chunk, .n_chunks = 1};
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 1, .oldest_first = 1};
    memo_add_result result = {.size = sizeof result};
    memo_records page;
    memo_arena arena = {0};
    memo_store_ns ns;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    for (int i = 0; i < N; i++) {
        put.created_ms = times[i];
        util_ok(memo_store_put_record(store, 1, &put, &result, err));
    }
    util_ok(memo_store_commit(store, err));
    for (int i = 0; i < N; i++) {
        util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
        assert_int_equal(page.n, 1);
        assert_true(page.records[0].created_ms == times[i]);
        options.after = page.next;
    }
    assert_null(page.next);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* What is taken is read again: tags up to their limit, and not one byte more. */
static void test_store_tags_have_a_limit(void **state)
{
    enum { MOST = 16383 }; /* ["x","x",...]: 4 bytes each and one more */
    util_env *env = *state;
    const char **tags = malloc((MOST + 1) * sizeof *tags);
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {.end = 1, .n_tokens = 1, .vector = vector};
    memo_store_put put = {.key = "k",
                          .text = {"x", 1},
                          .space = 1,
                          .chunks = &chunk,
                          .n_chunks = 1,
                          .tags = tags,
                          .n_tags = MOST};
    memo_arena arena = {0};
    memo_add_result result = {.size = sizeof result};
    memo_record record;
    memo_store_ns ns;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    for (int i = 0; i <= MOST; i++)
        tags[i] = "x";
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    put.n_tags++;
    util_fails(MEMO_ERR_LIMIT, "tags", memo_store_put_record(store, 1, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_get(store, 1, "k", &arena, &record, err));
    assert_int_equal(record.n_tags, MOST);
    memo_arena_fini(&arena);
    memo_store_close(store);
    free(tags);
}

static void test_store_fulltext_finds_words_titles_and_folds_accents(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    float vector[UTIL_DIM] = {1};
    static const char text[] = "the caf\xc3\xa9 on the corner. second half here";
    memo_store_chunk chunks[2] = {{0, 24, 1, vector}, {24, sizeof text - 1, 1, vector}};
    memo_store_put put = {.key = "x",
                          .text = {text, sizeof text - 1},
                          .title = "Marmalade",
                          .chunks = chunks,
                          .n_chunks = 2,
                          .space = 1};
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_add_result result = {.size = sizeof result};
    memo_store_hit *hits;
    memo_store_chunk_row *rows;
    memo_buf match = {0};
    unsigned char found[2] = {0, 0};
    int64_t ids[2];
    size_t n;
    util_add(store, "y", "nothing of the kind", 1);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    util_ok(util_search(store, &scope, "CAFE", 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    assert_true(hits[0].score > 0);
    util_ok(util_search(store, &scope, "marmalade", 2, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    ids[0] = hits[0].chunk;
    ids[1] = hits[0].chunk + 1;
    util_ok(memo_store_fetch(store, ids, 2, &arena, &rows, NULL, err));
    assert_int_equal(rows[0].position, 0);
    assert_int_equal(rows[1].position, 1);
    assert_string_equal(rows[1].text.bytes, " second half here");
    assert_string_equal(rows[1].record_info.title, "Marmalade");
    assert_null(rows[1].record_info.text.bytes);
    util_ok(memo_store_match_chunks(store, MEMO_STORE_WORDS, "half", ids, 2, found, err));
    assert_int_equal(found[0], 0);
    assert_int_equal(found[1], 1);
    util_fails(MEMO_ERR_VALUE, "syntax error",
               util_search(store, &scope, "AND AND (", 1, 9, &arena, &hits, &n, err));
    util_fails(MEMO_ERR_VALUE, "unterminated string",
               memo_store_match_chunks(store, MEMO_STORE_WORDS, "\"", ids, 2, found, err));
    memo_store_quote_term(&match, "a \"quote\" OR café", strlen("a \"quote\" OR café"));
    util_ok(util_search(store, &scope, match.data, 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    memo_buf_fini(&match);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_exact_finds_identifiers_and_keys(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hit *hits;
    size_t n;
    util_add(store, "ERR-4711", "how to handle the failure", 1);
    util_add(store, "b", "log says ERR-4711 twice: ERR-4711", 2);
    util_add(store, "c", "log says err 4711, spelt otherwise", 3);
    util_ok(util_exact(store, &scope, (memo_text){"ERR-4711", 8}, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 2);
    assert_true(hits[0].score == 1000);
    assert_true(hits[1].score == 2);
    util_ok(util_exact(store, &scope, (memo_text){"---", 3}, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    util_ok(util_exact(store, &scope, (memo_text){"4711 \"x\" (", 10}, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_large_dimensions(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    const size_t dim = MEMO_STORE_MAX_DIM;
    float *vector = malloc(dim * sizeof *vector);
    memo_store_space too_big = {.fingerprint = "x", .dim = dim + 1, .kind = MEMO_SPACE_MODEL};
    memo_store_chunk chunk = {0, 4, 1, vector};
    memo_store_put put = {.text = {"huge", 4}, .chunks = &chunk, .n_chunks = 1};
    memo_store_scope scope = {.ns = 1};
    static scan_seen seen;
    memo_add_result result = {.size = sizeof result};
    memo_store_ns ns;
    int64_t id;
    util_vector(5, dim, vector);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    util_fails(MEMO_ERR_LIMIT, "65537", memo_store_make_space(store, &too_big, &id, err));
    too_big.dim = 0;
    util_fails(MEMO_ERR_MISMATCH, "0", memo_store_make_space(store, &too_big, &id, err));
    put.space = util_space(store, dim);
    too_big = (memo_store_space){.fingerprint = "test-65536", .dim = 3, .kind = MEMO_SPACE_MODEL};
    util_fails(MEMO_ERR_MISMATCH, "65536, not 3", memo_store_make_space(store, &too_big, &id, err));
    util_ok(memo_store_put_record(store, ns.id, &put, &result, err));
    util_ok(memo_store_put_record(store, ns.id, &put, &result, err));
    util_ok(memo_store_commit(store, err));
    seen = (scan_seen){.dim = dim};
    util_ok(memo_store_scan(store, &scope, put.space, scan_take, &seen, NULL, err));
    assert_int_equal(seen.n, 2);
    assert_true(seen.first[1] == vector[0]);
    free(vector);
    memo_store_close(store);
}

static void test_store_bad_fields_are_refused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char long_key[MEMO_STORE_MAX_KEY_BYTES + 2], long_ns[MEMO_STORE_MAX_NS_BYTES + 2];
    float vector[UTIL_DIM] = {1};
    memo_store_chunk chunk = {0, 4, 1, vector};
    memo_store_put good = {.text = {"good", 4}, .space = 1, .chunks = &chunk, .n_chunks = 1}, put;
    const char *bad_tag[] = {"\xff"};
    memo_add_result result = {.size = sizeof result};
    memo_store_ns ns;
    char *metadata;
    util_add(store, "y", "x", 1);
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    memset(long_ns, 'n', sizeof long_ns - 1);
    long_ns[sizeof long_ns - 1] = '\0';
    util_ok(memo_store_begin_write(store, err));
    put = good, put.key = "";
    util_fails(MEMO_ERR_VALUE, "key is empty", memo_store_put_record(store, 1, &put, &result, err));
    put = good, put.key = long_key;
    util_fails(MEMO_ERR_LIMIT, "513 bytes", memo_store_put_record(store, 1, &put, &result, err));
    long_key[MEMO_STORE_MAX_KEY_BYTES] = '\0';
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    put = good, put.key = "a/b\xc3\xa9";
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    put = good, put.key = "a/be\xcc\x81"; /* differs by normalisation only: another key */
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_NEW);
    put = good, put.key = "\xc3";
    util_fails(MEMO_ERR_VALUE, "not UTF-8", memo_store_put_record(store, 1, &put, &result, err));
    put = good, put.text = (memo_text){"go\xff!", 4};
    util_fails(MEMO_ERR_VALUE, "byte 2 is 0xff",
               memo_store_put_record(store, 1, &put, &result, err));
    put = good, put.tags = bad_tag, put.n_tags = 1;
    util_fails(MEMO_ERR_VALUE, "tag", memo_store_put_record(store, 1, &put, &result, err));
    metadata = malloc(70000);
    memset(metadata, ' ', 69999);
    metadata[69999] = '\0';
    put = good, put.metadata = metadata;
    util_fails(MEMO_ERR_LIMIT, "69999", memo_store_put_record(store, 1, &put, &result, err));
    free(metadata);
    chunk.end = 5;
    util_fails(MEMO_ERR_VALUE, "chunk 0", memo_store_put_record(store, 1, &good, &result, err));
    chunk.end = 0;
    util_fails(MEMO_ERR_VALUE, "chunk 0", memo_store_put_record(store, 1, &good, &result, err));
    put = good, put.n_chunks = 0;
    util_fails(MEMO_ERR_VALUE, "without chunks",
               memo_store_put_record(store, 1, &put, &result, err));
    util_fails(MEMO_ERR_VALUE, "empty", memo_store_make_ns(store, "", &ns, err));
    util_fails(MEMO_ERR_LIMIT, "129", memo_store_make_ns(store, long_ns, &ns, err));
    util_fails(MEMO_ERR_VALUE, "UTF-8", memo_store_make_ns(store, "\xed\xa0\x80", &ns, err));
    memo_store_rollback(store);
    memo_store_close(store);
}

static void test_store_rollback_leaves_nothing(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE), *other;
    memo_add_result result = {.size = sizeof result};
    memo_db_stats stats = {.size = sizeof stats};
    util_add(store, "a", "kept", 1);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "b", "dropped", 2, &result, err));
    other = util_open(env, MEMO_OPEN_READ_ONLY);
    assert_int_equal(util_count(store), 2); /* its own change */
    assert_int_equal(util_count(other), 1);
    memo_store_rollback(store);
    assert_int_equal(util_count(store), 1);
    util_fails(MEMO_ERR_USAGE, "outside", util_put(store, 1, "b", "dropped", 2, &result, err));
    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_USAGE, "already", memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_USAGE, "already", memo_store_begin_read(store, err));
    memo_store_close(store); /* rolls back */
    util_ok(memo_store_get_stats(other, &stats, err));
    assert_int_equal(stats.n_records, 1);
    util_fails(MEMO_ERR_IO, "reading only", memo_store_begin_write(other, err));
    memo_store_close(other);
}

/* After some failures SQLite has rolled back already; nothing more may be written then, or each
 * statement would be a commit of its own. */
static void test_store_change_that_is_undone_stays_undone(void **state)
{
    util_env *env = *state;
    memo_add_result result = {.size = sizeof result};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "a", "one", 1);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "b", "two", 2, &result, err));
    assert_int_equal(sqlite3_exec(store->sql.db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    util_fails(MEMO_ERR_IO, "undone", util_put(store, 1, "c", "three", 3, &result, err));
    util_fails(MEMO_ERR_IO, "undone", memo_store_commit(store, err));
    memo_store_rollback(store);
    assert_int_equal(util_count(store), 1);
    util_add(store, "d", "four", 4);
    util_check_clean(store);
    memo_store_close(store);
}

static void test_store_read_transaction_is_one_snapshot(void **state)
{
    util_env *env = *state;
    memo_store *writer = util_open(env, MEMO_OPEN_CREATE), *reader;
    util_add(writer, "a", "one", 1);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    util_ok(memo_store_begin_read(reader, err));
    util_add(writer, "b", "two", 2);
    assert_int_equal(util_count(reader), 1);
    memo_store_end_read(reader);
    assert_int_equal(util_count(reader), 2);
    memo_store_close(writer);
    assert_int_equal(util_count(reader), 2);
    memo_store_close(reader);
}

static int ns_names(void *user, const char *name, const memo_store_ns *ns, uint64_t n_records)
{
    size_t n = strlen(user);
    snprintf((char *)user + n, 200 - n, "%s/%d/%d ", name, (int)ns->space, (int)n_records);
    return 0;
}

static void test_store_namespaces_and_spaces(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_space space = {
        .fingerprint = "f1", .name = "m", .model_path = "/a", .dim = 3, .kind = MEMO_SPACE_MODEL};
    memo_store_ns ns, again;
    memo_arena arena = {0};
    int64_t id, id2;
    char text[200] = "";
    util_fails(MEMO_ERR_NOTFOUND, "\"work\"", memo_store_find_ns(store, "work", &ns, err));
    util_add(store, "a", "one", 1);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "work", &ns, err));
    assert_int_equal(ns.space, 0);
    util_ok(memo_store_make_space(store, &space, &id, err));
    util_ok(memo_store_set_ns_space(store, ns.id, id, err));
    space.model_path = "/moved/b";
    util_ok(memo_store_make_space(store, &space, &id2, err));
    assert_int_equal(id, id2);
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_find_ns(store, "work", &again, err));
    assert_int_equal(again.id, ns.id);
    assert_int_equal(again.space, id);
    util_ok(memo_store_get_space(store, id, &arena, &space, err));
    assert_string_equal(space.model_path, "/moved/b");
    util_ok(memo_store_each_ns(store, ns_names, text, err));
    assert_string_equal(text, "default/0/1 work/2/0 ");
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_store_compare_says_what_a_put_would_do(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_put put = {.key = "a", .text = {"one", 3}, .space = 1};
    memo_add_result first = util_add(store, "a", "one", 1), result;
    util_ok(memo_store_compare(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_string_equal(result.id, first.id);
    put.space = 2; /* its vectors are of another space */
    util_ok(memo_store_compare(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    put.space = 1;
    put.title = "new";
    util_ok(memo_store_compare(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    put.key = "b";
    util_ok(memo_store_compare(store, 1, &put, &result, err));
    assert_int_equal(result.outcome, MEMO_OUTCOME_NEW);
    memo_store_close(store);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_store_record_comes_back_as_it_went_in),
        CASE(test_store_upsert_keeps_history_and_counts),
        CASE(test_store_edit_checks_version_and_keeps_chunks),
        CASE(test_store_forget_leaves_a_tombstone_only),
        CASE(test_store_row_ids_are_never_reused),
        CASE(test_store_scan_gives_every_vector_once),
        CASE(test_store_expired_records_are_hidden),
        CASE(test_store_list_pages_through_all),
        CASE(test_store_list_pages_over_any_time),
        CASE(test_store_tags_have_a_limit),
        CASE(test_store_fulltext_finds_words_titles_and_folds_accents),
        CASE(test_store_exact_finds_identifiers_and_keys),
        CASE(test_store_large_dimensions),
        CASE(test_store_bad_fields_are_refused),
        CASE(test_store_rollback_leaves_nothing),
        CASE(test_store_change_that_is_undone_stays_undone),
        CASE(test_store_read_transaction_is_one_snapshot),
        CASE(test_store_namespaces_and_spaces),
        CASE(test_store_compare_says_what_a_put_would_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
