// SPDX-License-Identifier: Apache-2.0
/* Encoding runs in three nested steps: added tokens are cut out of the raw text; the rest is
 * normalized and cut into words at white space and punctuation; words are split by WordPiece.
 *
 * Words of plain ASCII need no normalized copy: each byte maps to one byte or separates words, so
 * WordPiece reads them in place through a table. Only a stretch with other characters, up to the
 * next ASCII white space, goes through the stream of normalized characters. White space is a safe
 * cut: no mark moves across it. When an added token is to be found in the normalized text, the
 * whole piece is normalized into a buffer first. */
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bert_normalizer.h"
#include "text/chars.h"
#include "text/wordpiece.h"

#define TOKENIZER_MAX_TEXT (UINT32_MAX / 2)

/* What a byte means to the loop over ASCII. */
enum { BYTE_WORD, BYTE_SPACE, BYTE_PUNCT, BYTE_OTHER };

struct memo_tokenizer {
    memo_tables tables;
    memo_wordpiece wordpiece;
    memo_added_set raw, normal;
    unsigned char byte_kind[256];
    unsigned char byte_map[256]; /* normalized form of an ASCII character */
    unsigned char identity[256];
    uint32_t punct_ids[128]; /* token of a punctuation character that stands alone */
};

/* -- opening ---------------------------------------------------------------------------------- */

static unsigned char tokenizer_byte_kind(unsigned c, unsigned normalizer)
{
    unsigned flags = c < 128 ? memo_char_of(c)->flags : 0;

    if (c >= 128 || ((normalizer & MEMO_BERT_CLEAN) && (flags & MEMO_CHAR_DROP)))
        return BYTE_OTHER;
    if (flags & MEMO_CHAR_SPACE)
        return BYTE_SPACE;
    return flags & MEMO_CHAR_PUNCT ? BYTE_PUNCT : BYTE_WORD;
}

static void tokenizer_init_bytes(memo_tokenizer *tokenizer)
{
    unsigned normalizer = tokenizer->tables.header->normalizer;

    for (unsigned c = 0; c < 256; c++) {
        int lower = (normalizer & MEMO_BERT_LOWER) && c >= 'A' && c <= 'Z';
        tokenizer->byte_kind[c] = tokenizer_byte_kind(c, normalizer);
        tokenizer->byte_map[c] = (unsigned char)(lower ? c - 'A' + 'a' : c);
        tokenizer->identity[c] = (unsigned char)c;
    }
    for (unsigned c = 0; c < 128; c++) {
        const memo_wordpiece *wordpiece = &tokenizer->wordpiece;
        char word = (char)c;
        uint32_t id, end;
        size_t n = wordpiece->max_chars
                       ? memo_wordpiece_split(wordpiece, &word, 1, tokenizer->byte_map, &id, &end)
                       : 0;
        tokenizer->punct_ids[c] = n ? id : wordpiece->unk_id;
    }
}

memo_status memo_tokenizer_open(const void *tables, size_t n_bytes, memo_tokenizer **out,
                                memo_err *err)
{
    memo_tokenizer *tokenizer = memo_calloc(1, sizeof *tokenizer);

    if (!tokenizer)
        return memo_fail_nomem(err, "tokenizer", sizeof *tokenizer);
    memo_status status = memo_tables_view(tables, n_bytes, &tokenizer->tables, err);
    if (status) {
        memo_free(tokenizer);
        return status;
    }
    memo_wordpiece_init(&tokenizer->wordpiece, &tokenizer->tables);
    memo_added_init(&tokenizer->raw, &tokenizer->tables.raw, &tokenizer->tables);
    memo_added_init(&tokenizer->normal, &tokenizer->tables.normal, &tokenizer->tables);
    tokenizer_init_bytes(tokenizer);
    *out = tokenizer;
    return MEMO_OK;
}

void memo_tokenizer_close(memo_tokenizer *tokenizer)
{
    memo_free(tokenizer);
}

size_t memo_tokenizer_vocab_size(const memo_tokenizer *tokenizer)
{
    return tokenizer->tables.header->n_ids;
}

size_t memo_tokenizer_prefix(const memo_tokenizer *tokenizer, const uint32_t **ids)
{
    *ids = tokenizer->tables.prefix_ids;
    return tokenizer->tables.header->n_prefix;
}

size_t memo_tokenizer_suffix(const memo_tokenizer *tokenizer, const uint32_t **ids)
{
    *ids = tokenizer->tables.prefix_ids + tokenizer->tables.header->n_prefix;
    return tokenizer->tables.header->n_suffix;
}

const char *memo_tokenizer_token(const memo_tokenizer *tokenizer, uint32_t id, size_t *n_bytes)
{
    if (id >= tokenizer->tables.header->n_ids ||
        tokenizer->tables.tokens[id].begin == MEMO_NO_TOKEN)
        return NULL;
    *n_bytes = tokenizer->tables.tokens[id].n;
    return tokenizer->tables.token_bytes + tokenizer->tables.tokens[id].begin;
}

/* -- the list of tokens ----------------------------------------------------------------------- */

void memo_token_list_fini(memo_token_list *list)
{
    memo_free(list->ids);
    memo_free(list->offsets);
    memset(list, 0, sizeof *list);
}

/* Room for n more tokens. Returns 0, or -1 when out of memory. */
static int token_list_reserve(memo_token_list *list, size_t n, int with_offsets)
{
    size_t cap = list->cap ? list->cap : 64;

    if (n <= list->cap - list->n && (list->offsets || !with_offsets))
        return 0;
    while (cap - list->n < n)
        cap *= 2;
    void *ids = memo_reallocarray(list->ids, cap, sizeof *list->ids);
    if (!ids)
        return -1;
    list->ids = ids;
    if (with_offsets || list->offsets) {
        void *offsets = memo_reallocarray(list->offsets, cap, sizeof *list->offsets);
        if (!offsets)
            return -1;
        if (!list->offsets && list->n)
            memset(offsets, 0, list->n * sizeof *list->offsets);
        list->offsets = offsets;
    }
    list->cap = cap;
    return 0;
}

/* -- one call of encode ----------------------------------------------------------------------- */

typedef struct byte_span {
    uint32_t begin, end; /* of the original text */
} byte_span;

/* Normalized text with the span of the original that each byte is aligned with. */
typedef struct normal_text {
    char *bytes;
    byte_span *spans;
    size_t n, cap;
} normal_text;

typedef struct encode_run {
    const memo_tokenizer *tokenizer;
    const char *text;
    unsigned flags;
    memo_token_list *out;
    int failed; /* out of memory: everything after it does nothing */
    uint32_t *ends;
    size_t ends_cap;
    normal_text word; /* the word being collected; its first max_chars characters */
    size_t word_chars;
    byte_span word_span;
} encode_run;

static void encode_push(encode_run *run, uint32_t id, size_t begin, size_t end)
{
    memo_token_list *out = run->out;

    if (token_list_reserve(out, 1, run->flags & MEMO_ENCODE_OFFSETS)) {
        run->failed = 1;
        return;
    }
    out->ids[out->n] = id;
    if (run->flags & MEMO_ENCODE_OFFSETS) {
        out->offsets[out->n][0] = begin;
        out->offsets[out->n][1] = end;
    }
    out->n++;
}

/* Room for the pieces of a word of n bytes. */
static int encode_reserve(encode_run *run, size_t n)
{
    if (token_list_reserve(run->out, n, run->flags & MEMO_ENCODE_OFFSETS)) {
        run->failed = 1;
    } else if (n > run->ends_cap) {
        size_t cap = n < 256 ? 256 : n * 2;
        uint32_t *ends = memo_reallocarray(run->ends, cap, sizeof *ends);
        if (ends) {
            run->ends = ends;
            run->ends_cap = cap;
        } else {
            run->failed = 1;
        }
    }
    return run->failed;
}

/* -- words of ASCII, in place ----------------------------------------------------------------- */

/* The word text[begin..end), plain ASCII. */
static void encode_ascii_word(encode_run *run, size_t begin, size_t end)
{
    const memo_wordpiece *wordpiece = &run->tokenizer->wordpiece;
    size_t n = end - begin, n_pieces = 0, from = begin;
    memo_token_list *out = run->out;

    if (n <= wordpiece->max_chars) {
        if (encode_reserve(run, n))
            return;
        n_pieces = memo_wordpiece_split(wordpiece, run->text + begin, n, run->tokenizer->byte_map,
                                        out->ids + out->n, run->ends);
    }
    if (n_pieces == 0) {
        encode_push(run, wordpiece->unk_id, begin, end);
        return;
    }
    if (run->flags & MEMO_ENCODE_OFFSETS) {
        for (size_t i = 0; i < n_pieces; i++) {
            out->offsets[out->n + i][0] = from;
            out->offsets[out->n + i][1] = from = begin + run->ends[i];
        }
    }
    out->n += n_pieces;
}

/* -- words of any characters ------------------------------------------------------------------ */

/* Returns 0, or -1 when out of memory. */
static int normal_text_add(normal_text *text, const memo_bert_char *c)
{
    if (text->cap - text->n < 4) {
        size_t cap = text->cap ? text->cap * 2 : 256;
        void *bytes = memo_realloc(text->bytes, cap);
        if (bytes)
            text->bytes = bytes;
        void *spans = memo_reallocarray(text->spans, cap, sizeof *text->spans);
        if (spans)
            text->spans = spans;
        if (!bytes || !spans)
            return -1;
        text->cap = cap;
    }
    size_t n = memo_utf8_encode(c->cp, text->bytes + text->n);
    for (size_t i = 0; i < n; i++)
        text->spans[text->n++] = (byte_span){c->begin, c->end};
    return 0;
}

static void normal_text_fini(normal_text *text)
{
    memo_free(text->bytes);
    memo_free(text->spans);
}

/* End the collected word, if there is one. */
static void encode_end_word(encode_run *run)
{
    const memo_wordpiece *wordpiece = &run->tokenizer->wordpiece;
    size_t n_pieces = 0, from = 0;

    if (run->word_chars == 0 || run->failed)
        return;
    if (run->word_chars <= wordpiece->max_chars) {
        if (encode_reserve(run, run->word.n))
            return;
        n_pieces =
            memo_wordpiece_split(wordpiece, run->word.bytes, run->word.n, run->tokenizer->identity,
                                 run->out->ids + run->out->n, run->ends);
    }
    if (n_pieces == 0)
        encode_push(run, wordpiece->unk_id, run->word_span.begin, run->word_span.end);
    if (run->flags & MEMO_ENCODE_OFFSETS) {
        for (size_t i = 0; i < n_pieces; from = run->ends[i++]) {
            run->out->offsets[run->out->n + i][0] = run->word.spans[from].begin;
            run->out->offsets[run->out->n + i][1] = run->word.spans[run->ends[i] - 1].end;
        }
    }
    run->out->n += n_pieces;
    run->word.n = run->word_chars = 0;
}

/* The next character of the normalized text: part of a word, or the end of one. */
static void encode_char(encode_run *run, const memo_bert_char *c)
{
    if (c->flags & (MEMO_CHAR_SPACE | MEMO_CHAR_PUNCT))
        encode_end_word(run);
    if (c->flags & MEMO_CHAR_SPACE)
        return;
    if (run->word_chars == 0)
        run->word_span.begin = c->begin;
    run->word_span.end = c->end;
    if (run->word_chars < run->tokenizer->wordpiece.max_chars && normal_text_add(&run->word, c))
        run->failed = 1;
    run->word_chars++;
    if (c->flags & MEMO_CHAR_PUNCT)
        encode_end_word(run);
}

/* Normalize text[begin..end) and give each character to encode_char(), or collect it in `into`. */
static void encode_normalized(encode_run *run, size_t begin, size_t end, normal_text *into)
{
    memo_bert_stream stream;
    memo_bert_char c;
    int more = 0;

    memo_bert_begin(&stream, run->tokenizer->tables.header->normalizer, run->text, begin, end);
    while (!run->failed && (more = memo_bert_next(&stream, &c)) > 0) {
        if (!into)
            encode_char(run, &c);
        else if (normal_text_add(into, &c))
            run->failed = 1;
    }
    memo_bert_end(&stream);
    if (more < 0)
        run->failed = 1;
    if (!into)
        encode_end_word(run);
}

/* -- a piece between added tokens ------------------------------------------------------------- */

static void encode_piece(encode_run *run, size_t begin, size_t end)
{
    const memo_tokenizer *tokenizer = run->tokenizer;
    const unsigned char *text = (const unsigned char *)run->text, *kind = tokenizer->byte_kind;
    size_t at = begin;

    while (at < end && !run->failed) {
        size_t from = at;
        switch (kind[text[at]]) {
        case BYTE_SPACE:
            at++;
            break;
        case BYTE_PUNCT:
            at++;
            encode_push(run, tokenizer->punct_ids[text[from]], from, at);
            break;
        case BYTE_WORD:
            while (at < end && kind[text[at]] == BYTE_WORD)
                at++;
            if (at == end || kind[text[at]] != BYTE_OTHER) {
                encode_ascii_word(run, from, at);
                break;
            }
            /* fall through */
        default:
            while (at < end && kind[text[at]] != BYTE_SPACE)
                at++;
            encode_normalized(run, from, at, NULL);
            break;
        }
    }
}

/* Words of normalized text [begin, end). */
static void encode_buffered_words(encode_run *run, const normal_text *text, size_t begin,
                                  size_t end)
{
    memo_bert_char c = {0};

    for (size_t at = begin; at < end && !run->failed;) {
        size_t n = memo_utf8_decode(text->bytes + at, end - at, &c.cp);
        if (n == 0) { /* cut inside a character by damaged tables */
            c.cp = 0xFFFD;
            n = 1;
        }
        c.flags = memo_char_of(c.cp)->flags;
        c.begin = text->spans[at].begin;
        c.end = text->spans[at].end;
        encode_char(run, &c);
        at += n;
    }
    encode_end_word(run);
}

/* A piece in whose normalized form added tokens are to be found. */
static void encode_piece_buffered(encode_run *run, size_t begin, size_t end)
{
    normal_text text = {0};
    memo_added_scan scan = {.skip_special = (run->flags & MEMO_ENCODE_SAFE) != 0};
    memo_added_match match;

    encode_normalized(run, begin, end, &text);
    scan.text = text.bytes;
    scan.n = text.n;
    while (!run->failed && memo_added_next(&run->tokenizer->normal, &scan, &match)) {
        if (match.text_begin < match.begin)
            encode_buffered_words(run, &text, match.text_begin, match.begin);
        encode_push(run, match.id, text.spans[match.begin].begin, text.spans[match.end - 1].end);
    }
    if (!run->failed && scan.done < scan.n)
        encode_buffered_words(run, &text, scan.done, scan.n);
    normal_text_fini(&text);
}

/* -- a whole text ----------------------------------------------------------------------------- */

/* Safe mode's last word: what the vocabulary itself holds of special tokens becomes unknown. */
static void encode_mask_specials(const encode_run *run, size_t from)
{
    const memo_tables *tables = &run->tokenizer->tables;

    for (size_t i = from; i < run->out->n; i++) {
        size_t low = 0, high = tables->n_added;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (tables->added[middle].id < run->out->ids[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (low < tables->n_added && tables->added[low].id == run->out->ids[i] &&
            (tables->added[low].flags & MEMO_ADDED_SPECIAL))
            run->out->ids[i] = tables->header->unk_id;
    }
}

static memo_status encode_valid(const memo_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                unsigned flags, memo_token_list *out, memo_err *err)
{
    encode_run run = {.tokenizer = tokenizer, .text = text, .flags = flags, .out = out};
    memo_added_scan scan = {
        .text = text, .n = n_bytes, .skip_special = (flags & MEMO_ENCODE_SAFE) != 0};
    memo_added_match match;
    size_t n_before = out->n;
    void (*piece)(encode_run *, size_t, size_t) =
        tokenizer->normal.trie.n_nodes ? encode_piece_buffered : encode_piece;

    if (token_list_reserve(out, 1, flags & MEMO_ENCODE_OFFSETS))
        run.failed = 1;
    while (!run.failed && memo_added_next(&tokenizer->raw, &scan, &match)) {
        if (match.text_begin < match.begin)
            piece(&run, match.text_begin, match.begin);
        encode_push(&run, match.id, match.begin, match.end);
    }
    if (!run.failed && scan.done < n_bytes)
        piece(&run, scan.done, n_bytes);
    if (flags & MEMO_ENCODE_SAFE)
        encode_mask_specials(&run, n_before);
    normal_text_fini(&run.word);
    memo_free(run.ends);
    if (!run.failed)
        return MEMO_OK;
    out->n = n_before;
    return memo_fail_nomem(err, "tokens of a text", n_bytes);
}

/* -- texts with malformed bytes --------------------------------------------------------------- */

/* One malformed piece: `n` bytes at `at` became three at `copy_at`. */
typedef struct bad_piece {
    size_t at, n, copy_at;
} bad_piece;

/* Where a place in the copy lies in the original text. */
static size_t repair_origin(const bad_piece *bad, size_t n_bad, size_t at)
{
    size_t low = 0, high = n_bad; /* pieces that end at or before `at` */

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bad[middle].copy_at + 3 <= at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return at;
    return at - (bad[low - 1].copy_at + 3) + bad[low - 1].at + bad[low - 1].n;
}

/* Copy the text with U+FFFD for each malformed piece. */
static int repair_copy(const char *text, size_t n_bytes, memo_buf *copy, memo_buf *pieces)
{
    for (size_t at = 0; at < n_bytes;) {
        size_t good = memo_utf8_check(text + at, n_bytes - at);
        memo_buf_append(copy, text + at, good);
        at += good;
        if (at == n_bytes)
            break;
        bad_piece bad = {at, memo_utf8_bad_length(text + at, n_bytes - at), copy->n};
        memo_buf_append(copy, "\xEF\xBF\xBD", 3);
        memo_buf_append(pieces, &bad, sizeof bad);
        at += bad.n;
    }
    return copy->failed || pieces->failed;
}

static memo_status encode_repaired(const memo_tokenizer *tokenizer, const char *text,
                                   size_t n_bytes, unsigned flags, memo_token_list *out,
                                   memo_err *err)
{
    memo_buf copy = {0}, pieces = {0};
    size_t n_before = out->n;
    memo_status status;

    if (repair_copy(text, n_bytes, &copy, &pieces))
        status = memo_fail_nomem(err, "copy of a text", n_bytes);
    else if (copy.n > TOKENIZER_MAX_TEXT)
        status = memo_fail(err, MEMO_ERR_LIMIT, "text of %zu bytes, allowed %u", copy.n,
                           TOKENIZER_MAX_TEXT);
    else
        status = encode_valid(tokenizer, copy.data, copy.n, flags, out, err);
    const bad_piece *bad = (const bad_piece *)(void *)pieces.data;
    size_t n_bad = pieces.n / sizeof *bad;
    for (size_t i = n_before; !status && (flags & MEMO_ENCODE_OFFSETS) && i < out->n; i++)
        for (int k = 0; k < 2; k++)
            out->offsets[i][k] = repair_origin(bad, n_bad, out->offsets[i][k]);
    memo_buf_fini(&copy);
    memo_buf_fini(&pieces);
    return status;
}

memo_status memo_tokenizer_encode(const memo_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                  unsigned flags, memo_token_list *out, memo_err *err)
{
    if (n_bytes > TOKENIZER_MAX_TEXT)
        return memo_fail(err, MEMO_ERR_LIMIT, "text of %zu bytes, allowed %u", n_bytes,
                         TOKENIZER_MAX_TEXT);
    size_t bad = n_bytes ? memo_utf8_check(text, n_bytes) : 0;
    if (bad == n_bytes)
        return encode_valid(tokenizer, text, n_bytes, flags, out, err);
    if (flags & MEMO_ENCODE_REPLACE_INVALID)
        return encode_repaired(tokenizer, text, n_bytes, flags, out, err);
    return memo_fail(err, MEMO_ERR_VALUE, "text is not valid UTF-8 at byte %zu (0x%02X)", bad,
                     (unsigned)(unsigned char)text[bad]);
}
