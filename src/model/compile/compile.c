// SPDX-License-Identifier: Apache-2.0
/* Compile: stream a published model into the container of model/compiled.h.
 *
 * One pass over the weights, 16 output rows at a time: read, convert, check, feed the fingerprint,
 * pack, write, feed the checksums. Then the tokenizer, then the probes, which run on the weights
 * just written (their pages are given back after every layer), and at last the header. Nothing
 * grows with the weights. */
#include <memolith/model.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/hash.h"
#include "model/compile/weights.h"
#include "model/compiled.h"
#include "model/verify/probe.h"
#include "quant/pack.h"

/* Everything one compile holds; fini releases it all. */
typedef struct compile_job {
    memo_ctx *ctx;
    memo_compile_options options;
    memo_source source;
    memo_layout layout;
    memo_weight_map map;
    void *tables; /* the tokenizer's, aligned */
    memo_tokenizer *tokenizer;
    memo_probe_ids probe;
    memo_buf probe_texts;
    memo_replace out;
    memo_st_writer *writer;
    memo_sha256 *sha;
    memo_buf sums;        /* uint64_t values */
    unsigned char *block; /* [MEMO_COMPILED_BLOCK] of the data section, hashed when full */
    size_t n_block;
    uint64_t at;      /* bytes of the data section so far */
    memo_strip strip; /* 16 rows of the widest weight; one block of memory with the panel */
    float *panel;     /* the same, packed */
    char name[256];
    char fingerprint[2 * MEMO_SHA256_BYTES + 1];
    char source_hash[MEMO_SOURCE_HASH_TEXT];
} compile_job;

static void compile_fini(compile_job *job)
{
    memo_st_writer_free(job->writer);
    memo_replace_fini(&job->out);
    memo_sha256_final(job->sha, NULL);
    memo_buf_fini(&job->sums);
    memo_buf_fini(&job->probe.ids);
    memo_buf_fini(&job->probe_texts);
    memo_tokenizer_close(job->tokenizer);
    memo_aligned_free(job->tables);
    memo_aligned_free(job->strip.raw);
    memo_free(job->block);
    memo_weight_map_fini(&job->map);
    memo_layout_fini(&job->layout);
    memo_source_close(&job->source);
}

/* ---- data with checksums ------------------------------------------------------------------- */

static void compile_end_block(compile_job *job)
{
    uint64_t sum = memo_xxh64(job->block, job->n_block, job->sums.n / sizeof(uint64_t));
    memo_buf_append(&job->sums, &sum, sizeof sum);
    job->n_block = 0;
}

/* Bytes NULL: zeros. */
static void compile_sum(compile_job *job, const unsigned char *bytes, uint64_t n_bytes)
{
    job->at += n_bytes;
    while (n_bytes) {
        uint64_t n = MEMO_COMPILED_BLOCK - job->n_block;
        n = n < n_bytes ? n : n_bytes;
        if (bytes) {
            memcpy(job->block + job->n_block, bytes, (size_t)n);
            bytes += n;
        } else {
            memset(job->block + job->n_block, 0, (size_t)n);
        }
        job->n_block += (size_t)n;
        n_bytes -= n;
        if (job->n_block == MEMO_COMPILED_BLOCK)
            compile_end_block(job);
    }
}

/* Offset of a spec in the data section. */
static uint64_t compile_offset(const compile_job *job, size_t spec)
{
    return memo_st_writer_offset(job->writer, spec) - memo_st_writer_offset(job->writer, 0);
}

static memo_status compile_append(compile_job *job, size_t spec, const void *bytes, size_t n_bytes,
                                  memo_err *err)
{
    uint64_t begin = compile_offset(job, spec);

    if (job->at < begin)
        compile_sum(job, NULL, begin - job->at);
    compile_sum(job, bytes, n_bytes);
    if (job->sums.failed)
        return memo_fail_nomem(err, "checksums", job->sums.cap);
    return memo_st_writer_append(job->writer, spec, bytes, n_bytes, err);
}

/* ---- weights ------------------------------------------------------------------------------- */

static memo_status compile_slot(compile_job *job, size_t index, memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    memo_status status = MEMO_OK;

    memo_fingerprint_slot(job->sha, slot);
    for (size_t row = 0; row < slot->n_rows && status == MEMO_OK; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row;
        size_t n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        size_t n = n_rows * slot->n_cols;
        status =
            memo_weight_read(&job->source, &job->map.slots[index], (uint64_t)row * slot->n_cols, n,
                             !job->options.allow_nonfinite, job->strip, err);
        if (status)
            return status;
        memo_fingerprint_rows(job->sha, job->strip.rows, n);
        if (slot->packed) {
            memo_pack_f32(n_rows, slot->n_cols, job->strip.rows, job->panel);
            status = compile_append(job, index, job->panel,
                                    memo_pack_panel_f32(slot->n_cols) * sizeof(float), err);
        } else {
            status = compile_append(job, index, job->strip.rows, n * sizeof(float), err);
        }
    }
    return status;
}

static memo_status compile_alloc_strip(compile_job *job, memo_err *err)
{
    size_t widest = 0;

    for (size_t i = 0; i < job->layout.n_slots; i++)
        if (job->layout.slots[i].n_cols > widest)
            widest = job->layout.slots[i].n_cols;
    size_t n = memo_pack_panel_f32(widest); /* at most 65,536 * 3 columns of 16 rows */
    size_t n_bytes = MEMO_STRIP_RAW_BYTES(n) + 2 * n * sizeof(float);
    job->strip.raw = memo_aligned_alloc(n_bytes);
    job->block = memo_malloc(MEMO_COMPILED_BLOCK);
    if (!job->strip.raw || !job->block)
        return memo_fail_nomem(err, "a strip of weights", n_bytes + MEMO_COMPILED_BLOCK);
    job->strip.rows = (float *)(void *)((char *)job->strip.raw + MEMO_STRIP_RAW_BYTES(n));
    job->panel = job->strip.rows + n;
    return MEMO_OK;
}

static memo_status compile_weights(compile_job *job, memo_err *err)
{
    uint64_t total = 0, done = 0;
    memo_status status = compile_alloc_strip(job, err);

    for (size_t i = 0; i < job->layout.n_slots; i++)
        total += job->layout.slots[i].n_bytes;
    memo_fingerprint_begin(job->sha, job->options.cls);
    for (size_t i = 0; i < job->layout.n_slots && status == MEMO_OK; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        status = memo_progress_call(job->options.progress, job->options.progress_user, "compile",
                                    done, total, slot->name, err);
        if (status == MEMO_OK)
            status = compile_slot(job, i, err);
        done += slot->n_bytes;
    }
    if (status == MEMO_OK)
        status = memo_progress_call(job->options.progress, job->options.progress_user, "compile",
                                    total, total, NULL, err);
    return status;
}

/* ---- probes -------------------------------------------------------------------------------- */

/* The weights as they lie in the half-written file. */
typedef struct compile_view {
    const compile_job *job;
    const unsigned char *data; /* of the data section */
    uintptr_t page_bytes;      /* of the machine: 4, 16 or 64 KiB */
} compile_view;

/* After a stage its layer is not needed again: give the pages back, so that memory does not grow
 * with the model. */
static void compile_release(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    const compile_view *view = user;
    const compile_job *job = view->job;

    (void)states, (void)n_tokens;
    for (size_t i = 0; i < job->layout.n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        if (stage && (slot->weight < MEMO_WEIGHT_LAYER_FIRST || slot->layer != stage - 1))
            continue;
        if (!stage && slot->weight >= MEMO_WEIGHT_LAYER_FIRST)
            break;
#ifdef MADV_DONTNEED /* advice: a private, clean mapping is read again when it is touched */
        uintptr_t first = (uintptr_t)view->data + compile_offset(job, i);
        uintptr_t begin = (first + view->page_bytes - 1) / view->page_bytes * view->page_bytes;
        uintptr_t end = (first + slot->n_bytes) / view->page_bytes * view->page_bytes;
        if (begin < end)
            madvise((void *)begin, end - begin, MADV_DONTNEED);
#endif
    }
}

static memo_status compile_run_probes(compile_job *job, const memo_map *map, float *vectors,
                                      memo_err *err)
{
    const memo_recipe *recipe = &job->source.recipe;
    compile_view view = {job, map->data + memo_st_writer_offset(job->writer, 0),
                         (uintptr_t)sysconf(_SC_PAGESIZE)};
    memo_transformer transformer = {
        .config = memo_recipe_config(recipe),
        .kernels = memo_kernels_for(memo_ctx_cpu(job->ctx)),
    };
    memo_tap tap = {compile_release, &view};
    unsigned char ok[MEMO_COMPILED_PROBES];
    memo_layer_weights *layers = memo_calloc(recipe->n_layers, sizeof *layers);

    if (!layers)
        return memo_fail_nomem(err, "the layers", recipe->n_layers * sizeof *layers);
    transformer.layers = layers;
    for (size_t i = 0; i < job->layout.n_slots; i++)
        memo_layout_bind(&job->layout.slots[i],
                         (const float *)(const void *)(view.data + compile_offset(job, i)),
                         &transformer, layers);
    memo_status status = memo_probe_run(&transformer, (const uint32_t *)(void *)job->probe.ids.data,
                                        job->probe.cu_seqlens, tap, vectors, ok, err);
    memo_free(layers);
    for (size_t i = 0; i < MEMO_COMPILED_PROBES && status == MEMO_OK; i++)
        if (!ok[i] && !job->options.allow_nonfinite)
            status = memo_fail(err, MEMO_ERR_VALUE,
                               "the model gives no finite vector with a length for the self-test "
                               "text \"%.40s\"",
                               memo_probe_texts[i]);
    return status;
}

static memo_status compile_probes(compile_job *job, memo_err *err)
{
    size_t n_vectors = MEMO_COMPILED_PROBES * job->source.recipe.hidden_size;
    size_t spec = job->layout.n_slots;
    memo_map map = {0};
    memo_status status;
    float *vectors = memo_calloc(n_vectors, sizeof *vectors);

    if (!vectors)
        return memo_fail_nomem(err, "the probes", n_vectors * sizeof *vectors);
    if ((status = memo_map_open(&map, job->out.tmp_path, err)) ||
        (status = compile_run_probes(job, &map, vectors, err)) ||
        (status = compile_append(job, spec + MEMO_EXTRA_PROBE_TEXTS, job->probe_texts.data,
                                 job->probe_texts.n, err)) ||
        (status = compile_append(job, spec + MEMO_EXTRA_PROBE_CU_SEQLENS, job->probe.cu_seqlens,
                                 sizeof job->probe.cu_seqlens, err)) ||
        (status = compile_append(job, spec + MEMO_EXTRA_PROBE_IDS, job->probe.ids.data,
                                 job->probe.ids.n, err)))
        goto done;
    status = compile_append(job, spec + MEMO_EXTRA_PROBE_VECTORS, vectors,
                            n_vectors * sizeof *vectors, err);
done:
    memo_map_close(&map);
    memo_free(vectors);
    return status;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Sizes of the tensors after the weights. The data before the checksums is a sum of sizes, each
 * rounded up to the alignment. */
static void compile_extra_shapes(const compile_job *job, uint64_t shapes[MEMO_EXTRAS][2])
{
    uint64_t n_data = 0;

    shapes[MEMO_EXTRA_TOKENIZER][0] = job->source.tokenizer.n;
    shapes[MEMO_EXTRA_PROBE_TEXTS][0] = job->probe_texts.n;
    shapes[MEMO_EXTRA_PROBE_CU_SEQLENS][0] = MEMO_COMPILED_PROBES + 1;
    shapes[MEMO_EXTRA_PROBE_IDS][0] = job->probe.ids.n / sizeof(uint32_t);
    shapes[MEMO_EXTRA_PROBE_VECTORS][0] = MEMO_COMPILED_PROBES;
    shapes[MEMO_EXTRA_PROBE_VECTORS][1] = job->source.recipe.hidden_size;
    for (size_t i = 0; i < job->layout.n_slots; i++)
        n_data += (job->layout.slots[i].n_bytes + 63) / 64 * 64;
    for (size_t i = 0; i < MEMO_EXTRA_CHECKSUMS; i++) {
        uint64_t n_values = shapes[i][0] * (memo_extra_specs[i].n_dims == 2 ? shapes[i][1] : 1);
        n_data += (n_values * memo_dtype_bits(memo_extra_specs[i].dtype) / 8 + 63) / 64 * 64;
    }
    shapes[MEMO_EXTRA_CHECKSUMS][0] = (n_data + MEMO_COMPILED_BLOCK - 1) / MEMO_COMPILED_BLOCK + 1;
}

/* The metadata in file order; the values of the two hashes are as long as they will be. */
#define COMPILE_PAIRS 9

static void compile_metadata(const compile_job *job, const char *recipe_json,
                             const char *(*pairs)[2])
{
    const char *const values[COMPILE_PAIRS][2] = {
        {MEMO_KEY_FORMAT, MEMO_COMPILED_FORMAT},
        {MEMO_KEY_LAYOUT, MEMO_COMPILED_LAYOUT},
        {MEMO_KEY_CLASS, memo_class_name(job->options.cls)},
        {MEMO_KEY_NAME, job->name},
        {MEMO_KEY_RECIPE, recipe_json},
        {MEMO_KEY_FINGERPRINT, job->fingerprint},
        {MEMO_KEY_TOOL, memo_version()},
        {MEMO_KEY_SOURCE, job->source_hash},
        {MEMO_KEY_HEADER_HASH, "0000000000000000"},
    };
    memcpy(pairs, values, sizeof values);
}

/* Bytes that the metadata takes in the header, escapes included. */
static memo_status compile_metadata_room(const char *(*pairs)[2], size_t *room, memo_err *err)
{
    memo_buf text = {0};

    for (size_t i = 0; i < COMPILE_PAIRS; i++)
        for (size_t side = 0; side < 2; side++) {
            memo_buf_put_json(&text, pairs[i][side], strlen(pairs[i][side]));
            memo_buf_puts(&text, "  "); /* colon, comma */
        }
    memo_status status = text.failed ? memo_fail_nomem(err, "the metadata", text.cap) : MEMO_OK;
    *room = text.n;
    memo_buf_fini(&text);
    return status;
}

static memo_status compile_begin(compile_job *job, const char *recipe_json, const char *path,
                                 memo_err *err)
{
    size_t n_slots = job->layout.n_slots, room = 0;
    const char *pairs[COMPILE_PAIRS][2];
    uint64_t shapes[MEMO_EXTRAS][2] = {{0}};
    memo_st_spec *specs = memo_calloc(n_slots + MEMO_EXTRAS, sizeof *specs);
    memo_status status;

    if (!specs)
        return memo_fail_nomem(err, "the list of tensors", n_slots * sizeof *specs);
    for (size_t i = 0; i < n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        specs[i] = (memo_st_spec){slot->name, MEMO_DTYPE_F32, slot->n_dims, slot->shape};
    }
    compile_extra_shapes(job, shapes);
    for (size_t i = 0; i < MEMO_EXTRAS; i++) {
        specs[n_slots + i] = memo_extra_specs[i];
        specs[n_slots + i].shape = shapes[i];
    }
    compile_metadata(job, recipe_json, pairs);
    if (!(status = compile_metadata_room(pairs, &room, err)) &&
        !(status = memo_replace_begin(&job->out, path, job->options.overwrite, err)))
        status =
            memo_st_writer_new(&job->out, specs, n_slots + MEMO_EXTRAS, room, &job->writer, err);
    memo_free(specs);
    return status;
}

/* Read the finished header back and put its checksum into it. */
static memo_status compile_sign_header(compile_job *job, memo_err *err)
{
    size_t n_bytes = (size_t)memo_st_writer_offset(job->writer, 0);
    char digits[MEMO_HEADER_HASH_DIGITS + 1];
    memo_file file = {0};
    size_t at = 0;
    memo_status status;
    char *header = memo_malloc(n_bytes);

    if (!header)
        return memo_fail_nomem(err, "the header", n_bytes);
    if (!(status = memo_file_open(&file, job->out.tmp_path, err)) &&
        !(status = memo_file_read(&file, 0, header, n_bytes, err))) {
        if (memo_compiled_header_hash(header, n_bytes, &at, digits))
            status = memo_replace_write_at(&job->out, at, digits, MEMO_HEADER_HASH_DIGITS, err);
        else
            status = memo_fail(err, MEMO_ERR_IO, "%s: the header read back is not the one written",
                               job->out.tmp_path);
    }
    memo_file_close(&file);
    memo_free(header);
    return status;
}

static memo_status compile_finish(compile_job *job, const char *recipe_json, memo_err *err)
{
    size_t spec = job->layout.n_slots + MEMO_EXTRA_CHECKSUMS;
    unsigned char digest[MEMO_SHA256_BYTES];
    const char *pairs[COMPILE_PAIRS][2];
    uint64_t begin = compile_offset(job, spec);
    memo_status status;

    compile_sum(job, NULL, begin - job->at);
    if (job->n_block)
        compile_end_block(job);
    uint64_t n_blocks = job->sums.n / sizeof(uint64_t);
    uint64_t sum = memo_xxh64(job->sums.data, job->sums.n, n_blocks);
    memo_buf_append(&job->sums, &sum, sizeof sum);
    if (job->sums.failed)
        return memo_fail_nomem(err, "checksums", job->sums.cap);
    memo_fingerprint_rest(job->sha, job->source.tokenizer.data, job->source.tokenizer.n,
                          &job->source.recipe);
    memo_sha256_final(job->sha, digest);
    job->sha = NULL;
    memo_hex(digest, sizeof digest, job->fingerprint);
    compile_metadata(job, recipe_json, pairs);
    if ((status = memo_st_writer_append(job->writer, spec, job->sums.data, job->sums.n, err)))
        return status;
    for (size_t i = 0; i < COMPILE_PAIRS; i++)
        if ((status = memo_st_writer_set(job->writer, pairs[i][0], pairs[i][1], err)))
            return status;
    if ((status = memo_st_writer_finish(job->writer, err)) ||
        (status = compile_sign_header(job, err)))
        return status;
    return memo_replace_commit(&job->out, err);
}

/* ---- before the weights -------------------------------------------------------------------- */

/* The tokenizer as it will be read, and the probes' ids, whose number fixes the file's layout. */
static memo_status compile_prepare_probes(compile_job *job, memo_err *err)
{
    const memo_recipe *recipe = &job->source.recipe;
    const memo_buf *tables = &job->source.tokenizer;
    const uint32_t *ids;
    memo_status status;

    job->tables = memo_aligned_alloc(tables->n);
    if (!job->tables)
        return memo_fail_nomem(err, "the tokenizer", tables->n);
    memcpy(job->tables, tables->data, tables->n);
    if ((status = memo_tokenizer_open(job->tables, tables->n, &job->tokenizer, err)))
        return status;
    size_t n_special = memo_tokenizer_prefix(job->tokenizer, &ids);
    n_special += memo_tokenizer_suffix(job->tokenizer, &ids);
    if (n_special >= recipe->max_tokens)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "a maximum of %zu tokens (%s) leaves no room beside %zu special tokens",
                         recipe->max_tokens, recipe->origin[MEMO_RECIPE_max_tokens], n_special);
    for (size_t i = 0; i < MEMO_COMPILED_PROBES; i++)
        memo_buf_append(&job->probe_texts, memo_probe_texts[i], strlen(memo_probe_texts[i]) + 1);
    if (job->probe_texts.failed)
        return memo_fail_nomem(err, "the probes", job->probe_texts.cap);
    return memo_probe_encode(job->tokenizer, memo_probe_texts, recipe->max_tokens, &job->probe,
                             err);
}

/* The given name, or the folder's own: "models/all-MiniLM-L6-v2/" -> "all-MiniLM-L6-v2". */
static void compile_name(compile_job *job)
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
    if (o->cls != MEMO_CLASS_F32)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED, "class %d is not supported, only f32",
                         (int)o->cls);
    if ((unsigned)o->pooling > MEMO_POOLING_LAST)
        return memo_fail(err, MEMO_ERR_USAGE, "pooling %d is not one of the list", (int)o->pooling);
    if (o->name && (!*o->name || strlen(o->name) > 200))
        return memo_fail(err, MEMO_ERR_VALUE, "a model's name has 1 to 200 bytes, not %zu",
                         strlen(o->name));
    return MEMO_OK;
}

static memo_status compile_prepare(compile_job *job, const char *folder, const char *out,
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
    if ((status = memo_layout_init(&job->layout, &job->source.recipe, err)) ||
        (status = memo_weight_map_init(&job->map, &job->source, &job->layout, err)))
        return status;
    job->sha = memo_sha256_new();
    if (!job->sha)
        return memo_fail_nomem(err, "the fingerprint", 0);
    return compile_prepare_probes(job, err);
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
static memo_status compile_report(const compile_job *job, memo_compile_report **report,
                                  memo_err *err)
{
    compile_result *result = memo_calloc(1, sizeof *result);
    if (!result)
        return memo_fail_nomem(err, "the report", sizeof *result);
    memo_compile_report *r = &result->report;
    r->n_tensors = job->layout.n_slots;
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
    compile_job job = {.ctx = ctx};
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
        (status = compile_begin(&job, recipe_json, out, err)) ||
        (status = compile_weights(&job, err)) ||
        (status = compile_append(&job, job.layout.n_slots + MEMO_EXTRA_TOKENIZER, job.tables,
                                 job.source.tokenizer.n, err)) ||
        (status = compile_probes(&job, err)) || (status = compile_finish(&job, recipe_json, err)))
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
