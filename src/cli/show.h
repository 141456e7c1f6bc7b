// SPDX-License-Identifier: Apache-2.0
/* cli/show.h -- stored text as a person reads it on a terminal.
 *
 * Texts come from anywhere, so control characters (an escape sequence could rewrite the screen) are
 * shown as blanks. Widths are columns: combining marks take none, East Asian wide characters two. */
#ifndef MEMO_CLI_SHOW_H
#define MEMO_CLI_SHOW_H

#include <memolith/memory.h>

#include "cli/output.h"

typedef enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN } cli_style;

/* Switch the style when the output has colour; CLI_PLAIN ends it. */
void cli_put_style(cli_out *out, cli_style style);

/* One line: white space squeezed, at most max_columns, "..." at the end when it is cut. Returns the
 * columns written. */
size_t cli_put_line(memo_buf *out, const char *text, size_t n_bytes, size_t max_columns);

/* A paragraph: white space squeezed, broken between words to lines of `width` columns that begin
 * with `indent` blanks; at most max_lines, then "...". */
void cli_put_paragraph(memo_buf *out, memo_text text, size_t indent, size_t width,
                       size_t max_lines);

/* The part of a text that shows best why it was found: about n_columns around the place where most
 * of the `terms` (words separated by blanks) stand together; the beginning when there are none. */
memo_text cli_snippet(memo_text text, const char *terms, size_t n_columns);

/* One record as a JSON object. */
void cli_record_json(memo_buf *out, const memo_record *record);
/* With its links. */
void cli_record_json_linked(memo_buf *out, const memo_record *record, memo_db *db);

/* What a record is to others: the key "links" of an object, or lines like "near of 01J... (0.86)", each
 * after `indent` blanks. One that cannot be read has none. */
void cli_links_json(memo_buf *out, memo_db *db, const char *ns, const char *id);
void cli_links_text(memo_buf *out, memo_db *db, const char *ns, const char *id, int indent);

const char *cli_trust_name(int trust); /* "untrusted" */
const char *cli_tier_name(int tier);   /* "goals" */

#endif
