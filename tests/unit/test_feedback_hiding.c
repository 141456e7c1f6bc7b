// SPDX-License-Identifier: Apache-2.0
/* Records that delete and merge have hidden: what spares them, and how they come back. */
#include "db_util.h"

static memo_status act(db_env *e, memo_action_in in, char *action)
{
    in.size = sizeof in;
    memset(&e->err, 0, sizeof e->err);
    return memo_db_feedback(e->db, &in, action, &e->err);
}

static void notes(db_env *e)
{
    db_add(e, "tea", "tea leaves in the blue tin");
    db_add(e, "milk", "milk is in the fridge");
    db_add(e, "cup", "a cup of tea with milk");
}

static int is_hidden(db_env *e, const char *key)
{
    memo_records *record = NULL;
    memo_status status = memo_db_get(e->db, NULL, key, &record, &e->err);
    memo_records_free(record);
    return status == MEMO_ERR_NOTFOUND;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_hidden_records_are_not_forgotten_as_expired),
        db_test(test_what_is_hidden_is_not_merged_or_hidden_again),
        db_test(test_expired_record_takes_no_others_place),
        db_test(test_actions_of_a_record_are_those_with_it_as_the_other_too),
        db_test(test_pinned_record_is_not_hidden),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
