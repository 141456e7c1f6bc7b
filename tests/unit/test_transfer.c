// SPDX-License-Identifier: Apache-2.0
/* What an export holds beside records, stores merged into stores, packed files, files that are not
 * wanted: all of it there and back. */
#include "db_util.h"

#include <sqlite3.h>

#include "store/disk/vfs.h"

typedef struct transfer_sink {
    char *bytes;
    size_t n;
} transfer_sink;

static int transfer_write(void *user, const char *bytes, size_t n)
{
    transfer_sink *sink = user;
    sink->bytes = realloc(sink->bytes, sink->n + n + 1);
    memcpy(sink->bytes + sink->n, bytes, n);
    sink->n += n;
    sink->bytes[sink->n] = 0;
    return 0;
}

/* All that an export can hold of the store; free() it. */
static char *transfer_export(db_env *e, memo_db *db)
{
    const memo_export_options o = {.size = sizeof o, .vectors = 1, .versions = 1};
    transfer_sink sink = {0};
    assert_memo_ok(memo_db_export(db, &o, transfer_write, &sink, NULL, &e->err), e->err);
    return sink.bytes ? sink.bytes : strdup("");
}

static memo_status transfer_import(db_env *e, memo_db *db, const char *name, memo_import_options o,
                                   memo_import_report *report)
{
    memo_import_report unused = {.size = sizeof unused};
    char path[512];
    const char *const paths[] = {memo_test_path(path, e->dir, name)};
    o.size = sizeof o;
    memset(&e->err, 0, sizeof e->err);
    return memo_db_import(db, paths, 1, &o, report ? report : &unused, &e->err);
}

/* A second store, empty. */
static memo_db *transfer_other(db_env *e)
{
    static const char *const side[] = {"", "-wal", "-shm", "-lock", "-idx"};
    const memo_db_options options = {.size = sizeof options, .model = e->model};
    char path[512], own[520];
    memo_db *db = NULL;
    memo_test_path(path, e->dir, "other.memo");
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        snprintf(own, sizeof own, "%s%s", path, side[i]);
        unlink(own);
    }
    assert_memo_ok(memo_db_open(e->ctx, path, &options, &db, &e->err), e->err);
    return db;
}

static void transfer_fact(db_env *e, memo_fact_in fact)
{
    fact.size = sizeof fact;
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &fact, NULL, &e->err), e->err);
}

/* Records with a past, a parent and an end, entities of one name, facts that ended and were retracted. */
static void transfer_fill(db_env *e)
{
    static const char *const aliases[] = {"Annie", "\xc3\x84nne"};
    const memo_entity_in boat = {.size = sizeof boat,
                                 .name = "Anna",
                                 .kind = "boat",
                                 .metadata_json = "{\"length\":9}",
                                 .aliases = aliases,
                                 .n_aliases = 2,
                                 .distinct = 1};
    const memo_evidence_in evidence = {.record = "k", .begin = 0, .end = 7};
    memo_fact_query query = {.size = sizeof query, .relation = "eats", .any_time = 1};
    memo_facts *facts = NULL;
    memo_record_in in = db_record("part", "a part of it");
    db_add(e, "k", "the key is behind the door");
    e->now_ms += 1000;
    db_add(e, "k", "the key is in the shed");
    in.parent = "k";
    in.supersedes = "k";
    e->now_ms += 1000;
    db_put(e, in);
    db_add(e, NULL, "without a key");
    transfer_fact(e, (memo_fact_in){.subject = "Anna",
                                    .relation = "eats",
                                    .value = "peanuts",
                                    .evidence = &evidence,
                                    .n_evidence = 1,
                                    .confidence = 0.1});
    transfer_fact(e, (memo_fact_in){.subject = "Anna",
                                    .relation = "works_at",
                                    .object = "Initech",
                                    .valid_from_ms = 1000,
                                    .functional = 1});
    transfer_fact(e, (memo_fact_in){.subject = "Anna",
                                    .relation = "works_at",
                                    .object = "Globex",
                                    .valid_from_ms = 2000,
                                    .functional = 1});
    e->now_ms += 1000;
    assert_memo_ok(memo_db_fact_query(e->db, &query, &facts, &e->err), e->err);
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, facts->facts[0].id, "no", NULL, &e->err),
                   e->err);
    memo_facts_free(facts);
    assert_memo_ok(memo_db_entity_add(e->db, NULL, &boat, NULL, &e->err), e->err);
    e->now_ms += 1000;
    db_add(e, "k", "the key is found"); /* the evidence is of an earlier text by now */
}

static void transfer_backup(db_env *e, const char *name)
{
    const memo_backup_options o = {.size = sizeof o, .overwrite = 1};
    char path[512];
    assert_memo_ok(memo_db_backup(e->db, memo_test_path(path, e->dir, name), &o, NULL, &e->err),
                   e->err);
}

static void transfer_save(db_env *e, const char *name)
{
    char path[512], *bytes = transfer_export(e, e->db);
    memo_test_write_file(memo_test_path(path, e->dir, name), bytes, strlen(bytes));
    free(bytes);
}

/* ---- all of it, both ways ------------------------------------------------------------------ */

static void test_transfer_lines_and_stores_come_back_the_same(void **state)
{
    static const char *const names[] = {"all.ndjson", "copy.memo"};
    db_env *e = *state;
    char *before, *after;
    transfer_fill(e);
    transfer_save(e, "all.ndjson");
    transfer_backup(e, "copy.memo");
    before = transfer_export(e, e->db);
    for (size_t i = 0; i < 2; i++) {
        memo_db *other = transfer_other(e);
        memo_import_report first = {.size = sizeof first}, second = {.size = sizeof second};
        e->now_ms += 1000000; /* no time of the import is in it */
        assert_memo_ok(transfer_import(e, other, names[i], (memo_import_options){0}, &first),
                       e->err);
        assert_int_equal(first.n_new, 3);
        assert_int_equal(first.n_versions, 2);
        assert_int_equal(first.n_entities, 4);
        assert_int_equal(first.n_facts, 3);
        assert_int_equal(first.n_tokens, 0); /* no text was embedded again */
        assert_memo_ok(transfer_import(e, other, names[i], (memo_import_options){0}, &second),
                       e->err);
        assert_int_equal(second.n_unchanged, 3);
        assert_int_equal(second.n_new + second.n_changed + second.n_versions + second.n_entities +
                             second.n_facts,
                         0);
        after = transfer_export(e, other);
        assert_string_equal(before, after);
        free(after);
        memo_db_close(other);
        assert_memo_ok(transfer_import(e, e->db, names[i], (memo_import_options){0}, &second),
                       e->err); /* where it comes from */
        assert_int_equal(second.n_unchanged, 3);
        after = transfer_export(e, e->db);
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
}

/* The versions of "e", newest first, as the store shows them: "3 v2, 2 v2, 1 v1". */
static void transfer_expect_versions(db_env *e, memo_db *db, const char *wanted)
{
    const memo_history_options all = {.size = sizeof all};
    memo_records *r = NULL;
    char got[100] = "";
    assert_memo_ok(memo_db_history(db, &all, "e", &r, &e->err), e->err);
    for (size_t i = 0; i < r->n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d %s", i ? ", " : "",
                 (int)r->records[i].version, r->records[i].text.bytes);
    memo_records_free(r);
    assert_string_equal(got, wanted);
}

/* A store brings the versions of all that it brings. Those of expired records were missing. */
static void test_transfer_brings_versions_of_the_expired(void **state)
{
    static const memo_text second = {"v2", 2};
    const int64_t past = 1000;
    const memo_record_edit text = {.size = sizeof text, .text = &second};
    const memo_record_edit ended = {.size = sizeof ended, .expires_ms = &past};
    const memo_evidence_in evidence = {.record = "e"};
    memo_import_report first = {.size = sizeof first}, again = {.size = sizeof again};
    memo_fact_query query = {.size = sizeof query, .subject = "Anna"};
    db_env *e = *state;
    memo_db *other = transfer_other(e);
    memo_facts *facts = NULL;
    db_add(e, "e", "v1");
    transfer_fact(e, (memo_fact_in){.subject = "Anna",
                                    .relation = "says",
                                    .value = "so",
                                    .evidence = &evidence,
                                    .n_evidence = 1});
    assert_memo_ok(memo_db_edit(e->db, NULL, "e", &text, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_edit(e->db, NULL, "e", &ended, NULL, &e->err), e->err);
    transfer_expect_versions(e, e->db, "3 v2, 2 v2, 1 v1");
    transfer_backup(e, "copy.memo");
    assert_memo_ok(transfer_import(e, other, "copy.memo", (memo_import_options){0}, &first),
                   e->err);
    assert_int_equal(first.n_new, 1);
    assert_int_equal(first.n_versions, 2);
    transfer_expect_versions(e, other, "3 v2, 2 v2, 1 v1");
    assert_memo_ok(memo_db_fact_query(other, &query, &facts, &e->err), e->err);
    assert_int_equal(facts->n, 1); /* and of its evidence is known which text it was of */
    assert_int_equal(facts->facts[0].n_evidence, 1);
    assert_string_equal(facts->facts[0].evidence[0].excerpt, "v1");
    memo_facts_free(facts);
    assert_memo_ok(transfer_import(e, other, "copy.memo", (memo_import_options){0}, &again),
                   e->err);
    assert_int_equal(again.n_unchanged, 1);
    assert_int_equal(again.n_versions, 0);
    assert_memo_ok(memo_db_restore(other, NULL, "e", 2, NULL, &e->err), e->err);
    transfer_expect_versions(e, other, "4 v2, 3 v2, 2 v2, 1 v1");
    memo_db_close(other);
}

/* A retraction that only the file knows comes in; one that only the store knows stays. */
static void test_transfer_completes_facts(void **state)
{
    db_env *e = *state;
    memo_db *other;
    memo_fact_query query = {.size = sizeof query};
    memo_facts *facts = NULL;
    memo_import_report report = {.size = sizeof report};
    char *bytes;
    transfer_fact(e, (memo_fact_in){.subject = "Anna", .relation = "eats", .value = "peanuts"});
    transfer_save(e, "before.ndjson");
    assert_memo_ok(memo_db_fact_query(e->db, &query, &facts, &e->err), e->err);
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, facts->facts[0].id, "no", NULL, &e->err),
                   e->err);
    memo_facts_free(facts);
    transfer_save(e, "after.ndjson");
    other = transfer_other(e);
    assert_memo_ok(transfer_import(e, other, "before.ndjson", (memo_import_options){0}, NULL),
                   e->err);
    assert_memo_ok(transfer_import(e, other, "after.ndjson", (memo_import_options){0}, &report),
                   e->err);
    assert_int_equal(report.n_facts, 1);
    assert_memo_ok(transfer_import(e, other, "before.ndjson", (memo_import_options){0}, &report),
                   e->err);
    assert_int_equal(report.n_facts, 0);
    bytes = transfer_export(e, other);
    assert_contains(bytes, "\"reason\":\"no\"");
    free(bytes);
    memo_db_close(other);
}

/* ---- stores that must not come in ---------------------------------------------------------- */

static void transfer_refused(db_env *e, memo_db *other, memo_status status, const char *what)
{
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    assert_memo_ok(memo_db_get_stats(other, &before, &e->err), e->err);
    assert_memo_status(transfer_import(e, other, "copy.memo", (memo_import_options){0}, NULL),
                       status, e->err);
    assert_contains(e->err.message, what);
    memset(&e->err, 0, sizeof e->err);
    assert_memo_ok(memo_db_get_stats(other, &after, &e->err), e->err);
    assert_int_equal(before.change_seq, after.change_seq);
}

static void test_limits_201_store_of_a_newer_program(void **state)
{
    db_env *e = *state;
    memo_db *other = transfer_other(e);
    sqlite3 *db = NULL;
    char path[512];
    transfer_fill(e);
    transfer_backup(e, "copy.memo");
    assert_int_equal(sqlite3_open_v2(memo_test_path(path, e->dir, "copy.memo"), &db,
                                     SQLITE_OPEN_READWRITE, MEMO_VFS_NAME),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    transfer_refused(e, other, MEMO_ERR_UNSUPPORTED, "schema version 99");
    memo_db_close(other);
}

static void test_limits_201_flipped_bits_of_a_store(void **state)
{
    db_env *e = *state;
    memo_db *other = transfer_other(e);
    char path[512], *good;
    long n;
    FILE *f;
    transfer_fill(e);
    transfer_backup(e, "copy.memo");
    f = fopen(memo_test_path(path, e->dir, "copy.memo"), "rbe");
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    n = ftell(f);
    rewind(f);
    good = malloc((size_t)n);
    assert_int_equal(fread(good, 1, (size_t)n, f), n);
    fclose(f);
    for (long at = 3; at < n; at += n / 100) {
        good[at] ^= 32;
        memo_test_write_file(path, good, (size_t)n);
        transfer_refused(e, other, MEMO_ERR_CORRUPT, "");
        good[at] ^= 32;
    }
    free(good);
    memo_db_close(other);
}

static size_t transfer_count(const char *text, const char *word)
{
    size_t n = 0;
    while ((text = strstr(text, word))) {
        n++;
        text++;
    }
    return n;
}

/* Two pages of 200 and one more. */
static void test_transfer_exports_every_entity_and_fact_once(void **state)
{
    db_env *e = *state;
    char name[32], *text;
    for (int i = 0; i < 401; i++) {
        snprintf(name, sizeof name, "subject %03d", i);
        transfer_fact(e, (memo_fact_in){.subject = name, .relation = "is", .value = "there"});
    }
    text = transfer_export(e, e->db);
    for (int i = 0; i < 401; i++) {
        snprintf(name, sizeof name, "\"subject %03d\"", i);
        assert_int_equal(transfer_count(text, name), 1);
    }
    assert_int_equal(transfer_count(text, "\"type\":\"entity\""), 401);
    assert_int_equal(transfer_count(text, "\"type\":\"fact\""), 401);
    free(text);
}

/* ---- packed files -------------------------------------------------------------------------- */

/* A packer of its own: the four bytes that zstd begins with, then the bytes as they are. */
typedef struct plain_packer {
    uint64_t fail_at; /* bytes after which it fails; 0: never */
    memo_status status;
    int n_open;
} plain_packer;

typedef struct plain_stream {
    plain_packer *packer;
    FILE *file;
    uint64_t n;
} plain_stream;

static memo_status plain_open(void *user, const char *path, void **stream, memo_err *err)
{
    plain_stream *s = calloc(1, sizeof *s);
    (void)err;
    s->packer = user;
    s->packer->n_open++;
    s->file = fopen(path, "rbe");
    assert_int_equal(fseek(s->file, 4, SEEK_SET), 0);
    *stream = s;
    return MEMO_OK;
}

static memo_status plain_read(void *stream, char *bytes, size_t n_bytes, size_t *n_read,
                              memo_err *err)
{
    plain_stream *s = stream;
    uint64_t left = s->packer->fail_at ? s->packer->fail_at - s->n : 7;
    if (s->packer->fail_at && left == 0) {
        memset(err, 0, sizeof *err);
        err->status = s->packer->status;
        strcpy(err->message, "made to fail");
        return s->packer->status;
    }
    n_bytes = n_bytes < 7 ? n_bytes : 7; /* lines come in pieces */
    *n_read = fread(bytes, 1, n_bytes < left ? n_bytes : (size_t)left, s->file);
    s->n += *n_read;
    return MEMO_OK;
}

static void plain_close(void *stream)
{
    plain_stream *s = stream;
    s->packer->n_open--;
    fclose(s->file);
    free(s);
}

#define PACKED_LINES                                                                               \
    "{\"_id\":\"a\",\"text\":\"one\"}\n{\"_id\":\"b\",\"text\":\"two\"}\n{\"_id\":\"c\",\"text\":" \
    "\"three\"}"

static memo_import_options packed_options(memo_unpacker *unpacker, plain_packer *packer)
{
    *unpacker = (memo_unpacker){packer, plain_open, plain_read, plain_close};
    return (memo_import_options){.unpacker = unpacker};
}

static void packed_put(db_env *e, const char *name)
{
    char path[512];
    memo_test_write_file(memo_test_path(path, e->dir, name), "\x28\xb5\x2f\xfd" PACKED_LINES,
                         4 + strlen(PACKED_LINES));
}

static void test_limits_200_packed_files(void **state)
{
    static const memo_status failures[] = {MEMO_ERR_CORRUPT, MEMO_ERR_LIMIT, MEMO_ERR_UNSUPPORTED};
    db_env *e = *state;
    plain_packer packer = {0};
    memo_unpacker unpacker;
    memo_import_options o = packed_options(&unpacker, &packer);
    memo_import_report report = {.size = sizeof report};
    packed_put(e, "l.ndjson.zst");
    assert_memo_status(transfer_import(e, e->db, "l.ndjson.zst", (memo_import_options){0}, NULL),
                       MEMO_ERR_UNSUPPORTED, e->err);
    for (size_t i = 0; i < 3; i++) { /* in the second line: nothing is imported */
        packer.fail_at = 40;
        packer.status = failures[i];
        assert_memo_status(transfer_import(e, e->db, "l.ndjson.zst", o, &report), failures[i],
                           e->err);
        assert_contains(e->err.message, "l.ndjson.zst:2: made to fail");
        assert_int_equal(report.n_new, 0);
        assert_int_equal(report.n_failed, 1);
        assert_int_equal(packer.n_open, 0);
    }
    o.skip_bad = 1; /* but what stands before it */
    assert_memo_ok(transfer_import(e, e->db, "l.ndjson.zst", o, &report), e->err);
    assert_int_equal(report.n_new, 1);
    assert_int_equal(report.n_failed, 1);
    packer.fail_at = 0;
    assert_memo_ok(transfer_import(e, e->db, "l.ndjson.zst", o, &report), e->err);
    assert_int_equal(report.n_new, 2);
    assert_int_equal(report.n_unchanged, 1);
    packed_put(e, "known by how it begins");
    assert_memo_ok(transfer_import(e, e->db, "known by how it begins", o, &report), e->err);
    assert_int_equal(report.n_changed, 3); /* they have another source by now */
    assert_int_equal(packer.n_open, 0);
}

/* ---- files that are not wanted ------------------------------------------------------------- */

typedef struct wanted_env {
    memo_db *db;
    int n_asked, n_reads;
    const char *name; /* the one that is */
} wanted_env;

static int wanted_one(void *user, const memo_import_file *file)
{
    wanted_env *w = user;
    memo_db_stats stats = {.size = sizeof stats};
    memo_err err = {0};
    w->n_asked++;
    assert_true(file->n_bytes == 3 && file->inode && file->modified_ns > 0);
    assert_int_equal(memo_db_get_stats(w->db, &stats, &err), MEMO_ERR_BUSY);
    return strstr(file->path, w->name) != NULL;
}

static void test_transfer_leaves_out_what_is_not_wanted(void **state)
{
    db_env *e = *state;
    wanted_env w = {.db = e->db, .name = "b.txt"};
    const memo_import_options o = {.wanted = wanted_one, .wanted_user = &w, .prune = 1};
    memo_import_report report = {.size = sizeof report};
    char folder[512], path[600];
    memo_test_path(folder, e->dir, "wanted");
    assert_int_equal(mkdir(folder, 0700), 0);
    for (char c = 'a'; c <= 'c'; c++) {
        snprintf(path, sizeof path, "%s/%c.txt", folder, c);
        memo_test_write_file(path, "pot", 3);
    }
    assert_memo_ok(transfer_import(e, e->db, "wanted", o, &report), e->err);
    assert_int_equal(w.n_asked, 3);
    assert_int_equal(report.n_files, 1);
    assert_int_equal(report.n_new, 1);
    snprintf(path, sizeof path, "%s/b.txt", folder);
    unlink(path);
    assert_memo_ok(transfer_import(e, e->db, "wanted", o, &report), e->err);
    assert_int_equal(report.n_removed, 1); /* found by the walk, wanted or not */
    memo_test_remove_tree(folder);
}

/* ---- memory -------------------------------------------------------------------------------- */

typedef struct transfer_sweep {
    db_env *e;
    memo_db *db;
    const char *name;
    memo_import_options options;
} transfer_sweep;

static memo_status transfer_sweep_import(void *user, memo_err *err)
{
    const transfer_sweep *s = user;
    memo_import_report report = {.size = sizeof report};
    memo_status status = transfer_import(s->e, s->db, s->name, s->options, &report);
    *err = s->e->err;
    return status;
}

static void transfer_sweep_name(db_env *e, const char *name, memo_import_options options)
{
    transfer_sweep s = {e, transfer_other(e), name, options};
    char *before, *after;
    assert_memo_ok(transfer_import(e, s.db, "l.ndjson", (memo_import_options){0}, NULL), e->err);
    assert_true(memo_test_alloc_sweep(transfer_sweep_import, &s) > 20);
    before = transfer_export(e, s.db);
    assert_memo_ok(transfer_import(e, s.db, name, options, NULL), e->err);
    after = transfer_export(e, s.db); /* the last run of the sweep has brought all of it */
    assert_string_equal(before, after);
    free(before);
    free(after);
    memo_db_close(s.db);
}

static void test_transfer_without_memory(void **state)
{
    db_env *e = *state;
    plain_packer packer = {0};
    memo_unpacker unpacker;
    char path[512];
    memo_test_write_file(memo_test_path(path, e->dir, "l.ndjson"), PACKED_LINES,
                         strlen(PACKED_LINES));
    transfer_fill(e);
    transfer_save(e, "all.ndjson");
    transfer_backup(e, "copy.memo");
    packed_put(e, "l.ndjson.zst");
    transfer_sweep_name(e, "all.ndjson", (memo_import_options){0});
    transfer_sweep_name(e, "copy.memo", (memo_import_options){0});
    transfer_sweep_name(e, "l.ndjson.zst", packed_options(&unpacker, &packer));
    assert_int_equal(packer.n_open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_transfer_lines_and_stores_come_back_the_same),
        db_test(test_transfer_brings_versions_of_the_expired),
        db_test(test_transfer_completes_facts),
        db_test(test_limits_201_store_of_a_newer_program),
        db_test(test_limits_201_flipped_bits_of_a_store),
        db_test(test_transfer_exports_every_entity_and_fact_once),
        db_test(test_limits_200_packed_files),
        db_test(test_transfer_leaves_out_what_is_not_wanted),
        db_test(test_transfer_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
