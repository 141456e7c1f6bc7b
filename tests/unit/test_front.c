// SPDX-License-Identifier: Apache-2.0
/* Front matter and headings of Markdown files; values as YAML 1.2's core schema has them. */
#include "db_util.h"

#include <sys/resource.h>
#include <sys/time.h>

#include <jansson.h>

#include "base/buf.h"
#include "memory/ingest/front.h"

static memo_front front_read(const char *text, memo_arena *arena)
{
    memo_front front;
    memo_err err = {0};
    assert_memo_ok(memo_front_read(MEMO_STR(text), arena, &front, &err), err);
    return front;
}

static void expect_metadata(const char *lines, const char *wanted)
{
    char text[400];
    memo_arena arena = {0};
    snprintf(text, sizeof text, "---\n%s\n---\nx\n", lines);
    memo_front front = front_read(text, &arena);
    assert_int_equal(front.n_bytes, strlen(text) - 2);
    assert_non_null(front.metadata);
    assert_string_equal(front.metadata, wanted);
    memo_arena_fini(&arena);
}

static void test_front_reads_values(void **state)
{
    (void)state;
    expect_metadata("a: plain words # c", "{\"a\":\"plain words\"}");
    expect_metadata("a: http://x/#y:z", "{\"a\":\"http://x/#y:z\"}");
    expect_metadata("a: \"q \\\" \\\\ \\n # x\" # c", "{\"a\":\"q \\\" \\\\ \\n # x\"}");
    expect_metadata("a: 'it''s'", "{\"a\":\"it's\"}");
    expect_metadata("a: ''", "{\"a\":\"\"}");
    expect_metadata("a: 12\nb: -7\nc: 2.5\nd: 1e3\ne: 007\nf: '5'",
                    "{\"a\":12,\"b\":-7,\"c\":2.5,\"d\":1000.0,\"e\":\"007\",\"f\":\"5\"}");
    expect_metadata("a: true\nb: False\nc: yes\nd: ~\ne:\nf: null",
                    "{\"a\":true,\"b\":false,\"c\":\"yes\"}");
    expect_metadata("a: [x, 'y, z', 3, ]\nb: []", "{\"a\":[\"x\",\"y, z\",3],\"b\":[]}");
    expect_metadata("a:\n- x\n  # c\n- \"y\"\n\nb:\n  - 1\n  - -2",
                    "{\"a\":[\"x\",\"y\"],\"b\":[1,-2]}");
    expect_metadata("a: -x\r\nb c: ?y\r", "{\"a\":\"-x\",\"b c\":\"?y\"}");
    expect_metadata("\n# c\na: 99999999999999999999", "{\"a\":\"99999999999999999999\"}");
}

static void test_front_takes_title_tags_and_dates(void **state)
{
    memo_arena arena = {0};
    memo_front f;
    (void)state;
    f = front_read("\xef\xbb\xbf---\ntitle: 2024\ntags: a, b c ,,\ndate: 2025-07-01\n"
                   "created: 2025-07-02T09:30:00+02:00\n...\nx",
                   &arena);
    assert_string_equal(f.title, "2024");
    assert_int_equal(f.n_tags, 2);
    assert_string_equal(f.tags[0], "a");
    assert_string_equal(f.tags[1], "b c");
    assert_int_equal(f.created_ms, INT64_C(1751441400000));
    assert_string_equal(f.metadata, "{\"date\":\"2025-07-01\"}");
    f = front_read("---\ntags:\n  - x\n  - 7\ndate: 2025-07-01 09:30\n---\nx", &arena);
    assert_int_equal(f.n_tags, 2);
    assert_string_equal(f.tags[1], "7");
    assert_int_equal(f.created_ms, INT64_C(1751362200000));
    assert_null(f.title);
    assert_null(f.metadata);
    f = front_read("---\ndate: next week\ntags: []\n---\nx", &arena);
    assert_int_equal(f.created_ms, 0);
    assert_non_null(f.tags);
    assert_int_equal(f.n_tags, 0);
    assert_string_equal(f.metadata, "{\"date\":\"next week\"}");
    memo_arena_fini(&arena);
}

static void expect_tags(const char *lines, const char *wanted)
{
    char text[200], all[200] = "";
    memo_arena arena = {0};
    snprintf(text, sizeof text, "---\n%s\n---\nx", lines);
    memo_front f = front_read(text, &arena);
    for (size_t i = 0; i < f.n_tags; i++) {
        strcat(all, f.tags[i]);
        strcat(all, ";");
    }
    assert_string_equal(all, wanted);
    memo_arena_fini(&arena);
}

/* A version is a number to YAML; what names a thing stays as it was written. */
static void test_front_titles_and_tags_keep_their_bytes(void **state)
{
    static const char *const same[] = {"2.1", "1.10", "3.11", "1e3", "+7", "0x1F", "True", "-0"};
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char text[64];
        memo_arena arena = {0};
        snprintf(text, sizeof text, "---\ntitle: %s # c\n---\nx", same[i]);
        memo_front f = front_read(text, &arena);
        assert_non_null(f.title);
        assert_string_equal(f.title, same[i]);
        memo_arena_fini(&arena);
    }
    expect_tags("tags: [python, 3.11, 1.10, true, null, ~, \"2.0\"]", "python;3.11;1.10;true;2.0;");
    expect_tags("tags:\n- 1.10\n- False\n-\n- 5.", "1.10;False;5.;");
    expect_tags("tags: 1.10", "1.10;");
    expect_tags("tags: ~", "");
    expect_metadata("title: 1.10\nv: 1.50\nw: 3.25", "{\"v\":1.5,\"w\":3.25}");
}

/* What YAML's core schema has for a number and JSON has not. */
static void test_front_numbers_that_are_not_jsons(void **state)
{
    (void)state;
    expect_metadata("a: +5\nb: 5.\nc: +5.e2\nd: -0.25E+1\ne: 1e999\nf: .5",
                    "{\"a\":5,\"b\":5.0,\"c\":500.0,\"d\":-2.5,\"e\":\"1e999\",\"f\":\".5\"}");
}

static void *front_foreign_alloc(size_t n_bytes)
{
    char *p = malloc(n_bytes + 16);
    return p ? p + 16 : NULL;
}

static void front_foreign_free(void *p)
{
    if (p)
        free((char *)p - 16);
}

/* An application may give jansson an allocator of its own: what is jansson's is given back to jansson. */
static void test_front_with_an_allocator_of_the_application(void **state)
{
    json_malloc_t plain_alloc;
    json_free_t plain_free;
    (void)state;
    json_get_alloc_funcs(&plain_alloc, &plain_free);
    json_set_alloc_funcs(front_foreign_alloc, front_foreign_free);
    expect_tags("title: 2.1\ntags: [3.11, x, 4]\nn: 1.5\nl: [\"a\"]", "3.11;x;4;");
    expect_tags("tags: 2.5", "2.5;");
    json_set_alloc_funcs(plain_alloc, plain_free);
}

/* A block of 64 KiB in one line of quoted texts once took as much memory for each of them: 700 MB. */
static void test_front_quoted_texts_take_memory_once(void **state)
{
    enum { N_ITEMS = 21000 };
    memo_buf text = {0};
    memo_arena arena = {0};
    struct rusage before, after;
    (void)state;
    memo_buf_puts(&text, "---\nx: [");
    for (int i = 0; i < N_ITEMS; i++)
        memo_buf_puts(&text, "\"\",");
    memo_buf_puts(&text, "\"last\"]\n---\nx");
    assert_true(text.n < MEMO_FRONT_BYTES);
    getrusage(RUSAGE_SELF, &before);
    memo_front f = front_read(text.data, &arena);
    getrusage(RUSAGE_SELF, &after);
    assert_string_equal(f.metadata, "{\"x\":[\"last\"]}");
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10); /* KiB */
    memo_arena_fini(&arena);
    memo_buf_fini(&text);
}

/* Whatever is more than this of YAML, or none, stays text whole. */
static void test_front_leaves_what_it_does_not_understand(void **state)
{
    static const char *const blocks[] = {
        "a:\n  b: c",   "a: {b: c}", "a: |\n  text", "a: b\n  goes on", "a: 1\na: 2", "words",
        "a: &x y",      "a: *x",     "a: b: c",      "a: [x",           "a: [[x]]",   "a: \"x",
        "a: \"\\u00\"", "- x",       "? x",          "a: 'x' y",        "a: [x] y",   "title: [x]",
        "a: @x",        "a: %x",     "a:\n  - b: c", "\"a\": b",        "\ta: b",     "a: [x, {y}]",
        "a: \"x\\",     "a: !t x",   "a:b"};
    memo_arena arena = {0};
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        snprintf(text, sizeof text, "---\nok: 1\n%s\n---\nx\n", blocks[i]);
        memo_front f = front_read(text, &arena);
        if (f.n_bytes || f.title || f.tags || f.metadata || f.created_ms)
            fail_msg("taken: %s", blocks[i]);
    }
    assert_int_equal(front_read("---\na: b\n", &arena).n_bytes, 0);
    assert_int_equal(front_read("\n---\na: b\n---\n", &arena).n_bytes, 0);
    assert_int_equal(front_read("----\na: b\n----\n", &arena).n_bytes, 0);
    assert_int_equal(front_read("", &arena).n_bytes, 0);
    memo_arena_fini(&arena);
}

static void expect_heading(const char *text, const char *wanted)
{
    memo_text h = memo_front_heading(MEMO_STR(text));
    if (h.n_bytes != strlen(wanted) || memcmp(h.bytes ? h.bytes : "", wanted, h.n_bytes) != 0)
        fail_msg("\"%.*s\", not \"%s\"", (int)h.n_bytes, h.bytes ? h.bytes : "", wanted);
}

static void test_front_finds_the_heading(void **state)
{
    (void)state;
    expect_heading("words\n\n## two\n # The *boat* ##\n# other\n", "The *boat*");
    expect_heading("```sh\n# no\n~~~\n```\n# yes", "yes");
    expect_heading("Title here\r\n====\r\n", "Title here");
    expect_heading("====\n#tag\n    # code\n", "");
    expect_heading("~~~~\n# no\n~~~\n# no\n", "");
    expect_heading("", "");
}

/* CommonMark, 4.2: marks that close a heading stand behind white space; 4.3 and 4.5: what is underlined is a
 * paragraph, which a fence ends. */
static void test_front_heading_keeps_its_last_marks(void **state)
{
    (void)state;
    expect_heading("# Learning C#\n", "Learning C#");
    expect_heading("# Learning C# #\n", "Learning C#");
    expect_heading("# F#\t##  \n", "F#");
    expect_heading("#\tC\\#\n", "C\\#");
    expect_heading("# ##\n# b\n", "b");
}

static void test_front_a_fence_is_no_title(void **state)
{
    (void)state;
    expect_heading("```\ncode\n```\n===\n", "");
    expect_heading("words\n```\ncode\n```\n===\n", "");
    expect_heading("```\n```\ntitle\n===\n", "title");
    expect_heading("```words``` in a line\n# title\n", "title");
}

/* ---- in a store ---------------------------------------------------------------------------- */

static void front_put(db_env *e, const char *text, int64_t modified_s, char path[600])
{
    struct timeval times[2] = {{.tv_sec = (time_t)modified_s}, {.tv_sec = (time_t)modified_s}};
    FILE *f = tiny_model_create(e->dir, "note.md");
    fputs(text, f);
    fclose(f);
    snprintf(path, 600, "%s/note.md", e->dir);
    assert_int_equal(utimes(path, times), 0);
}

static memo_records *front_import(db_env *e, const char *text, int64_t modified_s,
                                  memo_import_report *report)
{
    const memo_import_options o = {.size = sizeof o};
    char path[600], *real;
    const char *const paths[] = {path};
    memo_records *r = NULL;
    front_put(e, text, modified_s, path);
    assert_memo_ok(memo_db_import(e->db, paths, 1, &o, report, &e->err), e->err);
    real = realpath(path, NULL);
    assert_non_null(real);
    assert_memo_ok(memo_db_get(e->db, NULL, real, &r, &e->err), e->err);
    free(real);
    return r;
}

static void test_import_takes_front_matter(void **state)
{
    db_env *e = *state;
    memo_import_report n = {.size = sizeof n};
    memo_records *r = front_import(
        e, "---\ntags: [x]\nn: 1\ndate: 2025-07-01\n---\n\n# The boat\n\nis red\n", 1700000000, &n);
    assert_int_equal(n.n_new, 1);
    assert_string_equal(r->records->text.bytes, "\n# The boat\n\nis red\n");
    assert_string_equal(r->records->title, "The boat");
    assert_string_equal(r->records->tags[0], "x");
    assert_string_equal(r->records->metadata_json, "{\"n\":1}");
    assert_int_equal(r->records->created_ms, INT64_C(1751328000000));
    memo_records_free(r);
    r = front_import(e, "---\ntags: [x]\nn: 1\ndate: 2025-07-01\n---\n\n# The boat\n\nis red\n",
                     1800000000, &n);
    assert_int_equal(n.n_unchanged, 1);
    memo_records_free(r);
    r = front_import(e, "---\na: {b: c}\n---\nis red\n", 1800000001, &n);
    assert_string_equal(r->records->text.bytes, "---\na: {b: c}\n---\nis red\n");
    assert_string_equal(r->records->title, "note");
    memo_records_free(r);
    r = front_import(e, "---\ntitle: all of it\n---\n\n", 1800000002, &n);
    assert_string_equal(r->records->text.bytes, "---\ntitle: all of it\n---\n\n");
    memo_records_free(r);
}

/* A file was created, for all that is known, when it was last changed; that it is touched is no change. */
static void test_import_takes_the_time_of_a_file(void **state)
{
    db_env *e = *state;
    memo_import_report n = {.size = sizeof n};
    memo_records *r = front_import(e, "the pot\n", 1700000000, &n);
    assert_int_equal(r->records->created_ms, INT64_C(1700000000000));
    memo_records_free(r);
    r = front_import(e, "the pot\n", 1710000000, &n);
    assert_int_equal(n.n_unchanged, 1);
    assert_int_equal(r->records->created_ms, INT64_C(1700000000000));
    memo_records_free(r);
    r = front_import(e, "the red pot\n", 1720000000, &n);
    assert_int_equal(n.n_changed, 1);
    assert_int_equal(r->records->created_ms, INT64_C(1700000000000));
    memo_records_free(r);
}

/* A clock that was wrong does not date a record into the future. */
static void test_import_does_not_create_in_the_future(void **state)
{
    db_env *e = *state;
    memo_import_report n = {.size = sizeof n};
    memo_records *r = front_import(e, "the tea\n", INT64_C(4000000000), &n);
    assert_true(r->records->created_ms < INT64_C(4000000000000));
    assert_true(r->records->created_ms > INT64_C(1700000000000));
    memo_records_free(r);
    r = front_import(e, "the pot\n", 0,
                     &n); /* archives and checkouts without times have this one */
    assert_true(r->records->created_ms > INT64_C(1700000000000));
    memo_records_free(r);
}

static void test_front_without_memory(void **state)
{
    static const char text[] =
        "---\ntitle: 1.5\ntags: [x, 2.5]\ndate: 2025-07-01\nn: 1.5\nm: [z, \"a\\nb\"]\n---\nx";
    int64_t live = memo_alloc_live();
    memo_status status = MEMO_ERR_NOMEM;
    (void)state;
    for (uint64_t n = 1; status == MEMO_ERR_NOMEM; n++) {
        memo_arena arena = {0};
        memo_front front;
        memo_err err = {0};
        memo_alloc_fail_at(n, 0);
        status = memo_front_read(MEMO_STR(text), &arena, &front, &err);
        memo_alloc_fail_at(0, 0);
        assert_true(status == MEMO_OK || (!front.n_bytes && err.message[0]));
        memo_arena_fini(&arena);
        assert_int_equal(memo_alloc_live(), live);
    }
    assert_int_equal(status, MEMO_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front_reads_values),
        cmocka_unit_test(test_front_takes_title_tags_and_dates),
        cmocka_unit_test(test_front_titles_and_tags_keep_their_bytes),
        cmocka_unit_test(test_front_numbers_that_are_not_jsons),
        cmocka_unit_test(test_front_with_an_allocator_of_the_application),
        cmocka_unit_test(test_front_quoted_texts_take_memory_once),
        cmocka_unit_test(test_front_leaves_what_it_does_not_understand),
        cmocka_unit_test(test_front_finds_the_heading),
        cmocka_unit_test(test_front_heading_keeps_its_last_marks),
        cmocka_unit_test(test_front_a_fence_is_no_title),
        db_test(test_import_takes_front_matter),
        db_test(test_import_takes_the_time_of_a_file),
        db_test(test_import_does_not_create_in_the_future),
        cmocka_unit_test(test_front_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
