// SPDX-License-Identifier: Apache-2.0
/* base/error.h -- fill a caller-owned memo_err and return the status in one expression.
 *
 *   return memo_fail(err, MEMO_ERR_FORMAT, "%s: header needs %zu bytes, file has %zu", ...);
 *
 * `err` may be NULL. An argument may be err->message itself, to put a prefix before it. Messages are
 * cut at a character boundary; bytes that are not printable UTF-8 become '?'. */
#ifndef MEMO_BASE_ERROR_H
#define MEMO_BASE_ERROR_H

#include <memolith/status.h>

memo_status memo_fail(memo_err *err, memo_status status, const char *fmt, ...) MEMO_PRINTF(3, 4);
memo_status memo_fail_nomem(memo_err *err, const char *what, uint64_t n_bytes);
/* With the text of errno value `e`: "path: cannot open: No such file or directory". ENOMEM is
 * MEMO_ERR_NOMEM, all others MEMO_ERR_IO. */
memo_status memo_fail_errno(memo_err *err, int e, const char *path, const char *doing);
/* Add the next command to try; returns `status`. */
memo_status memo_hint(memo_err *err, memo_status status, const char *fmt, ...) MEMO_PRINTF(3, 4);

/* Check an options struct that begins with size: copies min(size, ours) bytes over a zeroed
 * *dst of dst_bytes. NULL src: all defaults. Non-zero bytes beyond ours: MEMO_ERR_UNSUPPORTED;
 * size smaller than sizeof(size_t) or beyond 4 KiB: MEMO_ERR_USAGE. */
memo_status memo_options_copy(void *dst, size_t dst_bytes, const void *src, const char *what,
                              memo_err *err);

/* A struct that begins with size, in the caller's storage, to be filled at the end of a call; NULL:
 * nobody asks. To be checked before anything is done. Sizes as above. */
memo_status memo_result_check(const void *dst, const char *what, memo_err *err);
/* Fill it from ours of src_bytes, whose size does not count: its first `size` bytes, of which those
 * that are not ours become 0. `size` stays. NULL: nothing. */
void memo_result_write(void *dst, const void *src, size_t src_bytes);
/* Fill element i of an array, whose first element's size is the stride and becomes the size of all. */
void memo_result_write_at(void *first, size_t i, const void *src, size_t src_bytes);

#endif
