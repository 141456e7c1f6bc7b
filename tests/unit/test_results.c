// SPDX-License-Identifier: Apache-2.0
/* Structs that a caller allocates and a call fills, each from a caller of every version: whatever size
 * it says, the bytes behind are its own. What a function makes of its result is tested elsewhere. */
#include "db_util.h"

enum { RESULT_ROOM = 8192, RESULT_MAX = 4096, RESULT_PAIRS = 60 };
#define CANARY 0xA5

/* A call that fills `result`. It can be made again and again. */
typedef memo_status (*result_fn)(db_env *e, void *result);

static memo_status result_add(db_env *e, void *result)
{
    const memo_record_in in = db_record("added", "the boiler was serviced");
    return memo_db_add(e->db, NULL, &in, 1, result, &e->err);
}

static memo_status result_edit(db_env *e, void *result)
{
    const memo_record_edit edit = {.size = sizeof edit, .title = "t"};
    return memo_db_edit(e->db, NULL, "key", &edit, result, &e->err);
}

static memo_status result_restore(db_env *e, void *result)
{
    return memo_db_restore(e->db, NULL, "key", 1, result, &e->err);
}

static memo_status result_stats(db_env *e, void *result)
{
    return memo_db_get_stats(e->db, result, &e->err);
}

/* Equal texts match, others do not: any model tells them apart. */
static memo_status result_calibrate(db_env *e, void *result)
{
    static char texts[RESULT_PAIRS][32];
    memo_pair pairs[RESULT_PAIRS];
    const memo_calibrate_options o = {.size = sizeof o, .pairs = pairs, .n_pairs = RESULT_PAIRS};
    for (int i = 0; i < RESULT_PAIRS; i++)
        snprintf(texts[i], sizeof texts[i], "note %d of %c%c", i, 'a' + i % 26, 'a' + i / 3 % 26);
    for (int i = 0; i < RESULT_PAIRS; i++) {
        const char *other = texts[i % 2 ? (i + 7) % RESULT_PAIRS : i];
        pairs[i] = (memo_pair){MEMO_STR(texts[i]), MEMO_STR(other), i % 2 == 0};
    }
    return memo_db_calibrate(e->db, &o, result, &e->err);
}

static memo_status result_entity_add(db_env *e, void *result)
{
    const memo_entity_in in = {.size = sizeof in, .name = "Anna"};
    return memo_db_entity_add(e->db, NULL, &in, result, &e->err);
}

static memo_status result_entity_alias(db_env *e, void *result)
{
    static const char *const add[] = {"Anni"};
    const memo_alias_change change = {
        .size = sizeof change, .entity = "Anna", .add = add, .n_add = 1};
    return memo_db_entity_alias(e->db, NULL, &change, result, &e->err);
}

static memo_status result_fact_add(db_env *e, void *result)
{
    const memo_fact_in in = {
        .size = sizeof in, .subject = "Anna", .relation = "likes", .value = "tea"};
    return memo_db_fact_add(e->db, NULL, &in, result, &e->err);
}

static memo_status result_fact_replace(db_env *e, void *result)
{
    const memo_fact_query q = {.size = sizeof q, .subject = "Anna", .relation = "drinks"};
    const memo_fact_in in = {.size = sizeof in, .value = "water"};
    memo_facts *facts = NULL;
    memo_status status;
    assert_memo_ok(memo_db_fact_query(e->db, &q, &facts, &e->err), e->err);
    assert_int_equal(facts->n, 1);
    status = memo_db_fact_replace(e->db, NULL, facts->facts[0].id, &in, NULL, result, &e->err);
    memo_facts_free(facts);
    return status;
}

static memo_status result_set_model(db_env *e, void *result)
{
    return memo_db_set_model(e->db, NULL, result, &e->err);
}

/* There is nothing to go back to: the report is filled all the same. */
static memo_status result_rollback(db_env *e, void *result)
{
    const memo_set_model_options o = {.size = sizeof o, .all = 1};
    memo_status status = memo_db_rollback_model(e->db, &o, result, &e->err);
    return status == MEMO_ERR_NOTFOUND ? MEMO_OK : status;
}

static memo_status result_import(db_env *e, void *result)
{
    char path[512];
    const char *const paths[] = {memo_test_path(path, e->dir, "tiny-1/vocab.txt")};
    return memo_db_import(e->db, paths, 1, NULL, result, &e->err);
}

static int result_take(void *user, const char *bytes, size_t n_bytes)
{
    (void)user, (void)bytes, (void)n_bytes;
    return 0;
}

static memo_status result_export(db_env *e, void *result)
{
    return memo_db_export(e->db, NULL, result_take, NULL, result, &e->err);
}

static memo_status result_backup(db_env *e, void *result)
{
    const memo_backup_options o = {.size = sizeof o, .overwrite = 1};
    char path[512];
    return memo_db_backup(e->db, memo_test_path(path, e->dir, "copy.memo"), &o, result, &e->err);
}

static memo_status result_link(db_env *e, void *result)
{
    return memo_db_link(e->db, NULL, result, &e->err);
}

static memo_status result_get_links(db_env *e, void *result)
{
    return memo_db_get_links(e->db, result, &e->err);
}

static memo_status result_get_search_log(db_env *e, void *result)
{
    return memo_db_get_search_log(e->db, result, &e->err);
}

static memo_status result_info(db_env *e, void *result)
{
    return memo_model_get_info(e->model, result, &e->err);
}

static memo_status result_weight(db_env *e, void *result)
{
    return memo_model_get_weight(e->model, 0, result, &e->err);
}

static memo_status result_plan(db_env *e, void *result)
{
    return memo_model_plan(e->model, 100, 3, 1, result, &e->err);
}

static memo_status result_embed(db_env *e, void *result)
{
    const memo_text text = MEMO_TEXT("the spare key");
    float vector[TINY_HIDDEN];
    return memo_model_embed(e->model, NULL, &text, 1, vector, result, &e->err);
}

static memo_status result_source(db_env *e, void *result)
{
    char path[512];
    return memo_model_check_source(e->model, memo_test_path(path, e->dir, "tiny-1"), result,
                                   &e->err);
}

static memo_status result_verify(db_env *e, void *result)
{
    return memo_model_verify(e->model, result, &e->err);
}

static const struct {
    const char *name;
    result_fn fn;
    size_t size;
} results[] = {
    {"memo_add_result", result_add, sizeof(memo_add_result)},
    {"memo_add_result", result_edit, sizeof(memo_add_result)},
    {"memo_add_result", result_restore, sizeof(memo_add_result)},
    {"memo_db_stats", result_stats, sizeof(memo_db_stats)},
    {"memo_calibration", result_calibrate, sizeof(memo_calibration)},
    {"memo_entity_result", result_entity_add, sizeof(memo_entity_result)},
    {"memo_entity_result", result_entity_alias, sizeof(memo_entity_result)},
    {"memo_fact_result", result_fact_add, sizeof(memo_fact_result)},
    {"memo_fact_result", result_fact_replace, sizeof(memo_fact_result)},
    {"memo_set_model_report", result_set_model, sizeof(memo_set_model_report)},
    {"memo_set_model_report", result_rollback, sizeof(memo_set_model_report)},
    {"memo_import_report", result_import, sizeof(memo_import_report)},
    {"memo_export_report", result_export, sizeof(memo_export_report)},
    {"memo_backup_report", result_backup, sizeof(memo_backup_report)},
    {"memo_link_report", result_link, sizeof(memo_link_report)},
    {"memo_link_settings", result_get_links, sizeof(memo_link_settings)},
    {"memo_search_log", result_get_search_log, sizeof(memo_search_log)},
    {"memo_model_info", result_info, sizeof(memo_model_info)},
    {"memo_weight_info", result_weight, sizeof(memo_weight_info)},
    {"memo_plan", result_plan, sizeof(memo_plan)},
    {"memo_embed_result", result_embed, sizeof(memo_embed_result)},
    {"memo_source_check", result_source, sizeof(memo_source_check)},
    {"memo_verify_report", result_verify, sizeof(memo_verify_report)},
};
#define N_RESULTS (sizeof results / sizeof *results)

static _Alignas(16) unsigned char room[RESULT_ROOM];

/* Bytes of a caller that has set `size`, and nothing else. */
static void result_prepare(size_t size)
{
    memset(room, CANARY, sizeof room);
    memcpy(room, &size, sizeof size);
}

static void result_fill_store(db_env *e)
{
    const memo_fact_in drinks = {
        .size = sizeof drinks, .subject = "Anna", .relation = "drinks", .value = "milk"};
    db_add(e, "key", "the spare key is under the pot");
    assert_memo_ok(memo_db_fact_add(e->db, NULL, &drinks, NULL, &e->err), e->err);
}

/* The bytes from `from` to the end of the room are `byte`. */
static void result_expect(size_t i, size_t size, size_t from, size_t to, unsigned char byte)
{
    for (size_t at = from; at < to; at++)
        if (room[at] != byte)
            fail_msg("%s of %zu bytes, row %zu: byte %zu is %02x, not %02x", results[i].name, size,
                     i, at, room[at], byte);
}

static void test_results_of_every_version(void **state)
{
    db_env *e = *state;
    result_fill_store(e);
    for (size_t i = 0; i < N_RESULTS; i++) {
        size_t full = results[i].size,
               sizes[] = {sizeof full, full - 8, full, full + 64, RESULT_MAX};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            size_t size = sizes[k], after;
            result_prepare(size);
            assert_memo_ok(results[i].fn(e, room), e->err);
            memcpy(&after, room, sizeof after);
            assert_int_equal(after, size);
            result_expect(i, size, size, RESULT_ROOM, CANARY); /* the caller's own */
            if (size > full)
                result_expect(i, size, full, size, 0); /* nothing is known of them */
        }
    }
}

static void test_results_without_a_size_are_refused_before_anything_is_done(void **state)
{
    static const size_t absurd[] = {0, sizeof(size_t) - 1, RESULT_MAX + 1, SIZE_MAX};
    db_env *e = *state;
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    char path[512];
    result_fill_store(e);
    assert_memo_ok(memo_db_get_stats(e->db, &before, &e->err), e->err);
    unlink(memo_test_path(path, e->dir, "copy.memo"));
    for (size_t i = 0; i < N_RESULTS; i++)
        for (size_t k = 0; k < sizeof absurd / sizeof *absurd; k++) {
            result_prepare(absurd[k]);
            assert_memo_status(results[i].fn(e, room), MEMO_ERR_USAGE, e->err);
            assert_contains(e->err.message, results[i].name);
            assert_contains(e->err.message, "set it to sizeof(");
            result_expect(i, absurd[k], sizeof absurd[k], RESULT_ROOM, CANARY);
        }
    assert_memo_ok(memo_db_get_stats(e->db, &after, &e->err), e->err);
    assert_int_equal(after.change_seq, before.change_seq);
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- arrays -------------------------------------------------------------------------------- */

/* What a caller has whose header knows one member less, or one more. */
typedef struct older_add_result {
    size_t size;
    char id[MEMO_ID_BYTES];
    memo_outcome outcome;
    uint64_t version;
} older_add_result;

typedef struct newer_embed_result {
    memo_embed_result known;
    uint64_t later;
} newer_embed_result;

static void test_results_of_an_older_caller_lie_in_its_stride(void **state)
{
    db_env *e = *state;
    const memo_record_in in[] = {db_record("a", "one"), db_record("b", "two"),
                                 db_record("a", "three")};
    older_add_result out[4] = {{.size = sizeof *out}, {.size = 7}, {.size = 0}, {.version = 99}};
    assert_memo_ok(memo_db_add(e->db, NULL, in, 3, (memo_add_result *)(void *)out, &e->err),
                   e->err);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(out[i].size, sizeof *out);
        assert_int_equal(strlen(out[i].id), MEMO_ID_BYTES - 1);
        assert_int_equal(out[i].version, i == 2 ? 2 : 1);
        assert_int_equal(out[i].outcome, i == 2 ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_NEW);
    }
    assert_string_equal(out[0].id, out[2].id);
    assert_string_not_equal(out[0].id, out[1].id);
    assert_int_equal(out[3].version, 99); /* the caller's own */
}

static void test_results_of_a_newer_caller_lie_in_its_stride(void **state)
{
    db_env *e = *state;
    const memo_text texts[] = {MEMO_TEXT("a"), MEMO_TEXT("a b c"), MEMO_TEXT("")};
    float vectors[3 * TINY_HIDDEN];
    newer_embed_result out[4];
    memset(out, CANARY, sizeof out);
    out->known.size = sizeof *out;
    assert_memo_ok(memo_model_embed(e->model, NULL, texts, 3, vectors,
                                    (memo_embed_result *)(void *)out, &e->err),
                   e->err);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(out[i].known.size, sizeof *out);
        assert_int_equal(out[i].known.n_tokens_total, 2 + (i == 0 ? 1 : i == 1 ? 3 : 0));
        assert_int_equal(out[i].later, 0);
    }
    for (size_t at = 0; at < sizeof out[3]; at++)
        assert_int_equal(((unsigned char *)&out[3])[at], CANARY);
}

/* Asked for none, nobody's size is read. */
static void test_results_of_nothing_need_no_size(void **state)
{
    db_env *e = *state;
    memo_add_result added = {.size = 0};
    memo_embed_result embedded = {.size = 0};
    assert_memo_ok(memo_db_add(e->db, NULL, NULL, 0, &added, &e->err), e->err);
    assert_memo_ok(memo_model_embed(e->model, NULL, NULL, 0, NULL, &embedded, &e->err), e->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_results_of_every_version),
        db_test(test_results_without_a_size_are_refused_before_anything_is_done),
        db_test(test_results_of_an_older_caller_lie_in_its_stride),
        db_test(test_results_of_a_newer_caller_lie_in_its_stride),
        db_test(test_results_of_nothing_need_no_size),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
