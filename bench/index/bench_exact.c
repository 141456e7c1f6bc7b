// SPDX-License-Identifier: Apache-2.0
/* bench_exact -- searches of one store by the index of its vectors and, in turn, without it.
 *
 *   bench_exact FOLDER [VECTORS QUERIES]
 *
 * Makes 20,000 records of 384 dimensions in FOLDER/exact.memo, each with one of 20 tags: from two files
 * that end with the floats (raw or .npy), or of random directions, which are the hardest: no vector is
 * near any query. Then prints, for each kind of search, median and 99th percentile of both ways in ms of
 * this thread's processor time and of the clock; what the first search of a fresh handle costs with the
 * file and without; and how near the scan is to what this machine's memory gives.
 * Every hit of both ways is compared: ids and scores are the same, or the program ends with 1. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "common/bench.h"
#include "index/screen.h"
#include "memory/db.h"
#include "memory/vector_index.h"

enum { N = 20000, DIM = 384, N_QUERIES = 200, N_TAGS = 20, BATCH = 64 };

typedef struct exact_bench {
    memo_ctx *ctx;
    char path[512];
    float *vectors, *queries; /* [N, DIM], [N_QUERIES, DIM] */
    memo_db *indexed, *plain;
} exact_bench;

static double thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static float *read_floats(const char *path, size_t n)
{
    memo_file file;
    memo_err err = {0};
    float *x = malloc(n * sizeof *x);
    bench_need(memo_file_open(&file, path, &err), &err);
    bench_need(memo_file_read(&file, file.n_bytes - n * sizeof *x, x, n * sizeof *x, &err), &err);
    memo_file_close(&file);
    return x;
}

static float *random_floats(size_t n, uint64_t seed)
{
    memo_rng rng;
    float *x = malloc(n * sizeof *x);
    memo_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)memo_rng_normal(&rng);
    return x;
}

static memo_db *open_db(exact_bench *b, memo_open_mode mode, int with_index)
{
    const memo_external_space space = {.size = sizeof space, .name = "bench", .dim = DIM};
    const memo_db_options options = {.size = sizeof options, .mode = mode, .external = &space};
    memo_db *db = NULL;
    memo_err err = {0};
    bench_need(memo_db_open(b->ctx, b->path, &options, &db, &err), &err);
    if (!with_index)
        db->index.min_rows = SIZE_MAX;
    return db;
}

static void fill(exact_bench *b)
{
    enum { GROUP = 1000 };
    memo_db *db = open_db(b, MEMO_OPEN_CREATE, 1);
    memo_record_in *in = calloc(GROUP, sizeof *in);
    memo_vector *vectors = calloc(GROUP, sizeof *vectors);
    char(*keys)[16] = calloc(GROUP, sizeof *keys);
    char(*tags)[8] = calloc(GROUP, sizeof *tags);
    const char **tag_list = calloc(GROUP, sizeof *tag_list);
    static const char text[] =
        "twenty six words of a document that nobody reads, of which only the "
        "vector is looked at by this program and the text is as long as usual";
    memo_err err = {0};
    double begun = bench_now();
    for (size_t at = 0; at < N; at += GROUP) {
        for (size_t i = 0; i < GROUP; i++) {
            snprintf(keys[i], sizeof keys[i], "%zu", at + i);
            snprintf(tags[i], sizeof tags[i], "t%02zu", (at + i) * 7919 % N_TAGS);
            tag_list[i] = tags[i];
            vectors[i] = (memo_vector){.f32 = b->vectors + (at + i) * DIM, .dim = DIM};
            in[i] = (memo_record_in){.size = sizeof *in,
                                     .key = keys[i],
                                     .text = {text, sizeof text - 1},
                                     .tags = &tag_list[i],
                                     .n_tags = 1,
                                     .vectors = &vectors[i],
                                     .n_vectors = 1};
        }
        bench_need(memo_db_add(db, NULL, in, GROUP, NULL, &err), &err);
    }
    printf("%d records in %.2f s\n", N, bench_now() - begun);
    memo_db_close(db);
    free(in);
    free(vectors);
    free(keys);
    free(tags);
    free(tag_list);
}

static memo_hits *search(memo_db *db, const float *query, size_t k, const char *where, double *cpu,
                         double *wall)
{
    const memo_vector vector = {.f32 = query, .dim = DIM};
    const memo_search_options o = {
        .size = sizeof o, .mode = MEMO_SEARCH_DENSE, .k = k, .where = where, .vector = &vector};
    memo_hits *hits = NULL;
    memo_err err = {0};
    double c = thread_ms(), t = bench_now();
    bench_need(memo_db_search(db, (memo_text){NULL, 0}, &o, &hits, &err), &err);
    *cpu = thread_ms() - c;
    *wall = (bench_now() - t) * 1e3;
    return hits;
}

static void compare(const memo_hits *a, const memo_hits *b)
{
    int same = a->n == b->n && a->n_searched == b->n_searched;
    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->hits[i].id, b->hits[i].id) == 0 && a->hits[i].score == b->hits[i].score;
    if (!same)
        bench_die("the two ways differ");
}

static void run_kind(exact_bench *b, const char *name, size_t k, int filtered)
{
    double cpu[2][N_QUERIES], wall[2][N_QUERIES], dense[N_QUERIES];
    size_t n_plain = 40, n[2] = {N_QUERIES, n_plain};
    for (size_t i = 0; i < N_QUERIES; i++) {
        const float *query = b->queries + i * DIM;
        char where[32];
        memo_hits *a, *p;
        snprintf(where, sizeof where, "tags = 't%02zu'", i % N_TAGS);
        a = search(b->indexed, query, k, filtered ? where : NULL, &cpu[0][i], &wall[0][i]);
        dense[i] = a->timings.dense_ms;
        if (i < n_plain) {
            p = search(b->plain, query, k, filtered ? where : NULL, &cpu[1][i], &wall[1][i]);
            compare(a, p);
            memo_hits_free(p);
        }
        memo_hits_free(a);
    }
    for (int way = 0; way < 2; way++)
        printf("%-22s %-8s cpu p50 %7.3f p99 %7.3f   wall p50 %7.3f p99 %7.3f\n", name,
               way ? "store" : "index", bench_quantile(cpu[way], n[way], 0.5),
               bench_quantile(cpu[way], n[way], 0.99), bench_quantile(wall[way], n[way], 0.5),
               bench_quantile(wall[way], n[way], 0.99));
    printf("%-22s dense lane alone p50 %.3f ms, p99 %.3f ms\n", name,
           bench_quantile(dense, N_QUERIES, 0.5), bench_quantile(dense, N_QUERIES, 0.99));
}

/* The scan alone, and the bytes it reads a second; a batch; reading the same bytes and nothing else. */
static void run_scan(exact_bench *b)
{
    const memo_vector_view *view = &b->indexed->index.view;
    const memo_blocks *blocks = &view->base->blocks;
    size_t n_bytes = memo_block_count(blocks->n) * memo_block_bytes(blocks->dim), n_seen = 0;
    const memo_screen screen = {.kernels = memo_kernels_for(memo_ctx_cpu(b->ctx)),
                                .blocks = blocks,
                                .keys = view->base->records,
                                .allowed = view->live,
                                .k = 10};
    double one[N_QUERIES], all[10], read[20];
    size_t n_candidates = 0;
    memo_err err = {0};
    for (size_t i = 0; i < N_QUERIES; i++) {
        memo_candidates found = {0};
        const float *query = b->queries + i * DIM;
        double t = thread_ms();
        bench_need(memo_screen_run(&screen, &query, 1, &found, &n_seen, &err), &err);
        one[i] = thread_ms() - t;
        n_candidates += found.n;
        memo_candidates_fini(&found);
    }
    for (size_t i = 0; i < 10; i++) {
        memo_candidates found[BATCH];
        const float *queries[BATCH];
        memset(found, 0, sizeof found);
        for (size_t q = 0; q < BATCH; q++)
            queries[q] = b->queries + q * DIM;
        double t = thread_ms();
        bench_need(memo_screen_run(&screen, queries, BATCH, found, &n_seen, &err), &err);
        all[i] = thread_ms() - t;
        for (size_t q = 0; q < BATCH; q++)
            memo_candidates_fini(&found[q]);
    }
    for (size_t i = 0; i < 20; i++) {
        double t = thread_ms();
        if (memchr(blocks->codes, 0x80, n_bytes)) /* -128, which is no code */
            bench_die("a code that no vector has");
        read[i] = thread_ms() - t;
    }
    double scan = bench_quantile(one, N_QUERIES, 0.5), limit = bench_quantile(read, 20, 0.5);
    printf("scan of %.1f MB: %.3f ms a query, %.1f GB/s; reading alone %.3f ms: %.0f %% of that "
           "limit\n",
           (double)n_bytes / 1e6, scan, (double)n_bytes / scan / 1e6, limit, 100 * limit / scan);
    printf("candidates of k = 10: %.1f a query\n", (double)n_candidates / N_QUERIES);
    printf("batch of %d: %.3f ms a query\n", BATCH, bench_quantile(all, 10, 0.5) / BATCH);
}

static void run_first(exact_bench *b)
{
    char idx[520];
    double cpu, wall;
    snprintf(idx, sizeof idx, "%s-idx", b->path);
    for (int way = 0; way < 3; way++) {
        static const char *const names[] = {"no index file, makes it", "index file there",
                                            "without index"};
        double t;
        memo_db *db;
        if (way == 0)
            unlink(idx);
        t = bench_now();
        db = open_db(b, MEMO_OPEN_EXISTING, way < 2);
        memo_hits_free(search(db, b->queries, 10, NULL, &cpu, &wall));
        printf("open to first hits: %-24s %.2f ms (search %.2f)\n", names[way],
               (bench_now() - t) * 1e3, wall);
        memo_db_close(db);
    }
}

int main(int argc, char **argv)
{
    exact_bench b = {0};
    if (argc != 2 && argc != 4)
        bench_die("usage: bench_exact FOLDER [VECTORS QUERIES]");
    snprintf(b.path, sizeof b.path, "%s/exact.memo", argv[1]);
    b.ctx = bench_ctx(NULL, 1);
    b.vectors =
        argc > 2 ? read_floats(argv[2], (size_t)N * DIM) : random_floats((size_t)N * DIM, 1);
    b.queries = argc > 2 ? read_floats(argv[3], (size_t)N_QUERIES * DIM)
                         : random_floats((size_t)N_QUERIES * DIM, 2);
    if (!memo_path_exists(b.path))
        fill(&b);
    run_first(&b);
    b.indexed = open_db(&b, MEMO_OPEN_EXISTING, 1);
    b.plain = open_db(&b, MEMO_OPEN_EXISTING, 0);
    run_kind(&b, "k = 10", 10, 0);
    run_kind(&b, "k = 200", 200, 0);
    run_kind(&b, "k = 10, filter of 5 %", 10, 1);
    run_kind(&b, "the same again", 10, 1);
    run_scan(&b);
    memo_db_close(b.indexed);
    memo_db_close(b.plain);
    free(b.vectors);
    free(b.queries);
    memo_ctx_free(b.ctx);
    return 0;
}
