// SPDX-License-Identifier: Apache-2.0
/* context: what is relevant to a question, packed for a prompt. */
#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/verbs/verbs.h"

static void context_put_passages(memo_buf *out, const memo_context *c)
{
    cli_json_key(out, "passages");
    cli_json_open(out, '[');
    for (size_t i = 0; i < c->n_passages; i++) {
        const memo_passage *p = &c->passages[i];
        cli_json_open(out, '{');
        cli_json_put_string(out, "id", p->id);
        cli_json_put_string(out, "key", p->key);
        cli_json_put_u64(out, "begin", p->begin);
        cli_json_put_u64(out, "end", p->end);
        cli_json_put_u64(out, "chunks", p->n_chunks);
        cli_json_put_u64(out, "rank", p->rank);
        cli_json_put_double(out, "score", p->score);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

static void context_put_left_out(memo_buf *out, const memo_context *c)
{
    cli_json_key(out, "left_out");
    cli_json_open(out, '[');
    for (size_t i = 0; i < c->n_left_out; i++) {
        const memo_left_out *l = &c->left_out[i];
        cli_json_open(out, '{');
        cli_json_put_string(out, "id", l->id);
        cli_json_put_u64(out, "chunk", l->chunk);
        cli_json_put_u64(out, "rank", l->rank);
        cli_json_put_u64(out, "tokens", l->n_tokens);
        cli_json_put_string(out, "why", l->why == MEMO_LEFT_DUPLICATE ? "duplicate" : "budget");
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

static void context_put_json(memo_buf *out, const memo_context *c, size_t budget)
{
    cli_json_open(out, '{');
    cli_json_key(out, "text");
    cli_json_bytes(out, c->text, c->n_bytes);
    cli_json_put_u64(out, "tokens", c->n_tokens);
    cli_json_put_u64(out, "budget", budget);
    context_put_passages(out, c);
    context_put_left_out(out, c);
    cli_json_key(out, "partial");
    cli_json_bool(out, c->partial);
    cli_json_put_u64(out, "damaged", c->n_damaged);
    cli_json_key(out, "search_ms");
    cli_json_double(out, c->search_ms, 4);
    cli_json_key(out, "total_ms");
    cli_json_double(out, c->total_ms, 4);
    cli_json_put_string(out, "search_id", c->search_id[0] ? c->search_id : NULL);
    memo_buf_puts(out, "}\n");
}

/* What is shown comes from anywhere and goes on to a terminal or a model: control characters, those of
 * C1 too (U+0080 to U+009F), become spaces. */
static void context_put_clean(memo_buf *out, const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        int is_c1 = c == 0xC2 && i + 1 < n_bytes && (unsigned char)text[i + 1] < 0xA0;
        int is_c0 = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        i += (size_t)is_c1;
        memo_buf_putc(out, is_c0 || is_c1 ? ' ' : (char)c);
    }
}

static void context_put_text(cli_app *app, const memo_context *c, size_t budget)
{
    size_t n_duplicates = 0;
    context_put_clean(&app->out.buf, c->text, c->n_bytes);
    if (c->n_bytes && c->text[c->n_bytes - 1] != '\n')
        memo_buf_putc(&app->out.buf, '\n');
    for (size_t i = 0; i < c->n_left_out; i++)
        n_duplicates += c->left_out[i].why == MEMO_LEFT_DUPLICATE;
    cli_say(
        "%zu of %zu tokens, %zu passages; left out: %zu chunks that do not fit, %zu that repeat "
        "others",
        c->n_tokens, budget, c->n_passages, c->n_left_out - n_duplicates, n_duplicates);
}

static memo_status context_open(cli_app *app, memo_model **tokenizer, memo_err *err)
{
    const char *path = cli_args_text(&app->args, OPT_TOKENIZER);
    int lexical = cli_args_number(&app->args, OPT_MODE, MEMO_SEARCH_HYBRID) == MEMO_SEARCH_LEXICAL;
    memo_status status = cli_app_store_exists(app, err);
    if (status == MEMO_OK && !(lexical && path)) /* words need no vectors */
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_search_store(app, err);
    if (status == MEMO_OK && path) {
        const memo_model_options options = cli_app_model_options(app);
        status = cli_app_model_there(app, path, err);
        if (status == MEMO_OK)
            status = memo_model_open(app->ctx, path, &options, tokenizer, err);
    }
    return status;
}

memo_status cli_verb_context(cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    memo_context_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .budget_tokens = (size_t)cli_args_number(args, OPT_BUDGET, 0),
        /* the words of --format and --mode stand in the order of their types */
        .format = (memo_context_format)cli_args_number(args, OPT_FORMAT_CONTEXT, MEMO_CONTEXT_MD),
        .mode = (memo_search_mode)cli_args_number(args, OPT_MODE, MEMO_SEARCH_HYBRID),
        .where = cli_args_text(args, OPT_WHERE),
        .as_of_ms = (int64_t)cli_args_number(args, OPT_AS_OF, 0),
        .actor = cli_args_text(args, OPT_ACTOR),
        .surface = cli_args_text(args, OPT_SURFACE),
        .no_log = cli_args_has(args, OPT_NO_LOG)};
    memo_model *tokenizer = NULL;
    memo_context *context = NULL;
    memo_buf query = {0};
    memo_status status;
    if (!options.budget_tokens)
        return memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "context needs --budget N"), "%s",
                         args->verb->example);
    status = context_open(app, &tokenizer, err);
    options.tokenizer = tokenizer;
    cli_args_join(args, &query);
    if (status == MEMO_OK && query.failed)
        status = memo_fail_nomem(err, "the query", query.n);
    if (status == MEMO_OK)
        status =
            memo_db_context(app->db, (memo_text){query.data, query.n}, &options, &context, err);
    if (status == MEMO_OK) {
        if (app->out.format == CLI_FORMAT_TEXT)
            context_put_text(app, context, options.budget_tokens);
        else
            context_put_json(&app->out.buf, context, options.budget_tokens);
        if (context->n_damaged)
            cli_warn("%zu damaged rows are left out", context->n_damaged);
    }
    memo_context_free(context);
    memo_model_close(tokenizer);
    memo_buf_fini(&query);
    return status;
}
