// SPDX-License-Identifier: Apache-2.0
#include "cli/show.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/json_out.h"

void cli_put_style(cli_out *out, cli_style style)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m"};
    if (out->colour)
        memo_buf_puts(&out->buf, codes[style]);
}

/* ---- characters ---------------------------------------------------------------------------- */

/* Columns of a character. Blocks, not single characters: the marks and the scripts that terminals
 * draw wide; what is between is one column. */
static size_t show_columns(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
        unsigned char columns;
    } ranges[] = {
        {0x0300, 0x036F, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05BD, 0},   {0x064B, 0x065F, 0},
        {0x093A, 0x093A, 0},   {0x0941, 0x0948, 0},   {0x094D, 0x094D, 0},   {0x0E31, 0x0E31, 0},
        {0x0E34, 0x0E3A, 0},   {0x0E47, 0x0E4E, 0},   {0x1100, 0x115F, 2},   {0x1AB0, 0x1AFF, 0},
        {0x1DC0, 0x1DFF, 0},   {0x200B, 0x200F, 0},   {0x202A, 0x202E, 0},   {0x2060, 0x2064, 0},
        {0x20D0, 0x20F0, 0},   {0x2E80, 0x303E, 2},   {0x3041, 0xA4CF, 2},   {0xA960, 0xA97C, 2},
        {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},   {0xFE00, 0xFE0F, 0},   {0xFE20, 0xFE2F, 0},
        {0xFE30, 0xFE6F, 2},   {0xFEFF, 0xFEFF, 0},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},
        {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2},
        {0xE0100, 0xE01EF, 0},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && cp >= ranges[i].first; i++)
        if (cp <= ranges[i].last)
            return ranges[i].columns;
    return 1;
}

/* White space, controls (C0, DEL, C1) and the direction overrides, all shown as a blank. */
static int show_is_blank(uint32_t cp)
{
    return cp <= 0x20 || (cp >= 0x7F && cp <= 0xA0) || cp == 0x2028 || cp == 0x2029 ||
           (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x3000;
}

/* The character at s: its length; a malformed byte is shown as U+FFFD. */
static size_t show_decode(const char *s, size_t n, uint32_t *cp)
{
    size_t length = memo_utf8_decode(s, n, cp);
    if (length == 0)
        *cp = 0xFFFD;
    return length ? length : 1;
}

static void show_put(memo_buf *out, uint32_t cp)
{
    char bytes[4];
    memo_buf_append(out, bytes, memo_utf8_encode(cp, bytes));
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Step over blanks, then measure the word that follows: [*begin, *end) and its columns; 0 when
 * there is none. A word longer than max_columns is cut there, so that text without blanks (Chinese,
 * a long path) breaks too. */
static int show_next_word(memo_text text, size_t at, size_t max_columns, size_t *begin, size_t *end,
                          size_t *columns)
{
    uint32_t cp;
    size_t n;
    for (; at < text.n_bytes; at += n) {
        n = show_decode(text.bytes + at, text.n_bytes - at, &cp);
        if (!show_is_blank(cp))
            break;
    }
    *begin = at;
    *columns = 0;
    for (; at < text.n_bytes; at += n) {
        n = show_decode(text.bytes + at, text.n_bytes - at, &cp);
        if (show_is_blank(cp) || *columns + show_columns(cp) > max_columns)
            break;
        *columns += show_columns(cp);
    }
    *end = at;
    return *begin < *end;
}

static void show_put_word(memo_buf *out, memo_text text, size_t begin, size_t end)
{
    uint32_t cp;
    for (size_t at = begin; at < end;) {
        at += show_decode(text.bytes + at, end - at, &cp);
        show_put(out, cp);
    }
}

size_t cli_put_line(memo_buf *out, const char *bytes, size_t n_bytes, size_t max_columns)
{
    memo_text text = {bytes, n_bytes};
    size_t at = 0, begin, end, columns, used = 0;
    size_t limit = max_columns > 3 ? max_columns - 3 : 1;
    while (show_next_word(text, at, limit, &begin, &end, &columns)) {
        size_t gap = used > 0 && begin > at;
        size_t next_begin, next_end, next_columns;
        int more = show_next_word(text, end, limit, &next_begin, &next_end, &next_columns);
        if (used + gap + columns > (more ? limit : max_columns)) {
            memo_buf_puts(out, "...");
            return used + 3;
        }
        memo_buf_puts(out, gap ? " " : "");
        show_put_word(out, text, begin, end);
        used += gap + columns;
        at = end;
    }
    return used;
}

void cli_put_paragraph(memo_buf *out, memo_text text, size_t indent, size_t width, size_t max_lines)
{
    size_t room = width > indent + 20 ? width - indent : 20, used = 0, n_lines = 0, at = 0;
    size_t begin, end, columns;
    while (show_next_word(text, at, room, &begin, &end, &columns)) {
        size_t gap = used > 0 && begin > at;
        if (n_lines == 0 || used + gap + columns > room) {
            if (n_lines == max_lines) {
                memo_buf_puts(out, " ...");
                break;
            }
            memo_buf_printf(out, "%s%*s", n_lines ? "\n" : "", (int)indent, "");
            n_lines++;
            used = gap = 0;
        }
        memo_buf_puts(out, gap ? " " : "");
        show_put_word(out, text, begin, end);
        used += gap + columns;
        at = end;
    }
    if (n_lines > 0)
        memo_buf_putc(out, '\n');
}

/* ---- snippet ------------------------------------------------------------------------------- */

/* Does `term` (any case in ASCII) begin at s? */
static int show_starts_with(const char *s, size_t n, const char *term, size_t n_term)
{
    if (n_term == 0 || n_term > n)
        return 0;
    for (size_t i = 0; i < n_term; i++)
        if (tolower((unsigned char)s[i]) != tolower((unsigned char)term[i]))
            return 0;
    return 1;
}

/* How many of the terms stand within n bytes from s; *first is where the first of them begins. */
static size_t show_count_terms(const char *s, size_t n, const char *terms, size_t *first)
{
    size_t found = 0;
    *first = n;
    while (*terms) {
        size_t n_term = strcspn(terms, " ");
        for (size_t i = 0; i < n; i++)
            if ((i == 0 || isalnum((unsigned char)s[i - 1]) == 0) &&
                show_starts_with(s + i, n - i, terms, n_term)) {
                found++;
                *first = i < *first ? i : *first;
                break;
            }
        terms += n_term;
        terms += strspn(terms, " ");
    }
    return found;
}

memo_text cli_snippet(memo_text text, const char *terms, size_t n_columns)
{
    size_t best = 0, best_at = 0, step = n_columns / 4 + 1, first;
    for (size_t at = 0; at < text.n_bytes && terms[0]; at += step) {
        size_t rest = text.n_bytes - at, n = rest < n_columns ? rest : n_columns;
        size_t found = show_count_terms(text.bytes + at, n, terms, &first);
        if (found > best) {
            best = found;
            best_at = at + first;
        }
    }
    /* Begin at a word, with a little of what stands before the first term. */
    size_t lead = n_columns / 6;
    best_at = best_at > lead ? memo_utf8_floor(text.bytes, text.n_bytes, best_at - lead) : 0;
    while (best_at > 0 && best_at < text.n_bytes && text.bytes[best_at - 1] != ' ' &&
           text.bytes[best_at - 1] != '\n')
        best_at--;
    return (memo_text){text.bytes + best_at, text.n_bytes - best_at};
}

const char *cli_trust_name(int trust)
{
    return trust < 0 ? "untrusted" : trust > 0 ? "trusted" : "unknown";
}

const char *cli_tier_name(int tier)
{
    return tier == 0 ? "goals" : tier == 1 ? "hot" : "rest";
}

/* ---- links --------------------------------------------------------------------------------- */

void cli_links_text(memo_buf *out, memo_db *db, const char *ns, const char *id, int indent)
{
    memo_links *links = NULL;
    if (memo_db_links(db, ns, id, &links, NULL))
        return;
    for (size_t i = 0; i < links->n; i++) {
        const memo_link *link = &links->links[i];
        if (link->kind == MEMO_LINK_SUPERSEDES) /* has a line of its own where records are shown */
            continue;
        memo_buf_printf(out, "%*s%-9s%s %s", indent, "", link->incoming ? "linked" : "link",
                        memo_link_kind_name(link->kind), link->incoming ? "by" : "of");
        memo_buf_printf(out, " %s", link->id[0] ? link->id : "what was forgotten");
        if (link->score < 1)
            memo_buf_printf(out, " (%.2f)", link->score);
        memo_buf_putc(out, '\n');
    }
    memo_links_free(links);
}

void cli_links_json(memo_buf *out, memo_db *db, const char *ns, const char *id)
{
    memo_links *links = NULL;
    memo_status status = memo_db_links(db, ns, id, &links, NULL);
    cli_json_key(out, "links");
    cli_json_open(out, '[');
    for (size_t i = 0; status == MEMO_OK && i < links->n; i++) {
        const memo_link *link = &links->links[i];
        cli_json_open(out, '{');
        cli_json_put_string(out, "kind", memo_link_kind_name(link->kind));
        cli_json_put_string(out, "direction", link->incoming ? "from" : "to");
        cli_json_put_string(out, "id", link->id[0] ? link->id : NULL);
        cli_json_key(out, "score");
        cli_json_double(out, link->score, 6);
        cli_json_key(out, "made");
        cli_json_date(out, link->made_ms);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
    memo_links_free(links);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void show_record_members(memo_buf *out, const memo_record *record)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", record->id);
    cli_json_put_string(out, "key", record->key);
    cli_json_key(out, "text");
    cli_json_bytes(out, record->text.bytes, record->text.n_bytes);
    cli_json_put_string(out, "title", record->title);
    cli_json_key(out, "tags");
    cli_json_strings(out, record->tags, record->n_tags);
    cli_json_key(out, "metadata");
    cli_json_raw(out, record->metadata_json);
    cli_json_put_string(out, "source", record->source);
    cli_json_put_string(out, "ns", record->ns);
    cli_json_key(out, "created");
    cli_json_date(out, record->created_ms);
    cli_json_key(out, "updated");
    cli_json_date(out, record->updated_ms);
    cli_json_key(out, "expires");
    cli_json_date(out, record->expires_ms);
    cli_json_put_u64(out, "version", record->version);
    cli_json_put_u64(out, "chunks", record->n_chunks);
    cli_json_key(out, "trust");
    cli_json_i64(out, record->trust);
    cli_json_key(out, "pinned");
    cli_json_bool(out, record->pinned);
    cli_json_put_u64(out, "tier", (uint64_t)record->tier);
    cli_json_put_string(out, "parent", record->parent);
    cli_json_put_string(out, "supersedes", record->supersedes);
    cli_json_put_string(out, "superseded_by", record->superseded_by);
    cli_json_key(out, "echo");
    cli_json_bool(out, record->echo);
    cli_json_put_string(out, "duplicate_of", record->duplicate_of);
}

void cli_record_json(memo_buf *out, const memo_record *record)
{
    show_record_members(out, record);
    cli_json_close(out, '}');
}

void cli_record_json_linked(memo_buf *out, const memo_record *record, memo_db *db)
{
    show_record_members(out, record);
    cli_links_json(out, db, record->ns, record->id);
    cli_json_close(out, '}');
}
