// SPDX-License-Identifier: Apache-2.0
/* Contexts: what is remembered of earlier ones changes nothing of what is handed out. */
#include "db_util.h"

#include "base/alloc.h"
#include "memory/context/context_pack.h"
#include "memory/context/passage_counts.h"

/* ---- counts -------------------------------------------------------------------------------- */

static void test_passage_counts_tell_passages_and_tokenizers_apart(void **state)
{
    memo_passage_counts counts = {0};
    memo_passage_key a = memo_passage_key_of(MEMO_STR("a passage"), 1);
    memo_passage_key b = memo_passage_key_of(MEMO_STR("another passage"), 1);
    memo_passage_key other = memo_passage_key_of(MEMO_STR("a passage"), 2);
    memo_err err = {0};
    size_t n = 0;
    (void)state;
    assert_false(memo_passage_counts_get(&counts, a, &n));
    assert_memo_ok(memo_passage_counts_put(&counts, a, 7, &err), err);
    assert_memo_ok(memo_passage_counts_put(&counts, b, 9, &err), err);
    assert_true(memo_passage_counts_get(&counts, a, &n));
    assert_int_equal(n, 7);
    assert_true(memo_passage_counts_get(&counts, b, &n));
    assert_int_equal(n, 9);
    assert_false(memo_passage_counts_get(&counts, other, &n));
    memo_passage_counts_fini(&counts);
    assert_false(memo_passage_counts_get(&counts, a, &n));
}

/* Two passages of one slot: the newer one has it. */
static void test_passage_counts_are_bounded(void **state)
{
    memo_passage_counts counts = {0};
    memo_passage_key first = {5, 100}, second = {5 + MEMO_PASSAGE_COUNTS, 100};
    memo_err err = {0};
    size_t n = 0;
    (void)state;
    assert_memo_ok(memo_passage_counts_put(&counts, first, 1, &err), err);
    assert_memo_ok(memo_passage_counts_put(&counts, second, 2, &err), err);
    assert_false(memo_passage_counts_get(&counts, first, &n));
    assert_true(memo_passage_counts_get(&counts, second, &n));
    assert_int_equal(n, 2);
    second.n_bytes++;
    assert_false(memo_passage_counts_get(&counts, second, &n));
    memo_passage_counts_fini(&counts);
}

/* ---- contexts ------------------------------------------------------------------------------ */

static memo_context *pack(db_env *e, size_t budget, memo_context_format format)
{
    const memo_context_options o = {.size = sizeof o, .budget_tokens = budget, .format = format};
    memo_context *context = NULL;
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("the spare key"), &o, &context, &e->err),
                   e->err);
    return context;
}

static void fill(db_env *e)
{
    db_add(e, "a", "the spare key is under the flower pot in the garden");
    db_add(e, "b", "the spare key of the boiler room hangs beside the door of the cellar");
    db_add(e, "c", "the spare key is under the flower pot, in the garden!");
    db_add(e, "d", "\xc3\x84nna has the key \xc3\x84nna has the key \xc3\x84nna has the key");
    db_add(e, "e", "\xc3\xa4nna has the key \xc3\x84nna HAS the key \xc3\xa4nna has the KEY");
    db_add(e, "f", "nothing of the kind");
}

/* A handle that has packed other contexts gives what a new one gives. */
static void test_context_is_the_same_from_a_new_handle(void **state)
{
    db_env *e = *state;
    size_t n_left = 0;
    fill(e);
    for (size_t i = 0; i < 24; i++) {
        size_t budget = 20 + 10 * (i / 2);
        memo_context *known, *fresh;
        memo_context_free(pack(e, 4000, MEMO_CONTEXT_MD));
        known = pack(e, budget, (memo_context_format)(i % 2));
        db_reopen(e, e->model);
        fresh = pack(e, budget, (memo_context_format)(i % 2));
        assert_string_equal(known->text, fresh->text);
        assert_int_equal(known->n_tokens, fresh->n_tokens);
        assert_int_equal(known->n_left_out, fresh->n_left_out);
        for (size_t j = 0; j < known->n_left_out; j++) {
            assert_int_equal(known->left_out[j].n_tokens, fresh->left_out[j].n_tokens);
            assert_int_equal(known->left_out[j].why, fresh->left_out[j].why);
            assert_true(known->left_out[j].n_tokens || known->left_out[j].why);
        }
        n_left += known->n_left_out;
        memo_context_free(known);
        memo_context_free(fresh);
    }
    assert_true(n_left > 24);
}

/* Case and marks do not hide a repetition, of words beyond ASCII either. */
static void test_context_leaves_out_repetitions(void **state)
{
    db_env *e = *state;
    memo_context *context;
    size_t n_duplicates = 0;
    fill(e);
    context = pack(e, 4000, MEMO_CONTEXT_MD);
    for (size_t i = 0; i < context->n_left_out; i++)
        n_duplicates += context->left_out[i].why == MEMO_LEFT_DUPLICATE;
    assert_int_equal(n_duplicates, 2);
    assert_int_equal(context->n_passages, 4);
    memo_context_free(context);
}

/* What is too long for the budget does not keep out what says the same in fewer words. */
static int context_repeats(const char *a, const char *b)
{
    const memo_hit hits[] = {{.text = a, .text_bytes = strlen(a)},
                             {.text = b, .text_bytes = strlen(b)}};
    memo_piece pieces[] = {{.hit = &hits[0]}, {.hit = &hits[1]}};
    memo_shingles room = {0};
    memo_arena arena = {0};
    memo_err err = {0};
    int repeats;
    for (size_t i = 0; i < 2; i++)
        assert_memo_ok(memo_piece_read(&pieces[i], &room, &arena, &err), err);
    repeats = memo_piece_repeats(&pieces[0], &pieces[1]);
    memo_shingles_fini(&room);
    memo_arena_fini(&arena);
    return repeats;
}

/* At least 80 of 100 of its groups of four words; what has no words repeats itself alone. */
static void test_context_pieces_repeat_by_words_or_are_the_same(void **state)
{
    (void)state;
    assert_true(context_repeats("1 2 3 4 5 6 7 8", "0 1 2 3 4 5 6 7 9")); /* four of five */
    assert_false(context_repeats("1 2 3 4 5 6 7 8", "0 1 2 3 4 5 6 9"));  /* three of five */
    assert_true(context_repeats("One two!", "one, TWO"));
    assert_false(context_repeats("one two", "one two three four five"));
    assert_true(context_repeats("...", "..."));
    assert_false(context_repeats("...", "---"));
    assert_false(context_repeats("...", "...."));
    assert_false(context_repeats("...", "one"));
    assert_false(context_repeats("one", "..."));
}

static void test_context_takes_the_short_one_when_the_long_one_does_not_fit(void **state)
{
    static const char sentence[] = "the spare key is under the flower pot in the garden";
    db_env *e = *state;
    char text[1024];
    const memo_context_options o = {
        .size = sizeof o, .budget_tokens = 100, .mode = MEMO_SEARCH_LEXICAL};
    memo_record_in in = db_record("long", text);
    memo_context *context = NULL;
    strcpy(text, sentence);
    for (int i = 0; i < 40; i++)
        strcat(text, " the spare key");
    in.text = (memo_text){text, strlen(text)};
    in.chunking = MEMO_CHUNK_NONE;
    db_put(e, in);
    db_add(e, "short", sentence);
    assert_memo_ok(memo_db_context(e->db, MEMO_STR("the spare key"), &o, &context, &e->err),
                   e->err);
    assert_int_equal(context->n_left_out, 1);
    assert_int_equal(context->left_out[0].rank, 1);
    assert_int_equal(context->left_out[0].why, MEMO_LEFT_BUDGET);
    assert_int_equal(context->n_passages, 1);
    assert_string_equal(context->passages[0].key, "short");
    memo_context_free(context);
}

/* A title ends no line, for no reader: what follows it would stand as a heading. */
static void test_context_headings_are_one_line(void **state)
{
    static const char *const ends[] = {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xc2\x85"};
    db_env *e = *state;
    memo_record_in in = db_record("a", "the spare key");
    memo_context *context;
    in.title = "A\xe2\x80\xa8[2] B\xe2\x80\xa9[3] C\xc2\x85[4] D";
    db_put(e, in);
    context = pack(e, 4000, MEMO_CONTEXT_MD);
    assert_contains(context->text, "[1] A [2] B [3] C [4] D - id");
    for (size_t i = 0; i < 3; i++)
        assert_null(strstr(context->text, ends[i]));
    memo_context_free(context);
}

static void test_context_survives_lack_of_memory(void **state)
{
    const memo_context_options o = {.size = sizeof o, .budget_tokens = 60};
    db_env *e = *state;
    memo_status status = MEMO_ERR_NOMEM;
    uint64_t n = 1;
    fill(e);
    for (; status; n++) {
        memo_context *context = NULL;
        memo_db *db = db_open_mode(e, e->model, MEMO_OPEN_READ_ONLY);
        memo_alloc_fail_at(n, 0);
        status = memo_db_context(db, MEMO_STR("spare key"), &o, &context, &e->err);
        memo_alloc_fail_at(0, 0);
        if (status)
            assert_memo_status(status, MEMO_ERR_NOMEM, e->err);
        memo_context_free(context);
        memo_db_close(db);
        assert_true(n < 20000);
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context_pieces_repeat_by_words_or_are_the_same),
        cmocka_unit_test(test_passage_counts_tell_passages_and_tokenizers_apart),
        cmocka_unit_test(test_passage_counts_are_bounded),
        db_test(test_context_is_the_same_from_a_new_handle),
        db_test(test_context_leaves_out_repetitions),
        db_test(test_context_takes_the_short_one_when_the_long_one_does_not_fit),
        db_test(test_context_headings_are_one_line),
        db_test(test_context_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
