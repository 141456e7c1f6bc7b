// SPDX-License-Identifier: Apache-2.0
/* Repair of damaged stores. Damage is planted in bytes; which records must survive it follows from
 * where their texts lay in the undamaged file (repair_util.h), not from anything the store says. */
#include "repair_util.h"

#include "base/rng.h"

typedef struct repair_fixture {
    unsigned char *bytes; /* the undamaged file, without a log */
    size_t n, n_pages;
    unsigned char *on_page[ORACLE_N]; /* [n_pages] 1: a piece of the record's text lies there */
} repair_fixture;

static void fixture_make(util_env *env, repair_fixture *f)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    oracle_fill(store);
    memo_store_close(store);
    f->bytes = util_slurp(env->path, &f->n);
    f->n_pages = f->n / MEMO_PAGE_BYTES;
    for (unsigned i = 0; i < ORACLE_N; i++) {
        f->on_page[i] = calloc(f->n_pages, 1);
        oracle_pages(f->bytes, f->n, i, f->on_page[i]);
    }
}

static void fixture_free(repair_fixture *f)
{
    for (unsigned i = 0; i < ORACLE_N; i++)
        free(f->on_page[i]);
    free(f->bytes);
}

static int fixture_touches(const repair_fixture *f, unsigned i, const unsigned char *damaged)
{
    for (size_t p = 0; p < f->n_pages; p++)
        if (f->on_page[i][p] && damaged[p])
            return 1;
    return 0;
}

/* A sound store again: nothing to find, nothing to repair, writable. */
static void check_sound(util_env *env, const char *what)
{
    repair_outcome again = {.findings = {0}};
    memo_store *store;
    util_ok(repair_run(env, 0, &again, err));
    if (again.report.way != MEMO_REPAIR_NOTHING)
        fail_msg("a second repair did something:\n%s\nafter %s", again.findings.text, what);
    assert_null(again.report.original);
    memo_arena_fini(&again.arena);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_check_clean(store);
    util_add(store, "new", "a record after the repair", 1);
    util_check_clean(store);
    memo_store_close(store);
}

/* Repair what lies there; `damaged` [n_pages] says where harm was done. *n_without counts stores
 * that no vector is left of. */
static void check_repair(util_env *env, const repair_fixture *f, const unsigned char *damaged,
                         const char *what, size_t *n_without)
{
    repair_outcome out = {.findings = {0}};
    oracle_served served;
    memo_store *store;
    memo_store_ns ns;
    memo_err why = {0};
    size_t n_bytes;
    unsigned char *before = util_slurp(env->path, &n_bytes);
    if (repair_run(env, 0, &out, &why))
        fail_msg("%s: %s", what, why.message);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_check_clean(store);
    oracle_look(store, &served);
    assert_int_equal(util_count(store), served.n_records);
    if (n_without)
        *n_without += served.n_vectors == 0;
    util_ok(memo_store_find_ns(store, "default", &ns, err));
    memo_store_close(store);
    for (unsigned i = 0; i < ORACLE_N; i++)
        if (!served.record[i] && !oracle_is_forgotten(i) && !fixture_touches(f, i, damaged))
            fail_msg("%s: record %u was intact and is gone\n%s", what, i, out.findings.text);
    if (out.report.n_kept != served.n_records ||
        served.n_records + out.report.n_quarantined_records + out.report.n_lost < oracle_n_live())
        fail_msg("%s: %zu served, %d in quarantine, %d lost of %zu\n%s", what, served.n_records,
                 (int)out.report.n_quarantined_records, (int)out.report.n_lost, oracle_n_live(),
                 out.findings.text);
    if (out.report.way != MEMO_REPAIR_NOTHING &&
        !repair_is_kept(env, ".before-repair-1", before, n_bytes))
        fail_msg("%s: the original was not kept", what);
    assert_int_equal(repair_count_temporaries(env), 0);
    free(before);
    memo_arena_fini(&out.arena);
    check_sound(env, what);
}

/* ---- each page ----------------------------------------------------------------------------- */

static void test_repair_every_page_zeroed(void **state)
{
    util_env *env = *state;
    repair_fixture f;
    unsigned char *bad;
    size_t n_without = 0;
    fixture_make(env, &f);
    bad = malloc(f.n);
    for (size_t p = 0; p < f.n_pages; p++) {
        unsigned char *damaged = calloc(f.n_pages, 1);
        char what[40];
        snprintf(what, sizeof what, "page %zu zeroed", p + 1);
        memcpy(bad, f.bytes, f.n);
        memset(bad + p * MEMO_PAGE_BYTES, 0, MEMO_PAGE_BYTES);
        damaged[p] = 1;
        repair_place(env, bad, f.n, NULL, 0);
        check_repair(env, &f, damaged, what, &n_without);
        free(damaged);
    }
    assert_true(n_without <= 1); /* the page of all chunks: a vector of an unknown span is no use */
    print_message("%zu pages\n", f.n_pages);
    assert_true(f.n_pages > 40);
    free(bad);
    fixture_free(&f);
}

static void test_repair_flips_in_every_page(void **state)
{
    util_env *env = *state;
    repair_fixture f;
    memo_rng rng;
    unsigned char *bad;
    fixture_make(env, &f);
    memo_rng_init(&rng, 5);
    bad = malloc(f.n);
    for (size_t p = 0; p < f.n_pages; p++) {
        unsigned char *damaged = calloc(f.n_pages, 1);
        size_t at = p * MEMO_PAGE_BYTES + memo_rng_below(&rng, MEMO_PAGE_BYTES);
        char what[60];
        snprintf(what, sizeof what, "bit of byte %zu (page %zu)", at, p + 1);
        memcpy(bad, f.bytes, f.n);
        bad[at] ^= (unsigned char)(1u << memo_rng_below(&rng, 8));
        damaged[p] = 1;
        repair_place(env, bad, f.n, NULL, 0);
        check_repair(env, &f, damaged, what, NULL);
        free(damaged);
    }
    free(bad);
    fixture_free(&f);
}

/* ---- several at once ----------------------------------------------------------------------- */

static void harm_page(memo_rng *rng, unsigned char *page, const repair_fixture *f)
{
    size_t at = memo_rng_below(rng, MEMO_PAGE_BYTES);
    switch (memo_rng_below(rng, 4)) {
    case 0:
        memset(page, 0, MEMO_PAGE_BYTES);
        break;
    case 1: /* another page in its place */
        memcpy(page, f->bytes + memo_rng_below(rng, f->n_pages) * MEMO_PAGE_BYTES, MEMO_PAGE_BYTES);
        break;
    case 2: /* torn */
        memset(page + at, 0xff, MEMO_PAGE_BYTES - at);
        break;
    default:
        for (size_t i = 0; i < 64; i++)
            page[memo_rng_below(rng, MEMO_PAGE_BYTES)] ^= (unsigned char)memo_rng_below(rng, 256);
    }
}

static void test_repair_many_pages_at_once(void **state)
{
    util_env *env = *state;
    repair_fixture f;
    memo_rng rng;
    unsigned char *bad;
    fixture_make(env, &f);
    bad = malloc(f.n);
    for (unsigned seed = 1; seed <= 40; seed++) {
        unsigned char *damaged = calloc(f.n_pages, 1);
        repair_outcome out = {.findings = {0}};
        oracle_served served;
        memo_store *store;
        memo_err err = {0};
        memo_rng_init(&rng, seed);
        memcpy(bad, f.bytes, f.n);
        for (size_t k = 2 + memo_rng_below(&rng, f.n_pages / 3); k > 0; k--) {
            size_t p = memo_rng_below(&rng, f.n_pages);
            harm_page(&rng, bad + p * MEMO_PAGE_BYTES, &f);
            damaged[p] = 1;
        }
        repair_place(env, bad, f.n, NULL, 0);
        if (repair_run(env, 0, &out, &err))
            fail_msg("seed %u: %s", seed, err.message);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_check_clean(store);
        oracle_look(store, &served);
        for (unsigned i = 0; i < ORACLE_N; i++)
            if (!served.record[i] && !oracle_is_forgotten(i) && !fixture_touches(&f, i, damaged))
                fail_msg("seed %u: record %u was intact and is gone\n%s", seed, i,
                         out.findings.text);
        assert_int_equal(util_count(store), out.report.n_kept);
        memo_store_close(store);
        check_sound(env, out.findings.text);
        memo_arena_fini(&out.arena);
        free(damaged);
    }
    free(bad);
    fixture_free(&f);
}

static void test_repair_of_cut_files(void **state)
{
    util_env *env = *state;
    repair_fixture f;
    fixture_make(env, &f);
    for (size_t tenths = 3; tenths < 10; tenths++) {
        for (size_t extra = 0; extra < 2; extra++) {
            size_t n = f.n * tenths / 10 / MEMO_PAGE_BYTES * MEMO_PAGE_BYTES + extra * 1000;
            unsigned char *damaged = calloc(f.n_pages, 1);
            oracle_served served;
            memo_store *store;
            repair_outcome out = {.findings = {0}};
            memset(damaged + n / MEMO_PAGE_BYTES, 1, f.n_pages - n / MEMO_PAGE_BYTES);
            repair_place(env, f.bytes, n, NULL, 0);
            util_ok(repair_run(env, 0, &out, err));
            store = util_open(env, MEMO_OPEN_EXISTING);
            util_check_clean(store);
            oracle_look(store, &served);
            for (unsigned i = 0; i < ORACLE_N; i++)
                if (!served.record[i] && !oracle_is_forgotten(i) &&
                    !fixture_touches(&f, i, damaged))
                    fail_msg("cut at %zu: record %u was intact and is gone", n, i);
            memo_store_close(store);
            memo_arena_fini(&out.arena);
            check_sound(env, "");
            free(damaged);
        }
    }
    fixture_free(&f);
}

/* What lies behind the store's end is all that is wrong: some bytes, a page of zeros, one of others.
 * Nobody opens the first; the others nobody reads. */
static void test_repair_of_files_too_long(void **state)
{
    static const size_t more[] = {1, 1000, MEMO_PAGE_BYTES, 2 * MEMO_PAGE_BYTES,
                                  MEMO_PAGE_BYTES + 9};
    util_env *env = *state;
    repair_fixture f;
    unsigned char *bytes;
    fixture_make(env, &f);
    bytes = malloc(f.n + 3 * (size_t)MEMO_PAGE_BYTES);
    memcpy(bytes, f.bytes, f.n);
    memset(bytes + f.n, 0, 3 * (size_t)MEMO_PAGE_BYTES);
    for (size_t k = 0; k < 2 * sizeof more / sizeof *more; k++) {
        unsigned char *damaged = calloc(f.n_pages, 1);
        char what[40];
        if (k == sizeof more / sizeof *more)
            memset(bytes + f.n, 0x5a, 3 * (size_t)MEMO_PAGE_BYTES);
        snprintf(what, sizeof what, "%zu bytes more (%zu)", more[k % 5], k);
        repair_place(env, bytes, f.n + more[k % 5], NULL, 0);
        check_repair(env, &f, damaged, what, NULL);
        free(damaged);
    }
    free(bytes);
    fixture_free(&f);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Changes behind right page checksums: what must still be served, what must be said. */
static void test_repair_of_rows(void **state)
{
    static const struct {
        const char *sql;
        unsigned n_lost; /* records not served any more */
        int n_vectors;   /* fewer than before; -1: those of the records */
        const char *said;
    } cases[] = {
        {"UPDATE records SET text = text || ' ' WHERE key = 'key-4'", 1, -1, "goes to quarantine"},
        {"UPDATE records SET title = 'x' WHERE rid <= 3", 3, -1, "rows to quarantine"},
        {"UPDATE records SET seq = 100000 WHERE key = 'key-4'", 1, -1, "goes to quarantine"},
        {"UPDATE versions SET text = 'x' WHERE rid = (SELECT min(rid) FROM versions)", 0, 0,
         "1 row to quarantine"},
        {"UPDATE chunks SET span_end = 100000 WHERE cid = 21", 0, 1, "text kept, a chunk"},
        {"UPDATE chunks SET checksum = 1 WHERE cid = 21", 0, 1, "text kept, a chunk"},
        {"UPDATE vectors SET vector = zeroblob(32) WHERE cid = 21", 0, 1, "text kept, a vector"},
        {"UPDATE vectors SET vector = x'' WHERE cid = 21", 0, 1, "text kept, a vector"},
        {"DELETE FROM vectors WHERE cid = 21", 0, 1, "counted again"},
        {"DELETE FROM chunks WHERE cid = 21", 0, 1, "1 row to quarantine"},
        {"DELETE FROM fts_docsize WHERE id = 21", 0, 0, "full-text index is made again"},
        {"DELETE FROM fts_data WHERE id > 10", 0, 0, "full-text index is made again"},
        {"INSERT INTO fts(rowid, body) VALUES(9999, 'x')", 0, 0, "full-text index is made again"},
        {"UPDATE meta SET change_seq = 7", 0, 0, "change counter"},
        {"UPDATE meta SET change_seq = 9223372036854775807", 0, 0, "change counter"},
        {"UPDATE sqlite_sequence SET seq = 1", 0, 0, "counter of row ids"},
        {"UPDATE tallies SET n = 1 WHERE what = -1", 0, 0, "counter of row ids"},
        {"UPDATE tallies SET sum = 1 << 40 WHERE what = -1", 0, 0, "counter of row ids"},
        {"INSERT INTO vectors SELECT 99999, cid, 7, ns, rid, checksum, vector FROM vectors"
         " WHERE cid = 21",
         0, 0, "1 row to quarantine"},
    };
    util_env *env = *state;
    repair_fixture f;
    fixture_make(env, &f);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        repair_outcome out = {.findings = {0}};
        oracle_served served;
        memo_store *store;
        memo_err err = {0};
        size_t n_want = oracle_n_live() - cases[k].n_lost;
        repair_place(env, f.bytes, f.n, NULL, 0);
        repair_meddle(env, MEMO_VFS_NAME, cases[k].sql);
        if (repair_run(env, 0, &out, &err))
            fail_msg("%s: %s", cases[k].sql, err.message);
        if (cases[k].said && !strstr(out.findings.text, cases[k].said))
            fail_msg("%s: no \"%s\" in\n%s", cases[k].sql, cases[k].said, out.findings.text);
        if (out.report.way != (cases[k].said ? MEMO_REPAIR_ROWS : MEMO_REPAIR_NOTHING))
            fail_msg("%s: way %d:\n%s", cases[k].sql, out.report.way, out.findings.text);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_check_clean(store);
        oracle_look(store, &served);
        assert_int_equal(served.n_records, n_want);
        assert_int_equal(served.n_vectors,
                         2 * n_want - (cases[k].n_vectors > 0 ? (size_t)cases[k].n_vectors : 0));
        assert_int_equal(out.report.n_unembedded, cases[k].n_vectors > 0);
        memo_store_close(store);
        memo_arena_fini(&out.arena);
        check_sound(env, "");
    }
    fixture_free(&f);
}

static int note_quarantined(void *user, const memo_quarantined *row)
{
    memo_buf *out = user;
    assert_non_null(row->id);
    memo_buf_printf(out, "%s|%s|%.60s\n", row->area, row->reason, row->content);
    return 0;
}

static void test_repair_quarantine_holds_every_byte(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    repair_outcome out = {.findings = {0}};
    memo_buf shown = {0};
    memo_add_result added = util_add(store, "a", "the first text", 1);
    int found = 0;
    util_add(store, "b", "the second text", 2);
    memo_store_close(store);
    repair_meddle(env, MEMO_VFS_NAME, "UPDATE records SET title = 'changed' WHERE key = 'a'");
    util_ok(repair_run(env, 0, &out, err));
    assert_int_equal(out.report.n_quarantined_records, 1);
    assert_int_equal(out.report.n_quarantined, 3); /* record, chunk, vector */
    assert_int_equal(out.report.n_kept, 1);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_each_quarantined(store, note_quarantined, &shown, err));
    assert_non_null(strstr(shown.data, "record|its checksum does not match|{\"rid\":1,\"ns\":1,"));
    assert_non_null(strstr(shown.data, "chunk|its record is in quarantine|{"));
    assert_non_null(strstr(shown.data, "vector|its record is in quarantine|{"));
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, added.id, &found, err));
    util_ok(memo_store_commit(store, err));
    assert_int_equal(found, 1);
    memo_buf_clear(&shown);
    util_ok(memo_store_each_quarantined(store, note_quarantined, &shown, err));
    assert_int_equal(shown.n, 0);
    memo_store_close(store);
    memo_buf_fini(&shown);
    memo_arena_fini(&out.arena);
}

/* ---- other programs ------------------------------------------------------------------------ */

/* Against the schema, as a file from elsewhere may have it. */
static void test_repair_quarantine_gives_no_null(void **state)
{
    static const char allow[] = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql ="
                                " replace(sql, ' NOT NULL', '     NULL') WHERE name = 'quarantine'";
    static const char forbid[] =
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql ="
        " replace(sql, '     NULL', ' NOT NULL') WHERE name = 'quarantine'";
    util_env *env = *state;
    memo_buf shown = {0};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_close(store);
    repair_meddle(env, MEMO_VFS_NAME, allow);
    repair_meddle(env, MEMO_VFS_NAME, "INSERT INTO quarantine(qid) VALUES(1)");
    repair_meddle(env, MEMO_VFS_NAME, forbid);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    util_ok(memo_store_each_quarantined(store, note_quarantined, &shown, err));
    assert_string_equal(shown.data, "||{}\n");
    memo_buf_fini(&shown);
    memo_store_close(store);
}

static void test_repair_accepts_pages_of_plain_sqlite(void **state)
{
    static const char *const changes[] = {
        "VACUUM",
        "UPDATE namespaces SET created_ms = created_ms + 1",
        "REINDEX",
        "PRAGMA wal_checkpoint; UPDATE spaces SET name = 'other name'",
    };
    util_env *env = *state;
    repair_fixture f;
    fixture_make(env, &f);
    for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
        memo_store_options options = {.mode = MEMO_OPEN_EXISTING};
        repair_outcome out = {.findings = {0}};
        oracle_served served;
        memo_store *store = NULL;
        repair_place(env, f.bytes, f.n, NULL, 0);
        repair_meddle(env, NULL, changes[k]);
        if (memo_store_open(env->ctx, env->path, &options, &store, NULL) == MEMO_OK) {
            util_findings findings = {0};
            util_ok(memo_store_check(store, util_finding, &findings, err));
            assert_true(findings.n_bad > 0); /* until it is repaired */
        }
        memo_store_close(store);
        util_ok(repair_run(env, 0, &out, err));
        assert_int_equal(out.report.way, MEMO_REPAIR_PAGES);
        assert_int_equal(out.report.n_quarantined, 0);
        assert_true(out.report.n_bad_pages > 0);
        store = util_open(env, MEMO_OPEN_EXISTING);
        oracle_look(store, &served);
        assert_int_equal(served.n_records, oracle_n_live());
        assert_int_equal(served.n_vectors, 2 * oracle_n_live());
        memo_store_close(store);
        memo_arena_fini(&out.arena);
        check_sound(env, "");
    }
    fixture_free(&f);
}

static void test_repair_refuses_what_is_no_store(void **state)
{
    util_env *env = *state;
    repair_outcome out = {.findings = {0}};
    unsigned char noise[3 * MEMO_PAGE_BYTES];
    memo_rng rng;
    sqlite3 *db;
    util_fails(MEMO_ERR_NOTFOUND, "no such store", repair_run(env, 0, &out, err));
    util_spill(env->path, "", 0);
    util_fails(MEMO_ERR_CORRUPT, "0 bytes", repair_run(env, 0, &out, err));
    memo_rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)memo_rng_below(&rng, 256);
    util_spill(env->path, noise, sizeof noise);
    util_fails(MEMO_ERR_CORRUPT, "not one row", repair_run(env, 0, &out, err));
    assert_true(repair_is_kept(env, "", noise, sizeof noise));
    unlink(env->path);
    assert_int_equal(sqlite3_open(env->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(x); PRAGMA user_version = 1", 0, 0, 0), 0);
    sqlite3_close(db);
    util_fails(MEMO_ERR_CORRUPT, "not a memolith store", repair_run(env, 0, &out, err));
    assert_int_equal(repair_count_temporaries(env), 0);
    memo_arena_fini(&out.arena);
}

static void test_repair_needs_the_store_for_itself(void **state)
{
    util_env *env = *state;
    repair_outcome out = {.findings = {0}};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    oracle_fill(store);
    util_fails(MEMO_ERR_BUSY, "open in another", repair_run(env, 0, &out, err));
    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_BUSY, "held by process", repair_run(env, 0, &out, err));
    memo_store_close(store);
    util_ok(repair_run(env, 0, &out, err));
    assert_int_equal(out.report.way, MEMO_REPAIR_NOTHING);
    memo_arena_fini(&out.arena);
}

static void test_repair_dry_run_changes_nothing(void **state)
{
    util_env *env = *state;
    repair_fixture f;
    repair_outcome out = {.findings = {0}};
    fixture_make(env, &f);
    for (size_t k = 0; k < 2; k++) {
        unsigned char *bad;
        size_t n;
        repair_place(env, f.bytes, f.n, NULL, 0);
        if (k)
            repair_meddle(env, MEMO_VFS_NAME, "UPDATE records SET title = 'x' WHERE rid = 3");
        bad = util_slurp(env->path, &n);
        if (!k)
            memset(bad + 5 * MEMO_PAGE_BYTES, 0, MEMO_PAGE_BYTES);
        repair_place(env, bad, n, NULL, 0);
        util_ok(repair_run(env, 1, &out, err));
        assert_int_equal(out.report.way, k ? MEMO_REPAIR_ROWS : MEMO_REPAIR_REBUILT);
        assert_null(out.report.original);
        assert_true(repair_is_kept(env, "", bad, n));
        assert_false(repair_is_kept(env, ".before-repair-1", bad, n));
        assert_int_equal(repair_count_temporaries(env), 0);
        free(bad);
    }
    memo_arena_fini(&out.arena);
    fixture_free(&f);
}

/* The kept original and its log are as private as the store. */
static void test_repair_copies_are_private(void **state)
{
    static const char *const names[] = {"", ".before-repair-1", ".before-repair-1-wal"};
    util_env *env = *state;
    repair_fixture f;
    repair_outcome out = {.findings = {0}};
    unsigned char junk[64] = {1};
    mode_t mask = umask(022);
    fixture_make(env, &f);
    f.bytes[5 * MEMO_PAGE_BYTES + 9] ^= 1;
    repair_place(env, f.bytes, f.n, junk, sizeof junk);
    assert_int_equal(chmod(env->path, 0600), 0);
    util_ok(repair_run(env, 0, &out, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat st;
        char path[160];
        snprintf(path, sizeof path, "%s%s", env->path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    umask(mask);
    memo_arena_fini(&out.arena);
    fixture_free(&f);
}

int main(void)
{
#define IN_ENV(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        IN_ENV(test_repair_every_page_zeroed),
        IN_ENV(test_repair_flips_in_every_page),
        IN_ENV(test_repair_many_pages_at_once),
        IN_ENV(test_repair_of_cut_files),
        IN_ENV(test_repair_of_files_too_long),
        IN_ENV(test_repair_of_rows),
        IN_ENV(test_repair_quarantine_holds_every_byte),
        IN_ENV(test_repair_quarantine_gives_no_null),
        IN_ENV(test_repair_accepts_pages_of_plain_sqlite),
        IN_ENV(test_repair_refuses_what_is_no_store),
        IN_ENV(test_repair_needs_the_store_for_itself),
        IN_ENV(test_repair_dry_run_changes_nothing),
        IN_ENV(test_repair_copies_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
