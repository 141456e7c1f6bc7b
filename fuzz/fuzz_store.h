// SPDX-License-Identifier: Apache-2.0
/* fuzz_store.h -- what the targets of store images share: a context, a small model, the records that
 * were stored, and a look at everything that a store gives back.
 *
 * The oracle: whatever was done to the bytes, a record or hit that is returned is one that was
 * stored. It may be missing, and then an error or a finding says so; it is never another. */
#ifndef MEMO_FUZZ_STORE_H
#define MEMO_FUZZ_STORE_H

#include "fuzz_folder.h"

#include <memolith/memolith.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "store/disk/vfs.h"

#define FUZZ_NOW INT64_C(1750000000000)

static memo_ctx *fuzz_ctx;
static memo_model *fuzz_model;
static char fuzz_store_path[512];

/* Everything that was ever stored: content and text by id. */
typedef struct fuzz_known {
    uint64_t hash;
    char id[MEMO_ID_BYTES];
    char *text;
    size_t n;
} fuzz_known;

static fuzz_known fuzz_records[64];
static size_t fuzz_n_records;

static inline int64_t fuzz_clock(void *user)
{
    (void)user;
    return FUZZ_NOW;
}

/* Syncs take most of a run's time and prove nothing here. */
static inline int fuzz_hook(void *user, memo_vfs_op op, const char *path, int64_t offset,
                            int amount, int *n_bytes)
{
    (void)user, (void)path, (void)offset, (void)amount, (void)n_bytes;
    return op == MEMO_VFS_SYNC ? MEMO_VFS_SWALLOW : SQLITE_OK;
}

static inline void fuzz_need(memo_status status, const memo_err *err)
{
    if (status) {
        fprintf(stderr, "fuzz: %s\n", err->message);
        abort();
    }
}

static inline void fuzz_store_begin(void)
{
    const memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .clock_ms = fuzz_clock};
    const memo_compile_options compile = {.size = sizeof compile, .overwrite = 1, .name = "tiny"};
    char path[512];
    memo_err err = {0};

    fuzz_need(memo_ctx_new(&options, &fuzz_ctx, &err), &err);
    fuzz_path(path, "tiny.safetensors");
    fuzz_need(memo_model_compile(fuzz_ctx, MEMO_SOURCE_DIR "/tests/cli/tiny-model", path, &compile,
                                 NULL, &err),
              &err);
    fuzz_need(memo_model_open(fuzz_ctx, path, NULL, &fuzz_model, &err), &err);
    fuzz_path(fuzz_store_path, "fuzz.memo");
    memo_vfs_set_hook(fuzz_hook, NULL);
}

static inline memo_status fuzz_open(memo_open_mode mode, memo_db **db, memo_err *err)
{
    const memo_db_options options = {
        .size = sizeof options, .mode = mode, .model = fuzz_model, .busy_timeout_ms = -1};
    return memo_db_open(fuzz_ctx, fuzz_store_path, &options, db, err);
}

static inline void fuzz_remove_side_files(void)
{
    static const char *const sides[] = {"-wal", "-shm", "-lock", "-journal", "-idx"};
    char path[600];
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        snprintf(path, sizeof path, "%s%s", fuzz_store_path, sides[i]);
        unlink(path);
    }
}

/* ---- what was stored ------------------------------------------------------------------------- */

static inline uint64_t fuzz_hash_text(uint64_t h, const char *s)
{
    return memo_xxh64(s ? s : "\1", s ? strlen(s) + 1 : 1, h);
}

static inline uint64_t fuzz_hash_record(const memo_record *r)
{
    const int64_t numbers[] = {r->created_ms, r->updated_ms, r->expires_ms, (int64_t)r->version,
                               (int64_t)r->n_chunks};
    uint64_t h = memo_xxh64(r->text.bytes, r->text.n_bytes, 0);
    h = memo_xxh64(numbers, sizeof numbers, h);
    h = fuzz_hash_text(h, r->id);
    h = fuzz_hash_text(h, r->key);
    h = fuzz_hash_text(h, r->title);
    h = fuzz_hash_text(h, r->metadata_json);
    h = fuzz_hash_text(h, r->source);
    for (size_t i = 0; i < r->n_tags; i++)
        h = fuzz_hash_text(h, r->tags[i]);
    return h;
}

/* Keep all records of an open store as stored ones; call it after every change. */
static inline void fuzz_learn(memo_db *db)
{
    const memo_list_options options = {.size = sizeof options, .limit = 60};
    memo_records *page = NULL;
    memo_err err = {0};

    fuzz_need(memo_db_list(db, &options, &page, &err), &err);
    for (size_t i = 0; i < page->n; i++) {
        const memo_record *r = &page->records[i];
        fuzz_known *known = &fuzz_records[fuzz_n_records++];
        if (fuzz_n_records > sizeof fuzz_records / sizeof *fuzz_records)
            abort();
        known->hash = fuzz_hash_record(r);
        known->n = r->text.n_bytes;
        known->text = memo_strndup(r->text.bytes, r->text.n_bytes);
        snprintf(known->id, sizeof known->id, "%s", r->id);
    }
    memo_records_free(page);
}

static inline void fuzz_add(memo_db *db, const char *const *keys, const char *const *texts,
                            size_t n)
{
    static const char *const tags[] = {"house", "gift"};
    memo_record_in in[8];
    memo_err err = {0};

    for (size_t i = 0; i < n; i++)
        in[i] = (memo_record_in){.size = sizeof *in,
                                 .key = keys[i],
                                 .text = {texts[i], strlen(texts[i])},
                                 .title = i % 2 ? "A title" : NULL,
                                 .metadata_json = i % 2 ? "{\"place\":\"Porto\",\"n\":3}" : NULL,
                                 .tags = tags,
                                 .n_tags = i % 3,
                                 .source = "/notes/a.md",
                                 .chunk_tokens = 16,
                                 .expires_ms = i == 3 ? FUZZ_NOW + 1000 : 0};
    fuzz_need(memo_db_add(db, NULL, in, n, NULL, &err), &err);
    fuzz_learn(db);
}

/* ---- what comes back ------------------------------------------------------------------------- */

static inline void fuzz_check_record(const memo_record *r, int strict)
{
    uint64_t hash = fuzz_hash_record(r);
    for (size_t i = 0; strict && i <= fuzz_n_records; i++) {
        if (i == fuzz_n_records) {
            fprintf(stderr, "not what was stored: %s %s\n", r->id, r->text.bytes);
            abort();
        }
        if (fuzz_records[i].hash == hash)
            break;
    }
}

static inline void fuzz_check_hit(const memo_hit *hit, int strict)
{
    if (!(hit->score == hit->score) || hit->end < hit->begin)
        abort();
    for (size_t i = 0; strict && i <= fuzz_n_records; i++) {
        const fuzz_known *k = &fuzz_records[i];
        if (i == fuzz_n_records) {
            fprintf(stderr, "not a chunk of what was stored: %s %s\n", hit->id, hit->text);
            abort();
        }
        if (strcmp(k->id, hit->id) == 0 && hit->end <= k->n &&
            hit->text_bytes == hit->end - hit->begin &&
            memcmp(k->text + hit->begin, hit->text, hit->text_bytes) == 0)
            break;
    }
}

static inline void fuzz_said(memo_status status, const memo_err *err)
{
    if (status && !err->message[0])
        abort();
}

static inline void fuzz_search(memo_db *db, const char *query, memo_search_mode mode,
                               const char *where, int strict)
{
    const memo_search_options options = {
        .size = sizeof options, .k = 5, .mode = mode, .where = where};
    memo_hits *hits = NULL;
    memo_err err = {0};
    memo_status status = memo_db_search(db, MEMO_STR(query), &options, &hits, &err);

    fuzz_said(status, &err);
    for (size_t i = 0; !status && i < hits->n; i++)
        fuzz_check_hit(&hits->hits[i], strict);
    memo_hits_free(hits);
}

/* Whether the record with this key is there. */
static inline int fuzz_get(memo_db *db, const char *key, int strict)
{
    memo_records *record = NULL;
    memo_err err = {0};
    memo_status status = memo_db_get(db, NULL, key, &record, &err);
    int there = status == MEMO_OK;

    fuzz_said(status, &err);
    if (there)
        fuzz_check_record(&record->records[0], strict);
    memo_records_free(record);
    return there;
}

static inline void fuzz_list(memo_db *db, int oldest_first, const char *where, int strict)
{
    const memo_list_options options = {
        .size = sizeof options, .limit = 20, .oldest_first = oldest_first, .where = where};
    memo_records *page = NULL;
    memo_err err = {0};
    memo_status status = memo_db_list(db, &options, &page, &err);

    fuzz_said(status, &err);
    for (size_t i = 0; !status && i < page->n; i++)
        fuzz_check_record(&page->records[i], strict);
    memo_records_free(page);
}

static inline void fuzz_look(memo_db *db, int strict)
{
    memo_findings *findings = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    memo_err err = {0};

    fuzz_list(db, 0, NULL, strict);
    fuzz_list(db, 1, "tags = 'house' or meta.n >= 3 or title exists", strict);
    fuzz_search(db, "how do I get into the house", MEMO_SEARCH_HYBRID, NULL, strict);
    fuzz_search(db, "ERR-4512", MEMO_SEARCH_HYBRID, "created >= '2020-01-01'", strict);
    fuzz_search(db, "spare key", MEMO_SEARCH_LEXICAL, NULL, strict);
    fuzz_said(memo_db_get_stats(db, &stats, &err), &err);
    memo_err doctor = {0};
    fuzz_said(memo_db_doctor(db, &findings, &doctor), &doctor);
    memo_findings_free(findings);
}

#endif
