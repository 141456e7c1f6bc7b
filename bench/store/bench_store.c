// SPDX-License-Identifier: Apache-2.0
/* bench_store -- the memory engine on the workload of ../shared/peers/store: documents with ready
 * vectors of an external space, a tag and a number each.
 *
 *   bench_store FOLDER [MODEL]
 *
 * FOLDER holds base.f32 and queries.f32 (raw little-endian, BENCH_DIM a row), docs.txt, tags.txt and
 * words.txt (a line a document, a line a query). Waits on stdin for one of
 *
 *   open PATH          bulk FROM TO     one FROM N       knn FROM N     filter FROM N
 *   hybrid FROM N      text FROM N      first PATH       worker PATH FROM N   count   close
 *
 * and answers with JSON and DONE, as bench/store/peer_store.py does for the others. Hits are the
 * numbers of the documents, for the recall that run.py works out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memolith/memory.h>

#include "common/bench.h"

enum { BENCH_DIM = 384, BENCH_K = 10, BENCH_LINE = 4096 };

typedef struct bench_store {
    memo_ctx *ctx;
    memo_model *model; /* or NULL */
    memo_db *db;
    bench_lines docs, tags, words;
    const float *base, *queries; /* [n, BENCH_DIM] */
    size_t n_base, n_queries;
} bench_store;

/* Mapped, so that a process that only searches does not hold what it does not read. */
static const float *store_map_vectors(const char *folder, const char *name, size_t *n)
{
    char path[BENCH_LINE];
    struct stat st;
    void *p;
    int fd;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st))
        bench_die("%s: %s", path, strerror(errno));
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        bench_die("%s: %s", path, strerror(errno));
    close(fd);
    *n = (size_t)st.st_size / sizeof(float) / BENCH_DIM;
    return p;
}

static void store_read_lines(const char *folder, const char *name, bench_lines *lines)
{
    char path[BENCH_LINE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bench_lines_read(path, lines);
}

static memo_db *store_open(bench_store *b, const char *path)
{
    const memo_external_space space = {.size = sizeof space, .name = "bench", .dim = BENCH_DIM};
    const memo_db_options options = {
        .size = sizeof options,
        .mode = MEMO_OPEN_CREATE,
        .busy_timeout_ms = 60000,
        .model = b->model,
        .external = b->model ? NULL : &space,
    };
    memo_db *db = NULL;
    memo_err err = {0};
    bench_need(memo_db_open(b->ctx, path, &options, &db, &err), &err);
    return db;
}

/* ---- writing ------------------------------------------------------------------------------- */

typedef struct store_record {
    char key[24], tag[64], metadata[40];
    const char *tags[1];
    memo_vector vector;
} store_record;

static void store_fill(const bench_store *b, size_t i, store_record *r, memo_record_in *in)
{
    snprintf(r->key, sizeof r->key, "%zu", i);
    snprintf(r->tag, sizeof r->tag, "%.*s", (int)b->tags.texts[i].n_bytes, b->tags.texts[i].bytes);
    snprintf(r->metadata, sizeof r->metadata, "{\"num\":%zu}", i);
    r->tags[0] = r->tag;
    r->vector = (memo_vector){.f32 = b->base + i * BENCH_DIM, .dim = BENCH_DIM};
    *in = (memo_record_in){.size = sizeof *in,
                           .key = r->key,
                           .text = b->docs.texts[i],
                           .metadata_json = r->metadata,
                           .tags = r->tags,
                           .n_tags = 1,
                           .chunking = MEMO_CHUNK_NONE,
                           .vectors = b->model ? NULL : &r->vector,
                           .n_vectors = b->model ? 0 : 1};
}

static void store_add(bench_store *b, memo_db *db, size_t from, size_t n)
{
    store_record *held = calloc(n, sizeof *held);
    memo_record_in *in = calloc(n, sizeof *in);
    memo_err err = {0};
    if (!held || !in)
        bench_die("no memory for %zu records", n);
    for (size_t i = 0; i < n; i++)
        store_fill(b, from + i, &held[i], &in[i]);
    bench_need(memo_db_add(db, NULL, in, n, NULL, &err), &err);
    free(held);
    free(in);
}

static void store_bulk(bench_store *b, size_t from, size_t to)
{
    double began = bench_now(), cpu = bench_cpu_time();
    store_add(b, b->db, from, to - from);
    printf("{\"s\": %.4f, \"cpu_s\": %.4f}\n", bench_now() - began, bench_cpu_time() - cpu);
}

static void store_one(bench_store *b, size_t from, size_t n)
{
    printf("{\"ms\": [");
    for (size_t i = 0; i < n; i++) {
        double began = bench_now();
        store_add(b, b->db, from + i, 1);
        printf("%s%.4f", i ? ", " : "", (bench_now() - began) * 1e3);
    }
    printf("]}\n");
}

/* ---- searching ----------------------------------------------------------------------------- */

enum { STORE_KNN, STORE_FILTER, STORE_HYBRID, STORE_TEXT };

static void store_search(bench_store *b, int kind, size_t q, memo_hits **hits)
{
    char where[96];
    memo_err err = {0};
    const memo_vector vector = {.f32 = b->queries + q * BENCH_DIM, .dim = BENCH_DIM};
    memo_search_options options = {
        .size = sizeof options,
        .k = BENCH_K,
        .mode = kind == STORE_HYBRID || kind == STORE_TEXT ? MEMO_SEARCH_HYBRID : MEMO_SEARCH_DENSE,
        .vector = kind == STORE_TEXT ? NULL : &vector};
    memo_text text = {NULL, 0};
    if (kind == STORE_FILTER) {
        snprintf(where, sizeof where, "tags = 't%02zu'", q % 20);
        options.where = where;
    }
    if (kind == STORE_HYBRID || kind == STORE_TEXT)
        text = b->words.texts[q % b->words.n];
    bench_need(memo_db_search(b->db, text, &options, hits, &err), &err);
}

static void store_queries(bench_store *b, int kind, size_t from, size_t n)
{
    double *ms = calloc(n, sizeof *ms);
    if (!ms)
        bench_die("no memory for %zu times", n);
    printf("{\"ids\": [");
    for (size_t i = 0; i < n; i++) {
        memo_hits *hits = NULL;
        double began = bench_now();
        store_search(b, kind, (from + i) % b->n_queries, &hits);
        ms[i] = (bench_now() - began) * 1e3;
        printf("%s[", i ? ", " : "");
        for (size_t h = 0; h < hits->n; h++)
            printf("%s%s", h ? ", " : "", hits->hits[h].key);
        printf("]");
        memo_hits_free(hits);
    }
    printf("], \"ms\": [");
    for (size_t i = 0; i < n; i++)
        printf("%s%.4f", i ? ", " : "", ms[i]);
    printf("]}\n");
    free(ms);
}

static void store_first(bench_store *b, const char *path)
{
    memo_hits *hits = NULL;
    double began = bench_now(), opened;
    b->db = store_open(b, path);
    opened = bench_now();
    store_search(b, STORE_KNN, 0, &hits);
    printf("{\"open_ms\": %.3f, \"first_ms\": %.3f, \"n\": %zu}\n", (opened - began) * 1e3,
           (bench_now() - began) * 1e3, hits->n);
    memo_hits_free(hits);
}

/* ---- what is asked ------------------------------------------------------------------------- */

static long store_rss_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void store_worker(bench_store *b, const char *path, size_t from, size_t n)
{
    memo_db *db = store_open(b, path);
    for (size_t i = 0; i < n; i++)
        store_add(b, db, from + i, 1);
    memo_db_close(db);
    printf("{\"added\": %zu}\n", n);
}

static void store_count(bench_store *b)
{
    memo_db_stats stats = {.size = sizeof stats};
    memo_err err = {0};
    bench_need(memo_db_get_stats(b->db, &stats, &err), &err);
    printf("{\"n\": %llu}\n", (unsigned long long)stats.n_records);
}

static int store_answer(bench_store *b, char *line)
{
    char path[BENCH_LINE];
    size_t x = 0, y = 0;
    if (sscanf(line, "open %4095s", path) == 1)
        b->db = store_open(b, path);
    else if (sscanf(line, "bulk %zu %zu", &x, &y) == 2)
        store_bulk(b, x, y);
    else if (sscanf(line, "one %zu %zu", &x, &y) == 2)
        store_one(b, x, y);
    else if (sscanf(line, "knn %zu %zu", &x, &y) == 2)
        store_queries(b, STORE_KNN, x, y);
    else if (sscanf(line, "filter %zu %zu", &x, &y) == 2)
        store_queries(b, STORE_FILTER, x, y);
    else if (sscanf(line, "hybrid %zu %zu", &x, &y) == 2)
        store_queries(b, STORE_HYBRID, x, y);
    else if (sscanf(line, "text %zu %zu", &x, &y) == 2)
        store_queries(b, STORE_TEXT, x, y);
    else if (sscanf(line, "worker %4095s %zu %zu", path, &x, &y) == 3)
        store_worker(b, path, x, y);
    else if (sscanf(line, "first %4095s", path) == 1)
        store_first(b, path);
    else if (strncmp(line, "count", 5) == 0)
        store_count(b);
    else if (strncmp(line, "close", 5) == 0) {
        memo_db_close(b->db);
        b->db = NULL;
    } else
        return 0;
    printf("{\"rss_mb\": %.1f}\nDONE\n", (double)store_rss_kib() / 1024);
    return 1;
}

int main(int argc, char **argv)
{
    bench_store b = {0};
    char line[BENCH_LINE];
    if (argc != 2 && argc != 3)
        bench_die("usage: bench_store FOLDER [MODEL]");
    b.ctx = bench_ctx(NULL, 2);
    if (argc == 3)
        b.model = bench_model(b.ctx, argv[2]);
    b.base = store_map_vectors(argv[1], "base.f32", &b.n_base);
    b.queries = store_map_vectors(argv[1], "queries.f32", &b.n_queries);
    store_read_lines(argv[1], "docs.txt", &b.docs);
    store_read_lines(argv[1], "tags.txt", &b.tags);
    store_read_lines(argv[1], "words.txt", &b.words);
    if (b.docs.n < b.n_base || b.tags.n < b.n_base)
        bench_die("%s: fewer documents than vectors", argv[1]);
    printf("READY\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (!store_answer(&b, line))
            bench_die("not understood: %s", line);
        fflush(stdout);
    }
    memo_db_close(b.db);
    memo_model_close(b.model);
    memo_ctx_free(b.ctx);
    return 0;
}
