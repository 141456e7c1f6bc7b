// SPDX-License-Identifier: Apache-2.0
/* Records that say the same are linked when they are written, and when they have waited; echoes are
 * known by what was shown just before. */
#include "db_util.h"

#include "base/rng.h"
#include "memory/db.h"
#include "store/store_inner.h"
#include "text/shingles.h"

static const char key_text[] =
    "the spare key of the garden house lies under the third flower pot beside the old gate";
static const char boiler_text[] =
    "the boiler in the cellar was serviced on the third of May by the man who had put it in";

/* The n-th link of a record; the record itself has `n_links` of them. */
static memo_link links_of(db_env *e, const char *id, size_t n_links, size_t at, char other[27])
{
    memo_links *links = NULL;
    memo_link link = {0};
    assert_memo_ok(memo_db_links(e->db, NULL, id, &links, &e->err), e->err);
    assert_int_equal(links->n, n_links);
    assert_int_equal(links->n_damaged, 0);
    if (at < links->n) {
        link = links->links[at];
        snprintf(other, 27, "%s", link.id);
    }
    memo_links_free(links);
    link.id = other;
    return link;
}

static void links_none(db_env *e, const char *id)
{
    char other[27];
    (void)links_of(e, id, 0, 0, other);
}

static int links_is_echo(db_env *e, const char *id)
{
    memo_records *r = NULL;
    int echo;
    assert_memo_ok(memo_db_get(e->db, NULL, id, &r, &e->err), e->err);
    echo = r->records[0].echo;
    memo_records_free(r);
    return echo;
}

static void links_search(db_env *e, memo_db *db, const char *query, const char *actor, size_t k)
{
    const memo_search_options o = {.size = sizeof o, .k = k, .actor = actor};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(db, (memo_text){query, strlen(query)}, &o, &hits, &e->err),
                   e->err);
    assert_true(hits->n > 0);
    memo_hits_free(hits);
}

/* ---- the same ------------------------------------------------------------------------------ */

static void test_links_tell_the_same_and_the_near(void **state)
{
    db_env *e = *state;
    char near[200], other[27];
    snprintf(near, sizeof near, "%s today", key_text);
    memo_add_result a = db_add(e, "a", key_text), b = db_add(e, "b", key_text);
    memo_add_result c = db_add(e, "c", near);
    db_add(e, "d", boiler_text);
    memo_link link = links_of(e, "b", 1, 0, other);
    assert_int_equal(link.kind, MEMO_LINK_DUPLICATE);
    assert_false(link.incoming);
    assert_string_equal(other, a.id);
    assert_true(link.score == 1);
    assert_int_equal(link.made_ms, DB_NOW);
    link = links_of(e, "c", 1, 0, other);
    assert_int_equal(link.kind, MEMO_LINK_NEAR);
    assert_string_equal(other, a.id);
    assert_true(link.score > 14.9 / 16 && link.score < 1);
    link = links_of(e, "a", 2, 0, other);
    assert_true(link.incoming);
    assert_string_equal(other, c.id);
    (void)links_of(e, "a", 2, 1, other);
    assert_string_equal(other, b.id);
    links_none(e, "d");
}

static void test_links_stay_within_a_namespace(void **state)
{
    db_env *e = *state;
    const memo_write_options elsewhere = {.size = sizeof elsewhere, .ns = "elsewhere"};
    memo_record_in in = db_record("b", key_text);
    memo_links *links = NULL;
    db_add(e, "a", key_text);
    assert_memo_ok(memo_db_add(e->db, &elsewhere, &in, 1, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_links(e->db, "elsewhere", "b", &links, &e->err), e->err);
    assert_int_equal(links->n, 0);
    memo_links_free(links);
    links_none(e, "a");
    links = NULL;
    assert_int_equal(memo_db_links(e->db, NULL, "b", &links, &e->err), MEMO_ERR_NOTFOUND);
    assert_null(links);
}

/* Signs alone have no words; they are compared as they are. */
static void test_links_know_texts_without_words(void **state)
{
    db_env *e = *state;
    char other[27];
    db_add(e, "a", "?!? ... ;-)");
    db_add(e, "b", "?!? ... ;-)");
    db_add(e, "c", "?!? ... ;-(");
    assert_int_equal(links_of(e, "b", 1, 0, other).kind, MEMO_LINK_DUPLICATE);
    links_none(e, "c");
}

/* Against a second way to find them: every pair is compared. */
static void test_links_are_those_of_all_pairs(void **state)
{
    enum { N = 160, WORDS = 30 };
    db_env *e = *state;
    static char texts[N][400];
    memo_shingles a = {0}, b = {0};
    memo_rng rng;
    int n_due = 0, n_found = 0;
    memo_rng_init(&rng, 11);
    for (int i = 0; i < N; i++) {
        char key[16], other[27] = "";
        int like = i > 0 && memo_rng_u64(&rng) % 2;
        size_t n = 0, from = i ? memo_rng_u64(&rng) % (unsigned)i : 0;
        if (like) { /* one of the earlier ones, with up to three words changed */
            memcpy(texts[i], texts[from], sizeof texts[i]);
            for (uint64_t c = memo_rng_u64(&rng) % 4; c > 0; c--)
                texts[i][memo_rng_u64(&rng) % WORDS * 6] = (char)('a' + memo_rng_u64(&rng) % 26);
        }
        for (int w = 0; !like && w < WORDS; w++)
            n += (size_t)snprintf(texts[i] + n, sizeof texts[i] - n, "%c%04d ", 'a' + i % 26,
                                  (int)(memo_rng_u64(&rng) % 40));
        snprintf(key, sizeof key, "k%d", i);
        db_add(e, key, texts[i]);
        double best = 0;
        assert_memo_ok(memo_shingles_make(&a, (memo_text){texts[i], strlen(texts[i])}, &e->err),
                       e->err);
        for (int j = 0; j < i; j++) {
            assert_memo_ok(memo_shingles_make(&b, (memo_text){texts[j], strlen(texts[j])}, &e->err),
                           e->err);
            double score = memo_shingles_alike(&a, &b);
            best = score > best ? score : best;
        }
        memo_links *links = NULL;
        assert_memo_ok(memo_db_links(e->db, NULL, key, &links, &e->err), e->err);
        assert_true(links->n <= 1);
        if (best < 0.8 && links->n)
            fail_msg("%d is linked, but the nearest shares %.3f", i, best);
        n_due += best >= 0.8;
        n_found += links->n == 1;
        snprintf(other, sizeof other, "%s", links->n ? links->links[0].id : "");
        memo_links_free(links);
    }
    memo_shingles_fini(&a);
    memo_shingles_fini(&b);
    assert_true(n_due > 40 && n_due < N - 40);
    if (n_found < n_due * 97 / 100)
        fail_msg("%d of %d are linked", n_found, n_due);
}

static void test_links_follow_the_text(void **state)
{
    db_env *e = *state;
    char other[27];
    const memo_text changed = MEMO_STR("something else altogether");
    const memo_record_edit edit = {.size = sizeof edit, .text = &changed};
    memo_link_report report = {.size = sizeof report};
    db_add(e, "a", key_text);
    db_add(e, "b", key_text);
    db_add(e, "c", key_text);
    /* b and c are like a; without it they are asked again, and c is like b. */
    assert_memo_ok(memo_db_edit(e->db, NULL, "a", &edit, NULL, &e->err), e->err);
    links_none(e, "a");
    links_none(e, "b");
    links_none(e, "c");
    assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 2);
    assert_int_equal(report.n_linked, 2); /* each finds the other: it is one link */
    links_none(e, "a");
    assert_false(links_of(e, "c", 1, 0, other).incoming);
    assert_true(links_of(e, "b", 1, 0, other).incoming);
    assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 0);
}

static void test_links_go_with_a_record(void **state)
{
    db_env *e = *state;
    const char *id = "a";
    const memo_forget_options forget = {.size = sizeof forget, .ids = &id, .n_ids = 1};
    memo_link_report report = {.size = sizeof report};
    char other[27];
    db_add(e, "a", key_text);
    db_add(e, "b", key_text);
    db_add(e, "c", key_text);
    assert_memo_ok(memo_db_forget(e->db, &forget, NULL, NULL, &e->err), e->err);
    links_none(e, "b");
    assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 2);
    assert_int_equal(links_of(e, "c", 1, 0, other).kind, MEMO_LINK_DUPLICATE);
}

/* ---- when ---------------------------------------------------------------------------------- */

static void links_add_vectors(db_env *e, memo_db *db, const char *prefix, size_t n,
                              memo_links_mode mode)
{
    enum { MOST = 64 };
    static const float values[4] = {1, 2, 3, 4};
    const memo_vector vector = {.f32 = values, .dim = 4};
    const memo_write_options o = {.size = sizeof o, .links = mode};
    memo_record_in in[MOST];
    char keys[MOST][40];
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        snprintf(keys[i], sizeof keys[i], "%s%zu", prefix, i);
        in[i] = db_record(keys[i], i % 2 ? key_text : boiler_text);
        in[i].vectors = &vector;
        in[i].n_vectors = 1;
    }
    assert_memo_ok(memo_db_add(db, &o, in, n, NULL, &e->err), e->err);
}

static size_t links_count(db_env *e, memo_db *db)
{
    const memo_list_options o = {.size = sizeof o, .limit = 1000};
    memo_records *r = NULL;
    size_t n = 0;
    assert_memo_ok(memo_db_list(db, &o, &r, &e->err), e->err);
    for (size_t i = 0; i < r->n; i++)
        n += r->records[i].duplicate_of != NULL;
    memo_records_free(r);
    return n;
}

/* Many records with ready vectors wait; few do not, nor does anything hold up who says nothing. */
static void test_links_of_many_vectors_wait(void **state)
{
    db_env *e = *state;
    const memo_external_space space = {.size = sizeof space, .name = "x", .dim = 4};
    const memo_db_options options = {.size = sizeof options, .external = &space};
    memo_link_settings settings = {.size = sizeof settings};
    memo_link_report report = {.size = sizeof report};
    memo_db *db = NULL;
    memo_db_close(e->db);
    e->db = NULL;
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &db, &e->err), e->err);
    links_add_vectors(e, db, "few", 32, MEMO_LINKS_AS_STORED);
    assert_int_equal(links_count(e, db), 30);
    links_add_vectors(e, db, "many", 33, MEMO_LINKS_AS_STORED);
    assert_int_equal(links_count(e, db), 30);
    assert_memo_ok(memo_db_link(db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 33);
    assert_int_equal(report.n_linked, 33);
    assert_int_equal(links_count(e, db), 63);

    settings.mode = MEMO_LINKS_OFF;
    assert_memo_ok(memo_db_set_links(db, &settings, &e->err), e->err);
    memo_db_close(db);
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &db, &e->err), e->err);
    assert_memo_ok(memo_db_get_links(db, &settings, &e->err), e->err);
    assert_int_equal(settings.mode, MEMO_LINKS_OFF);
    assert_int_equal(settings.echo_ms, 600000);
    links_add_vectors(e, db, "off", 2, MEMO_LINKS_AS_STORED);
    assert_int_equal(links_count(e, db), 63);
    links_add_vectors(e, db, "said", 2, MEMO_LINKS_EXACT);
    assert_int_equal(links_count(e, db), 65);
    settings.mode = (memo_links_mode)9;
    assert_int_equal(memo_db_set_links(db, &settings, &e->err), MEMO_ERR_VALUE);
    memo_db_close(db);
}

static int links_stop(void *user, const memo_progress *p)
{
    uint64_t *seen = user;
    assert_string_equal(p->stage, "link");
    *seen = p->done;
    return 1;
}

static void test_links_can_be_cancelled_between_groups(void **state)
{
    db_env *e = *state;
    uint64_t seen = 0;
    const memo_link_options options = {
        .size = sizeof options, .progress = links_stop, .progress_user = &seen};
    const memo_write_options off = {.size = sizeof off, .links = MEMO_LINKS_OFF};
    memo_link_report report = {.size = sizeof report};
    for (int i = 0; i < 300; i++) {
        char key[16], text[32];
        snprintf(key, sizeof key, "k%d", i);
        snprintf(text, sizeof text, "tea %d", i);
        memo_record_in in = db_record(key, text);
        assert_memo_ok(memo_db_add(e->db, &off, &in, 1, NULL, &e->err), e->err);
    }
    assert_int_equal(memo_db_link(e->db, &options, &report, &e->err), MEMO_ERR_CANCELLED);
    assert_int_equal(seen, 256);
    assert_int_equal(report.n_compared, 256);
    assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 44);
}

static void links_run_sql(db_env *e, const char *sql)
{
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_sql_exec(&e->db->store->sql, sql, "harm it", &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
}

static void links_note(void *user, memo_finding_level level, const char *area, const char *message,
                       const char *hint)
{
    (void)area;
    (void)hint;
    *(int *)user += level != MEMO_FINDING_OK && strstr(message, "sketches") != NULL;
}

/* Rows that are missing, or of nothing, are told, and mended: the record is compared again. */
static void test_links_survive_lost_sketches(void **state)
{
    db_env *e = *state;
    const memo_repair_options options = {.size = sizeof options};
    memo_repair_report *repaired = NULL;
    memo_link_report report = {.size = sizeof report};
    int n = 0;
    db_add(e, "a", key_text);
    db_add(e, "b", boiler_text);
    assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
    assert_int_equal(n, 0);
    links_run_sql(e, "UPDATE tallies SET list = substr(list, 1 + 16 * 4), n = n - 4 WHERE what = 0;"
                     "INSERT INTO sketches VALUES(5, 99); INSERT INTO unlinked VALUES(98)");
    assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
    assert_int_equal(n, 1);
    memo_db_close(e->db);
    e->db = NULL;
    assert_memo_ok(memo_db_repair(e->ctx, e->path, &options, &repaired, &e->err), e->err);
    assert_int_equal(repaired->way, MEMO_REPAIR_ROWS);
    memo_repair_report_free(repaired);
    db_reopen(e, e->model);
    n = 0;
    assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
    assert_int_equal(n, 0);
    assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_compared, 1);
    assert_int_equal(report.n_linked, 0);
}

static void links_change(db_env *e, int change)
{
    const memo_text text = {boiler_text, strlen(boiler_text)};
    const memo_record_edit edit = {.size = sizeof edit, .text = &text};
    const char *ids[] = {"b"};
    const memo_forget_options forget = {.size = sizeof forget, .ids = ids, .n_ids = 1};
    const memo_shred_options shred = {.size = sizeof shred, .ids = ids, .n_ids = 1};
    memo_shred_report *shredded = NULL;
    uint64_t n = 0;
    if (change == 0) {
        db_add(e, "c", boiler_text);
    } else if (change == 1) {
        assert_memo_ok(memo_db_edit(e->db, NULL, "b", &edit, NULL, &e->err), e->err);
    } else if (change == 2) {
        assert_memo_ok(memo_db_forget(e->db, &forget, &n, NULL, &e->err), e->err);
        assert_int_equal(n, 1);
    } else {
        assert_memo_ok(memo_db_shred(e->db, &shred, &shredded, &e->err), e->err);
        assert_int_equal(shredded->n_forgotten, 1);
        assert_int_equal(shredded->n_found, 0);
        memo_shred_report_free(shredded);
    }
}

/* No change fails for the list of the newest, which is derived: the check tells who lost a sketch, and
 * after a repair what says the same is found again. */
static void test_links_change_beside_a_damaged_list(void **state)
{
    db_env *e = *state;
    const memo_repair_options options = {.size = sizeof options};
    for (int change = 0; change < 4; change++) {
        memo_repair_report *repaired = NULL;
        memo_link_report report = {.size = sizeof report};
        char other[27];
        int n = 0;
        db_add(e, "a", key_text);
        db_add(e, "b", "the bicycle was lent to a neighbour who has promised to bring it back");
        links_run_sql(e, "UPDATE tallies SET list = substr(list, 2) WHERE what = 0");
        links_change(e, change);
        assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
        assert_int_equal(n, 1);
        memo_db_close(e->db);
        e->db = NULL;
        assert_memo_ok(memo_db_repair(e->ctx, e->path, &options, &repaired, &e->err), e->err);
        assert_int_equal(repaired->way, MEMO_REPAIR_ROWS);
        memo_repair_report_free(repaired);
        db_reopen(e, e->model);
        n = 0;
        assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
        assert_int_equal(n, 0);
        assert_memo_ok(memo_db_link(e->db, NULL, &report, &e->err), e->err);
        assert_int_equal(report.n_compared, change == 0 ? 2 : 1); /* a, and b where it is left */
        db_add(e, "same", key_text);
        assert_int_equal(links_of(e, "same", 1, 0, other).kind, MEMO_LINK_DUPLICATE);
        db_teardown(state);
        db_setup(state);
    }
}

/* ---- echo ---------------------------------------------------------------------------------- */

static void test_links_mark_an_echo(void **state)
{
    db_env *e = *state;
    char other[27];
    memo_add_result key = db_add(e, "key", key_text), boiler = db_add(e, "boiler", boiler_text);
    (void)boiler;
    db_add(e, "before", key_text);
    links_search(e, e->db, "spare key garden gate", NULL, 1);
    assert_false(links_is_echo(e, "before"));
    e->now_ms += 599000;
    db_add(e, "echo", key_text);
    assert_true(links_is_echo(e, "echo"));
    memo_link link = links_of(e, "echo", 2, 0, other);
    link = link.kind == MEMO_LINK_ECHO ? link : links_of(e, "echo", 2, 1, other);
    assert_int_equal(link.kind, MEMO_LINK_ECHO);
    assert_true(strcmp(other, key.id) == 0 || other[0]);
    db_add(e, "other", boiler_text); /* was not shown */
    assert_false(links_is_echo(e, "other"));
    e->now_ms += 2000;
    db_add(e, "later", key_text);
    assert_false(links_is_echo(e, "later"));
}

/* What is joined of several passages is as much an echo; a third of its own makes it none. */
static void test_links_see_through_joined_passages(void **state)
{
    db_env *e = *state;
    char text[600];
    db_add(e, "key", key_text);
    db_add(e, "boiler", boiler_text);
    links_search(e, e->db, "spare key boiler", NULL, 2);
    snprintf(text, sizeof text, "%s. %s", boiler_text, key_text);
    db_add(e, "joined", text);
    assert_true(links_is_echo(e, "joined"));
    snprintf(text, sizeof text,
             "%s, and so we decided on a new lock with a code that only the "
             "neighbours and the children are to know from next week on",
             key_text);
    db_add(e, "own", text);
    assert_false(links_is_echo(e, "own"));
    db_add(e, "short", "under the third flower"); /* words that anybody may say */
    assert_false(links_is_echo(e, "short"));
}

static void test_links_spare_who_is_no_echo(void **state)
{
    db_env *e = *state;
    const int trusted = 1;
    const memo_write_options ann = {.size = sizeof ann, .actor = "ann"},
                             ben = {.size = sizeof ben, .actor = "ben"};
    char text[200];
    memo_record_in in = db_record("mine", key_text), more;
    db_add(e, "key", key_text);
    links_search(e, e->db, "spare key garden gate", "ann", 1);
    in.trust = &trusted;
    db_put(e, in);
    assert_false(links_is_echo(e, "mine"));
    in = db_record("mine", key_text); /* the trust stays, and the next version is none either */
    snprintf(text, sizeof text, "%s!", key_text);
    in.text = (memo_text){text, strlen(text)};
    db_put(e, in);
    assert_false(links_is_echo(e, "mine"));
    /* The record itself, changed a little. */
    snprintf(text, sizeof text, "%s again", key_text);
    links_search(e, e->db, "spare key garden gate", "ann", 1);
    in = db_record("ben", key_text);
    assert_memo_ok(memo_db_add(e->db, &ben, &in, 1, NULL, &e->err), e->err);
    assert_false(links_is_echo(e, "ben"));
    more = db_record("ann", key_text);
    assert_memo_ok(memo_db_add(e->db, &ann, &more, 1, NULL, &e->err), e->err);
    assert_true(links_is_echo(e, "ann"));
}

static void test_links_a_new_version_is_no_echo_of_the_old(void **state)
{
    db_env *e = *state;
    char text[200];
    const memo_text changed = {text, (size_t)snprintf(text, sizeof text, "%s again", key_text)};
    const memo_record_edit edit = {.size = sizeof edit, .text = &changed};
    db_add(e, "key", key_text);
    links_search(e, e->db, "spare key garden gate", NULL, 1);
    assert_memo_ok(memo_db_edit(e->db, NULL, "key", &edit, NULL, &e->err), e->err);
    assert_false(links_is_echo(e, "key"));
    links_none(e, "key");
}

/* Another handle's searches count once they are in the file. */
static void test_links_know_what_others_were_shown(void **state)
{
    db_env *e = *state;
    memo_db *other;
    db_add(e, "key", key_text);
    other = db_open_mode(e, e->model, MEMO_OPEN_CREATE);
    links_search(e, other, "spare key garden gate", NULL, 1);
    db_add(e, "unknown", key_text);
    assert_false(links_is_echo(e, "unknown"));
    assert_memo_ok(memo_db_flush(other, &e->err), e->err);
    db_add(e, "echo", key_text);
    assert_true(links_is_echo(e, "echo"));
    memo_db_close(other);
}

static void test_links_keep_an_echo_of_what_was_forgotten(void **state)
{
    db_env *e = *state;
    const char *id = "key";
    const memo_shred_options shred = {.size = sizeof shred, .ids = &id, .n_ids = 1};
    memo_shred_report *report = NULL;
    memo_audit *audit = NULL;
    char other[27];
    int n = 0;
    db_add(e, "key", key_text);
    links_search(e, e->db, "spare key garden gate", NULL, 1);
    db_add(e, "echo", key_text);
    assert_memo_ok(memo_db_shred(e->db, &shred, &report, &e->err), e->err);
    memo_shred_report_free(report);
    assert_true(links_is_echo(e, "echo"));
    assert_int_equal(links_of(e, "echo", 1, 0, other).kind, MEMO_LINK_ECHO);
    assert_string_equal(other, "");
    assert_memo_ok(memo_db_audit(e->db, NULL, &audit, &e->err), e->err);
    assert_int_equal(audit->counts[MEMO_AUDIT_ECHO], 1);
    assert_null(audit->findings[0].other);
    memo_audit_free(audit);
    assert_memo_ok(memo_store_check(e->db->store, links_note, &n, &e->err), e->err);
    assert_int_equal(n, 0);
}

static void test_links_are_a_filter(void **state)
{
    db_env *e = *state;
    memo_list_options o = {.size = sizeof o, .where = "echo = true"};
    memo_records *r = NULL;
    db_add(e, "key", key_text);
    links_search(e, e->db, "spare key garden gate", NULL, 1);
    db_add(e, "echo", key_text);
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_string_equal(r->records[0].key, "echo");
    memo_records_free(r);
    o.where = "{\"echo\": false}";
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_string_equal(r->records[0].key, "key");
    memo_records_free(r);
}

/* ---- lack of memory ------------------------------------------------------------------------ */

static memo_status links_do_all(db_env *e, int round, memo_err *err)
{
    char key[32];
    memo_links *links = NULL;
    memo_link_report report = {.size = sizeof report};
    const memo_link_settings settings = {.size = sizeof settings, .mode = MEMO_LINKS_NEAR};
    memo_link_settings stored = {.size = sizeof stored};
    const memo_write_options off = {.size = sizeof off, .links = MEMO_LINKS_OFF};
    memo_record_in in = db_record(key, key_text);
    snprintf(key, sizeof key, "a%d", round);
    memo_status status = memo_db_set_links(e->db, &settings, err);
    if (!status)
        status = memo_db_get_links(e->db, &stored, err);
    if (!status)
        status = memo_db_add(e->db, NULL, &in, 1, NULL, err);
    if (!status)
        status = memo_db_links(e->db, NULL, key, &links, err);
    memo_links_free(links);
    snprintf(key, sizeof key, "b%d", round);
    if (!status)
        status = memo_db_add(e->db, &off, &in, 1, NULL, err);
    return status ? status : memo_db_link(e->db, NULL, &report, err);
}

static void test_links_survive_lack_of_memory(void **state)
{
    db_env *e = *state;
    int done = 0;
    db_add(e, "key", key_text);
    assert_memo_ok(links_do_all(e, 0, &e->err), e->err);
    for (uint64_t at = 1; !done; at++) {
        int64_t live;
        memo_err err = {0};
        memo_status status;
        db_reopen(e, e->model); /* so that what was shown is read anew */
        links_search(e, e->db, "spare key garden gate", NULL, 3);
        links_search(e, e->db, "third flower pot", NULL, 3);
        live = memo_alloc_live();
        memo_alloc_fail_at(at, 0);
        status = links_do_all(e, (int)at, &err);
        memo_alloc_fail_at(0, 0);
        if (status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        done = status == MEMO_OK;
        memo_db_close(e->db);
        e->db = NULL;
        if (memo_alloc_live() >= live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        assert_true(at < 2000);
        e->db = db_open_mode(e, e->model, MEMO_OPEN_CREATE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_links_tell_the_same_and_the_near),
        db_test(test_links_stay_within_a_namespace),
        db_test(test_links_know_texts_without_words),
        db_test(test_links_are_those_of_all_pairs),
        db_test(test_links_follow_the_text),
        db_test(test_links_go_with_a_record),
        db_test(test_links_of_many_vectors_wait),
        db_test(test_links_can_be_cancelled_between_groups),
        db_test(test_links_survive_lost_sketches),
        db_test(test_links_change_beside_a_damaged_list),
        db_test(test_links_mark_an_echo),
        db_test(test_links_see_through_joined_passages),
        db_test(test_links_spare_who_is_no_echo),
        db_test(test_links_a_new_version_is_no_echo_of_the_old),
        db_test(test_links_know_what_others_were_shown),
        db_test(test_links_keep_an_echo_of_what_was_forgotten),
        db_test(test_links_are_a_filter),
        db_test(test_links_survive_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
