// SPDX-License-Identifier: Apache-2.0
/* model/compile/compile_job.h -- everything one compile holds, and its three parts: the container
 * (compile_file.c), the weights (compile_weights.c), the probes (compile_probes.c). compile.c runs
 * them in this order:
 *
 *   memo_choose_formats    what each weight will be; memo_compile_fit what has to be measured
 *   memo_compile_begin     the header's room, sized from the list of tensors
 *   memo_compile_weights   append, 16 rows at a time
 *   memo_compile_append    the tokenizer
 *   memo_compile_probes    run on the weights just written, append
 *   memo_compile_finish    checksums, fingerprint, header, rename */
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
    memo_calibration *calibration; /* what was seen of the inputs, or NULL */
    int owns_calibration;
    memo_model *made[MEMO_AUTO_MODELS + 1]; /* temporaries, open until the end */
    size_t n_made;
    memo_tokenizer *tokenizer;
    memo_probe_ids probe;
    memo_buf probe_texts;
    memo_replace out;
    memo_st_writer *writer;
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
/* Offset of a spec in the data section. */
uint64_t memo_compile_offset(const memo_compile_job *job, size_t spec);
/* All but the rename: job->out is to be committed. */
memo_status memo_compile_finish(memo_compile_job *job, memo_err *err);

memo_status memo_compile_weights(memo_compile_job *job, memo_err *err);

/* memo_compile_temporary() -- a compiled model that has no name, from a folder or a model.
 *
 *   from    borrowed, or NULL: from the folder
 *   out     what it is made for: its bytes lie in the same folder until the model is closed
 *   seen    of the inputs of the matrices, borrowed, or NULL */
memo_status memo_compile_temporary(memo_ctx *ctx, const char *folder, memo_model *from,
                                   const memo_compile_options *options, const char *out,
                                   memo_calibration *seen, memo_model **model, memo_err *err);

/* Calibrate, and choose classes, when the options ask for it: after the formats are known, before
 * memo_layout_store(). */
memo_status memo_compile_fit(memo_compile_job *job, const char *out, memo_err *err);

/* The tokenizer as it will be read, and the probes' ids, whose number fixes the file's layout: before
 * memo_compile_begin(). */
memo_status memo_compile_prepare_probes(memo_compile_job *job, memo_err *err);
memo_status memo_compile_probes(memo_compile_job *job, memo_err *err);

#endif
