// SPDX-License-Identifier: Apache-2.0
/* Filters and ids through the calls of a store, by number.
 *
 *   189  test_limits_189_values_are_literal, test_limits_189_nul_in_a_stored_value
 *   190  test_limits_190_unknown_words, test_limits_190_type_mix_is_refused,
 *        test_limits_190_type_mix_of_metadata_matches_nothing
 *   191  test_limits_191_size_of_a_filter
 *   192  test_limits_192_numbers_are_exact, test_limits_192_dates_are_texts_in_metadata
 *   193  test_limits_193_nothing_and_everything
 *   194  test_limits_194_ids_out_of_range, test_limits_194_ids_that_are_allowed
 *   195  test_limits_195_insert_existing, test_limits_195_delete_absent
 *
 * What the language itself says to each wrong text is in test_filter.c, and prop_filter.c compares it
 * with a second implementation. */
#include <jansson.h>

#include "db_util.h"
#include "filter_text.h"
#include "limits_gauge.h"

static memo_records *list(db_env *e, const char *where)
{
    const memo_list_options o = {.size = sizeof o, .where = where, .limit = 100};
    memo_records *records = NULL;
    assert_memo_ok(memo_db_list(e->db, &o, &records, &e->err), e->err);
    return records;
}

/* The filter matches exactly these keys of one letter, given in order. */
static void expect_list(db_env *e, const char *where, const char *keys)
{
    memo_records *r = list(e, where);
    char got[128] = "";
    size_t n = 0;
    for (char key = 'A'; key <= 'z'; key++)
        for (size_t i = 0; i < r->n; i++)
            if (r->records[i].key[0] == key)
                got[n++] = key;
    if (strcmp(got, keys))
        fail_msg("%s\n  matches \"%s\", not \"%s\"", where, got, keys);
    memo_records_free(r);
}

/* Every call that takes a filter refuses it, and nothing is deleted. */
static void expect_refused(db_env *e, const char *where, memo_status status, const char *says)
{
    const memo_list_options list_options = {.size = sizeof list_options, .where = where};
    const memo_search_options search_options = {.size = sizeof search_options, .where = where};
    const memo_forget_options forget_options = {.size = sizeof forget_options, .where = where};
    uint64_t n = 7;
    memo_records *records = NULL;
    memo_hits *hits = NULL;
    limits_gauge g = limits_begin();
    assert_memo_status(memo_db_list(e->db, &list_options, &records, &e->err), status, e->err);
    assert_contains(e->err.message, says);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &search_options, &hits, &e->err),
                       status, e->err);
    assert_contains(e->err.message, says);
    assert_memo_status(memo_db_forget(e->db, &forget_options, &n, NULL, &e->err), status, e->err);
    assert_contains(e->err.message, says);
    limits_end(g, where);
    assert_true(n == 7 && !records && !hits);
}

static uint64_t n_records(db_env *e)
{
    memo_db_stats stats = {.size = sizeof stats};
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    return stats.n_records;
}

/* ---- 189 ------------------------------------------------------------------------------------- */

/* FIELD OP 'value' with the quotes in it doubled. */
static const char *filter_on(const char *field, const char *op, const char *value, char quote)
{
    static char out[512];
    size_t n = (size_t)snprintf(out, sizeof out, "%s %s %c", field, op, quote);
    for (; *value && n < sizeof out - 4; value++) {
        if (*value == quote)
            out[n++] = quote;
        out[n++] = *value;
    }
    out[n++] = quote;
    out[n] = '\0';
    return out;
}

static const char *const literal_values[] = {
    "'",
    "\"",
    "''",
    ";",
    "--",
    "%",
    "_",
    "x'; DROP TABLE records; --",
    "a' OR '1'='1",
    "\\",
    "\\'",
    "?1",
    ":a",
    "$b",
    "/*",
    "*/",
    "%s%n",
    "a\nb",
    "\x01",
    "\xc3\xa9",
    "e\xcc\x81",
    "\xf0\x9f\x98\x80",
    "[",
    "(",
    ")",
    "and",
    "null",
};
enum { N_LITERALS = sizeof literal_values / sizeof *literal_values };

static void add_literals(db_env *e)
{
    for (size_t i = 0; i < N_LITERALS; i++) {
        const char key[2] = {(char)('A' + i), 0}, *value = literal_values[i];
        json_t *object = json_pack("{s:s}", "v", value);
        char *metadata = json_dumps(object, JSON_COMPACT);
        memo_record_in in = db_record(key, "the spare key");
        in.title = in.source = value;
        in.tags = &value;
        in.n_tags = 1;
        in.metadata_json = metadata;
        db_put(e, in);
        json_decref(object);
        free(metadata);
    }
}

static void test_limits_189_values_are_literal(void **state)
{
    static const char *const fields[] = {"title", "source", "tags", "meta.v"};
    static const char quotes[] = {'\'', '"'};
    db_env *e = *state;
    add_literals(e);
    for (size_t i = 0; i < N_LITERALS; i++) {
        const char key[2] = {(char)('A' + i), 0};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            for (size_t q = 0; q < sizeof quotes; q++)
                expect_list(e, filter_on(fields[f], "=", literal_values[i], quotes[q]), key);
    }
    /* no wildcard, no escape: each stands only in the values that hold it as it is */
    expect_list(e, "title contains '%'", "FQ");
    expect_list(e, "title contains '_'", "G");
    expect_list(e, "title prefix '%'", "FQ");
    expect_list(e, "meta.v contains '\\'", "JK");
    expect_list(e, "tags prefix ''''", "AC");
    /* deleting by such a value deletes that record and no other */
    for (size_t i = 0; i < N_LITERALS; i++) {
        const memo_forget_options o = {.size = sizeof o,
                                       .where = filter_on("title", "=", literal_values[i], '\'')};
        uint64_t n = 0;
        assert_memo_ok(memo_db_forget(e->db, &o, &n, NULL, &e->err), e->err);
        assert_int_equal(n, 1);
        assert_int_equal(n_records(e), N_LITERALS - 1 - i);
    }
}

/* A filter is a C string and cannot hold a NUL; what it looks through can. */
static void test_limits_189_nul_in_a_stored_value(void **state)
{
    static const char *const metadata[] = {"{\"v\":\"tea\\u0000cup\"}",
                                           "{\"l\":[1,{\"v\":\"\\u0000\"}]}", "{\"a\\u0000\":1}"};
    db_env *e = *state;
    memo_record_in in = db_record("a", "");
    memo_record_edit edit = {.size = sizeof edit};
    in.text = (memo_text)MEMO_TEXT("tea\0cup");
    db_put(e, in);
    db_add(e, "b", "tea");
    expect_list(e, "text = 'tea'", "b");
    expect_list(e, "text prefix 'tea'", "ab");
    expect_list(e, "text contains 'cup'", "a");
    /* in metadata it would hide what follows it from every filter */
    for (size_t i = 0; i < 3; i++) {
        memo_status status = i == 2 ? MEMO_ERR_FORMAT : MEMO_ERR_VALUE;
        in = db_record("c", "tea");
        in.metadata_json = edit.metadata_json = metadata[i];
        assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), status, e->err);
        assert_contains(e->err.message, "metadata");
        assert_memo_status(memo_db_edit(e->db, NULL, "b", &edit, NULL, &e->err), status, e->err);
    }
    expect_list(e, "meta.v exists or meta.l exists", "");
}

/* ---- 190 ------------------------------------------------------------------------------------- */

static void test_limits_190_unknown_words(void **state)
{
    static const char *const bad[][2] = {
        {"", "byte 0: found the end"},
        {"color = 'red'", "byte 0: found \"color\", expected a field"},
        {"rowid = 1", "byte 0: found \"rowid\""},
        {"r.text = 'x'", "byte 0: found \"r.text\""},
        {"checksum = 1", "byte 0: found \"checksum\""},
        {"title like '%'", "byte 6: found \"like\", expected an operator"},
        {"title == 'x'", "byte 7: found \"=\""},
        {"title <> 'x'", "byte 7: found \">\""},
        {"title glob '*'", "byte 6: found \"glob\""},
        {"title regexp '.'", "byte 6: found \"regexp\""},
        {"title is null", "byte 6: found \"is\""},
        {"title = 'x' xor title = 'y'", "byte 12: found \"xor\""},
        {"title = (select 1)", "byte 8: found \"(select\""},
        {"length(title) = 1", "byte 0: found \"length(title\""},
        {"version contains '1'", "expected a comparison"},
        {"created = 'yesterday'", "expected a date"},
    };
    db_env *e = *state;
    db_add(e, "a", "the key");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(e, bad[i][0], MEMO_ERR_VALUE, bad[i][1]);
    assert_int_equal(n_records(e), 1);
}

/* A field of one type refuses a value of another: its `not` would match every record. */
static void test_limits_190_type_mix_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"title > 5", "expected a string"},
        {"title in ('a', true)", "expected a string"},
        {"not tags = 5", "expected a string"},
        {"key = 5", "expected a string"},
        {"version = '1'", "expected a number"},
        {"not trust = 'trustworthy'", "expected 'trusted', 'untrusted', 'unknown'"},
        {"tier = true", "expected 'goals', 'hot', 'rest'"},
        {"not pinned = 1", "expected true or false, 'yes' or 'no'"},
        {"created > true", "expected a date"},
    };
    db_env *e = *state;
    db_add(e, "a", "the key");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(e, bad[i][0], MEMO_ERR_VALUE, bad[i][1]);
    assert_int_equal(n_records(e), 1);
}

static void test_limits_190_type_mix_of_metadata_matches_nothing(void **state)
{
    static const char *const mixes[] = {
        "meta.t > 5",        "meta.n = '5'",    "meta.n > 'a'",
        "meta.n prefix '5'", "meta.b = 1",      "meta.b = 'true'",
        "meta.t = true",     "meta.z = 0",      "meta.z = ''",
        "meta.l = 1",        "meta.l = '[1]'",  "meta.o contains 'x'",
        "meta.absent = 5",   "meta.absent < 5", "meta.n between 'a' and 'z'",
    };
    db_env *e = *state;
    memo_record_in in = db_record("a", "the key");
    in.title = "5";
    in.metadata_json = "{\"t\":\"5\",\"n\":5,\"b\":true,\"z\":null,\"l\":[1],\"o\":{\"x\":1}}";
    db_put(e, in);
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
        char not [128];
        expect_list(e, mixes[i], "");
        snprintf(not, sizeof not, "not (%s)", mixes[i]);
        expect_list(e, not, "a");
    }
}

/* ---- 191 ------------------------------------------------------------------------------------- */

static void test_limits_191_size_of_a_filter(void **state)
{
    db_env *e = *state;
    const struct {
        char *fits, *exceeds;
        const char *says;
    } cases[] = {
        {filter_chain(128), filter_chain(129), "more than 256 tests and operators"},
        {filter_nested("(", 16, ")"), filter_nested("(", 17, ")"), "more than 16 nested levels"},
        {filter_nested("not ", 16, ""), filter_nested("not ", 17, ""), "more than 16 nested"},
        {filter_list(1000), filter_list(1001), "more than 1000 values in a list"},
        {filter_list(1), filter_list(100000), "more than"},
        {filter_nested("(", 1, ")"), filter_nested("(", 20000, ""), "more than 16 nested"},
        {filter_chain(1), filter_chain(100000), "more than"},
    };
    db_add(e, "a", "the key");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_records_free(list(e, cases[i].fits));
        expect_refused(e, cases[i].exceeds, MEMO_ERR_LIMIT, cases[i].says);
        free(cases[i].fits);
        free(cases[i].exceeds);
    }
    assert_int_equal(n_records(e), 1);
}

/* ---- 192 ------------------------------------------------------------------------------------- */

static void add_metadata(db_env *e, const char *key, const char *metadata)
{
    memo_record_in in = db_record(key, "the key");
    in.metadata_json = metadata;
    db_put(e, in);
}

static void test_limits_192_numbers_are_exact(void **state)
{
    static const char *const bad_metadata[] = {
        "{\"n\":NaN}",
        "{\"n\":Infinity}",
        "{\"n\":1e400}",
        "{\"n\":-1e400}",
        "{\"n\":9223372036854775808}",
        "{\"n\":-9223372036854775809}",
        "{\"n\":0x10}",
        "{\"n\":01}",
        "{\"n\":.5}",
    };
    static const char *const bad_filters[] = {
        "meta.n = NaN", "meta.n = inf", "meta.n = 9223372036854775808",  "meta.n = 0x10",
        "meta.n = .5",  "meta.n = 5.",  "meta.n = -9223372036854775809", "meta.n = 1_000",
        "meta.n = +5",
    };
    db_env *e = *state;
    memo_record_in in = db_record("x", "the key");
    add_metadata(e, "a", "{\"n\":9007199254740992}"); /* 2^53 */
    add_metadata(e, "b", "{\"n\":9007199254740993}"); /* no double has this value */
    add_metadata(e, "c", "{\"n\":9223372036854775807}");
    add_metadata(e, "d", "{\"n\":-9223372036854775808}");
    add_metadata(e, "e", "{\"n\":0.1}");
    add_metadata(e, "f", "{\"n\":1e308}");
    add_metadata(e, "g", "{\"n\":0}");
    expect_list(e, "meta.n = 9007199254740992", "a");
    expect_list(e, "meta.n = 9007199254740993", "b");
    expect_list(e, "meta.n > 9007199254740992 and meta.n < 1e19", "bc");
    expect_list(e, "meta.n >= 9223372036854775807", "cf");
    expect_list(e, "meta.n = -9223372036854775808", "d");
    expect_list(e, "meta.n < 0", "d");
    expect_list(e, "meta.n = 0.1", "e");
    expect_list(e, "meta.n = 1e-1", "e");
    expect_list(e, "meta.n = 0.10000000000000001", "e"); /* the same double */
    expect_list(e, "meta.n = 0.1000000001", "");
    expect_list(e, "meta.n = -0", "g");
    expect_list(e, "meta.n = -0.0", "g");
    expect_list(e, "meta.n < 1e400", "abcdefg"); /* beyond all of them */
    for (size_t i = 0; i < sizeof bad_filters / sizeof *bad_filters; i++)
        expect_refused(e, bad_filters[i], MEMO_ERR_VALUE, "filter, byte 9");
    for (size_t i = 0; i < sizeof bad_metadata / sizeof *bad_metadata; i++) {
        in.metadata_json = bad_metadata[i];
        memo_status status = memo_db_add(e->db, NULL, &in, 1, NULL, &e->err);
        if (status != MEMO_ERR_FORMAT && status != MEMO_ERR_VALUE)
            fail_msg("%s: %s", bad_metadata[i], memo_status_name(status));
        assert_contains(e->err.message, "metadata");
    }
    assert_int_equal(n_records(e), 7);
}

/* `created` and its kin are instants and read dates; metadata has no dates, only texts. */
static void test_limits_192_dates_are_texts_in_metadata(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("a", "the key");
    in.metadata_json = "{\"day\":\"2025-07-01\"}";
    in.created_ms = INT64_C(1751328000000); /* 2025-07-01 */
    db_put(e, in);
    expect_list(e, "meta.day = '2025-07-01'", "a");
    expect_list(e, "meta.day = '2025-07-01T00:00:00Z'", "");
    expect_list(e, "meta.day between '2025-06-30' and '2025-07-02'", "a");
    expect_list(e, "meta.day = 1751328000000", "");
    expect_list(e, "created = '2025-07-01'", "a");
    expect_list(e, "created = '2025-07-01T00:00:00Z'", "a");
    expect_list(e, "created = '2025-07-01T02:00:00+02:00'", "a");
    expect_refused(e, "created = '2025-02-29'", MEMO_ERR_VALUE, "expected a date");
    expect_refused(e, "created = '2025-07-01 00:00'", MEMO_ERR_VALUE, "expected a date");
}

/* ---- 193 ------------------------------------------------------------------------------------- */

static void check_same_hits(const memo_hits *a, const memo_hits *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->hits[i].id, b->hits[i].id);
        assert_true(a->hits[i].score == b->hits[i].score);
    }
}

static void test_limits_193_nothing_and_everything(void **state)
{
    db_env *e = *state;
    for (int i = 0; i < 300; i++) {
        char text[64], metadata[32];
        memo_record_in in = db_record(NULL, text);
        snprintf(text, sizeof text, i == 150 ? "zebra quiz" : "note %d about the garden key", i);
        snprintf(metadata, sizeof metadata, "{\"n\":%d}", i);
        in.text.n_bytes = strlen(text);
        in.metadata_json = metadata;
        db_put(e, in);
    }
    for (int mode = MEMO_SEARCH_HYBRID; mode <= MEMO_SEARCH_LEXICAL; mode++) {
        memo_search_options o = {.size = sizeof o, .k = 50, .mode = (memo_search_mode)mode};
        memo_hits *all = NULL, *hits = NULL;
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("garden key"), &o, &all, &e->err), e->err);
        assert_int_equal(all->n, 50);
        o.where = "id exists or meta.n < 0";
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("garden key"), &o, &hits, &e->err), e->err);
        check_same_hits(all, hits);
        memo_hits_free(all);
        memo_hits_free(hits);
        o.where = "meta.n < 0";
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("garden key"), &o, &hits, &e->err), e->err);
        assert_int_equal(hits->n, 0);
        assert_int_equal(hits->n_searched, 0);
        memo_hits_free(hits);
        /* the one record that passes is found, however far from the query it lies */
        o.where = "meta.n = 150";
        assert_memo_ok(memo_db_search(e->db, MEMO_STR("garden key"), &o, &hits, &e->err), e->err);
        assert_int_equal(hits->n, mode == MEMO_SEARCH_LEXICAL ? 0 : 1);
        memo_hits_free(hits);
    }
}

/* ---- 194 ------------------------------------------------------------------------------------- */

static void test_limits_194_ids_out_of_range(void **state)
{
    static char long_id[514];
    static const struct {
        const char *id, *says;
        memo_status status;
    } cases[] = {
        {"", "empty", MEMO_ERR_VALUE},
        {long_id, "513 bytes, at most 512", MEMO_ERR_LIMIT},
        {"\xff", "not UTF-8 at byte 0", MEMO_ERR_VALUE},
        {"a\xc3", "not UTF-8 at byte 1", MEMO_ERR_VALUE},
        {"a\xed\xa0\x80", "not UTF-8 at byte 1", MEMO_ERR_VALUE},
        {"\xc0\x80", "not UTF-8 at byte 0", MEMO_ERR_VALUE},
    };
    db_env *e = *state;
    const memo_record_edit edit = {.size = sizeof edit, .title = "t"};
    db_add(e, "good", "the key");
    memset(long_id, 'k', 513);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const ids[] = {"good", cases[i].id};
        const memo_forget_options forget = {.size = sizeof forget, .ids = ids, .n_ids = 2};
        memo_record_in in = db_record(cases[i].id, "text");
        memo_records *records = NULL;
        uint64_t n = 7;
        limits_gauge g = limits_begin();
#define CHECK_REFUSED(call)                                                                        \
    do {                                                                                           \
        assert_memo_status(call, cases[i].status, e->err);                                         \
        assert_contains(e->err.message, cases[i].says);                                            \
    } while (0)
        CHECK_REFUSED(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err));
        CHECK_REFUSED(memo_db_get(e->db, NULL, cases[i].id, &records, &e->err));
        CHECK_REFUSED(memo_db_edit(e->db, NULL, cases[i].id, &edit, NULL, &e->err));
        CHECK_REFUSED(memo_db_forget(e->db, &forget, &n, NULL, &e->err));
#undef CHECK_REFUSED
        limits_end(g, "an id");
        assert_true(n == 7 && !records);
        assert_int_equal(n_records(e), 1); /* the good one of the two was not deleted */
    }
}

static void test_limits_194_ids_that_are_allowed(void **state)
{
    static char longest[513];
    static const char *const ids[] = {
        "a/b", "/",   "../x", "-k",   " ", "\xc3\xa9", "e\xcc\x81",        "\xef\xac\x81",
        "fi",  "Key", "key",  "a\nb", "'", "%",        "\xf0\x9f\x98\x80", longest,
    };
    enum { N = sizeof ids / sizeof *ids };
    db_env *e = *state;
    memset(longest, 'k', 512);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(db_add(e, ids[i], "the key").outcome, MEMO_OUTCOME_NEW);
    assert_int_equal(n_records(e), N); /* bytes decide: no case, no normal form */
    for (size_t i = 0; i < N; i++) {
        const memo_forget_options o = {.size = sizeof o, .ids = &ids[i], .n_ids = 1};
        memo_records *r = NULL;
        uint64_t n = 0;
        assert_memo_ok(memo_db_get(e->db, NULL, ids[i], &r, &e->err), e->err);
        assert_string_equal(r->records[0].key, ids[i]);
        memo_records_free(r);
        assert_memo_ok(memo_db_forget(e->db, &o, &n, NULL, &e->err), e->err);
        assert_int_equal(n, 1);
        assert_int_equal(n_records(e), N - 1 - i);
    }
}

/* ---- 195 ------------------------------------------------------------------------------------- */

/* An insert under an existing key is an upsert: same id, next version, or nothing when all is the
 * same. */
static void test_limits_195_insert_existing(void **state)
{
    db_env *e = *state;
    memo_add_result first = db_add(e, "k", "the key"), again = db_add(e, "k", "the key"),
                    other = db_add(e, "k", "the pot"), by_id;
    memo_records *r = NULL;
    assert_int_equal(first.outcome, MEMO_OUTCOME_NEW);
    assert_int_equal(again.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_int_equal(other.outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(other.version, 2);
    assert_string_equal(other.id, first.id);
    assert_int_equal(n_records(e), 1);
    /* a key that spells another record's id is a record of its own; the id wins */
    by_id = db_add(e, first.id, "the boiler");
    assert_int_equal(by_id.outcome, MEMO_OUTCOME_NEW);
    assert_string_not_equal(by_id.id, first.id);
    assert_memo_ok(memo_db_get(e->db, NULL, first.id, &r, &e->err), e->err);
    assert_string_equal(r->records[0].key, "k");
    memo_records_free(r);
}

static void test_limits_195_delete_absent(void **state)
{
    static const char *const ids[] = {"nobody", "k", "k", "01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    db_env *e = *state;
    memo_forget_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    uint64_t n = 7, absent = 7;
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err); /* no namespace yet */
    assert_true(n == 0 && absent == 1);
    db_add(e, "k", "the key");
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
    assert_true(n == 0 && absent == 1);
    o.n_ids = 4;
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
    assert_true(n == 1 && absent == 3);
    o = (memo_forget_options){.size = sizeof o, .where = "key = 'k'"};
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
    assert_true(n == 0 && absent == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_limits_189_values_are_literal),
        db_test(test_limits_189_nul_in_a_stored_value),
        db_test(test_limits_190_unknown_words),
        db_test(test_limits_190_type_mix_is_refused),
        db_test(test_limits_190_type_mix_of_metadata_matches_nothing),
        db_test(test_limits_191_size_of_a_filter),
        db_test(test_limits_192_numbers_are_exact),
        db_test(test_limits_192_dates_are_texts_in_metadata),
        db_test(test_limits_193_nothing_and_everything),
        db_test(test_limits_194_ids_out_of_range),
        db_test(test_limits_194_ids_that_are_allowed),
        db_test(test_limits_195_insert_existing),
        db_test(test_limits_195_delete_absent),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
