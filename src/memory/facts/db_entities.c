// SPDX-License-Identifier: Apache-2.0
/* Entities: add, rename by aliases, merge, forget, get and list. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/facts/db_facts.h"

#define ENTITIES_METADATA_BYTES ((size_t)64 << 10)
#define ENTITIES_LIST           20
#define ENTITIES_SAME           16 /* looked through at a time */

/* Results with the arena that holds them. */
typedef struct entities_owner {
    memo_entities entities; /* first: this is what the caller sees */
    memo_arena arena;
} entities_owner;

void memo_entities_free(memo_entities *entities)
{
    entities_owner *owner = (entities_owner *)entities;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

/* ---- add ----------------------------------------------------------------------------------- */

static memo_status entities_check(const memo_entity_in *in, memo_err *err)
{
    size_t n_metadata = in->metadata_json ? strlen(in->metadata_json) : 0;
    memo_status status =
        memo_facts_check_text("name of an entity", in->name, FACTS_NAME_BYTES, err);

    if (status == MEMO_OK && in->kind && *in->kind)
        status = memo_facts_check_text("kind", in->kind, FACTS_KIND_BYTES, err);
    if (status == MEMO_OK && in->n_aliases && !in->aliases)
        status =
            memo_fail(err, MEMO_ERR_USAGE, "%zu aliases and their array is NULL", in->n_aliases);
    if (status == MEMO_OK && n_metadata > ENTITIES_METADATA_BYTES)
        status = memo_fail(err, MEMO_ERR_LIMIT,
                           "the metadata has %zu bytes; at most %zu are "
                           "allowed",
                           n_metadata, ENTITIES_METADATA_BYTES);
    return status;
}

static int entities_has_alias(const memo_alias_row *rows, size_t n, const char *folded)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].folded, folded) == 0)
            return 1;
    return 0;
}

/* A page that is missing rows must not be added to: what seems new may be there. */
static memo_status entities_fail_damage(const memo_store_damage *damage, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: its checksum does not match; nothing was changed",
              damage->n_ids ? damage->ids[0] : "a row");
    return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
}

static memo_status entities_aliases(memo_db *db, const memo_entity_row *row, memo_arena *arena,
                                    memo_alias_row **rows, size_t *n, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_status status =
        memo_store_list_aliases(db->store, row->ns, row->eid, arena, &damage, rows, n, err);

    return !status && damage.n ? entities_fail_damage(&damage, err) : status;
}

/* Give the entity the aliases that it lacks; *changed is set when there were any. */
static memo_status entities_add_aliases(memo_db *db, const memo_entity_row *row,
                                        const char *const *aliases, size_t n_aliases,
                                        memo_arena *arena, int *changed, memo_err *err)
{
    memo_alias_row *have = NULL;
    size_t n_have = 0;
    memo_status status = entities_aliases(db, row, arena, &have, &n_have, err);

    for (size_t i = 0; i < n_aliases && status == MEMO_OK; i++) {
        char *folded = NULL;
        status = memo_facts_fold("alias", aliases[i], arena, &folded, err);
        if (status || entities_has_alias(have, n_have, folded))
            continue;
        status = memo_store_put_alias(db->store, row->ns, row->eid,
                                      &(memo_alias_row){folded, aliases[i]}, err);
        *changed = 1;
    }
    return status;
}

static memo_status entities_set_metadata(memo_entity_row *row, const char *metadata,
                                         memo_arena *arena, int *changed, memo_err *err)
{
    const char *merged = row->metadata;
    memo_status status =
        metadata ? memo_db_merge_metadata(row->metadata, metadata, arena, &merged, err) : MEMO_OK;

    *changed |= !status && strcmp(merged, row->metadata) != 0;
    row->metadata = merged;
    return status;
}

/* The entity of this very name and kind; an alias of another one is no reason to be it. */
static memo_status entities_find_same(memo_db *db, int64_t ns, const memo_entity_in *in,
                                      memo_arena *arena, memo_entity_row *row, int *found,
                                      memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_entity_page page = {.more = 1};
    memo_entity_scope scope = {.ns = ns, .kind = in->kind};
    char *wanted = NULL, *name = NULL;
    size_t n_same = 0;
    memo_status status = memo_facts_fold("name of an entity", in->name, arena, &wanted, err);

    *found = 0;
    scope.folded = wanted;
    while (status == MEMO_OK && page.more && !in->distinct) {
        scope.after = page.n ? page.rows[page.n - 1].eid : 0;
        page = (memo_entity_page){.arena = arena, .damage = &damage, .limit = ENTITIES_SAME};
        status = memo_store_list_entities(db->store, &scope, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK; i++) {
            status = memo_facts_fold("name of an entity", page.rows[i].name, arena, &name, err);
            if (status == MEMO_OK && strcmp(wanted, name) == 0 && n_same++ == 0)
                *row = page.rows[i];
        }
    }
    if (status == MEMO_OK && n_same > 1) /* says which */
        status = memo_facts_find_entity(db, ns, in->name, in->kind, arena, row, found, err);
    if (status == MEMO_OK && n_same == 0 && damage.n)
        status = entities_fail_damage(&damage, err);
    *found = status == MEMO_OK && n_same == 1;
    return status;
}

static memo_status entities_add(memo_db *db, int64_t ns, const memo_entity_in *in,
                                memo_arena *arena, memo_entity_result *result, memo_err *err)
{
    memo_entity_row row = {0};
    int found = 0, changed = 0;
    memo_status status = entities_find_same(db, ns, in, arena, &row, &found, err);

    if (status == MEMO_OK && !found)
        status = memo_facts_make_entity(db, ns, in->name, in->kind, arena, &row, err);
    if (status == MEMO_OK)
        status = entities_set_metadata(&row, in->metadata_json, arena, &changed, err);
    if (status == MEMO_OK)
        status = entities_add_aliases(db, &row, in->aliases, in->n_aliases, arena, &changed, err);
    if (status == MEMO_OK && changed)
        status = memo_store_put_entity(db->store, &row, arena, err);
    if (status)
        return status;
    memcpy(result->id, row.id, MEMO_ID_BYTES);
    result->outcome = !found    ? MEMO_OUTCOME_NEW
                      : changed ? MEMO_OUTCOME_CHANGED
                                : MEMO_OUTCOME_UNCHANGED;
    return MEMO_OK;
}

memo_status memo_db_entity_add(memo_db *db, const char *ns, const memo_entity_in *entity,
                               memo_entity_result *result, memo_err *err)
{
    memo_entity_in in;
    memo_entity_result done = {0};
    memo_arena arena = {0};
    int64_t ns_id = 0;
    memo_status status = memo_options_copy(&in, sizeof in, entity, "memo_entity_in", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, entity, "memo_db_entity_add", err);
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_entity_result", err);
    if (status == MEMO_OK)
        status = entities_check(&in, err);
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 1, &ns_id, err);
    if (status)
        return status;
    status = entities_add(db, ns_id, &in, &arena, &done, err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK)
        memo_result_write(result, &done, sizeof done);
    return status;
}

/* ---- meet ---------------------------------------------------------------------------------- */

/* By its name; of several by its kind too. row->eid 0: there is none. */
static memo_status entities_find_meant(memo_db *db, int64_t ns, const memo_entity_in *in,
                                       memo_arena *arena, memo_entity_row *row, memo_facts_met *met,
                                       memo_err *err)
{
    memo_err why = {0};
    int found = 0;
    memo_status status = memo_facts_find_entity(db, ns, in->name, NULL, arena, row, &found, &why);

    met->several = status == MEMO_ERR_VALUE;
    if (met->several) {
        status = memo_facts_find_entity(db, ns, in->name, in->kind, arena, row, &found, err);
        if (status || found)
            return status;
        status = MEMO_ERR_VALUE; /* none is of this kind: `why` names all of them */
    }
    if (status && err)
        *err = why;
    return status;
}

static memo_status entities_meet(memo_db *db, int64_t ns, const memo_entity_in *in,
                                 memo_arena *arena, memo_facts_met *met, memo_err *err)
{
    memo_entity_row row = {0};
    memo_status status = entities_find_meant(db, ns, in, arena, &row, met, err);

    met->made = status == MEMO_OK && !row.eid;
    if (met->made) {
        status = memo_facts_make_entity(db, ns, in->name, in->kind, arena, &row, err);
    } else if (status == MEMO_OK && *in->kind && !*row.kind) {
        row.kind = in->kind;
        status = memo_store_put_entity(db->store, &row, arena, err);
    }
    if (status == MEMO_OK)
        memcpy(met->id, row.id, MEMO_ID_BYTES);
    return status;
}

memo_status memo_facts_meet_entity(memo_db *db, const char *ns, const char *name, const char *kind,
                                   memo_facts_met *met, memo_err *err)
{
    const memo_entity_in in = {.size = sizeof in, .name = name, .kind = kind ? kind : ""};
    memo_arena arena = {0};
    int64_t ns_id = 0;
    memo_status status = entities_check(&in, err);

    *met = (memo_facts_met){0};
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 1, &ns_id, err);
    if (status)
        return status;
    status = entities_meet(db, ns_id, &in, &arena, met, err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    return status;
}

/* ---- aliases ------------------------------------------------------------------------------- */

static memo_status entities_remove_aliases(memo_db *db, const memo_entity_row *row,
                                           const memo_alias_change *change, memo_arena *arena,
                                           int *changed, memo_err *err)
{
    memo_alias_row *have = NULL;
    char *name = NULL;
    size_t n_have = 0;
    memo_status status = entities_aliases(db, row, arena, &have, &n_have, err);

    if (status == MEMO_OK)
        status = memo_facts_fold("name of an entity", row->name, arena, &name, err);
    for (size_t i = 0; i < change->n_remove && status == MEMO_OK; i++) {
        char *folded = NULL;
        status = memo_facts_fold("alias", change->remove[i], arena, &folded, err);
        if (status == MEMO_OK && strcmp(folded, name) == 0)
            status = memo_fail(err, MEMO_ERR_VALUE, "\"%s\" is the name of the entity, which stays",
                               change->remove[i]);
        else if (status == MEMO_OK && !entities_has_alias(have, n_have, folded))
            status = memo_fail(err, MEMO_ERR_NOTFOUND, "\"%s\" has no alias \"%s\"", row->name,
                               change->remove[i]);
        else if (status == MEMO_OK)
            status = memo_store_delete_alias(db->store, row->ns, row->eid, folded, err);
        *changed = 1;
    }
    return status;
}

static memo_status entities_change(memo_db *db, int64_t ns, const memo_alias_change *change,
                                   memo_arena *arena, memo_entity_result *result, memo_err *err)
{
    memo_entity_row row = {0};
    int changed = 0;
    memo_status status = memo_facts_need_entity(db, ns, change->entity, arena, &row, err);

    if (status == MEMO_OK && change->n_remove)
        status = entities_remove_aliases(db, &row, change, arena, &changed, err);
    if (status == MEMO_OK)
        status = entities_add_aliases(db, &row, change->add, change->n_add, arena, &changed, err);
    if (status == MEMO_OK && changed)
        status = memo_store_put_entity(db->store, &row, arena, err);
    if (status)
        return status;
    memcpy(result->id, row.id, MEMO_ID_BYTES);
    result->outcome = changed ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_UNCHANGED;
    return MEMO_OK;
}

memo_status memo_db_entity_alias(memo_db *db, const char *ns, const memo_alias_change *change,
                                 memo_entity_result *result, memo_err *err)
{
    memo_alias_change c;
    memo_entity_result done = {0};
    memo_arena arena = {0};
    int64_t ns_id = 0;
    memo_status status = memo_options_copy(&c, sizeof c, change, "memo_alias_change", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, change, "memo_db_entity_alias", err);
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_entity_result", err);
    if (status == MEMO_OK && ((c.n_add && !c.add) || (c.n_remove && !c.remove)))
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_entity_alias: an array is NULL");
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 0, &ns_id, err);
    if (status)
        return status;
    status = entities_change(db, ns_id, &c, &arena, &done, err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK)
        memo_result_write(result, &done, sizeof done);
    return status;
}

/* ---- merge and forget ---------------------------------------------------------------------- */

static memo_status entities_take_over(memo_db *db, memo_entity_row *into,
                                      const memo_entity_row *from, memo_arena *arena, memo_err *err)
{
    memo_alias_row *aliases = NULL;
    const char **names = NULL, *metadata = NULL;
    size_t n = 0;
    int changed = 0;
    memo_status status = entities_aliases(db, from, arena, &aliases, &n, err);

    if (status == MEMO_OK && !(names = memo_arena_array(arena, n + 1, sizeof *names)))
        status = memo_fail_nomem(err, "aliases", n * sizeof *names);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        names[i] = aliases[i].alias;
    if (status == MEMO_OK)
        status = entities_add_aliases(db, into, names, n, arena, &changed, err);
    if (status == MEMO_OK) /* where both say something, `into` is right */
        status = memo_db_merge_metadata(from->metadata, into->metadata, arena, &metadata, err);
    if (status)
        return status;
    into->metadata = metadata;
    return memo_store_put_entity(db->store, into, arena, err);
}

static memo_status entities_merge(memo_db *db, int64_t ns, const char *into, const char *from,
                                  memo_arena *arena, uint64_t *n_facts, memo_err *err)
{
    memo_entity_row kept = {0}, gone = {0};
    memo_status status = memo_facts_need_entity(db, ns, into, arena, &kept, err);

    if (status == MEMO_OK)
        status = memo_facts_need_entity(db, ns, from, arena, &gone, err);
    if (status == MEMO_OK && kept.eid == gone.eid)
        status = memo_fail(err, MEMO_ERR_VALUE, "\"%s\" and \"%s\" are the same entity, %s", into,
                           from, kept.id);
    if (status == MEMO_OK)
        status = entities_take_over(db, &kept, &gone, arena, err);
    if (status == MEMO_OK)
        status = memo_store_move_facts(db->store, ns, gone.eid, kept.eid, n_facts, err);
    return status ? status : memo_store_delete_entity(db->store, &gone, err);
}

memo_status memo_db_entity_merge(memo_db *db, const char *ns, const char *into, const char *from,
                                 uint64_t *n_facts, memo_err *err)
{
    memo_arena arena = {0};
    int64_t ns_id = 0;
    uint64_t n = 0;
    memo_status status = memo_db_check_call(db, into ? from : NULL, "memo_db_entity_merge", err);

    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 0, &ns_id, err);
    if (status)
        return status;
    status = entities_merge(db, ns_id, into, from, &arena, &n, err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK && n_facts)
        *n_facts = n;
    return status;
}

static memo_status entities_forget(memo_db *db, int64_t ns, const char *entity, memo_arena *arena,
                                   uint64_t *n_facts, memo_err *err)
{
    memo_entity_row row = {0};
    int more = 1;
    memo_status status = memo_facts_need_entity(db, ns, entity, arena, &row, err);

    while (status == MEMO_OK && more) {
        memo_arena page_arena = {0};
        memo_store_damage damage = {.arena = &page_arena};
        const memo_fact_scope scope = {.ns = ns, .about = row.eid, .retracted = 1};
        memo_fact_page page = {.arena = &page_arena, .damage = &damage, .limit = FACTS_MAX_PAGE};
        status = memo_store_list_facts(db->store, &scope, &page, err);
        if (status == MEMO_OK && damage.n)
            status = entities_fail_damage(&damage, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK; i++, ++*n_facts)
            status = memo_store_delete_fact(db->store, &page.rows[i], err);
        more = page.more;
        memo_arena_fini(&page_arena);
    }
    return status ? status : memo_store_delete_entity(db->store, &row, err);
}

memo_status memo_db_entity_forget(memo_db *db, const char *ns, const char *entity,
                                  uint64_t *n_facts, memo_err *err)
{
    memo_arena arena = {0};
    int64_t ns_id = 0;
    uint64_t n = 0;
    memo_status status = memo_db_check_call(db, entity, "memo_db_entity_forget", err);

    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 0, &ns_id, err);
    if (status)
        return status;
    status = entities_forget(db, ns_id, entity, &arena, &n, err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK && n_facts)
        *n_facts = n;
    return status;
}

/* ---- get and list -------------------------------------------------------------------------- */

static memo_status entities_publish(memo_db *db, const memo_entity_row *row, memo_arena *arena,
                                    memo_store_damage *damage, memo_entity *out, memo_err *err)
{
    memo_alias_row *aliases = NULL;
    const char **names = NULL;
    char *name = NULL;
    size_t n = 0, n_names = 0;
    memo_status status =
        memo_store_list_aliases(db->store, row->ns, row->eid, arena, damage, &aliases, &n, err);

    if (status == MEMO_OK)
        status = memo_facts_fold("name of an entity", row->name, arena, &name, err);
    if (status == MEMO_OK && !(names = memo_arena_array(arena, n + 1, sizeof *names)))
        status = memo_fail_nomem(err, "aliases", n * sizeof *names);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        if (strcmp(aliases[i].folded, name) != 0)
            names[n_names++] = aliases[i].alias;
    *out = (memo_entity){.id = row->id,
                         .name = row->name,
                         .kind = row->kind,
                         .metadata_json = row->metadata,
                         .aliases = names,
                         .n_aliases = n_names,
                         .created_ms = row->created_ms,
                         .updated_ms = row->updated_ms};
    return MEMO_OK;
}

/* Fill the owner with the entities of a scope. */
static memo_status entities_read(memo_db *db, const memo_entity_scope *scope, size_t limit,
                                 entities_owner *owner, memo_err *err)
{
    memo_arena *arena = &owner->arena;
    memo_entities *out = &owner->entities;
    memo_store_damage damage = {.arena = arena};
    memo_entity_page page = {.arena = arena, .damage = &damage, .limit = limit};
    memo_entity *entities;
    memo_status status = memo_store_list_entities(db->store, scope, &page, err);

    if (status)
        return status;
    entities = memo_arena_array(arena, page.n + 1, sizeof *entities);
    if (!entities)
        return memo_fail_nomem(err, "entities", page.n * sizeof *entities);
    for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
        status = entities_publish(db, &page.rows[i], arena, &damage, &entities[i], err);
    if (status == MEMO_OK && page.more)
        status = memo_db_put_cursor(arena, page.rows[page.n - 1].eid, &out->next, err);
    if (status)
        return status;
    out->entities = entities;
    out->n = page.n;
    return memo_db_name_damage(&damage, arena, &out->n_damaged, &out->damaged, &out->n_damaged_ids,
                               err);
}

static memo_status entities_get(memo_db *db, const char *ns, const char *entity,
                                entities_owner *owner, memo_err *err)
{
    memo_store_ns found = {0};
    memo_entity_row row = {0};
    memo_entity_scope scope;
    memo_status status = memo_store_find_ns(db->store, memo_db_ns_name(ns), &found, err);

    if (status == MEMO_OK)
        status = memo_facts_need_entity(db, found.id, entity, &owner->arena, &row, err);
    if (status)
        return status;
    scope = (memo_entity_scope){.ns = found.id, .eid = row.eid};
    return entities_read(db, &scope, 1, owner, err);
}

static memo_status entities_list(memo_db *db, const memo_entity_list_options *o,
                                 entities_owner *owner, memo_err *err)
{
    memo_entity_scope scope = {.kind = o->kind};
    char *folded = NULL;
    memo_status status = memo_db_read_cursor(o->after, &scope.after, err);

    if (status == MEMO_OK && o->name)
        status = memo_facts_fold("name of an entity", o->name, &owner->arena, &folded, err);
    if (status == MEMO_OK)
        status = memo_db_find_ns(db, o->ns, &scope.ns, err);
    scope.folded = folded;
    if (status || scope.ns == 0)
        return status;
    return entities_read(db, &scope, o->limit ? o->limit : ENTITIES_LIST, owner, err);
}

memo_status memo_db_entity_get(memo_db *db, const char *ns, const char *entity,
                               memo_entities **entities, memo_err *err)
{
    entities_owner *owner;
    memo_status status =
        memo_db_check_call(db, entity ? (void *)entities : NULL, "memo_db_entity_get", err);

    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "entities", sizeof *owner);
    status = entities_get(db, ns, entity, owner, err);
    if (status)
        memo_entities_free(&owner->entities);
    else
        *entities = &owner->entities;
    return status;
}

memo_status memo_db_entity_list(memo_db *db, const memo_entity_list_options *options,
                                memo_entities **entities, memo_err *err)
{
    memo_entity_list_options o;
    entities_owner *owner;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_entity_list_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, entities, "memo_db_entity_list", err);
    if (status == MEMO_OK && o.limit > FACTS_MAX_PAGE)
        status = memo_fail(err, MEMO_ERR_LIMIT, "a list of %zu entities: at most %d a call",
                           o.limit, FACTS_MAX_PAGE);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "entities", sizeof *owner);
    status = entities_list(db, &o, owner, err);
    if (status)
        memo_entities_free(&owner->entities);
    else
        *entities = &owner->entities;
    return status;
}
