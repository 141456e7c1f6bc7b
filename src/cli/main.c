// SPDX-License-Identifier: Apache-2.0
/* The command `memolith`: read the arguments, run one verb, report. Everything it can do is in the
 * public headers; everything it says about itself comes from the tables in grammar.c. */
#include <inttypes.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/app.h"
#include "cli/limits.h"

static memo_status main_without_arguments(memo_err *err)
{
    memo_buf help = {0};
    cli_help_all(&help);
    if (!help.failed && write(STDERR_FILENO, help.data, help.n) < 0) {
        /* the exit status says it all the same */
    }
    memo_buf_fini(&help);
    return memo_fail(err, MEMO_ERR_USAGE, "no verb is given");
}

static memo_status main_run(cli_app *app, int argc, char **argv, memo_err *err)
{
    if (argc < 2)
        return main_without_arguments(err);
    memo_status status = cli_args_read(&app->args, argc, argv, err);
    if (status)
        return status;
    cli_out_init(&app->out, &app->args);
    cli_progress_init(&app->progress);
    if (cli_args_has(&app->args, OPT_HELP)) {
        cli_help_verb(&app->out.buf, app->args.verb);
        return MEMO_OK;
    }
    if (app->args.verb->cancels)
        cli_signals_cancel();
    return app->args.verb->run(app, err);
}

/* Whose limit was it? One that the user gave to this command, or one that the process came with. */
static void main_hint_memory(const cli_app *app, memo_err *err)
{
    uint64_t n_bytes = 0;
    char letter = cli_limits_inherited(&n_bytes);
    if (letter && !app->settings.values[OPT_MEM_LIMIT].text)
        memo_hint(err, err->status,
                  "the process was started with a limit of %" PRIu64
                  " MB (ulimit -%c): allow more there",
                  n_bytes / 1000000, letter);
    else
        memo_hint(err, err->status, "allow more memory with --mem-limit, or use fewer threads");
}

int main(int argc, char **argv)
{
    cli_app app = {0};
    memo_err err = {0}, lost = {0};
    app.stdin_closed = cli_guard_descriptors();
    cli_format errors = cli_format_guess(argc, argv);
    cli_signals_init(errors == CLI_FORMAT_JSON);

    memo_status status = main_run(&app, argc, argv, &err);
    memo_status written = cli_out_close(&app.out, &lost);
    cli_progress_clear(&app.progress);
    if (status == MEMO_OK && written != MEMO_OK) {
        status = written;
        err = lost;
    }
    if (status == MEMO_ERR_NOMEM && !err.hint[0])
        main_hint_memory(&app, &err);
    if (status && err.status != status)
        memo_fail(&err, status, "%s", memo_status_text(status));
    int reader_gone = status == MEMO_ERR_IO && app.out.reader_gone; /* ... | head */
    if (status && !(reader_gone && cli_signals_pipe_kills()))
        cli_error_print(&err, errors);
    cli_app_fini(&app);
    if (reader_gone)
        cli_signals_die_of_pipe();
    return memo_status_exit_code(status);
}
