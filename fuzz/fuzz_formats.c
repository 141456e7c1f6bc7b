// SPDX-License-Identifier: Apache-2.0
/* fuzz_formats.c -- any bytes as a CSV, a mailbox or an MCP server's memory; the first byte chooses (a mailbox
 * from 128 on is one message). Each
 * reader must come to its end, and what it takes for a record must have a key and text in UTF-8. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "memory/ingest/csv.h"
#include "memory/ingest/mail.h"
#include "memory/ingest/mcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *fuzz_data;
static const memo_import_options fuzz_options = {.size = sizeof fuzz_options};

static ssize_t fuzz_pread(int fd, void *buf, size_t n, off_t offset)
{
    (void)fd;
    memcpy(buf, fuzz_data + offset, n);
    return (ssize_t)n;
}

static void fuzz_record(memo_status status, const memo_record_in *record, const memo_err *err)
{
    if (status ? !err->message[0]
               : !record->key || memo_utf8_check(record->text.bytes, record->text.n_bytes) !=
                                     record->text.n_bytes)
        abort();
}

static void fuzz_csv(memo_lines *lines)
{
    memo_csv csv;
    memo_err err = {0};
    memo_status status = memo_csv_open(&csv, lines, &fuzz_options, &err);

    for (int more = status == MEMO_OK; more;) {
        memo_arena arena = {0};
        memo_record_in record;
        json_t *object = NULL;
        err = (memo_err){0};
        status = memo_csv_next(&csv, &more, &err);
        if (status == MEMO_OK && !more)
            break;
        if (status == MEMO_OK)
            status = memo_csv_object(&csv, &fuzz_options, &object, &err);
        if (status == MEMO_OK)
            status = memo_lines_object(object, (memo_text){csv.row.data, csv.row.n}, &fuzz_options,
                                       "fuzz", &arena, &record, &err);
        fuzz_record(status, &record, &err);
        json_decref(object);
        memo_arena_fini(&arena);
    }
    memo_csv_fini(&csv);
}

static void fuzz_mail(memo_lines *lines, int is_single)
{
    memo_mbox mbox = {.lines = lines, .is_single = is_single};
    int more = 1;

    while (more) {
        memo_arena arena = {0};
        memo_record_in record;
        memo_err err = {0};
        memo_status status = memo_mbox_next(&mbox, &more, &err);
        if (status == MEMO_OK && !more)
            break;
        if (status == MEMO_OK)
            status = memo_mail_record((memo_text){mbox.message.data, mbox.message.n}, &fuzz_options,
                                      "fuzz", &arena, &record, &err);
        fuzz_record(status, &record, &err);
        memo_arena_fini(&arena);
    }
    memo_mbox_fini(&mbox);
}

static void fuzz_mcp(memo_lines *lines)
{
    memo_text text;
    int more = 1;

    for (;;) {
        memo_arena arena = {0};
        memo_mcp_line line;
        memo_err err = {0};
        if (memo_lines_next(lines, &text, &more, &err) != MEMO_OK)
            abort();
        if (!more)
            return;
        if (memo_mcp_read(text, &arena, &line, &err) == MEMO_OK ? !line.entity == !line.from
                                                                : !err.message[0])
            abort();
        memo_arena_fini(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_sys sys = *memo_sys_get();
    memo_file file = {.fd = -1, .n_bytes = size ? size - 1 : 0};
    memo_lines lines = {.file = &file};

    if (size == 0)
        return 0;
    fuzz_data = data + 1;
    sys.pread = fuzz_pread;
    memo_sys_set(&sys);
    if (data[0] % 3 == 0)
        fuzz_csv(&lines);
    else if (data[0] % 3 == 1)
        fuzz_mail(&lines, data[0] >= 128);
    else
        fuzz_mcp(&lines);
    memo_lines_fini(&lines);
    memo_sys_set(NULL);
    return 0;
}
