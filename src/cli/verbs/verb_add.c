// SPDX-License-Identifier: Apache-2.0
/* add and edit: one record in, its id out. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ready_vector.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { ADD_TEXT_BYTES = 64 << 20 }; /* of a file or of stdin, as in import */

static memo_write_options add_write_options(cli_app *app)
{
    return (memo_write_options){.size = sizeof(memo_write_options),
                                .ns = cli_app_ns(app),
                                .progress = cli_progress_call,
                                .progress_user = &app->progress,
                                .links = cli_links_mode(&app->args),
                                .actor = cli_args_text(&app->args, OPT_ACTOR)};
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

/* What the options say of trust, pin and tier; a mark that is not named is NULL. */
typedef struct add_marks {
    int trust, pinned, tier;
    const int *trust_given, *pinned_given, *tier_given;
} add_marks;

static void add_read_marks(const cli_args *args, add_marks *marks)
{
    static const int trusts[] = {0, 1, -1}, pins[] = {1, 0}, tiers[] = {2, 0, 1};
    marks->trust = trusts[cli_args_number(args, OPT_TRUST, 0)];
    marks->pinned = pins[cli_args_number(args, OPT_PIN, 1)];
    marks->tier = tiers[cli_args_number(args, OPT_TIER, 0)];
    marks->trust_given = cli_args_has(args, OPT_TRUST) ? &marks->trust : NULL;
    marks->pinned_given = cli_args_has(args, OPT_PIN) ? &marks->pinned : NULL;
    marks->tier_given = cli_args_has(args, OPT_TIER) ? &marks->tier : NULL;
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

/* --vector, read; nothing when there is none. */
static memo_status add_vector(const cli_app *app, cli_vector *vector, const memo_vector **vectors,
                              size_t *n_vectors, memo_err *err)
{
    const char *given = cli_args_text(&app->args, OPT_VECTOR);
    memo_status status;

    if (!given != !cli_args_has(&app->args, OPT_SPACE))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--vector gives a vector, --space says what made it: both are needed");
    if (!given)
        return MEMO_OK;
    status = cli_vector_read(given, vector, err);
    *vectors = &vector->vector;
    *n_vectors = 1;
    return status;
}

static memo_status add_record(cli_app *app, const memo_buf *text, const memo_buf *metadata,
                              memo_err *err)
{
    const cli_args *args = &app->args;
    const char **tags = NULL;
    cli_vector vector = {.values = NULL};
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
    memo_add_result result = {.size = sizeof result};
    add_marks marks;
    add_read_marks(args, &marks);
    in.trust = marks.trust_given;
    in.pinned = marks.pinned_given;
    in.tier = marks.tier_given;
    in.parent = cli_args_text(args, OPT_PARENT);
    in.supersedes = cli_args_text(args, OPT_SUPERSEDES);
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
        status = add_vector(app, &vector, &in.vectors, &in.n_vectors, err);
    if (status == MEMO_OK)
        status = cli_app_embedder(app, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_CREATE, err);
    if (status == MEMO_OK)
        status = memo_db_add(app->db, &options, &in, 1, &result, err);
    if (status == MEMO_OK)
        add_put_result(app, &result);
    cli_vector_fini(&vector);
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

static int edit_is_empty(const memo_record_edit *e)
{
    return !e->text && !e->title && !e->metadata_json && !e->set_tags && !e->expires_ms &&
           !e->trust && !e->pinned && !e->tier && !e->source && !e->parent && !e->supersedes &&
           !e->n_vectors;
}

static memo_status edit_record(cli_app *app, const memo_buf *text, const memo_buf *metadata,
                               memo_err *err)
{
    const cli_args *args = &app->args;
    const char **tags = NULL;
    memo_text new_text = {text->data, text->n};
    int64_t expires = (int64_t)cli_args_number(args, OPT_EXPIRES, 0);
    memo_record_edit edit = {
        .size = sizeof edit,
        .text = cli_args_has(args, OPT_TEXT) || args->n_words > 1 ? &new_text : NULL,
        .title = cli_args_text(args, OPT_TITLE),
        .metadata_json = metadata->data,
        .set_tags = cli_args_has(args, OPT_TAG) || cli_args_has(args, OPT_CLEAR_TAGS),
        .expires_ms = cli_args_has(args, OPT_EXPIRES) ? &expires : NULL,
        .source = cli_args_text(args, OPT_SOURCE),
        .parent = cli_args_text(args, OPT_PARENT),
        .supersedes = cli_args_text(args, OPT_SUPERSEDES),
    };
    memo_write_options options = add_write_options(app);
    memo_add_result result = {.size = sizeof result};
    add_marks marks;
    cli_vector vector = {.values = NULL};
    memo_status status = cli_args_list(args, OPT_TAG, &tags, &edit.n_tags, err);
    edit.tags = tags;
    add_read_marks(args, &marks);
    edit.trust = marks.trust_given;
    edit.pinned = marks.pinned_given;
    edit.tier = marks.tier_given;
    if (status == MEMO_OK)
        status = add_vector(app, &vector, &edit.vectors, &edit.n_vectors, err);
    if (status == MEMO_OK && edit_is_empty(&edit))
        status = memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "edit needs something to change"),
                           "%s", args->verb->example);
    if (status == MEMO_OK && cli_args_has(args, OPT_TAG) && cli_args_has(args, OPT_CLEAR_TAGS))
        status = memo_fail(err, MEMO_ERR_USAGE, "--tag and --clear-tags contradict each other");
    if (status == MEMO_OK)
        status = cli_app_store_exists(app, err);
    if (status == MEMO_OK &&
        (edit.text || edit.title || edit.n_vectors)) /* else no vector changes */
        status = cli_app_embedder(app, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_edit(app->db, &options, args->words[0], &edit, &result, err);
    if (status == MEMO_OK)
        add_put_result(app, &result);
    cli_vector_fini(&vector);
    memo_free(tags);
    return status;
}

memo_status cli_verb_edit(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    const char *given = cli_args_text(args, OPT_TEXT);
    memo_buf text = {0}, metadata = {0};
    memo_status status = MEMO_OK;
    if (given && args->n_words > 1)
        return memo_fail(err, MEMO_ERR_USAGE, "--text and \"%.64s\" both give a text",
                         args->words[1]);
    if (args->n_words == 2)
        given = args->words[1];
    for (size_t i = 1; args->n_words > 2 && i < args->n_words; i++)
        memo_buf_printf(&text, "%s%s", i > 1 ? " " : "", args->words[i]);
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
