// SPDX-License-Identifier: Apache-2.0
/* cli/ready_vector.h -- one ready vector, as people and programs hand it over. */
#ifndef MEMO_CLI_READY_VECTOR_H
#define MEMO_CLI_READY_VECTOR_H

#include "base/json.h"
#include "cli/app.h"

typedef struct cli_vector {
    memo_vector vector;
    float *values; /* owned */
} cli_vector;

void cli_vector_fini(cli_vector *vector);

/* `text` is a JSON array of numbers, or names a file that holds one (*.json), or a NumPy array of one
 * vector (*.npy: '<f4' or '<f8', shape (n,) or (1, n)). */
memo_status cli_vector_read(const char *text, cli_vector *vector, memo_err *err);
/* From a JSON array; `what` names it in messages. */
memo_status cli_vector_from_json(const json_t *value, const char *what, cli_vector *vector,
                                 memo_err *err);

/* What makes vectors here: the model of the settings, or with --space nothing, for they are brought. */
memo_status cli_app_embedder(cli_app *app, memo_err *err);

#endif
