// SPDX-License-Identifier: Apache-2.0
/* unit/memo_test.h -- what unit tests share: cmocka, checks of a memo_status that print the message,
 * scratch folders, data beside the checkout, and the sweep over allocation failures.
 *
 *   assert_memo_ok(memo_file_open(&file, path, &err), err);
 *   assert_memo_status(memo_file_open(&file, "", &err), MEMO_ERR_USAGE, err);
 */
#ifndef MEMO_TEST_H
#define MEMO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/poison.h"

/* 1 when built with a sanitizer, whose shadow memory does not fit a limited address space. */
#if defined(MEMO_ASAN) || defined(__SANITIZE_THREAD__)
#define MEMO_TEST_SANITIZED 1
#else
#define MEMO_TEST_SANITIZED 0
#endif

/* `err` is the memo_err that the call fills. */
#define assert_memo_ok(call, err)                                                                  \
    do {                                                                                           \
        memo_status status_ = (call);                                                              \
        if (status_ != MEMO_OK)                                                                    \
            fail_msg("%s: %s: %s", #call, memo_status_name(status_), (err).message);               \
    } while (0)

#define assert_memo_status(call, wanted, err)                                                      \
    do {                                                                                           \
        memo_status status_ = (call);                                                              \
        if (status_ != (wanted))                                                                   \
            fail_msg("%s: %s, not %s: %s", #call, memo_status_name(status_),                       \
                     memo_status_name(wanted), status_ ? (err).message : "");                      \
    } while (0)

/* `text` must contain `part`. */
#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        const char *part_ = (part);                                                                \
        if (!strstr((text), part_))                                                                \
            fail_msg("\"%s\" does not contain \"%s\"", (text), part_);                             \
    } while (0)

/* End this test as skipped, with the reason on a line of its own. */
#define memo_test_skip(...)                                                                        \
    do {                                                                                           \
        printf("SKIPPED %s: ", __func__);                                                          \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        fflush(stdout);                                                                            \
        skip();                                                                                    \
    } while (0)

static inline int memo_test_remove_one(const char *path, const struct stat *st, int kind,
                                       struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void memo_test_remove_tree(const char *path)
{
    nftw(path, memo_test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh folder; remove it with memo_test_remove_tree(). */
static inline void memo_test_temp_dir(char out[256])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, 256, "%s/memo_test.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(out))
        fail_msg("cannot make a folder like %s", out);
}

/* cmocka setup and teardown: *state is the path of a fresh folder, gone afterwards. */
static inline int memo_test_setup_dir(void **state)
{
    char *path = malloc(256);
    if (!path)
        return -1;
    memo_test_temp_dir(path);
    *state = path;
    return 0;
}

static inline int memo_test_teardown_dir(void **state)
{
    memo_test_remove_tree(*state);
    free(*state);
    return 0;
}

/* "folder/name" in out. */
static inline const char *memo_test_path(char out[512], const char *folder, const char *name)
{
    snprintf(out, 512, "%s/%s", folder, name);
    return out;
}

static inline void memo_test_write_file(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *f = fopen(path, "wbe");
    if (!f || (n_bytes && fwrite(bytes, 1, n_bytes, f) != n_bytes) || fclose(f) != 0)
        fail_msg("cannot write %s", path);
}

/* Path of `relative` ("data/malformed/x.tar.xz") in the shared folder beside the checkout, or in the
 * folder that MEMO_SHARED names; 0 when it is not there. */
static inline int memo_test_shared(char out[512], const char *relative)
{
    const char *shared = getenv("MEMO_SHARED");
    struct stat st;
    snprintf(out, 512, "%s/%s", shared && *shared ? shared : MEMO_SOURCE_DIR "/../shared",
             relative);
    return stat(out, &st) == 0;
}

/* Run fn with allocation 1, 2, 3 ... failing, once and then for good, until it succeeds. Each failed
 * run must return MEMO_ERR_NOMEM with a message and leave no block behind. fn frees its results
 * before it returns. Returns the number of failed runs, so that a test can see that there were any. */
typedef memo_status (*memo_test_sweep_fn)(void *user, memo_err *err);

static inline size_t memo_test_alloc_sweep(memo_test_sweep_fn fn, void *user)
{
    size_t n_failed = 0;
    for (int sticky = 0; sticky <= 1; sticky++) {
        for (uint64_t n = 1;; n++) {
            memo_err err = {0};
            int64_t live = memo_alloc_live();
            memo_alloc_fail_at(n, sticky);
            memo_status status = fn(user, &err);
            int reached = memo_alloc_count() >= n;
            memo_alloc_fail_at(0, 0);
            if (memo_alloc_live() != live)
                fail_msg("allocation %d failing (sticky %d) leaks %d blocks", (int)n, sticky,
                         (int)(memo_alloc_live() - live));
            if (!reached) {
                if (status != MEMO_OK)
                    fail_msg("without a failure: %s: %s", memo_status_name(status), err.message);
                break;
            }
            if (status != MEMO_ERR_NOMEM || !err.message[0])
                fail_msg("allocation %d failing (sticky %d) gives %s \"%s\"", (int)n, sticky,
                         memo_status_name(status), err.message);
            n_failed++;
        }
    }
    return n_failed;
}

#endif
