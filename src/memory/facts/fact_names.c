// SPDX-License-Identifier: Apache-2.0
/* Names of entities: checked, folded, looked up; and what every call on facts begins and ends with. */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "memory/facts/db_facts.h"
#include "memory/feedback/search_log.h"
#include "text/fold.h"

#define NAMES_MAX_SHOWN 4 /* ids of entities that share a name */

memo_status memo_facts_check_text(const char *what, const char *text, size_t max, memo_err *err)
{
    size_t n = text ? strlen(text) : 0, bad = n ? memo_utf8_check(text, n) : 0;

    if (!text)
        return memo_fail(err, MEMO_ERR_USAGE, "the %s is NULL", what);
    if (n == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "the %s is empty", what);
    if (n > max)
        return memo_fail(err, MEMO_ERR_LIMIT, "the %s has %zu bytes; at most %zu are allowed", what,
                         n, max);
    if (bad < n)
        return memo_fail(err, MEMO_ERR_VALUE, "the %s is not UTF-8 at byte %zu", what, bad);
    return MEMO_OK;
}

memo_status memo_facts_fold(const char *what, const char *name, memo_arena *arena, char **folded,
                            memo_err *err)
{
    memo_status status = memo_facts_check_text(what, name, FACTS_NAME_BYTES, err);

    if (status == MEMO_OK)
        status = memo_fold_name(arena, name, strlen(name), folded, err);
    if (status == MEMO_OK && !**folded)
        status = memo_fail(err, MEMO_ERR_VALUE, "the %s holds nothing that can be seen", what);
    return status;
}

/* ---- finding ------------------------------------------------------------------------------- */

static memo_status names_fail_ambiguous(const char *name, const memo_entity_page *page,
                                        memo_err *err)
{
    memo_buf ids = {0};

    for (size_t i = 0; i < page->n; i++)
        memo_buf_printf(&ids, "%s%s%s%s%s", i ? ", " : "", page->rows[i].id,
                        *page->rows[i].kind ? " (" : "", page->rows[i].kind,
                        *page->rows[i].kind ? ")" : "");
    memo_fail(err, MEMO_ERR_VALUE, "several entities are called \"%s\": %s%s", name,
              ids.data && !ids.failed ? ids.data : "?", page->more ? " and more" : "");
    memo_buf_fini(&ids);
    return memo_hint(err, MEMO_ERR_VALUE, "give the id of the one that is meant");
}

static memo_status names_pick(const char *name, const memo_entity_page *page, memo_entity_row *row,
                              int *found, memo_err *err)
{
    if (page->n > 1)
        return names_fail_ambiguous(name, page, err);
    if (page->n == 0 && page->damage->n) {
        memo_fail(err, MEMO_ERR_CORRUPT, "\"%s\": %s: its checksum does not match", name,
                  page->damage->n_ids ? page->damage->ids[0] : "an entity");
        return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
    }
    *found = page->n == 1;
    if (*found)
        *row = page->rows[0];
    return MEMO_OK;
}

memo_status memo_facts_find_entity(memo_db *db, int64_t ns, const char *name, const char *kind,
                                   memo_arena *arena, memo_entity_row *row, int *found,
                                   memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_entity_page page = {.arena = arena, .damage = &damage, .limit = NAMES_MAX_SHOWN};
    memo_entity_scope scope = {.ns = ns, .id = name};
    char *folded = NULL;
    memo_status status = memo_facts_fold("name of an entity", name, arena, &folded, err);

    *found = 0;
    if (status == MEMO_OK && strlen(name) == MEMO_ID_BYTES - 1)
        status = memo_store_list_entities(db->store, &scope, &page, err);
    if (status == MEMO_OK && page.n == 0) {
        scope = (memo_entity_scope){.ns = ns, .folded = folded, .kind = kind};
        status = memo_store_list_entities(db->store, &scope, &page, err);
    }
    return status ? status : names_pick(name, &page, row, found, err);
}

memo_status memo_facts_need_entity(memo_db *db, int64_t ns, const char *name, memo_arena *arena,
                                   memo_entity_row *row, memo_err *err)
{
    int found = 0;
    memo_status status = memo_facts_find_entity(db, ns, name, NULL, arena, row, &found, err);

    if (status == MEMO_OK && !found) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "no entity is called \"%s\"", name);
        return memo_hint(err, MEMO_ERR_NOTFOUND,
                         "memolith entity list   or   memolith entity add "
                         "NAME");
    }
    return status;
}

memo_status memo_facts_make_entity(memo_db *db, int64_t ns, const char *name, const char *kind,
                                   memo_arena *arena, memo_entity_row *row, memo_err *err)
{
    char *folded = NULL;
    memo_status status = memo_facts_fold("name of an entity", name, arena, &folded, err);

    if (status == MEMO_OK && kind && *kind)
        status = memo_facts_check_text("kind", kind, FACTS_KIND_BYTES, err);
    if (status)
        return status;
    *row = (memo_entity_row){.ns = ns, .name = name, .kind = kind ? kind : "", .metadata = "{}"};
    status = memo_store_put_entity(db->store, row, arena, err);
    return status ? status
                  : memo_store_put_alias(db->store, ns, row->eid, &(memo_alias_row){folded, name},
                                         err);
}

/* ---- begin and end ------------------------------------------------------------------------- */

memo_status memo_facts_begin(memo_db *db, const char *ns, int make, int64_t *ns_id, memo_err *err)
{
    memo_store_ns found = {0};
    memo_status status = memo_store_begin_write(db->store, err);

    if (status)
        return status;
    status = make ? memo_store_make_ns(db->store, memo_db_ns_name(ns), &found, err)
                  : memo_store_find_ns(db->store, memo_db_ns_name(ns), &found, err);
    if (status)
        memo_store_rollback(db->store);
    *ns_id = found.id;
    return status;
}

memo_status memo_facts_end(memo_db *db, memo_status status, memo_err *err)
{
    status = memo_store_end_write(db->store, status, err);
    if (status == MEMO_OK)
        memo_search_log_after_write(db);
    return status;
}
