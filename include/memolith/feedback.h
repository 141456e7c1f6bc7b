// SPDX-License-Identifier: Apache-2.0
/* memolith/feedback.h -- what was searched, what was shown, what was done with it.
 *
 * A chapter of memory.h, which includes it. (How long searches take: memo_latency_fn there.)
 *
 * Every memo_db_search() on a handle that may write has a `search_id`. The search and the results it
 * showed are kept in memory and written in groups, without a sync, when 256 have gathered, after the
 * next change, and at memo_db_close(); memo_db_flush() writes and syncs. A crash loses the last
 * searches and nothing else. One that showed a record which was shredded goes with it. Nothing is sent anywhere. `no_log` of memo_search_options and the
 * setting below turn it off.
 *
 * An *action* says what somebody did with a result. Actions are durable on return and can be undone.
 * What was shown and not touched is unknown, not bad: nothing is derived from it. */
#ifndef MEMOLITH_FEEDBACK_H
#define MEMOLITH_FEEDBACK_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(ID, name, needs the other record) */
#define MEMO_ACTION_MAP(X)                                                                         \
    X(ACCEPT, "accept", 0)           /* it was what was looked for */                              \
    X(CITE, "cite", 0)               /* it was used in an answer */                                \
    X(COPY, "copy", 0)               /* its text was taken along */                                \
    X(OPEN, "open", 0)               /* it was looked at */                                        \
    X(EDIT, "edit", 0)               /* it was changed: call it after memo_db_edit() */            \
    X(DISMISS, "dismiss", 0)         /* it was not what was looked for */                          \
    X(CONFIRM, "confirm", 0)         /* what it says is right */                                   \
    X(REJECT_PAIR, "reject-pair", 1) /* it and `other` have nothing to do with each other */       \
    X(MERGE, "merge", 1)             /* `other` is the same: hides `other` */                      \
    X(DETACH, "detach", 1)           /* it does not belong to `other` */                           \
    X(DELETE, "delete", 0)           /* it is not wanted any more: hides it */

typedef enum memo_action_kind {
#define MEMO_ACTION_ENUM(id, name, pair) MEMO_ACTION_##id,
    MEMO_ACTION_MAP(MEMO_ACTION_ENUM)
#undef MEMO_ACTION_ENUM
        MEMO_N_ACTIONS,
} memo_action_kind;

MEMO_API const char *memo_action_name(memo_action_kind kind); /* "accept" */

typedef struct memo_action_in {
    size_t size;
    const char *ns;
    const char *search_id; /* of the memo_hits in which it was shown; NULL: of no search */
    memo_action_kind kind;
    const char *id;     /* id or key of the record */
    const char *other;  /* likewise, of the actions on two; else NULL */
    const char *actor;  /* who, at most 128 bytes; NULL: nobody in particular */
    const char *detail; /* free text, at most 4 KiB; NULL: none */
} memo_action_in;

/* memo_db_feedback() -- record an action; durable on return.
 *
 *   action_id  out, for memo_db_undo()
 *
 * Hiding sets the record's `expires` to now (a new version; nothing is deleted: that is
 * memo_db_forget()). MEMO_ERR_NOTFOUND: no such search or record; MEMO_ERR_VALUE: `other` missing or
 * the record itself; delete and merge of a record that an action has hidden already, or a merge into
 * one that is hidden or expired (both would be gone from sight); MEMO_ERR_USAGE: opened read-only.
 *
 * When a record is forgotten or shredded, what merge has hidden in its place is shown again in the same
 * transaction, unless it was changed since: its text would be nowhere else. A delete that hides the record
 * leaves it hidden: undo of either action brings back what that one has hidden. */
MEMO_API memo_status memo_db_feedback(memo_db *db, const memo_action_in *feedback,
                                      char action_id[MEMO_ID_BYTES], memo_err *err);

/* memo_db_undo() -- take an action back. It stays in the list, marked.
 *
 * delete and merge: the hidden record is shown again. edit: the record becomes what it was before the
 * version that the action named (its text is embedded again, which needs the model). The others had
 * changed nothing. MEMO_ERR_NOTFOUND: no such action, or its record has been forgotten, and with it
 * its text; MEMO_ERR_VALUE: undone already, or the record was changed since. */
MEMO_API memo_status memo_db_undo(memo_db *db, const char *action_id, memo_err *err);

typedef struct memo_action {
    const char *id;
    const char *ns;
    const char *search_id; /* "" when of none, or when the search is not kept any more */
    memo_action_kind kind;
    const char *record, *other; /* ids; other "" when none */
    uint64_t version;           /* of the record when it was done */
    int64_t at_ms, undone_ms;   /* undone_ms 0: it stands */
    const char *actor, *detail; /* "" when none */
} memo_action;

/* Actions with the memory that holds them; free with memo_actions_free(). */
typedef struct memo_actions {
    size_t n;
    const memo_action *actions; /* [n] newest first */
    const char *next;           /* cursor for `after`, or NULL at the end */
    size_t n_damaged;           /* rows left out because their checksum failed */
    const char *const *damaged; /* [<= n_damaged, 64 at most] what is known of them */
    size_t n_damaged_ids;
} memo_actions;

typedef struct memo_action_query {
    size_t size;
    const char *ns;
    const char *search_id;      /* with results of this search; NULL: all */
    const char *id;             /* on this record, or with it as the other; NULL: all */
    int64_t since_ms, until_ms; /* done in [since, until); 0: open */
    size_t limit;               /* 0: 100; at most 1,000 */
    const char *after;
} memo_action_query;

MEMO_API memo_status memo_db_actions(memo_db *db, const memo_action_query *query,
                                     memo_actions **actions, memo_err *err);
MEMO_API void memo_actions_free(memo_actions *actions);

/* A result that a search showed. */
typedef struct memo_shown {
    size_t position; /* from 1 */
    const char *id;  /* of the record; "" when it is damaged */
    int64_t chunk;   /* its position in the record; -1: the record has other chunks by now */
    double score;    /* of the hit */
    memo_lane_score lanes[MEMO_N_LANES]; /* in single precision; `share` is not kept: 0 */
} memo_shown;

typedef struct memo_search_event {
    const char *id; /* the search_id */
    int64_t at_ms;
    memo_search_mode mode;
    const char *query_class;                     /* as in memo_hits */
    const char *actor, *surface, *where, *query; /* "" when none; the last two are cut at 4 KiB */
    size_t n_shown;
    const memo_shown *shown; /* [n_shown] by position; forgotten records are not among them */
    size_t n_actions;
    const memo_action *actions; /* [n_actions] newest first; at most 1,000 */
} memo_search_event;

/* Searches with the memory that holds them; free with memo_searches_free(). */
typedef struct memo_searches {
    size_t n;
    const memo_search_event *searches; /* [n] newest first */
    const char *next;                  /* cursor for `after`, or NULL at the end */
    size_t n_damaged;                  /* rows left out because their checksum failed */
    const char *const *damaged;        /* [n_damaged_ids] what is known of them */
    size_t n_damaged_ids;
} memo_searches;

typedef struct memo_searches_query {
    size_t size;
    const char *ns;
    const char *search_id;      /* this one; NULL: all */
    const char *id;             /* those that showed this record, by id or key; NULL: all */
    int64_t since_ms, until_ms; /* made in [since, until); 0: open */
    size_t limit;               /* 0: 20; at most 1,000 */
    const char *after;
} memo_searches_query;

/* memo_db_searches() -- searches that are kept, with what they showed and what was done with it. Those
 * that this handle holds in memory come once they are written: memo_db_flush(). MEMO_ERR_NOTFOUND: no
 * such search or record. */
MEMO_API memo_status memo_db_searches(memo_db *db, const memo_searches_query *query,
                                      memo_searches **searches, memo_err *err);
MEMO_API void memo_searches_free(memo_searches *searches);

/* memo_db_flush() -- write the searches that are still in memory, and sync. MEMO_ERR_BUSY like any
 * write. Nothing to write, or a read-only handle: MEMO_OK. */
MEMO_API memo_status memo_db_flush(memo_db *db, memo_err *err);

/* What is kept of searches, stored in the file; for all who open it. */
typedef struct memo_search_log {
    size_t size;
    int off;               /* non-zero: no search is kept */
    uint64_t max_searches; /* the newest are kept; 0: 100,000 */
    int64_t max_days;      /* older ones go; 0: however old */
} memo_search_log;

/* Older searches go when the next are written. */
MEMO_API memo_status memo_db_set_search_log(memo_db *db, const memo_search_log *log, memo_err *err);
MEMO_API memo_status memo_db_get_search_log(memo_db *db, memo_search_log *log, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
