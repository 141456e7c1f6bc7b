// SPDX-License-Identifier: Apache-2.0
/* A search with the index of the vectors gives what one without it gives, always: the same hits, scores,
 * order and counts. One handle uses an index of tiny limits, another reads the store at each search.
 * Between searches come adds, edits, forgets, expiry, filters, two namespaces, reopening; and to the
 * index file: removed, cut, changed, replaced by an older one of its own, by one of another store, by
 * one of a copy that went another way, by rubbish; a store opened for reading.
 *
 * A failure prints its seed; MEMO_PROP_SEED=N runs that one alone, MEMO_PROP_ROUNDS=N more. */
#include "unit/db_util.h"

#include "base/file.h"
#include "base/rng.h"
#include "memory/db.h"
#include "memory/vector_index.h"

enum { N_KEYS = 150, N_STEPS = 260 };

typedef struct index_world {
    db_env *e;
    memo_rng rng;
    uint64_t seed;
    memo_db *indexed, *plain; /* of one store */
    char idx_path[720], old_path[720], other_path[720];
    unsigned n_searches, n_by_index, n_by_tail;
} index_world;

static void limits_of(memo_db *db, size_t min_rows, size_t max_tail)
{
    db->index.min_rows = min_rows;
    db->index.max_tail = max_tail;
}

static void open_indexed(index_world *w, memo_open_mode mode)
{
    memo_db_close(w->indexed);
    w->indexed = db_open_mode(w->e, w->e->model, mode);
    limits_of(w->indexed, 8, 1 + memo_rng_below(&w->rng, 30));
}

static void words(memo_rng *rng, char out[160])
{
    static const char *const some[] = {"the",  "key",  "under", "flower", "pot", "boiler", "was",
                                       "note", "anna", "x1",    "garden", "zq",  "quiz",   "a"};
    size_t n = 1 + memo_rng_below(rng, 24);
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        strcat(out, i ? " " : "");
        strcat(out, some[memo_rng_below(rng, sizeof some / sizeof *some)]);
    }
}

static const char *ns_of(memo_rng *rng)
{
    return memo_rng_below(rng, 4) ? NULL : "second";
}

/* ---- what changes -------------------------------------------------------------------------- */

static void change_add(index_world *w)
{
    char keys[20][16], texts[20][160], metadata[20][24];
    memo_record_in in[20];
    size_t n = 1 + memo_rng_below(&w->rng, memo_rng_below(&w->rng, 6) ? 2 : 20);
    memo_write_options o = {.size = sizeof o, .ns = ns_of(&w->rng)};
    for (size_t i = 0; i < n; i++) {
        sprintf(keys[i], "k%d-%zu", (int)memo_rng_below(&w->rng, N_KEYS), i);
        sprintf(metadata[i], "{\"n\":%d}", (int)memo_rng_below(&w->rng, 100));
        words(&w->rng, texts[i]);
        in[i] = db_record(keys[i], texts[i]);
        in[i].metadata_json = metadata[i];
        in[i].chunk_tokens = 8; /* several chunks a record */
        in[i].chunk_overlap = SIZE_MAX;
        if (memo_rng_below(&w->rng, 8) == 0)
            in[i].expires_ms = w->e->now_ms + 1 + (int64_t)memo_rng_below(&w->rng, 60);
    }
    assert_memo_ok(
        memo_db_add(memo_rng_below(&w->rng, 2) ? w->plain : w->e->db, &o, in, n, NULL, &w->e->err),
        w->e->err);
}

static void change_forget(index_world *w)
{
    char where[48];
    memo_forget_options o = {.size = sizeof o, .ns = ns_of(&w->rng), .where = where};
    memo_err err = {0};
    sprintf(where, "meta.n = %d", (int)memo_rng_below(&w->rng, 100));
    (void)memo_db_forget(w->plain, &o, NULL, NULL, &err); /* the namespace may not be there */
}

static void change_edit(index_world *w)
{
    char key[16], text[160];
    memo_text t = {text, 0};
    memo_record_edit edit = {.size = sizeof edit, .metadata_json = "{\"n\":7}"};
    memo_err err = {0};
    words(&w->rng, text);
    t.n_bytes = strlen(text);
    if (memo_rng_below(&w->rng, 2))
        edit.text = &t;
    sprintf(key, "k%d-0", (int)memo_rng_below(&w->rng, N_KEYS));
    (void)memo_db_edit(w->plain, NULL, key, &edit, NULL, &err); /* there may be none */
}

/* ---- what happens to the index ------------------------------------------------------------- */

static void spoil_bytes(index_world *w, const char *path)
{
    char *bytes = NULL;
    size_t n = 0;
    memo_err err = {0};
    if (memo_file_slurp(path, 1 << 26, &bytes, &n, &err))
        return;
    if (n && memo_rng_below(&w->rng, 3) == 0)
        n = memo_rng_below(&w->rng, n);
    for (size_t i = memo_rng_below(&w->rng, 4); n && i > 0; i--)
        bytes[memo_rng_below(&w->rng, n)] ^= (char)(1 << memo_rng_below(&w->rng, 8));
    unlink(path); /* a mapped file is replaced, never changed in place */
    memo_test_write_file(path, bytes, n);
    memo_free(bytes);
}

static void copy_file(const char *from, const char *to)
{
    char *bytes = NULL;
    size_t n = 0;
    memo_err err = {0};
    if (memo_file_slurp(from, 1 << 26, &bytes, &n, &err))
        return;
    unlink(to);
    memo_test_write_file(to, bytes, n);
    memo_free(bytes);
}

static void meddle(index_world *w)
{
    switch (memo_rng_below(&w->rng, 7)) {
    case 0:
        unlink(w->idx_path);
        break;
    case 1:
        spoil_bytes(w, w->idx_path);
        break;
    case 2:
        copy_file(w->old_path, w->idx_path);
        break;
    case 3:
        copy_file(w->other_path, w->idx_path);
        break;
    case 4:
        unlink(w->idx_path);
        memo_test_write_file(w->idx_path, "rubbish", 7);
        break;
    default:
        copy_file(w->idx_path, w->old_path);
        return;
    }
    open_indexed(w, memo_rng_below(&w->rng, 5) ? MEMO_OPEN_EXISTING : MEMO_OPEN_READ_ONLY);
}

/* ---- the check ----------------------------------------------------------------------------- */

static void check_same(index_world *w, const memo_hits *a, const memo_hits *b)
{
    if (a->n != b->n || a->n_searched != b->n_searched || a->n_damaged != b->n_damaged)
        fail_msg("seed %llu: %zu hits of %zu with the index, %zu of %zu without",
                 (unsigned long long)w->seed, a->n, a->n_searched, b->n, b->n_searched);
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->hits[i].id, b->hits[i].id) != 0 || a->hits[i].score != b->hits[i].score ||
            a->hits[i].chunk != b->hits[i].chunk)
            fail_msg("seed %llu: hit %zu is %s chunk %zu with %.9g, %s chunk %zu with %.9g without",
                     (unsigned long long)w->seed, i, a->hits[i].id, a->hits[i].chunk,
                     a->hits[i].score, b->hits[i].id, b->hits[i].chunk, b->hits[i].score);
}

static void check_search(index_world *w)
{
    char query[160], where[48];
    memo_search_options o = {
        .size = sizeof o,
        .ns = ns_of(&w->rng),
        .mode = memo_rng_below(&w->rng, 4) ? MEMO_SEARCH_DENSE : MEMO_SEARCH_HYBRID,
        .chunks = (int)memo_rng_below(&w->rng, 2),
        .k = 1 + memo_rng_below(&w->rng, memo_rng_below(&w->rng, 3) ? 12 : 400)};
    memo_hits *a = NULL, *b = NULL;
    memo_err err_a = {0}, err_b = {0};
    memo_status status_a, status_b;
    words(&w->rng, query);
    sprintf(where, "meta.n < %d", 10 * (int)memo_rng_below(&w->rng, 5));
    if (memo_rng_below(&w->rng, 2))
        o.where = where;
    for (int again = 0; again < 2; again++) { /* the second time by what the first has kept */
        memo_hits_free(a);
        a = NULL;
        status_a = memo_db_search(w->indexed, MEMO_STR(query), &o, &a, &err_a);
    }
    status_b = memo_db_search(w->plain, MEMO_STR(query), &o, &b, &err_b);
    if (status_a != status_b)
        fail_msg("seed %llu: %s \"%s\" with the index, %s without", (unsigned long long)w->seed,
                 memo_status_name(status_a), err_a.message, memo_status_name(status_b));
    w->n_searches++;
    w->n_by_index += w->indexed->index.view.base != NULL;
    w->n_by_tail += w->indexed->index.view.tail.n > 0;
    assert_null(w->plain->index.view.base);
    if (status_a == MEMO_OK)
        check_same(w, a, b);
    memo_hits_free(a);
    memo_hits_free(b);
}

static void step(index_world *w)
{
    switch (memo_rng_below(&w->rng, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        change_add(w);
        break;
    case 4:
        change_forget(w);
        break;
    case 5:
    case 6:
        change_edit(w);
        break;
    case 7:
        w->e->now_ms += (int64_t)memo_rng_below(&w->rng, 30);
        break;
    case 8:
        meddle(w);
        break;
    case 9:
        open_indexed(w, MEMO_OPEN_EXISTING);
        break;
    default:
        break;
    }
    check_search(w);
}

/* An index of another store, for meddle(). */
static void make_other(index_world *w)
{
    memo_db *db;
    memo_hits *hits = NULL;
    char path[700];
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE};
    const memo_db_options options = {.size = sizeof options, .model = w->e->model};
    snprintf(path, sizeof path, "%s/other.memo", w->e->dir);
    snprintf(w->other_path, sizeof w->other_path, "%s/other.memo-idx", w->e->dir);
    assert_memo_ok(memo_db_open(w->e->ctx, path, &options, &db, &w->e->err), w->e->err);
    limits_of(db, 8, 4);
    for (int i = 0; i < 20; i++) {
        char text[160];
        memo_record_in in = db_record(NULL, text);
        words(&w->rng, text);
        in.text.n_bytes = strlen(text);
        assert_memo_ok(memo_db_add(db, NULL, &in, 1, NULL, &w->e->err), w->e->err);
    }
    assert_memo_ok(memo_db_search(db, MEMO_STR("key"), &o, &hits, &w->e->err), w->e->err);
    memo_hits_free(hits);
    assert_non_null(db->index.view.base);
    memo_db_close(db);
}

static void run_world(db_env *e, uint64_t seed)
{
    index_world w = {.e = e, .seed = seed};
    printf("seed %llu (MEMO_PROP_SEED=%llu build/tests/prop_vector_index)\n",
           (unsigned long long)seed, (unsigned long long)seed);
    memo_rng_init(&w.rng, seed);
    snprintf(w.idx_path, sizeof w.idx_path, "%s-idx", e->path);
    snprintf(w.old_path, sizeof w.old_path, "%s-old", e->path);
    unlink(w.idx_path);
    make_other(&w);
    w.plain = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    limits_of(w.plain, SIZE_MAX, 0);
    limits_of(e->db, SIZE_MAX, 0);
    open_indexed(&w, MEMO_OPEN_EXISTING);
    for (int i = 0; i < N_STEPS; i++)
        step(&w);
    printf("%u searches, %u by the index, %u with later vectors\n", w.n_searches, w.n_by_index,
           w.n_by_tail);
    assert_true(w.n_by_index > w.n_searches / 2);
    assert_true(w.n_by_tail > 0);
    memo_db_close(w.indexed);
    memo_db_close(w.plain);
    unlink(w.idx_path);
    unlink(w.old_path);
}

static void prop_index_changes_no_answer(void **state)
{
    db_env *e = *state;
    const char *one = getenv("MEMO_PROP_SEED"), *more = getenv("MEMO_PROP_ROUNDS");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t last = one ? first : more ? strtoull(more, NULL, 10) : 4;
    for (uint64_t seed = first; seed <= last; seed++) {
        if (seed > first) { /* an empty store each */
            db_teardown(state);
            db_setup(state);
        }
        run_world(e, seed);
    }
}

/* A copy that was changed, put back, and changed another way: the same identity, the same numbers,
 * other vectors. */
static void prop_index_of_another_history(void **state)
{
    db_env *e = *state;
    char idx[720], copy[720];
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = 3};
    memo_hits *hits = NULL;
    snprintf(idx, sizeof idx, "%s-idx", e->path);
    snprintf(copy, sizeof copy, "%s-copy", e->path);
    unlink(idx);
    limits_of(e->db, 8, 4);
    for (int i = 0; i < 12; i++) {
        char text[64];
        sprintf(text, "note %d under the flower pot", i);
        db_add(e, NULL, text);
    }
    memo_db_close(e->db);
    copy_file(e->path, copy);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    limits_of(e->db, 8, 4);
    for (int i = 0; i < 12; i++)
        db_add(e, NULL, "boiler anna garden quiz");
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("boiler"), &o, &hits, &e->err), e->err);
    memo_hits_free(hits);
    hits = NULL;
    assert_int_equal(e->db->index.view.base->blocks.n, 24);
    memo_db_close(e->db);
    unlink(e->path);
    copy_file(copy, e->path); /* and the -lock says that changes were lost: so it is told */
    char lock[720];
    snprintf(lock, sizeof lock, "%s-lock", e->path);
    unlink(lock);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    limits_of(e->db, 8, 4);
    for (int i = 0; i < 12; i++)
        db_add(e, NULL, "the key x1");
    assert_true(memo_path_exists(idx));
    index_world w = {.e = e, .indexed = e->db};
    w.plain = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    limits_of(w.plain, SIZE_MAX, 0);
    memo_rng_init(&w.rng, 1);
    for (int i = 0; i < 20; i++)
        check_search(&w);
    assert_true(w.n_by_index > 0);
    memo_db_close(w.plain);
    unlink(copy);
    unlink(idx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(prop_index_changes_no_answer),
        db_test(prop_index_of_another_history),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
