// SPDX-License-Identifier: Apache-2.0
/* cli/verbs/verbs.h -- what each verb does, named by the table in grammar.c.
 *
 * A verb reads app->args, appends its results to app->out and returns a status; main.c prints the
 * error, flushes stdout and frees everything. */
#ifndef MEMO_CLI_VERBS_H
#define MEMO_CLI_VERBS_H

#include "cli/grammar.h"

memo_status cli_verb_add(cli_app *app, memo_err *err);
memo_status cli_verb_search(cli_app *app, memo_err *err);
memo_status cli_verb_context(cli_app *app, memo_err *err);
memo_status cli_verb_calibrate(cli_app *app, memo_err *err);
memo_status cli_verb_import(cli_app *app, memo_err *err);
memo_status cli_verb_get(cli_app *app, memo_err *err);
memo_status cli_verb_list(cli_app *app, memo_err *err);
memo_status cli_verb_edit(cli_app *app, memo_err *err);
memo_status cli_verb_forget(cli_app *app, memo_err *err);
memo_status cli_verb_history(cli_app *app, memo_err *err);
memo_status cli_verb_restore(cli_app *app, memo_err *err);
memo_status cli_verb_changes(cli_app *app, memo_err *err);
memo_status cli_verb_entity_add(cli_app *app, memo_err *err);
memo_status cli_verb_entity_alias(cli_app *app, memo_err *err);
memo_status cli_verb_entity_merge(cli_app *app, memo_err *err);
memo_status cli_verb_entity_get(cli_app *app, memo_err *err);
memo_status cli_verb_entity_list(cli_app *app, memo_err *err);
memo_status cli_verb_entity_forget(cli_app *app, memo_err *err);
memo_status cli_verb_fact_add(cli_app *app, memo_err *err);
memo_status cli_verb_fact_retract(cli_app *app, memo_err *err);
memo_status cli_verb_fact_replace(cli_app *app, memo_err *err);
memo_status cli_verb_fact_query(cli_app *app, memo_err *err);
memo_status cli_verb_fact_history(cli_app *app, memo_err *err);
memo_status cli_verb_feedback(cli_app *app, memo_err *err);
memo_status cli_verb_embed(cli_app *app, memo_err *err);
memo_status cli_verb_tokenize(cli_app *app, memo_err *err);
memo_status cli_verb_model_compile(cli_app *app, memo_err *err);
memo_status cli_verb_model_compress(cli_app *app, memo_err *err);
memo_status cli_verb_model_set(cli_app *app, memo_err *err);
memo_status cli_verb_model_rollback(cli_app *app, memo_err *err);
memo_status cli_verb_model_list(cli_app *app, memo_err *err);
memo_status cli_verb_model_show(cli_app *app, memo_err *err);
memo_status cli_verb_model_inspect(cli_app *app, memo_err *err);
memo_status cli_verb_model_verify(cli_app *app, memo_err *err);
memo_status cli_verb_model_bench(cli_app *app, memo_err *err);
memo_status cli_verb_audit(cli_app *app, memo_err *err);
memo_status cli_verb_export(cli_app *app, memo_err *err);
memo_status cli_verb_cache_list(cli_app *app, memo_err *err);
memo_status cli_verb_cache_clear(cli_app *app, memo_err *err);
memo_status cli_verb_bench(cli_app *app, memo_err *err);
memo_status cli_verb_backup(cli_app *app, memo_err *err);
memo_status cli_verb_doctor(cli_app *app, memo_err *err);
memo_status cli_verb_help(cli_app *app, memo_err *err);
memo_status cli_verb_version(cli_app *app, memo_err *err);

#endif
