// SPDX-License-Identifier: Apache-2.0
/* Three notes, and what is done with them. */
#ifndef MEMO_TEST_FEEDBACK_UTIL_H
#define MEMO_TEST_FEEDBACK_UTIL_H

#include "db_util.h"

static inline memo_status act(db_env *e, memo_action_in in, char *action)
{
    in.size = sizeof in;
    memset(&e->err, 0, sizeof e->err);
    return memo_db_feedback(e->db, &in, action, &e->err);
}

static inline void notes(db_env *e)
{
    db_add(e, "tea", "tea leaves in the blue tin");
    db_add(e, "milk", "milk is in the fridge");
    db_add(e, "cup", "a cup of tea with milk");
}

static inline int is_hidden(db_env *e, const char *key)
{
    memo_records *record = NULL;
    memo_status status = memo_db_get(e->db, NULL, key, &record, &e->err);
    memo_records_free(record);
    return status == MEMO_ERR_NOTFOUND;
}

#endif
