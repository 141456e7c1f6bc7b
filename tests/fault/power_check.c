// SPDX-License-Identifier: Apache-2.0
#include "power_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

enum { CHECK_MAX_VECTORS = 128 };

typedef struct check_state {
    memo_ctx *ctx;
    const char *folder;
    memo_store *store;       /* the one that is looked at */
    unsigned char *versions; /* of it: found.of or found.in_copy */
    memo_arena arena;
    power_versions found;
    size_t n_vectors;
    int64_t chunks[CHECK_MAX_VECTORS];
    float vectors[CHECK_MAX_VECTORS][POWER_DIM];
    char *why;
} check_state;

static int check_fail(check_state *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Always 0. */
static int check_fail(check_state *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->why, 512, fmt, args);
    va_end(args);
    return 0;
}

static void check_path(const check_state *c, const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", c->folder, name);
}

/* ---- what is there ------------------------------------------------------------------------- */

/* The file is one whole version, or absent. */
static int check_read_model(check_state *c)
{
    char path[512], *bytes = NULL;
    size_t n = 0, n_wanted;
    memo_err err = {0};
    check_path(c, POWER_MODEL_NAME, path);
    if (!memo_path_exists(path))
        return 1;
    if (memo_file_slurp(path, 1 << 20, &bytes, &n, &err))
        return check_fail(c, "the model file: %s", err.message);
    unsigned version = n ? (unsigned char)bytes[0] : 0;
    unsigned char *wanted = power_model_bytes(version, &n_wanted);
    int same = n == n_wanted && memcmp(bytes, wanted, n) == 0;
    free(wanted);
    memo_free(bytes);
    c->found.model = (unsigned char)version;
    return same || check_fail(c, "the model file of %zu bytes is none of the versions", n);
}

/* A record must be one of its versions as a whole. */
static int check_read_record(check_state *c, int64_t ns, unsigned key)
{
    char name[16], metadata[32];
    memo_record record;
    memo_err err = {0};
    unsigned version = 0;
    snprintf(name, sizeof name, "k%02u", key);
    memo_status status = memo_store_get(c->store, ns, name, &c->arena, &record, &err);
    if (status == MEMO_ERR_NOTFOUND)
        return 1;
    if (status)
        return check_fail(c, "record %s: %s", name, err.message);
    if (sscanf(record.metadata_json, "{\"v\":%u}", &version) != 1 || version < 1 || version > 255)
        return check_fail(c, "record %s has metadata %s", name, record.metadata_json);
    char *text = power_text(key, version);
    snprintf(metadata, sizeof metadata, "{\"v\":%u}", version);
    int same = strcmp(text, record.text.bytes) == 0 && strlen(text) == record.text.n_bytes &&
               strcmp(metadata, record.metadata_json) == 0;
    free(text);
    c->versions[key] = (unsigned char)version;
    return same || check_fail(c, "record %s: text differs from that of version %u", name, version);
}

static int check_read_records(check_state *c)
{
    memo_store_ns ns;
    memo_err err = {0};
    memo_store_scope scope = {0};
    uint64_t n_records = 0, n_chunks = 0, n_found = 0;
    memo_status status = memo_store_find_ns(c->store, "default", &ns, &err);
    if (status == MEMO_ERR_NOTFOUND)
        return 1;
    scope.ns = ns.id;
    if (!status)
        status = memo_store_count(c->store, &scope, &n_records, &n_chunks, &err);
    if (status)
        return check_fail(c, "%s", err.message);
    for (unsigned key = 0; key <= POWER_PROBE; key++) {
        if (!check_read_record(c, ns.id, key))
            return 0;
        n_found += c->versions[key] > 0;
    }
    return n_found == n_records ||
           check_fail(c, "%" PRIu64 " records, %" PRIu64 " of them known", n_records, n_found);
}

/* ---- search -------------------------------------------------------------------------------- */

static int check_block(void *user, const memo_store_block *block)
{
    check_state *c = user;
    for (size_t i = 0; i < block->n && c->n_vectors < CHECK_MAX_VECTORS; i++, c->n_vectors++) {
        c->chunks[c->n_vectors] = block->chunks[i];
        memcpy(c->vectors[c->n_vectors], block->vectors + i * POWER_DIM, sizeof c->vectors[0]);
    }
    return 0;
}

/* The vector that is nearest to that of the record is exactly it and leads to the record. */
static int check_nearest(check_state *c, unsigned key)
{
    char name[16];
    float wanted[POWER_DIM];
    size_t best = 0;
    double best_distance = -1;
    memo_store_chunk_row *rows = NULL;
    memo_err err = {0};
    power_vector(key, c->versions[key], wanted);
    for (size_t i = 0; i < c->n_vectors; i++) {
        double distance = 0;
        for (size_t j = 0; j < POWER_DIM; j++)
            distance += (double)(wanted[j] - c->vectors[i][j]) * (wanted[j] - c->vectors[i][j]);
        if (best_distance < 0 || distance < best_distance)
            best_distance = distance, best = i;
    }
    snprintf(name, sizeof name, "k%02u", key);
    if (best_distance != 0)
        return check_fail(c, "record %s: its vector is not among the %zu", name, c->n_vectors);
    if (memo_store_fetch(c->store, &c->chunks[best], 1, &c->arena, &rows, NULL, &err))
        return check_fail(c, "record %s: %s", name, err.message);
    return (!rows[0].damaged && rows[0].record_info.key &&
            strcmp(rows[0].record_info.key, name) == 0) ||
           check_fail(c, "record %s: its vector leads to another record", name);
}

static int check_word(check_state *c, const memo_store_scope *scope, unsigned key)
{
    char word[32];
    memo_store_hits hits = {.arena = &c->arena, .limit = 2};
    memo_err err = {0};
    power_word(key, c->versions[key], word);
    if (memo_store_fulltext(c->store, scope, MEMO_STORE_WORDS, word, 1, &hits, &err))
        return check_fail(c, "full-text search: %s", err.message);
    return hits.n == 1 || check_fail(c, "the word %s is in %zu records", word, hits.n);
}

static int check_search(check_state *c, uint64_t variant)
{
    memo_store_ns ns;
    memo_err err = {0};
    memo_store_scope scope = {0};
    size_t n_records = 0;
    unsigned keys[POWER_KEYS + 1];
    for (unsigned key = 0; key <= POWER_PROBE; key++)
        if (c->versions[key])
            keys[n_records++] = key;
    if (memo_store_find_ns(c->store, "default", &ns, NULL))
        return 1;
    scope.ns = ns.id;
    if (memo_store_scan(c->store, &scope, 1, check_block, c, NULL, &err))
        return check_fail(c, "scan: %s", err.message);
    if (c->n_vectors != n_records)
        return check_fail(c, "%zu vectors of %zu records", c->n_vectors, n_records);
    for (size_t i = 0; i < n_records; i++)
        if (!check_nearest(c, keys[i]))
            return 0;
    return !n_records || check_word(c, &scope, keys[variant % n_records]);
}

/* ---- the store ----------------------------------------------------------------------------- */

static void check_finding(void *user, memo_finding_level level, const char *area,
                          const char *message, const char *hint)
{
    check_state *c = user;
    (void)hint;
    if (level == MEMO_FINDING_BAD && !c->why[0])
        check_fail(c, "doctor: %s: %s", area, message);
}

static int check_doctor(check_state *c)
{
    memo_err err = {0};
    if (memo_store_check(c->store, check_finding, c, &err))
        return check_fail(c, "doctor: %s", err.message);
    return !c->why[0];
}

static int check_add_probe(check_state *c)
{
    memo_err err = {0};
    memo_store_ns ns;
    int64_t id;
    memo_store_space space = {
        .fingerprint = "power", .name = "power", .dim = POWER_DIM, .kind = MEMO_SPACE_MODEL};
    memo_status status = memo_store_begin_write(c->store, &err);
    if (!status)
        status = memo_store_make_ns(c->store, "default", &ns, &err);
    if (!status)
        status = memo_store_make_space(c->store, &space, &id, &err);
    if (!status)
        status = power_put(c->store, ns.id, POWER_PROBE, 1, &err);
    if (!status)
        status = memo_store_commit(c->store, &err);
    return !status || check_fail(c, "a new record cannot be added: %s", err.message);
}

static int check_open(check_state *c, const char *name, unsigned char *versions,
                      memo_open_mode mode)
{
    char path[512];
    memo_err err = {0};
    memo_store_options options = {.mode = mode};
    memo_store_close(c->store);
    c->store = NULL;
    c->versions = versions;
    c->n_vectors = 0;
    check_path(c, name, path);
    return !memo_store_open(c->ctx, path, &options, &c->store, &err) ||
           check_fail(c, "it does not open: %s", err.message);
}

/* What is in the open store, read in one snapshot, and the check of the whole. */
static int check_content(check_state *c, uint64_t variant)
{
    memo_err err = {0};
    if (memo_store_begin_read(c->store, &err))
        return check_fail(c, "it cannot be read: %s", err.message);
    int good = check_read_records(c) && check_search(c, variant);
    memo_store_end_read(c->store);
    return good && check_doctor(c);
}

static int check_copy(check_state *c, uint64_t variant)
{
    char path[512];
    check_path(c, POWER_COPY, path);
    if (!memo_path_exists(path))
        return 1;
    c->found.copy = 1;
    return check_open(c, POWER_COPY, c->found.in_copy, MEMO_OPEN_EXISTING) &&
           check_content(c, variant);
}

/* One record more, after a close too. */
static int check_goes_on(check_state *c, uint64_t variant)
{
    power_versions before = c->found;
    if (!check_add_probe(c) || variant % 8 != 0)
        return !c->why[0];
    before.of[POWER_PROBE] = 1;
    memset(c->found.of, 0, sizeof c->found.of);
    if (!check_open(c, POWER_STORE, c->found.of, MEMO_OPEN_READ_ONLY) || !check_read_records(c))
        return 0;
    return memcmp(&before, &c->found, sizeof before) == 0 ||
           check_fail(c, "after a close it holds something else");
}

/* ---- the verdict --------------------------------------------------------------------------- */

static int check_equals(const check_state *c, const power_promise *p, size_t change)
{
    return memcmp(&c->found, &p->run->after[change], sizeof c->found) == 0;
}

/* The first difference, in words. */
static void check_say_difference(check_state *c, const power_promise *p)
{
    const power_versions *wanted = &p->run->after[p->done];
    if (wanted->model != c->found.model || wanted->copy != c->found.copy)
        check_fail(c,
                   "version %u of the model file and %u copies after change %zu was "
                   "acknowledged, found %u and %u",
                   wanted->model, wanted->copy, p->done, c->found.model, c->found.copy);
    for (unsigned i = 0; i < 2 * POWER_KEYS && !c->why[0]; i++) {
        unsigned key = i % POWER_KEYS;
        unsigned is = i < POWER_KEYS ? c->found.of[key] : c->found.in_copy[key];
        unsigned was = i < POWER_KEYS ? wanted->of[key] : wanted->in_copy[key];
        if (is != was)
            check_fail(c, "record k%02u%s: version %u after change %zu was acknowledged, found %u",
                       key, i < POWER_KEYS ? "" : " of the copy", was, p->done, is);
    }
}

static power_verdict check_compare(check_state *c, const power_promise *p)
{
    if (check_equals(c, p, p->done) || check_equals(c, p, p->begun))
        return POWER_FINE;
    check_say_difference(c, p);
    for (size_t i = 0; i < p->done; i++)
        if (check_equals(c, p, i))
            return POWER_LOST;
    return POWER_BROKEN;
}

static power_verdict check_run(check_state *c, const power_promise *p, uint64_t variant)
{
    int made = p->done || power_files_find(&p->run->log.start, POWER_STORE);
    memo_open_mode mode = made ? MEMO_OPEN_EXISTING : MEMO_OPEN_CREATE;
    if (!check_read_model(c) || !check_copy(c, variant))
        return POWER_BROKEN;
    if (p->run->work->no_store)
        return check_compare(c, p);
    if (!check_open(c, POWER_STORE, c->found.of, mode) || !check_content(c, variant))
        return POWER_BROKEN;
    power_verdict verdict = check_compare(c, p);
    if (verdict == POWER_FINE && !check_goes_on(c, variant))
        verdict = POWER_BROKEN;
    return verdict;
}

static power_verdict check_deeds(const power_promise *p, const char *folder, char why[512])
{
    static const power_verdict verdicts[] = {
        [FAULT_FINE] = POWER_FINE, [FAULT_LOST] = POWER_LOST, [FAULT_BROKEN] = POWER_BROKEN};
    const fault_progress progress = {.n_begun = p->begun, .n_acked = p->done};
    char found[FAULT_WHY_BYTES];
    fault_verdict verdict = fault_deeds_check(&p->run->deeds, folder, &progress, found);
    snprintf(why, 512, "%.500s", found);
    return verdicts[verdict];
}

power_verdict power_check_folder(const power_promise *promise, const char *folder, memo_ctx *ctx,
                                 uint64_t variant, char why[512])
{
    check_state *c;
    if (promise->run->work->deeds)
        return check_deeds(promise, folder, why);
    c = power_alloc(sizeof *c);
    c->ctx = ctx;
    c->folder = folder;
    c->why = why;
    why[0] = '\0';
    power_verdict verdict = check_run(c, promise, variant);
    memo_store_close(c->store);
    memo_arena_fini(&c->arena);
    free(c);
    return verdict;
}
