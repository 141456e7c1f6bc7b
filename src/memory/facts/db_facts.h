// SPDX-License-Identifier: Apache-2.0
/* memory/facts/db_facts.h -- what entities and facts share: names, damage, transactions; and the
 * facts that a query is about. */
#ifndef MEMO_MEMORY_FACTS_DB_FACTS_H
#define MEMO_MEMORY_FACTS_DB_FACTS_H

#include "memory/db.h"
#include "store/facts/fact_rows.h"

#define FACTS_NAME_BYTES     512
#define FACTS_KIND_BYTES     128
#define FACTS_RELATION_BYTES 128
#define FACTS_MAX_PAGE       1000

/* A text of the caller's: UTF-8, 1 to `max` bytes; `what` names it in messages. */
memo_status memo_facts_check_text(const char *what, const char *text, size_t max, memo_err *err);

/* The folded form of a name; MEMO_ERR_VALUE when nothing is left of it. */
memo_status memo_facts_fold(const char *what, const char *name, memo_arena *arena, char **folded,
                            memo_err *err);

/* memo_facts_find_entity() -- by id, else by name or alias.
 *
 *   kind  NULL: any
 *
 * *found 0: there is none. MEMO_ERR_VALUE when several have the name; MEMO_ERR_CORRUPT when the one
 * that has it is damaged. */
memo_status memo_facts_find_entity(memo_db *db, int64_t ns, const char *name, const char *kind,
                                   memo_arena *arena, memo_entity_row *row, int *found,
                                   memo_err *err);
/* The same; none is MEMO_ERR_NOTFOUND. */
memo_status memo_facts_need_entity(memo_db *db, int64_t ns, const char *name, memo_arena *arena,
                                   memo_entity_row *row, memo_err *err);

/* Write: a new entity with its name as its first alias. */
memo_status memo_facts_make_entity(memo_db *db, int64_t ns, const char *name, const char *kind,
                                   memo_arena *arena, memo_entity_row *row, memo_err *err);

typedef struct memo_facts_met {
    char id[MEMO_ID_BYTES];
    int made;    /* none was called so */
    int several; /* others are called so too: only the id leads to it */
} memo_facts_met;

/* memo_facts_meet_entity() -- who is meant by a graph that has one entity a name: a change of its own.
 *
 *   kind  NULL: none
 *
 * The one that has the name, or has it as an alias, whatever its kind; it gets this kind when it has none. Of
 * several the one of this kind, else MEMO_ERR_VALUE. A new one when there is none. */
memo_status memo_facts_meet_entity(memo_db *db, const char *ns, const char *name, const char *kind,
                                   memo_facts_met *met, memo_err *err);

/* Begin a change in a namespace; with `make` it comes to be. memo_facts_end() commits when `status` is
 * MEMO_OK, else it rolls back; it returns what the change came to. */
memo_status memo_facts_begin(memo_db *db, const char *ns, int make, int64_t *ns_id, memo_err *err);
memo_status memo_facts_end(memo_db *db, memo_status status, memo_err *err);

/* ---- the facts lane (fact_match.c) --------------------------------------------------------- */

/* A record that proves facts which a query is about. */
typedef struct memo_fact_match {
    int64_t record; /* rid */
    int64_t begin;  /* where its text begins to say so */
    double score;   /* higher is better */
} memo_fact_match;

/* The caller sets the first two. */
typedef struct memo_fact_matches {
    memo_arena *arena;
    memo_store_damage *damage; /* grows by rows that were left out */
    size_t n;
    memo_fact_match *items; /* [n] one a record: best first, then by record */
} memo_fact_matches;

/* memo_facts_match() -- entities whose name or alias stands in the query -> facts about them that hold
 * now -> the records that are their evidence.
 *
 *   query    valid UTF-8; its first 4 KiB are looked at
 *   now_ms   when the facts have to hold
 *   matches  not filtered: records may be expired or outside of a scope
 *
 * Score: the sum of the confidences of the record's facts, those counted double of which the query
 * names both ends. Cost without any entity in the namespace: one look-up. */
memo_status memo_facts_match(memo_db *db, int64_t ns, memo_text query, int64_t now_ms,
                             memo_fact_matches *matches, memo_err *err);

#endif
