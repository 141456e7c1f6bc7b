// SPDX-License-Identifier: Apache-2.0
/* model/tokens.h -- the tokenizer of an open model, for code that measures text in its tokens. */
#ifndef MEMO_MODEL_TOKENS_H
#define MEMO_MODEL_TOKENS_H

#include <memolith/model.h>

#include "text/tokenizer.h"

/* Lives as long as the model; any thread. */
const memo_tokenizer *memo_model_tokenizer(const memo_model *model);

#endif
