// SPDX-License-Identifier: Apache-2.0
/* fuzz_front.c -- any text as a Markdown file. A block of front matter is whole lines from the first to one that
 * ends it, what it says is strings that the way in takes, and a heading is a part of the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "memory/db.h"
#include "memory/ingest/front.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_string(const char *s)
{
    if (memo_utf8_check(s, strlen(s)) != strlen(s))
        abort();
}

static void fuzz_block(memo_text text, const memo_front *front)
{
    static const int zero = 0;
    const char *end = text.bytes + front->n_bytes;
    memo_record_in record = {
        .size = sizeof record, .text = {"x", 1}, .metadata_json = front->metadata, .trust = &zero};
    memo_err err = {0};

    if (front->n_bytes > text.n_bytes || front->n_bytes < 7 || front->n_bytes > MEMO_FRONT_BYTES ||
        !memmem(text.bytes, 6, "---", 3) ||
        (end[-1] != '\n' && front->n_bytes < text.n_bytes && front->n_bytes < MEMO_FRONT_BYTES))
        abort();
    if (front->title)
        fuzz_string(front->title);
    for (size_t i = 0; i < front->n_tags; i++) {
        fuzz_string(front->tags[i]);
        if (!*front->tags[i])
            abort();
    }
    if (memo_ingest_check(&record, &err) != MEMO_OK &&
        (err.status != MEMO_ERR_LIMIT || strlen(front->metadata) <= MEMO_DB_METADATA_BYTES))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const memo_text text = {(const char *)data, size};
    memo_arena arena = {0};
    memo_front front;
    memo_text heading;
    memo_err err = {0};

    if (memo_utf8_check((const char *)data, size) != size)
        return 0;
    if (memo_front_read(text, &arena, &front, &err) != MEMO_OK)
        abort();
    if (front.n_bytes)
        fuzz_block(text, &front);
    else if (front.title || front.tags || front.metadata || front.created_ms)
        abort();
    heading = memo_front_heading(text);
    if (heading.n_bytes &&
        (heading.bytes < text.bytes || heading.bytes + heading.n_bytes > text.bytes + size ||
         memchr(heading.bytes, '\n', heading.n_bytes)))
        abort();
    memo_arena_fini(&arena);
    return 0;
}
