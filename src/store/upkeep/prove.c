// SPDX-License-Identifier: Apache-2.0
/* That something is not there: every table, every byte, every word. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "store/disk/vfs.h"
#include "store/facts/fact_rows.h"
#include "store/repair/repair.h"
#include "store/rows/cells.h"
#include "store/rows/sketches.h"
#include "store/store_inner.h"
#include "store/upkeep/shred.h"

enum { PROVE_BLOCK = 1 << 20, PROVE_MAX_TOLD = 20, PROVE_MAX_WORDS = 1 << 14 };

typedef struct prove_work {
    memo_store *store;
    memo_traces *traces;
    memo_repair say; /* where findings go */
    memo_prove_result *result;
    size_t n_copies;
    int is_again; /* the rows once more: copies have been told */
} prove_work;

/* ---- one record ---------------------------------------------------------------------------- */

/* Queries on a row id, but for the last, which is on an id. */
static const struct {
    const char *what, *query;
} prove_places[] = {
    {"records", "SELECT count(*) FROM records WHERE rid = ?1"},
    {"versions", "SELECT count(*) FROM versions WHERE rid = ?1"},
    {"chunks", "SELECT count(*) FROM chunks WHERE rid = ?1"},
    {"vectors", "SELECT count(*) FROM vectors WHERE rid = ?1"},
    {"tags", "SELECT count(*) FROM tags WHERE rid = ?1"},
    {"unlinked", "SELECT count(*) FROM unlinked WHERE rid = ?1"},
    {"links", "SELECT count(*) FROM links WHERE rid = ?1 OR other = ?1"},
    {"evidence", "SELECT count(*) FROM evidence WHERE rid = ?1"},
    {"shown", "SELECT count(*) FROM shown WHERE rid = ?1"},
    {"actions", "SELECT count(*) FROM actions WHERE rid = ?1 OR other = ?1"},
};

static memo_status prove_count(memo_store *store, const char *constant, int64_t rid, const char *id,
                               int64_t *n, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "look for rows of a record");
    if (id)
        memo_stmt_str(&st, id);
    else
        memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &more, err);
    *n = !status && more ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    return status;
}

static memo_status prove_find_tombstone(memo_store *store, int64_t ns, const char *id, int64_t *rid,
                                        int64_t *state, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT rid, shredded FROM forgotten WHERE ns = ?1 AND id = ?2"
                                  " ORDER BY seq DESC LIMIT 1",
                                  "read its tombstones");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, id);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        *rid = memo_stmt_col_int(&st, 0);
        *state = memo_stmt_col_int(&st, 1);
    } else if (!status) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "no record of the id \"%.520s\" was forgotten", id);
        status = memo_hint(err, MEMO_ERR_NOTFOUND,
                           "memolith changes   names what was forgotten; a key does not outlive "
                           "its record");
    }
    memo_stmt_done(&st);
    return status;
}

static void prove_tell_state(const memo_repair *say, const char *id, int64_t state, uint64_t before,
                             uint64_t found)
{
    if (found > before)
        return;
    if (state == MEMO_TOMBSTONE_SHREDDED)
        memo_repair_say(say, MEMO_FINDING_OK, "gone", "",
                        "%.40s: shredded; no row refers to it but its tombstone", id);
    else
        memo_repair_say(say, MEMO_FINDING_WARN, "gone", "memolith forget ID --shred",
                        "%.40s: no row refers to it but its tombstone; it was not shredded%s, and "
                        "bytes of it may be left",
                        id, state == MEMO_TOMBSTONE_SHREDDING ? " to the end" : "");
}

static void prove_tell_rows(const memo_repair *say, const char *id, int64_t n, const char *what,
                            uint64_t *n_found)
{
    if (n)
        memo_repair_say(say, MEMO_FINDING_BAD, "gone", "memolith forget ID --shred",
                        "%.40s: %" PRId64 " rows of it in %s", id, n, what);
    *n_found += n != 0;
}

static memo_status prove_look_everywhere(memo_store *store, int64_t rid, const char *id,
                                         const memo_repair *say, uint64_t *n_found, memo_err *err)
{
    int64_t n = 0;
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && rid && i < sizeof prove_places / sizeof *prove_places; i++) {
        status = prove_count(store, prove_places[i].query, rid, NULL, &n, err);
        if (!status)
            prove_tell_rows(say, id, n, prove_places[i].what, n_found);
    }
    if (!status && rid)
        status = memo_sketches_of(&store->sql, rid, &n, err);
    if (!status && rid)
        prove_tell_rows(say, id, n, "sketches", n_found);
    if (!status)
        status = prove_count(store,
                             "SELECT (SELECT count(*) FROM quarantine WHERE id = ?1)"
                             " + (SELECT count(*) FROM records WHERE id = ?1)"
                             " + (SELECT count(*) FROM facts WHERE " MEMO_FACT_ORPHANED_BY ")",
                             0, id, &n, err);
    if (!status && n)
        memo_repair_say(say, MEMO_FINDING_BAD, "gone", "memolith forget ID --shred",
                        "%.40s: %" PRId64 " rows that name its id", id, n);
    *n_found += n != 0;
    return status;
}

memo_status memo_prove_row(memo_store *store, int64_t ns, const char *id,
                           const memo_store_sink *sink, uint64_t *n_found, memo_err *err)
{
    const memo_repair say = {.fn = sink->fn, .user = sink->user};
    int64_t rid = 0, state = 0;
    uint64_t before = *n_found;
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = prove_find_tombstone(store, ns, id, &rid, &state, err);
    if (!status)
        status = prove_look_everywhere(store, rid, id, &say, n_found, err);
    if (!status)
        prove_tell_state(&say, id, state, before, *n_found);
    return status;
}

memo_status memo_prove_begun(memo_store *store, const memo_store_sink *sink, uint64_t *n_found,
                             memo_err *err)
{
    const memo_repair say = {.fn = sink->fn, .user = sink->user};
    int more;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT rid, id FROM forgotten WHERE shredded = 1",
                        "read its tombstones");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        status = prove_look_everywhere(store, memo_stmt_col_int(&st, 0),
                                       memo_stmt_col_text(&st, 1).bytes, &say, n_found, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- what the rows hold -------------------------------------------------------------------- */

/* All texts of a row; a stretch in one of them is a copy of what was shredded. */
static void prove_look_at_row(prove_work *w, const memo_table *table, const memo_cell *cells)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n_columns; i++)
        if (cells[i].kind == MEMO_CELL_TEXT ||
            (cells[i].kind == MEMO_CELL_BLOB && table == &memo_table_quarantine))
            n += memo_traces_look(w->traces, cells[i].bytes.bytes, cells[i].bytes.n_bytes, 0,
                                  MEMO_TRACE_SHARED);
    if (n == 0 || w->is_again || ++w->n_copies > PROVE_MAX_TOLD)
        return;
    if (table == &memo_table_records || table == &memo_table_versions)
        memo_repair_say(&w->say, MEMO_FINDING_WARN, "gone",
                        "forget that one as well, if it is meant",
                        "%s %.40s holds a stretch of the same text", table->area,
                        cells[2].kind == MEMO_CELL_TEXT ? cells[2].bytes.bytes : "?");
    else
        memo_repair_say(&w->say, MEMO_FINDING_WARN, "gone", "",
                        "a row of table %s holds a stretch of the same text", table->name);
}

static memo_status prove_look_at_table(prove_work *w, const memo_table *table, memo_err *err)
{
    memo_buf text = {0};
    memo_cell cells[MEMO_CELLS_MAX];
    memo_stmt st;
    int more;
    memo_status status;
    memo_buf_printf(&text, "SELECT %s FROM %s", table->columns, table->name);
    st = memo_stmt_built(&w->store->sql, &text, "read its rows");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, table->n_columns);
        prove_look_at_row(w, table, cells);
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

/* The words of the tables' own definitions stand in every store. */
static memo_status prove_look_at_schema(prove_work *w, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&w->store->sql, "SELECT sql FROM sqlite_schema", "read its tables");
    int more;
    memo_status status;

    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_text sql = memo_stmt_col_text(&st, 0);
        (void)memo_traces_look(w->traces, sql.bytes, sql.n_bytes, 0, MEMO_TRACE_SHARED);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status prove_look_at_rows(prove_work *w, memo_err *err)
{
    static const memo_table *const tables[] = {&memo_table_records, &memo_table_versions,
                                               &memo_table_namespaces, &memo_table_spaces,
                                               &memo_table_quarantine};
    memo_status status = prove_look_at_schema(w, err);
    for (size_t i = 0; !status && i < sizeof tables / sizeof *tables; i++)
        status = prove_look_at_table(w, tables[i], err);
    for (size_t i = 0; !status && i < memo_n_summed_tables; i++)
        status = prove_look_at_table(w, memo_summed_tables[i], err);
    return status;
}

/* ---- every byte ---------------------------------------------------------------------------- */

static memo_status prove_look_at_file(prove_work *w, unsigned char *block, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(w->store->sql.db);
    memo_status status = MEMO_OK;
    if (n_bytes < 0)
        return memo_fail(err, MEMO_ERR_IO, "%s: its size cannot be told", w->store->path);
    for (int64_t at = 0; !status && at < n_bytes; at += PROVE_BLOCK - MEMO_TRACE_LONGEST) {
        int n = n_bytes - at < PROVE_BLOCK ? (int)(n_bytes - at) : PROVE_BLOCK, n_read = 0;
        status = memo_vfs_raw_read(w->store->sql.db, at, block, n, &n_read, err);
        if (!status)
            (void)memo_traces_look(w->traces, block, (size_t)n_read, (uint64_t)at,
                                   MEMO_TRACE_FOUND);
    }
    w->result->n_bytes += (uint64_t)n_bytes;
    return status;
}

/* Whatever the log holds is looked through like the file: what is behind its end, too. */
static memo_status prove_look_at_log(prove_work *w, unsigned char *block, memo_err *err)
{
    memo_file file = {0};
    memo_buf name = {0};
    memo_status status = MEMO_OK;
    memo_buf_printf(&name, "%s-wal", w->store->path);
    if (name.failed)
        status = memo_fail_nomem(err, "a file name", strlen(w->store->path));
    if (!status && !memo_path_exists(name.data)) {
        memo_buf_fini(&name);
        return MEMO_OK;
    }
    if (!status)
        status = memo_file_open(&file, name.data, err);
    for (uint64_t at = 0; !status && at < file.n_bytes; at += PROVE_BLOCK - MEMO_TRACE_LONGEST) {
        size_t n = file.n_bytes - at < PROVE_BLOCK ? (size_t)(file.n_bytes - at) : PROVE_BLOCK;
        status = memo_file_read(&file, at, block, n, err);
        if (!status)
            (void)memo_traces_look(w->traces, block, n, at, MEMO_TRACE_FOUND);
    }
    w->result->n_bytes += file.n_bytes;
    memo_file_close(&file);
    memo_buf_fini(&name);
    return status;
}

static memo_status prove_look_at_bytes(prove_work *w, memo_err *err)
{
    unsigned char *block = memo_malloc(PROVE_BLOCK);
    memo_status status = block ? MEMO_OK : memo_fail_nomem(err, "a block", PROVE_BLOCK);
    if (!status)
        status = prove_look_at_file(w, block, err);
    if (!status)
        status = prove_look_at_log(w, block, err);
    memo_free(block);
    return status;
}

/* ---- every word ---------------------------------------------------------------------------- */

/* Words, and the parts of names made of several. */
static const char *const prove_words[] = {
    "SELECT EXISTS (SELECT 1 FROM chunks c WHERE c.cid = fts.rowid) FROM fts WHERE fts MATCH ?",
    "SELECT EXISTS (SELECT 1 FROM chunks c WHERE c.cid = fts_parts.rowid) FROM fts_parts"
    " WHERE fts_parts MATCH ?",
};

/* Chunks that the full text gives for a word: *alive are in the store, *dead are not. */
static memo_status prove_ask(prove_work *w, const char *constant, const memo_trace *word,
                             int *alive, int *dead, memo_err *err)
{
    memo_buf match = {0};
    memo_stmt st;
    int more;
    memo_status status;
    memo_store_quote_term(&match, word->bytes, word->n);
    st = memo_stmt_keep(&w->store->sql, constant, "search a word");
    if (match.failed) {
        memo_stmt_done(&st);
        return memo_fail_nomem(err, "a word", word->n);
    }
    memo_stmt_text(&st, match.data, match.n);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        if (memo_stmt_col_int(&st, 0))
            *alive = 1;
        else
            *dead = 1;
        if (*alive && *dead)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&match);
    return status;
}

/* The index holds words by their stem, without accents: bytes of it that another record's word
 * explains are that record's. */
static memo_status prove_ask_words(prove_work *w, memo_err *err)
{
    memo_status status = MEMO_OK;
    size_t n = 0;
    for (size_t i = 0; !status && i < w->traces->n; i++) {
        memo_trace *word = &w->traces->list[i];
        int alive = 0, dead = 0;
        if (!word->is_word || (word->met & MEMO_TRACE_SHARED))
            continue;
        if (++n > PROVE_MAX_WORDS && !(word->met & MEMO_TRACE_FOUND))
            continue;
        for (size_t k = 0; !status && k < sizeof prove_words / sizeof *prove_words; k++)
            status = prove_ask(w, prove_words[k], word, &alive, &dead, err);
        if (!status && dead) {
            w->result->n_found++;
            memo_repair_say(&w->say, MEMO_FINDING_BAD, "gone", "memolith forget --shred",
                            "a word of %d bytes is in the full-text index still", word->n);
        } else if (!status && alive) {
            word->met |= MEMO_TRACE_SHARED;
        }
    }
    return status;
}

static void prove_tell(prove_work *w)
{
    size_t n_told = 0;
    for (size_t i = 0; i < w->traces->n; i++) {
        const memo_trace *p = &w->traces->list[i];
        w->result->n_shared += (p->met & MEMO_TRACE_SHARED) != 0;
        if (p->met != MEMO_TRACE_FOUND)
            continue;
        w->result->n_found++;
        if (++n_told <= PROVE_MAX_TOLD)
            memo_repair_say(&w->say, MEMO_FINDING_BAD, "gone", "memolith forget --shred",
                            "a %s of %d bytes stands at byte %" PRIu64 " (page %" PRIu64 ") still",
                            p->is_word ? "word" : "stretch", p->n, p->at,
                            p->at / MEMO_PAGE_BYTES + 1);
    }
    if (w->n_copies > PROVE_MAX_TOLD)
        memo_repair_say(&w->say, MEMO_FINDING_WARN, "gone", "", "and %zu more rows hold stretches",
                        w->n_copies - PROVE_MAX_TOLD);
}

static int prove_has_found(const memo_traces *traces)
{
    for (size_t i = 0; i < traces->n; i++)
        if (traces->list[i].met == MEMO_TRACE_FOUND)
            return 1;
    return 0;
}

/* The bytes are those of now, the rows those of a moment before: what somebody else has written in
 * between, and says the same, is in the rows of now. */
static memo_status prove_look_again(prove_work *w, memo_err *err)
{
    memo_status status = memo_store_begin_read(w->store, err);
    if (status)
        return status;
    w->is_again = 1;
    status = prove_look_at_rows(w, err);
    memo_store_end_read(w->store);
    return status;
}

memo_status memo_prove_bytes(memo_store *store, memo_traces *traces, const memo_store_sink *sink,
                             memo_prove_result *result, memo_err *err)
{
    prove_work w = {.store = store,
                    .traces = traces,
                    .say = {.fn = sink->fn, .user = sink->user},
                    .result = result};
    memo_status status = memo_store_begin_read(store, err);
    if (status)
        return status;
    status = prove_look_at_rows(&w, err);
    if (!status)
        status = prove_look_at_bytes(&w, err);
    if (!status)
        status = prove_ask_words(&w, err);
    memo_store_end_read(store);
    if (!status && prove_has_found(traces))
        status = prove_look_again(&w, err);
    if (!status)
        prove_tell(&w);
    return status;
}
