// SPDX-License-Identifier: Apache-2.0
/* text/fold.h -- one spelling for all spellings of a name. */
#ifndef MEMO_TEXT_FOLD_H
#define MEMO_TEXT_FOLD_H

#include <stddef.h>

#include <memolith/status.h>

#include "base/arena.h"

/* memo_fold_name() -- the folded form of valid UTF-8, NUL-terminated in the arena.
 *
 * Unicode's toNFKC_Casefold (case, width and compatibility forms, ignorable characters), then runs of
 * white space as one space and none at the ends. Two names are the same when these are the same
 * bytes. "" when nothing is left. */
memo_status memo_fold_name(memo_arena *arena, const char *text, size_t n_bytes, char **folded,
                           memo_err *err);

#endif
