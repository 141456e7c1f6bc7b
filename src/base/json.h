// SPDX-License-Identifier: Apache-2.0
/* base/json.h -- JSON from files and callers that are not trusted.
 *
 * The values are jansson's, the reader is our own (json_read.h). A linear pre-scan enforces depth
 * and counts before it runs, so a hostile text can exhaust neither stack nor memory. Duplicate
 * keys, NaN, comments, bad UTF-8, lone surrogates, a BOM and trailing bytes are MEMO_ERR_FORMAT
 * with line and column; a number beyond what a double or a 64-bit integer holds is MEMO_ERR_VALUE
 * naming its member. \u0000 is allowed in strings (take those with json_string_length()), not in
 * keys. jansson keeps its own allocator. */
#ifndef MEMO_BASE_JSON_H
#define MEMO_BASE_JSON_H

#include <jansson.h>

#include <memolith/status.h>

typedef struct memo_json_limits {
    size_t max_bytes;  /* MEMO_ERR_LIMIT beyond each of these */
    size_t max_depth;  /* but MEMO_ERR_FORMAT; at most 64 */
    size_t max_values; /* values of all kinds, over the whole text */
    size_t max_keys;   /* per object */
    /* Memory that the values may take, as a multiple of the text's bytes, beyond 1 MiB: a short text
     * of empty objects must not cost a hundred times its size. */
    size_t max_expansion;
    int int_as_real; /* non-zero: every integer is read as a real, so that none is too big */
    int is_line; /* non-zero: one line of a file that the caller names; messages say the column */
} memo_json_limits;

/* 8 MiB, depth 32, 10,000 keys an object, 200,000 values. */
extern const memo_json_limits memo_json_request_limits;
extern const memo_json_limits memo_json_line_limits; /* the same with is_line: NDJSON */
/* The same with int_as_real: transformers writes 1e30 without a point for "no limit". */
extern const memo_json_limits memo_json_loose_limits;
/* tokenizer.json: 128 MiB, depth 32, 8 M values. */
extern const memo_json_limits memo_json_vocab_limits;
/* safetensors header: 100,000,000 bytes, depth 32, 200,000 tensors and __metadata__. */
extern const memo_json_limits memo_json_header_limits;

/* `what` names the text in messages ("config.json"). The caller releases *out with json_decref(). */
memo_status memo_json_parse(const char *text, size_t n_bytes, const memo_json_limits *limits,
                            const char *what, json_t **out, memo_err *err);

/* memo_json_dump() -- a value as text, NUL-terminated; memo_free(). MEMO_ERR_NOMEM, also for a NULL, which
 * is what jansson gives for a value that it had no memory for; `what` names it then. */
memo_status memo_json_dump(const json_t *json, size_t flags, const char *what, char **text,
                           memo_err *err);

/* What a number may be, both ends included. */
typedef struct memo_json_sizes {
    size_t min, max;
} memo_json_sizes;

typedef struct memo_json_reals {
    double min, max;
} memo_json_reals;

/* Typed access to a member. Absent or null: *out keeps its value (set a default before) and MEMO_OK
 * is returned; with `required` it is MEMO_ERR_FORMAT. Another type or a value outside `allowed`:
 * MEMO_ERR_VALUE naming `what`.`key`, the value and the range. Strings are borrowed from the object
 * and hold no NUL (MEMO_ERR_VALUE). */
memo_status memo_json_get_size(const json_t *object, const char *what, const char *key,
                               int required, memo_json_sizes allowed, size_t *out, memo_err *err);
memo_status memo_json_get_double(const json_t *object, const char *what, const char *key,
                                 int required, memo_json_reals allowed, double *out, memo_err *err);
memo_status memo_json_get_string(const json_t *object, const char *what, const char *key,
                                 int required, const char **out, memo_err *err);
memo_status memo_json_get_bool(const json_t *object, const char *what, const char *key,
                               int required, int *out, memo_err *err);

/* The shortest digits that are read back as this real, without a NUL: their number, 0 when there is
 * no memory. `cap` of 40 is enough. */
size_t memo_json_write_real(const json_t *real, char *out, size_t cap);

#endif
