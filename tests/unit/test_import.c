// SPDX-License-Identifier: Apache-2.0
#include "db_util.h"

#include <fcntl.h>
#include <sys/stat.h>

typedef struct import_env {
    memo_import_report report;
    char bad[1000]; /* "name:line status" of every bad thing, joined by spaces */
    uint64_t cancel_at, last_done, last_total;
} import_env;

static char folder[400];

static void note_bad(void *user, const char *path, uint64_t line, const memo_err *why)
{
    import_env *i = user;
    const char *name = strrchr(path, '/');
    sprintf(i->bad + strlen(i->bad), "%s%s:%d %s", i->bad[0] ? " " : "", name ? name + 1 : path,
            (int)line, memo_status_name(why->status));
}

static int watch(void *user, const memo_progress *p)
{
    import_env *i = user;
    assert_true(p->done >= i->last_done);
    assert_true(p->done <= p->total);
    i->last_done = p->done;
    i->last_total = p->total;
    return i->cancel_at && p->done >= i->cancel_at;
}

static void fresh_folder(db_env *e)
{
    snprintf(folder, sizeof folder, "%s/in", e->dir);
    memo_test_remove_tree(folder);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void put_file(const char *name, const char *text, size_t n)
{
    FILE *f = tiny_model_create(folder, name);
    fwrite(text, 1, n, f);
    fclose(f);
}

static memo_status import(db_env *e, const char *name, memo_import_options o, import_env *i)
{
    char path[600];
    const char *const paths[] = {path};
    uint64_t cancel_at = i->cancel_at;
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    memset(i, 0, sizeof *i);
    i->cancel_at = cancel_at;
    o.size = sizeof o;
    o.on_bad = note_bad;
    o.on_bad_user = i;
    o.progress = watch;
    o.progress_user = i;
    memset(&e->err, 0, sizeof e->err);
    i->report.size = sizeof i->report;
    return memo_db_import(e->db, paths, 1, &o, &i->report, &e->err);
}

static void expect_counts(const import_env *i, int n_new, int n_changed, int n_unchanged,
                          int n_skipped, int n_failed)
{
    const memo_import_report *r = &i->report;
    if ((int)r->n_new != n_new || (int)r->n_changed != n_changed ||
        (int)r->n_unchanged != n_unchanged || (int)r->n_skipped != n_skipped ||
        (int)r->n_failed != n_failed)
        fail_msg("new %d changed %d unchanged %d skipped %d failed %d, not %d %d %d %d %d",
                 (int)r->n_new, (int)r->n_changed, (int)r->n_unchanged, (int)r->n_skipped,
                 (int)r->n_failed, n_new, n_changed, n_unchanged, n_skipped, n_failed);
}

static uint64_t n_records(db_env *e)
{
    memo_db_stats s = {.size = sizeof s};
    assert_memo_ok(memo_db_get_stats(e->db, &s, &e->err), e->err);
    return s.n_records;
}

static void test_import_takes_a_folder(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    const char *lines = "{\"id\":\"one\",\"text\":\"first\"}\n"
                        "{\"id\":\"two\",\"text\":\"second\"}";
    char key[600];
    memo_records *r = NULL;
    fresh_folder(e);
    put_file("a.md", "# garden\n\nthe flower pot", 24);
    put_file("b.txt", "the boiler\r\n", 12);
    put_file("binary", "ab\0cd", 5);
    put_file("empty.txt", "", 0);
    put_file("blank.txt", " \n\n", 3);
    put_file(".hidden", "x", 1);
    put_file("lines.jsonl", lines, strlen(lines));
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 4, 0, 0, 4, 0);
    assert_int_equal(i.report.n_files, 6);
    assert_int_equal(i.report.n_chunks, 4);
    assert_true(i.report.n_tokens > 12);
    assert_int_equal(i.last_done, 7);
    assert_int_equal(i.last_total, 7);
    snprintf(key, sizeof key, "%s/a.md", folder);
    assert_memo_ok(memo_db_get(e->db, NULL, key, &r, &e->err), e->err);
    assert_string_equal(r->records->title, "garden");
    assert_string_equal(r->records->source, key);
    assert_string_equal(r->records->text.bytes, "# garden\n\nthe flower pot");
    memo_records_free(r);

    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 0, 4, 4, 0);
    assert_int_equal(i.report.n_tokens, 0);
    put_file("b.txt", "the new boiler", 14);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 1, 3, 4, 0);
    assert_int_equal(n_records(e), 4);
}

/* A store in the folder is not read as text, nor are the files beside it. */
static void test_import_leaves_stores_alone(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    fresh_folder(e);
    put_file("a.txt", "text", 4);
    memo_db_close(e->db);
    snprintf(e->path, sizeof e->path, "%s/own", folder);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_CREATE);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    assert_int_equal(i.report.n_new, 1);
    assert_int_equal(i.report.n_failed, 0);
    assert_memo_status(import(e, "own", (memo_import_options){0}, &i), MEMO_ERR_VALUE, e->err);
}

static void test_import_names_bad_lines(void **state)
{
    static const char text[] = "{\"id\":1,\"text\":\"a\"}\r\n"
                               "\r\n"
                               "{\"id\":2,\"text\":5}\n"
                               "not json\n"
                               "{\"id\":3,\"text\":\"c\"}\n"
                               "{\"id\":4,\"text\":\"  \"}\n"
                               "{\"id\":5,\"text\":\"e\"}";
    db_env *e = *state;
    import_env i = {0};
    fresh_folder(e);
    put_file("x.ndjson", text, sizeof text - 1);
    assert_memo_status(import(e, "x.ndjson", (memo_import_options){0}, &i), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "x.ndjson:3: ");
    expect_counts(&i, 1, 0, 0, 0, 1);
    assert_string_equal(i.bad, "x.ndjson:3 ERR_VALUE");
    assert_int_equal(n_records(e), 1);
    assert_memo_ok(import(e, "x.ndjson", (memo_import_options){.skip_bad = 1}, &i), e->err);
    expect_counts(&i, 2, 0, 1, 0, 3);
    assert_string_equal(i.bad, "x.ndjson:3 ERR_VALUE x.ndjson:4 ERR_FORMAT x.ndjson:6 ERR_VALUE");
    assert_int_equal(n_records(e), 3);
    assert_int_equal(i.last_done, 6);
}

static void test_import_limits_lines_and_files(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    size_t n = ((size_t)9 << 20) + 40;
    char *text = malloc(n);
    int fd;
    char path[500];
    fresh_folder(e);
    memset(text, 'x', n);
    memcpy(text, "{\"id\":1,\"text\":\"a\"}\n", 20);
    memcpy(text + n - 20, "\n{\"id\":2,\"text\":\"b\"}", 20);
    put_file("x.ndjson", text, n);
    free(text);
    assert_memo_ok(import(e, "x.ndjson", (memo_import_options){.skip_bad = 1}, &i), e->err);
    expect_counts(&i, 2, 0, 0, 0, 1);
    assert_string_equal(i.bad, "x.ndjson:2 ERR_LIMIT");
    assert_memo_status(import(e, "x.ndjson", (memo_import_options){0}, &i), MEMO_ERR_LIMIT, e->err);

    snprintf(path, sizeof path, "%s/big.txt", folder);
    put_file("big.txt", "a", 1);
    fd = truncate(path, ((off_t)64 << 20) + 1);
    assert_int_equal(fd, 0);
    assert_memo_status(import(e, "big.txt", (memo_import_options){0}, &i), MEMO_ERR_LIMIT, e->err);
    assert_contains(e->err.message, "big.txt");
}

static void test_import_refuses_named_files_without_text(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    fresh_folder(e);
    put_file("binary", "a\0b", 3);
    put_file("latin1.txt", "caf\xe9", 4);
    assert_memo_status(import(e, "binary", (memo_import_options){0}, &i), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "binary");
    assert_memo_status(import(e, "latin1.txt", (memo_import_options){0}, &i), MEMO_ERR_VALUE,
                       e->err);
    assert_contains(e->err.message, "byte 3");
    assert_memo_status(import(e, "absent", (memo_import_options){0}, &i), MEMO_ERR_NOTFOUND,
                       e->err);
}

static void put_lines(const char *name, int n)
{
    FILE *f = tiny_model_create(folder, name);
    for (int i = 0; i < n; i++)
        fprintf(f, "{\"id\":%d,\"text\":\"note %d about the garden\"}\n", i, i);
    fclose(f);
}

/* What was committed is counted, and is there; going on finishes the rest. */
static void test_import_can_be_cancelled_and_resumed(void **state)
{
    db_env *e = *state;
    import_env i = {.cancel_at = 100};
    fresh_folder(e);
    put_lines("x.ndjson", 300);
    assert_memo_status(import(e, "x.ndjson", (memo_import_options){0}, &i), MEMO_ERR_CANCELLED,
                       e->err);
    assert_true(i.report.n_new >= 64 && i.report.n_new < 300);
    assert_int_equal(n_records(e), i.report.n_new);
    {
        int done = (int)i.report.n_new;
        i.cancel_at = 0;
        assert_memo_ok(import(e, "x.ndjson", (memo_import_options){0}, &i), e->err);
        expect_counts(&i, 300 - done, 0, done, 0, 0);
        assert_int_equal(i.last_done, 300);
    }
    assert_int_equal(n_records(e), 300);
}

static int remove_one(void *user, const memo_progress *p)
{
    if (p->done == 0)
        unlink(user);
    return 0;
}

/* A file that cannot be read is one of the bad ones, not the end of the import. */
static void test_import_goes_on_after_an_unreadable_file(void **state)
{
    db_env *e = *state;
    char gone[600];
    const char *const paths[] = {folder};
    memo_import_report report = {.size = sizeof report};
    memo_import_options o = {
        .size = sizeof o, .skip_bad = 1, .progress = remove_one, .progress_user = gone};
    fresh_folder(e);
    put_file("a.md", "garden", 6);
    put_file("b.md", "house", 5);
    snprintf(gone, sizeof gone, "%s/a.md", folder);
    assert_memo_ok(memo_db_import(e->db, paths, 1, &o, &report, &e->err), e->err);
    assert_int_equal(report.n_failed, 1);
    assert_int_equal(report.n_new, 1);
    o.skip_bad = 0;
    put_file("a.md", "garden", 6);
    assert_memo_status(memo_db_import(e->db, paths, 1, &o, &report, &e->err), MEMO_ERR_IO, e->err);
    assert_non_null(strstr(e->err.message, "a.md"));
}

static int stop_half_way(void *user, const memo_progress *p)
{
    (void)user;
    return p->done > 0 && p->done < p->total;
}

/* A signal need not wait for the vectors of a whole group. */
static void test_import_can_be_cancelled_while_it_embeds(void **state)
{
    enum { N = 100 };
    db_env *e = *state;
    memo_record_in in[N];
    const memo_write_options o = {.size = sizeof o, .progress = stop_half_way};
    char text[2000];
    for (size_t i = 0; i + 8 < sizeof text; i += 7)
        memcpy(text + i, "garden ", 8);
    for (int i = 0; i < N; i++)
        in[i] = (memo_record_in){.size = sizeof in[i], .text = MEMO_STR(text)};
    assert_memo_status(memo_db_add(e->db, &o, in, N, NULL, &e->err), MEMO_ERR_CANCELLED, e->err);
    assert_int_equal(n_records(e), 0);
}

static void test_import_counts_only_what_is_written(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    fresh_folder(e);
    put_lines("x.ndjson", 130);
    assert_memo_status(import(e, "x.ndjson", (memo_import_options){.chunk_tokens = 3}, &i),
                       MEMO_ERR_VALUE, e->err);
    assert_non_null(strstr(e->err.message, "x.ndjson:1: ")); /* the first that is refused */
    expect_counts(&i, 0, 0, 0, 0, 1);
    assert_int_equal(n_records(e), 0);
    memo_db_close(e->db);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_READ_ONLY);
    assert_memo_status(import(e, "x.ndjson", (memo_import_options){0}, &i), MEMO_ERR_IO, e->err);
    expect_counts(&i, 0, 0, 0, 0, 0);
}

static const memo_record *import_get(db_env *e, const char *name, memo_records **page)
{
    char key[600];
    snprintf(key, sizeof key, "%s%s%s", name[0] == '@' ? "" : folder, name[0] == '@' ? "" : "/",
             name + (name[0] == '@'));
    memo_records_free(*page);
    *page = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, key, page, &e->err), e->err);
    return (*page)->records;
}

/* As if it had been written at the standing clock's time plus that. */
static void date_file(db_env *e, const char *name, int64_t plus_ms)
{
    char path[600];
    int64_t ms = e->now_ms + plus_ms;
    struct timespec at = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    const struct timespec times[2] = {at, at};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void import_edit(db_env *e, const char *name, memo_record_edit edit)
{
    char key[600];
    memo_add_result result = {.size = sizeof result};
    snprintf(key, sizeof key, "%s%s%s", name[0] == '@' ? "" : folder, name[0] == '@' ? "" : "/",
             name + (name[0] == '@'));
    edit.size = sizeof edit;
    e->now_ms += 1000;
    assert_memo_ok(memo_db_edit(e->db, NULL, key, &edit, &result, &e->err), e->err);
}

/* What a file does not say is not taken away by importing it. */
static void test_import_keeps_what_a_file_does_not_say(void **state)
{
    db_env *e = *state;
    import_env i = {0};
    const char *const tags[] = {"imp"};
    memo_records *r = NULL;
    const memo_record *one;
    fresh_folder(e);
    put_file("one.md", "the flower pot", 14);
    date_file(e, "one.md", -5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    import_edit(
        e, "one.md",
        (memo_record_edit){.tags = tags, .n_tags = 1, .set_tags = 1, .metadata_json = "{\"a\":1}"});
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 0, 1, 0, 0);
    put_file("one.md", "another pot", 11);
    date_file(e, "one.md", 5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 1, 0, 0, 0);
    one = import_get(e, "one.md", &r);
    assert_string_equal(one->text.bytes, "another pot");
    assert_int_equal(one->n_tags, 1);
    assert_string_equal(one->tags[0], "imp");
    assert_string_equal(one->metadata_json, "{\"a\":1}");
    memo_records_free(r);
    r = NULL;
    assert_memo_ok(memo_db_list(e->db,
                                &(memo_list_options){.size = sizeof(memo_list_options),
                                                     .where = "tags contains 'imp'"},
                                &r, &e->err),
                   e->err);
    assert_int_equal(r->n, 1);
    memo_records_free(r);
}

/* An edit stays as long as the file is what it was; a file that was written again counts. */
static void test_import_keeps_an_edit_of_an_unchanged_file(void **state)
{
    const memo_text edited = {"edited here", 11};
    db_env *e = *state;
    import_env i = {0};
    memo_records *r = NULL;
    fresh_folder(e);
    put_file("one.md", "the flower pot", 14);
    date_file(e, "one.md", -5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    import_edit(e, "one.md", (memo_record_edit){.text = &edited});
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 0, 1, 0, 0);
    assert_string_equal(import_get(e, "one.md", &r)->text.bytes, "edited here");
    import_edit(e, "one.md", (memo_record_edit){.title = "a title"});
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 0, 1, 0, 0);
    assert_string_equal(import_get(e, "one.md", &r)->title, "a title");
    put_file("one.md", "a new pot", 9);
    date_file(e, "one.md", -5000); /* a copy that keeps its date: no version was like it */
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 1, 0, 0, 0);
    put_file("one.md", "the flower pot", 14); /* taken back, after it was imported */
    date_file(e, "one.md", 5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 1, 0, 0, 0);
    assert_string_equal(import_get(e, "one.md", &r)->text.bytes, "the flower pot");
    memo_records_free(r);
}

/* A line gives those fields that it has. */
static void test_import_lines_keep_what_they_do_not_say(void **state)
{
    static const char before[] = "{\"id\":\"k\",\"text\":\"a pot\",\"tags\":[\"x\"]}";
    static const char after[] = "{\"id\":\"k\",\"text\":\"a pot\",\"tags\":[]}";
    db_env *e = *state;
    import_env i = {0};
    memo_records *r = NULL;
    const memo_record *one;
    fresh_folder(e);
    put_file("x.ndjson", before, strlen(before));
    date_file(e, "x.ndjson", -5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    import_edit(e, "@k", (memo_record_edit){.metadata_json = "{\"a\":1}"});
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 0, 1, 0, 0);
    put_file("x.ndjson", after, strlen(after));
    date_file(e, "x.ndjson", 5000);
    assert_memo_ok(import(e, "", (memo_import_options){0}, &i), e->err);
    expect_counts(&i, 0, 1, 0, 0, 0);
    one = import_get(e, "@k", &r);
    assert_int_equal(one->n_tags, 0);
    assert_string_equal(one->metadata_json, "{\"a\":1}");
    memo_records_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_import_takes_a_folder),
        db_test(test_import_leaves_stores_alone),
        db_test(test_import_names_bad_lines),
        db_test(test_import_limits_lines_and_files),
        db_test(test_import_refuses_named_files_without_text),
        db_test(test_import_can_be_cancelled_and_resumed),
        db_test(test_import_can_be_cancelled_while_it_embeds),
        db_test(test_import_goes_on_after_an_unreadable_file),
        db_test(test_import_counts_only_what_is_written),
        db_test(test_import_keeps_what_a_file_does_not_say),
        db_test(test_import_keeps_an_edit_of_an_unchanged_file),
        db_test(test_import_lines_keep_what_they_do_not_say),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
