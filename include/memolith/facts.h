// SPDX-License-Identifier: Apache-2.0
/* memolith/facts.h -- what is known of whom: entities, facts, their times and their evidence.
 *
 * A chapter of memory.h, which includes it.
 *
 * An *entity* is somebody or something with an id, a name and aliases. A *fact* is a triple
 *
 *   Anna --works_at--> Initech          the object is an entity
 *   Anna --allergic_to--> "peanuts"     the object is a value
 *
 * with two times. *Valid* is when it holds in the world (from, to; 0: open on that side). *Recorded*
 * is when this store learned of it, and *retracted* when it took that back. Nothing is overwritten:
 * a fact is retracted or closed, never changed, so the store can say what it believed at any moment
 * (`as_of_ms`) about any other (`valid_at_ms`). *Evidence* is where it says so: byte spans of
 * records.
 *
 * Names are found by their folded form: case, width and compatibility forms and runs of white space
 * do not count ("ANNA  Schmidt" is "Anna Schmidt"). Where an entity is asked for, its id or any
 * name or alias will do; a name that several entities have is MEMO_ERR_VALUE naming their ids.
 *
 * Example: what is known of Anna.
 *
 * @example memory_facts
 *   memo_ctx *ctx = NULL;
 *   memo_db *db = NULL;
 *   memo_facts *facts = NULL;
 *   memo_err err = {0};
 *   memo_fact_in fact = {.size = sizeof fact, .subject = "Anna", .relation = "works_at",
 *                        .object = "Initech", .functional = 1};
 *   memo_fact_query query = {.size = sizeof query, .subject = "anna"};
 *   if (memo_ctx_new(NULL, &ctx, &err) || memo_db_open(ctx, store, NULL, &db, &err))
 *       goto done;
 *   if (memo_db_fact_add(db, NULL, &fact, NULL, &err))
 *       goto done;
 *   if (memo_db_fact_query(db, &query, &facts, &err) == MEMO_OK)
 *       printf("%s %s\n", facts->facts[0].relation, facts->facts[0].object_name);
 *       // prints: works_at Initech
 * done:
 *   if (err.status)
 *       fprintf(stderr, "%s\n", err.message);
 *   memo_facts_free(facts);
 *   memo_db_close(db);
 *   memo_ctx_free(ctx);
 * @end
 */
#ifndef MEMOLITH_FACTS_H
#define MEMOLITH_FACTS_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- entities ------------------------------------------------------------------------------ */

typedef struct memo_entity_in {
    size_t size;
    const char *name;           /* 1..512 bytes of UTF-8, not only white space */
    const char *kind;           /* "person", "place" ...; at most 128 bytes. NULL: none */
    const char *metadata_json;  /* a JSON object; NULL: {}, or what the entity has */
    const char *const *aliases; /* [n_aliases] other names, as long as a name may be */
    size_t n_aliases;
    int distinct; /* non-zero: a new entity, even when one of this name and kind is known */
} memo_entity_in;

typedef struct memo_entity_result {
    size_t size;
    char id[MEMO_ID_BYTES];
    memo_outcome outcome;
} memo_entity_result;

/* memo_db_entity_add() -- make an entity, or complete the one that has this name and kind.
 *
 *   ns      NULL: "default"; made when it is new
 *   result  out, or NULL
 *
 * The known one gets the aliases that it lacks and the metadata, when given. A kind of NULL is that of
 * any entity of the name; when several entities have it: MEMO_ERR_VALUE. */
MEMO_API memo_status memo_db_entity_add(memo_db *db, const char *ns, const memo_entity_in *entity,
                                        memo_entity_result *result, memo_err *err);

typedef struct memo_alias_change {
    size_t size;
    const char *entity;     /* id, name or alias */
    const char *const *add; /* [n_add] */
    size_t n_add;
    const char *const *remove; /* [n_remove]; one that it has not is MEMO_ERR_NOTFOUND, its name is
                                  MEMO_ERR_VALUE */
    size_t n_remove;
} memo_alias_change;

/* All changes or none; result->outcome is MEMO_OUTCOME_UNCHANGED when there was nothing to do. */
MEMO_API memo_status memo_db_entity_alias(memo_db *db, const char *ns,
                                          const memo_alias_change *change,
                                          memo_entity_result *result, memo_err *err);

/* memo_db_entity_merge() -- two are one: everything of `from` becomes `into`'s.
 *
 * Names and aliases become aliases, facts are moved, metadata that `into` lacks is taken over; `from`
 * is gone, its id leaves a tombstone. This is not undone: a fact tells no more whose it was.
 *   n_facts  out, or NULL: how many facts moved */
MEMO_API memo_status memo_db_entity_merge(memo_db *db, const char *ns, const char *into,
                                          const char *from, uint64_t *n_facts, memo_err *err);

/* memo_db_entity_forget() -- delete an entity with its aliases and every fact about it, as subject or
 * object; tombstones stay.
 *   n_facts  out, or NULL: how many facts went with it */
MEMO_API memo_status memo_db_entity_forget(memo_db *db, const char *ns, const char *entity,
                                           uint64_t *n_facts, memo_err *err);

typedef struct memo_entity {
    const char *id;
    const char *name;
    const char *kind; /* "" when none */
    const char *metadata_json;
    const char *const *aliases; /* [n_aliases] without the name, sorted by folded form */
    size_t n_aliases;
    int64_t created_ms, updated_ms;
} memo_entity;

/* Entities with the memory that holds them; free with memo_entities_free(). */
typedef struct memo_entities {
    size_t n;
    const memo_entity *entities; /* [n] */
    const char *next;            /* cursor for `after`, or NULL at the end */
    size_t n_damaged;            /* rows left out because their checksum failed */
    const char *const *damaged;  /* [<= n_damaged, 64 at most] what is known of them */
    size_t n_damaged_ids;
} memo_entities;

/* By id, name or alias. MEMO_ERR_NOTFOUND. */
MEMO_API memo_status memo_db_entity_get(memo_db *db, const char *ns, const char *entity,
                                        memo_entities **entities, memo_err *err);

typedef struct memo_entity_list_options {
    size_t size;
    const char *ns;
    const char *kind;  /* NULL: all */
    const char *name;  /* those with this name or alias; NULL: all */
    size_t limit;      /* 0: 20; at most 1,000 */
    const char *after; /* cursor of an earlier call */
} memo_entity_list_options;

/* Oldest first. */
MEMO_API memo_status memo_db_entity_list(memo_db *db, const memo_entity_list_options *options,
                                         memo_entities **entities, memo_err *err);
MEMO_API void memo_entities_free(memo_entities *entities);

/* ---- facts --------------------------------------------------------------------------------- */

/* Where a text says so. */
typedef struct memo_evidence_in {
    const char *record; /* id or key, in the same namespace */
    size_t begin, end;  /* byte span of its text, at character boundaries; both 0: all of it */
} memo_evidence_in;

typedef struct memo_fact_in {
    size_t size;
    const char *subject;  /* id, name or alias of an entity; made when no entity has this name */
    const char *relation; /* 1..128 bytes, e.g. "works_at" */
    const char *object;   /* likewise; or NULL and */
    const char *value;    /* a literal, at most 64 KiB */
    const char *subject_kind, *object_kind; /* of entities that are made; NULL: none */
    int64_t valid_from_ms;                  /* 0: since ever */
    int64_t valid_to_ms;                    /* it holds before this moment; 0: it still does */
    double confidence;                      /* 0 < c <= 1; 0: 1 */
    const memo_evidence_in *evidence;       /* [n_evidence] */
    size_t n_evidence;
    int functional; /* one object at a time: facts of this subject and relation that hold when this
                        one begins end there. Without valid_from it begins now, when another one of
                        them held before; one with a valid_to that is past begins where the last of
                        those ended that were over by then, and is MEMO_ERR_VALUE when another one
                        holds at its end: say when it began */
    int no_new_entities; /* an unknown name is MEMO_ERR_NOTFOUND */
    /* Of memo_db_fact_replace(): non-zero: the old one's time is not taken over, it holds since ever, or
     * still. Together with that time MEMO_ERR_VALUE. In a new fact 0 says so already. */
    int clear_from, clear_to;
} memo_fact_in;

typedef struct memo_fact_result {
    size_t size;
    char id[MEMO_ID_BYTES];
    memo_outcome outcome; /* UNCHANGED: known already; CHANGED: known, with new evidence */
    int made_subject, made_object;
    size_t n_closed; /* facts that ended because this one began */
} memo_fact_result;

/* memo_db_fact_add() -- record a fact; durable on return.
 *
 *   result  out, or NULL
 *
 * A fact with the same subject, relation, object and times that is not retracted is the same fact; where
 * another confidence is given, it is retracted and the new one takes its place. MEMO_ERR_VALUE: an empty or overlong part, a span that does not lie in the text or cuts
 * a character, valid_to not after valid_from, a confidence outside (0, 1], both or neither of object
 * and value; MEMO_ERR_NOTFOUND: no such record. */
MEMO_API memo_status memo_db_fact_add(memo_db *db, const char *ns, const memo_fact_in *fact,
                                      memo_fact_result *result, memo_err *err);

/* memo_db_fact_retract() -- take a fact back: it is no longer believed, from now on.
 *
 *   reason  at most 4 KiB; NULL: none
 *
 * It stays to be seen by `as_of_ms` and in the history. One that is retracted already stays as it is:
 * *outcome (or NULL) is MEMO_OUTCOME_UNCHANGED. */
MEMO_API memo_status memo_db_fact_retract(memo_db *db, const char *ns, const char *id,
                                          const char *reason, memo_outcome *outcome, memo_err *err);

/* memo_db_fact_replace() -- retract a fact and add another in its place, both or neither.
 *
 *   fact  what it leaves NULL or 0 (subject, relation, object and value, the times, confidence,
 *         evidence) is the old one's; clear_from and clear_to leave a time out */
MEMO_API memo_status memo_db_fact_replace(memo_db *db, const char *ns, const char *id,
                                          const memo_fact_in *fact, const char *reason,
                                          memo_fact_result *result, memo_err *err);

typedef struct memo_evidence {
    const char *record;  /* id */
    size_t begin, end;   /* of the text it had in `version` */
    uint64_t version;    /* of the record when the evidence was given */
    int outdated;        /* the record has another text by now */
    const char *excerpt; /* the span, NUL-terminated; "" when outdated */
} memo_evidence;

typedef struct memo_fact {
    const char *id;
    const char *subject, *subject_name; /* id and name */
    const char *relation;
    const char *object, *object_name; /* NULL when the object is a value */
    const char *value;                /* NULL when it is an entity */
    int64_t valid_from_ms, valid_to_ms;
    int64_t recorded_ms;
    int64_t closed_ms;    /* when valid_to was set by a later fact; 0: it was not */
    int64_t retracted_ms; /* 0: it is believed */
    const char *reason;   /* of the retraction, "" when none */
    double confidence;
    const memo_evidence *evidence; /* [n_evidence] */
    size_t n_evidence;
} memo_fact;

/* Facts with the memory that holds them; free with memo_facts_free(). */
typedef struct memo_facts {
    size_t n;
    const memo_fact *facts;     /* [n] in the order they were recorded */
    const char *next;           /* cursor for `after`, or NULL at the end */
    size_t n_damaged;           /* rows left out because their checksum failed */
    const char *const *damaged; /* [<= n_damaged, 64 at most] what is known of them */
    size_t n_damaged_ids;
} memo_facts;

typedef struct memo_fact_query {
    size_t size;
    const char *ns;
    const char *subject, *relation, *object, *value; /* all that are given must fit */
    const char *about;                               /* an entity: subject or object */
    const char *record;                              /* facts with evidence in it */
    int64_t valid_at_ms;                             /* those that hold then; 0: now */
    int any_time;                                    /* non-zero: whenever they hold */
    int64_t as_of_ms;                                /* as the store believed then; 0: now */
    int retracted;                                   /* non-zero: retracted ones too */
    double min_confidence;
    size_t limit;      /* 0: 100; at most 1,000 */
    const char *after; /* cursor of an earlier call */
} memo_fact_query;

/* memo_db_fact_query() -- the facts that fit, in the order they were recorded. An entity that is not
 * known is MEMO_ERR_NOTFOUND. */
MEMO_API memo_status memo_db_fact_query(memo_db *db, const memo_fact_query *query,
                                        memo_facts **facts, memo_err *err);

typedef struct memo_fact_history_options {
    size_t size;
    const char *ns;
    size_t limit;      /* 0: 100; at most 1,000 */
    const char *after; /* cursor of an earlier call */
} memo_fact_history_options;

/* memo_db_fact_history() -- everything that was ever recorded for the subject and relation of a fact,
 * retracted and closed ones too, in the order it was recorded. */
MEMO_API memo_status memo_db_fact_history(memo_db *db, const memo_fact_history_options *options,
                                          const char *id, memo_facts **facts, memo_err *err);
MEMO_API void memo_facts_free(memo_facts *facts);

#ifdef __cplusplus
}
#endif

#endif
