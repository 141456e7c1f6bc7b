// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/mime.h -- what mail wraps its text in: transfer encodings, charsets, encoded words of
 * headers, HTML. Decoders take what they are given: bytes that fit nothing are left out. */
#ifndef MEMO_MEMORY_MIME_H
#define MEMO_MEMORY_MIME_H

#include <memolith/model.h>
#include <memolith/status.h>

#include "base/buf.h"

/* Appended to *out, whose `failed` says whether memory ran out. */
void memo_mime_base64(memo_text in, memo_buf *out);
/* is_word: of a header, where "_" is a space and no line is broken. */
void memo_mime_quoted(memo_text in, int is_word, memo_buf *out);

/* memo_mime_to_utf8() -- appends UTF-8; bytes that the charset does not have become U+FFFD.
 *
 *   charset  a name of any case: UTF-8, US-ASCII, ISO-8859-1, windows-1252; empty is US-ASCII.
 *            Eight-bit bytes in US-ASCII are UTF-8 where they can be, else windows-1252
 *
 * MEMO_ERR_UNSUPPORTED names another one. */
memo_status memo_mime_to_utf8(memo_text in, memo_text charset, memo_buf *out, memo_err *err);

/* A header's value with its RFC 2047 words decoded; a word in another charset stays as it is. */
memo_status memo_mime_header(memo_text in, memo_buf *out, memo_err *err);

/* The words of an HTML text: tags, comments, style and script are gone, entities are characters,
 * blocks begin lines. Linear time. */
void memo_mime_html_text(memo_text in, memo_buf *out);

#endif
