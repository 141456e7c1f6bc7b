// SPDX-License-Identifier: Apache-2.0
/* A small store with everything in it, for tests that damage it. */
#ifndef MEMO_TESTS_DAMAGE_UTIL_H
#define MEMO_TESTS_DAMAGE_UTIL_H

#include "store_util.h"

enum { N_RECORDS = 24 };

static inline void put_numbered(memo_store *store, unsigned i, unsigned version)
{
    char key[16], title[32], text[400], metadata[48];
    const char *tags[] = {i % 2 ? "odd" : "even", "all"};
    float vectors[2][UTIL_DIM];
    size_t half, n = (size_t)snprintf(text, sizeof text,
                                      "record number%u has word%u and common words. version%u. "
                                      "Its second half names ITEM-%u.",
                                      i, i, version, i);
    memo_store_chunk chunks[2];
    memo_store_put put = {.key = key,
                          .text = {text, n},
                          .title = title,
                          .metadata = metadata,
                          .tags = tags,
                          .n_tags = 2,
                          .source = "/some/where",
                          .space = 1,
                          .chunks = chunks,
                          .n_chunks = 2};
    memo_add_result result = {.size = sizeof result};
    half = (size_t)(strstr(text, "Its") - text);
    chunks[0] = (memo_store_chunk){0, half, 5, vectors[0]};
    chunks[1] = (memo_store_chunk){half, n, 5, vectors[1]};
    util_vector(2 * i + version, UTIL_DIM, vectors[0]);
    util_vector(2 * i + 1, UTIL_DIM, vectors[1]);
    snprintf(key, sizeof key, "key-%u", i);
    snprintf(title, sizeof title, "Title%u", i);
    snprintf(metadata, sizeof metadata, "{\"n\":%u}", i);
    util_ok(memo_store_put_record(store, 1, &put, &result, err));
}

static inline void fill_store(util_env *env, memo_store *store)
{
    memo_store_ns ns;
    int found;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    (void)util_space(store, UTIL_DIM);
    for (unsigned i = 0; i < N_RECORDS; i++)
        put_numbered(store, i, 1);
    util_ok(memo_store_commit(store, err));
    env->now_ms += 1000;
    util_ok(memo_store_begin_write(store, err));
    for (unsigned i = 0; i < 5; i++)
        put_numbered(store, i, 2);
    util_ok(memo_store_forget(store, 1, "key-7", &found, err));
    util_ok(memo_store_commit(store, err));
}

static inline void remove_side_files(util_env *env)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", env->path, suffixes[i]);
        unlink(path);
    }
}

#endif
