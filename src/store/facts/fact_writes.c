// SPDX-License-Identifier: Apache-2.0
/* Writing facts and evidence, and what becomes of them when a record is forgotten. */
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/facts/fact_rows.h"
#include "store/rows/cells.h"
#include "store/rows/rows.h"

#define FACT_PAGE 64 /* facts changed at a time */

memo_status memo_store_new_id(memo_store *store, const char *table, const char **id, int64_t *row,
                              memo_arena *arena, memo_err *err)
{
    int keeps = 0;
    char *made;
    memo_status status = memo_store_id_is_free(store, table, *id, &keeps, err);
    if (!status && !keeps) {
        made = memo_arena_alloc(arena, MEMO_ID_BYTES);
        if (!made)
            return memo_fail_nomem(err, "an id", MEMO_ID_BYTES);
        status = memo_ulid_make(store, memo_now_ms(store->ctx), made, err);
        *id = made;
    }
    return status ? status : memo_store_next_id(&store->sql, table, row, err);
}

memo_status memo_store_put_fact(memo_store *store, memo_fact_row *row, memo_arena *arena,
                                memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    row->seq = ++store->seq;
    if (!row->fid)
        status = memo_store_new_id(store, "facts", &row->id, &row->fid, arena, err);
    memo_cell cells[] = {memo_cell_int(row->fid),
                         memo_cell_int(row->ns),
                         memo_cell_str(row->id),
                         memo_cell_int(row->seq),
                         memo_cell_int(row->subject),
                         row->object ? memo_cell_int(row->object) : memo_cell_str(NULL),
                         memo_cell_int(row->valid_from_ms),
                         memo_cell_int(row->valid_to_ms),
                         memo_cell_int(row->recorded_ms),
                         memo_cell_int(row->closed_ms),
                         memo_cell_int(row->retracted_ms),
                         memo_cell_real(row->confidence),
                         memo_cell_int(0),
                         memo_cell_str(row->relation),
                         memo_cell_str(row->value),
                         memo_cell_str(row->reason)};
    return status ? status : memo_table_put(&store->sql, &memo_table_facts, cells, err);
}

memo_status memo_store_put_evidence(memo_store *store, const memo_evidence_row *row, int *added,
                                    memo_err *err)
{
    memo_cell cells[] = {memo_cell_int(row->fid),     memo_cell_int(row->rid),
                         memo_cell_int(row->begin),   memo_cell_int(row->end),
                         memo_cell_int(row->version), memo_cell_int(0)};
    int there = 0;
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT 1 FROM evidence WHERE fid = ? AND rid = ? AND span_begin = ?"
                        " AND span_end = ? AND version = ?",
                        "read evidence");
    memo_cells_bind(&st, cells, 5);
    status = memo_stmt_step(&st, &there, err);
    memo_stmt_done(&st);
    if (!status && !there)
        status = memo_table_put(&store->sql, &memo_table_evidence, cells, err);
    *added = !there;
    return status;
}

static memo_status fact_delete_by(memo_store *store, const char *constant, int64_t value,
                                  memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove a fact");
    memo_stmt_int(&st, value);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_delete_fact(memo_store *store, const memo_fact_row *row, memo_err *err)
{
    const memo_row gone = {.ns = row->ns, .id = {row->id, strlen(row->id)}};
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = fact_delete_by(store, "DELETE FROM evidence WHERE fid = ?", row->fid, err);
    if (!status)
        status = fact_delete_by(store, "DELETE FROM facts WHERE fid = ?", row->fid, err);
    return status
               ? status
               : memo_tombstone_put(&store->sql, &gone, ++store->seq, memo_now_ms(store->ctx), err);
}

/* A fact that cannot be read cannot be changed: its row would get a checksum that proves it. */
static memo_status fact_fail_damaged(const memo_store_damage *damage, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: its checksum does not match; nothing was changed",
              damage->n_ids ? damage->ids[0] : "a fact");
    return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
}

memo_status memo_store_move_facts(memo_store *store, int64_t ns, int64_t from, int64_t into,
                                  uint64_t *n_facts, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    uint64_t n = 0;
    int more = 1;
    while (!status && more) {
        memo_arena arena = {0};
        memo_store_damage damage = {.arena = &arena};
        const memo_fact_scope scope = {.ns = ns, .about = from, .retracted = 1};
        memo_fact_page page = {.arena = &arena, .damage = &damage, .limit = FACT_PAGE};
        status = memo_store_list_facts(store, &scope, &page, err);
        if (!status && damage.n)
            status = fact_fail_damaged(&damage, err);
        for (size_t i = 0; i < page.n && !status; i++, n++) {
            memo_fact_row *row = &page.rows[i];
            row->subject = row->subject == from ? into : row->subject;
            row->object = row->object == from ? into : row->object;
            status = memo_store_put_fact(store, row, &arena, err);
        }
        more = page.more;
        memo_arena_fini(&arena);
    }
    *n_facts = n;
    return status;
}

/* ---- a record is forgotten ----------------------------------------------------------------- */

/* A fact that was retracted before keeps what was said of that. */
static memo_status fact_orphan(memo_store *store, memo_fact_row *row, const char *id, memo_err *err)
{
    memo_buf reason = {0};
    memo_status status;
    if (row->retracted_ms)
        memo_buf_printf(&reason, "%s; ", row->reason);
    else
        row->retracted_ms = memo_now_ms(store->ctx);
    memo_buf_puts(&reason, "its evidence was forgotten");
    if (id)
        memo_buf_printf(&reason, " (%s)", id);
    row->reason = reason.data;
    status = reason.failed ? memo_fail_nomem(err, "a reason", reason.n)
                           : memo_store_put_fact(store, row, NULL, err);
    memo_buf_fini(&reason);
    return status;
}

/* The next fact after `fid` whose only evidence was in this record; *found 0: none. Of a damaged row
 * nothing is known but that: with `shred` it goes, else the repair will take it away. */
static memo_status fact_next_orphan(memo_store *store, int64_t rid, int64_t *fid, int64_t *ns,
                                    int *found, memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT f.fid, f.ns FROM evidence e JOIN facts f ON f.fid = e.fid"
                                  " WHERE e.rid = ?1 AND e.fid > ?2 AND NOT EXISTS (SELECT 1"
                                  " FROM evidence o WHERE o.fid = e.fid AND o.rid <> ?1)"
                                  " ORDER BY f.fid LIMIT 1",
                                  "find what a record proves");
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, *fid);
    status = memo_stmt_step(&st, found, err);
    if (!status && *found) {
        *fid = memo_stmt_col_int(&st, 0);
        *ns = memo_stmt_col_int(&st, 1);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status fact_forget_one(memo_store *store, int64_t ns, int64_t fid, const char *id,
                                   int shred, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    const memo_fact_scope scope = {.ns = ns, .after = fid - 1, .retracted = 1};
    memo_fact_page page = {.arena = &arena, .damage = &damage, .limit = 1};
    memo_status status = memo_store_list_facts(store, &scope, &page, err);
    if (!status && page.n && page.rows[0].fid == fid)
        status = shred ? memo_store_delete_fact(store, &page.rows[0], err)
                       : fact_orphan(store, &page.rows[0], id, err);
    else if (!status && shred)
        status = fact_delete_by(store, "DELETE FROM evidence WHERE fid = ?", fid, err);
    if (!status && shred && (!page.n || page.rows[0].fid != fid))
        status = fact_delete_by(store, "DELETE FROM facts WHERE fid = ?", fid, err);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_facts_forget_record(memo_store *store, int64_t rid, const char *id, int shred,
                                     memo_err *err)
{
    int64_t fid = 0, ns = 0;
    int found = 1;
    memo_status status = memo_store_check_write(store, err);
    while (!status && found) {
        status = fact_next_orphan(store, rid, &fid, &ns, &found, err);
        if (!status && found)
            status = fact_forget_one(store, ns, fid, id, shred, err);
    }
    return status ? status : fact_delete_by(store, "DELETE FROM evidence WHERE rid = ?", rid, err);
}

memo_status memo_facts_shred_orphans(memo_store *store, const char *id, uint64_t *n, memo_err *err)
{
    int more = 1;
    memo_status status = memo_store_check_write(store, err);
    *n = 0;
    while (!status && more) {
        int64_t fid = 0, ns = 0;
        memo_stmt st = memo_stmt_keep(
            &store->sql, "SELECT fid, ns FROM facts WHERE " MEMO_FACT_ORPHANED_BY " LIMIT 1",
            "find what a record proved");
        memo_stmt_str(&st, id);
        status = memo_stmt_step(&st, &more, err);
        if (!status && more) {
            fid = memo_stmt_col_int(&st, 0);
            ns = memo_stmt_col_int(&st, 1);
        }
        memo_stmt_done(&st);
        if (!status && more)
            status = fact_forget_one(store, ns, fid, NULL, 1, err);
        *n += !status && more;
    }
    return status;
}
