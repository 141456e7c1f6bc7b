// SPDX-License-Identifier: Apache-2.0
/* The history of searches, actions and their undoing. */
#include "feedback_util.h"

#include "memory/db.h"
#include "store/store_inner.h"

/* ---- short forms --------------------------------------------------------------------------- */

/* The first hit's id in `first` (or NULL), the search's id in `id`. */
static size_t search_as(db_env *e, const char *query, memo_search_options o, char *id, char *first)
{
    memo_hits *hits = NULL;
    size_t n;
    o.size = sizeof o;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR(query), &o, &hits, &e->err), e->err);
    n = hits->n;
    if (id)
        memcpy(id, hits->search_id, MEMO_ID_BYTES);
    if (first && n)
        memcpy(first, hits->hits[0].id, MEMO_ID_BYTES);
    memo_hits_free(hits);
    return n;
}

static void search(db_env *e, const char *query, char *id)
{
    search_as(e, query, (memo_search_options){0}, id, NULL);
}

static int64_t count(db_env *e, const char *sql)
{
    int64_t n = -1;
    assert_memo_ok(memo_sql_int(&e->db->store->sql, sql, &n, &e->err), e->err);
    return n;
}

static void flush(db_env *e)
{
    assert_memo_ok(memo_db_flush(e->db, &e->err), e->err);
}

/* ---- searches ------------------------------------------------------------------------------ */

static void test_search_is_kept_with_what_it_showed(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES], first[MEMO_ID_BYTES];
    notes(e);
    const memo_search_options o = {.actor = "anna", .surface = "chat", .where = "key != 'milk'"};
    assert_int_equal(search_as(e, "tea", o, id, first), 2);
    assert_int_equal(strlen(id), MEMO_ID_BYTES - 1);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 0); /* nothing is written by it */
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches WHERE actor = 'anna' AND query = 'tea'"
                              " AND surface = 'chat' AND filter = 'key != ''milk''' AND mode = 0"
                              " AND space > 0"),
                     1);
    assert_int_equal(count(e, "SELECT count(*) FROM shown"), 2);
    assert_int_equal(count(e, "SELECT count(*) FROM shown s JOIN chunks c ON c.cid = s.cid"
                              " WHERE c.rid = s.rid"),
                     2);
    assert_int_equal(count(e, "SELECT min(length(features)) FROM shown"),
                     (2 * MEMO_N_LANES + 1) * 4);
    memo_records *record = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, first, &record, &e->err), e->err);
    assert_int_equal(count(e, "SELECT s.rid = r.rid FROM shown s, records r WHERE s.position = 1"
                              " AND r.id = (SELECT id FROM records WHERE key = 'tea')"),
                     strcmp(record->records[0].key, "tea") == 0);
    memo_records_free(record);
    flush(e); /* nothing twice */
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 1);
}

/* The layout that event_rows.h states: rank and score of each lane, then the score. */
static void test_search_features_are_little_endian_singles(void **state)
{
    db_env *e = *state;
    memo_hits *hits = NULL;
    memo_stmt st;
    int row;
    notes(e);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("tea"), NULL, &hits, &e->err), e->err);
    flush(e);
    st = memo_stmt_once(&e->db->store->sql, "SELECT features FROM shown ORDER BY position", "test");
    for (size_t i = 0; i < hits->n; i++) {
        float wanted[2 * MEMO_N_LANES + 1], found[2 * MEMO_N_LANES + 1];
        assert_memo_ok(memo_stmt_step(&st, &row, &e->err), e->err);
        const unsigned char *p = sqlite3_column_blob(st.s, 0);
        for (int j = 0; j < 2 * MEMO_N_LANES + 1; j++) {
            uint32_t bits = (uint32_t)p[4 * j] | (uint32_t)p[4 * j + 1] << 8 |
                            (uint32_t)p[4 * j + 2] << 16 | (uint32_t)p[4 * j + 3] << 24;
            memcpy(&found[j], &bits, sizeof bits);
        }
        for (int lane = 0; lane < MEMO_N_LANES; lane++) {
            wanted[2 * lane] = (float)hits->hits[i].lanes[lane].rank;
            wanted[2 * lane + 1] = (float)hits->hits[i].lanes[lane].score;
        }
        wanted[2 * MEMO_N_LANES] = (float)hits->hits[i].score;
        assert_memory_equal(found, wanted, sizeof wanted);
    }
    memo_stmt_done(&st);
    memo_hits_free(hits);
}

/* What a context only considered was not shown: nobody has seen it. */
static void test_context_is_kept_with_what_it_shows(void **state)
{
    db_env *e = *state;
    memo_context_options o = {
        .size = sizeof o, .budget_tokens = 8, .actor = "anna", .surface = "chat"};
    memo_context *context = NULL;
    char sql[160];
    notes(e);
    do { /* room for some and not for all */
        memo_context_free(context);
        o.no_log = 1;
        o.budget_tokens += 4;
        assert_memo_ok(memo_db_context(e->db, MEMO_STR("tea"), &o, &context, &e->err), e->err);
    } while (context->n_passages == 0);
    memo_context_free(context);
    o.no_log = 0;
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("tea"), &o, &context, &e->err), e->err);
    assert_true(context->n_passages > 0 && context->n_left_out > 0);
    flush(e);
    snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM searches WHERE id = '%s' AND actor = 'anna' AND surface = 'chat'",
        context->search_id);
    assert_int_equal(count(e, sql), 1);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 1);
    assert_int_equal(count(e, "SELECT count(*) FROM shown"), context->n_passages);
    for (size_t i = 0; i < context->n_passages; i++) {
        snprintf(sql, sizeof sql,
                 "SELECT position FROM shown JOIN records USING(rid) WHERE id = '%s'",
                 context->passages[i].id);
        assert_int_equal(count(e, sql), i + 1);
    }
    memo_context_free(context);
    o.no_log = 1;
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("tea"), &o, &context, &e->err), e->err);
    assert_string_equal(context->search_id, "");
    memo_context_free(context);
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 1);
}

static void test_searches_are_written_with_the_next_change(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    notes(e);
    search(e, "tea", id);
    db_add(e, "more", "more tea");
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 1);
}

static void test_searches_are_written_in_groups_and_at_close(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    notes(e);
    for (int i = 0; i < 257; i++)
        search(e, "tea", id);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 256);
    db_reopen(e, e->model);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 257);
}

/* SQLite's own words for how hard its commits are: 1 syncs none of them, 2 each. */
static void test_search_does_not_sync_and_a_change_does(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    notes(e);
    assert_int_equal(count(e, "PRAGMA synchronous"), 2);
    for (int i = 0; i < 300; i++)
        search(e, "tea", id);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 256);
    assert_int_equal(count(e, "PRAGMA synchronous"), 1);
    flush(e);
    assert_int_equal(count(e, "PRAGMA synchronous"), 2);
    search(e, "tea", id);
    db_add(e, "more", "more tea"); /* is synced, and then the search is written without */
    assert_int_equal(count(e, "PRAGMA synchronous"), 1);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_int_equal(count(e, "PRAGMA synchronous"), 2);
    memo_store_rollback(e->db->store);
}

/* What is committed without a sync is there for others at once, and their changes come after it. */
static void test_searches_are_seen_by_others_at_once(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    int64_t n = 0;
    memo_db *other;
    memo_record_in in = db_record("other", "tea of somebody else");
    notes(e);
    other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 257; i++)
            search(e, "tea", id);
        assert_memo_ok(
            memo_sql_int(&other->store->sql, "SELECT count(*) FROM searches", &n, &e->err), e->err);
        assert_int_equal(n, 257 * (round - 1) + 256);
        assert_memo_ok(memo_db_add(other, NULL, &in, 1, NULL, &e->err), e->err);
        in.key = round == 1 ? "more" : "most";
        assert_memo_ok(memo_db_flush(e->db, &e->err), e->err);
        assert_memo_ok(
            memo_sql_int(&other->store->sql, "SELECT count(*) FROM searches", &n, &e->err), e->err);
        assert_int_equal(n, 257 * round);
    }
    memo_db_close(other);
}

static void test_searches_of_many_hits_are_written_sooner(void **state)
{
    db_env *e = *state;
    memo_record_in in[700];
    char keys[700][16], id[MEMO_ID_BYTES];
    const memo_search_options all = {.k = 1000, .mode = MEMO_SEARCH_DENSE};
    for (size_t i = 0; i < 700; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        in[i] = db_record(keys[i], "tea");
    }
    assert_memo_ok(memo_db_add(e->db, NULL, in, 700, NULL, &e->err), e->err);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(search_as(e, "tea", all, id, NULL), 700);
        assert_int_equal(strlen(id), MEMO_ID_BYTES - 1);
    }
    assert_true(count(e, "SELECT count(*) FROM searches") > 0);
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 20);
    assert_int_equal(count(e, "SELECT count(*) FROM shown"), 20 * 700);
}

static void test_search_is_not_kept_when_it_is_off(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    memo_search_log log = {.size = sizeof log, .off = 1};
    notes(e);
    search_as(e, "tea", (memo_search_options){.no_log = 1}, id, NULL);
    assert_string_equal(id, "");
    assert_memo_ok(memo_db_set_search_log(e->db, &log, &e->err), e->err);
    search(e, "tea", id);
    assert_string_equal(id, "");
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 0);
    log = (memo_search_log){.size = sizeof log};
    assert_memo_ok(memo_db_get_search_log(e->db, &log, &e->err), e->err);
    assert_int_equal(log.off, 1);
    assert_int_equal(log.max_searches, 100000);
}

static void test_search_on_a_reader_is_not_kept(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES] = "x";
    notes(e);
    memo_db_close(e->db);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_READ_ONLY);
    search(e, "tea", id);
    assert_string_equal(id, "");
    flush(e);
    assert_memo_status(act(e, (memo_action_in){.kind = MEMO_ACTION_ACCEPT, .id = "tea"}, NULL),
                       MEMO_ERR_IO, e->err);
}

/* While somebody else writes, searches wait in memory. */
static void test_searches_wait_for_a_writer(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    memo_db *other;
    notes(e);
    other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_ok(memo_store_begin_write(other->store, &e->err), e->err);
    for (int i = 0; i < 260; i++)
        search(e, "tea", id);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 0);
    memo_store_rollback(other->store);
    memo_db_close(other);
    search(e, "tea", id);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 260);
}

static void test_old_searches_go(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    memo_search_log log = {.size = sizeof log, .max_searches = 3};
    notes(e);
    assert_memo_ok(memo_db_set_search_log(e->db, &log, &e->err), e->err);
    for (int i = 0; i < 5; i++)
        search(e, "tea", id);
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 3);
    assert_int_equal(count(e, "SELECT min(sid) FROM shown"), 3);
    log = (memo_search_log){.size = sizeof log, .max_days = 36501};
    assert_memo_status(memo_db_set_search_log(e->db, &log, &e->err), MEMO_ERR_VALUE, e->err);
    log = (memo_search_log){.size = sizeof log, .max_days = 2};
    assert_memo_ok(memo_db_set_search_log(e->db, &log, &e->err), e->err);
    e->now_ms += INT64_C(3) * 24 * 3600 * 1000;
    search(e, "tea", id);
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 1);
}

static void test_forgotten_record_was_shown_nowhere(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES], action[MEMO_ID_BYTES];
    const char *gone[] = {"tea"};
    const memo_forget_options forget = {.size = sizeof forget, .ids = gone, .n_ids = 1};
    notes(e);
    search(e, "tea", id);
    flush(e);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_ACCEPT, .id = "tea"}, action),
                   e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_ACCEPT, .id = "cup"}, action),
                   e->err);
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_REJECT_PAIR, .id = "cup", .other = "tea"},
            action),
        e->err);
    search(e, "tea", id); /* still in memory when the record goes */
    assert_memo_ok(memo_db_forget(e->db, &forget, NULL, NULL, &e->err), e->err);
    flush(e);
    assert_int_equal(count(e, "SELECT count(*) FROM searches"), 2);
    assert_int_equal(
        count(e, "SELECT count(*) FROM shown WHERE rid NOT IN (SELECT rid FROM records)"), 0);
    assert_true(count(e, "SELECT count(*) FROM shown") > 0);
    assert_int_equal(count(e, "SELECT count(*) FROM actions"), 1);
}

/* ---- actions ------------------------------------------------------------------------------- */

static void test_action_is_kept_with_its_search(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES], action[MEMO_ID_BYTES];
    memo_actions *actions = NULL;
    memo_action_query q = {.size = sizeof q};
    notes(e);
    search(e, "tea", id);
    assert_memo_ok(act(e,
                       (memo_action_in){.search_id = id,
                                        .kind = MEMO_ACTION_CITE,
                                        .id = "cup",
                                        .actor = "anna",
                                        .detail = "in the answer"},
                       action),
                   e->err);
    e->now_ms += 10;
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_OPEN, .id = "tea"}, action), e->err);
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 2);
    assert_int_equal(actions->actions[0].kind, MEMO_ACTION_OPEN); /* newest first */
    assert_string_equal(actions->actions[0].search_id, "");
    assert_string_equal(actions->actions[1].search_id, id);
    assert_string_equal(actions->actions[1].actor, "anna");
    assert_string_equal(actions->actions[1].detail, "in the answer");
    assert_int_equal(actions->actions[1].version, 1);
    memo_actions_free(actions);
    q.search_id = id;
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 1);
    memo_actions_free(actions);
    q = (memo_action_query){.size = sizeof q, .id = "tea"};
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 1);
    memo_actions_free(actions);
    q = (memo_action_query){.size = sizeof q, .since_ms = DB_NOW, .until_ms = DB_NOW + 10};
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 1);
    assert_int_equal(actions->actions[0].kind, MEMO_ACTION_CITE);
    memo_actions_free(actions);
    q = (memo_action_query){.size = sizeof q, .limit = 1};
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 1);
    char after[32];
    snprintf(after, sizeof after, "%s", actions->next);
    memo_actions_free(actions);
    q.after = after;
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 1);
    assert_int_equal(actions->actions[0].kind, MEMO_ACTION_CITE);
    assert_null(actions->next);
    memo_actions_free(actions);
}

static void test_action_on_what_is_not_there_is_refused(void **state)
{
    db_env *e = *state;
    notes(e);
    const struct {
        memo_action_in in;
        memo_status wanted;
    } bad[] = {
        {{.kind = MEMO_ACTION_ACCEPT, .id = "nothing"}, MEMO_ERR_NOTFOUND},
        {{.kind = MEMO_ACTION_ACCEPT, .id = "tea", .search_id = "nothing"}, MEMO_ERR_NOTFOUND},
        {{.kind = MEMO_ACTION_ACCEPT, .id = "tea", .ns = "other"}, MEMO_ERR_NOTFOUND},
        {{.kind = MEMO_ACTION_MERGE, .id = "tea"}, MEMO_ERR_VALUE},
        {{.kind = MEMO_ACTION_MERGE, .id = "tea", .other = "tea"}, MEMO_ERR_VALUE},
        {{.kind = MEMO_ACTION_ACCEPT, .id = "tea", .other = "cup"}, MEMO_ERR_VALUE},
        {{.kind = MEMO_N_ACTIONS, .id = "tea"}, MEMO_ERR_VALUE},
        {{.kind = MEMO_ACTION_ACCEPT}, MEMO_ERR_USAGE},
        {{.kind = MEMO_ACTION_ACCEPT, .id = "tea", .actor = "\xff"}, MEMO_ERR_VALUE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_memo_status(act(e, bad[i].in, NULL), bad[i].wanted, e->err);
    assert_int_equal(count(e, "SELECT count(*) FROM actions"), 0);
    assert_memo_status(memo_db_undo(e->db, "nothing", &e->err), MEMO_ERR_NOTFOUND, e->err);
}

static void test_undo_brings_back_what_was_hidden(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES], merge[MEMO_ID_BYTES];
    memo_actions *actions = NULL;
    const memo_action_query q = {.size = sizeof q};
    const int64_t later = DB_NOW + 100000;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &later};
    notes(e);
    assert_memo_ok(memo_db_edit(e->db, NULL, "tea", &edit, NULL, &e->err), e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "tea"}, action),
                   e->err);
    assert_true(is_hidden(e, "tea"));
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "cup", .other = "milk"}, merge),
        e->err);
    assert_true(is_hidden(e, "milk") && !is_hidden(e, "cup"));
    e->now_ms += 5;
    assert_memo_ok(memo_db_undo(e->db, action, &e->err), e->err);
    assert_memo_ok(memo_db_undo(e->db, merge, &e->err), e->err);
    assert_false(is_hidden(e, "tea") || is_hidden(e, "milk"));
    memo_records *record = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, "tea", &record, &e->err), e->err);
    assert_int_equal(record->records[0].expires_ms, later);
    memo_records_free(record);
    char first[MEMO_ID_BYTES], id[MEMO_ID_BYTES];
    assert_int_equal(search_as(e, "tea leaves", (memo_search_options){0}, id, first), 3);
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->actions[0].undone_ms, DB_NOW + 5);
    memo_actions_free(actions);
    assert_memo_status(memo_db_undo(e->db, action, &e->err), MEMO_ERR_VALUE, e->err);
}

static void test_undo_does_not_overwrite_what_came_after(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES];
    const memo_record_edit edit = {.size = sizeof edit, .title = "new"};
    notes(e);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "tea"}, action),
                   e->err);
    assert_memo_ok(memo_db_edit(e->db, NULL, "tea", &edit, NULL, &e->err), e->err);
    assert_memo_status(memo_db_undo(e->db, action, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "changed since");
    const char *ids[] = {"tea"};
    const memo_forget_options forget = {.size = sizeof forget, .ids = ids, .n_ids = 1};
    assert_memo_ok(memo_db_forget(e->db, &forget, NULL, NULL, &e->err), e->err);
    assert_memo_status(memo_db_undo(e->db, action, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "its text");
}

static void test_undo_of_an_edit_restores_the_version_before(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES];
    memo_records *record = NULL;
    const memo_text text = MEMO_STR("coffee in the red tin");
    const memo_record_edit edit = {.size = sizeof edit, .text = &text};
    notes(e);
    assert_memo_ok(memo_db_edit(e->db, NULL, "tea", &edit, NULL, &e->err), e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_EDIT, .id = "tea"}, action), e->err);
    assert_memo_ok(memo_db_undo(e->db, action, &e->err), e->err);
    assert_memo_ok(memo_db_get(e->db, NULL, "tea", &record, &e->err), e->err);
    assert_string_equal(record->records[0].text.bytes, "tea leaves in the blue tin");
    assert_int_equal(record->records[0].version, 3);
    memo_records_free(record);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_EDIT, .id = "cup"}, action), e->err);
    assert_memo_status(memo_db_undo(e->db, action, &e->err), MEMO_ERR_VALUE, e->err);
}

static memo_status nothing_more(void *user, memo_err *err)
{
    (void)user, (void)err;
    return MEMO_OK;
}

/* Between the look at the version and the write another writer may change the record. */
static void test_undo_of_an_edit_leaves_a_newer_text(void **state)
{
    db_env *e = *state;
    const memo_ingest_also also = {nothing_more, NULL};
    memo_records *record = NULL;
    static const char *const texts[] = {"coffee in the red tin", "cocoa in the green tin"};
    notes(e);
    for (int i = 0; i < 2; i++) {
        const memo_text text = {texts[i], strlen(texts[i])};
        const memo_record_edit edit = {.size = sizeof edit, .text = &text};
        assert_memo_ok(memo_db_edit(e->db, NULL, "tea", &edit, NULL, &e->err), e->err);
    }
    assert_memo_status(memo_db_restore_also(e->db, NULL, "tea", 2, &also, &e->err), MEMO_ERR_VALUE,
                       e->err);
    assert_contains(e->err.message, "changed since");
    assert_memo_ok(memo_db_get(e->db, NULL, "tea", &record, &e->err), e->err);
    assert_string_equal(record->records[0].text.bytes, texts[1]);
    memo_records_free(record);
}

static void test_damaged_action_is_left_out_and_named(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES];
    memo_actions *actions = NULL;
    const memo_action_query q = {.size = sizeof q};
    notes(e);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_ACCEPT, .id = "tea"}, action),
                   e->err);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(
        memo_sql_exec(&e->db->store->sql, "UPDATE actions SET kind = 2", "test", &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
    assert_int_equal(actions->n, 0);
    assert_int_equal(actions->n_damaged, 1);
    assert_contains(actions->damaged[0], action);
    memo_actions_free(actions);
    assert_memo_status(memo_db_undo(e->db, action, &e->err), MEMO_ERR_CORRUPT, e->err);
}

/* ---- searches read back -------------------------------------------------------------------- */

static memo_searches *searches_of(db_env *e, memo_searches_query q)
{
    memo_searches *searches = NULL;
    q.size = sizeof q;
    assert_memo_ok(memo_db_searches(e->db, &q, &searches, &e->err), e->err);
    return searches;
}

/* What comes back is what the hits said, in single precision. */
static void test_searches_read_back_what_was_shown(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES];
    memo_hits *hits = NULL;
    const memo_search_options o = {
        .size = sizeof o, .actor = "anna", .surface = "chat", .where = "key exists"};
    notes(e);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("tea"), &o, &hits, &e->err), e->err);
    assert_true(hits->n > 1);
    const memo_action_in in = {.size = sizeof in,
                               .search_id = hits->search_id,
                               .kind = MEMO_ACTION_CITE,
                               .id = hits->hits[1].id};
    assert_memo_ok(memo_db_feedback(e->db, &in, action, &e->err), e->err);
    memo_searches *s = searches_of(e, (memo_searches_query){0});
    assert_int_equal(s->n, 1);
    assert_null(s->next);
    const memo_search_event *event = &s->searches[0];
    assert_string_equal(event->id, hits->search_id);
    assert_int_equal(event->at_ms, e->now_ms);
    assert_string_equal(event->query, "tea");
    assert_string_equal(event->where, "key exists");
    assert_string_equal(event->actor, "anna");
    assert_string_equal(event->surface, "chat");
    assert_string_equal(event->query_class, hits->query_class);
    assert_int_equal(event->mode, hits->mode);
    assert_int_equal(event->n_shown, hits->n);
    for (size_t i = 0; i < hits->n; i++) {
        const memo_hit *hit = &hits->hits[i];
        const memo_shown *shown = &event->shown[i];
        assert_int_equal(shown->position, i + 1);
        assert_string_equal(shown->id, hit->id);
        assert_int_equal(shown->chunk, hit->chunk);
        assert_true((float)shown->score == (float)hit->score);
        for (int lane = 0; lane < MEMO_N_LANES; lane++) {
            assert_int_equal(shown->lanes[lane].rank, hit->lanes[lane].rank);
            assert_true((float)shown->lanes[lane].score == (float)hit->lanes[lane].score);
        }
    }
    assert_int_equal(event->n_actions, 1);
    assert_string_equal(event->actions[0].id, action);
    assert_string_equal(event->actions[0].record, hits->hits[1].id);
    memo_searches_free(s);
    memo_hits_free(hits);
}

static void test_searches_come_in_pages_and_by_record(void **state)
{
    db_env *e = *state;
    char id[MEMO_ID_BYTES];
    memo_searches *s = NULL;
    const memo_searches_query many = {.size = sizeof many, .limit = 1001},
                              nobody = {.size = sizeof nobody, .search_id = "nobody"};
    notes(e);
    for (int i = 0; i < 5; i++) {
        e->now_ms += 1000;
        search(e, i % 2 ? "tea" : "milk", id);
    }
    assert_memo_ok(memo_db_flush(e->db, &e->err), e->err);
    s = searches_of(e, (memo_searches_query){.limit = 3});
    assert_int_equal(s->n, 3);
    assert_string_equal(s->searches[0].query, "milk");
    assert_string_equal(s->searches[1].query, "tea");
    memo_searches *rest = searches_of(e, (memo_searches_query){.limit = 3, .after = s->next});
    assert_int_equal(rest->n, 2);
    assert_null(rest->next);
    memo_searches_free(rest);
    memo_searches_free(s);
    s = searches_of(e, (memo_searches_query){.since_ms = e->now_ms - 1000, .until_ms = e->now_ms});
    assert_int_equal(s->n, 1);
    memo_searches_free(s);
    s = searches_of(e, (memo_searches_query){.search_id = id});
    assert_int_equal(s->n, 1);
    memo_searches_free(s);
    s = NULL;
    assert_int_equal(memo_db_searches(e->db, &many, &s, &e->err), MEMO_ERR_LIMIT);
    assert_int_equal(memo_db_searches(e->db, &nobody, &s, &e->err), MEMO_ERR_NOTFOUND);
    assert_null(s);
}

static void test_damaged_search_is_left_out_and_named(void **state)
{
    db_env *e = *state;
    char first[MEMO_ID_BYTES], second[MEMO_ID_BYTES];
    notes(e);
    search(e, "tea", first);
    search(e, "milk", second);
    assert_memo_ok(memo_db_flush(e->db, &e->err), e->err);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_sql_exec(&e->db->store->sql,
                                 "UPDATE searches SET query = 'coffee' WHERE sid = 1;"
                                 "UPDATE shown SET position = 9 WHERE sid = 2 AND position = 1",
                                 "harm it", &e->err),
                   e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    memo_searches *s = searches_of(e, (memo_searches_query){0});
    assert_int_equal(s->n, 1);
    assert_string_equal(s->searches[0].id, second);
    assert_int_equal(s->searches[0].shown[0].position, 2);
    assert_int_equal(s->n_damaged, 2);
    assert_non_null(strstr(s->damaged[0], first));
    memo_searches_free(s);
}

/* ---- memory -------------------------------------------------------------------------------- */

static memo_status sweep_feedback(void *user, memo_err *err)
{
    db_env *e = user;
    char action[MEMO_ID_BYTES];
    memo_hits *hits = NULL;
    memo_actions *actions = NULL;
    memo_searches *searches = NULL;
    const memo_searches_query by_record = {.size = sizeof by_record, .id = "milk"};
    const memo_action_query q = {.size = sizeof q, .id = "tea"};
    e->now_ms--; /* what a failed round has hidden is not hidden yet */
    memo_status status = memo_db_search(e->db, MEMO_STR("tea"), NULL, &hits, err);
    memo_action_in in = {.size = sizeof in, .kind = MEMO_ACTION_DELETE, .id = "tea", .actor = "a"};
    in.search_id = status ? NULL : hits->search_id;
    if (!status)
        status = memo_db_feedback(e->db, &in, action, err);
    if (!status)
        status = memo_db_actions(e->db, &q, &actions, err);
    if (!status)
        status = memo_db_undo(e->db, action, err);
    if (!status)
        status = memo_db_flush(e->db, err);
    if (!status)
        status = memo_db_searches(e->db, &by_record, &searches, err);
    memo_searches_free(searches);
    memo_actions_free(actions);
    memo_hits_free(hits);
    return status;
}

static void test_every_failing_allocation_is_told(void **state)
{
    db_env *e = *state;
    memo_err err = {0};
    notes(e);
    assert_memo_ok(sweep_feedback(e, &err), err); /* statements are made once and kept */
    assert_true(memo_test_alloc_sweep(sweep_feedback, e) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_search_is_kept_with_what_it_showed),
        db_test(test_search_features_are_little_endian_singles),
        db_test(test_context_is_kept_with_what_it_shows),
        db_test(test_searches_are_written_with_the_next_change),
        db_test(test_searches_are_written_in_groups_and_at_close),
        db_test(test_search_does_not_sync_and_a_change_does),
        db_test(test_searches_are_seen_by_others_at_once),
        db_test(test_searches_of_many_hits_are_written_sooner),
        db_test(test_search_is_not_kept_when_it_is_off),
        db_test(test_search_on_a_reader_is_not_kept),
        db_test(test_searches_wait_for_a_writer),
        db_test(test_old_searches_go),
        db_test(test_forgotten_record_was_shown_nowhere),
        db_test(test_action_is_kept_with_its_search),
        db_test(test_action_on_what_is_not_there_is_refused),
        db_test(test_undo_brings_back_what_was_hidden),
        db_test(test_undo_does_not_overwrite_what_came_after),
        db_test(test_undo_of_an_edit_restores_the_version_before),
        db_test(test_undo_of_an_edit_leaves_a_newer_text),
        db_test(test_damaged_action_is_left_out_and_named),
        db_test(test_searches_read_back_what_was_shown),
        db_test(test_searches_come_in_pages_and_by_record),
        db_test(test_damaged_search_is_left_out_and_named),
        db_test(test_every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
