// SPDX-License-Identifier: Apache-2.0
/* fault/alloc_memory.h -- scenarios of what a store knows besides records: shredding, facts, what was
 * done with results, settings, the change feed, the audit, export, the context. */
#ifndef MEMO_FAULT_ALLOC_MEMORY_H
#define MEMO_FAULT_ALLOC_MEMORY_H

#include "alloc_env.h"

/* Refused on the way it has begun: the next call finishes it. */
static memo_status alloc_run_shred(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_shred_options o = {.size = sizeof o, .ids = &s->text, .n_ids = 1};
    memo_shred_report *r = NULL;
    memo_status status = memo_db_shred(e->db, &o, &r, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%llu found\n", (unsigned long long)r->n_found);
    memo_shred_report_free(r);
    return status;
}

static memo_status alloc_run_prove(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_text text = MEMO_STR(s->text);
    const memo_prove_options o = {.size = sizeof o, .texts = &text, .n_texts = 1};
    memo_shred_report *r = NULL;
    memo_status status = memo_db_prove_gone(e->db, &o, &r, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%d\n", r->n_found > 0);
    memo_shred_report_free(r);
    return status;
}

/* a: with evidence. */
static memo_status alloc_run_fact(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_evidence_in evidence = {"n-1", 0, 0};
    const memo_fact_in in = {.size = sizeof in,
                             .subject = s->text,
                             .relation = "works_at",
                             .object = "Initech",
                             .evidence = &evidence,
                             .n_evidence = s->a != 0,
                             .functional = 1};
    memo_fact_result r = {.size = sizeof r};
    memo_status status = memo_db_fact_add(e->db, NULL, &in, &r, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%d %d %d\n", (int)r.outcome, r.made_subject, r.made_object);
    return status;
}

static memo_status alloc_run_entity(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const char *const aliases[] = {"the heating", "Boiler 7"};
    const memo_entity_in in = {.size = sizeof in,
                               .name = s->text,
                               .metadata_json = "{\"room\": \"cellar\"}",
                               .aliases = aliases,
                               .n_aliases = 2};
    memo_entity_result r = {.size = sizeof r};
    memo_status status = memo_db_entity_add(e->db, NULL, &in, &r, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%d\n", (int)r.outcome);
    return status;
}

/* a: the action. */
static memo_status alloc_run_feedback(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_action_in in = {.size = sizeof in,
                               .kind = (memo_action_kind)s->a,
                               .id = s->text,
                               .actor = "anna",
                               .detail = "as it was"};
    char id[MEMO_ID_BYTES];
    memo_status status = memo_db_feedback(e->db, &in, id, err);
    seam_stop();
    return status;
}

static memo_status alloc_run_changes(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_changes *c = NULL;
    memo_status status = memo_db_changes(e->db, NULL, &c, err);
    (void)s;
    seam_stop();
    for (size_t i = 0; !status && i < c->n; i++)
        fprintf(e->out, "%s %llu %s\n", memo_change_kind_name(c->changes[i].kind),
                (unsigned long long)c->changes[i].seq, c->changes[i].id);
    memo_changes_free(c);
    return status;
}

static memo_status alloc_run_history(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_records *r = NULL;
    memo_status status = memo_db_history(e->db, NULL, s->text, &r, err);
    seam_stop();
    if (!status)
        alloc_print_records(e->out, r);
    memo_records_free(r);
    return status;
}

static memo_status alloc_run_audit(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_audit_options o = {.size = sizeof o, .oversized_bytes = 40};
    memo_audit *a = NULL;
    memo_status status = memo_db_audit(e->db, &o, &a, err);
    (void)s;
    seam_stop();
    for (size_t i = 0; !status && i < a->n; i++)
        fprintf(e->out, "%s %s %s\n", memo_audit_kind_name(a->findings[i].kind), a->findings[i].id,
                a->findings[i].why);
    memo_audit_free(a);
    return status;
}

static int alloc_take_lines(void *user, const char *bytes, size_t n)
{
    size_t *sum = user;
    (void)bytes;
    *sum += n;
    return 0;
}

static memo_status alloc_run_export(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_export_options o = {.size = sizeof o, .where = s->text, .vectors = s->a};
    size_t n_bytes = 0;
    memo_status status = memo_db_export(e->db, &o, alloc_take_lines, &n_bytes, NULL, err);
    seam_stop();
    fprintf(e->out, "%zu bytes\n", status ? 0 : n_bytes);
    return status;
}

static memo_status alloc_run_spaces(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_spaces *spaces = NULL;
    memo_status status = memo_db_get_spaces(e->db, &spaces, err);
    (void)s;
    seam_stop();
    for (size_t i = 0; !status && i < spaces->n_namespaces; i++)
        fprintf(e->out, "%s %llu\n", spaces->namespaces[i].name,
                (unsigned long long)spaces->namespaces[i].n_chunks);
    memo_spaces_free(spaces);
    return status;
}

#endif
