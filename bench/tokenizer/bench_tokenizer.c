// SPDX-License-Identifier: Apache-2.0
/* bench_tokenizer -- memolith's tokenizer as one of the tokenizers that run.py measures in turn.
 *
 *   bench_tokenizer MODEL TEXTS IDS
 *
 * TEXTS holds texts of which each ends in a NUL. Writes their ids to IDS as 32-bit words of this
 * machine, for each text its count and the ids with the special tokens around them, and says READY.
 * Then every line of stdin is one pass over all texts, answered by its seconds of processor time;
 * the end of stdin ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench.h"
#include "model/tokens.h"

typedef struct token_bench {
    const memo_tokenizer *tokenizer;
    memo_token_list list; /* of one text, reused */
} token_bench;

static void encode(token_bench *b, const char *text, size_t n_bytes)
{
    memo_err err = {0};
    b->list.n = 0;
    bench_need(memo_tokenizer_encode(b->tokenizer, text, n_bytes, 0, &b->list, &err), &err);
}

static void put_words(FILE *out, const uint32_t *words, size_t n)
{
    if (fwrite(words, sizeof *words, n, out) != n)
        bench_die("cannot write the ids");
}

static void write_ids(token_bench *b, const char *texts, const char *end, const char *path)
{
    const uint32_t *prefix, *suffix;
    size_t n_prefix = memo_tokenizer_prefix(b->tokenizer, &prefix);
    size_t n_suffix = memo_tokenizer_suffix(b->tokenizer, &suffix);
    FILE *out = fopen(path, "wb");
    if (!out)
        bench_die("cannot write %s", path);
    for (const char *text = texts; text < end; text += strlen(text) + 1) {
        encode(b, text, strlen(text));
        uint32_t n = (uint32_t)(n_prefix + b->list.n + n_suffix);
        put_words(out, &n, 1);
        put_words(out, prefix, n_prefix);
        put_words(out, b->list.ids, b->list.n);
        put_words(out, suffix, n_suffix);
    }
    if (fclose(out))
        bench_die("cannot write %s", path);
}

int main(int argc, char **argv)
{
    token_bench b = {0};
    bench_lines file; /* its lines are not used */
    char line[64];
    if (argc != 4)
        bench_die("usage: bench_tokenizer MODEL TEXTS IDS");
    memo_ctx *ctx = bench_ctx(NULL, 1);
    memo_model *model = bench_model(ctx, argv[1]);
    b.tokenizer = memo_model_tokenizer(model);
    bench_lines_read(argv[2], &file);
    const char *end = file.bytes + file.n_bytes;
    if (file.n_bytes == 0 || end[-1] != '\0')
        bench_die("%s does not end in a NUL", argv[2]);
    write_ids(&b, file.bytes, end, argv[3]);
    printf("READY\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        double start = bench_cpu_time();
        for (const char *text = file.bytes; text < end; text += strlen(text) + 1)
            encode(&b, text, strlen(text));
        printf("%.9f\n", bench_cpu_time() - start);
        fflush(stdout);
    }
    memo_token_list_fini(&b.list);
    bench_lines_free(&file);
    memo_model_close(model);
    memo_ctx_free(ctx);
    return 0;
}
