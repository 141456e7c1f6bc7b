// SPDX-License-Identifier: Apache-2.0
/* cli/app.h -- one run of the command: its arguments, settings and output, and what the verb has
 * opened. Context, model and store are opened when first asked for; cli_app_fini() closes all. */
#ifndef MEMO_CLI_APP_H
#define MEMO_CLI_APP_H

#include <memolith/memory.h>
#include <memolith/spaces.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/settings.h"

struct cli_app {
    cli_args args;
    cli_out out;
    cli_progress progress;
    cli_settings settings;
    int has_settings;
    int stdin_closed;
    memo_ctx *ctx;
    memo_model *model;
    char *model_path; /* owned; where a model that was given by its name was found, or NULL */
    memo_db *db;
    int latency_file; /* of --latency-log; 0: none, lines go to stderr */
};

void cli_app_fini(cli_app *app);

memo_status cli_app_settings(cli_app *app, memo_err *err);
memo_status cli_app_ctx(cli_app *app, memo_err *err);
/* Where no flag, variable or configuration file names a model, the setting becomes the one of the cache
 * folder that made the vectors of the namespace; CLI_FROM_STORE. Stays as it is when there is none, or no
 * store. What is wrong with the store is told by who opens it. */
memo_status cli_app_find_model(cli_app *app, memo_err *err);
/* Open the model of the cache folder that made the vectors which the namespace had before; none when it
 * is not there. */
memo_status cli_app_previous_model(cli_app *app, memo_err *err);
/* The model at `path`, NULL: the one of the settings, as cli_app_find_model() leaves it. A word that is no file is looked for in the
 * cache folder: "all-MiniLM-L6-v2.int8", or without a class, which is f32. MEMO_ERR_NOTFOUND says how to get the default
 * model when it is that and is not there. */
memo_status cli_app_model(cli_app *app, const char *path, memo_err *err);
/* Refuse a path that leads to nothing: MEMO_ERR_NOTFOUND. `what` is meant to be there ("NDJSON"). */
memo_status cli_app_there(const char *path, const char *what, memo_err *err);
/* The same for a model; the fix names those of the cache folder and how to get one. */
memo_status cli_app_model_there(cli_app *app, const char *path, memo_err *err);
/* How the settings want a model to be opened. */
memo_model_options cli_app_model_options(const cli_app *app);
/* The model that the first word names, or the one of the settings, and its path. */
memo_status cli_app_named_model(cli_app *app, const char **path, memo_err *err);
/* The store of the settings, with app->model when that is open. Except with MEMO_OPEN_CREATE a
 * store that does not exist is MEMO_ERR_NOTFOUND saying how to begin one. */
memo_status cli_app_store(cli_app *app, memo_open_mode mode, memo_err *err);
/* The same for a search, which is kept in the store (feedback.h) when that can be written without
 * waiting, and is not asked otherwise; --latency-log and --slow-ms are heeded. */
memo_status cli_app_search_store(cli_app *app, memo_err *err);
/* A new one at another path than that of the settings. */
memo_status cli_app_new_store(cli_app *app, const char *path, memo_err *err);
/* cli_app_store()'s refusal alone, before anything slow is opened. */
memo_status cli_app_store_exists(cli_app *app, memo_err *err);

const char *cli_app_ns(const cli_app *app); /* NULL: the default namespace */

/* Refuse stdin when it is a terminal or closed: MEMO_ERR_USAGE. `what` would be read from it. */
memo_status cli_app_stdin(const cli_app *app, const char *what, memo_err *err);
/* All of stdin, appended; MEMO_ERR_LIMIT beyond max_bytes. */
memo_status cli_app_read_stdin(const cli_app *app, size_t max_bytes, memo_buf *out, memo_err *err);

#endif
