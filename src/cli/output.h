// SPDX-License-Identifier: Apache-2.0
/* cli/output.h -- results to stdout, everything else to stderr.
 *
 * Results are appended to out.buf and leave by cli_out_flush(), which notices every lost byte: a
 * command whose output did not arrive does not end well. */
#ifndef MEMO_CLI_OUTPUT_H
#define MEMO_CLI_OUTPUT_H

#include <memolith/memory.h>
#include <memolith/status.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/args.h"

/* In the order of the words in options.h. */
typedef enum cli_format {
    CLI_FORMAT_TEXT,
    CLI_FORMAT_JSON,
    CLI_FORMAT_NDJSON,
    CLI_FORMAT_QUIET,
    CLI_FORMAT_NPY,
} cli_format;

typedef struct cli_out {
    memo_buf buf;
    cli_format format;
    int is_terminal; /* stdout */
    int colour;
    size_t width;       /* of the terminal in columns, 80 when there is none */
    uint64_t n_left;    /* bytes that have gone out */
    memo_replace *file; /* borrowed: where results go instead of stdout, or NULL */
    int reader_gone;    /* stdout is a pipe that nobody reads any more: `memolith list | head` */
} cli_out;

/* Give the closed ones among descriptors 0, 1 and 2 a stand-in, so that no file opened later takes
 * their number and receives what was meant for the user. Non-zero: stdin was closed. */
int cli_guard_descriptors(void);

void cli_out_init(cli_out *out, const cli_args *args);
void cli_out_fini(cli_out *out);

/* The format asked for by a command line that may be wrong otherwise; for its error message. */
cli_format cli_format_guess(int argc, char *const *argv);

/* Write what has gathered; with quiet it is dropped. MEMO_ERR_IO, MEMO_ERR_NOMEM. A broken pipe is
 * MEMO_ERR_IO too, and noted in reader_gone. */
memo_status cli_out_flush(cli_out *out, memo_err *err);
/* The same once more than 64 KiB have gathered. Call only where a result is complete. */
memo_status cli_out_drain(cli_out *out, memo_err *err);
/* Flush and close stdout. */
memo_status cli_out_close(cli_out *out, memo_err *err);

/* "error[NAME]: ..." with the fix, or one JSON object, to stderr. */
void cli_error_print(const memo_err *err, cli_format format);
/* "warning: ..." to stderr. */
void cli_warn(const char *fmt, ...) MEMO_PRINTF(1, 2);
/* A line to stderr. */
void cli_say(const char *fmt, ...) MEMO_PRINTF(1, 2);

#endif
