// SPDX-License-Identifier: Apache-2.0
#include "store/rows/parts.h"

#include "base/error.h"
#include "base/utf8.h"

enum { PARTS_CHARS = 3, PARTS_MAX_WORDS = 256 /* of one expression */ };

/* ---- runs ---------------------------------------------------------------------------------- */

/* The next run at or after `at` in valid UTF-8; 0 when there is none. */
static int parts_next_run(memo_text text, size_t at, size_t *begin, size_t *end)
{
    uint32_t cp;
    size_t step = 1;
    int inside = 0;
    for (; at < text.n_bytes; at += step) {
        if (!inside && text.n_bytes - at >= 8 && memo_utf8_is_ascii8(text.bytes + at)) {
            step = 8;
            continue;
        }
        if ((unsigned char)text.bytes[at] < 0xE0) { /* they begin at U+0E00 */
            step = 1;
            cp = 0;
        } else {
            step = memo_utf8_decode(text.bytes + at, text.n_bytes - at, &cp);
            if (!step)
                return 0;
        }
        if (memo_utf8_is_unspaced(cp) != inside) {
            if (inside)
                break;
            *begin = at;
            inside = 1;
        }
    }
    *end = at;
    return inside;
}

/* Where the character after s[at] begins. */
static size_t parts_step(memo_text text, size_t at)
{
    uint32_t cp;
    size_t step = at < text.n_bytes ? memo_utf8_decode(text.bytes + at, text.n_bytes - at, &cp) : 0;
    return at + (step ? step : text.n_bytes - at);
}

/* The part that begins at `at` and ends with the run. *n_chars of it, at most three. */
static size_t parts_end(memo_text text, size_t at, size_t run_end, size_t *n_chars)
{
    for (*n_chars = 0; *n_chars < PARTS_CHARS && at < run_end; ++*n_chars)
        at = parts_step(text, at);
    return at;
}

/* Append every part of every run, each with a space after it. */
static void parts_write(memo_buf *out, memo_text text)
{
    size_t begin, end = 0, n_chars;
    while (parts_next_run(text, end, &begin, &end)) {
        for (size_t at = begin; at < end; at = parts_step(text, at)) {
            memo_buf_append(out, text.bytes + at, parts_end(text, at, end, &n_chars) - at);
            memo_buf_putc(out, ' ');
        }
    }
}

/* ---- rows ---------------------------------------------------------------------------------- */

static memo_text parts_body(const memo_chunk_row *chunk, const memo_row *row)
{
    return (memo_text){row->text.bytes + chunk->begin, (size_t)(chunk->end - chunk->begin)};
}

static int parts_has(const memo_chunk_row *chunk, const memo_row *row)
{
    size_t begin, end;
    return parts_next_run(parts_body(chunk, row), 0, &begin, &end) ||
           (chunk->position == 0 && parts_next_run(row->title, 0, &begin, &end));
}

static memo_status parts_change(memo_sql *sql, const char *constant, const memo_chunk_row *chunk,
                                const memo_row *row, memo_err *err)
{
    memo_buf title = {0}, body = {0};
    memo_status status;
    if (!parts_has(chunk, row))
        return MEMO_OK;
    memo_buf_puts(&title, "");
    memo_buf_puts(&body, "");
    if (chunk->position == 0)
        parts_write(&title, row->title);
    parts_write(&body, parts_body(chunk, row));
    if (title.failed || body.failed) {
        status = memo_fail_nomem(err, "full-text parts", 4 * row->text.n_bytes);
    } else {
        memo_stmt st = memo_stmt_keep(sql, constant, "change the full-text index");
        memo_stmt_int(&st, chunk->cid);
        memo_stmt_text(&st, title.data, title.n);
        memo_stmt_text(&st, body.data, body.n);
        status = memo_stmt_run(&st, err);
    }
    memo_buf_fini(&title);
    memo_buf_fini(&body);
    return status;
}

memo_status memo_parts_add(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                           memo_err *err)
{
    return parts_change(sql, "INSERT INTO fts_parts(rowid, title, body) VALUES(?, ?, ?)", chunk,
                        row, err);
}

memo_status memo_parts_delete(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                              memo_err *err)
{
    return parts_change(
        sql, "INSERT INTO fts_parts(fts_parts, rowid, title, body) VALUES('delete', ?, ?, ?)",
        chunk, row, err);
}

/* ---- all of them --------------------------------------------------------------------------- */

typedef memo_status (*parts_fn)(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                                void *user, memo_err *err);

static memo_status parts_each_of(memo_sql *sql, const memo_row *row, parts_fn fn, void *user,
                                 memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks WHERE rid = ? ORDER BY position",
        "read its chunks");
    memo_stmt_int(&st, row->rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_chunk_read(&st, &chunk);
        if (memo_chunk_good(&chunk, row))
            status = fn(sql, &chunk, row, user, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* Every good chunk of every good record. */
static memo_status parts_each(memo_sql *sql, parts_fn fn, void *user, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records ORDER BY rid",
                                  "read its records");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        memo_row_read(&st, &row);
        if (memo_row_good(&row))
            status = parts_each_of(sql, &row, fn, user, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status parts_add_again(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                                   void *user, memo_err *err)
{
    (void)user;
    return memo_parts_add(sql, chunk, row, err);
}

memo_status memo_parts_rebuild(memo_sql *sql, memo_err *err)
{
    memo_status status = memo_sql_exec(sql, "INSERT INTO fts_parts(fts_parts) VALUES('delete-all')",
                                       "clear the full-text index", err);
    return status ? status : parts_each(sql, parts_add_again, NULL, err);
}

typedef struct parts_audit {
    int64_t n_due, n_there; /* rows that ought to be there, and of those that are */
} parts_audit;

static memo_status parts_audit_chunk(memo_sql *sql, const memo_chunk_row *chunk,
                                     const memo_row *row, void *user, memo_err *err)
{
    parts_audit *a = user;
    int found;
    memo_stmt st;
    memo_status status;
    if (!parts_has(chunk, row))
        return MEMO_OK;
    st = memo_stmt_keep(sql, "SELECT 1 FROM fts_parts_docsize WHERE id = ?", "look for its parts");
    memo_stmt_int(&st, chunk->cid);
    status = memo_stmt_step(&st, &found, err);
    memo_stmt_done(&st);
    a->n_due++;
    a->n_there += !status && found;
    return status;
}

memo_status memo_parts_audit(memo_sql *sql, int64_t *n_wrong, memo_err *err)
{
    parts_audit a = {0};
    int64_t n_rows = 0;
    memo_status status = parts_each(sql, parts_audit_chunk, &a, err);
    if (!status)
        status = memo_sql_int(sql, "SELECT count(*) FROM fts_parts_docsize", &n_rows, err);
    if (!status)
        *n_wrong = (a.n_due - a.n_there) + (n_rows - a.n_there);
    return status;
}

/* ---- expressions --------------------------------------------------------------------------- */

/* One run as a phrase of its threes, or as the beginning of a word. */
static void parts_put_phrase(memo_buf *match, memo_text text, size_t begin, size_t end)
{
    size_t n_chars, n_first;
    size_t stop = parts_end(text, begin, end, &n_first);
    memo_buf_putc(match, '"');
    memo_buf_append(match, text.bytes + begin, stop - begin);
    while (stop < end) {
        begin = parts_step(text, begin);
        stop = parts_end(text, begin, end, &n_chars);
        memo_buf_putc(match, ' ');
        memo_buf_append(match, text.bytes + begin, stop - begin);
    }
    memo_buf_puts(match, n_first < PARTS_CHARS ? "\" *" : "\"");
}

int memo_store_parts_phrase(memo_buf *match, memo_text text)
{
    size_t begin, end = 0;
    int n = 0;
    while (parts_next_run(text, end, &begin, &end)) {
        memo_buf_puts(match, n++ ? " AND " : "");
        parts_put_phrase(match, text, begin, end);
    }
    return n > 0;
}

int memo_store_parts_any(memo_buf *match, memo_text text)
{
    size_t begin, end = 0, n_chars;
    int n = 0;
    while (parts_next_run(text, end, &begin, &end)) {
        for (size_t at = begin; at < end && n < PARTS_MAX_WORDS; at = parts_step(text, at)) {
            size_t stop = parts_end(text, at, end, &n_chars);
            if (n_chars < PARTS_CHARS && at > begin) /* the end of a run that was searched */
                break;
            memo_buf_puts(match, n++ ? " OR \"" : "\"");
            memo_buf_append(match, text.bytes + at, stop - at);
            memo_buf_puts(match, n_chars < PARTS_CHARS ? "\" *" : "\"");
        }
    }
    return n > 0;
}
