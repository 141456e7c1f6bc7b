// SPDX-License-Identifier: Apache-2.0
/* What people and programs read about the command, all of it made from the tables of grammar.c. */
#include <inttypes.h>
#include <string.h>

#include "cli/grammar.h"
#include "cli/json_out.h"
#include "cli/settings.h"
#include "cli/values.h"

static const char *const help_kind_names[] = {
    [CLI_FLAG] = "flag",     [CLI_TEXT] = "text", [CLI_NAME] = "name",     [CLI_PATH] = "path",
    [CLI_COUNT] = "count",   [CLI_SIZE] = "size", [CLI_CHOICE] = "choice", [CLI_DATE] = "date",
    [CLI_EXPIRY] = "expiry", [CLI_PAIR] = "pair", [CLI_CHUNK] = "chunk",
};

/* "-k, --limit N" in a column, then the help; long ones get a line of their own. */
static void help_option(memo_buf *out, const cli_option *option)
{
    enum { COLUMN = 30 };
    size_t start = out->n;
    memo_buf_puts(out, "  ");
    if (option->letter)
        memo_buf_printf(out, "-%c, ", option->letter);
    else
        memo_buf_puts(out, "    ");
    memo_buf_printf(out, "--%s%s%s", option->name, option->kind == CLI_FLAG ? "" : " ",
                    option->value);
    if (out->n - start > COLUMN - 2)
        memo_buf_printf(out, "\n%*s", COLUMN, "");
    else
        memo_buf_printf(out, "%*s", (int)(COLUMN - (out->n - start)), "");
    memo_buf_puts(out, option->help);
    if (option->kind == CLI_COUNT) {
        memo_buf_puts(out, ", ");
        cli_put_grouped(out, option->min);
        memo_buf_puts(out, " to ");
        cli_put_grouped(out, option->max);
    }
    memo_buf_putc(out, '\n');
}

void cli_help_verb(memo_buf *out, const cli_verb *verb)
{
    memo_buf_printf(out, "%s\n\nmemolith %s: %s.\n", verb->example, verb->name, verb->summary);
    if (verb->detail)
        memo_buf_printf(out, "%s\n", verb->detail);
    memo_buf_printf(out, "\nusage: memolith %s%s%s [options]\n", verb->name,
                    verb->words[0] ? " " : "", verb->words);
    for (int settings = 0; settings < 2; settings++) {
        int any = 0;
        for (size_t i = 0; verb->options[i] != OPT_NONE; i++) {
            const cli_option *option = &cli_options[verb->options[i]];
            if ((option->fallback != NULL) != settings)
                continue;
            if (!any++)
                memo_buf_puts(out, settings ? "\nsettings, also from the environment and the "
                                              "configuration file (see memolith doctor --env):\n"
                                            : "\noptions:\n");
            help_option(out, option);
        }
    }
}

static void help_verb_line(memo_buf *out, const cli_verb *verb)
{
    memo_buf_printf(out, "  %-15s %s\n", verb->name, verb->summary);
}

void cli_help_group(memo_buf *out, const char *group)
{
    size_t n = strlen(group), first = 1;
    for (const cli_verb *verb = cli_verbs; verb->name; verb++)
        if (strncmp(verb->name, group, n) == 0 && verb->name[n] == ' ') {
            if (first)
                memo_buf_printf(out, "%s\n\n", verb->example);
            help_verb_line(out, verb);
            first = 0;
        }
    memo_buf_printf(out, "\nmemolith help %s VERB explains one.\n", group);
}

/* Codes of one status each; what has none of its own ends with 1. */
static void help_exit_codes(memo_buf *out)
{
#define HELP_EXIT(name, code, http, text)                                                          \
    if ((code) != 1)                                                                               \
        memo_buf_printf(out, "  %d  %-9s %s\n", code, cli_status_name(MEMO_##name), text);
    MEMO_STATUS_MAP(HELP_EXIT)
#undef HELP_EXIT
    memo_buf_puts(out, "  1  all other errors, each with its name in error[NAME]\n");
}

void cli_help_all(memo_buf *out)
{
    memo_buf_puts(out, "memolith add 'the spare key is under the third flower pot'\n"
                       "memolith search 'I am locked out, who has a key'\n\n"
                       "Memolith keeps texts in one file and finds them again by meaning.\n\n"
                       "usage: memolith VERB [words] [options]\n\n");
    for (const cli_verb *verb = cli_verbs; verb->name; verb++)
        help_verb_line(out, verb);
    memo_buf_puts(out, "\nmemolith help VERB explains one. -- ends the options. -o json is for "
                       "programs.\n\nexit codes:\n");
    help_exit_codes(out);
}

/* ---- for programs -------------------------------------------------------------------------- */

static void help_json_option(memo_buf *out, const cli_option *option)
{
    char letter[2] = {option->letter, '\0'}, environment[CLI_ENV_NAME_BYTES];
    int has_range = option->kind == CLI_COUNT || option->kind == CLI_SIZE;
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", option->name);
    cli_json_put_string(out, "letter", option->letter ? letter : NULL);
    cli_json_put_string(out, "kind", help_kind_names[option->kind]);
    cli_json_put_string(out, "value", option->kind == CLI_FLAG ? NULL : option->value);
    if (has_range) {
        cli_json_put_u64(out, "min", option->min);
        cli_json_put_u64(out, "max", option->max);
    }
    cli_json_key(out, "repeats");
    cli_json_bool(out, option->many);
    if (option->fallback) {
        cli_setting_environment(option, environment);
        cli_json_put_string(out, "environment", environment);
    }
    cli_json_put_string(out, "help", option->help);
    cli_json_close(out, '}');
}

static void help_json_verb(memo_buf *out, const cli_verb *verb)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", verb->name);
    cli_json_put_string(out, "words", verb->words);
    cli_json_put_string(out, "word_kind", help_kind_names[verb->word_kind]);
    cli_json_put_u64(out, "min_words", verb->min_words);
    cli_json_put_u64(out, "max_words", verb->max_words);
    cli_json_put_string(out, "example", verb->example);
    cli_json_put_string(out, "summary", verb->summary);
    cli_json_key(out, "options");
    cli_json_open(out, '[');
    for (size_t i = 0; verb->options[i] != OPT_NONE; i++)
        help_json_option(out, &cli_options[verb->options[i]]);
    cli_json_close(out, ']');
    cli_json_close(out, '}');
}

static void help_json_status(memo_buf *out, memo_status status)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", cli_status_name(status));
    cli_json_put_u64(out, "exit", (uint64_t)memo_status_exit_code(status));
    cli_json_put_string(out, "text", memo_status_text(status));
    cli_json_close(out, '}');
}

void cli_help_json(memo_buf *out)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "program", "memolith");
    cli_json_put_string(out, "version", memo_version());
    cli_json_key(out, "verbs");
    cli_json_open(out, '[');
    for (const cli_verb *verb = cli_verbs; verb->name; verb++)
        help_json_verb(out, verb);
    cli_json_close(out, ']');
    cli_json_key(out, "statuses");
    cli_json_open(out, '[');
#define HELP_STATUS(name, exit_code, http, text) help_json_status(out, MEMO_##name);
    MEMO_STATUS_MAP(HELP_STATUS)
#undef HELP_STATUS
    cli_json_close(out, ']');
    cli_json_close(out, '}');
    memo_buf_putc(out, '\n');
}
