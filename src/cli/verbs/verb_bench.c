// SPDX-License-Identifier: Apache-2.0
/* model bench: what a model does on this machine, now. No figure is compared with anything: that is
 * for the benchmarks of the repository, which know the machine's limits and the peers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/machine.h"
#include "base/utf8.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum {
    BENCH_SECONDS = 10,
    BENCH_REOPENS = 5,
    BENCH_SAMPLES = 1 << 14,  /* most calls of one figure */
    BENCH_MADE_TEXTS = 32,    /* of each length, and the largest batch of them */
    BENCH_LONGEST = 512,      /* tokens of a made text; most models take no more */
    BENCH_FILE_TEXTS = 10000, /* most texts that are read */
    BENCH_FILE_BYTES = 64 << 20,
    BENCH_FIGURES = 16, /* most of them */
};

/* Calls with `batch` texts each. */
typedef struct bench_figure {
    size_t batch;
    size_t n_tokens; /* of each text; 0: the texts of a file, of any length */
    size_t n_calls;
    double p50_ms, p90_ms, p99_ms; /* of one call */
    double texts_s, tokens_s;
} bench_figure;

typedef struct bench_texts {
    memo_buf bytes;
    memo_text *texts; /* [n] in bytes */
    size_t n;
} bench_texts;

typedef struct bench_run {
    cli_app *app;
    memo_model_info info;
    float *vectors; /* [batch, dim] of the largest batch */
    memo_embed_result *results;
    double *samples; /* [BENCH_SAMPLES] ms */
    double figure_ms;
    double open_ms, first_ms;             /* as it was found */
    double again_open_ms, again_first_ms; /* medians, the file in the page cache */
    uint64_t peak_bytes;                  /* before that */
    bench_figure figures[BENCH_FIGURES];
    size_t n_figures, n_planned;
} bench_run;

/* ---- texts --------------------------------------------------------------------------------- */

static const char bench_words[] =
    "the morning train was late again so we stood on the platform with paper cups of coffee and "
    "talked about the garden behind the old library where somebody had planted beans between the "
    "roses and a small blue boat that nobody had moved since the autumn storm lay upside down in "
    "the grass while the keeper of the bridge counted barges and wrote their names in a book he "
    "kept dry under his coat because the river had once taken three years of his notes and he did "
    "not trust it any more than he trusted the weather or the clock above the station door which "
    "showed twenty past four all day and was right twice as he liked to say to every child who "
    "asked why the hands did not turn ";

static memo_status bench_count(const bench_run *run, memo_text text, size_t *n, memo_err *err)
{
    memo_tokens *tokens = NULL;
    memo_status status = memo_model_tokenize(run->app->model, text, NULL, &tokens, err);
    if (status)
        return status;
    *n = tokens->n;
    memo_tokens_free(tokens);
    return MEMO_OK;
}

/* Where a word begins, from the `at`-th on: they repeat without end. */
static void bench_append_words(memo_buf *out, size_t at, size_t n)
{
    size_t length = sizeof bench_words - 1, from = at * 7 % length;
    while (from > 0 && bench_words[from - 1] != ' ')
        from--;
    while (n > 0) {
        size_t end = from + strcspn(bench_words + from, " ") + 1;
        memo_buf_append(out, bench_words + from, end - from);
        from = end % length;
        n--;
    }
}

/* A text of n_tokens, or of the most below it that these words come to: more words, by halving,
 * then single letters. */
static memo_status bench_make_text(const bench_run *run, size_t at, size_t n_tokens, memo_buf *out,
                                   memo_err *err)
{
    size_t fits = 0, too_many = n_tokens + 1, n = 0, begin = out->n, good = begin;
    while (fits + 1 < too_many) {
        size_t half = fits + (too_many - fits) / 2;
        out->n = begin;
        bench_append_words(out, at, half);
        if (out->failed)
            return memo_fail_nomem(err, "a text", n_tokens);
        memo_status status =
            bench_count(run, (memo_text){out->data + begin, out->n - begin}, &n, err);
        if (status)
            return status;
        if (n <= n_tokens)
            fits = half;
        else
            too_many = half;
    }
    out->n = begin;
    bench_append_words(out, at, fits);
    for (good = out->n; !out->failed; good = out->n) {
        memo_status status =
            bench_count(run, (memo_text){out->data + begin, out->n - begin}, &n, err);
        if (status)
            return status;
        if (n > n_tokens || (n == n_tokens && good > begin))
            break;
        memo_buf_puts(out, "a ");
    }
    return out->failed ? memo_fail_nomem(err, "a text", n_tokens) : MEMO_OK;
}

/* ends[n]: where each text ends in the bytes. */
static memo_status bench_texts_finish(bench_texts *texts, const size_t *ends, memo_err *err)
{
    if (texts->bytes.failed)
        return memo_fail_nomem(err, "texts", texts->bytes.n);
    texts->texts = memo_calloc(texts->n, sizeof *texts->texts);
    if (!texts->texts)
        return memo_fail_nomem(err, "texts", texts->n * sizeof *texts->texts);
    for (size_t i = 0, begin = 0; i < texts->n; begin = ends[i++])
        texts->texts[i] = (memo_text){texts->bytes.data + begin, ends[i] - begin};
    return MEMO_OK;
}

static void bench_texts_fini(bench_texts *texts)
{
    memo_buf_fini(&texts->bytes);
    memo_free(texts->texts);
}

static memo_status bench_texts_make(const bench_run *run, size_t n_tokens, bench_texts *texts,
                                    memo_err *err)
{
    size_t ends[BENCH_MADE_TEXTS];
    *texts = (bench_texts){.n = BENCH_MADE_TEXTS};
    for (size_t i = 0; i < texts->n; i++) {
        memo_status status = bench_make_text(run, i, n_tokens, &texts->bytes, err);
        if (status)
            return status;
        ends[i] = texts->bytes.n;
    }
    return bench_texts_finish(texts, ends, err);
}

static memo_status bench_texts_read(const bench_run *run, const char *path, bench_texts *texts,
                                    memo_err *err)
{
    cli_lines lines = {0};
    size_t *ends = memo_calloc(BENCH_FILE_TEXTS, sizeof *ends);
    const char *line = NULL;
    size_t n_bytes = 0;
    memo_status status = ends ? cli_lines_open(&lines, run->app, path, err)
                              : memo_fail_nomem(err, "texts", BENCH_FILE_TEXTS * sizeof *ends);
    *texts = (bench_texts){0};
    while (status == MEMO_OK) {
        status = cli_lines_next(&lines, &line, &n_bytes, err);
        if (status || !line)
            break;
        size_t n_valid = memo_utf8_check(line, n_bytes);
        if (n_valid < n_bytes) {
            status =
                memo_fail(err, MEMO_ERR_VALUE, "%s: line %" PRIu64 ": invalid UTF-8 at byte %zu",
                          lines.name, lines.number, n_valid);
            break;
        }
        if (texts->n == BENCH_FILE_TEXTS || texts->bytes.n + n_bytes > BENCH_FILE_BYTES) {
            cli_warn("only the first %zu texts of %s are used", texts->n, lines.name);
            break;
        }
        memo_buf_append(&texts->bytes, line, n_bytes);
        ends[texts->n++] = texts->bytes.n;
    }
    if (status == MEMO_OK && texts->n == 0)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s holds no text", path);
    if (status == MEMO_OK)
        status = bench_texts_finish(texts, ends, err);
    cli_lines_close(&lines);
    memo_free(ends);
    return status;
}

/* ---- figures ------------------------------------------------------------------------------- */

static int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of sorted values, the nearest rank. */
static double bench_rank(const double *values, size_t n, double p)
{
    size_t rank = (size_t)(p * (double)n);
    return values[rank < n ? rank : n - 1];
}

static memo_status bench_progress(bench_run *run, memo_err *err)
{
    memo_progress at = {.stage = "bench", .done = run->n_figures, .total = run->n_planned};
    if (cli_progress_call(&run->app->progress, &at))
        return memo_fail(err, MEMO_ERR_CANCELLED, "cancelled after %zu of %zu figures",
                         run->n_figures, run->n_planned);
    return MEMO_OK;
}

/* One call with the texts from *at on; adds to *tokens what the model saw. */
static memo_status bench_call(bench_run *run, const bench_texts *texts, size_t batch, size_t *at,
                              uint64_t *tokens, double *ms, memo_err *err)
{
    if (*at + batch > texts->n)
        *at = 0;
    double start = memo_monotonic_ms();
    memo_status status = memo_model_embed(run->app->model, NULL, texts->texts + *at, batch,
                                          run->vectors, run->results, err);
    *ms = memo_monotonic_ms() - start;
    for (size_t i = 0; i < batch && status == MEMO_OK; i++)
        *tokens += run->results[i].n_tokens_seen;
    *at += batch;
    return status;
}

/* Call until the figure's time is used up. The first call does not count, unless it alone takes
 * longer than all may. */
static memo_status bench_measure(bench_run *run, const bench_texts *texts, size_t batch,
                                 size_t n_tokens, memo_err *err)
{
    bench_figure *figure = &run->figures[run->n_figures];
    size_t at = 0, n = 0;
    uint64_t tokens = 0;
    double spent = 0, *samples = run->samples;
    memo_status status = bench_call(run, texts, batch, &at, &tokens, &samples[0], err);
    if (status == MEMO_OK && samples[0] >= run->figure_ms) {
        spent = samples[0];
        n = 1;
    } else {
        tokens = 0;
    }
    while (status == MEMO_OK && spent < run->figure_ms && n < BENCH_SAMPLES) {
        status = bench_call(run, texts, batch, &at, &tokens, &samples[n], err);
        spent += samples[n++];
        if (status == MEMO_OK)
            status = bench_progress(run, err);
    }
    if (status)
        return status;
    qsort(samples, n, sizeof *samples, bench_by_value);
    *figure = (bench_figure){
        .batch = batch,
        .n_tokens = n_tokens,
        .n_calls = n,
        .p50_ms = bench_rank(samples, n, 0.5),
        .p90_ms = bench_rank(samples, n, 0.9),
        .p99_ms = bench_rank(samples, n, 0.99),
        .texts_s = 1000.0 * (double)(n * batch) / spent,
        .tokens_s = 1000.0 * (double)tokens / spent,
    };
    run->n_figures++;
    return bench_progress(run, err);
}

/* Room for calls of `batch` texts. */
static memo_status bench_room(bench_run *run, size_t batch, memo_err *err)
{
    run->vectors = memo_calloc(batch * run->info.dim, sizeof *run->vectors);
    run->results = memo_calloc(batch, sizeof *run->results);
    run->samples = memo_calloc(BENCH_SAMPLES, sizeof *run->samples);
    if (!run->vectors || !run->results || !run->samples)
        return memo_fail_nomem(err, "vectors", batch * run->info.dim * sizeof *run->vectors);
    run->results->size = sizeof *run->results;
    return MEMO_OK;
}

static memo_status bench_made(bench_run *run, double seconds, memo_err *err)
{
    static const size_t lengths[] = {8, 32, 128, BENCH_LONGEST};
    static const size_t batches[] = {1, 8, BENCH_MADE_TEXTS};
    size_t used[4], n_used = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t length = lengths[i] < run->info.max_tokens ? lengths[i] : run->info.max_tokens;
        if (n_used == 0 || length > used[n_used - 1])
            used[n_used++] = length;
    }
    run->n_planned = n_used * sizeof batches / sizeof *batches;
    run->figure_ms = 1000.0 * seconds / (double)run->n_planned;
    memo_status status = bench_room(run, BENCH_MADE_TEXTS, err);
    for (size_t i = 0; i < n_used && status == MEMO_OK; i++) {
        bench_texts texts = {0};
        status = bench_texts_make(run, used[i], &texts, err);
        for (size_t b = 0; b < sizeof batches / sizeof *batches && status == MEMO_OK; b++)
            status = bench_measure(run, &texts, batches[b], used[i], err);
        bench_texts_fini(&texts);
    }
    return status;
}

static memo_status bench_given(bench_run *run, const char *path, double seconds, memo_err *err)
{
    static const size_t most[] = {1, 8, 32, 256};
    bench_texts texts;
    memo_status status = bench_texts_read(run, path, &texts, err);
    while (status == MEMO_OK && run->n_planned < sizeof most / sizeof *most &&
           (run->n_planned == 0 || most[run->n_planned] <= texts.n))
        run->n_planned++;
    if (status == MEMO_OK)
        status = bench_room(run, most[run->n_planned - 1], err);
    run->figure_ms = 1000.0 * seconds / (double)(run->n_planned ? run->n_planned : 1);
    for (size_t b = 0; b < run->n_planned && status == MEMO_OK; b++)
        status = bench_measure(run, &texts, most[b], 0, err);
    bench_texts_fini(&texts);
    return status;
}

/* ---- load ---------------------------------------------------------------------------------- */

static memo_status bench_first(memo_model *model, float *vector, double *ms, memo_err *err)
{
    static const memo_text text = MEMO_TEXT("the first vector");
    double start = memo_monotonic_ms();
    memo_status status = memo_model_embed(model, NULL, &text, 1, vector, NULL, err);
    *ms = memo_monotonic_ms() - start;
    return status;
}

/* Open and embed as the command was started. */
static memo_status bench_load(bench_run *run, const char **path, memo_err *err)
{
    double start = memo_monotonic_ms();
    memo_status status = cli_app_named_model(run->app, path, err);
    run->open_ms = memo_monotonic_ms() - start;
    if (status)
        return status;
    run->info.size = sizeof run->info;
    memo_model_get_info(run->app->model, &run->info, NULL);
    float *vector = memo_calloc(run->info.dim, sizeof *vector);
    if (!vector)
        return memo_fail_nomem(err, "a vector", run->info.dim * sizeof *vector);
    status = bench_first(run->app->model, vector, &run->first_ms, err);
    memo_free(vector);
    return status;
}

/* The same again while the file is in the page cache; of the model that is open nothing is used. It
 * comes last: two models at once are more memory than one. */
static memo_status bench_load_again(bench_run *run, const char *path, memo_err *err)
{
    const memo_model_options options = cli_app_model_options(run->app);
    double opens[BENCH_REOPENS], firsts[BENCH_REOPENS];
    for (size_t i = 0; i < BENCH_REOPENS; i++) {
        memo_model *again = NULL;
        double start = memo_monotonic_ms();
        memo_status status = memo_model_open(run->app->ctx, path, &options, &again, err);
        opens[i] = memo_monotonic_ms() - start;
        if (status == MEMO_OK)
            status = bench_first(again, run->vectors, &firsts[i], err);
        memo_model_close(again);
        if (status)
            return status;
    }
    qsort(opens, BENCH_REOPENS, sizeof *opens, bench_by_value);
    qsort(firsts, BENCH_REOPENS, sizeof *firsts, bench_by_value);
    run->again_open_ms = opens[BENCH_REOPENS / 2];
    run->again_first_ms = firsts[BENCH_REOPENS / 2];
    return MEMO_OK;
}

/* ---- report -------------------------------------------------------------------------------- */

static void bench_put_text(memo_buf *out, const bench_run *run, const char *path)
{
    const bench_figure *one = &run->figures[0]; /* single texts, the shortest */
    memo_ctx *ctx = run->app->ctx;
    unsigned n_threads = memo_ctx_n_threads(ctx);
    char cpu[64];
    memo_cpu_brand(cpu);
    memo_buf_printf(out, "%s: %s (%s, class %s)\n", path, run->info.name, run->info.architecture,
                    memo_class_name(run->info.cls));
    memo_buf_printf(out, "  machine  %s, level %s, %u thread%s\n", cpu,
                    memo_cpu_name(memo_ctx_cpu(ctx)), n_threads, n_threads == 1 ? "" : "s");
    memo_buf_printf(out, "  load     open %.2f ms, first vector %.2f ms; again %.2f ms, %.2f ms\n",
                    run->open_ms, run->first_ms, run->again_open_ms, run->again_first_ms);
    memo_buf_printf(out, "  latency  p50 %.2f ms, p90 %.2f ms, p99 %.2f ms", one->p50_ms,
                    one->p90_ms, one->p99_ms);
    if (one->n_tokens > 0)
        memo_buf_printf(out, " of one text of %zu tokens", one->n_tokens);
    else
        memo_buf_puts(out, " of one text");
    memo_buf_printf(out, " (%zu calls)\n  memory   ", one->n_calls);
    cli_put_bytes(out, run->peak_bytes);
    memo_buf_puts(out, " resident at most, the model's file mapped: ");
    cli_put_bytes(out, run->info.file_bytes);
    memo_buf_puts(out, "\n  tokens  batch     texts/s     tokens/s     ms a call\n");
    for (size_t i = 0; i < run->n_figures; i++) {
        const bench_figure *f = &run->figures[i];
        if (f->n_tokens > 0)
            memo_buf_printf(out, "  %6zu", f->n_tokens);
        else
            memo_buf_puts(out, "     any");
        memo_buf_printf(out, "  %5zu  %10.1f  %11.0f  %12.3f\n", f->batch, f->texts_s, f->tokens_s,
                        f->p50_ms);
    }
}

static void bench_put_number(memo_buf *out, const char *key, double value)
{
    cli_json_key(out, key);
    cli_json_double(out, value, 6);
}

static void bench_put_json_figure(memo_buf *out, const bench_figure *figure)
{
    cli_json_open(out, '{');
    if (figure->n_tokens > 0)
        cli_json_put_u64(out, "tokens", figure->n_tokens);
    cli_json_put_u64(out, "batch", figure->batch);
    cli_json_put_u64(out, "calls", figure->n_calls);
    bench_put_number(out, "texts_s", figure->texts_s);
    bench_put_number(out, "tokens_s", figure->tokens_s);
    bench_put_number(out, "p50_ms", figure->p50_ms);
    bench_put_number(out, "p90_ms", figure->p90_ms);
    bench_put_number(out, "p99_ms", figure->p99_ms);
    cli_json_close(out, '}');
}

static void bench_put_json(memo_buf *out, const bench_run *run, const char *path)
{
    char cpu[64];
    memo_cpu_brand(cpu);
    cli_json_open(out, '{');
    cli_json_put_string(out, "path", path);
    cli_json_put_string(out, "model", run->info.name);
    cli_json_put_string(out, "class", memo_class_name(run->info.cls));
    cli_json_put_string(out, "fingerprint", run->info.fingerprint);
    cli_json_put_string(out, "machine", cpu);
    cli_json_put_string(out, "level", memo_cpu_name(memo_ctx_cpu(run->app->ctx)));
    cli_json_put_u64(out, "threads", memo_ctx_n_threads(run->app->ctx));
    bench_put_number(out, "open_ms", run->open_ms);
    bench_put_number(out, "first_vector_ms", run->first_ms);
    bench_put_number(out, "again_open_ms", run->again_open_ms);
    bench_put_number(out, "again_first_vector_ms", run->again_first_ms);
    cli_json_put_u64(out, "peak_bytes", run->peak_bytes);
    cli_json_put_u64(out, "file_bytes", run->info.file_bytes);
    cli_json_key(out, "figures");
    cli_json_open(out, '[');
    for (size_t i = 0; i < run->n_figures; i++)
        bench_put_json_figure(out, &run->figures[i]);
    cli_json_close(out, ']');
    memo_buf_puts(out, "}\n");
}

memo_status cli_verb_model_bench(cli_app *app, memo_err *err)
{
    bench_run run = {.app = app};
    const char *path = NULL, *texts = cli_args_text(&app->args, OPT_TEXTS);
    double seconds = (double)cli_args_number(&app->args, OPT_SECONDS, BENCH_SECONDS);
    memo_status status = bench_load(&run, &path, err);
    if (status == MEMO_OK)
        status = texts ? bench_given(&run, texts, seconds, err) : bench_made(&run, seconds, err);
    cli_progress_clear(&app->progress);
    run.peak_bytes = memo_memory_peak();
    if (status == MEMO_OK)
        status = bench_load_again(&run, path, err);
    if (status == MEMO_OK) {
        if (app->out.format == CLI_FORMAT_TEXT)
            bench_put_text(&app->out.buf, &run, path);
        else
            bench_put_json(&app->out.buf, &run, path);
    }
    memo_free(run.vectors);
    memo_free(run.results);
    memo_free(run.samples);
    return status;
}
