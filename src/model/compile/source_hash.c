// SPDX-License-Identifier: Apache-2.0
/* What a source's files were, in 64 hex digits: whether a compiled model is still what its source
 * would give. The fingerprint cannot say that alone, as it depends on options and class. */
#include <memolith/model.h>

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/compile/source.h"
#include "model/model_handle.h"

#define SOURCE_HASH_STEP ((size_t)1 << 20)

/* Numbers go in as eight bytes, little-endian. */
static void source_hash_begin_file(memo_sha256 *sha, const char *name, uint64_t n_bytes)
{
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(n_bytes >> 8 * i);
    memo_sha256_update(sha, name, strlen(name) + 1);
    memo_sha256_update(sha, length, sizeof length);
}

void memo_source_hash_file(memo_source *source, const char *name, const void *bytes, size_t n_bytes)
{
    source_hash_begin_file(source->sha, name, n_bytes);
    memo_sha256_update(source->sha, bytes, n_bytes);
}

memo_status memo_source_digest(memo_source *source, char hex[MEMO_SOURCE_HASH_TEXT], memo_err *err)
{
    unsigned char digest[MEMO_SHA256_BYTES];
    uint64_t left = source->file.n_bytes;
    memo_status status = MEMO_OK;
    char *step = memo_malloc(SOURCE_HASH_STEP);

    if (!step)
        return memo_fail_nomem(err, "the hash of the source", SOURCE_HASH_STEP);
    source_hash_begin_file(source->sha, "model.safetensors", left);
    while (left && status == MEMO_OK) {
        size_t n = left < SOURCE_HASH_STEP ? (size_t)left : SOURCE_HASH_STEP;
        status = memo_file_read(&source->file, source->file.n_bytes - left, step, n, err);
        if (status == MEMO_OK)
            memo_sha256_update(source->sha, step, n);
        left -= n;
    }
    memo_free(step);
    if (status)
        return status;
    int ok = memo_sha256_final(source->sha, digest);
    source->sha = NULL;
    if (!ok)
        return memo_fail(err, MEMO_ERR_IO, "libcrypto could not compute a SHA-256");
    memo_hex(digest, sizeof digest, hex);
    return MEMO_OK;
}

/* Where the caller of compile said better than the files, what the files say may be nothing that can
 * be used. */
static void source_hash_options(const memo_recipe *recipe, memo_compile_options *options)
{
    if (recipe->origin[MEMO_RECIPE_pooling])
        options->pooling = (memo_pooling)recipe->pooling;
    if (recipe->origin[MEMO_RECIPE_max_tokens])
        options->max_tokens = recipe->max_tokens;
}

memo_status memo_model_check_source(const memo_model *model, const char *folder,
                                    memo_source_check *check, memo_err *err)
{
    memo_compile_options options = {.size = sizeof options};
    memo_source_check made = {.matches = 0};
    memo_source source = {0};
    memo_status status;

    if (!model || !check)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_check_source: a needed argument is NULL");
    if (!folder || !*folder)
        return memo_fail(err, MEMO_ERR_USAGE, "a source is named by its folder");
    if ((status = memo_result_check(check, "memo_source_check", err)))
        return status;
    source_hash_options(&model->file.recipe, &options);
    if (!(status = memo_source_open(&source, folder, &options, err)) &&
        !(status = memo_source_digest(&source, made.found, err))) {
        if (model->file.source)
            memcpy(made.recorded, model->file.source, sizeof made.recorded);
        made.matches = !strcmp(made.recorded, made.found);
        memo_result_write(check, &made, sizeof made);
    }
    memo_source_close(&source);
    return status;
}
