// SPDX-License-Identifier: Apache-2.0
/* base/buf.h -- a growable byte string.
 *
 * The first failed growth sets `failed`; later appends do nothing, so a long series of appends is
 * checked once at its end. `data` is NUL-terminated after any append; NULL before the first. */
#ifndef MEMO_BASE_BUF_H
#define MEMO_BASE_BUF_H

#include <memolith/status.h>

typedef struct memo_buf {
    char *data;
    size_t n;
    size_t cap;
    int failed;
} memo_buf;

void memo_buf_fini(memo_buf *buf);
void memo_buf_clear(memo_buf *buf); /* keeps the memory */
void memo_buf_append(memo_buf *buf, const void *bytes, size_t n_bytes);
void memo_buf_puts(memo_buf *buf, const char *s);
void memo_buf_putc(memo_buf *buf, char c);
void memo_buf_printf(memo_buf *buf, const char *fmt, ...) MEMO_PRINTF(2, 3);
/* A finite number with that many digits, as JSON has it: with a point, whatever the host's locale. */
void memo_buf_put_real(memo_buf *buf, double x, int digits);
/* Quoted and escaped; a byte that is not UTF-8 becomes U+FFFD. */
void memo_buf_put_json(memo_buf *buf, const char *s, size_t n_bytes);
char *memo_buf_reserve(memo_buf *buf, size_t n_bytes); /* room after data + n, or NULL */
/* The string, never NULL unless an append failed; memo_free() it. *buf is empty again. */
char *memo_buf_take(memo_buf *buf);

#endif
