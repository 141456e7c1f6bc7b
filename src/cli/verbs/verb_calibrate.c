// SPDX-License-Identifier: Apache-2.0
/* calibrate: how likely a match is at a cosine. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/ndjson.h"
#include "cli/verbs/verbs.h"

typedef struct calibrate_pairs {
    memo_pair *pairs; /* [n]; texts in the arena */
    size_t n, cap;
    memo_arena arena;
} calibrate_pairs;

static void calibrate_fini(calibrate_pairs *p)
{
    memo_free(p->pairs);
    memo_arena_fini(&p->arena);
}

static memo_status calibrate_add(cli_lines *lines, calibrate_pairs *p, const json_t *object,
                                 memo_err *err)
{
    const json_t *match = json_object_get(object, "match");
    memo_pair pair = {.match = json_is_true(match)};
    memo_status status = cli_lines_text(lines, object, "a", &pair.a, err);
    if (status == MEMO_OK)
        status = cli_lines_text(lines, object, "b", &pair.b, err);
    if (status == MEMO_OK && !json_is_boolean(match))
        status = memo_fail(err, MEMO_ERR_FORMAT, "%s: line %" PRIu64 ": \"match\" is no boolean",
                           lines->name, lines->number);
    if (status)
        return status;
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        memo_pair *grown = memo_reallocarray(p->pairs, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "pairs", cap * sizeof *grown);
        p->pairs = grown;
        p->cap = cap;
    }
    pair.a.bytes = memo_arena_strndup(&p->arena, pair.a.bytes, pair.a.n_bytes);
    pair.b.bytes = memo_arena_strndup(&p->arena, pair.b.bytes, pair.b.n_bytes);
    p->pairs[p->n++] = pair;
    return pair.a.bytes && pair.b.bytes ? MEMO_OK : memo_fail_nomem(err, "a pair", pair.a.n_bytes);
}

static memo_status calibrate_read(cli_app *app, const char *path, calibrate_pairs *p, memo_err *err)
{
    cli_lines lines = {0};
    json_t *object = NULL;
    memo_status status = cli_lines_open(&lines, app, path, err);
    while (status == MEMO_OK) {
        status = cli_lines_next_object(&lines, &object, err);
        if (status || !object)
            break;
        status = calibrate_add(&lines, p, object, err);
        json_decref(object);
    }
    cli_lines_close(&lines);
    return status;
}

static void calibrate_put(cli_app *app, const memo_calibration *c)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out,
                        "probability = 1 / (1 + exp(-(%.4g * cosine %+.4g)))\n"
                        "calibration error %.4f on %zu pairs held out, of %zu\n",
                        c->slope, c->offset, c->error, c->n_held_out, c->n_pairs);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_double(out, "slope", c->slope);
    cli_json_put_double(out, "offset", c->offset);
    cli_json_put_double(out, "error", c->error);
    cli_json_put_u64(out, "pairs", c->n_pairs);
    cli_json_put_u64(out, "held_out", c->n_held_out);
    memo_buf_puts(out, "}\n");
}

memo_status cli_verb_calibrate(cli_app *app, memo_err *err)
{
    const char *path = cli_args_text(&app->args, OPT_PAIRS);
    memo_calibrate_options options = {.size = sizeof options,
                                      .ns = cli_app_ns(app),
                                      .progress = cli_progress_call,
                                      .progress_user = &app->progress};
    calibrate_pairs pairs = {0};
    memo_calibration calibration = {.size = sizeof calibration};
    memo_status status = cli_app_store_exists(app, err);
    if (status == MEMO_OK && path)
        status = calibrate_read(app, path, &pairs, err);
    if (status == MEMO_OK && path && !pairs.n)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: there is no pair in it", path);
    if (status == MEMO_OK)
        status = cli_app_model(app, NULL, err);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    options.pairs = pairs.pairs;
    options.n_pairs = pairs.n;
    if (status == MEMO_OK)
        status = memo_db_calibrate(app->db, &options, &calibration, err);
    cli_progress_clear(&app->progress);
    if (status == MEMO_OK)
        calibrate_put(app, &calibration);
    calibrate_fini(&pairs);
    return status;
}
