// SPDX-License-Identifier: Apache-2.0
/* memory/feedback/search_log.h -- searches and what they showed, on their way into the store.
 *
 * A search writes nothing: it appends to one buffer, allocated when the handle was opened, and only
 * one search in SEARCH_LOG_GROUP puts the buffer into the store, without a sync. So nothing here can
 * fail a search, and its 99th percentile does not see the writing. */
#ifndef MEMO_MEMORY_FEEDBACK_SEARCH_LOG_H
#define MEMO_MEMORY_FEEDBACK_SEARCH_LOG_H

#include "memory/db.h"
#include "store/events/event_rows.h"

/* A search that has succeeded; all borrowed. */
typedef struct memo_search_note {
    int64_t ns, space;
    int64_t cls;                        /* memo_query_class */
    const memo_search_options *options; /* whole struct */
    memo_text query;
    const memo_hits *hits;
    const int64_t (*keys)[2]; /* [hits->n] record and chunk of each hit */
} memo_search_note;

/* Set up, and put in order what is left, when a handle opens and closes. */
memo_status memo_search_log_init(memo_db *db, memo_err *err);
void memo_search_log_fini(memo_db *db);

/* Keep a search, unless it is off. id: "" when it is not kept. */
void memo_search_log_add(memo_db *db, const memo_search_note *note, char id[MEMO_ID_BYTES]);

/* Before or after a change, not within it: write what has gathered, if that can be done now. What damage
 * keeps from being written is lost, and fails nothing. */
void memo_search_log_after_write(memo_db *db);

/* Within a write transaction: write all of it. The buffer stays until memo_search_log_end(). */
memo_status memo_search_log_write(memo_db *db, memo_err *err);
/* memo_store_end_write() of such a transaction; what is committed leaves the buffer. */
memo_status memo_search_log_end(memo_db *db, memo_status status, memo_err *err);

/* What this handle's searches have shown and is not in the store yet, as memo_store_each_recent(); the
 * searches are counted off scope->n_searches. */
void memo_search_log_each(memo_db *db, memo_recent_scope *scope, memo_recent_fn fn, void *user);

/* ---- latency (latency.c) ------------------------------------------------------------------- */

/* Tell memo_db_options.latency about a search that took at least slow_ms: of the store or of a past of
 * it (`searched`). Calls on `db`, the caller's own handle, are refused meanwhile. */
void memo_latency_tell(memo_db *db, const memo_db *searched, const memo_search_note *note);

/* ---- what both lists look for (actions.c) ---------------------------------------------------- */

/* A list as its caller asks for it. */
typedef struct memo_event_query {
    const char *call;                        /* "memo_db_actions" */
    const char *ns, *search_id, *id, *after; /* as in the query of the call */
} memo_event_query;

/* The same by numbers of rows; 0: any, ns 0: there is no such namespace. */
typedef struct memo_event_scope {
    int64_t ns, before, sid, rid;
} memo_event_scope;

/* MEMO_ERR_NOTFOUND: no such search or record. */
memo_status memo_event_find(memo_db *db, const memo_event_query *query, memo_event_scope *scope,
                            memo_err *err);
/* What was done with the results of search `sid`, at most 1,000; memo_actions_free(). */
memo_status memo_actions_of_search(memo_db *db, const char *ns_name, int64_t ns, int64_t sid,
                                   memo_actions **actions, memo_err *err);

#endif
