// SPDX-License-Identifier: Apache-2.0
/* store/events/event_rows.h -- rows of searches, of what they showed, and of what was done with it.
 *
 * Features of a shown result, for learning that comes after: for each lane in the order of memo_lane
 * its rank (0: not found) and its score, then the fused score; each a little-endian IEEE 754 single,
 * so 2 * lanes + 1 of them. Rows with fewer lanes are of an older program; lanes are only added. */
#ifndef MEMO_STORE_EVENTS_EVENT_ROWS_H
#define MEMO_STORE_EVENTS_EVENT_ROWS_H

#include "base/arena.h"
#include "store/sql.h"
#include "store/store.h"

/* ---- searches (search_rows.c) -------------------------------------------------------------- */

/* Columns as in memo_table_searches and memo_table_shown, for constant statements. */
#define MEMO_SEARCH_COLUMNS                                                                        \
    "sid, ns, id, at_ms, mode, class, space, checksum, actor, surface, filter, query"
enum { MEMO_SEARCH_SID, MEMO_SEARCH_NS, MEMO_SEARCH_ID, MEMO_SEARCH_AT, MEMO_SEARCH_MODE };
enum { MEMO_SEARCH_CLASS = 5, MEMO_SEARCH_SPACE, MEMO_SEARCH_CHECKSUM, MEMO_SEARCH_ACTOR };
enum { MEMO_SEARCH_SURFACE = 9, MEMO_SEARCH_FILTER, MEMO_SEARCH_QUERY, MEMO_SEARCH_N_COLUMNS };

#define MEMO_SHOWN_COLUMNS "sid, position, rid, cid, checksum, features"
#define MEMO_SHOWN_OF_SEARCH                                                                       \
    "SELECT " MEMO_SHOWN_COLUMNS " FROM shown WHERE sid = ? ORDER BY position"
enum { MEMO_SHOWN_SID, MEMO_SHOWN_POSITION, MEMO_SHOWN_RID, MEMO_SHOWN_CID };
enum { MEMO_SHOWN_CHECKSUM = 4, MEMO_SHOWN_FEATURES, MEMO_SHOWN_N_COLUMNS };

typedef struct memo_search_row {
    int64_t ns;
    const char *id; /* a ULID */
    int64_t at_ms;
    int64_t mode, cls; /* memo_search_mode, memo_query_class */
    int64_t space;     /* whose vectors were searched; 0: none were */
    memo_text actor, surface, filter, query;
} memo_search_row;

typedef struct memo_shown_row {
    int64_t rid, cid;
    const unsigned char *features; /* [n_bytes] */
    size_t n_bytes;
} memo_shown_row;

/* Write: a search; *sid is its number. */
memo_status memo_store_put_search(memo_store *store, const memo_search_row *row, int64_t *sid,
                                  memo_err *err);

/* Whether a record is still there; asked in the transaction that writes what showed it. */
memo_status memo_store_has_record(memo_store *store, int64_t rid, int *has, memo_err *err);

/* Write: results that it showed, at `position` (from 1) and after. */
memo_status memo_store_put_shown(memo_store *store, int64_t sid, int64_t position,
                                 const memo_shown_row *shown, size_t n, memo_err *err);

/* *sid 0: it is not kept (any more). */
memo_status memo_store_find_search(memo_store *store, int64_t ns, const char *id, int64_t *sid,
                                   memo_err *err);

/* What searches have shown lately. */
typedef struct memo_recent_scope {
    int64_t ns, since_ms;
    size_t n_searches; /* of the newest */
} memo_recent_scope;
/* A chunk that was shown, and to whom (n_actor 0: not known); a non-zero return stops. */
typedef int (*memo_recent_fn)(void *user, const char *actor, size_t n_actor, int64_t cid);

/* The newest first. Rows that fail their checksum do not count. `fn` must not call the store. */
memo_status memo_store_each_recent(memo_store *store, const memo_recent_scope *scope,
                                   memo_recent_fn fn, void *user, memo_err *err);

/* Write: of the 1,024 oldest searches remove those that are not among the `keep` newest or older than
 * oldest_ms, with what they showed. */
memo_status memo_store_trim_searches(memo_store *store, uint64_t keep, int64_t oldest_ms,
                                     memo_err *err);

/* Write: a record is forgotten. Where it was shown goes, and every action on it; with `shred` also
 * every search that showed it, for what was asked may be what it said; else those that showed nothing
 * else. */
memo_status memo_events_forget_record(memo_store *store, int64_t rid, int shred, memo_err *err);

/* ---- reading them back (search_list.c) ------------------------------------------------------ */

typedef struct memo_seen_shown {
    int64_t position;              /* from 1 */
    const char *record_id;         /* "" when it is damaged, which is named */
    int64_t chunk;                 /* position in the record; -1: it has other chunks by now */
    const unsigned char *features; /* [n_bytes] */
    size_t n_bytes;
} memo_seen_shown;

typedef struct memo_seen_search {
    int64_t sid;
    memo_search_row search; /* texts NUL-terminated as well */
    memo_seen_shown *shown; /* [n_shown] by position */
    size_t n_shown;
} memo_seen_search;

typedef struct memo_search_scope {
    int64_t ns;
    int64_t before;             /* sid must be smaller; 0: any */
    int64_t sid, rid;           /* this one; those that showed it; 0: any */
    int64_t since_ms, until_ms; /* 0: open */
} memo_search_scope;

typedef struct memo_search_page {
    memo_arena *arena;
    memo_store_damage *damage;
    size_t limit; /* >= 1 */
    size_t n;
    memo_seen_search *rows; /* [n] newest first */
    int more;
} memo_search_page;

memo_status memo_store_list_searches(memo_store *store, const memo_search_scope *scope,
                                     memo_search_page *page, memo_err *err);

/* The id of a record, proved by its checksum: "" when it is damaged, which is named, or gone.
 * (action_rows.c) */
memo_status memo_event_record_id(memo_sql *sql, int64_t rid, memo_arena *arena,
                                 memo_store_damage *damage, const char **id, memo_err *err);

/* ---- actions (action_rows.c) --------------------------------------------------------------- */

typedef struct memo_action_row {
    int64_t aid, ns; /* aid 0: not written yet */
    const char *id;
    int64_t sid; /* 0: of no search */
    int64_t kind, rid;
    int64_t other;     /* rid; 0: none */
    int64_t version;   /* of the record, after what the action did to it */
    int64_t before_ms; /* expires_ms of the record that it hid, before */
    int64_t at_ms, undone_ms;
    const char *actor, *detail;
    const char *search_id, *record_id, *other_id; /* read only; "" when gone */
} memo_action_row;

typedef struct memo_action_scope {
    int64_t ns;                 /* 0: any */
    int64_t before;             /* aid must be smaller; 0: any */
    int64_t sid, rid;           /* rid: of the record or the other */
    const char *id;             /* NULL: any */
    int64_t since_ms, until_ms; /* 0: open */
} memo_action_scope;

typedef struct memo_action_page {
    memo_arena *arena;
    memo_store_damage *damage;
    size_t limit; /* >= 1 */
    size_t n;
    memo_action_row *rows; /* [n] newest first */
    int more;
} memo_action_page;

memo_status memo_store_list_actions(memo_store *store, const memo_action_scope *scope,
                                    memo_action_page *page, memo_err *err);

/* What hides this version of a record, a delete or a merge that stands; *action NULL: nothing does. */
memo_status memo_store_find_hiding(memo_store *store, int64_t rid, int64_t version,
                                   memo_arena *arena, const char **action, memo_err *err);

/* Write, before a record is forgotten: what merges that stand have hidden in its place is shown again, as
 * undo would do it, for the actions go with the record. What has changed since, or is damaged, stays. */
memo_status memo_actions_release(memo_store *store, int64_t rid, memo_err *err);

/* Write: the record expires at another time, all else as it is. *version is the new one. */
memo_status memo_store_set_expiry(memo_store *store, int64_t ns, const memo_record *old,
                                  int64_t expires_ms, int64_t *version, memo_err *err);

/* Write. A row with aid 0 gets its aid and an id, made in `arena`. */
memo_status memo_store_put_action(memo_store *store, memo_action_row *row, memo_arena *arena,
                                  memo_err *err);

#endif
