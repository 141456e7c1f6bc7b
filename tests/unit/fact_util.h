// SPDX-License-Identifier: Apache-2.0
/* unit/fact_util.h -- short forms of the calls on entities and facts. */
#ifndef MEMO_FACT_UTIL_H
#define MEMO_FACT_UTIL_H

#include "db_util.h"

#define DAY (INT64_C(24) * 3600 * 1000)

static inline memo_entity_result entity(db_env *e, const char *name, const char *kind,
                                        const char *alias)
{
    const memo_entity_in in = {.size = sizeof in,
                               .name = name,
                               .kind = kind,
                               .aliases = &alias,
                               .n_aliases = alias != NULL};
    memo_entity_result result = {.size = sizeof result};
    assert_memo_ok(memo_db_entity_add(e->db, NULL, &in, &result, &e->err), e->err);
    return result;
}

static inline memo_fact_in triple(const char *subject, const char *relation, const char *object)
{
    return (memo_fact_in){
        .size = sizeof(memo_fact_in), .subject = subject, .relation = relation, .object = object};
}

static inline memo_fact_in valued(const char *subject, const char *relation, const char *value)
{
    memo_fact_in in = triple(subject, relation, NULL);
    in.value = value;
    return in;
}

static inline memo_fact_result fact(db_env *e, memo_fact_in in)
{
    memo_fact_result result = {.size = sizeof result};
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &in, &result, &e->err), e->err);
    return result;
}

static inline memo_facts *query(db_env *e, memo_fact_query q)
{
    memo_facts *facts = NULL;
    q.size = sizeof q;
    assert_memo_ok(memo_db_fact_query(e->db, &q, &facts, &e->err), e->err);
    return facts;
}

/* What a query gives, as "subject relation object|value" joined by "; ". */
static inline void assert_facts(db_env *e, memo_fact_query q, const char *wanted)
{
    char text[1024] = "";
    memo_facts *facts = query(e, q);
    for (size_t i = 0; i < facts->n; i++) {
        const memo_fact *f = &facts->facts[i];
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%s %s %s", i ? "; " : "", f->subject_name,
                 f->relation, f->object ? f->object_name : f->value);
    }
    memo_facts_free(facts);
    assert_string_equal(text, wanted);
}

static inline memo_status add_fact(db_env *e, memo_fact_in in)
{
    memset(&e->err, 0, sizeof e->err);
    return memo_db_fact_add(e->db, NULL, &in, NULL, &e->err);
}

#endif
