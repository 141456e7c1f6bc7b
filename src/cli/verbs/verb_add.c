// SPDX-License-Identifier: Apache-2.0
/* add and edit: one record in, its id out. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { ADD_TEXT_BYTES = 64 << 20 }; /* of a file or of stdin, as in import */

static memo_write_options add_write_options(cli_app *app)
{
    return (memo_write_options){.size = sizeof(memo_write_options),
                                .ns = cli_app_ns(app),
                                .progress = cli_progress_call,
                                .progress_user = &app->progress};
}

static void add_put_result(cli_app *app, const memo_add_result *result)
{
    static const char *const outcomes[] = {"new", "changed", "unchanged"};
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s\n", result->id);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", result->id);
    cli_json_put_string(out, "outcome", outcomes[result->outcome]);
    cli_json_put_u64(out, "version", result->version);
    cli_json_put_u64(out, "chunks", result->n_chunks);
    cli_json_put_u64(out, "tokens", result->n_tokens);
    memo_buf_puts(out, "}\n");
}

/* The --meta pairs as an object in *out; nothing when there are none. */
static memo_status add_metadata(const cli_args *args, memo_buf *out, memo_err *err)
{
    const char **pairs = NULL;
    size_t n = 0;
    memo_status status = cli_args_list(args, OPT_META, &pairs, &n, err);
    if (status == MEMO_OK && n > 0)
        status = cli_meta_object(out, pairs, n, err);
    memo_free(pairs);
    return status;
}

/* ---- add ----------------------------------------------------------------------------------- */

/* The text from where the command line says: --file, stdin or the words. */
static memo_status add_text(cli_app *app, memo_buf *out, memo_err *err)
{
    const cli_args *args = &app->args;
    const char *path = cli_args_text(args, OPT_FILE);
    if (path && args->n_words > 0)
        return memo_fail(err, MEMO_ERR_USAGE, "--file and \"%s\" both give a text", args->words[0]);
    if (!path && args->n_words == 0)
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "add needs TEXT, --file FILE or -"),
                         "%s", args->verb->example);
    if (path) {
        char *text = NULL;
        size_t n_bytes = 0;
        memo_status status = memo_file_slurp(path, ADD_TEXT_BYTES, &text, &n_bytes, err);
        if (status == MEMO_OK)
            memo_buf_append(out, text, n_bytes);
        memo_free(text);
        return status;
    }
    if (args->n_words == 1 && strcmp(args->words[0], "-") == 0)
        return cli_app_read_stdin(app, ADD_TEXT_BYTES, out, err);
    cli_args_join(args, out);
    return out->failed ? memo_fail_nomem(err, "the text", out->n) : MEMO_OK;
}

static memo_status add_record(cli_app *app, const memo_buf *text, const memo_buf *metadata,
                              memo_err *err)
{
    const cli_args *args = &app->args;
    const char **tags = NULL;
    cli_chunk_spec chunk = {0};
    memo_record_in in = {
        .size = sizeof in,
        .key = cli_args_text(args, OPT_KEY),
        .text = {text->data ? text->data : "", text->n},
        .title = cli_args_text(args, OPT_TITLE),
        .metadata_json = metadata->data,
        .created_ms = (int64_t)cli_args_number(args, OPT_CREATED, 0),
        .expires_ms = (int64_t)cli_args_number(args, OPT_EXPIRES, 0),
        .source = cli_args_text(args, OPT_SOURCE),
    };
    memo_write_options options = add_write_options(app);
    memo_add_result result;
    if (cli_args_has(args, OPT_CHUNK))
        cli_chunk_read(cli_args_text(args, OPT_CHUNK), &chunk); /* checked with the arguments */
    in.chunking = chunk.chunking;
    in.chunk_tokens = chunk.tokens;
    in.chunk_overlap = chunk.overlap;
    const char *path = cli_args_text(args, OPT_FILE);
    /* A path is bytes, a source is text: where the two differ the record has none. */
    if (!in.source && path && memo_utf8_check(path, strlen(path)) == strlen(path))
        in.source = path;
    memo_status status = cli_args_list(args, OPT_TAG, &tags, &in.n_tags, err);
    in.tags = tags;
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_CREATE, err);
    if (status == MEMO_OK)
        status = memo_db_add(app->db, &options, &in, 1, &result, err);
    if (status == MEMO_OK)
        add_put_result(app, &result);
    memo_free(tags);
    return status;
}

memo_status cli_verb_add(cli_app *app, memo_err *err)
{
    memo_buf text = {0}, metadata = {0};
    memo_status status = add_text(app, &text, err);
    if (status == MEMO_OK)
        status = add_metadata(&app->args, &metadata, err);
    if (status == MEMO_OK)
        status = add_record(app, &text, &metadata, err);
    memo_buf_fini(&metadata);
    memo_buf_fini(&text);
    return status;
}

/* ---- edit ---------------------------------------------------------------------------------- */

static memo_status edit_record(cli_app *app, const memo_buf *text, const memo_buf *metadata,
                               memo_err *err)
{
    const cli_args *args = &app->args;
    const char **tags = NULL;
    memo_text new_text = {text->data, text->n};
    int64_t expires = (int64_t)cli_args_number(args, OPT_EXPIRES, 0);
    memo_record_edit edit = {
        .size = sizeof edit,
        .text = cli_args_has(args, OPT_TEXT) ? &new_text : NULL,
        .title = cli_args_text(args, OPT_TITLE),
        .metadata_json = metadata->data,
        .set_tags = cli_args_has(args, OPT_TAG) || cli_args_has(args, OPT_CLEAR_TAGS),
        .expires_ms = cli_args_has(args, OPT_EXPIRES) ? &expires : NULL,
    };
    memo_write_options options = add_write_options(app);
    memo_add_result result;
    memo_status status = cli_args_list(args, OPT_TAG, &tags, &edit.n_tags, err);
    edit.tags = tags;
    if (status == MEMO_OK && !edit.text && !edit.title && !edit.metadata_json && !edit.set_tags &&
        !edit.expires_ms)
        status = memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "edit needs something to change"),
                           "%s", args->verb->example);
    if (status == MEMO_OK && cli_args_has(args, OPT_TAG) && cli_args_has(args, OPT_CLEAR_TAGS))
        status = memo_fail(err, MEMO_ERR_USAGE, "--tag and --clear-tags contradict each other");
    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_edit(app->db, &options, args->words[0], &edit, &result, err);
    if (status == MEMO_OK)
        add_put_result(app, &result);
    memo_free(tags);
    return status;
}

memo_status cli_verb_edit(cli_app *app, memo_err *err)
{
    const char *given = cli_args_text(&app->args, OPT_TEXT);
    memo_buf text = {0}, metadata = {0};
    memo_status status = MEMO_OK;
    if (given && strcmp(given, "-") == 0)
        status = cli_app_read_stdin(app, ADD_TEXT_BYTES, &text, err);
    else
        memo_buf_puts(&text, given ? given : "");
    if (status == MEMO_OK)
        status = add_metadata(&app->args, &metadata, err);
    if (status == MEMO_OK)
        status = edit_record(app, &text, &metadata, err);
    memo_buf_fini(&metadata);
    memo_buf_fini(&text);
    return status;
}
