// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/utf8.h"

enum { BUF_FIRST_BYTES = 64 };

void memo_buf_fini(memo_buf *buf)
{
    memo_free(buf->data);
    *buf = (memo_buf){0};
}

void memo_buf_clear(memo_buf *buf)
{
    buf->n = 0;
    buf->failed = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

char *memo_buf_reserve(memo_buf *buf, size_t n_bytes)
{
    size_t need = 0;
    if (buf->failed)
        return NULL;
    if (!memo_add_size(buf->n, n_bytes, &need) || !memo_add_size(need, 1, &need)) {
        buf->failed = 1;
        return NULL;
    }
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap : BUF_FIRST_BYTES;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        char *data = memo_realloc(buf->data, cap);
        if (!data) {
            buf->failed = 1;
            return NULL;
        }
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->n;
}

void memo_buf_append(memo_buf *buf, const void *bytes, size_t n_bytes)
{
    char *end = memo_buf_reserve(buf, n_bytes);
    if (!end)
        return;
    if (n_bytes)
        memcpy(end, bytes, n_bytes);
    end[n_bytes] = '\0';
    buf->n += n_bytes;
}

void memo_buf_puts(memo_buf *buf, const char *s)
{
    memo_buf_append(buf, s, strlen(s));
}

void memo_buf_putc(memo_buf *buf, char c)
{
    memo_buf_append(buf, &c, 1);
}

void memo_buf_printf(memo_buf *buf, const char *fmt, ...)
{
    char small[128];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        buf->failed = 1;
    } else if ((size_t)n < sizeof small) {
        memo_buf_append(buf, small, (size_t)n);
    } else {
        char *end = memo_buf_reserve(buf, (size_t)n);
        if (!end)
            return;
        va_start(args, fmt);
        vsnprintf(end, (size_t)n + 1, fmt, args);
        va_end(args);
        buf->n += (size_t)n;
    }
}

static void buf_put_json_control(memo_buf *buf, unsigned c)
{
    static const char letters[] = "btn?fr"; /* 8, 9, 10, (11), 12, 13 */
    if (c >= 8 && c <= 13 && c != 11) {
        memo_buf_putc(buf, '\\');
        memo_buf_putc(buf, letters[c - 8]);
    } else {
        memo_buf_printf(buf, "\\u%04x", c);
    }
}

void memo_buf_put_real(memo_buf *buf, double x, int digits)
{
    char text[64];
    size_t n = 0;
    snprintf(text, sizeof text, "%.*g", digits, x);
    for (const char *s = text; *s; s++) {
        if (strchr("+-0123456789e", *s))
            text[n++] = *s;
        else if (n == 0 || text[n - 1] != '.') /* the locale's decimal point, of one byte or more */
            text[n++] = '.';
    }
    memo_buf_append(buf, text, n);
}

void memo_buf_put_json(memo_buf *buf, const char *s, size_t n_bytes)
{
    memo_buf_putc(buf, '"');
    for (size_t i = 0; i < n_bytes;) {
        uint32_t cp = 0;
        size_t length = memo_utf8_decode(s + i, n_bytes - i, &cp);
        if (length == 0) {
            memo_buf_puts(buf, "\xEF\xBF\xBD"); /* U+FFFD: JSON is UTF-8 whatever the caller had */
            length = 1;
        } else if (cp < 0x20 || cp == 0x7F) {
            buf_put_json_control(buf, cp);
        } else {
            if (cp == '"' || cp == '\\')
                memo_buf_putc(buf, '\\');
            memo_buf_append(buf, s + i, length);
        }
        i += length;
    }
    memo_buf_putc(buf, '"');
}

char *memo_buf_take(memo_buf *buf)
{
    char *data = NULL;
    if (memo_buf_reserve(buf, 0)) {
        data = buf->data;
        data[buf->n] = '\0';
    } else {
        memo_free(buf->data);
    }
    *buf = (memo_buf){0};
    return data;
}
