// SPDX-License-Identifier: Apache-2.0
/* fuzz_import.c -- any bytes as an NDJSON file. The lines must be those of a naive split, and a line
 * that becomes a record must have text that the way in accepts or refuses with a message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "memory/db.h"
#include "memory/ingest/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *fuzz_data;

static ssize_t fuzz_pread(int fd, void *buf, size_t n, off_t offset)
{
    (void)fd;
    memcpy(buf, fuzz_data + offset, n);
    return (ssize_t)n;
}

/* The next line of data from *at on, the naive way; 0 at the end. */
static int fuzz_next_line(const uint8_t *data, size_t size, size_t *at, memo_text *line)
{
    while (*at < size) {
        const uint8_t *nl = memchr(data + *at, '\n', size - *at);
        size_t end = nl ? (size_t)(nl - data) : size;
        int blank = 1;
        *line = (memo_text){(const char *)data + *at, end - *at};
        *at = nl ? end + 1 : size;
        for (size_t i = 0; i < line->n_bytes; i++)
            blank &= strchr(" \t\r", line->bytes[i]) != NULL && line->bytes[i];
        if (blank)
            continue;
        line->n_bytes -= line->bytes[line->n_bytes - 1] == '\r';
        return 1;
    }
    return 0;
}

/* A line that is no record: one that is read as a version is whole, or refused with a message. */
static void fuzz_row(json_t *row)
{
    memo_arena arena = {0};
    memo_store_put put;
    memo_store_kept kept;
    memo_err err = {0};

    if (memo_exported_version(row, &arena, &put, &kept, &err) == MEMO_OK
            ? !put.id || !kept.version || !put.text.n_bytes
            : !err.message[0])
        abort();
    json_decref(row);
    memo_arena_fini(&arena);
}

static void fuzz_record(memo_text line)
{
    const memo_import_options options = {.size = sizeof options};
    memo_record_in record;
    memo_exported exported = {0};
    memo_arena arena = {0};
    memo_err err = {0};

    memo_status status =
        memo_lines_record(line, &options, "fuzz", &arena, &record, &exported, &err);
    if (status == MEMO_OK && exported.row) {
        fuzz_row(exported.row);
    } else if (status == MEMO_OK) {
        if (!record.key ||
            memo_utf8_check(record.text.bytes, record.text.n_bytes) != record.text.n_bytes)
            abort();
        if (memo_ingest_check(&record, &err) != MEMO_OK && !err.message[0])
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    memo_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_sys sys = *memo_sys_get();
    memo_file file = {.fd = -1, .n_bytes = size};
    memo_lines lines = {.file = &file};
    memo_text line, wanted = {NULL, 0};
    size_t at = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    int more = 1;

    fuzz_data = data;
    sys.pread = fuzz_pread;
    memo_sys_set(&sys);
    for (;;) {
        memo_err err = {0};
        int naive = fuzz_next_line(data, size, &at, &wanted);
        if (memo_lines_next(&lines, &line, &more, &err) != MEMO_OK || more != naive)
            abort();
        if (!more)
            break;
        if (line.n_bytes != wanted.n_bytes || memcmp(line.bytes, wanted.bytes, line.n_bytes) != 0)
            abort();
        fuzz_record(line);
    }
    memo_lines_fini(&lines);
    memo_sys_set(NULL);
    return 0;
}
