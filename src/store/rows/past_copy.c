// SPDX-License-Identifier: Apache-2.0
/* A store as it was: all its pages in memory, and what one namespace has become since a moment undone
 * there.
 *
 * Every index of the copy then says what a store would say that had stopped at that moment: searches
 * need no second way for the past, and what they count (how rare a word is) is of the past as well.
 * Given up: memory for all pages, and the time to copy them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "store/disk/vfs.h"
#include "store/rows/fulltext.h"
#include "store/rows/rows.h"
#include "store/rows/vectors.h"
#include "store/store_inner.h"
#include "store/upkeep/backup.h"

typedef struct past_copy {
    const memo_store_past *ask;
    memo_store *store; /* the copy */
    int64_t *rids;     /* [n] records that have changed since */
    size_t n, cap;
} past_copy;

/* An earlier version that fails its checksum is in no past. */
static memo_status past_copy_find(past_copy *p, const memo_row *now, memo_arena *arena,
                                  memo_row *then, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&p->store->sql,
                                  "SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?1"
                                  " AND updated_ms <= ?2 ORDER BY version DESC LIMIT 1",
                                  "read a version");
    memset(then, 0, sizeof *then);
    memo_stmt_int(&st, now->rid);
    memo_stmt_int(&st, p->ask->as_of_ms);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        memo_row_read(&st, then);
        if (!memo_row_good(then) || then->ns != now->ns) {
            memo_damage_add(p->ask->damage, now->id.bytes);
            memset(then, 0, sizeof *then);
        } else if (!memo_row_copy(arena, then)) {
            status = memo_fail_nomem(err, "a version", then->text.n_bytes);
        }
    }
    memo_stmt_done(&st);
    return status;
}

static int past_copy_same(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

static memo_status past_copy_bring_back(past_copy *p, const memo_row *now, memo_row *then,
                                        memo_arena *arena, memo_err *err)
{
    const memo_store_cut cut = {(memo_chunking)then->chunking,
                                memo_size_from_column(then->chunk_tokens),
                                memo_size_from_column(then->chunk_overlap)};
    memo_store_put put = {.text = then->text};
    memo_record record;
    memo_status status;
    memo_stmt st;
    if (past_copy_same(now->text, then->text) && past_copy_same(now->title, then->title)) {
        status = memo_row_bring_back(p->store, now, then, NULL, err);
    } else {
        status = memo_row_publish(then, "", 1, arena, &record, err);
        if (!status)
            status = p->ask->cut(p->ask->user, &record, &cut, arena, &put, err);
        if (!status)
            status = memo_row_bring_back(p->store, now, then, &put, err);
    }
    if (status)
        return status;
    st = memo_stmt_keep(&p->store->sql, "DELETE FROM evidence WHERE rid = ? AND version > ?",
                        "leave out later evidence");
    memo_stmt_int(&st, then->rid);
    memo_stmt_int(&st, then->version);
    return memo_stmt_run(&st, err);
}

/* A record that fails its checksum stays: whoever finds it names it. */
static memo_status past_copy_undo(past_copy *p, int64_t rid, memo_err *err)
{
    memo_arena arena = {0};
    memo_row now = {0}, then;
    int more;
    memo_stmt st = memo_stmt_keep(
        &p->store->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?", "read a record");
    memo_status status;
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        memo_row_read(&st, &now);
        if (!memo_row_copy(&arena, &now))
            status = memo_fail_nomem(err, "a record", now.text.n_bytes);
    }
    memo_stmt_done(&st);
    if (!status && more && memo_row_good(&now)) {
        status = past_copy_find(p, &now, &arena, &then, err);
        if (!status && then.rid)
            status = past_copy_bring_back(p, &now, &then, &arena, err);
        else if (!status)
            status = memo_row_forget(p->store, &now, 0, err);
    }
    memo_arena_fini(&arena);
    return status;
}

static memo_status past_copy_list(past_copy *p, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st =
        memo_stmt_once(&p->store->sql, "SELECT rid FROM records WHERE ns = ?1 AND updated_ms > ?2",
                       "find what has changed since");
    memo_stmt_int(&st, p->ask->ns);
    memo_stmt_int(&st, p->ask->as_of_ms);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        if (p->n == p->cap) {
            size_t cap = p->cap ? 2 * p->cap : 256;
            int64_t *grown = memo_reallocarray(p->rids, cap, sizeof *grown);
            if (!grown) {
                status = memo_fail_nomem(err, "what has changed since", cap * sizeof *grown);
                break;
            }
            p->rids = grown;
            p->cap = cap;
        }
        p->rids[p->n++] = memo_stmt_col_int(&st, 0);
    }
    memo_stmt_done(&st);
    return status;
}

/* In one transaction, as a change of the copy: nobody else sees it, so it takes no lock. */
static memo_status past_copy_rewind(past_copy *p, memo_err *err)
{
    memo_store *store = p->store;
    memo_status status = past_copy_list(p, err);
    if (!status)
        status = memo_sql_exec(&store->sql, "BEGIN", "undo what has changed since", err);
    if (status)
        return status;
    store->in_write = 1;
    status = memo_sql_int(&store->sql, "SELECT change_seq FROM meta", &store->seq, err);
    for (size_t i = 0; i < p->n && !status; i++)
        status = past_copy_undo(p, p->rids[i], err);
    if (!status && store->rebuild_derived)
        status = memo_fulltext_rebuild(store, err);
    if (!status && store->rebuild_derived)
        status = memo_rows_derive_all(&store->sql, err);
    if (!status)
        status = memo_vector_sets_write(store, err);
    if (!status)
        status = memo_sql_exec(&store->sql, "COMMIT", "undo what has changed since", err);
    if (!status)
        store->in_write = 0;
    return status;
}

static int past_copy_late(void *user, const memo_progress *progress)
{
    const past_copy *p = user;
    return progress->done < progress->total && memo_deadline_passed(p->ask->deadline);
}

static memo_status past_copy_pages(memo_store *from, past_copy *p, memo_err *err)
{
    const memo_copy_progress watch = {past_copy_late, p};
    memo_status status = memo_copy_into(&from->sql, &p->store->sql, &watch, err);
    if (status == MEMO_ERR_CANCELLED) /* by nobody else */
        status =
            memo_fail(err, MEMO_ERR_DEADLINE,
                      "the deadline passed while the store was copied to be searched as it was");
    return status;
}

static memo_status past_copy_make(memo_store *from, past_copy *p, memo_err *err)
{
    memo_store *store = p->store;
    char text[40];
    memo_status status;
    store->ctx = from->ctx;
    store->pid = getpid();
    store->lock.fd = -1;
    store->read_only = 1;
    store->fulltext = from->fulltext;
    memcpy(store->uuid, from->uuid, sizeof store->uuid);
    store->path = memo_strdup(from->path);
    if (!store->path)
        return memo_fail_nomem(err, "a file name", strlen(from->path));
    status = memo_sql_open(&store->sql, ":memory:", MEMO_SQL_CREATE, 0, 0, err);
    if (status)
        return status;
    store->sql.path = store->path; /* in messages */
    snprintf(text, sizeof text, "PRAGMA page_size = %d", MEMO_PAGE_BYTES);
    status = memo_sql_exec(&store->sql, text, "copy it", err);
    if (!status)
        status = past_copy_pages(from, p, err);
    if (!status)
        status = memo_sql_setup(&store->sql, err);
    return status ? status : past_copy_rewind(p, err);
}

static memo_status past_copy_check_size(memo_store *store, memo_err *err)
{
    uint64_t limit = store->ctx->mem_limit_bytes;
    int64_t n_pages = 0;
    memo_status status = memo_sql_int(&store->sql, "PRAGMA page_count", &n_pages, err);
    if (status || (uint64_t)n_pages <= limit / MEMO_PAGE_BYTES)
        return status;
    memo_fail(err, MEMO_ERR_LIMIT,
              "%s: the past is searched in a copy in memory of %" PRId64
              " pages of %d bytes; %" PRIu64 " bytes are allowed",
              store->path, n_pages, MEMO_PAGE_BYTES, limit);
    return memo_hint(err, MEMO_ERR_LIMIT, "raise mem_limit_bytes (--mem-limit)");
}

memo_status memo_store_open_past(memo_store *store, const memo_store_past *ask, memo_store **past,
                                 memo_err *err)
{
    past_copy p = {.ask = ask};
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = past_copy_check_size(store, err);
    if (status)
        return status;
    p.store = memo_calloc(1, sizeof *p.store);
    if (!p.store)
        return memo_fail_nomem(err, "the store", sizeof *p.store);
    status = past_copy_make(store, &p, err);
    memo_free(p.rids);
    if (status)
        memo_store_close(p.store);
    else
        *past = p.store;
    return status;
}
