// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/dates.h"
#include "base/error.h"
#include "memory/db.h"
#include "memory/ingest/mime.h"
#include "text/words.h"

#define MAIL_MAX_DEPTH 16   /* of parts within parts */
#define MAIL_MAX_PARTS 1000 /* of one message */

void memo_mbox_fini(memo_mbox *mbox)
{
    memo_buf_fini(&mbox->message);
}

/* ---- the mailbox --------------------------------------------------------------------------- */

static int mail_begins(memo_text line)
{
    return line.n_bytes >= 5 && memcmp(line.bytes, "From ", 5) == 0;
}

int memo_mbox_looks_like(memo_text head)
{
    const char *nl = mail_begins(head) ? memchr(head.bytes, '\n', head.n_bytes) : NULL;
    const char *s, *end = head.bytes + head.n_bytes;

    if (!nl)
        return 0;
    for (s = nl + 1; s<end && * s> ' ' && *s < 127 && *s != ':'; s++) {
    }
    return s > nl + 1 && s < end && *s == ':';
}

/* Append a line of the message, its CR gone, a quoted "From" as it was. */
static void mail_put_line(memo_buf *out, memo_text line, int is_quoted)
{
    size_t n = 0;

    if (line.n_bytes && line.bytes[line.n_bytes - 1] == '\r')
        line.n_bytes--;
    while (is_quoted && n < line.n_bytes && line.bytes[n] == '>')
        n++;
    if (n && mail_begins((memo_text){line.bytes + n, line.n_bytes - n})) {
        line.bytes++;
        line.n_bytes--;
    }
    memo_buf_append(out, line.bytes, line.n_bytes);
    memo_buf_putc(out, '\n');
}

/* Go to the first message. */
static memo_status mail_first(memo_mbox *mbox, int *more, memo_err *err)
{
    memo_text line;

    do {
        memo_status status = memo_lines_raw(mbox->lines, &line, more, err);
        if (status || !*more)
            return status;
        if (line.n_bytes && line.bytes[line.n_bytes - 1] == '\r')
            line.n_bytes--;
    } while (line.n_bytes == 0);
    mbox->number = mbox->next_number = mbox->lines->number;
    if (!mail_begins(line) && !mbox->is_single) {
        memo_fail(err, MEMO_ERR_FORMAT,
                  "not a mailbox: it does not begin with a line \"From ...\"");
        return MEMO_ERR_FORMAT;
    }
    if (!mail_begins(line)) /* its first header */
        mail_put_line(&mbox->message, line, 0);
    mbox->in_message = 1;
    return MEMO_OK;
}

/* Lines up to the next "From " line; what is beyond the limit is read and dropped. *too_long is set
 * when there is such. */
static memo_status mail_collect(memo_mbox *mbox, int *too_long, memo_err *err)
{
    int blank = 0;

    for (;;) {
        memo_text line = {NULL, 0};
        int more = 1;
        memo_status status = memo_lines_raw(mbox->lines, &line, &more, err);
        if (status == MEMO_ERR_LIMIT && !mbox->lines->broken) {
            *too_long = 1;
            continue;
        }
        if (status)
            return status;
        if (!more) {
            mbox->in_message = 0;
            return MEMO_OK;
        }
        if (blank && mail_begins(line) && !mbox->is_single) {
            mbox->next_number = mbox->lines->number;
            return MEMO_OK;
        }
        blank = line.n_bytes == 0 || (line.n_bytes == 1 && line.bytes[0] == '\r');
        *too_long |= mbox->message.n + line.n_bytes > MEMO_DB_TEXT_BYTES;
        if (!*too_long)
            mail_put_line(&mbox->message, line, !mbox->is_single);
    }
}

memo_status memo_mbox_next(memo_mbox *mbox, int *more, memo_err *err)
{
    int too_long = 0;
    memo_status status;

    memo_buf_clear(&mbox->message);
    memo_buf_append(&mbox->message, "", 0);
    *more = 1;
    if (!mbox->in_message) {
        if (mbox->lines->number) { /* the last message has been given */
            *more = 0;
            return MEMO_OK;
        }
        status = mail_first(mbox, more, err);
        if (status || !*more)
            return status;
    }
    mbox->number = mbox->next_number;
    status = mail_collect(mbox, &too_long, err);
    if (status)
        return status;
    if (too_long)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "the message has more than the %zu bytes, or a line of it more than the "
                         "%zu, that are allowed",
                         MEMO_DB_TEXT_BYTES, MEMO_LINES_MAX_BYTES);
    return mbox->message.failed ? memo_fail_nomem(err, "message", 0) : MEMO_OK;
}

/* ---- headers ------------------------------------------------------------------------------- */

/* A part: its header block and its body. */
typedef struct mail_part {
    memo_text head, body;
} mail_part;

/* Cut at the first empty line. */
static mail_part mail_split(memo_text all)
{
    const char *end = NULL;

    if (all.n_bytes && all.bytes[0] == '\n')
        return (mail_part){{all.bytes, 0}, {all.bytes + 1, all.n_bytes - 1}};
    end = memmem(all.bytes, all.n_bytes, "\n\n", 2);
    if (!end)
        return (mail_part){all, {all.bytes + all.n_bytes, 0}};
    size_t n = (size_t)(end - all.bytes) + 1;
    return (mail_part){{all.bytes, n}, {all.bytes + n + 1, all.n_bytes - n - 1}};
}

/* The value of a header, unfolded, appended to *out; its first occurrence. 0 when there is none. */
static int mail_header(memo_text head, const char *name, memo_buf *out)
{
    size_t n_name = strlen(name), at = 0;
    int found = 0;

    while (at < head.n_bytes) {
        const char *line = head.bytes + at;
        const char *nl = memchr(line, '\n', head.n_bytes - at);
        size_t n = nl ? (size_t)(nl - line) : head.n_bytes - at;
        at += n + 1;
        if (found && (n == 0 || (*line != ' ' && *line != '\t')))
            return 1;
        if (found) {
            memo_buf_append(out, line, n);
        } else if (n > n_name && line[n_name] == ':' && strncasecmp(line, name, n_name) == 0) {
            size_t skip = n_name + 1;
            while (skip < n && (line[skip] == ' ' || line[skip] == '\t'))
                skip++;
            memo_buf_append(out, line + skip, n - skip);
            found = 1;
        }
    }
    return found;
}

/* The parameter of a header's value ("text/plain; charset=utf-8"), without quotes. */
static memo_text mail_parameter(const memo_buf *value, const char *name)
{
    size_t n_name = strlen(name);
    const char *s = value->data ? strchr(value->data, ';') : NULL;

    while (s) {
        const char *begin;
        s += 1 + strspn(s + 1, " \t");
        if (strncasecmp(s, name, n_name) != 0 || s[n_name] != '=') {
            s = strchr(s, ';');
            continue;
        }
        begin = s + n_name + 1;
        if (*begin == '"')
            return (memo_text){begin + 1, strcspn(begin + 1, "\"")};
        return (memo_text){begin, strcspn(begin, "; \t")};
    }
    return (memo_text){"", 0};
}

static int mail_starts_with(const memo_buf *value, const char *word)
{
    return value->data && strncasecmp(value->data, word, strlen(word)) == 0;
}

/* ---- the date ------------------------------------------------------------------------------ */

/* Digits, at most `max` of them, at *s after white space; -1 when there is none. */
static int mail_number(const char **s, int max)
{
    int value = 0, n = 0;
    for (*s += strspn(*s, " \t"); n < max && **s >= '0' && **s <= '9'; n++, (*s)++)
        value = value * 10 + (**s - '0');
    return n ? value : -1;
}

/* The number of a month from its first three letters, 0 when it is none. */
static int mail_month(const char **s)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    *s += strspn(*s, " \t");
    for (int i = 0; i < 12; i++)
        if (strncmp(*s, months[i], 3) == 0) {
            *s += 3;
            return i + 1;
        }
    return 0;
}

/* "Tue, 1 Jul 2025 09:30:00 +0200", seconds may lack; 0 ms when it is none. Names of zones are not
 * told apart, as RFC 5322 has it. */
static int64_t mail_date(const char *s)
{
    const char *at = strchr(s, ',');
    char text[64];
    int day, month, year, hour, minute, second = 0, has_zone;
    int64_t ms = 0;

    at = at ? at + 1 : s;
    day = mail_number(&at, 2);
    month = mail_month(&at);
    year = mail_number(&at, 4);
    hour = mail_number(&at, 2);
    minute = *at == ':' ? (at++, mail_number(&at, 2)) : -1;
    if (*at == ':') {
        at++;
        second = mail_number(&at, 2);
    }
    if (day < 0 || !month || year < 0 || hour < 0 || minute < 0 || second < 0)
        return 0;
    if (year < 100)
        year += year < 50 ? 2000 : 1900;
    at += strspn(at, " \t");
    has_zone = (*at == '+' || *at == '-') && strspn(at + 1, "0123456789") == 4;
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%.3s:%.2s", year, month, day, hour,
             minute, second, has_zone ? at : "+00", has_zone ? at + 3 : "00");
    return memo_date_parse(text, strlen(text), &ms) ? ms : 0;
}

/* ---- the body ------------------------------------------------------------------------------ */

typedef struct mail_body {
    memo_buf plain, html;
    size_t n_parts;
} mail_body;

static memo_status mail_take_part(mail_body *body, const mail_part *part, int depth, memo_err *err);

/* Every part between the boundary's lines. */
static memo_status mail_take_parts(mail_body *body, memo_text all, memo_text boundary, int depth,
                                   memo_err *err)
{
    size_t begin = SIZE_MAX, next;

    for (size_t at = 0; at <= all.n_bytes; at = next) {
        const char *line = all.bytes + at;
        const char *nl = memchr(line, '\n', all.n_bytes - at);
        size_t n = nl ? (size_t)(nl - line) : all.n_bytes - at;
        int is_end = at == all.n_bytes;
        next = at + n + 1;
        if (!is_end && !(n >= boundary.n_bytes + 2 && memcmp(line, "--", 2) == 0 &&
                         memcmp(line + 2, boundary.bytes, boundary.n_bytes) == 0))
            if (next <= all.n_bytes)
                continue;
        if (begin != SIZE_MAX) {
            size_t end = is_end || next > all.n_bytes ? all.n_bytes : at;
            mail_part part = mail_split((memo_text){all.bytes + begin, end - begin});
            memo_status status = mail_take_part(body, &part, depth + 1, err);
            if (status)
                return status;
        }
        if (is_end ||
            (n >= boundary.n_bytes + 4 && memcmp(line + 2 + boundary.n_bytes, "--", 2) == 0))
            return MEMO_OK;
        begin = next;
    }
    return MEMO_OK;
}

/* A text part, decoded, to the plain or the HTML text. */
static memo_status mail_take_text(mail_body *body, const mail_part *part, const memo_buf *type,
                                  const memo_buf *encoding, memo_err *err)
{
    memo_buf *out = mail_starts_with(type, "text/html") ? &body->html : &body->plain;
    memo_buf raw = {0};
    memo_text bytes = part->body;
    memo_status status = MEMO_OK;

    memo_buf_append(&raw, "", 0);
    if (mail_starts_with(encoding, "base64"))
        memo_mime_base64(bytes, &raw);
    else if (mail_starts_with(encoding, "quoted-printable"))
        memo_mime_quoted(bytes, 0, &raw);
    if (mail_starts_with(encoding, "base64") || mail_starts_with(encoding, "quoted-printable"))
        bytes = (memo_text){raw.data, raw.n};
    if (raw.failed)
        status = memo_fail_nomem(err, "text of a message", part->body.n_bytes);
    if (status == MEMO_OK && out->n)
        memo_buf_putc(out, '\n');
    if (status == MEMO_OK)
        status = memo_mime_to_utf8(bytes, mail_parameter(type, "charset"), out, err);
    memo_buf_fini(&raw);
    return status;
}

static memo_status mail_take_part(mail_body *body, const mail_part *part, int depth, memo_err *err)
{
    memo_buf type = {0}, encoding = {0}, disposition = {0};
    memo_status status = MEMO_OK;
    memo_text boundary;

    if (depth > MAIL_MAX_DEPTH || ++body->n_parts > MAIL_MAX_PARTS)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "the message has more than %d parts, or parts nested deeper than %d",
                         MAIL_MAX_PARTS, MAIL_MAX_DEPTH);
    mail_header(part->head, "Content-Type", &type);
    mail_header(part->head, "Content-Transfer-Encoding", &encoding);
    mail_header(part->head, "Content-Disposition", &disposition);
    boundary = mail_parameter(&type, "boundary");
    if (type.failed || encoding.failed || disposition.failed)
        status = memo_fail_nomem(err, "header of a message", part->head.n_bytes);
    else if (mail_starts_with(&type, "multipart/") && boundary.n_bytes)
        status = mail_take_parts(body, part->body, boundary, depth, err);
    else if (!mail_starts_with(&disposition, "attachment") &&
             (!type.n || mail_starts_with(&type, "text/plain") ||
              mail_starts_with(&type, "text/html")))
        status = mail_take_text(body, part, &type, &encoding, err);
    memo_buf_fini(&type);
    memo_buf_fini(&encoding);
    memo_buf_fini(&disposition);
    return status;
}

/* The text of a message, in the arena: the plain parts, else the HTML ones. */
static memo_status mail_text(const mail_part *whole, memo_arena *arena, memo_text *text,
                             memo_err *err)
{
    mail_body body = {0};
    memo_buf stripped = {0}, *best = &body.plain;
    memo_status status = mail_take_part(&body, whole, 0, err);

    if (status == MEMO_OK && (!best->data || memo_text_is_blank(best->data, best->n)) &&
        body.html.data) {
        memo_mime_html_text((memo_text){body.html.data, body.html.n}, &stripped);
        best = &stripped;
    }
    if (status == MEMO_OK) {
        *text =
            (memo_text){memo_arena_strndup(arena, best->data ? best->data : "", best->n), best->n};
        if (!text->bytes || body.plain.failed || body.html.failed || stripped.failed)
            status = memo_fail_nomem(err, "text of a message", best->n);
    }
    memo_buf_fini(&body.plain);
    memo_buf_fini(&body.html);
    memo_buf_fini(&stripped);
    return status;
}

/* ---- the record ---------------------------------------------------------------------------- */

/* A header's value, decoded, in the arena; NULL when there is none. */
static memo_status mail_string(memo_text head, const char *name, memo_arena *arena,
                               const char **out, memo_err *err)
{
    memo_buf raw = {0}, text = {0};
    memo_status status = MEMO_OK;

    memo_buf_append(&text, "", 0);
    if (mail_header(head, name, &raw) && !raw.failed)
        status = memo_mime_header((memo_text){raw.data, raw.n}, &text, err);
    if (status == MEMO_OK && (raw.failed || text.failed))
        status = memo_fail_nomem(err, "header of a message", head.n_bytes);
    if (status == MEMO_OK && text.n) {
        *out = memo_arena_strdup(arena, text.data);
        status = *out ? MEMO_OK : memo_fail_nomem(err, "header of a message", text.n);
    }
    memo_buf_fini(&raw);
    memo_buf_fini(&text);
    return status;
}

/* The Message-ID without its brackets, or a hash of the message. */
static memo_status mail_key(memo_text message, memo_text head, memo_arena *arena, const char **key,
                            memo_err *err)
{
    const char *id = NULL;
    memo_status status = mail_string(head, "Message-ID", arena, &id, err);
    size_t n;

    if (status)
        return status;
    if (id && *id == '<')
        id++;
    n = id ? strcspn(id, "> \t") : 0;
    if (n == 0 || n > MEMO_STORE_MAX_KEY_BYTES)
        return memo_lines_hash_key(message, arena, key, err);
    *key = memo_arena_strndup(arena, id, n);
    return *key ? MEMO_OK : memo_fail_nomem(err, "key", n);
}

static memo_status mail_metadata(memo_text head, memo_arena *arena, const char **out, memo_err *err)
{
    static const char *const names[][2] = {{"From", "from"}, {"To", "to"}};
    json_t *object = json_object();
    memo_status status = object ? MEMO_OK : memo_fail_nomem(err, "metadata", 0);

    for (size_t i = 0; i < 2 && status == MEMO_OK; i++) {
        const char *value = NULL;
        status = mail_string(head, names[i][0], arena, &value, err);
        if (status == MEMO_OK && value &&
            json_object_set_new(object, names[i][1], json_string(value)))
            status = memo_fail_nomem(err, "metadata", 0);
    }
    if (status == MEMO_OK)
        status = memo_db_put_object(object, arena, out, err);
    json_decref(object);
    return status;
}

memo_status memo_mail_record(memo_text message, const memo_import_options *options,
                             const char *source, memo_arena *arena, memo_record_in *record,
                             memo_err *err)
{
    mail_part whole = mail_split(message);
    memo_buf date = {0};
    memo_status status;

    *record = (memo_record_in){.size = sizeof *record,
                               .source = source,
                               .chunking = options->chunking,
                               .chunk_tokens = options->chunk_tokens,
                               .chunk_overlap = options->chunk_overlap};
    if (!memchr(whole.head.bytes, ':', whole.head.n_bytes))
        return memo_fail(err, MEMO_ERR_FORMAT, "the message has no headers");
    status = mail_text(&whole, arena, &record->text, err);
    if (status == MEMO_OK)
        status = mail_string(whole.head, "Subject", arena, &record->title, err);
    if (status == MEMO_OK)
        status = mail_key(message, whole.head, arena, &record->key, err);
    if (status == MEMO_OK)
        status = mail_metadata(whole.head, arena, &record->metadata_json, err);
    if (status)
        return status;
    if (memo_text_is_blank(record->text.bytes, record->text.n_bytes) && record->title)
        record->text = (memo_text){record->title, strlen(record->title)};
    if (mail_header(whole.head, "Date", &date) && date.data)
        record->created_ms = mail_date(date.data);
    memo_buf_fini(&date);
    return MEMO_OK;
}
