// SPDX-License-Identifier: Apache-2.0
/* Token ids against the reference implementation's, from folders of golden data.
 *
 *     golden_tokenizer [FOLDER...]             each of the form of data/tokenizer or data/models
 *     golden_tokenizer --encode TOKENIZER_JSON  texts from stdin, tokens to stdout (below)
 *
 * The second form serves tools/compare_tokenizer.py: each text is a 32-bit length and its bytes,
 * each answer a 32-bit count and (id, begin, end) triples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

static size_t n_passed, n_failed, n_skipped;

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "golden_tokenizer: out of memory\n");
        exit(1);
    }
    return p;
}

static void check(int ok, const char *suite, const char *label, const char *detail)
{
    if (ok) {
        n_passed++;
        return;
    }
    if (n_failed++ < 20)
        printf("FAILED %s: %s %s\n", suite, label, detail);
}

static void skip(size_t n, const char *suite, const char *reason)
{
    n_skipped += n;
    printf("SKIPPED %s: %zu cases: %s\n", suite, n, reason);
}

/* -- files ------------------------------------------------------------------------------------ */

static int file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The whole of a file, NUL-terminated; free(). ".xz" is unpacked by the xz program. NULL: none. */
static char *slurp(const char *path, size_t *n)
{
    char command[4200];
    size_t length = strlen(path), cap = 1 << 16;
    int packed = length > 3 && strcmp(path + length - 3, ".xz") == 0;

    snprintf(command, sizeof command, "xz -dc '%s'", path);
    FILE *file = !file_exists(path) ? NULL : packed ? popen(command, "r") : fopen(path, "rb");
    if (!file)
        return NULL;
    char *bytes = need(malloc(cap));
    *n = 0;
    for (size_t got; (got = fread(bytes + *n, 1, cap - *n - 1, file)) > 0;) {
        *n += got;
        if (cap - *n < 2)
            bytes = need(realloc(bytes, cap *= 2));
    }
    bytes[*n] = '\0';
    if ((packed ? pclose(file) : fclose(file)) != 0) {
        fprintf(stderr, "golden_tokenizer: cannot read %s\n", path);
        exit(1);
    }
    return bytes;
}

static char *slurp_in(const char *folder, const char *name, size_t *n)
{
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/%.190s", folder, name);
    return slurp(path, n);
}

/* Cut the next line off *rest; NULL at the end. */
static char *next_line(char **rest)
{
    char *line = *rest;

    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    *rest = end ? end + 1 : NULL;
    return line;
}

/* -- tokenizers ------------------------------------------------------------------------------- */

typedef struct subject {
    memo_tokenizer *tokenizer; /* NULL: could not be made, `err` says why */
    void *tables;
    memo_status status;
    memo_err err;
} subject;

static subject subject_open(memo_buf *tables, memo_status status, memo_err *err)
{
    subject s = {.status = status, .err = *err};

    if (!status) {
        s.tables = need(memo_aligned_alloc(tables->n));
        memcpy(s.tables, tables->data, tables->n);
        s.status = memo_tokenizer_open(s.tables, tables->n, &s.tokenizer, &s.err);
    }
    memo_buf_fini(tables);
    return s;
}

static subject subject_json(const char *json, size_t n, const char *what)
{
    memo_buf tables = {0};
    memo_tokenizer_notes notes;
    memo_err err = {0};
    memo_status status = memo_tokenizer_build_json(json, n, what, &tables, &notes, &err);

    return subject_open(&tables, status, &err);
}

static subject subject_vocab(const char *text, size_t n, int lower_case, const char *what)
{
    memo_buf tables = {0};
    memo_tokenizer_notes notes;
    memo_err err = {0};
    memo_status status =
        memo_tokenizer_build_vocab(text, n, lower_case, what, &tables, &notes, &err);

    return subject_open(&tables, status, &err);
}

static void subject_close(subject *s)
{
    memo_tokenizer_close(s->tokenizer);
    memo_aligned_free(s->tables);
}

static memo_token_list encode(const subject *s, const char *text, size_t n)
{
    memo_token_list list = {0};
    memo_err err = {0};

    if (memo_tokenizer_encode(s->tokenizer, text, n, MEMO_ENCODE_OFFSETS, &list, &err)) {
        fprintf(stderr, "golden_tokenizer: %s\n", err.message);
        exit(1);
    }
    return list;
}

/* Compare ids with a row of the reference: the first difference goes to `detail`. */
static int same_ids(const uint32_t *ids, size_t n, const uint32_t *wanted, size_t n_wanted,
                    char detail[160])
{
    for (size_t i = 0; i < n && i < n_wanted; i++) {
        if (ids[i] != wanted[i]) {
            snprintf(detail, 160, "token %zu is %u, the reference has %u", i, (unsigned)ids[i],
                     (unsigned)wanted[i]);
            return 0;
        }
    }
    snprintf(detail, 160, "%zu tokens, the reference has %zu", n, n_wanted);
    return n == n_wanted;
}

/* Are the tokens of `list` these strings? */
static int same_tokens(const subject *s, const memo_token_list *list, const json_t *wanted)
{
    if (list->n != json_array_size(wanted))
        return 0;
    for (size_t i = 0; i < list->n; i++) {
        size_t n = 0;
        const char *token = memo_tokenizer_token(s->tokenizer, list->ids[i], &n);
        const json_t *w = json_array_get(wanted, i);
        if (!token || n != json_string_length(w) || memcmp(token, json_string_value(w), n) != 0)
            return 0;
    }
    return 1;
}

/* -- bert_unit_cases.json --------------------------------------------------------------------- */

/* A tokenizer whose vocabulary is the strings of `tokens`, with BERT's normalizer. */
static subject subject_of_tokens(const json_t *tokens, int lower, int strip, int cjk)
{
    json_t *vocab = json_pack("{s:i}", "[UNK]", 0);
    size_t i;
    json_t *token;

    json_array_foreach((json_t *)(uintptr_t)tokens, i, token) /* the macro wants it mutable */
    {
        const char *text = json_string_value(token);
        if (!json_object_get(vocab, text))
            json_object_set_new(vocab, text, json_integer((json_int_t)json_object_size(vocab)));
    }
    json_t *root = json_pack(
        "{s:{s:s, s:b, s:b, s:b, s:o}, s:{s:s}, s:{s:s, s:s, s:s, s:i, s:o}}", "normalizer", "type",
        "BertNormalizer", "clean_text", 1, "handle_chinese_chars", cjk, "lowercase", lower,
        "strip_accents", strip < 0 ? json_null() : json_boolean(strip), "pre_tokenizer", "type",
        "BertPreTokenizer", "model", "type", "WordPiece", "unk_token", "[UNK]",
        "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", vocab);
    char *json = need(json_dumps(root, 0));
    subject s = subject_json(json, strlen(json), "unit case");
    free(json);
    json_decref(root);
    return s;
}

static void check_case(const subject *s, const char *suite, const json_t *text,
                       const json_t *tokens)
{
    int ok = 0;

    if (s->tokenizer) {
        memo_token_list list = encode(s, json_string_value(text), json_string_length(text));
        ok = same_tokens(s, &list, tokens);
        memo_token_list_fini(&list);
    }
    check(ok, suite, json_string_value(text), s->tokenizer ? "" : s->err.message);
}

static void unit_vocab_cases(const json_t *cases, const char *suite)
{
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *vocab = json_object_get(c, "vocab");
        memo_buf text = {0};
        for (size_t k = 0; k < json_array_size(vocab); k++) {
            memo_buf_puts(&text, json_string_value(json_array_get(vocab, k)));
            memo_buf_putc(&text, '\n');
        }
        subject s = subject_vocab(text.data, text.n, 1, suite);
        check_case(&s, suite, json_object_get(c, "text"), json_object_get(c, "tokens"));
        subject_close(&s);
        memo_buf_fini(&text);
    }
}

static void unit_basic_cases(const json_t *cases)
{
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *strip = json_object_get(c, "strip_accents");
        const json_t *tokens = json_object_get(c, "tokens");
        subject s = subject_of_tokens(tokens, json_is_true(json_object_get(c, "lower")),
                                      json_is_null(strip) ? -1 : json_is_true(strip), 1);
        check_case(&s, "basic", json_object_get(c, "text"), tokens);
        subject_close(&s);
    }
}

/* What happens to a character between two letters tells its class. */
static void unit_character_classes(const json_t *root, const char *key, const char *form)
{
    for (int yes = 0; yes < 2; yes++) {
        const json_t *list = json_object_get(json_object_get(root, key), yes ? "true" : "false");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *c = json_string_value(json_array_get(list, i));
            char text[16];
            snprintf(text, sizeof text, "a%sa", c);
            json_t *wanted = form[0] == 's'   ? json_pack("[s,s]", "a", "a")
                             : form[0] == 'd' ? json_pack("[s]", "aa")
                                              : json_pack("[s,s,s]", "a", c, "a");
            json_t *vocab = json_pack("[s,s,s,s]", "a", "aa", c, text);
            subject s = subject_of_tokens(vocab, 0, 0, 0);
            memo_token_list list_of = encode(&s, text, strlen(text));
            check(same_tokens(&s, &list_of, wanted) == yes, key, c, yes ? "is one" : "is none");
            memo_token_list_fini(&list_of);
            subject_close(&s);
            json_decref(vocab);
            json_decref(wanted);
        }
    }
}

static size_t code_points(const char *text, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* Offsets of one sentence, counted in code points; [CLS] and [SEP] are not ours to place. */
static void unit_offsets(const json_t *c, const subject *uncased)
{
    const char *text = json_string_value(json_object_get(c, "text"));
    const json_t *tokens = json_object_get(c, "tokens");
    memo_token_list list = encode(uncased, text, strlen(text));
    int ok = list.n + 2 == json_array_size(tokens);

    for (size_t i = 0; i < list.n && ok; i++) {
        const json_t *row = json_array_get(tokens, i + 1);
        size_t n = 0;
        const char *token = memo_tokenizer_token(uncased->tokenizer, list.ids[i], &n);
        const char *wanted = json_string_value(json_array_get(row, 0));
        ok = token && n == strlen(wanted) && memcmp(token, wanted, n) == 0 &&
             (json_int_t)code_points(text, list.offsets[i][0]) ==
                 json_integer_value(json_array_get(row, 1)) &&
             (json_int_t)code_points(text, list.offsets[i][1]) ==
                 json_integer_value(json_array_get(row, 2));
    }
    check(ok, "offsets", text, "");
    memo_token_list_fini(&list);
}

static void run_unit_cases(const char *folder, const subject *uncased)
{
    size_t n;
    char *text = slurp_in(folder, "bert_unit_cases.json", &n);

    if (!text)
        return;
    json_t *root = json_loadb(text, n, 0, NULL);
    free(text);
    unit_vocab_cases(json_object_get(root, "full"), "full");
    /* The WordPiece cases have no [CLS] of their own rules: the same vocabulary serves. */
    unit_vocab_cases(json_object_get(root, "wordpiece"), "wordpiece");
    unit_basic_cases(json_object_get(root, "basic"));
    unit_character_classes(root, "whitespace", "split");
    unit_character_classes(root, "control", "dropped");
    unit_character_classes(root, "punctuation", "isolated");
    if (uncased->tokenizer)
        unit_offsets(json_object_get(root, "offsets_bert_base_uncased"), uncased);
    for (int cjk = 0; cjk < 2; cjk++) {
        const json_t *c = json_object_get(root, "chinese");
        const json_t *wanted = json_object_get(c, cjk ? "tokenize_chinese_chars_true"
                                                      : "tokenize_chinese_chars_false");
        subject s = subject_of_tokens(wanted, 0, 0, cjk);
        check_case(&s, "chinese", json_object_get(c, "text"), wanted);
        subject_close(&s);
    }
    json_decref(root);
}

/* -- llama.cpp's texts ------------------------------------------------------------------------ */

/* Numbers separated by anything else; at most cap. */
static size_t parse_ids(const char *line, uint32_t *ids, size_t cap)
{
    size_t n = 0;

    for (const char *p = line; *p && n < cap;) {
        if (*p < '0' || *p > '9') {
            p++;
            continue;
        }
        uint32_t id = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            id = id * 10 + (uint32_t)(*p - '0');
        ids[n++] = id;
    }
    return n;
}

static void run_llamacpp(const char *folder, const subject *uncased)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    static const char *const others[] = {
        "chameleon", "command-r", "deepseek-coder", "deepseek-llm", "deepseek-r1-qwen",
        "falcon",    "gpt-2",     "llama-bpe",      "llama-spm",    "mpt",
        "phi-3",     "qwen2",     "refact",         "roberta-bpe",  "starcoder"};
    size_t n, n_rows, n_cases = 0;
    char *text = slurp_in(folder, "llamacpp/ggml-vocab.inp", &n);
    char *rows = slurp_in(folder, "llamacpp/ggml-vocab-bert-bge.gguf.out", &n_rows);
    char *rest = rows, *at = text;

    while (text && rows && at) {
        char *end = strstr(at, mark), *row = next_line(&rest), detail[160];
        uint32_t wanted[512];
        size_t length = end ? (size_t)(end - at) : strlen(at);
        if (!end && length == 0)
            break; /* the mark ends the last text too */
        memo_token_list list = encode(uncased, at, length);
        size_t n_wanted = row ? parse_ids(row, wanted, 512) : 0;
        int ok = same_ids(list.ids, list.n, wanted, n_wanted, detail);
        check(row && ok, "llamacpp bert-bge", row ? row : "", detail);
        memo_token_list_fini(&list);
        n_cases++;
        at = end ? end + strlen(mark) : NULL;
    }
    for (size_t i = 0; text && i < sizeof others / sizeof *others; i++) {
        char suite[64];
        snprintf(suite, sizeof suite, "llamacpp %s", others[i]);
        skip(n_cases, suite, "BPE and Unigram are not supported yet");
    }
    free(text);
    free(rows);
}

/* -- kitoken's texts -------------------------------------------------------------------------- */

/* Undo \n, \s and \x in place; the new length. */
static size_t kitoken_unescape(char *s)
{
    size_t n = 0;

    for (const char *p = s; *p; p++) {
        if (*p != '\\' || !strchr("nsx", p[1]) || !p[1]) {
            s[n++] = *p;
            continue;
        }
        p++;
        if (*p != 'x')
            s[n++] = *p == 'n' ? '\n' : ' ';
    }
    s[n] = '\0';
    return n;
}

static void kitoken_case(const subject *s, char *text, const char *row, int is_gte,
                         const char *suite)
{
    static uint32_t wanted[1 << 16];
    size_t n = kitoken_unescape(text), n_wanted = parse_ids(row, wanted, 1 << 16);
    memo_token_list list = encode(s, text, n);
    size_t n_ours = list.n;
    char detail[160];

    if (is_gte && n_wanted == 512) { /* cut at 512 and padded with 0 to it */
        n_ours = n_ours > 512 ? 512 : n_ours;
        while (n_wanted > n_ours && wanted[n_wanted - 1] == 0)
            n_wanted--;
    }
    check(same_ids(list.ids, n_ours, wanted, n_wanted, detail), suite, text, detail);
    memo_token_list_fini(&list);
}

static void run_kitoken(const char *folder)
{
    static const char *const models[] = {"gte",    "bert_base_cased", "gpt2",
                                         "llama2", "modernbert",      "qwen35"};
    static const char *const inputs[] = {"small", "mixed", "utf8"};

    for (size_t m = 0; m < 6; m++) {
        char name[256], suite[300];
        size_t n;
        snprintf(name, sizeof name, "kitoken/%s.tokenizer.json.xz", models[m]);
        char *json = m < 2 ? slurp_in(folder, name, &n) : NULL;
        subject s = json ? subject_json(json, n, name) : (subject){.tokenizer = NULL};
        free(json);
        if (json && !s.tokenizer)
            check(0, "kitoken", name, s.err.message);
        for (size_t i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "kitoken/%s_input.txt", inputs[i]);
            char *text = slurp_in(folder, name, &n), *rest_text = text;
            snprintf(name, sizeof name, "kitoken/%s_tokens_%s.txt.xz", inputs[i], models[m]);
            char *rows = slurp_in(folder, name, &n), *rest_rows = rows;
            size_t n_lines = 0;
            int whole = strcmp(inputs[i], "utf8") == 0;
            snprintf(suite, sizeof suite, "kitoken %s %s", models[m], inputs[i]);
            while (text && rows && rest_text && *rest_text) {
                char *line = whole ? rest_text : next_line(&rest_text);
                char *row = next_line(&rest_rows);
                if (s.tokenizer)
                    kitoken_case(&s, line, row ? row : "", m == 0, suite);
                n_lines++;
                if (whole)
                    break;
            }
            if (m >= 2 && text)
                skip(n_lines, suite, "BPE and Unigram are not supported yet");
            free(text);
            free(rows);
        }
        subject_close(&s);
    }
}

/* -- data/models ------------------------------------------------------------------------------ */

/* One row: ids with special tokens, cut to their number; n_full is the number before the cut. */
static void model_row(const subject *s, const json_t *row, const json_t *text, const char *suite)
{
    static uint32_t wanted[1 << 16], ours[1 << 16];
    const json_t *ids = json_object_get(row, "ids"), *full = json_object_get(row, "n_full");
    const char *prefix = json_string_value(json_object_get(row, "prefix"));
    const uint32_t *before, *after;
    size_t n_before = memo_tokenizer_prefix(s->tokenizer, &before);
    size_t n_after = memo_tokenizer_suffix(s->tokenizer, &after);
    size_t n_wanted = json_array_size(ids), n = 0;
    memo_buf whole = {0};
    char detail[160];

    memo_buf_puts(&whole, prefix ? prefix : "");
    memo_buf_append(&whole, json_string_value(text), json_string_length(text));
    memo_token_list list = encode(s, whole.data, whole.n);
    for (size_t i = 0; i < n_wanted; i++)
        wanted[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
    size_t n_text = n_wanted >= n_before + n_after ? n_wanted - n_before - n_after : 0;
    n_text = list.n < n_text ? list.n : n_text;
    for (size_t i = 0; i < n_before; i++)
        ours[n++] = before[i];
    for (size_t i = 0; i < n_text; i++)
        ours[n++] = list.ids[i];
    for (size_t i = 0; i < n_after; i++)
        ours[n++] = after[i];
    int ok = same_ids(ours, n, wanted, n_wanted, detail);
    if (ok && full && (size_t)json_integer_value(full) != list.n + n_before + n_after) {
        snprintf(detail, sizeof detail, "%zu tokens untruncated, the reference has %lld",
                 list.n + n_before + n_after, (long long)json_integer_value(full));
        ok = 0;
    }
    check(ok, suite, json_string_value(text), detail);
    memo_token_list_fini(&list);
    memo_buf_fini(&whole);
}

/* Rows of a JSON lines file; the text is in the row or, by "i", in `texts`. */
static void model_rows(const subject *s, const char *folder, const char *name, const json_t *texts)
{
    size_t n, n_rows = 0;
    char *lines = slurp_in(folder, name, &n), *rest = lines, suite[4200];

    snprintf(suite, sizeof suite, "%s/%s", strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder,
             name);
    for (char *line; lines && (line = next_line(&rest));) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(row, "text");
        if (!text) {
            json_int_t i = json_integer_value(json_object_get(row, "i"));
            text = json_object_get(json_array_get(texts, (size_t)i), "text");
        }
        if (s->tokenizer && text && json_object_get(row, "ids"))
            model_row(s, row, text, suite);
        n_rows++;
        json_decref(row);
    }
    if (!s->tokenizer && n_rows)
        skip(n_rows, suite, s->err.message);
    free(lines);
}

static json_t *load_texts(const char *folder)
{
    json_t *texts = json_array();
    size_t n;
    char *lines = slurp_in(folder, "texts.jsonl", &n), *rest = lines;

    for (char *line; lines && (line = next_line(&rest));)
        json_array_append_new(texts, json_loads(line, JSON_ALLOW_NUL, NULL));
    free(lines);
    return texts;
}

static void run_models(const char *folder, const subject *uncased)
{
    static const char *const bert[] = {"all-minilm-l6-v2", "bge-small-en-v1.5", "e5-small-v2"};
    static const char *const others[] = {"all-mpnet-base-v2", "multilingual-e5-small-q4deq",
                                         "static-tokenlearn"};
    static const char *const tiny[] = {
        "bert-cased-cls", "distilbert", "gemma3", "modernbert",
        "mpnet",          "nomic-bert", "qwen3",  "tok-unigram-bytefallback",
        "xlm-roberta"};
    json_t *texts = load_texts(folder);
    char path[4096];

    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, bert[i]);
        model_rows(uncased, path, "tokens.jsonl", texts);
    }
    for (size_t i = 0; i < 3; i++) {
        subject none = {0};
        snprintf(none.err.message, sizeof none.err.message, "%s",
                 "its tokenizer is not part of the golden data");
        snprintf(path, sizeof path, "%s/%s", folder, others[i]);
        model_rows(&none, path, "tokens.jsonl", texts);
    }
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++) {
        size_t n = 0;
        snprintf(path, sizeof path, "%s/tiny/%s", folder, tiny[i]);
        char *json = slurp_in(path, "model/tokenizer.json", &n);
        if (!json)
            continue;
        subject s = subject_json(json, n, "tokenizer.json");
        if (s.status && s.status != MEMO_ERR_UNSUPPORTED)
            check(0, "tiny", tiny[i], s.err.message);
        model_rows(&s, path, "texts.jsonl", texts);
        model_rows(&s, path, "tokens_only.jsonl", texts);
        subject_close(&s);
        free(json);
    }
    json_decref(texts);
}

/* -- programs --------------------------------------------------------------------------------- */

static int serve(const char *path)
{
    size_t n;
    char *json = slurp(path, &n);
    subject s = json ? subject_json(json, n, path) : (subject){.tokenizer = NULL};
    uint32_t length;

    if (!s.tokenizer) {
        fprintf(stderr, "golden_tokenizer: %s: %s\n", path, s.err.message);
        free(json);
        return 1;
    }
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        char *text = need(malloc(length + 1u));
        if (fread(text, 1, length, stdin) != length)
            return 1;
        memo_token_list list = encode(&s, text, length);
        uint32_t count = (uint32_t)list.n;
        fwrite(&count, sizeof count, 1, stdout);
        for (size_t i = 0; i < list.n; i++) {
            uint32_t row[3] = {list.ids[i], (uint32_t)list.offsets[i][0],
                               (uint32_t)list.offsets[i][1]};
            fwrite(row, sizeof row, 1, stdout);
        }
        memo_token_list_fini(&list);
        free(text);
    }
    subject_close(&s);
    free(json);
    return 0;
}

/* The vocabulary of the uncased BERT models, from the folder itself or the one beside it. */
static subject open_uncased(const char *folder)
{
    char path[4096];
    size_t n;

    snprintf(path, sizeof path, "%s/bert-base-uncased-vocab.txt.xz", folder);
    if (!file_exists(path))
        snprintf(path, sizeof path, "%s/../tokenizer/bert-base-uncased-vocab.txt.xz", folder);
    char *text = slurp(path, &n);
    subject s = {0};
    if (text)
        s = subject_vocab(text, n, 1, "vocab.txt");
    else
        snprintf(s.err.message, sizeof s.err.message, "%.400s is not there", path);
    free(text);
    return s;
}

static void run_folder(const char *folder)
{
    char path[4096];
    subject uncased = open_uncased(folder);

    snprintf(path, sizeof path, "%s/tiny", folder);
    if (file_exists(path)) {
        run_models(folder, &uncased);
    } else if (uncased.tokenizer) {
        run_unit_cases(folder, &uncased);
        run_llamacpp(folder, &uncased);
        run_kitoken(folder);
    }
    subject_close(&uncased);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--encode") == 0)
        return serve(argv[2]);
    for (int i = 1; i < argc; i++)
        run_folder(argv[i]);
    if (argc == 1) {
        const char *shared = getenv("MEMO_SHARED");
        char path[4096];
        snprintf(path, sizeof path, "%s/data/tokenizer",
                 shared ? shared : MEMO_SOURCE_DIR "/../shared");
        run_folder(path);
        snprintf(path, sizeof path, "%s/data/models",
                 shared ? shared : MEMO_SOURCE_DIR "/../shared");
        run_folder(path);
    }
    printf("%zu passed, %zu failed, %zu skipped\n", n_passed, n_failed, n_skipped);
    return n_failed || n_passed == 0;
}
