// SPDX-License-Identifier: Apache-2.0
/* search: hits as a person reads them, and as a program does. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/ready_vector.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { SEARCH_SNIPPET_LINES = 3, SEARCH_INDENT = 3 };

/* The timings under the names they have in both formats. */
enum { SEARCH_N_TIMINGS = 9 };

typedef struct search_timing {
    const char *name;
    double ms;
} search_timing;

static void search_timings(const memo_search_timings *t, search_timing out[SEARCH_N_TIMINGS])
{
    const search_timing all[SEARCH_N_TIMINGS] = {
        {"embed", t->embed_ms},     {"filter", t->filter_ms}, {"dense", t->dense_ms},
        {"lexical", t->lexical_ms}, {"exact", t->exact_ms},   {"facts", t->facts_ms},
        {"fuse", t->fuse_ms},       {"fetch", t->fetch_ms},   {"total", t->total_ms}};
    memcpy(out, all, sizeof all);
}

/* ---- for people ---------------------------------------------------------------------------- */

/* "1  0.0325  2025-03-14  Title  #tag #tag" */
static void search_put_head(cli_out *out, size_t rank, const memo_hit *hit)
{
    char date[CLI_DATE_BYTES];
    memo_buf *buf = &out->buf;
    cli_date_format(hit->created_ms, 0, date);
    cli_put_style(out, CLI_BOLD);
    memo_buf_printf(buf, "%-2zu ", rank);
    cli_put_style(out, CLI_PLAIN);
    cli_put_style(out, CLI_DIM);
    memo_buf_printf(buf, "%.4f  %s", hit->score, date);
    cli_put_style(out, CLI_PLAIN);
    if (hit->title[0]) {
        memo_buf_puts(buf, "  ");
        cli_put_style(out, CLI_BOLD);
        cli_put_line(buf, hit->title, strlen(hit->title), out->width - 24);
        cli_put_style(out, CLI_PLAIN);
    }
    for (size_t i = 0; i < hit->n_tags; i++) {
        memo_buf_puts(buf, i ? " #" : "  #");
        cli_put_line(buf, hit->tags[i], strlen(hit->tags[i]), 40);
    }
    memo_buf_putc(buf, '\n');
}

static void search_put_explanation(cli_out *out, const memo_hit *hit)
{
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        const memo_lane_score *score = &hit->lanes[lane];
        memo_buf_printf(&out->buf, "%*s%-8s", SEARCH_INDENT, "", memo_lane_name((memo_lane)lane));
        if (score->rank > 0)
            memo_buf_printf(&out->buf, " rank %-4zu score %-9.4g share %.4f\n", score->rank,
                            score->score, score->share);
        else
            memo_buf_puts(&out->buf, " -\n");
    }
    if (hit->probability >= 0)
        memo_buf_printf(&out->buf, "%*sprobability %.2f\n", SEARCH_INDENT, "", hit->probability);
    if (hit->terms[0]) {
        memo_buf_printf(&out->buf, "%*smatched  ", SEARCH_INDENT, "");
        cli_put_line(&out->buf, hit->terms, strlen(hit->terms), out->width - SEARCH_INDENT - 9);
        memo_buf_putc(&out->buf, '\n');
    }
}

static void search_put_hit(cli_app *app, size_t rank, const memo_hit *hit, int explain)
{
    cli_out *out = &app->out;
    memo_text text = {hit->text, hit->text_bytes};
    size_t columns = (out->width - SEARCH_INDENT) * SEARCH_SNIPPET_LINES;
    search_put_head(out, rank, hit);
    cli_put_paragraph(&out->buf, cli_snippet(text, hit->terms, columns), SEARCH_INDENT, out->width,
                      SEARCH_SNIPPET_LINES);
    if (explain) {
        search_put_explanation(out, hit);
        cli_links_text(&out->buf, app->db, cli_app_ns(app), hit->id, SEARCH_INDENT);
    }
    cli_put_style(out, CLI_DIM);
    memo_buf_printf(&out->buf, "%*s%s", SEARCH_INDENT, "", hit->id);
    if (hit->key || hit->source[0]) {
        const char *from = hit->key ? hit->key : hit->source;
        memo_buf_puts(&out->buf, "  ");
        cli_put_line(&out->buf, from, strlen(from), out->width - SEARCH_INDENT - 28);
    }
    cli_put_style(out, CLI_PLAIN);
    memo_buf_puts(&out->buf, "\n\n");
}

static void search_put_plan(memo_buf *out, const memo_hits *hits)
{
    const memo_search_plan *plan = hits->plan;
    memo_buf_printf(out, "query    %s%s\n", hits->query_class,
                    plan->weighed ? ", shares weighed by cosine and by words held" : "");
    memo_buf_puts(out, "lanes   ");
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        memo_buf_printf(out, "%s %s %zu x %g", lane ? "," : "", memo_lane_name((memo_lane)lane),
                        plan->n_found[lane], plan->weights[lane]);
    memo_buf_printf(out, "\nfilter   %s%s, %zu chunks\n", plan->filter[0] ? plan->filter : "none",
                    plan->narrowed ? ", a small namespace" : "", hits->n_searched);
    if (plan->n_indexed)
        memo_buf_printf(out,
                        "index    %zu vectors of change %" PRIu64 " of %" PRIu64 ", %zu later; ",
                        plan->n_indexed, plan->index_seq, plan->store_seq, plan->n_later);
    else
        memo_buf_printf(out, "index    none, store at change %" PRIu64 "; ", plan->store_seq);
    memo_buf_printf(out, "%zu compared exactly\n", plan->n_scored);
    memo_buf_printf(out, "calibration  %s\n",
                    hits->calibration[0] ? hits->calibration
                                         : "none, probabilities are not known: memolith calibrate");
}

static void search_put_text(cli_app *app, const memo_hits *hits)
{
    cli_out *out = &app->out;
    int explain = cli_args_has(&app->args, OPT_EXPLAIN);
    search_timing timings[SEARCH_N_TIMINGS];
    for (size_t i = 0; i < hits->n; i++)
        search_put_hit(app, i + 1, &hits->hits[i], explain);
    if (explain) {
        search_put_plan(&out->buf, hits);
        search_timings(&hits->timings, timings);
        memo_buf_puts(&out->buf, "timings");
        for (size_t i = 0; i < SEARCH_N_TIMINGS; i++)
            memo_buf_printf(&out->buf, "%s %s %.2f", i ? "," : "", timings[i].name, timings[i].ms);
        memo_buf_puts(&out->buf, " ms\n");
    }
    if (hits->relevant == 0 && hits->n)
        cli_say("nothing here answers that (best %.2f)", hits->best_probability);
    if (hits->n_hidden)
        cli_say("%zu below --min-score (the best has %.4g)", hits->n_hidden, hits->best_hidden);
    if (hits->n_duplicates)
        cli_say("%zu that repeat others are not shown", hits->n_duplicates);
    if (hits->n == 0)
        cli_say(cli_args_has(&app->args, OPT_WHERE) && hits->n_searched == 0
                    ? "no hit: the filter matches no record"
                    : "no hit");
    else if (out->is_terminal)
        cli_say("%zu of %zu chunks, %.1f ms", hits->n, hits->n_searched, hits->timings.total_ms);
}

/* ---- for programs -------------------------------------------------------------------------- */

static void search_put_lane(memo_buf *out, const memo_lane_score *score)
{
    if (score->rank == 0) {
        cli_json_raw(out, NULL);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_u64(out, "rank", score->rank);
    cli_json_key(out, "score");
    cli_json_double(out, score->score, 9);
    cli_json_key(out, "share");
    cli_json_double(out, score->share, 9);
    cli_json_close(out, '}');
}

static void search_put_json_hit(memo_buf *out, const memo_hit *hit)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", hit->id);
    cli_json_put_string(out, "key", hit->key);
    cli_json_put_string(out, "title", hit->title);
    cli_json_key(out, "text");
    cli_json_bytes(out, hit->text, hit->text_bytes);
    cli_json_key(out, "score");
    cli_json_double(out, hit->score, 9);
    cli_json_key(out, "lanes");
    cli_json_open(out, '{');
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        cli_json_key(out, memo_lane_name((memo_lane)lane));
        search_put_lane(out, &hit->lanes[lane]);
    }
    cli_json_close(out, '}');
    cli_json_key(out, "probability");
    if (hit->probability >= 0)
        cli_json_double(out, hit->probability, 4);
    else
        cli_json_raw(out, NULL);
    cli_json_put_string(out, "terms", hit->terms);
    cli_json_put_u64(out, "chunk", hit->chunk);
    cli_json_put_u64(out, "begin", hit->begin);
    cli_json_put_u64(out, "end", hit->end);
    cli_json_key(out, "tags");
    cli_json_strings(out, hit->tags, hit->n_tags);
    cli_json_key(out, "metadata");
    cli_json_raw(out, hit->metadata_json);
    cli_json_put_string(out, "source", hit->source);
    cli_json_key(out, "created");
    cli_json_date(out, hit->created_ms);
    cli_json_key(out, "updated");
    cli_json_date(out, hit->updated_ms);
    cli_json_put_u64(out, "version", hit->version);
    cli_json_key(out, "trust");
    cli_json_i64(out, hit->trust);
    cli_json_key(out, "pinned");
    cli_json_bool(out, hit->pinned);
    cli_json_close(out, '}');
}

static void search_put_json_plan(memo_buf *out, const memo_search_plan *plan)
{
    cli_json_key(out, "plan");
    cli_json_open(out, '{');
    cli_json_key(out, "lanes");
    cli_json_open(out, '{');
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        cli_json_key(out, memo_lane_name((memo_lane)lane));
        cli_json_open(out, '{');
        cli_json_put_double(out, "weight", plan->weights[lane]);
        cli_json_put_u64(out, "found", plan->n_found[lane]);
        cli_json_close(out, '}');
    }
    cli_json_close(out, '}');
    cli_json_key(out, "weighed");
    cli_json_bool(out, plan->weighed);
    cli_json_put_string(out, "filter", plan->filter[0] ? plan->filter : NULL);
    cli_json_key(out, "narrowed");
    cli_json_bool(out, plan->narrowed);
    cli_json_put_u64(out, "scored", plan->n_scored);
    cli_json_put_u64(out, "indexed", plan->n_indexed);
    cli_json_put_u64(out, "later", plan->n_later);
    cli_json_put_u64(out, "index_seq", plan->index_seq);
    cli_json_put_u64(out, "store_seq", plan->store_seq);
    cli_json_close(out, '}');
}

/* What stands beside the hits, and the end of the object. */
static void search_put_json_tail(memo_buf *out, const memo_hits *hits)
{
    search_timing timings[SEARCH_N_TIMINGS];
    search_timings(&hits->timings, timings);
    cli_json_key(out, "timings");
    cli_json_open(out, '{');
    for (size_t i = 0; i < SEARCH_N_TIMINGS; i++) {
        char name[24];
        snprintf(name, sizeof name, "%s_ms", timings[i].name);
        cli_json_key(out, name);
        cli_json_double(out, timings[i].ms, 4);
    }
    cli_json_close(out, '}');
    cli_json_put_u64(out, "searched", hits->n_searched);
    cli_json_put_u64(out, "damaged", hits->n_damaged);
    cli_json_key(out, "damaged_ids");
    cli_json_strings(out, hits->damaged_ids, hits->n_damaged_ids);
    cli_json_key(out, "failed_lanes");
    cli_json_open(out, '{');
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        if (hits->lane_failed[lane])
            cli_json_put_string(out, memo_lane_name((memo_lane)lane), hits->lane_failed[lane]);
    cli_json_close(out, '}');
    cli_json_key(out, "partial");
    cli_json_bool(out, hits->partial);
    cli_json_key(out, "query_truncated");
    cli_json_bool(out, hits->query_truncated);
    cli_json_put_string(out, "model", hits->model);
    cli_json_put_string(out, "search_id", hits->search_id[0] ? hits->search_id : NULL);
    cli_json_put_string(out, "class", hits->query_class);
    cli_json_key(out, "relevant");
    if (hits->relevant < 0)
        cli_json_raw(out, NULL);
    else
        cli_json_bool(out, hits->relevant);
    cli_json_key(out, "best_probability");
    if (hits->best_probability >= 0)
        cli_json_double(out, hits->best_probability, 4);
    else
        cli_json_raw(out, NULL);
    cli_json_put_u64(out, "hidden", hits->n_hidden);
    if (hits->n_hidden)
        cli_json_put_double(out, "best_hidden", hits->best_hidden);
    cli_json_put_u64(out, "duplicates", hits->n_duplicates);
    cli_json_put_string(out, "calibration", hits->calibration[0] ? hits->calibration : NULL);
    if (hits->plan)
        search_put_json_plan(out, hits->plan);
    memo_buf_puts(out, "}\n");
}

/* `id` of the query in a file of them, or NULL. */
static void search_put_json(memo_buf *out, const json_t *id, const memo_hits *hits)
{
    cli_json_open(out, '{');
    if (id) {
        cli_json_key(out, "_id");
        if (json_is_string(id))
            cli_json_bytes(out, json_string_value(id), json_string_length(id));
        else
            cli_json_i64(out, json_integer_value(id));
    }
    cli_json_key(out, "hits");
    cli_json_open(out, '[');
    for (size_t i = 0; i < hits->n; i++)
        search_put_json_hit(out, &hits->hits[i]);
    cli_json_close(out, ']');
    search_put_json_tail(out, hits);
}

static void search_put_lines(memo_buf *out, const memo_hits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        search_put_json_hit(out, &hits->hits[i]);
        memo_buf_putc(out, '\n');
    }
}

/* ---- the verb ------------------------------------------------------------------------------ */

static memo_search_options search_options(const cli_app *app)
{
    const cli_args *args = &app->args;
    uint64_t recency = cli_args_number(args, OPT_RECENCY, 0);
    return (memo_search_options){
        .size = sizeof(memo_search_options),
        .ns = cli_app_ns(app),
        .k = (size_t)cli_args_number(args, OPT_LIMIT, 0),
        /* the words of --mode stand in the order of memo_search_mode */
        .mode = (memo_search_mode)cli_args_number(args, OPT_MODE, MEMO_SEARCH_HYBRID),
        .where = cli_args_text(args, OPT_WHERE),
        .chunks = cli_args_has(args, OPT_CHUNKS),
        .actor = cli_args_text(args, OPT_ACTOR),
        .surface = cli_args_text(args, OPT_SURFACE),
        .no_log = cli_args_has(args, OPT_NO_LOG),
        .diversity = (double)cli_args_number(args, OPT_DIVERSITY, 0) / 100,
        .drop_duplicates = cli_args_has(args, OPT_DROP_DUPLICATES),
        .recency = !cli_args_has(args, OPT_RECENCY) ? 0
                   : recency                        ? (double)recency / 100
                                                    : -1,
        .half_life_days = (double)cli_args_number(args, OPT_HALF_LIFE, 0),
        .as_of_ms = (int64_t)cli_args_number(args, OPT_AS_OF, 0),
        .explain = cli_args_has(args, OPT_EXPLAIN),
    };
}

static memo_status search_read_min_score(const cli_app *app, memo_search_options *options,
                                         memo_err *err)
{
    const char *text = cli_args_text(&app->args, OPT_MIN_SCORE);
    char *end = NULL;
    if (!text)
        return MEMO_OK;
    options->min_score = strtod(text, &end);
    return *end == '\0' && isfinite(options->min_score)
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_USAGE, "--min-score \"%s\" is no number", text);
}

/* A lane that failed is in the log, which goes to stderr as well. */
static void search_warn_damage(const memo_hits *hits)
{
    for (size_t i = 0; i < hits->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", hits->damaged_ids[i]);
    if (hits->n_damaged > hits->n_damaged_ids)
        cli_warn("and %zu more", hits->n_damaged - hits->n_damaged_ids);
}

/* The query: stdin, as much as a line of many, or the words. */
static memo_status search_words(cli_app *app, memo_buf *query, memo_err *err)
{
    if (app->args.n_words == 1 && strcmp(app->args.words[0], "-") == 0)
        return cli_app_read_stdin(app, CLI_LINE_BYTES, query, err);
    cli_args_join(&app->args, query);
    return MEMO_OK;
}

static memo_status search_one(cli_app *app, memo_err *err)
{
    memo_search_options options = search_options(app);
    const char *given = cli_args_text(&app->args, OPT_VECTOR);
    cli_vector vector = {.values = NULL};
    memo_buf query = {0};
    memo_hits *hits = NULL;
    memo_status status = search_words(app, &query, err);
    if (status == MEMO_OK)
        status = search_read_min_score(app, &options, err);
    if (status == MEMO_OK && given)
        status = cli_vector_read(given, &vector, err);
    options.vector = given ? &vector.vector : NULL;
    if (status == MEMO_OK && query.failed)
        status = memo_fail_nomem(err, "the query", query.n);
    if (status == MEMO_OK)
        status = memo_db_search(app->db, (memo_text){query.data, query.n}, &options, &hits, err);
    if (status == MEMO_OK) {
        search_warn_damage(hits);
        if (hits->query_truncated)
            cli_warn("the query is longer than the model takes; its end was not seen");
        if (app->out.format == CLI_FORMAT_TEXT)
            search_put_text(app, hits);
        else if (app->out.format == CLI_FORMAT_NDJSON)
            search_put_lines(&app->out.buf, hits);
        else
            search_put_json(&app->out.buf, NULL, hits);
    }
    memo_hits_free(hits);
    memo_buf_fini(&query);
    cli_vector_fini(&vector);
    return status;
}

/* One line of --queries: search, write the line. */
static memo_status search_line(cli_app *app, cli_lines *lines, const json_t *object, memo_err *err)
{
    memo_search_options options = search_options(app);
    const char *field = cli_args_text(&app->args, OPT_VECTOR_FIELD);
    const json_t *id = json_object_get(object, "_id");
    cli_vector vector = {.values = NULL};
    memo_hits *hits = NULL;
    memo_text query = {NULL, 0};
    memo_status status = MEMO_OK;
    if (!field || json_object_get(object, "text"))
        status = cli_lines_text(lines, object, "text", &query, err);
    if (status == MEMO_OK)
        status = search_read_min_score(app, &options, err);
    if (status == MEMO_OK && !json_is_string(id) && !json_is_integer(id))
        status =
            memo_fail(err, MEMO_ERR_FORMAT, "%s: line %" PRIu64 ": \"_id\" is no string or integer",
                      lines->name, lines->number);
    if (status)
        return status;
    if (field)
        status = cli_vector_from_json(json_object_get(object, field), field, &vector, err);
    options.vector = field ? &vector.vector : NULL;
    if (status == MEMO_OK)
        status = memo_db_search(app->db, query, &options, &hits, err);
    if (status) {
        memo_fail(err, status, "%s: line %" PRIu64 ": %s", lines->name, lines->number,
                  err->message);
    } else {
        search_put_json(&app->out.buf, id, hits);
        status = cli_out_drain(&app->out, err);
    }
    memo_hits_free(hits);
    cli_vector_fini(&vector);
    return status;
}

static memo_status search_queries(cli_app *app, const char *path, memo_err *err)
{
    cli_lines lines = {0};
    json_t *object = NULL;
    memo_status status = cli_lines_open(&lines, app, path, err);
    while (status == MEMO_OK) {
        status = cli_lines_next_object(&lines, &object, err);
        if (status || !object)
            break;
        status = search_line(app, &lines, object, err);
        json_decref(object);
    }
    cli_lines_close(&lines);
    return status;
}

static memo_status search_check_vector(const cli_args *args, memo_err *err)
{
    int many = cli_args_has(args, OPT_QUERIES);
    if (cli_args_has(args, OPT_VECTOR) && many)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--vector is of one query; those of --queries are in a --vector-field");
    if (cli_args_has(args, OPT_VECTOR_FIELD) && !many)
        return memo_fail(err, MEMO_ERR_USAGE, "--vector-field is a field of --queries");
    return MEMO_OK;
}

memo_status cli_verb_search(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const char *queries = cli_args_text(args, OPT_QUERIES);
    int lexical = cli_args_number(args, OPT_MODE, MEMO_SEARCH_HYBRID) == MEMO_SEARCH_LEXICAL;
    if (!queries && args->n_words == 0 && !cli_args_has(args, OPT_VECTOR))
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "search needs QUERY or --queries FILE"),
                         "%s", args->verb->example);
    if (queries && args->n_words > 0)
        return memo_fail(err, MEMO_ERR_USAGE, "--queries and \"%s\" both give a query",
                         args->words[0]);
    if (queries && cli_args_has(args, OPT_FORMAT) && app->out.format == CLI_FORMAT_TEXT)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--queries writes JSON lines; -o text is not possible");
    if (queries && app->out.format == CLI_FORMAT_TEXT)
        app->out.format = CLI_FORMAT_NDJSON;
    memo_status status = search_check_vector(args, err);
    if (status == MEMO_OK && queries && strcmp(queries, "-") == 0)
        status = cli_app_stdin(app, "NDJSON", err);
    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK && !lexical && !cli_args_has(args, OPT_VECTOR) &&
        !cli_args_has(args, OPT_VECTOR_FIELD))
        status = cli_app_embedder(app, err);
    if (status == MEMO_OK)
        status = cli_app_search_store(app, err);
    if (status)
        return status;
    return queries ? search_queries(app, queries, err) : search_one(app, err);
}
