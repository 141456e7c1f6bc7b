// SPDX-License-Identifier: Apache-2.0
/* Out of a store and into another: what comes back is what went out. */
#include "db_util.h"

typedef struct export_sink {
    char *bytes;
    size_t n;
    int refuse;
    memo_db *reenter;
} export_sink;

static char out_path[300];

static int sink_write(void *user, const char *bytes, size_t n)
{
    export_sink *sink = user;
    if (sink->reenter) {
        memo_db_stats s = {.size = sizeof s};
        memo_err err = {0};
        assert_int_equal(memo_db_get_stats(sink->reenter, &s, &err), MEMO_ERR_BUSY);
    }
    if (sink->refuse)
        return 1;
    sink->bytes = realloc(sink->bytes, sink->n + n + 1);
    memcpy(sink->bytes + sink->n, bytes, n);
    sink->n += n;
    sink->bytes[sink->n] = 0;
    return 0;
}

static void sink_export(db_env *e, export_sink *sink, memo_export_options o, uint64_t n_records)
{
    memo_export_report report = {.size = sizeof report};
    o.size = sizeof o;
    free(sink->bytes);
    *sink = (export_sink){0};
    assert_memo_ok(memo_db_export(e->db, &o, sink_write, sink, &report, &e->err), e->err);
    assert_int_equal(report.n_records, n_records);
    assert_int_equal(report.n_bytes, sink->n);
}

static memo_status sink_import(db_env *e, const export_sink *sink, memo_import_options o,
                               memo_import_report *report)
{
    const char *const paths[] = {out_path};
    FILE *f = tiny_model_create(e->dir, "out.ndjson");
    snprintf(out_path, sizeof out_path, "%s/out.ndjson", e->dir);
    fwrite(sink->bytes, 1, sink->n, f);
    fclose(f);
    o.size = sizeof o;
    memset(&e->err, 0, sizeof e->err);
    return memo_db_import(e->db, paths, 1, &o, report, &e->err);
}

static void fill(db_env *e)
{
    static const char *const tags[] = {"one", "two \"quoted\""};
    const int trusted = 1, pinned = 1, hot = 1;
    memo_record_in in = db_record("a", "the key is behind\nthe door \xe2\x82\xac \x01");
    in.title = "Key";
    in.tags = tags;
    in.n_tags = 2;
    in.metadata_json = "{\"n\":1.5,\"s\":\"x\\ny\"}";
    in.created_ms = 1700000000000;
    in.expires_ms = DB_NOW + 100000;
    in.source = "somewhere";
    in.trust = &trusted;
    in.pinned = &pinned;
    in.tier = &hot;
    in.chunking = MEMO_CHUNK_PLAIN;
    in.chunk_tokens = 8;
    in.chunk_overlap = SIZE_MAX;
    db_put(e, in);
    db_add(e, NULL, "a record without a key");
    in = db_record("child", "the pot");
    in.created_ms = 1600000000000; /* comes before its parent */
    in.parent = "a";
    in.supersedes = "a";
    db_put(e, in);
}

/* The lines without what an import does not take back. */
static void normalize(char *s)
{
    static const char *const gone[] = {"\"id\":\"", "\"updated\":", "\"key\":\"0"};
    for (size_t i = 0; i < 3; i++)
        for (char *at = s; (at = strstr(at, gone[i])) != NULL;) {
            size_t n = strcspn(at, ",");
            memmove(at, at + n + 1, strlen(at + n + 1) + 1);
        }
}

static void test_export_comes_back_equal(void **state)
{
    db_env *e = *state;
    export_sink first = {0}, second = {0};
    memo_import_report report = {.size = sizeof report};
    memo_records *r = NULL;
    for (int vectors = 0; vectors < 2; vectors++) {
        db_teardown(state);
        db_setup(state);
        fill(e);
        sink_export(e, &first, (memo_export_options){.vectors = vectors}, 3);
        assert_int_equal(strstr(first.bytes, "\"vector\":") != NULL, vectors);
        db_teardown(state);
        db_setup(state);
        assert_memo_ok(sink_import(e, &first, (memo_import_options){0}, &report), e->err);
        assert_int_equal(report.n_new, 3);
        assert_int_equal(report.n_tokens != 0, !vectors);
        sink_export(e, &second, (memo_export_options){.vectors = vectors}, 3);
        normalize(first.bytes);
        normalize(second.bytes);
        assert_string_equal(first.bytes, second.bytes);
        assert_memo_ok(memo_db_get(e->db, NULL, "child", &r, &e->err), e->err);
        assert_non_null(r->records->parent);
        assert_non_null(r->records->supersedes);
        memo_records_free(r);
    }
    free(first.bytes);
    free(second.bytes);
}

/* Of a file that ends in earlier versions the last rows written are no changes: the store opens again. */
static void test_export_versions_open_again(void **state)
{
    db_env *e = *state;
    export_sink sink = {0};
    memo_import_report report = {.size = sizeof report};
    db_add(e, "a", "as it was");
    db_add(e, "a", "as it is");
    sink_export(e, &sink, (memo_export_options){.versions = 1}, 1);
    db_teardown(state);
    db_setup(state);
    assert_memo_ok(sink_import(e, &sink, (memo_import_options){0}, &report), e->err);
    assert_int_equal(report.n_versions, 1);
    db_reopen(e, e->model);
    db_add(e, "b", "and goes on");
    db_reopen(e, e->model);
    free(sink.bytes);
}

/* Into the store they come from, and once more: nothing changes. */
static void test_export_meets_its_own_records(void **state)
{
    db_env *e = *state;
    export_sink sink = {0};
    memo_import_report report = {.size = sizeof report};
    for (int vectors = 0; vectors < 2; vectors++) {
        db_teardown(state);
        db_setup(state);
        fill(e);
        sink_export(e, &sink, (memo_export_options){.vectors = vectors}, 3);
        assert_memo_ok(sink_import(e, &sink, (memo_import_options){0}, &report), e->err);
        assert_int_equal(report.n_unchanged, 3);
        assert_int_equal(report.n_new + report.n_changed, 0);
    }
    sink_export(e, &sink, (memo_export_options){.where = "tags = 'one'"}, 1);
    free(sink.bytes);
}

static void replace(char *s, const char *from, const char *to)
{
    char *at = strstr(s, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void test_limits_202_vectors_of_another_model(void **state)
{
    db_env *e = *state;
    export_sink sink = {0};
    memo_import_report report = {.size = sizeof report};
    char *at;
    db_add(e, "k", "the pot");
    sink_export(e, &sink, (memo_export_options){.vectors = 1}, 1);
    at = strstr(sink.bytes, "\"fingerprint\":\"") + 15;
    *at = *at == 'z' ? 'y' : 'z';
    db_teardown(state);
    db_setup(state);
    assert_memo_status(sink_import(e, &sink, (memo_import_options){0}, &report), MEMO_ERR_MISMATCH,
                       e->err);
    assert_contains(e->err.message, "out.ndjson:1: its vectors are of ");
    assert_contains(e->err.hint, "--reembed");
    assert_int_equal(report.n_new, 0);
    assert_memo_ok(sink_import(e, &sink, (memo_import_options){.reembed = 1}, &report), e->err);
    assert_int_equal(report.n_new, 1);
    assert_true(report.n_tokens > 0);
    free(sink.bytes);
}

static void test_exported_lines_are_checked(void **state)
{
    static const struct {
        const char *from, *to;
        memo_status status;
    } bad[] = {
        {"\"memolith\":1", "\"memolith\":2", MEMO_ERR_UNSUPPORTED},
        {"\"trust\":1", "\"trust\":2", MEMO_ERR_VALUE},
        {"\"tier\":1", "\"tier\":9", MEMO_ERR_VALUE},
        {"\"pinned\":1", "\"pinned\":7", MEMO_ERR_VALUE},
        {"\"how\":1", "\"how\":8", MEMO_ERR_VALUE},
        {"\"begin\":", "\"begun\":", MEMO_ERR_FORMAT},
        {"\"end\":", "\"eNd\":", MEMO_ERR_FORMAT},
        {"\"chunks\":[{", "\"chonks\":[{", MEMO_ERR_FORMAT},
        {"\"source\":\"somewhere\"", "\"source\":123456789.0", MEMO_ERR_VALUE},
    };
    db_env *e = *state;
    export_sink sink = {0};
    memo_import_report report = {.size = sizeof report};
    fill(e);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sink_export(e, &sink, (memo_export_options){.vectors = 1, .where = "tags = 'one'"}, 1);
        replace(sink.bytes, bad[i].from, bad[i].to);
        assert_memo_status(sink_import(e, &sink, (memo_import_options){0}, &report), bad[i].status,
                           e->err);
        assert_int_equal(report.n_failed, 1);
    }
    free(sink.bytes);
}

static void test_export_stops_and_refuses(void **state)
{
    db_env *e = *state;
    export_sink sink = {.refuse = 1};
    memo_export_report report = {.size = sizeof report};
    memo_export_options o = {.size = sizeof o};
    sink_export(e, &(export_sink){0}, o, 0); /* a new store is empty, no failure */
    fill(e);
    assert_memo_status(memo_db_export(e->db, &o, sink_write, &sink, &report, &e->err), MEMO_ERR_IO,
                       e->err);
    sink = (export_sink){.reenter = e->db};
    assert_memo_ok(memo_db_export(e->db, &o, sink_write, &sink, NULL, &e->err), e->err);
    assert_memo_status(memo_db_export(e->db, &o, NULL, NULL, NULL, &e->err), MEMO_ERR_USAGE,
                       e->err);
    o.ns = "nowhere";
    assert_memo_status(memo_db_export(e->db, &o, sink_write, &sink, NULL, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    o.ns = NULL;
    o.where = "tags >";
    assert_memo_status(memo_db_export(e->db, &o, sink_write, &sink, NULL, &e->err), MEMO_ERR_VALUE,
                       e->err);
    free(sink.bytes);
}

static void test_export_without_memory(void **state)
{
    db_env *e = *state;
    export_sink sink = {0};
    memo_export_options o = {.size = sizeof o, .vectors = 1};
    memo_status status = MEMO_ERR_NOMEM;
    int64_t live;
    fill(e);
    sink_export(e, &sink, o, 3); /* statements are prepared */
    live = memo_alloc_live();
    for (uint64_t n = 1; status == MEMO_ERR_NOMEM && n < 10000; n++) {
        sink.n = 0;
        memo_alloc_fail_at(n, 0);
        status = memo_db_export(e->db, &o, sink_write, &sink, NULL, &e->err);
        memo_alloc_fail_at(0, 0);
        assert_int_equal(memo_alloc_live(), live);
    }
    assert_memo_ok(status, e->err);
    free(sink.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_export_comes_back_equal),
        db_test(test_export_versions_open_again),
        db_test(test_export_meets_its_own_records),
        db_test(test_limits_202_vectors_of_another_model),
        db_test(test_exported_lines_are_checked),
        db_test(test_export_stops_and_refuses),
        db_test(test_export_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
