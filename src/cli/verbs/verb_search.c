// SPDX-License-Identifier: Apache-2.0
/* search: hits as a person reads them, and as a program does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { SEARCH_SNIPPET_LINES = 3, SEARCH_INDENT = 3 };

/* The timings under the names they have in both formats. */
enum { SEARCH_N_TIMINGS = 8 };

typedef struct search_timing {
    const char *name;
    double ms;
} search_timing;

static void search_timings(const memo_search_timings *t, search_timing out[SEARCH_N_TIMINGS])
{
    const search_timing all[SEARCH_N_TIMINGS] = {{"embed", t->embed_ms}, {"filter", t->filter_ms},
                                                 {"dense", t->dense_ms}, {"lexical", t->lexical_ms},
                                                 {"exact", t->exact_ms}, {"fuse", t->fuse_ms},
                                                 {"fetch", t->fetch_ms}, {"total", t->total_ms}};
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
    if (hit->terms[0]) {
        memo_buf_printf(&out->buf, "%*smatched  ", SEARCH_INDENT, "");
        cli_put_line(&out->buf, hit->terms, strlen(hit->terms), out->width - SEARCH_INDENT - 9);
        memo_buf_putc(&out->buf, '\n');
    }
}

static void search_put_hit(cli_out *out, size_t rank, const memo_hit *hit, int explain)
{
    memo_text text = {hit->text, hit->text_bytes};
    size_t columns = (out->width - SEARCH_INDENT) * SEARCH_SNIPPET_LINES;
    search_put_head(out, rank, hit);
    cli_put_paragraph(&out->buf, cli_snippet(text, hit->terms, columns), SEARCH_INDENT, out->width,
                      SEARCH_SNIPPET_LINES);
    if (explain)
        search_put_explanation(out, hit);
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

static void search_put_text(cli_app *app, const memo_hits *hits)
{
    cli_out *out = &app->out;
    int explain = cli_args_has(&app->args, OPT_EXPLAIN);
    search_timing timings[SEARCH_N_TIMINGS];
    for (size_t i = 0; i < hits->n; i++)
        search_put_hit(out, i + 1, &hits->hits[i], explain);
    if (explain) {
        search_timings(&hits->timings, timings);
        memo_buf_puts(&out->buf, "timings");
        for (size_t i = 0; i < SEARCH_N_TIMINGS; i++)
            memo_buf_printf(&out->buf, "%s %s %.2f", i ? "," : "", timings[i].name, timings[i].ms);
        memo_buf_puts(&out->buf, " ms\n");
    }
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
    return (memo_search_options){
        .size = sizeof(memo_search_options),
        .ns = cli_app_ns(app),
        .k = (size_t)cli_args_number(args, OPT_LIMIT, 0),
        /* the words of --mode stand in the order of memo_search_mode */
        .mode = (memo_search_mode)cli_args_number(args, OPT_MODE, MEMO_SEARCH_HYBRID),
        .where = cli_args_text(args, OPT_WHERE),
        .chunks = cli_args_has(args, OPT_CHUNKS),
    };
}

/* A lane that failed is in the log, which goes to stderr as well. */
static void search_warn_damage(const memo_hits *hits)
{
    for (size_t i = 0; i < hits->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", hits->damaged_ids[i]);
    if (hits->n_damaged > hits->n_damaged_ids)
        cli_warn("and %zu more", hits->n_damaged - hits->n_damaged_ids);
}

static memo_status search_one(cli_app *app, memo_err *err)
{
    memo_search_options options = search_options(app);
    memo_buf query = {0};
    memo_hits *hits = NULL;
    memo_status status = MEMO_OK;
    if (app->args.n_words == 1 && strcmp(app->args.words[0], "-") == 0)
        status =
            cli_app_read_stdin(app, CLI_LINE_BYTES, &query, err); /* as much as a line of many */
    else
        cli_args_join(&app->args, &query);
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
    return status;
}

/* One line of --queries: search, write the line. */
static memo_status search_line(cli_app *app, cli_lines *lines, const json_t *object, memo_err *err)
{
    memo_search_options options = search_options(app);
    const json_t *id = json_object_get(object, "_id");
    memo_hits *hits = NULL;
    memo_text query;
    memo_status status = cli_lines_text(lines, object, "text", &query, err);
    if (status == MEMO_OK && !json_is_string(id) && !json_is_integer(id))
        status =
            memo_fail(err, MEMO_ERR_FORMAT, "%s: line %" PRIu64 ": \"_id\" is no string or integer",
                      lines->name, lines->number);
    if (status)
        return status;
    status = memo_db_search(app->db, query, &options, &hits, err);
    if (status) {
        memo_fail(err, status, "%s: line %" PRIu64 ": %s", lines->name, lines->number,
                  err->message);
    } else {
        search_put_json(&app->out.buf, id, hits);
        status = cli_out_drain(&app->out, err);
    }
    memo_hits_free(hits);
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

memo_status cli_verb_search(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const char *queries = cli_args_text(args, OPT_QUERIES);
    int lexical = cli_args_number(args, OPT_MODE, MEMO_SEARCH_HYBRID) == MEMO_SEARCH_LEXICAL;
    if (!queries && args->n_words == 0)
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
    memo_status status = MEMO_OK;
    if (queries && strcmp(queries, "-") == 0)
        status = cli_app_stdin(app, "NDJSON", err);
    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK && !lexical)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status)
        return status;
    return queries ? search_queries(app, queries, err) : search_one(app, err);
}
