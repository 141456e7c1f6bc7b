// SPDX-License-Identifier: Apache-2.0
/* cli/models.h -- which compiled model of the cache folder is the one that is meant. */
#ifndef MEMO_CLI_MODELS_H
#define MEMO_CLI_MODELS_H

#include <memolith/status.h>

/* cli_models_find() -- the model of this fingerprint in a folder, by the headers alone.
 *   first  looked at before the others, or NULL: of two copies it is taken
 *   path   out: memo_free(); NULL when there is none. What is no compiled model is passed over */
memo_status cli_models_find(const char *folder, const char *fingerprint, const char *first,
                            char **path, memo_err *err);

/* Whether the folder has a model besides the one at `path`. */
int cli_models_has_other(const char *folder, const char *path);

#endif
