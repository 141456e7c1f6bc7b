// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/reader.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "memory/db.h"
#include "memory/ingest/mcp.h"

#define READER_SNIFF_BYTES 1024 /* the first two lines of a mailbox */

/* The path without ".zst" ends so. */
static int reader_ends_with(const char *path, const char *suffix)
{
    size_t n = memo_lines_name_bytes(path), m = strlen(suffix);
    return n > m && strncasecmp(path + n - m, suffix, m) == 0;
}

/* Lines whose first one is of an MCP server's memory are that. What cannot be read is told when it is
 * read in earnest, but without memory nothing is decided. */
static memo_status reader_lines_format(const char *path, const memo_import_options *options,
                                       memo_import_format *format, memo_err *err)
{
    memo_file file = {0};
    memo_lines lines = {0};
    memo_text line;
    int more = 0, is_mcp = 0;
    memo_status status = memo_lines_open(&lines, &file, path, options->unpacker, err);

    if (status == MEMO_OK)
        status = memo_lines_next(&lines, &line, &more, err);
    if (status == MEMO_OK && more)
        status = memo_mcp_looks_like(line, &is_mcp, err);
    memo_lines_fini(&lines);
    memo_file_close(&file);
    *format = is_mcp ? MEMO_IMPORT_MCP : MEMO_IMPORT_NDJSON;
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

/* A name without a dot, as mail programs give their folders. */
static int reader_has_no_suffix(const char *path)
{
    const char *name = strrchr(path, '/');
    return strchr(name ? name : path, '.') == NULL;
}

/* How a file of no known name begins; what cannot be read is told later. */
static memo_status reader_sniff(const char *path, int *is_packed, int *is_store,
                                memo_import_format *may_be, memo_err *err)
{
    static const char store[16] = "SQLite format 3";
    memo_file file = {0};
    char head[READER_SNIFF_BYTES] = {0};
    size_t n = 0;
    memo_status status = memo_file_open(&file, path, err);

    if (status == MEMO_OK)
        n = file.n_bytes < sizeof head ? (size_t)file.n_bytes : sizeof head;
    if (status == MEMO_OK)
        status = memo_file_read(&file, 0, head, n, err);
    *is_packed = memo_lines_is_packed(head, sizeof head);
    *is_store = memcmp(head, store, sizeof store) == 0;
    *may_be = memcmp(head, "{\"memolith\":", 12) == 0 ? MEMO_IMPORT_NDJSON
              : memcmp(head, "{\"type\":", 8) == 0    ? MEMO_IMPORT_MCP
              : reader_has_no_suffix(path) && memo_mbox_looks_like((memo_text){head, n})
                  ? MEMO_IMPORT_MBOX
                  : MEMO_IMPORT_TEXT;
    memo_file_close(&file);
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

/* By the names that say it; MEMO_IMPORT_AUTO is any other. */
static memo_import_format reader_named_format(const char *path)
{
    static const struct {
        const char *suffix;
        memo_import_format format;
    } known[] = {{".ndjson", MEMO_IMPORT_NDJSON}, {".jsonl", MEMO_IMPORT_NDJSON},
                 {".mbox", MEMO_IMPORT_MBOX},     {".eml", MEMO_IMPORT_EML},
                 {".csv", MEMO_IMPORT_CSV},       {".tsv", MEMO_IMPORT_CSV},
                 {".json", MEMO_IMPORT_JSON}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (reader_ends_with(path, known[i].suffix))
            return known[i].format;
    return MEMO_IMPORT_AUTO;
}

/* A file whose name says nothing. In a folder only mailboxes are looked for. */
static memo_status reader_guess(const memo_walk_file *file, const memo_import_options *options,
                                memo_import_format *format, memo_err *err)
{
    memo_import_format may_be = MEMO_IMPORT_TEXT;
    int packed = 0, is_store = 0;
    memo_status status = MEMO_OK;

    *format = MEMO_IMPORT_TEXT;
    if (file->is_named || reader_has_no_suffix(file->path))
        status = reader_sniff(file->path, &packed, &is_store, &may_be, err);
    if (status)
        return status;
    if (may_be == MEMO_IMPORT_MBOX)
        *format = MEMO_IMPORT_MBOX;
    if (!file->is_named || may_be == MEMO_IMPORT_MBOX)
        return MEMO_OK;
    if (is_store)
        *format = MEMO_IMPORT_STORE;
    if (!packed && may_be == MEMO_IMPORT_TEXT)
        return MEMO_OK;
    status = reader_lines_format(file->path, options, format, err);
    if (may_be == MEMO_IMPORT_MCP && *format != MEMO_IMPORT_MCP)
        *format = MEMO_IMPORT_TEXT; /* an object of something else */
    return status;
}

/* A file of JSON: an array of objects, in a folder only when the first of them has a text, else as a file
 * whose name says nothing. */
static memo_status reader_json_format(const memo_walk_file *file,
                                      const memo_import_options *options,
                                      memo_import_format *format, memo_err *err)
{
    memo_file opened = {0};
    memo_lines lines = {0};
    memo_reader reader;
    memo_record_in record;
    memo_arena arena = {0};
    int more = 0, is_array = 0;
    memo_status status = memo_lines_open(&lines, &opened, file->path, options->unpacker, err);

    if (status == MEMO_OK)
        status = memo_array_looks_like(&lines, &is_array, err);
    memo_lines_fini(&lines);
    memo_file_close(&opened);
    if (status == MEMO_ERR_NOMEM)
        return status;
    if (!is_array)
        return reader_guess(file, options, format, err);
    *format = MEMO_IMPORT_JSON;
    if (file->is_named)
        return MEMO_OK;
    status = memo_reader_open(&reader, file->path, MEMO_IMPORT_JSON, options, err);
    if (status == MEMO_OK)
        status = memo_reader_next(&reader, &more, err);
    if (status == MEMO_OK)
        status = memo_reader_record(&reader, &arena, &record, err);
    if (status == MEMO_ERR_FORMAT)
        *format = MEMO_IMPORT_TEXT;
    json_decref(reader.exported.row);
    memo_reader_close(&reader);
    memo_arena_fini(&arena);
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

/* A table in a folder whose header has no text is one of something else, found on the way. */
static memo_status reader_check_table(const memo_walk_file *file,
                                      const memo_import_options *options,
                                      memo_import_format *format, memo_err *err)
{
    memo_reader reader;
    memo_status status = memo_reader_open(&reader, file->path, MEMO_IMPORT_CSV, options, err);

    memo_reader_close(&reader);
    if (status == MEMO_ERR_FORMAT && !reader.lines.broken)
        *format = MEMO_IMPORT_TEXT;
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

memo_status memo_reader_format(const memo_walk_file *file, const memo_import_options *options,
                               memo_import_format *format, memo_err *err)
{
    *format = file->format == MEMO_IMPORT_STORE ? MEMO_IMPORT_STORE : options->format;
    if (*format != MEMO_IMPORT_AUTO)
        return MEMO_OK;
    *format = reader_named_format(file->path);
    if (*format == MEMO_IMPORT_AUTO)
        return reader_guess(file, options, format, err);
    if (*format == MEMO_IMPORT_JSON)
        return reader_json_format(file, options, format, err);
    if (*format == MEMO_IMPORT_NDJSON)
        return reader_lines_format(file->path, options, format, err);
    if (*format == MEMO_IMPORT_CSV && !file->is_named)
        return reader_check_table(file, options, format, err);
    return MEMO_OK;
}

memo_status memo_reader_open(memo_reader *reader, const char *path, memo_import_format format,
                             const memo_import_options *options, memo_err *err)
{
    memo_status status;

    *reader = (memo_reader){.format = format, .path = path, .source = path, .options = options};
    reader->mbox.lines = &reader->lines;
    reader->array.lines = &reader->lines;
    reader->mbox.is_single = format == MEMO_IMPORT_EML;
    status = memo_lines_open(&reader->lines, &reader->file, path, options->unpacker, err);
    if (status == MEMO_OK && format == MEMO_IMPORT_CSV) {
        status = memo_csv_open(&reader->csv, &reader->lines, options, err);
        reader->number = reader->csv.number;
    }
    return status;
}

void memo_reader_close(memo_reader *reader)
{
    memo_csv_fini(&reader->csv);
    memo_mbox_fini(&reader->mbox);
    memo_array_fini(&reader->array);
    memo_lines_fini(&reader->lines);
    memo_file_close(&reader->file);
}

memo_status memo_reader_next(memo_reader *reader, int *more, memo_err *err)
{
    memo_status status;

    if (reader->format == MEMO_IMPORT_CSV) {
        status = memo_csv_next(&reader->csv, more, err);
        reader->number = reader->csv.number;
        reader->item = (memo_text){reader->csv.row.data, reader->csv.row.n};
    } else if (reader->format == MEMO_IMPORT_MBOX || reader->format == MEMO_IMPORT_EML) {
        status = memo_mbox_next(&reader->mbox, more, err);
        reader->number = reader->mbox.number;
        reader->item = (memo_text){reader->mbox.message.data, reader->mbox.message.n};
    } else if (reader->format == MEMO_IMPORT_JSON) {
        status = memo_array_next(&reader->array, more, err);
        reader->number = reader->array.line;
        reader->item = (memo_text){reader->array.element.data, reader->array.element.n};
    } else {
        status = memo_lines_next(&reader->lines, &reader->item, more, err);
        reader->number = reader->lines.number;
    }
    return status;
}

memo_status memo_reader_record(memo_reader *reader, memo_arena *arena, memo_record_in *record,
                               memo_err *err)
{
    const memo_import_options *o = reader->options;
    json_t *object = NULL;
    memo_status status;

    reader->exported = (memo_exported){0};
    if (reader->format == MEMO_IMPORT_CSV) {
        status = memo_csv_object(&reader->csv, o, &object, err);
        if (status == MEMO_OK)
            status = memo_lines_object(object, reader->item, o, reader->source, arena, record, err);
        json_decref(object);
    } else if (reader->format == MEMO_IMPORT_MBOX || reader->format == MEMO_IMPORT_EML) {
        status = memo_mail_record(reader->item, o, reader->source, arena, record, err);
    } else {
        status = memo_lines_record(reader->item, o, reader->source, arena, record,
                                   &reader->exported, err);
    }
    if (status == MEMO_OK && !reader->exported.row)
        status = memo_ingest_check(record, err);
    if (status && reader->format == MEMO_IMPORT_JSON) /* many may stand in one line */
        memo_err_prefix(err, status, "element %" PRIu64, reader->array.number);
    return status;
}

memo_status memo_reader_count(const char *path, memo_import_format format,
                              const memo_import_options *options, uint64_t *n, memo_err *err)
{
    memo_reader reader;
    memo_err why = {0};
    memo_status status = memo_reader_open(&reader, path, format, options, &why);
    int more = status == MEMO_OK;

    *n = 0;
    if (status == MEMO_ERR_FORMAT || status == MEMO_ERR_LIMIT)
        *n = 1; /* the header, which is reported when it is read in earnest */
    while (more) {
        status = memo_reader_next(&reader, &more, &why);
        if (memo_lines_is_broken(&reader.lines, status))
            break;
        if (status && status != MEMO_ERR_FORMAT && status != MEMO_ERR_LIMIT)
            break;
        *n += more != 0;
    }
    if (reader.lines.broken && reader.lines.number)
        memo_err_prefix(&why, status, "%s:%llu", path, (unsigned long long)reader.lines.number);
    else if (!reader.lines.broken && (status == MEMO_ERR_FORMAT || status == MEMO_ERR_LIMIT))
        status = MEMO_OK;
    memo_reader_close(&reader);
    if (status && err)
        *err = why;
    return status;
}
