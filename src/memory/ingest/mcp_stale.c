// SPDX-License-Identifier: Apache-2.0
/* Observations that a memory file had at an earlier import and has no more.
 *
 * They are told by their source, the file, by their key, the hash of the entity's name and the text, and by
 * being in their first version: one that has another was edited here, or another file has said it too, and
 * stays. Facts go with their evidence. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/ingest/mcp.h"

#define STALE_PAGE 500

typedef struct stale_list {
    const char *keys; /* [n_keys] of MEMO_MCP_KEY_BYTES each, in order */
    size_t n_keys;
    memo_arena arena; /* holds the ids */
    memo_buf ids;     /* const char * */
} stale_list;

static int stale_by_key(const void *a, const void *b)
{
    return memcmp(a, b, MEMO_MCP_KEY_BYTES);
}

static memo_status stale_judge(stale_list *list, const memo_record *record, memo_err *err)
{
    memo_arena arena = {0};
    const char *key = NULL, *id;
    memo_status status;

    if (record->pinned || record->version != 1 || !record->key ||
        strlen(record->key) != MEMO_MCP_KEY_BYTES - 1 ||
        (list->n_keys &&
         bsearch(record->key, list->keys, list->n_keys, MEMO_MCP_KEY_BYTES, stale_by_key)))
        return MEMO_OK;
    status = memo_mcp_key(record->title, record->text.bytes, &arena, &key, err);
    if (status == MEMO_OK && strcmp(key, record->key) == 0) {
        id = memo_arena_strdup(&list->arena, record->id);
        memo_buf_append(&list->ids, &id, sizeof id);
        if (!id || list->ids.failed)
            status = memo_fail_nomem(err, "observations to forget", list->ids.n);
    }
    memo_arena_fini(&arena);
    return status;
}

static memo_status stale_find(memo_import_work *w, const char *source, stale_list *list,
                              memo_err *err)
{
    memo_list_options options = {
        .size = sizeof options, .ns = w->options.ns, .limit = STALE_PAGE, .oldest_first = 1};
    memo_records *page = NULL;
    memo_buf where = {0};
    memo_status status = MEMO_OK;

    memo_buf_puts(&where, "source = ");
    memo_import_put_quoted(&where, source);
    if (where.failed)
        return memo_fail_nomem(err, "filter", strlen(source));
    options.where = where.data;
    do {
        memo_records *next = NULL;
        options.after = page ? page->next : NULL;
        status = memo_db_list(w->db, &options, &next, err);
        memo_records_free(page);
        page = next;
        for (size_t i = 0; status == MEMO_OK && i < page->n; i++)
            status = stale_judge(list, &page->records[i], err);
    } while (status == MEMO_OK && page->next);
    memo_records_free(page);
    memo_buf_fini(&where);
    return status;
}

memo_status memo_mcp_forget_stale(memo_import_work *w, const char *source, memo_buf *keys,
                                  memo_err *err)
{
    stale_list list = {.keys = keys->data, .n_keys = keys->n / MEMO_MCP_KEY_BYTES};
    memo_forget_options options = {
        .size = sizeof options, .ns = w->options.ns, .dry_run = w->options.dry_run};
    uint64_t n_forgotten = 0;
    memo_status status;

    if (list.n_keys)
        qsort(keys->data, list.n_keys, MEMO_MCP_KEY_BYTES, stale_by_key);
    status = stale_find(w, source, &list, err);
    options.ids = (const char *const *)(const void *)list.ids.data;
    options.n_ids = list.ids.n / sizeof *options.ids;
    if (status == MEMO_OK && options.n_ids)
        status = memo_db_forget(w->db, &options, &n_forgotten, NULL, err);
    w->report->n_removed += n_forgotten;
    memo_buf_fini(&list.ids);
    memo_arena_fini(&list.arena);
    return status;
}
