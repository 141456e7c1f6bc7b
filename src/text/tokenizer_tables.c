// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/bert_normalizer.h"

enum { TABLES_ALIGN = 64, TABLES_WORDPIECE = 1 };

static const char tables_magic[8] = "MEMOTOK";

/* Bytes of one item of each section. */
static const size_t tables_item_bytes[MEMO_TABLES_SECTIONS] = {
    [MEMO_TABLES_TOKENS] = sizeof(memo_token_span),
    [MEMO_TABLES_TOKEN_BYTES] = 1,
    [MEMO_TABLES_VOCAB_NODES] = sizeof(memo_trie_node),
    [MEMO_TABLES_VOCAB_VALUES] = sizeof(uint32_t),
    [MEMO_TABLES_ADDED] = sizeof(memo_added_token),
    [MEMO_TABLES_RAW_NODES] = sizeof(memo_trie_node),
    [MEMO_TABLES_RAW_VALUES] = sizeof(uint32_t),
    [MEMO_TABLES_NORMAL_NODES] = sizeof(memo_trie_node),
    [MEMO_TABLES_NORMAL_VALUES] = sizeof(uint32_t),
    [MEMO_TABLES_CONTINUING] = 1,
    [MEMO_TABLES_TEMPLATE] = sizeof(uint32_t),
};

/* -- reading ---------------------------------------------------------------------------------- */

static memo_status tables_fail(memo_err *err, const char *problem)
{
    return memo_fail(err, MEMO_ERR_FORMAT, "tokenizer tables: %s", problem);
}

static const void *tables_section(const memo_tables_header *header, memo_tables_section section)
{
    return (const char *)header + header->sections[section].begin;
}

static int tables_view_trie(const memo_tables_header *header, memo_tables_section nodes,
                            size_t n_values, memo_trie *trie)
{
    trie->nodes = tables_section(header, nodes);
    trie->values = tables_section(header, nodes + 1); /* values follow their nodes */
    trie->n_nodes = header->sections[nodes].n;
    return header->sections[nodes + 1].n == trie->n_nodes && memo_trie_check(trie, n_values);
}

static memo_status tables_check_header(const memo_tables_header *header, size_t n_bytes,
                                       memo_err *err)
{
    if (memcmp(header->magic, tables_magic, sizeof tables_magic) != 0)
        return tables_fail(err, "no tokenizer tables (wrong magic)");
    if (header->layout != MEMO_TOKENIZER_LAYOUT || header->model != TABLES_WORDPIECE)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "tokenizer tables of layout %u, model %u; this version reads layout %d, "
                         "model %d (compile the model again)",
                         (unsigned)header->layout, (unsigned)header->model, MEMO_TOKENIZER_LAYOUT,
                         TABLES_WORDPIECE);
    size_t end = sizeof *header;
    for (int s = 0; s < MEMO_TABLES_SECTIONS; s++) {
        size_t begin = header->sections[s].begin;
        if (begin % TABLES_ALIGN || begin > n_bytes ||
            header->sections[s].n > (n_bytes - begin) / tables_item_bytes[s])
            return tables_fail(err, "a section lies outside");
        if (begin < end)
            return tables_fail(err, "sections overlap or are out of order");
        end = begin + header->sections[s].n * tables_item_bytes[s];
    }
    if (header->n_ids == 0 || header->n_ids > MEMO_TOKENIZER_MAX_VOCAB ||
        header->sections[MEMO_TABLES_TOKENS].n != header->n_ids ||
        header->unk_id >= header->n_ids || header->max_word_chars > MEMO_TOKENIZER_MAX_WORD_CHARS ||
        header->normalizer & ~(uint32_t)MEMO_BERT_ALL)
        return tables_fail(err, "a number in the header is out of range");
    if (header->n_prefix > MEMO_TOKENIZER_MAX_TEMPLATE ||
        header->n_suffix > MEMO_TOKENIZER_MAX_TEMPLATE ||
        header->sections[MEMO_TABLES_TEMPLATE].n != header->n_prefix + header->n_suffix)
        return tables_fail(err, "the template's length is out of range");
    return MEMO_OK;
}

static memo_status tables_check_items(const memo_tables *tables, memo_err *err)
{
    const memo_tables_header *header = tables->header;
    size_t n_text = header->sections[MEMO_TABLES_TOKEN_BYTES].n;

    for (size_t i = 0; i < header->n_ids; i++) {
        const memo_token_span *span = &tables->tokens[i];
        if (span->begin != MEMO_NO_TOKEN &&
            (span->begin > n_text || span->n > n_text - span->begin))
            return tables_fail(err, "a token's text lies outside");
    }
    for (size_t i = 0; i < tables->n_added; i++)
        if (tables->added[i].id >= header->n_ids ||
            (i && tables->added[i].id <= tables->added[i - 1].id))
            return tables_fail(err, "an added token's id is out of range or order");
    for (size_t i = 0; i < header->n_prefix + header->n_suffix; i++)
        if (tables->prefix_ids[i] >= header->n_ids)
            return tables_fail(err, "an id of the template is out of range");
    return MEMO_OK;
}

memo_status memo_tables_view(const void *bytes, size_t n_bytes, memo_tables *tables, memo_err *err)
{
    const memo_tables_header *header = bytes;
    memo_status status;

    if (n_bytes < sizeof *header)
        return tables_fail(err, "shorter than their header");
    if ((uintptr_t)bytes % TABLES_ALIGN)
        return memo_fail(err, MEMO_ERR_USAGE, "tokenizer tables must be aligned to %d bytes",
                         TABLES_ALIGN);
    status = tables_check_header(header, n_bytes, err);
    if (status)
        return status;
    memset(tables, 0, sizeof *tables);
    tables->header = header;
    tables->tokens = tables_section(header, MEMO_TABLES_TOKENS);
    tables->token_bytes = tables_section(header, MEMO_TABLES_TOKEN_BYTES);
    tables->added = tables_section(header, MEMO_TABLES_ADDED);
    tables->n_added = header->sections[MEMO_TABLES_ADDED].n;
    tables->continuing = tables_section(header, MEMO_TABLES_CONTINUING);
    tables->n_continuing = header->sections[MEMO_TABLES_CONTINUING].n;
    tables->prefix_ids = tables_section(header, MEMO_TABLES_TEMPLATE);
    if (!tables_view_trie(header, MEMO_TABLES_VOCAB_NODES, header->n_ids, &tables->vocab) ||
        tables->vocab.n_nodes == 0 ||
        !tables_view_trie(header, MEMO_TABLES_RAW_NODES, tables->n_added, &tables->raw) ||
        !tables_view_trie(header, MEMO_TABLES_NORMAL_NODES, tables->n_added, &tables->normal))
        return tables_fail(err, "a trie leads outside");
    return tables_check_items(tables, err);
}

/* -- checking a spec -------------------------------------------------------------------------- */

static int tables_compare_id(const void *a, const void *b)
{
    const memo_spec_token *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Limits of one token. */
static memo_status tables_check_token(const memo_tokenizer_spec *spec, const memo_spec_token *token,
                                      memo_err *err)
{
    int shown = (int)memo_utf8_floor(token->bytes, token->n, 80);

    if (token->id >= MEMO_TOKENIZER_MAX_VOCAB)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: token '%.*s': id %u, allowed below %u",
                         spec->what, shown, token->bytes, (unsigned)token->id,
                         MEMO_TOKENIZER_MAX_VOCAB);
    if (token->n > MEMO_TOKENIZER_MAX_TOKEN_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: token '%.*s...' has %zu bytes, allowed %u",
                         spec->what, shown, token->bytes, token->n, MEMO_TOKENIZER_MAX_TOKEN_BYTES);
    return MEMO_OK;
}

static memo_status tables_check_tokens(const memo_tokenizer_spec *spec, memo_spec_token *tokens,
                                       size_t n, memo_err *err)
{
    size_t n_bytes = 0;

    if (n > MEMO_TOKENIZER_MAX_VOCAB)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %zu tokens, allowed %u", spec->what, n,
                         MEMO_TOKENIZER_MAX_VOCAB);
    for (size_t i = 0; i < n; i++) {
        memo_status status = tables_check_token(spec, &tokens[i], err);
        if (status)
            return status;
        n_bytes += tokens[i].n;
    }
    if (n_bytes > MEMO_TOKENIZER_MAX_VOCAB_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: tokens of %zu bytes together, allowed %u",
                         spec->what, n_bytes, MEMO_TOKENIZER_MAX_VOCAB_BYTES);
    if (n)
        qsort(tokens, n, sizeof *tokens, tables_compare_id);
    for (size_t i = 1; i < n; i++)
        if (tokens[i].id == tokens[i - 1].id)
            return memo_fail(
                err, MEMO_ERR_FORMAT, "%s: tokens '%.*s' and '%.*s' both have id %u", spec->what,
                (int)memo_utf8_floor(tokens[i - 1].bytes, tokens[i - 1].n, 80), tokens[i - 1].bytes,
                (int)memo_utf8_floor(tokens[i].bytes, tokens[i].n, 80), tokens[i].bytes,
                (unsigned)tokens[i].id);
    return MEMO_OK;
}

/* Walk a whole key; the node it ends at or MEMO_TRIE_NONE. */
static uint32_t tables_find(const memo_trie *trie, const char *bytes, size_t n)
{
    uint32_t node = 0;

    for (size_t i = 0; i < n && node != MEMO_TRIE_NONE; i++)
        node = memo_trie_step(trie, node, (unsigned char)bytes[i]);
    return node != MEMO_TRIE_NONE && memo_trie_ends(trie, node) ? node : MEMO_TRIE_NONE;
}

/* An added token must have the id that the reference would give it: its place in the vocabulary,
 * or else the next after all others. `added` is in the order of ids, as in every published file. */
static memo_status tables_check_added(const memo_tokenizer_spec *spec, const memo_trie *vocab,
                                      memo_err *err)
{
    size_t next = spec->n_vocab;

    for (size_t i = 0; i < spec->n_added; i++) {
        const memo_spec_token *token = &spec->added[i];
        uint32_t node = tables_find(vocab, token->bytes, token->n);
        size_t id = node == MEMO_TRIE_NONE ? next++ : vocab->values[node];
        if (id != token->id)
            return memo_fail(err, MEMO_ERR_FORMAT,
                             "%s: added token '%.*s' has id %u, its place in the vocabulary is %zu",
                             spec->what, (int)memo_utf8_floor(token->bytes, token->n, 80),
                             token->bytes, (unsigned)token->id, id);
    }
    return MEMO_OK;
}

/* -- packing ---------------------------------------------------------------------------------- */

/* A trie in memory that owns its arrays. */
typedef struct tables_built {
    memo_trie_node *nodes;
    uint32_t *values;
    size_t n;
} tables_built;

static void tables_built_fini(tables_built *built)
{
    memo_free(built->nodes);
    memo_free(built->values);
}

static memo_status tables_build_trie(const memo_tokenizer_spec *spec, memo_trie_key *keys, size_t n,
                                     const char *kind, tables_built *built, memo_err *err)
{
    size_t twice = memo_trie_sort(keys, n);

    if (twice < n)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: %s '%.*s' is there twice", spec->what, kind,
                         (int)memo_utf8_floor(keys[twice].bytes, keys[twice].n, 80),
                         keys[twice].bytes);
    return memo_trie_build(keys, n, &built->nodes, &built->values, &built->n, err);
}

static memo_status tables_build_vocab(const memo_tokenizer_spec *spec, tables_built *built,
                                      memo_err *err)
{
    memo_trie_key *keys = memo_calloc(spec->n_vocab + 1, sizeof *keys);

    if (!keys)
        return memo_fail_nomem(err, spec->what, spec->n_vocab * sizeof *keys);
    for (size_t i = 0; i < spec->n_vocab; i++)
        keys[i] = (memo_trie_key){spec->vocab[i].bytes, spec->vocab[i].n, spec->vocab[i].id};
    memo_status status =
        tables_build_trie(spec, keys, spec->n_vocab, "vocabulary token", built, err);
    memo_free(keys);
    return status;
}

/* The form in which an added token is looked for: normalized like the text, if it asks for that. */
static memo_status tables_normalize(const memo_tokenizer_spec *spec, const memo_spec_token *token,
                                    memo_buf *out, memo_err *err)
{
    memo_bert_stream stream;
    memo_bert_char c;
    int more;

    memo_bert_begin(&stream, spec->normalizer, token->bytes, 0, token->n);
    while ((more = memo_bert_next(&stream, &c)) > 0) {
        char bytes[4];
        memo_buf_append(out, bytes, memo_utf8_encode(c.cp, bytes));
    }
    memo_bert_end(&stream);
    if (more < 0 || out->failed)
        return memo_fail_nomem(err, spec->what, token->n);
    return MEMO_OK;
}

/* The trie of those added tokens whose NORMALIZED flag is `normalized`; none: an empty one. */
static memo_status tables_build_added(const memo_tokenizer_spec *spec, int normalized,
                                      tables_built *built, memo_err *err)
{
    memo_trie_key *keys = memo_calloc(spec->n_added + 1, sizeof *keys);
    memo_buf text = {0};
    size_t n = 0, at = 0;
    memo_status status = MEMO_OK;

    if (!keys)
        return memo_fail_nomem(err, spec->what, spec->n_added * sizeof *keys);
    for (size_t i = 0; i < spec->n_added && !status; i++) {
        const memo_spec_token *token = &spec->added[i];
        size_t begin = text.n;
        if (!!(token->flags & MEMO_ADDED_NORMALIZED) != normalized)
            continue;
        if (normalized)
            status = tables_normalize(spec, token, &text, err);
        else
            memo_buf_append(&text, token->bytes, token->n);
        keys[n].n = text.n - begin;
        keys[n++].value = (uint32_t)i;
        if (!status && text.n == begin && !text.failed)
            status = memo_fail(err, MEMO_ERR_FORMAT, "%s: added token %u is empty", spec->what,
                               (unsigned)token->id);
    }
    if (!status && text.failed)
        status = memo_fail_nomem(err, spec->what, text.n);
    for (size_t i = 0; i < n && !status; at += keys[i++].n) /* only now does the text stay put */
        keys[i].bytes = text.data + at;
    if (!status && n)
        status = tables_build_trie(spec, keys, n, "added token", built, err);
    memo_free(keys);
    memo_buf_fini(&text);
    return status;
}

/* Append one section, aligned, and note its place in the header (which lies at `start`). */
static void tables_put(memo_buf *out, size_t start, memo_tables_section section, const void *items,
                       size_t n)
{
    static const char zeros[TABLES_ALIGN];
    size_t at = out->n - start;

    memo_buf_append(out, zeros, memo_round_up(at, TABLES_ALIGN) - at);
    if (out->failed)
        return;
    memo_tables_header header;
    memcpy(&header, out->data + start, sizeof header);
    header.sections[section].begin = (uint32_t)(out->n - start);
    header.sections[section].n = (uint32_t)n;
    memcpy(out->data + start, &header, sizeof header);
    if (n)
        memo_buf_append(out, items, n * tables_item_bytes[section]);
}

/* Texts of all ids; an added token that is in the vocabulary too has the same text. */
static memo_status tables_put_tokens(const memo_tokenizer_spec *spec, size_t n_ids, memo_buf *out,
                                     size_t start, memo_err *err)
{
    memo_token_span *spans = memo_calloc(n_ids, sizeof *spans);
    memo_buf text = {0};

    if (!spans)
        return memo_fail_nomem(err, spec->what, n_ids * sizeof *spans);
    for (size_t i = 0; i < n_ids; i++)
        spans[i].begin = MEMO_NO_TOKEN;
    for (size_t i = 0; i < spec->n_vocab + spec->n_added; i++) {
        const memo_spec_token *token =
            i < spec->n_vocab ? &spec->vocab[i] : &spec->added[i - spec->n_vocab];
        if (spans[token->id].begin != MEMO_NO_TOKEN)
            continue;
        spans[token->id] = (memo_token_span){(uint32_t)text.n, (uint32_t)token->n};
        memo_buf_append(&text, token->bytes, token->n);
    }
    int failed = text.failed;
    if (!failed) {
        tables_put(out, start, MEMO_TABLES_TOKENS, spans, n_ids);
        tables_put(out, start, MEMO_TABLES_TOKEN_BYTES, text.data, text.n);
    }
    memo_free(spans);
    memo_buf_fini(&text);
    return failed ? memo_fail_nomem(err, spec->what, n_ids) : MEMO_OK;
}

static void tables_put_trie(memo_buf *out, size_t start, memo_tables_section nodes,
                            const tables_built *built)
{
    tables_put(out, start, nodes, built->nodes, built->n);
    tables_put(out, start, nodes + 1, built->values, built->n);
}

static memo_status tables_put_all(const memo_tokenizer_spec *spec, const tables_built tries[3],
                                  const memo_tables_header *header, memo_buf *out, memo_err *err)
{
    size_t start = out->n;
    memo_added_token *added = memo_calloc(spec->n_added + 1, sizeof *added);

    if (!added)
        return memo_fail_nomem(err, spec->what, spec->n_added * sizeof *added);
    for (size_t i = 0; i < spec->n_added; i++)
        added[i] = (memo_added_token){spec->added[i].id, spec->added[i].flags};
    memo_buf_append(out, header, sizeof *header);
    memo_status status = tables_put_tokens(spec, header->n_ids, out, start, err);
    tables_put_trie(out, start, MEMO_TABLES_VOCAB_NODES, &tries[0]);
    tables_put(out, start, MEMO_TABLES_ADDED, added, spec->n_added);
    tables_put_trie(out, start, MEMO_TABLES_RAW_NODES, &tries[1]);
    tables_put_trie(out, start, MEMO_TABLES_NORMAL_NODES, &tries[2]);
    tables_put(out, start, MEMO_TABLES_CONTINUING, spec->continuing, strlen(spec->continuing));
    tables_put(out, start, MEMO_TABLES_TEMPLATE, spec->template_ids,
               spec->n_prefix + spec->n_suffix);
    memo_free(added);
    if (!status && out->failed)
        status = memo_fail_nomem(err, spec->what, out->n);
    if (!status && out->n - start > UINT32_MAX / 2)
        status = memo_fail(err, MEMO_ERR_LIMIT, "%s: tokenizer tables of %zu bytes", spec->what,
                           out->n - start);
    return status;
}

memo_status memo_tables_pack(memo_tokenizer_spec *spec, memo_buf *out, size_t *vocab_size,
                             memo_err *err)
{
    tables_built tries[3] = {{0}};
    memo_trie vocab;
    memo_tables_header header = {.layout = MEMO_TOKENIZER_LAYOUT,
                                 .model = TABLES_WORDPIECE,
                                 .normalizer = spec->normalizer,
                                 .max_word_chars = (uint32_t)spec->max_word_chars,
                                 .n_prefix = (uint32_t)spec->n_prefix,
                                 .n_suffix = (uint32_t)spec->n_suffix};
    size_t n_ids = 0;
    memo_status status = tables_check_tokens(spec, spec->vocab, spec->n_vocab, err);

    if (!status)
        status = tables_check_tokens(spec, spec->added, spec->n_added, err);
    if (!status)
        status = tables_build_vocab(spec, &tries[0], err);
    if (status)
        goto done;
    vocab = (memo_trie){tries[0].nodes, tries[0].values, tries[0].n};
    uint32_t unk = tables_find(&vocab, spec->unk_token, strlen(spec->unk_token));
    if (unk == MEMO_TRIE_NONE) {
        status =
            memo_fail(err, MEMO_ERR_VALUE, "%s: the unknown token '%.80s' is not in the vocabulary",
                      spec->what, spec->unk_token);
        goto done;
    }
    status = tables_check_added(spec, &vocab, err);
    if (!status)
        status = tables_build_added(spec, 0, &tries[1], err);
    if (!status)
        status = tables_build_added(spec, 1, &tries[2], err);
    if (status)
        goto done;
    n_ids = (size_t)spec->vocab[spec->n_vocab - 1].id + 1; /* sorted by id; unk is among them */
    if (spec->n_added && spec->added[spec->n_added - 1].id >= n_ids)
        n_ids = (size_t)spec->added[spec->n_added - 1].id + 1;
    for (size_t i = 0; i < spec->n_prefix + spec->n_suffix && !status; i++)
        if (spec->template_ids[i] >= n_ids)
            status = memo_fail(err, MEMO_ERR_VALUE,
                               "%s: post_processor: id %u, the vocabulary ends at %zu", spec->what,
                               (unsigned)spec->template_ids[i], n_ids - 1);
    if (status)
        goto done;
    memcpy(header.magic, tables_magic, sizeof tables_magic);
    header.n_ids = (uint32_t)n_ids;
    header.unk_id = vocab.values[unk];
    status = tables_put_all(spec, tries, &header, out, err);
    if (!status)
        *vocab_size = n_ids;
done:
    for (int i = 0; i < 3; i++)
        tables_built_fini(&tries[i]);
    return status;
}
