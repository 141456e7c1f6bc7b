// SPDX-License-Identifier: Apache-2.0
/* cli/progress.h -- long work: a line on stderr while it is a terminal (done and total, rate, time left,
 * resident memory), and a way to stop it.
 *
 * SIGINT and SIGTERM ask once; the next progress callback then cancels the call, which ends at a
 * safe point with the truth about what was done. A second signal kills. */
#ifndef MEMO_CLI_PROGRESS_H
#define MEMO_CLI_PROGRESS_H

#include <memolith/status.h>

typedef struct cli_progress {
    const char *label; /* stands before the figures instead of the stage's name; NULL: the stage */
    char *notice;      /* owned; a line for stderr at the first call, or NULL */
    int enabled;       /* stderr is a terminal */
    int shown;         /* a line is on the screen */
    double start_ms, last_ms;
} cli_progress;

void cli_progress_init(cli_progress *progress);
void cli_progress_fini(cli_progress *progress);
/* Say this once the work has really begun, that is at the first call; MEMO_ERR_NOMEM. */
memo_status cli_progress_notice(cli_progress *progress, const char *line, memo_err *err);
/* A memo_progress_fn; user is the cli_progress. Non-zero once a signal has come. */
int cli_progress_call(void *user, const memo_progress *at);
/* Take the line off the screen; before anything else is written to stderr. */
void cli_progress_clear(cli_progress *progress);

/* SIGPIPE and SIGXFSZ become failed writes, so that a store is closed in order; a SIGBUS (a mapped model cut short under us, or its
 * disk gone) ends the command with an IO error in the format of the errors. */
void cli_signals_init(int errors_as_json);
/* Whether SIGPIPE would have killed the command as it was started. cli_signals_die_of_pipe() ends it
 * that way after all, and returns when the caller wanted the signal ignored. */
int cli_signals_pipe_kills(void);
void cli_signals_die_of_pipe(void);
/* From now on SIGINT and SIGTERM ask instead of killing. One that is ignored stays ignored. */
void cli_signals_cancel(void);
int cli_cancelled(void);

#endif
