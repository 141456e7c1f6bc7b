// SPDX-License-Identifier: Apache-2.0
/* The stores whose bits are flipped: their content, and a map of their pages. The map is made from
 * the file format alone (https://sqlite.org/fileformat.html), so that it does not depend on what is
 * tested. */
#include "flip_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/db.h"
#include "store/disk/vfs.h"

const char *const flip_kind_names[FLIP_N_KINDS] = {
    "file header",
    "schema",
    "inner pages of tables",
    "leaves of tables",
    "inner pages of indexes",
    "leaves of indexes",
    "vectors",
    "full text",
    "overflow pages",
    "free trunk",
    "free leaves",
    "page checksums",
    "log header",
    "frame headers",
    "pages in the log",
    "shared memory",
    "lock and mark",
    "index of the vectors",
};
const char *const flip_suffixes[FLIP_N_FILES] = {"", "-wal", "-shm", "-lock", "-idx"};

static void store_need(memo_status status, const memo_err *err)
{
    if (status == MEMO_OK)
        return;
    fprintf(stderr, "flips: %s: %s\n", memo_status_name(status), err->message);
    exit(2);
}

static void store_die(const char *what)
{
    fprintf(stderr, "flips: %s\n", what);
    exit(2);
}

/* ---- content ------------------------------------------------------------------------------- */

/* No two begin alike, so that inner pages of the index hold whole keys. */
void flip_long_key(int i, char out[FLIP_LONG_KEY_BYTES + 1])
{
    for (int c = 0; c < FLIP_LONG_KEY_BYTES; c++)
        out[c] = (char)('a' + (i * 7 + c * (i + 3)) % 26);
    out[FLIP_LONG_KEY_BYTES] = '\0';
}

static void store_step(fault_session *s, fault_step step)
{
    memo_err err = {0};
    store_need(fault_step_run(s, &step, &err), &err);
}

static void store_add(fault_session *s, memo_record_in in)
{
    memo_err err = {0};
    store_need(memo_db_add(s->db, NULL, &in, 1, NULL, &err), &err);
}

static void store_add_long_keys(fault_session *s)
{
    static const char *const tags[] = {"long", "key"};
    for (int i = 0; i < FLIP_N_LONG_KEYS; i++) {
        char key[FLIP_LONG_KEY_BYTES + 1], text[64];
        flip_long_key(i, key);
        snprintf(text, sizeof text, "a spare note with ITEM-%d in the garden", i);
        store_add(s, (memo_record_in){.size = sizeof(memo_record_in),
                                      .key = key,
                                      .text = {text, strlen(text)},
                                      .tags = tags,
                                      .n_tags = 2,
                                      .metadata_json = "{\"place\":\"Porto\"}",
                                      .source = "/some/where.txt"});
    }
}

/* One text on overflow pages in one chunk, one in many. */
static void store_add_long_texts(fault_session *s, const char *key, size_t n_words,
                                 memo_chunking chunking)
{
    static const char *const words[] = {"boiler", "garden", "spare", "flower", "note", "pot"};
    char *text = malloc(n_words * 8 + 1);
    size_t at = 0;
    if (!text)
        store_die("no memory");
    for (size_t i = 0; i < n_words; i++)
        at += (size_t)sprintf(text + at, "%s%s", i ? " " : "", words[(i * i + i / 7) % 6]);
    store_add(s, (memo_record_in){.size = sizeof(memo_record_in),
                                  .key = key,
                                  .text = {text, at},
                                  .title = "a long one",
                                  .chunking = chunking});
    free(text);
}

/* Vectors that do not fit a page, in a namespace and a space of their own. */
static void store_add_wide(fault_session *s)
{
    memo_store *store = s->db->store;
    memo_store_space space = {
        .fingerprint = "wide", .name = "wide", .dim = FLIP_WIDE_DIM, .kind = MEMO_SPACE_MODEL};
    float *vector = malloc(FLIP_WIDE_DIM * sizeof *vector);
    memo_store_ns ns;
    int64_t id = 0;
    memo_err err = {0};
    if (!vector)
        store_die("no memory");
    store_need(memo_store_begin_write(store, &err), &err);
    store_need(memo_store_make_ns(store, "wide", &ns, &err), &err);
    store_need(memo_store_make_space(store, &space, &id, &err), &err);
    store_need(memo_store_set_ns_space(store, ns.id, id, &err), &err);
    for (unsigned i = 0; i < 4; i++) {
        char key[16], text[64];
        memo_add_result result = {.size = sizeof result};
        memo_store_chunk chunk = {.n_tokens = 3, .vector = vector};
        memo_store_put put = {.key = key, .space = id, .chunks = &chunk, .n_chunks = 1};
        snprintf(key, sizeof key, "wide-%u", i);
        put.text = (memo_text){text, (size_t)snprintf(text, sizeof text, "a wide note %u", i)};
        chunk.end = put.text.n_bytes;
        for (size_t k = 0; k < FLIP_WIDE_DIM; k++)
            vector[k] = (float)((i * 31 + k * 7) % 101) / 101.0f - 0.5f;
        store_need(memo_store_put_record(store, ns.id, &put, &result, &err), &err);
    }
    store_need(memo_store_commit(store, &err), &err);
    free(vector);
}

static void store_read_image(flip_image *image, const char *path)
{
    for (int i = 0; i < FLIP_N_FILES; i++) {
        char name[320];
        FILE *f;
        snprintf(name, sizeof name, "%s%s", path, flip_suffixes[i]);
        if (!(f = fopen(name, "rbe")))
            continue;
        fseek(f, 0, SEEK_END);
        image->n_bytes[i] = (size_t)ftell(f);
        rewind(f);
        image->bytes[i] = malloc(image->n_bytes[i] + 1);
        if (!image->bytes[i] ||
            fread(image->bytes[i], 1, image->n_bytes[i], f) != image->n_bytes[i])
            store_die(name);
        fclose(f);
    }
}

/* Facts of all kinds, with evidence, and what was done with a search. */
static void store_add_facts(fault_session *s)
{
    char key[FLIP_LONG_KEY_BYTES + 1], id[MEMO_ID_BYTES];
    const char *const aliases[] = {"the heating", "Boiler 7"};
    const memo_entity_in boiler = {.size = sizeof boiler,
                                   .name = "the boiler",
                                   .kind = "thing",
                                   .metadata_json = "{\"room\":\"cellar\"}",
                                   .aliases = aliases,
                                   .n_aliases = 2};
    memo_fact_result result = {.size = sizeof result};
    memo_hits *hits = NULL;
    memo_err err = {0};
    store_need(memo_db_entity_add(s->db, NULL, &boiler, NULL, &err), &err);
    for (int i = 0; i < 12; i++) {
        const memo_evidence_in evidence[] = {{key, 0, 0}, {key, 0, 3}};
        char value[32];
        memo_fact_in fact = {.size = sizeof fact,
                             .subject = i % 3 ? "the boiler" : "Anna",
                             .relation = i % 2 ? "needs" : "serviced",
                             .confidence = 1.0 / (i + 1),
                             .evidence = evidence,
                             .n_evidence = 2,
                             .functional = i % 4 == 0};
        fault_key(12 + i, key);
        snprintf(value, sizeof value, "part %d", i);
        fact.value = i % 3 == 1 ? NULL : value;
        fact.object = i % 3 == 1 ? "Anna" : NULL;
        store_need(memo_db_fact_add(s->db, NULL, &fact, &result, &err), &err);
        if (i % 5 == 0)
            store_need(memo_db_fact_retract(s->db, NULL, result.id, "not so", NULL, &err), &err);
    }
    store_need(memo_db_search(s->db, MEMO_STR("the boiler"), NULL, &hits, &err), &err);
    for (int kind = 0; kind < MEMO_N_ACTIONS - 1; kind++) {
        const memo_action_in in = {.size = sizeof in,
                                   .search_id = kind % 2 ? hits->search_id : NULL,
                                   .kind = (memo_action_kind)kind,
                                   .id = hits->hits[0].id,
                                   .other =
                                       kind >= MEMO_ACTION_REJECT_PAIR ? hits->hits[1].id : NULL,
                                   .actor = "anna",
                                   .detail = "as it was"};
        store_need(memo_db_feedback(s->db, &in, id, &err), &err);
    }
    memo_hits_free(hits);
    store_need(memo_db_flush(s->db, &err), &err);
}

/* What is kept of searches, what a score means, what belongs together. */
static void store_add_settings(fault_session *s)
{
    enum { PAIRS = 24 };
    const memo_search_log log = {.size = sizeof log, .max_searches = 5000, .max_days = 90};
    const memo_record_edit edit = {.size = sizeof edit, .parent = "k001", .supersedes = "k002"};
    static char texts[PAIRS][64];
    memo_pair pairs[2 * PAIRS];
    memo_calibration made = {.size = sizeof made};
    const memo_calibrate_options o = {.size = sizeof o, .pairs = pairs, .n_pairs = 2 * PAIRS};
    memo_err err = {0};
    for (int i = 0; i < PAIRS; i++)
        snprintf(texts[i], sizeof texts[i], "%s note %d about the %s", i % 2 ? "anna" : "a spare",
                 i, i % 3 ? "boiler" : "garden");
    for (int i = 0; i < PAIRS; i++) {
        memo_text a = MEMO_STR(texts[i]), b = MEMO_STR(texts[(i + 7) % PAIRS]);
        pairs[2 * i] = (memo_pair){a, a, 1};
        pairs[2 * i + 1] = (memo_pair){a, b, 0};
    }
    store_need(memo_db_calibrate(s->db, &o, &made, &err), &err);
    store_need(memo_db_set_search_log(s->db, &log, &err), &err);
    store_need(memo_db_edit(s->db, NULL, "k000", &edit, NULL, &err), &err);
}

/* A search of a store as small as this one makes its index. */
static void store_make_index(fault_session *s)
{
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_DENSE, .no_log = 1};
    memo_hits *hits = NULL;
    memo_err err = {0};
    store_need(fault_session_open(s, &err), &err);
    s->db->index.min_rows = FLIP_INDEX_ROWS;
    store_need(memo_db_search(s->db, MEMO_STR("the garden"), &o, &hits, &err), &err);
    memo_hits_free(hits);
}

void flip_store_make(fault_world *world, const char *folder, flip_image images[FLIP_N_IMAGES])
{
    static const fault_step fill[] = {
        {FAULT_PUT, 0, 0, FLIP_N_PLAIN, 1},
        {FAULT_PUT, 1, 0, 6, 1},
        {FAULT_PUT, 0, 0, 12, 2}, /* earlier versions */
        {FAULT_EDIT, 0, 14, 1, 2},
    };
    static const fault_step more[] = {
        {FAULT_PUT, 0, 2, 3, 3},
        {FAULT_FORGET, 0, 20, 2, 0},
        {FAULT_PUT, 1, 3, 4, 2},
        {FAULT_EDIT, 0, 7, 1, 3},
    };
    const memo_forget_options gone = {
        .size = sizeof gone, .ids = (const char *const[]){"gone"}, .n_ids = 1};
    fault_session s;
    memo_err err = {0};
    fault_session_init(&s, world, folder);
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++)
        store_step(&s, fill[i]);
    store_add_long_texts(&s, "uncut", 2500, MEMO_CHUNK_NONE);
    store_add_long_texts(&s, "cut", 1500, MEMO_CHUNK_PLAIN);
    store_add_long_texts(&s, "gone", 9000, MEMO_CHUNK_NONE);
    store_add_long_keys(&s);
    store_add_wide(&s);
    store_add_facts(&s);
    store_add_settings(&s);
    store_need(memo_db_forget(s.db, &gone, NULL, NULL, &err), &err);
    fault_session_close(&s);
    store_make_index(&s);
    fault_session_close(&s);
    images[FLIP_CLOSED] = (flip_image){.name = "closed"};
    store_read_image(&images[FLIP_CLOSED], s.path);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        store_step(&s, more[i]);
    images[FLIP_KILLED] = (flip_image){.name = "killed"};
    store_read_image(&images[FLIP_KILLED], s.path);
    fault_session_close(&s);
}

void flip_store_free(flip_image images[FLIP_N_IMAGES])
{
    for (int i = 0; i < FLIP_N_IMAGES; i++)
        for (int f = 0; f < FLIP_N_FILES; f++)
            free(images[i].bytes[f]);
}

void flip_store_put(const flip_image *image, const char *path, int with_index)
{
    for (int i = 0; i < FLIP_N_FILES; i++) {
        char name[320];
        FILE *f;
        snprintf(name, sizeof name, "%s%s", path, flip_suffixes[i]);
        unlink(name);
        if (!image->bytes[i] || (i == FLIP_INDEX && !with_index))
            continue;
        f = fopen(name, "wbe");
        if (!f || fwrite(image->bytes[i], 1, image->n_bytes[i], f) != image->n_bytes[i] ||
            fclose(f) != 0)
            store_die(name);
    }
}

/* ---- a map of the pages -------------------------------------------------------------------- */

typedef struct flip_map {
    const unsigned char *bytes;
    uint32_t n_pages;
    unsigned char *kinds; /* [n_pages + 1] flip_kind of page 1 .. n_pages; FLIP_N_KINDS: not seen */
} flip_map;

static uint32_t map_be(const unsigned char *p, int n)
{
    uint32_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static const unsigned char *map_page(const flip_map *m, uint32_t number)
{
    if (number < 1 || number > m->n_pages)
        store_die("a page that is not in the file");
    return m->bytes + (size_t)(number - 1) * MEMO_PAGE_BYTES;
}

/* 5 and 2 are inner pages of tables and indexes, 13 and 10 leaves. `owner` < FLIP_N_KINDS overrides
 * the kind. */
static void map_tree(flip_map *m, uint32_t number, flip_kind owner)
{
    const unsigned char *page = map_page(m, number), *head = page + (number == 1 ? 100 : 0);
    int inner = head[0] == 5 || head[0] == 2, table = head[0] == 5 || head[0] == 13;
    uint32_t n_cells = map_be(head + 3, 2);
    if (!inner && head[0] != 13 && head[0] != 10)
        store_die("a page that is none of a tree");
    if (owner < FLIP_N_KINDS)
        m->kinds[number] = (unsigned char)owner;
    else if (table)
        m->kinds[number] = inner ? FLIP_TABLE_INNER : FLIP_TABLE_LEAF;
    else
        m->kinds[number] = inner ? FLIP_INDEX_INNER : FLIP_INDEX_LEAF;
    if (!inner)
        return;
    for (uint32_t i = 0; i < n_cells; i++)
        map_tree(m, map_be(page + map_be(head + 12 + 2 * i, 2), 4), owner);
    map_tree(m, map_be(head + 8, 4), owner);
}

static void map_free_list(flip_map *m)
{
    for (uint32_t trunk = map_be(m->bytes + 32, 4); trunk; trunk = map_be(map_page(m, trunk), 4)) {
        const unsigned char *page = map_page(m, trunk);
        m->kinds[trunk] = FLIP_FREE_TRUNK;
        for (uint32_t i = 0, n = map_be(page + 4, 4); i < n; i++) {
            (void)map_page(m, map_be(page + 8 + 4 * i, 4));
            m->kinds[map_be(page + 8 + 4 * i, 4)] = FLIP_FREE_LEAF;
        }
    }
}

static void map_trees(flip_map *m, const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    map_tree(m, 1, FLIP_SCHEMA);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, MEMO_VFS_NAME) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT name, type, rootpage FROM sqlite_schema WHERE rootpage > 0",
                           -1, &st, NULL) != SQLITE_OK)
        store_die(sqlite3_errmsg(db));
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        int is_table = strcmp((const char *)sqlite3_column_text(st, 1), "table") == 0;
        map_tree(m, (uint32_t)sqlite3_column_int(st, 2),
                 strncmp(name, "fts", 3) == 0               ? FLIP_FULLTEXT
                 : is_table && strcmp(name, "vectors") == 0 ? FLIP_VECTORS
                                                            : FLIP_N_KINDS);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* What no tree and no list names holds the rest of a long row. */
static void map_make(flip_map *m, const flip_image *image, const char *path)
{
    flip_image file = {.bytes = {image->bytes[FLIP_MAIN]}, .n_bytes = {image->n_bytes[FLIP_MAIN]}};
    *m = (flip_map){.bytes = image->bytes[FLIP_MAIN],
                    .n_pages = (uint32_t)(image->n_bytes[FLIP_MAIN] / MEMO_PAGE_BYTES)};
    m->kinds = malloc(m->n_pages + 1);
    if (!m->kinds)
        store_die("no memory");
    memset(m->kinds, FLIP_OVERFLOW, m->n_pages + 1);
    flip_store_put(&file, path, 0);
    map_free_list(m);
    map_trees(m, path);
}

enum { FLIP_INDEX_POINTS = 300 };

/* ---- points -------------------------------------------------------------------------------- */

typedef struct flip_list {
    flip_point *points;
    size_t n, cap;
    uint64_t seed;
    unsigned n_inside, one_in;
    int image;
    flip_file file;
} flip_list;

static void list_push(flip_list *l, size_t byte, unsigned bit, flip_kind kind)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 4096;
        l->points = realloc(l->points, l->cap * sizeof *l->points);
        if (!l->points)
            store_die("no memory");
    }
    l->points[l->n++] = (flip_point){(uint32_t)byte, (unsigned char)bit, (unsigned char)l->image,
                                     (unsigned char)l->file, (unsigned char)kind};
}

/* Random ones of the bits of [begin, end), one in `every`; fewer in a quick run. */
static void list_bits(flip_list *l, size_t begin, size_t end, unsigned every, flip_kind kind)
{
    for (size_t bit = 8 * begin; bit < 8 * end; bit++)
        if (fault_mix(l->seed + (uint64_t)l->file, bit) % (l->one_in * every) == 0)
            list_push(l, bit / 8, bit % 8, kind);
}

/* n bits of [begin, end): one of each of n equal parts, so that no two are the same. */
static void list_some(flip_list *l, size_t begin, size_t end, size_t n, flip_kind kind)
{
    size_t n_bits = 8 * (end - begin);
    n = n / l->one_in ? n / l->one_in : 1;
    for (size_t i = 0; i < n; i++) {
        size_t first = n_bits * i / n, last = n_bits * (i + 1) / n;
        uint64_t x = fault_mix(l->seed + 7 * (uint64_t)l->file, 8 * begin + first);
        size_t bit = 8 * begin + first + (size_t)(x % (last - first));
        list_push(l, bit / 8, bit % 8, kind);
    }
}

/* A b-tree page begins with 8 or 12 bytes and the places of its cells. */
static void list_pages(flip_list *l, const flip_map *m)
{
    for (uint32_t number = 1; number <= m->n_pages; number++) {
        size_t begin = (size_t)(number - 1) * MEMO_PAGE_BYTES, end = begin + MEMO_PAGE_BYTES;
        size_t head = begin + (number == 1 ? 100 : 0);
        flip_kind kind = (flip_kind)m->kinds[number];
        if (number == 1)
            list_bits(l, 0, 100, 1, FLIP_FILE_HEADER);
        list_bits(l, head, head + 12, 1, kind);
        list_some(l, head + 12, head + 32, l->n_inside / 4, kind);
        list_some(l, head + 32, end - MEMO_PAGE_SUM, l->n_inside, kind);
        list_bits(l, end - MEMO_PAGE_SUM, end, 2, FLIP_PAGE_SUM);
    }
}

static void list_log(flip_list *l, size_t n_bytes)
{
    enum { HEADER = 32, FRAME = 24 };
    if (n_bytes < HEADER)
        return;
    l->file = FLIP_LOG;
    list_bits(l, 0, HEADER, 1, FLIP_LOG_HEADER);
    for (size_t at = HEADER; at + FRAME + MEMO_PAGE_BYTES <= n_bytes;
         at += FRAME + MEMO_PAGE_BYTES) {
        list_bits(l, at, at + FRAME, 5, FLIP_FRAME_HEADER);
        list_some(l, at + FRAME, at + FRAME + MEMO_PAGE_BYTES, l->n_inside, FLIP_FRAME_PAGE);
    }
}

/* The shared memory begins with two copies of a header of 48 bytes and the marks of checkpoint and
 * readers; page numbers and a hash table follow. */
static void list_shared_memory(flip_list *l, size_t n_bytes)
{
    enum { HEADER = 136 };
    if (n_bytes < HEADER)
        return;
    l->file = FLIP_SHM;
    list_bits(l, 0, HEADER, 1, FLIP_SHARED_MEMORY);
    list_some(l, HEADER, n_bytes, 10 * (size_t)l->n_inside, FLIP_SHARED_MEMORY);
}

size_t flip_store_points(const flip_image images[FLIP_N_IMAGES], const char *path, uint64_t seed,
                         unsigned n_inside, unsigned one_in, flip_point **points)
{
    flip_list l = {.seed = seed, .n_inside = n_inside, .one_in = one_in};
    size_t n_of[FLIP_N_KINDS] = {0};
    flip_map map;
    for (l.image = 0; l.image < FLIP_N_IMAGES; l.image++) {
        const flip_image *image = &images[l.image];
        l.file = FLIP_MAIN;
        l.one_in = l.image == FLIP_CLOSED ? one_in : 6 * one_in; /* the same file, nearly */
        map_make(&map, image, path);
        list_pages(&l, &map);
        free(map.kinds);
        l.one_in = one_in;
        list_log(&l, image->n_bytes[FLIP_LOG]);
        list_shared_memory(&l, image->n_bytes[FLIP_SHM]);
        l.file = FLIP_LOCK;
        list_bits(&l, 0, image->n_bytes[FLIP_LOCK], 1, FLIP_LOCK_FILE);
        l.file = FLIP_INDEX;
        if (image->n_bytes[FLIP_INDEX])
            list_some(&l, 0, image->n_bytes[FLIP_INDEX], FLIP_INDEX_POINTS, FLIP_INDEX_FILE);
    }
    for (size_t i = 0; i < l.n; i++)
        n_of[l.points[i].kind]++;
    for (int kind = 0; kind < FLIP_N_KINDS; kind++)
        if (!n_of[kind]) {
            fprintf(stderr, "flips: the store has no %s\n", flip_kind_names[kind]);
            exit(2);
        }
    *points = l.points;
    return l.n;
}
