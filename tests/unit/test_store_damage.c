// SPDX-License-Identifier: Apache-2.0
/* A store in which something has changed by itself. Whatever is read must be what was written, or be
 * reported: never other data, never fewer rows in silence. Random flips print their seed; MEMO_SEED
 * repeats, MEMO_SCALE multiplies, MEMO_QUICK takes a sixth. */
#include "damage_util.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "base/rng.h"
#include "store/disk/vfs.h"
#include "store/store_inner.h"

enum { N_FLIPS = 1200, N_LOG_FLIPS = 400 };

/* ---- all that can be read ------------------------------------------------------------------ */

enum { MAX_LINES = 4000 };

/* What a section of reads gave: lines, or a failure; `damaged` when rows were reported missing. */
typedef struct section {
    memo_status status;
    size_t n, damaged;
    uint64_t lines[80]; /* hash of each */
} section;

typedef struct picture {
    memo_status open;
    size_t n;
    section sections[120];
} picture;

static void line(section *s, const void *bytes, size_t n, uint64_t salt)
{
    if (s->n < sizeof s->lines / sizeof *s->lines)
        s->lines[s->n] = memo_xxh64(bytes, n, salt);
    s->n++;
}

static uint64_t hash_record(const memo_record *r)
{
    uint64_t h = memo_xxh64(r->id, strlen(r->id), 0);
    h = memo_xxh64(r->key, strlen(r->key), h);
    h = memo_xxh64(r->text.bytes ? r->text.bytes : "", r->text.n_bytes, h);
    h = memo_xxh64(r->title, strlen(r->title), h);
    h = memo_xxh64(r->metadata_json, strlen(r->metadata_json), h);
    h = memo_xxh64(r->source, strlen(r->source), h);
    for (size_t i = 0; i < r->n_tags; i++)
        h = memo_xxh64(r->tags[i], strlen(r->tags[i]), h);
    h = memo_xxh64(&r->created_ms, 8, h);
    h = memo_xxh64(&r->updated_ms, 8, h);
    h = memo_xxh64(&r->expires_ms, 8, h);
    h = memo_xxh64(&r->version, 8, h);
    return memo_xxh64(&r->n_chunks, 8, h);
}

static section *next_section(picture *p)
{
    assert_true(p->n < sizeof p->sections / sizeof *p->sections);
    return &p->sections[p->n++];
}

static void read_records(memo_store *store, picture *p, memo_arena *arena)
{
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 60};
    memo_records page = {0};
    memo_record record;
    section *s;
    uint64_t counts[2] = {0};
    for (unsigned i = 0; i < N_RECORDS + 1; i++) {
        char key[16];
        s = next_section(p);
        snprintf(key, sizeof key, "key-%u", i);
        s->status = memo_store_get(store, 1, key, arena, &record, NULL);
        if (!s->status) {
            uint64_t h = hash_record(&record);
            line(s, &h, 8, 0);
        }
    }
    s = next_section(p);
    s->status = memo_store_list(store, &scope, &options, arena, &page, NULL);
    for (size_t i = 0; !s->status && i < page.n; i++) {
        uint64_t h = hash_record(&page.records[i]);
        line(s, &h, 8, 0);
    }
    s->damaged = page.n_damaged;
    s = next_section(p);
    s->status = memo_store_count(store, &scope, &counts[0], &counts[1], NULL);
    if (!s->status)
        line(s, counts, sizeof counts, 0);
}

static int take_block(void *user, const memo_store_block *block)
{
    for (size_t i = 0; i < block->n; i++)
        line(user, block->vectors + i * UTIL_DIM, UTIL_DIM * sizeof(float),
             (uint64_t)(block->chunks[i] * 1000 + block->records[i]));
    return 0;
}

static void add_hits(section *s, const memo_store_hit *hits, size_t n)
{
    for (size_t i = 0; !s->status && i < n; i++)
        line(s, &hits[i], sizeof hits[i], i);
}

static void read_search(memo_store *store, picture *p, memo_arena *arena)
{
    memo_store_scope scope = {.ns = 1};
    memo_store_damage damage = {.arena = arena};
    memo_store_chunk_row *rows = NULL;
    memo_store_hit *hits = NULL;
    int64_t ids[60];
    size_t n = 0;
    section *s = next_section(p);
    s->status = memo_store_scan(store, &scope, 1, take_block, s, &damage, NULL);
    s->damaged = damage.n;
    for (unsigned i = 0; i < 10; i++) {
        char word[32];
        snprintf(word, sizeof word, i == 9 ? "common" : i % 2 ? "word%u" : "title%u", i);
        s = next_section(p);
        s->status = util_search(store, &scope, word, 2.0, 50, arena, &hits, &n, NULL);
        add_hits(s, hits, n);
        snprintf(word, sizeof word, "ITEM-%u", i);
        s = next_section(p);
        s->status =
            util_exact(store, &scope, (memo_text){word, strlen(word)}, 50, arena, &hits, &n, NULL);
        add_hits(s, hits, n);
    }
    for (int i = 0; i < 60; i++)
        ids[i] = i + 1;
    damage.n = damage.n_ids = 0;
    s = next_section(p);
    s->status = memo_store_fetch(store, ids, 60, arena, &rows, &damage, NULL);
    for (size_t i = 0; !s->status && i < 60; i++)
        if (!rows[i].damaged)
            line(s, rows[i].text.bytes, rows[i].text.n_bytes,
                 hash_record(&rows[i].record_info) + rows[i].position);
    s->damaged = damage.n;
}

static void take_picture(util_env *env, memo_open_mode mode, picture *p)
{
    memo_store_options options = {.mode = mode};
    memo_store *store = NULL;
    memo_arena arena = {0};
    memset(p, 0, sizeof *p);
    p->open = memo_store_open(env->ctx, env->path, &options, &store, NULL);
    if (!p->open) {
        read_records(store, p, &arena);
        read_search(store, p, &arena);
    }
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* A section is right, or failed openly, or says that rows are missing and has only right ones, once
 * each. */
static int section_is_honest(const section *want, const section *got)
{
    if (got->status == want->status && got->n == want->n &&
        memcmp(got->lines, want->lines, want->n * sizeof *want->lines) == 0)
        return 1;
    if (got->status != MEMO_OK)
        return got->status == MEMO_ERR_CORRUPT;
    if (got->damaged <= want->damaged)
        return 0;
    for (size_t i = 0, k = 0; i < got->n; i++, k++) { /* in the same order, none twice */
        while (k < want->n && want->lines[k] != got->lines[i])
            k++;
        if (k == want->n)
            return 0;
    }
    return 1;
}

static int picture_is_honest(const picture *want, const picture *got, size_t *n_noticed,
                             size_t *which)
{
    size_t noticed = 0;
    if (got->open) {
        *n_noticed += 1;
        return got->open == MEMO_ERR_CORRUPT || got->open == MEMO_ERR_UNSUPPORTED;
    }
    for (size_t i = 0; i < want->n; i++) {
        if (!section_is_honest(&want->sections[i], &got->sections[i])) {
            *which = i;
            return 0;
        }
        noticed += memcmp(&want->sections[i], &got->sections[i], sizeof(section)) != 0;
    }
    *n_noticed += noticed > 0;
    return 1;
}

static size_t scaled(size_t n)
{
    const char *scale = getenv("MEMO_SCALE");
    return n * (scale ? strtoul(scale, NULL, 10) : 1) / (getenv("MEMO_QUICK") ? 6 : 1);
}

static uint64_t seed_rng(memo_rng *rng, const char *test)
{
    const char *text = getenv("MEMO_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    memo_rng_init(rng, seed);
    print_message("%s: seed %llu; again: MEMO_SEED=%llu build/tests/test_store_damage\n", test,
                  (unsigned long long)seed, (unsigned long long)seed);
    return seed;
}

/* ---- flips --------------------------------------------------------------------------------- */

static void test_damage_flipped_bits_in_the_file(void **state)
{
    util_env *env = *state;
    static picture want, got;
    memo_rng rng;
    size_t n, n_noticed = 0, which = 0, n_flips = scaled(N_FLIPS);
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    seed_rng(&rng, __func__);
    fill_store(env, store);
    memo_store_close(store);
    take_picture(env, MEMO_OPEN_READ_ONLY, &want);
    assert_int_equal(want.open, MEMO_OK);
    assert_int_equal(want.sections[7].status, MEMO_ERR_NOTFOUND);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < n_flips; i++) {
        size_t at = i < 100 ? i : (size_t)memo_rng_below(&rng, n); /* the whole header first */
        unsigned char mask = (unsigned char)(1u << memo_rng_below(&rng, 8));
        good[at] ^= mask;
        util_spill(env->path, good, n);
        take_picture(env, i % 8 ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING, &got);
        if (!picture_is_honest(&want, &got, &n_noticed, &which))
            fail_msg("byte %zu ^ 0x%02x: section %zu: %s with %zu lines, %zu damaged", at, mask,
                     which, memo_status_name(got.sections[which].status), got.sections[which].n,
                     got.sections[which].damaged);
        good[at] ^= mask;
        remove_side_files(env);
    }
    print_message("%zu flips, %zu noticed, the others changed nothing that is read\n", n_flips,
                  n_noticed);
    assert_true(n_noticed > n_flips / 4);
    util_spill(env->path, good, n);
    take_picture(env, MEMO_OPEN_READ_ONLY, &got);
    assert_memory_equal(&want, &got, sizeof want);
    free(good);
}

static uint32_t root_of(util_env *env, const char *name)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    uint32_t root;
    assert_int_equal(sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READONLY, MEMO_VFS_NAME),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &st, NULL),
        SQLITE_OK);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    root = (uint32_t)sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return root;
}

/* A page of an index names one cell twice: its row was given twice, for its own checksum is right. */
static void test_damage_of_an_index_repeats_no_row(void **state)
{
    static const char *const names[] = {"records_by_age", "sqlite_autoindex_vectors_1"};
    enum { FIRST = 8, LAST = 38 }; /* bytes of the page: the places of its first cells */
    util_env *env = *state;
    static picture want, got;
    size_t n, n_noticed = 0, which = 0;
    unsigned char *good, *bad;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    take_picture(env, MEMO_OPEN_READ_ONLY, &want);
    good = util_slurp(env->path, &n);
    bad = malloc(n);
    for (size_t i = FIRST; i < 2 * LAST - FIRST; i += 2) {
        const char *name = names[i >= LAST];
        size_t at = (root_of(env, name) - 1) * (size_t)MEMO_PAGE_BYTES + FIRST + i % (LAST - FIRST);
        memcpy(bad, good, n);
        memcpy(bad + at + 2, bad + at, 2);
        util_spill(env->path, bad, n);
        take_picture(env, MEMO_OPEN_READ_ONLY, &got);
        if (!picture_is_honest(&want, &got, &n_noticed, &which))
            fail_msg("%s, cell %zu twice: section %zu: %zu lines, %zu damaged", name,
                     (i - FIRST) / 2, which, got.sections[which].n, got.sections[which].damaged);
        util_spill(env->path, good, n);
        remove_side_files(env);
    }
    assert_true(n_noticed > 0);
    free(bad);
    free(good);
}

/* A log with a flipped bit ends before the damaged commit: some commit's state, whole. */
static void test_damage_flipped_bits_in_the_log(void **state)
{
    util_env *env = *state;
    enum { STATES = 6 };
    static picture states[STATES + 1], got;
    memo_rng rng;
    char wal[128];
    size_t n_file, n_log, n_flips = scaled(N_LOG_FLIPS), seen[STATES + 1] = {0}, refused = 0;
    unsigned char *file, *log;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    seed_rng(&rng, __func__);
    snprintf(wal, sizeof wal, "%s-wal", env->path);
    fill_store(env, store);
    memo_store_close(store);
    take_picture(env, MEMO_OPEN_READ_ONLY, &states[0]);
    store = util_open(env, MEMO_OPEN_EXISTING);
    for (unsigned i = 0; i < STATES; i++) {
        util_ok(memo_store_begin_write(store, err));
        put_numbered(store, 10 + i, 3 + i);
        util_ok(memo_store_commit(store, err));
        take_picture(env, MEMO_OPEN_READ_ONLY, &states[i + 1]);
    }
    file = util_slurp(env->path, &n_file);
    log = util_slurp(wal, &n_log);
    memo_store_close(store);
    env->path[strlen(env->path) - strlen("a.memo")] = 'b';
    snprintf(wal, sizeof wal, "%s-wal", env->path);
    for (size_t i = 0; i < n_flips; i++) {
        size_t at = (size_t)memo_rng_below(&rng, n_log), which = 0, dummy = 0, k = STATES;
        unsigned char mask = (unsigned char)(1u << memo_rng_below(&rng, 8));
        if (i % 8 == 0)
            at = i / 8 % 32;
        log[at] ^= mask;
        util_spill(env->path, file, n_file);
        util_spill(wal, log, i % 16 == 1 ? at : n_log); /* some are cut there instead */
        take_picture(env, i % 8 ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING, &got);
        while (k > 0 && (got.open || !picture_is_honest(&states[k], &got, &dummy, &which)))
            k--;
        if (got.open)
            refused++;
        else if (!picture_is_honest(&states[k], &got, &dummy, &which))
            fail_msg("byte %zu ^ 0x%02x of the log: no commit's state (section %zu)", at, mask,
                     which);
        seen[k]++;
        log[at] ^= mask;
        remove_side_files(env);
    }
    assert_true(refused < n_flips / 10);
    assert_true(seen[1] && seen[STATES - 1]);
    free(file);
    free(log);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_damage_flipped_bits_in_the_file),
        CASE(test_damage_of_an_index_repeats_no_row),
        CASE(test_damage_flipped_bits_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
