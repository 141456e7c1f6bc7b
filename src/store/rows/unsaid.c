// SPDX-License-Identifier: Apache-2.0
/* A put of what a source says, over a record that has been given more, or other, since. */
#include <string.h>

#include "store/rows/rows.h"
#include "store/store_inner.h"

static int unsaid_equal(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && (a.n_bytes == 0 || memcmp(a.bytes, b.bytes, a.n_bytes) == 0);
}

void memo_row_keep_unsaid(const memo_store_put *put, const memo_row *old, memo_row *now)
{
    if (!put->said_ms || !old->rid || !memo_row_good(old))
        return;
    if (!put->tags)
        now->tags = old->tags;
    if (!put->metadata)
        now->metadata = old->metadata;
    if (!put->expires_ms)
        now->expires_ms = old->expires_ms;
}

/* All that is said now was said in this version. */
static int unsaid_is_version(const memo_store_put *put, const memo_row *then, const memo_row *now)
{
    return unsaid_equal(then->text, now->text) && unsaid_equal(then->title, now->title) &&
           unsaid_equal(then->source, now->source) && then->chunking == now->chunking &&
           then->chunk_tokens == now->chunk_tokens && then->chunk_overlap == now->chunk_overlap &&
           (!put->tags || unsaid_equal(then->tags, now->tags)) &&
           (!put->metadata || unsaid_equal(then->metadata, now->metadata)) &&
           (!put->expires_ms || then->expires_ms == now->expires_ms) &&
           (!put->created_ms || then->created_ms == now->created_ms);
}

memo_status memo_row_was_said(memo_sql *sql, const memo_store_put *put, const memo_row *old,
                              const memo_row *now, int *was, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status;
    *was = 0;
    if (!put->said_ms || put->said_ms > old->updated_ms || put->own_vectors || !old->rid ||
        !memo_row_good(old))
        return MEMO_OK;
    st = memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?",
                        "read its versions");
    memo_stmt_int(&st, old->rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !*was) {
        memo_row then;
        memo_row_read(&st, &then);
        *was = memo_row_good(&then) && then.rid == old->rid && unsaid_is_version(put, &then, now);
    }
    memo_stmt_done(&st);
    return status;
}
