// SPDX-License-Identifier: Apache-2.0
/* cli/grammar.h -- the one table of verbs, and what is made from it: `help`, `help --json`. */
#ifndef MEMO_CLI_GRAMMAR_H
#define MEMO_CLI_GRAMMAR_H

#include <memolith/status.h>

#include "base/buf.h"
#include "cli/options.h"

typedef struct cli_app cli_app;

#define CLI_MAX_VERB_OPTIONS 48

typedef struct cli_verb {
    const char *name; /* "search", "model compile" */
    memo_status (*run)(cli_app *app, memo_err *err);
    const char *words; /* "QUERY...", "" when it takes none */
    cli_kind word_kind;
    size_t min_words, max_words;
    int cancels; /* long work with a progress callback: SIGINT and SIGTERM ask it to stop */
    const char *example;
    const char *summary;                         /* one line */
    const char *detail;                          /* more lines, or NULL */
    unsigned char options[CLI_MAX_VERB_OPTIONS]; /* cli_option_id, OPT_NONE at the end */
} cli_verb;

extern const cli_verb cli_verbs[]; /* name NULL at the end */

/* The verb called `name` ("search", "model compile"), or NULL. */
const cli_verb *cli_verb_find(const char *name);
/* Non-zero when verbs are called "NAME something" ("model"). */
int cli_verb_is_group(const char *name);

/* The closest of `n` candidates (candidate(user, i) gives one, NULL to skip it), or NULL when
 * nothing is near: at most a third of the letters differ (insert, delete, change, swap). */
const char *cli_nearest(const char *name, size_t n, const char *(*candidate)(const void *, size_t),
                        const void *user);
const char *cli_nearest_verb(const char *name);

/* Status code without its prefix: "USAGE". */
const char *cli_status_name(memo_status status);

void cli_help_all(memo_buf *out);
void cli_help_verb(memo_buf *out, const cli_verb *verb);
/* The verbs whose name begins with `group` and a space ("model"). */
void cli_help_group(memo_buf *out, const char *group);
void cli_help_json(memo_buf *out);

#endif
