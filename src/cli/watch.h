// SPDX-License-Identifier: Apache-2.0
/* cli/watch.h -- files that change, round by round.
 *
 * The one idea: what has changed is found by looking, never by what the system tells. Each round walks
 * the folders and compares size, time and inode with what the last round saw; events only say when
 * a round is worth while. So an event that is lost, a queue that overflows, an editor that writes a
 * new file and renames it, a folder that is removed and made again need no case of their own, and
 * where there are no events (other systems, network file systems) a round every few seconds does. */
#ifndef MEMO_CLI_WATCH_H
#define MEMO_CLI_WATCH_H

#include <memolith/memory.h>

typedef struct cli_watch cli_watch;

/* paths [n], borrowed; poll_ms: a round that often, 0: when there are events. */
memo_status cli_watch_open(cli_watch **watch, const char *const *paths, size_t n, int64_t poll_ms,
                           memo_err *err);
void cli_watch_close(cli_watch *watch); /* NULL: nothing */

/* A round begins: events of every folder below are asked for, before anything is looked at. *n_paths: of
 * those paths that are there now, borrowed until the next round. */
void cli_watch_begin(cli_watch *watch, const char *const **paths, size_t *n_paths);
/* For memo_import_options.wanted: non-zero when the file is new or has changed. */
int cli_watch_wanted(void *watch, const memo_import_file *file);
/* The same, for a round that is to read nothing. */
int cli_watch_wants_none(void *watch, const memo_import_file *file);
/* The round ends. How many files of earlier rounds are gone; they are forgotten. Of a path that is not
 * there at all none are: that may be a disk that is not mounted. */
uint64_t cli_watch_end(cli_watch *watch);
/* The round has failed: the next one takes all of its files for changed. */
void cli_watch_undo(cli_watch *watch);

/* Until the next round is due: something has changed and has been quiet for a moment. Zero: the process is
 * asked to stop. */
int cli_watch_wait(cli_watch *watch);

#endif
