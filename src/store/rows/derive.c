// SPDX-License-Identifier: Apache-2.0
/* What is derived from a record's row as a whole: its tags, one by one, for filters. */
#include <string.h>

#include "base/json.h"
#include "store/rows/rows.h"

static int derive_has_tags(const memo_row *row)
{
    return row->tags.bytes && row->tags.n_bytes > strlen("[]");
}

static memo_status derive_tag(memo_sql *sql, const memo_row *row, const char *tag, size_t n_bytes,
                              memo_err *err)
{
    memo_stmt st = memo_stmt_keep(sql, "INSERT OR IGNORE INTO tags(ns, tag, rid) VALUES(?, ?, ?)",
                                  "write its tags");
    memo_stmt_int(&st, row->ns);
    memo_stmt_text(&st, tag, n_bytes);
    memo_stmt_int(&st, row->rid);
    return memo_stmt_run(&st, err);
}

memo_status memo_row_derive_tags(memo_sql *sql, const memo_row *row, const char *const *tags,
                                 size_t n_tags, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < n_tags && !status; i++)
        status = derive_tag(sql, row, tags[i], strlen(tags[i]), err);
    return status;
}

/* Tags that are no array of strings are damage that a checksum was made to fit: they give none. */
memo_status memo_row_derive(memo_sql *sql, const memo_row *row, memo_err *err)
{
    json_t *tags = NULL;
    memo_status status;
    if (!derive_has_tags(row))
        return MEMO_OK;
    status = memo_json_parse(row->tags.bytes, row->tags.n_bytes, &memo_json_request_limits, "tags",
                             &tags, err);
    if (status)
        return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
    for (size_t i = 0; !status && i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        if (json_is_string(tag))
            status = derive_tag(sql, row, json_string_value(tag), json_string_length(tag), err);
    }
    json_decref(tags);
    return status;
}

/* Of a damaged row the tags are not known, nor of one whose tags are no JSON under a checksum that was
 * made to fit: all are looked through. */
memo_status memo_row_underive(memo_sql *sql, const memo_row *row, memo_err *err)
{
    int good = memo_row_good(row);
    memo_stmt st;
    memo_status status = MEMO_OK;
    if (good && !derive_has_tags(row))
        return MEMO_OK;
    if (good) {
        st = memo_stmt_keep(sql,
                            "DELETE FROM tags WHERE ns = ?1 AND rid = ?2 AND tag IN (SELECT value"
                            " FROM json_each(CASE WHEN memo_is_json(?3) THEN ?3 ELSE '[]' END))",
                            "remove its tags");
        memo_stmt_int(&st, row->ns);
        memo_stmt_int(&st, row->rid);
        memo_stmt_text(&st, row->tags.bytes, row->tags.n_bytes);
        status = memo_stmt_run(&st, err);
    }
    if (status || (good && sqlite3_changes(sql->db) > 0))
        return status;
    st = memo_stmt_keep(sql, "DELETE FROM tags WHERE rid = ?", "remove its tags");
    memo_stmt_int(&st, row->rid);
    return memo_stmt_run(&st, err);
}

memo_status memo_rows_derive_all(memo_sql *sql, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status = memo_sql_exec(sql, "DELETE FROM tags", "make its tags again", err);
    if (status)
        return status;
    st = memo_stmt_once(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records", "read its records");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        memo_row_read(&st, &row);
        if (memo_row_good(&row))
            status = memo_row_derive(sql, &row, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* What is no JSON has no tags. A text with a NUL is cut there by SQLite; none comes in. */
#define DERIVE_TAGS                                                                                \
    "SELECT r.ns, j.value, r.rid FROM records r, json_each(CASE WHEN memo_is_json(r.tags)"         \
    " THEN r.tags ELSE '[]' END) j WHERE j.type = 'text'"

memo_status memo_tags_audit(memo_sql *sql, int64_t *n, memo_err *err)
{
    int64_t too_many = 0, missing = 0;
    memo_status status = memo_sql_int(
        sql, "SELECT count(*) FROM (SELECT ns, tag, rid FROM tags EXCEPT " DERIVE_TAGS ")",
        &too_many, err);
    if (!status)
        status = memo_sql_int(
            sql, "SELECT count(*) FROM (" DERIVE_TAGS " EXCEPT SELECT ns, tag, rid FROM tags)",
            &missing, err);
    *n = too_many + missing;
    return status;
}
