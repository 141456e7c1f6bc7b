// SPDX-License-Identifier: Apache-2.0
/* The self-test of a compiled model: its texts, ids, and the vectors that the weights just written
 * give. They run on the half-written file, mapped, whose pages are given back after every layer. */
#include "model/compile/compile_job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* A folder's tables move to where they can be read in place. */
static memo_status compile_take_tables(memo_compile_job *job, memo_err *err)
{
    const memo_buf *tables = &job->source.tokenizer;

    if (job->from)
        return MEMO_OK;
    job->own_tables = memo_aligned_alloc(tables->n);
    if (!job->own_tables)
        return memo_fail_nomem(err, "the tokenizer", tables->n);
    memcpy(job->own_tables, tables->data, tables->n);
    job->tables = job->own_tables;
    job->n_tables = tables->n;
    return MEMO_OK;
}

memo_status memo_compile_prepare_probes(memo_compile_job *job, memo_err *err)
{
    const memo_recipe *recipe = job->recipe;
    const uint32_t *ids;
    memo_status status;

    if ((status = compile_take_tables(job, err)) ||
        (status = memo_tokenizer_open(job->tables, job->n_tables, &job->tokenizer, err)))
        return status;
    size_t n_special = memo_tokenizer_prefix(job->tokenizer, &ids);
    n_special += memo_tokenizer_suffix(job->tokenizer, &ids);
    if (n_special >= recipe->max_tokens)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "a maximum of %zu tokens (%s) leaves no room beside %zu special tokens",
                         recipe->max_tokens,
                         recipe->origin[MEMO_RECIPE_max_tokens]
                             ? recipe->origin[MEMO_RECIPE_max_tokens]
                             : "the model",
                         n_special);
    for (size_t i = 0; i < MEMO_COMPILED_PROBES; i++)
        memo_buf_append(&job->probe_texts, memo_probe_texts[i], strlen(memo_probe_texts[i]) + 1);
    if (job->probe_texts.failed)
        return memo_fail_nomem(err, "the probes", job->probe_texts.cap);
    return memo_probe_encode(job->tokenizer, memo_probe_texts, recipe->max_tokens, &job->probe,
                             err);
}

/* The weights as they lie in the half-written file. */
typedef struct compile_view {
    const memo_compile_job *job;
    const memo_map *map;
    const unsigned char *data; /* of the data section */
} compile_view;

/* After a stage its layer is not needed again. */
static void compile_release(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    const compile_view *view = user;
    const memo_compile_job *job = view->job;
    size_t first, end;

    (void)states, (void)n_tokens;
    memo_layout_stage(&job->layout, stage, &first, &end);
    for (size_t i = first; i < end; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        uint64_t begin = memo_st_writer_offset(job->writer, slot->first);
        memo_map_release(view->map, begin, begin + job->layout.stored[slot->first].n_bytes);
    }
}

/* Point the executor at the half-written file. */
static void compile_bind(const compile_view *view, memo_transformer *transformer,
                         memo_layer_weights *layers)
{
    const memo_compile_job *job = view->job;

    for (size_t i = 0; i < job->layout.n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        const void *data[MEMO_STORED_KINDS] = {NULL};
        for (size_t k = 0; k < slot->n_stored; k++)
            data[slot->kinds[k]] = view->data + memo_compile_offset(job, slot->first + k);
        memo_layout_bind(slot, data, transformer, layers);
    }
    transformer->layers = layers;
}

/* Every vector must be one, and a model that says the same of all texts says nothing. */
static memo_status compile_check_probes(const memo_compile_job *job, const float *vectors,
                                        const unsigned char *ok, memo_err *err)
{
    size_t dim_bytes = memo_recipe_dim(job->recipe) * sizeof *vectors, n_equal = 0;

    for (size_t i = 0; i < MEMO_COMPILED_PROBES; i++) {
        if (!ok[i])
            return memo_fail(err, MEMO_ERR_VALUE,
                             "the model gives no finite vector with a length for the self-test "
                             "text \"%.40s\"",
                             memo_probe_texts[i]);
        n_equal += !memcmp(vectors, (const char *)vectors + i * dim_bytes, dim_bytes);
    }
    if (n_equal == MEMO_COMPILED_PROBES)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the model gives the same vector for every self-test text: its weights "
                         "are not those of a trained model");
    return MEMO_OK;
}

static memo_status compile_run_probes(memo_compile_job *job, const memo_map *map, float *vectors,
                                      memo_err *err)
{
    const memo_recipe *recipe = job->recipe;
    compile_view view = {job, map, map->data + memo_st_writer_offset(job->writer, 0)};
    memo_transformer transformer = {
        .config = memo_layout_config(&job->layout, recipe),
        .kernels = memo_kernels_for(memo_ctx_cpu(job->ctx)),
    };
    memo_tap tap = {.fn = compile_release, .user = &view};
    unsigned char ok[MEMO_COMPILED_PROBES];
    memo_layer_weights *layers = memo_calloc(recipe->n_layers, sizeof *layers);

    if (!layers)
        return memo_fail_nomem(err, "the layers", recipe->n_layers * sizeof *layers);
    compile_bind(&view, &transformer, layers);
    memo_status status = memo_probe_run(&transformer, (const uint32_t *)(void *)job->probe.ids.data,
                                        job->probe.cu_seqlens, tap, vectors, ok, err);
    memo_free(layers);
    if (status == MEMO_OK && !job->options.allow_nonfinite)
        status = compile_check_probes(job, vectors, ok, err);
    return status;
}

memo_status memo_compile_probes(memo_compile_job *job, memo_err *err)
{
    size_t n_vectors = MEMO_COMPILED_PROBES * memo_recipe_dim(job->recipe);
    size_t spec = job->layout.n_stored;
    memo_map map = {0};
    memo_status status;
    float *vectors = memo_calloc(n_vectors, sizeof *vectors);

    if (!vectors)
        return memo_fail_nomem(err, "the probes", n_vectors * sizeof *vectors);
    if ((status = memo_st_writer_flush(job->writer, err)) ||
        (status = memo_map_open(&map, job->out.tmp_path, err)) ||
        (status = compile_run_probes(job, &map, vectors, err)) ||
        (status = memo_compile_append(job, spec + MEMO_EXTRA_PROBE_TEXTS, job->probe_texts.data,
                                      job->probe_texts.n, err)) ||
        (status = memo_compile_append(job, spec + MEMO_EXTRA_PROBE_CU_SEQLENS,
                                      job->probe.cu_seqlens, sizeof job->probe.cu_seqlens, err)) ||
        (status = memo_compile_append(job, spec + MEMO_EXTRA_PROBE_IDS, job->probe.ids.data,
                                      job->probe.ids.n, err)))
        goto done;
    status = memo_compile_append(job, spec + MEMO_EXTRA_PROBE_VECTORS, vectors,
                                 n_vectors * sizeof *vectors, err);
done:
    memo_map_close(&map);
    memo_free(vectors);
    return status;
}
