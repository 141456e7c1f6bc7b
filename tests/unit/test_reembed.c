// SPDX-License-Identifier: Apache-2.0
/* Another model for a namespace in use, and back. */
#include "db_util.h"

#include <math.h>

enum { N_MANY = 300 }; /* records: more than two groups */

typedef struct reembed_env {
    db_env db; /* first: db_util.h's own */
    memo_model *second, *short_one;
} reembed_env;

static memo_model *open_short(db_env *e)
{
    const memo_compile_options options = {
        .size = sizeof options, .name = "short", .overwrite = 1, .max_tokens = 24};
    memo_model *model = NULL;
    char source[400], out[500];
    snprintf(source, sizeof source, "%s/tiny-1", e->dir);
    snprintf(out, sizeof out, "%s/short.safetensors", e->dir);
    assert_memo_ok(memo_model_compile(e->ctx, source, out, &options, NULL, &e->err), e->err);
    assert_memo_ok(memo_model_open(e->ctx, out, NULL, &model, &e->err), e->err);
    return model;
}

static int setup_models(void **state)
{
    reembed_env *r;
    db_setup_group(state);
    r = realloc(*state, sizeof *r);
    *state = r;
    /* the context's clock reads from the struct, which may have moved */
    memo_model_close(r->db.model);
    memo_ctx_free(r->db.ctx);
    const memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .clock_ms = db_clock, .clock_user = r};
    assert_memo_ok(memo_ctx_new(&options, &r->db.ctx, &r->db.err), r->db.err);
    r->db.model = tiny_model_open(r->db.ctx, r->db.dir, 1, &r->db.err);
    r->second = tiny_model_open(r->db.ctx, r->db.dir, 2, &r->db.err);
    r->short_one = open_short(&r->db);
    return 0;
}

static int teardown_models(void **state)
{
    reembed_env *r = *state;
    memo_model_close(r->second);
    memo_model_close(r->short_one);
    return db_teardown_group(state);
}

static void add_many(db_env *e, size_t from, size_t to)
{
    static char keys[N_MANY][8], texts[N_MANY][64];
    memo_record_in in[N_MANY];
    for (size_t i = from; i < to; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        snprintf(texts[i], sizeof texts[i], "note %zu about the %s", i * 7919 % 1000,
                 i % 3 ? "garden" : "boiler");
        in[i] = db_record(keys[i], texts[i]);
        in[i].title = i % 5 ? NULL : "anna";
    }
    assert_memo_ok(memo_db_add(e->db, NULL, in + from, to - from, NULL, &e->err), e->err);
}

static memo_hits *dense(db_env *e, memo_db *db, const char *query, size_t k)
{
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = k};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(db, (memo_text){query, strlen(query)}, &o, &hits, &e->err),
                   e->err);
    return hits;
}

/* The open store finds the same, bit for bit, as one that was made with this model from the start. */
static void expect_like_new(db_env *e, memo_model *model)
{
    static const char *const queries[] = {"note 12 about the garden", "boiler", "anna and the key"};
    db_env fresh = *e;
    memo_records *all = NULL;
    const memo_list_options list = {.size = sizeof list, .limit = 1000, .oldest_first = 1};
    snprintf(fresh.path, sizeof fresh.path, "%s/fresh.memo", e->dir);
    fresh.db = db_open_mode(&fresh, model, MEMO_OPEN_CREATE);
    assert_memo_ok(memo_db_list(e->db, &list, &all, &e->err), e->err);
    for (size_t i = 0; i < all->n; i++) {
        memo_record_in in = db_record(all->records[i].key, all->records[i].text.bytes);
        in.title = all->records[i].title;
        assert_memo_ok(memo_db_add(fresh.db, NULL, &in, 1, NULL, &e->err), e->err);
    }
    for (size_t q = 0; q < 3; q++) {
        memo_hits *a = dense(e, e->db, queries[q], 1000), *b = dense(e, fresh.db, queries[q], 1000);
        assert_int_equal(a->n, all->n);
        assert_int_equal(a->n, b->n);
        assert_int_equal(a->n_searched, b->n_searched);
        for (size_t i = 0; i < a->n; i++) {
            assert_true(a->hits[i].score == b->hits[i].score);
            for (size_t j = 0; j < b->n; j++)
                if (strcmp(a->hits[i].key, b->hits[j].key) == 0) {
                    assert_true(a->hits[i].score == b->hits[j].score);
                    assert_int_equal(a->hits[i].begin, b->hits[j].begin);
                    assert_int_equal(a->hits[i].end, b->hits[j].end);
                }
        }
        memo_hits_free(a);
        memo_hits_free(b);
    }
    memo_records_free(all);
    memo_db_close(fresh.db);
    unlink(fresh.path);
    strcat(fresh.path, "-lock");
    unlink(fresh.path);
}

static memo_set_model_report set_model(db_env *e, memo_set_model_options o)
{
    memo_set_model_report report = {.size = sizeof report};
    o.size = sizeof o;
    assert_memo_ok(memo_db_set_model(e->db, &o, &report, &e->err), e->err);
    return report;
}

static memo_ns_info look(db_env *e, memo_spaces **spaces)
{
    assert_memo_ok(memo_db_get_spaces(e->db, spaces, &e->err), e->err);
    assert_int_equal((*spaces)->n_namespaces, 1);
    return (*spaces)->namespaces[0];
}

static void expect_clean(db_env *e)
{
    memo_findings *findings = NULL;
    assert_memo_ok(memo_db_doctor(e->db, &findings, &e->err), e->err);
    for (size_t i = 0; i < findings->n; i++)
        if (findings->findings[i].level != MEMO_FINDING_OK)
            fail_msg("doctor: %s", findings->findings[i].message);
    memo_findings_free(findings);
}

/* ---- set ----------------------------------------------------------------------------------- */

static void test_set_model_finds_like_a_new_store(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    memo_spaces *spaces = NULL;
    memo_set_model_report report = {.size = sizeof report};
    memo_ns_info ns;
    add_many(e, 0, N_MANY);
    db_reopen(e, r->second);
    report = set_model(e, (memo_set_model_options){0});
    assert_int_equal(report.n_namespaces, 1);
    assert_int_equal(report.n_switched, 1);
    assert_int_equal(report.n_embedded, N_MANY);
    assert_int_equal(report.n_recut + report.n_refused + report.n_damaged, 0);
    expect_like_new(e, r->second);
    expect_clean(e);
    ns = look(e, &spaces);
    assert_int_equal(spaces->n, 2);
    assert_int_equal(ns.n_records, N_MANY);
    assert_int_equal(ns.n_chunks, N_MANY);
    assert_int_equal(ns.n_current, N_MANY);
    assert_true(spaces->spaces[ns.current].is_open);
    assert_false(spaces->spaces[ns.previous].is_open);
    assert_int_equal(spaces->spaces[ns.previous].n_vectors, N_MANY);
    assert_true(ns.next == MEMO_NO_SPACE);
    memo_spaces_free(spaces);
    report = set_model(e, (memo_set_model_options){.drop_previous = 1}); /* nothing left to do */
    assert_int_equal(report.n_switched + report.n_embedded, 0);
    ns = look(e, &spaces);
    assert_true(ns.previous == MEMO_NO_SPACE);
    assert_int_equal(spaces->spaces[0].n_vectors + spaces->spaces[1].n_vectors, N_MANY);
    memo_spaces_free(spaces);
    expect_clean(e);
}

typedef struct during {
    db_env *e;
    memo_db *other; /* with the old model */
    int n_calls, n_added;
    uint64_t cancel_at; /* done */
    memo_db *rival;     /* sets its own model, once */
} during;

static int during_progress(void *user, const memo_progress *p)
{
    during *d = user;
    d->n_calls++;
    if (d->cancel_at && p->done >= d->cancel_at)
        return 1;
    if (d->rival && p->done >= 128 && p->done < p->total) {
        const memo_set_model_options o = {.size = sizeof o};
        assert_memo_ok(memo_db_set_model(d->rival, &o, NULL, &d->e->err), d->e->err);
        d->rival = NULL;
    }
    if (d->other && strcmp(p->stage, "embed") == 0 && p->done % 128 == 0) {
        memo_record_in in = db_record(NULL, "a new note of anna about the spare key");
        memo_hits *hits = dense(d->e, d->other, "boiler", 3);
        char key[16];
        assert_int_equal(hits->n, 3);
        memo_hits_free(hits);
        snprintf(key, sizeof key, "added%d", d->n_added++);
        in.key = key;
        assert_memo_ok(memo_db_add(d->other, NULL, &in, 1, NULL, &d->e->err), d->e->err);
    }
    return 0;
}

/* Others search and add with the old model until the switch, and are told afterwards. */
static void test_set_model_beside_others(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    during d = {.e = e};
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE};
    memo_record_in in = db_record("late", "the key");
    memo_set_model_report report = {.size = sizeof report};
    memo_hits *hits = NULL;
    add_many(e, 0, N_MANY);
    d.other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    db_reopen(e, r->second);
    report =
        set_model(e, (memo_set_model_options){.progress = during_progress, .progress_user = &d});
    assert_true(d.n_added >= 3);
    assert_int_equal(report.n_embedded, N_MANY + d.n_added);
    expect_like_new(e, r->second);
    assert_memo_status(memo_db_search(d.other, MEMO_STR("key"), &o, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.hint, "memolith model set");
    assert_memo_status(memo_db_add(d.other, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH,
                       e->err);
    memo_db_close(d.other);
    expect_clean(e);
}

static void test_set_model_goes_on_where_it_was(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    during d = {.e = e, .cancel_at = 129};
    memo_set_model_options o = {.size = sizeof o, .progress = during_progress, .progress_user = &d};
    memo_set_model_report report = {.size = sizeof report};
    memo_spaces *spaces = NULL;
    memo_findings *findings = NULL;
    memo_ns_info ns;
    int n_told = 0;
    add_many(e, 0, N_MANY);
    db_reopen(e, r->second);
    assert_memo_status(memo_db_set_model(e->db, &o, &report, &e->err), MEMO_ERR_CANCELLED, e->err);
    assert_int_equal(report.n_embedded, 128);
    assert_int_equal(report.n_switched, 0);
    ns = look(e, &spaces);
    assert_false(spaces->spaces[ns.current].is_open);
    assert_true(spaces->spaces[ns.next].is_open);
    assert_int_equal(ns.n_next, 128);
    assert_int_equal(ns.n_current, N_MANY);
    memo_spaces_free(spaces);
    db_reopen(e, NULL);
    assert_memo_ok(memo_db_doctor(e->db, &findings, &e->err), e->err);
    assert_int_equal(findings->worst, MEMO_FINDING_WARN);
    for (size_t i = 0; i < findings->n; i++)
        n_told += strstr(findings->findings[i].message, "128 of 300 chunks") != NULL;
    assert_int_equal(n_told, 1);
    memo_findings_free(findings);
    db_reopen(e, r->second);
    report = set_model(e, (memo_set_model_options){0});
    assert_int_equal(report.n_embedded, N_MANY - 128);
    expect_like_new(e, r->second);
}

/* Another model, or the old one, instead of one that is half set: its vectors do not stay. */
static void test_set_model_drops_a_half_made_space(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    during d = {.e = e, .cancel_at = 129};
    const memo_set_model_options o = {
        .size = sizeof o, .progress = during_progress, .progress_user = &d};
    memo_model *const instead[] = {r->short_one, e->model};
    add_many(e, 0, N_MANY);
    for (int i = 0; i < 2; i++) {
        memo_spaces *spaces = NULL;
        uint64_t n_vectors = 0;
        db_reopen(e, r->second);
        assert_memo_status(memo_db_set_model(e->db, &o, NULL, &e->err), MEMO_ERR_CANCELLED, e->err);
        db_reopen(e, instead[i]);
        set_model(e, (memo_set_model_options){.drop_previous = 1});
        expect_like_new(e, instead[i]);
        look(e, &spaces);
        for (size_t j = 0; j < spaces->n; j++)
            n_vectors += spaces->spaces[j].n_vectors;
        assert_int_equal(n_vectors, N_MANY);
        memo_spaces_free(spaces);
        expect_clean(e);
    }
}

static void test_set_model_two_at_once(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    during d = {.e = e};
    const memo_set_model_options o = {
        .size = sizeof o, .progress = during_progress, .progress_user = &d};
    add_many(e, 0, N_MANY);
    d.rival = db_open_mode(e, r->short_one, MEMO_OPEN_EXISTING);
    memo_db *rival = d.rival;
    db_reopen(e, r->second);
    assert_memo_status(memo_db_set_model(e->db, &o, NULL, &e->err), MEMO_ERR_BUSY, e->err);
    memo_db_close(rival);
    db_reopen(e, r->short_one);
    expect_like_new(e, r->short_one);
    expect_clean(e);
}

/* ---- chunks that are too long -------------------------------------------------------------- */

static void test_set_model_cuts_what_is_too_long(void **state)
{
    static const char text[] =
        "the spare key is under the flower pot in the garden. the boiler was a note of anna and "
        "the "
        "key. a zebra quiz about the garden and the flower pot. the end of the note is here.";
    reembed_env *r = *state;
    db_env *e = *state;
    memo_record_in asked = db_record("asked", text), whole = db_record("whole", text);
    memo_set_model_report report = {.size = sizeof report};
    memo_add_result before = {.size = sizeof before};
    memo_records *got = NULL;
    memo_hits *hits;
    db_add(e, "short", "the garden");
    before = db_add(e, "long", text);
    asked.chunk_tokens = 40;
    db_put(e, asked);
    whole.chunking = MEMO_CHUNK_NONE;
    db_put(e, whole);
    db_reopen(e, r->short_one);
    report = set_model(e, (memo_set_model_options){0});
    assert_int_equal(report.n_recut, 2); /* "whole" wants to be one chunk */
    assert_memo_ok(memo_db_get(e->db, NULL, "long", &got, &e->err), e->err);
    assert_true(got->records[0].n_chunks > before.n_chunks);
    assert_int_equal(got->records[0].version, 1);
    memo_records_free(got);
    hits = dense(e, e->db, "the end of the note", 10);
    assert_int_equal(hits->n, 4);
    memo_hits_free(hits);
    assert_memo_ok(
        memo_db_forget(e->db,
                       &(memo_forget_options){.size = sizeof(memo_forget_options),
                                              .ids = (const char *const[]){"asked", "whole"},
                                              .n_ids = 2},
                       NULL, NULL, &e->err),
        e->err);
    expect_like_new(e, r->short_one);
    report = set_model(e, (memo_set_model_options){0});
    assert_int_equal(report.n_recut, 0);
    expect_clean(e);
}

/* A text once asked to be cut in more tokens than the model of today takes can still be edited. */
static void test_set_model_leaves_records_editable(void **state)
{
    static const memo_text other = {"the boiler and the garden", 25};
    reembed_env *r = *state;
    db_env *e = *state;
    const memo_record_edit edit = {.size = sizeof edit, .text = &other};
    memo_record_in in = db_record("a", "the key");
    memo_hits *hits;
    in.chunk_tokens = 40;
    in.chunk_overlap = 20;
    db_put(e, in);
    db_reopen(e, r->short_one);
    set_model(e, (memo_set_model_options){0});
    assert_memo_ok(memo_db_edit(e->db, NULL, "a", &edit, NULL, &e->err), e->err);
    hits = dense(e, e->db, other.bytes, 1);
    assert_true(hits->hits[0].score > 0.9999);
    memo_hits_free(hits);
}

/* ---- back ---------------------------------------------------------------------------------- */

/* memo_db_get_model() says of both spaces what the list says. */
static void reembed_expect_models(memo_db *db)
{
    char now[MEMO_FINGERPRINT_BYTES], before[MEMO_FINGERPRINT_BYTES];
    memo_err err = {0};
    memo_spaces *s = NULL;
    size_t i = 0;
    assert_memo_ok(memo_db_get_spaces(db, &s, &err), err);
    while (strcmp(s->namespaces[i].name, "default") != 0)
        i++;
    assert_memo_ok(memo_db_get_model(db, NULL, 0, now, &err), err);
    assert_memo_ok(memo_db_get_model(db, NULL, 1, before, &err), err);
    assert_string_equal(now, s->spaces[s->namespaces[i].current].fingerprint);
    assert_string_equal(before, s->spaces[s->namespaces[i].previous].fingerprint);
    assert_string_not_equal(now, before);
    assert_memo_status(memo_db_get_model(db, "nowhere", 0, now, &err), MEMO_ERR_NOTFOUND, err);
    assert_string_equal(now, "");
    memo_spaces_free(s);
}

static void test_rollback_model(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    const memo_set_model_options o = {.size = sizeof o}, all = {.size = sizeof all, .all = 1};
    memo_set_model_report report = {.size = sizeof report};
    add_many(e, 0, 200);
    assert_memo_status(memo_db_rollback_model(e->db, &o, &report, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    assert_memo_status(memo_db_rollback_model(e->db, &all, &report, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    db_reopen(e, r->second);
    set_model(e, o);
    db_reopen(e, NULL); /* nothing is lacking: no model is needed */
    reembed_expect_models(e->db);
    assert_memo_ok(memo_db_rollback_model(e->db, &o, &report, &e->err), e->err);
    assert_int_equal(report.n_switched, 1);
    assert_int_equal(report.n_embedded, 0);
    db_reopen(e, e->model);
    expect_like_new(e, e->model);
    db_reopen(e, NULL); /* and forth */
    assert_memo_ok(memo_db_rollback_model(e->db, &all, &report, &e->err), e->err);
    db_reopen(e, r->second);
    expect_like_new(e, r->second);
    add_many(e, 200, N_MANY);
    assert_memo_status(memo_db_rollback_model(e->db, &o, &report, &e->err), MEMO_ERR_MISMATCH,
                       e->err);
    assert_contains(e->err.message, "100 chunks");
    assert_contains(e->err.message, "tiny.f32");
    expect_like_new(e, r->second);
    db_reopen(e, e->model);
    assert_memo_ok(memo_db_rollback_model(e->db, &o, &report, &e->err), e->err);
    assert_int_equal(report.n_embedded, 100);
    expect_like_new(e, e->model);
    expect_clean(e);
}

/* ---- what is not a model ------------------------------------------------------------------- */

static memo_status picky_embed(void *user, const memo_text *texts, size_t n, memo_role role,
                               float *out, memo_err *err)
{
    (void)user, (void)role;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].n_bytes > 8 && memcmp(texts[i].bytes, "note 919", 8) == 0)
            return memo_fail(err, MEMO_ERR_VALUE, "not this one");
        out[2 * i] = 1;
        out[2 * i + 1] = (float)texts[i].n_bytes;
    }
    return MEMO_OK;
}

static void test_set_model_to_an_embedder_that_refuses_a_text(void **state)
{
    db_env *e = *state;
    const memo_external_space space = {
        .size = sizeof space, .name = "picky", .dim = 2, .embed = picky_embed};
    const memo_db_options options = {.size = sizeof options, .external = &space};
    memo_set_model_report report = {.size = sizeof report};
    memo_hits *hits;
    add_many(e, 0, 200);
    memo_db_close(e->db);
    e->db = NULL;
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &e->db, &e->err), e->err);
    report = set_model(e, (memo_set_model_options){0});
    assert_int_equal(report.n_refused, 1);
    assert_int_equal(report.n_embedded, 199);
    hits = dense(e, e->db, "garden", 1000);
    assert_int_equal(hits->n, 199);
    memo_hits_free(hits);
}

/* Switches the namespace away while a query of the old space is being embedded. */
static memo_status sly_embed(void *user, const memo_text *texts, size_t n, memo_role role,
                             float *out, memo_err *err)
{
    memo_db *other = *(memo_db **)user;
    if (other && role == MEMO_ROLE_QUERY) {
        const memo_set_model_options o = {.size = sizeof o, .drop_previous = 1};
        assert_memo_ok(memo_db_set_model(other, &o, NULL, err), *err);
    }
    return picky_embed(NULL, texts, n, role, out, err);
}

static void test_search_notices_a_switch_during_its_embedding(void **state)
{
    db_env *e = *state;
    memo_db *other = NULL;
    const memo_external_space space = {
        .size = sizeof space, .name = "sly", .dim = 2, .embed = sly_embed, .embed_user = &other};
    const memo_db_options options = {.size = sizeof options, .external = &space};
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE};
    memo_hits *hits = NULL;
    memo_db_close(e->db);
    e->db = NULL;
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &e->db, &e->err), e->err);
    db_add(e, "a", "the garden");
    memo_hits_free(dense(e, e->db, "garden", 1));
    other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("garden"), &o, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    memo_db_close(other);
}

static void test_set_model_needs_something_that_embeds(void **state)
{
    db_env *e = *state;
    const memo_set_model_options o = {.size = sizeof o}, nowhere = {.size = sizeof o, .ns = "no"};
    db_add(e, "a", "the key");
    assert_memo_status(memo_db_set_model(e->db, &nowhere, NULL, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    db_reopen(e, NULL);
    assert_memo_status(memo_db_set_model(e->db, &o, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    assert_memo_status(memo_db_set_model(NULL, &o, NULL, &e->err), MEMO_ERR_USAGE, e->err);
}

static void test_set_model_of_every_namespace(void **state)
{
    static const char *const names[] = {"work", "home", "empty"};
    reembed_env *r = *state;
    db_env *e = *state;
    memo_set_model_report report = {.size = sizeof report};
    memo_spaces *spaces = NULL;
    for (int i = 0; i < 2; i++) {
        const memo_write_options o = {.size = sizeof o, .ns = names[i]};
        memo_record_in in = db_record("a", names[i]);
        assert_memo_ok(memo_db_add(e->db, &o, &in, 1, NULL, &e->err), e->err);
    }
    db_reopen(e, r->second);
    report = set_model(e, (memo_set_model_options){.ns = "home"});
    assert_int_equal(report.n_switched, 1);
    report = set_model(e, (memo_set_model_options){.all = 1});
    assert_int_equal(report.n_namespaces, 2);
    assert_int_equal(report.n_switched, 1);
    assert_int_equal(report.n_embedded, 1);
    assert_memo_ok(memo_db_get_spaces(e->db, &spaces, &e->err), e->err);
    for (size_t i = 0; i < spaces->n_namespaces; i++)
        assert_true(spaces->spaces[spaces->namespaces[i].current].is_open);
    memo_spaces_free(spaces);
}

/* ---- lack of memory ------------------------------------------------------------------------ */

static void test_set_model_survives_lack_of_memory(void **state)
{
    static const char text[] =
        "the spare key is under the flower pot in the garden. the boiler was "
        "a note of anna and the key. a zebra quiz about the garden";
    reembed_env *r = *state;
    db_env *e = *state;
    const memo_set_model_options o = {.size = sizeof o};
    int done = 0;
    for (uint64_t at = 1; !done; at += 1 + at / 60) {
        memo_err err = {0};
        memo_spaces *spaces = NULL;
        int64_t live;
        memo_status status;
        memo_db_close(e->db);
        db_setup(state);
        db_add(e, "a", text);
        db_add(e, "b", "the garden");
        memo_db_close(e->db);
        live = memo_alloc_live();
        e->db = db_open_mode(e, r->short_one, MEMO_OPEN_EXISTING);
        memo_alloc_fail_at(at, 0);
        status = memo_db_set_model(e->db, &o, NULL, &err);
        if (status == MEMO_OK)
            status = memo_db_get_spaces(e->db, &spaces, &err);
        done = memo_alloc_count() < at;
        memo_alloc_fail_at(0, 0);
        memo_spaces_free(spaces);
        memo_db_close(e->db);
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        if (done ? status != MEMO_OK : status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        e->db = db_open_mode(e, r->short_one, MEMO_OPEN_EXISTING);
        set_model(e, o); /* goes on, whatever was done */
        if (at % 8 == 1 || done) {
            expect_like_new(e, r->short_one);
            expect_clean(e);
        }
        assert_true(at < 20000);
    }
}

/* Whether the current space is that of the open handle. */
static int is_current(db_env *e)
{
    memo_spaces *spaces = NULL;
    int is_open;
    assert_memo_ok(memo_db_get_spaces(e->db, &spaces, &e->err), e->err);
    is_open = spaces->spaces[spaces->namespaces[0].current].is_open;
    memo_spaces_free(spaces);
    return is_open;
}

/* The way back of a store that got records with the new model: they are embedded on the way. */
static void test_rollback_model_survives_lack_of_memory(void **state)
{
    reembed_env *r = *state;
    db_env *e = *state;
    const memo_set_model_options o = {.size = sizeof o};
    int done = 0, n_refused = 0;
    for (uint64_t at = 1; !done; at += 1 + at / 40) {
        memo_err err = {0};
        memo_set_model_report report = {.size = sizeof report};
        int64_t live;
        memo_status status;
        memo_db_close(e->db);
        db_setup(state);
        add_many(e, 0, 6);
        db_reopen(e, r->second);
        set_model(e, o);
        add_many(e, 6, 9);
        memo_db_close(e->db);
        live = memo_alloc_live();
        e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
        memo_alloc_fail_at(at, 0);
        status = memo_db_rollback_model(e->db, &o, &report, &err);
        done = memo_alloc_count() < at;
        memo_alloc_fail_at(0, 0);
        memo_db_close(e->db);
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        if (done ? status != MEMO_OK : status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
        assert_true(status != MEMO_OK || is_current(e));
        if (!is_current(e)) { /* once more, and it is done */
            n_refused++;
            assert_memo_ok(memo_db_rollback_model(e->db, &o, &report, &e->err), e->err);
        }
        expect_like_new(e, e->model);
        expect_clean(e);
        assert_true(at < 20000);
    }
    assert_true(n_refused > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_set_model_finds_like_a_new_store),
        db_test(test_set_model_beside_others),
        db_test(test_set_model_goes_on_where_it_was),
        db_test(test_set_model_drops_a_half_made_space),
        db_test(test_set_model_two_at_once),
        db_test(test_set_model_cuts_what_is_too_long),
        db_test(test_set_model_leaves_records_editable),
        db_test(test_rollback_model),
        db_test(test_set_model_to_an_embedder_that_refuses_a_text),
        db_test(test_search_notices_a_switch_during_its_embedding),
        db_test(test_set_model_needs_something_that_embeds),
        db_test(test_set_model_of_every_namespace),
        db_test(test_set_model_survives_lack_of_memory),
        db_test(test_rollback_model_survives_lack_of_memory),
    };
    return cmocka_run_group_tests_name("reembed", tests, setup_models, teardown_models);
}
