// SPDX-License-Identifier: Apache-2.0
/* memory/changes.c -- the change feed for callers. */
#include "base/alloc.h"
#include "base/error.h"
#include "memory/db.h"

#define CHANGES_LIMIT     100
#define CHANGES_MAX_LIMIT 1000

typedef struct changes_owner {
    memo_changes changes; /* first: this is what the caller sees */
    memo_arena arena;
} changes_owner;

void memo_changes_free(memo_changes *changes)
{
    changes_owner *owner = (changes_owner *)changes;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

const char *memo_change_kind_name(memo_change_kind kind)
{
    static const char *const names[] = {
        [MEMO_CHANGE_RECORD] = "record", [MEMO_CHANGE_FORGOTTEN] = "forgotten",
        [MEMO_CHANGE_ENTITY] = "entity", [MEMO_CHANGE_FACT] = "fact",
        [MEMO_CHANGE_SPACE] = "space",   [MEMO_CHANGE_REPAIR] = "repair",
    };

    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

static memo_status changes_read(memo_db *db, const memo_changes_options *o, changes_owner *owner,
                                memo_err *err)
{
    memo_store_changes_options options = {.since = o->since,
                                          .limit = o->limit ? o->limit : CHANGES_LIMIT};
    memo_store_ns ns = {0};
    memo_status status = o->ns ? memo_store_find_ns(db->store, o->ns, &ns, err) : MEMO_OK;

    options.ns = ns.id;
    return status ? status
                  : memo_store_changes(db->store, &options, &owner->arena, &owner->changes, err);
}

memo_status memo_db_changes(memo_db *db, const memo_changes_options *options,
                            memo_changes **changes, memo_err *err)
{
    memo_changes_options o;
    changes_owner *owner;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_changes_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, changes, "memo_db_changes", err);
    if (status)
        return status;
    if (o.limit > CHANGES_MAX_LIMIT)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu changes: at most %d a call", o.limit,
                         CHANGES_MAX_LIMIT);
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "changes", sizeof *owner);
    status = changes_read(db, &o, owner, err);
    if (status)
        memo_changes_free(&owner->changes);
    else
        *changes = &owner->changes;
    return status;
}
