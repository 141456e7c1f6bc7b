// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/array.h"

#include <inttypes.h>

#include "base/error.h"

#define ARRAY_END (-1) /* of the file */

void memo_array_fini(memo_array *array)
{
    memo_buf_fini(&array->element);
}

/* The byte that comes next, which stays. */
static memo_status array_peek(memo_array *a, int *c, memo_err *err)
{
    int more = 1;

    if (a->piece.n_bytes == 0) {
        memo_status status = memo_lines_piece(a->lines, &a->piece, &more, err);
        if (status)
            return status;
    }
    *c = more ? (unsigned char)*a->piece.bytes : ARRAY_END;
    return MEMO_OK;
}

static void array_skip(memo_array *a)
{
    a->lines->number += *a->piece.bytes == '\n';
    a->piece.bytes++;
    a->piece.n_bytes--;
}

static int array_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static memo_status array_skip_space(memo_array *a, int *c, memo_err *err)
{
    memo_status status;

    while ((status = array_peek(a, c, err)) == MEMO_OK && array_is_space(*c))
        array_skip(a);
    return status;
}

/* What stands around a byte of an element. */
typedef struct array_place {
    size_t depth; /* brackets and braces it has opened */
    int in_string, is_escaped;
} array_place;

/* Whether the byte ends the element; it does not belong to it then. */
static int array_step(array_place *place, int c)
{
    if (place->in_string) {
        place->in_string = place->is_escaped || c != '"';
        place->is_escaped = !place->is_escaped && c == '\\';
        return 0;
    }
    if (place->depth == 0 && (c == ',' || c == ']'))
        return 1;
    place->in_string = c == '"';
    place->depth += c == '{' || c == '[';
    place->depth -= place->depth && (c == '}' || c == ']');
    return 0;
}

/* The bytes up to the element's end; *c is what ended it. */
static memo_status array_collect(memo_array *a, int *c, int *too_long, memo_err *err)
{
    array_place place = {0};
    memo_status status;

    while ((status = array_peek(a, c, err)) == MEMO_OK && *c != ARRAY_END) {
        const char *from = a->piece.bytes;
        int ended = 0;
        while (a->piece.n_bytes && !(ended = array_step(&place, (unsigned char)*a->piece.bytes)))
            array_skip(a);
        *too_long |= a->element.n + (size_t)(a->piece.bytes - from) > MEMO_LINES_MAX_BYTES;
        if (!*too_long)
            memo_buf_append(&a->element, from, (size_t)(a->piece.bytes - from));
        if (a->element.failed)
            return memo_fail_nomem(err, "element of an array", a->element.n);
        if (ended) {
            *c = (unsigned char)*a->piece.bytes;
            return MEMO_OK;
        }
    }
    return status;
}

static memo_status array_begin(memo_array *a, memo_err *err)
{
    int c;
    memo_status status = array_skip_space(a, &c, err);

    a->line = a->lines->number;
    if (status)
        return status;
    if (c != '[') {
        a->state = MEMO_ARRAY_DONE;
        return c == ARRAY_END
                   ? memo_fail(err, MEMO_ERR_FORMAT, "not a JSON array: the file is empty")
                   : memo_fail(err, MEMO_ERR_FORMAT,
                               "not a JSON array: it begins with byte 0x%02x instead of \"[\"", c);
    }
    array_skip(a);
    a->state = MEMO_ARRAY_FIRST;
    return MEMO_OK;
}

/* White space alone may follow. */
static memo_status array_end(memo_array *a, int *more, memo_err *err)
{
    int c = 0;
    memo_status status = array_skip_space(a, &c, err);

    a->state = MEMO_ARRAY_DONE;
    a->line = a->lines->number;
    if (status)
        return status;
    *more = 0;
    if (c == ARRAY_END)
        return MEMO_OK;
    *more = 1;
    return memo_fail(err, MEMO_ERR_FORMAT,
                     "the file goes on behind the array, which ends after %" PRIu64 " element%s",
                     a->number, a->number == 1 ? "" : "s");
}

static memo_status array_element(memo_array *a, memo_err *err)
{
    int c = 0, too_long = 0;
    memo_status status = array_collect(a, &c, &too_long, err);

    if (status)
        return status;
    while (a->element.n && array_is_space(a->element.data[a->element.n - 1]))
        a->element.n--;
    if (c == ARRAY_END) {
        a->state = MEMO_ARRAY_DONE;
        return memo_fail(err, MEMO_ERR_FORMAT, "the file ends in element %" PRIu64, a->number);
    }
    array_skip(a);
    a->state = c == ',' ? MEMO_ARRAY_NEXT : MEMO_ARRAY_AFTER;
    if (too_long)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "element %" PRIu64 " has more than the %zu bytes that are allowed",
                         a->number, MEMO_LINES_MAX_BYTES);
    if (a->element.n == 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "element %" PRIu64 " is missing before the \"%c\"",
                         a->number, c);
    return MEMO_OK;
}

memo_status memo_array_next(memo_array *a, int *more, memo_err *err)
{
    int c = 0;
    memo_status status = MEMO_OK;

    *more = a->state != MEMO_ARRAY_DONE && !a->lines->broken;
    if (!*more)
        return MEMO_OK;
    memo_buf_clear(&a->element);
    if (a->state == MEMO_ARRAY_BEFORE)
        status = array_begin(a, err);
    if (status == MEMO_OK && a->state != MEMO_ARRAY_AFTER)
        status = array_skip_space(a, &c, err);
    if (status)
        return status;
    if (a->state == MEMO_ARRAY_FIRST && c == ']') {
        array_skip(a);
        a->state = MEMO_ARRAY_AFTER;
    }
    if (a->state == MEMO_ARRAY_AFTER)
        return array_end(a, more, err);
    a->number++;
    a->line = a->lines->number;
    return array_element(a, err);
}

memo_status memo_array_looks_like(memo_lines *lines, int *is_array, memo_err *err)
{
    memo_array a = {.lines = lines};
    int c = 0;
    memo_status status = array_begin(&a, err);

    if (status == MEMO_OK)
        status = array_skip_space(&a, &c, err);
    *is_array = status == MEMO_OK && (c == '{' || c == ']');
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}
