// SPDX-License-Identifier: Apache-2.0
/* A small tokenizer for tests: one json with places to fill in. */
#ifndef MEMO_TEST_TOKENIZER_FIXTURE_H
#define MEMO_TEST_TOKENIZER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "text/tokenizer.h"

#define FIXTURE_VOCAB                                                                              \
    "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"hello\":5,\"world\":6,"        \
    "\"un\":7,\"##want\":8,\"##ed\":9,\"a\":10,\"##a\":11,\".\":12,\",\":13,\"cafe\":14,"          \
    "\"\xE4\xB8\xAD\":15,\"ss\":16,\"\xC3\x9F\":17,\"i\":18,\"aaaa\":19,\"##aaa\":20,\"[\":21,"    \
    "\"]\":22,\"cl\":23,\"##s\":24,\"mask\":25,\"\xE1\x84\x80\":26,\"##\xE1\x85\xA1\":27,"         \
    "\"caf\xC3\xA9\":28,\"MASK\":29"
#define FIXTURE_ADDED(content, id, flags) "{\"id\":" #id ",\"content\":\"" content "\"," flags "}"
#define FIXTURE_FLAGS(single, left, right, normal, special)                                        \
    "\"single_word\":" #single ",\"lstrip\":" #left ",\"rstrip\":" #right                          \
    ",\"normalized\":" #normal ",\"special\":" #special
#define FIXTURE_SPECIAL FIXTURE_FLAGS(false, false, false, false, true)
#define FIXTURE_SPECIALS                                                                           \
    FIXTURE_ADDED("[PAD]", 0, FIXTURE_SPECIAL)                                                     \
    "," FIXTURE_ADDED("[UNK]", 1, FIXTURE_SPECIAL) "," FIXTURE_ADDED(                              \
        "[CLS]", 2,                                                                                \
        FIXTURE_SPECIAL) "," FIXTURE_ADDED("[SEP]", 3,                                             \
                                           FIXTURE_SPECIAL) "," FIXTURE_ADDED("[MASK]", 4,         \
                                                                              FIXTURE_SPECIAL)
#define FIXTURE_BERT(lower, strip)                                                                 \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"              \
    "\"strip_accents\":" strip ",\"lowercase\":" lower "}"
#define FIXTURE_TEMPLATE                                                                           \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_"     \
    "id\":0}},"                                                                                    \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":" \
    "0}}],"                                                                                        \
    "\"pair\":[],\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]"  \
    "\"]},"                                                                                        \
    "\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[3],\"tokens\":[\"[SEP]\"]}}}"
#define FIXTURE_MODEL(vocab)                                                                       \
    "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","        \
    "\"max_input_chars_per_word\":100,\"vocab\":{" vocab "}}"
#define FIXTURE_JSON(added, normalizer, post, model)                                               \
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[" added "],"      \
    "\"normalizer\":" normalizer ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"             \
    "\"post_processor\":" post                                                                     \
    ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":" model    \
    "}"
#define FIXTURE_UNCASED                                                                            \
    FIXTURE_JSON(FIXTURE_SPECIALS, FIXTURE_BERT("true", "null"), FIXTURE_TEMPLATE,                 \
                 FIXTURE_MODEL(FIXTURE_VOCAB))

/* Three tokens, and what a test puts around them. */
#define SMALL_VOCAB "\"[UNK]\":0,\"a\":1,\"##b\":2"
#define SMALL_WITH(added, normalizer, post)                                                        \
    FIXTURE_JSON(added, normalizer, post, FIXTURE_MODEL(SMALL_VOCAB))
#define SMALL_WITH_MODEL(model) FIXTURE_JSON("", "null", "null", model)
#define SMALL_PLAIN             FIXTURE_FLAGS(false, false, false, false, false)
#define SMALL_NORMAL            FIXTURE_FLAGS(false, false, false, true, false)
#define SMALL_TEMPLATE(single)                                                                     \
    SMALL_WITH(                                                                                    \
        "", "null",                                                                                \
        "{\"type\":\"TemplateProcessing\",\"single\":[" single                                     \
        "],\"pair\":[],\"special_tokens\":{\"a\":{\"id\":\"a\",\"ids\":[1],\"tokens\":[\"a\"]},"   \
        "\"far\":{\"id\":\"far\",\"ids\":[3],\"tokens\":[\"far\"]}}}")
#define SMALL_SEQUENCE      "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define SMALL_SPECIAL(name) "{\"SpecialToken\":{\"id\":\"" name "\",\"type_id\":0}}"

typedef struct fixture {
    memo_tokenizer *tokenizer;
    void *tables;
    size_t n_bytes;
} fixture;

static inline memo_status fixture_open(const char *json, fixture *f, memo_err *err)
{
    memo_buf buf = {0};
    memo_tokenizer_notes notes;
    memo_status status =
        memo_tokenizer_build_json(json, strlen(json), "tokenizer.json", &buf, &notes, err);

    memset(f, 0, sizeof *f);
    if (!status) {
        f->n_bytes = buf.n;
        f->tables = memo_aligned_alloc(buf.n);
        if (f->tables)
            memcpy(f->tables, buf.data, buf.n);
        status = f->tables ? memo_tokenizer_open(f->tables, buf.n, &f->tokenizer, err)
                           : memo_fail_nomem(err, "fixture", buf.n);
    }
    memo_buf_fini(&buf);
    return status;
}

static inline void fixture_close(fixture *f)
{
    memo_tokenizer_close(f->tokenizer);
    memo_aligned_free(f->tables);
}

/* Ids as "5 6 7"; with offsets "5:0-5 6:6-11". */
static inline const char *fixture_encode(const fixture *f, const char *text, size_t n,
                                         unsigned flags)
{
    static char out[4096];
    memo_token_list list = {0};
    memo_err err = {0};
    size_t at = 0;

    out[0] = '\0';
    if (memo_tokenizer_encode(f->tokenizer, text, n, flags, &list, &err)) {
        snprintf(out, sizeof out, "%s: %s", memo_status_name(MEMO_ERR_VALUE), err.message);
        memo_token_list_fini(&list);
        return out;
    }
    for (size_t i = 0; i < list.n && at < sizeof out - 80; i++) {
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%u", i ? " " : "", list.ids[i]);
        if (flags & MEMO_ENCODE_OFFSETS)
            at += (size_t)snprintf(out + at, sizeof out - at, ":%zu-%zu", list.offsets[i][0],
                                   list.offsets[i][1]);
    }
    memo_token_list_fini(&list);
    return out;
}

#endif
