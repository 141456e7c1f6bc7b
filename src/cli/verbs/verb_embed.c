// SPDX-License-Identifier: Apache-2.0
/* embed and tokenize: texts from the words, from stdin or from NDJSON, in batches of bounded size. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/verbs/verbs.h"

/* A batch ends at whichever comes first. 256 texts fill every thread; 4 MiB keep the memory small
 * when texts are long. */
enum { EMBED_BATCH_TEXTS = 256, EMBED_BATCH_BYTES = 4 << 20, EMBED_TEXT_BYTES = 64 << 20 };

/* Where texts come from, one after the other. */
typedef struct embed_source {
    cli_app *app;
    const char *ndjson; /* NULL: the words */
    cli_lines lines;
    json_t *object;   /* holds the text handed out last */
    memo_buf stdin_;  /* the word "-" */
    size_t at;        /* next word */
    uint64_t n_texts; /* in all; 0: not known */
} embed_source;

/* Where the text handed out last stands: its line, or which of the words it is, from 1. */
static uint64_t embed_source_number(const embed_source *source)
{
    return source->ndjson ? source->lines.number : source->at;
}

static memo_status embed_source_open(embed_source *source, cli_app *app, memo_err *err)
{
    const cli_args *args = &app->args;
    *source = (embed_source){.app = app, .ndjson = cli_args_text(args, OPT_NDJSON)};
    if (source->ndjson && args->n_words > 0)
        return memo_fail(err, MEMO_ERR_USAGE, "--ndjson and \"%s\" both give texts",
                         args->words[0]);
    if (!source->ndjson && args->n_words == 0)
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_USAGE, "%s needs TEXT, - or --ndjson FILE", args->verb->name),
            "%s", args->verb->example);
    if (source->ndjson)
        return cli_lines_open(&source->lines, app, source->ndjson, err);
    source->n_texts = args->n_words;
    for (size_t i = 0, n = 0; i < args->n_words; i++)
        if (strcmp(args->words[i], "-") == 0 && n++)
            return memo_fail(err, MEMO_ERR_USAGE, "- is given twice, and stdin holds one text");
    return MEMO_OK;
}

static void embed_source_close(embed_source *source)
{
    json_decref(source->object);
    cli_lines_close(&source->lines);
    memo_buf_fini(&source->stdin_);
}

/* *more is 0 at the end. The text is valid until the next call. */
static memo_status embed_source_next(embed_source *source, memo_text *text, int *more,
                                     memo_err *err)
{
    const cli_args *args = &source->app->args;
    memo_status status = MEMO_OK;
    if (source->ndjson) {
        json_decref(source->object);
        status = cli_lines_next_object(&source->lines, &source->object, err);
        *more = status == MEMO_OK && source->object;
        return *more ? cli_lines_text(&source->lines, source->object, "text", text, err) : status;
    }
    *more = source->at < args->n_words;
    if (!*more)
        return MEMO_OK;
    const char *word = args->words[source->at++];
    *text = (memo_text){word, strlen(word)};
    if (strcmp(word, "-") == 0) {
        memo_buf_clear(&source->stdin_);
        status = cli_app_read_stdin(source->app, EMBED_TEXT_BYTES, &source->stdin_, err);
        *text = (memo_text){source->stdin_.data, source->stdin_.n};
    }
    return status;
}

/* ---- embed --------------------------------------------------------------------------------- */

/* Texts gathered for one call, and what came of them. */
typedef struct embed_batch {
    memo_buf bytes; /* all texts, one after the other */
    size_t ends[EMBED_BATCH_TEXTS];
    uint64_t numbers[EMBED_BATCH_TEXTS]; /* embed_source_number() */
    size_t n;
    memo_text texts[EMBED_BATCH_TEXTS];
    memo_embed_result results[EMBED_BATCH_TEXTS];
    float *vectors; /* [EMBED_BATCH_TEXTS, dim] */
    size_t dim;
    uint64_t n_done; /* texts of earlier batches */
    uint64_t n_truncated;
    uint64_t first_truncated; /* its number */
} embed_batch;

static memo_status embed_fill(embed_batch *batch, embed_source *source, int *more, memo_err *err)
{
    memo_status status = MEMO_OK;
    memo_buf_clear(&batch->bytes);
    batch->n = 0;
    *more = 1;
    while (batch->n < EMBED_BATCH_TEXTS && batch->bytes.n < EMBED_BATCH_BYTES) {
        memo_text text;
        status = embed_source_next(source, &text, more, err);
        if (status || !*more)
            break;
        memo_buf_append(&batch->bytes, text.bytes, text.n_bytes);
        batch->numbers[batch->n] = embed_source_number(source);
        batch->ends[batch->n++] = batch->bytes.n;
    }
    if (status == MEMO_OK && batch->bytes.failed)
        status = memo_fail_nomem(err, "a batch of texts", batch->bytes.n);
    for (size_t i = 0, begin = 0; i < batch->n && status == MEMO_OK; begin = batch->ends[i++])
        batch->texts[i] = (memo_text){batch->bytes.data + begin, batch->ends[i] - begin};
    return status;
}

static void embed_put_vector(cli_out *out, const embed_source *source, const embed_batch *batch,
                             size_t i)
{
    const float *v = batch->vectors + i * batch->dim;
    const memo_embed_result *result = &batch->results[i];
    memo_buf *buf = &out->buf;
    if (out->format == CLI_FORMAT_NPY) {
        memo_buf_append(buf, v, batch->dim * sizeof *v);
        return;
    }
    int json = out->format != CLI_FORMAT_TEXT;
    memo_buf_puts(buf, json ? "{\"vector\":[" : "");
    for (size_t d = 0; d < batch->dim; d++) /* 9 digits give back the same f32 */
        memo_buf_printf(buf, "%s%.9g", d == 0 ? "" : json ? "," : " ", (double)v[d]);
    if (json) {
        memo_buf_putc(buf, ']');
        cli_json_put_u64(buf, "tokens", result->n_tokens_seen);
        cli_json_put_u64(buf, "total", result->n_tokens_total);
        cli_json_key(buf, "truncated");
        cli_json_bool(buf, result->truncated);
        if (source->ndjson)
            cli_json_put_u64(buf, "line", batch->numbers[i]);
        cli_json_close(buf, '}');
    }
    memo_buf_putc(buf, '\n');
}

/* The library's "text 208 has ..." counts within a batch: name the line, or the word, instead. */
static memo_status embed_name_text(const embed_source *source, const embed_batch *batch,
                                   size_t failed, memo_err *err)
{
    char prefix[32], rest[sizeof err->message + 2];
    uint64_t number = batch->numbers[failed];
    size_t n = (size_t)snprintf(prefix, sizeof prefix, "text %zu", failed);
    const char *message = err->message;
    if (strncmp(message, prefix, n) == 0 && (message[n] == ' ' || message[n] == ':'))
        message += n;
    else
        n = 0;
    snprintf(rest, sizeof rest, "%s%s", n ? "" : ": ", message);
    if (source->ndjson)
        return memo_fail(err, err->status, "%s: line %" PRIu64 "%s", source->lines.name, number,
                         rest);
    return memo_fail(err, err->status, "text %" PRIu64 "%s", number, rest);
}

/* Progress of all texts, from that of a batch. */
typedef struct embed_watch {
    cli_app *app;
    uint64_t n_done, n_texts;
} embed_watch;

static int embed_watch_call(void *user, const memo_progress *at)
{
    const embed_watch *watch = user;
    return cli_progress_call(&watch->app->progress,
                             &(memo_progress){.stage = at->stage,
                                              .done = watch->n_done + at->done,
                                              .total = watch->n_texts});
}

static memo_status embed_run_batch(const embed_source *source, embed_batch *batch, memo_err *err)
{
    cli_app *app = source->app;
    size_t failed = SIZE_MAX;
    embed_watch watch = {app, batch->n_done, source->n_texts};
    memo_embed_options options = {
        .size = sizeof options,
        /* the words of both options stand in the order of their enums */
        .role = (memo_role)cli_args_number(&app->args, OPT_ROLE, MEMO_ROLE_DOCUMENT),
        .overlong = (memo_overlong)cli_args_number(&app->args, OPT_OVERLONG, MEMO_OVERLONG_HEAD),
        .replace_invalid_utf8 = cli_args_has(&app->args, OPT_REPLACE_INVALID),
        .safe_specials = cli_args_has(&app->args, OPT_SAFE_SPECIALS),
        .progress = embed_watch_call,
        .progress_user = &watch,
        .failed = &failed,
    };
    batch->results->size = sizeof *batch->results;
    memo_status status = memo_model_embed(app->model, &options, batch->texts, batch->n,
                                          batch->vectors, batch->results, err);
    char hint[sizeof err->hint];
    memcpy(hint, err->hint, sizeof hint);
    if (status == MEMO_ERR_CANCELLED)
        memo_fail(err, status, "cancelled after %" PRIu64 " texts", batch->n_done);
    else if (status && failed < batch->n)
        memo_hint(err, embed_name_text(source, batch, failed, err), "%s", hint);
    else if (status && batch->n_done > 0)
        memo_hint(
            err, memo_fail(err, status, "after %" PRIu64 " texts: %s", batch->n_done, err->message),
            "%s", hint);
    for (size_t i = 0; i < batch->n && status == MEMO_OK; i++) {
        embed_put_vector(&app->out, source, batch, i);
        if (batch->results[i].truncated && batch->n_truncated++ == 0)
            batch->first_truncated = batch->numbers[i];
        status = cli_out_drain(&app->out, err);
    }
    return status;
}

/* The npy header, version 1.0: magic, length, a Python dict padded so that the data begin at a
 * multiple of 64 bytes. */
static memo_status embed_put_npy_header(cli_app *app, uint64_t n, size_t dim, memo_err *err)
{
    enum { PREFIX = 10, HEADER = 118 };
    char header[HEADER + 1];
    const uint16_t one = 1;
    int little = *(const unsigned char *)&one == 1;
    if (app->out.is_terminal && !app->out.file)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "npy is binary and stdout is a terminal"),
                         "--out FILE.npy, or > FILE.npy behind the command");
    int used = snprintf(header, sizeof header,
                        "{'descr': '%cf4', 'fortran_order': False, 'shape': (%" PRIu64 ", %zu), }",
                        little ? '<' : '>', n, dim);
    memset(header + used, ' ', (size_t)(HEADER - used));
    header[HEADER - 1] = '\n';
    memo_buf_append(&app->out.buf, "\x93NUMPY\x01\x00", 8);
    memo_buf_putc(&app->out.buf, HEADER & 0xFF);
    memo_buf_putc(&app->out.buf, HEADER >> 8);
    memo_buf_append(&app->out.buf, header, HEADER);
    return MEMO_OK;
}

static memo_status embed_all(embed_source *source, embed_batch *batch, memo_err *err)
{
    cli_app *app = source->app;
    memo_status status = MEMO_OK;
    int more = 1;
    while (more && status == MEMO_OK) {
        status = embed_fill(batch, source, &more, err);
        if (status == MEMO_OK && batch->n > 0)
            status = embed_run_batch(source, batch, err);
        if (status == MEMO_OK)
            batch->n_done += batch->n;
    }
    cli_progress_clear(&app->progress);
    if (status == MEMO_OK && batch->n_truncated > 0)
        cli_warn("%" PRIu64 " of %" PRIu64 " texts are longer than the model takes and were cut "
                 "(--overlong), the first in %s %" PRIu64,
                 batch->n_truncated, batch->n_done, source->ndjson ? "line" : "text",
                 batch->first_truncated);
    if (status == MEMO_OK && app->out.format == CLI_FORMAT_NPY && batch->n_done != source->n_texts)
        status = memo_fail(err, MEMO_ERR_IO,
                           "%s changed while it was read: %" PRIu64 " texts, then "
                           "%" PRIu64,
                           source->ndjson, source->n_texts, batch->n_done);
    return status;
}

/* Open --out, before any work. */
static memo_status embed_out_begin(cli_app *app, memo_replace *file, memo_err *err)
{
    const char *path = cli_args_text(&app->args, OPT_OUT_VECTORS);
    int force = cli_args_has(&app->args, OPT_FORCE);
    if (!path)
        return MEMO_OK;
    if (app->out.format == CLI_FORMAT_QUIET)
        return memo_fail(err, MEMO_ERR_USAGE, "--out wants the vectors and -o quiet none");
    memo_status status = memo_replace_begin(file, path, force, err);
    if (status == MEMO_OK)
        app->out.file = file;
    else if (!force && memo_path_exists(path))
        memo_hint(err, status, "--force replaces it");
    return status;
}

/* The file under its name, or nothing. Of an array that breaks off, no reader of stdout could tell. */
static memo_status embed_out_end(cli_app *app, memo_replace *file, memo_status status,
                                 memo_err *err)
{
    cli_out *out = &app->out;
    if (out->file) {
        if (status == MEMO_OK && (status = cli_out_flush(out, err)) == MEMO_OK)
            status = memo_replace_commit(file, err);
        memo_buf_clear(&out->buf);
        memo_replace_fini(file);
        out->file = NULL;
    } else if (status && out->format == CLI_FORMAT_NPY) {
        memo_buf_clear(&out->buf);
        if (out->n_left > 0 && !out->reader_gone)
            cli_warn("the array on stdout is incomplete: fewer rows than its header says "
                     "(--out FILE writes all or nothing)");
    }
    return status;
}

memo_status cli_verb_embed(cli_app *app, memo_err *err)
{
    embed_source source;
    memo_model_info info = {.size = sizeof info};
    memo_replace file = {.fd = -1};
    embed_batch *batch = memo_calloc(1, sizeof *batch);
    memo_status status = embed_source_open(&source, app, err);
    if (status == MEMO_OK && !batch)
        status = memo_fail_nomem(err, "a batch of texts", sizeof *batch);
    if (status == MEMO_OK)
        status = embed_out_begin(app, &file, err);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK && source.ndjson &&
        (app->out.format == CLI_FORMAT_NPY || source.lines.file.path))
        status = cli_lines_count(&source.lines, &source.n_texts, err);
    if (status)
        goto done;
    memo_model_get_info(app->model, &info, NULL);
    batch->dim = info.dim;
    batch->vectors = memo_calloc(EMBED_BATCH_TEXTS * info.dim, sizeof *batch->vectors);
    if (!batch->vectors)
        status = memo_fail_nomem(err, "vectors", EMBED_BATCH_TEXTS * info.dim * sizeof(float));
    else if (app->out.format == CLI_FORMAT_NPY)
        status = embed_put_npy_header(app, source.n_texts, info.dim, err);
    if (status == MEMO_OK)
        status = embed_all(&source, batch, err);
done:
    status = embed_out_end(app, &file, status, err);
    embed_source_close(&source);
    if (batch) {
        memo_buf_fini(&batch->bytes);
        memo_free(batch->vectors);
    }
    memo_free(batch);
    return status;
}

/* ---- tokenize ------------------------------------------------------------------------------ */

static void tokenize_put_json(memo_buf *out, const memo_tokens *tokens)
{
    cli_json_open(out, '{');
    cli_json_key(out, "ids");
    cli_json_open(out, '[');
    for (size_t i = 0; i < tokens->n; i++)
        cli_json_u64(out, tokens->ids[i]);
    cli_json_close(out, ']');
    cli_json_key(out, "offsets");
    cli_json_open(out, '[');
    for (size_t i = 0; i < tokens->n; i++)
        memo_buf_printf(out, "%s[%zu,%zu]", i ? "," : "", tokens->offsets[i][0],
                        tokens->offsets[i][1]);
    memo_buf_puts(out, "]}\n");
}

/* One token a line: id, the vocabulary's spelling, the span of the text. */
static void tokenize_put_text(memo_buf *out, const memo_model *model, const memo_tokens *tokens)
{
    for (size_t i = 0; i < tokens->n; i++) {
        size_t n = 0, begin = tokens->offsets[i][0], end = tokens->offsets[i][1];
        const char *token = memo_model_token(model, tokens->ids[i], &n);
        memo_buf_printf(out, "%8" PRIu32 "  ", tokens->ids[i]);
        memo_buf_append(out, token ? token : "?", token ? n : 1);
        if (begin < end)
            memo_buf_printf(out, "  %zu-%zu", begin, end);
        memo_buf_putc(out, '\n');
    }
}

memo_status cli_verb_tokenize(cli_app *app, memo_err *err)
{
    embed_source source;
    int more = 1;
    memo_tokenize_options options = {
        .size = sizeof options,
        .replace_invalid_utf8 = cli_args_has(&app->args, OPT_REPLACE_INVALID),
        .safe_specials = cli_args_has(&app->args, OPT_SAFE_SPECIALS),
    };
    memo_status status = embed_source_open(&source, app, err);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    for (uint64_t n = 0; status == MEMO_OK; n++) {
        memo_tokens *tokens = NULL;
        memo_text text = {0};
        status = embed_source_next(&source, &text, &more, err);
        if (status || !more)
            break;
        status = memo_model_tokenize(app->model, text, &options, &tokens, err);
        if (status)
            break;
        if (app->out.format == CLI_FORMAT_TEXT) {
            if (n > 0)
                memo_buf_putc(&app->out.buf, '\n');
            tokenize_put_text(&app->out.buf, app->model, tokens);
        } else {
            tokenize_put_json(&app->out.buf, tokens);
        }
        memo_tokens_free(tokens);
        status = cli_out_drain(&app->out, err);
    }
    embed_source_close(&source);
    return status;
}
