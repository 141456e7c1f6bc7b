// SPDX-License-Identifier: Apache-2.0
/* entity add, alias, merge, get, list and forget: who and what. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static void entity_put_result(cli_app *app, const memo_entity_result *result)
{
    static const char *const outcomes[] = {"new", "changed", "unchanged"};
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s\n", result->id);
        return;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", result->id);
    cli_json_put_string(out, "outcome", outcomes[result->outcome]);
    memo_buf_puts(out, "}\n");
}

/* ---- add and alias ------------------------------------------------------------------------- */

memo_status cli_verb_entity_add(cli_app *app, memo_err *err)
{
    memo_entity_in in = {.size = sizeof in, .kind = cli_args_text(&app->args, OPT_KIND)};
    memo_entity_result result = {.size = sizeof result};
    memo_buf name = {0}, metadata = {0};
    const char **pairs = NULL;
    size_t n_pairs = 0;
    memo_status status = cli_args_list(&app->args, OPT_META, &pairs, &n_pairs, err);
    const char **aliases = NULL;
    if (status == MEMO_OK && n_pairs)
        status = cli_meta_object(&metadata, pairs, n_pairs, err);
    if (status == MEMO_OK)
        status = cli_args_list(&app->args, OPT_ALIAS, &aliases, &in.n_aliases, err);
    cli_args_join(&app->args, &name);
    if (status == MEMO_OK && (name.failed || metadata.failed))
        status = memo_fail_nomem(err, "a name", name.n);
    in.name = name.data;
    in.aliases = aliases;
    in.metadata_json = n_pairs ? metadata.data : NULL;
    in.distinct = cli_args_has(&app->args, OPT_DISTINCT);
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_CREATE, err);
    if (status == MEMO_OK)
        status = memo_db_entity_add(app->db, cli_app_ns(app), &in, &result, err);
    if (status == MEMO_OK)
        entity_put_result(app, &result);
    memo_free(aliases);
    memo_free(pairs);
    memo_buf_fini(&metadata);
    memo_buf_fini(&name);
    return status;
}

memo_status cli_verb_entity_alias(cli_app *app, memo_err *err)
{
    memo_alias_change change = {.size = sizeof change, .entity = app->args.words[0]};
    memo_entity_result result = {.size = sizeof result};
    const char **add = NULL, **gone = NULL;
    memo_status status = cli_args_list(&app->args, OPT_ADD_ALIAS, &add, &change.n_add, err);
    if (status == MEMO_OK)
        status = cli_args_list(&app->args, OPT_REMOVE_ALIAS, &gone, &change.n_remove, err);
    if (status == MEMO_OK && change.n_add + change.n_remove == 0)
        status =
            memo_hint(err, memo_fail(err, MEMO_ERR_USAGE, "entity alias needs --add or --remove"),
                      "%s", app->args.verb->example);
    change.add = add;
    change.remove = gone;
    if (status == MEMO_OK)
        status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_entity_alias(app->db, cli_app_ns(app), &change, &result, err);
    if (status == MEMO_OK)
        entity_put_result(app, &result);
    memo_free(add);
    memo_free(gone);
    return status;
}

/* ---- merge and forget ---------------------------------------------------------------------- */

memo_status cli_verb_entity_merge(cli_app *app, memo_err *err)
{
    uint64_t n = 0;
    memo_buf *out = &app->out.buf;
    memo_status status = cli_app_store(app, MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK)
        status = memo_db_entity_merge(app->db, cli_app_ns(app), app->args.words[0],
                                      app->args.words[1], &n, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "merged; %" PRIu64 " fact%s moved\n", n, n == 1 ? "" : "s");
        return MEMO_OK;
    }
    cli_json_open(out, '{');
    cli_json_put_u64(out, "facts", n);
    memo_buf_puts(out, "}\n");
    return MEMO_OK;
}

/* How many facts are about the entity, retracted ones too. */
static memo_status entity_count_facts(cli_app *app, const char *entity, uint64_t *n, memo_err *err)
{
    memo_fact_query query = {.size = sizeof query,
                             .ns = cli_app_ns(app),
                             .about = entity,
                             .any_time = 1,
                             .retracted = 1,
                             .limit = 1000};
    memo_facts *facts = NULL, *page = NULL;
    memo_status status;
    do {
        status = memo_db_fact_query(app->db, &query, &page, err);
        memo_facts_free(facts); /* it held query.after */
        facts = status == MEMO_OK ? page : NULL;
        query.after = facts ? facts->next : NULL;
        *n += facts ? facts->n : 0;
    } while (query.after);
    memo_facts_free(facts);
    return status;
}

memo_status cli_verb_entity_forget(cli_app *app, memo_err *err)
{
    uint64_t n = 0;
    memo_buf *out = &app->out.buf;
    int dry_run = cli_args_has(&app->args, OPT_DRY_RUN);
    memo_status status =
        cli_app_store(app, dry_run ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING, err);
    if (status == MEMO_OK && dry_run)
        status = entity_count_facts(app, app->args.words[0], &n, err);
    else if (status == MEMO_OK)
        status = memo_db_entity_forget(app->db, cli_app_ns(app), app->args.words[0], &n, err);
    if (status)
        return status;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "%s 1 entity and %" PRIu64 " fact%s\n",
                        dry_run ? "would forget" : "forgot", n, n == 1 ? "" : "s");
        return MEMO_OK;
    }
    cli_json_open(out, '{');
    cli_json_put_u64(out, "facts", n);
    cli_json_key(out, "dry_run");
    cli_json_bool(out, dry_run);
    memo_buf_puts(out, "}\n");
    return MEMO_OK;
}

/* ---- get and list -------------------------------------------------------------------------- */

static void entity_put_json(memo_buf *out, const memo_entity *entity)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "id", entity->id);
    cli_json_put_string(out, "name", entity->name);
    cli_json_put_string(out, "kind", entity->kind);
    cli_json_key(out, "aliases");
    cli_json_strings(out, entity->aliases, entity->n_aliases);
    cli_json_key(out, "metadata");
    cli_json_raw(out, entity->metadata_json);
    cli_json_key(out, "created");
    cli_json_date(out, entity->created_ms);
    cli_json_key(out, "updated");
    cli_json_date(out, entity->updated_ms);
    cli_json_close(out, '}');
}

/* "ID  Anna Schmidt (person), also Anni" */
static void entity_put_text(cli_out *out, const memo_entity *entity)
{
    memo_buf_printf(&out->buf, "%s  ", entity->id);
    cli_put_style(out, CLI_BOLD);
    cli_put_line(&out->buf, entity->name, strlen(entity->name), SIZE_MAX);
    cli_put_style(out, CLI_PLAIN);
    if (entity->kind[0]) {
        memo_buf_puts(&out->buf, " (");
        cli_put_line(&out->buf, entity->kind, strlen(entity->kind), SIZE_MAX);
        memo_buf_putc(&out->buf, ')');
    }
    for (size_t i = 0; i < entity->n_aliases; i++) {
        memo_buf_puts(&out->buf, i ? ", " : ", also ");
        cli_put_line(&out->buf, entity->aliases[i], strlen(entity->aliases[i]), SIZE_MAX);
    }
    if (strcmp(entity->metadata_json, "{}") != 0)
        memo_buf_printf(&out->buf, "  %s", entity->metadata_json);
    memo_buf_putc(&out->buf, '\n');
}

static void entity_warn_damaged(const memo_entities *entities)
{
    for (size_t i = 0; i < entities->n_damaged_ids; i++)
        cli_warn("%s is damaged and left out", entities->damaged[i]);
}

memo_status cli_verb_entity_get(cli_app *app, memo_err *err)
{
    memo_entities *entities = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_entity_get(app->db, cli_app_ns(app), app->args.words[0], &entities, err);
    if (status)
        return status;
    entity_warn_damaged(entities);
    if (app->out.format == CLI_FORMAT_TEXT) {
        entity_put_text(&app->out, &entities->entities[0]);
    } else {
        entity_put_json(&app->out.buf, &entities->entities[0]);
        memo_buf_putc(&app->out.buf, '\n');
    }
    memo_entities_free(entities);
    return MEMO_OK;
}

static void entity_put_list(cli_app *app, const memo_entities *entities)
{
    memo_buf *out = &app->out.buf;
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_open(out, '{');
        cli_json_key(out, "entities");
        cli_json_open(out, '[');
    }
    for (size_t i = 0; i < entities->n; i++) {
        if (app->out.format == CLI_FORMAT_TEXT)
            entity_put_text(&app->out, &entities->entities[i]);
        else
            entity_put_json(out, &entities->entities[i]);
        if (app->out.format == CLI_FORMAT_NDJSON)
            memo_buf_putc(out, '\n');
    }
    if (app->out.format == CLI_FORMAT_JSON) {
        cli_json_close(out, ']');
        cli_json_put_string(out, "next", entities->next);
        memo_buf_puts(out, "}\n");
    }
    if (app->out.format == CLI_FORMAT_TEXT && entities->next)
        cli_say("there are more: -k N, or --after %s", entities->next);
    if (app->out.format == CLI_FORMAT_TEXT && entities->n == 0)
        cli_say("no entity");
}

memo_status cli_verb_entity_list(cli_app *app, memo_err *err)
{
    const memo_entity_list_options options = {
        .size = sizeof options,
        .ns = cli_app_ns(app),
        .kind = cli_args_text(&app->args, OPT_KIND),
        .name = cli_args_text(&app->args, OPT_ENTITY_NAME),
        .limit = (size_t)cli_args_number(&app->args, OPT_ENTITY_LIMIT, 0),
        .after = cli_args_text(&app->args, OPT_AFTER),
    };
    memo_entities *entities = NULL;
    memo_status status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
    if (status == MEMO_OK)
        status = memo_db_entity_list(app->db, &options, &entities, err);
    if (status)
        return status;
    entity_warn_damaged(entities);
    entity_put_list(app, entities);
    memo_entities_free(entities);
    return MEMO_OK;
}
