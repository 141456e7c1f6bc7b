// SPDX-License-Identifier: Apache-2.0
#include "db_util.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/file.h"
#include "memory/db.h"
#include "store/disk/vfs.h"
#include "store/store_inner.h"
#include "store/upkeep/shred.h"
#include "store/upkeep/traces.h"

/* A text of three pages with words that no other has. */
#define SHRED_WORDS 700

static char *shred_secret(char word[32])
{
    char *text = calloc(SHRED_WORDS, 32);
    for (int i = 0; i < SHRED_WORDS; i++)
        sprintf(text + strlen(text), "%ssecret%04dword garden", i ? " " : "", i * 7);
    snprintf(word, 32, "secret%04dword", 77 * 7);
    return text;
}

/* Whether bytes stand in the store's files as they lie on the disk, read by nobody of ours. */
static int shred_stands(db_env *e, const char *needle)
{
    static const char *const sides[] = {"", "-wal", "-idx"};
    int found = 0;
    for (size_t i = 0; i < 3; i++) {
        char path[720], command[800];
        snprintf(path, sizeof path, "%s%s", e->path, sides[i]);
        snprintf(command, sizeof command, "grep -qaiF '%s' '%s' 2>/dev/null", needle, path);
        found |= system(command) == 0;
    }
    return found;
}

static void shred_fill(db_env *e)
{
    char word[32];
    char *secret = shred_secret(word);
    memo_record_in in = db_record("s", secret);
    const memo_text edited = MEMO_STR("the secretword has changed its clothes");
    const memo_record_edit edit = {.size = sizeof edit, .text = &edited};
    const char *tags[] = {"confidential-tag"};
    db_add(e, "a", "a cat sat in the garden with a dog");
    in.tags = tags;
    in.n_tags = 1;
    in.title = "Diagnosis of somebody";
    in.metadata_json = "{\"doctor\":\"Mustermann\"}";
    in.chunking = MEMO_CHUNK_NONE;
    db_put(e, in);
    assert_memo_ok(memo_db_edit(e->db, NULL, "s", &edit, NULL, &e->err), e->err);
    db_add(e, "b", "another note about nothing");
    free(secret);
}

static memo_shred_report *shred_now(db_env *e, const char *id)
{
    const char *ids[] = {id};
    const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = id ? 1 : 0};
    memo_shred_report *r = NULL;
    assert_memo_ok(memo_db_shred(e->db, &o, &r, &e->err), e->err);
    return r;
}

static void shred_find(const memo_shred_report *r, memo_finding_level level, const char *part)
{
    for (size_t i = 0; i < r->findings->n; i++)
        if (r->findings->findings[i].level == level &&
            strstr(r->findings->findings[i].message, part))
            return;
    for (size_t i = 0; i < r->findings->n; i++)
        printf("%d %s\n", (int)r->findings->findings[i].level, r->findings->findings[i].message);
    fail_msg("no finding of level %d has \"%s\"", (int)level, part);
}

static void test_shred_leaves_nothing(void **state)
{
    static const char *const gone[] = {"secret0539word", "secret0000word",   "secretword",
                                       "Mustermann",     "confidential-tag", "Diagnosis"};
    db_env *e = *state;
    memo_shred_report *r;
    memo_findings *f = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    shred_fill(e);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_true(shred_stands(e, gone[i]));
    r = shred_now(e, "s");
    assert_int_equal(r->n_forgotten, 1);
    assert_int_equal(r->n_found, 0);
    assert_true(r->n_words > SHRED_WORDS && r->n_pieces > 100 && r->n_shared >= 1);
    shred_find(r, MEMO_FINDING_OK, "stretches of text in");
    memo_shred_report_free(r);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (shred_stands(e, gone[i]))
            fail_msg("%s is there still", gone[i]);
    assert_true(shred_stands(e, "garden"));
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    assert_int_equal(f->worst, MEMO_FINDING_OK);
    memo_findings_free(f);
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 2);
    assert_int_equal(stats.n_tombstones, 1);
    db_add(e, "after", "the store goes on");
}

/* Forgotten first, shredded later: what was concluded from it alone goes then, retracted or not. */
static void test_shred_of_what_was_forgotten_before(void **state)
{
    db_env *e = *state;
    const memo_evidence_in evidence = {.record = "s"};
    const char *ids[] = {"s"};
    const memo_forget_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    memo_fact_in in = {.size = sizeof in, .subject = "Anna", .relation = "likes"};
    memo_fact_result result = {.size = sizeof result};
    memo_search_options by_words = {.size = sizeof by_words, .mode = MEMO_SEARCH_LEXICAL};
    memo_shred_report *r;
    memo_hits *hits = NULL;
    char id[MEMO_ID_BYTES];
    in.evidence = &evidence;
    in.n_evidence = 1;
    memcpy(id, db_add(e, "s", "Anna likes swordfish").id, sizeof id);
    in.value = "swordfish";
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &in, &result, &e->err), e->err);
    in.value = "swordfish steak";
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &in, &result, &e->err), e->err);
    assert_memo_ok(memo_db_fact_retract(e->db, NULL, result.id, "not so", NULL, &e->err), e->err);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("swordfish"), &by_words, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
    db_reopen(e, e->model);
    assert_memo_ok(memo_db_forget(e->db, &o, NULL, NULL, &e->err), e->err);
    assert_true(shred_stands(e, "swordfish")); /* the facts, retracted */
    r = shred_now(e, id);
    assert_int_equal(r->n_finished, 1);
    assert_int_equal(r->n_found, 0);
    memo_shred_report_free(r);
    assert_false(shred_stands(e, "swordfish"));
    assert_true(shred_stands(e, "Anna"));
}

/* Searches are kept in a handle for a while, in that of another program too: those that showed the
 * record bring back nothing of what was asked, and those in the store are gone with it. */
static void test_shred_of_what_a_search_has_shown(void **state)
{
    db_env *e = *state;
    const memo_text texts[] = {MEMO_STR("swordfish password")};
    memo_db *other;
    const memo_prove_options o = {.size = sizeof o, .texts = texts, .n_texts = 1};
    memo_shred_report *r = NULL;
    memo_findings *f = NULL;
    memo_hits *hits = NULL;
    db_add(e, "a", "a cat sat");
    db_add(e, "s", "the word is swordfish password");
    other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    for (int i = 0; i < 3; i++) { /* in the store, in this handle, in the other one */
        assert_memo_ok(memo_db_search(i < 2 ? e->db : other, texts[0], NULL, &hits, &e->err),
                       e->err);
        assert_int_equal(hits->n, 2);
        memo_hits_free(hits);
        if (i == 0)
            assert_memo_ok(memo_db_flush(e->db, &e->err), e->err);
    }
    assert_true(shred_stands(e, "swordfish"));
    memo_shred_report_free(shred_now(e, "s"));
    memo_db_close(other); /* a close writes what was gathered */
    db_reopen(e, e->model);
    assert_false(shred_stands(e, "swordfish"));
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    for (size_t i = 0; i < f->n; i++)
        if (f->findings[i].level != MEMO_FINDING_OK)
            fail_msg("%s", f->findings[i].message);
    memo_findings_free(f);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n_found, 0);
    shred_find(r, MEMO_FINDING_OK, "none is there");
    memo_shred_report_free(r);
}

/* Without it: what a plain forget leaves is found, and where. */
static void test_shred_finds_what_forgetting_leaves(void **state)
{
    db_env *e = *state;
    memo_shred_report *r = NULL;
    const memo_text texts[] = {MEMO_STR("secret0539word")};
    memo_prove_options o = {.size = sizeof o, .texts = texts, .n_texts = 1};
    memo_forget_options f = {.size = sizeof f, .ids = (const char *[]){"s"}, .n_ids = 1};
    shred_fill(e);
    assert_memo_ok(memo_db_forget(e->db, &f, NULL, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    assert_true(r->n_found > 0); /* the log has the pages as they were */
    shred_find(r, MEMO_FINDING_BAD, "of 14 bytes stands at byte");
    memo_shred_report_free(r);
    r = shred_now(e, "s"); /* a key is found in the tombstone */
    assert_int_equal(r->n_forgotten, 0);
    assert_int_equal(r->n_finished, 1);
    memo_shred_report_free(r);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n_found, 0);
    memo_shred_report_free(r);
}

/* Whom the proof sends to forget --shred finds the work done, in every namespace. */
/* The words of the tables' definitions stand in every file. */
static void test_shred_knows_the_words_of_the_schema(void **state)
{
    db_env *e = *state;
    memo_shred_report *r;
    db_add(e, "a",
           "the primary source of an integer, before and after, a unique reason, by default");
    r = shred_now(e, "a");
    assert_int_equal(r->n_found, 0);
    assert_int_equal(r->n_forgotten, 1);
    memo_shred_report_free(r);
}

static void test_shred_without_ids_is_of_all_that_was_forgotten(void **state)
{
    db_env *e = *state;
    memo_shred_report *r = NULL;
    const memo_text texts[] = {MEMO_STR("secret0539word")};
    const memo_shred_options all = {.size = sizeof all, .ns = "elsewhere"};
    memo_prove_options o = {.size = sizeof o, .texts = texts, .n_texts = 1};
    memo_forget_options f = {.size = sizeof f, .ids = (const char *[]){"s"}, .n_ids = 1};
    shred_fill(e);
    assert_memo_ok(memo_db_forget(e->db, &f, NULL, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_shred(e->db, &all, &r, &e->err), e->err);
    assert_int_equal(r->n_finished, 1);
    memo_shred_report_free(r);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n_found, 0);
    memo_shred_report_free(r);
    assert_memo_ok(memo_db_shred(e->db, &all, &r, &e->err), e->err);
    assert_int_equal(r->n_finished, 0); /* once is enough */
    memo_shred_report_free(r);
}

static void test_shred_of_another_copy(void **state)
{
    db_env *e = *state;
    memo_shred_report *r;
    char *id;
    shred_fill(e);
    id = strdup(db_add(e, "copy", "the secretword has changed its clothes").id);
    r = shred_now(e, "s");
    assert_int_equal(r->n_found, 0);
    shred_find(r, MEMO_FINDING_WARN, id);
    memo_shred_report_free(r);
    assert_true(shred_stands(e, "secretword"));
    memo_shred_report_free(shred_now(e, "copy"));
    assert_false(shred_stands(e, "secretword"));
    free(id);
}

static void test_prove_gone_by_id(void **state)
{
    db_env *e = *state;
    memo_shred_report *r = NULL;
    memo_changes *c = NULL;
    char id[MEMO_ID_BYTES];
    const char *ids[] = {id};
    memo_prove_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    memo_forget_options f = {.size = sizeof f, .ids = (const char *[]){"a"}, .n_ids = 1};
    snprintf(id, sizeof id, "%s", db_add(e, "a", "a cat sat here").id);
    assert_memo_status(memo_db_prove_gone(e->db, &o, &r, &e->err), MEMO_ERR_NOTFOUND, e->err);
    assert_memo_ok(memo_db_forget(e->db, &f, NULL, NULL, &e->err), e->err);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    shred_find(r, MEMO_FINDING_WARN, "was not shredded");
    memo_shred_report_free(r);
    memo_shred_report_free(shred_now(e, id));
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    shred_find(r, MEMO_FINDING_OK, "shredded; no row");
    memo_shred_report_free(r);
    assert_memo_ok(memo_db_changes(e->db, NULL, &c, &e->err), e->err);
    assert_int_equal(c->n, 1);
    assert_int_equal(c->changes[0].shredded, 1);
    assert_string_equal(c->changes[0].id, id);
    assert_null(c->changes[0].key);
    memo_changes_free(c);
    /* a row that refers to it, as a fault would leave it */
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_store_link(e->db->store, 1, 1, MEMO_LINK_DUPLICATE, 1, &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_db_prove_gone(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n_found, 1);
    shred_find(r, MEMO_FINDING_BAD, "1 rows of it in links");
    memo_shred_report_free(r);
    o.n_ids = 0;
    assert_memo_status(memo_db_prove_gone(e->db, &o, &r, &e->err), MEMO_ERR_USAGE, e->err);
}

static void test_shred_waits_for_readers(void **state)
{
    db_env *e = *state;
    const memo_db_options options = {.size = sizeof options, .mode = MEMO_OPEN_READ_ONLY};
    const char *ids[] = {"s"};
    const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    memo_shred_report *r = NULL;
    memo_db *reader = NULL;
    memo_findings *f = NULL;
    int told = 0;
    shred_fill(e);
    e->db->store->busy_ms = 50;
    (void)sqlite3_busy_timeout(e->db->store->sql.db, 50);
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &reader, &e->err), e->err);
    assert_memo_ok(memo_store_begin_read(reader->store, &e->err), e->err);
    assert_memo_status(memo_db_shred(e->db, &o, &r, &e->err), MEMO_ERR_BUSY, e->err);
    assert_contains(e->err.message, "their bytes are there still");
    memo_store_end_read(reader->store);
    memo_db_close(reader);
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    for (size_t i = 0; i < f->n; i++)
        told |= strstr(f->findings[i].message, "shredding") != NULL;
    assert_true(told);
    memo_findings_free(f);
    r = shred_now(e, NULL);
    assert_int_equal(r->n_finished, 1);
    assert_int_equal(r->n_found, 0);
    memo_shred_report_free(r);
    assert_false(shred_stands(e, "secret0539word"));
    r = shred_now(e, NULL);
    assert_int_equal(r->n_finished, 0);
    memo_shred_report_free(r);
}

/* ---- beside it ----------------------------------------------------------------------------- */

/* What killed processes left of a repair and of an index goes too; a living one's stays. */
static void test_shred_clears_what_the_killed_left(void **state)
{
    static const char *const kinds[] = {"test.memo", "test.memo-idx"};
    db_env *e = *state;
    char path[600];
    int how = 0;
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    assert_int_equal(waitpid(dead, &how, 0), dead);
    shred_fill(e);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/.%s.%ld-0.tmp", e->dir, kinds[i], (long)dead);
        memo_test_write_file(path, "secret0539word", 14);
    }
    snprintf(path, sizeof path, "%s/.test.memo-idx.%ld-0.tmp", e->dir, (long)getppid());
    memo_test_write_file(path, "of another", 10);
    memo_shred_report_free(shred_now(e, "s"));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/.%s.%ld-0.tmp", e->dir, kinds[i], (long)dead);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

static int shred_told, shred_go; /* pipe ends of a process that makes the index */

/* Before the index gets its name: say so and wait, still in the snapshot it was made of. */
static int shred_slow_rename(const char *from, const char *to)
{
    char byte = 'r';
    size_t n = strlen(to);
    if (n > 4 && strcmp(to + n - 4, "-idx") == 0 &&
        (write(shred_told, &byte, 1) != 1 || read(shred_go, &byte, 1) != 1))
        _exit(3);
    return rename(from, to);
}

static memo_db *shred_open_indexing(db_env *e)
{
    memo_db *db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    db->index.min_rows = 4;
    db->index.max_tail = 2;
    return db;
}

static void shred_search(db_env *e, memo_db *db)
{
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(db, MEMO_STR("the garden"), &o, &hits, &e->err), e->err);
    memo_hits_free(hits);
}

/* Another process: one search, which makes the index. */
static pid_t shred_index_beside(db_env *e, int told[2], int go[2])
{
    pid_t pid;
    char byte;
    assert_true(pipe(told) == 0 && pipe(go) == 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        memo_sys sys = *memo_sys_get();
        memo_db *db = shred_open_indexing(e);
        shred_told = told[1];
        shred_go = go[0];
        sys.rename = shred_slow_rename;
        memo_sys_set(&sys);
        shred_search(e, db);
        memo_db_close(db);
        _exit(0);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    return pid;
}

/* Whether the store, its log or its index has the vector of a text, as it lies on the disk. */
static int shred_vector_stands(db_env *e, const char *text)
{
    static const char *const sides[] = {"", "-wal", "-idx"};
    float vector[32]; /* of the tiny model */
    int found = 0;
    db_embed(e, MEMO_ROLE_DOCUMENT, text, strlen(text), vector);
    for (size_t i = 0; i < 3; i++) {
        char path[720], *bytes = NULL;
        size_t n = 0;
        snprintf(path, sizeof path, "%s%s", e->path, sides[i]);
        if (memo_file_slurp(path, 1 << 24, &bytes, &n, NULL) == MEMO_OK)
            for (size_t at = 0; at + 32 <= n && !(found >> i & 1); at++)
                found |= (memcmp(bytes + at, vector, 32) == 0) << i;
        memo_free(bytes);
    }
    return found;
}

/* An index that another process makes at the same time has the vector that is being shredded. Shredding
 * waits for the snapshot it is made of, and removes it; an index that is made later has it no more. */
static void test_shred_while_another_makes_the_index(void **state)
{
    static const char secret[] = "the key is under the flower pot";
    db_env *e = *state;
    const char *ids[] = {"s"};
    const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    memo_shred_report *r = NULL;
    memo_db *db;
    int told[2], go[2], how = 0;
    pid_t pid;
    for (int i = 0; i < 12; i++) {
        char key[8], text[48];
        snprintf(key, sizeof key, "n%d", i);
        snprintf(text, sizeof text, "note %d about a garden", i);
        db_add(e, key, text);
    }
    db_add(e, "s", secret);
    memo_db_close(e->db);
    e->db = NULL;
    pid = shred_index_beside(e, told, go);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    e->db->store->busy_ms = 50;
    (void)sqlite3_busy_timeout(e->db->store->sql.db, 50);
    assert_memo_status(memo_db_shred(e->db, &o, &r, &e->err), MEMO_ERR_BUSY, e->err);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_true(shred_vector_stands(e, secret) & 4); /* it was made, and has it */
    r = shred_now(e, NULL);
    assert_int_equal(r->n_finished, 1);
    assert_int_equal(r->n_found, 0);
    memo_shred_report_free(r);
    assert_int_equal(shred_vector_stands(e, secret), 0);
    db = shred_open_indexing(e);
    shred_search(e, db);
    assert_true(shred_vector_stands(e, "note 3 about a garden") & 4);
    assert_int_equal(shred_vector_stands(e, secret), 0);
    memo_db_close(db);
    for (int i = 0; i < 2; i++) {
        close(told[i]);
        close(go[i]);
    }
}

static void shred_rows_of(memo_db *db, const char *key)
{
    memo_traces traces = {0};
    memo_err err = {0};
    int forgotten, tombstone;
    assert_memo_ok(memo_store_begin_write(db->store, &err), err);
    assert_memo_ok(memo_shred_rows(db->store, 1, key, &traces, &forgotten, &tombstone, &err), err);
    assert_true(forgotten);
    assert_memo_ok(memo_store_commit(db->store, &err), err);
    memo_traces_fini(&traces);
}

/* Another begins to shred when the file has been written anew: its record is not said to be shredded. */
static void test_shred_says_only_what_it_has_done(void **state)
{
    db_env *e = *state;
    memo_arena arena = {0};
    memo_shred_pass pass = {.arena = &arena};
    memo_shred_report *r;
    memo_db *other;
    db_add(e, "mine", "the flower pot");
    db_add(e, "theirs", "the swordfish");
    other = db_open_mode(e, NULL, MEMO_OPEN_EXISTING);
    shred_rows_of(e->db, "mine");
    assert_memo_ok(memo_shred_file(e->db->store, &pass, &e->err), e->err);
    assert_int_equal(pass.n, 1);
    shred_rows_of(other, "theirs"); /* and is killed */
    memo_db_close(other);
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_shred_done(e->db->store, &pass, &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
    r = shred_now(e, NULL);
    assert_int_equal(r->n_finished, 1);
    memo_shred_report_free(r);
    memo_arena_fini(&arena);
}

static int shred_fail_sync(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                           int *n_bytes)
{
    (void)user, (void)offset, (void)amount, (void)n_bytes;
    return op == MEMO_VFS_SYNC && path && !strstr(path, "-wal") ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

/* What was not synced may be lost: the handle writes no more, as after any other commit. */
static void test_shred_after_a_failed_sync(void **state)
{
    db_env *e = *state;
    const char *ids[] = {"s"};
    const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    memo_shred_report *r = NULL;
    memo_record_in in = db_record("k", "after");
    db_add(e, "s", "the swordfish");
    memo_vfs_set_hook(shred_fail_sync, NULL);
    assert_memo_status(memo_db_shred(e->db, &o, &r, &e->err), MEMO_ERR_IO, e->err);
    memo_vfs_set_hook(NULL, NULL);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_IO, e->err);
    assert_contains(e->err.message, "an earlier write failed");
    db_reopen(e, e->model);
    r = shred_now(e, NULL);
    assert_int_equal(r->n_finished, 1);
    memo_shred_report_free(r);
}

/* ---- killed -------------------------------------------------------------------------------- */

static int shred_left; /* operations until the process ends */

static int shred_kill_hook(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                           int *n_bytes)
{
    (void)user, (void)path, (void)offset, (void)amount, (void)n_bytes;
    if ((op == MEMO_VFS_WRITE || op == MEMO_VFS_SYNC || op == MEMO_VFS_TRUNCATE) &&
        shred_left-- == 0)
        _exit(9);
    return SQLITE_OK;
}

/* In a child: shred with operation number `n` being its last. 1: it was killed. */
static int shred_killed_at(db_env *e, int n)
{
    int how = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const memo_db_options options = {.size = sizeof options, .model = e->model};
        const char *ids[] = {"s"};
        const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
        memo_shred_report *r = NULL;
        memo_db *db = NULL;
        if (memo_db_open(e->ctx, e->path, &options, &db, NULL))
            _exit(1);
        shred_left = n;
        memo_vfs_set_hook(shred_kill_hook, NULL);
        _exit(memo_db_shred(db, &o, &r, NULL) ? 2 : 0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_true(WEXITSTATUS(how) == 9 || WEXITSTATUS(how) == 0);
    return WEXITSTATUS(how) == 9;
}

/* After each kill the record is there as it was, or doing it again does it. */
static void test_shred_killed_at_every_step(void **state)
{
    db_env *e = *state;
    int killed = 1, n_whole = 0, n_begun = 0, step = 0;
    for (; killed; step += 5) {
        memo_records *r = NULL;
        db_teardown(state);
        db_setup(state);
        shred_fill(e);
        memo_db_close(e->db);
        e->db = NULL;
        killed = shred_killed_at(e, step);
        db_reopen(e, e->model);
        if (memo_db_get(e->db, NULL, "s", &r, &e->err) == MEMO_OK) {
            memo_history_options all = {.size = sizeof all};
            memo_records_free(r);
            assert_memo_ok(memo_db_history(e->db, &all, "s", &r, &e->err), e->err);
            assert_int_equal(r->n, 2);
            memo_records_free(r);
            memo_shred_report_free(shred_now(e, "s"));
            n_whole++;
        } else {
            memo_shred_report *s = shred_now(e, NULL);
            assert_int_equal(s->n_finished, killed ? s->n_finished : 0);
            memo_shred_report_free(s);
            n_begun++;
        }
        if (shred_stands(e, "secret0539word") || shred_stands(e, "Mustermann"))
            fail_msg("killed at %d: something is left", step);
    }
    printf("shred killed at %d points: %d before, %d after it had begun\n", step / 5 - 1, n_whole,
           n_begun);
    assert_true(n_whole > 2 && n_begun > 10);
}

/* ---- patterns ------------------------------------------------------------------------------ */

static void test_traces_words_and_stretches(void **state)
{
    memo_traces t = {0};
    memo_err err = {0};
    const char *text = "Short words are no traces; Longer-Words are, and this whole stretch is.";
    char bytes[200];
    (void)state;
    assert_memo_ok(memo_traces_add(&t, (memo_text){text, strlen(text)}, &err), err);
    assert_int_equal(t.n_words, 3); /* traces, longer, stretch */
    assert_int_equal(t.n_pieces, 2);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes + 100, "LONGER", 6);
    assert_int_equal(memo_traces_look(&t, bytes, sizeof bytes, 1000, MEMO_TRACE_FOUND), 0);
    for (size_t i = 0; i < t.n; i++)
        if (t.list[i].met) {
            assert_int_equal(t.list[i].n, 6);
            assert_int_equal(t.list[i].at, 1100);
        }
    memcpy(bytes + 1, text, 32);
    assert_int_equal(memo_traces_look(&t, bytes, 33, 0, MEMO_TRACE_FOUND), 1);
    assert_int_equal(memo_traces_look(&t, bytes, 32, 0, MEMO_TRACE_FOUND), 0);
    memo_traces_fini(&t);
    assert_memo_ok(memo_traces_add(&t, MEMO_STR("tiny"), &err), err);
    assert_int_equal(t.n, 0);
    memo_traces_fini(&t);
}

typedef struct shred_meanwhile {
    db_env *e;
    memo_db *other;
    const char *text;
    int n_told, n_bad;
} shred_meanwhile;

/* Between the look at the rows and that at the bytes somebody else adds a record. */
static void shred_add_meanwhile(void *user, memo_finding_level level, const char *area,
                                const char *message, const char *hint)
{
    shred_meanwhile *m = user;
    memo_record_in in = db_record("meanwhile", m->text);
    (void)area, (void)message, (void)hint;
    m->n_bad += level == MEMO_FINDING_BAD;
    if (m->n_told++ == 0)
        assert_memo_ok(memo_db_add(m->other, NULL, &in, 1, NULL, &m->e->err), m->e->err);
}

static void test_prove_knows_what_is_written_meanwhile(void **state)
{
    db_env *e = *state;
    static const char here[] = "a saw and a ladder behind the shed in the garden of the house";
    static const char meanwhile[] = "seven boats lie upon the lake before the old summer house";
    shred_meanwhile m = {.e = e, .text = meanwhile};
    memo_traces traces = {.n = 0};
    memo_arena arena = {0};
    const memo_store_sink sink = {shred_add_meanwhile, &m, &arena};
    memo_prove_result result = {0};
    db_add(e, "here", here);
    m.other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_ok(memo_traces_add(&traces, MEMO_STR(here), &e->err), e->err);
    assert_memo_ok(memo_traces_add(&traces, MEMO_STR(meanwhile), &e->err), e->err);
    assert_memo_ok(memo_prove_bytes(e->db->store, &traces, &sink, &result, &e->err), e->err);
    assert_true(shred_stands(e, meanwhile));
    assert_int_equal(m.n_told, 1); /* the copy of `here`, once */
    assert_int_equal(m.n_bad, 0);
    assert_int_equal(result.n_found, 0);
    assert_int_equal(result.n_shared, traces.n);
    memo_db_close(m.other);
    memo_traces_fini(&traces);
    memo_arena_fini(&arena);
}

static memo_status shred_sweep(void *user, memo_err *err)
{
    db_env *e = user;
    const char *ids[] = {"s"};
    const memo_text text = MEMO_STR("secret0539word and more");
    const memo_shred_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
    const memo_prove_options p = {.size = sizeof p, .texts = &text, .n_texts = 1};
    memo_shred_report *r = NULL;
    memo_status status = memo_db_shred(e->db, &o, &r, err);
    memo_shred_report_free(r);
    r = NULL;
    if (!status)
        status = memo_db_prove_gone(e->db, &p, &r, err);
    memo_shred_report_free(r);
    return status;
}

static void test_shred_survives_lack_of_memory(void **state)
{
    db_env *e = *state;
    shred_fill(e);
    memo_shred_report_free(shred_now(e, "a"));
    assert_true(memo_test_alloc_sweep(shred_sweep, e) > 20);
    assert_false(shred_stands(e, "secret0539word"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_shred_leaves_nothing),
        db_test(test_shred_of_what_was_forgotten_before),
        db_test(test_shred_of_what_a_search_has_shown),
        db_test(test_shred_finds_what_forgetting_leaves),
        db_test(test_shred_knows_the_words_of_the_schema),
        db_test(test_shred_without_ids_is_of_all_that_was_forgotten),
        db_test(test_shred_of_another_copy),
        db_test(test_prove_gone_by_id),
        db_test(test_prove_knows_what_is_written_meanwhile),
        db_test(test_shred_waits_for_readers),
        db_test(test_shred_clears_what_the_killed_left),
        db_test(test_shred_while_another_makes_the_index),
        db_test(test_shred_says_only_what_it_has_done),
        db_test(test_shred_after_a_failed_sync),
        db_test(test_shred_killed_at_every_step),
        cmocka_unit_test(test_traces_words_and_stretches),
        db_test(test_shred_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
