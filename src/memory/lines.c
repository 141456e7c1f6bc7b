// SPDX-License-Identifier: Apache-2.0
#include "memory/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dates.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "memory/db.h"

#define LINES_READ_BYTES ((size_t)256 << 10)
#define LINES_HASH_BYTES 16 /* of SHA-256: no two lines of one store will ever meet */

void memo_lines_fini(memo_lines *lines)
{
    memo_free(lines->buffer);
    lines->buffer = NULL;
    lines->begin = lines->end = lines->cap = 0;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Read more behind the unread bytes. *n_read 0 at the end of the file. */
static memo_status lines_fill(memo_lines *lines, size_t *n_read, memo_err *err)
{
    uint64_t left = lines->file->n_bytes - lines->offset;
    size_t n = left < LINES_READ_BYTES ? (size_t)left : LINES_READ_BYTES;
    memo_status status;

    *n_read = n;
    if (n == 0)
        return MEMO_OK;
    if (lines->begin) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->cap - lines->end < n) {
        size_t cap = lines->cap * 2 > lines->end + n ? lines->cap * 2 : lines->end + n;
        char *grown = memo_realloc(lines->buffer, cap);
        if (!grown)
            return memo_fail_nomem(err, "line of a file", cap);
        lines->buffer = grown;
        lines->cap = cap;
    }
    status = memo_file_read(lines->file, lines->offset, lines->buffer + lines->end, n, err);
    if (status)
        return status;
    lines->end += n;
    lines->offset += n;
    return MEMO_OK;
}

/* Drop bytes up to and with the next LF. */
static memo_status lines_skip(memo_lines *lines, memo_err *err)
{
    for (;;) {
        char *from = lines->buffer + lines->begin;
        char *nl = memchr(from, '\n', lines->end - lines->begin);
        size_t n_read;
        memo_status status;
        if (nl) {
            lines->begin += (size_t)(nl - from) + 1;
            return MEMO_OK;
        }
        lines->begin = lines->end;
        status = lines_fill(lines, &n_read, err);
        if (status || n_read == 0)
            return status;
    }
}

/* The next line, blank or not, without its LF. */
static memo_status lines_raw(memo_lines *lines, memo_text *line, int *more, memo_err *err)
{
    size_t scanned = 0;

    if (!lines->buffer) {
        lines->buffer = memo_malloc(LINES_READ_BYTES);
        if (!lines->buffer)
            return memo_fail_nomem(err, "line of a file", LINES_READ_BYTES);
        lines->cap = LINES_READ_BYTES;
    }
    lines->number++;
    for (;;) {
        char *from = lines->buffer + lines->begin;
        size_t n = lines->end - lines->begin, n_read;
        char *nl = n > scanned ? memchr(from + scanned, '\n', n - scanned) : NULL;
        size_t n_line = nl ? (size_t)(nl - from) : n;
        memo_status status;
        if (n_line > MEMO_LINES_MAX_BYTES) {
            status = lines_skip(lines, err);
            return status ? status
                          : memo_fail(err, MEMO_ERR_LIMIT,
                                      "the line has more than the %zu bytes that are allowed",
                                      MEMO_LINES_MAX_BYTES);
        }
        if (nl) {
            *line = (memo_text){from, n_line};
            lines->begin += n_line + 1;
            return MEMO_OK;
        }
        scanned = n;
        status = lines_fill(lines, &n_read, err);
        if (status)
            return status;
        if (n_read == 0) {
            *line = (memo_text){lines->buffer + lines->begin, n};
            *more = n > 0;
            lines->begin = lines->end;
            return MEMO_OK;
        }
    }
}

static int lines_is_blank(memo_text line)
{
    for (size_t i = 0; i < line.n_bytes; i++)
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r')
            return 0;
    return 1;
}

memo_status memo_lines_next(memo_lines *lines, memo_text *line, int *more, memo_err *err)
{
    *more = 1;
    do {
        memo_status status = lines_raw(lines, line, more, err);
        if (status || !*more)
            return status;
        if (lines->number == 1 && line->n_bytes >= 3 &&
            memcmp(line->bytes, "\xef\xbb\xbf", 3) == 0) {
            line->bytes += 3; /* a byte order mark, as editors of Windows write it */
            line->n_bytes -= 3;
        }
    } while (lines_is_blank(*line));
    if (line->bytes[line->n_bytes - 1] == '\r')
        line->n_bytes--;
    return MEMO_OK;
}

memo_status memo_lines_count(memo_lines *lines, uint64_t *n, memo_err *err)
{
    memo_text line;
    int more = 1;

    *n = 0;
    while (more) {
        memo_status status = memo_lines_next(lines, &line, &more, err);
        if (status && status != MEMO_ERR_LIMIT)
            return status;
        *n += more != 0;
    }
    return MEMO_OK;
}

/* ---- records ------------------------------------------------------------------------------- */

static memo_status lines_fail_type(const char *field, const char *wanted, const json_t *value,
                                   memo_err *err)
{
    static const char *const types[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return memo_fail(err, MEMO_ERR_VALUE, "field \"%s\" is %s; %s is needed", field,
                     types[json_typeof(value)], wanted);
}

/* The member's string in the arena, without NUL; *out stays NULL when absent or null. */
static memo_status lines_string(const json_t *object, const char *field, memo_arena *arena,
                                const char **out, memo_err *err)
{
    const char *s = NULL;
    memo_status status = memo_json_get_string(object, "line", field, 0, &s, err);

    if (status || !s)
        return status;
    *out = memo_arena_strdup(arena, s);
    return *out ? MEMO_OK : memo_fail_nomem(err, field, strlen(s));
}

static memo_status lines_text(const json_t *object, const char *field, memo_arena *arena,
                              memo_text *out, memo_err *err)
{
    const json_t *value = json_object_get(object, field);
    size_t n;

    if (!value)
        return memo_fail(err, MEMO_ERR_FORMAT, "there is no field \"%s\" with the text", field);
    if (!json_is_string(value))
        return lines_fail_type(field, "a string", value, err);
    n = json_string_length(value);
    out->n_bytes = n;
    out->bytes = memo_arena_strndup(arena, json_string_value(value), n);
    return out->bytes ? MEMO_OK : memo_fail_nomem(err, "text", n);
}

static memo_status lines_hash_key(memo_text line, memo_arena *arena, const char **key,
                                  memo_err *err)
{
    unsigned char digest[MEMO_SHA256_BYTES];
    char *hex = memo_arena_alloc(arena, 2 * LINES_HASH_BYTES + 1);
    memo_status status = memo_sha256_bytes(line.bytes, line.n_bytes, digest, err);

    if (status)
        return status;
    if (!hex)
        return memo_fail_nomem(err, "key", 2 * LINES_HASH_BYTES + 1);
    memo_hex(digest, LINES_HASH_BYTES, hex);
    *key = hex;
    return MEMO_OK;
}

/* A key is a string or an integer, from the field asked for, else "id", else "_id", else a hash. */
static memo_status lines_key(const json_t *object, const char *field, memo_text line,
                             memo_arena *arena, const char **key, memo_err *err)
{
    const char *name = field ? field : json_object_get(object, "id") ? "id" : "_id";
    const json_t *value = json_object_get(object, name);
    char digits[24];

    if (!value && field)
        return memo_fail(err, MEMO_ERR_FORMAT, "there is no field \"%s\" with the key", field);
    if (!value || json_is_null(value))
        return lines_hash_key(line, arena, key, err);
    if (json_is_string(value))
        return lines_string(object, name, arena, key, err);
    if (!json_is_integer(value))
        return lines_fail_type(name, "a string or an integer", value, err);
    snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    *key = memo_arena_strdup(arena, digits);
    return *key ? MEMO_OK : memo_fail_nomem(err, "key", sizeof digits);
}

static memo_status lines_tags(const json_t *object, const char *field, memo_arena *arena,
                              memo_record_in *record, memo_err *err)
{
    const json_t *value = json_object_get(object, field);
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    const char **tags;

    if (!value || json_is_null(value))
        return MEMO_OK;
    tags = memo_arena_array(arena, n ? n : 1, sizeof *tags);
    if (!tags)
        return memo_fail_nomem(err, "tags", n * sizeof *tags);
    for (size_t i = 0; i < n; i++) {
        const json_t *tag = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(tag))
            return lines_fail_type(field, "a string or an array of strings", tag, err);
        if (json_string_length(tag) != strlen(json_string_value(tag)))
            return memo_fail(err, MEMO_ERR_VALUE, "tag %zu holds a NUL", i);
        tags[i] = memo_arena_strdup(arena, json_string_value(tag));
        if (!tags[i])
            return memo_fail_nomem(err, "tags", 0);
    }
    record->tags = tags;
    record->n_tags = n;
    return MEMO_OK;
}

static memo_status lines_metadata(const json_t *object, const char *field, memo_arena *arena,
                                  const char **out, memo_err *err)
{
    const json_t *value = json_object_get(object, field);

    if (!value || json_is_null(value))
        return MEMO_OK;
    if (!json_is_object(value))
        return lines_fail_type(field, "an object", value, err);
    return memo_db_put_object(value, arena, out, err);
}

static memo_status lines_created(const json_t *object, const char *field, int64_t *ms,
                                 memo_err *err)
{
    const json_t *value = json_object_get(object, field);

    if (!value || json_is_null(value))
        return MEMO_OK;
    if (json_is_integer(value)) {
        *ms = json_integer_value(value);
        return MEMO_OK;
    }
    if (!json_is_string(value))
        return lines_fail_type(field, "an RFC 3339 string or Unix milliseconds", value, err);
    if (!memo_date_parse(json_string_value(value), json_string_length(value), ms))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "field \"%s\" is \"%.40s\"; RFC 3339 (2025-07-01T12:00:00Z), a date or "
                         "Unix milliseconds is needed",
                         field, json_string_value(value));
    return MEMO_OK;
}

static const char *lines_or(const char *field, const char *otherwise)
{
    return field ? field : otherwise;
}

static memo_status lines_fill_record(const json_t *object, memo_text line,
                                     const memo_import_options *o, memo_arena *arena,
                                     memo_record_in *record, memo_err *err)
{
    memo_status status =
        lines_text(object, lines_or(o->text_field, "text"), arena, &record->text, err);

    if (status == MEMO_OK)
        status = lines_key(object, o->key_field, line, arena, &record->key, err);
    if (status == MEMO_OK)
        status =
            lines_string(object, lines_or(o->title_field, "title"), arena, &record->title, err);
    if (status == MEMO_OK)
        status = lines_tags(object, lines_or(o->tags_field, "tags"), arena, record, err);
    if (status == MEMO_OK)
        status = lines_metadata(object, lines_or(o->metadata_field, "metadata"), arena,
                                &record->metadata_json, err);
    if (status == MEMO_OK)
        status =
            lines_created(object, lines_or(o->created_field, "created"), &record->created_ms, err);
    return status;
}

memo_status memo_lines_record(memo_text line, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_err *err)
{
    json_t *object = NULL;
    memo_status status =
        memo_json_parse(line.bytes, line.n_bytes, &memo_json_line_limits, "JSON", &object, err);

    if (status)
        return status;
    *record = (memo_record_in){.size = sizeof *record,
                               .source = source,
                               .chunking = options->chunking,
                               .chunk_tokens = options->chunk_tokens,
                               .chunk_overlap = options->chunk_overlap};
    if (json_is_object(object))
        status = lines_fill_record(object, line, options, arena, record, err);
    else
        status = memo_fail(err, MEMO_ERR_FORMAT, "the line is not a JSON object");
    json_decref(object);
    return status;
}
