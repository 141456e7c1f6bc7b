// SPDX-License-Identifier: Apache-2.0
/* The container of a compiled model as it is written: data under checksums, then the header. */
#include "model/compile/compile_job.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* ---- data with checksums ------------------------------------------------------------------- */

static void compile_end_block(memo_compile_job *job)
{
    uint64_t sum = memo_xxh64(job->block, job->n_block, job->sums.n / sizeof(uint64_t));
    memo_buf_append(&job->sums, &sum, sizeof sum);
    job->n_block = 0;
}

/* Bytes NULL: zeros. */
static void compile_sum(memo_compile_job *job, const unsigned char *bytes, uint64_t n_bytes)
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

size_t memo_compile_extra(const memo_compile_job *job, memo_extra extra)
{
    return job->layout.n_stored + extra - (!job->report_room && extra > MEMO_EXTRA_REPORT);
}

uint64_t memo_compile_offset(const memo_compile_job *job, size_t spec)
{
    return memo_st_writer_offset(job->writer, spec) - memo_st_writer_offset(job->writer, 0);
}

memo_status memo_compile_append(memo_compile_job *job, size_t spec, const void *bytes,
                                size_t n_bytes, memo_err *err)
{
    uint64_t begin = memo_compile_offset(job, spec);

    if (job->at < begin)
        compile_sum(job, NULL, begin - job->at);
    compile_sum(job, bytes, n_bytes);
    if (job->sums.failed)
        return memo_fail_nomem(err, "checksums", job->sums.cap);
    return memo_st_writer_append(job->writer, spec, bytes, n_bytes, err);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Sizes of the tensors after the weights. The data before the checksums is a sum of sizes, each
 * rounded up to the alignment. */
static void compile_extra_shapes(const memo_compile_job *job, uint64_t shapes[MEMO_EXTRAS][2])
{
    uint64_t n_data = 0;

    shapes[MEMO_EXTRA_TOKENIZER][0] = job->n_tables;
    shapes[MEMO_EXTRA_PROBE_TEXTS][0] = job->probe_texts.n;
    shapes[MEMO_EXTRA_PROBE_CU_SEQLENS][0] = MEMO_COMPILED_PROBES + 1;
    shapes[MEMO_EXTRA_PROBE_IDS][0] = job->probe.ids.n / sizeof(uint32_t);
    shapes[MEMO_EXTRA_PROBE_VECTORS][0] = MEMO_COMPILED_PROBES;
    shapes[MEMO_EXTRA_PROBE_VECTORS][1] = memo_recipe_dim(job->recipe);
    shapes[MEMO_EXTRA_REPORT][0] = job->report_room;
    for (size_t i = 0; i < job->layout.n_stored; i++)
        n_data += (job->layout.stored[i].n_bytes + 63) / 64 * 64;
    for (size_t i = 0; i < MEMO_EXTRA_CHECKSUMS; i++) {
        uint64_t n_values = shapes[i][0] * (memo_extra_specs[i].n_dims == 2 ? shapes[i][1] : 1);
        n_data += (n_values * memo_dtype_bits(memo_extra_specs[i].dtype) / 8 + 63) / 64 * 64;
    }
    shapes[MEMO_EXTRA_CHECKSUMS][0] = (n_data + MEMO_COMPILED_BLOCK - 1) / MEMO_COMPILED_BLOCK + 1;
}

/* The metadata in file order; the values of the two hashes are as long as they will be. */
#define COMPILE_PAIRS 10

/* Returns how many there are. */
static size_t compile_metadata(const memo_compile_job *job, const char *(*pairs)[2])
{
    const char *layout = job->weights_json ? MEMO_COMPILED_MIXED : MEMO_COMPILED_LAYOUT;
    const char *const values[COMPILE_PAIRS][2] = {
        {MEMO_KEY_FORMAT, MEMO_COMPILED_FORMAT},
        {MEMO_KEY_LAYOUT, layout},
        {MEMO_KEY_CLASS, memo_class_name(job->options.cls)},
        {MEMO_KEY_WEIGHTS, job->weights_json},
        {MEMO_KEY_NAME, job->name},
        {MEMO_KEY_RECIPE, job->recipe_json},
        {MEMO_KEY_FINGERPRINT, job->fingerprint},
        {MEMO_KEY_TOOL, memo_version()},
        {MEMO_KEY_SOURCE, job->source_hash[0] ? job->source_hash : NULL},
        {MEMO_KEY_HEADER_HASH, "0000000000000000"},
    };
    size_t n = 0;

    for (size_t i = 0; i < COMPILE_PAIRS; i++)
        if (values[i][1]) {
            pairs[n][0] = values[i][0];
            pairs[n++][1] = values[i][1];
        }
    return n;
}

/* Bytes that the metadata takes in the header, escapes included. */
static memo_status compile_metadata_room(const char *(*pairs)[2], size_t n, size_t *room,
                                         memo_err *err)
{
    memo_buf text = {0};

    for (size_t i = 0; i < n; i++)
        for (size_t side = 0; side < 2; side++) {
            memo_buf_put_json(&text, pairs[i][side], strlen(pairs[i][side]));
            memo_buf_puts(&text, "  "); /* colon, comma */
        }
    memo_status status = text.failed ? memo_fail_nomem(err, "the metadata", text.cap) : MEMO_OK;
    *room = text.n;
    memo_buf_fini(&text);
    return status;
}

memo_status memo_compile_begin(memo_compile_job *job, const char *path, memo_err *err)
{
    size_t n_stored = job->layout.n_stored, room = 0;
    const char *pairs[COMPILE_PAIRS][2];
    uint64_t shapes[MEMO_EXTRAS][2] = {{0}};
    memo_status status;

    job->block = memo_malloc(MEMO_COMPILED_BLOCK);
    if (!job->block)
        return memo_fail_nomem(err, "a block of checksums", MEMO_COMPILED_BLOCK);
    memo_st_spec *specs = memo_calloc(n_stored + MEMO_EXTRAS, sizeof *specs);
    if (!specs)
        return memo_fail_nomem(err, "the list of tensors", n_stored * sizeof *specs);
    for (size_t i = 0; i < n_stored; i++) {
        const memo_stored *stored = &job->layout.stored[i];
        specs[i] = (memo_st_spec){stored->name, stored->dtype, stored->n_dims, stored->shape};
    }
    compile_extra_shapes(job, shapes);
    for (size_t i = 0; i < MEMO_EXTRAS; i++) {
        size_t at = memo_compile_extra(job, (memo_extra)i);
        specs[at] = memo_extra_specs[i]; /* without a report the next takes its place */
        specs[at].shape = shapes[i];
    }
    size_t n_pairs = compile_metadata(job, pairs);
    if (!(status = compile_metadata_room(pairs, n_pairs, &room, err)) &&
        !(status = memo_replace_begin(&job->out, path, job->options.overwrite, err)))
        status = memo_st_writer_new(&job->out, specs, memo_compile_extra(job, MEMO_EXTRAS), room,
                                    &job->writer, err);
    memo_free(specs);
    return status;
}

/* Read the finished header back and put its checksum into it. */
static memo_status compile_sign_header(memo_compile_job *job, memo_err *err)
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

memo_status memo_compile_finish(memo_compile_job *job, memo_err *err)
{
    size_t spec = memo_compile_extra(job, MEMO_EXTRA_CHECKSUMS);
    const char *pairs[COMPILE_PAIRS][2];
    uint64_t begin = memo_compile_offset(job, spec);
    memo_status status;

    compile_sum(job, NULL, begin - job->at);
    if (job->n_block)
        compile_end_block(job);
    uint64_t n_blocks = job->sums.n / sizeof(uint64_t);
    uint64_t sum = memo_xxh64(job->sums.data, job->sums.n, n_blocks);
    memo_buf_append(&job->sums, &sum, sizeof sum);
    if (job->sums.failed)
        return memo_fail_nomem(err, "checksums", job->sums.cap);
    if ((status = memo_fingerprint_end(&job->identity, job->tables, job->n_tables, job->recipe,
                                       job->fingerprint, err)))
        return status;
    size_t n_pairs = compile_metadata(job, pairs);
    if ((status = memo_st_writer_append(job->writer, spec, job->sums.data, job->sums.n, err)))
        return status;
    for (size_t i = 0; i < n_pairs; i++)
        if ((status = memo_st_writer_set(job->writer, pairs[i][0], pairs[i][1], err)))
            return status;
    if ((status = memo_st_writer_finish(job->writer, err)))
        return status;
    return compile_sign_header(job, err);
}

/* ---- the report ---------------------------------------------------------------------------- */

/* Sum the blocks of [begin, end) of the data again, as they lie in the file, and write the sums. */
static memo_status compile_sum_again(memo_compile_job *job, uint64_t begin, uint64_t end,
                                     memo_err *err)
{
    uint64_t data = memo_st_writer_offset(job->writer, 0);
    uint64_t checksums = memo_compile_offset(job, memo_compile_extra(job, MEMO_EXTRA_CHECKSUMS));
    uint64_t *sums = (uint64_t *)(void *)job->sums.data;
    size_t n_blocks = job->sums.n / sizeof *sums - 1;
    memo_file file = {0};
    memo_status status = memo_file_open(&file, job->out.tmp_path, err);

    for (uint64_t at = begin / MEMO_COMPILED_BLOCK * MEMO_COMPILED_BLOCK;
         at < end && status == MEMO_OK; at += MEMO_COMPILED_BLOCK) {
        uint64_t left = checksums - at, n = left < MEMO_COMPILED_BLOCK ? left : MEMO_COMPILED_BLOCK;
        uint64_t block = at / MEMO_COMPILED_BLOCK;
        status = memo_file_read(&file, data + at, job->block, (size_t)n, err);
        if (status == MEMO_OK)
            sums[block] = memo_xxh64(job->block, (size_t)n, block);
    }
    memo_file_close(&file);
    if (status)
        return status;
    sums[n_blocks] = memo_xxh64(sums, n_blocks * sizeof *sums, n_blocks);
    return memo_replace_write_at(&job->out, data + checksums, sums, job->sums.n, err);
}

memo_status memo_compile_put_report(memo_compile_job *job, const char *json, memo_err *err)
{
    uint64_t begin = memo_compile_offset(job, memo_compile_extra(job, MEMO_EXTRA_REPORT));
    size_t n = strlen(json);

    if (n >= job->report_room)
        return memo_fail(err, MEMO_ERR_LIMIT, "a report of %zu bytes, room for %zu", n,
                         job->report_room - 1);
    memo_status status = memo_replace_write_at(
        &job->out, memo_st_writer_offset(job->writer, 0) + begin, json, n, err);
    return status ? status : compile_sum_again(job, begin, begin + job->report_room, err);
}
