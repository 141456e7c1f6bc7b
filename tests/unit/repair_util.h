// SPDX-License-Identifier: Apache-2.0
/* unit/repair_util.h -- a store whose contents the test knows by a rule, and the comparison of a
 * repaired one with it. What was stored is a list of the test's own: record `i` in version `v` has
 * the text oracle_text(i, v), the title "Title i" and vectors of numbers 2i and 2i+1; nothing is ever
 * asked of the store. */
#ifndef MEMO_TESTS_REPAIR_UTIL_H
#define MEMO_TESTS_REPAIR_UTIL_H

#include "store_util.h"

#include <dirent.h>
#include <sqlite3.h>

#include "store/disk/vfs.h"

enum { ORACLE_N = 120, ORACLE_TEXT_BYTES = 40000 };

/* Every 13th is long and lies on overflow pages. */
__attribute__((unused)) static size_t oracle_text(unsigned i, unsigned v, char *out)
{
    unsigned n_pieces = i % 13 == 5 ? 700 : 8;
    size_t n = 0;
    for (unsigned p = 0; p < n_pieces; p++)
        n += (size_t)sprintf(out + n, "record%03u.version%u.piece%04u is word%u. ", i, v, p,
                             (i * 31 + p) % 97);
    return n;
}

static inline unsigned oracle_version(unsigned i)
{
    return i % 10 == 3 ? 2 : 1; /* as oracle_fill() leaves it */
}

static inline int oracle_is_forgotten(unsigned i)
{
    return i % 20 == 19;
}

__attribute__((unused)) static void oracle_put(memo_store *store, unsigned i, unsigned v)
{
    static char text[ORACLE_TEXT_BYTES];
    char key[16], title[16];
    float vectors[2][UTIL_DIM];
    size_t n = oracle_text(i, v, text), half = n / 2;
    memo_store_chunk chunks[2] = {{0, half, 5, vectors[0]}, {half, n, 5, vectors[1]}};
    memo_store_put put = {
        .key = key, .text = {text, n}, .title = title, .space = 1, .chunks = chunks, .n_chunks = 2};
    memo_add_result result = {.size = sizeof result};
    snprintf(key, sizeof key, "key-%u", i);
    snprintf(title, sizeof title, "Title %u", i);
    util_vector(2 * i, UTIL_DIM, vectors[0]);
    util_vector(2 * i + 1, UTIL_DIM, vectors[1]);
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
}

__attribute__((unused)) static void oracle_forget(memo_store *store)
{
    int found;
    util_ok(memo_store_begin_write(store, err));
    for (unsigned i = 0; i < ORACLE_N; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%u", i);
        if (oracle_is_forgotten(i))
            util_ok(memo_store_forget(store, 1, key, &found, err));
    }
    util_ok(memo_store_commit(store, err));
}

/* All records, some in a second version, some forgotten. */
__attribute__((unused)) static void oracle_fill(memo_store *store)
{
    memo_store_ns ns;
    int64_t space;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    space = util_space(store, UTIL_DIM);
    util_ok(memo_store_set_ns_space(store, ns.id, space, err));
    for (unsigned i = 0; i < ORACLE_N; i++)
        oracle_put(store, i, 1);
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_begin_write(store, err));
    for (unsigned i = 0; i < ORACLE_N; i++)
        if (oracle_version(i) == 2)
            oracle_put(store, i, 2);
    util_ok(memo_store_commit(store, err));
    oracle_forget(store);
}

/* The pages of a file [n] on which a piece of the current text of a record lies. */
__attribute__((unused)) static void oracle_pages(const unsigned char *bytes, size_t n, unsigned i,
                                                 unsigned char *on_page)
{
    char piece[64];
    int length = snprintf(piece, sizeof piece, "record%03u.version%u.piece", i, oracle_version(i));
    const unsigned char *at = bytes;
    while ((at = memmem(at, n - (size_t)(at - bytes), piece, (size_t)length)) != NULL) {
        on_page[(size_t)(at - bytes) / MEMO_PAGE_BYTES] = 1;
        at++;
    }
}

/* ---- a repair and what it left ------------------------------------------------------------- */

typedef struct repair_outcome {
    memo_repair_report report;
    util_findings findings;
    memo_arena arena;
} repair_outcome;

__attribute__((unused)) static memo_status repair_run(util_env *env, int dry_run,
                                                      repair_outcome *out, memo_err *err)
{
    const memo_repair_options options = {
        .size = sizeof options, .busy_timeout_ms = -1, .dry_run = dry_run};
    memo_store_sink sink = {util_finding, &out->findings, &out->arena};
    return memo_store_repair(env->ctx, env->path, &options, &sink, &out->report, err);
}

typedef struct oracle_served {
    unsigned char record[ORACLE_N]; /* 1: served, with exactly its bytes */
    size_t n_records, n_vectors;
} oracle_served;

__attribute__((unused)) static int oracle_see_block(void *user, const memo_store_block *block)
{
    oracle_served *served = user;
    for (size_t b = 0; b < block->n; b++) {
        float vector[UTIL_DIM];
        unsigned i = 0;
        for (; i < 2 * ORACLE_N; i++) {
            util_vector(i, UTIL_DIM, vector);
            if (memcmp(vector, block->vectors + b * UTIL_DIM, sizeof vector) == 0)
                break;
        }
        assert_true(i < 2 * ORACLE_N);
        served->n_vectors++;
    }
    return 0;
}

/* Nothing is served that was not stored; which records are. */
__attribute__((unused)) static void oracle_look(memo_store *store, oracle_served *served)
{
    static char text[ORACLE_TEXT_BYTES];
    memo_store_scope scope = {.ns = 1};
    memo_store_space space;
    memo_arena space_arena = {0};
    memset(served, 0, sizeof *served);
    for (unsigned i = 0; i < ORACLE_N; i++) {
        memo_arena arena = {0};
        memo_record r;
        char key[16], title[16];
        size_t n = oracle_text(i, oracle_version(i), text);
        snprintf(key, sizeof key, "key-%u", i);
        snprintf(title, sizeof title, "Title %u", i);
        if (memo_store_get(store, 1, key, &arena, &r, NULL) == MEMO_OK) {
            assert_false(oracle_is_forgotten(i));
            assert_int_equal(r.text.n_bytes, n);
            assert_memory_equal(r.text.bytes, text, n);
            assert_string_equal(r.title, title);
            assert_int_equal(r.version, oracle_version(i));
            served->record[i] = 1;
            served->n_records++;
        }
        memo_arena_fini(&arena);
    }
    if (memo_store_get_space(store, 1, &space_arena, &space, NULL) == MEMO_OK) /* else none */
        util_ok(memo_store_scan(store, &scope, 1, oracle_see_block, served, NULL, err));
    memo_arena_fini(&space_arena);
}

static inline size_t oracle_n_live(void)
{
    size_t n = 0;
    for (unsigned i = 0; i < ORACLE_N; i++)
        n += !oracle_is_forgotten(i);
    return n;
}

/* ---- files --------------------------------------------------------------------------------- */

/* Take away all but what is given; the store as these bytes. */
__attribute__((unused)) static void repair_place(util_env *env, const void *bytes, size_t n,
                                                 const void *log, size_t n_log)
{
    char command[160], path[128];
    snprintf(command, sizeof command, "rm -f '%s'/* '%s'/.a.memo*", env->folder, env->folder);
    if (system(command) != 0)
        fail_msg("%s", command);
    util_spill(env->path, bytes, n);
    snprintf(path, sizeof path, "%s-wal", env->path);
    if (log)
        util_spill(path, log, n_log);
}

__attribute__((unused)) static size_t repair_count_temporaries(util_env *env)
{
    DIR *dir = opendir(env->folder);
    struct dirent *e;
    size_t n = 0;
    while ((e = readdir(dir)) != NULL)
        n += strstr(e->d_name, ".tmp") != NULL;
    closedir(dir);
    return n;
}

/* The file beside the store with this suffix holds exactly these bytes. */
__attribute__((unused)) static int repair_is_kept(util_env *env, const char *suffix,
                                                  const void *bytes, size_t n)
{
    char path[160];
    size_t n_kept;
    unsigned char *kept;
    int same;
    snprintf(path, sizeof path, "%s%s", env->path, suffix);
    if (access(path, F_OK) != 0)
        return 0;
    kept = util_slurp(path, &n_kept);
    same = n_kept == n && memcmp(kept, bytes, n) == 0;
    free(kept);
    return same;
}

/* Change the file through SQLite, with our page checksums or without. */
__attribute__((unused)) static void repair_meddle(util_env *env, const char *vfs, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READWRITE, vfs), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

#endif
