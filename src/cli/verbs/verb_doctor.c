// SPDX-License-Identifier: Apache-2.0
/* doctor: settings, machine, model and store, one finding a line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/machine.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/doctor.h"
#include "cli/verbs/verbs.h"

extern char **environ;

typedef struct doctor_state {
    cli_app *app;
    memo_finding_level worst;
    size_t n, n_bad;
    memo_status status; /* of the first bad finding */
} doctor_state;

static const char *const doctor_levels[] = {"ok", "warn", "bad"};

void cli_doctor_put_finding(cli_out *out, const memo_finding *finding)
{
    if (out->format == CLI_FORMAT_TEXT) {
        memo_buf_printf(&out->buf, "%-4s  %-9s %s\n", doctor_levels[finding->level], finding->area,
                        finding->message);
        if (finding->hint && finding->hint[0])
            memo_buf_printf(&out->buf, "      fix: %s\n", finding->hint);
    } else {
        cli_json_open(&out->buf, '{');
        cli_json_put_string(&out->buf, "level", doctor_levels[finding->level]);
        cli_json_put_string(&out->buf, "area", finding->area);
        cli_json_put_string(&out->buf, "message", finding->message);
        cli_json_put_string(&out->buf, "fix",
                            finding->hint && finding->hint[0] ? finding->hint : NULL);
        cli_json_close(&out->buf, '}');
    }
}

static void doctor_put(doctor_state *state, const memo_finding *finding)
{
    cli_doctor_put_finding(&state->app->out, finding);
    state->n++;
    if (finding->level > state->worst)
        state->worst = finding->level;
}

/* A bad finding decides the command's status; the first one wins. */
static void doctor_bad(doctor_state *state, memo_status status, const memo_finding *finding)
{
    doctor_put(state, finding);
    state->n_bad++;
    if (state->status == MEMO_OK)
        state->status = status;
}

static void doctor_failed(doctor_state *state, const char *area, memo_status status,
                          const memo_err *why)
{
    doctor_bad(state, status, &(memo_finding){MEMO_FINDING_BAD, area, why->message, why->hint});
}

/* ---- settings and machine ------------------------------------------------------------------ */

/* A MEMOLITH_ variable that nothing reads is most likely a slip. */
static void doctor_unknown_variables(doctor_state *state)
{
    for (char **variable = environ; variable && *variable; variable++) {
        size_t n_name = strcspn(*variable, "=");
        char message[128], known[CLI_ENV_NAME_BYTES];
        int found = 0;
        if (strncmp(*variable, "MEMOLITH_", 9) != 0)
            continue;
        for (int id = 1; id <= CLI_LAST_SETTING && !found; id++) {
            cli_setting_environment(&cli_options[id], known);
            found = strlen(known) == n_name && memcmp(known, *variable, n_name) == 0;
        }
        snprintf(message, sizeof message, "%.*s is set, and nothing reads it",
                 n_name < 80 ? (int)n_name : 80, *variable);
        if (!found)
            doctor_put(state, &(memo_finding){MEMO_FINDING_WARN, "settings", message,
                                              "memolith doctor --env lists the names"});
    }
}

static void doctor_machine(doctor_state *state)
{
    char brand[64];
    uint64_t available = memo_memory_available();
    memo_buf message = {0};
    memo_cpu_brand(brand);
    memo_buf_printf(&message, "%s, level %s, %u thread%s, ", brand,
                    memo_cpu_name(memo_ctx_cpu(state->app->ctx)),
                    memo_ctx_n_threads(state->app->ctx),
                    memo_ctx_n_threads(state->app->ctx) == 1 ? "" : "s");
    if (available == UINT64_MAX)
        memo_buf_puts(&message, "memory unknown");
    else
        cli_put_bytes(&message, available);
    memo_buf_puts(&message, available == UINT64_MAX ? "" : " of memory available");
    doctor_put(state,
               &(memo_finding){MEMO_FINDING_OK, "machine", message.data ? message.data : "", ""});
    memo_buf_fini(&message);
}

/* ---- model --------------------------------------------------------------------------------- */

static void doctor_model(doctor_state *state)
{
    cli_app *app = state->app;
    memo_err why = {0};
    memo_model_info info = {.size = sizeof info};
    memo_verify_report report = {.size = sizeof report};
    char message[400];
    memo_status status = cli_app_model(app, NULL, &why);
    if (status == MEMO_ERR_NOTFOUND && app->settings.values[OPT_MODEL].origin == CLI_FROM_DEFAULT) {
        doctor_put(state, &(memo_finding){MEMO_FINDING_WARN, "model", why.message, why.hint});
        return;
    }
    if (status == MEMO_OK)
        status = memo_model_verify(app->model, &report, &why);
    if (status) {
        doctor_failed(state, "model", status, &why);
        memo_model_close(app->model); /* the store is checked without it */
        app->model = NULL;
        return;
    }
    memo_model_get_info(app->model, &info, NULL);
    snprintf(message, sizeof message,
             "%.100s %.16s, %" PRIu64 " blocks whole, self-test of %zu texts passed (difference "
             "%.2g)",
             info.name, info.fingerprint, report.n_blocks_checked, report.n_probes,
             report.probe_max_abs_diff);
    doctor_put(state, &(memo_finding){MEMO_FINDING_OK, "model", message, ""});
}

/* ---- store --------------------------------------------------------------------------------- */

static void doctor_put_count(memo_buf *out, uint64_t n, const char *name)
{
    cli_put_grouped(out, n);
    memo_buf_printf(out, " %s%s, ", name, n == 1 ? "" : "s");
}

static void doctor_stats(doctor_state *state)
{
    memo_db_stats stats = {.size = sizeof stats};
    memo_err why = {0};
    memo_buf message = {0};
    memo_status status = memo_db_get_stats(state->app->db, &stats, &why);
    if (status) {
        doctor_failed(state, "store", status, &why);
        return;
    }
    doctor_put_count(&message, stats.n_records, "record");
    doctor_put_count(&message, stats.n_chunks, "chunk");
    doctor_put_count(&message, stats.n_vectors, "vector");
    cli_put_bytes(&message, stats.file_bytes);
    memo_buf_printf(&message, ", schema %d", stats.schema_version);
    doctor_put(state,
               &(memo_finding){MEMO_FINDING_OK, "store", message.data ? message.data : "", ""});
    memo_buf_fini(&message);
}

static void doctor_put_all(doctor_state *state, const memo_findings *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        if (findings->findings[i].level == MEMO_FINDING_BAD)
            doctor_bad(state, MEMO_ERR_CORRUPT, &findings->findings[i]);
        else
            doctor_put(state, &findings->findings[i]);
}

/* One that cannot be opened: which of its pages are damaged. */
static void doctor_pages(doctor_state *state)
{
    const char *path;
    memo_err why = {0};
    memo_findings *findings = NULL;
    memo_status status = cli_settings_path(&state->app->settings, OPT_DB, &path, &why);
    if (status == MEMO_OK)
        status = memo_db_check_pages(path, &findings, &why);
    if (status)
        doctor_failed(state, "pages", status, &why);
    else
        doctor_put_all(state, findings);
    memo_findings_free(findings);
}

/* FTS5 checks its index only where it could write. */
static memo_status doctor_open(doctor_state *state, memo_err *err)
{
    memo_status status = MEMO_ERR_IO;
    if (cli_args_has(&state->app->args, OPT_VERIFY))
        status = cli_app_store(state->app, MEMO_OPEN_EXISTING, err);
    return status == MEMO_ERR_IO ? cli_app_store(state->app, MEMO_OPEN_READ_ONLY, err) : status;
}

/* What is around the store is not asked for by --verify: it is not in the file. */
static void doctor_place(doctor_state *state)
{
    memo_err why = {0};
    memo_findings *findings = NULL;
    memo_status status;
    if (cli_args_has(&state->app->args, OPT_VERIFY))
        return;
    status = memo_db_check_place(state->app->db, &findings, &why);
    if (status)
        doctor_failed(state, "place", status, &why);
    else
        doctor_put_all(state, findings);
    memo_findings_free(findings);
}

static void doctor_store(doctor_state *state)
{
    cli_app *app = state->app;
    memo_err why = {0};
    memo_findings *findings = NULL;
    memo_status status = doctor_open(state, &why);
    if (status == MEMO_ERR_NOTFOUND && app->settings.values[OPT_DB].origin == CLI_FROM_DEFAULT) {
        doctor_put(state, &(memo_finding){MEMO_FINDING_OK, "store", why.message, ""});
        return;
    }
    if (status == MEMO_OK) {
        doctor_stats(state);
        doctor_place(state);
        status = memo_db_doctor(app->db, &findings, &why);
    }
    if (status)
        doctor_failed(state, "store", status, &why);
    else
        doctor_put_all(state, findings);
    if (status == MEMO_ERR_CORRUPT)
        doctor_pages(state);
    memo_findings_free(findings);
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* The settings are shown also when nothing can be opened by them. */
static void doctor_env(cli_app *app)
{
    memo_buf *out = &app->out.buf;
    memo_err why = {0};
    (void)cli_app_find_model(app, &why);
    if (app->out.format == CLI_FORMAT_TEXT) {
        cli_settings_put_text(out, &app->settings);
        return;
    }
    cli_json_open(out, '{');
    cli_json_key(out, "settings");
    cli_settings_put_json(out, &app->settings);
    cli_json_put_string(out, "configuration_file", app->settings.config_path);
    memo_buf_puts(out, "}\n");
}

static memo_status doctor_check(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    doctor_state state = {.app = app};
    memo_status status = cli_app_ctx(app, err);
    if (status)
        return status;
    if (app->out.format != CLI_FORMAT_TEXT) {
        cli_json_open(out, '{');
        cli_json_key(out, "findings");
        cli_json_open(out, '[');
    }
    if (!cli_args_has(&app->args, OPT_VERIFY)) {
        doctor_unknown_variables(&state);
        doctor_machine(&state);
    }
    if (!cli_args_has(&app->args, OPT_VERIFY) ||
        app->settings.values[OPT_MODEL].origin == CLI_FROM_FLAG) /* the store alone, unless asked */
        doctor_model(&state);
    doctor_store(&state);
    if (app->out.format != CLI_FORMAT_TEXT) {
        cli_json_close(out, ']');
        cli_json_put_string(out, "worst", doctor_levels[state.worst]);
        memo_buf_puts(out, "}\n");
    }
    if (state.status)
        return memo_fail(err, state.status, "%zu of %zu findings %s bad", state.n_bad, state.n,
                         state.n_bad == 1 ? "is" : "are");
    return MEMO_OK;
}

memo_status cli_verb_doctor(cli_app *app, memo_err *err)
{
    static const int modes[] = {OPT_VERIFY, OPT_REPAIR, OPT_QUARANTINE, OPT_ENV, OPT_PROVE_GONE};
    int mode = 0, n = 0;
    memo_status status = cli_app_settings(app, err);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (cli_args_has(&app->args, modes[i])) {
            mode = modes[i];
            n++;
        }
    if (status == MEMO_OK && n > 1)
        status = memo_fail(err, MEMO_ERR_USAGE,
                           "--verify, --repair, --quarantine, --env and --prove-gone: one of them "
                           "at a time");
    if (status == MEMO_OK && cli_args_has(&app->args, OPT_TEXT_FILE) && mode != OPT_PROVE_GONE)
        status = memo_fail(err, MEMO_ERR_USAGE, "--text-file goes with --prove-gone ID");
    if (status == MEMO_OK && mode != OPT_REPAIR && cli_args_has(&app->args, OPT_DRY_RUN))
        status = memo_fail(err, MEMO_ERR_USAGE, "--dry-run goes with --repair");
    if (status)
        return status;
    if (mode == OPT_REPAIR)
        return cli_doctor_repair(app, err);
    if (mode == OPT_PROVE_GONE)
        return cli_doctor_prove(app, err);
    if (mode == OPT_QUARANTINE)
        return cli_doctor_quarantine(app, err);
    if (mode == OPT_ENV) {
        doctor_env(app);
        return MEMO_OK;
    }
    return doctor_check(app, err);
}
