// SPDX-License-Identifier: Apache-2.0
#include "db_util.h"

#include <sqlite3.h>

#include "memory/db.h"
#include "store/store_inner.h"

static memo_records *get(db_env *e, const char *id)
{
    memo_records *r = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, id, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    return r;
}

static memo_db_stats stats(db_env *e)
{
    memo_db_stats s = {.size = sizeof s};
    assert_memo_ok(memo_db_get_stats(e->db, &s, &e->err), e->err);
    return s;
}

/* ---- add ----------------------------------------------------------------------------------- */

static void test_db_keeps_all_fields(void **state)
{
    db_env *e = *state;
    const char *const tags[] = {"home", "gift"};
    memo_record_in in = db_record("k1", "the key is under the pot");
    memo_add_result result = {.size = sizeof result};
    memo_records *r;
    in.title = "spare key";
    in.metadata_json = "{\"b\": 1, \"a\": [true, null]}";
    in.tags = tags;
    in.n_tags = 2;
    in.created_ms = 12345;
    in.expires_ms = DB_NOW + 1000;
    in.source = "notes.md";
    result = db_put(e, in);
    assert_int_equal(result.outcome, MEMO_OUTCOME_NEW);
    assert_int_equal(result.version, 1);
    assert_int_equal(result.n_chunks, 1);
    assert_int_equal(strlen(result.id), 26);
    for (int i = 0; i < 2; i++) {
        r = get(e, i ? result.id : "k1");
        assert_string_equal(r->records->id, result.id);
        assert_string_equal(r->records->key, "k1");
        assert_string_equal(r->records->ns, "default");
        assert_string_equal(r->records->text.bytes, "the key is under the pot");
        assert_string_equal(r->records->title, "spare key");
        assert_string_equal(r->records->metadata_json, "{\"a\":[true,null],\"b\":1}");
        assert_int_equal(r->records->n_tags, 2);
        assert_int_equal(r->records->created_ms, 12345);
        assert_int_equal(r->records->updated_ms, DB_NOW);
        assert_int_equal(r->records->expires_ms, DB_NOW + 1000);
        assert_string_equal(r->records->source, "notes.md");
        memo_records_free(r);
    }
    e->now_ms = DB_NOW + 1000;
    assert_memo_status(memo_db_get(e->db, NULL, "k1", &r, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "expired");
}

static void test_db_keeps_nul_and_any_utf8(void **state)
{
    db_env *e = *state;
    const char text[] = "one\0two \xF0\x9F\x98\x80 \xE2\x80\xA8 \xEF\xBB\xBF.";
    memo_record_in in = db_record("k", "");
    memo_records *r;
    in.text = (memo_text){text, sizeof text - 1};
    db_put(e, in);
    r = get(e, "k");
    assert_int_equal(r->records->text.n_bytes, sizeof text - 1);
    assert_memory_equal(r->records->text.bytes, text, sizeof text);
    memo_records_free(r);
}

static void test_db_upserts_by_key(void **state)
{
    db_env *e = *state;
    memo_add_result a = db_add(e, "k", "the first text"), b, c;
    uint64_t seq = stats(e).change_seq;
    e->now_ms += 60000;
    b = db_add(e, "k", "the first text");
    assert_int_equal(b.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_int_equal(b.version, 1);
    assert_int_equal(b.n_tokens, 0);
    assert_string_equal(b.id, a.id);
    assert_int_equal(stats(e).change_seq, seq);
    c = db_add(e, "k", "the second text");
    assert_int_equal(c.outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(c.version, 2);
    assert_string_equal(c.id, a.id);
    assert_true(stats(e).change_seq > seq);
    assert_int_equal(stats(e).n_records, 1);
    assert_int_equal(stats(e).n_vectors, 1);
}

/* Each field counts, the spelling of the metadata does not. */
static void test_db_sees_every_change(void **state)
{
    db_env *e = *state;
    const char *const tags[] = {"x"};
    memo_record_in base = db_record("k", "text"), in;
    base.metadata_json = "{\"a\":1,\"b\":2}";
    db_put(e, base);
    in = base;
    in.metadata_json = "{ \"b\": 2, \"a\": 1 }";
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_UNCHANGED);
    in.metadata_json = "{\"a\":1,\"b\":3}";
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    in.title = "T";
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    in.tags = tags;
    in.n_tags = 1;
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    in.expires_ms = DB_NOW + 5;
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    in.source = "s";
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    in.chunking = MEMO_CHUNK_NONE;
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_UNCHANGED);
}

static void test_db_handles_one_key_twice_in_a_batch(void **state)
{
    db_env *e = *state;
    memo_record_in in[3] = {db_record("k", "one"), db_record("k", "two"), db_record("k", "two")};
    memo_add_result out[3] = {{.size = sizeof *out}};
    memo_records *r;
    db_add(e, "k", "two");
    assert_memo_ok(memo_db_add(e->db, NULL, in, 3, out, &e->err), e->err);
    assert_int_equal(out[0].outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(out[1].outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(out[2].outcome, MEMO_OUTCOME_UNCHANGED);
    r = get(e, "k");
    assert_string_equal(r->records->text.bytes, "two");
    assert_int_equal(r->records->version, 3);
    memo_records_free(r);
    /* the second equals what is stored now, but not what the first will have written */
    assert_memo_ok(memo_db_add(e->db, NULL, in, 2, out, &e->err), e->err);
    assert_int_equal(out[1].outcome, MEMO_OUTCOME_CHANGED);
    r = get(e, "k");
    assert_string_equal(r->records->text.bytes, "two");
    memo_records_free(r);
    in[1].text = in[0].text;
    in[0].text = in[2].text;
    assert_memo_ok(memo_db_add(e->db, NULL, in, 2, out, &e->err), e->err);
    assert_int_equal(out[0].outcome, MEMO_OUTCOME_UNCHANGED);
    r = get(e, "k");
    assert_string_equal(r->records->text.bytes, "one");
    memo_records_free(r);
}

static void test_db_adds_all_or_nothing(void **state)
{
    db_env *e = *state;
    memo_record_in in[3] = {db_record("a", "one"), db_record("b", "two"), db_record("c", " \n\t")};
    assert_memo_status(memo_db_add(e->db, NULL, in, 3, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "record 2");
    assert_int_equal(stats(e).n_records, 0);
    assert_memo_ok(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), e->err);
    assert_int_equal(stats(e).n_records, 2);
    assert_memo_ok(memo_db_add(e->db, NULL, NULL, 0, NULL, &e->err), e->err);
}

static void test_db_refuses_bad_records(void **state)
{
    static const char *const empty_tag[] = {""};
    db_env *e = *state;
    char key[600], metadata[70000];
    memo_record_in in;
    memset(key, 'k', sizeof key);
    key[513] = 0;
    memset(metadata, ' ', sizeof metadata);
    memcpy(metadata, "{\"a\":1}", 7);
    metadata[65537] = 0;
#define REFUSES(status, part, ...)                                                                 \
    do {                                                                                           \
        in = db_record("k", "text");                                                               \
        __VA_ARGS__;                                                                               \
        assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), status, e->err);       \
        assert_contains(e->err.message, part);                                                     \
    } while (0)
    REFUSES(MEMO_ERR_VALUE, "empty", in.text.n_bytes = 0);
    REFUSES(MEMO_ERR_VALUE, "empty", in.text = (memo_text)MEMO_TEXT("\0\x01\xc2\xa0"));
    REFUSES(MEMO_ERR_VALUE, "byte 2", in.text = (memo_text)MEMO_TEXT("ab\xff"));
    REFUSES(MEMO_ERR_VALUE, "key", in.key = "");
    REFUSES(MEMO_ERR_LIMIT, "key", in.key = key);
    REFUSES(MEMO_ERR_VALUE, "key", in.key = "\xc3");
    REFUSES(MEMO_ERR_VALUE, "title", in.title = "\xed\xa0\x80");
    REFUSES(MEMO_ERR_VALUE, "tag", (in.tags = empty_tag, in.n_tags = 1));
    REFUSES(MEMO_ERR_VALUE, "expires_ms", in.expires_ms = -1);
    REFUSES(MEMO_ERR_VALUE, "metadata", in.metadata_json = "[1]");
    REFUSES(MEMO_ERR_FORMAT, "metadata", in.metadata_json = "{\"a\":1,\"a\":2}");
    REFUSES(MEMO_ERR_LIMIT, "metadata", in.metadata_json = metadata);
    REFUSES(MEMO_ERR_VALUE, "chunks of 7", in.chunk_tokens = 7);
    REFUSES(MEMO_ERR_VALUE, "chunks of 63", in.chunk_tokens = 63);
    REFUSES(MEMO_ERR_VALUE, "overlap", (in.chunk_tokens = 20, in.chunk_overlap = 11));
    REFUSES(MEMO_ERR_VALUE, "chunking", in.chunking = (memo_chunking)9);
    REFUSES(MEMO_ERR_USAGE, "size", in.size = 3);
#undef REFUSES
    assert_int_equal(stats(e).n_records, 0);
}

static void test_db_cuts_long_texts(void **state)
{
    db_env *e = *state;
    char text[4000] = "";
    memo_record_in in;
    memo_add_result result = {.size = sizeof result};
    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), "the note %d is about the garden. ", i);
    in = db_record("k", text);
    in.title = "note";
    result = db_put(e, in);
    assert_true(result.n_chunks > 8);
    assert_int_equal(stats(e).n_chunks, result.n_chunks);
    assert_int_equal(stats(e).n_vectors, result.n_chunks);
    in.chunking = MEMO_CHUNK_NONE;
    assert_int_equal(db_put(e, in).n_chunks, 1);
    assert_int_equal(stats(e).n_vectors, 1);
}

static int cancel(void *user, const memo_progress *p)
{
    (void)p;
    return ++*(int *)user > 0;
}

static void test_db_can_be_cancelled(void **state)
{
    db_env *e = *state;
    int n_calls = 0;
    memo_write_options options = {
        .size = sizeof options, .progress = cancel, .progress_user = &n_calls};
    memo_record_in in = db_record("k", "text");
    assert_memo_status(memo_db_add(e->db, &options, &in, 1, NULL, &e->err), MEMO_ERR_CANCELLED,
                       e->err);
    assert_int_equal(n_calls, 1);
    assert_int_equal(stats(e).n_records, 0);
    options = (memo_write_options){.size = sizeof options, .deadline_ms = -1};
    assert_memo_status(memo_db_add(e->db, &options, &in, 1, NULL, &e->err), MEMO_ERR_DEADLINE,
                       e->err);
    assert_int_equal(stats(e).n_records, 0);
}

/* ---- models -------------------------------------------------------------------------------- */

static void test_limits_120_store_of_another_model(void **state)
{
    db_env *e = *state;
    memo_model *other = tiny_model_open(e->ctx, e->dir, 2, &e->err);
    const memo_search_options lexical = {.size = sizeof lexical, .mode = MEMO_SEARCH_LEXICAL};
    memo_write_options options = {.size = sizeof options, .ns = "second"};
    memo_record_in in = db_record("k2", "another");
    memo_hits *hits = NULL;
    memo_model_info info = {.size = sizeof info};
    db_add(e, "k", "the spare key");
    db_reopen(e, other);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "namespace \"default\" holds 1 vectors from tiny.f32@");
    assert_contains(e->err.message, "same 32 dimensions, different weights");
    assert_contains(e->err.message, "nothing was written");
    assert_contains(e->err.hint, "--ns");
    memo_model_get_info(other, &info, NULL);
    assert_true(
        strncmp(strstr(e->err.message, "this model is tiny.f32@") + 23, info.fingerprint, 8) == 0);
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), NULL, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("key"), &lexical, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
    assert_memo_ok(memo_db_add(e->db, &options, &in, 1, NULL, &e->err), e->err);
    assert_int_equal(stats(e).n_namespaces, 2);
    memo_db_close(e->db);
    e->db = NULL;
    memo_model_close(other);
}

static void test_db_without_model_reads_and_edits(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("k2", "another");
    const char *const tags[] = {"t"};
    memo_text text = MEMO_TEXT("new text");
    memo_record_edit edit = {.size = sizeof edit, .set_tags = 1, .tags = tags, .n_tags = 1};
    memo_add_result result = {.size = sizeof result};
    memo_records *r;
    db_add(e, "k", "the spare key");
    db_reopen(e, NULL);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    assert_contains(e->err.message, "model");
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 2);
    r = get(e, "k");
    assert_string_equal(r->records->tags[0], "t");
    memo_records_free(r);
    edit.text = &text;
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), MEMO_ERR_USAGE,
                       e->err);
}

/* ---- edit ---------------------------------------------------------------------------------- */

static void test_db_edits_what_is_given(void **state)
{
    db_env *e = *state;
    const char *const tags[] = {"a", "b"};
    const int64_t never = 0;
    memo_text text = MEMO_TEXT("the boiler");
    memo_record_in in = db_record("k", "the key");
    memo_record_edit edit = {.size = sizeof edit};
    memo_add_result result = {.size = sizeof result};
    memo_records *r;
    in.title = "title";
    in.metadata_json = "{\"a\":1,\"b\":2}";
    in.tags = tags;
    in.n_tags = 2;
    in.expires_ms = DB_NOW + 99;
    in.source = "s.md";
    in.chunking = MEMO_CHUNK_NONE;
    db_put(e, in);

    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);

    edit.metadata_json = "{\"b\":null,\"c\":\"x\",\"absent\":null}";
    edit.expires_ms = &never;
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 2);
    edit = (memo_record_edit){.size = sizeof edit, .text = &text, .title = "", .set_tags = 1};
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 3);
    r = get(e, "k");
    assert_string_equal(r->records->text.bytes, "the boiler");
    assert_string_equal(r->records->title, "");
    assert_string_equal(r->records->metadata_json, "{\"a\":1,\"c\":\"x\"}");
    assert_int_equal(r->records->n_tags, 0);
    assert_int_equal(r->records->expires_ms, 0);
    assert_string_equal(r->records->source, "s.md");
    assert_int_equal(r->records->created_ms, DB_NOW);
    memo_records_free(r);
    assert_int_equal(stats(e).n_versions, 2);

    assert_memo_status(memo_db_edit(e->db, NULL, "nobody", &edit, NULL, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    edit.metadata_json = "7";
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_VALUE,
                       e->err);
}

/* ---- forget -------------------------------------------------------------------------------- */

static void test_db_forgets_by_id_key_and_filter(void **state)
{
    db_env *e = *state;
    memo_add_result a = db_add(e, NULL, "one");
    const char *const ids[] = {a.id, "k2", "absent"};
    memo_forget_options o = {.size = sizeof o, .ids = ids, .n_ids = 3, .dry_run = 1};
    uint64_t n = 0, absent = 0;
    db_add(e, "k2", "two");
    db_add(e, "k3", "three");
    db_add(e, "k4", "four");
    for (int dry = 1; dry >= 0; dry--) {
        o.dry_run = dry;
        assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
        assert_int_equal(n, 2);
        assert_int_equal(absent, 1);
        assert_int_equal(stats(e).n_records, dry ? 4 : 2);
    }
    assert_int_equal(stats(e).n_tombstones, 2);
    assert_int_equal(stats(e).n_vectors, 2);
    o = (memo_forget_options){.size = sizeof o, .where = "key = 'k3'"};
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
    assert_int_equal(n, 1);
    assert_int_equal(stats(e).n_records, 1);
    o = (memo_forget_options){.size = sizeof o};
    assert_memo_status(memo_db_forget(e->db, &o, &n, &absent, &e->err), MEMO_ERR_USAGE, e->err);
    o = (memo_forget_options){.size = sizeof o, .ns = "nowhere", .ids = ids, .n_ids = 3};
    assert_memo_ok(memo_db_forget(e->db, &o, &n, &absent, &e->err), e->err);
    assert_int_equal(absent, 3);
    o = (memo_forget_options){.size = sizeof o, .where = "nofield = 1"};
    assert_memo_status(memo_db_forget(e->db, &o, &n, &absent, &e->err), MEMO_ERR_VALUE, e->err);
}

/* ---- list ---------------------------------------------------------------------------------- */

static void test_db_lists_in_pages(void **state)
{
    db_env *e = *state;
    memo_list_options o = {.size = sizeof o, .limit = 3, .oldest_first = 1};
    memo_records *r = NULL;
    char after[200] = "";
    int seen = 0;
    for (int i = 0; i < 8; i++) {
        char key[16];
        memo_record_in in;
        sprintf(key, "k%d", i);
        in = db_record(key, "text");
        in.created_ms = 1000 + i;
        in.expires_ms = i == 7 ? DB_NOW : 0;
        db_put(e, in);
    }
    do {
        o.after = after[0] ? after : NULL;
        assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
        for (size_t i = 0; i < r->n; i++)
            assert_int_equal(r->records[i].key[1], '0' + seen++);
        strcpy(after, r->next ? r->next : "");
        memo_records_free(r);
    } while (after[0]);
    assert_int_equal(seen, 7);
    o = (memo_list_options){.size = sizeof o, .where = "created > 1003"};
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n, 3);
    assert_string_equal(r->records[0].key, "k6");
    memo_records_free(r);
    o = (memo_list_options){.size = sizeof o, .limit = 1001};
    assert_memo_status(memo_db_list(e->db, &o, &r, &e->err), MEMO_ERR_LIMIT, e->err);
    o = (memo_list_options){.size = sizeof o, .ns = "nowhere"};
    assert_memo_status(memo_db_list(e->db, &o, &r, &e->err), MEMO_ERR_NOTFOUND, e->err);
}

static void test_db_list_of_an_empty_store_is_empty(void **state)
{
    db_env *e = *state;
    memo_records *r = NULL;
    assert_memo_ok(memo_db_list(e->db, NULL, &r, &e->err), e->err);
    assert_int_equal(r->n, 0);
    assert_string_equal(e->err.message, ""); /* what went well says nothing */
    memo_records_free(r);
}

/* ---- memory -------------------------------------------------------------------------------- */

static memo_status add_edit_get(db_env *e, memo_err *err)
{
    const char *const ids[] = {"k"};
    const memo_forget_options forget = {.size = sizeof forget, .ids = ids, .n_ids = 1};
    memo_record_edit edit = {.size = sizeof edit, .title = "T", .metadata_json = "{\"x\":1}"};
    memo_record_in in = db_record("k", "the key is under the pot. the boiler was in the garden.");
    memo_records *r = NULL;
    memo_status status;
    in.chunk_tokens = 8;
    in.title = "about";
    status = memo_db_add(e->db, NULL, &in, 1, NULL, err);
    if (status == MEMO_OK)
        status = memo_db_edit(e->db, NULL, "k", &edit, NULL, err);
    if (status == MEMO_OK)
        status = memo_db_get(e->db, NULL, "k", &r, err);
    memo_records_free(r);
    r = NULL;
    if (status == MEMO_OK)
        status = memo_db_list(e->db, NULL, &r, err);
    memo_records_free(r);
    if (status == MEMO_OK)
        status = memo_db_forget(e->db, &forget, NULL, NULL, err);
    return status;
}

static void test_db_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    int done = 0;
    assert_memo_ok(add_edit_get(e, &e->err), e->err); /* what is made once per handle */
    for (uint64_t at = 1; !done; at++) {
        int64_t live = memo_alloc_live();
        memo_err err = {0};
        memo_status status;
        memo_alloc_fail_at(at, 0);
        status = add_edit_get(e, &err);
        memo_alloc_fail_at(0, 0);
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        if (status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        done = status == MEMO_OK;
        assert_true(at < 5000);
    }
}

/* How often a record was read by its row id, as it is for the ids that another one names. */
static int n_rid_reads(db_env *e)
{
    int n = 0;
    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(e->db->store->sql.db, st));)
        if (strstr(sqlite3_sql(st), " FROM records WHERE rid = ?"))
            n += sqlite3_stmt_status(st, SQLITE_STMTSTATUS_RUN, 0);
    return n;
}

/* A parent of many parts may be a long text: it is read and hashed once a list. */
static void test_db_list_reads_a_parent_once(void **state)
{
    db_env *e = *state;
    const memo_list_options all = {.size = sizeof all, .limit = 100, .where = "parent exists"};
    char key[16];
    memo_records *r = NULL;
    const memo_add_result even = db_add(e, "p0", "the first book"),
                          odd = db_add(e, "p1", "the second book");
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "part %d", i);
        memo_record_in in = db_record(key, key);
        in.parent = i % 2 ? "p1" : "p0";
        db_put(e, in);
    }
    const int before = n_rid_reads(e);
    assert_memo_ok(memo_db_list(e->db, &all, &r, &e->err), e->err);
    assert_int_equal(n_rid_reads(e) - before, 2);
    assert_int_equal(r->n, 20);
    for (size_t i = 0; i < r->n; i++)
        assert_string_equal(r->records[i].parent,
                            atoi(r->records[i].key + 5) % 2 ? odd.id : even.id);
    memo_records_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_db_keeps_all_fields),
        db_test(test_db_keeps_nul_and_any_utf8),
        db_test(test_db_upserts_by_key),
        db_test(test_db_sees_every_change),
        db_test(test_db_handles_one_key_twice_in_a_batch),
        db_test(test_db_adds_all_or_nothing),
        db_test(test_db_refuses_bad_records),
        db_test(test_db_cuts_long_texts),
        db_test(test_db_can_be_cancelled),
        db_test(test_limits_120_store_of_another_model),
        db_test(test_db_without_model_reads_and_edits),
        db_test(test_db_edits_what_is_given),
        db_test(test_db_forgets_by_id_key_and_filter),
        db_test(test_db_lists_in_pages),
        db_test(test_db_list_of_an_empty_store_is_empty),
        db_test(test_db_survives_lack_of_memory),
        db_test(test_db_list_reads_a_parent_once),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
