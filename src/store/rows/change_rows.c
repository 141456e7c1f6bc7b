// SPDX-License-Identifier: Apache-2.0
/* The change feed: rows of all tables that carry a change number, in its order.
 *
 * A cursor is 80 hexadecimal digits: the store's identity (32), the last change seen (16), a hash of
 * what that change was (16), XXH64 of the digits before (16). The hash is how a store that went back
 * and then forward again on another way is told from the one that was followed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "store/rows/cells.h"
#include "store/store_inner.h"

enum { CHANGE_UUID = MEMO_STORE_UUID_CHARS, CHANGE_NUMBER = 16, CHANGE_BODY = CHANGE_UUID + 32 };
enum { CHANGE_CURSOR = CHANGE_BODY + CHANGE_NUMBER };

typedef struct change_args {
    const memo_store_changes_options *options;
    memo_arena *arena;
    memo_changes *out;
    memo_change *changes; /* [limit] */
    int64_t since, last;  /* after this one, up to that one */
    uint64_t mark;        /* of `since` */
    int64_t ns;           /* whose name this is: */
    const char *ns_name;
} change_args;

/* ---- the cursor ---------------------------------------------------------------------------- */

/* The same for as long as that change is the last one of its row. */
static memo_status change_mark(memo_sql *sql, int64_t seq, int *found, uint64_t *mark,
                               memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT 0, id, version FROM records WHERE seq = ?1"
                                  " UNION ALL SELECT 1, id, 0 FROM forgotten WHERE seq = ?1"
                                  " UNION ALL SELECT 2, id, 0 FROM entities WHERE seq = ?1"
                                  " UNION ALL SELECT 3, id, 0 FROM facts WHERE seq = ?1"
                                  " UNION ALL SELECT 4, '', ns FROM switches WHERE since_seq = ?1",
                                  "find a change");
    memo_stmt_int(&st, seq);
    status = memo_stmt_step(&st, found, err);
    if (!status && *found) {
        memo_text id = memo_stmt_col_text(&st, 1);
        const int64_t numbers[] = {memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 2)};
        *mark = memo_xxh64(id.bytes ? id.bytes : "", id.n_bytes,
                           memo_xxh64(numbers, sizeof numbers, 0));
    }
    memo_stmt_done(&st);
    return status;
}

static int change_hex(const char *s, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < CHANGE_NUMBER; i++) {
        int digit = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
                    : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
                                                 : -1;
        if (digit < 0)
            return 0;
        *value = *value << 4 | (unsigned)digit;
    }
    return 1;
}

static memo_status change_read_cursor(const memo_store *store, change_args *a, memo_err *err)
{
    const char *text = a->options->since;
    uint64_t seq = 0, sum = 0;
    if (!text || !*text)
        return MEMO_OK;
    if (strlen(text) != CHANGE_CURSOR || !change_hex(text + CHANGE_UUID, &seq) ||
        !change_hex(text + CHANGE_UUID + CHANGE_NUMBER, &a->mark) ||
        !change_hex(text + CHANGE_BODY, &sum) || sum != memo_xxh64(text, CHANGE_BODY, 0) ||
        seq > MEMO_STORE_MAX_SEQ)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "\"%.100s\" is not a cursor of an earlier call for changes", text);
    a->since = (int64_t)seq;
    if (memcmp(text, store->uuid, CHANGE_UUID) == 0)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_VALUE, "%s: the cursor is of another store", store->path);
    return memo_hint(err, MEMO_ERR_VALUE, "begin without a cursor: all of this store's changes");
}

static memo_status change_check_cursor(memo_sql *sql, const change_args *a, memo_err *err)
{
    uint64_t mark = 0;
    int found = 0;
    memo_status status = MEMO_OK;
    if (a->since > 0 && a->since <= a->last)
        status = change_mark(sql, a->since, &found, &mark, err);
    if (status || (a->since <= a->last && (!found || mark == a->mark)))
        return status;
    memo_fail(err, MEMO_ERR_MISMATCH,
              "%s: the cursor knows change %" PRId64
              ", which this store %s: an older copy was put in its place",
              sql->path, a->since, a->since > a->last ? "has not reached" : "has another one for");
    return memo_hint(err, MEMO_ERR_MISMATCH,
                     "begin without a cursor, and drop what this store does not have");
}

static memo_status change_write_cursor(memo_store *store, memo_sql *sql, change_args *a,
                                       int64_t seq, memo_err *err)
{
    char text[CHANGE_CURSOR + 1];
    uint64_t mark = seq == a->since ? a->mark : 0;
    int found = 0;
    memo_status status =
        seq && seq != a->since ? change_mark(sql, seq, &found, &mark, err) : MEMO_OK;
    snprintf(text, sizeof text, "%.*s%016" PRIx64 "%016" PRIx64, (int)CHANGE_UUID, store->uuid,
             (uint64_t)seq, mark);
    snprintf(text + CHANGE_BODY, sizeof text - CHANGE_BODY, "%016" PRIx64,
             memo_xxh64(text, CHANGE_BODY, 0));
    if (!status && !(a->out->next = memo_arena_strdup(a->arena, text)))
        status = memo_fail_nomem(err, "a cursor", sizeof text);
    return status;
}

/* ---- one change ---------------------------------------------------------------------------- */

/* A namespace that is lost has a number still. */
static memo_status change_name_ns(memo_sql *sql, change_args *a, int64_t ns, memo_change *change,
                                  memo_err *err)
{
    memo_status status = MEMO_OK;
    if (!a->ns_name || ns != a->ns) {
        a->ns_name = "";
        if (ns)
            status = memo_ns_name(sql, ns, a->arena, &a->ns_name, err);
        a->ns = ns;
    }
    change->ns = a->ns_name;
    return status;
}

static memo_status change_copy(const change_args *a, memo_text text, const char **out,
                               memo_err *err)
{
    *out = memo_arena_strndup(a->arena, text.bytes ? text.bytes : "", text.n_bytes);
    return *out ? MEMO_OK : memo_fail_nomem(err, "a change", text.n_bytes);
}

static memo_status change_take_record(memo_sql *sql, change_args *a, const memo_stmt *st,
                                      memo_change *change, memo_err *err)
{
    memo_record *record;
    memo_store_damage damage = {.arena = a->arena};
    memo_row row;
    memo_status status;
    memo_row_read(st, &row);
    if (!memo_row_good(&row)) {
        a->out->n_damaged++;
        return MEMO_OK;
    }
    change->at_ms = row.updated_ms;
    status = change_copy(a, row.id, &change->id, err);
    if (!status)
        status = change_name_ns(sql, a, row.ns, change, err);
    record = memo_arena_alloc(a->arena, sizeof *record);
    if (!status && !record)
        status = memo_fail_nomem(err, "a record", sizeof *record);
    if (!status)
        status = memo_row_publish(&row, change->ns, 1, a->arena, record, err);
    if (!status)
        status = memo_related_read(sql, &row, a->arena, NULL, record, &damage, err);
    if (status)
        return status;
    a->out->n_damaged += damage.n > 0;
    change->record = record;
    change->key = record->key;
    return MEMO_OK;
}

/* Where a change is: the table, and the column by which the list names a row. */
static const struct {
    const memo_table *table;
    const char *by;
} change_tables[] = {
    [MEMO_CHANGE_FORGOTTEN] = {&memo_table_forgotten, "seq"},
    [MEMO_CHANGE_ENTITY] = {&memo_table_entities, "eid"},
    [MEMO_CHANGE_FACT] = {&memo_table_facts, "fid"},
    [MEMO_CHANGE_SPACE] = {&memo_table_switches, "ns"},
};

/* The value of a column, null where the table has none of that name. */
static const memo_cell *change_cell(const memo_table *table, const memo_cell *cells,
                                    const char *name)
{
    static const memo_cell none = {.kind = MEMO_CELL_NULL};
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->names[i], name) == 0)
            return &cells[i];
    return &none;
}

/* The last of the times that say when something happened to the row. */
static int64_t change_time(const memo_table *table, const memo_cell *cells)
{
    static const char *const names[] = {"deleted_ms", "updated_ms", "recorded_ms", "closed_ms",
                                        "retracted_ms"};
    int64_t last = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t ms = change_cell(table, cells, names[i])->integer;
        last = ms > last ? ms : last;
    }
    return last;
}

static memo_status change_take_summed(memo_sql *sql, change_args *a, const memo_stmt *st,
                                      memo_change *change, memo_err *err)
{
    const memo_table *table = change_tables[change->kind].table;
    const memo_cell *key;
    memo_cell cells[MEMO_CELLS_MAX];
    int64_t ns;
    memo_status status;
    memo_cells_take(st, cells, table->n_columns);
    if (!memo_table_good(table, cells)) {
        a->out->n_damaged++;
        return MEMO_OK;
    }
    ns = change_cell(table, cells, "ns")->integer;
    key = change_cell(table, cells, "key");
    status = change_copy(a, change_cell(table, cells, "id")->bytes, &change->id, err);
    if (!status)
        status = change_name_ns(sql, a, ns, change, err);
    if (!status && key->kind == MEMO_CELL_TEXT)
        status = change_copy(a, key->bytes, &change->key, err);
    change->at_ms = change_time(table, cells);
    change->shredded = change_cell(table, cells, "shredded")->integer != 0;
    if (change->kind == MEMO_CHANGE_FORGOTTEN && ns == 0)
        change->kind = MEMO_CHANGE_REPAIR;
    return status;
}

static memo_stmt change_prepare(memo_sql *sql, memo_change_kind kind)
{
    memo_buf text = {0};
    memo_stmt st;
    if (kind == MEMO_CHANGE_RECORD)
        return memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                              "read a change");
    memo_buf_printf(&text, "SELECT %s FROM %s WHERE %s = ?", change_tables[kind].table->columns,
                    change_tables[kind].table->name, change_tables[kind].by);
    st = memo_stmt_built(sql, &text, "read a change");
    memo_buf_fini(&text);
    return st;
}

/* One that has gone since the list was made comes again with its later number. */
static memo_status change_take(memo_sql *sql, change_args *a, memo_change_kind kind, int64_t seq,
                               int64_t row, memo_err *err)
{
    memo_change change = {.kind = kind, .seq = (uint64_t)seq, .ns = "", .id = ""};
    int found;
    memo_stmt st = change_prepare(sql, kind);
    memo_status status;
    memo_stmt_int(&st, row);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found)
        status = kind == MEMO_CHANGE_RECORD ? change_take_record(sql, a, &st, &change, err)
                                            : change_take_summed(sql, a, &st, &change, err);
    memo_stmt_done(&st);
    if (!status && found)
        a->changes[a->out->n++] = change;
    return status;
}

/* ---- a page of them ------------------------------------------------------------------------ */

#define CHANGE_ARM(kind, seq, row, table, ns)                                                      \
    "SELECT " kind ", " seq " AS at, " row " FROM " table " WHERE " seq                            \
    " BETWEEN ?1 AND ?2 AND (?3 = 0 OR " ns " = ?3)"

#define CHANGE_RECORDS  CHANGE_ARM("0", "seq", "rid", "records", "ns")
#define CHANGE_DELETED  CHANGE_ARM("1", "seq", "seq", "forgotten", "ns")
#define CHANGE_ENTITIES CHANGE_ARM("2", "seq", "eid", "entities", "ns")
#define CHANGE_FACTS    CHANGE_ARM("3", "seq", "fid", "facts", "ns")
#define CHANGE_SWITCHES CHANGE_ARM("4", "since_seq", "ns", "switches", "ns")
#define CHANGE_UNION    " UNION ALL "
static const char change_list[] = CHANGE_RECORDS CHANGE_UNION CHANGE_DELETED CHANGE_UNION
    CHANGE_ENTITIES CHANGE_UNION CHANGE_FACTS CHANGE_UNION CHANGE_SWITCHES " ORDER BY at LIMIT ?4";

/* Up to the change that was the last one when it began: what is written meanwhile is for the next
 * call, and a cursor behind the last change has nothing unseen before it. */
static memo_status change_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    change_args *a = user;
    memo_stmt st;
    int more;
    size_t n = 0;
    int64_t seq = 0;
    memo_status status;
    if (sql == &store->salvage) /* nothing proves that no change is missing */
        return MEMO_ERR_CORRUPT;
    status = memo_sql_int(sql, "SELECT change_seq FROM meta", &a->last, err);
    if (!status)
        status = change_check_cursor(sql, a, err);
    if (status)
        return status;
    *a->out = (memo_changes){.changes = a->changes};
    st = memo_stmt_keep(sql, change_list, "list its changes");
    memo_stmt_int(&st, a->since + 1);
    memo_stmt_int(&st, a->last);
    memo_stmt_int(&st, a->options->ns);
    memo_stmt_int(&st, (int64_t)a->options->limit);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        seq = memo_stmt_col_int(&st, 1);
        n++;
        status = change_take(sql, a, (memo_change_kind)memo_stmt_col_int(&st, 0), seq,
                             memo_stmt_col_int(&st, 2), err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    a->out->more = n == a->options->limit;
    return status ? status : change_write_cursor(store, sql, a, a->out->more ? seq : a->last, err);
}

memo_status memo_store_changes(memo_store *store, const memo_store_changes_options *options,
                               memo_arena *arena, memo_changes *out, memo_err *err)
{
    memo_changes found;
    change_args args = {.options = options, .arena = arena, .out = &found};
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = change_read_cursor(store, &args, err);
    args.changes = memo_arena_array(arena, options->limit, sizeof *args.changes);
    if (!status && !args.changes)
        status = memo_fail_nomem(err, "changes", options->limit * sizeof *args.changes);
    if (!status)
        status = memo_store_read(store, change_run, &args, NULL, err);
    if (!status)
        *out = found;
    return status;
}
