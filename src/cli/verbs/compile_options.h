// SPDX-License-Identifier: Apache-2.0
/* cli/verbs/compile_options.h -- what model compile and model compress have in common. */
#ifndef MEMO_CLI_COMPILE_OPTIONS_H
#define MEMO_CLI_COMPILE_OPTIONS_H

#include <memolith/model.h>

#include "cli/app.h"

/* Options of the command line as the library wants them. `set` owns a list that options->set points
 * to; release it with memo_free() when the compile is over. */
memo_status cli_compile_options(cli_app *app, memo_compile_options *options, const char ***set,
                                memo_err *err);

/* Values of a model by what becomes of them. */
typedef struct cli_compile_values {
    uint64_t n_matrix, n_word, n_other; /* matrices; token embeddings; what stays f32 */
    uint64_t n_moments, widest;         /* squares of the widths of the matrices; inputs of one */
} cli_compile_values;

/* Count a matrix. */
void cli_compile_count_matrix(cli_compile_values *values, uint64_t n_rows, uint64_t n_cols);

/* Bytes that they take at most when compiled so. */
uint64_t cli_compile_bytes(const memo_compile_options *options, const cli_compile_values *values);

/* What measuring takes beside that: 4-bit classes, calibration, auto. `from_model`: the source is a
 * compiled model, which is run as it is. */
typedef struct cli_compile_needs {
    uint64_t disk, memory;
} cli_compile_needs;

cli_compile_needs cli_compile_measuring(const memo_compile_options *options,
                                        const cli_compile_values *values, int from_model);

/* Say what will be needed, and refuse when this machine lacks it. `from` and `out` are paths. */
memo_status cli_compile_announce(cli_app *app, const char *doing, const char *from, const char *out,
                                 uint64_t disk, uint64_t memory, memo_err *err);

void cli_compile_put_report(cli_app *app, const char *path, const memo_compile_report *report);

#endif
