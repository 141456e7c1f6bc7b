// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/document.c -- from a record to the texts the model embeds.
 *
 * The title goes before the first chunk, with one space, and nowhere else: repeated before every
 * chunk it would pull all of them towards each other. It takes at most half of what the model can
 * see, and what it takes is missing from the first chunk only as far as the model is full. */
#include "memory/db.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "model/tokens.h"
#include "text/chunk.h"

#define DOCUMENT_CHUNK_TOKENS 400 /* default; longer chunks blur, shorter ones lose context */

static int document_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcasecmp(s + n - m, suffix) == 0;
}

int memo_document_is_markdown(const memo_record_in *in)
{
    if (in->chunking == MEMO_CHUNK_MARKDOWN)
        return 1;
    return in->chunking == MEMO_CHUNK_AUTO && in->source &&
           (document_has_suffix(in->source, ".md") || document_has_suffix(in->source, ".markdown"));
}

static int document_is_code(const memo_record_in *in)
{
    static const char *const suffixes[] = {".c",   ".h",    ".cc",    ".cpp", ".hpp", ".cs",
                                           ".go",  ".java", ".js",    ".jsx", ".kt",  ".lua",
                                           ".php", ".pl",   ".py",    ".rb",  ".rs",  ".scala",
                                           ".sh",  ".sql",  ".swift", ".ts",  ".tsx", ".zig"};

    if (in->chunking != MEMO_CHUNK_AUTO || !in->source)
        return in->chunking == MEMO_CHUNK_CODE;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (document_has_suffix(in->source, suffixes[i]))
            return 1;
    return 0;
}

/* Fill sizes from the record and the model; `capacity` is what the model sees of a document. */
static memo_status document_chunk_options(const memo_record_in *in, size_t capacity,
                                          memo_chunk_options *o, memo_err *err)
{
    memset(o, 0, sizeof *o);
    o->markdown = memo_document_is_markdown(in);
    o->code = document_is_code(in);
    o->max_tokens = in->chunk_tokens;
    if (o->max_tokens == 0)
        o->max_tokens = capacity < DOCUMENT_CHUNK_TOKENS ? capacity : DOCUMENT_CHUNK_TOKENS;
    if (o->max_tokens > capacity || o->max_tokens < MEMO_CHUNK_MIN_TOKENS)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "chunks of %zu tokens: %d to %zu are possible with this model",
                         o->max_tokens, MEMO_CHUNK_MIN_TOKENS, capacity);
    if (in->chunk_overlap == 0)
        o->overlap = o->max_tokens * 15 / 100;
    else if (in->chunk_overlap != SIZE_MAX)
        o->overlap = in->chunk_overlap;
    if (o->overlap > o->max_tokens / 2)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "chunks of %zu tokens overlap by %zu: at most half (%zu) is possible",
                         o->max_tokens, o->overlap, o->max_tokens / 2);
    return MEMO_OK;
}

/* How many bytes of the title are embedded, and the tokens they cost. */
static memo_status document_measure_title(const memo_db *db, const char *title, size_t max_tokens,
                                          size_t *n_bytes, size_t *n_tokens, memo_err *err)
{
    memo_token_list tokens = {0};
    memo_status status;

    *n_bytes = *n_tokens = 0;
    if (!title || !*title)
        return MEMO_OK;
    status = memo_tokenizer_encode(memo_model_tokenizer(db->model), title, strlen(title),
                                   MEMO_ENCODE_OFFSETS, &tokens, err);
    if (status == MEMO_OK) {
        *n_tokens = tokens.n < max_tokens ? tokens.n : max_tokens;
        *n_bytes = tokens.n <= max_tokens ? strlen(title) : tokens.offsets[max_tokens][0];
    }
    memo_token_list_fini(&tokens);
    return status;
}

/* The span of the text, or title, space and span. */
static memo_status document_join(const char *title, size_t title_bytes, memo_text span,
                                 memo_arena *arena, memo_text *input, memo_err *err)
{
    char *joined;

    *input = span;
    if (title_bytes == 0)
        return MEMO_OK;
    joined = memo_arena_alloc(arena, title_bytes + 1 + span.n_bytes + 1);
    if (!joined)
        return memo_fail_nomem(err, "text with its title", title_bytes + 1 + span.n_bytes);
    memcpy(joined, title, title_bytes);
    joined[title_bytes] = ' ';
    memcpy(joined + title_bytes + 1, span.bytes, span.n_bytes);
    *input = (memo_text){joined, title_bytes + 1 + span.n_bytes};
    return MEMO_OK;
}

static memo_status document_fill(const memo_record_in *in, size_t title_bytes,
                                 const memo_text_chunk *chunks, size_t n, memo_arena *arena,
                                 memo_document *document, memo_err *err)
{
    document->n = n;
    document->spans = memo_arena_array(arena, n, sizeof *document->spans);
    document->inputs = memo_arena_array(arena, n, sizeof *document->inputs);
    if (!document->spans || !document->inputs)
        return memo_fail_nomem(err, "chunks of a text", n * sizeof *document->inputs);
    for (size_t i = 0; i < n; i++) {
        memo_text span = {in->text.bytes + chunks[i].begin, chunks[i].end - chunks[i].begin};
        memo_status status = document_join(in->title, i == 0 ? title_bytes : 0, span, arena,
                                           &document->inputs[i], err);
        if (status)
            return status;
        document->spans[i][0] = chunks[i].begin;
        document->spans[i][1] = chunks[i].end;
    }
    return MEMO_OK;
}

memo_status memo_document_cut(memo_db *db, const memo_record_in *in, memo_arena *arena,
                              memo_document *document, memo_err *err)
{
    const memo_text_chunk whole = {0, in->text.n_bytes, 0};
    memo_chunk_list list = {0};
    memo_chunk_options o;
    size_t capacity, title_bytes, title_tokens;
    memo_status status;

    if (in->chunking == MEMO_CHUNK_NONE || !db->model) /* without a tokenizer nothing is measured */
        return document_fill(in, in->title ? strlen(in->title) : 0, &whole, 1, arena, document,
                             err);
    status = memo_db_capacity(db, &capacity, err);
    if (status == MEMO_OK)
        status = document_chunk_options(in, capacity, &o, err);
    if (status == MEMO_OK)
        status =
            document_measure_title(db, in->title, capacity / 2, &title_bytes, &title_tokens, err);
    if (status)
        return status;
    if (capacity - title_tokens < o.max_tokens)
        o.first_tokens = capacity - title_tokens;
    status = memo_chunk_split(memo_model_tokenizer(db->model), in->text, &o, &list, err);
    if (status == MEMO_OK)
        status = document_fill(in, title_bytes, list.chunks, list.n, arena, document, err);
    memo_chunk_list_fini(&list);
    return status;
}

memo_status memo_document_input(memo_db *db, const char *title, memo_text span, memo_arena *arena,
                                memo_text *input, memo_err *err)
{
    size_t capacity = 0, title_bytes = 0, title_tokens;
    memo_status status = MEMO_OK;

    if (!db->model) {
        title_bytes = title ? strlen(title) : 0;
    } else if (title && *title) {
        status = memo_db_capacity(db, &capacity, err);
        if (status == MEMO_OK)
            status =
                document_measure_title(db, title, capacity / 2, &title_bytes, &title_tokens, err);
    }
    return status ? status : document_join(title, title_bytes, span, arena, input, err);
}
