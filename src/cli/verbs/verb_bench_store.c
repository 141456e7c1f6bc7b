// SPDX-License-Identifier: Apache-2.0
/* bench: searches of the user's own store, how long they take and how well they find.
 *
 * --latency   queries through the whole way, text to hits to context, with the percentiles of each stage
 * --retrieval the same queries by meaning, by words and by both, side by side: recall, MRR, nDCG, and of
 *             the difference of nDCG an interval by paired bootstrap (Efron and Tibshirani, 1993)
 *
 * Without queries of its own a store gives them: the title of a record, else the first words of its text,
 * and what is looked for is that record. Such queries share words with what they look for: words have
 * an advantage over meaning, and the report says so. No search of a bench is kept. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/verbs/verbs.h"

enum {
    BENCH_QUERIES = 200, /* when nobody says how many */
    BENCH_DEPTH = 10,    /* hits that are looked at */
    BENCH_BUDGET = 800,  /* tokens of a context */
    BENCH_OWN_WORDS = 12,
    BENCH_RESAMPLES = 2000,
    BENCH_LINE_BYTES = 4096,
};

/* One query, and the records that answer it: ids or keys. */
typedef struct bench_query {
    const char *id;
    memo_text text;
    size_t n_wanted, cap_wanted;
    struct bench_wanted {
        const char *id;
        double gain;
    } * wanted;
} bench_query;

typedef struct bench_set {
    memo_arena arena;
    size_t n, cap;
    bench_query *queries;
    int own; /* made of the records themselves */
} bench_set;

static void bench_set_fini(bench_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        memo_free(set->queries[i].wanted);
    memo_free(set->queries);
    memo_arena_fini(&set->arena);
}

/* ---- queries ------------------------------------------------------------------------------- */

static memo_status bench_add_query(bench_set *set, const char *id, memo_text text, memo_err *err)
{
    bench_query query = {
        .id = memo_arena_strdup(&set->arena, id),
        .text = {memo_arena_strndup(&set->arena, text.bytes, text.n_bytes), text.n_bytes}};
    if (set->n == set->cap) {
        size_t cap = set->cap ? 2 * set->cap : 64;
        bench_query *grown = memo_reallocarray(set->queries, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "queries", cap * sizeof *grown);
        set->queries = grown;
        set->cap = cap;
    }
    if (!query.id || !query.text.bytes)
        return memo_fail_nomem(err, "a query", text.n_bytes);
    set->queries[set->n++] = query;
    return MEMO_OK;
}

static memo_status bench_add_wanted(bench_set *set, bench_query *query, const char *id, double gain,
                                    memo_err *err)
{
    if (query->n_wanted == query->cap_wanted) {
        size_t cap = query->cap_wanted ? 2 * query->cap_wanted : 4;
        struct bench_wanted *grown = memo_reallocarray(query->wanted, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "what is wanted", cap * sizeof *grown);
        query->wanted = grown;
        query->cap_wanted = cap;
    }
    query->wanted[query->n_wanted].id = memo_arena_strdup(&set->arena, id);
    query->wanted[query->n_wanted].gain = gain;
    if (!query->wanted[query->n_wanted++].id)
        return memo_fail_nomem(err, "what is wanted", 0);
    return MEMO_OK;
}

static memo_status bench_read_queries(cli_app *app, const char *path, size_t most, bench_set *set,
                                      memo_err *err)
{
    cli_lines lines = {0};
    json_t *object = NULL;
    memo_text id, text;
    memo_status status = cli_lines_open(&lines, app, path, err);
    while (status == MEMO_OK && set->n < most) {
        status = cli_lines_next_object(&lines, &object, err);
        if (status || !object)
            break;
        status = cli_lines_text(&lines, object, "_id", &id, err);
        if (status == MEMO_OK)
            status = cli_lines_text(&lines, object, "text", &text, err);
        if (status == MEMO_OK)
            status = bench_add_query(set, id.bytes, text, err);
        json_decref(object);
    }
    cli_lines_close(&lines);
    if (status == MEMO_OK && set->n == 0)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s holds no query", path);
    return status;
}

static bench_query *bench_find_query(bench_set *set, const char *id)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->queries[i].id, id) == 0)
            return &set->queries[i];
    return NULL;
}

/* "query <tab> record <tab> gain", or with an unused second column as TREC has it; a first line that
 * is no such thing is a heading. */
static memo_status bench_read_labels(cli_app *app, const char *path, bench_set *set, memo_err *err)
{
    cli_lines lines = {0};
    const char *line = NULL;
    size_t n_bytes = 0;
    memo_status status = cli_lines_open(&lines, app, path, err);
    while (status == MEMO_OK) {
        char copy[BENCH_LINE_BYTES], *at = copy, *rest = NULL, *end = NULL;
        const char *parts[4] = {0};
        size_t n = 0;
        double gain = 0;
        bench_query *query;
        status = cli_lines_next(&lines, &line, &n_bytes, err);
        if (status || !line)
            break;
        snprintf(copy, sizeof copy, "%.*s", n_bytes < sizeof copy ? (int)n_bytes : 0, line);
        while (n < 4 && (parts[n] = strtok_r(at, "\t ", &rest)) != NULL) {
            at = NULL;
            n++;
        }
        if (n >= 3)
            gain = strtod(parts[n - 1], &end);
        if (n < 3 || *end || !isfinite(gain)) {
            if (lines.number > 1)
                status = memo_fail(err, MEMO_ERR_FORMAT,
                                   "%s: line %" PRIu64 ": not QUERY <tab> RECORD <tab> GAIN",
                                   lines.name, lines.number);
            continue;
        }
        query = bench_find_query(set, parts[0]);
        if (query && gain > 0)
            status = bench_add_wanted(set, query, parts[n - 2], gain, err);
    }
    cli_lines_close(&lines);
    return status;
}

/* The end of the first `n` words. */
static size_t bench_words_end(memo_text text, size_t n)
{
    size_t at = 0;
    while (at < text.n_bytes && n > 0) {
        while (at < text.n_bytes && (unsigned char)text.bytes[at] <= ' ')
            at++;
        while (at < text.n_bytes && (unsigned char)text.bytes[at] > ' ')
            at++;
        n--;
    }
    return at;
}

static memo_status bench_make_query(bench_set *set, const memo_record *record, memo_err *err)
{
    memo_text text = record->title[0] ? MEMO_STR(record->title)
                                      : (memo_text){record->text.bytes,
                                                    bench_words_end(record->text, BENCH_OWN_WORDS)};
    memo_status status = bench_add_query(set, record->id, text, err);
    return status ? status : bench_add_wanted(set, &set->queries[set->n - 1], record->id, 1, err);
}

/* Of the newest records. */
static memo_status bench_make_queries(cli_app *app, size_t most, bench_set *set, memo_err *err)
{
    memo_records *page = NULL;
    memo_list_options options = {
        .size = sizeof options, .ns = cli_app_ns(app), .limit = most < 1000 ? most : 1000};
    memo_status status = memo_db_list(app->db, &options, &page, err);
    set->own = 1;
    for (size_t i = 0; status == MEMO_OK && i < page->n; i++)
        status = bench_make_query(set, &page->records[i], err);
    if (status == MEMO_OK && set->n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "the namespace holds no record to ask for");
    memo_records_free(page);
    return status;
}

/* ---- latency ------------------------------------------------------------------------------- */

enum { BENCH_N_STAGES = 9, BENCH_CONTEXT = 8 };
static const char *const bench_stages[BENCH_N_STAGES] = {
    "embed", "filter", "dense", "lexical", "exact", "fuse", "fetch", "search", "context"};

/* values: [n, BENCH_N_STAGES] */
static memo_status bench_time_query(cli_app *app, memo_text query, double *values, memo_err *err)
{
    const memo_search_options search = {
        .size = sizeof search, .ns = cli_app_ns(app), .k = BENCH_DEPTH, .no_log = 1};
    const memo_context_options context = {
        .size = sizeof context, .ns = cli_app_ns(app), .budget_tokens = BENCH_BUDGET};
    memo_hits *hits = NULL;
    memo_context *packed = NULL;
    memo_status status = memo_db_search(app->db, query, &search, &hits, err);
    if (status == MEMO_OK) {
        const memo_search_timings *t = &hits->timings;
        const double all[] = {t->embed_ms, t->filter_ms, t->dense_ms, t->lexical_ms,
                              t->exact_ms, t->fuse_ms,   t->fetch_ms, t->total_ms};
        memcpy(values, all, sizeof all);
        double start = memo_monotonic_ms();
        status = memo_db_context(app->db, query, &context, &packed, err);
        values[BENCH_CONTEXT] = memo_monotonic_ms() - start;
    }
    memo_context_free(packed);
    memo_hits_free(hits);
    return status;
}

static int bench_by_size(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

static void bench_put_stage(cli_out *out, const char *name, double first, const double *sorted,
                            size_t n)
{
    const double p[] = {sorted[n / 2], sorted[n * 95 / 100], sorted[n * 99 / 100]};
    if (out->format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&out->buf, "%-9s %9.3f %9.3f %9.3f %9.3f\n", name, p[0], p[1], p[2], first);
        return;
    }
    cli_json_key(&out->buf, name);
    cli_json_open(&out->buf, '{');
    cli_json_put_double(&out->buf, "p50_ms", p[0]);
    cli_json_put_double(&out->buf, "p95_ms", p[1]);
    cli_json_put_double(&out->buf, "p99_ms", p[2]);
    cli_json_put_double(&out->buf, "first_ms", first);
    cli_json_close(&out->buf, '}');
}

/* The first query pays for what is not in memory yet; the percentiles are of those after it. */
static memo_status bench_put_latency(cli_app *app, const bench_set *set, const double *values,
                                     memo_err *err)
{
    size_t n = set->n > 1 ? set->n - 1 : 1, skip = set->n > 1;
    double *column = memo_reallocarray(NULL, n, sizeof *column);
    if (!column)
        return memo_fail_nomem(err, "times", n * sizeof *column);
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&app->out.buf, "%zu queries%s, k %d, context of %d tokens; ms\n", set->n,
                        set->own ? " made of the store's own records" : "", BENCH_DEPTH,
                        BENCH_BUDGET);
        memo_buf_puts(&app->out.buf, "stage           p50       p95       p99     first\n");
    } else {
        cli_json_open(&app->out.buf, '{');
        cli_json_put_u64(&app->out.buf, "queries", set->n);
        cli_json_key(&app->out.buf, "own_queries");
        cli_json_bool(&app->out.buf, set->own);
        cli_json_key(&app->out.buf, "stages");
        cli_json_open(&app->out.buf, '{');
    }
    for (size_t s = 0; s < BENCH_N_STAGES; s++) {
        for (size_t i = 0; i < n; i++)
            column[i] = values[(i + skip) * BENCH_N_STAGES + s];
        qsort(column, n, sizeof *column, bench_by_size);
        bench_put_stage(&app->out, bench_stages[s], values[s], column, n);
    }
    if (app->out.format != CLI_FORMAT_TEXT) {
        cli_json_close(&app->out.buf, '}');
        memo_buf_puts(&app->out.buf, "}\n");
    }
    memo_free(column);
    return MEMO_OK;
}

static memo_status bench_tick(cli_app *app, const char *stage, size_t done, size_t total,
                              memo_err *err)
{
    const memo_progress at = {.stage = stage, .done = done, .total = total};
    if (cli_progress_call(&app->progress, &at))
        return memo_fail(err, MEMO_ERR_CANCELLED, "cancelled after %zu of %zu queries", done,
                         total);
    return MEMO_OK;
}

static memo_status bench_latency(cli_app *app, const bench_set *set, memo_err *err)
{
    double *values = memo_reallocarray(NULL, set->n, BENCH_N_STAGES * sizeof *values);
    memo_status status = values ? MEMO_OK : memo_fail_nomem(err, "times", set->n);
    for (size_t i = 0; i < set->n && status == MEMO_OK; i++) {
        status = bench_time_query(app, set->queries[i].text, values + i * BENCH_N_STAGES, err);
        if (status == MEMO_OK)
            status = bench_tick(app, "latency", i + 1, set->n, err);
    }
    cli_progress_clear(&app->progress);
    if (status == MEMO_OK)
        status = bench_put_latency(app, set, values, err);
    memo_free(values);
    return status;
}

/* ---- retrieval ----------------------------------------------------------------------------- */

enum { BENCH_HYBRID, BENCH_DENSE, BENCH_LEXICAL, BENCH_N_WAYS };
static const char *const bench_ways[BENCH_N_WAYS] = {"hybrid", "dense", "bm25"};

/* Means are taken over queries; of a query without labels nothing is known. */
typedef struct bench_score {
    double recall, rank, ndcg;
} bench_score;

static double bench_gain(const bench_query *query, const memo_hit *hit)
{
    for (size_t i = 0; i < query->n_wanted; i++)
        if (strcmp(query->wanted[i].id, hit->id) == 0 ||
            (hit->key && strcmp(query->wanted[i].id, hit->key) == 0))
            return query->wanted[i].gain;
    return 0;
}

static int bench_by_gain(const void *pa, const void *pb)
{
    const struct bench_wanted *a = pa, *b = pb;
    return (a->gain < b->gain) - (a->gain > b->gain);
}

/* nDCG with linear gain and log2(rank + 1), as trec_eval has it. */
static bench_score bench_judge(bench_query *query, const memo_hits *hits)
{
    bench_score score = {0};
    double best = 0, n_found = 0;
    qsort(query->wanted, query->n_wanted, sizeof *query->wanted, bench_by_gain);
    for (size_t i = 0; i < query->n_wanted && i < BENCH_DEPTH; i++)
        best += query->wanted[i].gain / log2((double)i + 2);
    for (size_t i = 0; i < hits->n; i++) {
        double gain = bench_gain(query, &hits->hits[i]);
        if (gain > 0 && score.rank == 0)
            score.rank = 1 / ((double)i + 1);
        n_found += gain > 0;
        score.ndcg += gain / log2((double)i + 2);
    }
    score.ndcg /= best;
    score.recall = n_found / (double)query->n_wanted;
    return score;
}

/* scores: [n, BENCH_N_WAYS] */
static memo_status bench_ask(cli_app *app, bench_query *query, bench_score *scores, memo_err *err)
{
    static const memo_search_mode modes[] = {MEMO_SEARCH_HYBRID, MEMO_SEARCH_DENSE,
                                             MEMO_SEARCH_LEXICAL};
    memo_status status = MEMO_OK;
    for (size_t way = 0; way < BENCH_N_WAYS && status == MEMO_OK; way++) {
        const memo_search_options options = {.size = sizeof options,
                                             .ns = cli_app_ns(app),
                                             .k = BENCH_DEPTH,
                                             .mode = modes[way],
                                             .no_log = 1};
        memo_hits *hits = NULL;
        status = memo_db_search(app->db, query->text, &options, &hits, err);
        if (status == MEMO_OK)
            scores[way] = bench_judge(query, hits);
        memo_hits_free(hits);
    }
    return status;
}

/* Middle 95 % of the mean difference to hybrid over resampled queries; the same seed each time. */
static void bench_interval(const bench_score *scores, size_t n, size_t way, double *means,
                           double out[2])
{
    memo_rng rng;
    memo_rng_init(&rng, 95);
    for (size_t r = 0; r < BENCH_RESAMPLES; r++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            const bench_score *s = scores + memo_rng_below(&rng, n) * BENCH_N_WAYS;
            sum += s[BENCH_HYBRID].ndcg - s[way].ndcg;
        }
        means[r] = sum / (double)n;
    }
    qsort(means, BENCH_RESAMPLES, sizeof *means, bench_by_size);
    out[0] = means[BENCH_RESAMPLES * 25 / 1000];
    out[1] = means[BENCH_RESAMPLES * 975 / 1000];
}

static void bench_put_way(cli_out *out, size_t way, const bench_score *mean, const double gap[2])
{
    if (out->format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&out->buf, "%-7s %9.4f %9.4f %9.4f", bench_ways[way], mean->recall,
                        mean->rank, mean->ndcg);
        if (way != BENCH_HYBRID)
            memo_buf_printf(&out->buf, "   %+.4f to %+.4f", gap[0], gap[1]);
        memo_buf_putc(&out->buf, '\n');
        return;
    }
    cli_json_key(&out->buf, bench_ways[way]);
    cli_json_open(&out->buf, '{');
    cli_json_put_double(&out->buf, "recall_at_10", mean->recall);
    cli_json_put_double(&out->buf, "mrr_at_10", mean->rank);
    cli_json_put_double(&out->buf, "ndcg_at_10", mean->ndcg);
    if (way != BENCH_HYBRID) {
        cli_json_put_double(&out->buf, "hybrid_better_from", gap[0]);
        cli_json_put_double(&out->buf, "hybrid_better_to", gap[1]);
    }
    cli_json_close(&out->buf, '}');
}

static void bench_put_head(cli_out *out, size_t n, int own)
{
    static const char note[] = "made of the records that they look for, whose words they share: "
                               "that favours words";
    if (out->format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&out->buf, "%zu queries%s%s\n", n, own ? " " : "", own ? note : "");
        memo_buf_puts(&out->buf,
                      "        recall@10    MRR@10   nDCG@10   hybrid is better by (95 %)\n");
        return;
    }
    cli_json_open(&out->buf, '{');
    cli_json_put_u64(&out->buf, "queries", n);
    cli_json_put_string(&out->buf, "note", own ? note : NULL);
}

static memo_status bench_put_retrieval(cli_app *app, const bench_score *scores, size_t n, int own,
                                       memo_err *err)
{
    double *means = memo_reallocarray(NULL, BENCH_RESAMPLES, sizeof *means);
    if (!means)
        return memo_fail_nomem(err, "means", BENCH_RESAMPLES * sizeof *means);
    bench_put_head(&app->out, n, own);
    for (size_t way = 0; way < BENCH_N_WAYS; way++) {
        bench_score mean = {0};
        double gap[2];
        for (size_t i = 0; i < n; i++) {
            const bench_score *s = &scores[i * BENCH_N_WAYS + way];
            mean.recall += s->recall / (double)n;
            mean.rank += s->rank / (double)n;
            mean.ndcg += s->ndcg / (double)n;
        }
        bench_interval(scores, n, way, means, gap);
        bench_put_way(&app->out, way, &mean, gap);
    }
    if (app->out.format != CLI_FORMAT_TEXT)
        memo_buf_puts(&app->out.buf, "}\n");
    memo_free(means);
    return MEMO_OK;
}

static memo_status bench_retrieval(cli_app *app, bench_set *set, memo_err *err)
{
    bench_score *scores = memo_reallocarray(NULL, set->n, BENCH_N_WAYS * sizeof *scores);
    size_t n = 0;
    memo_status status = scores ? MEMO_OK : memo_fail_nomem(err, "scores", set->n);
    for (size_t i = 0; i < set->n && status == MEMO_OK; i++) {
        if (set->queries[i].n_wanted == 0)
            continue;
        status = bench_ask(app, &set->queries[i], scores + n++ * BENCH_N_WAYS, err);
        if (status == MEMO_OK)
            status = bench_tick(app, "retrieval", i + 1, set->n, err);
    }
    cli_progress_clear(&app->progress);
    if (status == MEMO_OK && n == 0)
        status = memo_fail(err, MEMO_ERR_VALUE, "no label belongs to a query");
    if (status == MEMO_OK)
        status = bench_put_retrieval(app, scores, n, set->own, err);
    memo_free(scores);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static memo_status bench_check(const cli_args *args, memo_err *err)
{
    int retrieval = cli_args_has(args, OPT_RETRIEVAL);
    if (cli_args_has(args, OPT_LATENCY) == retrieval) {
        memo_fail(err, MEMO_ERR_USAGE, "bench needs --latency or --retrieval, one of them");
        return memo_hint(err, MEMO_ERR_USAGE,
                         "memolith bench --latency   or, of a model alone: memolith model bench");
    }
    if (cli_args_has(args, OPT_QRELS) && !(retrieval && cli_args_has(args, OPT_QUERIES)))
        return memo_fail(err, MEMO_ERR_USAGE, "--qrels goes with --retrieval --queries");
    if (retrieval && cli_args_has(args, OPT_QUERIES) && !cli_args_has(args, OPT_QRELS))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--retrieval --queries needs --qrels: which records answer them");
    return MEMO_OK;
}

memo_status cli_verb_bench(cli_app *app, memo_err *err)
{
    const char *path = cli_args_text(&app->args, OPT_QUERIES);
    const char *labels = cli_args_text(&app->args, OPT_QRELS);
    size_t most =
        (size_t)cli_args_number(&app->args, OPT_BENCH_LIMIT, path ? SIZE_MAX : BENCH_QUERIES);
    bench_set set = {0};
    memo_status status = bench_check(&app->args, err);
    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = path ? bench_read_queries(app, path, most, &set, err)
                      : bench_make_queries(app, most, &set, err);
    if (status == MEMO_OK && labels)
        status = bench_read_labels(app, labels, &set, err);
    if (status == MEMO_OK)
        status = cli_args_has(&app->args, OPT_LATENCY) ? bench_latency(app, &set, err)
                                                       : bench_retrieval(app, &set, err);
    bench_set_fini(&set);
    return status;
}
