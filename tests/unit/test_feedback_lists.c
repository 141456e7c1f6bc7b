// SPDX-License-Identifier: Apache-2.0
/* What the lists of searches and of actions are asked for. */
#include "db_util.h"

/* Both lists look for what they are asked for in the same way. */
static void test_lists_refuse_the_same_questions(void **state)
{
    static const struct {
        const char *search_id, *id, *after;
        memo_status status;
    } refused[] = {
        {.search_id = "", .status = MEMO_ERR_VALUE},
        {.search_id = "\xff", .status = MEMO_ERR_VALUE},
        {.search_id = "nothing", .status = MEMO_ERR_NOTFOUND},
        {.id = "", .status = MEMO_ERR_VALUE},
        {.id = "nobody", .status = MEMO_ERR_NOTFOUND},
        {.after = "somewhere", .status = MEMO_ERR_VALUE},
    };
    db_env *e = *state;
    memo_actions *actions = NULL;
    memo_searches *searches = NULL;
    db_add(e, "tea", "tea is kept in the blue tin");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const memo_action_query of_actions = {.size = sizeof of_actions,
                                              .search_id = refused[i].search_id,
                                              .id = refused[i].id,
                                              .after = refused[i].after};
        const memo_searches_query of_searches = {.size = sizeof of_searches,
                                                 .search_id = refused[i].search_id,
                                                 .id = refused[i].id,
                                                 .after = refused[i].after};
        assert_memo_status(memo_db_actions(e->db, &of_actions, &actions, &e->err),
                           refused[i].status, e->err);
        assert_memo_status(memo_db_searches(e->db, &of_searches, &searches, &e->err),
                           refused[i].status, e->err);
    }
    assert_null(actions);
    assert_null(searches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_lists_refuse_the_same_questions),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
