// SPDX-License-Identifier: Apache-2.0
#include "store/is_json.h"

#include <stdint.h>
#include <string.h>

enum { IS_JSON_DEPTH = 64 };

typedef struct is_json {
    const unsigned char *at, *end;
} is_json;

static int is_json_digit(const is_json *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static void is_json_space(is_json *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static int is_json_take(is_json *r, unsigned char c)
{
    if (r->at == r->end || *r->at != c)
        return 0;
    r->at++;
    return 1;
}

static int is_json_word(is_json *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return 0;
    r->at += n;
    return 1;
}

/* After a backslash. */
static int is_json_escape(is_json *r)
{
    if (r->at == r->end || !*r->at || !strchr("\"\\/bfnrtu", *r->at))
        return 0;
    if (*r->at++ != 'u')
        return 1;
    for (int i = 0; i < 4; i++, r->at++)
        if (r->at == r->end || !*r->at || !strchr("0123456789abcdefABCDEF", *r->at))
            return 0;
    return 1;
}

static int is_json_string(is_json *r)
{
    if (!is_json_take(r, '"'))
        return 0;
    while (r->at < r->end && *r->at >= ' ') {
        unsigned char c = *r->at++;
        if (c == '"')
            return 1;
        if (c == '\\' && !is_json_escape(r))
            return 0;
    }
    return 0;
}

static int is_json_digits(is_json *r)
{
    const unsigned char *begin = r->at;
    while (is_json_digit(r))
        r->at++;
    return r->at > begin;
}

static int is_json_number(is_json *r)
{
    (void)is_json_take(r, '-');
    if (!is_json_take(r, '0') && !is_json_digits(r))
        return 0;
    if (is_json_digit(r)) /* 01 */
        return 0;
    if (is_json_take(r, '.') && !is_json_digits(r))
        return 0;
    if (is_json_take(r, 'e') || is_json_take(r, 'E')) {
        if (!is_json_take(r, '-'))
            (void)is_json_take(r, '+');
        return is_json_digits(r);
    }
    return 1;
}

static int is_json_scalar(is_json *r)
{
    if (r->at < r->end && *r->at == '"')
        return is_json_string(r);
    return is_json_word(r, "true") || is_json_word(r, "false") || is_json_word(r, "null") ||
           is_json_number(r);
}

/* The name of a member and its colon. */
static int is_json_name(is_json *r)
{
    is_json_space(r);
    if (!is_json_string(r))
        return 0;
    is_json_space(r);
    return is_json_take(r, ':');
}

int memo_is_json(const char *text, size_t n_bytes)
{
    is_json r = {(const unsigned char *)text, (const unsigned char *)text + n_bytes};
    uint64_t objects = 0; /* a bit for each level that is open: 1 for an object; innermost lowest */
    int depth = 0;
    for (;;) {
        int opens, is_object;
        is_json_space(&r);
        opens = r.at < r.end && (*r.at == '{' || *r.at == '[');
        if (opens) {
            if (depth++ == IS_JSON_DEPTH)
                return 0;
            objects = objects << 1 | (*r.at++ == '{');
            is_json_space(&r);
            opens = r.at == r.end || *r.at != (objects & 1 ? '}' : ']');
            if (opens) {
                if ((objects & 1) && !is_json_name(&r))
                    return 0;
                continue;
            }
        } else if (!is_json_scalar(&r)) {
            return 0;
        }
        for (;;) { /* a value has ended, or an empty level ends here */
            is_json_space(&r);
            if (depth == 0)
                return r.at == r.end;
            is_object = (int)(objects & 1);
            if (!is_json_take(&r, is_object ? '}' : ']'))
                break;
            depth--;
            objects >>= 1;
        }
        if (!is_json_take(&r, ',') || (is_object && !is_json_name(&r)))
            return 0;
    }
}

static void is_json_value(sqlite3_context *result, int n, sqlite3_value **values)
{
    const char *text;
    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return;
    text = (const char *)sqlite3_value_text(values[0]);
    if (text)
        sqlite3_result_int(result, memo_is_json(text, (size_t)sqlite3_value_bytes(values[0])));
    else
        sqlite3_result_error_nomem(result);
}

int memo_is_json_add(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "memo_is_json", 1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      is_json_value, NULL, NULL, NULL);
}
