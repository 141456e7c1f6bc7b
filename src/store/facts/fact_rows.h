// SPDX-License-Identifier: Apache-2.0
/* store/facts/fact_rows.h -- rows of entities, aliases, facts and evidence.
 *
 * Knows rows and their checksums, not what names mean: a name comes folded, and which of several
 * entities is meant is the memory room's to say. Every change of an entity or a fact gives its row a
 * new number of the change sequence. Texts of rows are C strings and lie in the caller's arena. */
#ifndef MEMO_STORE_FACTS_FACT_ROWS_H
#define MEMO_STORE_FACTS_FACT_ROWS_H

#include "base/arena.h"
#include "store/store.h"

/* ---- entities and aliases (entity_rows.c) -------------------------------------------------- */

typedef struct memo_entity_row {
    int64_t eid, ns; /* eid 0: not written yet */
    const char *id;
    int64_t seq, created_ms, updated_ms;
    const char *kind, *name, *metadata;
} memo_entity_row;

typedef struct memo_alias_row {
    const char *folded, *alias;
} memo_alias_row;

/* Rows of a page: the caller sets the first three. */
typedef struct memo_entity_page {
    memo_arena *arena;
    memo_store_damage *damage;
    size_t limit; /* >= 1 */
    size_t n;
    memo_entity_row *rows; /* [n] in order of eid */
    int more;
} memo_entity_page;

typedef struct memo_entity_scope {
    int64_t ns;
    int64_t eid;        /* this one; 0: any */
    int64_t after;      /* eid must be larger */
    const char *id;     /* NULL: any, likewise the others */
    const char *folded; /* of one of its aliases; the name is one of them */
    const char *kind;
} memo_entity_scope;

/* The entities that fit. MEMO_OK with n 0 when there is none. */
memo_status memo_store_list_entities(memo_store *store, const memo_entity_scope *scope,
                                     memo_entity_page *page, memo_err *err);

/* All aliases of an entity, the name among them, in order of their folded form. */
memo_status memo_store_list_aliases(memo_store *store, int64_t ns, int64_t eid, memo_arena *arena,
                                    memo_store_damage *damage, memo_alias_row **rows, size_t *n,
                                    memo_err *err);

/* *any: the namespace has an alias at all. */
memo_status memo_store_has_aliases(memo_store *store, int64_t ns, int *any, memo_err *err);

/* Write. The id of a new row of `table`: what *id says when it is an id and free, else one made in
 * `arena`; and its row id. (fact_writes.c) */
memo_status memo_store_new_id(memo_store *store, const char *table, const char **id, int64_t *row,
                              memo_arena *arena, memo_err *err);

/* Write. A row with eid 0 gets its eid; when it brings no id also that, made in `arena`, and
 * created_ms. seq is set, updated_ms when the row brings none. */
memo_status memo_store_put_entity(memo_store *store, memo_entity_row *row, memo_arena *arena,
                                  memo_err *err);
/* Write. An alias that is there already is overwritten. */
memo_status memo_store_put_alias(memo_store *store, int64_t ns, int64_t eid,
                                 const memo_alias_row *alias, memo_err *err);
memo_status memo_store_delete_alias(memo_store *store, int64_t ns, int64_t eid, const char *folded,
                                    memo_err *err);
/* Write. The row and its aliases; a tombstone stays. No fact may refer to it any more. */
memo_status memo_store_delete_entity(memo_store *store, const memo_entity_row *row, memo_err *err);

/* ---- facts and evidence (fact_rows.c, fact_writes.c) --------------------------------------- */

typedef struct memo_fact_row {
    int64_t fid, ns; /* fid 0: not written yet */
    const char *id;
    int64_t seq, subject, object; /* eids; object 0: a value */
    int64_t valid_from_ms, valid_to_ms, recorded_ms, closed_ms, retracted_ms;
    double confidence;
    const char *relation, *value, *reason;
} memo_fact_row;

typedef struct memo_fact_page {
    memo_arena *arena;
    memo_store_damage *damage;
    size_t limit; /* >= 1 */
    size_t n;
    memo_fact_row *rows; /* [n] in order of fid */
    int more;
} memo_fact_page;

typedef struct memo_fact_scope {
    int64_t ns;
    int64_t after;                     /* fid must be larger */
    int64_t subject, object, about;    /* eids; 0: any. about: subject or object */
    int64_t record;                    /* rid of its evidence; 0: any */
    const char *id, *relation, *value; /* NULL: any */
    int64_t valid_at_ms;               /* 0: whenever */
    int64_t as_of_ms;                  /* 0: now */
    int retracted;                     /* retracted ones too */
    double min_confidence;
} memo_fact_scope;

/* The facts that fit, each as it was at as_of_ms. */
memo_status memo_store_list_facts(memo_store *store, const memo_fact_scope *scope,
                                  memo_fact_page *page, memo_err *err);

typedef struct memo_evidence_row {
    int64_t fid, rid, begin, end, version;
} memo_evidence_row;

/* Evidence of a fact, in order of record and span. */
memo_status memo_store_list_evidence(memo_store *store, int64_t fid, memo_arena *arena,
                                     memo_store_damage *damage, memo_evidence_row **rows, size_t *n,
                                     memo_err *err);

/* What evidence points to: a record's id, version and text. */
typedef struct memo_evidence_text {
    const char *id;
    int64_t version;
    memo_text text;
} memo_evidence_text;

/* The record as it was in a version; version 0: as it is. *found 0: it is not there, or damaged. */
memo_status memo_store_get_evidence_text(memo_store *store, int64_t rid, int64_t version,
                                         memo_arena *arena, memo_evidence_text *out, int *found,
                                         memo_err *err);

/* By id or key, the row id and the version; MEMO_ERR_NOTFOUND. The text is in the arena. */
memo_status memo_store_find_evidence_text(memo_store *store, int64_t ns, const char *id,
                                          memo_arena *arena, int64_t *rid, memo_evidence_text *out,
                                          memo_err *err);

/* Write. A row with fid 0 gets its fid, and an id made in `arena` unless it brings one; seq is set. */
memo_status memo_store_put_fact(memo_store *store, memo_fact_row *row, memo_arena *arena,
                                memo_err *err);
/* Write; *added 0 when it is there already. */
memo_status memo_store_put_evidence(memo_store *store, const memo_evidence_row *row, int *added,
                                    memo_err *err);
/* Write. The row and its evidence; a tombstone stays. */
memo_status memo_store_delete_fact(memo_store *store, const memo_fact_row *row, memo_err *err);
/* Write. Every fact about `from` is about `into`. */
memo_status memo_store_move_facts(memo_store *store, int64_t ns, int64_t from, int64_t into,
                                  uint64_t *n_facts, memo_err *err);

/* memo_facts_forget_record() -- write: a record is forgotten, its evidence goes with it. A fact that
 * has none left is retracted, and its reason names the record: that is how it is found when the record
 * is shredded later; with `shred` it is deleted.
 *   id  of the record, NULL: not known */
memo_status memo_facts_forget_record(memo_store *store, int64_t rid, const char *id, int shred,
                                     memo_err *err);
/* Write. Delete the facts whose evidence was forgotten with this record, "%": with any; *n of them. */
memo_status memo_facts_shred_orphans(memo_store *store, const char *id, uint64_t *n, memo_err *err);

/* The reasons of those facts end so: ?1 is the record's id. */
#define MEMO_FACT_ORPHANED_BY                                                                      \
    "(retracted_ms > 0 AND reason LIKE '%its evidence was forgotten (' || ?1 || ')'"               \
    " AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.fid = facts.fid))"

#endif
