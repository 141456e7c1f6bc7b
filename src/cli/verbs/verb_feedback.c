// SPDX-License-Identifier: Apache-2.0
/* feedback: what was done with what a search showed, listed, and taken back. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static const struct {
    cli_option_id option;
    memo_action_kind kind;
} feedback_options[] = {
    {OPT_ACCEPT, MEMO_ACTION_ACCEPT},   {OPT_CITE, MEMO_ACTION_CITE},
    {OPT_COPIED, MEMO_ACTION_COPY},     {OPT_OPENED, MEMO_ACTION_OPEN},
    {OPT_EDITED, MEMO_ACTION_EDIT},     {OPT_DISMISS, MEMO_ACTION_DISMISS},
    {OPT_CONFIRM, MEMO_ACTION_CONFIRM}, {OPT_REJECT_PAIR, MEMO_ACTION_REJECT_PAIR},
    {OPT_MERGE, MEMO_ACTION_MERGE},     {OPT_DETACH, MEMO_ACTION_DETACH},
    {OPT_HIDE, MEMO_ACTION_DELETE},
};
enum { FEEDBACK_N_OPTIONS = sizeof feedback_options / sizeof feedback_options[0] };

/* ---- do ------------------------------------------------------------------------------------ */

static void feedback_put_done(cli_app *app, memo_action_kind kind, const char *action)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s  %s\n", action, memo_action_name(kind));
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "action", action);
    cli_json_put_string(out, "kind", memo_action_name(kind));
    memo_buf_puts(out, "}\n");
}

/* One of the values of an option: "ID", or "ID=OTHER". */
static memo_status feedback_do(cli_app *app, memo_action_kind kind, int on_two, const char *text,
                               memo_err *err)
{
    const char *equals = on_two ? strchr(text, '=') : NULL;
    char action[MEMO_ID_BYTES];
    memo_action_in in = {.size = sizeof in,
                         .ns = cli_app_ns(app),
                         .search_id = app->args.n_words ? app->args.words[0] : NULL,
                         .kind = kind,
                         .id = text,
                         .actor = cli_args_text(&app->args, OPT_ACTOR),
                         .detail = cli_args_text(&app->args, OPT_DETAIL)};
    memo_buf id = {0};
    memo_status status;
    if (equals) {
        memo_buf_append(&id, text, (size_t)(equals - text));
        in.id = id.data;
        in.other = equals + 1;
    }
    status = id.failed ? memo_fail_nomem(err, "an id", strlen(text))
                       : memo_db_feedback(app->db, &in, action, err);
    memo_buf_fini(&id);
    if (status == MEMO_OK)
        feedback_put_done(app, kind, action);
    return status;
}

static memo_status feedback_do_all(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    memo_status status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    for (size_t i = 0; i < args->n_given && status == MEMO_OK; i++)
        for (size_t j = 0; j < FEEDBACK_N_OPTIONS && status == MEMO_OK; j++)
            if (args->given[i].id == feedback_options[j].option)
                status = feedback_do(app, feedback_options[j].kind,
                                     cli_options[args->given[i].id].kind == CLI_PAIR,
                                     args->given[i].text, err);
    return status;
}

/* ---- undo and list ------------------------------------------------------------------------- */

static memo_status feedback_undo(cli_app *app, const char *action, memo_err *err)
{
    memo_status status = cli_app_store_exists(app, err);
    memo_err no_model = {0};
    /* Only the text of an edit is embedded again: who has no model can undo all else. */
    if (status == MEMO_OK && cli_app_model(app, NULL, &no_model) == MEMO_ERR_NOMEM) {
        *err = no_model;
        return MEMO_ERR_NOMEM;
    }
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_undo(app->db, action, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_puts(&app->out.buf, "undone\n");
        return MEMO_OK;
    }
    cli_json_open(&app->out.buf, '{');
    cli_json_put_string(&app->out.buf, "undone", action);
    memo_buf_puts(&app->out.buf, "}\n");
    return MEMO_OK;
}

static void feedback_put_json(memo_buf *out, const memo_action *action)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "action", action->id);
    cli_json_put_string(out, "kind", memo_action_name(action->kind));
    cli_json_put_string(out, "id", action->record);
    cli_json_put_string(out, "other", action->other[0] ? action->other : NULL);
    cli_json_put_string(out, "search_id", action->search_id[0] ? action->search_id : NULL);
    cli_json_put_u64(out, "version", action->version);
    cli_json_key(out, "at");
    cli_json_date(out, action->at_ms);
    cli_json_key(out, "undone");
    cli_json_date(out, action->undone_ms);
    cli_json_put_string(out, "actor", action->actor);
    cli_json_put_string(out, "detail", action->detail);
    cli_json_close(out, '}');
}

static void feedback_put_text(cli_out *out, const memo_action *action)
{
    char date[CLI_DATE_BYTES];
    cli_date_format(action->at_ms, 0, date);
    memo_buf_printf(&out->buf, "%s  %s  %-11s %s", action->id, date, memo_action_name(action->kind),
                    action->record);
    if (action->other[0])
        memo_buf_printf(&out->buf, " %s", action->other);
    memo_buf_puts(&out->buf, action->undone_ms ? "  (undone)" : "");
    if (action->detail[0]) {
        memo_buf_puts(&out->buf, "  ");
        cli_put_line(&out->buf, action->detail, strlen(action->detail), 60);
    }
    memo_buf_putc(&out->buf, '\n');
}

/* What stands behind a list of n: where to go on, or that nothing is there. */
static void feedback_end_list(cli_app *app, size_t n, const char *next, const char *none)
{
    memo_buf *out = &app->out.buf;

    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_close(out, ']');
        cli_json_put_string(out, "next", next);
        memo_buf_puts(out, "}\n");
    }
    if (app->out.format == CLI_FORMAT_TEXT && next)
        cli_say("there are more: -k N, or --after %s", next);
    if (app->out.format == CLI_FORMAT_TEXT && n == 0)
        cli_say("%s", none);
}

static void feedback_put_list(cli_app *app, const memo_actions *actions)
{
    memo_buf *out = &app->out.buf;
    for (size_t i = 0; i < actions->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", actions->damaged[i]);
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "actions");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < actions->n; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            feedback_put_text(&app->out, &actions->actions[i]);
        else
            feedback_put_json(out, &actions->actions[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(out, '\n');
    }
    feedback_end_list(app, actions->n, actions->next, "no action");
}

static memo_status feedback_list(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const memo_action_query query = {
        .size = sizeof query,
        .ns = cli_app_ns(app),
        .search_id = args->n_words ? args->words[0] : NULL,
        .id = cli_args_text(args, OPT_ON_RECORD),
        .since_ms = (int64_t)cli_args_number(args, OPT_SINCE_DATE, 0),
        .until_ms = (int64_t)cli_args_number(args, OPT_UNTIL_DATE, 0),
        .limit = (size_t)cli_args_number(args, OPT_ACTION_LIMIT, 0),
        .after = cli_args_text(args, OPT_AFTER),
    };
    memo_actions *actions = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_actions(app->db, &query, &actions, err);
    if (status == MEMO_OK)
        feedback_put_list(app, actions);
    memo_actions_free(actions);
    return status;
}

/* ---- searches ------------------------------------------------------------------------------ */

static void feedback_put_shown_json(memo_buf *out, const memo_shown *shown)
{
    cli_json_open(out, '{');
    cli_json_put_u64(out, "position", shown->position);
    cli_json_put_string(out, "id", shown->id[0] ? shown->id : NULL);
    cli_json_key(out, "chunk");
    cli_json_i64(out, shown->chunk);
    cli_json_key(out, "score");
    cli_json_double(out, shown->score, 6);
    cli_json_key(out, "lanes");
    cli_json_open(out, '{');
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        if (!shown->lanes[lane].rank)
            continue;
        cli_json_key(out, memo_lane_name((memo_lane)lane));
        cli_json_open(out, '{');
        cli_json_put_u64(out, "rank", shown->lanes[lane].rank);
        cli_json_key(out, "score");
        cli_json_double(out, shown->lanes[lane].score, 6);
        cli_json_close(out, '}');
    }
    cli_json_close(out, '}');
    cli_json_close(out, '}');
}

static void feedback_put_search_json(memo_buf *out, const memo_search_event *event)
{
    static const char *const modes[] = {"hybrid", "dense", "lexical"};
    cli_json_open(out, '{');
    cli_json_put_string(out, "search_id", event->id);
    cli_json_key(out, "at");
    cli_json_date(out, event->at_ms);
    cli_json_put_string(out, "query", event->query);
    cli_json_put_string(out, "where", event->where);
    cli_json_put_string(out, "mode", (unsigned)event->mode < 3 ? modes[event->mode] : "unknown");
    cli_json_put_string(out, "query_class", event->query_class);
    cli_json_put_string(out, "actor", event->actor);
    cli_json_put_string(out, "surface", event->surface);
    cli_json_key(out, "shown");
    cli_json_open(out, '[');
    for (size_t i = 0; i < event->n_shown; i++)
        feedback_put_shown_json(out, &event->shown[i]);
    cli_json_close(out, ']');
    cli_json_key(out, "actions");
    cli_json_open(out, '[');
    for (size_t i = 0; i < event->n_actions; i++)
        feedback_put_json(out, &event->actions[i]);
    cli_json_close(out, ']');
    cli_json_close(out, '}');
}

/* One line a search; below it, where one was asked for, a line for each result and action. */
static void feedback_put_search_text(cli_out *out, const memo_search_event *event, int whole)
{
    char date[CLI_DATE_BYTES];
    cli_date_format(event->at_ms, 0, date);
    memo_buf_printf(&out->buf, "%s  %s  %zu shown", event->id, date, event->n_shown);
    if (event->n_actions)
        memo_buf_printf(&out->buf, ", %zu action%s", event->n_actions,
                        event->n_actions == 1 ? "" : "s");
    memo_buf_puts(&out->buf, "  ");
    cli_put_line(&out->buf, event->query, strlen(event->query), 60);
    memo_buf_putc(&out->buf, '\n');
    for (size_t i = 0; whole && i < event->n_shown; i++)
        memo_buf_printf(&out->buf, "  %-3zu %.4f  %s\n", event->shown[i].position,
                        event->shown[i].score,
                        event->shown[i].id[0] ? event->shown[i].id : "(damaged)");
    for (size_t i = 0; whole && i < event->n_actions; i++) {
        memo_buf_puts(&out->buf, "  ");
        feedback_put_text(out, &event->actions[i]);
    }
}

static void feedback_put_searches(cli_app *app, const memo_searches *searches)
{
    memo_buf *out = &app->out.buf;
    for (size_t i = 0; i < searches->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", searches->damaged[i]);
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "searches");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < searches->n; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            feedback_put_search_text(&app->out, &searches->searches[i], app->args.n_words > 0);
        else
            feedback_put_search_json(out, &searches->searches[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(out, '\n');
    }
    feedback_end_list(app, searches->n, searches->next, "no search is kept");
}

static memo_status feedback_searches(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const memo_searches_query query = {
        .size = sizeof query,
        .ns = cli_app_ns(app),
        .search_id = args->n_words ? args->words[0] : NULL,
        .id = cli_args_text(args, OPT_ON_RECORD),
        .since_ms = (int64_t)cli_args_number(args, OPT_SINCE_DATE, 0),
        .until_ms = (int64_t)cli_args_number(args, OPT_UNTIL_DATE, 0),
        .limit = (size_t)cli_args_number(args, OPT_ACTION_LIMIT, 0),
        .after = cli_args_text(args, OPT_AFTER),
    };
    memo_searches *searches = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_searches(app->db, &query, &searches, err);
    if (status == MEMO_OK)
        feedback_put_searches(app, searches);
    memo_searches_free(searches);
    return status;
}

memo_status cli_verb_feedback(cli_app *app, memo_err *err)
{
    const char *undo = cli_args_text(&app->args, OPT_UNDO);
    int list = cli_args_has(&app->args, OPT_LIST_ACTIONS), n_actions = 0;
    int searches = cli_args_has(&app->args, OPT_LIST_SEARCHES);
    for (size_t i = 0; i < FEEDBACK_N_OPTIONS; i++)
        n_actions += cli_args_has(&app->args, feedback_options[i].option);
    if ((undo != NULL) + list + searches + (n_actions > 0) != 1)
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_USAGE,
                      "feedback needs actions, or --undo ACTION, or --list or --searches"),
            "%s", app->args.verb->example);
    return undo       ? feedback_undo(app, undo, err)
           : list     ? feedback_list(app, err)
           : searches ? feedback_searches(app, err)
                      : feedback_do_all(app, err);
}
