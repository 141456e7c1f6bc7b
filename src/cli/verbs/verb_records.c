// SPDX-License-Identifier: Apache-2.0
/* get and list: whole records. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { LIST_DEFAULT = 20, LIST_PAGE = 1000 };

static void records_warn_damaged(cli_app *app, const memo_records *records)
{
    for (size_t i = 0; i < records->n_damaged; i++)
        cli_warn("%s is damaged and left out", records->damaged[i]);
    if (records->n_damaged > 0 && app->out.format == CLI_FORMAT_TEXT)
        cli_warn("memolith doctor says more");
}

/* ---- get ----------------------------------------------------------------------------------- */

static void get_put_field(cli_out *out, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    cli_put_style(out, CLI_DIM);
    memo_buf_printf(&out->buf, "%-9s", name);
    cli_put_style(out, CLI_PLAIN);
    cli_put_line(&out->buf, value, strlen(value), SIZE_MAX);
    memo_buf_putc(&out->buf, '\n');
}

static void get_put_date(cli_out *out, const char *name, int64_t unix_ms)
{
    char text[CLI_DATE_BYTES] = "";
    if (unix_ms != 0)
        cli_date_format(unix_ms, 1, text);
    get_put_field(out, name, text);
}

/* Fields, an empty line, the text as it is. On a terminal its control characters are not sent. */
static void get_put_text(cli_out *out, const memo_record *record, memo_db *db)
{
    memo_buf tags = {0};
    for (size_t i = 0; i < record->n_tags; i++)
        memo_buf_printf(&tags, "%s%s", i ? " " : "", record->tags[i]);
    get_put_field(out, "id", record->id);
    get_put_field(out, "key", record->key);
    get_put_field(out, "title", record->title);
    get_put_field(out, "tags", tags.data);
    if (strcmp(record->metadata_json, "{}") != 0)
        get_put_field(out, "metadata", record->metadata_json);
    get_put_field(out, "source", record->source);
    get_put_date(out, "created", record->created_ms);
    if (record->updated_ms != record->created_ms)
        get_put_date(out, "updated", record->updated_ms);
    get_put_date(out, "expires", record->expires_ms);
    get_put_field(out, "trust", record->trust ? cli_trust_name(record->trust) : "");
    get_put_field(out, "pinned", record->pinned ? "yes" : "");
    get_put_field(out, "tier", record->tier != 2 ? cli_tier_name(record->tier) : "");
    get_put_field(out, "part of", record->parent);
    get_put_field(out, "replaces", record->supersedes);
    get_put_field(out, "replaced", record->superseded_by);
    cli_links_text(&out->buf, db, record->ns, record->id, 0);
    memo_buf_putc(&out->buf, '\n');
    memo_buf_fini(&tags);
    for (size_t i = 0; i < record->text.n_bytes; i++) {
        char c = record->text.bytes[i];
        int control = ((unsigned char)c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        memo_buf_putc(&out->buf, out->is_terminal && control ? ' ' : c);
    }
    memo_buf_putc(&out->buf, '\n');
}

memo_status cli_verb_get(cli_app *app, memo_err *err)
{
    memo_records *records = NULL;
    const char *id = app->args.words[0], *ns = cli_app_ns(app);
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK && cli_args_has(&app->args, OPT_AS_OF))
        status = memo_db_get_as_of(
            app->db, ns, id, (int64_t)cli_args_number(&app->args, OPT_AS_OF, 0), &records, err);
    else if (status == MEMO_OK)
        status = memo_db_get(app->db, ns, id, &records, err);
    if (status == MEMO_OK)
        records_warn_damaged(app, records);
    if (status == MEMO_OK && app->out.format == CLI_FORMAT_TEXT) {
        get_put_text(&app->out, &records->records[0], app->db);
    } else if (status == MEMO_OK) {
        cli_record_json_linked(&app->out.buf, &records->records[0], app->db);
        memo_buf_putc(&app->out.buf, '\n');
    }
    memo_records_free(records);
    return status;
}

/* ---- list ---------------------------------------------------------------------------------- */

/* "ID  2025-03-14  title: text ..." to the width of the terminal. */
static void list_put_line(cli_out *out, const memo_record *record)
{
    char date[CLI_DATE_BYTES];
    size_t used = strlen(record->id) + 2 + 10 + 2;
    cli_date_format(record->created_ms, 0, date);
    memo_buf_printf(&out->buf, "%s  ", record->id);
    cli_put_style(out, CLI_DIM);
    memo_buf_printf(&out->buf, "%s", date);
    cli_put_style(out, CLI_PLAIN);
    memo_buf_puts(&out->buf, "  ");
    if (record->title[0]) {
        cli_put_style(out, CLI_BOLD);
        used += cli_put_line(&out->buf, record->title, strlen(record->title), out->width / 3);
        cli_put_style(out, CLI_PLAIN);
        memo_buf_puts(&out->buf, ": ");
        used += 2;
    }
    cli_put_line(&out->buf, record->text.bytes, record->text.n_bytes,
                 out->width > used + 10 ? out->width - used : 10);
    memo_buf_putc(&out->buf, '\n');
}

static memo_status list_put_page(cli_app *app, const memo_records *records, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < records->n && status == MEMO_OK; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            list_put_line(&app->out, &records->records[i]);
        else
            cli_record_json(&app->out.buf, &records->records[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(&app->out.buf, '\n');
        if (app->out.format != CLI_FORMAT_JSON) /* one JSON object leaves when it is whole */
            status = cli_out_drain(&app->out, err);
    }
    return status;
}

/* Pages until `wanted` records are shown; json ends with the cursor for the next list. */
static memo_status list_pages(cli_app *app, uint64_t wanted, uint64_t *n_shown, memo_err *err)
{
    memo_records *records = NULL, *page = NULL;
    memo_list_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .where = cli_args_text(&app->args, OPT_WHERE),
        .after = cli_args_text(&app->args, OPT_AFTER),
        .oldest_first = cli_args_has(&app->args, OPT_OLDEST_FIRST),
        .as_of_ms = (int64_t)cli_args_number(&app->args, OPT_AS_OF, 0),
    };
    memo_status status = MEMO_OK;
    do {
        options.limit = (size_t)(wanted - *n_shown < LIST_PAGE ? wanted - *n_shown : LIST_PAGE);
        status = memo_db_list(app->db, &options, &page, err);
        memo_records_free(records); /* it held options.after */
        records = status == MEMO_OK ? page : NULL;
        if (!records)
            break;
        options.after = records->next;
        *n_shown += records->n;
        records_warn_damaged(app, records);
        status = list_put_page(app, records, err);
    } while (status == MEMO_OK && *n_shown < wanted && options.after);
    if (status == MEMO_OK && app->out.format == CLI_FORMAT_JSON) {
        cli_json_close(&app->out.buf, ']');
        cli_json_put_string(&app->out.buf, "next", options.after);
    }
    if (status == MEMO_OK && app->out.format == CLI_FORMAT_TEXT && options.after)
        cli_say("there are more: -k N, or --after %s", options.after);
    memo_records_free(records);
    return status;
}

memo_status cli_verb_list(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    uint64_t n_shown = 0, wanted = cli_args_number(&app->args, OPT_LIST_LIMIT, LIST_DEFAULT);
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "records");
        cli_json_open(out, '[');
    }
    status = list_pages(app, wanted, &n_shown, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_JSON)
        memo_buf_puts(out, "}\n");
    if (app->out.format == CLI_FORMAT_TEXT && n_shown == 0)
        cli_say("no record%s", cli_args_has(&app->args, OPT_WHERE) ? " matches the filter" : "");
    return MEMO_OK;
}
