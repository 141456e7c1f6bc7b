// SPDX-License-Identifier: Apache-2.0
/* JSON arrays as files to import: which elements, where they begin, what is bad. */
#include "db_util.h"

#include "memory/ingest/array.h"

static const char *array_bytes;

static ssize_t array_pread(int fd, void *buf, size_t n, off_t offset)
{
    (void)fd;
    memcpy(buf, array_bytes + offset, n);
    return (ssize_t)n;
}

/* All that comes out of `text`: "LINE:ELEMENT" or "LINE!STATUS", joined by spaces. */
static void array_expect(const char *text, size_t n_bytes, const char *wanted)
{
    memo_sys sys = *memo_sys_get();
    memo_file file = {.fd = -1, .n_bytes = n_bytes};
    memo_lines lines = {.file = &file};
    memo_array array = {.lines = &lines};
    memo_buf out = {0};
    int more = 1;
    array_bytes = text;
    sys.pread = array_pread;
    memo_sys_set(&sys);
    for (int i = 0; more && i < 100; i++) {
        memo_err err = {0};
        memo_status status = memo_array_next(&array, &more, &err);
        if (status)
            memo_buf_printf(&out, "%d!%s ", (int)array.line, memo_status_name(status) + 4);
        else if (more)
            memo_buf_printf(&out, "%d:%.*s ", (int)array.line, (int)array.element.n,
                            array.element.data);
    }
    memo_sys_set(NULL);
    memo_buf_puts(&out, "");
    assert_string_equal(out.n ? out.data : "", wanted);
    memo_buf_fini(&out);
    memo_array_fini(&array);
    memo_lines_fini(&lines);
}

static void test_array_gives_elements(void **state)
{
    static const char text[] = "\xef\xbb\xbf [\n{\"a\": [1, \"]\\\",\\\\\"]} ,\r\n 2,[3,[4]]\n]\n";
    (void)state;
    array_expect(MEMO_STR(text).bytes, sizeof text - 1,
                 "2:{\"a\": [1, \"]\\\",\\\\\"]} 3:2 3:[3,[4]] ");
    array_expect("[]", 2, "");
    array_expect(" [ \n ] ", 7, "");
}

static void test_array_names_what_is_wrong(void **state)
{
    (void)state;
    array_expect("", 0, "1!FORMAT ");
    array_expect("\n{}", 3, "2!FORMAT ");
    array_expect("[1,,2]", 6, "1:1 1!FORMAT 1:2 ");
    array_expect("[1,\n]", 5, "1:1 2!FORMAT ");
    array_expect("[1,\n{\"a\":", 9, "1:1 2!FORMAT ");
    array_expect("[1]\nx", 5, "1:1 2!FORMAT ");
    array_expect("[}},1]", 6, "1:}} 1:1 "); /* for the parser to refuse */
}

/* An element over the limit is told and not kept, the next one is read. */
static void test_array_goes_on_behind_what_is_too_long(void **state)
{
    size_t n = MEMO_LINES_MAX_BYTES + 64;
    char *text = malloc(n);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text, "[1,\n\"", 5);
    memcpy(text + n - 5, "\",2]\n", 5);
    array_expect(text, n, "1:1 2!LIMIT 2:2 ");
    free(text);
}

static memo_status array_import(db_env *e, const char *name, const char *text,
                                memo_import_options o, memo_import_report *report)
{
    char path[600];
    const char *const paths[] = {path};
    FILE *f = tiny_model_create(e->dir, name);
    fputs(text, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/%s", e->dir, name);
    o.size = sizeof o;
    memset(&e->err, 0, sizeof e->err);
    return memo_db_import(e->db, paths, 1, &o, report, &e->err);
}

static void test_import_json_array(void **state)
{
    static const char two[] =
        "[\n  {\"id\": \"a\", \"text\": \"tea\", \"tags\": [\"x\"], \"n\": 1},\n"
        "  {\"id\": \"b\", \"text\": \"pot\"}\n]\n";
    db_env *e = *state;
    memo_import_report r = {.size = sizeof r};
    memo_records *got = NULL;
    assert_memo_ok(array_import(e, "x.json", two, (memo_import_options){0}, &r), e->err);
    assert_int_equal(r.n_new, 2);
    assert_memo_ok(memo_db_get(e->db, NULL, "a", &got, &e->err), e->err);
    assert_string_equal(got->records->text.bytes, "tea");
    assert_string_equal(got->records->tags[0], "x");
    assert_string_equal(got->records->metadata_json, "{\"n\":1}");
    memo_records_free(got);
    assert_memo_ok(array_import(e, "x.json", two, (memo_import_options){0}, &r), e->err);
    assert_int_equal(r.n_unchanged, 2);
    assert_memo_status(
        array_import(e, "y.json", "[{\"text\":\"c\"},{\"text\":7}]", (memo_import_options){0}, &r),
        MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "y.json:1: element 2: field \"text\" is a number");
    assert_int_equal(r.n_new, 1); /* what stands before it is committed */
    assert_memo_status(
        array_import(e, "z.txt", "{}", (memo_import_options){.format = MEMO_IMPORT_JSON}, &r),
        MEMO_ERR_FORMAT, e->err);
    assert_contains(e->err.message, "not a JSON array: it begins with byte 0x7b");
    assert_memo_ok(array_import(e, "n.json", "[]\n", (memo_import_options){0}, &r), e->err);
    assert_int_equal(r.n_new, 0);
    assert_memo_ok(
        array_import(e, "o.json", "{\"text\": \"an object\"}", (memo_import_options){0}, &r),
        e->err);
    assert_int_equal(r.n_new, 1); /* as it ever was: a text */
}

/* The file is read first to see what it is: without memory for that it is not taken for a text. */
static void test_import_json_array_without_memory(void **state)
{
    db_env *e = *state;
    memo_status status = MEMO_ERR_NOMEM;
    for (uint64_t n = 1; status == MEMO_ERR_NOMEM; n++) {
        memo_import_report r = {.size = sizeof r};
        memo_records *all = NULL;
        db_teardown(state);
        db_setup(state);
        e = *state;
        memo_alloc_fail_at(n, 0);
        status = array_import(e, "x.json", "[{\"text\": \"tea\"}, {\"text\": \"pot\"}]",
                              (memo_import_options){0}, &r);
        memo_alloc_fail_at(0, 0);
        assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
        assert_memo_ok(memo_db_list(e->db, NULL, &all, &e->err), e->err);
        for (size_t i = 0; i < all->n; i++)
            assert_int_equal(all->records[i].text.n_bytes, 3);
        assert_true(status == MEMO_ERR_NOMEM || all->n == 2);
        memo_records_free(all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_gives_elements),
        cmocka_unit_test(test_array_names_what_is_wrong),
        cmocka_unit_test(test_array_goes_on_behind_what_is_too_long),
        db_test(test_import_json_array),
        db_test(test_import_json_array_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
