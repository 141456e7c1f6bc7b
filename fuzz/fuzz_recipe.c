// SPDX-License-Identifier: Apache-2.0
/* fuzz_recipe.c -- any bytes as the recipe of a compiled model. What is accepted keeps what must hold
 * between its fields, and what is written of it is read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "model/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_digest(const memo_recipe *recipe, unsigned char digest[MEMO_SHA256_BYTES])
{
    memo_sha256 *sha = memo_sha256_new();
    if (!sha)
        abort();
    memo_recipe_hash(recipe, sha);
    memo_sha256_final(sha, digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_recipe recipe = {0}, again = {0};
    unsigned char a[MEMO_SHA256_BYTES], b[MEMO_SHA256_BYTES];
    memo_err err = {0};
    char *json = NULL, *text = memo_strndup((const char *)data, size);

    if (!text)
        abort();
    if (memo_recipe_read(text, &recipe, &err)) {
        if (!err.message[0] ||
            memo_utf8_check(err.message, strlen(err.message)) != strlen(err.message))
            abort();
    } else {
        if (memo_recipe_check(&recipe, &err) || recipe.hidden_size % recipe.n_heads ||
            recipe.max_tokens > recipe.n_positions || !recipe.n_layers || !recipe.architecture ||
            !recipe.prompt_query || !recipe.prompt_document)
            abort();
        if (memo_recipe_write(&recipe, &json, &err) || memo_recipe_read(json, &again, &err))
            abort();
        fuzz_digest(&recipe, a);
        fuzz_digest(&again, b);
        if (memcmp(a, b, sizeof a) != 0)
            abort();
    }
    memo_recipe_fini(&recipe);
    memo_recipe_fini(&again);
    memo_free(json);
    memo_free(text);
    return 0;
}
