// SPDX-License-Identifier: Apache-2.0
/* model/verify/probe.h -- eight texts of our own that a compiled model carries with their ids and vectors,
 * so that any machine can see whether it computes what the compiling one did. */
#ifndef MEMO_MODEL_PROBE_H
#define MEMO_MODEL_PROBE_H

#include "base/buf.h"
#include "model/compiled.h"
#include "text/tokenizer.h"

extern const char *const memo_probe_texts[MEMO_COMPILED_PROBES];

/* Ids of several texts, packed. Zeroed is empty. */
typedef struct memo_probe_ids {
    memo_buf ids; /* uint32_t values */
    uint32_t cu_seqlens[MEMO_COMPILED_PROBES + 1];
} memo_probe_ids;

/* Append one text's ids with its special tokens, cut at max_tokens, as embedding sees it. `list` is
 * room that is used again. max_tokens is more than the special tokens. */
memo_status memo_probe_encode_text(const memo_tokenizer *tokenizer, memo_text text,
                                   size_t max_tokens, memo_token_list *list, memo_buf *ids,
                                   memo_err *err);

/* Tokenize MEMO_COMPILED_PROBES texts with special tokens, cut at max_tokens. The result must be
 * released with memo_buf_fini(&out->ids), also on failure. */
memo_status memo_probe_encode(const memo_tokenizer *tokenizer, const char *const *texts,
                              size_t max_tokens, memo_probe_ids *out, memo_err *err);

/* Run them as one batch on scratch of its own.
 *
 *   vectors  [MEMO_COMPILED_PROBES, hidden_size] out; zero where ok is 0
 *   ok       [MEMO_COMPILED_PROBES] out, see memo_transformer_run() */
memo_status memo_probe_run(const memo_transformer *transformer, const uint32_t *ids,
                           const uint32_t *cu_seqlens, memo_tap tap, float *vectors,
                           unsigned char *ok, memo_err *err);

#endif
