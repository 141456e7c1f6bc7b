// SPDX-License-Identifier: Apache-2.0
/* What the tests of the store share: a folder of their own, a context with a settable clock, and
 * short forms of the calls. A failing call fails the test with its message. */
#ifndef MEMO_TESTS_STORE_UTIL_H
#define MEMO_TESTS_STORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "store/store.h"

#define UTIL_DIM 8

typedef struct util_env {
    char folder[64];
    char path[96]; /* of the store */
    memo_ctx *ctx;
    int64_t now_ms;
} util_env;

__attribute__((unused)) static int64_t util_clock(void *user)
{
    return ((util_env *)user)->now_ms;
}

#define util_ok(call)                                                                              \
    do {                                                                                           \
        memo_err util_err = {0}, *err = &util_err;                                                 \
        if (call)                                                                                  \
            fail_msg("%s: %s: %s", #call, memo_status_name(util_err.status), util_err.message);    \
    } while (0)

/* The call fails with this status and its message holds this text. */
#define util_fails(expected, part, call)                                                           \
    do {                                                                                           \
        memo_err util_err = {0};                                                                   \
        memo_err *err = &util_err;                                                                 \
        memo_status util_status = (call);                                                          \
        if (util_status != (expected) || !strstr(util_err.message, part))                          \
            fail_msg("%s: %s: %s\n  instead of %s: ...%s...", #call,                               \
                     memo_status_name(util_status), util_err.message, memo_status_name(expected),  \
                     part);                                                                        \
    } while (0)

__attribute__((unused)) static int util_setup(void **state)
{
    util_env *env = calloc(1, sizeof *env);
    memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .clock_ms = util_clock, .clock_user = env};
    env->now_ms = INT64_C(1750000000000);
    /* In memory where that is possible: these tests look at contents, not at the disk. */
    snprintf(env->folder, sizeof env->folder, "%s/memo-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(env->folder))
        return -1;
    snprintf(env->path, sizeof env->path, "%s/a.memo", env->folder);
    *state = env;
    return memo_ctx_new(&options, &env->ctx, NULL) ? -1 : 0;
}

__attribute__((unused)) static int util_teardown(void **state)
{
    util_env *env = *state;
    char command[128];
    memo_ctx_free(env->ctx);
    snprintf(command, sizeof command, "rm -rf '%s'", env->folder);
    if (system(command) != 0)
        return -1;
    free(env);
    return 0;
}

__attribute__((unused)) static memo_store *util_open(util_env *env, memo_open_mode mode)
{
    memo_store_options options = {.mode = mode};
    memo_store *store = NULL;
    util_ok(memo_store_open(env->ctx, env->path, &options, &store, err));
    return store;
}

/* A vector that is different for every number. */
__attribute__((unused)) static void util_vector(unsigned number, size_t dim, float *out)
{
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)((number * 31 + i * 7) % 101) / 101.0f - 0.5f;
}

/* The space of the tests; inside a write transaction. */
__attribute__((unused)) static int64_t util_space(memo_store *store, size_t dim)
{
    char print[32];
    memo_store_space space = {.name = "test", .dim = dim, .kind = MEMO_SPACE_MODEL};
    int64_t id = 0;
    snprintf(print, sizeof print, "test-%zu", dim);
    space.fingerprint = print;
    util_ok(memo_store_make_space(store, &space, &id, err));
    return id;
}

/* Put a text of one chunk, inside a write transaction. */
__attribute__((unused)) static memo_status util_put(memo_store *store, int64_t ns, const char *key,
                                                    const char *text, unsigned number,
                                                    memo_add_result *result, memo_err *err)
{
    float vector[UTIL_DIM];
    memo_store_chunk chunk = {.end = strlen(text), .n_tokens = 3, .vector = vector};
    memo_store_put put = {
        .key = key, .text = {text, strlen(text)}, .space = 1, .chunks = &chunk, .n_chunks = 1};
    util_vector(number, UTIL_DIM, vector);
    return memo_store_put_record(store, ns, &put, result, err);
}

/* One record in one transaction; makes namespace "default" and the space as needed. */
__attribute__((unused)) static memo_add_result util_add(memo_store *store, const char *key,
                                                        const char *text, unsigned number)
{
    memo_add_result result = {.size = sizeof result};
    memo_store_ns ns;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    util_ok(util_put(store, ns.id, key, text, number, &result, err));
    util_ok(memo_store_commit(store, err));
    return result;
}

__attribute__((unused)) static uint64_t util_count(memo_store *store)
{
    memo_store_scope scope = {.ns = 1};
    uint64_t n_records = 0, n_chunks = 0;
    util_ok(memo_store_count(store, &scope, &n_records, &n_chunks, err));
    return n_records;
}

/* Searches with the hits as two values. */
__attribute__((unused)) static memo_status
util_search(memo_store *store, const memo_store_scope *scope, const char *match,
            double title_weight, size_t limit, memo_arena *arena, memo_store_hit **hits, size_t *n,
            memo_err *err)
{
    memo_store_hits out = {.arena = arena, .limit = limit};
    memo_status status =
        memo_store_fulltext(store, scope, MEMO_STORE_WORDS, match, title_weight, &out, err);
    *hits = out.hits;
    *n = out.n;
    return status;
}

__attribute__((unused)) static memo_status
util_exact(memo_store *store, const memo_store_scope *scope, memo_text needle, size_t limit,
           memo_arena *arena, memo_store_hit **hits, size_t *n, memo_err *err)
{
    memo_store_hits out = {.arena = arena, .limit = limit};
    memo_status status = memo_store_exact(store, scope, needle, &out, err);
    *hits = out.hits;
    *n = out.n;
    return status;
}

/* Findings of a check: how many are bad, and all messages in one string. */
typedef struct util_findings {
    int n_bad;
    char text[8192];
} util_findings;

__attribute__((unused)) static void util_finding(void *user, memo_finding_level level,
                                                 const char *area, const char *message,
                                                 const char *hint)
{
    util_findings *f = user;
    size_t n = strlen(f->text);
    (void)hint;
    f->n_bad += level == MEMO_FINDING_BAD;
    snprintf(f->text + n, sizeof f->text - n, "%d %s: %s\n", level, area, message);
}

__attribute__((unused)) static void util_check_clean(memo_store *store)
{
    util_findings findings = {0};
    util_ok(memo_store_check(store, util_finding, &findings, err));
    if (findings.n_bad)
        fail_msg("%s", findings.text);
}

__attribute__((unused)) static unsigned char *util_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *bytes;
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

__attribute__((unused)) static void util_spill(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#endif
