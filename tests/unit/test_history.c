// SPDX-License-Identifier: Apache-2.0
#include "db_util.h"

#include <sys/wait.h>

#include "memory/db.h"
#include "store/rows/cells.h"
#include "store/store_inner.h"

/* ---- marks --------------------------------------------------------------------------------- */

static const int mark_one = 1, mark_zero = 0, mark_minus = -1, mark_five = 5;

static memo_records *history_get(db_env *e, const char *id)
{
    memo_records *r = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, id, &r, &e->err), e->err);
    return r;
}

static void history_edit(db_env *e, const char *id, memo_record_edit edit)
{
    edit.size = sizeof edit;
    assert_memo_ok(memo_db_edit(e->db, NULL, id, &edit, NULL, &e->err), e->err);
}

static uint64_t history_forget(db_env *e, memo_forget_options o)
{
    uint64_t n = 0;
    o.size = sizeof o;
    assert_memo_ok(memo_db_forget(e->db, &o, &n, NULL, &e->err), e->err);
    return n;
}

/* The keys of a list, oldest first, as "a b c". */
static const char *history_keys(db_env *e, const char *where, int64_t as_of_ms)
{
    static char out[256];
    const memo_list_options o = {
        .size = sizeof o, .where = where, .as_of_ms = as_of_ms, .oldest_first = 1};
    memo_records *r = NULL;
    out[0] = '\0';
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    for (size_t i = 0; i < r->n; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? " " : "",
                 r->records[i].key);
    memo_records_free(r);
    return out;
}

static void test_marks_are_kept_and_shown(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("b", "a dog");
    memo_records *r;
    db_add(e, "a", "a cat");
    in.trust = &mark_minus;
    in.pinned = &mark_one;
    in.tier = &mark_zero;
    in.parent = "a";
    in.supersedes = "a";
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_NEW);
    assert_int_equal(db_put(e, in).outcome, MEMO_OUTCOME_UNCHANGED);
    r = history_get(e, "b");
    assert_int_equal(r->records[0].trust, -1);
    assert_int_equal(r->records[0].pinned, 1);
    assert_int_equal(r->records[0].tier, 0);
    memo_records *a = history_get(e, "a");
    assert_string_equal(r->records[0].parent, a->records[0].id);
    assert_string_equal(r->records[0].supersedes, a->records[0].id);
    assert_null(r->records[0].superseded_by);
    assert_string_equal(a->records[0].superseded_by, r->records[0].id);
    assert_int_equal(a->records[0].tier, 2);
    memo_records_free(a);
    memo_records_free(r);

    db_add(e, "b", "a dog again"); /* an upsert that does not name them keeps them */
    history_edit(e, "b", (memo_record_edit){.trust = &mark_one, .parent = "", .source = "s"});
    r = history_get(e, "b");
    assert_int_equal(r->records[0].trust, 1);
    assert_int_equal(r->records[0].pinned, 1);
    assert_null(r->records[0].parent);
    assert_string_equal(r->records[0].source, "s");
    assert_int_equal(r->records[0].version, 3);
    memo_records_free(r);
    assert_string_equal(history_keys(e, "pinned = true and tier = 0 and trust > 0", 0), "b");
    assert_int_equal(
        history_forget(e, (memo_forget_options){.ids = (const char *[]){"a"}, .n_ids = 1}), 1);
    r = history_get(e, "b");
    assert_null(r->records[0].supersedes);
    memo_records_free(r);
}

/* What a record has of others is left out and told when the rows that say so fail their checksums. */
static void test_damaged_links_are_told(void **state)
{
    static const char *const harms[] = {
        "UPDATE links SET score = score + 1",
        "UPDATE records SET text = 'a cow' WHERE key = 'a'",
    };
    db_env *e = *state;
    const memo_list_options o = {.size = sizeof o, .where = "pinned = true"};
    memo_record_in in = db_record("b", "a dog");
    memo_records *r = NULL;
    db_add(e, "a", "a cat");
    in.pinned = &mark_one;
    in.parent = "a";
    in.supersedes = "a";
    db_put(e, in);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sqlite3_exec(e->db->store->sql.db, harms[i], NULL, NULL, NULL), SQLITE_OK);
        r = history_get(e, "b");
        assert_int_equal(r->n, 1);
        assert_string_equal(r->records[0].text.bytes, "a dog");
        assert_null(r->records[0].supersedes);
        assert_true((r->records[0].parent == NULL) == (i == 1));
        assert_int_equal(r->n_damaged, 1);
        assert_contains(r->damaged[0], "links of ");
        assert_contains(r->damaged[0], r->records[0].id);
        memo_records_free(r);
        assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
        assert_int_equal(r->n, 1);
        assert_int_equal(r->n_damaged, 1);
        memo_records_free(r);
    }
}

static void test_marks_out_of_range_are_refused(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("a", "a cat");
    in.tier = &mark_five;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "tier is 5; allowed is 0 to 2");
    in.tier = NULL;
    in.pinned = &mark_minus;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    in.pinned = NULL;
    in.parent = "nobody";
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "parent: no record \"nobody\"");
    in.parent = NULL;
    db_put(e, in);
    in.supersedes = "a";
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "cannot name itself");
}

/* A search by meaning sees just as many records. */
static void history_finds(db_env *e, const char *where, size_t n)
{
    const memo_search_options o = {
        .size = sizeof o, .mode = MEMO_SEARCH_DENSE, .where = where, .k = 10};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("a cat"), &o, &hits, &e->err), e->err);
    assert_int_equal(hits->n, n);
    memo_hits_free(hits);
}

static void test_pinned_records_outlive_expiry_and_filters(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("keep", "a cat");
    in.expires_ms = DB_NOW + 1000;
    in.pinned = &mark_one;
    db_put(e, in);
    in.key = "drop";
    in.pinned = NULL;
    db_put(e, in);
    db_add(e, "stay", "a dog");
    e->now_ms += 2000;
    assert_string_equal(history_keys(e, NULL, 0), "keep stay");
    memo_records_free(history_get(e, "keep"));
    history_finds(e, NULL, 2);
    history_finds(e, "key = 'keep' or key = 'drop'", 1);
    e->db->index.min_rows = 1; /* by the index of the vectors, too */
    history_finds(e, NULL, 2);
    history_finds(e, "key = 'keep' or key = 'drop'", 1);
    assert_int_equal(history_forget(e, (memo_forget_options){.expired = 1, .dry_run = 1}), 1);
    assert_int_equal(history_forget(e, (memo_forget_options){.expired = 1}), 1);
    assert_int_equal(
        history_forget(e, (memo_forget_options){.expired = 1, .pinned = 1, .dry_run = 1}), 1);
    assert_int_equal(history_forget(e, (memo_forget_options){.where = "text contains 'a'"}), 1);
    assert_string_equal(history_keys(e, NULL, 0), "keep");
    assert_int_equal(
        history_forget(e, (memo_forget_options){.where = "text contains 'a'", .pinned = 1}), 1);
    assert_string_equal(history_keys(e, NULL, 0), "");
}

/* ---- versions ------------------------------------------------------------------------------ */

/* Three versions, a second apart: text, then tag, then text. */
static void history_three(db_env *e)
{
    static const char *const tag[] = {"red"};
    const memo_text third = MEMO_STR("a bird");
    memo_record_in in = db_record("k", "a cat");
    in.title = "T";
    db_put(e, in);
    e->now_ms += 1000;
    history_edit(e, "k", (memo_record_edit){.tags = tag, .n_tags = 1, .set_tags = 1});
    e->now_ms += 1000;
    history_edit(e, "k", (memo_record_edit){.text = &third, .set_tags = 1});
}

static void test_history_newest_first(void **state)
{
    db_env *e = *state;
    memo_history_options o = {.size = sizeof o};
    memo_records *r = NULL;
    history_three(e);
    assert_memo_ok(memo_db_history(e->db, &o, "k", &r, &e->err), e->err);
    assert_int_equal(r->n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r->records[i].version, 3 - i);
        assert_int_equal(r->records[i].updated_ms, DB_NOW + 1000 * (2 - (int64_t)i));
    }
    assert_string_equal(r->records[0].text.bytes, "a bird");
    assert_string_equal(r->records[2].text.bytes, "a cat");
    assert_int_equal(r->records[1].n_tags, 1);
    memo_records_free(r);
    o.before = 3;
    o.limit = 1;
    assert_memo_ok(memo_db_history(e->db, &o, "k", &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->records[0].version, 2);
    memo_records_free(r);
    o.limit = 1001;
    assert_memo_status(memo_db_history(e->db, &o, "k", &r, &e->err), MEMO_ERR_LIMIT, e->err);
}

static void test_history_of_what_is_forgotten(void **state)
{
    db_env *e = *state;
    memo_records *r = NULL;
    history_three(e);
    history_forget(e, (memo_forget_options){.ids = (const char *[]){"k"}, .n_ids = 1});
    assert_memo_status(memo_db_history(e->db, NULL, "k", &r, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "was forgotten at 2025-06-15T");
    assert_memo_status(memo_db_restore(e->db, NULL, "k", 1, NULL, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    assert_contains(e->err.message, "its text and its versions are gone");
    assert_memo_status(memo_db_history(e->db, NULL, "x", &r, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "no record \"x\" in namespace \"default\"");
}

static void test_restore_makes_a_version_like_an_old_one(void **state)
{
    db_env *e = *state;
    memo_add_result result = {.size = sizeof result};
    memo_records *r;
    memo_hits *hits = NULL;
    const memo_search_options lexical = {.size = sizeof lexical, .mode = MEMO_SEARCH_LEXICAL};
    history_three(e);
    assert_memo_ok(memo_db_restore(e->db, NULL, "k", 2, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(result.version, 4);
    r = history_get(e, "k");
    assert_string_equal(r->records[0].text.bytes, "a cat");
    assert_string_equal(r->records[0].title, "T");
    assert_string_equal(r->records[0].tags[0], "red");
    assert_int_equal(r->records[0].created_ms, DB_NOW);
    memo_records_free(r);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("cat"), &lexical, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("bird"), &lexical, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 0);
    memo_hits_free(hits);
    assert_memo_ok(memo_db_restore(e->db, NULL, "k", 2, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_memo_status(memo_db_restore(e->db, NULL, "k", 9, &result, &e->err), MEMO_ERR_NOTFOUND,
                       e->err);
    assert_contains(e->err.message, "has no version 9; its newest is 4");
    assert_memo_status(memo_db_restore(e->db, NULL, "k", 0, &result, &e->err), MEMO_ERR_VALUE,
                       e->err);
    db_reopen(e, NULL); /* the same words need no model */
    assert_memo_ok(memo_db_restore(e->db, NULL, "k", 1, &result, &e->err), e->err);
    assert_int_equal(result.version, 5);
    assert_memo_status(memo_db_restore(e->db, NULL, "k", 3, &result, &e->err), MEMO_ERR_USAGE,
                       e->err);
}

static void test_as_of_shows_what_was(void **state)
{
    db_env *e = *state;
    memo_records *r = NULL;
    memo_record_in in = db_record("x", "a dog");
    history_three(e); /* k: v1 at 0, v2 (tag red) at 1000, v3 at 2000 */
    e->now_ms += 1000;
    in.expires_ms = DB_NOW + 4000;
    db_put(e, in);
    db_add(e, "gone", "a fish");
    history_forget(e, (memo_forget_options){.ids = (const char *[]){"gone"}, .n_ids = 1});
    assert_string_equal(history_keys(e, NULL, DB_NOW - 1), "");
    assert_string_equal(history_keys(e, NULL, DB_NOW), "k");
    assert_string_equal(history_keys(e, "tags = 'red'", DB_NOW), "");
    assert_string_equal(history_keys(e, "tags = 'red'", DB_NOW + 1999), "k");
    assert_string_equal(history_keys(e, "tags = 'red'", DB_NOW + 2000), "");
    assert_string_equal(history_keys(e, "not tags = 'red'", DB_NOW + 1000), "");
    assert_string_equal(history_keys(e, "text contains 'cat'", DB_NOW + 1000), "k");
    assert_string_equal(history_keys(e, "text contains 'cat'", DB_NOW + 2000), "");
    assert_string_equal(history_keys(e, NULL, DB_NOW + 3000), "k x");
    assert_string_equal(history_keys(e, NULL, DB_NOW + 4000), "k");
    assert_memo_ok(memo_db_get_as_of(e->db, NULL, "k", DB_NOW + 1500, &r, &e->err), e->err);
    assert_int_equal(r->records[0].version, 2);
    memo_records_free(r);
    assert_memo_status(memo_db_get_as_of(e->db, NULL, "k", DB_NOW - 1, &r, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    assert_memo_status(memo_db_get_as_of(e->db, NULL, "x", DB_NOW + 9000, &r, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    assert_contains(e->err.message, "had expired by then");
    assert_memo_status(memo_db_get_as_of(e->db, NULL, "gone", DB_NOW + 3000, &r, &e->err),
                       MEMO_ERR_NOTFOUND, e->err);
    assert_memo_status(memo_db_get_as_of(e->db, NULL, "k", 0, &r, &e->err), MEMO_ERR_VALUE, e->err);
}

/* A clock that goes back: what was written later counts. */
static void test_as_of_goes_by_the_order_of_versions(void **state)
{
    db_env *e = *state;
    memo_records *r = NULL;
    db_add(e, "k", "a cat");
    e->now_ms -= 5000;
    db_add(e, "k", "a dog");
    assert_memo_ok(memo_db_get_as_of(e->db, NULL, "k", DB_NOW, &r, &e->err), e->err);
    assert_string_equal(r->records[0].text.bytes, "a dog");
    memo_records_free(r);
    assert_memo_ok(memo_db_get_as_of(e->db, NULL, "k", DB_NOW - 5000, &r, &e->err), e->err);
    assert_string_equal(r->records[0].text.bytes, "a dog");
    memo_records_free(r);
}

/* ---- changes ------------------------------------------------------------------------------- */

static memo_changes *changes_since(db_env *e, const char *cursor, size_t limit)
{
    const memo_changes_options o = {.size = sizeof o, .since = cursor, .limit = limit};
    memo_changes *c = NULL;
    assert_memo_ok(memo_db_changes(e->db, &o, &c, &e->err), e->err);
    return c;
}

static void test_changes_in_order_and_once(void **state)
{
    db_env *e = *state;
    memo_changes *c = changes_since(e, NULL, 0), *next;
    assert_int_equal(c->n, 0);
    assert_int_equal(c->more, 0);
    db_add(e, "a", "a cat");
    db_add(e, "b", "a dog");
    db_add(e, "a", "a cat again");
    next = changes_since(e, c->next, 0);
    memo_changes_free(c);
    assert_int_equal(next->n, 2);
    assert_string_equal(next->changes[0].key, "b");
    assert_int_equal(next->changes[0].seq, 2);
    assert_string_equal(next->changes[1].record->text.bytes, "a cat again");
    assert_string_equal(memo_change_kind_name(next->changes[1].kind), "record");
    assert_string_equal(next->changes[1].ns, "default");
    c = changes_since(e, next->next, 0);
    assert_int_equal(c->n, 0);
    assert_string_equal(c->next, next->next);
    history_forget(e, (memo_forget_options){.ids = (const char *[]){"b"}, .n_ids = 1});
    memo_changes_free(next);
    next = changes_since(e, c->next, 0);
    assert_int_equal(next->n, 1);
    assert_int_equal(next->changes[0].kind, MEMO_CHANGE_FORGOTTEN);
    assert_string_equal(next->changes[0].key, "b");
    assert_int_equal(strlen(next->changes[0].id), 26);
    memo_changes_free(next);
    memo_changes_free(c);
}

/* Facts and entities by id, with the latest of their times. */
static void test_changes_of_other_tables(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    memo_changes *c;
    memo_cell entity[] = {memo_cell_int(1),   memo_cell_int(1),        memo_cell_str("01ENTITY"),
                          memo_cell_int(2),   memo_cell_int(5),        memo_cell_int(6),
                          memo_cell_int(0),   memo_cell_str("person"), memo_cell_str("Anna"),
                          memo_cell_str("{}")};
    memo_cell fact[] = {
        memo_cell_int(1), memo_cell_int(1),       memo_cell_str("01FACT"), memo_cell_int(3),
        memo_cell_int(1), memo_cell_str(NULL),    memo_cell_int(0),        memo_cell_int(0),
        memo_cell_int(7), memo_cell_int(0),       memo_cell_int(9),        memo_cell_real(0.5),
        memo_cell_int(0), memo_cell_str("likes"), memo_cell_str("tea"),    memo_cell_str("")};
    db_add(e, "a", "a cat");
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_table_put(&store->sql, &memo_table_entities, entity, &e->err), e->err);
    assert_memo_ok(memo_table_put(&store->sql, &memo_table_facts, fact, &e->err), e->err);
    store->seq += 2;
    assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    c = changes_since(e, NULL, 0);
    assert_int_equal(c->n, 3);
    assert_int_equal(c->n_damaged, 0);
    assert_int_equal(c->changes[1].kind, MEMO_CHANGE_ENTITY);
    assert_string_equal(c->changes[1].id, "01ENTITY");
    assert_int_equal(c->changes[1].at_ms, 6);
    assert_int_equal(c->changes[2].kind, MEMO_CHANGE_FACT);
    assert_string_equal(c->changes[2].id, "01FACT");
    assert_int_equal(c->changes[2].at_ms, 9);
    assert_string_equal(c->changes[2].ns, "default");
    memo_changes_free(c);
}

static void test_changes_by_pages_and_namespace(void **state)
{
    db_env *e = *state;
    memo_write_options other = {.size = sizeof other, .ns = "other"};
    memo_record_in in = db_record("z", "a bee");
    memo_changes_options o = {.size = sizeof o, .ns = "other"};
    memo_changes *c = NULL;
    char cursor[128] = "", key[16];
    size_t n = 0;
    for (int i = 0; i < 25; i++) {
        snprintf(key, sizeof key, "k%d", i);
        db_add(e, key, "a cat");
    }
    assert_memo_ok(memo_db_add(e->db, &other, &in, 1, NULL, &e->err), e->err);
    do {
        c = changes_since(e, cursor, 10);
        for (size_t i = 0; i < c->n; i++)
            assert_int_equal(c->changes[i].seq, ++n);
        snprintf(cursor, sizeof cursor, "%s", c->next);
        if (!c->more)
            break;
        memo_changes_free(c);
    } while (1);
    memo_changes_free(c);
    assert_int_equal(n, 26);
    assert_memo_ok(memo_db_changes(e->db, &o, &c, &e->err), e->err);
    assert_int_equal(c->n, 1);
    assert_string_equal(c->next, cursor); /* behind the last change, whoever's it is */
    memo_changes_free(c);
}

static void test_changes_refuse_foreign_cursors(void **state)
{
    db_env *e = *state;
    memo_changes_options o = {.size = sizeof o};
    memo_changes *c;
    char cursor[128], older[720], command[4000];
    db_add(e, "a", "a cat");
    memo_db_close(e->db);
    e->db = NULL;
    snprintf(older, sizeof older, "%s.older", e->path);
    snprintf(command, sizeof command, "cp '%s' '%s'", e->path, older);
    assert_int_equal(system(command), 0);
    db_reopen(e, e->model);
    db_add(e, "b", "a dog");
    c = changes_since(e, NULL, 0);
    snprintf(cursor, sizeof cursor, "%s", c->next);
    memo_changes_free(c);

    o.since = "nonsense";
    assert_memo_status(memo_db_changes(e->db, &o, &c, &e->err), MEMO_ERR_VALUE, e->err);
    cursor[40] ^= 1; /* digits stay digits, the checksum notices */
    o.since = cursor;
    assert_memo_status(memo_db_changes(e->db, &o, &c, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "is not a cursor");
    cursor[40] ^= 1;

    /* an older copy in its place: behind the cursor, and later past it on another way */
    memo_db_close(e->db);
    e->db = NULL;
    snprintf(command, sizeof command, "mv '%s' '%s'; rm -f '%s-wal' '%s-shm' '%s-lock'", older,
             e->path, e->path, e->path, e->path);
    assert_int_equal(system(command), 0);
    db_reopen(e, e->model);
    assert_memo_status(memo_db_changes(e->db, &o, &c, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "has not reached");
    db_add(e, "c", "a fish");
    assert_memo_status(memo_db_changes(e->db, &o, &c, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "has another one for");

    db_teardown(state);
    db_setup(state); /* another store */
    db_add(e, "a", "a cat");
    assert_memo_status(memo_db_changes(e->db, &o, &c, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "of another store");
}

/* Four processes write while one follows: what it has at the end is what the store has. */
static void history_write_many(db_env *e, int writer)
{
    const memo_db_options options = {.size = sizeof options, .model = e->model};
    char key[32];
    const char *id[] = {key};
    const memo_forget_options forget = {.size = sizeof forget, .ids = id, .n_ids = 1};
    memo_db *db = NULL;
    if (memo_db_open(e->ctx, e->path, &options, &db, &e->err))
        _exit(1);
    for (int i = 0; i < 40; i++) {
        memo_record_in in = db_record(key, i & 1 ? "a cat" : "a dog");
        snprintf(key, sizeof key, "w%d-%d", writer, i % 10);
        if (i % 7 == 6 ? memo_db_forget(db, &forget, NULL, NULL, &e->err)
                       : memo_db_add(db, NULL, &in, 1, NULL, &e->err))
            _exit(2);
    }
    memo_db_close(db);
    _exit(0);
}

typedef struct followed {
    struct {
        char id[MEMO_ID_BYTES];
        uint64_t version;
        int there;
    } rows[400];
    size_t n;
    uint64_t last;
} followed;

static void history_follow(db_env *e, followed *f, char cursor[128])
{
    memo_changes *c;
    int more;
    do {
        c = changes_since(e, cursor, 7);
        for (size_t i = 0; i < c->n; i++) {
            size_t at = 0;
            assert_true(c->changes[i].seq > f->last);
            f->last = c->changes[i].seq;
            while (at < f->n && strcmp(f->rows[at].id, c->changes[i].id) != 0)
                at++;
            f->n += at == f->n;
            assert_true(at < 400);
            snprintf(f->rows[at].id, MEMO_ID_BYTES, "%s", c->changes[i].id);
            f->rows[at].there = c->changes[i].kind == MEMO_CHANGE_RECORD;
            f->rows[at].version = f->rows[at].there ? c->changes[i].record->version : 0;
        }
        snprintf(cursor, 128, "%s", c->next);
        more = c->more;
        memo_changes_free(c);
    } while (more);
}

static void test_changes_skip_nothing_beside_writers(void **state)
{
    enum { WRITERS = 4 };
    db_env *e = *state;
    followed *f = calloc(1, sizeof *f);
    memo_records *r = NULL;
    const memo_list_options all = {.size = sizeof all, .limit = 1000};
    char cursor[128] = "";
    pid_t pids[WRITERS];
    int left = WRITERS, how;
    size_t n_there = 0;
    db_add(e, "first", "a cow");
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            history_write_many(e, i);
    }
    while (left) {
        history_follow(e, f, cursor);
        while (left && waitpid(-1, &how, WNOHANG) > 0) {
            assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
            left--;
        }
    }
    history_follow(e, f, cursor);
    assert_memo_ok(memo_db_list(e->db, &all, &r, &e->err), e->err);
    for (size_t i = 0; i < f->n; i++)
        n_there += (size_t)f->rows[i].there;
    assert_int_equal(n_there, r->n);
    for (size_t i = 0; i < r->n; i++) {
        size_t at = 0;
        while (at < f->n && strcmp(f->rows[at].id, r->records[i].id) != 0)
            at++;
        assert_true(at < f->n && f->rows[at].there);
        assert_int_equal(f->rows[at].version, r->records[i].version);
    }
    memo_records_free(r);
    free(f);
}

/* ---- lack of memory ------------------------------------------------------------------------ */

static memo_status history_everything(void *user, memo_err *err)
{
    db_env *e = user;
    memo_records *r = NULL;
    memo_changes *c = NULL;
    const memo_list_options past = {
        .size = sizeof past, .as_of_ms = DB_NOW + 1000, .where = "tags = 'red'"};
    memo_status status = memo_db_history(e->db, NULL, "k", &r, err);
    memo_records_free(r);
    r = NULL;
    if (!status)
        status = memo_db_get_as_of(e->db, NULL, "k", DB_NOW + 1, &r, err);
    memo_records_free(r);
    r = NULL;
    if (!status)
        status = memo_db_list(e->db, &past, &r, err);
    memo_records_free(r);
    if (!status)
        status = memo_db_changes(e->db, NULL, &c, err);
    memo_changes_free(c);
    if (!status)
        status = memo_db_restore(e->db, NULL, "k", 3, NULL, err);
    return status ? status : memo_db_restore(e->db, NULL, "k", 1, NULL, err);
}

static void test_history_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    history_three(e);
    assert_memo_ok(history_everything(e, &e->err), e->err); /* statements are kept from now on */
    assert_true(memo_test_alloc_sweep(history_everything, e) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_marks_are_kept_and_shown),
        db_test(test_damaged_links_are_told),
        db_test(test_marks_out_of_range_are_refused),
        db_test(test_pinned_records_outlive_expiry_and_filters),
        db_test(test_history_newest_first),
        db_test(test_history_of_what_is_forgotten),
        db_test(test_restore_makes_a_version_like_an_old_one),
        db_test(test_as_of_shows_what_was),
        db_test(test_as_of_goes_by_the_order_of_versions),
        db_test(test_changes_in_order_and_once),
        db_test(test_changes_of_other_tables),
        db_test(test_changes_by_pages_and_namespace),
        db_test(test_changes_refuse_foreign_cursors),
        db_test(test_changes_skip_nothing_beside_writers),
        db_test(test_history_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
