// SPDX-License-Identifier: Apache-2.0
/* cli/ndjson.h -- NDJSON from a file or stdin, one object at a time, in bounded memory. */
#ifndef MEMO_CLI_NDJSON_H
#define MEMO_CLI_NDJSON_H

#include "base/file.h"
#include "base/json.h"
#include "cli/app.h"

#define CLI_LINE_BYTES ((size_t)8 << 20) /* longest line */

typedef struct cli_lines {
    const char *name; /* the path, or "stdin" */
    memo_file file;   /* path NULL: stdin */
    uint64_t offset;  /* of what is read next from the file */
    memo_buf buf;     /* what is read; [at, buf.n) is not handed out yet */
    size_t at;
    uint64_t number; /* of the line handed out last, from 1 */
    int at_end;
} cli_lines;

/* path "-": stdin. A path that is not a regular file is MEMO_ERR_IO. */
memo_status cli_lines_open(cli_lines *lines, const cli_app *app, const char *path, memo_err *err);
void cli_lines_close(cli_lines *lines);

/* The next line that is not blank, without its line break; valid until the next call. *text is NULL
 * at the end. MEMO_ERR_LIMIT beyond CLI_LINE_BYTES. */
memo_status cli_lines_next(cli_lines *lines, const char **text, size_t *n_bytes, memo_err *err);
/* The same, parsed: *object is an object to json_decref(), or NULL at the end. */
memo_status cli_lines_next_object(cli_lines *lines, json_t **object, memo_err *err);

/* Count the lines that are not blank and go back to the first. stdin is first copied to a nameless
 * temporary file. */
memo_status cli_lines_count(cli_lines *lines, uint64_t *n_lines, memo_err *err);

/* The string member `key` of the object handed out last, which may hold NUL bytes. MEMO_ERR_FORMAT
 * names the line when there is none. */
memo_status cli_lines_text(const cli_lines *lines, const json_t *object, const char *key,
                           memo_text *text, memo_err *err);

#endif
