// SPDX-License-Identifier: Apache-2.0

#include "base/error.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/verbs/verbs.h"

memo_status cli_verb_help(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf, name = {0};
    memo_status status = MEMO_OK;
    cli_args_join(&app->args, &name); /* "model compile" is two words */
    const cli_verb *verb = name.n > 0 ? cli_verb_find(name.data) : NULL;
    if (cli_args_has(&app->args, OPT_JSON)) {
        cli_help_json(out);
    } else if (cli_args_has(&app->args, OPT_SETTINGS_MARKDOWN)) {
        cli_settings_put_markdown(out);
    } else if (name.n == 0) {
        cli_help_all(out);
    } else if (verb) {
        cli_help_verb(out, verb);
    } else if (cli_verb_is_group(name.data)) {
        cli_help_group(out, name.data);
    } else {
        const char *near = cli_nearest_verb(name.data);
        memo_fail(err, MEMO_ERR_USAGE, "there is no verb \"%s\"", name.data);
        status = near ? memo_hint(err, MEMO_ERR_USAGE, "memolith help %s?", near)
                      : memo_hint(err, MEMO_ERR_USAGE, "memolith help");
    }
    memo_buf_fini(&name);
    return status;
}

memo_status cli_verb_version(cli_app *app, memo_err *err)
{
    memo_buf *out = &app->out.buf;
    (void)err;
    if (app->out.format == CLI_FORMAT_TEXT) {
        memo_buf_printf(out, "memolith %s\n", memo_version());
        return MEMO_OK;
    }
    cli_json_open(out, '{');
    cli_json_put_string(out, "program", "memolith");
    cli_json_put_string(out, "version", memo_version());
    memo_buf_puts(out, "}\n");
    return MEMO_OK;
}
