// SPDX-License-Identifier: Apache-2.0
#include "cli/args.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/values.h"

void cli_args_fini(cli_args *args)
{
    memo_free(args->words);
    memo_free(args->given);
    *args = (cli_args){0};
}

/* ---- options ------------------------------------------------------------------------------- */

/* How an option stands on the command line: its name (not NUL-terminated) and, with "=", a value. */
typedef struct args_spelling {
    const char *name;
    size_t n_name;
    char letter;
    const char *value;
} args_spelling;

static args_spelling args_spell(const char *arg)
{
    args_spelling s = {0};
    if (arg[1] == '-') {
        s.name = arg + 2;
        s.n_name = strcspn(s.name, "=");
        s.value = s.name[s.n_name] == '=' ? s.name + s.n_name + 1 : NULL;
    } else {
        s.letter = arg[1];
        s.value = arg[2] ? arg + 2 : NULL;
    }
    return s;
}

static int args_is_spelled(const cli_option *option, const args_spelling *s)
{
    if (s->letter)
        return option->letter == s->letter;
    return strlen(option->name) == s->n_name && memcmp(option->name, s->name, s->n_name) == 0;
}

static cli_option_id args_option_of(const cli_verb *verb, const char *arg)
{
    args_spelling s = args_spell(arg);
    for (size_t i = 0; verb->options[i] != OPT_NONE; i++)
        if (args_is_spelled(&cli_options[verb->options[i]], &s))
            return (cli_option_id)verb->options[i];
    return OPT_NONE;
}

static const char *args_candidate(const void *user, size_t i)
{
    const cli_verb *verb = user;
    return verb->options[i] ? cli_options[verb->options[i]].name : NULL;
}

static memo_status args_unknown_option(const cli_verb *verb, const char *arg, memo_err *err)
{
    args_spelling s = args_spell(arg);
    char name[64] = {0};
    if (s.name && s.n_name < sizeof name)
        memcpy(name, s.name, s.n_name);
    const char *near = cli_nearest(name, CLI_MAX_VERB_OPTIONS, args_candidate, verb);
    char found[CLI_SHORT_BYTES];
    memo_fail(err, MEMO_ERR_USAGE, "%s has no option %s", verb->name, cli_shorten(arg, found));
    if (near)
        return memo_hint(err, MEMO_ERR_USAGE, "--%s?   (memolith help %s lists them)", near,
                         verb->name);
    return memo_hint(err, MEMO_ERR_USAGE,
                     "memolith help %s; a text that begins with - is written after --", verb->name);
}

/* The value of an option that needs one: after "=", glued to the letter, or the next argument
 * unless that is itself an option of this verb. Steps *at over what it takes. */
static memo_status args_value(const cli_verb *verb, const cli_option *option, int argc,
                              char *const *argv, int *at, const char **value, memo_err *err)
{
    const char *arg = argv[*at];
    args_spelling s = args_spell(arg);
    *value = s.value;
    if (s.value)
        return MEMO_OK;
    const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
    int is_option = next && next[0] == '-' && next[1] &&
                    (strcmp(next, "--") == 0 || args_option_of(verb, next) != OPT_NONE);
    if (next && !is_option) {
        *value = next;
        (*at)++;
        return MEMO_OK;
    }
    memo_fail(err, MEMO_ERR_USAGE, "%s needs a value: %s", arg, option->value);
    if (is_option && s.name)
        memo_hint(err, MEMO_ERR_USAGE, "%s=%s if that is the value", arg, next);
    return MEMO_ERR_USAGE;
}

static memo_status args_take_option(cli_args *args, int argc, char *const *argv, int *at,
                                    memo_err *err)
{
    const char *arg = argv[*at], *value = "";
    cli_option_id id = args_option_of(args->verb, arg);
    if (id == OPT_NONE)
        return args_unknown_option(args->verb, arg, err);
    const cli_option *option = &cli_options[id];
    args_spelling s = args_spell(arg);
    memo_status status = MEMO_OK;
    if (option->kind == CLI_FLAG && s.value)
        status = memo_fail(err, MEMO_ERR_USAGE, "--%s takes no value", option->name);
    else if (option->kind != CLI_FLAG)
        status = args_value(args->verb, option, argc, argv, at, &value, err);
    if (status)
        return status;

    char name[64] = "--";
    strncat(name, option->name, sizeof name - 3);
    cli_given given = {.id = id, .text = value};
    status = cli_value_read(option, name, value, &given.number, err);
    if (status)
        return status;
    const cli_given *before = option->many ? NULL : cli_args_find(args, id);
    char one[CLI_SHORT_BYTES], two[CLI_SHORT_BYTES];
    if (before && strcmp(before->text, value) != 0)
        return memo_fail(err, MEMO_ERR_USAGE, "%s is given twice, as \"%s\" and as \"%s\"", name,
                         cli_shorten(before->text, one), cli_shorten(value, two));
    if (!before)
        args->given[args->n_given++] = given;
    return MEMO_OK;
}

/* ---- words --------------------------------------------------------------------------------- */

/* Find the verb in argv[1] (and argv[2] for "model compile"); *at is the argument after it. */
static memo_status args_take_verb(cli_args *args, int argc, char *const *argv, int *at,
                                  memo_err *err)
{
    char name[64] = {0};
    char found[CLI_SHORT_BYTES];
    const char *first = argc > 1 ? argv[1] : "", *second = argc > 2 ? argv[2] : "";
    *at = 2;
    if (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0)
        first = "help";
    else if (strcmp(first, "--version") == 0)
        first = "version";
    args->verb = cli_verb_find(first);
    if (args->verb)
        return MEMO_OK;
    if (first[0] == '-')
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "\"%s\" stands where the verb does",
                                   cli_shorten(first, found)),
                         "memolith VERB %s ...   (memolith help lists the verbs)", found);
    int is_group = cli_verb_is_group(first);
    if (is_group && strlen(first) + strlen(second) + 2 <= sizeof name) {
        strcpy(name, first);
        if (second[0] && second[0] != '-') {
            strcat(strcat(name, " "), second);
            *at = 3;
        } else if (second[0]) {
            second = "";
        }
        args->verb = cli_verb_find(name);
        if (args->verb)
            return MEMO_OK;
        if (!second[0])
            return memo_hint(err,
                             memo_fail(err, MEMO_ERR_USAGE, "%s needs a verb of its own", first),
                             "memolith help %s", first);
    }
    const char *near = cli_nearest_verb(is_group ? name : first);
    memo_fail(err, MEMO_ERR_USAGE, "there is no verb \"%s\"",
              cli_shorten(is_group && name[0] ? name : first, found));
    return near ? memo_hint(err, MEMO_ERR_USAGE, "memolith %s?   (memolith help lists the verbs)",
                            near)
                : memo_hint(err, MEMO_ERR_USAGE, "memolith help");
}

/* The name of one word of "QUERY..." or "ID [TEXT...]", without its marks. Returns where the next one
 * begins, which is the same again behind the last. */
static const char *args_word_name(const char *words, char *name, size_t n)
{
    size_t length = 0;
    const char *c = words;
    for (; *c && *c != ' '; c++)
        if (*c >= 'A' && *c <= 'Z' && length + 1 < n)
            name[length++] = *c;
    name[length] = '\0';
    return *c ? c + 1 : words;
}

static memo_status args_check_words(const cli_args *args, memo_err *err)
{
    const cli_verb *verb = args->verb;
    char extra[CLI_SHORT_BYTES];
    memo_status status = MEMO_OK;
    uint64_t unused;
    if (cli_args_has(args, OPT_HELP))
        return MEMO_OK;
    if (args->n_words < verb->min_words)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "%s needs %s", verb->name, verb->words),
                         "%s", verb->example);
    if (args->n_words > 0 && verb->max_words == 0)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "%s takes no word, and \"%s\" is one",
                                   verb->name, cli_shorten(args->words[0], extra)),
                         "%s   (memolith help %s)", verb->example, verb->name);
    if (args->n_words > verb->max_words)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "%s takes %s, and \"%s\" is one too many",
                                   verb->name, verb->words,
                                   cli_shorten(args->words[verb->max_words], extra)),
                         "memolith help %s", verb->name);
    cli_option word = {.kind = verb->word_kind};
    const char *c = verb->words;
    for (size_t i = 0; i < args->n_words && status == MEMO_OK; i++) {
        char name[32];
        c = args_word_name(c, name, sizeof name);
        status = cli_value_read(&word, name, args->words[i], &unused, err);
    }
    return status;
}

memo_status cli_args_read(cli_args *args, int argc, char *const *argv, memo_err *err)
{
    int at = 0, only_words = 0;
    memo_status status = args_take_verb(args, argc, argv, &at, err);
    if (status)
        return status;
    args->words = memo_calloc((size_t)argc, sizeof *args->words);
    args->given = memo_calloc((size_t)argc, sizeof *args->given);
    if (!args->words || !args->given)
        return memo_fail_nomem(err, "the command line", (uint64_t)argc * sizeof *args->given);
    for (; at < argc && status == MEMO_OK; at++) {
        const char *arg = argv[at];
        if (only_words || arg[0] != '-' || arg[1] == '\0')
            args->words[args->n_words++] = arg;
        else if (strcmp(arg, "--") == 0)
            only_words = 1;
        else
            status = args_take_option(args, argc, argv, &at, err);
    }
    return status ? status : args_check_words(args, err);
}

/* ---- look up ------------------------------------------------------------------------------- */

const cli_given *cli_args_find(const cli_args *args, cli_option_id id)
{
    for (size_t i = args->n_given; i > 0; i--)
        if (args->given[i - 1].id == id)
            return &args->given[i - 1];
    return NULL;
}

int cli_args_has(const cli_args *args, cli_option_id id)
{
    return cli_args_find(args, id) != NULL;
}

const char *cli_args_text(const cli_args *args, cli_option_id id)
{
    const cli_given *given = cli_args_find(args, id);
    return given ? given->text : NULL;
}

uint64_t cli_args_number(const cli_args *args, cli_option_id id, uint64_t fallback)
{
    const cli_given *given = cli_args_find(args, id);
    return given ? given->number : fallback;
}

memo_status cli_args_list(const cli_args *args, cli_option_id id, const char ***texts, size_t *n,
                          memo_err *err)
{
    const char **list = memo_calloc(args->n_given + 1, sizeof *list);
    *texts = NULL;
    *n = 0;
    if (!list)
        return memo_fail_nomem(err, "a list of options", args->n_given * sizeof *list);
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].id == id)
            list[(*n)++] = args->given[i].text;
    *texts = list;
    return MEMO_OK;
}

void cli_args_join(const cli_args *args, memo_buf *out)
{
    for (size_t i = 0; i < args->n_words; i++) {
        if (i > 0)
            memo_buf_putc(out, ' ');
        memo_buf_puts(out, args->words[i]);
    }
}
