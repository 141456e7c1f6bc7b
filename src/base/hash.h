// SPDX-License-Identifier: Apache-2.0
/* base/hash.h -- XXH64 against damage, SHA-256 for identity. */
#ifndef MEMO_BASE_HASH_H
#define MEMO_BASE_HASH_H

#include <memolith/status.h>

uint64_t memo_xxh64(const void *bytes, size_t n_bytes, uint64_t seed);

#define MEMO_SHA256_BYTES 32

typedef struct memo_sha256 memo_sha256; /* streaming; NULL: out of memory */
memo_sha256 *memo_sha256_new(void);
void memo_sha256_update(memo_sha256 *state, const void *bytes, size_t n_bytes);
/* Writes the digest when `digest` is not NULL, and frees the state (which may be NULL). Returns 0,
 * with a digest of zeros, when libcrypto failed on the way. */
int memo_sha256_final(memo_sha256 *state, unsigned char digest[MEMO_SHA256_BYTES]);
memo_status memo_sha256_bytes(const void *bytes, size_t n_bytes,
                              unsigned char digest[MEMO_SHA256_BYTES], memo_err *err);

/* Lower-case hex of n bytes; out has 2 * n + 1 bytes. */
void memo_hex(const unsigned char *bytes, size_t n, char *out);

#endif
