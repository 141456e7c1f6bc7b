// SPDX-License-Identifier: Apache-2.0
/* model/compile/compile_job.h -- everything one compile holds, and its three parts: the container
 * (compile_file.c), the weights (compile_weights.c), the probes (compile_probes.c). compile.c runs
 * them in this order:
 *
 *   memo_choose_formats    what each weight will be, as far as the options say it
 *   memo_compile_fit       calibrate, choose classes
 *   memo_compile_begin     the header's room, sized from the list of tensors
 *   memo_compile_weights   append, 16 rows at a time
 *   memo_compile_append    the tokenizer
 *   memo_compile_probes    run on the weights just written, append
 *   memo_compile_finish    checksums, fingerprint, header
 *   memo_compile_measure   the report, measured on the finished file, into the room kept for it
 *
 * and the rename ends it. */
#ifndef MEMO_MODEL_COMPILE_JOB_H
#define MEMO_MODEL_COMPILE_JOB_H

#include "base/ctx.h"
#include "model/compile/encode.h"
#include "model/compile/weights.h"
#include "model/fingerprint.h"
#include "model/fit/auto_class.h"
#include "model/fit/calibrate.h"
#include "model/model_handle.h"
#include "model/verify/probe.h"

/* Measuring that nobody asked for compiles a folder to f32 first and runs texts through it: gigabytes
 * of disk and many minutes beyond so many parameters, where it is left out and a warning says so. */
#define MEMO_COMPILE_MEASURED UINT64_C(1000000000)

/* The first n_stored specs of the file are the layout's tensors, MEMO_EXTRAS follow. */
typedef struct memo_compile_job {
    memo_ctx *ctx;
    memo_compile_options options;
    memo_source source; /* a published folder, and which of its tensors is what; */
    memo_weight_map map;
    memo_model *from; /* or a compiled model, borrowed; else NULL */
    const memo_recipe *recipe;
    char *recipe_json;  /* owned */
    char *weights_json; /* owned; NULL: a plain layout */
    const void *tables; /* [n_tables] the tokenizer's, aligned */
    size_t n_tables;
    void *own_tables; /* tables of a folder */
    memo_layout layout;
    memo_calibrate_job *calibration; /* what was seen of the inputs, or NULL */
    int owns_calibration;
    memo_model *made[MEMO_AUTO_MODELS + 1]; /* temporaries, open until the end */
    size_t n_made;
    memo_model *reference; /* one of these, of class f32, or NULL */
    memo_tokenizer *tokenizer;
    memo_probe_ids probe;
    memo_buf probe_texts;
    memo_replace out;
    memo_st_writer *writer;
    size_t report_room; /* bytes kept for the report; 0: there will be none */
    memo_fingerprint identity;
    memo_buf sums;        /* uint64_t values */
    unsigned char *block; /* [MEMO_COMPILED_BLOCK] of the data section, hashed when full */
    size_t n_block;
    uint64_t at; /* bytes of the data section so far */
    char name[256];
    char fingerprint[2 * MEMO_SHA256_BYTES + 1];
    char source_hash[MEMO_SOURCE_HASH_TEXT]; /* "": not known */
} memo_compile_job;

memo_status memo_compile_begin(memo_compile_job *job, const char *path, memo_err *err);
/* The next bytes of the data, under the checksums; specs in their order. */
memo_status memo_compile_append(memo_compile_job *job, size_t spec, const void *bytes,
                                size_t n_bytes, memo_err *err);
/* Where a tensor after the weights is among the specs; they are one less without a report. */
size_t memo_compile_extra(const memo_compile_job *job, memo_extra extra);
/* Offset of a spec in the data section. */
uint64_t memo_compile_offset(const memo_compile_job *job, size_t spec);
/* A file that is whole but for its report: job->out is to be committed. */
memo_status memo_compile_finish(memo_compile_job *job, memo_err *err);

/* Put the report (at most report_room bytes, NUL included) into the finished file. */
memo_status memo_compile_put_report(memo_compile_job *job, const char *json, memo_err *err);

memo_status memo_compile_weights(memo_compile_job *job, memo_err *err);

/* memo_compile_temporary() -- a compiled model that has no name, for a job to measure.
 *
 *   of       its source when there is no `from`, its options and what it has seen of inputs; borrowed
 *   from     compiled, borrowed, or NULL
 *   formats  of the weights, or NULL: all as class `cls` is by the options
 *   cls      that it says of itself
 *   out      what the job makes: the bytes lie in the same folder until the model is closed */
memo_status memo_compile_temporary(const memo_compile_job *of, memo_model *from,
                                   const memo_layout *formats, memo_class cls, const char *out,
                                   memo_model **model, memo_err *err);

/* Calibrate, and choose classes. When inputs are to be measured: for the options calibrate and
 * auto_class, and always where a matrix is rounded to 4 bits. After the formats are known, before
 * memo_layout_store(). */
memo_status memo_compile_fit(memo_compile_job *job, const char *out, memo_err *err);

/* The model that the options start from: the compiled source, or a temporary of class f32 beside `out`,
 * made when there is none yet. Lives as long as the job. */
memo_status memo_compile_reference(memo_compile_job *job, const char *out, memo_model **reference,
                                   memo_err *err);

/* Decide whether there will be a report, and how much room it takes: after memo_layout_store(). */
memo_status memo_compile_plan_report(memo_compile_job *job, memo_err *err);
memo_status memo_compile_measure(memo_compile_job *job, const char *out, memo_err *err);

/* The tokenizer as it will be read, and the probes' ids, whose number fixes the file's layout: before
 * memo_compile_begin(). */
memo_status memo_compile_prepare_probes(memo_compile_job *job, memo_err *err);
memo_status memo_compile_probes(memo_compile_job *job, memo_err *err);

#endif
