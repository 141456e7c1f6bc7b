// SPDX-License-Identifier: Apache-2.0
/* store/filter/filter.h -- the filter language of <memolith/search.h>, compiled to SQL with bound values.
 *
 *   filter  = or ;  or = and { "or" and } ;  and = not { "and" not } ;  not = "not" not | primary
 *   primary = "(" or ")" | field test
 *   test    = ("=" | "!=" | "<" | "<=" | ">" | ">=") value
 *           | "in" "(" value { "," value } ")" | "between" value "and" value
 *           | "exists" | "prefix" string | "contains" string
 *   field   = "id" | "key" | "title" | "text" | "source" | "tags" | "created" | "updated"
 *           | "expires" | "version" | "trust" | "tier" | "pinned" | "echo" | "parent"
 *           | "meta." (name | string)
 *   value   = string | integer | real | "true" | "false" | "null" | "now" [("+" | "-") N unit]
 *
 * A text that begins with "{" is the JSON spelling of the same tree (filter_json.c).
 *
 * Words are case-insensitive; field names are not. A name is letters, digits, `_` and `-`; any other
 * metadata key is written meta."any key". Inside a string its own quote is written twice.
 *
 * Meaning, two-valued: a test is true or false, `not` is its complement.
 *   - A test on a value that is absent (no key, empty title or source, no such metadata, expires
 *     never) is false; so is `!=`. `= null` is "absent", `!= null` is `exists`.
 *   - A test of metadata with a value of another type is false; so is `!=`. Every other field has one
 *     type, and a value of another is MEMO_ERR_VALUE: it would never match, its `not` always.
 *   - trust and tier are numbers or their names: 'untrusted' -1, 'unknown' 0, 'trusted' 1; 'goals' 0,
 *     'hot' 1, 'rest' 2.
 *   - tags: one of the tags passes the test; only `!=` is different: no tag equals the value.
 *   - created, updated, expires are instants in Unix ms: a string is a date ('2025-07-01' is
 *     midnight UTC), RFC 3339 or 'now-7d', and must be one (MEMO_ERR_VALUE), a number is Unix ms.
 *   - pinned and echo are true or false, also 'yes', 'no', 'true', 'false'; parent is the parent's id.
 *   - `now` is the time given to memo_filter_new(), a number in Unix ms.
 *   - Numbers compare exactly, 64-bit integers included. Strings compare by bytes.
 *   - true, false and null know `=`, `!=` and `in` only.
 *
 * Knows nothing of SQLite: it writes text and a list of values. The text names the record's row `r`
 * and numbers its parameters from MEMO_FILTER_FIRST_PARAM. */
#ifndef MEMO_STORE_FILTER_H
#define MEMO_STORE_FILTER_H

#include <stdint.h>

#include <memolith/model.h>
#include <memolith/status.h>

#define MEMO_FILTER_MAX_NODES   256   /* tests, and, or, not */
#define MEMO_FILTER_MAX_DEPTH   16    /* nested parentheses and not */
#define MEMO_FILTER_MAX_LIST    1000  /* values of one in (...) */
#define MEMO_FILTER_MAX_VALUES  8192  /* values of a whole filter: what SQLite may bind */
#define MEMO_FILTER_MAX_BYTES   65536 /* of its text */
#define MEMO_FILTER_FIRST_PARAM 100   /* lower numbers belong to the query around it */

typedef enum memo_filter_param_kind {
    MEMO_FILTER_PARAM_TEXT,
    MEMO_FILTER_PARAM_INT,
} memo_filter_param_kind;

/* One bound value. A real number is bound as its text inside CAST(? AS REAL), so that a filter and
 * a stored JSON number go through the same conversion. */
typedef struct memo_filter_param {
    memo_filter_param_kind kind;
    int64_t integer;
    memo_text text; /* owned by the filter */
} memo_filter_param;

/* memo_filter -- a compiled filter; immutable, so any thread may read it. */
typedef struct memo_filter memo_filter;

/* memo_filter_new() -- compile a filter.
 *
 *   text    NUL-terminated UTF-8; not empty (MEMO_ERR_VALUE)
 *   now_ms  what `now` means, Unix ms
 *
 * MEMO_ERR_VALUE names the byte offset, what was found, what was expected and, for an unknown field
 * or operator, the nearest known one; MEMO_ERR_LIMIT beyond the figures above. */
memo_status memo_filter_new(const char *text, int64_t now_ms, memo_filter **filter, memo_err *err);
void memo_filter_free(memo_filter *filter);

const char *memo_filter_sql(const memo_filter *filter); /* one parenthesised expression */
/* A SELECT of the row ids that pass, expired ones too, for a filter that asks for tags alone: it
 * reads the index of tags and no record. NULL for any other filter. ?1 is the namespace. */
const char *memo_filter_rids_sql(const memo_filter *filter);
const memo_filter_param *memo_filter_params(const memo_filter *filter, size_t *n);

#endif
