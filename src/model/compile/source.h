// SPDX-License-Identifier: Apache-2.0
/* model/compile/source.h -- a model as its publisher ships it: a folder.
 *
 *   config.json                         the network                                   required
 *   model.safetensors                   the weights                                   required
 *   tokenizer.json, or vocab.txt        the tokenizer                                 required
 *   modules.json                        which steps follow the network
 *   1_Pooling/config.json               the pooling (the path modules.json names)
 *   sentence_bert_config.json           the maximum length
 *   config_sentence_transformers.json   the prompts
 *   tokenizer_config.json               length and case, where nothing better says
 *
 * Opening reads all small files into the recipe and the tokenizer tables, and the header of the
 * weights. Only these names inside the folder are opened; nothing is executed. */
#ifndef MEMO_MODEL_SOURCE_H
#define MEMO_MODEL_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "format/safetensors.h"
#include "model/compile/architecture.h"

typedef struct memo_source {
    const char *folder; /* borrowed */
    memo_recipe recipe;
    const memo_architecture *architecture;
    memo_buf tokenizer; /* flat tables, text/tokenizer.h */
    memo_file file;     /* model.safetensors */
    memo_safetensors *weights;
    memo_sha256 *sha; /* over name, length and bytes of each file as it was read */
    memo_arena arena; /* holds the warnings */
    size_t n_warnings, cap_warnings;
    const char **warnings;
} memo_source;

/* `source` is zeroed by the caller and must be released also on failure. */
memo_status memo_source_open(memo_source *source, const char *folder,
                             const memo_compile_options *options, memo_err *err);
void memo_source_close(memo_source *source);

/* A small file was read: into the source's hash with it. */
void memo_source_hash_file(memo_source *source, const char *name, const void *bytes,
                           size_t n_bytes);

#define MEMO_SOURCE_HASH_TEXT (2 * MEMO_SHA256_BYTES + 1)

/* memo_source_digest() -- SHA-256 of the files that an open source was read from, in hex.
 *
 * Once for a source: the weights' file is read to its end and the hash is closed. Files that are
 * not read (a README, a pooler's own config) do not count. */
memo_status memo_source_digest(memo_source *source, char hex[MEMO_SOURCE_HASH_TEXT], memo_err *err);

/* Keep a warning for the report. Out of memory is MEMO_ERR_NOMEM. */
memo_status memo_source_warn(memo_source *source, memo_err *err, const char *fmt, ...)
    MEMO_PRINTF(3, 4);

#endif
