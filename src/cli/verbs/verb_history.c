// SPDX-License-Identifier: Apache-2.0
/* history, restore and changes: what was, brought back, and what happened since. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { CHANGES_PAGE = 500 };

/* ---- what a version changed ---------------------------------------------------------------- */

/* The next line of a text; 0 at its end. */
static int diff_next(memo_text *rest, memo_text *line)
{
    const char *end;
    if (rest->n_bytes == 0)
        return 0;
    end = memchr(rest->bytes, '\n', rest->n_bytes);
    line->bytes = rest->bytes;
    line->n_bytes = end ? (size_t)(end - rest->bytes) : rest->n_bytes;
    rest->bytes += line->n_bytes + (end != NULL);
    rest->n_bytes -= line->n_bytes + (end != NULL);
    return 1;
}

static int diff_same(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

static void diff_put(cli_out *out, char mark, memo_text line)
{
    memo_buf_printf(&out->buf, "  %c ", mark);
    cli_put_line(&out->buf, line.bytes, line.n_bytes, SIZE_MAX);
    memo_buf_putc(&out->buf, '\n');
}

static void diff_put_rest(cli_out *out, char mark, memo_text rest)
{
    memo_text line;
    while (diff_next(&rest, &line))
        diff_put(out, mark, line);
}

/* The last line of a text that is not empty, and what stands before it. */
static void diff_last(memo_text *rest, memo_text *line)
{
    size_t n = rest->n_bytes - (rest->bytes[rest->n_bytes - 1] == '\n'), at = n;
    while (at > 0 && rest->bytes[at - 1] != '\n')
        at--;
    *line = (memo_text){rest->bytes + at, n - at};
    rest->n_bytes = at;
}

/* Lines that both begin with and lines that both end with are left out: what stands between is shown
 * as gone and come. */
static void diff_texts(cli_out *out, memo_text old, memo_text now)
{
    memo_text a = old, b = now, line_a, line_b;
    while (diff_next(&a, &line_a) && diff_next(&b, &line_b) && diff_same(line_a, line_b)) {
        old = a;
        now = b;
    }
    a = old;
    b = now;
    while (a.n_bytes && b.n_bytes) {
        diff_last(&a, &line_a);
        diff_last(&b, &line_b);
        if (!diff_same(line_a, line_b))
            break;
        old = a;
        now = b;
    }
    diff_put_rest(out, '-', old);
    diff_put_rest(out, '+', now);
}

static void diff_field(cli_out *out, const char *name, const char *old, const char *now)
{
    if (strcmp(old, now) == 0)
        return;
    memo_buf_printf(&out->buf, "  %s: ", name);
    cli_put_line(&out->buf, old[0] ? old : "(none)", strlen(old[0] ? old : "(none)"), 200);
    memo_buf_puts(&out->buf, " -> ");
    cli_put_line(&out->buf, now[0] ? now : "(none)", strlen(now[0] ? now : "(none)"), 200);
    memo_buf_putc(&out->buf, '\n');
}

static void diff_join_tags(memo_buf *out, const memo_record *record)
{
    memo_buf_clear(out);
    for (size_t i = 0; i < record->n_tags; i++)
        memo_buf_printf(out, "%s%s", i ? " " : "", record->tags[i]);
}

static void diff_put_versions(cli_out *out, const memo_record *old, const memo_record *now)
{
    memo_buf before = {0}, after = {0};
    char dates[2][CLI_DATE_BYTES] = {"", ""};
    diff_join_tags(&before, old);
    diff_join_tags(&after, now);
    if (old->expires_ms)
        cli_date_format(old->expires_ms, 1, dates[0]);
    if (now->expires_ms)
        cli_date_format(now->expires_ms, 1, dates[1]);
    diff_field(out, "title", old->title, now->title);
    diff_field(out, "tags", before.data ? before.data : "", after.data ? after.data : "");
    diff_field(out, "metadata", old->metadata_json, now->metadata_json);
    diff_field(out, "source", old->source, now->source);
    diff_field(out, "expires", dates[0], dates[1]);
    diff_field(out, "trust", cli_trust_name(old->trust), cli_trust_name(now->trust));
    diff_field(out, "pinned", old->pinned ? "yes" : "no", now->pinned ? "yes" : "no");
    diff_field(out, "tier", cli_tier_name(old->tier), cli_tier_name(now->tier));
    if (!diff_same(old->text, now->text))
        diff_texts(out, old->text, now->text);
    memo_buf_fini(&before);
    memo_buf_fini(&after);
}

/* ---- history ------------------------------------------------------------------------------- */

/* "version 3  2025-06-15T...  source: text ..." */
static void history_put_line(cli_out *out, const memo_record *r)
{
    char date[CLI_DATE_BYTES];
    size_t used;
    cli_date_format(r->updated_ms, 1, date);
    memo_buf_printf(&out->buf, "version %-4" PRIu64 " ", r->version);
    cli_put_style(out, CLI_DIM);
    memo_buf_printf(&out->buf, "%s", date);
    cli_put_style(out, CLI_PLAIN);
    memo_buf_puts(&out->buf, "  ");
    used = 13 + strlen(date) + 2;
    if (r->source[0]) {
        used += cli_put_line(&out->buf, r->source, strlen(r->source), out->width / 4) + 2;
        memo_buf_puts(&out->buf, ": ");
    }
    cli_put_line(&out->buf, r->text.bytes, r->text.n_bytes,
                 out->width > used + 10 ? out->width - used : 10);
    memo_buf_putc(&out->buf, '\n');
}

/* The last of a page has nothing to be compared with, unless it is the first version. */
static void history_put_text(cli_app *app, const memo_records *v)
{
    int diff = cli_args_has(&app->args, OPT_DIFF);
    for (size_t i = 0; i < v->n; i++) {
        history_put_line(&app->out, &v->records[i]);
        if (diff && i + 1 < v->n)
            diff_put_versions(&app->out, &v->records[i + 1], &v->records[i]);
    }
    if (v->n && v->records[v->n - 1].version > 1 && v->n_damaged == 0)
        cli_say("there are earlier ones: --before %" PRIu64, v->records[v->n - 1].version);
}

static void history_put_json(cli_app *app, const memo_records *v)
{
    memo_buf *out = &app->out.buf;
    int one_object = app->out.format == CLI_FORMAT_JSON;
    if (one_object) {
        cli_json_open(out, '{');
        cli_json_key(out, "versions");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < v->n; i++) {
        cli_record_json(out, &v->records[i]);
        if (!one_object)
            memo_buf_putc(out, '\n');
    }
    if (one_object) {
        cli_json_close(out, ']');
        memo_buf_puts(out, "}\n");
    }
}

memo_status cli_verb_history(cli_app *app, memo_err *err)
{
    const memo_history_options options = {.size = sizeof options,
                                          .ns = cli_app_ns(app),
                                          .limit =
                                              (size_t)cli_args_number(&app->args, OPT_VERSIONS, 0),
                                          .before = cli_args_number(&app->args, OPT_BEFORE, 0)};
    memo_records *versions = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_history(app->db, &options, app->args.words[0], &versions, err);
    if (status)
        return status;
    for (size_t i = 0; i < versions->n_damaged; i++)
        cli_warn("record %s is damaged and left out", versions->damaged[i]);
    if (app->out.format == CLI_FORMAT_TEXT)
        history_put_text(app, versions);
    else
        history_put_json(app, versions);
    memo_records_free(versions);
    return MEMO_OK;
}

/* ---- restore ------------------------------------------------------------------------------- */

/* Words that are the same need no model: one that is not there is told only when it is needed. */
static memo_status restore_model(cli_app *app, memo_err *err)
{
    memo_err absent = {0};
    memo_status status = cli_app_model(app, NULL, &absent);
    if (status == MEMO_ERR_NOTFOUND && app->settings.values[OPT_MODEL].origin == CLI_FROM_DEFAULT)
        return MEMO_OK;
    if (status && err)
        *err = absent;
    return status;
}

memo_status cli_verb_restore(cli_app *app, memo_err *err)
{
    const memo_write_options options = {.size = sizeof options,
                                        .ns = cli_app_ns(app),
                                        .progress = cli_progress_call,
                                        .progress_user = &app->progress};
    memo_add_result result = {.size = sizeof result};
    memo_buf *out = &app->out.buf;
    memo_status status;
    if (!cli_args_has(&app->args, OPT_VERSION)) {
        memo_fail(err, MEMO_ERR_USAGE, "restore needs --version N");
        return memo_hint(err, MEMO_ERR_USAGE, "memolith history %s   shows the versions",
                         app->args.words[0]);
    }
    status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = restore_model(app, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_restore(app->db, &options, app->args.words[0],
                                 cli_args_number(&app->args, OPT_VERSION, 0), &result, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out,
                        result.outcome == MEMO_OUTCOME_UNCHANGED
                            ? "it is like that already (version %" PRIu64 ")\n"
                            : "version %" PRIu64 "\n",
                        result.version);
        return MEMO_OK;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", result.id);
    cli_json_put_string(out, "outcome",
                        result.outcome == MEMO_OUTCOME_UNCHANGED ? "unchanged" : "changed");
    cli_json_put_u64(out, "version", result.version);
    memo_buf_puts(out, "}\n");
    return MEMO_OK;
}

/* ---- changes ------------------------------------------------------------------------------- */

static void changes_put_line(cli_out *out, const memo_change *c)
{
    size_t used = strlen(c->ns) + 50;
    memo_buf_printf(&out->buf, "%-6" PRIu64 " %-9s %s %s", c->seq, memo_change_kind_name(c->kind),
                    c->ns[0] ? c->ns : "-", c->id);
    if (c->record) {
        memo_buf_puts(&out->buf, "  ");
        cli_put_line(&out->buf, c->record->text.bytes, c->record->text.n_bytes,
                     out->width > used + 10 ? out->width - used : 10);
    }
    memo_buf_putc(&out->buf, '\n');
}

static void changes_put_json(memo_buf *out, const memo_change *c)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "change", memo_change_kind_name(c->kind));
    cli_json_put_u64(out, "seq", c->seq);
    cli_json_put_string(out, "ns", c->ns);
    cli_json_put_string(out, "id", c->id);
    cli_json_put_string(out, "key", c->key);
    cli_json_key(out, "at");
    cli_json_date(out, c->at_ms);
    if (c->kind == MEMO_CHANGE_FORGOTTEN) {
        cli_json_key(out, "shredded");
        cli_json_bool(out, c->shredded);
    }
    if (c->kind == MEMO_CHANGE_RECORD) {
        cli_json_key(out, "record"); /* null: it is damaged */
        if (c->record)
            cli_record_json(out, c->record);
        else
            cli_json_raw(out, NULL);
    }
    cli_json_close(out, '}');
}

static memo_status changes_put_page(cli_app *app, const memo_changes *page, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < page->n && status == MEMO_OK; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            changes_put_line(&app->out, &page->changes[i]);
        else
            changes_put_json(&app->out.buf, &page->changes[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(&app->out.buf, '\n');
        if (app->out.format != CLI_FORMAT_JSON)
            status = cli_out_drain(&app->out, err);
    }
    if (page->n_damaged)
        cli_warn("%zu of these changes are of damaged rows; memolith doctor says more",
                 page->n_damaged);
    return status;
}

static void changes_put_next(cli_app *app, const char *next)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        cli_say("next: --since %s", next);
        return;
    }
    if (app->out.format == CLI_FORMAT_JSON)
        cli_json_close(out, ']');
    else
        cli_json_open(out, '{');
    cli_json_put_string(out, "next", next);
    memo_buf_puts(out, "}\n");
}

/* The cursor of --since, also as the last line of -o ndjson has it: {"next":"..."}; *line owns it. */
static memo_status changes_since(const cli_app *app, const char **since, json_t **line,
                                 memo_err *err)
{
    memo_status status;
    *since = cli_args_text(&app->args, OPT_SINCE);
    if (!*since || (*since)[0] != '{')
        return MEMO_OK;
    status = memo_json_parse(*since, strlen(*since), &memo_json_loose_limits, "--since", line, err);
    if (status)
        return status;
    *since = json_string_value(json_object_get(*line, "next"));
    return *since
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_VALUE, "--since: the line has no \"next\" with a cursor");
}

/* Pages until all, or as many as wanted, are shown. */
static memo_status changes_pages(cli_app *app, const char *since, memo_err *err)
{
    uint64_t wanted = cli_args_number(&app->args, OPT_CHANGES_LIMIT, UINT64_MAX), n_shown = 0;
    memo_changes_options options = {.size = sizeof options, .since = since, .ns = cli_app_ns(app)};
    memo_changes *page = NULL, *last = NULL;
    memo_status status;
    do {
        options.limit = (size_t)(wanted - n_shown < CHANGES_PAGE ? wanted - n_shown : CHANGES_PAGE);
        status = memo_db_changes(app->db, &options, &page, err);
        memo_changes_free(last); /* it held options.since */
        last = status == MEMO_OK ? page : NULL;
        if (!last)
            return status;
        options.since = last->next;
        n_shown += last->n;
        status = changes_put_page(app, last, err);
    } while (status == MEMO_OK && last->more && n_shown < wanted);
    if (status == MEMO_OK)
        changes_put_next(app, options.since);
    memo_changes_free(last);
    return status;
}

memo_status cli_verb_changes(cli_app *app, memo_err *err)
{
    const char *since;
    json_t *line = NULL;
    memo_status status = changes_since(app, &since, &line, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status) {
        json_decref(line);
        return status;
    }
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(&app->out.buf, '{');
        cli_json_key(&app->out.buf, "changes");
        cli_json_open(&app->out.buf, '[');
    }
    status = changes_pages(app, since, err);
    json_decref(line);
    return status;
}
