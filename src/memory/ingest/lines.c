// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
    if (lines->stream)
        lines->unpacker->close(lines->stream);
    lines->stream = NULL;
    memo_free(lines->buffer);
    lines->buffer = NULL;
    lines->begin = lines->end = lines->cap = 0;
}

/* ---- where the bytes come from ------------------------------------------------------------- */

int memo_lines_is_packed(const char *bytes, size_t n_bytes)
{
    return n_bytes >= 4 && memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0; /* a frame of RFC 8878 */
}

size_t memo_lines_name_bytes(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcasecmp(path + n - 4, ".zst") == 0 ? n - 4 : n;
}

memo_status memo_lines_open(memo_lines *lines, memo_file *file, const char *path,
                            const memo_unpacker *unpacker, memo_err *err)
{
    char head[4];
    int packed = 0;
    memo_status status;

    *lines = (memo_lines){.file = file};
    status = memo_file_open(file, path, err);
    if (status == MEMO_OK && file->n_bytes >= sizeof head) {
        status = memo_file_read(file, 0, head, sizeof head, err);
        packed = status == MEMO_OK && memo_lines_is_packed(head, sizeof head);
    }
    if (status == MEMO_OK && !packed && path[memo_lines_name_bytes(path)])
        status = memo_fail(err, MEMO_ERR_FORMAT,
                           "does not begin as a zstd file does: it is damaged, or another file");
    if (status == MEMO_OK && packed && !unpacker)
        status =
            memo_fail(err, MEMO_ERR_UNSUPPORTED, "it is packed by zstd, and no unpacker was given");
    lines->unpacker = unpacker;
    if (status == MEMO_OK && packed)
        status = unpacker->open(unpacker->user, path, &lines->stream, err);
    lines->broken = status != MEMO_OK;
    return status;
}

int memo_lines_is_broken(const memo_lines *lines, memo_status status)
{
    return lines->broken && (status == MEMO_ERR_CORRUPT || status == MEMO_ERR_FORMAT ||
                             status == MEMO_ERR_LIMIT || status == MEMO_ERR_UNSUPPORTED);
}

/* At most n bytes; *n_read 0 at the end. */
static memo_status lines_read_source(memo_lines *lines, char *room, size_t n, size_t *n_read,
                                     memo_err *err)
{
    memo_status status;

    if (lines->stream) {
        status = lines->unpacker->read(lines->stream, room, n, n_read, err);
    } else {
        uint64_t left = lines->file->n_bytes - lines->offset;
        *n_read = left < n ? (size_t)left : n;
        status = *n_read ? memo_file_read(lines->file, lines->offset, room, *n_read, err) : MEMO_OK;
    }
    lines->broken = status != MEMO_OK;
    if (status == MEMO_OK)
        lines->offset += *n_read;
    return status;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Read more behind the unread bytes. *n_read 0 at the end of the file. */
static memo_status lines_fill(memo_lines *lines, size_t *n_read, memo_err *err)
{
    memo_status status;

    if (lines->begin) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->cap - lines->end < LINES_READ_BYTES) {
        size_t least = lines->end + LINES_READ_BYTES;
        size_t cap = lines->cap * 2 > least ? lines->cap * 2 : least;
        char *grown = memo_realloc(lines->buffer, cap);
        if (!grown)
            return memo_fail_nomem(err, "line of a file", cap);
        lines->buffer = grown;
        lines->cap = cap;
    }
    status = lines_read_source(lines, lines->buffer + lines->end, LINES_READ_BYTES, n_read, err);
    if (status == MEMO_OK)
        lines->end += *n_read;
    return status;
}

/* Drop bytes up to and with the next LF. */
static memo_status lines_skip(memo_lines *lines, memo_err *err)
{
    lines->is_odd = 0;
    for (;;) {
        char *from = lines->buffer + lines->begin;
        char *nl = memchr(from, '\n', lines->end - lines->begin);
        const char *end = nl ? nl : lines->buffer + lines->end;
        size_t n_read;
        memo_status status;
        for (const char *s = from; s < end; s++)
            lines->is_odd ^= *s == '"';
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

static memo_status lines_read(memo_lines *lines, memo_text *line, int *more, memo_err *err)
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

memo_status memo_lines_raw(memo_lines *lines, memo_text *line, int *more, memo_err *err)
{
    memo_status status;

    *more = !lines->broken;
    if (lines->broken)
        return MEMO_OK;
    status = lines_read(lines, line, more, err);
    if (status == MEMO_OK && lines->number == 1 && line->n_bytes >= 3 &&
        memcmp(line->bytes, "\xef\xbb\xbf", 3) == 0) {
        line->bytes += 3; /* a byte order mark, as editors of Windows write it */
        line->n_bytes -= 3;
    }
    return status;
}

memo_status memo_lines_next(memo_lines *lines, memo_text *line, int *more, memo_err *err)
{
    do {
        memo_status status = memo_lines_raw(lines, line, more, err);
        if (status || !*more)
            return status;
    } while (lines_is_blank(*line));
    if (line->bytes[line->n_bytes - 1] == '\r')
        line->n_bytes--;
    return MEMO_OK;
}

memo_status memo_lines_piece(memo_lines *lines, memo_text *piece, int *more, memo_err *err)
{
    size_t n_read = 0;
    int is_first = lines->number == 0;
    memo_status status;

    *piece = (memo_text){NULL, 0};
    *more = 0;
    if (lines->broken)
        return MEMO_OK;
    lines->number += (uint64_t)is_first;
    lines->begin = lines->end;
    status = lines_fill(lines, &n_read, err);
    if (status || n_read == 0)
        return status;
    if (is_first && n_read >= 3 && memcmp(lines->buffer, "\xef\xbb\xbf", 3) == 0)
        lines->begin = 3;
    *piece = (memo_text){lines->buffer + lines->begin, lines->end - lines->begin};
    *more = piece->n_bytes > 0;
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

#define LINES_NAMED_FIELDS 6

/* There is no such field: `option` names another, those that are there may be meant. */
static memo_status lines_fail_absent(json_t *object, const char *field, const char *what,
                                     const char *option, memo_err *err)
{
    char names[120] = "";
    const char *name;
    json_t *value;
    size_t n = 0, at = 0;

    json_object_foreach(object, name, value)
    {
        (void)value;
        if (n == LINES_NAMED_FIELDS || at + strlen(name) + 4 >= sizeof names - 8) {
            at += (size_t)snprintf(names + at, sizeof names - at, " ...");
            break;
        }
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", n++ ? ", " : "", name);
    }
    memo_fail(err, MEMO_ERR_FORMAT, "there is no field \"%s\" with the %s", field, what);
    return memo_hint(err, MEMO_ERR_FORMAT,
                     "%s NAME if another field has it, or --skip-bad to name and leave out what is "
                     "bad; the fields are: %s",
                     option, n ? names : "none");
}

static memo_status lines_text(json_t *object, const char *field, memo_arena *arena, memo_text *out,
                              memo_err *err)
{
    const json_t *value = json_object_get(object, field);
    size_t n;

    if (!value)
        return lines_fail_absent(object, field, "text", "--text-field", err);
    if (!json_is_string(value))
        return lines_fail_type(field, "a string", value, err);
    n = json_string_length(value);
    out->n_bytes = n;
    out->bytes = memo_arena_strndup(arena, json_string_value(value), n);
    return out->bytes ? MEMO_OK : memo_fail_nomem(err, "text", n);
}

memo_status memo_lines_hash_key(memo_text line, memo_arena *arena, const char **key, memo_err *err)
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

static const char *lines_or(const char *field, const char *otherwise)
{
    return field ? field : otherwise;
}

static const char *lines_key_name(const json_t *object, const char *field)
{
    return field ? field : json_object_get(object, "id") ? "id" : "_id";
}

/* A key is a string or an integer, from the field asked for, else "id", else "_id", else a hash. */
static memo_status lines_key(json_t *object, const char *field, memo_text line, memo_arena *arena,
                             const char **key, memo_err *err)
{
    const char *name = lines_key_name(object, field);
    const json_t *value = json_object_get(object, name);
    char digits[24];

    if (!value && field)
        return lines_fail_absent(object, field, "key", "--key-field", err);
    if (!value || json_is_null(value))
        return memo_lines_hash_key(line, arena, key, err);
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

static int lines_is_known(const json_t *object, const memo_import_options *o, const char *name)
{
    const char *const known[] = {
        lines_key_name(object, o->key_field),    lines_or(o->text_field, "text"),
        lines_or(o->title_field, "title"),       lines_or(o->tags_field, "tags"),
        lines_or(o->metadata_field, "metadata"), lines_or(o->created_field, "created"),
        lines_or(o->vector_field, "text")};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return 1;
    return 0;
}

/* Add the fields that are no part of a record, and that the metadata does not name. */
static memo_status lines_add_extra(json_t *object, const memo_import_options *o, json_t *metadata,
                                   size_t *n, memo_err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        if (json_is_null(value) || lines_is_known(object, o, name) ||
            json_object_get(metadata, name))
            continue;
        if (json_object_set(metadata, name, value))
            return memo_fail_nomem(err, "metadata", 0);
        ++*n;
    }
    return MEMO_OK;
}

static memo_status lines_check_extra(const char *metadata, size_t n_extra, memo_err *err)
{
    size_t n = strlen(metadata);

    if (n <= MEMO_DB_METADATA_BYTES)
        return MEMO_OK;
    memo_fail(
        err, MEMO_ERR_LIMIT,
        "metadata has %zu bytes with the %zu fields that are no part of a record; at most %zu "
        "are allowed",
        n, n_extra, MEMO_DB_METADATA_BYTES);
    return memo_hint(err, MEMO_ERR_LIMIT, "--no-extra leaves such fields out");
}

/* The metadata, with the other fields of the line; those of an export are all known. */
static memo_status lines_metadata(json_t *object, const memo_import_options *o, memo_arena *arena,
                                  const char **out, memo_err *err)
{
    const char *field = lines_or(o->metadata_field, "metadata");
    json_t *value = json_object_get(object, field), *all;
    int is_given = value && !json_is_null(value);
    size_t n_extra = 0;
    memo_status status = MEMO_OK;

    if (is_given && !json_is_object(value))
        return lines_fail_type(field, "an object", value, err);
    all = json_object();
    /* json_copy() does not tell of members that it had no memory for. */
    if (!all || (is_given && json_object_update(all, value)))
        status = memo_fail_nomem(err, "metadata", 0);
    if (status == MEMO_OK && !o->no_extra && !json_is_integer(json_object_get(object, "memolith")))
        status = lines_add_extra(object, o, all, &n_extra, err);
    if (status == MEMO_OK && (is_given || n_extra))
        status = memo_db_put_object(all, arena, out, err);
    if (status == MEMO_OK && n_extra)
        status = lines_check_extra(*out, n_extra, err);
    json_decref(all);
    return status;
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

static memo_status lines_vector(const json_t *object, const char *field, memo_arena *arena,
                                memo_record_in *record, memo_err *err)
{
    const json_t *value = json_object_get(object, field);
    size_t n = json_array_size(value); /* 0 for what is no array */
    memo_vector *vector = memo_arena_alloc(arena, sizeof *vector);
    float *floats;

    if (!value)
        return memo_fail(err, MEMO_ERR_FORMAT, "there is no field \"%s\" with the vector", field);
    if (n == 0)
        return lines_fail_type(field, "an array of numbers that is not empty", value, err);
    floats = memo_arena_array(arena, n, sizeof *floats);
    if (!vector || !floats)
        return memo_fail_nomem(err, "a vector", n * sizeof *floats);
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_number(number))
            return lines_fail_type(field, "an array of numbers", number, err);
        floats[i] = (float)json_number_value(number);
    }
    *vector = (memo_vector){.f32 = floats, .dim = n};
    record->vectors = vector;
    record->n_vectors = 1;
    return MEMO_OK;
}

static memo_status lines_fill_record(json_t *object, memo_text line, const memo_import_options *o,
                                     memo_arena *arena, memo_record_in *record, memo_err *err)
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
        status = lines_metadata(object, o, arena, &record->metadata_json, err);
    if (status == MEMO_OK)
        status =
            lines_created(object, lines_or(o->created_field, "created"), &record->created_ms, err);
    if (status == MEMO_OK && o->vector_field)
        status = lines_vector(object, o->vector_field, arena, record, err);
    return status;
}

memo_status memo_lines_object(json_t *object, memo_text bytes, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_err *err)
{
    *record = (memo_record_in){.size = sizeof *record,
                               .source = source,
                               .chunking = options->chunking,
                               .chunk_tokens = options->chunk_tokens,
                               .chunk_overlap = options->chunk_overlap};
    return lines_fill_record(object, bytes, options, arena, record, err);
}

memo_status memo_lines_record(memo_text line, const memo_import_options *options,
                              const char *source, memo_arena *arena, memo_record_in *record,
                              memo_exported *exported, memo_err *err)
{
    json_t *object = NULL;
    memo_status status =
        memo_json_parse(line.bytes, line.n_bytes, &memo_json_line_limits, "JSON", &object, err);

    if (status)
        return status;
    *exported = (memo_exported){0};
    if (memo_exported_type(object)) {
        *record = (memo_record_in){.size = sizeof *record};
        status = memo_exported_check_form(object, err);
        if (status == MEMO_OK)
            exported->row = json_incref(object);
        json_decref(object);
        return status;
    }
    if (json_is_object(object))
        status = memo_lines_object(object, line, options, source, arena, record, err);
    else
        status = memo_fail(err, MEMO_ERR_FORMAT, "the line is not a JSON object");
    if (status == MEMO_OK)
        status = memo_exported_read(object, arena, record, exported, err);
    json_decref(object);
    return status;
}
