// SPDX-License-Identifier: Apache-2.0
/* cli/verbs/fidelity_out.h -- what a class costs, as model verify and model show write it. */
#ifndef MEMO_CLI_FIDELITY_OUT_H
#define MEMO_CLI_FIDELITY_OUT_H

#include <memolith/model.h>

#include "base/buf.h"

/* Tensors, layers and vectors beside the reference, indented lines. */
void cli_fidelity_put(memo_buf *out, const memo_fidelity_report *report);
/* Vectors alone. */
void cli_fidelity_put_texts(memo_buf *out, const memo_texts_fidelity *texts);

/* Members of an object that is open: the tensors and the layers; vectors under `key`, with the path of
 * what they were held against. */
void cli_fidelity_json(memo_buf *out, const memo_fidelity_report *report);
void cli_fidelity_json_texts(memo_buf *out, const char *key, const char *path,
                             const memo_texts_fidelity *texts);

#endif
