// SPDX-License-Identifier: Apache-2.0
/* From a publisher's files to a tokenizer spec: tokenizer.json, or vocab.txt with BERT's defaults.
 *
 * The json is read as the reference reads it, but with nothing skipped: a member that is not known
 * here is refused by name, as are stages that are not implemented. */
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/bert_normalizer.h"
#include "text/chars.h"
#include "text/tokenizer_tables.h"

/* -- small readers ---------------------------------------------------------------------------- */

/* Every key of the object must be among `known`, a NULL-terminated list. */
static memo_status tokjson_check_keys(const json_t *object, const char *const *known,
                                      const char *what, memo_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) /* the macro wants it mutable */
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return memo_fail(err, MEMO_ERR_UNSUPPORTED, "%s: member '%.80s' is not known", what,
                             key);
    }
    return MEMO_OK;
}

/* A member that is an object or null; *out is NULL for null or none. */
static memo_status tokjson_object(const json_t *root, const char *key, const char *what,
                                  const json_t **out, memo_err *err)
{
    const json_t *value = json_object_get(root, key);

    if (value && !json_is_object(value) && !json_is_null(value))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: '%s' must be an object or null", what, key);
    *out = json_is_object(value) ? value : NULL;
    return MEMO_OK;
}

/* The 'type' of a stage. */
static memo_status tokjson_type(const json_t *stage, const char *key, const char *what,
                                const char **type, memo_err *err)
{
    const json_t *value = json_object_get(stage, "type");

    if (!json_is_string(value))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: %s has no 'type'", what, key);
    *type = json_string_value(value);
    return MEMO_OK;
}

static memo_status tokjson_unsupported(const char *what, const char *key, const char *type,
                                       memo_err *err)
{
    return memo_fail(err, MEMO_ERR_UNSUPPORTED, "%s: %s '%.80s' is not supported", what, key, type);
}

static memo_status tokjson_id(const json_t *value, const char *what, const char *token,
                              uint32_t *id, memo_err *err)
{
    int shown = (int)memo_utf8_floor(token, strlen(token), 80);

    if (!json_is_integer(value))
        return memo_fail(err, MEMO_ERR_VALUE, "%s: the id of '%.*s' is not an integer", what, shown,
                         token);
    json_int_t n = json_integer_value(value);
    if (n < 0 || n > INT32_MAX)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "%s: the id of '%.*s' is %lld, allowed 0 to 2147483647", what, shown,
                         token, (long long)n);
    *id = (uint32_t)n;
    return MEMO_OK;
}

/* A required member that is a boolean. */
static memo_status tokjson_flag(const json_t *object, const char *what, const char *key,
                                unsigned flag, unsigned *flags, memo_err *err)
{
    int on = 0;
    memo_status status = memo_json_get_bool(object, what, key, 1, &on, err);

    if (!status && on)
        *flags |= flag;
    return status;
}

/* -- stages ----------------------------------------------------------------------------------- */

static memo_status tokjson_normalizer(const json_t *root, memo_tokenizer_spec *spec, memo_err *err)
{
    static const char *const bert_keys[] = {"type",          "clean_text", "handle_chinese_chars",
                                            "strip_accents", "lowercase",  NULL};
    static const char *const bare_keys[] = {"type", NULL};
    const json_t *stage = NULL;
    const char *type = NULL;
    unsigned flags = 0;
    memo_status status = tokjson_object(root, "normalizer", spec->what, &stage, err);

    if (status || !stage)
        return status;
    status = tokjson_type(stage, "normalizer", spec->what, &type, err);
    if (status)
        return status;
    if (strcmp(type, "Lowercase") == 0) {
        spec->normalizer = MEMO_BERT_LOWER;
        return tokjson_check_keys(stage, bare_keys, spec->what, err);
    }
    if (strcmp(type, "BertNormalizer") != 0)
        return tokjson_unsupported(spec->what, "normalizer", type, err);
    status = tokjson_check_keys(stage, bert_keys, spec->what, err);
    if (!status)
        status = tokjson_flag(stage, spec->what, "clean_text", MEMO_BERT_CLEAN, &flags, err);
    if (!status)
        status =
            tokjson_flag(stage, spec->what, "handle_chinese_chars", MEMO_BERT_CJK, &flags, err);
    if (!status)
        status = tokjson_flag(stage, spec->what, "lowercase", MEMO_BERT_LOWER, &flags, err);
    int strip = (flags & MEMO_BERT_LOWER) != 0; /* null: strips when it lowers */
    if (!status)
        status = memo_json_get_bool(stage, spec->what, "strip_accents", 0, &strip, err);
    spec->normalizer = flags | (strip ? MEMO_BERT_STRIP : 0u);
    return status;
}

/* Stages that must be of one type, or (unless required) null. */
static memo_status tokjson_only(const json_t *root, const char *key, const char *only, int required,
                                const memo_tokenizer_spec *spec, memo_err *err)
{
    const json_t *stage = NULL;
    const char *type = NULL;
    memo_status status = tokjson_object(root, key, spec->what, &stage, err);

    if (!status && !stage && required)
        return tokjson_unsupported(spec->what, key, "null", err);
    if (status || !stage)
        return status;
    status = tokjson_type(stage, key, spec->what, &type, err);
    if (!status && strcmp(type, only) != 0)
        status = tokjson_unsupported(spec->what, key, type, err);
    return status;
}

/* The model must be WordPiece. Old files omit its type, which its own fields then tell. */
static memo_status tokjson_model_type(const json_t *model, const char *what, memo_err *err)
{
    const char *type = NULL;

    if (!model)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: 'model' is missing", what);
    if (!json_object_get(model, "type") && json_object_get(model, "max_input_chars_per_word"))
        return MEMO_OK;
    memo_status status = tokjson_type(model, "model", what, &type, err);
    if (!status && strcmp(type, "WordPiece") != 0)
        status = tokjson_unsupported(what, "model", type, err);
    return status;
}

static memo_status tokjson_vocab(json_t *vocab, memo_tokenizer_spec *spec, memo_err *err)
{
    const char *token;
    json_t *id;

    if (!json_is_object(vocab))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: model has no 'vocab' object", spec->what);
    spec->vocab = memo_calloc(json_object_size(vocab) + 1, sizeof *spec->vocab);
    if (!spec->vocab)
        return memo_fail_nomem(err, spec->what, json_object_size(vocab) * sizeof *spec->vocab);
    json_object_foreach(vocab, token, id)
    {
        memo_spec_token *slot = &spec->vocab[spec->n_vocab];
        memo_status status = tokjson_id(id, spec->what, token, &slot->id, err);
        if (status)
            return status;
        slot->bytes = token;
        slot->n = strlen(token);
        spec->n_vocab++;
    }
    return MEMO_OK;
}

static memo_status tokjson_model(const json_t *root, memo_tokenizer_spec *spec, memo_err *err)
{
    static const char *const keys[] = {
        "type", "unk_token", "vocab", "continuing_subword_prefix", "max_input_chars_per_word",
        NULL};
    const json_t *model = NULL;
    memo_status status = tokjson_object(root, "model", spec->what, &model, err);

    if (!status)
        status = tokjson_model_type(model, spec->what, err);
    if (!status)
        status = tokjson_check_keys(model, keys, spec->what, err);
    if (!status)
        status = memo_json_get_string(model, spec->what, "unk_token", 0, &spec->unk_token, err);
    if (!status && !spec->unk_token)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: model has no 'unk_token'", spec->what);
    if (!status)
        status = memo_json_get_string(model, spec->what, "continuing_subword_prefix", 1,
                                      &spec->continuing, err);
    if (!status)
        status = memo_json_get_size(model, spec->what, "max_input_chars_per_word", 1,
                                    (memo_json_sizes){0, MEMO_TOKENIZER_MAX_WORD_CHARS},
                                    &spec->max_word_chars, err);
    return status ? status : tokjson_vocab(json_object_get(model, "vocab"), spec, err);
}

static memo_status tokjson_added_token(const json_t *item, const memo_tokenizer_spec *spec,
                                       memo_spec_token *token, memo_err *err)
{
    static const char *const keys[] = {"id",     "content",    "single_word", "lstrip",
                                       "rstrip", "normalized", "special",     NULL};
    static const struct {
        const char *key;
        unsigned flag;
    } flags[] = {{"single_word", MEMO_ADDED_SINGLE_WORD},
                 {"lstrip", MEMO_ADDED_LSTRIP},
                 {"rstrip", MEMO_ADDED_RSTRIP},
                 {"normalized", MEMO_ADDED_NORMALIZED},
                 {"special", MEMO_ADDED_SPECIAL}};

    if (!json_is_object(item))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: an added token must be an object", spec->what);
    memo_status status = tokjson_check_keys(item, keys, spec->what, err);
    if (!status)
        status = memo_json_get_string(item, spec->what, "content", 1, &token->bytes, err);
    if (!status)
        status = tokjson_id(json_object_get(item, "id"), spec->what, token->bytes, &token->id, err);
    for (size_t i = 0; i < sizeof flags / sizeof *flags && !status; i++)
        status = tokjson_flag(item, spec->what, flags[i].key, flags[i].flag, &token->flags, err);
    if (status)
        return status;
    token->n = strlen(token->bytes);
    if (token->n == 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: added token %u is empty", spec->what,
                         (unsigned)token->id);
    return MEMO_OK;
}

static memo_status tokjson_added(const json_t *root, memo_tokenizer_spec *spec, memo_err *err)
{
    const json_t *list = json_object_get(root, "added_tokens");

    if (!list)
        return MEMO_OK;
    if (!json_is_array(list))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: 'added_tokens' must be a list", spec->what);
    spec->added = memo_calloc(json_array_size(list) + 1, sizeof *spec->added);
    if (!spec->added)
        return memo_fail_nomem(err, spec->what, json_array_size(list) * sizeof *spec->added);
    for (size_t i = 0; i < json_array_size(list); i++) {
        memo_status status =
            tokjson_added_token(json_array_get(list, i), spec, &spec->added[i], err);
        if (status)
            return status;
        spec->n_added++;
    }
    return MEMO_OK;
}

/* -- post-processors -------------------------------------------------------------------------- */

/* Append an id: to the prefix before the text's own place was seen, else to the suffix. */
static memo_status tokjson_template_add(memo_tokenizer_spec *spec, uint32_t id, int after,
                                        memo_err *err)
{
    size_t *n = after ? &spec->n_suffix : &spec->n_prefix;

    if (*n == MEMO_TOKENIZER_MAX_TEMPLATE)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "%s: post_processor: more than %u special tokens on one side", spec->what,
                         MEMO_TOKENIZER_MAX_TEMPLATE);
    spec->template_ids[spec->n_prefix + spec->n_suffix] = id;
    ++*n;
    return MEMO_OK;
}

/* BertProcessing: {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}. */
static memo_status tokjson_bert(const json_t *stage, memo_tokenizer_spec *spec, memo_err *err)
{
    static const char *const keys[] = {"type", "cls", "sep", NULL};
    static const char *const sides[] = {"cls", "sep"};
    memo_status status = tokjson_check_keys(stage, keys, spec->what, err);

    for (int i = 0; i < 2 && !status; i++) {
        const json_t *pair = json_object_get(stage, sides[i]);
        uint32_t id = 0;
        if (!json_is_array(pair) || json_array_size(pair) != 2 ||
            !json_is_string(json_array_get(pair, 0)))
            return memo_fail(err, MEMO_ERR_FORMAT, "%s: post_processor: '%s' must be [token, id]",
                             spec->what, sides[i]);
        status = tokjson_id(json_array_get(pair, 1), spec->what,
                            json_string_value(json_array_get(pair, 0)), &id, err);
        if (!status)
            status = tokjson_template_add(spec, id, i, err);
    }
    return status;
}

/* The ids of one special token of a template. */
static memo_status tokjson_special(const json_t *stage, const char *name, int after,
                                   memo_tokenizer_spec *spec, memo_err *err)
{
    const json_t *entry = json_object_get(json_object_get(stage, "special_tokens"), name);
    const json_t *ids = json_object_get(entry, "ids");

    if (!json_is_array(ids))
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: post_processor: template uses the unknown token '%.80s'", spec->what,
                         name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        uint32_t id = 0;
        memo_status status = tokjson_id(json_array_get(ids, i), spec->what, name, &id, err);
        if (!status)
            status = tokjson_template_add(spec, id, after, err);
        if (status)
            return status;
    }
    return MEMO_OK;
}

/* One piece of a template: {"Sequence"|"SpecialToken": {"id": ..., "type_id": 0}}. */
static memo_status tokjson_piece(const json_t *stage, const json_t *piece, int *seen,
                                 memo_tokenizer_spec *spec, memo_err *err)
{
    const json_t *sequence = json_object_get(piece, "Sequence");
    const json_t *body = sequence ? sequence : json_object_get(piece, "SpecialToken");
    const char *id = NULL;
    size_t type_id = 0;

    if (json_object_size(piece) != 1 || !json_is_object(body))
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: post_processor: a piece must be a Sequence or a SpecialToken",
                         spec->what);
    memo_status status = memo_json_get_string(body, spec->what, "id", 1, &id, err);
    if (!status)
        status = memo_json_get_size(body, spec->what, "type_id", 1,
                                    (memo_json_sizes){0, UINT32_MAX}, &type_id, err);
    if (status)
        return status;
    if (type_id != 0)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "%s: post_processor: type_id %zu in the single template, supported is 0",
                         spec->what, type_id);
    if (!sequence)
        return tokjson_special(stage, id, *seen, spec, err);
    if (strcmp(id, "A") != 0 || *seen)
        return memo_fail(err, strcmp(id, "A") ? MEMO_ERR_FORMAT : MEMO_ERR_UNSUPPORTED,
                         "%s: post_processor: the single template must hold the sequence A once",
                         spec->what);
    *seen = 1;
    return MEMO_OK;
}

static memo_status tokjson_template(const json_t *stage, memo_tokenizer_spec *spec, memo_err *err)
{
    static const char *const keys[] = {"type", "single", "pair", "special_tokens", NULL};
    const json_t *single = json_object_get(stage, "single");
    int seen = 0;
    memo_status status = tokjson_check_keys(stage, keys, spec->what, err);

    if (!status && !json_is_array(single))
        status = memo_fail(err, MEMO_ERR_FORMAT, "%s: post_processor: 'single' must be a list",
                           spec->what);
    for (size_t i = 0; !status && i < json_array_size(single); i++)
        status = tokjson_piece(stage, json_array_get(single, i), &seen, spec, err);
    if (!status && !seen)
        status =
            memo_fail(err, MEMO_ERR_FORMAT,
                      "%s: post_processor: the single template lacks the sequence A", spec->what);
    return status;
}

static memo_status tokjson_post_processor(const json_t *root, memo_tokenizer_spec *spec,
                                          memo_err *err)
{
    const json_t *stage = NULL;
    const char *type = NULL;
    memo_status status = tokjson_object(root, "post_processor", spec->what, &stage, err);

    if (status || !stage)
        return status;
    status = tokjson_type(stage, "post_processor", spec->what, &type, err);
    if (status)
        return status;
    if (strcmp(type, "TemplateProcessing") == 0)
        return tokjson_template(stage, spec, err);
    if (strcmp(type, "BertProcessing") == 0)
        return tokjson_bert(stage, spec, err);
    return tokjson_unsupported(spec->what, "post_processor", type, err);
}

/* -- the whole file --------------------------------------------------------------------------- */

static memo_status tokjson_notes(const json_t *root, const char *what, memo_tokenizer_notes *notes,
                                 memo_err *err)
{
    const json_t *truncation = NULL, *padding = NULL;
    memo_status status = tokjson_object(root, "truncation", what, &truncation, err);

    if (!status)
        status = tokjson_object(root, "padding", what, &padding, err);
    if (!status && truncation)
        status = memo_json_get_size(truncation, what, "max_length", 1,
                                    (memo_json_sizes){0, SIZE_MAX / 2},
                                    &notes->truncation_max_length, err);
    notes->has_padding = padding != NULL;
    return status;
}

static memo_status tokjson_spec(const json_t *root, memo_tokenizer_spec *spec,
                                memo_tokenizer_notes *notes, memo_err *err)
{
    static const char *const keys[] = {
        "version",       "truncation",     "padding", "added_tokens", "normalizer",
        "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    const char *version = "1.0";
    memo_status status;

    if (!json_is_object(root))
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: not a JSON object", spec->what);
    status = tokjson_check_keys(root, keys, spec->what, err);
    if (!status)
        status = memo_json_get_string(root, spec->what, "version", 0, &version, err);
    if (!status && strcmp(version, "1.0") != 0)
        status = tokjson_unsupported(spec->what, "version", version, err);
    if (!status) /* first, so that another family is refused by its own name */
        status = tokjson_model(root, spec, err);
    if (!status)
        status = tokjson_normalizer(root, spec, err);
    if (!status)
        status = tokjson_only(root, "pre_tokenizer", "BertPreTokenizer", 1, spec, err);
    if (!status)
        status = tokjson_only(root, "decoder", "WordPiece", 0, spec, err);
    if (!status)
        status = tokjson_post_processor(root, spec, err);
    if (!status)
        status = tokjson_added(root, spec, err);
    if (!status)
        status = tokjson_notes(root, spec->what, notes, err);
    return status;
}

memo_status memo_tokenizer_build_json(const char *json, size_t n_bytes, const char *what,
                                      memo_buf *tables, memo_tokenizer_notes *notes, memo_err *err)
{
    memo_tokenizer_spec spec = {.what = what};
    memo_tokenizer_notes noted = {0};
    json_t *root = NULL;
    memo_status status = memo_json_parse(json, n_bytes, &memo_json_vocab_limits, what, &root, err);

    if (status)
        return status;
    status = tokjson_spec(root, &spec, &noted, err);
    if (!status)
        status = memo_tables_pack(&spec, tables, &noted.vocab_size, err);
    if (!status)
        *notes = noted;
    memo_free(spec.vocab);
    memo_free(spec.added);
    json_decref(root);
    return status;
}

/* -- vocab.txt -------------------------------------------------------------------------------- */

/* Length of a line without the white space at its end. */
static size_t vocab_trimmed(const char *line, size_t n)
{
    while (n) {
        size_t begin = memo_utf8_floor(line, n, n - 1);
        uint32_t cp = 0;
        memo_utf8_decode(line + begin, n - begin, &cp);
        if (!(memo_char_of(cp)->flags & MEMO_CHAR_SPACE))
            break;
        n = begin;
    }
    return n;
}

static memo_status vocab_lines(const char *text, size_t n_bytes, memo_tokenizer_spec *spec,
                               memo_err *err)
{
    size_t n_lines = 1;

    for (size_t i = 0; i < n_bytes; i++)
        n_lines += text[i] == '\n';
    if (n_lines > MEMO_TOKENIZER_MAX_VOCAB)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %zu lines, allowed %u", spec->what, n_lines,
                         MEMO_TOKENIZER_MAX_VOCAB);
    spec->vocab = memo_calloc(n_lines, sizeof *spec->vocab);
    if (!spec->vocab)
        return memo_fail_nomem(err, spec->what, n_lines * sizeof *spec->vocab);
    for (size_t at = 0; at < n_bytes;) {
        const char *end = memchr(text + at, '\n', n_bytes - at);
        size_t n = end ? (size_t)(end - (text + at)) : n_bytes - at;
        spec->vocab[spec->n_vocab] =
            (memo_spec_token){text + at, vocab_trimmed(text + at, n), (uint32_t)spec->n_vocab, 0};
        spec->n_vocab++;
        at += n + 1;
    }
    return MEMO_OK;
}

/* BERT's special tokens, those of them that the vocabulary has; [CLS] and [SEP] it must have. */
static memo_status vocab_specials(memo_tokenizer_spec *spec, memo_err *err)
{
    static const char *const names[] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"};
    enum { N_NAMES = sizeof names / sizeof *names };
    int found[N_NAMES] = {0};

    spec->added = memo_calloc(N_NAMES, sizeof *spec->added);
    if (!spec->added)
        return memo_fail_nomem(err, spec->what, N_NAMES * sizeof *spec->added);
    for (size_t i = 0; i < spec->n_vocab; i++) {
        const memo_spec_token *token = &spec->vocab[i];
        for (size_t k = 0; k < N_NAMES; k++) {
            if (found[k] || token->n != strlen(names[k]) ||
                memcmp(token->bytes, names[k], token->n) != 0)
                continue;
            found[k] = 1;
            spec->added[spec->n_added] = *token;
            spec->added[spec->n_added++].flags = MEMO_ADDED_SPECIAL;
            if (k < 2)
                spec->template_ids[k] = token->id;
        }
    }
    if (!found[0] || !found[1])
        return memo_fail(err, MEMO_ERR_VALUE, "%s: the vocabulary has no %s", spec->what,
                         names[found[0]]);
    spec->n_prefix = spec->n_suffix = 1;
    return MEMO_OK;
}

memo_status memo_tokenizer_build_vocab(const char *text, size_t n_bytes, int lower_case,
                                       const char *what, memo_buf *tables,
                                       memo_tokenizer_notes *notes, memo_err *err)
{
    memo_tokenizer_spec spec = {.what = what,
                                .normalizer = MEMO_BERT_CLEAN | MEMO_BERT_CJK,
                                .unk_token = "[UNK]",
                                .continuing = "##",
                                .max_word_chars = 100};
    memo_tokenizer_notes noted = {0};
    size_t bad = memo_utf8_check(text, n_bytes);

    if (bad < n_bytes)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: not UTF-8 at byte %zu", what, bad);
    if (lower_case)
        spec.normalizer |= MEMO_BERT_LOWER | MEMO_BERT_STRIP;
    memo_status status = vocab_lines(text, n_bytes, &spec, err);
    if (!status)
        status = vocab_specials(&spec, err);
    if (!status)
        status = memo_tables_pack(&spec, tables, &noted.vocab_size, err);
    if (!status)
        *notes = noted;
    memo_free(spec.vocab);
    memo_free(spec.added);
    return status;
}
