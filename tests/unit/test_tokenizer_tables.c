// SPDX-License-Identifier: Apache-2.0
/* Hostile tables: whatever bytes they hold, opening refuses them or every use stays in bounds. */
#include "tokenizer_fixture.h"

#include "base/rng.h"
#include "text/tokenizer_tables.h"

static const char awkward[] = "Hello un[CLS]wanted caf\xC3\xA9 \xE4\xB8\xADx\xEA\xB0\x80 ##s . zzz";

/* Open and, if that goes well, use everything. */
static memo_status try_tables(const void *tables, size_t n)
{
    memo_tokenizer *tokenizer = NULL;
    memo_token_list list = {0};
    size_t length;
    const uint32_t *ids;
    memo_status status = memo_tokenizer_open(tables, n, &tokenizer, NULL);

    if (status)
        return status;
    size_t vocab_size = memo_tokenizer_vocab_size(tokenizer);
    for (unsigned flags = 0; flags < 8; flags++)
        assert_int_equal(
            memo_tokenizer_encode(tokenizer, awkward, sizeof awkward - 1, flags, &list, NULL),
            MEMO_OK);
    for (size_t i = 0; i < list.n; i++)
        assert_true(list.ids[i] < vocab_size);
    for (size_t i = memo_tokenizer_prefix(tokenizer, &ids); i > 0; i--)
        assert_true(ids[i - 1] < vocab_size);
    for (size_t i = memo_tokenizer_suffix(tokenizer, &ids); i > 0; i--)
        assert_true(ids[i - 1] < vocab_size);
    unsigned sum = 0;
    for (size_t i = 0; i <= vocab_size && i < 1000; i++) {
        const char *token = memo_tokenizer_token(tokenizer, (uint32_t)i, &length);
        for (size_t k = 0; token && k < length; k++)
            sum += (unsigned char)token[k]; /* reads every byte it is given */
    }
    assert_true(sum < 1u << 31);
    memo_token_list_fini(&list);
    memo_tokenizer_close(tokenizer);
    return MEMO_OK;
}

static void test_tables_truncated(void **state)
{
    fixture f;

    (void)state;
    assert_int_equal(fixture_open(FIXTURE_UNCASED, &f, NULL), MEMO_OK);
    assert_int_equal(try_tables(f.tables, f.n_bytes), MEMO_OK);
    for (size_t n = 0; n < f.n_bytes; n += n < 256 || n + 256 > f.n_bytes ? 1 : 61) {
        void *cut = memo_aligned_alloc(n ? n : 1);
        memcpy(cut, f.tables, n);
        assert_int_equal(try_tables(cut, n), MEMO_ERR_FORMAT);
        memo_aligned_free(cut);
    }
    fixture_close(&f);
}

static void test_tables_every_bit_of_the_header(void **state)
{
    fixture f;

    (void)state;
    assert_int_equal(fixture_open(FIXTURE_UNCASED, &f, NULL), MEMO_OK);
    unsigned char *bytes = f.tables;
    for (size_t bit = 0; bit < sizeof(memo_tables_header) * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        try_tables(bytes, f.n_bytes);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    fixture_close(&f);
}

static void test_tables_random_damage(void **state)
{
    fixture f;
    memo_rng rng;
    size_t n_opened = 0, n_refused = 0;

    (void)state;
    assert_int_equal(fixture_open(FIXTURE_UNCASED, &f, NULL), MEMO_OK);
    unsigned char *damaged = memo_aligned_alloc(f.n_bytes);
    memo_rng_init(&rng, 1);
    for (int round = 0; round < 5000; round++) {
        memcpy(damaged, f.tables, f.n_bytes);
        for (uint64_t k = memo_rng_below(&rng, 4) + 1; k > 0; k--) {
            size_t word = memo_rng_below(&rng, f.n_bytes / 4) * 4;
            uint32_t value = (uint32_t)memo_rng_u64(&rng);
            if (memo_rng_below(&rng, 2))
                value %= (uint32_t)f.n_bytes; /* numbers that may pass */
            memcpy(damaged + word, &value, sizeof value);
        }
        if (try_tables(damaged, f.n_bytes) == MEMO_OK)
            n_opened++;
        else
            n_refused++;
    }
    assert_true(n_opened > 100 && n_refused > 100);
    memo_aligned_free(damaged);
    fixture_close(&f);
}

static void test_tables_named_damage(void **state)
{
    fixture f;
    memo_tokenizer *tokenizer;

    (void)state;
    assert_int_equal(fixture_open(FIXTURE_UNCASED, &f, NULL), MEMO_OK);
    memo_tables_header *header = f.tables, good = *header;
#define DAMAGED(change, expected)                                                                  \
    do {                                                                                           \
        header->change;                                                                            \
        assert_int_equal(memo_tokenizer_open(f.tables, f.n_bytes, &tokenizer, NULL), expected);    \
        *header = good;                                                                            \
    } while (0)
    DAMAGED(magic[0] = 'm', MEMO_ERR_FORMAT);
    DAMAGED(layout = MEMO_TOKENIZER_LAYOUT + 1, MEMO_ERR_UNSUPPORTED);
    DAMAGED(model = 2, MEMO_ERR_UNSUPPORTED);
    DAMAGED(normalizer = 16, MEMO_ERR_FORMAT);
    DAMAGED(n_ids = 0, MEMO_ERR_FORMAT);
    DAMAGED(n_ids++, MEMO_ERR_FORMAT);
    DAMAGED(unk_id = good.n_ids, MEMO_ERR_FORMAT);
    DAMAGED(max_word_chars = 1000001, MEMO_ERR_FORMAT);
    DAMAGED(n_prefix = 65, MEMO_ERR_FORMAT);
    DAMAGED(n_suffix = 2, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_TOKENS].begin++, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_TOKENS].begin = 0, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_VOCAB_NODES].n = 0, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_VOCAB_NODES].n--, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_TOKEN_BYTES].n = 0, MEMO_ERR_FORMAT);
    DAMAGED(sections[MEMO_TABLES_TEMPLATE].n = UINT32_MAX, MEMO_ERR_FORMAT);
#undef DAMAGED
    assert_int_equal(memo_tokenizer_open((char *)f.tables + 8, f.n_bytes - 8, &tokenizer, NULL),
                     MEMO_ERR_USAGE);
    fixture_close(&f);
}

/* An added token that ends inside a character: the pieces beside it are then no valid UTF-8. */
static void test_tables_cut_inside_a_character(void **state)
{
    static const char json[] = FIXTURE_JSON(
        FIXTURE_ADDED(
            "\xC3\xA9", 30,
            FIXTURE_FLAGS(false, true, true, false,
                          false)) "," FIXTURE_ADDED("\xC3\xB1", 31,
                                                    FIXTURE_FLAGS(false, true, true, true, false)),
        "null", "null", FIXTURE_MODEL(FIXTURE_VOCAB));
    static const memo_tables_section tries[] = {MEMO_TABLES_RAW_NODES, MEMO_TABLES_NORMAL_NODES};
    fixture f;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fixture_open(json, &f, NULL), MEMO_OK);
        memo_tables_header *header = f.tables;
        memo_trie_node *nodes =
            (memo_trie_node *)(void *)((char *)f.tables + header->sections[tries[i]].begin);
        nodes[nodes[0].base + 0xC3].base |=
            MEMO_TRIE_END; /* its value is 0, an index that exists */
        assert_int_equal(try_tables(f.tables, f.n_bytes), MEMO_OK);
        assert_string_equal(fixture_encode(&f, "\xC3\xB1 \xC3\x80.", 6, 0),
                            i ? "31 30 1 12" : "30 1 30 1 12");
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_truncated),
        cmocka_unit_test(test_tables_every_bit_of_the_header),
        cmocka_unit_test(test_tables_random_damage),
        cmocka_unit_test(test_tables_named_damage),
        cmocka_unit_test(test_tables_cut_inside_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
