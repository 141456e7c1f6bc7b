// SPDX-License-Identifier: Apache-2.0
/* The C interface given what it must refuse.
 *
 *   203  NULL handles, texts and results        test_limits_203_*
 *   204  lengths beyond SSIZE_MAX               test_limits_204_*
 *   205  callbacks that use their own handle    test_limits_205_*
 *   207  structs of another version             test_limits_207_*
 */
#include "db_util.h"

/* ---- 203 ----------------------------------------------------------------------------------- */

#define REFUSED(call) assert_memo_status(call, MEMO_ERR_USAGE, e->err)

static const memo_text limits_text = MEMO_TEXT("the spare key");

static void null_ctx(db_env *e)
{
    REFUSED(memo_ctx_new(NULL, NULL, &e->err));
    memo_ctx_free(NULL);
    assert_int_equal(memo_ctx_cpu(NULL), MEMO_CPU_AUTO);
    assert_int_equal(memo_ctx_n_threads(NULL), 0);
    REFUSED(memo_set_allocator(NULL, &e->err));
}

static void null_names(db_env *e)
{
    (void)e;
    assert_string_equal(memo_class_name((memo_class)99), "unknown");
    assert_string_equal(memo_cpu_name((memo_cpu)99), "unknown");
    assert_string_equal(memo_lane_name((memo_lane)99), "unknown");
    assert_string_equal(memo_status_name((memo_status)99), "unknown");
    assert_non_null(memo_status_text((memo_status)99));
    assert_int_not_equal(memo_status_exit_code((memo_status)99), 0);
    assert_int_equal(memo_status_http((memo_status)99), 500);
    assert_non_null(memo_version());
}

static void null_frees(db_env *e)
{
    (void)e;
    memo_compile_report_free(NULL);
    memo_db_close(NULL);
    memo_findings_free(NULL);
    memo_hits_free(NULL);
    memo_context_free(NULL);
    memo_model_close(NULL);
    memo_records_free(NULL);
    memo_tensor_list_free(NULL);
    memo_tokens_free(NULL);
}

static void null_model_open(db_env *e)
{
    static const char path[] = "model";
    memo_model *model = NULL;
    REFUSED(memo_model_open(NULL, path, NULL, &model, &e->err));
    REFUSED(memo_model_open(e->ctx, NULL, NULL, &model, &e->err));
    REFUSED(memo_model_open(e->ctx, path, NULL, NULL, &e->err));
    REFUSED(memo_model_open_memory(NULL, path, 1, NULL, &model, &e->err));
    REFUSED(memo_model_open_memory(e->ctx, NULL, 1, NULL, &model, &e->err));
    REFUSED(memo_model_open_memory(e->ctx, path, 1, NULL, NULL, &e->err));
    assert_null(model);
}

static void null_model_embed(db_env *e)
{
    const memo_text no_bytes = {NULL, 3};
    float vector[TINY_HIDDEN];
    memo_plan plan = {.size = sizeof plan};
    REFUSED(memo_model_embed(NULL, NULL, &limits_text, 1, vector, NULL, &e->err));
    REFUSED(memo_model_embed(e->model, NULL, NULL, 1, vector, NULL, &e->err));
    REFUSED(memo_model_embed(e->model, NULL, &limits_text, 1, NULL, NULL, &e->err));
    REFUSED(memo_model_embed(e->model, NULL, &no_bytes, 1, vector, NULL, &e->err));
    assert_memo_ok(memo_model_embed(e->model, NULL, NULL, 0, NULL, NULL, &e->err), e->err);
    REFUSED(memo_model_plan(NULL, 1, 1, 1, &plan, &e->err));
    REFUSED(memo_model_plan(e->model, 1, 1, 1, NULL, &e->err));
}

static void null_model_tokenize(db_env *e)
{
    const memo_text no_bytes = {NULL, 3};
    memo_tokens *tokens = NULL;
    size_t n = 1;
    REFUSED(memo_model_tokenize(NULL, limits_text, NULL, &tokens, &e->err));
    REFUSED(memo_model_tokenize(e->model, limits_text, NULL, NULL, &e->err));
    REFUSED(memo_model_tokenize(e->model, no_bytes, NULL, &tokens, &e->err));
    assert_null(tokens);
    assert_null(memo_model_token(NULL, 0, &n));
    assert_int_equal(n, 0);
    assert_null(memo_model_token(e->model, UINT32_MAX, &n));
    assert_non_null(memo_model_token(e->model, 0, NULL));
}

static void null_model_rest(db_env *e)
{
    memo_tensor_list *list = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_weight_info weight = {.size = sizeof weight};
    REFUSED(memo_model_compile(NULL, "in", "out", NULL, NULL, &e->err));
    REFUSED(memo_model_compile(e->ctx, NULL, "out", NULL, NULL, &e->err));
    REFUSED(memo_model_compile(e->ctx, "in", NULL, NULL, NULL, &e->err));
    REFUSED(memo_model_compress(NULL, "in", "out", NULL, NULL, &e->err));
    REFUSED(memo_model_compress(e->ctx, NULL, "out", NULL, NULL, &e->err));
    REFUSED(memo_model_compress(e->ctx, "in", NULL, NULL, NULL, &e->err));
    REFUSED(memo_model_inspect(NULL, "in", &list, &e->err));
    REFUSED(memo_model_inspect(e->ctx, NULL, &list, &e->err));
    REFUSED(memo_model_inspect(e->ctx, "in", NULL, &e->err));
    REFUSED(memo_model_verify(NULL, NULL, &e->err));
    REFUSED(memo_model_check_source(NULL, "in", NULL, &e->err));
    REFUSED(memo_model_check_source(e->model, NULL, NULL, &e->err));
    REFUSED(memo_model_get_weight(NULL, 0, &weight, &e->err));
    REFUSED(memo_model_get_weight(e->model, 0, NULL, &e->err));
    REFUSED(memo_model_get_info(e->model, NULL, &e->err));
    REFUSED(memo_model_get_info(NULL, &info, &e->err));
}

static void null_fidelity(db_env *e)
{
    memo_fidelity_report *report = NULL;
    double found;
    const memo_fidelity_options o = {.size = sizeof o, .against = e->model};
    const memo_fidelity_report any = {.n_layers = 0};
    REFUSED(memo_model_fidelity(NULL, &o, &report, &e->err));
    REFUSED(memo_model_fidelity(e->model, &o, NULL, &e->err));
    REFUSED(memo_model_fidelity(e->model, NULL, &report, &e->err));
    REFUSED(memo_fidelity_gate(NULL, "cos", 0.9, &found, &e->err));
    REFUSED(memo_fidelity_gate(&any, NULL, 0.9, &found, &e->err));
    REFUSED(memo_model_get_report(NULL, &report, &e->err));
    REFUSED(memo_model_get_report(e->model, NULL, &e->err));
    memo_fidelity_free(NULL);
    assert_null(report);
}

static void null_history(db_env *e)
{
    memo_records *records = NULL;
    memo_changes *changes = NULL;
    memo_shred_report *report = NULL;
    assert_string_equal(memo_change_kind_name((memo_change_kind)99), "unknown");
    REFUSED(memo_db_history(NULL, NULL, "a", &records, &e->err));
    REFUSED(memo_db_history(e->db, NULL, NULL, &records, &e->err));
    REFUSED(memo_db_history(e->db, NULL, "a", NULL, &e->err));
    REFUSED(memo_db_restore(NULL, NULL, "a", 1, NULL, &e->err));
    REFUSED(memo_db_restore(e->db, NULL, NULL, 1, NULL, &e->err));
    REFUSED(memo_db_get_as_of(NULL, NULL, "a", 1, &records, &e->err));
    REFUSED(memo_db_get_as_of(e->db, NULL, NULL, 1, &records, &e->err));
    REFUSED(memo_db_get_as_of(e->db, NULL, "a", 1, NULL, &e->err));
    REFUSED(memo_db_changes(NULL, NULL, &changes, &e->err));
    REFUSED(memo_db_changes(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_shred(NULL, NULL, &report, &e->err));
    REFUSED(memo_db_shred(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_prove_gone(NULL, NULL, &report, &e->err));
    REFUSED(memo_db_prove_gone(e->db, NULL, &report, &e->err));
    memo_changes_free(NULL);
    memo_shred_report_free(NULL);
    assert_null(records);
    assert_null(changes);
    assert_null(report);
}

static void null_facts(db_env *e)
{
    memo_entities *entities = NULL;
    memo_facts *facts = NULL;
    REFUSED(memo_db_entity_add(NULL, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_entity_add(e->db, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_entity_alias(NULL, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_entity_alias(e->db, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_entity_merge(NULL, NULL, "a", "b", NULL, &e->err));
    REFUSED(memo_db_entity_merge(e->db, NULL, NULL, "b", NULL, &e->err));
    REFUSED(memo_db_entity_merge(e->db, NULL, "a", NULL, NULL, &e->err));
    REFUSED(memo_db_entity_forget(NULL, NULL, "a", NULL, &e->err));
    REFUSED(memo_db_entity_forget(e->db, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_entity_get(NULL, NULL, "a", &entities, &e->err));
    REFUSED(memo_db_entity_get(e->db, NULL, NULL, &entities, &e->err));
    REFUSED(memo_db_entity_get(e->db, NULL, "a", NULL, &e->err));
    REFUSED(memo_db_entity_list(NULL, NULL, &entities, &e->err));
    REFUSED(memo_db_entity_list(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_add(NULL, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_add(e->db, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_retract(NULL, NULL, "a", NULL, NULL, &e->err));
    REFUSED(memo_db_fact_retract(e->db, NULL, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_replace(NULL, NULL, "a", NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_replace(e->db, NULL, "a", NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_query(NULL, NULL, &facts, &e->err));
    REFUSED(memo_db_fact_query(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_fact_history(NULL, NULL, "a", &facts, &e->err));
    REFUSED(memo_db_fact_history(e->db, NULL, NULL, &facts, &e->err));
    REFUSED(memo_db_fact_history(e->db, NULL, "a", NULL, &e->err));
    memo_entities_free(NULL);
    memo_facts_free(NULL);
    assert_null(entities);
    assert_null(facts);
}

static void null_feedback(db_env *e)
{
    char id[MEMO_ID_BYTES];
    memo_actions *actions = NULL;
    memo_search_log log = {.size = sizeof log};
    assert_string_equal(memo_action_name((memo_action_kind)99), "unknown");
    REFUSED(memo_db_feedback(NULL, NULL, id, &e->err));
    REFUSED(memo_db_feedback(e->db, NULL, id, &e->err));
    REFUSED(memo_db_undo(NULL, "a", &e->err));
    REFUSED(memo_db_undo(e->db, NULL, &e->err));
    REFUSED(memo_db_actions(NULL, NULL, &actions, &e->err));
    REFUSED(memo_db_actions(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_flush(NULL, &e->err));
    REFUSED(memo_db_set_search_log(NULL, &log, &e->err));
    REFUSED(memo_db_set_search_log(e->db, NULL, &e->err));
    REFUSED(memo_db_get_search_log(NULL, &log, &e->err));
    REFUSED(memo_db_get_search_log(e->db, NULL, &e->err));
    memo_actions_free(NULL);
    assert_null(actions);
}

static void null_links(db_env *e)
{
    memo_links *links = NULL;
    memo_searches *searches = NULL;
    const memo_link_settings settings = {.size = sizeof settings};
    memo_link_settings found = {.size = sizeof found};
    char fingerprint[MEMO_FINGERPRINT_BYTES];
    assert_string_equal(memo_link_kind_name((memo_link_kind)99), "unknown");
    REFUSED(memo_db_links(NULL, NULL, "a", &links, &e->err));
    REFUSED(memo_db_links(e->db, NULL, NULL, &links, &e->err));
    REFUSED(memo_db_links(e->db, NULL, "a", NULL, &e->err));
    REFUSED(memo_db_link(NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_set_links(NULL, &settings, &e->err));
    REFUSED(memo_db_set_links(e->db, NULL, &e->err));
    REFUSED(memo_db_get_links(NULL, &found, &e->err));
    REFUSED(memo_db_get_links(e->db, NULL, &e->err));
    REFUSED(memo_db_searches(NULL, NULL, &searches, &e->err));
    REFUSED(memo_db_searches(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_get_model(NULL, NULL, 0, fingerprint, &e->err));
    REFUSED(memo_db_get_model(e->db, NULL, 0, NULL, &e->err));
    memo_links_free(NULL);
    memo_searches_free(NULL);
    assert_null(links);
    assert_null(searches);
}

static void null_upkeep(db_env *e)
{
    memo_findings *findings = NULL;
    memo_audit *audit = NULL;
    memo_spaces *spaces = NULL;
    assert_string_equal(memo_audit_kind_name((memo_audit_kind)99), "unknown");
    REFUSED(memo_db_check_place(NULL, &findings, &e->err));
    REFUSED(memo_db_check_place(e->db, NULL, &e->err));
    REFUSED(memo_db_audit(NULL, NULL, &audit, &e->err));
    REFUSED(memo_db_audit(e->db, NULL, NULL, &e->err));
    REFUSED(memo_db_set_model(NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_rollback_model(NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_get_spaces(NULL, &spaces, &e->err));
    REFUSED(memo_db_get_spaces(e->db, NULL, &e->err));
    REFUSED(memo_db_export(NULL, NULL, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_export(e->db, NULL, NULL, NULL, NULL, &e->err));
    memo_audit_free(NULL);
    memo_spaces_free(NULL);
    assert_null(findings);
    assert_null(audit);
    assert_null(spaces);
}

static void null_repair(db_env *e)
{
    memo_repair_report *report = NULL;
    memo_findings *findings = NULL;
    REFUSED(memo_db_repair(NULL, e->path, NULL, &report, &e->err));
    REFUSED(memo_db_repair(e->ctx, NULL, NULL, &report, &e->err));
    REFUSED(memo_db_check_pages(NULL, &findings, &e->err));
    REFUSED(memo_db_check_pages(e->path, NULL, &e->err));
    REFUSED(memo_db_quarantine(NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_quarantine(e->db, NULL, NULL, &e->err));
    memo_repair_report_free(NULL);
    assert_null(report);
    assert_null(findings);
}

static void null_db_open(db_env *e)
{
    memo_db *db = NULL;
    REFUSED(memo_db_open(NULL, e->path, NULL, &db, &e->err));
    REFUSED(memo_db_open(e->ctx, NULL, NULL, &db, &e->err));
    REFUSED(memo_db_open(e->ctx, e->path, NULL, NULL, &e->err));
    assert_null(db);
}

static void null_db_write(db_env *e)
{
    const memo_record_in no_text = {.size = sizeof no_text, .text = {NULL, 3}};
    const memo_record_edit edit = {.size = sizeof edit};
    const char *const no_path[] = {NULL};
    const char *const no_id[] = {NULL};
    const memo_forget_options forget = {.size = sizeof forget, .ids = no_id, .n_ids = 1};
    REFUSED(memo_db_add(NULL, NULL, &no_text, 1, NULL, &e->err));
    REFUSED(memo_db_add(e->db, NULL, NULL, 1, NULL, &e->err));
    REFUSED(memo_db_add(e->db, NULL, &no_text, 1, NULL, &e->err));
    REFUSED(memo_db_edit(NULL, NULL, "id", &edit, NULL, &e->err));
    REFUSED(memo_db_edit(e->db, NULL, NULL, &edit, NULL, &e->err));
    REFUSED(memo_db_edit(e->db, NULL, "id", NULL, NULL, &e->err));
    REFUSED(memo_db_forget(NULL, &forget, NULL, NULL, &e->err));
    REFUSED(memo_db_forget(e->db, NULL, NULL, NULL, &e->err));
    REFUSED(memo_db_forget(e->db, &forget, NULL, NULL, &e->err));
    REFUSED(memo_db_import(NULL, no_path, 1, NULL, NULL, &e->err));
    REFUSED(memo_db_import(e->db, NULL, 1, NULL, NULL, &e->err));
    REFUSED(memo_db_import(e->db, no_path, 1, NULL, NULL, &e->err));
    REFUSED(memo_db_backup(NULL, "copy", NULL, NULL, &e->err));
    REFUSED(memo_db_backup(e->db, NULL, NULL, NULL, &e->err));
}

static void null_db_read(db_env *e)
{
    memo_records *records = NULL;
    memo_hits *hits = NULL;
    memo_findings *findings = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    REFUSED(memo_db_get(NULL, NULL, "id", &records, &e->err));
    REFUSED(memo_db_get(e->db, NULL, NULL, &records, &e->err));
    REFUSED(memo_db_get(e->db, NULL, "id", NULL, &e->err));
    REFUSED(memo_db_list(NULL, NULL, &records, &e->err));
    REFUSED(memo_db_list(e->db, NULL, NULL, &e->err));
    memo_context *context = NULL;
    memo_calibration calibration = {.size = sizeof calibration};
    const memo_context_options pack = {.size = sizeof pack, .budget_tokens = 9};
    REFUSED(memo_db_context(NULL, limits_text, &pack, &context, &e->err));
    REFUSED(memo_db_context(e->db, limits_text, &pack, NULL, &e->err));
    REFUSED(memo_db_calibrate(NULL, NULL, &calibration, &e->err));
    REFUSED(memo_db_calibrate(e->db, NULL, NULL, &e->err));
    assert_null(context);
    REFUSED(memo_db_search(NULL, limits_text, NULL, &hits, &e->err));
    REFUSED(memo_db_search(e->db, limits_text, NULL, NULL, &e->err));
    REFUSED(memo_db_search(e->db, (memo_text){NULL, 3}, NULL, &hits, &e->err));
    REFUSED(memo_db_doctor(NULL, &findings, &e->err));
    REFUSED(memo_db_doctor(e->db, NULL, &e->err));
    REFUSED(memo_db_get_stats(NULL, &stats, &e->err));
    REFUSED(memo_db_get_stats(e->db, NULL, &e->err));
    assert_null(records);
    assert_null(hits);
    assert_null(findings);
}

/* Every exported function, by what tries it. */
static const struct {
    void (*attempt)(db_env *e);
    const char *names;
} limits_calls[] = {
    {null_ctx, "memo_ctx_new memo_ctx_free memo_ctx_cpu memo_ctx_n_threads memo_set_allocator"},
    {null_names, "memo_class_name memo_cpu_name memo_lane_name memo_status_name memo_status_text "
                 "memo_status_exit_code memo_status_http memo_version"},
    {null_frees,
     "memo_compile_report_free memo_db_close memo_findings_free memo_hits_free memo_context_free "
     "memo_model_close memo_records_free memo_tensor_list_free memo_tokens_free"},
    {null_model_open, "memo_model_open memo_model_open_memory"},
    {null_model_embed, "memo_model_embed memo_model_plan"},
    {null_model_tokenize, "memo_model_tokenize memo_model_token"},
    {null_model_rest, "memo_model_compile memo_model_compress memo_model_inspect "
                      "memo_model_verify memo_model_check_source memo_model_get_info "
                      "memo_model_get_weight"},
    {null_fidelity, "memo_model_fidelity memo_model_get_report memo_fidelity_gate "
                    "memo_fidelity_free"},
    {null_repair, "memo_db_repair memo_db_check_pages memo_db_quarantine memo_repair_report_free"},
    {null_db_open, "memo_db_open"},
    {null_history, "memo_change_kind_name memo_db_history memo_db_restore memo_db_get_as_of "
                   "memo_db_changes memo_changes_free memo_db_shred memo_db_prove_gone "
                   "memo_shred_report_free"},
    {null_facts, "memo_db_entity_add memo_db_entity_alias memo_db_entity_merge "
                 "memo_db_entity_forget memo_db_entity_get memo_db_entity_list memo_entities_free "
                 "memo_db_fact_add memo_db_fact_retract memo_db_fact_replace memo_db_fact_query "
                 "memo_db_fact_history memo_facts_free"},
    {null_feedback, "memo_action_name memo_db_feedback memo_db_undo memo_db_actions "
                    "memo_actions_free memo_db_flush memo_db_set_search_log "
                    "memo_db_get_search_log"},
    {null_links, "memo_link_kind_name memo_db_links memo_links_free memo_db_link memo_db_set_links "
                 "memo_db_get_links memo_db_searches memo_searches_free memo_db_get_model"},
    {null_upkeep, "memo_db_check_place memo_audit_kind_name memo_db_audit memo_audit_free "
                  "memo_db_set_model memo_db_rollback_model memo_db_get_spaces memo_spaces_free "
                  "memo_db_export"},
    {null_db_write, "memo_db_add memo_db_edit memo_db_forget memo_db_import memo_db_backup"},
    {null_db_read,
     "memo_db_get memo_db_list memo_db_search memo_db_context memo_db_calibrate memo_db_doctor "
     "memo_db_get_stats"},
};
#define LIMITS_CALLS (sizeof limits_calls / sizeof *limits_calls)

static void test_limits_203_null_is_refused_everywhere(void **state)
{
    db_env *e = *state;
    for (size_t i = 0; i < LIMITS_CALLS; i++)
        limits_calls[i].attempt(e);
    memo_db_stats stats = {.size = sizeof stats};
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 0);
}

static int limits_is_tried(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < LIMITS_CALLS; i++)
        for (const char *at = limits_calls[i].names; (at = strstr(at, name)); at += n)
            if ((at == limits_calls[i].names || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
                return 1;
    return 0;
}

static void test_limits_203_every_exported_function_is_tried(void **state)
{
    char line[128];
    size_t n = 0;
    FILE *f = fopen(MEMO_SOURCE_DIR "/tools/exports.txt", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!*line || *line == '#')
            continue;
        n++;
        if (!limits_is_tried(line))
            fail_msg("%s is exported and not called with NULL here", line);
    }
    fclose(f);
    assert_true(n > 40);
}

static void test_limits_203_misaligned_model(void **state)
{
    db_env *e = *state;
    static _Alignas(64) const char bytes[256];
    memo_model *model = NULL;
    assert_memo_status(memo_model_open_memory(e->ctx, bytes + 1, 128, NULL, &model, &e->err),
                       MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "64");
}

/* ---- 204 ----------------------------------------------------------------------------------- */

static void test_limits_204_lengths_beyond_memory(void **state)
{
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2 + 1};
    static _Alignas(64) const char bytes[64];
    db_env *e = *state;
    float vector[TINY_HIDDEN];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const memo_text text = {bytes, lengths[i]};
        memo_record_in in = {.size = sizeof in, .text = text};
        memo_tokens *tokens = NULL;
        memo_hits *hits = NULL;
        memo_plan plan = {.size = sizeof plan};
        const int64_t live = memo_alloc_live();
        assert_memo_status(memo_model_embed(e->model, NULL, &text, 1, vector, NULL, &e->err),
                           MEMO_ERR_LIMIT, e->err);
        assert_memo_status(
            memo_model_embed(e->model, NULL, &limits_text, lengths[i], vector, NULL, &e->err),
            MEMO_ERR_LIMIT, e->err);
        assert_memo_status(memo_model_tokenize(e->model, text, NULL, &tokens, &e->err),
                           MEMO_ERR_LIMIT, e->err);
        assert_memo_status(memo_model_plan(e->model, lengths[i], 1, 1, &plan, &e->err),
                           MEMO_ERR_LIMIT, e->err);
        assert_memo_status(memo_model_plan(e->model, 1, lengths[i], 1, &plan, &e->err),
                           MEMO_ERR_LIMIT, e->err);
        assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_LIMIT, e->err);
        assert_memo_status(memo_db_add(e->db, NULL, &in, lengths[i], NULL, &e->err), MEMO_ERR_LIMIT,
                           e->err);
        assert_memo_status(memo_db_search(e->db, text, NULL, &hits, &e->err), MEMO_ERR_LIMIT,
                           e->err);
        assert_int_equal(memo_alloc_live(), live);
    }
}

/* ---- 205 ----------------------------------------------------------------------------------- */

typedef struct limits_reentry {
    db_env *e;
    unsigned n_calls;
} limits_reentry;

/* Every way back into the handle. */
static int limits_reenter(void *user, const memo_progress *progress)
{
    limits_reentry *r = user;
    db_env *e = r->e;
    memo_record_in in = db_record("inner", "an inner record");
    memo_records *records = NULL;
    memo_hits *hits = NULL;
    memo_findings *findings = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    const memo_forget_options all = {.size = sizeof all, .where = "key exists"};
    (void)progress;
    r->n_calls++;
#define BUSY(call) assert_memo_status(call, MEMO_ERR_BUSY, e->err)
    BUSY(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err));
    BUSY(memo_db_forget(e->db, &all, NULL, NULL, &e->err));
    BUSY(memo_db_get(e->db, NULL, "a", &records, &e->err));
    BUSY(memo_db_list(e->db, NULL, &records, &e->err));
    BUSY(memo_db_search(e->db, limits_text, NULL, &hits, &e->err));
    BUSY(memo_db_doctor(e->db, &findings, &e->err));
    BUSY(memo_db_get_stats(e->db, &stats, &e->err));
    BUSY(memo_db_backup(e->db, "copy", NULL, NULL, &e->err));
#undef BUSY
    return 0;
}

static void limits_reenter_bad(void *user, const char *path, uint64_t line, const memo_err *why)
{
    (void)path, (void)line, (void)why;
    limits_reenter(user, NULL);
}

static void test_limits_205_a_callback_may_not_use_its_handle(void **state)
{
    db_env *e = *state;
    limits_reentry r = {e, 0};
    memo_write_options write = {
        .size = sizeof write, .progress = limits_reenter, .progress_user = &r};
    memo_backup_options backup = {
        .size = sizeof backup, .progress = limits_reenter, .progress_user = &r};
    memo_import_options import = {.size = sizeof import,
                                  .progress = limits_reenter,
                                  .progress_user = &r,
                                  .on_bad = limits_reenter_bad,
                                  .on_bad_user = &r,
                                  .skip_bad = 1};
    memo_record_in in = db_record("a", "the spare key is under the flower pot");
    memo_record_edit edit = {.size = sizeof edit, .text = &limits_text};
    char path[512];
    const char *paths[] = {memo_test_path(path, e->dir, "in.ndjson")};
    unsigned seen = 0;

    assert_memo_ok(memo_db_add(e->db, &write, &in, 1, NULL, &e->err), e->err);
    assert_true(r.n_calls > seen);
    seen = r.n_calls;
    assert_memo_ok(memo_db_edit(e->db, &write, "a", &edit, NULL, &e->err), e->err);
    assert_true(r.n_calls > seen);
    seen = r.n_calls;
    memo_test_write_file(path, "{\"text\":\"one\"}\n{bad\n", 20);
    assert_memo_ok(memo_db_import(e->db, paths, 1, &import, NULL, &e->err), e->err);
    assert_true(r.n_calls >= seen + 2);
    seen = r.n_calls;
    assert_memo_ok(
        memo_db_backup(e->db, memo_test_path(path, e->dir, "copy.memo"), &backup, NULL, &e->err),
        e->err);
    assert_true(r.n_calls > seen);

    /* And afterwards it is free again, with what the outer calls did and nothing else. */
    memo_db_stats stats = {.size = sizeof stats};
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 2);
}

/* One model serves many calls at once, so its callbacks may use it. */
static int limits_embed_inside(void *user, const memo_progress *progress)
{
    limits_reentry *r = user;
    float vector[TINY_HIDDEN];
    (void)progress;
    r->n_calls++;
    assert_memo_ok(memo_model_embed(r->e->model, NULL, &limits_text, 1, vector, NULL, &r->e->err),
                   r->e->err);
    return 0;
}

static void test_limits_205_a_model_may_be_used_in_its_callback(void **state)
{
    db_env *e = *state;
    limits_reentry r = {e, 0};
    const memo_embed_options options = {
        .size = sizeof options, .progress = limits_embed_inside, .progress_user = &r};
    float vector[TINY_HIDDEN];
    assert_memo_ok(memo_model_embed(e->model, &options, &limits_text, 1, vector, NULL, &e->err),
                   e->err);
    assert_true(r.n_calls > 0);
}

/* ---- 207 ----------------------------------------------------------------------------------- */

/* A call with an options struct of `size` bytes, the first of which are `bytes`. */
typedef memo_status (*limits_sized_fn)(db_env *e, const void *options);

static memo_status sized_ctx(db_env *e, const void *options)
{
    memo_ctx *ctx = NULL;
    memo_status status = memo_ctx_new(options, &ctx, &e->err);
    memo_ctx_free(ctx);
    return status;
}

static memo_status sized_model(db_env *e, const void *options)
{
    char path[512];
    memo_model *model = NULL;
    memo_status status =
        memo_model_open(e->ctx, memo_test_path(path, e->dir, "none"), options, &model, &e->err);
    memo_model_close(model);
    return status == MEMO_ERR_IO || status == MEMO_ERR_NOTFOUND ? MEMO_OK : status;
}

static memo_status sized_embed(db_env *e, const void *options)
{
    float vector[TINY_HIDDEN];
    return memo_model_embed(e->model, options, &limits_text, 1, vector, NULL, &e->err);
}

static memo_status sized_tokenize(db_env *e, const void *options)
{
    memo_tokens *tokens = NULL;
    memo_status status = memo_model_tokenize(e->model, limits_text, options, &tokens, &e->err);
    memo_tokens_free(tokens);
    return status;
}

static memo_status sized_compile(db_env *e, const void *options)
{
    memo_status status =
        memo_model_compile(e->ctx, "/nonexistent", "/nonexistent/out", options, NULL, &e->err);
    return status == MEMO_ERR_IO || status == MEMO_ERR_NOTFOUND ? MEMO_OK : status;
}

static memo_status sized_db(db_env *e, const void *options)
{
    memo_db *db = NULL;
    memo_status status = memo_db_open(e->ctx, e->path, options, &db, &e->err);
    memo_db_close(db);
    return status;
}

static memo_status sized_write(db_env *e, const void *options)
{
    const memo_record_in in = db_record("a", "the spare key");
    return memo_db_add(e->db, options, &in, 1, NULL, &e->err);
}

static memo_status sized_forget(db_env *e, const void *options)
{
    memo_status status = memo_db_forget(e->db, options, NULL, NULL, &e->err);
    return status == MEMO_ERR_USAGE && strstr(e->err.message, "nothing says") ? MEMO_OK : status;
}

static memo_status sized_import(db_env *e, const void *options)
{
    return memo_db_import(e->db, NULL, 0, options, NULL, &e->err);
}

static memo_status sized_list(db_env *e, const void *options)
{
    memo_records *records = NULL;
    memo_status status = memo_db_list(e->db, options, &records, &e->err);
    memo_records_free(records);
    return status;
}

static memo_status sized_search(db_env *e, const void *options)
{
    memo_hits *hits = NULL;
    memo_status status = memo_db_search(e->db, limits_text, options, &hits, &e->err);
    memo_hits_free(hits);
    return status == MEMO_ERR_NOTFOUND ? MEMO_OK : status;
}

static memo_status sized_backup(db_env *e, const void *options)
{
    char path[512];
    memo_test_path(path, e->dir, "sized.memo");
    unlink(path);
    return memo_db_backup(e->db, path, options, NULL, &e->err);
}

static void test_limits_207_structs_of_another_version(void **state)
{
    static const struct {
        limits_sized_fn fn;
        size_t size;
    } calls[] = {
        {sized_ctx, sizeof(memo_ctx_options)},
        {sized_model, sizeof(memo_model_options)},
        {sized_embed, sizeof(memo_embed_options)},
        {sized_tokenize, sizeof(memo_tokenize_options)},
        {sized_compile, sizeof(memo_compile_options)},
        {sized_db, sizeof(memo_db_options)},
        {sized_write, sizeof(memo_write_options)},
        {sized_forget, sizeof(memo_forget_options)},
        {sized_import, sizeof(memo_import_options)},
        {sized_list, sizeof(memo_list_options)},
        {sized_search, sizeof(memo_search_options)},
        {sized_backup, sizeof(memo_backup_options)},
    };
    db_env *e = *state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        _Alignas(16) unsigned char bytes[1024] = {0};
        size_t size = calls[i].size;
        memcpy(bytes, &size, sizeof size);
        assert_memo_ok(calls[i].fn(e, bytes), e->err);
        size = sizeof size; /* the oldest there can be */
        memcpy(bytes, &size, sizeof size);
        assert_memo_ok(calls[i].fn(e, bytes), e->err);
        size = calls[i].size + 64; /* newer, its new fields unused */
        memcpy(bytes, &size, sizeof size);
        assert_memo_ok(calls[i].fn(e, bytes), e->err);
        bytes[size - 1] = 1; /* and used */
        assert_memo_status(calls[i].fn(e, bytes), MEMO_ERR_UNSUPPORTED, e->err);
        assert_contains(e->err.message, "options");
        size = 0; /* never set */
        memcpy(bytes, &size, sizeof size);
        assert_memo_status(calls[i].fn(e, bytes), MEMO_ERR_USAGE, e->err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_limits_203_null_is_refused_everywhere),
        cmocka_unit_test(test_limits_203_every_exported_function_is_tried),
        db_test(test_limits_203_misaligned_model),
        db_test(test_limits_204_lengths_beyond_memory),
        db_test(test_limits_205_a_callback_may_not_use_its_handle),
        db_test(test_limits_205_a_model_may_be_used_in_its_callback),
        db_test(test_limits_207_structs_of_another_version),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
