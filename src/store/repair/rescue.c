// SPDX-License-Identifier: Apache-2.0
/* A new store from what can be read of a damaged one. Every row of every page is looked at
 * (carve.h). Records, versions, chunks and vectors prove themselves by their checksums wherever they
 * lie; rows of the small tables have none and are believed on good pages, and on bad ones only where
 * nothing better is known, which is said. The indexes are not followed, but they remember ids: that
 * is how a lost record can be named. */
#include "store/repair/repair.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "store/schema.h"

enum { RESCUE_ID_CHARS = MEMO_ID_BYTES - 1, RESCUE_MAX_NAMED = 50 };

typedef struct rescue {
    const memo_repair *repair;
    memo_sql to;
    uint64_t n_proven; /* rows whose own checksum fits: then it was a store */
    int has_meta;
    int64_t change_seq;
    int64_t names_page, prints_page; /* of the indexes of namespaces and spaces; 0: not known */
} rescue;

/* ---- what a row is ------------------------------------------------------------------------- */

/* N null, I integer, T text, B blob, R real; one letter a value. */
static void rescue_shape(const memo_carved *row, char shape[MEMO_CELLS_MAX + 1])
{
    for (size_t i = 0; i < row->n_cells; i++)
        shape[i] = "NIRTB"[row->cells[i].kind];
    shape[row->n_cells] = '\0';
}

static int rescue_is_id(const memo_cell *cell)
{
    if (cell->kind != MEMO_CELL_TEXT || cell->bytes.n_bytes != RESCUE_ID_CHARS)
        return 0;
    for (size_t i = 0; i < RESCUE_ID_CHARS; i++) {
        char c = cell->bytes.bytes[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')))
            return 0;
    }
    return 1;
}

/* Whether a row with a checksum fits it; 0 also when it has none. The row id is in cells[0]. */
static int rescue_proves_itself(const memo_table *table, const memo_cell *cells)
{
    if (table == &memo_table_records || table == &memo_table_versions) {
        memo_row row;
        memo_cells_to_row(cells, &row);
        return memo_row_good(&row);
    }
    if (table == &memo_table_chunks) {
        memo_chunk_row chunk;
        memo_cells_to_chunk(cells, &chunk);
        return memo_chunk_sum(&chunk) == chunk.checksum;
    }
    return table == &memo_table_vectors &&
           memo_vector_sum(cells[1].integer, cells[2].integer, cells[3].integer, cells[4].integer,
                           cells[6].bytes.bytes, cells[6].bytes.n_bytes) == cells[5].integer;
}

/* The table whose checksum this row has, or NULL; its row id is then among its cells. */
static const memo_table *rescue_summed_table_of(const memo_carved *row)
{
    for (size_t i = 0; i < memo_n_summed_tables; i++) {
        const memo_table *table = memo_summed_tables[i];
        memo_cell first = row->cells[0];
        if (row->n_cells != table->n_columns)
            continue;
        if (table->has_rowid && first.kind == MEMO_CELL_NULL)
            row->cells[0] = memo_cell_int(row->rowid);
        if (memo_table_good(table, row->cells))
            return table;
        row->cells[0] = first;
    }
    return NULL;
}

/* The table that a row of this shape can only be of, or NULL. */
static const memo_table *rescue_table_of(const memo_carved *row, const char *shape)
{
    if (row->n_cells == MEMO_ROW_N_COLUMNS && strchr("TB", shape[2]))
        return shape[0] == 'N'   ? &memo_table_records
               : shape[0] == 'I' ? &memo_table_versions
                                 : NULL;
    if (strcmp(shape, "NIIIIII") == 0)
        return &memo_table_chunks;
    if (strcmp(shape, "NIIIIIB") == 0)
        return &memo_table_vectors;
    if (strcmp(shape, "NTTTIII") == 0)
        return &memo_table_spaces;
    if (strcmp(shape, "NTITTIB") == 0)
        return &memo_table_quarantine;
    if (strcmp(shape, "NTII") == 0 || strcmp(shape, "NTNI") == 0)
        return &memo_table_namespaces;
    return NULL;
}

/* ---- into the new store -------------------------------------------------------------------- */

/* The column, from 1, of a table's change number; 0: it has none, or a number only once. */
static int rescue_seq_column(const memo_table *table)
{
    return table == &memo_table_records                                  ? 6
           : table == &memo_table_facts || table == &memo_table_entities ? 4
                                                                         : 0;
}

/* Of two rows of one record, fact or entity the later one counts: a copy made while the store was
 * written has both, and so may have pages of which one is not used any more.
 * *there: a row with the same number or name is in the new store already and stays. */
static memo_status rescue_insert(rescue *r, const memo_table *table, const memo_cell *cells,
                                 int *there, memo_err *err)
{
    const int seq_at = rescue_seq_column(table);
    memo_buf text = {0};
    memo_stmt st;
    memo_status status;
    memo_buf_printf(&text, "INSERT OR %s INTO %s(%s) SELECT ", seq_at ? "REPLACE" : "IGNORE",
                    table->name, table->columns);
    for (size_t i = 0; i < table->n_columns; i++)
        memo_buf_printf(&text, "%s?%zu", i ? ", " : "", i + 1);
    if (seq_at)
        memo_buf_printf(&text,
                        " WHERE NOT EXISTS (SELECT 1 FROM %s WHERE seq >= ?%d AND"
                        " (%s = ?1 OR id = ?3 OR seq = ?%d%s))",
                        table->name, seq_at, table->names[0], seq_at,
                        table == &memo_table_records ? " OR (ns = ?2 AND key = ?4)" : "");
    st = memo_stmt_built(&r->to, &text, "write a rescued row");
    memo_cells_bind(&st, cells, table->n_columns);
    status = memo_stmt_run(&st, err);
    memo_buf_fini(&text);
    *there = sqlite3_changes(r->to.db) == 0;
    return status;
}

/* The same row once more: the page was moved and an old copy of it is left. */
static memo_status rescue_is_known(rescue *r, const memo_table *table, const memo_cell *cells,
                                   int *known, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    memo_status status;
    int64_t sum = table == &memo_table_chunks    ? cells[6].integer
                  : table == &memo_table_vectors ? cells[5].integer
                                                 : cells[18].integer;
    memo_buf_printf(&text, "SELECT 1 FROM %s WHERE %s = ?1 AND checksum = ?2", table->name,
                    table->names[0]);
    st = memo_stmt_built(&r->to, &text, "look for a row");
    memo_stmt_int(&st, cells[0].integer);
    memo_stmt_int(&st, sum);
    status = memo_stmt_step(&st, known, err);
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

static memo_status rescue_put_away(rescue *r, const memo_table *table, const memo_cell *cells,
                                   const char *reason, memo_err *err)
{
    const memo_cell *id = &cells[2];
    char name[RESCUE_ID_CHARS + 1] = "";
    if ((table == &memo_table_records || table == &memo_table_versions) && rescue_is_id(id))
        memcpy(name, id->bytes.bytes, RESCUE_ID_CHARS);
    return memo_quarantine_put(&r->to, r->repair, table, cells[0].integer, name, reason, cells,
                               err);
}

/* A row with a checksum of its own. */
static memo_status rescue_take_proven(rescue *r, const memo_table *table, const memo_carved *row,
                                      memo_err *err)
{
    int there, known = 0;
    memo_status status;
    if (!rescue_proves_itself(table, row->cells))
        return rescue_put_away(r, table, row->cells, "its checksum does not match", err);
    r->n_proven++;
    status = rescue_insert(r, table, row->cells, &there, err);
    if (status || !there)
        return status;
    status = rescue_is_known(r, table, row->cells, &known, err);
    return status || known ? status
                           : rescue_put_away(r, table, row->cells,
                                             "another row has its number, its id or its key", err);
}

static void rescue_say_unproven(const memo_repair *repair, const memo_table *table,
                                const memo_carved *row)
{
    memo_text name =
        row->cells[1].kind == MEMO_CELL_TEXT ? row->cells[1].bytes : row->cells[2].bytes;
    memo_repair_say(repair, MEMO_FINDING_WARN, "records", "look whether it is right",
                    "page %" PRIu32 " has no valid checksum; taken from it: %s %" PRId64
                    " \"%.*s\"",
                    row->page, table->area, row->rowid,
                    (int)(name.n_bytes < 60 ? name.n_bytes : 60), name.bytes ? name.bytes : "");
}

/* A row that only its page vouches for. */
static memo_status rescue_take_unproven(rescue *r, const memo_table *table, const memo_carved *row,
                                        memo_err *err)
{
    int there;
    memo_status status = rescue_insert(r, table, row->cells, &there, err);
    if (status || there || row->page_good)
        return status;
    rescue_say_unproven(r->repair, table, row);
    return MEMO_OK;
}

/* Identity and counters; a fresh identity was made for the case that none is found. */
static memo_status rescue_take_meta(rescue *r, const memo_carved *row, memo_err *err)
{
    memo_stmt st;
    if (r->has_meta || row->cells[1].bytes.n_bytes != MEMO_STORE_UUID_CHARS || row->rowid != 1)
        return MEMO_OK;
    r->has_meta = 1;
    r->change_seq = row->cells[4].integer;
    st = memo_stmt_once(&r->to, "UPDATE meta SET uuid = ?, created_ms = ?, n_commits = ?",
                        "keep its identity");
    memo_cells_bind(&st, row->cells + 1, 3);
    return memo_stmt_run(&st, err);
}

/* Of schema 1: seq, ns, id, key, time. */
static memo_status rescue_take_old_tombstone(rescue *r, const memo_carved *row, memo_err *err)
{
    int there;
    const memo_cell *c = row->cells;
    memo_cell cells[] = {memo_cell_int(row->rowid),
                         c[1],
                         memo_cell_int(0),
                         c[4],
                         memo_cell_int(0),
                         memo_cell_int(0),
                         c[2],
                         c[3]};
    if (!row->page_good)
        return MEMO_OK;
    cells[memo_table_forgotten.checksum] =
        memo_cell_int(memo_table_sum(&memo_table_forgotten, cells));
    return rescue_insert(r, &memo_table_forgotten, cells, &there, err);
}

static memo_status rescue_take_sequence(rescue *r, const memo_carved *row, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&r->to,
                       "INSERT INTO temp.sequence(name, seq) VALUES(?, ?) ON CONFLICT(name)"
                       " DO UPDATE SET seq = max(seq, excluded.seq)",
                       "keep its counters");
    memo_cells_bind(&st, row->cells, 2);
    return memo_stmt_run(&st, err);
}

/* Where the indexes of the two small tables lie: each has one page. */
static void rescue_take_schema(rescue *r, const memo_carved *row)
{
    memo_text table = row->cells[2].bytes;
    if (!row->page_good || row->cells[4].kind != MEMO_CELL_NULL)
        return;
    if (table.n_bytes == 10 && memcmp(table.bytes, "namespaces", 10) == 0)
        r->names_page = row->cells[3].integer;
    if (table.n_bytes == 6 && memcmp(table.bytes, "spaces", 6) == 0)
        r->prints_page = row->cells[3].integer;
}

/* A row that is none of ours in this state: kept all the same. What SQLite and the full-text index
 * keep for themselves is made anew. */
static memo_status rescue_take_unknown(rescue *r, const memo_carved *row, const char *shape,
                                       memo_err *err)
{
    memo_table table = memo_table_unknown;
    if (strcmp(shape, "NB") == 0 || strcmp(shape, "NIIN") == 0 || strcmp(shape, "NIIB") == 0 ||
        strcmp(shape, "N") == 0) /* ... tallies and unlinked */
        return MEMO_OK;
    if (strcmp(shape, "TTTIT") == 0 || strcmp(shape, "TTTIN") == 0) {
        rescue_take_schema(r, row);
        return MEMO_OK;
    }
    table.n_columns = row->n_cells;
    return memo_quarantine_put(&r->to, r->repair, &table, row->rowid, "",
                               "its values are those of no table", row->cells, err);
}

/* ---- what the indexes remember ------------------------------------------------------------- */

/* Entities, facts, searches and actions have ids of the same form: those of which a row is there are
 * taken out at the end. */
static memo_status rescue_remember(rescue *r, int64_t rid, const memo_cell *id, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&r->to, "INSERT OR IGNORE INTO temp.known(rid, id) VALUES(?, ?)",
                                  "remember an id");
    memo_stmt_int(&st, rid);
    memo_stmt_text(&st, id->bytes.bytes, id->bytes.n_bytes);
    return memo_stmt_run(&st, err);
}

/* The key of a record, or one of its tags, or something else of that form: where a row id comes with
 * two of them neither is known to be its key. */
static memo_status rescue_remember_key(rescue *r, int64_t rid, const memo_cell *key, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&r->to,
                                  "INSERT INTO temp.keys(rid, key) VALUES(?, ?)"
                                  " ON CONFLICT(rid) DO UPDATE SET"
                                  " key = CASE WHEN key = excluded.key THEN key END",
                                  "remember a key");
    memo_stmt_int(&st, rid);
    memo_stmt_text(&st, key->bytes.bytes, key->bytes.n_bytes);
    return memo_stmt_run(&st, err);
}

/* A name and a row id, of which table is known by the page once the schema has been met. */
static memo_status rescue_remember_name(rescue *r, const memo_carved *row, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&r->to, "INSERT OR IGNORE INTO temp.names(page, name, id) VALUES(?, ?, ?)",
                       "remember a name");
    memo_stmt_int(&st, row->page);
    memo_cells_bind(&st, row->cells, 2);
    return memo_stmt_run(&st, err);
}

/* The name of a namespace, the fingerprint of a space. */
static memo_status rescue_sort_names(rescue *r, memo_err *err)
{
    memo_stmt st = memo_stmt_once(&r->to,
                                  "UPDATE temp.names SET of = CASE page WHEN ? THEN 'namespaces'"
                                  " WHEN ? THEN 'spaces' END",
                                  "sort names");
    memo_stmt_int(&st, r->names_page);
    memo_stmt_int(&st, r->prints_page);
    return memo_stmt_run(&st, err);
}

static memo_status rescue_take_index(rescue *r, const memo_carved *row, const char *shape,
                                     memo_err *err)
{
    const memo_cell *c = row->cells;
    if (!row->page_good)
        return MEMO_OK;
    if (strcmp(shape, "TI") == 0 && row->page != r->names_page && rescue_is_id(&c[0]))
        return rescue_remember(r, c[1].integer, &c[0], err);
    if (strcmp(shape, "TI") == 0)
        return rescue_remember_name(r, row, err);
    if (strcmp(shape, "IITI") == 0 && rescue_is_id(&c[2]))
        return rescue_remember(r, c[3].integer, &c[2], err);
    if (strcmp(shape, "ITI") == 0)
        return rescue_remember_key(r, c[2].integer, &c[1], err);
    return MEMO_OK;
}

/* ---- all rows ------------------------------------------------------------------------------ */

static memo_status rescue_row(void *user, const memo_carved *row, memo_err *err)
{
    rescue *r = user;
    char shape[MEMO_CELLS_MAX + 1];
    const memo_table *table;
    int there;
    rescue_shape(row, shape);
    table = rescue_summed_table_of(row);
    if (table)
        return rescue_insert(r, table, row->cells, &there, err);
    if (row->is_index)
        return rescue_take_index(r, row, shape, err);
    if (strcmp(shape, "NTIII") == 0)
        return rescue_take_meta(r, row, err);
    if (strcmp(shape, "TI") == 0)
        return rescue_take_sequence(r, row, err);
    if ((strcmp(shape, "NITTI") == 0 || strcmp(shape, "NITNI") == 0) &&
        rescue_is_id(&row->cells[2]))
        return rescue_take_old_tombstone(r, row, err);
    table = rescue_table_of(row, shape);
    if (!table)
        return rescue_take_unknown(r, row, shape, err);
    if (table != &memo_table_versions)
        row->cells[0] = (memo_cell){.kind = MEMO_CELL_INT, .integer = row->rowid};
    return table == &memo_table_records || table == &memo_table_versions ||
                   table == &memo_table_chunks || table == &memo_table_vectors
               ? rescue_take_proven(r, table, row, err)
               : rescue_take_unproven(r, table, row, err);
}

/* What was forgotten stays so: an old copy of its page may have been among the pages. Tombstones have
 * no index by id, so it is they that are gone through. */
#define RESCUE_FORGOTTEN(table, row)                                                               \
    "(SELECT r." row " FROM forgotten t CROSS JOIN " table                                         \
    " r ON r.id = t.id WHERE r.ns = t.ns AND r.seq < t.seq);"
static const char rescue_forgotten[] = "DELETE FROM records WHERE rid IN " RESCUE_FORGOTTEN(
    "records",
    "rid") "DELETE FROM evidence "
           "WHERE fid "
           "IN " RESCUE_FORGOTTEN("facts", "fid") "DELETE FROM facts WHERE fid "
                                                  "IN " RESCUE_FORGOTTEN(
                                                      "facts",
                                                      "fid") "DELETE FROM "
                                                             "aliases "
                                                             "WHERE eid "
                                                             "IN"
                                                             " " RESCUE_FORGOTTEN(
                                                                 "entities",
                                                                 "eid") "DELETE FROM entities "
                                                                        "WHERE eid "
                                                                        "IN " RESCUE_FORGOTTEN("ent"
                                                                                               "iti"
                                                                                               "es",
                                                                                               "ei"
                                                                                               "d");

/* Where the row of a namespace or space is lost, its index knows the name, and a vector its length. */
static const char rescue_names[] =
    "INSERT OR IGNORE INTO spaces(id, fingerprint, name, model_path, dim, kind, created_ms)"
    " SELECT n.id, n.name, 'recovered', '', length(v.vector) / 4,"
    " CASE WHEN n.id IN (SELECT space FROM probes) THEN 2 ELSE 1 END, 0 FROM temp.names n"
    " JOIN vectors v ON v.vid = (SELECT min(vid) FROM vectors WHERE space = n.id)"
    " WHERE n.of = 'spaces';"
    "INSERT OR IGNORE INTO namespaces(id, name, space, created_ms)"
    " SELECT id, name, NULL, 0 FROM temp.names WHERE of = 'namespaces';";

#define RESCUE_COUNTER(table, id)                                                                  \
    " UNION ALL SELECT '" table "', coalesce((SELECT max(" id ") FROM " table "), 0)"

/* Of what a counter said and what its rows have, the larger. */
static const char rescue_counters[] =
    "DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence(name, seq) SELECT name, max(seq) FROM"
    " (SELECT name, seq FROM temp.sequence WHERE seq BETWEEN 0 AND 4611686018427387904"
    " AND name IN ('records', 'chunks', 'entities', 'facts', 'searches', 'actions')" RESCUE_COUNTER(
        "records", "rid") RESCUE_COUNTER("chunks", "cid") RESCUE_COUNTER("entities", "eid")
        RESCUE_COUNTER("facts", "fid") RESCUE_COUNTER("searches", "sid")
            RESCUE_COUNTER("actions", "aid") ") GROUP BY name";

/* Records of which an index, a chunk or a vector is left, but no row, good or bad. */
static const char rescue_lost[] =
    "DELETE FROM temp.known WHERE id IN (SELECT id FROM entities UNION SELECT id FROM facts"
    " UNION SELECT id FROM searches UNION SELECT id FROM actions);"
    "INSERT INTO temp.known(rid, id) SELECT rid, NULL FROM (SELECT rid FROM chunks"
    " UNION SELECT rid FROM vectors) WHERE rid NOT IN (SELECT rid FROM temp.known);"
    "DELETE FROM temp.known WHERE rid IN (SELECT rid FROM records)"
    " OR rid IN (SELECT row FROM quarantine WHERE area = 'record')"
    " OR id IN (SELECT id FROM forgotten)";

static memo_status rescue_name_lost(rescue *r, memo_err *err)
{
    int more;
    int64_t n = 0, n_versions = 0;
    memo_stmt st;
    memo_status status = memo_sql_exec(&r->to, rescue_lost, "find what is lost", err);
    if (!status)
        status = memo_sql_int(&r->to, "SELECT count(*) FROM temp.known", &n, err);
    if (!status)
        status = memo_sql_int(&r->to,
                              "SELECT coalesce(sum(max(version - 1 - (SELECT count(*) FROM versions"
                              " v WHERE v.rid = records.rid AND v.version < records.version), 0)),"
                              " 0) FROM records",
                              &n_versions, err);
    if (status)
        return status;
    r->repair->report->n_lost += (uint64_t)n;
    r->repair->report->n_lost_versions += (uint64_t)n_versions;
    st = memo_stmt_once(&r->to,
                        "SELECT k.rid, k.id, (SELECT y.key FROM temp.keys y WHERE y.rid = k.rid"
                        " AND NOT EXISTS (SELECT 1 FROM records r, json_each(CASE WHEN"
                        " memo_is_json(r.tags) THEN r.tags ELSE '[]' END) j"
                        " WHERE j.value = y.key)) FROM temp.known k ORDER BY k.rid LIMIT 50",
                        "name what is lost");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_text id = memo_stmt_col_text(&st, 1), key = memo_stmt_col_text(&st, 2);
        memo_repair_say(
            r->repair, MEMO_FINDING_BAD, "records", "add it again, or take it from a backup",
            "record %s%s%s is lost (row %" PRId64 ")", id.bytes ? id.bytes : "of unknown id",
            key.bytes ? ", key " : "", key.bytes ? key.bytes : "", memo_stmt_col_int(&st, 0));
    }
    memo_stmt_done(&st);
    if (!status && n > RESCUE_MAX_NAMED)
        memo_repair_say(r->repair, MEMO_FINDING_BAD, "records", "",
                        "and %" PRId64 " more records are lost", n - RESCUE_MAX_NAMED);
    if (!status && n_versions)
        memo_repair_say(r->repair, MEMO_FINDING_BAD, "records", "",
                        "%" PRId64 " earlier versions of kept records are lost", n_versions);
    return status;
}

static memo_status rescue_finish(rescue *r, memo_err *err)
{
    memo_stmt st;
    memo_status status =
        memo_sql_exec(&r->to, rescue_forgotten, "leave out what was forgotten", err);
    if (!status)
        status = rescue_sort_names(r, err);
    if (!status)
        status = memo_sql_exec(&r->to, rescue_names, "give back names", err);
    if (!status)
        status = memo_sql_exec(&r->to, rescue_counters, "keep its counters", err);
    if (!status)
        status = rescue_name_lost(r, err);
    if (status)
        return status;
    st = memo_stmt_once(&r->to, "UPDATE meta SET change_seq = ?", "keep its counters");
    memo_stmt_int(&st, r->change_seq);
    return memo_stmt_run(&st, err);
}

/* Where one transaction writes everything and is thrown away when it fails, no journal is needed. */
memo_status memo_rescue(const memo_repair *repair, memo_sql *from, const memo_pages *bad,
                        const char *to, memo_err *err)
{
    rescue r = {.repair = repair};
    memo_status status = memo_sql_open(&r.to, to, MEMO_SQL_CREATE, 0, 0, err);
    if (status)
        return status;
    status = memo_schema_create(&r.to, repair->now_ms, MEMO_FULLTEXT_STEMMED, err);
    if (!status)
        status =
            memo_sql_exec(&r.to,
                          "PRAGMA journal_mode = MEMORY; PRAGMA temp_store = MEMORY;"
                          "CREATE TEMP TABLE known(rid INTEGER, id TEXT, UNIQUE(rid, id));"
                          "CREATE TEMP TABLE keys(rid INTEGER PRIMARY KEY, key TEXT);"
                          "CREATE TEMP TABLE sequence(name TEXT PRIMARY KEY, seq INTEGER);"
                          "CREATE TEMP TABLE names(of TEXT, page INTEGER, name TEXT, id INTEGER);"
                          "BEGIN",
                          "write rescued rows", err);
    if (!status)
        status = memo_carve(from, bad, rescue_row, &r, err);
    if (!status && !r.has_meta && !r.n_proven)
        status =
            memo_fail(err, MEMO_ERR_CORRUPT, "%s: not one row of a store can be read", from->path);
    if (!status)
        status = rescue_finish(&r, err);
    if (!status)
        status = memo_schema_settle_fulltext(&r.to, err);
    if (!status)
        status = memo_sql_exec(&r.to, "COMMIT", "write rescued rows", err);
    memo_sql_close(&r.to, 0);
    return status;
}

/* ---- rows that only their page vouched for -------------------------------------------------- */

static memo_status rescue_look_unproven(void *user, const memo_carved *row, memo_err *err)
{
    char shape[MEMO_CELLS_MAX + 1];
    const memo_table *table;
    (void)err;
    if (row->page_good || row->is_index)
        return MEMO_OK;
    rescue_shape(row, shape);
    table = rescue_table_of(row, shape);
    if (table == &memo_table_namespaces || table == &memo_table_spaces)
        rescue_say_unproven(user, table, row);
    return MEMO_OK;
}

memo_status memo_rescue_name_unproven(const memo_repair *repair, memo_sql *from,
                                      const memo_pages *bad, memo_err *err)
{
    memo_repair copy = *repair;
    return memo_carve(from, bad, rescue_look_unproven, &copy, err);
}
