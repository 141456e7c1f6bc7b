// SPDX-License-Identifier: Apache-2.0
/* base/json_read.h -- from JSON text to jansson's values, without jansson's own reader.
 *
 * That one does not look at the result when the buffer of a token cannot grow: bytes of a string or
 * a number go missing, or it runs on past the closing quote. Here every allocation that fails is
 * noticed. Knows nothing of limits: json.c has checked depth and counts before. */
#ifndef MEMO_BASE_JSON_READ_H
#define MEMO_BASE_JSON_READ_H

#include <jansson.h>

#include <memolith/status.h>

typedef struct memo_json_fault {
    memo_status status; /* MEMO_ERR_FORMAT, MEMO_ERR_VALUE: a number too big, MEMO_ERR_NOMEM */
    size_t at;          /* byte of the text where it was noticed */
    const char *text;   /* static: what is wrong, "" for MEMO_ERR_NOMEM */
} memo_json_fault;

/* memo_json_read() -- read a whole text as one value, or return NULL and fill *fault.
 *
 *   text         [n_bytes], nested at most 64 deep; need not end in a NUL
 *   int_as_real  non-zero: integers become reals
 *
 * Strict RFC 8259; a name given twice in one object, and U+0000 in a name, are refused. Linear. */
json_t *memo_json_read(const char *text, size_t n_bytes, int int_as_real, memo_json_fault *fault);

#endif
