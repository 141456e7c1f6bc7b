// SPDX-License-Identifier: Apache-2.0
/* bench_ingest MODEL TEXTS STORE -- what remembering costs beyond understanding.
 *
 * Embeds every line of TEXTS with all cores, then adds the same lines to a new store, in batches of
 * the same size, both by turns; prints both times and the store's part of the second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memolith/memory.h>

#include "common/bench.h"

enum { INGEST_BATCH = 256 };

typedef struct ingest {
    memo_model *model;
    memo_db *db;
    float *vectors; /* [INGEST_BATCH, dim] */
} ingest;

static double ingest_embed(const ingest *g, const memo_text *texts, size_t n)
{
    const memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    double began = bench_now();
    memo_err err = {0};
    bench_need(memo_model_embed(g->model, &options, texts, n, g->vectors, NULL, &err), &err);
    return bench_now() - began;
}

static double ingest_add(const ingest *g, const memo_text *texts, size_t n)
{
    memo_record_in in[INGEST_BATCH];
    double began = bench_now();
    memo_err err = {0};
    for (size_t i = 0; i < n; i++)
        in[i] = (memo_record_in){.size = sizeof *in, .text = texts[i], .chunking = MEMO_CHUNK_NONE};
    bench_need(memo_db_add(g->db, NULL, in, n, NULL, &err), &err);
    return bench_now() - began;
}

int main(int argc, char **argv)
{
    bench_lines texts;
    memo_model_info info = {.size = sizeof info};
    ingest g = {0};
    double embed = 0, add = 0;
    memo_err err = {0};
    memo_ctx *ctx = bench_ctx(NULL, 0);
    memo_db_options options = {.size = sizeof options, .mode = MEMO_OPEN_CREATE};
    if (argc != 4)
        bench_die("usage: bench_ingest MODEL TEXTS STORE");
    options.model = g.model = bench_model(ctx, argv[1]);
    bench_lines_read(argv[2], &texts);
    memo_model_get_info(g.model, &info, NULL);
    g.vectors = malloc(sizeof *g.vectors * INGEST_BATCH * info.dim);
    if (!g.vectors)
        bench_die("no memory");
    bench_need(memo_db_open(ctx, argv[3], &options, &g.db, &err), &err);
    ingest_embed(&g, texts.texts, texts.n < INGEST_BATCH ? texts.n : INGEST_BATCH);
    for (size_t i = 0; i < texts.n; i += INGEST_BATCH) {
        size_t n = texts.n - i < INGEST_BATCH ? texts.n - i : INGEST_BATCH;
        embed += ingest_embed(&g, texts.texts + i, n);
        add += ingest_add(&g, texts.texts + i, n);
    }
    printf("{\"embed_s\": %.4f, \"embed_add_s\": %.4f, \"store_share\": %.4f}\n", embed, add,
           (add - embed) / add);
    memo_db_close(g.db);
    memo_model_close(g.model);
    memo_ctx_free(ctx);
    bench_lines_free(&texts);
    free(g.vectors);
    return 0;
}
