// SPDX-License-Identifier: Apache-2.0
/* fact add, retract, replace, query and history: what is known, since when, and who says so. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

/* ---- reading ------------------------------------------------------------------------------- */

/* A date as the library takes it: 0 there means open, so that very moment is told as the next one. */
static int64_t fact_date(const cli_args *args, cli_option_id id)
{
    const cli_given *given = cli_args_find(args, id);
    if (!given)
        return 0;
    return given->number ? (int64_t)given->number : 1;
}

/* Digits with at most one point. */
static memo_status fact_read_confidence(const cli_args *args, cli_option_id id, double *value,
                                        memo_err *err)
{
    const char *text = cli_args_text(args, id);
    size_t n_points = 0, n = text ? strspn(text, "0123456789.") : 0;
    for (size_t i = 0; i < n; i++)
        n_points += text[i] == '.';
    if (!text)
        return MEMO_OK;
    *value = strtod(text, NULL);
    if (text[n] || n == n_points || n_points > 1 || !(*value > 0 && *value <= 1))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--%s is \"%.40s\"; allowed is a number above 0 and at most 1",
                         cli_options[id].name, text);
    return MEMO_OK;
}

/* "ID", or "ID:BEGIN-END"; an id may hold colons itself. `id` is memory of at least its length. */
static void fact_read_evidence(const char *text, char *id, memo_evidence_in *out)
{
    const char *colon = strrchr(text, ':'), *dash = colon ? strchr(colon, '-') : NULL;
    uint64_t begin = 0, end = 0;
    strcpy(id, text);
    *out = (memo_evidence_in){.record = id};
    if (dash && cli_digits_read(colon + 1, dash, &begin) &&
        cli_digits_read(dash + 1, text + strlen(text), &end)) {
        id[colon - text] = '\0';
        out->begin = (size_t)begin;
        out->end = (size_t)end;
        if (!begin && !end) /* none of it, and not all of it */
            out->begin = out->end = 1;
    }
}

/* What --evidence names, in one block of memory for memo_free(). */
static memo_status fact_list_evidence(const cli_args *args, memo_evidence_in **out, size_t *n,
                                      memo_err *err)
{
    const char **texts = NULL;
    size_t n_bytes = 0;
    char *ids;
    memo_status status = cli_args_list(args, OPT_EVIDENCE, &texts, n, err);
    if (status || *n == 0) {
        memo_free(texts);
        return status;
    }
    for (size_t i = 0; i < *n; i++)
        n_bytes += strlen(texts[i]) + 1;
    *out = memo_calloc(1, *n * sizeof **out + n_bytes);
    if (!*out)
        status = memo_fail_nomem(err, "evidence", n_bytes);
    ids = (char *)(*out + *n);
    for (size_t i = 0; i < *n && status == MEMO_OK; i++) {
        fact_read_evidence(texts[i], ids, &(*out)[i]);
        ids += strlen(texts[i]) + 1;
    }
    memo_free(texts);
    return status;
}

/* The options of add and replace; *evidence for memo_free(). */
static memo_status fact_read_in(const cli_app *app, memo_fact_in *in, memo_evidence_in **evidence,
                                memo_err *err)
{
    const cli_args *args = &app->args;
    memo_status status;
    in->size = sizeof *in;
    in->value = cli_args_text(args, OPT_VALUE);
    in->valid_from_ms = fact_date(args, OPT_FROM);
    in->valid_to_ms = fact_date(args, OPT_TO);
    in->clear_from = cli_args_has(args, OPT_NO_FROM);
    in->clear_to = cli_args_has(args, OPT_NO_TO);
    if ((in->clear_from && cli_args_has(args, OPT_FROM)) ||
        (in->clear_to && cli_args_has(args, OPT_TO)))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--from and --no-from, as --to and --no-to, "
                         "contradict each other");
    in->functional = cli_args_has(args, OPT_FUNCTIONAL);
    in->no_new_entities = cli_args_has(args, OPT_EXISTING);
    if (in->subject ? !in->object == !in->value : in->object && in->value)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "%s needs either OBJECT or --value TEXT",
                                   args->verb->name),
                         "%s", args->verb->example);
    status = fact_read_confidence(args, OPT_CONFIDENCE, &in->confidence, err);
    if (status == MEMO_OK)
        status = fact_list_evidence(args, evidence, &in->n_evidence, err);
    in->evidence = *evidence;
    return status;
}

/* ---- add, replace, retract ----------------------------------------------------------------- */

static void fact_put_result(cli_app *app, const memo_fact_in *in, const memo_fact_result *result)
{
    static const char *const outcomes[] = {"new", "changed", "unchanged"};
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s\n", result->id);
        if (result->made_subject && in->subject)
            cli_say("new entity: %s", in->subject);
        if (result->made_object)
            cli_say("new entity: %s", in->object);
        if (result->n_closed)
            cli_say("%zu fact%s ended", result->n_closed, result->n_closed == 1 ? "" : "s");
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", result->id);
    cli_json_put_string(out, "outcome", outcomes[result->outcome]);
    cli_json_key(out, "made_subject");
    cli_json_bool(out, result->made_subject);
    cli_json_key(out, "made_object");
    cli_json_bool(out, result->made_object);
    cli_json_put_u64(out, "closed", result->n_closed);
    memo_buf_puts(out, "}\n");
}

memo_status cli_verb_fact_add(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    memo_fact_in in = {.subject = args->words[0],
                       .relation = args->words[1],
                       .object = args->n_words > 2 ? args->words[2] : NULL};
    memo_fact_result result = {.size = sizeof result};
    memo_evidence_in *evidence = NULL;
    memo_status status = fact_read_in(app, &in, &evidence, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_CREATE, err);
    if (status == MEMO_OK)
        status = memo_db_fact_add(app->db, cli_app_ns(app), &in, &result, err);
    if (status == MEMO_OK)
        fact_put_result(app, &in, &result);
    memo_free(evidence);
    return status;
}

memo_status cli_verb_fact_replace(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    memo_fact_in in = {.object = args->n_words > 1 ? args->words[1] : NULL};
    memo_fact_result result = {.size = sizeof result};
    memo_evidence_in *evidence = NULL;
    memo_status status = fact_read_in(app, &in, &evidence, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_fact_replace(app->db, cli_app_ns(app), args->words[0], &in,
                                      cli_args_text(args, OPT_REASON), &result, err);
    if (status == MEMO_OK)
        fact_put_result(app, &in, &result);
    memo_free(evidence);
    return status;
}

memo_status cli_verb_fact_retract(cli_app *app, memo_err *err)
{
    memo_outcome outcome;
    memo_buf *out = &app->out.buf;
    memo_status status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_fact_retract(app->db, cli_app_ns(app), app->args.words[0],
                                      cli_args_text(&app->args, OPT_REASON), &outcome, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_puts(out, outcome == MEMO_OUTCOME_CHANGED ? "retracted\n" : "was retracted\n");
        return MEMO_OK;
    }
    cli_json_open(out, '{');
    cli_json_key(out, "retracted");
    cli_json_bool(out, outcome == MEMO_OUTCOME_CHANGED);
    memo_buf_puts(out, "}\n");
    return MEMO_OK;
}

/* ---- query and history --------------------------------------------------------------------- */

static void fact_put_json_entity(memo_buf *out, const char *key, const char *id, const char *name)
{
    cli_json_key(out, key);
    if (!id) {
        cli_json_raw(out, NULL);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", id);
    cli_json_put_string(out, "name", name);
    cli_json_close(out, '}');
}

static void fact_put_json_date(memo_buf *out, const char *key, int64_t ms)
{
    cli_json_key(out, key);
    cli_json_date(out, ms);
}

static void fact_put_json_evidence(memo_buf *out, const memo_evidence *evidence)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "record", evidence->record);
    cli_json_put_u64(out, "begin", evidence->begin);
    cli_json_put_u64(out, "end", evidence->end);
    cli_json_put_u64(out, "version", evidence->version);
    cli_json_key(out, "outdated");
    cli_json_bool(out, evidence->outdated);
    cli_json_put_string(out, "excerpt", evidence->excerpt);
    cli_json_close(out, '}');
}

static void fact_put_json(memo_buf *out, const memo_fact *fact)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", fact->id);
    fact_put_json_entity(out, "subject", fact->subject, fact->subject_name);
    cli_json_put_string(out, "relation", fact->relation);
    fact_put_json_entity(out, "object", fact->object, fact->object_name);
    cli_json_put_string(out, "value", fact->value);
    fact_put_json_date(out, "valid_from", fact->valid_from_ms);
    fact_put_json_date(out, "valid_to", fact->valid_to_ms);
    fact_put_json_date(out, "recorded", fact->recorded_ms);
    fact_put_json_date(out, "closed", fact->closed_ms);
    fact_put_json_date(out, "retracted", fact->retracted_ms);
    cli_json_put_string(out, "reason", fact->reason);
    cli_json_put_double(out, "confidence", fact->confidence);
    cli_json_key(out, "evidence");
    cli_json_open(out, '[');
    for (size_t i = 0; i < fact->n_evidence; i++)
        fact_put_json_evidence(out, &fact->evidence[i]);
    cli_json_close(out, ']');
    cli_json_close(out, '}');
}

static void fact_put_text_date(cli_out *out, const char *word, int64_t ms)
{
    char date[CLI_DATE_BYTES];
    if (!ms)
        return;
    cli_date_format(ms, 0, date);
    memo_buf_printf(&out->buf, ", %s %s", word, date);
}

/* "ID  Anna works_at Initech, from 2020-01-01, until 2024-05-01, retracted 2024-06-01: why" and a line
 * for each piece of evidence. */
static void fact_put_text(cli_out *out, const memo_fact *fact)
{
    const char *object = fact->object ? fact->object_name : fact->value;
    memo_buf *buf = &out->buf;
    memo_buf_printf(buf, "%s  ", fact->id);
    cli_put_line(buf, fact->subject_name, strlen(fact->subject_name), SIZE_MAX);
    memo_buf_putc(buf, ' ');
    cli_put_style(out, CLI_DIM);
    cli_put_line(buf, fact->relation, strlen(fact->relation), SIZE_MAX);
    cli_put_style(out, CLI_PLAIN);
    memo_buf_putc(buf, ' ');
    cli_put_style(out, CLI_BOLD);
    cli_put_line(buf, object, strlen(object), SIZE_MAX);
    cli_put_style(out, CLI_PLAIN);
    fact_put_text_date(out, "from", fact->valid_from_ms);
    fact_put_text_date(out, "until", fact->valid_to_ms);
    if (fact->confidence < 1)
        memo_buf_printf(buf, ", confidence %.2g", fact->confidence);
    fact_put_text_date(out, "retracted", fact->retracted_ms);
    if (fact->reason[0]) {
        memo_buf_puts(buf, ": ");
        cli_put_line(buf, fact->reason, strlen(fact->reason), SIZE_MAX);
    }
    memo_buf_putc(buf, '\n');
    for (size_t i = 0; i < fact->n_evidence; i++) {
        const memo_evidence *e = &fact->evidence[i];
        memo_buf_printf(buf, "   %s%s \"", e->record, e->outdated ? " (changed since)" : "");
        cli_put_line(buf, e->excerpt, strlen(e->excerpt), out->width > 50 ? out->width - 40 : 10);
        memo_buf_puts(buf, "\"\n");
    }
}

static void fact_put_list(cli_app *app, const memo_facts *facts)
{
    memo_buf *out = &app->out.buf;
    for (size_t i = 0; i < facts->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", facts->damaged[i]);
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "facts");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < facts->n; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            fact_put_text(&app->out, &facts->facts[i]);
        else
            fact_put_json(out, &facts->facts[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(out, '\n');
    }
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_close(out, ']');
        cli_json_put_string(out, "next", facts->next);
        memo_buf_puts(out, "}\n");
    }
    if (app->out.format == CLI_FORMAT_TEXT && facts->next)
        cli_say("there are more: -k N, or --after %s", facts->next);
    if (app->out.format == CLI_FORMAT_TEXT && facts->n == 0)
        cli_say("no fact");
}

memo_status cli_verb_fact_query(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    memo_fact_query query = {
        .size = sizeof query,
        .ns = cli_app_ns(app),
        .subject = cli_args_text(args, OPT_SUBJECT),
        .relation = cli_args_text(args, OPT_RELATION),
        .object = cli_args_text(args, OPT_OBJECT),
        .value = cli_args_text(args, OPT_VALUE),
        .about = cli_args_text(args, OPT_ABOUT),
        .record = cli_args_text(args, OPT_RECORD),
        .valid_at_ms = fact_date(args, OPT_VALID_AT),
        .any_time = cli_args_has(args, OPT_ANY_TIME),
        .as_of_ms = fact_date(args, OPT_FACT_AS_OF),
        .retracted = cli_args_has(args, OPT_RETRACTED),
        .limit = (size_t)cli_args_number(args, OPT_FACT_LIMIT, 0),
        .after = cli_args_text(args, OPT_AFTER),
    };
    memo_facts *facts = NULL;
    memo_status status = fact_read_confidence(args, OPT_MIN_CONFIDENCE, &query.min_confidence, err);
    if (status == MEMO_OK && query.any_time && query.valid_at_ms)
        status = memo_fail(err, MEMO_ERR_USAGE, "--any-time and --valid-at contradict each other");
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_fact_query(app->db, &query, &facts, err);
    if (status == MEMO_OK)
        fact_put_list(app, facts);
    memo_facts_free(facts);
    return status;
}

memo_status cli_verb_fact_history(cli_app *app, memo_err *err)
{
    const memo_fact_history_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .limit = (size_t)cli_args_number(&app->args, OPT_FACT_LIMIT, 0),
        .after = cli_args_text(&app->args, OPT_AFTER),
    };
    memo_facts *facts = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_fact_history(app->db, &options, app->args.words[0], &facts, err);
    if (status == MEMO_OK)
        fact_put_list(app, facts);
    memo_facts_free(facts);
    return status;
}
