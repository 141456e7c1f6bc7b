// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "base/rng.h"
#include "text/secrets.h"

static size_t secrets_in(const char *text, memo_secret *first)
{
    const memo_text t = {text, strlen(text)};
    memo_secret secret = {0};
    size_t n = 0;

    while (memo_secret_next(t, secret.end, &secret)) {
        assert_true(secret.begin < secret.end && secret.end <= t.n_bytes);
        if (n++ == 0 && first)
            *first = secret;
    }
    return n;
}

static void secrets_expect(const char *text, const char *kind, const char *span)
{
    memo_secret secret = {0};

    if (secrets_in(text, &secret) != 1)
        fail_msg("no single secret in \"%s\"", text);
    assert_string_equal(secret.kind, kind);
    assert_int_equal(secret.end - secret.begin, strlen(span));
    assert_memory_equal(text + secret.begin, span, strlen(span));
}

/* Made up, in the format that each issuer documents. */
static void test_secrets_of_each_kind(void **state)
{
    (void)state;
    secrets_expect("id AKIA2E0A8F3B244C9986.", "AWS access key", "AKIA2E0A8F3B244C9986");
    secrets_expect("ASIA2E0A8F3B244C9986", "AWS access key", "ASIA2E0A8F3B244C9986");
    secrets_expect("t=ghp_16C7e42F292c6912E7710c838347Ae178B4a", "GitHub token",
                   "ghp_16C7e42F292c6912E7710c838347Ae178B4a");
    secrets_expect("github_pat_11AB3C5D0eFgHiJkLmN_oPq7", "GitHub token",
                   "github_pat_11AB3C5D0eFgHiJkLmN_oPq7");
    secrets_expect("key: sk-proj-4f9Ka02LmQz81XyTbN6c", "API key (OpenAI, Anthropic)",
                   "sk-proj-4f9Ka02LmQz81XyTbN6c");
    secrets_expect("xoxb-2048-4096-Zq81kLmN02pT", "Slack token", "xoxb-2048-4096-Zq81kLmN02pT");
    secrets_expect("AIzaSyD4k9X2mQ7vB1nR8tW3eY6uI0oP5aS-d_F", "Google API key",
                   "AIzaSyD4k9X2mQ7vB1nR8tW3eY6uI0oP5aS-d_F");
    secrets_expect("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.Qk3mX9_2LpZ-7vTn a", "JSON web token",
                   "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.Qk3mX9_2LpZ-7vTn");
    secrets_expect("a\n-----BEGIN RSA PRIVATE KEY-----\nMII", "private key",
                   "-----BEGIN RSA PRIVATE KEY");
    secrets_expect("-----BEGIN PRIVATE KEY-----", "private key", "-----BEGIN PRIVATE KEY");
    secrets_expect("at postgres://anna:h7Qz!x@db.local/x", "password in a URL",
                   "postgres://anna:h7Qz!x");
    secrets_expect("card 4111 1111 1111 1111 ok", "card number", "4111 1111 1111 1111");
    secrets_expect("5500-0055-5555-5559", "card number", "5500-0055-5555-5559");
    secrets_expect("378282246310005", "card number", "378282246310005");
}

static void test_secrets_are_not_seen_everywhere(void **state)
{
    static const char *const harmless[] = {
        "",
        "AKIAXXXXXXXXXXXXXXXX",                          /* a place holder */
        "AKIA2E0A8F3B244C9986Z",                         /* too long */
        "aAKIA2E0A8F3B244C9986",                         /* within a word */
        "AKIA2E0A8F3B244",                               /* too short */
        "sk-learn-compatible-estimators-for-everything", /* words */
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "eyJhbGciOiJIUzI1NiJ9 is the header of a token",
        "eyJhbGciOiJIUzI1NiJ9.abcDEF0123456789abcDEF.Qk3mX9_2LpZ", /* second part is no object */
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "https://example.org:8080/a@b",
        "https://anna@example.org/",
        "postgres://anna:password@db.local",
        "postgres://anna:${PASSWORD}@db.local",
        "postgres://anna:****@db.local",
        "4111 1111 1111 1112",  /* Luhn */
        "4111 1111  1111 1111", /* two blanks */
        "0000000000000000",
        "4444444444444444",
        "9111111111111111111",
        "id 14111111111111111 and on",
        "2025-07-01 09:30:00",
    };
    (void)state;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (secrets_in(harmless[i], NULL) != 0)
            fail_msg("\"%s\" is taken for a secret", harmless[i]);
}

static void test_secrets_one_behind_the_other(void **state)
{
    (void)state;
    assert_int_equal(secrets_in("AKIA2E0A8F3B244C9986 AKIA2E0A8F3B244C9987,4111111111111111", NULL),
                     3);
}

/* Any bytes, and pieces of secrets cut anywhere: no read beyond the text (the sanitizers look). */
static void test_secrets_of_any_bytes(void **state)
{
    static const char pieces[] =
        "AKIA2E0A-----BEGIN RSA PRIVATE KEYeyJa.eyJ://a:b@4111 1111sk-xoxb-";
    const uint64_t seed = 7;
    memo_rng rng;
    (void)state;
    memo_rng_init(&rng, seed);
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)memo_rng_below(&rng, 64);
        char *bytes = malloc(n + 1), *text = n ? malloc(n) : NULL;
        memo_secret secret = {0};
        for (size_t i = 0; i < n; i++)
            bytes[i] = memo_rng_below(&rng, 4) ? pieces[(i + (size_t)round) % (sizeof pieces - 1)]
                                               : (char)memo_rng_below(&rng, 256);
        if (n)
            memcpy(text, bytes, n);
        while (memo_secret_next((memo_text){n ? text : "", n}, secret.end, &secret))
            assert_true(secret.begin < secret.end && secret.end <= n);
        free(bytes);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_of_each_kind),
        cmocka_unit_test(test_secrets_are_not_seen_everywhere),
        cmocka_unit_test(test_secrets_one_behind_the_other),
        cmocka_unit_test(test_secrets_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
