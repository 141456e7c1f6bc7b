// SPDX-License-Identifier: Apache-2.0
#include "base/json_read.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"

typedef struct json_reader {
    const char *text;
    size_t n_bytes, at;
    int int_as_real;
    memo_buf token; /* the string or number being read, decoded */
    memo_json_fault *fault;
} json_reader;

/* Always NULL. */
static json_t *jread_fail(json_reader *r, memo_status status, size_t at, const char *text)
{
    *r->fault = (memo_json_fault){status, at, text};
    return NULL;
}

static json_t *jread_bad(json_reader *r, const char *text)
{
    return jread_fail(r, MEMO_ERR_FORMAT, r->at,
                      r->at < r->n_bytes ? text : "the text ends too early");
}

static json_t *jread_nomem(json_reader *r)
{
    return jread_fail(r, MEMO_ERR_NOMEM, r->at, "");
}

/* The byte at r->at, or -1 at the end. */
static int jread_peek(const json_reader *r)
{
    return r->at < r->n_bytes ? (unsigned char)r->text[r->at] : -1;
}

static void jread_skip_space(json_reader *r)
{
    int c;
    while ((c = jread_peek(r)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        r->at++;
}

static int jread_take(json_reader *r, int c)
{
    if (jread_peek(r) != c)
        return 0;
    r->at++;
    return 1;
}

/* ---- strings ------------------------------------------------------------------------------- */

/* Four hexadecimal digits at r->at, or -1. */
static int32_t jread_hex(json_reader *r)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int c = jread_peek(r), letter = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            v = v * 16 + (letter - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* After "\u": one character, which may need a second escape. Zero when it is malformed. */
static int jread_unicode(json_reader *r)
{
    char bytes[4];
    int32_t first = jread_hex(r), second;
    if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF))
        return 0;
    if (first >= 0xD800 && first <= 0xDBFF) {
        if (!jread_take(r, '\\') || !jread_take(r, 'u'))
            return 0;
        second = jread_hex(r);
        if (second < 0xDC00 || second > 0xDFFF)
            return 0;
        first = 0x10000 + (first - 0xD800) * 0x400 + (second - 0xDC00);
    }
    memo_buf_append(&r->token, bytes, memo_utf8_encode((uint32_t)first, bytes));
    return 1;
}

/* After the backslash. */
static int jread_escape(json_reader *r)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = jread_peek(r);
    const char *found = c > 0 ? strchr(names, c) : NULL;
    if (c == 'u') {
        r->at++;
        return jread_unicode(r);
    }
    if (!found)
        return 0;
    r->at++;
    memo_buf_putc(&r->token, values[found - names]);
    return 1;
}

/* The string whose first quote is at r->at, decoded into r->token. Zero on failure. */
static int jread_token_string(json_reader *r)
{
    memo_buf_clear(&r->token);
    r->at++;
    for (;;) {
        size_t start = r->at;
        uint32_t cp = 0;
        int c;
        while ((c = jread_peek(r)) >= 0x20 && c < 0x80 && c != '"' && c != '\\')
            r->at++;
        memo_buf_append(&r->token, r->text + start, r->at - start);
        if (c >= 0x80) {
            size_t n = memo_utf8_decode(r->text + r->at, r->n_bytes - r->at, &cp);
            if (n == 0)
                return jread_bad(r, "not UTF-8") != NULL;
            memo_buf_append(&r->token, r->text + r->at, n);
            r->at += n;
        } else if (c == '"') {
            r->at++;
            break;
        } else if (c == '\\') {
            r->at++;
            if (!jread_escape(r))
                return jread_bad(r, "not an escape sequence") != NULL;
        } else {
            return jread_bad(r, "a control character in a string") != NULL;
        }
    }
    return r->token.failed ? jread_nomem(r) != NULL : 1;
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* At least one digit, all of them into the token. */
static int jread_digits(json_reader *r)
{
    size_t start = r->at;
    int c;
    while ((c = jread_peek(r)) >= '0' && c <= '9')
        r->at++;
    memo_buf_append(&r->token, r->text + start, r->at - start);
    return r->at > start;
}

/* Digits of a number into r->token, with the decimal point that strtod() expects here. */
static int jread_token_number(json_reader *r, int *is_real)
{
    *is_real = r->int_as_real;
    memo_buf_clear(&r->token);
    if (jread_take(r, '-'))
        memo_buf_putc(&r->token, '-');
    if (jread_take(r, '0'))
        memo_buf_putc(&r->token, '0');
    else if (!jread_digits(r))
        return 0;
    if (jread_take(r, '.')) {
        *is_real = 1;
        memo_buf_puts(&r->token, localeconv()->decimal_point);
        if (!jread_digits(r))
            return 0;
    }
    if (jread_peek(r) == 'e' || jread_peek(r) == 'E') {
        *is_real = 1;
        memo_buf_putc(&r->token, 'e');
        r->at++;
        if (jread_peek(r) == '+' || jread_peek(r) == '-')
            memo_buf_putc(&r->token, r->text[r->at++]);
        if (!jread_digits(r))
            return 0;
    }
    return 1;
}

static json_t *jread_number(json_reader *r)
{
    json_t *value;
    int is_real;
    size_t start = r->at;
    if (!jread_token_number(r, &is_real))
        return jread_bad(r, "not a number");
    if (r->token.failed)
        return jread_nomem(r);
    errno = 0;
    if (is_real) {
        double x = strtod(r->token.data, NULL);
        if (errno == ERANGE && fabs(x) == HUGE_VAL)
            return jread_fail(r, MEMO_ERR_VALUE, start, "a number too big for a double");
        value = json_real(x);
    } else {
        long long v = strtoll(r->token.data, NULL, 10);
        if (errno == ERANGE)
            return jread_fail(r, MEMO_ERR_VALUE, start, "an integer of more than 64 bits");
        value = json_integer(v);
    }
    return value ? value : jread_nomem(r);
}

/* ---- values -------------------------------------------------------------------------------- */

static json_t *jread_value(json_reader *r);

/* After a member or item: 1 when another one follows, 0 at the end, -1 when neither stands there. */
static int jread_more(json_reader *r, char end)
{
    jread_skip_space(r);
    if (jread_take(r, ','))
        return 1;
    return jread_take(r, end) ? 0 : -1;
}

/* One "name": value into the object. Zero on failure. */
static int jread_member(json_reader *r, json_t *object)
{
    size_t start;
    char *name = NULL;
    json_t *value = NULL;
    int done = 0;
    jread_skip_space(r);
    start = r->at;
    if (jread_peek(r) != '"')
        return jread_bad(r, "the name of a member expected") != NULL;
    if (!jread_token_string(r))
        return 0;
    if (strlen(r->token.data ? r->token.data : "") != r->token.n)
        return jread_fail(r, MEMO_ERR_FORMAT, start, "a NUL in the name of a member") != NULL;
    if (!(name = memo_buf_take(&r->token)))
        return jread_nomem(r) != NULL;
    if (json_object_get(object, name)) {
        jread_fail(r, MEMO_ERR_FORMAT, start, "duplicate name in one object");
        goto end;
    }
    jread_skip_space(r);
    if (!jread_take(r, ':')) {
        jread_bad(r, "':' expected");
        goto end;
    }
    if (!(value = jread_value(r)))
        goto end;
    done = json_object_set_new_nocheck(object, name, value) == 0; /* frees the value if not */
    if (!done)
        jread_nomem(r);
end:
    memo_free(name);
    return done;
}

static json_t *jread_object(json_reader *r)
{
    json_t *object = json_object();
    int more = 1;
    if (!object)
        return jread_nomem(r);
    jread_skip_space(r);
    if (jread_take(r, '}'))
        return object;
    while (more > 0 && jread_member(r, object)) {
        more = jread_more(r, '}');
        if (more == 0)
            return object;
        if (more < 0)
            jread_bad(r, "',' or '}' expected");
    }
    json_decref(object);
    return NULL;
}

static json_t *jread_array(json_reader *r)
{
    json_t *array = json_array(), *item;
    int more = 1;
    if (!array)
        return jread_nomem(r);
    jread_skip_space(r);
    if (jread_take(r, ']'))
        return array;
    while (more > 0 && (item = jread_value(r)) != NULL) {
        if (json_array_append_new(array, item) != 0) {
            jread_nomem(r);
            break;
        }
        more = jread_more(r, ']');
        if (more == 0)
            return array;
        if (more < 0)
            jread_bad(r, "',' or ']' expected");
    }
    json_decref(array);
    return NULL;
}

static json_t *jread_string(json_reader *r)
{
    json_t *value;
    if (!jread_token_string(r))
        return NULL;
    value = json_stringn_nocheck(r->token.data, r->token.n);
    return value ? value : jread_nomem(r);
}

static json_t *jread_word(json_reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (r->n_bytes - r->at < n || memcmp(r->text + r->at, words[i], n) != 0)
            continue;
        r->at += n;
        return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
    }
    return jread_bad(r, "a value expected");
}

static json_t *jread_value(json_reader *r)
{
    int c;
    jread_skip_space(r);
    c = jread_peek(r);
    if (c == '{' || c == '[') {
        r->at++;
        return c == '{' ? jread_object(r) : jread_array(r);
    }
    if (c == '"')
        return jread_string(r);
    return c == '-' || (c >= '0' && c <= '9') ? jread_number(r) : jread_word(r);
}

json_t *memo_json_read(const char *text, size_t n_bytes, int int_as_real, memo_json_fault *fault)
{
    json_reader r = {.text = text, .n_bytes = n_bytes, .int_as_real = int_as_real, .fault = fault};
    json_t *value = jread_value(&r);
    jread_skip_space(&r);
    if (value && r.at < n_bytes) {
        jread_bad(&r, "the end of the text expected");
        json_decref(value);
        value = NULL;
    }
    memo_buf_fini(&r.token);
    return value;
}
