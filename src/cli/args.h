// SPDX-License-Identifier: Apache-2.0
/* cli/args.h -- the command line, checked against the grammar.
 *
 * Options may stand anywhere after the verb, as --name value, --name=value, -k value or -kvalue;
 * `--` ends them. Strings are borrowed from argv. */
#ifndef MEMO_CLI_ARGS_H
#define MEMO_CLI_ARGS_H

#include <stddef.h>

#include "cli/grammar.h"

typedef struct cli_given {
    cli_option_id id;
    const char *text; /* "" for a flag */
    uint64_t number;  /* as cli_value_read() gives it */
} cli_given;

typedef struct cli_args {
    const cli_verb *verb;
    const char **words; /* [n_words] */
    size_t n_words;
    cli_given *given; /* [n_given] in the order of the command line */
    size_t n_given;
} cli_args;

/* Read argv[1..argc). MEMO_ERR_USAGE or MEMO_ERR_VALUE; *args may then be partly filled and is
 * freed as ever. With --help the number of words is not checked. */
memo_status cli_args_read(cli_args *args, int argc, char *const *argv, memo_err *err);
void cli_args_fini(cli_args *args);

/* The last one given, or NULL. */
const cli_given *cli_args_find(const cli_args *args, cli_option_id id);
int cli_args_has(const cli_args *args, cli_option_id id);
const char *cli_args_text(const cli_args *args, cli_option_id id); /* NULL when absent */
uint64_t cli_args_number(const cli_args *args, cli_option_id id, uint64_t fallback);
/* All *n values of a repeatable option, in an array for memo_free(). */
memo_status cli_args_list(const cli_args *args, cli_option_id id, const char ***texts, size_t *n,
                          memo_err *err);
/* The words joined by single spaces, appended to `out`. */
void cli_args_join(const cli_args *args, memo_buf *out);

#endif
