// SPDX-License-Identifier: Apache-2.0
/* cli/settings.h -- the settings of options.h with the value that is in force and where it is from:
 * flag, else environment, else configuration file, else default (the model: else that of the
 * namespace, app.h). */
#ifndef MEMO_CLI_SETTINGS_H
#define MEMO_CLI_SETTINGS_H

#include "base/buf.h"
#include "cli/args.h"

typedef enum cli_origin {
    CLI_FROM_DEFAULT,
    CLI_FROM_STORE, /* instead of the default model: the namespace's own */
    CLI_FROM_FILE,
    CLI_FROM_ENVIRONMENT,
    CLI_FROM_FLAG,
} cli_origin;

typedef struct cli_setting {
    char *text; /* owned; NULL: the default, where that is not a path */
    uint64_t number;
    cli_origin origin;
} cli_setting;

typedef struct cli_settings {
    cli_setting values[CLI_END_OF_SETTINGS]; /* by cli_option_id */
    char *config_path;                       /* NULL: no home folder */
    int config_exists;
} cli_settings;

/* MEMO_ERR_USAGE names the setting, where it came from and what is allowed; MEMO_ERR_FORMAT is a
 * line of the configuration file that is not `key = value`. */
memo_status cli_settings_load(cli_settings *settings, const cli_args *args, memo_err *err);
void cli_settings_fini(cli_settings *settings);

/* The path in force. MEMO_ERR_USAGE when nothing names one and no default can be made because HOME
 * is not set. */
memo_status cli_settings_path(const cli_settings *settings, cli_option_id id, const char **path,
                              memo_err *err);

#define CLI_ENV_NAME_BYTES 40
/* "MEMOLITH_CACHE_DIR" */
void cli_setting_environment(const cli_option *option, char out[CLI_ENV_NAME_BYTES]);
const char *cli_origin_name(cli_origin origin); /* "configuration file" */

void cli_settings_put_text(memo_buf *out, const cli_settings *settings);
void cli_settings_put_json(memo_buf *out, const cli_settings *settings); /* an array */
void cli_settings_put_markdown(memo_buf *out);                           /* docs/SETTINGS.md */

#endif
