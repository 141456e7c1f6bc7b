// SPDX-License-Identifier: Apache-2.0
/* unit/db_util.h -- what the tests of the memory room share: a folder with a tiny model and a store
 * in it, a context with a clock that stands still, and short forms of the calls. */
#ifndef MEMO_DB_UTIL_H
#define MEMO_DB_UTIL_H

#include "memo_test.h"

#include <memolith/memolith.h>

#include "tiny_model.h"

#define DB_NOW INT64_C(1750000000000)

typedef struct db_env {
    char dir[256];
    char path[700]; /* of the store */
    int64_t now_ms;
    memo_ctx *ctx;
    memo_model *model;
    memo_db *db;
    memo_err err;
} db_env;

static inline int64_t db_clock(void *user)
{
    return ((db_env *)user)->now_ms;
}

static inline memo_db *db_open_mode(db_env *e, memo_model *model, memo_open_mode mode)
{
    const memo_db_options options = {.size = sizeof options, .model = model, .mode = mode};
    memo_db *db = NULL;
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &db, &e->err), e->err);
    return db;
}

static inline void db_reopen(db_env *e, memo_model *model)
{
    memo_db_close(e->db);
    e->db = db_open_mode(e, model, MEMO_OPEN_CREATE);
}

/* Once for a program: folder, context and model. */
static inline int db_setup_group(void **state)
{
    db_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .clock_ms = db_clock, .clock_user = e};
    e->now_ms = DB_NOW;
    memo_test_temp_dir(e->dir);
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &e->err), e->err);
    e->model = tiny_model_open(e->ctx, e->dir, 1, &e->err);
    *state = e;
    return 0;
}

static inline int db_teardown_group(void **state)
{
    db_env *e = *state;
    memo_model_close(e->model);
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

/* For each test: an empty store. */
static inline int db_setup(void **state)
{
    db_env *e = *state;
    static const char *const side[] = {"", "-wal", "-shm", "-lock", "-idx"};
    snprintf(e->path, sizeof e->path, "%s/test.memo", e->dir);
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        char path[720];
        snprintf(path, sizeof path, "%s%s", e->path, side[i]);
        unlink(path);
    }
    e->now_ms = DB_NOW;
    memset(&e->err, 0, sizeof e->err);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_CREATE);
    return 0;
}

static inline int db_teardown(void **state)
{
    db_env *e = *state;
    memo_db_close(e->db);
    e->db = NULL;
    return 0;
}

#define db_test(f) cmocka_unit_test_setup_teardown(f, db_setup, db_teardown)

static inline memo_record_in db_record(const char *key, const char *text)
{
    return (memo_record_in){
        .size = sizeof(memo_record_in), .key = key, .text = {text, strlen(text)}};
}

static inline memo_add_result db_put(db_env *e, memo_record_in in)
{
    memo_add_result result = {.size = sizeof result};
    assert_memo_ok(memo_db_add(e->db, NULL, &in, 1, &result, &e->err), e->err);
    return result;
}

static inline memo_add_result db_add(db_env *e, const char *key, const char *text)
{
    return db_put(e, db_record(key, text));
}

/* A vector as the model makes it. */
static inline void db_embed(db_env *e, memo_role role, const char *text, size_t n, float *out)
{
    const memo_embed_options options = {.size = sizeof options, .role = role};
    const memo_text t = {text, n};
    assert_memo_ok(memo_model_embed(e->model, &options, &t, 1, out, NULL, &e->err), e->err);
}

#endif
