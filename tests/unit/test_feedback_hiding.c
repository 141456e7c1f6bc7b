// SPDX-License-Identifier: Apache-2.0
/* Records that delete and merge have hidden: what spares them, and how they come back. */
#include "feedback_util.h"

#include "memory/db.h"
#include "store/store_inner.h"

/* What is hidden can be brought back: it is not among what has expired. */
static void test_hidden_records_are_not_forgotten_as_expired(void **state)
{
    db_env *e = *state;
    const int64_t soon = DB_NOW + 10;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &soon};
    const memo_forget_options forget = {.size = sizeof forget, .expired = 1};
    memo_records *record = NULL;
    char merge[MEMO_ID_BYTES], removed[MEMO_ID_BYTES];
    uint64_t n = 9;
    notes(e);
    db_add(e, "jam", "jam of plums");
    assert_memo_ok(memo_db_edit(e->db, NULL, "jam", &edit, NULL, &e->err), e->err);
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "cup", .other = "tea"}, merge),
        e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "milk"}, removed),
                   e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "jam"}, NULL), e->err);
    e->now_ms++;
    assert_memo_status(memo_db_get(e->db, NULL, "tea", &record, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    assert_contains(e->err.hint, "--undo");
    assert_memo_ok(memo_db_forget(e->db, &forget, &n, NULL, &e->err), e->err);
    assert_int_equal(n, 0);
    assert_memo_ok(memo_db_undo(e->db, merge, &e->err), e->err);
    assert_memo_ok(memo_db_undo(e->db, removed, &e->err), e->err);
    assert_false(is_hidden(e, "tea") || is_hidden(e, "milk"));
    e->now_ms = soon; /* now it would have expired without the action */
    assert_memo_ok(memo_db_forget(e->db, &forget, &n, NULL, &e->err), e->err);
    assert_int_equal(n, 1);
}

/* Nothing takes the place of another that is not seen itself, and nothing is hidden twice. */
static void test_what_is_hidden_is_not_merged_or_hidden_again(void **state)
{
    db_env *e = *state;
    char merge[MEMO_ID_BYTES], removed[MEMO_ID_BYTES];
    notes(e);
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "tea", .other = "milk"}, merge),
        e->err);
    e->now_ms++;
    const memo_action_in hidden_by_merge[] = {
        {.kind = MEMO_ACTION_MERGE, .id = "milk", .other = "tea"}, /* round */
        {.kind = MEMO_ACTION_MERGE, .id = "cup", .other = "milk"},
        {.kind = MEMO_ACTION_DELETE, .id = "milk"},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_memo_status(act(e, hidden_by_merge[i], NULL), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.message, "hidden already");
        assert_contains(e->err.hint, merge);
    }
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_CITE, .id = "milk"}, NULL), e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "cup"}, removed),
                   e->err);
    const memo_action_in hidden_by_delete[] = {
        {.kind = MEMO_ACTION_MERGE, .id = "cup", .other = "tea"},
        {.kind = MEMO_ACTION_MERGE, .id = "tea", .other = "cup"},
        {.kind = MEMO_ACTION_DELETE, .id = "cup"},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_memo_status(act(e, hidden_by_delete[i], NULL), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.hint, removed);
    }
    assert_false(is_hidden(e, "tea"));
    assert_memo_ok(memo_db_undo(e->db, merge, &e->err), e->err); /* now it may */
    assert_memo_ok(act(e, hidden_by_merge[0], merge), e->err);
    assert_true(is_hidden(e, "tea") && !is_hidden(e, "milk"));
    assert_memo_ok(memo_db_undo(e->db, removed, &e->err), e->err);
    assert_memo_ok(memo_db_undo(e->db, merge, &e->err), e->err);
    assert_false(is_hidden(e, "tea") || is_hidden(e, "milk") || is_hidden(e, "cup"));
}

/* What expired of itself stays in nobody's place, but may go into that of another. */
static void test_expired_record_takes_no_others_place(void **state)
{
    db_env *e = *state;
    const int64_t soon = DB_NOW + 10;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &soon};
    notes(e);
    assert_memo_ok(memo_db_edit(e->db, NULL, "tea", &edit, NULL, &e->err), e->err);
    e->now_ms = soon;
    assert_memo_status(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "tea", .other = "cup"}, NULL),
        MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "has expired");
    assert_false(is_hidden(e, "cup"));
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "cup", .other = "tea"}, NULL),
        e->err);
}

/* The list of a record's actions names what has hidden it, on whichever side it stood. */
static void test_actions_of_a_record_are_those_with_it_as_the_other_too(void **state)
{
    db_env *e = *state;
    char merge[MEMO_ID_BYTES];
    memo_actions *actions = NULL;
    notes(e);
    assert_memo_ok(
        act(e, (memo_action_in){.kind = MEMO_ACTION_MERGE, .id = "tea", .other = "cup"}, merge),
        e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_CITE, .id = "milk"}, NULL), e->err);
    for (int i = 0; i < 2; i++) {
        const memo_action_query q = {.size = sizeof q, .id = i ? "cup" : "tea"};
        assert_memo_ok(memo_db_actions(e->db, &q, &actions, &e->err), e->err);
        assert_int_equal(actions->n, 1);
        assert_string_equal(actions->actions[0].id, merge);
        memo_actions_free(actions);
    }
}

static void test_pinned_record_is_not_hidden(void **state)
{
    db_env *e = *state;
    const int pinned = 1;
    memo_record_in in = db_record("goal", "drink more tea");
    in.pinned = &pinned;
    db_put(e, in);
    assert_memo_status(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "goal"}, NULL),
                       MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "pinned");
}

/* ---- the record that stays is forgotten ------------------------------------------------------- */

static int64_t expiry_of(db_env *e, const char *key)
{
    memo_records *record = NULL;
    int64_t expires_ms;
    assert_memo_ok(memo_db_get(e->db, NULL, key, &record, &e->err), e->err);
    expires_ms = record->records[0].expires_ms;
    memo_records_free(record);
    return expires_ms;
}

static void merge(db_env *e, const char *id, const char *other, char *action)
{
    const memo_action_in in = {.kind = MEMO_ACTION_MERGE, .id = id, .other = other};
    assert_memo_ok(act(e, in, action), e->err);
    assert_true(is_hidden(e, other));
    e->now_ms++;
}

static uint64_t forget(db_env *e, memo_forget_options o)
{
    uint64_t n = 0;
    o.size = sizeof o;
    assert_memo_ok(memo_db_forget(e->db, &o, &n, NULL, &e->err), e->err);
    return n;
}

/* Its action goes with it; what it had taken the place of is nobody's copy any more. */
static void test_forgetting_what_stayed_shows_what_it_was_merged_with(void **state)
{
    db_env *e = *state;
    const char *tea[] = {"tea"}, *cup[] = {"cup"};
    const int64_t later = DB_NOW + 100000;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &later};
    memo_hits *hits = NULL;
    notes(e);
    assert_memo_ok(memo_db_edit(e->db, NULL, "milk", &edit, NULL, &e->err), e->err);
    merge(e, "tea", "milk", NULL);
    merge(e, "tea", "cup", NULL);
    assert_int_equal(forget(e, (memo_forget_options){.ids = tea, .n_ids = 1, .dry_run = 1}), 1);
    assert_true(is_hidden(e, "milk") && is_hidden(e, "cup"));
    assert_int_equal(forget(e, (memo_forget_options){.ids = tea, .n_ids = 1}), 1);
    assert_int_equal(expiry_of(e, "milk"), later);
    assert_int_equal(expiry_of(e, "cup"), 0);
    e->now_ms++;
    assert_int_equal(forget(e, (memo_forget_options){.expired = 1}), 0);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("fridge"), NULL, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 2);
    memo_hits_free(hits);
    assert_int_equal(forget(e, (memo_forget_options){.ids = cup, .n_ids = 1}), 1);
}

static void test_forgetting_by_filter_and_expiry_shows_what_was_merged(void **state)
{
    db_env *e = *state;
    const int64_t soon = DB_NOW + 10;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &soon};
    notes(e);
    merge(e, "tea", "milk", NULL);
    assert_int_equal(forget(e, (memo_forget_options){.where = "key = 'tea'"}), 1);
    assert_false(is_hidden(e, "milk"));
    assert_memo_ok(memo_db_edit(e->db, NULL, "cup", &edit, NULL, &e->err), e->err);
    merge(e, "cup", "milk", NULL);
    e->now_ms = soon + 1;
    assert_int_equal(forget(e, (memo_forget_options){.expired = 1}), 1);
    assert_false(is_hidden(e, "milk"));
    db_add(e, "tea", "tea leaves in the blue tin");
    merge(e, "tea", "milk", NULL); /* both pass the filter: both go */
    assert_int_equal(forget(e, (memo_forget_options){.where = "key = 'tea' or key = 'milk'"}), 2);
}

/* Of a chain what the forgotten one had hidden comes back, and no more. */
static void test_forgetting_one_of_a_chain_shows_its_own(void **state)
{
    db_env *e = *state;
    const char *cup[] = {"cup"}, *tea[] = {"tea"};
    char undone[MEMO_ID_BYTES];
    notes(e);
    db_add(e, "jam", "jam of plums");
    merge(e, "tea", "jam", undone);
    assert_memo_ok(memo_db_undo(e->db, undone, &e->err), e->err);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "jam"}, NULL), e->err);
    merge(e, "tea", "milk", NULL);
    merge(e, "cup", "tea", NULL);
    assert_int_equal(forget(e, (memo_forget_options){.ids = cup, .n_ids = 1}), 1);
    assert_true(!is_hidden(e, "tea") && is_hidden(e, "milk"));
    assert_int_equal(forget(e, (memo_forget_options){.ids = tea, .n_ids = 1}), 1);
    assert_true(!is_hidden(e, "milk") && is_hidden(e, "jam"));
}

/* As undo, it overwrites nothing that came after. */
static void test_forgetting_leaves_what_was_changed_after_the_merge(void **state)
{
    db_env *e = *state;
    const char *tea[] = {"tea"};
    const int64_t chosen = DB_NOW + 5;
    const memo_record_edit edit = {.size = sizeof edit, .expires_ms = &chosen};
    notes(e);
    merge(e, "tea", "milk", NULL);
    assert_memo_ok(memo_db_edit(e->db, NULL, "milk", &edit, NULL, &e->err), e->err);
    assert_int_equal(forget(e, (memo_forget_options){.ids = tea, .n_ids = 1}), 1);
    assert_int_equal(expiry_of(e, "milk"), chosen);
}

/* A delete by feedback can be undone itself, so it brings nothing back. */
static void test_deleting_what_stayed_leaves_what_it_was_merged_with(void **state)
{
    db_env *e = *state;
    char action[MEMO_ID_BYTES], removed[MEMO_ID_BYTES];
    notes(e);
    merge(e, "tea", "milk", action);
    assert_memo_ok(act(e, (memo_action_in){.kind = MEMO_ACTION_DELETE, .id = "tea"}, removed),
                   e->err);
    e->now_ms++;
    assert_true(is_hidden(e, "tea") && is_hidden(e, "milk"));
    assert_int_equal(forget(e, (memo_forget_options){.expired = 1}), 0);
    assert_memo_ok(memo_db_undo(e->db, action, &e->err), e->err);
    assert_true(is_hidden(e, "tea") && !is_hidden(e, "milk"));
    assert_memo_ok(memo_db_undo(e->db, removed, &e->err), e->err);
    assert_false(is_hidden(e, "tea"));
}

/* The one is proved gone, the other is there with its own text. */
static void test_shredding_what_stayed_shows_what_it_was_merged_with(void **state)
{
    db_env *e = *state;
    const char *tea[] = {"tea"};
    const memo_shred_options o = {.size = sizeof o, .ids = tea, .n_ids = 1};
    memo_shred_report *report = NULL;
    memo_records *record = NULL;
    notes(e);
    merge(e, "tea", "milk", NULL);
    assert_memo_ok(memo_db_shred(e->db, &o, &report, &e->err), e->err);
    assert_int_equal(report->n_forgotten, 1);
    assert_int_equal(report->n_found, 0);
    memo_shred_report_free(report);
    assert_memo_ok(memo_db_get(e->db, NULL, "milk", &record, &e->err), e->err);
    assert_string_equal(record->records[0].text.bytes, "milk is in the fridge");
    memo_records_free(record);
}

static void bend_checksum(db_env *e, const char *sql)
{
    assert_memo_ok(memo_sql_exec(&e->db->store->sql, sql, "bend a row", &e->err), e->err);
}

/* Damage of the other keeps nobody from forgetting; a damaged one that makes way for a new one gives
 * back what it hid. */
static void test_forgetting_amid_damage_shows_what_is_whole(void **state)
{
    db_env *e = *state;
    const char *cup[] = {"cup"};
    notes(e);
    merge(e, "tea", "milk", NULL);
    bend_checksum(e, "UPDATE records SET checksum = checksum + 1 WHERE key = 'tea'");
    db_add(e, "tea", "tea again");
    assert_false(is_hidden(e, "milk"));
    merge(e, "cup", "milk", NULL);
    bend_checksum(e, "UPDATE records SET checksum = checksum + 1 WHERE key = 'milk'");
    assert_int_equal(forget(e, (memo_forget_options){.ids = cup, .n_ids = 1}), 1);
}

/* A dry run does it all and rolls back, so that each round finds the same. */
static memo_status sweep_forget(void *user, memo_err *err)
{
    db_env *e = user;
    const char *tea[] = {"tea"};
    const memo_forget_options o = {.size = sizeof o, .ids = tea, .n_ids = 1, .dry_run = 1};
    return memo_db_forget(e->db, &o, NULL, NULL, err);
}

static void test_every_failing_allocation_of_forgetting_is_told(void **state)
{
    db_env *e = *state;
    memo_err err = {0};
    notes(e);
    merge(e, "tea", "milk", NULL);
    assert_memo_ok(sweep_forget(e, &err), err);
    assert_true(memo_test_alloc_sweep(sweep_forget, e) > 4);
    assert_true(is_hidden(e, "milk") && !is_hidden(e, "tea"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_hidden_records_are_not_forgotten_as_expired),
        db_test(test_what_is_hidden_is_not_merged_or_hidden_again),
        db_test(test_expired_record_takes_no_others_place),
        db_test(test_actions_of_a_record_are_those_with_it_as_the_other_too),
        db_test(test_pinned_record_is_not_hidden),
        db_test(test_forgetting_what_stayed_shows_what_it_was_merged_with),
        db_test(test_forgetting_by_filter_and_expiry_shows_what_was_merged),
        db_test(test_forgetting_one_of_a_chain_shows_its_own),
        db_test(test_forgetting_leaves_what_was_changed_after_the_merge),
        db_test(test_deleting_what_stayed_leaves_what_it_was_merged_with),
        db_test(test_shredding_what_stayed_shows_what_it_was_merged_with),
        db_test(test_forgetting_amid_damage_shows_what_is_whole),
        db_test(test_every_failing_allocation_of_forgetting_is_told),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
