// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import_links.c -- parents and superseded records of exported lines.
 *
 * A line may name a record that stands further down in the file, so links are made last, by edits,
 * which change nothing where they are made already. One that is not there at all, because only a part
 * was exported, is left out. */
#include "memory/ingest/import.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

memo_status memo_import_keep_links(memo_import_work *w, const char *key,
                                   const memo_exported *exported, memo_err *err)
{
    const char *const from[] = {key, exported->parent, exported->supersedes};
    const char *copies[3] = {NULL, NULL, NULL};

    if (w->options.dry_run || (!exported->parent && !exported->supersedes))
        return MEMO_OK;
    if (w->n_links == w->cap_links) {
        size_t cap = w->cap_links ? w->cap_links * 2 : 64;
        memo_import_link *grown = memo_reallocarray(w->links, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "links of records", cap * sizeof *grown);
        w->links = grown;
        w->cap_links = cap;
    }
    for (size_t i = 0; i < 3; i++)
        if (from[i] && !(copies[i] = memo_arena_strdup(&w->paths, from[i])))
            return memo_fail_nomem(err, "links of records", strlen(from[i]));
    w->links[w->n_links++] = (memo_import_link){copies[0], copies[1], copies[2]};
    return MEMO_OK;
}

/* One link; a record that is not there is no failure. */
static memo_status links_make(memo_import_work *w, const char *key, const char *parent,
                              const char *supersedes, memo_err *err)
{
    const memo_write_options options = {.size = sizeof options, .ns = w->options.ns};
    const memo_record_edit edit = {.size = sizeof edit, .parent = parent, .supersedes = supersedes};
    memo_err why = {0};
    memo_status status = memo_db_edit(w->db, &options, key, &edit, NULL, &why);

    if (status == MEMO_OK || status == MEMO_ERR_NOTFOUND)
        return MEMO_OK;
    if (err)
        *err = why;
    return status;
}

memo_status memo_import_make_links(memo_import_work *w, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < w->n_links && status == MEMO_OK; i++) {
        const memo_import_link *link = &w->links[i];
        if (link->parent)
            status = links_make(w, link->key, link->parent, NULL, err);
        if (status == MEMO_OK && link->supersedes)
            status = links_make(w, link->key, NULL, link->supersedes, err);
    }
    return status;
}
