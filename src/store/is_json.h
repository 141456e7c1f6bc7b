// SPDX-License-Identifier: Apache-2.0
/* store/is_json.h -- the SQL function memo_is_json(X): what json_valid(X) says, without memory.
 *
 * json_each() fails a whole query over one text that is no JSON, so it is asked first. json_valid() of
 * SQLite 3.40, and of others, parses the text, and where memory for that fails it says that the text
 * is no JSON: a filter then passed over the record, and doctor found its tags to be wrong. This one
 * only reads along (RFC 8259; the bytes of a string are not proved to be UTF-8, as SQLite does not).
 * Deeper than 64 levels is no JSON: no record gets in with more than 32. */
#ifndef MEMO_STORE_IS_JSON_H
#define MEMO_STORE_IS_JSON_H

#include <sqlite3.h>
#include <stddef.h>

int memo_is_json(const char *text, size_t n_bytes);
/* Make it known to a connection; a result code of SQLite. */
int memo_is_json_add(sqlite3 *db);

#endif
