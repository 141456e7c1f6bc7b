// SPDX-License-Identifier: Apache-2.0
/* memory/space_list.c -- memo_db_get_spaces(): what a store holds of which model. */
#include "memory/db.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/switches.h"

/* The lists with what holds them. */
typedef struct space_list {
    memo_spaces spaces; /* first: this is what the caller sees */
    memo_db *db;
    memo_arena arena;
    memo_space_info *infos; /* [cap] */
    int64_t *ids;           /* [cap] of the spaces */
    size_t cap;
    memo_ns_info *namespaces; /* [ns_cap] */
    memo_store_ns *ns;        /* [ns_cap] */
    size_t ns_cap;
    int out_of_memory;
} space_list;

void memo_spaces_free(memo_spaces *spaces)
{
    space_list *list = (space_list *)spaces;

    if (!list)
        return;
    memo_free(list->infos);
    memo_free(list->ids);
    memo_free(list->namespaces);
    memo_free(list->ns);
    memo_arena_fini(&list->arena);
    memo_free(list);
}

/* Room for one more in both of two arrays; 0: no memory. */
static int space_list_grow(void **a, size_t a_bytes, void **b, size_t b_bytes, size_t n,
                           size_t *cap)
{
    size_t more = *cap ? 2 * *cap : 8;
    void *grown;

    if (n < *cap)
        return 1;
    if (!(grown = memo_reallocarray(*a, more, a_bytes)))
        return 0;
    *a = grown;
    if (!(grown = memo_reallocarray(*b, more, b_bytes)))
        return 0;
    *b = grown;
    *cap = more;
    return 1;
}

static int space_list_add_space(void *user, const memo_store_space *space, uint64_t n_vectors)
{
    space_list *list = user;
    const memo_store_space *open = &list->db->space;
    size_t n = list->spaces.n;
    void *infos = list->infos, *ids = list->ids;
    int room = space_list_grow(&infos, sizeof *list->infos, &ids, sizeof *list->ids, n, &list->cap);
    memo_space_info info = {.name = memo_arena_strdup(&list->arena, space->name),
                            .fingerprint = memo_arena_strdup(&list->arena, space->fingerprint),
                            .dim = space->dim,
                            .external = space->kind == MEMO_SPACE_EXTERNAL,
                            .n_vectors = n_vectors};

    list->infos = infos;
    list->ids = ids;
    list->out_of_memory |= !room || !info.name || !info.fingerprint;
    if (list->out_of_memory)
        return 1;
    info.is_open = open->fingerprint && strcmp(open->fingerprint, info.fingerprint) == 0;
    list->infos[n] = info;
    list->ids[n] = space->id;
    list->spaces.n++;
    return 0;
}

static int space_list_add_ns(void *user, const char *name, const memo_store_ns *ns,
                             uint64_t n_records)
{
    space_list *list = user;
    size_t n = list->spaces.n_namespaces;
    void *infos = list->namespaces, *rows = list->ns;
    int room = space_list_grow(&infos, sizeof *list->namespaces, &rows, sizeof *list->ns, n,
                               &list->ns_cap);

    list->namespaces = infos;
    list->ns = rows;
    name = memo_arena_strdup(&list->arena, name);
    list->out_of_memory |= !room || !name;
    if (list->out_of_memory)
        return 1;
    list->namespaces[n] = (memo_ns_info){.name = name, .n_records = n_records};
    list->ns[n] = *ns;
    list->spaces.n_namespaces++;
    return 0;
}

static size_t space_list_find(const space_list *list, int64_t id)
{
    for (size_t i = 0; i < list->spaces.n; i++)
        if (list->ids[i] == id)
            return i;
    return MEMO_NO_SPACE;
}

static memo_status space_list_fill_ns(space_list *list, size_t i, memo_err *err)
{
    memo_store *store = list->db->store;
    memo_ns_info *info = &list->namespaces[i];
    memo_store_switch s = {0};
    memo_status status = memo_store_get_switch(store, list->ns[i].id, &s, err);

    if (status == MEMO_OK)
        status = memo_store_count_space(store, list->ns[i].id, list->ns[i].space, &info->n_chunks,
                                        &info->n_current, err);
    if (status == MEMO_OK && s.next)
        status = memo_store_count_space(store, list->ns[i].id, s.next, &info->n_chunks,
                                        &info->n_next, err);
    info->current = space_list_find(list, list->ns[i].space);
    info->previous = space_list_find(list, s.previous);
    info->next = space_list_find(list, s.next);
    return status;
}

static memo_status space_list_make(space_list *list, memo_err *err)
{
    memo_store *store = list->db->store;
    memo_status status = memo_store_each_space(store, space_list_add_space, list, err);

    if (status == MEMO_OK && !list->out_of_memory)
        status = memo_store_each_ns(store, space_list_add_ns, list, err);
    if (status == MEMO_OK && list->out_of_memory)
        status = memo_fail_nomem(err, "a list of spaces", list->spaces.n);
    for (size_t i = 0; i < list->spaces.n_namespaces && status == MEMO_OK; i++)
        status = space_list_fill_ns(list, i, err);
    list->spaces.spaces = list->infos;
    list->spaces.namespaces = list->namespaces;
    return status;
}

static memo_status space_list_model(memo_db *db, const char *name, int previous,
                                    char fingerprint[MEMO_FINGERPRINT_BYTES], memo_err *err)
{
    memo_arena arena = {0};
    memo_store_ns ns = {0};
    memo_store_switch s = {0};
    memo_store_space space = {0};
    int64_t id;
    memo_status status = memo_store_find_ns(db->store, name, &ns, err);

    if (status == MEMO_OK && previous)
        status = memo_store_get_switch(db->store, ns.id, &s, err);
    id = previous ? s.previous : ns.space;
    if (status == MEMO_OK && id)
        status = memo_store_get_space(db->store, id, &arena, &space, err);
    if (status == MEMO_OK && id && space.kind == MEMO_SPACE_MODEL)
        snprintf(fingerprint, MEMO_FINGERPRINT_BYTES, "%s", space.fingerprint);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_get_model(memo_db *db, const char *ns, int previous,
                              char fingerprint[MEMO_FINGERPRINT_BYTES], memo_err *err)
{
    memo_status status = memo_db_check_call(db, fingerprint, "memo_db_get_model", err);

    if (status)
        return status;
    *fingerprint = '\0';
    status = memo_store_begin_read(db->store, err);
    if (status == MEMO_OK) {
        status = space_list_model(db, memo_db_ns_name(ns), previous, fingerprint, err);
        memo_store_end_read(db->store);
    }
    return status;
}

memo_status memo_db_get_spaces(memo_db *db, memo_spaces **spaces, memo_err *err)
{
    space_list *list;
    memo_status status = memo_db_check_call(db, spaces, "memo_db_get_spaces", err);

    if (status)
        return status;
    list = memo_calloc(1, sizeof *list);
    if (!list)
        return memo_fail_nomem(err, "a list of spaces", sizeof *list);
    list->db = db;
    status = memo_store_begin_read(db->store, err);
    if (status == MEMO_OK) {
        status = space_list_make(list, err);
        memo_store_end_read(db->store);
    }
    if (status)
        memo_spaces_free(&list->spaces);
    else
        *spaces = &list->spaces;
    return status;
}
