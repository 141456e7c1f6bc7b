// SPDX-License-Identifier: Apache-2.0
/* Compile: stream a published model into the container of model/compiled.h.
 *
 * First what has to be measured, where a class needs that (compile_fit.c), on a model that is mapped and
 * given back layer by layer; then one pass over the weights, 16 output rows at a time, the tokenizer,
 * the probes, which run on the weights just written, and the header; at last the report, measured on the
 * finished file. What grows with the model is what is known of one weight at a time: its scales, and the
 * second moments of its inputs where it is rounded to 4 bits. */
#include <memolith/model.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/fpmode.h"
#include "model/compile/choose.h"
#include "model/compile/compile_job.h"

static void compile_fini(memo_compile_job *job)
{
    memo_st_writer_free(job->writer);
    memo_replace_fini(&job->out);
    memo_fingerprint_fini(&job->identity);
    memo_buf_fini(&job->sums);
    memo_buf_fini(&job->probe.ids);
    memo_buf_fini(&job->probe_texts);
    memo_tokenizer_close(job->tokenizer);
    memo_aligned_free(job->own_tables);
    memo_free(job->block);
    memo_free(job->recipe_json);
    memo_free(job->weights_json);
    if (job->owns_calibration)
        memo_calibration_free(job->calibration);
    for (size_t i = 0; i < job->n_made; i++)
        memo_model_close(job->made[i]);
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
    if ((unsigned)o->pooling > MEMO_POOLING_LAST)
        return memo_fail(err, MEMO_ERR_USAGE, "pooling %d is not one of the list", (int)o->pooling);
    if (o->name && (!*o->name || strlen(o->name) > 200))
        return memo_fail(err, MEMO_ERR_VALUE, "a model's name has 1 to 200 bytes, not %zu",
                         strlen(o->name));
    return memo_choose_check(o, err);
}

/* memolith.weights of a layout that is not plain. */
static memo_status compile_write_formats(memo_compile_job *job, memo_err *err)
{
    memo_buf text = {0};
    char format[MEMO_WEIGHT_FORMAT_TEXT];
    memo_status status = MEMO_OK;

    /* Rules may have made it what another class is without any. */
    if (memo_layout_is_plain(&job->layout, MEMO_CLASS_F32))
        job->options.cls = MEMO_CLASS_F32;
    if (memo_layout_is_plain(&job->layout, MEMO_CLASS_INT8))
        job->options.cls = MEMO_CLASS_INT8;
    if (memo_layout_is_plain(&job->layout, job->options.cls))
        return MEMO_OK;
    for (size_t i = 0; i < job->layout.n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        if (!memo_slot_has_format(slot))
            continue;
        memo_weight_format_put(&slot->format, format);
        memo_buf_printf(&text, "%s\"%s\":\"%s\"", text.n ? "," : "{", slot->name, format);
    }
    memo_buf_puts(&text, "}");
    job->weights_json = text.failed ? NULL : memo_strdup(text.data);
    if (!job->weights_json)
        status = memo_fail_nomem(err, "the list of formats", text.cap);
    memo_buf_fini(&text);
    return status;
}

/* A published folder: its recipe, tokenizer and tensors. */
static memo_status compile_open_folder(memo_compile_job *job, const char *folder, const char *out,
                                       memo_err *err)
{
    memo_status status;

    if ((status = memo_source_open(&job->source, folder, &job->options, err)) ||
        (status = memo_source_digest(&job->source, job->source_hash, err)))
        return status;
    if (memo_same_file(job->source.file.path, out))
        return memo_fail(err, MEMO_ERR_USAGE, "%s: the output is the source's own weights", out);
    job->recipe = &job->source.recipe;
    compile_name(job);
    if ((status = memo_recipe_write(job->recipe, &job->recipe_json, err)) ||
        (status = memo_layout_init(&job->layout, job->recipe, err)))
        return status;
    return memo_weight_map_init(&job->map, &job->source, &job->layout, err);
}

/* A compiled model: everything is in it, and stays as it is but for the weights. */
static memo_status compile_open_model(memo_compile_job *job, memo_model *from, memo_err *err)
{
    memo_compiled *file = &from->file;
    const memo_st_tensor *tables = file->extra[MEMO_EXTRA_TOKENIZER];
    memo_status status =
        memo_compiled_check_all(file, file->st->data_begin,
                                file->extra[MEMO_EXTRA_CHECKSUMS]->begin, job->ctx->pool, 0, err);

    if (status)
        return status;
    job->from = from;
    job->recipe = &file->recipe;
    job->tables = memo_compiled_data(file, tables);
    job->n_tables = (size_t)(tables->end - tables->begin);
    snprintf(job->name, sizeof job->name, "%s",
             job->options.name ? job->options.name : file->metadata_name);
    if (file->source)
        memcpy(job->source_hash, file->source, sizeof job->source_hash);
    job->recipe_json = memo_strdup(file->recipe_json);
    return job->recipe_json ? memo_layout_init(&job->layout, job->recipe, err)
                            : memo_fail_nomem(err, "the recipe", strlen(file->recipe_json));
}

/* A format may only come from a class that is more exact, or from itself. */
static memo_status compile_check_order(const memo_compile_job *job, memo_err *err)
{
    for (size_t i = 0; job->from && i < job->layout.n_slots; i++) {
        const memo_slot *to = &job->layout.slots[i], *from = &job->from->file.layout.slots[i];
        char had[MEMO_WEIGHT_FORMAT_TEXT], wanted[MEMO_WEIGHT_FORMAT_TEXT];
        if (memo_choose_may_follow(&from->format, &to->format))
            continue;
        memo_weight_format_put(&from->format, had);
        memo_weight_format_put(&to->format, wanted);
        memo_fail(err, MEMO_ERR_UNSUPPORTED,
                  "%s is stored as %s, from which %s cannot be made without a second loss",
                  to->name, had, wanted);
        if (from->format.cls == to->format.cls)
            return memo_hint(err, MEMO_ERR_UNSUPPORTED, "keep it: --set '%s=%s'", to->name, had);
        return memo_hint(err, MEMO_ERR_UNSUPPORTED,
                         "from the published folder: memolith model compile FOLDER --class %s",
                         memo_class_name(to->format.cls));
    }
    return MEMO_OK;
}

/* The first call of the progress: all that can be refused without computing has been. */
static memo_status compile_announce_start(const memo_compile_job *job, memo_err *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < job->layout.n_slots; i++)
        total += job->layout.slots[i].n_values;
    return memo_progress_call(job->options.progress, job->options.progress_user, "compile", 0,
                              total, NULL, err);
}

/* Which weights are copied from the source. */
static void compile_mark_kept(memo_compile_job *job)
{
    for (size_t i = 0; job->from && i < job->layout.n_slots; i++)
        job->layout.slots[i].kept = memo_choose_keeps(&job->from->file.layout.slots[i].format,
                                                      &job->layout.slots[i].format);
}

/* The format of each weight: by the options and, where they ask for it, by measuring. */
static memo_status compile_choose(memo_compile_job *job, const char *out, memo_err *err)
{
    const memo_layout *from = job->from ? &job->from->file.layout : NULL;
    memo_status status;

    if ((status = memo_choose_formats(&job->layout, &job->options, from, err)) ||
        (status = compile_check_order(job, err)) ||
        (status = memo_choose_check_use(&job->layout, &job->options, from, err)))
        return status;
    compile_mark_kept(job); /* what is copied needs no measuring */
    status = compile_announce_start(job, err);
    return status ? status : memo_compile_fit(job, out, err);
}

/* What every compile does once formats are known. */
static memo_status compile_prepare(memo_compile_job *job, memo_err *err)
{
    memo_status status;

    memset(job->fingerprint, '0', sizeof job->fingerprint - 1);
    compile_mark_kept(job);
    if ((status = memo_layout_store(&job->layout, err)) ||
        (status = compile_write_formats(job, err)))
        return status;
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

/* Zeros where the report will be. */
static memo_status compile_keep_room(memo_compile_job *job, memo_err *err)
{
    if (!job->report_room)
        return MEMO_OK;
    void *zeros = memo_calloc(1, job->report_room);
    if (!zeros)
        return memo_fail_nomem(err, "the report", job->report_room);
    memo_status status = memo_compile_append(job, memo_compile_extra(job, MEMO_EXTRA_REPORT), zeros,
                                             job->report_room, err);
    memo_free(zeros);
    return status;
}

/* Write the whole file, under its temporary name. */
static memo_status compile_write(memo_compile_job *job, const char *out, memo_err *err)
{
    memo_status status;

    if ((status = memo_compile_begin(job, out, err)) || (status = memo_compile_weights(job, err)) ||
        (status = memo_compile_append(job, job->layout.n_stored + MEMO_EXTRA_TOKENIZER, job->tables,
                                      job->n_tables, err)) ||
        (status = memo_compile_probes(job, err)) || (status = compile_keep_room(job, err)))
        return status;
    return memo_compile_finish(job, err);
}

/* From a source that is open to the renamed file. */
static memo_status compile_run(memo_compile_job *job, const char *out, memo_compile_report **report,
                               memo_err *err)
{
    memo_compile_report *made = NULL;
    memo_status status;
    fenv_t mode;

    memo_fp_default(&mode);
    if ((status = compile_choose(job, out, err)) || (status = compile_prepare(job, err)) ||
        (status = memo_compile_plan_report(job, err)) ||
        (status = compile_report(job, &made, err)) || (status = compile_write(job, out, err)) ||
        (status = memo_compile_measure(job, out, err)) ||
        (status = memo_replace_commit(&job->out, err)))
        goto done;
    memcpy(made->fingerprint, job->fingerprint, sizeof made->fingerprint);
    made->file_bytes = job->out.n_bytes; /* commit keeps it */
    if (report) {
        *report = made;
        made = NULL;
    }
done:
    memo_fp_restore(&mode);
    memo_compile_report_free(made);
    return status;
}

memo_status memo_compile_temporary(const memo_compile_job *of, memo_model *from,
                                   const memo_layout *formats, memo_class cls, const char *out,
                                   memo_model **model, memo_err *err)
{
    memo_compile_job job = {.ctx = of->ctx, .options = of->options, .calibration = of->calibration};
    memo_status status;

    job.options.cls = cls;
    job.options.overwrite = 1; /* of its own temporary name: nothing is renamed */
    job.options.progress = NULL;
    status = from ? compile_open_model(&job, from, err)
                  : compile_open_folder(&job, of->source.folder, out, err);
    for (size_t i = 0; status == MEMO_OK && formats && i < job.layout.n_slots; i++)
        job.layout.slots[i].format = formats->slots[i].format;
    if (status == MEMO_OK && !formats) {
        memo_weight_format defaults[MEMO_CLASSES];
        memo_choose_defaults(&of->options, defaults);
        memo_layout_set_class(&job.layout, &defaults[cls]);
    }
    if (!status && !(status = compile_prepare(&job, err)) &&
        !(status = compile_write(&job, out, err)))
        status = memo_model_open(job.ctx, job.out.tmp_path, NULL, model, err);
    compile_fini(&job);
    return status;
}

memo_status memo_model_compile(memo_ctx *ctx, const char *source, const char *out,
                               const memo_compile_options *options, memo_compile_report **report,
                               memo_err *err)
{
    memo_compile_job job = {.ctx = ctx};
    memo_status status;

    if (!ctx || !source || !*source || !out || !*out)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "compiling needs a context, a source folder and an output path");
    if (!(status = memo_options_copy(&job.options, sizeof job.options, options,
                                     "memo_compile_options", err)) &&
        !(status = compile_check_options(&job.options, err)) &&
        !(status = compile_open_folder(&job, source, out, err)))
        status = compile_run(&job, out, report, err);
    compile_fini(&job);
    return status;
}

/* The recipe is the source's: an option that would change it is refused by name. */
static memo_status compile_refuse_recipe(const memo_compile_options *o, memo_err *err)
{
    const char *option = o->max_tokens       ? "max-tokens"
                         : o->pooling        ? "pooling"
                         : o->layers_average ? "layers-average"
                         : o->dims           ? "dims"
                                             : NULL;
    if (!option)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_USAGE, "%s is part of the recipe, which a compiled model keeps",
              option);
    return memo_hint(err, MEMO_ERR_USAGE, "it is an option of memolith model compile");
}

memo_status memo_model_compress(memo_ctx *ctx, const char *source, const char *out,
                                const memo_compile_options *options, memo_compile_report **report,
                                memo_err *err)
{
    memo_compile_job job = {.ctx = ctx};
    memo_model *from = NULL;
    memo_status status;

    if (!ctx || !source || !*source || !out || !*out)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "compressing needs a context, a compiled model and an output path");
    if (memo_same_file(source, out))
        return memo_fail(err, MEMO_ERR_USAGE, "%s: the output is the source itself", out);
    if (!(status = memo_options_copy(&job.options, sizeof job.options, options,
                                     "memo_compile_options", err)) &&
        !(status = compile_check_options(&job.options, err)) &&
        !(status = compile_refuse_recipe(&job.options, err)) &&
        !(status = memo_model_open(ctx, source, NULL, &from, err)) &&
        !(status = compile_open_model(&job, from, err)))
        status = compile_run(&job, out, report, err);
    compile_fini(&job);
    memo_model_close(from);
    return status;
}
