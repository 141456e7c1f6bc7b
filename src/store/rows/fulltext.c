// SPDX-License-Identifier: Apache-2.0
#include "store/rows/fulltext.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "store/rows/cover.h"
#include "store/rows/parts.h"

/* ---- rows ---------------------------------------------------------------------------------- */

static memo_status fulltext_change(memo_store *store, const char *constant,
                                   const memo_chunk_row *chunk, const memo_row *row, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "change the full-text index");
    memo_stmt_int(&st, chunk->cid);
    if (chunk->position == 0)
        memo_stmt_text(&st, row->title.bytes, row->title.n_bytes);
    else
        memo_stmt_str(&st, "");
    memo_stmt_text(&st, row->text.bytes + chunk->begin, (size_t)(chunk->end - chunk->begin));
    return memo_stmt_run(&st, err);
}

memo_status memo_fulltext_add(memo_store *store, const memo_chunk_row *chunk, const memo_row *row,
                              memo_err *err)
{
    memo_status status = fulltext_change(
        store, "INSERT INTO fts(rowid, title, body) VALUES(?, ?, ?)", chunk, row, err);
    return status ? status : memo_parts_add(&store->sql, chunk, row, err);
}

memo_status memo_fulltext_delete(memo_store *store, const memo_chunk_row *chunk,
                                 const memo_row *row, memo_err *err)
{
    memo_status status =
        fulltext_change(store, "INSERT INTO fts(fts, rowid, title, body) VALUES('delete', ?, ?, ?)",
                        chunk, row, err);
    return status ? status : memo_parts_delete(&store->sql, chunk, row, err);
}

static memo_status fulltext_add_record(memo_store *store, const memo_row *row, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        &store->sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks WHERE rid = ? ORDER BY position",
        "read its chunks");
    memo_stmt_int(&st, row->rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_chunk_read(&st, &chunk);
        if (memo_chunk_good(&chunk, row))
            status = fulltext_change(store, "INSERT INTO fts(rowid, title, body) VALUES(?, ?, ?)",
                                     &chunk, row, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_fulltext_rebuild(memo_store *store, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status = memo_sql_exec(&store->sql, "INSERT INTO fts(fts) VALUES('delete-all')",
                                       "clear the full-text index", err);
    if (status)
        return status;
    st = memo_stmt_once(&store->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records ORDER BY rid",
                        "read its records");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        memo_row_read(&st, &row);
        if (memo_row_good(&row))
            status = fulltext_add_record(store, &row, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status ? status : memo_parts_rebuild(&store->sql, err);
}

/* ---- search -------------------------------------------------------------------------------- */

/* A list that grows in an arena. */
typedef struct fulltext_hits {
    memo_store_hit *hits; /* [cap] */
    size_t n, cap;
    memo_arena *arena;
} fulltext_hits;

static memo_status fulltext_push(fulltext_hits *list, memo_store_hit hit, memo_err *err)
{
    memo_store_hit *grown =
        memo_arena_grow(list->arena, list->hits, list->n, &list->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "full-text hits", (list->n + 1) * sizeof *grown);
    list->hits = grown;
    list->hits[list->n++] = hit;
    return MEMO_OK;
}

void memo_store_quote_term(memo_buf *match, const char *term, size_t n_bytes)
{
    memo_buf_putc(match, '"');
    for (size_t i = 0; i < n_bytes; i++) {
        if (term[i] == '"')
            memo_buf_putc(match, '"');
        memo_buf_putc(match, term[i] ? term[i] : ' ');
    }
    memo_buf_putc(match, '"');
}

typedef struct fulltext_args {
    const memo_store_scope *scope;
    memo_store_words words;
    const char *match;
    double title_weight;
    size_t limit;
    int with_cover;
    fulltext_hits *out;
} fulltext_args;

static const char *const fulltext_tables[] = {
    [MEMO_STORE_WORDS] = "fts", [MEMO_STORE_PARTS] = "fts_parts"};
static const char *const fulltext_covers[] = {
    [MEMO_STORE_WORDS] = "memo_cover(fts)", [MEMO_STORE_PARTS] = "memo_cover(fts_parts)"};

/* FTS5 reports a bad expression as SQLITE_ERROR when it is first stepped. */
static memo_status fulltext_step(memo_stmt *st, int *row, const char *match, memo_err *err)
{
    memo_status status = memo_stmt_step(st, row, err);
    if (status == MEMO_ERR_IO && (st->rc & 0xff) == SQLITE_ERROR)
        return memo_fail(err, MEMO_ERR_VALUE, "full-text expression %.200s: %s", match,
                         sqlite3_errmsg(st->sql->db));
    return status;
}

static memo_status fulltext_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const fulltext_args *a = user;
    memo_buf text = {0};
    memo_stmt st;
    memo_status status;
    int row;
    if (sql == &store->salvage) /* nothing proves a hit, or that one is missing */
        return MEMO_ERR_CORRUPT;
    a->out->n = 0;
    status = a->with_cover ? memo_cover_add(sql, err) : MEMO_OK;
    if (status)
        return status;
    memo_buf_printf(&text,
                    "SELECT c.cid, c.rid, bm25(%s, ?4, 1.0), %s FROM %s f"
                    " CROSS JOIN chunks c ON c.cid = f.rowid"
                    " CROSS JOIN records r ON r.rid = c.rid WHERE %s MATCH ?3 AND ",
                    fulltext_tables[a->words], a->with_cover ? fulltext_covers[a->words] : "1.0",
                    fulltext_tables[a->words], fulltext_tables[a->words]);
    memo_scope_sql(&text, a->scope);
    memo_buf_puts(&text, a->scope->last_chunk ? " AND f.rowid BETWEEN ?6 AND ?7" : "");
    memo_buf_puts(&text, " ORDER BY 3, 1 LIMIT ?5");
    st = memo_stmt_built(sql, &text, "search the full text");
    memo_scope_bind(&st, a->scope);
    st.next = 3;
    memo_stmt_str(&st, a->match);
    memo_stmt_double(&st, a->title_weight);
    memo_stmt_int(&st, a->limit > INT32_MAX ? INT32_MAX : (int64_t)a->limit);
    if (a->scope->last_chunk) {
        memo_stmt_int(&st, a->scope->first_chunk);
        memo_stmt_int(&st, a->scope->last_chunk);
    }
    while (!(status = fulltext_step(&st, &row, a->match, err)) && row) {
        status = fulltext_push(a->out,
                               (memo_store_hit){.chunk = memo_stmt_col_int(&st, 0),
                                                .record = memo_stmt_col_int(&st, 1),
                                                .score = -sqlite3_column_double(st.s, 2),
                                                .cover = sqlite3_column_double(st.s, 3)},
                               err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

memo_status memo_store_fulltext(memo_store *store, const memo_store_scope *scope,
                                memo_store_words words, const char *match, double title_weight,
                                memo_store_hits *out, memo_err *err)
{
    fulltext_hits list = {.arena = out->arena};
    fulltext_args args = {scope, words, match, title_weight, out->limit, out->with_cover, &list};
    memo_status status = memo_store_read(store, fulltext_run, &args, NULL, err);
    if (status)
        return status;
    out->hits = list.hits;
    out->n = list.n;
    return MEMO_OK;
}

/* Rows between the first and the last of the chunks are looked at all together where they lie close: a
 * look-up of one costs as much as this many rows. */
enum { FULLTEXT_LOOKUP_ROWS = 32 };

static void fulltext_mark(int64_t rowid, const int64_t *chunks, size_t n, unsigned char *found)
{
    for (size_t i = 0; i < n; i++)
        found[i] |= chunks[i] == rowid;
}

/* The rows first .. last that match. */
static memo_status fulltext_look(memo_stmt *st, const char *match, int64_t first, int64_t last,
                                 const int64_t *chunks, size_t n, unsigned char *found,
                                 memo_err *err)
{
    int row;
    memo_status status;
    memo_stmt_again(st);
    memo_stmt_str(st, match);
    memo_stmt_int(st, first);
    memo_stmt_int(st, last);
    while (!(status = fulltext_step(st, &row, match, err)) && row)
        fulltext_mark(memo_stmt_col_int(st, 0), chunks, n, found);
    return status;
}

memo_status memo_store_match_chunks(memo_store *store, memo_store_words words, const char *match,
                                    const int64_t *chunks, size_t n, unsigned char *found,
                                    memo_err *err)
{
    int64_t first = INT64_MAX, last = 0;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++) {
        first = chunks[i] < first ? chunks[i] : first;
        last = chunks[i] > last ? chunks[i] : last;
    }
    st = words == MEMO_STORE_WORDS
             ? memo_stmt_keep(&store->sql,
                              "SELECT rowid FROM fts WHERE fts MATCH ? AND rowid BETWEEN ? AND ?",
                              "look into a chunk")
             : memo_stmt_keep(
                   &store->sql,
                   "SELECT rowid FROM fts_parts WHERE fts_parts MATCH ? AND rowid BETWEEN ? AND ?",
                   "look into a chunk");
    if (last - first < (int64_t)n * FULLTEXT_LOOKUP_ROWS)
        status = fulltext_look(&st, match, first, last, chunks, n, found, err);
    else
        for (size_t i = 0; !status && i < n; i++)
            status = fulltext_look(&st, match, chunks[i], chunks[i], &chunks[i], 1, &found[i], err);
    memo_stmt_done(&st);
    return status;
}

/* ---- verbatim ------------------------------------------------------------------------------ */

enum {
    EXACT_KEY_SCORE = 1000,
    EXACT_CANDIDATES = 2000, /* best by BM25; each costs reading its text */
};

typedef struct exact_args {
    const memo_store_scope *scope;
    memo_text needle;
    size_t limit;
    fulltext_hits *out;
    memo_store_damage *damage; /* or NULL */
} exact_args;

static size_t exact_count(const char *text, size_t n, memo_text needle)
{
    size_t count = 0;
    const char *at = text;
    while (n >= needle.n_bytes && (at = memmem(text, n, needle.bytes, needle.n_bytes)) != NULL) {
        count++;
        n -= (size_t)(at - text) + needle.n_bytes;
        text = at + needle.n_bytes;
    }
    return count;
}

static memo_status exact_keys(memo_sql *sql, const exact_args *a, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    memo_status status;
    int row;
    memo_buf_puts(&text, "SELECT c.cid, c.rid FROM records r JOIN chunks c"
                         " ON c.rid = r.rid AND c.position = 0"
                         " WHERE (r.key = ?3 OR r.id = ?3) AND ");
    memo_scope_sql(&text, a->scope);
    st = memo_stmt_built(sql, &text, "look up a key");
    memo_scope_bind(&st, a->scope);
    st.next = 3;
    memo_stmt_text(&st, a->needle.bytes, a->needle.n_bytes);
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        status = fulltext_push(a->out,
                               (memo_store_hit){memo_stmt_col_int(&st, 0),
                                                memo_stmt_col_int(&st, 1), EXACT_KEY_SCORE, 1},
                               err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

/* Occurrences of the needle in one chunk of a good record (and the title, for the first). A chunk
 * that fails its checksum is named, not looked into: it may have lost the needle. */
static memo_status exact_look(memo_sql *sql, int64_t cid, const memo_row *record,
                              const exact_args *a, size_t *count, memo_err *err)
{
    memo_chunk_row chunk;
    int found;
    memo_status status = memo_chunk_find(sql, cid, &chunk, &found, err);
    *count = 0;
    if (status || !found)
        return status;
    if (!memo_chunk_good(&chunk, record)) {
        memo_damage_add(a->damage, record->id.bytes ? record->id.bytes : "?");
        return MEMO_OK;
    }
    *count =
        exact_count(record->text.bytes + chunk.begin, (size_t)(chunk.end - chunk.begin), a->needle);
    if (chunk.position == 0)
        *count += exact_count(record->title.bytes, record->title.n_bytes, a->needle);
    return MEMO_OK;
}

/* Count in the candidates c [n], chunks of one record, and keep those that hold the needle; the
 * first n_keys hits are there already. */
static memo_status exact_take(memo_sql *sql, const exact_args *a, const memo_store_hit *c, size_t n,
                              const memo_row *record, size_t n_keys, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && i < n; i++) {
        size_t count, k = 0;
        status = exact_look(sql, c[i].chunk, record, a, &count, err);
        if (status || !count)
            continue;
        while (k < n_keys && a->out->hits[k].chunk != c[i].chunk)
            k++;
        if (k < n_keys)
            a->out->hits[k].score += (double)count;
        else
            status = fulltext_push(
                a->out, (memo_store_hit){c[i].chunk, c[i].record, (double)count, 1}, err);
    }
    return status;
}

/* A record is read and proven once for all its chunks: a long text has thousands. */
static memo_status exact_take_record(memo_sql *sql, const exact_args *a, const memo_store_hit *c,
                                     size_t n, size_t n_keys, memo_err *err)
{
    memo_row record;
    int found;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                                  "read a record");
    memo_stmt_int(&st, c->record);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_row_read(&st, &record);
        if (memo_row_good(&record))
            status = exact_take(sql, a, c, n, &record, n_keys, err);
        else
            memo_damage_add(a->damage, record.id.bytes ? record.id.bytes : "?");
    }
    memo_stmt_done(&st);
    return status;
}

static int exact_compare_records(const void *a, const void *b)
{
    const memo_store_hit *x = a, *y = b;
    return x->record < y->record ? -1 : x->record > y->record;
}

static int exact_compare(const void *a, const void *b)
{
    const memo_store_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

static memo_status exact_merge(memo_sql *sql, const exact_args *a, fulltext_hits *candidates,
                               memo_err *err)
{
    size_t n_keys = a->out->n, n = 0;
    if (candidates->n > 1)
        qsort(candidates->hits, candidates->n, sizeof *candidates->hits, exact_compare_records);
    for (size_t i = 0; i < candidates->n; i += n) {
        const memo_store_hit *first = &candidates->hits[i];
        memo_status status;
        for (n = 1; i + n < candidates->n && first[n].record == first->record;)
            n++;
        status = exact_take_record(sql, a, first, n, n_keys, err);
        if (status)
            return status;
    }
    if (a->out->n > 1)
        qsort(a->out->hits, a->out->n, sizeof *a->out->hits, exact_compare);
    if (a->out->n > a->limit)
        a->out->n = a->limit;
    return MEMO_OK;
}

static memo_status exact_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const exact_args *a = user;
    fulltext_hits candidates = {.arena = a->out->arena};
    fulltext_args phrase = {a->scope, MEMO_STORE_PARTS, NULL, 1.0, EXACT_CANDIDATES,
                            0,        &candidates};
    memo_buf match = {0};
    memo_status status;
    if (sql == &store->salvage)
        return MEMO_ERR_CORRUPT;
    a->out->n = 0;
    if (!memo_store_parts_phrase(&match, a->needle)) {
        phrase.words = MEMO_STORE_WORDS;
        memo_store_quote_term(&match, a->needle.bytes, a->needle.n_bytes);
    }
    phrase.match = match.data;
    status = match.failed ? memo_fail_nomem(err, "a full-text expression", a->needle.n_bytes)
                          : exact_keys(sql, a, err);
    if (!status)
        status = fulltext_run(store, sql, &phrase, err);
    if (!status)
        status = exact_merge(sql, a, &candidates, err);
    memo_buf_fini(&match);
    return status;
}

memo_status memo_store_exact(memo_store *store, const memo_store_scope *scope, memo_text needle,
                             memo_store_hits *out, memo_err *err)
{
    fulltext_hits list = {.arena = out->arena};
    exact_args args = {scope, needle, out->limit, &list, out->damage};
    memo_status status;
    if (!needle.n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE, "nothing to look for");
    status = memo_store_read(store, exact_run, &args, NULL, err);
    if (status)
        return status;
    out->hits = list.hits;
    out->n = list.n;
    return MEMO_OK;
}
