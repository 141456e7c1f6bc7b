// SPDX-License-Identifier: Apache-2.0
#include "cli/ndjson.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

enum { LINES_BLOCK = 64 << 10 };

memo_status cli_lines_open(cli_lines *lines, const cli_app *app, const char *path, memo_err *err)
{
    *lines = (cli_lines){.name = path};
    if (strcmp(path, "-") != 0) {
        memo_status status = cli_app_there(path, "file", err);
        return status ? status : memo_file_open(&lines->file, path, err);
    }
    lines->name = "stdin";
    return cli_app_stdin(app, "NDJSON", err);
}

void cli_lines_close(cli_lines *lines)
{
    memo_file_close(&lines->file);
    memo_buf_fini(&lines->buf);
}

/* Append one more block; *n is what came, 0 at the end. */
static memo_status lines_read(cli_lines *lines, size_t *n, memo_err *err)
{
    char *room = memo_buf_reserve(&lines->buf, LINES_BLOCK);
    memo_status status = MEMO_OK;
    ssize_t got = -1;
    if (!room)
        return memo_fail_nomem(err, lines->name, LINES_BLOCK);
    if (lines->file.path) {
        uint64_t rest = lines->file.n_bytes - lines->offset;
        got = rest < LINES_BLOCK ? (ssize_t)rest : LINES_BLOCK;
        status = memo_file_read(&lines->file, lines->offset, room, (size_t)got, err);
    } else {
        while ((got = read(STDIN_FILENO, room, LINES_BLOCK)) < 0 && errno == EINTR)
            if (cli_cancelled())
                return memo_fail(err, MEMO_ERR_CANCELLED, "cancelled while reading stdin");
        if (got < 0)
            return memo_fail_errno(err, errno, "stdin", "read");
    }
    if (status == MEMO_OK) {
        *n = (size_t)got;
        lines->buf.n += *n;
        lines->offset += *n;
    }
    return status;
}

/* Make the next line complete in the buffer: *n_line bytes at lines->at, with its line break unless
 * it is the last; 0 at the end. */
static memo_status lines_fill(cli_lines *lines, size_t *n_line, memo_err *err)
{
    size_t searched = 0, n = 0;
    for (;;) {
        size_t have = lines->buf.n - lines->at;
        const char *from = have ? lines->buf.data + lines->at : NULL;
        const char *end = have > searched ? memchr(from + searched, '\n', have - searched) : NULL;
        *n_line = end ? (size_t)(end - from) + 1 : have;
        if (*n_line > CLI_LINE_BYTES)
            return memo_fail(err, MEMO_ERR_LIMIT, "%s: line %" PRIu64 " has more than %zu bytes",
                             lines->name, lines->number + 1, CLI_LINE_BYTES);
        if (end || lines->at_end)
            return MEMO_OK;
        searched = have;
        if (lines->at > 0) {
            memmove(lines->buf.data, lines->buf.data + lines->at, have);
            lines->buf.n = have;
            lines->at = 0;
        }
        memo_status status = lines_read(lines, &n, err);
        if (status)
            return status;
        lines->at_end = n == 0;
    }
}

memo_status cli_lines_next(cli_lines *lines, const char **text, size_t *n_bytes, memo_err *err)
{
    size_t n_line = 0;
    *text = NULL;
    for (;;) {
        memo_status status = lines_fill(lines, &n_line, err);
        if (status || n_line == 0)
            return status;
        const char *line = lines->buf.data + lines->at;
        lines->at += n_line;
        lines->number++;
        if (lines->number == 1 && n_line >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
            line += 3; /* a byte order mark */
            n_line -= 3;
        }
        while (n_line > 0 && strchr("\r\n\t ", line[n_line - 1]) && line[n_line - 1])
            n_line--;
        if (n_line > 0) {
            *text = line;
            *n_bytes = n_line;
            return MEMO_OK;
        }
    }
}

memo_status cli_lines_next_object(cli_lines *lines, json_t **object, memo_err *err)
{
    const char *text;
    size_t n_bytes = 0;
    char what[512];
    *object = NULL;
    memo_status status = cli_lines_next(lines, &text, &n_bytes, err);
    if (status || !text)
        return status;
    snprintf(what, sizeof what, "%.400s: line %" PRIu64, lines->name, lines->number);
    status = memo_json_parse(text, n_bytes, &memo_json_line_limits, what, object, err);
    if (status == MEMO_OK && !json_is_object(*object)) {
        json_decref(*object);
        *object = NULL;
        status = memo_fail(err, MEMO_ERR_FORMAT, "%s: not a JSON object", what);
    }
    return status;
}

/* ---- two passes ---------------------------------------------------------------------------- */

static memo_status lines_write_all(int fd, const char *bytes, size_t n, memo_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(fd, bytes + done, n - done);
        if (wrote < 0 && errno != EINTR)
            return memo_fail_errno(err, errno, "temporary file", "write");
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return MEMO_OK;
}

/* Copy all of stdin to a file that has no name any more, and read from that. */
static memo_status lines_spool(cli_lines *lines, memo_err *err)
{
    const char *tmpdir = getenv("TMPDIR"), *folder = tmpdir && tmpdir[0] ? tmpdir : "/tmp";
    char *path = memo_path_join(folder, "memolith-XXXXXX");
    char *name = memo_strdup("stdin");
    memo_status status = MEMO_OK;
    size_t n = 0;
    int fd = path && name ? mkstemp(path) : -1;
    if (!path || !name)
        status = memo_fail_nomem(err, "a temporary file's name", 0);
    else if (fd < 0)
        status = memo_fail_errno(err, errno, folder, "create a temporary file");
    if (fd >= 0)
        unlink(path);
    do {
        if (status == MEMO_OK)
            status = lines_read(lines, &n, err);
        if (status == MEMO_OK)
            status = lines_write_all(fd, lines->buf.data, n, err);
        memo_buf_clear(&lines->buf);
    } while (status == MEMO_OK && n > 0);
    memo_free(path);
    if (status == MEMO_OK) {
        lines->file = (memo_file){.fd = fd, .n_bytes = lines->offset, .path = name};
        return MEMO_OK;
    }
    memo_free(name);
    if (fd >= 0)
        close(fd);
    return status;
}

memo_status cli_lines_count(cli_lines *lines, uint64_t *n_lines, memo_err *err)
{
    memo_status status = lines->file.path ? MEMO_OK : lines_spool(lines, err);
    const char *text = "";
    size_t n_bytes;
    *n_lines = 0;
    lines->offset = 0;
    while (status == MEMO_OK && text) {
        status = cli_lines_next(lines, &text, &n_bytes, err);
        *n_lines += status == MEMO_OK && text;
    }
    memo_buf_clear(&lines->buf);
    lines->offset = lines->at = lines->number = 0;
    lines->at_end = 0;
    return status;
}

memo_status cli_lines_text(const cli_lines *lines, const json_t *object, const char *key,
                           memo_text *text, memo_err *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: line %" PRIu64 ": \"%s\" is %s", lines->name,
                         lines->number, key, value ? "not a string" : "missing");
    *text = (memo_text){json_string_value(value), json_string_length(value)};
    return MEMO_OK;
}
