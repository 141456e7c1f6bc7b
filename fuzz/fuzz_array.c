// SPDX-License-Identifier: Apache-2.0
/* fuzz_array.c -- any bytes as a file that is a JSON array. Where jansson reads the whole as an array, the
 * elements are those it has, in their order; else every failure has a message, and reading ends. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "memory/ingest/array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *fuzz_data;

static ssize_t fuzz_pread(int fd, void *buf, size_t n, off_t offset)
{
    (void)fd;
    memcpy(buf, fuzz_data + offset, n);
    return (ssize_t)n;
}

/* One element against the one that jansson has in its place. */
static void fuzz_compare(const memo_buf *element, const json_t *wanted)
{
    json_t *value = json_loadb(element->data, element->n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!value || !json_equal(value, wanted))
        abort();
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_sys sys = *memo_sys_get();
    memo_file file = {.fd = -1, .n_bytes = size};
    memo_lines lines = {.file = &file};
    memo_array array = {.lines = &lines};
    json_t *whole = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    size_t n = 0, n_calls = 0;
    int more = 1;

    fuzz_data = data;
    sys.pread = fuzz_pread;
    memo_sys_set(&sys);
    while (more) {
        memo_err err = {0};
        memo_status status = memo_array_next(&array, &more, &err);
        if (n_calls++ > size + 2 || (status && !err.message[0]) || (json_is_array(whole) && status))
            abort();
        if (status || !more)
            continue;
        if (json_is_array(whole))
            fuzz_compare(&array.element, json_array_get(whole, n));
        n++;
    }
    if (json_is_array(whole) && n != json_array_size(whole))
        abort();
    json_decref(whole);
    memo_array_fini(&array);
    memo_lines_fini(&lines);
    memo_sys_set(NULL);
    return 0;
}
