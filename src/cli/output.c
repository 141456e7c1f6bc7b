// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/json_out.h"

enum { OUTPUT_DRAIN_BYTES = 64 << 10, OUTPUT_WIDTH = 80, OUTPUT_MIN_WIDTH = 40 };

int cli_guard_descriptors(void)
{
    int stdin_closed = 0;
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* The wrong direction on purpose: using it fails as the closed descriptor would. */
            int got = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
            stdin_closed |= fd == 0;
            if (got != fd && got > 2)
                close(got);
        }
    return stdin_closed;
}

void cli_out_init(cli_out *out, const cli_args *args)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size;
    static const cli_option_id options[] = {OPT_FORMAT, OPT_FORMAT_EMBED, OPT_FORMAT_LONG,
                                            OPT_OUTPUT};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) /* a verb has one of them */
        if (cli_args_has(args, options[i]))
            out->format = (cli_format)cli_args_number(args, options[i], CLI_FORMAT_TEXT);
    out->is_terminal = isatty(STDOUT_FILENO);
    out->colour =
        out->is_terminal && !(no_colour && no_colour[0]) && term && strcmp(term, "dumb") != 0;
    out->width = OUTPUT_WIDTH;
    if (out->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        out->width = size.ws_col > OUTPUT_MIN_WIDTH ? size.ws_col : OUTPUT_MIN_WIDTH;
}

void cli_out_fini(cli_out *out)
{
    memo_buf_fini(&out->buf);
}

cli_format cli_format_guess(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value =
            strncmp(argv[i], "--format=", 9) == 0          ? argv[i] + 9
            : strncmp(argv[i], "-o", 2) == 0 && argv[i][2] ? argv[i] + 2
            : (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--format") == 0) && i + 1 < argc
                ? argv[i + 1]
                : "";
        if (strcmp(value, "json") == 0 || strcmp(value, "ndjson") == 0)
            return CLI_FORMAT_JSON;
    }
    return CLI_FORMAT_TEXT;
}

/* ---- stdout -------------------------------------------------------------------------------- */

memo_status cli_out_flush(cli_out *out, memo_err *err)
{
    size_t done = 0;
    memo_status status;
    if (out->buf.failed) {
        memo_buf_clear(&out->buf);
        return memo_fail_nomem(err, "the output", 0);
    }
    if (out->file) {
        status = memo_replace_append(out->file, out->buf.data, out->buf.n, err);
        memo_buf_clear(&out->buf);
        return status;
    }
    while (done < out->buf.n && out->format != CLI_FORMAT_QUIET) {
        ssize_t n = write(STDOUT_FILENO, out->buf.data + done, out->buf.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int e = n < 0 ? errno : EIO;
            out->reader_gone |= e == EPIPE;
            memo_buf_clear(&out->buf);
            return e == EPIPE ? memo_fail(err, MEMO_ERR_IO, "standard output was closed")
                              : memo_fail_errno(err, e, "stdout", "write");
        }
        done += (size_t)n;
        out->n_left += (size_t)n;
    }
    memo_buf_clear(&out->buf);
    return MEMO_OK;
}

memo_status cli_out_drain(cli_out *out, memo_err *err)
{
    if (out->buf.n < OUTPUT_DRAIN_BYTES && !out->buf.failed)
        return MEMO_OK;
    return cli_out_flush(out, err);
}

memo_status cli_out_close(cli_out *out, memo_err *err)
{
    memo_status status = cli_out_flush(out, err);
    /* Network file systems report a full disk at close. */
    if (close(STDOUT_FILENO) != 0 && errno != EINTR && status == MEMO_OK)
        status = memo_fail_errno(err, errno, "stdout", "close");
    return status;
}

/* ---- stderr -------------------------------------------------------------------------------- */

/* Lost bytes of a message have nobody to report them to. */
static void output_to_stderr(const memo_buf *buf)
{
    for (size_t done = 0; done < buf->n;) {
        ssize_t n = write(STDERR_FILENO, buf->data + done, buf->n - done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return;
        done += n > 0 ? (size_t)n : 0;
    }
}

static void output_put_indented(memo_buf *buf, const char *text)
{
    for (; *text; text++) {
        memo_buf_putc(buf, *text);
        if (*text == '\n')
            memo_buf_puts(buf, "  ");
    }
}

void cli_error_print(const memo_err *err, cli_format format)
{
    memo_buf buf = {0};
    if (format == CLI_FORMAT_JSON || format == CLI_FORMAT_NDJSON) {
        cli_json_open(&buf, '{');
        cli_json_key(&buf, "error");
        cli_json_open(&buf, '{');
        cli_json_put_string(&buf, "name", cli_status_name(err->status));
        cli_json_put_u64(&buf, "exit", (uint64_t)memo_status_exit_code(err->status));
        cli_json_put_string(&buf, "message", err->message);
        cli_json_put_string(&buf, "fix", err->hint[0] ? err->hint : NULL);
        memo_buf_puts(&buf, "}}\n");
    } else {
        memo_buf_printf(&buf, "error[%s]: ", cli_status_name(err->status));
        output_put_indented(&buf, err->message);
        if (err->hint[0]) {
            memo_buf_puts(&buf, "\n  fix: ");
            output_put_indented(&buf, err->hint);
        }
        memo_buf_putc(&buf, '\n');
    }
    output_to_stderr(&buf);
    memo_buf_fini(&buf);
}

/* By way of memo_fail(), which makes every byte printable: names of files come from anywhere. */
static void output_line(const char *prefix, const char *fmt, va_list args)
{
    char text[512];
    memo_buf buf = {0};
    memo_err clean = {0};
    vsnprintf(text, sizeof text, fmt, args);
    memo_fail(&clean, MEMO_ERR_IO, "%s", text);
    memo_buf_printf(&buf, "%s%s\n", prefix, clean.message);
    output_to_stderr(&buf);
    memo_buf_fini(&buf);
}

void cli_warn(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    output_line("warning: ", fmt, args);
    va_end(args);
}

void cli_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    output_line("", fmt, args);
    va_end(args);
}
