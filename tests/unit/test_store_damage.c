// SPDX-License-Identifier: Apache-2.0
/* A store in which something has changed by itself. Whatever is read must be what was written, or be
 * reported: never other data, never fewer rows in silence. Random flips print their seed; MEMO_SEED
 * repeats, MEMO_SCALE multiplies. */
#include "store_util.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "base/rng.h"
#include "store/store_inner.h"
#include "store/vfs.h"

enum { N_RECORDS = 24, N_FLIPS = 1200, N_LOG_FLIPS = 400 };

/* ---- a small store with everything in it --------------------------------------------------- */

static void put_numbered(memo_store *store, unsigned i, unsigned version)
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
    memo_add_result result;
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

static void fill_store(util_env *env, memo_store *store)
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
    return n * (scale ? strtoul(scale, NULL, 10) : 1);
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

static void remove_side_files(util_env *env)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", env->path, suffixes[i]);
        unlink(path);
    }
}

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
    static const char *const names[] = {"records_by_time", "vectors_by_space"};
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

/* ---- rows changed behind good page checksums ----------------------------------------------- */

static void meddle(util_env *env, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void test_damage_of_one_row_leaves_the_others(void **state)
{
    util_env *env = *state;
    static const char *const changes[] = {
        "UPDATE records SET text = text || ' ' WHERE key = 'key-3'",
        "UPDATE records SET metadata = '{}' WHERE key = 'key-3'",
        "UPDATE records SET title = 'x' WHERE key = 'key-3'",
        "UPDATE records SET tags = '[]' WHERE key = 'key-3'",
        "UPDATE records SET source = '' WHERE key = 'key-3'",
        "UPDATE records SET created_ms = created_ms + 1 WHERE key = 'key-3'",
        "UPDATE records SET expires_ms = 9999999999999 WHERE key = 'key-3'",
        "UPDATE records SET version = 9 WHERE key = 'key-3'",
        "UPDATE records SET checksum = checksum + 1 WHERE key = 'key-3'",
    };
    size_t n;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_arena arena = {0};
        memo_record record;
        memo_records page;
        memo_store_scope scope = {.ns = 1};
        memo_store_list_options options = {.limit = 60};
        util_findings findings = {0};
        util_spill(env->path, good, n);
        meddle(env, changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_fails(MEMO_ERR_CORRUPT, "record key-3: its checksum",
                   memo_store_get(store, 1, "key-3", &arena, &record, err));
        util_ok(memo_store_get(store, 1, "key-4", &arena, &record, err));
        util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
        assert_int_equal(page.n, N_RECORDS - 2);
        assert_int_equal(page.n_damaged, 1);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        if (!findings.n_bad || !strstr(findings.text, page.damaged[0]))
            fail_msg("%s is not in\n%s", page.damaged[0], findings.text);
        memo_arena_fini(&arena);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* One bit of one text on a page that holds several records: SQLite would refuse the page; here the
 * row checksums tell which of them is damaged. */
static void test_damage_of_one_page_leaves_its_other_rows(void **state)
{
    util_env *env = *state;
    size_t n, n_good = 0;
    unsigned char *bytes, *at;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_arena arena = {0};
    memo_record record;
    memo_records page;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = 60};
    util_findings findings = {0};
    char named[32];
    fill_store(env, store);
    memo_store_close(store);
    bytes = util_slurp(env->path, &n);
    at = memmem(bytes, n, "number15 has", 12);
    assert_non_null(at);
    assert_null(memmem(at + 1, n - (size_t)(at + 1 - bytes), "number15 has", 12));
    *at ^= 1;
    util_spill(env->path, bytes, n);
    snprintf(named, sizeof named, "page %zu", (size_t)(at - bytes) / MEMO_PAGE_BYTES + 1);
    free(bytes);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_fails(MEMO_ERR_CORRUPT, named, memo_store_get(store, 1, "key-15", &arena, &record, err));
    for (unsigned i = 0; i < N_RECORDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%u", i);
        n_good += memo_store_get(store, 1, key, &arena, &record, NULL) == MEMO_OK;
    }
    assert_int_equal(n_good, N_RECORDS - 2);
    util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
    assert_int_equal(page.n, N_RECORDS - 2);
    assert_int_equal(page.n_damaged, 2); /* the record and the page */
    assert_string_equal(page.damaged[1], named);
    util_ok(memo_store_check(store, util_finding, &findings, err));
    assert_true(findings.n_bad > 0);
    assert_non_null(strstr(findings.text, named));
    assert_non_null(strstr(findings.text, page.damaged[0]));
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static int count_block(void *user, const memo_store_block *block)
{
    *(size_t *)user += block->n;
    return 0;
}

static void test_damage_of_one_vector_leaves_the_others(void **state)
{
    util_env *env = *state;
    static const char *const changes[] = {
        "UPDATE vectors SET vector = zeroblob(32) WHERE cid = 21",
        "UPDATE vectors SET vector = zeroblob(31) WHERE cid = 21",
        "UPDATE vectors SET vector = x'' WHERE cid = 21",
        "UPDATE vectors SET vector = zeroblob(40000) WHERE cid = 21",
        "UPDATE vectors SET checksum = 0 WHERE cid = 21",
        "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE cid = 12) WHERE cid = 21",
    };
    size_t n, n_seen;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_arena arena = {0};
        memo_store_damage damage = {.arena = &arena};
        memo_store_scope scope = {.ns = 1};
        util_findings findings = {0};
        int found;
        n_seen = 0;
        util_spill(env->path, good, n);
        meddle(env, changes[i]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_scan(store, &scope, 1, count_block, &n_seen, &damage, err));
        assert_int_equal(damage.n, 1);
        assert_int_equal(n_seen, 2 * (N_RECORDS - 1) - 1);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        assert_non_null(strstr(findings.text, "vector of chunk"));
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_forget(store, 1, damage.ids[0], &found, err));
        assert_int_equal(found, 1);
        util_ok(memo_store_commit(store, err));
        util_check_clean(store);
        memo_arena_fini(&arena);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* However many are damaged, each is named on one page or another and the rest is served. */
static void test_damage_of_many_rows_is_listed_in_full(void **state)
{
    enum { MANY = 150 };
    util_env *env = *state;
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options options = {.limit = MANY};
    memo_records page;
    memo_arena arena = {0};
    size_t n = 0, n_damaged = 0, n_pages = 0;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    for (unsigned i = 0; i < MANY; i++)
        util_add(store, NULL, "a text", i);
    memo_store_close(store);
    meddle(env, "UPDATE records SET title = 'x' WHERE rid % 5 <> 0");
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    do {
        util_ok(memo_store_list(store, &scope, &options, &arena, &page, err));
        for (size_t i = 0; i < page.n_damaged; i++)
            assert_int_equal(strlen(page.damaged[i]), MEMO_ID_BYTES - 1);
        n += page.n;
        n_damaged += page.n_damaged;
        options.after = page.next;
        assert_true(++n_pages < MANY);
    } while (page.next);
    assert_int_equal(n, MANY / 5);
    assert_int_equal(n_damaged, MANY - MANY / 5);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* A search scans and then fetches: what the one reports the other must not forget. */
static void test_damage_found_before_a_fetch_is_kept(void **state)
{
    util_env *env = *state;
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_damage damage = {.arena = &arena};
    memo_store_chunk_row *rows;
    const int64_t chunks[] = {30, 31};
    size_t n_seen = 0;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    meddle(env, "UPDATE vectors SET checksum = 0 WHERE cid = 21;"
                "UPDATE chunks SET checksum = 0 WHERE cid = 30");
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    util_ok(memo_store_scan(store, &scope, 1, count_block, &n_seen, &damage, err));
    assert_int_equal(damage.n, 1);
    util_ok(memo_store_fetch(store, chunks, 2, &arena, &rows, &damage, err));
    assert_true(rows[0].damaged);
    assert_false(rows[1].damaged);
    assert_int_equal(damage.n, 2);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* A file made on purpose: checksums agree with counters that cannot be counted on. */
static void test_damage_counters_at_their_end_are_refused(void **state)
{
    static const struct {
        const char *sql, *part;
    } changes[] = {
        {"UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'records'", "row id"},
        {"UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'chunks'", "row id"},
        {"UPDATE sqlite_sequence SET seq = -9 WHERE name = 'chunks'", "row id"},
        {"UPDATE records SET seq = 9223372036854775807 WHERE rid = 3;"
         "UPDATE meta SET change_seq = 9223372036854775807",
         "no change sequence"},
    };
    util_env *env = *state;
    unsigned char *good;
    size_t n;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memo_add_result result;
        memo_err why = {0};
        memo_status status;
        util_spill(env->path, good, n);
        meddle(env, changes[i].sql);
        store = util_open(env, MEMO_OPEN_EXISTING);
        status = memo_store_begin_write(store, &why);
        if (!status)
            status = util_put(store, 1, "new", "a text", 1, &result, &why);
        memo_store_rollback(store);
        if (status != MEMO_ERR_CORRUPT || !strstr(why.message, changes[i].part))
            fail_msg("%s: %s", changes[i].sql, why.message);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* Forgetting or replacing a record whose words are not known makes the full-text index anew. */
static void test_damage_forget_and_replace_mend(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_arena arena = {0};
    memo_store_scope scope = {.ns = 1};
    memo_store_hit *hits;
    size_t n;
    int found;
    fill_store(env, store);
    memo_store_close(store);
    meddle(env, "UPDATE records SET text = 'short' WHERE key IN ('key-12', 'key-13')");
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "key-12", &found, err));
    put_numbered(store, 13, 1);
    util_ok(memo_store_commit(store, err));
    util_check_clean(store);
    util_ok(util_search(store, &scope, "number12", 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 0);
    util_ok(util_search(store, &scope, "number13", 1, 9, &arena, &hits, &n, err));
    assert_int_equal(n, 1);
    util_ok(util_search(store, &scope, "common", 1, 90, &arena, &hits, &n, err));
    assert_int_equal(n, N_RECORDS - 2);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

/* The check sees rows that do not fit each other. */
static void test_damage_check_compares_tables(void **state)
{
    util_env *env = *state;
    static const char *const changes[][2] = {
        /* what is made from the text can be made again: a warning */
        {"DELETE FROM chunks WHERE cid = 21", "1 records: 1 records with too few or too many"},
        {"DELETE FROM vectors WHERE cid = 21", "1 vectors: 1 chunks without a vector"},
        {"DELETE FROM namespaces", "refer to missing ones"},
        {"UPDATE chunks SET span_end = 100000 WHERE cid = 21", "chunk 21"},
        {"DELETE FROM fts_docsize WHERE id = 21", "full-text index does not know"},
        {"INSERT INTO fts(rowid, body) VALUES(9999, 'x')", "full-text rows without a chunk"},
        {"DELETE FROM fts_data WHERE id > 10", "full"},
        {"UPDATE versions SET text = 'x' WHERE version = 1", "checksum"},
    };
    size_t n;
    unsigned char *good;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    fill_store(env, store);
    util_check_clean(store);
    memo_store_close(store);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        util_findings findings = {0};
        util_spill(env->path, good, n);
        meddle(env, changes[i][0]);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        if ((i >= 2 && !findings.n_bad) || !strstr(findings.text, changes[i][1]))
            fail_msg("%s: no \"%s\" in\n%s", changes[i][0], changes[i][1], findings.text);
        memo_store_close(store);
        remove_side_files(env);
    }
    free(good);
}

/* A copy taken while the store was written: the newest page of counters with older rows. */
/* Another process overwrites the second half of a page: opening and closing the file in this one
 * would take SQLite's locks away. */
static void tear_page(const util_env *env, int64_t number)
{
    unsigned char bytes[MEMO_PAGE_BYTES / 2];
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(env->path, O_WRONLY);
        memset(bytes, 0x5a, sizeof bytes);
        _exit(pwrite(fd, bytes, sizeof bytes, number * MEMO_PAGE_BYTES - (int64_t)sizeof bytes) !=
              sizeof bytes);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A checkpoint that was killed leaves pages torn that the log holds whole: no damage. */
static void test_damage_of_a_page_in_the_log_is_none(void **state)
{
    util_env *env = *state;
    memo_store *writer = util_open(env, MEMO_OPEN_CREATE), *reader;
    util_findings findings = {0};
    int64_t logged = 0, other = 0;
    util_add(writer, "0", "the text of record 0", 0);
    memo_store_close(writer);
    writer = util_open(env, MEMO_OPEN_EXISTING);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    util_add(writer, "1", "the text of record 1", 1);
    util_ok(memo_sql_int(&reader->sql, "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'",
                         &logged, err));
    util_ok(memo_sql_int(
        &reader->sql, "SELECT rootpage FROM sqlite_schema WHERE name = 'quarantine'", &other, err));
    tear_page(env, logged);
    util_check_clean(reader);
    assert_int_equal(util_count(reader), 2);
    tear_page(env, other);
    util_ok(memo_store_check(reader, util_finding, &findings, err));
    assert_true(findings.n_bad > 0);
    memo_store_close(reader);
    memo_store_close(writer);
}

static void test_damage_torn_copy_is_refused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    unsigned char *before, *after;
    size_t n_before, n_after;
    fill_store(env, store);
    memo_store_close(store);
    before = util_slurp(env->path, &n_before);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err));
    put_numbered(store, 3, 9);
    util_ok(memo_store_commit(store, err));
    memo_store_close(store);
    after = util_slurp(env->path, &n_after);
    assert_int_equal(n_before, n_after);
    memcpy(before, after, 2 * MEMO_PAGE_BYTES);
    util_spill(env->path, before, n_before);
    store = NULL;
    util_fails(MEMO_ERR_CORRUPT, "change counter",
               memo_store_open(env->ctx, env->path, &options, &store, err));
    free(before);
    free(after);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_damage_flipped_bits_in_the_file),
        CASE(test_damage_of_an_index_repeats_no_row),
        CASE(test_damage_flipped_bits_in_the_log),
        CASE(test_damage_of_one_row_leaves_the_others),
        CASE(test_damage_of_one_page_leaves_its_other_rows),
        CASE(test_damage_of_one_vector_leaves_the_others),
        CASE(test_damage_of_many_rows_is_listed_in_full),
        CASE(test_damage_found_before_a_fetch_is_kept),
        CASE(test_damage_counters_at_their_end_are_refused),
        CASE(test_damage_forget_and_replace_mend),
        CASE(test_damage_check_compares_tables),
        CASE(test_damage_of_a_page_in_the_log_is_none),
        CASE(test_damage_torn_copy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
