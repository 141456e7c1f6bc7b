// SPDX-License-Identifier: Apache-2.0
/* How passages are written down.
 *
 *   [1] Title - id 01JXG3..., key house, notes/house.md, 2025-06-15, not trusted
 *   > the text, line by line
 *
 * Every line of a text begins with "> ": no line of it can be taken for a heading. What a heading
 * quotes of a record (title, key, source) is cut to one line. */
#include "memory/context/context_pack.h"

#include <string.h>

#include "base/dates.h"
#include "base/utf8.h"

enum { RENDER_NAME_BYTES = 200 /* of a title, key or source in a heading */ };

/* U+2028, U+2029, NEL, vertical tab and form feed end lines for some readers. */
static size_t render_line_end(const char *s, size_t n)
{
    if (n >= 2 && s[0] == '\r' && s[1] == '\n')
        return 2;
    if (*s == '\n' || *s == '\r' || *s == '\v' || *s == '\f')
        return 1;
    if (n >= 2 && memcmp(s, "\xc2\x85", 2) == 0)
        return 2;
    if (n >= 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

/* A name as one line of at most RENDER_NAME_BYTES. */
static void render_name(memo_buf *out, const char *name)
{
    size_t n = strlen(name);
    n = memo_utf8_floor(name, n, n < RENDER_NAME_BYTES ? n : RENDER_NAME_BYTES);
    for (size_t i = 0; i < n;) {
        size_t step = render_line_end(name + i, n - i);
        int blank = step || (unsigned char)name[i] < 0x20 || name[i] == 0x7F;
        memo_buf_putc(out, blank ? ' ' : name[i]);
        i += step ? step : 1;
    }
}

/* The bytes of a passage, piece by piece, each byte of the record's text once. */
static void render_text(memo_buf *out, const memo_part *part)
{
    size_t end = 0;
    for (size_t i = 0; i < part->n_parts; i++) {
        const memo_hit *hit = part->parts[i]->hit;
        if (i && hit->begin > end)
            memo_buf_putc(out, '\n'); /* white space that belongs to neither chunk */
        if (hit->end > end) {
            size_t skip = i && end > hit->begin ? end - hit->begin : 0;
            memo_buf_append(out, hit->text + skip, hit->text_bytes - skip);
            end = hit->end;
        }
    }
}

static void render_quoted(memo_buf *out, const char *s, size_t n)
{
    memo_buf_puts(out, "> ");
    for (size_t i = 0; i < n;) {
        size_t step = render_line_end(s + i, n - i);
        if (step) {
            memo_buf_puts(out, "\n> ");
            i += step;
        } else {
            memo_buf_putc(out, s[i++]);
        }
    }
    memo_buf_putc(out, '\n');
}

static void render_date(memo_buf *out, int64_t unix_ms)
{
    char date[MEMO_DATE_BYTES];
    memo_date_format(unix_ms, 0, date);
    memo_buf_puts(out, date);
}

static void render_md(memo_buf *out, const memo_part *part, size_t number)
{
    const memo_hit *hit = part->best->hit;
    memo_buf text = {0};
    memo_buf_printf(out, number > 1 ? "\n[%zu] " : "[%zu] ", number);
    if (hit->title[0]) {
        render_name(out, hit->title);
        memo_buf_puts(out, " - ");
    }
    memo_buf_printf(out, "id %s", hit->id);
    if (hit->key) {
        memo_buf_puts(out, ", key ");
        render_name(out, hit->key);
    }
    if (hit->source[0]) {
        memo_buf_puts(out, ", ");
        render_name(out, hit->source);
    }
    memo_buf_puts(out, ", ");
    render_date(out, hit->created_ms);
    memo_buf_puts(out, hit->trust < 0 ? ", not trusted\n" : "\n");
    render_text(&text, part);
    if (text.failed)
        out->failed = 1;
    else
        render_quoted(out, text.data, text.n);
    memo_buf_fini(&text);
}

static void render_json_field(memo_buf *out, const char *name, const char *value)
{
    memo_buf_printf(out, ",\"%s\":", name);
    memo_buf_put_json(out, value, strlen(value));
}

static void render_json(memo_buf *out, const memo_part *part, size_t number)
{
    const memo_hit *hit = part->best->hit;
    memo_buf text = {0};
    memo_buf_printf(out, "%s{\"n\":%zu", number > 1 ? "," : "", number);
    render_json_field(out, "id", hit->id);
    if (hit->key)
        render_json_field(out, "key", hit->key);
    if (hit->title[0])
        render_json_field(out, "title", hit->title);
    if (hit->source[0])
        render_json_field(out, "source", hit->source);
    memo_buf_puts(out, ",\"date\":\"");
    render_date(out, hit->created_ms);
    memo_buf_printf(out, "\",\"trust\":%d,\"text\":", hit->trust);
    render_text(&text, part);
    if (text.failed)
        out->failed = 1;
    else
        memo_buf_put_json(out, text.data, text.n);
    memo_buf_putc(out, '}');
    memo_buf_fini(&text);
}

void memo_context_render(memo_buf *out, memo_context_format format, const memo_part *parts,
                         size_t n)
{
    memo_buf_clear(out);
    memo_buf_puts(out, format == MEMO_CONTEXT_JSON ? "{\"passages\":[" : "");
    for (size_t i = 0; i < n; i++) {
        if (format == MEMO_CONTEXT_JSON)
            render_json(out, &parts[i], i + 1);
        else
            render_md(out, &parts[i], i + 1);
    }
    memo_buf_puts(out, format == MEMO_CONTEXT_JSON ? "]}" : "");
}
