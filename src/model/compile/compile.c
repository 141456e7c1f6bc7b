// SPDX-License-Identifier: Apache-2.0
/* Compile: stream a published model into the container of model/compiled.h.
 *
 * One pass over the weights, 16 output rows at a time; then the tokenizer, then the probes, which
 * run on the weights just written, and at last the header. Nothing grows with the weights. */
#include <memolith/model.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "model/compile/compile_job.h"

static void compile_fini(memo_compile_job *job)
{
    memo_st_writer_free(job->writer);
    memo_replace_fini(&job->out);
    memo_sha256_final(job->sha, NULL);
    memo_buf_fini(&job->sums);
    memo_buf_fini(&job->probe.ids);
    memo_buf_fini(&job->probe_texts);
    memo_tokenizer_close(job->tokenizer);
    memo_aligned_free(job->tables);
    memo_free(job->block);
    memo_weight_map_fini(&job->map);
    memo_layout_fini(&job->layout);
    memo_source_close(&job->source);
}

/* ---- before the weights -------------------------------------------------------------------- */

/* The given name, or the folder's own: "models/all-MiniLM-L6-v2/" -> "all-MiniLM-L6-v2". */
static void compile_name(memo_compile_job *job)
{
    const char *folder = job->source.folder;
    size_t end = strlen(folder);

    if (job->options.name) {
        snprintf(job->name, sizeof job->name, "%s", job->options.name);
        return;
    }
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    snprintf(job->name, sizeof job->name, "%.*s", (int)(end - begin), folder + begin);
}

static memo_status compile_check_options(const memo_compile_options *o, memo_err *err)
{
    if ((unsigned)o->cls > MEMO_CLASS_INT8)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "class %d is not supported; supported are f32 and int8", (int)o->cls);
    if ((unsigned)o->pooling > MEMO_POOLING_LAST)
        return memo_fail(err, MEMO_ERR_USAGE, "pooling %d is not one of the list", (int)o->pooling);
    if (o->name && (!*o->name || strlen(o->name) > 200))
        return memo_fail(err, MEMO_ERR_VALUE, "a model's name has 1 to 200 bytes, not %zu",
                         strlen(o->name));
    return MEMO_OK;
}

static memo_status compile_prepare(memo_compile_job *job, const char *folder, const char *out,
                                   memo_err *err)
{
    memo_status status;

    if ((status = compile_check_options(&job->options, err)) ||
        (status = memo_source_open(&job->source, folder, &job->options, err)) ||
        (status = memo_source_digest(&job->source, job->source_hash, err)))
        return status;
    if (memo_same_file(job->source.file.path, out))
        return memo_fail(err, MEMO_ERR_USAGE, "%s: the output is the source's own weights", out);
    compile_name(job);
    memset(job->fingerprint, '0', sizeof job->fingerprint - 1);
    if ((status = memo_layout_init(&job->layout, &job->source.recipe, job->options.cls, err)) ||
        (status = memo_weight_map_init(&job->map, &job->source, &job->layout, err)))
        return status;
    job->sha = memo_sha256_new();
    if (!job->sha)
        return memo_fail_nomem(err, "the fingerprint", 0);
    return memo_compile_prepare_probes(job, err);
}

/* ---- report -------------------------------------------------------------------------------- */

/* The public report comes first, so that its address is the block's. */
typedef struct compile_result {
    memo_compile_report report;
    memo_arena arena;
} compile_result;

static const char *const *compile_copy_names(memo_arena *arena, const char *const *from, size_t n)
{
    const char **to = memo_arena_array(arena, n + 1, sizeof *to);

    for (size_t i = 0; to && i < n; i++)
        if (!(to[i] = memo_arena_strdup(arena, from[i])))
            return NULL;
    return to;
}

/* Made before the file is committed: afterwards nothing may fail. */
static memo_status compile_report(const memo_compile_job *job, memo_compile_report **report,
                                  memo_err *err)
{
    compile_result *result = memo_calloc(1, sizeof *result);
    if (!result)
        return memo_fail_nomem(err, "the report", sizeof *result);
    memo_compile_report *r = &result->report;
    r->n_tensors = job->layout.n_stored;
    r->n_parameters = job->layout.n_parameters;
    r->n_unused = job->map.n_unused;
    r->unused = compile_copy_names(&result->arena, job->map.unused, job->map.n_unused);
    r->n_warnings = job->source.n_warnings;
    r->warnings = compile_copy_names(&result->arena, job->source.warnings, job->source.n_warnings);
    if (!r->unused || !r->warnings) {
        memo_compile_report_free(r);
        return memo_fail_nomem(err, "the report", 0);
    }
    *report = r;
    return MEMO_OK;
}

void memo_compile_report_free(memo_compile_report *report)
{
    compile_result *result = (compile_result *)(void *)report;

    if (!result)
        return;
    memo_arena_fini(&result->arena);
    memo_free(result);
}

memo_status memo_model_compile(memo_ctx *ctx, const char *source, const char *out,
                               const memo_compile_options *options, memo_compile_report **report,
                               memo_err *err)
{
    memo_compile_job job = {.ctx = ctx};
    memo_compile_report *made = NULL;
    char *recipe_json = NULL;
    memo_status status;

    if (!ctx || !source || !*source || !out || !*out)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "compiling needs a context, a source folder and an output path");
    if ((status = memo_options_copy(&job.options, sizeof job.options, options,
                                    "memo_compile_options", err)) ||
        (status = compile_prepare(&job, source, out, err)) ||
        (status = memo_recipe_write(&job.source.recipe, &recipe_json, err)) ||
        (status = compile_report(&job, &made, err)) ||
        (status = memo_compile_begin(&job, recipe_json, out, err)) ||
        (status = memo_compile_weights(&job, err)) ||
        (status = memo_compile_append(&job, job.layout.n_stored + MEMO_EXTRA_TOKENIZER, job.tables,
                                      job.source.tokenizer.n, err)) ||
        (status = memo_compile_probes(&job, err)) ||
        (status = memo_compile_finish(&job, recipe_json, err)))
        goto done;
    memcpy(made->fingerprint, job.fingerprint, sizeof made->fingerprint);
    made->file_bytes = job.out.n_bytes; /* commit keeps it */
    if (report) {
        *report = made;
        made = NULL;
    }
done:
    memo_compile_report_free(made);
    memo_free(recipe_json);
    compile_fini(&job);
    return status;
}
