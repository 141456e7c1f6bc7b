// SPDX-License-Identifier: Apache-2.0
/* store/rows/stored_settings.h -- settings that a store carries, by name; each is one text. */
#ifndef MEMO_STORE_ROWS_STORED_SETTINGS_H
#define MEMO_STORE_ROWS_STORED_SETTINGS_H

#include "base/arena.h"
#include "store/store.h"

/* *value: the text in the arena, NULL: not set. MEMO_ERR_CORRUPT: its checksum fails. */
memo_status memo_store_get_setting(memo_store *store, const char *name, memo_arena *arena,
                                   const char **value, memo_err *err);
/* Write. */
memo_status memo_store_put_setting(memo_store *store, const char *name, const char *value,
                                   memo_err *err);

#endif
