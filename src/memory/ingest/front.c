// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/front.h"

#include <string.h>

#include "base/buf.h"
#include "base/dates.h"
#include "base/error.h"
#include "base/json.h"
#include "memory/db.h"

#define FRONT_KEY_BYTES   128
#define FRONT_TITLE_BYTES 512

/* ---- lines --------------------------------------------------------------------------------- */

typedef struct front_reader {
    memo_text text; /* what is left */
    memo_text line; /* without white space at its end */
    memo_arena *arena;
    memo_buf token; /* the quoted text or number that is being read */
    json_t *object; /* name to string, number, boolean or array of those */
    int is_text;    /* titles and tags keep their bytes: none is a number or a boolean */
    int is_bad;     /* not understood */
    int is_nomem;
} front_reader;

static int front_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static memo_text front_trim(memo_text s)
{
    while (s.n_bytes && front_is_space(*s.bytes))
        s.bytes++, s.n_bytes--;
    while (s.n_bytes && front_is_space(s.bytes[s.n_bytes - 1]))
        s.n_bytes--;
    return s;
}

/* 0 at the end of the text. */
static int front_next(memo_text *text, memo_text *line)
{
    const char *nl;

    if (text->n_bytes == 0)
        return 0;
    nl = memchr(text->bytes, '\n', text->n_bytes);
    *line = (memo_text){text->bytes, nl ? (size_t)(nl - text->bytes) : text->n_bytes};
    text->bytes += line->n_bytes + (nl != NULL);
    text->n_bytes -= line->n_bytes + (nl != NULL);
    while (line->n_bytes && front_is_space(line->bytes[line->n_bytes - 1]))
        line->n_bytes--;
    return 1;
}

static int front_is(memo_text s, const char *word)
{
    return s.n_bytes == strlen(word) && memcmp(s.bytes, word, s.n_bytes) == 0;
}

static int front_begins(memo_text s, const char *word)
{
    return s.n_bytes >= strlen(word) && memcmp(s.bytes, word, strlen(word)) == 0;
}

/* ---- scalars ------------------------------------------------------------------------------- */

static json_t *front_bad(front_reader *r)
{
    r->is_bad = 1;
    return NULL;
}

static json_t *front_keep(front_reader *r, json_t *value)
{
    r->is_nomem |= value == NULL;
    return value;
}

/* Behind a value only a comment may stand. */
static int front_is_rest(memo_text s)
{
    memo_text rest = front_trim(s);
    return rest.n_bytes == 0 || (*rest.bytes == '#' && rest.bytes > s.bytes);
}

/* A quoted text at the start of *s, which is moved behind it. */
static json_t *front_quoted(front_reader *r, memo_text *s)
{
    const char quote = *s->bytes, *end = s->bytes + s->n_bytes, *at = s->bytes + 1;

    memo_buf_clear(&r->token);
    for (; at < end && (*at != quote || (quote == '\'' && at + 1 < end && at[1] == quote)); at++) {
        static const char escapes[] = "\"\"\\\\//n\nt\t";
        const char *escape = NULL;
        if (quote == '"' && *at == '\\') {
            for (size_t i = 0; i + 1 < sizeof escapes && at + 1 < end && !escape; i += 2)
                escape = escapes[i] == at[1] ? &escapes[i + 1] : NULL;
            if (!escape)
                return front_bad(r);
        }
        at += quote == '\'' && *at == quote;
        at += escape != NULL;
        memo_buf_putc(&r->token, escape ? *escape : *at);
    }
    if (at == end)
        return front_bad(r);
    *s = (memo_text){at + 1, (size_t)(end - at - 1)};
    memo_buf_puts(&r->token, ""); /* also of nothing there is a text */
    return front_keep(r, r->token.failed ? NULL : json_stringn(r->token.data, r->token.n));
}

/* Whether a plain text is a number as the core schema has it, but for leading zeros. */
static int front_is_number(memo_text s)
{
    size_t i = s.n_bytes && (*s.bytes == '-' || *s.bytes == '+'), digits = i;

    for (; i < s.n_bytes && s.bytes[i] >= '0' && s.bytes[i] <= '9'; i++) {
    }
    if (i == digits || (s.bytes[digits] == '0' && i > digits + 1))
        return 0;
    if (i < s.n_bytes && s.bytes[i] == '.')
        for (i++; i < s.n_bytes && s.bytes[i] >= '0' && s.bytes[i] <= '9'; i++) {
        }
    if (i < s.n_bytes && (s.bytes[i] == 'e' || s.bytes[i] == 'E')) {
        size_t sign = i + 1 < s.n_bytes && (s.bytes[i + 1] == '-' || s.bytes[i + 1] == '+');
        size_t power = i + 1 + sign;
        for (i = power; i < s.n_bytes && s.bytes[i] >= '0' && s.bytes[i] <= '9'; i++) {
        }
        if (i == power)
            return 0;
    }
    return i == s.n_bytes;
}

/* By the reader of JSON, which heeds no locale: without the "+" and with a digit behind the point. */
static json_t *front_number(front_reader *r, memo_text s)
{
    const char *end = s.bytes + s.n_bytes, *from = s.bytes + (*s.bytes == '+');
    const char *point = memchr(from, '.', (size_t)(end - from));
    const char *rest = point ? point + 1 : end;
    json_t *value = NULL;
    memo_status status;

    memo_buf_clear(&r->token);
    memo_buf_append(&r->token, from, (size_t)(rest - from));
    if (point && (rest == end || *rest < '0' || *rest > '9'))
        memo_buf_putc(&r->token, '0');
    memo_buf_append(&r->token, rest, (size_t)(end - rest));
    if (r->token.failed)
        return front_keep(r, NULL);
    status =
        memo_json_parse(r->token.data, r->token.n, &memo_json_line_limits, "number", &value, NULL);
    if (status == MEMO_ERR_VALUE) /* bigger than any number: its digits */
        value = json_stringn(s.bytes, s.n_bytes);
    return front_keep(r, value);
}

static json_t *front_plain(front_reader *r, memo_text s)
{
    static const char *const words[3][4] = {{"null", "Null", "NULL", "~"},
                                            {"true", "True", "TRUE", "true"},
                                            {"false", "False", "FALSE", "false"}};

    if (s.n_bytes == 0)
        return front_keep(r, json_null());
    if (strchr("-?:,[]{}#&*!|>'\"%@`", *s.bytes) &&
        !(strchr("-?:", *s.bytes) && s.n_bytes > 1 && !front_is_space(s.bytes[1])))
        return front_bad(r);
    for (size_t i = 0; i < s.n_bytes; i++)
        if ((unsigned char)s.bytes[i] < ' ' || s.bytes[i] == 127 ||
            (s.bytes[i] == ':' && (i + 1 == s.n_bytes || s.bytes[i + 1] == ' ')))
            return front_bad(r); /* a tab, too: YAML has it nowhere but between words */
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < 4; i++)
            if (front_is(s, words[kind][i]) && !(kind && r->is_text))
                return front_keep(r, kind ? json_boolean(kind == 1) : json_null());
    if (!r->is_text && front_is_number(s))
        return front_number(r, s);
    return front_keep(r, json_stringn(s.bytes, s.n_bytes));
}

/* Where a plain text ends: at a comment, and within a list at its marks. */
static size_t front_plain_bytes(memo_text s, int in_list)
{
    for (size_t i = 0; i < s.n_bytes; i++)
        if ((s.bytes[i] == '#' && (i == 0 || front_is_space(s.bytes[i - 1]))) ||
            (in_list && strchr(",[]{}", s.bytes[i])))
            return i;
    return s.n_bytes;
}

static json_t *front_scalar(front_reader *r, memo_text *s, int in_list)
{
    size_t n;
    json_t *value;

    *s = front_trim(*s);
    if (s->n_bytes && (*s->bytes == '"' || *s->bytes == '\''))
        return front_quoted(r, s);
    n = front_trim((memo_text){s->bytes, front_plain_bytes(*s, in_list)}).n_bytes;
    value = front_plain(r, (memo_text){s->bytes, n});
    *s = (memo_text){s->bytes + n, s->n_bytes - n};
    return value;
}

/* ---- values -------------------------------------------------------------------------------- */

static void front_append(front_reader *r, json_t *list, json_t *value)
{
    if (value && (json_is_null(value) || (json_is_string(value) && !json_string_length(value))))
        json_decref(value); /* an empty item says nothing */
    else if (value)
        r->is_nomem |= json_array_append_new(list, value) != 0;
}

/* "[a, b]". */
static json_t *front_flow(front_reader *r, memo_text s)
{
    json_t *list = front_keep(r, json_array());
    char mark = ',';

    s = (memo_text){s.bytes + 1, s.n_bytes - 1};
    while (list && mark == ',' && !r->is_bad && !r->is_nomem) {
        front_append(r, list, front_scalar(r, &s, 1));
        s = front_trim(s);
        mark = s.n_bytes ? *s.bytes : 0;
        if (mark != ',' && mark != ']')
            r->is_bad = 1;
        else
            s.bytes++, s.n_bytes--;
    }
    r->is_bad |= !front_is_rest(s);
    return list;
}

/* Whether a line is an item of a list; *item what stands behind its mark. */
static int front_is_item(memo_text line, memo_text *item)
{
    memo_text s = front_trim(line);

    if (s.n_bytes == 0 || *s.bytes != '-' || (s.n_bytes > 1 && s.bytes[1] != ' '))
        return 0;
    *item = front_trim((memo_text){s.bytes + 1, s.n_bytes - 1});
    return 1;
}

static int front_is_nothing(memo_text line)
{
    memo_text s = front_trim(line);
    return s.n_bytes == 0 || *s.bytes == '#';
}

/* The lines of items that follow, else null. */
static json_t *front_block_list(front_reader *r)
{
    json_t *list = NULL;
    memo_text rest = r->text, line = {NULL, 0}, item;

    while (!r->is_bad && !r->is_nomem && front_next(&rest, &line)) {
        if (!front_is_nothing(line)) {
            if (!front_is_item(line, &item))
                break;
            if (!list)
                list = front_keep(r, json_array());
            if (list)
                front_append(r, list, front_scalar(r, &item, 0));
            r->is_bad |= !front_is_rest(item);
        }
        r->text = rest;
    }
    return list ? list : front_keep(r, json_null());
}

static json_t *front_value(front_reader *r, memo_text s)
{
    json_t *value;

    s = front_trim(s);
    if (s.n_bytes == 0 || *s.bytes == '#')
        return front_block_list(r);
    if (*s.bytes == '[')
        return front_flow(r, s);
    value = front_scalar(r, &s, 0);
    r->is_bad |= !front_is_rest(s);
    return value;
}

/* "key: value" into the object. */
static void front_entry(front_reader *r)
{
    char key[FRONT_KEY_BYTES + 1];
    const memo_text line = r->line;
    size_t n = 0;
    json_t *value;

    while (n < line.n_bytes &&
           !(line.bytes[n] == ':' && (n + 1 == line.n_bytes || line.bytes[n + 1] == ' ')))
        n++;
    if (n == 0 || n == line.n_bytes || n > FRONT_KEY_BYTES || front_is_space(*line.bytes) ||
        front_is_space(line.bytes[n - 1]) || strchr("-?:,[]{}#&*!|>'\"%@`", *line.bytes)) {
        r->is_bad = 1;
        return;
    }
    memcpy(key, line.bytes, n);
    key[n] = '\0';
    for (size_t i = 0; i < n; i++)
        r->is_bad |= (unsigned char)key[i] < ' ' || key[i] == 127;
    if (r->is_bad || json_object_get(r->object, key)) {
        r->is_bad = 1;
        return;
    }
    r->is_text = strcmp(key, "title") == 0 || strcmp(key, "tags") == 0;
    value = front_value(r, (memo_text){line.bytes + n + 1, line.n_bytes - n - 1});
    if (value && !r->is_bad)
        r->is_nomem |= json_object_set(r->object, key, value) != 0;
    json_decref(value);
}

/* ---- the block ----------------------------------------------------------------------------- */

/* How many bytes a block has, with both of its lines, and *lines those between them; 0: there is none. */
static size_t front_find(memo_text text, memo_text *lines)
{
    const char *begin = text.bytes;
    memo_text rest = text, line;

    if (rest.n_bytes > MEMO_FRONT_BYTES)
        rest.n_bytes = MEMO_FRONT_BYTES;
    if (front_begins(rest, "\xef\xbb\xbf"))
        rest = (memo_text){rest.bytes + 3, rest.n_bytes - 3};
    if (!front_next(&rest, &line) || !front_is(line, "---"))
        return 0;
    lines->bytes = rest.bytes;
    while (front_next(&rest, &line))
        if (front_is(line, "---") || front_is(line, "...")) {
            lines->n_bytes = (size_t)(line.bytes - lines->bytes);
            return memchr(lines->bytes, 0, lines->n_bytes) ? 0 : (size_t)(rest.bytes - begin);
        }
    return 0;
}

static void front_parse(front_reader *r)
{
    while (!r->is_bad && !r->is_nomem && front_next(&r->text, &r->line))
        if (!front_is_nothing(r->line))
            front_entry(r);
}

/* What front_plain() made a text of, in the arena. */
static char *front_take_string(front_reader *r, const json_t *value)
{
    char *kept = memo_arena_strdup(r->arena, json_string_value(value));

    r->is_nomem |= kept == NULL;
    return kept;
}

/* One text with commas, or a list. */
static void front_take_tags(front_reader *r, json_t *value, memo_front *front)
{
    size_t cap = json_is_array(value) ? json_array_size(value) : 1;
    const char **tags;
    char *all = NULL;

    for (const char *s = json_string_value(value); s && *s; s++)
        cap += *s == ',';
    tags = memo_arena_array(r->arena, cap + 1, sizeof *tags);
    if (!tags) {
        r->is_nomem = 1;
        return;
    }
    front->tags = tags;
    for (size_t i = 0; i < json_array_size(value) && !r->is_nomem; i++)
        tags[front->n_tags++] = front_take_string(r, json_array_get(value, i));
    if (!json_is_array(value))
        all = front_take_string(r, value);
    while (all) {
        char *comma = strchr(all, ',');
        memo_text tag = front_trim((memo_text){all, comma ? (size_t)(comma - all) : strlen(all)});
        if (tag.n_bytes)
            tags[front->n_tags] = memo_arena_strndup(r->arena, tag.bytes, tag.n_bytes);
        r->is_nomem |= tag.n_bytes && !tags[front->n_tags];
        front->n_tags += tag.n_bytes > 0;
        all = comma ? comma + 1 : NULL;
    }
}

/* A date, also without seconds or a zone. */
static int front_date(const json_t *value, int64_t *ms)
{
    static const char *const ends[] = {"", "Z", ":00Z"};
    const char *s = json_string_value(value);
    char text[64];

    for (size_t i = 0; s && strlen(s) < 40 && i < sizeof ends / sizeof *ends; i++) {
        strcpy(text, s);
        strcat(text, ends[i]);
        if (memo_date_parse(text, strlen(text), ms))
            return 1;
    }
    return 0;
}

static void front_take_date(front_reader *r, memo_front *front)
{
    static const char *const names[] = {"created", "date"};

    for (size_t i = 0; i < 2; i++)
        if (front_date(json_object_get(r->object, names[i]), &front->created_ms)) {
            (void)json_object_del(r->object, names[i]);
            return;
        }
}

static void front_drop_nulls(json_t *object)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(object, name);
    }
}

static memo_status front_take(front_reader *r, memo_front *front, memo_err *err)
{
    json_t *title, *tags;

    front_drop_nulls(r->object);
    title = json_object_get(r->object, "title");
    tags = json_object_get(r->object, "tags");
    r->is_bad |= json_is_array(title);
    if (r->is_bad)
        return MEMO_OK;
    if (title)
        front->title = front_take_string(r, title);
    if (tags)
        front_take_tags(r, tags, front);
    (void)json_object_del(r->object, "title");
    (void)json_object_del(r->object, "tags");
    front_take_date(r, front);
    if (r->is_nomem)
        return memo_fail_nomem(err, "front matter", 0);
    return json_object_size(r->object)
               ? memo_db_put_object(r->object, r->arena, &front->metadata, err)
               : MEMO_OK;
}

memo_status memo_front_read(memo_text text, memo_arena *arena, memo_front *front, memo_err *err)
{
    front_reader r = {.arena = arena};
    size_t n_bytes = front_find(text, &r.text);
    memo_status status;

    *front = (memo_front){0};
    if (n_bytes == 0)
        return MEMO_OK;
    r.object = json_object();
    if (!r.object)
        return memo_fail_nomem(err, "front matter", n_bytes);
    front_parse(&r);
    if (r.is_nomem)
        status = memo_fail_nomem(err, "front matter", n_bytes);
    else
        status = r.is_bad ? MEMO_OK : front_take(&r, front, err);
    json_decref(r.object);
    memo_buf_fini(&r.token);
    if (status || r.is_bad)
        *front = (memo_front){0};
    else
        front->n_bytes = n_bytes;
    return status;
}

/* ---- the heading --------------------------------------------------------------------------- */

/* The marks of a fence that a line begins with, 0: none. */
static size_t front_fence(memo_text line, char *mark)
{
    memo_text s = front_trim(line);
    size_t n = 0;

    if (s.bytes - line.bytes > 3 || s.n_bytes == 0 || (*s.bytes != '`' && *s.bytes != '~'))
        return 0;
    *mark = *s.bytes;
    while (n < s.n_bytes && s.bytes[n] == *mark)
        n++;
    if (n < 3 || (*mark == '`' && memchr(s.bytes + n, '`', s.n_bytes - n)))
        return 0; /* `code` within a line is no fence */
    return n;
}

static int front_is_all(memo_text s, char c)
{
    for (size_t i = 0; i < s.n_bytes; i++)
        if (s.bytes[i] != c)
            return 0;
    return s.n_bytes > 0;
}

/* "# words", "# words #"; the marks of "# C#" belong to its words. */
static memo_text front_atx(memo_text line)
{
    memo_text s = front_trim(line);
    size_t n;

    if (s.bytes - line.bytes > 3 || (!front_begins(s, "# ") && !front_begins(s, "#\t")))
        return (memo_text){NULL, 0};
    s = front_trim((memo_text){s.bytes + 1, s.n_bytes - 1});
    for (n = s.n_bytes; n && s.bytes[n - 1] == '#'; n--) {
    }
    if (n == 0 || front_is_space(s.bytes[n - 1]))
        s.n_bytes = n;
    return front_trim(s);
}

memo_text memo_front_heading(memo_text text)
{
    memo_text line, before = {NULL, 0}, found = {NULL, 0};
    size_t fence = 0;
    char mark = 0, other = 0;

    if (text.n_bytes > MEMO_FRONT_BYTES)
        text.n_bytes = MEMO_FRONT_BYTES;
    while (found.n_bytes == 0 && front_next(&text, &line)) {
        size_t n = front_fence(line, &other);
        if (fence) {
            memo_text s = front_trim(line);
            if (n >= fence && other == mark && front_is_all(s, mark))
                fence = 0;
            continue;
        }
        found = front_atx(line);
        if (found.n_bytes == 0 && front_is_all(line, '=') && before.n_bytes)
            found = before;
        fence = n;
        mark = other;
        before = fence ? (memo_text){NULL, 0} : front_trim(line);
    }
    return found.n_bytes <= FRONT_TITLE_BYTES ? found : (memo_text){NULL, 0};
}
