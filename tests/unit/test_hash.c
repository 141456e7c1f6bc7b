// SPDX-License-Identifier: Apache-2.0
/* Expected digests: FIPS 180-2 appendix B for SHA-256, the xxHash specification for XXH64. */
#include "memo_test.h"

#include "base/hash.h"
#include "base/rng.h"

static void check_sha256(const char *text, size_t n, const char *expected)
{
    unsigned char digest[MEMO_SHA256_BYTES];
    char hex[2 * MEMO_SHA256_BYTES + 1];
    memo_err err = {0};
    assert_memo_ok(memo_sha256_bytes(text, n, digest, &err), err);
    memo_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static void test_hash_sha256_of_the_standards_examples(void **state)
{
    (void)state;
    check_sha256(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_hash_xxh64_of_known_texts(void **state)
{
    (void)state;
    assert_true(memo_xxh64(NULL, 0, 0) == 0xEF46DB3751D8E999u);
    assert_true(memo_xxh64("a", 1, 0) == 0xD24EC4F1A98C6E5Bu);
    assert_true(memo_xxh64("abc", 3, 0) == 0x44BC2CF5AD770999u);
    assert_true(memo_xxh64("abc", 3, 1) != memo_xxh64("abc", 3, 0));
}

static void test_hash_pieces_give_the_hash_of_the_whole(void **state)
{
    (void)state;
    unsigned char bytes[5000], whole[MEMO_SHA256_BYTES], pieces[MEMO_SHA256_BYTES];
    memo_err err = {0};
    memo_rng rng;
    memo_rng_init(&rng, 3);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)memo_rng_u64(&rng);
    assert_memo_ok(memo_sha256_bytes(bytes, sizeof bytes, whole, &err), err);
    memo_sha256 *sha = memo_sha256_new();
    for (size_t at = 0; at < sizeof bytes;) {
        size_t n = memo_rng_below(&rng, memo_rng_below(&rng, 2) ? 3 : 150);
        if (n > sizeof bytes - at)
            n = sizeof bytes - at;
        memo_sha256_update(sha, bytes + at, n);
        at += n;
    }
    assert_int_equal(memo_sha256_final(sha, pieces), 1);
    assert_memory_equal(whole, pieces, sizeof whole);
}

static void test_hash_state_can_be_dropped(void **state)
{
    (void)state;
    int64_t live = memo_alloc_live();
    assert_int_equal(memo_sha256_final(memo_sha256_new(), NULL), 1);
    assert_int_equal(memo_sha256_final(NULL, NULL), 0);
    assert_int_equal(memo_alloc_live(), live);
}

static memo_status sweep_hash(void *user, memo_err *err)
{
    (void)user;
    unsigned char digest[MEMO_SHA256_BYTES];
    return memo_sha256_bytes("a", 1, digest, err);
}

static void test_hash_survives_allocation_failures(void **state)
{
    (void)state;
    assert_int_equal(memo_test_alloc_sweep(sweep_hash, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_sha256_of_the_standards_examples),
        cmocka_unit_test(test_hash_xxh64_of_known_texts),
        cmocka_unit_test(test_hash_pieces_give_the_hash_of_the_whole),
        cmocka_unit_test(test_hash_state_can_be_dropped),
        cmocka_unit_test(test_hash_survives_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
