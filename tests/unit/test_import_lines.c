// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "memory/ingest/reader.h"
#include "memory/ingest/walk.h"

static char dir[256];

static const char *write_file(const char *name, const void *bytes, size_t n)
{
    static char path[512];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    return path;
}

static int setup(void **state)
{
    (void)state;
    memo_test_temp_dir(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memo_test_remove_tree(dir);
    return 0;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* "number:content" of every line, joined by "|"; a line that is too long is "number!". */
static void expect_lines(const char *text, size_t n, const char *wanted)
{
    memo_file file = {0};
    memo_lines lines = {.file = &file};
    memo_text line;
    memo_err err = {0};
    char got[512] = "";
    int more = 1;
    assert_memo_ok(memo_file_open(&file, write_file("lines", text, n), &err), err);
    while (more) {
        memo_status status = memo_lines_next(&lines, &line, &more, &err);
        size_t at = strlen(got);
        if (status == MEMO_ERR_LIMIT)
            snprintf(got + at, sizeof got - at, "|%d!", (int)lines.number);
        else if (status)
            fail_msg("%s", err.message);
        else if (more)
            snprintf(got + at, sizeof got - at, "|%d:%.*s", (int)lines.number, (int)line.n_bytes,
                     line.bytes);
    }
    assert_string_equal(got, wanted);
    memo_lines_fini(&lines);
    memo_file_close(&file);
}

static void test_lines_ends_of_every_kind(void **state)
{
    (void)state;
    expect_lines("", 0, "");
    expect_lines("\n\n", 2, "");
    expect_lines("a", 1, "|1:a");
    expect_lines("a\n", 2, "|1:a");
    expect_lines("a\r\n\r\n \t\nb\nc", 12, "|1:a|4:b|5:c");
    expect_lines("a\r", 2, "|1:a");
    expect_lines("\xef\xbb\xbf{}\n\xef\xbb\xbf", 9, "|1:{}|2:\xef\xbb\xbf");
    expect_lines("\xef\xbb\xbf\nb", 5, "|2:b");
    expect_lines("\xef\xbb", 2, "|1:\xef\xbb");
}

static void test_lines_skips_a_line_that_is_too_long(void **state)
{
    size_t n_long = MEMO_LINES_MAX_BYTES + 1;
    char *text = malloc(n_long + 16);
    (void)state;
    memcpy(text, "first\n", 6);
    memset(text + 6, 'x', n_long);
    memcpy(text + 6 + n_long, "\nlast", 5);
    expect_lines(text, 6 + n_long + 5, "|1:first|2!|3:last");
    text[6 + n_long - 1] = '\n'; /* exactly at the limit now */
    text[6 + n_long] = 'y';
    {
        const memo_import_options options = {.size = sizeof options};
        const char *path = write_file("lines", text, 6 + n_long + 5);
        memo_err err = {0};
        uint64_t n = 0;
        assert_memo_ok(memo_reader_count(path, MEMO_IMPORT_NDJSON, &options, &n, &err), err);
        assert_int_equal(n, 3);
    }
    free(text);
}

/* ---- records ------------------------------------------------------------------------------- */

static memo_status read_record(const char *line, const memo_import_options *options,
                               memo_arena *arena, memo_record_in *record, memo_err *err)
{
    memo_exported exported;
    const memo_import_options none = {.size = sizeof none};
    return memo_lines_record((memo_text){line, strlen(line)}, options ? options : &none, "f.ndjson",
                             arena, record, &exported, err);
}

static void test_lines_reads_all_fields(void **state)
{
    memo_arena arena = {0};
    memo_record_in r;
    memo_err err = {0};
    (void)state;
    assert_memo_ok(read_record("{\"_id\": 17, \"text\": \"a\\u0000b\", \"title\": \"T\", "
                               "\"tags\": [\"x\", \"y\"], \"metadata\": {\"n\": 1}, "
                               "\"created\": \"2025-07-01T00:00:00Z\", \"other\": null}",
                               NULL, &arena, &r, &err),
                   err);
    assert_string_equal(r.key, "17");
    assert_int_equal(r.text.n_bytes, 3);
    assert_memory_equal(r.text.bytes, "a\0b", 3);
    assert_string_equal(r.title, "T");
    assert_int_equal(r.n_tags, 2);
    assert_string_equal(r.tags[1], "y");
    assert_string_equal(r.metadata_json, "{\"n\":1}");
    assert_int_equal(r.created_ms, 1751328000000);
    assert_string_equal(r.source, "f.ndjson");
    memo_arena_fini(&arena);
}

static void test_lines_reads_fields_by_other_names(void **state)
{
    const memo_import_options options = {.size = sizeof options,
                                         .key_field = "no",
                                         .text_field = "body",
                                         .title_field = "head",
                                         .tags_field = "kind",
                                         .created_field = "at"};
    memo_arena arena = {0};
    memo_record_in r;
    memo_err err = {0};
    (void)state;
    assert_memo_ok(
        read_record("{\"no\":\"k\",\"body\":\"b\",\"head\":\"h\",\"kind\":\"one\",\"at\":12}",
                    &options, &arena, &r, &err),
        err);
    assert_string_equal(r.key, "k");
    assert_string_equal(r.title, "h");
    assert_int_equal(r.n_tags, 1);
    assert_string_equal(r.tags[0], "one");
    assert_int_equal(r.created_ms, 12);
    assert_memo_status(read_record("{\"body\":\"b\"}", &options, &arena, &r, &err), MEMO_ERR_FORMAT,
                       err);
    assert_contains(err.message, "\"no\"");
    memo_arena_fini(&arena);
}

static void test_lines_other_fields_are_metadata(void **state)
{
    const memo_import_options none = {.size = sizeof none, .no_extra = 1};
    static const char line[] = "{\"id\":1,\"_id\":2,\"text\":\"t\",\"url\":\"u\",\"n\":[1,true],"
                               "\"deep\":{\"a\":1.5},\"kind\":\"lost\",\"no\":null,"
                               "\"metadata\":{\"kind\":\"won\"}}";
    memo_arena arena = {0};
    memo_record_in r;
    memo_err err = {0};
    char *big = memo_malloc(70100);
    (void)state;
    assert_memo_ok(read_record(line, NULL, &arena, &r, &err), err);
    assert_string_equal(
        r.metadata_json,
        "{\"_id\":2,\"deep\":{\"a\":1.5},\"kind\":\"won\",\"n\":[1,true],\"url\":\"u\"}");
    assert_memo_ok(read_record(line, &none, &arena, &r, &err), err);
    assert_string_equal(r.metadata_json, "{\"kind\":\"won\"}");
    assert_memo_ok(read_record("{\"text\":\"t\",\"title\":\"T\"}", NULL, &arena, &r, &err), err);
    assert_null(r.metadata_json);
    memset(big, 'x', 70100);
    memcpy(big, "{\"text\":\"t\",\"url\":\"", 19);
    memcpy(big + 70000, "\"}", 3);
    assert_memo_status(read_record(big, NULL, &arena, &r, &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "1 fields");
    assert_contains(err.hint, "--no-extra");
    assert_memo_ok(read_record(big, &none, &arena, &r, &err), err);
    memo_free(big);
    memo_arena_fini(&arena);
}

static void test_lines_hashes_what_has_no_key(void **state)
{
    memo_arena arena = {0};
    memo_record_in a, b, c;
    memo_err err = {0};
    (void)state;
    assert_memo_ok(read_record("{\"text\":\"one\"}", NULL, &arena, &a, &err), err);
    assert_memo_ok(read_record("{\"text\":\"one\"}", NULL, &arena, &b, &err), err);
    assert_memo_ok(read_record("{\"text\":\"two\"}", NULL, &arena, &c, &err), err);
    assert_string_equal(a.key, b.key);
    assert_string_not_equal(a.key, c.key);
    assert_int_equal(strlen(a.key), 32);
    memo_arena_fini(&arena);
}

static void test_lines_refuses_bad_records(void **state)
{
    static const struct {
        const char *line;
        memo_status status;
        const char *names;
    } wrong[] = {
        {"[1]", MEMO_ERR_FORMAT, "object"},
        {"{\"text\": \"a\"", MEMO_ERR_FORMAT, "column 13"},
        {"{\"title\": \"a\"}", MEMO_ERR_FORMAT, "text"},
        {"{\"text\": 5}", MEMO_ERR_VALUE, "text"},
        {"{\"text\": null}", MEMO_ERR_VALUE, "text"},
        {"{\"text\": \"a\", \"id\": 1.5}", MEMO_ERR_VALUE, "id"},
        {"{\"text\": \"a\", \"id\": \"a\\u0000b\"}", MEMO_ERR_VALUE, "id"},
        {"{\"text\": \"a\", \"tags\": [1]}", MEMO_ERR_VALUE, "tags"},
        {"{\"text\": \"a\", \"tags\": {}}", MEMO_ERR_VALUE, "tags"},
        {"{\"text\": \"a\", \"metadata\": []}", MEMO_ERR_VALUE, "metadata"},
        {"{\"text\": \"a\", \"created\": \"yesterday\"}", MEMO_ERR_VALUE, "created"},
        {"{\"text\": \"a\", \"created\": true}", MEMO_ERR_VALUE, "created"},
        {"{\"text\": \"a\", \"text\": \"b\"}", MEMO_ERR_FORMAT, "text"},
    };
    memo_arena arena = {0};
    memo_record_in r;
    memo_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_memo_status(read_record(wrong[i].line, NULL, &arena, &r, &err), wrong[i].status,
                           err);
        assert_contains(err.message, wrong[i].names);
    }
    memo_arena_fini(&arena);
}

static void test_lines_survives_lack_of_memory(void **state)
{
    memo_err err = {0};
    (void)state;
    for (uint64_t at = 1;; at++) {
        memo_arena arena = {0};
        memo_record_in r;
        int64_t live = memo_alloc_live();
        memo_status status;
        memo_alloc_fail_at(at, 0);
        status = read_record("{\"text\":\"one\",\"tags\":[\"a\"],\"metadata\":{\"k\":2}}", NULL,
                             &arena, &r, &err);
        memo_alloc_fail_at(0, 0);
        memo_arena_fini(&arena);
        assert_int_equal(memo_alloc_live(), live);
        if (status == MEMO_OK)
            break;
        assert_int_equal(status, MEMO_ERR_NOMEM);
        assert_true(at < 50);
    }
}

/* ---- walk ---------------------------------------------------------------------------------- */

static void make_folder(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void test_walk_lists_a_folder_in_order(void **state)
{
    static const char *const wanted[] = {"B.md", "a/x.jsonl", "a/y.txt", "b.txt", "c.ndjson"};
    char link_to[512], link_at[512], store[512];
    memo_arena arena = {0};
    memo_walk walk = {.arena = &arena};
    memo_err err = {0};
    (void)state;
    memo_test_remove_tree(dir);
    memo_test_temp_dir(dir);
    make_folder("a");
    make_folder(".git");
    for (size_t i = 0; i < 5; i++)
        write_file(wanted[i], "text", 4);
    write_file(".hidden", "text", 4);
    write_file(".git/config", "text", 4);
    write_file("other.memo", "text", 4);
    write_file("other.memo-wal", "text", 4);
    write_file("mine.db-lock", "", 0);
    strcpy(store, write_file("mine.db", "text", 4));
    snprintf(link_to, sizeof link_to, "%s/b.txt", dir);
    snprintf(link_at, sizeof link_at, "%s/link", dir);
    assert_int_equal(symlink(link_to, link_at), 0);
    walk.store = store;
    const memo_import_options options = {.size = sizeof options};
    memo_import_format format;
    assert_memo_ok(memo_walk_add(&walk, dir, &err), err);
    assert_int_equal(walk.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(walk.files[i].path + strlen(dir) + 1, wanted[i]);
        assert_memo_ok(memo_reader_format(&walk.files[i], &options, &format, &err), err);
        assert_int_equal(format, i == 1 || i == 4 ? MEMO_IMPORT_NDJSON : MEMO_IMPORT_TEXT);
        assert_false(walk.files[i].is_named);
    }
    assert_int_equal(walk.n_skipped, 7);

    assert_memo_ok(memo_walk_add(&walk, link_at, &err), err);
    assert_true(walk.files[5].is_named);
    assert_memo_status(memo_walk_add(&walk, store, &err), MEMO_ERR_VALUE, err);
    assert_memo_status(memo_walk_add(&walk, "/nowhere/at/all", &err), MEMO_ERR_NOTFOUND, err);
    assert_memo_status(memo_walk_add(&walk, "/dev/null", &err), MEMO_ERR_IO, err);
    assert_memo_status(memo_walk_add(&walk, "", &err), MEMO_ERR_USAGE, err);
    memo_walk_fini(&walk);
    memo_arena_fini(&arena);
}

static void test_walk_refuses_deep_nesting(void **state)
{
    char path[512];
    memo_arena arena = {0};
    memo_walk walk = {.arena = &arena, .store = "/nowhere"};
    memo_err err = {0};
    (void)state;
    strcpy(path, "d");
    for (int i = 0; i < 66; i++) {
        make_folder(path);
        strcat(path, "/d");
    }
    assert_memo_status(memo_walk_add(&walk, dir, &err), MEMO_ERR_LIMIT, err);
    memo_walk_fini(&walk);
    memo_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_ends_of_every_kind),
        cmocka_unit_test(test_lines_skips_a_line_that_is_too_long),
        cmocka_unit_test(test_lines_reads_all_fields),
        cmocka_unit_test(test_lines_reads_fields_by_other_names),
        cmocka_unit_test(test_lines_other_fields_are_metadata),
        cmocka_unit_test(test_lines_hashes_what_has_no_key),
        cmocka_unit_test(test_lines_refuses_bad_records),
        cmocka_unit_test(test_lines_survives_lack_of_memory),
        cmocka_unit_test(test_walk_lists_a_folder_in_order),
        cmocka_unit_test(test_walk_refuses_deep_nesting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
