// SPDX-License-Identifier: Apache-2.0
/* The tables of facts, links, searches and the like: each row that is damaged is told, goes to
 * quarantine and leaves the others alone; a rescue brings all of them into the new store. */
#include "repair_util.h"

#include "store/rows/cells.h"
#include "store/rows/rows.h"

/* Put one row into every table; values by column, ids made of `tag`. */
static void tables_put(memo_store *store, const memo_table *table, const memo_cell *values,
                       size_t n)
{
    memo_cell cells[MEMO_CELLS_MAX];
    assert_int_equal(n, table->n_columns);
    memcpy(cells, values, n * sizeof *values);
    util_ok(memo_table_put(&store->sql, table, cells, err));
}

#define I(v) memo_cell_int(v)
#define T(v) memo_cell_str(v)
#define R(v) memo_cell_real(v)
#define PUT(table, ...)                                                                            \
    do {                                                                                           \
        const memo_cell values[] = {__VA_ARGS__};                                                  \
        tables_put(store, &memo_table_##table, values, sizeof values / sizeof *values);            \
    } while (0)

/* Rows 1 and 2 of each, on records 1 and 2. */
static void tables_fill_facts(memo_store *store, int64_t n)
{
    char id[32];
    snprintf(id, sizeof id, "01ENTITY0000000000000000%02d", (int)n);
    PUT(entities, I(n), I(1), T(id), I(++store->seq), I(5), I(6), I(0), T("person"), T("Anna"),
        T("{}"));
    PUT(aliases, I(1), T("anna"), I(n), I(0), T("Anna"));
    snprintf(id, sizeof id, "01FACT000000000000000000%02d", (int)n);
    PUT(facts, I(n), I(1), T(id), I(++store->seq), I(n), memo_cell_str(NULL), I(0), I(0), I(7),
        I(0), I(0), R(0.5), I(0), T("likes"), T("tea"), T(""));
    PUT(evidence, I(n), I(n), I(0), I(4), I(1), I(0));
}

static void tables_fill_events(memo_store *store, int64_t n)
{
    char id[32], name[16];
    const unsigned char bytes[] = {1, 2, 3, 4};
    snprintf(id, sizeof id, "01SEARCH0000000000000000%02d", (int)n);
    PUT(searches, I(n), I(1), T(id), I(9), I(0), I(0), I(1), I(0), T("me"), T("cli"), T(""),
        T("tea"));
    PUT(shown, I(n), I(1), I(n), I(1), I(0), memo_cell_blob(bytes, 4));
    snprintf(id, sizeof id, "01ACTION0000000000000000%02d", (int)n);
    PUT(actions, I(n), I(1), T(id), I(n), I(1), I(n), memo_cell_str(NULL), I(1), I(0), I(9), I(0),
        I(0), T("me"), T(""));
    PUT(links, I(n), I(n + 2), I(1), I(9), R(0.75), I(0));
    PUT(probes, I(1), I(n), I(0), T("probe"), memo_cell_blob(bytes, 4));
    snprintf(name, sizeof name, "setting-%d", (int)n);
    PUT(settings, T(name), T("on"), I(0));
}

static void tables_fill(util_env *env)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    oracle_fill(store);
    util_ok(memo_store_begin_write(store, err));
    for (int64_t n = 1; n <= 2; n++) {
        tables_fill_facts(store, n);
        tables_fill_events(store, n);
    }
    PUT(calibrations, I(1), R(1.5), R(-0.5), R(0.01), I(100), I(9), I(0), T("test"));
    PUT(switches, I(1), I(++store->seq), memo_cell_str(NULL), I(1), I(0));
    util_ok(memo_store_commit(store, err));
    util_check_clean(store);
    memo_store_close(store);
}

/* "table N, ..." of all tables. */
static const char *tables_count(memo_store *store)
{
    static char out[512];
    out[0] = '\0';
    for (size_t i = 0; i < memo_n_summed_tables; i++) {
        char query[64];
        int64_t n = 0;
        snprintf(query, sizeof query, "SELECT count(*) FROM %s", memo_summed_tables[i]->name);
        util_ok(memo_sql_int(&store->sql, query, &n, err));
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s %d, ",
                 memo_summed_tables[i]->name, (int)n);
    }
    return out;
}

static void tables_change(util_env *env, const char *text)
{
    memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_sql_exec(&store->sql, text, "damage a row", err));
    util_ok(memo_store_commit(store, err));
    memo_store_close(store);
}

/* Doctor finds it, repair moves `n` rows, doctor is content, a second repair finds nothing. */
static void tables_mended(util_env *env, const char *found, uint64_t n)
{
    util_findings findings = {0};
    repair_outcome done = {.arena = {0}};
    memo_store *store = util_open(env, MEMO_OPEN_READ_ONLY);
    util_ok(memo_store_check(store, util_finding, &findings, err));
    memo_store_close(store);
    if (!findings.n_bad || !strstr(findings.text, found))
        fail_msg("%s is not in: %s", found, findings.text);
    util_ok(repair_run(env, 0, &done, err));
    if (done.report.n_quarantined != n || done.report.way != MEMO_REPAIR_ROWS)
        fail_msg("%s: %d rows instead of %d\n%s", found, (int)done.report.n_quarantined, (int)n,
                 done.findings.text);
    memo_arena_fini(&done.arena);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_check_clean(store);
    memo_store_close(store);
    memset(&done, 0, sizeof done);
    util_ok(repair_run(env, 0, &done, err));
    assert_int_equal(done.report.way, MEMO_REPAIR_NOTHING);
    memo_arena_fini(&done.arena);
}

static void test_tables_damaged_rows(void **state)
{
    static const struct {
        const char *change, *found;
        uint64_t n; /* rows to quarantine: it, and what refers to it */
    } cases[] = {
        {"UPDATE forgotten SET deleted_ms = 1 WHERE seq = (SELECT min(seq) FROM forgotten)",
         "tables: tombstone ", 1},
        {"UPDATE links SET score = 0.5 WHERE rid = 1", "tables: link 1", 1},
        {"UPDATE switches SET previous = NULL", "tables: switch 1", 1},
        {"UPDATE probes SET vector = x'01' WHERE position = 2", "tables: probe 1", 1},
        {"UPDATE calibrations SET slope = 2", "tables: calibration 1", 1},
        {"UPDATE settings SET value = 'off' WHERE name = 'setting-1'", "setting setting-1", 1},
        {"UPDATE entities SET name = 'Bob' WHERE eid = 1", "tables: entity 1", 4},
        {"UPDATE aliases SET alias = 'Bob' WHERE eid = 1", "tables: alias 1", 1},
        {"UPDATE facts SET value = 'coffee' WHERE fid = 2", "tables: fact 2", 2},
        {"UPDATE evidence SET span_end = 5 WHERE fid = 1", "tables: evidence 1", 1},
        {"UPDATE searches SET query = 'x' WHERE sid = 1", "tables: search 1", 2},
        {"UPDATE shown SET rid = 3 WHERE sid = 1", "tables: shown 1", 1},
        {"UPDATE actions SET kind = 2 WHERE aid = 1", "tables: action 1", 1},
        {"UPDATE records SET title = 'x' WHERE rid = 1", "records: ", 8}, /* 2 chunks, 2 vectors,
                                                                             link, shown, evidence */
        {"DELETE FROM links WHERE rid = 1; INSERT INTO tags VALUES(1, 'red', 1)", "tags, by which",
         0},
    };
    util_env *env = *state;
    unsigned char *bytes;
    size_t n;
    tables_fill(env);
    bytes = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        util_spill(env->path, bytes, n);
        tables_change(env, cases[i].change);
        tables_mended(env, cases[i].found, cases[i].n);
    }
    free(bytes);
}

/* Pages that SQLite cannot read: all rows come over, and none of them is taken for a lost record. */
static void test_tables_survive_a_rescue(void **state)
{
    util_env *env = *state;
    unsigned char *bytes;
    size_t n;
    char before[512];
    repair_outcome done = {.arena = {0}};
    memo_store *store;
    tables_fill(env);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    snprintf(before, sizeof before, "%s", tables_count(store));
    memo_store_close(store);
    bytes = util_slurp(env->path, &n);
    memset(bytes, 0, MEMO_PAGE_BYTES); /* the schema's page */
    util_spill(env->path, bytes, n);
    free(bytes);
    util_ok(repair_run(env, 0, &done, err));
    assert_int_equal(done.report.way, MEMO_REPAIR_REBUILT);
    if (done.report.n_lost || strstr(done.findings.text, "is lost"))
        fail_msg("%s", done.findings.text);
    assert_int_equal(done.report.n_quarantined, 0);
    memo_arena_fini(&done.arena);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_check_clean(store);
    /* the repair is numbered by a tombstone of its own */
    assert_true(strncmp(before, "forgotten 6, ", 13) == 0);
    assert_true(strncmp(tables_count(store), "forgotten 7, ", 13) == 0);
    assert_string_equal(tables_count(store) + 13, before + 13);
    assert_int_equal(util_count(store), oracle_n_live());
    memo_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables_damaged_rows, util_setup, util_teardown),
        cmocka_unit_test_setup_teardown(test_tables_survive_a_rescue, util_setup, util_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
