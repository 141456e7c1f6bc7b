// SPDX-License-Identifier: Apache-2.0
/* fuzz_zst.c -- any bytes as a file packed by zstd, with the reader of lines behind it. What comes out
 * never has more bytes than are allowed; lines and failures are as of a plain file; nothing follows a
 * failure. */
#include "fuzz_folder.h"

#include "cli/zst.h"
#include "memory/ingest/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MOST_BYTES ((uint64_t)1 << 20)

static void fuzz_line(memo_text line)
{
    const memo_import_options options = {.size = sizeof options};
    memo_record_in record;
    memo_exported exported = {0};
    memo_arena arena = {0};
    memo_err err = {0};

    if (memo_lines_record(line, &options, "fuzz", &arena, &record, &exported, &err) != MEMO_OK &&
        !err.message[0])
        abort();
    json_decref(exported.row);
    memo_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[512];
    uint64_t most_bytes = FUZZ_MOST_BYTES, n_bytes = 0;
    memo_unpacker unpacker;
    memo_file file = {0};
    memo_lines lines;
    memo_err err = {0};
    memo_status status;
    int more = 1;

    cli_zst_unpacker(&unpacker, &most_bytes);
    fuzz_write(fuzz_path(path, "lines.zst"), data, size);
    status = memo_lines_open(&lines, &file, path, &unpacker, &err);
    while (status == MEMO_OK && more) {
        memo_text line = {NULL, 0};
        status = memo_lines_next(&lines, &line, &more, &err);
        if (status == MEMO_OK && more) {
            n_bytes += line.n_bytes;
            fuzz_line(line);
        }
    }
    if (n_bytes > FUZZ_MOST_BYTES || (status && !err.message[0]))
        abort();
    if (status && lines.broken) { /* and so it stays */
        memo_text line;
        if (memo_lines_next(&lines, &line, &more, &err) != MEMO_OK || more)
            abort();
    }
    memo_lines_fini(&lines);
    memo_file_close(&file);
    return 0;
}
