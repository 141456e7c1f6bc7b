// SPDX-License-Identifier: Apache-2.0
/* Listing of foreign model files. */
#include <memolith/model.h>

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "format/safetensors.h"

/* The public list comes first, so that its address is the block's. */
typedef struct inspect_result {
    memo_tensor_list list;
    memo_arena arena;
} inspect_result;

/* Returns 0 when out of memory. */
static int inspect_tensor(memo_arena *arena, const memo_st_tensor *from, memo_tensor_info *to)
{
    uint64_t *shape = memo_arena_array(arena, from->n_dims + 1, sizeof *shape);

    to->name = memo_arena_strdup(arena, from->name);
    if (!shape || !to->name)
        return 0;
    if (from->n_dims)
        memcpy(shape, from->shape, from->n_dims * sizeof *shape);
    to->dtype = memo_dtype_name(from->dtype);
    to->n_dims = from->n_dims;
    to->shape = shape;
    to->n_bytes = from->end - from->begin;
    to->offset = from->begin;
    return 1;
}

static int inspect_fill(inspect_result *result, const memo_safetensors *st)
{
    memo_arena *arena = &result->arena;
    memo_tensor_info *tensors = memo_arena_array(arena, st->n_tensors + 1, sizeof *tensors);
    const char **metadata = memo_arena_array(arena, 2 * st->n_metadata + 1, sizeof *metadata);

    if (!tensors || !metadata)
        return 0;
    for (size_t i = 0; i < st->n_tensors; i++)
        if (!inspect_tensor(arena, &st->tensors[i], &tensors[i]))
            return 0;
    for (size_t i = 0; i < st->n_metadata; i++) {
        metadata[2 * i] = memo_arena_strdup(arena, st->metadata[i].key);
        metadata[2 * i + 1] = memo_arena_strdup(arena, st->metadata[i].value);
        if (!metadata[2 * i] || !metadata[2 * i + 1])
            return 0;
    }
    result->list = (memo_tensor_list){
        .format = "safetensors",
        .n = st->n_tensors,
        .tensors = tensors,
        .n_metadata = st->n_metadata,
        .metadata = metadata,
    };
    return 1;
}

memo_status memo_model_inspect(memo_ctx *ctx, const char *path, memo_tensor_list **list,
                               memo_err *err)
{
    memo_file file = {0};
    memo_safetensors *st = NULL;
    inspect_result *result = NULL;
    memo_status status;

    if (!ctx || !path || !list)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_inspect: a needed argument is NULL");
    if ((status = memo_file_open(&file, path, err)) ||
        (status = memo_safetensors_read(&file, &st, err)))
        goto done;
    result = memo_calloc(1, sizeof *result);
    if (!result || !inspect_fill(result, st)) {
        status = memo_fail_nomem(err, "the list of tensors", st->n_tensors * sizeof(*list));
        goto done;
    }
    *list = &result->list;
    result = NULL;
done:
    memo_tensor_list_free(result ? &result->list : NULL);
    memo_safetensors_free(st);
    memo_file_close(&file);
    return status;
}

void memo_tensor_list_free(memo_tensor_list *list)
{
    inspect_result *result = (inspect_result *)(void *)list;

    if (!result)
        return;
    memo_arena_fini(&result->arena);
    memo_free(result);
}
