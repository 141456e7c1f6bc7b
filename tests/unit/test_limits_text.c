// SPDX-License-Identifier: Apache-2.0
/* Awkward texts to embed, store and look for, by number.
 *
 *   18   test_limits_18_comma_locale (the command's side is in tests/cli/limits.t)
 *   168  test_limits_168_blank_texts
 *   169  test_limits_169_invalid_utf8
 *   170  test_limits_170_nul_is_kept
 *   171  test_limits_171_one_mebibyte_of_one_thing
 *   172  test_limits_172_emoji_and_marks
 *   174  test_limits_174_special_tokens_in_text
 *   175  test_limits_175_around_the_longest_text
 *   177  test_limits_177_vectors_of_the_unknown
 *   178  test_limits_178_stored_as_they_are
 *   179  test_limits_179_query_without_its_prompt
 *   196  test_limits_196_bad_files_take_no_memory
 *
 * The tokens of such texts (171, 173, 176 to 178) are in test_limits_scripts.c. */
#include <locale.h>
#include <math.h>

#include "base/rng.h"
#include "db_util.h"
#include "limits_gauge.h"
#include "repeat_text.h"

/* ---- the calls ------------------------------------------------------------------------------- */

static memo_embed_result embed_text(db_env *e, const char *text, size_t n,
                                    const memo_embed_options *o, float *out)
{
    const memo_text t = {text, n};
    memo_embed_result result = {.size = sizeof result};
    double length = 0;
    assert_memo_ok(memo_model_embed(e->model, o, &t, 1, out, &result, &e->err), e->err);
    for (int i = 0; i < TINY_HIDDEN; i++)
        length += (double)out[i] * out[i];
    if (!(fabs(length - 1) < 1e-5)) /* also false for NaN */
        fail_msg("the vector of a text of %zu bytes has the squared length %g", n, length);
    return result;
}

static memo_tokens *tokenize(db_env *e, const char *text, size_t n, int safe)
{
    const memo_tokenize_options o = {.size = sizeof o, .safe_specials = safe};
    memo_tokens *tokens = NULL;
    assert_memo_ok(memo_model_tokenize(e->model, (memo_text){text, n}, &o, &tokens, &e->err),
                   e->err);
    return tokens;
}

static memo_status add_text(db_env *e, const char *key, const char *text, size_t n)
{
    memo_record_in in = db_record(key, "");
    in.text = (memo_text){text, n};
    return memo_db_add(e->db, NULL, &in, 1, NULL, &e->err);
}

static memo_status import_file(db_env *e, const char *name, const char *bytes, size_t n)
{
    const memo_import_options o = {.size = sizeof o};
    char path[512];
    const char *const paths[] = {memo_test_path(path, e->dir, name)};
    memo_test_write_file(path, bytes, n);
    return memo_db_import(e->db, paths, 1, &o, NULL, &e->err);
}

static uint64_t n_records(db_env *e)
{
    memo_db_stats stats = {.size = sizeof stats};
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    return stats.n_records;
}

static void check_stored(db_env *e, const char *key, const char *text, size_t n)
{
    memo_records *r = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, key, &r, &e->err), e->err);
    assert_int_equal(r->records[0].text.n_bytes, n);
    assert_memory_equal(r->records[0].text.bytes, text, n);
    memo_records_free(r);
}

/* ---- 168 ------------------------------------------------------------------------------------- */

/* Documented: the model gives every text of no tokens the vector of its special tokens; a store and
 * a search refuse what has no visible character. */
static void test_limits_168_blank_texts(void **state)
{
    static const memo_text blank[] = {
        MEMO_TEXT(""),
        MEMO_TEXT(" "),
        MEMO_TEXT(" \t\r\n"),
        MEMO_TEXT("\0\0"),
        MEMO_TEXT("\x01\x1f"),
        MEMO_TEXT("\x7f"),
        MEMO_TEXT("\xc2\x80"),
        MEMO_TEXT("\xc2\xa0"),
        MEMO_TEXT("\xe2\x80\xa8"),
        MEMO_TEXT("\xe3\x80\x80"),
        MEMO_TEXT("\xe2\x80\x83\x01 "),
    };
    db_env *e = *state;
    float empty[TINY_HIDDEN], v[TINY_HIDDEN];
    memo_hits *hits = NULL;
    db_add(e, "k", "the key");
    embed_text(e, "", 0, NULL, empty);
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        const memo_record_edit edit = {.size = sizeof edit, .text = &blank[i]};
        limits_gauge g = limits_begin();
        memo_embed_result r = embed_text(e, blank[i].bytes, blank[i].n_bytes, NULL, v);
        assert_memory_equal(v, empty, sizeof v);
        assert_int_equal(r.n_tokens_total, 2);
        assert_int_equal(r.truncated, 0);
        assert_memo_status(add_text(e, "b", blank[i].bytes, blank[i].n_bytes), MEMO_ERR_VALUE,
                           e->err);
        assert_contains(e->err.message, "empty");
        assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_VALUE,
                           e->err);
        for (int mode = MEMO_SEARCH_HYBRID; mode <= MEMO_SEARCH_LEXICAL; mode++) {
            const memo_search_options o = {.size = sizeof o, .mode = (memo_search_mode)mode};
            assert_memo_status(memo_db_search(e->db, blank[i], &o, &hits, &e->err), MEMO_ERR_VALUE,
                               e->err);
        }
        assert_memo_status(import_file(e, "blank.txt", blank[i].bytes, blank[i].n_bytes),
                           MEMO_ERR_VALUE, e->err);
        limits_end(g, "a blank text");
        assert_int_equal(n_records(e), 1);
    }
    check_stored(e, "k", "the key", 7);
    assert_memo_status(import_file(e, "b.ndjson", "{\"text\":\" \\u0000\"}", 18), MEMO_ERR_VALUE,
                       e->err);
    /* An invisible format character is neither white space nor a control: it is a text. */
    assert_memo_ok(add_text(e, "zwsp", "\xe2\x80\x8b", 3), e->err);
    embed_text(e, "\xe2\x80\x8b", 3, NULL, v);
    assert_memory_equal(v, empty, sizeof v);
}

/* ---- 169 ------------------------------------------------------------------------------------- */

/* The first three bytes are good: byte 3 is named wherever a text comes in. */
static void check_invalid(db_env *e, const char *text)
{
    const size_t n = strlen(text);
    const memo_text t = {text, n};
    const memo_record_edit edit = {.size = sizeof edit, .text = &t};
    const memo_search_options lexical = {.size = sizeof lexical, .mode = MEMO_SEARCH_LEXICAL};
    const char *const tags[] = {text};
    char metadata[64], where[64], line[64];
    float v[TINY_HIDDEN];
    memo_tokens *tokens = NULL;
    memo_records *records = NULL;
    memo_hits *hits = NULL;
    snprintf(metadata, sizeof metadata, "{\"a\":\"%s\"}", text);
    snprintf(where, sizeof where, "title = '%s'", text);
    snprintf(line, sizeof line, "{\"text\":\"%s\"}\n", text);
    const memo_list_options list = {.size = sizeof list, .where = where};
    memo_record_in in;
#define INVALID(call, says)                                                                        \
    do {                                                                                           \
        assert_memo_status(call, MEMO_ERR_VALUE, e->err);                                          \
        assert_contains(e->err.message, says);                                                     \
    } while (0)
#define INVALID_FIELD(field, value)                                                                \
    do {                                                                                           \
        in = db_record("k", "the key");                                                            \
        in.field = value;                                                                          \
        INVALID(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err),                                   \
                #field " is not UTF-8 at byte 3");                                                 \
    } while (0)
    limits_gauge g = limits_begin();
    INVALID(memo_model_embed(e->model, NULL, &t, 1, v, NULL, &e->err), "text 0");
    INVALID(memo_model_embed(e->model, NULL, &t, 1, v, NULL, &e->err), "byte 3");
    INVALID(memo_model_tokenize(e->model, t, NULL, &tokens, &e->err), "byte 3");
    INVALID(add_text(e, "b", text, n), "text is not UTF-8 at byte 3");
    INVALID_FIELD(key, text);
    INVALID_FIELD(title, text);
    INVALID_FIELD(source, text);
    in = db_record("k", "the key");
    in.tags = tags, in.n_tags = 1;
    INVALID(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), "tag is not UTF-8 at byte 3");
    in = db_record("k", "the key");
    in.metadata_json = metadata;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_FORMAT, e->err);
    assert_contains(e->err.message, "line 1 column 10: not UTF-8");
    INVALID(memo_db_edit(e->db, NULL, "good", &edit, NULL, &e->err), "byte 3");
    INVALID(memo_db_search(e->db, t, NULL, &hits, &e->err), "byte 3");
    INVALID(memo_db_search(e->db, t, &lexical, &hits, &e->err), "byte 3");
    INVALID(memo_db_list(e->db, &list, &records, &e->err), "filter, byte 12: not UTF-8");
    INVALID(import_file(e, "bad.txt", text, n), "text is not UTF-8 at byte 3");
    assert_memo_status(import_file(e, "bad.ndjson", line, strlen(line)), MEMO_ERR_FORMAT, e->err);
    assert_contains(e->err.message, "bad.ndjson:1: ");
    assert_contains(e->err.message, "column 13: not UTF-8");
    limits_end(g, "invalid UTF-8");
#undef INVALID_FIELD
#undef INVALID
}

/* When asked, each longest beginning of a character becomes one U+FFFD, as the Unicode standard
 * recommends. */
static void check_replaced(db_env *e, const char *text, const char *same)
{
    const memo_embed_options o = {.size = sizeof o, .replace_invalid_utf8 = 1};
    float a[TINY_HIDDEN], b[TINY_HIDDEN];
    embed_text(e, text, strlen(text), &o, a);
    embed_text(e, same, strlen(same), NULL, b);
    assert_memory_equal(a, b, sizeof a);
}

static void test_limits_169_invalid_utf8(void **state)
{
#define FFFD "\xef\xbf\xbd"
    static const char *const cases[][2] = {
        {"key\x80", "key" FFFD}, /* a lone continuation */
        {"key\xbf\x80 a", "key" FFFD FFFD " a"},
        {"key\xff\xfe", "key" FFFD FFFD}, /* bytes of no character */
        {"key\xc0\x80", "key" FFFD FFFD}, /* overlong */
        {"key\xc1\xbf", "key" FFFD FFFD},
        {"key\xe0\x9f\xbf", "key" FFFD FFFD FFFD},
        {"key\xf0\x8f\xbf\xbf", "key" FFFD FFFD FFFD FFFD},
        {"key\xed\xa0\x80 pot", "key" FFFD FFFD FFFD " pot"}, /* surrogates */
        {"key\xed\xbf\xbf", "key" FFFD FFFD FFFD},
        {"key\xf4\x90\x80\x80", "key" FFFD FFFD FFFD FFFD}, /* beyond U+10FFFF */
        {"key\xf5\x80\x80\x80", "key" FFFD FFFD FFFD FFFD},
        {"key\xf8\x88\x80\x80\x80", "key" FFFD FFFD FFFD FFFD FFFD},
        {"key\xc3", "key" FFFD}, /* cut at the end */
        {"key\xe2\x82", "key" FFFD},
        {"key\xf0\x9f\x98", "key" FFFD},
        {"key\xe2\x82pot", "key" FFFD "pot"}, /* cut inside */
    };
    db_env *e = *state;
    db_add(e, "good", "the key");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_invalid(e, cases[i][0]);
        check_replaced(e, cases[i][0], cases[i][1]);
    }
    assert_int_equal(n_records(e), 1);
    check_stored(e, "good", "the key", 7);
#undef FFFD
}

/* ---- 170 ------------------------------------------------------------------------------------- */

static void test_limits_170_nul_is_kept(void **state)
{
    static const char text[] = "the spare\0key is \0\0 zanzibar\0";
    static const char lines[] = "{\"id\":\"l\",\"text\":\"the spare\\u0000key is \\u0000\\u0000 "
                                "zanzibar\\u0000\"}\n";
    const size_t n = sizeof text - 1;
    db_env *e = *state;
    float whole[TINY_HIDDEN], cut[TINY_HIDDEN];
    assert_true(embed_text(e, text, n, NULL, whole).n_tokens_total >
                embed_text(e, text, strlen(text), NULL, cut).n_tokens_total);
    assert_memory_not_equal(whole, cut, sizeof whole);
    assert_memo_ok(add_text(e, "a", text, n), e->err);
    assert_memo_ok(import_file(e, "nul.ndjson", lines, sizeof lines - 1), e->err);
    for (int i = 0; i < 2; i++) { /* and again from the disk */
        check_stored(e, "a", text, n);
        check_stored(e, "l", text, n);
        db_reopen(e, e->model);
    }
    /* What stands behind a NUL is found, by its words and by its letters. */
    const memo_search_options o = {.size = sizeof o, .mode = MEMO_SEARCH_LEXICAL};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("zanzibar"), &o, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 2);
    assert_int_equal(hits->hits[0].text_bytes, n);
    assert_memory_equal(hits->hits[0].text, text, n);
    memo_hits_free(hits);
    assert_memo_ok(memo_db_search(e->db, (memo_text){text, n}, NULL, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 2);
    memo_hits_free(hits);
}

/* ---- 171 and 172: large and strange ---------------------------------------------------------- */

/* Embed, store and look for one text: each under a second, truncation as the tokens say. */
static void check_large(db_env *e, const char *what, const char *text, size_t n, size_t n_tokens)
{
    enum { SECOND = 1000 };
    memo_record_in in = db_record("large", "");
    float v[TINY_HIDDEN];
    memo_hits *hits = NULL;
    const memo_search_options unseen = {.size = sizeof unseen,
                                        .no_log = 1}; /* else adding keeps it */
    limits_gauge g = limits_begin();
    memo_embed_result r = embed_text(e, text, n, NULL, v);
    limits_end_within(g, what, SECOND, LIMITS_BYTES);
    if (r.n_tokens_total != n_tokens + 2 || r.truncated != (n_tokens + 2 > TINY_POSITIONS))
        fail_msg("%s: %zu tokens, truncated %d; %zu expected", what, r.n_tokens_total, r.truncated,
                 n_tokens + 2);
    assert_int_equal(r.n_tokens_seen, r.truncated ? TINY_POSITIONS : n_tokens + 2);

    in.text = (memo_text){text, n};
    in.chunking = MEMO_CHUNK_NONE;
    g = limits_begin();
    memo_status status = memo_db_add(e->db, NULL, &in, 1, NULL, &e->err);
    limits_end_within(g, what, SECOND, LIMITS_BYTES);
    if (n_tokens == 0) { /* nothing to see: only the model takes it */
        assert_memo_status(status, MEMO_ERR_VALUE, e->err);
        return;
    }
    assert_memo_ok(status, e->err);
    check_stored(e, "large", text, n);
    g = limits_begin();
    assert_memo_ok(memo_db_search(e->db, (memo_text){text, n}, &unseen, &hits, &e->err), e->err);
    assert_true(hits->n >= 1);
    assert_int_equal(hits->query_truncated, r.truncated);
    memo_hits_free(hits);
    limits_end_within(g, what, SECOND, LIMITS_BYTES);
}

static void check_repeated(db_env *e, const char *piece, size_t n_bytes, size_t n_tokens)
{
    size_t n;
    char *text = repeat_text(piece, n_bytes, &n);
    check_large(e, piece, text, n, n_tokens);
    free(text);
}

enum { MIB = 1 << 20 };

static void test_limits_171_one_mebibyte_of_one_thing(void **state)
{
    db_env *e = *state;
    db_add(e, "small", "the key");
    check_repeated(e, "k", MIB, 1);         /* one letter: one word, unknown */
    check_repeated(e, "flowerpot", MIB, 1); /* one word */
    check_repeated(e, "key ", MIB, MIB / 4);
    check_repeated(e, "\n", MIB, 0);
    check_repeated(e, ".", MIB, MIB);
    check_repeated(e, "\xc3\xa9", MIB, 1);
    check_repeated(e, "[CLS]", MIB, MIB / 5);
    check_repeated(e, " ", MIB, 0);
}

static void test_limits_172_emoji_and_marks(void **state)
{
    static const char smile[] = "\xf0\x9f\x98\x80";
    static const char family[] = "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d"
                                 "\xf0\x9f\x91\xa7";
    db_env *e = *state;
    char *marks = malloc(20002);
    db_add(e, "small", "the key");           /* what a handle keeps is there */
    check_repeated(e, smile, 4 * 100000, 1); /* run together: one unknown word */
    check_repeated(e, family, 18 * 10000, 1);
    check_repeated(e, "\xf0\x9f\x98\x80 ", 5 * 100000, 100000);
    check_repeated(e, "\xe2\x80\x8d.", 4 * 50000, 50000); /* joiners with nothing to join */
    marks[0] = 'a';
    for (int i = 0; i < 10000; i++)
        memcpy(marks + 1 + 2 * i, i % 2 ? "\xcc\x81" : "\xcc\xa3", 2);
    check_large(e, "10,000 marks on one base", marks, 20001, 1);
    free(marks);
}

/* ---- 174 ------------------------------------------------------------------------------------- */

static int is_special(uint32_t id)
{
    return id == 0 || (id >= 2 && id <= 4); /* [PAD] [CLS] [SEP] [MASK]; [UNK] is 1 */
}

static size_t count_specials(const memo_tokens *tokens)
{
    size_t n = 0;
    for (size_t i = 0; i < tokens->n; i++)
        n += (size_t)is_special(tokens->ids[i]);
    return n;
}

/* As the reference by default; in safe mode the two at the ends are the only ones, whatever the text
 * is put together from. */
static void test_limits_174_special_tokens_in_text(void **state)
{
    static const char *const parts[] = {"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]",
                                        "[",     "]",     "CLS",   "</s>",   "<|endoftext|>",
                                        " ",     "key",   "[CLS",  "SEP]",   "\xe2\x80\x8b"};
    db_env *e = *state;
    memo_rng rng;
    memo_tokens *t = tokenize(e, "[CLS] key[SEP]</s>", 18, 0);
    float as_typed[TINY_HIDDEN], safe[TINY_HIDDEN];
    const memo_embed_options safely = {.size = sizeof safely, .safe_specials = 1};
    assert_int_equal(count_specials(t), 4);
    assert_int_equal(t->ids[1], 2);
    memo_tokens_free(t);
    memo_rng_init(&rng, 174);
    for (int i = 0; i < 500; i++) {
        char text[256] = "";
        for (int j = 0; j < 12; j++)
            strcat(text, parts[memo_rng_below(&rng, sizeof parts / sizeof *parts)]);
        t = tokenize(e, text, strlen(text), 1);
        if (count_specials(t) != 2 || t->ids[0] != 2 || t->ids[t->n - 1] != 3)
            fail_msg("\"%s\" has %zu special tokens in safe mode", text, count_specials(t));
        memo_tokens_free(t);
    }
    embed_text(e, "the [SEP] key", 13, NULL, as_typed);
    embed_text(e, "the [SEP] key", 13, &safely, safe);
    assert_memory_not_equal(as_typed, safe, sizeof safe);
    /* A store keeps the text as it was typed. */
    assert_memo_ok(add_text(e, "k", "the [SEP] key</s>", 17), e->err);
    check_stored(e, "k", "the [SEP] key</s>", 17);
}

/* ---- 175 ------------------------------------------------------------------------------------- */

static char *words(size_t from, size_t to)
{
    static const char *const some[] = {"the", "key", "is", "under", "flower", "pot", "garden"};
    char *text = malloc((to - from) * 8 + 1), *p = text;
    *p = '\0';
    for (size_t i = from; i < to; i++)
        p += sprintf(p, "%s ", some[i * i % 7]);
    return text;
}

/* The vector equals that of the words that are left, which the tokenizer puts between both ends. */
static void check_length(db_env *e, size_t n, memo_overlong rule)
{
    enum { ROOM = TINY_POSITIONS - 2 };
    const memo_embed_options o = {.size = sizeof o, .overlong = rule};
    const size_t kept = n < ROOM ? n : ROOM, first = rule == MEMO_OVERLONG_TAIL ? n - kept : 0;
    char *all = words(0, n), *rest = words(first, first + kept);
    float a[TINY_HIDDEN], b[TINY_HIDDEN];
    memo_embed_result r = embed_text(e, all, strlen(all), &o, a);
    memo_tokens *t = tokenize(e, rest, strlen(rest), 0);
    assert_int_equal(r.n_tokens_total, n + 2);
    assert_int_equal(r.n_tokens_seen, kept + 2);
    assert_int_equal(r.truncated, n > ROOM);
    embed_text(e, rest, strlen(rest), &o, b);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(t->n, kept + 2);
    assert_int_equal(t->ids[0], 2);
    assert_int_equal(t->ids[t->n - 1], 3);
    memo_tokens_free(t);
    free(all);
    free(rest);
}

static void test_limits_175_around_the_longest_text(void **state)
{
    static const size_t counts[] = {61, 62, 63, 6200};
    db_env *e = *state;
    const memo_embed_options strict = {.size = sizeof strict, .overlong = MEMO_OVERLONG_ERROR};
    for (size_t i = 0; i < 4; i++) {
        char *text = words(0, counts[i]);
        const memo_text t = {text, strlen(text)};
        float v[TINY_HIDDEN];
        check_length(e, counts[i], MEMO_OVERLONG_HEAD);
        check_length(e, counts[i], MEMO_OVERLONG_TAIL);
        assert_memo_status(memo_model_embed(e->model, &strict, &t, 1, v, NULL, &e->err),
                           counts[i] > 62 ? MEMO_ERR_LIMIT : MEMO_OK, e->err);
        free(text);
    }
}

/* ---- 177 and 178 ----------------------------------------------------------------------------- */

static void test_limits_177_vectors_of_the_unknown(void **state)
{
    static const char *const texts[] = {"\xe2\x98\x83", "\xe2\x98\x83 \xe2\x98\x84",
                                        "\xe6\xbc\xa2\xe5\xad\x97", "\xf0\x93\x80\x80"};
    db_env *e = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        float v[TINY_HIDDEN];
        char key[2] = {(char)('a' + i), 0};
        memo_hits *hits = NULL;
        memo_tokens *t = tokenize(e, texts[i], strlen(texts[i]), 0);
        for (size_t j = 1; j + 1 < t->n; j++)
            assert_int_equal(t->ids[j], 1);
        assert_true(t->n > 2);
        memo_tokens_free(t);
        embed_text(e, texts[i], strlen(texts[i]), NULL, v);
        assert_memo_ok(add_text(e, key, texts[i], strlen(texts[i])), e->err);
        assert_memo_ok(memo_db_search(e->db, MEMO_STR(texts[i]), NULL, &hits, &e->err), e->err);
        assert_int_equal(hits->n, i + 1);
        for (size_t j = 0; j < hits->n; j++)
            assert_true(isfinite(hits->hits[j].score));
        memo_hits_free(hits);
    }
}

/* What the model does not see is stored all the same; a byte order mark before NDJSON is no part of
 * it. */
static void test_limits_178_stored_as_they_are(void **state)
{
    static const char text[] = "\xef\xbb\xbfone\r\ntwo\rthree\xe2\x80\xa8"
                               "four\xef\xbf\xbe\xef\xb7\x90\xee\x80\x80\xf4\x8f\xbf\xbf\n";
    static const char lines[] = "\xef\xbb\xbf{\"id\":\"l\",\"text\":\"tea\"}\r\n";
    db_env *e = *state;
    float a[TINY_HIDDEN], b[TINY_HIDDEN];
    char path[512];
    assert_memo_ok(add_text(e, "k", text, sizeof text - 1), e->err);
    check_stored(e, "k", text, sizeof text - 1);
    assert_memo_ok(import_file(e, "mark.txt", text, sizeof text - 1), e->err);
    check_stored(e, memo_test_path(path, e->dir, "mark.txt"), text, sizeof text - 1);
    assert_memo_ok(import_file(e, "mark.ndjson", lines, sizeof lines - 1), e->err);
    check_stored(e, "l", "tea", 3);
    embed_text(e, "the key\r\nthe pot", 16, NULL, a);
    embed_text(e, "\xef\xbb\xbfthe key\nthe\xe2\x80\xa8pot", 20, NULL, b);
    assert_memory_equal(a, b, sizeof a);
}

/* ---- 179 ------------------------------------------------------------------------------------- */

/* A role adds the publisher's prompt, none adds none; the recipe says what it is and where it comes
 * from, and `model show` prints the recipe (tests/cli/model.t). */
static void test_limits_179_query_without_its_prompt(void **state)
{
    db_env *e = *state;
    const memo_compile_options options = {.size = sizeof options, .name = "prompted"};
    const memo_embed_options query = {.size = sizeof query, .role = MEMO_ROLE_QUERY};
    const memo_embed_options none = {.size = sizeof none, .role = MEMO_ROLE_NONE};
    memo_model *plain = e->model, *prompted = NULL;
    memo_model_info info = {.size = sizeof info};
    float a[TINY_HIDDEN], b[TINY_HIDDEN];
    char source[300], out[300];
    snprintf(source, sizeof source, "%s/prompted", e->dir);
    snprintf(out, sizeof out, "%s/prompted.safetensors", e->dir);
    mkdir(source, 0700);
    tiny_model_write(source, 1);
    tiny_model_put(source, "config_sentence_transformers.json",
                   "{\"prompts\":{\"query\":\"the key: \"}}");
    assert_memo_ok(memo_model_compile(e->ctx, source, out, &options, NULL, &e->err), e->err);
    assert_memo_ok(memo_model_open(e->ctx, out, NULL, &prompted, &e->err), e->err);
    memo_model_get_info(prompted, &info, NULL);
    assert_contains(info.recipe_json, "\"prompt_query\":{\"value\":\"the key: \",\"origin\":"
                                      "\"config_sentence_transformers.json\"}");
    assert_contains(info.recipe_json,
                    "\"prompt_document\":{\"value\":\"\",\"origin\":\"default\"}");

    e->model = prompted;
    embed_text(e, "garden", 6, &query, a);
    embed_text(e, "the key: garden", 15, &none, b);
    assert_memory_equal(a, b, sizeof a);
    embed_text(e, "garden", 6, &none, b); /* forgotten: another vector, finite all the same */
    assert_memory_not_equal(a, b, sizeof a);
    e->model = plain;
    embed_text(e, "garden", 6, &query, a); /* a model without prompts */
    assert_memory_equal(a, b, sizeof a);
    memo_model_close(prompted);
}

/* ---- 18 -------------------------------------------------------------------------------------- */

/* Switch to a locale that writes 0,5; made here when the system has its description. */
static int comma_locale(const char *folder)
{
    char command[700];
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0)
            return 1;
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder);
    if (system(command) != 0)
        return 0;
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static int locale_take(void *user, const char *bytes, size_t n_bytes)
{
    return fwrite(bytes, 1, n_bytes, user) != n_bytes;
}

/* Vectors and a confidence: what is exported can be taken back. */
static void run_export(db_env *e, const char *path)
{
    const char *const paths[] = {path};
    const memo_export_options with = {.size = sizeof with, .vectors = 1};
    const memo_fact_in fact = {
        .size = sizeof fact, .subject = "a", .relation = "r", .value = "v", .confidence = 0.25};
    memo_import_report report = {.size = sizeof report};
    memo_fact_result result = {.size = sizeof result};
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &fact, &result, &e->err), e->err);
    assert_memo_ok(memo_db_export(e->db, &with, locale_take, f, NULL, &e->err), e->err);
    fclose(f);
    assert_memo_ok(memo_db_import(e->db, paths, 1, NULL, &report, &e->err), e->err);
    assert_int_equal(report.n_unchanged, 1);
    assert_int_equal(report.n_failed, 0);
}

/* Front matter of Markdown: a number is read as one. */
static void run_front_matter(db_env *e)
{
    char path[300];
    const char *const paths[] = {path};
    const memo_list_options list = {.size = sizeof list, .where = "meta.rating = 4.5"};
    memo_import_report report = {.size = sizeof report};
    memo_records *r = NULL;
    FILE *f = tiny_model_create(e->dir, "locale.md");
    fputs("---\nrating: 4.5\n---\nrated\n", f);
    fclose(f);
    snprintf(path, sizeof path, "%s/locale.md", e->dir);
    assert_memo_ok(memo_db_import(e->db, paths, 1, NULL, &report, &e->err), e->err);
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_string_equal(r->records[0].metadata_json, "{\"rating\":4.5}");
    memo_records_free(r);
}

/* Everything with a number in it that goes through the library: a host program may have called
 * setlocale(). */
static void run_numbers(db_env *e, char *report, size_t n)
{
    const memo_compile_options options = {.size = sizeof options, .overwrite = 1};
    memo_record_in in = db_record("k", "the key");
    memo_records *r = NULL;
    memo_hits *hits = NULL;
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    char source[300], out[300], fingerprint[65];
    const memo_list_options list = {.size = sizeof list,
                                    .where = "meta.n = 0.5 and meta.n < 0.75 and created > 1.5"};
    snprintf(source, sizeof source, "%s/tiny-1", e->dir);
    snprintf(out, sizeof out, "%s/locale.safetensors", e->dir);
    assert_memo_ok(memo_model_compile(e->ctx, source, out, &options, NULL, &e->err), e->err);
    assert_memo_ok(memo_model_open(e->ctx, out, NULL, &model, &e->err), e->err);
    memo_model_get_info(model, &info, NULL);
    memcpy(fingerprint, info.fingerprint, sizeof fingerprint);
    in.metadata_json = "{\"n\":0.5,\"e\":1.25e-3}";
    db_put(e, in);
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("the key 0.5"), NULL, &hits, &e->err), e->err);
    assert_int_equal(hits->n, 1);
    snprintf(source, sizeof source, "%s/locale.ndjson", e->dir);
    run_export(e, source);
    run_front_matter(e);
    in.metadata_json = "{\"n\":0,5}";
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_FORMAT, e->err);
    snprintf(report, n, "%s %s %s %s", fingerprint, info.recipe_json, r->records[0].metadata_json,
             e->err.message);
    memo_hits_free(hits);
    memo_records_free(r);
    memo_model_close(model);
}

static void test_limits_18_comma_locale(void **state)
{
    static char plain[4096], comma[4096];
    db_env *e = *state;
    run_numbers(e, plain, sizeof plain);
    db_teardown(state);
    db_setup(state);
    if (!comma_locale(e->dir)) {
        setlocale(LC_ALL, "C");
        memo_test_skip("no locale with a decimal comma is to be had");
    }
    run_numbers(e, comma, sizeof comma);
    setlocale(LC_ALL, "C");
    assert_string_equal(comma, plain);
}

/* ---- 196 ------------------------------------------------------------------------------------- */

/* Files that are no text, behind one that is: what is left out takes no room until the group is full. */
static void test_limits_196_bad_files_take_no_memory(void **state)
{
    enum { N_BAD = 40 };
    static char bad[2 << 20];
    db_env *e = *state;
    const memo_import_options o = {.size = sizeof o, .skip_bad = 1};
    memo_import_report report = {.size = sizeof report};
    char folder[400], name[40];
    const char *const paths[] = {folder};
    limits_gauge g;
    snprintf(folder, sizeof folder, "%s/bad", e->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    memset(bad, 'a', sizeof bad);
    bad[sizeof bad - 1] = '\xff';
    for (int i = 0; i <= N_BAD; i++) {
        FILE *f;
        snprintf(name, sizeof name, "%03d.txt", i);
        f = tiny_model_create(folder, name);
        if (i == 0)
            fputs("tea", f);
        else
            fwrite(bad, 1, sizeof bad, f);
        fclose(f);
    }
    g = limits_begin();
    assert_memo_ok(memo_db_import(e->db, paths, 1, &o, &report, &e->err), e->err);
    assert_int_equal(report.n_new, 1);
    assert_int_equal(report.n_failed, N_BAD);
    assert_true(limits_peak_bytes - g.live_bytes < (uint64_t)16 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_limits_18_comma_locale),
        db_test(test_limits_168_blank_texts),
        db_test(test_limits_169_invalid_utf8),
        db_test(test_limits_170_nul_is_kept),
        db_test(test_limits_171_one_mebibyte_of_one_thing),
        db_test(test_limits_172_emoji_and_marks),
        db_test(test_limits_174_special_tokens_in_text),
        db_test(test_limits_175_around_the_longest_text),
        db_test(test_limits_177_vectors_of_the_unknown),
        db_test(test_limits_178_stored_as_they_are),
        db_test(test_limits_179_query_without_its_prompt),
        db_test(test_limits_196_bad_files_take_no_memory),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
