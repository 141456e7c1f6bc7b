// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/json_out.h"
#include "cli/values.h"

enum { SETTINGS_FILE_BYTES = 64 << 10 };

void cli_setting_environment(const cli_option *option, char out[CLI_ENV_NAME_BYTES])
{
    static const char prefix[] = "MEMOLITH_";
    size_t n = sizeof prefix - 1;
    memcpy(out, prefix, n);
    for (const char *c = option->name; *c && n + 1 < CLI_ENV_NAME_BYTES; c++)
        out[n++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    out[n] = '\0';
}

const char *cli_origin_name(cli_origin origin)
{
    static const char *const names[] = {"default", "namespace", "configuration file", "environment",
                                        "flag"};
    return names[origin];
}

void cli_settings_fini(cli_settings *settings)
{
    for (int id = 1; id <= CLI_LAST_SETTING; id++)
        memo_free(settings->values[id].text);
    memo_free(settings->config_path);
    *settings = (cli_settings){0};
}

/* `name` is how the user spelled the setting; it stands in the message. */
static memo_status settings_set(cli_settings *settings, int id, cli_origin origin, const char *name,
                                const char *text, memo_err *err)
{
    cli_setting *setting = &settings->values[id];
    uint64_t number = 0;
    memo_status status = cli_value_read(&cli_options[id], name, text, &number, err);
    if (status)
        return status;
    char *copy = memo_strdup(text);
    if (!copy)
        return memo_fail_nomem(err, "settings", strlen(text));
    memo_free(setting->text);
    *setting = (cli_setting){.text = copy, .number = number, .origin = origin};
    return MEMO_OK;
}

/* ---- folders ------------------------------------------------------------------------------- */

/* `name` in $variable when that is an absolute path (the XDG rule), else in $HOME/under_home; NULL
 * when HOME is not set either. *failed: out of memory. */
static char *settings_user_path(const char *variable, const char *under_home, const char *name,
                                int *failed)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    char *folder = NULL, *path = NULL;
    if (!(base && base[0] == '/') && !(home && home[0]))
        return NULL;
    folder = base && base[0] == '/' ? memo_strdup(base) : memo_path_join(home, under_home);
    path = folder ? memo_path_join(folder, name) : NULL;
    memo_free(folder);
    *failed |= path == NULL;
    return path;
}

static memo_status settings_default_paths(cli_settings *settings, memo_err *err)
{
#ifdef __APPLE__
    static const char data_folder[] = "Library/Application Support";
#else
    static const char data_folder[] = ".local/share";
#endif
    cli_setting *db = &settings->values[OPT_DB], *model = &settings->values[OPT_MODEL];
    cli_setting *cache = &settings->values[OPT_CACHE_DIR];
    int failed = 0;
    if (!db->text)
        db->text =
            settings_user_path("XDG_DATA_HOME", data_folder, "memolith/default.memo", &failed);
    if (!cache->text)
        cache->text = settings_user_path("XDG_CACHE_HOME", ".cache", "memolith", &failed);
    if (!model->text && cache->text) {
        model->text = memo_path_join(cache->text, "models/all-MiniLM-L6-v2.f32.safetensors");
        failed |= model->text == NULL;
    }
    return failed ? memo_fail_nomem(err, "settings", 0) : MEMO_OK;
}

memo_status cli_settings_path(const cli_settings *settings, cli_option_id id, const char **path,
                              memo_err *err)
{
    char environment[CLI_ENV_NAME_BYTES];
    const cli_option *option = &cli_options[id];
    *path = settings->values[id].text;
    if (*path)
        return MEMO_OK;
    cli_setting_environment(option, environment);
    memo_fail(err, MEMO_ERR_USAGE, "HOME is not set, so there is no default for --%s",
              option->name);
    return memo_hint(err, MEMO_ERR_USAGE, "--%s %s or %s=%s", option->name, option->value,
                     environment, option->value);
}

/* ---- configuration file -------------------------------------------------------------------- */

static const char *settings_candidate(const void *user, size_t i)
{
    (void)user;
    return cli_options[i + 1].name;
}

static int settings_find(const char *key)
{
    for (int id = 1; id <= CLI_LAST_SETTING; id++)
        if (strcmp(cli_options[id].name, key) == 0)
            return id;
    return OPT_NONE;
}

static char *settings_trim(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
        s[--n] = '\0';
    return s + strspn(s, " \t");
}

static memo_status settings_read_line(cli_settings *settings, char *line, size_t number,
                                      memo_err *err)
{
    char where[CLI_ENV_NAME_BYTES + 32];
    line = settings_trim(line);
    if (line[0] == '\0' || line[0] == '#')
        return MEMO_OK;
    char *equals = strchr(line, '=');
    if (!equals)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: line %zu is not `key = value`: %s",
                         settings->config_path, number, line);
    *equals = '\0';
    char *key = settings_trim(line), *value = settings_trim(equals + 1);
    int id = settings_find(key);
    if (id == OPT_NONE) {
        const char *near = cli_nearest(key, CLI_LAST_SETTING, settings_candidate, NULL);
        memo_fail(err, MEMO_ERR_FORMAT, "%s: line %zu: there is no setting \"%s\"",
                  settings->config_path, number, key);
        return near ? memo_hint(err, MEMO_ERR_FORMAT, "%s?", near)
                    : memo_hint(err, MEMO_ERR_FORMAT, "memolith help search lists them");
    }
    if (settings->values[id].text)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: line %zu: %s is set a second time",
                         settings->config_path, number, key);
    snprintf(where, sizeof where, "%s (line %zu of the configuration file)", key, number);
    return settings_set(settings, id, CLI_FROM_FILE, where, value, err);
}

static memo_status settings_read_file(cli_settings *settings, memo_err *err)
{
    char *text = NULL;
    size_t n_bytes = 0, number = 1;
    int failed = 0;
    settings->config_path =
        settings_user_path("XDG_CONFIG_HOME", ".config", "memolith/config", &failed);
    if (failed)
        return memo_fail_nomem(err, "settings", 0);
    if (!settings->config_path || !memo_path_exists(settings->config_path))
        return MEMO_OK;
    settings->config_exists = 1;
    memo_status status =
        memo_file_slurp(settings->config_path, SETTINGS_FILE_BYTES, &text, &n_bytes, err);
    if (status == MEMO_OK && strlen(text) != n_bytes)
        status = memo_fail(err, MEMO_ERR_FORMAT, "%s: a NUL byte at offset %zu",
                           settings->config_path, strlen(text));
    for (char *line = text; status == MEMO_OK && line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        status = settings_read_line(settings, line, number, err);
        line = end;
    }
    memo_free(text);
    return status;
}

memo_status cli_settings_load(cli_settings *settings, const cli_args *args, memo_err *err)
{
    memo_status status = settings_read_file(settings, err);
    for (int id = 1; id <= CLI_LAST_SETTING && status == MEMO_OK; id++) {
        const cli_option *option = &cli_options[id];
        const cli_given *flag = cli_args_find(args, (cli_option_id)id);
        char name[CLI_ENV_NAME_BYTES];
        cli_setting_environment(option, name);
        const char *environment = getenv(name);
        if (environment && environment[0])
            status = settings_set(settings, id, CLI_FROM_ENVIRONMENT, name, environment, err);
        if (flag && status == MEMO_OK)
            status = settings_set(settings, id, CLI_FROM_FLAG, option->name, flag->text, err);
    }
    return status ? status : settings_default_paths(settings, err);
}

/* ---- shown --------------------------------------------------------------------------------- */

/* The value in force, or the default in words. */
static const char *settings_value(const cli_settings *settings, int id)
{
    const char *text = settings->values[id].text;
    int is_path = cli_options[id].kind == CLI_PATH;
    return text ? text : is_path ? "(HOME is not set)" : cli_options[id].fallback;
}

/* The level that runs where one was asked for. */
static const char *settings_cpu(const cli_settings *settings)
{
    memo_cpu runs = memo_cpu_cap((memo_cpu)settings->values[OPT_CPU].number);
    if (runs == MEMO_CPU_AUTO)
        runs = memo_cpu_best();
    return memo_cpu_has(runs) ? memo_cpu_name(runs) : "nowhere here";
}

static void settings_put_without_ticks(memo_buf *out, const char *text)
{
    for (; *text; text++)
        if (*text != '`')
            memo_buf_putc(out, *text);
}

void cli_settings_put_text(memo_buf *out, const cli_settings *settings)
{
    for (int id = 1; id <= CLI_LAST_SETTING; id++) {
        char name[CLI_ENV_NAME_BYTES];
        cli_setting_environment(&cli_options[id], name);
        memo_buf_printf(out, "%-20s ", name);
        settings_put_without_ticks(out, settings_value(settings, id));
        if (id == OPT_CPU && settings->values[id].text)
            memo_buf_printf(out, ", runs %s", settings_cpu(settings));
        memo_buf_printf(out, "  (%s)\n", cli_origin_name(settings->values[id].origin));
    }
    if (settings->config_path)
        memo_buf_printf(out, "%-20s %s%s\n", "configuration file", settings->config_path,
                        settings->config_exists ? "" : "  (not there)");
}

void cli_settings_put_json(memo_buf *out, const cli_settings *settings)
{
    cli_json_open(out, '[');
    for (int id = 1; id <= CLI_LAST_SETTING; id++) {
        char name[CLI_ENV_NAME_BYTES];
        cli_setting_environment(&cli_options[id], name);
        cli_json_open(out, '{');
        cli_json_put_string(out, "name", cli_options[id].name);
        cli_json_put_string(out, "environment", name);
        cli_json_put_string(out, "value", settings->values[id].text);
        cli_json_put_string(out, "origin", cli_origin_name(settings->values[id].origin));
        if (id == OPT_CPU && settings->values[id].text)
            cli_json_put_string(out, "runs", settings_cpu(settings));
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

static void settings_markdown_row(memo_buf *out, const cli_option *option)
{
    char name[CLI_ENV_NAME_BYTES];
    cli_setting_environment(option, name);
    memo_buf_puts(out, "| `");
    if (option->letter)
        memo_buf_printf(out, "-%c`, `", option->letter);
    memo_buf_printf(out, "--%s` | `%s` | `%s` | ", option->name, name, option->name);
    if (option->kind == CLI_CHOICE)
        for (const char *c = option->value; *c; c++)
            if (*c == '|')
                memo_buf_puts(out, ", ");
            else
                memo_buf_putc(out, *c);
    else
        memo_buf_puts(out, option->value);
    if (option->kind == CLI_COUNT || option->kind == CLI_SIZE) {
        memo_buf_puts(out, ", ");
        cli_put_grouped(out, option->min);
        memo_buf_puts(out, " to ");
        cli_put_grouped(out, option->max);
    }
    memo_buf_printf(out, " | %s | %s |\n", option->fallback, option->help);
}

void cli_settings_put_markdown(memo_buf *out)
{
    memo_buf_puts(
        out,
        "<!-- Made by `memolith help --settings-markdown` from src/cli/options.h; a test compares "
        "the two. -->\n"
        "# Settings\n\n"
        "A setting can be given in four places. The first one that names it wins:\n\n"
        "1. the flag on the command line,\n"
        "2. the environment variable (empty counts as not set),\n"
        "3. the key in the configuration file,\n"
        "4. the default.\n\n"
        "`memolith doctor --env` prints every setting with its value and where it is from. What a "
        "store itself\nholds, such as the model of each namespace, is not a setting: a "
        "contradiction with it is an error.\n\n"
        "| flag | environment | key | value | default | meaning |\n"
        "| --- | --- | --- | --- | --- | --- |\n");
    for (int id = 1; id <= CLI_LAST_SETTING; id++)
        settings_markdown_row(out, &cli_options[id]);
    memo_buf_puts(
        out,
        "\nSIZE is a number of bytes, or a number with K, M, G or T (powers of 1,024).\n\n"
        "From `mem-limit` follow two more bounds, set once at the start. SQLite's heap has the "
        "same "
        "size, at least\n8 MiB: what one transaction changes, and page caches. The private data of "
        "the process (`RLIMIT_DATA`) is\nboth, 8 MiB for each thread and 512 MiB for all else; "
        "mapped models do not count, and a lower limit of\nthe caller's stays. Beyond them a call "
        "fails with NOMEM and changes nothing.\n\n"
        "## Folders\n\n"
        "| what | where |\n"
        "| --- | --- |\n"
        "| configuration file | `$XDG_CONFIG_HOME/memolith/config`, else "
        "`~/.config/memolith/config` |\n"
        "| data folder | `$XDG_DATA_HOME/memolith`, else `~/.local/share/memolith`; on macOS "
        "`~/Library/Application Support/memolith` |\n"
        "| cache folder | `MEMOLITH_CACHE_DIR`, else `$XDG_CACHE_HOME/memolith`, else "
        "`~/.cache/memolith` |\n\n"
        "The configuration file holds lines `key = value`; `#` begins a comment line. An unknown "
        "key is an error.\n\n"
        "## Other variables\n\n"
        "| variable | effect |\n"
        "| --- | --- |\n"
        "| `NO_COLOR` | not empty: no colour (there is none anyway when stdout is not a terminal) "
        "|\n"
        "| `TMPDIR` | where `embed --ndjson - -o npy` keeps its input while it counts the lines, "
        "and `import --dry-run` an empty store where there is none yet; else `/tmp` |\n");
}
