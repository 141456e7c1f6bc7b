// SPDX-License-Identifier: Apache-2.0
#include "cli/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/dates.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

/* ---- numbers ------------------------------------------------------------------------------- */

int cli_digits_read(const char *text, const char *end, uint64_t *number)
{
    uint64_t value = 0;
    if (text == end)
        return 0;
    for (; text < end; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *number = value;
    return 1;
}

static int value_size_read(const char *text, uint64_t *n_bytes)
{
    static const char units[] = "KMGT";
    size_t n = strlen(text);
    const char *unit = n > 0 && text[n - 1] != '\0' ? strchr(units, text[n - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t value;
    if (!cli_digits_read(text, text + n - (unit != NULL), &value) || value > (UINT64_MAX >> shift))
        return 0;
    *n_bytes = value << shift;
    return 1;
}

/* Index of `text` among the words of "a|b|c", or -1. */
static int value_choice_index(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (int i = 0; n > 0; i++) {
        size_t n_word = strcspn(words, "|");
        if (n_word == n && memcmp(words, text, n) == 0)
            return i;
        if (words[n_word] == '\0')
            break;
        words += n_word + 1;
    }
    return -1;
}

int cli_chunk_read(const char *text, cli_chunk_spec *spec)
{
    static const struct {
        const char *name;
        memo_chunking chunking;
    } kinds[] = {{"none", MEMO_CHUNK_NONE},
                 {"md", MEMO_CHUNK_MARKDOWN},
                 {"code", MEMO_CHUNK_CODE},
                 {"plain", MEMO_CHUNK_PLAIN},
                 {"auto", MEMO_CHUNK_AUTO}};
    size_t n_name = strcspn(text, ":");
    uint64_t tokens = 0, overlap = 0;
    int has_overlap = 0;
    if (text[n_name] == ':') {
        const char *at = text + n_name + 1;
        size_t n_tokens = strcspn(at, "/");
        if (!cli_digits_read(at, at + n_tokens, &tokens) || tokens == 0 || tokens > 1048576)
            return 0;
        has_overlap = at[n_tokens] == '/';
        at += n_tokens + 1;
        if (has_overlap && (!cli_digits_read(at, at + strlen(at), &overlap) || overlap >= tokens))
            return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].name) == n_name && memcmp(text, kinds[i].name, n_name) == 0) {
            spec->chunking = kinds[i].chunking;
            spec->tokens = (size_t)tokens;
            spec->overlap = has_overlap && overlap == 0 ? SIZE_MAX : (size_t)overlap;
            return tokens == 0 || spec->chunking != MEMO_CHUNK_NONE;
        }
    return 0;
}

/* ---- dates --------------------------------------------------------------------------------- */

void cli_date_format(int64_t unix_ms, int with_time, char out[CLI_DATE_BYTES])
{
    memo_date_format(unix_ms, with_time, out);
}

/* ---- shown --------------------------------------------------------------------------------- */

void cli_put_grouped(memo_buf *out, uint64_t number)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            memo_buf_putc(out, ',');
        memo_buf_putc(out, digits[i]);
    }
}

const char *cli_shorten(const char *text, char out[CLI_SHORT_BYTES])
{
    static const char more[] = "...";
    size_t n = strlen(text), room = CLI_SHORT_BYTES - sizeof more;
    size_t kept = n > room ? memo_utf8_floor(text, n, room) : n;
    memcpy(out, text, kept);
    memcpy(out + kept, more, kept < n ? sizeof more : 0);
    if (kept == n)
        out[n] = '\0';
    return out;
}

void cli_put_bytes(memo_buf *out, uint64_t n_bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)n_bytes;
    int unit = -1;
    for (; value >= 999.95 && unit < 5; unit++)
        value /= 1000;
    if (unit < 0)
        memo_buf_printf(out, "%" PRIu64 " B", n_bytes);
    else
        memo_buf_printf(out, "%.1f %s", value, units[unit]);
}

/* ---- metadata ------------------------------------------------------------------------------ */

static json_t *meta_value(const char *text)
{
    /* A scalar is parsed as the only element of an array: not every jansson takes a bare one. */
    memo_buf wrapped = {0};
    json_t *array = NULL, *value = NULL;
    memo_status status = MEMO_OK;
    memo_buf_printf(&wrapped, "[%s]", text);
    if (wrapped.failed)
        status = MEMO_ERR_NOMEM;
    else if (text[0] != '\0' && text[0] != '"')
        status = memo_json_parse(wrapped.data, wrapped.n, &memo_json_request_limits, "--meta",
                                 &array, NULL);
    if (status == MEMO_OK && json_array_size(array) == 1)
        value = json_incref(json_array_get(array, 0));
    json_decref(array);
    memo_buf_fini(&wrapped);
    return value || status == MEMO_ERR_NOMEM ? value : json_string(text);
}

memo_status cli_meta_object(memo_buf *out, const char *const *pairs, size_t n, memo_err *err)
{
    memo_status status = MEMO_OK;
    json_t *object = json_object();
    char *dump = NULL;
    for (size_t i = 0; i < n && object && status == MEMO_OK; i++) {
        const char *equals = strchr(pairs[i], '=');
        memo_buf name = {0};
        memo_buf_append(&name, pairs[i], (size_t)(equals - pairs[i]));
        if (name.failed)
            status = memo_fail_nomem(err, "metadata", strlen(pairs[i]));
        else if (json_object_get(object, name.data))
            status = memo_fail(err, MEMO_ERR_USAGE, "--meta names \"%s\" twice", name.data);
        else if (json_object_set_new(object, name.data, meta_value(equals + 1)) != 0)
            status = memo_fail_nomem(err, "metadata", strlen(pairs[i]));
        memo_buf_fini(&name);
    }
    if (status == MEMO_OK)
        dump = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (status == MEMO_OK && dump)
        memo_buf_puts(out, dump);
    if (status == MEMO_OK && (!dump || out->failed))
        status = memo_fail_nomem(err, "metadata", 0);
    free(dump);
    json_decref(object);
    return status;
}

/* ---- one option ---------------------------------------------------------------------------- */

static memo_status value_refused(const char *name, const char *text, const char *allowed,
                                 memo_err *err)
{
    char found[CLI_SHORT_BYTES];
    return memo_fail(err, MEMO_ERR_USAGE, "%s is \"%s\"; allowed is %s", name,
                     cli_shorten(text, found), allowed);
}

static memo_status value_number(const cli_option *option, const char *name, const char *text,
                                uint64_t *number, memo_err *err)
{
    uint64_t value = 0;
    int is_size = option->kind == CLI_SIZE;
    int ok = is_size ? value_size_read(text, &value)
                     : cli_digits_read(text, text + strlen(text), &value);
    if (!ok || value < option->min || value > option->max) {
        memo_buf range = {0};
        memo_buf_printf(&range, "a whole number%s from ",
                        is_size ? " of bytes, or one with K, M, G or T," : "");
        cli_put_grouped(&range, option->min);
        memo_buf_puts(&range, " to ");
        cli_put_grouped(&range, option->max);
        value_refused(name, text, range.data ? range.data : "a smaller number", err);
        if (ok) /* a number, and the nearest that is allowed is known */
            memo_hint(err, MEMO_ERR_USAGE, "the nearest that is allowed is %" PRIu64,
                      value < option->min ? option->min : option->max);
        memo_buf_fini(&range);
        return MEMO_ERR_USAGE;
    }
    *number = value;
    return MEMO_OK;
}

/* "now", "now-7d": as filters have it. */
static int value_now(const char *text, int64_t *ms)
{
    static const char units[] = "smhdw";
    static const int64_t unit_ms[] = {1000, 60000, 3600000, 86400000, 604800000};
    struct timespec now;
    const char *at = text + 3, *unit;
    int64_t count = 0;

    if (strncmp(text, "now", 3) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    *ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (*at == '\0')
        return 1;
    size_t n_digits = (*at == '-' || *at == '+') ? strspn(at + 1, "0123456789") : 0;
    if (n_digits == 0 || n_digits > 9)
        return 0;
    for (size_t i = 1; i <= n_digits; i++)
        count = count * 10 + (at[i] - '0');
    unit = at[n_digits + 1] ? strchr(units, at[n_digits + 1]) : NULL;
    if (!unit || at[n_digits + 2])
        return 0;
    *ms += (*at == '-' ? -1 : 1) * count * unit_ms[unit - units];
    return 1;
}

/* A day, an instant, a time of UTC to the minute or the second, or one that counts from now. */
static int value_date(const char *text, size_t n_bytes, int64_t *ms)
{
    enum { TO_THE_MINUTE = 16, TO_THE_SECOND = 19 }; /* bytes of such a time */
    char whole[TO_THE_SECOND + 2];
    if (value_now(text, ms) || memo_date_parse(text, n_bytes, ms))
        return 1;
    if (n_bytes != TO_THE_MINUTE && n_bytes != TO_THE_SECOND)
        return 0;
    snprintf(whole, sizeof whole, "%s%s", text, n_bytes == TO_THE_MINUTE ? ":00Z" : "Z");
    return memo_date_parse(whole, strlen(whole), ms);
}

memo_status cli_value_read(const cli_option *option, const char *name, const char *text,
                           uint64_t *number, memo_err *err)
{
    int64_t ms = 0;
    int choice;
    size_t n_bytes = strlen(text), n_valid = memo_utf8_check(text, n_bytes);
    if (option->kind != CLI_PATH && n_valid < n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE, "%s is not valid UTF-8 at byte %zu", name, n_valid);
    *number = 0;
    if (option->kind != CLI_TEXT && option->kind != CLI_FLAG && text[0] == '\0')
        return memo_fail(err, MEMO_ERR_USAGE, "%s is empty", name);
    switch (option->kind) {
    case CLI_COUNT:
    case CLI_SIZE:
        return value_number(option, name, text, number, err);
    case CLI_CHOICE:
        choice = value_choice_index(option->value, text);
        if (choice < 0)
            return value_refused(name, text, option->value, err);
        *number = (uint64_t)choice;
        return MEMO_OK;
    case CLI_EXPIRY:
    case CLI_DATE:
        if (option->kind == CLI_EXPIRY && strcmp(text, "never") == 0)
            return MEMO_OK;
        if (!value_date(text, n_bytes, &ms))
            return value_refused(name, text,
                                 option->kind == CLI_EXPIRY
                                     ? "YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now, now-7d or never"
                                     : "YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now or now-7d",
                                 err);
        *number = (uint64_t)ms;
        return MEMO_OK;
    case CLI_PAIR:
        if (strchr(text, '=') == NULL || text[0] == '=')
            return value_refused(name, text, "NAME=VALUE", err);
        return MEMO_OK;
    case CLI_CHUNK:
        if (!cli_chunk_read(text, &(cli_chunk_spec){0}))
            return value_refused(name, text,
                                 "none, md, code, plain or auto, all but none with :TOKENS or "
                                 ":TOKENS/OVERLAP, e.g. md:400/60",
                                 err);
        return MEMO_OK;
    case CLI_FLAG:
    case CLI_TEXT:
    case CLI_NAME:
    case CLI_PATH:
        break;
    }
    return MEMO_OK;
}

/* The words of --links stand in the order of memo_links_mode, after the first. */
memo_links_mode cli_links_mode(const cli_args *args)
{
    return cli_args_has(args, OPT_LINKS)
               ? (memo_links_mode)(MEMO_LINKS_OFF + cli_args_number(args, OPT_LINKS, 0))
               : MEMO_LINKS_AS_STORED;
}
