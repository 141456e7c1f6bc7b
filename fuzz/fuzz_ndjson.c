// SPDX-License-Identifier: Apache-2.0
/* fuzz_ndjson.c -- any bytes as the command's NDJSON input (embed, tokenize, search --queries). The
 * lines are those of a naive split, and counting them finds as many. */
#include "fuzz_folder.h"

#include "cli/ndjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line that is not blank, without white space at its end and without a byte order mark at
 * the beginning of the file; 0 at the end. */
static int fuzz_next(const char *text, size_t size, size_t *at, memo_text *line)
{
    while (*at < size) {
        const char *nl = memchr(text + *at, '\n', size - *at);
        size_t end = nl ? (size_t)(nl - text) : size, begin = *at, next = end + 1;
        if (begin == 0 && end >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
            begin = 3;
        while (end > begin && text[end - 1] && strchr(" \t\r", text[end - 1]))
            end--;
        *line = (memo_text){text + begin, end - begin};
        *at = next;
        if (end > begin)
            return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cli_app app;
    char path[512];
    cli_lines lines;
    memo_text wanted;
    memo_err err = {0};
    uint64_t n_lines = 0, n_found = 0;
    size_t at = 0;

    fuzz_write(fuzz_path(path, "lines"), data, size);
    if (cli_lines_open(&lines, &app, path, &err) || cli_lines_count(&lines, &n_lines, &err))
        abort();
    for (;;) {
        const char *text = NULL;
        size_t n = 0;
        json_t *json = NULL;
        int more = fuzz_next((const char *)data, size, &at, &wanted);
        if (cli_lines_next(&lines, &text, &n, &err) || (text != NULL) != more)
            abort();
        if (!more)
            break;
        if (n != wanted.n_bytes || memcmp(text, wanted.bytes, n) != 0)
            abort();
        if (memo_json_parse(text, n, &memo_json_request_limits, "line", &json, &err) == MEMO_OK)
            json_decref(json);
        n_found++;
    }
    cli_lines_close(&lines);
    if (n_found != n_lines)
        abort();
    return 0;
}
