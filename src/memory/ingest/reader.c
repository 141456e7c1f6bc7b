// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/reader.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "memory/db.h"
#include "memory/ingest/mcp.h"

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

/* How a file of no known name begins; what cannot be read is told later. */
static memo_status reader_sniff(const char *path, int *is_packed, int *is_store,
                                memo_import_format *may_be, memo_err *err)
{
    static const char store[16] = "SQLite format 3";
    memo_file file = {0};
    char head[sizeof store] = {0};
    memo_status status = memo_file_open(&file, path, err);

    if (status == MEMO_OK)
        status = memo_file_read(
            &file, 0, head, file.n_bytes < sizeof head ? (size_t)file.n_bytes : sizeof head, err);
    *is_packed = memo_lines_is_packed(head, sizeof head);
    *is_store = memcmp(head, store, sizeof head) == 0;
    *may_be = memcmp(head, "{\"memolith\":", 12) == 0 ? MEMO_IMPORT_NDJSON
              : memcmp(head, "{\"type\":", 8) == 0    ? MEMO_IMPORT_MCP
                                                      : MEMO_IMPORT_TEXT;
    memo_file_close(&file);
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

memo_status memo_reader_format(const memo_walk_file *file, const memo_import_options *options,
                               memo_import_format *format, memo_err *err)
{
    memo_reader reader;
    memo_import_format may_be = MEMO_IMPORT_TEXT;
    int packed = 0, is_store = file->format == MEMO_IMPORT_STORE;
    memo_status status = MEMO_OK;

    *format = is_store ? MEMO_IMPORT_STORE : options->format;
    if (*format != MEMO_IMPORT_AUTO)
        return MEMO_OK;
    *format = MEMO_IMPORT_TEXT;
    if (reader_ends_with(file->path, ".ndjson") || reader_ends_with(file->path, ".jsonl"))
        return reader_lines_format(file->path, options, format, err);
    if (reader_ends_with(file->path, ".mbox"))
        *format = MEMO_IMPORT_MBOX;
    else if (reader_ends_with(file->path, ".csv") || reader_ends_with(file->path, ".tsv"))
        *format = MEMO_IMPORT_CSV;
    else if (file->is_named)
        status = reader_sniff(file->path, &packed, &is_store, &may_be, err);
    if (is_store)
        *format = MEMO_IMPORT_STORE;
    if (packed || may_be != MEMO_IMPORT_TEXT) {
        status = reader_lines_format(file->path, options, format, err);
        if (may_be == MEMO_IMPORT_MCP && *format != MEMO_IMPORT_MCP)
            *format = MEMO_IMPORT_TEXT; /* an object of something else */
        return status;
    }
    if (status)
        return status;
    if (*format != MEMO_IMPORT_CSV || file->is_named)
        return MEMO_OK;
    status = memo_reader_open(&reader, file->path, MEMO_IMPORT_CSV, options, err);
    memo_reader_close(&reader);
    if (status == MEMO_ERR_NOMEM)
        return status;
    if (status == MEMO_ERR_FORMAT && !reader.lines.broken)
        *format = MEMO_IMPORT_TEXT; /* a table of something else, found on the way */
    return MEMO_OK;
}

memo_status memo_reader_open(memo_reader *reader, const char *path, memo_import_format format,
                             const memo_import_options *options, memo_err *err)
{
    memo_status status;

    *reader = (memo_reader){.format = format, .path = path, .source = path, .options = options};
    reader->mbox.lines = &reader->lines;
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
    } else if (reader->format == MEMO_IMPORT_MBOX) {
        status = memo_mbox_next(&reader->mbox, more, err);
        reader->number = reader->mbox.number;
        reader->item = (memo_text){reader->mbox.message.data, reader->mbox.message.n};
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
    } else if (reader->format == MEMO_IMPORT_MBOX) {
        status = memo_mail_record(reader->item, o, reader->source, arena, record, err);
    } else {
        status = memo_lines_record(reader->item, o, reader->source, arena, record,
                                   &reader->exported, err);
    }
    return status || reader->exported.row ? status : memo_ingest_check(record, err);
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
