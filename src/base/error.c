// SPDX-License-Identifier: Apache-2.0
/* Messages may carry bytes of hostile files and paths, and end up on terminals and in JSON: what is
 * not a printable UTF-8 character (or newline or tab) becomes '?'. */
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define STATUS_COUNT_ONE(name, exit_code, http, text) +1
enum { N_STATUS = 0 MEMO_STATUS_MAP(STATUS_COUNT_ONE) };
#undef STATUS_COUNT_ONE

typedef struct status_row {
    const char *name;
    const char *text;
    int exit_code;
    int http;
} status_row;

static const status_row status_rows[N_STATUS] = {
#define STATUS_ROW(name, exit_code, http, text) {#name, text, exit_code, http},
    MEMO_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

static const status_row *status_row_of(memo_status status)
{
    static const status_row unknown = {"unknown", "unknown status", 1, 500};
    return (unsigned)status < N_STATUS ? &status_rows[status] : &unknown;
}

const char *memo_status_name(memo_status status)
{
    return status_row_of(status)->name;
}

const char *memo_status_text(memo_status status)
{
    return status_row_of(status)->text;
}

int memo_status_exit_code(memo_status status)
{
    return status_row_of(status)->exit_code;
}

int memo_status_http(memo_status status)
{
    return status_row_of(status)->http;
}

static int error_is_printable(uint32_t cp)
{
    return (cp >= 0x20 && cp < 0x7F) || cp > 0x9F || cp == '\n' || cp == '\t';
}

/* Copy up to cap - 1 bytes of text, cut at a character. */
static void copy_printable(char *out, size_t cap, const char *text)
{
    size_t n = strlen(text), n_out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        size_t length = memo_utf8_decode(text + i, n - i, &cp);
        int keep = length > 0 && error_is_printable(cp);
        size_t step = keep ? length : 1;
        if (step > cap - 1 - n_out)
            break;
        memcpy(out + n_out, keep ? text + i : "?", step);
        n_out += step;
        i += length ? length : 1;
    }
    out[n_out] = '\0';
}

/* Formats into a buffer first: an argument may be the old content of the field. The buffer is larger
 * than the field by a character, so that a cut by vsnprintf() is never mistaken for a bad byte. */
static void format_field(char *out, size_t cap, const char *fmt, va_list args)
{
    char text[sizeof((memo_err){0}.message) + 4];
    size_t room = cap + 4 < sizeof text ? cap + 4 : sizeof text;
    if (vsnprintf(text, room, fmt, args) < 0)
        text[0] = '\0';
    copy_printable(out, cap, text);
}

memo_status memo_fail(memo_err *err, memo_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    va_list args;
    va_start(args, fmt);
    format_field(err->message, sizeof err->message, fmt, args);
    va_end(args);
    err->status = status;
    err->hint[0] = '\0';
    return status;
}

memo_status memo_fail_nomem(memo_err *err, const char *what, uint64_t n_bytes)
{
    if (!n_bytes) /* nobody knows */
        return memo_fail(err, MEMO_ERR_NOMEM, "out of memory: %s", what);
    return memo_fail(err, MEMO_ERR_NOMEM, "out of memory: %s needs %" PRIu64 " bytes", what,
                     n_bytes);
}

/* strerror() is not safe with threads, and strerror_r() comes in two signatures. */
static const char *errno_text(int e, char *buf, size_t cap)
{
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    return strerror_r(e, buf, cap);
#else
    if (strerror_r(e, buf, cap) != 0)
        snprintf(buf, cap, "error %d", e);
    return buf;
#endif
}

memo_status memo_fail_errno(memo_err *err, int e, const char *path, const char *doing)
{
    enum {
        SHOWN = 320
    }; /* of a longer path its end, by which people know it; the reason must fit */
    char buf[128];
    size_t n = strlen(path);
    return memo_fail(err, e == ENOMEM ? MEMO_ERR_NOMEM : MEMO_ERR_IO, "%s%s: cannot %s: %s",
                     n > SHOWN ? "..." : "", n > SHOWN ? path + n - SHOWN : path, doing,
                     errno_text(e, buf, sizeof buf));
}

memo_status memo_hint(memo_err *err, memo_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    va_list args;
    va_start(args, fmt);
    format_field(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
    return status;
}

/* No options struct comes near this: a larger size is storage that was never set, and is not read. */
enum { OPTIONS_MAX_BYTES = 4096 };

memo_status memo_options_copy(void *dst, size_t dst_bytes, const void *src, const char *what,
                              memo_err *err)
{
    size_t size = dst_bytes;
    memset(dst, 0, dst_bytes);
    if (src) {
        const unsigned char *bytes = src;
        memcpy(&size, src, sizeof size);
        if (size < sizeof size || size > OPTIONS_MAX_BYTES)
            return memo_fail(err, MEMO_ERR_USAGE, "%s: size is %zu; set it to sizeof(%s)", what,
                             size, what);
        for (size_t i = dst_bytes; i < size; i++)
            if (bytes[i])
                return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                                 "%s: byte %zu is set, but this library (%s) knows %zu bytes", what,
                                 i, memo_version(), dst_bytes);
        memcpy(dst, src, size < dst_bytes ? size : dst_bytes);
        size = dst_bytes;
    }
    memcpy(dst, &size, sizeof size);
    return MEMO_OK;
}

memo_status memo_result_check(const void *dst, const char *what, memo_err *err)
{
    size_t size;

    if (!dst)
        return MEMO_OK;
    memcpy(&size, dst, sizeof size);
    if (size < sizeof size || size > OPTIONS_MAX_BYTES)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "%s: size is %zu; set it to sizeof(%s) before the call", what, size, what);
    return MEMO_OK;
}

void memo_result_write_at(void *first, size_t i, const void *src, size_t src_bytes)
{
    unsigned char *dst = first;
    size_t size, n;

    if (!dst)
        return;
    memcpy(&size, dst, sizeof size);
    n = size < src_bytes ? size : src_bytes;
    dst += i * size;
    memcpy(dst, src, n);
    memset(dst + n, 0, size - n);
    memcpy(dst, &size, sizeof size);
}

void memo_result_write(void *dst, const void *src, size_t src_bytes)
{
    memo_result_write_at(dst, 0, src, src_bytes);
}

#define VERSION_TEXT_OF(major, minor, patch) #major "." #minor "." #patch
#define VERSION_TEXT(major, minor, patch)    VERSION_TEXT_OF(major, minor, patch)

const char *memo_version(void)
{
    return VERSION_TEXT(MEMO_VERSION_MAJOR, MEMO_VERSION_MINOR, MEMO_VERSION_PATCH);
}
