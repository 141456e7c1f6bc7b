// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/machine.h"
#include "cli/output.h"
#include "cli/values.h"

enum { PROGRESS_EVERY_MS = 100 };

void cli_progress_init(cli_progress *progress)
{
    *progress = (cli_progress){.enabled = isatty(STDERR_FILENO), .start_ms = memo_monotonic_ms()};
}

void cli_progress_fini(cli_progress *progress)
{
    memo_free(progress->notice);
    progress->notice = NULL;
}

memo_status cli_progress_notice(cli_progress *progress, const char *line, memo_err *err)
{
    memo_free(progress->notice);
    progress->notice = memo_strdup(line);
    return progress->notice ? MEMO_OK : memo_fail_nomem(err, "a message", strlen(line) + 1);
}

void cli_progress_clear(cli_progress *progress)
{
    static const char clear[] = "\r\033[K";
    if (progress->shown && write(STDERR_FILENO, clear, sizeof clear - 1) < 0)
        progress->enabled = 0; /* nobody is watching any more */
    progress->shown = 0;
}

static void progress_put(memo_buf *line, const cli_progress *progress, const memo_progress *at)
{
    double seconds = (progress->last_ms - progress->start_ms) / 1000;
    double rate = seconds > 0 ? (double)at->done / seconds : 0;
    uint64_t resident = memo_memory_resident();
    memo_buf_printf(line, "\r\033[K%s ", progress->label ? progress->label : at->stage);
    cli_put_grouped(line, at->done);
    if (at->total > 0) {
        memo_buf_putc(line, '/');
        cli_put_grouped(line, at->total);
        memo_buf_printf(line, "  %.0f%%", 100.0 * (double)at->done / (double)at->total);
    }
    if (rate > 0)
        memo_buf_printf(line, "  %.*f/s", rate < 10 ? 1 : 0, rate);
    if (rate > 0 && at->total > at->done)
        memo_buf_printf(line, "  %.0f s left", (double)(at->total - at->done) / rate);
    if (resident > 0) {
        memo_buf_puts(line, "  ");
        cli_put_bytes(line, resident);
    }
}

int cli_progress_call(void *user, const memo_progress *at)
{
    cli_progress *progress = user;
    double now = memo_monotonic_ms();
    if (progress->notice) {
        cli_say("%s", progress->notice);
        cli_progress_fini(progress);
    }
    if (progress->enabled && now - progress->last_ms >= PROGRESS_EVERY_MS) {
        memo_buf line = {0};
        progress->last_ms = now;
        progress_put(&line, progress, at);
        if (!line.failed && write(STDERR_FILENO, line.data, line.n) > 0)
            progress->shown = 1;
        memo_buf_fini(&line);
    }
    return cli_cancelled();
}

/* ---- signals ------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals_seen;
static volatile sig_atomic_t signals_json;

int cli_cancelled(void)
{
    return signals_seen > 0;
}

static void signals_on_stop(int number)
{
    if (++signals_seen > 1) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

/* Only calls that are safe in a handler; the process cannot go on. */
static void signals_on_bus(int number)
{
    static const char text[] =
        "error[IO]: a file that is mapped was cut short, or its disk failed, while it was read\n"
        "  fix: memolith model verify FILE   (make the model again if it says so)\n";
    static const char json[] =
        "{\"error\":{\"name\":\"IO\",\"exit\":1,\"message\":\"a file that is mapped was cut short, "
        "or its disk failed, while it was read\",\"fix\":\"memolith model verify FILE\"}}\n";
    (void)number;
    ssize_t n = signals_json ? write(STDERR_FILENO, json, sizeof json - 1)
                             : write(STDERR_FILENO, text, sizeof text - 1);
    _exit(n < 0 ? 1 : memo_status_exit_code(MEMO_ERR_IO));
}

static void signals_set(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler; /* no SA_RESTART: a read that waits for input must notice */
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static int signals_pipe_kills;

int cli_signals_pipe_kills(void)
{
    return signals_pipe_kills;
}

void cli_signals_die_of_pipe(void)
{
    if (!signals_pipe_kills)
        return;
    signals_set(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

void cli_signals_init(int errors_as_json)
{
    struct sigaction before;
    signals_json = errors_as_json;
    signals_pipe_kills = sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL;
    signals_set(SIGPIPE, SIG_IGN);
    signals_set(SIGXFSZ, SIG_IGN);
    signals_set(SIGBUS, signals_on_bus);
}

void cli_signals_cancel(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            signals_set(numbers[i], signals_on_stop);
    }
}
