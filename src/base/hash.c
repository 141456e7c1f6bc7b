// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <string.h>

#include <openssl/evp.h>

#include <xxhash.h>

#include "base/alloc.h"
#include "base/error.h"

uint64_t memo_xxh64(const void *bytes, size_t n_bytes, uint64_t seed)
{
    return XXH64(bytes, n_bytes, seed);
}

struct memo_sha256 {
    EVP_MD_CTX *ctx;
    int failed;
};

memo_sha256 *memo_sha256_new(void)
{
    memo_sha256 *state = memo_calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->ctx = EVP_MD_CTX_new();
    if (!state->ctx || EVP_DigestInit_ex(state->ctx, EVP_sha256(), NULL) != 1) {
        memo_sha256_final(state, NULL);
        return NULL;
    }
    return state;
}

void memo_sha256_update(memo_sha256 *state, const void *bytes, size_t n_bytes)
{
    if (n_bytes && EVP_DigestUpdate(state->ctx, bytes, n_bytes) != 1)
        state->failed = 1;
}

int memo_sha256_final(memo_sha256 *state, unsigned char digest[MEMO_SHA256_BYTES])
{
    if (!state)
        return 0;
    int ok = !state->failed;
    if (digest && (!ok || EVP_DigestFinal_ex(state->ctx, digest, NULL) != 1)) {
        memset(digest, 0, MEMO_SHA256_BYTES);
        ok = 0;
    }
    EVP_MD_CTX_free(state->ctx);
    memo_free(state);
    return ok;
}

memo_status memo_sha256_bytes(const void *bytes, size_t n_bytes,
                              unsigned char digest[MEMO_SHA256_BYTES], memo_err *err)
{
    memo_sha256 *state = memo_sha256_new();
    if (!state)
        return memo_fail_nomem(err, "a SHA-256 state", sizeof *state);
    memo_sha256_update(state, bytes, n_bytes);
    if (!memo_sha256_final(state, digest))
        return memo_fail(err, MEMO_ERR_IO, "libcrypto could not compute a SHA-256");
    return MEMO_OK;
}

void memo_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}
